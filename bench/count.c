#include "bench/count.h"

#include <string.h>

#include "bench/job.h"
#include "models/scorer.h"

/* What the counter sees: everything that is called from here, and nothing else. */
__attribute__((noinline)) static void counted(void (*work)(void *context), void *context)
{
    work(context);
    __asm__ volatile(""); /* no tail call */
}

/* Chains of ops on one element, forward and backward. */
static void chains(void *context)
{
    for (int i = 0; i < 20; i++) {
        tg_step_begin();
        tg_tensor *y = context;
        for (int k = 0; k < 1000; k++)
            y = tg_tanh(y);
        tg_backward(y);
        tg_step_end();
    }
}

static void steps(job *j, int count)
{
    tg_tensor *user, *item, *rating;
    for (int i = 0; i < count && tg_loader_next(j->loader, &user, &item, &rating); i++) {
        tg_step_begin();
        tg_zero_grad(j->optimizer);
        tg_backward(tg_mse_loss(ncf_forward(j->model, user, item), rating));
        tg_optimizer_step(j->optimizer);
        tg_step_end();
    }
}

static void few_steps(void *context)
{
    steps(context, 5);
}

/* After some that warm up. */
static void train(const char *optimizer)
{
    job j = job_new(256, optimizer, true);
    steps(&j, 15);
    counted(few_steps, &j);
    job_end(&j);
}

static void score_user(void *context)
{
    static float score[1 << 13];
    scorer_score(context, 7, score);
}

static void score(void)
{
    job j = job_new(256, "adam", true);
    scorer *s = scorer_new(rating_model_find("ncf"), &j.model->base);
    counted(score_user, s);
    scorer_free(s);
    job_end(&j);
}

bool count_work(const char *name)
{
    tg_tensor *x = tg_requires_grad(tg_owned(TG_F32, 1));
    bool known = true;
    if (strcmp(name, "engine") == 0)
        counted(chains, x);
    else if (strcmp(name, "train") == 0)
        train("adam");
    else if (strcmp(name, "train-sparse") == 0)
        train("sparse-adam");
    else if (strcmp(name, "score") == 0)
        score();
    else
        known = false;
    tg_free(x);
    return known;
}
