/* SPDX-License-Identifier: Apache-2.0 */
/* test/unit/native_run.h: a program from its text, compiled and run beside its evaluation. Outputs, workspace and scratch are
 * poisoned before each run with two patterns, which must not show in the results. */
#ifndef FX_TEST_NATIVE_RUN_H
#define FX_TEST_NATIVE_RUN_H

#include "codegen/codegen.h"
#include "harness.h"
#include "ir/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NATIVE_TENSORS = 16, NATIVE_SYMS = 8, NATIVE_THREADS = 2 };

typedef struct native {
    fx_context *context;
    fx_program *program;
    fx_target target;
    fx_codegen_options options;
    fx_jit *jit;
    fx_tensor in[NATIVE_TENSORS], out[NATIVE_TENSORS], expected[NATIVE_TENSORS];
    int64_t sym[NATIVE_SYMS];
    fx_rt_profile *profile; /* who listens to calls */
} native;

static inline void native_parse(native *n, const char *text, int threads)
{
    *n = (native){.context = fx_context_new()};
    CHECK_OK(n->context, fx__session_target(n->context, NULL, NULL, NULL, &n->target));
    n->options = (fx_codegen_options){.target = &n->target, .threads = threads};
    CHECK_OK(n->context, fx__program_parse(n->context, "text", text, strlen(text), &n->program));
    CHECK_OK(n->context, fx__kir_dedup(n->program));
    for (int32_t i = 0; i < n->program->n_kernel; i++) {
        int64_t bytes = fx__kernel_scratch_bytes(n->program, n->program->kernel[i]);
        if (bytes > n->program->scratch_bytes) n->program->scratch_bytes = bytes;
    }
}

static inline void native_compile(native *n)
{
    CHECK_OK(n->context, fx__jit_new(n->program, &n->options, &n->jit));
}

static inline void native_open(native *n, const char *text, int threads)
{
    native_parse(n, text, threads);
    native_compile(n);
}

static inline void native_drop_tensors(native *n)
{
    for (int i = 0; i < NATIVE_TENSORS; i++) {
        if (n->in[i].data) fx_tensor_release(&n->in[i]);
        if (n->out[i].data) fx_tensor_release(&n->out[i]);
        if (n->expected[i].data) fx_tensor_release(&n->expected[i]);
    }
}

static inline void native_close(native *n)
{
    native_drop_tensors(n);
    fx__jit_free(n->jit);
    fx__program_free(n->program);
    fx_context_free(n->context);
}

static inline fx_tensor native_tensor(const native *n, fx_role role, int32_t index)
{
    fx_tensor tensor = {0};
    for (int32_t i = 0; i < n->program->n_buf; i++) {
        const fx_buf *buf = &n->program->buf[i];
        int64_t dim[FX_RANK];
        if (buf->role != role || buf->index != index || buf->parent >= 0) continue;
        for (int d = 0; d < buf->rank; d++) dim[d] = fx__dim_eval(n->program->dims, buf->dim[d], n->sym);
        CHECK_OK(NULL, fx_tensor_alloc(buf->dtype, buf->rank, dim, &tensor));
    }
    return tensor;
}

/* Tensors of the sizes that n->sym gives; inputs uniform in [lo, hi]. */
static inline void native_tensors(native *n, uint64_t seed, double lo, double hi)
{
    native_drop_tensors(n);
    for (int32_t i = 0; i < n->program->n_input; i++) {
        n->in[i] = native_tensor(n, FX_BUF_INPUT, i);
        for (int64_t e = 0; e < fx_tensor_elems(&n->in[i]); e++) fx_tensor_set(&n->in[i], e, fx_test_uniform(&seed, lo, hi));
    }
    for (int32_t i = 0; i < n->program->n_output; i++) {
        n->out[i] = native_tensor(n, FX_BUF_OUTPUT, i);
        n->expected[i] = native_tensor(n, FX_BUF_OUTPUT, i);
    }
}

static inline int32_t native_call(native *n, int pattern)
{
    int64_t plan = fx__dim_eval(n->program->dims, n->program->workspace_bytes, n->sym), dim[NATIVE_SYMS] = {0};
    size_t work = (size_t)(plan + 63) / 64 * 64, scratch = (size_t)(n->program->scratch_bytes + 63) / 64 * 64;
    char *memory = aligned_alloc(64, work + NATIVE_THREADS * scratch + 64);
    memset(memory, pattern, work + NATIVE_THREADS * scratch);
    fx_rt_call call = {.in = n->in,
                       .out = n->out,
                       .consts = fx__jit_consts(n->jit),
                       .workspace = memory,
                       .dim = dim,
                       .scratch = memory + work,
                       .scratch_bytes = scratch,
                       .n_in = n->program->n_input,
                       .n_out = n->program->n_output,
                       .threads = n->options.threads,
                       .profile = n->profile};
    int32_t status = fx__jit_entry(n->jit)(&call);
    free(memory);
    return status;
}

/* Elements differ by at most ulps units in the last place of their dtype, or by `absolute`; NaN equals NaN. */
static inline void native_compare(const fx_tensor *have, const fx_tensor *want, double ulps, double absolute)
{
    double step = have->dtype == FX_F64 ? 0x1p-52 : have->dtype == FX_F32 ? 0x1p-23 : have->dtype == FX_F16 ? 0x1p-10 : 0x1p-7;
    for (int64_t e = 0; e < fx_tensor_elems(want); e++) {
        double a = fx_tensor_get(have, e), b = fx_tensor_get(want, e);
        if ((isnan(a) && isnan(b)) || a == b) continue;
        double bound = fx_dtype_is_float(have->dtype) ? ulps * step * fabs(b) + absolute : 0;
        ck_assert_msg(fabs(a - b) <= bound, "element %lld: %.17g, expected %.17g", (long long)e, a, b);
    }
}

static inline void native_eval(native *n)
{
    CHECK_OK(n->context, fx__program_eval(n->program, n->in, n->expected, NULL, n->sym));
}

/* Runs twice with different poison, compares with the evaluation. */
static inline void native_check(native *n, double ulps, double absolute)
{
    native_eval(n);
    for (int round = 0; round < 2; round++) {
        int pattern = round ? 0x7f : 0xff;
        for (int32_t i = 0; i < n->program->n_output; i++) memset(n->out[i].data, pattern, (size_t)fx_tensor_bytes(&n->out[i]));
        int32_t status = native_call(n, pattern);
        ck_assert_msg(status == FX_OK, "native run gave %d (%s)", status, fx_status_text((fx_status)status));
        for (int32_t i = 0; i < n->program->n_output; i++) native_compare(&n->out[i], &n->expected[i], ulps, absolute);
    }
}

/* All of the above for one text without symbols. */
static inline void native_text(const char *text, double lo, double hi, double ulps, double absolute)
{
    native n;
    native_open(&n, text, 1);
    native_tensors(&n, 1, lo, hi);
    native_check(&n, ulps, absolute);
    native_close(&n);
}

#endif
