/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse.c: joins kernels so that values between them need not go through memory.
 *
 * Does     Goes over the main block's kernels in order; for each one tries to join it with the producers of what it reads, first
 *          by inlining the producer's expression into the load, then by appending it to the producer's last stage (fuse_inline.c,
 *          fuse_tail.c). Repeats until nothing joins. Every neighbouring pair gets one record with the verdict.
 * Needs    lower: one kernel per node, values in buffers of their own, no slices yet.
 * Ensures  Same values to the bit; no step reads what a later one stores; values with other readers are still stored.
 * Cost     A sweep asks each value of each step about its uses (uses.c), which are at hand; sweeps are few. */
#include "passes/fuse.h"
#include "passes/pass.h"
#include "passes/steps.h"
#include "passes/uses.h"
#include <string.h>

typedef struct fuser {
    fx_program *program;
    const fx_pass_options *options;
    fx_arena *scratch;
    fx_uses uses;
    bool *kept;  /* [n_buf] somebody else than the main block's steps knows it */
    bool *gone;  /* [steps] joined into another one: places stay while a sweep goes on */
    bool record; /* the last sweep: pairs that stay apart are written down */
} fuser;

/* ---- Steps and buffers ---------------------------------------------------------------------------------------------------- */

static bool find_kept(fuser *f)
{
    const fx_program *program = f->program;
    f->kept = FX_NEW_ARRAY(f->scratch, bool, program->n_buf + 1);
    if (!f->kept) return false;
    for (int32_t i = 0; i < program->n_writeback; i++)
        f->kept[program->writeback[i].from] = f->kept[program->writeback[i].to] = true;
    for (int32_t i = 0; i < program->n_buf; i++) {
        int32_t parent = program->buf[i].parent;
        if (parent >= 0) f->kept[i] = f->kept[parent] = true;
        if (program->buf[i].role != FX_BUF_TEMP) f->kept[i] = true;
    }
    return true;
}

static bool open_steps(fuser *f)
{
    f->gone = FX_NEW_ARRAY(f->scratch, bool, f->program->steps.n + 1);
    return f->gone && fx__uses_open(f->program, f->scratch, &f->uses);
}

static void drop_gone(fuser *f)
{
    fx_block *block = &f->program->steps;
    int32_t n = 0;
    for (int32_t i = 0; i < block->n; i++)
        if (!f->gone[i]) block->step[n++] = block->step[i];
    block->n = n;
}

/* ---- Where the joined step stands ----------------------------------------------------------------------------------------- */

/* At the consumer's place: nobody between the two reads what the producer stores, or writes (a loop may) what it reads. */
static bool may_sink(const fuser *f, int32_t from, int32_t to)
{
    const fx_step *step = &f->program->steps.step[from];
    const fx_kernel *kernel = f->program->kernel[step->kernel];
    for (int a = 0; a < kernel->n_arg; a++) {
        if (kernel->arg[a].role == FX_ARG_LOCAL) continue;
        if (fx__places_within(fx__uses_writes(&f->uses, step->bind[a].buf), from + 1, to)) return false;
        if (kernel->arg[a].role != FX_ARG_OUT) continue;
        int32_t reader = fx__places_first(fx__uses_reads(&f->uses, step->bind[a].buf), to);
        if (reader >= 0 && reader < to) return false;
    }
    return true;
}

/* At the producer's place: everything else the consumer reads is there already, and nobody between uses what it stores. */
static bool may_rise(const fuser *f, int32_t from, int32_t to)
{
    const fx_step *step = &f->program->steps.step[to];
    const fx_kernel *kernel = f->program->kernel[step->kernel];
    for (int a = 0; a < kernel->n_arg; a++) {
        if (kernel->arg[a].role == FX_ARG_LOCAL) continue;
        const fx_places *writes = fx__uses_writes(&f->uses, step->bind[a].buf);
        if (kernel->arg[a].role != FX_ARG_OUT) {
            if (fx__places_last(writes) > from) return false;
            continue;
        }
        if (fx__places_within(writes, from, to) || fx__places_within(fx__uses_reads(&f->uses, step->bind[a].buf), from, to))
            return false;
    }
    return true;
}

