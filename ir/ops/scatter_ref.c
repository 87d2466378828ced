/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of operators that write where a tensor of indices says: a copy of the input, into which elements of a source
 * are put one after the other: the last one of several at one place stays, or all of them are combined, floats in long double. */
#include "ir/ops/index_ref.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Cells: the results while they are made -----------------------------------------------------------------------------------
 */

typedef enum combine { SET, SUM, PROD, MEAN, AMAX, AMIN } combine;

typedef struct cell {
    long double f;
    fx_imm i;
    int64_t n; /* elements combined */
} cell;

typedef struct cells {
    const fx_tensor *result;
    combine how;
    bool floating;
    cell *cell; /* [elements of the result], row-major */
} cells;

static cell cell_of(const cells *c, fx_imm value)
{
    return c->floating ? (cell){.f = value.f, .n = 1} : (cell){.i = value, .n = 1};
}

/* The input's elements; without include_self they count only where nothing is put. */
static fx_status cells_open(cells *c, const fx_tensor *self, const fx_tensor *result, combine how, bool include_self)
{
    int64_t at[FX_RANK] = {0}, i = 0;
    *c = (cells){.result = result, .how = how, .floating = fx_dtype_is_float(result->dtype)};
    c->cell = calloc((size_t)fx_tensor_elems(result) + 1, sizeof *c->cell);
    if (!c->cell) return FX_E_OOM;
    if (fx__ref_empty(result->rank, result->dim)) return FX_OK;
    do {
        c->cell[i] = cell_of(c, fx__ref_load(self, at));
        c->cell[i++].n = include_self;
    } while (fx__ref_next(result->rank, result->dim, at));
    return FX_OK;
}

static long double combine_floats(combine how, long double a, long double b)
{
    switch (how) {
    case SUM:
    case MEAN:
        return a + b;
    case PROD:
        return a * b;
    case AMAX:
        return isnan(a) || a > b ? a : b;
    case AMIN:
        return isnan(a) || a < b ? a : b;
    default:
        return b;
    }
}

static fx_imm combine_integers(combine how, fx_dtype dtype, fx_imm a, fx_imm b)
{
    bool sums = dtype != FX_BOOL;
    switch (how) {
    case SUM:
    case MEAN:
        return fx__scalar_apply(sums ? FX_SCALAR_ADD : FX_SCALAR_OR, dtype, a, b);
    case PROD:
        return fx__scalar_apply(sums ? FX_SCALAR_MUL : FX_SCALAR_AND, dtype, a, b);
    case AMAX:
        return fx__scalar_apply(FX_SCALAR_MAX, dtype, a, b);
    case AMIN:
        return fx__scalar_apply(FX_SCALAR_MIN, dtype, a, b);
    default:
        return b;
    }
}

static void put(cells *c, const int64_t *at, fx_imm value)
{
    int64_t i = 0;
    for (int32_t d = 0; d < c->result->rank; d++) i = i * c->result->dim[d] + at[d];
    cell *old = &c->cell[i], more = cell_of(c, value);
    if (old->n > 0) {
        more.f = combine_floats(c->how, old->f, more.f);
        more.i = combine_integers(c->how, c->result->dtype, old->i, more.i);
    }
    more.n = old->n + 1;
    *old = more;
}

static void store_cell(const cells *c, const int64_t *at, const cell *from)
{
    cell value = *from;
    if (c->how == MEAN && value.n > 1) {
        value.f /= (long double)value.n;
        value.i = fx__scalar_apply(FX_SCALAR_FLOORDIV, c->result->dtype, value.i, (fx_imm){.i = value.n});
    }
    fx__ref_store(c->result, at, c->floating ? (fx_imm){.f = (double)value.f} : value.i);
}

/* Gives the cells back; stores them when all went well. */
static fx_status cells_close(cells *c, fx_status status)
{
    int64_t at[FX_RANK] = {0}, i = 0;
    const fx_tensor *result = c->result;
    if (status == FX_OK && !fx__ref_empty(result->rank, result->dim)) do
            store_cell(c, at, &c->cell[i++]);
        while (fx__ref_next(result->rank, result->dim, at));
    free(c->cell);
    return status;
}

static fx_imm number(const fx_rt_arg *value, fx_dtype dtype)
{
    if (value->kind == FX_RT_FLOAT) return fx__scalar_cast(FX_F64, dtype, (fx_imm){.f = value->u.f});
    return fx__scalar_cast(FX_I64, dtype, (fx_imm){.i = value->u.i});
}

