/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/apply.c: collects the arguments of one call of fxjit/ops.h. */
#include "frontend/apply.h"

void fx__apply_begin(fx_apply_args *a, const fx_op *op)
{
    int32_t n;
    *a = (fx_apply_args){.op = op};
    a->param = fx__op_params(op, &n);
}

static void put(fx_apply_args *a, fx_attr attr)
{
    a->arg[a->n++] = (fx_trace_arg){.kind = FX_ARG_ATTR, .attr = attr};
}

/* A parameter without default is None: fx_apply says what is missing. */
void fx__apply_default(fx_apply_args *a)
{
    const fx_param *param = &a->param[a->n];
    put(a, param->has_default ? param->fallback : fx_none());
}

void fx__apply_tensor(fx_apply_args *a, fx_value value)
{
    a->arg[a->n++] = (fx_trace_arg){.kind = FX_ARG_VALUE, .value = value};
}

void fx__apply_tensors(fx_apply_args *a, fx_value_list list)
{
    a->arg[a->n++] = (fx_trace_arg){.kind = FX_ARG_VALUES, .values = list.items, .n = list.n};
}

void fx__apply_number(fx_apply_args *a, fx_arg_value value)
{
    switch (value.kind) {
    case FX_GIVEN_VALUE:
        fx__apply_tensor(a, value.value);
        break;
    case FX_GIVEN_INT:
        put(a, fx_dim_attr(value.i));
        break;
    case FX_GIVEN_FLOAT:
        put(a, fx_float(value.f));
        break;
    default:
        fx__apply_default(a);
    }
}

/* A list without end is None: binding says what it expected. */
void fx__apply_ints(fx_apply_args *a, fx_int_list list)
{
    fx_attr *items = a->ints + a->n_ints;
    if (!list.items) {
        fx__apply_default(a);
        return;
    }
    bool fits = list.n >= 0 && list.n <= FX_APPLY_INTS - a->n_ints;
    for (int32_t i = 0; fits && i < list.n; i++) items[i] = fx_dim_attr(list.items[i]);
    a->n_ints += fits ? list.n : 0;
    put(a, fits ? (fx_attr){.kind = FX_ATTR_LIST, .n = list.n, .u.items = items} : fx_none());
}

void fx__apply_bool(fx_apply_args *a, bool value)
{
    put(a, fx_bool(value));
}
void fx__apply_dtype(fx_apply_args *a, fx_dtype value)
{
    put(a, fx_dtype_attr(value));
}

void fx__apply_dtype_option(fx_apply_args *a, const fx_dtype *value)
{
    if (value)
        fx__apply_dtype(a, *value);
    else
        fx__apply_default(a);
}

void fx__apply_str(fx_apply_args *a, const char *value)
{
    if (value)
        put(a, (fx_attr){.kind = FX_ATTR_STR, .u.s = value});
    else
        fx__apply_default(a);
}

fx_value fx__apply_end(fx_apply_args *a, fx_loc loc)
{
    return fx_apply(a->op, a->arg, a->n, loc);
}

fx_value fx__apply_end_in_place(fx_apply_args *a, fx_loc loc)
{
    return fx_apply_in_place(a->op, a->arg, a->n, loc);
}
