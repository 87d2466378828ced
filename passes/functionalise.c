/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    makes calls that change a tensor in place pure: x.add_(1) computes a new value, and whatever used x, or a view of what x
 *          is a view of, afterwards uses what it would then have seen. A change through a view becomes a new base.
 * Needs:   an inlined graph; types of the inputs where a view is written through.
 * Ensures: no in-place call is left. A change of an input is not carried back to the caller (a warning says so); one of a parameter
 *          is refused, as are changes through views that cannot be undone.
 * Cost:    linear in nodes, times the length of view chains. */
#include "passes/core.h"
#include "passes/pass.h"
#include <string.h>

/* What one original node stands for while the graph is walked. */
typedef struct alias {
    fx_node *base;    /* the node that this one is a view of; NULL: it has memory of its own */
    fx_node *current; /* its value now */
    fx_node *seen;    /* value of base that `current` was derived from */
} alias;

typedef struct state {
    fx_graph *graph;
    fx_arena *arena;
    fx_map aliases; /* node -> alias */
    bool modified;
} state;

/* ---- The pure spelling of an in-place call ------------------------------------------------------------------------------ */

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

/* The value after the change: the pure call, in the dtype of what is changed. */
static fx_node *make_pure(fx_node *node, fx_node *self)
{
    const fx_op *op = pure_op(node);
    if (!op) {
        fx__diag_node(node, FX_E_UNSUPPORTED, "unsupported in-place operator");
        return NULL;
    }
    fx_node_spec spec = {FX_CALL_FUNCTION, op->target, node->args, pure_kwargs(node->graph, &node->kwargs),
                         node->name,       false,      node->loc};
    fx_node *pure = fx_graph_create_node(node->graph, &spec);
    if (!pure || fx__core_settle(pure) != FX_OK) return NULL;
    const fx_type *before = fx_node_type(self, 0), *after = fx_node_type(pure, 0);
    if (!before || !after || before->dtype == after->dtype) return pure;
    const fx_attr args[] = {fx_node_attr(pure), fx_dtype_attr(before->dtype)};
    fx_node_spec cast = {FX_CALL_FUNCTION,
                         "torch.ops.aten._to_copy.default",
                         fx_tuple(node->graph, args, 1),
                         fx_dict(node->graph, (const char *const[]){"dtype"}, args + 1, 1),
                         NULL,
                         false,
                         node->loc};
    fx_node *same = fx_graph_create_node(node->graph, &cast);
    return same && fx__core_settle(same) == FX_OK ? same : NULL;
}

/* ---- Views ------------------------------------------------------------------------------------------------------------- */

/* Each gives the base after `value` was written through the view. */
typedef fx_node *(*write_fn)(fx_node *before, const fx_node *view, fx_node *base, fx_node *value);

static fx_node *write_same(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)before;
    (void)view;
    (void)base;
    return value;
}

static fx_node *write_reshape(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    const fx_type *type = fx_node_type(base, 0);
    if (!type) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a view of unknown shape is changed in place");
        return NULL;
    }
    const fx_attr args[] = {fx_node_attr(value), fx__core_dims(before->graph, type)};
    return fx__core_call(before, "reshape", args, 2);
}

/* Transposing is its own inverse. */
static fx_node *write_transpose(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)base;
    fx_attr bound[FX_PARAMS];
    int32_t n;
    fx__op_params(view->op, &n);
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    bound[0] = fx_node_attr(value);
    return fx__core_call(before, view->op->target, bound, n);
}

static fx_node *write_permute(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)base;
    fx_attr bound[FX_PARAMS];
    int64_t inverse[FX_RANK] = {0};
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int32_t rank = bound[1].n;
    for (int32_t i = 0; i < rank && i < FX_RANK; i++) {
        int64_t from = bound[1].u.items[i].u.i;
        from += from < 0 ? rank : 0;
        if (from < 0 || from >= FX_RANK) return NULL;
        inverse[from] = i;
    }
    const fx_attr args[] = {fx_node_attr(value), fx_ints(before->graph, inverse, rank)};
    return fx__core_call(before, "permute", args, 2);
}

static fx_node *slice_of(fx_node *before, fx_node *base, int64_t dim, int64_t from, int64_t to)
{
    const fx_attr args[] = {fx_node_attr(base), fx_int(dim), fx_int(from), fx_int(to), fx_int(1)};
    return fx__core_call(before, "slice", args, 5);
}

