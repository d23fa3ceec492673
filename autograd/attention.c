/* Scaled dot-product attention (Vaswani et al. 2017): of a mask, made of ops; without, an op that keeps
 * no scores. Kernels make them for a block of queries at a time, and once more for the gradients. */
#include <math.h>

#include "autograd/ops-internal.h"
#include "tensor/parallel.h"

/* q (..., t, d), k (..., s, d), v (..., s, e) of one type; the mask broadcasts to (..., t, s). */
static bool is_attention(const char *at, const tg_tensor *q, const tg_tensor *k, const tg_tensor *v)
{
    const tg_tensor *operand[] = {q, k, v};
    for (int i = 0; i < 3; i++) {
        if (!tg_usable(at, "scaled_dot_product_attention", operand[i]))
            return false;
        if (operand[i]->shape.ndim < 2 || operand[i]->dtype == TG_I64 ||
            operand[i]->dtype != q->dtype) {
            tg_misuse(at, "scaled_dot_product_attention", "operand %d is %s %s; (..., n, d), all "
                      "f32 or all f64, expected", i, tg_dtype_name(operand[i]->dtype),
                      TG_TEXT(operand[i]->shape));
            return false;
        }
    }
    return true;
}

/* i64 (t, s): 1 where key j is not after query i. */
static tg_tensor *causal_mask(const char *at, int64_t t, int64_t s)
{
    tg_tensor *mask = tg_tensor_new(at, "scaled_dot_product_attention", TG_I64, TG_SHAPE(t, s));
    int64_t *m = mask->data;
    for (int64_t i = 0; i < t && !tg_is_error(mask); i++)
        for (int64_t j = 0; j < s; j++)
            m[i * s + j] = j <= i;
    return mask;
}

static double scale_of(const tg_tensor *q)
{
    return 1 / sqrt((double)tg_size(q, -1));
}

/* softmax(q k^T / sqrt(d) + mask): (..., t, s) */
static tg_tensor *weights(const char *at, tg_tensor *q, tg_tensor *k, tg_tensor *mask,
                          bool is_causal)
{
    if (is_causal)
        mask = causal_mask(at, tg_size(q, -2), tg_size(k, -2));
    q = tg_mul_scalar_at(at, q, scale_of(q));
    tg_tensor *score = tg_matmul_at(at, q, tg_transpose_at(at, k, -2, -1));
    if (mask && mask->dtype != TG_I64)
        score = tg_add_at(at, score, mask);
    else if (mask)
        score = tg_where_at(at, mask, score,
                            tg_full_at(at, q->dtype, -INFINITY, (tg_shape){.ndim = 0}));
    return tg_softmax_at(at, score, -1);
}

/* ---- without a mask: q (..., t, d), k (..., s, d), v (..., s, e), words i64 or none ----------- */

enum { BLOCK = 64 /* queries */, WORTH = 200000 /* multiply-adds, a thread */ };

typedef struct attention_attr {
    uint32_t threshold; /* of dropout, in 65536ths */
    bool is_causal;
} attention_attr;

/* One call, or its gradients. */
typedef struct attention {
    const tg_type_kernels *kernels;
    const tg_tensor *q, *k, *v;
    const tg_tensor *y;     /* the result (..., t, e), or its gradient */
    const tg_tensor *dx[3]; /* of q, k and v, or NULL: each (..., rows, columns) */
    const uint32_t *word;   /* (matrices, blocks, words) */
    const attention_attr *attr;
    tg_shape batch;
    int64_t t, s, d, e, blocks, words; /* blocks in each matrix; random words for each block */
    tg_dtype dtype;
} attention;

/* Matrix number i of the batch, from row `first` on, as a tensor of (rows, columns). */
static tg_tensor matrix_of(const attention *a, const tg_tensor *x, int64_t i, int64_t first,
                           int64_t rows)
{
    const int last = x->shape.ndim - 1;
    int64_t offset = first * x->stride[last - 1];
    for (int d = a->batch.ndim - 1; d >= 0; i /= a->batch.size[d--]) {
        const int own = d - (a->batch.ndim - (x->shape.ndim - 2));
        if (own >= 0 && x->shape.size[own] > 1)
            offset += i % a->batch.size[d] * x->stride[own];
    }
    tg_tensor m = {.data = (char *)x->data + offset * (int64_t)tg_dtype_size(x->dtype),
                   .dtype = x->dtype, .shape = TG_SHAPE(rows, x->shape.size[last])};
    m.stride[0] = x->stride[last - 1];
    m.stride[1] = x->stride[last];
    return m;
}

static tg_tensor transposed(const tg_tensor *x)
{
    tg_tensor y = *x;
    for (int d = 0; d < 2; d++) {
        y.shape.size[d] = x->shape.size[1 - d];
        y.stride[d] = x->stride[1 - d];
    }
    return y;
}