/* ---- scatter: the source's own coordinates, but for one dim
 * ------------------------------------------------------------------------ */

/* args: self, dim, index, source (a tensor or a number). */
static fx_status put_all(cells *c, const fx_rt_arg *args)
{
    const fx_tensor *index = args[2].u.tensor, *source = args[3].kind == FX_RT_TENSOR ? args[3].u.tensor : NULL;
    int32_t dim = (int32_t)(args[1].u.i < 0 ? args[1].u.i + index->rank : args[1].u.i);
    int64_t at[FX_RANK] = {0}, to[FX_RANK];
    fx_imm value = source ? (fx_imm){0} : number(&args[3], c->result->dtype);
    if (fx__ref_empty(index->rank, index->dim)) return FX_OK;
    do {
        memcpy(to, at, sizeof to);
        to[dim] = fx__index_at(index, index->rank, at, c->result->dim[dim]);
        if (to[dim] < 0) return FX_E_INDEX;
        put(c, to, source ? fx__ref_load(source, at) : value);
    } while (fx__ref_next(index->rank, index->dim, at));
    return FX_OK;
}

static fx_status scatter(const fx_rt_arg *args, combine how, bool include_self, fx_tensor *results)
{
    cells c;
    fx_status status = cells_open(&c, args[0].u.tensor, results, how, include_self);
    return status == FX_OK ? cells_close(&c, put_all(&c, args)) : status;
}

fx_status fx__scatter_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return scatter(args, SET, true, results);
}
fx_status fx__scatter_add_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return scatter(args, SUM, true, results);
}

static combine how_of(const char *reduce)
{
    static const char *const names[] = {[SUM] = "sum", [PROD] = "prod", [MEAN] = "mean", [AMAX] = "amax", [AMIN] = "amin"};
    for (combine h = SUM; h <= AMIN; h++)
        if (strcmp(names[h], reduce) == 0) return h;
    return SET;
}

/* scatter_reduce(self, dim, index, src, reduce, include_self) */
fx_status fx__scatter_reduce_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return scatter(args, how_of(args[4].u.s), args[5].u.i != 0, results);
}

/* ---- index_add, index_copy: whole slices; index_put: anywhere
 * ----------------------------------------------------------------------- */

/* args: self, dim, index, source */
static fx_status put_slices(cells *c, const fx_rt_arg *args, double alpha)
{
    const fx_tensor *index = args[2].u.tensor, *source = args[3].u.tensor;
    int32_t dim = (int32_t)(args[1].u.i < 0 ? args[1].u.i + source->rank : args[1].u.i);
    int64_t at[FX_RANK] = {0}, to[FX_RANK];
    if (fx__ref_empty(source->rank, source->dim)) return FX_OK;
    do {
        memcpy(to, at, sizeof to);
        to[dim] = fx__index_at(index, index->rank, &at[dim], c->result->dim[dim]);
        if (to[dim] < 0) return FX_E_INDEX;
        fx_imm value = fx__ref_load(source, at), factor = fx__scalar_from_double(source->dtype, alpha);
        if (alpha != 1) value = c->floating ? (fx_imm){.f = alpha * value.f} : combine_integers(PROD, source->dtype, factor, value);
        put(c, to, value);
    } while (fx__ref_next(source->rank, source->dim, at));
    return FX_OK;
}

static fx_status index_slices(const fx_rt_arg *args, combine how, double alpha, fx_tensor *results)
{
    cells c;
    fx_status status = cells_open(&c, args[0].u.tensor, results, how, true);
    return status == FX_OK ? cells_close(&c, put_slices(&c, args, alpha)) : status;
}

static double alpha_of(const fx_rt_arg *args)
{
    return args[4].kind == FX_RT_FLOAT ? args[4].u.f : (double)args[4].u.i;
}

/* index_add(self, dim, index, source, alpha) */
fx_status fx__index_add_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return index_slices(args, SUM, alpha_of(args), results);
}
/* index_copy(self, dim, index, source) */
fx_status fx__index_copy_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return index_slices(args, SET, 1, results);
}

/* Where the values go: what x[indices] reads. */
typedef struct places {
    const fx_tensor *index[FX_RANK];
    int32_t rank, common, first; /* of all places; of the indices; where their dims stand */
    int64_t dim[FX_RANK];
} places;

