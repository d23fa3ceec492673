#include "autograd/ops-internal.h"

#define OP(name) &tg_op_##name,
const tg_op *const tg_op_table[] = {
#include "autograd/ops.def"
};
const int tg_op_count = sizeof tg_op_table / sizeof *tg_op_table;
