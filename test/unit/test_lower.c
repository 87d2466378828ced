/* SPDX-License-Identifier: Apache-2.0 */
/* test_lower.c: every case of every operator, and random graphs: the lowered program evaluates to what the interpreter computes,
 * keeps to the verifier's rules, and its text reads back as the same program. */
#include "codegen/codegen.h"
#include "compare.h"
#include "ir/kir.h"
#include "op_run.h"
#include "passes/pass.h"
#include "random_graph.h"
#include <ctype.h>

enum { VALUES = 32 };

/* s0 of symbolic cases. */
enum { SYMBOL_VALUE = 3 };

typedef struct subject {
    fx_context *context;
    fx_module *module;
    fx_tensor in[VALUES], want[VALUES], bound[VALUES], got[VALUES];
    fx_type type[VALUES]; /* dims -1 and -2: symbols */
    int32_t n_in, n_out;
} subject;

/* Binds every call's arguments to its schema: what the pass `normalise` ends with. */
static void make_core(fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    {
        fx_attr bound[FX_PARAMS];
        int32_t n;
        if (node->opcode != FX_CALL_FUNCTION) continue;
        const fx_op *op = fx__op_of(node);
        ck_assert_ptr_nonnull(op);
        fx__op_params(op, &n);
        CHECK_OK(graph->context, fx__op_bind(graph, node, op, bound));
        CHECK_OK(graph->context, fx_node_set_args(node, fx_tuple(graph, bound, n), fx_none()));
        node->op = op;
    }
    CHECK_OK(graph->context, fx_graph_propagate(graph));
}

static void fill_input(fx_tensor *tensor, uint64_t *random)
{
    for (int64_t i = 0; i < fx_tensor_elems(tensor); i++) {
        double value = fx_test_uniform(random, -3, 3);
        if (!fx_dtype_is_float(tensor->dtype))
            value = tensor->dtype == FX_BOOL || !fx_dtype_is_signed(tensor->dtype) ? fabs(trunc(value)) : trunc(value);
        fx_tensor_set(tensor, i, tensor->dtype == FX_BOOL ? value > 1 : value);
    }
}

static bool is_dtype(const char *word, size_t bytes)
{
    char name[8];
    fx_dtype dtype;
    if (bytes == 0 || bytes >= sizeof name) return false;
    memcpy(name, word, bytes);
    name[bytes] = 0;
    return fx_dtype_parse(name, &dtype);
}

/* A tensor whose type starts here; s0 and s1 in it are SYMBOL_VALUE and one more, and noted in the type as -1 and -2. */
static void add_input(subject *s, const char *type, uint64_t *random)
{
    size_t bytes = (size_t)(strchr(type, ']') + 1 - type);
    char text[128], *symbol;
    int32_t dim = 0;
    ck_assert_uint_lt(bytes, sizeof text);
    memcpy(text, type, bytes);
    text[bytes] = 0;
    fx_type *noted = &s->type[s->n_in];
    *noted = (fx_type){.rank = 0};
    for (symbol = strchr(text, '['); *symbol; symbol++) {
        dim += *symbol == ',';
        if (*symbol != 's') continue;
        noted->dim[dim] = symbol[1] == '0' ? -1 : -2;
        symbol[1] = symbol[1] == '0' ? '0' + SYMBOL_VALUE : '1' + SYMBOL_VALUE;
        symbol[0] = ' ';
    }
    s->in[s->n_in] = op_tensor(text);
    fill_input(&s->in[s->n_in], random);
}

/* Makes the noted dims symbols. */
static void add_symbols(subject *s)
{
    fx_graph *graph = fx_module_graph(s->module);
    fx_dim symbol[2] = {fx_graph_symbol(graph, "s0", 1, 64, 8, 1), fx_graph_symbol(graph, "s1", 1, 64, 8, 1)};
    fx_node *node = fx_graph_first(graph);
    for (int32_t i = 0; i < s->n_in; i++, node = fx_node_next(node)) {
        fx_type type = *fx_node_type(node, 0);
        for (int32_t d = 0; d < type.rank; d++)
            if (s->type[i].dim[d] < 0) type.dim[d] = symbol[-1 - s->type[i].dim[d]];
        CHECK_OK(s->context, fx_node_set_type(node, 0, &type));
    }
}

