/* SPDX-License-Identifier: Apache-2.0 */
/* Memory plans: random lifetimes hold, the workspace stays near its lower bound, planted faults are caught. */
#include "harness.h"
#include "passes/pass.h"

enum { MAX_IN = 3 };

typedef struct {
    fx_context *context;
    fx_program *program;
} fixture;

static fixture setup(void)
{
    fixture f = {.context = fx_context_new()};
    f.program = fx__program_new(f.context, NULL);
    ck_assert_ptr_nonnull(f.program);
    for (int n_in = 0; n_in <= MAX_IN; n_in++) { /* kernel k: k inputs, one output; only the roles matter here */
        fx_kernel *kernel = fx__kernel_new(f.program);
        for (int a = 0; a <= n_in; a++) {
            fx_arg arg = {.role = a < n_in ? FX_ARG_IN : FX_ARG_OUT, .dtype = FX_F32, .rank = 1};
            fx__kernel_add_arg(kernel, &arg);
        }
        fx__program_add_kernel(f.program, kernel);
    }
    return f;
}

static void teardown(fixture *f)
{
    fx__program_free(f->program);
    fx_context_free(f->context);
}

static int32_t add_buf(fx_program *program, fx_role role, fx_dim elems)
{
    fx_buf buf = {.name = "b", .dtype = FX_F32, .rank = 1, .role = role, .dim = {elems}, .parent = -1, .index = -1};
    return fx__program_add_buf(program, &buf);
}

static void add_step(fx_program *program, fx_block *block, const int32_t *in, int n_in, int32_t out)
{
    fx_step step = {.kind = FX_STEP_RUN, .kernel = n_in, .cond = -1};
    for (int i = 0; i < n_in; i++) step.bind[i].buf = in[i];
    step.bind[n_in].buf = out;
    ck_assert_ptr_nonnull(fx__block_add(program, block, &step));
}

static fx_status plan(fx_program *program, bool apart)
{
    fx_pass_options options = {.no_in_place = apart};
    return fx__pass_plan(program, &options);
}

/* A random straight program; some values are slices of a parent, some sizes are symbolic, every tenth step is in a loop. */
static void random_program(fx_program *program, uint64_t *seed, bool symbolic)
{
    fx_sym sym = {.name = "s0", .lo = 1, .hi = 1000, .hint = 50, .multiple = 1, .input = -1};
    fx_dim s0 = symbolic ? fx__dim_sym(program->dims, fx__dims_add_sym(program->dims, &sym)) : 7;
    int32_t value[64], n = 0;
    for (int i = 0; i < 40; i++) {
        fx_dim elems = (int64_t)(fx_test_random(seed) % 400);
        if (fx_test_random(seed) % 3 == 0) elems = fx__dim_mul(program->dims, s0, elems);
        int32_t out = add_buf(program, FX_BUF_TEMP, elems), in[MAX_IN];
        if (fx_test_random(seed) % 8 == 0) {
            fx_buf slice = program->buf[out];
            program->buf[out].dim[0] = fx__dim_add(program->dims, elems, 100);
            slice.parent = out;
            slice.at[0] = (int64_t)(fx_test_random(seed) % 100);
            out = fx__program_add_buf(program, &slice);
        }
        int n_in = n ? (int)(fx_test_random(seed) % (MAX_IN + 1)) : 0;
        for (int a = 0; a < n_in; a++) in[a] = value[n - 1 - (int)(fx_test_random(seed) % (uint64_t)(n < 8 ? n : 8))];
        if (fx_test_random(seed) % 10 == 0) {
            fx_step loop = {.kind = FX_STEP_LOOP, .cond = -1};
            fx_step *inside = fx__block_add(program, &program->steps, &loop);
            add_step(program, &inside->body[0], in, n_in, out);
        } else {
            add_step(program, &program->steps, in, n_in, out);
        }
        value[n++] = out;
    }
}

static int64_t bytes_of(const fx_program *program, int32_t buf)
{
    return (fx__buf_bytes_hint(program, buf) + 63) / 64 * 64;
}

/* The largest sum of sizes alive at one step: no plan can be smaller. */
static int64_t lower_bound(const fx_program *program)
{
    int64_t most = 0;
    for (int32_t step = 0; step < program->steps.n; step++) {
        int64_t sum = 0;
        for (int32_t i = 0; i < program->n_buf; i++) {
            const fx_buf *buf = &program->buf[i];
            if (buf->parent < 0 && buf->first >= 0 && buf->first <= step && step <= buf->last) sum += bytes_of(program, i);
        }
        if (sum > most) most = sum;
    }
    return most;
}

