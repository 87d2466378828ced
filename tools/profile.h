/* SPDX-License-Identifier: Apache-2.0 */
/* tools/profile.h: what `fxjit profile` has measured, and its ways to show it. */
#ifndef FX_TOOLS_PROFILE_H
#define FX_TOOLS_PROFILE_H

#include "fxjit/inspect.h"
#include "tool.h"

enum { PROFILE_LEFT_OUT = 64 };
typedef enum profile_by { PROFILE_BY_UNIT, PROFILE_BY_KERNEL, PROFILE_BY_NODE } profile_by;

typedef struct profile_options {
    tool_options common;
    const char *model, *inputs, *trace;
    const char *leave_out[PROFILE_LEFT_OUT];
    int n_leave_out;
    int32_t runs;
    double seconds;
    long top; /* rows to print; 0: all */
    profile_by by;
    bool interpreted;
} profile_options;

/* What a run is without some units, from pairs of runs. */
typedef struct profile_without {
    int32_t pairs;                   /* 0: not asked for */
    double with_us, inside_us;       /* medians: of a whole run, and of the units' own time in it */
    double less_us, low_us, high_us; /* by how much a run is shorter: the median of differences, and where it lies with 95 % */
} profile_without;

typedef struct profile_data {
    const profile_options *o;
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
    fx_explanation *x;
    tool_tensors in;
    fx_machine machine;
    fx_profile *p;
    fx_node_profile *nodes; /* NULL: not asked for */
    int32_t leave_out[PROFILE_LEFT_OUT];
    profile_without without;
} profile_data;

/* One row: a unit, or units that run one kernel, or a node; times and work are those of one run. */
typedef struct profile_row {
    const char *label;
    int32_t unit; /* its index; of several the first */
    int32_t n;    /* units, or executions of one */
    double us, roof_us, expected_us, interpreted_us;
    double flop, bytes, balance;
    bool shared;       /* between threads */
    bool known;        /* flop and bytes mean something */
    const char *bound; /* "compute", "L2", "DRAM", "latency", "" */
} profile_row;

/* Rows of d->o->by, most time first; freed with free. NULL: out of memory. */
profile_row *profile_rows(const profile_data *d, int32_t *out_n);
void profile_print(const profile_data *d, const profile_row *rows, int32_t n);
json_t *profile_json(const profile_data *d, const profile_row *rows, int32_t n);
/* At least runs pairs, and more for so many seconds as the options say. */
fx_status profile_measure_without(const profile_data *d, profile_without *out);
/* Chrome's trace events, which Perfetto reads. FX_E_IO after a message. */
fx_status profile_write_trace(const profile_data *d, const char *path);

#endif