/* (rows, columns) of this thread's step. */
static tg_tensor scratch(const attention *a, int64_t rows, int64_t columns)
{
    tg_tensor m = {.data = tg_step_memory((size_t)(rows * columns) * tg_dtype_size(a->dtype)),
                   .dtype = a->dtype, .shape = TG_SHAPE(rows, columns), .stride = {columns, 1}};
    return m;
}

/* c = x y, or c += x y; the columns of c lie side by side. */
static void product(const attention *a, const tg_tensor *c, const tg_tensor *x, const tg_tensor *y,
                    bool adds)
{
    if (tg_numel(c) > 0)
        a->kernels->gemm(&(tg_gemm){
            .m = c->shape.size[0], .n = c->shape.size[1], .k = x->shape.size[1],
            .a = x->data, .a_row = x->stride[0], .a_col = x->stride[1],
            .b = y->data, .b_row = y->stride[0], .b_col = y->stride[1],
            .c = c->data, .c_row = c->stride[0],
            .start = adds ? c->data : NULL, .start_row = c->stride[0]});
}

/* y = x / sqrt(d) */
static void scale(const attention *a, const tg_tensor *y, const tg_tensor *x)
{
    union {
        float f32;
        double f64;
    } number;
    const tg_tensor factor = {.data = &number, .dtype = a->dtype};
    tg_element_set(&factor, 0, scale_of(a->q));
    tg_map(a->kernels->map[TG_ROW_mul][TG_VALUE], y, 2, (const tg_tensor *[]){x, &factor});
}

/* y = x, or zero, as the words of block number i say: contiguous, at least of that block's size. */
static void drop(const attention *a, int64_t i, const tg_tensor *y, const tg_tensor *x)
{
    const uint32_t kept = 65536 - a->attr->threshold;
    a->kernels->dropout(tg_numel(x), y->data, x->data, a->word + i * a->words,
                        a->attr->threshold, kept ? 65536.0 / kept : 0);
}

/* Rows of p, of y and of g: p = a kernel along each of them. */
static void along(const attention *a, tg_along op, const tg_tensor *p, const tg_tensor *y,
                  const tg_tensor *g)
{
    const int64_t row = p->shape.size[1] * (int64_t)tg_dtype_size(a->dtype);
    for (int64_t i = 0; i < p->shape.size[0] && row > 0; i++)
        a->kernels->rows[op](p->shape.size[1], 1, 1, (char *)p->data + i * row,
                             (const void *[]){(char *)y->data + i * row,
                                              g ? (char *)g->data + i * row : NULL});
}

/* softmax(q k^T) of queries from number `first` on. */
static void weigh(const attention *a, const tg_tensor *p, const tg_tensor *q, const tg_tensor *k,
                  int64_t first)
{
    const tg_tensor kt = transposed(k);
    product(a, p, q, &kt, false);
    for (int64_t i = 0; i < p->shape.size[0] && a->attr->is_causal; i++)
        for (int64_t j = first + i + 1; j < a->s; j++)
            if (a->dtype == TG_F32)
                ((float *)p->data)[i * a->s + j] = -INFINITY;
            else
                ((double *)p->data)[i * a->s + j] = -INFINITY;
    along(a, TG_ALONG_SOFTMAX, p, p, NULL);
}

/* Blocks of queries, of one matrix behind the other. */
static void attend(void *context, int64_t begin, int64_t end)
{
    const attention *a = context;
    for (int64_t i = begin; i < end; i++) {
        const int64_t matrix = i / a->blocks, first = i % a->blocks * BLOCK;
        const int64_t rows = tg_min(BLOCK, a->t - first);
        const tg_tensor q = matrix_of(a, a->q, matrix, first, rows);
        const tg_tensor k = matrix_of(a, a->k, matrix, 0, a->s);
        const tg_tensor v = matrix_of(a, a->v, matrix, 0, a->s);
        const tg_tensor y = matrix_of(a, a->y, matrix, first, rows);
        tg_arena_push();
        const tg_tensor scaled = scratch(a, rows, a->d), p = scratch(a, rows, a->s);
        scale(a, &scaled, &q);
        weigh(a, &p, &scaled, &k, first);
        if (a->word)
            drop(a, i, &p, &p);
        product(a, &y, &p, &v, false);
        tg_arena_pop();
    }
}

/* With p the weights, and those of y after dropout:
 * dv = p^T g,   dp = g v^T,   ds = p (dp - sum(p dp)),   dq = ds k,   dk = ds^T q */
