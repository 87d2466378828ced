/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_nan.c: fx_find_nonfinite: where NaN and infinity arise. Every value of the graph is looked at, interpreted or compiled;
 * one that is worse than all that its node reads has become so there. */
#include "frontend/bisect.h"
#include "ir/in_place.h"
#include <math.h>
#include <string.h>

/* How bad a value is. */
enum { FINITE, HAS_INFINITY, HAS_NAN };

struct fx_nonfinites {
    fx_arena *arena;
    fx_nonfinite *item;
    int32_t n;
};

typedef struct looking {
    const fx_module *core;
    fx_capture capture;
    uint8_t *level; /* [ids] */
    fx_nonfinites *found;
} looking;

/* ---- How bad it is --------------------------------------------------------------------------------------------------------- */

static int level_of_number(double value)
{
    return isnan(value) ? HAS_NAN : isinf(value) ? HAS_INFINITY : FINITE;
}

static int level_of_tensor(const fx_tensor *tensor)
{
    int level = FINITE;
    int64_t n = tensor->data && fx_dtype_is_float(tensor->dtype) ? fx_tensor_elems(tensor) : 0;
    for (int64_t i = 0; i < n && level < HAS_NAN; i++) {
        int one = level_of_number(fx_tensor_get(tensor, i));
        if (one > level) level = one;
    }
    return level;
}

static bool note_constant(void *user, const fx_attr *value)
{
    int *level = user, one = value->kind == FX_ATTR_FLOAT ? level_of_number(value->u.f) : FINITE;
    if (one > *level) *level = one;
    return true;
}

static const fx_tensor *tensor_of(const looking *l, const fx_node *node)
{
    if (node->opcode == FX_GET_ATTR) return fx_module_tensor(l->core, node->target);
    const fx_tensor *value = &l->capture.value[node->id];
    return value->data ? value : NULL;
}

/* Of what it reads. A tuple has the level of what it was made from, so that its parts may be worse. */
static int level_of_operands(const looking *l, const fx_node *node)
{
    int level = FINITE;
    fx_attr_each(&node->args, note_constant, &level);
    fx_attr_each(&node->kwargs, note_constant, &level);
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (l->level[node->inputs[i]->id] > level) level = l->level[node->inputs[i]->id];
    return level;
}

/* ---- What is told ---------------------------------------------------------------------------------------------------------- */

/* The element of an operand that broadcasting puts beside this one of the result. */
static bool value_beside(const fx_tensor *operand, const fx_tensor *result, const int64_t *position, double *out)
{
    int64_t element = 0;
    int32_t shift = result->rank - operand->rank;
    if (shift < 0) return false;
    for (int32_t d = 0; d < operand->rank; d++) {
        if (operand->dim[d] != 1 && operand->dim[d] != result->dim[d + shift]) return false;
        element = element * operand->dim[d] + (operand->dim[d] == 1 ? 0 : position[d + shift]);
    }
    *out = fx_tensor_get(operand, element);
    return true;
}

static void summarise(const fx_tensor *tensor, fx_operand *out)
{
    out->least = out->most = (double)NAN;
    int64_t n = fx_tensor_elems(tensor);
    for (int64_t i = 0; i < n; i++) {
        double value = fx_tensor_get(tensor, i);
        out->n_nan += isnan(value) != 0;
        out->n_inf += isinf(value) != 0;
        if (!isfinite(value)) continue;
        if (!(out->least <= value)) out->least = value;
        if (!(out->most >= value)) out->most = value;
    }
}

static fx_status take_operands(const looking *l, const fx_node *node, const fx_tensor *result, fx_nonfinite *out)
{
    fx_operand *all = FX_NEW_ARRAY(l->found->arena, fx_operand, node->n_inputs + 1);
    if (!all) return FX_E_OOM;
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_tensor *tensor = tensor_of(l, node->inputs[i]);
        fx_operand *operand = &all[out->n_operand];
        if (!tensor) continue;
        *operand = (fx_operand){.name = fx__arena_format(l->found->arena, "%s", node->inputs[i]->name), .dtype = tensor->dtype};
        if (!operand->name) return FX_E_OOM;
        operand->rank = tensor->rank;
        memcpy(operand->dim, tensor->dim, sizeof operand->dim);
        operand->has_value = value_beside(tensor, result, out->position, &operand->value);
        summarise(tensor, operand);
        out->n_operand++;
    }
    out->operand = all;
    return FX_OK;
}

static void find_elements(const fx_tensor *tensor, int level, fx_nonfinite *out)
{
    out->n_of = fx_tensor_elems(tensor);
    out->rank = tensor->rank;
    out->element = -1;
    for (int64_t i = 0; i < out->n_of; i++) {
        if (level_of_number(fx_tensor_get(tensor, i)) != level) continue;
        if (out->element < 0) out->element = i;
        out->n++;
    }
    int64_t rest = out->element;
    for (int32_t d = tensor->rank; d-- > 0; rest /= tensor->dim[d]) out->position[d] = rest % tensor->dim[d];
    out->value = fx_tensor_get(tensor, out->element);
}

