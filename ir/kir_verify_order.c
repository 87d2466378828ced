/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_verify_order.c: rule 6 along the steps: what is read has been written, on every way through IF and LOOP; loops end, count
 * in a symbol of their own, and carry pairs of equal buffers that only their own block names. */
#include "ir/kir_verify.h"
#include <string.h>

typedef struct walk {
    fx_verifier *v;
    bool *written; /* [n_buf]: roots that hold something */
    bool *paired;  /* [n_buf]: carried by some loop */
    bool *counts;  /* [symbols]: counters of the loops around */
    bool init;
} walk;

static void fail(const walk *w, const char *what, int32_t buf)
{
    fx__verify_fail(w->v, "6 (program)", "buffer %d %s", buf, what);
}

static void verify_read(const walk *w, int32_t buf)
{
    int32_t root = fx__verify_in_program(w->v->program, buf) ? fx__buf_root(w->v->program, buf) : -1;
    if (root >= 0 && !w->written[root]) fail(w, "is read before it is written", buf);
}

static void mark_written(const walk *w, int32_t buf)
{
    if (fx__verify_in_program(w->v->program, buf)) w->written[fx__buf_root(w->v->program, buf)] = true;
}

/* ---- RUN, CALL ------------------------------------------------------------------------------------------------------------- */

static bool uses_closed_counter(const walk *w, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return false;
    fx_dim_node node = fx__dim_node(w->v->program->dims, dim);
    if (node.op == FX_DIM_SYM) return fx__dims_sym(w->v->program->dims, (int32_t)node.value)->counter && !w->counts[node.value];
    return uses_closed_counter(w, node.a) || uses_closed_counter(w, node.b);
}

static void outside_of_loop(const walk *w)
{
    fx__verify_fail(w->v, "6 (program)", "a counter is used outside of its loop");
}

static void verify_counters(const walk *w, const fx_kernel *kernel)
{
    int32_t sym[FX_KERNEL_SYMS], n = fx__kernel_syms(w->v->program, kernel, sym);
    for (int32_t i = 0; i < n && i < FX_KERNEL_SYMS; i++)
        if (uses_closed_counter(w, fx__dim_sym(w->v->program->dims, sym[i]))) outside_of_loop(w);
}

static void order_run(const walk *w, const fx_step *step)
{
    if (step->kernel < 0 || step->kernel >= w->v->program->n_kernel) return;
    const fx_kernel *kernel = w->v->program->kernel[step->kernel];
    verify_counters(w, kernel);
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role != FX_ARG_LOCAL && kernel->arg[a].role != FX_ARG_OUT) verify_read(w, step->bind[a].buf);
    for (int a = 0; a < kernel->n_arg; a++)
        if (fx__verify_is_written(&kernel->arg[a])) mark_written(w, step->bind[a].buf);
}

static void order_call(const walk *w, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_view_in; i++) verify_read(w, step->view[i].buf);
    for (int32_t i = step->n_view_in; i < step->n_view; i++) mark_written(w, step->view[i].buf);
    for (int32_t i = 0; i < step->n_view; i++) {
        bool closed = uses_closed_counter(w, step->view[i].base);
        for (int d = 0; d < step->view[i].type.rank; d++)
            closed = closed || uses_closed_counter(w, step->view[i].type.dim[d]) || uses_closed_counter(w, step->view[i].stride[d]);
        if (closed) outside_of_loop(w);
    }
}

/* ---- IF, LOOP -------------------------------------------------------------------------------------------------------------- */

static void walk_block(walk *w, const fx_block *block);

static bool is_scalar(const fx_program *program, int32_t buf)
{
    for (int d = 0; d < program->buf[buf].rank; d++)
        if (program->buf[buf].dim[d] != 1) return false;
    return true;
}

static void verify_condition(const walk *w, int32_t buf)
{
    const fx_program *program = w->v->program;
    if (!fx__verify_in_program(program, buf) || !is_scalar(program, buf))
        fail(w, "is no condition: it is not there, or has more than one element", buf);
    else
        verify_read(w, buf);
}

/* Behind its block a loop's pairs hold nothing: they are in their first places again. */
static void close_pairs(const walk *w, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        for (int32_t c = 0; step->kind == FX_STEP_LOOP && c < step->n_carry; c++)
            if (fx__verify_in_program(w->v->program, step->carry[c].now)) w->written[step->carry[c].now] = false;
    }
}

