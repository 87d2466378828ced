/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python_module.c: modules as Python: a file of nn.Module classes that stands alone, and the listing of print_readable. */
#include "ir/python.h"
#include <string.h>

static void put(fx_text *text, const char *bytes)
{
    fx__text_put(text, bytes, strlen(bytes));
}

/* Every line of `block` begins with so many spaces, also the empty ones, as torch's _addindent leaves them. */
static void put_indented(fx_text *text, const char *block, int spaces)
{
    for (bool more = true; more; more = *block != 0, block += more) {
        size_t bytes = strcspn(block, "\n");
        fx__text_append(text, "%*s%.*s", spaces, "", (int)bytes, block);
        block += bytes;
        if (*block) put(text, "\n");
    }
}

/* "ResNet" of torchvision.models.resnet.ResNet, or the module's name. */
static const char *plain_name(const fx_module *module)
{
    const char *last = module->class_name ? strrchr(module->class_name, '.') : NULL;
    return last ? last + 1 : module->class_name ? module->class_name : module->name;
}

static const char *class_name(fx_python_file *file, const fx_module *module)
{
    const char *name = plain_name(module);
    return fx__names_create(file->names, *name ? name : "Module", false);
}

/* ---- The constructor --------------------------------------------------------------------------------------------------- */

typedef struct class_text {
    fx_python_file *file;
    fx_text text;
    fx_map containers; /* interned path -> itself: has a statement of its own */
} class_text;

static void put_shape(fx_text *text, const fx_tensor *tensor)
{
    put(text, "torch.empty([");
    for (int32_t d = 0; d < tensor->rank; d++) fx__text_append(text, d ? ", %lld" : "%lld", (long long)tensor->dim[d]);
    fx__text_append(text, "], dtype=%s)", fx_dtype_torch_name(tensor->dtype));
}

/* The module that holds the last atom of a path: "self.layer1" of "layer1.weight". */
static bool put_owner(class_text *c, const char *path)
{
    const char *last = strrchr(path, '.');
    const char *owner = last ? fx__arena_copy(c->file->arena, path, (size_t)(last - path)) : NULL;
    if (last && !owner) return false;
    if (owner)
        fx__python_path(&c->text, "self", owner);
    else
        put(&c->text, "self");
    return true;
}

/* Modules that a path goes through and that are none of ours are empty ones. */
static bool put_containers(class_text *c, const char *path)
{
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *owner = fx__intern_n(c->file->context, path, (size_t)(dot - path));
        if (!owner) return false;
        if (fx__map_get(&c->containers, owner)) continue;
        put(&c->text, "        ");
        const char *last = strrchr(owner, '.');
        if (!put_owner(c, owner) || !fx__map_put(&c->containers, owner, (void *)(uintptr_t)owner)) return false;
        fx__text_append(&c->text, ".add_module('%s', torch.nn.Module())\n", last ? last + 1 : owner);
    }
    return true;
}

static bool put_child(class_text *c, const char *path, const char *class)
{
    const char *last = strrchr(path, '.'), *kept = fx__intern(c->file->context, path);
    if (!kept || !put_containers(c, path) || !fx__map_put(&c->containers, kept, (void *)(uintptr_t)kept)) return false;
    put(&c->text, "        ");
    if (!put_owner(c, path)) return false;
    fx__text_append(&c->text, ".add_module('%s', %s())\n", last ? last + 1 : path, class);
    return true;
}

static bool put_tensor(class_text *c, const fx_module_tensor_entry *entry)
{
    const char *last = strrchr(entry->path, '.'), *name = last ? last + 1 : entry->path;
    if (!put_containers(c, entry->path)) return false;
    put(&c->text, "        ");
    if (!put_owner(c, entry->path)) return false;
    fx__text_append(&c->text, entry->is_buffer ? ".register_buffer('%s', " : ".register_parameter('%s', torch.nn.Parameter(", name);
    put_shape(&c->text, &entry->tensor);
    if (!entry->is_buffer) put(&c->text, fx_dtype_is_float(entry->tensor.dtype) ? ")" : ", requires_grad=False)");
    put(&c->text, ")\n");
    return true;
}

/* ---- Classes ----------------------------------------------------------------------------------------------------------- */

