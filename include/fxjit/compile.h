/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/compile.h: from a module to function pointers, to objects, and to the interpreter. */
#ifndef FXJIT_COMPILE_H
#define FXJIT_COMPILE_H

#include "fxjit/graph.h"
#include "fxjit/rt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reading models ---------------------------------------------------------------------------------------------------- */

/* Reads a model by its content: fxjit's file (.fxm: graph and weights, docs/FORMAT.md), ONNX (.onnx), fxjit's text (.fx), or a graph
 * as JSON: graph.json of an .fxm, or torch.fx nodes as {"nodes": [{"name", "op", "target", "args"}]}. All problems of the file are
 * reported together (FX_E_FORMAT, FX_E_IO, FX_E_TYPE, FX_E_OOM). Weights are mapped with the file, not copied. */
FX_API fx_status fx_load(fx_context *context, const char *path, FX_GIVES fx_module **out);
/* Writes a module with its submodules and tensors as .fxm. The file appears when it is whole; one that stands there is replaced, but
 * no folder, device or pipe.
 * Tensors that share memory are written once. FX_E_ARG when a tensor has no data or a name is not UTF-8 (all are reported), FX_E_IO. */
FX_API fx_status fx_module_save(fx_module *module, const char *path);
/* The text of graph.json, with the keys of fx_module_save; freed with fx_text_free. NULL after a diagnostic. */
FX_API FX_GIVES char *fx_module_to_json(fx_module *module);
/* graph.json from memory; its tensors are found by key among those given, whose memory is borrowed and must outlive the module. name
 * stands in messages. All problems are reported: FX_E_FORMAT, FX_E_OOM. */
typedef struct fx_named_tensor {
    const char *name;
    fx_tensor tensor;
} fx_named_tensor;
FX_API fx_status fx_import_graph(fx_context *context, const char *json, size_t bytes, const char *name, const fx_named_tensor *tensors,
                                 int32_t n_tensors, FX_GIVES fx_module **out);
/* The same with values for some inputs of an ONNX file, which become constants of the module: for inputs that say shapes, axes or
 * pads, which must be known when importing. Values are copied; names that are no inputs are ignored. */
typedef struct fx_fixed_input {
    const char *name;
    const fx_tensor *value;
} fx_fixed_input;
FX_API fx_status fx_load_fixed(fx_context *context, const char *path, const fx_fixed_input *fixed, int32_t n_fixed,
                               FX_GIVES fx_module **out);
/* ONNX from memory; directory: where external weights lie (NULL: refused). */
FX_API fx_status fx_import_onnx(fx_context *context, const void *data, size_t bytes, const char *name, const char *directory,
                                FX_GIVES fx_module **out);
/* NumPy .npy files. load: new memory (fx_tensor_release); FX_E_FORMAT, FX_E_IO, FX_E_OOM. save: any strides; FX_E_ARG for a tensor
 * without data, FX_E_IO, after which the file may be there in part. */
FX_API fx_status fx_tensor_load_npy(fx_context *context, const char *path, FX_GIVES fx_tensor *out);
FX_API fx_status fx_tensor_save_npy(fx_context *context, const char *path, const fx_tensor *tensor);
/* ONNX TensorProto files (.pb). name may be NULL; else it receives the tensor's name (freed with fx_text_free). */
FX_API fx_status fx_tensor_load_pb(fx_context *context, const char *path, FX_GIVES fx_tensor *out, FX_GIVES char **name);

/* ---- Interpreter: slow, obvious, and the meaning of every graph --------------------------------------------------------- */

/* outputs[i].data may be NULL: then memory is allocated and the caller releases it. Inputs that the graph changes are changed. A
 * buffer of the module that it changes becomes the module's own copy with the new values (fx_module_tensor), and the memory it was
 * made from stays as it is. A run that fails leaves inputs and buffers with the values they had; outputs that were given may have
 * been filled in part. A graph with calls that are no operators is brought into core form first (fx_module_core), which is done anew
 * for every call. A message names the node, where it was traced, and the calls it stands in. */
FX_API fx_status fx_interpret(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs, int32_t n_outputs);
/* The same, and per output element a bound on the rounding error of any legal evaluation order (f64 tensors, released by caller). */
FX_API fx_status fx_interpret_bound(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                                    fx_tensor *bounds, int32_t n_outputs);

/* The module in core form, as a module of its own that borrows the tensors of the first: submodules, bodies, methods and changes in
 * place have become calls of operators, which fx_interpret runs; nothing is simplified. Types as for fx_compile. FX_E_UNSUPPORTED
 * lists all nodes without an operator; FX_E_GRAPH, FX_E_SHAPE, FX_E_TYPE, FX_E_ARG, FX_E_OOM. */
FX_API fx_status fx_module_core(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, FX_GIVES fx_module **out);

