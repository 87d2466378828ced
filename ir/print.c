/* SPDX-License-Identifier: Apache-2.0 */
/* ir/print.c: graphs and values for reading, character for character as torch.fx's str(graph) and Python's str() and repr() write
 * them (with num_users, and with qualified names as targets). ir/fx_print.c writes the text that is read back. */
#include "ir/graph.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* How nodes and texts are written: torch.fx's _format_arg (%x, bare text), or Python's repr (x, 'text') with names of its own. */
typedef struct style {
    bool repr;
    fx_name_of name_of; /* NULL: the nodes' names */
    void *user;
} style;
static const style FORMAT = {.repr = false}, REPR = {.repr = true};

static void put(fx_text *text, const char *bytes)
{
    fx__text_put(text, bytes, strlen(bytes));
}

/* ---- Leaves ------------------------------------------------------------------------------------------------------------ */

/* Python's choice: single quotes, unless the text has these and no double ones. */
static void put_quoted(fx_text *text, const char *value)
{
    char quote = strchr(value, '\'') && !strchr(value, '"') ? '"' : '\'';
    fx__text_append(text, "%c", quote);
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        if (*at == '\\' || *at == (unsigned char)quote)
            fx__text_append(text, "\\%c", *at);
        else if (*at == '\n' || *at == '\t' || *at == '\r')
            fx__text_append(text, "\\%c", *at == '\n' ? 'n' : *at == '\t' ? 't' : 'r');
        else if (*at < 0x20 || *at == 0x7f)
            fx__text_append(text, "\\x%02x", *at);
        else
            fx__text_put(text, (const char *)at, 1);
    }
    fx__text_append(text, "%c", quote);
}

/* A part of a complex number has no final ".0". */
static void put_part(fx_text *text, double value)
{
    size_t start = text->bytes;
    fx__text_double(text, value);
    if (text->failed || text->bytes - start < 2) return;
    if (memcmp(text->data + text->bytes - 2, ".0", 2) == 0) text->data[text->bytes -= 2] = 0;
}

static void put_complex(fx_text *text, const double c[2])
{
    bool has_real = c[0] != 0 || signbit(c[0]);
    if (has_real) {
        put(text, "(");
        put_part(text, c[0]);
        if (isnan(c[1]) || !signbit(c[1])) put(text, "+");
    }
    put_part(text, c[1]);
    put(text, has_real ? "j)" : "j");
}

/* device(type='cuda', index=0) for "cuda:0". */
static void put_device(fx_text *text, const char *device, const style *how)
{
    const char *colon = strchr(device, ':');
    if (!how->repr)
        put(text, device);
    else if (colon)
        fx__text_append(text, "device(type='%.*s', index=%s)", (int)(colon - device), device, colon + 1);
    else
        fx__text_append(text, "device(type='%s')", device);
}

static void put_leaf(fx_text *text, const fx_graph *graph, const fx_attr *value, const style *how)
{
    switch (value->kind) {
    case FX_ATTR_NONE:
        put(text, "None");
        break;
    case FX_ATTR_ELLIPSIS:
        put(text, "Ellipsis");
        break;
    case FX_ATTR_BOOL:
        put(text, value->u.i ? "True" : "False");
        break;
    case FX_ATTR_INT:
        fx__text_append(text, "%" PRId64, value->u.i);
        break;
    case FX_ATTR_FLOAT:
        fx__text_double(text, isnan(value->u.f) ? fabs(value->u.f) : value->u.f);
        break;
    case FX_ATTR_COMPLEX:
        put_complex(text, value->u.c);
        break;
    case FX_ATTR_STR:
        if (!how->repr)
            put(text, value->u.s);
        else
            put_quoted(text, value->u.s);
        break;
    case FX_ATTR_DTYPE:
        put(text, fx_dtype_torch_name(value->u.dtype));
        break;
    case FX_ATTR_DEVICE:
        put_device(text, value->u.s, how);
        break;
    case FX_ATTR_NAME:
        put(text, value->u.s);
        break;
    case FX_ATTR_NODE:
        fx__text_append(text, "%s%s", !how->repr ? "%" : "",
                        how->name_of ? how->name_of(how->user, value->u.node) : value->u.node->name);
        break;
    case FX_ATTR_SYMINT:
        fx__dim_print(graph->dims, value->u.dim, text);
        break;
    case FX_ATTR_GRAPH:
        fx__text_append(text, "<graph of %d nodes>", value->u.graph->n_nodes);
        break;
    default:
        put(text, "?");
        break;
    }
}

