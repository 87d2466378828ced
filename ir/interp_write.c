/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_write.c: calls that change tensors, done as torch does them: an in-place call computes the pure operator and copies the
 * result into the tensor, whose views share its memory. Nothing here knows the pass `functionalise`, which comes to the same by
 * other means. In a core graph, all write-backs take place together at the end. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include "ir/ops/norm_train_ref.h"

typedef fx_interp_value value;

fx_status fx__copy_in_place_ref(const fx_rt_arg *args, fx_tensor *results);

/* ---- Which graphs ----------------------------------------------------------------------------------------------------------- */

static bool is_changing(const fx_node *node, int32_t depth);

static bool has_changes(const fx_graph *graph, int32_t depth)
{
    if (graph->core || depth > FX_INTERP_DEPTH) return false;
    FX_EACH_NODE(node, graph)
    if (is_changing(node, depth)) return true;
    return false;
}

static bool is_changing(const fx_node *node, int32_t depth)
{
    const fx_module *module = node->opcode == FX_CALL_MODULE ? node->graph->module : NULL;
    if (module) module = fx_module_submodule(module, node->target);
    if (module) return has_changes(module->graph, depth + 1);
    if (node->body) return has_changes(node->body, depth + 1);
    return fx__in_place_kind(node) != FX_IN_PLACE_NONE || fx__train_is(node);
}

bool fx__interp_mutates(const fx_graph *graph)
{
    return has_changes(graph, 0);
}

/* ---- One write -------------------------------------------------------------------------------------------------------------- */

static bool read_source(const fx_interp *it, const fx_attr *arg, fx_interp_written *out)
{
    *out = (fx_interp_written){.error = NULL};
    switch (arg->kind) {
    case FX_ATTR_NODE: {
        const value *v = fx__interp_value_of(it, arg->u.node);
        if (v->n != 1) return false;
        out->tensor = v->tensor[0];
        out->error = v->error;
        return true;
    }
    case FX_ATTR_INT:
    case FX_ATTR_BOOL:
        out->number.i = arg->u.i;
        out->tensor = fx_tensor_view(&out->number.i, FX_I64, 0, NULL);
        return true;
    case FX_ATTR_SYMINT:
        out->number.i = fx__dim_eval(it->graph->dims, arg->u.dim, it->syms);
        out->tensor = fx_tensor_view(&out->number.i, FX_I64, 0, NULL);
        return true;
    case FX_ATTR_FLOAT:
        out->number.f = arg->u.f;
        out->tensor = fx_tensor_view(&out->number.f, FX_F64, 0, NULL);
        return true;
    default:
        return false;
    }
}

bool fx__interp_fits(const fx_tensor *from, const fx_tensor *to)
{
    if (from->rank > to->rank) return false;
    for (int32_t d = 0; d < from->rank; d++)
        if (from->dim[d] != 1 && from->dim[d] != to->dim[to->rank - from->rank + d]) return false;
    return true;
}

fx_status fx__interp_converted(const fx_tensor *from, const fx_tensor *like, fx_tensor *out)
{
    FX_TRY(fx_tensor_alloc(like->dtype, like->rank, like->dim, out));
    const fx_rt_arg args[2] = {{.kind = FX_RT_NONE}, {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = from}};
    return fx__copy_in_place_ref(args, out);
}

/* A number is exact; a cast rounds. */
static fx_status write_error(const fx_interp_written *from, const fx_tensor *values, fx_tensor *to)
{
    static const double none;
    const fx_tensor zero = fx_tensor_view((void *)(uintptr_t)&none, FX_F64, 0, NULL);
    fx_tensor error = {0};
    fx_status status = fx__interp_converted(from->error ? from->error : &zero, to, &error);
    double eps = fx_dtype_is_float(values->dtype) && from->tensor.dtype != values->dtype ? fx__ref_eps(values->dtype) : 0;
    int64_t at[FX_RANK] = {0};
    if (status == FX_OK && eps > 0 && !fx__ref_empty(values->rank, values->dim)) {
        do {
            double size = fx__ref_get(values, at);
            fx__ref_set(&error, at, fx__ref_get(&error, at) + eps * (size < 0 ? -size : size));
        } while (fx__ref_next(values->rank, values->dim, at));
    }
    if (status == FX_OK) status = fx_tensor_copy(to, &error);
    fx_tensor_release(&error);
    return status;
}

