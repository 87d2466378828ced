/* SPDX-License-Identifier: Apache-2.0 */
/* Bad ONNX files: every problem is reported, by name, in one go; damaged and hostile files never do more than fail. */
#include "harness.h"
#include "fxjit/compile.h"
#include "onnx_writer.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { F32 = 1, I64 = 7, STRING = 8 };
#define DIMS(...)                                                                                                                  \
    (int64_t[])                                                                                                                    \
    {                                                                                                                              \
        __VA_ARGS__                                                                                                                \
    }
static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

static fx_status import_bytes(const void *data, size_t bytes, const char *directory)
{
    fx_module *module = NULL;
    fx_status status = fx_import_onnx(context, data, bytes, "bad.onnx", directory, &module);
    if (status == FX_OK) fx_module_free(module);
    return status;
}

static fx_status finish_in(ow_writer *w, const char *directory)
{
    uint8_t *data;
    size_t bytes = ow_finish(w, &data);
    fx_status status = import_bytes(data, bytes, directory);
    free(data);
    return status;
}

static fx_status finish(ow_writer *w)
{
    return finish_in(w, NULL);
}

START_TEST(all_unsupported_operators_at_once)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_node(&w, "NoSuchOp", "x", "a");
    ow_node(&w, "Relu", "a", "b"); /* depends on the first: silent */
    ow_node(&w, "OtherOp", "x", "c");
    ow_output(&w, "b", F32, 1, DIMS(2));
    ow_output(&w, "c", F32, 1, DIMS(2));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "NoSuchOp node \"a\"");
    CHECK_DIAG(context, "OtherOp node \"c\"");
    ck_assert_int_eq(fx_context_diag_count(context), 2);
}
END_TEST

START_TEST(all_kinds_of_problems_at_once)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_input(&w, "s", STRING, 1, DIMS(2));
    ow_node(&w, "Add", "x missing", "a"); /* missing name */
    ow_node(&w, "Add", "x", "b");         /* wrong arity */
    ow_node(&w, "Relu", "x x", "c");      /* wrong arity */
    ow_node(&w, "Relu", "x", "d");
    ow_node(&w, "Relu", "x", "d"); /* defined twice */
    ow_node(&w, "Neg", "f", "e");  /* cycle */
    ow_node(&w, "Neg", "e", "f");
    ow_begin(&w, "Softmax", "x", "g");
    ow_attr_text(&w, "axis", "last"); /* wrong kind */
    ow_end(&w);
    ow_begin(&w, "Softmax", "x", "h");
    ow_attr_int(&w, "axis", 7); /* no such axis */
    ow_end(&w);
    ow_output(&w, "nowhere", F32, 1, DIMS(2));
    ck_assert_int_ne(finish(&w), FX_OK);
    CHECK_DIAG(context, "Add node \"a\": nothing defines its input \"missing\"");
    CHECK_DIAG(context, "Add node \"b\": has 1 inputs");
    CHECK_DIAG(context, "Relu node \"c\": has 2 inputs");
    CHECK_DIAG(context, "defines \"d\", which is defined already");
    CHECK_DIAG(context, "is part of a cycle");
    CHECK_DIAG(context, "Softmax node \"g\": attribute \"axis\" is of the wrong kind");
    CHECK_DIAG(context, "Softmax node \"h\": axis 7");
    CHECK_DIAG(context, "nothing defines the output \"nowhere\"");
    CHECK_DIAG(context, "fxjit has no element type string");
}
END_TEST

START_TEST(shapes_that_do_not_fit_name_the_node)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(2, 3));
    ow_input(&w, "y", F32, 2, DIMS(4, 5));
    ow_node(&w, "MatMul", "x y", "z");
    ow_output(&w, "z", F32, 2, DIMS(2, 5));
    ck_assert_int_eq(finish(&w), FX_E_SHAPE);
    CHECK_DIAG(context, "z");
}
END_TEST

START_TEST(shapes_that_are_data_are_refused)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 2, DIMS(2, 3));
    ow_input(&w, "shape", I64, 1, DIMS(1));
    ow_node(&w, "Reshape", "x shape", "z");
    ow_output(&w, "z", F32, 1, DIMS(6));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "its shape (\"shape\") must be known when importing");
}
END_TEST

START_TEST(opsets_out_of_range)
{
    static const int64_t opsets[] = {0, -1, 29, INT64_MAX};
    ow_writer w;
    ow_model(&w, opsets[_i]);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_node(&w, "Abs", "x", "y");
    ow_output(&w, "y", F32, 1, DIMS(2));
    ck_assert_int_eq(finish(&w), FX_E_UNSUPPORTED);
    CHECK_DIAG(context, "opset");
}
END_TEST

