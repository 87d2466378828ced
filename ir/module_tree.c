/* SPDX-License-Identifier: Apache-2.0 */
/* ir/module_tree.c: the tree of modules: submodules by dotted path, adding with what stands between, deleting, also all that the
 * graph does not use, walking, and what is known of a module beside its graph: class, attributes, training. */
#include "ir/graph.h"
#include <string.h>

/* ---- Submodules -------------------------------------------------------------------------------------------------------- */

fx_status fx__module_attach(fx_module *module, const char *path, fx_module *submodule, bool borrowed)
{
    void *submodules = fx__arena_grow(module->arena, module->submodules, &module->cap_submodules, module->n_submodules,
                                      sizeof module->submodules[0]);
    const char *kept = fx__intern(module->context, path);
    if (!submodules || !kept) return FX_E_OOM;
    module->submodules = submodules;
    module->submodules[module->n_submodules++] = (struct fx_submodule){kept, submodule, borrowed};
    module->edits++;
    return FX_OK;
}

static fx_module *own_submodule(const fx_module *module, const char *path, size_t bytes)
{
    for (int32_t i = 0; i < module->n_submodules; i++)
        if (strncmp(module->submodules[i].path, path, bytes) == 0 && !module->submodules[i].path[bytes])
            return module->submodules[i].module;
    return NULL;
}

fx_module *fx_module_submodule(const fx_module *module, const char *path)
{
    if (!path) return NULL;
    fx_module *own = own_submodule(module, path, strlen(path));
    if (own) return own;
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = fx__module_split_path(module, path, at, &at, &rest)) != NULL; at++) {
        fx_module *found = fx_module_submodule(inner, rest);
        if (found) return found;
    }
    return NULL;
}

static fx_status blocked(const fx_module *module, const char *path, const char *word, size_t bytes)
{
    return fx__diag(module->context, FX_E_ARG, NULL, "module %s: submodule %s is blocked by the tensor %.*s", module->name, path,
                    (int)bytes, word);
}

/* Nothing in the way: no empty word, no tensor of that name, no submodule there already. */
static fx_status check_path(const fx_module *module, const char *path)
{
    fx_context *context = module->context;
    if (!path || !*path) return fx__diag(context, FX_E_ARG, NULL, "module %s: a submodule has no path", module->name);
    if (fx_module_submodule(module, path))
        return fx__diag(context, FX_E_ARG, NULL, "module %s has a submodule %s already", module->name, path);
    const fx_module *at = module;
    for (const char *word = path;; word += strcspn(word, ".") + 1) {
        size_t bytes = strcspn(word, ".");
        if (!bytes) return fx__diag(context, FX_E_ARG, NULL, "module %s: path %s has an empty word", module->name, path);
        const char *name = fx__intern_n(context, word, bytes);
        if (!name) return FX_E_OOM;
        if (at && fx__map_get(&at->tensor_index, name)) return blocked(module, path, word, bytes);
        if (!word[bytes]) return FX_OK;
        at = at ? own_submodule(at, word, bytes) : NULL;
    }
}

/* The module for the last word of the path; what is missing on the way is made. */
static fx_module *make_way(fx_module *module, const char **path)
{
    for (size_t bytes; (*path)[bytes = strcspn(*path, ".")]; *path += bytes + 1) {
        fx_module *next = own_submodule(module, *path, bytes);
        const char *word = next ? NULL : fx__intern_n(module->context, *path, bytes);
        if (word) {
            next = fx_module_new(module->context, word);
            if (next && fx__module_attach(module, word, next, false) != FX_OK) {
                fx_module_free(next);
                next = NULL;
            }
        }
        if (!next) return NULL;
        module = next;
    }
    return module;
}

fx_status fx_module_add_submodule(fx_module *module, const char *path, fx_module *submodule)
{
    fx_status status =
        submodule ? check_path(module, path) : fx__diag(module->context, FX_E_ARG, NULL, "submodule %s is NULL", path);
    fx_module *owner = status == FX_OK ? make_way(module, &path) : NULL;
    if (status == FX_OK) status = owner ? fx__module_attach(owner, path, submodule, false) : FX_E_OOM;
    if (status != FX_OK) fx_module_free(submodule);
    return status;
}

/* ---- Deleting ---------------------------------------------------------------------------------------------------------- */

