/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/run.c: fx_run, the comfortable way into compiled code: checks what the caller gives, copies tensors whose strides are
 * not the compiled ones, provides outputs and workspace, and says in words what the entry's status means. */
#include "frontend/compiled.h"
#include "ir/in_place.h"
#include "ir/interp.h"
#include "runtime/memory.h"
#include <stdlib.h>
#include <string.h>

/* ---- Checks ----------------------------------------------------------------------------------------------------------------- */

static fx_status complain(fx_context *context, fx_status status, const char *text)
{
    return context ? fx__diag(context, status, NULL, "%s", text) : status;
}

static fx_status check_tensor(fx_context *context, const char *kind, const char *name, const fx_tensor *tensor, const fx_type *type)
{
    char text[256];
    if (tensor->dtype != type->dtype) {
        snprintf(text, sizeof text, "%s `%s` is %s, expected %s", kind, name, fx_dtype_name(tensor->dtype),
                 fx_dtype_name(type->dtype));
        return complain(context, FX_E_TYPE, text);
    }
    if (tensor->rank != type->rank) {
        snprintf(text, sizeof text, "%s `%s` has %d dimensions, expected %d", kind, name, (int)tensor->rank, (int)type->rank);
        return complain(context, FX_E_SHAPE, text);
    }
    for (int32_t d = 0; d < type->rank; d++) {
        if (!fx_dim_is_const(type->dim[d]) || tensor->dim[d] == type->dim[d]) continue;
        snprintf(text, sizeof text, "dimension %d of %s `%s` is %lld, expected %lld", (int)d, kind, name, (long long)tensor->dim[d],
                 (long long)type->dim[d]);
        return complain(context, FX_E_SHAPE, text);
    }
    return FX_OK;
}

/* Symbols take their values from the first input dimension that is just the symbol. */
static fx_status read_symbol(const fx_compiled *it, fx_context *context, int32_t index, const fx_tensor *inputs, int64_t *values)
{
    const fx_sym *sym = fx__dims_sym(it->program->dims, index);
    char text[256];
    if (sym->input < 0) {
        values[index] = sym->hi;
        return FX_OK;
    }
    int64_t value = inputs[sym->input].dim[sym->axis];
    values[index] = value;
    if (value >= sym->lo && value <= sym->hi && (sym->multiple <= 1 || value % sym->multiple == 0)) return FX_OK;
    snprintf(text, sizeof text, "dimension %d of input `%s` is %lld, but %s lies in [%lld, %lld] and is a multiple of %lld",
             (int)sym->axis, it->input_name[sym->input], (long long)value, sym->name, (long long)sym->lo, (long long)sym->hi,
             (long long)sym->multiple);
    return complain(context, FX_E_GUARD, text);
}

static fx_status check_symbolic_dims(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, const int64_t *values)
{
    for (int32_t i = 0; i < it->n_input; i++) {
        for (int32_t d = 0; d < it->input[i].rank; d++) {
            int64_t expected = fx__dim_eval(it->program->dims, it->input[i].dim[d], values);
            if (inputs[i].dim[d] == expected) continue;
            char text[256];
            snprintf(text, sizeof text, "dimension %d of input `%s` is %lld, expected %lld as other inputs have it", (int)d,
                     it->input_name[i], (long long)inputs[i].dim[d], (long long)expected);
            return complain(context, FX_E_SHAPE, text);
        }
    }
    return FX_OK;
}

fx_status fx__run_bind_symbols(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, int64_t *values)
{
    int32_t n = fx__dims_sym_count(it->program->dims);
    for (int32_t i = 0; i < n; i++) FX_TRY(read_symbol(it, context, i, inputs, values));
    return n ? check_symbolic_dims(it, context, inputs, values) : FX_OK;
}

/* First and last byte that a tensor touches. */
static bool touched(const fx_tensor *tensor, uintptr_t *lo, uintptr_t *hi)
{
    int64_t first = 0, last = 0;
    for (int32_t d = 0; d < tensor->rank; d++) {
        if (tensor->dim[d] == 0) return false;
        int64_t reach = (tensor->dim[d] - 1) * tensor->stride[d];
        *(reach < 0 ? &first : &last) += reach;
    }
    int64_t bytes = (int64_t)fx_dtype_bytes(tensor->dtype);
    *lo = (uintptr_t)tensor->data + (uintptr_t)(first * bytes);
    *hi = (uintptr_t)tensor->data + (uintptr_t)((last + 1) * bytes);
    return true;
}

static bool overlap(const fx_tensor *a, const fx_tensor *b)
{
    uintptr_t a_lo, a_hi, b_lo, b_hi;
    return touched(a, &a_lo, &a_hi) && touched(b, &b_lo, &b_hi) && a_lo < b_hi && b_lo < a_hi;
}

