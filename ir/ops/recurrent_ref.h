/* SPDX-License-Identifier: Apache-2.0 */
/* ir/ops/recurrent_ref.h: reference kernels of recurrent layers, for the rows of one layer (recurrent_ref.c) and of whole stacks
 * (rnn_ref.c). Numbers carry bounds of their errors along: those of the inputs, and eps for every operation; the reference itself
 * is the case of eps 0 and exact inputs. */
#ifndef FX_IR_OPS_RECURRENT_REF_H
#define FX_IR_OPS_RECURRENT_REF_H

#include "ir/ops/contract_ref.h"

typedef struct fx_num {
    long double v;
    double e; /* at most so far off */
} fx_num;

/* An element, and its error where there is a tensor of errors. */
fx_num fx__num_get(const fx_tensor *tensor, const fx_tensor *error, const int64_t *at);
fx_num fx__num_add(double eps, fx_num a, fx_num b);

/* A matrix [rows, columns] that is multiplied with vectors. */
typedef struct fx_product {
    fx_wide wide;
    double eps;
    int64_t rows, columns;
    void *weight, *x, *y;           /* wide: [columns][rows], transposed; [columns]; [rows] */
    double *weight_error, *y_error; /* [columns][rows]; [rows]; NULL when eps is 0 */
} fx_product;
fx_status fx__product_open(fx_product *p, double eps, const fx_tensor *weight, const fx_tensor *error);
void fx__product_close(fx_product *p);
/* Rows [from, to) of the product with x, to be fetched by fx__product_get. */
void fx__product_run(fx_product *p, const fx_num *x, int64_t from, int64_t to);
fx_num fx__product_get(const fx_product *p, int64_t row);

typedef enum fx_cell { FX_CELL_TANH, FX_CELL_RELU, FX_CELL_LSTM, FX_CELL_GRU } fx_cell;

/* One layer in one direction. */
typedef struct fx_layer {
    fx_cell cell;
    fx_tensor x, h0, c0, w, bias, lengths;                      /* c0, bias, lengths: no data when there are none */
    fx_tensor x_error, h0_error, c0_error, w_error, bias_error; /* no data: exact */
    bool reverse, batch_first, reset_first;
    double clip, eps;    /* of gates, INFINITY: none; eps 0: values are wanted, else errors */
    fx_tensor y, hn, cn; /* cn: no data when there is none */
} fx_layer;
fx_status fx__layer_run(const fx_layer *layer);

#endif