static bool has_other_role(const fx_kernel *kernel, fx_arg_role role)
{
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role == role) return true;
    return false;
}

/* ---- Joining ------------------------------------------------------------------------------------------------------------- */

bool fx__fuse_joined(fx_verdict verdict)
{
    return verdict == FX_WHY_INLINE || verdict == FX_WHY_TAIL || verdict == FX_WHY_ROW || verdict == FX_WHY_PROLOGUE;
}

bool fx__fuse_within_budget(const fx_kernel *kernel)
{
    if (kernel->n_arg > FX_FUSE_ARGS) return false;
    for (int s = 0; s < kernel->n_stage; s++)
        if (kernel->stage[s].n_expr > FX_FUSE_EXPRS || kernel->stage[s].n_out > FX_OUTS) return false;
    return true;
}

static bool merge_nodes(fx_program *program, const fx_step *first, const fx_step *second, fx_step *out)
{
    out->n_nodes = first->n_nodes + second->n_nodes;
    out->nodes = FX_NEW_ARRAY(program->arena, const fx_node *, out->n_nodes + 1);
    if (!out->nodes) return false;
    if (first->n_nodes) memcpy(out->nodes, first->nodes, (size_t)first->n_nodes * sizeof *out->nodes);
    if (second->n_nodes) memcpy(out->nodes + first->n_nodes, second->nodes, (size_t)second->n_nodes * sizeof *out->nodes);
    return true;
}

/* Puts the joined kernel at the consumer's or the producer's place; the other step is gone. */
static fx_status replace_steps(fuser *f, const fx_pair *pair, fx_bound *joined, bool sink)
{
    fx_program *program = f->program;
    fx_step step = {.kind = FX_STEP_RUN, .cond = -1};
    int32_t stays = sink ? pair->to : pair->from, goes = sink ? pair->from : pair->to;
    if (!merge_nodes(program, &program->steps.step[pair->from], &program->steps.step[pair->to], &step)) return FX_E_OOM;
    memcpy(step.bind, joined->bind, sizeof step.bind);
    step.kernel = fx__program_add_kernel(program, joined->kernel);
    if (step.kernel < 0) return FX_E_OOM;
    fx__uses_remove(&f->uses, stays);
    fx__uses_remove(&f->uses, goes);
    program->steps.step[stays] = step;
    f->gone[goes] = true;
    return fx__uses_add(&f->uses, stays) ? FX_OK : FX_E_OOM;
}

/* Pairs that stay apart are known in the last sweep. */
static fx_status note(const fuser *f, const fx_pair *pair, fx_verdict verdict)
{
    return fx__fuse_joined(verdict) || f->record ? fx__fuse_note(pair, verdict) : FX_OK;
}

/* Which verdict forbids this pair before any rule is asked; FX_WHY_COUNT: none. */
static fx_verdict check_pair(const fuser *f, fx_pair *pair, bool sink, bool rise)
{
    const fx_step *from = &f->program->steps.step[pair->from], *to = &f->program->steps.step[pair->to];
    if (f->options->no_fusion) return FX_WHY_OPTION;
    if (from->kind == FX_STEP_CALL || to->kind == FX_STEP_CALL) return FX_WHY_CALL;
    if (from->kind != FX_STEP_RUN || to->kind != FX_STEP_RUN) return FX_WHY_CONTROL;
    if (from->n_nodes + to->n_nodes > FX_FUSE_NODES) return fx__fuse_refuse(pair, FX_WHY_BUDGET, "it would have too many nodes");
    if (has_other_role(pair->producer, FX_ARG_INOUT) || has_other_role(pair->consumer, FX_ARG_INOUT))
        return fx__fuse_refuse(pair, FX_WHY_ORDER, "one of them changes a buffer in place");
    return sink || rise ? FX_WHY_COUNT : FX_WHY_CYCLE;
}

static fx_verdict try_rules(fx_pair *pair, bool may_inline, fx_bound *joined)
{
    fx_verdict why_not = may_inline ? fx__fuse_inline(pair, joined) : FX_WHY_MULTI_USE;
    if (fx__fuse_joined(why_not)) return why_not;
    fx_verdict verdict = fx__fuse_tail(pair, joined);
    return fx__fuse_joined(verdict) || why_not == FX_WHY_FOOTPRINT ? verdict : why_not;
}

