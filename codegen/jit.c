/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/jit.c: a program as native code in this process: kernels and entry as objects, one LLJIT that resolves a closed list of
 * absolute symbols, then the init steps, which fill the weights. */
#include "codegen/debug.h"
#include "ir/diag.h"
#include "runtime/memory.h"
#include <inttypes.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fx_jit {
    fx_context *context;
    const fx_program *program; /* during fx__jit_new */
    LLVMOrcLLJITRef lljit;
    fx_rt_entry entry;
    void *wrapper;
    char *consts;    /* 64-byte aligned */
    fx_rt_call call; /* what the typed wrapper starts from */
    fx_gdb_objects gdb;
    uint64_t hash;
    double codegen_ms, link_ms, init_ms;
};

typedef int32_t (*init_fn)(char *consts, void *const *table, char *scratch);

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static fx_status check(fx_context *context, const char *what, LLVMErrorRef error)
{
    if (!error) return FX_OK;
    char *text = LLVMGetErrorMessage(error);
    fx_status status = fx__diag(context, FX_E_CODEGEN, NULL, "%s: %s", what, text);
    LLVMDisposeErrorMessage(text);
    return status;
}

static fx_status tell(const fx_jit *jit, const fx_codegen_options *options, int64_t done, int64_t total)
{
    int32_t percent = total > 0 ? (int32_t)(100 * done / total) : 100;
    if (!options->progress || options->progress(options->progress_user, "init", percent)) return FX_OK;
    return fx__diag(jit->context, FX_E_CANCELLED, NULL, "compiling was cancelled during init");
}

/* ---- Symbols ------------------------------------------------------------------------------------------------------------ */

/* All that generated code may call: the runtime, and what LLVM itself calls on targets without the instruction. */
#define LIBRARY_MAP(X)                                                                                                             \
    X(fx_rt_run)                                                                                                                   \
    X(fx_rt_parallel)                                                                                                              \
    X(fx_rt_parallel_profiled)                                                                                                     \
    X(memcpy)                                                                                                                      \
    X(memset)                                                                                                                      \
    X(memmove) X(fmodf) X(fmod) X(floorf) X(floor) X(ceilf) X(ceil) X(truncf) X(trunc) X(fmaf) X(fma) X(erf) X(sin) X(cos) X(tan)  \
        X(asin) X(acos) X(atan) X(sinh) X(cosh) X(asinh) X(acosh) X(atanh) X(pow) X(atan2)

static void add_symbol(fx_jit *jit, LLVMOrcCSymbolMapPair *pair, const char *name, const void *address)
{
    pair->Name = LLVMOrcLLJITMangleAndIntern(jit->lljit, name);
    pair->Sym = (LLVMJITEvaluatedSymbol){(LLVMOrcExecutorAddress)(uintptr_t)address, {LLVMJITSymbolGenericFlagsExported, 0}};
}

static fx_status define_symbols(fx_jit *jit, const char *symbol)
{
    static const struct {
        const char *name;
        void (*address)(void);
    } library[] = {
#define LIBRARY_ROW(name) {#name, (void (*)(void))name},
        LIBRARY_MAP(LIBRARY_ROW)
#undef LIBRARY_ROW
    };
    enum { COUNT = sizeof library / sizeof library[0] };
    LLVMOrcCSymbolMapPair pair[COUNT + 2];
    char weights[256], call[256];
    for (size_t i = 0; i < COUNT; i++) add_symbol(jit, &pair[i], library[i].name, (const void *)(uintptr_t)library[i].address);
    snprintf(weights, sizeof weights, "%s_weights", symbol);
    snprintf(call, sizeof call, "%s_call", symbol);
    add_symbol(jit, &pair[COUNT], weights, jit->consts);
    add_symbol(jit, &pair[COUNT + 1], call, &jit->call);
    LLVMOrcJITDylibRef dylib = LLVMOrcLLJITGetMainJITDylib(jit->lljit);
    LLVMOrcMaterializationUnitRef unit = LLVMOrcAbsoluteSymbols(pair, COUNT + 2);
    LLVMErrorRef error = LLVMOrcJITDylibDefine(dylib, unit);
    if (error) LLVMOrcDisposeMaterializationUnit(unit);
    return check(jit->context, "defining symbols", error);
}

