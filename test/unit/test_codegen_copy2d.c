/* SPDX-License-Identifier: Apache-2.0 */
/* COPY2D: transposes in blocks, with full and partial blocks at both ends, other loads beside the transposed ones, several element
 * types, against evaluation. */
#include "native_run.h"

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

static void transpose(const char *dtype, long rows, long columns, int lanes)
{
    char text[2048];
    snprintf(text, sizeof text,
             "program inputs 3 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
             "buf %%x: %s[2,%ld,%ld] input 0\nbuf %%b: %s[%ld] input 1\nbuf %%c: %s[%ld] input 2\nbuf %%y: %s[2,%ld,%ld] output 0\n"
             "kernel k0(x: %s[2,%ld,%ld], b: %s[%ld], c: %s[%ld], out y: %s[2,%ld,%ld]) {\n  for n:2 j:%ld i:%ld\n"
             "  y[n,j,i] = x[n,i,j] + max(b[i], c[j])\n  sched copy2d vec i*%d unroll 1 vec2 j task(n) grain 1 order(n,j,i)\n" COST
             "}\nrun k0(%%x, %%b, %%c, %%y)\n",
             dtype, rows, columns, dtype, rows, dtype, columns, dtype, columns, rows, dtype, rows, columns, dtype, rows, dtype,
             columns, dtype, columns, rows, columns, rows, lanes);
    native_text(text, -100, 100, 0, 0);
}

START_TEST(full_and_partial_blocks)
{
    for (long rows = 1; rows <= 35; rows += 5) {
        for (long columns = 1; columns <= 35; columns += 3) transpose("f32", rows, columns, 16);
    }
    transpose("f32", 48, 32, 16);
    transpose("f32", 16, 16, 16);
}
END_TEST

START_TEST(every_width)
{
    for (int lanes = 2; lanes <= 32; lanes *= 2) transpose("i16", 37, 41, lanes);
    transpose("f64", 19, 21, 8);
    transpose("f16", 19, 21, 16);
    transpose("i8", 70, 65, 64);
    transpose("i32", 37, 41, 4);
}
END_TEST

START_TEST(flipped_and_strided_columns)
{
    native_text("program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %x: f32[75,21] input 0\nbuf %y: f32[21,37] output 0\n"
                "kernel k0(x: f32[75,21], out y: f32[21,37]) {\n  for j:21 i:37\n  y[j,i] = x[-2*i+74,j]\n"
                "  sched copy2d vec i*16 unroll 1 vec2 j task(j) grain 1 order(j,i)\n" COST "}\nrun k0(%x, %y)\n",
                -1, 1, 0, 0);
}
END_TEST

FX_TESTS("codegen_copy2d", full_and_partial_blocks, every_width, flipped_and_strided_columns)
