/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_mutate.c: calls that change tensors, done as torch does them: a view shares the memory of what it is a view of, an
 * in-place call computes the pure operator and copies the result into the tensor. Nothing here knows the pass `functionalise`,
 * which comes to the same by other means. In a core graph, all write-backs take place together at the end. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include "ir/ops/norm_train_ref.h"
#include <stdlib.h>
#include <string.h>

typedef fx_interp_value value;

fx_status fx__copy_in_place_ref(const fx_rt_arg *args, fx_tensor *results);

/* ---- What is written --------------------------------------------------------------------------------------------------------- */

bool fx__interp_mutates(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (!graph->core && (fx__in_place_kind(node) != FX_IN_PLACE_NONE || fx__train_is(node))) return true;
    return false;
}

/* The node whose memory a value lies in, as far as the graph tells. */
static const fx_node *root_of(const fx_node *node)
{
    for (const fx_node *next; node; node = next) {
        next = fx__in_place_kind(node) != FX_IN_PLACE_NONE ? fx__in_place_target(node) : fx__alias_base(node);
        bool is_row = !next && node->opcode == FX_CALL_FUNCTION && strcmp(node->target, "operator.getitem") == 0;
        if (is_row) next = fx__in_place_target(node);
        if (!next) return node;
    }
    return NULL;
}

static bool writes(const fx_node *node, const fx_node *attribute)
{
    fx_node *running[2] = {NULL, NULL}, *target = NULL;
    if (fx__train_is(node)) fx__train_targets(node, running);
    if (fx__in_place_kind(node) != FX_IN_PLACE_NONE) target = fx__in_place_target(node);
    const fx_node *const changed[] = {running[0], running[1], target};
    for (int i = 0; i < 3; i++) {
        const fx_node *root = changed[i] ? root_of(changed[i]) : NULL;
        if (root && root->opcode == FX_GET_ATTR && root->target == attribute->target) return true;
    }
    return false;
}

static bool is_written(const fx_interp *it, const fx_node *attribute)
{
    FX_EACH_NODE(node, it->graph)
    if (writes(node, attribute)) return true;
    return false;
}

static fx_tensor *own_tensor(const fx_interp *it, const char *path)
{
    fx_tensor *own = it->memory ? it->memory->find(it->memory->user, path) : NULL;
    return own || !it->module ? own : fx__module_own_tensor(it->module, path);
}

const fx_tensor *fx__interp_attribute(fx_interp *it, const fx_node *node)
{
    if (it->mutates ? is_written(it, node) : it->graph->core && fx__is_written_back(node)) return own_tensor(it, node->target);
    return it->module ? fx_module_tensor(it->module, node->target) : NULL;
}

/* ---- Inputs -------------------------------------------------------------------------------------------------------------------
 */

fx_status fx__interp_take_input(fx_interp *it, fx_node *node, int32_t index)
{
    value *v = fx__interp_value_of(it, node);
    const fx_tensor *input = &it->inputs[index];
    FX_TRY(fx__interp_value_new(it, v, node, 1));
    v->tensor[0] = *input;
    if (!it->mutates) return FX_OK;
    v->uses++; /* until the changes are given back */
    if (!fx_tensor_is_contiguous(input)) {
        v->tensor[0] = (fx_tensor){0};
        FX_TRY(fx_tensor_alloc(input->dtype, input->rank, input->dim, &v->tensor[0]));
        v->owned = true;
        FX_TRY(fx_tensor_copy(&v->tensor[0], input));
    }
    return it->bounds ? fx__interp_add_errors(it, v) : FX_OK;
}

static bool overlaps(const fx_tensor *tensor)
{
    for (int32_t d = 0; d < tensor->rank; d++)
        if (tensor->dim[d] > 1 && tensor->stride[d] == 0) return true;
    return false;
}

