/* SPDX-License-Identifier: Apache-2.0 */
/* passes/expect.c: expected times of steps, see expect.h. A kernel's are the cycles that schedule left in its cost; a reference
 * kernel's are counted in operations and elements at rates that were measured. */
#include "passes/expect.h"
#include "ir/saturate.h"
#include "passes/flops.h"
#include "passes/schedule.h"
#include <math.h>
#include <string.h>

fx_status fx__expect_open(fx_program *program, const fx_target *target, fx_arena *arena, fx_expecter *out)
{
    *out = (fx_expecter){.program = program, .target = target};
    return fx__schedule_far_consts(program, target, arena, &out->far_consts);
}

static double us_of_cycles(const fx_expecter *x, double cycles)
{
    return cycles / (x->target->ghz * 1e3);
}

/* Below it starting a kernel, its prologue and its last partial vectors are what takes the time. */
static const double cycles_of_latency = 1000, cycles_to_start = 200;

/* Of a square of lanes by lanes elements: loads, stores, and the shuffles that transpose it, which go one by one. */
static double cycles_of_square(int lanes)
{
    int shuffles = 0;
    for (int wide = 1; wide < lanes; wide *= 2) shuffles += lanes;
    return shuffles + 2 * lanes;
}

/* What moving elements takes besides memory: squares that are transposed, rows that begin and end. */
static double moving_cycles(const fx_expecter *x, const fx_kernel *kernel, int64_t bytes)
{
    const double cycles_of_row = 40;
    const fx_sched *sched = &kernel->sched;
    double elements = (double)bytes / (double)fx_dtype_bytes(kernel->arg[0].dtype), lanes = sched->lanes;
    if (sched->lanes < 2 || sched->vec >= kernel->n_axis) return 0;
    if (sched->emit == FX_EMIT_COPY2D) return elements / (lanes * lanes) * cycles_of_square(sched->lanes);
    double row = (double)fx__dim_hint(x->program->dims, kernel->axis[sched->vec].extent);
    return sched->emit == FX_EMIT_FLAT && row > 0 ? elements / row * cycles_of_row : 0;
}

/* Turns of a loop find constants where the turn before has left them, not where the run before has. */
static double cycles_again(fx_schedule *s, int64_t flop)
{
    double far = fx__schedule_memory_cycles(s), cycles = (double)s->kernel->cost.cycles;
    s->far_consts = false;
    double near = fx__schedule_memory_cycles(s);
    if (cycles > far + 1) return cycles;
    double lanes = s->kernel->sched.lanes > 0 ? s->kernel->sched.lanes : 1,
           compute = (double)flop / (2 * lanes * s->target->fma_per_cycle);
    return compute > near ? compute : near;
}

static fx_expect expect_kernel(const fx_expecter *x, fx_kernel *kernel, bool again)
{
    fx_expect e = {.flop = fx__kernel_cost(x->program, kernel).flop};
    fx_schedule s = {.program = x->program, .kernel = kernel, .target = x->target, .far_consts = x->far_consts};
    double cycles = again ? cycles_again(&s, e.flop) : (double)kernel->cost.cycles;
    for (int a = 0; a < kernel->n_arg; a++) {
        fx_arg_role role = kernel->arg[a].role;
        int64_t bytes = role == FX_ARG_LOCAL ? 0 : fx__kernel_arg_bytes(x->program, kernel, a);
        if (role == FX_ARG_CONST) e.bytes_const = fx__saturate_add(e.bytes_const, bytes);
        if (role == FX_ARG_IN || role == FX_ARG_INOUT) e.bytes_in = fx__saturate_add(e.bytes_in, bytes);
        if (role == FX_ARG_OUT || role == FX_ARG_INOUT) e.bytes_out = fx__saturate_add(e.bytes_out, bytes);
    }
    double moving = moving_cycles(x, kernel, e.bytes_out);
    if (moving > cycles) cycles = moving;
    e.bound = cycles < cycles_of_latency ? "latency" : cycles <= fx__schedule_memory_cycles(&s) + 1 ? "memory" : "compute";
    e.us = us_of_cycles(x, cycles + cycles_to_start);
    return e;
}

/* ---- Reference kernels --------------------------------------------------------------------------------------------------------
 */

/* Cycles, as `fxjit profile --interpreted` measured them on Sapphire Rapids: each element of each tensor is fetched through checked
 * indices; then come operations, as passes/flops.c counts them, or the comparisons of a sort. */
