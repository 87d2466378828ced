/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource.c: a graph as a C function that traces it again: the module's tensors, symbols, one statement per node, the end. A
 * node gets its own name by the tracer's rule where that gives it, else by fx_node_set_name; the names are played through
 * beforehand. */
#include "ir/csource.h"
#include "ir/op.h"
#include <inttypes.h>
#include <string.h>

static void put(fx_csource *c, const char *bytes)
{
    fx__text_put(c->text, bytes, strlen(bytes));
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

/* What a variable cannot be called beside Python's words, which fx__names_create avoids. */
static const char *const c_words[] = {
    "auto",     "case",     "char",     "const",    "default", "do",     "double", "enum",   "extern", "goto",    "inline",
    "long",     "register", "restrict", "short",    "signed",  "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void",     "volatile", "context",  "tensors", "out",    "scope",  "graph",  "status", "main",    "true",
    "false",    "NULL",     "NAN",      "INFINITY", "y0",      "y1",     "j0",     "j1",     "linux",  "unix",
};

static bool begin(fx_csource *c)
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

static void put_tensors(fx_csource *c)
{
    const fx_module *module = c->graph->module;
    for (int32_t i = 0; module && i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        put(c, "    fx_module_add_tensor(fx_graph_module(graph), ");
        fx__csource_string(c, entry->path);
        fx__text_append(c->text, ", &tensors[%d], %s, NULL, NULL);\n", (int)i, entry->is_buffer ? "true" : "false");
    }
}

static void put_symbols(fx_csource *c)
{
    for (int32_t i = 0; i < fx__dims_param_count(c->graph->dims); i++) {
        const fx_sym *sym = fx__dims_sym(c->graph->dims, i);
        put(c, "    fx_graph_symbol(graph, ");
        fx__csource_string(c, sym->name);
        fx__text_append(c->text, ", %" PRId64 ", INT64_C(%" PRId64 "), %" PRId64 ", %" PRId64 ");\n", sym->lo, sym->hi, sym->hint,
                        sym->multiple);
    }
}

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
    const char *body = fx__map_get(c->bodies, node);
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
    return node->n_users || node->annotation || node->body || fx_node_meta_count(node) || node->n_result;
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
    put_declaration(c, node, true);
    fx__csource_call(c, node);
    put(c, ";\n");
    if (strcmp(name, node->name) == 0) return;
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
        fx__text_append(c->text, "    fx_value %s = fx_trace_input(scope, ", fx__csource_variable(c, node));
        fx__csource_string(c, node->target);
        put(c, ", &");
        fx__csource_type(c, type);
        put(c, ");\n");
        return true;
    }
    const fx_tensor *tensor = c->graph->module ? fx_module_tensor(c->graph->module, node->target) : NULL;
    if (node->opcode != FX_GET_ATTR || !tensor || !is_own(c->graph->module, node->target)) return false;
    fx__text_append(c->text, "    fx_value %s = fx_value_of_node(scope, fx_graph_get_attr(graph, ", fx__csource_variable(c, node));
    fx__csource_string(c, node->target);
    put(c, "));\n");
    return true;
}

