/* SPDX-License-Identifier: Apache-2.0 */
/* passes/algo_pack.c: copies of operands in the order in which loops read them. The copy is a kernel of its own: one MAP from the
 * operand's index to the loops' axes; with a split axis the last panel is padded with zeros by a guarded load, and the user's
 * stores are guarded, so that the padding is computed with but never stored. */
#include "passes/algo.h"
#include "ir/diag.h"
#include <string.h>

/* ---- Axes -------------------------------------------------------------------------------------------------------------- */

static void append(fx_pack *pack, uint8_t axis)
{
    if (pack->n_axis < FX_RANK) pack->axis[pack->n_axis] = axis;
    pack->n_axis++;
}

void fx__algo_panel_axes(const fx_program *program, const fx_kernel *kernel, const fx_roles *roles, fx_pack *pack)
{
    const fx_kstage *stage = &kernel->stage[0];
    (void)program;
    for (uint8_t i = 0; i < kernel->n_outer; i++)
        if (roles->in_b[i] && i != roles->vec) append(pack, i);
    for (int r = 0; r < stage->n_red; r++)
        if (roles->in_b[stage->red[r]]) append(pack, stage->red[r]);
    append(pack, roles->vec);
}

void fx__algo_column_axes(const fx_kernel *kernel, uint8_t vec, fx_pack *pack)
{
    const fx_access *access = &kernel->access[pack->access];
    bool in[FX_AXES] = {false};
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++) in[access->at[d].term[t].axis] = true;
    for (uint8_t i = 0; i < kernel->n_axis; i++)
        if (in[i] && i != vec) append(pack, i);
    append(pack, vec);
}

/* ---- The copy ---------------------------------------------------------------------------------------------------------- */

typedef struct packer {
    fx_algo *algo;
    fx_program *program;
    const fx_kernel *old;
    const fx_pack *pack;
    int32_t from, to; /* buffers */
    bool pads;        /* the last panel reaches past the axis's end */
} packer;

/* Panels of the split axis. */
static fx_dim panels(const packer *p)
{
    return fx__dim_ceildiv(p->program->dims, p->old->axis[p->pack->split].extent, p->pack->width);
}

static int32_t add_buffer(packer *p)
{
    const fx_buf *from = &p->program->buf[p->from];
    const fx_pack *pack = p->pack;
    fx_buf buf = {.name = from->name,
                  .dtype = from->dtype,
                  .role = pack->constant ? FX_BUF_CONST : FX_BUF_TEMP,
                  .index = -1,
                  .parent = -1,
                  .offset = pack->constant ? -1 : 0,
                  .first = -1,
                  .last = -1};
    /* the split axis is listed last: its panels' number goes before the reduced axes, where the others of B's own stand */
    for (int i = 0; i < pack->n_axis; i++) {
        uint8_t axis = pack->axis[i];
        bool first_reduced = axis >= p->old->n_outer && (i == 0 || pack->axis[i - 1] < p->old->n_outer);
        if (pack->split != FX_NO_AXIS && (first_reduced || (axis == pack->split && buf.rank == i))) buf.dim[buf.rank++] = panels(p);
        buf.dim[buf.rank++] = axis == pack->split ? pack->width : p->old->axis[axis].extent;
    }
    return fx__program_add_buf(p->program, &buf);
}

static void arg_of_buf(const packer *p, int32_t buf, fx_arg_role role, fx_arg *out)
{
    const fx_buf *b = &p->program->buf[buf];
    *out = (fx_arg){.name = role == FX_ARG_OUT ? "p" : "w", .role = role, .dtype = b->dtype, .rank = b->rank, .home = -1};
    memcpy(out->dim, b->dim, sizeof out->dim);
    fx_dim stride = 1;
    for (int d = b->rank - 1; d >= 0; d--) {
        out->stride[d] = stride;
        stride = fx__dim_mul(p->program->dims, stride, b->dim[d]);
    }
}