static const double cycles_of_element = 37;
static const struct {
    const char *family;
    double cycles;
} operation_rates[] = {{"linear", 1},   {"convolution", 1},    {"recurrent", 1}, {"reduction", 400},
                       {"softmax", 90}, {"normalisation", 60}, {"pooling", 40},  {"order", 26}};

static double cycles_of_operation(const fx_op *op)
{
    for (size_t i = 0; op->family && i < sizeof operation_rates / sizeof operation_rates[0]; i++)
        if (strcmp(op->family, operation_rates[i].family) == 0) return operation_rates[i].cycles;
    return 8;
}

/* n log2(n) for each row of n elements along `dim`. */
static double comparisons(const fx_call *call)
{
    int32_t param = fx__op_param(call->op, "dim");
    const fx_type *type = fx__call_type(call, 0);
    if (!type || type->rank == 0 || param < 0 || !call->op->family || strcmp(call->op->family, "order") != 0) return 0;
    int64_t dim = fx__call_int(call, param);
    dim += dim < 0 ? type->rank : 0;
    int64_t n = dim >= 0 && dim < type->rank ? fx__dim_hint(call->dims, type->dim[dim]) : 1;
    return n > 1 ? (double)fx__flops_elems(call->dims, type) * log2((double)n) : 0;
}

static int64_t view_bytes(const fx_program *program, const fx_kview *view)
{
    return fx__saturate_mul(fx__flops_elems(program->dims, &view->type), (int64_t)fx_dtype_bytes(view->type.dtype));
}

static fx_expect expect_call(const fx_expecter *x, const fx_step *step)
{
    fx_call call;
    fx_expect e = {.bound = "compute"};
    double elements = 0;
    fx__op_call(step->node, &call);
    e.flop = fx__flops_of(&call);
    for (int32_t v = 0; v < step->n_view; v++) {
        int64_t *sum = v >= step->n_view_in                                      ? &e.bytes_out
                       : x->program->buf[step->view[v].buf].role == FX_BUF_CONST ? &e.bytes_const
                                                                                 : &e.bytes_in;
        *sum = fx__saturate_add(*sum, view_bytes(x->program, &step->view[v]));
        elements += (double)fx__flops_elems(x->program->dims, &step->view[v].type);
    }
    double operations = (double)e.flop + comparisons(&call);
    e.us = us_of_cycles(x, operations * cycles_of_operation(call.op) + elements * cycles_of_element);
    return e;
}

int64_t fx__expect_turns(const fx_program *program, const fx_step *step)
{
    if (step->kind != FX_STEP_LOOP || step->turns == -1) return 1;
    return fx__dim_hint(program->dims, step->turns);
}

static void count_in(fx_expect *sum, const fx_expect *e, int64_t turns)
{
    sum->flop = fx__saturate_add(sum->flop, fx__saturate_mul(e->flop, turns));
    sum->bytes_in = fx__saturate_add(sum->bytes_in, fx__saturate_mul(e->bytes_in, turns));
    sum->bytes_out = fx__saturate_add(sum->bytes_out, fx__saturate_mul(e->bytes_out, turns));
    sum->bytes_const = fx__saturate_add(sum->bytes_const, fx__saturate_mul(e->bytes_const, turns));
    sum->us += e->us * (double)turns;
}

/* What calls are estimated at is no part of a program's operations. */
static fx_expect expect_block(const fx_expecter *x, const fx_block *block, int64_t turns, bool again)
{
    fx_expect sum = {.bound = "compute"};
    double longest = -1;
    for (int32_t i = 0; i < block->n; i++) {
        fx_expect e = fx__expect_step(x, &block->step[i], again || turns > 1);
        if (block->step[i].kind == FX_STEP_CALL) e.flop = 0;
        count_in(&sum, &e, turns);
        if (e.us > longest) {
            longest = e.us;
            sum.bound = e.bound;
        }
    }
    return sum;
}

fx_expect fx__expect_step(const fx_expecter *x, const fx_step *step, bool again)
{
    if (step->kind == FX_STEP_RUN) return expect_kernel(x, x->program->kernel[step->kernel], again);
    if (step->kind == FX_STEP_CALL) return expect_call(x, step);
    fx_expect first = expect_block(x, &step->body[0], fx__expect_turns(x->program, step), again);
    if (step->kind == FX_STEP_LOOP) return first;
    fx_expect second = expect_block(x, &step->body[1], 1, again);
    return first.flop != second.flop ? (first.flop > second.flop ? first : second) : first.us > second.us ? first : second;
}
