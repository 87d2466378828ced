/* SPDX-License-Identifier: Apache-2.0 */
/* Entries: calls that do not fit are refused with their status; symbols are read; CALL, IF and LOOP steps; init steps and weights;
 * slices; the typed wrapper. */
#include "native_run.h"

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

static const char symbolic[] =
    "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
    "sym s0 in [2,64] hint 8 multiple 2 from input 0 axis 0\n"
    "sym s1 in [0,64] hint 8 multiple 1 from input 1 axis 1\n"
    "guard le s0, s1, \"test\"\nguard ne s1, 13, \"test\"\n"
    "buf %x: f32[s0,3] input 0\nbuf %b: f32[s0,s1] input 1\nbuf %y: f32[s0,s1*2] output 0\n"
    "kernel k0(x: f32[s0,3], b: f32[s0,s1], out y: f32[s0,s1*2]) {\n  for i:(s0) j:(s1)\n"
    "  y[i,2*j] = x[i,1] + b[i,j]; y[i,2*j+1] = x[i,2]\n  sched flat vec j*8 unroll 1 order(i,j)\n" COST "}\nrun k0(%x, %b, %y)\n";

static void open_symbolic(native *n, int64_t s0, int64_t s1)
{
    native_open(n, symbolic, 1);
    n->sym[0] = s0;
    n->sym[1] = s1;
    native_tensors(n, 1, -1, 1);
}

START_TEST(a_fitting_call_runs)
{
    native n;
    open_symbolic(&n, 6, 11);
    native_check(&n, 0, 0);
    native_close(&n);
}
END_TEST

static void expect(native *n, fx_status status)
{
    ck_assert_int_eq(native_call(n, 0), status);
}

START_TEST(calls_that_do_not_fit_are_refused)
{
    native n;
    open_symbolic(&n, 6, 11);
    n.in[0].dtype = FX_F64, expect(&n, FX_E_TYPE), n.in[0].dtype = FX_F32;
    n.out[0].dtype = FX_I32, expect(&n, FX_E_TYPE), n.out[0].dtype = FX_F32;
    n.in[1].rank = 1, expect(&n, FX_E_SHAPE), n.in[1].rank = 2;
    n.in[0].dim[1] = 4, expect(&n, FX_E_SHAPE), n.in[0].dim[1] = 3;
    n.in[1].dim[0] = 8, expect(&n, FX_E_SHAPE), n.in[1].dim[0] = 6; /* s0 differs between two inputs */
    n.out[0].dim[1] = 11, expect(&n, FX_E_SHAPE), n.out[0].dim[1] = 22;
    n.in[1].stride[0] = 12, expect(&n, FX_E_ARG), n.in[1].stride[0] = 11;
    n.in[1].stride[1] = 2, expect(&n, FX_E_ARG), n.in[1].stride[1] = 1;
    expect(&n, FX_OK);
    native_close(&n);
}
END_TEST

START_TEST(counts_are_checked)
{
    native n;
    open_symbolic(&n, 6, 11);
    int64_t dim[2];
    fx_rt_call call = {.in = n.in, .out = n.out, .dim = dim, .n_in = 1, .n_out = 1, .threads = 1};
    ck_assert_int_eq(fx__jit_entry(n.jit)(&call), FX_E_ARG);
    call.n_in = 2;
    call.n_out = 0;
    ck_assert_int_eq(fx__jit_entry(n.jit)(&call), FX_E_ARG);
    call.n_out = 1;
    ck_assert_int_eq(fx__jit_entry(n.jit)(&call), FX_OK);
    ck_assert_int_eq(dim[0], 6);
    ck_assert_int_eq(dim[1], 11);
    native_close(&n);
}
END_TEST

START_TEST(broken_guards_are_told)
{
    static const int64_t size[][2] = {{5, 11}, {0, 11}, {66, 66}, {8, 7}, {6, 13}}; /* multiple, below, above, le, ne */
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        native n;
        open_symbolic(&n, size[i][0], size[i][1]);
        expect(&n, FX_E_GUARD);
        native_close(&n);
    }
}
END_TEST

