/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_build.c: making programs, buffers, steps and kernels. Everything lives in the program's arena; equal accesses and equal
 * expressions of a stage are shared, so that their numbers can be compared. */
#include "ir/kir.h"
#include <string.h>

/* ---- Program ----------------------------------------------------------------------------------------------------------- */

fx_program *fx__program_new(fx_context *context, const fx_dims *dims)
{
    fx_arena *arena = fx__arena_new(context);
    fx_program *program = arena ? FX_NEW(arena, fx_program) : NULL;
    fx_dims *own = dims ? fx__dims_clone(dims) : fx__dims_new(context);
    if (!program || !own) {
        if (own) fx__dims_free(own);
        fx__arena_free(arena);
        return NULL;
    }
    program->context = context;
    program->arena = arena;
    program->dims = own;
    return program;
}

void fx__program_free(fx_program *program)
{
    if (!program) return;
    fx__dims_free(program->dims);
    fx__arena_free(program->arena);
}

int32_t fx__program_add_buf(fx_program *program, const fx_buf *buf)
{
    fx_buf *items = fx__arena_grow(program->arena, program->buf, &program->cap_buf, program->n_buf, sizeof *items);
    if (!items) return -1;
    program->buf = items;
    items[program->n_buf] = *buf;
    return program->n_buf++;
}

int32_t fx__program_add_kernel(fx_program *program, fx_kernel *kernel)
{
    fx_kernel **items = fx__arena_grow(program->arena, program->kernel, &program->cap_kernel, program->n_kernel, sizeof *items);
    if (!items) return -1;
    program->kernel = items;
    items[program->n_kernel] = kernel;
    return program->n_kernel++;
}

fx_step *fx__block_add(fx_program *program, fx_block *block, const fx_step *step)
{
    fx_step *items = fx__arena_grow(program->arena, block->step, &block->cap, block->n, sizeof *items);
    if (!items) return NULL;
    block->step = items;
    items[block->n] = *step;
    return &items[block->n++];
}

void fx__block_remove(fx_block *block, int32_t index)
{
    memmove(&block->step[index], &block->step[index + 1], (size_t)(block->n - index - 1) * sizeof *block->step);
    block->n--;
}

bool fx__program_add_why(fx_program *program, const fx_why *why)
{
    fx_why *items = fx__arena_grow(program->arena, program->why, &program->cap_why, program->n_why, sizeof *items);
    if (!items) return false;
    program->why = items;
    items[program->n_why++] = *why;
    return true;
}

int32_t fx__buf_root(const fx_program *program, int32_t buf)
{
    while (program->buf[buf].parent >= 0) buf = program->buf[buf].parent;
    return buf;
}

fx_dim fx__buf_elems(const fx_program *program, int32_t buf)
{
    const fx_buf *b = &program->buf[buf];
    fx_dim elems = 1;
    for (int d = 0; d < b->rank; d++) elems = fx__dim_mul(program->dims, elems, b->dim[d]);
    return elems;
}

void fx__buf_strides(const fx_program *program, int32_t buf, fx_dim out[FX_RANK])
{
    const fx_buf *root = &program->buf[fx__buf_root(program, buf)];
    fx_dim stride = 1;
    for (int d = root->rank - 1; d >= 0; d--) {
        out[d] = stride;
        stride = fx__dim_mul(program->dims, stride, root->dim[d]);
    }
}

int64_t fx__buf_bytes_hint(const fx_program *program, int32_t buf)
{
    return fx__dim_hint(program->dims, fx__buf_elems(program, buf)) * (int64_t)fx_dtype_bytes(program->buf[buf].dtype);
}

/* ---- Kernel ------------------------------------------------------------------------------------------------------------ */

fx_kernel *fx__kernel_new(fx_program *program)
{
    return FX_NEW(program->arena, fx_kernel);
}

