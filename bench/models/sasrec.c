/* SASRec (Kang and McAuley 2018): two blocks of one head, width 50, 50 items a user, batch 128. */
#include <stdio.h>

#include "bench/models/frame.h"

enum { BLOCKS = 2, WIDTH = 50, LENGTH = 50, BATCH = 128, ITEMS = 12101 };
static const double dropout = 0.5;

typedef struct {
    tg_module base;
    tg_layer_norm_layer *norm1, *norm2;
    tg_linear_layer *q, *k, *v, *out, *hidden1, *hidden2;
} sasrec_block;

typedef struct {
    tg_module base;
    tg_embedding_table *item, *position;
    sasrec_block *block[BLOCKS];
    tg_layer_norm_layer *norm;
    tg_optimizer *optimizer;
    tg_tensor *seen, *positive, *negative, *places;
} sasrec_model;

static sasrec_block *block_new(void)
{
    sasrec_block *b = tg_module_new(sasrec_block);
    b->norm1 = tg_child(b, "norm1", tg_layer_norm_new(WIDTH));
    b->norm2 = tg_child(b, "norm2", tg_layer_norm_new(WIDTH));
    b->q = tg_child(b, "q", tg_linear_new(WIDTH, WIDTH));
    b->k = tg_child(b, "k", tg_linear_new(WIDTH, WIDTH));
    b->v = tg_child(b, "v", tg_linear_new(WIDTH, WIDTH));
    b->out = tg_child(b, "out", tg_linear_new(WIDTH, WIDTH));
    b->hidden1 = tg_child(b, "hidden1", tg_linear_new(WIDTH, WIDTH));
    b->hidden2 = tg_child(b, "hidden2", tg_linear_new(WIDTH, WIDTH));
    return b;
}

static void *make(void)
{
    sasrec_model *m = tg_module_new(sasrec_model);
    m->item = tg_child(m, "item", tg_embedding_new(ITEMS, WIDTH));
    m->position = tg_child(m, "position", tg_embedding_new(LENGTH, WIDTH));
    for (int i = 0; i < BLOCKS; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d", i);
        m->block[i] = tg_child(m, name, block_new());
    }
    m->norm = tg_child(m, "norm", tg_layer_norm_new(WIDTH));
    init(&m->base);
    m->seen = make_ids("seen", ITEMS, TG_SHAPE(BATCHES, BATCH, LENGTH));
    m->positive = make_ids("positive", ITEMS, TG_SHAPE(BATCHES, BATCH, LENGTH));
    m->negative = make_ids("negative", ITEMS, TG_SHAPE(BATCHES, BATCH, LENGTH));
    m->places = tg_owned(TG_I64, LENGTH);
    for (int i = 0; i < LENGTH; i++)
        tg_set(m->places, i, i);
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3, .beta2 = 0.98, .catch_up = true);
    return m;
}

static tg_tensor *block_forward(sasrec_block *b, tg_tensor *x, bool training)
{
    tg_tensor *q = tg_forward(b->norm1, x); /* (batch, length, width) */
    tg_tensor *h = tg_scaled_dot_product_attention(
        tg_linear_forward(b->q, q), tg_linear_forward(b->k, x), tg_linear_forward(b->v, x), NULL,
        training ? dropout : 0, true);
    x = tg_forward(b->norm2, tg_add(q, tg_linear_forward(b->out, h)));
    h = tg_relu(tg_dropout(tg_linear_forward(b->hidden1, x), dropout, training));
    return tg_add(x, tg_dropout(tg_linear_forward(b->hidden2, h), dropout, training));
}

/* The logits of the items of `index` after each of x. */
static tg_tensor *logits(sasrec_model *m, tg_tensor *x, tg_tensor *index)
{
    return tg_sum_dim(tg_mul(x, tg_embedding_forward(m->item, index)), false, -1);
}

static double step(void *model, int64_t number, bool training)
{
    sasrec_model *m = model;
    tg_tensor *x = tg_embedding_forward(m->item, batch_of(m->seen, number));
    x = tg_add(tg_mul_scalar(x, 7.0710678), tg_embedding_forward(m->position, m->places));
    x = tg_dropout(x, dropout, training);
    for (int i = 0; i < BLOCKS; i++)
        x = block_forward(m->block[i], x, training);
    x = tg_forward(m->norm, x);
    tg_tensor *positive = logits(m, x, batch_of(m->positive, number));
    tg_tensor *negative = logits(m, x, batch_of(m->negative, number));
    /* binary cross-entropy with targets 1 and 0 */
    tg_tensor *loss = tg_add(tg_mean(tg_softplus(tg_neg(positive))),
                             tg_mean(tg_softplus(negative)));
    return update(m->optimizer, loss);
}

const contender sasrec = {"sasrec", make, step};
