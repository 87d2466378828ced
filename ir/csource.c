/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource.c: a graph as a C function that traces it again: what its module has, symbols, one statement per node, the end. A node
 * gets its own name by the tracer's rule where that gives it, else by fx_node_set_name; the names are played through beforehand. */
#include "ir/csource.h"
#include "ir/op.h"
#include <string.h>

static void put(fx_csource *c, const char *bytes)
{
    fx__text_put(c->text, bytes, strlen(bytes));
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

/* What a variable cannot be called beside Python's words, which fx__names_create avoids. */
static const char *const c_words[] = {
    "auto",     "case",     "char",     "const",   "default",  "do",     "double", "enum",   "extern", "goto",    "inline",
    "long",     "register", "restrict", "short",   "signed",   "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void",     "volatile", "context", "tensors",  "module", "out",    "scope",  "graph",  "status",  "main",
    "true",     "false",    "NULL",     "NAN",     "INFINITY", "y0",     "y1",     "j0",     "j1",     "linux",   "unix",
};

bool fx__csource_begin(fx_csource *c)
{
    c->variable = FX_NEW_ARRAY(c->arena, const char *, c->graph->next_id);
    c->words = fx__names_new(c->arena);
    c->names = fx__names_new(c->arena);
    if (!c->variable || !c->words || !c->names) return false;
    for (size_t i = 0; i < sizeof c_words / sizeof c_words[0]; i++)
        if (!fx__names_create(c->words, c_words[i], true)) return false;
    return true;
}

static bool is_ours(const char *name)
{
    return strncmp(name, "fx_", 3) == 0 || strncmp(name, "FX_", 3) == 0 || name[0] == '_';
}

const char *fx__csource_variable(fx_csource *c, const fx_node *node)
{
    const char **variable = &c->variable[node->id];
    if (*variable) return *variable;
    const char *wanted = is_ours(node->name) ? fx__arena_format(c->arena, "v_%s", node->name) : node->name;
    *variable = wanted ? fx__names_create(c->words, wanted, false) : NULL;
    if (!*variable) c->text->failed = true;
    return *variable ? *variable : "?";
}

void fx__csource_node(fx_csource *c, const fx_node *node)
{
    fx__text_append(c->text, c->plain ? "%s" : "fx_value_node(%s)", fx__csource_variable(c, node));
}

/* ---- Statements -------------------------------------------------------------------------------------------------------- */

static const char *opcode_word(fx_opcode opcode)
{
    static const char *const words[FX_OPCODE_COUNT] = {"FX_PLACEHOLDER", "FX_GET_ATTR",    "FX_CALL_FUNCTION",
                                                       "FX_CALL_METHOD", "FX_CALL_MODULE", "FX_OUTPUT"};
    return words[opcode];
}

/* fx_graph_create_node with everything that the node is. */
static void put_spec(fx_csource *c, const fx_node *node, bool keep_name)
{
    fx__text_append(c->text,
                    "fx_graph_create_node(\n        graph, &(fx_node_spec){.opcode = %s, .target = ", opcode_word(node->opcode));
    fx__csource_string(c, node->target);
    if (node->args.n) {
        put(c, ",\n                                .args = ");
        fx__csource_value(c, &node->args);
    }
    if (node->kwargs.n) {
        put(c, ",\n                                .kwargs = ");
        fx__csource_value(c, &node->kwargs);
    }
    if (keep_name) {
        put(c, ",\n                                .name = ");
        fx__csource_string(c, node->name);
        put(c, ", .keep_name = true");
    }
    put(c, ", .loc = FX_HERE})");
}

/* "    fx_node_set_type(fx_value_node(x)" */
static void put_setter(fx_csource *c, const char *function, const fx_node *node)
{
    fx__text_append(c->text, "    %s(", function);
    fx__csource_node(c, node);
}

static void put_types(fx_csource *c, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_result; i++) {
        const fx_type *type = fx_node_type(node, i);
        if (!type) continue;
        put_setter(c, "fx_node_set_type", node);
        fx__text_append(c->text, ", %d, &", (int)i);
        fx__csource_type(c, type);
        put(c, ");\n");
    }
}

