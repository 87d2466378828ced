/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_tidy.c: the normal form of kernels. fx__kernel_normalise puts accesses and expressions into the order of the text form,
 * fx__kir_tidy drops what nothing uses, fx__kir_dedup makes kernels with equal canonical text one. */
#include "ir/kir_text.h"
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* ---- The order of a stage's expressions ------------------------------------------------------------------------------------ */

static int gathered(const fx_access *access, uint16_t *out)
{
    int n = 0;
    for (int d = 0; d < access->rank; d++)
        if (access->at[d].value >= 0) out[n++] = (uint16_t)access->at[d].value;
    return n;
}

int fx__expr_inputs(const fx_kernel *kernel, const fx_expr *expr, uint16_t out[FX_RANK + 3])
{
    if (expr->op == FX_X_LOAD) return gathered(&kernel->access[expr->u.access], out);
    int n = fx__expr_operands(expr);
    const uint16_t operand[3] = {expr->a, expr->b, expr->c};
    for (int i = 0; i < n; i++) out[i] = operand[i];
    return n;
}

int fx__stage_roots(const fx_kernel *kernel, const fx_kstage *stage, uint16_t out[FX_OUTS * (FX_RANK + 1) + 1])
{
    int n = 0;
    if (stage->kind != FX_STAGE_MAP) out[n++] = stage->value;
    for (int o = 0; o < stage->n_out; o++) {
        n += gathered(&kernel->access[stage->out[o].access], &out[n]);
        if (stage->kind == FX_STAGE_MAP) out[n++] = stage->out[o].expr;
    }
    return n;
}

void fx__linear_free(fx_linear *linear)
{
    fx__free(linear->context, linear->order);
    fx__free(linear->context, linear->named);
}

static bool is_leaf(const fx_kernel *kernel, const fx_expr *expr)
{
    uint16_t input[FX_RANK + 3];
    return fx__expr_inputs(kernel, expr, input) == 0;
}

/* Counts uses from the roots down; what has none is dead. */
static void count_uses(const fx_kernel *kernel, const fx_kstage *stage, uint32_t *uses)
{
    uint16_t root[FX_OUTS * (FX_RANK + 1) + 1], input[FX_RANK + 3];
    int n = fx__stage_roots(kernel, stage, root);
    for (int i = 0; i < n; i++) uses[root[i]]++;
    for (int e = stage->n_expr - 1; e >= 0; e--) {
        if (!uses[e]) continue;
        n = fx__expr_inputs(kernel, &stage->expr[e], input);
        for (int i = 0; i < n; i++) uses[input[i]]++;
    }
}

/* An expression gets a line of its own when it is used twice, or when its tree would be nested too deeply to read. */
static void choose_named(const fx_kernel *kernel, const fx_kstage *stage, const uint32_t *uses, uint32_t *depth, bool *named)
{
    uint16_t input[FX_RANK + 3];
    for (int e = 0; e < stage->n_expr; e++) {
        int n = fx__expr_inputs(kernel, &stage->expr[e], input);
        depth[e] = 1;
        for (int i = 0; i < n; i++)
            if (!named[input[i]] && depth[input[i]] + 1 > depth[e]) depth[e] = depth[input[i]] + 1;
        named[e] = uses[e] && !is_leaf(kernel, &stage->expr[e]) && (uses[e] > 1 || depth[e] >= FX_EXPR_DEPTH);
    }
}

/* Appends e's tree, operands first; depth is below FX_EXPR_DEPTH by choose_named. */
static void append_tree(const fx_kernel *kernel, const fx_kstage *stage, uint16_t e, uint32_t *done, fx_linear *linear)
{
    uint16_t input[FX_RANK + 3];
    if (done[e]) return;
    int n = fx__expr_inputs(kernel, &stage->expr[e], input);
    for (int i = 0; i < n; i++) append_tree(kernel, stage, input[i], done, linear);
    if (done[e]) return;
    done[e] = 1;
    linear->order[linear->n++] = e;
}

