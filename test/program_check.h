/* SPDX-License-Identifier: Apache-2.0 */
/* test/program_check.h: evaluating programs before and after passes. Inputs and constants are small integers, so that sums are
 * exact in any order and results can be compared bit by bit. */
#ifndef FX_TEST_PROGRAM_CHECK_H
#define FX_TEST_PROGRAM_CHECK_H

#include "harness.h"
#include "passes/pass.h"
#include <stdlib.h>
#include <string.h>

enum { PC_TENSORS = 16 };

typedef struct pc_values {
    fx_tensor in[PC_TENSORS], out[PC_TENSORS];
    void *state[PC_TENSORS];
    int64_t state_bytes[PC_TENSORS];
    int32_t n_in, n_out, n_state;
} pc_values;

static inline fx_target pc_target(fx_context *context, const char *cpu)
{
    fx_target target;
    CHECK_OK(context, fx__target_describe(context, "x86_64-unknown-linux-gnu", cpu, "", &target));
    return target;
}

static inline void pc_fill(const fx_tensor *tensor, uint64_t *seed)
{
    int64_t n = fx_tensor_elems(tensor);
    for (int64_t i = 0; i < n; i++) {
        int64_t value = (int64_t)(fx_test_random(seed) % 7) - 3;
        if (tensor->dtype == FX_BOOL || tensor->dtype == FX_U8) value = value < 0 ? -value % 2 : value % 2;
        fx_tensor_set((fx_tensor *)(uintptr_t)tensor, i, (double)value);
    }
}

/* A buffer's tensor of new memory at the symbols' values. */
static inline fx_tensor pc_tensor(const fx_program *program, const fx_buf *buf, const int64_t *syms)
{
    fx_tensor tensor;
    int64_t dim[FX_RANK];
    for (int d = 0; d < buf->rank; d++)
        dim[d] = syms ? fx__dim_eval(program->dims, buf->dim[d], syms) : fx__dim_hint(program->dims, buf->dim[d]);
    ck_assert_int_eq(fx_tensor_alloc(buf->dtype, buf->rank, dim, &tensor), FX_OK);
    return tensor;
}

static inline bool pc_is_written(const fx_program *program, int32_t buf)
{
    for (int32_t i = 0; i < program->init.n; i++) {
        const fx_step *step = &program->init.step[i];
        const fx_kernel *kernel = program->kernel[step->kernel];
        for (int a = 0; a < kernel->n_arg; a++)
            if (kernel->arg[a].role == FX_ARG_OUT && step->bind[a].buf == buf) return true;
    }
    return false;
}

/* Constants that the text gives no bytes for and no init step computes get random ones, in the program's arena. */
static inline void pc_fill_consts(fx_program *program, uint64_t seed)
{
    for (int32_t i = 0; i < program->n_buf; i++) {
        fx_buf *buf = &program->buf[i];
        if (buf->role != FX_BUF_CONST || buf->data || buf->parent >= 0 || pc_is_written(program, i)) continue;
        fx_tensor tensor = pc_tensor(program, buf, NULL);
        pc_fill(&tensor, &seed);
        int64_t bytes = fx_tensor_bytes(&tensor);
        void *data = fx__arena_alloc(program->arena, (size_t)bytes + 1, 1);
        memcpy(data, tensor.data, (size_t)bytes);
        buf->data = data;
        fx_tensor_release(&tensor);
    }
}

