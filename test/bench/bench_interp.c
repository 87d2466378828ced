/* SPDX-License-Identifier: Apache-2.0 */
/* Speed of the interpreter on contractions of several kinds: the oracle must not make tests slow. Prints GFLOP/s, best of a few
 * runs.
 *
 *     bench_interp [FILTER]                            FILTER: part of a line's name */
#include <fxjit/fxjit.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A product x[.., K] with a second input, or a convolution of the first by the second. */
typedef struct kind {
    const char *name;
    enum { MATMUL, LINEAR, CONV } op;
    fx_type x, w;
    int64_t pad, groups;
    double flop;
} kind;

static const kind kinds[] = {
    {"linear 1x784x512", LINEAR, {FX_F32, 2, {1, 784}}, {FX_F32, 2, {512, 784}}, 0, 1, 2.0 * 784 * 512},
    {"linear 64x784x512", LINEAR, {FX_F32, 2, {64, 784}}, {FX_F32, 2, {512, 784}}, 0, 1, 2.0 * 64 * 784 * 512},
    {"matmul 256x256x256", MATMUL, {FX_F32, 2, {256, 256}}, {FX_F32, 2, {256, 256}}, 0, 1, 2.0 * 256 * 256 * 256},
    {"matmul 12x64x64x64", MATMUL, {FX_F32, 3, {12, 64, 64}}, {FX_F32, 3, {12, 64, 64}}, 0, 1, 2.0 * 12 * 64 * 64 * 64},
    {"conv 1x1 960->240 @1", CONV, {FX_F32, 4, {1, 960, 1, 1}}, {FX_F32, 4, {240, 960, 1, 1}}, 0, 1, 2.0 * 960 * 240},
    {"conv 1x1 512->512 @7", CONV, {FX_F32, 4, {1, 512, 7, 7}}, {FX_F32, 4, {512, 512, 1, 1}}, 0, 1, 2.0 * 512 * 512 * 49},
    {"conv 3x3 128->128 @28", CONV, {FX_F32, 4, {1, 128, 28, 28}}, {FX_F32, 4, {128, 128, 3, 3}}, 1, 1, 2.0 * 128 * 128 * 9 * 784},
    {"conv 3x3 512->512 @4", CONV, {FX_F32, 4, {1, 512, 4, 4}}, {FX_F32, 4, {512, 512, 3, 3}}, 1, 1, 2.0 * 512 * 512 * 9 * 16},
    {"conv 3x3 of 192 groups @28", CONV, {FX_F32, 4, {1, 192, 28, 28}}, {FX_F32, 4, {192, 1, 3, 3}}, 1, 192, 2.0 * 192 * 9 * 784},
    {"conv 3x3 of 960 groups @7", CONV, {FX_F32, 4, {1, 960, 7, 7}}, {FX_F32, 4, {960, 1, 3, 3}}, 1, 960, 2.0 * 960 * 9 * 49},
};

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    const kind *k = user;
    (void)scope;
    if (k->op == MATMUL)
        out[0] = fx_matmul(in[0], in[1]);
    else if (k->op == LINEAR)
        out[0] = fx_linear(in[0], in[1], FX_NO_VALUE);
    else
        out[0] = fx_conv2d(in[0], in[1], FX_NO_VALUE,
                           &(fx_conv2d_options){.padding = FX_LIST(k->pad, k->pad), .groups = FX_ARG(k->groups)});
    return FX_OK;
}

static fx_status fill(const fx_type *type, fx_tensor *out)
{
    int64_t dims[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) dims[d] = type->dim[d];
    fx_status status = fx_tensor_alloc(FX_F32, type->rank, dims, out);
    for (int64_t i = 0, n = status == FX_OK ? fx_tensor_elems(out) : 0; i < n; i++) ((float *)out->data)[i] = (float)(i % 7) - 3;
    return status;
}

static fx_status run(const kind *k, fx_context *context)
{
    fx_module *module = NULL;
    fx_tensor in[2] = {{0}}, out = {0};
    double best = 0;
    fx_status status = fill(&k->x, &in[0]);
    if (status == FX_OK) status = fill(&k->w, &in[1]);
    if (status == FX_OK) status = fx_trace(context, "bench", forward, (void *)k, (fx_type[]){k->x, k->w}, 2, 1, &module);
    for (int r = 0; r < RUNS && status == FX_OK; r++) {
        double start = now();
        status = fx_interpret(module, in, 2, &out, 1);
        double speed = k->flop / (now() - start) * 1e-9;
        if (speed > best) best = speed;
    }
    printf("%-28s %6.2f GFLOP/s\n", k->name, best);
    fx_module_free(module);
    fx_tensor_release(&in[0]);
    fx_tensor_release(&in[1]);
    fx_tensor_release(&out);
    return status;
}

int main(int argc, char **argv)
{
    fx_context *context = fx_context_new();
    fx_status status = context ? FX_OK : FX_E_OOM;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && status == FX_OK; i++)
        if (argc < 2 || strstr(kinds[i].name, argv[1])) status = run(&kinds[i], context);
    if (context) fx_context_print(context, stderr);
    fx_context_free(context);
    return status == FX_OK ? 0 : 1;
}