fx_status fx__interp_write(fx_tensor *to, fx_tensor *to_error, const fx_interp_written *from)
{
    fx_tensor values = {0};
    fx_status status = fx__interp_converted(&from->tensor, to, &values);
    if (status == FX_OK) status = fx_tensor_copy(to, &values);
    if (status == FX_OK && to_error) status = write_error(from, &values, to_error);
    fx_tensor_release(&values);
    return status;
}

static fx_status write_value(fx_interp *it, const fx_node *node, value *self, const fx_interp_written *from)
{
    if (!fx__interp_fits(&from->tensor, &self->tensor[0]))
        return fx__diag_node(node, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
    FX_TRY(fx__interp_open_write(it, node, self));
    return fx__interp_write(&self->tensor[0], self->error, from);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------------ */

static bool may_become(const fx_node *node, fx_dtype self, fx_dtype result)
{
    bool narrows = (fx_dtype_is_float(result) && !fx_dtype_is_float(self)) || (result != FX_BOOL && self == FX_BOOL);
    if (narrows)
        fx__diag_node(node, FX_E_TYPE, "result type %s cannot be cast to the tensor's type %s", fx_dtype_name(result),
                      fx_dtype_name(self));
    return !narrows;
}

/* The pure operator's result. */
static fx_status compute_call(fx_interp *it, fx_node *node, value *v)
{
    const fx_op *op = fx__in_place_op(node);
    fx_attr bound[FX_PARAMS];
    if (!op) return fx__diag_node(node, FX_E_UNSUPPORTED, "unsupported in-place operator");
    fx_node pure = *node;
    pure.opcode = FX_CALL_FUNCTION;
    pure.op = op;
    pure.target = op->target;
    pure.args = fx__in_place_args(node);
    pure.kwargs = fx__in_place_kwargs(node);
    pure.result = NULL;
    pure.n_result = 0;
    if (fx__alias_kind(&pure) != FX_ALIAS_NONE)
        return fx__diag_node(node, FX_E_UNSUPPORTED, "the shape of a tensor is changed in place");
    FX_TRY(fx__op_infer(&pure));
    FX_TRY(fx__op_bind(it->graph, &pure, op, bound));
    return fx__interp_run_op(it, &pure, op, bound, v);
}

static fx_status run_in_place_call(fx_interp *it, fx_node *node, value *self, value *v)
{
    FX_TRY(compute_call(it, node, v));
    if (v->n != 1 || v->tensor[0].rank != self->tensor[0].rank)
        return fx__diag_node(node, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
    if (!may_become(node, self->tensor[0].dtype, v->tensor[0].dtype)) return FX_E_TYPE;
    const fx_interp_written from = {.tensor = v->tensor[0], .error = v->error};
    return write_value(it, node, self, &from);
}

static fx_status run_copy(fx_interp *it, fx_node *node, value *self, const fx_attr *what)
{
    fx_interp_written from;
    if (!what || !read_source(it, what, &from))
        return fx__diag_node(node, FX_E_UNSUPPORTED, "what is written is neither a tensor nor a number");
    if (fx__in_place_kind(node) == FX_IN_PLACE_SETITEM) return fx__interp_put_item(it, node, self, &from);
    return write_value(it, node, self, &from);
}

static fx_status run_in_place(fx_interp *it, fx_node *node, value *v)
{
    const fx_node *target = fx__in_place_target(node);
    value *self = target ? fx__interp_value_of(it, target) : NULL;
    const fx_attr zero = fx_int(0);
    if (!self || self->n != 1) return fx__diag_node(node, FX_E_UNSUPPORTED, "what is changed in place is no tensor");
    switch (fx__in_place_kind(node)) {
    case FX_IN_PLACE_COPY:
        FX_TRY(run_copy(it, node, self, fx__arg(node, 1)));
        break;
    case FX_IN_PLACE_ZERO:
        FX_TRY(run_copy(it, node, self, &zero));
        break;
    case FX_IN_PLACE_SETITEM:
        FX_TRY(run_copy(it, node, self, node->args.n == 3 ? fx__arg(node, 2) : NULL));
        break;
    case FX_IN_PLACE_CALL:
        FX_TRY(run_in_place_call(it, node, self, v));
        break;
    default:
        break;
    }
    return fx__interp_value_same(it, v, self, 0);
}

/* ---- Normalisation in training ---------------------------------------------------------------------------------------------- */

static fx_status run_training(fx_interp *it, fx_node *node, value *v)
{
    const fx_op *op = fx__op_of(node);
    fx_node *target[2];
    fx_attr bound[FX_PARAMS];
    fx__train_targets(node, target);
    FX_TRY(fx__op_bind(it->graph, node, op, bound));
    FX_TRY(fx__interp_run_op(it, node, op, bound, v));
    const value *x = fx__interp_value_of(it, bound[0].u.node);
    const fx_rt_arg input = {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = x->tensor};
    const fx_rt_arg error = {.kind = x->error ? FX_RT_TENSOR : FX_RT_NONE, .n = 1, .u.tensor = x->error};
    double momentum = bound[6].kind == FX_ATTR_FLOAT ? bound[6].u.f : (double)bound[6].u.i;
    for (int i = 0; i < 2; i++) {
        value *running = target[i] ? fx__interp_value_of(it, target[i]) : NULL;
        if (!running) continue;
        FX_TRY(fx__interp_open_write(it, node, running));
        fx__train_running_ref(&input, &error, momentum, i == 1, &running->tensor[0], running->error);
    }
    return FX_OK;
}

fx_status fx__interp_mutate(fx_interp *it, fx_node *node, value *v, bool *out_done)
{
    *out_done = true;
    if (fx__in_place_kind(node) != FX_IN_PLACE_NONE) return run_in_place(it, node, v);
    if (fx__train_is(node)) return run_training(it, node, v);
    return fx__interp_run_alias(it, node, v, out_done);
}

/* ---- Write-backs ------------------------------------------------------------------------------------------------------------ */

/* Input or tensor of the module; their values stay until the end. */
static fx_status check_write_back(const fx_interp *it, const fx_node *node)
{
    const fx_interp_value *to = fx__interp_value_of(it, fx__arg(node, 0)->u.node), *from = fx__interp_value_of(it, node);
    if (!fx__is_written_back(fx__arg(node, 0)->u.node) || to->n != 1 || from->n != 1)
        return fx__diag_node(node, FX_E_GRAPH, "a write-back goes to an input or a tensor of the module");
    const fx_tensor *a = &to->tensor[0], *b = &from->tensor[0];
    if (fx__interp_overlaps(a)) return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int32_t d = 0; same && d < a->rank; d++) same = a->dim[d] == b->dim[d];
    return same ? FX_OK : fx__diag_node(node, FX_E_SHAPE, "what is written back has another type or shape");
}

fx_status fx__interp_write_back(const fx_interp *it)
{
    if (!it->source->core) return FX_OK;
    FX_EACH_NODE(node, it->graph)
    if (fx__is_write_back(node)) FX_TRY(check_write_back(it, node));
    FX_EACH_NODE(node, it->graph)
    {
        if (!fx__is_write_back(node)) continue;
        fx_tensor to = fx__interp_value_of(it, fx__arg(node, 0)->u.node)->tensor[0];
        FX_TRY(fx_tensor_copy(&to, &fx__interp_value_of(it, node)->tensor[0]));
    }
    return FX_OK;
}
