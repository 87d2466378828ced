/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_writer.c: protobuf's wire format, the other way round. */
#include "onnx_writer.h"
#include <stdlib.h>
#include <string.h>

void ow_put(ow_bytes *out, const void *data, size_t bytes)
{
    if (out->bytes + bytes > out->capacity) {
        out->capacity = 2 * (out->bytes + bytes);
        out->data = realloc(out->data, out->capacity);
        if (!out->data) abort();
    }
    if (bytes) memcpy(out->data + out->bytes, data, bytes);
    out->bytes += bytes;
}

void ow_varint(ow_bytes *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 127) | (value > 127 ? 128 : 0));
        ow_put(out, &byte, 1);
        value >>= 7;
    } while (value);
}

void ow_field_int(ow_bytes *out, uint32_t number, uint64_t value)
{
    ow_varint(out, (uint64_t)number << 3);
    ow_varint(out, value);
}

void ow_field_float(ow_bytes *out, uint32_t number, float value)
{
    ow_varint(out, (uint64_t)number << 3 | 5);
    ow_put(out, &value, sizeof value);
}

void ow_field_bytes(ow_bytes *out, uint32_t number, const void *data, size_t bytes)
{
    ow_varint(out, (uint64_t)number << 3 | 2);
    ow_varint(out, bytes);
    ow_put(out, data, bytes);
}

void ow_field_text(ow_bytes *out, uint32_t number, const char *text)
{
    ow_field_bytes(out, number, text, strlen(text));
}

void ow_field_message(ow_bytes *out, uint32_t number, ow_bytes *message)
{
    ow_field_bytes(out, number, message->data, message->bytes);
    ow_free(message);
}

void ow_free(ow_bytes *out)
{
    free(out->data);
    *out = (ow_bytes){0};
}

void ow_model(ow_writer *w, int64_t opset)
{
    *w = (ow_writer){.opset = opset};
}

static void put_value(ow_writer *w, uint32_t field, const char *name, int type, int rank, const int64_t *dim)
{
    ow_bytes shape = {0}, tensor = {0}, any = {0}, value = {0};
    for (int i = 0; i < rank; i++) {
        ow_bytes d = {0};
        if (dim[i] >= 0) ow_field_int(&d, 1, (uint64_t)dim[i]);
        if (dim[i] == -1) ow_field_text(&d, 2, "batch");
        ow_field_message(&shape, 1, &d);
    }
    ow_field_int(&tensor, 1, (uint64_t)type);
    if (rank >= 0) ow_field_message(&tensor, 2, &shape);
    ow_field_message(&any, 1, &tensor);
    ow_field_text(&value, 1, name);
    ow_field_message(&value, 2, &any);
    ow_field_message(&w->graph, field, &value);
}

void ow_input(ow_writer *w, const char *name, int type, int rank, const int64_t *dim)
{
    put_value(w, 11, name, type, rank, dim);
}
void ow_output(ow_writer *w, const char *name, int type, int rank, const int64_t *dim)
{
    put_value(w, 12, name, type, rank, dim);
}

static void put_names(ow_bytes *out, uint32_t field, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, " ");
        ow_field_bytes(out, field, names, length == 1 && *names == '-' ? 0 : length);
        names += length;
        names += *names == ' ';
    }
}

void ow_begin(ow_writer *w, const char *op, const char *inputs, const char *outputs)
{
    put_names(&w->node, 1, inputs);
    put_names(&w->node, 2, outputs);
    ow_field_text(&w->node, 4, op);
}

static ow_bytes attr_named(const char *name, uint64_t type)
{
    ow_bytes attr = {0};
    ow_field_text(&attr, 1, name);
    ow_field_int(&attr, 20, type);
    return attr;
}

void ow_attr_int(ow_writer *w, const char *name, int64_t value)
{
    ow_bytes attr = attr_named(name, 2);
    ow_field_int(&attr, 3, (uint64_t)value);
    ow_field_message(&w->node, 5, &attr);
}

void ow_attr_float(ow_writer *w, const char *name, float value)
{
    ow_bytes attr = attr_named(name, 1);
    ow_field_float(&attr, 2, value);
    ow_field_message(&w->node, 5, &attr);
}

