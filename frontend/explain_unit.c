/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/explain_unit.c: units, kernels, and the nodes that need neither. */
#include "frontend/explain.h"
#include "ir/in_place.h"
#include "ir/kir_text.h"
#include <inttypes.h>
#include <string.h>

/* ---- Units --------------------------------------------------------------------------------------------------------------- */

/* A step of no node: "pack weight". */
static const char *label_of_none(const fx_explainer *x, const fx_unit *unit)
{
    if (unit->kind == FX_UNIT_IF || unit->kind == FX_UNIT_LOOP) return unit->kind == FX_UNIT_IF ? "if" : "loop";
    const char *name = unit->n_reads ? x->program->buf[unit->reads[0]].name : NULL;
    return name ? fx__arena_format(x->arena, "%s %s", unit->role, name) : unit->role;
}

static bool is_copy(const fx_unit *unit)
{
    return strcmp(unit->role, "copy") == 0 || strcmp(unit->role, "layout") == 0;
}

/* An operand in another order, made for a kernel of several nodes: "layout of k for a + ...". */
static const char *label_of_copy(const fx_explainer *x, const fx_unit *unit)
{
    const char *from = unit->n_reads ? x->program->buf[unit->reads[0]].name : NULL;
    return fx__arena_format(x->arena, "%s of %s for %s + ...", unit->role, from ? from : "a value", unit->nodes[0]->name);
}

/* "a + b + c"; of many the first two and the last. */
static const char *label_of(const fx_explainer *x, const fx_unit *unit)
{
    int32_t n = unit->n_nodes;
    const fx_node *const *nodes = unit->nodes;
    fx_arena *arena = x->arena;
    if (n == 0) return label_of_none(x, unit);
    if (n > 2 && is_copy(unit)) return label_of_copy(x, unit);
    if (n == 1) return nodes[0]->name;
    if (n == 2) return fx__arena_format(arena, "%s + %s", nodes[0]->name, nodes[1]->name);
    if (n == 3) return fx__arena_format(arena, "%s + %s + %s", nodes[0]->name, nodes[1]->name, nodes[2]->name);
    return fx__arena_format(arena, "%s + %s + ... + %s (%d nodes)", nodes[0]->name, nodes[1]->name, nodes[n - 1]->name, (int)n);
}

/* The nodes of a step in the order of the graph, each once. */
static bool take_nodes(fx_arena *arena, const fx_step *step, fx_unit *unit)
{
    const fx_node **nodes = FX_NEW_ARRAY(arena, const fx_node *, step->n_nodes + 1);
    if (!nodes) return false;
    for (int32_t i = 0; i < step->n_nodes; i++) {
        bool known = false;
        for (int32_t j = 0; j < unit->n_nodes; j++) known = known || nodes[j] == step->nodes[i];
        if (!known) nodes[unit->n_nodes++] = step->nodes[i];
    }
    unit->nodes = nodes;
    return true;
}

static bool add_parts(fx_explainer *x, int32_t index)
{
    const fx_unit *unit = &x->unit[index];
    for (int32_t i = 0; i < unit->n_nodes; i++) {
        fx_part *part = FX_NEW(x->arena, fx_part), *last = fx__map_get(&x->part, unit->nodes[i]);
        if (!part) return false;
        part->unit = index;
        while (last && last->next) last = last->next;
        if (last)
            last->next = part;
        else if (!fx__map_put(&x->part, unit->nodes[i], part))
            return false;
    }
    return true;
}

typedef struct uses {
    int32_t *reads, *writes, n_reads, n_writes;
} uses;

static void add_once(int32_t *list, int32_t *n, int32_t buf)
{
    for (int32_t i = 0; i < *n; i++)
        if (list[i] == buf) return;
    list[(*n)++] = buf;
}

static void note_use(void *user, int32_t buf, bool reads, bool writes)
{
    uses *u = user;
    if (reads) add_once(u->reads, &u->n_reads, buf);
    if (writes) add_once(u->writes, &u->n_writes, buf);
}

static bool take_uses(fx_explainer *x, const fx_step *step, fx_unit *unit)
{
    int32_t most = FX_ARGS + step->n_view + 2 * step->n_carry + 1;
    uses u = {.reads = FX_NEW_ARRAY(x->arena, int32_t, most), .writes = FX_NEW_ARRAY(x->arena, int32_t, most)};
    if (!u.reads || !u.writes) return false;
    fx__step_uses(x->program, step, note_use, &u);
    unit->reads = u.reads;
    unit->writes = u.writes;
    unit->n_reads = u.n_reads;
    unit->n_writes = u.n_writes;
    return true;
}

/* ---- What a kernel does: computing, or moving alone ------------------------------------------------------------------------- */

