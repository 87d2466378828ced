/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of the plan: in-place off = on, fusion off = on; the canonical text is complete, so code made from the printed program is
 * the same code; and addresses, thread counts and names of nodes leave no trace in code. */
#include "probe.h"
#include "codegen/codegen.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"

START_TEST(memory_plans_change_no_bit_and_fusion_stays_within_the_bound)
{
    for (uint64_t seed = 2000; seed < 2100; seed++) {
        fx_probe p = fx_probe_random(seed, false, 10, 30);
        fx_tensor plain[FX_PROBE_TENSORS], apart[FX_PROBE_TENSORS], single[FX_PROBE_TENSORS];
        fx_probe_run(&p, &(fx_compile_options){.threads = 1}, plain);
        fx_probe_run(&p, &(fx_compile_options){.threads = 1, .no_in_place = true}, apart);
        fx_probe_run(&p, &(fx_compile_options){.threads = 1, .no_fusion = true, .no_in_place = seed % 2}, single);
        fx_probe_expect(&p, "every value in a buffer of its own", plain, apart, false);
        fx_probe_expect(&p, "with fusion", p.expected, plain, true);
        fx_probe_expect(&p, "without fusion", p.expected, single, true);
        fx_probe_release(plain, p.n_out);
        fx_probe_release(apart, p.n_out);
        fx_probe_release(single, p.n_out);
        fx_probe_free(&p);
    }
}
END_TEST

/* ---- Plans of many sizes --------------------------------------------------------------------------------------------------- */

enum { SIZES = 8, STEPS = 40, ALIVE = 8 };

/* Values of many sizes, of which a few are alive at a time: each is made from an input, waits, and ends as one number of the
 * output. */
static size_t ladder(uint64_t seed, char *text, size_t room)
{
    static const int size[SIZES] = {40, 130, 300, 513, 640, 900, 1000, 1111};
    int wait[ALIVE] = {0};
    size_t n = 0;
    for (int i = 0; i < SIZES; i++)
        n += (size_t)snprintf(text + n, room - n, "%%x%d = placeholder \"x%d\" : f32[%d]\n", i, i, size[i]);
    for (int i = 1; i <= STEPS; i++) {
        int *slot = &wait[fx_test_random(&seed) % ALIVE];
        if (*slot)
            n +=
                (size_t)snprintf(text + n, room - n, "%%s%d = call_function \"torch.ops.aten.sum.default\"(%%t%d)\n", *slot, *slot);
        n += (size_t)snprintf(text + n, room - n, "%%t%d = call_function \"torch.ops.aten.neg.default\"(%%x%d)\n", i,
                              (int)(fx_test_random(&seed) % SIZES));
        *slot = i;
    }
    for (int i = 0; i < ALIVE; i++)
        if (wait[i])
            n += (size_t)snprintf(text + n, room - n, "%%s%d = call_function \"torch.ops.aten.sum.default\"(%%t%d)\n", wait[i],
                                  wait[i]);
    n += (size_t)snprintf(text + n, room - n, "%%y = call_function \"torch.ops.aten.stack.default\"([%%s1");
    for (int i = 2; i <= STEPS; i++) n += (size_t)snprintf(text + n, room - n, ", %%s%d", i);
    return n + (size_t)snprintf(text + n, room - n, "], 0)\n");
}

START_TEST(values_of_many_sizes_do_not_meet_in_memory)
{
    char text[8192];
    for (uint64_t seed = 1; seed <= 20; seed++) {
        ck_assert_uint_lt(ladder(seed, text, sizeof text), sizeof text - 1);
        fx_probe p = fx_probe_text(text, false);
        fx_tensor out[FX_PROBE_TENSORS];
        fx_probe_run(&p, &(fx_compile_options){.threads = 1, .no_fusion = true}, out);
        fx_probe_expect(&p, "values of many sizes", p.expected, out, true);
        fx_probe_release(out, p.n_out);
        fx_probe_free(&p);
    }
}
END_TEST

/* A chunk that also does another's work, or none, changes what it finds in memory of its own. */
START_TEST(values_in_place_are_computed_once)
{
    fx_probe p = fx_probe_text(IN("x", "f32[9, 40001]") CALL("a", "exp.default", "(%x)") CALL("b", "mul.Tensor", "(%a, %a)")
                                   CALL("c", "sub.Tensor", "(%b, %a)") CALL("d", "mul.Scalar", "(%b, 3.0)")
                                       CALL("e", "sub.Tensor", "(%d, %x)") CALL("y", "add.Tensor", "(%e, %c)"),
                               false);
    for (int32_t threads = 1; threads <= 2; threads++) {
        fx_tensor out[FX_PROBE_TENSORS];
        fx_probe_run(&p, &(fx_compile_options){.threads = threads, .no_fusion = true}, out);
        fx_probe_expect(&p, "values in place", p.expected, out, true);
        fx_probe_release(out, p.n_out);
    }
    fx_probe_free(&p);
}
END_TEST

