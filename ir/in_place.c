/* SPDX-License-Identifier: Apache-2.0 */
/* ir/in_place.c: the spellings of calls that change a tensor, and the rows whose results are views; see in_place.h. */
#include "ir/in_place.h"
#include <stdio.h>
#include <string.h>

/* ---- The pure spelling ----------------------------------------------------------------------------------------------------- */

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

/* ---- inplace=True ---------------------------------------------------------------------------------------------------------- */

/* Where functions of torch.nn.functional take `inplace`, the last parameter of each; -1: they do not. */
static int32_t flag_index(const fx_node *node)
{
    static const struct {
        const char *name;
        int32_t index;
    } rows[] = {{"relu", 1},        {"relu6", 1},     {"silu", 1},       {"mish", 1},          {"hardswish", 1},
                {"hardsigmoid", 1}, {"selu", 1},      {"elu", 2},        {"celu", 2},          {"leaky_relu", 2},
                {"hardtanh", 3},    {"threshold", 3}, {"_threshold", 3}, {"dropout", 3},       {"dropout1d", 3},
                {"dropout2d", 3},   {"dropout3d", 3}, {"rrelu", 4},      {"alpha_dropout", 3}, {"feature_alpha_dropout", 3}};
    static const char prefix[] = "torch.nn.functional.";
    size_t length = sizeof prefix - 1;
    if (node->opcode != FX_CALL_FUNCTION || strncmp(node->target, prefix, length) != 0) return -1;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(node->target + length, rows[i].name) == 0) return rows[i].index;
    return -1;
}

static bool is_true(const fx_attr *value)
{
    return (value->kind == FX_ATTR_BOOL || value->kind == FX_ATTR_INT) && value->u.i;
}

bool fx__in_place_flag(const fx_node *node)
{
    int32_t at = flag_index(node);
    if (node->opcode != FX_CALL_FUNCTION) return false;
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "inplace") == 0) return is_true(&node->kwargs.u.items[i]);
    return at >= 0 && at < node->args.n && is_true(fx__arg(node, at));
}

fx_attr fx__in_place_args(const fx_node *node)
{
    fx_attr args = node->args;
    int32_t at = flag_index(node);
    if (at >= 0 && at < args.n) args.n = at;
    return args;
}

/* ---- The pure operator ----------------------------------------------------------------------------------------------------- */

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

static const fx_op *pure_method(const char *target)
{
    char name[160];
    size_t length = strlen(target);
    if (length + 8 > sizeof name) return NULL;
    snprintf(name, sizeof name, "method:%.*s", (int)length - 1, target);
    const fx_op *op = fx__op_find(name);
    if (op) return op;
    snprintf(name, sizeof name, "%.*s", (int)length - 1, target); /* index_add_ has a method only in place */
    return fx__op_find(name);
}

const fx_op *fx__in_place_op(const fx_node *node)
{
    if (node->opcode == FX_CALL_METHOD) return pure_method(node->target);
    if (strncmp(node->target, "operator.", 9) == 0) return pure_operator(node->target + 9);
    if (node->op) return node->op; /* with a row of its own: inplace=True */
    return fx__in_place_flag(node) ? NULL : pure_function(node->target);
}

fx_attr fx__in_place_kwargs(const fx_node *node)
{
    const char *keys[FX_PARAMS];
    fx_attr items[FX_PARAMS];
    int32_t n = 0;
    for (int32_t i = 0; i < node->kwargs.n && n < FX_PARAMS; i++) {
        if (strcmp(node->kwargs.keys[i], "inplace") == 0) continue;
        keys[n] = node->kwargs.keys[i];
        items[n++] = node->kwargs.u.items[i];
    }
    return fx_dict(node->graph, keys, items, n);
}

fx_node *fx__in_place_target(const fx_node *node)
{
    const fx_attr *self = node->args.n ? fx__arg(node, 0) : NULL;
    for (int32_t i = 0; !self && i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "input") == 0 || strcmp(node->kwargs.keys[i], "self") == 0)
            self = &node->kwargs.u.items[i];
    return self && self->kind == FX_ATTR_NODE ? self->u.node : NULL;
}

/* The function's name without package, overload and underscore: "copy" of "torch.ops.aten.copy_.default". */
static bool is_called(const fx_node *node, const char *name)
{
    const char *at = strstr(node->target, name);
    size_t length = strlen(name);
    return at && (at == node->target || at[-1] == '.') && at[length] == '_' && (at[length + 1] == 0 || at[length + 1] == '.');
}

fx_in_place_kind fx__in_place_kind(const fx_node *node)
{
    if (!fx__node_is_in_place(node)) return FX_IN_PLACE_NONE;
    if (strcmp(node->target, node->opcode == FX_CALL_METHOD ? "__setitem__" : "operator.setitem") == 0) return FX_IN_PLACE_SETITEM;
    if (is_called(node, "zero")) return FX_IN_PLACE_ZERO;
    if (is_called(node, "detach") || is_called(node, "requires_grad")) return FX_IN_PLACE_NOTHING;
    if (fx__op_is(node, FX_OP_functional_dropout)) return FX_IN_PLACE_NOTHING;
    bool copies = is_called(node, "copy") || is_called(node, "fill");
    return copies && node->args.n >= 2 ? FX_IN_PLACE_COPY : FX_IN_PLACE_CALL;
}

