/* SPDX-License-Identifier: Apache-2.0 */
/* test/onnx_writer.h: writes small ONNX files in C, so that tests need no Python. Messages are written innermost last:
 *
 *     ow_model(&w, 13);
 *     ow_input(&w, "x", 1, 2, (int64_t[]){2, 3});
 *     ow_node(&w, "Relu", "x", "y");
 *     ow_output(&w, "y", 1, 2, (int64_t[]){2, 3});
 *     size_t bytes = ow_finish(&w, &data);
 */
#ifndef FX_TEST_ONNX_WRITER_H
#define FX_TEST_ONNX_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ow_bytes {
    uint8_t *data;
    size_t bytes, capacity;
} ow_bytes;

typedef struct ow_writer {
    int64_t opset;
    ow_bytes graph;
    ow_bytes node;      /* of ow_begin */
    ow_bytes functions; /* of ow_function */
    bool is_function;
} ow_writer;

/* Any message. */
void ow_put(ow_bytes *out, const void *data, size_t bytes);
void ow_varint(ow_bytes *out, uint64_t value);
void ow_field_int(ow_bytes *out, uint32_t number, uint64_t value);
void ow_field_float(ow_bytes *out, uint32_t number, float value);
void ow_field_bytes(ow_bytes *out, uint32_t number, const void *data, size_t bytes);
void ow_field_text(ow_bytes *out, uint32_t number, const char *text);
/* Appends *message as a field and frees it. */
void ow_field_message(ow_bytes *out, uint32_t number, ow_bytes *message);
void ow_free(ow_bytes *out);

/* A model of one graph. Names are lists separated by spaces; "-" is an absent one. */
void ow_model(ow_writer *w, int64_t opset);
void ow_input(ow_writer *w, const char *name, int type, int rank, const int64_t *dim); /* dim -1: "batch"; -2: unknown */
void ow_output(ow_writer *w, const char *name, int type, int rank, const int64_t *dim);
void ow_begin(ow_writer *w, const char *op, const char *inputs, const char *outputs); /* then attributes, then ow_end */
void ow_attr_int(ow_writer *w, const char *name, int64_t value);
void ow_attr_float(ow_writer *w, const char *name, float value);
void ow_attr_ints(ow_writer *w, const char *name, int n, const int64_t *values);
void ow_attr_text(ow_writer *w, const char *name, const char *value);
void ow_attr_graph(ow_writer *w, const char *name, ow_writer *body);         /* empties the body */
void ow_attr_ref(ow_writer *w, const char *name, int type, const char *ref); /* inside a function: the call's attribute */
void ow_domain(ow_writer *w, const char *domain);
void ow_end(ow_writer *w);
void ow_node(ow_writer *w, const char *op, const char *inputs, const char *outputs);               /* without attributes */
void ow_floats(ow_writer *w, const char *name, int rank, const int64_t *dim, const float *values); /* initializers */
void ow_ints(ow_writer *w, const char *name, int rank, const int64_t *dim, const int64_t *values);
void ow_external(ow_writer *w, const char *name, int64_t elems, const char *location, const char *offset, const char *length);
/* A function of the file: its body is written between these. */
void ow_body(ow_writer *body);
void ow_function(ow_writer *w, ow_writer *body, const char *domain, const char *name, const char *inputs, const char *outputs,
                 const char *attrs);
size_t ow_finish(ow_writer *w, uint8_t **out_data); /* free(*out_data) */

#endif
