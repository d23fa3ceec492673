/* Two towers, in-batch softmax (Yi et al. 2019): embeddings of 64, layers 128-64, batch 1024. */
#include "bench/models/frame.h"

enum { USERS = 50000, ITEMS = 20000, DIM = 64, HIDDEN = 128, BATCH = 1024 };
static const double temperature = 0.05;

typedef struct {
    tg_module base;
    tg_embedding_table *table;
    tg_linear_layer *hidden, *out;
} tower;

typedef struct {
    tg_module base;
    tower *user, *item;
    tg_optimizer *optimizer;
    tg_tensor *users, *items, *own;
} two_tower_model;

static tower *tower_new(int64_t rows)
{
    tower *t = tg_module_new(tower);
    t->table = tg_child(t, "table", tg_embedding_new(rows, DIM));
    t->hidden = tg_child(t, "hidden", tg_linear_new(DIM, HIDDEN));
    t->out = tg_child(t, "out", tg_linear_new(HIDDEN, DIM));
    return t;
}

static void *make(void)
{
    two_tower_model *m = tg_module_new(two_tower_model);
    m->user = tg_child(m, "user", tower_new(USERS));
    m->item = tg_child(m, "item", tower_new(ITEMS));
    init(&m->base);
    m->users = make_ids("users", USERS, TG_SHAPE(BATCHES, BATCH));
    m->items = make_ids("items", ITEMS, TG_SHAPE(BATCHES, BATCH));
    m->own = tg_owned(TG_I64, BATCH);
    for (int i = 0; i < BATCH; i++)
        tg_set(m->own, i, i);
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3, .catch_up = true);
    return m;
}

/* (batch) -> (batch, dim), of length 1 */
static tg_tensor *tower_forward(tower *t, tg_tensor *index)
{
    tg_tensor *x = tg_embedding_forward(t->table, index);
    x = tg_linear_forward(t->out, tg_relu(tg_linear_forward(t->hidden, x)));
    tg_tensor *norm = tg_sqrt(tg_sum_dim(tg_square(x), true, -1));
    return tg_div(x, tg_clamp_min_scalar_at(TG_HERE, norm, 1e-12));
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* nothing random */
    two_tower_model *m = model;
    tg_tensor *u = tower_forward(m->user, batch_of(m->users, number));
    tg_tensor *v = tower_forward(m->item, batch_of(m->items, number));
    tg_tensor *logits = tg_mul_scalar(tg_matmul(u, tg_t(v)), 1 / temperature);
    return update(m->optimizer, tg_cross_entropy(logits, m->own));
}

const contender two_tower = {"two_tower", make, step};