static void add_index(places *p, const fx_tensor *index)
{
    int64_t dim[FX_RANK] = {0};
    int32_t rank = index->rank > p->common ? index->rank : p->common;
    for (int32_t d = 1; d <= rank; d++) {
        int64_t a = d <= index->rank ? index->dim[index->rank - d] : 1, b = d <= p->common ? p->dim[p->common - d] : 1;
        dim[rank - d] = a == 1 ? b : a;
    }
    memcpy(p->dim, dim, sizeof dim);
    p->common = rank;
}

static places places_of(const fx_tensor *self, const fx_rt_arg *indices)
{
    places p = {0};
    int64_t common[FX_RANK];
    int32_t first = -1, last = -1, n = 0, kept = 0;
    for (int32_t d = 0; d < indices->n; d++) {
        if (!indices->u.tensor[d].data) continue;
        p.index[d] = &indices->u.tensor[d];
        add_index(&p, p.index[d]);
        first = first < 0 ? d : first;
        last = d;
        n++;
    }
    p.first = n > 0 && last - first + 1 == n ? first : 0;
    p.rank = self->rank - n + p.common;
    memcpy(common, p.dim, sizeof common);
    for (int32_t d = 0; d < p.common; d++) p.dim[p.first + d] = common[d];
    for (int32_t d = 0; d < self->rank; d++) {
        if (p.index[d]) continue;
        p.dim[kept < p.first ? kept : kept + p.common] = self->dim[d];
        kept++;
    }
    return p;
}

static fx_status put_values(cells *c, const places *p, const fx_tensor *values)
{
    int64_t at[FX_RANK] = {0}, to[FX_RANK];
    if (fx__ref_empty(p->rank, p->dim)) return FX_OK;
    do {
        int32_t kept = 0;
        for (int32_t d = 0; d < c->result->rank; d++) {
            if (p->index[d]) {
                to[d] = fx__index_at(p->index[d], p->common, at + p->first, c->result->dim[d]);
                if (to[d] < 0) return FX_E_INDEX;
            } else {
                to[d] = at[kept < p->first ? kept : kept + p->common];
                kept++;
            }
        }
        put(c, to, fx__scalar_load(values->dtype, fx__ref_bcast(values, p->rank, at)));
    } while (fx__ref_next(p->rank, p->dim, at));
    return FX_OK;
}

/* index_put(self, indices, values, accumulate) */
fx_status fx__index_put_ref(const fx_rt_arg *args, fx_tensor *results)
{
    cells c;
    places p = places_of(args[0].u.tensor, &args[1]);
    fx_status status = cells_open(&c, args[0].u.tensor, results, args[3].u.i ? SUM : SET, true);
    return status == FX_OK ? cells_close(&c, put_values(&c, &p, args[2].u.tensor)) : status;
}

/* ---- Bounds: the same writing of the errors, and the rounding of what was combined
 * -------------------------------------------------- */

enum { ARGS = 6 };

/* Errors in the shape of a value; zeros (to be released) where it has none. */
static fx_status errors_of(const fx_tensor *value, const fx_rt_arg *error, fx_tensor *out, bool *out_own)
{
    *out_own = error->kind == FX_RT_NONE || !error->u.tensor->data;
    if (!*out_own) {
        *out = *error->u.tensor;
        return FX_OK;
    }
    return fx_tensor_alloc(FX_F64, value->rank, value->dim, out);
}

/* 1 ulp: combined in long double, rounded once. */
static void add_rounding(const fx_rt_bound *call)
{
    int64_t at[FX_RANK] = {0};
    if (!fx_dtype_is_float(call->results->dtype) || fx__ref_empty(call->results->rank, call->results->dim)) return;
    do {
        double y = fabs(fx__ref_get(call->results, at)), step = isfinite(y) ? 2 * call->eps * y : 0;
        fx__ref_set(call->errors, at, fx__ref_get(call->errors, at) + step + fx__ref_tiny(call->results->dtype));
    } while (fx__ref_next(call->results->rank, call->results->dim, at));
}

/* source: its argument; write: gives errors from errors. */
static fx_status write_errors(const fx_rt_bound *call, int32_t n_args, int32_t source, fx_ref_fn write)
{
    fx_rt_arg args[ARGS];
    fx_tensor self = {0}, from = {0};
    bool own_self = false, own_from = false;
    bool is_tensor = call->args[source].kind == FX_RT_TENSOR;
    memcpy(args, call->args, sizeof *args * (size_t)n_args);
    fx_status status = errors_of(call->args[0].u.tensor, &call->arg_errors[0], &self, &own_self);
    if (status == FX_OK && is_tensor) status = errors_of(call->args[source].u.tensor, &call->arg_errors[source], &from, &own_from);
    args[0].u.tensor = &self;
    args[source] = is_tensor ? (fx_rt_arg){.kind = FX_RT_TENSOR, .n = 1, .u.tensor = &from} : (fx_rt_arg){.kind = FX_RT_FLOAT};
    if (status == FX_OK) status = write(args, call->errors);
    if (own_self) fx_tensor_release(&self);
    if (own_from) fx_tensor_release(&from);
    return status;
}

