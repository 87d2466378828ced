/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    makes calls that change a tensor in place pure: x.add_(1) computes a new value, and whatever used x, or a view of what x
 * is a view of, afterwards uses what it would then have seen. A change through a view becomes a new base. Indices such as x[1:3,
 * None] become views; x[...] = v is a write through such views. What changed inputs and buffers of the module become is written
 * back at the end: copy_ calls before the output, one for each. Needs:   an inlined graph; types of the inputs where shapes matter.
 * Ensures: no in-place call is left but the write-backs, which name inputs and get_attr nodes, each path by one node, and take
 * place together when everything has been computed. Writes to views whose elements share memory, and to overlapping tensors of the
 * module, are refused. Cost:    linear in nodes, times the length of view chains. */
#include "passes/mutate.h"
#include "passes/pass.h"
#include "passes/train.h"
#include <string.h>

/* What one original node stands for while the graph is walked. */
typedef struct alias {
    fx_node *base;    /* the node that this one is a view of; NULL: it has memory of its own */
    fx_node *current; /* its value now */
    fx_node *seen;    /* value of base that `current` was derived from */
    fx_strides strides;
} alias;

typedef struct state {
    fx_graph *graph;
    fx_arena *arena;
    fx_map aliases;   /* node -> alias */
    fx_status before; /* of the context, when the pass began */
    bool modified;
} state;

/* What was reported, when a value could not be made. */
static fx_status failure(const state *s)
{
    fx_status now = fx_context_status(s->graph->context);
    return s->before == FX_OK && now != FX_OK ? now : fx__diag_failure(s->graph->context, FX_E_UNSUPPORTED);
}

/* ---- Values now -------------------------------------------------------------------------------------------------------- */

static alias *alias_of(state *s, fx_node *node)
{
    return fx__map_get(&s->aliases, node);
}

/* The value of an original node before `user`: a view of a base that has changed since is taken anew. */
static fx_node *value_now(state *s, fx_node *node, fx_node *user)
{
    alias *a = alias_of(s, node);
    if (!a) return node;
    if (!a->base) return a->current;
    fx_node *base = value_now(s, a->base, user);
    if (!base || base == a->seen) return base ? a->current : NULL;
    a->current = node->opcode == FX_GET_ATTR ? base : fx__view_again(user, node, base);
    a->seen = base;
    return a->current;
}

typedef struct refresh {
    state *s;
    fx_node *user;
} refresh;

static fx_node *map_now(void *user, fx_node *node)
{
    refresh *r = user;
    return value_now(r->s, node, r->user);
}

/* Every input becomes its value now, all at once: a value may itself be a node that has changed since. */
static fx_status refresh_inputs(state *s, fx_node *node)
{
    bool changed = false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        fx_node *now = value_now(s, node->inputs[i], node);
        if (!now) return failure(s);
        changed |= now != node->inputs[i];
    }
    if (!changed) return FX_OK;
    s->modified = true;
    refresh r = {s, node};
    fx_attr args = fx__attr_copy(s->graph, &node->args, map_now, &r);
    return fx_node_set_args(node, args, fx__attr_copy(s->graph, &node->kwargs, map_now, &r));
}

