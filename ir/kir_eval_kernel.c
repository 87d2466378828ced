/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_eval_kernel.c: the meaning of a kernel, with scalar loops: for every point of the outer axes run the stages in order; each
 * runs over its inner axes, REDUCE and CONTRACT combine over the reduced ones. Every access is checked, so that a wrong program
 * gives a diagnostic and not a crash. */
#include "ir/kir_eval.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Indices with their dims evaluated. */
typedef struct num_term {
    int axis;
    int64_t coef, div, mod;
} num_term;
typedef struct num_index {
    int64_t base;
    num_term term[FX_TERMS];
    int n, value;
} num_index;
typedef struct num_access {
    const fx_access *access;
    fx_dtype dtype;
    int64_t dim[FX_RANK], stride[FX_RANK];
    num_index at[FX_RANK];
} num_access;

typedef struct runner {
    const fx_program *program;
    const fx_kernel *kernel;
    const int64_t *syms;
    char *base[FX_ARGS];
    char *local[FX_ARGS]; /* memory of LOCALs */
    size_t local_bytes[FX_ARGS];
    int64_t extent[FX_AXES], at[FX_AXES];
    num_access *access;
    fx_linear *linear; /* [n_stage] */
    fx_imm **result;   /* [n_stage]: of REDUCE and CONTRACT, over the stage's inner axes */
    fx_imm *value;     /* of the current stage's expressions */
    const fx_kstage *stage;
    fx_status status, error;
} runner;

int64_t fx__eval_dim(const fx_program *program, fx_dim dim, const int64_t *syms)
{
    return fx_dim_is_const(dim) ? dim : fx__dim_eval(program->dims, dim, syms);
}

/* ---- Accesses ------------------------------------------------------------------------------------------------------------------
 */

static int64_t index_value(const runner *r, const num_index *index)
{
    int64_t sum = index->base;
    for (int t = 0; t < index->n; t++) {
        const num_term *term = &index->term[t];
        int64_t digit = r->at[term->axis];
        if (term->div > 1) digit /= term->div;
        if (term->mod > 0) digit %= term->mod;
        sum += term->coef * digit;
    }
    return index->value >= 0 ? sum + r->value[index->value].i : sum;
}

static void out_of_bounds(runner *r, const num_access *a, int d, int64_t index)
{
    if (r->status != FX_OK) return;
    r->status = fx__diag(r->program->context, FX_E_INTERNAL, NULL,
                         "evaluation: argument %d of a kernel is accessed at %" PRId64 " in dim %d of size %" PRId64 " (stage %d)",
                         a->access->arg, index, d, a->dim[d], (int)(r->stage - r->kernel->stage));
}

/* Address of the element; NULL: outside (a guarded access, or a problem). */
static char *address(runner *r, uint16_t number)
{
    const num_access *a = &r->access[number];
    int64_t offset = 0;
    for (int d = 0; d < a->access->rank; d++) {
        int64_t index = index_value(r, &a->at[d]);
        if ((index < 0 || index >= a->dim[d]) && a->access->clamped && a->at[d].value >= 0) {
            r->error = FX_E_INDEX;
            index = index < 0 || a->dim[d] == 0 ? 0 : a->dim[d] - 1;
        }
        if (index < 0 || index >= a->dim[d]) {
            if (!a->access->guarded && a->dim[d] > 0) out_of_bounds(r, a, d, index);
            return NULL;
        }
        offset += index * a->stride[d];
    }
    return r->base[a->access->arg] + offset * (int64_t)fx_dtype_bytes(a->dtype);
}

static fx_imm load(runner *r, uint16_t number)
{
    const char *at = address(r, number);
    return at ? fx__scalar_load(r->access[number].dtype, at) : r->access[number].access->fill;
}

static void store(runner *r, uint16_t number, fx_imm value)
{
    char *at = address(r, number);
    if (at) fx__scalar_store(r->access[number].dtype, at, value);
}

/* ---- Expressions
 * ----------------------------------------------------------------------------------------------------------------- */

static int64_t inner_offset(const runner *r, const fx_kstage *stage)
{
    int64_t offset = 0;
    for (int i = 0; i < stage->n_inner; i++) offset = offset * r->extent[stage->inner[i]] + r->at[stage->inner[i]];
    return offset;
}

