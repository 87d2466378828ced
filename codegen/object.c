/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/object.c: modules to objects. A program's kernels are compiled by several threads, each with its own target machine
 * and one LLVM context per kernel; building the IR (a tenth of a millisecond) is done under a lock, because it reads the
 * program's dims and reports to its context. The bytes of a kernel do not depend on the number of threads. */
#include "codegen/object.h"
#include "codegen/debug.h"
#include "ir/diag.h"
#include <elf.h>
#include <inttypes.h>
#include <llvm-c/Analysis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static fx_status fail(fx_context *context, const char *what, const char *how, char *problem)
{
    fx_status status = fx__diag(context, FX_E_CODEGEN, NULL, "%s: %s: %s", what, how, problem ? problem : "no reason given");
    LLVMDisposeMessage(problem);
    return status;
}

static void set_layout(LLVMTargetMachineRef machine, LLVMModuleRef module)
{
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
}

/* The part that may run beside others: touches neither program nor fx_context. */
static bool generate(LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type, const char **how, char **problem,
                     LLVMMemoryBufferRef *out)
{
    set_layout(machine, module);
    *how = "LLVM's verifier";
    *problem = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, problem)) return false;
    LLVMDisposeMessage(*problem);
    *problem = NULL;
    *how = "code generation";
    return !LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, problem, out);
}

fx_status fx__object_emit(fx_context *context, LLVMTargetMachineRef machine, LLVMModuleRef module, LLVMCodeGenFileType type,
                          const char *what, LLVMMemoryBufferRef *out)
{
    const char *how;
    char *problem;
    *out = NULL;
    return generate(machine, module, type, &how, &problem, out) ? FX_OK : fail(context, what, how, problem);
}

fx_status fx__object_kernel(const fx_program *program, const fx_kernel *kernel, const fx_target *target,
                            LLVMTargetMachineRef machine, LLVMCodeGenFileType type, LLVMMemoryBufferRef *out)
{
    fx_frame f;
    char name[40];
    fx__frame_name(kernel, false, name);
    fx_status status = fx__frame_build(&f, NULL, program, kernel, target);
    if (status == FX_OK) status = fx__object_emit(program->context, machine, f.e.module, type, name, out);
    fx__frame_close(&f);
    return status;
}

/* ---- Several at a time -------------------------------------------------------------------------------------------------- */

typedef struct crew {
    const fx_program *program;
    const fx_codegen_options *options;
    LLVMMemoryBufferRef *out;
    pthread_mutex_t lock; /* program, its context, and what is below */
    pthread_cond_t changed;
    atomic_int next;
    int32_t done, working;
    fx_status status;
} crew;

typedef struct worker {
    crew *crew;
    LLVMTargetMachineRef machine;
    pthread_t thread;
    bool started;
} worker;

static void report(crew *c, fx_status status)
{
    if (status != FX_OK && c->status == FX_OK) c->status = status;
    c->done++;
    pthread_cond_signal(&c->changed);
}

static void compile_one(crew *c, LLVMTargetMachineRef machine, int32_t index)
{
    const fx_kernel *kernel = c->program->kernel[index];
    const char *how = NULL;
    char *problem = NULL, name[40];
    fx_frame f;
    fx__frame_name(kernel, false, name);
    pthread_mutex_lock(&c->lock);
    fx_status status = fx__frame_build(&f, NULL, c->program, kernel, c->options->target);
    if (status == FX_OK && fx__debug_wanted(c->options)) fx__debug_prepare(f.e.module, c->program);
    pthread_mutex_unlock(&c->lock);
    bool good = status == FX_OK && generate(machine, f.e.module, LLVMObjectFile, &how, &problem, &c->out[index]);
    pthread_mutex_lock(&c->lock);
    if (status == FX_OK && !good) status = fail(c->program->context, name, how, problem);
    fx__frame_close(&f);
    report(c, status);
    pthread_mutex_unlock(&c->lock);
}

static bool has_failed(crew *c)
{
    pthread_mutex_lock(&c->lock);
    bool failed = c->status != FX_OK;
    pthread_mutex_unlock(&c->lock);
    return failed;
}

static void *work(void *user)
{
    worker *w = user;
    crew *c = w->crew;
    for (;;) {
        int32_t index = atomic_fetch_add(&c->next, 1);
        if (index >= c->program->n_kernel || has_failed(c)) break;
        compile_one(c, w->machine, index);
    }
    pthread_mutex_lock(&c->lock);
    c->working--;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

enum { TELL_MS = 10 };

static void wait_a_while(crew *c)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TELL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&c->changed, &c->lock, &until);
}

