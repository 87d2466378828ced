/* SPDX-License-Identifier: Apache-2.0 */
/* Laws that every row of the operator table obeys, over every case of the row. A new row is tested without registration. Each law
 * prints all cases that break it; exceptions are counted and pinned. */
#include "laws.h"
#include "ir/grad.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static fx_status infer(fx_module *module)
{
    return fx__op_infer(fx_case_call(module));
}

/* ---- Rows ------------------------------------------------------------------------------------------------------------------ */

static int count_claims(const char *name, const fx_op *op)
{
    const fx_op *owner = fx__op_find(name);
    if (owner == op) return 0;
    fprintf(stderr, "row %s: its name %s belongs to %s\n", op->name, name, owner ? owner->name : "nobody");
    return 1;
}

static int count_foreign_names(const fx_op *op)
{
    char words[2048], *save = NULL;
    int foreign = count_claims(op->target, op) + count_claims(op->name, op);
    snprintf(words, sizeof words, "%s", op->names ? op->names : "");
    for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) foreign += count_claims(word, op);
    return foreign;
}

START_TEST(rows_are_complete_and_names_are_unique)
{
    int bad = 0;
    for (int32_t i = 0; i < fx_op_count(); i++) {
        const fx_op *op = fx_op_at(i);
        int32_t n;
        bool complete = fx__op_params(op, &n) && op->reference && op->dtypes && (op->cases || op->impure) && op->family && op->target && op->names;
        if (!complete) fprintf(stderr, "row %s is incomplete\n", op->name);
        bad += !complete + count_foreign_names(op);
    }
    ck_assert_int_eq(bad, 0);
}
END_TEST

START_TEST(rows_are_in_alphabetical_order)
{
    for (int32_t i = 1; i < fx_op_count(); i++) ck_assert_str_lt(fx_op_at(i - 1)->name, fx_op_at(i)->name);
}
END_TEST

/* ---- Shapes ---------------------------------------------------------------------------------------------------------------- */

static void check_shape(fx_subject *s)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    if (fx_law_holds(s, infer(module) == FX_OK, "the shape rule fails"))
        fx_law_holds(s, fx_case_call(module)->n_result > 0, "no results");
    fx_module_free(module);
}

START_TEST(shape_rules_know_every_case)
{
    fx_law l = {.name = "shapes"};
    fx_law_run(&l, check_shape);
}
END_TEST

static bool equal_at_hints(const fx_node *symbolic, const fx_node *fixed)
{
    if (symbolic->n_result != fixed->n_result) return false;
    for (int32_t r = 0; r < fixed->n_result; r++) {
        const fx_type *a = &symbolic->result[r], *b = &fixed->result[r];
        if (a->rank != b->rank || a->dtype != b->dtype) return false;
        for (int32_t d = 0; d < b->rank; d++)
            if (fx__dim_hint(symbolic->graph->dims, a->dim[d]) != fx__dim_hint(fixed->graph->dims, b->dim[d])) return false;
    }
    return true;
}

/* The first size as a symbol gives the same result as the number, at that number. */
static void check_symbolic_shape(fx_subject *s)
{
    fx_module *fixed = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_module *symbolic = fx_case_module(s->context, s->op, s->test->args, &(fx_case_change){.symbolic = true});
    ck_assert_int_eq(infer(fixed), FX_OK);
    if (infer(symbolic) != FX_OK) { /* a rule may need a constant here; it must say so */
        s->law->exceptions++;
        fx_law_holds(s, fx_context_diag_count(s->context) > 0, "refused without a word");
        printf("symbolic shapes: %s%s is refused: %s\n", s->op->name, s->test->args, fx_context_diag(s->context, 0, NULL));
        fx_context_clear(s->context);
    } else {
        fx_law_holds(s, equal_at_hints(fx_case_call(symbolic), fx_case_call(fixed)), "the symbolic shape differs");
    }
    fx_module_free(symbolic);
    fx_module_free(fixed);
}

enum { SYMBOLIC_EXCEPTIONS = 6 };

START_TEST(shape_rules_know_symbols)
{
    fx_law l = {.name = "symbolic shapes"};
    fx_law_run(&l, check_symbolic_shape);
    ck_assert_int_le(l.exceptions, SYMBOLIC_EXCEPTIONS);
}
END_TEST

/* ---- Text ------------------------------------------------------------------------------------------------------------------ */

