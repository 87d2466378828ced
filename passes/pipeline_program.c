/* SPDX-License-Identifier: Apache-2.0 */
/* passes/pipeline_program.c: the program half of the pipeline: which passes run between the core graph and code generation, in
 * which order, and what happens after each of them. */
#include "passes/pass.h"

typedef struct program_pass {
    const char *name;
    fx_status (*run)(fx_program *program, const fx_pass_options *options);
} program_pass;

static fx_status dedup(fx_program *program, const fx_pass_options *options)
{
    (void)options;
    FX_TRY(fx__kir_tidy(program));
    return fx__kir_dedup(program);
}

static const program_pass passes[] = {
    {"fuse", fx__pass_fuse},         /* fewer kernels, and why not fewer still */
    {"place", fx__pass_place},       /* a buffer for every value */
    {"algo", fx__pass_algo},         /* merged axes, panels of constants, transposed operands, split reductions */
    {"schedule", fx__pass_schedule}, /* loops */
    {"dedup", dedup},                /* one kernel per text */
    {"plan", fx__pass_plan},         /* an offset for every buffer */
};

static fx_status after(const fx_program *program, const char *name, const fx_pass_options *options)
{
    if (options->verify) FX_TRY(fx__program_verify(program, name));
    if (options->verify && program->planned) FX_TRY(fx__plan_check(program));
    return options->after ? options->after(options->after_user, name, program) : FX_OK;
}

static fx_status run_passes(fx_program *program, const fx_pass_options *options)
{
    FX_TRY(after(program, "lower", options));
    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        FX_TRY(passes[i].run(program, options));
        FX_TRY(after(program, passes[i].name, options));
    }
    return FX_OK;
}

fx_status fx__pipeline_program(const fx_graph *graph, const fx_pass_options *options, fx_program **out)
{
    FX_TRY(fx__lower_graph(graph, false, out));
    fx_status status = run_passes(*out, options);
    if (status == FX_OK) return FX_OK;
    fx__program_free(*out);
    *out = NULL;
    return status;
}
