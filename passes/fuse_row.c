/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse_row.c: the rule ROW: a contraction, row stages over its columns and a contraction over these rows (attention) become
 * one kernel. The columns of both contractions turn from outer into inner axes; what went through memory stays with a block of
 * rows. Legal when the three steps follow each other, nobody else reads what is between them, and the joined kernel is one that a
 * block of rows can go through (block.h). Always worth it: the contractions have the same tiles, and the scores' way to memory is
 * saved. */
#include "passes/block.h"
#include "passes/fuse.h"
#include "passes/tile.h"
#include <string.h>

static const fx_kernel *kernel_of(const fx_program *program, int32_t step)
{
    const fx_step *s = &program->steps.step[step];
    return s->kind == FX_STEP_RUN ? program->kernel[s->kernel] : NULL;
}

/* A contraction with a tile whose columns are its last outer axis, behind one that only its other factor moves along. Constant
 * factors have panels, which serve all rows at a time better than a block of them. */
static bool is_product(const fx_program *program, int32_t step)
{
    fx_roles roles;
    const fx_kernel *kernel = kernel_of(program, step);
    if (!kernel || kernel->n_outer < 2 || kernel->exact || !fx__tile_roles(program, kernel, &roles)) return false;
    int row = kernel->n_outer - 2, b = kernel->access[roles.b].arg;
    if (program->buf[fx__buf_root(program, program->steps.step[step].bind[b].buf)].role == FX_BUF_CONST) return false;
    return roles.vec == kernel->n_outer - 1 && roles.contracts == 1 && roles.in_a[row] && !roles.in_b[row];
}

static bool is_rows(const fx_kernel *kernel)
{
    bool reduces = false;
    for (int s = 0; kernel && s < kernel->n_stage; s++) {
        if (kernel->stage[s].kind == FX_STAGE_CONTRACT) return false;
        reduces = reduces || kernel->stage[s].kind == FX_STAGE_REDUCE;
    }
    return reduces && !kernel->exact;
}

static bool same_outer(const fx_kernel *product, const fx_kernel *rows)
{
    if (product->n_outer != rows->n_outer + 1) return false;
    for (int i = 0; i < rows->n_outer; i++)
        if (product->axis[i].extent != rows->axis[i].extent) return false;
    return true;
}

/* A copy whose last outer axis is an inner one of every stage. */
static fx_kernel *demoted(fx_program *program, const fx_kernel *kernel)
{
    fx_kernel *copy = fx__kernel_clone(program, kernel);
    if (!copy) return NULL;
    copy->n_outer--;
    for (int s = 0; s < copy->n_stage; s++) {
        copy->stage[s].inner[0] = copy->n_outer;
        copy->stage[s].n_inner = 1;
    }
    return copy;
}

/* The only buffer that a step stores to; -1: there are more. */
static int32_t result_of(const fx_program *program, int32_t step)
{
    const fx_kernel *kernel = kernel_of(program, step);
    int32_t buf = -1, n = 0;
    for (int a = 0; a < kernel->n_arg; a++) {
        if (kernel->arg[a].role != FX_ARG_OUT) continue;
        buf = program->steps.step[step].bind[a].buf;
        n++;
    }
    return n == 1 ? buf : -1;
}

static bool reads(const fx_program *program, int32_t step, int32_t buf)
{
    const fx_kernel *kernel = kernel_of(program, step);
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role == FX_ARG_IN && program->steps.step[step].bind[a].buf == buf) return buf >= 0;
    return false;
}

static bool is_chain(const fx_program *program, int32_t at)
{
    if (at + 2 >= program->steps.n) return false;
    const fx_kernel *scores = kernel_of(program, at), *rows = kernel_of(program, at + 1), *mean = kernel_of(program, at + 2);
    if (!is_product(program, at) || !is_rows(rows) || !is_product(program, at + 2)) return false;
    if (!same_outer(scores, rows) || !same_outer(mean, rows)) return false;
    return reads(program, at + 1, result_of(program, at)) && reads(program, at + 2, result_of(program, at + 1)) &&
           !reads(program, at + 2, result_of(program, at));
}

/* Step `at` and the next one become one; where that cannot be, step `other` gets its kernel back. */
static fx_status join(fx_program *program, int32_t at, int32_t other, fx_kernel *kernel, bool *out_joined)
{
    fx_status status = fx__kernel_join(program, &program->steps, at);
    *out_joined = status == FX_OK;
    if (status != FX_E_UNSUPPORTED) return status;
    program->steps.step[other].kernel = fx__program_add_kernel(program, kernel);
    return program->steps.step[other].kernel < 0 ? FX_E_OOM : FX_OK;
}

