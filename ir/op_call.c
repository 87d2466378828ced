/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_call.c: one use of an operator: reading its bound arguments, reporting its problems, inferring its result types. */
#include "ir/op.h"
#include <stdio.h>

/* ---- Reading arguments -------------------------------------------------------------------------------------------------- */

static const fx_type *node_type(const fx_attr *value)
{
    if (value->kind != FX_ATTR_NODE || value->u.node->n_result < 1) return NULL;
    return &value->u.node->result[0];
}

const fx_type *fx__call_type(const fx_call *call, int32_t index)
{
    return node_type(&call->arg[index]);
}

int32_t fx__call_list_count(const fx_call *call, int32_t index)
{
    const fx_attr *list = &call->arg[index];
    if (list->kind == FX_ATTR_NODE) return list->u.node->n_result;
    return list->kind == FX_ATTR_LIST || list->kind == FX_ATTR_TUPLE ? list->n : 0;
}

const fx_type *fx__call_list_type(const fx_call *call, int32_t index, int32_t i)
{
    const fx_attr *list = &call->arg[index];
    if (i >= fx__call_list_count(call, index)) return NULL;
    return list->kind == FX_ATTR_NODE ? &list->u.node->result[i] : node_type(&list->u.items[i]);
}

bool fx__call_is_none(const fx_call *call, int32_t index)
{
    return call->arg[index].kind == FX_ATTR_NONE;
}

int64_t fx__call_int(const fx_call *call, int32_t index)
{
    const fx_attr *value = &call->arg[index];
    if (value->kind == FX_ATTR_FLOAT) return (int64_t)value->u.f;
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL ? value->u.i : 0;
}

double fx__call_float(const fx_call *call, int32_t index)
{
    const fx_attr *value = &call->arg[index];
    return value->kind == FX_ATTR_FLOAT ? value->u.f : (double)fx__call_int(call, index);
}

bool fx__call_dtype(const fx_call *call, int32_t index, fx_dtype *out)
{
    const fx_attr *value = &call->arg[index];
    if (value->kind != FX_ATTR_DTYPE) return false;
    *out = value->u.dtype;
    return true;
}

static const char *param_name(const fx_call *call, int32_t index)
{
    int32_t n;
    const fx_param *params = fx__op_params(call->op, &n);
    return index < n ? params[index].name : "?";
}

static bool read_dim(const fx_attr *value, fx_dim *out)
{
    if (value->kind == FX_ATTR_INT)
        *out = value->u.i;
    else if (value->kind == FX_ATTR_SYMINT)
        *out = value->u.dim;
    else
        return false;
    return true;
}

static int32_t runtime_dim(const fx_call *call, int32_t index)
{
    fx__call_error(call, FX_E_UNSUPPORTED, "%s is only known at run time", param_name(call, index));
    return -1;
}

int32_t fx__call_dims(const fx_call *call, int32_t index, int32_t want, fx_dim out[FX_RANK])
{
    const fx_attr *value = &call->arg[index];
    fx_dim single;
    if (read_dim(value, &single)) {
        for (int32_t i = 0; i < want; i++) out[i] = single;
        return want;
    }
    if (value->kind == FX_ATTR_NODE) return runtime_dim(call, index);
    int32_t n = fx__call_list_count(call, index);
    if (n > FX_RANK) {
        fx__call_error(call, FX_E_SHAPE, "%s has %d entries; at most %d are possible", param_name(call, index), n, FX_RANK);
        return -1;
    }
    for (int32_t i = 0; i < n; i++)
        if (!read_dim(&value->u.items[i], &out[i])) return runtime_dim(call, index);
    if (n != 1 || want <= 1) return n;
    for (int32_t i = 1; i < want; i++) out[i] = out[0];
    return want;
}

int32_t fx__call_ints(const fx_call *call, int32_t index, int32_t want, int64_t out[FX_RANK])
{
    fx_dim dim[FX_RANK];
    int32_t n = fx__call_dims(call, index, want, dim);
    for (int32_t i = 0; i < n; i++) {
        if (!fx_dim_is_const(dim[i])) {
            fx__call_error(call, FX_E_UNSUPPORTED, "entry %d of %s is symbolic; a constant is needed", i, param_name(call, index));
            return -1;
        }
        out[i] = dim[i];
    }
    return n;
}

fx_status fx__call_error(const fx_call *call, fx_status status, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return fx__diag_node(call->node, status, "%s", what);
}

int32_t fx__call_axis(const fx_call *call, int64_t axis, int32_t rank)
{
    int64_t span = rank > 0 ? rank : 1; /* a 0-dim tensor has axis 0 and -1, as in torch */
    if (axis >= -span && axis < span) return (int32_t)(axis < 0 ? axis + span : axis);
    fx__call_error(call, FX_E_ARG, "dim %lld is outside a tensor of %d dims", (long long)axis, rank);
    return -1;
}

void fx__op_call(const fx_node *node, fx_call *out)
{
    *out = (fx_call){node->graph->context, node->graph->dims, node->op, node, node->args.u.items, {{0}}, node->n_result};
    for (int32_t r = 0; r < node->n_result; r++) out->result[r] = node->result[r];
}

