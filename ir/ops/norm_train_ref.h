/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/norm_train_ref.h: batch normalisation in training, for the rows of norm_ref.c and for the interpreter. */
#ifndef FX_OPS_NORM_TRAIN_REF_H
#define FX_OPS_NORM_TRAIN_REF_H

#include "runtime/ref.h"

/* running = running * (1 - momentum) + momentum * the mean, or the variance without bias, of each channel. x_error may be NONE,
 * error NULL. */
void fx__train_running_ref(const fx_rt_arg *x, const fx_rt_arg *x_error, double momentum, bool variance, fx_tensor *running,
                           fx_tensor *error);
/* Mean and 1 / sqrt(variance + eps) of each channel, or (errors not NULL) their error bounds with rounding `round`. */
void fx__train_saved_ref(const fx_rt_arg *x, const fx_rt_arg *x_error, double eps, double round, fx_tensor *saved,
                         fx_tensor *errors);

#endif
