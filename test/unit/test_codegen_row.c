/* SPDX-License-Identifier: Apache-2.0 */
/* ROW: reductions along the vector axis and the sweeps around them, against evaluation, for residues of the vector width; and
 * its scalar form, which is the fallback of every kernel. */
#include "native_run.h"

#define HEAD "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

/* The same stages with vectors, with one lane, and without a schedule. */
static void with_schedules(const char *format, const char *dtype, long size, double lo, double hi, double ulps, double absolute)
{
    static const char *const sched[] = {"  sched row vec j*16 unroll 4 task(i) grain 2 order(i)\n" COST,
                                        "  sched row vec j*8 unroll 1 task(i) grain 3 order(i)\n" COST,
                                        "  sched row vec _*1 unroll 1 task(i) grain 1 order(i)\n" COST, COST};
    for (size_t i = 0; i < sizeof sched / sizeof sched[0]; i++) {
        char text[4096], body[2048], out[2048];
        size_t n = 0;
        for (const char *c = format; *c; c++) { /* D: dtype, N: size, S: schedule */
            const char *put = *c == '$' ? dtype : *c == '~' ? out : *c == '^' ? sched[i] : NULL;
            snprintf(out, sizeof out, "%ld", size);
            if (!put)
                body[n++] = *c;
            else
                n += (size_t)snprintf(body + n, sizeof body - n, "%s", put);
        }
        body[n] = 0;
        snprintf(text, sizeof text, "%s", body);
        native_text(text, lo, hi, ulps, absolute);
    }
}

static const char sums[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5] output 0\n"
                                "kernel k0(x: $[5,~], out y: $[5]) {\n  for i:5 ; j:~\n"
                                "  s = sum(x[i,j]) over j\n  y[i] = s\n^}\nrun k0(%x, %y)\n";
static const char softmax[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5,~] output 0\n"
                                   "kernel k0(x: $[5,~], out y: $[5,~], local e: $[~] in y) {\n  for i:5 ; j:~\n"
                                   "  m = max(x[i,j]) over j\n  e[j] = exp(x[i,j] - m) over j\n  s = sum(e[j]) over j\n"
                                   "  y[i,j] = e[j] / s over j\n^}\nrun k0(%x, %y, _)\n";
static const char scratch[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5,~] output 0\n"
                                   "kernel k0(x: $[5,~], out y: $[5,~], local e: $[~]) {\n  for i:5 ; j:~\n"
                                   "  e[j] = x[i,j] * 2_$ over j\n  s = min(e[j]) over j\n  y[i,j] = e[-j+(~ - 1)] - s over j\n"
                                   "^}\nrun k0(%x, %y, _)\n";
static const char norm[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5,~] output 0\n"
                                "kernel k0(x: $[5,~], out y: $[5,~]) {\n  for i:5 ; j:~\n"
                                "  s = sum(x[i,j]) over j\n  q = sum((x[i,j] - s / ~_$) * (x[i,j] - s / ~_$)) over j\n"
                                "  y[i,j] = (x[i,j] - s / ~_$) / sqrt(q / ~_$ + 1_$) over j\n^}\nrun k0(%x, %y)\n";
