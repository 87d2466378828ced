/* SPDX-License-Identifier: Apache-2.0 */
/* fx_bisect, fx_find_nonfinite, fx_find_parting and fx_tensor_agrees on small graphs. That wrong lowerings are found is
 * test/faults/bisect.c's to show; here two option sets that round differently are what differs. */
#include "fxjit/fxjit.h"
#include "harness.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static fx_module *read_graph(fx_context *context, const char *text)
{
    fx_module *module;
    char path[] = "/tmp/fxjit_bisect_XXXXXX.fx";
    int file = mkstemps(path, 3);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    CHECK_OK(context, fx_load(context, path, &module));
    unlink(path);
    return module;
}

static fx_tensor random_tensor(int32_t rank, const int64_t *dim, uint64_t seed)
{
    fx_tensor tensor;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, rank, dim, &tensor), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, fx_test_uniform(&seed, -2, 2));
    return tensor;
}

/* ---- Comparing ------------------------------------------------------------------------------------------------------------ */

START_TEST(elements_agree_within_bounds_or_places)
{
    float a[] = {1, 2, NAN, INFINITY, 1e-45F}, b[] = {1, 2.0000005F, NAN, INFINITY, 0};
    double limit[] = {0, 1e-6, 0, 0, 1e-44}, narrow[] = {0, 1e-8, 0, 0, 1e-44};
    const int64_t dim[] = {5};
    fx_tensor x = fx_tensor_view(a, FX_F32, 1, dim), y = fx_tensor_view(b, FX_F32, 1, dim);
    fx_tensor wide = fx_tensor_view(limit, FX_F64, 1, dim), tight = fx_tensor_view(narrow, FX_F64, 1, dim);
    fx_difference at;
    ck_assert(fx_tensor_agrees(&x, &y, &wide, 0, NULL));
    ck_assert(!fx_tensor_agrees(&x, &y, &tight, 0, &at));
    ck_assert_int_eq((int)at.element, 1);
    ck_assert(at.same_type && at.actual == 2 && at.bound == 1e-8);
    ck_assert_double_eq(at.ulp, 2);
    ck_assert(!fx_tensor_agrees(&x, &y, NULL, 1, &at));
    ck_assert(fx_tensor_agrees(&x, &y, NULL, 2, &at));
    ck_assert_int_eq((int)at.element, -1);
    b[2] = 0;
    ck_assert(!fx_tensor_agrees(&x, &y, &wide, 0, &at));
    ck_assert_int_eq((int)at.element, 2);
    ck_assert(isinf(at.ulp));
}
END_TEST

START_TEST(integers_agree_exactly)
{
    int64_t a[] = {0, INT64_MAX}, b[] = {0, INT64_MAX - 1};
    const int64_t dim[] = {2, 1}, other[] = {1, 2};
    fx_tensor x = fx_tensor_view(a, FX_I64, 2, dim), y = fx_tensor_view(b, FX_I64, 2, dim), z = fx_tensor_view(a, FX_I64, 2, other);
    fx_difference at;
    ck_assert(!fx_tensor_agrees(&x, &y, NULL, 100, &at));
    ck_assert_int_eq((int)at.position[0], 1);
    ck_assert_int_eq((int)at.position[1], 0);
    ck_assert(!fx_tensor_agrees(&x, &z, NULL, 0, &at));
    ck_assert(!at.same_type);
}
END_TEST

/* ---- Two option sets: a product and a sum round once or twice --------------------------------------------------------------- */

static const char rounding[] = "graph {\n"
                               "symbol n [2, 64] hint 16 multiple 1\n"
                               "%x = placeholder \"x\" : f32[n, 32]\n"
                               "%y = placeholder \"y\" : f32[n, 32]\n"
                               "%a = call_function \"torch.sin\"(%x)\n"
                               "%b = call_function \"torch.mul\"(%a, %y)\n"
                               "%c = call_function \"torch.add\"(%b, %x)\n"
                               "%d = call_function \"torch.neg\"(%c)\n"
                               "%e = call_function \"torch.abs\"(%d)\n"
                               "%output = output((%e, %a))\n"
                               "}\n";

