/* SPDX-License-Identifier: Apache-2.0 */
/* Random nests of IF and LOOP steps, as text: counts that are constant, symbolic or in memory, conditions, carried pairs, rows
 * stored turn by turn. What they compute (in whole numbers that wrap) is the same before and after every program pass, and natively
 * for one thread and two. */
#include "native_run.h"
#include "passes/pass.h"

enum { PROGRAMS = 60, MOST_VALUES = 400, MOST_SCOPES = 4, SIZE = 5 };

typedef struct generator {
    fx_text head, bufs, steps;
    uint64_t seed;
    int value[MOST_VALUES], n_value; /* numbers of buffers that hold something here */
    int n_buf, n_counter, depth;
    char counter[MOST_SCOPES][8]; /* of the loops around */
    int n_scope, n_step;
} generator;

static int draw(generator *g, int n)
{
    return (int)(fx_test_random(&g->seed) % (uint64_t)n);
}

static int new_buf(generator *g)
{
    fx__text_append(&g->bufs, "buf %%b%d: i32[%d] temp\n", g->n_buf, SIZE);
    return g->n_buf++;
}

static int any_value(generator *g)
{
    return g->value[draw(g, g->n_value)];
}

static void indent(generator *g)
{
    fx__text_append(&g->steps, "%*s", 2 * g->depth, "");
}

/* A kernel of this step alone: two values, a constant, and a counter when there is one. */
static void put_run(generator *g, int out)
{
    static const char *const form[] = {"x[i] + z[i]", "x[i] * 3_i32 - z[i]", "z[4-i] - x[i]", "x[i] + 7_i32",
                                       "x[i] * z[i] + 1_i32"};
    int k = g->n_step++, a = any_value(g), b = any_value(g);
    fx__text_append(&g->head, "kernel k%d(x: i32[5], %sout y: i32[5]) {\n  for i:5\n  y[i] = %s", k, a == b ? "" : "z: i32[5], ",
                    a == b ? "x[i] * 5_i32" : form[draw(g, 5)]);
    if (g->n_scope && draw(g, 2)) fx__text_append(&g->head, " + i32(dim(%s))", g->counter[draw(g, g->n_scope)]);
    fx__text_append(&g->head, "\n}\n");
    indent(g);
    if (a == b)
        fx__text_append(&g->steps, "run k%d(%%b%d, %%b%d)\n", k, a, out);
    else
        fx__text_append(&g->steps, "run k%d(%%b%d, %%b%d, %%b%d)\n", k, a, b, out);
}

static void put_value(generator *g)
{
    int out = new_buf(g);
    put_run(g, out);
    g->value[g->n_value++] = out;
}

static void put_block(generator *g, int length);

/* Both branches compute one value; what else they make stays inside. */
static void put_if(generator *g)
{
    int out = new_buf(g), before = g->n_value;
    indent(g);
    fx__text_append(&g->steps, "if %%flag%d {\n", draw(g, 2));
    for (int branch = 0; branch < 2; branch++) {
        g->depth++;
        put_block(g, 1 + draw(g, 2));
        put_run(g, out);
        g->depth--;
        g->n_value = before;
        indent(g);
        fx__text_append(&g->steps, branch ? "}\n" : "} else {\n");
    }
    g->value[g->n_value++] = out;
}

/* "for NAME < LIMIT", with its symbol; returns the limit's text. */
static const char *put_counter(generator *g, bool symbolic)
{
    static const char *const limit[] = {"0", "1", "2", "3"};
    const char *text = symbolic ? "s0" : limit[draw(g, 4)];
    char *name = g->counter[g->n_scope];
    snprintf(name, sizeof g->counter[0], "t%d", g->n_counter++);
    fx__text_append(&g->head, "sym %s in [0,%d] hint 1 multiple 1 counter\n", name, symbolic ? 3 : 2);
    if (symbolic) fx__text_append(&g->head, "guard le %s + 1, s0\n", name);
    fx__text_append(&g->steps, " for %s < %s", name, text);
    return text;
}

/* Row t of a matrix, and the matrix's sum. */
static void put_row(generator *g, int matrix, const char *rows)
{
    int k = g->n_step++;
    fx__text_append(&g->head, "kernel k%d(x: i32[5], out y: i32[(%s),5]) {\n  for i:5\n  y[(%s),i] = x[i]\n}\n", k, rows,
                    g->counter[g->n_scope - 1]);
    indent(g);
    fx__text_append(&g->steps, "run k%d(%%b%d, %%m%d)\n", k, any_value(g), matrix);
}

