#include "models/cli/groups.h"

#include <stdlib.h>
#include <string.h>

enum { LABEL_LIMIT = 1024 }; /* different labels; what comes later counts as "other" */

typedef struct label {
    const char *text; /* not ended by NUL */
    size_t length;
    int64_t items; /* that have it */
} label;

typedef struct labels {
    label label[LABEL_LIMIT];
    int count;
} labels;

/* The label at *text, which moves behind it; NULL at the end. Empty ones are passed over. */
static const char *next_label(const char **text, size_t *length)
{
    if (!*text)
        return NULL;
    const char *begin = *text + strspn(*text, "|");
    *length = strcspn(begin, "|");
    *text = begin + *length;
    return *length ? begin : NULL;
}

/* The number of a label among the first `count`; count where it is not there. */
static int find(const labels *l, int count, const char *text, size_t length)
{
    int i = 0;
    while (i < count &&
           (l->label[i].length != length || memcmp(l->label[i].text, text, length) != 0))
        i++;
    return i;
}

static void count_labels(labels *l, const char *text)
{
    size_t length;
    for (const char *at; (at = next_label(&text, &length));) {
        const int i = find(l, l->count, at, length);
        if (i == LABEL_LIMIT)
            continue;
        if (i == l->count)
            l->label[l->count++] = (label){at, length, 0};
        l->label[i].items++;
    }
}

/* The most frequent first; of equally frequent ones the first met. */
static void sort_labels(labels *l)
{
    for (int i = 1; i < l->count; i++) {
        const label moved = l->label[i];
        int at = i;
        for (; at > 0 && l->label[at - 1].items < moved.items; at--)
            l->label[at] = l->label[at - 1];
        l->label[at] = moved;
    }
}

/* The last of the first `kept` labels that the text has; -1: none. */
static int rarest(const labels *l, int kept, const char *text)
{
    int last = -1;
    size_t length;
    for (const char *at; (at = next_label(&text, &length));) {
        const int i = find(l, kept, at, length);
        last = i < kept && i > last ? i : last;
    }
    return last;
}

static char *copy_text(const char *text, size_t length)
{
    char *copy = calloc(length + 1, 1);
    return copy ? memcpy(copy, text, length) : NULL;
}

tg_status item_groups_new(item_groups *g, const char *const *text, int64_t items)
{
    *g = (item_groups){.group = malloc((size_t)items + 1)};
    labels *l = calloc(1, sizeof *l);
    bool has_memory = g->group && l;
    for (int64_t i = 0; has_memory && i < items; i++)
        count_labels(l, text[i]);
    if (has_memory)
        sort_labels(l);
    const int found = has_memory ? l->count : 0;
    bool has_other = found > GROUP_LIMIT;
    for (int64_t i = 0; has_memory && i < items; i++)
        has_other = has_other || rarest(l, found, text[i]) < 0;
    const int kept = found < GROUP_LIMIT - has_other ? found : GROUP_LIMIT - has_other;
    for (int64_t i = 0; has_memory && i < items; i++) {
        const int group = rarest(l, kept, text[i]);
        g->group[i] = (uint8_t)(group < 0 ? kept : group);
    }
    g->count = has_memory ? kept + has_other : 0;
    for (int i = 0; i < g->count; i++) {
        g->name[i] = i < kept ? copy_text(l->label[i].text, l->label[i].length)
                              : copy_text("other", 5);
        has_memory = has_memory && g->name[i];
    }
    free(l);
    if (has_memory)
        return TG_OK;
    item_groups_release(g);
    return tg_failure(TG_ENOMEM, "no memory for the labels of %lld items", (long long)items);
}

void item_groups_release(item_groups *g)
{
    for (int i = 0; i < g->count; i++)
        free(g->name[i]);
    free(g->group);
    *g = (item_groups){0};
}
