/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pure.c: the value that an in-place call leaves in what it changes, computed by the pure operator of the same name. */
#include "passes/mutate.h"

/* ---- A value in the type of another -------------------------------------------------------------------------------------- */

static fx_node *make_cast(fx_node *before, fx_node *value, fx_dtype dtype)
{
    fx_graph *graph = before->graph;
    const fx_attr self = fx_node_attr(value), wanted = fx_dtype_attr(dtype);
    fx_node_spec spec = {FX_CALL_FUNCTION,
                         "torch.ops.aten._to_copy.default",
                         fx_tuple(graph, &self, 1),
                         fx_dict(graph, (const char *const[]){"dtype"}, &wanted, 1),
                         NULL,
                         false,
                         before->loc};
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *cast = fx_graph_create_node(graph, &spec);
    fx_graph_set_point(graph, point);
    return cast && fx__core_settle(cast) == FX_OK ? cast : NULL;
}

static fx_node *make_like(fx_node *before, fx_node *value, const fx_type *type)
{
    const fx_type *own = fx_node_type(value, 0);
    if (own && own->dtype != type->dtype && !(value = make_cast(before, value, type->dtype))) return NULL;
    own = fx_node_type(value, 0);
    if (own && fx__type_equal(own, type)) return value;
    const fx_attr args[] = {fx_node_attr(value), fx__core_dims(before->graph, type)};
    return fx__core_call(before, "expand", args, 2);
}

/* A number becomes a constant of the module. */
static fx_node *make_number(fx_node *before, fx_dtype dtype, double value)
{
    fx_graph *graph = before->graph;
    fx_module *module = fx__module_ensure(graph);
    fx_tensor tensor;
    if (!module) return NULL;
    if (fx_tensor_alloc(dtype, 0, NULL, &tensor) != FX_OK) {
        fx__diag_oom(graph->context);
        return NULL;
    }
    fx_tensor_set(&tensor, 0, value);
    const char *path = fx__module_add_constant(module, "number", &tensor, fx__module_release_tensor, NULL);
    if (!path) {
        fx_tensor_release(&tensor);
        return NULL;
    }
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *node = fx_graph_get_attr(graph, path);
    fx_graph_set_point(graph, point);
    return node;
}

fx_node *fx__pure_cast(fx_node *before, const fx_attr *value, fx_dtype dtype)
{
    bool is_int = value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL;
    if (value->kind != FX_ATTR_NODE) return make_number(before, dtype, is_int ? (double)value->u.i : value->u.f);
    const fx_type *type = fx_node_type(value->u.node, 0);
    return type && type->dtype != dtype ? make_cast(before, value->u.node, dtype) : value->u.node;
}

fx_node *fx__pure_spread(fx_node *before, fx_node *like, const fx_attr *value)
{
    const fx_type *type = fx_node_type(like, 0);
    bool is_int = value->kind == FX_ATTR_INT || value->kind == FX_ATTR_BOOL;
    if (!type || !(is_int || value->kind == FX_ATTR_FLOAT || value->kind == FX_ATTR_NODE)) {
        fx__diag_node(before, FX_E_UNSUPPORTED,
                      type ? "what is written is neither a tensor nor a number" : "the shape is not known");
        return NULL;
    }
    fx_type wanted = *type;
    double number = is_int ? (double)value->u.i : value->u.f;
    fx_node *node = value->kind == FX_ATTR_NODE ? value->u.node : make_number(before, wanted.dtype, number);
    return node ? make_like(before, node, &wanted) : NULL;
}

/* ---- The value after the call -------------------------------------------------------------------------------------------- */

static fx_node *pure_call(fx_node *call)
{
    const fx_op *op = fx__in_place_op(call);
    if (!op) {
        fx__diag_node(call, FX_E_UNSUPPORTED, "unsupported in-place operator");
        return NULL;
    }
    fx_node_spec spec = {FX_CALL_FUNCTION, op->target, fx__in_place_args(call), fx__in_place_kwargs(call), call->name, false,
                         call->loc};
    fx_point point = fx_graph_insert_before(call->graph, call);
    fx_node *pure = fx_graph_create_node(call->graph, &spec);
    fx_graph_set_point(call->graph, point);
    if (!pure || fx__core_settle(pure) != FX_OK) return NULL;
    if (fx__alias_kind(pure) == FX_ALIAS_NONE) return pure;
    fx__diag_node(call, FX_E_UNSUPPORTED, "the shape of a tensor is changed in place");
    return NULL;
}

static bool same_dims(const fx_dims *dims, const fx_type *a, const fx_type *b)
{
    if (a->rank != b->rank) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (!fx__dim_equal(dims, a->dim[d], b->dim[d])) return false;
    return true;
}

/* The tensor keeps its shape, and its dtype where the result can be cast to it. */
static bool may_become(const fx_node *call, const fx_type *self, const fx_type *value)
{
    if (!same_dims(call->graph->dims, self, value)) {
        fx__diag_node(call, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
        return false;
    }
    bool narrows =
        (fx_dtype_is_float(value->dtype) && !fx_dtype_is_float(self->dtype)) || (value->dtype != FX_BOOL && self->dtype == FX_BOOL);
    if (narrows)
        fx__diag_node(call, FX_E_TYPE, "result type %s cannot be cast to the tensor's type %s", fx_dtype_name(value->dtype),
                      fx_dtype_name(self->dtype));
    return !narrows;
}

fx_node *fx__pure_value(fx_node *call, fx_node *self)
{
    fx_attr zero = fx_int(0);
    fx_in_place_kind kind = fx__in_place_kind(call);
    if (kind == FX_IN_PLACE_ZERO) return fx__pure_spread(call, self, &zero);
    if (kind == FX_IN_PLACE_COPY) return fx__pure_spread(call, self, fx__arg(call, 1));
    fx_node *pure = pure_call(call);
    const fx_type *before = fx_node_type(self, 0), *after = pure ? fx_node_type(pure, 0) : NULL;
    if (!before || !after) return pure;
    if (!may_become(call, before, after)) return NULL;
    return before->dtype != after->dtype ? make_cast(call, pure, before->dtype) : pure;
}
