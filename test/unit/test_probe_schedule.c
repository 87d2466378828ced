/* SPDX-License-Identifier: Apache-2.0 */
/* Random legal schedules, and kernels cut and joined at random: other grains change no bit; other unrolls, and other tile sizes
 * within the register rule where the buffers do not fix them, stay within the bound. What is legal: passes/schedule.c. */
#include "probe_program.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

typedef struct counts {
    int32_t grains, unrolls, heights, packs;
} counts;

/* Small kernels have no task axes; their outermost loop may be one. */
static void give_task(fx_sched *s)
{
    uint8_t axis = s->n_order > 1 ? s->order[0] : FX_NO_AXIS;
    if (s->n_task || axis == FX_NO_AXIS || axis == s->vec || axis == s->vec2 || axis == s->row || s->block) return;
    s->task[0] = axis;
    s->n_task = 1;
}

static void draw_grains(fx_program *program, uint64_t *random, counts *n)
{
    for (int32_t k = 0; k < program->n_kernel; k++) {
        fx_sched *s = &program->kernel[k]->sched;
        give_task(s);
        if (!s->n_task) continue;
        s->grain = 1 + (int64_t)(fx_test_random(random) % 5);
        s->parallel = fx_test_random(random) % 2;
        n->grains++;
    }
}

/* Panels in scratch where the verifier allows them; what cannot make them leaves it be. */
static void draw_pack(fx_program *program, fx_kernel *kernel, uint64_t *random, counts *n)
{
    fx_sched *s = &kernel->sched;
    int32_t last = s->n_order - 1;
    for (int i = 0; i < s->n_task; i++)
        if (s->task[i] == s->row) return;
    if (last < 1 || s->order[last - 1] != s->row || s->order[last] != s->vec || fx__sched_panel_rows(kernel) == 0) return;
    s->pack = fx_test_random(random) % 4 > 0;
    if (!s->pack) return;
    s->block = (int32_t)(1 + fx_test_random(random) % 3);
    int64_t bytes = fx__kernel_scratch_bytes(program, kernel);
    if (bytes > program->scratch_bytes) program->scratch_bytes = bytes;
    n->packs++;
}

/* Not a tile's nv: panels are packed for it. */
static void draw_shapes(fx_program *program, uint64_t *random, counts *n)
{
    for (int32_t k = 0; k < program->n_kernel; k++) {
        fx_sched *s = &program->kernel[k]->sched;
        if (s->lanes > 1 && (s->emit == FX_EMIT_FLAT || s->emit == FX_EMIT_ROW)) {
            s->unroll = (uint8_t)(1 + fx_test_random(random) % 4);
            n->unrolls++;
        } else if (s->emit == FX_EMIT_TILE && s->row != FX_NO_AXIS && s->mr > 1) {
            s->mr = (uint8_t)(1 + fx_test_random(random) % s->mr);
            n->heights++;
            draw_pack(program, program->kernel[k], random, n);
        }
    }
}

static void check_seed(uint64_t seed, counts *n)
{
    fx_probe p = fx_probe_random(seed, false, 5, 15);
    fx_target target;
    fx_module *core;
    CHECK_OK(p.context, fx__session_target(p.context, NULL, NULL, NULL, &target));
    fx_program *program = fx_probe_program(&p, &target, &core);
    if (!fx_probe_has_calls(program)) {
        fx_tensor plain[FX_PROBE_TENSORS], grains[FX_PROBE_TENSORS], shapes[FX_PROBE_TENSORS];
        fx_probe_run_program(&p, program, &target, 1, plain, NULL, NULL);
        draw_grains(program, &seed, n);
        fx_probe_run_program(&p, program, &target, 2, grains, NULL, NULL);
        draw_shapes(program, &seed, n);
        fx_probe_run_program(&p, program, &target, 1, shapes, NULL, NULL);
        fx_probe_expect(&p, "other grains", plain, grains, false);
        fx_probe_expect(&p, "other unrolls and heights", p.expected, shapes, true);
        fx_probe_release(plain, p.n_out);
        fx_probe_release(grains, p.n_out);
        fx_probe_release(shapes, p.n_out);
    }
    fx__program_free(program);
    fx_module_free(core);
    fx_probe_free(&p);
}

START_TEST(random_legal_schedules_agree)
{
    counts n = {0};
    for (uint64_t seed = 4000; seed < 4080; seed++) check_seed(seed, &n);
    printf("schedules drawn: %d grains, %d unrolls, %d tile heights, %d packs\n", (int)n.grains, (int)n.unrolls, (int)n.heights,
           (int)n.packs);
    ck_assert_int_ge(n.grains, 20);
    ck_assert_int_ge(n.unrolls, 50);
    ck_assert_int_ge(n.heights, 5);
    ck_assert_int_ge(n.packs, 5);
}
END_TEST

