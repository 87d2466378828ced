/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interpreter.c: the interpreter whose every step may be replaced (fxjit/interp.h): settings around the runs of ir/interp.c, and
 * the functions that a program puts in the place of steps, which see the nodes of the graph itself and values as tensors. */
#include "ir/interp_state.h"
#include <string.h>

typedef struct override {
    fx_run_fn run;
    void *user;
} override;

typedef struct given_value {
    fx_tensor *tensor;
    int32_t n;
} given_value;

struct fx_interpreter {
    fx_context *context;
    fx_graph *graph;
    fx_arena *arena;
    fx_map overrides; /* node -> override * */
    fx_map given;     /* node -> given_value * */
    int32_t n_given;
    fx_interp_hooks hooks;
    bool keep;
    fx_interp_shared shared; /* of the run; arena NULL: there is none */
    fx_interp run;
};

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
    it->arena = arena;
    fx__map_init(&it->overrides, arena);
    fx__map_init(&it->given, arena);
    return it;
}

static void end_run(fx_interpreter *it)
{
    fx__interp_end(&it->run);
    fx__arena_free(it->shared.arena);
    it->shared = (fx_interp_shared){.arena = NULL};
    it->run = (fx_interp){.owner = NULL};
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

static fx_status check_node(const fx_interpreter *it, const fx_node *node)
{
    if (node && node->graph == it->graph && !node->erased) return FX_OK;
    return fx__diag(it->context, FX_E_GRAPH, NULL, "node %s is not in the interpreter's graph", node ? node->name : "NULL");
}

fx_status fx_interpreter_override(fx_interpreter *it, fx_node *node, fx_run_fn run, void *user)
{
    FX_TRY(check_node(it, node));
    override *entry = FX_NEW(it->arena, override);
    if (!entry) return FX_E_OOM;
    *entry = (override){run, user};
    return fx__map_put(&it->overrides, node, entry) ? FX_OK : FX_E_OOM;
}

fx_status fx_interpreter_give(fx_interpreter *it, fx_node *node, const fx_tensor *tensors, int32_t n)
{
    FX_TRY(check_node(it, node));
    if (n < 1 || n > FX_RUN_RESULTS || !tensors) return fx__diag_node(node, FX_E_ARG, "%d tensors are no value for a node", (int)n);
    given_value *given = FX_NEW(it->arena, given_value);
    fx_tensor *copy = FX_NEW_ARRAY(it->arena, fx_tensor, n);
    if (!given || !copy) return FX_E_OOM;
    memcpy(copy, tensors, (size_t)n * sizeof *copy);
    *given = (given_value){copy, n};
    it->n_given++;
    return fx__map_put(&it->given, node, given) ? FX_OK : FX_E_OOM;
}

void fx_interpreter_forget(fx_interpreter *it)
{
    fx__map_init(&it->given, it->arena);
    it->n_given = 0;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

/* Of a node of the caller's graph; NULL: not running, or another graph's. */
static fx_interp_value *value_of(const fx_interpreter *it, const fx_node *node)
{
    bool known = it->run.here && node && node->graph == it->graph && node->id < it->run.n_here;
    const fx_node *here = known ? it->run.here[node->id] : NULL;
    return here ? fx__interp_value_of(&it->run, here) : NULL;
}

const fx_tensor *fx_interpreter_value(const fx_interpreter *it, const fx_node *node, int32_t result)
{
    const fx_interp_value *v = value_of(it, node);
    return v && result >= 0 && result < v->n ? &v->tensor[result] : NULL;
}

static fx_status give_value(fx_interpreter *it, const fx_node *node, const given_value *given)
{
    fx_interp_value *v = value_of(it, node);
    FX_TRY(fx__interp_value_new(&it->run, v, given->n));
    for (int32_t r = 0; r < given->n; r++) FX_TRY(fx__interp_value_lend(&it->run, v, r, &given->tensor[r]));
    v->tuple = given->n > 1;
    v->skipped = true;
    return FX_OK;
}

/* What only nodes with given values need is not executed. */
static fx_status give_values(fx_interpreter *it)
{
    for (fx_node *node = it->graph->last; node && it->n_given; node = node->prev) {
        const given_value *given = fx__map_get(&it->given, node);
        bool needed = node->n_users == 0;
        for (int32_t i = 0; i < node->n_users; i++) needed |= !value_of(it, node->users[i])->skipped;
        value_of(it, node)->skipped = !needed;
        if (given) FX_TRY(give_value(it, node, given));
    }
    return FX_OK;
}

/* ---- Functions ------------------------------------------------------------------------------------------------------------- */

static const override *override_of(const fx_interpreter *it, const fx_node *node)
{
    const override *own = fx__map_get(&it->overrides, node);
    return own && own->run ? own : NULL;
}

bool fx__interpreter_has_function(const fx_interpreter *it, const fx_node *node)
{
    return it->hooks.node || it->hooks.opcode[node->opcode] || override_of(it, node);
}

fx_status fx_interpreter_dispatch(fx_interpreter *it, fx_node *node, fx_results *results)
{
    FX_TRY(check_node(it, node));
    const override *own = override_of(it, node);
    if (own) return own->run(own->user, it, node, results);
    fx_run_fn hook = it->hooks.opcode[node->opcode];
    return hook ? hook(it->hooks.user, it, node, results) : fx_interpreter_compute(it, node, results);
}

static void drop_results(const fx_results *results)
{
    for (int32_t r = 0; r < results->n && r < FX_RUN_RESULTS && !results->borrowed; r++)
        fx_tensor_release(&(fx_tensor){.data = results->tensor[r].data});
}

fx_status fx__interpreter_call(fx_interpreter *it, fx_node *node)
{
    fx_results results = {.n = 0};
    fx_run_fn hook = it->hooks.node;
    fx_status status = hook ? hook(it->hooks.user, it, node, &results) : fx_interpreter_dispatch(it, node, &results);
    if (status == FX_OK && (results.n < 0 || results.n > FX_RUN_RESULTS))
        return fx__diag_node(node, FX_E_ARG, "its function gave an impossible number of results");
    if (status == FX_OK) return fx__interp_put(&it->run, it->run.here[node->id], &results);
    drop_results(&results);
    return status;
}

/* Memory that nobody else sees becomes the function's; what is shared stays the value's, and the results borrow it. */
static bool is_alone(const fx_interp_value *v)
{
    for (int32_t r = 0; r < v->n; r++)
        if (!v->block[r]->owned || v->block[r]->refs > 1 || v->tensor[r].data != v->block[r]->whole.data) return false;
    return true;
}

static void hand_over(fx_interp_value *v, fx_results *results)
{
    memcpy(results->tensor, v->tensor, (size_t)v->n * sizeof *v->tensor);
    results->n = v->n;
    results->tuple = v->tuple;
    results->borrowed = !is_alone(v);
    if (results->borrowed) return;
    for (int32_t r = 0; r < v->n; r++) v->block[r]->owned = false;
    fx__interp_value_free(v);
}

fx_status fx_interpreter_compute(fx_interpreter *it, fx_node *node, fx_results *results)
{
    FX_TRY(check_node(it, node));
    fx_interp_value *v = value_of(it, node);
    if (!v) return fx__diag_node(node, FX_E_ARG, "the interpreter is not running");
    FX_TRY(fx__interp_step(&it->run, it->run.here[node->id], v));
    if (v->n > FX_RUN_RESULTS) return fx__diag_node(node, FX_E_UNSUPPORTED, "%d results", (int)v->n);
    if (v->n) hand_over(v, results);
    return FX_OK;
}

/* ---- Runs ------------------------------------------------------------------------------------------------------------------ */

/* One for every placeholder without a given value. */
static fx_status count_inputs(const fx_interpreter *it, int32_t n_inputs)
{
    int32_t n = 0;
    FX_EACH_NODE(node, it->graph) n += node->opcode == FX_PLACEHOLDER && !fx__map_get(&it->given, node);
    if (n_inputs <= n) return FX_OK;
    return fx__diag(it->context, FX_E_ARG, NULL, "%d inputs given; the graph takes %d", (int)n_inputs, (int)n);
}

static fx_status begin_run(fx_interpreter *it, const fx_tensor *inputs, int32_t n_inputs)
{
    it->shared.arena = fx__arena_new(it->context);
    if (!it->shared.arena) return FX_E_OOM;
    fx__map_init(&it->shared.tensors, it->shared.arena);
    it->run = (fx_interp){.context = it->context,
                          .module = it->graph->module,
                          .source = it->graph,
                          .shared = &it->shared,
                          .owner = it,
                          .inputs = inputs,
                          .n_inputs = n_inputs,
                          .mutates = fx__interp_mutates(it->graph),
                          .keep = it->keep};
    FX_TRY(fx__interp_begin(&it->run, true));
    FX_TRY(give_values(it));
    return fx__interp_read_symbols(&it->run);
}

fx_status fx_interpreter_run(fx_interpreter *it, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, int32_t n_outputs)
{
    end_run(it);
    FX_TRY(count_inputs(it, n_inputs));
    fx_status status = begin_run(it, inputs, n_inputs);
    if (status == FX_OK) status = fx__interp_run(&it->run, &(fx_interp_outputs){outputs, NULL, n_outputs});
    if (status != FX_OK || !it->keep) end_run(it);
    return status;
}
