/*
 * svg.h: learning curves and the map of an embedding, as SVG
 *
 * The files stand alone: no font, no script, light or dark as the reader prefers. Texts may be in
 * UTF-8 or Latin-1 (text.h). A map's points show their names to a pointer. Groups and curves take
 * their colours from one palette, which people with protanopia and deuteranopia can tell apart as
 * well.
 */
#ifndef NCF_SVG_H
#define NCF_SVG_H

#include <stdint.h>
#include <stdio.h>

/* ---- learning curves ------------------------------------------------------------------------- */

enum { CURVE_LIMIT = 4, GROUP_LIMIT = 10, RAMP_STEPS = 6 };

typedef struct curve {
    const char *name;
    const double *value; /* (epochs); not finite where unknown */
} curve;

/* Curves of one unit, over epochs 1, 2, ... */
typedef struct curve_panel {
    const char *title;
    int count; /* 1 to CURVE_LIMIT */
    curve curve[CURVE_LIMIT];
} curve_panel;

typedef struct learning_curves {
    int64_t epochs;
    int64_t chosen; /* the epoch whose weights were kept; 0: none to point at */
    int count;      /* panels, which stand side by side */
    const curve_panel *panel;
} learning_curves;

/* ---- the map of an embedding ----------------------------------------------------------------- */

typedef struct embedding_map {
    const char *title;             /* "t-SNE of the items" */
    const char *axis[2];           /* what is along x and y; NULL where values mean nothing */
    int64_t count;                 /* points */
    const float *y;                /* (count, 2), finite */
    const char *const *name;       /* (count) of the points */
    int groups;                    /* 0 to GROUP_LIMIT; 0: colours are of popularity, if known */
    const char *const *group_name; /* (groups); later ones are drawn above */
    const uint8_t *group;          /* (count), below groups */
    const int64_t *popularity;     /* (count), ratings, from 0 on; NULL: not known */
} embedding_map;

/* ---- files: each gives 0, or the errno of what failed ---------------------------------------- */

int svg_write_curves(FILE *file, const learning_curves *curves);
int svg_write_map(FILE *file, const embedding_map *map);

/* ---- parts of a page ------------------------------------------------------------------------- */

/* The rules (CSS) that figures need, among them the colours of groups, --group-0 to --group-9, and
 * of popularity, --ramp-0 to --ramp-5. */
void svg_write_style(FILE *file);

/* One panel as an svg element without rules. */
void svg_write_panel(FILE *file, const learning_curves *curves, const curve_panel *panel);

#endif