static const fx_expr *moved_value(const fx_kernel *kernel)
{
    const fx_expr *value = NULL;
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        if (stage->kind != FX_STAGE_MAP) return NULL;
        for (int o = 0; o < stage->n_out; o++) {
            value = &stage->expr[stage->out[o].expr];
            if (value->op != FX_X_LOAD && value->op != FX_X_IMM) return NULL;
        }
    }
    return value;
}

/* Neighbours in the result are no neighbours in what is read. */
static bool changes_order(const fx_program *program, const fx_kernel *kernel)
{
    for (int s = 0; s < kernel->n_stage; s++) {
        const fx_kstage *stage = &kernel->stage[s];
        for (int o = 0; o < stage->n_out; o++) {
            const fx_expr *value = &stage->expr[stage->out[o].expr];
            if (value->op != FX_X_LOAD) continue;
            for (uint8_t i = 0; i < kernel->n_axis; i++) {
                if (kernel->axis[i].extent == 1) continue;
                if (fx__access_stride(program, kernel, &kernel->access[stage->out[o].access], i) != 1) continue;
                fx_dim read = fx__access_stride(program, kernel, &kernel->access[value->u.access], i);
                if (read != 1 && read != 0) return true;
            }
        }
    }
    return false;
}

static bool gathers(const fx_kernel *kernel)
{
    for (int i = 0; i < kernel->n_access; i++)
        for (int d = 0; d < kernel->access[i].rank; d++)
            if (kernel->access[i].at[d].value >= 0) return true;
    return false;
}

static const char *role_of(const fx_program *program, const fx_step *step, bool init)
{
    if (step->kind != FX_STEP_RUN) return "compute";
    const fx_kernel *kernel = program->kernel[step->kernel];
    const fx_expr *value = moved_value(kernel);
    if (!value || gathers(kernel)) return "compute";
    if (init) return "pack";
    if (value->op == FX_X_IMM) return "fill";
    return kernel->sched.emit == FX_EMIT_COPY2D || changes_order(program, kernel) ? "layout" : "copy";
}

/* ---- The list --------------------------------------------------------------------------------------------------------------- */

static int64_t chunks_of(const fx_program *program, const fx_step *step)
{
    if (step->kind != FX_STEP_RUN || !program->kernel[step->kernel]->sched.parallel) return 1;
    int64_t chunks = fx__dim_hint(program->dims, fx__sched_chunks(program->dims, program->kernel[step->kernel]));
    return chunks < 1 ? 1 : chunks;
}

static bool fill_unit(fx_explainer *x, int32_t index, bool init)
{
    const fx_step *step = x->step[index];
    fx_unit *unit = &x->unit[index];
    fx_expect e = fx__expect_step(&x->expecter, step, unit->turns > 1);
    unit->kind = (fx_unit_kind)step->kind;
    unit->index = index;
    unit->init = init;
    unit->kernel = step->kind == FX_STEP_RUN ? step->kernel : -1;
    unit->flop = e.flop;
    unit->bytes_in = e.bytes_in;
    unit->bytes_out = e.bytes_out;
    unit->bytes_const = e.bytes_const;
    unit->expected_us = e.us;
    unit->bound = e.bound;
    unit->chunks = chunks_of(x->program, step);
    unit->role = role_of(x->program, step, init);
    unit->why_call = step->kind == FX_STEP_CALL ? step->why_call : NULL;
    if (!take_nodes(x->arena, step, unit) || !take_uses(x, step, unit) || !add_parts(x, index)) return false;
    unit->label = label_of(x, unit);
    return unit->label != NULL;
}

/* Parents stand before what is in them: end[i] is the last step inside of i. */
static void nest(fx_explainer *x, const fx_flat *flat, int32_t base)
{
    for (int32_t i = 0; i < flat->n; i++) {
        fx_unit *unit = &x->unit[base + i];
        unit->parent = -1;
        unit->turns = 1;
        for (int32_t p = 0; p < i; p++) {
            if (flat->end[p] < i) continue;
            unit->parent = base + p;
            unit->depth++;
            int64_t turns = fx__expect_turns(x->program, flat->step[p]);
            if (__builtin_mul_overflow(unit->turns, turns, &unit->turns)) unit->turns = INT64_MAX;
        }
    }
}

fx_status fx__explain_units(fx_explainer *x)
{
    fx_flat run, init;
    if (!fx__steps_flatten(x->arena, &x->program->steps, &run) || !fx__steps_flatten(x->arena, &x->program->init, &init))
        return FX_E_OOM;
    int32_t n = run.n + init.n;
    x->n_run = run.n;
    x->unit = FX_NEW_ARRAY(x->arena, fx_unit, n + 1);
    x->step = FX_NEW_ARRAY(x->arena, fx_step *, n + 1);
    if (!x->unit || !x->step) return FX_E_OOM;
    memcpy(x->step, run.step, (size_t)run.n * sizeof *x->step);
    memcpy(x->step + run.n, init.step, (size_t)init.n * sizeof *x->step);
    nest(x, &run, 0);
    nest(x, &init, run.n);
    for (int32_t i = 0; i < n; i++)
        if (!fill_unit(x, i, i >= run.n)) return FX_E_OOM;
    x->out->unit = x->unit;
    x->out->n_unit = n;
    return FX_OK;
}

