/* SPDX-License-Identifier: Apache-2.0 */
/* FLAT: native code against evaluation for every residue of the vector width, for each storage type, for views, guards, gathers,
 * in-place updates and chunks. */
#include "native_run.h"

static void relu_of_size(int64_t size, int lanes, int unroll)
{
    char text[1024];
    snprintf(text, sizeof text,
             "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
             "buf %%x: f32[3,%lld] input 0\nbuf %%b: f32[%lld] input 1\nbuf %%y: f32[3,%lld] output 0\n"
             "kernel k0(a: f32[3,%lld], b: f32[%lld], out y: f32[3,%lld]) {\n  for i:3 j:%lld\n"
             "  y[i,j] = relu(a[i,j] + b[j])\n  sched flat vec j*%d unroll %d task(i) grain 2 order(i,j)\n"
             "  cost flop 1 read 1 write 1 cycles 1\n}\nrun k0(%%x, %%b, %%y)\n",
             (long long)size, (long long)size, (long long)size, (long long)size, (long long)size, (long long)size, (long long)size,
             lanes, unroll);
    native_text(text, -1, 1, 0, 0);
}

START_TEST(every_residue_of_the_vector_width)
{
    for (int64_t size = 0; size <= 33; size++) relu_of_size(size, 16, 1);
    for (int64_t size = 62; size <= 82; size++) relu_of_size(size, 16, 4);
    relu_of_size(37, 8, 2);
    relu_of_size(37, 4, 2);
    relu_of_size(37, 1, 1);
}
END_TEST

START_TEST(one_axis_is_cut_into_chunks)
{
    static const char text[] = "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                               "sym s0 in [0,100000] hint 1000 multiple 1 from input 0 axis 0\n"
                               "buf %x: f32[s0] input 0\nbuf %y: f32[s0] output 0\n"
                               "kernel k0(a: f32[s0], out y: f32[s0]) {\n  for i:(s0)\n  y[i] = a[i] * a[i] - 0.5\n"
                               "  sched flat vec i*16 unroll 4 task(i) grain 3 order(i) parallel\n"
                               "  cost flop 1 read 1 write 1 cycles 1\n}\nrun k0(%x, %y)\n";
    for (int threads = 1; threads <= 2; threads++) {
        native n;
        native_open(&n, text, threads);
        const int64_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 191, 192, 193, 1000};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            n.sym[0] = sizes[i];
            native_tensors(&n, i, -2, 2);
            native_check(&n, 2, 1e-7); /* one rounding less where multiply and add are fused */
        }
        native_close(&n);
    }
}
END_TEST

static const char *const dtypes[] = {"f16", "f32", "f64", "bf16", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "bool"};

