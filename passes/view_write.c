/* SPDX-License-Identifier: Apache-2.0 */
/* passes/view_write.c: writing through views, for `functionalise`: what a base becomes when a value is written to a view of it.
 * Renumberings and permutations are undone; parts are spliced in between the rest of the old base, or where a slice has a step,
 * chosen element by element. */
#include "ir/lower.h"
#include "passes/mutate.h"

static bool is_piece(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION && fx__op_of(node) == fx__op(FX_OP_getitem) && node->args.n == 2 &&
           fx__arg(node, 0)->kind == FX_ATTR_NODE && fx__alias_tuple(fx__arg(node, 0)->u.node);
}

/* ---- Parts: [from, from + length * step) of one dim ----------------------------------------------------------------------------
 */

typedef struct part {
    int64_t dim;
    fx_dim from, length;
    int64_t step;
    bool dropped; /* select, unbind: the dim is gone */
} part;

static fx_node *narrow(fx_node *before, fx_node *base, int64_t dim, fx_dim from, fx_dim length)
{
    const fx_attr args[] = {fx_node_attr(base), fx_int(dim), fx_dim_attr(from), fx_dim_attr(length)};
    return fx__core_call(before, "narrow", args, 4);
}

/* base[:from], value, base[to:] along dim. */
static fx_node *splice(fx_node *before, fx_node *base, fx_node *value, const part *p)
{
    fx_dims *dims = before->graph->dims;
    fx_dim size = fx_node_type(base, 0)->dim[p->dim], to = fx__dim_add(dims, p->from, p->length);
    fx_attr parts[3];
    int32_t n = 0;
    if (!fx__dim_equal(dims, p->from, 0)) {
        fx_node *head = narrow(before, base, p->dim, 0, p->from);
        if (!head) return NULL;
        parts[n++] = fx_node_attr(head);
    }
    parts[n++] = fx_node_attr(value);
    if (!fx__dim_equal(dims, to, size)) {
        fx_node *tail = narrow(before, base, p->dim, to, fx__dim_sub(dims, size, to));
        if (!tail) return NULL;
        parts[n++] = fx_node_attr(tail);
    }
    if (n == 1) return value;
    const fx_attr args[] = {fx_list(before->graph, parts, n), fx_int(p->dim)};
    return fx__core_call(before, "cat", args, 2);
}

static fx_node *constant(fx_node *before, const char *stem, const fx_tensor *tensor)
{
    fx_graph *graph = before->graph;
    fx_tensor copy = *tensor;
    fx_module *module = fx__module_ensure(graph);
    const char *path = module ? fx__module_add_constant(module, stem, &copy, fx__module_release_tensor, NULL) : NULL;
    if (!path) {
        fx_tensor_release(&copy);
        return NULL;
    }
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *node = fx_graph_get_attr(graph, path);
    fx_graph_set_point(graph, point);
    return node;
}

/* Along a dim of `size`: which elements the part has, and which element of the part each is. */
static bool make_choice(fx_node *before, const part *p, int64_t size, int32_t rank, fx_node **out_chosen, fx_node **out_index)
{
    fx_tensor chosen, index;
    int64_t dim[FX_RANK];
    for (int32_t d = 0; d < FX_RANK; d++) dim[d] = d == p->dim ? size : 1;
    if (fx_tensor_alloc(FX_BOOL, rank, dim, &chosen) != FX_OK) {
        fx__diag_oom(before->graph->context);
        return false;
    }
    if (fx_tensor_alloc(FX_I64, 1, &size, &index) != FX_OK) {
        fx_tensor_release(&chosen);
        fx__diag_oom(before->graph->context);
        return false;
    }
    for (int64_t i = 0; i < p->length; i++) {
        fx_tensor_set(&chosen, p->from + i * p->step, 1);
        fx_tensor_set(&index, p->from + i * p->step, (double)i);
    }
    *out_chosen = constant(before, "chosen", &chosen);
    *out_index = constant(before, "taken", &index);
    return *out_chosen && *out_index;
}

/* Every step-th element: where(chosen, value[taken], base). */
static fx_node *interleave(fx_node *before, fx_node *base, fx_node *value, const part *p)
{
    const fx_type *type = fx_node_type(base, 0);
    fx_node *chosen, *index;
    fx_dim size = type->dim[p->dim];
    if (p->length == 0) return base;
    if (!fx_dim_is_const(size) || !fx_dim_is_const(p->from) || !fx_dim_is_const(p->length)) {
        fx__diag_node(before, FX_E_UNSUPPORTED, "a slice with a step, of a dimension of symbolic size, is changed in place");
        return NULL;
    }
    if (!make_choice(before, p, size, type->rank, &chosen, &index)) return NULL;
    const fx_attr take[] = {fx_node_attr(value), fx_int(p->dim), fx_node_attr(index)};
    fx_node *spread = fx__core_call(before, "index_select", take, 3);
    if (!spread) return NULL;
    const fx_attr args[] = {fx_node_attr(chosen), fx_node_attr(spread), fx_node_attr(base)};
    return fx__core_call(before, "where", args, 3);
}

static fx_node *write_part(fx_node *before, fx_node *base, fx_node *value, const part *p)
{
    if (p->dropped) {
        const fx_attr args[] = {fx_node_attr(value), fx_int(p->dim)};
        value = fx__core_call(before, "unsqueeze", args, 2);
    }
    if (!value) return NULL;
    return p->step == 1 ? splice(before, base, value, p) : interleave(before, base, value, p);
}

static int64_t dim_of(const fx_attr *dim, int32_t rank)
{
    return dim->kind == FX_ATTR_INT ? dim->u.i + (dim->u.i < 0 ? rank : 0) : 0;
}