static fx_status set_kernel(fx_program *program, int32_t step, fx_kernel *kernel)
{
    program->steps.step[step].kernel = fx__program_add_kernel(program, kernel);
    return program->steps.step[step].kernel < 0 ? FX_E_OOM : FX_OK;
}

/* ---- Locals that may share their memory ------------------------------------------------------------------------------------- */

static bool stage_uses(const fx_kernel *kernel, int s, int arg)
{
    const fx_kstage *stage = &kernel->stage[s];
    for (int e = 0; e < stage->n_expr; e++)
        if (stage->expr[e].op == FX_X_LOAD && kernel->access[stage->expr[e].u.access].arg == arg) return true;
    for (int o = 0; o < stage->n_out; o++)
        if (kernel->access[stage->out[o].access].arg == arg) return true;
    return false;
}

static bool same_type(const fx_arg *a, const fx_arg *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank || a->home != b->home) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

static bool same_index(const fx_access *a, const fx_access *b)
{
    for (int d = 0; d < a->rank; d++)
        if (!fx__index_equal(&a->at[d], &b->at[d])) return false;
    return true;
}

/* The local that stage s reads for the last time, just where it stores: what it stores may take that place. -1: there is none. */
static int find_dying(const fx_kernel *kernel, int s)
{
    const fx_kstage *stage = &kernel->stage[s];
    if (stage->kind != FX_STAGE_MAP || stage->n_out != 1) return -1;
    const fx_access *store = &kernel->access[stage->out[0].access];
    if (kernel->arg[store->arg].role != FX_ARG_LOCAL) return -1;
    for (int t = 0; t < s; t++)
        if (stage_uses(kernel, t, store->arg)) return -1;
    for (int e = 0; e < stage->n_expr; e++) {
        if (stage->expr[e].op != FX_X_LOAD) continue;
        const fx_access *load = &kernel->access[stage->expr[e].u.access];
        bool dies = kernel->arg[load->arg].role == FX_ARG_LOCAL && same_type(&kernel->arg[load->arg], &kernel->arg[store->arg]) &&
                    same_index(load, store);
        for (int t = s + 1; t < kernel->n_stage; t++) dies = dies && !stage_uses(kernel, t, load->arg);
        if (dies) return load->arg;
    }
    return -1;
}

static bool share_locals(fx_program *program, fx_step *step)
{
    fx_bound bound = {.program = program, .kernel = program->kernel[step->kernel]};
    memcpy(bound.bind, step->bind, sizeof bound.bind);
    for (int s = 0; s < bound.kernel->n_stage; s++) {
        int heir = find_dying(bound.kernel, s);
        if (heir < 0) continue;
        int arg = bound.kernel->access[bound.kernel->stage[s].out[0].access].arg;
        for (int i = 0; i < bound.kernel->n_access; i++)
            if (bound.kernel->access[i].arg == arg) bound.kernel->access[i].arg = (uint8_t)heir;
        fx__bound_drop_arg(&bound, arg, -1);
        if (!fx__bound_drop_unused(&bound)) return false;
    }
    memcpy(step->bind, bound.bind, sizeof step->bind);
    return true;
}

/* ---- Rule -------------------------------------------------------------------------------------------------------------------- */

/* Of a step and the next one, while they are two. */
static fx_status note_link(fx_program *program, int32_t at)
{
    fx_pair pair = {.program = program, .from = at, .to = at + 1, .buf = result_of(program, at), .sole = true};
    return fx__fuse_note(&pair, FX_WHY_ROW);
}

fx_status fx__fuse_rows(fx_program *program, int32_t at, bool *out_joined)
{
    fx_block_roles roles;
    *out_joined = false;
    if (!is_chain(program, at)) return FX_OK;
    fx_kernel *first = program->kernel[program->steps.step[at].kernel], *last = program->kernel[program->steps.step[at + 2].kernel];
    fx_kernel *scores = demoted(program, first), *mean = demoted(program, last);
    if (!scores || !mean) return FX_E_OOM;
    if (!fx__block_reads(program, scores, &roles) || !fx__block_reads(program, kernel_of(program, at + 1), &roles) ||
        !fx__block_reads(program, mean, &roles))
        return FX_OK;
    int32_t n_why = program->n_why;
    FX_TRY(note_link(program, at));
    FX_TRY(note_link(program, at + 1));
    FX_TRY(set_kernel(program, at, scores));
    FX_TRY(join(program, at, at, first, out_joined));
    if (!*out_joined) program->n_why = n_why;
    if (!*out_joined) return FX_OK;
    bool all;
    FX_TRY(set_kernel(program, at + 1, mean));
    FX_TRY(join(program, at, at + 1, last, &all));
    if (!all) program->n_why = n_why + 1;
    return share_locals(program, &program->steps.step[at]) ? FX_OK : FX_E_OOM;
}
