/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/index.c: from accesses to addresses. An access's element offset is base + sum of coef * coordinate, plus digits and
 * gathered indices; fx__frame_enter adds an axis's part when its loop is entered. */
#include "codegen/frame.h"

LLVMValueRef fx__index_arg_dim(fx_frame *f, const fx_access *access, int d)
{
    return fx__frame_dim(f, f->kernel->arg[access->arg].dim[d]);
}

/* The argument whose memory an access goes to: locals may live in an output's row. */
static const fx_arg *memory_of(const fx_frame *f, const fx_access *access)
{
    return &f->kernel->arg[access->arg];
}

LLVMValueRef fx__index_arg_stride(fx_frame *f, const fx_access *access, int d)
{
    return fx__frame_dim(f, memory_of(f, access)->stride[d]);
}

static bool is_digit(const fx_term *term)
{
    return term->div != 1 || term->mod != 0;
}

/* The store through which a home argument gets its values: it tells where a point's row begins. */
static const fx_access *home_store(const fx_frame *f, uint8_t home)
{
    for (int s = 0; s < f->kernel->n_stage; s++) {
        const fx_kstage *stage = &f->kernel->stage[s];
        for (int o = 0; o < stage->n_out; o++) {
            const fx_access *access = &f->kernel->access[stage->out[o].access];
            if (access->arg == home) return access;
        }
    }
    return NULL;
}

/* Adds base and terms of an access to acc; outer_only: terms of inner axes are left out (a row's origin). */
static void add_terms(fx_frame *f, fx_acc *acc, const fx_access *access, bool outer_only)
{
    fx_e *e = &f->e;
    for (int d = 0; d < access->rank; d++) {
        const fx_index *index = &access->at[d];
        LLVMValueRef stride = fx__index_arg_stride(f, access, d);
        if (index->value >= 0) {
            acc->gathered |= UINT32_C(1) << d;
            continue;
        }
        acc->offset = e_add(e, acc->offset, e_mul(e, fx__frame_dim(f, index->base), stride));
        for (int t = 0; t < index->n; t++) {
            const fx_term *term = &index->term[t];
            if (outer_only && term->axis >= f->kernel->n_outer) continue;
            if (is_digit(term)) {
                acc->digits |= UINT32_C(1) << term->axis;
                continue;
            }
            LLVMValueRef step = e_mul(e, fx__frame_dim(f, term->coef), stride), *coef = &acc->coef[term->axis];
            *coef = *coef ? e_add(e, *coef, step) : step;
        }
    }
}

static void drop_zero_coefs(const fx_frame *f, fx_acc *acc)
{
    int64_t known;
    for (int i = 0; i < f->kernel->n_axis; i++) {
        if (acc->coef[i] && e_const(acc->coef[i], &known) && known == 0) acc->coef[i] = NULL;
    }
}

fx_status fx__index_open(fx_frame *f)
{
    for (int i = 0; i < f->kernel->n_access; i++) {
        const fx_access *access = &f->kernel->access[i];
        const fx_arg *arg = &f->kernel->arg[access->arg];
        fx_acc *acc = &f->acc[i];
        *acc = (fx_acc){.offset = e_i64(&f->e, 0)};
        add_terms(f, acc, access, false);
        if (arg->role == FX_ARG_LOCAL && arg->home >= 0) {
            const fx_access *store = home_store(f, (uint8_t)arg->home);
            if (!store) return fx__frame_refuse(f, "a local's home is never stored");
            add_terms(f, acc, store, true);
        }
        drop_zero_coefs(f, acc);
    }
    return FX_OK;
}

LLVMValueRef fx__index_ptr(fx_frame *f, uint16_t access)
{
    const fx_access *a = &f->kernel->access[access];
    return e_at(&f->e, e_mem_type(&f->e, f->kernel->arg[a->arg].dtype), f->arg[a->arg], f->acc[access].offset);
}

static LLVMValueRef widen(fx_e *e, LLVMValueRef value, LLVMValueRef like)
{
    return e_splat(e, value, e_lanes(like));
}

LLVMValueRef fx__index_add_wide(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return e_add(e, widen(e, a, b), widen(e, b, a));
}
LLVMValueRef fx__index_mul_wide(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return e_mul(e, widen(e, a, b), widen(e, b, a));
}

/* (at / div) % mod */
static LLVMValueRef digit_of(fx_frame *f, const fx_term *term, LLVMValueRef at)
{
    if (term->div != 1) at = e_floordiv(&f->e, at, widen(&f->e, fx__frame_dim(f, term->div), at));
    if (term->mod != 0) at = e_floormod(&f->e, at, widen(&f->e, fx__frame_dim(f, term->mod), at));
    return at;
}

LLVMValueRef fx__index_dim(fx_frame *f, const fx_access *access, int d, const LLVMValueRef *coord)
{
    const fx_index *index = &access->at[d];
    LLVMValueRef sum = fx__frame_dim(f, index->base);
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        LLVMValueRef part = fx__index_mul_wide(&f->e, digit_of(f, term, coord[term->axis]), fx__frame_dim(f, term->coef));
        sum = fx__index_add_wide(&f->e, sum, part);
    }
    return sum;
}

LLVMValueRef fx__index_digits(fx_frame *f, const fx_access *access, uint8_t axis, LLVMValueRef coord)
{
    fx_e *e = &f->e;
    LLVMValueRef sum = e_i64(e, 0);
    for (int d = 0; d < access->rank; d++) {
        for (int t = 0; t < access->at[d].n; t++) {
            const fx_term *term = &access->at[d].term[t];
            if (term->axis != axis || !is_digit(term) || access->at[d].value >= 0) continue;
            LLVMValueRef step = e_mul(e, fx__frame_dim(f, term->coef), fx__index_arg_stride(f, access, d));
            sum = fx__index_add_wide(e, sum, fx__index_mul_wide(e, digit_of(f, term, coord), step));
        }
    }
    return sum;
}

bool fx__index_split(fx_frame *f, const fx_access *access, int d, uint8_t axis, LLVMValueRef *out_rest, int64_t *out_coef)
{
    fx_e *e = &f->e;
    const fx_index *index = &access->at[d];
    LLVMValueRef rest = fx__frame_dim(f, index->base);
    *out_coef = 0;
    if (index->value >= 0) return false;
    for (int t = 0; t < index->n; t++) {
        const fx_term *term = &index->term[t];
        if (term->axis == axis) {
            if (is_digit(term) || !fx_dim_is_const(term->coef)) return false;
            *out_coef += term->coef;
            continue;
        }
        if (!f->coord[term->axis]) return false;
        rest = e_add(e, rest, e_mul(e, digit_of(f, term, f->coord[term->axis]), fx__frame_dim(f, term->coef)));
    }
    *out_rest = rest;
    return true;
}

bool fx__index_stride(const fx_frame *f, uint16_t access, uint8_t axis, int64_t *out)
{
    const fx_acc *acc = &f->acc[access];
    if (acc->digits >> axis & 1) return false;
    *out = 0;
    return !acc->coef[axis] || e_const(acc->coef[axis], out);
}

bool fx__index_moves(const fx_frame *f, uint16_t access, uint8_t axis)
{
    const fx_acc *acc = &f->acc[access];
    const fx_access *a = &f->kernel->access[access];
    if (acc->coef[axis] || acc->digits >> axis & 1) return true;
    for (int d = 0; d < a->rank; d++) {
        if (!a->guarded && a->at[d].value < 0) continue; /* all of its terms are in acc */
        for (int t = 0; t < a->at[d].n; t++) {
            if (a->at[d].term[t].axis == axis) return true;
        }
    }
    return false;
}