/* Where an argument of the call begins: a keyword-only one has its name in front. */
static void name_argument(const fx_op *op, int32_t *at, fx_text *out)
{
    int32_t n_params;
    const fx_param *params = fx__op_params(op, &n_params);
    if (*at < n_params && params[*at].keyword_only) fx__text_append(out, "%s=", params[*at].name);
    (*at)++;
}

/* "(f32[2, 3], f16)" to "(%a, dtype(f16))", with an input for every tensor type. */
static void read_case(subject *s, const fx_op *op, const char *args, fx_text *out)
{
    uint64_t random = 7;
    bool quoted = false, begins = false;
    int32_t depth = 0, at = 0;
    for (const char *c = args; *c;) {
        size_t word = 0;
        if (begins && *c != ' ' && *c != ')') name_argument(op, &at, out);
        begins = !quoted && ((begins && *c == ' ') || (depth == 0 && *c == '(') || (depth == 1 && *c == ','));
        depth += quoted ? 0 : (*c == '(' || *c == '[') - (*c == ')' || *c == ']');
        while (isalnum((unsigned char)c[word]) || c[word] == '_') word++;
        bool quote = *c == '"' || *c == '\'';
        quoted ^= quote;
        if (quote) {
            fx__text_append(out, "\"");
            c++;
        } else if (quoted || !is_dtype(c, word)) {
            fx__text_put(out, c, word ? word : 1);
            c += word ? word : 1;
        } else if (c[word] == '[') {
            add_input(s, c, &random);
            fx__text_append(out, "%%%c", 'a' + s->n_in++);
            c = strchr(c, ']') + 1;
        } else {
            fx__text_append(out, "dtype(%.*s)", (int)word, c);
            c += word;
        }
    }
}

static void build_case(subject *s, const fx_op *op, const char *args)
{
    fx_text call, text;
    fx__text_init(&call, s->context);
    fx__text_init(&text, s->context);
    read_case(s, op, args, &call);
    char *bound_args = fx__text_finish(&call);
    fx__text_append(&text, "graph {\n");
    for (int32_t i = 0; i < s->n_in; i++) {
        fx__text_append(&text, "%%%c = placeholder \"%c\" : ", 'a' + i, 'a' + i);
        op_type(&text, &s->in[i]);
        fx__text_append(&text, "\n");
    }
    fx__text_append(&text, "%%y = call_function \"%s\" %s\n}\n", op->target, bound_args);
    char *graph = fx__text_finish(&text);
    s->module = op_module(s->context, graph);
    if (strstr(args, "s0")) add_symbols(s);
    fx_text_free(bound_args);
    fx_text_free(graph);
}

/* All results of the last node are outputs. */
static void add_outputs(subject *s)
{
    fx_graph *graph = fx_module_graph(s->module);
    fx_node *y = fx_graph_last(graph);
    fx_attr item[VALUES];
    CHECK_OK(s->context, fx_graph_propagate(graph));
    for (int32_t r = 0; r < y->n_result; r++) {
        fx_attr pair[2] = {fx_node_attr(y), fx_int(r)};
        item[r] = fx_node_attr(y->n_result == 1 ? y : fx_graph_call(graph, "operator.getitem", pair, 2));
    }
    fx_graph_output(graph, fx_tuple(graph, item, y->n_result));
    make_core(graph);
}

static void interpret(subject *s)
{
    s->n_out = fx_module_output_count(s->module);
    CHECK_OK(s->context, fx_interpret_bound(s->module, s->in, s->n_in, s->want, s->bound, s->n_out));
    for (int32_t i = 0; i < s->n_out; i++)
        CHECK_OK(s->context, fx_tensor_alloc(s->want[i].dtype, s->want[i].rank, s->want[i].dim, &s->got[i]));
}

