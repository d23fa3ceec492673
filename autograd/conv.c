/* Kernels that move over images (N, C, H, W): unfold, fold, conv2d, max_pool2d. */
#include "autograd/ops-internal.h"

/* ---- windows --------------------------------------------------------------------------------- */

/* Of a kernel and options; images of no size yet. */
static tg_windows windows_of(int64_t kh, int64_t kw, tg_window_options o)
{
    return (tg_windows){.kh = kh, .kw = kw, .stride = o.stride, .padding = o.padding,
                        .dilation = o.dilation};
}

static tg_window_options options_of(const tg_windows *s)
{
    return (tg_window_options){.stride = s->stride, .padding = s->padding, .dilation = s->dilation};
}

/* How many windows there are on images of this size; false, and misuse, if not a single one. */
static bool windows_fit(const tg_node *n, int64_t h, int64_t w, tg_windows *s)
{
    enum { MOST = 1 << 29 }; /* so that no product of two numbers below overflows */
    const int64_t positive[] = {h, w, s->kh, s->kw, s->stride, s->dilation};
    bool fits = s->padding >= 0 && s->padding <= MOST;
    for (int i = 0; i < 6; i++)
        fits = fits && positive[i] > 0 && positive[i] <= MOST;
    s->h = h;
    s->w = w;
    if (fits) {
        const int64_t rest_h = h + 2 * s->padding - s->dilation * (s->kh - 1) - 1;
        const int64_t rest_w = w + 2 * s->padding - s->dilation * (s->kw - 1) - 1;
        fits = rest_h >= 0 && rest_w >= 0;
        s->out_h = rest_h / s->stride + 1;
        s->out_w = rest_w / s->stride + 1;
    }
    if (!fits)
        tg_reject(n, "a kernel of %lld x %lld, stride %lld, padding %lld, dilation %lld, on images "
                  "of %lld x %lld: no window fits", (long long)s->kh, (long long)s->kw,
                  (long long)s->stride, (long long)s->padding, (long long)s->dilation,
                  (long long)h, (long long)w);
    return fits;
}

/* The windows on the images of x; false, and misuse, where x has none. */
static bool image_windows(const tg_node *n, const tg_tensor *x, tg_windows *s)
{
    if (x->shape.ndim == 4 && x->dtype != TG_I64)
        return windows_fit(n, x->shape.size[2], x->shape.size[3], s);
    tg_reject(n, "images of %s %s; (N, C, H, W) of f32 or f64 expected", tg_dtype_name(x->dtype),
              TG_TEXT(x->shape));
    return false;
}

/* ---- unfold: (N, C, H, W) -> (N, C kh kw, windows) ------------------------------------------- */

static tg_tensor *unfold_forward(const tg_node *n)
{
    tg_windows s = *(const tg_windows *)n->attr;
    if (!image_windows(n, n->in[0], &s))
        return tg_error_tensor();
    const int64_t *size = n->in[0]->shape.size;
    int64_t rows;
    if (__builtin_mul_overflow(size[1], s.kh * s.kw, &rows))
        return tg_reject(n, "more elements than memory can hold");
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, x->dtype, TG_SHAPE(size[0], rows, s.out_h * s.out_w));
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    tg_unfold_planes(x->dtype, &s, size[0] * size[1], x->data, y->data);
    return y;
}

static void unfold_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_windows *s = n->attr;
    const int64_t *size = n->in[0]->shape.size;
    dx[0] = tg_fold_at(n->at, g, size[2], size[3], s->kh, s->kw, options_of(s));
}

TG_DEFINE_OP(unfold, 1, TG_SAVES_NOTHING);

tg_tensor *tg_unfold_at(const char *at, tg_tensor *x, int64_t kh, int64_t kw,
                        tg_window_options options)
{
    const tg_windows s = windows_of(kh, kw, options);
    return tg_apply(at, &tg_op_unfold, 1, &x, &s, sizeof s);
}

/* ---- fold: (N, C kh kw, windows) -> (N, C, H, W) --------------------------------------------- */

static tg_tensor *fold_forward(const tg_node *n)
{
    tg_windows s = *(const tg_windows *)n->attr;
    const tg_shape *shape = &n->in[0]->shape;
    if (!windows_fit(n, s.h, s.w, &s))
        return tg_error_tensor();
    if (shape->ndim != 3 || n->in[0]->dtype == TG_I64 || shape->size[1] % (s.kh * s.kw) != 0 ||
        shape->size[2] != s.out_h * s.out_w)
        return tg_reject(n, "%s %s; f32 or f64 (N, a multiple of %lld, %lld) expected",
                         tg_dtype_name(n->in[0]->dtype), TG_TEXT(*shape), (long long)(s.kh * s.kw),
                         (long long)(s.out_h * s.out_w));
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    const int64_t channels = shape->size[1] / (s.kh * s.kw);
    tg_tensor *y = tg_result(n, x->dtype, TG_SHAPE(shape->size[0], channels, s.h, s.w));
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    tg_fold_planes(x->dtype, &s, shape->size[0] * channels, y->data, x->data);
    return y;
}

