/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_call.c: one node on concrete tensors: its bound arguments in run-time form, memory for its results, its reference
 * kernel. */
#include "ir/interp.h"
#include <stdlib.h>
#include <string.h>

/* ---- Arguments ------------------------------------------------------------------------------------------------------------ */

typedef struct builder {
    const fx_interp_source *source;
    int64_t *ints;
    fx_tensor *tensors;
} builder;

static bool is_list(const fx_attr *value)
{
    return value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
}

static bool read_number(const fx_tensor *tensor, int64_t *out)
{
    if (!tensor || tensor->rank != 0) return false;
    if (tensor->dtype == FX_I64) return memcpy(out, tensor->data, sizeof *out), true; /* not every one is a double */
    double value = fx_tensor_get(tensor, 0);
    *out = value >= -0x1p63 && value < 0x1p63 ? (int64_t)value : 0;
    return value >= -0x1p63 && value < 0x1p63;
}

/* An integer that is constant, symbolic, or the value of a 0-dim tensor. */
static bool read_int(const fx_interp_source *source, const fx_attr *value, int64_t *out)
{
    if (value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL) return *out = value->u.i, true;
    if (value->kind == FX_ATTR_NODE) return read_number(source->tensor(source->user, value->u.node, 0), out);
    if (value->kind != FX_ATTR_SYMINT || !source->syms) return false;
    *out = fx__dim_eval(source->dims, value->u.dim, source->syms);
    return *out != INT64_MIN;
}

static bool put_ints(builder *b, const fx_attr *list, fx_rt_arg *out)
{
    *out = (fx_rt_arg){.kind = FX_RT_INTS, .n = list->n, .u.ints = b->ints};
    for (int32_t i = 0; i < list->n; i++)
        if (!read_int(b->source, &list->u.items[i], b->ints++)) return false;
    return true;
}

/* One after the other where the integers stand. */
static void put_floats(builder *b, const fx_attr *list, fx_rt_arg *out)
{
    double *floats = (double *)(void *)b->ints;
    *out = (fx_rt_arg){.kind = FX_RT_FLOATS, .n = list->n, .u.floats = floats};
    for (int32_t i = 0; i < list->n; i++) floats[i] = list->u.items[i].u.f;
    b->ints += list->n;
}

static void put_element(builder *b, const fx_node *node, int32_t result)
{
    const fx_tensor *tensor = node ? b->source->tensor(b->source->user, node, result) : NULL;
    *b->tensors++ = tensor ? *tensor : (fx_tensor){0};
}

/* A list of nodes (None: no data), or one node with several results. */
static void put_tensors(builder *b, const fx_attr *value, fx_rt_arg *out)
{
    bool one = value->kind == FX_ATTR_NODE;
    int32_t n = one ? value->u.node->n_result : value->n;
    *out = (fx_rt_arg){.kind = FX_RT_TENSORS, .n = n, .u.tensor = b->tensors};
    for (int32_t i = 0; i < n; i++) {
        const fx_attr *item = one ? value : &value->u.items[i];
        put_element(b, item->kind == FX_ATTR_NODE ? item->u.node : NULL, one ? i : 0);
    }
}

static void put_tensor(builder *b, const fx_node *node, fx_rt_arg *out)
{
    const fx_tensor *tensor = b->source->tensor(b->source->user, node, 0);
    if (!tensor) return;
    *out = (fx_rt_arg){.kind = FX_RT_TENSOR, .n = 1, .u.tensor = b->tensors};
    *b->tensors++ = *tensor;
}

/* A node whose results are a tuple, were it of one element; only getitem takes these. */
static bool is_tuple(const fx_attr *value)
{
    const fx_op *op = value->kind == FX_ATTR_NODE ? fx__op_of(value->u.node) : NULL;
    return op && fx__op_schema_results(op) != 1;
}

static bool takes_tensor(fx_param_kind kind)
{
    return kind == FX_PARAM_TENSOR || kind == FX_PARAM_OPERAND;
}

static bool put(builder *b, fx_param_kind kind, const fx_attr *value, fx_rt_arg *out)
{
    *out = (fx_rt_arg){.kind = FX_RT_NONE};
    if (value->kind == FX_ATTR_NONE || kind == FX_PARAM_OTHER) return true;
    if (kind == FX_PARAM_FLOATS && is_list(value)) return put_floats(b, value, out), true;
    if (kind == FX_PARAM_TENSORS || is_tuple(value)) return put_tensors(b, value, out), true;
    if (takes_tensor(kind) && value->kind == FX_ATTR_NODE) return put_tensor(b, value->u.node, out), true;
    switch (value->kind) {
    case FX_ATTR_FLOAT:
        *out = (fx_rt_arg){.kind = FX_RT_FLOAT, .u.f = value->u.f};
        return true;
    case FX_ATTR_STR:
        *out = (fx_rt_arg){.kind = FX_RT_STR, .u.s = value->u.s};
        return true;
    case FX_ATTR_DTYPE:
        *out = (fx_rt_arg){.kind = FX_RT_DTYPE, .u.dtype = value->u.dtype};
        return true;
    case FX_ATTR_LIST:
    case FX_ATTR_TUPLE:
        return put_ints(b, value, out);
    default:
        out->kind = FX_RT_INT;
        return read_int(b->source, value, &out->u.i);
    }
}