typedef struct fixture {
    fx_context *context;
    fx_module *module;
    fx_tensor in[2];
    fx_compile_options strict;
    fx_bisect_options options;
} fixture;

static void begin(fixture *f)
{
    *f = (fixture){.context = fx_context_new(), .strict = {.precision = FX_PRECISION_STRICT, .threads = 1}};
    f->module = read_graph(f->context, rounding);
    for (int i = 0; i < 2; i++) f->in[i] = random_tensor(2, (int64_t[]){7, 32}, (uint64_t)i + 1);
    f->options.against = &f->strict;
}

static void end(fixture *f)
{
    for (int i = 0; i < 2; i++) fx_tensor_release(&f->in[i]);
    fx_module_free(f->module);
    fx_context_free(f->context);
}

START_TEST(rounding_is_found_and_reduced)
{
    fixture f;
    fx_bisection *found;
    struct stat info;
    begin(&f);
    for (int i = 0; i < 2; i++) { /* the reduced graph has other ones */
        CHECK_OK(f.context, fx_module_set_input_name(f.module, i, i ? "right" : "left"));
        CHECK_OK(f.context, fx_module_set_output_name(f.module, i, i ? "sine" : "result"));
    }
    CHECK_OK(f.context, fx_bisect(f.module, f.in, 2, &f.options, &found));
    const fx_mismatch *m = fx_bisection_mismatch(found);
    ck_assert_int_eq(m->form, FX_BISECT_NATIVE);
    ck_assert_str_eq(m->pass, "codegen");
    ck_assert_str_eq(m->node, "c");
    ck_assert_str_eq(m->op, "add");
    ck_assert(m->first_is_wrong); /* the strict side is what the interpreter computes */
    ck_assert_int_eq(m->n_nodes, 2);
    ck_assert(m->at.ulp > 0 && m->at.rank == 2);
    ck_assert_ptr_nonnull(strstr(m->kernel, "b + c"));
    ck_assert_int_eq(fx_module_input_count(fx_bisection_module(found)), 3);
    CHECK_OK(f.context, fx_bisection_save(found, "bisect_unit.repro"));
    ck_assert_int_eq(stat("bisect_unit.repro/in/a_in.npy", &info), 0);
    ck_assert_int_eq(stat("bisect_unit.repro/bound/c.npy", &info), 0);
    fx_module *again;
    CHECK_OK(f.context, fx_load(f.context, "bisect_unit.repro/model.fxm", &again));
    ck_assert_int_eq(fx_module_input_count(again), 3);
    fx_module_free(again);
    ck_assert_int_eq(fx_bisection_save(found, "/proc/bisect_unit.repro"), FX_E_IO);
    fx_bisection_free(found);
    end(&f);
}
END_TEST

START_TEST(what_agrees_is_not_found)
{
    fixture f;
    fx_bisection *found;
    begin(&f);
    f.options.ulp = -1;
    ck_assert_int_eq(fx_bisect(f.module, f.in, 2, &f.options, &found), FX_E_NOT_FOUND);
    ck_assert_int_eq(fx_bisect(f.module, f.in, 2, NULL, &found), FX_E_NOT_FOUND);
    ck_assert_ptr_null(found);
    ck_assert_int_eq(fx_context_diag_count(f.context), 0);
    ck_assert_int_ne(fx_bisect(f.module, f.in, 1, NULL, &found), FX_OK); /* an input is missing */
    ck_assert_int_gt(fx_context_diag_count(f.context), 0);
    end(&f);
}
END_TEST

static bool count_down(void *user, const char *phase, int32_t percent)
{
    ck_assert_ptr_nonnull(phase);
    ck_assert_int_le(percent, 100);
    return --*(int *)user > 0;
}

