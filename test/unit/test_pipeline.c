/* SPDX-License-Identifier: Apache-2.0 */
/* The program half of the pipeline: after every pass the program keeps to the verifier's rules and computes what the interpreter
 * computes; random graphs, and small networks of the usual kinds. */
#include "compare.h"
#include "program_check.h"
#include "random_graph.h"

typedef struct subject {
    fx_context *context;
    fx_module *module;
    fx_tensor in[PC_TENSORS], want[PC_TENSORS], bound[PC_TENSORS], got[PC_TENSORS];
    fx_tensor lowered[PC_TENSORS]; /* what the program computed before the first pass: the reference of all others */
    int32_t n_in, n_out;
    const char *what;
} subject;

static void interpret(subject *s)
{
    s->n_in = fx_module_input_count(s->module);
    s->n_out = fx_module_output_count(s->module);
    CHECK_OK(s->context, fx_interpret_bound(s->module, s->in, s->n_in, s->want, s->bound, s->n_out));
    for (int32_t i = 0; i < s->n_out; i++)
        for (int t = 0; t < 2; t++)
            CHECK_OK(s->context,
                     fx_tensor_alloc(s->want[i].dtype, s->want[i].rank, s->want[i].dim, t ? &s->got[i] : &s->lowered[i]));
}

static void release(subject *s)
{
    for (int32_t i = 0; i < s->n_in; i++) fx_tensor_release(&s->in[i]);
    for (int32_t i = 0; i < s->n_out; i++) {
        fx_tensor_release(&s->want[i]);
        fx_tensor_release(&s->bound[i]);
        fx_tensor_release(&s->got[i]);
        fx_tensor_release(&s->lowered[i]);
    }
    fx_module_free(s->module);
    fx_context_free(s->context);
}

static void show(const subject *s, const char *pass, const fx_program *program)
{
    char *graph = fx_graph_to_fx(fx_module_graph(s->module)), *text = fx__program_print(program);
    fx_context_print(s->context, stderr);
    fprintf(stderr, "%s after %s\n%s\n", s->what, pass, graph);
    if (strlen(text) < 60000) fprintf(stderr, "%s\n", text);
    fx_text_free(graph);
    fx_text_free(text);
}

/* Called after every pass. */
static fx_status check_after(void *user, const char *pass, const fx_program *program)
{
    subject *s = user;
    bool first = strcmp(pass, "lower") == 0;
    fx_tensor *got = first ? s->lowered : s->got;
    for (int32_t i = 0; i < s->n_out; i++) memset(got[i].data, 0x5a, (size_t)fx_tensor_bytes(&got[i]));
    fx_status status = fx__program_eval(program, s->in, got, NULL, NULL);
    if (first) return status;
    for (int32_t i = 0; i < s->n_out; i++) {
        const char *difference = status ? "evaluation failed" : fx_test_difference(&s->lowered[i], &s->got[i], &s->bound[i]);
        if (!difference) continue;
        show(s, pass, program);
        ck_abort_msg("%s after %s, output %d: %s", s->what, pass, i, difference);
    }
    return FX_OK;
}

/* Runs the whole pipeline; the program belongs to the caller. */
static fx_program *run(subject *s, const fx_pass_options *given)
{
    fx_program *program = NULL;
    fx_target target = pc_target(s->context, "sapphirerapids");
    fx_pass_options options = *given;
    options.target = &target;
    options.verify = true;
    options.after = check_after;
    options.after_user = s;
    CHECK_OK(s->context, fx__pipeline_graph(fx_module_graph(s->module), &options));
    fx_status status = fx__pipeline_program(fx_module_graph(s->module), &options, &program);
    if (status) {
        char *graph = fx_graph_to_fx(fx_module_graph(s->module));
        fx_context_print(s->context, stderr);
        fprintf(stderr, "%s\n%s\n", s->what, graph);
        ck_abort_msg("%s: status %d", s->what, status);
    }
    return program;
}

/* Exact graphs leave no room for tolerance: every pass must give the same bits. */
static void check_random(uint64_t seed, const fx_pass_options *options)
{
    char what[40];
    snprintf(what, sizeof what, "random graph %d", (int)seed);
    subject s = {.context = fx_context_new(), .what = what};
    s.module = fx_test_random_module(s.context, seed, &(fx_random_options){.exact = seed % 2});
    ck_assert_ptr_nonnull(s.module);
    fx_test_random_inputs(s.module, seed, seed % 2, s.in);
    interpret(&s);
    fx__program_free(run(&s, options));
    release(&s);
}