START_TEST(every_pair_of_storage_types)
{
    for (int from = 0; from < FX_DTYPE_COUNT; from++) {
        for (int to = 0; to < FX_DTYPE_COUNT; to++) {
            char text[1024];
            snprintf(text, sizeof text,
                     "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                     "buf %%x: %s[37] input 0\nbuf %%y: %s[37] output 0\nkernel k0(a: %s[37], out y: %s[37]) {\n  for i:37\n"
                     "  y[i] = %s(a[i])\n  sched flat vec i*8 unroll 2 order(i)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                     "run k0(%%x, %%y)\n",
                     dtypes[from], dtypes[to], dtypes[from], dtypes[to], dtypes[to]);
            native_text(text, -300, 70000, 0, 0);
        }
    }
}
END_TEST

/* Views as indices: flips, strides, digits, broadcasts, transposes. */
START_TEST(views_are_indices)
{
    static const char *const index[] = {"x[-i+4,j]",      "x[i,-j+36]", "x[0,j]",        "x[i,3]",
                                        "x[j%5,4*j/5+i]", "x[i,j/2]",   "x[j/8,7*i+j%7]"};
    for (size_t i = 0; i < sizeof index / sizeof index[0]; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 "program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                 "buf %%x: f32[5,37] input 0\nbuf %%y: f32[5,37] output 0\nkernel k0(x: f32[5,37], out y: f32[5,37]) {\n"
                 "  for i:5 j:37\n  y[i,j] = %s + 1.0\n  sched flat vec j*16 unroll 2 task(i) grain 1 order(i,j)\n"
                 "  cost flop 1 read 1 write 1 cycles 1\n}\nrun k0(%%x, %%y)\n",
                 index[i]);
        native_text(text, -1, 1, 0, 0);
    }
}
END_TEST

START_TEST(guards_give_the_fill_and_skip_stores)
{
    native_text("program inputs 1 outputs 2 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %x: f32[5,37] input 0\nbuf %y: f32[9,43] output 0\nbuf %z: i64[5,37] output 1\n"
                "kernel k0(x: f32[5,37], out y: f32[9,43]) {\n  for i:9 j:43\n  y[i,j] = x[i-2,j-3]?-inf\n"
                "  sched flat vec j*16 unroll 2 task(i) grain 1 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                "kernel k1(x: f32[5,37], out z: i64[5,37]) {\n  for i:7 j:41\n"
                "  z[i-1,j-2]?0 = i64(x[i-1,j-2]?0 * 100.0) + i * 1000_i64 + j\n"
                "  sched flat vec j*8 unroll 1 task(i) grain 4 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                "run k0(%x, %y)\nrun k1(%x, %z)\n",
                -1, 1, 0, 0);
}
END_TEST

static const char gather[] = "program inputs 2 outputs 2 states 0 workspace 0 consts 0 scratch 0\n"
                             "buf %t: f32[11,21] input 0\nbuf %i: i32[37] input 1\n"
                             "buf %y: f32[37,21] output 0\nbuf %z: f32[21,37] output 1\n"
                             "kernel rows(t: f32[11,21], ix: i32[37], out y: f32[37,21]) {\n  for i:37 j:21\n"
                             "  y[i,j] = t[{i64(ix[i])},j]!\n"
                             "  sched flat vec j*16 unroll 1 task(i) grain 4 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                             "kernel elements(t: f32[11,21], ix: i32[37], out z: f32[21,37]) {\n  for i:21 j:37\n"
                             "  z[i,j] = t[{i64(ix[j])},i]!\n"
                             "  sched flat vec j*16 unroll 1 task(i) grain 4 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                             "run rows(%t, %i, %y)\nrun elements(%t, %i, %z)\n";

START_TEST(gathers_are_clamped_and_reported)
{
    native n;
    native_open(&n, gather, 1);
    native_tensors(&n, 1, 0, 10.9);
    native_check(&n, 0, 0);
    for (int at = 0; at < 37; at += 4) { /* also in the masked tail */
        fx_tensor_set(&n.in[1], at, at % 8 ? 11 : -1);
        ck_assert_int_eq(native_call(&n, 0), FX_E_INDEX);
        fx_tensor_set(&n.in[1], at, 3);
        ck_assert_int_eq(native_call(&n, 0), FX_OK);
    }
    native_close(&n);
}
END_TEST

START_TEST(an_inout_argument_is_updated_in_place)
{
    native_text("program inputs 1 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                "buf %x: f32[3,37] input 0\nbuf %y: f32[3,37] output 0\n"
                "kernel k0(x: f32[3,37], out y: f32[3,37]) {\n  for i:3 j:37\n  y[i,j] = x[i,j]\n"
                "  sched flat vec j*16 unroll 2 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                "kernel k1(x: f32[3,37], inout y: f32[3,37]) {\n  for i:3 j:37\n  y[i,j] = y[i,j] + x[i,j]\n"
                "  sched flat vec j*16 unroll 2 order(i,j)\n  cost flop 1 read 1 write 1 cycles 1\n}\n"
                "run k0(%x, %y)\nrun k1(%x, %y)\n",
                -1, 1, 0, 0);
}
END_TEST

FX_TESTS("codegen_flat", every_residue_of_the_vector_width, one_axis_is_cut_into_chunks, every_pair_of_storage_types,
         views_are_indices, guards_give_the_fill_and_skip_stores, gathers_are_clamped_and_reported,
         an_inout_argument_is_updated_in_place)
