/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/debug.h: generated code in this process as perf and gdb are to see it. */
#ifndef FX_CODEGEN_DEBUG_H
#define FX_CODEGEN_DEBUG_H

#include "codegen/object.h"
#include <llvm-c/LLJIT.h>
#include <stdio.h>

enum { FX_DEBUG_NAME = 96 };
static inline bool fx__debug_wanted(const fx_codegen_options *options)
{
    return options->perf_map || options->gdb;
}
void fx__debug_name(const fx_program *program, int32_t kernel, char out[FX_DEBUG_NAME]);
/* Names a module's kernels, defined or declared, and has tables made for walking the stack. Before it is emitted. */
void fx__debug_prepare(LLVMModuleRef module, const fx_program *program);
/* Around linking, which must not end in between; what LLVM cannot do is a warning. end: remembers the objects that gdb has been told
 * of, which are to be unregistered before the JIT is disposed of. FX_E_OOM: they are not. */
typedef struct fx_gdb_objects {
    struct jit_code_entry **entry, *before;
    int32_t n;
} fx_gdb_objects;
void fx__debug_register_begin(fx_context *context, LLVMOrcLLJITRef lljit, fx_gdb_objects *objects);
fx_status fx__debug_register_end(fx_gdb_objects *objects);
void fx__debug_unregister(fx_gdb_objects *objects);
/* /tmp/perf-PID.map, to which every function of an object is added, once it is linked; false after a warning. */
typedef struct fx_perf_map {
    LLVMOrcLLJITRef lljit;
    FILE *out;
} fx_perf_map;
bool fx__debug_map_open(fx_context *context, LLVMOrcLLJITRef lljit, fx_perf_map *map);
void fx__debug_map_add(fx_perf_map *map, LLVMMemoryBufferRef object);
void fx__debug_map_close(fx_perf_map *map);

#endif
