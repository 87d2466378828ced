/* SPDX-License-Identifier: Apache-2.0 */
/* Reference kernels of matrix products. All of them are one batched product, result = beta * c + alpha * (a @ b), whose operands
 * are seen as stacks of matrices: a vector is a matrix with one row (left) or one column (right). */
#include "ir/ops/contract_ref.h"
#include <math.h>
#include <string.h>

/* A size-1 dim inserted before dim `at`. */
static fx_tensor insert_dim(const fx_tensor *t, int32_t at)
{
    fx_tensor out = *t;
    out.rank++;
    for (int32_t d = out.rank - 1; d > at; d--) {
        out.dim[d] = t->dim[d - 1];
        out.stride[d] = t->stride[d - 1];
    }
    out.dim[at] = 1;
    out.stride[at] = 0;
    return out;
}

static fx_tensor swap_last(const fx_tensor *t)
{
    fx_tensor out = *t;
    int32_t r = t->rank;
    out.dim[r - 2] = t->dim[r - 1], out.dim[r - 1] = t->dim[r - 2];
    out.stride[r - 2] = t->stride[r - 1], out.stride[r - 1] = t->stride[r - 2];
    return out;
}

static int64_t bcast_stride(const fx_tensor *t, int32_t from_last)
{
    int32_t d = t->rank - from_last;
    return d < 0 || t->dim[d] == 1 ? 0 : t->stride[d];
}

/* The matrix of a stack at batch coordinates at[0..rank-2), broadcast. */
static fx_matrix matrix(const fx_tensor *t, int32_t rank, const int64_t *at)
{
    return (fx_matrix){fx__ref_bcast(t, rank, at), t->dtype, bcast_stride(t, 2), bcast_stride(t, 1)};
}

/* c NULL: nothing is added. */
static fx_status product(fx_wide wide, const fx_tensor *left, const fx_tensor *right, const fx_tensor *c, double beta, double alpha,
                         const fx_tensor *result)
{
    fx_tensor a = *left, b = *right, out = *result;
    if (right->rank == 1) b = insert_dim(&b, 1), out = insert_dim(&out, out.rank);
    if (left->rank == 1) a = insert_dim(&a, 0), out = insert_dim(&out, out.rank - 1);
    if (fx__ref_empty(out.rank, out.dim)) return FX_OK;
    int32_t rank = out.rank;
    int64_t at[FX_RANK] = {0};
    do {
        fx_matrix added = c ? matrix(c, rank, at) : (fx_matrix){0};
        fx_matmul mm = {.wide = wide,
                        .m = out.dim[rank - 2],
                        .n = out.dim[rank - 1],
                        .k = a.dim[a.rank - 1],
                        .alpha = alpha,
                        .beta = beta,
                        .a = matrix(&a, rank, at),
                        .b = matrix(&b, rank, at),
                        .out = matrix(&out, rank, at),
                        .c = c ? &added : NULL};
        fx_status status = fx__contract_matmul(&mm);
        if (status != FX_OK) return status;
    } while (fx__ref_next(rank - 2, out.dim, at));
    return FX_OK;
}

/* matmul(self, other), mm, bmm */
static fx_status run_matmul(fx_wide wide, const fx_rt_arg *args, fx_tensor *result)
{
    return product(wide, args[0].u.tensor, args[1].u.tensor, NULL, 0, 1, result);
}

fx_status fx__matmul_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return run_matmul(fx__contract_wide(results->dtype), args, results);
}

fx_status fx__matmul_bound(const fx_rt_bound *call)
{
    const fx_tensor *a = call->args[0].u.tensor;
    return fx__contract_bound(call, 2, 0, 1, -1, a->dim[a->rank - 1], run_matmul);
}

/* linear(input, weight, bias) */
static fx_status run_linear(fx_wide wide, const fx_rt_arg *args, fx_tensor *result)
{
    fx_tensor weight = swap_last(args[1].u.tensor);
    return product(wide, args[0].u.tensor, &weight, args[2].kind == FX_RT_TENSOR ? args[2].u.tensor : NULL, 1, 1, result);
}

fx_status fx__linear_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return run_linear(fx__contract_wide(results->dtype), args, results);
}

fx_status fx__linear_bound(const fx_rt_bound *call)
{
    return fx__contract_bound(call, 3, 0, 1, 2, call->args[1].u.tensor->dim[1] + 1, run_linear);
}

static double number(const fx_rt_arg *arg)
{
    return arg->kind == FX_RT_FLOAT ? arg->u.f : (double)arg->u.i;
}

/* addmm(self, mat1, mat2, beta, alpha), baddbmm */
static fx_status run_addmm(fx_wide wide, const fx_rt_arg *args, fx_tensor *result)
{
    return product(wide, args[1].u.tensor, args[2].u.tensor, args[0].u.tensor, number(&args[3]), number(&args[4]), result);
}

fx_status fx__addmm_ref(const fx_rt_arg *args, fx_tensor *results)
{
    return run_addmm(fx__contract_wide(results->dtype), args, results);
}

fx_status fx__addmm_bound(const fx_rt_bound *call)
{
    fx_rt_arg args[5];
    memcpy(args, call->args, sizeof args);
    for (int32_t i = 3; i < 5; i++) args[i] = (fx_rt_arg){.kind = FX_RT_FLOAT, .u.f = fabs(number(&args[i]))};
    fx_rt_bound positive = *call;
    positive.args = args;
    const fx_tensor *a = args[1].u.tensor;
    return fx__contract_bound(&positive, 5, 1, 2, 0, a->dim[a->rank - 1] + 3, run_addmm);
}
