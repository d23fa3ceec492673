#include "models/exercise/my_simplecf.h"

my_simplecf *my_simplecf_new(int64_t users, int64_t items, int64_t output_dim, double dropout)
{
    my_simplecf *m = tg_module_new(my_simplecf);
    m->user_emb = tg_child(m, "user_emb", tg_embedding_new(users, 4 * output_dim));
    /* Your code here, 1 of 2: item_emb, linear_1, linear_2 and linear_3, in the same way. */
    (void)items;
    m->dropout = dropout;
    return m;
}

tg_tensor *my_simplecf_forward(my_simplecf *m, tg_tensor *user, tg_tensor *item)
{
    /* Your code here, 2 of 2: look up, join, and go through the layers; in place of these lines. */
    (void)m, (void)user, (void)item;
    return tg_misuse(TG_HERE, "my_simplecf_forward", "not written yet");
}
