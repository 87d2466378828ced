/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_loops.c: what is wrong with native code when the program is right. The same kernels are generated with other loops: all of
 * them as plain loops of scalars, on one thread, as scheduled on one thread, and with one decision of the schedule taken back at a
 * time, in all kernels and then in each alone, until the smallest change is known that makes the values right. */
#include "frontend/bisect.h"
#include <stdio.h>

enum { RUNS = 8 }; /* on several threads: what is wrong there may come and go */

/* ---- Changes, the smallest first: each tells what it did; false: there was nothing to change
 * ------------------------------------- */

typedef bool (*change_fn)(fx_kernel *kernel, char *text, size_t bytes);

static bool change_tasks(fx_kernel *kernel, char *text, size_t bytes)
{
    fx_sched *s = &kernel->sched;
    if (s->n_task == 0) return false;
    snprintf(text, bytes, "one task instead of chunks of %lld", (long long)s->grain);
    s->n_task = 0;
    s->grain = 0;
    s->parallel = false;
    return true;
}

static bool change_unroll(fx_kernel *kernel, char *text, size_t bytes)
{
    fx_sched *s = &kernel->sched;
    if (s->unroll <= 1) return false;
    snprintf(text, bytes, "unroll 1 instead of %d", (int)s->unroll);
    s->unroll = 1;
    return true;
}

static bool change_groups(fx_kernel *kernel, char *text, size_t bytes)
{
    bool any = false;
    uint8_t *group = kernel->sched.kgroup;
    if (kernel->sched.emit != FX_EMIT_TILE && kernel->sched.emit != FX_EMIT_BLOCK) return false;
    for (int i = 1; i < kernel->stage[0].n_red; i++) any = any || group[i] == group[i - 1];
    for (int i = 0; i < FX_REDS; i++) group[i] = (uint8_t)i;
    snprintf(text, bytes, "reduced axes as loops of their own instead of merged ones");
    return any;
}

static bool change_pack(fx_kernel *kernel, char *text, size_t bytes)
{
    if (!kernel->sched.pack) return false;
    snprintf(text, bytes, "no panels in scratch");
    kernel->sched.pack = false;
    kernel->sched.block = 0;
    return true;
}

static bool change_block(fx_kernel *kernel, char *text, size_t bytes)
{
    if (kernel->sched.block == 0 || kernel->sched.pack) return false;
    snprintf(text, bytes, "block 0 instead of %d", (int)kernel->sched.block);
    kernel->sched.block = 0;
    return true;
}

static bool change_height(fx_kernel *kernel, char *text, size_t bytes)
{
    fx_sched *s = &kernel->sched;
    if (s->row == FX_NO_AXIS || s->mr <= 1) return false;
    snprintf(text, bytes, "tiles of 1 row instead of %d", (int)s->mr);
    s->mr = 1;
    return true;
}

/* Where vectors are no part of a tile. */
static bool change_lanes(fx_kernel *kernel, char *text, size_t bytes)
{
    fx_sched *s = &kernel->sched;
    if (s->lanes <= 1 || (s->emit != FX_EMIT_FLAT && s->emit != FX_EMIT_ROW)) return false;
    snprintf(text, bytes, "1 lane instead of %d", (int)s->lanes);
    s->vec = FX_NO_AXIS;
    s->lanes = s->unroll = 1;
    return true;
}

/* All of the schedule: loops in the order of the axes, one element at a time. */
static bool make_plain(fx_kernel *kernel, char *text, size_t bytes)
{
    static const char *const names[] = {"no loops", "flat", "copy2d", "column", "row", "tile", "block"};
    snprintf(text, bytes, "plain loops instead of %s", names[kernel->sched.emit]);
    kernel->sched = (fx_sched){.emit = FX_EMIT_ROW,
                               .vec = FX_NO_AXIS,
                               .vec2 = FX_NO_AXIS,
                               .row = FX_NO_AXIS,
                               .lanes = 1,
                               .unroll = 1,
                               .n_order = kernel->n_outer};
    for (uint8_t i = 0; i < kernel->n_outer; i++) kernel->sched.order[i] = i;
    for (int i = 0; i < kernel->n_stage; i++) {
        fx_kstage *stage = &kernel->stage[i];
        if (stage->kind != FX_STAGE_CONTRACT) continue;
        stage->kind = FX_STAGE_REDUCE;
        stage->combine = FX_COMBINE_SUM;
    }
    return true;
}

static const change_fn changes[] = {change_tasks, change_unroll, change_groups, change_pack,
                                    change_block, change_height, change_lanes,  make_plain};

/* ---- Trying one ------------------------------------------------------------------------------------------------------------ */

