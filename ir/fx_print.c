/* SPDX-License-Identifier: Apache-2.0 */
/* ir/fx_print.c: the .fx text of a graph: typed, quoted, complete, one node per line; ir/fx_parse.c reads it back, and printing
 * what was read gives the same text.
 *
 *   file     = module? graph
 *   module   = "module" STRING NL { ("parameter" | "buffer") STRING ":" type NL } { ("input_name" | "output_name") INT STRING NL }
 *   graph    = "graph" ["core"] "{" { symbol | guard | nesting | node | output } "}"
 *   symbol   = "symbol" IDENT "[" INT "," INT "]" "hint" INT "multiple" INT ["input" INT "axis" INT]
 *   guard    = "assume" dim ("==" | "!=" | "<=") dim [STRING]
 *   nesting  = ("in_spec" | "out_spec") STRING                        (JSON of docs/FORMAT.md)
 *   node     = NAME "=" opcode STRING ["(" args ")"] [types] ["order" "[" INTs "]"] ["as" STRING] ["meta" dict]
 *              ["body" graph] ["@" STRING [":" INT] ["in" STRING]]    (as: the type annotation)
 *   output   = NAME "=" "output" "(" args ")" ...                     (as a node; its target is always "output")
 *   opcode   = "placeholder" | "get_attr" | "call_function" | "call_method" | "call_module"
 *   args     = { value "," } { KEY "=" value "," }                    (the last comma may be missing)
 *   types    = ":" type { "," type };  type = DTYPE "[" dims "]" | "?"
 *   value    = "None" | "..." | "True" | "False" | INT | FLOAT | STRING | NAME | "dtype(" DTYPE ")" | "device(" STRING ")"
 *            | "name(" STRING ")" | "complex(" FLOAT "," FLOAT ")" | "dim(" dim ")" | "(" values ")" | "[" values "]"
 *            | dict | "slice(" value "," value "," value ")" | "range(" ... ")" | graph
 *   dict     = "{" { KEY ":" value "," } "}"
 *   NAME     = "%" (IDENT | STRING);  KEY = IDENT | STRING;  dim as in ir/dim_text.c
 *
 * INT has no point and FLOAT has one, or an exponent, or is inf or nan; nan("0x...") keeps the bits of any other NaN. STRING is
 * double-quoted with \" \\ \n \t \r \xHH. A tuple of one value is "(v,)". Line ends are only needed for reading by people: any
 * space may stand between words; "#" starts a comment. Values of tensors are not part of the text. */
#include "ir/graph.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void put(fx_text *text, const char *bytes)
{
    fx__text_put(text, bytes, strlen(bytes));
}

static void put_string(fx_text *text, const char *value)
{
    put(text, "\"");
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        if (*at == '"' || *at == '\\')
            fx__text_append(text, "\\%c", *at);
        else if (*at == '\n' || *at == '\t' || *at == '\r')
            fx__text_append(text, "\\%c", *at == '\n' ? 'n' : *at == '\t' ? 't' : 'r');
        else if (*at < 0x20 || *at == 0x7f)
            fx__text_append(text, "\\x%02x", *at);
        else
            fx__text_put(text, (const char *)at, 1);
    }
    put(text, "\"");
}

static void put_word(fx_text *text, const char *word)
{
    if (fx__text_is_identifier(word))
        put(text, word);
    else
        put_string(text, word);
}

static void put_float(fx_text *text, double value)
{
    uint64_t bits, plain = UINT64_C(0x7ff8000000000000);
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value) && bits != plain)
        fx__text_append(text, "nan(\"0x%016" PRIx64 "\")", bits);
    else
        fx__text_double(text, value);
}

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static void put_graph(fx_text *text, const fx_graph *graph, int indent);
static void put_value(fx_text *text, const fx_graph *graph, const fx_attr *value, int indent);

static void put_call(fx_text *text, const char *word, const char *string)
{
    fx__text_append(text, "%s(", word);
    put_string(text, string);
    put(text, ")");
}