static void fold_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_windows *s = n->attr;
    dx[0] = tg_unfold_at(n->at, g, s->kh, s->kw, options_of(s));
}

TG_DEFINE_OP(fold, 1, TG_SAVES_NOTHING);

tg_tensor *tg_fold_at(const char *at, tg_tensor *x, int64_t h, int64_t w, int64_t kh, int64_t kw,
                      tg_window_options options)
{
    tg_windows s = windows_of(kh, kw, options);
    s.h = h;
    s.w = w;
    return tg_apply(at, &tg_op_fold, 1, &x, &s, sizeof s);
}

/* ---- conv2d: x (N, C, H, W), weight (O, C / groups, kh, kw), bias (O) -> (N, O, rows, columns) */

enum { X, WEIGHT, BIAS };

/* The kernels' view of it; false, and misuse, where operands do not fit. */
static bool conv_init(const tg_node *n, tg_convolution *c)
{
    const tg_conv_options *o = n->attr;
    const tg_tensor *x = n->in[X], *w = n->in[WEIGHT], *b = n->nin > BIAS ? n->in[BIAS] : NULL;
    bool fits = x->shape.ndim == 4 && w->shape.ndim == 4 && w->dtype == x->dtype &&
                (!b || (b->dtype == x->dtype && b->shape.ndim == 1)) && x->dtype != TG_I64;
    fits = fits && o->groups > 0 && x->shape.size[1] % o->groups == 0 &&
           w->shape.size[0] % o->groups == 0 &&
           x->shape.size[1] / o->groups == w->shape.size[1] &&
           (!b || b->shape.size[0] == w->shape.size[0]);
    if (!fits) {
        tg_reject(n, "%s %s with weight %s %s, bias %s %s and groups %lld: f32 or f64 "
                  "(N, C, H, W), (O, C / groups, kh, kw) and (O) expected", tg_dtype_name(x->dtype),
                  TG_TEXT(x->shape), tg_dtype_name(w->dtype), TG_TEXT(w->shape),
                  b ? tg_dtype_name(b->dtype) : "", b ? TG_TEXT(b->shape) : "NULL",
                  (long long)o->groups);
        return false;
    }
    *c = (tg_convolution){
        .windows = windows_of(w->shape.size[2], w->shape.size[3],
                              (tg_window_options){.stride = o->stride, .padding = o->padding,
                                                  .dilation = o->dilation}),
        .images = x->shape.size[0], .groups = o->groups, .in = w->shape.size[1],
        .out = w->shape.size[0] / o->groups};
    return windows_fit(n, x->shape.size[2], x->shape.size[3], &c->windows);
}

static tg_tensor *conv2d_forward(const tg_node *n)
{
    tg_convolution c;
    if (!conv_init(n, &c))
        return tg_error_tensor();
    const tg_tensor *in[BIAS + 1] = {NULL};
    for (int i = 0; i < n->nin; i++) {
        in[i] = tg_contiguous_at(n->at, n->in[i]);
        if (tg_is_error(in[i]))
            return tg_error_tensor();
    }
    tg_tensor *y = tg_result(n, in[X]->dtype, TG_SHAPE(c.images, c.groups * c.out, c.windows.out_h,
                                                       c.windows.out_w));
    c.x = in[X]->data;
    c.weight = in[WEIGHT]->data;
    c.bias = in[BIAS] ? in[BIAS]->data : NULL;
    c.y = y->data;
    if (!tg_is_error(y) && tg_numel(y) > 0)
        tg_convolve(y->dtype, &c);
    return y;
}

/* In columns, the unfolded x (N, groups, k, windows), y = weight (groups, out, k) columns. */
static void conv2d_backward(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const char *at = n->at;
    tg_convolution c;
    if (!conv_init(n, &c))
        return;
    const tg_windows *s = &c.windows;
    const int64_t k = c.in * s->kh * s->kw, windows = s->out_h * s->out_w;
    tg_tensor *weight = tg_reshape_at(at, n->in[WEIGHT], TG_SHAPE(c.groups, c.out, k));
    tg_tensor *gy = tg_reshape_at(at, g, TG_SHAPE(c.images, c.groups, c.out, windows));
    if (tg_needs_grad(n, X)) {
        tg_tensor *d = tg_matmul_at(at, tg_transpose_at(at, weight, -2, -1), gy);
        d = tg_reshape_at(at, d, TG_SHAPE(c.images, c.groups * k, windows));
        dx[X] = tg_fold_at(at, d, s->h, s->w, s->kh, s->kw, options_of(s));
    }
    if (tg_needs_grad(n, WEIGHT)) {
        tg_tensor *columns = tg_unfold_at(at, n->in[X], s->kh, s->kw, options_of(s));
        columns = tg_reshape_at(at, columns, TG_SHAPE(c.images, c.groups, k, windows));
        tg_tensor *d = tg_matmul_at(at, gy, tg_transpose_at(at, columns, -2, -1));
        dx[WEIGHT] = tg_reshape_at(at, tg_sum_dim_at(at, d, false, TG_SHAPE(0)),
                                   n->in[WEIGHT]->shape);
    }
    if (n->nin > BIAS && tg_needs_grad(n, BIAS))
        dx[BIAS] = tg_sum_dim_at(at, g, false, TG_SHAPE(0, 2, 3));
}