/* ---- Steps -------------------------------------------------------------------------------------------------------------- */

static const char control[] = "program inputs 2 outputs 1 states 0 workspace 0 consts 0 scratch 0\n"
                              "buf %flag: bool[] input 0\nbuf %turns: i32[] input 1\nbuf %y: i32[4] output 0\n"
                              "kernel zero(out y: i32[4]) {\n  for i:4\n  y[i] = 0_i32\n}\n"
                              "kernel one(inout y: i32[4]) {\n  for i:4\n  y[i] = y[i] + 1_i32\n}\n"
                              "kernel ten(inout y: i32[4]) {\n  for i:4\n  y[i] = y[i] + 10_i32\n}\n"
                              "run zero(%y)\nif %flag {\n  loop %turns {\n    run one(%y)\n  }\n} else {\n  run ten(%y)\n}\n";

START_TEST(if_and_loop)
{
    native n;
    native_open(&n, control, 1);
    for (int flag = 0; flag < 2; flag++) {
        for (int turns = 0; turns < 4; turns++) {
            native_tensors(&n, 1, 0, 1);
            fx_tensor_set(&n.in[0], 0, flag);
            fx_tensor_set(&n.in[1], 0, turns);
            native_check(&n, 0, 0);
            ck_assert_double_eq(fx_tensor_get(&n.out[0], 3), flag ? turns : 10);
        }
    }
    native_close(&n);
}
END_TEST

/* Weights: one constant from the module, one that an init step makes from another, which only init reads. */
START_TEST(init_steps_fill_the_weights)
{
    static const char text[] =
        "program inputs 1 outputs 1 states 0 planned workspace 0 consts 128 scratch 0\n"
        "buf %x: f32[4] input 0 at 0\nbuf %w: f32[4] const data 0000803f000000400000404000008040 at -1\n"
        "buf %mid: f32[4] const at -1\nbuf %v: f32[4] const at 64\nbuf %c: f32[4] const data 0000803f0000803f0000803f0000803f at "
        "0\n"
        "buf %y: f32[4] output 0 at 0\n"
        "kernel twice(a: f32[4], out y: f32[4]) exact {\n  for i:4\n  y[i] = a[i] + a[i]\n}\n"
        "kernel all(x: f32[4], const v: f32[4], const c: f32[4], out y: f32[4]) {\n  for i:4\n  y[i] = x[i] * v[i] + c[i]\n}\n"
        "init run twice(%w, %mid)\ninit run twice(%mid, %v)\nrun all(%x, %v, %c, %y)\n";
    native n;
    native_open(&n, text, 1);
    native_tensors(&n, 1, 0, 1);
    for (int i = 0; i < 4; i++) fx_tensor_set(&n.in[0], i, i);
    ck_assert_int_eq(native_call(&n, 0), FX_OK);
    for (int i = 0; i < 4; i++) ck_assert_double_eq(fx_tensor_get(&n.out[0], i), i * 4.0 * (i + 1) + 1);
    ck_assert_float_eq(((const float *)fx__jit_consts(n.jit))[16], 4.0f);
    native_close(&n);
}
END_TEST

