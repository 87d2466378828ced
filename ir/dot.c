/* SPDX-License-Identifier: Apache-2.0 */
/* ir/dot.c: the graph for Graphviz: one box per node with name, target, constant arguments and result types; arrows are uses. */
#include "ir/graph.h"
#include <string.h>

static const char *const colours[FX_OPCODE_COUNT] = {
    [FX_PLACEHOLDER] = "lightblue", [FX_GET_ATTR] = "lightgrey",      [FX_CALL_FUNCTION] = "white",
    [FX_CALL_METHOD] = "white",     [FX_CALL_MODULE] = "lightyellow", [FX_OUTPUT] = "lightgreen",
};

/* Inside a quoted label; control characters would break the line. */
static void put_escaped(fx_text *text, const char *value)
{
    for (const char *at = value; *at; at++) {
        if (*at == '"' || *at == '\\') fx__text_put(text, "\\", 1);
        fx__text_put(text, (unsigned char)*at < 0x20 ? " " : at, 1);
    }
}

static void put_escaped_value(fx_text *text, const fx_graph *graph, const fx_attr *value)
{
    fx_text inner;
    fx__text_init(&inner, graph->context);
    fx__attr_repr(&inner, graph, value);
    char *whole = fx__text_finish(&inner);
    if (whole) put_escaped(text, whole);
    fx_text_free(whole);
}

static void put_constants(fx_text *text, const fx_node *node)
{
    for (int32_t i = 0; i < node->args.n; i++) {
        const fx_attr *value = &node->args.u.items[i];
        if (value->kind == FX_ATTR_NODE || value->kind == FX_ATTR_NONE || node->opcode == FX_OUTPUT) continue;
        fx__text_append(text, "\\n%d: ", (int)i);
        put_escaped_value(text, node->graph, value);
    }
    for (int32_t i = 0; i < node->kwargs.n; i++) {
        fx__text_append(text, "\\n");
        put_escaped(text, node->kwargs.keys[i]);
        fx__text_append(text, ": ");
        put_escaped_value(text, node->graph, &node->kwargs.u.items[i]);
    }
}

static void put_types(fx_text *text, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++) {
        const fx_type *type = fx_node_type(node, i);
        fx__text_append(text, "\\n");
        if (type) fx__type_print(text, node->graph->dims, type);
    }
}

static void put_node(fx_text *text, const fx_node *node)
{
    fx__text_append(text, "  n%d [fillcolor=%s, label=\"", node->id, colours[node->opcode]);
    put_escaped(text, node->name);
    if (strcmp(node->name, node->target) != 0) {
        fx__text_append(text, "\\n");
        put_escaped(text, node->target);
    }
    put_constants(text, node);
    put_types(text, node);
    fx__text_append(text, "\"];\n");
    for (int32_t i = 0; i < node->n_inputs; i++) fx__text_append(text, "  n%d -> n%d;\n", node->inputs[i]->id, node->id);
}

char *fx_graph_to_dot(const fx_graph *graph)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    fx__text_append(&text, "digraph fx {\n  node [shape=box, style=filled, fontname=\"monospace\"];\n");
    FX_EACH_NODE(node, graph) put_node(&text, node);
    fx__text_append(&text, "}\n");
    return fx__text_finish(&text);
}
