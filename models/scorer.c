#include "models/scorer.h"

#include <stdlib.h>
#include <string.h>

struct scorer {
    const rating_model *model;
    tg_module *module;
    halves user, item; /* of all; owned */
    int64_t items;
};

/* Items at a time: their activations stay in the caches. */
enum { ITEMS_AT_ONCE = 256 };

static tg_tensor *retain(tg_tensor *t)
{
    return t ? tg_retain(t) : NULL;
}

scorer *scorer_new(const rating_model *model, tg_module *m)
{
    scorer *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->model = model;
    s->module = m;
    tg_module_train(m, false);
    tg_step_begin();
    tg_no_grad {
        halves user = {NULL, NULL, NULL}, item = {NULL, NULL, NULL};
        model->halves(m, &user, &item);
        s->user = (halves){retain(user.mlp), retain(user.gmf), retain(user.bias)};
        s->item = (halves){retain(item.mlp), retain(item.gmf), retain(item.bias)};
    }
    tg_step_end();
    s->items = tg_size(s->item.mlp ? s->item.mlp : s->item.gmf, 0);
    return s;
}

void scorer_free(scorer *s)
{
    if (!s)
        return;
    tg_free(s->user.mlp);
    tg_free(s->user.gmf);
    tg_free(s->user.bias);
    tg_free(s->item.mlp);
    tg_free(s->item.gmf);
    tg_free(s->item.bias);
    free(s);
}

int64_t scorer_items(const scorer *s)
{
    return s->items;
}

/* Row `row` of t, `count` times; written out, for sums of plain arrays are the fastest. */
static tg_tensor *repeated(tg_tensor *t, int64_t row, int64_t count)
{
    return t ? tg_contiguous(tg_expand(tg_narrow(t, 0, row, 1), count, tg_size(t, 1))) : NULL;
}

static tg_tensor *part(tg_tensor *t, int64_t first, int64_t count)
{
    return t ? tg_narrow(t, 0, first, count) : NULL;
}

void scorer_score(const scorer *s, int64_t user, float *score)
{
    tg_step_begin();
    tg_no_grad {
        int64_t count = 0;
        halves u = {NULL, NULL, NULL};
        for (int64_t first = 0; first < s->items; first += ITEMS_AT_ONCE) {
            const int64_t left = s->items - first, before = count;
            count = left < ITEMS_AT_ONCE ? left : ITEMS_AT_ONCE;
            if (count != before)
                u = (halves){repeated(s->user.mlp, user, count), repeated(s->user.gmf, user, count),
                             repeated(s->user.bias, user, count)};
            tg_step_begin();
            const halves i = {part(s->item.mlp, first, count), part(s->item.gmf, first, count),
                              part(s->item.bias, first, count)};
            const tg_tensor *y = s->model->from_halves(s->module, u, i); /* (count) */
            memcpy(score + first, y->data, (size_t)count * sizeof *score);
            tg_step_end();
        }
    }
    tg_step_end();
}