START_TEST(slices_start_inside_their_parent)
{
    static const char text[] =
        "program inputs 1 outputs 1 states 0 planned workspace 256 consts 0 scratch 0\n"
        "buf %x: f32[2,3] input 0 at 0\nbuf %t: f32[4,6] temp at 64\nbuf %s: f32[2,3] temp in %t [1,2] at 64\n"
        "buf %y: f32[4,6] output 0 at 0\n"
        "kernel zero(out t: f32[4,6]) {\n  for i:4 j:6\n  t[i,j] = 0.0\n}\n"
        "kernel put(x: f32[2,3], out s: f32[2,3]{6,1}) {\n  for i:2 j:3\n  s[i,j] = x[i,j]\n}\n"
        "kernel copy(t: f32[4,6], out y: f32[4,6]) {\n  for i:4 j:6\n  y[i,j] = t[i,j]\n}\n"
        "run zero(%t)\nrun put(%x, %s)\nrun copy(%t, %y)\n";
    native n;
    native_open(&n, text, 1);
    native_tensors(&n, 1, 1, 2);
    ck_assert_int_eq(native_call(&n, 0x7f), FX_OK);
    for (int i = 0; i < 4; i++) {
        for (int j = 0; j < 6; j++) {
            bool inside = i >= 1 && i < 3 && j >= 2 && j < 5;
            double want = inside ? fx_tensor_get(&n.in[0], (i - 1) * 3 + j - 2) : 0;
            ck_assert_double_eq(fx_tensor_get(&n.out[0], i * 6 + j), want);
        }
    }
    native_close(&n);
}
END_TEST

typedef int32_t (*typed_fn)(const float *x, const float *b, float *y, int64_t s0, int64_t s1, void *workspace);

START_TEST(the_typed_wrapper_makes_the_call)
{
    native n;
    open_symbolic(&n, 6, 11);
    native_eval(&n);
    typed_fn f;
    void *address = fx__jit_wrapper(n.jit);
    memcpy(&f, &address, sizeof f);
    _Alignas(64) char workspace[64];
    ck_assert_int_eq(f(n.in[0].data, n.in[1].data, n.out[0].data, 6, 11, workspace), FX_OK);
    native_compare(&n.out[0], &n.expected[0], 0, 0);
    ck_assert_int_eq(f(n.in[0].data, n.in[1].data, n.out[0].data, 6, 13, workspace), FX_E_GUARD);
    native_close(&n);
}
END_TEST

/* ---- CALL steps --------------------------------------------------------------------------------------------------------- */

typedef struct host {
    int32_t n, fails_at;
} host;

static int32_t host_step(fx_rt_call *call, int32_t index, void *const *view)
{
    host *h = call->user;
    (void)view;
    ck_assert_int_eq(index, h->n++);
    return index == h->fails_at ? FX_E_INDEX : FX_OK;
}

typedef int32_t (*zero_fn)(int32_t *y, void *workspace);