START_TEST(a_search_can_be_cancelled)
{
    for (int calls = 1; calls < 8; calls++) {
        fixture f;
        fx_bisection *found;
        int left = calls;
        begin(&f);
        f.options.progress = count_down;
        f.options.progress_user = &left;
        ck_assert_int_eq(fx_bisect(f.module, f.in, 2, &f.options, &found), FX_E_CANCELLED);
        CHECK_DIAG(f.context, "the search was cancelled");
        end(&f);
    }
}
END_TEST

START_TEST(inputs_and_buffers_stay)
{
    fx_bisection *found;
    fx_context *context = fx_context_new();
    fx_module *module = read_graph(context, "graph {\n"
                                            "%x = placeholder \"x\" : f32[8]\n"
                                            "%t = get_attr \"total\"\n"
                                            "%p = call_function \"torch.mul\"(%x, 0.3)\n"
                                            "%s = call_method \"add_\"(%t, %p)\n"
                                            "%y = call_method \"mul_\"(%x, 0.7)\n"
                                            "%o = call_function \"torch.add\"(%s, %y)\n"
                                            "%output = output(%o)\n"
                                            "}\n");
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 8}, before[8], total[8] = {0.5F}, total_before[8] = {0.5F};
    const fx_tensor buffer = fx_tensor_view(total, FX_F32, 1, (int64_t[]){8});
    CHECK_OK(context, fx_module_add_tensor(module, "total", &buffer, true, NULL, NULL));
    fx_tensor in = fx_tensor_view(values, FX_F32, 1, (int64_t[]){8});
    memcpy(before, values, sizeof before);
    ck_assert_int_eq(fx_bisect(module, &in, 1, NULL, &found), FX_E_NOT_FOUND);
    ck_assert_mem_eq(before, values, sizeof before);
    ck_assert_mem_eq(fx_module_tensor(module, "total")->data, total_before, sizeof total_before);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* ---- NaN ---------------------------------------------------------------------------------------------------------------------- */

START_TEST(nan_is_found_where_it_arises)
{
    fx_context *context = fx_context_new();
    fx_module *module = read_graph(context, "graph {\n"
                                            "%x = placeholder \"x\" : f32[2, 4]\n"
                                            "%r = placeholder \"r\" : f32[4]\n"
                                            "%l = call_function \"torch.div\"(%x, %r)\n"
                                            "%m = call_function \"torch.clamp\"(%l, -inf, 1.0)\n"
                                            "%z = call_function \"torch.mul\"(%l, 0.0)\n"
                                            "%n = call_function \"torch.neg\"(%z)\n"
                                            "%output = output((%n, %m))\n"
                                            "}\n");
    float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, r[4] = {1, 1, 0, 1};
    fx_tensor in[] = {fx_tensor_view(x, FX_F32, 2, (int64_t[]){2, 4}), fx_tensor_view(r, FX_F32, 1, (int64_t[]){4})};
    for (int compiled = 0; compiled < 2; compiled++) {
        fx_nonfinites *found;
        CHECK_OK(context, fx_find_nonfinite(module, in, 2, NULL, compiled, &found));
        ck_assert_int_eq(fx_nonfinites_count(found), 2);
        const fx_nonfinite *first = fx_nonfinites_get(found, 0), *second = fx_nonfinites_get(found, 1);
        ck_assert_str_eq(first->node, "l");
        ck_assert(!first->is_nan && isinf(first->value) && first->element == 2 && first->n == 2 && first->n_of == 8);
        ck_assert_int_eq(first->n_operand, 2);
        ck_assert(first->operand[0].has_value && first->operand[0].value == 3 && first->operand[0].most == 8);
        ck_assert(first->operand[1].has_value && first->operand[1].value == 0 && first->operand[1].least == 0);
        ck_assert_str_eq(second->node, "z");
        ck_assert(second->is_nan && second->position[1] == 2 && second->operand[0].n_inf == 2);
        ck_assert_ptr_null(fx_nonfinites_get(found, 2));
        fx_nonfinites_free(found);
    }
    r[2] = 2;
    fx_nonfinites *none;
    CHECK_OK(context, fx_find_nonfinite(module, in, 2, NULL, true, &none));
    ck_assert_int_eq(fx_nonfinites_count(none), 0);
    fx_nonfinites_free(none);
    x[3] = NAN;
    CHECK_OK(context, fx_find_nonfinite(module, in, 2, NULL, true, &none));
    ck_assert_int_eq(fx_nonfinites_count(none), 1);
    ck_assert_str_eq(fx_nonfinites_get(none, 0)->node, "x");
    fx_nonfinites_free(none);
    fx_nonfinites_free(NULL);
    fx_module_free(module);
    fx_context_free(context);
}
END_TEST