/* ---- Containers -------------------------------------------------------------------------------------------------------- */

static void put_value(fx_text *text, const fx_graph *graph, const fx_attr *value, const style *how);

static void put_key(fx_text *text, const char *key, const style *how)
{
    if (!how->repr)
        put(text, key);
    else
        put_quoted(text, key);
    put(text, ": ");
}

static void put_items(fx_text *text, const fx_graph *graph, const fx_attr *value, int32_t n, const style *how)
{
    for (int32_t i = 0; i < n; i++) {
        if (i) put(text, ", ");
        if (value->kind == FX_ATTR_DICT) put_key(text, value->keys[i], how);
        put_value(text, graph, &value->u.items[i], how);
    }
}

static bool is_one(const fx_attr *value)
{
    return value->kind == FX_ATTR_NONE || (value->kind == FX_ATTR_INT && value->u.i == 1);
}

static void put_value(fx_text *text, const fx_graph *graph, const fx_attr *value, const style *how)
{
    static const char *const open[FX_ATTR_KIND_COUNT] = {
        [FX_ATTR_TUPLE] = "(", [FX_ATTR_LIST] = "[", [FX_ATTR_DICT] = "{", [FX_ATTR_SLICE] = "slice(", [FX_ATTR_RANGE] = "range("};
    static const char *const close[FX_ATTR_KIND_COUNT] = {
        [FX_ATTR_TUPLE] = ")", [FX_ATTR_LIST] = "]", [FX_ATTR_DICT] = "}", [FX_ATTR_SLICE] = ")", [FX_ATTR_RANGE] = ")"};
    if (!fx__attr_has_items(value->kind)) {
        put_leaf(text, graph, value, how);
        return;
    }
    bool is_plain_range = value->kind == FX_ATTR_RANGE && is_one(&value->u.items[2]);
    bool is_python = value->kind == FX_ATTR_SLICE || value->kind == FX_ATTR_RANGE; /* torch.fx leaves these to str() */
    put(text, open[value->kind]);
    put_items(text, graph, value, is_plain_range ? 2 : value->n, is_python && !how->repr ? &REPR : how);
    if (value->kind == FX_ATTR_TUPLE && value->n == 1) put(text, ",");
    put(text, close[value->kind]);
}

void fx__attr_print(fx_text *text, const fx_graph *graph, const fx_attr *value)
{
    put_value(text, graph, value, &FORMAT);
}

void fx__attr_repr(fx_text *text, const fx_graph *graph, const fx_attr *value)
{
    put_value(text, graph, value, &REPR);
}

void fx__attr_repr_named(fx_text *text, const fx_graph *graph, const fx_attr *value, fx_name_of name_of, void *user)
{
    put_value(text, graph, value, &(style){true, name_of, user});
}

/* Python's str(): a text is bare only when it is the whole value. */
static void put_str(fx_text *text, const fx_graph *graph, const fx_attr *value)
{
    bool bare = value->kind == FX_ATTR_STR || value->kind == FX_ATTR_DEVICE;
    put_value(text, graph, value, bare ? &FORMAT : &REPR);
}

/* ---- Nodes and graphs -------------------------------------------------------------------------------------------------- */

static void put_node(fx_text *text, const fx_node *node)
{
    if (node->opcode == FX_OUTPUT) {
        put(text, "return ");
        put_str(text, node->graph, &node->args.u.items[0]);
        return;
    }
    fx__text_append(text, "%%%s : %s%s[num_users=%d] = %s[target=%s]", node->name, node->annotation ? node->annotation : "",
                    node->annotation ? " " : "", node->n_users, fx_opcode_name(node->opcode), node->target);
    if (node->opcode == FX_GET_ATTR) return;
    if (node->opcode == FX_PLACEHOLDER) {
        if (node->args.n == 0) return;
        put(text, "(default=");
        put_str(text, node->graph, &node->args.u.items[0]);
    } else {
        put(text, "(args = ");
        put_value(text, node->graph, &node->args, &FORMAT);
        put(text, ", kwargs = ");
        put_value(text, node->graph, &node->kwargs, &FORMAT);
    }
    put(text, ")");
}

char *fx_node_to_string(const fx_node *node)
{
    fx_text text;
    fx__text_init(&text, node->graph->context);
    put_node(&text, node);
    return fx__text_finish(&text);
}

char *fx_graph_to_string(const fx_graph *graph)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    put(&text, "graph():");
    FX_EACH_NODE(node, graph)
    {
        put(&text, "\n    ");
        put_node(&text, node);
    }
    return fx__text_finish(&text);
}
