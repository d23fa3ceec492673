/* LightGCN (He et al. 2020) at the size of MovieLens 100K: 3 layers of 64, batch 2048. */
#include <math.h>

#include "bench/models/frame.h"

enum { USERS = 943, ITEMS = 1682, NODES = USERS + ITEMS, EDGES = 80000, LAYERS = 3 };
enum { DIM = 64, BATCH = 2048 };

typedef struct {
    tg_module base;
    tg_embedding_table *node; /* users, then items */
    tg_optimizer *optimizer;
    tg_tensor *crow, *col, *values; /* D^-1/2 A D^-1/2: (NODES + 1), (2 EDGES), (2 EDGES) */
    tg_tensor *user, *positive, *negative;
} lightgcn_model;

/* Each edge in both directions, in the rows of either end. */
static void make_graph(lightgcn_model *m)
{
    tg_tensor *user = make_ids("edge user", USERS, TG_SHAPE(EDGES));
    tg_tensor *item = make_ids("edge item", ITEMS, TG_SHAPE(EDGES));
    const int64_t *u = user->data, *v = item->data;
    m->crow = tg_owned(TG_I64, NODES + 1);
    m->col = tg_owned(TG_I64, 2 * EDGES);
    m->values = tg_owned(TG_F32, 2 * EDGES);
    int64_t *crow = m->crow->data, *col = m->col->data, next[NODES];
    float *values = m->values->data;
    for (int i = 0; i < EDGES; i++) { /* degrees, one place on */
        crow[u[i] + 1]++;
        crow[USERS + v[i] + 1]++;
    }
    for (int i = 0; i < NODES; i++) {
        next[i] = crow[i];
        crow[i + 1] += crow[i];
    }
    for (int i = 0; i < 2 * EDGES; i++) {
        const int64_t a = i < EDGES ? u[i] : USERS + v[i - EDGES];
        const int64_t b = i < EDGES ? USERS + v[i] : u[i - EDGES];
        const double degree_a = (double)(crow[a + 1] - crow[a]);
        const double degree_b = (double)(crow[b + 1] - crow[b]);
        col[next[a]] = b;
        values[next[a]++] = (float)(1 / sqrt(degree_a * degree_b));
    }
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

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* nothing random */
    lightgcn_model *m = model;
    tg_tensor *x = m->node->weight, *sum = x;
    for (int i = 0; i < LAYERS; i++) {
        x = tg_sparse_mm(m->crow, m->col, m->values, x);
        sum = tg_add(sum, x);
    }
    sum = tg_mul_scalar(sum, 1.0 / (LAYERS + 1));
    tg_tensor *items = tg_narrow(sum, 0, USERS, ITEMS);
    tg_tensor *u = tg_embedding(sum, batch_of(m->user, number));
    tg_tensor *positive = tg_embedding(items, batch_of(m->positive, number));
    tg_tensor *negative = tg_embedding(items, batch_of(m->negative, number));
    return update(m->optimizer, tg_bpr_loss(tg_sum_dim(tg_mul(u, positive), false, -1),
                                            tg_sum_dim(tg_mul(u, negative), false, -1)));
}

const contender lightgcn = {"lightgcn", make, step};
