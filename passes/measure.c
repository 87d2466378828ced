/* SPDX-License-Identifier: Apache-2.0 */
/* passes/measure.c: what a graph consists of (fx_graph_measure): nodes and ways as they stand, work in a copy whose submodules are
 * inlined and whose types are inferred. */
#include "fxjit/analysis.h"
#include "passes/flops.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

typedef struct measuring {
    const fx_graph *graph;
    fx_graph_stats *out;
    fx_arena *arena;
    fx_map seen; /* interned path, or module -> itself */
    fx_op_stats *ops;
    int32_t n_ops, cap_ops;
    bool failed;
} measuring;

static bool is_call(const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION || node->opcode == FX_CALL_METHOD || node->opcode == FX_CALL_MODULE;
}

/* ---- The graph as it stands ------------------------------------------------------------------------------------------------ */

static void count_node(measuring *m, const fx_node *node)
{
    fx_graph_stats *out = m->out;
    out->nodes++;
    out->by_opcode[node->opcode]++;
    if (!out->widest_in || node->n_inputs > out->max_fan_in) {
        out->max_fan_in = node->n_inputs;
        out->widest_in = node;
    }
    if (!out->widest_out || node->n_users > out->max_fan_out) {
        out->max_fan_out = node->n_users;
        out->widest_out = node;
    }
}

static fx_status measure_depth(measuring *m)
{
    int32_t *depth = FX_NEW_ARRAY(m->arena, int32_t, m->graph->next_id + 1);
    if (!depth) return FX_E_OOM;
    FX_EACH_NODE(node, m->graph)
    {
        for (int32_t i = 0; i < node->n_inputs; i++)
            if (depth[node->inputs[i]->id] > depth[node->id]) depth[node->id] = depth[node->inputs[i]->id];
        depth[node->id] += is_call(node);
        if (depth[node->id] > m->out->depth) m->out->depth = depth[node->id];
    }
    return FX_OK;
}

static void count_tensor(void *user, const char *path, const fx_tensor *tensor, bool is_buffer)
{
    measuring *m = user;
    (void)path, (void)is_buffer;
    if (fx__map_get(&m->seen, tensor)) return;
    m->failed |= !fx__map_put(&m->seen, tensor, m);
    m->out->tensors++;
    m->out->parameters += fx_tensor_elems(tensor);
    m->out->parameter_bytes += fx_tensor_bytes(tensor);
}

static fx_status count_parameters(measuring *m)
{
    const fx_module *module = m->graph->module;
    FX_EACH_NODE(node, m->graph)
    {
        const fx_tensor *tensor = module && node->opcode == FX_GET_ATTR ? fx_module_tensor(module, node->target) : NULL;
        fx_module *inner = module && node->opcode == FX_CALL_MODULE ? fx_module_submodule(module, node->target) : NULL;
        if (tensor) count_tensor(m, node->target, tensor, false);
        if (inner) FX_TRY(fx_module_each_tensor(inner, count_tensor, m));
    }
    return m->failed ? FX_E_OOM : FX_OK;
}

/* ---- Work ------------------------------------------------------------------------------------------------------------------ */

static int64_t bytes_of(const fx_dims *dims, const fx_node *node)
{
    int64_t bytes = 0;
    for (int32_t r = 0; r < node->n_result; r++)
        if (fx_node_type(node, r))
            bytes += (int64_t)fx_dtype_bytes(node->result[r].dtype) * fx__flops_elems(dims, &node->result[r]);
    return bytes;
}

static fx_op_stats *entry_of(measuring *m, const char *target)
{
    for (int32_t i = 0; i < m->n_ops; i++)
        if (m->ops[i].target == target) return &m->ops[i];
    fx_op_stats *ops = fx__arena_grow(m->arena, m->ops, &m->cap_ops, m->n_ops, sizeof *ops);
    if (!ops) return NULL;
    m->ops = ops;
    ops[m->n_ops] = (fx_op_stats){.target = target};
    return &ops[m->n_ops++];
}

static bool is_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return fx_node_type(node, 0) != NULL;
}

static bool work_of(fx_node *node, int64_t *out_flops, int64_t *out_bytes)
{
    const fx_op *op = fx__op_of(node);
    fx_attr bound[FX_PARAMS];
    *out_flops = *out_bytes = 0;
    if (!op || !is_typed(node) || fx__op_bind(node->graph, node, op, bound) != FX_OK) return false;
    fx_call call = {.context = node->graph->context, .dims = node->graph->dims, .op = op, .node = node, .arg = bound};
    for (call.n_results = 0; call.n_results < node->n_result && call.n_results < FX_RESULTS; call.n_results++)
        call.result[call.n_results] = node->result[call.n_results];
    *out_flops = fx__flops_of(&call);
    *out_bytes = op->view ? 0 : bytes_of(call.dims, node);
    for (int32_t i = 0; i < node->n_inputs && !op->view; i++) *out_bytes += bytes_of(call.dims, node->inputs[i]);
    return true;
}

