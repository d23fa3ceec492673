/* LightGCN (He et al. 2020) at the size of MovieLens 100K: 3 layers of 64, batch 2048. */
#include <math.h>

#include "bench/models/frame.h"

enum { USERS = 943, ITEMS = 1682, NODES = USERS + ITEMS, EDGES = 80000, LAYERS = 3 };
enum { DIM = 64, BATCH = 2048 };

typedef struct {
    tg_module base;
    tg_embedding_table *node; /* users, then items */
    tg_optimizer *optimizer;
    tg_tensor *from, *to;     /* (2 edges) i64: both directions */
    tg_tensor *scale;         /* (nodes, 1): 1 / sqrt(degree) */
    tg_tensor *user, *positive, *negative;
} lightgcn_model;

static void make_graph(lightgcn_model *m)
{
    tg_tensor *user = make_ids("edge user", USERS, TG_SHAPE(EDGES));
    tg_tensor *item = make_ids("edge item", ITEMS, TG_SHAPE(EDGES));
    m->from = tg_owned(TG_I64, 2 * EDGES);
    m->to = tg_owned(TG_I64, 2 * EDGES);
    m->scale = tg_owned(TG_F32, NODES, 1);
    int64_t *from = m->from->data, *to = m->to->data;
    float *degree = m->scale->data;
    for (int i = 0; i < EDGES; i++) {
        const int64_t u = ((int64_t *)user->data)[i], v = USERS + ((int64_t *)item->data)[i];
        from[i] = to[EDGES + i] = u;
        to[i] = from[EDGES + i] = v;
        degree[u]++;
        degree[v]++;
    }
    for (int i = 0; i < NODES; i++)
        degree[i] = degree[i] > 0 ? 1 / sqrtf(degree[i]) : 0;
    tg_free(user);
    tg_free(item);
}

static void *make(void)
{
    lightgcn_model *m = tg_module_new(lightgcn_model);
    m->node = tg_child(m, "node", tg_embedding_new(NODES, DIM));
    init(&m->base);
    make_graph(m);
    m->user = make_ids("user", USERS, TG_SHAPE(BATCHES, BATCH));
    m->positive = make_ids("positive", ITEMS, TG_SHAPE(BATCHES, BATCH));
    m->negative = make_ids("negative", ITEMS, TG_SHAPE(BATCHES, BATCH));
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3);
    return m;
}

/* D^-1/2 A D^-1/2 x */
static tg_tensor *propagate(lightgcn_model *m, tg_tensor *x)
{
    x = tg_index_select(tg_mul(x, m->scale), 0, m->from);
    return tg_mul(tg_to_dense(tg_scatter_rows(x, m->to, NODES)), m->scale);
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* nothing random */
    lightgcn_model *m = model;
    tg_tensor *x = m->node->weight, *sum = x;
    for (int i = 0; i < LAYERS; i++) {
        x = propagate(m, x);
        sum = tg_add(sum, x);
    }
    sum = tg_mul_scalar(sum, 1.0 / (LAYERS + 1));
    tg_tensor *u = tg_index_select(sum, 0, batch_of(m->user, number));
    tg_tensor *items = tg_narrow(sum, 0, USERS, ITEMS);
    tg_tensor *positive = tg_index_select(items, 0, batch_of(m->positive, number));
    tg_tensor *negative = tg_index_select(items, 0, batch_of(m->negative, number));
    return update(m->optimizer, tg_bpr_loss(tg_sum_dim(tg_mul(u, positive), false, -1),
                                            tg_sum_dim(tg_mul(u, negative), false, -1)));
}

const contender lightgcn = {"lightgcn", make, step};