static void remove_submodule(fx_module *module, int32_t index)
{
    struct fx_submodule gone = module->submodules[index];
    module->edits += fx_module_edits(gone.module) + 1;
    module->n_submodules--;
    memmove(module->submodules + index, module->submodules + index + 1, (size_t)(module->n_submodules - index) * sizeof gone);
    if (!gone.borrowed) fx_module_free(gone.module);
}

static bool delete_submodule(fx_module *module, const char *path)
{
    for (int32_t i = 0; i < module->n_submodules; i++) {
        if (strcmp(module->submodules[i].path, path) != 0) continue;
        remove_submodule(module, i);
        return true;
    }
    const char *rest;
    int32_t at = 0;
    for (fx_module *inner; (inner = fx__module_split_path(module, path, at, &at, &rest)) != NULL; at++)
        if (delete_submodule(inner, rest)) return true;
    return false;
}

fx_status fx_module_delete_submodule(fx_module *module, const char *path)
{
    if (path && delete_submodule(module, path)) return FX_OK;
    return fx__diag(module->context, FX_E_NOT_FOUND, NULL, "module %s has no submodule %s", module->name, path ? path : "(NULL)");
}

typedef enum use { UNUSED, ON_THE_WAY, CALLED } use;

/* How the targets of a graph, and of the graphs inside it, use the module of this path. */
static use use_of(const fx_graph *graph, const char *path)
{
    use most = UNUSED;
    size_t bytes = strlen(path);
    FX_EACH_NODE(node, graph)
    {
        use here = node->body ? use_of(node->body, path) : UNUSED;
        bool names_path = node->opcode == FX_GET_ATTR || node->opcode == FX_CALL_MODULE;
        if (names_path && strncmp(node->target, path, bytes) == 0) {
            if (node->target[bytes] == '.') here = here > ON_THE_WAY ? here : ON_THE_WAY;
            if (!node->target[bytes]) here = node->opcode == FX_CALL_MODULE ? CALLED : ON_THE_WAY;
        }
        if (here > most) most = here;
    }
    for (const fx_graph *region = graph->regions; region; region = region->next_region) {
        use here = use_of(region, path);
        if (here > most) most = here;
    }
    return most;
}

static int32_t count_modules(const fx_module *module)
{
    int32_t n = 1;
    for (int32_t i = 0; i < module->n_submodules; i++) n += count_modules(module->submodules[i].module);
    return n;
}

static int32_t delete_unused(const fx_graph *graph, fx_module *module, const char *prefix)
{
    int32_t deleted = 0;
    for (int32_t i = module->n_submodules - 1; i >= 0; i--) {
        fx_module *inner = module->submodules[i].module;
        const char *path = fx__arena_format(module->arena, "%s%s", prefix, module->submodules[i].path);
        const char *inside = path ? fx__arena_format(module->arena, "%s.", path) : NULL;
        if (!inside) return deleted;
        use how = use_of(graph, path);
        if (how == ON_THE_WAY) deleted += delete_unused(graph, inner, inside);
        if (how != UNUSED) continue;
        deleted += count_modules(inner);
        remove_submodule(module, i);
    }
    return deleted;
}

int32_t fx_module_delete_unused(fx_module *module)
{
    return delete_unused(module->graph, module, "");
}

/* ---- Walking ----------------------------------------------------------------------------------------------------------- */

int32_t fx_module_submodule_count(const fx_module *module)
{
    return module->n_submodules;
}

const char *fx_module_submodule_path(const fx_module *module, int32_t index)
{
    return index >= 0 && index < module->n_submodules ? module->submodules[index].path : NULL;
}

uint64_t fx_module_edits(const fx_module *module)
{
    uint64_t edits = module->edits + module->graph->edits;
    for (int32_t i = 0; i < module->n_submodules; i++) edits += fx_module_edits(module->submodules[i].module);
    return edits;
}

/* A path as long as it gets, in memory of the walk. */
typedef struct walk {
    fx_arena *arena;
    fx_module_visit visit_module;
    fx_tensor_visit visit_tensor;
    void *user;
} walk;

static fx_status walk_tensors(const walk *w, const fx_module *module, const char *dotted)
{
    for (int32_t i = 0; i < module->n_tensors; i++) {
        const fx_module_tensor_entry *entry = &module->tensors[i];
        const char *path = fx__arena_format(w->arena, "%s%s", dotted, entry->path);
        if (!path) return FX_E_OOM;
        w->visit_tensor(w->user, path, &entry->tensor, entry->is_buffer);
    }
    return FX_OK;
}