START_TEST(random_lifetimes_never_overlap)
{
    uint64_t seed = 5;
    int64_t total = 0, bound = 0;
    for (int round = 0; round < 300; round++) {
        fixture f = setup();
        bool symbolic = round % 3 == 0, apart = round % 7 == 0;
        random_program(f.program, &seed, symbolic);
        CHECK_OK(f.context, plan(f.program, apart));
        CHECK_OK(f.context, fx__plan_check(f.program));
        ck_assert(f.program->planned);
        if (!symbolic && !apart) {
            total += f.program->workspace_bytes;
            bound += lower_bound(f.program);
        }
        teardown(&f);
    }
    ck_assert_msg(total <= bound + bound / 10, "plans take %lld bytes, %lld would do", (long long)total, (long long)bound);
}
END_TEST

START_TEST(every_planted_overlap_is_caught)
{
    uint64_t seed = 6;
    int caught = 0, planted = 0;
    for (int round = 0; round < 100; round++) {
        fixture f = setup();
        random_program(f.program, &seed, round % 2 == 0);
        CHECK_OK(f.context, plan(f.program, false));
        for (int32_t i = 1; i < f.program->n_buf; i++) {
            fx_buf *a = &f.program->buf[i], *b = &f.program->buf[i - 1];
            bool alive = a->first <= b->last && b->first <= a->last && a->first >= 0 && b->first >= 0;
            if (a->parent >= 0 || b->parent >= 0 || !alive || bytes_of(f.program, i) == 0 || bytes_of(f.program, i - 1) == 0)
                continue;
            fx_dim was = a->offset;
            a->offset = b->offset;
            planted++;
            caught += fx__plan_check(f.program) == FX_E_INTERNAL;
            a->offset = was;
        }
        teardown(&f);
    }
    ck_assert_int_gt(planted, 100);
    ck_assert_int_eq(caught, planted);
}
END_TEST

START_TEST(other_faults_are_caught)
{
    fixture f = setup();
    fx_program *program = f.program;
    int32_t a = add_buf(program, FX_BUF_TEMP, 100), b = add_buf(program, FX_BUF_TEMP, 50), k = add_buf(program, FX_BUF_CONST, 10);
    fx_buf slice = program->buf[a];
    slice.parent = a;
    slice.dim[0] = 40;
    slice.at[0] = 60;
    int32_t s = fx__program_add_buf(program, &slice);
    const int32_t in[2] = {s, k};
    add_step(program, &program->steps, NULL, 0, s);
    add_step(program, &program->steps, in, 2, b);
    CHECK_OK(f.context, plan(program, false));
    CHECK_OK(f.context, fx__plan_check(program));
    ck_assert_int_eq(program->buf[s].offset, program->buf[a].offset + 240);
    ck_assert_int_eq(program->const_bytes, 64);
    program->buf[b].offset += 4;
    ck_assert_int_eq(fx__plan_check(program), FX_E_INTERNAL);
    CHECK_DIAG(f.context, "aligned");
    program->buf[b].offset -= 4;
    program->buf[s].at[0] = 61;
    ck_assert_int_eq(fx__plan_check(program), FX_E_INTERNAL);
    program->buf[s].at[0] = 60;
    program->workspace_bytes -= 64;
    ck_assert_int_eq(fx__plan_check(program), FX_E_INTERNAL);
    CHECK_DIAG(f.context, "past the end");
    teardown(&f);
}
END_TEST

/* Two symbolic values of one size, one after the other, share a slot; apart they do not. */
START_TEST(symbolic_sizes_share_slots_when_provable)
{
    for (int apart = 0; apart < 2; apart++) {
        fixture f = setup();
        fx_program *program = f.program;
        fx_sym sym = {.name = "s0", .lo = 0, .hi = 100, .hint = 10, .multiple = 1, .input = -1};
        fx_dim s0 = fx__dim_sym(program->dims, fx__dims_add_sym(program->dims, &sym));
        int32_t x[4];
        for (int i = 0; i < 4; i++) x[i] = add_buf(program, FX_BUF_TEMP, fx__dim_mul(program->dims, s0, 16));
        add_step(program, &program->steps, NULL, 0, x[0]);
        for (int i = 0; i < 3; i++) add_step(program, &program->steps, &x[i], 1, x[i + 1]);
        CHECK_OK(f.context, plan(program, apart));
        CHECK_OK(f.context, fx__plan_check(program));
        ck_assert(fx__dim_equal(program->dims, program->workspace_bytes, fx__dim_mul(program->dims, s0, apart ? 256 : 128)));
        teardown(&f);
    }
}
END_TEST

FX_TESTS("plan", random_lifetimes_never_overlap, every_planted_overlap_is_caught, other_faults_are_caught,
         symbolic_sizes_share_slots_when_provable)
