/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp.c: the interpreter: nodes in order, each through its reference kernel, values freed after their last use. Symbols are
 * read from the inputs' sizes and guards are checked. A graph whose types are not known is copied and typed from the inputs as it
 * runs. Optionally every value carries a tensor of error bounds. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <string.h>

typedef fx_interp_value value;
typedef fx_interp interp;

static value *value_of(const interp *it, const fx_node *node)
{
    return fx__interp_value_of(it, node);
}

static const fx_tensor *node_tensor(void *user, const fx_node *node, int32_t result)
{
    const value *v = value_of(user, node);
    return result < v->n ? &v->tensor[result] : NULL;
}

static const fx_tensor *node_error(void *user, const fx_node *node, int32_t result)
{
    const value *v = value_of(user, node);
    return v->error && result < v->n ? &v->error[result] : NULL;
}

fx_interp_source fx__interp_tensors(const interp *it)
{
    return (fx_interp_source){node_tensor, (void *)(uintptr_t)it, it->graph->dims, it->syms};
}

/* ---- Inputs: shapes, symbols, guards --------------------------------------------------------------------------------------- */

static fx_status bind_symbol(const interp *it, const fx_node *node, int32_t d, int32_t index, int64_t size)
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

static fx_status check_size(const interp *it, const fx_node *node, int32_t d, fx_dim dim, int64_t size)
{
    fx_dim_node expression = fx__dim_node(it->graph->dims, dim);
    if (expression.op == FX_DIM_SYM) return bind_symbol(it, node, d, (int32_t)expression.value, size);
    if (!fx_dim_is_const(dim)) return FX_OK; /* check_expressions, when all symbols have their values */
    if (dim == size) return FX_OK;
    return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s, dim %d: %lld; expected %lld", node->name, d, (long long)size,
                    (long long)dim);
}

static fx_status check_input(const interp *it, const fx_node *node, const fx_tensor *input)
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

static fx_status check_expressions(const interp *it, const fx_node *node, const fx_tensor *input)
{
    for (int32_t d = 0; node->n_result && d < input->rank; d++) {
        int64_t expected = fx__dim_eval(it->graph->dims, node->result[0].dim[d], it->syms);
        if (expected != input->dim[d])
            return fx__diag(it->context, FX_E_SHAPE, NULL, "input %s, dim %d: %lld; expected %lld", node->name, d,
                            (long long)input->dim[d], (long long)expected);
    }
    return FX_OK;
}

static bool guard_holds(const interp *it, const fx_guard *guard)
{
    int64_t a = fx__dim_eval(it->graph->dims, guard->a, it->syms), b = fx__dim_eval(it->graph->dims, guard->b, it->syms);
    return guard->kind == FX_GUARD_EQ ? a == b : guard->kind == FX_GUARD_NE ? a != b : a <= b;
}

static fx_status check_guards(const interp *it)
{
    for (int32_t g = 0; g < fx__dims_guard_count(it->graph->dims); g++) {
        const fx_guard *guard = fx__dims_guard(it->graph->dims, g);
        if (!guard_holds(it, guard)) return fx__diag(it->context, FX_E_GUARD, NULL, "sizes break an assumption: %s", guard->why);
    }
    return FX_OK;
}

/* Symbols that no input gives are results' sizes: their upper bound serves. */
static void bind_the_rest(const interp *it)
{
    for (int32_t s = 0; s < fx__dims_sym_count(it->graph->dims); s++)
        if (it->syms[s] == INT64_MIN) it->syms[s] = fx__dims_sym(it->graph->dims, s)->hi;
}

typedef fx_status (*input_check)(const interp *it, const fx_node *node, const fx_tensor *input);

/* All inputs are looked at, so that every problem is reported. */
static fx_status each_input(const interp *it, input_check check)
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

static fx_status check_inputs(const interp *it)
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
    const interp it = {
        .context = graph->context, .graph = (fx_graph *)(intptr_t)graph, .syms = syms, .inputs = inputs, .n_inputs = n_inputs};
    return check_inputs(&it);
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

fx_status fx__interp_value_new(const interp *it, value *v, const fx_node *node, int32_t n)
{
    *v = (value){.n = n, .uses = node->n_users};
    v->tensor = FX_NEW_ARRAY(it->arena, fx_tensor, n > 0 ? n : 1);
    return v->tensor ? FX_OK : FX_E_OOM;
}

/* A view's memory is its base's. */
void fx__interp_value_free(value *v)
{
    value *base = v->base;
    for (int32_t r = 0; r < v->n && !base; r++) {
        if (v->owned) fx_tensor_release(&v->tensor[r]);
        if (v->error) fx_tensor_release(&v->error[r]);
    }
    v->n = 0;
    v->base = NULL;
    if (base && --base->uses == 0) fx__interp_value_free(base);
}

static void release_inputs(const interp *it, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        value *v = value_of(it, node->inputs[i]);
        if (--v->uses == 0) fx__interp_value_free(v);
    }
    bool is_kept = it->graph->core && fx__is_write_back(node); /* until the end */
    if (value_of(it, node)->uses == 0 && !is_kept) fx__interp_value_free(value_of(it, node));
}

