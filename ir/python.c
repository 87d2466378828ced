/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python.c: a graph as the Python function that torch.fx generates: one statement per node, values freed after their last use,
 * parameters from the placeholders. */
#include "ir/python.h"
#include <string.h>

static void put(fx_text *text, const char *bytes)
{
    fx__text_put(text, bytes, strlen(bytes));
}

/* ---- Statements -------------------------------------------------------------------------------------------------------- */

static void find_last_users(fx_python *p)
{
    FX_EACH_NODE(node, p->graph)
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i]->graph == p->graph) p->last_user[node->inputs[i]->id] = node;
}

/* ";  x = y = None" */
static void put_freed(fx_text *text, fx_python *p, const fx_node *node)
{
    const char *before = ";  ";
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_node *input = node->inputs[i];
        if (input->graph != p->graph || p->last_user[input->id] != node) continue;
        fx__text_append(text, "%s%s", before, fx__python_name(p, input));
        before = " = ";
    }
    if (before[0] == ' ') put(text, " = None");
}

/* " : torch.Tensor", or the shape in quotes, or "". */
static const char *annotation_of(fx_python *p, const fx_node *node)
{
    const char *shape = p->file->options.verbose ? fx__python_shape(p, node) : NULL;
    if (shape || !node->annotation) return shape ? shape : "";
    const char *text = fx__arena_format(p->file->arena, " : %s", fx__python_annotation(p, node->annotation));
    if (!text) p->status = FX_E_OOM;
    return text ? text : "";
}

static fx_status add_line(fx_python *p, fx_text *line)
{
    return fx__lines_add(p->body, line);
}

/* ONNX files have names that no parameter can bear. */
static const char *parameter_name(fx_python *p, const fx_node *node)
{
    const char *word = node->target + strspn(node->target, "*");
    return fx__text_is_identifier(word) ? node->target : fx__python_name(p, node);
}

static fx_status emit_placeholder(fx_python *p, const fx_node *node)
{
    const char *name = parameter_name(p, node), *word = name + strspn(name, "*");
    fx__text_append(&p->parameters, ", %s%s", name, annotation_of(p, node));
    if (node->args.n) {
        put(&p->parameters, " = ");
        fx__python_value(&p->parameters, p, fx__arg(node, 0));
    }
    if (strcmp(word, fx__python_name(p, node)) == 0) return FX_OK;
    fx_text line;
    fx__text_init(&line, p->file->context);
    fx__text_append(&line, "%s = %s", fx__python_name(p, node), word);
    return add_line(p, &line);
}

static fx_status emit_output(fx_python *p, const fx_node *node)
{
    fx_text line;
    fx__text_init(&line, p->file->context);
    if (node->annotation) p->returns = fx__python_annotation(p, node->annotation);
    put(&line, p->graph->in_spec ? "return pytree.tree_unflatten(" : "return ");
    fx__python_value(&line, p, fx__arg(node, 0));
    if (p->graph->in_spec) put(&line, ", self._out_spec)");
    return add_line(p, &line);
}

static fx_status emit_call(fx_python *p, const fx_node *node)
{
    const char *annotation = annotation_of(p, node);
    fx_text line;
    fx__text_init(&line, p->file->context);
    fx__python_call(&line, p, node, annotation);
    put_freed(&line, p, node);
    return add_line(p, &line);
}

static bool is_no_graph(void *user, const fx_attr *value)
{
    (void)user;
    return value->kind != FX_ATTR_GRAPH;
}

static fx_status emit_node(fx_python *p, const fx_node *node)
{
    if (!fx_attr_each(&node->args, is_no_graph, NULL) || !fx_attr_each(&node->kwargs, is_no_graph, NULL))
        return fx__diag_node(node, FX_E_UNSUPPORTED, "a region of control flow has no form in Python");
    if (p->file->options.verbose) FX_TRY(fx__python_place(p, node));
    if (node->opcode == FX_PLACEHOLDER) return emit_placeholder(p, node);
    return node->opcode == FX_OUTPUT ? emit_output(p, node) : emit_call(p, node);
}

/* ---- The function ------------------------------------------------------------------------------------------------------ */

static fx_status emit_body(fx_python *p)
{
    find_last_users(p);
    FX_EACH_NODE(node, p->graph)
    {
        FX_TRY(emit_node(p, node));
        FX_TRY(p->status);
    }
    if (p->body->n == 0) FX_TRY(fx_lines_insert(p->body, 0, "pass"));
    return fx__lines_hooks(p->graph, p->body);
}