static void release(subject *s)
{
    for (int32_t i = 0; i < s->n_in; i++) fx_tensor_release(&s->in[i]);
    for (int32_t i = 0; i < s->n_out; i++) {
        fx_tensor_release(&s->want[i]);
        fx_tensor_release(&s->bound[i]);
        fx_tensor_release(&s->got[i]);
    }
    fx_module_free(s->module);
    fx_context_free(s->context);
}

static void check_program(subject *s, const fx_program *program, const char *what)
{
    fx_status status = fx__program_eval(program, s->in, s->got, NULL, (const int64_t[]){SYMBOL_VALUE, SYMBOL_VALUE + 1});
    for (int32_t i = 0; i < s->n_out; i++) {
        const char *difference = status ? "evaluation failed" : fx_test_difference(&s->want[i], &s->got[i], &s->bound[i]);
        if (!difference) continue;
        char *text = fx__program_print(program), *graph = fx_graph_to_fx(fx_module_graph(s->module));
        fx_context_print(s->context, stderr);
        fprintf(stderr, "%s\n%s\n", graph, text);
        ck_abort_msg("%s, output %d: %s", what, i, difference);
    }
}

/* The text reads back as a program that prints the same; constants get their data from the first program. */
static fx_program *reread(subject *s, const fx_program *program, const char *what)
{
    fx_program *again;
    char *text = fx__program_print(program);
    if (fx__program_parse(s->context, "text", text, strlen(text), &again) != FX_OK) {
        fx_context_print(s->context, stderr);
        fprintf(stderr, "%s\n", text);
        ck_abort_msg("%s: the text is not read back", what);
    }
    char *text_again = fx__program_print(again);
    if (strcmp(text, text_again) != 0) {
        fprintf(stderr, "%s\n%s\n", text, text_again);
        ck_abort_msg("%s: the text reads back as another", what);
    }
    for (int32_t b = 0; b < program->n_buf; b++)
        if (program->buf[b].path) again->buf[b].data = program->buf[b].data;
    fx_text_free(text);
    fx_text_free(text_again);
    return again;
}

static int32_t count_calls(const fx_block *block)
{
    int32_t n = 0;
    for (int32_t i = 0; i < block->n; i++) n += block->step[i].kind == FX_STEP_CALL;
    return n;
}

static void check_verified(subject *s, const fx_program *program, const char *what)
{
    if (fx__program_verify(program, "lower") == FX_OK) return;
    char *text = fx__program_print(program);
    fx_context_print(s->context, stderr);
    fprintf(stderr, "%s\n", text);
    ck_abort_msg("%s breaks a rule", what);
}

static int32_t check_lowered(subject *s, bool force_calls, const char *what)
{
    fx_program *program;
    fx_status status = fx__lower_graph(fx_module_graph(s->module), force_calls, &program);
    if (status != FX_OK) fx_context_print(s->context, stderr);
    ck_assert_msg(status == FX_OK, "%s is not lowered", what);
    check_verified(s, program, what);
    check_program(s, program, what);
    fx_program *again = reread(s, program, what);
    check_program(s, again, what);
    for (int32_t k = 0; k < again->n_kernel; k++) CHECK_OK(s->context, fx__kernel_collapse(again, again->kernel[k]));
    check_verified(s, again, what);
    check_program(s, again, what);
    int32_t calls = count_calls(&program->steps);
    fx__program_free(again);
    fx__program_free(program);
    return calls;
}

/* Operators whose lowering may decline: they decompose, or their result's size depends on data. */
static bool may_call(const fx_op *op)
{
    return !op->lower || op->decompose || op->reads_values;
}