typedef struct looping {
    fx_trial *trial;
    const fx_cut *cut;
    fx_compile_options options;
    double ulp;       /* below 0: the cut's bounds say what is right */
    int32_t n_kernel; /* of the last program */
    char text[96];    /* of the last change */
} looping;

/* kernel -1: all of them. False: nothing was there to change. */
static bool change_program(looping *l, fx_program *program, change_fn change, int32_t kernel)
{
    bool any = false;
    l->n_kernel = program->n_kernel;
    for (int32_t k = 0; k < program->n_kernel; k++) {
        if (kernel >= 0 && k != kernel) continue;
        any = change(program->kernel[k], l->text, sizeof l->text) || any;
        int64_t bytes = fx__kernel_scratch_bytes(program, program->kernel[k]);
        if (bytes > program->scratch_bytes) program->scratch_bytes = bytes;
    }
    return any;
}

/* change NULL: as scheduled. FX_E_NOT_FOUND: nothing was there to change. */
static fx_status compile_changed(looping *l, fx_compiled *it, change_fn change, int32_t kernel)
{
    FX_TRY(fx__compile_graph(it));
    FX_TRY(fx__compile_program(it));
    if (change && !change_program(l, it->program, change, kernel)) return FX_E_NOT_FOUND;
    FX_TRY(fx__kir_dedup(it->program));
    FX_TRY(fx__program_verify(it->program, "schedule"));
    FX_TRY(fx__compile_native(it));
    return it->jit ? FX_OK : FX_E_CODEGEN;
}

static bool runs_right(looping *l, const fx_compiled *it, int runs)
{
    const fx_cut *cut = l->cut;
    bool right = true;
    fx_arena *arena = fx__arena_new(l->trial->context);
    fx_tensor *out = arena ? FX_NEW_ARRAY(arena, fx_tensor, cut->n_out + 1) : NULL;
    for (int i = 0; i < runs && out && right; i++) {
        const fx_tensor *bounds = l->ulp < 0 ? cut->bound : NULL;
        right = fx__trial_run(cut, it, out) == FX_OK &&
                fx__trial_compare(out, cut->expected, bounds, cut->n_out, 1, l->ulp, &(fx_difference){0}) < 0;
        fx__tensors_release(out, cut->n_out);
        for (int32_t o = 0; o < cut->n_out; o++) out[o] = (fx_tensor){0};
    }
    fx__arena_free(arena);
    return right && out;
}

static bool is_right(looping *l, change_fn change, int32_t kernel, int32_t threads)
{
    fx_compiled *it;
    fx_compile_options options = l->options;
    options.threads = threads;
    fx_diag_mark mark = fx__diag_mark(l->trial->context);
    bool right = fx__compile_prepare(l->cut->module, l->cut->in, l->cut->n_in, &options, &it) == FX_OK;
    if (right) {
        right = compile_changed(l, it, change, kernel) == FX_OK && runs_right(l, it, threads == 1 ? 1 : RUNS);
        fx_compiled_free(it);
    }
    fx__diag_rewind(l->trial->context, mark);
    return right;
}

/* ---- The smallest that makes it right -------------------------------------------------------------------------------------- */

static fx_status find_change(looping *l, int32_t threads, fx_arena *arena, const char **out)
{
    *out = "";
    for (size_t c = 0; c < sizeof changes / sizeof changes[0]; c++) {
        if (!fx__trial_progress(l->trial, "loops")) return FX_E_CANCELLED;
        if (!is_right(l, changes[c], -1, threads)) continue;
        for (int32_t k = 0, n = l->n_kernel; k < n; k++) {
            if (!is_right(l, changes[c], k, threads)) continue;
            *out = fx__arena_format(arena, "k%d: %s", (int)k, l->text);
            return *out ? FX_OK : FX_E_OOM;
        }
        *out = fx__arena_format(arena, "all kernels: %s", l->text);
        return *out ? FX_OK : FX_E_OOM;
    }
    return FX_OK;
}

fx_status fx__loops_find(fx_trial *trial, const fx_compile_options *options, const fx_cut *cut, double ulp, fx_arena *arena,
                         fx_stage *out)
{
    looping l = {.trial = trial, .cut = cut, .options = *options, .ulp = ulp};
    int32_t threads = options->threads;
    if (!fx__trial_progress(trial, "loops")) return FX_E_CANCELLED;
    if (!is_right(&l, make_plain, -1, 1)) return FX_E_NOT_FOUND;
    if (threads != 1 && is_right(&l, NULL, -1, 1)) {
        *out = (fx_stage){FX_BISECT_THREADS, "parallel", "", ""};
    } else {
        *out = (fx_stage){FX_BISECT_SCHEDULE, "schedule", "", ""};
        threads = 1;
    }
    return find_change(&l, threads, arena, &out->loops);
}
