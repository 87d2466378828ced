/* SPDX-License-Identifier: Apache-2.0 */
/* Probe of index maps, padding, tails and masks: one odd value (NaN, infinity, -0, a denormal; of integers the ends of their range,
 * 0 and -1) at each input position in turn, and at positions of constants; the set of outputs that become NaN must be the
 * interpreter's, and the others must keep within the bound. */
#include "compare.h"
#include "ir/op.h"
#include "probe.h"
#include <math.h>
#include <string.h>

enum { MOST_POSITIONS = 24 };

static const double odd[] = {NAN, INFINITY, -0.0, 0x1p-140};

enum { ODD_VALUES = 4 };

static void set_odd(fx_tensor *tensor, int64_t at, size_t k)
{
    fx_dtype dtype = tensor->dtype;
    int bits = 8 * (int)fx_dtype_bytes(dtype);
    uint64_t ones = dtype == FX_BOOL ? 1 : ~UINT64_C(0) >> (64 - bits), top = ones ^ ones >> 1;
    const uint64_t of_signed[ODD_VALUES] = {top, ones ^ top, 0, ones}, of_unsigned[ODD_VALUES] = {0, ones, top, 1};
    char *element = (char *)tensor->data + at * (int64_t)fx_dtype_bytes(dtype);
    if (fx_dtype_is_float(dtype))
        fx_tensor_set(tensor, at, odd[k]);
    else if (dtype == FX_BOOL)
        *element = (char)(k % 2);
    else
        memcpy(element, fx_dtype_is_signed(dtype) ? &of_signed[k] : &of_unsigned[k], fx_dtype_bytes(dtype)); /* little-endian */
}

static void expect_same_set(const fx_probe *p, const fx_tensor *actual, double value, int64_t at)
{
    char what[96];
    snprintf(what, sizeof what, "%g at element %lld", value, (long long)at);
    for (int32_t i = 0; i < p->n_out; i++) {
        for (int64_t e = 0; e < fx_tensor_elems(&actual[i]); e++)
            if (isnan(fx_tensor_get(&p->expected[i], e)) != isnan(fx_tensor_get(&actual[i], e)))
                fx_probe_fail(p, what, i, isnan(fx_tensor_get(&actual[i], e)) ? "a NaN too many" : "a NaN is lost");
    }
    if (!isnan(value)) fx_probe_expect(p, what, p->expected, actual, true);
}

/* A long product may underflow to 0 in one order and not in another; what meets an infinity then is NaN or not. */
static bool has_product(const fx_probe *p)
{
    FX_EACH_NODE(node, fx_module_graph(p->module))
    if (fx__op_is(node, FX_OP_prod)) return true;
    return false;
}

/* One run against the interpreter; compiled NULL: compiled anew, since a constant has changed. */
static void check_value(fx_probe *p, const fx_compiled *compiled, double value, int64_t at)
{
    fx_tensor out[FX_PROBE_TENSORS] = {{0}};
    fx_compiled *own = compiled ? NULL : fx_probe_compile(p, &(fx_compile_options){.threads = 1});
    fx_probe_interpret(p);
    CHECK_OK(p->context, fx_run(compiled ? compiled : own, p->context, p->in, p->n_in, out, p->n_out));
    expect_same_set(p, out, value, at);
    fx_probe_release(out, p->n_out);
    fx_compiled_free(own);
}

static void check_position(fx_probe *p, const fx_compiled *compiled, fx_tensor *tensor, int64_t at, size_t from, size_t to)
{
    char before[16];
    size_t bytes = fx_dtype_bytes(tensor->dtype);
    char *element = (char *)tensor->data + (size_t)at * bytes;
    bool real = fx_dtype_is_float(tensor->dtype);
    memcpy(before, element, bytes);
    for (size_t k = from; k < to; k++) {
        if (real && isinf(odd[k]) && has_product(p)) continue;
        set_odd(tensor, at, k);
        check_value(p, compiled, real ? odd[k] : 0, at);
    }
    memcpy(element, before, bytes);
}

