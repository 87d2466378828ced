/* SPDX-License-Identifier: Apache-2.0 */
/* verify_bare.c: a model alone: compiled code against the interpreter on random inputs, within the error bound that the interpreter
 * carries along. On a mismatch the first bad node is found by halving: the graph is compiled with an earlier node as output. What
 * runs leave in inputs and in state must agree too. */
#include "verify.h"
#include <math.h>
#include <stdlib.h>

/* What both engines made of one output. */
typedef struct outcome {
    bool good;
    int32_t output;
    int64_t element;
    double actual, expected, bound;
    fx_dtype dtype;
} outcome;

/* Differences that the bound of subnormal results cannot express. */
#define TINY 1e-40

static bool within(const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound, int64_t i)
{
    double a = fx_tensor_get(actual, i), b = fx_tensor_get(expected, i), limit = fx_tensor_get(bound, i);
    if (a == b || (isnan(a) && isnan(b)) || !(limit < (double)INFINITY)) return true;
    return fabs(a - b) <= limit + TINY;
}

static outcome compare_output(int32_t index, const fx_tensor *actual, const fx_tensor *expected, const fx_tensor *bound)
{
    for (int64_t i = 0; i < fx_tensor_elems(expected); i++)
        if (!within(actual, expected, bound, i))
            return (outcome){
                false, index, i, fx_tensor_get(actual, i), fx_tensor_get(expected, i), fx_tensor_get(bound, i), expected->dtype};
    return (outcome){.good = true};
}

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
    return verify_compile(s, inputs) && verify_run(s, ENGINE_COMPILED, &e->in[ENGINE_COMPILED], &e->fast) &&
           verify_status(s, "interpreting",
                         fx_interpret_bound(s->module, in->tensor, in->n, e->slow.tensor, e->bounds.tensor, n));
}

/* False: an engine failed, or they leave other changes, as s->why tells. */
static bool compare_engines(subject *s, const tool_tensors *inputs, outcome *out)
{
    engines e = {0};
    *out = (outcome){.good = true};
    bool good = run_engines(s, inputs, &e);
    for (int32_t i = 0; i < e.slow.n && good && out->good; i++)
        *out = compare_output(i, &e.fast.tensor[i], &e.slow.tensor[i], &e.bounds.tensor[i]);
    if (good && out->good) good = same_changes(s, &e.in[ENGINE_COMPILED], &e.in[ENGINE_INTERPRETER]);
    for (int i = 0; i < ENGINES; i++) tool_tensors_free(&e.in[i]);
    tool_tensors_free(&e.fast);
    tool_tensors_free(&e.slow);
    tool_tensors_free(&e.bounds);
    return good;
}

/* ---- The first bad node
 * ------------------------------------------------------------------------------------------------------------- */

static bool is_candidate(const fx_node *node)
{
    return fx_node_opcode(node) == FX_CALL_FUNCTION && fx_node_result_count(node) == 1;
}

static fx_node **candidates(fx_graph *graph, int32_t *out_n)
{
    fx_node **list = calloc((size_t)fx_graph_size(graph) + 1, sizeof *list);
    *out_n = 0;
    for (fx_node *node = fx_graph_first(graph); list && node; node = fx_node_next(node))
        if (is_candidate(node)) list[(*out_n)++] = node;
    return list;
}

/* Both engines with this node as the graph's output; counts as bad when one of them fails. */
static bool node_is_good(subject *s, fx_node *node, const tool_tensors *inputs, outcome *out)
{
    fx_attr value = fx_node_attr(node);
    fx_graph *graph = fx_node_graph(node);
    fx_compiled_free(s->compiled);
    s->compiled = NULL;
    if (fx_node_set_args(fx_graph_output_node(graph), fx_tuple(graph, &value, 1), fx_none()) != FX_OK) return false;
    return compare_engines(s, inputs, out) && out->good;
}

static void find_first_bad(subject *s, const tool_tensors *inputs, outcome *out, const char **out_node)
{
    int32_t n, lo = 0;
    outcome now;
    fx_node **nodes = candidates(fx_module_graph(s->module), &n);
    int32_t hi = n; /* nodes before lo are good; node hi is bad, or there is none */
    while (nodes && lo < hi) {
        int32_t middle = lo + (hi - lo) / 2;
        if (node_is_good(s, nodes[middle], inputs, &now)) {
            lo = middle + 1;
        } else {
            hi = middle;
            *out = now;
            *out_node = fx_node_name(nodes[middle]);
        }
    }
    free(nodes);
}

static bool report(subject *s, const tool_tensors *inputs, outcome bad)
{
    const char *output = fx_module_output_name(s->module, bad.output), *node = NULL;
    outcome first = bad;
    find_first_bad(s, inputs, &first, &node);
    s->why[0] = 0;
    return verify_fault(
        s, "output \"%s\" differs; first bad node %s, element %lld: compiled %.9g, interpreter %.9g (%.1f ulp, bound %.3g)", output,
        node ? node : "only when all are fused", (long long)first.element, first.actual, first.expected,
        tool_ulp(first.dtype, first.actual, first.expected), first.bound);
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
        if (good && !out.good) good = report(s, &inputs, out);
    }
    tool_tensors_free(&inputs);
    return good;
}