/* ---- Compiling --------------------------------------------------------------------------------------------------------- */

/* How much of the graph's own rounding is kept.
 *   DEFAULT  nodes may become one kernel: f16 and bf16 stay in f32 between them, a product and a sum of two nodes may round once,
 *            batch normalisation goes into weights, and what is written out may become the operator that it spells.
 *   STRICT   every node is a kernel of its own, whose result is rounded to its type and stored; nothing of the above.
 *   FAST     today the same as DEFAULT. */
typedef enum fx_precision { FX_PRECISION_DEFAULT, FX_PRECISION_STRICT, FX_PRECISION_FAST } fx_precision;

/* The forms of a module on its way: the graph as it came, in core form, the program, and each kernel's code. */
typedef enum fx_stage_form { FX_STAGE_FX, FX_STAGE_CORE, FX_STAGE_PROGRAM, FX_STAGE_LLVM, FX_STAGE_ASM, FX_STAGE_OBJ } fx_stage_form;

/* Called on the calling thread during all of a compilation, about every hundredth of a second: phases "graph", "program", "codegen" and
 * "init", and how much of the phase is done in percent. Return false to cancel: FX_E_CANCELLED. Kernels that LLVM is at are finished
 * first, since it cannot be interrupted: most often within a tenth of a second, attention of BERT's size within three tenths. Nothing
 * is left behind, no file either. fx_emit_object does not ask while LLVM writes its object. */
typedef bool (*fx_progress)(void *user, const char *phase, int32_t percent);

/* Receives what was decided, a line without its end at a time, on the calling thread. WARNING: what a user may want to change, which
 * is a node without compiled form, the interpreter in LLVM's place, and every warning that the context gets meanwhile; INFO: what
 * each pass did, too; DEBUG: each decision, too. */
typedef enum fx_log_level { FX_LOG_NONE, FX_LOG_WARNING, FX_LOG_INFO, FX_LOG_DEBUG } fx_log_level;
typedef void (*fx_log)(void *user, fx_log_level level, const char *line);

/* Receives a form after a pass that changed it ("input", "rewrite", "fuse"), or a kernel's code under its symbol, the entry's as "entry".
 * Bytes are valid during the call; a 0 follows them. */
enum {
    FX_DUMP_FX = 1 << FX_STAGE_FX,
    FX_DUMP_CORE = 1 << FX_STAGE_CORE,
    FX_DUMP_PROGRAM = 1 << FX_STAGE_PROGRAM,
    FX_DUMP_LLVM = 1 << FX_STAGE_LLVM,
    FX_DUMP_ASM = 1 << FX_STAGE_ASM,
    FX_DUMP_OBJ = 1 << FX_STAGE_OBJ,
    FX_DUMP_ALL = 63
};
typedef void (*fx_dump)(void *user, fx_stage_form form, const char *pass, const char *text, size_t bytes);

typedef struct fx_compile_options {
    int32_t threads; /* 0: as many as cores; 1: no OpenMP */
    fx_precision precision;
    const char *target_triple, *target_cpu, *target_features; /* NULL: this machine */
    bool no_fusion;   /* one kernel per node */
    bool no_in_place; /* every value in a buffer of its own, nothing shared */
    bool verify;      /* check every form after every pass (also FXJIT_VERIFY=1) */
    bool perf_map;    /* perf shows kernels by name: /tmp/perf-PID.map (also FXJIT_DEBUG=perf); code stays the same bytes */
    bool gdb;         /* gdb shows them, too (also FXJIT_DEBUG=gdb, FXJIT_DEBUG=perf,gdb); see docs/DEBUGGING.md */
    bool profile;     /* runs can be measured unit by unit (fxjit/profile.h); the entry alone differs, and objects do not */
    fx_progress progress;
    void *progress_user;
    fx_log_level log_level; /* 0: FXJIT_LOG=warning|info|debug, else INFO when log is given */
    fx_log log;             /* NULL: standard error */
    void *log_user;
    uint32_t dump;              /* FX_DUMP_*; 0: FXJIT_DUMP=fx,core,program,llvm,asm,obj or all */
    const char *dump_directory; /* numbered files NNN-PASS.EXT in a new folder of this name; NULL: FXJIT_DUMP_DIR, else fxjit-dump.
                                 * What cannot be written ends the compilation: FX_E_IO */
    fx_dump dump_text;          /* called instead of writing files */
    void *dump_user;
} fx_compile_options;

typedef struct fx_compiled fx_compiled;

/* Compiles for inputs of the types recorded in the graph, or of the example inputs (NULL when the graph has its shapes).
 * options NULL: defaults. The module is only read and may be freed afterwards. */
FX_API fx_status fx_compile(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                            FX_GIVES fx_compiled **out);
/* The same without native code, which takes most of the time, and for any target: for what fx_explain, fx_explain_kernel and the counts
 * of fx_compiled_* tell. fx_run interprets it. */