bool fx_node_work(const fx_node *node, int64_t *out_flops, int64_t *out_bytes)
{
    fx_context *context = node->graph->context;
    fx_diag_mark mark = fx__diag_mark(context);
    bool known = work_of((fx_node *)(uintptr_t)node, out_flops, out_bytes); /* which binds arguments and changes nothing */
    fx__diag_rewind(context, mark);
    return known;
}

static fx_status count_work(measuring *m, fx_node *node)
{
    fx_op_stats *entry = entry_of(m, node->target);
    int64_t flops, bytes;
    if (!entry) return FX_E_OOM;
    entry->calls++;
    if (!work_of(node, &flops, &bytes)) {
        m->out->unknown++;
        return FX_OK;
    }
    entry->flops += flops;
    entry->bytes += bytes;
    m->out->flops += flops;
    m->out->bytes += bytes;
    return FX_OK;
}

/* Submodules and bodies in their calls' places and types everywhere, as far as that goes. */
static fx_graph *make_flat(const fx_graph *graph)
{
    fx_graph *flat = fx_graph_clone(graph);
    bool modified;
    if (!flat) return NULL;
    fx_diag_mark mark = fx__diag_mark(graph->context);
    (void)fx__pass_inline(flat, NULL, &modified);
    (void)fx_graph_propagate(flat);
    fx__diag_rewind(graph->context, mark);
    return flat;
}

static int by_flops(const void *a, const void *b)
{
    const fx_op_stats *x = a, *y = b;
    if (x->flops != y->flops) return x->flops > y->flops ? -1 : 1;
    if (x->calls != y->calls) return x->calls > y->calls ? -1 : 1;
    return strcmp(x->target, y->target);
}

static fx_status measure_work(measuring *m)
{
    fx_graph *flat = make_flat(m->graph);
    fx_status status = flat ? FX_OK : FX_E_OOM;
    fx_diag_mark mark = fx__diag_mark(m->graph->context);
    for (fx_node *node = flat ? flat->first : NULL; node && status == FX_OK; node = node->next)
        if (is_call(node)) status = count_work(m, node);
    fx__diag_rewind(m->graph->context, mark);
    fx_graph_free(flat);
    if (m->n_ops) qsort(m->ops, (size_t)m->n_ops, sizeof *m->ops, by_flops);
    m->out->ops = m->ops;
    m->out->n_ops = m->n_ops;
    return status;
}

static fx_status measure(measuring *m)
{
    fx__map_init(&m->seen, m->arena);
    FX_EACH_NODE(node, m->graph) count_node(m, node);
    FX_TRY(measure_depth(m));
    FX_TRY(count_parameters(m));
    return measure_work(m);
}

fx_status fx_graph_measure(const fx_graph *graph, fx_graph_stats *out)
{
    *out = (fx_graph_stats){.memory = fx__arena_new(graph->context)};
    if (!out->memory) return FX_E_OOM;
    measuring m = {.graph = graph, .out = out, .arena = out->memory};
    fx_status status = measure(&m);
    if (status != FX_OK) fx_graph_stats_free(out);
    return status;
}

void fx_graph_stats_free(fx_graph_stats *stats)
{
    fx__arena_free(stats->memory);
    *stats = (fx_graph_stats){0};
}

/* ---- Text ------------------------------------------------------------------------------------------------------------------ */

static void put_nodes(fx_text *text, const fx_graph_stats *stats)
{
    fx__text_append(text, "nodes            %d (", stats->nodes);
    for (int32_t i = 0; i < FX_OPCODE_COUNT; i++)
        fx__text_append(text, "%s%s %d", i ? ", " : "", fx_opcode_name((fx_opcode)i), stats->by_opcode[i]);
    fx__text_append(text, ")\ndepth            %d calls\n", stats->depth);
    if (stats->widest_in) fx__text_append(text, "largest fan-in   %d (%s)\n", stats->max_fan_in, stats->widest_in->name);
    if (stats->widest_out) fx__text_append(text, "largest fan-out  %d (%s)\n", stats->max_fan_out, stats->widest_out->name);
}

char *fx_graph_stats_to_string(const fx_graph *graph, const fx_graph_stats *stats)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    put_nodes(&text, stats);
    fx__text_append(&text, "parameters       %lld elements, %lld bytes, in %lld tensors\n", (long long)stats->parameters,
                    (long long)stats->parameter_bytes, (long long)stats->tensors);
    fx__text_append(&text, "work of one run  %lld flops, %lld bytes read and written", (long long)stats->flops,
                    (long long)stats->bytes);
    if (stats->unknown) fx__text_append(&text, "; %d calls are of unknown cost", stats->unknown);
    fx__text_append(&text, "\n\n%8s %16s %16s  target\n", "calls", "flops", "bytes");
    for (int32_t i = 0; i < stats->n_ops; i++)
        fx__text_append(&text, "%8lld %16lld %16lld  %s\n", (long long)stats->ops[i].calls, (long long)stats->ops[i].flops,
                        (long long)stats->ops[i].bytes, stats->ops[i].target);
    return fx__text_finish(&text);
}