/* Classes of children come before those that use them; *out_class is the class's name. */
static bool put_classes(fx_python_file *file, fx_text *text, const fx_module *module, const char **out_class);

static bool put_children(fx_python_file *file, fx_text *text, const fx_module *module, const char **classes)
{
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (!put_classes(file, text, module->submodules[i].module, &classes[i])) return false;
    return true;
}

static bool put_constructor(class_text *c, const fx_module *module, const char *const *classes)
{
    put(&c->text, "    def __init__(self):\n        super().__init__()\n");
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (!put_child(c, module->submodules[i].path, classes[i])) return false;
    for (int32_t i = 0; i < module->n_tensors; i++)
        if (!put_tensor(c, &module->tensors[i])) return false;
    return true;
}

static bool put_class(class_text *c, const fx_module *module, const char *class, const char *const *classes)
{
    fx__text_append(&c->text, "class %s(torch.nn.Module):\n", class);
    if (!put_constructor(c, module, classes)) return false;
    char *function = module->graph->n_nodes ? fx__python_function(c->file, module->graph, "self") : NULL;
    if (module->graph->n_nodes && !function) return false;
    if (function) put_indented(&c->text, function, 4);
    put(&c->text, "\n\n");
    fx_text_free(function);
    return true;
}

static bool put_classes(fx_python_file *file, fx_text *text, const fx_module *module, const char **out_class)
{
    const char **classes = FX_NEW_ARRAY(file->arena, const char *, module->n_submodules);
    class_text c = {.file = file};
    if (!classes || !put_children(file, text, module, classes) || !(*out_class = class_name(file, module))) return false;
    fx__text_init(&c.text, file->context);
    fx__map_init(&c.containers, file->arena);
    bool good = put_class(&c, module, *out_class, classes);
    char *whole = fx__text_finish(&c.text);
    if (good && whole) put(text, whole);
    good = good && whole;
    fx_text_free(whole);
    return good;
}

static char *join(const fx_python_file *file, char *classes)
{
    fx_text text;
    fx__text_init(&text, file->context);
    if (classes) {
        fx__python_put_imports(&text, file);
        for (int32_t i = 0; i < file->wraps->n; i++) fx__text_append(&text, "%s\n", file->wraps->line[i]);
        put(&text, "\n\n");
        put(&text, classes);
    } else {
        text.failed = true;
    }
    fx_text_free(classes);
    return fx__text_finish(&text);
}

char *fx_module_to_python(const fx_module *module, const fx_python_options *options)
{
    fx_python_file file;
    fx_text text;
    const char *class;
    char *whole = NULL;
    fx__text_init(&text, module->context);
    if (fx__python_begin(&file, module->context, options) == FX_OK) {
        file.wraps = fx__lines_new(file.arena);
        bool good = file.wraps && put_classes(&file, &text, module, &class);
        char *classes = fx__text_finish(&text);
        if (good)
            whole = join(&file, classes);
        else
            fx_text_free(classes);
    }
    fx__arena_free(file.arena);
    return whole;
}

/* ---- print_readable ---------------------------------------------------------------------------------------------------- */

/* Children bear the names of their attributes, as in torch 2. */
static bool put_readable(fx_python_file *file, fx_text *text, const fx_module *module, const char *name, int indent)
{
    char *function = fx__python_function(file, module->graph, "self");
    if (!function) return false;
    fx__text_append(text, "%*sclass %s(torch.nn.Module):\n", indent, "", name);
    put_indented(text, function + strspn(function, "\n"), indent + 4);
    fx_text_free(function);
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const fx_module *child = module->submodules[i].module;
        if (child->graph->n_nodes == 0) continue;
        put(text, "\n");
        if (!put_readable(file, text, child, module->submodules[i].path, indent + 4)) return false;
    }
    return true;
}

char *fx_module_to_readable(const fx_module *module)
{
    fx_python_file file;
    fx_text text;
    fx__text_init(&text, module->context);
    bool good = fx__python_begin(&file, module->context, &(fx_python_options){.verbose = true}) == FX_OK &&
                put_readable(&file, &text, module, plain_name(module), 0);
    fx__arena_free(file.arena);
    char *whole = fx__text_finish(&text);
    if (good) return whole;
    fx_text_free(whole);
    return NULL;
}
