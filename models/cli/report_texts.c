/* Texts of the report page: its heading, and the settings of the training. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/cli/history.h"
#include "models/cli/options.h"
#include "models/cli/report_parts.h"

/* ---- settings -------------------------------------------------------------------------------- */

/* "--name value" or "--flag" each. */
static tg_status read_settings(report_texts *p, const char *settings)
{
    const size_t length = strlen(settings);
    p->words = malloc(length + 1);
    p->setting = malloc((length / 3 + 1) * sizeof *p->setting); /* " -n" is a short one */
    if (!p->words || !p->setting)
        return tg_failure(TG_ENOMEM, "no memory for the settings");
    char *rest = strcpy(p->words, settings);
    for (const char *word; (word = settings_next(&rest));) {
        page_setting *last = p->settings ? &p->setting[p->settings - 1] : NULL;
        if (word[0] == '-' && word[1] == '-')
            p->setting[p->settings++] = (page_setting){word + 2, "yes"};
        else if (last)
            last->value = word;
    }
    return TG_OK;
}

const char *report_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(path, "-") == 0 ? "standard input" : slash ? slash + 1 : path;
}

/* What the model learned from. */
static const char *data_name(const report_texts *p)
{
    for (int i = 0; i < p->settings; i++) {
        const char *name = p->setting[i].name;
        if (strcmp(name, "data") == 0 || strcmp(name, "train") == 0)
            return report_file_name(p->setting[i].value);
    }
    return p->settings ? "the embedded data set" : NULL;
}

/* ---- heading --------------------------------------------------------------------------------- */

static void write_title(report_texts *p, const recommender *r)
{
    const char *data = data_name(p);
    snprintf(p->title, sizeof p->title, "%s%s%.200s", r->model->name, data ? " on " : "",
             data ? data : "");
}

static void write_summary(report_texts *p, const recommender *r, const char *note)
{
    const int64_t epochs = history_epochs(r), chosen = history_chosen(r);
    char training[160] = "";
    if (chosen)
        snprintf(training, sizeof training, "The weights of epoch %lld of %lld were kept, the best "
                 "on validation ratings. ", (long long)chosen, (long long)epochs);
    else if (epochs)
        snprintf(training, sizeof training, "Trained for %lld epoch%s. ", (long long)epochs,
                 epochs == 1 ? "" : "s");
    snprintf(p->summary, sizeof p->summary,
             "%lld users, %lld items and %lld ratings to learn from; a model of %lld parameters "
             "that %s. %s%s", (long long)r->users.count, (long long)r->items.count,
             (long long)tg_numel(r->seen_item), (long long)tg_module_parameter_count(r->module),
             r->task == TASK_RATING ? "predicts ratings" : "ranks items", training, note);
}

tg_status report_texts_make(report_texts *p, const recommender *r, const char *note)
{
    *p = (report_texts){0};
    const tg_status status = r->settings ? read_settings(p, r->settings) : TG_OK;
    if (status != TG_OK) {
        report_texts_release(p);
        return status;
    }
    write_title(p, r);
    write_summary(p, r, note);
    return TG_OK;
}

void report_texts_release(report_texts *p)
{
    free(p->words);
    free(p->setting);
    *p = (report_texts){0};
}
