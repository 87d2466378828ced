/* SPDX-License-Identifier: Apache-2.0 */
/* resnet50: ResNet-50 built by the C tracer with seeded weights, compiled, checked against the interpreter, and timed against it
 * and against the machine's multiply-add peak. Usage: resnet50 [THREADS]; default 1. */
#include <fxjit/fxjit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 20, CLASSES = 1000 };

static double now_ms(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* ---- Weights: reproducible numbers that keep activations near one
 * ---------------------------------------------------------------- */

static uint64_t random_state = 2026;

/* Between -1 and 1. */
static double next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(random_state >> 11) * 0x1p-52 - 1.0;
}

static void release_weight(void *user, void *data)
{
    (void)user;
    fx_tensor_release(&(fx_tensor){.data = data});
}

/* A parameter of the given shape with values around `centre`, at most `spread` away. */
static fx_value weight(fx_scope *scope, const char *path, const char *name, int32_t rank, const int64_t *dim, double centre,
                       double spread)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", path, name);
    fx_tensor tensor;
    if (fx_tensor_alloc(FX_F32, rank, dim, &tensor) != FX_OK) return FX_NO_VALUE;
    float *value = tensor.data;
    for (int64_t i = 0, n = fx_tensor_elems(&tensor); i < n; i++) value[i] = (float)(centre + spread * next_random());
    return fx_parameter(scope, full, &tensor, release_weight, NULL);
}

/* ---- The network
 * ----------------------------------------------------------------------------------------------------------------- */

static fx_value conv_norm(fx_scope *scope, const char *path, fx_value x, int64_t out, int64_t kernel, int64_t stride, double gain)
{
    const fx_type *type = fx_value_type(x);
    if (!type) return FX_NO_VALUE;
    int64_t in = type->dim[1], pad = kernel / 2;
    double spread = sqrt(6.0 / (double)(in * kernel * kernel)); /* uniform with variance 2 / fan-in */
    fx_value w = weight(scope, path, "conv.weight", 4, (int64_t[]){out, in, kernel, kernel}, 0, spread);
    fx_value y =
        fx_conv2d(x, w, FX_NO_VALUE, &(fx_conv2d_options){.stride = FX_LIST(stride, stride), .padding = FX_LIST(pad, pad)});
    return fx_batch_norm(y, weight(scope, path, "bn.weight", 1, &out, gain, 0.1 * gain),
                         weight(scope, path, "bn.bias", 1, &out, 0, 0.1), weight(scope, path, "bn.running_mean", 1, &out, 0, 0.1),
                         weight(scope, path, "bn.running_var", 1, &out, 1, 0.2));
}

static fx_value bottleneck(fx_scope *scope, const char *path, fx_value x, int64_t width, int64_t stride, bool widen)
{
    char part[4][64];
    for (int i = 0; i < 4; i++) snprintf(part[i], sizeof part[i], "%s.%d", path, i);
    fx_value y = fx_relu(conv_norm(scope, part[0], x, width, 1, 1, 1.0));
    y = fx_relu(conv_norm(scope, part[1], y, width, 3, stride, 1.0));
    y = conv_norm(scope, part[2], y, 4 * width, 1, 1, 0.3);
    fx_value skip = widen ? conv_norm(scope, part[3], x, 4 * width, 1, stride, 1.0) : x;
    return fx_relu(fx_add(y, skip));
}

static fx_status forward(fx_scope *scope, const fx_value *inputs, fx_value *outputs, void *user)
{
    static const int blocks[4] = {3, 4, 6, 3};
    (void)user;
    fx_value x = fx_relu(conv_norm(scope, "stem", inputs[0], 64, 7, 2, 1.0));
    x = fx_max_pool2d(x, FX_LIST(3, 3), &(fx_max_pool2d_options){.stride = FX_LIST(2, 2), .padding = FX_LIST(1, 1)});
    for (int layer = 0; layer < 4; layer++) {
        for (int block = 0; block < blocks[layer]; block++) {
            char path[32];
            snprintf(path, sizeof path, "layer%d.%d", layer + 1, block);
            x = bottleneck(scope, path, x, INT64_C(64) << layer, layer > 0 && block == 0 ? 2 : 1, block == 0);
        }
    }
    x = fx_flatten(fx_adaptive_avg_pool2d(x, FX_LIST(1, 1)), &(fx_flatten_options){.start_dim = FX_ARG(1)});
    outputs[0] = fx_linear(x, weight(scope, "fc", "weight", 2, (int64_t[]){CLASSES, 2048}, 0, 0.04),
                           weight(scope, "fc", "bias", 1, (int64_t[]){CLASSES}, 0, 0.1));
    return FX_OK;
}