fx_status fx__interp_give_inputs(fx_interp *it)
{
    int32_t i = 0;
    FX_EACH_NODE(node, it->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        value *v = fx__interp_value_of(it, node);
        fx_tensor input = it->inputs[i++];
        if (!v->written || !v->owned) continue;
        if (overlaps(&input)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
        FX_TRY(fx_tensor_copy(&input, &v->tensor[0]));
    }
    return FX_OK;
}

/* ---- Values in the memory of others ---------------------------------------------------------------------------------------------
 */

static void lie_in(value *v, value *base)
{
    v->base = base;
    v->owned = false;
    base->uses++;
}

static void *moved(void *data, int64_t elements, fx_dtype dtype)
{
    return (char *)data + elements * (int64_t)fx_dtype_bytes(dtype);
}

/* An element of a tensor of numbers of places. */
static int64_t place_at(const fx_tensor *places, const int64_t *at)
{
    return *(const int64_t *)fx__ref_at(places, at);
}

/* Strides that lead to the same places; false: there are none. */
static bool fit_strides(const fx_tensor *places, int64_t *out_first, int64_t stride[FX_RANK])
{
    int64_t at[FX_RANK] = {0};
    *out_first = 0;
    for (int32_t d = 0; d < places->rank; d++) stride[d] = places->stride[d];
    if (fx__ref_empty(places->rank, places->dim)) return true;
    *out_first = place_at(places, at);
    for (int32_t d = 0; d < places->rank; d++) {
        if (places->dim[d] == 1) continue;
        at[d] = 1;
        stride[d] = place_at(places, at) - *out_first;
        at[d] = 0;
    }
    do {
        int64_t expected = *out_first;
        for (int32_t d = 0; d < places->rank; d++) expected += places->dim[d] == 1 ? 0 : at[d] * stride[d];
        if (expected != place_at(places, at)) return false;
    } while (fx__ref_next(places->rank, places->dim, at));
    return true;
}

/* Each element of a tensor is the number of its place in memory. */
fx_status fx__interp_number_places(const fx_tensor *tensor, fx_tensor *out)
{
    int64_t at[FX_RANK] = {0};
    FX_TRY(fx_tensor_alloc(FX_I64, tensor->rank, tensor->dim, out));
    if (fx__ref_empty(tensor->rank, tensor->dim)) return FX_OK;
    do {
        int64_t place = 0;
        for (int32_t d = 0; d < tensor->rank; d++) place += at[d] * tensor->stride[d];
        *(int64_t *)fx__ref_at(out, at) = place;
    } while (fx__ref_next(tensor->rank, tensor->dim, at));
    return FX_OK;
}

bool fx__interp_fit_view(const fx_tensor *places, const fx_tensor *base, fx_tensor *out)
{
    int64_t first, stride[FX_RANK];
    if (!fit_strides(places, &first, stride)) return false;
    *out = *places;
    memcpy(out->stride, stride, sizeof out->stride);
    out->dtype = base->dtype;
    out->data = moved(base->data, first, base->dtype);
    return true;
}

/* Result r of the call lies in `self` where the reference kernel, given places instead of elements, says; false: it does not. */
static bool view_in(const value *self, int32_t result, const fx_tensor *places, value *v)
{
    if (!fx__interp_fit_view(places, &self->tensor[0], &v->tensor[result])) return false;
    return !v->error || fx__interp_fit_view(places, &self->error[0], &v->error[result]);
}

static fx_status run_on_places(fx_interp *it, const fx_node *node, const fx_op *op, const fx_tensor *places, fx_tensor *results)
{
    fx_attr bound[FX_PARAMS];
    fx_interp_args args;
    const fx_interp_source source = fx__interp_tensors(it);
    FX_TRY(fx__op_bind(it->graph, node, op, bound));
    FX_TRY(fx__interp_args_build(op, bound, &source, &args));
    args.arg[0].u.tensor = places; /* TENSORS too: of one */
    fx_status status = FX_OK;
    for (int32_t r = 0; r < node->n_result && status == FX_OK; r++) {
        int64_t dim[FX_RANK];
        for (int32_t d = 0; d < node->result[r].rank; d++) dim[d] = fx__dim_eval(it->graph->dims, node->result[r].dim[d], it->syms);
        status = fx_tensor_alloc(FX_I64, node->result[r].rank, dim, &results[r]);
    }
    if (status == FX_OK) status = op->reference(args.arg, results);
    fx__interp_args_free(&args);
    return status;
}

static fx_status new_view(fx_interp *it, const fx_node *node, value *self, int32_t n, value *v)
{
    FX_TRY(fx__interp_value_new(it, v, node, n));
    if (!self->error) return FX_OK;
    v->error = FX_NEW_ARRAY(it->arena, fx_tensor, n);
    return v->error ? FX_OK : FX_E_OOM;
}

static fx_status run_view(fx_interp *it, fx_node *node, value *self, bool *out_done)
{
    value *v = fx__interp_value_of(it, node);
    const fx_op *op = fx__op_of(node);
    fx_tensor places = {0}, results[FX_RESULTS] = {{0}};
    *out_done = true;
    FX_TRY(new_view(it, node, self, node->n_result, v));
    fx_status status = fx__interp_number_places(&self->tensor[0], &places);
    if (status == FX_OK) status = run_on_places(it, node, op, &places, results);
    for (int32_t r = 0; r < node->n_result && status == FX_OK; r++) *out_done = *out_done && view_in(self, r, &results[r], v);
    for (int32_t r = 0; r < node->n_result; r++) fx_tensor_release(&results[r]);
    fx_tensor_release(&places);
    if (status != FX_OK || !*out_done)
        v->n = 0;
    else
        lie_in(v, self);
    return status == FX_OK ? FX_OK : fx__diag_node(node, status, "%s", fx_status_text(status));
}

/* The tensor itself, or one of a tuple's views. */
static fx_status run_same(fx_interp *it, const fx_node *node, value *self, int32_t result)
{
    value *v = fx__interp_value_of(it, node);
    FX_TRY(new_view(it, node, self, 1, v));
    v->tensor[0] = self->tensor[result];
    if (v->error) v->error[0] = self->error[result];
    lie_in(v, self);
    return FX_OK;
}

static fx_status run_piece(fx_interp *it, const fx_node *node, bool *out_done)
{
    const fx_node *tuple = fx__arg(node, 0)->u.node;
    const fx_attr *index = fx__arg(node, 1);
    int64_t i = index->kind == FX_ATTR_INT ? index->u.i + (index->u.i < 0 ? tuple->n_result : 0) : -1;
    if (i < 0 || i >= tuple->n_result) return FX_OK;
    *out_done = true;
    return run_same(it, node, fx__interp_value_of(it, tuple), (int32_t)i);
}

static bool takes_piece(const fx_node *node)
{
    return fx__op_of(node) == fx__op(FX_OP_getitem) && fx__alias_tuple(fx__arg(node, 0)->u.node);
}

static fx_status run_alias(fx_interp *it, fx_node *node, bool *out_done)
{
    const fx_node *base = fx__alias_base(node);
    value *self = base ? fx__interp_value_of(it, base) : NULL;
    if (!self || self->n != 1) return FX_OK;
    if (!node->result) FX_TRY(fx__op_infer(node));
    if (takes_piece(node)) return run_piece(it, node, out_done);
    if (fx__alias_tuple(node)) return run_view(it, node, self, out_done);
    switch (fx__alias_kind(node)) {
    case FX_ALIAS_SELF:
        *out_done = true;
        break;
    case FX_ALIAS_SAME_TYPE:
        *out_done = node->result[0].dtype == self->tensor[0].dtype;
        break;
    case FX_ALIAS_PACKED:
        *out_done = fx_tensor_is_contiguous(&self->tensor[0]);
        break;
    default:
        return run_view(it, node, self, out_done);
    }
    return *out_done ? run_same(it, node, self, 0) : FX_OK;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------------
 */

/* A tensor or number that is written; error NULL: exact. */
typedef struct source {
    fx_tensor tensor;
    const fx_tensor *error;
    union {
        int64_t i;
        double f;
    } number;
} source;

static bool read_source(const fx_interp *it, const fx_attr *arg, source *out)
{
    *out = (source){.error = NULL};
    switch (arg->kind) {
    case FX_ATTR_NODE: {
        const value *v = fx__interp_value_of(it, arg->u.node);
        if (v->n != 1) return false;
        out->tensor = v->tensor[0];
        out->error = v->error;
        return true;
    }
    case FX_ATTR_INT:
    case FX_ATTR_BOOL:
        out->number.i = arg->u.i;
        out->tensor = fx_tensor_view(&out->number.i, FX_I64, 0, NULL);
        return true;
    case FX_ATTR_SYMINT:
        out->number.i = fx__dim_eval(it->graph->dims, arg->u.dim, it->syms);
        out->tensor = fx_tensor_view(&out->number.i, FX_I64, 0, NULL);
        return true;
    case FX_ATTR_FLOAT:
        out->number.f = arg->u.f;
        out->tensor = fx_tensor_view(&out->number.f, FX_F64, 0, NULL);
        return true;
    default:
        return false;
    }
}

static bool fits(const fx_tensor *from, const fx_tensor *to)
{
    if (from->rank > to->rank) return false;
    for (int32_t d = 0; d < from->rank; d++)
        if (from->dim[d] != 1 && from->dim[d] != to->dim[to->rank - from->rank + d]) return false;
    return true;
}

/* In the type of `like`, in memory of its own, so that it may have been part of what is written. */
static fx_status converted(const fx_tensor *from, const fx_tensor *like, fx_tensor *out)
{
    FX_TRY(fx_tensor_alloc(like->dtype, like->rank, like->dim, out));
    const fx_rt_arg args[2] = {{.kind = FX_RT_NONE}, {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = from}};
    return fx__copy_in_place_ref(args, out);
}

/* A number is exact; a cast rounds. */
static fx_status write_error(const source *from, const fx_tensor *values, fx_tensor *to)
{
    static const double none;
    const fx_tensor zero = fx_tensor_view((void *)(uintptr_t)&none, FX_F64, 0, NULL);
    fx_tensor error = {0};
    fx_status status = converted(from->error ? from->error : &zero, to, &error);
    double eps = fx_dtype_is_float(values->dtype) && from->tensor.dtype != values->dtype ? fx__ref_eps(values->dtype) : 0;
    int64_t at[FX_RANK] = {0};
    if (status == FX_OK && eps > 0 && !fx__ref_empty(values->rank, values->dim)) {
        do {
            double size = fx__ref_get(values, at);
            fx__ref_set(&error, at, fx__ref_get(&error, at) + eps * (size < 0 ? -size : size));
        } while (fx__ref_next(values->rank, values->dim, at));
    }
    if (status == FX_OK) status = fx_tensor_copy(to, &error);
    fx_tensor_release(&error);
    return status;
}

static fx_status write_to(fx_tensor *to, fx_tensor *to_error, const source *from)
{
    fx_tensor values = {0};
    fx_status status = converted(&from->tensor, to, &values);
    if (status == FX_OK) status = fx_tensor_copy(to, &values);
    if (status == FX_OK && to_error) status = write_error(from, &values, to_error);
    fx_tensor_release(&values);
    return status;
}

static void mark_written(value *v)
{
    for (; v; v = v->base) v->written = true;
}

static fx_status check_target(const fx_node *node, const fx_tensor *to, const fx_tensor *from)
{
    if (overlaps(to)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    if (!fits(from, to))
        return fx__diag_node(node, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
    return FX_OK;
}

static fx_status write_value(const fx_node *node, value *self, const source *from)
{
    FX_TRY(check_target(node, &self->tensor[0], &from->tensor));
    mark_written(self);
    return write_to(&self->tensor[0], self->error, from);
}

/* ---- Calls ---------------------------------------------------------------------------------------------------------------------
 */

static bool may_become(const fx_node *node, fx_dtype self, fx_dtype result)
{
    bool narrows = (fx_dtype_is_float(result) && !fx_dtype_is_float(self)) || (result != FX_BOOL && self == FX_BOOL);
    if (narrows)
        fx__diag_node(node, FX_E_TYPE, "result type %s cannot be cast to the tensor's type %s", fx_dtype_name(result),
                      fx_dtype_name(self));
    return !narrows;
}

/* The pure operator's result, in the node's own value for a moment. */
static fx_status compute_call(fx_interp *it, fx_node *node)
{
    const fx_op *op = fx__in_place_op(node);
    fx_attr bound[FX_PARAMS];
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "unsupported in-place operator");
    fx_node pure = *node;
    pure.opcode = FX_CALL_FUNCTION;
    pure.op = op;
    pure.target = op->target;
    pure.kwargs = fx__in_place_kwargs(node);
    pure.result = NULL;
    pure.n_result = 0;
    if (fx__alias_kind(&pure) != FX_ALIAS_NONE)
        return fx__diag_node(node, FX_E_UNSUPPORTED, "the shape of a tensor is changed in place");
    FX_TRY(fx__op_infer(&pure));
    FX_TRY(fx__op_bind(it->graph, &pure, op, bound));
    return fx__interp_run_op(it, &pure, op, bound);
}

static fx_status run_in_place_call(fx_interp *it, fx_node *node, value *self)
{
    value *v = fx__interp_value_of(it, node);
    FX_TRY(compute_call(it, node));
    if (v->n != 1 || v->tensor[0].rank != self->tensor[0].rank)
        return fx__diag_node(node, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
    if (!may_become(node, self->tensor[0].dtype, v->tensor[0].dtype)) return FX_E_TYPE;
    const source from = {.tensor = v->tensor[0], .error = v->error};
    fx_status status = write_value(node, self, &from);
    fx__interp_value_free(v);
    return status;
}

/* ---- x[index] = value -----------------------------------------------------------------------------------------------------------
 */

typedef struct selection {
    const fx_interp *it;
    const fx_node *node;
    fx_tensor view; /* data: elements from the first one */
    int64_t first;
    int32_t dim;
    const fx_tensor *tensor[FX_RANK]; /* by dim of view */
    int32_t n_tensors;
} selection;

static bool int_of(const selection *s, const fx_attr *item, int64_t *out)
{
    if (item->kind != FX_ATTR_INT && item->kind != FX_ATTR_SYMINT) return false;
    *out = item->kind == FX_ATTR_INT ? item->u.i : fx__dim_eval(s->it->graph->dims, item->u.dim, s->it->syms);
    return true;
}

static void remove_dim(fx_tensor *view, int32_t d)
{
    view->rank--;
    for (; d < view->rank; d++) {
        view->dim[d] = view->dim[d + 1];
        view->stride[d] = view->stride[d + 1];
    }
}

static bool select_one(selection *s, const fx_attr *item)
{
    int64_t i;
    if (!int_of(s, item, &i) || s->dim >= s->view.rank) return false;
    i += i < 0 ? s->view.dim[s->dim] : 0;
    if (i < 0 || i >= s->view.dim[s->dim]) return false;
    s->first += i * s->view.stride[s->dim];
    remove_dim(&s->view, s->dim);
    return true;
}

static bool select_slice(selection *s, const fx_attr *item)
{
    if (s->dim >= s->view.rank) return false;
    int64_t size = s->view.dim[s->dim], bound[3] = {0, size, 1};
    for (int i = 0; i < 3; i++) {
        const fx_attr *given = &item->u.items[i];
        if (given->kind == FX_ATTR_NONE) continue;
        if (!int_of(s, given, &bound[i])) return false;
        if (i == 2) break;
        bound[i] += bound[i] < 0 ? size : 0;
        bound[i] = bound[i] < 0 ? 0 : bound[i] > size ? size : bound[i];
    }
    if (bound[2] < 1) return false;
    int64_t span = bound[1] > bound[0] ? bound[1] - bound[0] : 0;
    s->first += span ? bound[0] * s->view.stride[s->dim] : 0;
    s->view.dim[s->dim] = (span + bound[2] - 1) / bound[2];
    s->view.stride[s->dim++] *= bound[2];
    return true;
}

static bool insert_dim(selection *s)
{
    if (s->view.rank == FX_RANK) return false;
    for (int32_t d = s->view.rank++; d > s->dim; d--) {
        s->view.dim[d] = s->view.dim[d - 1];
        s->view.stride[d] = s->view.stride[d - 1];
    }
    s->view.dim[s->dim] = 1;
    s->view.stride[s->dim++] = 1;
    return true;
}

static bool select_by_tensor(selection *s, const fx_attr *item, int32_t n)
{
    const value *v = fx__interp_value_of(s->it, item->u.node);
    if (v->n != 1 || s->dim >= FX_RANK) return false;
    bool is_mask = v->tensor[0].dtype == FX_BOOL;
    if (is_mask && (n > 1 && v->tensor[0].rank != 1)) return false;
    s->tensor[s->dim++] = &v->tensor[0];
    s->n_tensors++;
    return true;
}

static bool select_item(selection *s, const fx_attr *items, int32_t i, int32_t n)
{
    int32_t rest = 0;
    switch (items[i].kind) {
    case FX_ATTR_INT:
    case FX_ATTR_SYMINT:
        return select_one(s, &items[i]);
    case FX_ATTR_SLICE:
        return select_slice(s, &items[i]);
    case FX_ATTR_NONE:
        return insert_dim(s);
    case FX_ATTR_NODE:
        return select_by_tensor(s, &items[i], n);
    case FX_ATTR_ELLIPSIS:
        for (int32_t j = i + 1; j < n; j++) rest += items[j].kind != FX_ATTR_NONE && items[j].kind != FX_ATTR_ELLIPSIS;
        s->dim = s->view.rank - rest;
        return true;
    default:
        return false;
    }
}

/* Where the mask is true; its dims are the first ones of the view. */
static fx_status put_by_mask(const fx_tensor *mask, fx_tensor *to, const fx_tensor *from)
{
    int64_t at[FX_RANK] = {0};
    fx_tensor values = {0};
    if (mask->rank > to->rank || fx__ref_empty(to->rank, to->dim)) return mask->rank > to->rank ? FX_E_SHAPE : FX_OK;
    for (int32_t d = 0; d < mask->rank; d++)
        if (mask->dim[d] != to->dim[d]) return FX_E_SHAPE;
    fx_status status = converted(from, to, &values);
    if (status == FX_OK) {
        do
            if (fx__ref_load(mask, at).i & 1) fx__ref_store(to, at, fx__ref_load(&values, at));
        while (fx__ref_next(to->rank, to->dim, at));
    }
    fx_tensor_release(&values);
    return status;
}

static fx_status put_by_indices(const selection *s, fx_tensor *to, const fx_tensor *from)
{
    const fx_op *op = fx__op(FX_OP_index_put);
    fx_tensor indices[FX_RANK] = {{0}}, values = {0}, result = {0};
    int32_t n = 0;
    for (int32_t d = 0; d < FX_RANK; d++) {
        if (s->tensor[d]) indices[d] = *s->tensor[d];
        if (s->tensor[d]) n = d + 1;
    }
    fx_tensor shape = *from;
    shape.dtype = to->dtype;
    fx_status status = converted(from, &shape, &values);
    if (status == FX_OK) status = fx_tensor_alloc(to->dtype, to->rank, to->dim, &result);
    const fx_rt_arg args[] = {{.kind = FX_RT_TENSOR, .n = 1, .u.tensor = to},
                              {.kind = FX_RT_TENSORS, .n = n, .u.tensor = indices},
                              {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = &values},
                              {.kind = FX_RT_INT, .u.i = 0}};
    if (status == FX_OK) status = op->reference(args, &result);
    if (status == FX_OK) status = fx_tensor_copy(to, &result);
    fx_tensor_release(&values);
    fx_tensor_release(&result);
    return status;
}

static fx_status put_selected(const selection *s, fx_tensor *to, fx_tensor *to_error, const source *from)
{
    static const double none;
    const fx_tensor zero = fx_tensor_view((void *)(uintptr_t)&none, FX_F64, 0, NULL);
    const fx_tensor *error = from->error ? from->error : &zero;
    if (s->n_tensors == 0) return fits(&from->tensor, to) ? write_to(to, to_error, from) : FX_E_SHAPE;
    if (s->n_tensors == 1 && s->tensor[0] && s->tensor[0]->dtype == FX_BOOL) {
        for (int32_t d = 0; d < from->tensor.rank - (to->rank - s->tensor[0]->rank); d++)
            if (from->tensor.dim[d] != 1) return FX_E_UNSUPPORTED; /* one value per element of the mask */
        if (!fits(&from->tensor, to)) return FX_E_SHAPE;
        FX_TRY(put_by_mask(s->tensor[0], to, &from->tensor));
        return to_error ? put_by_mask(s->tensor[0], to_error, error) : FX_OK;
    }
    for (int32_t d = 0; d < FX_RANK; d++)
        if (s->tensor[d] && s->tensor[d]->dtype == FX_BOOL) return FX_E_UNSUPPORTED;
    FX_TRY(put_by_indices(s, to, &from->tensor));
    return to_error ? put_by_indices(s, to_error, error) : FX_OK;
}

static fx_status select_all(const fx_interp *it, const fx_node *node, const value *self, selection *out)
{
    const fx_attr *index = fx__arg(node, 1), *items = index->kind == FX_ATTR_TUPLE ? index->u.items : index;
    int32_t n = index->kind == FX_ATTR_TUPLE ? index->n : 1;
    *out = (selection){.it = it, .node = node, .view = self->tensor[0]};
    for (int32_t i = 0; i < n; i++)
        if (!select_item(out, items, i, n)) return fx__diag_node(node, FX_E_UNSUPPORTED, "item %d of the index", (int)i);
    return FX_OK;
}

static fx_status run_setitem(fx_interp *it, const fx_node *node, value *self)
{
    selection s;
    source from;
    if (node->args.n != 3 || !read_source(it, fx__arg(node, 2), &from))
        return fx__diag_node(node, FX_E_UNSUPPORTED, "what is written is neither a tensor nor a number");
    FX_TRY(select_all(it, node, self, &s));
    if (overlaps(&s.view)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    fx_tensor to = s.view, error = s.view;
    to.data = moved(self->tensor[0].data, s.first, to.dtype);
    error.dtype = FX_F64;
    if (self->error) error.data = moved(self->error[0].data, s.first, FX_F64);
    mark_written(self);
    fx_status status = put_selected(&s, &to, self->error ? &error : NULL, &from);
    return status == FX_OK ? FX_OK : fx__diag_node(node, status, "%s", fx_status_text(status));
}

/* x[1:3, None]: with other items than one number, and without tensors. */
bool fx__interp_is_index(const fx_node *node)
{
    bool is_method = node->opcode == FX_CALL_METHOD;
    if (node->args.n != 2 || (node->opcode != FX_CALL_FUNCTION && !is_method) || fx__arg(node, 0)->kind != FX_ATTR_NODE)
        return false;
    if (strcmp(node->target, is_method ? "__getitem__" : "operator.getitem") != 0) return false;
    const fx_attr *index = fx__arg(node, 1);
    for (int32_t i = 0; index->kind == FX_ATTR_TUPLE && i < index->n; i++)
        if (index->u.items[i].kind == FX_ATTR_NODE) return false;
    return index->kind == FX_ATTR_TUPLE || index->kind == FX_ATTR_SLICE || index->kind == FX_ATTR_NONE ||
           index->kind == FX_ATTR_ELLIPSIS;
}

static fx_status run_index(fx_interp *it, fx_node *node)
{
    value *self = fx__interp_value_of(it, fx__arg(node, 0)->u.node), *v = fx__interp_value_of(it, node);
    selection s;
    if (self->n != 1) return fx__diag_node(node, FX_E_UNSUPPORTED, "a tuple is taken apart like a tensor");
    FX_TRY(select_all(it, node, self, &s));
    FX_TRY(run_same(it, node, self, 0));
    void *data = v->tensor[0].data;
    v->tensor[0] = s.view;
    v->tensor[0].data = moved(data, s.first, s.view.dtype);
    if (v->error) {
        data = v->error[0].data;
        v->error[0] = s.view;
        v->error[0].dtype = FX_F64;
        v->error[0].data = moved(data, s.first, FX_F64);
    }
    fx_type type = {.dtype = s.view.dtype, .rank = s.view.rank};
    memcpy(type.dim, s.view.dim, sizeof type.dim);
    return node->n_result ? FX_OK : fx_node_set_type(node, 0, &type);
}

/* ---- Normalisation in training
 * ---------------------------------------------------------------------------------------------------- */

static fx_status run_training(fx_interp *it, fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    fx_node *target[2];
    fx_attr bound[FX_PARAMS];
    fx__train_targets(node, target);
    if (!node->result) FX_TRY(fx__op_infer(node));
    FX_TRY(fx__op_bind(it->graph, node, op, bound));
    FX_TRY(fx__interp_run_op(it, node, op, bound));
    const value *x = fx__interp_value_of(it, bound[0].u.node);
    const fx_rt_arg input = {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = x->tensor};
    const fx_rt_arg error = {.kind = x->error ? FX_RT_TENSOR : FX_RT_NONE, .n = 1, .u.tensor = x->error};
    double momentum = bound[6].kind == FX_ATTR_FLOAT ? bound[6].u.f : (double)bound[6].u.i;
    for (int i = 0; i < 2; i++) {
        value *running = target[i] ? fx__interp_value_of(it, target[i]) : NULL;
        if (!running) continue;
        if (overlaps(&running->tensor[0])) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
        mark_written(running);
        fx__train_running_ref(&input, &error, momentum, i == 1, &running->tensor[0], running->error);
    }
    return FX_OK;
}

/* ---- All of it
 * ---------------------------------------------------------------------------------------------------------------------- */

static fx_status run_in_place(fx_interp *it, fx_node *node)
{
    fx_node *target = fx__in_place_target(node);
    value *self = target ? fx__interp_value_of(it, target) : NULL;
    source from;
    const fx_attr zero = fx_int(0);
    if (!self || self->n != 1) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    fx_in_place_kind kind = fx__in_place_kind(node);
    switch (kind) {
    case FX_IN_PLACE_COPY:
    case FX_IN_PLACE_ZERO:
        if (!read_source(it, kind == FX_IN_PLACE_ZERO ? &zero : fx__arg(node, 1), &from))
            return fx__diag_node(node, FX_E_UNSUPPORTED, "what is written is neither a tensor nor a number");
        FX_TRY(write_value(node, self, &from));
        break;
    case FX_IN_PLACE_SETITEM:
        FX_TRY(run_setitem(it, node, self));
        break;
    case FX_IN_PLACE_CALL:
        FX_TRY(run_in_place_call(it, node, self));
        break;
    default:
        break;
    }
    const fx_type *type = fx_node_type(target, 0);
    if (type) FX_TRY(fx_node_set_type(node, 0, type));
    return run_same(it, node, self, 0);
}

fx_status fx__interp_mutate(fx_interp *it, fx_node *node, bool *out_done)
{
    *out_done = false;
    if (fx__interp_is_index(node)) {
        *out_done = true;
        return run_index(it, node);
    }
    if (fx__in_place_kind(node) != FX_IN_PLACE_NONE) {
        *out_done = true;
        return run_in_place(it, node);
    }
    if (fx__train_is(node)) {
        *out_done = true;
        return run_training(it, node);
    }
    bool may_alias = fx__alias_tuple(node) || fx__alias_kind(node) != FX_ALIAS_NONE;
    return may_alias ? run_alias(it, node, out_done) : FX_OK;
}

static int32_t input_number(const fx_node *node)
{
    int32_t n = 0;
    FX_EACH_NODE(other, node->graph)
    {
        if (other == node) return n;
        n += other->opcode == FX_PLACEHOLDER;
    }
    return n;
}

static fx_status write_back(const fx_interp *it, const fx_node *node)
{
    const fx_node *target = fx__arg(node, 0)->u.node;
    const fx_tensor *own = target->opcode == FX_GET_ATTR ? own_tensor(it, target->target) : NULL;
    if (target->opcode == FX_PLACEHOLDER) own = &it->inputs[input_number(target)];
    if (!own) return fx__diag_node(node, FX_E_GRAPH, "a write-back goes to an input or a tensor of the module");
    fx_tensor to = *own;
    if (overlaps(&to)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    return fx_tensor_copy(&to, &fx__interp_value_of(it, node)->tensor[0]);
}

fx_status fx__interp_write_back(fx_interp *it)
{
    FX_EACH_NODE(node, it->graph)
    if (it->graph->core && fx__is_write_back(node)) FX_TRY(write_back(it, node));
    return FX_OK;
}
