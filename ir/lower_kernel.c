/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower_kernel.c: a kernel under construction (fx_kb). Operators speak of values in their own dims; loads and stores are
 * composed with the values' homes here. Narrow floats are widened before arithmetic and rounded by stores. */
#include "ir/kir_text.h"
#include "ir/lower_state.h"
#include <string.h>

struct fx_kb {
    fx_lower *lower;
    fx_program *program;
    fx_kernel *kernel;
    fx_kstage stage; /* being filled */
    int32_t bind[FX_ARGS];
    fx_status status;
};

static void fail(fx_kb *k, fx_status status)
{
    if (k->status == FX_OK) k->status = status;
}

/* A mistake of the operator's hook, not of the graph. */
static uint16_t misuse(fx_kb *k, const char *what)
{
    if (k->status != FX_OK) return FX_NO_EXPR;
    const fx_node *node = k->lower->node;
    fail(k, node ? fx__diag_node(node, FX_E_INTERNAL, "lowering: %s", what)
                 : fx__diag(k->lower->context, FX_E_INTERNAL, NULL, "lowering: %s", what));
    return FX_NO_EXPR;
}

/* Not possible in one kernel: the node becomes a CALL. */
static int give_up(fx_kb *k, const char *why)
{
    if (k->status == FX_OK) fail(k, fx__lower_decline(k->lower, "%s", why));
    return -1;
}

static void begin_stage(fx_kb *k)
{
    k->stage = (fx_kstage){.acc = FX_F32, .value = FX_NO_EXPR};
}

/* Never NULL: out of memory gives a kernel whose every call does nothing. */
fx_kb *fx__lower_kernel(fx_lower *lower, const fx_call *call)
{
    static const fx_kb broken = {.status = FX_E_OOM};
    (void)call; /* the lowerer knows its node */
    fx_kb *k = FX_NEW(lower->program->arena, fx_kb);
    if (!k) return (fx_kb *)&broken;
    *k = (fx_kb){.lower = lower, .program = lower->program, .kernel = fx__kernel_new(lower->program)};
    if (!k->kernel) fail(k, FX_E_OOM);
    begin_stage(k);
    return k;
}

uint8_t fx__kb_axis(fx_kb *k, const char *name, fx_dim extent, bool outer)
{
    if (k->status != FX_OK) return 0;
    int axis = fx__kernel_add_axis(k->program, k->kernel, name, extent, outer);
    return axis >= 0 ? (uint8_t)axis : (uint8_t)(give_up(k, "a kernel of this operator would need too many axes") + 1);
}

/* ---- Expressions ---------------------------------------------------------------------------------------------------------------
 */

static uint16_t add_expr(fx_kb *k, const fx_expr *expr)
{
    if (k->status != FX_OK) return FX_NO_EXPR;
    uint16_t e = fx__stage_expr(k->program, &k->stage, expr);
    if (e == FX_NO_EXPR) return misuse(k, "an operand is missing");
    return e;
}

fx_dtype fx__kb_dtype(const fx_kb *k, uint16_t expr)
{
    return k->status == FX_OK && expr < k->stage.n_expr ? (fx_dtype)k->stage.expr[expr].dtype : FX_F32;
}

uint16_t fx__kb_imm(fx_kb *k, fx_dtype dtype, double value)
{
    return add_expr(k, &(fx_expr){.op = FX_X_IMM, .dtype = (uint8_t)dtype, .u.imm = fx__scalar_from_double(dtype, value)});
}

uint16_t fx__kb_imm_int(fx_kb *k, fx_dtype dtype, int64_t value)
{
    fx_imm imm = fx__scalar_cast(FX_I64, dtype, (fx_imm){.i = value});
    return add_expr(k, &(fx_expr){.op = FX_X_IMM, .dtype = (uint8_t)dtype, .u.imm = imm});
}

uint16_t fx__kb_coord(fx_kb *k, uint8_t axis)
{
    return add_expr(k, &(fx_expr){.op = FX_X_AXIS, .dtype = FX_I64, .u.axis = axis});
}

uint16_t fx__kb_dim(fx_kb *k, fx_dim dim)
{
    if (fx_dim_is_const(dim)) return fx__kb_imm_int(k, FX_I64, dim);
    return add_expr(k, &(fx_expr){.op = FX_X_SYM, .dtype = FX_I64, .u.dim = dim});
}