/* Pieces that may be stored where the whole will be; some have other readers, some occur twice. */
static const char *const concatenations[] = {
    IN("a", "f32[3, 5]") IN("b", "f32[3, 7]") CALL("p", "softmax.int", "(%a, 1)") CALL("q", "softmax.int", "(%b, 1)")
        CALL("y", "cat.default", "([%p, %q], 1)"),
    IN("a", "f32[3, 5]") IN("b", "f32[4, 5]") CALL("p", "softmax.int", "(%a, 1)") CALL("q", "softmax.int", "(%b, 1)")
        CALL("c", "cat.default", "([%p, %q, %a], 0)") CALL("y", "softmax.int", "(%c, 0)"),
    IN("a", "f32[2, 3, 4]") IN("b", "f32[2, 5, 4]") CALL("p", "softmax.int", "(%a, 2)") CALL("q", "softmax.int", "(%b, 2)")
        CALL("c", "cat.default", "([%p, %q], 1)") CALL("d", "cat.default", "([%a, %c, %p], 1)") CALL("y", "softmax.int", "(%d, 2)"),
    IN("a", "f32[2, 6]") CALL("p", "softmax.int", "(%a, 1)") CALL("c", "cat.default", "([%p, %p], 0)")
        CALL("d", "sum.dim_IntList", "(%c, [1], True)") CALL("y", "cat.default", "([%c, %d], 1)"),
};

/* Values that are read where they are stored and elsewhere, too: what reads them cannot be computed along with them. */
static const char *const read_twice[] = {
    IN("a", "f32[6, 9]") IN("b", "f32[9, 6]") CALL("c", "mm.default", "(%a, %b)") CALL("t", "transpose.int", "(%c, 0, 1)")
        CALL("y", "add.Tensor", "(%c, %t)"),
    IN("a", "f32[5, 33]") CALL("c", "softmax.int", "(%a, 1)") CALL("t", "flip.default", "(%c, [1])")
        CALL("y", "sub.Tensor", "(%c, %t)"),
    IN("a", "f32[4, 4, 7]") CALL("c", "sum.dim_IntList", "(%a, [2])") CALL("t", "transpose.int", "(%c, 0, 1)")
        CALL("y", "mul.Tensor", "(%t, %c)"),
    IN("a", "f32[8, 5]") CALL("c", "cumsum.default", "(%a, 0)") CALL("t", "flip.default", "(%c, [0])")
        CALL("y", "sub.Tensor", "(%c, %t)"),
};

static void check_placements(const char *lines, const char *what)
{
    for (int options = 0; options < 4; options++) {
        fx_probe p = fx_probe_text(lines, false);
        fx_tensor out[FX_PROBE_TENSORS];
        fx_probe_run(&p, &(fx_compile_options){.threads = 1, .no_fusion = options & 1, .no_in_place = options & 2}, out);
        fx_probe_expect(&p, what, p.expected, out, true);
        fx_probe_release(out, p.n_out);
        fx_probe_free(&p);
    }
}

START_TEST(pieces_are_stored_where_the_whole_will_be)
{
    for (size_t i = 0; i < sizeof concatenations / sizeof concatenations[0]; i++)
        check_placements(concatenations[i], "pieces of a whole");
}
END_TEST

START_TEST(what_is_read_elsewhere_too_is_stored_first)
{
    for (size_t i = 0; i < sizeof read_twice / sizeof read_twice[0]; i++) check_placements(read_twice[i], "a value read twice");
}
END_TEST

/* ---- Canonical text --------------------------------------------------------------------------------------------------------- */

/* The program's steps name nodes of *out_core, which the caller frees after it. */
static fx_program *program_of(fx_probe *p, const fx_target *target, fx_module **out_core)
{
    fx_pass_options options = {.target = target};
    fx_graph *core = fx_graph_clone(fx_module_graph(p->module));
    CHECK_OK(p->context, fx__pipeline_graph(core, &options));
    fx_program *program;
    CHECK_OK(p->context, fx__pipeline_program(core, &options, &program));
    *out_core = fx_graph_module(core);
    return program;
}

static bool has_calls(const fx_program *program)
{
    for (int32_t i = 0; i < program->steps.n; i++)
        if (program->steps.step[i].kind != FX_STEP_RUN) return true;
    return false;
}

static fx_program *printed_and_parsed(fx_context *context, const fx_program *program)
{
    fx_program *again = NULL;
    char *text = fx__program_print(program);
    CHECK_OK(context, fx__program_parse(context, "again", text, strlen(text), &again));
    fx_text_free(text);
    return again;
}

static void expect_same_section(const fx_probe *p, const fx_program *a, const fx_program *b, int32_t kernel,
                                const fx_codegen_options *options)
{
    char *one, *other;
    size_t one_bytes, other_bytes;
    CHECK_OK(p->context, fx__codegen_kernel_section(a, options, kernel, &one, &one_bytes));
    CHECK_OK(p->context, fx__codegen_kernel_section(b, options, kernel, &other, &other_bytes));
    bool same = one_bytes == other_bytes && memcmp(one, other, one_bytes) == 0;
    fx_text_free(one);
    fx_text_free(other);
    ck_assert_msg(same, "%s: kernel %d of the printed program gives other code", p->name, (int)kernel);
}

