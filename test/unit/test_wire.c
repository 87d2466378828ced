/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire reader: what it accepts, and that hostile bytes end in BROKEN inside their span. */
#include "harness.h"
#include "frontend/wire.h"
#include "onnx_writer.h"
#include <stdlib.h>
#include <string.h>

static int walk(const void *data, size_t bytes)
{
    fx_wire wire = fx__wire_span(data, bytes);
    fx_wire_field field;
    fx_wire_step step;
    int count = 0;
    while ((step = fx__wire_next(&wire, &field)) == FX_WIRE_OK) {
        ck_assert(wire.at <= wire.end);
        count++;
    }
    return step == FX_WIRE_BROKEN ? -1 : count;
}

START_TEST(fields_of_every_type)
{
    ow_bytes message = {0};
    ow_field_int(&message, 1, UINT64_MAX);
    ow_field_float(&message, 2, 1.5f);
    ow_field_text(&message, 3, "abc");
    ow_varint(&message, 4 << 3 | 1);
    double d = -2.25;
    ow_put(&message, &d, sizeof d);

    fx_wire wire = fx__wire_span(message.data, message.bytes);
    fx_wire_field field;
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert(field.number == 1 && field.value == UINT64_MAX);
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert(field.number == 2 && fx__wire_float(field.value) == 1.5f);
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert(field.number == 3 && fx__wire_left(&field.bytes) == 3 && memcmp(field.bytes.at, "abc", 3) == 0);
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert(field.number == 4 && fx__wire_double(field.value) == -2.25);
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_END);
    ow_free(&message);
}
END_TEST

START_TEST(repeated_scalars_packed_or_not)
{
    ow_bytes packed = {0}, message = {0};
    for (uint64_t v = 1; v < 1000000; v *= 10) ow_varint(&packed, v);
    ow_field_message(&message, 5, &packed);
    ow_field_int(&message, 5, 7);
    fx_wire wire = fx__wire_span(message.data, message.bytes);
    fx_wire_field field;
    uint64_t value, sum = 0;
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert_int_eq(fx__wire_count(&field, FX_WIRE_VARINT), 6);
    while (fx__wire_scalar(&field, FX_WIRE_VARINT, &value) == FX_WIRE_OK) sum += value;
    ck_assert_uint_eq(sum, 111111);
    ck_assert_int_eq(fx__wire_next(&wire, &field), FX_WIRE_OK);
    ck_assert_int_eq(fx__wire_count(&field, FX_WIRE_VARINT), 1);
    ck_assert_int_eq(fx__wire_scalar(&field, FX_WIRE_VARINT, &value), FX_WIRE_OK);
    ck_assert_uint_eq(value, 7);
    ck_assert_int_eq(fx__wire_scalar(&field, FX_WIRE_VARINT, &value), FX_WIRE_END);
    ow_free(&message);
}
END_TEST

START_TEST(broken_bytes_are_refused)
{
    static const struct {
        const char *what;
        uint8_t bytes[12];
        size_t n;
    } cases[] = {
        {"tag without value", {0x08}, 1},
        {"field number 0", {0x00, 0x01}, 2},
        {"varint of 11 bytes", {0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 12},
        {"varint above 64 bits", {0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2}, 11},
        {"length beyond the end", {0x0a, 0x05, 1, 2}, 4},
        {"length of 2^63", {0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 11},
        {"short fixed32", {0x0d, 1, 2, 3}, 4},
        {"short fixed64", {0x09, 1, 2, 3}, 4},
        {"wire type 6", {0x0e, 1}, 2},
        {"wire type 7", {0x0f, 1}, 2},
        {"group without end", {0x0b, 0x08, 0x01}, 3},
        {"end without group", {0x0c}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *exact = malloc(cases[i].n); /* its own allocation, so that ASan sees one byte too far */
        memcpy(exact, cases[i].bytes, cases[i].n);
        ck_assert_msg(walk(exact, cases[i].n) == -1, "%s was accepted", cases[i].what);
        free(exact);
    }
    ck_assert_int_eq(walk("", 0), 0);
}
END_TEST

START_TEST(groups_are_skipped_to_a_bounded_depth)
{
    ow_bytes message = {0};
    for (int i = 0; i < 50; i++) ow_varint(&message, 1 << 3 | 3);
    ow_field_int(&message, 2, 9);
    for (int i = 0; i < 50; i++) ow_varint(&message, 1 << 3 | 4);
    ow_field_int(&message, 3, 9);
    ck_assert_int_eq(walk(message.data, message.bytes), 1);
    ow_free(&message);
    for (int i = 0; i < 200000; i++) ow_varint(&message, 1 << 3 | 3);
    ck_assert_int_eq(walk(message.data, message.bytes), -1);
    ow_free(&message);
}
END_TEST

START_TEST(random_bytes_stay_inside)
{
    uint64_t seed = 11;
    for (int round = 0; round < 20000; round++) {
        size_t bytes = fx_test_random(&seed) % 40;
        uint8_t *data = malloc(bytes + 1);
        for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)(fx_test_random(&seed) & (round % 2 ? 0xff : 0x1f));
        data = realloc(data, bytes ? bytes : 1);
        (void)walk(data, bytes);
        free(data);
    }
}
END_TEST

FX_TESTS("wire", fields_of_every_type, repeated_scalars_packed_or_not, broken_bytes_are_refused,
         groups_are_skipped_to_a_bounded_depth, random_bytes_stay_inside)
