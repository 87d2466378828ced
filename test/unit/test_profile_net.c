/* SPDX-License-Identifier: Apache-2.0 */
/* A profile explains a run: on ResNet-50 (images of 96 points, so that it takes seconds) the units' own times are nearly all of it,
 * leaving units out shortens a run by their times, and measuring costs little. Where neighbours of the machine may disturb, the
 * best of some attempts counts; test/bench/bench_profile.c measures closer. */
#include "fxjit/fxjit.h"
#include "fxjit/inspect.h"
#include "fxjit/profile.h"
#include "harness.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { IMAGE = 96, RUNS = 9, PAIRS = 16, ATTEMPTS = 12 };

/* ---- ResNet-50 ---------------------------------------------------------------------------------------------------------- */

static void release_weight(void *user, void *data)
{
    (void)user;
    fx_tensor_release(&(fx_tensor){.data = data});
}

/* Values of some size around `centre`: no zeros and no denormals, which could be faster or slower than others. */
static fx_value weight(fx_scope *scope, const char *path, const char *name, int32_t rank, const int64_t *dim, float centre,
                       float spread)
{
    char full[96];
    fx_tensor tensor;
    snprintf(full, sizeof full, "%s.%s", path, name);
    if (fx_tensor_alloc(FX_F32, rank, dim, &tensor) != FX_OK) return FX_NO_VALUE;
    float *value = tensor.data;
    for (uint32_t i = 0; i < (uint32_t)fx_tensor_elems(&tensor); i++)
        value[i] = centre + spread * ((float)(i * 2654435761u >> 16) / 32768.0f - 1.0f);
    return fx_parameter(scope, full, &tensor, release_weight, NULL);
}

static fx_value conv(fx_scope *scope, const char *path, fx_value x, int64_t out, int64_t kernel, int64_t stride)
{
    const fx_type *type = fx_value_type(x);
    if (!type) return FX_NO_VALUE;
    int64_t in = type->dim[1], pad = kernel / 2;
    fx_value w = weight(scope, path, "weight", 4, (int64_t[]){out, in, kernel, kernel}, 0,
                        (float)sqrt(6.0 / (double)(in * kernel * kernel)));
    fx_value b = weight(scope, path, "bias", 1, &out, 0, 0.1f);
    return fx_conv2d(x, w, b, &(fx_conv2d_options){.stride = FX_LIST(stride, stride), .padding = FX_LIST(pad, pad)});
}

static fx_value bottleneck(fx_scope *scope, const char *path, fx_value x, int64_t width, int64_t stride, bool widen)
{
    char part[4][48];
    for (int i = 0; i < 4; i++) snprintf(part[i], sizeof part[i], "%s.%d", path, i);
    fx_value y = fx_relu(conv(scope, part[0], x, width, 1, 1));
    y = fx_relu(conv(scope, part[1], y, width, 3, stride));
    y = conv(scope, part[2], y, 4 * width, 1, 1);
    return fx_relu(fx_add(y, widen ? conv(scope, part[3], x, 4 * width, 1, stride) : x));
}

static fx_status resnet50(fx_scope *scope, const fx_value *inputs, fx_value *outputs, void *user)
{
    static const int blocks[4] = {3, 4, 6, 3};
    (void)user;
    fx_value x = fx_relu(conv(scope, "stem", inputs[0], 64, 7, 2));
    x = fx_max_pool2d(x, FX_LIST(3, 3), &(fx_max_pool2d_options){.stride = FX_LIST(2, 2), .padding = FX_LIST(1, 1)});
    for (int layer = 0; layer < 4; layer++) {
        for (int block = 0; block < blocks[layer]; block++) {
            char path[32];
            snprintf(path, sizeof path, "layer%d.%d", layer + 1, block);
            x = bottleneck(scope, path, x, INT64_C(64) << layer, layer > 0 && block == 0 ? 2 : 1, block == 0);
        }
    }
    x = fx_flatten(fx_adaptive_avg_pool2d(x, FX_LIST(1, 1)), &(fx_flatten_options){.start_dim = FX_ARG(1)});
    outputs[0] = fx_linear(x, weight(scope, "fc", "weight", 2, (int64_t[]){1000, 2048}, 0, 0.04f), FX_NO_VALUE);
    return FX_OK;
}

/* ---- Measuring ---------------------------------------------------------------------------------------------------------- */

static struct {
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
    fx_explanation *explanation;
    fx_tensor in, out;
} net;

static void open_net(void)
{
    fx_type type = {FX_F32, 4, {1, 3, IMAGE, IMAGE}};
    net.context = fx_context_new();
    CHECK_OK(net.context, fx_trace(net.context, "resnet50", resnet50, NULL, &type, 1, 1, &net.module));
    CHECK_OK(net.context, fx_compile(net.module, NULL, 0, &(fx_compile_options){.threads = 1, .profile = true}, &net.compiled));
    CHECK_OK(net.context, fx_explain(net.compiled, &net.explanation));
    CHECK_OK(net.context, fx_tensor_alloc(FX_F32, 4, type.dim, &net.in));
    for (int64_t i = 0; i < fx_tensor_elems(&net.in); i++) fx_tensor_set(&net.in, i, sin(0.1 * (double)i));
}

