#include "models/cli/svg.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "models/cli/text.h"

/* ---- style ----------------------------------------------------------------------------------- */

/* Found by a search for colours of which any two stay apart in the eyes of all (simulation of
 * Machado et al. 2009, distances in Oklab); the last is for "other". */
static const char *const light_palette[GROUP_LIMIT] = {
    "#0f6793", "#ea9831", "#fb2f47", "#30891b", "#a13eef",
    "#f77be6", "#814207", "#2708bf", "#74036a", "#8a8f98"};
static const char *const dark_palette[GROUP_LIMIT] = {
    "#05a8fc", "#f97a13", "#bc2519", "#34b675", "#9917ac",
    "#f746c3", "#d9d757", "#3049f2", "#fab6ee", "#707580"};

/* From little to much: away from the paper. */
static const char *const light_ramp[RAMP_STEPS] = {"#c9d8e6", "#9dc0dc", "#66a3cd",
                                                   "#3580b5", "#0c5a92", "#06305c"};
static const char *const dark_ramp[RAMP_STEPS] = {"#34424f", "#3a5f7d", "#3f84b0",
                                                  "#58aadb", "#8dd0f5", "#e3f6ff"};

static void write_palette(FILE *file, const char *basic, const char *const palette[GROUP_LIMIT],
                          const char *const ramp[RAMP_STEPS])
{
    fprintf(file, ":root { %s", basic);
    for (int i = 0; i < GROUP_LIMIT; i++)
        fprintf(file, " --group-%d: %s;", i, palette[i]);
    for (int i = 0; i < RAMP_STEPS; i++)
        fprintf(file, " --ramp-%d: %s;", i, ramp[i]);
    fputs(" }\n", file);
}

void svg_write_style(FILE *file)
{
    write_palette(file, "--ink: #1c2128; --faint: #5c6470; --line: #dfe3e8; --paper: #ffffff;",
                  light_palette, light_ramp);
    fputs("@media (prefers-color-scheme: dark) { ", file);
    write_palette(file, "--ink: #e8eaee; --faint: #a0a7b2; --line: #343a44; --paper: #16181d;",
                  dark_palette, dark_ramp);
    fputs("}\n"
          ".figure text { font: 13px system-ui, sans-serif; fill: var(--ink); }\n"
          ".figure .name { font-weight: 600; font-size: 15px; }\n"
          ".figure .tick { fill: var(--faint); font-variant-numeric: tabular-nums; }\n"
          ".figure .grid { stroke: var(--line); fill: none; }\n"
          ".figure .kept { stroke: var(--faint); stroke-dasharray: 4 4; }\n"
          ".figure .curve { fill: none; stroke-width: 2.25; stroke-linejoin: round; }\n"
          ".figure .points { fill-opacity: .75; }\n"
          ".figure .points :hover { fill-opacity: 1; stroke: var(--ink); stroke-width: 1.5; }\n",
          file);
    for (int i = 0; i < GROUP_LIMIT; i++)
        fprintf(file, ".figure .g%d { stroke: var(--group-%d); }\n", i, i);
}

static void write_text(FILE *file, double x, double y, const char *attributes, const char *text)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    text_write_xml(file, text);
    fputs("</text>\n", file);
}

/* Opens a file's svg element; what is in it is drawn on paper. */
static void begin_file(FILE *file, int width, int height, const char *title)
{
    errno = 0;
    fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" role=\"img\" "
            "viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\">\n<title>", width, height, width,
            height);
    text_write_xml(file, title);
    fputs("</title>\n<style>\n", file);
    svg_write_style(file);
    fputs("</style>\n<rect width=\"100%\" height=\"100%\" style=\"fill: var(--paper)\"/>\n", file);
}

static int end_file(FILE *file)
{
    fputs("</svg>\n", file);
    return text_finish(file);
}

/* ---- scales ---------------------------------------------------------------------------------- */

typedef struct scale {
    double low, high;  /* of the values */
    double start, end; /* where these are drawn */
    double step;       /* between ticks: 1, 2 or 5 times a power of ten */
    int digits;        /* after the point of a tick's label */
} scale;

/* From the values low to high onto start to end, with about `ticks` ticks, round ones. */
static scale scale_of(double low, double high, double start, double end, int ticks)
{
    if (!(high > low)) {
        const double room = low != 0 ? fabs(low) / 10 : 1;
        low -= room;
        high += room;
    }
    const double rough = (high - low) / ticks, power = pow(10, floor(log10(rough)));
    const double lead = rough / power;
    const double step = power * (lead < 1.41 ? 1 : lead < 3.16 ? 2 : lead < 7.07 ? 5 : 10);
    const int digits = (int)-floor(log10(step) + 1e-9);
    return (scale){low, high, start, end, step, digits > 0 ? digits : 0};
}