bool fx__linear_init(fx_linear *linear, fx_context *context, const fx_kernel *kernel, const fx_kstage *stage)
{
    size_t n = (size_t)stage->n_expr + 1;
    uint16_t root[FX_OUTS * (FX_RANK + 1) + 1];
    *linear = (fx_linear){.context = context};
    linear->order = fx__alloc(context, n * sizeof *linear->order);
    linear->named = fx__alloc(context, n);
    uint32_t *uses = fx__alloc(context, n * 3 * sizeof *uses);
    bool ok = linear->order && linear->named && uses;
    if (ok) {
        count_uses(kernel, stage, uses);
        choose_named(kernel, stage, uses, uses + n, linear->named);
        for (int e = 0; e < stage->n_expr; e++)
            if (linear->named[e]) append_tree(kernel, stage, (uint16_t)e, uses + 2 * n, linear);
        int roots = fx__stage_roots(kernel, stage, root);
        for (int i = 0; i < roots; i++) append_tree(kernel, stage, root[i], uses + 2 * n, linear);
    }
    fx__free(context, uses);
    if (!ok) fx__linear_free(linear);
    return ok;
}

/* ---- Normal form --------------------------------------------------------------------------------------------------------- */

typedef struct normaliser {
    fx_program *program;
    fx_kernel *kernel; /* being rebuilt: its accesses are new */
    const fx_kernel *old;
    uint16_t *map; /* old expression -> new */
} normaliser;

static int add_access(normaliser *n, uint16_t old)
{
    fx_access access = n->old->access[old];
    for (int d = 0; d < access.rank; d++)
        if (access.at[d].value >= 0) access.at[d].value = (int16_t)n->map[access.at[d].value];
    return fx__kernel_add_access(n->program, n->kernel, &access);
}

static bool add_expr(normaliser *n, fx_kstage *to, const fx_kstage *from, uint16_t old)
{
    fx_expr e = from->expr[old];
    int operands = fx__expr_operands(&e);
    if (operands > 0) e.a = n->map[e.a];
    if (operands > 1) e.b = n->map[e.b];
    if (operands > 2) e.c = n->map[e.c];
    if (e.op == FX_X_LOAD) {
        int access = add_access(n, e.u.access);
        if (access < 0) return false;
        e.u.access = (uint16_t)access;
    }
    n->map[old] = fx__stage_expr(n->program, to, &e);
    return n->map[old] != FX_NO_EXPR;
}

/* Everything up to a store's value stands before the store's access in the text. */
static bool add_exprs_until(normaliser *n, fx_kstage *to, const fx_kstage *from, const fx_linear *linear, int *next, uint16_t last)
{
    while (n->map[last] == FX_NO_EXPR && *next < linear->n)
        if (!add_expr(n, to, from, linear->order[(*next)++])) return false;
    return true;
}

static bool add_named(normaliser *n, fx_kstage *to, const fx_kstage *from, const fx_linear *linear, int *next)
{
    for (int i = linear->n - 1; i >= 0; i--)
        if (linear->named[linear->order[i]]) return add_exprs_until(n, to, from, linear, next, linear->order[i]);
    return true;
}

static bool rebuild_stage(normaliser *n, fx_kstage *to, const fx_kstage *from, const fx_linear *linear)
{
    int next = 0;
    to->expr = NULL;
    to->n_expr = to->cap_expr = 0;
    if (!add_named(n, to, from, linear, &next)) return false;
    if (from->kind != FX_STAGE_MAP) {
        if (!add_exprs_until(n, to, from, linear, &next, from->value)) return false;
        to->value = n->map[from->value];
    }
    for (int o = 0; o < from->n_out; o++) {
        uint16_t gather[FX_RANK];
        int gathers = gathered(&n->old->access[from->out[o].access], gather);
        for (int g = 0; g < gathers; g++)
            if (!add_exprs_until(n, to, from, linear, &next, gather[g])) return false;
        if (from->kind == FX_STAGE_MAP) {
            if (!add_exprs_until(n, to, from, linear, &next, from->out[o].expr)) return false;
            to->out[o].expr = n->map[from->out[o].expr];
        } else {
            to->out[o].expr = FX_NO_EXPR;
        }
        int access = add_access(n, from->out[o].access);
        if (access < 0) return false;
        to->out[o].access = (uint16_t)access;
    }
    return true;
}

static bool normalise_stage(normaliser *n, int s)
{
    fx_linear linear;
    const fx_kstage *from = &n->old->stage[s];
    if (!fx__linear_init(&linear, n->program->context, n->old, from)) return false;
    n->map = fx__alloc(n->program->context, ((size_t)from->n_expr + 1) * sizeof *n->map);
    if (n->map) memset(n->map, 0xff, ((size_t)from->n_expr + 1) * sizeof *n->map);
    bool ok = n->map && rebuild_stage(n, &n->kernel->stage[s], from, &linear);
    fx__free(n->program->context, n->map);
    fx__linear_free(&linear);
    return ok;
}

