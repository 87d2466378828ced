/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource_module.c: what stands around the nodes in C source: bodies, regions and submodules, each a function of its own that
 * makes it; the tensors and facts of a module, which come in one row for the whole tree; symbols with what is assumed about them.
 */
#include "ir/csource.h"
#include <inttypes.h>
#include <string.h>

static void put(fx_csource *c, const char *bytes)
{
    fx__text_put(c->text, bytes, strlen(bytes));
}

void fx__csource_remark(fx_csource *c, const char *text)
{
    for (; *text; text++) fx__text_put(c->text, *text == '*' ? "_" : text, 1);
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------------------- */

bool fx__csource_number(fx_csource *c, const fx_module *module, const char *path, int32_t *n)
{
    if (!fx__map_put(c->first, module, (void *)(uintptr_t)(*n + 1))) return false;
    for (int32_t i = 0; i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        fx_type type = fx__type_of_tensor(&entry->tensor);
        fx__text_append(c->text, "\n *   tensors[%d]  ", (int)(*n)++);
        fx__type_print(c->text, c->graph->dims, &type);
        put(c, "  ");
        fx__csource_remark(c, path);
        fx__csource_remark(c, entry->path);
    }
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const char *inner = fx__arena_format(c->arena, "%s%s.", path, module->submodules[i].path);
        if (!inner || !fx__csource_number(c, module->submodules[i].module, inner, n)) return false;
    }
    return true;
}

static void put_tensors(fx_csource *c, const fx_module *module)
{
    int32_t first = (int32_t)(uintptr_t)fx__map_get(c->first, module) - 1;
    for (int32_t i = 0; i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        fx__text_append(c->text, "    fx_module_add_tensor(%s, ", c->module);
        fx__csource_string(c, entry->path);
        fx__text_append(c->text, ", &tensors[%d], %s, NULL, NULL);\n", (int)(first + i), entry->is_buffer ? "true" : "false");
    }
}

/* ---- Facts and submodules --------------------------------------------------------------------------------------------------- */

static void put_facts(fx_csource *c, const fx_module *module)
{
    if (module->class_name) {
        fx__text_append(c->text, "    fx_module_set_class(%s, ", c->module);
        fx__csource_string(c, module->class_name);
        put(c, ");\n");
    }
    for (int32_t i = 0; i < module->attributes.n; i++) {
        fx__text_append(c->text, "    fx_module_set_attribute(%s, ", c->module);
        fx__csource_string(c, module->attributes.keys[i]);
        put(c, ", ");
        fx__csource_value(c, &module->attributes.u.items[i]);
        put(c, ");\n");
    }
    /* false at first; sets all below, which therefore come after it */
    if (module->training) fx__text_append(c->text, "    fx_module_set_training(%s, true);\n", c->module);
}

