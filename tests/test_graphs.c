/* Random graphs of ops: the values and gradients that PyTorch gave, tests/golden/make_graphs.py. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/autograd.h"
#include "autograd/ops.h"

enum { REGISTERS = 100, WORDS = 600, GRAPHS = 260, SEED = 23 };

/* ---- calls ----------------------------------------------------------------------------------- */

/* A call in operands x[0], x[1], ... and numbers n[0], n[1], ... */
#define INT(i) ((int)n[i])
#define CALLS(CALL)                                                                                \
    CALL(neg, tg_neg(x[0]))                                                                        \
    CALL(abs, tg_abs(x[0]))                                                                        \
    CALL(square, tg_square(x[0]))                                                                  \
    CALL(cube, tg_cube(x[0]))                                                                      \
    CALL(sign, tg_sign(x[0]))                                                                      \
    CALL(round, tg_round(x[0]))                                                                    \
    CALL(floor, tg_floor(x[0]))                                                                    \
    CALL(ceil, tg_ceil(x[0]))                                                                      \
    CALL(sin, tg_sin(x[0]))                                                                        \
    CALL(cos, tg_cos(x[0]))                                                                        \
    CALL(exp, tg_exp(x[0]))                                                                        \
    CALL(expm1, tg_expm1(x[0]))                                                                    \
    CALL(log, tg_log(x[0]))                                                                        \
    CALL(log1p, tg_log1p(x[0]))                                                                    \
    CALL(sqrt, tg_sqrt(x[0]))                                                                      \
    CALL(relu, tg_relu(x[0]))                                                                      \
    CALL(sigmoid, tg_sigmoid(x[0]))                                                                \
    CALL(tanh, tg_tanh(x[0]))                                                                      \
    CALL(softplus, tg_softplus(x[0]))                                                              \
    CALL(logsigmoid, tg_logsigmoid(x[0]))                                                          \
    CALL(silu, tg_silu(x[0]))                                                                      \
    CALL(gelu, tg_gelu(x[0]))                                                                      \
    CALL(clamp, tg_clamp(x[0], n[0], n[1]))                                                        \
    CALL(dropout, dropout_at(x[0], n[0], n[1]))                                                    \
    CALL(add_scalar, tg_add_scalar(x[0], n[0]))                                                    \
    CALL(sub_scalar, tg_sub_scalar(x[0], n[0]))                                                    \
    CALL(mul_scalar, tg_mul_scalar(x[0], n[0]))                                                    \
    CALL(div_scalar, tg_div_scalar(x[0], n[0]))                                                    \
    CALL(pow_scalar, tg_pow_scalar(x[0], n[0]))                                                    \
    CALL(leaky_relu_scalar, tg_leaky_relu_scalar(x[0], n[0]))                                      \
    CALL(add, tg_add(x[0], x[1]))                                                                  \
    CALL(sub, tg_sub(x[0], x[1]))                                                                  \
    CALL(mul, tg_mul(x[0], x[1]))                                                                  \
    CALL(div, tg_div(x[0], x[1]))                                                                  \
    CALL(pow, tg_pow(x[0], x[1]))                                                                  \
    CALL(minimum, tg_minimum(x[0], x[1]))                                                          \
    CALL(maximum, tg_maximum(x[0], x[1]))                                                          \
    CALL(squared_error, tg_squared_error(x[0], x[1]))                                              \
    CALL(huber, tg_huber(x[0], x[1]))                                                              \
    CALL(leaky_relu, tg_leaky_relu(x[0], x[1]))                                                    \
    CALL(logit_cross_entropy, tg_logit_cross_entropy(x[0], x[1]))                                  \
    CALL(clamp_min, tg_clamp_min(x[0], x[1]))                                                      \
    CALL(clamp_max, tg_clamp_max(x[0], x[1]))                                                      \
    CALL(eq, tg_eq(x[0], x[1]))                                                                    \
    CALL(logical_and, tg_logical_and(x[0], x[1]))                                                  \
    CALL(logical_or, tg_logical_or(x[0], x[1]))                                                    \
    CALL(logical_not, tg_logical_not(x[0]))                                                        \
    CALL(masked_fill, tg_masked_fill(x[0], x[1], n[0]))                                            \
    CALL(cast, tg_cast(x[0], x[1]->dtype))                                                         \
    CALL(one_hot, tg_one_hot(x[0], INT(0)))                                                        \
    CALL(floor_divide, tg_floor_divide(x[0], tg_scalar(TG_I64, n[0])))                             \
    CALL(remainder, tg_remainder(x[0], tg_scalar(TG_I64, n[0])))                                   \
    CALL(tril, tg_tril(x[0], INT(0)))                                                              \
    CALL(triu, tg_triu(x[0], INT(0)))                                                              \
    CALL(cumsum, tg_cumsum(x[0], INT(0)))                                                          \
    CALL(sort, tg_sort(x[0], INT(0), n[1] != 0, &(tg_tensor *){NULL}))                             \
    CALL(std_dim, tg_std_dim_at(TG_HERE, x[0], INT(0), rest))                                      \
    CALL(norm, tg_norm_at(TG_HERE, x[0], INT(0), rest))                                            \
    CALL(normalize, tg_normalize(x[0], INT(0), n[1]))                                              \
    CALL(ne, tg_ne(x[0], x[1]))                                                                    \
    CALL(lt, tg_lt(x[0], x[1]))                                                                    \
    CALL(le, tg_le(x[0], x[1]))                                                                    \
    CALL(gt, tg_gt(x[0], x[1]))                                                                    \
    CALL(ge, tg_ge(x[0], x[1]))                                                                    \
    CALL(where, tg_where(x[0], x[1], x[2]))                                                        \
    CALL(unsqueeze, tg_unsqueeze(x[0], INT(0)))                                                    \
    CALL(squeeze, tg_squeeze(x[0], INT(0)))                                                        \
    CALL(cat, tg_cat(INT(0), x[0], x[1], x[2]))                                                    \
    CALL(stack, tg_stack(INT(0), x[0], x[1]))                                                      \
    CALL(narrow, tg_narrow(x[0], INT(0), INT(1), INT(2)))                                          \
    CALL(select, tg_select(x[0], INT(0), INT(1)))                                                  \
    CALL(contiguous, tg_contiguous(x[0]))                                                          \
    CALL(view, tg_view(x[0], INT(0)))                                                              \
    CALL(reshape, tg_reshape(x[0], INT(0), INT(1)))                                                \
    CALL(pad, tg_pad(x[0], INT(0), INT(1), INT(2)))                                                \
    CALL(sum_to, tg_sum_to_at(TG_HERE, x[0], list))                                                \
    CALL(argmax, tg_argmax(x[0], INT(0), true))                                                    \
    CALL(split, last_part(x[0], INT(0), INT(1)))                                                   \
    CALL(index_select, tg_index_select(x[0], INT(0), x[1]))                                        \
    CALL(permute, tg_permute_at(TG_HERE, x[0], list))                                              \
    CALL(transpose, tg_transpose(x[0], INT(0), INT(1)))                                            \
    CALL(gather, tg_gather(x[0], INT(0), x[1]))                                                    \
    CALL(scatter_add, tg_scatter_add(x[0], INT(0), x[1], x[2]))                                    \
    CALL(expand, tg_expand_at(TG_HERE, x[0], list))                                                \
    CALL(sum, tg_sum(x[0]))                                                                        \
    CALL(mean, tg_mean(x[0]))                                                                      \
    CALL(sum_dim, tg_sum_dim_at(TG_HERE, x[0], INT(0), rest))                                      \
    CALL(mean_dim, tg_mean_dim_at(TG_HERE, x[0], INT(0), rest))                                    \
    CALL(max_dim, tg_max_dim_at(TG_HERE, x[0], INT(0), rest))                                      \
    CALL(min_dim, tg_min_dim_at(TG_HERE, x[0], INT(0), rest))                                      \
    CALL(var_dim, tg_var_dim_at(TG_HERE, x[0], INT(0), rest))                                      \
    CALL(logsumexp, tg_logsumexp_at(TG_HERE, x[0], INT(0), rest))                                  \
    CALL(softmax, tg_softmax(x[0], INT(0)))                                                        \
    CALL(log_softmax, tg_log_softmax(x[0], INT(0)))                                                \
    CALL(layer_norm, tg_layer_norm(x[0], x[1], x[2], n[0]))                                        \
    CALL(topk, tg_topk(x[0], INT(0), &(tg_tensor *){NULL}))                                        \
    CALL(matmul, tg_matmul(x[0], x[1]))                                                            \
    CALL(linear, tg_linear(x[0], x[1], x[2]))                                                      \
    CALL(scaled_dot_product_attention, tg_scaled_dot_product_attention(x[0], x[1], x[2], NULL, 0,  \
                                                                       n[0] != 0))                 \
    CALL(conv2d, tg_conv2d(x[0], x[1], x[2], .stride = INT(0), .padding = INT(1),                  \
                           .dilation = INT(2), .groups = INT(3)))                                  \
    CALL(max_pool2d, tg_max_pool2d(x[0], INT(0), .stride = INT(1), .padding = INT(2)))             \
    CALL(unfold, tg_unfold(x[0], INT(0), INT(1), .stride = INT(2), .padding = INT(3)))             \
    CALL(fold, tg_fold(x[0], INT(0), INT(1), INT(2), INT(3), .stride = INT(4)))                    \
    CALL(sparse_mm, tg_sparse_mm(even_crow(n[0], x[0]), x[0], x[1], x[2]))                         \
    CALL(sampled_mm, tg_sampled_mm(even_crow(n[0], x[0]), x[0], x[1], x[2]))                       \
    CALL(embedding, tg_embedding(x[0], x[1]))                                                      \
    CALL(embedding_bag, tg_embedding_bag(x[0], x[1], INT(0)))                                      \
    CALL(scatter_rows, tg_to_dense(tg_scatter_rows(x[0], x[1], INT(0))))                           \
    CALL(mse_loss, tg_mse_loss(x[0], x[1]))                                                        \
    CALL(l1_loss, tg_l1_loss(x[0], x[1]))                                                          \
    CALL(huber_loss, tg_huber_loss(x[0], x[1], n[0]))                                              \
    CALL(bce_with_logits_loss, tg_bce_with_logits_loss(x[0], x[1]))                                \
    CALL(bpr_loss, tg_bpr_loss(x[0], x[1]))                                                        \
    CALL(cross_entropy, tg_cross_entropy(x[0], x[1]))

