/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/object.h: modules to machine code, and reading sections back from ELF objects. */
#ifndef FX_CODEGEN_OBJECT_H
#define FX_CODEGEN_OBJECT_H

#include "codegen/entry.h"
#include "codegen/session.h"

/* Checks a module (LLVM's verifier) and generates code. what: for messages. */
fx_status fx__object_emit(fx_context *context, LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                          const char *what, LLVMMemoryBufferRef *out);
/* One kernel in a context of its own. */
fx_status fx__object_kernel(const fx_program *program, const fx_kernel *kernel, const fx_target *target,
                            LLVMTargetMachineRef machine, LLVMCodeGenFileType type, LLVMMemoryBufferRef *out);
/* All kernels of a program, several at a time; out: [n_kernel], disposed of by the caller, NULL where not made. */
fx_status fx__object_kernels(const fx_program *program, const fx_codegen_options *options, LLVMMemoryBufferRef *out);
/* A section of an ELF64 object by name; false: there is none. */
bool fx__object_section(const char *object, size_t bytes, const char *name, const char **out, size_t *out_bytes);
/* Every function that the object defines. */
void fx__object_functions(const char *object, size_t bytes, void (*each)(void *user, const char *name, size_t bytes), void *user);

#endif
