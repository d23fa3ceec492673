/* Losses: means over all elements, each in one pass. */
#include "autograd/ops-internal.h"
#include "tensor/parallel.h"

/* ---- means of an elementwise op: x, y of equal shapes -> () ---------------------------------- */

/* The op's row is that of x and y, or of their difference and, for huber, a number. */
static bool is_of_difference(const tg_op *op)
{
    return op->row != TG_ROW_logit_cross_entropy;
}

/* The operand from which the other one is subtracted. */
static int minuend(const tg_op *op)
{
    return op->row == TG_ROW_softplus; /* what was preferred by mistake, of bpr_loss */
}

enum { CHUNK = 512, BLOCK = 16 * CHUNK }; /* elements in L1, and worth a thread */

typedef struct loss {
    const tg_type_kernels *kernels;
    const tg_op *op;
    const double *delta; /* huber's, or NULL */
    int64_t count, size;
    const char *in[2]; /* the minuend first */
    double *part;      /* (blocks): sums of values; or */
    char *dx[2];       /* g times the derivatives, where not NULL */
    double g;
} loss;

/* The array has one number in all places. */
static void fill(int64_t size, void *array, double value)
{
    for (int64_t i = 0; i < CHUNK; i++)
        if (size == 4)
            ((float *)array)[i] = (float)value;
        else
            ((double *)array)[i] = value;
}

/* Operands of the row's kernels from element `first` on: {a, b}, {difference} or {difference,
 * delta}, in which `difference` is memory for that. */
static void operands_at(const loss *l, int64_t first, int64_t n, void *difference,
                        const void *delta, const void *in[2])
{
    in[0] = l->in[0] + first * l->size;
    in[1] = l->in[1] + first * l->size;
    if (!is_of_difference(l->op))
        return;
    l->kernels->map[TG_ROW_sub][TG_VALUE](n, difference, in);
    in[0] = difference;
    in[1] = delta;
}

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const loss *l = context;
    double difference[CHUNK], delta[CHUNK], value[CHUNK];
    fill(l->size, delta, l->delta ? *l->delta : 0);
    for (int64_t i = begin; i < end; i++) {
        l->part[i] = 0;
        const int64_t last = tg_min((i + 1) * BLOCK, l->count);
        for (int64_t first = i * BLOCK; first < last; first += CHUNK) {
            const int64_t n = tg_min(CHUNK, last - first);
            const void *in[2];
            operands_at(l, first, n, difference, delta, in);
            l->kernels->map[l->op->row][TG_VALUE](n, value, in);
            l->part[i] += l->kernels->total(n, value);
        }
    }
}

static void gradient_blocks(void *context, int64_t begin, int64_t end)
{
    const loss *l = context;
    const tg_map_kernel *kernel = l->kernels->map[l->op->row];
    const bool has_two = kernel[TG_DB] != NULL;
    double difference[CHUNK], delta[CHUNK], g[CHUNK], other[CHUNK];
    fill(l->size, delta, l->delta ? *l->delta : 0);
    fill(l->size, g, l->g);
    for (int64_t first = begin * BLOCK; first < tg_min(end * BLOCK, l->count); first += CHUNK) {
        const int64_t n = tg_min(CHUNK, l->count - first);
        const void *in[2];
        operands_at(l, first, n, difference, delta, in);
        /* the value, last of the operands, stands in none of these derivatives */
        const void *const all[] = {g, in[0], has_two ? in[1] : in[0], in[0]};
        void *da = l->dx[0] ? l->dx[0] + first * l->size : (char *)other;
        void *db = l->dx[1] ? l->dx[1] + first * l->size : (char *)other;
        if (l->dx[0] || is_of_difference(l->op))
            kernel[TG_DA](n, da, all);
        if (l->dx[1] && is_of_difference(l->op))
            l->kernels->map[TG_ROW_neg][TG_VALUE](n, db, (const void *[]){da});
        else if (l->dx[1])
            kernel[TG_DB](n, db, all);
    }
}

/* The operands' arrays; false where there is no memory. */
static bool loss_init(loss *l, const tg_node *n)
{
    const tg_dtype dtype = n->in[0]->dtype;
    *l = (loss){.kernels = tg_kernels_of(dtype), .op = n->op, .delta = n->attr,
                .count = tg_numel(n->in[0]), .size = (int64_t)tg_dtype_size(dtype)};
    for (int i = 0; i < 2; i++) {
        const tg_tensor *x = tg_contiguous_at(n->at, n->in[i]);
        if (tg_is_error(x))
            return false;
        l->in[i ^ minuend(n->op)] = x->data;
    }
    return true;
}

