/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_capture.c: what every node computes: the interpreter runs a copy of the graph whose outputs are all its values, and so
 * derives the bounds of each. */
#include "frontend/bisect.h"
#include "ir/in_place.h"
#include "ir/interp.h"

bool fx__capture_has_value(const fx_node *node)
{
    if (node->opcode != FX_CALL_FUNCTION && node->opcode != FX_CALL_METHOD && node->opcode != FX_CALL_MODULE) return false;
    if (fx__is_write_back(node) || fx__in_place_kind(node) != FX_IN_PLACE_NONE || fx__alias_tuple(node)) return false;
    return node->n_result == 1 && (!node->op || fx__op_schema_results(node->op) == 1);
}

/* The copy's output becomes all values, in order. Write-backs are no part of what is asked. */
static fx_status give_all(fx_graph *graph, fx_arena *arena, int32_t *out_n)
{
    fx_attr *items = FX_NEW_ARRAY(arena, fx_attr, graph->n_nodes + 1);
    if (!items) return FX_E_OOM;
    *out_n = 0;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        if (fx__is_write_back(node) && node->n_users == 0) FX_TRY(fx_graph_erase(graph, node));
    }
    FX_EACH_NODE(node, graph)
    if (fx__capture_has_value(node)) items[(*out_n)++] = fx_node_attr(node);
    fx_node *output = fx_graph_output_node(graph);
    if (!output) return fx__diag(graph->context, FX_E_GRAPH, NULL, "the graph has no output");
    fx_attr all = fx_tuple(graph, items, *out_n), args = fx_tuple(graph, &all, 1);
    if (args.kind == FX_ATTR_NONE) return FX_E_OOM;
    return fx_node_set_args(output, args, fx_none());
}

static void take_inputs(const fx_graph *graph, const fx_tensor *inputs, int32_t n_inputs, fx_capture *out)
{
    int32_t i = 0;
    FX_EACH_NODE(node, graph)
    if (node->opcode == FX_PLACEHOLDER && i < n_inputs) out->value[node->id] = inputs[i++];
}

static fx_status run_copy(fx_module *copy, const fx_tensor *inputs, int32_t n_inputs, bool bounds, fx_capture *out)
{
    FX_TRY(give_all(copy->graph, out->arena, &out->n_made));
    out->made = FX_NEW_ARRAY(out->arena, fx_tensor, out->n_made + 1);
    out->limit = FX_NEW_ARRAY(out->arena, fx_tensor, out->n_made + 1);
    if (!out->made || !out->limit) return FX_E_OOM;
    return fx__interp_module(copy, NULL, inputs, n_inputs, out->made, bounds ? out->limit : NULL, out->n_made);
}

/* The values in f64; nothing changes where the graph cannot be run so. */
static fx_status narrow_bounds(const fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_capture *out)
{
    int32_t n;
    fx_tensor *in = FX_NEW_ARRAY(out->arena, fx_tensor, n_inputs + 1), *wide = FX_NEW_ARRAY(out->arena, fx_tensor, out->n_made + 1);
    if (!in || !wide) return FX_E_OOM;
    fx_diag_mark mark = fx__diag_mark(module->context);
    fx_module *copy = fx__tolerance_module(module);
    fx_status status = copy ? give_all(copy->graph, out->arena, &n) : FX_E_UNSUPPORTED;
    if (status == FX_OK) status = fx__tolerance_widen(inputs, n_inputs, in);
    if (status == FX_OK && n == out->n_made) status = fx__interp_module(copy, NULL, in, n_inputs, wide, NULL, n);
    for (int32_t i = 0; i < out->n_made && status == FX_OK; i++) fx__tolerance_narrow(&out->made[i], &wide[i], &out->limit[i]);
    fx__tensors_release(in, n_inputs);
    fx__tensors_release(wide, out->n_made);
    if (copy) fx_module_free(copy);
    fx__diag_rewind(module->context, mark);
    return status == FX_E_OOM ? status : FX_OK;
}

static void take_values(const fx_graph *graph, bool bounds, fx_capture *out)
{
    int32_t i = 0;
    FX_EACH_NODE(node, graph)
    {
        if (!fx__capture_has_value(node)) continue;
        out->value[node->id] = out->made[i];
        if (bounds) out->bound[node->id] = out->limit[i];
        i++;
    }
}

static fx_status capture(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, bool bounds, fx_capture *out)
{
    out->n = module->graph->next_id;
    out->value = FX_NEW_ARRAY(out->arena, fx_tensor, out->n + 1);
    out->bound = bounds ? FX_NEW_ARRAY(out->arena, fx_tensor, out->n + 1) : NULL;
    if (!out->value || (bounds && !out->bound)) return FX_E_OOM;
    fx_module *copy = fx__cut_copy(module);
    if (!copy) return FX_E_OOM;
    fx_status status = run_copy(copy, inputs, n_inputs, bounds, out);
    if (status == FX_OK && bounds) status = narrow_bounds(module, inputs, n_inputs, out);
    if (status == FX_OK) take_values(copy->graph, bounds, out);
    fx_module_free(copy);
    take_inputs(module->graph, inputs, n_inputs, out);
    return status;
}

fx_status fx__capture(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, bool bounds, fx_capture *out)
{
    *out = (fx_capture){.arena = fx__arena_new(module->context)};
    fx_status status = out->arena ? capture(module, inputs, n_inputs, bounds, out) : FX_E_OOM;
    if (status != FX_OK) fx__capture_free(out);
    return status;
}

static bool take_type(const fx_node *node, fx_tensor *out)
{
    const fx_type *type = fx_node_type(node, 0);
    if (!type) return false;
    *out = (fx_tensor){.dtype = type->dtype, .rank = type->rank};
    for (int32_t d = 0; d < type->rank; d++) {
        if (!fx_dim_is_const(type->dim[d])) return false;
        out->dim[d] = type->dim[d];
    }
    return true;
}

fx_status fx__capture_types(const fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_capture *out)
{
    *out = (fx_capture){.arena = fx__arena_new(module->context), .n = module->graph->next_id};
    out->value = out->arena ? FX_NEW_ARRAY(out->arena, fx_tensor, out->n + 1) : NULL;
    fx_status status = out->value ? FX_OK : FX_E_OOM;
    FX_EACH_NODE(node, module->graph)
    if (status == FX_OK && fx__capture_has_value(node) && !take_type(node, &out->value[node->id])) status = FX_E_NOT_FOUND;
    if (status == FX_OK) take_inputs(module->graph, inputs, n_inputs, out);
    if (status != FX_OK) fx__capture_free(out);
    return status;
}

void fx__capture_free(fx_capture *it)
{
    if (it->made) fx__tensors_release(it->made, it->n_made);
    if (it->limit) fx__tensors_release(it->limit, it->n_made);
    fx__arena_free(it->arena);
    *it = (fx_capture){0};
}