FX_API fx_status fx_compile_plan(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                                 FX_GIVES fx_compiled **out);
/* The same under torch's name. */
static inline fx_status fx_compile_fx(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs,
                                      const fx_compile_options *options, FX_GIVES fx_compiled **out)
{
    return fx_compile(module, example_inputs, n_inputs, options, out);
}
FX_API void fx_compiled_free(FX_TAKES fx_compiled *compiled);

/* Runs compiled code. Inputs of any strides (others than the compiled ones are copied); outputs with data NULL are allocated.
 * Inputs that the graph changes are changed. Safe from many threads at once, but for graphs with state (see fx_state_new). FX_E_ARG,
 * FX_E_TYPE, FX_E_SHAPE, FX_E_GUARD (also where an assertion of the graph fails), FX_E_ALIAS, FX_E_INDEX, FX_E_OOM. When `context` is
 * not NULL the reason is written there. */
FX_API fx_status fx_run(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs, fx_tensor *outputs,
                        int32_t n_outputs);

/* ---- State ------------------------------------------------------------------------------------------------------------- */

/* A graph may change buffers of its module: running statistics, a cache. Compiled code does not touch the module: these buffers
 * lie in a state, one per concurrent run, which begins with the module's values at compile time and keeps what runs leave in it.
 * fx_run uses the compiled graph's own state when there is one, so that runs of a graph with state must not overlap in time;
 * fx_run_with takes one of the caller's. Graphs without state ignore it. */
typedef struct fx_state fx_state;
/* A state with the first values. FX_E_OOM. Freed before the compiled graph. */
FX_API fx_status fx_state_new(const fx_compiled *compiled, FX_GIVES fx_state **out);
FX_API void fx_state_free(FX_TAKES fx_state *state); /* NULL is allowed; a compiled graph's own must not be given */
FX_API void fx_state_reset(fx_state *state);         /* the first values again */
/* The memory, fx_compiled_state_bytes of it, 64-byte aligned: the typed wrapper's argument `state`. */
FX_API void *fx_state_data(fx_state *state);
/* A buffer by its dotted path: a view of the state's memory, to be read or written between runs. FX_E_NOT_FOUND. */
FX_API fx_status fx_state_tensor(const fx_state *state, const char *path, fx_tensor *out);
FX_API fx_state *fx_compiled_state(fx_compiled *compiled); /* the compiled graph's own, used by fx_run; NULL: it has no state */
FX_API size_t fx_compiled_state_bytes(const fx_compiled *compiled);
FX_API int32_t fx_compiled_state_count(const fx_compiled *compiled);
FX_API const char *fx_compiled_state_path(const fx_compiled *compiled, int32_t index); /* NULL: no such buffer */
/* Whether runs change the caller's input: its elements must lie apart, and no other input or output may overlap it. */
FX_API bool fx_compiled_input_is_written(const fx_compiled *compiled, int32_t index);
/* fx_run with this state; NULL: the compiled graph's own. A call that does not fit (FX_E_ARG, FX_E_TYPE, FX_E_SHAPE, FX_E_GUARD,
 * FX_E_ALIAS) changes nothing (a state of another compiled graph is FX_E_ARG), nor does a run of a graph that is interpreted. A run of
 * compiled code that fails later (FX_E_INDEX, a failing call) may have changed state and inputs in part, since values are computed in
 * their place: fx_interpret keeps them. */
FX_API fx_status fx_run_with(const fx_compiled *compiled, fx_state *state, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                             fx_tensor *outputs, int32_t n_outputs);

/* ---- Functions --------------------------------------------------------------------------------------------------------- */

/* The uniform entry; fx_compiled_call fills the constant parts of a call (consts, n_in, n_out, threads, step). */
FX_API fx_rt_entry fx_compiled_entry(const fx_compiled *compiled);
FX_API void fx_compiled_call(const fx_compiled *compiled, fx_rt_call *call);
/* The typed wrapper: int32_t f(const T *in0, ..., T *out0, ..., int64_t dim0, ..., void *workspace) with one argument per
 * tensor and one per symbol, and a last argument `void *state` when the graph has state; inputs that it changes are not const.
 * Its C prototype is fx_compiled_prototype. */
FX_API void *fx_entry(const fx_compiled *compiled); /* NULL: LLVM could not serve */
/* Made at the first call and kept: one thread at a time. NULL: out of memory. Sizes have the names of their symbols, but for those that
 * mean something else in C, which get a number in front. */