static bool clone_stage(fx_program *program, fx_kstage *stage)
{
    fx_expr *expr = FX_NEW_ARRAY(program->arena, fx_expr, stage->n_expr + 1);
    if (!expr) return false;
    if (stage->n_expr) memcpy(expr, stage->expr, stage->n_expr * sizeof *expr);
    stage->expr = expr;
    stage->cap_expr = (uint16_t)(stage->n_expr + 1);
    return true;
}

fx_kernel *fx__kernel_clone(fx_program *program, const fx_kernel *kernel)
{
    fx_kernel *clone = FX_NEW(program->arena, fx_kernel);
    fx_access *access = FX_NEW_ARRAY(program->arena, fx_access, kernel->n_access + 1);
    fx_kstage *stage = FX_NEW_ARRAY(program->arena, fx_kstage, kernel->n_stage + 1);
    if (!clone || !access || !stage) return NULL;
    *clone = *kernel;
    if (kernel->n_access) memcpy(access, kernel->access, kernel->n_access * sizeof *access);
    if (kernel->n_stage) memcpy(stage, kernel->stage, kernel->n_stage * sizeof *stage);
    clone->access = access;
    clone->cap_access = (uint16_t)(kernel->n_access + 1);
    clone->stage = stage;
    clone->cap_stage = (uint8_t)(kernel->n_stage + 1);
    for (int s = 0; s < clone->n_stage; s++)
        if (!clone_stage(program, &stage[s])) return NULL;
    return clone;
}

/* An inner axis goes last; an outer one goes behind the outer ones, which is only allowed while there are no inner ones. */
int fx__kernel_add_axis(fx_program *program, fx_kernel *kernel, const char *name, fx_dim extent, bool outer)
{
    (void)program;
    if (kernel->n_axis >= FX_AXES || (outer && kernel->n_axis != kernel->n_outer)) return -1;
    fx_axis *axis = &kernel->axis[kernel->n_axis];
    *axis = (fx_axis){.extent = extent};
    if (name) strncpy(axis->name, name, sizeof axis->name - 1);
    if (outer) kernel->n_outer++;
    return kernel->n_axis++;
}

int fx__kernel_add_arg(fx_kernel *kernel, const fx_arg *arg)
{
    if (kernel->n_arg >= FX_ARGS) return -1;
    kernel->arg[kernel->n_arg] = *arg;
    return kernel->n_arg++;
}

/* Constants of narrow floats are kept as the value that the text can give back. */
static void round_imm(fx_dtype dtype, fx_imm *imm)
{
    if (dtype == FX_F32 || dtype == FX_F16 || dtype == FX_BF16) imm->f = (double)(float)imm->f;
}

static bool access_equal(const fx_access *a, const fx_access *b)
{
    if (a->arg != b->arg || a->rank != b->rank || a->guarded != b->guarded || a->clamped != b->clamped) return false;
    if (a->guarded && a->fill.u != b->fill.u) return false;
    for (int d = 0; d < a->rank; d++)
        if (!fx__index_equal(&a->at[d], &b->at[d])) return false;
    return true;
}

int fx__kernel_add_access(fx_program *program, fx_kernel *kernel, const fx_access *access)
{
    fx_access rounded = *access;
    round_imm(kernel->arg[access->arg].dtype, &rounded.fill);
    access = &rounded;
    for (int i = 0; i < kernel->n_access; i++)
        if (access_equal(&kernel->access[i], access)) return i;
    if (kernel->n_access >= UINT16_MAX - 1) return -1;
    int32_t capacity = kernel->cap_access;
    fx_access *items = fx__arena_grow(program->arena, kernel->access, &capacity, kernel->n_access, sizeof *items);
    if (!items) return -1;
    kernel->access = items;
    kernel->cap_access = (uint16_t)(capacity < UINT16_MAX ? capacity : UINT16_MAX);
    items[kernel->n_access] = *access;
    return kernel->n_access++;
}