/* base[:from], value, base[to:] along dim. */
static fx_node *splice(fx_node *before, fx_node *base, fx_node *value, int64_t dim, int64_t from, int64_t to, int64_t size)
{
    fx_attr parts[3];
    int32_t n = 0;
    fx_node *head = from > 0 ? slice_of(before, base, dim, 0, from) : NULL;
    fx_node *tail = to < size ? slice_of(before, base, dim, to, size) : NULL;
    if ((from > 0 && !head) || (to < size && !tail)) return NULL;
    if (head) parts[n++] = fx_node_attr(head);
    parts[n++] = fx_node_attr(value);
    if (tail) parts[n++] = fx_node_attr(tail);
    if (n == 1) return value;
    const fx_attr args[] = {fx_list(before->graph, parts, n), fx_int(dim)};
    return fx__core_call(before, "cat", args, 2);
}

/* The extent of the dim that a slice or select takes a part of; -1: not known now. */
static int64_t part_dim(const fx_node *base, const fx_attr *dim, int64_t *out_dim)
{
    const fx_type *type = fx_node_type(base, 0);
    if (!type || dim->kind != FX_ATTR_INT) return -1;
    *out_dim = dim->u.i + (dim->u.i < 0 ? type->rank : 0);
    if (*out_dim < 0 || *out_dim >= type->rank || !fx_dim_is_const(type->dim[*out_dim])) return -1;
    return type->dim[*out_dim];
}

static int64_t clamp_bound(const fx_attr *bound, int64_t size, int64_t otherwise)
{
    if (bound->kind != FX_ATTR_INT) return otherwise;
    int64_t at = bound->u.i + (bound->u.i < 0 ? size : 0);
    return at < 0 ? 0 : at > size ? size : at;
}

static fx_node *write_slice(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t dim = 0;
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int64_t size = part_dim(base, &bound[1], &dim);
    bool known = bound[2].kind != FX_ATTR_SYMINT && bound[3].kind != FX_ATTR_SYMINT && bound[4].kind == FX_ATTR_INT;
    if (size < 0 || !known || bound[4].u.i != 1) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a slice with a step, or of unknown bounds, is changed in place");
        return NULL;
    }
    int64_t from = clamp_bound(&bound[2], size, 0), to = clamp_bound(&bound[3], size, size);
    return splice(before, base, value, dim, from, to > from ? to : from, size);
}

static fx_node *write_select(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t dim = 0;
    if (fx__op_bind(before->graph, view, view->op, bound) != FX_OK) return NULL;
    int64_t size = part_dim(base, &bound[1], &dim);
    if (size < 0 || bound[2].kind != FX_ATTR_INT) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "an element of unknown place is changed in place");
        return NULL;
    }
    int64_t at = bound[2].u.i + (bound[2].u.i < 0 ? size : 0);
    const fx_attr args[] = {fx_node_attr(value), fx_int(dim)};
    fx_node *row = fx__core_call(before, "unsqueeze", args, 2);
    return row ? splice(before, base, row, dim, at, at + 1, size) : NULL;
}

static fx_node *write_refused(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    (void)before;
    (void)base;
    (void)value;
    fx__diag_node(view, FX_E_UNSUPPORTED, "a view whose elements overlap is changed in place");
    return NULL;
}

/* Operators whose result shares its input's memory, by row. */
static write_fn view_write(const fx_node *node)
{
    static const struct {
        const char *name;
        write_fn write;
    } views[] = {{"alias", write_same},        {"view", write_reshape},        {"reshape", write_reshape},
                 {"flatten", write_reshape},   {"unflatten", write_reshape},   {"squeeze", write_reshape},
                 {"unsqueeze", write_reshape}, {"transpose", write_transpose}, {"t", write_transpose},
                 {"permute", write_permute},   {"slice", write_slice},         {"select", write_select},
                 {"expand", write_refused},    {"narrow", write_refused}};
    if (!node->op || node->args.n == 0 || fx__arg(node, 0)->kind != FX_ATTR_NODE) return NULL;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (strcmp(node->op->name, views[i].name) == 0) return views[i].write;
    return NULL;
}

/* ---- Values now -------------------------------------------------------------------------------------------------------- */

static alias *alias_of(state *s, fx_node *node)
{
    return fx__map_get(&s->aliases, node);
}

static fx_node *replace_first(fx_node *node, fx_node *view, fx_node *base)
{
    fx_attr args[FX_PARAMS];
    if (view->args.n > FX_PARAMS) return NULL;
    for (int32_t i = 0; i < view->args.n; i++) args[i] = *fx__arg(view, i);
    args[0] = fx_node_attr(base);
    fx_node_spec spec = {FX_CALL_FUNCTION, view->target, fx_tuple(view->graph, args, view->args.n), view->kwargs, view->name, false,
                         node->loc};
    fx_node *copy = fx_graph_create_node(view->graph, &spec);
    return copy && fx__core_settle(copy) == FX_OK ? copy : NULL;
}

