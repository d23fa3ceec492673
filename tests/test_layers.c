/* Layers in sequence, initialisers, what is done to whole modules, and .npy files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/helpers.h"

static tg_sequential *small_net(void)
{
    return tg_sequential_new(tg_linear_new(3, 8), tg_activation_new(tg_tanh_at),
                             tg_dropout_new(0.5), tg_layer_norm_new(8), tg_linear_new(8, 1));
}

/* ---- sequences ------------------------------------------------------------------------------- */

Test(layers, sequential__is_its_layers_one_after_the_other)
{
    tg_manual_seed(1);
    tg_sequential *net = small_net();
    tg_linear_layer *first = (tg_linear_layer *)net->base.child[0].module;
    tg_layer_norm_layer *norm = (tg_layer_norm_layer *)net->base.child[3].module;
    tg_linear_layer *last = (tg_linear_layer *)net->base.child[4].module;
    tg_step_begin();
    tg_tensor *x = tg_randn(TG_F32, 5, 3);
    tg_eval(net);
    tg_tensor *h = tg_tanh(tg_linear(x, first->weight, first->bias));
    h = tg_layer_norm(h, norm->weight, norm->bias, 1e-5);
    const tg_tensor *expected = tg_linear(h, last->weight, last->bias);
    const tg_tensor *y = tg_forward(net, x);
    cr_expect_arr_eq(y->data, expected->data, 5 * sizeof(float));
    tg_train(net);
    cr_expect_neq(tg_get(tg_forward(net, x), 0, 0), tg_get(y, 0, 0), "dropout is on");
    tg_step_end();
    tg_state_dict state = tg_module_state_dict(&net->base);
    static const char *const names[] = {"0.weight", "0.bias",   "3.weight",
                                        "3.bias",   "4.weight", "4.bias"};
    cr_assert_eq(state.count, 6);
    for (int i = 0; i < 6; i++)
        cr_expect_str_eq(state.entry[i].name, names[i]);
    tg_state_dict_release(&state);
    tg_module_free(&net->base);
}

static tg_tensor *output_of(void *context, tg_tensor *const *parameter, int count)
{
    (void)parameter;
    (void)count;
    tg_sequential *net = context;
    return tg_forward(net, tg_full(TG_F64, 0.3, 2, 3));
}

Test(layers, embedding_bag__is_the_sum_or_mean_of_rows)
{
    const int64_t id[] = {3, 1, 0, 3};
    for (int mean = 0; mean < 2; mean++) {
        tg_embedding_bag_layer *m = tg_embedding_bag_new(5, 2, mean);
        tg_step_begin();
        tg_tensor *y = tg_forward(m, tg_from(TG_I64, id, 2, 2));
        cr_assert(y->shape.ndim == 2 && tg_size(y, 0) == 2 && tg_size(y, 1) == 2);
        const double sum = tg_get(m->weight, 0, 1) + tg_get(m->weight, 3, 1);
        cr_expect_float_eq(tg_get(y, 1, 1), mean ? sum / 2 : sum, 1e-6);
        tg_backward(tg_sum(y));
        cr_expect_eq(tg_numel(m->weight->grad->rows), 3, "the gradient is row-sparse");
        tg_step_end();
        tg_module_free(&m->base);
    }
}

Test(layers, sequential__has_no_bound)
{
    void *layer[100];
    for (int i = 0; i < 100; i++)
        layer[i] = tg_dropout_new(0.5);
    tg_sequential *net = tg_sequential_of(TG_HERE, layer, 100);
    cr_expect_eq(net->base.nchildren, 100);
    cr_expect_str_eq(net->base.child[99].name, "99");
    tg_module_free(&net->base);
}

/* "dropout probability has to be between 0 and 1": at the layer, not at its first use. */
Test(layers, dropout__of_no_probability_is_misuse)
{
    const double bad[] = {-0.1, 1.5, NAN, INFINITY};
    tg_set_misuse(TG_MISUSE_RETURN);
    for (int i = 0; i < 4; i++) {
        tg_module_free(&tg_dropout_new(bad[i])->base);
        expect_misuse("dropout: probability ");
    }
    tg_module_free(&tg_dropout_new(0)->base);
    tg_module_free(&tg_dropout_new(1)->base);
    cr_expect_eq(tg_last_error()->status, TG_OK);
}

