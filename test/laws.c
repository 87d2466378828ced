/* SPDX-License-Identifier: Apache-2.0 */
#include "laws.h"
#include "compare.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void report(const fx_subject *s, const char *what)
{
    fprintf(stderr, "%s: %s%s: %s\n", s->law->name, s->op->name, s->test ? s->test->args : "", what);
    fx_context_print(s->context, stderr);
    fx_context_clear(s->context);
    s->law->failures++;
}

bool fx_law_holds(const fx_subject *s, bool condition, const char *what)
{
    s->law->checked++;
    if (!condition) report(s, what);
    return condition;
}

void fx_law_run(fx_law *law, void (*check)(fx_subject *s))
{
    const char *only = getenv("FXJIT_LAW_OP");
    for (int32_t i = 0; i < fx_op_count(); i++) {
        const fx_op *op = fx_op_at(i);
        if (only && strcmp(op->name, only) != 0) continue;
        for (const fx_case *test = op->cases; test && test->args; test++) {
            fx_subject s = {law, op, test, fx_context_new()};
            check(&s);
            fx_context_free(s.context);
        }
    }
    printf("%s: %d checks, %d exceptions\n", law->name, law->checked, law->exceptions);
    ck_assert_msg(law->failures == 0, "%s: %d of %d checks fail", law->name, law->failures, law->checked);
}

static uint64_t seed_of(const fx_subject *s)
{
    uint64_t seed = 7;
    for (const char *c = s->op->name; *c; c++) seed = seed * 31 + (unsigned char)*c;
    for (const char *c = s->test->args; *c; c++) seed = seed * 31 + (unsigned char)*c;
    return seed;
}

/* Integers of operators outside these families are indices: they must lie inside every extent. */
static bool is_arithmetic(const fx_op *op)
{
    return strcmp(op->family, "element-wise") == 0 || strcmp(op->family, "reduction") == 0;
}

bool fx_law_only_called(const fx_op *op)
{
    return !op->view && !op->lower && !op->decompose;
}

fx_case_tensors fx_law_inputs(const fx_subject *s, fx_module *module)
{
    uint64_t seed = seed_of(s);
    return is_arithmetic(s->op) ? fx_case_random(module, &seed, -2, 2, -4, 4) : fx_case_random(module, &seed, -2, 2, 0, 1);
}

void fx_law_release(fx_law_outputs *out)
{
    for (int32_t i = 0; i < out->n; i++) {
        fx_tensor_release(&out->tensor[i]);
        fx_tensor_release(&out->bound[i]);
    }
}

fx_status fx_law_interpret(fx_module *module, const fx_case_tensors *in, fx_law_outputs *out)
{
    *out = (fx_law_outputs){.n = 0};
    fx_status status = fx__op_infer(fx_case_call(module));
    if (status != FX_OK) return status;
    out->n = fx_case_call(module)->n_result;
    return fx_interpret_bound(module, in->tensor, in->n, out->tensor, out->bound, out->n);
}

bool fx_law_equal(const fx_tensor *a, const fx_tensor *b)
{
    if (a->dtype != b->dtype || fx_tensor_elems(a) != fx_tensor_elems(b)) return false;
    for (int64_t i = 0; i < fx_tensor_elems(a); i++) {
        double x = fx_tensor_get(a, i), y = fx_tensor_get(b, i);
        if (!(x == y && signbit(x) == signbit(y)) && !(isnan(x) && isnan(y))) return false;
    }
    return true;
}

bool fx_law_agrees(const fx_subject *s, const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound, const char *what)
{
    const char *difference = fx_test_difference(expected, actual, bound);
    if (difference) fprintf(stderr, "%s\n", difference);
    return fx_law_holds(s, !difference, what);
}

bool fx_law_within(const fx_tensor *a, const fx_tensor *b, const fx_tensor *bound)
{
    if (fx_tensor_elems(a) != fx_tensor_elems(b)) return false;
    for (int64_t i = 0; i < fx_tensor_elems(a); i++) {
        double x = fx_tensor_get(a, i), y = fx_tensor_get(b, i);
        if (x == y || (isnan(x) && isnan(y))) continue;
        if (!(fabs(x - y) <= fx_tensor_get(bound, i))) {
            fprintf(stderr, "element %lld: %.9g and %.9g, bound %.3g\n", (long long)i, x, y, fx_tensor_get(bound, i));
            return false;
        }
    }
    return true;
}