static void put_leaf(fx_text *text, const fx_graph *graph, const fx_attr *value, int indent)
{
    switch (value->kind) {
    case FX_ATTR_NONE:
        put(text, "None");
        break;
    case FX_ATTR_ELLIPSIS:
        put(text, "...");
        break;
    case FX_ATTR_BOOL:
        put(text, value->u.i ? "True" : "False");
        break;
    case FX_ATTR_INT:
        fx__text_append(text, "%" PRId64, value->u.i);
        break;
    case FX_ATTR_FLOAT:
        put_float(text, value->u.f);
        break;
    case FX_ATTR_COMPLEX:
        put(text, "complex(");
        put_float(text, value->u.c[0]);
        put(text, ", ");
        put_float(text, value->u.c[1]);
        put(text, ")");
        break;
    case FX_ATTR_STR:
        put_string(text, value->u.s);
        break;
    case FX_ATTR_DTYPE:
        fx__text_append(text, "dtype(%s)", fx_dtype_name(value->u.dtype));
        break;
    case FX_ATTR_DEVICE:
        put_call(text, "device", value->u.s);
        break;
    case FX_ATTR_NAME:
        put_call(text, "name", value->u.s);
        break;
    case FX_ATTR_NODE:
        put(text, "%");
        put_word(text, value->u.node->name);
        break;
    case FX_ATTR_SYMINT:
        put(text, "dim(");
        fx__dim_print(graph->dims, value->u.dim, text);
        put(text, ")");
        break;
    case FX_ATTR_GRAPH:
        put_graph(text, value->u.graph, indent);
        break;
    default:
        put(text, "?");
        break;
    }
}

static void put_items(fx_text *text, const fx_graph *graph, const fx_attr *value, const char *separator, int indent)
{
    for (int32_t i = 0; i < value->n; i++) {
        if (i) put(text, ", ");
        if (value->kind == FX_ATTR_DICT) {
            put_word(text, value->keys[i]);
            put(text, separator);
        }
        put_value(text, graph, &value->u.items[i], indent);
    }
}

static void put_value(fx_text *text, const fx_graph *graph, const fx_attr *value, int indent)
{
    static const char *const open[FX_ATTR_KIND_COUNT] = {
        [FX_ATTR_TUPLE] = "(", [FX_ATTR_LIST] = "[", [FX_ATTR_DICT] = "{", [FX_ATTR_SLICE] = "slice(", [FX_ATTR_RANGE] = "range("};
    static const char *const close[FX_ATTR_KIND_COUNT] = {
        [FX_ATTR_TUPLE] = ")", [FX_ATTR_LIST] = "]", [FX_ATTR_DICT] = "}", [FX_ATTR_SLICE] = ")", [FX_ATTR_RANGE] = ")"};
    if (!fx__attr_has_items(value->kind)) {
        put_leaf(text, graph, value, indent);
        return;
    }
    put(text, open[value->kind]);
    put_items(text, graph, value, ": ", indent);
    if (value->kind == FX_ATTR_TUPLE && value->n == 1) put(text, ",");
    put(text, close[value->kind]);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

static void put_indent(fx_text *text, int indent)
{
    for (int i = 0; i < indent; i++) put(text, "  ");
}

static void put_args(fx_text *text, const fx_node *node, int indent)
{
    bool is_call = node->opcode != FX_PLACEHOLDER && node->opcode != FX_GET_ATTR;
    if (!is_call && node->args.n == 0 && node->kwargs.n == 0) return;
    put(text, "(");
    put_items(text, node->graph, &node->args, "", indent);
    if (node->args.n && node->kwargs.n) put(text, ", ");
    put_items(text, node->graph, &node->kwargs, "=", indent);
    put(text, ")");
}

static void put_types(fx_text *text, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++) {
        const fx_type *type = fx_node_type(node, i);
        put(text, i ? ", " : " : ");
        if (type)
            fx__type_print(text, node->graph->dims, type);
        else
            put(text, "?");
    }
    if (!node->has_order) return;
    int rank = node->n_result ? node->result[0].rank : FX_RANK;
    put(text, " order [");
    for (int d = 0; d < rank; d++) fx__text_append(text, d ? ", %d" : "%d", node->order[d]);
    put(text, "]");
}

static void put_facts(fx_text *text, const fx_node *node, int indent)
{
    if (node->annotation) {
        put(text, " as ");
        put_string(text, node->annotation);
    }
    int32_t n = fx_node_meta_count(node);
    for (int32_t i = 0; i < n; i++) {
        const char *key = fx_node_meta_key(node, i);
        put(text, i ? ", " : " meta {");
        put_word(text, key);
        put(text, ": ");
        put_value(text, node->graph, fx_node_meta(node, key), indent);
    }
    if (n) put(text, "}");
    if (!node->body) return;
    put(text, " body ");
    put_graph(text, node->body, indent);
}

static void put_loc(fx_text *text, const fx_loc *loc)
{
    if (!loc->file) return;
    put(text, " @ ");
    put_string(text, loc->file);
    if (loc->line) fx__text_append(text, ":%d", loc->line);
    if (!loc->function) return;
    put(text, " in ");
    put_string(text, loc->function);
}

