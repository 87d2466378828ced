/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_stage.c: the forms of one compilation. A stage is a form as a pass left it: a graph, which the interpreter runs, or a
 * program, which fx__program_eval runs with plain loops. By halving: the compilation is repeated and one of its stages is run. */
#include "frontend/bisect.h"
#include "ir/interp.h"
#include <string.h>

enum { STAGES = 96 };

typedef struct watch {
    const fx_cut *cut;
    fx_arena *arena;
    int32_t at; /* the stage to be run; -1: none */
    int32_t n;  /* stages so far */
    fx_stage stage[STAGES];
    bool simplified; /* behind "types" */
    fx_graph *core;  /* of the compilation; knows the symbols */
    fx_tensor *out;  /* [n_out]: what the stage computed */
    double ulp;      /* below 0: the cut's bounds say what is right */
    bool ran;
} watch;

/* ---- Running a stage ------------------------------------------------------------------------------------------------------- */

/* On a copy: the interpreter changes buffers of its module. */
static fx_status run_graph(watch *w, fx_graph *graph, const fx_tensor *in)
{
    fx_module *copy = fx__cut_copy(fx_graph_module(graph));
    if (!copy) return FX_E_OOM;
    fx_status status = fx_interpret(copy, in, w->cut->n_in, w->out, w->cut->n_out);
    fx_module_free(copy);
    return status;
}

static fx_status make_state(const watch *w, const fx_program *program, fx_tensor *state, void **data)
{
    for (int32_t b = 0; b < program->n_buf; b++) {
        const fx_buf *buf = &program->buf[b];
        const fx_tensor *first = buf->role == FX_BUF_STATE && buf->path ? fx_module_tensor(w->core->module, buf->path) : NULL;
        if (!first || buf->parent >= 0 || buf->index < 0) continue;
        FX_TRY(fx__tensors_copy(first, 1, &state[buf->index]));
        data[buf->index] = state[buf->index].data;
    }
    return FX_OK;
}

static fx_status run_with_state(watch *w, const fx_program *program, const fx_tensor *in, fx_tensor *state)
{
    int64_t *syms = FX_NEW_ARRAY(w->arena, int64_t, fx__dims_sym_count(w->core->dims) + 1);
    void **data = FX_NEW_ARRAY(w->arena, void *, program->n_state + 1);
    if (!syms || !data) return FX_E_OOM;
    FX_TRY(fx__interp_check_inputs(w->core, in, w->cut->n_in, syms));
    FX_TRY(make_state(w, program, state, data));
    for (int32_t i = 0; i < w->cut->n_out; i++) {
        const fx_tensor *like = &w->cut->expected[i];
        FX_TRY(fx_tensor_alloc(like->dtype, like->rank, like->dim, &w->out[i]));
    }
    return fx__program_eval(program, in, w->out, data, syms);
}

static fx_status run_program(watch *w, const fx_program *program, const fx_tensor *in)
{
    fx_tensor *state = FX_NEW_ARRAY(w->arena, fx_tensor, program->n_state + 1);
    if (!state) return FX_E_OOM;
    fx_status status = run_with_state(w, program, in, state);
    fx__tensors_release(state, program->n_state);
    return status;
}

/* Runs change inputs: each has its own. */
static fx_status run_stage(watch *w, fx_graph *graph, const fx_program *program)
{
    fx_tensor *in = FX_NEW_ARRAY(w->arena, fx_tensor, w->cut->n_in + 1);
    if (!in) return FX_E_OOM;
    fx_status status = fx__tensors_copy(w->cut->in, w->cut->n_in, in);
    if (status == FX_OK) status = graph ? run_graph(w, graph, in) : run_program(w, program, in);
    fx__tensors_release(in, w->cut->n_in);
    w->ran = true;
    return status;
}

/* ---- Watching a compilation ------------------------------------------------------------------------------------------------ */

static fx_status reach(watch *w, fx_bisect_form form, const char *pass, fx_graph *graph, const fx_program *program)
{
    if (w->n < STAGES) w->stage[w->n] = (fx_stage){form, pass, "", ""};
    return w->n++ == w->at ? run_stage(w, graph, program) : FX_OK;
}

static fx_status after_graph(void *user, const char *pass, fx_graph *graph)
{
    watch *w = user;
    fx_bisect_form form = w->simplified ? FX_BISECT_GRAPH : FX_BISECT_CORE;
    w->simplified = w->simplified || strcmp(pass, "types") == 0;
    w->core = graph;
    return reach(w, form, pass, graph, NULL);
}