Test(layers, sequential__has_gradients_of_both_orders)
{
    tg_set_default_dtype(TG_F64);
    tg_manual_seed(2);
    tg_sequential *net = small_net();
    tg_state_dict state = tg_module_state_dict(&net->base);
    tg_tensor *parameter[6];
    for (int i = 0; i < 6; i++)
        parameter[i] = state.entry[i].tensor;
    tg_gradcheck_report report;
    cr_expect(tg_gradcheck(output_of, net, parameter, 6, 1e-6, &report), "%s", report.message);
    cr_expect(tg_gradgradcheck(output_of, net, parameter, 6, 1e-5, &report), "%s", report.message);
    tg_state_dict_release(&state);
    tg_module_free(&net->base);
    tg_set_default_dtype(TG_F32);
}

Test(layers, forward__of_a_module_without_one_is_misuse)
{
    typedef struct plain {
        tg_module base;
    } plain;
    tg_set_misuse(TG_MISUSE_RETURN);
    plain *m = tg_module_new(plain);
    cr_expect(tg_is_error(tg_forward(m, tg_zeros(TG_F32, 1))));
    cr_expect_not_null(strstr(tg_last_error()->message, "forward: plain has no forward function"));
    tg_clear_error();
    tg_module_free(&m->base);
}

/* ---- whole modules --------------------------------------------------------------------------- */

static void note_kind(tg_module *m, void *context)
{
    strcat(strcat(context, m->kind), " ");
}

static void fill_weights(tg_module *m, void *context)
{
    if (m->nparameters > 0)
        tg_fill(m->parameter[0].tensor, *(double *)context);
}

Test(layers, apply__visits_children_before_their_parent)
{
    tg_sequential *net = tg_sequential_new(tg_linear_new(2, 2), tg_dropout_new(0.1));
    char seen[256] = "";
    double value = 0.25;
    tg_module_apply(&net->base, note_kind, seen);
    cr_expect_str_eq(seen, "tg_linear_layer tg_dropout_layer tg_sequential ");
    tg_module_apply(&net->base, fill_weights, &value);
    cr_expect_eq(tg_get(((tg_linear_layer *)net->base.child[0].module)->weight, 1, 1), 0.25);
    tg_module_free(&net->base);
}

Test(layers, freeze__keeps_parameters_where_they_are)
{
    tg_sequential *net = tg_sequential_new(tg_linear_new(2, 2), tg_linear_new(2, 1));
    tg_module *first = net->base.child[0].module;
    tg_optimizer *opt = tg_sgd(net, .lr = 1);
    tg_module_freeze(first, true);
    const double before = tg_get(first->parameter[0].tensor, 0, 0);
    for (int step = 0; step < 2; step++) {
        tg_step_begin();
        tg_zero_grad(opt);
        tg_backward(tg_sum(tg_forward(net, tg_full(TG_F32, 1, 4, 2))));
        tg_optimizer_step(opt);
        tg_step_end();
        cr_expect_eq(tg_get(first->parameter[0].tensor, 0, 0) == before, step == 0);
        tg_module_freeze(first, false);
    }
    tg_optimizer_free(opt);
    tg_module_free(&net->base);
}

Test(layers, print__shows_modules_shapes_and_count)
{
    tg_sequential *net = tg_sequential_new(tg_linear_new(2, 3), tg_dropout_new(0.5));
    tg_module_freeze(net->base.child[0].module, true);
    char text[512] = "";
    FILE *file = tmpfile();
    tg_module_print(&net->base, file);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    cr_expect_str_eq(text, "tg_sequential\n"
                           "  0: tg_linear_layer\n"
                           "    weight f32 [3, 2] frozen\n"
                           "    bias f32 [3] frozen\n"
                           "  1: tg_dropout_layer\n"
                           "9 parameters\n");
    tg_module_free(&net->base);
}

/* ---- initialisers ---------------------------------------------------------------------------- */

