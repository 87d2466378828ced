/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/machine.h: between measuring a machine and keeping what was measured. */
#ifndef FX_FRONTEND_MACHINE_H
#define FX_FRONTEND_MACHINE_H

#include "fxjit/profile.h"
#include "ir/target.h"

/* Fills in what is known without measuring: cpu, threads, levels. */
void fx__machine_identify(const fx_target *target, fx_machine *machine);

#endif
