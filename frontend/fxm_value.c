/* SPDX-License-Identifier: Apache-2.0 */
/* fxm_value.c: argument values, types and symbols of graph.json. Lists are JSON lists; every other kind that JSON lacks is an
 * object whose one key names the kind. */
#include "frontend/fxm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef bool (*value_reader)(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out);

static bool made(fx_fxm_scope *scope, fx_attr_kind kind, fx_attr *value)
{
    return value->kind == kind || fx__json_oom(&scope->fxm->json);
}

/* ---- Sequences ------------------------------------------------------------------------------------------------------------- */

bool fx__fxm_items(fx_fxm_scope *scope, const fx_json_at *at, const json_t *list, fx_attr_kind kind, fx_attr *out)
{
    size_t n = list ? json_array_size(list) : 0;
    if (list && !json_is_array(list)) return fx__json_error(&scope->fxm->json, at, "expected a list");
    fx_attr *items = n > INT32_MAX / 2 ? NULL : FX_NEW_ARRAY(scope->fxm->json.arena, fx_attr, n);
    if (!items) return fx__json_oom(&scope->fxm->json);
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        fx_json_at place = fx__json_item(at, i);
        good &= fx__fxm_value(scope, &place, json_array_get(list, i), &items[i]);
    }
    if (!good) return false;
    *out = kind == FX_ATTR_LIST ? fx_list(scope->graph, items, (int32_t)n) : fx_tuple(scope->graph, items, (int32_t)n);
    return made(scope, kind == FX_ATTR_LIST ? FX_ATTR_LIST : FX_ATTR_TUPLE, out);
}

static bool read_tuple(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return fx__fxm_items(scope, at, value, FX_ATTR_TUPLE, out);
}

static bool read_triple(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr_kind kind, fx_attr *out)
{
    if (!json_is_array(value) || json_array_size(value) != 3)
        return fx__json_error(&scope->fxm->json, at, "expected a list of start, stop and step");
    if (!fx__fxm_items(scope, at, value, FX_ATTR_TUPLE, out)) return false;
    out->kind = kind;
    return true;
}

static bool read_slice(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return read_triple(scope, at, value, FX_ATTR_SLICE, out);
}

static bool read_range(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return read_triple(scope, at, value, FX_ATTR_RANGE, out);
}

static bool fill_dict(fx_fxm_scope *scope, const fx_json_at *at, const json_t *object, const char **keys, fx_attr *items)
{
    const char *key;
    json_t *value;
    size_t i = 0;
    bool good = true;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        fx_json_at place = fx__json_key(at, key);
        keys[i] = key;
        good &= fx__fxm_value(scope, &place, value, &items[i++]);
    }
    return good;
}

bool fx__fxm_dict(fx_fxm_scope *scope, const fx_json_at *at, const json_t *object, fx_attr *out)
{
    fx_json *json = &scope->fxm->json;
    if (object && !fx__json_is_object(json, at, object)) return false;
    size_t n = object ? json_object_size(object) : 0;
    const char **keys = n > INT32_MAX / 2 ? NULL : FX_NEW_ARRAY(json->arena, const char *, n);
    fx_attr *items = keys ? FX_NEW_ARRAY(json->arena, fx_attr, n) : NULL;
    if (!items) return fx__json_oom(json);
    if (n && !fill_dict(scope, at, object, keys, items)) return false;
    *out = fx_dict(scope->graph, keys, items, (int32_t)n);
    return made(scope, FX_ATTR_DICT, out);
}

/* ---- Numbers and words ------------------------------------------------------------------------------------------------------ */

/* "inf", "-inf", "nan", or the bits of another NaN: "nan(0x7ff8000000000001)". */
static bool read_unreal(fx_json *json, const fx_json_at *at, const json_t *value, double *out)
{
    const char *text = json_string_value(value);
    if (text && strcmp(text, "inf") == 0) return *out = INFINITY, true;
    if (text && strcmp(text, "-inf") == 0) return *out = -INFINITY, true;
    if (text && strcmp(text, "nan") == 0) return *out = (double)NAN, true;
    if (text && strncmp(text, "nan(0x", 6) == 0 && strlen(text) == 23 && strspn(text + 6, "0123456789abcdef") == 16) {
        uint64_t bits = strtoull(text + 4, NULL, 16);
        memcpy(out, &bits, sizeof *out);
        if (isnan(*out)) return true;
    }
    return fx__json_error(json, at, "expected \"inf\", \"-inf\" or \"nan\"");
}

