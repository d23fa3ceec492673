/* Learning curves, maps and the report page, as text: what a browser does with the page is for
 * tests/report.sh. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/groups.h"
#include "models/cli/text.h"
#include "tests/picture_samples.h"

/* ---- what was written ------------------------------------------------------------------------ */

static char *written; /* of the last writer */
static size_t size;
static FILE *file;

static FILE *begin(void)
{
    free(written);
    file = open_memstream(&written, &size);
    cr_assert_not_null(file);
    return file;
}

static const char *end(void)
{
    fclose(file);
    cr_assert_eq(strlen(written), size, "a NUL is written");
    return written;
}

static const char *curves_text(const learning_curves *curves)
{
    cr_assert_eq(svg_write_curves(begin(), curves), 0);
    return end();
}

static const char *map_text(const embedding_map *map)
{
    cr_assert_eq(svg_write_map(begin(), map), 0);
    return end();
}

static const char *page_text(const page *p)
{
    cr_assert_eq(page_write(begin(), p), 0);
    return end();
}

static int occurrences(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static bool is_utf8(const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        const int more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : *s >> 4 == 14 ? 2
                         : *s >= 0xf0 && *s < 0xf5 ? 3 : -1;
        if (more < 0)
            return false;
        for (int i = 0; i < more; i++)
            if (*++s >> 6 != 2)
                return false;
    }
    return true;
}

/* Every element of the SVG is closed, in order, and no attribute holds "nan" or "inf". */
static void expect_well_formed(const char *text)
{
    char open[16][32];
    int depth = 0;
    cr_expect(is_utf8(text));
    cr_expect_null(strstr(text, "nan"), "%s", text);
    cr_expect_null(strstr(text, "inf"), "%s", text);
    for (const char *at = text; (at = strchr(at, '<')); at++) {
        char name[32] = "";
        const char *close = strchr(at, '>');
        cr_assert_not_null(close);
        cr_assert_eq(sscanf(at + 1 + (at[1] == '/'), "%31[a-z]", name), 1, "%.20s", at);
        if (at[1] == '/')
            cr_assert(depth-- > 0 && strcmp(open[depth], name) == 0, "%.20s", at);
        else if (close[-1] != '/')
            strcpy(open[depth++], name);
        cr_assert_lt(depth, 16);
    }
    cr_expect_eq(depth, 0, "%d elements are open", depth);
}

/* ---- text ------------------------------------------------------------------------------------ */

static const char *xml(const char *text)
{
    text_write_xml(begin(), text);
    return end();
}

static const char *json(const char *text)
{
    text_write_json(begin(), text);
    return end();
}

Test(pictures, text__is_escaped)
{
    cr_expect_str_eq(xml("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    cr_expect_str_eq(json("a<b> & \"c\" \\d"), "\"a\\u003cb\\u003e & \\\"c\\\" \\\\d\"");
    cr_expect_str_eq(xml(""), "");
    cr_expect_str_eq(xml("a\tb\nc\r"), "a b c ");
    cr_expect_str_eq(json("a\x01\x1f\x7f" "b"), "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "b\"");
}

Test(pictures, text__is_valid_utf8_whatever_it_was)
{
    cr_expect_str_eq(xml("Am\xc3\xa9lie \xe4\xb8\x83 \xf0\x9f\x8e\xac"),
                     "Am\xc3\xa9lie \xe4\xb8\x83 \xf0\x9f\x8e\xac", "UTF-8 stays");
    cr_expect_str_eq(xml("Am\xe9lie"), "Am\xc3\xa9lie", "Latin-1 is converted");
    static const char *const invalid[] = {
        "\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xff", "a\xe4\xb8", "\xf0\x9f\x8e",
    };
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        cr_expect(is_utf8(xml(invalid[i])), "string %zu", i);
        cr_expect(!is_utf8(invalid[i]) || strlen(xml(invalid[i])) > strlen(invalid[i]),
                  "string %zu was taken as it was", i);
    }
    cr_expect_str_eq(xml("\xef\xbf\xbf"), "\xef\xbf\xbd", "not a character");
}

