/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_assert.c: assertions that need no run: of numbers that are known, of what the types say, and of sizes, which become
 * assumptions. Those of values are rows (_assert_async). */
#include "passes/spell.h"
#include <string.h>

static const fx_attr *argument(const fx_node *node, int32_t index, const char *name)
{
    if (index < node->args.n) return fx__arg(node, index);
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], name) == 0) return &node->kwargs.u.items[i];
    return NULL;
}

static bool is_given(const fx_attr *value)
{
    return value && value->kind != FX_ATTR_NONE;
}

static fx_spelled decide(const fx_node *node, bool holds, const char *words, fx_attr *out)
{
    *out = fx_none();
    if (holds) return FX_SPELL_DONE;
    fx__diag_node(node, FX_E_ARG, "the graph's assertion fails: %s", words);
    return FX_SPELL_FAILED;
}

bool fx__spell_is_assertion(const fx_node *node)
{
    static const char *const targets[] = {"torch._assert", "torch.ops.aten._assert_scalar.default", "torch._check"};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (node->opcode == FX_CALL_FUNCTION && strcmp(node->target, targets[i]) == 0) return true;
    return false;
}

static fx_spelled assert_number(const fx_node *node, fx_attr *out)
{
    const fx_attr *condition = argument(node, 0, "condition"), *message = argument(node, 1, "message");
    if (!condition || (condition->kind != FX_ATTR_BOOL && condition->kind != FX_ATTR_INT)) return FX_SPELL_NO;
    return decide(node, condition->u.i != 0, message && message->kind == FX_ATTR_STR ? message->u.s : "False", out);
}

/* None, or a tensor without elements that stands for it (fx_trace_argument). */
static fx_spelled assert_none(const fx_node *node, fx_attr *out)
{
    const fx_attr *value = argument(node, 0, "x"), *message = argument(node, 1, "msg");
    const fx_type *type = value && value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
    bool is_empty = false;
    for (int32_t d = 0; type && d < type->rank; d++) is_empty = is_empty || type->dim[d] == 0;
    return decide(node, is_empty || !is_given(value), message && message->kind == FX_ATTR_STR ? message->u.s : "not None", out);
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------- */

static bool to_dim(const fx_attr *value, fx_dim *out)
{
    *out = value->kind == FX_ATTR_SYMINT ? value->u.dim : value->u.i;
    return value->kind == FX_ATTR_SYMINT || value->kind == FX_ATTR_INT;
}

/* What cannot be decided is tested when compiled code is entered. */
static bool assume(fx_node *node, fx_guard_kind kind, fx_dim a, fx_dim b)
{
    return fx__dims_assume(node->graph->dims, kind, a, b, "the graph asserts it");
}

static fx_spelled constrain_range(fx_node *node, fx_attr *out)
{
    const fx_attr *size = argument(node, 0, "size"), *min = argument(node, 1, "min"), *max = argument(node, 2, "max");
    fx_dim value, lo = 0, hi = 0;
    bool is_size = size && to_dim(size, &value) && (!is_given(min) || to_dim(min, &lo)) && (!is_given(max) || to_dim(max, &hi));
    if (!is_size) return FX_SPELL_NO;
    bool holds = !is_given(min) || assume(node, FX_GUARD_LE, lo, value);
    return decide(node, holds && (!is_given(max) || assume(node, FX_GUARD_LE, value, hi)), "a size is outside its range", out);
}

/* ---- Types ------------------------------------------------------------------------------------------------------------------- */

static bool has_shape(fx_node *node, const fx_type *type, const fx_attr *size)
{
    bool same = size->n == type->rank;
    for (int32_t d = 0; same && d < size->n; d++) {
        fx_dim dim;
        same = to_dim(&size->u.items[d], &dim) && assume(node, FX_GUARD_EQ, type->dim[d], dim);
    }
    return same;
}

/* Strides are the compiler's own affair. */
static fx_spelled assert_metadata(fx_node *node, fx_attr *out)
{
    const fx_attr *tensor = argument(node, 0, "a"), *size = argument(node, 1, "size"), *dtype = argument(node, 3, "dtype");
    const fx_type *type = tensor && tensor->kind == FX_ATTR_NODE ? fx_node_type(tensor->u.node, 0) : NULL;
    if (!type) return FX_SPELL_NO;
    if (is_given(dtype) && (dtype->kind != FX_ATTR_DTYPE || dtype->u.dtype != type->dtype))
        return decide(node, false, "a tensor has another dtype", out);
    bool is_list = is_given(size) && (size->kind == FX_ATTR_LIST || size->kind == FX_ATTR_TUPLE);
    return decide(node, !is_list || has_shape(node, type, size), "a tensor has another shape", out);
}

fx_spelled fx__spell_assertion(fx_node *node, fx_attr *out)
{
    static const struct {
        const char *target;
        fx_spelled (*decide)(fx_node *node, fx_attr *out);
    } rows[] = {{"torch.ops.aten._assert_tensor_metadata.default", assert_metadata},
                {"torch.ops.aten.sym_constrain_range.default", constrain_range},
                {"torch.ops.aten.sym_constrain_range_for_size.default", constrain_range}};
    if (fx__spell_is_assertion(node)) return assert_number(node, out);
    if (strcmp(node->target, "torch.fx._symbolic_trace._assert_is_none") == 0) return assert_none(node, out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(node->target, rows[i].target) == 0) return rows[i].decide(node, out);
    return FX_SPELL_NO;
}