static const char places[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: i64[2,5] output 0\n"
                                  "kernel k0(x: $[5,~], out y: i64[2,5]) {\n  for i:5 ; j:~\n"
                                  "  a = argmax(x[i,j]) over j\n  b = argmin(x[i,j]) over j\n"
                                  "  y[0,i] = a; y[1,i] = b\n^}\nrun k0(%x, %y)\n";
static const char running[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5,~] output 0\n"
                                   "kernel k0(x: $[5,~], out y: $[5,~], local l: $[~]) {\n  for i:5 ; j:~\n"
                                   "  c = prefix sum(x[i,j]) to l[j] over j\n  y[i,j] = l[j] over j\n^}\nrun k0(%x, %y, _)\n";
static const char product[] = HEAD "buf %x: $[5,~] input 0\nbuf %y: $[5,~] output 0\n"
                                   "kernel k0(x: $[5,~], out y: $[5,~], local d: $[~]) {\n  for i:5 ; j:~ k:3\n"
                                   "  p = sum(x[i,j] * x[k,j]) to d[j] over k each j\n  s = sum(d[j]) over j\n"
                                   "  y[i,j] = d[j] - s over j\n^}\nrun k0(%x, %y, _)\n";

/* Of integers every sum is exact: any order of additions gives the same bits. */
START_TEST(sums_of_integers_are_exact)
{
    for (long size = 0; size <= 20; size++) with_schedules(sums, "i32", size, -9, 9, 0, 0);
    for (long size = 60; size <= 70; size++) with_schedules(sums, "i64", size, -9, 9, 0, 0);
    with_schedules(running, "i32", 37, -9, 9, 0, 0);
    with_schedules(scratch, "i32", 37, -9, 9, 0, 0);
    with_schedules(product, "i32", 37, -9, 9, 0, 0);
}
END_TEST

/* Bounds: n + 2 roundings of terms below 1 in a sum, 4 ulp for exp, one for the division. */
START_TEST(softmax_and_layer_norm)
{
    for (long size = 1; size <= 35; size += 2) {
        with_schedules(softmax, "f32", size, -3, 3, (double)size + 8, 0);
        with_schedules(norm, "f32", size, -1, 1, 8, 1e-5);
    }
    with_schedules(softmax, "f32", 130, -3, 3, 130 + 8, 0);
    with_schedules(softmax, "f64", 67, -3, 3, 67 + 8, 0);
    with_schedules(norm, "f64", 67, -1, 1, 8, 1e-13);
    with_schedules(softmax, "f16", 37, -3, 3, 4, 1e-7); /* locals are rounded to f16 where they live */
    with_schedules(sums, "f32", 131, -1, 1, 0, 131 * 0x1p-22);
}
END_TEST

START_TEST(first_places_of_extremes)
{
    for (long size = 1; size <= 40; size += 3) with_schedules(places, "f32", size, -1, 1, 0, 0);
    with_schedules(places, "i8", 100, -2, 2, 0, 0); /* many equal elements */
    with_schedules(places, "f64", 100, -1, 1, 0, 0);
}
END_TEST

/* A NaN at each position in turn. */
START_TEST(nan_reaches_every_reduction)
{
    static const char text[] = HEAD "buf %x: f32[5,37] input 0\nbuf %y: f32[2,5] output 0\n"
                                    "kernel k0(x: f32[5,37], out y: f32[2,5]) {\n  for i:5 ; j:37\n"
                                    "  a = max(x[i,j]) over j\n  b = min(x[i,j]) over j\n  y[0,i] = a; y[1,i] = b\n"
                                    "  sched row vec j*16 unroll 2 task(i) grain 2 order(i)\n" COST "}\nrun k0(%x, %y)\n";
    native n;
    native_open(&n, text, 1);
    native_tensors(&n, 1, -1, 1);
    for (int64_t at = 0; at < 5 * 37; at++) {
        double was = fx_tensor_get(&n.in[0], at);
        fx_tensor_set(&n.in[0], at, (double)NAN);
        native_check(&n, 0, 0);
        fx_tensor_set(&n.in[0], at, was);
    }
    native_close(&n);
}
END_TEST

START_TEST(two_reduced_axes)
{
    native_text("program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %x: f32[4,5,37] input 0\nbuf %y: f32[4] output 0\n"
                "kernel k0(x: f32[4,5,37], out y: f32[4]) {\n  for i:4 ; r:5 j:37\n  m = max(x[i,r,j]) over r j\n  y[i] = m\n"
                "  sched row vec j*16 unroll 2 task(i) grain 1 order(i)\n" COST "}\nrun k0(%x, %y)\n",
                -1, 1, 0, 0);
}
END_TEST

START_TEST(a_contraction_without_tiles)
{
    native_text("program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %a: i32[7,9] input 0\nbuf %b: i32[9,5] input 1\nbuf %y: i32[7,5] output 0\n"
                "kernel k0(a: i32[7,9], b: i32[9,5], out y: i32[7,5]) {\n  for m:7 n:5 ; k:9\n  c = dot(a[m,k] * b[k,n]) over k\n"
                "  y[m,n] = c\n}\nrun k0(%a, %b, %y)\n",
                -9, 9, 0, 0);
}
END_TEST

FX_TESTS("codegen_row", sums_of_integers_are_exact, softmax_and_layer_norm, first_places_of_extremes, nan_reaches_every_reduction,
         two_reduced_axes, a_contraction_without_tiles)
