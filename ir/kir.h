/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir.h: the program, form 3: symbols, buffers, kernels, steps. Passes decide, codegen obeys: whatever codegen needs is in
 * these structures and in their text form. docs/ARCHITECTURE.md tells what they mean; kir_eval.c is that meaning as code.
 *
 * A kernel is a set of independent points (outer axes) and, at each point, an ordered list of stages: MAP evaluates
 * expressions and stores, REDUCE combines one expression over reduced axes, CONTRACT is a sum of a product of two loads. */
#ifndef FX_IR_KIR_H
#define FX_IR_KIR_H

#include "ir/dim.h"
#include "ir/graph.h"
#include "runtime/scalar.h"

enum { FX_AXES = 16, FX_ARGS = 16, FX_OUTS = 4, FX_TERMS = 4, FX_REDS = 6 };
#define FX_NO_EXPR 0xffff
#define FX_NO_AXIS 0xff

/* ---- Program ----------------------------------------------------------------------------------------------------------- */

typedef enum fx_role { FX_BUF_INPUT, FX_BUF_OUTPUT, FX_BUF_CONST, FX_BUF_STATE, FX_BUF_TEMP } fx_role;

/* Dims in memory order, the last one of unit stride. */
typedef struct fx_buf {
    const char *name;
    fx_dtype dtype;
    uint8_t rank;
    fx_role role;
    fx_dim dim[FX_RANK];
    int32_t index;      /* INPUT, OUTPUT, STATE: which one; CONST with data: parameter number; else -1 */
    const void *data;   /* CONST: the module's own memory; NULL when an init step computes it */
    const char *path;   /* CONST with data, STATE: the tensor's dotted path */
    int32_t parent;     /* slice of this buffer; -1: root */
    fx_dim at[FX_RANK]; /* slice: origin in the parent; same rank and order */
    uint32_t align;
    fx_dim offset;       /* bytes; TEMP: in the workspace, STATE: in the state, CONST: in the weights (-1: read by init steps only);
                            plan sets it */
    int32_t first, last; /* steps between which it is alive */
} fx_buf;

/* coef * ((axis / div) % mod); div 1 and mod 0 when there are no digits. */
typedef struct fx_term {
    uint8_t axis;
    fx_dim coef, div, mod;
} fx_term;
/* base + sum of terms + expr[value]; value -1: no gather. */
typedef struct fx_index {
    fx_dim base;
    fx_term term[FX_TERMS];
    uint8_t n;
    int16_t value;
} fx_index;
/* One index per dim of the argument. guarded: outside the extents a load yields fill and a store does nothing. */
typedef struct fx_access {
    uint8_t arg, rank;
    bool guarded;
    bool clamped; /* a gather: indices are clamped, an index outside sets the call's error */
    fx_imm fill;
    fx_index at[FX_RANK];
} fx_access;

typedef enum fx_arg_role { FX_ARG_IN, FX_ARG_OUT, FX_ARG_INOUT, FX_ARG_CONST, FX_ARG_LOCAL } fx_arg_role;
typedef struct fx_arg {
    const char *name; /* display only; the canonical text says a0, a1, ... */
    fx_arg_role role;
    fx_dtype dtype;
    uint8_t rank;
    fx_dim dim[FX_RANK], stride[FX_RANK]; /* strides in elements; a slice has its root's strides */
    int8_t home;                          /* LOCAL: lives in that OUT argument's row; -1: in scratch */
} fx_arg;

typedef enum fx_expr_op {
    FX_X_LOAD,   /* u.access */
    FX_X_IMM,    /* u.imm */
    FX_X_AXIS,   /* u.axis: coordinate, i64 */
    FX_X_SYM,    /* u.dim: value of a dimension, i64 */
    FX_X_STAGE,  /* u.stage: result of an earlier REDUCE or CONTRACT at this point */
    FX_X_CAST,   /* a, to dtype */
    FX_X_SELECT, /* a ? b : c */
    FX_X_SCALAR  /* scalar(a, b) */
} fx_expr_op;
typedef struct fx_expr {
    uint8_t op, scalar; /* fx_expr_op, fx_scalar_op */
    uint8_t dtype;      /* fx_dtype of the result */
    uint16_t a, b, c;   /* earlier expressions of the stage; FX_NO_EXPR: none */
    union {
        uint16_t access, stage, axis;
        fx_dim dim;
        fx_imm imm;
    } u;
} fx_expr;

