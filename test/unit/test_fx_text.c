/* SPDX-License-Identifier: Apache-2.0 */
/* The .fx text: every kind of value and part comes back, random graphs too; wrong texts give messages with lines, all at once, and
 * texts cut short or with flipped bits give statuses. */
#include "harness.h"
#include "ir/graph.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static fx_context *context;

static void setup(void)
{
    context = fx_context_new();
}
static void teardown(void)
{
    fx_context_free(context);
}

/* print(parse(print(g))) = print(g). */
static void check_round_trip(const fx_graph *graph)
{
    char *first = fx_graph_to_fx(graph);
    fx_graph *again = NULL;
    CHECK_OK(context, fx_graph_parse(context, "again", first, strlen(first), &again));
    char *second = fx_graph_to_fx(again);
    ck_assert_str_eq(first, second);
    fx_graph_free(again);
    fx_text_free(first);
    fx_text_free(second);
}

static const char everything[] =
    "module \"net \\\"1\\\"\"\n"
    "parameter \"layer.0.weight\" : f32[4, 3]\n"
    "buffer \"count\" : i64[]\n"
    "output_name 0 \"y/out\"\n"
    "graph {\n"
    "  symbol n [0, 4096] hint 8 multiple 2 input 0 axis 0\n"
    "  symbol m [1, 9] hint 3 multiple 1\n"
    "  assume n <= m*100 \"fits\"\n"
    "  %x = placeholder \"x\" : f32[n, 3] @ \"model.py\":12 in \"forward\"\n"
    "  %y = placeholder \"y\"(None)\n"
    "  %layer_0_weight = get_attr \"layer.0.weight\" : f32[4, 3]\n"
    "  %\"/Conv.1\" = call_function \"my.function\"(%x, None, ..., True, False, -5, 0.5, -0.0, inf, -inf, nan, "
    "nan(\"0xfff8000000000000\"), 1e+300, \"a \\\"b\\\" \\\\ \\n\\t\\r\\x01\", dtype(bf16), device(\"cuda:0\"), "
    "name(\"torch.strided\"), complex(1.0, -2.5), dim(n*2 + 1), (), (%y,), [1, [2, (3,)]], {}, "
    "{a: 1, \"b c\": %x}, slice(None, 1, %x), range(0, 4, 1), alpha=2.0, \"odd key\"=%y) : f32[n, 4], ?, "
    "bool[] order [1, 0] @ \"net.onnx\" in \"node \\\"7\\\"\"\n"
    "  %m_1 = call_method \"view\"(%x, [2, -1])\n"
    "  %c = call_module \"block.0\"(%m_1)\n"
    "  %if_1 = call_function \"cond\"(graph {\n"
    "    symbol k [1, 2] hint 1 multiple 1\n"
    "    %a = placeholder \"a\" : u8[k]\n"
    "    %output = output(%a)\n"
    "  }, %c)\n"
    "  %output = output({out: %if_1, l: [%c, 1]})\n"
    "}\n";

START_TEST(every_part_comes_back)
{
    setup();
    fx_graph *graph;
    CHECK_OK(context, fx_graph_parse(context, "all", everything, strlen(everything), &graph));
    char *text = fx_graph_to_fx(graph);
    ck_assert_str_eq(text, everything);
    const fx_node *node = fx_graph_find(graph, "/Conv.1");
    ck_assert_int_eq(fx_node_result_count(node), 3);
    ck_assert_ptr_null(fx_node_type(node, 1));
    ck_assert_int_eq(fx_node_type(node, 2)->dtype, FX_BOOL);
    ck_assert_int_eq(node->order[0], 1);
    ck_assert(isnan(fx__arg(node, 11)->u.f) && signbit(fx__arg(node, 11)->u.f));
    ck_assert_int_eq(fx_node_user_count(fx_graph_find(graph, "x")), 2);
    ck_assert_int_eq(fx_module_tensor_count(fx_graph_module(graph)), 2);
    fx_text_free(text);
    fx_graph *clone = fx_graph_clone(graph);
    check_round_trip(clone);
    fx_graph_free(clone);
    fx_graph_free(graph);
    teardown();
}
END_TEST

/* ---- Random graphs ----------------------------------------------------------------------------------------------------- */