static fx_status look_up(fx_jit *jit, const char *symbol, const char *suffix, void **out)
{
    char name[256];
    LLVMOrcExecutorAddress address = 0;
    snprintf(name, sizeof name, "%s%s", symbol, suffix);
    FX_TRY(check(jit->context, name, LLVMOrcLLJITLookup(jit->lljit, &address, name)));
    *out = (void *)(uintptr_t)address;
    return FX_OK;
}

/* ---- Objects ------------------------------------------------------------------------------------------------------------ */

static uint64_t hash_bytes(uint64_t hash, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash;
}

static void hash_kernel(fx_jit *jit, int32_t index, LLVMMemoryBufferRef object)
{
    char name[40], section[48];
    const char *code;
    size_t bytes;
    fx__frame_name(jit->program->kernel[index], false, name);
    snprintf(section, sizeof section, ".text.%s", name);
    if (fx__object_section(LLVMGetBufferStart(object), LLVMGetBufferSize(object), section, &code, &bytes)) {
        jit->hash = hash_bytes(jit->hash, code, bytes);
    }
}

static fx_status entry_object(fx_jit *jit, const fx_codegen_options *options, LLVMMemoryBufferRef *out)
{
    fx_entry_module m;
    LLVMTargetMachineRef machine = NULL;
    FX_TRY(fx__session_machine(jit->context, options->target, &machine));
    fx_status status = fx__entry_build(&m, NULL, jit->program, options, FX_ENTRY_JIT);
    if (status == FX_OK && fx__debug_wanted(options)) fx__debug_prepare(m.e.module, jit->program);
    if (status == FX_OK) status = fx__object_emit(jit->context, machine, m.e.module, LLVMObjectFile, "entry", out);
    fx__entry_close(&m);
    LLVMDisposeTargetMachine(machine);
    return status;
}

/* Takes the object in any case. */
static fx_status add_object(fx_jit *jit, LLVMMemoryBufferRef object)
{
    return check(jit->context, "linking", LLVMOrcLLJITAddObjectFile(jit->lljit, LLVMOrcLLJITGetMainJITDylib(jit->lljit), object));
}

static void write_map(fx_jit *jit, const LLVMMemoryBufferRef *object, int32_t n)
{
    fx_perf_map map;
    if (!fx__debug_map_open(jit->context, jit->lljit, &map)) return;
    for (int32_t i = 0; i < n; i++) fx__debug_map_add(&map, object[i]);
    fx__debug_map_close(&map);
}

static fx_status link_objects(fx_jit *jit, const char *symbol, bool keep, LLVMMemoryBufferRef *object, int32_t n)
{
    FX_TRY(define_symbols(jit, symbol));
    for (int32_t i = 0; i < n; i++) {
        LLVMMemoryBufferRef one = object[i];
        object[i] = keep ? LLVMCreateMemoryBufferWithMemoryRangeCopy(LLVMGetBufferStart(one), LLVMGetBufferSize(one), "") : NULL;
        FX_TRY(add_object(jit, one));
    }
    void *entry;
    FX_TRY(look_up(jit, symbol, "_entry", &entry));
    FX_TRY(look_up(jit, symbol, "", &jit->wrapper));
    memcpy(&jit->entry, &entry, sizeof entry);
    return FX_OK;
}

static fx_status link_all(fx_jit *jit, const fx_codegen_options *options, LLVMMemoryBufferRef *object, int32_t n)
{
    const char *symbol = fx__entry_symbol(options);
    FX_TRY(check(jit->context, "starting the JIT", LLVMOrcCreateLLJIT(&jit->lljit, NULL)));
    if (options->gdb) fx__debug_register_begin(jit->context, jit->lljit, &jit->gdb);
    fx_status status = link_objects(jit, symbol, options->perf_map, object, n);
    if (options->gdb && fx__debug_register_end(&jit->gdb) != FX_OK && status == FX_OK) status = fx__diag_oom(jit->context);
    if (status == FX_OK && options->perf_map) write_map(jit, object, n);
    return status;
}

