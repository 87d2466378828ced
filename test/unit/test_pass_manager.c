/* SPDX-License-Identifier: Apache-2.0 */
/* The pass manager: order from constraints, rounds, checks, observers, and what it says of misuse. */
#include "harness.h"
#include "fxjit/passes.h"
#include <string.h>

static fx_context *context;
static fx_pass_manager *manager;
static fx_graph *graph;
static char trail[256]; /* names of the passes that ran */

static void setup(void)
{
    context = fx_context_new();
    manager = fx_pass_manager_new(context);
    graph = fx_graph_new(context);
    fx_node *x = fx_graph_placeholder(graph, "x", &(fx_type){FX_F32, 1, {2}});
    fx_node *dead = fx_graph_call(graph, "torch.exp", (fx_attr[]){fx_node_attr(x)}, 1);
    fx_graph_call(graph, "torch.relu", (fx_attr[]){fx_node_attr(dead)}, 1);
    fx_graph_output(graph, fx_node_attr(x));
    trail[0] = 0;
}

static void teardown(void)
{
    fx_pass_manager_free(manager);
    fx_graph_free(graph);
    fx_context_free(context);
}

typedef struct counted {
    const char *name;
    int changes; /* how many runs say that they changed the graph */
    fx_status status;
} counted;

static fx_status run_counted(fx_graph *it, void *user, bool *out_modified)
{
    counted *pass = user;
    ck_assert_ptr_eq(it, graph);
    strcat(trail, pass->name);
    *out_modified = pass->changes > 0;
    pass->changes--;
    return pass->status;
}

static void add(counted *pass, const char *const *after)
{
    CHECK_OK(context, fx_pass_manager_add(manager, &(fx_pass){pass->name, run_counted, pass, after}));
}

START_TEST(constraints_give_the_order)
{
    setup();
    static counted a = {"a", 0, FX_OK}, b = {"b", 0, FX_OK}, c = {"c", 0, FX_OK}, d = {"d", 0, FX_OK};
    add(&a, (const char *const[]){"c", NULL});
    add(&b, NULL);
    add(&c, NULL);
    add(&d, NULL);
    CHECK_OK(context, fx_pass_manager_require(manager, "d", "b"));
    CHECK_OK(context, fx_pass_manager_solve(manager));
    ck_assert_int_eq(fx_pass_manager_count(manager), 4);
    static const char *const order[] = {"c", "a", "d", "b"};
    for (int i = 0; i < 4; i++) ck_assert_str_eq(fx_pass_manager_name(manager, i), order[i]);
    ck_assert_ptr_null(fx_pass_manager_name(manager, 4));
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 5, NULL));
    ck_assert_str_eq(trail, "cadb");
    teardown();
}
END_TEST

START_TEST(unconstrained_passes_keep_their_order)
{
    setup();
    static counted a = {"a", 0, FX_OK}, b = {"b", 0, FX_OK};
    add(&b, NULL);
    add(&a, NULL);
    add(&b, NULL);
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 1, NULL));
    ck_assert_str_eq(trail, "bab");
    teardown();
}
END_TEST

START_TEST(cycles_are_named)
{
    setup();
    static counted passes[] = {{"free", 0, FX_OK}, {"p", 0, FX_OK}, {"q", 0, FX_OK}, {"r", 0, FX_OK}};
    for (int i = 0; i < 4; i++) add(&passes[i], NULL);
    CHECK_OK(context, fx_pass_manager_require(manager, "p", "q"));
    CHECK_OK(context, fx_pass_manager_require(manager, "q", "r"));
    CHECK_OK(context, fx_pass_manager_require(manager, "r", "p"));
    bool modified = true;
    ck_assert_int_eq(fx_pass_manager_run(manager, graph, 5, &modified), FX_E_ARG);
    CHECK_DIAG(context, "form a cycle: ");
    CHECK_DIAG(context, "r after q after p after r");
    ck_assert(!modified);
    ck_assert_str_eq(trail, "");
    ck_assert_str_eq(fx_pass_manager_name(manager, 1), "p");
    teardown();
}
END_TEST

START_TEST(missing_passes_and_names_are_refused)
{
    setup();
    CHECK_OK(context, fx_pass_manager_add(manager, fx_pass_find("fold")));
    ck_assert_int_eq(fx_pass_manager_run(manager, graph, 1, NULL), FX_E_ARG);
    CHECK_DIAG(context, "pass fold must come after pass normalise, but pass normalise was not added");
    fx_context_clear(context);
    CHECK_OK(context, fx_pass_manager_add(manager, fx_pass_find("normalise")));
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 1, NULL));
    ck_assert_str_eq(fx_pass_manager_name(manager, 0), "normalise");
    ck_assert_int_eq(fx_pass_manager_add(manager, &(fx_pass){.name = "nothing"}), FX_E_ARG);
    CHECK_DIAG(context, "no function");
    ck_assert_int_eq(fx_pass_manager_require(manager, "fold", NULL), FX_E_ARG);
    CHECK_DIAG(context, "lacks a name");
    ck_assert_ptr_null(fx_pass_find("nonsense"));
    ck_assert_int_eq(fx_pass_manager_count(manager), 2);
    teardown();
}
END_TEST

