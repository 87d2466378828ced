/* SPDX-License-Identifier: Apache-2.0 */
/* passes/manager.c: runs graph passes in the order of adding, in rounds, and checks on demand that each leaves a good graph. */
#include "fxjit/passes.h"
#include "ir/arena.h"
#include "ir/diag.h"
#include <string.h>

struct fx_pass_manager {
    fx_context *context;
    fx_arena *arena;
    fx_pass *passes;
    int32_t n_passes, cap_passes;
    bool check_each;
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

static bool was_added(const fx_pass_manager *manager, const char *name)
{
    for (int32_t i = 0; i < manager->n_passes; i++)
        if (strcmp(manager->passes[i].name, name) == 0) return true;
    return false;
}

fx_status fx_pass_manager_add(fx_pass_manager *manager, const fx_pass *pass)
{
    fx_status status = FX_OK;
    if (!pass->name || !pass->run) return fx__diag(manager->context, FX_E_ARG, NULL, "a pass has no name or no function");
    for (int32_t i = 0; pass->after && pass->after[i]; i++)
        if (!was_added(manager, pass->after[i]))
            status = fx__diag(manager->context, FX_E_ARG, NULL, "pass %s must come after pass %s", pass->name, pass->after[i]);
    if (status != FX_OK) return status;
    fx_pass *passes = fx__arena_grow(manager->arena, manager->passes, &manager->cap_passes, manager->n_passes, sizeof *passes);
    if (!passes) return FX_E_OOM;
    manager->passes = passes;
    passes[manager->n_passes] = *pass;
    passes[manager->n_passes].name = fx__arena_copy(manager->arena, pass->name, strlen(pass->name));
    return passes[manager->n_passes].name ? (manager->n_passes++, FX_OK) : FX_E_OOM;
}

static fx_status run_one(const fx_pass_manager *manager, const fx_pass *pass, fx_graph *graph, bool *modified)
{
    bool changed = false;
    fx_status status = pass->run(graph, pass->user, &changed);
    *modified |= changed;
    if (status == FX_OK && manager->check_each) status = fx_graph_lint(graph);
    if (status != FX_OK) fx__diag_note(manager->context, NULL, "in pass %s", pass->name);
    return status;
}

fx_status fx_pass_manager_run(fx_pass_manager *manager, fx_graph *graph, int32_t max_rounds, bool *out_modified)
{
    bool modified = true, ever = false;
    fx_status status = FX_OK;
    for (int32_t round = 0; round < max_rounds && modified && status == FX_OK; round++) {
        modified = false;
        for (int32_t i = 0; i < manager->n_passes && status == FX_OK; i++)
            status = run_one(manager, &manager->passes[i], graph, &modified);
        ever |= modified;
    }
    if (out_modified) *out_modified = ever;
    return status;
}