typedef struct maker {
    fx_graph *g;
    fx_node *nodes[64];
    int n;
    uint64_t state;
} maker;

static uint64_t pick(maker *m, uint64_t n)
{
    return fx_test_random(&m->state) % n;
}

static const char *random_text(maker *m, char *out)
{
    static const char alphabet[] = "abcXYZ019_ .\"'\\\n\t#%=()[]{}:,/\x01\xc3\xa9";
    uint64_t n = pick(m, 12);
    for (uint64_t i = 0; i < n; i++) out[i] = alphabet[pick(m, sizeof alphabet - 1)];
    out[n] = 0;
    return out;
}

static double random_double(maker *m)
{
    uint64_t bits = fx_test_random(&m->state);
    double value;
    memcpy(&value, &bits, sizeof value);
    return pick(m, 2) ? value : (double)(int64_t)bits;
}

static fx_attr random_value(maker *m, int depth)
{
    char text[16];
    fx_attr items[3];
    const char *const keys[] = {"k", "two words", "graph"};
    switch (pick(m, depth > 3 ? 11 : 16)) {
    case 0:
        return fx_none();
    case 1:
        return (fx_attr){.kind = FX_ATTR_ELLIPSIS};
    case 2:
        return fx_bool(pick(m, 2));
    case 3:
        return fx_int((int64_t)fx_test_random(&m->state));
    case 4:
        return fx_float(random_double(m));
    case 5:
        return (fx_attr){.kind = FX_ATTR_COMPLEX, .u.c = {random_double(m), random_double(m)}};
    case 6:
        return fx_str(m->g, random_text(m, text));
    case 7:
        return fx_dtype_attr((fx_dtype)pick(m, FX_DTYPE_COUNT));
    case 8: {
        fx_attr name = fx_str(m->g, random_text(m, text));
        name.kind = pick(m, 2) ? FX_ATTR_DEVICE : FX_ATTR_NAME;
        return name;
    }
    case 9:
    case 10:
        return m->n ? fx_node_attr(m->nodes[pick(m, (uint64_t)m->n)]) : fx_int(0);
    default:
        break;
    }
    for (int i = 0; i < 3; i++) items[i] = random_value(m, depth + 1);
    switch (pick(m, 5)) {
    case 0:
        return fx_tuple(m->g, items, (int32_t)pick(m, 4));
    case 1:
        return fx_list(m->g, items, (int32_t)pick(m, 4));
    case 2:
        return fx_dict(m->g, keys, items, (int32_t)pick(m, 4));
    case 3:
        return fx_slice(m->g, items[0], items[1], items[2]);
    default:
        return fx_list(m->g, items, 1);
    }
}

static fx_graph *small_body(void)
{
    fx_graph *body = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(body, "x", NULL);
    fx_node_set_loc(x, (fx_loc){"b.py", 1, NULL});
    fx_graph_output(body, fx_node_attr(x));
    return body;
}

static void random_node(maker *m, fx_dim symbol)
{
    char target[16], name[16];
    fx_attr args[4];
    int32_t n = (int32_t)pick(m, 4);
    for (int32_t i = 0; i < n; i++) args[i] = random_value(m, 0);
    fx_node_spec spec = {
        .opcode = (fx_opcode)pick(m, FX_OUTPUT), .target = random_text(m, target), .args = fx_tuple(m->g, args, n)};
    if (!*spec.target) spec.target = "t";
    spec.name = random_text(m, name);
    spec.keep_name = *name && pick(m, 2);
    fx_attr value = random_value(m, 0);
    if (pick(m, 2)) spec.kwargs = fx_dict(m->g, (const char *const[]){"alpha"}, &value, 1);
    if (pick(m, 2)) spec.loc = (fx_loc){"file name.py", (int32_t)pick(m, 3), pick(m, 2) ? "f" : NULL};
    if (spec.keep_name && fx__names_is_used(m->g->names, name)) spec.keep_name = false;
    fx_node *node = fx_graph_create_node(m->g, &spec);
    ck_assert_ptr_nonnull(node);
    if (pick(m, 4) == 0) ck_assert_int_eq(fx_node_set_annotation(node, "typing.List[int]"), FX_OK);
    if (pick(m, 4) == 0) ck_assert_int_eq(fx_node_set_meta(node, pick(m, 2) ? "a key" : "key", fx_str(m->g, name)), FX_OK);
    if (pick(m, 4) == 0) ck_assert_int_eq(fx_node_set_meta(node, "more", fx_ints(m->g, (int64_t[]){1, -2}, 2)), FX_OK);
    bool is_call = spec.opcode == FX_CALL_FUNCTION || spec.opcode == FX_CALL_METHOD || spec.opcode == FX_CALL_MODULE;
    if (is_call && pick(m, 6) == 0) CHECK_OK(context, fx_node_set_body(node, small_body()));
    for (uint64_t i = pick(m, 3); i > 0; i--) {
        fx_type type = {(fx_dtype)pick(m, FX_DTYPE_COUNT), 2, {(int64_t)pick(m, 100), symbol}};
        CHECK_OK(context, fx_node_set_type(node, (int32_t)pick(m, 3), &type));
    }
    m->nodes[m->n++] = node;
}

