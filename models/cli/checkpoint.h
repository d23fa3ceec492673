/*
 * checkpoint.h: training that can go on after an interruption, to the same bits
 *
 * The file, safetensors, is written at the end of an epoch and holds what the next one depends on:
 * the parameters, the optimiser's state, the generator's position, the epoch chosen so far with its
 * weights, the history; and the settings, as words. The order of the samples is a function of seed
 * and epoch. What an interrupted epoch had done is done again.
 */
#ifndef NCF_CHECKPOINT_H
#define NCF_CHECKPOINT_H

#include "models/cli/trainer.h"

/* tg_last_error() has the reason of a failure. */
tg_status checkpoint_save(trainer *t, const char *path);

/* The file's contents; the settings are a note of it. */
tg_status checkpoint_load(const char *path, tg_state_dict *state);

/* The plan's `stop` then. */
int64_t checkpoint_stop(const tg_state_dict *state);

/* Let a new trainer go on from there. TG_EFORMAT where its model or its data are others. */
tg_status checkpoint_resume(trainer *t, const char *path, const tg_state_dict *state);

#endif