uint16_t fx__kb_cast(fx_kb *k, fx_dtype dtype, uint16_t a)
{
    if (k->status != FX_OK || a >= k->stage.n_expr) return FX_NO_EXPR;
    const fx_expr *x = &k->stage.expr[a];
    if (x->dtype == dtype) return a;
    if (x->op == FX_X_IMM) {
        fx_imm imm = fx__scalar_cast((fx_dtype)x->dtype, dtype, x->u.imm);
        return add_expr(k, &(fx_expr){.op = FX_X_IMM, .dtype = (uint8_t)dtype, .u.imm = imm});
    }
    return add_expr(k, &(fx_expr){.op = FX_X_CAST, .dtype = (uint8_t)dtype, .a = a});
}

static uint16_t widen(fx_kb *k, uint16_t a)
{
    fx_dtype dtype = fx__kb_dtype(k, a);
    return dtype == FX_F16 || dtype == FX_BF16 ? fx__kb_cast(k, FX_F32, a) : a;
}

uint16_t fx__kb_scalar(fx_kb *k, fx_scalar_op op, uint16_t a, uint16_t b)
{
    fx_expr e = {.op = FX_X_SCALAR, .scalar = (uint8_t)op, .a = widen(k, a), .b = FX_NO_EXPR};
    if (fx__scalar_operands(op) == 2) e.b = widen(k, b);
    fx_dtype dtype = fx__kb_dtype(k, e.a);
    if (e.b != FX_NO_EXPR && fx__kb_dtype(k, e.b) != dtype) return misuse(k, "operands of two dtypes");
    if (!fx__scalar_allows(op, dtype)) return misuse(k, "a scalar operation that is not defined on its dtype");
    e.dtype = (uint8_t)(fx__scalar_is_comparison(op) ? FX_BOOL : dtype);
    return add_expr(k, &e);
}

uint16_t fx__kb_select(fx_kb *k, uint16_t condition, uint16_t a, uint16_t b)
{
    fx_expr e = {.op = FX_X_SELECT, .a = condition, .b = widen(k, a), .c = widen(k, b)};
    if (fx__kb_dtype(k, e.b) != fx__kb_dtype(k, e.c)) return misuse(k, "a selection between two dtypes");
    e.dtype = (uint8_t)fx__kb_dtype(k, e.b);
    return add_expr(k, &e);
}

/* ---- Accesses ------------------------------------------------------------------------------------------------------------------
 */

static int arg_of(fx_kb *k, int32_t buf, bool store)
{
    const fx_buf *b = &k->program->buf[buf];
    for (int a = 0; a < k->kernel->n_arg; a++) {
        if (k->bind[a] != buf) continue;
        if ((k->kernel->arg[a].role == FX_ARG_OUT) == store) return a;
        misuse(k, "a kernel that reads what it writes");
        return -1;
    }
    fx_arg arg = {.role = store                     ? FX_ARG_OUT
                          : b->role == FX_BUF_CONST ? FX_ARG_CONST
                                                    : FX_ARG_IN,
                  .dtype = b->dtype,
                  .rank = b->rank,
                  .home = -1};
    memcpy(arg.dim, b->dim, sizeof arg.dim);
    fx__buf_strides(k->program, buf, arg.stride);
    int a = fx__kernel_add_arg(k->kernel, &arg);
    if (a < 0) return give_up(k, "a kernel of this operator would need too many tensors");
    k->bind[a] = buf;
    return a;
}

static const fx_home *home_of(fx_kb *k, fx_lvalue value)
{
    if (k->status != FX_OK) return NULL;
    if (value >= 0 && value < k->lower->n_value) return &k->lower->value[value];
    misuse(k, "a tensor argument or result that is not there");
    return NULL;
}

static bool inside(const fx_kb *k, const fx_index *at, fx_dim extent)
{
    fx_dim lo, hi;
    fx__index_range(k->program->dims, k->kernel, at, &lo, &hi);
    return lo != FX_DIM_BAD && hi != FX_DIM_BAD && fx__dim_le(k->program->dims, 0, lo) &&
           fx__dim_le(k->program->dims, hi, fx__dim_sub(k->program->dims, extent, 1));
}