static bool read_float(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    out->kind = FX_ATTR_FLOAT;
    return read_unreal(&scope->fxm->json, at, value, &out->u.f);
}

static bool read_part(fx_json *json, const fx_json_at *at, const json_t *value, double *out)
{
    *out = json_number_value(value);
    return json_is_number(value) || read_unreal(json, at, json_is_object(value) ? json_object_get(value, "float") : value, out);
}

static bool read_complex(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    fx_json *json = &scope->fxm->json;
    if (!json_is_array(value) || json_array_size(value) != 2) return fx__json_error(json, at, "expected two numbers");
    out->kind = FX_ATTR_COMPLEX;
    return read_part(json, at, json_array_get(value, 0), &out->u.c[0]) &&
           read_part(json, at, json_array_get(value, 1), &out->u.c[1]);
}

static bool read_word(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr_kind kind, fx_attr *out)
{
    const char *text = json_string_value(value);
    if (!text) return fx__json_error(&scope->fxm->json, at, "expected a text");
    out->kind = kind;
    out->u.s = fx__intern(scope->fxm->json.context, text);
    return out->u.s || fx__json_oom(&scope->fxm->json);
}

static bool read_text(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return read_word(scope, at, value, FX_ATTR_STR, out);
}

static bool read_device(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return read_word(scope, at, value, FX_ATTR_DEVICE, out);
}

static bool read_name(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    return read_word(scope, at, value, FX_ATTR_NAME, out);
}

/* One of torch's element types that fxjit lacks stays a name: it prints, and whoever computes with it refuses. */
static bool read_dtype(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    fx_dtype dtype;
    if (!read_word(scope, at, value, FX_ATTR_NAME, out)) return false;
    if (!fx_dtype_parse(out->u.s, &dtype)) return true;
    *out = fx_dtype_attr(dtype);
    return true;
}

static bool read_ellipsis(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    out->kind = FX_ATTR_ELLIPSIS;
    return json_is_true(value) || fx__json_error(&scope->fxm->json, at, "expected true");
}

/* ---- Nodes, sizes and graphs ------------------------------------------------------------------------------------------------ */

/* A node that was itself reported is no further error. */
static bool use_node(fx_fxm_scope *scope, const fx_json_at *at, const char *name, fx_attr *out)
{
    void *node = fx__map_get(&scope->nodes, fx__intern(scope->fxm->json.context, name));
    if (node == scope) return false;
    if (!node) return fx__json_error(&scope->fxm->json, at, "node %.80s is not defined before", name);
    *out = fx_node_attr(node);
    return true;
}

static bool read_node(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    const char *name = json_string_value(value);
    return name ? use_node(scope, at, name, out) : fx__json_error(&scope->fxm->json, at, "expected the name of a node");
}

static bool parse_dim(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_dim *out)
{
    const char *text = json_string_value(value);
    *out = text ? fx__dim_parse(scope->graph->dims, &text) : FX_DIM_BAD;
    if (*out != FX_DIM_BAD && !*text) return true;
    return fx__json_error(&scope->fxm->json, at, "not a size: syntax, an unknown symbol or an overflow");
}

static bool read_dim(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    fx_dim dim;
    if (!parse_dim(scope, at, value, &dim)) return false;
    *out = fx_dim_attr(dim);
    return true;
}

static bool read_graph(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    fx_graph *graph = fx_graph_new(scope->fxm->json.context);
    if (!graph) return fx__json_oom(&scope->fxm->json);
    fx__graph_adopt(scope->graph, graph);
    graph->module = scope->graph->module;
    *out = (fx_attr){.kind = FX_ATTR_GRAPH, .u.graph = graph};
    return fx__fxm_graph(scope->fxm, at, value, graph);
}

