/* SPDX-License-Identifier: Apache-2.0 */
/* passes/expect.c: expected times of steps, see expect.h. A kernel's are the cycles that schedule left in its cost; a reference kernel's
 * are a plain estimate, by operations and elements. */
#include "passes/expect.h"
#include "passes/flops.h"
#include "passes/schedule.h"

fx_status fx__expect_open(fx_program *program, const fx_target *target, fx_arena *arena, fx_expecter *out)
{
    *out = (fx_expecter){.program = program, .target = target};
    return fx__schedule_far_consts(program, target, arena, &out->far_consts);
}

static double us_of_cycles(const fx_expecter *x, double cycles)
{
    return cycles / (x->target->ghz * 1e3);
}

static int64_t add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

/* Below it starting a kernel, its prologue and its last partial vectors are what takes the time. */
enum { CYCLES_OF_LATENCY = 1000 };

static fx_expect expect_kernel(const fx_expecter *x, fx_kernel *kernel)
{
    fx_expect e = {.flop = fx__kernel_cost(x->program, kernel).flop, .us = us_of_cycles(x, (double)kernel->cost.cycles)};
    fx_schedule s = {.program = x->program, .kernel = kernel, .target = x->target, .far_consts = x->far_consts};
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_arg_role role = kernel->arg[a].role;
        int64_t bytes = role == FX_ARG_LOCAL ? 0 : fx__kernel_arg_bytes(x->program, kernel, a);
        if (role == FX_ARG_CONST) e.bytes_const = add(e.bytes_const, bytes);
        if (role == FX_ARG_IN || role == FX_ARG_INOUT) e.bytes_in = add(e.bytes_in, bytes);
        if (role == FX_ARG_OUT || role == FX_ARG_INOUT) e.bytes_out = add(e.bytes_out, bytes);
    }
    bool memory = (double)kernel->cost.cycles <= fx__schedule_memory_cycles(&s) + 1;
    e.bound = kernel->cost.cycles < CYCLES_OF_LATENCY ? "latency" : memory ? "memory" : "compute";
    return e;
}

/* Reference kernels go element by element through checked indices: cycles for each operation, and for each byte. */
static const double cycles_of_operation = 8, cycles_of_byte = 4;

static int64_t view_bytes(const fx_program *program, const fx_kview *view)
{
    return times(fx__flops_elems(program->dims, &view->type), (int64_t)fx_dtype_bytes(view->type.dtype));
}

static fx_expect expect_call(const fx_expecter *x, const fx_step *step)
{
    fx_call call;
    fx_expect e = {.bound = "compute"};
    fx__op_call(step->node, &call);
    e.flop = fx__flops_of(&call);
    for (int32_t v = 0; v < step->n_view; v++) {
        int64_t *sum = v >= step->n_view_in                                             ? &e.bytes_out
                       : x->program->buf[step->view[v].buf].role == FX_BUF_CONST ? &e.bytes_const
                                                                                         : &e.bytes_in;
        *sum = add(*sum, view_bytes(x->program, &step->view[v]));
    }
    double bytes = (double)e.bytes_in + (double)e.bytes_out + (double)e.bytes_const;
    e.us = us_of_cycles(x, (double)e.flop * cycles_of_operation + bytes * cycles_of_byte);
    return e;
}

int64_t fx__expect_turns(const fx_program *program, const fx_step *step)
{
    if (step->kind != FX_STEP_LOOP || step->turns == -1) return 1;
    return fx__dim_hint(program->dims, step->turns);
}

static void count_in(fx_expect *sum, const fx_expect *e, int64_t turns)
{
    sum->flop = add(sum->flop, times(e->flop, turns));
    sum->bytes_in = add(sum->bytes_in, times(e->bytes_in, turns));
    sum->bytes_out = add(sum->bytes_out, times(e->bytes_out, turns));
    sum->bytes_const = add(sum->bytes_const, times(e->bytes_const, turns));
    sum->us += e->us * (double)turns;
}

/* What calls are estimated at is no part of a program's operations. */
static fx_expect expect_block(const fx_expecter *x, const fx_block *block, int64_t turns)
{
    fx_expect sum = {.bound = "compute"};
    double longest = -1;
    for (int32_t i = 0; i < block->n; i++) {
        fx_expect e = fx__expect_step(x, &block->step[i]);
        if (block->step[i].kind == FX_STEP_CALL) e.flop = 0;
        count_in(&sum, &e, turns);
        if (e.us > longest) {
            longest = e.us;
            sum.bound = e.bound;
        }
    }
    return sum;
}

fx_expect fx__expect_step(const fx_expecter *x, const fx_step *step)
{
    if (step->kind == FX_STEP_RUN) return expect_kernel(x, x->program->kernel[step->kernel]);
    if (step->kind == FX_STEP_CALL) return expect_call(x, step);
    fx_expect first = expect_block(x, &step->body[0], fx__expect_turns(x->program, step));
    if (step->kind == FX_STEP_LOOP) return first;
    fx_expect second = expect_block(x, &step->body[1], 1);
    return first.flop != second.flop ? (first.flop > second.flop ? first : second) : first.us > second.us ? first : second;
}
