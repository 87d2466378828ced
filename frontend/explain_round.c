/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_round.c: what the precision setting allowed: notes that rewrites have left on nodes, and joined pairs whose
 * record tells what is not rounded between them. */
#include "frontend/explain.h"
#include "passes/rounding.h"
#include <stdlib.h>
#include <string.h>

typedef struct allowances {
    fx_explainer *x;
    fx_allowance *list;
    int32_t n, capacity;
} allowances;

static bool add(allowances *a, const fx_allowance *one)
{
    fx_allowance *list = fx__arena_grow(a->x->arena, a->list, &a->capacity, a->n, sizeof *list);
    if (!list) return false;
    a->list = list;
    list[a->n++] = *one;
    return true;
}

/* ---- Rewrites --------------------------------------------------------------------------------------------------------------- */

static bool add_note(allowances *a, const fx_node *node, int32_t index)
{
    const fx_part *part = fx__map_get(&a->x->part, node);
    const fx_attr *names = fx__rounding_names(node, index);
    const char **list = FX_NEW_ARRAY(a->x->arena, const char *, names->n + 1);
    if (!list) return false;
    for (int32_t i = 0; i < names->n; i++) list[i] = names->u.items[i].u.s;
    return add(a, &(fx_allowance){part ? part->unit : -1, fx__rounding_sentence(node, index), list, names->n});
}

static bool add_rewrites(allowances *a, const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    for (int32_t i = 0; i < fx__rounding_count(node); i++)
        if (!add_note(a, node, i)) return false;
    return true;
}

/* ---- Joined pairs ------------------------------------------------------------------------------------------------------------ */

/* The unit that computes both, no copy of an operand made for it; -1: none. */
static int32_t common_unit(const fx_explainer *x, const fx_node *from, const fx_node *to)
{
    int32_t found = -1;
    for (const fx_part *a = fx__map_get(&x->part, from); a; a = a->next)
        for (const fx_part *b = fx__map_get(&x->part, to); b; b = b->next)
            if (a->unit == b->unit && (found < 0 || strcmp(x->unit[found].role, "compute") != 0)) found = a->unit;
    return found;
}

static bool is_joined(fx_verdict verdict)
{
    return verdict == FX_WHY_INLINE || verdict == FX_WHY_TAIL || verdict == FX_WHY_ROW || verdict == FX_WHY_PROLOGUE;
}

static bool add_join(allowances *a, const fx_why *why)
{
    const char **list = FX_NEW_ARRAY(a->x->arena, const char *, 2);
    if (!list) return false;
    list[0] = why->from->name;
    list[1] = why->to->name;
    return add(a, &(fx_allowance){common_unit(a->x, why->from, why->to), why->because, list, 2});
}

/* ---- Functions ------------------------------------------------------------------------------------------------------------------
 */

/* Codegen computes these otherwise in full vectors than number by number, each within its bound. */
static bool is_function(const fx_expr *e)
{
    return e->op == FX_X_SCALAR && fx_dtype_is_float((fx_dtype)e->dtype) && fx__scalar_cost((fx_scalar_op)e->scalar) >= 10;
}

static bool has_axis(const uint8_t *list, int n, uint8_t axis)
{
    for (int i = 0; i < n; i++)
        if (list[i] == axis) return true;
    return false;
}

static int32_t lanes_of(const fx_kernel *kernel, const fx_kstage *stage)
{
    uint8_t vec = kernel->sched.vec;
    bool along = vec < kernel->n_outer || has_axis(stage->inner, stage->n_inner, vec) || has_axis(stage->red, stage->n_red, vec);
    return along ? kernel->sched.lanes : 1;
}

/* A node of its own goes over its elements in full vectors; here a function does not. */
static bool computes_singly(const fx_explainer *x, const fx_kernel *kernel)
{
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        for (int e = 0; e < stage->n_expr; e++) {
            fx_dtype dtype = stage->expr[e].dtype == FX_F64 ? FX_F64 : FX_F32; /* in registers */
            if (is_function(&stage->expr[e]) && lanes_of(kernel, stage) != fx__target_lanes(&x->it->target, dtype)) return true;
        }
    }
    return false;
}

static bool has_join(const fx_explainer *x, int32_t unit)
{
    for (int32_t i = 0; i < x->program->n_why; i++) {
        const fx_why *why = &x->program->why[i];
        if (is_joined(why->verdict) && common_unit(x, why->from, why->to) == unit) return true;
    }
    return false;
}

static bool add_functions(allowances *a)
{
    fx_explainer *x = a->x;
    for (int32_t i = 0; i < x->n_run; i++) {
        const fx_unit *u = &x->unit[i];
        if (u->kernel < 0 || u->n_nodes < 2 || !computes_singly(x, x->program->kernel[u->kernel]) || !has_join(x, i)) continue;
        const char **list = FX_NEW_ARRAY(x->arena, const char *, u->n_nodes);
        if (!list) return false;
        for (int32_t n = 0; n < u->n_nodes; n++) list[n] = u->nodes[n]->name;
        if (!add(a, &(fx_allowance){i, "functions are computed in shorter vectors, which may round otherwise", list, u->n_nodes}))
            return false;
    }
    return true;
}

/* ---- The list -------------------------------------------------------------------------------------------------------------------
 */

static int by_unit(const void *left, const void *right)
{
    const fx_allowance *a = left, *b = right;
    if (a->unit != b->unit) return (a->unit > b->unit) - (a->unit < b->unit);
    int order = strcmp(a->what, b->what);
    return order ? order : strcmp(a->nodes[0], b->nodes[0]);
}

fx_status fx__explain_allowances(fx_explainer *x)
{
    allowances a = {.x = x};
    if (!add_rewrites(&a, x->it->module->graph)) return FX_E_OOM;
    for (int32_t i = 0; i < x->program->n_why; i++) {
        const fx_why *why = &x->program->why[i];
        if (why->because && is_joined(why->verdict) && !add_join(&a, why)) return FX_E_OOM;
    }
    if (!add_functions(&a)) return FX_E_OOM;
    if (a.n > 1) qsort(a.list, (size_t)a.n, sizeof *a.list, by_unit);
    x->out->allowance = a.list;
    x->out->n_allowance = a.n;
    return FX_OK;
}

const char *fx__explain_precision(const fx_explainer *x, int32_t kernel)
{
    const char *text = "";
    for (int32_t i = 0; i < x->out->n_allowance && text; i++) {
        const fx_allowance *one = &x->out->allowance[i];
        if (one->unit < 0 || x->unit[one->unit].kernel != kernel || strstr(text, one->what)) continue;
        text = fx__arena_format(x->arena, "%s%s%s", text, *text ? "; " : "", one->what);
    }
    return text;
}