static fx_status allocate_results(const interp *it, const fx_node *node, value *v)
{
    v->owned = true;
    for (int32_t r = 0; r < v->n; r++) {
        const fx_type *type = &node->result[r];
        int64_t dim[FX_RANK];
        for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_eval(it->graph->dims, type->dim[d], it->syms);
        FX_TRY(fx_tensor_alloc(type->dtype, type->rank, dim, &v->tensor[r]));
    }
    return FX_OK;
}

fx_status fx__interp_add_errors(const interp *it, value *v)
{
    v->error = FX_NEW_ARRAY(it->arena, fx_tensor, v->n > 0 ? v->n : 1);
    if (!v->error) return FX_E_OOM;
    for (int32_t r = 0; r < v->n; r++) FX_TRY(fx_tensor_alloc(FX_F64, v->tensor[r].rank, v->tensor[r].dim, &v->error[r]));
    return FX_OK;
}

/* ---- Nodes ----------------------------------------------------------------------------------------------------------------- */

static fx_status bound_results(interp *it, const fx_op *op, const fx_attr *bound, const fx_rt_arg *args, value *v)
{
    const fx_interp_source source = {node_error, it, it->graph->dims, it->syms};
    fx_interp_args errors;
    FX_TRY(fx__interp_add_errors(it, v));
    FX_TRY(fx__interp_args_build(op, bound, &source, &errors));
    int32_t n;
    fx__op_params(op, &n);
    for (int32_t p = 0; p < n; p++)
        if (errors.arg[p].kind != FX_RT_TENSOR && errors.arg[p].kind != FX_RT_TENSORS) errors.arg[p].kind = FX_RT_NONE;
    fx_status status = fx__interp_bound(op, args, errors.arg, v->tensor, v->n, v->error);
    fx__interp_args_free(&errors);
    return status;
}

/* A dimension that depends on data (a symbol an operator sets) may be lowered by the kernel: the tensor says so itself. */
fx_status fx__interp_run_op(interp *it, const fx_node *node, const fx_op *op, const fx_attr *bound)
{
    const fx_interp_source source = fx__interp_tensors(it);
    value *v = value_of(it, node);
    fx_interp_args args;
    fx_status status = fx__interp_args_build(op, bound, &source, &args);
    if (status != FX_OK) return fx__diag_node(node, status, "an argument is no value that can be computed");
    status = fx__interp_value_new(it, v, node, node->n_result);
    if (status == FX_OK) status = allocate_results(it, node, v);
    if (status == FX_OK) status = op->reference(args.arg, v->tensor);
    if (status == FX_OK && it->bounds) status = bound_results(it, op, bound, args.arg, v);
    fx__interp_args_free(&args);
    return status == FX_OK ? FX_OK : fx__interp_fail(node, op, bound, status);
}

static fx_status run_call(interp *it, fx_node *node)
{
    const fx_op *op = fx__op_of(node);
    fx_attr bound[FX_PARAMS];
    bool done = false;
    if (it->mutates || fx__interp_is_index(node)) FX_TRY(fx__interp_mutate(it, node, &done));
    if (done) return FX_OK;
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "no operator of the table");
    if (!node->result) FX_TRY(fx__op_infer(node));
    if (it->graph->core) return fx__interp_run_op(it, node, op, node->args.u.items);
    FX_TRY(fx__op_bind(it->graph, node, op, bound));
    return fx__interp_run_op(it, node, op, bound);
}

static fx_status run_get_attr(interp *it, fx_node *node)
{
    value *v = value_of(it, node);
    const fx_tensor *tensor = fx__interp_attribute(it, node);
    if (!tensor) return fx__diag_node(node, FX_E_NOT_FOUND, "the module has no tensor %s", node->target);
    FX_TRY(fx__interp_value_new(it, v, node, 1));
    v->tensor[0] = *tensor;
    if (it->mutates && it->bounds) FX_TRY(fx__interp_add_errors(it, v));
    if (node->n_result) return FX_OK;
    fx_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int32_t d = 0; d < type.rank; d++) type.dim[d] = tensor->dim[d];
    return fx_node_set_type(node, 0, &type);
}

static fx_status run_nodes(interp *it)
{
    int32_t n_placeholders = 0;
    FX_EACH_NODE(node, it->graph)
    {
        switch (node->opcode) {
        case FX_PLACEHOLDER:
            FX_TRY(fx__interp_take_input(it, node, n_placeholders++));
            break;
        case FX_GET_ATTR:
            FX_TRY(run_get_attr(it, node));
            break;
        case FX_CALL_FUNCTION:
        case FX_CALL_METHOD:
            FX_TRY(run_call(it, node));
            break;
        case FX_OUTPUT:
            return FX_OK;
        default:
            return fx__diag_node(node, FX_E_UNSUPPORTED, "a call of module %s must be inlined first", node->target);
        }
        release_inputs(it, node);
    }
    return fx__diag(it->context, FX_E_GRAPH, NULL, "the graph has no output");
}

/* ---- Outputs --------------------------------------------------------------------------------------------------------------- */

