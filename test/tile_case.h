/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of one tiled kernel, as text, and a way to run the kernel alone: shared by the tests of the tile emitter and by its
 * benchmark. Values are small integers, so every sum is exact and results must agree bit for bit. */
#ifndef FX_TEST_TILE_CASE_H
#define FX_TEST_TILE_CASE_H

#include "codegen/codegen.h"

/* y[m,n] = relu(sum a[m,k] * b[k,n] + bias[n]). */
typedef struct gemm_case {
    int64_t m, k, n; /* m -1: symbolic, run with `rows` */
    int64_t rows;
    int mr, nv, lanes, grain;
    bool panels;     /* b as [n/width][k][width], zero-padded */
    bool rows_first; /* all panels for a tile of rows */
    int block, unroll; /* unroll 0: 1 */
    int fetch_a, fetch_b;
    bool pack; /* columns are the tasks; without `panels` */
    const char *a, *y; /* dtypes of the operands and of the result; NULL: f32 */
} gemm_case;

/* NHWC convolution: x[n,h,w,g*ic], weights in panels [g][oc/width][kh][kw][ic][width], y[n,h,w,g,oc] = relu(conv + bias[g,oc]). */
typedef struct conv_case {
    int64_t n, h, w, ic, oc, kh, kw, stride, before, after, dilation, groups; /* padding before and after, both dims */
    int mr, nv, lanes;
    bool symbolic_width, rows_first;
    int unroll, block, fetch_a, fetch_b;
} conv_case;

/* Both give text for fx__program_parse; buffer sizes are `size`. */
void gemm_text(const gemm_case *c, char *out, size_t size);
void conv_text(const conv_case *c, char *out, size_t size);

/* A compiled kernel of a program. */
typedef struct kernel_code {
    void *jit;
    fx_rt_kernel run;
    int64_t object_bytes;
    double compile_ms;
} kernel_code;
fx_status kernel_compile(fx_context *context, const fx_program *program, int32_t kernel, kernel_code *out);
void kernel_free(kernel_code *code);

#endif
