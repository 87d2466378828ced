/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c: protobuf's wire format. Every read is checked against the end of its span, so hostile lengths end in BROKEN. */
#include "frontend/wire.h"
#include <string.h>

enum { GROUP_DEPTH = 100 };

fx_wire fx__wire_span(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    return (fx_wire){at, bytes ? at + bytes : at};
}

static bool take_varint(fx_wire *wire, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && wire->at < wire->end; shift += 7) {
        uint8_t byte = *wire->at++;
        if (shift == 63 && byte > 1) return false; /* more than 64 bits */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take_fixed(fx_wire *wire, size_t bytes, uint64_t *out)
{
    if (fx__wire_left(wire) < bytes) return false;
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += bytes;
    *out = value;
    return true;
}

static bool take_bytes(fx_wire *wire, fx_wire *out)
{
    uint64_t length;
    if (!take_varint(wire, &length) || length > fx__wire_left(wire)) return false;
    *out = (fx_wire){wire->at, wire->at + length};
    wire->at += length;
    return true;
}

static bool take_value(fx_wire *wire, fx_wire_field *field)
{
    switch (field->type) {
    case FX_WIRE_VARINT:
        return take_varint(wire, &field->value);
    case FX_WIRE_FIXED64:
        return take_fixed(wire, 8, &field->value);
    case FX_WIRE_FIXED32:
        return take_fixed(wire, 4, &field->value);
    case FX_WIRE_BYTES:
        return take_bytes(wire, &field->bytes);
    case FX_WIRE_GROUP:
    case FX_WIRE_GROUP_END:
        return true;
    }
    return false;
}

static bool take_field(fx_wire *wire, fx_wire_field *out)
{
    uint64_t tag;
    if (!take_varint(wire, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    *out = (fx_wire_field){.number = (uint32_t)(tag >> 3), .type = (fx_wire_type)(tag & 7)};
    return take_value(wire, out);
}

static bool skip_group(fx_wire *wire)
{
    int depth = 1;
    fx_wire_field field;
    while (depth > 0) {
        if (wire->at == wire->end || !take_field(wire, &field)) return false;
        if (field.type == FX_WIRE_GROUP && ++depth > GROUP_DEPTH) return false;
        if (field.type == FX_WIRE_GROUP_END) depth--;
    }
    return true;
}

fx_wire_step fx__wire_next(fx_wire *wire, fx_wire_field *out)
{
    while (wire->at < wire->end) {
        if (!take_field(wire, out) || out->type == FX_WIRE_GROUP_END) return FX_WIRE_BROKEN;
        if (out->type != FX_WIRE_GROUP) return FX_WIRE_OK;
        if (!skip_group(wire)) return FX_WIRE_BROKEN;
    }
    return FX_WIRE_END;
}

fx_wire_step fx__wire_scalar(fx_wire_field *field, fx_wire_type scalar, uint64_t *out)
{
    if (field->type == FX_WIRE_BYTES) {
        if (field->bytes.at == field->bytes.end) return FX_WIRE_END;
        fx_wire_field one = {.type = scalar};
        if (!take_value(&field->bytes, &one)) return FX_WIRE_BROKEN;
        *out = one.value;
        return FX_WIRE_OK;
    }
    if (field->number == 0) return FX_WIRE_END; /* the one scalar was taken */
    if (field->type != scalar) return FX_WIRE_BROKEN;
    *out = field->value;
    field->number = 0;
    return FX_WIRE_OK;
}

int64_t fx__wire_count(const fx_wire_field *field, fx_wire_type scalar)
{
    if (field->type != FX_WIRE_BYTES) return field->type == scalar ? 1 : -1;
    size_t bytes = fx__wire_left(&field->bytes);
    if (scalar != FX_WIRE_VARINT) {
        size_t size = scalar == FX_WIRE_FIXED32 ? 4 : 8;
        return bytes % size ? -1 : (int64_t)(bytes / size);
    }
    int64_t count = 0;
    for (size_t i = 0; i < bytes; i++) count += !(field->bytes.at[i] & 0x80);
    return bytes && field->bytes.end[-1] & 0x80 ? -1 : count;
}

float fx__wire_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

double fx__wire_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
