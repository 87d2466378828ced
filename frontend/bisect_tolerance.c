/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_tolerance.c: bounds that mean something for whole models. Derived bounds are those of the worst case; they grow with every
 * node, until a wrong kernel hides below them. What rounding does in practice is measured: the same graph in f64 tells how far the
 * interpreter itself is off, and another legal order of evaluation is off by about as much. */
#include "frontend/bisect.h"
#include "runtime/ref.h"
#include <math.h>

/* Times the interpreter's own error, which adds in f64 and rounds once, that of any other order may be: the sum of n numbers in one
 * accumulator is off by about sqrt(n) of its roundings, 64 of them for the largest contractions of models. */
#define TIMES 64

static const fx_dtype narrow_types[] = {FX_F32, FX_F16, FX_BF16};
enum { NARROW_TYPES = sizeof narrow_types / sizeof narrow_types[0] };

static bool is_narrow(fx_dtype dtype)
{
    for (int i = 0; i < NARROW_TYPES; i++)
        if (dtype == narrow_types[i]) return true;
    return false;
}

fx_status fx__tolerance_widen(const fx_tensor *from, int32_t n, fx_tensor *to)
{
    for (int32_t i = 0; i < n; i++) {
        FX_TRY(fx_tensor_alloc(is_narrow(from[i].dtype) ? FX_F64 : from[i].dtype, from[i].rank, from[i].dim, &to[i]));
        if (!is_narrow(from[i].dtype)) FX_TRY(fx_tensor_copy(&to[i], &from[i]));
        for (int64_t e = 0; is_narrow(from[i].dtype) && e < fx_tensor_elems(&from[i]); e++)
            ((double *)to[i].data)[e] = fx_tensor_get(&from[i], e);
    }
    return FX_OK;
}

fx_module *fx__tolerance_module(const fx_module *core)
{
    fx_module *copy = fx__cut_copy(core);
    for (int i = 0; i < NARROW_TYPES && copy; i++) {
        if (fx_module_cast(copy, narrow_types[i], FX_F64) == FX_OK) continue;
        fx_module_free(copy);
        copy = NULL;
    }
    return copy;
}

/* The largest distance from what is true, and the largest element. */
static void measure(const fx_tensor *actual, const fx_tensor *wide, double *out_error, double *out_largest)
{
    *out_error = *out_largest = 0;
    for (int64_t i = 0; i < fx_tensor_elems(actual); i++) {
        double value = fx_tensor_get(actual, i), error = fabs(value - fx_tensor_get(wide, i));
        if (fabs(value) > *out_largest && isfinite(value)) *out_largest = fabs(value);
        if (!(error <= *out_error) && isfinite(value)) *out_error = error;
    }
}

void fx__tolerance_narrow(const fx_tensor *actual, const fx_tensor *wide, fx_tensor *bound)
{
    double error, largest;
    if (!bound->data || !wide->data || !is_narrow(actual->dtype) || wide->dtype != FX_F64) return;
    if (fx_tensor_elems(actual) != fx_tensor_elems(wide)) return;
    measure(actual, wide, &error, &largest);
    double limit = TIMES * (error + fx__ref_eps(actual->dtype) * largest), *each = bound->data;
    for (int64_t i = 0; i < fx_tensor_elems(bound); i++)
        if (isfinite(each[i]) && each[i] > limit) each[i] = limit;
}

/* ---- Outputs of a module --------------------------------------------------------------------------------------------------- */

/* What is true; nothing where the graph cannot be run so. */
static void run_wide(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *in, fx_tensor *out, int32_t n_out)
{
    fx_module *core = NULL, *wide = NULL;
    fx_diag_mark mark = fx__diag_mark(module->context);
    fx_status status = fx_module_core(module, inputs, n_inputs, &core);
    if (status == FX_OK) wide = fx__tolerance_module(core);
    if (wide && fx__tolerance_widen(inputs, n_inputs, in) == FX_OK && fx_interpret(wide, in, n_inputs, out, n_out) != FX_OK) {
        fx__tensors_release(out, n_out);
        for (int32_t i = 0; i < n_out; i++) out[i] = (fx_tensor){0};
    }
    fx__tensors_release(in, n_inputs);
    if (wide) fx_module_free(wide);
    if (core) fx_module_free(core);
    fx__diag_rewind(module->context, mark);
}

fx_status fx_interpret_tolerance(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                                 fx_tensor *tolerances, int32_t n_outputs)
{
    fx_arena *arena = fx__arena_new(module->context);
    fx_tensor *in = arena ? FX_NEW_ARRAY(arena, fx_tensor, n_inputs + 1) : NULL;
    fx_tensor *wide = arena ? FX_NEW_ARRAY(arena, fx_tensor, n_outputs + 1) : NULL;
    fx_status status = in && wide ? FX_OK : FX_E_OOM;
    if (status == FX_OK) {
        run_wide(module, inputs, n_inputs, in, wide, n_outputs); /* first: the next one changes inputs and buffers */
        status = fx_interpret_bound(module, inputs, n_inputs, outputs, tolerances, n_outputs);
    }
    for (int32_t i = 0; i < n_outputs && status == FX_OK; i++) fx__tolerance_narrow(&outputs[i], &wide[i], &tolerances[i]);
    fx__tensors_release(wide, n_outputs);
    fx__arena_free(arena);
    return status;
}
