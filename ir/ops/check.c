/* SPDX-License-Identifier: Apache-2.0 */
/* Checks and texts that the shape rules of many operator families share; see check.h. */
#include "ir/ops/check.h"
#include <string.h>

static fx_check_text take_text(fx_text *text)
{
    fx_check_text out = {"?"};
    char *s = fx__text_finish(text);
    if (s) {
        strncpy(out.s, s, sizeof out.s - 1);
        fx_text_free(s);
    }
    return out;
}

fx_check_text fx__check_dim(const fx_call *call, fx_dim dim)
{
    fx_text text;
    fx__text_init(&text, call->context);
    fx__dim_print(call->dims, dim, &text);
    return take_text(&text);
}

fx_check_text fx__check_type(const fx_call *call, const fx_type *type)
{
    fx_text text;
    fx__text_init(&text, call->context);
    fx__type_print(&text, call->dims, type);
    return take_text(&text);
}

bool fx__check_equal(const fx_call *call, fx_dim a, fx_dim b, const char *why)
{
    return a == b || fx__dims_assume(call->dims, FX_GUARD_EQ, a, b, why);
}

fx_status fx__check_rank(const fx_call *call, int32_t index, int32_t lo, int32_t hi)
{
    const fx_type *type = fx__call_type(call, index);
    if (type->rank >= lo && type->rank <= hi) return FX_OK;
    const char *name = fx__op_params(call->op, &(int32_t){0})[index].name;
    if (lo == hi)
        return fx__call_error(call, FX_E_SHAPE, "%s is %s, expected %d dimensions", name, fx__check_type(call, type).s, lo);
    return fx__call_error(call, FX_E_SHAPE, "%s is %s, expected %d to %d dimensions", name, fx__check_type(call, type).s, lo, hi);
}

fx_status fx__check_dtypes_equal(fx_call *call)
{
    int32_t n = 0, first = -1;
    const fx_param *params = fx__op_params(call->op, &n);
    for (int32_t i = 0; i < n; i++) {
        if (params[i].kind != FX_PARAM_TENSOR || fx__call_is_none(call, i)) continue;
        if (first < 0) first = i;
        fx_dtype want = fx__call_type(call, first)->dtype, got = fx__call_type(call, i)->dtype;
        if (want != got)
            return fx__call_error(call, FX_E_TYPE, "%s is %s, %s is %s; expected equal element types", params[first].name,
                                  fx_dtype_name(want), params[i].name, fx_dtype_name(got));
    }
    call->n_results = 1;
    call->result[0].dtype = fx__call_type(call, first)->dtype;
    return FX_OK;
}

fx_status fx__check_vector(const fx_call *call, int32_t index, fx_dim length)
{
    if (fx__call_is_none(call, index)) return FX_OK;
    const fx_type *type = fx__call_type(call, index);
    if (type->rank == 1 && fx__check_equal(call, type->dim[0], length, "one entry per channel")) return FX_OK;
    return fx__call_error(call, FX_E_SHAPE, "%s is %s, expected [%s]", fx__op_params(call->op, &(int32_t){0})[index].name,
                          fx__check_type(call, type).s, fx__check_dim(call, length).s);
}

fx_dim fx__check_product(const fx_call *call, const fx_type *type, int32_t from, int32_t to)
{
    fx_dim product = 1;
    for (int32_t d = from; d < to; d++) product = fx__dim_mul(call->dims, product, type->dim[d]);
    return product;
}

bool fx__check_uses(const fx_call *call, int32_t result)
{
    for (int32_t i = 0; i < call->node->n_users; i++) {
        const fx_node *user = call->node->users[i];
        bool selects = fx__op_is(user, FX_OP_getitem) && user->args.n == 2 && user->args.u.items[1].kind == FX_ATTR_INT;
        if (!selects || user->args.u.items[1].u.i == result) return true;
    }
    return false;
}

fx_node *fx__check_insert(fx_graph *graph, const fx_call *call, fx_op_code op, const fx_attr *args, int32_t n_args)
{
    fx_point point = fx_graph_insert_before(graph, (fx_node *)call->node);
    fx_node *node = fx_graph_call(graph, fx__op(op)->target, args, n_args);
    fx_graph_set_point(graph, point);
    if (node == NULL) return NULL;
    fx_node_set_loc(node, call->node->loc);
    return fx__op_infer(node) == FX_OK ? node : NULL;
}