START_TEST(tensors_that_lie_about_their_size)
{
    ow_writer w;
    ow_bytes tensor = {0};
    ow_field_int(&tensor, 1, 1000);
    ow_field_int(&tensor, 2, F32);
    ow_field_text(&tensor, 8, "w");
    ow_field_bytes(&tensor, 9, "abcdefgh", 8);
    ow_model(&w, 13);
    ow_input(&w, "x", F32, 1, DIMS(2));
    ow_field_message(&w.graph, 5, &tensor);
    ow_node(&w, "Add", "x w", "y");
    ow_output(&w, "y", F32, 1, DIMS(2));
    ck_assert_int_eq(finish(&w), FX_E_FORMAT);
    CHECK_DIAG(context, "tensor \"w\": raw_data does not fill its shape");
}
END_TEST

START_TEST(sizes_that_overflow)
{
    ow_writer w;
    ow_bytes tensor = {0};
    for (int i = 0; i < 3; i++) ow_field_int(&tensor, 1, INT64_C(1) << 40);
    ow_field_int(&tensor, 2, F32);
    ow_field_text(&tensor, 8, "w");
    ow_model(&w, 13);
    ow_field_message(&w.graph, 5, &tensor);
    ow_output(&w, "w", F32, 1, DIMS(2));
    ck_assert_int_eq(finish(&w), FX_E_FORMAT);
    CHECK_DIAG(context, "overflows");
}
END_TEST

/* ---- External data -------------------------------------------------------------------------------------------------------------
 */

static const char *folder(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/external_%ld", FX_BINARY_DIR, (long)getpid());
    return path;
}

static void write_file(const char *name, size_t bytes)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    for (size_t i = 0; i < bytes; i++) fputc(0, out);
    fclose(out);
}

static fx_status external(const char *location, const char *offset, const char *length)
{
    ow_writer w;
    ow_model(&w, 13);
    ow_external(&w, "w", 4, location, offset, length);
    ow_output(&w, "w", F32, 1, DIMS(4));
    fx_context_clear(context);
    return finish_in(&w, folder());
}