static fx_imm eval_expr(runner *r, const fx_expr *x)
{
    const fx_imm *v = r->value;
    switch ((fx_expr_op)x->op) {
    case FX_X_LOAD:
        return load(r, x->u.access);
    case FX_X_IMM:
        return x->u.imm;
    case FX_X_AXIS:
        return (fx_imm){.i = r->at[x->u.axis]};
    case FX_X_SYM:
        return (fx_imm){.i = fx__eval_dim(r->program, x->u.dim, r->syms)};
    case FX_X_STAGE:
        return r->result[x->u.stage][inner_offset(r, &r->kernel->stage[x->u.stage])];
    case FX_X_CAST:
        return fx__scalar_cast((fx_dtype)r->stage->expr[x->a].dtype, (fx_dtype)x->dtype, v[x->a]);
    case FX_X_SELECT:
        return v[x->a].i ? v[x->b] : v[x->c];
    case FX_X_SCALAR:
        break;
    }
    fx_imm b = x->b == FX_NO_EXPR ? (fx_imm){0} : v[x->b];
    return fx__scalar_apply((fx_scalar_op)x->scalar, (fx_dtype)r->stage->expr[x->a].dtype, v[x->a], b);
}

static void eval_exprs(runner *r, int s)
{
    const fx_linear *linear = &r->linear[s];
    for (int i = 0; i < linear->n; i++) r->value[linear->order[i]] = eval_expr(r, &r->stage->expr[linear->order[i]]);
}

/* ---- Loops
 * ------------------------------------------------------------------------------------------------------------------------- */

/* Sets the axes to the first point; false when there is none. */
static bool first(runner *r, const uint8_t *axis, int n)
{
    for (int i = 0; i < n; i++) {
        r->at[axis[i]] = 0;
        if (r->extent[axis[i]] <= 0) return false;
    }
    return r->status == FX_OK;
}

static bool next(runner *r, const uint8_t *axis, int n)
{
    for (int i = n - 1; i >= 0 && r->status == FX_OK; i--) {
        if (++r->at[axis[i]] < r->extent[axis[i]]) return true;
        r->at[axis[i]] = 0;
    }
    return false;
}

/* ---- Stages
 * ------------------------------------------------------------------------------------------------------------------------ */

typedef struct accumulator {
    long double sum; /* sums and products of floats */
    fx_imm value;    /* everything else, in acc */
    int64_t place;   /* argmin, argmax */
    int64_t count;
} accumulator;

static bool in_long_double(const fx_kstage *stage)
{
    return fx_dtype_is_float(stage->acc) && (stage->combine == FX_COMBINE_SUM || stage->combine == FX_COMBINE_PROD);
}

static fx_imm extreme(fx_dtype dtype, bool largest)
{
    if (fx_dtype_is_float(dtype)) return (fx_imm){.f = largest ? (double)INFINITY : -(double)INFINITY};
    if (dtype == FX_BOOL) return (fx_imm){.i = largest};
    return fx__scalar_from_double(dtype, largest ? (double)INFINITY : -(double)INFINITY);
}

/* Of an empty reduction. */
static accumulator identity(const fx_kstage *stage)
{
    accumulator acc = {0};
    acc.sum = stage->combine == FX_COMBINE_PROD;
    switch (stage->combine) {
    case FX_COMBINE_SUM:
    case FX_COMBINE_OR:
    case FX_COMBINE_COUNT:
        break;
    case FX_COMBINE_PROD:
        acc.value = fx__scalar_from_double(stage->acc, 1);
        break;
    case FX_COMBINE_AND:
        acc.value = stage->acc == FX_BOOL ? (fx_imm){.i = 1} : fx__scalar_cast(FX_I64, stage->acc, (fx_imm){.i = -1});
        break;
    case FX_COMBINE_MIN:
    case FX_COMBINE_ARGMIN:
        acc.value = extreme(stage->acc, true);
        break;
    case FX_COMBINE_MAX:
    case FX_COMBINE_ARGMAX:
        acc.value = extreme(stage->acc, false);
        break;
    }
    return acc;
}

static bool is_nan(fx_dtype dtype, fx_imm value)
{
    return fx_dtype_is_float(dtype) && isnan(value.f);
}

