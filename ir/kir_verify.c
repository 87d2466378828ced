/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_verify.c: the rules that every program keeps after every pass (docs/ARCHITECTURE.md, "What the verifier checks"). Here are
 * those about buffers and bindings; the order of steps is in kir_verify_order.c, each kernel's own rules are in kir_verify_kernel.c
 * and kir_verify_store.c. */
#include "ir/kir_verify.h"
#include <string.h>

void fx__verify_fail(fx_verifier *v, const char *rule, const char *format, ...)
{
    char what[400];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    fx__diag(v->program->context, FX_E_INTERNAL, NULL, "after %s: %s %d, rule %s: %s", v->pass, v->kernel ? "kernel" : "step",
             v->number, rule, what);
    v->problems++;
}

static void verify_kernel(fx_verifier *v)
{
    if (!fx__verify_ranges(v)) return;
    fx__verify_dtypes(v);
    fx__verify_scopes(v);
    fx__verify_contracts(v);
    fx__verify_bounds(v);
    fx__verify_stores(v);
    fx__verify_locals(v);
    fx__verify_schedule(v);
}

/* ---- Buffers: 6
 * --------------------------------------------------------------------------------------------------------------------- */

static bool slice_inside(const fx_program *program, const fx_buf *slice)
{
    const fx_buf *parent = &program->buf[slice->parent];
    if (slice->rank != parent->rank || slice->dtype != parent->dtype) return false;
    for (int d = 0; d < slice->rank; d++) {
        fx_dim end = fx__dim_add(program->dims, slice->at[d], slice->dim[d]);
        bool constant = fx_dim_is_const(end) && fx_dim_is_const(slice->at[d]) && fx_dim_is_const(parent->dim[d]);
        if (constant && (slice->at[d] < 0 || end > parent->dim[d])) return false;
    }
    return true;
}

/* A buffer is as large in every turn. */
static bool has_counter(const fx_program *program, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return false;
    fx_dim_node node = fx__dim_node(program->dims, dim);
    if (node.op == FX_DIM_SYM) return fx__dims_sym(program->dims, (int32_t)node.value)->counter;
    return has_counter(program, node.a) || has_counter(program, node.b);
}

static void verify_buffers(fx_verifier *v)
{
    for (int32_t b = 0; b < v->program->n_buf; b++) {
        const fx_buf *buf = &v->program->buf[b];
        if (buf->parent >= b || buf->parent < -1)
            fx__verify_fail(v, "6 (program)", "buffer %d is a slice of a buffer that comes later", b);
        else if (buf->parent >= 0 && !slice_inside(v->program, buf))
            fx__verify_fail(v, "6 (program)", "slice %d leaves its parent, or differs from it in rank or dtype", b);
        for (int d = 0; d < buf->rank; d++)
            if (has_counter(v->program, buf->dim[d]) || (buf->parent >= 0 && has_counter(v->program, buf->at[d])))
                fx__verify_fail(v, "6 (program)", "the size or place of buffer %d depends on a counter", b);
    }
}

/* ---- Bindings: 5, 6
 * ----------------------------------------------------------------------------------------------------------------- */

static bool stride_fits(const fx_program *program, const fx_arg *arg, int d, fx_dim stride)
{
    return arg->dim[d] == 1 || arg->dim[d] == 0 || fx__dim_equal(program->dims, arg->stride[d], stride);
}

/* An argument's dims are the buffer's, or products of neighbours (fx__kernel_collapse merges dims that are walked as one). */
static bool type_fits(const fx_program *program, const fx_arg *arg, int32_t b)
{
    const fx_buf *buf = &program->buf[b];
    fx_dim stride[FX_RANK];
    int next = 0;
    if (arg->dtype != buf->dtype || arg->rank > buf->rank) return false;
    if (fx__buf_elems(program, b) == 0) return true;
    fx__buf_strides(program, b, stride);
    for (int d = 0; d < arg->rank; d++) {
        fx_dim product = 1;
        bool equal = false;
        while (next < buf->rank && !equal) {
            product = fx__dim_mul(program->dims, product, buf->dim[next++]);
            equal = fx__dim_equal(program->dims, product, arg->dim[d]);
        }
        if (!equal || !stride_fits(program, arg, d, stride[next - 1])) return false;
    }
    for (; next < buf->rank; next++)
        if (buf->dim[next] != 1) return false;
    return true;
}

/* Position of a buffer in its root. */
static void origin(const fx_program *program, int32_t b, fx_dim out[FX_RANK])
{
    for (int d = 0; d < FX_RANK; d++) out[d] = 0;
    for (; program->buf[b].parent >= 0; b = program->buf[b].parent)
        for (int d = 0; d < program->buf[b].rank; d++) out[d] = fx__dim_add(program->dims, out[d], program->buf[b].at[d]);
}