/* ---- Any value -------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    value_reader read;
} kinds[] = {{"node", read_node},         {"tuple", read_tuple}, {"slice", read_slice},   {"range", read_range},
             {"dict", fx__fxm_dict},      {"dtype", read_dtype}, {"device", read_device}, {"name", read_name},
             {"complex", read_complex},   {"float", read_float}, {"dim", read_dim},       {"graph", read_graph},
             {"ellipsis", read_ellipsis}, {"text", read_text}};

static bool read_object(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    void *first = json_object_iter((json_t *)(uintptr_t)value);
    if (json_object_size(value) != 1)
        return fx__json_error(&scope->fxm->json, at, "an object with %zu keys; a value's object has one", json_object_size(value));
    const char *key = json_object_iter_key(first);
    fx_json_at place = fx__json_key(at, key);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].key, key) == 0) return kinds[i].read(scope, &place, json_object_iter_value(first), out);
    return fx__json_error(&scope->fxm->json, at, "unknown kind of value \"%.40s\"", key);
}

/* In a bare list of nodes, which knows only texts, a text is a node's name, or a number or constant of Python. */
static bool read_plain_text(fx_fxm_scope *scope, const fx_json_at *at, const char *text, fx_attr *out)
{
    char *end;
    if (fx__map_get(&scope->nodes, fx__intern(scope->fxm->json.context, text))) return use_node(scope, at, text, out);
    if (strcmp(text, "None") == 0) return *out = fx_none(), true;
    if (strcmp(text, "True") == 0 || strcmp(text, "False") == 0) return *out = fx_bool(*text == 'T'), true;
    long long whole = strtoll(text, &end, 10);
    if (*text && !*end && strlen(text) < 19) return *out = fx_int(whole), true;
    out->kind = FX_ATTR_FLOAT;
    if (fx__text_read_double(text, strlen(text), &out->u.f)) return true;
    return fx__json_error(&scope->fxm->json, at, "\"%.80s\" names no node before this one; a text is written {\"text\": ...}",
                          text);
}

bool fx__fxm_value(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out)
{
    *out = fx_none();
    if (at->depth > FX_FXM_DEPTH) return fx__json_error(&scope->fxm->json, at, "values are nested too deep");
    switch (json_typeof(value)) {
    case JSON_NULL:
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = fx_bool(json_is_true(value));
        return true;
    case JSON_INTEGER:
        *out = fx_int(json_integer_value(value));
        return true;
    case JSON_REAL:
        *out = fx_float(json_real_value(value));
        return true;
    case JSON_STRING:
        return scope->fxm->plain ? read_plain_text(scope, at, json_string_value(value), out) : read_text(scope, at, value, out);
    case JSON_ARRAY:
        return fx__fxm_items(scope, at, value, FX_ATTR_LIST, out);
    default:
        return read_object(scope, at, value, out);
    }
}

/* ---- Types and symbols ------------------------------------------------------------------------------------------------------ */

static bool read_size(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_dim *out)
{
    if (json_is_string(value)) return parse_dim(scope, at, value, out);
    *out = json_integer_value(value);
    return (json_is_integer(value) && *out >= 0) || fx__json_error(&scope->fxm->json, at, "expected a size: an integer or a text");
}

bool fx__fxm_type(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_type *out)
{
    fx_json *json = &scope->fxm->json;
    const char *dtype = NULL;
    bool bad = false;
    *out = (fx_type){0};
    if (!fx__json_is_object(json, at, value)) return false;
    const json_t *shape = fx__json_list(json, at, value, "shape", &bad);
    if (!fx__json_text(json, at, value, "dtype", true, &dtype) || bad) return false;
    if (!fx_dtype_parse(dtype, &out->dtype)) return fx__json_error(json, at, "%.40s is no element type of fxjit", dtype);
    if (!shape) return fx__json_error(json, at, "\"shape\" is missing");
    if (json_array_size(shape) > FX_RANK) return fx__json_error(json, at, "more than %d dimensions", FX_RANK);
    out->rank = (int32_t)json_array_size(shape);
    for (int32_t d = 0; d < out->rank; d++) {
        fx_json_at place = fx__json_item(at, (size_t)d);
        if (!read_size(scope, &place, json_array_get(shape, (size_t)d), &out->dim[d])) return false;
    }
    return true;
}

