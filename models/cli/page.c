#include "models/cli/page.h"

#include <errno.h>
#include <math.h>

#include "models/cli/page_text.h" /* page_css and page_js, made by the Makefile */
#include "models/cli/text.h"

static void write_lines(FILE *file, const char *const *line)
{
    for (; *line; line++)
        fputs(*line, file);
}

/* <tag>text</tag> */
static void write_element(FILE *file, const char *tag, const char *text)
{
    fprintf(file, "<%s>", tag);
    text_write_xml(file, text);
    fprintf(file, "</%s>\n", tag);
}

/* ---- sections -------------------------------------------------------------------------------- */

typedef struct section {
    const char *id, *title;
    bool (*is_there)(const page *p);
    void (*write)(FILE *file, const page *p);
} section;

static bool has_results(const page *p)
{
    return p->results > 0 && p->metrics > 0;
}

static bool is_best(const page *p, int result, int metric)
{
    const double value = p->result[result].value[metric];
    for (int r = 0; r < p->results; r++) {
        const double other = p->result[r].value[metric];
        if (isfinite(other) && (p->metric[metric].is_error ? other < value : other > value))
            return false;
    }
    return isfinite(value);
}

static void write_results(FILE *file, const page *p)
{
    fputs("<div class=\"wide\" role=\"region\" aria-labelledby=\"results\" tabindex=\"0\">\n"
          "<table>\n<thead><tr><td></td>", file);
    for (int m = 0; m < p->metrics; m++) {
        fputs("<th scope=\"col\">", file);
        text_write_xml(file, p->metric[m].name);
        fprintf(file, " <small>%s is better</small></th>",
                p->metric[m].is_error ? "lower" : "higher");
    }
    fputs("</tr></thead>\n<tbody>\n", file);
    for (int r = 0; r < p->results; r++) {
        fputs("<tr><th scope=\"row\">", file);
        text_write_xml(file, p->result[r].name);
        fputs("</th>", file);
        for (int m = 0; m < p->metrics; m++) {
            const bool best = is_best(p, r, m);
            fputs(best ? "<td><strong>" : "<td>", file);
            if (isfinite(p->result[r].value[m]))
                fprintf(file, "%.4f", p->result[r].value[m]);
            else
                fputs("<span aria-label=\"not known\">–</span>", file);
            fputs(best ? "</strong></td>" : "</td>", file);
        }
        fputs("</tr>\n", file);
    }
    fputs("</tbody>\n</table>\n</div>\n", file);
}

static bool has_curves(const page *p)
{
    return p->curves.count > 0 && p->curves.epochs > 0;
}

static void write_curves(FILE *file, const page *p)
{
    fputs("<div class=\"panels\">\n", file);
    for (int i = 0; i < p->curves.count; i++)
        svg_write_panel(file, &p->curves, &p->curves.panel[i]);
    fputs("</div>\n", file);
}

static bool has_users(const page *p)
{
    return p->users > 0;
}

static void write_items(FILE *file, const char *title, int64_t count, const page_item *item,
                        bool is_prediction)
{
    fputs("<div>\n", file);
    write_element(file, "h4", title);
    fputs("<ol>\n", file);
    for (int64_t i = 0; i < count; i++) {
        fputs("<li><span>", file);
        text_write_xml(file, item[i].name);
        fputs("</span> <span class=\"value\">", file);
        fprintf(file, is_prediction ? "%#.3g" : "%g", item[i].value);
        fputs("</span></li>\n", file);
    }
    fputs("</ol>\n</div>\n", file);
}

static void write_users(FILE *file, const page *p)
{
    fputs("<p>For some users: what they rated highest, and what they have not rated and the model "
          "puts first.</p>\n<div class=\"users\">\n", file);
    for (int i = 0; i < p->users; i++) {
        const page_user *u = &p->user[i];
        fputs("<article>\n", file);
        write_element(file, "h3", u->name);
        fputs("<div class=\"lists\">\n", file);
        write_items(file, "Rated highest", u->rated_count, u->rated, false);
        write_items(file, "Recommended", u->recommended_count, u->recommended, true);
        fputs("</div>\n</article>\n", file);
    }
    fputs("</div>\n", file);
}

static bool has_settings(const page *p)
{
    return p->settings > 0;
}

static void write_settings(FILE *file, const page *p)
{
    fputs("<dl>\n", file);
    for (int i = 0; i < p->settings; i++) {
        fputs("<div>", file);
        write_element(file, "dt", p->setting[i].name);
        write_element(file, "dd", p->setting[i].value);
        fputs("</div>\n", file);
    }
    fputs("</dl>\n", file);
}

/* ---- the map --------------------------------------------------------------------------------- */

static bool has_map(const page *p)
{
    return p->map.count > 0;
}

static void write_names(FILE *file, const char *key, int64_t count, const char *const *name)
{
    fprintf(file, "\"%s\":[", key);
    for (int64_t i = 0; i < count; i++) {
        if (i > 0)
            fputs(",\n", file);
        text_write_json(file, name[i]);
    }
    fputs("],\n", file);
}

/* One coordinate of all points, as whole numbers from 0 to 10000 with a margin of 3 %, in a picture
 * that is as high as wide. */