typedef enum fx_stage_kind { FX_STAGE_MAP, FX_STAGE_REDUCE, FX_STAGE_CONTRACT } fx_stage_kind;
typedef enum fx_combine {
    FX_COMBINE_SUM,
    FX_COMBINE_PROD,
    FX_COMBINE_MIN,
    FX_COMBINE_MAX,
    FX_COMBINE_AND,
    FX_COMBINE_OR,
    FX_COMBINE_ARGMIN, /* i64: first coordinate of the only reduced axis */
    FX_COMBINE_ARGMAX,
    FX_COMBINE_COUNT
} fx_combine;

typedef struct fx_store {
    uint16_t expr;   /* REDUCE and CONTRACT: ignored, the result is stored */
    uint16_t access; /* to a LOCAL, or (MAP only) to OUT or INOUT */
} fx_store;

typedef struct fx_kstage {
    fx_stage_kind kind;
    const char *name;                /* display: "c", "m" */
    uint8_t inner[FX_REDS], n_inner; /* axes iterated in parallel within one point */
    uint8_t red[FX_REDS], n_red;     /* reduced axes, in loop order */
    fx_combine combine;              /* REDUCE; CONTRACT: SUM */
    bool prefix;                     /* REDUCE: running result */
    fx_dtype acc;                    /* f32 for f16 and bf16, f64 for f64, i32 for i8 */
    fx_expr *expr;                   /* SSA, operands first */
    uint16_t n_expr, cap_expr;
    uint16_t value; /* REDUCE: the combined expression. CONTRACT: a MUL of two LOADs (casts allowed) */
    fx_store out[FX_OUTS];
    uint8_t n_out;
} fx_kstage;

typedef enum fx_emit { FX_EMIT_NONE, FX_EMIT_FLAT, FX_EMIT_COPY2D, FX_EMIT_COLUMN, FX_EMIT_ROW, FX_EMIT_TILE, FX_EMIT_BLOCK } fx_emit;
typedef struct fx_sched { /* what each field means to each emitter: passes/schedule.c */
    fx_emit emit;
    uint8_t vec, lanes, unroll;      /* vector axis; lanes 1: scalar */
    uint8_t vec2;                    /* COPY2D: the stores' unit axis is vec, the loads' is vec2 */
    uint8_t task[3], n_task;         /* outer axes cut into chunks */
    int64_t grain;                   /* points of the task axes' product per chunk */
    uint8_t order[FX_AXES], n_order; /* loops inside a chunk, outermost first */
    uint8_t kgroup[FX_REDS];         /* reduced axes with one number are one merged loop */
    uint8_t row, mr, nv;             /* TILE: row axis, tile height, vectors per row */
    int32_t block;                   /* TILE: panels that one walk over the rows meets, 0: as order says */
    bool pack;                       /* TILE: B goes through panels in scratch, which the first tile of rows makes */
    int32_t fetch_a, fetch_b;        /* TILE: bytes of A's next rows, of B's next panels prefetched with each step of K */
    bool parallel;                   /* worth sharing between threads */
} fx_sched;

/* Of the target description, never measured; with symbols: at the hints. */
typedef struct fx_cost {
    int64_t flop, read_bytes, write_bytes, cycles;
} fx_cost;

typedef struct fx_axis {
    char name[8];
    fx_dim extent;
} fx_axis;
typedef struct fx_kernel {
    fx_arg arg[FX_ARGS];
    fx_axis axis[FX_AXES];
    uint8_t n_arg, n_axis, n_outer; /* the first n_outer axes are outer */
    fx_access *access;
    uint16_t n_access, cap_access;
    fx_kstage *stage;
    uint8_t n_stage, cap_stage;
    bool exact; /* init kernels: neither contract nor reassoc */
    fx_sched sched;
    fx_cost cost;
    uint64_t hash; /* of the canonical text; set by fx__kir_dedup */
} fx_kernel;

typedef struct fx_bind {
    int32_t buf;
} fx_bind;

/* A tensor as an operator sees it: dims and strides (elements) in the operator's order over a buffer. */
typedef struct fx_kview {
    int32_t buf;
    fx_type type;
    fx_dim base, stride[FX_RANK];
} fx_kview;

