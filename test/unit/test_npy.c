/* SPDX-License-Identifier: Apache-2.0 */
/* .npy files: what is written reads back, NumPy's own headers are understood, hostile ones are refused. */
#include "harness.h"
#include "frontend/npy.h"
#include "fxjit/compile.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *temp_path(void)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/test_npy_%ld.npy", FX_BINARY_DIR, (long)getpid());
    return path;
}

START_TEST(every_type_round_trips)
{
    fx_context *context = fx_context_new();
    uint64_t seed = 3;
    for (int32_t rank = 0; rank <= 3; rank++) {
        fx_dtype dtype = (fx_dtype)_i;
        int64_t dim[] = {2, rank == 3 ? 0 : 5, 3};
        fx_tensor tensor, back;
        CHECK_OK(context, fx_tensor_alloc(dtype, rank, dim, &tensor));
        for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, (double)(fx_test_random(&seed) % 2));
        CHECK_OK(context, fx_tensor_save_npy(context, temp_path(), &tensor));
        CHECK_OK(context, fx_tensor_load_npy(context, temp_path(), &back));
        ck_assert_int_eq(back.dtype, dtype);
        ck_assert_int_eq(back.rank, rank);
        for (int32_t i = 0; i < rank; i++) ck_assert_int_eq(back.dim[i], dim[i]);
        for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) ck_assert(fx_tensor_get(&back, i) == fx_tensor_get(&tensor, i));
        fx_tensor_release(&tensor);
        fx_tensor_release(&back);
    }
    unlink(temp_path());
    fx_context_free(context);
}
END_TEST

/* A version 1 file with this header text and this many bytes of elements 0, 1, 2, ... */
static fx_status read_header(fx_context *context, const char *header, size_t data_bytes, fx_tensor *out)
{
    size_t length = strlen(header);
    uint8_t *file = malloc(10 + length + data_bytes);
    memcpy(file, "\x93NUMPY\x01\x00", 8);
    file[8] = (uint8_t)length;
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + 10, header, length);
    for (size_t i = 0; i < data_bytes; i++) file[10 + length + i] = (uint8_t)i;
    fx_status status = fx__npy_read(context, "test.npy", file, 10 + length + data_bytes, out);
    free(file);
    return status;
}

START_TEST(fortran_order_is_turned)
{
    fx_context *context = fx_context_new();
    fx_tensor t;
    CHECK_OK(context, read_header(context, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }  \n", 6, &t));
    double want[] = {0, 2, 4, 1, 3, 5};
    for (int i = 0; i < 6; i++) ck_assert(fx_tensor_get(&t, i) == want[i]);
    ck_assert(fx_tensor_is_contiguous(&t));
    fx_tensor_release(&t);
    fx_context_free(context);
}
END_TEST

START_TEST(strided_tensors_are_packed)
{
    fx_context *context = fx_context_new();
    float values[6] = {0, 1, 2, 3, 4, 5};
    fx_tensor t = {values, FX_F32, 2, {3, 2}, {1, 3}}, back;
    CHECK_OK(context, fx_tensor_save_npy(context, temp_path(), &t));
    CHECK_OK(context, fx_tensor_load_npy(context, temp_path(), &back));
    for (int i = 0; i < 6; i++) ck_assert(fx_tensor_get(&back, i) == fx_tensor_get(&t, i));
    fx_tensor_release(&back);
    unlink(temp_path());
    fx_context_free(context);
}
END_TEST

static const struct {
    const char *header;
    size_t bytes;
    bool good;
} headers[] = {
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, true},
    {"{\"shape\": (), \"descr\": \"<f4\", \"fortran_order\": False}", 4, true},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", 24, true},
    {"{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}", 8, false},
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,)}", 16, false},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 16, false},
    {"{'descr': '', 'fortran_order': False, 'shape': (2,)}", 16, false},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 7, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 9, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 4, false},
    {"{'descr': '<f4', 'fortran_order': False}", 8, false},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", 8, false},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 8, false},
    {"{'descr': '<f4', 'fortran_order': maybe, 'shape': (2,)}", 8, false},
    {"{'descr': '<f4", 8, false},
    {"{", 0, false},
    {"", 0, false},
};

START_TEST(headers_good_and_hostile)
{
    fx_context *context = fx_context_new();
    fx_tensor t;
    fx_status status = read_header(context, headers[_i].header, headers[_i].bytes, &t);
    ck_assert_msg(status == (headers[_i].good ? FX_OK : FX_E_FORMAT), "%s gave %d", headers[_i].header, (int)status);
    if (status == FX_OK) fx_tensor_release(&t);
    fx_context_free(context);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    fx_context *context = fx_context_new();
    static const char file[] = "\x93NUMPY\x01\x00\x39\x00{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }ABCDEF";
    fx_tensor t;
    CHECK_OK(context, fx__npy_read(context, "whole", file, sizeof file - 1, &t));
    fx_tensor_release(&t);
    for (size_t n = 0; n < sizeof file - 1; n++) {
        char *part = malloc(n ? n : 1);
        memcpy(part, file, n);
        ck_assert_int_eq(fx__npy_read(context, "part", part, n, &t), FX_E_FORMAT);
        free(part);
    }
    fx_context_free(context);
}
END_TEST

START_TEST(missing_files_are_named)
{
    fx_context *context = fx_context_new();
    fx_tensor t;
    ck_assert_int_eq(fx_tensor_load_npy(context, "/nonexistent/x.npy", &t), FX_E_IO);
    CHECK_DIAG(context, "/nonexistent/x.npy");
    t = fx_tensor_view(NULL, FX_F32, 1, (int64_t[]){2});
    ck_assert_int_eq(fx_tensor_save_npy(context, "/nonexistent/x.npy", &t), FX_E_ARG);
    CHECK_DIAG(context, "the tensor has no data");
    fx_context_free(context);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy");
    TCase *cases = tcase_create("npy");
    tcase_add_loop_test(cases, every_type_round_trips, 0, FX_DTYPE_COUNT);
    tcase_add_loop_test(cases, headers_good_and_hostile, 0, (int)(sizeof headers / sizeof headers[0]));
    tcase_add_test(cases, fortran_order_is_turned);
    tcase_add_test(cases, strided_tensors_are_packed);
    tcase_add_test(cases, every_truncation_is_refused);
    tcase_add_test(cases, missing_files_are_named);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