static fx_status after_program(void *user, const char *pass, const fx_program *program)
{
    return reach(user, FX_BISECT_PROGRAM, pass, NULL, program);
}

static fx_status compile_watched(watch *w, fx_compiled *it, bool verify)
{
    fx_pass_options options = fx__compile_pass_options(it);
    options.after_graph = after_graph;
    options.after = after_program;
    options.after_user = w;
    options.verify = verify;
    FX_TRY(fx__pipeline_graph(it->module->graph, &options));
    return fx__pipeline_program(it->module->graph, &options, &it->program);
}

static fx_status watch_compilation(watch *w, const fx_compile_options *options, bool verify, int32_t at)
{
    fx_compiled *it;
    w->at = at;
    w->n = 0;
    w->simplified = w->ran = false;
    FX_TRY(fx__compile_prepare(w->cut->module, w->cut->in, w->cut->n_in, options, &it));
    fx_status status = compile_watched(w, it, verify);
    fx_compiled_free(it);
    return status;
}

/* ---- The first wrong one --------------------------------------------------------------------------------------------------- */

static const char *last_error(const fx_context *context, fx_arena *arena)
{
    const char *found = "";
    for (int32_t i = fx_context_diag_count(context); i-- > 0 && !*found;) {
        fx_severity severity;
        const char *text = fx_context_diag(context, i, &severity);
        if (severity == FX_ERROR) found = text;
    }
    return fx__arena_copy(arena, found, strlen(found));
}

static bool is_wrong(watch *w, const fx_compile_options *options, int32_t at)
{
    w->out = FX_NEW_ARRAY(w->arena, fx_tensor, w->cut->n_out + 1);
    if (!w->out) return false;
    fx_diag_mark mark = fx__diag_mark(w->cut->module->context);
    fx_status status = watch_compilation(w, options, false, at);
    const fx_tensor *bounds = w->ulp < 0 ? w->cut->bound : NULL;
    bool wrong = status != FX_OK || !w->ran ||
                 fx__trial_compare(w->out, w->cut->expected, bounds, w->cut->n_out, 1, w->ulp, &(fx_difference){0}) >= 0;
    fx__diag_rewind(w->cut->module->context, mark);
    fx__tensors_release(w->out, w->cut->n_out);
    return wrong;
}

/* A pass that leaves what the verifier refuses needs no search. */
static fx_status find_broken_rule(watch *w, const fx_compile_options *options, int32_t n, fx_stage *out)
{
    fx_context *context = w->cut->module->context;
    fx_diag_mark mark = fx__diag_mark(context);
    fx_status status = watch_compilation(w, options, true, -1);
    if (status != FX_OK && w->n < n) {
        fx_stage stages[STAGES];
        int32_t failed = w->n;
        const char *why = last_error(context, w->arena);
        fx__diag_rewind(context, mark);
        FX_TRY(watch_compilation(w, options, false, -1));
        memcpy(stages, w->stage, sizeof stages);
        *out = stages[failed];
        out->why = why ? why : "";
        return FX_OK;
    }
    fx__diag_rewind(context, mark);
    return FX_E_NOT_FOUND;
}

static fx_status find(fx_trial *trial, watch *w, const fx_compile_options *options, fx_stage *out)
{
    FX_TRY(watch_compilation(w, options, false, -1));
    int32_t n = w->n < STAGES ? w->n : STAGES;
    if (find_broken_rule(w, options, n, out) == FX_OK) return FX_OK;
    fx_status loops = fx__loops_find(trial, options, w->cut, w->ulp, w->arena, out); /* evaluating programs takes longer */
    if (loops != FX_E_NOT_FOUND) return loops;
    int32_t lo = 0, hi = n; /* native code is wrong: stage n; stages before lo are right */
    while (lo < hi) {
        int32_t middle = lo + (hi - lo) / 2;
        if (!fx__trial_progress(trial, "forms")) return FX_E_CANCELLED;
        if (is_wrong(w, options, middle)) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
    *out = hi < n ? w->stage[hi] : (fx_stage){FX_BISECT_NATIVE, "codegen", "", ""};
    return FX_OK;
}

fx_status fx__stage_find(fx_trial *trial, const fx_compile_options *options, const fx_cut *cut, double ulp, fx_arena *arena,
                         fx_stage *out)
{
    watch *w = FX_NEW(arena, watch);
    if (!w) return FX_E_OOM;
    w->ulp = ulp;
    w->cut = cut;
    w->arena = arena;
    return find(trial, w, options, out);
}
