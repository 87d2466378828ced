/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs that change their input and a buffer through views of views, against a tiny eager oracle: each value of the graph
 * is also a strided view of this test's own memory, and each call is done to it at once, in a dozen plain lines. All numbers are
 * small integers, so everything must agree exactly. */
#include "harness.h"
#include "fxjit/compile.h"
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

enum { GRAPHS = 40, CALLS = 14, VALUES = 64, ROWS = 4, COLUMNS = 6, OUTPUTS = 3 };

typedef struct item {
    fx_node *node;
    fx_tensor view;
} item;

typedef struct maker {
    fx_context *context;
    fx_module *module;
    fx_graph *graph;
    uint64_t random;
    item value[VALUES];
    int32_t n;
    void *memory[VALUES];
    int32_t n_memory;
} maker;

static int64_t pick(maker *m, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(fx_test_random(&m->random) % (uint64_t)(hi - lo + 1));
}

static fx_node *method(maker *m, const char *name, const fx_attr *args, int32_t n)
{
    fx_node_spec spec = {.opcode = FX_CALL_METHOD, .target = name, .args = fx_tuple(m->graph, args, n)};
    fx_node *node = fx_graph_create_node(m->graph, &spec);
    ck_assert_ptr_nonnull(node);
    return node;
}

static void add(maker *m, fx_node *node, fx_tensor view)
{
    if (m->n < VALUES) m->value[m->n++] = (item){node, view};
}

/* Memory of its own with the same elements. */
static fx_tensor packed(maker *m, const fx_tensor *from)
{
    fx_tensor copy;
    ck_assert_int_eq(fx_tensor_alloc(from->dtype, from->rank, from->dim, &copy), FX_OK);
    ck_assert_int_eq(fx_tensor_copy(&copy, from), FX_OK);
    m->memory[m->n_memory++] = copy.data;
    return copy;
}

static fx_tensor shifted(fx_tensor view, int64_t elements)
{
    view.data = (float *)view.data + elements;
    return view;
}

static fx_tensor without_dim(fx_tensor view, int32_t d)
{
    view.rank--;
    for (; d < view.rank; d++) view.dim[d] = view.dim[d + 1], view.stride[d] = view.stride[d + 1];
    return view;
}

/* ---- Views ------------------------------------------------------------------------------------------------------------- */

static void draw_transpose(maker *m, const item *x)
{
    int32_t a = (int32_t)pick(m, 0, x->view.rank - 1), b = (int32_t)pick(m, 0, x->view.rank - 1);
    fx_tensor view = x->view;
    view.dim[a] = x->view.dim[b], view.stride[a] = x->view.stride[b];
    view.dim[b] = x->view.dim[a], view.stride[b] = x->view.stride[a];
    add(m, method(m, "transpose", (fx_attr[]){fx_node_attr(x->node), fx_int(a), fx_int(b)}, 3), view);
}

static void draw_select(maker *m, const item *x)
{
    int32_t d = (int32_t)pick(m, 0, x->view.rank - 1);
    if (x->view.dim[d] == 0 || x->view.rank < 2) return;
    int64_t i = pick(m, 0, x->view.dim[d] - 1);
    fx_tensor view = without_dim(shifted(x->view, i * x->view.stride[d]), d);
    int64_t index = pick(m, 0, 1) ? i : i - x->view.dim[d];
    add(m, method(m, "select", (fx_attr[]){fx_node_attr(x->node), fx_int(d), fx_int(index)}, 3), view);
}

/* x[..., start:stop:step] of the first dim. */
static void draw_slice(maker *m, const item *x)
{
    int64_t start = pick(m, 0, x->view.dim[0]), stop = pick(m, start, x->view.dim[0]), step = pick(m, 1, 2);
    fx_attr index = fx_slice(m->graph, fx_int(start), fx_int(stop), fx_int(step));
    fx_tensor view = shifted(x->view, start * x->view.stride[0]);
    view.dim[0] = (stop - start + step - 1) / step;
    view.stride[0] *= step;
    add(m, method(m, "__getitem__", (fx_attr[]){fx_node_attr(x->node), fx_tuple(m->graph, &index, 1)}, 2), view);
}

static void draw_piece(maker *m, const item *x)
{
    int32_t d = (int32_t)pick(m, 0, x->view.rank - 1);
    int64_t size = pick(m, 1, 3), n = (x->view.dim[d] + size - 1) / size;
    if (n == 0 || n > 16) return;
    fx_node *tuple = method(m, "split", (fx_attr[]){fx_node_attr(x->node), fx_int(size), fx_int(d)}, 3);
    int64_t i = pick(m, 0, n - 1), left = x->view.dim[d] - i * size;
    fx_tensor view = shifted(x->view, i * size * x->view.stride[d]);
    view.dim[d] = left < size ? left : size;
    add(m, fx_graph_call(m->graph, "operator.getitem", (fx_attr[]){fx_node_attr(tuple), fx_int(i)}, 2), view);
}

