/* SPDX-License-Identifier: Apache-2.0 */
/* Laws of compiled code over every operator row: native results lie within the interpreter's bound, for every case, for every
 * declared dtype, and for one compilation run at many sizes of its symbols. */
#include "laws.h"
#include <string.h>

enum { OUTPUTS = 16 };

/* NULL after a failed check. */
static fx_compiled *compile(fx_subject *s, fx_module *module)
{
    fx_compiled *compiled = NULL;
    fx_status status = fx_compile(module, NULL, 0, &(fx_compile_options){.threads = 1, .verify = true}, &compiled);
    fx_law_holds(s, status == FX_OK, "compiles");
    return compiled;
}

/* Runs both engines on inputs at the symbols' hints. Sizes that break a guard must be refused by both. Whether they ran. */
static bool compare(fx_subject *s, fx_module *module, const fx_compiled *compiled, const char *what)
{
    fx_case_tensors in = fx_law_inputs(s, module);
    fx_tensor got[OUTPUTS] = {{0}};
    fx_law_outputs want;
    fx_status expected = fx_law_interpret(module, &in, &want);
    fx_status status = fx_run(compiled, s->context, in.tensor, in.n, got, want.n);
    bool agree = (expected == FX_OK) == (status == FX_OK), ran = agree && status == FX_OK;
    if (agree) fx_context_clear(s->context);
    fx_law_holds(s, agree, what);
    for (int32_t i = 0; ran && i < want.n; i++) {
        fx_law_agrees(s, &want.tensor[i], &got[i], &want.bound[i], what);
        fx_tensor_release(&got[i]);
    }
    if (expected == FX_OK) fx_law_release(&want);
    fx_case_release(&in);
    return ran;
}

/* ---- Every case ------------------------------------------------------------------------------------------------------------ */

static void check_case(fx_subject *s)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_law_holds(s, fx__op_infer(fx_case_call(module)) == FX_OK, "has a type");
    fx_compiled *compiled = compile(s, module);
    if (compiled) {
        fx_law_holds(s, compare(s, module, compiled, "native"), "runs");
        if (fx_compiled_fallback_count(compiled)) {
            printf("  called: %s\n", fx_compiled_fallback(compiled, 0));
            s->law->exceptions += !fx_law_only_called(s->op);
        }
    }
    fx_compiled_free(compiled);
    fx_module_free(module);
}

START_TEST(every_case_is_compiled)
{
    fx_law law = {.name = "native"};
    fx_law_run(&law, check_case);
    ck_assert_int_eq(law.exceptions, 0); /* nodes of rows that are lowered, yet run through their reference kernel */
}
END_TEST

START_TEST(few_rows_are_only_called)
{
    int32_t n = 0;
    for (int32_t i = 0; i < fx_op_count(); i++) n += fx_law_only_called(fx_op_at(i));
    ck_assert_int_le(n, 12); /* may only fall, but for rows whose results no kernel of independent points makes */
}
END_TEST

/* ---- Every dtype ----------------------------------------------------------------------------------------------------------- */

static void check_dtype(fx_subject *s, fx_dtype from, fx_dtype to)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, &(fx_case_change){.recast = true, .from = from, .to = to});
    if (fx__op_infer(fx_case_call(module)) == FX_OK) {
        fx_compiled *compiled = compile(s, module);
        if (compiled) compare(s, module, compiled, fx_dtype_name(to));
        fx_compiled_free(compiled);
    }
    fx_context_clear(s->context); /* a case may not exist in this dtype: a float where an integer is wanted */
    fx_module_free(module);
}

/* The row's first case stands for the others. */
static void check_dtypes(fx_subject *s)
{
    fx_dtype from = fx_case_dtype(s->test->args);
    if (s->test != s->op->cases || from == FX_DTYPE_COUNT) return;
    for (int to = 0; to < FX_DTYPE_COUNT; to++)
        if (s->op->dtypes >> to & 1) check_dtype(s, from, (fx_dtype)to);
}

START_TEST(every_dtype_is_compiled)
{
    fx_law law = {.name = "native dtypes"};
    fx_law_run(&law, check_dtypes);
}
END_TEST

/* ---- Symbols --------------------------------------------------------------------------------------------------------------- */

static void set_symbols(fx_dims *dims, int64_t first, int64_t others)
{
    for (int32_t i = 0; i < fx__dims_sym_count(dims); i++) fx__dims_sym(dims, i)->hint = i ? others : first;
}

static void check_sizes(fx_subject *s)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100};
    enum { N = sizeof sizes / sizeof *sizes };
    if (!strstr(s->test->args, "s0")) return;
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_law_holds(s, fx__op_infer(fx_case_call(module)) == FX_OK, "has a type");
    fx_compiled *compiled = compile(s, module);
    fx_dims *dims = fx_module_graph(module)->dims;
    int32_t turns = fx__dims_sym_count(dims) > 1 ? 3 : 1;
    for (int32_t i = 0; compiled && i < N * turns; i++) {
        char what[32];
        set_symbols(dims, sizes[i % N], sizes[(i * 5 + i / N) % N]);
        snprintf(what, sizeof what, "at size %d", (int)sizes[i % N]);
        if (!compare(s, module, compiled, what)) s->law->exceptions++;
    }
    fx_compiled_free(compiled);
    fx_module_free(module);
}

START_TEST(one_compilation_serves_all_sizes)
{
    fx_law law = {.name = "native sizes"};
    fx_law_run(&law, check_sizes);
    ck_assert_int_le(law.exceptions, 41); /* sizes that break a guard: a window larger than its image, an index outside */
}
END_TEST

FX_TESTS("native operators", every_case_is_compiled, few_rows_are_only_called, every_dtype_is_compiled, one_compilation_serves_all_sizes)