static void put_facts(fx_csource *c, const fx_node *node)
{
    const char *body = node->body ? fx__map_get(c->functions, node->body) : NULL;
    if (node->annotation) {
        put_setter(c, "fx_node_set_annotation", node);
        put(c, ", ");
        fx__csource_string(c, node->annotation);
        put(c, ");\n");
    }
    for (int32_t i = 0; i < fx_node_meta_count(node); i++) {
        const char *key = fx_node_meta_key(node, i);
        put_setter(c, "fx_node_set_meta", node);
        put(c, ", ");
        fx__csource_string(c, key);
        put(c, ", ");
        fx__csource_value(c, fx_node_meta(node, key));
        put(c, ");\n");
    }
    if (!body) return;
    put_setter(c, "fx_node_set_body", node);
    fx__text_append(c->text, ", %s(context));\n", body);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

static bool is_used_later(const fx_node *node)
{
    return node->n_users || node->annotation || node->body || fx_node_meta_count(node);
}

static void put_declaration(fx_csource *c, const fx_node *node, bool wanted)
{
    put(c, "    ");
    if (wanted) fx__text_append(c->text, c->plain ? "fx_node *%s = " : "fx_value %s = ", fx__csource_variable(c, node));
}

/* The name that is free then, and is taken from now on. */
static const char *take_name(fx_csource *c, const char *candidate, bool exact)
{
    const char *name = candidate ? fx__names_create(c->names, candidate, exact) : NULL;
    if (!name) c->text->failed = true;
    return name ? name : "?";
}

/* By fxjit/ops.h, which names the node after the operator. */
static void put_function(fx_csource *c, const fx_node *node)
{
    const char *name = take_name(c, node->op->name, false);
    bool keeps_name = strcmp(name, node->name) == 0;
    put_declaration(c, node, !keeps_name || is_used_later(node));
    fx__csource_call(c, node);
    put(c, ";\n");
    if (keeps_name) return;
    take_name(c, node->name, true);
    put_setter(c, "fx_node_set_name", node);
    put(c, ", ");
    fx__csource_string(c, node->name);
    put(c, ");\n");
}

static bool is_own(const fx_module *module, const char *path)
{
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (strcmp(module->tensors[i].path, path) == 0) return true;
    return false;
}

/* A typed input, or a tensor of the module, whose type it has: there is a shorter call. */
static bool put_short(fx_csource *c, const fx_node *node)
{
    const fx_type *type = fx_node_type(node, 0);
    if (!type || node->n_result != 1 || node->has_order || node->args.n || node->kwargs.n) return false;
    if (node->opcode == FX_PLACEHOLDER) {
        put_declaration(c, node, is_used_later(node));
        put(c, "fx_trace_input(scope, ");
        fx__csource_string(c, node->target);
        put(c, ", &");
        fx__csource_type(c, type);
        put(c, ");\n");
        return true;
    }
    const fx_tensor *tensor = c->graph->module ? fx_module_tensor(c->graph->module, node->target) : NULL;
    if (node->opcode != FX_GET_ATTR || !tensor || !is_own(c->graph->module, node->target)) return false;
    put_declaration(c, node, is_used_later(node));
    put(c, "fx_value_of_node(scope, fx_graph_get_attr(graph, ");
    fx__csource_string(c, node->target);
    put(c, "));\n");
    return true;
}

static void put_plain(fx_csource *c, const fx_node *node)
{
    const char *candidate = fx__names_candidate(c->arena, node->opcode, node->target);
    const char *name = candidate ? fx__names_peek(c->names, candidate) : NULL;
    bool keep_name = !name || strcmp(name, node->name) != 0, used = is_used_later(node) || node->n_result;
    take_name(c, keep_name ? node->name : candidate, keep_name);
    if (!keep_name && !c->plain && put_short(c, node)) return;
    put_declaration(c, node, used);
    bool traced = used && !c->plain;
    if (traced) put(c, "fx_value_of_node(scope, ");
    put_spec(c, node, keep_name);
    put(c, traced ? ");\n" : ";\n");
    put_types(c, node);
}

/* Not when the tracer's name for it is that of another node, which would find it taken. */
static bool is_by_function(const fx_csource *c, const fx_node *node)
{
    if (c->plain || !fx__csource_has_function(node)) return false;
    const char *name = fx__names_peek(c->names, node->op->name);
    return name && (strcmp(name, node->name) == 0 || !fx_graph_find(c->graph, name));
}

void fx__csource_statement(fx_csource *c, const fx_node *node)
{
    if (is_by_function(c, node))
        put_function(c, node);
    else
        put_plain(c, node);
    put_facts(c, node);
}

/* ---- The function ------------------------------------------------------------------------------------------------------ */

static bool put_heading(fx_csource *c)
{
    const fx_module *module = c->graph->module;
    int32_t n = 0;
    put(c, "/* Traces ");
    fx__csource_remark(c, module ? module->name : "a graph");
    put(c, " again. Written by fxjit.");
    bool good = !module || fx__csource_number(c, module, "", &n);
    put(c, " */\n#include <fxjit/fxjit.h>\n#include <math.h>\n\n");
    return good;
}

static void put_signature(fx_csource *c, const char *name)
{
    const fx_module *module = c->graph->module;
    fx__text_append(c->text,
                    "fx_status %s(fx_context *context, const fx_tensor *tensors, fx_module **out);\n\n"
                    "fx_status %s(fx_context *context, const fx_tensor *tensors, fx_module **out)\n{\n"
                    "    fx_scope *scope = fx_trace_begin(context, ",
                    name, name);
    fx__csource_string(c, module ? module->name : "GraphModule");
    put(c, ");\n    fx_graph *graph = fx_scope_graph(scope);\n    *out = NULL;\n    if (!graph) return FX_E_OOM;\n");
    put(c, "    (void)tensors;\n");
}

/* The values that the tracer would return just so: one, or a tuple of some. 0: it would not. */
static int32_t count_returned(const fx_csource *c, const fx_node *output)
{
    const fx_attr *value = fx__arg(output, 0);
    const char *name = fx__names_peek(c->names, "output");
    if (output->next || output->annotation || output->n_meta || output->n_result || output->kwargs.n) return 0;
    if (!name || strcmp(name, output->name) != 0) return 0;
    if (value->kind == FX_ATTR_NODE) return 1;
    if (value->kind != FX_ATTR_TUPLE || value->n < 2) return 0;
    for (int32_t i = 0; i < value->n; i++)
        if (value->u.items[i].kind != FX_ATTR_NODE) return 0;
    return value->n;
}

static void put_return(fx_csource *c, const fx_attr *value, int32_t n)
{
    put(c, "    return fx_trace_finish(scope, (fx_value[]){");
    for (int32_t i = 0; i < n; i++) {
        const fx_attr *item = value->kind == FX_ATTR_NODE ? value : &value->u.items[i];
        fx__text_append(c->text, i ? ", %s" : "%s", fx__csource_variable(c, item->u.node));
    }
    fx__text_append(c->text, "}, %d, out);\n}\n", (int)n);
}

static void put_nodes(fx_csource *c)
{
    const fx_node *output = fx_graph_output_node(c->graph);
    FX_EACH_NODE(node, c->graph)
    {
        int32_t n = node == output ? count_returned(c, node) : 0;
        if (n) {
            put_return(c, fx__arg(node, 0), n);
            return;
        }
        fx__csource_statement(c, node);
    }
    if (!output) put(c, "    fx_graph_output(graph, fx_none());\n");
    put(c, "    return fx_trace_finish(scope, NULL, 0, out);\n}\n");
}

static bool put_function_of(fx_csource *c, const char *name)
{
    const fx_module *module = c->graph->module;
    if (!fx__csource_begin(c) || !fx__names_create(c->words, name, true) || !put_heading(c)) return false;
    if (!fx__csource_functions(c, c->graph) || (module && !fx__csource_modules(c, module))) return false;
    put_signature(c, name);
    fx__csource_contents(c);
    fx__csource_symbols(c);
    fx__csource_specs(c);
    put_nodes(c);
    return true;
}

char *fx_graph_to_c(const fx_graph *graph, const char *name)
{
    if (!name) name = "build";
    if (!fx__text_is_identifier(name)) {
        fx__diag(graph->context, FX_E_ARG, NULL, "'%s' is no name of a C function", name);
        return NULL;
    }
    fx_text text;
    fx__text_init(&text, graph->context);
    fx_map functions, first;
    fx_csource c = {.graph = graph,
                    .arena = fx__arena_new(graph->context),
                    .text = &text,
                    .module = graph->module ? "fx_graph_module(graph)" : NULL,
                    .name = name,
                    .functions = &functions,
                    .first = &first};
    fx__map_init(&functions, c.arena);
    fx__map_init(&first, c.arena);
    bool good = c.arena && put_function_of(&c, name);
    fx__arena_free(c.arena);
    char *whole = fx__text_finish(&text);
    if (good) return whole;
    fx_text_free(whole);
    return NULL;
}
