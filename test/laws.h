/* SPDX-License-Identifier: Apache-2.0 */
/* test/laws.h: a law is a check that runs over every case of every operator row. It prints all cases that break it; exceptions are
 * counted. */
#ifndef FX_TEST_LAWS_H
#define FX_TEST_LAWS_H

#include "cases.h"
#include "harness.h"
#include "ir/interp.h"

typedef struct fx_law {
    const char *name;
    int failures, checked, exceptions;
} fx_law;

/* One case under a law. */
typedef struct fx_subject {
    fx_law *law;
    const fx_op *op;
    const fx_case *test;
    fx_context *context;
} fx_subject;

/* Counts a check; when it fails, prints it with the context's diagnostics, which are cleared. Returns condition. */
bool fx_law_holds(const fx_subject *s, bool condition, const char *what);
/* Runs a law over all cases of all rows; fails the test when any check failed. FXJIT_LAW_OP=NAME restricts it to one row. */
void fx_law_run(fx_law *law, void (*check)(fx_subject *s));

/* A row that is never compiled: its reference kernel runs where it stands. */
bool fx_law_only_called(const fx_op *op);
/* Inputs that depend on the case alone. Integers are small; those of operators that do no arithmetic are indices, 0 or 1. */
fx_case_tensors fx_law_inputs(const fx_subject *s, fx_module *module);

typedef struct fx_law_outputs {
    fx_tensor tensor[FX_RESULTS], bound[FX_RESULTS];
    int32_t n;
} fx_law_outputs;
/* Infers the types and interprets a case's module, with bounds. */
fx_status fx_law_interpret(fx_module *module, const fx_case_tensors *in, fx_law_outputs *out);
void fx_law_release(fx_law_outputs *out);
/* Holds when a result agrees with the interpreter's within its bound, by the rule of fx_tensor_agrees; else says where not. */
bool fx_law_agrees(const fx_subject *s, const fx_tensor *expected, const fx_tensor *actual, const fx_tensor *bound, const char *what);
/* |a - b| <= bound, element by element, where b has not been rounded to a's type; equal infinities and any two NaNs are equal. Prints
 * the first element that is outside. */
bool fx_law_within(const fx_tensor *a, const fx_tensor *b, const fx_tensor *bound);
/* Bit for bit, except that any NaN equals any other. */
bool fx_law_equal(const fx_tensor *a, const fx_tensor *b);

#endif
