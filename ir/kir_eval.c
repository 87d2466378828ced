/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_eval.c: the meaning of a program: memory for its buffers, then its steps one after the other, then its writebacks. Before
 * `plan` every buffer has memory of its own; afterwards all share one workspace at the planned offsets, so that a wrong plan shows.
 * Memory that nobody has written holds 0xff bytes: NaN in every float. */
#include "ir/kir_eval.h"
#include "ir/interp.h"
#include <inttypes.h>
#include <string.h>

typedef struct evaluation {
    const fx_program *program;
    const fx_tensor *in;
    fx_tensor *out;
    void *const *state;
    int64_t *syms; /* a copy: loops count in it */
    char **root;   /* [n_buf]: memory of root buffers */
    bool *owned;   /* [n_buf] */
    char *workspace;
    fx_status error; /* FX_E_INDEX after a clamped index */
} evaluation;

/* ---- Memory --------------------------------------------------------------------------------------------------------------------
 */

static int64_t buf_bytes(const evaluation *e, int32_t b)
{
    const fx_buf *buf = &e->program->buf[b];
    int64_t bytes = (int64_t)fx_dtype_bytes(buf->dtype);
    for (int d = 0; d < buf->rank; d++)
        if (__builtin_mul_overflow(bytes, fx__eval_dim(e->program, buf->dim[d], e->syms), &bytes) || bytes < 0) return -1;
    return bytes;
}

static char *new_memory(const evaluation *e, int64_t bytes)
{
    char *memory = bytes < 0 ? NULL : fx__alloc(e->program->context, (size_t)bytes + 1);
    if (memory) memset(memory, 0xff, (size_t)bytes);
    return memory;
}

/* Where a root buffer lies when others provide its memory; NULL: nobody does. */
static char *given_memory(const evaluation *e, int32_t b)
{
    const fx_buf *buf = &e->program->buf[b];
    switch (buf->role) {
    case FX_BUF_INPUT:
        return buf->index < 0 ? NULL : (char *)e->in[buf->index].data;
    case FX_BUF_OUTPUT:
        return buf->index < 0 ? NULL : (char *)e->out[buf->index].data;
    case FX_BUF_STATE:
        return buf->index < 0 || !e->state ? NULL : (char *)e->state[buf->index];
    case FX_BUF_CONST:
        return (char *)buf->data;
    case FX_BUF_TEMP:
        return e->workspace ? e->workspace + fx__eval_dim(e->program, buf->offset, e->syms) : NULL;
    }
    return NULL;
}

static fx_status check_fits(const evaluation *e, int32_t b)
{
    int64_t whole = fx__eval_dim(e->program, e->program->workspace_bytes, e->syms), bytes = buf_bytes(e, b);
    int64_t offset = fx__eval_dim(e->program, e->program->buf[b].offset, e->syms);
    if (bytes >= 0 && offset >= 0 && offset <= whole && bytes <= whole - offset) return FX_OK;
    return fx__diag(e->program->context, FX_E_INTERNAL, NULL,
                    "evaluation: buffer %d, %" PRId64 " bytes at %" PRId64 ", is outside of the workspace of %" PRId64 " bytes", b,
                    bytes, offset, whole);
}

static fx_status give_memory(evaluation *e, int32_t b)
{
    if (e->program->buf[b].parent >= 0) return FX_OK;
    bool is_planned = e->workspace && e->program->buf[b].role == FX_BUF_TEMP;
    if (is_planned && e->program->buf[b].first < 0) return FX_OK; /* no step uses it: it has no place */
    if (is_planned) FX_TRY(check_fits(e, b));
    e->root[b] = given_memory(e, b);
    if (e->root[b]) return FX_OK;
    e->root[b] = new_memory(e, buf_bytes(e, b));
    e->owned[b] = true;
    return e->root[b] ? FX_OK : FX_E_OOM;
}

static fx_status give_all_memory(evaluation *e)
{
    const fx_program *program = e->program;
    e->root = fx__alloc(program->context, ((size_t)program->n_buf + 1) * sizeof *e->root);
    e->owned = fx__alloc(program->context, (size_t)program->n_buf + 1);
    if (!e->root || !e->owned) return FX_E_OOM;
    if (program->planned) {
        e->workspace = new_memory(e, fx__eval_dim(program, program->workspace_bytes, e->syms));
        if (!e->workspace) return FX_E_OOM;
    }
    for (int32_t b = 0; b < program->n_buf; b++) FX_TRY(give_memory(e, b));
    return FX_OK;
}

static void release_memory(evaluation *e)
{
    for (int32_t b = 0; e->root && e->owned && b < e->program->n_buf; b++)
        if (e->owned[b]) fx__free(e->program->context, e->root[b]);
    fx__free(e->program->context, e->root);
    fx__free(e->program->context, e->owned);
    fx__free(e->program->context, e->workspace);
    fx__free(e->program->context, e->syms);
}

/* Dims, element strides and first element of a buffer, which may be a slice of a slice. */
static fx_tensor tensor_of(const evaluation *e, int32_t b)
{
    const fx_program *program = e->program;
    const fx_buf *buf = &program->buf[b];
    fx_dim stride[FX_RANK];
    fx_tensor tensor = {.dtype = buf->dtype, .rank = buf->rank};
    int64_t offset = 0;
    fx__buf_strides(program, b, stride);
    for (int d = 0; d < buf->rank; d++) {
        tensor.dim[d] = fx__eval_dim(program, buf->dim[d], e->syms);
        tensor.stride[d] = fx__eval_dim(program, stride[d], e->syms);
    }
    for (int32_t s = b; program->buf[s].parent >= 0; s = program->buf[s].parent)
        for (int d = 0; d < buf->rank; d++) offset += fx__eval_dim(program, program->buf[s].at[d], e->syms) * tensor.stride[d];
    tensor.data = e->root[fx__buf_root(program, b)] + offset * (int64_t)fx_dtype_bytes(buf->dtype);
    return tensor;
}

