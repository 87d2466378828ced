/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/wire.h: reading protobuf's wire format in place. A message is a span of bytes; a cursor walks its fields and never
 * leaves it. Nothing is copied, nothing recurses: a submessage is a span again, decoded by who wants it. */
#ifndef FX_FRONTEND_WIRE_H
#define FX_FRONTEND_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes [at, end); also the cursor that consumes them from the front. */
typedef struct fx_wire {
    const uint8_t *at, *end;
} fx_wire;

typedef enum fx_wire_type {
    FX_WIRE_VARINT = 0,
    FX_WIRE_FIXED64 = 1,
    FX_WIRE_BYTES = 2,
    FX_WIRE_GROUP = 3,
    FX_WIRE_GROUP_END = 4,
    FX_WIRE_FIXED32 = 5
} fx_wire_type;

typedef struct fx_wire_field {
    uint32_t number;
    fx_wire_type type;
    uint64_t value; /* VARINT, FIXED32, FIXED64 */
    fx_wire bytes;  /* BYTES */
} fx_wire_field;

typedef enum fx_wire_step { FX_WIRE_BROKEN = -1, FX_WIRE_END = 0, FX_WIRE_OK = 1 } fx_wire_step;

fx_wire fx__wire_span(const void *data, size_t bytes);
static inline size_t fx__wire_left(const fx_wire *wire)
{
    return (size_t)(wire->end - wire->at);
}

/* Reads the next field; groups (nothing uses them) are skipped up to 100 levels deep. */
fx_wire_step fx__wire_next(fx_wire *wire, fx_wire_field *out);
/* Takes the next scalar of a field that holds one, or packs many, of wire type `scalar`. */
fx_wire_step fx__wire_scalar(fx_wire_field *field, fx_wire_type scalar, uint64_t *out);
/* Number of scalars that fx__wire_scalar will give; -1 when the field is malformed. */
int64_t fx__wire_count(const fx_wire_field *field, fx_wire_type scalar);
float fx__wire_float(uint64_t bits);
double fx__wire_double(uint64_t bits);

#endif