static void check_text(fx_subject *s)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_graph *again = NULL;
    infer(module);
    char *text = fx_graph_to_fx(fx_module_graph(module));
    ck_assert_ptr_nonnull(text);
    if (fx_law_holds(s, fx_graph_parse(s->context, "case", text, strlen(text), &again) == FX_OK, "its text is not read back")) {
        char *second = fx_graph_to_fx(again);
        fx_law_holds(s, second && strcmp(text, second) == 0, "print, parse, print is no fixed point");
        fx_text_free(second);
        fx_graph_free(again);
    }
    fx_text_free(text);
    fx_module_free(module);
}

START_TEST(texts_are_fixed_points)
{
    fx_law l = {.name = "texts"};
    fx_law_run(&l, check_text);
}
END_TEST

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

static bool equal_outputs(const fx_law_outputs *a, const fx_law_outputs *b)
{
    bool equal = a->n == b->n;
    for (int32_t i = 0; equal && i < a->n; i++) equal = fx_law_equal(&a->tensor[i], &b->tensor[i]);
    return equal;
}

/* ---- Dtypes: a result in any float type lies within its bound of the result in f64 ------------------------------------------- */

static void to_f64(const fx_case_tensors *from, fx_module *module, fx_case_tensors *out)
{
    uint64_t seed = 0;
    *out = fx_case_random(module, &seed, 0, 1, 0, 0);
    for (int32_t i = 0; i < from->n; i++)
        for (int64_t e = 0; e < fx_tensor_elems(&from->tensor[i]); e++)
            fx_tensor_set(&out->tensor[i], e, fx_tensor_get(&from->tensor[i], e));
}

static void compare_with_f64(fx_subject *s, fx_dtype from, const fx_case_tensors *in, const fx_law_outputs *narrow)
{
    fx_case_change change = {.recast = true, .from = from, .to = FX_F64};
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, &change);
    fx_case_tensors wide_in;
    fx_law_outputs wide;
    to_f64(in, module, &wide_in);
    if (fx_law_holds(s, fx_law_interpret(module, &wide_in, &wide) == FX_OK, "f64 fails"))
        for (int32_t i = 0; i < wide.n; i++)
            fx_law_holds(s, fx_law_within(&narrow->tensor[i], &wide.tensor[i], &narrow->bound[i]), "far from f64");
    fx_law_release(&wide);
    fx_case_release(&wide_in);
    fx_module_free(module);
}

/* With exact inputs in f32 no operator is off by more than this, relative to 1 + |y|: a bound that says so says nothing. */
static const double useful = 1e-3;

static bool is_useful(const fx_tensor *value, const fx_tensor *bound)
{
    for (int64_t i = 0; value->dtype == FX_F32 && i < fx_tensor_elems(value); i++) {
        double y = fx_tensor_get(value, i), b = fx_tensor_get(bound, i);
        if (isfinite(y) && !(b >= 0 && b <= useful * (1 + fabs(y)))) return false;
    }
    return true;
}

static void check_dtype(fx_subject *s, fx_dtype from, fx_dtype to)
{
    fx_case_change change = {.recast = true, .from = from, .to = to};
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, &change);
    fx_case_tensors in = fx_law_inputs(s, module);
    fx_law_outputs out;
    if (fx_law_holds(s, fx_law_interpret(module, &in, &out) == FX_OK, fx_dtype_name(to)) && fx_dtype_is_float(to) && to != FX_F64 &&
        fx_dtype_is_float(from))
        compare_with_f64(s, from, &in, &out);
    for (int32_t i = 0; i < out.n; i++) fx_law_holds(s, is_useful(&out.tensor[i], &out.bound[i]), "its bound is useless");
    fx_law_release(&out);
    fx_case_release(&in);
    fx_module_free(module);
}

static void check_dtypes(fx_subject *s)
{
    fx_dtype own = fx_case_dtype(s->test->args);
    if (own == FX_DTYPE_COUNT) return;
    check_dtype(s, own, own);
    if (!(s->op->dtypes >> own & 1)) return; /* the row's dtypes speak of another argument (where) */
    for (fx_dtype to = 0; to < FX_DTYPE_COUNT; to++)
        if (to != own && (s->op->dtypes >> to & 1) && fx_dtype_is_float(to) == fx_dtype_is_float(own)) check_dtype(s, own, to);
}

START_TEST(declared_dtypes_work)
{
    fx_law l = {.name = "dtypes"};
    fx_law_run(&l, check_dtypes);
}
END_TEST

/* ---- Layouts: strided, reversed and expanded inputs ----------------------------------------------------------------------------
 */

