/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    evaluates what Python computed beside the tensors: sizes, dtypes, tuples, arithmetic on sizes, assertions about them;
 *          and spells functions and methods of torch that are no rows as calls of rows (x.float(), torch.max(x, 1), x[i, None]).
 * Needs:   an inlined graph; types of the inputs where sizes are asked for.
 * Ensures: every call is a row's, as a function, or changes something in place; types are known as far as the inputs' are. Every
 *          call that is neither is reported, not only the first.
 * Cost:    linear in nodes, times the rows of the table of spellings for calls that are no rows. */
#include "passes/spell.h"
#include "passes/pass.h"
#include <string.h>

typedef struct walk {
    fx_graph *graph;
    fx_arena *arena;
    fx_map failed; /* nodes without a value: what uses them says nothing */
    fx_status status;
    bool modified;
} walk;

static void fail(walk *w, fx_node *node, fx_status status)
{
    if (w->status == FX_OK) w->status = status;
    if (!fx__map_put(&w->failed, node, node)) w->status = FX_E_OOM;
}

static bool uses_failed(const walk *w, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (fx__map_get(&w->failed, node->inputs[i])) return true;
    return false;
}

/* ---- Spellings of one name ------------------------------------------------------------------------------------------------- */

/* The modules that Python's own functions come from, as different versions print them. */
static fx_status settle_target(walk *w, fx_node *node)
{
    static const char *const bare[] = {"getattr", "len", "int", "float", "bool", "tuple", "list",
                                       "min",     "max", "abs", "round", "pow",  "sum"};
    const char *plain = NULL;
    if (node->opcode != FX_CALL_FUNCTION || node->op) return FX_OK;
    if (strncmp(node->target, "_operator.", 10) == 0) plain = fx__arena_format(w->arena, "%s", node->target + 1);
    for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++)
        if (strcmp(node->target, bare[i]) == 0) plain = fx__arena_format(w->arena, "builtins.%s", bare[i]);
    return plain ? fx_node_set_target(node, plain) : FX_OK;
}

/* An in-place call gives what it changes. */
static fx_status settle_in_place(fx_node *node)
{
    const fx_attr *self = node->args.n ? fx__arg(node, 0) : NULL;
    const fx_type *type = self && self->kind == FX_ATTR_NODE ? fx_node_type(self->u.node, 0) : NULL;
    return type && strcmp(node->target, "operator.setitem") != 0 ? fx_node_set_type(node, 0, type) : FX_OK;
}

static bool is_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_FLOAT || value->kind == FX_ATTR_BOOL ||
           value->kind == FX_ATTR_SYMINT;
}

/* n += 1 on a number changes nothing, and neither do detach_ and its kin, which the table of spellings has. */
static bool is_in_place(const fx_node *node)
{
    bool is_on_number = node->args.n && is_number(fx__arg(node, 0));
    return fx__node_is_in_place(node) && !is_on_number && !fx__spell_expression_knows(node);
}

/* ---- One call ---------------------------------------------------------------------------------------------------------------- */

/* x[i] is a row only for a constant i: everything else is an index. */
static bool is_other_index(const fx_node *node)
{
    bool is_getitem = node->op && strcmp(node->op->target, "operator.getitem") == 0 && node->args.n == 2;
    return is_getitem && fx__arg(node, 1)->kind != FX_ATTR_INT;
}

static bool fits_row(fx_node *node)
{
    fx_attr bound[FX_PARAMS];
    int32_t n;
    const fx_op *op = fx__op_of(node);
    const fx_param *params = op ? fx__op_params(op, &n) : NULL;
    return params && !is_other_index(node) && fx__op_fits(node->graph, node, params, n, bound);
}

/* Other names have signatures of their own, which the table of spellings may know better. */
static bool is_row_itself(const fx_node *node)
{
    return node->op && !is_other_index(node) && strcmp(node->op->target, node->target) == 0;
}

