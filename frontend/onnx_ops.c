/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops.c: finding the adapter of an operator: the row with the newest `since` that is not newer than the file's opset. */
#include "frontend/onnx_ops.h"
#include "fxjit/compile.h"
#include <string.h>

static const fx_onnx_op *const tables[] = {
    fx__onnx_ops_activation, fx__onnx_ops_attention, fx__onnx_ops_class,  fx__onnx_ops_control, fx__onnx_ops_einsum,
    fx__onnx_ops_fill,       fx__onnx_ops_index,     fx__onnx_ops_math,   fx__onnx_ops_nn,      fx__onnx_ops_norm,
    fx__onnx_ops_pool,       fx__onnx_ops_quant,     fx__onnx_ops_reduce, fx__onnx_ops_resize,  fx__onnx_ops_rnn,
    fx__onnx_ops_sample,     fx__onnx_ops_sequence,  fx__onnx_ops_shape,  fx__onnx_ops_signal};
enum { TABLES = sizeof tables / sizeof tables[0] };

const fx_onnx_op *fx__onnx_op(const char *name, int64_t opset, bool *out_known)
{
    const fx_onnx_op *best = NULL;
    for (int t = 0; t < TABLES; t++)
        for (const fx_onnx_op *op = tables[t]; op->name; op++) {
            if (strcmp(op->name, name) != 0) continue;
            *out_known = true;
            if (op->since <= opset && (!best || op->since > best->since)) best = op;
        }
    return best;
}

static bool is_first_row(const fx_onnx_op *table, const fx_onnx_op *op)
{
    for (const fx_onnx_op *row = table; row < op; row++)
        if (strcmp(row->name, op->name) == 0) return false;
    return true;
}

const char *fx_onnx_op_at(int32_t index)
{
    for (int t = 0; t < TABLES; t++)
        for (const fx_onnx_op *op = tables[t]; op->name; op++)
            if (is_first_row(tables[t], op) && index-- == 0) return op->name;
    return NULL;
}

int32_t fx_onnx_op_since(const char *name)
{
    int32_t since = 0;
    for (int t = 0; t < TABLES; t++)
        for (const fx_onnx_op *op = tables[t]; op->name; op++)
            if (strcmp(op->name, name) == 0 && (since == 0 || op->since < since)) since = op->since;
    return since;
}
