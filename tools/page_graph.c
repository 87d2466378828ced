/* SPDX-License-Identifier: Apache-2.0 */
/* page_graph.c: nodes of graphs as JSON of the page: name, opcode, target, group, inputs, types, bytes, place in the source,
 * arguments. */
#include "fxjit/analysis.h"
#include "fxjit/draw.h"
#include "page.h"
#include <stdlib.h>
#include <string.h>

/* ---- Numbers of nodes -------------------------------------------------------------------------------------------------------- */

static void *grown(void *memory, size_t bytes)
{
    void *more = realloc(memory, bytes);
    if (!more) exit(TOOL_FAILED);
    return more;
}

page_nodes page_nodes_new(void)
{
    page_nodes nodes = {.first = grown(NULL, sizeof(int32_t))};
    nodes.first[0] = 0;
    return nodes;
}

void page_nodes_free(page_nodes *nodes)
{
    for (int32_t i = 0; i < nodes->n_graph; i++) free(nodes->index[i]);
    free(nodes->index);
    free(nodes->first);
    free(nodes->graph);
    *nodes = (page_nodes){0};
}

static int32_t graph_place(const page_nodes *nodes, const fx_graph *graph)
{
    for (int32_t i = 0; i < nodes->n_graph; i++)
        if (nodes->graph[i] == graph) return i;
    return -1;
}

void page_nodes_add(page_nodes *nodes, const fx_graph *graph)
{
    int32_t place = nodes->n_graph, count = fx_graph_id_count(graph), next = nodes->first[place];
    if (graph_place(nodes, graph) >= 0) return;
    nodes->graph = grown(nodes->graph, (size_t)(place + 1) * sizeof *nodes->graph);
    nodes->index = grown(nodes->index, (size_t)(place + 1) * sizeof *nodes->index);
    nodes->first = grown(nodes->first, (size_t)(place + 2) * sizeof *nodes->first);
    nodes->graph[place] = graph;
    nodes->index[place] = grown(NULL, (size_t)(count + 1) * sizeof **nodes->index);
    for (int32_t id = 0; id < count; id++) nodes->index[place][id] = -1;
    for (const fx_node *node = fx_graph_first(graph); node; node = fx_node_next(node))
        nodes->index[place][fx_node_id(node)] = next++;
    nodes->first[place + 1] = next;
    nodes->n_graph++;
}

int32_t page_nodes_find(const page_nodes *nodes, const fx_node *node)
{
    int32_t place = node ? graph_place(nodes, fx_node_graph(node)) : -1;
    return place < 0 ? -1 : nodes->index[place][fx_node_id(node)];
}

/* ---- Texts ------------------------------------------------------------------------------------------------------------------- */

json_t *page_text(const char *text)
{
    return tool_text(text ? text : "");
}

/* model.onnx says less than the folder that it lies in. */
json_t *page_begin(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t length = strcspn(base, ".");
    if (slash && strncmp(base, "model.", 6) == 0) {
        const char *start = slash;
        while (start > path && start[-1] != '/') start--;
        base = start;
        length = (size_t)(slash - start);
    }
    char *name = length ? strndup(base, length) : strdup(path), made[64];
    snprintf(made, sizeof made, "fxjit %s", fx_version());
    json_t *page = json_pack("{s:o, s:o, s:s}", "model", page_text(name), "source", page_text(path), "tool", made);
    free(name);
    return page;
}

static json_t *types_of(const fx_node *node, double *out_bytes)
{
    json_t *list = json_array();
    for (int32_t r = 0; r < fx_node_result_count(node); r++) {
        const fx_type *type = fx_node_type(node, r);
        char text[512];
        if (!type) continue;
        size_t used = (size_t)snprintf(text, sizeof text, "%s[", fx_dtype_name(type->dtype));
        double bytes = (double)fx_dtype_bytes(type->dtype);
        for (int32_t i = 0; i < type->rank; i++) {
            const char *dim = fx_graph_dim_text(fx_node_graph(node), type->dim[i]);
            if (used < sizeof text) used += (size_t)snprintf(text + used, sizeof text - used, i ? ", %s" : "%s", dim ? dim : "?");
            bytes *= (double)fx_graph_dim_hint(fx_node_graph(node), type->dim[i]);
        }
        if (used < sizeof text) snprintf(text + used, sizeof text - used, "]");
        json_array_append_new(list, page_text(text));
        *out_bytes += bytes;
    }
    return list;
}

