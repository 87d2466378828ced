/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernel of norms: one result at a time, over all elements that it stands for. */
#include "runtime/ref.h"
#include <math.h>

/* norm(self, p, dim, keepdim, dtype) */
enum { SELF, P, DIM, KEEP };

typedef struct norm {
    const fx_tensor *x, *error; /* error NULL: exact */
    double p;
    bool reduced[FX_RANK], keeps;
} norm;

/* What one result is made of: sums of |x|^p, of the errors' and of both together, and how many there are. */
typedef struct tally {
    double n, value, error, wide, doubtful;
} tally;

static norm norm_of(const fx_rt_arg *args)
{
    const fx_tensor *x = args[SELF].u.tensor;
    bool all = args[DIM].kind == FX_RT_NONE || args[DIM].n == 0;
    norm m = {.x = x, .p = args[P].kind == FX_RT_FLOAT ? args[P].u.f : args[P].kind == FX_RT_INT ? (double)args[P].u.i : 2};
    m.keeps = args[KEEP].u.i != 0;
    for (int32_t d = 0; d < x->rank; d++) m.reduced[d] = all;
    for (int32_t i = 0; !all && i < args[DIM].n; i++) {
        int64_t d = args[DIM].u.ints[i];
        m.reduced[d < 0 ? d + x->rank : d] = true;
    }
    return m;
}

static double term(double p, double size)
{
    return p == 0 ? size != 0 : isinf(p) ? size : p == 2 ? size * size : pow(size, p);
}

static double joined(double p, double sum, double next)
{
    if (isnan(sum) || isnan(next)) return (double)NAN;
    if (!isinf(p)) return sum + next;
    return p > 0 ? fmax(sum, next) : fmin(sum, next);
}

static double root(double p, double sum)
{
    return p == 0 || p == 1 || isinf(p) ? sum : p == 2 ? sqrt(sum) : pow(sum, 1 / p);
}

static void add(const norm *m, tally *t, const int64_t *from)
{
    double size = fabs(fx__ref_get(m->x, from)), error = m->error ? fx__ref_get(m->error, from) : 0;
    bool first = t->n++ == 0;
    t->value = first ? term(m->p, size) : joined(m->p, t->value, term(m->p, size));
    t->error = first ? term(m->p, error) : joined(m->p, t->error, term(m->p, error));
    t->wide = first ? term(m->p, size + error) : joined(m->p, t->wide, term(m->p, size + error));
    t->doubtful += error > 0 && error >= size;
}

/* All elements whose coordinates outside the reduced axes are those of `at`. */
static tally tally_at(const norm *m, const int64_t *at)
{
    int64_t from[FX_RANK], step[FX_RANK] = {0}, dim[FX_RANK];
    tally t = {0};
    for (int32_t d = 0; d < m->x->rank; d++) dim[d] = m->reduced[d] ? m->x->dim[d] : 1;
    if (fx__ref_empty(m->x->rank, dim)) return t;
    do {
        int32_t kept = 0;
        for (int32_t d = 0; d < m->x->rank; d++) {
            from[d] = m->reduced[d] ? step[d] : at[kept];
            kept += !m->reduced[d] || m->keeps;
        }
        add(m, &t, from);
    } while (fx__ref_next(m->x->rank, dim, step));
    return t;
}

fx_status fx__norm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    norm m = norm_of(args);
    int64_t at[FX_RANK] = {0};
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    do fx__ref_set(results, at, root(m.p, tally_at(&m, at).value));
    while (fx__ref_next(results->rank, results->dim, at));
    return FX_OK;
}

/* For p >= 1 a norm moves by no more than the norm of what is added. Below, the largest change is that of |x| + error; a count
 * changes where an element may be 0. The rest is rounding: of n terms, of two powers that are 4 ulp each, of the exponent in 1 / p.
 */
static double change(const norm *m, const tally *t)
{
    if (m->p == 0) return t->doubtful;
    if (m->p >= 1) return root(m->p, t->error);
    return fabs(root(m->p, t->wide) - root(m->p, t->value)) * 2;
}

fx_status fx__norm_bound(const fx_rt_bound *call)
{
    norm m = norm_of(call->args);
    int64_t at[FX_RANK] = {0};
    const fx_rt_arg *error = &call->arg_errors[SELF];
    if (error->kind == FX_RT_TENSOR && error->u.tensor->data) m.error = error->u.tensor;
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return FX_OK;
    do {
        tally t = tally_at(&m, at);
        double y = root(m.p, t.value), p = isinf(m.p) || m.p == 0 ? 1 : fabs(m.p), powers = 4 * p + 16;
        double steps = ((t.n + powers) / p + powers + 4 * fabs(log(fmax(y, 0x1p-1000)))) * call->eps;
        fx__ref_set(call->errors, at, isfinite(y) ? change(&m, &t) + steps * y + fx__ref_tiny(call->results->dtype) : 0);
    } while (fx__ref_next(call->errors->rank, call->errors->dim, at));
    return FX_OK;
}
