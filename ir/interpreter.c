/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interpreter.c: the interpreter whose every step may be replaced (fxjit/interp.h). A run works on a copy of the graph, whose
 * types are those of the tensors at hand and whose symbols are numbers; functions see the nodes of the graph itself. */
#include "ir/interpreter.h"
#include <string.h>

fx_interpreter *fx_interpreter_new(fx_graph *graph)
{
    fx_arena *arena = fx__arena_new(graph->context);
    fx_interpreter *it = arena ? FX_NEW(arena, fx_interpreter) : NULL;
    if (!it) {
        fx__arena_free(arena);
        return NULL;
    }
    it->context = graph->context;
    it->graph = graph;
    it->module = graph->module;
    it->arena = arena;
    fx__map_init(&it->overrides, arena);
    fx__map_init(&it->given, arena);
    return it;
}

static void value_free(fx_run_value *v)
{
    for (int32_t r = 0; r < v->n && v->owned; r++) fx_tensor_release(&v->tensor[r]);
    *v = (fx_run_value){.skipped = v->skipped};
}

static void end_run(fx_interpreter *it)
{
    for (int32_t i = 0; i < it->n_values; i++) value_free(&it->values[i]);
    it->n_values = 0;
    fx_graph_free(it->twins);
    it->twins = NULL;
    fx__arena_free(it->scratch);
    it->scratch = NULL;
}

void fx_interpreter_free(fx_interpreter *it)
{
    if (!it) return;
    end_run(it);
    fx__arena_free(it->arena);
}

/* ---- Settings -------------------------------------------------------------------------------------------------------------- */

void fx_interpreter_set_hooks(fx_interpreter *it, const fx_interp_hooks *hooks)
{
    it->hooks = hooks ? *hooks : (fx_interp_hooks){0};
}

void fx_interpreter_keep(fx_interpreter *it, bool on)
{
    it->keep = on;
}

fx_graph *fx_interpreter_graph(const fx_interpreter *it)
{
    return it->graph;
}

fx_status fx__interpreter_check_node(const fx_interpreter *it, const fx_node *node)
{
    if (node && node->graph == it->graph && !node->erased) return FX_OK;
    return fx__diag(it->context, FX_E_GRAPH, NULL, "node %s is not in the interpreter's graph", node ? node->name : "NULL");
}

fx_status fx_interpreter_override(fx_interpreter *it, fx_node *node, fx_run_fn run, void *user)
{
    FX_TRY(fx__interpreter_check_node(it, node));
    fx_run_override *entry = FX_NEW(it->arena, fx_run_override);
    if (!entry) return FX_E_OOM;
    *entry = (fx_run_override){run, user};
    return fx__map_put(&it->overrides, node, entry) ? FX_OK : FX_E_OOM;
}

fx_status fx__interpreter_give(fx_interpreter *it, fx_node *node, const fx_tensor *tensors, int32_t n, bool tuple)
{
    FX_TRY(fx__interpreter_check_node(it, node));
    if (n < 1 || n > FX_RUN_RESULTS || !tensors) return fx__diag_node(node, FX_E_ARG, "%d tensors are no value for a node", (int)n);
    fx_run_value *v = FX_NEW(it->arena, fx_run_value);
    fx_tensor *copy = FX_NEW_ARRAY(it->arena, fx_tensor, n);
    if (!v || !copy) return FX_E_OOM;
    memcpy(copy, tensors, (size_t)n * sizeof *copy);
    *v = (fx_run_value){.tensor = copy, .n = n, .tuple = tuple};
    it->n_given++;
    return fx__map_put(&it->given, node, v) ? FX_OK : FX_E_OOM;
}

fx_status fx_interpreter_give(fx_interpreter *it, fx_node *node, const fx_tensor *tensors, int32_t n)
{
    return fx__interpreter_give(it, node, tensors, n, n > 1);
}

void fx_interpreter_forget(fx_interpreter *it)
{
    fx__map_init(&it->given, it->arena);
    it->n_given = 0;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

const fx_tensor *fx_interpreter_value(const fx_interpreter *it, const fx_node *node, int32_t result)
{
    const fx_run_value *v = node ? fx__interpreter_value(it, node) : NULL;
    return v && result >= 0 && result < v->n ? &v->tensor[result] : NULL;
}

static void release_inputs(const fx_interpreter *it, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs && !it->keep; i++) {
        fx_run_value *v = fx__interpreter_value(it, node->inputs[i]);
        if (--v->uses == 0) value_free(v);
    }
    if (node->n_users == 0 && !it->keep) value_free(fx__interpreter_value(it, node));
}

/* The twin gets the types of the tensors that there are. */
static fx_status settle(const fx_interpreter *it, const fx_node *node, const fx_run_value *v)
{
    fx_node *twin = it->twin[node->id];
    twin->n_result = 0;
    for (int32_t r = 0; r < v->n; r++) {
        fx_type type = fx__type_of_tensor(&v->tensor[r]);
        FX_TRY(fx_node_set_type(twin, r, &type));
    }
    return FX_OK;
}