static void put_sum(generator *g, int matrix, const char *rows)
{
    int k = g->n_step++, out = new_buf(g);
    fx__text_append(&g->head,
                    "kernel k%d(x: i32[(%s),5], out y: i32[5]) {\n  for i:5\n  m = sum(x[r,i]) over r:(%s)\n  y[i] = m\n}\n", k,
                    rows, rows);
    indent(g);
    fx__text_append(&g->steps, "run k%d(%%m%d, %%b%d)\n", k, matrix, out);
    g->value[g->n_value++] = out;
}

static void put_test(generator *g, int of)
{
    indent(g);
    fx__text_append(&g->steps, "run less(%%b%d, %%go%d)\n", of, g->depth);
}

typedef struct loop_form {
    bool asks, counts, symbolic, keeps_rows;
    int pair[2][2], n_pair, matrix;
    const char *limit;
} loop_form;

static void put_loop_head(generator *g, loop_form *form)
{
    form->n_pair = 1 + draw(g, 2);
    for (int i = 0; i < form->n_pair; i++) {
        for (int b = 0; b < 2; b++) form->pair[i][b] = new_buf(g);
        put_run(g, form->pair[i][0]);
    }
    int before = g->n_value;
    for (int i = 0; i < form->n_pair; i++) g->value[g->n_value++] = form->pair[i][0];
    int early = new_buf(g); /* reads what the loop is about to change */
    put_run(g, early);
    g->n_value = before;
    g->value[g->n_value++] = early;
    if (form->asks) put_test(g, form->pair[0][0]);
    indent(g);
    fx__text_append(&g->steps, "loop");
    if (form->asks) fx__text_append(&g->steps, " %%go%d", g->depth);
    if (!form->asks && !form->counts) fx__text_append(&g->steps, " %%turns");
    if (form->counts) form->limit = put_counter(g, form->symbolic);
    for (int i = 0; i < form->n_pair; i++)
        fx__text_append(&g->steps, "%s %%b%d/%%b%d", i ? "," : " carry", form->pair[i][0], form->pair[i][1]);
    fx__text_append(&g->steps, " {\n");
}

/* The pairs are values behind the loop; of a row store, the matrix. A condition always has a limit beside it. */
static void put_loop(generator *g)
{
    loop_form form = {.counts = draw(g, 3) > 0, .symbolic = draw(g, 2)};
    form.asks = form.counts && draw(g, 3) == 0;
    form.keeps_rows = form.counts && !form.asks && draw(g, 2);
    put_loop_head(g, &form);
    int before = g->n_value, scope = g->n_scope;
    if (form.keeps_rows) {
        form.matrix = g->n_step;
        fx__text_append(&g->bufs, "buf %%m%d: i32[%s,5] temp\n", form.matrix, form.limit);
    }
    g->depth++;
    g->n_scope += form.counts;
    for (int i = 0; i < form.n_pair; i++) g->value[g->n_value++] = form.pair[i][0];
    put_block(g, 1 + draw(g, 3));
    if (form.keeps_rows) put_row(g, form.matrix, form.limit);
    for (int i = 0; i < form.n_pair; i++) put_run(g, form.pair[i][1]);
    g->depth--;
    if (form.asks) put_test(g, form.pair[0][1]);
    g->n_scope = scope;
    g->n_value = before;
    indent(g);
    fx__text_append(&g->steps, "}\n");
    for (int i = 0; i < form.n_pair; i++) g->value[g->n_value++] = form.pair[i][0];
    if (form.keeps_rows) put_sum(g, form.matrix, form.limit);
}

static void put_block(generator *g, int length)
{
    for (int i = 0; i < length && g->n_value < MOST_VALUES / 2; i++) {
        int what = g->depth < MOST_SCOPES ? draw(g, 5) : 0;
        if (what == 4 && g->n_scope < MOST_SCOPES)
            put_loop(g);
        else if (what == 3)
            put_if(g);
        else
            put_value(g);
    }
}

/* Lines of one kind: symbols and guards come first, because buffers and kernels name them. */
static void put_lines(fx_text *out, const char *lines, bool symbols)
{
    while (*lines) {
        const char *end = strchr(lines, '\n') + 1;
        bool symbol = strncmp(lines, "sym", 3) == 0 || strncmp(lines, "guard", 5) == 0;
        if (symbol == symbols) fx__text_put(out, lines, (size_t)(end - lines));
        lines = end;
    }
}

static void put_program(generator *g)
{
    put_block(g, 3);
    put_loop(g);
    put_block(g, 2);
    fx__text_append(&g->bufs, "buf %%y: i32[5] output 0\n");
    fx__text_append(&g->head, "kernel last(x: i32[5], z: i32[5], out y: i32[5]) {\n  for i:5\n  y[i] = x[i] + z[i]\n}\n");
    fx__text_append(&g->steps, "run last(%%b%d, %%b1, %%y)\n", g->value[g->n_value - 1]);
}