static tg_tensor *loss_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *y = n->in[1];
    if (!tg_shape_equal(&x->shape, &y->shape))
        return tg_reject(n, "%s and %s: equal shapes expected", TG_TEXT(x->shape),
                         TG_TEXT(y->shape));
    if (x->dtype != y->dtype)
        return tg_reject(n, "%s and %s: operands of one dtype expected", tg_dtype_name(x->dtype),
                         tg_dtype_name(y->dtype));
    if (x->dtype == TG_I64)
        return tg_reject(n, "operand 0 is i64; f32 or f64 expected");
    loss l;
    if (!loss_init(&l, n))
        return tg_error_tensor();
    const int64_t blocks = (l.count + BLOCK - 1) / BLOCK;
    l.part = tg_step_memory((size_t)blocks * sizeof *l.part);
    tg_parallel_for(blocks, 1, sum_blocks, &l);
    const double sum = tg_total(TG_F64, blocks, l.part);
    return tg_full_at(n->at, x->dtype, sum / (double)l.count, (tg_shape){.ndim = 0});
}

/* g over the number of elements times the derivatives of the row */
static void loss_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const bool of_difference = is_of_difference(n->op);
    const int a = minuend(n->op), b = !a;
    tg_tensor *in[2] = {n->in[a], n->in[b]};
    g = tg_div_scalar_at(n->at, g, (double)tg_numel(in[0]));
    if (of_difference) {
        in[0] = tg_sub_at(n->at, in[0], in[1]);
        in[1] = n->attr ? tg_scalar(g->dtype, *(const double *)n->attr) : NULL;
    }
    const int count = in[1] ? 2 : 1;
    if (tg_needs_grad(n, a) || of_difference)
        dx[a] = tg_partial(n->at, n->op->row, TG_DA, g, in, count, in[0]);
    if (tg_needs_grad(n, b))
        dx[b] = of_difference ? tg_neg_at(n->at, dx[a])
                              : tg_partial(n->at, n->op->row, TG_DB, g, in, count, in[0]);
}

static void loss_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    loss l;
    bool is_valid = loss_init(&l, n);
    l.g = tg_element(g, 0) / (double)l.count;
    for (int i = 0; i < 2 && is_valid; i++) {
        if (!tg_needs_grad(n, i))
            continue;
        dx[i] = tg_result(n, g->dtype, n->in[0]->shape);
        l.dx[i ^ minuend(n->op)] = dx[i]->data;
        is_valid = !tg_is_error(dx[i]);
    }
    if (is_valid)
        tg_parallel_for((l.count + BLOCK - 1) / BLOCK, 1, gradient_blocks, &l);
}

#define LOSS(op, formula)                                                                          \
    const tg_op tg_op_##op = {.name = #op,                                                         \
                              .arity = 2,                                                          \
                              .forward = loss_forward,                                             \
                              .backward = loss_backward,                                           \
                              .fused = loss_fused,                                                 \
                              .saves = TG_SAVES(0) | TG_SAVES(1),                                  \
                              .row = TG_ROW_##formula};                                            \
    tg_tensor *tg_##op##_at
LOSS(mse_loss, square)(const char *at, tg_tensor *x, tg_tensor *y)
{
    return tg_apply(at, &tg_op_mse_loss, 2, (tg_tensor *[]){x, y}, NULL, 0);
}

LOSS(l1_loss, abs)(const char *at, tg_tensor *x, tg_tensor *y)
{
    return tg_apply(at, &tg_op_l1_loss, 2, (tg_tensor *[]){x, y}, NULL, 0);
}

LOSS(huber_loss, huber)(const char *at, tg_tensor *x, tg_tensor *y, double delta)
{
    if (!(delta > 0))
        return tg_misuse(at, "huber_loss", "delta %g; a number above 0 expected", delta);
    return tg_apply(at, &tg_op_huber_loss, 2, (tg_tensor *[]){x, y}, &delta, sizeof delta);
}

LOSS(bce_with_logits_loss, logit_cross_entropy)(const char *at, tg_tensor *x, tg_tensor *y)
{
    return tg_apply(at, &tg_op_bce_with_logits_loss, 2, (tg_tensor *[]){x, y}, NULL, 0);
}

LOSS(bpr_loss, softplus)(const char *at, tg_tensor *positive, tg_tensor *negative)
{
    return tg_apply(at, &tg_op_bpr_loss, 2, (tg_tensor *[]){positive, negative}, NULL, 0);
}

/* ---- cross_entropy: logits (n, classes), i64 (n) -> () --------------------------------------- */