static fx_status put_value(fx_interpreter *it, const fx_node *node, const fx_results *results)
{
    fx_run_value *v = fx__interpreter_value(it, node);
    v->owned = !results->borrowed;
    v->tuple = results->tuple || results->n > 1;
    v->tensor = FX_NEW_ARRAY(it->scratch, fx_tensor, results->n + 1);
    if (!v->tensor) return FX_E_OOM;
    memcpy(v->tensor, results->tensor, (size_t)results->n * sizeof *v->tensor);
    v->n = results->n;
    return settle(it, node, v);
}

static void drop_results(const fx_results *results)
{
    for (int32_t r = 0; r < results->n && r < FX_RUN_RESULTS && !results->borrowed; r++)
        fx_tensor_release(&(fx_tensor){.data = results->tensor[r].data});
}

/* ---- A run ----------------------------------------------------------------------------------------------------------------- */

static fx_status give_tensor(fx_interpreter *it, const fx_tensor *from, int32_t at, bool *made)
{
    fx_tensor *to = &it->outputs[at];
    if (!to->data) {
        FX_TRY(fx_tensor_alloc(from->dtype, from->rank, from->dim, to));
        made[at] = true;
    }
    fx_status status = fx_tensor_copy(to, from);
    if (status == FX_OK) return FX_OK;
    return fx__diag(it->context, status, NULL, "output %d: the memory given has another type or shape", (int)at);
}

typedef struct collector {
    fx_interpreter *it;
    bool *made;
    int32_t n;
    fx_status status;
} collector;

static void collect(void *user, fx_node *node)
{
    collector *c = user;
    const fx_run_value *v = fx__interpreter_value(c->it, node);
    for (int32_t r = 0; r < v->n && c->status == FX_OK; r++, c->n++)
        if (c->n < c->it->n_outputs) c->status = give_tensor(c->it, &v->tensor[r], c->n, c->made);
}

static fx_status give_outputs(fx_interpreter *it, const fx_node *output, const fx_results *results)
{
    collector c = {.it = it, .made = FX_NEW_ARRAY(it->scratch, bool, it->n_outputs + 1)};
    if (!c.made) return FX_E_OOM;
    for (int32_t r = 0; r < results->n && c.status == FX_OK; r++, c.n++)
        if (c.n < it->n_outputs) c.status = give_tensor(it, &results->tensor[r], c.n, c.made);
    if (results->n == 0) fx__attr_each_node(&output->args, collect, &c);
    if (c.status == FX_OK && c.n != it->n_outputs)
        c.status = fx__diag(it->context, FX_E_ARG, NULL, "%d outputs given; the graph has %d", (int)it->n_outputs, (int)c.n);
    for (int32_t i = 0; i < it->n_outputs && c.status != FX_OK; i++)
        if (c.made[i]) fx_tensor_release(&it->outputs[i]);
    return c.status;
}

static fx_status describe(const fx_node *node, fx_status status)
{
    char *line = fx_node_to_string(node);
    fx__diag_note(node->graph->context, &node->loc, "while executing %s", line ? line : node->name);
    fx_text_free(line);
    return status;
}

static fx_status run_node(fx_interpreter *it, fx_node *node)
{
    fx_results results = {.n = 0};
    fx_run_fn hook = it->hooks.node;
    fx_status status = hook ? hook(it->hooks.user, it, node, &results) : fx_interpreter_dispatch(it, node, &results);
    if (status == FX_OK && (results.n < 0 || results.n > FX_RUN_RESULTS)) {
        results.n = 0;
        status = fx__diag_node(node, FX_E_ARG, "its function gave an impossible number of results");
    }
    if (status == FX_OK && node->opcode == FX_OUTPUT) {
        status = give_outputs(it, node, &results);
        drop_results(&results);
    } else if (status == FX_OK) {
        status = put_value(it, node, &results);
        if (status != FX_OK && !fx__interpreter_value(it, node)->tensor) drop_results(&results);
    } else {
        drop_results(&results);
    }
    if (status != FX_OK) return describe(node, status);
    release_inputs(it, node);
    return FX_OK;
}

/* What only nodes with given values need is not executed. */
static void mark_skipped(const fx_interpreter *it)
{
    for (fx_node *node = it->graph->last; node && it->n_given; node = node->prev) {
        fx_run_value *v = fx__interpreter_value(it, node);
        bool needed = node->n_users == 0;
        for (int32_t i = 0; i < node->n_users; i++) needed |= !fx__interpreter_value(it, node->users[i])->skipped;
        v->skipped = !needed || fx__map_get(&it->given, node) != NULL;
    }
}

static fx_status take_given(fx_interpreter *it, const fx_node *node)
{
    fx_run_value *v = fx__interpreter_value(it, node);
    const fx_run_value *given = fx__map_get(&it->given, node);
    if (!given) {
        it->n_taken += node->opcode == FX_PLACEHOLDER && it->n_taken < it->n_inputs; /* its input goes with it */
        return FX_OK;
    }
    *v = *given;
    v->skipped = true;
    v->uses = INT32_MAX; /* borrowed: it stays */
    return settle(it, node, v);
}