fx_status fx__kernel_normalise(fx_program *program, fx_kernel *kernel)
{
    const fx_kernel old = *kernel;
    normaliser n = {.program = program, .kernel = kernel, .old = &old};
    kernel->access = NULL;
    kernel->n_access = kernel->cap_access = 0;
    kernel->stage = FX_NEW_ARRAY(program->arena, fx_kstage, old.n_stage + 1);
    if (!kernel->stage) return FX_E_OOM;
    kernel->cap_stage = (uint8_t)(old.n_stage + (old.n_stage < UINT8_MAX));
    if (old.n_stage) memcpy(kernel->stage, old.stage, old.n_stage * sizeof *kernel->stage);
    for (int s = 0; s < old.n_stage; s++)
        if (!normalise_stage(&n, s)) return FX_E_OOM;
    return FX_OK;
}

/* ---- Steps that use a kernel ------------------------------------------------------------------------------------------------ */

typedef void step_fn(void *user, fx_step *step);

static void each_run(fx_block *block, step_fn *visit, void *user)
{
    for (int32_t i = 0; i < block->n; i++) {
        if (block->step[i].kind == FX_STEP_RUN) visit(user, &block->step[i]);
        each_run(&block->step[i].body[0], visit, user);
        each_run(&block->step[i].body[1], visit, user);
    }
}

static void each_run_of_program(fx_program *program, step_fn *visit, void *user)
{
    each_run(&program->init, visit, user);
    each_run(&program->steps, visit, user);
}

static void renumber_kernel(void *user, fx_step *step)
{
    step->kernel = ((const int32_t *)user)[step->kernel];
}

/* map: old kernel -> new; kernels whose number is not in it are dropped. */
static void renumber_kernels(fx_program *program, int32_t *map)
{
    int32_t n = 0;
    for (int32_t k = 0; k < program->n_kernel; k++) {
        if (map[k] != k) continue;
        program->kernel[n] = program->kernel[k];
        map[k] = n++;
    }
    program->n_kernel = n;
}

/* ---- Dedup ---------------------------------------------------------------------------------------------------------------- */

static char *canonical_text(const fx_program *program, fx_kernel *kernel)
{
    fx_text text;
    fx__text_init(&text, program->context);
    fx__kernel_print(&text, program, kernel, "k", true);
    size_t bytes = text.bytes;
    char *out = fx__text_finish(&text);
    if (out) kernel->hash = XXH3_64bits(out, bytes);
    return out;
}

static int32_t find_equal(const fx_program *program, char *const *texts, int32_t k)
{
    for (int32_t i = 0; i < k; i++)
        if (program->kernel[i]->hash == program->kernel[k]->hash && strcmp(texts[i], texts[k]) == 0) return i;
    return k;
}

/* first[k]: the first kernel with k's text. */
static fx_status find_duplicates(fx_program *program, char **texts, int32_t *first)
{
    for (int32_t k = 0; k < program->n_kernel; k++) {
        FX_TRY(fx__tick(program->context));
        FX_TRY(fx__kernel_normalise(program, program->kernel[k]));
        texts[k] = canonical_text(program, program->kernel[k]);
        if (!texts[k]) return FX_E_OOM;
        first[k] = find_equal(program, texts, k);
    }
    return FX_OK;
}

fx_status fx__kir_dedup(fx_program *program)
{
    int32_t n = program->n_kernel;
    char **texts = fx__alloc(program->context, ((size_t)n + 1) * sizeof *texts);
    int32_t *first = fx__alloc(program->context, ((size_t)n + 1) * 2 * sizeof *first);
    fx_status status = texts && first ? find_duplicates(program, texts, first) : FX_E_OOM;
    if (status == FX_OK) {
        int32_t *map = first + n;
        memcpy(map, first, (size_t)n * sizeof *map);
        renumber_kernels(program, map);
        for (int32_t k = 0; k < n; k++) first[k] = map[first[k]];
        each_run_of_program(program, renumber_kernel, first);
    }
    for (int32_t k = 0; texts && k < n; k++) fx_text_free(texts[k]);
    fx__free(program->context, texts);
    fx__free(program->context, first);
    return status;
}

/* ---- Tidy ------------------------------------------------------------------------------------------------------------------ */

typedef struct arg_drop {
    int32_t kernel;
    int arg;
} arg_drop;

