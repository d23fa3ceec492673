#include "models/cli/samples.h"

#include <stdlib.h>

/* Streams of random numbers: one for the negatives of each epoch. */
static const uint64_t NEGATIVE_STREAM = UINT64_C(0x2E6A71) << 32;

struct samples {
    const recommender *r;
    const tg_dataset *train;
    samples_options options;
    tg_dataset numbers; /* ranking: of samples; number n is of training pair n / (negatives + 1) */
    tg_loader *loader;  /* of train, or of numbers */
    int64_t epoch;
};

samples *samples_new(const recommender *r, const tg_dataset *train, samples_options options)
{
    samples *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (samples){.r = r, .train = train, .options = options};
    if (r->task == TASK_RANKING) {
        s->numbers = tg_dataset_of(tg_owned(TG_I64, train->count * (1 + options.negatives)));
        int64_t *number = tg_dataset_rows(&s->numbers, 0);
        for (int64_t n = 0; n < s->numbers.count; n++)
            number[n] = n;
    }
    s->loader = tg_loader_new(r->task == TASK_RANKING ? &s->numbers : train, options.batch_size,
                              .shuffle = options.shuffle, .seed = options.seed);
    return s;
}

void samples_free(samples *s)
{
    if (!s)
        return;
    tg_loader_free(s->loader);
    tg_dataset_release(&s->numbers);
    free(s);
}

int64_t samples_count(const samples *s)
{
    return s->r->task == TASK_RANKING ? s->numbers.count : s->train->count;
}

int64_t samples_batches(const samples *s)
{
    return tg_loader_batches(s->loader);
}

void samples_set_epoch(samples *s, int64_t epoch)
{
    s->epoch = epoch;
    tg_loader_set_epoch(s->loader, epoch);
}

/* The unseen items by number are 0, 1, ... without those seen: before the j-th of these there are
 * item[j] - j of them. */
int64_t draw_unseen(const recommender *r, int64_t user, tg_rng *rng)
{
    const seen_items seen = recommender_seen(r, user);
    const int64_t unseen = r->items.count - seen.count;
    if (unseen == 0)
        return -1;
    const int64_t k = (int64_t)tg_rng_below(rng, (uint64_t)unseen);
    int64_t low = 0, high = seen.count; /* the first j of item[j] - j > k is among these */
    while (low < high) {
        const int64_t j = low + (high - low) / 2;
        if (seen.item[j] - j > k)
            high = j;
        else
            low = j + 1;
    }
    return k + low;
}

/* The pairs of sample numbers: number n is pair n / (negatives + 1), and where that leaves a
 * remainder a negative of its user. */
static void draw_batch(const samples *s, const tg_tensor *numbers, tg_tensor *user, tg_tensor *item,
                       tg_tensor *target)
{
    enum { POSITION_BITS = 8 }; /* room for the few blocks that a draw may take */
    const int64_t *of_user = tg_dataset_rows(s->train, TG_USER);
    const int64_t *of_item = tg_dataset_rows(s->train, TG_ITEM);
    const int64_t *number = numbers->data, each = s->options.negatives + 1;
    for (int64_t i = 0; i < tg_numel(numbers); i++) {
        const int64_t pair = number[i] / each;
        tg_rng rng = {.seed = s->options.seed,
                      .stream = NEGATIVE_STREAM + (uint64_t)s->epoch,
                      .position = (uint64_t)number[i] << POSITION_BITS};
        const int64_t other = number[i] % each ? draw_unseen(s->r, of_user[pair], &rng) : -1;
        ((int64_t *)user->data)[i] = of_user[pair];
        ((int64_t *)item->data)[i] = other >= 0 ? other : of_item[pair];
        ((float *)target->data)[i] = other >= 0 ? 0 : 1;
    }
}

bool samples_next(samples *s, tg_tensor **user, tg_tensor **item, tg_tensor **target)
{
    tg_tensor *numbers;
    const bool is_ranking = s->r->task == TASK_RANKING;
    const bool more = is_ranking ? tg_loader_next(s->loader, &numbers)
                                 : tg_loader_next(s->loader, user, item, target);
    if (!more) {
        s->epoch++;
        return false;
    }
    if (is_ranking) {
        const int64_t size = tg_size(numbers, 0);
        *user = tg_empty(TG_I64, size);
        *item = tg_empty(TG_I64, size);
        *target = tg_empty(TG_F32, size);
        draw_batch(s, numbers, *user, *item, *target);
    }
    return true;
}
