/* SPDX-License-Identifier: Apache-2.0 */
/* bisect.c: fx_bisect. The graph in core form is computed both ways with all its values known; where they differ it is cut down
 * to the smallest graph that still shows it, and only there the forms are gone through, for evaluating programs with plain loops
 * is slow. */
#include "frontend/bisect.h"
#include "fxjit/inspect.h"
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <math.h>
#include <string.h>

/* ---- The whole, as a graph that can be cut --------------------------------------------------------------------------------- */

static void want(fx_bisection *b, const fx_attr *value)
{
    if (value->kind == FX_ATTR_NODE && fx__capture_has_value(value->u.node)) b->outs[value->u.node->id] = true;
}

static bool want_output(void *user, const fx_attr *value)
{
    want(user, value);
    return true;
}

/* All outputs, and what write-backs write. */
static void want_all(fx_bisection *b)
{
    const fx_graph *graph = b->module->graph;
    for (int32_t id = 0; id < graph->next_id; id++) b->keep[id] = true;
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode == FX_OUTPUT) fx_attr_each(&node->args, want_output, b);
        if (fx__is_write_back(node) && node->args.n > 1) want(b, fx__arg(node, 1));
    }
}

static void drop_whole(fx_bisection *b)
{
    fx__cut_free(&b->cut);
    fx__capture_free(&b->capture);
    if (b->module) fx_module_free(b->module);
    b->module = NULL;
}

/* Whether the module, which becomes the bisection's, differs with all values that leave it as outputs. */
static fx_status try_whole(fx_bisection *b, FX_TAKES fx_module *module, bool *out_differs)
{
    drop_whole(b);
    b->module = module;
    FX_TRY(fx__capture(module, b->input, b->n_input, true, &b->capture));
    b->keep = FX_NEW_ARRAY(b->arena, bool, module->graph->next_id + 1);
    b->outs = FX_NEW_ARRAY(b->arena, bool, module->graph->next_id + 1);
    if (!b->keep || !b->outs) return FX_E_OOM;
    want_all(b);
    FX_TRY(fx__cut(module, &b->capture, b->keep, b->outs, &b->cut));
    *out_differs = b->cut.n_out > 0 && fx__trial_differs(&b->trial, &b->cut, false, NULL, &(fx_difference){0});
    return fx__trial_progress(&b->trial, "comparing") ? FX_OK : FX_E_CANCELLED;
}

/* The module as it is, when the interpreter can run it so: its own core form may be what is wrong. */
static fx_module *typed_copy(fx_module *module)
{
    fx_module *copy = fx__interp_mutates(module->graph) ? NULL : fx__cut_copy(module);
    if (copy && fx_graph_propagate(copy->graph) == FX_OK) return copy;
    if (copy) fx_module_free(copy);
    return NULL;
}

typedef enum whole_kind { WHOLE_SIZED, WHOLE_CORE, WHOLE_SOURCE, WHOLE_KINDS } whole_kind;

static fx_status make_whole(fx_bisection *b, fx_module *source, whole_kind kind, fx_module **out)
{
    fx_module *core = NULL;
    *out = NULL;
    if (kind == WHOLE_SOURCE) {
        *out = typed_copy(source);
        return FX_OK;
    }
    FX_TRY(fx_module_core(source, b->input, b->n_input, &core));
    if (kind == WHOLE_CORE || fx__dims_sym_count(core->graph->dims) == 0) {
        *out = kind == WHOLE_CORE && fx__dims_sym_count(core->graph->dims) == 0 ? NULL : core; /* it was tried already */
        if (!*out) fx_module_free(core);
        return FX_OK;
    }
    fx_status status = fx__cut_sizes(core, b->input, b->n_input, out);
    fx_module_free(core);
    return status;
}

/* Nothing differs, or it was not seen for want of memory. */
static fx_status nothing_found(const fx_bisection *b)
{
    return b->trial.out_of_memory ? FX_E_OOM : FX_E_NOT_FOUND;
}

/* Sizes as they are make smaller graphs than symbols; the source is asked last. FX_E_NOT_FOUND: none differs. */
static fx_status find_whole(fx_bisection *b, fx_module *source)
{
    for (int kind = 0; kind < WHOLE_KINDS; kind++) {
        fx_module *module;
        bool differs = false;
        fx_diag_mark mark = fx__diag_mark(source->context);
        fx_status status = make_whole(b, source, (whole_kind)kind, &module);
        if (status == FX_OK && module) status = try_whole(b, module, &differs);
        if (differs) return status;
        if (status == FX_E_OOM || b->trial.cancelled || (status != FX_OK && kind == WHOLE_CORE)) return status;
        fx__diag_rewind(source->context, mark);
    }
    return nothing_found(b);
}

/* ---- The smallest part ----------------------------------------------------------------------------------------------------- */