static fx_status check_overlap(const alias *a, const fx_node *target, const fx_node *change)
{
    const fx_type *type = fx_node_type(target, 0);
    if (!type || !a->strides.known || !fx__strides_overlap(type, &a->strides)) return FX_OK;
    return fx__diag_node(change, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
}

/* `target` (an original node) has `value` from now on, and so has the part of its base. */
static fx_status write_value(state *s, fx_node *target, fx_node *value, fx_node *change)
{
    alias *a = alias_of(s, target);
    if (!a) return fx__diag_node(change, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(check_overlap(a, target, change));
    if (a->base) {
        fx_node *base = value_now(s, a->base, change);
        fx_node *whole = !base ? NULL : target->opcode == FX_GET_ATTR ? value : fx__view_write(change, target, base, value);
        if (!whole) return failure(s);
        FX_TRY(write_value(s, a->base, whole, change));
        a->seen = value_now(s, a->base, change);
    }
    a->current = value;
    return FX_OK;
}

/* ---- New nodes --------------------------------------------------------------------------------------------------------- */

static alias *add_alias(state *s, fx_node *node, fx_node *base)
{
    alias *a = FX_NEW(s->arena, alias);
    const alias *of = base ? alias_of(s, base) : NULL;
    if (!a || !fx__map_put(&s->aliases, node, a)) return NULL;
    *a = (alias){.base = base, .current = node};
    if (of && (node->opcode == FX_GET_ATTR || fx__alias_tuple(node)))
        a->strides = of->strides;
    else if (of && !fx__strides_of(node, base, &of->strides, &a->strides))
        a->base = NULL;
    if (!a->base) a->strides = fx__strides_packed(s->graph, fx_node_type(node, 0));
    return a;
}

static const fx_tensor *tensor_of(const fx_node *node)
{
    return node->graph->module ? fx_module_tensor(node->graph->module, node->target) : NULL;
}

static bool same_memory(const fx_tensor *a, const fx_tensor *b)
{
    bool same = a && b && a->data && a->data == b->data && a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d] && a->stride[d] == b->stride[d];
    return same;
}

/* An earlier node of the same tensor, by path or by memory: both are one. */
static fx_node *earlier_attr(const fx_node *node)
{
    for (fx_node *other = node->graph->first; other != node; other = other->next) {
        if (other->opcode != FX_GET_ATTR) continue;
        if (other->target == node->target || same_memory(tensor_of(other), tensor_of(node))) return other;
    }
    return NULL;
}

/* Of a piece: what its tuple is a view of, whose call may by now name a later value. */
static fx_node *base_of(state *s, const fx_node *node)
{
    const fx_attr *from = node->args.n == 2 ? fx__arg(node, 0) : NULL;
    if (from && from->kind == FX_ATTR_NODE && fx__alias_tuple(from->u.node) && fx__op_of(node) == fx__op(FX_OP_getitem))
        return alias_of(s, from->u.node) ? alias_of(s, from->u.node)->base : NULL;
    return node->opcode == FX_GET_ATTR ? earlier_attr(node) : fx__alias_base(node);
}

/* The node as it stands: its inputs are those of now, and it may be a view of one of them, as the original graph has it. */
static fx_status keep(state *s, fx_node *node)
{
    fx_node *base = base_of(s, node);
    FX_TRY(refresh_inputs(s, node));
    if (node->opcode == FX_GET_ATTR && node->n_result == 0 && tensor_of(node)) {
        fx_type type = fx__type_of_tensor(tensor_of(node));
        FX_TRY(fx_node_set_type(node, 0, &type));
    }
    if (node->opcode == FX_CALL_FUNCTION && node->n_result == 0) FX_TRY(fx__core_settle(node));
    alias *a = add_alias(s, node, base);
    if (!a) return FX_E_OOM;
    if (a->base) a->seen = value_now(s, a->base, node);
    if (a->base && node->opcode == FX_GET_ATTR) a->current = a->seen; /* one node per tensor */
    return a->base && !a->seen ? failure(s) : FX_OK;
}

/* The nodes that were made between two others are views like those of the graph; those of the value `now` are views of `x`. */
static fx_status keep_new(state *s, fx_node *after, const fx_node *end, const fx_node *now, fx_node *x)
{
    for (fx_node *node = after ? after->next : s->graph->first; node != end; node = node->next) {
        fx_node *seen = fx__alias_base(node);
        alias *a = add_alias(s, node, seen && seen == now ? x : seen);
        if (!a) return FX_E_OOM;
        a->seen = seen;
    }
    return FX_OK;
}

/* ---- Calls that change something ---------------------------------------------------------------------------------------- */

/* The call's own result is what it changed: its users are users of the target. */
static fx_status drop_call(state *s, fx_node *node, fx_node *target)
{
    s->modified = true;
    while (node->n_users) FX_TRY(fx_node_replace_input(node->users[0], node, target));
    return fx_graph_erase(s->graph, node);
}

static fx_status change_in_place(state *s, fx_node *node)
{
    fx_node *target = fx__in_place_target(node);
    if (!target) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(refresh_inputs(s, node));
    fx_node *self = value_now(s, target, node), *value = self ? fx__pure_value(node, self) : NULL;
    if (!value) return failure(s);
    FX_TRY(write_value(s, target, value, node));
    return drop_call(s, node, target);
}

/* ---- Indices ------------------------------------------------------------------------------------------------------------ */

static fx_status take_index_apart(state *s, fx_node *node, const fx_attr *index, fx_node *x, fx_node *tensors[FX_RANK],
                                  fx_node **out)
{
    fx_node *now = value_now(s, x, node), *before = node->prev;
    *out = now ? fx__index_views(node, now, index, tensors) : NULL;
    if (!*out) return failure(s);
    FX_TRY(keep_new(s, before, node, now, x));
    if (*out == now) *out = x; /* the index takes all of it */
    return FX_OK;
}

static fx_status read_index(state *s, fx_node *node)
{
    fx_node *view;
    FX_TRY(take_index_apart(s, node, fx__arg(node, 1), fx__arg(node, 0)->u.node, NULL, &view));
    return drop_call(s, node, view);
}

/* A mask chooses between the value and what is there. */
static fx_node *put_by_mask(fx_node *before, fx_node *now, fx_node *mask, const fx_attr *value)
{
    const fx_type *type = fx_node_type(now, 0), *of = fx_node_type(mask, 0);
    const fx_type *given = value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
    fx_attr dims[FX_RANK];
    for (int32_t d = 0; given && d < given->rank - (type->rank - of->rank); d++)
        if (given->dim[d] != 1) {
            fx__diag_node(before, FX_E_UNSUPPORTED, "x[mask] = tensor of as many values as the mask has elements, which data tell");
            return NULL;
        }
    for (int32_t d = 0; d < type->rank; d++) dims[d] = d < of->rank ? fx_dim_attr(of->dim[d]) : fx_int(1);
    const fx_attr wide[] = {fx_node_attr(mask), fx_list(before->graph, dims, type->rank)};
    fx_node *chosen = of->rank == type->rank ? mask : fx__core_call(before, "reshape", wide, 2);
    fx_node *whole = chosen ? fx__pure_spread(before, now, value) : NULL;
    if (!whole) return NULL;
    const fx_attr args[] = {fx_node_attr(chosen), fx_node_attr(whole), fx_node_attr(now)};
    return fx__core_call(before, "where", args, 3);
}

static fx_node *put_by_indices(fx_node *before, fx_node *now, fx_node *const tensors[FX_RANK], const fx_attr *value)
{
    fx_attr items[FX_RANK];
    int32_t n = 0;
    for (int32_t d = 0; d < FX_RANK; d++) {
        items[d] = tensors[d] ? fx_node_attr(tensors[d]) : fx_none();
        if (tensors[d]) n = d + 1;
    }
    fx_node *source = fx__pure_cast(before, value, fx_node_type(now, 0)->dtype);
    if (!source) return NULL;
    const fx_attr args[] = {fx_node_attr(now), fx_list(before->graph, items, n), fx_node_attr(source)};
    return fx__core_call(before, "index_put", args, 3);
}

static fx_node *put_value(fx_node *node, fx_node *now, fx_node *const tensors[FX_RANK], const fx_attr *value)
{
    const fx_node *first = NULL;
    int32_t n = 0;
    for (int32_t d = 0; d < FX_RANK; d++) {
        if (tensors[d]) n++;
        if (tensors[d] && !first) first = tensors[d];
    }
    if (n == 0) return fx__pure_spread(node, now, value);
    const fx_type *type = fx_node_type(first, 0);
    if (!type || !fx_node_type(now, 0)) {
        fx__diag_node(node, FX_E_UNSUPPORTED, "the shape is not known");
        return NULL;
    }
    if (type->dtype != FX_BOOL) return put_by_indices(node, now, tensors, value);
    if (n == 1 && first == tensors[0]) return put_by_mask(node, now, tensors[0], value);
    fx__diag_node(node, FX_E_UNSUPPORTED, "a mask beside other indices, or behind a dimension, chooses what is written");
    return NULL;
}

/* x[index] = value. */
static fx_status write_index(state *s, fx_node *node)
{
    fx_node *view, *x = node->args.n == 3 ? fx__in_place_target(node) : NULL, *tensors[FX_RANK] = {NULL};
    if (!x) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    FX_TRY(take_index_apart(s, node, fx__arg(node, 1), x, tensors, &view));
    fx_attr value = *fx__arg(node, 2);
    if (value.kind == FX_ATTR_NODE && !(value.u.node = value_now(s, value.u.node, node))) return failure(s);
    for (int32_t d = 0; d < FX_RANK; d++)
        if (tensors[d] && !(tensors[d] = value_now(s, tensors[d], node))) return failure(s);
    fx_node *now = value_now(s, view, node), *whole = now ? put_value(node, now, tensors, &value) : NULL;
    if (!whole) return failure(s);
    FX_TRY(write_value(s, view, whole, node));
    return drop_call(s, node, x);
}

/* ---- Statistics of a normalisation in training ---------------------------------------------------------------------------- */

static fx_status train(state *s, fx_node *node)
{
    fx_node *running[2];
    fx__train_targets(node, running);
    FX_TRY(refresh_inputs(s, node));
    fx_train_values values;
    FX_TRY(fx__train_values(node, &values));
    for (int i = 0; i < 2; i++)
        if (running[i]) FX_TRY(write_value(s, running[i], values.running[i], node));
    s->modified = true;
    return fx__train_replace(node, &values);
}

/* ---- Write-backs -------------------------------------------------------------------------------------------------------- */

static bool touch(const fx_tensor *a, const fx_tensor *b)
{
    if (!a || !b || !a->data || !b->data || fx_tensor_elems(a) == 0 || fx_tensor_elems(b) == 0) return false;
    const char *start[] = {a->data, b->data};
    const fx_tensor *tensor[] = {a, b};
    int64_t lo[2] = {0, 0}, hi[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        for (int32_t d = 0; d < tensor[i]->rank; d++) {
            int64_t reach = (tensor[i]->dim[d] - 1) * tensor[i]->stride[d];
            *(reach < 0 ? &lo[i] : &hi[i]) += reach;
        }
    int64_t size[] = {(int64_t)fx_dtype_bytes(a->dtype), (int64_t)fx_dtype_bytes(b->dtype)};
    return start[0] + lo[0] * size[0] < start[1] + (hi[1] + 1) * size[1] &&
           start[1] + lo[1] * size[1] < start[0] + (hi[0] + 1) * size[0];
}

/* Two tensors of the module that share memory in part would have to change together. */
static fx_status check_module(state *s, const fx_node *written)
{
    if (written->opcode != FX_GET_ATTR) return FX_OK;
    FX_EACH_NODE(other, s->graph)
    {
        bool is_one = other == written || (alias_of(s, other) && alias_of(s, other)->base == written);
        if (other->opcode != FX_GET_ATTR || is_one || !touch(tensor_of(other), tensor_of(written))) continue;
        return fx__diag_node(written, FX_E_ALIAS, "tensor %s of the module is changed, and part of its memory is %s",
                             written->target, other->target);
    }
    return FX_OK;
}

static fx_status write_back(state *s, fx_node *output)
{
    for (fx_node *node = s->graph->first, *next; node != output; node = next) {
        next = node->next;
        alias *a = alias_of(s, node);
        bool is_root = a && !a->base && (node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR);
        if (!is_root || a->current == node) continue;
        FX_TRY(check_module(s, node));
        const fx_attr args[] = {fx_node_attr(node), fx_node_attr(a->current)};
        if (!fx__core_call(output, "copy_", args, 2)) return FX_E_OOM;
        s->modified = true;
    }
    return FX_OK;
}

/* ---- The walk ---------------------------------------------------------------------------------------------------------- */

/* x[2] of a tensor; of a tuple it is no view of its own. */
static bool is_row(const fx_node *node)
{
    if (node->args.n != 2 || (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD)) return false;
    if (strcmp(node->target, node->opcode == FX_CALL_METHOD ? "__getitem__" : "operator.getitem") != 0) return false;
    const fx_attr *from = fx__arg(node, 0), *index = fx__arg(node, 1);
    const fx_op *producer = from->kind == FX_ATTR_NODE ? fx__op_of(from->u.node) : NULL;
    bool is_tuple = producer && fx__op_schema_results(producer) != 1;
    return from->kind == FX_ATTR_NODE && !is_tuple && (index->kind == FX_ATTR_INT || index->kind == FX_ATTR_SYMINT);
}

static fx_status visit(state *s, fx_node *node)
{
    if (fx__train_is(node)) return train(s, node);
    if (fx__index_is_views(node) || is_row(node)) return read_index(s, node);
    switch (fx__in_place_kind(node)) {
    case FX_IN_PLACE_NONE:
        if (node->opcode == FX_OUTPUT) FX_TRY(write_back(s, node));
        return keep(s, node);
    case FX_IN_PLACE_SETITEM:
        return write_index(s, node);
    case FX_IN_PLACE_NOTHING:
        return drop_call(s, node, fx__in_place_target(node));
    default:
        return change_in_place(s, node);
    }
}

static bool has_work(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        if (graph->core && fx__is_write_back(node)) continue;
        if (fx__node_is_in_place(node) || fx__index_is_views(node) || fx__train_is(node)) return true;
    }
    return false;
}

/* Every problem is told; behind one that leaves a value unknown, the walk ends. */
static fx_status walk(state *s)
{
    for (fx_node *node = s->graph->first, *next; node; node = next) {
        next = node->next;
        if (node->erased) continue; /* with a tuple that was taken apart */
        FX_TRY(fx__tick(s->graph->context));
        fx_graph_insert_before(s->graph, node);
        FX_TRY(visit(s, node));
    }
    return FX_OK;
}

fx_status fx__pass_functionalise(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    if (!has_work(graph)) return FX_OK;
    state s = {.graph = graph, .arena = fx__arena_new(graph->context), .before = fx_context_status(graph->context)};
    if (!s.arena) return FX_E_OOM;
    fx__map_init(&s.aliases, s.arena);
    fx_point point = {graph->insert_before};
    fx_status status = walk(&s);
    fx_graph_set_point(graph, point);
    fx__arena_free(s.arena);
    *out_modified = s.modified;
    return status;
}