/* ---- Two graphs ---------------------------------------------------------------------------------------------------------------- */

static const char whole[] = "graph {\n"
                            "%x = placeholder \"x\" : f32[64]\n"
                            "%y = placeholder \"y\" : f32[64]\n"
                            "%a = call_function \"torch.sin\"(%x)\n"
                            "%b = call_function \"torch.nn.functional.silu\"(%a)\n"
                            "%c = call_function \"torch.mul\"(%b, %y)\n"
                            "%d = call_function \"torch.add\"(%c, %x)\n"
                            "%e = call_function \"torch.tanh\"(%d)\n"
                            "%output = output(%e)\n"
                            "}\n";
/* The same spelt out, under other names, its inputs exchanged; SIGN is add or sub. */
static const char spelt[] = "graph {\n"
                            "%%y = placeholder \"y\" : f32[64]\n"
                            "%%x = placeholder \"x\" : f32[64]\n"
                            "%%n1 = call_function \"torch.sin\"(%%x)\n"
                            "%%n2 = call_function \"torch.sigmoid\"(%%n1)\n"
                            "%%n3 = call_function \"torch.mul\"(%%n1, %%n2)\n"
                            "%%n4 = call_function \"torch.mul\"(%%n3, %%y)\n"
                            "%%n5 = call_function \"torch.%s\"(%%x, %%n4)\n"
                            "%%e = call_function \"torch.tanh\"(%%n5)\n"
                            "%%output = output(%%e)\n"
                            "}\n";

START_TEST(two_graphs_part_where_they_do)
{
    char text[1024];
    fx_parting *parting;
    fx_context *context = fx_context_new();
    fx_tensor in[2] = {random_tensor(1, (int64_t[]){64}, 1), random_tensor(1, (int64_t[]){64}, 2)};
    fx_module *a = read_graph(context, whole);
    snprintf(text, sizeof text, spelt, "add");
    fx_module *same = read_graph(context, text);
    snprintf(text, sizeof text, spelt, "sub");
    fx_module *other = read_graph(context, text);
    CHECK_OK(context, fx_find_parting(a, same, in, 2, -1, &parting));
    ck_assert(parting->agrees);
    fx_parting_free(parting);
    CHECK_OK(context, fx_find_parting(a, other, in, 2, -1, &parting));
    ck_assert(!parting->agrees && !parting->at_output);
    ck_assert_str_eq(parting->output, "e");
    ck_assert_str_eq(parting->node, "d");
    ck_assert_str_eq(parting->other, "n5");
    ck_assert_str_eq(parting->read, "c = n4, x = x");
    ck_assert_int_eq(parting->n_matched, 3);
    ck_assert_int_eq(parting->n_nodes, 5);
    fx_parting_free(parting);
    fx_parting_free(NULL);
    ck_assert_int_eq(fx_find_parting(a, other, in, 1, -1, &parting), FX_E_ARG);
    CHECK_DIAG(context, "1 inputs were given");
    for (int i = 0; i < 2; i++) fx_tensor_release(&in[i]);
    fx_module_free(a);
    fx_module_free(same);
    fx_module_free(other);
    fx_context_free(context);
}
END_TEST