/* The calling thread tells of progress while the others work, and once when they have ended; the lock is free while it does. */
static void tell_while_they_work(crew *c)
{
    bool go_on = true, ended = false;
    pthread_mutex_lock(&c->lock);
    while (!ended) {
        if (c->working > 0) wait_a_while(c);
        ended = c->working == 0;
        int32_t percent = (int32_t)((int64_t)c->done * 100 / c->program->n_kernel);
        if (!go_on || c->status != FX_OK) continue;
        pthread_mutex_unlock(&c->lock);
        go_on = c->options->progress(c->options->progress_user, "codegen", percent);
        pthread_mutex_lock(&c->lock);
        if (!go_on && c->status == FX_OK)
            c->status = fx__diag(c->program->context, FX_E_CANCELLED, NULL, "compiling was cancelled during codegen");
    }
    pthread_mutex_unlock(&c->lock);
}

enum { MAX_WORKERS = 4 };

static int worker_count(const fx_program *program)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int n = cores < 1 ? 1 : cores > MAX_WORKERS ? MAX_WORKERS : (int)cores;
    return n < program->n_kernel ? n : program->n_kernel;
}

/* The calling thread works, too, unless it tells of progress; where no thread can be had, it works in any case. */
static void run_workers(crew *c, worker *workers, int n)
{
    bool tells = c->options->progress != NULL;
    c->working = n;
    for (int i = tells ? 0 : 1; i < n; i++) {
        workers[i].started = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
        if (workers[i].started) continue;
        pthread_mutex_lock(&c->lock);
        c->working--;
        pthread_mutex_unlock(&c->lock);
    }
    bool any = false;
    for (int i = 0; i < n; i++) any = any || workers[i].started;
    if (!tells || !any) {
        if (tells) c->working = 1;
        work(&workers[0]);
    }
    if (tells) tell_while_they_work(c);
    for (int i = 0; i < n; i++)
        if (workers[i].started) pthread_join(workers[i].thread, NULL);
}

fx_status fx__object_kernels(const fx_program *program, const fx_codegen_options *options, LLVMMemoryBufferRef *out)
{
    crew c = {.program = program, .options = options, .out = out};
    worker workers[MAX_WORKERS] = {0};
    int n = worker_count(program);
    pthread_mutex_init(&c.lock, NULL);
    pthread_cond_init(&c.changed, NULL);
    for (int i = 0; i < n && c.status == FX_OK; i++) {
        workers[i].crew = &c;
        c.status = fx__session_machine(program->context, options->target, &workers[i].machine);
    }
    if (c.status == FX_OK && n > 0) run_workers(&c, workers, n);
    for (int i = 0; i < n; i++) {
        if (workers[i].machine) LLVMDisposeTargetMachine(workers[i].machine);
    }
    pthread_cond_destroy(&c.changed);
    pthread_mutex_destroy(&c.lock);
    return c.status;
}

/* ---- ELF ---------------------------------------------------------------------------------------------------------------- */

static bool section_header(const char *object, size_t bytes, const Elf64_Ehdr *head, unsigned index, Elf64_Shdr *out)
{
    if (index >= head->e_shnum || head->e_shentsize != sizeof *out) return false;
    uint64_t at = head->e_shoff + (uint64_t)index * sizeof *out;
    if (at > bytes || bytes - at < sizeof *out) return false;
    memcpy(out, object + at, sizeof *out);
    return out->sh_type == SHT_NOBITS || (out->sh_offset <= bytes && bytes - out->sh_offset >= out->sh_size);
}

bool fx__object_section(const char *object, size_t bytes, const char *name, const char **out, size_t *out_bytes)
{
    Elf64_Ehdr head;
    Elf64_Shdr names, section;
    if (bytes < sizeof head) return false;
    memcpy(&head, object, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || !section_header(object, bytes, &head, head.e_shstrndx, &names)) return false;
    for (unsigned i = 1; i < head.e_shnum; i++) {
        if (!section_header(object, bytes, &head, i, &section) || section.sh_name >= names.sh_size) continue;
        const char *have = object + names.sh_offset + section.sh_name;
        size_t room = names.sh_size - section.sh_name, length = strlen(name) + 1;
        if (room < length || memcmp(have, name, length) != 0) continue;
        *out = object + section.sh_offset;
        *out_bytes = section.sh_size;
        return true;
    }
    return false;
}

static bool find_symbols(const char *object, size_t bytes, const Elf64_Ehdr *head, Elf64_Shdr *symbols, Elf64_Shdr *names)
{
    for (unsigned i = 1; i < head->e_shnum; i++) {
        if (!section_header(object, bytes, head, i, symbols) || symbols->sh_type != SHT_SYMTAB) continue;
        return section_header(object, bytes, head, symbols->sh_link, names);
    }
    return false;
}

void fx__object_functions(const char *object, size_t bytes, void (*each)(void *user, const char *name, size_t bytes), void *user)
{
    Elf64_Ehdr head;
    Elf64_Shdr symbols, names;
    if (bytes < sizeof head) return;
    memcpy(&head, object, sizeof head);
    if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || !find_symbols(object, bytes, &head, &symbols, &names)) return;
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, object + symbols.sh_offset + at, sizeof symbol);
        bool function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF;
        if (function && symbol.st_name < names.sh_size) each(user, object + names.sh_offset + symbol.st_name, symbol.st_size);
    }
}