typedef enum fx_step_kind { FX_STEP_RUN, FX_STEP_CALL, FX_STEP_IF, FX_STEP_LOOP, FX_STEP_ASSERT } fx_step_kind;
typedef struct fx_step fx_step;
typedef struct fx_block {
    fx_step *step;
    int32_t n, cap;
} fx_block;
/* A value that a LOOP carries from turn to turn: the body reads `now` and writes `next`; after every turn the two buffers change
 * places, so that `now` is the latest value in the next turn and behind the loop. */
typedef struct fx_carry {
    int32_t now, next;
} fx_carry;
struct fx_step {
    fx_step_kind kind;
    int32_t kernel;        /* RUN */
    fx_bind bind[FX_ARGS]; /* RUN: buffer per kernel argument; -1 for LOCAL */
    const fx_op *op;       /* CALL */
    const fx_node *node;   /* CALL: its bound arguments; tensors come from views, in order of appearance, then the results */
    fx_kview *view;
    int32_t n_view, n_view_in;
    int32_t cond;     /* IF: condition buffer. LOOP: a bool that is asked before every turn, or a number of turns; -1: none.
                         ASSERT: what must not be zero, else the run ends with FX_E_GUARD */
    fx_block body[2]; /* IF: then, else. LOOP: body */
    fx_dim turns;     /* LOOP: at most so many; -1: as cond says */
    int32_t counter;  /* LOOP: the symbol that counts the turns from 0; -1: none */
    fx_carry *carry;  /* LOOP */
    int32_t n_carry;
    const fx_node **nodes; /* what it stands for */
    int32_t n_nodes;
    const char *why_call; /* CALL: the reason */
    const char *message;  /* ASSERT: the program's own words */
};

/* Value of buffer `from` must end up in buffer `to` (an output, a state or an input); place removes these. */
typedef struct fx_writeback {
    int32_t from, to;
} fx_writeback;

#define FX_VERDICT_MAP(X)                                                                                                          \
    X(INLINE)                                                                                                                      \
    X(TAIL) X(ROW) X(PROLOGUE) X(SIBLING) X(PLACED) X(MULTI_USE) X(RECOMPUTE) X(FOOTPRINT) X(ORDER) X(BUDGET) X(CYCLE) X(CONTROL)  \
        X(CALL) X(DTYPE) X(OPTION)
typedef enum fx_verdict {
#define FX_VERDICT_ENUM(name) FX_WHY_##name,
    FX_VERDICT_MAP(FX_VERDICT_ENUM)
#undef FX_VERDICT_ENUM
        FX_WHY_COUNT
} fx_verdict;
typedef struct fx_why {
    const fx_node *from, *to;
    fx_verdict verdict;
    int64_t bytes_saved, cost; /* what joining saves, or would have; operations done again */
    const char *because;       /* what exactly stood in the way, of a joined pair what is not rounded between; NULL: the verdict says it all */
} fx_why;

typedef struct fx_program {
    fx_context *context;
    fx_arena *arena;
    fx_dims *dims; /* symbols and guards; owned by the program */
    fx_buf *buf;
    int32_t n_buf, cap_buf;
    fx_kernel **kernel;
    int32_t n_kernel, cap_kernel;
    fx_block steps, init; /* init steps run when compiling and read and write CONST buffers only */
    fx_writeback *writeback;
    int32_t n_writeback, cap_writeback;
    fx_why *why;
    int32_t n_why, cap_why;
    int32_t n_input, n_output, n_state;
    fx_dim workspace_bytes; /* plan; without scratch */
    int64_t const_bytes, state_bytes; /* plan */
    int64_t scratch_bytes;  /* one task's locals: the largest kernel's, 64-byte multiple */
    bool placed, scheduled, planned;
} fx_program;

/* ---- kir_build.c ------------------------------------------------------------------------------------------------------- */

