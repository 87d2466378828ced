/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"
#include "compare.h"
#include "ir/graph.h"
#include "random_graph.h"
#include <stdlib.h>
#include <string.h>

/* ---- Subjects --------------------------------------------------------------------------------------------------------------- */

static void fill(fx_tensor *tensor, uint64_t *seed, bool exact)
{
    int64_t n = fx_tensor_elems(tensor);
    for (int64_t i = 0; i < n; i++) {
        double whole = (double)((int64_t)(fx_test_random(seed) % 9) - 4);
        double value = exact || !fx_dtype_is_float(tensor->dtype) ? whole : fx_test_uniform(seed, -2, 2);
        if (tensor->dtype == FX_BOOL) value = value > 0;
        if (!fx_dtype_is_signed(tensor->dtype) && value < 0) value = -value;
        fx_tensor_set(tensor, i, value);
    }
}

static void release_memory(void *user, void *data)
{
    (void)user;
    fx_tensor tensor = {.data = data};
    fx_tensor_release(&tensor);
}

static void add_parameter(fx_module *module, const fx_node *node, uint64_t *seed, bool exact)
{
    fx_tensor tensor;
    const fx_type *type = fx_node_type(node, 0);
    ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, type->dim, &tensor), FX_OK);
    fill(&tensor, seed, exact);
    CHECK_OK(fx_module_context(module), fx_module_add_tensor(module, node->name, &tensor, false, release_memory, NULL));
    ck_assert_ptr_nonnull(fx_graph_get_attr(fx_module_graph(module), node->name));
}

static fx_node *by_name(void *user, fx_node *there)
{
    return fx_graph_find(user, there->name);
}

static bool is_parameter(const fx_node *node)
{
    return node->opcode == FX_PLACEHOLDER && node->name[0] == 'w';
}

/* The symbols alone then stand for the same sizes in both. */
static void copy_symbols(fx_dims *to, fx_dims *from)
{
    for (int32_t i = 0; i < fx__dims_sym_count(from); i++) {
        int32_t copy = fx__dims_add_sym(to, fx__dims_sym(from, i));
        ck_assert(fx__dim_sym(to, copy) == fx__dim_sym(from, i));
    }
}

/* From the text of a module, or of a graph whose placeholders w... become parameters. */
static fx_module *module_of(fx_context *context, const char *text, uint64_t *seed, bool exact)
{
    fx_graph *graph = NULL;
    CHECK_OK(context, fx_graph_parse(context, "probe", text, strlen(text), &graph));
    if (fx_graph_module(graph)) {
        CHECK_OK(context, fx_graph_propagate(graph));
        return fx_graph_module(graph);
    }
    fx_module *module = fx_module_new(context, "probe");
    copy_symbols(fx_module_graph(module)->dims, graph->dims);
    FX_EACH_NODE(node, graph)
    {
        if (is_parameter(node)) {
            add_parameter(module, node, seed, exact);
        } else if (node->opcode == FX_PLACEHOLDER) { /* its sizes are symbols of the same numbers */
            ck_assert_ptr_nonnull(fx_graph_placeholder(fx_module_graph(module), node->name, fx_node_type(node, 0)));
        } else {
            ck_assert_ptr_nonnull(fx_graph_copy_node(fx_module_graph(module), node, by_name, fx_module_graph(module)));
        }
    }
    fx_graph_free(graph);
    CHECK_OK(context, fx_graph_propagate(fx_module_graph(module)));
    return module;
}

static void count_tensors(fx_probe *probe)
{
    probe->n_in = fx_module_input_count(probe->module);
    probe->n_out = fx_module_output_count(probe->module);
    ck_assert_int_le(probe->n_in, FX_PROBE_TENSORS);
    ck_assert_int_le(probe->n_out, FX_PROBE_TENSORS);
}

fx_probe fx_probe_text(const char *lines, bool exact)
{
    fx_probe probe = {.context = fx_context_new()};
    size_t room = strlen(lines) + 128;
    char *text = malloc(room);
    uint64_t seed = 7; /* the same weights for the same lines at any size */
    bool has_output = strstr(lines, "= output(") != NULL;
    snprintf(probe.name, sizeof probe.name, "%s", lines);
    snprintf(text, room, "%sgraph {\n%s\n%s}\n", strstr(lines, "%w") ? "" : "module \"probe\"\n", lines,
             has_output ? "" : "%output = output((%y,))\n");
    probe.module = module_of(probe.context, text, &seed, exact);
    free(text);
    count_tensors(&probe);
    for (int32_t i = 0; i < probe.n_in; i++) {
        const fx_type *type = fx_module_input_type(probe.module, i);
        int64_t dim[FX_RANK];
        for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_hint(fx_module_graph(probe.module)->dims, type->dim[d]);
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, dim, &probe.in[i]), FX_OK);
        fill(&probe.in[i], &seed, exact);
    }
    fx_probe_interpret(&probe);
    return probe;
}

