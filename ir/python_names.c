/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python_names.c: names in generated Python: variables of nodes, globals that stand for functions and types of other modules
 * (math.sqrt is math_sqrt), and type annotations made of these. */
#include "ir/python.h"
#include <string.h>

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

bool fx__python_names_begin(fx_python *p)
{
    p->names = fx__names_clone(p->file->arena, p->file->names);
    p->name_of = FX_NEW_ARRAY(p->file->arena, const char *, p->graph->next_id);
    return p->names && p->name_of;
}

static const char *failed(fx_python *p)
{
    p->status = FX_E_OOM;
    return "?";
}

const char *fx__python_name(fx_python *p, const fx_node *node)
{
    if (node->graph != p->graph) return node->name; /* a broken graph: lint says so */
    const char **name = &p->name_of[node->id];
    if (!*name) *name = fx__names_create(p->names, node->name, false);
    return *name ? *name : failed(p);
}

static const char *name_of(void *user, const fx_node *node)
{
    return fx__python_name(user, node);
}

void fx__python_value(fx_text *text, fx_python *p, const fx_attr *value)
{
    fx__attr_repr_named(text, p->graph, value, name_of, p);
}

/* Every getattr stands around all that comes before its atom, so all of them begin the text. */
void fx__python_path(fx_text *text, const char *base, const char *path)
{
    for (const char *at = path;; at++) {
        size_t bytes = strcspn(at, ".");
        if (!fx__text_is_word(at, bytes)) fx__text_append(text, "getattr(");
        at += bytes;
        if (!*at) break;
    }
    fx__text_append(text, "%s", base);
    for (const char *at = path;; at++) {
        size_t bytes = strcspn(at, ".");
        fx__text_append(text, fx__text_is_word(at, bytes) ? ".%.*s" : ", \"%.*s\")", (int)bytes, at);
        at += bytes;
        if (!*at) break;
    }
}

/* ---- Globals ----------------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* "from math import sqrt as math_sqrt" */
static bool add_import(fx_python *p, const char *qualified, const char *name)
{
    const char *last = strrchr(qualified, '.');
    fx_text line;
    fx__text_init(&line, p->file->context);
    if (last)
        fx__text_append(&line, "from %.*s import %s as %s", (int)(last - qualified), qualified, last + 1, name);
    else
        fx__text_append(&line, "from __main__ import %s as %s", qualified, name);
    return fx__lines_add(p->file->imports, &line) == FX_OK;
}

static const char *known_global(fx_python *p, const char *qualified)
{
    return fx__map_get(&p->file->globals, fx__intern(p->file->context, qualified));
}

static const char *make_global(fx_python *p, const char *qualified, const char *importable)
{
    const char *key = fx__intern(p->file->context, qualified);
    const char *name = key ? fx__names_create(p->names, key, false) : NULL;
    if (!name || !fx__map_put(&p->file->globals, key, (void *)(uintptr_t)name)) return failed(p);
    if (!fx__names_is_used(p->file->names, name)) fx__names_create(p->file->names, name, true);
    return add_import(p, importable, name) ? name : failed(p);
}

/* Python's own are there without import. */
const char *fx__python_global(fx_python *p, const char *qualified)
{
    if (starts_with(qualified, "torch.") && strcmp(qualified, "torch.device") != 0) return qualified;
    if (strcmp(qualified, "torch.device") == 0) return "device";
    if (starts_with(qualified, "builtins.")) return qualified + 9;
    const char *known = known_global(p, qualified);
    if (known) return known;
    const char *full = starts_with(qualified, "operator.") ? fx__arena_format(p->file->arena, "_%s", qualified) : qualified;
    return full ? make_global(p, full, full) : failed(p);
}

/* ---- Annotations ------------------------------------------------------------------------------------------------------- */

typedef struct reader {
    fx_python *p;
    const char *at;
    fx_text text;
    int depth;
} reader;

static bool accept(reader *r, const char *word)
{
    while (*r->at == ' ') r->at++;
    if (!starts_with(r->at, word)) return false;
    r->at += strlen(word);
    return true;
}

static void put(reader *r, const char *text)
{
    fx__text_put(&r->text, text, strlen(text));
}

static bool read_type(reader *r);

static bool read_types(reader *r)
{
    for (bool first = true; !accept(r, "]"); first = false) {
        if (!first && !accept(r, ",")) return false;
        if (!first) put(r, ",");
        if (!read_type(r)) return false;
    }
    return true;
}

/* Generic types of the language are typing's in code: list[int] becomes typing_List[int]. */
static const char *generic(const char *name)
{
    static const char *const same[][2] = {{"list", "typing.List"},
                                          {"dict", "typing.Dict"},
                                          {"set", "typing.Set"},
                                          {"frozenset", "typing.FrozenSet"},
                                          {"tuple", "typing.Tuple"},
                                          {"typing.Optional", "typing.Union"},
                                          {"typing.Callable", "collections.abc.Callable"}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (strcmp(name, same[i][0]) == 0) return same[i][1];
    return name;
}

static const char *type_name(fx_python *p, const char *name, bool is_generic)
{
    if (is_generic || strcmp(name, "typing.Callable") == 0) name = generic(name);
    return strchr(name, '.') ? fx__python_global(p, name) : name;
}

static const char *ellipsis(fx_python *p)
{
    const char *known = known_global(p, "...");
    return known ? known : make_global(p, "...", "builtins.Ellipsis");
}

static bool read_type(reader *r)
{
    if (accept(r, "...")) return put(r, ellipsis(r->p)), true;
    if (accept(r, "()")) return put(r, "()"), true;
    if (r->depth > FX_ATTR_DEPTH) return false;
    if (accept(r, "[")) return read_types(r); /* a Callable's parameters */
    while (*r->at == ' ') r->at++;
    size_t bytes = strcspn(r->at, "[], ()");
    const char *name = bytes ? fx__arena_copy(r->p->file->arena, r->at, bytes) : NULL;
    if (!name) return false;
    r->at += bytes;
    bool is_generic = accept(r, "[");
    put(r, type_name(r->p, name, is_generic));
    if (!is_generic) return true;
    put(r, "[");
    r->depth++;
    if (!read_types(r)) return false;
    r->depth--;
    put(r, strcmp(name, "typing.Optional") == 0 ? ",NoneType]" : "]");
    return true;
}

/* What is no type in Python's notation is written as it is. */
const char *fx__python_annotation(fx_python *p, const char *annotation)
{
    reader r = {.p = p, .at = annotation};
    fx__text_init(&r.text, p->file->context);
    bool good = read_type(&r) && !*r.at;
    char *whole = fx__text_finish(&r.text);
    const char *kept = whole && good ? fx__arena_copy(p->file->arena, whole, strlen(whole)) : annotation;
    bool oom = !whole || !kept;
    fx_text_free(whole);
    return oom ? failed(p) : kept;
}
