/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_schema.c: parser of operator schemas. Names and default values are kept inside the result, which therefore needs no
 * memory but its own. */
#include "ir/op_schema.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    fx_schema *schema;
    const char *at;
} reader;

/* A copy with a final NUL inside the schema; NULL when it is full. */
static const char *keep(fx_schema *schema, const char *text, size_t bytes)
{
    if (schema->n_text + bytes + 1 > sizeof schema->text) return NULL;
    char *copy = schema->text + schema->n_text;
    memcpy(copy, text, bytes);
    copy[bytes] = 0;
    schema->n_text += bytes + 1;
    return copy;
}

static void skip_spaces(reader *in)
{
    while (*in->at == ' ') in->at++;
}

static bool accept(reader *in, const char *token)
{
    skip_spaces(in);
    size_t bytes = strlen(token);
    if (strncmp(in->at, token, bytes) != 0) return false;
    in->at += bytes;
    return true;
}

/* Length of the identifier at the cursor. */
static size_t word_bytes(const reader *in)
{
    size_t n = 0;
    while (isalnum((unsigned char)in->at[n]) || in->at[n] == '_') n++;
    return n;
}

/* ---- Types -------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    fx_param_kind one, list; /* list: kind of NAME[]; FX_PARAM_OTHER: none */
} types[] = {
    {"Tensor", FX_PARAM_TENSOR, FX_PARAM_TENSORS}, {"TensorOrScalar", FX_PARAM_OPERAND, FX_PARAM_OTHER},
    {"int", FX_PARAM_INT, FX_PARAM_INTS},          {"SymInt", FX_PARAM_INT, FX_PARAM_INTS},
    {"float", FX_PARAM_FLOAT, FX_PARAM_FLOATS},    {"bool", FX_PARAM_BOOL, FX_PARAM_OTHER},
    {"Scalar", FX_PARAM_SCALAR, FX_PARAM_OTHER},   {"ScalarType", FX_PARAM_DTYPE, FX_PARAM_OTHER},
    {"str", FX_PARAM_STR, FX_PARAM_OTHER},         {"Layout", FX_PARAM_OTHER, FX_PARAM_OTHER},
    {"Device", FX_PARAM_OTHER, FX_PARAM_OTHER},    {"MemoryFormat", FX_PARAM_OTHER, FX_PARAM_OTHER},
    {"Generator", FX_PARAM_OTHER, FX_PARAM_OTHER},
};

static int type_find(const reader *in, size_t bytes)
{
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        if (strlen(types[t].name) == bytes && strncmp(in->at, types[t].name, bytes) == 0) return (int)t;
    return -1;
}

/* "(a!)": aliasing notes say nothing that a pure operator needs. */
static void skip_alias(reader *in)
{
    if (*in->at != '(') return;
    const char *end = strchr(in->at, ')');
    if (end) in->at = end + 1;
}

static bool read_brackets(reader *in, fx_param *param, fx_param_kind list_kind)
{
    if (*in->at != '[') return true;
    in->at++;
    char *end;
    param->list = (int32_t)strtol(in->at, &end, 10);
    in->at = end;
    param->kind = list_kind;
    return list_kind != FX_PARAM_OTHER && accept(in, "]");
}

/* TYPE := NAME alias? '?'? ('[' INT? ']')? '?'? */
static bool read_type(reader *in, fx_param *param)
{
    skip_spaces(in);
    size_t bytes = word_bytes(in);
    int type = type_find(in, bytes);
    if (type < 0) return false;
    in->at += bytes;
    param->kind = types[type].one;
    skip_alias(in);
    if (accept(in, "?")) param->optional = true;
    if (!read_brackets(in, param, types[type].list)) return false;
    if (*in->at == '?') in->at++, param->optional = true;
    return true;
}

/* ---- Defaults ----------------------------------------------------------------------------------------------------------- */

static fx_attr *items_take(fx_schema *schema, int32_t n)
{
    if (schema->n_items + n > FX_SCHEMA_ITEMS) return NULL;
    fx_attr *items = schema->item + schema->n_items;
    schema->n_items += n;
    return items;
}