/* Index of the packed axis number i (of pack->axis) among the buffer's dims, and of the panels' number. */
static int dim_of(const packer *p, int i, int *out_q)
{
    const fx_pack *pack = p->pack;
    int first = 0;
    while (first < pack->n_axis && pack->axis[first] < p->old->n_outer && pack->axis[first] != pack->split) first++;
    *out_q = first;
    return pack->split == FX_NO_AXIS || i < first ? i : i + 1;
}

static fx_kernel *make_copy(packer *p)
{
    fx_program *program = p->program;
    const fx_pack *pack = p->pack;
    const fx_access *old = &p->old->access[pack->access];
    fx_kernel *kernel = fx__kernel_new(program);
    if (!kernel) return NULL;
    kernel->exact = pack->constant;
    fx_arg in = p->old->arg[old->arg], out;
    in.role = pack->constant ? FX_ARG_CONST : FX_ARG_IN;
    arg_of_buf(p, p->to, FX_ARG_OUT, &out);
    fx__kernel_add_arg(kernel, &in);
    fx__kernel_add_arg(kernel, &out);
    fx_index by[FX_AXES];
    for (int i = 0; i < FX_AXES; i++) by[i] = fx__index_const(0);
    fx_access load = *old, store = {.arg = 1, .rank = out.rank};
    int q = 0;
    for (int d = 0; d < out.rank; d++) {
        if (fx__kernel_add_axis(program, kernel, "d", out.dim[d], true) < 0) return NULL;
        store.at[d] = fx__index_axis((uint8_t)d);
    }
    for (int i = 0; i < pack->n_axis; i++) by[pack->axis[i]] = fx__index_axis((uint8_t)dim_of(p, i, &q));
    if (pack->split != FX_NO_AXIS) {
        fx_index panel = fx__index_axis((uint8_t)q), scaled;
        if (!fx__index_scale(program->dims, &panel, pack->width, &scaled)) return NULL;
        if (!fx__index_add(program->dims, &by[pack->split], &scaled, &by[pack->split])) return NULL;
    }
    load.arg = 0;
    fx_dim extent[FX_AXES];
    for (int i = 0; i < kernel->n_axis; i++) extent[i] = kernel->axis[i].extent;
    for (int d = 0; d < load.rank; d++)
        if (!fx__index_substitute(program->dims, &old->at[d], by, p->old->n_axis, extent, &load.at[d])) return NULL;
    if (p->pads) {
        load.guarded = true;
        load.fill = (fx_imm){.u = 0};
    }
    fx_kstage *stage = fx__kernel_add_stage(program, kernel, FX_STAGE_MAP);
    int from = fx__kernel_add_access(program, kernel, &load), to = fx__kernel_add_access(program, kernel, &store);
    if (!stage || from < 0 || to < 0) return NULL;
    fx_expr expr = {
        .op = FX_X_LOAD, .dtype = (uint8_t)in.dtype, .a = FX_NO_EXPR, .b = FX_NO_EXPR, .c = FX_NO_EXPR, .u.access = (uint16_t)from};
    uint16_t value = fx__stage_expr(program, stage, &expr);
    stage->out[0] = (fx_store){.expr = value, .access = (uint16_t)to};
    stage->n_out = 1;
    return value == FX_NO_EXPR ? NULL : kernel;
}

/* ---- The user ---------------------------------------------------------------------------------------------------------- */

typedef struct user {
    const packer *p;
    int panel; /* the copy's argument in the new kernel */
    uint8_t map[FX_AXES], q, lane;
} user;

