/*
 * cli.h: the sub-commands; argv[0] is the first word after the command's name, the result an exit
 * status
 */
#ifndef NCF_CLI_H
#define NCF_CLI_H

int train_command(int argc, char **argv);
int evaluate_command(int argc, char **argv);
int predict_command(int argc, char **argv);
int recommend_command(int argc, char **argv);
int similar_command(int argc, char **argv);
int explain_command(int argc, char **argv);
int export_command(int argc, char **argv);
int info_command(int argc, char **argv);
int plot_command(int argc, char **argv);
int report_command(int argc, char **argv);

#endif
