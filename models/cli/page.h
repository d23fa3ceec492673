/*
 * page.h: a training run as one HTML page: results, learning curves, map, recommendations, settings
 *
 * The page stands alone: it loads nothing and sends nothing. It is made for a wide window and for a
 * phone, for light and dark, for keyboard and screen reader. From top to bottom:
 *
 *     page.title, .summary     heading
 *     page.result, .metric     a table; the best of each column is marked
 *     page.curves              SVG (svg.h)
 *     page.map                 JSON, which page.js draws: hover, search, colours, zoom
 *     page.user                lists of items
 *     page.setting             a list of names and values
 *
 * Parts that have no entries are left out. page.css and page.js become part of the program when it
 * is built. Texts may be in UTF-8 or Latin-1 (text.h).
 */
#ifndef NCF_PAGE_H
#define NCF_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "models/cli/svg.h"

enum { METRIC_LIMIT = 8 };

typedef struct page_metric {
    const char *name; /* "RMSE" */
    bool is_error;    /* smaller is better */
} page_metric;

typedef struct page_result {
    const char *name;           /* "ncf after 19 epochs", "mean rating" */
    double value[METRIC_LIMIT]; /* (metrics); not finite where unknown */
} page_result;

typedef struct page_item {
    const char *name;
    double value; /* the rating, or what was predicted */
} page_item;

typedef struct page_user {
    const char *name;
    int64_t rated_count, recommended_count;
    const page_item *rated;       /* (rated_count), the best first */
    const page_item *recommended; /* (recommended_count), the best first */
} page_user;

typedef struct page_setting {
    const char *name, *value;
} page_setting;

typedef struct page {
    const char *title, *summary;
    int metrics, results;
    const page_metric *metric; /* (metrics) */
    const page_result *result; /* (results): the model first, then what it is compared with */
    learning_curves curves;
    embedding_map map;
    int users;
    const page_user *user; /* (users) */
    int settings;
    const page_setting *setting; /* (settings) */
} page;

/* Write the page; 0, or the errno of what failed. */
int page_write(FILE *file, const page *p);

#endif