static fx_status add(looking *l, const fx_node *node, const fx_tensor *tensor, int level)
{
    fx_arena *arena = l->found->arena;
    const fx_node *maker = fx__bisect_maker(node);
    fx_nonfinite *it = &l->found->item[l->found->n++];
    it->is_nan = level == HAS_NAN;
    find_elements(tensor, level, it);
    it->node = fx__arena_format(arena, "%s", maker->name);
    it->op = maker->op ? fx_op_name(maker->op) : maker->target;
    it->place = fx__bisect_place(arena, maker);
    return it->node && it->place ? take_operands(l, maker, tensor, it) : FX_E_OOM;
}

/* ---- Looking --------------------------------------------------------------------------------------------------------------- */

static fx_status look(looking *l)
{
    const fx_graph *graph = l->core->graph;
    l->level = FX_NEW_ARRAY(l->found->arena, uint8_t, graph->next_id + 1);
    l->found->item = FX_NEW_ARRAY(l->found->arena, fx_nonfinite, graph->n_nodes + 1);
    if (!l->level || !l->found->item) return FX_E_OOM;
    FX_EACH_NODE(node, graph)
    {
        const fx_tensor *tensor = tensor_of(l, node);
        int before = level_of_operands(l, node), level = tensor ? level_of_tensor(tensor) : before;
        bool is_given = node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR;
        l->level[node->id] = (uint8_t)level;
        if (level > before && (!is_given || level == HAS_NAN)) FX_TRY(add(l, node, tensor, level)); /* masks have infinities */
    }
    return FX_OK;
}

/* Values of compiled code, in the place of those that there are. */
static fx_status run_compiled(looking *l, const fx_compile_options *options)
{
    fx_cut cut;
    const fx_graph *graph = l->core->graph;
    bool *keep = FX_NEW_ARRAY(l->found->arena, bool, graph->next_id + 1),
         *outs = FX_NEW_ARRAY(l->found->arena, bool, graph->next_id + 1);
    if (!keep || !outs) return FX_E_OOM;
    FX_EACH_NODE(node, graph) keep[node->id] = outs[node->id] = fx__capture_has_value(node);
    FX_TRY(fx__cut(l->core, &l->capture, keep, outs, &cut));
    fx_tensor *values = FX_NEW_ARRAY(l->found->arena, fx_tensor, cut.n_out + 1);
    fx_status status = values ? fx__trial_native(&cut, options, values) : FX_E_OOM;
    if (status == FX_OK && l->capture.made) fx__tensors_release(l->capture.made, l->capture.n_made);
    for (int32_t i = 0; i < cut.n_out && status == FX_OK; i++) l->capture.value[cut.output[i]->id] = values[i];
    if (status == FX_OK) {
        l->capture.limit = NULL; /* there are none, without bounds */
        l->capture.made = values;
        l->capture.n_made = cut.n_out;
    } else {
        fx__tensors_release(values, cut.n_out);
    }
    fx__cut_free(&cut);
    return status;
}

static fx_status look_at_module(looking *l, const fx_tensor *inputs, int32_t n_inputs, const fx_compile_options *compile,
                                bool compiled)
{
    fx_status status = compiled ? fx__capture_types(l->core, inputs, n_inputs, &l->capture) : FX_E_NOT_FOUND;
    if (status == FX_E_NOT_FOUND) status = fx__capture((fx_module *)(uintptr_t)l->core, inputs, n_inputs, false, &l->capture);
    if (status == FX_OK && compiled) status = run_compiled(l, compile);
    return status == FX_OK ? look(l) : status;
}

fx_status fx_find_nonfinite(fx_module *module, const fx_tensor *inputs, int32_t n_inputs, const fx_compile_options *compile,
                            bool compiled, fx_nonfinites **out)
{
    fx_module *core;
    *out = NULL;
    FX_TRY(fx_module_core(module, inputs, n_inputs, &core));
    fx_arena *arena = fx__arena_new(module->context);
    looking l = {.core = core, .found = arena ? FX_NEW(arena, fx_nonfinites) : NULL};
    fx_status status = FX_E_OOM;
    if (l.found) {
        l.found->arena = arena;
        status = look_at_module(&l, inputs, n_inputs, compile, compiled);
        fx__capture_free(&l.capture);
    }
    fx_module_free(core);
    if (status == FX_OK) {
        *out = l.found;
    } else {
        fx__arena_free(arena);
    }
    return status;
}

int32_t fx_nonfinites_count(const fx_nonfinites *found)
{
    return found->n;
}

const fx_nonfinite *fx_nonfinites_get(const fx_nonfinites *found, int32_t index)
{
    return index >= 0 && index < found->n ? &found->item[index] : NULL;
}

void fx_nonfinites_free(fx_nonfinites *found)
{
    if (found) fx__arena_free(found->arena);
}