fx_kstage *fx__kernel_add_stage(fx_program *program, fx_kernel *kernel, fx_stage_kind kind)
{
    if (kernel->n_stage == UINT8_MAX) return NULL;
    int32_t capacity = kernel->cap_stage;
    fx_kstage *items = fx__arena_grow(program->arena, kernel->stage, &capacity, kernel->n_stage, sizeof *items);
    if (!items) return NULL;
    kernel->stage = items;
    kernel->cap_stage = (uint8_t)(capacity < UINT8_MAX ? capacity : UINT8_MAX);
    items[kernel->n_stage] = (fx_kstage){.kind = kind, .acc = FX_F32, .value = FX_NO_EXPR};
    return &items[kernel->n_stage++];
}

/* ---- Expressions --------------------------------------------------------------------------------------------------------- */

int fx__expr_operands(const fx_expr *expr)
{
    switch ((fx_expr_op)expr->op) {
    case FX_X_CAST:
        return 1;
    case FX_X_SELECT:
        return 3;
    case FX_X_SCALAR:
        return fx__scalar_operands((fx_scalar_op)expr->scalar);
    case FX_X_LOAD:
    case FX_X_IMM:
    case FX_X_AXIS:
    case FX_X_SYM:
    case FX_X_STAGE:
        return 0;
    }
    return 0;
}

fx_dtype fx__stage_dtype(const fx_kstage *stage)
{
    bool place = stage->kind == FX_STAGE_REDUCE && (stage->combine == FX_COMBINE_ARGMIN || stage->combine == FX_COMBINE_ARGMAX);
    return place ? FX_I64 : stage->acc;
}

static uint64_t payload(const fx_expr *expr)
{
    switch ((fx_expr_op)expr->op) {
    case FX_X_LOAD:
        return expr->u.access;
    case FX_X_IMM:
        return expr->u.imm.u;
    case FX_X_AXIS:
        return expr->u.axis;
    case FX_X_SYM:
        return (uint64_t)expr->u.dim;
    case FX_X_STAGE:
        return expr->u.stage;
    case FX_X_CAST:
    case FX_X_SELECT:
    case FX_X_SCALAR:
        return 0;
    }
    return 0;
}

static bool expr_equal(const fx_expr *a, const fx_expr *b)
{
    return a->op == b->op && a->scalar == b->scalar && a->dtype == b->dtype && a->a == b->a && a->b == b->b && a->c == b->c &&
           payload(a) == payload(b);
}

uint16_t fx__stage_expr(fx_program *program, fx_kstage *stage, const fx_expr *expr)
{
    fx_expr e = *expr;
    int operands = fx__expr_operands(&e);
    if (operands < 1) e.a = FX_NO_EXPR;
    if (operands < 2) e.b = FX_NO_EXPR;
    if (operands < 3) e.c = FX_NO_EXPR;
    if (e.op != FX_X_SCALAR) e.scalar = 0;
    if (e.op == FX_X_IMM) round_imm((fx_dtype)e.dtype, &e.u.imm);
    uint16_t operand[3] = {e.a, e.b, e.c};
    for (int i = 0; i < operands; i++)
        if (operand[i] >= stage->n_expr) return FX_NO_EXPR;
    for (uint16_t i = 0; i < stage->n_expr; i++)
        if (expr_equal(&stage->expr[i], &e)) return i;
    if (stage->n_expr >= FX_NO_EXPR - 1) return FX_NO_EXPR;
    int32_t capacity = stage->cap_expr;
    fx_expr *items = fx__arena_grow(program->arena, stage->expr, &capacity, stage->n_expr, sizeof *items);
    if (!items) return FX_NO_EXPR;
    stage->expr = items;
    stage->cap_expr = (uint16_t)(capacity < UINT16_MAX ? capacity : UINT16_MAX);
    items[stage->n_expr] = e;
    return stage->n_expr++;
}
