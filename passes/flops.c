/* SPDX-License-Identifier: Apache-2.0 */
/* passes/flops.c: operations of one call. Exact for products and convolutions; one per element for element-wise operators; for the
 * rest estimates by family: a reduction reads each element once, a softmax has five steps per element, a normalisation seven, a
 * window its size, an interpolated element eight; views, moves and indices compute nothing. */
#include "passes/flops.h"
#include "ir/saturate.h"
#include <string.h>

enum { SOFTMAX = 5, NORMALISATION = 7, RESAMPLING = 8 };

static int64_t size_of(const fx_dims *dims, fx_dim dim)
{
    return fx_dim_is_const(dim) ? dim : fx__dim_hint(dims, dim);
}

int64_t fx__flops_elems(const fx_dims *dims, const fx_type *type)
{
    int64_t n = 1;
    for (int32_t d = 0; type && d < type->rank; d++)
        if (__builtin_mul_overflow(n, size_of(dims, type->dim[d]), &n)) return INT64_MAX;
    return type ? n : 0;
}

static int64_t results(const fx_call *call)
{
    return fx__flops_elems(call->dims, &call->result[0]);
}

static int64_t last_dim(const fx_call *call, int32_t argument)
{
    const fx_type *type = fx__call_type(call, argument);
    return type && type->rank ? size_of(call->dims, type->dim[type->rank - 1]) : 1;
}

/* A bias is one addition per element of the result. */
static int64_t with_bias(const fx_call *call, int32_t argument, int64_t flops)
{
    return flops + (fx__call_type(call, argument) ? results(call) : 0);
}

/* Elements of a weight that go into one element of what dim 0 counts. */
static int64_t weights_per_channel(const fx_call *call)
{
    const fx_type *weight = fx__call_type(call, 1);
    int64_t first = weight && weight->rank ? size_of(call->dims, weight->dim[0]) : 0;
    return first > 0 ? fx__flops_elems(call->dims, weight) / first : 0;
}

static int64_t convolution(const fx_call *call, bool transposed)
{
    int64_t points = transposed ? fx__flops_elems(call->dims, fx__call_type(call, 0)) : results(call);
    return with_bias(call, 2, fx__saturate_mul(2 * points, weights_per_channel(call)));
}

/* Scores and their weighted sum are two products, the weights a softmax. */
static int64_t attention(const fx_call *call)
{
    const fx_type *key = fx__call_type(call, 1);
    int64_t length = key && key->rank > 1 ? size_of(call->dims, key->dim[key->rank - 2]) : 0;
    int64_t queries = fx__flops_elems(call->dims, fx__call_type(call, 0));
    int64_t width = last_dim(call, 0), rows = width > 0 ? queries / width : 0;
    return fx__saturate_mul(2 * length, queries + results(call)) + fx__saturate_mul(SOFTMAX * rows, length);
}

/* Every matrix of weights is used at every step of every sequence. */
static int64_t recurrence(const fx_call *call)
{
    int32_t n;
    int64_t weights = 0,
            steps = fx__flops_elems(call->dims, fx__call_type(call, 0)) / (last_dim(call, 0) > 0 ? last_dim(call, 0) : 1);
    const fx_param *params = fx__op_params(call->op, &n);
    for (int32_t p = 1; p < n; p++) {
        bool many = params[p].kind == FX_PARAM_TENSORS;
        for (int32_t i = 0; i < (many ? fx__call_list_count(call, p) : 1); i++) {
            const fx_type *type = many                                ? fx__call_list_type(call, p, i)
                                  : params[p].kind == FX_PARAM_TENSOR ? fx__call_type(call, p)
                                                                      : NULL;
            if (type && type->rank == 2) weights += fx__flops_elems(call->dims, type);
        }
    }
    return fx__saturate_mul(2 * steps, weights);
}

static int64_t window(const fx_call *call)
{
    int32_t index = fx__op_param(call->op, "kernel_size");
    if (index < 0) return fx__flops_elems(call->dims, fx__call_type(call, 0)); /* adaptive: each element about once */
    const fx_attr *size = &call->arg[index];
    const fx_type *x = fx__call_type(call, 0);
    int64_t n = 1;
    for (int32_t i = 0; size->kind == FX_ATTR_LIST && i < size->n; i++)
        n = fx__saturate_mul(n, size->u.items[i].kind == FX_ATTR_INT ? size->u.items[i].u.i : 1);
    if (size->kind == FX_ATTR_INT) n = x && x->rank > 3 ? fx__saturate_mul(size->u.i, size->u.i) : size->u.i;
    return fx__saturate_mul(results(call), n);
}

static int64_t by_family(const fx_call *call)
{
    static const char *const free_families[] = {"views", "moves", "index", "creation", "order"};
    const char *family = call->op->family ? call->op->family : "";
    int64_t inputs = fx__flops_elems(call->dims, fx__call_type(call, 0));
    for (size_t i = 0; i < sizeof free_families / sizeof free_families[0]; i++)
        if (strcmp(family, free_families[i]) == 0) return 0;
    if (strcmp(family, "reduction") == 0) return inputs;
    if (strcmp(family, "softmax") == 0) return fx__saturate_mul(SOFTMAX, inputs);
    if (strcmp(family, "normalisation") == 0) return fx__saturate_mul(NORMALISATION, inputs);
    if (strcmp(family, "pooling") == 0) return window(call);
    if (strcmp(family, "resampling") == 0) return fx__saturate_mul(RESAMPLING, results(call));
    if (strcmp(family, "recurrent") == 0) return recurrence(call);
    return results(call);
}

static bool first_is_tensor(const fx_op *op)
{
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    return n > 0 && (params[0].kind == FX_PARAM_TENSOR || params[0].kind == FX_PARAM_OPERAND);
}

/* A list of tensors (cat), or none at all: what moves is not computed. */
static int64_t without_tensor(const fx_call *call)
{
    return call->op->scalar ? results(call) : 0;
}

int64_t fx__flops_of(const fx_call *call)
{
    const char *name = call->op->name;
    switch (fx__op_code(call->op)) {
    case FX_OP_mm:
    case FX_OP_bmm:
    case FX_OP_matmul:
        return fx__saturate_mul(2 * last_dim(call, 0), results(call));
    case FX_OP_linear:
        return with_bias(call, 2, fx__saturate_mul(2 * last_dim(call, 0), results(call)));
    case FX_OP_addmm:
    case FX_OP_baddbmm:
        return fx__saturate_mul(2 * last_dim(call, 1) + 1, results(call));
    case FX_OP_convolution:
        return convolution(call, fx__call_int(call, fx__op_param(call->op, "transposed")) != 0);
    case FX_OP_scaled_dot_product_attention:
        return attention(call);
    default:
        break;
    }
    if (strncmp(name, "conv_transpose", 14) == 0) return convolution(call, true);
    if (strncmp(name, "conv", 4) == 0) return convolution(call, false);
    return first_is_tensor(call->op) ? by_family(call) : without_tensor(call);
}