static fx_status reduce(fx_bisection *b)
{
    FX_TRY(fx__reduce(&b->trial, b->module, &b->capture, b->keep, b->outs));
    fx__cut_free(&b->cut);
    FX_TRY(fx__cut(b->module, &b->capture, b->keep, b->outs, &b->cut));
    b->expected = FX_NEW_ARRAY(b->arena, fx_tensor, b->cut.n_out + 1);
    b->bound = FX_NEW_ARRAY(b->arena, fx_tensor, b->cut.n_out + 1);
    if (!b->expected || !b->bound) return FX_E_OOM;
    FX_TRY(fx__trial_interpret(&b->cut, b->expected, b->bound));
    b->cut.expected = b->expected;
    b->cut.bound = b->bound;
    return FX_OK;
}

const fx_node *fx__bisect_maker(const fx_node *node)
{
    while (node->op == fx__op(FX_OP_getitem) && node->n_inputs == 1 && node->inputs[0]->opcode == FX_CALL_FUNCTION &&
           !fx__capture_has_value(node->inputs[0]))
        node = node->inputs[0];
    return node;
}

const char *fx__bisect_place(fx_arena *arena, const fx_node *node)
{
    const fx_loc *loc = &node->loc;
    const char *line = loc->line > 0 ? fx__arena_format(arena, ":%d", (int)loc->line) : "";
    if (!loc->file || !line) return "";
    return fx__arena_format(arena, "%s%s%s%s", loc->file, line, loc->function ? ", " : "", loc->function ? loc->function : "");
}

static fx_status describe_node(fx_bisection *b)
{
    fx_mismatch *f = &b->found;
    if (!fx__trial_differs(&b->trial, &b->cut, true, &b->output, &f->at)) return nothing_found(b); /* it comes and goes */
    const fx_node *node = fx__bisect_maker(b->cut.output[b->output]);
    const char **nodes = FX_NEW_ARRAY(b->arena, const char *, b->cut.module->graph->n_nodes + 1);
    if (!nodes) return FX_E_OOM;
    FX_EACH_NODE(each, b->cut.module->graph)
    if (fx_node_opcode(each) != FX_PLACEHOLDER && each->opcode != FX_GET_ATTR && each->opcode != FX_OUTPUT)
        nodes[f->n_nodes++] = each->name;
    f->nodes = nodes;
    f->node = node->name;
    f->op = node->op ? fx_op_name(node->op) : node->target;
    f->place = fx__bisect_place(b->arena, node);
    return f->place ? FX_OK : FX_E_OOM;
}

/* ---- Forms, kernels, options ----------------------------------------------------------------------------------------------- */

/* Whether compiling the reduced graph with these options leaves the bounds. */
static bool leaves_bounds(fx_bisection *b, const fx_compile_options *options)
{
    fx_bisect_options alone = {.compile = options};
    fx_trial trial = {.options = &alone, .compile = *options, .context = b->trial.context};
    return fx__trial_differs(&trial, &b->cut, false, NULL, &(fx_difference){0});
}

/* Of two that are both within their bounds, which has moved away from what the interpreter computes. */
static bool first_is_further(const fx_bisection *b)
{
    double right = fx_tensor_get(&b->expected[b->output], b->found.at.element);
    return fabs(b->found.at.actual - right) >= fabs(b->found.at.expected - right);
}

static fx_status find_form(fx_bisection *b)
{
    fx_stage stage;
    fx_mismatch *f = &b->found;
    f->first_is_wrong = !b->options.against || leaves_bounds(b, &b->trial.compile);
    bool second_is_wrong = !f->first_is_wrong && b->options.against && leaves_bounds(b, &b->trial.against);
    bool rounding = b->rounding = b->options.against && !f->first_is_wrong && !second_is_wrong;
    if (rounding) f->first_is_wrong = first_is_further(b);
    const fx_compile_options *side = f->first_is_wrong ? &b->trial.compile : &b->trial.against;
    double ulp = rounding && b->options.ulp > 0 ? b->options.ulp : rounding ? 0 : -1;
    FX_TRY(fx__stage_find(&b->trial, side, &b->cut, ulp, b->arena, &stage));
    f->form = stage.form;
    f->pass = stage.pass;
    f->why = stage.why;
    f->loops = stage.loops;
    return FX_OK;
}

static bool computes(const fx_unit *unit, const char *name)
{
    for (int32_t i = 0; i < unit->n_nodes; i++)
        if (strcmp(fx_node_name(unit->nodes[i]), name) == 0) return true;
    return false;
}

static const char *kernel_text(fx_arena *arena, const fx_explanation *all, const char *name)
{
    for (int32_t i = 0; i < all->n_unit; i++) {
        const fx_unit *unit = &all->unit[i];
        if (!computes(unit, name)) continue;
        if (unit->kernel < 0) return fx__arena_format(arena, "call: %s", unit->label);
        const fx_kernel_info *kernel = &all->kernel[unit->kernel];
        return fx__arena_format(arena, "%s (%s): %s", kernel->name, kernel->emitter, unit->label);
    }
    return "";
}

