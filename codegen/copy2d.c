/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/copy2d.c: COPY2D, MAPs whose stores walk the axis vec while their main loads walk vec2: blocks of lanes x lanes. Loads
 * with stride 1 along vec2 are read as rows of the block and transposed in registers; then every row along vec2 is computed and
 * stored as a vector along vec. A block that reaches past an end runs with masks and leaves out rows. */
#include "codegen/point.h"
#include <string.h>

enum { MAX_LANES = 64 };

typedef struct blocks {
    fx_kpoint *p;
    uint8_t vec, vec2;
    int lanes;
    LLVMValueRef **column; /* [accesses]: NULL, or the transposed rows of the current block */
} blocks;

static bool is_transposed(const blocks *b, uint16_t access)
{
    const fx_frame *f = b->p->f;
    const fx_acc *acc = &f->acc[access];
    int64_t along, across;
    if (f->kernel->access[access].guarded || acc->gathered || (acc->digits & f->late)) return false;
    return fx__index_stride(f, access, b->vec2, &across) && across == 1 && fx__index_stride(f, access, b->vec, &along) &&
           along != 0;
}

/* lanes x lanes in place, by exchanging ever larger off-diagonal blocks. */
static void transpose(fx_e *e, LLVMValueRef *row, int lanes)
{
    for (int size = 1; size < lanes; size *= 2) {
        int low[MAX_LANES], high[MAX_LANES];
        for (int l = 0; l < lanes; l++) {
            low[l] = l & size ? lanes + l - size : l;
            high[l] = l & size ? lanes + l : l + size;
        }
        for (int i = 0; i < lanes; i++) {
            if (i & size) continue;
            LLVMValueRef a = row[i], b = row[i + size];
            row[i] = e_shuffle(e, a, b, low, lanes);
            row[i + size] = e_shuffle(e, a, b, high, lanes);
        }
    }
}

/* Rows of the block: vectors along vec2 at lanes positions of vec, of which n1 exist, each with n2 elements (NULL: all). */
static void load_rows(blocks *b, uint16_t id, LLVMValueRef n1, LLVMValueRef n2)
{
    fx_frame *f = b->p->f;
    fx_e *e = &f->e;
    LLVMTypeRef element = e_mem_type(e, f->kernel->arg[f->kernel->access[id].arg].dtype), type = e_vec(element, b->lanes);
    LLVMValueRef ptr = fx__index_ptr(f, id), all = n2 ? e_mask_first(e, b->lanes, n2) : NULL;
    for (int i = 0; i < b->lanes; i++) {
        LLVMValueRef at = e_at(e, element, ptr, e_mul(e, f->acc[id].coef[b->vec], e_i64(e, i)));
        LLVMValueRef exists = n1 ? e_splat(e, e_icmp(e, LLVMIntSLT, e_i64(e, i), n1), b->lanes) : NULL;
        b->column[id][i] = n1 ? e_load_masked(e, type, at, e_and(e, all, exists), NULL) : e_load(e, type, at);
    }
    transpose(e, b->column[id], b->lanes);
}

/* Loads of transposed accesses are known before the stages are emitted. */
static bool give_columns(blocks *b, int j)
{
    fx_kpoint *p = b->p;
    for (int s = 0; s < p->f->kernel->n_stage; s++) {
        const fx_kstage *stage = &p->f->kernel->stage[s];
        LLVMValueRef *memo = fx__value_memo(p, s);
        if (!memo) return false;
        for (int i = 0; i < stage->n_expr; i++) {
            const fx_expr *x = &stage->expr[i];
            if (x->op != FX_X_LOAD || !b->column[x->u.access]) continue;
            memo[i] = fx__math_unpack(&p->f->e, (fx_dtype)x->dtype, b->column[x->u.access][j]);
        }
        p->hoisted[s] = memo;
    }
    return true;
}

static void store_row(blocks *b, int j, LLVMValueRef n1)
{
    fx_kpoint *p = b->p;
    p->copy[0].dr = j;
    p->copy[0].mask = n1 ? e_mask_first(&p->f->e, b->lanes, n1) : NULL;
    if (give_columns(b, j)) fx__point_stages(p);
    for (int s = 0; s < p->f->kernel->n_stage; s++) fx__value_unhoist(p, s);
}

