/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of memory: results must not depend on what workspace, scratch and outputs held before (poison), and nothing outside the
 * tensors, the workspace and each constant may be touched (pages without access directly before and after each). */
#include "probe_program.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- Poison ----------------------------------------------------------------------------------------------------------------- */

static void run_poisoned(const fx_probe *p, const fx_compiled *compiled, int pattern, fx_tensor *out)
{
    size_t bytes = fx_compiled_workspace_bytes(compiled);
    char *workspace = aligned_alloc(64, bytes + 64);
    memset(workspace, pattern, bytes + 64);
    fx_probe_outputs(p, out);
    for (int32_t i = 0; i < p->n_out; i++) memset(out[i].data, pattern, (size_t)fx_tensor_bytes(&out[i]));
    ck_assert_msg(fx_probe_call(compiled, p->in, out, workspace) == FX_OK, "%s", p->name);
    free(workspace);
}

static void check_poison(fx_probe *p, const fx_compile_options *options)
{
    fx_compiled *compiled = fx_probe_compile(p, options);
    fx_tensor one[FX_PROBE_TENSORS], other[FX_PROBE_TENSORS];
    run_poisoned(p, compiled, 0xff, one);
    run_poisoned(p, compiled, 0x41, other);
    fx_probe_expect(p, "poisoned with NaN", p->expected, one, true);
    for (int32_t i = 0; i < p->n_out; i++)
        if (memcmp(one[i].data, other[i].data, (size_t)fx_tensor_bytes(&one[i])) != 0)
            fx_probe_fail(p, "two poisons", i, "results depend on what memory held before");
    fx_probe_release(one, p->n_out);
    fx_probe_release(other, p->n_out);
    fx_compiled_free(compiled);
}

START_TEST(earlier_contents_of_memory_do_not_matter)
{
    for (uint64_t seed = 500; seed < 620; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 20);
        check_poison(&p, &(fx_compile_options){.threads = 1 + (int32_t)(seed % 2), .no_in_place = seed % 3 == 0});
        fx_probe_free(&p);
    }
}
END_TEST

/* ---- Guard pages ------------------------------------------------------------------------------------------------------------ */

typedef struct fence {
    char *map, *data;
    size_t bytes;
} fence;

/* `bytes` of memory that end (or, at_start, begin) at a page without access. */
static fence fence_new(size_t bytes, size_t align, bool at_start)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inner = (bytes + align + page - 1) / page * page;
    fence f = {.bytes = inner + 2 * page};
    f.map = mmap(NULL, f.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(f.map != MAP_FAILED);
    ck_assert_int_eq(mprotect(f.map, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(f.map + page + inner, page, PROT_NONE), 0);
    f.data = at_start ? f.map + page : f.map + page + inner - (bytes + align - 1) / align * align;
    return f;
}

static fence fence_tensor(fx_tensor *tensor, bool at_start)
{
    fence f = fence_new((size_t)fx_tensor_bytes(tensor), fx_dtype_bytes(tensor->dtype), at_start);
    if (tensor->data) memcpy(f.data, tensor->data, (size_t)fx_tensor_bytes(tensor));
    tensor->data = f.data;
    return f;
}

static void fences_free(const fence *f, int32_t n)
{
    for (int32_t i = 0; i < n; i++) munmap(f[i].map, f[i].bytes);
}

static void check_fenced_run(const fx_probe *p, const fx_compiled *compiled, bool at_start)
{
    fx_tensor in[FX_PROBE_TENSORS], out[FX_PROBE_TENSORS];
    fence f[2 * FX_PROBE_TENSORS + 1];
    int32_t n = 0;
    for (int32_t i = 0; i < p->n_in; i++) {
        in[i] = p->in[i];
        f[n++] = fence_tensor(&in[i], at_start);
    }
    for (int32_t i = 0; i < p->n_out; i++) {
        out[i] = fx_tensor_view(NULL, p->expected[i].dtype, p->expected[i].rank, p->expected[i].dim);
        f[n++] = fence_tensor(&out[i], at_start);
    }
    f[n] = fence_new(fx_compiled_workspace_bytes(compiled), 64, at_start);
    ck_assert_msg(fx_probe_call(compiled, in, out, f[n++].data) == FX_OK, "%s", p->name);
    fx_probe_expect(p, at_start ? "fences before" : "fences after", p->expected, out, true);
    fences_free(f, n);
}

static void check_fenced(fx_probe *p, const fx_compile_options *options)
{
    fx_compiled *compiled = fx_probe_compile(p, options);
    check_fenced_run(p, compiled, false);
    check_fenced_run(p, compiled, true);
    fx_compiled_free(compiled);
    fx_probe_free(p);
}

/* A template in which # stands for a size. */
static void fill_in(char *text, size_t room, const char *lines, int size)
{
    size_t n = 0;
    for (const char *c = lines; *c && n + 12 < room; c++) {
        if (*c == '#') {
            n += (size_t)snprintf(text + n, room - n, "%d", size);
        } else {
            text[n++] = *c;
        }
    }
    text[n] = 0;
}

static void check_size(const char *lines, int size, int32_t threads)
{
    char text[1024];
    fill_in(text, sizeof text, lines, size);
    fx_probe p = fx_probe_text(text, false);
    check_fenced(&p, &(fx_compile_options){.threads = threads});
}

enum { LANES = 16 }; /* f32 lanes of the widest target */

static void check_residues(const char *lines)
{
    for (int size = 1; size <= 2 * LANES + 1; size++) check_size(lines, size, 1);
}

/* Sizes at which the kernel is worth sharing: some end within a vector, some within a chunk. */
static void check_shared(const char *lines, int size)
{
    static const int more[] = {0, 1, 7, LANES, 3 * LANES + 5, 101};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) check_size(lines, size + more[i], 2);
}

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(op, args) "%y = call_function \"torch.ops.aten." op "\"" args "\n"

