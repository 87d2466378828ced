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
    if (step->kind >= FX_STEP_IF) {
        if (step->cond >= 0) visit(user, step->cond, true, false);
        for (int32_t i = 0; i < step->n_carry; i++) { /* changing places writes both */
            visit(user, step->carry[i].now, true, true);
            visit(user, step->carry[i].next, true, true);
        }
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

/* ---- Buffers that nothing names any more ------------------------------------------------------------------------------------ */

typedef void (*buf_fn)(int32_t *buf, void *user);

static void each_buf(const fx_program *program, const fx_block *block, buf_fn visit, void *user)
{
    for (int32_t i = 0; i < block->n; i++) {
        fx_step *step = &block->step[i];
        int n_arg = step->kind == FX_STEP_RUN ? program->kernel[step->kernel]->n_arg : 0;
        for (int a = 0; a < n_arg; a++)
            if (program->kernel[step->kernel]->arg[a].role != FX_ARG_LOCAL) visit(&step->bind[a].buf, user);
        for (int32_t v = 0; v < step->n_view; v++) visit(&step->view[v].buf, user);
        if (step->kind >= FX_STEP_IF && step->cond >= 0) visit(&step->cond, user);
        for (int32_t c = 0; c < step->n_carry; c++) {
            visit(&step->carry[c].now, user);
            visit(&step->carry[c].next, user);
        }
        for (int b = 0; b < 2; b++) each_buf(program, &step->body[b], visit, user);
    }
}

static void each_buf_of_program(fx_program *program, buf_fn visit, void *user)
{
    each_buf(program, &program->steps, visit, user);
    each_buf(program, &program->init, visit, user);
    for (int32_t i = 0; i < program->n_writeback; i++) {
        visit(&program->writeback[i].from, user);
        visit(&program->writeback[i].to, user);
    }
}

static void mark_buf(int32_t *buf, void *user)
{
    ((int32_t *)user)[*buf] = 1;
}
static void renumber_buf(int32_t *buf, void *user)
{
    *buf = ((const int32_t *)user)[*buf];
}

static int32_t depth_of(const fx_program *program, int32_t buf)
{
    int32_t depth = 0;
    while ((buf = program->buf[buf].parent) >= 0) depth++;
    return depth;
}

/* Numbers the marked buffers anew, parents before their slices; the new list goes to `out`. */
static int32_t renumber(const fx_program *program, const int32_t *used, int32_t *map, fx_buf *out)
{
    int32_t n = 0, left = 0;
    for (int32_t i = 0; i < program->n_buf; i++) left += used[i];
    for (int32_t depth = 0; n < left; depth++) {
        for (int32_t i = 0; i < program->n_buf; i++) {
            if (!used[i] || depth_of(program, i) != depth) continue;
            out[n] = program->buf[i];
            map[i] = n++;
        }
    }
    return n;
}

bool fx__steps_drop_bufs(fx_program *program)
{
    int32_t *used = FX_NEW_ARRAY(program->arena, int32_t, program->n_buf + 1),
            *map = FX_NEW_ARRAY(program->arena, int32_t, program->n_buf + 1);
    fx_buf *list = FX_NEW_ARRAY(program->arena, fx_buf, program->n_buf + 1);
    if (!used || !map || !list) return false;
    each_buf_of_program(program, mark_buf, used);
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_role role = program->buf[i].role;
        if (role != FX_BUF_TEMP && role != FX_BUF_CONST) used[i] = 1;
        for (int32_t up = program->buf[i].parent; used[i] && up >= 0; up = program->buf[up].parent) used[up] = 1;
    }
    int32_t n = renumber(program, used, map, list);
    each_buf_of_program(program, renumber_buf, map);
    for (int32_t i = 0; i < n; i++)
        if (list[i].parent >= 0) list[i].parent = map[list[i].parent];
    program->cap_buf = program->n_buf;
    program->buf = list;
    program->n_buf = n;
    return true;
}