/* The value's dim is one whole dim of its buffer, forwards or backwards: outside of one is outside of the other. */
static bool dim_is_whole(const fx_kb *k, const fx_home *home, int dim)
{
    const fx_buf *buf = &k->program->buf[home->buf];
    int uses = 0, whole = 0;
    for (int b = 0; b < buf->rank; b++) {
        for (int t = 0; t < home->at[b].n; t++) {
            const fx_term *term = &home->at[b].term[t];
            if (term->axis != dim) continue;
            fx_dim start = term->coef == -1 ? fx__dim_sub(k->program->dims, buf->dim[b], 1) : 0;
            bool unit = home->at[b].n == 1 && term->div == 1 && term->mod == 0 && (term->coef == 1 || term->coef == -1);
            uses++;
            whole += unit && home->at[b].base == start && buf->dim[b] == home->type.dim[dim];
        }
    }
    return uses == 1 && whole == 1;
}

/* Whether the access can leave the value; *out_ok: its home says the same where it does. */
static bool leaves(const fx_kb *k, const fx_home *home, const fx_index *at, bool *out_ok)
{
    bool any = false;
    *out_ok = true;
    for (int d = 0; d < home->type.rank; d++) {
        if (at[d].value < 0 && inside(k, &at[d], home->type.dim[d])) continue;
        any = true;
        *out_ok = *out_ok && dim_is_whole(k, home, d);
    }
    return any;
}

static bool compose(const fx_kb *k, const fx_home *home, const fx_index *at, fx_access *access)
{
    fx_dim extent[FX_AXES];
    for (int i = 0; i < k->kernel->n_axis; i++) extent[i] = k->kernel->axis[i].extent;
    access->rank = k->program->buf[home->buf].rank;
    for (int b = 0; b < access->rank; b++)
        if (!fx__index_substitute(k->program->dims, &home->at[b], at, home->type.rank, extent, &access->at[b])) return false;
    return true;
}

/* Access number; -1 after a problem, with the value to be copied noted in the lowerer. */
static int access_of(fx_kb *k, fx_lvalue value, const fx_index *at, fx_access *access, bool store)
{
    const fx_home *home = home_of(k, value);
    bool whole = true;
    if (!home) return -1;
    if ((access->guarded || access->clamped) && !leaves(k, home, at, &whole)) access->guarded = false;
    if (!whole || !compose(k, home, at, access)) {
        k->lower->copy_wanted = value;
        return give_up(k, "no index expresses this view");
    }
    int arg = arg_of(k, home->buf, store);
    if (arg < 0) return -1;
    access->arg = (uint8_t)arg;
    int number = fx__kernel_add_access(k->program, k->kernel, access);
    if (number < 0) fail(k, FX_E_OOM);
    return number;
}

static uint16_t load(fx_kb *k, fx_lvalue value, const fx_index *at, fx_access *access)
{
    int number = access_of(k, value, at, access, false);
    if (number < 0) return FX_NO_EXPR;
    return add_expr(k,
                    &(fx_expr){.op = FX_X_LOAD, .dtype = (uint8_t)k->kernel->arg[access->arg].dtype, .u.access = (uint16_t)number});
}

uint16_t fx__kb_load(fx_kb *k, fx_lvalue value, const fx_index *at)
{
    return load(k, value, at, &(fx_access){0});
}

uint16_t fx__kb_load_guarded(fx_kb *k, fx_lvalue value, const fx_index *at, double fill)
{
    const fx_home *home = home_of(k, value);
    if (!home) return FX_NO_EXPR;
    return load(k, value, at, &(fx_access){.guarded = true, .fill = fx__scalar_from_double(home->type.dtype, fill)});
}

uint16_t fx__kb_load_gather(fx_kb *k, fx_lvalue value, const fx_index *at)
{
    return load(k, value, at, &(fx_access){.clamped = true});
}

static void store(fx_kb *k, fx_lvalue value, const fx_index *at, uint16_t e, bool guarded)
{
    fx_access access = {.guarded = guarded};
    int number = access_of(k, value, at, &access, true);
    if (number < 0) return;
    uint16_t converted = fx__kb_cast(k, k->kernel->arg[access.arg].dtype, e);
    if (converted == FX_NO_EXPR) misuse(k, "a store without a value");
    if (k->status != FX_OK) return;
    if (k->stage.n_out == FX_OUTS) {
        fx_kstage *full = fx__kernel_add_stage(k->program, k->kernel, FX_STAGE_MAP);
        fx_kstage more = k->stage; /* later stores may use the same expressions */
        more.n_out = 0;
        more.expr = FX_NEW_ARRAY(k->program->arena, fx_expr, k->stage.n_expr + 1);
        if (!full || !more.expr) {
            fail(k, FX_E_OOM);
            return;
        }
        memcpy(more.expr, k->stage.expr, k->stage.n_expr * sizeof *more.expr);
        more.cap_expr = (uint16_t)(more.n_expr + 1);
        *full = k->stage;
        k->stage = more;
    }
    k->stage.out[k->stage.n_out++] = (fx_store){.expr = converted, .access = (uint16_t)number};
}