static void write_coordinates(FILE *file, const char *key, const embedding_map *map, int d)
{
    float low[2] = {map->y[0], map->y[1]}, high[2] = {map->y[0], map->y[1]};
    for (int64_t i = 0; i < 2 * map->count; i++) {
        low[i % 2] = fminf(low[i % 2], map->y[i]);
        high[i % 2] = fmaxf(high[i % 2], map->y[i]);
    }
    const double span = fmax((double)high[0] - (double)low[0], (double)high[1] - (double)low[1]);
    const double middle = ((double)low[d] + (double)high[d]) / 2;
    const double unit = span > 0 ? (d == 1 ? -9400 : 9400) / span : 0; /* y grows downwards */
    fprintf(file, "\"%s\":[", key);
    for (int64_t i = 0; i < map->count; i++)
        fprintf(file, "%s%.0f", i > 0 ? "," : "",
                5000 + unit * ((double)map->y[2 * i + d] - middle));
    fputs("],\n", file);
}

/* What page.js reads. A less-than sign in a name is escaped, so nothing here can end the script. */
static void write_map_data(FILE *file, const embedding_map *map)
{
    fputs("<script type=\"application/json\" id=\"map-data\">\n{", file);
    write_names(file, "name", map->count, map->name);
    write_names(file, "groups", map->groups, map->group_name);
    write_coordinates(file, "x", map, 0);
    write_coordinates(file, "y", map, 1);
    fputs("\"group\":[", file);
    for (int64_t i = 0; i < map->count && map->groups > 0; i++)
        fprintf(file, "%s%d", i > 0 ? "," : "", map->group[i]);
    fputs("],\n\"popularity\":[", file);
    for (int64_t i = 0; i < map->count && map->popularity; i++)
        fprintf(file, "%s%lld", i > 0 ? "," : "", (long long)map->popularity[i]);
    fputs("]}\n</script>\n", file);
}

static void write_map(FILE *file, const page *p)
{
    const embedding_map *map = &p->map;
    write_element(file, "p", map->title);
    fputs("<div class=\"map\">\n"
          "<form class=\"tools\" role=\"search\">\n"
          "<label>Find <input type=\"search\" id=\"query\" autocomplete=\"off\" "
          "aria-describedby=\"found\"></label>\n"
          "<output id=\"found\" aria-live=\"polite\"></output>\n", file);
    if (map->groups > 0 && map->popularity)
        fputs("<fieldset><legend>Colour by</legend>\n"
              "<label><input type=\"radio\" name=\"colour\" value=\"group\" checked> genre"
              "</label>\n"
              "<label><input type=\"radio\" name=\"colour\" value=\"popularity\"> popularity"
              "</label>\n"
              "</fieldset>\n", file);
    fputs("</form>\n<div class=\"canvas\" id=\"canvas\">\n"
          "<canvas id=\"points\" role=\"img\" aria-label=\"", file);
    text_write_xml(file, map->title);
    fprintf(file, ": %lld points. Search them by name above.\"></canvas>\n", (long long)map->count);
    fputs("<canvas id=\"marks\" aria-hidden=\"true\"></canvas>\n"
          "<div id=\"tip\" class=\"tip\" hidden></div>\n"
          "<div class=\"zoom\" role=\"group\" aria-label=\"Zoom\">"
          "<button type=\"button\" id=\"zoom-in\" aria-label=\"Zoom in\">+</button>"
          "<button type=\"button\" id=\"zoom-out\" aria-label=\"Zoom out\">−</button>"
          "<button type=\"button\" id=\"zoom-all\" aria-label=\"Show all\">⤢</button></div>\n"
          "</div>\n<div class=\"side\">\n"
          "<ul id=\"legend\" class=\"legend\" aria-label=\"Colours\"></ul>\n"
          "<ol id=\"matches\" class=\"matches\" aria-label=\"Matches\"></ol>\n"
          "</div>\n</div>\n<noscript><p>The map needs JavaScript.</p></noscript>\n", file);
    write_map_data(file, map);
}

/* ---- the page -------------------------------------------------------------------------------- */

static const section sections[] = {
    {"results", "Results", has_results, write_results},
    {"curves", "Learning curves", has_curves, write_curves},
    {"map", "Map", has_map, write_map},
    {"users", "Recommendations", has_users, write_users},
    {"settings", "Settings", has_settings, write_settings},
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void write_head(FILE *file, const page *p)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n", file);
    write_element(file, "title", p->title);
    fputs("<style>\n", file);
    svg_write_style(file);
    write_lines(file, page_css);
    fputs("</style>\n</head>\n", file);
}

int page_write(FILE *file, const page *p)
{
    errno = 0;
    write_head(file, p);
    fputs("<body>\n<header>\n", file);
    write_element(file, "h1", p->title);
    write_element(file, "p", p->summary);
    fputs("<nav aria-label=\"Parts of this page\">\n", file);
    for (int i = 0; i < SECTIONS; i++)
        if (sections[i].is_there(p))
            fprintf(file, "<a href=\"#%s\">%s</a>\n", sections[i].id, sections[i].title);
    fputs("</nav>\n</header>\n<main>\n", file);
    for (int i = 0; i < SECTIONS; i++) {
        if (!sections[i].is_there(p))
            continue;
        fprintf(file, "<section aria-labelledby=\"%s\">\n<h2 id=\"%s\">%s</h2>\n", sections[i].id,
                sections[i].id, sections[i].title);
        sections[i].write(file, p);
        fputs("</section>\n", file);
    }
    fputs("</main>\n<script>\n", file);
    write_lines(file, page_js);
    fputs("</script>\n</body>\n</html>\n", file);
    return text_finish(file);
}