/* A method with a row becomes a call of it. */
static fx_status settle_row(walk *w, fx_node *node)
{
    if (node->opcode == FX_CALL_FUNCTION) return fx__core_settle(node);
    fx_node_spec spec = {FX_CALL_FUNCTION, fx__op_of(node)->target, node->args, node->kwargs, node->name, false, node->loc};
    fx_point point = fx_graph_insert_before(w->graph, node);
    fx_node *call = fx_graph_create_node(w->graph, &spec);
    fx_graph_set_point(w->graph, point);
    if (!call) return FX_E_OOM;
    FX_TRY(fx__node_copy_facts(call, node, false));
    w->modified = true;
    FX_TRY(fx__core_replace(node, call));
    fx_status status = fx__core_settle(call);
    if (status != FX_OK) fail(w, call, status);
    return FX_OK;
}

static fx_status refuse(const fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    fx_attr bound[FX_PARAMS];
    if (op && !is_other_index(node)) return fx__op_bind(node->graph, node, op, bound);
    return fx__op_unsupported(node);
}

static fx_status give(walk *w, fx_node *node, const fx_attr *value)
{
    w->modified = true;
    return fx__core_give(node, value);
}

static fx_status visit(walk *w, fx_node *node)
{
    fx_attr value;
    FX_TRY(settle_target(w, node));
    if (is_in_place(node)) return settle_in_place(node);
    fx_spelled known = fx__spell_value(node, &value);
    if (known == FX_SPELL_NO && !is_row_itself(node)) known = fx__spell_expression(node, false, &value);
    if (known == FX_SPELL_NO && fits_row(node)) return settle_row(w, node);
    if (known == FX_SPELL_NO) known = fx__spell_expression(node, true, &value);
    if (known == FX_SPELL_DONE) return give(w, node, &value);
    if (known == FX_SPELL_FAILED) return fx__diag_failure(w->graph->context, FX_E_UNSUPPORTED);
    return refuse(node);
}

/* What uses a failed node is not computed, but an operator that nobody knows is told of all the same. */
static bool is_known(const fx_node *node)
{
    static const char *const prefixes[] = {"operator.", "builtins.", "math.", "torch._assert"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(node->target, prefixes[i], strlen(prefixes[i])) == 0) return true;
    static const char *const facts[] = {"size", "dim", "numel"};
    for (size_t i = 0; node->opcode == FX_CALL_METHOD && i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(node->target, facts[i]) == 0) return true;
    return fx__op_of(node) || fx__node_is_in_place(node) || fx__spell_expression_knows(node);
}

static fx_status visit_after_failure(const fx_node *node)
{
    return is_known(node) ? FX_E_UNSUPPORTED : fx__op_unsupported(node);
}

/* Those of inlined graphs come without types. */
static fx_status type_constant(fx_node *node)
{
    const fx_tensor *tensor = node->graph->module ? fx_module_tensor(node->graph->module, node->target) : NULL;
    if (!tensor || fx_node_type(node, 0)) return FX_OK;
    fx_type type = fx__type_of_tensor(tensor);
    return fx_node_set_type(node, 0, &type);
}

static void visit_all(walk *w)
{
    for (fx_node *node = w->graph->first; node && w->status != FX_E_OOM; node = node->next) { /* an erased one keeps its next */
        if (node->erased) continue;
        fx_status go_on = fx__tick(w->graph->context);
        if (go_on != FX_OK) {
            w->status = go_on;
            return;
        }
        if (node->opcode == FX_GET_ATTR && type_constant(node) != FX_OK) w->status = FX_E_OOM;
        if (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD) continue;
        fx_status status = uses_failed(w, node) ? visit_after_failure(node) : visit(w, node);
        if (status != FX_OK) fail(w, node, status);
    }
}

fx_status fx__pass_spell(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    walk w = {.graph = graph, .arena = fx__arena_new(graph->context)};
    *out_modified = false;
    if (!w.arena) return FX_E_OOM;
    fx__map_init(&w.failed, w.arena);
    visit_all(&w);
    fx__arena_free(w.arena);
    *out_modified = w.modified;
    return w.status;
}