/* ---- Measuring
 * --------------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static fx_status median_run(const fx_compiled *net, fx_context *context, const fx_tensor *input, fx_tensor *output, double *out_ms)
{
    double ms[RUNS];
    for (int i = -2; i < RUNS; i++) { /* two to warm up */
        double start = now_ms();
        fx_status status = fx_run(net, context, input, 1, output, 1);
        if (status != FX_OK) return status;
        if (i >= 0) ms[i] = now_ms() - start;
    }
    qsort(ms, RUNS, sizeof ms[0], by_value);
    *out_ms = ms[RUNS / 2];
    return FX_OK;
}

/* Largest difference relative to the largest expected value. */
static double error_of(const fx_tensor *expected, const fx_tensor *actual)
{
    double largest = 0, error = 0;
    for (int64_t i = 0, n = fx_tensor_elems(expected); i < n; i++) {
        double e = fx_tensor_get(expected, i), difference = fabs(e - fx_tensor_get(actual, i));
        largest = fmax(largest, fabs(e));
        error = difference <= error ? error : difference; /* lets a NaN through */
    }
    return error / largest;
}

static bool show_progress(void *user, const char *phase, int32_t percent)
{
    (void)user;
    if (isatty(STDOUT_FILENO)) printf("\r  compiling: %-10s %3d %%", phase, (int)percent);
    fflush(stdout);
    return true;
}

static fx_status show(fx_context *context, fx_module *module, int32_t threads, const fx_tensor *input, fx_tensor *expected,
                      fx_tensor *actual)
{
    double start = now_ms(), compiled_ms = 0;
    fx_compiled *net = NULL;
    fx_compile_options options = {.threads = threads, .progress = show_progress};
    fx_status status = fx_compile(module, NULL, 0, &options, &net);
    if (status != FX_OK) return status;
    printf("%s  compiled in %.2f s: %d kernels, %.1f MB of weights, %.1f MB of workspace, %d interpreted nodes\n",
           isatty(STDOUT_FILENO) ? "\r" : "", (now_ms() - start) / 1e3, (int)fx_compiled_kernel_count(net),
           (double)fx_compiled_const_bytes(net) / 1e6, (double)fx_compiled_workspace_bytes(net) / 1e6,
           (int)fx_compiled_fallback_count(net));
    printf("  interpreting, as the definition of the right answer ...\n");
    start = now_ms();
    status = fx_interpret(module, input, 1, expected, 1);
    double interpreted_ms = now_ms() - start, gflop = (double)fx_compiled_flop(net) / 1e9;
    if (status == FX_OK) status = median_run(net, context, input, actual, &compiled_ms);
    if (status == FX_OK) {
        double peak = fx_measure_peak_gflops(context) * threads, speed = gflop / compiled_ms * 1e3;
        printf("  interpreted %9.1f ms  %7.2f GFLOP/s\n", interpreted_ms, gflop / interpreted_ms * 1e3);
        printf("  compiled    %9.2f ms  %7.2f GFLOP/s  %.0fx faster, %.0f %% of the peak of %d thread%s (%.0f GFLOP/s)\n",
               compiled_ms, speed, interpreted_ms / compiled_ms, 100 * speed / peak, (int)threads, threads == 1 ? "" : "s", peak);
    }
    fx_compiled_free(net);
    return status;
}

int main(int argc, char **argv)
{
    int32_t threads = argc > 1 ? atoi(argv[1]) : 1;
    if (threads < 1) threads = 1;
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_tensor input = {0}, expected = {0}, actual = {0};
    fx_type type = {FX_F32, 4, {1, 3, 224, 224}};
    printf("ResNet-50, batch 1, traced from C\n");
    fx_status status = fx_trace(context, "resnet50", forward, NULL, &type, 1, 1, &module);
    if (status == FX_OK) status = fx_tensor_alloc(FX_F32, 4, (int64_t[]){1, 3, 224, 224}, &input);
    for (int64_t i = 0; status == FX_OK && i < fx_tensor_elems(&input); i++) ((float *)input.data)[i] = (float)(2 * next_random());
    if (status == FX_OK) status = show(context, module, threads, &input, &expected, &actual);
    double error = status == FX_OK ? error_of(&expected, &actual) : NAN;
    if (status == FX_OK) printf("  largest difference relative to the largest output: %.1e (at most 1e-4 is right)\n", error);
    fx_context_print(context, stderr);
    fx_tensor_release(&input);
    fx_tensor_release(&expected);
    fx_tensor_release(&actual);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && error <= 1e-4 ? 0 : 1;
}
