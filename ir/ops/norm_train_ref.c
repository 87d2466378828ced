/* SPDX-License-Identifier: Apache-2.0 */
/* Batch normalisation in training: the statistics of the batch that it gives, and what the running ones become. */
#include "ir/ops/norm_train_ref.h"
#include <math.h>

/* Sums over one channel. magnitude, error, weighted: of |x|, of its error, of |x - mean| times the error of x - mean. */
typedef struct channel {
    long double n, mean, var, magnitude, error, weighted;
} channel;

typedef struct input {
    const fx_tensor *x, *error;
    double eps;
} input;

static double error_at(const input *in, const int64_t *at)
{
    return in->error && in->error->data ? fx__ref_get(in->error, at) : 0;
}

/* Through every element of channel c: in the first walk the mean, in the second the variance. */
static void walk(const input *in, int64_t c, bool second, channel *sum)
{
    int64_t at[FX_RANK] = {0}, dim[FX_RANK];
    for (int32_t d = 0; d < in->x->rank; d++) dim[d] = d == 1 ? 1 : in->x->dim[d];
    do {
        int64_t here[FX_RANK];
        for (int32_t d = 0; d < in->x->rank; d++) here[d] = d == 1 ? c : at[d];
        long double x = (long double)fx__ref_get(in->x, here), centred = x - sum->mean;
        if (second) {
            long double rounding = (long double)in->eps * (fabsl(x) + (sum->n + 2) * sum->magnitude);
            sum->var += centred * centred;
            sum->weighted += fabsl(centred) * ((long double)error_at(in, here) + sum->error + rounding);
        } else {
            sum->n++;
            sum->mean += x;
            sum->magnitude += fabsl(x);
            sum->error += (long double)error_at(in, here);
        }
    } while (fx__ref_next(in->x->rank, dim, at));
}

static channel channel_of(const input *in, int64_t c)
{
    channel sum = {0};
    walk(in, c, false, &sum);
    sum.mean /= sum.n;
    sum.magnitude /= sum.n;
    sum.error /= sum.n;
    walk(in, c, true, &sum);
    return sum;
}

static void move_one(const input *in, double momentum, bool variance, fx_tensor *running, fx_tensor *error, int64_t c)
{
    channel sum = channel_of(in, c);
    long double free = sum.n - 1, m = (long double)momentum, old = (long double)fx__ref_get(running, &c);
    long double value = variance ? sum.var / free : sum.mean;
    /* first order: the variance moves by twice the centred values times their errors, and every sum of n terms rounds n times */
    long double moved = variance ? 2 * sum.weighted / free + (sum.n + 6) * (long double)in->eps * fabsl(value)
                                 : sum.error + (sum.n + 2) * (long double)in->eps * sum.magnitude;
    fx__ref_set(running, &c, (double)((1 - m) * old + m * value));
    if (!error) return;
    long double rounding = 4 * (long double)in->eps * (fabsl((1 - m) * old) + fabsl(m * value));
    fx__ref_set(error, &c, (double)(fabsl(1 - m) * (long double)fx__ref_get(error, &c) + fabsl(m) * moved + rounding));
}

void fx__train_running_ref(const fx_rt_arg *x, const fx_rt_arg *x_error, double momentum, bool variance, fx_tensor *running,
                           fx_tensor *error)
{
    const input in = {x->u.tensor, x_error->kind == FX_RT_TENSOR ? x_error->u.tensor : NULL, fx__ref_eps(running->dtype)};
    if (fx__ref_empty(in.x->rank, in.x->dim)) return;
    for (int64_t c = 0; c < running->dim[0]; c++) move_one(&in, momentum, variance, running, error, c);
}

/* 1 / deviation moves by half of itself cubed times the error of the variance. */
void fx__train_saved_ref(const fx_rt_arg *x, const fx_rt_arg *x_error, double eps, double round, fx_tensor *saved,
                         fx_tensor *errors)
{
    const input in = {x->u.tensor, x_error && x_error->kind == FX_RT_TENSOR ? x_error->u.tensor : NULL, round};
    if (fx__ref_empty(in.x->rank, in.x->dim)) return;
    for (int64_t c = 0; c < saved[0].dim[0]; c++) {
        channel sum = channel_of(&in, c);
        long double var = sum.var / sum.n + (long double)eps, inverse = 1 / sqrtl(var), n = (sum.n + 6) * (long double)round;
        if (errors) {
            fx__ref_set(&errors[0], &c, (double)(sum.error + n * sum.magnitude));
            fx__ref_set(&errors[1], &c,
                        (double)(inverse / (2 * var) * (2 * sum.weighted / sum.n + n * var) + 4 * (long double)round * inverse));
        } else {
            fx__ref_set(&saved[0], &c, (double)sum.mean);
            fx__ref_set(&saved[1], &c, (double)inverse);
        }
    }
}