#define CALL(name, expression) CALL_##name,
enum { CALLS(CALL) CALL_COUNT };
#undef CALL
#define CALL(name, expression) #name,
static const char *const call_names[] = {CALLS(CALL)};
#undef CALL

static tg_tensor *last_part(tg_tensor *x, int dim, int64_t size)
{
    tg_tensor *part[16];
    const int64_t count = tg_split(x, dim, size, part, 16);
    return part[count - 1];
}

/* Of a matrix of so many rows, over which the entries are spread. */
static tg_tensor *even_crow(double rows, const tg_tensor *col)
{
    tg_tensor *crow = tg_zeros(TG_I64, (int64_t)rows + 1);
    for (int64_t r = 0; r <= (int64_t)rows; r++)
        ((int64_t *)crow->data)[r] = r * tg_size(col, 0) / (int64_t)rows;
    return crow;
}

static tg_tensor *dropout_at(tg_tensor *x, double p, double position)
{
    *tg_default_rng() = (tg_rng){.seed = SEED + 1, .position = (uint64_t)position};
    return tg_dropout(x, p, true);
}

/* ---- running --------------------------------------------------------------------------------- */

typedef struct machine {
    tg_dtype dtype;
    double allowed;
    int graph, compared, calls[CALL_COUNT];
    tg_tensor *r[REGISTERS];
    tg_rng rng;
} machine;

