/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/check.c: what an entry tests: numbers of tensors, element types, ranks, sizes, density, and the guards that passes
 * recorded. Symbols are read from the inputs on the way and written to the call. */
#include "codegen/entry.h"

/* Ends the function with a status unless condition holds. */
static void require(fx_entry_module *m, LLVMValueRef condition, fx_status status)
{
    fx_e *e = &m->e;
    if (condition == e_i1(e, true)) return;
    LLVMBasicBlockRef good = e_block(e, "good"), bad = e_block(e, "bad");
    e_branch(e, condition, good, bad);
    e_put(e, bad);
    LLVMBuildRet(e->builder, e_i32(e, (int32_t)status));
    e_put(e, good);
}

static void require_equal(fx_entry_module *m, LLVMValueRef a, LLVMValueRef b, fx_status status)
{
    require(m, e_icmp(&m->e, LLVMIntEQ, a, b), status);
}

static LLVMValueRef dim_at(fx_entry_module *m, LLVMValueRef tensor, int d)
{
    return e_field(&m->e, m->e.ty_i64, tensor, offsetof(fx_tensor, dim) + (size_t)d * sizeof(int64_t));
}

static LLVMValueRef tensor_at(fx_entry_module *m, fx_role role, int32_t index)
{
    fx_e *e = &m->e;
    size_t field = role == FX_BUF_INPUT ? offsetof(fx_rt_call, in) : offsetof(fx_rt_call, out);
    return e_at_bytes(e, e_field(e, e->ty_ptr, m->call, field), e_i64(e, (int64_t)((size_t)index * sizeof(fx_tensor))));
}

static void check_counts(fx_entry_module *m)
{
    fx_e *e = &m->e;
    require_equal(m, e_field(e, e->ty_i32, m->call, offsetof(fx_rt_call, n_in)), e_i32(e, m->program->n_input), FX_E_ARG);
    require_equal(m, e_field(e, e->ty_i32, m->call, offsetof(fx_rt_call, n_out)), e_i32(e, m->program->n_output), FX_E_ARG);
}

static void check_state(fx_entry_module *m)
{
    fx_e *e = &m->e;
    if (m->program->n_state == 0) return;
    LLVMValueRef state = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, state));
    require(m, LLVMBuildNot(e->builder, LLVMBuildIsNull(e->builder, state, ""), ""), FX_E_ARG);
}

static bool is_interface(const fx_buf *buf)
{
    return buf->parent < 0 && (buf->role == FX_BUF_INPUT || buf->role == FX_BUF_OUTPUT);
}

static void check_kind(fx_entry_module *m, const fx_buf *buf)
{
    fx_e *e = &m->e;
    LLVMValueRef tensor = tensor_at(m, buf->role, buf->index);
    require_equal(m, e_field(e, e->ty_i32, tensor, offsetof(fx_tensor, dtype)), e_i32(e, (int32_t)buf->dtype), FX_E_TYPE);
    require_equal(m, e_field(e, e->ty_i32, tensor, offsetof(fx_tensor, rank)), e_i32(e, buf->rank), FX_E_SHAPE);
}

static void read_symbol(fx_entry_module *m, int32_t index)
{
    fx_e *e = &m->e;
    const fx_sym *sym = fx__dims_sym(m->program->dims, index);
    if (sym->input < 0) return; /* a CALL step sets it */
    LLVMValueRef value = dim_at(m, tensor_at(m, FX_BUF_INPUT, sym->input), sym->axis);
    require(m, e_icmp(e, LLVMIntSGE, value, e_i64(e, sym->lo)), FX_E_GUARD);
    require(m, e_icmp(e, LLVMIntSLE, value, e_i64(e, sym->hi)), FX_E_GUARD);
    if (sym->multiple > 1) {
        require_equal(m, e_floormod(e, value, e_i64(e, sym->multiple)), e_i64(e, 0), FX_E_GUARD);
    }
    LLVMValueRef dims = e_field(e, e->ty_ptr, m->call, offsetof(fx_rt_call, dim));
    e_store(e, value, e_at(e, e->ty_i64, dims, e_i64(e, index)));
    m->sym[index] = value;
}

/* Whether the symbols of a dim are all known at entry. */
static bool is_bound(const fx_entry_module *m, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return true;
    fx_dim_node node = fx__dim_node(m->program->dims, dim);
    if (node.op == FX_DIM_CONST) return true;
    if (node.op == FX_DIM_SYM) return m->sym[node.value] != NULL;
    return is_bound(m, node.a) && is_bound(m, node.b);
}

/* Sizes as compiled, rows behind each other; strides of a dim of size 1 or of an empty tensor are never used. */
static void check_sizes(fx_entry_module *m, const fx_buf *buf)
{
    fx_e *e = &m->e;
    LLVMValueRef tensor = tensor_at(m, buf->role, buf->index), packed = e_i64(e, 1), empty = e_i1(e, false);
    for (int d = 0; d < buf->rank; d++) {
        empty = LLVMBuildOr(e->builder, empty, e_icmp(e, LLVMIntEQ, dim_at(m, tensor, d), e_i64(e, 0)), "");
    }
    for (int d = buf->rank - 1; d >= 0; d--) {
        LLVMValueRef have = dim_at(m, tensor, d);
        if (is_bound(m, buf->dim[d])) require_equal(m, have, fx__entry_dim(m, buf->dim[d]), FX_E_SHAPE);
        LLVMValueRef stride = e_field(e, e->ty_i64, tensor, offsetof(fx_tensor, stride) + (size_t)d * sizeof(int64_t));
        LLVMValueRef unused = LLVMBuildOr(e->builder, empty, e_icmp(e, LLVMIntSLE, have, e_i64(e, 1)), "");
        require(m, LLVMBuildOr(e->builder, unused, e_icmp(e, LLVMIntEQ, stride, packed), ""), FX_E_ARG);
        packed = e_mul(e, packed, have);
    }
}

static void check_guard(fx_entry_module *m, const fx_guard *guard)
{
    static const LLVMIntPredicate predicate[] = {[FX_GUARD_EQ] = LLVMIntEQ, [FX_GUARD_NE] = LLVMIntNE, [FX_GUARD_LE] = LLVMIntSLE};
    if (!is_bound(m, guard->a) || !is_bound(m, guard->b)) return;
    LLVMValueRef a = fx__entry_dim(m, guard->a), b = fx__entry_dim(m, guard->b);
    require(m, e_icmp(&m->e, predicate[guard->kind], a, b), FX_E_GUARD);
}

void fx__entry_check(fx_entry_module *m)
{
    const fx_program *program = m->program;
    check_counts(m);
    check_state(m);
    for (int32_t i = 0; i < program->n_buf; i++) {
        if (is_interface(&program->buf[i])) check_kind(m, &program->buf[i]);
    }
    for (int32_t i = 0; i < fx__dims_sym_count(program->dims); i++) read_symbol(m, i);
    for (int32_t i = 0; i < program->n_buf; i++) {
        if (is_interface(&program->buf[i])) check_sizes(m, &program->buf[i]);
    }
    for (int32_t i = 0; i < fx__dims_guard_count(program->dims); i++) check_guard(m, fx__dims_guard(program->dims, i));
}
