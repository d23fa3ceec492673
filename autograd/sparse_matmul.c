/* Products with sparse matrices in compressed rows: sparse_mm and sampled_mm. */
#include "autograd/ops-internal.h"

/* ---- what both have: crow (m + 1), col (entries), two factors -------------------------------- */

enum { CROW, COL, LEFT, RIGHT, OPERANDS };

/* The rules read one factor for the gradient of the other. */
static bool reads_other(const tg_node *n, int i)
{
    return i < LEFT || (i < OPERANDS && tg_needs_grad(n, LEFT + RIGHT - i));
}

/* Of m rows, whose entries stand in columns below `columns`. */
static bool pattern_fits(const tg_node *n, const tg_tensor *crow, const tg_tensor *col, int64_t m,
                         int64_t columns)
{
    const int64_t entries = tg_numel(col), *first = crow->data, *c = col->data;
    if (first[0] != 0 || first[m] != entries) {
        tg_reject(n, "crow goes from %lld to %lld; from 0 to %lld, the length of col, expected",
                  (long long)first[0], (long long)first[m], (long long)entries);
        return false;
    }
    for (int64_t r = 0; r < m; r++)
        if (first[r] > first[r + 1]) {
            tg_reject(n, "crow falls from %lld to %lld at row %lld", (long long)first[r],
                      (long long)first[r + 1], (long long)r);
            return false;
        }
    for (int64_t e = 0; e < entries; e++)
        if (c[e] < 0 || c[e] >= columns) {
            tg_reject(n, "col is %lld at entry %lld; there are %lld columns", (long long)c[e],
                      (long long)e, (long long)columns);
            return false;
        }
    return true;
}

/* Contiguous operands, the right one transposed for sampled_mm; false, and misuse, where they fit
 * no product. */
static bool operands(const tg_node *n, bool samples, const tg_tensor *in[OPERANDS])
{
    const tg_tensor *a = n->in[LEFT], *b = n->in[RIGHT];
    bool fits = a->dtype == b->dtype && a->dtype != TG_I64 && b->shape.ndim == 2 &&
                a->shape.ndim == (samples ? 2 : 1);
    for (int i = CROW; i <= COL; i++)
        fits = fits && n->in[i]->dtype == TG_I64 && n->in[i]->shape.ndim == 1;
    fits = fits && tg_numel(n->in[CROW]) > 0 &&
           (samples ? a->shape.size[0] == tg_numel(n->in[CROW]) - 1 &&
                          a->shape.size[1] == b->shape.size[0]
                    : a->shape.size[0] == tg_numel(n->in[COL]));
    if (!fits) {
        tg_reject(n, "crow %s %s, col %s %s, %s %s x %s %s: i64 (m + 1), i64 (entries), %s "
                  "of f32 or f64 expected", tg_dtype_name(n->in[CROW]->dtype),
                  TG_TEXT(n->in[CROW]->shape), tg_dtype_name(n->in[COL]->dtype),
                  TG_TEXT(n->in[COL]->shape), tg_dtype_name(a->dtype), TG_TEXT(a->shape),
                  tg_dtype_name(b->dtype), TG_TEXT(b->shape),
                  samples ? "(m, d) x (d, n)" : "(entries) x (n, d)");
        return false;
    }
    for (int i = 0; i < OPERANDS; i++) {
        in[i] = tg_contiguous_at(n->at, i == RIGHT && samples ? tg_t_at(n->at, n->in[i])
                                                              : n->in[i]);
        if (tg_is_error(in[i]))
            return false;
    }
    return true;
}

/* ---- sparse_mm: crow, col, values (entries), x (n, d) -> (m, d) ------------------------------ */

typedef struct sparse_mm_attr {
    bool transposed; /* the matrix is (n, m): values at (col, row) */
    int64_t rows;    /* then of the result */
} sparse_mm_attr;

static tg_tensor *sparse_mm(const char *at, bool transposed, int64_t rows, tg_tensor *const *in)
{
    const sparse_mm_attr attr = {transposed, rows};
    return tg_apply(at, &tg_op_sparse_mm, OPERANDS, in, &attr, sizeof attr);
}