/* A branch, or a loop's body. */
static void walk_body(walk *w, const fx_block *block)
{
    walk_block(w, block);
    close_pairs(w, block);
}

static bool *copy_written(const walk *w)
{
    size_t bytes = (size_t)w->v->program->n_buf + 1;
    bool *copy = fx__alloc(w->v->program->context, bytes);
    if (copy) memcpy(copy, w->written, bytes);
    return copy;
}

/* Behind an IF holds what either branch wrote. */
static void walk_if(walk *w, const fx_step *step)
{
    fx_context *context = w->v->program->context;
    verify_condition(w, step->cond);
    bool *other = copy_written(w), *mine = w->written;
    walk_body(w, &step->body[0]);
    if (!other) return;
    w->written = other;
    walk_body(w, &step->body[1]);
    w->written = mine;
    for (int32_t b = 0; b < w->v->program->n_buf; b++) mine[b] = mine[b] && other[b];
    fx__free(context, other);
}

static bool same_type(const fx_program *program, int32_t a, int32_t b)
{
    const fx_buf *x = &program->buf[a], *y = &program->buf[b];
    if (x->dtype != y->dtype || x->rank != y->rank || x->role != y->role || x->align != y->align) return false;
    for (int d = 0; d < x->rank; d++)
        if (!fx__dim_equal(program->dims, x->dim[d], y->dim[d])) return false;
    return true;
}

static void verify_carry(const walk *w, const fx_carry *carry)
{
    const fx_program *program = w->v->program;
    const int32_t pair[] = {carry->now, carry->next};
    for (int i = 0; i < 2; i++) {
        if (!fx__verify_in_program(program, pair[i])) {
            fail(w, "is carried and not there", pair[i]);
            return;
        }
        fx_role role = program->buf[pair[i]].role;
        if (program->buf[pair[i]].parent >= 0 || role != (w->init ? FX_BUF_CONST : FX_BUF_TEMP) || program->buf[pair[i]].data)
            fail(w, "is carried and has a fixed place", pair[i]);
        if (w->paired[pair[i]]) fail(w, "is carried twice", pair[i]);
        w->paired[pair[i]] = true;
    }
    if (carry->now != carry->next && !same_type(program, carry->now, carry->next))
        fail(w, "is carried with one of another type", carry->now);
    verify_read(w, carry->now);
    w->written[carry->next] = false;
}

static bool mentions(const fx_dims *dims, fx_dim dim, int32_t sym)
{
    if (fx_dim_is_const(dim)) return false;
    fx_dim_node node = fx__dim_node(dims, dim);
    if (node.op == FX_DIM_SYM) return node.value == sym;
    return mentions(dims, node.a, sym) || mentions(dims, node.b, sym);
}

/* What is said of a counter, its range and every guard that names it, follows from counter + 1 <= turns. */
static bool stays_in_range(fx_dims *dims, int32_t sym, fx_dim turns)
{
    const fx_sym *counter = fx__dims_sym(dims, sym);
    fx_dim next = fx__dim_add(dims, fx__dim_sym(dims, sym), 1);
    bool bounded = counter->hi != INT64_MAX;
    if (counter->lo > 0 || (bounded && (turns == -1 || !fx__dim_le(dims, turns, counter->hi + 1)))) return false;
    for (int32_t i = 0; i < fx__dims_guard_count(dims); i++) {
        const fx_guard *guard = fx__dims_guard(dims, i);
        if (!mentions(dims, guard->a, sym) && !mentions(dims, guard->b, sym)) continue;
        fx_dim rest = fx__dim_add(dims, fx__dim_sub(dims, guard->b, guard->a), next);
        if (guard->kind != FX_GUARD_LE || turns == -1 || !fx__dim_le(dims, turns, rest)) return false;
    }
    return true;
}

static void verify_turns(const walk *w, const fx_step *step)
{
    fx_dims *dims = w->v->program->dims;
    int32_t sym = step->counter;
    if (step->cond < 0 && step->turns == -1) fx__verify_fail(w->v, "6 (program)", "a loop without end");
    if (step->cond >= 0) verify_condition(w, step->cond);
    if (uses_closed_counter(w, step->turns)) fx__verify_fail(w->v, "6 (program)", "turns of a counter that counts no loop around");
    if (sym < 0) return;
    if (sym >= fx__dims_sym_count(dims) || !fx__dims_sym(dims, sym)->counter || w->counts[sym])
        fx__verify_fail(w->v, "6 (program)", "symbol %d counts no loop, or one around this one", sym);
    else if (!stays_in_range(dims, sym, step->turns))
        fx__verify_fail(w->v, "6 (program)", "counter %s may leave its range", fx__dims_sym(dims, sym)->name);
}