static void put_node(fx_text *text, const fx_node *node, int indent)
{
    put_indent(text, indent);
    put(text, "%");
    put_word(text, node->name);
    fx__text_append(text, " = %s", fx_opcode_name(node->opcode));
    if (node->opcode != FX_OUTPUT) {
        put(text, " ");
        put_string(text, node->target);
    }
    put_args(text, node, indent);
    put_types(text, node);
    put_facts(text, node, indent);
    put_loc(text, &node->loc);
    put(text, "\n");
}

/* ---- Graphs ------------------------------------------------------------------------------------------------------------ */

static void put_symbol(fx_text *text, const fx_sym *sym, int indent)
{
    put_indent(text, indent);
    fx__text_append(text, "symbol %s [%" PRId64 ", %" PRId64 "] hint %" PRId64 " multiple %" PRId64, sym->name, sym->lo, sym->hi,
                    sym->hint, sym->multiple);
    if (sym->input >= 0) fx__text_append(text, " input %d axis %d", sym->input, sym->axis);
    put(text, "\n");
}

static void put_guard(fx_text *text, const fx_dims *dims, const fx_guard *guard, int indent)
{
    static const char *const signs[] = {[FX_GUARD_EQ] = "==", [FX_GUARD_NE] = "!=", [FX_GUARD_LE] = "<="};
    put_indent(text, indent);
    put(text, "assume ");
    fx__dim_print(dims, guard->a, text);
    fx__text_append(text, " %s ", signs[guard->kind]);
    fx__dim_print(dims, guard->b, text);
    if (guard->why) {
        put(text, " ");
        put_string(text, guard->why);
    }
    put(text, "\n");
}

static void put_spec(fx_text *text, const char *word, const char *spec, int indent)
{
    if (!spec) return;
    put_indent(text, indent);
    put(text, word);
    put_string(text, spec);
    put(text, "\n");
}

static void put_graph(fx_text *text, const fx_graph *graph, int indent)
{
    put(text, graph->core ? "graph core {\n" : "graph {\n");
    for (int32_t i = 0; i < fx__dims_sym_count(graph->dims); i++) put_symbol(text, fx__dims_sym(graph->dims, i), indent + 1);
    for (int32_t i = 0; i < fx__dims_guard_count(graph->dims); i++)
        put_guard(text, graph->dims, fx__dims_guard(graph->dims, i), indent + 1);
    put_spec(text, "in_spec ", graph->in_spec, indent + 1);
    put_spec(text, "out_spec ", graph->out_spec, indent + 1);
    FX_EACH_NODE(node, graph) put_node(text, node, indent + 1);
    put_indent(text, indent);
    put(text, "}");
}

static void put_names(fx_text *text, const char *word, const fx_name_list *list)
{
    for (int32_t i = 0; i < list->n; i++) {
        if (!list->name[i]) continue;
        fx__text_append(text, "%s %d ", word, (int)i);
        put_string(text, list->name[i]);
        put(text, "\n");
    }
}

/* All tensors of the tree by their paths: the text has no submodules. A clone's module has those of its submodules itself. */
static void put_tensors(fx_text *text, const fx_module *top, const fx_module *module, fx_arena *scratch, const char *dotted)
{
    for (int32_t i = 0; i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        const char *path = fx__arena_format(scratch, "%s%s", dotted, entry->path);
        text->failed |= !path;
        if (!path || (module != top && fx__map_get(&top->tensor_index, fx__intern(top->context, path)))) continue;
        fx_type type = fx__type_of_tensor(&entry->tensor);
        put(text, entry->is_buffer ? "buffer " : "parameter ");
        put_string(text, path);
        put(text, " : ");
        fx__type_print(text, NULL, &type);
        put(text, "\n");
    }
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const char *inner = fx__arena_format(scratch, "%s%s.", dotted, module->submodules[i].path);
        text->failed |= !inner;
        if (inner) put_tensors(text, top, module->submodules[i].module, scratch, inner);
    }
}

static void put_module(fx_text *text, const fx_module *module)
{
    fx_arena *scratch = fx__arena_new(module->context);
    put(text, "module ");
    put_string(text, module->name);
    put(text, "\n");
    text->failed |= !scratch;
    if (scratch) put_tensors(text, module, module, scratch, "");
    fx__arena_free(scratch);
    put_names(text, "input_name", &module->input_names);
    put_names(text, "output_name", &module->output_names);
}

char *fx_graph_to_fx(const fx_graph *graph)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    if (graph->module) put_module(&text, graph->module);
    put_graph(&text, graph, 0);
    put(&text, "\n");
    return fx__text_finish(&text);
}
