/* SPDX-License-Identifier: Apache-2.0 */
/* ir/csource_value.c: argument values and types as C expressions. */
#include "ir/csource.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

static void put(fx_csource *c, const char *bytes)
{
    fx__text_put(c->text, bytes, strlen(bytes));
}

/* Octal escapes end after three digits, whatever follows; a question mark could begin a trigraph. */
void fx__csource_string(fx_csource *c, const char *value)
{
    put(c, "\"");
    for (const unsigned char *at = (const unsigned char *)value; *at; at++) {
        if (*at == '"' || *at == '\\' || *at == '?')
            fx__text_append(c->text, "\\%c", *at);
        else if (*at == '\n')
            put(c, "\\n");
        else if (*at < 0x20 || *at == 0x7f)
            fx__text_append(c->text, "\\%03o", *at);
        else
            fx__text_put(c->text, (const char *)at, 1);
    }
    put(c, "\"");
}

void fx__csource_double(fx_csource *c, double value)
{
    if (isnan(value))
        put(c, "NAN");
    else if (isinf(value))
        put(c, value < 0 ? "-INFINITY" : "INFINITY");
    else
        fx__text_double(c->text, value);
}

void fx__csource_int(fx_csource *c, int64_t value)
{
    if (value == INT64_MIN)
        put(c, "INT64_MIN");
    else if (value < INT32_MIN || value > INT32_MAX)
        fx__text_append(c->text, "INT64_C(%" PRId64 ")", value);
    else
        fx__text_append(c->text, "%" PRId64, value);
}

static void put_dim(fx_csource *c, fx_dim dim)
{
    if (fx_dim_is_const(dim)) {
        fx__csource_int(c, dim);
        return;
    }
    const char *text = fx_graph_dim_text(c->graph, dim);
    put(c, "fx_graph_parse_dim(graph, ");
    fx__csource_string(c, text ? text : "?");
    put(c, ")");
}

/* "FX_F32" of "f32" */
void fx__csource_dtype(fx_csource *c, fx_dtype dtype)
{
    put(c, "FX_");
    for (const char *at = fx_dtype_name(dtype); *at; at++)
        fx__text_append(c->text, "%c", *at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
}

void fx__csource_type(fx_csource *c, const fx_type *type)
{
    put(c, "(fx_type){");
    fx__csource_dtype(c, type->dtype);
    fx__text_append(c->text, ", %d, {", (int)type->rank);
    for (int32_t d = 0; d < type->rank; d++) {
        if (d) put(c, ", ");
        put_dim(c, type->dim[d]);
    }
    put(c, type->rank ? "}}" : "0}}");
}

static void put_array(fx_csource *c, const fx_attr *value)
{
    put(c, "(fx_attr[]){");
    for (int32_t i = 0; i < value->n; i++) {
        if (i) put(c, ", ");
        fx__csource_value(c, &value->u.items[i]);
    }
    put(c, "}");
}

static void put_triple(fx_csource *c, const char *function, const fx_attr *value)
{
    fx__text_append(c->text, "%s(graph", function);
    for (int32_t i = 0; i < 3; i++) {
        put(c, ", ");
        fx__csource_value(c, &value->u.items[i]);
    }
    put(c, ")");
}

static void put_sequence(fx_csource *c, const char *function, const fx_attr *value)
{
    fx__text_append(c->text, "%s(graph, ", function);
    if (value->n)
        put_array(c, value);
    else
        put(c, "NULL");
    fx__text_append(c->text, ", %d)", (int)value->n);
}

static void put_dict(fx_csource *c, const fx_attr *value)
{
    if (value->n == 0) {
        put(c, "fx_dict(graph, NULL, NULL, 0)");
        return;
    }
    put(c, "fx_dict(graph, (const char *[]){");
    for (int32_t i = 0; i < value->n; i++) {
        if (i) put(c, ", ");
        fx__csource_string(c, value->keys[i]);
    }
    put(c, "}, ");
    put_array(c, value);
    fx__text_append(c->text, ", %d)", (int)value->n);
}

static void put_text(fx_csource *c, const char *function, const char *text)
{
    fx__text_append(c->text, "%s(graph, ", function);
    fx__csource_string(c, text);
    put(c, ")");
}

static void put_number(fx_csource *c, const fx_attr *value)
{
    if (value->kind == FX_ATTR_COMPLEX) {
        put(c, "fx_complex(");
        fx__csource_double(c, value->u.c[0]);
        put(c, ", ");
        fx__csource_double(c, value->u.c[1]);
    } else if (value->kind == FX_ATTR_FLOAT) {
        put(c, "fx_float(");
        fx__csource_double(c, value->u.f);
    } else {
        put(c, value->kind == FX_ATTR_SYMINT ? "fx_dim_attr(" : "fx_int(");
        put_dim(c, value->u.i);
    }
    put(c, ")");
}

void fx__csource_value(fx_csource *c, const fx_attr *value)
{
    switch (value->kind) {
    case FX_ATTR_ELLIPSIS:
        put(c, "fx_ellipsis()");
        break;
    case FX_ATTR_BOOL:
        put(c, value->u.i ? "fx_bool(true)" : "fx_bool(false)");
        break;
    case FX_ATTR_INT:
        put(c, "fx_int(");
        fx__csource_int(c, value->u.i);
        put(c, ")");
        break;
    case FX_ATTR_FLOAT:
    case FX_ATTR_COMPLEX:
    case FX_ATTR_SYMINT:
        put_number(c, value);
        break;
    case FX_ATTR_STR:
        put_text(c, "fx_str", value->u.s);
        break;
    case FX_ATTR_DEVICE:
        put_text(c, "fx_device", value->u.s);
        break;
    case FX_ATTR_NAME:
        put_text(c, "fx_name_attr", value->u.s);
        break;
    case FX_ATTR_DTYPE:
        put(c, "fx_dtype_attr(");
        fx__csource_dtype(c, value->u.dtype);
        put(c, ")");
        break;
    case FX_ATTR_NODE:
        put(c, "fx_node_attr(");
        fx__csource_node(c, value->u.node);
        put(c, ")");
        break;
    case FX_ATTR_GRAPH:
        fx__text_append(c->text, "fx_graph_attr(%s(context))", (const char *)fx__map_get(c->functions, value->u.graph));
        break;
    case FX_ATTR_TUPLE:
        put_sequence(c, "fx_tuple", value);
        break;
    case FX_ATTR_LIST:
        put_sequence(c, "fx_list", value);
        break;
    case FX_ATTR_DICT:
        put_dict(c, value);
        break;
    case FX_ATTR_SLICE:
        put_triple(c, "fx_slice", value);
        break;
    case FX_ATTR_RANGE:
        put_triple(c, "fx_range", value);
        break;
    default:
        put(c, "fx_none()");
        break;
    }
}