/* Hook: the packed load reads the copy at its own axes. */
static uint16_t load_copy(fx_graft *graft, const fx_access *access, bool *failed)
{
    const user *u = graft->user;
    const fx_pack *pack = u->p->pack;
    if (graft->to_stage != pack->stage || access != &graft->from->access[pack->access]) return FX_NO_EXPR;
    fx_access at = {.arg = (uint8_t)u->panel, .rank = graft->to->arg[u->panel].rank};
    int q = 0;
    for (int i = 0; i < pack->n_axis; i++) {
        uint8_t axis = pack->axis[i];
        at.at[dim_of(u->p, i, &q)] = fx__index_axis(axis == pack->split && !pack->digits ? u->lane : u->map[axis]);
    }
    if (pack->split != FX_NO_AXIS) at.at[q] = fx__index_axis(pack->digits ? u->map[pack->split] : u->q);
    if (pack->digits) {
        at.at[q].term[0].div = pack->width;
        at.at[at.rank - 1].term[0].mod = pack->width;
    }
    int index = fx__kernel_add_access(graft->program, graft->to, &at);
    fx_expr expr = {.op = FX_X_LOAD,
                    .dtype = (uint8_t)graft->to->arg[u->panel].dtype,
                    .a = FX_NO_EXPR,
                    .b = FX_NO_EXPR,
                    .c = FX_NO_EXPR,
                    .u.access = (uint16_t)index};
    *failed = index < 0;
    return *failed ? FX_NO_EXPR : fx__stage_expr(graft->program, &graft->to->stage[graft->to_stage], &expr);
}

/* The old axes, with q in the place of the split one and its lanes as the last outer axis. */
static bool add_axes(user *u, fx_kernel *kernel, fx_index *by)
{
    const packer *p = u->p;
    const fx_kernel *old = p->old;
    bool splits = p->pack->split != FX_NO_AXIS && !p->pack->digits;
    if (old->n_axis + splits > FX_AXES) return false;
    for (uint8_t i = 0; i < old->n_axis; i++) {
        if (splits && i == old->n_outer) {
            kernel->axis[kernel->n_axis] = old->axis[p->pack->split];
            kernel->axis[kernel->n_axis].extent = p->pack->width;
            u->lane = kernel->n_axis++;
        }
        u->map[i] = kernel->n_axis;
        by[i] = fx__index_axis(u->map[i]);
        kernel->axis[kernel->n_axis++] = old->axis[i];
    }
    kernel->n_outer = (uint8_t)(old->n_outer + splits);
    if (!splits) return true;
    u->q = u->map[p->pack->split];
    kernel->axis[u->q] = (fx_axis){.name = "q", .extent = panels(p)};
    fx_index q = fx__index_axis(u->q), scaled, lane = fx__index_axis(u->lane);
    return fx__index_scale(p->program->dims, &q, p->pack->width, &scaled) &&
           fx__index_add(p->program->dims, &scaled, &lane, &by[p->pack->split]);
}

/* With padded panels, what moves along the split axis outside of the panel itself may lie past the end. */
static void guard_tail(const user *u, fx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_access && u->p->pads && !u->p->pack->digits; i++) {
        fx_access *access = &kernel->access[i];
        if (access->arg == u->panel || access->guarded) continue;
        for (int d = 0; d < access->rank; d++)
            for (int t = 0; t < access->at[d].n; t++)
                if (access->at[d].term[t].axis == u->lane) access->guarded = true;
        if (access->guarded) access->fill = (fx_imm){.u = 0};
    }
}

static bool add_stage(user *u, fx_kernel *kernel, int s, const fx_index *by)
{
    const fx_kstage *from = &u->p->old->stage[s];
    fx_kstage *to = fx__kernel_add_stage(u->p->program, kernel, from->kind), made = *from;
    if (!to) return false;
    made.expr = NULL;
    made.n_expr = made.cap_expr = 0;
    for (int i = 0; i < made.n_inner; i++) made.inner[i] = u->map[made.inner[i]];
    for (int i = 0; i < made.n_red; i++) made.red[i] = u->map[made.red[i]];
    *to = made;
    fx_graft graft = {.program = u->p->program,
                      .from = u->p->old,
                      .stage = from,
                      .to = kernel,
                      .to_stage = s,
                      .by = by,
                      .load = load_copy,
                      .user = u};
    if (!fx__graft_run(&graft)) return false;
    to = &kernel->stage[s];
    if (from->kind != FX_STAGE_MAP) to->value = graft.memo[from->value];
    for (int o = 0; o < from->n_out; o++) {
        fx_access access;
        if (!fx__graft_access(&graft, &u->p->old->access[from->out[o].access], &access)) return false;
        int index = fx__kernel_add_access(u->p->program, kernel, &access);
        if (index < 0) return false;
        to = &kernel->stage[s];
        to->out[o].access = (uint16_t)index;
        if (from->kind == FX_STAGE_MAP) to->out[o].expr = graft.memo[from->out[o].expr];
    }
    return true;
}