Test(layers, init__draws_the_standard_deviation)
{
    static const struct {
        const char *name;
        void (*fill)(tg_tensor *weight);
        double variance; /* times 1 / fan_in = 1 / 200, of (300, 200) */
        bool is_uniform;
    } inits[] = {
        {"xavier_uniform", tg_xavier_uniform, 2 * 200. / 500, true},
        {"xavier_normal", tg_xavier_normal, 2 * 200. / 500, false},
        {"kaiming_uniform", tg_kaiming_uniform, 2, true},
        {"kaiming_normal", tg_kaiming_normal, 2, false},
        {"lecun_uniform", tg_lecun_uniform, 1, true},
        {"lecun_normal", tg_lecun_normal, 1, false},
    };
    enum { N = 300 * 200 };
    tg_manual_seed(3);
    tg_tensor *w = tg_owned(TG_F64, 300, 200);
    const double *x = w->data;
    for (int i = 0; i < 6; i++) {
        const double std = sqrt(inits[i].variance / 200);
        double square = 0, largest = 0;
        inits[i].fill(w);
        for (int k = 0; k < N; k++) {
            square += x[k] * x[k];
            largest = fmax(largest, fabs(x[k]));
        }
        /* five standard errors of a normal's; a uniform's is smaller */
        cr_expect_float_eq(sqrt(square / N), std, 5 * std / sqrt(2. * N), "%s", inits[i].name);
        cr_expect_eq(largest <= sqrt(3) * std, inits[i].is_uniform, "%s", inits[i].name);
    }
    tg_free(w);
}

Test(layers, init__of_what_is_no_matrix_is_named)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_tensor *w = tg_owned(TG_F64, 3);
    tg_fill(w, 7);
    tg_kaiming_normal(w);
    expect_misuse("kaiming_normal: a weight of two dimensions, (out, in), expected");
    tg_xavier_uniform(w);
    expect_misuse("xavier_uniform: a weight of two dimensions, (out, in), expected");
    tg_lecun_normal(NULL);
    expect_misuse("lecun_normal: the tensor is NULL");
    tg_free(w);
}

/* ---- .npy ------------------------------------------------------------------------------------ */

static char path[64];

static void make_path(void)
{
    strcpy(path, "/tmp/tapegrad-npy-XXXXXX");
    const int file = mkstemp(path);
    cr_assert(file >= 0);
    close(file);
}

