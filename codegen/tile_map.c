/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/tile_map.c: the MAP stages behind a sweep, on its registers: every vector of every row is a copy of the point (point.h).
 * What does not move with the row (a bias) is computed once for all rows. */
#include "codegen/tile.h"

void fx__tile_begin(fx_tile *t)
{
    fx_frame *f = t->f;
    t->point.n_copy = 0;
    for (int r = 0; r < t->height; r++)
        for (int j = 0; j < t->n_vec; j++) {
            LLVMValueRef *result = FX_NEW_ARRAY(f->arena, LLVMValueRef, f->kernel->n_stage + 1);
            if (!result) f->status = FX_E_OOM;
            t->point.copy[t->point.n_copy++] = (fx_copy){
                .dv = (int64_t)j * t->lanes, .dr = r, .mask = t->mask[j], .result = result ? result : t->point.copy[0].result};
        }
}

void fx__tile_keep(fx_tile *t, const fx_tile_sweep *sweep)
{
    for (int c = 0; c < sweep->n_stage; c++)
        for (int i = 0; i < t->point.n_copy; i++) t->point.copy[i].result[sweep->stage[c]] = t->acc[c * t->point.n_copy + i];
}

LLVMValueRef fx__tile_load(fx_tile *t, int stage, uint16_t expr, int r, int j)
{
    LLVMValueRef *memo = fx__value_memo(&t->point, stage);
    if (!memo) return LLVMGetPoison(t->f->e.ty_f32);
    return fx__value_expr(&t->point, stage, r * t->n_vec + j, expr, memo);
}

/* A memo for one copy that knows what the same vector of the first row computed, where that does not move with the row. */
static LLVMValueRef *next_memo(fx_tile *t, int s, LLVMValueRef *first)
{
    LLVMValueRef *memo = fx__value_memo(&t->point, s);
    for (uint16_t x = 0; memo && first && x < t->f->kernel->stage[s].n_expr; x++)
        if (!(fx__value_axes(&t->point, s, x) >> t->row & 1)) memo[x] = first[x];
    return memo;
}

static void emit_copy(fx_tile *t, int s, int copy, LLVMValueRef *memo)
{
    const fx_kstage *stage = &t->f->kernel->stage[s];
    LLVMValueRef value[FX_OUTS];
    for (int o = 0; o < stage->n_out; o++) value[o] = fx__value_expr(&t->point, s, copy, stage->out[o].expr, memo);
    for (int o = 0; o < stage->n_out; o++) {
        fx_dtype dtype = (fx_dtype)stage->expr[stage->out[o].expr].dtype;
        fx__value_store(&t->point, s, copy, stage->out[o].access, dtype, value[o], memo);
    }
}

void fx__tile_emit_map(fx_tile *t, int s)
{
    for (int j = 0; j < t->n_vec; j++) {
        LLVMValueRef *first = NULL;
        for (int r = 0; r < t->height; r++) {
            LLVMValueRef *memo = next_memo(t, s, first);
            if (!memo) return;
            emit_copy(t, s, r * t->n_vec + j, memo);
            if (!first) first = memo;
        }
    }
}
