/* A character GPT: 4 layers, 4 heads, width 128, context 64, batch 12 (nanoGPT on a CPU). */
#include <stdio.h>

#include "bench/models/frame.h"

enum { LAYERS = 4, HEADS = 4, WIDTH = 128, CONTEXT = 64, BATCH = 12, CHARACTERS = 65 };

typedef struct {
    tg_module base;
    tg_layer_norm_layer *norm1, *norm2;
    tg_linear_layer *qkv, *out, *up, *down;
} gpt_block;

typedef struct {
    tg_module base;
    tg_embedding_table *token, *position;
    gpt_block *block[LAYERS];
    tg_layer_norm_layer *norm;
    tg_optimizer *optimizer;
    tg_tensor *x, *y, *places;
} gpt_model;

static gpt_block *block_new(void)
{
    gpt_block *b = tg_module_new(gpt_block);
    b->norm1 = tg_child(b, "norm1", tg_layer_norm_new(WIDTH));
    b->qkv = tg_child(b, "qkv", tg_linear_new(WIDTH, 3 * WIDTH));
    b->out = tg_child(b, "out", tg_linear_new(WIDTH, WIDTH));
    b->norm2 = tg_child(b, "norm2", tg_layer_norm_new(WIDTH));
    b->up = tg_child(b, "up", tg_linear_new(WIDTH, 4 * WIDTH));
    b->down = tg_child(b, "down", tg_linear_new(4 * WIDTH, WIDTH));
    return b;
}

static void *make(void)
{
    gpt_model *m = tg_module_new(gpt_model);
    m->token = tg_child(m, "token", tg_embedding_new(CHARACTERS, WIDTH));
    m->position = tg_child(m, "position", tg_embedding_new(CONTEXT, WIDTH));
    for (int i = 0; i < LAYERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d", i);
        m->block[i] = tg_child(m, name, block_new());
    }
    m->norm = tg_child(m, "norm", tg_layer_norm_new(WIDTH));
    init(&m->base);
    m->x = make_ids("x", CHARACTERS, TG_SHAPE(BATCHES, BATCH, CONTEXT));
    m->y = make_ids("y", CHARACTERS, TG_SHAPE(BATCHES, BATCH, CONTEXT));
    m->places = tg_owned(TG_I64, CONTEXT);
    for (int i = 0; i < CONTEXT; i++)
        tg_set(m->places, i, i);
    begin_training();
    m->optimizer = tg_adam(m, .lr = 1e-3);
    return m;
}

static tg_tensor *block_forward(gpt_block *b, tg_tensor *x)
{
    tg_tensor *h = tg_linear_forward(b->qkv, tg_forward(b->norm1, x));
    h = tg_view(h, -1, CONTEXT, 3, HEADS, WIDTH / HEADS);
    h = tg_permute(h, 2, 0, 3, 1, 4); /* (3, batch, heads, context, width / heads) */
    h = tg_scaled_dot_product_attention(tg_select(h, 0, 0), tg_select(h, 0, 1), tg_select(h, 0, 2),
                                        NULL, 0, true);
    h = tg_reshape(tg_permute(h, 0, 2, 1, 3), -1, CONTEXT, WIDTH);
    x = tg_add(x, tg_linear_forward(b->out, h));
    h = tg_gelu(tg_linear_forward(b->up, tg_forward(b->norm2, x)));
    return tg_add(x, tg_linear_forward(b->down, h));
}

static double step(void *model, int64_t number, bool training)
{
    (void)training; /* no dropout */
    gpt_model *m = model;
    tg_tensor *x = tg_add(tg_embedding_forward(m->token, batch_of(m->x, number)),
                          tg_embedding_forward(m->position, m->places));
    for (int i = 0; i < LAYERS; i++)
        x = block_forward(m->block[i], x);
    tg_tensor *logits = tg_linear(tg_forward(m->norm, x), m->token->weight, NULL); /* tied */
    return update(m->optimizer, tg_cross_entropy(tg_view(logits, -1, CHARACTERS),
                                                 tg_view(batch_of(m->y, number), -1)));
}

const contender gpt = {"gpt", make, step};