/* ---- learning curves ------------------------------------------------------------------------- */

Test(pictures, curves__have_titles_names_and_round_ticks)
{
    const char *text = curves_text(&picture_sample(ODD_NAMES)->curves);
    expect_well_formed(text);
    static const char *const parts[] = {
        ">Training loss<", ">Error on test ratings<", ">mean squared error<", ">MAE<", ">RMSE<",
        ">epoch 16 kept<", ">0.5<", ">4.0<", ">0.7<", ">1.2<", ">18<", "prefers-color-scheme: dark",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        cr_expect_not_null(strstr(text, parts[i]), "%s", parts[i]);
    cr_expect_eq(occurrences(text, "<circle"), 3 * 19);
}

static learning_curves one_curve(curve_panel *panel, int64_t epochs, const double *value)
{
    *panel = (curve_panel){"Loss", 1, {{"loss", value}}};
    return (learning_curves){.epochs = epochs, .count = 1, .panel = panel};
}

Test(pictures, curves__may_be_short_flat_or_with_gaps)
{
    curve_panel panel;
    const double gaps[] = {1, NAN, 3, 2, INFINITY, 2.5}, flat[] = {5, 5, 5};
    learning_curves curves = one_curve(&panel, 6, gaps);
    const char *text = curves_text(&curves), *line = strstr(text, "curve g0\" d=\"M7");
    cr_assert_not_null(line, "the curve begins at the left");
    char path[200];
    cr_assert_eq(sscanf(line + 13, "%199[^\"]", path), 1);
    cr_expect_eq(occurrences(path, "M"), 3, "%s", path);
    cr_expect_eq(occurrences(text, "<circle"), 4);
    for (int64_t epochs = 0; epochs <= 3; epochs++) {
        curves = one_curve(&panel, epochs, flat);
        text = curves_text(&curves);
        expect_well_formed(text);
        cr_expect_eq(occurrences(text, "<circle"), (int)epochs);
        cr_expect_eq(occurrences(text, ">5.0<"), epochs > 0);
    }
    const double none[] = {NAN, NAN};
    curves = one_curve(&panel, 2, none);
    cr_expect_eq(occurrences(curves_text(&curves), "<circle"), 0);
}

/* Labels of the vertical axis for values from low to high. */
static void expect_ticks(double low, double high, const char *first, const char *last)
{
    curve_panel panel;
    const double value[] = {low, high};
    char part[48];
    const learning_curves curves = one_curve(&panel, 2, value);
    const char *text = curves_text(&curves);
    snprintf(part, sizeof part, "text-anchor=\"end\">%s<", first);
    cr_expect_not_null(strstr(text, part), "%g to %g: no tick %s", low, high, first);
    snprintf(part, sizeof part, "text-anchor=\"end\">%s<", last);
    cr_expect_not_null(strstr(text, part), "%g to %g: no tick %s", low, high, last);
    const int ticks = occurrences(text, "text-anchor=\"end\"");
    cr_expect(ticks >= 4 && ticks <= 9, "%g to %g: %d ticks", low, high, ticks);
}

Test(pictures, ticks__are_round_and_enclose_the_values)
{
    expect_ticks(0.412, 0.687, "0.40", "0.70");
    expect_ticks(0, 1, "0.0", "1.0");
    expect_ticks(-3.2, 4.1, "-4", "6");
    expect_ticks(1234, 98765, "0", "100000");
    expect_ticks(0.00112, 0.00119, "0.00112", "0.00119");
}

/* ---- the map --------------------------------------------------------------------------------- */

Test(pictures, map__has_every_point_in_its_frame)
{
    const embedding_map *map = &picture_sample(2000)->map;
    const char *text = map_text(map);
    expect_well_formed(text);
    int points = 0;
    for (const char *at = text; (at = strstr(at, "<circle cx")); at++) {
        double x, y;
        cr_assert_eq(sscanf(at, "<circle cx=\"%lf\" cy=\"%lf\"", &x, &y), 2, "%.60s", at);
        if (x > 620)
            continue; /* the legend is on the right */
        cr_expect(x >= 60 && x <= 620 && y >= 50 && y <= 610, "%g, %g", x, y);
        points++;
    }
    cr_expect_eq(points, 2000);
    for (int g = 0; g < map->groups; g++)
        cr_expect_not_null(strstr(text, g == 5 ? "Children&#39;s" : map->group_name[g]));
}

Test(pictures, map__points_have_names_and_are_by_popularity_where_there_are_no_groups)
{
    static const char *const name[] = {"none", "one", "two", "Salt & Pepper", "most"};
    static const int64_t popularity[] = {0, 1, 2, 63, 728}; /* 729 = 3^6 */
    const float y[10] = {0};
    embedding_map map = {.title = "t", .count = 5, .y = y, .name = name, .popularity = popularity};
    const char *text = map_text(&map);
    expect_well_formed(text);
    cr_expect_not_null(strstr(text, "<title>Salt &amp; Pepper</title></circle>"));
    static const char *const steps[] = {">0 to 1 ratings<", ">2 to 7 ratings<",
                                        ">26 to 79 ratings<", ">242 to 728 ratings<"};
    for (int i = 0; i < 4; i++)
        cr_expect_not_null(strstr(text, steps[i]), "%s", steps[i]);
    cr_expect_eq(occurrences(text, " ratings<"), 4, "a step without points");
    map.popularity = (const int64_t[]){5, 6, 9, 63, 728};
    text = map_text(&map);
    cr_expect_not_null(strstr(text, ">5 to 7 ratings<"), "a step begins with what there is");
    map.popularity = NULL;
    text = map_text(&map);
    cr_expect_eq(occurrences(text, "<circle"), 5, "a legend of one class");
}

Test(pictures, map__may_have_axes_and_no_groups_or_points)
{
    embedding_map map = picture_sample(300)->map;
    map.groups = 0;
    map.axis[0] = "component 1, 12 % of the variance";
    map.axis[1] = "component 2, 7 %";
    const char *text = map_text(&map);
    expect_well_formed(text);
    cr_expect_not_null(strstr(text, ">component 1, 12 % of the variance<"));
    cr_expect_not_null(strstr(text, ">0<"), "no tick at 0");
    map.count = 1;
    expect_well_formed(map_text(&map));
    map.count = 0;
    expect_well_formed(map_text(&map));
}

/* ---- groups ---------------------------------------------------------------------------------- */

Test(pictures, groups__are_the_frequent_labels_and_the_rarest_of_an_item)
{
    static const char *const label[] = {"Comedy", "Drama|Comedy", "Comedy", "|War||Drama|", "Drama",
                                        "Comedy|War|Drama"};
    static const uint8_t expected[] = {0, 1, 0, 2, 1, 2}; /* Comedy 4, Drama 4, War 2 */
    item_groups g;
    cr_assert_eq(item_groups_new(&g, label, 6), TG_OK);
    cr_assert_eq(g.count, 3);
    cr_expect_str_eq(g.name[0], "Comedy");
    cr_expect_str_eq(g.name[1], "Drama");
    cr_expect_str_eq(g.name[2], "War");
    cr_expect_arr_eq(g.group, expected, sizeof expected);
    item_groups_release(&g);
}

Test(pictures, groups__end_with_other)
{
    const char *few[] = {"War", NULL, "", "War", "|"};
    static const uint8_t expected[] = {0, 1, 1, 0, 1};
    item_groups g;
    cr_assert_eq(item_groups_new(&g, few, 5), TG_OK);
    cr_assert_eq(g.count, 2);
    cr_expect_str_eq(g.name[1], "other");
    cr_expect_arr_eq(g.group, expected, sizeof expected);
    item_groups_release(&g);
    char text[3000][12];
    const char *many[3000];
    for (int i = 0; i < 3000; i++) { /* half are "0", the others differ */
        snprintf(text[i], sizeof text[i], "%d", i % 2 ? i : 0);
        many[i] = text[i];
    }
    cr_assert_eq(item_groups_new(&g, many, 3000), TG_OK);
    cr_assert_eq(g.count, GROUP_LIMIT);
    cr_expect_str_eq(g.name[0], "0");
    cr_expect_str_eq(g.name[1], "1");
    cr_expect_str_eq(g.name[GROUP_LIMIT - 1], "other");
    cr_expect_eq(g.group[2998], 0);
    cr_expect_eq(g.group[2999], GROUP_LIMIT - 1);
    item_groups_release(&g);
    cr_assert_eq(item_groups_new(&g, NULL, 0), TG_OK);
    cr_expect_eq(g.count, 0);
    item_groups_release(&g);
}

/* ---- the page -------------------------------------------------------------------------------- */

Test(pictures, page__escapes_what_is_hard_to_write)
{
    const char *text = page_text(picture_sample(50));
    cr_expect(is_utf8(text));
    cr_expect_eq(occurrences(text, "<script"), 2, "a name began a script");
    cr_expect_eq(occurrences(text, "</script"), 2, "a name ended a script");
    cr_expect_not_null(strstr(text, "Salt & Pepper \\u003c1962\\u003e \\\"Director's cut\\\""));
    cr_expect_not_null(strstr(text, "Am\xc3\xa9lie et la for\xc3\xaat"));
    cr_expect_not_null(strstr(text, "\"Bell\xef\xbf\xbd, tab  and line \""));
    cr_expect_null(strstr(text, "http://"), "the page names another place");
    cr_expect_null(strstr(text, "https://"), "the page names another place");
}

Test(pictures, page__marks_the_best_of_each_column)
{
    const char *text = page_text(picture_sample(50));
    cr_expect_not_null(strstr(text, "<td><strong>0.7412</strong></td>"), "the least MAE");
    cr_expect_not_null(strstr(text, "<td><strong>0.5523</strong></td>"), "the largest HR@10");
    cr_expect_not_null(strstr(text, "<td>0.4535</td>"));
    cr_expect_eq(occurrences(text, "not known"), 3);
}

Test(pictures, page__leaves_out_what_there_is_not)
{
    const page bare = {.title = "Nothing", .summary = "None"};
    const char *text = page_text(&bare);
    cr_expect_not_null(strstr(text, "<h1>Nothing</h1>"));
    cr_expect_eq(occurrences(text, "<section"), 0);
    cr_expect_eq(occurrences(text, "href=\"#"), 0);
    cr_expect_eq(occurrences(text, "<script"), 1);
    page part = *picture_sample(50);
    cr_expect_eq(occurrences(page_text(&part), "<section"), 5);
    part.users = part.settings = 0;
    part.map.popularity = NULL;
    text = page_text(&part);
    cr_expect_eq(occurrences(text, "<section"), 3);
    cr_expect_null(strstr(text, "<fieldset"), "a choice of one colour");
}

Test(pictures, writers__report_a_full_disk)
{
    const page *sample = picture_sample(3000);
    FILE *full = fopen("/dev/full", "w");
    cr_assert_not_null(full);
    cr_expect_eq(page_write(full, sample), ENOSPC);
    fclose(full);
    full = fopen("/dev/full", "w");
    cr_expect_eq(svg_write_curves(full, &sample->curves), ENOSPC);
    fclose(full);
    full = fopen("/dev/full", "w");
    cr_expect_eq(svg_write_map(full, &sample->map), ENOSPC);
    fclose(full);
}