/* ---- Deep graphs: derived bounds grow with every node --------------------------------------------------------------------- */

enum { LAYERS = 24, WIDTH = 32 };

/* Products with one weight, but for the one in the middle, and sums. */
static fx_module *deep_graph(fx_context *context, const fx_tensor *weight, const fx_tensor *middle)
{
    char text[LAYERS * 200 + 400];
    int at = snprintf(text, sizeof text, "graph {\n%%h0 = placeholder \"x\" : f32[8, %d]\n%%w = get_attr \"w\"\n%%v = get_attr \"v\"\n", WIDTH);
    for (int i = 0; i < LAYERS; i++)
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "%%m%d = call_function \"torch.mm\"(%%h%d, %%%s)\n%%t%d = call_function \"torch.sin\"(%%m%d)\n"
                       "%%h%d = call_function \"torch.add\"(%%t%d, %%h%d)\n",
                       i, i, i == LAYERS / 2 ? "v" : "w", i, i, i + 1, i, i);
    snprintf(text + at, sizeof text - (size_t)at, "%%output = output(%%h%d)\n}\n", LAYERS);
    fx_module *module = read_graph(context, text);
    CHECK_OK(context, fx_module_add_tensor(module, "w", weight, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(module, "v", middle, false, NULL, NULL));
    return module;
}

static double largest(const fx_tensor *tensor)
{
    double most = 0;
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) most = fmax(most, fx_tensor_get(tensor, i));
    return most;
}

static void scale(fx_tensor *tensor, double factor)
{
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) fx_tensor_set(tensor, i, factor * fx_tensor_get(tensor, i));
}

START_TEST(tolerances_of_deep_graphs_stay_narrow)
{
    fx_parting *parting;
    fx_context *context = fx_context_new();
    fx_tensor in = random_tensor(2, (int64_t[]){8, WIDTH}, 1), out[2] = {{0}}, bound = {0}, tolerance = {0};
    fx_tensor w = random_tensor(2, (int64_t[]){WIDTH, WIDTH}, 2), v = random_tensor(2, (int64_t[]){WIDTH, WIDTH}, 2);
    scale(&w, 0.05);
    scale(&v, 0.05);
    fx_module *a = deep_graph(context, &w, &w), *b = deep_graph(context, &w, &v);
    CHECK_OK(context, fx_interpret_bound(a, &in, 1, &out[0], &bound, 1));
    CHECK_OK(context, fx_interpret_tolerance(a, &in, 1, &out[1], &tolerance, 1));
    ck_assert_mem_eq(out[0].data, out[1].data, 8 * WIDTH * sizeof(float));
    ck_assert(largest(&tolerance) < 0.1 * largest(&bound));
    CHECK_OK(context, fx_find_parting(a, b, &in, 1, -1, &parting));
    ck_assert(parting->agrees && !parting->node);
    fx_parting_free(parting);
    fx_tensor_set(&v, 3, 1.01 * fx_tensor_get(&v, 3)); /* one weight by 1 % */
    CHECK_OK(context, fx_find_parting(a, b, &in, 1, -1, &parting));
    ck_assert_str_eq(parting->node, "m12");
    ck_assert_str_eq(parting->other, "m12");
    ck_assert(parting->at.bound > 0 && fabs(parting->at.actual - parting->at.expected) > parting->at.bound);
    fx_parting_free(parting);
    fx_module_free(a);
    fx_module_free(b);
    fx_tensor *all[] = {&in, &w, &v, &out[0], &out[1], &bound, &tolerance};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) fx_tensor_release(all[i]);
    fx_context_free(context);
}
END_TEST

FX_TESTS("bisect", elements_agree_within_bounds_or_places, integers_agree_exactly, rounding_is_found_and_reduced, what_agrees_is_not_found,
         a_search_can_be_cancelled, inputs_and_buffers_stay, nan_is_found_where_it_arises, two_graphs_part_where_they_do,
         tolerances_of_deep_graphs_stay_narrow)
