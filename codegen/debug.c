/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/debug.c: what profilers and debuggers see of code in this process: kernels named after the nodes that they compute
 * instead of a hash, tables for walking the stack, the map that perf reads, and LLVM's registration with gdb. Code stays the same
 * bytes. */
#include "codegen/debug.h"
#include "ir/diag.h"
#include <ctype.h>
#include <elf.h>
#include <inttypes.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJITUtils.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Names -------------------------------------------------------------------------------------------------------------- */

static const fx_step *find_step(const fx_block *block, int32_t kernel)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i], *found = NULL;
        if (step->kind == FX_STEP_RUN && step->kernel == kernel) return step;
        for (int b = 0; b < 2 && !found; b++) found = find_step(&step->body[b], kernel);
        if (found) return found;
    }
    return NULL;
}

/* "k3_conv1_relu": the program's name for the kernel and the nodes of the first step that runs it, all of it an identifier. */
void fx__debug_name(const fx_program *program, int32_t kernel, char out[FX_DEBUG_NAME])
{
    const fx_step *step = find_step(&program->steps, kernel);
    if (!step) step = find_step(&program->init, kernel);
    int used = snprintf(out, FX_DEBUG_NAME, "k%d", (int)kernel);
    for (int32_t i = 0; step && i < step->n_nodes && used < FX_DEBUG_NAME - 1; i++)
        used += snprintf(out + used, (size_t)(FX_DEBUG_NAME - used), "_%s", step->nodes[i]->name);
    for (char *at = out; *at; at++)
        if (!isalnum((unsigned char)*at)) *at = '_';
}

static void rename_function(LLVMModuleRef module, const char *from, const char *to)
{
    LLVMValueRef fn = LLVMGetNamedFunction(module, from);
    if (fn) LLVMSetValueName2(fn, to, strlen(to));
}

static void rename_kernels(LLVMModuleRef module, const fx_program *program)
{
    char symbol[40], name[FX_DEBUG_NAME], shared[FX_DEBUG_NAME + 8];
    for (int32_t i = 0; i < program->n_kernel; i++) {
        fx__debug_name(program, i, name);
        snprintf(shared, sizeof shared, "%s_shared", name);
        fx__frame_name(program->kernel[i], true, symbol);
        rename_function(module, symbol, name);
        fx__frame_name(program->kernel[i], false, symbol);
        rename_function(module, symbol, shared);
    }
}

void fx__debug_prepare(LLVMModuleRef module, const fx_program *program)
{
    unsigned kind = LLVMGetEnumAttributeKindForName("uwtable", 7);
    rename_kernels(module, program);
    for (LLVMValueRef fn = LLVMGetFirstFunction(module); fn; fn = LLVMGetNextFunction(fn)) {
        if (LLVMIsDeclaration(fn)) continue;
        LLVMAttributeRef unwind = LLVMCreateEnumAttribute(LLVMGetModuleContext(module), kind, 2); /* at every instruction */
        LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, unwind);
    }
}

/* ---- gdb ---------------------------------------------------------------------------------------------------------------- */

/* The interface of gdb's manual. LLVM owns the list and adds to its front, but takes nothing out of it, so that what is freed would
 * stay there. All that is linked for gdb, and all that is freed, therefore goes through one lock. */
struct jit_code_entry {
    struct jit_code_entry *next_entry, *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
};
struct jit_descriptor {
    uint32_t version, action_flag;
    struct jit_code_entry *relevant_entry, *first_entry;
};
enum { JIT_NO_ACTION, JIT_REGISTER, JIT_UNREGISTER };
extern struct jit_descriptor __jit_debug_descriptor;
extern void __jit_debug_register_code(void);

static pthread_mutex_t gdb_lock = PTHREAD_MUTEX_INITIALIZER;
static struct jit_code_entry *retired; /* LLVM's memory, which only LLVM could free */

static int32_t count_entries(const struct jit_code_entry *until)
{
    int32_t n = 0;
    for (const struct jit_code_entry *e = __jit_debug_descriptor.first_entry; e && e != until; e = e->next_entry) n++;
    return n;
}

void fx__debug_register_begin(fx_context *context, LLVMOrcLLJITRef lljit, fx_gdb_objects *objects)
{
    pthread_mutex_lock(&gdb_lock);
    *objects = (fx_gdb_objects){.before = __jit_debug_descriptor.first_entry};
    LLVMErrorRef error = LLVMOrcLLJITEnableDebugSupport(lljit);
    if (!error) return;
    char *text = LLVMGetErrorMessage(error);
    fx__diag_warn(context, NULL, "gdb will not know generated code: %s", text);
    LLVMDisposeErrorMessage(text);
}

fx_status fx__debug_register_end(fx_gdb_objects *objects)
{
    struct jit_code_entry *entry = __jit_debug_descriptor.first_entry;
    int32_t n = count_entries(objects->before);
    objects->entry = calloc((size_t)n + 1, sizeof *objects->entry);
    for (; objects->entry && objects->n < n; entry = entry->next_entry) objects->entry[objects->n++] = entry;
    pthread_mutex_unlock(&gdb_lock);
    return objects->entry ? FX_OK : FX_E_OOM;
}

static void unregister(struct jit_code_entry *entry)
{
    struct jit_descriptor *list = &__jit_debug_descriptor;
    *(entry->prev_entry ? &entry->prev_entry->next_entry : &list->first_entry) = entry->next_entry;
    if (entry->next_entry) entry->next_entry->prev_entry = entry->prev_entry;
    list->relevant_entry = entry;
    list->action_flag = JIT_UNREGISTER;
    __jit_debug_register_code(); /* where gdb has its breakpoint */
    list->action_flag = JIT_NO_ACTION;
    list->relevant_entry = NULL;
    entry->next_entry = retired;
    retired = entry;
}

void fx__debug_unregister(fx_gdb_objects *objects)
{
    pthread_mutex_lock(&gdb_lock);
    for (int32_t i = 0; i < objects->n; i++) unregister(objects->entry[i]);
    pthread_mutex_unlock(&gdb_lock);
    free(objects->entry);
    *objects = (fx_gdb_objects){.n = 0};
}

/* ---- perf --------------------------------------------------------------------------------------------------------------- */

static void write_function(void *user, const char *name, size_t bytes)
{
    fx_perf_map *map = user;
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef error = LLVMOrcLLJITLookup(map->lljit, &address, name);
    if (error)
        LLVMConsumeError(error);
    else
        fprintf(map->out, "%" PRIx64 " %zx %s\n", (uint64_t)address, bytes, name);
}

bool fx__debug_map_open(fx_context *context, LLVMOrcLLJITRef lljit, fx_perf_map *map)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    *map = (fx_perf_map){lljit, fopen(path, "a")};
    if (!map->out) fx__diag_warn(context, NULL, "perf will not know generated code: %s cannot be written", path);
    return map->out != NULL;
}

void fx__debug_map_add(fx_perf_map *map, LLVMMemoryBufferRef object)
{
    fx__object_functions(LLVMGetBufferStart(object), LLVMGetBufferSize(object), write_function, map);
}

void fx__debug_map_close(fx_perf_map *map)
{
    fclose(map->out);
}