static bool read_symbol(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value)
{
    fx_json *json = &scope->fxm->json;
    const char *name = NULL;
    int64_t lo = 0, hi = INT32_MAX, hint = -1, multiple = 1, input = -1, axis = 0;
    if (!fx__json_is_object(json, at, value)) return false;
    bool good = fx__json_text(json, at, value, "name", true, &name);
    good &= fx__json_int(json, at, value, "min", false, 0, INT64_MAX, &lo);
    good &= fx__json_int(json, at, value, "max", false, 0, INT64_MAX, &hi);
    good &= fx__json_int(json, at, value, "multiple", false, 1, INT64_MAX, &multiple);
    good &= fx__json_int(json, at, value, "hint", false, 0, INT64_MAX, &hint);
    good &= fx__json_int(json, at, value, "input", false, 0, INT16_MAX, &input);
    good &= fx__json_int(json, at, value, "axis", false, 0, FX_RANK - 1, &axis);
    if (!good) return false;
    if (!fx__text_is_identifier(name)) return fx__json_error(json, at, "\"%.80s\" is no identifier", name);
    if (hint < 0) hint = hi < 8 ? hi : lo > 8 ? lo : 8;
    int32_t index = fx__dims_sym_count(scope->graph->dims);
    if (fx_graph_symbol(scope->graph, name, lo, hi, hint, multiple) == FX_DIM_BAD)
        return fx__json_error(json, at, "symbol %.80s cannot be made", name);
    fx_sym *sym = fx__dims_sym(scope->graph->dims, index);
    sym->input = (int16_t)input;
    sym->axis = (int16_t)axis;
    return true;
}

static bool read_guard(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value)
{
    static const char *const signs[] = {[FX_GUARD_EQ] = "==", [FX_GUARD_NE] = "!=", [FX_GUARD_LE] = "<="};
    fx_json *json = &scope->fxm->json;
    fx_dim a, b;
    const char *sign = json_string_value(json_array_get(value, 1)), *why = json_string_value(json_array_get(value, 3));
    if (!sign || json_array_size(value) > 4)
        return fx__json_error(json, at, "expected [size, \"==\" or \"!=\" or \"<=\", size, why]");
    if (!read_size(scope, at, json_array_get(value, 0), &a) || !read_size(scope, at, json_array_get(value, 2), &b)) return false;
    why = why ? fx__intern(json->context, why) : NULL;
    for (int kind = FX_GUARD_EQ; kind <= FX_GUARD_LE; kind++) {
        if (strcmp(signs[kind], sign) != 0) continue;
        return fx__dims_assume(scope->graph->dims, (fx_guard_kind)kind, a, b, why) ||
               fx__json_error(json, at, "this assumption can never hold");
    }
    return fx__json_error(json, at, "\"%.10s\" is no relation", sign);
}

bool fx__fxm_symbols(fx_fxm_scope *scope, const fx_json_at *at, const json_t *graph)
{
    bool bad = false;
    const json_t *symbols = fx__json_list(&scope->fxm->json, at, graph, "symbols", &bad);
    fx_json_at at_symbols = fx__json_key(at, "symbols");
    for (size_t i = 0; i < json_array_size(symbols); i++) {
        fx_json_at place = fx__json_item(&at_symbols, i);
        bad |= !read_symbol(scope, &place, json_array_get(symbols, i));
    }
    return !bad;
}

bool fx__fxm_assumptions(fx_fxm_scope *scope, const fx_json_at *at, const json_t *graph)
{
    bool bad = false;
    const json_t *guards = fx__json_list(&scope->fxm->json, at, graph, "assume", &bad);
    fx_json_at at_guards = fx__json_key(at, "assume");
    for (size_t i = 0; i < json_array_size(guards); i++) {
        fx_json_at place = fx__json_item(&at_guards, i);
        bad |= !read_guard(scope, &place, json_array_get(guards, i));
    }
    return !bad;
}