/* Whether the elements are one run of memory with one step: then flattening is a view. */
static bool is_run(const fx_tensor *view)
{
    int64_t next = 0;
    for (int32_t d = view->rank - 1; d >= 0; d--) {
        if (view->dim[d] == 1) continue;
        if (next && view->stride[d] != next) return false;
        next = view->stride[d] * view->dim[d];
    }
    return true;
}

static void draw_flat(maker *m, const item *x)
{
    fx_tensor view = is_run(&x->view) || fx_tensor_elems(&x->view) == 0 ? x->view : packed(m, &x->view);
    int64_t n = fx_tensor_elems(&view), step = 1;
    for (int32_t d = view.rank - 1; d >= 0; d--)
        if (view.dim[d] != 1) {
            step = view.stride[d];
            break;
        }
    view.rank = 1;
    view.dim[0] = n;
    view.stride[0] = step;
    add(m, method(m, "reshape", (fx_attr[]){fx_node_attr(x->node), fx_ints(m->graph, &n, 1)}, 2), view);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

static bool same_shape(const fx_tensor *a, const fx_tensor *b)
{
    if (a->rank != b->rank) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

static const item *like(maker *m, const item *x)
{
    for (int i = 0; i < 8; i++) {
        const item *other = &m->value[pick(m, 0, m->n - 1)];
        if (same_shape(&other->view, &x->view)) return other;
    }
    return NULL;
}

/* x = factor * x + addend, everything read before anything is written. */
static void update(maker *m, const item *x, double factor, const fx_tensor *addend, double number)
{
    fx_tensor to = x->view, old = packed(m, &to), more = addend ? packed(m, addend) : old;
    for (int64_t i = 0; i < fx_tensor_elems(&to); i++)
        fx_tensor_set(&to, i, factor * fx_tensor_get(&old, i) + (addend ? fx_tensor_get(&more, i) : number));
}

static void draw_number(maker *m, const item *x)
{
    static const struct {
        const char *name;
        double factor, number;
        bool takes;
    } calls[] = {{"add_", 1, 3, true}, {"fill_", 0, 7, true}, {"zero_", 0, 0, false}, {"neg_", -1, 0, false}, {"mul_", 2, 0, true}};
    int64_t c = pick(m, 0, 4);
    double argument = c == 4 ? calls[c].factor : calls[c].number;
    method(m, calls[c].name, (fx_attr[]){fx_node_attr(x->node), fx_float(argument)}, calls[c].takes ? 2 : 1);
    update(m, x, calls[c].factor, NULL, calls[c].number);
}

static void draw_tensor(maker *m, const item *x)
{
    const item *other = like(m, x);
    bool adds = pick(m, 0, 1);
    if (!other) return;
    fx_node *node = method(m, adds ? "add_" : "copy_", (fx_attr[]){fx_node_attr(x->node), fx_node_attr(other->node)}, 2);
    update(m, x, adds ? 1 : 0, &other->view, 0);
    add(m, node, x->view); /* the call gives what it changed */
}

static void draw_pure(maker *m, const item *x)
{
    fx_tensor result = packed(m, &x->view);
    for (int64_t i = 0; i < fx_tensor_elems(&result); i++) fx_tensor_set(&result, i, -fx_tensor_get(&result, i));
    add(m, method(m, pick(m, 0, 1) ? "neg" : "__neg__", (fx_attr[]){fx_node_attr(x->node)}, 1), result);
}

static void draw_setitem(maker *m, const item *x)
{
    if (x->view.dim[0] == 0) return;
    int64_t i = pick(m, 0, x->view.dim[0] - 1);
    item row = {NULL, without_dim(shifted(x->view, i * x->view.stride[0]), 0)};
    fx_graph_call(m->graph, "operator.setitem", (fx_attr[]){fx_node_attr(x->node), fx_int(i), fx_float(5)}, 3);
    update(m, &row, 0, NULL, 5);
}

static void draw_call(maker *m)
{
    typedef void (*draw)(maker *, const item *);
    static const draw draws[] = {draw_transpose, draw_select, draw_slice,  draw_piece, draw_flat,   draw_number,
                                 draw_number,    draw_tensor, draw_tensor, draw_pure,  draw_setitem};
    item x = m->value[pick(m, 0, m->n - 1)];
    if (x.view.rank > 0 && m->n_memory < VALUES - 4) draws[pick(m, 0, (int64_t)(sizeof draws / sizeof draws[0]) - 1)](m, &x);
}

/* ---- One graph --------------------------------------------------------------------------------------------------------- */

static fx_tensor counted(maker *m)
{
    fx_tensor tensor;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 2, (int64_t[]){ROWS, COLUMNS}, &tensor), FX_OK);
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) fx_tensor_set(&tensor, i, (double)(i + 1));
    m->memory[m->n_memory++] = tensor.data;
    return tensor;
}

