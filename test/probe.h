/* SPDX-License-Identifier: Apache-2.0 */
/* test/probe.h: subjects of the probes of compiled code: a module, its inputs, what the interpreter says, and runs through the
 * uniform entry on memory that the probe chooses. */
#ifndef FX_TEST_PROBE_H
#define FX_TEST_PROBE_H

#include "fxjit/compile.h"
#include "harness.h"

enum { FX_PROBE_TENSORS = 8, FX_PROBE_SYMBOLS = 8 };

typedef struct fx_probe {
    char name[160]; /* what failures are told with */
    fx_context *context;
    fx_module *module;
    int32_t n_in, n_out;
    fx_tensor in[FX_PROBE_TENSORS], expected[FX_PROBE_TENSORS], bound[FX_PROBE_TENSORS];
} fx_probe;

/* The lines of a graph without its braces; %y is the output unless the lines say more. A placeholder whose name begins with w
 * becomes a parameter with seeded values. Symbols stand at their hints. Small integers as values when exact. */
fx_probe fx_probe_text(const char *lines, bool exact);
/* One of the random graphs of random_graph.h. */
fx_probe fx_probe_random(uint64_t seed, bool exact, int32_t min_nodes, int32_t max_nodes);
/* Computes expected and bound anew after inputs changed. */
void fx_probe_interpret(fx_probe *probe);
void fx_probe_free(fx_probe *probe);

fx_compiled *fx_probe_compile(fx_probe *probe, const fx_compile_options *options);
/* Outputs allocated as `expected` describes them. */
void fx_probe_outputs(const fx_probe *probe, fx_tensor *out);
void fx_probe_release(fx_tensor *tensors, int32_t n);
/* One call of the entry with this workspace (fx_compiled_workspace_bytes, 64-byte aligned). */
fx_status fx_probe_call(const fx_compiled *compiled, const fx_tensor *in, fx_tensor *out, void *workspace);
/* fx_compile and fx_run into new outputs. */
void fx_probe_run(fx_probe *probe, const fx_compile_options *options, fx_tensor *out);
/* Fails with the graph's text. bound false: bit for bit. */
void fx_probe_expect(const fx_probe *probe, const char *what, const fx_tensor *expected, const fx_tensor *actual, bool bound);
void fx_probe_fail(const fx_probe *probe, const char *what, int32_t output, const char *difference);

#endif
