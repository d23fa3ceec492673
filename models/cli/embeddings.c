#include "models/cli/embeddings.h"

#include <stdio.h>
#include <string.h>

embeddings embeddings_of(const tg_module *m, model_side side)
{
    embeddings e = {0};
    tg_state_dict state = tg_module_state_dict(m);
    for (int64_t i = 0; i < state.count && e.tables < MAX_EMBEDDINGS; i++) {
        const char *name = state.entry[i].name, *end = strstr(name, ".weight");
        if (!end || !strstr(name, side == SIDE_USER ? "user_" : "item_"))
            continue;
        snprintf(e.name[e.tables], sizeof e.name[0], "%.*s", (int)(end - name), name);
        e.table[e.tables++] = state.entry[i].tensor;
        e.dim += embeddings_width(&e, e.tables - 1);
    }
    tg_state_dict_release(&state);
    return e;
}

int64_t embeddings_width(const embeddings *e, int table)
{
    return tg_size(e->table[table], 1);
}

int embeddings_to_compare(const embeddings *e)
{
    for (int t = 0; t < e->tables; t++)
        if (strstr(e->name[t], "_emb"))
            return t;
    return 0;
}

void embeddings_row(const embeddings *e, int64_t row, float *vector)
{
    for (int t = 0; t < e->tables; t++) {
        const int64_t width = embeddings_width(e, t);
        memcpy(vector, (const float *)e->table[t]->data + row * width,
               (size_t)width * sizeof *vector);
        vector += width;
    }
}