static fx_status join(fuser *f, fx_pair *pair, bool *out_joined)
{
    fx_program *program = f->program;
    bool run = program->steps.step[pair->from].kind == FX_STEP_RUN && program->steps.step[pair->to].kind == FX_STEP_RUN;
    pair->producer = run ? program->kernel[program->steps.step[pair->from].kernel] : NULL;
    pair->consumer = run ? program->kernel[program->steps.step[pair->to].kernel] : NULL;
    bool sink = run && may_sink(f, pair->from, pair->to), rise = run && !sink && may_rise(f, pair->from, pair->to);
    fx_bound joined = {.program = program};
    pair->sole = !f->kept[pair->buf] && fx__places_first(fx__uses_reads(&f->uses, pair->buf), pair->to) < 0;
    fx_verdict verdict = check_pair(f, pair, sink, rise);
    if (verdict == FX_WHY_COUNT) verdict = try_rules(pair, pair->sole, &joined);
    *out_joined = fx__fuse_joined(verdict);
    if (*out_joined) pair->because = fx__fuse_rounding(pair, f->options->target && f->options->target->has_fma);
    FX_TRY(note(f, pair, verdict));
    return *out_joined ? replace_steps(f, pair, &joined, sink) : FX_OK;
}

static int find_arg(const fx_program *program, const fx_step *step, int32_t buf, bool out)
{
    if (step->kind != FX_STEP_RUN) return 0;
    const fx_kernel *kernel = program->kernel[step->kernel];
    for (int a = 0; a < kernel->n_arg; a++)
        if (kernel->arg[a].role != FX_ARG_LOCAL && step->bind[a].buf == buf && (kernel->arg[a].role == FX_ARG_OUT) == out) return a;
    return -1;
}

typedef struct inputs {
    int32_t buf[FX_ARGS];
    int n;
} inputs;

static void collect_input(void *user, int32_t buf, bool reads, bool writes)
{
    inputs *in = user;
    (void)writes;
    for (int i = 0; i < in->n; i++)
        if (in->buf[i] == buf) return;
    if (reads && in->n < FX_ARGS) in->buf[in->n++] = buf;
}

/* Tries each value that step `to` reads; stops after a join, which changes the steps. */
static fx_status join_inputs(fuser *f, int32_t to, bool *out_joined)
{
    inputs in = {.n = 0};
    fx_program *program = f->program;
    if (program->steps.step[to].kind == FX_STEP_ASSERT) return FX_OK; /* of the node that made its condition */
    fx__step_uses(program, &program->steps.step[to], collect_input, &in);
    for (int i = 0; i < in.n && !*out_joined; i++) {
        const fx_places *writes = fx__uses_writes(&f->uses, in.buf[i]);
        int32_t n_writes = writes->n, writer = fx__places_last(writes);
        fx_pair pair = {.program = program, .from = writer, .to = to, .buf = in.buf[i]};
        if (writer < 0 || writer >= to) continue;
        pair.from_arg = find_arg(program, &program->steps.step[writer], in.buf[i], true);
        pair.to_arg = find_arg(program, &program->steps.step[to], in.buf[i], false);
        if (n_writes != 1 && f->record) {
            pair.because = "several kernels write parts of the value";
            FX_TRY(fx__fuse_note(&pair, FX_WHY_ORDER));
        }
        if (n_writes != 1 || pair.from_arg < 0 || pair.to_arg < 0) continue;
        FX_TRY(join(f, &pair, out_joined));
    }
    return FX_OK;
}

/* The last step before `to` that is there, or `to` itself. */
static int32_t step_back(const fuser *f, int32_t to)
{
    int32_t at = to;
    while (at > 0 && f->gone[at]) at--;
    return at;
}

/* One sweep. After a join the sweep goes on at the joined step, or just before the place that became free, where more may join now.
 */