static fx_status walk_module(const walk *w, fx_module *module, const char *path)
{
    const char *dotted = *path ? fx__arena_format(w->arena, "%s.", path) : path;
    if (!dotted) return FX_E_OOM;
    if (w->visit_module) w->visit_module(w->user, path, module);
    if (w->visit_tensor) FX_TRY(walk_tensors(w, module, dotted));
    for (int32_t i = 0; i < module->n_submodules; i++) {
        const char *inner = fx__arena_format(w->arena, "%s%s", dotted, module->submodules[i].path);
        FX_TRY(inner ? walk_module(w, module->submodules[i].module, inner) : FX_E_OOM);
    }
    return FX_OK;
}

static fx_status walk_all(fx_module *module, walk w)
{
    w.arena = fx__arena_new(module->context);
    fx_status status = w.arena ? walk_module(&w, module, "") : FX_E_OOM;
    fx__arena_free(w.arena);
    return status;
}

fx_status fx_module_each(fx_module *module, fx_module_visit visit, void *user)
{
    return walk_all(module, (walk){.visit_module = visit, .user = user});
}

fx_status fx_module_each_tensor(fx_module *module, fx_tensor_visit visit, void *user)
{
    return walk_all(module, (walk){.visit_tensor = visit, .user = user});
}

/* ---- What is known of a module ------------------------------------------------------------------------------------------ */

const char *fx__module_short_name(const char *class_name)
{
    const char *dot = class_name ? strrchr(class_name, '.') : NULL;
    return dot ? dot + 1 : class_name;
}

const char *fx_module_class(const fx_module *module)
{
    return module->class_name;
}

fx_status fx_module_set_class(fx_module *module, const char *class_name)
{
    module->class_name = class_name ? fx__intern(module->context, class_name) : NULL;
    return module->class_name || !class_name ? FX_OK : FX_E_OOM;
}

bool fx_module_training(const fx_module *module)
{
    return module->training;
}

void fx_module_set_training(fx_module *module, bool training)
{
    module->training = training;
    for (int32_t i = 0; i < module->n_submodules; i++) fx_module_set_training(module->submodules[i].module, training);
}

static int32_t attribute_index(const fx_module *module, const char *name)
{
    for (int32_t i = 0; name && i < module->attributes.n; i++)
        if (strcmp(module->attributes.keys[i], name) == 0) return i;
    return -1;
}

const fx_attr *fx_module_attribute(const fx_module *module, const char *name)
{
    int32_t i = attribute_index(module, name);
    return i < 0 ? NULL : &module->attributes.u.items[i];
}

fx_attr fx_module_attributes(const fx_module *module)
{
    return module->attributes;
}

/* Nodes, sizes and graphs mean something in their graph only. */
static bool is_constant(const fx_attr *value)
{
    if (value->kind == FX_ATTR_NODE || value->kind == FX_ATTR_SYMINT || value->kind == FX_ATTR_GRAPH) return false;
    for (int32_t i = 0; fx__attr_has_items(value->kind) && i < value->n; i++)
        if (!is_constant(&value->u.items[i])) return false;
    return true;
}

fx_status fx_module_set_attribute(fx_module *module, const char *name, fx_attr value)
{
    if (!name || !*name) return fx__diag(module->context, FX_E_ARG, NULL, "module %s: an attribute has no name", module->name);
    FX_TRY(fx__attr_check(module->graph, &value, 0, NULL));
    if (!is_constant(&value))
        return fx__diag(module->context, FX_E_ARG, NULL, "module %s: attribute %s is no constant", module->name, name);
    int32_t at = attribute_index(module, name), n = module->attributes.n + (at < 0);
    const char **keys = FX_NEW_ARRAY(module->arena, const char *, n);
    fx_attr *items = FX_NEW_ARRAY(module->arena, fx_attr, n);
    if (!keys || !items) return FX_E_OOM;
    for (int32_t i = 0; i < module->attributes.n; i++) {
        keys[i] = module->attributes.keys[i];
        items[i] = module->attributes.u.items[i];
    }
    if (at < 0) at = n - 1;
    keys[at] = fx__intern(module->context, name);
    items[at] = fx__attr_copy(module->graph, &value, NULL, NULL);
    if (!keys[at] || (items[at].kind == FX_ATTR_NONE && value.kind != FX_ATTR_NONE)) return FX_E_OOM;
    module->attributes = (fx_attr){.kind = FX_ATTR_DICT, .n = n, .keys = keys, .u.items = items};
    return FX_OK;
}
