/* SPDX-License-Identifier: Apache-2.0 */
#include "probe_program.h"
#include "ir/graph.h"
#include "passes/pass.h"
#include <stdlib.h>

fx_program *fx_probe_program(fx_probe *p, const fx_target *target, fx_module **out_module)
{
    fx_pass_options options = {.target = target};
    fx_graph *core = fx_graph_clone(fx_module_graph(p->module));
    CHECK_OK(p->context, fx__pipeline_graph(core, &options));
    fx_program *program;
    CHECK_OK(p->context, fx__pipeline_program(core, &options, &program));
    *out_module = fx_graph_module(core);
    return program;
}

bool fx_probe_has_calls(const fx_program *program)
{
    for (int32_t i = 0; i < program->steps.n; i++)
        if (program->steps.step[i].kind != FX_STEP_RUN) return true;
    return false;
}

void fx_probe_run_program(fx_probe *p, const fx_program *program, const fx_target *target, int32_t threads, fx_tensor *out,
                          fx_probe_consts consts, void *user)
{
    fx_codegen_options options = {.target = target, .threads = threads};
    fx_jit *jit;
    CHECK_OK(p->context, fx__program_verify(program, "the probe"));
    CHECK_OK(p->context, fx__jit_new(program, &options, &jit));
    size_t scratch = ((size_t)program->scratch_bytes + 63) / 64 * 64, plan = ((size_t)program->workspace_bytes + 63) / 64 * 64;
    char *workspace = aligned_alloc(64, plan + (size_t)threads * scratch + 64);
    int64_t dim[1] = {0};
    fx_probe_outputs(p, out);
    fx_rt_call call = {.in = p->in, .out = out, .n_in = p->n_in, .n_out = p->n_out, .threads = threads};
    call.consts = consts ? consts(user, fx__jit_consts(jit)) : fx__jit_consts(jit);
    call.workspace = workspace;
    call.scratch = workspace + plan;
    call.scratch_bytes = scratch;
    call.dim = dim;
    ck_assert_msg(fx__jit_entry(jit)(&call) == FX_OK, "%s", p->name);
    free(workspace);
    fx__jit_free(jit);
}