static fx_status sweep(fuser *f, bool *out_joined)
{
    if (!open_steps(f)) return FX_E_OOM;
    for (int32_t to = 0; to < f->program->steps.n; to++) {
        bool joined = false;
        if (f->gone[to]) continue;
        FX_TRY(fx__tick(f->program->context));
        FX_TRY(join_inputs(f, to, &joined));
        if (!joined) continue;
        *out_joined = true;
        to = step_back(f, to) - 1;
    }
    drop_gone(f);
    return FX_OK;
}

/* ---- Stores that nobody reads any more ---------------------------------------------------------------------------------- */

/* A value whose readers all joined the kernel that makes it need not be stored, if that kernel has something else to store. */
static bool drop_store(fx_program *program, fx_step *step, int arg)
{
    int stage, store;
    const fx_kernel *old = program->kernel[step->kernel];
    if (!fx__fuse_store(old, arg, &stage, &store) || old->stage[stage].kind != FX_STAGE_MAP || old->stage[stage].n_out < 2)
        return true;
    fx_bound bound = {.program = program, .kernel = fx__kernel_clone(program, old)};
    if (!bound.kernel) return false;
    memcpy(bound.bind, step->bind, sizeof bound.bind);
    fx_kstage *s = &bound.kernel->stage[stage];
    s->n_out--;
    for (int o = store; o < s->n_out; o++) s->out[o] = s->out[o + 1];
    fx__bound_drop_arg(&bound, arg, -1);
    if (!fx__bound_drop_unused(&bound)) return false;
    memcpy(step->bind, bound.bind, sizeof step->bind);
    step->kernel = fx__program_add_kernel(program, bound.kernel);
    return step->kernel >= 0;
}

static fx_status drop_dead_stores_of(fuser *f, int32_t at)
{
    fx_program *program = f->program;
    fx_step *step = &program->steps.step[at];
    fx__uses_remove(&f->uses, at); /* while it changes: whoever is left is somebody else */
    for (int a = program->kernel[step->kernel]->n_arg - 1; a >= 0; a--) {
        const fx_kernel *kernel = program->kernel[step->kernel];
        if (a >= kernel->n_arg || kernel->arg[a].role != FX_ARG_OUT || f->kept[step->bind[a].buf]) continue;
        bool alone = fx__uses_reads(&f->uses, step->bind[a].buf)->n == 0 && fx__uses_writes(&f->uses, step->bind[a].buf)->n == 0;
        if (alone && !drop_store(program, step, a)) return FX_E_OOM;
    }
    return fx__uses_add(&f->uses, at) ? FX_OK : FX_E_OOM;
}

static fx_status drop_dead_stores(fuser *f)
{
    if (!open_steps(f)) return FX_E_OOM;
    for (int32_t i = 0; i < f->program->steps.n; i++) {
        FX_TRY(fx__tick(f->program->context));
        if (f->program->steps.step[i].kind == FX_STEP_RUN) FX_TRY(drop_dead_stores_of(f, i));
    }
    return FX_OK;
}

/* ---- Rows between contractions ------------------------------------------------------------------------------------------- */

static fx_status join_rows(const fuser *f)
{
    fx_program *program = f->program;
    for (int32_t at = 0; at + 2 < program->steps.n && !f->options->no_fusion; at++) {
        bool joined;
        FX_TRY(fx__tick(program->context));
        FX_TRY(fx__fuse_rows(program, at, &joined));
    }
    return FX_OK;
}

static fx_status fuse(fuser *f)
{
    if (!find_kept(f)) return FX_E_OOM;
    for (bool joined = true; joined;) {
        joined = false;
        FX_TRY(sweep(f, &joined));
    }
    bool none = false;
    f->record = true;
    FX_TRY(sweep(f, &none));
    FX_TRY(drop_dead_stores(f));
    return join_rows(f);
}

fx_status fx__pass_fuse(fx_program *program, const fx_pass_options *options)
{
    fx_pass_options own = *options;
    own.no_fusion = own.no_fusion || own.precision == FX_PRECISION_STRICT; /* a stored value is rounded, and met by no other node */
    fuser f = {.program = program, .options = &own, .scratch = fx__arena_new(program->context)};
    if (!f.scratch) return FX_E_OOM;
    fx_status status = fuse(&f);
    fx__arena_free(f.scratch);
    return status == FX_OK ? fx__kir_tidy(program) : status;
}