/* ---- Shared memory --------------------------------------------------------------------------------------------------------- */

/* x.to(...) gives x itself when it has the dtype already, unless a copy is asked for; aten._to_copy copies always. */
static fx_alias_kind kind_of_cast(const fx_node *node)
{
    if (strstr(node->target, "_to_copy") || strstr(node->target, "convert_element_type")) return FX_ALIAS_NONE;
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "copy") == 0 && node->kwargs.u.items[i].kind == FX_ATTR_BOOL &&
            node->kwargs.u.items[i].u.i)
            return FX_ALIAS_NONE;
    return FX_ALIAS_SAME_TYPE;
}

static fx_alias_kind kind_of_getitem(const fx_node *node)
{
    const fx_attr *from = node->args.n == 2 ? fx__arg(node, 0) : NULL;
    if (!from || from->kind != FX_ATTR_NODE) return FX_ALIAS_NONE;
    const fx_op *producer = fx__op_of(from->u.node);
    if (!producer || fx__op_schema_results(producer) == 1) return FX_ALIAS_VIEW;
    return fx__alias_tuple(from->u.node) ? FX_ALIAS_VIEW : FX_ALIAS_NONE;
}

fx_alias_kind fx__alias_kind(const fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    if (!op) return FX_ALIAS_NONE;
    switch ((fx_op_code)fx__op_code(op)) {
    case FX_OP_alias:
    case FX_OP_dropout:
    case FX_OP_functional_dropout:
        return FX_ALIAS_SELF;
    case FX_OP_view:
    case FX_OP_unflatten:
    case FX_OP_squeeze:
    case FX_OP_unsqueeze:
    case FX_OP_transpose:
    case FX_OP_t:
    case FX_OP_permute:
    case FX_OP_expand:
    case FX_OP_slice:
    case FX_OP_select:
    case FX_OP_narrow:
        return FX_ALIAS_VIEW;
    case FX_OP_reshape:
    case FX_OP_flatten:
        return FX_ALIAS_STRIDED;
    case FX_OP_contiguous:
        return FX_ALIAS_PACKED;
    case FX_OP__to_copy:
        return kind_of_cast(node);
    case FX_OP_getitem:
        return kind_of_getitem(node);
    default:
        return FX_ALIAS_NONE;
    }
}

bool fx__alias_tuple(const fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    int32_t code = op ? fx__op_code(op) : -1;
    return code == FX_OP_split || code == FX_OP_chunk || code == FX_OP_unbind;
}

static bool is_piece(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION && fx__op_of(node) == fx__op(FX_OP_getitem) && node->args.n == 2 &&
           fx__arg(node, 0)->kind == FX_ATTR_NODE && fx__alias_tuple(fx__arg(node, 0)->u.node);
}

fx_node *fx__alias_base(const fx_node *node)
{
    if (is_piece(node)) return fx__in_place_target(fx__arg(node, 0)->u.node);
    if (fx__alias_tuple(node) || fx__alias_kind(node) != FX_ALIAS_NONE) return fx__in_place_target(node);
    return NULL;
}

/* ---- Normalisation in training --------------------------------------------------------------------------------------------- */

enum { TRAINING = 5 }; /* in every row */

const fx_train_layout *fx__train_layout_of(const fx_node *node)
{
    static const fx_train_layout aten = {1, 2, 3, 4}, functional = {3, 4, 1, 2};
    const fx_op *op = fx__op_of(node);
    if (op && (op == fx__op(FX_OP_batch_norm) || op == fx__op(FX_OP_native_batch_norm))) return &aten;
    return op && op == fx__op(FX_OP_functional_batch_norm) ? &functional : NULL;
}

static const fx_attr *argument(const fx_node *node, int32_t index, const char *name)
{
    if (index < node->args.n) return fx__arg(node, index);
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], name) == 0) return &node->kwargs.u.items[i];
    return NULL;
}

bool fx__train_is(const fx_node *node)
{
    const fx_attr *training = fx__train_layout_of(node) ? argument(node, TRAINING, "training") : NULL;
    if (!training || training->kind != FX_ATTR_BOOL || !training->u.i) return false;
    fx_node *running[2];
    fx__train_targets(node, running);
    return running[0] || running[1] || fx__op_of(node) == fx__op(FX_OP_native_batch_norm);
}

void fx__train_targets(const fx_node *node, fx_node *out[2])
{
    const fx_train_layout *at = fx__train_layout_of(node);
    const fx_attr *mean = argument(node, at->mean, "running_mean"), *var = argument(node, at->var, "running_var");
    out[0] = mean && mean->kind == FX_ATTR_NODE ? mean->u.node : NULL;
    out[1] = var && var->kind == FX_ATTR_NODE ? var->u.node : NULL;
}

/* ---- Write-backs ------------------------------------------------------------------------------------------------------------- */

bool fx__is_write_back(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION && fx__op_is(node, FX_OP_copy_);
}

bool fx__is_written_back(const fx_node *node)
{
    if (node->opcode != FX_PLACEHOLDER && node->opcode != FX_GET_ATTR) return false;
    for (int32_t i = 0; i < node->n_users; i++) {
        const fx_node *user = node->users[i];
        if (fx__is_write_back(user) && fx__arg(user, 0)->u.node == node) return true;
    }
    return false;
}