static void attend_back(void *context, int64_t begin, int64_t end)
{
    const attention *a = context;
    for (int64_t i = begin * a->blocks; i < end * a->blocks; i++) {
        const int64_t matrix = i / a->blocks, first = i % a->blocks * BLOCK;
        const int64_t rows = tg_min(BLOCK, a->t - first);
        const tg_tensor q = matrix_of(a, a->q, matrix, first, rows);
        const tg_tensor k = matrix_of(a, a->k, matrix, 0, a->s);
        const tg_tensor v = matrix_of(a, a->v, matrix, 0, a->s), vt = transposed(&v);
        const tg_tensor g = matrix_of(a, a->y, matrix, first, rows);
        tg_arena_push();
        const tg_tensor scaled = scratch(a, rows, a->d), p = scratch(a, rows, a->s);
        const tg_tensor ds = scratch(a, rows, a->s);
        scale(a, &scaled, &q);
        weigh(a, &p, &scaled, &k, first);
        if (a->dx[2]) {
            const tg_tensor dv = matrix_of(a, a->dx[2], matrix, 0, a->s);
            const tg_tensor *dropped = a->word ? &ds : &p;
            if (a->word)
                drop(a, i, dropped, &p);
            const tg_tensor pt = transposed(dropped);
            product(a, &dv, &pt, &g, first > 0);
        }
        product(a, &ds, &g, &vt, false);
        if (a->word)
            drop(a, i, &ds, &ds);
        along(a, TG_ALONG_SOFTMAX_GRADIENT, &ds, &p, &ds);
        if (a->dx[0]) {
            const tg_tensor dq = matrix_of(a, a->dx[0], matrix, first, rows);
            product(a, &dq, &ds, &k, false);
            scale(a, &dq, &dq);
        }
        if (a->dx[1]) {
            const tg_tensor dk = matrix_of(a, a->dx[1], matrix, 0, a->s), dst = transposed(&ds);
            product(a, &dk, &dst, &scaled, first > 0);
        }
        tg_arena_pop();
    }
}

/* A result (batch..., rows, columns), whose dimensions lie in memory in the order of x's: heads stay
 * where they were. */
static tg_tensor *laid_out_as(const tg_node *n, const tg_tensor *x, tg_shape shape)
{
    tg_shape order = tg_memory_order(x), ordered = shape;
    if (order.ndim != shape.ndim || order.size[order.ndim - 1] != order.ndim - 1)
        return tg_result(n, x->dtype, shape);
    for (int d = 0; d < shape.ndim; d++)
        ordered.size[d] = shape.size[order.size[d]];
    return tg_in_order(n->at, tg_result(n, x->dtype, ordered), &order, true);
}

static bool attention_init(attention *a, tg_tensor *const *in, const attention_attr *attr)
{
    const tg_tensor *q = in[0], *k = in[1], *v = in[2];
    *a = (attention){.kernels = tg_kernels_of(q->dtype), .q = q, .k = k, .v = v, .attr = attr,
                     .t = tg_size(q, -2), .s = tg_size(k, -2), .d = tg_size(q, -1),
                     .e = tg_size(v, -1), .dtype = q->dtype};
    tg_shape batch[3], scores;
    for (int i = 0; i < 3; i++) {
        batch[i] = in[i]->shape;
        batch[i].ndim -= 2;
    }
    a->blocks = (a->t + BLOCK - 1) / BLOCK;
    if (attr->threshold > 0)
        a->words = tg_dropout_words(tg_min(BLOCK, a->t) * a->s, attr->threshold);
    return tg_broadcast(&batch[0], &batch[1], &scores) &&
           tg_broadcast(&scores, &batch[2], &a->batch) && tg_size(k, -1) == a->d &&
           tg_size(v, -2) == a->s;
}

static tg_shape matrices(const attention *a, int64_t rows, int64_t columns)
{
    tg_shape shape = a->batch;
    shape.size[shape.ndim++] = rows;
    shape.size[shape.ndim++] = columns;
    return shape;
}

static void run(attention *a, const tg_node *n, const tg_tensor *y, bool back)
{
    const int64_t count = tg_shape_numel(&a->batch), work = a->t * a->s * (a->d + a->e) + 1;
    a->y = y;
    a->word = n->nin > 3 ? n->in[3]->data : NULL;
    if (back)
        tg_parallel_for(count, 1 + WORTH / work, attend_back, a);
    else
        tg_parallel_for(count * a->blocks, 1 + WORTH * a->blocks / work, attend, a);
}

static tg_tensor *scaled_dot_product_attention_forward(const tg_node *n)
{
    attention a;
    attention_init(&a, n->in, n->attr);
    tg_tensor *y = laid_out_as(n, n->in[0], matrices(&a, a.t, a.e));
    if (!tg_is_error(y))
        run(&a, n, y, false);
    return y;
}