FX_GIVES fx_program *fx__program_new(fx_context *context, const fx_dims *dims); /* clones dims; has its own arena */
void fx__program_free(FX_TAKES fx_program *program);
int32_t fx__program_add_buf(fx_program *program, const fx_buf *buf);    /* -1: out of memory */
int32_t fx__program_add_kernel(fx_program *program, fx_kernel *kernel); /* -1 */
fx_step *fx__block_add(fx_program *program, fx_block *block, const fx_step *step);
void fx__block_remove(fx_block *block, int32_t index);
bool fx__program_add_why(fx_program *program, const fx_why *why); /* because must live as long as the program */
int32_t fx__buf_root(const fx_program *program, int32_t buf);
fx_dim fx__buf_elems(const fx_program *program, int32_t buf);
/* Element strides of a buffer: its root's. */
void fx__buf_strides(const fx_program *program, int32_t buf, fx_dim out[FX_RANK]);
int64_t fx__buf_bytes_hint(const fx_program *program, int32_t buf);

fx_kernel *fx__kernel_new(fx_program *program);
fx_kernel *fx__kernel_clone(fx_program *program, const fx_kernel *kernel);
int fx__kernel_add_axis(fx_program *program, fx_kernel *kernel, const char *name, fx_dim extent, bool outer); /* -1: full */
int fx__kernel_add_arg(fx_kernel *kernel, const fx_arg *arg);                                                 /* -1: full */
int fx__kernel_add_access(fx_program *program, fx_kernel *kernel, const fx_access *access); /* equal ones are shared; -1 */
fx_kstage *fx__kernel_add_stage(fx_program *program, fx_kernel *kernel, fx_stage_kind kind);
/* Hash-consed; FX_NO_EXPR when out of memory or an operand is FX_NO_EXPR. */
uint16_t fx__stage_expr(fx_program *program, fx_kstage *stage, const fx_expr *expr);
int fx__expr_operands(const fx_expr *expr);       /* how many of a, b, c are used */
fx_dtype fx__stage_dtype(const fx_kstage *stage); /* of a REDUCE's or CONTRACT's result: acc, i64 for argmin and argmax */
/* Symbols used by the kernel's dims, ascending; they are its dim parameters, in this order. FX_KERNEL_SYMS + 1: there are more. */
enum { FX_KERNEL_SYMS = 64 };
int32_t fx__kernel_syms(const fx_program *program, const fx_kernel *kernel, int32_t out[FX_KERNEL_SYMS]);
/* Kernels with the same canonical text become one. Sets hashes. */
fx_status fx__kir_dedup(fx_program *program);
/* Removes arguments, accesses, axes, expressions and kernels that nothing uses. */
fx_status fx__kir_tidy(fx_program *program);
fx_cost fx__kernel_cost(const fx_program *program, const fx_kernel *kernel); /* flop and bytes; cycles are schedule's */
/* Bytes of one argument that a run of the kernel touches, at the hints: of a table that is gathered from, the rows taken. */
int64_t fx__kernel_arg_bytes(const fx_program *program, const fx_kernel *kernel, int arg);
/* Floating point operations of all steps: the longer branch of an IF, all turns of a LOOP (one, where a buffer says how many).
 * values: [symbols]; NULL: the hints. */
int64_t fx__program_flop(const fx_program *program, const int64_t *values);
/* Bytes of one task's locals (those in scratch), 64-byte aligned each. Offset of a local within them. */
int64_t fx__kernel_scratch_bytes(const fx_program *program, const fx_kernel *kernel);
int64_t fx__kernel_local_offset(const fx_program *program, const fx_kernel *kernel, int arg);

/* ---- kir_sched.c: what a schedule implies -------------------------------------------------------------------------------- */

/* Elements of an axis that one iteration of its loop covers: lanes * unroll, mr, ... or 1; see passes/schedule.c. */
int64_t fx__sched_step(const fx_sched *sched, uint8_t axis);
/* Iterations of an axis's loop: ceil(extent / step). */
fx_dim fx__sched_count(fx_dims *dims, const fx_kernel *kernel, uint8_t axis);
/* BLOCK: elements of a local from one row of the block to the next: whole lines, and one more, so that rows do not compete for a set
 * of the cache. */
fx_dim fx__sched_local_row(const fx_program *program, const fx_kernel *kernel, int arg);
/* Product of the task axes' counts, and chunks of `grain` of them. Without task axes: 1. */
fx_dim fx__sched_points(fx_dims *dims, const fx_kernel *kernel);
fx_dim fx__sched_chunks(fx_dims *dims, const fx_kernel *kernel);
/* Rows of a packed panel (steps of K), 0 when they are not constant; bytes of all panels in scratch. */
int64_t fx__sched_panel_rows(const fx_kernel *kernel);
int64_t fx__sched_pack_bytes(const fx_kernel *kernel);