/* Whether an integer of any size may be an index of the graph, or a float of any size becomes one. */
static bool has_indices(const fx_probe *p)
{
    FX_EACH_NODE(node, fx_module_graph(p->module))
    if (fx__op_of(node) && strcmp(fx__op_of(node)->family, "index") == 0) return true;
    return false;
}

/* One position of each constant, with each odd value in turn over the constants. */
static void check_constants(fx_probe *p)
{
    const fx_module *module = p->module;
    for (int32_t i = 0; i < module->n_tensors; i++) {
        fx_tensor *tensor = (fx_tensor *)&module->tensors[i].tensor;
        int64_t n = fx_tensor_elems(tensor);
        if (n == 0 || (!fx_dtype_is_float(tensor->dtype) && has_indices(p))) continue;
        check_position(p, NULL, tensor, (n - 1) * (i % 3) / 2, (size_t)i % ODD_VALUES, (size_t)i % ODD_VALUES + 1);
    }
}

static void check(fx_probe *p, bool constants)
{
    fx_compiled *compiled = fx_probe_compile(p, &(fx_compile_options){.threads = 1});
    for (int32_t i = 0; i < p->n_in; i++) {
        if (!fx_dtype_is_float(p->in[i].dtype) && has_indices(p)) continue;
        int64_t n = fx_tensor_elems(&p->in[i]), step = n > MOST_POSITIONS ? n / MOST_POSITIONS : 1;
        for (int64_t at = 0; at < n; at += step) check_position(p, compiled, &p->in[i], at, 0, ODD_VALUES);
    }
    fx_compiled_free(compiled);
    if (constants) check_constants(p);
    fx_probe_free(p);
}

static void check_text(const char *lines)
{
    fx_probe p = fx_probe_text(lines, false);
    check(&p, true);
}

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(op, args) "%y = call_function \"torch.ops.aten." op "\"" args "\n"

START_TEST(hand_made_graphs)
{
    check_text(IN("x", "f32[1, 3, 5, 6]") IN("w", "f32[17, 3, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 1)"));
    check_text(IN("x", "f32[1, 3, 7, 6]") IN("w", "f32[5, 3, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [2, 2], [1, 1], [2, 2], 1)"));
    check_text(IN("x", "f32[1, 5, 6, 6]") IN("w", "f32[5, 1, 3, 3]")
                   CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 5)"));
    check_text(IN("x", "f32[1, 2, 5, 5]") CALL("max_pool2d.default", "(%x, [3, 3], [2, 2], [1, 1])"));
    check_text(IN("x", "f32[1, 18, 4, 5]") CALL("max_pool2d.default", "(%x, [2, 2], [1, 1], [1, 1])"));
    check_text(IN("x", "f32[1, 2, 5, 5]") CALL("avg_pool2d.default", "(%x, [3, 3], [2, 2], [1, 1])"));
    check_text(IN("x", "f32[3, 19]") CALL("_softmax.default", "(%x, 1, False)"));
    check_text(IN("x", "f32[3, 19]") CALL("_softmax.default", "(%x, 0, False)"));
    check_text(IN("x", "f32[3, 37]") IN("w", "f32[19, 37]") IN("wb", "f32[19]") CALL("linear.default", "(%x, %w, %wb)"));
    check_text(IN("x", "f32[5, 7]") IN("z", "f32[7, 33]") CALL("mm.default", "(%x, %z)"));
    check_text(IN("x", "f32[1, 7]") IN("z", "f32[7, 33]") CALL("mm.default", "(%x, %z)"));
    check_text(IN("x", "f32[5, 33]") CALL("sum.dim_IntList", "(%x, [1])"));
    check_text(IN("x", "f32[5, 33]") CALL("sum.dim_IntList", "(%x, [0])"));
    check_text(IN("x", "f32[5, 33]") CALL("amax.default", "(%x, [1])"));
    check_text(IN("x", "f32[5, 33]") CALL("amin.default", "(%x, [0])"));
    check_text(IN("x", "f32[5, 33]") CALL("mean.dim", "(%x, [1])"));
    check_text(IN("q", "f32[1, 5, 4]") IN("k", "f32[1, 3, 4]") IN("v", "f32[1, 3, 4]")
                   CALL("scaled_dot_product_attention.default", "(%q, %k, %v)"));
    check_text(IN("x", "f32[37]") CALL("relu.default", "(%x)"));
    check_text(IN("x", "f32[37]") CALL("clamp.default", "(%x, -1.0, 1.0)"));
    check_text(IN("x", "f32[3, 5]") CALL("constant_pad_nd.default", "(%x, [1, 2], 0.5)"));
}
END_TEST

