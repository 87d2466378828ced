/* SPDX-License-Identifier: Apache-2.0 */
/* Probe of symbolic sizes: what is compiled once for a symbol gives at every size what a compile of that size gives, both within
 * the interpreter's bound; sizes that a recorded guard forbids are refused. */
#include "probe.h"
#include "compare.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 70, HINT = 17, TEXT = 2048 };

/* Lines in which # is the symbol n, or a size. The lowest size, the symbol's input and axis; refused: a size that a guard forbids,
 * -1: there is none. */
typedef struct family {
    const char *lines;
    int lowest, input, axis, refused;
} family;

static void substitute(const char *lines, const char *size, char text[TEXT])
{
    size_t n = 0;
    for (; *lines; lines++) n += (size_t)snprintf(text + n, TEXT - n, "%.*s", *lines == '#' ? 99 : 1, *lines == '#' ? size : lines);
}

static fx_probe symbolic(const family *f)
{
    char text[TEXT], all[TEXT + 128];
    substitute(f->lines, "n", text);
    snprintf(all, sizeof all, "symbol n [0, %d] hint %d multiple 1 input %d axis %d\n%s", MOST, HINT, f->input, f->axis, text);
    return fx_probe_text(all, false);
}

static fx_probe fixed(const family *f, int size)
{
    char text[TEXT], digits[16];
    snprintf(digits, sizeof digits, "%d", size);
    substitute(f->lines, digits, text);
    return fx_probe_text(text, false);
}

static void check_size(const family *f, const fx_compiled *once, fx_context *context, int size)
{
    fx_tensor general[FX_PROBE_TENSORS] = {0}, own[FX_PROBE_TENSORS] = {0};
    fx_probe p = fixed(f, size);
    CHECK_OK(context, fx_run(once, context, p.in, p.n_in, general, p.n_out));
    fx_probe_expect(&p, "compiled for a symbol", p.expected, general, true);
    fx_probe_run(&p, &(fx_compile_options){.threads = 1}, own);
    fx_probe_expect(&p, "compiled for this size", p.expected, own, true);
    fx_probe_release(general, p.n_out);
    fx_probe_release(own, p.n_out);
    fx_probe_free(&p);
}

/* The static graph would not even be made: the inputs are, and the run must name the guard. */
static void check_refused(const family *f, const fx_probe *s, const fx_compiled *once, int size)
{
    fx_tensor in[FX_PROBE_TENSORS], out[FX_PROBE_TENSORS] = {0};
    for (int32_t i = 0; i < s->n_in; i++) {
        int64_t dim[FX_RANK];
        memcpy(dim, s->in[i].dim, sizeof dim);
        const fx_type *type = fx_module_input_type(s->module, i);
        for (int32_t d = 0; d < type->rank; d++)
            if (!fx_dim_is_const(type->dim[d])) dim[d] = size;
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, dim, &in[i]), FX_OK);
    }
    ck_assert_msg(fx_run(once, s->context, in, s->n_in, out, s->n_out) == FX_E_GUARD, "%s\nwas not refused at %d", f->lines, size);
    ck_assert_int_gt(fx_context_diag_count(s->context), 0);
    fx_probe_release(in, s->n_in);
    fx_probe_release(out, s->n_out);
}

