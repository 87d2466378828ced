/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_json.c: an explanation as one JSON object, with the names of fxjit/inspect.h. */
#include "frontend/explain.h"
#include "ir/graph.h"
#include "ir/op.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    const fx_explanation *e;
    const fx_explain_filter *filter;
} writer;

/* Names of tensors of a file may be any bytes. */
static json_t *text_json(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    return value ? value : json_string("?");
}

static json_t *list_json(const int32_t *list, int32_t n)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < n; i++) json_array_append_new(array, json_integer(list[i]));
    return array;
}

static json_t *node_json(const fx_node *node)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", text_json(node->name));
    json_object_set_new(object, "operator", text_json(node->op ? fx_op_name(node->op) : node->target));
    if (!node->loc.file) return object;
    json_object_set_new(object, "file", text_json(node->loc.file));
    if (node->loc.line > 0) json_object_set_new(object, "line", json_integer(node->loc.line));
    if (node->loc.function) json_object_set_new(object, "function", text_json(node->loc.function));
    return object;
}

static json_t *unit_json(const fx_unit *u)
{
    static const char *const kinds[] = {"run", "call", "if", "loop", "assert"};
    json_t *nodes = json_array();
    for (int32_t i = 0; i < u->n_nodes; i++) json_array_append_new(nodes, node_json(u->nodes[i]));
    json_t *object = json_pack("{s:i,s:s,s:i,s:i,s:I,s:b,s:o,s:o,s:i}", "index", u->index, "kind", kinds[u->kind], "parent", u->parent,
                               "depth", u->depth, "turns", (json_int_t)u->turns, "init", u->init, "label", text_json(u->label), "nodes",
                               nodes, "kernel", u->kernel);
    json_t *figures = json_pack("{s:I,s:I,s:I,s:I,s:f,s:s,s:o,s:o,s:I,s:s,s:o}", "flop", (json_int_t)u->flop, "bytes_in",
                                (json_int_t)u->bytes_in, "bytes_out", (json_int_t)u->bytes_out, "bytes_const", (json_int_t)u->bytes_const,
                                "expected_us", u->expected_us, "bound", u->bound, "reads", list_json(u->reads, u->n_reads), "writes",
                                list_json(u->writes, u->n_writes), "chunks", (json_int_t)u->chunks, "role", u->role, "why_call",
                                text_json(u->why_call));
    json_object_update_missing(object, figures);
    json_decref(figures);
    return object;
}

static json_t *units_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_unit; i++)
        if (fx_explain_wants(w->e, w->filter, i)) json_array_append_new(array, unit_json(&w->e->unit[i]));
    return array;
}

static json_t *kernels_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_kernel; i++) {
        const fx_kernel_info *k = &w->e->kernel[i];
        if (!fx__explain_wants_kernel(w->e, w->filter, i)) continue;
        json_array_append_new(array, json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s}", "index", i, "name", k->name, "hash", k->hash,
                                               "emitter", k->emitter, "tile", k->tile, "schedule", k->schedule, "stages", k->stages,
                                               "n_stages", k->n_stages, "n_units", k->n_units, "precision", k->precision));
    }
    return array;
}

static json_t *pairs_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_pair; i++) {
        const fx_neighbours *pair = &w->e->pair[i];
        if (!fx__explain_wants_pair(w->e, w->filter, pair)) continue;
        json_array_append_new(array, json_pack("{s:o,s:o,s:b,s:s,s:s,s:I,s:I}", "from", text_json(pair->from->name), "to",
                                               text_json(pair->to->name), "joined", pair->joined, "verdict", pair->verdict, "reason",
                                               pair->reason, "bytes_saved", (json_int_t)pair->bytes_saved, "cost",
                                               (json_int_t)pair->cost));
    }
    return array;
}

static json_t *buffer_json(const fx_buffer_info *b, int32_t index)
{
    json_t *dims = json_array();
    for (int32_t d = 0; d < b->rank; d++) json_array_append_new(dims, json_integer(b->dim[d]));
    return json_pack("{s:i,s:o,s:o,s:s,s:s,s:o,s:I,s:I,s:i,s:i,s:i,s:i}", "index", index, "name", text_json(b->name), "node",
                     text_json(b->node ? b->node->name : NULL), "kind", b->kind, "dtype", fx_dtype_name(b->dtype), "dim", dims, "bytes",
                     (json_int_t)b->bytes, "offset", (json_int_t)b->offset, "parent", b->parent, "first", b->first, "last", b->last,
                     "reuses", b->reuses);
}

static json_t *buffers_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_buffer; i++)
        if (fx__explain_wants_buffer(w->e, w->filter, i)) json_array_append_new(array, buffer_json(&w->e->buffer[i], i));
    return array;
}

static json_t *elsewhere_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_elsewhere; i++) {
        const fx_elsewhere *one = &w->e->elsewhere[i];
        if (!fx__explain_wants_node(w->e, w->filter, one->node)) continue;
        json_t *object = node_json(one->node);
        json_object_del(object, "name");
        json_object_set_new(object, "node", text_json(one->node->name));
        json_object_set_new(object, "what", text_json(one->what));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *allowance_json(const fx_allowance *one)
{
    json_t *nodes = json_array();
    for (int32_t i = 0; i < one->n_nodes; i++) json_array_append_new(nodes, text_json(one->nodes[i]));
    return json_pack("{s:i,s:s,s:o}", "unit", one->unit, "what", one->what, "nodes", nodes);
}

static json_t *allowances_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_allowance; i++)
        if (fx__explain_wants_allowance(w->e, w->filter, i)) json_array_append_new(array, allowance_json(&w->e->allowance[i]));
    return array;
}

static json_t *fallbacks_json(const writer *w)
{
    json_t *array = json_array();
    for (int32_t i = 0; i < w->e->n_fallback; i++) json_array_append_new(array, text_json(w->e->fallback[i]));
    return array;
}

static json_t *totals_json(const fx_explanation *e)
{
    return json_pack("{s:o,s:s,s:i,s:I,s:f,s:I,s:I,s:I,s:I}", "target", text_json(e->target), "precision", e->precision, "threads",
                     e->threads, "flop", (json_int_t)e->flop, "expected_us", e->expected_us, "workspace_bytes",
                     (json_int_t)e->workspace_bytes, "scratch_bytes", (json_int_t)e->scratch_bytes, "const_bytes",
                     (json_int_t)e->const_bytes, "state_bytes", (json_int_t)e->state_bytes);
}

char *fx_explanation_to_json(const fx_explanation *e, const fx_explain_filter *filter)
{
    writer w = {.e = e, .filter = filter};
    json_t *object = totals_json(e);
    uint32_t parts = filter && filter->parts ? filter->parts : UINT32_MAX;
    if (parts & FX_EXPLAIN_UNITS) json_object_set_new(object, "units", units_json(&w));
    if (parts & FX_EXPLAIN_KERNELS) json_object_set_new(object, "kernels", kernels_json(&w));
    if (parts & FX_EXPLAIN_PAIRS) json_object_set_new(object, "pairs", pairs_json(&w));
    if (parts & FX_EXPLAIN_FALLBACKS) json_object_set_new(object, "fallbacks", fallbacks_json(&w));
    if (parts & FX_EXPLAIN_MEMORY) json_object_set_new(object, "buffers", buffers_json(&w));
    if (parts & FX_EXPLAIN_PRECISION) json_object_set_new(object, "allowances", allowances_json(&w));
    if (parts & FX_EXPLAIN_NODES) json_object_set_new(object, "elsewhere", elsewhere_json(&w));
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    return text;
}