/* Whether some element's place in memory is another's too, as in an expanded tensor. Dims are looked at from the shortest stride
 * on: each must reach past all shorter ones. */
static bool overlaps_itself(const fx_tensor *tensor)
{
    int64_t reach = 1;
    uint32_t seen = 0;
    if (fx_tensor_elems(tensor) <= 1) return false;
    for (int32_t n = 0; n < tensor->rank; n++) {
        int32_t next = -1;
        for (int32_t d = 0; d < tensor->rank; d++)
            if (!(seen >> d & 1) && (next < 0 || llabs(tensor->stride[d]) < llabs(tensor->stride[next]))) next = d;
        seen |= 1u << next;
        if (tensor->dim[next] == 1) continue;
        if (llabs(tensor->stride[next]) < reach) return true;
        reach += (tensor->dim[next] - 1) * llabs(tensor->stride[next]);
    }
    return false;
}

static fx_status check_written(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, int32_t written)
{
    char text[256];
    if (overlaps_itself(&inputs[written])) {
        snprintf(text, sizeof text, "input `%s`: %s", it->input_name[written], FX_OVERLAP_TEXT);
        return complain(context, FX_E_ALIAS, text);
    }
    for (int32_t i = 0; i < it->n_input; i++) {
        if (i == written || !overlap(&inputs[i], &inputs[written])) continue;
        snprintf(text, sizeof text, "the memory of input `%s`, which is changed, overlaps that of input `%s`",
                 it->input_name[written], it->input_name[i]);
        return complain(context, FX_E_ALIAS, text);
    }
    return FX_OK;
}

static fx_status check_state(const fx_compiled *it, fx_state *state, fx_context *context, const fx_tensor *tensors, int32_t n)
{
    int64_t bytes = it->program->state_bytes;
    fx_tensor whole = state ? fx_tensor_view(fx_state_data(state), FX_U8, 1, &bytes) : (fx_tensor){0};
    for (int32_t i = 0; state && i < n; i++)
        if (tensors[i].data && overlap(&tensors[i], &whole))
            return complain(context, FX_E_ALIAS, "the memory of an input or output overlaps the state");
    return FX_OK;
}

static fx_status check_alias(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, const fx_tensor *outputs)
{
    char text[256];
    for (int32_t i = 0; i < it->n_input; i++)
        if (it->writes[i]) FX_TRY(check_written(it, context, inputs, i));
    for (int32_t o = 0; o < it->n_output; o++) {
        if (!outputs[o].data) continue;
        for (int32_t i = 0; i < it->n_input; i++) {
            if (!overlap(&outputs[o], &inputs[i])) continue;
            snprintf(text, sizeof text, "the memory of output `%s` overlaps that of input `%s`", it->output_name[o],
                     it->input_name[i]);
            return complain(context, FX_E_ALIAS, text);
        }
        for (int32_t p = 0; p < o; p++) {
            if (!outputs[p].data || !overlap(&outputs[o], &outputs[p])) continue;
            snprintf(text, sizeof text, "the memory of output `%s` overlaps that of output `%s`", it->output_name[o],
                     it->output_name[p]);
            return complain(context, FX_E_ALIAS, text);
        }
    }
    return FX_OK;
}

static fx_status check_count(const fx_compiled *it, fx_context *context, int32_t n_inputs, int32_t n_outputs)
{
    if (n_inputs == it->n_input && n_outputs == it->n_output) return FX_OK;
    char text[160];
    snprintf(text, sizeof text, "`%s` has %d inputs and %d outputs; got %d and %d", fx_module_name(it->module), (int)it->n_input,
             (int)it->n_output, (int)n_inputs, (int)n_outputs);
    return complain(context, FX_E_ARG, text);
}

static fx_status check_inputs(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, int64_t *values)
{
    for (int32_t i = 0; i < it->n_input; i++) FX_TRY(check_tensor(context, "input", it->input_name[i], &inputs[i], &it->input[i]));
    return fx__run_bind_symbols(it, context, inputs, values);
}

/* ---- Workspace -------------------------------------------------------------------------------------------------------------- */

typedef struct fx_workspace {
    size_t bytes;
    void *data;
} fx_workspace;