static void write_bytes(const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* A file of this header and one f32. */
static void write_header(const char *header)
{
    char bytes[256] = "\x93NUMPY\x01";
    const size_t length = strlen(header);
    bytes[8] = (char)length;
    memcpy(bytes + 10, header, length);
    write_bytes(bytes, 10 + length + 4);
}

Test(npy, save__and_load_gives_the_same_tensor, .init = make_path)
{
    static const tg_dtype dtypes[] = {TG_F32, TG_F64, TG_I64};
    for (int i = 0; i < 3; i++)
        for (int ndim = 0; ndim < 4; ndim++) {
            tg_tensor *t = tg_owned_at(TG_HERE, dtypes[i], (tg_shape){ndim, {2, 3, 4}}), *back;
            for (int64_t k = 0; k < tg_numel(t); k++)
                memset((char *)t->data + (size_t)k * tg_dtype_size(t->dtype), (int)k + 1, 1);
            cr_assert_eq(tg_npy_save(path, t), TG_OK, "%s", tg_last_error()->message);
            cr_assert_eq(tg_npy_load(path, &back), TG_OK, "%s", tg_last_error()->message);
            cr_expect_eq(back->dtype, t->dtype);
            cr_expect(tg_shape_equal(&back->shape, &t->shape));
            cr_expect_arr_eq(back->data, t->data, (size_t)tg_numel(t) * tg_dtype_size(t->dtype));
            tg_free(back);
            tg_free(t);
        }
    unlink(path);
}

/* The bytes of numpy.save(numpy.array([[1, 2, 3], [4, 5, 6]], '<f8', order=ORDER)), NumPy 1.24. */
Test(npy, load__reads_both_orders_of_numpy, .init = make_path)
{
    for (int fortran = 0; fortran < 2; fortran++) {
        char bytes[128 + 48];
        memset(bytes, ' ', 128);
        memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
        const char *header = fortran
                                 ? "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }"
                                 : "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
        memcpy(bytes + 10, header, strlen(header));
        bytes[127] = '\n';
        static const double rows[] = {1, 2, 3, 4, 5, 6}, columns[] = {1, 4, 2, 5, 3, 6};
        memcpy(bytes + 128, fortran ? columns : rows, 48);
        write_bytes(bytes, sizeof bytes);
        tg_tensor *t;
        cr_assert_eq(tg_npy_load(path, &t), TG_OK, "%s", tg_last_error()->message);
        cr_expect_eq(tg_get(t, 0, 2), 3);
        cr_expect_eq(tg_get(t, 1, 0), 4);
        cr_expect(tg_is_contiguous(t));
        tg_free(t);
    }
    unlink(path);
}

/* The dict as Python would read it. */
Test(npy, load__reads_headers_of_other_writers, .init = make_path)
{
    static const char *const headers[] = {
        "{'shape':(1,1,),'fortran_order':True,'descr':'<f4'}",
        " { 'descr' : '<f4' , 'shape' : ( 1 , 1 ) , 'fortran_order' : False , } \n\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        tg_tensor *t;
        write_header(headers[i]);
        cr_assert_eq(tg_npy_load(path, &t), TG_OK, "%s", tg_last_error()->message);
        cr_expect(t->dtype == TG_F32 && t->shape.ndim == 2 && tg_numel(t) == 1);
        tg_free(t);
    }
    unlink(path);
}

Test(npy, save__takes_ordinary_tensors_alone, .init = make_path)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_step_begin();
    tg_tensor *sparse = tg_scatter_rows(tg_zeros(TG_F32, 0, 3), tg_zeros(TG_I64, 0), 4);
    tg_tensor *none[] = {sparse, tg_view(tg_zeros(TG_F32, 2), 3)};
    for (int i = 0; i < 2; i++) {
        tg_clear_error();
        cr_expect_eq(tg_npy_save(path, none[i]), TG_EMISUSE);
        expect_misuse(": an ordinary tensor expected");
    }
    tg_step_end();
    unlink(path);
}

Test(npy, load__refuses_other_files, .init = make_path)
{
    tg_tensor other, *t = &other;
    cr_expect_eq(tg_npy_load("/nowhere/x.npy", &t), TG_EIO);
    cr_expect_null(t);
    static const struct {
        size_t size;
        const char *bytes, *message;
    } bad[] = {
        {0, "", "does not begin as a file of numpy.save does"},
        {30, "PK\x03\x04 this is another kind of file", "does not begin as"},
        {7, "\x93NUMPY\x01", "does not begin as"},
        {17, "\x93NUMPY\x01\0\x10\0{'descr'", "the header is cut short or too long"},
        {10, "\x93NUMPY\x01\0\x01\x10", "the header is cut short or too long"},
        {14, "\x93NUMPY\x01\0\x04\0    ", "header     ; expected <f4, <f8 or <i8 and a shape"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_bytes(bad[i].bytes, bad[i].size);
        cr_expect_eq(tg_npy_load(path, &t), TG_EFORMAT, "%zu", i);
        cr_expect_eq(strncmp(tg_last_error()->message, path, strlen(path)), 0);
        cr_expect_not_null(strstr(tg_last_error()->message, bad[i].message), "%s",
                           tg_last_error()->message);
    }
    static const char *const headers[] = {
        "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", /* one is there */
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4294967296, 4294967296), }",
        "{'descr': '<f4', 'shape': (1,), }",
        "{'descr': '<f4x', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': <f4, 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': Trueish, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 1), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,) }x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        "{'more': \"'descr': '<f4', 'fortran_order': False, 'shape': (1,)\"}",
        "'descr': '<f4', 'fortran_order': False, 'shape': (1,)",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        write_header(headers[i]);
        cr_expect_eq(tg_npy_load(path, &t), TG_EFORMAT, "%s", headers[i]);
        cr_expect_null(t);
    }
    unlink(path);
}