static fx_status bound_of(const fx_rt_bound *call, int32_t n_args, int32_t index, int32_t source, fx_ref_fn write, bool rounds)
{
    if (fx__index_in_doubt(call, index)) {
        fx__index_no_bound(call);
        return FX_OK;
    }
    fx_status status = write_errors(call, n_args, source, write);
    if (status == FX_OK && rounds) add_rounding(call);
    return status;
}

fx_status fx__scatter_bound(const fx_rt_bound *call)
{
    return bound_of(call, 4, 2, 3, fx__scatter_ref, false);
}
fx_status fx__scatter_add_bound(const fx_rt_bound *call)
{
    return bound_of(call, 4, 2, 3, fx__scatter_add_ref, true);
}
fx_status fx__index_copy_bound(const fx_rt_bound *call)
{
    return bound_of(call, 4, 2, 3, fx__index_copy_ref, false);
}
fx_status fx__index_put_bound(const fx_rt_bound *call)
{
    return bound_of(call, 4, 1, 2, fx__index_put_ref, call->args[3].u.i != 0);
}

static fx_status add_scaled_errors(const fx_rt_arg *args, fx_tensor *results)
{
    return index_slices(args, SUM, fabs(alpha_of(args)), results);
}

fx_status fx__index_add_bound(const fx_rt_bound *call)
{
    return bound_of(call, 5, 2, 3, add_scaled_errors, true);
}

/* Largest and smallest values are off by no more than the largest error among those that compete. */
static fx_status reduce_errors(const fx_rt_arg *args, fx_tensor *results)
{
    combine h = how_of(args[4].u.s);
    return scatter(args, h == AMIN ? AMAX : h, args[5].u.i != 0, results);
}

/* |value| + error */
static fx_status widened(const fx_tensor *value, const fx_rt_arg *error, double factor, fx_tensor *out)
{
    int64_t at[FX_RANK] = {0};
    bool some = error->kind != FX_RT_NONE && error->u.tensor->data;
    fx_status status = fx_tensor_alloc(FX_F64, value->rank, value->dim, out);
    if (status != FX_OK || fx__ref_empty(value->rank, value->dim)) return status;
    do fx__ref_set(out, at, fabs(fx__ref_get(value, at)) + (some ? factor * fx__ref_get(error->u.tensor, at) : 0));
    while (fx__ref_next(value->rank, value->dim, at));
    return FX_OK;
}

/* The product of absolute values, each enlarged by its error (factor 1) or not (0), times sign into errors. */
static fx_status add_product(const fx_rt_bound *call, double factor, double sign)
{
    fx_rt_arg args[ARGS];
    fx_tensor self = {0}, from = {0}, product = {0};
    int64_t at[FX_RANK] = {0};
    memcpy(args, call->args, sizeof args);
    fx_status status = widened(call->args[0].u.tensor, &call->arg_errors[0], factor, &self);
    if (status == FX_OK) status = widened(call->args[3].u.tensor, &call->arg_errors[3], factor, &from);
    if (status == FX_OK) status = fx_tensor_alloc(FX_F64, self.rank, self.dim, &product);
    args[0].u.tensor = &self;
    args[3].u.tensor = &from;
    if (status == FX_OK) status = fx__scatter_reduce_ref(args, &product);
    if (status == FX_OK && !fx__ref_empty(product.rank, product.dim)) do
            fx__ref_set(call->errors, at, fx__ref_get(call->errors, at) + sign * fx__ref_get(&product, at));
        while (fx__ref_next(product.rank, product.dim, at));
    fx_tensor_release(&self);
    fx_tensor_release(&from);
    fx_tensor_release(&product);
    return status;
}

fx_status fx__scatter_reduce_bound(const fx_rt_bound *call)
{
    combine h = how_of(call->args[4].u.s);
    if (h != PROD || fx__index_in_doubt(call, 2)) return bound_of(call, ARGS, 2, 3, reduce_errors, h == SUM || h == MEAN);
    fx_status status = add_product(call, 1, 1);
    if (status == FX_OK) status = add_product(call, 0, -1);
    if (status == FX_OK) add_rounding(call);
    return status;
}
