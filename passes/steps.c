/* SPDX-License-Identifier: Apache-2.0 */
/* passes/steps.c: walking a program's steps, see steps.h. */
#include "passes/steps.h"

static int32_t count_steps(const fx_block *block)
{
    int32_t n = block->n;
    for (int32_t i = 0; i < block->n; i++)
        for (int b = 0; b < 2; b++) n += count_steps(&block->step[i].body[b]);
    return n;
}

static void flatten(const fx_block *block, fx_flat *out)
{
    for (int32_t i = 0; i < block->n; i++) {
        int32_t at = out->n++;
        out->step[at] = &block->step[i];
        for (int b = 0; b < 2; b++) flatten(&block->step[i].body[b], out);
        out->end[at] = out->n - 1;
    }
}

bool fx__steps_flatten(fx_arena *arena, const fx_block *block, fx_flat *out)
{
    int32_t n = count_steps(block);
    *out = (fx_flat){.step = FX_NEW_ARRAY(arena, fx_step *, n + 1), .end = FX_NEW_ARRAY(arena, int32_t, n + 1)};
    if (!out->step || !out->end) return false;
    flatten(block, out);
    return true;
}

void fx__step_uses(const fx_program *program, const fx_step *step, fx_use_fn visit, void *user)
{
    if (step->kind == FX_STEP_IF || step->kind == FX_STEP_LOOP) {
        if (step->cond >= 0) visit(user, step->cond, true, false);
    } else if (step->kind == FX_STEP_CALL) {
        for (int32_t i = 0; i < step->n_view; i++) visit(user, step->view[i].buf, i < step->n_view_in, i >= step->n_view_in);
    } else {
        const fx_kernel *kernel = program->kernel[step->kernel];
        for (int a = 0; a < kernel->n_arg; a++) {
            fx_arg_role role = kernel->arg[a].role;
            if (role == FX_ARG_LOCAL) continue;
            visit(user, step->bind[a].buf, role != FX_ARG_OUT, role == FX_ARG_OUT || role == FX_ARG_INOUT);
        }
    }
}
