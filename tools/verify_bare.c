/* SPDX-License-Identifier: Apache-2.0 */
/* verify_bare.c: a model alone: compiled code against the interpreter on random inputs, within the error bound that the interpreter
 * carries along. What runs leave in inputs and in state must agree too. */
#include "verify.h"

/* What both engines made of one output. */
typedef struct outcome {
    bool good;
    int32_t output;
    fx_difference at;
} outcome;

/* Bounds go with outputs; what else a run changes must agree as far as expected outputs of a file have to. */
#define CHANGED_TOLERANCE 1e-4

static bool same_change(subject *s, const char *kind, const char *name, const fx_tensor *compiled, const fx_tensor *interpreted)
{
    tool_error e = tool_compare(compiled, interpreted, 0, 0);
    if (e.same_type && e.max_rel <= CHANGED_TOLERANCE) return true;
    return verify_fault(s, "%s \"%s\" differs after the run by %.3g of its largest element", kind, name, e.max_rel);
}

static bool same_changes(subject *s, const tool_tensors *compiled, const tool_tensors *interpreted)
{
    bool good = true;
    for (int32_t i = 0; i < compiled->n && good; i++)
        if (fx_compiled_input_is_written(s->compiled, i))
            good = same_change(s, "input", fx_module_input_name(s->module, i), &compiled->tensor[i], &interpreted->tensor[i]);
    for (int32_t i = 0; i < fx_compiled_state_count(s->compiled) && good; i++) {
        const char *path = fx_compiled_state_path(s->compiled, i);
        fx_tensor state;
        const fx_tensor *expected = fx_module_tensor(s->module, path);
        good = expected && fx_state_tensor(fx_compiled_state(s->compiled), path, &state) == FX_OK &&
               same_change(s, "buffer", path, &state, expected);
    }
    return good;
}

typedef struct engines {
    tool_tensors in[ENGINES]; /* each its own: runs may change them */
    tool_tensors fast, slow, bounds;
} engines;

static bool run_engines(subject *s, const tool_tensors *inputs, engines *e)
{
    int32_t n = fx_module_output_count(s->module);
    e->slow = tool_tensors_new(n);
    e->bounds = tool_tensors_new(n);
    for (int i = 0; i < ENGINES; i++)
        if (!verify_status(s, "copying inputs", tool_tensors_copy(inputs, &e->in[i]))) return false;
    const tool_tensors *in = &e->in[ENGINE_INTERPRETER];
    if (!verify_compile(s, inputs) || !verify_run(s, ENGINE_COMPILED, &e->in[ENGINE_COMPILED], &e->fast)) return false;
    tool_progress_silent("interpreting");
    return verify_status(s, "interpreting", fx_interpret_tolerance(s->module, in->tensor, in->n, e->slow.tensor, e->bounds.tensor, n));
}

/* False: an engine failed, or they leave other changes, as s->why tells. */
static bool compare_engines(subject *s, const tool_tensors *inputs, outcome *out)
{
    engines e = {0};
    fx_difference at;
    *out = (outcome){.good = true};
    bool good = run_engines(s, inputs, &e);
    for (int32_t i = 0; i < e.slow.n && good && out->good; i++)
        *out = (outcome){fx_tensor_agrees(&e.fast.tensor[i], &e.slow.tensor[i], &e.bounds.tensor[i], 0, &at), i, at};
    if (good && out->good) good = same_changes(s, &e.in[ENGINE_COMPILED], &e.in[ENGINE_INTERPRETER]);
    for (int i = 0; i < ENGINES; i++) tool_tensors_free(&e.in[i]);
    tool_tensors_free(&e.fast);
    tool_tensors_free(&e.slow);
    tool_tensors_free(&e.bounds);
    return good;
}

/* ---- What is told ---------------------------------------------------------------------------------------------------------- */

static bool report(subject *s, const tool_tensors *inputs, const outcome *bad)
{
    const char *output = fx_module_output_name(s->module, bad->output);
    const char *node = s->o->no_bisect ? "not looked for" : "only when all are together";
    const fx_difference *at = &bad->at;
    if (verify_search(s, inputs, NULL, 0)) {
        node = s->first_node;
        at = &s->first;
    }
    return verify_fault(s, "output \"%s\" differs; first bad node %s, element %lld: compiled %.9g, interpreter %.9g (%.1f ulp, bound %.3g)",
                        output, node, (long long)at->element, at->actual, at->expected, at->ulp, at->bound);
}

/* With one engine there is nothing to compare; it still has to run. */
static bool run_alone(subject *s, verify_engine engine, const tool_tensors *inputs)
{
    tool_tensors out = {0};
    bool good = verify_compile(s, inputs) && verify_run(s, engine, inputs, &out);
    tool_tensors_free(&out);
    return good;
}

bool verify_bare_model(subject *s)
{
    tool_tensors inputs;
    outcome out;
    bool good = verify_status(s, "inputs", tool_inputs(s->context, s->module, &s->o->common, &inputs)) && verify_widen(s, &inputs);
    if (good && !s->o->common.compiled) {
        good = run_alone(s, ENGINE_INTERPRETER, &inputs);
    } else if (good && !s->o->common.interpreted) {
        good = run_alone(s, ENGINE_COMPILED, &inputs);
    } else if (good) {
        good = compare_engines(s, &inputs, &out);
        if (good && !out.good) good = report(s, &inputs, &out);
    }
    tool_tensors_free(&inputs);
    return good;
}
