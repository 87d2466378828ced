/* SPDX-License-Identifier: Apache-2.0 */
/* test/unit/op_run.h: runs one operator through the interpreter and, lowered, through the evaluator. Tensors are written as text
 * ("f32[2, 3] 1 2 3 4 5 6"), arguments as in .fx files, with %a, %b, ... for the inputs. */
#ifndef FX_TEST_OP_RUN_H
#define FX_TEST_OP_RUN_H

#include "fxjit/compile.h"
#include "harness.h"
#include "passes/pass.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OP_INPUTS = 12, OP_OUTPUTS = 8 };

typedef struct op_run {
    fx_context *context;
    fx_module *module;
    fx_tensor in[OP_INPUTS], out[OP_OUTPUTS];
    int32_t n_in, n_out;
    int32_t calls; /* of the program: nodes without a kernel */
} op_run;

/* "f32[2, 3] v v v ...": values may be fewer than elements, then they are repeated; none: 0. */
static fx_tensor op_tensor(const char *text)
{
    char name[8];
    fx_dtype dtype;
    fx_tensor tensor;
    int64_t dim[FX_RANK], rank = 0;
    size_t bytes = strcspn(text, "[");
    ck_assert(bytes < sizeof name);
    memcpy(name, text, bytes);
    name[bytes] = 0;
    ck_assert_msg(fx_dtype_parse(name, &dtype), "dtype in '%s'", text);
    char *at = (char *)text + bytes + 1;
    while (*at != ']') {
        dim[rank++] = strtoll(at, &at, 10);
        at += strspn(at, ", ");
    }
    ck_assert_int_eq(fx_tensor_alloc(dtype, (int32_t)rank, dim, &tensor), FX_OK);
    int64_t elems = fx_tensor_elems(&tensor), n = 0;
    char *end;
    for (at++; n < elems; at = end, n++) {
        double value = strtod(at, &end);
        if (end == at) break;
        fx_tensor_set(&tensor, n, value);
    }
    for (int64_t i = n; n > 0 && i < elems; i++) fx_tensor_set(&tensor, i, fx_tensor_get(&tensor, i % n));
    return tensor;
}

static void op_type(fx_text *text, const fx_tensor *tensor)
{
    fx_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int32_t d = 0; d < tensor->rank; d++) type.dim[d] = tensor->dim[d];
    fx__type_print(text, NULL, &type);
}

/* The graph of one call; n_out > 1: its results are selected one by one. */
static char *op_text(const op_run *run, const char *target, const char *args)
{
    fx_text text;
    fx__text_init(&text, run->context);
    fx__text_append(&text, "graph {\n");
    for (int32_t i = 0; i < run->n_in; i++) {
        fx__text_append(&text, "%%%c = placeholder \"%c\" : ", 'a' + i, 'a' + i);
        op_type(&text, &run->in[i]);
        fx__text_append(&text, "\n");
    }
    fx__text_append(&text, "%%y = call_function \"%s\" %s\n", target, args);
    for (int32_t i = 0; run->n_out > 1 && i < run->n_out; i++)
        fx__text_append(&text, "%%y%d = call_function \"operator.getitem\" (%%y, %d)\n", i, i);
    fx__text_append(&text, "%%output = output((");
    if (run->n_out == 1) fx__text_append(&text, "%%y,");
    for (int32_t i = 0; run->n_out > 1 && i < run->n_out; i++) fx__text_append(&text, "%%y%d,", i);
    fx__text_append(&text, "),)\n}\n");
    return fx__text_finish(&text);
}

static fx_node *op_same(void *user, fx_node *there)
{
    return fx_graph_find(user, there->name);
}

static fx_module *op_module(fx_context *context, const char *text)
{
    fx_graph *graph = NULL;
    CHECK_OK(context, fx_graph_parse(context, "case", text, strlen(text), &graph));
    fx_module *module = fx_module_new(context, "case");
    FX_EACH_NODE(node, graph)
    ck_assert_ptr_nonnull(fx_graph_copy_node(fx_module_graph(module), node, op_same, fx_module_graph(module)));
    fx_graph_free(graph);
    return module;
}

/* Runs target on n_in tensors given as text; n_out results stay in run until op_done. Returns the status. */
static fx_status op_start(op_run *run, const char *target, const char *args, const char *const *in, int32_t n_in, int32_t n_out)
{
    *run = (op_run){.context = fx_context_new(), .n_in = n_in, .n_out = n_out};
    for (int32_t i = 0; i < n_in; i++) run->in[i] = op_tensor(in[i]);
    char *text = op_text(run, target, args);
    run->module = op_module(run->context, text);
    fx_text_free(text);
    return fx_interpret(run->module, run->in, n_in, run->out, n_out);
}

static void op_done(op_run *run)
{
    for (int32_t i = 0; i < run->n_in; i++) fx_tensor_release(&run->in[i]);
    for (int32_t i = 0; i < run->n_out; i++)
        if (run->out[i].data) fx_tensor_release(&run->out[i]);
    fx_module_free(run->module);
    fx_context_free(run->context);
}

