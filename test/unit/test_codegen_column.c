/* SPDX-License-Identifier: Apache-2.0 */
/* COLUMN: pooling and depthwise convolution with padding, side-by-side accumulators along one and two axes, clipped loops and
 * border tiles, against evaluation. */
#include "native_run.h"

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

/* x: [2,h,w,c]; window 3x3, stride, padding 1; sched: everything behind "sched column vec c*". */
static void pool(long c, long stride, const char *sched)
{
    char text[2048];
    long h = 7, w = 9, oh = (h - 1) / stride + 1, ow = (w - 1) / stride + 1;
    snprintf(text, sizeof text,
             "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
             "buf %%x: f32[2,%ld,%ld,%ld] input 0\nbuf %%y: f32[2,%ld,%ld,%ld] output 0\n"
             "kernel k0(x: f32[2,%ld,%ld,%ld], out y: f32[2,%ld,%ld,%ld]) {\n  for n:2 h:%ld w:%ld c:%ld ; kh:3 kw:3\n"
             "  m = max(x[n,%ld*h+kh-1,%ld*w+kw-1,c]?-inf) over kh kw\n  y[n,h,w,c] = m\n"
             "  sched column vec c*%s task(n,h) grain 3 order(n,h,w,c)\n" COST "}\nrun k0(%%x, %%y)\n",
             h, w, c, oh, ow, c, h, w, c, oh, ow, c, oh, ow, c, stride, stride, sched);
    native_text(text, -1, 1, 0, 0);
}

START_TEST(padded_pooling)
{
    for (long c = 1; c <= 40; c += 3) {
        for (long stride = 1; stride <= 3; stride++) {
            pool(c, stride, "16 unroll 1 nv 2");
            pool(c, stride, "16 unroll 1 row w mr 4 nv 2");
            pool(c, stride, "8 unroll 1 row w mr 3 nv 1");
        }
    }
    pool(17, 2, "16 unroll 1 row w mr 9 nv 1");
}
END_TEST

static void depthwise_ordered(long c, long stride, long dilation, const char *sched, const char *order)
{
    char text[2048];
    long h = 7, w = 11, oh = (h - 1) / stride + 1, ow = (w - 1) / stride + 1;
    snprintf(
        text, sizeof text,
        "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
        "buf %%x: i32[2,%ld,%ld,%ld] input 0\nbuf %%f: i32[3,3,%ld] input 1\nbuf %%y: i32[2,%ld,%ld,%ld] output 0\n"
        "kernel k0(x: i32[2,%ld,%ld,%ld], f: i32[3,3,%ld], out y: i32[2,%ld,%ld,%ld]) {\n  for n:2 h:%ld w:%ld c:%ld ; kh:3 kw:3\n"
        "  m = sum(x[n,%ld*h+%ld*kh-%ld,%ld*w+%ld*kw-%ld,c]?0 * f[kh,kw,c]) over kh kw\n  y[n,h,w,c] = max(m, 0_i32)\n"
        "  sched column vec c*%s %s\n" COST "}\nrun k0(%%x, %%f, %%y)\n",
        h, w, c, c, oh, ow, c, h, w, c, c, oh, ow, c, oh, ow, c, stride, dilation, dilation, stride, dilation, dilation, sched,
        order);
    native_text(text, -9, 9, 0, 0);
}

static void depthwise(long c, long stride, long dilation, const char *sched)
{
    depthwise_ordered(c, stride, dilation, sched, "task(n,h) grain 3 order(n,h,w,c)");
}

START_TEST(depthwise_convolution)
{
    for (long c = 1; c <= 35; c += 5) {
        for (long stride = 1; stride <= 2; stride++) {
            depthwise(c, stride, 1, "16 unroll 1 row w mr 4 nv 2");
            depthwise(c, stride, 2, "16 unroll 1 row w mr 4 nv 2");
            depthwise(c, stride, 1, "16 unroll 1 nv 4");
            depthwise_ordered(c, stride, 1, "16 unroll 1 row w mr 4 nv 2", "task(n,h) grain 3 order(c,n,h,w)");
            depthwise_ordered(c, stride, 2, "16 unroll 1 row w mr 3 nv 1", "task(c) grain 1 order(c,n,h,w)");
            depthwise_ordered(c, stride, 1, "16 unroll 1 nv 2", "order(c,n,h,w)");
        }
    }
}
END_TEST

