/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/profile_nodes.c: fx_profile_interpreter: the core graph's nodes, interpreted and timed one by one through the hook that
 * any program may give an interpreter. */
#include "frontend/compiled.h"
#include "frontend/ticks.h"
#include "fxjit/interp.h"
#include "fxjit/profile.h"
#include "ir/diag.h"
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_RUNS = 3 };

typedef struct timing {
    fx_ticks clock;
    int32_t n_node, run, runs, next; /* next: place of the node that comes next */
    double *us;                      /* [n_node + 1][runs], of whole runs at last */
} timing;

static fx_status time_node(void *user, fx_interpreter *interpreter, fx_node *node, fx_results *results)
{
    timing *t = user;
    uint64_t begin = fx__ticks_now(&t->clock);
    fx_status status = fx_interpreter_dispatch(interpreter, node, results);
    double us = (double)(fx__ticks_now(&t->clock) - begin) * t->clock.us;
    if (t->next < t->n_node) t->us[t->next++ * t->runs + t->run] = us;
    return status;
}

static fx_status run_once(timing *t, fx_interpreter *interpreter, const fx_compiled *compiled, const fx_tensor *inputs, int32_t n)
{
    fx_tensor *outputs = calloc((size_t)compiled->n_output + 1, sizeof *outputs);
    if (!outputs) return FX_E_OOM;
    t->next = 0;
    uint64_t begin = fx__ticks_now(&t->clock);
    fx_status status = fx_interpreter_run(interpreter, inputs, n, outputs, compiled->n_output);
    t->us[t->n_node * t->runs + t->run] = (double)(fx__ticks_now(&t->clock) - begin) * t->clock.us;
    for (int32_t i = 0; i < compiled->n_output; i++)
        if (outputs[i].data) fx_tensor_release(&outputs[i]);
    free(outputs);
    return status;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static fx_status sum_up(timing *t, const fx_graph *graph, fx_node_profile **out)
{
    char *memory = calloc(1, sizeof(fx_node_profile) + ((size_t)t->n_node + 1) * sizeof(fx_node_time));
    if (!memory) return FX_E_OOM;
    fx_node_profile *p = (fx_node_profile *)(void *)memory;
    fx_node_time *time = (fx_node_time *)(void *)(p + 1), *next = time;
    for (int32_t i = 0; i <= t->n_node; i++) qsort(t->us + i * t->runs, (size_t)t->runs, sizeof *t->us, by_value);
    FX_EACH_NODE(node, graph)
    {
        const double *us = t->us + (next - time) * t->runs;
        *next++ = (fx_node_time){node, us[t->runs / 2], us[0]};
    }
    *p = (fx_node_profile){.node = time, .n_node = t->n_node, .runs = t->runs, .memory = memory};
    p->wall_us = t->us[t->n_node * t->runs + t->runs / 2];
    *out = p;
    return FX_OK;
}

fx_status fx_profile_interpreter(const fx_compiled *compiled, const fx_tensor *inputs, int32_t n_inputs, int32_t runs,
                                 fx_node_profile **out)
{
    fx_graph *graph = compiled->module->graph;
    timing t = {.clock = fx__ticks_open(), .n_node = fx_graph_size(graph), .runs = runs > 0 ? runs : DEFAULT_RUNS};
    *out = NULL;
    t.us = calloc((size_t)(t.n_node + 1) * (size_t)t.runs, sizeof *t.us);
    fx_interpreter *interpreter = fx_interpreter_new(graph);
    fx_status status = t.us && interpreter ? FX_OK : FX_E_OOM;
    if (status == FX_OK) fx_interpreter_set_hooks(interpreter, &(fx_interp_hooks){.node = time_node, .user = &t});
    for (; t.run < t.runs && status == FX_OK; t.run++) status = run_once(&t, interpreter, compiled, inputs, n_inputs);
    if (status == FX_OK) status = sum_up(&t, graph, out);
    fx_interpreter_free(interpreter);
    free(t.us);
    return status == FX_E_OOM ? fx__diag_oom(compiled->context) : status;
}

void fx_node_profile_free(fx_node_profile *profile)
{
    if (profile) free(profile->memory);
}
