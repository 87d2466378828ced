/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_value.c: the values of small nodes over constants, computed while importing by their reference kernels. Files compute
 * sizes, pads and limits with whole chains of nodes; operators that need them as numbers find them here. The nodes stay in the
 * graph: what is not used as data by then is dead code. */
#include "frontend/onnx.h"
#include "ir/interp.h"
#include <string.h>

enum { INPUTS = 8, INPUT_BYTES = 1 << 16 };

static bool is_small(const fx_type *type)
{
    int64_t elems = 1;
    for (int32_t i = 0; i < type->rank; i++)
        if (!fx_dim_is_const(type->dim[i]) || __builtin_mul_overflow(elems, type->dim[i], &elems)) return false;
    return elems <= FX_ONNX_KNOWN;
}

const fx_tensor *fx__onnx_value(const fx_onnx_import *im, const fx_node *node)
{
    if (node->opcode == FX_GET_ATTR) return fx_module_tensor(im->module, node->target);
    return fx__map_get(&im->values, node);
}

static bool read_inputs(const fx_onnx_import *im, const fx_node *node, fx_tensor inputs[INPUTS])
{
    if (node->n_inputs > INPUTS) return false;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_tensor *tensor = fx__onnx_value(im, node->inputs[i]);
        if (!tensor || !tensor->data || fx_tensor_bytes(tensor) > INPUT_BYTES) return false;
        inputs[i] = *tensor;
    }
    return true;
}

/* Zeroed memory of the store, as a tensor of this type. */
static bool new_value(fx_onnx_import *im, const fx_type *type, fx_tensor *out)
{
    *out = fx_tensor_view(NULL, type->dtype, type->rank, type->dim);
    size_t bytes = (size_t)fx_tensor_bytes(out);
    out->data = fx__store_alloc(im->store, bytes ? bytes : 1);
    if (out->data) memset(out->data, 0, bytes);
    return out->data != NULL;
}

fx_status fx__onnx_evaluate(fx_onnx_import *im, fx_node *node)
{
    const fx_type *type = node->n_result == 1 ? fx_node_type(node, 0) : NULL;
    const fx_op *op = fx__op_of(node);
    fx_tensor inputs[INPUTS];
    if (!type || !op || op->reads_values || fx_node_is_impure(node) || !is_small(type)) return FX_OK;
    if (fx__attr_has_symbol(&node->args) || fx__attr_has_symbol(&node->kwargs) || !read_inputs(im, node, inputs)) return FX_OK;
    fx_tensor *value = FX_NEW(im->arena, fx_tensor);
    if (!value || !new_value(im, type, value)) return FX_E_OOM;
    FX_TRY(fx__interp_node(node, inputs, value));
    return fx__map_put(&im->values, node, value) ? FX_OK : FX_E_OOM;
}