void fx__kb_store(fx_kb *k, fx_lvalue value, const fx_index *at, uint16_t e)
{
    store(k, value, at, e, false);
}
void fx__kb_store_guarded(fx_kb *k, fx_lvalue value, const fx_index *at, uint16_t e)
{
    store(k, value, at, e, true);
}

/* ---- Stages --------------------------------------------------------------------------------------------------------------------
 */

/* Adds the current stage to the kernel; -1 after a problem. */
static int close_stage(fx_kb *k)
{
    if (k->status != FX_OK) return -1;
    fx_kstage *stage = fx__kernel_add_stage(k->program, k->kernel, k->stage.kind);
    if (!stage) {
        fail(k, FX_E_OOM);
        return -1;
    }
    *stage = k->stage;
    begin_stage(k);
    return k->kernel->n_stage - 1;
}

static void flush_map(fx_kb *k)
{
    if (k->status == FX_OK && k->stage.n_out) close_stage(k);
}

void fx__kb_map(fx_kb *k, const uint8_t *inner, uint8_t n_inner)
{
    flush_map(k);
    if (k->status != FX_OK) return;
    begin_stage(k);
    if (n_inner > FX_REDS) {
        give_up(k, "a stage of this operator would need too many axes");
        return;
    }
    if (n_inner > 0) memcpy(k->stage.inner, inner, n_inner);
    k->stage.n_inner = n_inner;
}

static int local_access(fx_kb *k, int local, const fx_index *at)
{
    if (k->status != FX_OK || local < 0) return -1;
    fx_access access = {.arg = (uint8_t)local, .rank = k->kernel->arg[local].rank};
    for (int d = 0; d < access.rank; d++) access.at[d] = at[d];
    int number = fx__kernel_add_access(k->program, k->kernel, &access);
    if (number < 0) fail(k, FX_E_OOM);
    return number;
}

static fx_kresult combine(fx_kb *k, const char *name, const uint8_t *red, uint8_t n_red, uint16_t value)
{
    if (k->status == FX_OK && value == FX_NO_EXPR) misuse(k, "a reduction without a value");
    if (n_red > FX_REDS) give_up(k, "a stage of this operator would need too many reduced axes");
    if (k->status != FX_OK) return (fx_kresult){-1};
    if (k->stage.n_out) misuse(k, "a reduction in a stage that stores");
    k->stage.name = fx__intern(k->lower->context, name);
    k->stage.value = value;
    k->stage.acc = fx__kb_dtype(k, value);
    memcpy(k->stage.red, red, n_red);
    k->stage.n_red = n_red;
    return (fx_kresult){(int16_t)close_stage(k)};
}

fx_kresult fx__kb_reduce(fx_kb *k, const char *name, fx_combine how, const uint8_t *red, uint8_t n_red, uint16_t e)
{
    uint16_t value = widen(k, e);
    k->stage.kind = FX_STAGE_REDUCE;
    k->stage.combine = how;
    return combine(k, name, red, n_red, value);
}

void fx__kb_scan(fx_kb *k, const char *name, fx_combine how, uint8_t red, uint16_t e, int local)
{
    fx_index at = fx__index_axis(red);
    uint16_t value = widen(k, e);
    int number = local_access(k, local, &at);
    if (number < 0) return;
    k->stage.kind = FX_STAGE_REDUCE;
    k->stage.combine = how;
    k->stage.prefix = true;
    int stage = combine(k, name, &red, 1, value).stage;
    if (stage < 0) return;
    k->kernel->stage[stage].out[0] = (fx_store){.expr = value, .access = (uint16_t)number};
    k->kernel->stage[stage].n_out = 1;
}

fx_kresult fx__kb_contract(fx_kb *k, const char *name, const uint8_t *red, uint8_t n_red, uint16_t a, uint16_t b)
{
    uint16_t value = fx__kb_scalar(k, FX_SCALAR_MUL, a, b);
    k->stage.kind = FX_STAGE_CONTRACT;
    k->stage.combine = FX_COMBINE_SUM;
    return combine(k, name, red, n_red, value);
}