/* n1, n2: elements along vec and vec2; NULL: a full block. */
static void block(blocks *b, LLVMValueRef n1, LLVMValueRef n2)
{
    fx_e *e = &b->p->f->e;
    for (uint16_t i = 0; i < b->p->f->kernel->n_access; i++) {
        if (b->column[i]) load_rows(b, i, n1, n2);
    }
    for (int j = 0; j < b->lanes; j++) {
        fx_if exists = e_if_begin(e, "row", n2 ? e_icmp(e, LLVMIntSLT, e_i64(e, j), n2) : e_i1(e, true));
        store_row(b, j, n1);
        e_if_end(e, &exists);
    }
}

/* Elements of a block that begins at an index. */
static LLVMValueRef left(fx_frame *f, uint8_t axis, LLVMValueRef at, int lanes)
{
    return e_min(&f->e, e_sub(&f->e, f->end[axis], at), e_i64(&f->e, lanes));
}

static bool is_multiple(const fx_frame *f, uint8_t axis, int lanes)
{
    return fx__dim_multiple(f->program->dims, f->kernel->axis[axis].extent) % lanes == 0;
}

static void any_block(blocks *b, LLVMValueRef at2, LLVMValueRef at1)
{
    fx_frame *f = b->p->f;
    fx_e *e = &f->e;
    if (is_multiple(f, b->vec, b->lanes) && is_multiple(f, b->vec2, b->lanes)) {
        block(b, NULL, NULL);
        return;
    }
    LLVMBasicBlockRef full = e_block(e, "full"), part = e_block(e, "part"), after = e_block(e, "block.end");
    LLVMValueRef n1 = left(f, b->vec, at1, b->lanes), n2 = left(f, b->vec2, at2, b->lanes), lanes = e_i64(e, b->lanes);
    e_branch(e, LLVMBuildAnd(e->builder, e_icmp(e, LLVMIntEQ, n1, lanes), e_icmp(e, LLVMIntEQ, n2, lanes), ""), full, part);
    e_put(e, full);
    block(b, NULL, NULL);
    e_goto(e, after);
    e_put(e, part);
    block(b, n1, n2);
    e_goto(e, after);
    e_put(e, after);
}

static void all_blocks(blocks *b)
{
    fx_frame *f = b->p->f;
    fx_axis_loop across, along;
    fx__frame_axis_begin(f, &across, b->vec2, b->lanes, 0, NULL);
    fx__frame_axis_begin(f, &along, b->vec, b->lanes, 0, NULL);
    any_block(b, f->coord[b->vec2], f->coord[b->vec]);
    fx__frame_axis_end(f, &along, NULL);
    fx__frame_axis_end(f, &across, NULL);
}

static fx_status find_columns(blocks *b)
{
    const fx_kernel *k = b->p->f->kernel;
    b->column = FX_NEW_ARRAY(b->p->f->arena, LLVMValueRef *, k->n_access + 1);
    if (!b->column) return FX_E_OOM;
    for (int s = 0; s < k->n_stage; s++) {
        for (int i = 0; i < k->stage[s].n_expr; i++) {
            const fx_expr *x = &k->stage[s].expr[i];
            if (x->op != FX_X_LOAD || b->column[x->u.access] || !is_transposed(b, x->u.access)) continue;
            b->column[x->u.access] = FX_NEW_ARRAY(b->p->f->arena, LLVMValueRef, b->lanes);
            if (!b->column[x->u.access]) return FX_E_OOM;
        }
    }
    return FX_OK;
}

fx_status fx__emit_copy2d(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    fx_kpoint p;
    fx_nest nest;
    FX_TRY(fx__point_open(&p, f));
    blocks b = {.p = &p, .vec = sched->vec, .vec2 = sched->vec2, .lanes = sched->lanes};
    fx__frame_nest_begin(f, &nest, f->n_order - 2);
    f->late = UINT32_C(1) << b.vec | UINT32_C(1) << b.vec2;
    p.vec = b.vec;
    p.row = b.vec2;
    p.lanes = b.lanes;
    FX_TRY(find_columns(&b));
    all_blocks(&b);
    f->late = 0;
    fx__frame_nest_end(f, &nest);
    return f->status;
}
