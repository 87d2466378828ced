/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/apply.h: how the generated bodies of fxjit/ops.h collect their arguments, one call per parameter of the schema in its
 * order, for fx_apply. */
#ifndef FX_FRONTEND_APPLY_H
#define FX_FRONTEND_APPLY_H

#include "fxjit/ops.h"
#include "ir/op.h"

enum { FX_APPLY_INTS = 64 }; /* entries of all integer lists of one call */

typedef struct fx_apply_args {
    const fx_op *op;
    const fx_param *param;
    fx_trace_arg arg[FX_PARAMS];
    int32_t n, n_ints;
    fx_attr ints[FX_APPLY_INTS];
} fx_apply_args;

void fx__apply_begin(fx_apply_args *a, const fx_op *op);
void fx__apply_default(fx_apply_args *a);
void fx__apply_tensor(fx_apply_args *a, fx_value value);
void fx__apply_tensors(fx_apply_args *a, fx_value_list list);
void fx__apply_number(fx_apply_args *a, fx_arg_value value); /* nothing given: the default */
void fx__apply_ints(fx_apply_args *a, fx_int_list list);     /* no items: the default */
void fx__apply_bool(fx_apply_args *a, bool value);
void fx__apply_dtype(fx_apply_args *a, fx_dtype value);
void fx__apply_dtype_option(fx_apply_args *a, const fx_dtype *value); /* NULL: the default */
void fx__apply_str(fx_apply_args *a, const char *value);              /* NULL: the default */
fx_value fx__apply_end(fx_apply_args *a, fx_loc loc);
fx_value fx__apply_end_in_place(fx_apply_args *a, fx_loc loc);

#endif
