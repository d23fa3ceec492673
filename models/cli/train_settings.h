/*
 * train_settings.h: what ncf train is asked for: options, presets, and the settings of a checkpoint
 */
#ifndef NCF_TRAIN_SETTINGS_H
#define NCF_TRAIN_SETTINGS_H

#include "models/cli/trainer.h"

typedef struct train_settings {
    data_options data;
    training_plan plan;
    const char *preset, *task, *model, *layers, *init, *titles, *load, *init_gmf, *init_mlp;
    const char *save;
    int64_t seed, threads;
    model_options options;
    bool clamp, biases, refit;
    char *line;         /* the options that decide what comes out, as words */
    char *given;        /* words of a preset or a checkpoint, in which the texts above may lie */
    tg_state_dict from; /* the checkpoint to go on from; empty where there is none */
} train_settings;

/* Read them from the command line; a preset, or a checkpoint where it says --resume, stands before
 * its words. What is set is said on stderr, as are mistakes. An exit status; *done where nothing
 * more is to be done. */
int train_settings_read(train_settings *s, int argc, char **argv, bool *done);
void train_settings_release(train_settings *s);

#endif
