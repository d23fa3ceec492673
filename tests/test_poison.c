/*
 * What a rule reads is declared: after each sample call of each op, every tensor on the tape is
 * changed in place in turn. Then tg_backward reports misuse, or the gradients are what they were
 * without the change.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "autograd/ops-internal.h"
#include "nn/init.h"
#include "tests/op_samples.h"

typedef struct run {
    const op_sample *sample;
    tg_tensor *x[OP_SAMPLE_OPERANDS];      /* leaves */
    tg_tensor *before[OP_SAMPLE_OPERANDS]; /* their elements */
    tg_tensor *grad[OP_SAMPLE_OPERANDS];   /* as it is without a change; NULL for none */
} run;

static void begin(run *r, const op_sample *sample)
{
    *r = (run){.sample = sample};
    tg_manual_seed(5);
    for (int i = 0; i < sample->count; i++) {
        r->x[i] = tg_requires_grad(tg_owned_at(TG_HERE, TG_F64, sample->operand[i]));
        tg_fill_uniform(r->x[i], sample->low, sample->high);
        r->before[i] = tg_retain(r->x[i]);
    }
}

static void end(run *r)
{
    for (int i = 0; i < r->sample->count; i++) {
        tg_free(r->x[i]);
        tg_free(r->before[i]);
        tg_free(r->grad[i]);
    }
}

/* The sum of the call's result, weighted. */
static tg_tensor *loss_of(const run *r)
{
    tg_manual_seed(6); /* dropout draws the same again */
    tg_tensor *y = r->sample->apply(r->x);
    return tg_sum(tg_mul(y, tg_rand_at(TG_HERE, TG_F64, y->shape)));
}

/* Tensor number `wanted` among the operands and results on the tape, each once; NULL past the end. */
static tg_tensor *tensor_on_tape(int64_t wanted)
{
    enum { MOST = 256 };
    tg_tensor *seen[MOST];
    int64_t count = 0;
    for (int64_t i = 0; tg_tape_node(i); i++)
        for (int k = 0; k <= tg_tape_node(i)->nin; k++) {
            const tg_node *n = tg_tape_node(i);
            tg_tensor *t = k < n->nin ? n->in[k] : n->out;
            bool is_new = true;
            for (int64_t s = 0; s < count; s++)
                is_new = is_new && seen[s] != t;
            if (!is_new)
                continue;
            if (count == wanted)
                return t;
            cr_assert_lt(count, MOST);
            seen[count++] = t;
        }
    return NULL;
}

static bool is_same(const tg_tensor *a, const tg_tensor *b)
{
    if (!a || !b)
        return a == b;
    return memcmp(a->data, b->data, (size_t)tg_numel(a) * tg_dtype_size(a->dtype)) == 0;
}

/* Change one tensor between the call and tg_backward. Gives false where there is none, and whether
 * that was reported. */
static bool poison(run *r, int64_t which, bool *is_reported)
{
    tg_step_begin();
    tg_tensor *loss = loss_of(r), *t = tensor_on_tape(which);
    if (t && !t->rows && tg_numel(t) > 0)
        tg_no_grad tg_fill(t, t->dtype == TG_I64 ? 0 : 0.37);
    tg_clear_error(); /* what cannot be filled is as it was */
    if (t)
        tg_backward(loss);
    *is_reported = tg_last_error()->status == TG_EMISUSE;
    tg_clear_error();
    for (int i = 0; t && i < r->sample->count; i++) {
        tg_tensor *g = r->x[i]->grad ? tg_to_dense(r->x[i]->grad) : NULL;
        cr_expect(*is_reported || is_same(g, r->grad[i]),
                  "%s: operand %d, after a change of tensor %lld: neither misuse nor the same",
                  r->sample->call, i, (long long)which);
        tg_zero_grad_tensor(r->x[i]);
        tg_copy(r->x[i], r->before[i]);
    }
    tg_step_end();
    return t;
}

Test(poison, saved_values__are_guarded_or_not_read)
{
    tg_set_misuse(TG_MISUSE_RETURN);
    tg_set_default_dtype(TG_F64);
    int reported = 0, unread = 0;
    for (int s = 0; s < op_sample_count; s++) {
        run r;
        begin(&r, &op_samples[s]);
        tg_step_begin();
        tg_backward(loss_of(&r));
        for (int i = 0; i < r.sample->count; i++) {
            r.grad[i] = r.x[i]->grad ? tg_retain(tg_to_dense(r.x[i]->grad)) : NULL;
            tg_zero_grad_tensor(r.x[i]);
        }
        tg_step_end();
        bool is_reported;
        for (int64_t which = 0; poison(&r, which, &is_reported); which++)
            *(is_reported ? &reported : &unread) += 1;
        end(&r);
    }
    cr_expect(reported > 500 && unread > 500, "%d reported, %d unread", reported, unread);
}