static bool starts_with_self(const char *parameters)
{
    return parameters && strncmp(parameters, ", self", 6) == 0 && (parameters[6] == 0 || parameters[6] == ',');
}

/* The nested arguments are taken apart in the first line of the body. */
static void put_nested(fx_text *text, const fx_python *p)
{
    fx_text arguments;
    fx__text_init(&arguments, p->file->context);
    fx__python_arguments(&arguments, p->graph);
    char *names = fx__text_finish(&arguments);
    bool has_self = names && strncmp(names, "self", 4) == 0 && (names[4] == 0 || names[4] == ',');
    const char *flat = p->parameters.data ? p->parameters.data + 2 : NULL;
    if (!names) text->failed = true;
    fx__text_append(text, "\n\ndef forward(%s%s)", has_self ? "" : names && *names ? "self, " : "self", names ? names : "");
    if (p->returns) fx__text_append(text, " -> %s", p->returns);
    put(text, ":\n");
    if (flat || has_self)
        fx__text_append(text, "    %s%s%s, = fx_pytree.tree_flatten_spec([%s], self._in_spec)\n", has_self ? "self" : "",
                        has_self && flat ? ", " : "", flat ? flat : "", names ? names : "");
    fx_text_free(names);
}

static void put_plain(fx_text *text, const fx_python *p)
{
    const char *parameters = p->parameters.data;
    fx__text_append(text, "\n\ndef forward(self%s)", !parameters ? "" : starts_with_self(parameters) ? parameters + 6 : parameters);
    if (p->returns) fx__text_append(text, " -> %s", p->returns);
    put(text, ":\n");
}

static char *join(fx_python *p)
{
    fx_text text;
    fx__text_init(&text, p->file->context);
    put(&text, "\n");
    for (int32_t i = 0; i < p->wraps->n && !p->file->wraps; i++) fx__text_append(&text, i ? "\n%s" : "%s", p->wraps->line[i]);
    if (p->graph->in_spec)
        put_nested(&text, p);
    else
        put_plain(&text, p);
    for (int32_t i = 0; i < p->body->n; i++) fx__text_append(&text, "    %s\n", p->body->line[i]);
    put(&text, "    ");
    return fx__text_finish(&text);
}

char *fx__python_function(fx_python_file *file, const fx_graph *graph, const char *root)
{
    fx_python p = {.file = file, .graph = graph, .root = root, .place = NULL};
    fx__text_init(&p.parameters, file->context);
    p.body = fx__lines_new(file->arena);
    p.wraps = file->wraps ? file->wraps : fx__lines_new(file->arena);
    p.last_user = FX_NEW_ARRAY(file->arena, const fx_node *, graph->next_id);
    bool good = p.body && p.wraps && p.last_user && fx__python_names_begin(&p) && emit_body(&p) == FX_OK && !p.parameters.failed;
    char *text = good ? join(&p) : NULL;
    fx_text_free(fx__text_finish(&p.parameters));
    return text;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------- */

fx_status fx__python_begin(fx_python_file *file, fx_context *context, const fx_python_options *options)
{
    *file = (fx_python_file){.context = context, .arena = fx__arena_new(context)};
    if (!file->arena) return FX_E_OOM;
    if (options) file->options = *options;
    if (!file->options.root) file->options.root = "self";
    fx__map_init(&file->globals, file->arena);
    file->imports = fx__lines_new(file->arena);
    file->names = fx__names_new(file->arena);
    return file->imports && file->names ? FX_OK : FX_E_OOM;
}

/* What every graph's code may use. */
void fx__python_put_imports(fx_text *text, const fx_python_file *file)
{
    put(text, "import torch\nfrom math import inf\nfrom math import nan\nNoneType = type(None)\nfrom torch import device\n"
              "import torch.fx._pytree as fx_pytree\nimport torch.utils._pytree as pytree\n");
    for (int32_t i = 0; i < file->imports->n; i++) fx__text_append(text, "%s\n", file->imports->line[i]);
}

static char *with_imports(const fx_python_file *file, char *function)
{
    fx_text text;
    fx__text_init(&text, file->context);
    fx__python_put_imports(&text, file);
    put(&text, function);
    put(&text, "\n");
    fx_text_free(function);
    return fx__text_finish(&text);
}

char *fx_graph_to_python(const fx_graph *graph, const fx_python_options *options)
{
    fx_python_file file;
    char *text = NULL;
    if (fx__python_begin(&file, graph->context, options) == FX_OK) text = fx__python_function(&file, graph, file.options.root);
    if (text && file.options.imports) text = with_imports(&file, text);
    fx__arena_free(file.arena);
    return text;
}