static fx_status compile_and_link(fx_jit *jit, const fx_codegen_options *options)
{
    int32_t n = jit->program->n_kernel;
    LLVMMemoryBufferRef *object = calloc((size_t)n + 1, sizeof *object);
    if (!object) return fx__diag_oom(jit->context);
    double start = now_ms();
    fx_status status = fx__object_kernels(jit->program, options, object);
    if (status == FX_OK) status = entry_object(jit, options, &object[n]);
    if (status == FX_OK) status = tell(jit, options, 0, 1);
    double built = now_ms();
    jit->codegen_ms = built - start;
    for (int32_t i = 0; status == FX_OK && i < n; i++) hash_kernel(jit, i, object[i]);
    if (status == FX_OK) status = link_all(jit, options, object, n + 1);
    jit->link_ms = now_ms() - built;
    for (int32_t i = 0; i <= n; i++) {
        if (object[i]) LLVMDisposeMemoryBuffer(object[i]);
    }
    free(object);
    return status;
}

/* ---- Weights ------------------------------------------------------------------------------------------------------------ */

static size_t buf_bytes(const fx_program *program, int32_t buf)
{
    return (size_t)fx__dim_hint(program->dims, fx__buf_elems(program, buf)) * fx_dtype_bytes(program->buf[buf].dtype);
}

enum { CHUNK = 8 << 20 }; /* a few milliseconds */

/* source NULL: zeros. */
static fx_status fill(const fx_jit *jit, const fx_codegen_options *options, char *to, const char *source, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += CHUNK) {
        size_t n = bytes - at < CHUNK ? bytes - at : CHUNK;
        if (source)
            memcpy(to + at, source + at, n);
        else
            memset(to + at, 0, n);
        if (n == CHUNK) FX_TRY(tell(jit, options, 0, 1));
    }
    return FX_OK;
}

static fx_status make_consts(fx_jit *jit, const fx_codegen_options *options)
{
    const fx_program *program = jit->program;
    jit->consts = fx__memory_alloc((size_t)program->const_bytes);
    if (!jit->consts) return fx__diag_oom(jit->context);
    FX_TRY(fill(jit, options, jit->consts, NULL, (size_t)program->const_bytes));
    for (int32_t i = 0; i < program->n_buf; i++) {
        const fx_buf *buf = &program->buf[i];
        if (buf->role != FX_BUF_CONST || buf->parent >= 0 || !buf->data || buf->offset < 0) continue;
        FX_TRY(fill(jit, options, jit->consts + buf->offset, buf->data, buf_bytes(program, i)));
    }
    return FX_OK;
}

/* Constants that only init steps read: the module's own memory, or memory for the time of the init steps. */
static fx_status fill_table(const fx_program *program, void **table, char *own)
{
    for (int32_t i = 0; i < program->n_buf; i++) {
        const fx_buf *buf = &program->buf[i];
        if (buf->role != FX_BUF_CONST || buf->parent >= 0 || buf->offset >= 0) continue;
        table[i] = (void *)(uintptr_t)buf->data;
        if (buf->data) continue;
        table[i] = fx__memory_alloc(buf_bytes(program, i));
        if (!table[i]) return FX_E_OOM;
        own[i] = 1;
    }
    return FX_OK;
}

/* What init gets, and the words behind its table: the error, how many steps are done, whether to stop. */
typedef struct init_run {
    init_fn init;
    char *consts, *scratch;
    void **table;
    int32_t *words;
    int32_t status;
} init_run;

static void *init_thread(void *user)
{
    init_run *run = user;
    run->status = run->init(run->consts, run->table, run->scratch);
    return NULL;
}

enum { TELL_MS = 10 };