/* The same values behind other strides: every second element of a larger memory, dims in reverse memory order, last dim reversed.
 */
static fx_tensor scatter(const fx_tensor *from, void **out_memory)
{
    int64_t elems = fx_tensor_elems(from), step = 2;
    fx_tensor to = *from;
    *out_memory = calloc((size_t)(2 * elems + 1), fx_dtype_bytes(from->dtype));
    ck_assert_ptr_nonnull(*out_memory);
    to.data = *out_memory;
    for (int32_t d = 0; d < from->rank; d++) {
        to.stride[d] = step;
        step *= from->dim[d] ? from->dim[d] : 1;
    }
    int32_t last = from->rank - 1;
    if (last >= 0 && from->dim[last] > 0) {
        to.data = (char *)to.data + (from->dim[last] - 1) * to.stride[last] * (int64_t)fx_dtype_bytes(from->dtype);
        to.stride[last] = -to.stride[last];
    }
    ck_assert_int_eq(fx_tensor_copy(&to, from), FX_OK);
    return to;
}

static void check_strides(fx_subject *s)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_case_tensors in = fx_law_inputs(s, module), strided = in;
    void *memory[FX_CASE_INPUTS];
    fx_law_outputs dense, other;
    for (int32_t i = 0; i < in.n; i++) strided.tensor[i] = scatter(&in.tensor[i], &memory[i]);
    bool ran = fx_law_holds(s, fx_law_interpret(module, &in, &dense) == FX_OK, "dense inputs fail");
    if (fx_law_holds(s, fx_law_interpret(module, &strided, &other) == FX_OK, "strided inputs fail") && ran)
        fx_law_holds(s, equal_outputs(&dense, &other), "strided inputs give another result");
    fx_law_release(&dense);
    fx_law_release(&other);
    for (int32_t i = 0; i < in.n; i++) free(memory[i]);
    fx_case_release(&in);
    fx_module_free(module);
}

START_TEST(strides_do_not_matter)
{
    fx_law l = {.name = "strides"};
    fx_law_run(&l, check_strides);
}
END_TEST

/* Expanded along dim 0: every row is the first one. */
static void check_expanded(fx_subject *s)
{
    fx_module *module = fx_case_module(s->context, s->op, s->test->args, NULL);
    fx_case_tensors in = fx_law_inputs(s, module), expanded = in;
    fx_law_outputs dense, other;
    for (int32_t i = 0; i < in.n; i++) {
        if (in.tensor[i].rank == 0) continue;
        expanded.tensor[i].stride[0] = 0;
        fx_tensor copy;
        ck_assert_int_eq(fx_tensor_alloc(in.tensor[i].dtype, in.tensor[i].rank, in.tensor[i].dim, &copy), FX_OK);
        ck_assert_int_eq(fx_tensor_copy(&copy, &expanded.tensor[i]), FX_OK);
        ck_assert_int_eq(fx_tensor_copy(&in.tensor[i], &copy), FX_OK);
        fx_tensor_release(&copy);
    }
    bool ran = fx_law_holds(s, fx_law_interpret(module, &in, &dense) == FX_OK, "dense inputs fail");
    if (fx_law_holds(s, fx_law_interpret(module, &expanded, &other) == FX_OK, "expanded inputs fail") && ran)
        fx_law_holds(s, equal_outputs(&dense, &other), "expanded inputs give another result");
    fx_law_release(&dense);
    fx_law_release(&other);
    fx_case_release(&in);
    fx_module_free(module);
}

START_TEST(expanded_inputs_are_their_values)
{
    fx_law l = {.name = "expanded"};
    fx_law_run(&l, check_expanded);
}
END_TEST

/* ---- Gradients: against central differences of the interpreter, in f64 --------------------------------------------------------
 */

typedef struct subject_module {
    fx_module *forward;
    fx_tensor seed;
} subject_module;

/* sum(seed * result) */
static double weigh(const subject_module *m, const fx_case_tensors *in)
{
    fx_tensor out = {0};
    double sum = 0;
    ck_assert_int_eq(fx_interpret(m->forward, in->tensor, in->n, &out, 1), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&out); i++) sum += fx_tensor_get(&out, i) * fx_tensor_get(&m->seed, i);
    fx_tensor_release(&out);
    return sum;
}