static void put_plain(fx_csource *c, const fx_node *node)
{
    const char *candidate = fx__names_candidate(c->arena, node->opcode, node->target);
    const char *name = candidate ? fx__names_peek(c->names, candidate) : NULL;
    bool keep_name = !name || strcmp(name, node->name) != 0, used = is_used_later(node);
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

static void put_statement(fx_csource *c, const fx_node *node)
{
    if (is_by_function(c, node))
        put_function(c, node);
    else
        put_plain(c, node);
    put_facts(c, node);
}

/* ---- Bodies of calls --------------------------------------------------------------------------------------------------- */

static bool put_body(const fx_csource *file, const fx_graph *body, const char *name)
{
    fx_csource c = {.graph = body, .arena = file->arena, .text = file->text, .plain = true, .bodies = file->bodies};
    if (!begin(&c) || !fx__names_create(c.words, name, true)) return false;
    fx__text_append(c.text,
                    "static fx_graph *%s(fx_context *context)\n{\n    fx_graph *graph = fx_graph_new(context);\n"
                    "    if (!graph) return NULL;\n",
                    name);
    put_symbols(&c);
    FX_EACH_NODE(node, body) put_statement(&c, node);
    put(&c, "    return graph;\n}\n\n");
    return true;
}

/* Those inside come before those that hold them. */
static bool put_bodies(const fx_csource *file, const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        if (!node->body) continue;
        if (!put_bodies(file, node->body)) return false;
        const char *name = fx__arena_format(file->arena, "body_%d", (int)file->bodies->count);
        if (!name || !put_body(file, node->body, name) || !fx__map_put(file->bodies, node, (void *)(uintptr_t)name)) return false;
    }
    return true;
}

/* ---- The function ------------------------------------------------------------------------------------------------------ */

/* What cannot end the comment that it stands in. */
static void put_remark(fx_csource *c, const char *text)
{
    for (; *text; text++) fx__text_put(c->text, *text == '*' ? "_" : text, 1);
}

static void put_heading(fx_csource *c)
{
    const fx_module *module = c->graph->module;
    put(c, "/* Traces ");
    put_remark(c, module ? module->name : "a graph");
    put(c, " again. Written by fxjit.");
    for (int32_t i = 0; module && i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        fx_type type = fx__type_of_tensor(&entry->tensor);
        fx__text_append(c->text, "\n *   tensors[%d]  ", (int)i);
        fx__type_print(c->text, c->graph->dims, &type);
        put(c, "  ");
        put_remark(c, entry->path);
    }
    put(c, " */\n#include <fxjit/fxjit.h>\n#include <math.h>\n\n");
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
    if (!module || module->n_tensors == 0) put(c, "    (void)tensors;\n");
}

static bool is_no_graph(void *user, const fx_attr *value)
{
    (void)user;
    return value->kind != FX_ATTR_GRAPH;
}

static fx_status check_values(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        if (!fx_attr_each(&node->args, is_no_graph, NULL) || !fx_attr_each(&node->kwargs, is_no_graph, NULL))
            return fx__diag_node(node, FX_E_UNSUPPORTED, "a region of control flow has no form in C source");
        if (node->body) FX_TRY(check_values(node->body));
    }
    return FX_OK;
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

static void put_specs(fx_csource *c)
{
    const char *const specs[] = {c->graph->in_spec, c->graph->out_spec};
    if (!specs[0] && !specs[1]) return;
    put(c, "    fx_graph_set_specs(graph");
    for (int i = 0; i < 2; i++) {
        put(c, specs[i] ? ", " : ", NULL");
        if (specs[i]) fx__csource_string(c, specs[i]);
    }
    put(c, ");\n");
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
        put_statement(c, node);
    }
    if (!output) put(c, "    fx_graph_output(graph, fx_none());\n");
    put(c, "    return fx_trace_finish(scope, NULL, 0, out);\n}\n");
}

static bool put_function_of(fx_csource *c, const char *name)
{
    if (!begin(c) || !fx__names_create(c->words, name, true)) return false;
    put_heading(c);
    if (!put_bodies(c, c->graph)) return false;
    put_signature(c, name);
    put_tensors(c);
    put_symbols(c);
    put_specs(c);
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
    if (check_values(graph) != FX_OK) return NULL;
    fx_text text;
    fx__text_init(&text, graph->context);
    fx_map bodies;
    fx_csource c = {.graph = graph, .arena = fx__arena_new(graph->context), .text = &text, .bodies = &bodies};
    fx__map_init(&bodies, c.arena);
    bool good = c.arena && put_function_of(&c, name);
    fx__arena_free(c.arena);
    char *whole = fx__text_finish(&text);
    if (good) return whole;
    fx_text_free(whole);
    return NULL;
}
