/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace_eager.c: what eager scopes compute, as soon as a call is made; and calls that change a tensor, which record the
 * in-place spelling of their operator (add_ of add) while tracing and write to the tensor's memory in an eager scope. */
#include "frontend/scope.h"
#include "ir/in_place.h"
#include "ir/interp.h"
#include <string.h>

fx_status fx__copy_in_place_ref(const fx_rt_arg *args, fx_tensor *results);

enum { EAGER_INPUTS = 64 };

/* ---- Computing --------------------------------------------------------------------------------------------------------------- */

static bool read_inputs(const fx_scope *scope, const fx_node *node, fx_tensor *inputs)
{
    if (node->n_inputs > EAGER_INPUTS || node->n_result != 1) {
        fx__diag_node(node, FX_E_UNSUPPORTED, "eager calls take up to %d tensors and give one", EAGER_INPUTS);
        return false;
    }
    for (int32_t i = 0; i < node->n_inputs; i++)
        for (int32_t j = scope->count - 1; j >= 0; j--)
            if (scope->entries[j].node == node->inputs[i]) {
                inputs[i] = scope->entries[j].tensor;
                break;
            }
    return true;
}

/* Whether the node's result lies in the memory of its first input, and how: *out. */
static bool find_view(const fx_node *node, fx_tensor *inputs, fx_tensor *out)
{
    fx_tensor places, found = {0};
    const fx_tensor base = inputs[0];
    const fx_type *type = fx_node_type(node, 0);
    fx_alias_kind kind = fx__alias_kind(node);
    if (kind == FX_ALIAS_NONE || (kind == FX_ALIAS_SAME_TYPE && type->dtype != base.dtype)) return false;
    if (kind == FX_ALIAS_PACKED && !fx_tensor_is_contiguous(&base)) return false;
    if (fx__interp_number_places(&base, &places) != FX_OK) return false;
    inputs[0] = places;
    bool good = fx_tensor_alloc(FX_I64, type->rank, type->dim, &found) == FX_OK && fx__interp_node(node, inputs, &found) == FX_OK &&
                fx__interp_fit_view(&found, &base, out);
    inputs[0] = base;
    fx_tensor_release(&places);
    fx_tensor_release(&found);
    return good;
}

bool fx__scope_compute(fx_scope *scope, fx_node *node, fx_scope_entry *out)
{
    fx_tensor inputs[EAGER_INPUTS];
    if (!read_inputs(scope, node, inputs)) return false;
    if (node->n_inputs > 0 && find_view(node, inputs, &out->tensor)) return true;
    out->tensor = (fx_tensor){0};
    out->owned = fx__interp_node(node, inputs, &out->tensor) == FX_OK;
    return out->owned;
}

/* ---- In place ---------------------------------------------------------------------------------------------------------------- */

/* "torch.ops.aten.add.Tensor" becomes "torch.ops.aten.add_.Tensor". */
static const char *in_place_target(fx_scope *scope, const fx_op *op)
{
    const char *overload = strrchr(op->target, '.');
    bool is_in_place = overload > op->target && overload[-1] == '_';
    return is_in_place ? op->target
                       : fx__arena_format(scope->graph->arena, "%.*s_%s", (int)(overload - op->target), op->target, overload);
}

/* The result of the pure operator must fit into the tensor. */
static bool check_result(const fx_node *node, const fx_type *self, const fx_type *value)
{
    bool same = self->rank == value->rank;
    for (int32_t d = 0; same && d < self->rank; d++) same = fx__dim_equal(node->graph->dims, self->dim[d], value->dim[d]);
    if (!same) {
        fx__diag_node(node, FX_E_SHAPE, "the tensor's shape does not match the shape of what it would become");
    } else if ((fx_dtype_is_float(value->dtype) && !fx_dtype_is_float(self->dtype)) ||
               (value->dtype != FX_BOOL && self->dtype == FX_BOOL)) {
        fx__diag_node(node, FX_E_TYPE, "result type %s cannot be cast to the tensor's type %s", fx_dtype_name(value->dtype),
                      fx_dtype_name(self->dtype));
        return false;
    }
    return same;
}

/* Computed first, then written: the tensor may be among the inputs. */
static bool write_now(fx_scope *scope, fx_node *pure, const fx_tensor *self)
{
    fx_tensor inputs[EAGER_INPUTS], result = {0}, cast = {0}, to = *self;
    if (fx__interp_overlaps(self)) {
        fx__diag_node(pure, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
        return false;
    }
    if (!read_inputs(scope, pure, inputs) || fx__interp_node(pure, inputs, &result) != FX_OK) return false;
    const fx_rt_arg args[2] = {{.kind = FX_RT_NONE}, {.kind = FX_RT_TENSOR, .n = 1, .u.tensor = &result}};
    fx_status status = fx_tensor_alloc(self->dtype, self->rank, self->dim, &cast);
    if (status == FX_OK) status = fx__copy_in_place_ref(args, &cast);
    if (status == FX_OK) status = fx_tensor_copy(&to, &cast);
    fx_tensor_release(&result);
    fx_tensor_release(&cast);
    return status == FX_OK || (fx__diag_oom(scope->context), false);
}

fx_value fx_apply_in_place(const fx_op *op, const fx_trace_arg *args, int32_t n_args, fx_loc loc)
{
    if (!op) return fx__scope_no_operator(args, n_args, loc);
    fx_scope *scope = fx__scope_common(op, args, n_args, loc);
    fx_scope_entry *self = n_args > 0 && args[0].kind == FX_ARG_VALUE ? fx__scope_entry(args[0].value) : NULL;
    if (scope && scope->is_functional) {
        fx__diag(scope->context, FX_E_GRAPH, &loc, "%s would change a tensor in place; this trace takes functional code alone",
                 op->name);
        return FX_NO_VALUE;
    }
    if (!scope || !self) {
        if (scope) fx__diag(scope->context, FX_E_ARG, &loc, "%s_: what is changed in place is no tensor", fx_op_name(op));
        return FX_NO_VALUE;
    }
    const char *target = in_place_target(scope, op), *name = strrchr(op->name, '_');
    bool named = name && name[1] == 0;
    name = named ? op->name : fx__arena_format(scope->graph->arena, "%s_", op->name);
    fx_node *node = target && name ? fx__scope_record(scope, op, target, name, args, n_args, loc) : NULL;
    if (!node) return FX_NO_VALUE;
    fx_node pure = *node;
    pure.op = op;
    pure.target = op->target;
    const fx_type *type = fx_node_type(self->node, 0);
    if (fx__op_infer(&pure) != FX_OK || !type || !check_result(&pure, type, &pure.result[0])) return FX_NO_VALUE;
    if (!scope->tracing && !write_now(scope, &pure, &self->tensor)) return FX_NO_VALUE;
    if (fx_node_set_type(node, 0, type) != FX_OK) return FX_NO_VALUE;
    return fx__scope_add(scope, &(fx_scope_entry){.node = node, .tensor = self->tensor});
}