/* Of slice, narrow, select, as their view hook says. */
static bool part_of_view(const fx_node *view, const fx_type *base, part *out)
{
    fx_attr bound[FX_PARAMS];
    const fx_op *op = fx__op_of(view);
    if (fx__op_bind(view->graph, view, op, bound) != FX_OK) return false;
    fx_call call = {view->graph->context, view->graph->dims, op, view, bound, {view->result[0]}, 1};
    fx_view hook = {.dims = view->graph->dims, .in = base, .out = &view->result[0]};
    if (op->view(&hook, &call) != FX_OK) return false;
    const fx_index *at;
    *out = (part){.dim = dim_of(&bound[1], base->rank), .dropped = op == fx__op(FX_OP_select), .length = 1, .step = 1};
    at = &hook.at[out->dim];
    out->from = at->base;
    if (at->n == 0) return true;
    out->step = at->term[0].coef;
    out->length = view->result[0].dim[out->dim];
    return true;
}

/* Of a getitem of split, chunk, unbind: behind the pieces before it. */
static bool part_of_piece(const fx_node *view, const fx_type *base, part *out)
{
    const fx_node *producer = fx__arg(view, 0)->u.node;
    const fx_op *op = fx__op_of(producer);
    const fx_attr *index = fx__arg(view, 1);
    fx_attr bound[FX_PARAMS];
    if (fx__op_bind(view->graph, producer, op, bound) != FX_OK || index->kind != FX_ATTR_INT) return false;
    int64_t i = index->u.i + (index->u.i < 0 ? producer->n_result : 0);
    if (i < 0 || i >= producer->n_result) return false;
    bool unbinds = op == fx__op(FX_OP_unbind);
    *out = (part){
        .dim = dim_of(&bound[unbinds ? 1 : 2], base->rank), .from = unbinds ? i : 0, .length = 1, .step = 1, .dropped = unbinds};
    if (unbinds) return true;
    for (int64_t r = 0; r < i; r++) out->from = fx__dim_add(view->graph->dims, out->from, producer->result[r].dim[out->dim]);
    out->length = producer->result[i].dim[out->dim];
    return true;
}

static bool find_part(const fx_node *view, const fx_node *base, part *out)
{
    const fx_type *type = fx_node_type(base, 0);
    if (!type || view->n_result == 0) {
        fx__diag_node(view, FX_E_UNSUPPORTED, "a part of a tensor of unknown shape is changed in place");
        return false;
    }
    return is_piece(view) ? part_of_piece(view, type, out) : part_of_view(view, type, out);
}

/* ---- Renumberings and permutations
 * ----------------------------------------------------------------------------------------------- */

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
static fx_node *write_transpose(fx_node *before, const fx_node *view, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    const fx_op *op = fx__op_of(view);
    int32_t n;
    fx__op_params(op, &n);
    if (fx__op_bind(before->graph, view, op, bound) != FX_OK) return NULL;
    bound[0] = fx_node_attr(value);
    return fx__core_call(before, op->target, bound, n);
}

static fx_node *write_permute(fx_node *before, const fx_node *view, fx_node *value)
{
    fx_attr bound[FX_PARAMS];
    int64_t inverse[FX_RANK] = {0};
    if (fx__op_bind(before->graph, view, fx__op_of(view), bound) != FX_OK) return NULL;
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

/* ---- All views
 * --------------------------------------------------------------------------------------------------------------------- */

fx_node *fx__view_write(fx_node *before, const fx_node *view, fx_node *base, fx_node *value)
{
    part p;
    const fx_op *op = fx__op_of(view);
    switch (op ? (fx_op_code)fx__op_code(op) : FX_OP_COUNT) {
    case FX_OP_view:
    case FX_OP_reshape:
    case FX_OP_flatten:
    case FX_OP_unflatten:
    case FX_OP_squeeze:
    case FX_OP_unsqueeze:
    case FX_OP_expand: /* of nothing, or it would overlap */
        return write_reshape(before, view, base, value);
    case FX_OP_transpose:
    case FX_OP_t:
        return write_transpose(before, view, value);
    case FX_OP_permute:
        return write_permute(before, view, value);
    case FX_OP_slice:
    case FX_OP_select:
    case FX_OP_narrow:
        return find_part(view, base, &p) ? write_part(before, base, value, &p) : NULL;
    case FX_OP_getitem:
        if (!is_piece(view)) return value;
        return find_part(view, base, &p) ? write_part(before, base, value, &p) : NULL;
    default:
        return value; /* the tensor itself */
    }
}

static fx_node *piece_again(fx_node *before, const fx_node *view, fx_node *base)
{
    part p;
    if (!find_part(view, base, &p)) return NULL;
    if (!p.dropped) return narrow(before, base, p.dim, p.from, p.length);
    const fx_attr args[] = {fx_node_attr(base), fx_int(p.dim), fx_dim_attr(p.from)};
    return fx__core_call(before, "select", args, 3);
}

fx_node *fx__view_again(fx_node *before, const fx_node *view, fx_node *base)
{
    fx_attr args[FX_PARAMS];
    if (is_piece(view)) return piece_again(before, view, base);
    if (view->args.n > FX_PARAMS || view->args.n == 0) return NULL;
    for (int32_t i = 0; i < view->args.n; i++) args[i] = *fx__arg(view, i);
    args[0] = fx_node_attr(base);
    fx_graph *graph = view->graph;
    fx_node_spec spec = {view->opcode, view->target, fx_tuple(graph, args, view->args.n), view->kwargs, view->name,
                         false,        before->loc};
    fx_point point = fx_graph_insert_before(graph, before);
    fx_node *copy = fx_graph_create_node(graph, &spec);
    fx_graph_set_point(graph, point);
    return copy && fx__core_settle(copy) == FX_OK ? copy : NULL;
}