fx_probe fx_probe_random(uint64_t seed, bool exact, int32_t min_nodes, int32_t max_nodes)
{
    fx_probe probe = {.context = fx_context_new()};
    fx_random_options options = {.min_nodes = min_nodes, .max_nodes = max_nodes, .exact = exact};
    snprintf(probe.name, sizeof probe.name, "random graph, seed %llu", (unsigned long long)seed);
    probe.module = fx_test_random_module(probe.context, seed, &options);
    ck_assert_ptr_nonnull(probe.module);
    count_tensors(&probe);
    fx_test_random_inputs(probe.module, seed, exact, probe.in);
    fx_probe_interpret(&probe);
    return probe;
}

void fx_probe_interpret(fx_probe *probe)
{
    fx_probe_release(probe->expected, probe->n_out);
    fx_probe_release(probe->bound, probe->n_out);
    CHECK_OK(probe->context,
             fx_interpret_bound(probe->module, probe->in, probe->n_in, probe->expected, probe->bound, probe->n_out));
}

void fx_probe_free(fx_probe *probe)
{
    fx_probe_release(probe->in, probe->n_in);
    fx_probe_release(probe->expected, probe->n_out);
    fx_probe_release(probe->bound, probe->n_out);
    fx_module_free(probe->module);
    fx_context_free(probe->context);
}

/* ---- Runs ------------------------------------------------------------------------------------------------------------------- */

fx_compiled *fx_probe_compile(fx_probe *probe, const fx_compile_options *options)
{
    fx_compiled *compiled;
    CHECK_OK(probe->context, fx_compile(probe->module, NULL, 0, options, &compiled));
    return compiled;
}

void fx_probe_outputs(const fx_probe *probe, fx_tensor *out)
{
    for (int32_t i = 0; i < probe->n_out; i++) {
        const fx_tensor *as = &probe->expected[i];
        ck_assert_int_eq(fx_tensor_alloc(as->dtype, as->rank, as->dim, &out[i]), FX_OK);
    }
}

void fx_probe_release(fx_tensor *tensors, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (tensors[i].data) fx_tensor_release(&tensors[i]);
}

fx_status fx_probe_call(const fx_compiled *compiled, const fx_tensor *in, fx_tensor *out, void *workspace)
{
    fx_rt_call call = {0};
    int64_t dim[FX_PROBE_SYMBOLS] = {0}; /* set by the entry */
    fx_compiled_call(compiled, &call);
    call.in = in;
    call.out = out;
    call.workspace = workspace;
    call.scratch = (char *)workspace + fx_compiled_workspace_bytes(compiled) - (size_t)call.threads * call.scratch_bytes;
    call.dim = dim;
    fx_status status = (fx_status)fx_compiled_entry(compiled)(&call);
    return status == FX_OK ? (fx_status)call.error : status;
}

void fx_probe_run(fx_probe *probe, const fx_compile_options *options, fx_tensor *out)
{
    fx_compiled *compiled = fx_probe_compile(probe, options);
    memset(out, 0, sizeof *out * (size_t)probe->n_out);
    CHECK_OK(probe->context, fx_run(compiled, probe->context, probe->in, probe->n_in, out, probe->n_out));
    fx_compiled_free(compiled);
}

/* ---- Failures --------------------------------------------------------------------------------------------------------------- */

void fx_probe_fail(const fx_probe *probe, const char *what, int32_t output, const char *difference)
{
    char *text = fx_graph_to_fx(fx_module_graph(probe->module));
    fprintf(stderr, "%s\n", text ? text : "");
    fx_text_free(text);
    ck_abort_msg("%s\n%s, output %d: %s", probe->name, what, (int)output, difference);
}

void fx_probe_expect(const fx_probe *probe, const char *what, const fx_tensor *expected, const fx_tensor *actual, bool bound)
{
    for (int32_t i = 0; i < probe->n_out; i++) {
        const char *difference = fx_test_difference(&expected[i], &actual[i], bound ? &probe->bound[i] : NULL);
        if (difference) fx_probe_fail(probe, what, i, difference);
    }
}
