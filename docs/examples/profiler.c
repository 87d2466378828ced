/* SPDX-License-Identifier: Apache-2.0 */
/* profiler: an interpreter of one's own that measures each node over several runs and prints the slowest first. */
#include <fxjit/fxjit.h>
#include <stdlib.h>
#include <time.h>

enum { RUNS = 5, ROWS = 64, WIDTH = 128, NODES = 32 };

typedef struct entry {
    const fx_node *node;
    double seconds;
} entry;

typedef struct profile {
    entry entries[NODES]; /* by node id */
    int steps;
} profile;

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static fx_status forward(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    fx_value w = fx_parameter(scope, "w", user, NULL, NULL);
    out[0] = fx_softmax(fx_relu(fx_linear(in[0], w, FX_NO_VALUE)), -1);
    return FX_OK;
}

static fx_status measure(void *user, fx_interpreter *interpreter, fx_node *node, fx_results *results)
{
    profile *p = user;
    double start = now();
    fx_status status = fx_interpreter_dispatch(interpreter, node, results);
    entry *it = &p->entries[fx_node_id(node)];
    it->node = node;
    it->seconds += now() - start;
    p->steps++;
    return status;
}

static int slowest_first(const void *a, const void *b)
{
    double x = ((const entry *)a)->seconds, y = ((const entry *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

static fx_status run(fx_module *module, const fx_tensor *x, profile *p)
{
    fx_interpreter *interpreter = fx_interpreter_new(fx_module_graph(module));
    fx_status status = interpreter ? FX_OK : FX_E_OOM;
    if (interpreter) fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.node = measure, .user = p});
    for (int i = 0; i < RUNS && status == FX_OK; i++) {
        fx_tensor y = {0}; /* allocated by the run */
        status = fx_interpreter_run(interpreter, x, 1, &y, 1);
        fx_tensor_release(&y);
    }
    fx_interpreter_free(interpreter);
    return status;
}

int main(void)
{
    static float data[ROWS * WIDTH], weight[WIDTH * WIDTH];
    static profile p;
    fx_tensor x = fx_tensor_view(data, FX_F32, 2, (int64_t[]){ROWS, WIDTH});
    fx_tensor w = fx_tensor_view(weight, FX_F32, 2, (int64_t[]){WIDTH, WIDTH});
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_trace(context, "net", forward, &w, &(fx_type){FX_F32, 2, {ROWS, WIDTH}}, 1, 1, &module);
    if (status == FX_OK) status = run(module, &x, &p);
    int32_t nodes = status == FX_OK ? fx_graph_size(fx_module_graph(module)) : 0;
    qsort(p.entries, NODES, sizeof p.entries[0], slowest_first);
    for (int i = 0; i < nodes; i++)
        printf("%10.1f us  %s\n", 1e6 * p.entries[i].seconds / (double)RUNS, fx_node_name(p.entries[i].node));
    fx_context_print(context, stderr);
    fx_module_free(module);
    fx_context_free(context);
    return status == FX_OK && p.steps == RUNS * nodes ? 0 : 1;
}