/* Replaces the output by the gradients with respect to every float input. Returns their number, -1 after a diagnostic. */
static int32_t differentiate(fx_module *module, int32_t which[FX_CASE_INPUTS])
{
    fx_graph *graph = fx_module_graph(module);
    fx_node *call = fx_case_call(module), *wrt[FX_CASE_INPUTS], *gradient[FX_CASE_INPUTS];
    fx_attr items[FX_CASE_INPUTS];
    int32_t n = 0, index = 0, n_items = 0;
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        if (fx_dtype_is_float(node->result[0].dtype)) which[n] = index, wrt[n++] = node;
        index++;
    }
    fx_graph_insert_before(graph, call);
    fx_node *seed = fx_graph_placeholder(graph, "seed", &call->result[0]);
    if (fx__grad_build(graph, call, seed, wrt, n, gradient) != FX_OK) return -1;
    for (int32_t i = 0; i < n; i++)
        if (gradient[i]) which[n_items] = which[i], items[n_items++] = fx_node_attr(gradient[i]);
    fx_graph_erase(graph, fx_graph_output_node(graph));
    fx_graph_set_point(graph, (fx_point){NULL});
    fx_graph_output(graph, fx_tuple(graph, items, n_items));
    return n_items;
}

static void compare_gradient(fx_subject *s, const subject_module *m, fx_case_tensors *in, int32_t which, const fx_tensor *gradient)
{
    fx_tensor *x = &in->tensor[which];
    const double h = 1e-6;
    if (!fx_law_holds(s, fx_tensor_elems(gradient) == fx_tensor_elems(x), "a gradient has another shape")) return;
    for (int64_t i = 0; i < fx_tensor_elems(x); i++) {
        double value = fx_tensor_get(x, i), g = fx_tensor_get(gradient, i);
        fx_tensor_set(x, i, value + h);
        double up = weigh(m, in);
        fx_tensor_set(x, i, value - h);
        double slope = (up - weigh(m, in)) / (2 * h);
        fx_tensor_set(x, i, value);
        if (!fx_law_holds(s, fabs(g - slope) <= 1e-5 * (1 + fabs(slope)), "a gradient differs from the difference quotient"))
            fprintf(stderr, "input %d, element %lld: %g; expected %g\n", which, (long long)i, g, slope);
    }
}

static void check_gradient(fx_subject *s)
{
    fx_dtype own = fx_case_dtype(s->test->args);
    if (!s->op->vjp || own == FX_DTYPE_COUNT || !fx_dtype_is_float(own)) return;
    fx_case_change change = {.recast = true, .from = own, .to = FX_F64};
    subject_module m = {.forward = fx_case_module(s->context, s->op, s->test->args, &change)};
    fx_module *backward = fx_case_module(s->context, s->op, s->test->args, &change);
    int32_t which[FX_CASE_INPUTS], n = -1;
    uint64_t seed = 11;
    fx_case_tensors in = fx_case_random(backward, &seed, 0.25, 2, 0, 4), all = in;
    fx_tensor out[FX_CASE_INPUTS] = {{0}};
    ck_assert_int_eq(fx_case_make_core(backward), FX_OK);
    const fx_type *type = &fx_case_call(backward)->result[0];
    int64_t dim[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_hint(fx_module_graph(backward)->dims, type->dim[d]);
    ck_assert_int_eq(fx_tensor_alloc(FX_F64, type->rank, dim, &m.seed), FX_OK);
    for (int64_t i = 0; i < fx_tensor_elems(&m.seed); i++) fx_tensor_set(&m.seed, i, fx_test_uniform(&seed, -1, 1));
    all.tensor[all.n++] = m.seed;
    if (fx_law_holds(s, (n = differentiate(backward, which)) >= 0, "the rule fails") &&
        fx_law_holds(s, fx_interpret(backward, all.tensor, all.n, out, n) == FX_OK, "the gradient's graph fails"))
        for (int32_t i = 0; i < n; i++) compare_gradient(s, &m, &in, which[i], &out[i]);
    for (int32_t i = 0; i < n; i++) fx_tensor_release(&out[i]);
    fx_tensor_release(&m.seed);
    fx_case_release(&in);
    fx_module_free(backward);
    fx_module_free(m.forward);
}

START_TEST(gradients_are_difference_quotients)
{
    fx_law l = {.name = "gradients"};
    fx_law_run(&l, check_gradient);
    ck_assert_int_gt(l.checked, 0);
}
END_TEST

FX_TESTS("operator laws", rows_are_complete_and_names_are_unique, rows_are_in_alphabetical_order, shape_rules_know_every_case,
         shape_rules_know_symbols, texts_are_fixed_points, declared_dtypes_work, strides_do_not_matter,
         expanded_inputs_are_their_values, gradients_are_difference_quotients)
