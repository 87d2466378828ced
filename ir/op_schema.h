/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op_schema.h: a schema in ATen's notation, parsed: "sum(Tensor self, int[]? dim=None, *, ScalarType? dtype=None) -> Tensor". */
#ifndef FX_IR_OP_SCHEMA_H
#define FX_IR_OP_SCHEMA_H

#include "ir/op.h"

enum { FX_SCHEMA_BYTES = 384, FX_SCHEMA_ITEMS = 16 };

/* Self-contained: names and defaults point into text and item. */
typedef struct fx_schema {
    char text[FX_SCHEMA_BYTES]; /* names and string defaults */
    size_t n_text;
    fx_param param[FX_PARAMS];
    fx_attr item[FX_SCHEMA_ITEMS];
    int32_t n_params, n_items, n_results;
} fx_schema;

/* False when the text is no schema or exceeds a limit above. */
bool fx__schema_parse(const char *text, fx_schema *out);

#endif
