/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of operators that read where a tensor of indices says. An index below 0 counts from the end; one outside is
 * FX_E_INDEX. Their results are elements of the input, so the errors of the results are those elements' errors. */
#include "ir/ops/index_ref.h"
#include <math.h>
#include <string.h>

/* ---- Shared ---------------------------------------------------------------------------------------------------------------- */

int64_t fx__index_at(const fx_tensor *indices, int32_t rank, const int64_t *at, int64_t size)
{
    int64_t index = fx__scalar_load(indices->dtype, fx__ref_bcast(indices, rank, at)).i;
    if (index < 0) index += size;
    return index >= 0 && index < size ? index : -1;
}

bool fx__index_in_doubt(const fx_rt_bound *call, int32_t p)
{
    const fx_rt_arg *arg = &call->arg_errors[p];
    int32_t n = arg->kind == FX_RT_TENSOR ? 1 : arg->kind == FX_RT_TENSORS ? arg->n : 0;
    for (int32_t i = 0; i < n; i++) {
        const fx_tensor *error = &arg->u.tensor[i];
        int64_t at[FX_RANK] = {0};
        if (!error->data || fx__ref_empty(error->rank, error->dim)) continue;
        do {
            if (fx__ref_get(error, at) != 0) return true;
        } while (fx__ref_next(error->rank, error->dim, at));
    }
    return false;
}

void fx__index_no_bound(const fx_rt_bound *call)
{
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return;
    do fx__ref_set(call->errors, at, INFINITY);
    while (fx__ref_next(call->errors->rank, call->errors->dim, at));
}

/* The same reading of the errors; indices are arguments 1 and later. */
static fx_status read_errors(const fx_rt_bound *call, int32_t n_args, fx_ref_fn read)
{
    fx_rt_arg args[4];
    for (int32_t p = 1; p < n_args; p++) {
        if (!fx__index_in_doubt(call, p)) continue;
        fx__index_no_bound(call);
        return FX_OK;
    }
    if (call->arg_errors[0].kind == FX_RT_NONE || !call->arg_errors[0].u.tensor->data) return FX_OK;
    memcpy(args, call->args, sizeof *args * (size_t)n_args);
    args[0] = call->arg_errors[0];
    return read(args, call->errors);
}

/* ---- index: picks along some dims, whole along the others ---------------------------------------------------------------------
 */

/* Indices by dim of x; NULL or without data: all of the dim. */
typedef struct picks {
    const fx_tensor *x;
    const fx_tensor *index[FX_RANK];
    int32_t common; /* rank of what the indices broadcast to */
    int32_t first;  /* where its dims stand in the result */
} picks;

static fx_status pick(const picks *p, fx_tensor *result)
{
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        int32_t kept = 0;
        for (int32_t d = 0; d < p->x->rank; d++) {
            if (p->index[d]) {
                from[d] = fx__index_at(p->index[d], p->common, at + p->first, p->x->dim[d]);
                if (from[d] < 0) return FX_E_INDEX;
            } else {
                from[d] = at[kept < p->first ? kept : kept + p->common];
                kept++;
            }
        }
        fx__ref_store(result, at, fx__ref_load(p->x, from));
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static int32_t axis(const fx_tensor *x, int64_t d)
{
    return (int32_t)(d < 0 ? d + x->rank : d);
}

/* embedding(weight, indices, ...) */
fx_status fx__embedding_ref(const fx_rt_arg *args, fx_tensor *results)
{
    picks p = {.x = args[0].u.tensor, .index = {args[1].u.tensor}, .common = args[1].u.tensor->rank};
    return pick(&p, results);
}

/* functional_embedding(input, weight, ...) */
fx_status fx__functional_embedding_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_rt_arg turned[] = {args[1], args[0]};
    return fx__embedding_ref(turned, results);
}

/* index_select(self, dim, index): a scalar index leaves a dim of size 1. */
fx_status fx__index_select_ref(const fx_rt_arg *args, fx_tensor *results)
{
    picks p = {.x = args[0].u.tensor, .common = 1, .first = axis(args[0].u.tensor, args[1].u.i)};
    p.index[p.first] = args[2].u.tensor;
    return pick(&p, results);
}

/* index(self, indices): dims of neighbouring indices stay where they are, others go to the front. */
fx_status fx__index_ref(const fx_rt_arg *args, fx_tensor *results)
{
    picks p = {.x = args[0].u.tensor};
    int32_t first = -1, last = -1, n = 0;
    for (int32_t d = 0; d < args[1].n; d++) {
        const fx_tensor *index = &args[1].u.tensor[d];
        if (!index->data) continue;
        p.index[d] = index;
        if (index->rank > p.common) p.common = index->rank;
        first = first < 0 ? d : first;
        last = d;
        n++;
    }
    p.first = n > 0 && last - first + 1 == n ? first : 0;
    return pick(&p, results);
}

/* take(self, index): indices into the row-major order of all elements. */
fx_status fx__take_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor, *index = args[1].u.tensor;
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        int64_t number = fx__index_at(index, results->rank, at, fx_tensor_elems(x));
        if (number < 0) return FX_E_INDEX;
        for (int32_t d = x->rank - 1; d >= 0; d--) {
            from[d] = number % x->dim[d];
            number /= x->dim[d];
        }
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* gather(self, dim, index, ...): the element at the result's own coordinates, but for dim. */
fx_status fx__gather_ref(const fx_rt_arg *args, fx_tensor *results)
{
    const fx_tensor *x = args[0].u.tensor, *index = args[2].u.tensor;
    int32_t dim = axis(x, args[1].u.i);
    int64_t at[FX_RANK] = {0}, from[FX_RANK];
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do {
        memcpy(from, at, sizeof from);
        from[dim] = fx__index_at(index, results->rank, at, x->dim[dim]);
        if (from[dim] < 0) return FX_E_INDEX;
        fx__ref_store(results, at, fx__ref_load(x, from));
    } while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------------------ */

fx_status fx__embedding_bound(const fx_rt_bound *call)
{
    return read_errors(call, 2, fx__embedding_ref);
}

fx_status fx__functional_embedding_bound(const fx_rt_bound *call)
{
    const fx_rt_arg args[] = {call->args[1], call->args[0]}, errors[] = {call->arg_errors[1], call->arg_errors[0]};
    const fx_rt_bound turned = {args, errors, call->results, call->errors, call->eps};
    return fx__embedding_bound(&turned);
}

fx_status fx__index_select_bound(const fx_rt_bound *call)
{
    return read_errors(call, 3, fx__index_select_ref);
}
fx_status fx__index_bound(const fx_rt_bound *call)
{
    return read_errors(call, 2, fx__index_ref);
}
fx_status fx__take_bound(const fx_rt_bound *call)
{
    return read_errors(call, 2, fx__take_ref);
}
fx_status fx__gather_bound(const fx_rt_bound *call)
{
    return read_errors(call, 3, fx__gather_ref);
}