/* ---- Inference ---------------------------------------------------------------------------------------------------------- */

static bool is_tensor_kind(fx_param_kind kind)
{
    return kind == FX_PARAM_TENSOR || kind == FX_PARAM_TENSORS || kind == FX_PARAM_OPERAND;
}

/* The node's first tensor; *out_missing is a tensor argument whose type is unknown. */
static const fx_type *first_tensor(const fx_call *call, const fx_node **out_missing)
{
    int32_t n;
    const fx_param *params = fx__op_params(call->op, &n);
    const fx_type *first = NULL;
    *out_missing = NULL;
    for (int32_t p = 0; p < n; p++) {
        if (!is_tensor_kind(params[p].kind)) continue;
        bool is_list = call->arg[p].kind == FX_ATTR_LIST;
        const fx_attr *items = is_list ? call->arg[p].u.items : &call->arg[p];
        int32_t count = is_list ? call->arg[p].n : 1;
        for (int32_t i = 0; i < count; i++) {
            const fx_type *type = node_type(&items[i]);
            if (!type && items[i].kind == FX_ATTR_NODE && !*out_missing) *out_missing = items[i].u.node;
            if (!first) first = type;
        }
    }
    return first;
}

/* A tuple, even of one tensor, is no tensor; only a list of tensors may be one. */
static fx_status check_no_tuple(const fx_call *call)
{
    int32_t n;
    const fx_param *params = fx__op_params(call->op, &n);
    for (int32_t p = 0; p < n; p++) {
        bool is_list = call->arg[p].kind == FX_ATTR_LIST;
        const fx_attr *items = is_list ? call->arg[p].u.items : &call->arg[p];
        if (!is_tensor_kind(params[p].kind) || (params[p].kind == FX_PARAM_TENSORS && !is_list)) continue;
        for (int32_t i = 0; i < (is_list ? call->arg[p].n : 1); i++) {
            const fx_op *op = items[i].kind == FX_ATTR_NODE ? fx__op_of(items[i].u.node) : NULL;
            if (op && fx__op_schema_results(op) != 1)
                return fx__call_error(call, FX_E_TYPE, "%s is the tuple %s, expected a tensor", params[p].name, items[i].u.node->name);
        }
    }
    return FX_OK;
}

static fx_status check_dtype(const fx_call *call, const fx_type *type)
{
    if (call->op->dtypes & (1u << type->dtype)) return FX_OK;
    return fx__call_error(call, FX_E_TYPE, "%s is not defined on %s", call->op->name, fx_dtype_name(type->dtype));
}

static fx_status check_results(const fx_call *call)
{
    for (int32_t r = 0; r < call->n_results; r++)
        for (int32_t d = 0; d < call->result[r].rank; d++) {
            fx_dim dim = call->result[r].dim[d];
            if (dim == FX_DIM_BAD) return fx__call_error(call, FX_E_SHAPE, "dim %d of result %d overflows", d, r);
            if (fx_dim_is_const(dim) && dim < 0)
                return fx__call_error(call, FX_E_SHAPE, "dim %d of result %d would be %lld", d, r, (long long)dim);
        }
    return FX_OK;
}

static fx_status infer(fx_call *call)
{
    const fx_node *missing;
    const fx_type *first = first_tensor(call, &missing);
    if (missing) return fx__call_error(call, FX_E_SHAPE, "the type of its input %s is not known", missing->name);
    FX_TRY(check_no_tuple(call));
    if (first) FX_TRY(check_dtype(call, first));
    call->n_results = fx__op_schema_results(call->op);
    FX_TRY(call->op->dtype ? call->op->dtype(call) : fx__rule_dtype_same(call));
    FX_TRY(call->op->shape ? call->op->shape(call) : fx__rule_shape_same(call));
    if (!first && call->n_results > 0) FX_TRY(check_dtype(call, &call->result[0]));
    return check_results(call);
}

/* Nodes that a pass has just made in a core graph may still lean on defaults. */
static bool is_bound(const fx_node *node, const fx_op *op)
{
    int32_t n;
    fx__op_params(op, &n);
    return node->args.n == n && node->kwargs.n == 0;
}

fx_status fx__op_infer(fx_node *node)
{
    fx_graph *graph = node->graph;
    fx_attr bound[FX_PARAMS];
    fx_call call = {graph->context, graph->dims, fx__op_of(node), node, bound, {{0}}, 0};
    if (!call.op) return fx__diag_node(node, FX_E_UNSUPPORTED, "no operator of the table");
    if (graph->core && is_bound(node, call.op))
        call.arg = node->args.u.items;
    else
        FX_TRY(fx__op_bind(graph, node, call.op, bound));
    FX_TRY(infer(&call));
    fx_type *result = FX_NEW_ARRAY(graph->arena, fx_type, call.n_results > 0 ? call.n_results : 1);
    if (!result) return FX_E_OOM;
    for (int32_t r = 0; r < call.n_results; r++) result[r] = call.result[r];
    node->result = result;
    node->n_result = call.n_results;
    return FX_OK;
}
