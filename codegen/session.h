/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/session.h: what of session.c needs LLVM's types. */
#ifndef FX_CODEGEN_SESSION_H
#define FX_CODEGEN_SESSION_H

#include "codegen/codegen.h"
#include <llvm-c/TargetMachine.h>

/* A machine for position-independent code; freed with LLVMDisposeTargetMachine. One thread at a time may use one. */
fx_status fx__session_machine(fx_context *context, const fx_target *target, LLVMTargetMachineRef *out);

#endif