static void check(const family *f, const fx_compile_options *options)
{
    static const int sizes[] = {0, 1, 2, 15, 16, HINT, 31, 33, MOST};
    fx_probe s = symbolic(f);
    int64_t before = fx_compile_count();
    fx_compiled *once = fx_probe_compile(&s, options);
    uint64_t hash = fx_compiled_code_hash(once);
    ck_assert_int_eq(fx_compile_count() - before, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i] >= f->lowest) check_size(f, once, s.context, sizes[i]);
    ck_assert_uint_eq(fx_compiled_code_hash(once), hash);
    if (f->refused >= 0) check_refused(f, &s, once, f->refused);
    check_refused(f, &s, once, MOST + 1);
    fx_compiled_free(once);
    fx_probe_free(&s);
}

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define LET(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"
#define CALL(op, args) LET("y", op, args)

static const family pointwise[] = {
    {IN("x", "f32[#]") IN("z", "f32[#]") LET("e", "exp.default", "(%x)") CALL("add.Tensor", "(%e, %z)"), 0, 0, 0, -1},
    {IN("x", "f32[3, #]") IN("z", "f32[3, 1]") CALL("mul.Tensor", "(%x, %z)"), 0, 0, 1, -1},
    {IN("x", "f16[#, 5]") CALL("tanh.default", "(%x)"), 0, 0, 0, -1},
    {IN("x", "i32[#, 5]") CALL("add.Tensor", "(%x, %x)"), 0, 0, 0, -1},
};

static const family reductions[] = {
    {IN("x", "f32[5, #]") CALL("sum.dim_IntList", "(%x, [1])"), 0, 0, 1, -1},
    {IN("x", "f32[#, 19]") CALL("mean.dim", "(%x, [0])"), 1, 0, 0, -1},
    {IN("x", "f32[#, 5]") CALL("amax.default", "(%x, [1])"), 0, 0, 0, -1},
    {IN("x", "f32[5, #]") CALL("_softmax.default", "(%x, 1, False)"), 0, 0, 1, -1},
    {IN("x", "f32[#, 7]") CALL("_softmax.default", "(%x, 0, False)"), 0, 0, 0, -1},
    {IN("x", "f32[#, 24]") IN("w", "f32[24]") IN("wb", "f32[24]") CALL("layer_norm.default", "(%x, [24], %w, %wb)"), 0, 0, 0, -1},
};

/* Several values wait at a time. */
static const family waiting[] = {
    {IN("x", "f32[#, 7]") LET("a", "_softmax.default", "(%x, 1, False)") LET("b", "_softmax.default", "(%x, 0, False)")
         LET("c", "_softmax.default", "(%a, 0, False)") LET("d", "mul.Tensor", "(%a, %b)") CALL("add.Tensor", "(%d, %c)"),
     0, 0, 0, -1},
    {IN("x", "f32[3, #]") IN("w", "f32[3, 3]") LET("a", "mm.default", "(%w, %x)") LET("b", "mm.default", "(%w, %a)")
         LET("c", "mm.default", "(%w, %b)") LET("d", "sub.Tensor", "(%a, %c)") CALL("sub.Tensor", "(%d, %b)"),
     0, 0, 1, -1},
};

static const family products[] = {
    {IN("x", "f32[#, 24]") IN("w", "f32[40, 24]") IN("wb", "f32[40]") CALL("linear.default", "(%x, %w, %wb)"), 0, 0, 0, -1},
    {IN("x", "f32[5, #]") IN("z", "f32[#, 21]") CALL("mm.default", "(%x, %z)"), 0, 0, 1, -1},
    {IN("x", "f32[2, #, 16]") IN("z", "f32[2, 16, #]") CALL("matmul.default", "(%x, %z)"), 0, 0, 1, -1},
    {IN("x", "f32[2, #, 16]") LET("t", "transpose.int", "(%x, 1, 2)") LET("s", "matmul.default", "(%x, %t)")
         LET("p", "_softmax.default", "(%s, -1, False)") CALL("matmul.default", "(%p, %x)"),
     0, 0, 1, -1},
};

static const family windows[] = {
    {IN("x", "f32[#, 3, 9, 9]") IN("w", "f32[20, 3, 3, 3]") CALL("conv2d.default", "(%x, %w, None, [2, 2], [1, 1], [1, 1], 1)"), 0,
     0, 0, -1},
    {IN("x", "f32[1, 3, 5, #]") IN("w", "f32[16, 3, 3, 3]") CALL("conv2d.default", "(%x, %w, None, [1, 1], [0, 0], [1, 1], 1)"), 3,
     0, 3, 2},
    {IN("x", "f32[1, 16, 5, #]") IN("w", "f32[16, 1, 3, 3]") CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 16)"),
     1, 0, 3, 0},
    {IN("x", "f32[2, 4, #, 6]") CALL("max_pool2d.default", "(%x, [3, 2], [2, 2])"), 3, 0, 2, 1},
    {IN("x", "f32[2, 4, #, 6]") CALL("avg_pool2d.default", "(%x, [2, 2])"), 2, 0, 2, 1},
};

static const family moves[] = {
    {IN("x", "f32[#, 19]") CALL("permute.default", "(%x, [1, 0])"), 0, 0, 0, -1},
    {IN("x", "f32[3, #]") IN("z", "f32[3, 5]") LET("c", "cat.default", "([%x, %z, %x], 1)") CALL("neg.default", "(%c)"), 0, 0, 1,
     -1},
    {IN("x", "f32[#, 6]") LET("e", "exp.default", "(%x)") CALL("view.default", "(%e, [-1, 2, 3])"), 0, 0, 0, -1},
    {IN("x", "f32[#, 6]") CALL("slice.Tensor", "(%x, 0, 1, -1)"), 2, 0, 0, -1},
    {IN("x", "f32[1, #]") CALL("expand.default", "(%x, [4, -1])"), 0, 0, 1, -1},
    {IN("x", "f32[3, #]") CALL("constant_pad_nd.default", "(%x, [1, 2], 0.5)"), 0, 0, 1, -1},
    {IN("x", "f32[3, #]") CALL("flip.default", "(%x, [1])"), 0, 0, 1, -1},
};

/* Once as users compile, once with every node's value in memory. */
static void check_all(const family *families, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        check(&families[i], &(fx_compile_options){.threads = 2, .verify = true});
        check(&families[i], &(fx_compile_options){.threads = 1, .verify = true, .no_fusion = true});
    }
}

#define CHECK_ALL(families) check_all(families, sizeof families / sizeof families[0])

START_TEST(pointwise_at_every_size)
{
    CHECK_ALL(pointwise);
}
END_TEST

START_TEST(reductions_at_every_size)
{
    CHECK_ALL(reductions);
}
END_TEST

START_TEST(waiting_values_at_every_size)
{
    CHECK_ALL(waiting);
}
END_TEST

START_TEST(products_at_every_size)
{
    CHECK_ALL(products);
}
END_TEST

START_TEST(windows_at_every_size)
{
    CHECK_ALL(windows);
}
END_TEST

START_TEST(moves_at_every_size)
{
    CHECK_ALL(moves);
}
END_TEST

FX_TESTS("probe_symbols", pointwise_at_every_size, reductions_at_every_size, waiting_values_at_every_size, products_at_every_size,
         windows_at_every_size, moves_at_every_size)
