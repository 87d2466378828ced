/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pure.c: the value that an in-place call leaves in what it changes, computed by the pure operator of the same name. */
#include "passes/mutate.h"
#include <string.h>

/* ---- The pure spelling --------------------------------------------------------------------------------------------------- */

static const fx_op *pure_operator(const char *name)
{
    static const struct {
        const char *in_place, *pure;
    } pairs[] = {{"iadd", "operator.add"},         {"isub", "operator.sub"},           {"imul", "operator.mul"},
                 {"itruediv", "operator.truediv"}, {"ifloordiv", "operator.floordiv"}, {"imod", "operator.mod"},
                 {"ipow", "operator.pow"},         {"imatmul", "operator.matmul"},     {"iand", "operator.and_"},
                 {"ior", "operator.or_"},          {"ixor", "operator.xor"},           {"ilshift", "operator.lshift"},
                 {"irshift", "operator.rshift"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (strcmp(name, pairs[i].in_place) == 0) return fx__op_find(pairs[i].pure);
    return NULL;
}

/* Without the underscore that ends the function's name: "aten.add_.Tensor" gives aten.add.Tensor, or else add. */
static const fx_op *pure_function(const char *target)
{
    char name[160];
    size_t length = strlen(target);
    const char *mark = strstr(target, "_.");
    if (length + 1 > sizeof name) return NULL;
    if (!mark || strncmp(target, "torch.ops.", 10) != 0) mark = target + length - 1;
    snprintf(name, sizeof name, "%.*s%s", (int)(mark - target), target, mark + 1);
    const fx_op *op = fx__op_find(name);
    if (op || *mark == 0 || mark[1] != '.') return op;
    const char *start = mark;
    while (start > target && start[-1] != '.') start--;
    snprintf(name, sizeof name, "%.*s", (int)(mark - start), start);
    return fx__op_find(name);
}

static const fx_op *pure_op(const fx_node *node)
{
    char name[160] = "method:";
    size_t length = strlen(node->target);
    if (node->opcode == FX_CALL_METHOD) {
        if (length + 8 > sizeof name) return NULL;
        memcpy(name + 7, node->target, length - 1);
        return fx__op_find(name);
    }
    if (strncmp(node->target, "operator.", 9) == 0) return pure_operator(node->target + 9);
    return node->op ? node->op : pure_function(node->target); /* with a row of its own: inplace=True */
}

/* kwargs without inplace. */
static fx_attr pure_kwargs(fx_graph *graph, const fx_attr *kwargs)
{
    const char *keys[FX_PARAMS];
    fx_attr items[FX_PARAMS];
    int32_t n = 0;
    for (int32_t i = 0; i < kwargs->n && n < FX_PARAMS; i++) {
        if (strcmp(kwargs->keys[i], "inplace") == 0) continue;
        keys[n] = kwargs->keys[i];
        items[n++] = kwargs->u.items[i];
    }
    return fx_dict(graph, keys, items, n);
}

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
    if (!module || fx_tensor_alloc(dtype, 0, NULL, &tensor) != FX_OK) return NULL;
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

/* The function's name without package, overload and underscore: "copy" of "torch.ops.aten.copy_.default". */
static bool is_called(const fx_node *node, const char *name)
{
    const char *at = strstr(node->target, name);
    size_t length = strlen(name);
    return at && (at == node->target || at[-1] == '.') && at[length] == '_' && (at[length + 1] == 0 || at[length + 1] == '.');
}

static fx_node *pure_call(fx_node *call)
{
    const fx_op *op = pure_op(call);
    if (!op) {
        fx__diag_node(call, FX_E_UNSUPPORTED, "unsupported in-place operator");
        return NULL;
    }
    fx_node_spec spec = {FX_CALL_FUNCTION, op->target, call->args, pure_kwargs(call->graph, &call->kwargs),
                         call->name,       false,      call->loc};
    fx_point point = fx_graph_insert_before(call->graph, call);
    fx_node *pure = fx_graph_create_node(call->graph, &spec);
    fx_graph_set_point(call->graph, point);
    return pure && fx__core_settle(pure) == FX_OK ? pure : NULL;
}

fx_node *fx__pure_value(fx_node *call, fx_node *self)
{
    fx_attr zero = fx_int(0);
    if (is_called(call, "zero")) return fx__pure_spread(call, self, &zero);
    if ((is_called(call, "copy") || is_called(call, "fill")) && call->args.n >= 2)
        return fx__pure_spread(call, self, fx__arg(call, 1));
    fx_node *pure = pure_call(call);
    const fx_type *before = fx_node_type(self, 0), *after = pure ? fx_node_type(pure, 0) : NULL;
    return before && after && before->dtype != after->dtype ? make_cast(call, pure, before->dtype) : pure;
}