static void make_graph(maker *m, fx_tensor *x, fx_tensor *state, fx_tensor *given, int32_t first[OUTPUTS])
{
    fx_attr outputs[OUTPUTS];
    *x = counted(m);
    *state = counted(m);
    *given = counted(m);
    ck_assert_int_eq(fx_module_add_tensor(m->module, "state", given, true, NULL, NULL), FX_OK);
    add(m, fx_graph_placeholder(m->graph, "x", &(fx_type){FX_F32, 2, {ROWS, COLUMNS}}), *x);
    add(m, fx_graph_get_attr(m->graph, "state"), *state);
    for (int i = 0; i < CALLS; i++) draw_call(m);
    for (int i = 0; i < OUTPUTS; i++) {
        first[i] = (int32_t)pick(m, 0, m->n - 1);
        outputs[i] = fx_node_attr(m->value[first[i]].node);
    }
    fx_graph_output(m->graph, fx_tuple(m->graph, outputs, OUTPUTS));
}

static void expect(const maker *m, uint64_t seed, const char *form, const char *what, const fx_tensor *have, const fx_tensor *want)
{
    for (int64_t i = 0; i < fx_tensor_elems(want); i++) {
        if (fx_tensor_get(have, i) == fx_tensor_get(want, i)) continue;
        char *text = fx_graph_to_fx(m->graph);
        fprintf(stderr, "%s", text);
        fx_text_free(text);
        ck_abort_msg("seed %d, %s: %s, element %d is %g, expected %g", (int)seed, form, what, (int)i, fx_tensor_get(have, i),
                     fx_tensor_get(want, i));
    }
}

static void expect_all(const maker *m, uint64_t seed, const char *form, fx_tensor *in, fx_tensor *out, const fx_tensor *state,
                       const fx_tensor *x, const fx_tensor *want_state, const int32_t first[OUTPUTS])
{
    expect(m, seed, form, "input", in, x);
    expect(m, seed, form, "buffer", state, want_state);
    for (int i = 0; i < OUTPUTS; i++) {
        expect(m, seed, form, "output", &out[i], &m->value[first[i]].view);
        fx_tensor_release(&out[i]);
    }
}

static void check_seed(uint64_t seed)
{
    maker m = {.context = fx_context_new(), .random = seed * 77 + 1};
    fx_tensor x, state, given, out[OUTPUTS] = {{0}}, own = {0};
    int32_t first[OUTPUTS];
    m.module = fx_module_new(m.context, "random");
    m.graph = fx_module_graph(m.module);
    make_graph(&m, &x, &state, &given, first);
    for (int apart = 0; apart < 2; apart++) {
        fx_compiled *net;
        fx_tensor in = counted(&m);
        CHECK_OK(m.context, fx_compile(m.module, NULL, 0, &(fx_compile_options){.threads = 1, .no_in_place = apart}, &net));
        memset(out, 0, sizeof out);
        CHECK_OK(m.context, fx_run(net, m.context, &in, 1, out, OUTPUTS));
        own = given;
        if (fx_compiled_state(net)) fx_state_tensor(fx_compiled_state(net), "state", &own);
        expect_all(&m, seed, apart ? "compiled, apart" : "compiled", &in, out, &own, &x, &state, first);
        fx_compiled_free(net);
    }
    fx_tensor in = counted(&m);
    memset(out, 0, sizeof out);
    CHECK_OK(m.context, fx_interpret(m.module, &in, 1, out, OUTPUTS));
    expect_all(&m, seed, "interpreter", &in, out, fx_module_tensor(m.module, "state"), &x, &state, first);
    fx_module_free(m.module);
    for (int32_t i = 0; i < m.n_memory; i++) fx_tensor_release(&(fx_tensor){.data = m.memory[i]});
    fx_context_free(m.context);
}

START_TEST(views_of_views_agree_with_the_oracle)
{
    const char *one = getenv("FXJIT_SEED");
    uint64_t from = one ? strtoull(one, NULL, 10) : 0;
    for (uint64_t seed = from; seed < (one ? from + 1 : GRAPHS); seed++) check_seed(seed);
}
END_TEST

FX_TESTS("random mutations", views_of_views_agree_with_the_oracle)
