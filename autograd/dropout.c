/* dropout: x (...), words i64 -> (...) */
#include <math.h>

#include "autograd/ops-internal.h"

typedef struct dropout_attr {
    uint32_t threshold; /* the probability, in 65536ths */
} dropout_attr;

static tg_tensor *dropout_forward(const tg_node *n)
{
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]), *words = n->in[1];
    tg_tensor *y = tg_result(n, x->dtype, x->shape);
    if (!tg_is_error(x) && !tg_is_error(y))
        tg_drop(y, x, words->data, ((const dropout_attr *)n->attr)->threshold);
    return y;
}

/* With the same words. */
static void dropout_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    dx[0] = tg_apply(n->at, n->op, 2, (tg_tensor *[]){g, n->in[1]}, n->attr, sizeof(dropout_attr));
}

TG_DEFINE_OP(dropout, 2, TG_SAVES(1));

tg_tensor *tg_dropout_at(const char *at, tg_tensor *x, double p, bool training)
{
    if (!tg_usable(at, "dropout", x))
        return tg_error_tensor();
    if (!(p >= 0 && p <= 1))
        return tg_misuse(at, "dropout", "probability %g; 0 to 1 expected", p);
    if (x->dtype == TG_I64)
        return tg_misuse(at, "dropout", "i64; f32 or f64 expected");
    if (!training || p == 0)
        return x;
    const dropout_attr attr = {(uint32_t)lround(p * 65536)};
    const int64_t count = tg_dropout_words(tg_numel(x), attr.threshold);
    tg_tensor *words = tg_tensor_new(at, "dropout", TG_I64, TG_SHAPE(count / 2));
    if (tg_is_error(words))
        return words;
    tg_draw_words(count, words->data);
    return tg_apply(at, &tg_op_dropout, 2, (tg_tensor *[]){x, words}, &attr, sizeof attr);
}