/* Enough for every list and every tensor of the call. */
static size_t count_items(const fx_attr *bound, int32_t n)
{
    size_t count = 1;
    for (int32_t p = 0; p < n; p++) {
        if (is_list(&bound[p]))
            count += (size_t)bound[p].n;
        else
            count += bound[p].kind == FX_ATTR_NODE ? (size_t)bound[p].u.node->n_result + 1 : 0;
    }
    return count;
}

fx_status fx__interp_args_build(const fx_op *op, const fx_attr *bound, const fx_interp_source *source, fx_interp_args *out)
{
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    size_t items = count_items(bound, n);
    out->memory = malloc(items * (sizeof(fx_tensor) + sizeof(int64_t)));
    if (!out->memory) return FX_E_OOM;
    builder b = {source, NULL, out->memory};
    b.ints = (int64_t *)(void *)(b.tensors + items);
    for (int32_t p = 0; p < n; p++)
        if (!put(&b, params[p].kind, &bound[p], &out->arg[p])) {
            fx__interp_args_free(out);
            return FX_E_ARG;
        }
    return FX_OK;
}

void fx__interp_args_free(fx_interp_args *args)
{
    free(args->memory);
    args->memory = NULL;
}

fx_status fx__interp_fail(const fx_node *node, const fx_op *op, const fx_attr *bound, fx_status status)
{
    if (status == FX_E_GUARD && op == fx__op(FX_OP__assert_async))
        return fx__diag_assertion(node->graph->context, node, bound[1].kind == FX_ATTR_STR ? bound[1].u.s : "");
    return fx__diag_node(node, status, "%s", fx_status_text(status));
}

/* ---- One node ------------------------------------------------------------------------------------------------------------- */

typedef struct node_inputs {
    const fx_node *node;
    const fx_tensor *tensors;
} node_inputs;

static const fx_tensor *input_tensor(void *user, const fx_node *node, int32_t result)
{
    const node_inputs *in = user;
    int32_t at = 0;
    for (int32_t i = 0; i < in->node->n_inputs; i++) {
        if (in->node->inputs[i] == node) return &in->tensors[at + result];
        at += in->node->inputs[i]->n_result;
    }
    return NULL;
}

static void release(fx_tensor *results, uint32_t allocated)
{
    for (int32_t r = 0; r < FX_RESULTS; r++)
        if (allocated >> r & 1) fx_tensor_release(&results[r]);
}

static fx_status allocate(const fx_node *node, fx_tensor *results, uint32_t *out_allocated)
{
    *out_allocated = 0;
    for (int32_t r = 0; r < node->n_result; r++) {
        const fx_type *type = &node->result[r];
        if (results[r].data) continue;
        fx_status status =
            fx_tensor_alloc(type->dtype, type->rank, type->dim, &results[r]); /* a symbol is a negative dim: refused */
        if (status != FX_OK) return status;
        *out_allocated |= 1u << r;
    }
    return FX_OK;
}

fx_status fx__interp_node(const fx_node *node, const fx_tensor *inputs, fx_tensor *results)
{
    fx_graph *graph = node->graph;
    const fx_op *op = fx__op_of(node);
    node_inputs in = {node, inputs};
    const fx_interp_source source = {input_tensor, &in, graph->dims, NULL};
    fx_attr bound[FX_PARAMS];
    fx_interp_args args;
    uint32_t allocated;
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "no operator of the table");
    if (node->n_result < 1) return fx__diag_node(node, FX_E_SHAPE, "the type of its result is not known");
    FX_TRY(fx__op_bind(graph, node, op, bound));
    fx_status status = fx__interp_args_build(op, bound, &source, &args);
    if (status != FX_OK) return fx__diag_node(node, status, "an argument is not known here");
    status = allocate(node, results, &allocated);
    if (status == FX_OK) status = op->reference(args.arg, results);
    fx__interp_args_free(&args);
    if (status == FX_OK) return FX_OK;
    release(results, allocated);
    return fx__interp_fail(node, op, bound, status);
}

static const fx_tensor *next_tensor(void *user, const fx_node *node, int32_t result)
{
    const fx_tensor **next = user;
    (void)node, (void)result;
    return (*next)++;
}

fx_status fx__interp_kernel(const fx_node *node, const fx_dims *dims, const fx_tensor *in, const int64_t *syms, fx_tensor *results)
{
    const fx_interp_source source = {next_tensor, &in, dims, syms};
    fx_interp_args args;
    FX_TRY(fx__interp_args_build(node->op, node->args.u.items, &source, &args));
    fx_status status = node->op->reference(args.arg, results);
    fx__interp_args_free(&args);
    return status;
}