static bool check_case(const fx_op *op, const fx_case *c)
{
    subject s = {.context = fx_context_new()};
    char what[512];
    snprintf(what, sizeof what, "%s%s (%s)", op->name, c->args, c->note ? c->note : "");
    if (getenv("FX_TRACE")) fprintf(stderr, "%s\n", what);
    build_case(&s, op, c->args);
    add_outputs(&s);
    interpret(&s);
    int32_t calls = check_lowered(&s, false, what);
    ck_assert_msg(!calls || may_call(op), "%s is not compiled", what);
    check_lowered(&s, true, what);
    release(&s);
    return calls == 0;
}

START_TEST(cases_of_all_operators)
{
    int32_t cases = 0, compiled = 0;
    for (int32_t i = 0; i < fx_op_count(); i++) {
        const fx_op *op = fx_op_at(i);
        for (const fx_case *c = op->cases; c && c->args; c++) {
            if (c->args[0] != '(') continue; /* restricted to other tests */
            cases++;
            compiled += check_case(op, c);
        }
    }
    printf("  %d cases, %d without a CALL\n", cases, compiled);
    ck_assert_int_gt(cases, 100);
}
END_TEST

/* On small integers, where nothing rounds; graphs of real numbers are test_differential's. */
START_TEST(random_graphs)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        subject s = {.context = fx_context_new()};
        char what[32];
        snprintf(what, sizeof what, "random graph %d", (int)seed);
        s.module = fx_test_random_module(s.context, seed, &(fx_random_options){.exact = true});
        ck_assert_ptr_nonnull(s.module);
        s.n_in = fx_module_input_count(s.module);
        fx_test_random_inputs(s.module, seed, true, s.in);
        make_core(fx_module_graph(s.module));
        interpret(&s);
        check_lowered(&s, false, what);
        release(&s);
    }
}
END_TEST

static fx_status reread_after(void *user, const char *pass, const fx_program *program)
{
    subject *s = user;
    fx_program *again = reread(s, program, pass);
    check_program(s, again, pass);
    fx__program_free(again);
    return FX_OK;
}

/* What code generation makes of a program it makes of its text. */
static void check_sections(subject *s, const fx_program *program, const fx_target *target)
{
    fx_codegen_options options = {.target = target, .threads = 2};
    fx_program *again = reread(s, program, "plan");
    for (int32_t k = 0; k < program->n_kernel; k++) {
        char *one, *two;
        size_t one_bytes, two_bytes;
        CHECK_OK(s->context, fx__codegen_kernel_section(program, &options, k, &one, &one_bytes));
        CHECK_OK(s->context, fx__codegen_kernel_section(again, &options, k, &two, &two_bytes));
        ck_assert_msg(one_bytes == two_bytes && memcmp(one, two, one_bytes) == 0, "kernel %d differs from its text", k);
        fx_text_free(one);
        fx_text_free(two);
    }
    fx__program_free(again);
}

START_TEST(every_stage_reads_back)
{
    for (uint64_t seed = 1000; seed < 1040; seed++) {
        subject s = {.context = fx_context_new()};
        fx_target target;
        fx_program *program;
        CHECK_OK(s.context, fx__session_target(s.context, NULL, NULL, NULL, &target));
        fx_pass_options options = {.target = &target, .verify = true, .after = reread_after, .after_user = &s};
        s.module = fx_test_random_module(s.context, seed, &(fx_random_options){.exact = true});
        s.n_in = fx_module_input_count(s.module);
        fx_test_random_inputs(s.module, seed, true, s.in);
        interpret(&s);
        CHECK_OK(s.context, fx__pipeline_graph(fx_module_graph(s.module), &options));
        CHECK_OK(s.context, fx__pipeline_program(fx_module_graph(s.module), &options, &program));
        if (seed < 1010) check_sections(&s, program, &target);
        fx__program_free(program);
        release(&s);
    }
}
END_TEST

FX_TESTS("lower", cases_of_all_operators, random_graphs, every_stage_reads_back)
