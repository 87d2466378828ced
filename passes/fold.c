/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    computes calls whose inputs are all constants, when the result is small, and makes the results constants of the module.
 * Needs:   a core graph with types.
 * Ensures: each remaining pure call has an input that is no small constant, or a result of more than FOLD_BYTES. Scaled weights
 *          and other large results stay nodes: they become init steps of the program.
 * Cost:    one reference kernel per folded node. */
#include "ir/in_place.h"
#include "ir/interp.h"
#include "passes/core.h"
#include "passes/pass.h"
#include "passes/rounding.h"

enum { FOLD_BYTES = 64 << 10, FOLD_INPUT_BYTES = 1 << 20, FOLD_INPUTS = 64 };

typedef struct limits {
    int64_t result_bytes, input_bytes;
} limits;

static int64_t type_bytes(const fx_type *type)
{
    int64_t bytes = (int64_t)fx_dtype_bytes(type->dtype);
    for (int32_t d = 0; d < type->rank; d++)
        if (!fx_dim_is_const(type->dim[d]) || __builtin_mul_overflow(bytes, type->dim[d], &bytes)) return -1;
    return bytes;
}

/* The tensor behind a constant, when there is memory behind it: a graph read from text has none. */
static const fx_tensor *constant_of(const fx_node *node)
{
    if (node->opcode != FX_GET_ATTR || !node->graph->module || fx__is_written_back(node)) return NULL;
    const fx_tensor *tensor = fx_module_tensor(node->graph->module, node->target);
    return tensor && tensor->data ? tensor : NULL;
}

static bool read_inputs(const fx_node *node, const limits *most, fx_tensor *inputs)
{
    int64_t bytes = 0;
    if (node->n_inputs > FOLD_INPUTS) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_tensor *tensor = constant_of(node->inputs[i]);
        if (!tensor || __builtin_add_overflow(bytes, fx_tensor_bytes(tensor), &bytes)) return false;
        inputs[i] = *tensor;
    }
    return bytes <= most->input_bytes;
}

static bool is_foldable(const fx_node *node, const limits *most, fx_tensor *inputs)
{
    if (node->opcode != FX_CALL_FUNCTION || !node->op || node->op->reads_values || fx_node_is_impure(node)) return false;
    const fx_type *type = node->n_result == 1 && !fx__attr_has_symbol(&node->args) ? fx_node_type(node, 0) : NULL;
    int64_t bytes = type ? type_bytes(type) : -1;
    return bytes >= 0 && bytes <= most->result_bytes && read_inputs(node, most, inputs);
}

static fx_status fold_node(fx_node *node, const fx_tensor *inputs)
{
    fx_graph *graph = node->graph;
    fx_tensor result = {0};
    FX_TRY(fx__interp_node(node, inputs, &result));
    const char *path = fx__module_add_constant(graph->module, "folded", &result, fx__module_release_tensor, NULL);
    if (!path) {
        fx_tensor_release(&result);
        return FX_E_OOM;
    }
    fx_point point = fx_graph_insert_before(graph, node);
    fx_node *constant = fx_graph_get_attr(graph, path);
    fx_graph_set_point(graph, point);
    if (!constant) return FX_E_OOM;
    fx_node_set_loc(constant, node->loc);
    for (int32_t i = 0; i < node->n_inputs; i++) FX_TRY(fx__rounding_inherit(constant, node->inputs[i]));
    return fx__core_replace(node, constant);
}

static fx_status fold(fx_graph *graph, const limits *most, bool *out_modified)
{
    if (!fx__module_ensure(graph)) return FX_E_OOM;
    for (fx_node *node = graph->first, *next; node; node = next) {
        next = node->next;
        FX_TRY(fx__tick(graph->context));
        fx_tensor inputs[FOLD_INPUTS];
        if (!is_foldable(node, most, inputs)) continue;
        FX_TRY(fold_node(node, inputs));
        *out_modified = true;
    }
    return FX_OK;
}

fx_status fx__fold_all(fx_graph *graph)
{
    bool modified = false;
    return fold(graph, &(limits){INT64_MAX, INT64_MAX}, &modified);
}

fx_status fx__pass_fold(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    return fold(graph, &(limits){FOLD_BYTES, FOLD_INPUT_BYTES}, out_modified);
}