/* Of dropout: 0, or what is left is multiplied by. (..., t, s) */
static tg_tensor *factors(const tg_node *n, attention *a)
{
    const tg_shape shape = matrices(a, a->t, a->s);
    tg_tensor *x = tg_full_at(n->at, a->dtype, 1, shape);
    a->word = n->in[3]->data;
    for (int64_t i = 0; i < tg_shape_numel(&a->batch) * a->blocks && !tg_is_error(x); i++) {
        const int64_t first = i % a->blocks * BLOCK;
        const tg_tensor block = matrix_of(a, x, i / a->blocks, first, tg_min(BLOCK, a->t - first));
        drop(a, i, &block, &block);
    }
    return x;
}

static void scaled_dot_product_attention_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    attention a;
    attention_init(&a, n->in, n->attr);
    const char *at = n->at;
    tg_tensor *q = n->in[0], *k = n->in[1], *v = n->in[2], *dropped;
    tg_tensor *p = dropped = weights(at, q, k, NULL, a.attr->is_causal);
    tg_tensor *dp = tg_matmul_at(at, g, tg_transpose_at(at, v, -2, -1));
    if (a.words > 0) {
        tg_tensor *factor = factors(n, &a);
        dropped = tg_mul_at(at, p, factor);
        dp = tg_mul_at(at, dp, factor);
    }
    tg_tensor *sum = tg_sum_dim_at(at, tg_mul_at(at, p, dp), true, TG_SHAPE(-1));
    tg_tensor *ds = tg_mul_scalar_at(at, tg_mul_at(at, p, tg_sub_at(at, dp, sum)), scale_of(q));
    dx[0] = tg_matmul_at(at, ds, k);
    dx[1] = tg_matmul_at(at, tg_transpose_at(at, ds, -2, -1), q);
    dx[2] = tg_matmul_at(at, tg_transpose_at(at, dropped, -2, -1), g);
}

static void scaled_dot_product_attention_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    attention a;
    attention_init(&a, n->in, n->attr);
    const tg_shape shape[] = {matrices(&a, a.t, a.d), matrices(&a, a.s, a.d),
                              matrices(&a, a.s, a.e)};
    for (int i = 0; i < 3; i++) {
        if (!tg_needs_grad(n, i))
            continue;
        a.dx[i] = dx[i] = laid_out_as(n, n->in[i], shape[i]);
        if (tg_is_error(dx[i]))
            return;
        if (a.t == 0)
            tg_fill(dx[i], 0);
    }
    run(&a, n, g, true);
}

TG_DEFINE_OP(scaled_dot_product_attention, TG_VARIADIC,
             TG_SAVES(0) | TG_SAVES(1) | TG_SAVES(2) | TG_SAVES(3),
             .fused = scaled_dot_product_attention_fused);

static tg_tensor *without_mask(const char *at, tg_tensor *const *operand, double dropout_p,
                               bool is_causal)
{
    const attention_attr attr = {(uint32_t)lround(dropout_p * 65536), is_causal};
    tg_tensor *in[4] = {operand[0], operand[1], operand[2]};
    attention a;
    if (!(dropout_p >= 0 && dropout_p <= 1))
        return tg_misuse(at, "scaled_dot_product_attention", "probability %g; 0 to 1 expected",
                         dropout_p);
    if (!attention_init(&a, in, &attr))
        return tg_misuse(at, "scaled_dot_product_attention", "%s, %s and %s: (..., t, d), "
                         "(..., s, d) and (..., s, e) expected, the ... broadcast",
                         TG_TEXT(in[0]->shape), TG_TEXT(in[1]->shape), TG_TEXT(in[2]->shape));
    if (attr.threshold > 0) {
        const int64_t count = tg_shape_numel(&a.batch) * a.blocks * a.words;
        in[3] = tg_tensor_new(at, "scaled_dot_product_attention", TG_I64, TG_SHAPE(count / 2));
        if (tg_is_error(in[3]))
            return in[3];
        tg_draw_words(count, in[3]->data);
    }
    return tg_apply(at, &tg_op_scaled_dot_product_attention, in[3] ? 4 : 3, in, &attr,
                    sizeof attr);
}

tg_tensor *tg_scaled_dot_product_attention_at(const char *at, tg_tensor *q, tg_tensor *k,
                                              tg_tensor *v, tg_tensor *mask, double dropout_p,
                                              bool is_causal)
{
    TG_FUNCTION("scaled_dot_product_attention");
    if (!is_attention(at, q, k, v) ||
        (mask && !tg_usable(at, "scaled_dot_product_attention", mask)))
        return tg_error_tensor();
    if (!mask)
        return without_mask(at, (tg_tensor *[]){q, k, v}, dropout_p, is_causal);
    if (is_causal)
        return tg_misuse(at, "scaled_dot_product_attention", "a mask and is_causal; one of them "
                         "expected");
    tg_tensor *p = weights(at, q, k, mask, false);
    return tg_matmul_at(at, tg_dropout_at(at, p, dropout_p, true), v);
}
