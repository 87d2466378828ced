/* SPDX-License-Identifier: Apache-2.0 */
/* passes/plan_check.c: an independent check of a memory plan. It simulates: at every step, the roots that some step still needs
 * and some step has touched must not share bytes. It knows nothing of how plan.c chose. */
#include "passes/pass.h"
#include "passes/steps.h"

typedef struct checker {
    const fx_program *program;
    int32_t *first, *last; /* by root; its own, from the steps */
    int32_t now, until;
} checker;

static void touch(void *user, int32_t buf, bool reads, bool writes)
{
    checker *c = user;
    int32_t root = fx__buf_root(c->program, buf);
    (void)reads;
    (void)writes;
    if (c->first[root] < 0) c->first[root] = c->now;
    if (c->until > c->last[root]) c->last[root] = c->until;
}

/* Buffers that change places: what is in one of them may be in the other. */
static void touch_carried(checker *c, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_carry; i++) {
        int32_t a = step->carry[i].now, b = step->carry[i].next;
        c->first[a] = c->first[b] = c->first[a] < c->first[b] ? c->first[a] : c->first[b];
        c->last[a] = c->last[b] = c->last[a] > c->last[b] ? c->last[a] : c->last[b];
    }
}

static bool apart(const fx_program *program, int32_t a, int32_t b)
{
    fx_dims *dims = program->dims;
    fx_dim end[2];
    const int32_t buf[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        fx_dim bytes = fx__dim_mul(dims, fx__buf_elems(program, buf[i]), (int64_t)fx_dtype_bytes(program->buf[buf[i]].dtype));
        end[i] = fx__dim_add(dims, program->buf[buf[i]].offset, bytes);
        if (bytes == 0) return true;
    }
    return fx__dim_le(dims, end[0], program->buf[b].offset) || fx__dim_le(dims, end[1], program->buf[a].offset);
}

static fx_status problem(const fx_program *program, int32_t buf, const char *what)
{
    return fx__diag(program->context, FX_E_INTERNAL, NULL, "memory plan: buffer %d (%s) %s", buf,
                    program->buf[buf].name ? program->buf[buf].name : "", what);
}

static fx_status check_place(const fx_program *program, int32_t i)
{
    const fx_buf *buf = &program->buf[i];
    fx_dims *dims = program->dims;
    if (buf->parent >= 0) {
        const fx_buf *parent = &program->buf[buf->parent];
        for (int d = 0; d < buf->rank; d++)
            if (!fx__dim_le(dims, 0, buf->at[d]) || !fx__dim_le(dims, fx__dim_add(dims, buf->at[d], buf->dim[d]), parent->dim[d]))
                return problem(program, i, "is a slice that leaves its parent");
        return FX_OK;
    }
    fx_dim end = fx__dim_mul(dims, fx__buf_elems(program, i), (int64_t)fx_dtype_bytes(buf->dtype));
    end = fx__dim_add(dims, buf->offset, end);
    if (!fx__dim_le(dims, 0, buf->offset) || fx__dim_mod(dims, buf->offset, buf->align > 64 ? buf->align : 64) != 0)
        return problem(program, i, "is not aligned");
    fx_dim total = buf->role == FX_BUF_CONST   ? program->const_bytes
                   : buf->role == FX_BUF_STATE ? program->state_bytes
                                               : program->workspace_bytes;
    return fx__dim_le(dims, end, total) ? FX_OK : problem(program, i, "reaches past the end");
}

static fx_status check(checker *c, fx_arena *arena)
{
    const fx_program *program = c->program;
    fx_flat flat;
    c->first = FX_NEW_ARRAY(arena, int32_t, program->n_buf + 1);
    c->last = FX_NEW_ARRAY(arena, int32_t, program->n_buf + 1);
    if (!c->first || !c->last || !fx__steps_flatten(arena, &program->steps, &flat)) return fx__diag_oom(program->context);
    for (int32_t i = 0; i < program->n_buf; i++) c->first[i] = c->last[i] = -1;
    for (int32_t i = 0, end = -1, begin = -1; i < flat.n; i++) {
        if (flat.step[i]->kind == FX_STEP_LOOP && i > end) begin = i, end = flat.end[i];
        c->now = i <= end ? begin : i;
        c->until = i <= end ? end : i;
        fx__step_uses(program, flat.step[i], touch, c);
    }
    for (int32_t i = 0; i < flat.n; i++) touch_carried(c, flat.step[i]);
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_role role = program->buf[i].role;
        if (role == FX_BUF_INPUT || role == FX_BUF_OUTPUT || c->first[fx__buf_root(program, i)] < 0) continue;
        FX_TRY(check_place(program, i));
        for (int32_t j = 0; j < i && program->buf[i].parent < 0; j++) {
            if (program->buf[j].parent >= 0 || program->buf[j].role != role || c->first[j] < 0) continue;
            bool together = role != FX_BUF_TEMP || (c->first[i] <= c->last[j] && c->first[j] <= c->last[i]);
            if (together && !apart(program, i, j)) return problem(program, i, "overlaps a buffer alive at the same time");
        }
    }
    return FX_OK;
}

fx_status fx__plan_check(const fx_program *program)
{
    fx_arena *arena = fx__arena_new(program->context);
    if (!arena) return fx__diag_oom(program->context);
    checker c = {.program = program};
    fx_status status = check(&c, arena);
    fx__arena_free(arena);
    return status;
}