START_TEST(random_graphs)
{
    int from = getenv("FXJIT_SEED") ? atoi(getenv("FXJIT_SEED")) : 1;
    int to = getenv("FXJIT_SEEDS") ? from + atoi(getenv("FXJIT_SEEDS")) - 1 : getenv("FXJIT_SEED") ? from : 100;
    for (int seed = from; seed <= to; seed++) check_random((uint64_t)seed, &(fx_pass_options){0});
}
END_TEST

START_TEST(random_graphs_with_everything_apart)
{
    for (uint64_t seed = 100; seed < 120; seed++) {
        check_random(seed, &(fx_pass_options){.no_fusion = true});
        check_random(seed, &(fx_pass_options){.no_in_place = true});
    }
}
END_TEST

/* ---- Networks, as text; weights are random. -------------------------------------------------------------------------------------
 */

static void free_data(void *user, void *data)
{
    (void)user;
    free(data);
}

/* "name f32 dims..." per weight. */
static void add_weight(subject *s, const char *path, int rank, const int64_t *dim, uint64_t *seed)
{
    fx_tensor tensor;
    CHECK_OK(s->context, fx_tensor_alloc(FX_F32, rank, dim, &tensor));
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, fx_test_uniform(seed, -0.5, 0.5));
    fx_tensor copy = tensor;
    copy.data = malloc((size_t)fx_tensor_bytes(&tensor));
    memcpy(copy.data, tensor.data, (size_t)fx_tensor_bytes(&tensor));
    fx_tensor_release(&tensor);
    CHECK_OK(s->context, fx_module_add_tensor(s->module, path, &copy, false, free_data, NULL));
}

typedef struct net {
    subject *s;
    fx_graph *graph;
    uint64_t seed;
    int n;
} net;

static fx_node *weight(net *n, int rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    char path[16];
    const int64_t dim[4] = {a, b, c, d};
    snprintf(path, sizeof path, "w%d", n->n++);
    add_weight(n->s, path, rank, dim, &n->seed);
    return fx_graph_get_attr(n->graph, path);
}

static fx_node *conv(net *n, fx_node *x, int64_t out, int64_t in, int64_t k, int64_t stride, int64_t groups)
{
    int64_t both[2] = {stride, stride}, pad[2] = {k / 2, k / 2}, one[2] = {1, 1};
    fx_attr args[] = {fx_node_attr(x),
                      fx_node_attr(weight(n, 4, out, in / groups, k, k)),
                      fx_node_attr(weight(n, 1, out, 0, 0, 0)),
                      fx_ints(n->graph, both, 2),
                      fx_ints(n->graph, pad, 2),
                      fx_ints(n->graph, one, 2),
                      fx_int(groups)};
    return fx_graph_call(n->graph, "torch.ops.aten.conv2d.default", args, 7);
}

static fx_node *call1(net *n, const char *target, fx_node *x)
{
    fx_attr args[] = {fx_node_attr(x)};
    return fx_graph_call(n->graph, target, args, 1);
}

static fx_node *call2(net *n, const char *target, fx_node *x, fx_node *y)
{
    fx_attr args[] = {fx_node_attr(x), fx_node_attr(y)};
    return fx_graph_call(n->graph, target, args, 2);
}

static fx_node *relu(net *n, fx_node *x)
{
    return call1(n, "torch.ops.aten.relu.default", x);
}
static fx_node *add(net *n, fx_node *x, fx_node *y)
{
    return call2(n, "torch.ops.aten.add.Tensor", x, y);
}

static fx_node *linear(net *n, fx_node *x, int64_t out, int64_t in)
{
    fx_attr args[] = {fx_node_attr(x), fx_node_attr(weight(n, 2, out, in, 0, 0)), fx_node_attr(weight(n, 1, out, 0, 0, 0))};
    return fx_graph_call(n->graph, "torch.ops.aten.linear.default", args, 3);
}

static net begin(subject *s, const char *what, int rank, int64_t a, int64_t b, int64_t c, int64_t d, fx_node **x)
{
    *s = (subject){.context = fx_context_new(), .what = what};
    s->module = fx_module_new(s->context, what);
    net n = {.s = s, .graph = fx_module_graph(s->module), .seed = 17};
    const int64_t dim[4] = {a, b, c, d};
    fx_type type = {.dtype = FX_F32, .rank = rank, .dim = {a, b, c, d}};
    *x = fx_graph_placeholder(n.graph, "x", &type);
    CHECK_OK(s->context, fx_tensor_alloc(FX_F32, rank, dim, &s->in[0]));
    for (int64_t i = 0; i < fx_tensor_elems(&s->in[0]); i++) fx_tensor_set(&s->in[0], i, fx_test_uniform(&n.seed, -1, 1));
    return n;
}

