/* SPDX-License-Identifier: Apache-2.0 */
/* json.c: reading JSON with paths in every message, and writing its texts. */
#include "frontend/json.h"
#include <string.h>

fx_json_at fx__json_key(const fx_json_at *up, const char *key)
{
    return (fx_json_at){.up = up, .key = key, .depth = up ? up->depth + 1 : 0};
}

fx_json_at fx__json_item(const fx_json_at *up, size_t index)
{
    return (fx_json_at){.up = up, .index = index, .depth = up ? up->depth + 1 : 0};
}

static void put_path(fx_text *text, const fx_json_at *at)
{
    if (!at) {
        fx__text_append(text, "$");
        return;
    }
    put_path(text, at->up);
    if (at->key)
        fx__text_append(text, ".%.200s", at->key);
    else
        fx__text_append(text, "[%zu]", at->index);
    if (at->note) fx__text_append(text, " (%.80s)", at->note);
}

bool fx__json_error(fx_json *json, const fx_json_at *at, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fx_text path;
    fx__text_init(&path, json->context);
    put_path(&path, at);
    char *text = fx__text_finish(&path);
    fx__diag(json->context, FX_E_FORMAT, NULL, "%s: %s: %s", json->file, text ? text : "?", what);
    fx_text_free(text);
    json->n_errors++;
    return false;
}

bool fx__json_oom(fx_json *json)
{
    fx__diag_oom(json->context);
    json->out_of_memory = true;
    return false;
}

fx_status fx__json_status(const fx_json *json)
{
    if (json->out_of_memory) return FX_E_OOM;
    return json->n_errors ? fx__diag_failure(json->context, FX_E_FORMAT) : FX_OK;
}

json_t *fx__json_parse(fx_json *json, const char *text, size_t bytes)
{
    json_error_t error = {.line = 0};
    json_t *document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (document) return document;
    if (json_error_code(&error) == json_error_out_of_memory)
        fx__json_oom(json);
    else
        fx__diag(json->context, FX_E_FORMAT, NULL, "%s: line %d, column %d of the JSON: %s", json->file, error.line, error.column,
                 error.text);
    json->n_errors++;
    return NULL;
}

static const char *kind_word(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a text";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_NULL:
        return "null";
    default:
        return "a truth value";
    }
}

static bool wrong_kind(fx_json *json, const fx_json_at *at, const char *key, const json_t *value, const char *expected)
{
    fx_json_at place = fx__json_key(at, key);
    return fx__json_error(json, &place, "%s; expected %s", kind_word(value), expected);
}

/* NULL: absent; *out_good says whether that is allowed. */
static const json_t *member(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool required,
                            bool *out_good)
{
    const json_t *value = json_object_get(object, key);
    *out_good = true;
    if (value && !json_is_null(value)) return value;
    if (required) *out_good = fx__json_error(json, at, "\"%s\" is missing", key);
    return NULL;
}

bool fx__json_text(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool required, const char **out)
{
    bool good;
    const json_t *value = member(json, at, object, key, required, &good);
    if (!value) return good;
    if (!json_is_string(value)) return wrong_kind(json, at, key, value, "a text");
    *out = json_string_value(value);
    return true;
}

bool fx__json_int(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool required, int64_t lo, int64_t hi,
                  int64_t *out)
{
    bool good;
    const json_t *value = member(json, at, object, key, required, &good);
    if (!value) return good;
    if (!json_is_integer(value)) return wrong_kind(json, at, key, value, "an integer");
    *out = json_integer_value(value);
    if (*out >= lo && *out <= hi) return true;
    fx_json_at place = fx__json_key(at, key);
    return fx__json_error(json, &place, "%lld lies outside %lld to %lld", (long long)*out, (long long)lo, (long long)hi);
}

bool fx__json_bool(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *out)
{
    bool good;
    const json_t *value = member(json, at, object, key, false, &good);
    if (!value) return true;
    if (!json_is_boolean(value)) return wrong_kind(json, at, key, value, "true or false");
    *out = json_is_true(value);
    return true;
}

const json_t *fx__json_object(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *bad)
{
    bool good;
    const json_t *value = member(json, at, object, key, false, &good);
    if (!value || json_is_object(value)) return value;
    *bad = !wrong_kind(json, at, key, value, "an object");
    return NULL;
}

const json_t *fx__json_list(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *bad)
{
    bool good;
    const json_t *value = member(json, at, object, key, false, &good);
    if (!value || json_is_array(value)) return value;
    *bad = !wrong_kind(json, at, key, value, "a list");
    return NULL;
}

bool fx__json_is_object(fx_json *json, const fx_json_at *at, const json_t *value)
{
    return json_is_object(value) || fx__json_error(json, at, "%s; expected an object", kind_word(value));
}

/* ---- Writing ------------------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 sequence that begins here; 0: none does. */
static int sequence(const unsigned char *at)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (*at < 0x80) return 1;
    int n = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
    if (*at < 0xc2 || *at > 0xf4) return 0;
    uint32_t code = *at & (0x7fu >> n);
    for (int i = 1; i < n; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[n] || code > 0x10ffff || is_surrogate ? 0 : n;
}

bool fx__json_put_text(fx_text *text, const char *value)
{
    fx__text_put(text, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)value; *at;) {
        int n = sequence(at);
        if (!n) return false;
        if (*at == '"' || *at == '\\')
            fx__text_append(text, "\\%c", *at);
        else if (*at == '\n')
            fx__text_put(text, "\\n", 2);
        else if (*at < 0x20)
            fx__text_append(text, "\\u%04x", *at);
        else
            fx__text_put(text, (const char *)at, (size_t)n);
        at += n;
    }
    fx__text_put(text, "\"", 1);
    return true;
}