static bool read_number(reader *in, const fx_param *param, fx_attr *out)
{
    char *int_end, *float_end;
    int64_t i = strtoll(in->at, &int_end, 10);
    double f = strtod(in->at, &float_end);
    if (float_end == in->at) return false;
    bool is_int = int_end == float_end;
    in->at = float_end;
    *out = is_int && param->kind != FX_PARAM_FLOAT ? fx_int(i) : fx_float(f);
    return true;
}

/* "[0, 1]", or one number that fills a list of the schema's length. */
static bool read_list(reader *in, const fx_param *param, fx_attr *out)
{
    fx_attr value[FX_SCHEMA_ITEMS];
    int32_t n = 0;
    if (accept(in, "[")) {
        while (!accept(in, "]")) {
            if (n == FX_SCHEMA_ITEMS || !read_number(in, param, &value[n++])) return false;
            accept(in, ",");
        }
    } else {
        if (!read_number(in, param, &value[0])) return false;
        for (n = 1; n < param->list; n++) value[n] = value[0];
    }
    fx_attr *items = items_take(in->schema, n);
    if (!items) return false;
    memcpy(items, value, sizeof *items * (size_t)n);
    *out = (fx_attr){.kind = FX_ATTR_LIST, .n = n, .u.items = items};
    return true;
}

/* 'text', "text" or a bare word such as contiguous_format. */
static bool read_word(reader *in, fx_attr *out)
{
    char quote = *in->at == '\'' || *in->at == '"' ? *in->at++ : 0;
    size_t bytes = quote ? strcspn(in->at, quote == '"' ? "\"" : "'") : word_bytes(in);
    const char *text = keep(in->schema, in->at, bytes);
    *out = (fx_attr){.kind = FX_ATTR_STR, .u.s = text};
    in->at += bytes;
    if (quote && *in->at++ != quote) return false;
    return text != NULL && (bytes > 0 || quote);
}

static bool read_default(reader *in, fx_param *param)
{
    param->has_default = true;
    skip_spaces(in);
    if (accept(in, "None")) return param->fallback = fx_none(), true;
    if (accept(in, "True")) return param->fallback = fx_bool(true), true;
    if (accept(in, "False")) return param->fallback = fx_bool(false), true;
    switch (param->kind) {
    case FX_PARAM_INTS:
        return read_list(in, param, &param->fallback);
    case FX_PARAM_STR:
        return read_word(in, &param->fallback);
    case FX_PARAM_OTHER:
        return read_word(in, &param->fallback) && (param->fallback = fx_none(), true);
    default:
        return read_number(in, param, &param->fallback);
    }
}

/* ---- Schema ------------------------------------------------------------------------------------------------------------- */

static bool read_param(reader *in, bool keyword_only)
{
    fx_schema *schema = in->schema;
    if (schema->n_params == FX_PARAMS) return false;
    fx_param *param = &schema->param[schema->n_params++];
    param->keyword_only = keyword_only;
    if (!read_type(in, param)) return false;
    skip_spaces(in);
    size_t bytes = word_bytes(in);
    param->name = keep(schema, in->at, bytes);
    in->at += bytes;
    if (bytes == 0 || !param->name) return false;
    return !accept(in, "=") || read_default(in, param);
}

static bool read_params(reader *in)
{
    bool keyword_only = false;
    if (accept(in, ")")) return true;
    do {
        if (accept(in, "*"))
            keyword_only = true;
        else if (!read_param(in, keyword_only))
            return false;
    } while (accept(in, ","));
    return accept(in, ")");
}

static bool read_results(reader *in)
{
    if (!accept(in, "->")) return false;
    bool many = accept(in, "(");
    do {
        fx_param result = {0};
        if (!read_type(in, &result)) return false;
        if (result.kind == FX_PARAM_TENSORS) return !many && *in->at == 0;
        skip_spaces(in);
        in->at += word_bytes(in);
        in->schema->n_results++;
    } while (many && accept(in, ","));
    if (many && !accept(in, ")")) return false;
    return *in->at == 0;
}

bool fx__schema_parse(const char *text, fx_schema *out)
{
    *out = (fx_schema){0};
    reader in = {out, text + strcspn(text, "(")};
    return accept(&in, "(") && read_params(&in) && read_results(&in);
}
