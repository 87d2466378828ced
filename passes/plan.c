/* SPDX-License-Identifier: Apache-2.0 */
/* passes/plan.c: gives every buffer its place in memory.
 *
 * Does     Finds between which steps each root is alive; packs static TEMPs greedily (largest first, lowest gap that fits), then
 *          symbolic ones into slots, each as large as its largest tenant, whose size must be provable; lays out constants
 *          and state.
 * Needs    place: every value has its buffer. Slices have parents.
 * Ensures  offset, first, last of every buffer; workspace_bytes, const_bytes, state_bytes, scratch_bytes; what plan_check.c checks.
 * Cost     O(roots^2). */
#include "passes/pass.h"
#include "passes/steps.h"
#include <stdlib.h>

typedef struct planner {
    fx_program *program;
    fx_arena *arena;
    bool share;
    int32_t *root; /* static roots in order of placement */
    int32_t n_root;
    bool *is_read; /* constants read by a step of the main block */
    int32_t now, until;
} planner;

/* ---- Lifetimes --------------------------------------------------------------------------------------------------------- */

static void extend(void *user, int32_t buf, bool reads, bool writes)
{
    planner *p = user;
    (void)reads;
    (void)writes;
    p->is_read[buf] = true;
    for (; buf >= 0; buf = p->program->buf[buf].parent) {
        fx_buf *b = &p->program->buf[buf];
        p->is_read[buf] = true;
        if (b->first < 0 || p->now < b->first) b->first = p->now;
        if (p->until > b->last) b->last = p->until;
    }
}

/* Either of a pair may hold the value in the end: both live as long as one of them. */
static void join_carried(const planner *p, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_carry; i++) {
        fx_buf *now = &p->program->buf[step->carry[i].now], *next = &p->program->buf[step->carry[i].next];
        if (next->first < now->first) now->first = next->first;
        if (next->last > now->last) now->last = next->last;
        next->first = now->first;
        next->last = now->last;
    }
}

/* A slice is alive as long as its root: its neighbours were stored before and are read after. Whatever a loop touches lives as
 * long as the loop, because its next round may read it. */
static fx_status find_lifetimes(planner *p)
{
    fx_program *program = p->program;
    fx_flat flat;
    if (!fx__steps_flatten(p->arena, &program->steps, &flat)) return FX_E_OOM;
    for (int32_t i = 0; i < program->n_buf; i++) program->buf[i].first = program->buf[i].last = -1;
    for (int32_t i = 0, loop_first = -1, loop_last = -1; i < flat.n; i++) {
        if (flat.step[i]->kind == FX_STEP_LOOP && i > loop_last) {
            loop_first = i;
            loop_last = flat.end[i];
        }
        p->now = i <= loop_last ? loop_first : i;
        p->until = i <= loop_last ? loop_last : i;
        fx__step_uses(program, flat.step[i], extend, p);
    }
    for (int32_t i = 0; i < flat.n; i++) join_carried(p, flat.step[i]);
    for (int32_t i = 0; i < program->n_buf; i++) {
        const fx_buf *root = &program->buf[fx__buf_root(program, i)];
        program->buf[i].first = root->first;
        program->buf[i].last = root->last;
    }
    return FX_OK;
}