void fx__csource_contents(fx_csource *c)
{
    const fx_module *module = c->graph->module;
    if (!module) return;
    put_tensors(c, module);
    put_facts(c, module);
    for (int32_t i = 0; i < module->n_submodules; i++) {
        fx__text_append(c->text, "    fx_module_add_submodule(%s, ", c->module);
        fx__csource_string(c, module->submodules[i].path);
        fx__text_append(c->text, ", %s(context, tensors));\n",
                        (const char *)fx__map_get(c->functions, module->submodules[i].module));
    }
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------ */

static void put_dim(fx_csource *c, fx_dim dim)
{
    const char *text = fx_graph_dim_text(c->graph, dim);
    put(c, "fx_graph_parse_dim(graph, ");
    fx__csource_string(c, text ? text : "?");
    put(c, ")");
}

static void put_assumption(fx_csource *c, const fx_guard *guard)
{
    static const char *const words[] = {[FX_GUARD_EQ] = "FX_EQUAL", [FX_GUARD_NE] = "FX_NOT_EQUAL", [FX_GUARD_LE] = "FX_AT_MOST"};
    put(c, "    fx_graph_assume(graph, ");
    put_dim(c, guard->a);
    fx__text_append(c->text, ", %s, ", words[guard->kind]);
    put_dim(c, guard->b);
    put(c, ", ");
    fx__csource_string(c, guard->why ? guard->why : "");
    put(c, ");\n");
}

void fx__csource_symbols(fx_csource *c)
{
    for (int32_t i = 0; i < fx__dims_param_count(c->graph->dims); i++) {
        const fx_sym *sym = fx__dims_sym(c->graph->dims, i);
        put(c, "    fx_graph_symbol(graph, ");
        fx__csource_string(c, sym->name);
        fx__text_append(c->text, ", %" PRId64 ", INT64_C(%" PRId64 "), %" PRId64 ", %" PRId64 ");\n", sym->lo, sym->hi, sym->hint,
                        sym->multiple);
    }
    for (int32_t i = 0; i < fx__dims_guard_count(c->graph->dims); i++) put_assumption(c, fx__dims_guard(c->graph->dims, i));
}

void fx__csource_specs(fx_csource *c)
{
    const char *specs[] = {c->graph->in_spec, c->graph->out_spec};
    if (!specs[0] && !specs[1]) return;
    put(c, "    fx_graph_set_specs(graph");
    for (int i = 0; i < 2; i++) {
        put(c, ", ");
        if (specs[i])
            fx__csource_string(c, specs[i]);
        else
            put(c, "NULL");
    }
    put(c, ");\n");
}

/* ---- Functions -------------------------------------------------------------------------------------------------------------- */

static fx_csource inside(const fx_csource *file, const fx_graph *graph, const char *module)
{
    return (fx_csource){.graph = graph,
                        .arena = file->arena,
                        .text = file->text,
                        .plain = true,
                        .name = file->name,
                        .module = module,
                        .functions = file->functions,
                        .first = file->first};
}

static const char *new_function(const fx_csource *file, const char *word, const void *of)
{
    const char *name = fx__arena_format(file->arena, "%s_%s_%d", file->name, word, (int)file->functions->count);
    return name && fx__map_put(file->functions, of, (void *)(uintptr_t)name) ? name : NULL;
}

static void put_rest(fx_csource *c)
{
    fx__csource_symbols(c);
    fx__csource_specs(c);
    FX_EACH_NODE(node, c->graph) fx__csource_statement(c, node);
}

static bool put_graph(const fx_csource *file, const fx_graph *graph, const char *word)
{
    fx_csource c = inside(file, graph, NULL);
    if (!fx__csource_functions(file, graph)) return false;
    const char *name = new_function(file, word, graph);
    if (!name || !fx__csource_begin(&c) || !fx__names_create(c.words, name, true)) return false;
    fx__text_append(c.text,
                    "static fx_graph *%s(fx_context *context)\n{\n    fx_graph *graph = fx_graph_new(context);\n"
                    "    if (!graph) return NULL;\n",
                    name);
    put_rest(&c);
    put(&c, "    return graph;\n}\n\n");
    return true;
}

typedef struct regions {
    const fx_csource *file;
    bool good;
} regions;

static bool put_region(void *user, const fx_attr *value)
{
    regions *r = user;
    if (value->kind == FX_ATTR_GRAPH) r->good = put_graph(r->file, value->u.graph, "region");
    return r->good;
}

bool fx__csource_functions(const fx_csource *file, const fx_graph *graph)
{
    regions r = {file, true};
    FX_EACH_NODE(node, graph)
    {
        if (node->body && !put_graph(file, node->body, "body")) return false;
        if (!fx_attr_each(&node->args, put_region, &r) || !fx_attr_each(&node->kwargs, put_region, &r)) return false;
    }
    return true;
}

static bool put_module(const fx_csource *file, const fx_module *module)
{
    fx_csource c = inside(file, module->graph, "module");
    if (fx__map_get(file->functions, module)) return true; /* at another path */
    if (!fx__csource_functions(file, module->graph) || !fx__csource_modules(file, module)) return false;
    const char *name = new_function(file, "module", module);
    if (!name || !fx__csource_begin(&c) || !fx__names_create(c.words, name, true)) return false;
    fx__text_append(c.text,
                    "static fx_module *%s(fx_context *context, const fx_tensor *tensors)\n{\n"
                    "    fx_module *module = fx_module_new(context, ",
                    name);
    fx__csource_string(&c, module->name);
    put(&c, ");\n    if (!module) return NULL;\n    fx_graph *graph = fx_module_graph(module);\n    (void)tensors, (void)graph;\n");
    fx__csource_contents(&c);
    put_rest(&c);
    put(&c, "    return module;\n}\n\n");
    return true;
}

bool fx__csource_modules(const fx_csource *file, const fx_module *module)
{
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (!put_module(file, module->submodules[i].module)) return false;
    return true;
}