/* The same without columns of all images. */
static void conv2d_fused(const tg_node *n, tg_tensor *g, tg_tensor **dx)
{
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[X]);
    const tg_tensor *weight = tg_contiguous_at(n->at, n->in[WEIGHT]);
    g = tg_contiguous_at(n->at, g);
    tg_convolution c;
    if (tg_is_error(x) || tg_is_error(weight) || tg_is_error(g) || !conv_init(n, &c))
        return;
    c.weight = weight->data;
    c.y = g->data;
    for (int i = X; i <= WEIGHT; i++) {
        if (!tg_needs_grad(n, i))
            continue;
        dx[i] = tg_result(n, g->dtype, n->in[i]->shape);
        if (tg_is_error(dx[i]))
            return;
        c.x = i == X ? dx[X]->data : x->data;
        if (i == X)
            tg_convolve_back(g->dtype, &c);
        else
            tg_convolve_weight(g->dtype, &c, dx[WEIGHT]->data);
    }
    if (n->nin > BIAS && tg_needs_grad(n, BIAS))
        dx[BIAS] = tg_sum_dim_at(n->at, g, false, TG_SHAPE(0, 2, 3));
}

static bool conv2d_reads(const tg_node *n, int i)
{
    return i <= WEIGHT && tg_needs_grad(n, X + WEIGHT - i);
}

TG_DEFINE_OP(conv2d, TG_VARIADIC, 0, .reads = conv2d_reads, .fused = conv2d_fused);

tg_tensor *tg_conv2d_at(const char *at, tg_tensor *x, tg_tensor *weight, tg_tensor *bias,
                        tg_conv_options options)
{
    return tg_apply(at, &tg_op_conv2d, bias ? 3 : 2, (tg_tensor *[]){x, weight, bias}, &options,
                    sizeof options);
}

/* ---- max_pool2d: (N, C, H, W) -> i64 (N, C, rows, columns), the places of the largest --------- */

static tg_tensor *max_pool2d_forward(const tg_node *n)
{
    tg_windows s = *(const tg_windows *)n->attr;
    if (!image_windows(n, n->in[0], &s))
        return tg_error_tensor();
    if (s.padding > s.kh / 2 || (s.padding > 0 && s.dilation > tg_min(s.h, s.w)))
        return tg_reject(n, "a kernel of %lld, padding %lld, dilation %lld, on images of %lld x %lld: "
                         "there are windows without a pixel", (long long)s.kh,
                         (long long)s.padding, (long long)s.dilation, (long long)s.h,
                         (long long)s.w);
    const int64_t *size = n->in[0]->shape.size;
    const tg_tensor *x = tg_contiguous_at(n->at, n->in[0]);
    tg_tensor *y = tg_result(n, TG_I64, TG_SHAPE(size[0], size[1], s.out_h, s.out_w));
    if (tg_is_error(x) || tg_is_error(y))
        return tg_error_tensor();
    tg_max_places(x->dtype, &s, size[0] * size[1], x->data, y->data);
    return y;
}

const tg_op tg_op_max_pool2d = {.name = "max_pool2d", .arity = 1, .forward = max_pool2d_forward};

tg_tensor *tg_max_pool2d_at(const char *at, tg_tensor *x, int64_t kernel, tg_window_options options)
{
    TG_FUNCTION("max_pool2d");
    const tg_windows s = windows_of(kernel, kernel, options);
    tg_tensor *place = tg_apply(at, &tg_op_max_pool2d, 1, &x, &s, sizeof s);
    if (tg_is_error(place))
        return place;
    const tg_shape shape = place->shape;
    const int64_t images = shape.size[0], channels = shape.size[1];
    const int64_t pixels = x->shape.size[2] * x->shape.size[3];
    place = tg_view_at(at, place, TG_SHAPE(images, channels, shape.size[2] * shape.size[3]));
    x = tg_reshape_at(at, x, TG_SHAPE(images, channels, pixels));
    return tg_reshape_at(at, tg_gather_at(at, x, -1, place), shape);
}
