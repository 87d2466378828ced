/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_einsum.c: Einsum, which has a row of its own (ir/ops/einsum.c). */
#include "frontend/onnx_ops.h"

static void build_einsum(fx_onnx_call *call)
{
    fx_context *context = call->import->graph->context;
    fx_attr equation = {.kind = FX_ATTR_STR, .u.s = fx__intern(context, fx__onnx_text(call, "equation", ""))};
    int32_t n = fx__onnx_inputs(call);
    fx_attr *operands = FX_NEW_ARRAY(call->import->arena, fx_attr, n);
    if (!operands || !equation.u.s) return;
    for (int32_t i = 0; i < n; i++) operands[i] = fx__onnx_in(call, i);
    FX_GIVE(call, "aten.einsum.default", equation, fx_list(call->import->graph, operands, n));
}

const fx_onnx_op fx__onnx_ops_einsum[] = {
    {"Einsum", 12, 1, FX_ONNX_ANY, 1, build_einsum},
    {0},
};
