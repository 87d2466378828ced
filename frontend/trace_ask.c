/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace_ask.c: what a C function asks of a value to decide by: its number, its truth, its length. Eager values answer; of
 * proxies, whose data only a run knows, an error names the line that asked and what to write instead. */
#include "frontend/scope.h"
#include "fxjit/ops.h"
#include <math.h>
#include <string.h>

void fx_trace_set_answer(fx_scope *scope, fx_answer answer, void *user)
{
    if (!scope) return;
    scope->answer = answer;
    scope->answer_user = user;
}

void fx_trace_set_functional(fx_scope *scope, bool functional)
{
    if (scope) scope->is_functional = functional;
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------------------- */

static bool has_one_element(const fx_scope_entry *it, const fx_type *type, const fx_loc *loc)
{
    bool one = type != NULL;
    for (int32_t d = 0; one && d < type->rank; d++) one = type->dim[d] == 1;
    if (!one)
        fx__diag(it->node->graph->context, FX_E_SHAPE, loc, "`%s` has not one element: only such a value is a number",
                 fx_node_name(it->node));
    return one;
}

static void refuse(const fx_scope_entry *it, const fx_loc *loc, const char *what, const char *instead)
{
    fx_context *context = it->node->graph->context;
    fx__diag(context, FX_E_ARG, loc, "%s of `%s` was asked for while tracing: only a run knows it; %s", what,
             fx_node_name(it->node), instead);
    fx__diag_note(context, &it->node->loc, "`%s` was traced here", fx_node_name(it->node));
}

/* false: an error has been reported, or was before. */
static bool ask(fx_value value, const fx_loc *loc, const char *what, const char *instead, double *out)
{
    fx_scope_entry *it = fx__scope_entry(value);
    fx_scope *scope = value.scope;
    *out = 0;
    if (!it || !has_one_element(it, fx_value_type(value), loc)) return false;
    if (!scope->tracing) return *out = fx_tensor_get(&it->tensor, 0), true;
    if (scope->answer && scope->answer(scope->answer_user, it->node, out)) return true;
    *out = 0;
    refuse(it, loc, what, instead);
    return false;
}

double fx_value_item_at(fx_value value, const char *file, int32_t line)
{
    double number;
    bool known = ask(value, &(fx_loc){file, line, NULL}, "the number",
                     "compute with the value itself, or make the number an argument of the function", &number);
    return known ? number : (double)NAN;
}

/* Wide integers are exact. */
static bool read_wide(fx_value value, int64_t *out)
{
    const fx_scope_entry *it = fx__scope_entry(value);
    const fx_type *type = fx_value_type(value);
    if (!it || value.scope->tracing || !type || type->dtype != FX_I64 || fx_tensor_elems(&it->tensor) != 1) return false;
    memcpy(out, it->tensor.data, sizeof *out);
    return true;
}

int64_t fx_value_int_at(fx_value value, const char *file, int32_t line)
{
    double number;
    int64_t wide;
    if (read_wide(value, &wide)) return wide;
    ask(value, &(fx_loc){file, line, NULL}, "the integer",
        "compute with the value itself; a size comes from fx_value_type or fx_trace_symbol", &number);
    return isfinite(number) && fabs(number) < 0x1p63 ? (int64_t)number : 0;
}

bool fx_value_bool_at(fx_value value, const char *file, int32_t line)
{
    double number;
    ask(value, &(fx_loc){file, line, NULL}, "the truth",
        "use fx_where to choose, fx_assert_async to insist, or decide before tracing (C's `if` cannot be traced)", &number);
    return number != 0;
}

/* ---- Lengths ----------------------------------------------------------------------------------------------------------------- */

/* -1 after an error. */
static int64_t length_of(const fx_scope_entry *it, const fx_loc *loc)
{
    fx_context *context = it->node->graph->context;
    const fx_type *type = fx_node_type(it->node, 0);
    if (!type || type->rank == 0) {
        fx__diag(context, FX_E_SHAPE, loc, "`%s` has no length: it has no dimension", fx_node_name(it->node));
        return -1;
    }
    if (fx_dim_is_const(type->dim[0])) return type->dim[0];
    fx__diag(
        context, FX_E_ARG, loc,
        "the length of `%s` is symbolic, %s: no number counts a loop over it; use fx_value_type(value)->dim[0] as a size, or trace "
        "with a constant one",
        fx_node_name(it->node), fx_graph_dim_text(it->node->graph, type->dim[0]));
    fx__diag_note(context, &it->node->loc, "`%s` was traced here", fx_node_name(it->node));
    return -1;
}

int64_t fx_value_len_at(fx_value value, const char *file, int32_t line)
{
    const fx_scope_entry *it = fx__scope_entry(value);
    return it ? length_of(it, &(fx_loc){file, line, NULL}) : -1;
}

/* ---- Parts ------------------------------------------------------------------------------------------------------------------- */

static bool count_matches(const fx_scope_entry *it, int32_t n, const fx_loc *loc)
{
    int64_t count = it->node->n_result > 1 ? it->node->n_result : length_of(it, loc);
    if (count == n) return true;
    if (count >= 0)
        fx__diag(it->node->graph->context, FX_E_SHAPE, loc, "`%s` has %lld parts, %d are asked for", fx_node_name(it->node),
                 (long long)count, (int)n);
    return false;
}

static fx_value part(fx_value value, const fx_scope_entry *it, int32_t index, const fx_loc *loc)
{
    if (it->node->n_result == 1) return fx_select_at(*loc, value, FX_ARG(0), FX_ARG(index));
    const fx_trace_arg args[] = {{.kind = FX_ARG_VALUE, .value = value}, {.kind = FX_ARG_ATTR, .attr = fx_int(index)}};
    return fx_apply(fx__op(FX_OP_getitem), args, 2, *loc);
}

bool fx_value_unpack_at(fx_value value, fx_value *out, int32_t n, const char *file, int32_t line)
{
    const fx_scope_entry *it = fx__scope_entry(value);
    const fx_loc loc = {file, line, NULL};
    for (int32_t i = 0; i < n; i++) out[i] = FX_NO_VALUE;
    if (!it || !count_matches(it, n, &loc)) return false;
    for (int32_t i = 0; i < n; i++) {
        out[i] = part(value, fx__scope_entry(value), i, &loc); /* entries move as values are made */
        if (!fx_value_ok(out[i])) return false;
    }
    return true;
}