/* ---- kir_index.c ------------------------------------------------------------------------------------------------------- */

fx_index fx__index_const(fx_dim base);
fx_index fx__index_axis(uint8_t axis);
/* Sum and product with a dim; false when FX_TERMS would be exceeded or digits forbid it. Equal terms are merged, zeros dropped. */
bool fx__index_add(fx_dims *dims, const fx_index *a, const fx_index *b, fx_index *out);
bool fx__index_scale(fx_dims *dims, const fx_index *a, fx_dim factor, fx_index *out);
/* outer with every axis d replaced by by[d] (n of them); digits of a sum are resolved where intervals allow. */
bool fx__index_substitute(fx_dims *dims, const fx_index *outer, const fx_index *by, int32_t n,
                          const fx_dim *extent /* of the new axes */, fx_index *out);
bool fx__index_equal(const fx_index *a, const fx_index *b);
void fx__index_range(const fx_dims *dims, const fx_kernel *kernel, const fx_index *index, fx_dim *out_lo,
                     fx_dim *out_hi); /* inclusive */
/* Element stride of an access along an axis (0: does not move; FX_DIM_BAD: not affine in it). */
fx_dim fx__access_stride(const fx_program *program, const fx_kernel *kernel, const fx_access *access, uint8_t axis);
/* Moves along the axis by floor(axis / div) alone, *out_stride elements at a time, where `lanes` neighbours from a multiple of lanes
 * on stand for elements of one vector, equally many for each: it can be loaded and spread instead of gathered. */
bool fx__access_spreads(const fx_program *program, const fx_kernel *kernel, const fx_access *access, uint8_t axis, int32_t lanes,
                        int64_t *out_div, int64_t *out_stride);
bool fx__access_in_bounds(const fx_program *program, const fx_kernel *kernel, const fx_access *access); /* provably */
/* kir_refine.c. Splits axes at common factors of digits, then merges axes that every access walks contiguously. */
fx_status fx__kernel_refine(fx_program *program, fx_kernel *kernel);
fx_status fx__kernel_collapse(fx_program *program, fx_kernel *kernel);

/* ---- kir_cut.c: FX_E_UNSUPPORTED leaves the program as it was ----------------------------------------------------------- */

/* Makes RUN step `step` two: stages before `at`, and from `at` on. What crosses becomes a TEMP. Not in init, not scheduled. */
fx_status fx__kernel_cut(fx_program *program, fx_block *block, int32_t step, int at);
/* Makes RUN steps `first` and `first + 1` one, when their outer axes are equal and a point of the second reads of what the first
 * writes its own point's part only; TEMPs that nobody else reads become locals, or, of one number per point, expressions. */
fx_status fx__kernel_join(fx_program *program, fx_block *block, int32_t first);

/* kir_forward.c. Later stages compute what a MAP left in a local of one number; afterwards nothing uses that local. */
fx_status fx__kernel_forward(fx_program *program, fx_kernel *kernel);

/* ---- kir_print.c, kir_parse.c, kir_verify.c, kir_eval.c ----------------------------------------------------------------- */

FX_GIVES char *fx__program_print(const fx_program *program);
/* Names are argument names, or a0, a1, ... i0, i1, ... when canonical. */
void fx__kernel_print(fx_text *text, const fx_program *program, const fx_kernel *kernel, const char *name, bool canonical);
fx_status fx__program_parse(fx_context *context, const char *name, const char *text, size_t bytes, FX_GIVES fx_program **out);
/* Rules of docs/ARCHITECTURE.md, "What the verifier checks"; problems name the pass after which they were seen. */
fx_status fx__program_verify(const fx_program *program, const char *after_pass);
/* Runs a program with scalar loops. in and out are dense row-major; sym_values may be NULL without symbols; consts of init
 * steps are computed into memory of its own. state: [n_state] base pointers. */
fx_status fx__program_eval(const fx_program *program, const fx_tensor *in, fx_tensor *out, void *const *state,
                           const int64_t *sym_values);

#endif