/* ---- Steps ---------------------------------------------------------------------------------------------------------------------
 */

static fx_status run_kernel(evaluation *e, const fx_step *step)
{
    const fx_kernel *kernel = e->program->kernel[step->kernel];
    char *base[FX_ARGS] = {NULL};
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role != FX_ARG_LOCAL) base[a] = tensor_of(e, step->bind[a].buf).data;
    return fx__kernel_eval(e->program, kernel, base, e->syms, &e->error);
}

static fx_tensor tensor_of_view(const evaluation *e, const fx_kview *view)
{
    fx_tensor tensor = tensor_of(e, view->buf);
    tensor.data = (char *)tensor.data + fx__eval_dim(e->program, view->base, e->syms) * (int64_t)fx_dtype_bytes(tensor.dtype);
    tensor.rank = view->type.rank;
    for (int d = 0; d < view->type.rank; d++) {
        tensor.dim[d] = fx__eval_dim(e->program, view->type.dim[d], e->syms);
        tensor.stride[d] = fx__eval_dim(e->program, view->stride[d], e->syms);
    }
    return tensor;
}

static fx_status run_call(evaluation *e, const fx_step *step)
{
    fx_tensor *tensor = fx__alloc(e->program->context, ((size_t)step->n_view + 1) * sizeof *tensor);
    if (!tensor) return FX_E_OOM;
    for (int32_t i = 0; i < step->n_view; i++) tensor[i] = tensor_of_view(e, &step->view[i]);
    fx_status status = fx__interp_kernel(step->node, e->program->dims, tensor, e->syms, tensor + step->n_view_in);
    fx__free(e->program->context, tensor);
    if (status == FX_OK) return FX_OK;
    return fx__diag(e->program->context, status, NULL, "evaluation: %s failed in step of node %s", step->op->name,
                    step->node->name);
}

static fx_status run_block(evaluation *e, const fx_block *block);

static int64_t scalar_of(const evaluation *e, int32_t b)
{
    fx_tensor tensor = tensor_of(e, b);
    return fx__scalar_cast(tensor.dtype, FX_I64, fx__scalar_load(tensor.dtype, tensor.data)).i;
}

static void swap_carried(evaluation *e, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_carry; i++) {
        char **now = &e->root[step->carry[i].now], **next = &e->root[step->carry[i].next], *memory = *now;
        *now = *next;
        *next = memory;
    }
}

/* A condition is asked before every turn, a count once. */
static fx_status run_loop(evaluation *e, const fx_step *step)
{
    bool asks = step->cond >= 0 && e->program->buf[step->cond].dtype == FX_BOOL;
    int64_t turns = step->turns == -1 ? INT64_MAX : fx__eval_dim(e->program, step->turns, e->syms);
    if (step->cond >= 0 && !asks && scalar_of(e, step->cond) < turns) turns = scalar_of(e, step->cond);
    for (int64_t turn = 0; turn < turns && (!asks || scalar_of(e, step->cond) != 0); turn++) {
        if (step->counter >= 0) e->syms[step->counter] = turn;
        FX_TRY(run_block(e, &step->body[0]));
        swap_carried(e, step);
    }
    return FX_OK;
}

static fx_status run_block(evaluation *e, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        switch (step->kind) {
        case FX_STEP_RUN:
            FX_TRY(run_kernel(e, step));
            break;
        case FX_STEP_CALL:
            FX_TRY(run_call(e, step));
            break;
        case FX_STEP_IF:
            FX_TRY(run_block(e, &step->body[scalar_of(e, step->cond) ? 0 : 1]));
            break;
        case FX_STEP_LOOP:
            FX_TRY(run_loop(e, step));
            break;
        case FX_STEP_ASSERT:
            if (scalar_of(e, step->cond)) break;
            return fx__diag_assertion(e->program->context, step->n_nodes ? step->nodes[0] : NULL, step->message);
        }
    }
    return FX_OK;
}

static fx_status write_back(const evaluation *e)
{
    for (int32_t i = 0; i < e->program->n_writeback; i++) {
        const fx_writeback *w = &e->program->writeback[i];
        fx_tensor from = tensor_of(e, w->from), to = tensor_of(e, w->to);
        if (from.data == to.data) continue;
        fx_status status = fx_tensor_copy(&to, &from);
        if (status != FX_OK) return fx__diag(e->program->context, status, NULL, "evaluation: writeback %d", i);
    }
    return FX_OK;
}

static fx_status copy_symbols(evaluation *e, const int64_t *values)
{
    fx_dims *dims = e->program->dims;
    e->syms = fx__alloc(e->program->context, ((size_t)fx__dims_sym_count(dims) + 1) * sizeof *e->syms);
    if (!e->syms) return FX_E_OOM;
    for (int32_t i = 0; i < fx__dims_sym_count(dims); i++)
        e->syms[i] = values && i < fx__dims_param_count(dims) ? values[i] : fx__dims_sym(dims, i)->hint;
    return FX_OK;
}

fx_status fx__program_eval(const fx_program *program, const fx_tensor *in, fx_tensor *out, void *const *state,
                           const int64_t *sym_values)
{
    evaluation e = {.program = program, .in = in, .out = out, .state = state};
    fx_status status = copy_symbols(&e, sym_values);
    if (status == FX_OK) status = give_all_memory(&e);
    if (status == FX_OK) status = run_block(&e, &program->init);
    if (status == FX_OK) status = run_block(&e, &program->steps);
    if (status == FX_OK) status = write_back(&e);
    release_memory(&e);
    return status == FX_OK ? e.error : status;
}