typedef struct cross_entropy_attr {
    tg_tensor *sums; /* (n, 2): of each row TG_ALONG_LOG_SUMS, from forward for the fused gradient */
} cross_entropy_attr;

static tg_tensor *cross_entropy_forward(const tg_node *n)
{
    const tg_tensor *x = n->in[0], *target = n->in[1];
    if (x->shape.ndim != 2 || target->shape.ndim != 1 || target->dtype != TG_I64 ||
        x->shape.size[0] != target->shape.size[0])
        return tg_reject(n, "%s with %s %s: logits (n, classes) and i64 (n) expected",
                         TG_TEXT(x->shape), tg_dtype_name(target->dtype), TG_TEXT(target->shape));
    if (x->dtype == TG_I64)
        return tg_reject(n, "i64; f32 or f64 expected");
    const tg_rows rows = {x->shape.size[0], x->shape.size[1], 1};
    const int64_t size = (int64_t)tg_dtype_size(x->dtype);
    x = tg_contiguous_at(n->at, n->in[0]);
    target = tg_contiguous_at(n->at, n->in[1]);
    if (tg_is_error(x) || tg_is_error(target))
        return tg_error_tensor();
    const tg_tensor *sums = ((const cross_entropy_attr *)n->attr)->sums;
    double sum = 0;
    tg_along_rows(tg_kernels_of(x->dtype)->rows[TG_ALONG_LOG_SUMS], rows,
                  (tg_row_operand){sums->data, 2 * size, 2, size}, 1,
                  &(tg_row_operand){x->data, rows.count * size, rows.count, size});
    for (int64_t i = 0; i < rows.outer; i++) {
        const int64_t k = ((const int64_t *)target->data)[i];
        if (k < 0 || k >= rows.count)
            return tg_reject(n, "index %lld of dimension 1 of %s", (long long)k,
                             TG_TEXT(x->shape));
        sum += tg_element(sums, 2 * i + 1) -
               (tg_element(x, i * rows.count + k) - tg_element(sums, 2 * i));
    }
    return tg_full_at(n->at, x->dtype, sum / (double)rows.outer, (tg_shape){.ndim = 0});
}

/* softmax(x) less 1 at the target, times g / n */
static void cross_entropy_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *place = tg_unsqueeze_at(n->at, n->in[1], 1);
    g = tg_div_scalar_at(n->at, g, (double)tg_numel(place));
    dx[0] = tg_scatter_add_at(n->at, tg_mul_at(n->at, tg_softmax_at(n->at, n->in[0], 1), g), 1,
                              place, tg_expand_at(n->at, tg_neg_at(n->at, g), place->shape));
}

static void cross_entropy_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    const tg_tensor *target = tg_contiguous_at(n->at, n->in[1]);
    const tg_rows rows = {n->in[0]->shape.size[0], n->in[0]->shape.size[1], 1};
    const int64_t size = (int64_t)tg_dtype_size(g->dtype);
    const tg_tensor *share = tg_div_scalar_at(n->at, g, (double)rows.outer); /* () */
    dx[0] = tg_result(n, g->dtype, n->in[0]->shape);
    if (tg_is_error(x) || tg_is_error(target) || tg_is_error(share) || tg_is_error(dx[0]))
        return;
    const int64_t row = rows.count * size;
    const tg_row_operand in[] = {
        {x->data, row, rows.count, size}, {target->data, 8, 1, 8},
        {((const cross_entropy_attr *)n->attr)->sums->data, 2 * size, 2, size},
        {share->data, 0, 1, size}};
    tg_along_rows(tg_kernels_of(x->dtype)->rows[TG_ALONG_CROSS_ENTROPY_GRADIENT], rows,
                  (tg_row_operand){dx[0]->data, row, rows.count, size}, 4, in);
}

TG_DEFINE_OP(cross_entropy, 2, TG_SAVES(0) | TG_SAVES(1), .fused = cross_entropy_fused);

tg_tensor *tg_cross_entropy_at(const char *at, tg_tensor *x, tg_tensor *target)
{
    if (!tg_usable(at, "cross_entropy", x) || !tg_usable(at, "cross_entropy", target))
        return tg_error_tensor();
    tg_tensor *sums = tg_tensor_new(at, "cross_entropy", x->dtype, TG_SHAPE(tg_numel(target), 2));
    if (tg_is_error(sums))
        return tg_error_tensor();
    const cross_entropy_attr attr = {sums};
    tg_tensor *in[] = {x, target};
    return tg_apply(at, &tg_op_cross_entropy, 2, in, &attr, sizeof attr);
}