static tg_tensor *sparse_mm_forward(const tg_node *n)
{
    const sparse_mm_attr *a = n->attr;
    const tg_tensor *in[OPERANDS];
    if (!operands(n, false, in))
        return tg_error_tensor();
    const tg_tensor *x = in[RIGHT];
    const int64_t m = tg_numel(in[CROW]) - 1, rows = a->transposed ? a->rows : m;
    if (!pattern_fits(n, in[CROW], in[COL], m, a->transposed ? rows : x->shape.size[0]))
        return tg_error_tensor();
    tg_tensor *y = tg_result(n, x->dtype, TG_SHAPE(rows, x->shape.size[1]));
    if (tg_is_error(y))
        return y;
    const tg_csr t = {m, x->shape.size[1], in[CROW]->data, in[COL]->data, in[LEFT]->data, x->data,
                      y->data};
    if (a->transposed)
        tg_csr_transposed_product(x->dtype, rows, &t);
    else
        tg_csr_product(x->dtype, &t);
    return y;
}

/* dvalues = g x^T at the entries, dx = (matrix)^T g */
static void sparse_mm_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const bool transposed = ((const sparse_mm_attr *)n->attr)->transposed;
    tg_tensor *x = n->in[RIGHT], *values = n->in[LEFT];
    if (tg_needs_grad(n, LEFT))
        dx[LEFT] = tg_sampled_mm_at(n->at, n->in[CROW], n->in[COL], transposed ? x : g,
                                    tg_t_at(n->at, transposed ? g : x));
    if (tg_needs_grad(n, RIGHT))
        dx[RIGHT] = sparse_mm(n->at, !transposed, x->shape.size[0],
                              (tg_tensor *[]){n->in[CROW], n->in[COL], values, g});
}

TG_DEFINE_OP(sparse_mm, OPERANDS, 0, .reads = reads_other);

tg_tensor *tg_sparse_mm_at(const char *at, tg_tensor *crow, tg_tensor *col, tg_tensor *values,
                           tg_tensor *x)
{
    return sparse_mm(at, false, 0, (tg_tensor *[]){crow, col, values, x});
}

/* ---- sampled_mm: crow, col, a (m, d), b (d, n) -> (entries) ---------------------------------- */

static tg_tensor *sampled_mm_forward(const tg_node *n)
{
    const tg_tensor *in[OPERANDS];
    if (!operands(n, true, in))
        return tg_error_tensor();
    const tg_tensor *a = in[LEFT], *b = in[RIGHT];
    const int64_t m = a->shape.size[0];
    if (!pattern_fits(n, in[CROW], in[COL], m, b->shape.size[0]))
        return tg_error_tensor();
    tg_tensor *y = tg_result(n, a->dtype, in[COL]->shape);
    const tg_csr t = {m, a->shape.size[1], in[CROW]->data, in[COL]->data, a->data, b->data,
                      y->data};
    if (!tg_is_error(y))
        tg_csr_sample(a->dtype, &t);
    return y;
}

/* With the sparse matrix g: da = g b^T, db = a^T g */
static void sampled_mm_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    tg_tensor *a = n->in[LEFT], *b = n->in[RIGHT];
    tg_tensor *in[OPERANDS] = {n->in[CROW], n->in[COL], g, tg_t_at(n->at, b)};
    if (tg_needs_grad(n, LEFT))
        dx[LEFT] = sparse_mm(n->at, false, 0, in);
    in[RIGHT] = a;
    if (tg_needs_grad(n, RIGHT))
        dx[RIGHT] = tg_t_at(n->at, sparse_mm(n->at, true, b->shape.size[1], in));
}

TG_DEFINE_OP(sampled_mm, OPERANDS, 0, .reads = reads_other);

tg_tensor *tg_sampled_mm_at(const char *at, tg_tensor *crow, tg_tensor *col, tg_tensor *a,
                            tg_tensor *b)
{
    return tg_apply(at, &tg_op_sampled_mm, OPERANDS, (tg_tensor *[]){crow, col, a, b}, NULL, 0);
}
