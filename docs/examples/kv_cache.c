/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder step with a cache of keys and values: the traced function writes the new row in place and attends to all rows so far.
 * Compiled, the caches lie in a state that the caller owns, one per sequence; a step stores its own row and copies nothing. */
#include <fxjit/fxjit.h>
#include <stdlib.h>

enum { HEADS = 2, LENGTH = 32, WIDTH = 8 };

typedef struct decoder {
    fx_tensor query, key, value;      /* [WIDTH, WIDTH] each */
    fx_tensor key_cache, value_cache; /* [HEADS, LENGTH, WIDTH / HEADS] */
    fx_dim past;                      /* rows written before: the size of the second input */
} decoder;

static fx_value heads(fx_value x)
{
    return fx_transpose(fx_view(x, FX_LIST(1, HEADS, WIDTH / HEADS)), 0, 1);
}

static fx_value project(fx_scope *scope, const char *path, const fx_tensor *weight, fx_value x)
{
    return heads(fx_linear(x, fx_parameter(scope, path, weight, NULL, NULL), FX_NO_VALUE));
}

/* in: x [1, WIDTH]. out: [HEADS, 1, WIDTH / HEADS]. */
static fx_status step(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    decoder *d = user;
    fx_value keys = fx_buffer(scope, "keys", &d->key_cache, NULL, NULL),
             values = fx_buffer(scope, "values", &d->value_cache, NULL, NULL);
    fx_copy_(fx_narrow(keys, 1, d->past, 1), project(scope, "k", &d->key, in[0]));
    fx_copy_(fx_narrow(values, 1, d->past, 1), project(scope, "v", &d->value, in[0]));
    fx_value all_keys = fx_narrow(keys, 1, 0, d->past + 1), all_values = fx_narrow(values, 1, 0, d->past + 1);
    fx_value scores = fx_matmul(project(scope, "q", &d->query, in[0]), fx_transpose(all_keys, 1, 2));
    out[0] = fx_matmul(fx_softmax(fx_mul(scores, 0.5), -1), all_values);
    return FX_OK;
}

static fx_tensor filled(int32_t rank, const int64_t *dim, double scale)
{
    fx_tensor tensor = {0};
    if (fx_tensor_alloc(FX_F32, rank, dim, &tensor) != FX_OK) exit(1);
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, scale * (double)((i * 37 + 11) % 17 - 8));
    return tensor;
}

int main(void)
{
    const int64_t square[] = {WIDTH, WIDTH}, cache[] = {HEADS, LENGTH, WIDTH / HEADS};
    decoder d = {filled(2, square, 0.05), filled(2, square, 0.03), filled(2, square, 0.02),
                 filled(3, cache, 0),     filled(3, cache, 0),     0};
    fx_context *context = fx_context_new();
    fx_scope *scope = fx_trace_begin(context, "decoder");
    d.past = fx_trace_symbol(scope, "past", 0, LENGTH - 1, LENGTH / 2);
    fx_value in = fx_trace_input(scope, "x", &(fx_type){FX_F32, 2, {1, WIDTH}}), out;
    (void)fx_trace_input(scope, "rows", &(fx_type){FX_F32, 1, {d.past}}); /* only its size counts */
    fx_module *module = NULL;
    fx_compiled *net = NULL;
    fx_state *sequence[2] = {NULL, NULL};
    fx_status status = step(scope, &in, &out, &d);
    if (status == FX_OK) status = fx_trace_finish(scope, &out, 1, &module);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, NULL, &net);
    for (int s = 0; s < 2 && status == FX_OK; s++) status = fx_state_new(net, &sequence[s]);

    float rows[LENGTH] = {0}, x[WIDTH], y[2][HEADS][WIDTH / HEADS];
    for (int64_t t = 0; t < 4 && status == FX_OK; t++) {
        for (int s = 0; s < 2 && status == FX_OK; s++) { /* two sequences take turns */
            for (int i = 0; i < WIDTH; i++) x[i] = (float)((t + 1) * (i + 1 + s)) * 0.1F;
            fx_tensor inputs[] = {fx_tensor_view(x, FX_F32, 2, (int64_t[]){1, WIDTH}), fx_tensor_view(rows, FX_F32, 1, &t)};
            fx_tensor output = fx_tensor_view(y[s], FX_F32, 3, (int64_t[]){HEADS, 1, WIDTH / HEADS});
            status = fx_run_with(net, sequence[s], context, inputs, 2, &output, 1);
        }
        if (status == FX_OK) printf("step %d: %8.4f %8.4f\n", (int)t, (double)y[0][0][0], (double)y[1][0][0]);
    }
    fx_context_print(context, stderr);
    for (int s = 0; s < 2; s++) fx_state_free(sequence[s]);
    fx_compiled_free(net);
    fx_module_free(module);
    fx_context_free(context);
    fx_tensor *const own[] = {&d.query, &d.key, &d.value, &d.key_cache, &d.value_cache};
    for (int i = 0; i < 5; i++) fx_tensor_release(own[i]);
    return status == FX_OK ? 0 : 1;
}
