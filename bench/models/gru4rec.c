/* GRU4Rec (Hidasi et al. 2016), as in RecBole: the next of 3,706 items after 20, batch 64. */
#include "bench/models/frame.h"

enum { ITEMS = 3706, WIDTH = 64, HIDDEN = 100, LENGTH = 20, BATCH = 64 };
static const double dropout = 0.3;

typedef struct {
    tg_module base;
    tg_tensor *weight_ih, *weight_hh, *bias_ih, *bias_hh; /* reset, update, new, as torch.nn.GRU */
} gru_layer;

typedef struct {
    tg_module base;
    tg_embedding_table *item;
    gru_layer *gru;
    tg_linear_layer *dense;
    tg_optimizer *optimizer;
    tg_tensor *seen, *next;
} gru4rec_model;

static void *make(void)
{
    gru4rec_model *m = tg_module_new(gru4rec_model);
    m->item = tg_child(m, "item", tg_embedding_new(ITEMS, WIDTH));
    m->gru = tg_child(m, "gru", tg_module_new(gru_layer));
    m->gru->weight_ih = tg_param(m->gru, "weight_ih_l0", tg_owned(TG_F32, 3 * HIDDEN, WIDTH));
    m->gru->weight_hh = tg_param(m->gru, "weight_hh_l0", tg_owned(TG_F32, 3 * HIDDEN, HIDDEN));
    m->gru->bias_ih = tg_param(m->gru, "bias_ih_l0", tg_owned(TG_F32, 3 * HIDDEN));
    m->gru->bias_hh = tg_param(m->gru, "bias_hh_l0", tg_owned(TG_F32, 3 * HIDDEN));
    m->dense = tg_child(m, "dense", tg_linear_new(HIDDEN, WIDTH));
    init(&m->base);
    m->seen = make_ids("seen", ITEMS, TG_SHAPE(BATCHES, BATCH, LENGTH));
    m->next = make_ids("next", ITEMS, TG_SHAPE(BATCHES, BATCH));
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3);
    return m;
}

static tg_tensor *part(tg_tensor *x, int which)
{
    return tg_narrow(x, -1, which * HIDDEN, HIDDEN);
}

/* (batch, length, width) -> (batch, hidden), the state after the last */
static tg_tensor *gru_forward(gru_layer *g, tg_tensor *x)
{
    tg_tensor *all = tg_linear(x, g->weight_ih, g->bias_ih); /* (batch, length, 3 hidden) */
    tg_tensor *h = tg_zeros(TG_F32, tg_size(x, 0), HIDDEN);
    for (int64_t i = 0; i < tg_size(x, 1); i++) {
        tg_tensor *from_x = tg_select(all, 1, i);
        tg_tensor *from_h = tg_linear(h, g->weight_hh, g->bias_hh);
        tg_tensor *reset = tg_sigmoid(tg_add(part(from_x, 0), part(from_h, 0)));
        tg_tensor *keep = tg_sigmoid(tg_add(part(from_x, 1), part(from_h, 1)));
        tg_tensor *new = tg_tanh(tg_add(part(from_x, 2), tg_mul(reset, part(from_h, 2))));
        h = tg_add(new, tg_mul(keep, tg_sub(h, new)));
    }
    return h;
}

static double step(void *model, int64_t number, bool training)
{
    gru4rec_model *m = model;
    tg_tensor *x = tg_embedding_forward(m->item, batch_of(m->seen, number));
    x = gru_forward(m->gru, tg_dropout(x, dropout, training));
    tg_tensor *logits = tg_linear(tg_linear_forward(m->dense, x), m->item->weight, NULL);
    return update(m->optimizer, tg_cross_entropy(logits, batch_of(m->next, number)));
}

const contender gru4rec = {"gru4rec", make, step};