/* ---- Kernels ---------------------------------------------------------------------------------------------------------------- */

/* The line "  sched ..." of a kernel's text. */
static const char *schedule_line(fx_arena *arena, const char *text)
{
    static const char mark[] = "\n  sched ";
    const char *at = strstr(text, mark);
    if (!at) return "";
    at += sizeof mark - 1;
    return fx__arena_copy(arena, at, strcspn(at, "\n"));
}

/* Elements that one turn of the innermost loops covers. */
static const char *tile_of(fx_arena *arena, const fx_sched *sched)
{
    int wide = sched->lanes * (sched->nv > 0 ? sched->nv : 1);
    bool rows = sched->emit == FX_EMIT_TILE || sched->emit == FX_EMIT_BLOCK || (sched->emit == FX_EMIT_COLUMN && sched->mr > 1);
    if (rows) return fx__arena_format(arena, "%dx%d", sched->mr > 0 ? sched->mr : 1, wide);
    if (sched->emit == FX_EMIT_COPY2D) return fx__arena_format(arena, "%dx%d", sched->lanes, sched->lanes);
    return fx__arena_format(arena, "%d", wide * (sched->unroll > 0 ? sched->unroll : 1));
}

static bool fill_kernel(fx_explainer *x, int32_t index, fx_kernel_info *out)
{
    const fx_kernel *kernel = x->program->kernel[index];
    fx_text text;
    fx__text_init(&text, x->it->context);
    out->name = fx__arena_format(x->arena, "k%d", (int)index);
    if (!out->name) return false;
    fx__kernel_print(&text, x->program, kernel, out->name, false);
    char *stages = fx__text_finish(&text);
    if (!stages) return false;
    out->stages = fx__arena_copy(x->arena, stages, strlen(stages));
    fx_text_free(stages);
    out->hash = fx__arena_format(x->arena, "k_%016" PRIx64, kernel->hash);
    out->emitter = fx__kir_emit_word(kernel->sched.emit);
    out->n_stages = kernel->n_stage;
    out->precision = fx__explain_precision(x, index);
    out->tile = tile_of(x->arena, &kernel->sched);
    for (int32_t i = 0; i < x->out->n_unit; i++) out->n_units += x->unit[i].kernel == index;
    if (!out->stages || !out->hash || !out->precision || !out->tile) return false;
    out->schedule = schedule_line(x->arena, out->stages);
    return out->schedule != NULL;
}

fx_status fx__explain_kernels(fx_explainer *x)
{
    int32_t n = x->program->n_kernel;
    fx_kernel_info *list = FX_NEW_ARRAY(x->arena, fx_kernel_info, n + 1);
    if (!list) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++)
        if (!fill_kernel(x, i, &list[i])) return FX_E_OOM;
    x->out->kernel = list;
    x->out->n_kernel = n;
    return FX_OK;
}

/* ---- Nodes that no unit computes ---------------------------------------------------------------------------------------------- */

static bool is_view(const fx_node *node)
{
    return node->op && (node->op->view || fx__op_is(node, FX_OP_getitem));
}

bool fx__explain_is_placed(const fx_explainer *x, const fx_node *node)
{
    return node->opcode == FX_CALL_FUNCTION && !fx__map_get(&x->part, node) && !is_view(node) && !fx__is_write_back(node);
}

static const char *why_elsewhere(const fx_node *node)
{
    switch (node->opcode) {
    case FX_PLACEHOLDER:
        return "input";
    case FX_OUTPUT:
        return "output";
    case FX_GET_ATTR:
        return strncmp(node->target, "folded", 6) == 0 ? "folded" : "constant";
    default:
        break;
    }
    if (fx__is_write_back(node)) return "written";
    if (fx__op_is(node, FX_OP_getitem)) return "item";
    return is_view(node) ? "view" : "placed";
}

fx_status fx__explain_elsewhere(fx_explainer *x)
{
    const fx_graph *graph = x->it->module->graph;
    fx_elsewhere *list = FX_NEW_ARRAY(x->arena, fx_elsewhere, graph->n_nodes + 1);
    if (!list) return FX_E_OOM;
    x->out->elsewhere = list;
    FX_EACH_NODE(node, graph)
    if (!fx__map_get(&x->part, node)) list[x->out->n_elsewhere++] = (fx_elsewhere){node, why_elsewhere(node)};
    return FX_OK;
}
