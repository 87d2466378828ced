/* SPDX-License-Identifier: Apache-2.0 */
/* Law of programs, over every case of every operator row and every dtype it declares: the program evaluated after each pass, from
 * lower to plan, lies within the interpreter's bound. (test_ops_native goes on to machine code.) */
#include "laws.h"
#include "passes/pass.h"
#include <string.h>

/* What the evaluation after each pass is compared with. */
typedef struct expectation {
    fx_subject *s;
    const fx_case_tensors *in;
    const fx_law_outputs *out;
    const char *dtype;
} expectation;

/* The sizes of the inputs; symbols that no input gives have their upper bound, as in the interpreter. */
static const int64_t *symbols_of(const fx_program *program, int64_t values[8])
{
    ck_assert_int_le(fx__dims_sym_count(program->dims), 8);
    for (int32_t i = 0; i < fx__dims_sym_count(program->dims); i++) {
        const fx_sym *sym = fx__dims_sym(program->dims, i);
        values[i] = sym->input >= 0 ? sym->hint : sym->hi;
    }
    return values;
}

static void outputs_like(const fx_law_outputs *model, fx_law_outputs *out)
{
    *out = (fx_law_outputs){.n = model->n};
    for (int32_t i = 0; i < model->n; i++)
        ck_assert_int_eq(fx_tensor_alloc(model->tensor[i].dtype, model->tensor[i].rank, model->tensor[i].dim, &out->tensor[i]),
                         FX_OK);
}

/* Within the bound of the interpreter, output by output. */
static void compare(const expectation *e, const fx_law_outputs *out, const char *form)
{
    char what[96];
    snprintf(what, sizeof what, "%s as %s differs from the interpreter", form, e->dtype);
    for (int32_t i = 0; i < out->n; i++) fx_law_agrees(e->s, &e->out->tensor[i], &out->tensor[i], &e->out->bound[i], what);
}

static fx_status evaluate(void *user, const char *pass, const fx_program *program)
{
    const expectation *e = user;
    fx_law_outputs out;
    int64_t syms[8];
    outputs_like(e->out, &out);
    if (fx_law_holds(e->s, fx__program_eval(program, e->in->tensor, out.tensor, NULL, symbols_of(program, syms)) == FX_OK, pass))
        compare(e, &out, pass);
    fx_law_release(&out);
    return FX_OK;
}

static bool has_call(const fx_program *program)
{
    for (int32_t i = 0; i < program->steps.n; i++)
        if (program->steps.step[i].kind == FX_STEP_CALL) return true;
    return false;
}

static void check_program(fx_subject *s, fx_module *module, const expectation *e)
{
    fx_target target;
    fx_program *program = NULL;
    fx_pass_options options = {.target = &target, .verify = true, .after = evaluate, .after_user = (void *)(uintptr_t)e};
    ck_assert_int_eq(fx__target_describe(s->context, "x86_64-unknown-linux-gnu", "sapphirerapids", "", &target), FX_OK);
    if (!fx_law_holds(s, fx__pipeline_graph(fx_module_graph(module), &options) == FX_OK, "the graph passes fail")) return;
    if (!fx_law_holds(s, fx__pipeline_program(fx_module_graph(module), &options, &program) == FX_OK, "the program passes fail"))
        return;
    s->law->exceptions += has_call(program) && !fx_law_only_called(s->op);
    fx__program_free(program);
}

static void check_dtype(fx_subject *s, fx_dtype from, fx_dtype to)
{
    fx_case_change change = {.recast = true, .from = from, .to = to};
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, &change);
    fx_case_tensors in = fx_law_inputs(s, module);
    fx_law_outputs out;
    if (fx_law_holds(s, fx_law_interpret(module, &in, &out) == FX_OK, "the interpreter fails"))
        check_program(s, module, &(expectation){s, &in, &out, fx_dtype_name(to)});
    fx_law_release(&out);
    fx_case_release(&in);
    fx_module_free(module);
}

static void check_programs(fx_subject *s)
{
    fx_dtype own = fx_case_dtype(s->test->args);
    if (own == FX_DTYPE_COUNT) return;
    check_dtype(s, own, own);
    if (!(s->op->dtypes >> own & 1)) return; /* the row's dtypes speak of another argument */
    for (fx_dtype to = 0; to < FX_DTYPE_COUNT; to++)
        if (to != own && (s->op->dtypes >> to & 1) && fx_dtype_is_float(to) == fx_dtype_is_float(own)) check_dtype(s, own, to);
}

START_TEST(programs_evaluate_to_the_interpreters_values)
{
    fx_law law = {.name = "programs"};
    fx_law_run(&law, check_programs);
    ck_assert_int_le(law.exceptions, 8); /* programs with a step that calls a reference kernel; may only fall */
}
END_TEST

FX_TESTS("operator programs", programs_evaluate_to_the_interpreters_values)