/* The same, the ends moved outwards to ticks. */
static scale round_scale(double low, double high, double start, double end, int ticks)
{
    scale s = scale_of(low, high, start, end, ticks);
    s.low = floor(s.low / s.step + 1e-9) * s.step;
    s.high = ceil(s.high / s.step - 1e-9) * s.step;
    return s;
}

static double place(const scale *s, double value)
{
    return s->start + (value - s->low) / (s->high - s->low) * (s->end - s->start);
}

/* Ticks with labels, left of (vertical) or below the drawing, and lines across it. */
static void write_ticks(FILE *file, const scale *s, bool is_vertical, double from, double to)
{
    const int64_t last = (int64_t)floor(s->high / s->step + 1e-9);
    for (int64_t i = (int64_t)ceil(s->low / s->step - 1e-9); i <= last; i++) {
        const double value = (double)i * s->step, at = place(s, value);
        char label[32];
        snprintf(label, sizeof label, "%.*f", s->digits, value);
        if (is_vertical) {
            fprintf(file, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n", from, at, to);
            write_text(file, from - 8, at + 4, "class=\"tick\" text-anchor=\"end\"", label);
        } else {
            fprintf(file, "<path class=\"grid\" d=\"M%.1f %.1fv5\"/>\n", at, to);
            write_text(file, at, to + 20, "class=\"tick\" text-anchor=\"middle\"", label);
        }
    }
}

/* ---- learning curves ------------------------------------------------------------------------- */

enum { PANEL_WIDTH = 460, PANEL_HEIGHT = 320, LEFT = 58, RIGHT = 18, TOP = 62, BOTTOM = 46 };

/* The scale of all that the panel's curves show. */
static scale panel_scale(const learning_curves *curves, const curve_panel *panel)
{
    double low = INFINITY, high = -INFINITY;
    for (int c = 0; c < panel->count; c++)
        for (int64_t e = 0; e < curves->epochs; e++)
            if (isfinite(panel->curve[c].value[e])) {
                low = fmin(low, panel->curve[c].value[e]);
                high = fmax(high, panel->curve[c].value[e]);
            }
    if (low > high)
        low = high = 0;
    return round_scale(low, high, PANEL_HEIGHT - BOTTOM, TOP, 5);
}

static scale epoch_scale(int64_t epochs)
{
    const bool is_one = epochs <= 1; /* in the middle */
    scale s = scale_of(is_one ? 0 : 1, is_one ? 2 : (double)epochs, LEFT + 12,
                       PANEL_WIDTH - RIGHT - 12, 8);
    s.step = fmax(s.step, 1);
    s.digits = 0;
    return s;
}

static void write_curve(FILE *file, const scale *x, const scale *y, int64_t epochs,
                        const double *value, int colour)
{
    fprintf(file, "<path class=\"curve g%d\" d=\"", colour);
    bool is_drawing = false;
    for (int64_t e = 0; e < epochs; e++) {
        const bool is_known = isfinite(value[e]);
        if (is_known)
            fprintf(file, "%c%.1f %.1f", is_drawing ? 'L' : 'M', place(x, (double)e + 1),
                    place(y, value[e]));
        is_drawing = is_known;
    }
    fputs("\"/>\n", file);
    for (int64_t e = 0; e < epochs && epochs <= 40; e++)
        if (isfinite(value[e]))
            fprintf(file, "<circle class=\"g%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.25\" "
                    "style=\"fill: var(--paper); stroke-width: 1.5\"/>\n", colour,
                    place(x, (double)e + 1), place(y, value[e]));
}

/* Title, and for each curve a stroke of its colour with its name. */
static void write_panel_head(FILE *file, const curve_panel *panel)
{
    write_text(file, LEFT, 22, "class=\"name\"", panel->title);
    double x = LEFT;
    for (int c = 0; c < panel->count; c++) {
        fprintf(file, "<path class=\"curve g%d\" d=\"M%.1f 41h18\"/>\n", c, x);
        write_text(file, x + 24, 45, "", panel->curve[c].name);
        x += 48 + 7.2 * (double)strlen(panel->curve[c].name);
    }
}

static void write_chosen(FILE *file, const learning_curves *curves, const scale *x)
{
    const double at = place(x, (double)curves->chosen);
    const bool is_right = at > (LEFT + PANEL_WIDTH - RIGHT) / 2.;
    char label[48];
    snprintf(label, sizeof label, "epoch %lld kept", (long long)curves->chosen);
    fprintf(file, "<path class=\"kept\" d=\"M%.1f %dV%d\"/>\n", at, TOP, PANEL_HEIGHT - BOTTOM);
    write_text(file, is_right ? at - 6 : at + 6, TOP + 14,
               is_right ? "class=\"tick\" text-anchor=\"end\"" : "class=\"tick\"", label);
}

void svg_write_panel(FILE *file, const learning_curves *curves, const curve_panel *panel)
{
    const scale y = panel_scale(curves, panel), x = epoch_scale(curves->epochs);
    fprintf(file, "<svg class=\"figure\" role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"",
            PANEL_WIDTH, PANEL_HEIGHT);
    text_write_xml(file, panel->title);
    fputs(" by epoch.", file);
    for (int c = 0; c < panel->count && curves->epochs > 0; c++) {
        putc(' ', file);
        text_write_xml(file, panel->curve[c].name);
        fprintf(file, ": from %.4g to %.4g.", panel->curve[c].value[0],
                panel->curve[c].value[curves->epochs - 1]);
    }
    fputs("\">\n", file);
    write_panel_head(file, panel);
    write_ticks(file, &y, true, LEFT, PANEL_WIDTH - RIGHT);
    write_ticks(file, &x, false, TOP, PANEL_HEIGHT - BOTTOM);
    write_text(file, (LEFT + PANEL_WIDTH - RIGHT) / 2., PANEL_HEIGHT - 8,
               "class=\"tick\" text-anchor=\"middle\"", "epoch");
    if (curves->chosen > 0)
        write_chosen(file, curves, &x);
    for (int c = 0; c < panel->count; c++)
        write_curve(file, &x, &y, curves->epochs, panel->curve[c].value, c);
    fputs("</svg>\n", file);
}

int svg_write_curves(FILE *file, const learning_curves *curves)
{
    begin_file(file, PANEL_WIDTH * curves->count, PANEL_HEIGHT, "Learning curves");
    for (int i = 0; i < curves->count; i++) {
        fprintf(file, "<svg x=\"%d\" width=\"%d\" height=\"%d\">\n", i * PANEL_WIDTH, PANEL_WIDTH,
                PANEL_HEIGHT);
        svg_write_panel(file, curves, &curves->panel[i]);
        fputs("</svg>\n", file);
    }
    return end_file(file);
}

/* ---- the map --------------------------------------------------------------------------------- */

enum { MAP_WIDTH = 860, MAP_HEIGHT = 660, MAP_LEFT = 60, MAP_TOP = 50, MAP_SIDE = 560 };

/* Both scales, the same number of units to the pixel, the points in the middle. */
static void map_scales(const embedding_map *map, scale *x, scale *y)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < 2 * map->count; i++) {
        low[i % 2] = fmin(low[i % 2], (double)map->y[i]);
        high[i % 2] = fmax(high[i % 2], (double)map->y[i]);
    }
    double span = map->count ? 1.06 * fmax(high[0] - low[0], high[1] - low[1]) : 0;
    span = span > 0 ? span : 1;
    for (int d = 0; d < 2; d++) {
        const double middle = map->count ? (low[d] + high[d]) / 2 : 0;
        *(d == 0 ? x : y) =
            scale_of(middle - span / 2, middle + span / 2, d == 0 ? MAP_LEFT : MAP_TOP + MAP_SIDE,
                     d == 0 ? MAP_LEFT + MAP_SIDE : MAP_TOP, 6);
    }
}