static bool both_alive(const fx_buf *a, const fx_buf *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* ---- Static buffers ---------------------------------------------------------------------------------------------------- */

static fx_dim align_up(fx_dims *dims, fx_dim bytes, int64_t align)
{
    return fx__dim_mul(dims, fx__dim_ceildiv(dims, bytes, align), align);
}

static int64_t align_of(const fx_buf *buf)
{
    return buf->align > 64 ? buf->align : 64;
}

static fx_dim bytes_of(const planner *p, int32_t buf)
{
    const fx_buf *b = &p->program->buf[buf];
    fx_dim bytes = fx__dim_mul(p->program->dims, fx__buf_elems(p->program, buf), (int64_t)fx_dtype_bytes(b->dtype));
    return align_up(p->program->dims, bytes, 64);
}

typedef struct item {
    int64_t bytes;
    int32_t buf, first;
} item;

static int larger_first(const void *x, const void *y)
{
    const item *a = x, *b = y;
    if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
    if (a->first != b->first) return a->first < b->first ? -1 : 1;
    return a->buf < b->buf ? -1 : a->buf > b->buf;
}

/* Lowest offset at which `buf` fits between the already placed roots alive at the same time; those are kept sorted by offset. */
static int64_t find_gap(const planner *p, int32_t buf, int64_t bytes)
{
    const fx_buf *b = &p->program->buf[buf];
    int64_t end = 0, best = -1, best_gap = INT64_MAX, align = align_of(b);
    for (int32_t i = 0; i < p->n_root; i++) {
        const fx_buf *other = &p->program->buf[p->root[i]];
        if (p->share && !both_alive(b, other)) continue;
        int64_t start = fx__dim_ceildiv(NULL, end, align) * align, gap = other->offset - start;
        if (gap >= bytes && gap < best_gap) {
            best = start;
            best_gap = gap;
        }
        int64_t other_end = other->offset + bytes_of(p, p->root[i]);
        if (other_end > end) end = other_end;
    }
    return best >= 0 ? best : fx__dim_ceildiv(NULL, end, align) * align;
}

static void insert_by_offset(planner *p, int32_t buf)
{
    int32_t at = p->n_root++;
    for (; at > 0 && p->program->buf[p->root[at - 1]].offset > p->program->buf[buf].offset; at--) p->root[at] = p->root[at - 1];
    p->root[at] = buf;
}

static bool is_workspace_root(const fx_buf *buf)
{
    return buf->role == FX_BUF_TEMP && buf->parent < 0 && buf->first >= 0;
}

/* Items of the roots whose size is (is not) constant, largest first; symbolic ones by their hints. */
static int32_t collect(const planner *p, bool symbolic, item *items)
{
    int32_t n = 0;
    for (int32_t i = 0; i < p->program->n_buf; i++) {
        fx_buf *buf = &p->program->buf[i];
        fx_dim bytes = bytes_of(p, i);
        if (!is_workspace_root(buf) || fx_dim_is_const(bytes) == symbolic) continue;
        items[n++] = (item){fx__dim_hint(p->program->dims, bytes), i, buf->first};
    }
    qsort(items, (size_t)n, sizeof *items, larger_first);
    return n;
}

static int64_t place_static(planner *p, item *items)
{
    int64_t total = 0;
    int32_t n = collect(p, false, items);
    for (int32_t i = 0; i < n; i++) {
        fx_buf *buf = &p->program->buf[items[i].buf];
        buf->offset = find_gap(p, items[i].buf, items[i].bytes);
        insert_by_offset(p, items[i].buf);
        if (buf->offset + items[i].bytes > total) total = buf->offset + items[i].bytes;
    }
    return total;
}

/* ---- Symbolic buffers -------------------------------------------------------------------------------------------------- */

typedef struct slot {
    fx_dim bytes;
    int32_t first_tenant;
} slot;

/* A slot without tenants alive at the same time whose size provably suffices; tenants are linked through next. */
static int32_t find_slot(const planner *p, const slot *slots, int32_t n_slot, const int32_t *next, int32_t buf)
{
    for (int32_t s = 0; s < n_slot && p->share; s++) {
        bool fits = fx__dim_le(p->program->dims, bytes_of(p, buf), slots[s].bytes);
        for (int32_t t = slots[s].first_tenant; t >= 0 && fits; t = next[t])
            fits = !both_alive(&p->program->buf[t], &p->program->buf[buf]);
        if (fits) return s;
    }
    return n_slot;
}

static fx_dim place_symbolic(planner *p, fx_dim total, item *items)
{
    fx_program *program = p->program;
    int32_t n = collect(p, true, items), n_slot = 0;
    slot *slots = FX_NEW_ARRAY(p->arena, slot, n + 1);
    int32_t *next = FX_NEW_ARRAY(p->arena, int32_t, program->n_buf + 1);
    if (!slots || !next) return FX_DIM_BAD;
    for (int32_t i = 0; i < n; i++) {
        int32_t buf = items[i].buf, s = find_slot(p, slots, n_slot, next, buf);
        if (s == n_slot) slots[n_slot++] = (slot){bytes_of(p, buf), -1};
        next[buf] = slots[s].first_tenant;
        slots[s].first_tenant = buf;
    }
    for (int32_t s = 0; s < n_slot; s++) {
        for (int32_t t = slots[s].first_tenant; t >= 0; t = next[t]) program->buf[t].offset = total;
        total = fx__dim_add(program->dims, total, slots[s].bytes);
    }
    return total;
}

/* ---- Constants, slices, totals ----------------------------------------------------------------------------------------- */

/* State is the caller's, from run to run: nothing is shared. */
static fx_status place_states(const planner *p)
{
    fx_program *program = p->program;
    program->state_bytes = 0;
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        if (buf->role != FX_BUF_STATE || buf->parent >= 0) continue;
        buf->offset = align_up(NULL, program->state_bytes, align_of(buf));
        fx_dim end = fx__dim_add(program->dims, buf->offset, bytes_of(p, i));
        if (!fx_dim_is_const(end))
            return fx__diag(program->context, FX_E_UNSUPPORTED, NULL, "state %s has no constant size", buf->name ? buf->name : "");
        program->state_bytes = end;
    }
    return FX_OK;
}