static bool overlap(const fx_program *program, int32_t a, int32_t b)
{
    fx_dim at[FX_RANK], bt[FX_RANK];
    if (fx__buf_root(program, a) != fx__buf_root(program, b)) return false;
    origin(program, a, at);
    origin(program, b, bt);
    for (int d = 0; d < program->buf[a].rank; d++) {
        if (fx__dim_le(program->dims, fx__dim_add(program->dims, at[d], program->buf[a].dim[d]), bt[d])) return false;
        if (fx__dim_le(program->dims, fx__dim_add(program->dims, bt[d], program->buf[b].dim[d]), at[d])) return false;
    }
    return true;
}

static void verify_bind(fx_verifier *v, const fx_kernel *kernel, const fx_step *step, int a, bool init)
{
    const fx_program *program = v->program;
    const fx_arg *arg = &kernel->arg[a];
    int32_t b = step->bind[a].buf;
    if (arg->role == FX_ARG_LOCAL) return;
    if (!fx__verify_in_program(program, b)) {
        fx__verify_fail(v, "6 (program)", "argument %d is bound to no buffer", a);
        return;
    }
    fx_role role = program->buf[fx__buf_root(program, b)].role;
    if (!type_fits(program, arg, b))
        fx__verify_fail(v, "6 (program)", "argument %d has another type or strides than buffer %d", a, b);
    if (fx__verify_is_written(arg) && role == FX_BUF_CONST && (!init || program->buf[b].data))
        fx__verify_fail(v, "6 (program)", "constant %d is written", b);
    if (init && role != FX_BUF_CONST) fx__verify_fail(v, "6 (program)", "an init step uses buffer %d, which is no constant", b);
    if (init && !kernel->exact) fx__verify_fail(v, "6 (program)", "an init step runs a kernel that is not exact");
}

void fx__verify_run(fx_verifier *v, const fx_step *step, bool init)
{
    if (step->kernel < 0 || step->kernel >= v->program->n_kernel) {
        fx__verify_fail(v, "6 (program)", "kernel %d is not there", step->kernel);
        return;
    }
    const fx_kernel *kernel = v->program->kernel[step->kernel];
    for (int a = 0; a < kernel->n_arg; a++) verify_bind(v, kernel, step, a, init);
    for (int a = 0; a < kernel->n_arg; a++) {
        for (int b = 0; b < a; b++) {
            if (kernel->arg[a].role == FX_ARG_LOCAL || kernel->arg[b].role == FX_ARG_LOCAL ||
                (!fx__verify_is_written(&kernel->arg[a]) && !fx__verify_is_written(&kernel->arg[b])))
                continue;
            if (fx__verify_in_program(v->program, step->bind[a].buf) && fx__verify_in_program(v->program, step->bind[b].buf) &&
                overlap(v->program, step->bind[a].buf, step->bind[b].buf))
                fx__verify_fail(v, "5 (aliases)", "arguments %d and %d overlap, and one is written", b, a);
        }
    }
}

/* ---- CALL: 6
 * ------------------------------------------------------------------------------------------------------------------------ */

static bool view_inside(const fx_program *program, const fx_kview *view)
{
    fx_dim elems = fx__buf_elems(program, fx__buf_root(program, view->buf));
    int64_t lo = view->base, hi = view->base;
    if (!fx_dim_is_const(view->base) || !fx_dim_is_const(elems)) return true;
    for (int d = 0; d < view->type.rank; d++) {
        if (!fx_dim_is_const(view->type.dim[d]) || !fx_dim_is_const(view->stride[d]) || view->type.dim[d] == 0) return true;
        int64_t far = view->stride[d] * (view->type.dim[d] - 1);
        if (far > 0) hi += far;
        if (far < 0) lo += far;
    }
    return lo >= 0 && hi < elems;
}

void fx__verify_call(fx_verifier *v, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_view; i++) {
        const fx_kview *view = &step->view[i];
        if (!fx__verify_in_program(v->program, view->buf) || view->type.dtype != v->program->buf[view->buf].dtype)
            fx__verify_fail(v, "6 (program)", "view %d has no buffer, or one of another dtype", i);
        else if (!view_inside(v->program, view))
            fx__verify_fail(v, "6 (program)", "view %d leaves its buffer", i);
    }
}

fx_status fx__program_verify(const fx_program *program, const char *after_pass)
{
    fx_verifier v = {.program = program, .pass = after_pass, .number = -1};
    verify_buffers(&v);
    if (v.problems) return FX_E_INTERNAL; /* roots would not be found */
    for (int32_t k = 0; k < program->n_kernel; k++) {
        v.kernel = program->kernel[k];
        v.number = k;
        verify_kernel(&v);
    }
    v.kernel = NULL;
    fx__verify_order(&v);
    return v.problems ? FX_E_INTERNAL : FX_OK;
}
