/*
 * report_parts.h: a recommender as page.h wants it: its results, users, settings, heading
 *
 * Each part is made into a struct of its own, which stays where it is until it is released and is
 * empty after a failure; the page borrows what is in it. pictures.h has the curves and the map.
 */
#ifndef NCF_REPORT_PARTS_H
#define NCF_REPORT_PARTS_H

#include "models/cli/asked.h"
#include "models/cli/page.h"

/* ---- results: the measures of the model's task ----------------------------------------------- */

typedef struct report_results {
    int metrics, results;
    page_metric metric[METRIC_LIMIT];
    page_result result[3]; /* the model, then what needs no model */
    char name[64], note[256]; /* of the model; how it was tested */
} report_results;

/* On the ratings of a test file: MAE and RMSE, or metrics of full ranking, beside baselines.
 * TG_ENOMEM; TG_EFORMAT where there is nothing to rank. */
tg_status report_results_test(report_results *p, const recommender *r, const asked *test,
                              const char *path);

/* Without one: what training reached on its test part; no results where there is no history. */
void report_results_history(report_results *p, const recommender *r);

/* ---- users: what they rated highest, and what is recommended to them ------------------------- */

typedef struct report_users {
    int count;
    page_user *user;  /* (count) */
    page_item *items; /* of all their lists */
    char (*name)[80]; /* (count) */
} report_users;

/* Users (count) of the model's numbers. Among equal ratings those of the most rated items stand
 * first. What is recommended is what `ncf recommend` prints. TG_ENOMEM. */
tg_status report_users_make(report_users *p, const recommender *r, const int64_t *user, int count);
void report_users_release(report_users *p);

/* ---- texts: the heading, and the settings of the training ------------------------------------ */

typedef struct report_texts {
    char title[256], summary[1024];
    char *words; /* of the settings */
    int settings;
    page_setting *setting; /* (settings) */
} report_texts;

/* `note` ends the summary. TG_ENOMEM. */
tg_status report_texts_make(report_texts *p, const recommender *r, const char *note);
void report_texts_release(report_texts *p);

/* A path without its folders; "standard input" of "-". */
const char *report_file_name(const char *path);

#endif
