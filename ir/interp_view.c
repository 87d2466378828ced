/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_view.c: results that lie in memory of an argument, as torch has them, in graphs that change tensors. Where the elements
 * of a view lie tells the reference kernel itself: it is given numbers of places instead of elements. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <string.h>

typedef fx_interp_value value;

/* ---- Places ----------------------------------------------------------------------------------------------------------------- */

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
    out->data = (char *)base->data + first * (int64_t)fx_dtype_bytes(base->dtype);
    return true;
}

/* Result r of the call lies in `self` where the reference kernel, given places instead of elements, says; false: it does not. */
static bool view_in(const value *self, int32_t r, const fx_tensor *places, value *v)
{
    if (!fx__interp_fit_view(places, &self->tensor[0], &v->tensor[r])) return false;
    fx__interp_value_lie_in(v, r, self->block[0]);
    return !v->error || fx__interp_fit_view(places, &self->error[0], &v->error[r]);
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

static fx_status new_view(const fx_interp *it, const value *self, int32_t n, value *v)
{
    FX_TRY(fx__interp_value_new(it, v, n));
    if (!self->error) return FX_OK;
    v->error = FX_NEW_ARRAY(it->shared->arena, fx_tensor, n);
    return v->error ? FX_OK : FX_E_OOM;
}

static fx_status run_view(fx_interp *it, fx_node *node, const value *self, value *v, bool *out_done)
{
    const fx_op *op = fx__op_of(node);
    fx_tensor places = {0}, results[FX_RESULTS] = {{0}};
    *out_done = true;
    FX_TRY(new_view(it, self, node->n_result, v));
    fx_status status = fx__interp_number_places(&self->tensor[0], &places);
    if (status == FX_OK) status = run_on_places(it, node, op, &places, results);
    for (int32_t r = 0; r < node->n_result && status == FX_OK; r++) *out_done = *out_done && view_in(self, r, &results[r], v);
    for (int32_t r = 0; r < node->n_result; r++) fx_tensor_release(&results[r]);
    fx_tensor_release(&places);
    if (status != FX_OK || !*out_done) fx__interp_value_free(v);
    v->tuple = *out_done && fx__alias_tuple(node);
    return status == FX_OK ? FX_OK : fx__diag_node(node, status, "%s", fx_status_text(status));
}

fx_status fx__interp_run_alias(fx_interp *it, fx_node *node, value *v, bool *out_done)
{
    const fx_node *base = fx__alias_base(node);
    const value *self = base ? fx__interp_value_of(it, base) : NULL;
    *out_done = false;
    if (!self || self->n != 1) return FX_OK;
    if (fx__alias_tuple(node)) return run_view(it, node, self, v, out_done);
    switch (fx__alias_kind(node)) {
    case FX_ALIAS_NONE:
        return FX_OK;
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
        return run_view(it, node, self, v, out_done);
    }
    return *out_done ? fx__interp_value_same(it, v, self, 0) : FX_OK;
}
