/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite_scalar.c: an operand that is a constant of one element becomes a number: kernels then hold it as an immediate
 * instead of loading it, and other rules (a square, an epsilon, the scale of scores) can see it. Filled matrices (the -1e4 of a
 * mask that an exporter wrote out) are numbers too; a vector stays what it is, as biases and gains often start uniform. */
#include "ir/in_place.h"
#include "passes/rule.h"
#include "runtime/scalar.h"
#include <math.h>
#include <string.h>

enum { FILLED_RANK = 2 };

static bool is_uniform(const fx_tensor *tensor)
{
    size_t width = fx_dtype_bytes(tensor->dtype), bytes = (size_t)fx_tensor_bytes(tensor);
    if (!fx_tensor_is_contiguous(tensor) || bytes == 0) return false;
    return memcmp(tensor->data, (const char *)tensor->data + width, bytes - width) == 0;
}

/* NaN has no text form as an argument, and a bool no arithmetic. */
static bool read_number(const fx_tensor *tensor, fx_attr *out)
{
    fx_dtype dtype = tensor->dtype;
    fx_imm imm = fx__scalar_load(dtype, tensor->data);
    if (dtype == FX_BOOL || (dtype == FX_U64 && imm.u > INT64_MAX)) return false;
    *out = fx_dtype_is_float(dtype) ? fx_float(imm.f) : fx_int(imm.i);
    return !fx_dtype_is_float(dtype) || !isnan(imm.f);
}

static bool constant_number(const fx_node *node, fx_attr *out)
{
    if (node->opcode != FX_GET_ATTR || !node->graph->module || fx__is_written_back(node)) return false;
    const fx_tensor *tensor = fx_module_tensor(node->graph->module, node->target);
    if (!tensor || !tensor->data) return false;
    bool one = fx_tensor_elems(tensor) == 1;
    return (one || tensor->rank >= FILLED_RANK) && is_uniform(tensor) && read_number(tensor, out);
}

/* Some tensor besides must be left, of the constant's own dtype: then a number takes part in the arithmetic as the tensor did. */
static bool has_partner(const fx_node *node, int32_t index, fx_dtype dtype)
{
    for (int32_t i = 0; i < node->args.n; i++) {
        const fx_node *other = i != index ? fx__rule_node(node, i) : NULL;
        const fx_type *type = other ? fx_node_type(other, 0) : NULL;
        if (type && type->dtype == dtype) return true;
    }
    return false;
}

static fx_status set_args(fx_node *node, fx_attr args)
{
    FX_TRY(fx_node_set_args(node, args, fx_none()));
    return fx__core_settle(node);
}

static fx_status replace_operand(fx_node *node, int32_t index, fx_attr number, bool *out_modified)
{
    fx_attr args[FX_PARAMS], old = node->args;
    fx_type type = node->result[0];
    for (int32_t i = 0; i < node->args.n; i++) args[i] = *fx__arg(node, i);
    args[index] = number;
    fx_attr tuple = fx_tuple(node->graph, args, old.n);
    if (tuple.kind == FX_ATTR_NONE) return FX_E_OOM;
    FX_TRY(set_args(node, tuple));
    if (!fx__type_equal(&type, &node->result[0])) return set_args(node, old); /* the constant gave the result its shape */
    *out_modified = true;
    return FX_OK;
}

static fx_status visit(fx_node *node, bool *out_modified)
{
    int32_t n = 0;
    const fx_param *params = fx__op_params(node->op, &n);
    for (int32_t i = 0; i < n && i < node->args.n; i++) {
        fx_attr number;
        const fx_node *operand = params[i].kind == FX_PARAM_OPERAND ? fx__rule_node(node, i) : NULL;
        const fx_type *type = operand ? fx_node_type(operand, 0) : NULL;
        if (type && has_partner(node, i, type->dtype) && constant_number(operand, &number))
            return replace_operand(node, i, number, out_modified);
    }
    return FX_OK;
}

fx_status fx__rewrite_scalars(fx_graph *graph, bool *out_modified)
{
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode == FX_CALL_FUNCTION && node->op && node->n_result == 1) FX_TRY(visit(node, out_modified));
    }
    return FX_OK;
}