/* False: not yet. */
static bool has_ended(pthread_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TELL_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

/* In a thread of its own while this one tells of progress, if somebody listens. */
static fx_status call_init(fx_jit *jit, const fx_codegen_options *options, init_run *run)
{
    pthread_t thread;
    fx_status told = FX_OK;
    if (!options->progress || pthread_create(&thread, NULL, init_thread, run) != 0) {
        init_thread(run);
        return (fx_status)run->status;
    }
    while (!has_ended(thread)) {
        if (told == FX_OK) told = tell(jit, options, __atomic_load_n(&run->words[0], __ATOMIC_RELAXED), jit->program->init.n);
        if (told != FX_OK) __atomic_store_n(&run->words[1], 1, __ATOMIC_RELAXED);
    }
    return told != FX_OK ? told : (fx_status)run->status;
}

static fx_status run_init(fx_jit *jit, const fx_codegen_options *options)
{
    const fx_program *program = jit->program;
    size_t n = (size_t)program->n_buf;
    void *address, **table = calloc(n + 2, sizeof *table);
    char *own = calloc(n + 1, 1), *scratch = fx__memory_alloc((size_t)program->scratch_bytes);
    fx_status status = table && own && scratch ? fill_table(program, table, own) : FX_E_OOM;
    if (status == FX_OK) status = look_up(jit, fx__entry_symbol(options), "_init", &address);
    if (status == FX_OK) {
        init_run run = {.consts = jit->consts, .table = table, .scratch = scratch, .words = (int32_t *)(void *)&table[n + 1]};
        memcpy(&run.init, &address, sizeof run.init);
        status = call_init(jit, options, &run);
        if (status == FX_OK && table[n]) status = fx__diag(jit->context, FX_E_INDEX, NULL, "an index of a constant lies outside");
    }
    for (size_t i = 0; table && own && i < n; i++) {
        if (own[i]) free(table[i]);
    }
    free(table);
    free(own);
    free(scratch);
    return status == FX_E_OOM ? fx__diag_oom(jit->context) : status;
}

/* ---- Life --------------------------------------------------------------------------------------------------------------- */

static void set_call(fx_jit *jit, const fx_codegen_options *options)
{
    jit->call = (fx_rt_call){.consts = jit->consts, .n_in = jit->program->n_input, .n_out = jit->program->n_output};
    jit->call.threads = options->threads > 0 ? options->threads : 1;
    jit->call.scratch_bytes = (size_t)(jit->program->scratch_bytes + 63) / 64 * 64;
}

static fx_status build(fx_jit *jit, const fx_codegen_options *options)
{
    FX_TRY(fx__session_start(jit->context));
    FX_TRY(make_consts(jit, options));
    set_call(jit, options);
    FX_TRY(compile_and_link(jit, options));
    FX_TRY(tell(jit, options, 0, 1));
    double start = now_ms();
    FX_TRY(run_init(jit, options));
    FX_TRY(tell(jit, options, 1, 1));
    jit->init_ms = now_ms() - start;
    return FX_OK;
}

fx_status fx__jit_new(const fx_program *program, const fx_codegen_options *options, fx_jit **out)
{
    fx_jit *jit = calloc(1, sizeof *jit);
    *out = NULL;
    if (!jit) return fx__diag_oom(program->context);
    *jit = (fx_jit){.context = program->context, .program = program, .hash = UINT64_C(0xcbf29ce484222325)};
    fx_status status = build(jit, options);
    jit->program = NULL;
    if (status == FX_OK)
        *out = jit;
    else
        fx__jit_free(jit);
    return status;
}

void fx__jit_free(fx_jit *jit)
{
    if (!jit) return;
    if (jit->gdb.entry) fx__debug_unregister(&jit->gdb);
    if (jit->lljit) LLVMConsumeError(LLVMOrcDisposeLLJIT(jit->lljit));
    free(jit->consts);
    free(jit);
}

fx_rt_entry fx__jit_entry(const fx_jit *jit)
{
    return jit->entry;
}
void *fx__jit_wrapper(const fx_jit *jit)
{
    return jit->wrapper;
}
fx_rt_call *fx__jit_call(fx_jit *jit)
{
    return &jit->call;
}
const void *fx__jit_consts(const fx_jit *jit)
{
    return jit->consts;
}
uint64_t fx__jit_code_hash(const fx_jit *jit)
{
    return jit->hash;
}

double fx__jit_ms(const fx_jit *jit, const char *phase)
{
    if (strcmp(phase, "codegen") == 0) return jit->codegen_ms;
    if (strcmp(phase, "link") == 0) return jit->link_ms;
    return strcmp(phase, "init") == 0 ? jit->init_ms : 0;
}