/* "net.py:12 in forward", "model.onnx in /layer/MatMul" */
static json_t *place_of(const fx_node *node)
{
    fx_loc loc = fx_node_loc(node);
    char text[1024], line[24] = "";
    if (!loc.file) return NULL;
    if (loc.line) snprintf(line, sizeof line, ":%d", (int)loc.line);
    snprintf(text, sizeof text, "%s%s%s%s", loc.file, line, loc.function ? " in " : "", loc.function ? loc.function : "");
    return page_text(text);
}

/* The part of the node's line behind its target: "%x, 2, dim=1" comes as (%x, 2), kwargs = {dim: 1}. */
static json_t *arguments_of(const fx_node *node)
{
    enum { MOST = 600 };
    static const char before[] = "](args = ", none[] = ", kwargs = {})";
    char *line = fx_node_to_string(node), *at = line ? strstr(line, before) : NULL;
    size_t length = at ? strlen(at) : 0, ending = sizeof none - 1;
    if (length > ending && strcmp(at + length - ending, none) == 0) at[length - ending] = 0;
    if (at && strlen(at) > MOST) memcpy(at + MOST - 4, "...", 4);
    json_t *text = at && fx_node_opcode(node) != FX_OUTPUT ? page_text(at + sizeof before - 1) : NULL;
    fx_text_free(line);
    return text;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------- */

static json_t *node_json(const page_nodes *nodes, const fx_node *node, int32_t group)
{
    double bytes = 0;
    int64_t flop = 0, moved;
    if (!fx_node_work(node, &flop, &moved)) flop = 0;
    json_t *inputs = json_array(), *types = types_of(node, &bytes);
    for (int32_t i = 0; i < fx_node_input_count(node); i++)
        json_array_append_new(inputs, json_integer(page_nodes_find(nodes, fx_node_input(node, i))));
    return json_pack("{s:o, s:i, s:o, s:i, s:o, s:o, s:f, s:I, s:o*, s:o*}", "n", page_text(fx_node_name(node)), "o",
                     (int)fx_node_opcode(node), "t", page_text(fx_node_target(node)), "g", (int)group, "i", inputs, "y", types, "b",
                     bytes, "f", (json_int_t)flop, "l", place_of(node), "a", arguments_of(node));
}

/* Groups of a graph become groups of the page; those of an inner graph lie in a group of their own. Returns the number of group 0.
 */
static int32_t add_groups(json_t *list, const fx_groups *groups, int32_t inner)
{
    char name[32] = "";
    int32_t first = (int32_t)json_array_size(list);
    if (inner) snprintf(name, sizeof name, "body %d", (int)inner);
    json_array_append_new(list, json_pack("[i, s]", inner ? 0 : -1, name));
    for (int32_t g = 1; g < fx_groups_count(groups); g++)
        json_array_append_new(
            list, json_pack("[i, o]", (int)(first + fx_groups_parent(groups, g)), page_text(fx_groups_name(groups, g))));
    return first;
}

void page_add_graphs(json_t *page, const page_nodes *nodes)
{
    json_t *list = json_array(), *names = json_array();
    for (int32_t i = 0; i < nodes->n_graph; i++) {
        fx_groups *groups;
        if (fx_graph_groups(nodes->graph[i], &groups) != FX_OK) exit(TOOL_FAILED);
        int32_t first = add_groups(names, groups, i);
        for (const fx_node *node = fx_graph_first(nodes->graph[i]); node; node = fx_node_next(node))
            json_array_append_new(list, node_json(nodes, node, first + fx_groups_of(groups, node)));
        fx_groups_free(groups);
    }
    json_object_set_new(page, "nodes", list);
    json_object_set_new(page, "groups", names);
}