/* By their number in program order, from the typed wrapper too; the first failure ends the run. */
START_TEST(call_steps_go_to_the_host)
{
    static const char text[] = "program inputs 0 outputs 1 states 0 workspace 0 consts 0 scratch 0\nbuf %y: i32[4] output 0\n"
                               "kernel zero(out y: i32[4]) {\n  for i:4\n  y[i] = 0_i32\n}\nrun zero(%y)\n";
    native n;
    native_parse(&n, text, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(fx__block_add(n.program, &n.program->steps, &(fx_step){.kind = FX_STEP_CALL}));
    native_compile(&n);
    native_tensors(&n, 1, 0, 1);
    ck_assert_int_eq(native_call(&n, 0), FX_E_UNSUPPORTED); /* nobody to run them */
    zero_fn f;
    void *address = fx__jit_wrapper(n.jit);
    memcpy(&f, &address, sizeof f);
    for (int32_t fails_at = 0; fails_at <= 3; fails_at++) {
        host h = {.fails_at = fails_at};
        fx__jit_call(n.jit)->step = host_step;
        fx__jit_call(n.jit)->user = &h;
        _Alignas(64) char workspace[64];
        ck_assert_int_eq(f(n.out[0].data, workspace), fails_at < 3 ? FX_E_INDEX : FX_OK);
        ck_assert_int_eq(h.n, fails_at < 3 ? fails_at + 1 : 3);
    }
    native_close(&n);
}
END_TEST

/* ---- Profiling ---------------------------------------------------------------------------------------------------------- */

typedef struct listener {
    fx_rt_profile base;
    char told[256]; /* "0( 0) ..." */
    int32_t left_out;
} listener;

static int32_t hear_begin(fx_rt_profile *base, int32_t unit)
{
    listener *l = (listener *)base;
    size_t used = strlen(l->told);
    snprintf(l->told + used, sizeof l->told - used, unit == l->left_out ? "%d- " : "%d( ", (int)unit);
    return unit != l->left_out;
}

static void hear_end(fx_rt_profile *base, int32_t unit)
{
    listener *l = (listener *)base;
    size_t used = strlen(l->told);
    snprintf(l->told + used, sizeof l->told - used, "%d) ", (int)unit);
}

static listener listener_new(int32_t left_out)
{
    return (listener){.base = {.begin = hear_begin, .end = hear_end}, .left_out = left_out};
}

static void open_control(native *n, bool profile)
{
    native_parse(n, control, 1);
    n->options.profile = profile;
    native_compile(n);
    native_tensors(n, 1, 0, 1);
    fx_tensor_set(&n->in[0], 0, 1);
    fx_tensor_set(&n->in[1], 0, 2);
}

static double listened_run(native *n, listener *l)
{
    n->profile = l ? &l->base : NULL;
    ck_assert_int_eq(native_call(n, 0), FX_OK);
    return fx_tensor_get(&n->out[0], 0);
}

/* Units count in program order: zero 0, if 1, loop 2, one 3, ten 4. */
START_TEST(a_listener_hears_of_every_unit)
{
    native n;
    open_control(&n, true);
    listener all = listener_new(-1), none = listener_new(3), branch = listener_new(2);
    ck_assert_double_eq(listened_run(&n, &all), 2);
    ck_assert_str_eq(all.told, "0( 0) 1( 2( 3( 3) 3( 3) 2) 1) ");
    ck_assert_double_eq(listened_run(&n, &none), 0);
    ck_assert_str_eq(none.told, "0( 0) 1( 2( 3- 3- 2) 1) ");
    ck_assert_double_eq(listened_run(&n, &branch), 2); /* a loop cannot be left out */
    fx_tensor_set(&n.in[0], 0, 0);
    listener other = listener_new(-1);
    ck_assert_double_eq(listened_run(&n, &other), 10);
    ck_assert_str_eq(other.told, "0( 0) 1( 4( 4) 1) ");
    ck_assert_double_eq(listened_run(&n, NULL), 10);
    native_close(&n);
}
END_TEST

START_TEST(profiling_changes_no_kernel_and_no_object)
{
    native with, without;
    char *text[2], *object[2];
    size_t bytes[2];
    open_control(&with, true);
    open_control(&without, false);
    ck_assert_uint_eq(fx__jit_code_hash(with.jit), fx__jit_code_hash(without.jit));
    listener deaf = listener_new(0);
    ck_assert_double_eq(listened_run(&without, &deaf), 2);
    ck_assert_str_eq(deaf.told, "");
    native *both[] = {&with, &without};
    for (int i = 0; i < 2; i++) {
        CHECK_OK(both[i]->context, fx__codegen_text(both[i]->program, &both[i]->options, false, &text[i]));
        CHECK_OK(both[i]->context, fx__aot_object(both[i]->program, &both[i]->options, NULL, 0, &object[i], &bytes[i]));
    }
    ck_assert(strstr(text[0], "tell:") && !strstr(text[1], "tell:"));
    ck_assert_uint_eq(bytes[0], bytes[1]);
    ck_assert(memcmp(object[0], object[1], bytes[0]) == 0);
    for (int i = 0; i < 2; i++) {
        fx_text_free(text[i]);
        fx_text_free(object[i]);
    }
    native_close(&with);
    native_close(&without);
}
END_TEST

FX_TESTS("codegen_entry", a_fitting_call_runs, calls_that_do_not_fit_are_refused, counts_are_checked, broken_guards_are_told,
         if_and_loop, init_steps_fill_the_weights, slices_start_inside_their_parent, the_typed_wrapper_makes_the_call,
         call_steps_go_to_the_host, a_listener_hears_of_every_unit, profiling_changes_no_kernel_and_no_object)