/* Numbers in the place of symbols. */
typedef struct symbol_values {
    const fx_dims *dims;
    const int64_t *syms;
} symbol_values;

static fx_attr number_of(void *user, const fx_attr *item)
{
    const symbol_values *values = user;
    return item->kind == FX_ATTR_SYMINT ? fx_int(fx__dim_eval(values->dims, item->u.dim, values->syms)) : *item;
}

static fx_status make_numbers(fx_node *twin, const int64_t *syms)
{
    symbol_values values = {twin->graph->dims, syms};
    fx_attr args, kwargs;
    if (!fx__attr_has_symbol(&twin->args) && !fx__attr_has_symbol(&twin->kwargs)) return FX_OK;
    FX_TRY(fx_attr_map(twin->graph, &twin->args, number_of, &values, &args));
    FX_TRY(fx_attr_map(twin->graph, &twin->kwargs, number_of, &values, &kwargs));
    return fx_node_set_args(twin, args, kwargs);
}

/* The tensors of all placeholders; fewer when some are None or not needed. */
static int32_t all_inputs(const fx_interpreter *it, fx_tensor *out)
{
    int32_t n = 0, taken = 0;
    FX_EACH_NODE(node, it->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_run_value *given = fx__map_get(&it->given, node);
        if (given)
            out[n++] = given->tensor[0];
        else if (taken < it->n_inputs)
            out[n++] = it->inputs[taken++];
        else
            return -1;
    }
    return n;
}

/* Values of the symbols, from the inputs when all are there; without symbols there is nothing to read. */
static fx_status read_symbols(const fx_interpreter *it, int64_t **out)
{
    int32_t n_syms = fx__dims_sym_count(it->graph->dims);
    fx_tensor *inputs = FX_NEW_ARRAY(it->scratch, fx_tensor, it->graph->n_nodes + 1);
    *out = FX_NEW_ARRAY(it->scratch, int64_t, n_syms + 1);
    if (!inputs || !*out) return FX_E_OOM;
    int32_t n = all_inputs(it, inputs);
    if (n >= 0) return fx__interp_check_inputs(it->graph, inputs, n, *out);
    for (int32_t s = 0; s < n_syms; s++) (*out)[s] = fx__dims_sym(it->graph->dims, s)->hint;
    return FX_OK;
}

static fx_status pair_twins(fx_interpreter *it)
{
    const int64_t *syms = NULL;
    int64_t *values;
    FX_TRY(read_symbols(it, &values));
    syms = values;
    fx_node *twin = it->twins->first;
    for (fx_node *node = it->graph->first; node; node = node->next, twin = twin->next) {
        it->twin[node->id] = twin;
        it->values[node->id].uses = node->n_users;
        FX_TRY(make_numbers(twin, syms));
    }
    it->twins->core = false; /* arguments may be anything that the graph has, and types come from tensors */
    return FX_OK;
}

static fx_status begin_run(fx_interpreter *it)
{
    end_run(it);
    it->n_taken = 0;
    it->scratch = fx__arena_new(it->context);
    it->twins = it->scratch ? fx_graph_clone(it->graph) : NULL;
    if (!it->twins) return fx__diag_failure(it->context, FX_E_GRAPH);
    it->values = FX_NEW_ARRAY(it->scratch, fx_run_value, it->graph->next_id + 1);
    it->twin = FX_NEW_ARRAY(it->scratch, fx_node *, it->graph->next_id + 1);
    if (!it->values || !it->twin) return FX_E_OOM;
    it->n_values = it->graph->next_id + 1;
    return pair_twins(it);
}

static fx_status run_nodes(fx_interpreter *it)
{
    if (!fx_graph_output_node(it->graph)) return fx__diag(it->context, FX_E_GRAPH, NULL, "the graph has no output");
    mark_skipped(it);
    FX_EACH_NODE(node, it->graph)
    {
        if (fx__interpreter_value(it, node)->skipped)
            FX_TRY(take_given(it, node));
        else
            FX_TRY(run_node(it, node));
    }
    return FX_OK;
}

/* How many inputs a run may take: one for every placeholder without a given value. */
static fx_status count_inputs(const fx_interpreter *it)
{
    int32_t n = 0;
    FX_EACH_NODE(node, it->graph) n += node->opcode == FX_PLACEHOLDER && !fx__map_get(&it->given, node);
    if (it->n_inputs <= n) return FX_OK;
    return fx__diag(it->context, FX_E_ARG, NULL, "%d inputs given; the graph takes %d", (int)it->n_inputs, (int)n);
}

fx_status fx_interpreter_run(fx_interpreter *it, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, int32_t n_outputs)
{
    it->inputs = inputs;
    it->n_inputs = n_inputs;
    it->outputs = outputs;
    it->n_outputs = n_outputs;
    FX_TRY(count_inputs(it));
    fx_status status = begin_run(it);
    if (status == FX_OK) status = run_nodes(it);
    if (status != FX_OK || !it->keep) end_run(it);
    return status;
}
