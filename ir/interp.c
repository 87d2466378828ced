/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp.c: a run of the interpreter: nodes in order, each done by a function of the interpreter's owner or by ir/interp_step.c,
 * values freed after their last use; then the outputs, and last what others see of changes. A run works on the graph itself when
 * its types are known and nobody interferes; else on a copy, which takes the types of the tensors at hand and has numbers for
 * symbols. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <string.h>

typedef fx_interp_value value;

/* ---- Begin and end ---------------------------------------------------------------------------------------------------------- */

static fx_status pair_nodes(fx_interp *it)
{
    it->there = FX_NEW_ARRAY(it->shared->arena, fx_node *, it->graph->next_id + 1);
    it->here = FX_NEW_ARRAY(it->shared->arena, fx_node *, it->source->next_id + 1);
    if (!it->there || !it->here) return FX_E_OOM;
    it->n_here = it->source->next_id + 1;
    fx_node *here = it->graph->first;
    for (fx_node *node = it->source->first; node; node = node->next, here = here->next) {
        it->there[here->id] = node;
        it->here[node->id] = here;
    }
    it->graph->core = false; /* arguments may be anything that the graph has, and types come from tensors */
    return FX_OK;
}

fx_status fx__interp_begin(fx_interp *it, bool copied)
{
    it->graph = copied ? fx_graph_clone(it->source) : it->source;
    if (!it->graph) return fx__diag_failure(it->context, FX_E_GRAPH);
    it->n_syms = fx__dims_sym_count(it->graph->dims);
    it->values = FX_NEW_ARRAY(it->shared->arena, value, it->graph->next_id + 1);
    it->syms = FX_NEW_ARRAY(it->shared->arena, int64_t, it->n_syms + 1);
    if (!it->values || !it->syms) return FX_E_OOM;
    FX_EACH_NODE(node, it->graph) fx__interp_value_of(it, node)->uses = node->n_users;
    return copied ? pair_nodes(it) : FX_OK;
}

void fx__interp_end(fx_interp *it)
{
    if (!it->graph) return;
    for (int32_t id = 0; it->values && id <= it->graph->next_id; id++) fx__interp_value_free(&it->values[id]);
    if (it->graph != it->source) fx_graph_free(it->graph);
    it->graph = NULL;
}

/* ---- Symbols ---------------------------------------------------------------------------------------------------------------- */

/* Numbers in the place of symbols. */
static fx_attr number_of(void *user, const fx_attr *item)
{
    const fx_interp *it = user;
    return item->kind == FX_ATTR_SYMINT ? fx_int(fx__dim_eval(it->graph->dims, item->u.dim, it->syms)) : *item;
}

static fx_status make_numbers(fx_interp *it, fx_node *node)
{
    fx_attr args, kwargs;
    if (!fx__attr_has_symbol(&node->args) && !fx__attr_has_symbol(&node->kwargs)) return FX_OK;
    FX_TRY(fx_attr_map(it->graph, &node->args, number_of, it, &args));
    FX_TRY(fx_attr_map(it->graph, &node->kwargs, number_of, it, &kwargs));
    return fx_node_set_args(node, args, kwargs);
}

/* The tensors of all placeholders; -1 when some are missing. */
static int32_t all_inputs(const fx_interp *it, fx_tensor *out)
{
    int32_t n = 0, taken = 0;
    FX_EACH_NODE(node, it->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const value *given = fx__interp_value_of(it, node);
        if (given->n == 0 && taken == it->n_inputs) return -1;
        out[n++] = given->n ? given->tensor[0] : it->inputs[taken++];
    }
    return n;
}

fx_status fx__interp_read_symbols(fx_interp *it)
{
    fx_tensor *inputs = FX_NEW_ARRAY(it->shared->arena, fx_tensor, it->graph->n_nodes + 1);
    if (!inputs) return FX_E_OOM;
    int32_t n = all_inputs(it, inputs);
    if (n >= 0) FX_TRY(fx__interp_check_inputs(it->source, inputs, n, it->syms));
    for (int32_t s = 0; n < 0 && s < it->n_syms; s++) it->syms[s] = fx__dims_sym(it->graph->dims, s)->hint;
    FX_EACH_NODE(node, it->graph)
    if (it->there) FX_TRY(make_numbers(it, node));
    return FX_OK;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------ */

/* The copy gets the types of the tensors that there are. */
static fx_status settle_type(const fx_interp *it, fx_node *node)
{
    const value *v = fx__interp_value_of(it, node);
    if (!it->there) return FX_OK;
    node->n_result = 0;
    for (int32_t r = 0; r < v->n; r++) {
        fx_type type = fx__type_of_tensor(&v->tensor[r]);
        FX_TRY(fx_node_set_type(node, r, &type));
    }
    return FX_OK;
}

static void release_inputs(const fx_interp *it, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs && !it->keep; i++) {
        value *v = fx__interp_value_of(it, node->inputs[i]);
        if (--v->uses == 0) fx__interp_value_free(v);
    }
    if (fx__interp_value_of(it, node)->uses == 0 && !it->keep) fx__interp_value_free(fx__interp_value_of(it, node));
}