static inline pc_values pc_evaluate(fx_program *program, uint64_t seed, const int64_t *syms)
{
    pc_values v = {.n_in = program->n_input, .n_out = program->n_output, .n_state = program->n_state};
    int64_t hints[PC_TENSORS];
    for (int32_t i = 0; i < fx__dims_sym_count(program->dims) && !syms; i++) hints[i] = fx__dims_sym(program->dims, i)->hint;
    for (int32_t i = 0; i < program->n_buf; i++) {
        const fx_buf *buf = &program->buf[i];
        if (buf->role == FX_BUF_INPUT && buf->index >= 0) {
            uint64_t own = seed * 31 + (uint64_t)buf->index;
            v.in[buf->index] = pc_tensor(program, buf, syms);
            pc_fill(&v.in[buf->index], &own);
        } else if (buf->role == FX_BUF_OUTPUT && buf->index >= 0) {
            v.out[buf->index] = pc_tensor(program, buf, syms);
        } else if (buf->role == FX_BUF_STATE && buf->index >= 0) {
            fx_tensor tensor = pc_tensor(program, buf, syms);
            uint64_t own = seed * 77 + (uint64_t)buf->index;
            pc_fill(&tensor, &own);
            v.state[buf->index] = tensor.data;
            v.state_bytes[buf->index] = fx_tensor_bytes(&tensor);
        }
    }
    CHECK_OK(program->context, fx__program_eval(program, v.in, v.out, v.state, syms ? syms : hints));
    return v;
}

static inline void pc_release(pc_values *v)
{
    for (int32_t i = 0; i < v->n_in; i++) fx_tensor_release(&v->in[i]);
    for (int32_t i = 0; i < v->n_out; i++) fx_tensor_release(&v->out[i]);
    for (int32_t i = 0; i < v->n_state; i++) {
        fx_tensor state = {.data = v->state[i]};
        fx_tensor_release(&state);
    }
}

/* Check's messages are short; the program goes to stderr. */
static inline void pc_dump(const fx_program *program)
{
    for (int32_t i = 0; i < program->n_buf; i++) program->buf[i].data = NULL; /* bytes are no help to a reader */
    char *text = fx__program_print(program);
    fprintf(stderr, "%s\n", text ? text : "");
    fx_text_free(text);
}

/* Outputs, states and inputs (which a program may write) must be equal bit by bit. */
static inline void pc_compare(fx_program *program, const pc_values *a, const pc_values *b, const char *what)
{
    for (int32_t i = 0; i < a->n_out + a->n_in; i++) {
        const fx_tensor *x = i < a->n_out ? &a->out[i] : &a->in[i - a->n_out],
                        *y = i < a->n_out ? &b->out[i] : &b->in[i - a->n_out];
        for (int64_t e = 0; e < fx_tensor_elems(x); e++) {
            double p = fx_tensor_get(x, e), q = fx_tensor_get(y, e);
            if (p == q || (p != p && q != q)) continue;
            pc_dump(program);
            ck_abort_msg("%s: %s %d differs at %lld: %g, expected %g", what, i < a->n_out ? "output" : "input", i, (long long)e, q,
                         p);
        }
    }
    for (int32_t i = 0; i < a->n_state; i++)
        ck_assert_msg(memcmp(a->state[i], b->state[i], (size_t)a->state_bytes[i]) == 0, "%s: state %d differs", what, i);
}

static inline fx_program *pc_parse(fx_context *context, const char *text)
{
    fx_program *program = NULL;
    CHECK_OK(context, fx__program_parse(context, "test", text, strlen(text), &program));
    pc_fill_consts(program, 99);
    return program;
}

typedef fx_status (*pc_pass)(fx_program *program, const fx_pass_options *options);

/* Parses a program twice, runs passes on one, and compares what both compute. Returns the changed one. */
static inline fx_program *pc_check(fx_context *context, const char *text, const pc_pass *passes, int n,
                                   const fx_pass_options *options)
{
    fx_program *before = pc_parse(context, text), *after = pc_parse(context, text);
    for (int i = 0; i < n; i++) CHECK_OK(context, passes[i](after, options));
    if (after->planned) CHECK_OK(context, fx__plan_check(after));
    pc_values x = pc_evaluate(before, 3, NULL), y = pc_evaluate(after, 3, NULL);
    pc_compare(after, &x, &y, "after the passes");
    pc_release(&x);
    pc_release(&y);
    fx__program_free(before);
    return after;
}

/* How often a piece of text occurs in the printed program. */
static inline int pc_count(const fx_program *program, const char *piece)
{
    int n = 0;
    char *text = fx__program_print(program);
    for (const char *at = text; (at = strstr(at, piece)) != NULL; at++) n++;
    fx_text_free(text);
    return n;
}

#endif