/* Groups of `width` channels: each lane reads x where its group begins, `step` elements behind the one before. */
static void grouped(long width, long step, long c, long lanes, const char *sched)
{
    char text[2048];
    long h = 5, w = 9, in = (c + width - 1) / width * step + 1;
    snprintf(text, sizeof text,
             "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
             "buf %%x: i32[%ld,%ld,%ld] input 0\nbuf %%f: i32[3,2,%ld] input 1\nbuf %%y: i32[%ld,%ld,%ld] output 0\n"
             "kernel k0(x: i32[%ld,%ld,%ld], f: i32[3,2,%ld], out y: i32[%ld,%ld,%ld]) {\n  for h:%ld w:%ld c:%ld ; kh:3 k:2\n"
             "  m = sum(x[h+kh-1,w+kh-1,%ld*c/%ld+k]?0 * f[kh,k,c]) over kh k\n  y[h,w,c] = m\n"
             "  sched column vec c*%ld %s\n" COST "}\nrun k0(%%x, %%f, %%y)\n",
             h, w, in, c, h, w, c, h, w, in, c, h, w, c, h, w, c, step, width, lanes, sched);
    native_text(text, -9, 9, 0, 0);
}

START_TEST(grouped_convolution)
{
    for (long width = 2; width <= 16; width *= 2) {
        for (long c = width; c <= 48; c += width) {
            grouped(width, 1, c, 16, "unroll 1 row w mr 4 nv 2 task(h) grain 2 order(h,w,c)");
            grouped(width, width, c, 16, "unroll 1 row w mr 3 nv 1 order(c,h,w)");
            grouped(width, 2, c, 8, "unroll 1 row w mr 9 nv 1 task(c) grain 1 order(c,h,w)");
        }
        grouped(width, 3, 37, 16, "unroll 1 nv 4 order(h,w,c)");
        grouped(width, 9, 37, 16, "unroll 1 row w mr 4 nv 2 order(h,w,c)");
    }
}
END_TEST

START_TEST(a_flipped_window_is_clipped_too)
{
    native_text(
        "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
        "buf %x: i32[9,21] input 0\nbuf %y: i32[9,21] output 0\n"
        "kernel k0(x: i32[9,21], out y: i32[9,21]) {\n  for h:9 c:21 ; k:4\n  m = sum(x[h-2*k+3,c]?0) over k\n  y[h,c] = m\n"
        "  sched column vec c*16 unroll 1 nv 1 task(h) grain 2 order(h,c)\n" COST "}\nrun k0(%x, %y)\n",
        -9, 9, 0, 0);
}
END_TEST

/* The fill is no identity: nothing may be clipped. */
START_TEST(a_fill_that_counts)
{
    native_text("program inputs 1 outputs 2 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %x: i32[9,21] input 0\nbuf %y: i32[9,21] output 0\nbuf %z: i32[9,21] output 1\n"
                "kernel k0(x: i32[9,21], out y: i32[9,21], out z: i32[9,21]) {\n  for h:9 c:21 ; k:3\n"
                "  m = sum(x[h+k-1,c]?5) over k\n  p = sum(x[h+k-1,c]?0 + 7_i32) over k\n  y[h,c] = m; z[h,c] = p\n"
                "  sched column vec c*16 unroll 1 row h mr 4 nv 1 order(h,c)\n" COST "}\nrun k0(%x, %y, %z)\n",
                -9, 9, 0, 0);
}
END_TEST

/* Sizes are known at run time only. */
START_TEST(symbolic_extents)
{
    static const char text[] =
        "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
        "sym s0 in [0,64] hint 8 multiple 1 from input 0 axis 0\nsym s1 in [0,64] hint 8 multiple 1 from input 0 axis 1\n"
        "buf %x: f32[s0,s1] input 0\nbuf %y: f32[s0,s1] output 0\n"
        "kernel k0(x: f32[s0,s1], out y: f32[s0,s1]) {\n  for h:(s0) c:(s1) ; k:3\n  m = max(x[h+k-1,c]?-inf) over k\n  y[h,c] = "
        "m\n"
        "  sched column vec c*16 unroll 1 row h mr 4 nv 2 task(h) grain 1 order(h,c)\n" COST "}\nrun k0(%x, %y)\n";
    for (int64_t rows = 0; rows <= 9; rows += 3) {
        for (int64_t columns = 0; columns <= 49; columns += 7) {
            native n;
            native_open(&n, text, 1);
            n.sym[0] = rows;
            n.sym[1] = columns;
            native_tensors(&n, 1, -1, 1);
            native_check(&n, 0, 0);
            native_close(&n);
        }
    }
}
END_TEST

FX_TESTS("codegen_column", padded_pooling, depthwise_convolution, grouped_convolution, a_flipped_window_is_clipped_too,
         a_fill_that_counts, symbolic_extents)