void ow_attr_ints(ow_writer *w, const char *name, int n, const int64_t *values)
{
    ow_bytes attr = attr_named(name, 7);
    for (int i = 0; i < n; i++) ow_field_int(&attr, 8, (uint64_t)values[i]);
    ow_field_message(&w->node, 5, &attr);
}

void ow_attr_text(ow_writer *w, const char *name, const char *value)
{
    ow_bytes attr = attr_named(name, 3);
    ow_field_text(&attr, 4, value);
    ow_field_message(&w->node, 5, &attr);
}

void ow_attr_graph(ow_writer *w, const char *name, ow_writer *body)
{
    ow_bytes attr = attr_named(name, 5);
    ow_field_message(&attr, 6, &body->graph);
    ow_field_message(&w->node, 5, &attr);
}

void ow_attr_ref(ow_writer *w, const char *name, int type, const char *ref)
{
    ow_bytes attr = attr_named(name, (uint64_t)type);
    ow_field_text(&attr, 21, ref);
    ow_field_message(&w->node, 5, &attr);
}

void ow_domain(ow_writer *w, const char *domain)
{
    ow_field_text(&w->node, 7, domain);
}

void ow_end(ow_writer *w)
{
    ow_field_message(&w->graph, w->is_function ? 7 : 1, &w->node);
}

void ow_body(ow_writer *body)
{
    *body = (ow_writer){.is_function = true};
}

void ow_function(ow_writer *w, ow_writer *body, const char *domain, const char *name, const char *inputs, const char *outputs,
                 const char *attrs)
{
    ow_field_text(&body->graph, 1, name);
    put_names(&body->graph, 4, inputs);
    put_names(&body->graph, 5, outputs);
    put_names(&body->graph, 6, attrs);
    ow_field_text(&body->graph, 10, domain);
    ow_field_message(&w->functions, 25, &body->graph);
}

void ow_node(ow_writer *w, const char *op, const char *inputs, const char *outputs)
{
    ow_begin(w, op, inputs, outputs);
    ow_end(w);
}

static ow_bytes tensor_named(const char *name, uint64_t type, int rank, const int64_t *dim)
{
    ow_bytes tensor = {0};
    for (int i = 0; i < rank; i++) ow_field_int(&tensor, 1, (uint64_t)dim[i]);
    ow_field_int(&tensor, 2, type);
    ow_field_text(&tensor, 8, name);
    return tensor;
}

static size_t elems(int rank, const int64_t *dim)
{
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= (size_t)dim[i];
    return n;
}

void ow_floats(ow_writer *w, const char *name, int rank, const int64_t *dim, const float *values)
{
    ow_bytes tensor = tensor_named(name, 1, rank, dim);
    ow_field_bytes(&tensor, 9, values, elems(rank, dim) * sizeof *values);
    ow_field_message(&w->graph, 5, &tensor);
}

void ow_ints(ow_writer *w, const char *name, int rank, const int64_t *dim, const int64_t *values)
{
    ow_bytes tensor = tensor_named(name, 7, rank, dim);
    ow_field_bytes(&tensor, 9, values, elems(rank, dim) * sizeof *values);
    ow_field_message(&w->graph, 5, &tensor);
}

static void put_entry(ow_bytes *tensor, const char *key, const char *value)
{
    ow_bytes entry = {0};
    if (!value) return;
    ow_field_text(&entry, 1, key);
    ow_field_text(&entry, 2, value);
    ow_field_message(tensor, 13, &entry);
}

void ow_external(ow_writer *w, const char *name, int64_t count, const char *location, const char *offset, const char *length)
{
    ow_bytes tensor = tensor_named(name, 1, 1, &count);
    put_entry(&tensor, "location", location);
    put_entry(&tensor, "offset", offset);
    put_entry(&tensor, "length", length);
    ow_field_int(&tensor, 14, 1);
    ow_field_message(&w->graph, 5, &tensor);
}

size_t ow_finish(ow_writer *w, uint8_t **out_data)
{
    ow_bytes model = {0}, opset = {0};
    ow_field_int(&model, 1, 8);
    ow_field_int(&opset, 2, (uint64_t)w->opset);
    ow_field_message(&model, 8, &opset);
    ow_field_text(&w->graph, 2, "g");
    ow_field_message(&model, 7, &w->graph);
    ow_put(&model, w->functions.data, w->functions.bytes);
    ow_free(&w->functions);
    *out_data = model.data;
    return model.bytes;
}