/* Not a number beside padding: zeros of the padding are never multiplied with the weight, in both engines. */
START_TEST(odd_weights_beside_padding)
{
    check_text(IN("x", "f32[1, 2, 4, 4]") IN("z", "f32[3, 2, 3, 3]")
                   CALL("conv2d.default", "(%x, %z, None, [1, 1], [1, 1], [1, 1], 1)"));
}
END_TEST

/* A place that is no number is the first pixel where places are kept inside, and outside elsewhere. */
START_TEST(odd_places_on_an_image)
{
    for (int mode = 0; mode < 3; mode++)
        for (int edge = 0; edge < 3; edge++) {
            char text[256];
            snprintf(text, sizeof text,
                     "%%x = placeholder \"x\" : f32[1, 2, 4, 4]\n%%z = placeholder \"z\" : f32[1, 3, 5, 2]\n"
                     "%%y = call_function \"torch.ops.aten.grid_sampler_2d.default\"(%%x, %%z, %d, %d, %s)\n",
                     mode, edge, edge == 1 ? "True" : "False");
            check_text(text);
        }
}
END_TEST

START_TEST(integers_at_the_ends_of_their_range)
{
    static const char *const types[] = {"i8", "i32", "i64", "u8"};
    static const char *const calls[] = {"add.Tensor\"(%x, %z)",
                                        "mul.Tensor\"(%x, %z)",
                                        "sub.Tensor\"(%x, %z)",
                                        "floor_divide.default\"(%x, %z)",
                                        "remainder.Tensor\"(%x, %z)",
                                        "fmod.Tensor\"(%x, %z)",
                                        "maximum.default\"(%x, %z)",
                                        "bitwise_left_shift.Tensor\"(%x, %z)",
                                        "bitwise_right_shift.Tensor\"(%x, %z)",
                                        "div.Tensor\"(%x, %z)",
                                        "lt.Tensor\"(%x, %z)",
                                        "abs.default\"(%x)",
                                        "neg.default\"(%x)",
                                        "sum.dim_IntList\"(%x, [0])",
                                        "amin.default\"(%x, [0])",
                                        "argmax.default\"(%x, 0)",
                                        "_to_copy.default\"(%x, dtype=dtype(f32))",
                                        "_to_copy.default\"(%x, dtype=dtype(i16))"};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++)
        for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
            char text[512];
            snprintf(text, sizeof text, "%%x = placeholder \"x\" : %s[19]\n%s%s%s%%y = call_function \"torch.ops.aten.%s\n",
                     types[t], strstr(calls[c], "%z") ? "%z = placeholder \"z\" : " : "", strstr(calls[c], "%z") ? types[t] : "",
                     strstr(calls[c], "%z") ? "[19]\n" : "", calls[c]);
            check_text(text);
        }
}
END_TEST

/* Values without a counterpart among integers have stated ones. */
START_TEST(odd_values_become_integers)
{
    static const char *const types[] = {"i8", "i16", "i32", "i64", "u8", "bool"};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        char text[256];
        snprintf(
            text, sizeof text,
            "%%x = placeholder \"x\" : f32[21]\n%%y = call_function \"torch.ops.aten._to_copy.default\"(%%x, dtype=dtype(%s))\n",
            types[t]);
        check_text(text);
    }
}
END_TEST

START_TEST(random_graphs)
{
    for (uint64_t seed = 3000; seed < 3060; seed++) {
        fx_probe p = fx_probe_random(seed, false, 2, 5);
        check(&p, seed % 4 == 0);
    }
}
END_TEST

FX_TESTS("probe_nan", hand_made_graphs, odd_weights_beside_padding, odd_places_on_an_image, integers_at_the_ends_of_their_range,
         odd_values_become_integers, random_graphs)