uint16_t fx__kb_result(fx_kb *k, fx_kresult result)
{
    if (k->status != FX_OK || result.stage < 0) return FX_NO_EXPR;
    fx_dtype dtype = fx__stage_dtype(&k->kernel->stage[result.stage]);
    return add_expr(k, &(fx_expr){.op = FX_X_STAGE, .dtype = (uint8_t)dtype, .u.stage = (uint16_t)result.stage});
}

/* ---- Locals --------------------------------------------------------------------------------------------------------------------
 */

int fx__kb_local(fx_kb *k, const char *name, fx_dtype dtype, const uint8_t *inner, uint8_t n_inner)
{
    if (k->status != FX_OK) return -1;
    fx_arg arg = {.name = fx__intern(k->lower->context, name), .role = FX_ARG_LOCAL, .dtype = dtype, .rank = n_inner, .home = -1};
    fx_dim stride = 1;
    for (int d = n_inner - 1; d >= 0; d--) {
        arg.dim[d] = k->kernel->axis[inner[d]].extent;
        arg.stride[d] = stride;
        stride = fx__dim_mul(k->program->dims, stride, arg.dim[d]);
    }
    int local = fx__kernel_add_arg(k->kernel, &arg);
    if (local < 0) return give_up(k, "a kernel of this operator would need too many tensors");
    k->bind[local] = -1;
    return local;
}

void fx__kb_store_local(fx_kb *k, int local, const fx_index *at, uint16_t e)
{
    int number = local_access(k, local, at);
    if (number < 0) return;
    uint16_t converted = fx__kb_cast(k, k->kernel->arg[local].dtype, e);
    if (converted == FX_NO_EXPR || k->stage.n_out == FX_OUTS) {
        misuse(k, "a store without a value, or too many in one stage");
        return;
    }
    k->stage.out[k->stage.n_out++] = (fx_store){.expr = converted, .access = (uint16_t)number};
}

uint16_t fx__kb_load_local(fx_kb *k, int local, const fx_index *at)
{
    int number = local_access(k, local, at);
    if (number < 0) return FX_NO_EXPR;
    return add_expr(k, &(fx_expr){.op = FX_X_LOAD, .dtype = (uint8_t)k->kernel->arg[local].dtype, .u.access = (uint16_t)number});
}

/* ---- End -----------------------------------------------------------------------------------------------------------------------
 */

static bool has_digits(const fx_access *access)
{
    for (int d = 0; d < access->rank; d++)
        for (int t = 0; t < access->at[d].n; t++)
            if (access->at[d].term[t].div != 1 || access->at[d].term[t].mod != 0) return true;
    return false;
}

/* Digits that no splitting of axes resolves are for MAP only. The value behind them; FX_NO_LVALUE: there is none. */
static fx_lvalue reduced_digits(const fx_kb *k)
{
    for (int s = 0; s < k->kernel->n_stage; s++) {
        const fx_kstage *stage = &k->kernel->stage[s];
        for (int e = 0; e < stage->n_expr && stage->kind != FX_STAGE_MAP; e++) {
            const fx_expr *x = &stage->expr[e];
            if (x->op != FX_X_LOAD || !has_digits(&k->kernel->access[x->u.access])) continue;
            for (fx_lvalue v = 0; v < k->lower->n_value; v++) {
                const fx_home *home = &k->lower->value[v];
                if (home->buf == k->bind[k->kernel->access[x->u.access].arg] && !fx__home_is_whole(k->lower, home)) return v;
            }
        }
    }
    return FX_NO_LVALUE;
}

fx_status fx__kb_finish(fx_kb *k)
{
    flush_map(k);
    if (k->status != FX_OK) return k->status;
    k->kernel->exact = k->lower->constant;
    FX_TRY(fx__kernel_refine(k->program, k->kernel));
    k->lower->copy_wanted = reduced_digits(k);
    if (k->lower->copy_wanted != FX_NO_LVALUE) return fx__lower_decline(k->lower, "no index expresses this view");
    fx_step step = {.kind = FX_STEP_RUN, .cond = -1, .kernel = fx__program_add_kernel(k->program, k->kernel)};
    for (int a = 0; a < k->kernel->n_arg; a++) step.bind[a].buf = k->bind[a];
    return step.kernel >= 0 && fx__lower_add_step(k->lower, &step) ? FX_OK : FX_E_OOM;
}