/* The first of the extreme elements; a NaN is more extreme than any number. */
static void keep_place(accumulator *acc, const fx_kstage *stage, fx_imm value, int64_t place)
{
    fx_scalar_op before = stage->combine == FX_COMBINE_ARGMIN ? FX_SCALAR_LT : FX_SCALAR_GT;
    bool better = acc->count == 0 || (is_nan(stage->acc, value) && !is_nan(stage->acc, acc->value)) ||
                  (!is_nan(stage->acc, acc->value) && fx__scalar_apply(before, stage->acc, value, acc->value).i);
    if (!better) return;
    acc->value = value;
    acc->place = place;
}

static void accumulate(accumulator *acc, const fx_kstage *stage, fx_imm value, int64_t place)
{
    static const fx_scalar_op op[FX_COMBINE_COUNT] = {FX_SCALAR_ADD, FX_SCALAR_MUL, FX_SCALAR_MIN,
                                                      FX_SCALAR_MAX, FX_SCALAR_AND, FX_SCALAR_OR};
    if (in_long_double(stage))
        acc->sum = stage->combine == FX_COMBINE_SUM ? acc->sum + (long double)value.f : acc->sum * (long double)value.f;
    else if (stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX)
        keep_place(acc, stage, value, place);
    else
        acc->value = fx__scalar_apply(op[stage->combine], stage->acc, acc->value, value);
    acc->count++;
}

static fx_imm finish(const accumulator *acc, const fx_kstage *stage)
{
    if (in_long_double(stage)) return fx__scalar_from_double(stage->acc == FX_F64 ? FX_F64 : FX_F32, (double)acc->sum);
    return stage->combine >= FX_COMBINE_ARGMIN ? (fx_imm){.i = acc->place} : acc->value;
}

static void store_result(runner *r, fx_imm result)
{
    fx_dtype from = fx__stage_dtype(r->stage);
    for (int o = 0; o < r->stage->n_out; o++) {
        uint16_t number = r->stage->out[o].access;
        store(r, number, fx__scalar_cast(from, r->access[number].dtype, result));
    }
}

static void run_reduce_point(runner *r, int s)
{
    const fx_kstage *stage = r->stage;
    accumulator acc = identity(stage);
    for (bool more = first(r, stage->red, stage->n_red); more; more = next(r, stage->red, stage->n_red)) {
        eval_exprs(r, s);
        fx_imm value = fx__scalar_cast((fx_dtype)stage->expr[stage->value].dtype, stage->acc, r->value[stage->value]);
        accumulate(&acc, stage, value, stage->n_red ? r->at[stage->red[0]] : 0);
        if (stage->prefix) store_result(r, finish(&acc, stage));
    }
    fx_imm result = finish(&acc, stage);
    r->result[s][inner_offset(r, stage)] = result;
    if (!stage->prefix) store_result(r, result);
}

static void run_map_point(runner *r, int s)
{
    eval_exprs(r, s);
    for (int o = 0; o < r->stage->n_out; o++) store(r, r->stage->out[o].access, r->value[r->stage->out[o].expr]);
}

static void run_stage(runner *r, int s)
{
    const fx_kstage *stage = r->stage = &r->kernel->stage[s];
    for (bool more = first(r, stage->inner, stage->n_inner); more; more = next(r, stage->inner, stage->n_inner)) {
        if (stage->kind == FX_STAGE_MAP)
            run_map_point(r, s);
        else
            run_reduce_point(r, s);
    }
}

static void run_points(runner *r)
{
    uint8_t outer[FX_AXES];
    int n = r->kernel->n_outer;
    for (int i = 0; i < n; i++) outer[i] = (uint8_t)i;
    for (bool more = first(r, outer, n); more; more = next(r, outer, n)) {
        for (int a = 0; a < r->kernel->n_arg; a++)
            if (r->local[a]) memset(r->local[a], 0xff, r->local_bytes[a]); /* locals hold one point's values */
        for (int s = 0; s < r->kernel->n_stage; s++) run_stage(r, s);
    }
}

/* ---- Setting up
 * -------------------------------------------------------------------------------------------------------------------- */

static void prepare_index(const runner *r, const fx_index *index, num_index *out)
{
    *out = (num_index){.base = fx__eval_dim(r->program, index->base, r->syms), .n = index->n, .value = index->value};
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        out->term[t] = (num_term){term->axis, fx__eval_dim(r->program, term->coef, r->syms),
                                  fx__eval_dim(r->program, term->div, r->syms), fx__eval_dim(r->program, term->mod, r->syms)};
    }
}