START_TEST(pointwise_stays_inside)
{
    check_residues(IN("x", "f32[#]") IN("z", "f32[#]") CALL("add.Tensor", "(%x, %z)"));
    check_residues(IN("x", "f32[3, #]") IN("z", "f32[#]") CALL("mul.Tensor", "(%x, %z)"));
    check_residues(IN("x", "i8[#]") IN("z", "i8[#]") CALL("add.Tensor", "(%x, %z)"));
    check_residues(IN("x", "f16[#]") CALL("exp.default", "(%x)"));
}
END_TEST

START_TEST(reductions_stay_inside)
{
    check_residues(IN("x", "f32[3, #]") CALL("sum.dim_IntList", "(%x, [1])"));
    check_residues(IN("x", "f32[3, #]") CALL("amax.default", "(%x, [0])"));
    check_residues(IN("x", "f32[3, #]") CALL("_softmax.default", "(%x, 1, False)"));
    check_residues(IN("x", "f32[#, 5]") CALL("_softmax.default", "(%x, 0, False)"));
}
END_TEST

START_TEST(products_stay_inside)
{
    check_residues(IN("x", "f32[#, 5]") IN("w", "f32[19, 5]") IN("wb", "f32[19]") CALL("linear.default", "(%x, %w, %wb)"));
    check_residues(IN("x", "f32[3, 5]") IN("w", "f32[#, 5]") IN("wb", "f32[#]") CALL("linear.default", "(%x, %w, %wb)"));
    check_residues(IN("x", "f32[3, #]") IN("w", "f32[19, #]") CALL("linear.default", "(%x, %w)"));
    check_residues(IN("x", "f32[3, 7]") IN("z", "f32[7, #]") CALL("mm.default", "(%x, %z)"));
    check_residues(IN("x", "f32[1, #]") IN("z", "f32[#, 21]") CALL("mm.default", "(%x, %z)"));
}
END_TEST

START_TEST(convolutions_stay_inside)
{
    check_residues(IN("x", "f32[1, #, 5, 5]") IN("w", "f32[3, #, 3, 3]")
                       CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 1)"));
    check_residues(IN("x", "f32[1, 2, 5, 5]") IN("w", "f32[#, 2, 3, 3]") IN("wb", "f32[#]")
                       CALL("conv2d.default", "(%x, %w, %wb, [2, 2], [1, 1], [1, 1], 1)"));
    check_residues(IN("x", "f32[1, #, 6, 5]") IN("w", "f32[#, 1, 3, 3]")
                       CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], #)"));
    check_residues(IN("x", "f32[1, 2, 3, #]") IN("w", "f32[4, 2, 1, 1]")
                       CALL("conv2d.default", "(%x, %w, None, [1, 1], [0, 0], [1, 1], 1)"));
    check_residues(IN("x", "f32[1, 3, 4, #]") CALL("max_pool2d.default", "(%x, [3, 3], [1, 1], [1, 1])"));
}
END_TEST

START_TEST(moves_stay_inside)
{
    check_residues(IN("x", "f32[#, 17]") CALL("permute.default", "(%x, [1, 0])") "%r = call_function "
                                                                                 "\"torch.ops.aten.relu.default\"(%y)\n"
                                                                                 "%output = output((%r, %y))\n");
    check_residues(IN("x", "f32[2, 3, #]") CALL("permute.default", "(%x, [2, 0, 1])"));
    check_residues(IN("x", "f32[3, #]") CALL("constant_pad_nd.default", "(%x, [1, 2], 0.5)"));
    check_residues(IN("x", "f32[3, #]") CALL("flip.default", "(%x, [1])"));
    check_residues(IN("x", "f32[2, #]") IN("z", "f32[2, 5]") CALL("cat.default", "([%x, %z], 1)"));
}
END_TEST

