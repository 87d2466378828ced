/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_c.c: names and roles of operators and parameters in C. */
#include "ir/op_c.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A list of floats is one way of several to say something; C says it with the row that takes them one by one. */
bool fx__op_c_is_hidden(const fx_param *param)
{
    return param->kind == FX_PARAM_OTHER || param->kind == FX_PARAM_FLOATS;
}
bool fx__op_c_is_positional(const fx_param *param)
{
    return !fx__op_c_is_hidden(param) && (!param->has_default || param->kind == FX_PARAM_TENSOR);
}
bool fx__op_c_is_option(const fx_param *param)
{
    return !fx__op_c_is_hidden(param) && !fx__op_c_is_positional(param);
}
bool fx__op_c_is_flag(const fx_param *param)
{
    return param->kind == FX_PARAM_BOOL && param->fallback.kind == FX_ATTR_BOOL && !param->fallback.u.i;
}

/* fxjit/graph.h has these names already; the overload tells them apart: fx_slice_tensor. */
static bool is_taken(const char *name)
{
    static const char *const taken[] = {"slice", "list", "tuple", "dict", "range", "index",   "none",
                                        "bool",  "int",  "float", "str",  "at",    "complex", "device"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(taken[i], name) == 0) return true;
    return false;
}

const char *fx__op_c_name(const fx_op *op, char out[96])
{
    const char *name = op->name[0] == '_' ? op->name + 1 : op->name;
    const char *overload = strrchr(op->target, '.');
    snprintf(out, 96, is_taken(name) && overload ? "%s_%s" : "%s", name, overload ? overload + 1 : "");
    for (char *c = out; *c; c++) *c = (char)tolower((unsigned char)*c);
    return out;
}

bool fx__op_c_is_double(const fx_op *op)
{
    return op->name[0] == '_' && fx__op_find(op->name + 1) != NULL;
}