START_TEST(random_graphs_come_back)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        setup();
        maker m = {.g = fx_graph_new(context), .state = seed};
        fx_dim symbol = fx_graph_symbol(m.g, "s0", 1, 64, 4, 1);
        for (uint64_t n = 1 + pick(&m, 40); n > 0; n--) random_node(&m, symbol);
        if (pick(&m, 2)) fx_graph_output(m.g, random_value(&m, 0));
        check_round_trip(m.g);
        char *text = fx_graph_to_string(m.g), *table = fx_graph_to_table(m.g), *dot = fx_graph_to_dot(m.g);
        ck_assert(text && table && dot);
        fx_text_free(text);
        fx_text_free(table);
        fx_text_free(dot);
        fx_graph_free(m.g);
        teardown();
    }
}
END_TEST

/* ---- Wrong texts ------------------------------------------------------------------------------------------------------- */

static void check_wrong(const char *text, const char *message)
{
    fx_graph *graph = NULL;
    fx_context_clear(context);
    ck_assert_msg(fx_graph_parse(context, "t", text, strlen(text), &graph) == FX_E_FORMAT, "%s", text);
    ck_assert_ptr_null(graph);
    CHECK_DIAG(context, message);
}

START_TEST(problems_have_lines)
{
    setup();
    check_wrong("", "t:1: expected 'graph'");
    check_wrong("graph {\n", "t:2: the graph that begins on line 1 has no '}'");
    check_wrong("graph {\n}\nmore", "t:3: text after the graph");
    check_wrong("graph {\n%x = placeholder \"x\" : f99[2]\n}", "t:2: 'f99' is no dtype");
    check_wrong("graph {\n%x = placeholder \"x\" : f32[-2]\n}", "t:2: a size is negative");
    check_wrong("graph {\n%x = placeholder \"x\" : f32[q]\n}", "t:2: not a size");
    check_wrong("graph {\n%x = placeholder \"x\" : f32[1,1,1,1,1,1,1,1,1]\n}", "more than 8 dimensions");
    check_wrong("graph {\n%x = call_nothing \"x\"()\n}", "t:2: 'call_nothing' is no opcode");
    check_wrong("graph {\n%x = call_function \"f\"() body 3\n}", "t:2: expected 'graph'");
    check_wrong("graph {\n%x = call_function \"f\"() body graph {\n%y = nothing \"\"\n}\n}", "t:3: 'nothing' is no opcode");
    check_wrong("graph {\n%x = placeholder \"x\" body graph {\n}\n}", "only calls have a body");
    check_wrong("graph {\n%x = call_function \"f\"() meta 3\n}", "t:2: meta is no dict");
    check_wrong("graph {\n%x = placeholder \"x\n}", "t:2: a string is not closed on its line");
    check_wrong("graph {\n%x = placeholder \"\\q\"\n}", "unknown escape");
    check_wrong("graph {\n%x = placeholder \"\\x00\"\n}", "unknown escape");
    check_wrong("graph {\n%x = placeholder \"x\"\n%x = placeholder \"y\"\n}", "t:3: node %x is defined twice");
    check_wrong("graph {\n%a = call_function \"f\"(99999999999999999999)\n}", "an integer is outside 64 bits");
    check_wrong("graph {\n%a = call_function \"f\"(nan(\"0x1\"))\n}", "is no NaN");
    check_wrong("graph {\n%a = call_function \"f\"((1))\n}", "a tuple of one value needs a comma");
    check_wrong("graph {\n%a = call_function \"f\"(slice(1, 2))\n}", "a slice or range has 3 values, not 2");
    check_wrong("graph {\n%a = call_function \"f\"(k=1, 2)\n}", "a positional argument after a keyword argument");
    check_wrong("graph {\n%a = call_function \"f\"() : f32[2, 3] order [1, 1]\n}", "no permutation of 2 dimensions");
    check_wrong("graph {\nsymbol s [5, 2] hint 3 multiple 1\n}", "t:2: symbol s");
    check_wrong("graph core {\n%a = call_function \"f\"()\n%output = output(%a)\n}", "calls operators of the table only");
    check_wrong("module \"m\"\nparameter \"w\" : f32[2]\nparameter \"w\" : f32[2]\ngraph {\n}", "t:3: tensor \"w\"");
    teardown();
}
END_TEST

