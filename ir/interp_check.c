/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_check.c: whether inputs fit a graph: shapes and dtypes as its placeholders say, symbols read from sizes, guards. All
 * inputs are looked at, so that every problem is reported. */
#include "ir/interp.h"

typedef struct input_facts {
    fx_context *context;
    const fx_graph *graph;
    int64_t *syms;
    const fx_tensor *inputs;
    int32_t n_inputs;
} input_facts;

static fx_status bind_symbol(const input_facts *it, const fx_node *node, int32_t d, int32_t index, int64_t size)
{
    const fx_sym *sym = fx__dims_sym(it->graph->dims, index);
    if (it->syms[index] == INT64_MIN) {
        it->syms[index] = size;
        if (size >= sym->lo && size <= sym->hi && size % (sym->multiple ? sym->multiple : 1) == 0) return FX_OK;
        return fx__diag(it->context, FX_E_GUARD, NULL, "input %s, dim %d: %lld is outside %s in [%lld, %lld], multiple of %lld",
                        node->name, d, (long long)size, sym->name, (long long)sym->lo, (long long)sym->hi,
                        (long long)sym->multiple);
    }
    if (it->syms[index] == size) return FX_OK;
    return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s, dim %d: %lld, but %s is %lld", node->name, d, (long long)size,
                    sym->name, (long long)it->syms[index]);
}

static fx_status check_size(const input_facts *it, const fx_node *node, int32_t d, fx_dim dim, int64_t size)
{
    fx_dim_node expression = fx__dim_node(it->graph->dims, dim);
    if (expression.op == FX_DIM_SYM) return bind_symbol(it, node, d, (int32_t)expression.value, size);
    if (!fx_dim_is_const(dim)) return FX_OK; /* check_expressions, when all symbols have their values */
    if (dim == size) return FX_OK;
    return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s, dim %d: %lld; expected %lld", node->name, d, (long long)size,
                    (long long)dim);
}

static fx_status check_input(const input_facts *it, const fx_node *node, const fx_tensor *input)
{
    const fx_type *type = node->n_result ? &node->result[0] : NULL;
    fx_status status = FX_OK;
    if (!type) return FX_OK;
    if (type->dtype != input->dtype)
        return fx__diag(it->context, FX_E_TYPE, NULL, "input %s: dtype %s; expected %s", node->name, fx_dtype_name(input->dtype),
                        fx_dtype_name(type->dtype));
    if (type->rank != input->rank)
        return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s: %d dims; expected %d", node->name, input->rank, type->rank);
    for (int32_t d = 0; d < type->rank; d++) {
        fx_status one = check_size(it, node, d, type->dim[d], input->dim[d]);
        if (status == FX_OK) status = one;
    }
    return status;
}

static fx_status check_expressions(const input_facts *it, const fx_node *node, const fx_tensor *input)
{
    for (int32_t d = 0; node->n_result && d < input->rank; d++) {
        int64_t expected = fx__dim_eval(it->graph->dims, node->result[0].dim[d], it->syms);
        if (expected != input->dim[d])
            return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s, dim %d: %lld; expected %lld", node->name, d,
                            (long long)input->dim[d], (long long)expected);
    }
    return FX_OK;
}

static bool guard_holds(const input_facts *it, const fx_guard *guard)
{
    int64_t a = fx__dim_eval(it->graph->dims, guard->a, it->syms), b = fx__dim_eval(it->graph->dims, guard->b, it->syms);
    return guard->kind == FX_GUARD_EQ ? a == b : guard->kind == FX_GUARD_NE ? a != b : a <= b;
}

static fx_status check_guards(const input_facts *it)
{
    for (int32_t g = 0; g < fx__dims_guard_count(it->graph->dims); g++) {
        const fx_guard *guard = fx__dims_guard(it->graph->dims, g);
        if (!guard_holds(it, guard)) return fx__diag(it->context, FX_E_GUARD, NULL, "sizes break an assumption: %s", guard->why);
    }
    return FX_OK;
}

/* Symbols that no input gives are results' sizes: their upper bound serves. */
static void bind_the_rest(const input_facts *it)
{
    for (int32_t s = 0; s < fx__dims_sym_count(it->graph->dims); s++)
        if (it->syms[s] == INT64_MIN) it->syms[s] = fx__dims_sym(it->graph->dims, s)->hi;
}

typedef fx_status (*input_check)(const input_facts *it, const fx_node *node, const fx_tensor *input);

static fx_status each_input(const input_facts *it, input_check check)
{
    fx_status status = FX_OK;
    int32_t i = 0;
    FX_EACH_NODE(node, it->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        fx_status one = i < it->n_inputs ? check(it, node, &it->inputs[i++]) : FX_OK;
        if (status == FX_OK) status = one;
    }
    return status;
}

static int32_t count_placeholders(const fx_graph *graph)
{
    int32_t n = 0;
    FX_EACH_NODE(node, graph) n += node->opcode == FX_PLACEHOLDER;
    return n;
}

static fx_status check_inputs(const input_facts *it)
{
    int32_t n = count_placeholders(it->graph);
    if (n != it->n_inputs) return fx__diag(it->context, FX_E_ARG, NULL, "%d inputs given; the graph has %d", it->n_inputs, n);
    for (int32_t s = 0; s < fx__dims_sym_count(it->graph->dims); s++) it->syms[s] = INT64_MIN;
    FX_TRY(each_input(it, check_input));
    bind_the_rest(it);
    FX_TRY(each_input(it, check_expressions));
    return check_guards(it);
}

fx_status fx__interp_check_inputs(const fx_graph *graph, const fx_tensor *inputs, int32_t n_inputs, int64_t *syms)
{
    const input_facts it = {graph->context, graph, syms, inputs, n_inputs};
    return check_inputs(&it);
}
