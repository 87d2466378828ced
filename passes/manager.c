/* SPDX-License-Identifier: Apache-2.0 */
/* passes/manager.c: orders graph passes by their constraints, runs them in rounds, and checks on demand that each leaves a good
 * graph. */
#include "fxjit/passes.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include <string.h>
#include <time.h>

typedef struct constraint {
    const char *first, *then; /* interned */
} constraint;

struct fx_pass_manager {
    fx_context *context;
    fx_arena *arena;
    fx_pass *passes; /* names interned */
    int32_t n_passes, cap_passes;
    constraint *constraints;
    int32_t n_constraints, cap_constraints;
    bool check_each;
    fx_pass_check check;
    void *check_user;
    fx_pass_observer observer;
    void *observer_user;
};

fx_pass_manager *fx_pass_manager_new(fx_context *context)
{
    fx_arena *arena = fx__arena_new(context);
    fx_pass_manager *manager = arena ? FX_NEW(arena, fx_pass_manager) : NULL;
    if (!manager) {
        fx__arena_free(arena);
        return NULL;
    }
    manager->context = context;
    manager->arena = arena;
    return manager;
}

void fx_pass_manager_free(fx_pass_manager *manager)
{
    if (manager) fx__arena_free(manager->arena);
}

void fx_pass_manager_check_each(fx_pass_manager *manager, bool on)
{
    manager->check_each = on;
}

void fx_pass_manager_set_check(fx_pass_manager *manager, fx_pass_check check, void *user)
{
    manager->check = check;
    manager->check_user = user;
}

void fx_pass_manager_observe(fx_pass_manager *manager, fx_pass_observer observer, void *user)
{
    manager->observer = observer;
    manager->observer_user = user;
}

int32_t fx_pass_manager_count(const fx_pass_manager *manager)
{
    return manager->n_passes;
}

const char *fx_pass_manager_name(const fx_pass_manager *manager, int32_t index)
{
    return index >= 0 && index < manager->n_passes ? manager->passes[index].name : NULL;
}

/* ---- Passes and constraints ---------------------------------------------------------------------------------------------- */

fx_status fx_pass_manager_require(fx_pass_manager *manager, const char *first, const char *then)
{
    if (!first || !*first || !then || !*then)
        return fx__diag(manager->context, FX_E_ARG, NULL, "a constraint on the order of passes lacks a name");
    constraint *all = fx__arena_grow(manager->arena, manager->constraints, &manager->cap_constraints, manager->n_constraints,
                                     sizeof *manager->constraints);
    constraint added = {fx__intern(manager->context, first), fx__intern(manager->context, then)};
    if (!all || !added.first || !added.then) return FX_E_OOM;
    manager->constraints = all;
    all[manager->n_constraints++] = added;
    return FX_OK;
}

fx_status fx_pass_manager_add(fx_pass_manager *manager, const fx_pass *pass)
{
    if (!pass || !pass->name || !pass->run) return fx__diag(manager->context, FX_E_ARG, NULL, "a pass has no name or no function");
    fx_pass *passes = fx__arena_grow(manager->arena, manager->passes, &manager->cap_passes, manager->n_passes, sizeof *passes);
    const char *name = fx__intern(manager->context, pass->name);
    if (!passes || !name) return FX_E_OOM;
    manager->passes = passes;
    for (int32_t i = 0; pass->after && pass->after[i]; i++) FX_TRY(fx_pass_manager_require(manager, pass->after[i], name));
    passes[manager->n_passes] = *pass;
    passes[manager->n_passes].name = name;
    passes[manager->n_passes++].after = NULL; /* a constraint by now */
    return FX_OK;
}

/* ---- Order ---------------------------------------------------------------------------------------------------------------- */

typedef struct solving {
    const fx_pass_manager *manager;
    bool *placed; /* [passes] */
} solving;

static int32_t find_pass(const fx_pass_manager *manager, const char *name)
{
    for (int32_t i = 0; i < manager->n_passes; i++)
        if (manager->passes[i].name == name) return i;
    return -1;
}

/* A pass that is not placed yet and must be before pass `index`; -1: none. */
static int32_t awaited(const solving *s, int32_t index)
{
    const fx_pass_manager *manager = s->manager;
    for (int32_t c = 0; c < manager->n_constraints; c++) {
        if (manager->constraints[c].then != manager->passes[index].name) continue;
        for (int32_t i = 0; i < manager->n_passes; i++)
            if (!s->placed[i] && manager->passes[i].name == manager->constraints[c].first) return i;
    }
    return -1;
}

