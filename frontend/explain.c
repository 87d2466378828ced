/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain.c: fx_explain: what a compiled graph consists of, out of what passes have left in its program. */
#include "frontend/explain.h"
#include "ir/diag.h"
#include <string.h>

static const char *precision_word(fx_precision precision)
{
    return precision == FX_PRECISION_STRICT ? "strict" : precision == FX_PRECISION_FAST ? "fast" : "default";
}

static fx_status explain_totals(fx_explainer *x)
{
    const fx_compiled *it = x->it;
    const fx_program *program = x->program;
    fx_explanation *out = x->out;
    int64_t workspace = fx__dim_hint(program->dims, program->workspace_bytes);
    out->workspace_bytes = workspace + program->scratch_bytes * it->threads;
    out->scratch_bytes = program->scratch_bytes;
    out->const_bytes = program->const_bytes;
    out->state_bytes = program->state_bytes;
    out->flop = fx_compiled_flop(it);
    out->threads = it->threads;
    out->precision = precision_word(it->options.precision);
    out->target = fx__arena_format(x->arena, "%s (%s)", it->target.cpu, it->target.triple);
    out->fallback = it->fallback;
    out->n_fallback = it->n_fallback;
    for (int32_t i = 0; i < x->n_run; i++)
        if (x->unit[i].parent < 0) out->expected_us += x->unit[i].expected_us;
    return out->target ? FX_OK : FX_E_OOM;
}

static fx_status explain(fx_explainer *x)
{
    FX_TRY(fx__expect_open(x->program, &x->it->target, x->arena, &x->expecter));
    FX_TRY(fx__explain_units(x));
    FX_TRY(fx__explain_allowances(x));
    FX_TRY(fx__explain_kernels(x));
    FX_TRY(fx__explain_elsewhere(x));
    FX_TRY(fx__explain_pairs(x));
    FX_TRY(fx__explain_buffers(x));
    return explain_totals(x);
}

fx_status fx_explain(const fx_compiled *compiled, fx_explanation **out)
{
    *out = NULL;
    fx_explainer x = {.it = compiled, .program = compiled->program, .arena = fx__arena_new(compiled->context)};
    if (!x.arena) return FX_E_OOM;
    fx__map_init(&x.part, x.arena);
    x.out = FX_NEW(x.arena, fx_explanation);
    fx_status status = x.out ? explain(&x) : FX_E_OOM;
    if (status != FX_OK) {
        fx__arena_free(x.arena);
        return status;
    }
    x.out->memory = x.arena;
    *out = x.out;
    return FX_OK;
}

void fx_explanation_free(fx_explanation *explanation)
{
    if (explanation) fx__arena_free(explanation->memory);
}

fx_status fx_explain_kernel(const fx_compiled *compiled, int32_t kernel, fx_stage_form form, char **out_text)
{
    *out_text = NULL;
    const fx_program *program = compiled->program;
    if (kernel < 0 || kernel >= program->n_kernel)
        return fx__diag(compiled->context, FX_E_ARG, NULL, "kernel %d of %d", (int)kernel, (int)program->n_kernel);
    if (form == FX_STAGE_PROGRAM) {
        fx_text text;
        char name[16];
        snprintf(name, sizeof name, "k%d", (int)kernel);
        fx__text_init(&text, compiled->context);
        fx__kernel_print(&text, program, program->kernel[kernel], name, false);
        *out_text = fx__text_finish(&text);
        return *out_text ? FX_OK : FX_E_OOM;
    }
    if (form != FX_STAGE_LLVM && form != FX_STAGE_ASM)
        return fx__diag(compiled->context, FX_E_ARG, NULL, "a kernel has the forms program, llvm and asm");
    fx_codegen_options options = fx__compile_codegen_options(compiled);
    size_t bytes;
    return fx__codegen_module(program, &options, kernel, form == FX_STAGE_ASM ? FX_CODE_ASM : FX_CODE_LLVM, out_text, &bytes);
}