/* The body must have computed what its loop carries on. */
static void verify_next(const walk *w, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_carry; i++)
        if (fx__verify_in_program(w->v->program, step->carry[i].next) && !w->written[step->carry[i].next])
            fail(w, "is carried on, but the body does not write it", step->carry[i].next);
}

/* A body whose number of turns depends on data may not run at all; what it writes is not there behind the loop. Where a size says
 * how often, the values written turn by turn have that size. */
static void walk_loop(walk *w, const fx_step *step)
{
    const fx_program *program = w->v->program;
    verify_turns(w, step);
    bool *before = step->cond >= 0 ? copy_written(w) : NULL;
    bool counts = step->counter >= 0 && step->counter < fx__dims_sym_count(program->dims) && !w->counts[step->counter];
    for (int32_t i = 0; i < step->n_carry; i++) verify_carry(w, &step->carry[i]);
    if (counts) w->counts[step->counter] = true;
    walk_body(w, &step->body[0]);
    if (counts) w->counts[step->counter] = false;
    verify_next(w, step);
    if (step->cond >= 0 && fx__verify_in_program(program, step->cond)) verify_read(w, step->cond);
    if (before) memcpy(w->written, before, (size_t)program->n_buf);
    fx__free(program->context, before);
    for (int32_t i = 0; i < step->n_carry; i++) {
        if (!fx__verify_in_program(program, step->carry[i].next) || !fx__verify_in_program(program, step->carry[i].now)) continue;
        w->written[step->carry[i].next] = false; /* an older value */
    }
}

/* Steps are numbered in order of their text. */
static void walk_block(walk *w, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        w->v->number++;
        switch (step->kind) {
        case FX_STEP_RUN:
            fx__verify_run(w->v, step, w->init);
            order_run(w, step);
            break;
        case FX_STEP_CALL:
            fx__verify_call(w->v, step);
            order_call(w, step);
            break;
        case FX_STEP_IF:
            walk_if(w, step);
            break;
        case FX_STEP_LOOP:
            walk_loop(w, step);
            break;
        case FX_STEP_ASSERT:
            verify_condition(w, step->cond);
            break;
        }
    }
}

/* ---- Writebacks and the whole ------------------------------------------------------------------------------------------------ */

static void verify_writebacks(walk *w)
{
    const fx_program *program = w->v->program;
    for (int32_t i = 0; i < program->n_writeback; i++) {
        const fx_writeback *wb = &program->writeback[i];
        bool ok = fx__verify_in_program(program, wb->from) && fx__verify_in_program(program, wb->to);
        if (ok) {
            const fx_buf *from = &program->buf[wb->from], *to = &program->buf[wb->to];
            ok = from->dtype == to->dtype && from->rank == to->rank &&
                 memcmp(from->dim, to->dim, from->rank * sizeof from->dim[0]) == 0;
            verify_read(w, wb->from);
        }
        if (!ok) fx__verify_fail(w->v, "6 (program)", "writeback %d joins buffers of two types", i);
    }
}

static void walk_program(walk *w)
{
    const fx_program *program = w->v->program;
    for (int32_t b = 0; b < program->n_buf; b++) {
        const fx_buf *buf = &program->buf[b];
        w->written[b] = buf->role == FX_BUF_INPUT || buf->role == FX_BUF_STATE ||
                        (buf->role == FX_BUF_CONST && (buf->data || buf->path)) || fx__buf_elems(program, b) == 0;
    }
    w->init = true;
    w->v->number = -1;
    walk_block(w, &program->init);
    w->init = false;
    w->v->number = -1;
    walk_block(w, &program->steps);
    verify_writebacks(w);
}

void fx__verify_order(fx_verifier *v)
{
    const fx_program *program = v->program;
    walk w = {.v = v,
              .written = fx__alloc(program->context, (size_t)program->n_buf + 1),
              .paired = fx__alloc(program->context, (size_t)program->n_buf + 1),
              .counts = fx__alloc(program->context, (size_t)fx__dims_sym_count(program->dims) + 1)};
    if (w.written && w.paired && w.counts) walk_program(&w);
    fx__free(program->context, w.written);
    fx__free(program->context, w.paired);
    fx__free(program->context, w.counts);
}
