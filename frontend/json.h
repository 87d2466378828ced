/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/json.h: reading JSON so that every problem of a document is told, with the file's name and the path to it:
 *     model.fxm: $.module.graph.nodes[3] (add_1).args[0]: unknown kind of value "tensr"
 * jansson parses; it refuses duplicate keys, text that is not UTF-8 and nesting beyond 2048. */
#ifndef FX_FRONTEND_JSON_H
#define FX_FRONTEND_JSON_H

#include "ir/arena.h"
#include "ir/diag.h"
#include <jansson.h>

typedef struct fx_json {
    fx_context *context;
    fx_arena *arena; /* of the reading */
    const char *file;
    int32_t n_errors; /* reported */
    bool out_of_memory;
} fx_json;

/* A place in the document, on the stack of who reads it. */
typedef struct fx_json_at {
    const struct fx_json_at *up; /* NULL: the document */
    const char *key;             /* NULL: element `index` of a list */
    size_t index;
    const char *note; /* name of the node; may be NULL */
    int depth;
} fx_json_at;
fx_json_at fx__json_key(const fx_json_at *up, const char *key);
fx_json_at fx__json_item(const fx_json_at *up, size_t index);

/* The whole document; NULL after a diagnostic. Freed with json_decref. */
json_t *fx__json_parse(fx_json *json, const char *text, size_t bytes);
/* Reports and returns false. */
bool fx__json_error(fx_json *json, const fx_json_at *at, const char *format, ...) FX_PRINTF(3, 4);
/* Out of memory, which is reported: returns false. */
bool fx__json_oom(fx_json *json);
/* What the reading ends with. */
fx_status fx__json_status(const fx_json *json);

/* A member of an object. Absent (or null): *out untouched and true, unless it is required. Wrong kind: an error. */
bool fx__json_text(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool required, const char **out);
bool fx__json_int(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool required, int64_t lo, int64_t hi,
                  int64_t *out);
bool fx__json_bool(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *out);
/* A member that is an object or a list; NULL when absent, or of another kind after an error (*bad becomes true then). */
const json_t *fx__json_object(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *bad);
const json_t *fx__json_list(fx_json *json, const fx_json_at *at, const json_t *object, const char *key, bool *bad);
bool fx__json_is_object(fx_json *json, const fx_json_at *at, const json_t *value);

/* A text as JSON, quoted; false when it is not UTF-8. */
bool fx__json_put_text(fx_text *text, const char *value);

#endif
