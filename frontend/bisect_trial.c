/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_trial.c: one cut computed both ways: compiled, and by the interpreter or compiled with other options. A cut that cannot be
 * compiled or run shows no difference, and what it reported is forgotten. */
#include "frontend/bisect.h"
#include <string.h>

void fx__tensors_release(fx_tensor *tensors, int32_t n)
{
    for (int32_t i = 0; tensors && i < n; i++) fx_tensor_release(&tensors[i]);
}

bool fx__trial_progress(fx_trial *trial, const char *phase)
{
    const fx_bisect_options *options = trial->options;
    if (trial->cancelled || !options->progress || options->progress(options->progress_user, phase, trial->percent))
        return !trial->cancelled;
    fx__diag(trial->context, FX_E_CANCELLED, NULL, "the search was cancelled");
    trial->cancelled = true;
    return false;
}

fx_status fx__tensors_copy(const fx_tensor *from, int32_t n, fx_tensor *to)
{
    for (int32_t i = 0; i < n; i++) {
        FX_TRY(fx_tensor_alloc(from[i].dtype, from[i].rank, from[i].dim, &to[i]));
        FX_TRY(fx_tensor_copy(&to[i], &from[i]));
    }
    return FX_OK;
}

static fx_status poison(const fx_cut *cut, fx_tensor *out)
{
    for (int32_t i = 0; i < cut->n_out; i++) {
        const fx_tensor *like = &cut->expected[i];
        FX_TRY(fx_tensor_alloc(like->dtype, like->rank, like->dim, &out[i]));
        if (like->dtype != FX_BOOL) memset(out[i].data, 0xff, (size_t)fx_tensor_elems(like) * fx_dtype_bytes(like->dtype));
    }
    return FX_OK;
}

fx_status fx__trial_run(const fx_cut *cut, const fx_compiled *compiled, fx_tensor *out)
{
    fx_context *context = compiled->context;
    fx_arena *arena = fx__arena_new(context);
    fx_tensor *copy = arena ? FX_NEW_ARRAY(arena, fx_tensor, cut->n_in + 1) : NULL;
    fx_status status = copy ? fx__tensors_copy(cut->in, cut->n_in, copy) : FX_E_OOM;
    if (status == FX_OK) status = poison(cut, out);
    if (status == FX_OK) status = fx_run(compiled, context, copy, cut->n_in, out, cut->n_out);
    fx__tensors_release(copy, cut->n_in);
    fx__arena_free(arena);
    return status;
}

fx_status fx__trial_native(const fx_cut *cut, const fx_compile_options *options, fx_tensor *out)
{
    fx_compiled *compiled;
    FX_TRY(fx_compile(cut->module, cut->in, cut->n_in, options, &compiled));
    fx_status status = fx__trial_run(cut, compiled, out);
    fx_compiled_free(compiled);
    return status;
}

/* What was measured in the whole graph holds for its part, too. */
static void narrow(const fx_cut *cut, fx_tensor *bounds)
{
    for (int32_t i = 0; cut->bound && i < cut->n_out; i++) {
        double *each = bounds[i].data;
        const double *most = cut->bound[i].data;
        for (int64_t e = 0; each && most && e < fx_tensor_elems(&bounds[i]); e++)
            if (each[e] > most[e]) each[e] = most[e];
    }
}

fx_status fx__trial_interpret(const fx_cut *cut, fx_tensor *out, fx_tensor *bounds)
{
    fx_arena *arena = fx__arena_new(cut->module->context);
    fx_tensor *in = arena ? FX_NEW_ARRAY(arena, fx_tensor, cut->n_in + 1) : NULL;
    fx_module *copy = in ? fx__cut_copy(cut->module) : NULL;
    fx_status status = copy ? fx__tensors_copy(cut->in, cut->n_in, in) : FX_E_OOM;
    if (status == FX_OK) status = fx_interpret_bound(copy, in, cut->n_in, out, bounds, cut->n_out);
    if (status == FX_OK) narrow(cut, bounds);
    if (copy) fx_module_free(copy);
    fx__tensors_release(in, cut->n_in);
    fx__arena_free(arena);
    return status;
}

int32_t fx__trial_compare(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bounds, int32_t n, double factor,
                          double ulp, fx_difference *out)
{
    for (int32_t i = 0; i < n; i++) {
        fx_tensor wide = bounds ? bounds[i] : (fx_tensor){0};
        if (bounds && factor != 1) {
            if (fx_tensor_alloc(FX_F64, wide.rank, wide.dim, &wide) != FX_OK) return -1;
            for (int64_t e = 0; e < fx_tensor_elems(&wide); e++)
                ((double *)wide.data)[e] = factor * ((const double *)bounds[i].data)[e];
        }
        bool agrees = fx_tensor_agrees(&actual[i], &expected[i], bounds ? &wide : NULL, ulp, out);
        if (bounds && factor != 1) fx_tensor_release(&wide);
        if (!agrees) return i;
    }
    return -1;
}

/* Memory of one trial. */
typedef struct results {
    fx_tensor *fast, *other, *expected, *bound;
    int32_t n;
} results;

static bool make_results(fx_arena *arena, int32_t n, results *r)
{
    fx_tensor *all = FX_NEW_ARRAY(arena, fx_tensor, 4 * (n + 1));
    *r = (results){all, all + n, all + 2 * n, all + 3 * n, n};
    return all != NULL;
}

/* No difference was seen, since a part could not be computed. */
static int32_t unknown(fx_trial *trial, fx_status status)
{
    trial->out_of_memory = trial->out_of_memory || status == FX_E_OOM;
    return -1;
}

/* Against other options: how far both may be apart. */
static int32_t compare_pair(fx_trial *trial, const fx_cut *cut, results *r, const fx_tensor *bounds, fx_difference *out)
{
    fx_status status = fx__trial_native(cut, &trial->against, r->other);
    if (status != FX_OK) return unknown(trial, status);
    bool by_ulp = trial->options->ulp >= 0;
    return fx__trial_compare(r->fast, r->other, by_ulp ? NULL : bounds, r->n, 2, trial->options->ulp, out);
}

static int32_t compare(fx_trial *trial, const fx_cut *cut, bool exact_bounds, results *r, fx_difference *out)
{
    const fx_tensor *expected = cut->expected, *bounds = cut->bound;
    bool pair = trial->options->against != NULL, by_ulp = pair && trial->options->ulp >= 0;
    fx_status status = fx__trial_native(cut, &trial->compile, r->fast);
    if (status != FX_OK) return unknown(trial, status);
    if (!by_ulp && (exact_bounds || !bounds)) {
        status = fx__trial_interpret(cut, r->expected, r->bound);
        if (status != FX_OK) return unknown(trial, status);
        expected = r->expected;
        bounds = r->bound;
    }
    return pair ? compare_pair(trial, cut, r, bounds, out) : fx__trial_compare(r->fast, expected, bounds, r->n, 1, 0, out);
}

bool fx__trial_differs(fx_trial *trial, const fx_cut *cut, bool exact_bounds, int32_t *out_output, fx_difference *out)
{
    results r = {0};
    fx_arena *arena = fx__arena_new(trial->context);
    fx_diag_mark mark = fx__diag_mark(trial->context);
    bool has_memory = arena && make_results(arena, cut->n_out, &r);
    int32_t output = has_memory ? compare(trial, cut, exact_bounds, &r, out) : unknown(trial, FX_E_OOM);
    fx__tensors_release(r.fast, 4 * r.n);
    fx__diag_rewind(trial->context, mark);
    fx__arena_free(arena);
    trial->n++;
    if (out_output) *out_output = output;
    return output >= 0;
}
