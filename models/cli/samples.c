#include "models/cli/samples.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers: one for the negatives of each epoch. */
static const uint64_t NEGATIVE_STREAM = UINT64_C(0x2E6A71) << 32;

/* So many batches are drawn at once, and so many blocks of them are held: one is trained on while
 * the next one is drawn. */
enum { BATCHES = 32, BLOCKS = 2 };

typedef struct block {
    int64_t count, given; /* samples drawn, and those of them given out */
    bool is_last;         /* of its epoch */
    int64_t *user, *item; /* (BATCHES * batch_size, or all samples) */
    float *target;        /* the same */
} block;

struct samples {
    const recommender *r;
    const tg_dataset *train;
    samples_options options;
    tg_dataset numbers; /* ranking: of samples; number n is of training pair n / (negatives + 1) */
    tg_loader *loader;  /* of train, or of numbers */

    /* Of ranking. While there is a thread, it alone draws: loader, epoch and the blocks from number
     * `taken` on that are not yet counted in `drawn` are its own. */
    int64_t epoch; /* that is drawn */
    block block[BLOCKS];
    int64_t drawn, taken; /* blocks so far; number n is block[n % BLOCKS] */
    bool has_thread, stops;
    pthread_t thread;
    pthread_mutex_t lock; /* of drawn, taken and stops */
    pthread_cond_t changed;
};

/* ---- drawing --------------------------------------------------------------------------------- */

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

/* Add the pairs of sample numbers: number n is pair n / (negatives + 1), and where that leaves a
 * remainder a negative of its user. */
static void draw_batch(const samples *s, const tg_tensor *numbers, block *b)
{
    enum { POSITION_BITS = 8 }; /* room for the few blocks that a draw may take */
    const int64_t *of_user = tg_dataset_rows(s->train, TG_USER);
    const int64_t *of_item = tg_dataset_rows(s->train, TG_ITEM);
    const int64_t *number = numbers->data, each = s->options.negatives + 1;
    for (int64_t i = 0; i < tg_numel(numbers); i++, b->count++) {
        const int64_t pair = number[i] / each;
        tg_rng rng = {.seed = s->options.seed,
                      .stream = NEGATIVE_STREAM + (uint64_t)s->epoch,
                      .position = (uint64_t)number[i] << POSITION_BITS};
        const int64_t other = number[i] % each ? draw_unseen(s->r, of_user[pair], &rng) : -1;
        b->user[b->count] = of_user[pair];
        b->item[b->count] = other >= 0 ? other : of_item[pair];
        b->target[b->count] = other >= 0 ? 0 : 1;
    }
}

static void draw_block(samples *s, block *b)
{
    tg_tensor *numbers;
    b->count = b->given = 0;
    b->is_last = false;
    for (int i = 0; i < BATCHES && !b->is_last; i++) {
        b->is_last = !tg_loader_next(s->loader, &numbers);
        if (!b->is_last)
            draw_batch(s, numbers, b);
    }
    s->epoch += b->is_last;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void *draw_ahead(void *context)
{
    samples *s = context;
    pthread_mutex_lock(&s->lock);
    while (!s->stops) {
        if (s->drawn == s->taken + BLOCKS) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        draw_block(s, &s->block[s->drawn % BLOCKS]);
        pthread_mutex_lock(&s->lock);
        s->drawn++;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void stop_thread(samples *s)
{
    if (!s->has_thread)
        return;
    pthread_mutex_lock(&s->lock);
    s->stops = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->has_thread = s->stops = false;
}

/* Block number `taken`, once it is drawn. */
static block *next_block(samples *s)
{
    if (!s->has_thread && tg_num_threads() > 1)
        s->has_thread = pthread_create(&s->thread, NULL, draw_ahead, s) == 0;
    pthread_mutex_lock(&s->lock);
    while (s->drawn == s->taken && s->has_thread)
        pthread_cond_wait(&s->changed, &s->lock);
    if (s->drawn == s->taken)
        draw_block(s, &s->block[s->drawn++ % BLOCKS]);
    block *b = &s->block[s->taken % BLOCKS];
    pthread_mutex_unlock(&s->lock);
    return b;
}

static void take_block(samples *s)
{
    pthread_mutex_lock(&s->lock);
    s->taken++;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* ---- samples --------------------------------------------------------------------------------- */

/* False without memory. */
static bool make_blocks(samples *s)
{
    const int64_t all = s->numbers.count;
    const size_t room = 1 + (size_t)(s->options.batch_size > all / BATCHES
                                         ? all
                                         : BATCHES * s->options.batch_size);
    bool has_memory = true;
    for (int i = 0; i < BLOCKS; i++) {
        block *b = &s->block[i];
        *b = (block){.user = malloc(room * sizeof *b->user),
                     .item = malloc(room * sizeof *b->item),
                     .target = malloc(room * sizeof *b->target)};
        has_memory = has_memory && b->user && b->item && b->target;
    }
    return has_memory;
}

samples *samples_new(const recommender *r, const tg_dataset *train, samples_options options)
{
    samples *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    *s = (samples){.r = r, .train = train, .options = options};
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    if (r->task == TASK_RANKING) {
        s->numbers = tg_dataset_of(tg_owned(TG_I64, train->count * (1 + options.negatives)));
        int64_t *number = tg_dataset_rows(&s->numbers, 0);
        for (int64_t n = 0; n < s->numbers.count; n++)
            number[n] = n;
    }
    s->loader = tg_loader_new(r->task == TASK_RANKING ? &s->numbers : train, options.batch_size,
                              .shuffle = options.shuffle, .seed = options.seed);
    if (r->task == TASK_RANKING && !make_blocks(s)) {
        samples_free(s);
        return NULL;
    }
    return s;
}

void samples_free(samples *s)
{
    if (!s)
        return;
    stop_thread(s);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    for (int i = 0; i < BLOCKS; i++) {
        free(s->block[i].user);
        free(s->block[i].item);
        free(s->block[i].target);
    }
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
    stop_thread(s);
    s->taken = s->drawn;
    s->epoch = epoch;
    tg_loader_set_epoch(s->loader, epoch);
}

bool samples_next(samples *s, tg_tensor **user, tg_tensor **item, tg_tensor **target)
{
    if (s->r->task != TASK_RANKING)
        return tg_loader_next(s->loader, user, item, target);
    block *b = next_block(s);
    if (b->given == b->count && !b->is_last) {
        take_block(s);
        b = next_block(s);
    }
    if (b->given == b->count) {
        take_block(s);
        return false;
    }
    const int64_t left = b->count - b->given;
    const int64_t size = left < s->options.batch_size ? left : s->options.batch_size;
    *user = tg_empty(TG_I64, size);
    *item = tg_empty(TG_I64, size);
    *target = tg_empty(TG_F32, size);
    memcpy((*user)->data, b->user + b->given, (size_t)size * sizeof *b->user);
    memcpy((*item)->data, b->item + b->given, (size_t)size * sizeof *b->item);
    memcpy((*target)->data, b->target + b->given, (size_t)size * sizeof *b->target);
    b->given += size;
    return true;
}