typedef struct collector {
    const interp *it;
    fx_tensor *outputs, *bounds;
    int32_t n, at;
    fx_status status;
} collector;

static fx_status give_tensor(const fx_tensor *from, fx_tensor *to)
{
    if (!to->data) FX_TRY(fx_tensor_alloc(from->dtype, from->rank, from->dim, to));
    return fx_tensor_copy(to, from);
}

static fx_status give_bound(const value *v, int32_t r, fx_tensor *to)
{
    FX_TRY(fx_tensor_alloc(FX_F64, v->tensor[r].rank, v->tensor[r].dim, to));
    return v->error ? fx_tensor_copy(to, &v->error[r]) : FX_OK;
}

static void give(void *user, fx_node *node)
{
    collector *out = user;
    const value *v = value_of(out->it, node);
    for (int32_t r = 0; r < v->n && out->status == FX_OK; r++, out->at++) {
        if (out->at >= out->n) continue;
        out->status = give_tensor(&v->tensor[r], &out->outputs[out->at]);
        if (out->status == FX_OK && out->bounds) out->status = give_bound(v, r, &out->bounds[out->at]);
        if (out->status != FX_OK)
            fx__diag(out->it->context, out->status, NULL, "output %d (%s): %s", out->at, node->name, fx_status_text(out->status));
    }
}

static fx_status give_outputs(const interp *it, fx_tensor *outputs, fx_tensor *bounds, int32_t n)
{
    collector out = {it, outputs, bounds, n, 0, FX_OK};
    const fx_node *node = fx_graph_output_node(it->graph);
    fx__attr_each_node(&node->args, give, &out);
    if (out.status != FX_OK) return out.status;
    if (out.at == n) return FX_OK;
    return fx__diag(it->context, FX_E_ARG, NULL, "%d outputs given; the graph has %d", n, out.at);
}

/* ---- Graphs ---------------------------------------------------------------------------------------------------------------- */

static bool is_typed(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode != FX_OUTPUT && node->opcode != FX_GET_ATTR && !node->result) return false;
    return true;
}

static fx_status type_inputs(interp *it)
{
    int32_t i = 0;
    FX_EACH_NODE(node, it->graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_tensor *input = &it->inputs[i++];
        fx_type type = {.dtype = input->dtype, .rank = input->rank};
        for (int32_t d = 0; d < type.rank; d++) type.dim[d] = input->dim[d];
        FX_TRY(fx_node_set_type(node, 0, &type));
    }
    return FX_OK;
}

static fx_status run(interp *it, fx_tensor *outputs, fx_tensor *bounds, int32_t n_outputs)
{
    int32_t n_syms = fx__dims_sym_count(it->graph->dims);
    it->values = FX_NEW_ARRAY(it->arena, value, it->graph->next_id + 1);
    it->syms = FX_NEW_ARRAY(it->arena, int64_t, n_syms + 1);
    if (!it->values || !it->syms) return FX_E_OOM;
    FX_TRY(check_inputs(it));
    if (!is_typed(it->graph)) FX_TRY(type_inputs(it));
    fx_status status = run_nodes(it);
    if (status == FX_OK) status = give_outputs(it, outputs, bounds, n_outputs);
    if (status == FX_OK) status = it->mutates ? fx__interp_give_inputs(it) : fx__interp_write_back(it);
    for (int32_t id = 0; id <= it->graph->next_id; id++) fx__interp_value_free(&it->values[id]);
    return status;
}

static void release_outputs(fx_tensor *outputs, const uint8_t *given, fx_tensor *bounds, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (!given[i]) fx_tensor_release(&outputs[i]);
        if (bounds) fx_tensor_release(&bounds[i]);
    }
}

fx_status fx__interp_module(fx_module *module, const fx_interp_memory *memory, const fx_tensor *inputs, int32_t n_inputs,
                            fx_tensor *outputs, fx_tensor *bounds, int32_t n_outputs)
{
    fx_context *context = fx_module_context(module);
    fx_graph *graph = fx_module_graph(module), *copy = is_typed(graph) ? NULL : fx_graph_clone(graph);
    fx_arena *arena = fx__arena_new(context);
    uint8_t *given = arena ? FX_NEW_ARRAY(arena, uint8_t, n_outputs + 1) : NULL; /* outputs whose memory is the caller's */
    fx_status status = FX_E_OOM;
    for (int32_t i = 0; given && i < n_outputs; i++) given[i] = outputs[i].data != NULL;
    for (int32_t i = 0; bounds && i < n_outputs; i++) bounds[i] = (fx_tensor){0};
    if (given && (copy || is_typed(graph))) {
        interp it = {.context = context,
                     .module = module,
                     .graph = copy ? copy : graph,
                     .memory = memory,
                     .arena = arena,
                     .inputs = inputs,
                     .n_inputs = n_inputs,
                     .bounds = bounds != NULL,
                     .mutates = fx__interp_mutates(graph)};
        status = run(&it, outputs, bounds, n_outputs);
        if (status != FX_OK) release_outputs(outputs, given, bounds, n_outputs);
    }
    fx__arena_free(arena);
    if (copy) fx_graph_free(copy);
    return status;
}