typedef struct printed {
    int32_t compared, left_out;
} printed;

static void check_printed(fx_probe *p, printed *count)
{
    fx_target target;
    CHECK_OK(p->context, fx__session_target(p->context, NULL, NULL, NULL, &target));
    fx_codegen_options options = {.target = &target, .threads = 1};
    fx_module *core;
    fx_program *program = program_of(p, &target, &core);
    if (has_calls(program)) {
        count->left_out++; /* CALL steps refer to nodes, which the text of a program does not hold */
    } else {
        fx_program *again = printed_and_parsed(p->context, program);
        ck_assert_int_eq(program->n_kernel, again->n_kernel);
        for (int32_t k = 0; k < program->n_kernel; k++, count->compared++) expect_same_section(p, program, again, k, &options);
        fx__program_free(again);
    }
    fx__program_free(program);
    fx_module_free(core);
    fx_probe_free(p);
}

/* Large enough to be shared between threads, which random graphs are not. */
static const char *const large[] = {
    IN("x", "f32[9, 40001]") CALL("y", "exp.default", "(%x)"),
    IN("x", "f32[2000, 50]") CALL("y", "softmax.int", "(%x, 1)"),
    IN("x", "f32[300, 64]") IN("w", "f32[70, 64]") CALL("y", "linear.default", "(%x, %w)"),
    IN("x", "f32[400, 300]") CALL("y", "permute.default", "(%x, [1, 0])"),
};

START_TEST(printed_programs_give_the_same_code)
{
    printed count = {0};
    for (uint64_t seed = 2200; seed < 2260; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 15);
        check_printed(&p, &count);
    }
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        fx_probe p = fx_probe_text(large[i], false);
        check_printed(&p, &count);
    }
    printf("printed programs: %d kernels compared, %d programs with CALL steps left out\n", (int)count.compared,
           (int)count.left_out);
    ck_assert_int_ge(count.compared, 100);
}
END_TEST

/* ---- The whole compile, repeated -------------------------------------------------------------------------------------------- */

static uint64_t code_hash(fx_probe *p, fx_module *module, int32_t threads)
{
    fx_compiled *compiled;
    CHECK_OK(p->context, fx_compile(module, NULL, 0, &(fx_compile_options){.threads = threads}, &compiled));
    uint64_t hash = fx_compiled_code_hash(compiled);
    fx_compiled_free(compiled);
    return hash;
}

typedef struct copied {
    const fx_graph *from, *to;
} copied;

/* The node at the same position. */
static fx_node *counterpart(void *user, fx_node *there)
{
    const copied *graphs = user;
    fx_node *here = fx_graph_first(graphs->to);
    for (const fx_node *node = fx_graph_first(graphs->from); node != there; node = fx_node_next(node)) here = fx_node_next(here);
    return here;
}

/* The same graph with other names for all nodes but those of parameters, whose names are paths. */
static fx_module *module_renamed(const fx_probe *p)
{
    fx_module *module = fx_module_new(p->context, "other");
    for (int32_t i = 0; i < fx_module_tensor_count(p->module); i++) {
        const char *path = fx_module_tensor_path(p->module, i);
        CHECK_OK(p->context, fx_module_add_tensor(module, path, fx_module_tensor(p->module, path), false, NULL, NULL));
    }
    fx_graph *graph = fx_module_graph(module);
    copied graphs = {fx_module_graph(p->module), graph};
    FX_EACH_NODE(node, fx_module_graph(p->module))
    {
        fx_node *copy = fx_graph_copy_node(graph, node, counterpart, &graphs);
        if (!copy) fx_context_print(p->context, stderr);
        ck_assert_ptr_nonnull(copy);
        char name[128];
        snprintf(name, sizeof name, "%s_renamed", node->name);
        copy->name = fx_str(graph, name).u.s;
    }
    return module;
}

START_TEST(addresses_threads_and_names_leave_no_trace)
{
    void *shift[64];
    for (uint64_t seed = 2300; seed < 2330; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 15);
        uint64_t hash = code_hash(&p, p.module, 1);
        ck_assert_uint_ne(hash, 0);
        for (size_t i = 0; i < 64; i++) shift[i] = malloc(16 + 48 * i * (seed % 5 + 1));
        ck_assert_msg(code_hash(&p, p.module, 1) == hash, "%s: other addresses give other code", p.name);
        for (size_t i = 0; i < 64; i++) free(shift[i]);
        ck_assert_msg(code_hash(&p, p.module, 2) == hash, "%s: two threads give other code", p.name);
        fx_module *other = module_renamed(&p);
        ck_assert_msg(code_hash(&p, other, 1) == hash, "%s: other names give other code", p.name);
        fx_module_free(other);
        fx_probe_free(&p);
    }
}
END_TEST

FX_TESTS("probe_plan", memory_plans_change_no_bit_and_fusion_stays_within_the_bound, values_of_many_sizes_do_not_meet_in_memory,
         pieces_are_stored_where_the_whole_will_be, what_is_read_elsewhere_too_is_stored_first, values_in_place_are_computed_once,
         printed_programs_give_the_same_code, addresses_threads_and_names_leave_no_trace)