/* Code for a size that is known only when it runs; the hint is what it runs at. */
#define SYMBOL "symbol n [0, 64] hint # multiple 1 input 0 axis "

START_TEST(symbolic_sizes_stay_inside)
{
    check_residues(SYMBOL "0\n" IN("x", "f32[n]") CALL("exp.default", "(%x)"));
    check_residues(SYMBOL "1\n" IN("x", "f32[3, n]") CALL("sum.dim_IntList", "(%x, [1])"));
    check_residues(SYMBOL "1\n" IN("x", "f32[3, n]") CALL("_softmax.default", "(%x, 1, False)"));
    check_residues(SYMBOL "0\n" IN("x", "f32[n, 19]") CALL("permute.default", "(%x, [1, 0])"));
    check_residues(SYMBOL "0\n" IN("x", "f32[n, 5]") IN("z", "f32[19, 5]") IN("b", "f32[19]")
                       CALL("linear.default", "(%x, %z, %b)"));
    check_residues(SYMBOL "3\n" IN("x", "f32[1, 18, 5, n]") CALL("max_pool2d.default", "(%x, [3, 3], [1, 1], [1, 1])"));
    check_residues(SYMBOL "3\n" IN("x", "f32[1, 3, n, n]") IN("w", "f32[16, 3, 1, 1]") IN(
        "wd", "f32[16, 1, 3, 3]") "%c = call_function \"torch.ops.aten.conv2d.default\"(%x, %w, None, [1, 1], [0, 0], [1, 1], "
                                  "1)\n" CALL("conv2d.default", "(%c, %wd, None, [1, 1], [1, 1], [1, 1], 16)"));
    check_residues(SYMBOL "1\n" IN("x", "f32[7, n]") IN("z", "f32[3, 7]") CALL("mm.default", "(%z, %x)"));
}
END_TEST

START_TEST(chunks_stay_inside)
{
    check_shared(IN("x", "f32[#]") CALL("exp.default", "(%x)"), 20000);
    check_shared(IN("x", "f32[#]") IN("z", "f32[#]") CALL("add.Tensor", "(%x, %z)"), 100000);
    check_shared(IN("x", "f32[9, #]") CALL("exp.default", "(%x)"), 3000);
    check_shared(IN("x", "f32[#, 21]") CALL("_softmax.default", "(%x, 1, False)"), 1000);
    check_shared(IN("x", "f32[21, #]") CALL("sum.dim_IntList", "(%x, [0])"), 10000);
    check_shared(IN("x", "f32[#]") CALL("sum.default", "(%x)"), 100000);
    check_shared(IN("x", "f32[#, 300]") CALL("permute.default", "(%x, [1, 0])"), 300);
    check_shared(IN("x", "f32[#, 64]") IN("w", "f32[70, 64]") CALL("linear.default", "(%x, %w)"), 100);
    check_shared(IN("x", "f32[1, 256]") IN("w", "f32[#, 256]") CALL("linear.default", "(%x, %w)"), 1000);
    check_shared(IN("x", "f32[1, 4, 9, #]") IN("w", "f32[20, 4, 3, 3]")
                     CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 1)"),
                 100);
    check_shared(IN("x", "f32[1, 16, 20, #]") IN("w", "f32[16, 1, 3, 3]")
                     CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], 16)"),
                 100);
}
END_TEST

START_TEST(random_graphs_stay_inside)
{
    for (uint64_t seed = 700; seed < 760; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 20);
        check_fenced(&p, &(fx_compile_options){.threads = 1 + (int32_t)(seed % 2)});
    }
}
END_TEST

/* ---- Fences round every constant ----------------------------------------------------------------------------------------------
 */

/* Where constants lie in their block when each has pages of its own. */
typedef struct layout {
    const fx_program *program;
    char *map;
    size_t page, bytes;
    bool at_start;
} layout;

static bool is_root_constant(const fx_buf *buf)
{
    return buf->role == FX_BUF_CONST && buf->parent < 0 && buf->offset >= 0;
}

static size_t constant_bytes(const fx_program *program, int32_t i)
{
    return (size_t)fx__buf_elems(program, i) * fx_dtype_bytes(program->buf[i].dtype);
}

/* Each begins at a page, or ends at one as nearly as its alignment allows; between them one page is left. */
static void spread_constants(fx_program *program, layout *l)
{
    fx_dim moved[1024];
    size_t at = l->page;
    ck_assert_int_le(program->n_buf, 1024);
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        moved[i] = 0;
        if (!is_root_constant(buf)) continue;
        size_t align = buf->align > 64 ? buf->align : 64, bytes = (constant_bytes(program, i) + align - 1) / align * align;
        size_t pages = (bytes + l->page - 1) / l->page * l->page;
        fx_dim to = (fx_dim)(l->at_start ? at : at + pages - bytes);
        moved[i] = to - buf->offset;
        at += pages + l->page;
    }
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        if (buf->role == FX_BUF_CONST && buf->offset >= 0) buf->offset += moved[fx__buf_root(program, i)];
    }
    program->const_bytes = (int64_t)at;
    l->bytes = at;
}

