/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and the tables of element types and statuses. */
#include "harness.h"
#include <math.h>
#include <string.h>

START_TEST(tables_are_consistent)
{
    for (int i = 0; i < FX_DTYPE_COUNT; i++) {
        fx_dtype dtype = (fx_dtype)i, back = FX_DTYPE_COUNT;
        ck_assert(fx_dtype_parse(fx_dtype_name(dtype), &back) && back == dtype);
        ck_assert(fx_dtype_parse(fx_dtype_torch_name(dtype), &back) && back == dtype);
        ck_assert_uint_gt(fx_dtype_bytes(dtype), 0);
        ck_assert_int_eq(fx_dtype_is_float(dtype) + fx_dtype_is_int(dtype) + (dtype == FX_BOOL), 1);
    }
    fx_dtype untouched = FX_U8;
    ck_assert(!fx_dtype_parse("float", &untouched) && !fx_dtype_parse(NULL, &untouched) && untouched == FX_U8);
    ck_assert_uint_eq(fx_dtype_bytes(FX_DTYPE_COUNT), 0);
    ck_assert_str_eq(fx_dtype_name((fx_dtype)-1), "?");
    ck_assert(fx_dtype_is_signed(FX_I8) && !fx_dtype_is_signed(FX_U8) && !fx_dtype_is_signed(FX_BOOL));
    ck_assert_str_eq(fx_status_text(FX_E_OOM), "out of memory");
    ck_assert_str_eq(fx_status_text((fx_status)99), "unknown status");
    ck_assert_uint_gt(strlen(fx_version()), 4);
}
END_TEST

START_TEST(allocation)
{
    fx_tensor t;
    ck_assert_int_eq(fx_tensor_alloc(FX_F64, 2, (const int64_t[]){3, 5}, &t), FX_OK);
    ck_assert_uint_eq((uintptr_t)t.data % 64, 0);
    ck_assert_int_eq(t.stride[0], 5);
    ck_assert_int_eq(fx_tensor_bytes(&t), 120);
    for (int64_t i = 0; i < 15; i++) ck_assert_double_eq(fx_tensor_get(&t, i), 0);
    fx_tensor_release(&t);
    ck_assert_ptr_null(t.data);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (const int64_t[]){0, 5}, &t), FX_OK);
    ck_assert_int_eq(fx_tensor_elems(&t), 0);
    fx_tensor_release(&t);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 0, NULL, &t), FX_OK);
    ck_assert_int_eq(fx_tensor_elems(&t), 1);
    fx_tensor_release(&t);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
    fx_tensor t = {0};
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (const int64_t[]){INT64_MAX, 3}, &t), FX_E_SHAPE);
    ck_assert_int_eq(fx_tensor_alloc(FX_F64, 1, (const int64_t[]){INT64_MAX / 4}, &t), FX_E_SHAPE);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 1, (const int64_t[]){-1}, &t), FX_E_SHAPE);
    ck_assert_int_eq(fx_tensor_alloc(FX_DTYPE_COUNT, 0, NULL, &t), FX_E_ARG);
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 9, NULL, &t), FX_E_ARG);
    t = fx_tensor_view(NULL, FX_F32, 3, (const int64_t[]){INT64_MAX, 0, INT64_MAX});
    ck_assert_int_eq(fx_tensor_elems(&t), -1);
}
END_TEST

START_TEST(views_and_copies)
{
    float data[12], packed[12];
    for (int i = 0; i < 12; i++) data[i] = (float)i;
    fx_tensor a = fx_tensor_view(data, FX_F32, 2, (const int64_t[]){3, 4});
    ck_assert(fx_tensor_is_contiguous(&a));
    fx_tensor t = {data, FX_F32, 2, {4, 3}, {1, 4}}, to = fx_tensor_view(packed, FX_F32, 2, t.dim);
    ck_assert(!fx_tensor_is_contiguous(&t));
    ck_assert_int_eq(fx_tensor_copy(&to, &t), FX_OK);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 3; k++) ck_assert_float_eq(packed[i * 3 + k], data[k * 4 + i]);
    ck_assert_double_eq(fx_tensor_get(&t, 5), 9);
    fx_tensor flipped = {data + 11, FX_F32, 1, {12}, {-1}}, expanded = {data, FX_F32, 2, {2, 3}, {0, 0}};
    ck_assert_double_eq(fx_tensor_get(&flipped, 0), 11);
    ck_assert_double_eq(fx_tensor_get(&expanded, 5), 0);
    fx_tensor one = {data, FX_F32, 2, {1, 4}, {77, 1}};
    ck_assert(fx_tensor_is_contiguous(&one));
    ck_assert_int_eq(fx_tensor_copy(&to, &a), FX_E_SHAPE);
    fx_tensor other = to;
    other.dtype = FX_I32;
    ck_assert_int_eq(fx_tensor_copy(&other, &t), FX_E_TYPE);
}
END_TEST

START_TEST(elements_of_every_dtype)
{
    for (int i = 0; i < FX_DTYPE_COUNT; i++) {
        fx_tensor t;
        ck_assert_int_eq(fx_tensor_alloc((fx_dtype)i, 1, (const int64_t[]){3}, &t), FX_OK);
        fx_tensor_set(&t, 1, 1.0);
        ck_assert_double_eq(fx_tensor_get(&t, 0), 0);
        ck_assert_double_eq(fx_tensor_get(&t, 1), 1);
        fx_tensor_release(&t);
    }
}
END_TEST

FX_TESTS("tensor", tables_are_consistent, allocation, sizes_that_overflow_are_refused, views_and_copies, elements_of_every_dtype)