/* ---- Kernels cut and joined at random ------------------------------------------------------------------------------------------
 */

typedef struct edits {
    int32_t cuts, joins, natives;
} edits;

/* Cuts a step between two of its stages, or joins it with the next one, where that is legal. */
static void edit_once(fx_probe *p, fx_program *program, uint64_t *random, edits *n)
{
    int32_t at = (int32_t)(fx_test_random(random) % (uint64_t)program->steps.n);
    const fx_step *step = &program->steps.step[at];
    if (step->kind != FX_STEP_RUN) return;
    int stages = program->kernel[step->kernel]->n_stage;
    bool cuts = stages > 1 && fx_test_random(random) % 2;
    if (!cuts && (at + 1 >= program->steps.n || step[1].kind != FX_STEP_RUN)) return;
    fx_status status =
        cuts ? fx__kernel_cut(program, &program->steps, at, 1 + (int)(fx_test_random(random) % (uint64_t)(stages - 1)))
             : fx__kernel_join(program, &program->steps, at);
    ck_assert_msg(status == FX_OK || status == FX_E_UNSUPPORTED, "%s: status %d", p->name, (int)status);
    if (status != FX_OK) return;
    n->cuts += cuts;
    n->joins += !cuts;
}

static void expect_evaluated(fx_probe *p, const fx_program *program, const char *what)
{
    fx_tensor out[FX_PROBE_TENSORS];
    fx_probe_outputs(p, out);
    CHECK_OK(p->context, fx__program_verify(program, what));
    CHECK_OK(p->context, fx__program_eval(program, p->in, out, NULL, NULL));
    fx_probe_expect(p, what, p->expected, out, true);
    fx_probe_release(out, p->n_out);
}

static void finish_program(fx_probe *p, fx_program *program, const fx_pass_options *options)
{
    CHECK_OK(p->context, fx__pass_place(program, options));
    CHECK_OK(p->context, fx__pass_algo(program, options));
    CHECK_OK(p->context, fx__pass_schedule(program, options));
    CHECK_OK(p->context, fx__kir_tidy(program));
    CHECK_OK(p->context, fx__kir_dedup(program));
    CHECK_OK(p->context, fx__pass_plan(program, options));
}

/* Before fusion or behind it: evaluation before = after = native code. */
static void check_edits(uint64_t seed, edits *n)
{
    enum { EDITS = 12 };
    fx_probe p = fx_probe_random(seed, false, 4, 12);
    fx_target target;
    fx_program *program;
    CHECK_OK(p.context, fx__session_target(p.context, NULL, NULL, NULL, &target));
    fx_pass_options options = {.target = &target};
    fx_graph *core = fx_graph_clone(fx_module_graph(p.module));
    CHECK_OK(p.context, fx__pipeline_graph(core, &options));
    CHECK_OK(p.context, fx__lower_graph(core, false, &program));
    if (seed % 2) CHECK_OK(p.context, fx__pass_fuse(program, &options));
    expect_evaluated(&p, program, "before");
    for (int32_t i = 0; i < EDITS && program->steps.n > 0; i++) edit_once(&p, program, &seed, n);
    expect_evaluated(&p, program, "cut and joined");
    if (!fx_probe_has_calls(program)) {
        fx_tensor out[FX_PROBE_TENSORS];
        finish_program(&p, program, &options);
        fx_probe_run_program(&p, program, &target, 1, out, NULL, NULL);
        fx_probe_expect(&p, "cut and joined, native", p.expected, out, true);
        fx_probe_release(out, p.n_out);
        n->natives++;
    }
    fx__program_free(program);
    fx_module_free(fx_graph_module(core));
    fx_probe_free(&p);
}

START_TEST(random_cuts_and_joins_keep_the_meaning)
{
    edits n = {0};
    for (uint64_t seed = 5000; seed < 5060; seed++) check_edits(seed, &n);
    printf("kernels cut %d times, joined %d times; %d programs ran\n", (int)n.cuts, (int)n.joins, (int)n.natives);
    ck_assert_int_ge(n.cuts, 10);
    ck_assert_int_ge(n.joins, 10);
    ck_assert_int_ge(n.natives, 10);
}
END_TEST

FX_TESTS("probe_schedule", random_legal_schedules_agree, random_cuts_and_joins_keep_the_meaning)