static fx_status place_consts(planner *p)
{
    fx_program *program = p->program;
    program->const_bytes = 0;
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        if (buf->role != FX_BUF_CONST || buf->parent >= 0) continue;
        buf->offset = -1;
        if (!p->is_read[i]) continue;
        fx_dim at = align_up(NULL, program->const_bytes, align_of(buf)), end = fx__dim_add(program->dims, at, bytes_of(p, i));
        if (!fx_dim_is_const(end))
            return fx__diag(program->context, FX_E_UNSUPPORTED, NULL, "constant %s has no constant size",
                            buf->name ? buf->name : "");
        buf->offset = at;
        program->const_bytes = end;
    }
    return FX_OK;
}

/* Slices lie at their root's offset plus their origin. */
static void place_slices(planner *p)
{
    fx_program *program = p->program;
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        if (buf->parent < 0) continue;
        int32_t root = fx__buf_root(program, i);
        fx_dim stride[FX_RANK], elems = 0;
        fx__buf_strides(program, i, stride);
        for (int32_t b = i; b != root; b = program->buf[b].parent)
            for (int d = 0; d < program->buf[b].rank; d++)
                elems = fx__dim_add(program->dims, elems, fx__dim_mul(program->dims, program->buf[b].at[d], stride[d]));
        fx_dim bytes = fx__dim_mul(program->dims, elems, (int64_t)fx_dtype_bytes(buf->dtype));
        buf->offset = program->buf[root].role == FX_BUF_CONST && program->buf[root].offset < 0
                          ? -1
                          : fx__dim_add(program->dims, program->buf[root].offset, bytes);
    }
}

static int64_t largest_scratch(const fx_program *program)
{
    int64_t largest = 0;
    for (int32_t i = 0; i < program->n_kernel; i++) {
        int64_t bytes = fx__kernel_scratch_bytes(program, program->kernel[i]);
        if (bytes > largest) largest = bytes;
    }
    return (largest + 63) / 64 * 64;
}

static fx_status plan(planner *p)
{
    fx_program *program = p->program;
    p->root = FX_NEW_ARRAY(p->arena, int32_t, program->n_buf + 1);
    p->is_read = FX_NEW_ARRAY(p->arena, bool, program->n_buf + 1);
    item *items = FX_NEW_ARRAY(p->arena, item, program->n_buf + 1);
    if (!p->root || !p->is_read || !items) return FX_E_OOM;
    FX_TRY(find_lifetimes(p));
    for (int32_t i = 0; i < program->n_buf; i++)
        if (program->buf[i].role != FX_BUF_CONST) program->buf[i].offset = 0;
    program->workspace_bytes = place_symbolic(p, place_static(p, items), items);
    if (program->workspace_bytes == FX_DIM_BAD)
        return fx__diag(program->context, FX_E_SHAPE, NULL, "the workspace's size overflows");
    FX_TRY(place_consts(p));
    FX_TRY(place_states(p));
    place_slices(p);
    program->scratch_bytes = largest_scratch(program);
    program->planned = true;
    return FX_OK;
}

fx_status fx__pass_plan(fx_program *program, const fx_pass_options *options)
{
    planner p = {.program = program, .arena = fx__arena_new(program->context), .share = !options->no_in_place};
    if (!p.arena) return fx__diag_oom(program->context);
    fx_status status = plan(&p);
    fx__arena_free(p.arena);
    return status;
}