/* The kernel that reads the copy; false: it cannot be expressed. */
static bool make_user(packer *p, const fx_step *step, fx_bound *out)
{
    user u = {.p = p};
    fx_index by[FX_AXES];
    fx_arg panel;
    out->kernel = fx__kernel_new(p->program);
    if (!out->kernel || !add_axes(&u, out->kernel, by)) return false;
    out->kernel->exact = p->old->exact;
    for (int a = 0; a < p->old->n_arg; a++) {
        fx__kernel_add_arg(out->kernel, &p->old->arg[a]);
        out->bind[a] = step->bind[a];
    }
    arg_of_buf(p, p->to, p->pack->constant ? FX_ARG_CONST : FX_ARG_IN, &panel);
    u.panel = fx__bound_add_arg(out, &panel, p->to);
    if (u.panel < 0) return false;
    for (int s = 0; s < p->old->n_stage; s++)
        if (!add_stage(&u, out->kernel, s, by)) return false;
    guard_tail(&u, out->kernel);
    return fx__bound_drop_unused(out);
}

/* The copy's step: among the init steps, or right before its user. */
static fx_status add_copy_step(packer *p, fx_block *block, int32_t *at, fx_kernel *copy)
{
    fx_program *program = p->program;
    fx_step step = {.kind = FX_STEP_RUN, .cond = -1, .bind = {{p->from}, {p->to}}};
    step.kernel = fx__program_add_kernel(program, copy);
    fx_block *target = p->pack->constant ? &program->init : block;
    if (step.kernel < 0 || !fx__block_add(program, target, &step)) return fx__diag_oom(program->context);
    if (p->pack->constant) return FX_OK;
    step.nodes = block->step[*at].nodes;
    step.n_nodes = block->step[*at].n_nodes;
    for (int32_t i = block->n - 1; i > *at; i--) block->step[i] = block->step[i - 1];
    block->step[(*at)++] = step;
    return FX_OK;
}

fx_status fx__algo_pack(fx_algo *algo, fx_block *block, int32_t *at, const fx_pack *pack, bool *out_packed)
{
    fx_program *program = algo->program;
    packer p = {.algo = algo, .program = program, .old = program->kernel[block->step[*at].kernel], .pack = pack};
    *out_packed = false;
    if (pack->n_axis + (pack->split != FX_NO_AXIS) > FX_RANK || p.old->n_arg == FX_ARGS) return FX_OK;
    p.from = block->step[*at].bind[p.old->access[pack->access].arg].buf;
    fx_dim columns = pack->split != FX_NO_AXIS ? p.old->axis[pack->split].extent : 0;
    p.pads = !fx_dim_is_const(columns) || (columns > 0 && columns % pack->width != 0);
    p.to = add_buffer(&p);
    if (p.to < 0) return fx__diag_oom(program->context);
    fx_bound made = {.program = program};
    fx_kernel *copy = make_copy(&p);
    if (!copy || !make_user(&p, &block->step[*at], &made)) return FX_OK;
    FX_TRY(add_copy_step(&p, block, at, copy));
    fx_step *step = &block->step[*at];
    memcpy(step->bind, made.bind, sizeof step->bind);
    step->kernel = fx__program_add_kernel(program, made.kernel);
    *out_packed = true;
    return step->kernel < 0 ? fx__diag_oom(program->context) : FX_OK;
}