/* Which kernel of the reduced graph computes the node. */
static fx_status find_kernel(fx_bisection *b)
{
    fx_compiled *compiled;
    fx_explanation *all = NULL;
    const fx_compile_options *side = b->found.first_is_wrong || !b->options.against ? &b->trial.compile : &b->trial.against;
    b->found.kernel = "";
    if (b->found.form < FX_BISECT_PROGRAM) return FX_OK;
    FX_TRY(fx_compile(b->cut.module, b->cut.in, b->cut.n_in, side, &compiled));
    fx_status status = fx_explain(compiled, &all);
    if (status == FX_OK) b->found.kernel = kernel_text(b->arena, all, b->found.node);
    fx_explanation_free(all);
    fx_compiled_free(compiled);
    return status == FX_OK && !b->found.kernel ? FX_E_OOM : status;
}

typedef struct variant {
    const char *text;
    fx_compile_options options;
} variant;

/* Options that make the reduced graph right, each alone. */
static fx_status find_remedies(fx_bisection *b)
{
    const fx_compile_options *side = b->found.first_is_wrong ? &b->trial.compile : &b->trial.against;
    variant variants[] = {{"fusion=off", *side}, {"in_place=off", *side}, {"threads=1", *side}, {"precision=strict", *side}};
    variants[0].options.no_fusion = true;
    variants[1].options.no_in_place = true;
    variants[2].options.threads = 1;
    variants[3].options.precision = FX_PRECISION_STRICT;
    const char *text = "";
    if (b->rounding) side = NULL;
    for (size_t i = 0; side && text && i < sizeof variants / sizeof variants[0]; i++) {
        if (!fx__trial_progress(&b->trial, "forms")) return FX_E_CANCELLED;
        if (!leaves_bounds(b, &variants[i].options))
            text = fx__arena_format(b->arena, "%s%s%s", text, *text ? ", " : "", variants[i].text);
    }
    b->found.without = text;
    return text ? FX_OK : FX_E_OOM;
}

/* ---- All of it ------------------------------------------------------------------------------------------------------------- */

static fx_status copy_options(fx_compile_options *options, fx_arena *arena)
{
    const char **texts[] = {&options->target_triple, &options->target_cpu, &options->target_features};
    for (int i = 0; i < 3; i++) {
        if (!*texts[i]) continue;
        *texts[i] = fx__arena_copy(arena, *texts[i], strlen(*texts[i]));
        if (!*texts[i]) return FX_E_OOM;
    }
    options->progress = NULL; /* dozens of compilations: only the search itself is told of */
    options->dump = 0;
    options->log = NULL;
    return FX_OK;
}

static fx_status begin(fx_bisection *b, fx_module *module, const fx_tensor *inputs, int32_t n_inputs)
{
    const fx_bisect_options *o = &b->options;
    b->trial = (fx_trial){.options = o, .context = module->context};
    if (o->compile) b->trial.compile = *o->compile;
    if (o->against) b->trial.against = *o->against;
    FX_TRY(copy_options(&b->trial.compile, b->arena));
    FX_TRY(copy_options(&b->trial.against, b->arena));
    b->input = FX_NEW_ARRAY(b->arena, fx_tensor, n_inputs + 1);
    if (!b->input) return FX_E_OOM;
    b->n_input = n_inputs;
    return fx__tensors_copy(inputs, n_inputs, b->input);
}

static fx_status bisect(fx_bisection *b, fx_module *module, const fx_tensor *inputs, int32_t n_inputs)
{
    FX_TRY(begin(b, module, inputs, n_inputs));
    FX_TRY(find_whole(b, module));
    FX_TRY(reduce(b));
    FX_TRY(describe_node(b));
    FX_TRY(find_form(b));
    FX_TRY(find_kernel(b));
    return find_remedies(b);
}

fx_status fx_bisect(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, const fx_bisect_options *options, fx_bisection **out)
{
    *out = NULL;
    fx_arena *arena = fx__arena_new(module->context);
    fx_bisection *b = arena ? FX_NEW(arena, fx_bisection) : NULL;
    if (!b) {
        fx__arena_free(arena);
        return FX_E_OOM;
    }
    b->arena = arena;
    if (options) b->options = *options;
    fx_status status = bisect(b, module, inputs, n_inputs);
    if (status == FX_OK) {
        *out = b;
    } else {
        fx_bisection_free(b);
    }
    return status;
}

void fx_bisection_free(fx_bisection *b)
{
    if (!b) return;
    fx__tensors_release(b->expected, b->cut.n_out);
    fx__tensors_release(b->bound, b->cut.n_out);
    drop_whole(b);
    fx__tensors_release(b->input, b->n_input);
    fx__arena_free(b->arena);
}

const fx_mismatch *fx_bisection_mismatch(const fx_bisection *b)
{
    return &b->found;
}

fx_module *fx_bisection_module(const fx_bisection *b)
{
    return b->cut.module;
}
