#include "models/cli/history.h"

#include <stdio.h>
#include <string.h>

#include "models/cli/exam.h"

int64_t history_epochs(const recommender *r)
{
    return r->history ? tg_size(r->history, 0) : 0;
}

bool history_next(const char **rest, char name[HISTORY_NAME])
{
    const size_t length = strcspn(*rest, ",");
    if (!**rest)
        return false;
    snprintf(name, HISTORY_NAME, "%.*s", (int)length, *rest);
    *rest += length + ((*rest)[length] == ',');
    return true;
}

int64_t history_find(const recommender *r, const char *part, const char *measure)
{
    char wanted[HISTORY_NAME], name[HISTORY_NAME];
    snprintf(wanted, sizeof wanted, "%s_%s", part, measure);
    for (char *c = wanted; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c);
    const char *rest = r->history ? r->history_columns : "";
    for (int64_t column = 0; history_next(&rest, name); column++)
        if (strcmp(name, wanted) == 0)
            return column;
    return -1;
}

double history_get(const recommender *r, int64_t epoch, int64_t column)
{
    return tg_get(r->history, epoch - 1, column);
}

int64_t history_chosen(const recommender *r)
{
    const int64_t column = history_find(r, "validation", measure_names[r->task][1]);
    int64_t chosen = 0;
    measures best = {{0}};
    for (int64_t epoch = 1; column >= 0 && epoch <= history_epochs(r); epoch++) {
        const measures now = {{0, history_get(r, epoch, column)}}; /* the first does not count */
        if (chosen && !is_better(r->task, now, best))
            continue;
        chosen = epoch;
        best = now;
    }
    return chosen;
}