/* A copy in which all but the constants' own pages is out of reach. */
static const void *fence_constants(void *user, const void *consts)
{
    layout *l = user;
    l->map = mmap(NULL, l->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(l->map != MAP_FAILED);
    memcpy(l->map, consts, l->bytes);
    char *reach = calloc(l->bytes / l->page, 1);
    for (int32_t i = 0; i < l->program->n_buf; i++) {
        if (!is_root_constant(&l->program->buf[i])) continue;
        size_t from = (size_t)l->program->buf[i].offset, to = from + constant_bytes(l->program, i);
        for (size_t p = from / l->page; p * l->page < to; p++) reach[p] = 1;
    }
    for (size_t p = 0; p < l->bytes / l->page; p++)
        if (!reach[p]) ck_assert_int_eq(mprotect(l->map + p * l->page, l->page, PROT_NONE), 0);
    free(reach);
    return l->map;
}

static void check_constants(fx_probe *p, const fx_target *target, bool at_start)
{
    fx_module *core;
    fx_tensor out[FX_PROBE_TENSORS];
    fx_program *program = fx_probe_program(p, target, &core);
    layout l = {.program = program, .page = (size_t)sysconf(_SC_PAGESIZE), .at_start = at_start};
    if (!fx_probe_has_calls(program)) {
        spread_constants(program, &l);
        fx_probe_run_program(p, program, target, 1, out, fence_constants, &l);
        fx_probe_expect(p, at_start ? "fences before constants" : "fences after constants", p->expected, out, true);
        fx_probe_release(out, p->n_out);
        munmap(l.map, l.bytes);
    }
    fx__program_free(program);
    fx_module_free(core);
}

static void check_weights(const char *lines)
{
    fx_target target;
    for (int size = 1; size <= 2 * LANES + 1; size += 5) {
        char text[1024];
        fill_in(text, sizeof text, lines, size);
        fx_probe p = fx_probe_text(text, false);
        CHECK_OK(p.context, fx__session_target(p.context, NULL, NULL, NULL, &target));
        check_constants(&p, &target, false);
        check_constants(&p, &target, true);
        fx_probe_free(&p);
    }
}

START_TEST(weights_are_not_left)
{
    check_weights(IN("x", "f32[#]") IN("w", "f32[#]") CALL("add.Tensor", "(%x, %w)"));
    check_weights(IN("x", "f32[3, 5]") IN("w", "f32[#, 5]") IN("wb", "f32[#]") CALL("linear.default", "(%x, %w, %wb)"));
    check_weights(IN("x", "f32[3, #]") IN("w", "f32[19, #]") CALL("linear.default", "(%x, %w)"));
    check_weights(IN("x", "f32[1, #]") IN("w", "f32[#, 21]") CALL("mm.default", "(%x, %w)"));
    check_weights(IN("x", "f32[1, 2, 5, 5]") IN("w", "f32[#, 2, 3, 3]") IN("wb", "f32[#]")
                      CALL("conv2d.default", "(%x, %w, %wb, [2, 2], [1, 1], [1, 1], 1)"));
    check_weights(IN("x", "f32[1, #, 6, 5]") IN("w", "f32[#, 1, 3, 3]")
                      CALL("conv2d.default", "(%x, %w, None, [1, 1], [1, 1], [1, 1], #)"));
    check_weights(IN("x", "i64[7]") IN("w", "f32[9, #]") CALL("embedding.default", "(%w, %x)"));
    check_weights(IN("x", "f32[5, #]") IN("w", "f32[#]") CALL("layer_norm.default", "(%x, [#], %w, %w)"));
}
END_TEST

START_TEST(weights_of_random_graphs_are_not_left)
{
    fx_target target;
    for (uint64_t seed = 800; seed < 820; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 15);
        CHECK_OK(p.context, fx__session_target(p.context, NULL, NULL, NULL, &target));
        check_constants(&p, &target, seed % 2);
        fx_probe_free(&p);
    }
}
END_TEST

FX_TESTS("probe_memory", earlier_contents_of_memory_do_not_matter, pointwise_stays_inside, reductions_stay_inside,
         products_stay_inside, convolutions_stay_inside, moves_stay_inside, symbolic_sizes_stay_inside, chunks_stay_inside,
         random_graphs_stay_inside, weights_are_not_left, weights_of_random_graphs_are_not_left)