static void prepare_access(const runner *r, const fx_access *access, num_access *out)
{
    const fx_arg *arg = &r->kernel->arg[access->arg];
    *out = (num_access){.access = access, .dtype = arg->dtype};
    for (int d = 0; d < access->rank; d++) {
        out->dim[d] = fx__eval_dim(r->program, arg->dim[d], r->syms);
        out->stride[d] = fx__eval_dim(r->program, arg->stride[d], r->syms);
        prepare_index(r, &access->at[d], &out->at[d]);
    }
}

static bool prepare_local(runner *r, int a)
{
    const fx_arg *arg = &r->kernel->arg[a];
    int64_t elems = 1;
    if (arg->role != FX_ARG_LOCAL) return true;
    for (int d = 0; d < arg->rank; d++)
        if (__builtin_mul_overflow(elems, fx__eval_dim(r->program, arg->dim[d], r->syms), &elems) || elems < 0) return false;
    r->local_bytes[a] = (size_t)elems * fx_dtype_bytes(arg->dtype);
    r->base[a] = r->local[a] = fx__alloc(r->program->context, r->local_bytes[a] + 1);
    return r->local[a] != NULL;
}

static bool prepare_stage(runner *r, int s)
{
    const fx_kstage *stage = &r->kernel->stage[s];
    int64_t elems = 1;
    for (int i = 0; i < stage->n_inner; i++)
        if (__builtin_mul_overflow(elems, r->extent[stage->inner[i]], &elems)) return false;
    r->result[s] = fx__alloc(r->program->context, (size_t)(stage->kind == FX_STAGE_MAP ? 0 : elems + 1) * sizeof(fx_imm) + 1);
    return r->result[s] && fx__linear_init(&r->linear[s], r->program->context, r->kernel, stage);
}

static bool prepare(runner *r)
{
    const fx_kernel *kernel = r->kernel;
    fx_context *context = r->program->context;
    size_t n_expr = 1;
    for (int s = 0; s < kernel->n_stage; s++) n_expr = kernel->stage[s].n_expr > n_expr ? kernel->stage[s].n_expr : n_expr;
    r->access = fx__alloc(context, ((size_t)kernel->n_access + 1) * sizeof *r->access);
    r->linear = fx__alloc(context, ((size_t)kernel->n_stage + 1) * sizeof *r->linear);
    r->result = fx__alloc(context, ((size_t)kernel->n_stage + 1) * sizeof *r->result);
    r->value = fx__alloc(context, n_expr * sizeof *r->value);
    if (!r->access || !r->linear || !r->result || !r->value) return false;
    for (int i = 0; i < kernel->n_axis; i++) r->extent[i] = fx__eval_dim(r->program, kernel->axis[i].extent, r->syms);
    for (int i = 0; i < kernel->n_access; i++) prepare_access(r, &kernel->access[i], &r->access[i]);
    for (int a = 0; a < kernel->n_arg; a++)
        if (!prepare_local(r, a)) return false;
    for (int s = 0; s < kernel->n_stage; s++)
        if (!prepare_stage(r, s)) return false;
    return true;
}

static void clean_up(runner *r)
{
    fx_context *context = r->program->context;
    for (int s = 0; s < r->kernel->n_stage; s++) {
        if (r->result) fx__free(context, r->result[s]);
        if (r->linear && r->linear[s].context) fx__linear_free(&r->linear[s]);
    }
    for (int a = 0; a < r->kernel->n_arg; a++) fx__free(context, r->local[a]);
    fx__free(context, r->access);
    fx__free(context, r->linear);
    fx__free(context, r->result);
    fx__free(context, r->value);
}

fx_status fx__kernel_eval(const fx_program *program, const fx_kernel *kernel, char *const *base, const int64_t *syms,
                          fx_status *out_error)
{
    runner r = {.program = program, .kernel = kernel, .syms = syms};
    for (int a = 0; a < kernel->n_arg; a++) r.base[a] = base[a];
    bool ok = prepare(&r);
    if (ok) run_points(&r);
    clean_up(&r);
    if (r.error != FX_OK) *out_error = r.error;
    return ok ? r.status : FX_E_OOM;
}