/* What a point's colour says: its group, or how popular it is, in steps of equal ratios. */
typedef struct classes {
    const embedding_map *map;
    int count;
    int64_t least, most; /* of popularity */
} classes;

static classes classes_of(const embedding_map *map)
{
    classes c = {map, map->groups ? map->groups : map->popularity ? RAMP_STEPS : 1,
                 INT64_MAX, 1};
    for (int64_t i = 0; i < map->count && map->popularity; i++) {
        c.least = map->popularity[i] < c.least ? map->popularity[i] : c.least;
        c.most = map->popularity[i] > c.most ? map->popularity[i] : c.most;
    }
    return c;
}

static int class_of(const classes *c, int64_t point)
{
    if (c->map->groups)
        return c->map->group[point];
    if (!c->map->popularity)
        return 0;
    const double share = log1p((double)c->map->popularity[point]) / log1p((double)c->most);
    return (int)fmin(RAMP_STEPS * share + 1e-9, RAMP_STEPS - 1);
}

static void write_class_name(FILE *file, const classes *c, int class)
{
    if (c->map->groups) {
        text_write_xml(file, c->map->group_name[class]);
        return;
    }
    const double ratio = log1p((double)c->most) / RAMP_STEPS;
    const int64_t begin = (int64_t)ceil(expm1(class * ratio) - 1e-9);
    const int64_t low = begin < c->least ? c->least : begin; /* of a class that has points */
    const int64_t next = (int64_t)ceil(expm1((class + 1) * ratio) - 1e-9);
    const int64_t high = class == RAMP_STEPS - 1 ? c->most : next - 1;
    if (low < high)
        fprintf(file, "%lld to %lld ratings", (long long)low, (long long)high);
    else
        fprintf(file, low == 1 ? "1 rating" : "%lld ratings", (long long)low);
}

