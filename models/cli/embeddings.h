/*
 * embeddings.h: the vectors that a model has of its users or items
 */
#ifndef NCF_EMBEDDINGS_H
#define NCF_EMBEDDINGS_H

#include "tapegrad.h"

enum { MAX_EMBEDDINGS = 8 };

/* A model's tables of users or of items, (n, width) each, in the order of its state_dict: those
 * whose name has "user_" or "item_" in it. */
typedef struct embeddings {
    int tables;
    int64_t dim; /* the widths together */
    char name[MAX_EMBEDDINGS][64]; /* "GMF_layers.item_emb" */
    tg_tensor *table[MAX_EMBEDDINGS];
} embeddings;

typedef enum model_side { SIDE_USER, SIDE_ITEM } model_side;
embeddings embeddings_of(const tg_module *m, model_side side);

int64_t embeddings_width(const embeddings *e, int table);

/* The table of the vectors whose likeness means most: those that are multiplied with the other
 * side's, where the model has such (the first one *_emb). An MLP's begin with N(0, 1) and keep much
 * of that. */
int embeddings_to_compare(const embeddings *e);

/* The row of all tables, one behind the other: (dim). */
void embeddings_row(const embeddings *e, int64_t row, float *vector);

#endif