static fx_program *finish(net *n, fx_node *y)
{
    fx_attr result = fx_node_attr(y);
    fx_graph_output(n->graph, result);
    CHECK_OK(n->s->context, fx_graph_propagate(n->graph));
    interpret(n->s);
    fx_program *program = run(n->s, &(fx_pass_options){0});
    if (getenv("FX_SHOW")) {
        for (int32_t i = 0; i < program->n_buf; i++) program->buf[i].data = NULL;
        char *text = fx__program_print(program);
        printf("%s\n%s\n", n->s->what, text);
        fx_text_free(text);
    }
    return program;
}

START_TEST(mlp)
{
    subject s;
    fx_node *x;
    net n = begin(&s, "mlp", 2, 5, 40, 0, 0, &x);
    x = relu(&n, linear(&n, x, 100, 40));
    x = relu(&n, linear(&n, x, 50, 100));
    fx_program *program = finish(&n, linear(&n, x, 10, 50));
    ck_assert_int_eq(program->steps.n, 3);
    fx__program_free(program);
    release(&s);
}
END_TEST

/* Stem, bottleneck with a projection, bottleneck without: one kernel per convolution, everything else is in them. */
START_TEST(residual_blocks)
{
    subject s;
    fx_node *x;
    net n = begin(&s, "resnet", 4, 1, 3, 16, 16, &x);
    x = relu(&n, conv(&n, x, 32, 3, 7, 2, 1));
    fx_node *a = relu(&n, conv(&n, x, 16, 32, 1, 1, 1));
    a = relu(&n, conv(&n, a, 16, 16, 3, 1, 1));
    a = conv(&n, a, 64, 16, 1, 1, 1);
    x = relu(&n, add(&n, a, conv(&n, x, 64, 32, 1, 1, 1)));
    a = relu(&n, conv(&n, x, 16, 64, 1, 1, 1));
    a = relu(&n, conv(&n, a, 16, 16, 3, 1, 1));
    x = relu(&n, add(&n, conv(&n, a, 64, 16, 1, 1, 1), x));
    int64_t one[2] = {1, 1};
    fx_attr pool[] = {fx_node_attr(x), fx_ints(n.graph, one, 2)}, flat[] = {fx_none(), fx_int(1)};
    x = fx_graph_call(n.graph, "torch.ops.aten.adaptive_avg_pool2d.default", pool, 2);
    flat[0] = fx_node_attr(x);
    x = fx_graph_call(n.graph, "torch.ops.aten.flatten.using_ints", flat, 2);
    fx_program *program = finish(&n, linear(&n, x, 10, 64));
    ck_assert_int_eq(program->steps.n, 8 + 1 + 1);
    fx__program_free(program);
    release(&s);
}
END_TEST

START_TEST(depthwise_blocks)
{
    subject s;
    fx_node *x;
    net n = begin(&s, "mobilenet", 4, 1, 8, 10, 10, &x);
    fx_node *a = relu(&n, conv(&n, x, 48, 8, 1, 1, 1));
    a = relu(&n, conv(&n, a, 48, 48, 3, 1, 48));
    a = add(&n, conv(&n, a, 8, 48, 1, 1, 1), x);
    fx_node *gate = call1(&n, "torch.ops.aten.sigmoid.default", conv(&n, a, 8, 8, 1, 1, 1));
    a = call2(&n, "torch.ops.aten.mul.Tensor", a, gate);
    fx_program *program = finish(&n, relu(&n, conv(&n, a, 24, 8, 3, 2, 4)));
    fx__program_free(program);
    release(&s);
}
END_TEST

/* Concat of branches: pieces are computed in place. */
START_TEST(branches_meet_in_a_concat)
{
    subject s;
    fx_node *x;
    net n = begin(&s, "inception", 4, 1, 8, 6, 6, &x);
    fx_node *a = relu(&n, conv(&n, x, 16, 8, 1, 1, 1)), *b = relu(&n, conv(&n, x, 24, 8, 3, 1, 1));
    fx_attr pair[] = {fx_node_attr(a), fx_node_attr(b)};
    fx_attr args[] = {fx_list(n.graph, pair, 2), fx_int(1)};
    x = fx_graph_call(n.graph, "torch.ops.aten.cat.default", args, 2);
    fx_program *program = finish(&n, relu(&n, conv(&n, add(&n, x, x), 8, 40, 1, 1, 1)));
    fx__program_free(program);
    release(&s);
}
END_TEST

FX_TESTS("pipeline", mlp, residual_blocks, depthwise_blocks, branches_meet_in_a_concat, random_graphs,
         random_graphs_with_everything_apart)
