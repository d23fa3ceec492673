/* DeepFM (Guo et al. 2017): 39 fields, 100,000 features of 10, layers 400-400-400, batch 1024. */
#include "bench/models/frame.h"

enum { FEATURES = 100000, FIELDS = 39, DIM = 10, HIDDEN = 400, BATCH = 1024 };
static const double dropout = 0.5;

typedef struct {
    tg_module base;
    tg_embedding_table *first, *factor;
    tg_linear_layer *deep1, *deep2, *deep3, *out;
    tg_optimizer *optimizer;
    tg_tensor *feature, *click;
} deepfm_model;

static void *make(void)
{
    deepfm_model *m = tg_module_new(deepfm_model);
    m->first = tg_child(m, "first", tg_embedding_new(FEATURES, 1));
    m->factor = tg_child(m, "factor", tg_embedding_new(FEATURES, DIM));
    m->deep1 = tg_child(m, "deep1", tg_linear_new(FIELDS * DIM, HIDDEN));
    m->deep2 = tg_child(m, "deep2", tg_linear_new(HIDDEN, HIDDEN));
    m->deep3 = tg_child(m, "deep3", tg_linear_new(HIDDEN, HIDDEN));
    m->out = tg_child(m, "out", tg_linear_new(HIDDEN, 1));
    init(&m->base);
    m->feature = make_ids("feature", FEATURES, TG_SHAPE(BATCHES, BATCH, FIELDS));
    m->click = make_numbers("click", 0, 1, TG_SHAPE(BATCHES, BATCH));
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3, .catch_up = true);
    return m;
}

static double step(void *model, int64_t number, bool training)
{
    deepfm_model *m = model;
    tg_tensor *index = batch_of(m->feature, number);
    tg_tensor *v = tg_embedding_forward(m->factor, index); /* (batch, fields, dim) */
    tg_tensor *first = tg_sum_dim(tg_embedding_forward(m->first, index), false, 1);
    tg_tensor *squares = tg_sum_dim(tg_square(v), false, 1);
    tg_tensor *pairs = tg_sub(tg_square(tg_sum_dim(v, false, 1)), squares);
    pairs = tg_mul_scalar(tg_sum_dim(pairs, true, -1), 0.5);
    tg_tensor *h = tg_view(v, BATCH, -1);
    h = tg_dropout(tg_relu(tg_linear_forward(m->deep1, h)), dropout, training);
    h = tg_dropout(tg_relu(tg_linear_forward(m->deep2, h)), dropout, training);
    h = tg_dropout(tg_relu(tg_linear_forward(m->deep3, h)), dropout, training);
    tg_tensor *logit = tg_add(tg_add(first, pairs), tg_linear_forward(m->out, h));
    return update(m->optimizer,
                  tg_bce_with_logits_loss(tg_view(logit, -1), batch_of(m->click, number)));
}

const contender deepfm = {"deepfm", make, step};