static tg_shape sizes_of(char **word, int count)
{
    tg_shape shape = {.ndim = count};
    for (int i = 0; i < count; i++)
        shape.size[i] = atoll(word[i]);
    return shape;
}

/* leaf R LOW HIGH SIZE..., ids R COUNT SIZE... */
static void make_register(machine *m, bool is_leaf, char **word, int count)
{
    const int number = atoi(word[0]), before = is_leaf ? 3 : 2;
    const double low = is_leaf ? atof(word[1]) : 0, high = atof(word[before - 1]);
    const tg_shape shape = sizes_of(word + before, count - before);
    tg_tensor *t = tg_empty_at(TG_HERE, is_leaf ? m->dtype : TG_I64, shape);
    for (int64_t i = 0; i < tg_numel(t); i++) {
        const double u = low + (high - low) * tg_rng_uniform(&m->rng);
        if (!is_leaf)
            ((int64_t *)t->data)[i] = (int64_t)floor(u);
        else if (m->dtype == TG_F32)
            ((float *)t->data)[i] = (float)u;
        else
            ((double *)t->data)[i] = u;
    }
    m->r[number] = is_leaf ? tg_requires_grad(t) : t;
}

/* OP R OPERAND... : NUMBER... */
static void call(machine *m, const char *op, char **word, int count)
{
    tg_tensor *x[4] = {NULL}, *y = NULL;
    double n[TG_MAX_DIMS] = {0};
    int operands = 0, numbers = 0, i = 1;
    for (; i < count && strcmp(word[i], ":") != 0; i++)
        x[operands++] = m->r[atoi(word[i])];
    for (i++; i < count; i++)
        n[numbers++] = atof(word[i]);
    tg_shape list = {.ndim = numbers}, rest = {.ndim = numbers - 1};
    for (int k = 0; k < numbers; k++) {
        list.size[k] = (int64_t)n[k];
        if (k > 0)
            rest.size[k - 1] = (int64_t)n[k];
    }
#define CALL(name, expression)                                                                     \
    if (strcmp(op, #name) == 0) {                                                                  \
        y = expression;                                                                            \
        m->calls[CALL_##name]++;                                                                   \
    }
    CALLS(CALL)
#undef CALL
    cr_assert(y && !tg_is_error(y), "graph %d: %s: %s", m->graph, op, tg_last_error()->message);
    m->r[atoi(word[0])] = y;
}

/* value R : NUMBER..., grad R : NUMBER... */
static void compare(machine *m, const char *what, const tg_tensor *t, char **word, int count)
{
    double most = 0, largest = 1;
    if (strcmp(word[2], "none") == 0) {
        cr_expect(!t, "graph %d: %s %s: PyTorch gave none", m->graph, what, word[0]);
        return;
    }
    cr_assert(t && tg_numel(t) == count - 2, "graph %d: %s %s", m->graph, what, word[0]);
    t = tg_contiguous((tg_tensor *)t);
    for (int i = 0; i < count - 2; i++) {
        const double expected = atof(word[i + 2]);
        const double d = fabs((m->dtype == TG_F32 ? (double)((const float *)t->data)[i]
                                                  : ((const double *)t->data)[i]) - expected);
        most = d <= most ? most : d; /* NaN stays */
        largest = fmax(largest, fabs(expected));
    }
    cr_expect(most <= m->allowed * largest, "graph %d: %s %s in %s differs by %.2g of %.2g",
              m->graph, what, word[0], tg_dtype_name(m->dtype), most, largest);
    m->compared++;
}

static void differentiate(machine *m, int number)
{
    tg_tensor *y = m->r[number], *weight = tg_empty_at(TG_HERE, m->dtype, y->shape);
    for (int64_t i = 0; i < tg_numel(weight); i++) {
        const double w = 0.5 + tg_rng_uniform(&m->rng);
        if (m->dtype == TG_F32)
            ((float *)weight->data)[i] = (float)w;
        else
            ((double *)weight->data)[i] = w;
    }
    y = tg_sum(tg_mul(y, weight));
    if (y->requires_grad)
        tg_backward(y);
}

static void run_line(machine *m, char *line)
{
    char *word[WORDS];
    int count = 0;
    for (char *w = strtok(line, " \n"); w && count < WORDS; w = strtok(NULL, " \n"))
        word[count++] = w;
    const char *op = word[0];
    const int number = atoi(word[1]);
    if (strcmp(op, "graph") == 0) {
        tg_step_end();
        tg_step_begin();
        m->graph = number;
        m->rng = (tg_rng){.seed = SEED, .position = (uint64_t)number << 20};
    } else if (strcmp(op, "leaf") == 0 || strcmp(op, "ids") == 0) {
        make_register(m, *op == 'l', word + 1, count - 1);
    } else if (strcmp(op, "value") == 0) {
        compare(m, op, m->r[number], word + 1, count - 1);
        differentiate(m, number);
    } else if (strcmp(op, "grad") == 0) {
        compare(m, op, m->r[number]->grad, word + 1, count - 1);
    } else {
        call(m, op, word + 1, count - 1);
    }
}

/* Calls of every name, and by one of them every op. */
static void expect_every_op(const machine *m)
{
    for (int i = 0; i < CALL_COUNT; i++)
        cr_expect_gt(m->calls[i], 0, "%s is in no graph", call_names[i]);
    for (int k = 0; k < tg_op_count; k++) {
        const char *op = tg_op_table[k]->name;
        bool found = strcmp(op, "to_dense") == 0 || strcmp(op, "multinomial") == 0;
        for (int i = 0; i < CALL_COUNT && !found; i++)
            found = strcmp(op, call_names[i]) == 0;
        cr_expect(found, "%s: no call of it in tests/test_graphs.c", op);
    }
}

static void run_graphs(tg_dtype dtype, double allowed)
{
    static char line[1 << 16];
    machine m = {.dtype = dtype, .allowed = allowed};
    FILE *file = fopen("tests/golden/graphs.txt", "r");
    cr_assert_not_null(file);
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    while (fgets(line, sizeof line, file))
        run_line(&m, line);
    tg_step_end();
    fclose(file);
    cr_expect_eq(m.graph, GRAPHS - 1);
    cr_expect_gt(m.compared, 3 * GRAPHS);
    expect_every_op(&m);
}

Test(graphs, f64__agrees_with_pytorch)
{
    run_graphs(TG_F64, 1e-10);
}

Test(graphs, f32__agrees_with_pytorch)
{
    run_graphs(TG_F32, 1e-5);
}