/* Memory that a function lent: a view of one of the node's inputs lies in its block. */
static bool lies_in(const fx_interp_block *block, const fx_tensor *tensor)
{
    const char *first = block->whole.data, *data = tensor->data;
    int64_t bytes = fx_tensor_bytes(&block->whole);
    return fx_tensor_is_contiguous(&block->whole) ? data >= first && data < first + bytes : data == first;
}

static fx_interp_block *block_in(const value *v, const fx_tensor *tensor)
{
    for (int32_t r = 0; r < v->n; r++)
        if (lies_in(v->block[r], tensor)) return v->block[r];
    return NULL;
}

static fx_interp_block *block_of(const fx_interp *it, const fx_node *node, const fx_tensor *tensor)
{
    fx_interp_block *found = block_in(fx__interp_value_of(it, node), tensor); /* of fx_interpreter_compute */
    for (int32_t i = 0; !found && i < node->n_inputs; i++) found = block_in(fx__interp_value_of(it, node->inputs[i]), tensor);
    return found;
}

static fx_status put_one(const fx_interp *it, const fx_node *node, value *v, int32_t r, const fx_results *results)
{
    const fx_tensor *tensor = &results->tensor[r];
    fx_interp_block *block = results->borrowed ? block_of(it, node, tensor) : NULL;
    v->tensor[r] = *tensor;
    if (block) fx__interp_value_lie_in(v, r, block);
    if (block) return FX_OK;
    return results->borrowed ? fx__interp_value_lend(it, v, r, tensor) : fx__interp_value_own(it, v, r, tensor);
}

fx_status fx__interp_put(fx_interp *it, const fx_node *node, const fx_results *results)
{
    value *v = fx__interp_value_of(it, node), made = {.n = 0};
    int32_t done = 0;
    fx_status status = fx__interp_value_new(it, &made, results->n);
    for (; done < results->n && status == FX_OK; done += status == FX_OK) status = put_one(it, node, &made, done, results);
    for (int32_t r = done; r < results->n && !results->borrowed; r++)
        fx_tensor_release(&(fx_tensor){.data = results->tensor[r].data});
    fx__interp_value_free(v);
    made.uses = v->uses;
    made.tuple = results->tuple || results->n > 1;
    *v = made;
    return status;
}

static fx_status describe(const fx_node *node, fx_status status)
{
    char *line = fx_node_to_string(node);
    fx__diag_note(node->graph->context, &node->loc, "while executing %s", line ? line : node->name);
    fx_text_free(line);
    return status;
}

static fx_status run_node(fx_interp *it, fx_node *node)
{
    value *v = fx__interp_value_of(it, node);
    fx_node *origin = fx__interp_origin(it, node);
    bool is_replaced = it->owner && fx__interpreter_has_function(it->owner, origin);
    fx_status status = is_replaced ? fx__interpreter_call(it->owner, origin) : fx__interp_step(it, node, v);
    if (status == FX_OK) status = settle_type(it, node);
    if (status != FX_OK) return describe(origin, status);
    release_inputs(it, node);
    return FX_OK;
}

/* Write-backs take place at the end: their values and what they go to stay until then. */
static bool stays(const fx_interp *it, const fx_node *node)
{
    return it->source->core && (fx__is_write_back(node) || fx__is_written_back(node));
}

fx_status fx__interp_run_nodes(fx_interp *it)
{
    FX_EACH_NODE(node, it->graph)
    {
        value *v = fx__interp_value_of(it, node);
        if (node->opcode == FX_OUTPUT) return FX_OK;
        v->uses += stays(it, node);
        if (v->skipped) {
            it->n_taken += node->opcode == FX_PLACEHOLDER && v->n == 0 && it->n_taken < it->n_inputs; /* its input goes with it */
            FX_TRY(settle_type(it, node));
        } else {
            FX_TRY(run_node(it, node));
        }
    }
    return fx__diag(it->context, FX_E_GRAPH, NULL, "the graph has no output");
}

/* ---- Outputs ---------------------------------------------------------------------------------------------------------------- */

typedef struct collector {
    const fx_interp *it;
    const fx_interp_outputs *to;
    bool *made; /* memory of ours */
    int32_t n;
    fx_status status;
} collector;

static fx_status give_bound(const value *v, int32_t r, fx_tensor *to)
{
    FX_TRY(fx_tensor_alloc(FX_F64, v->tensor[r].rank, v->tensor[r].dim, to));
    return v->error ? fx_tensor_copy(to, &v->error[r]) : FX_OK;
}