/* The value of an original node before `user`: a view of a base that has changed since is taken anew. */
static fx_node *value_now(state *s, fx_node *node, fx_node *user)
{
    alias *a = alias_of(s, node);
    if (!a) return node;
    if (!a->base) return a->current;
    fx_node *base = value_now(s, a->base, user);
    if (!base || base == a->seen) return base ? a->current : NULL;
    a->current = replace_first(user, node, base);
    a->seen = base;
    return a->current;
}

/* Every input becomes its value now. */
static fx_status refresh_inputs(state *s, fx_node *node)
{
    for (bool again = true; again;) {
        again = false;
        for (int32_t i = 0; i < node->n_inputs && !again; i++) {
            fx_node *input = node->inputs[i], *now = value_now(s, input, node);
            if (!now) return FX_E_UNSUPPORTED;
            if (now == input) continue;
            FX_TRY(fx__node_replace_input(node, input, now));
            s->modified = true;
            again = true;
        }
    }
    return FX_OK;
}

static fx_status check_root(const fx_node *root, const fx_node *change)
{
    if (root->opcode == FX_GET_ATTR)
        return fx__diag_node(change, FX_E_UNSUPPORTED, "parameter or buffer %s is changed in place", root->target);
    if (root->opcode == FX_PLACEHOLDER)
        fx__diag_warn(root->graph->context, &change->loc, "%s changes input %s: the caller's tensor is not changed", change->name,
                      root->name);
    return FX_OK;
}

/* `target` (an original node) has `value` from now on, and so has the part of its base. */
static fx_status write_value(state *s, fx_node *target, fx_node *value, fx_node *change)
{
    alias *a = alias_of(s, target);
    if (!a->base) {
        FX_TRY(check_root(target, change));
        a->current = value;
        return FX_OK;
    }
    fx_node *base = value_now(s, a->base, change);
    fx_node *whole = base ? view_write(target)(change, target, base, value) : NULL;
    if (!whole) return FX_E_UNSUPPORTED;
    FX_TRY(write_value(s, a->base, whole, change));
    a->current = value;
    a->seen = value_now(s, a->base, change);
    return FX_OK;
}

static alias *add_alias(state *s, fx_node *node, fx_node *base)
{
    alias *a = FX_NEW(s->arena, alias);
    if (!a || !fx__map_put(&s->aliases, node, a)) return NULL;
    *a = (alias){.base = base, .current = node};
    return a;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------- */

/* The original node that the first argument named, before inputs became their values now. */
static fx_node *changed_node(const fx_node *node)
{
    const fx_attr *self = node->args.n ? fx__arg(node, 0) : NULL;
    for (int32_t i = 0; !self && i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], "input") == 0 || strcmp(node->kwargs.keys[i], "self") == 0)
            self = &node->kwargs.u.items[i];
    return self && self->kind == FX_ATTR_NODE ? self->u.node : NULL;
}

static fx_status change_in_place(state *s, fx_node *node)
{
    fx_node *target = changed_node(node);
    if (!target) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(refresh_inputs(s, node));
    fx_node *self = value_now(s, target, node), *value = self ? make_pure(node, self) : NULL;
    if (!value) return FX_E_UNSUPPORTED;
    FX_TRY(write_value(s, target, value, node));
    s->modified = true;
    /* The call's own result is what it changed: its users are users of the target. */
    while (node->n_users) FX_TRY(fx__node_replace_input(node->users[0], node, target));
    return fx_graph_erase(s->graph, node);
}

static fx_status keep(state *s, fx_node *node)
{
    fx_node *base = view_write(node) ? fx__arg(node, 0)->u.node : NULL;
    FX_TRY(refresh_inputs(s, node));
    if (node->opcode == FX_CALL_FUNCTION && node->n_result == 0) FX_TRY(fx__core_settle(node));
    alias *a = add_alias(s, node, base);
    if (!a) return FX_E_OOM;
    a->seen = base ? fx__arg(node, 0)->u.node : NULL;
    return FX_OK;
}

static bool has_in_place(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (fx__node_is_in_place(node)) return true;
    return false;
}

static fx_status walk(state *s)
{
    for (fx_node *node = s->graph->first, *next; node; node = next) {
        next = node->next;
        fx_graph_insert_before(s->graph, node);
        FX_TRY(fx__node_is_in_place(node) ? change_in_place(s, node) : keep(s, node));
    }
    return FX_OK;
}

fx_status fx__pass_functionalise(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    if (!has_in_place(graph)) return FX_OK;
    state s = {.graph = graph, .arena = fx__arena_new(graph->context)};
    if (!s.arena) return FX_E_OOM;
    fx__map_init(&s.aliases, s.arena);
    fx_point point = {graph->insert_before};
    fx_status status = walk(&s);
    fx_graph_set_point(graph, point);
    fx__arena_free(s.arena);
    *out_modified = s.modified;
    return status;
}
