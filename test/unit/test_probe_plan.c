/* SPDX-License-Identifier: Apache-2.0 */
/* Probes of the plan: in-place off = on, fusion off = on; the canonical text is complete, so code made from the printed program is
 * the same code; and addresses, thread counts and names of nodes leave no trace in code. */
#include "probe.h"
#include "codegen/codegen.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

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

START_TEST(printed_programs_give_the_same_code)
{
    int32_t compared = 0, left_out = 0;
    for (uint64_t seed = 2200; seed < 2260; seed++) {
        fx_probe p = fx_probe_random(seed, false, 5, 15);
        fx_target target;
        CHECK_OK(p.context, fx__session_target(p.context, NULL, NULL, NULL, &target));
        fx_codegen_options options = {.target = &target, .threads = 1};
        fx_module *core;
        fx_program *program = program_of(&p, &target, &core);
        if (has_calls(program)) {
            left_out++; /* CALL steps refer to nodes, which the text of a program does not hold */
        } else {
            fx_program *again = printed_and_parsed(p.context, program);
            ck_assert_int_eq(program->n_kernel, again->n_kernel);
            for (int32_t k = 0; k < program->n_kernel; k++, compared++) expect_same_section(&p, program, again, k, &options);
            fx__program_free(again);
        }
        fx__program_free(program);
        fx_module_free(core);
        fx_probe_free(&p);
    }
    printf("printed programs: %d kernels compared, %d programs with CALL steps left out\n", (int)compared, (int)left_out);
    ck_assert_int_ge(compared, 100);
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

FX_TESTS("probe_plan", memory_plans_change_no_bit_and_fusion_stays_within_the_bound, printed_programs_give_the_same_code,
         addresses_threads_and_names_leave_no_trace)