FX_API const char *fx_compiled_prototype(const fx_compiled *compiled);
/* Calls fx_entry through libffi; args[i] points to argument i. */
FX_API fx_status fx_compiled_invoke(const fx_compiled *compiled, void *const *args, int32_t n_args);
/* A native function int32_t f(const T *in0, ..., T *out0, ..., int64_t dim0, ...) of any arity, made with libffi, that
 * allocates its own workspace and uses the compiled graph's own state. Made at the first call, one thread at a time, and freed with the
 * compiled graph; calls of it are as safe as fx_run. NULL: out of memory. */
FX_API void *fx_compiled_closure(fx_compiled *compiled);

/* Bytes of workspace that serve every run, whatever its sizes: with symbols, those at the upper ends of their ranges. */
FX_API size_t fx_compiled_workspace_bytes(const fx_compiled *compiled);
/* What a run with these inputs needs: bytes of workspace, floating point operations; either may be NULL. Only dtypes and sizes of the
 * inputs are read. FX_E_ARG, FX_E_TYPE, FX_E_SHAPE, FX_E_GUARD, FX_E_OOM as fx_run gives them. */
FX_API fx_status fx_compiled_needs(const fx_compiled *compiled, fx_context *context, const fx_tensor *inputs, int32_t n_inputs,
                                   size_t *out_workspace_bytes, int64_t *out_flop);
FX_API size_t fx_compiled_const_bytes(const fx_compiled *compiled);
FX_API int32_t fx_compiled_kernel_count(const fx_compiled *compiled);
/* Bytes of generated machine code and a hash of it: equal for equal programs. */
FX_API uint64_t fx_compiled_code_hash(const fx_compiled *compiled);
FX_API int64_t fx_compiled_flop(const fx_compiled *compiled); /* floating point operations of one run, at the hints */
/* Nodes that run through their reference kernel, and why; 0: everything was compiled. */
FX_API int32_t fx_compiled_fallback_count(const fx_compiled *compiled);
FX_API const char *fx_compiled_fallback(const fx_compiled *compiled, int32_t index); /* "node (operator): reason" */
/* Milliseconds spent per phase ("passes", "codegen", "init", ...); NULL at the end. */
FX_API const char *fx_compiled_phase(const fx_compiled *compiled, int32_t index, double *out_ms);
/* Number of fx_compile calls of this process that reached code generation. */
FX_API int64_t fx_compile_count(void);

/* The text (or object bytes) of one form of a module's compilation. Freed with fx_text_free. */
FX_API fx_status fx_compile_text(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs,
                                 const fx_compile_options *options, fx_stage_form form, FX_GIVES char **out_text, size_t *out_bytes);

/* ---- Ahead of time ----------------------------------------------------------------------------------------------------- */

typedef struct fx_emit_options {
    const char *symbol;     /* C identifier of the entry; NULL: from the module's name */
    bool weights_in_file;   /* weights in a file beside the object (.weights for .o) instead of inside it */
} fx_emit_options;
/* Writes PATH (an object file) and the header beside it (.h for .o), or nothing at all when anything fails. Refuses graphs
 * with nodes that have no compiled form, listing all of them. */
FX_API fx_status fx_emit_object(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                                const fx_emit_options *emit, const char *path);

/* ---- The operator table ------------------------------------------------------------------------------------------------ */

FX_API int32_t fx_op_count(void);
FX_API const fx_op *fx_op_at(int32_t index);
FX_API const fx_op *fx_op_find(const char *target); /* "torch.ops.aten.relu.default", "aten.relu.default" or "relu" */
FX_API const fx_op *fx_op_nearest(const char *target); /* whose name is most like the target's, for messages; NULL: none is like it */
FX_API const char *fx_op_name(const fx_op *op);     /* "relu" */
FX_API const char *fx_op_target(const fx_op *op);   /* "torch.ops.aten.relu.default" */
FX_API const char *fx_op_schema(const fx_op *op);   /* ATen notation */
FX_API const char *fx_op_onnx(const fx_op *op);     /* ONNX operators that give it, separated by spaces; "" if none */

FX_API const char *fx_op_family(const fx_op *op);   /* "element-wise" */
/* What compiling makes of it: "kernel", "view" (no code at all), "operators" (others that it consists of), or "call" (its reference
 * kernel at run time). A row of the first three kinds may still decline some arguments, which are then called. */
FX_API const char *fx_op_form(const fx_op *op);
FX_API bool fx_op_takes(const fx_op *op, fx_dtype dtype); /* as its first tensor, or as result without tensors */

/* ONNX operators that the importer translates, one after the other; NULL: index is beyond the last. */
FX_API const char *fx_onnx_op_at(int32_t index);
/* The oldest opset whose form of the operator is translated (all newer ones are too); 0: none. */
FX_API int32_t fx_onnx_op_since(const char *name);

/* The machine's fused-multiply-add peak for f32, measured by a generated loop on the calling thread, in GFLOP/s. */
FX_API double fx_measure_peak_gflops(fx_context *context);

#ifdef __cplusplus
}
#endif
#endif
