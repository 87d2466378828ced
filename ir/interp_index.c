/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_index.c: x[1:3, None, mask]: what an index selects as a view, with tensors of indices and masks beside it; reading
 * through it, and x[index] = value. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <string.h>

typedef fx_interp_value value;

/* ---- What is selected ------------------------------------------------------------------------------------------------------- */

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
    int64_t step = bound[2] > size ? (size > 0 ? size : 1) : bound[2]; /* a longer one selects as much */
    s->first += span ? bound[0] * s->view.stride[s->dim] : 0;
    s->view.dim[s->dim] = (span + step - 1) / step;
    s->view.stride[s->dim++] *= step;
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
        if (s->view.rank - rest < s->dim) return false; /* more items than dims */
        s->dim = s->view.rank - rest;
        return true;
    default:
        return false;
    }
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

/* The selection in memory of that type. */
static fx_tensor view_of(const selection *s, const fx_tensor *base)
{
    fx_tensor view = s->view;
    view.dtype = base->dtype;
    view.data = (char *)base->data + s->first * (int64_t)fx_dtype_bytes(base->dtype);
    return view;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------------------- */

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

fx_status fx__interp_run_index(fx_interp *it, fx_node *node, value *v)
{
    const value *self = fx__interp_value_of(it, fx__arg(node, 0)->u.node);
    selection s;
    if (self->n != 1) return fx__diag_node(node, FX_E_UNSUPPORTED, "a tuple is taken apart like a tensor");
    FX_TRY(select_all(it, node, self, &s));
    FX_TRY(fx__interp_value_same(it, v, self, 0));
    v->tensor[0] = view_of(&s, &v->tensor[0]);
    if (v->error) v->error[0] = view_of(&s, &v->error[0]);
    return FX_OK;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

/* Where the mask is true; its dims are the first ones of the view. */
static fx_status put_by_mask(const fx_tensor *mask, fx_tensor *to, const fx_tensor *from)
{
    int64_t at[FX_RANK] = {0};
    fx_tensor values = {0};
    if (mask->rank > to->rank || fx__ref_empty(to->rank, to->dim)) return mask->rank > to->rank ? FX_E_SHAPE : FX_OK;
    for (int32_t d = 0; d < mask->rank; d++)
        if (mask->dim[d] != to->dim[d]) return FX_E_SHAPE;
    fx_status status = fx__interp_converted(from, to, &values);
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
    fx_status status = fx__interp_converted(from, &shape, &values);
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

static fx_status put_selected(const selection *s, fx_tensor *to, fx_tensor *to_error, const fx_interp_written *from)
{
    static const double none;
    const fx_tensor zero = fx_tensor_view((void *)(uintptr_t)&none, FX_F64, 0, NULL);
    const fx_tensor *error = from->error ? from->error : &zero;
    if (s->n_tensors == 0) return fx__interp_fits(&from->tensor, to) ? fx__interp_write(to, to_error, from) : FX_E_SHAPE;
    if (s->n_tensors == 1 && s->tensor[0] && s->tensor[0]->dtype == FX_BOOL) {
        for (int32_t d = 0; d < from->tensor.rank - (to->rank - s->tensor[0]->rank); d++)
            if (from->tensor.dim[d] != 1) return FX_E_UNSUPPORTED; /* one value per element of the mask */
        if (!fx__interp_fits(&from->tensor, to)) return FX_E_SHAPE;
        FX_TRY(put_by_mask(s->tensor[0], to, &from->tensor));
        return to_error ? put_by_mask(s->tensor[0], to_error, error) : FX_OK;
    }
    for (int32_t d = 0; d < FX_RANK; d++)
        if (s->tensor[d] && s->tensor[d]->dtype == FX_BOOL) return FX_E_UNSUPPORTED;
    FX_TRY(put_by_indices(s, to, &from->tensor));
    return to_error ? put_by_indices(s, to_error, error) : FX_OK;
}

fx_status fx__interp_put_item(fx_interp *it, const fx_node *node, value *self, const fx_interp_written *from)
{
    selection s;
    FX_TRY(select_all(it, node, self, &s));
    if (fx__interp_overlaps(&s.view)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    FX_TRY(fx__interp_open_write(it, node, self));
    fx_tensor to = view_of(&s, &self->tensor[0]), error = self->error ? view_of(&s, &self->error[0]) : (fx_tensor){0};
    fx_status status = put_selected(&s, &to, self->error ? &error : NULL, from);
    return status == FX_OK ? FX_OK : fx__diag_node(node, status, "%s", fx_status_text(status));
}