static void drop_bind(void *user, fx_step *step)
{
    const arg_drop *drop = user;
    if (step->kernel != drop->kernel) return;
    for (int a = drop->arg; a + 1 < FX_ARGS; a++) step->bind[a] = step->bind[a + 1];
}

static bool arg_used(const fx_kernel *kernel, int arg)
{
    for (int i = 0; i < kernel->n_access; i++)
        if (kernel->access[i].arg == arg) return true;
    for (int a = 0; a < kernel->n_arg; a++)
        if (a != arg && kernel->arg[a].role == FX_ARG_LOCAL && kernel->arg[a].home == arg) return true;
    return false;
}

static void remove_arg(fx_kernel *kernel, int arg)
{
    kernel->n_arg--;
    for (int a = arg; a < kernel->n_arg; a++) kernel->arg[a] = kernel->arg[a + 1];
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].home > arg) kernel->arg[a].home--;
    for (int i = 0; i < kernel->n_access; i++)
        if (kernel->access[i].arg > arg) kernel->access[i].arg--;
}

static void drop_args(fx_program *program, int32_t k)
{
    fx_kernel *kernel = program->kernel[k];
    for (int arg = kernel->n_arg - 1; arg >= 0; arg--) {
        if (arg_used(kernel, arg)) continue;
        remove_arg(kernel, arg);
        each_run_of_program(program, drop_bind, &(arg_drop){k, arg});
    }
}

static bool listed(const uint8_t *axes, int n, int axis)
{
    for (int i = 0; i < n; i++)
        if (axes[i] == axis) return true;
    return false;
}

static bool axis_used(const fx_kernel *kernel, int axis)
{
    for (int s = 0; s < kernel->n_stage; s++)
        if (listed(kernel->stage[s].inner, kernel->stage[s].n_inner, axis) ||
            listed(kernel->stage[s].red, kernel->stage[s].n_red, axis))
            return true;
    return false;
}

static void lower_axes(uint8_t *axes, int n, int above)
{
    for (int i = 0; i < n; i++)
        if (axes[i] > above && axes[i] != FX_NO_AXIS) axes[i]--;
}

static void lower_sched(fx_sched *sched, int above)
{
    lower_axes(&sched->vec, 1, above);
    lower_axes(&sched->vec2, 1, above);
    lower_axes(&sched->row, 1, above);
    lower_axes(sched->task, sched->n_task, above);
    lower_axes(sched->order, sched->n_order, above);
}

void fx__kernel_remove_axis(fx_kernel *kernel, int axis)
{
    kernel->n_axis--;
    if (axis < kernel->n_outer) kernel->n_outer--;
    for (int i = axis; i < kernel->n_axis; i++) kernel->axis[i] = kernel->axis[i + 1];
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++)
            for (int t = 0; t < kernel->access[i].at[d].n; t++) lower_axes(&kernel->access[i].at[d].term[t].axis, 1, axis);
    for (int s = 0; s < kernel->n_stage; s++) {
        fx_kstage *stage = &kernel->stage[s];
        lower_axes(stage->inner, stage->n_inner, axis);
        lower_axes(stage->red, stage->n_red, axis);
        for (int e = 0; e < stage->n_expr; e++)
            if (stage->expr[e].op == FX_X_AXIS && stage->expr[e].u.axis > axis) stage->expr[e].u.axis--;
    }
    lower_sched(&kernel->sched, axis);
}

static void mark_kernel(void *user, fx_step *step)
{
    ((int32_t *)user)[step->kernel] = step->kernel;
}

fx_status fx__kir_tidy(fx_program *program)
{
    int32_t n = program->n_kernel;
    int32_t *map = fx__alloc(program->context, ((size_t)n + 1) * sizeof *map);
    if (!map) return FX_E_OOM;
    for (int32_t k = 0; k < n; k++) map[k] = -1;
    each_run_of_program(program, mark_kernel, map);
    renumber_kernels(program, map);
    each_run_of_program(program, renumber_kernel, map);
    fx__free(program->context, map);
    for (int32_t k = 0; k < program->n_kernel; k++) {
        FX_TRY(fx__tick(program->context));
        FX_TRY(fx__kernel_normalise(program, program->kernel[k]));
        drop_args(program, k);
        for (int axis = program->kernel[k]->n_axis - 1; axis >= program->kernel[k]->n_outer; axis--)
            if (!axis_used(program->kernel[k], axis)) fx__kernel_remove_axis(program->kernel[k], axis);
    }
    return FX_OK;
}