static bool op_same_value(double got, double want, double tolerance)
{
    if (isnan(want)) return isnan(got);
    return got == want || fabs(got - want) <= tolerance * (1 + fabs(want));
}

static void op_compare_tensors(const fx_tensor *got, const fx_tensor *want, double tolerance, const char *what)
{
    ck_assert_msg(got->dtype == want->dtype, "%s: dtype %s, expected %s", what, fx_dtype_name(got->dtype),
                  fx_dtype_name(want->dtype));
    ck_assert_msg(got->rank == want->rank, "%s: rank %d, expected %d", what, got->rank, want->rank);
    for (int32_t d = 0; d < got->rank; d++)
        ck_assert_msg(got->dim[d] == want->dim[d], "%s: dim %d is %lld, expected %lld", what, d, (long long)got->dim[d],
                      (long long)want->dim[d]);
    for (int64_t i = 0; i < fx_tensor_elems(got); i++) {
        double g = fx_tensor_get(got, i), w = fx_tensor_get(want, i);
        ck_assert_msg(op_same_value(g, w, tolerance), "%s: element %lld is %.9g, expected %.9g", what, (long long)i, g, w);
    }
}

static void op_compare(const fx_tensor *got, const char *want_text, double tolerance, const char *what)
{
    fx_tensor want = op_tensor(want_text);
    op_compare_tensors(got, &want, tolerance, what);
    fx_tensor_release(&want);
}

/* ---- The same call as a program ------------------------------------------------------------------------------------------- */

/* Binds a call's arguments, types it and puts its decomposition in its place, until none is left. */
static void op_make_core(fx_context *context, fx_node *node)
{
    fx_attr bound[FX_PARAMS];
    fx_graph *graph = node->graph;
    const fx_op *op = fx__op_of(node);
    int32_t n;
    fx__op_params(op, &n);
    CHECK_OK(context, fx__op_bind(graph, node, op, bound));
    CHECK_OK(context, fx_node_set_target(node, op->target));
    CHECK_OK(context, fx_node_set_args(node, fx_tuple(graph, bound, n), fx_none()));
    CHECK_OK(context, fx__op_infer(node));
    if (op->lower || !op->decompose) return;
    fx_call call;
    fx__op_call(node, &call);
    fx_node *instead = op->decompose(graph, &call);
    if (!instead || instead == node) return;
    fx_node_replace_all_uses(node, instead);
    fx_graph_erase(graph, node);
}

static void op_core_graph(fx_context *context, fx_graph *graph)
{
    graph->core = true; /* arguments stand by position from here on */
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (node->opcode == FX_CALL_FUNCTION) op_make_core(context, node);
    }
    fx_graph_eliminate_dead_code(graph);
}

/* Nodes that became CALL steps. */
static int32_t op_calls(const fx_program *program)
{
    int32_t calls = 0;
    for (int32_t i = 0; i < program->steps.n; i++) calls += program->steps.step[i].kind == FX_STEP_CALL;
    return calls;
}

/* Lowers the call and evaluates the program on dense inputs: the results must be those of the interpreter. */
static void op_check_program(op_run *run, double tolerance, const char *what)
{
    fx_program *program = NULL;
    fx_graph *graph = fx_module_graph(run->module);
    op_core_graph(run->context, graph);
    CHECK_OK(run->context, fx__lower_graph(graph, false, &program));
    fx_tensor got[OP_OUTPUTS] = {{0}};
    for (int32_t i = 0; i < run->n_out; i++)
        ck_assert_int_eq(fx_tensor_alloc(run->out[i].dtype, run->out[i].rank, run->out[i].dim, &got[i]), FX_OK);
    CHECK_OK(run->context, fx__program_eval(program, run->in, got, NULL, NULL));
    for (int32_t i = 0; i < run->n_out; i++) {
        op_compare_tensors(&got[i], &run->out[i], tolerance, what);
        fx_tensor_release(&got[i]);
    }
    run->calls = op_calls(program);
    fx__program_free(program);
}

#define OP_COUNT(list) ((int32_t)(sizeof(list) / sizeof *(list)))
/* op_expect("torch.ops.aten.t.default", "(%a)", OP_IN("f32[2, 1] 1 2"), "f32[1, 2] 1 2") */
#define OP_IN(...) (const char *const[]){__VA_ARGS__}, OP_COUNT(((const char *const[]){__VA_ARGS__}))

static inline void op_expect(const char *target, const char *args, const char *const *in, int32_t n_in, const char *want)
{
    op_run run;
    fx_status status = op_start(&run, target, args, in, n_in, 1);
    CHECK_OK(run.context, status);
    char what[160];
    snprintf(what, sizeof what, "%s%s", target, args);
    op_compare(&run.out[0], want, 0, what);
    op_check_program(&run, 1e-6, what);
    op_done(&run);
}

/* The call must fail with a diagnostic that contains this text. */
static inline void op_refuse(const char *target, const char *args, const char *const *in, int32_t n_in, const char *diagnostic)
{
    op_run run;
    fx_status status = op_start(&run, target, args, in, n_in, 1);
    ck_assert_int_ne(status, FX_OK);
    CHECK_DIAG(run.context, diagnostic);
    op_done(&run);
}

#endif