static char *random_text(fx_context *context, uint64_t seed)
{
    generator g = {.seed = seed, .n_buf = 2, .value = {0, 1}, .n_value = 2};
    fx_text all;
    fx__text_init(&g.head, context);
    fx__text_init(&g.bufs, context);
    fx__text_init(&g.steps, context);
    fx__text_init(&all, context);
    put_program(&g);
    char *head = fx__text_finish(&g.head), *bufs = fx__text_finish(&g.bufs), *steps = fx__text_finish(&g.steps);
    fx__text_append(&all, "program inputs 6 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                          "sym s0 in [0,4] hint 2 multiple 1 from input 5 axis 0\n");
    put_lines(&all, head, true);
    fx__text_append(&all, "buf %%b0: i32[5] input 0\nbuf %%b1: i32[5] input 1\nbuf %%flag0: bool[] input 2\n"
                          "buf %%flag1: bool[] input 3\nbuf %%turns: i32[] input 4\nbuf %%s: i32[s0] input 5\n");
    for (int i = 0; i <= MOST_SCOPES; i++) fx__text_append(&all, "buf %%go%d: bool[] temp\n", i);
    fx__text_append(&all, "%skernel less(x: i32[5], out y: bool[]) {\n  for i:1\n  y[] = lt(x[i], 1000_i32)\n}\n", bufs);
    put_lines(&all, head, false);
    fx__text_append(&all, "%s", steps);
    fx_text_free(head);
    fx_text_free(bufs);
    fx_text_free(steps);
    return fx__text_finish(&all);
}

static fx_status dedup(fx_program *program, const fx_pass_options *options)
{
    (void)options;
    return fx__kir_dedup(program);
}

static void compare(native *n, const char *text, const char *pass)
{
    CHECK_OK(n->context, fx__program_eval(n->program, n->in, n->out, NULL, n->sym));
    for (int64_t i = 0; i < SIZE; i++) {
        if (fx_tensor_get(&n->out[0], i) == fx_tensor_get(&n->expected[0], i)) continue;
        fprintf(stderr, "%s", text);
        ck_abort_msg("after %s: element %lld is %g, expected %g", pass, (long long)i, fx_tensor_get(&n->out[0], i),
                     fx_tensor_get(&n->expected[0], i));
    }
}

static void set_inputs(native *n, uint64_t seed)
{
    n->sym[0] = (int64_t)(fx_test_random(&seed) % 5);
    native_tensors(n, seed, -9, 9);
    for (int i = 2; i < 4; i++) fx_tensor_set(&n->in[i], 0, (double)(fx_test_random(&seed) % 2));
    fx_tensor_set(&n->in[4], 0, (double)(fx_test_random(&seed) % 4));
    native_eval(n);
}

static void check_passes(native *n, const char *text)
{
    static const struct {
        const char *name;
        fx_status (*run)(fx_program *program, const fx_pass_options *options);
    } passes[] = {{"fuse", fx__pass_fuse},         {"place", fx__pass_place}, {"algo", fx__pass_algo},
                  {"schedule", fx__pass_schedule}, {"dedup", dedup},          {"plan", fx__pass_plan}};
    fx_pass_options options = {.target = &n->target};
    CHECK_OK(n->context, fx__program_verify(n->program, "parse"));
    for (size_t p = 0; p < sizeof passes / sizeof passes[0]; p++) {
        CHECK_OK(n->context, passes[p].run(n->program, &options));
        CHECK_OK(n->context, fx__program_verify(n->program, passes[p].name));
        compare(n, text, passes[p].name);
    }
    CHECK_OK(n->context, fx__plan_check(n->program));
}

START_TEST(passes_and_native_code_agree)
{
    int loops = 0;
    for (uint64_t i = 0; i < PROGRAMS; i++) {
        native n;
        fx_context *context = fx_context_new();
        char *text = random_text(context, i * 7919 + 1);
        for (char *at = text; (at = strstr(at, "loop")) != NULL; at++) loops++;
        native_parse(&n, text, 1 + (int)(i % 2));
        set_inputs(&n, i);
        check_passes(&n, text);
        native_compile(&n);
        for (uint64_t round = 0; round < 4; round++) {
            set_inputs(&n, i * 4 + round);
            native_check(&n, 0, 0);
        }
        native_close(&n);
        fx_text_free(text);
        fx_context_free(context);
    }
    ck_assert_int_gt(loops, 2 * PROGRAMS);
}
END_TEST

FX_TESTS("control_random", passes_and_native_code_agree)