static void close_net(void)
{
    fx_tensor_release(&net.in);
    fx_tensor_release(&net.out);
    fx_explanation_free(net.explanation);
    fx_compiled_free(net.compiled);
    fx_module_free(net.module);
    fx_context_free(net.context);
}

static fx_profile *profile(void)
{
    fx_profile *p;
    fx_profile_options options = {.runs = RUNS, .warm_up = 1};
    CHECK_OK(net.context, fx_profile_run(net.compiled, net.context, &net.in, 1, &options, &p));
    return p;
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* The fastest of some runs that nobody listens to. */
static double unheard_us(void)
{
    double best = 1e300;
    for (int i = 0; i < RUNS; i++) {
        double start = now_us();
        CHECK_OK(net.context, fx_run(net.compiled, net.context, &net.in, 1, &net.out, 1));
        best = fmin(best, now_us() - start);
    }
    return best;
}

/* 95 % is what was promised, 10 % more than what three of a hundred would be: no neighbour may make the test fail. */
static void check_explained(void)
{
    double share = 0, cost = 1e300;
    for (int i = 0; i < ATTEMPTS && (share < 0.95 || cost > 1.10); i++) {
        double alone = unheard_us();
        fx_profile *p = profile();
        double own = 0;
        for (int32_t u = 0; u < p->n_unit; u++) own += p->unit[u].total_us; /* nothing holds another here */
        ck_assert(own <= p->total_us);
        share = fmax(share, own / p->total_us);
        cost = fmin(cost, p->wall_min_us / alone);
        fx_profile_free(p);
    }
    ck_assert_msg(share >= 0.95, "units explain %.1f %% of a run", 100 * share);
    ck_assert_msg(cost <= 1.10, "measuring takes %.1f %%", 100 * (cost - 1));
}

/* Runs in turns with and without some units, by the processor time of the thread, which neighbours do not lengthen. */
typedef struct turns {
    const int32_t *without;
    int32_t n, last; /* last: the run's last unit */
    int64_t runs;
    double start, us[2][PAIRS];
} turns;

static double processor_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static bool before(void *user, int32_t unit)
{
    turns *t = user;
    if (unit == 0) t->start = processor_us();
    for (int32_t i = 0; i < t->n && t->runs % 2; i++)
        if (t->without[i] == unit) return false;
    return true;
}

static void after(void *user, int32_t unit, double us)
{
    turns *t = user;
    (void)us;
    if (unit != t->last) return;
    t->us[t->runs % 2][t->runs / 2] = processor_us() - t->start;
    t->runs++;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By how much a run gets shorter without units, in terms of what these take. Neither the first nor the last one may be among them.
 */
static double shortening(const int32_t *units, int32_t n, int32_t last)
{
    fx_profile *p;
    turns t = {.without = units, .n = n, .last = last};
    fx_profile_options options = {.runs = 2 * PAIRS, .before = before, .after = after, .user = &t};
    double took = 0;
    CHECK_OK(net.context, fx_profile_run(net.compiled, net.context, &net.in, 1, &options, &p));
    for (int32_t i = 0; i < n; i++) {
        took += p->unit[units[i]].min_us;
        ck_assert_int_eq(p->unit[units[i]].runs, PAIRS);
    }
    for (int i = 0; i < 2; i++) qsort(t.us[i], PAIRS, sizeof t.us[i][0], by_value);
    fx_profile_free(p);
    return (t.us[0][PAIRS / 4] - t.us[1][PAIRS / 4]) / took;
}

static int32_t largest_unit(int32_t last)
{
    fx_profile *p = profile();
    int32_t largest = 1;
    for (int32_t i = 1; i < last; i++)
        if (p->unit[i].min_us > p->unit[largest].min_us) largest = i;
    fx_profile_free(p);
    return largest;
}

static void check_left_out(void)
{
    int32_t half[64], n = 0, last = 0;
    while (last + 1 < net.explanation->n_unit && !net.explanation->unit[last + 1].init) last++;
    for (int32_t i = 1; i < last && n < 64; i += 2) half[n++] = i;
    int32_t largest = largest_unit(last);
    double one = 0, many = 0;
    for (int i = 0; i < ATTEMPTS && fabs(one - 1) > 0.25; i++) one = shortening(&largest, 1, last);
    for (int i = 0; i < ATTEMPTS && fabs(many - 1) > 0.15; i++) many = shortening(half, n, last);
    ck_assert_msg(fabs(one - 1) <= 0.25, "without its largest unit a run is shorter by %.2f of that unit's time", one);
    ck_assert_msg(fabs(many - 1) <= 0.15, "without every second unit a run is shorter by %.2f of their time", many);
}

START_TEST(profiles_explain_runs_of_resnet50)
{
#if defined(FX_SANITIZED)
    printf("sanitized: ResNet-50 is left out\n");
    return;
#endif
    open_net();
    check_explained();
    check_left_out();
    close_net();
}
END_TEST

FX_TESTS("profile_net", profiles_explain_runs_of_resnet50)
