/* word2vec, skip-gram with negative sampling (Mikolov et al. 2013), at the size of text8: 71,290
 * words of 100, five negatives, batch 1024, SparseAdam. */
#include "bench/models/frame.h"

enum { WORDS = 71290, DIM = 100, BATCH = 1024, NEGATIVES = 5 };

typedef struct {
    tg_module base;
    tg_embedding_table *centre, *context;
    tg_optimizer *optimizer;
    tg_tensor *word, *near, *negative;
} word2vec_model;

static void *make(void)
{
    word2vec_model *m = tg_module_new(word2vec_model);
    m->centre = tg_child(m, "centre", tg_embedding_new(WORDS, DIM));
    m->context = tg_child(m, "context", tg_embedding_new(WORDS, DIM));
    init(&m->base);
    m->word = make_ids("word", WORDS, TG_SHAPE(BATCHES, BATCH));
    m->near = make_ids("near", WORDS, TG_SHAPE(BATCHES, BATCH));
    m->negative = make_ids("negative", WORDS, TG_SHAPE(BATCHES, BATCH, NEGATIVES));
    begin_training();
    m->optimizer = tg_sparse_adam(m, .lr = 1e-3);
    return m;
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* nothing random */
    word2vec_model *m = model;
    tg_tensor *word = tg_embedding_forward(m->centre, batch_of(m->word, number));
    tg_tensor *near = tg_embedding_forward(m->context, batch_of(m->near, number));
    tg_tensor *negative = tg_embedding_forward(m->context, batch_of(m->negative, number));
    tg_tensor *yes = tg_sum_dim(tg_mul(word, near), false, -1);
    tg_tensor *no = tg_matmul(negative, tg_unsqueeze(word, -1)); /* (batch, negatives, 1) */
    /* -log sigmoid(yes) - log sigmoid(-no) */
    tg_tensor *loss = tg_add(tg_softplus(tg_neg(yes)), tg_sum_dim(tg_softplus(no), false, 1, 2));
    return update(m->optimizer, tg_mean(loss));
}

const contender word2vec = {"word2vec", make, step};
