/*
 * sections.h: the parts of the benchmark; each prints a table
 */
#ifndef BENCH_SECTIONS_H
#define BENCH_SECTIONS_H

void bench_products(void); /* kernel_speed.c */
void bench_adam(void);
void bench_functions(void);
void bench_engine(void); /* bench.c */
void bench_parts(void);  /* parts.c: where the time of a training step goes */
void bench_training(void); /* training.c */
void bench_mlp(void);
void bench_growth(void);
void bench_scoring(void);
void bench_reading(void);

/* One number for compare.sh; exit statuses, 2 after a wrong option. */
int train_command(int argc, char **argv);
int score_command(void);

/* Answers bench/ops.py. */
int ops_command(void); /* ops.c */

#endif