/* Begin a group of points, or of one of the legend, in the colour of a class. */
static void begin_class(FILE *file, const classes *c, int class)
{
    const bool is_ramp = !c->map->groups && c->map->popularity;
    fprintf(file, "<g class=\"points\" style=\"fill: var(--%s-%d)\">\n", is_ramp ? "ramp" : "group",
            class);
}

/* The points of one class, each with its name, which browsers show to a pointer; gives how many. */
static int64_t write_points(FILE *file, const classes *c, int class, const scale *x, const scale *y)
{
    const embedding_map *map = c->map;
    const double radius = fmin(fmax(130 / sqrt((double)map->count), 1), 4.5);
    int64_t count = 0;
    begin_class(file, c, class);
    for (int64_t i = 0; i < map->count; i++) {
        if (class_of(c, i) != class)
            continue;
        fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>",
                place(x, (double)map->y[2 * i]), place(y, (double)map->y[2 * i + 1]), radius);
        text_write_xml(file, map->name[i]);
        fputs("</title></circle>\n", file);
        count++;
    }
    fputs("</g>\n", file);
    return count;
}

static void write_legend_line(FILE *file, const classes *c, int class, int line, int64_t count)
{
    const double x = MAP_LEFT + MAP_SIDE + 32, y = MAP_TOP + 20 + 26 * line;
    char label[32];
    begin_class(file, c, class);
    fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" style=\"fill-opacity: 1\"/>\n</g>\n", x,
            y - 4);
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">", x + 16, y);
    write_class_name(file, c, class);
    fputs("</text>\n", file);
    snprintf(label, sizeof label, "%lld", (long long)count);
    write_text(file, MAP_WIDTH - 20, y, "class=\"tick\" text-anchor=\"end\"", label);
}

static void write_axes(FILE *file, const embedding_map *map, const scale *x, const scale *y)
{
    const double bottom = MAP_TOP + MAP_SIDE, middle = MAP_SIDE / 2.;
    write_ticks(file, y, true, MAP_LEFT, MAP_LEFT + MAP_SIDE);
    write_ticks(file, x, false, MAP_TOP, bottom);
    write_text(file, MAP_LEFT + middle, bottom + 40, "class=\"tick\" text-anchor=\"middle\"",
               map->axis[0]);
    fprintf(file, "<g transform=\"translate(16 %.1f) rotate(-90)\">", MAP_TOP + middle);
    write_text(file, 0, 0, "class=\"tick\" text-anchor=\"middle\"", map->axis[1]);
    fputs("</g>\n", file);
}

int svg_write_map(FILE *file, const embedding_map *map)
{
    scale x, y;
    map_scales(map, &x, &y);
    begin_file(file, MAP_WIDTH, MAP_HEIGHT, map->title);
    write_text(file, MAP_LEFT, 30, "class=\"name\"", map->title);
    fprintf(file, "<rect class=\"grid\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", MAP_LEFT,
            MAP_TOP, MAP_SIDE, MAP_SIDE);
    if (map->axis[0] && map->axis[1])
        write_axes(file, map, &x, &y);
    const classes c = classes_of(map);
    int line = 0;
    for (int class = 0; class < c.count; class++) {
        const int64_t count = write_points(file, &c, class, &x, &y);
        if (c.count > 1 && count > 0)
            write_legend_line(file, &c, class, line++, count);
    }
    return end_file(file);
}
