/* SPDX-License-Identifier: Apache-2.0 */
/* test/probe_program.h: probes that change the program between the passes and the code: its form, and runs of it. */
#ifndef FX_TEST_PROBE_PROGRAM_H
#define FX_TEST_PROBE_PROGRAM_H

#include "codegen/codegen.h"
#include "probe.h"

/* Scheduled and planned; out_module owns what its constants point into. */
fx_program *fx_probe_program(fx_probe *probe, const fx_target *target, fx_module **out_module);
/* Steps of the body other than RUN. */
bool fx_probe_has_calls(const fx_program *program);
/* Verifies, compiles and runs it into new outputs. consts may give other memory for the constants that the first argument holds;
 * NULL: that one. */
typedef const void *(*fx_probe_consts)(void *user, const void *consts);
void fx_probe_run_program(fx_probe *probe, const fx_program *program, const fx_target *target, int32_t threads, fx_tensor *out,
                          fx_probe_consts consts, void *user);

#endif