START_TEST(all_problems_are_reported_once)
{
    setup();
    const char *text = "graph {\n%a = call_function \"f\"(%nothing)\n%b = call_function \"f\"(%a)\n%c = call_function \"f\"(@)\n"
                       "%d = call_function \"f\"(%b, %c)\n%e = placeholder \"e\" : f32[\n}\n";
    fx_graph *graph;
    ck_assert_int_eq(fx_graph_parse(context, "t", text, strlen(text), &graph), FX_E_FORMAT);
    CHECK_DIAG(context, "t:2: unknown node %nothing");
    CHECK_DIAG(context, "t:4: expected a number, found '@'");
    CHECK_DIAG(context, "t:7: not a size");
    ck_assert_int_eq(fx_context_diag_count(context), 4); /* and no '}' any more, for the type took it */
    teardown();
}
END_TEST

static char *repeat(const char *head, const char *part, int n, const char *tail)
{
    fx_text text;
    fx__text_init(&text, context);
    fx__text_append(&text, "%s", head);
    for (int i = 0; i < n; i++) fx__text_append(&text, "%s", part);
    fx__text_append(&text, "%s", tail);
    return fx__text_finish(&text);
}

START_TEST(depth_is_bounded)
{
    setup();
    char *text = repeat("graph {\n%a = call_function \"f\"(", "[", 100000, ")\n}\n");
    check_wrong(text, "values are nested more than 64 deep");
    fx_text_free(text);
    text = repeat("", "graph { %a = call_function \"f\"(", 100000, "");
    check_wrong(text, "graphs are nested more than 8 deep");
    fx_text_free(text);
    text = repeat("graph {\n%a = placeholder \"a\" : f32[", "(", 100000, "]\n}\n");
    check_wrong(text, "not a size");
    fx_text_free(text);
    text = repeat("graph {\n", "?\n", 5000, "}\n");
    check_wrong(text, "further messages are not kept");
    fx_text_free(text);
    teardown();
}
END_TEST

static void parse_bytes(const char *text, size_t bytes)
{
    fx_graph *graph = NULL;
    fx_context_clear(context);
    fx_status status = fx_graph_parse(context, "t", text, bytes, &graph);
    ck_assert_int_eq(status == FX_OK, graph != NULL);
    if (graph) check_round_trip(graph);
    fx_graph_free(graph);
}

START_TEST(cut_and_damaged_texts_are_survived)
{
    setup();
    size_t bytes = strlen(everything);
    for (size_t n = 0; n < bytes; n++) parse_bytes(everything, n);
    uint64_t state = 3;
    char copy[sizeof everything];
    for (int i = 0; i < 10000; i++) {
        memcpy(copy, everything, sizeof copy);
        for (uint64_t flips = 1 + fx_test_random(&state) % 3; flips > 0; flips--)
            copy[fx_test_random(&state) % bytes] ^= (char)(1 << (fx_test_random(&state) % 8));
        parse_bytes(copy, bytes);
    }
    teardown();
}
END_TEST

FX_TESTS("fx_text", every_part_comes_back, random_graphs_come_back, problems_have_lines, all_problems_are_reported_once,
         depth_is_bounded, cut_and_damaged_texts_are_survived)
