/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_c.h: how an operator looks in C (fxjit/ops.h): its function's name, and the role of each parameter. The generator of that
 * header and the writer of C source agree by these. */
#ifndef FX_IR_OP_C_H
#define FX_IR_OP_C_H

#include "ir/op.h"

/* "relu", without "fx_"; "_to_copy" is written "to_copy". Returns out. */
const char *fx__op_c_name(const fx_op *op, char out[96]);
/* Whether another row has its function: ATen's _softmax beside softmax. */
bool fx__op_c_is_double(const fx_op *op);
/* Parameters that no C caller gives; that are arguments of the function; that are fields of its options. */
bool fx__op_c_is_hidden(const fx_param *param);
bool fx__op_c_is_positional(const fx_param *param);
bool fx__op_c_is_option(const fx_param *param);
/* A flag that is false unless given needs no third state: a bool. */
bool fx__op_c_is_flag(const fx_param *param);

#endif
