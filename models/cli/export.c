/* ncf export: the vectors of a saved model, for other programs. */
#include <stdio.h>
#include <string.h>

#include "models/cli/cli.h"
#include "models/cli/embeddings.h"
#include "models/cli/messages.h"
#include "models/cli/options.h"
#include "models/cli/output.h"
#include "models/cli/recommender.h"
#include "models/cli/text.h"

typedef struct settings {
    const char *load, *what, *format, *out;
} settings;

/* (n, dim): the tables beside each other. */
static tg_tensor *join_tables(const embeddings *e)
{
    tg_tensor *all = tg_owned(TG_F32, tg_size(e->table[0], 0), e->dim);
    for (int64_t row = 0; row < tg_size(all, 0); row++)
        embeddings_row(e, row, (float *)all->data + row * e->dim);
    return all;
}

static void say_columns(const embeddings *e)
{
    int64_t first = 1;
    for (int t = 0; t < e->tables; t++) {
        const int64_t width = embeddings_width(e, t);
        fprintf(stderr, "columns %lld to %lld: %s\n", (long long)first,
                (long long)(first + width - 1), e->name[t]);
        first += width;
    }
}

typedef struct vectors {
    const tg_ids *ids;
    const tg_tensor *all; /* (ids, dim) */
} vectors;

static int write_tsv(FILE *file, const void *context)
{
    const vectors *v = context;
    const float *value = v->all->data;
    for (int64_t row = 0; row < tg_size(v->all, 0); row++) {
        fputs(tg_ids_name(v->ids, row), file);
        for (int64_t d = 0; d < tg_size(v->all, 1); d++)
            fprintf(file, "\t%.9g", (double)*value++);
        putc('\n', file);
    }
    return text_finish(file);
}

static int write_vectors(const settings *s, const recommender *r)
{
    const bool is_user = strcmp(s->what, "user") == 0;
    const embeddings e = embeddings_of(r->module, is_user ? SIDE_USER : SIDE_ITEM);
    tg_tensor *all = join_tables(&e);
    int status = EXIT_DONE;
    if (strcmp(s->format, "tsv") == 0)
        status = output_write(s->out, write_tsv, &(vectors){is_user ? &r->users : &r->items, all});
    else if (tg_npy_save(s->out, all) != TG_OK)
        status = say_last_error();
    if (status == EXIT_DONE)
        say_columns(&e);
    tg_free(all);
    return status;
}

int export_command(int argc, char **argv)
{
    settings s = {.what = "item", .format = "tsv"};
    const option table[] = {
        {"load", OPTION_INPUT, &s.load, "FILE", "the model, as saved by train --save", 0, 0},
        {"what", OPTION_CHOICE, &s.what, "user|item", "whose vectors", 0, 0},
        {"format", OPTION_CHOICE, &s.format, "tsv|npy",
         "id and numbers, tabs between; or NumPy's, rows as in tsv", 0, 0},
        {"out", OPTION_OUTPUT, &s.out, "FILE", "where to; tsv without it: standard output", 0, 0},
    };
    const usage u = {"export", "ncf export --load FILE [OPTION...]",
                     "Write the vectors of all users or items, those of a model's several tables "
                     "beside each other; standard error says which columns are which table's.",
                     table, sizeof table / sizeof *table, NULL};
    int status;
    if (!parse_options(&u, 1, argc, argv, NULL, &status))
        return status;
    if (!s.out && strcmp(s.format, "npy") == 0)
        return usage_error("export", "--format npy needs --out FILE");
    recommender r;
    if (recommender_load(&r, s.load) != TG_OK)
        return say_last_error();
    status = write_vectors(&s, &r);
    recommender_release(&r);
    return status;
}