static size_t round_up(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t fx__run_workspace_bytes(const fx_compiled *it, const int64_t *values)
{
    int64_t plan = fx__dim_eval(it->program->dims, it->program->workspace_bytes, values);
    return round_up((size_t)(plan > 0 ? plan : 0)) + (size_t)it->threads * round_up((size_t)it->program->scratch_bytes);
}

/* The largest workspace a run can need: sizes grow with the symbols, so their upper ends tell. */
size_t fx_compiled_workspace_bytes(const fx_compiled *it)
{
    int64_t lo, hi;
    fx__dim_range(it->program->dims, it->program->workspace_bytes, &lo, &hi);
    return round_up((size_t)hi) + (size_t)it->threads * round_up((size_t)it->program->scratch_bytes);
}

fx_status fx_compiled_needs(const fx_compiled *it, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                            size_t *out_workspace_bytes, int64_t *out_flop)
{
    FX_TRY(check_count(it, context, n_inputs, it->n_output));
    int64_t *values = calloc((size_t)fx__dims_sym_count(it->program->dims) + 1, sizeof *values);
    if (!values) return context ? fx__diag_oom(context) : FX_E_OOM;
    fx_status status = check_inputs(it, context, inputs, values);
    if (status == FX_OK && out_workspace_bytes) *out_workspace_bytes = fx__run_workspace_bytes(it, values);
    if (status == FX_OK && out_flop) *out_flop = fx__program_flop(it->program, values);
    free(values);
    return status;
}

static void workspace_free(fx_workspace *it)
{
    if (it) free(it->data);
    free(it);
}

static fx_workspace *workspace_take(fx_compiled *it, size_t bytes)
{
    fx_workspace *spare = atomic_exchange(&it->spare, NULL);
    if (spare && spare->bytes >= bytes) return spare;
    workspace_free(spare);
    fx_workspace *fresh = calloc(1, sizeof *fresh);
    if (!fresh) return NULL;
    fresh->bytes = bytes;
    fresh->data = fx__memory_alloc(bytes);
    if (fresh->data) return fresh;
    free(fresh);
    return NULL;
}

static void workspace_give(fx_compiled *it, fx_workspace *used)
{
    workspace_free(atomic_exchange(&it->spare, used));
}

void fx__run_free_spare(fx_compiled *it)
{
    workspace_free(atomic_exchange(&it->spare, NULL));
}

/* ---- A run ------------------------------------------------------------------------------------------------------------------ */

typedef struct run {
    fx_compiled *it;
    fx_context *context;
    fx_state *state;
    int64_t *symbols;
    fx_tensor *in, *out;    /* as the compiled code wants them */
    bool *in_own, *out_own; /* copies that the run frees */
    fx_tensor *given_out;
    int32_t n_allocated; /* caller's outputs [0, n) that got memory in this run where `fresh` says so */
    bool *fresh;
    fx_rt_profile *profile; /* who listens; NULL: nobody */
} run;

static fx_status run_init(run *r, fx_compiled *it, fx_context *context, fx_tensor *outputs)
{
    size_t n_in = (size_t)it->n_input + 1, n_out = (size_t)it->n_output + 1;
    size_t n_sym = (size_t)fx__dims_sym_count(it->program->dims) + 1;
    char *memory = calloc(1, (n_in + n_out) * (sizeof(fx_tensor) + 2) + n_sym * sizeof(int64_t));
    if (!memory) return FX_E_OOM;
    *r = (run){.it = it, .context = context, .given_out = outputs, .symbols = (int64_t *)(void *)memory};
    r->in = (fx_tensor *)(void *)(r->symbols + n_sym);
    r->out = r->in + n_in;
    r->in_own = (bool *)(void *)(r->out + n_out);
    r->out_own = r->in_own + n_in;
    r->fresh = r->out_own + n_out;
    return FX_OK;
}

static void run_done(run *r, fx_status status)
{
    for (int32_t i = 0; i < r->it->n_input; i++)
        if (r->in_own[i]) fx_tensor_release(&r->in[i]);
    for (int32_t i = 0; i < r->it->n_output; i++) {
        if (r->out_own[i]) fx_tensor_release(&r->out[i]);
        if (r->fresh[i] && status != FX_OK) fx_tensor_release(&r->given_out[i]);
    }
    free(r->symbols);
}

static fx_status prepare_input(run *r, int32_t i, const fx_tensor *given)
{
    r->in[i] = *given;
    if (fx_tensor_is_contiguous(given)) return FX_OK;
    fx_tensor copy;
    FX_TRY(fx_tensor_alloc(given->dtype, given->rank, given->dim, &copy));
    r->in[i] = copy;
    r->in_own[i] = true;
    return fx_tensor_copy(&r->in[i], given);
}

static fx_status prepare_output(run *r, int32_t i)
{
    fx_tensor *given = &r->given_out[i];
    const fx_type *type = &r->it->output[i];
    int64_t dim[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_eval(r->it->program->dims, type->dim[d], r->symbols);
    if (!given->data) {
        FX_TRY(fx_tensor_alloc(type->dtype, type->rank, dim, given));
        r->fresh[i] = true;
    }
    fx_type exact = *type;
    for (int32_t d = 0; d < type->rank; d++) exact.dim[d] = dim[d];
    FX_TRY(check_tensor(r->context, "output", r->it->output_name[i], given, &exact));
    r->out[i] = *given;
    if (fx_tensor_is_contiguous(given)) return FX_OK;
    FX_TRY(fx_tensor_alloc(type->dtype, type->rank, dim, &r->out[i]));
    r->out_own[i] = true;
    return FX_OK;
}

/* Which of the graph's assertions ended the run; NULL: none. */
static const fx_step *failed_assertion(const fx_compiled *it, int32_t error)
{
    int32_t number = error / 256;
    return number >= 1 && number <= it->n_assertion ? it->assertion[number - 1] : NULL;
}

static fx_status enter(run *r, fx_workspace *workspace)
{
    fx_compiled *it = r->it;
    fx_rt_call call = {0};
    fx_compiled_call(it, &call);
    call.in = r->in;
    call.out = r->out;
    call.workspace = workspace->data;
    call.scratch = (char *)workspace->data + workspace->bytes - (size_t)it->threads * call.scratch_bytes;
    call.dim = r->symbols;
    call.profile = r->profile;
    call.state = r->state ? fx_state_data(r->state) : NULL;
    fx_status status = (fx_status)fx_compiled_entry(it)(&call);
    const fx_step *failed = failed_assertion(it, call.error);
    if (failed && r->context) return fx__diag_assertion(r->context, failed->n_nodes ? failed->nodes[0] : NULL, failed->message);
    return status == FX_OK ? (fx_status)call.error : status;
}

static fx_status run_native(run *r)
{
    size_t bytes = fx__run_workspace_bytes(r->it, r->symbols);
    fx_workspace *workspace = workspace_take(r->it, bytes);
    if (!workspace) return FX_E_OOM;
    fx_status status = enter(r, workspace);
    workspace_give(r->it, workspace);
    if (status != FX_OK && r->context && fx_context_status(r->context) == FX_OK)
        fx__diag(r->context, status, NULL, "the compiled graph `%s` stopped: %s", fx_module_name(r->it->module),
                 fx_status_text(status));
    return status;
}

static fx_status run_checked(run *r, const fx_tensor *inputs)
{
    fx_compiled *it = r->it;
    FX_TRY(check_inputs(it, r->context, inputs, r->symbols));
    FX_TRY(check_alias(it, r->context, inputs, r->given_out));
    FX_TRY(check_state(it, r->state, r->context, inputs, it->n_input));
    FX_TRY(check_state(it, r->state, r->context, r->given_out, it->n_output));
    for (int32_t i = 0; i < it->n_input; i++) FX_TRY(prepare_input(r, i, &inputs[i]));
    for (int32_t i = 0; i < it->n_output; i++) FX_TRY(prepare_output(r, i));
    if (it->jit) {
        FX_TRY(run_native(r));
    } else {
        const fx_interp_memory memory = {fx__state_lookup, r->state};
        FX_TRY(fx__interp_module(it->module, &memory, r->in, it->n_input, r->out, NULL, it->n_output));
    }
    for (int32_t i = 0; i < it->n_input; i++) {
        fx_tensor given = inputs[i];
        if (it->writes[i] && r->in_own[i]) FX_TRY(fx_tensor_copy(&given, &r->in[i]));
    }
    for (int32_t i = 0; i < it->n_output; i++)
        if (r->out_own[i]) FX_TRY(fx_tensor_copy(&r->given_out[i], &r->out[i]));
    return FX_OK;
}

static fx_status run_all(const fx_compiled *compiled, fx_state *state, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                         fx_tensor *outputs, int32_t n_outputs, fx_rt_profile *profile)
{
    FX_TRY(check_count(compiled, context, n_inputs, n_outputs));
    if (!fx__state_fits(compiled, state)) return complain(context, FX_E_ARG, "the state is another compiled graph's");
    run r;
    /* Only the spare workspace behind the const changes, atomically. */
    fx_status status = run_init(&r, (fx_compiled *)(uintptr_t)compiled, context, outputs);
    if (status == FX_OK) {
        r.state = state ? state : compiled->state;
        r.profile = profile;
        status = run_checked(&r, inputs);
        run_done(&r, status);
    }
    return status == FX_E_OOM && context ? fx__diag_oom(context) : status;
}

fx_status fx_run(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                 int32_t n_outputs)
{
    return run_all(compiled, NULL, context, inputs, n_inputs, outputs, n_outputs, NULL);
}

fx_status fx_run_with(const fx_compiled *compiled, fx_state *state, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                      fx_tensor *outputs, int32_t n_outputs)
{
    return run_all(compiled, state, context, inputs, n_inputs, outputs, n_outputs, NULL);
}

fx_status fx__run_profiled(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                           fx_tensor *outputs, int32_t n_outputs, fx_rt_profile *profile)
{
    return run_all(compiled, NULL, context, inputs, n_inputs, outputs, n_outputs, profile);
}