static int32_t next_pass(const solving *s)
{
    for (int32_t i = 0; i < s->manager->n_passes; i++)
        if (!s->placed[i] && awaited(s, i) < 0) return i;
    return -1;
}

/* Every unplaced pass awaits another one: whoever follows them comes to one for the second time. */
static fx_status report_cycle(const solving *s)
{
    const fx_pass_manager *manager = s->manager;
    int32_t at = 0;
    while (s->placed[at]) at++;
    for (int32_t i = 0; i < manager->n_passes; i++) at = awaited(s, at); /* into the cycle */
    fx_text text;
    fx__text_init(&text, manager->context);
    fx__text_append(&text, "%s", manager->passes[at].name);
    for (int32_t i = awaited(s, at); i != at; i = awaited(s, i)) fx__text_append(&text, " after %s", manager->passes[i].name);
    fx__text_append(&text, " after %s", manager->passes[at].name);
    char *cycle = fx__text_finish(&text);
    if (!cycle) return FX_E_OOM;
    fx__diag(manager->context, FX_E_ARG, NULL, "constraints on the order of passes form a cycle: %s", cycle);
    fx_text_free(cycle);
    return FX_E_ARG;
}

static fx_status check_constraints(const fx_pass_manager *manager)
{
    fx_status status = FX_OK;
    for (int32_t c = 0; c < manager->n_constraints; c++) {
        const constraint *it = &manager->constraints[c];
        const char *missing = find_pass(manager, it->first) < 0 ? it->first : find_pass(manager, it->then) < 0 ? it->then : NULL;
        if (missing)
            status = fx__diag(manager->context, FX_E_ARG, NULL, "pass %s must come after pass %s, but pass %s was not added",
                              it->then, it->first, missing);
    }
    return status;
}

fx_status fx_pass_manager_solve(fx_pass_manager *manager)
{
    FX_TRY(check_constraints(manager));
    if (manager->n_constraints == 0) return FX_OK;
    solving s = {manager, FX_NEW_ARRAY(manager->arena, bool, manager->n_passes)};
    fx_pass *order = FX_NEW_ARRAY(manager->arena, fx_pass, manager->n_passes);
    if (!s.placed || !order) return FX_E_OOM;
    for (int32_t n = 0; n < manager->n_passes; n++) {
        int32_t next = next_pass(&s);
        if (next < 0) return report_cycle(&s);
        s.placed[next] = true;
        order[n] = manager->passes[next];
    }
    manager->passes = order;
    manager->cap_passes = manager->n_passes;
    return FX_OK;
}

/* ---- Running -------------------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void tell(const fx_pass_manager *manager, const fx_pass_event *event)
{
    if (manager->observer) manager->observer(manager->observer_user, event);
}

static fx_status check_graph(const fx_pass_manager *manager, const fx_pass *pass, fx_graph *graph)
{
    if (manager->check_each) FX_TRY(fx_graph_lint(graph));
    return manager->check ? manager->check(manager->check_user, pass->name, graph) : FX_OK;
}

static fx_status run_one(const fx_pass_manager *manager, const fx_pass *pass, fx_graph *graph, int32_t round, bool *modified)
{
    fx_pass_event event = {.pass = pass->name, .graph = graph, .round = round};
    tell(manager, &event);
    double start = now();
    event.status = pass->run(graph, pass->user, &event.modified);
    event.seconds = now() - start;
    *modified |= event.modified;
    if (event.status == FX_OK) event.status = check_graph(manager, pass, graph);
    event.after = true;
    tell(manager, &event);
    if (event.status != FX_OK) fx__diag_note(manager->context, NULL, "in pass %s", pass->name);
    return event.status;
}

fx_status fx_pass_manager_run(fx_pass_manager *manager, fx_graph *graph, int32_t max_rounds, bool *out_modified)
{
    bool modified = true, ever = false;
    fx_status status = fx_pass_manager_solve(manager);
    for (int32_t round = 0; round < max_rounds && modified && status == FX_OK; round++) {
        modified = false;
        for (int32_t i = 0; i < manager->n_passes && status == FX_OK; i++)
            status = run_one(manager, &manager->passes[i], graph, round, &modified);
        ever |= modified;
    }
    if (out_modified) *out_modified = ever;
    return status;
}