START_TEST(external_data_stays_in_the_folder)
{
    char link[1024], outside[1024];
    mkdir(folder(), 0700);
    write_file("w.bin", 32);
    write_file("../external_secret", 32);
    snprintf(link, sizeof link, "%s/link.bin", folder());
    snprintf(outside, sizeof outside, "%s/external_secret", FX_BINARY_DIR);
    ck_assert_int_eq(symlink(outside, link), 0);

    CHECK_OK(context, external("w.bin", "0", "16"));
    CHECK_OK(context, external("w.bin", "16", NULL));
    CHECK_OK(context, external("./w.bin", "1", NULL)); /* unaligned: copied */
    ck_assert_int_eq(external(outside, NULL, NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("../external_secret", NULL, NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("a/../../external_secret", NULL, NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("link.bin", NULL, NULL), FX_E_FORMAT);
    CHECK_DIAG(context, "outside");
    ck_assert_int_eq(external("", NULL, NULL), FX_E_FORMAT);
    ck_assert_int_eq(external(NULL, NULL, NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("absent.bin", NULL, NULL), FX_E_IO);
    ck_assert_int_eq(external(".", NULL, NULL), FX_E_FORMAT); /* the folder itself */
    ck_assert_int_eq(external("w.bin", "17", NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("w.bin", "33", NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("w.bin", "9223372036854775807", NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("w.bin", "99999999999999999999", NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("w.bin", "-1", NULL), FX_E_FORMAT);
    ck_assert_int_eq(external("w.bin", "0", "15"), FX_E_FORMAT);
    unlink(link);
    unlink(outside);
    snprintf(link, sizeof link, "%s/w.bin", folder());
    unlink(link);
    rmdir(folder());
}
END_TEST

/* ---- Damage
 * ------------------------------------------------------------------------------------------------------------------------ */

/* Graphs inside attributes inside nodes inside graphs, 3000 levels deep: a decoder that recurses would overflow its stack. */
START_TEST(deep_nesting_is_no_recursion)
{
    ow_bytes graph = {0};
    for (int level = 0; level < 3000; level++) {
        ow_bytes node = {0}, attr = {0}, outer = {0};
        ow_field_text(&attr, 1, "body");
        ow_field_message(&attr, 6, &graph);
        ow_field_text(&node, 4, "If");
        ow_field_message(&node, 5, &attr);
        ow_field_message(&outer, 1, &node);
        graph = outer;
    }
    ow_bytes model = {0}, opset = {0};
    ow_field_int(&opset, 2, 13);
    ow_field_message(&model, 8, &opset);
    ow_field_message(&model, 7, &graph);
    ck_assert_int_ne(import_bytes(model.data, model.bytes, NULL), FX_OK);
    ow_free(&model);
}
END_TEST

/* A model with a bit of everything. */
static size_t sample(uint8_t **data)
{
    ow_writer w;
    ow_model(&w, 11);
    ow_input(&w, "x", F32, 4, DIMS(-1, 2, 4, 4));
    ow_floats(&w, "k", 4, DIMS(2, 2, 1, 1), (float[]){1, 2, 3, 4});
    ow_ints(&w, "zero", 0, NULL, DIMS(0));
    ow_ints(&w, "rest", 1, DIMS(1), DIMS(-1));
    ow_begin(&w, "Conv", "x k", "c");
    ow_attr_ints(&w, "strides", 2, DIMS(2, 2));
    ow_attr_text(&w, "auto_pad", "VALID");
    ow_end(&w);
    ow_node(&w, "Relu", "c", "r");
    ow_node(&w, "Shape", "r", "shape");
    ow_node(&w, "Gather", "shape zero", "n");
    ow_begin(&w, "Unsqueeze", "n", "n1");
    ow_attr_ints(&w, "axes", 1, DIMS(0));
    ow_end(&w);
    ow_begin(&w, "Concat", "n1 rest", "wanted");
    ow_attr_int(&w, "axis", 0);
    ow_end(&w);
    ow_node(&w, "Reshape", "r wanted", "flat");
    ow_begin(&w, "Softmax", "flat", "y");
    ow_attr_int(&w, "axis", 1);
    ow_end(&w);
    ow_output(&w, "y", F32, 2, DIMS(-1, 8));
    return ow_finish(&w, data);
}

static fx_status import_copy(const uint8_t *data, size_t bytes)
{
    uint8_t *exact = malloc(bytes ? bytes : 1); /* its own allocation: the address sanitizer sees one byte too far */
    memcpy(exact, data, bytes);
    fx_status status = import_bytes(exact, bytes, NULL);
    free(exact);
    return status;
}

START_TEST(every_truncation_fails_cleanly)
{
    uint8_t *data;
    size_t bytes = sample(&data);
    CHECK_OK(context, import_copy(data, bytes));
    for (size_t n = 0; n < bytes; n++) {
        fx_context_clear(context);
        ck_assert_int_ne(import_copy(data, n), FX_OK);
        ck_assert_int_ne(fx_context_diag_count(context), 0);
    }
    free(data);
}
END_TEST

START_TEST(flipped_bits_fail_cleanly)
{
    uint8_t *data;
    size_t bytes = sample(&data);
    uint64_t seed = 5;
    int accepted = 0;
    for (int round = 0; round < 10000; round++) {
        uint8_t *copy = malloc(bytes);
        memcpy(copy, data, bytes);
        for (uint64_t flips = 1 + fx_test_random(&seed) % 3; flips; flips--) {
            uint64_t bit = fx_test_random(&seed) % (8 * bytes);
            copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        fx_context_clear(context);
        accepted += import_copy(copy, bytes) == FX_OK;
        free(copy);
        if (round % 100) continue;
        teardown(); /* names of damaged files are interned: let them go now and then */
        setup();
    }
    ck_assert_int_gt(accepted, 0); /* flips inside weights and names do no harm */
    free(data);
}
END_TEST

START_TEST(files_of_other_kinds)
{
    static const char *const texts[] = {"", "hello, this is no model", "\x89PNG\r\n\x1a\n", "PK\x03\x04", "\x08"};
    ck_assert_int_ne(import_bytes(texts[_i], strlen(texts[_i]), NULL), FX_OK);
    ck_assert_int_ne(fx_context_diag_count(context), 0);
}
END_TEST

START_TEST(missing_files_are_named)
{
    fx_module *module;
    ck_assert_int_eq(fx_load(context, "/nonexistent/model.onnx", &module), FX_E_IO);
    CHECK_DIAG(context, "/nonexistent/model.onnx");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("onnx_errors");
    TCase *cases = tcase_create("onnx_errors");
    tcase_set_timeout(cases, 600);
    tcase_add_checked_fixture(cases, setup, teardown);
    const TTest *const tests[] = {all_unsupported_operators_at_once,
                                  all_kinds_of_problems_at_once,
                                  shapes_that_do_not_fit_name_the_node,
                                  shapes_that_are_data_are_refused,
                                  tensors_that_lie_about_their_size,
                                  sizes_that_overflow,
                                  external_data_stays_in_the_folder,
                                  deep_nesting_is_no_recursion,
                                  every_truncation_fails_cleanly,
                                  flipped_bits_fail_cleanly,
                                  missing_files_are_named};
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) tcase_add_test(cases, tests[i]);
    tcase_add_loop_test(cases, opsets_out_of_range, 0, 4);
    tcase_add_loop_test(cases, files_of_other_kinds, 0, 5);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