START_TEST(rounds_end_at_a_fixed_point)
{
    setup();
    static counted twice = {"t", 2, FX_OK}, never = {"n", 0, FX_OK};
    add(&twice, NULL);
    add(&never, NULL);
    bool modified = false;
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 9, &modified));
    ck_assert_str_eq(trail, "tntntn");
    ck_assert(modified);
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 9, &modified));
    ck_assert(!modified);
    twice.changes = 9;
    trail[0] = 0;
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 2, &modified));
    ck_assert_str_eq(trail, "tntn");
    teardown();
}
END_TEST

START_TEST(built_in_passes_stand_beside_others)
{
    setup();
    static counted mine = {"m", 0, FX_OK};
    add(&mine, NULL);
    CHECK_OK(context, fx_pass_manager_add(manager, fx_pass_find("cse")));
    CHECK_OK(context, fx_pass_manager_add(manager, fx_pass_find("dce")));
    fx_pass_manager_check_each(manager, true);
    bool modified = false;
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 5, &modified));
    ck_assert(modified);
    ck_assert_int_eq(fx_graph_size(graph), 2);
    ck_assert_str_eq(trail, "mm");
    teardown();
}
END_TEST

static fx_status has_two_nodes(void *user, const char *pass, fx_graph *it)
{
    ++*(int *)user;
    ck_assert_ptr_nonnull(pass);
    return fx_graph_size(it) == 2 ? FX_OK : FX_E_GRAPH;
}

/* An output that is not last: a graph that torch.fx's rules and ours refuse. */
static fx_status break_graph(fx_graph *it, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = true;
    return fx_graph_placeholder(it, "late", NULL) ? FX_OK : FX_E_OOM;
}

START_TEST(checks_follow_every_pass)
{
    setup();
    static counted mine = {"m", 0, FX_OK};
    int checks = 0;
    CHECK_OK(context, fx_pass_manager_add(manager, fx_pass_find("dce")));
    add(&mine, NULL);
    fx_pass_manager_set_check(manager, has_two_nodes, &checks);
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 1, NULL));
    ck_assert_int_eq(checks, 2);
    CHECK_OK(context, fx_pass_manager_add(manager, &(fx_pass){.name = "break", .run = break_graph}));
    ck_assert_int_eq(fx_pass_manager_run(manager, graph, 1, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "in pass break");
    fx_pass_manager_set_check(manager, NULL, NULL);
    fx_pass_manager_check_each(manager, true);
    fx_context_clear(context);
    ck_assert_int_eq(fx_pass_manager_run(manager, graph, 1, NULL), FX_E_GRAPH);
    CHECK_DIAG(context, "after the output");
    teardown();
}
END_TEST

static void observe(void *user, const fx_pass_event *event)
{
    ck_assert_ptr_eq(event->graph, graph);
    ck_assert(event->seconds >= 0);
    if (!event->after) return;
    char line[64];
    snprintf(line, sizeof line, "%d%s%s%s ", (int)event->round, event->pass, event->modified ? "+" : "",
             event->status == FX_OK ? "" : "!");
    strcat(user, line);
}

START_TEST(observers_see_every_pass)
{
    setup();
    static counted once = {"o", 1, FX_OK}, bad = {"b", 0, FX_OK};
    char seen[256] = "";
    add(&once, NULL);
    add(&bad, NULL);
    fx_pass_manager_observe(manager, observe, seen);
    CHECK_OK(context, fx_pass_manager_run(manager, graph, 5, NULL));
    bad.status = FX_E_SHAPE;
    ck_assert_int_eq(fx_pass_manager_run(manager, graph, 5, NULL), FX_E_SHAPE);
    ck_assert_str_eq(seen, "0o+ 0b 1o 1b 0o 0b! ");
    teardown();
}
END_TEST

FX_TESTS("pass_manager", constraints_give_the_order, unconstrained_passes_keep_their_order, cycles_are_named,
         missing_passes_and_names_are_refused, rounds_end_at_a_fixed_point, built_in_passes_stand_beside_others,
         checks_follow_every_pass, observers_see_every_pass)
