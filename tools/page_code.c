/* SPDX-License-Identifier: Apache-2.0 */
/* page_code.c: what fx_explain tells of compiled code as JSON of the page. */
#include "page.h"

static json_t *numbers(const int32_t *list, int32_t n)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < n; i++) json_array_append_new(array, json_integer(list[i]));
    return array;
}

static json_t *unit_json(const page_nodes *nodes, const fx_unit *unit)
{
    static const char *const kinds[] = {"RUN", "CALL", "IF", "LOOP", "ASSERT"};
    json_t *computed = json_array();
    for (int32_t i = 0; i < unit->n_nodes; i++)
        json_array_append_new(computed, json_integer(page_nodes_find(nodes, unit->nodes[i])));
    return json_pack("{s:s, s:o, s:o, s:i, s:i, s:i, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:s?, s:s?, s:o*, s:o, s:o}", "kind",
                     kinds[unit->kind], "label", page_text(unit->label), "nodes", computed, "kernel", (int)unit->kernel, "parent",
                     (int)unit->parent, "depth", (int)unit->depth, "init", unit->init, "turns", (json_int_t)unit->turns, "flop",
                     (json_int_t)unit->flop, "in", (json_int_t)unit->bytes_in, "out", (json_int_t)unit->bytes_out, "const",
                     (json_int_t)unit->bytes_const, "chunks", (json_int_t)unit->chunks, "expected", unit->expected_us, "bound",
                     unit->bound, "role", unit->role, "why", unit->why_call ? page_text(unit->why_call) : NULL, "reads",
                     numbers(unit->reads, unit->n_reads), "writes", numbers(unit->writes, unit->n_writes));
}

static json_t *kernel_json(const fx_kernel_info *kernel)
{
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:o}", "name", page_text(kernel->name), "hash", kernel->hash, "emitter",
                     kernel->emitter, "schedule", page_text(kernel->schedule), "stages", page_text(kernel->stages), "precision",
                     page_text(kernel->precision));
}

static json_t *pair_json(const page_nodes *nodes, const fx_neighbours *pair)
{
    return json_pack("{s:i, s:i, s:b, s:o, s:o, s:I}", "from", (int)page_nodes_find(nodes, pair->from), "to",
                     (int)page_nodes_find(nodes, pair->to), "joined", pair->joined, "verdict", page_text(pair->verdict), "reason",
                     page_text(pair->reason), "saved", (json_int_t)pair->bytes_saved);
}

static json_t *buffer_json(const page_nodes *nodes, const fx_buffer_info *buffer, int32_t index)
{
    char type[256];
    fx_tensor shape = {.dtype = buffer->dtype, .rank = buffer->rank};
    for (int32_t i = 0; i < buffer->rank; i++) shape.dim[i] = buffer->dim[i];
    return json_pack("{s:i, s:o, s:i, s:s, s:s, s:I, s:I, s:i, s:i, s:i, s:i}", "index", (int)index, "name",
                     page_text(buffer->name), "node", (int)page_nodes_find(nodes, buffer->node), "kind", buffer->kind, "type",
                     tool_type_text(&shape, type, sizeof type), "bytes", (json_int_t)buffer->bytes, "offset",
                     (json_int_t)buffer->offset, "parent", (int)buffer->parent, "first", (int)buffer->first, "last",
                     (int)buffer->last, "reuses", (int)buffer->reuses);
}

/* Where nodes need no code of their own, the page says why. */
static void add_elsewhere(json_t *page, const page_nodes *nodes, const fx_explanation *code)
{
    for (int32_t i = 0; i < code->n_elsewhere; i++) {
        int32_t index = page_nodes_find(nodes, code->elsewhere[i].node);
        json_t *node = index < 0 ? NULL : json_array_get(json_object_get(page, "nodes"), (size_t)index);
        if (node) json_object_set_new(node, "w", page_text(code->elsewhere[i].what));
    }
}

/* The graph itself first, then those inside it: nodes are met in any order. */
static void collect_graphs(page_nodes *nodes, const fx_explanation *code)
{
    for (int32_t i = 0; i < code->n_elsewhere; i++) page_nodes_add(nodes, fx_node_graph(code->elsewhere[i].node));
    for (int32_t i = 0; i < code->n_unit; i++)
        for (int32_t k = 0; k < code->unit[i].n_nodes; k++) page_nodes_add(nodes, fx_node_graph(code->unit[i].nodes[k]));
}

void page_add_code(json_t *page, page_nodes *nodes, const fx_explanation *code)
{
    json_t *units = json_array(), *kernels = json_array(), *pairs = json_array(), *buffers = json_array(), *fallback = json_array();
    collect_graphs(nodes, code);
    page_add_graphs(page, nodes);
    add_elsewhere(page, nodes, code);
    for (int32_t i = 0; i < code->n_unit; i++) json_array_append_new(units, unit_json(nodes, &code->unit[i]));
    for (int32_t i = 0; i < code->n_kernel; i++) json_array_append_new(kernels, kernel_json(&code->kernel[i]));
    for (int32_t i = 0; i < code->n_pair; i++) json_array_append_new(pairs, pair_json(nodes, &code->pair[i]));
    for (int32_t i = 0; i < code->n_buffer; i++) json_array_append_new(buffers, buffer_json(nodes, &code->buffer[i], i));
    for (int32_t i = 0; i < code->n_fallback; i++) json_array_append_new(fallback, page_text(code->fallback[i]));
    json_object_set_new(page, "units", units);
    json_object_set_new(page, "kernels", kernels);
    json_object_set_new(page, "pairs", pairs);
    json_object_set_new(page, "buffers", buffers);
    json_object_set_new(page, "fallback", fallback);
    json_t *totals =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:i, s:o, s:o}", "workspace", (json_int_t)code->workspace_bytes, "scratch",
                  (json_int_t)code->scratch_bytes, "const", (json_int_t)code->const_bytes, "state", (json_int_t)code->state_bytes,
                  "flop", (json_int_t)code->flop, "expected", code->expected_us, "threads", (int)code->threads, "precision",
                  page_text(code->precision), "target", page_text(code->target));
    json_object_update(page, totals);
    json_decref(totals);
}

void page_add_times(json_t *page, const fx_profile *profile)
{
    json_t *units = json_array();
    for (int32_t i = 0; i < profile->n_unit; i++) {
        const fx_unit_time *t = &profile->unit[i];
        json_array_append_new(units, t->runs
                                         ? json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "median", t->median_us, "min", t->min_us,
                                                     "max", t->max_us, "run", t->run_us, "wait", t->wait_us, "balance", t->balance)
                                         : json_null());
    }
    json_object_set_new(page, "measured",
                        json_pack("{s:I, s:f, s:f, s:f, s:i, s:o}", "runs", (json_int_t)profile->runs, "wall", profile->wall_us,
                                  "entry", profile->entry_us, "wait", profile->wait_us, "threads", (int)profile->threads, "units",
                                  units));
}

void page_add_machine(json_t *page, const fx_machine *machine, bool all_threads)
{
    json_t *levels = json_array();
    for (int i = 0; i < FX_MACHINE_LEVELS; i++)
        if (machine->level[i].bytes > 0 && machine->level[i].read_gbps[all_threads] > 0)
            json_array_append_new(levels, json_pack("[s, f]", machine->level[i].name, machine->level[i].read_gbps[all_threads]));
    json_object_set_new(page, "machine",
                        json_pack("{s:o, s:i, s:f, s:o}", "cpu", page_text(machine->cpu), "threads",
                                  all_threads ? (int)machine->threads : 1, "gflops", machine->gflops[all_threads], "levels",
                                  levels));
}