static fx_status give_tensor(const collector *c, const value *v, int32_t r)
{
    const fx_tensor *from = &v->tensor[r];
    fx_tensor *to = &c->to->tensor[c->n];
    c->made[c->n] = !to->data;
    fx_status status = to->data ? FX_OK : fx_tensor_alloc(from->dtype, from->rank, from->dim, to);
    if (status == FX_OK) status = fx_tensor_copy(to, from);
    if (status == FX_E_TYPE || status == FX_E_SHAPE)
        return fx__diag(c->it->context, status, NULL, "output %d: the memory given has another type or shape", (int)c->n);
    return status == FX_OK && c->to->bound ? give_bound(v, r, &c->to->bound[c->n]) : status;
}

static void collect_value(collector *c, const value *v)
{
    for (int32_t r = 0; r < v->n && c->status == FX_OK; r++, c->n++)
        if (c->n < c->to->n) c->status = give_tensor(c, v, r);
}

static void collect(void *user, fx_node *node)
{
    collector *c = user;
    collect_value(c, fx__interp_value_of(c->it, node));
}

static fx_status give_outputs(fx_interp *it, fx_node *output, collector *c)
{
    fx_node *origin = fx__interp_origin(it, output);
    bool is_replaced = it->owner && fx__interpreter_has_function(it->owner, origin);
    fx_status status = is_replaced ? fx__interpreter_call(it->owner, origin) : fx__interp_step(it, output, NULL);
    const value *instead = fx__interp_value_of(it, output);
    if (status != FX_OK) return describe(origin, status);
    if (instead->n)
        collect_value(c, instead);
    else
        fx__attr_each_node(&output->args, collect, c);
    if (c->status != FX_OK || c->n == c->to->n) return c->status;
    return fx__diag(it->context, FX_E_ARG, NULL, "%d outputs given; the graph has %d", (int)c->to->n, (int)c->n);
}

static void take_outputs_back(const collector *c)
{
    for (int32_t i = 0; i < c->to->n; i++) {
        if (c->made[i]) fx_tensor_release(&c->to->tensor[i]);
        if (c->to->bound) fx_tensor_release(&c->to->bound[i]);
    }
}

fx_status fx__interp_run(fx_interp *it, const fx_interp_outputs *outputs)
{
    collector c = {.it = it, .to = outputs, .made = FX_NEW_ARRAY(it->shared->arena, bool, outputs->n + 1)};
    fx_status status = c.made ? fx__interp_run_nodes(it) : FX_E_OOM;
    if (status == FX_OK) status = give_outputs(it, fx_graph_output_node(it->graph), &c);
    if (status == FX_OK) status = fx__interp_write_back(it);
    fx__interp_settle_writes(it->shared, status == FX_OK);
    if (status != FX_OK && c.made) take_outputs_back(&c);
    return status;
}

/* ---- Plain runs ------------------------------------------------------------------------------------------------------------- */

static bool is_typed(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode != FX_OUTPUT && node->opcode != FX_GET_ATTR && node->n_result == 0) return false;
    return true;
}

static bool has_inner(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode == FX_CALL_MODULE || node->body) return true;
    return false;
}

static int32_t count_placeholders(const fx_graph *graph)
{
    int32_t n = 0;
    FX_EACH_NODE(node, graph) n += node->opcode == FX_PLACEHOLDER;
    return n;
}

static fx_status run_plain(fx_interp *it, const fx_interp_outputs *outputs)
{
    int32_t n = count_placeholders(it->source);
    if (n != it->n_inputs) return fx__diag(it->context, FX_E_ARG, NULL, "%d inputs given; the graph has %d", it->n_inputs, n);
    it->mutates = fx__interp_mutates(it->source);
    it->all_errors = it->bounds && (it->mutates || has_inner(it->source));
    FX_TRY(fx__interp_begin(it, !is_typed(it->source)));
    FX_TRY(fx__interp_read_symbols(it));
    return fx__interp_run(it, outputs);
}

fx_status fx__interp_module(fx_module *module, const fx_interp_memory *memory, const fx_tensor *inputs, int32_t n_inputs,
                            fx_tensor *outputs, fx_tensor *bounds, int32_t n_outputs)
{
    fx_context *context = fx_module_context(module);
    fx_interp_shared shared = {.arena = fx__arena_new(context)};
    if (!shared.arena) return FX_E_OOM;
    fx__map_init(&shared.tensors, shared.arena);
    fx_interp it = {.context = context,
                    .module = module,
                    .source = fx_module_graph(module),
                    .memory = memory,
                    .shared = &shared,
                    .inputs = inputs,
                    .n_inputs = n_inputs,
                    .bounds = bounds != NULL};
    for (int32_t i = 0; bounds && i < n_outputs; i++) bounds[i] = (fx_tensor){0};
    fx_status status = run_plain(&it, &(fx_interp_outputs){outputs, bounds, n_outputs});
    fx__interp_end(&it);
    fx__arena_free(shared.arena);
    return status;
}
