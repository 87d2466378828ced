/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_part.c: fx_find_parting: where two graphs of one model part. Both are interpreted with all their values; a value that
 * the other graph has too, under the same name or any other, is matched. From the first wrong output one goes back over values
 * without a match; where one of these reads matched values only, the graphs part. */
#include "frontend/bisect.h"
#include <math.h>
#include <string.h>

typedef struct side {
    fx_module *core;
    fx_capture capture;
    fx_tensor *in;
    int32_t n_in;
    const fx_node **match; /* [ids]: of the other graph */
    bool *lost;            /* [ids]: without a match, on the way to the wrong output */
} side;

typedef struct parting {
    fx_context *context;
    fx_arena *arena;
    double ulp;
    side a, b;
    fx_parting *found;
} parting;

/* ---- Inputs and outputs: by name, else by place ---------------------------------------------------------------------------- */

static int32_t place_of_input(const fx_module *module, const char *name, int32_t otherwise)
{
    for (int32_t i = 0; i < fx_module_input_count(module); i++)
        if (strcmp(fx_module_input_name(module, i), name) == 0) return i;
    return otherwise;
}

static int32_t place_of_output(const fx_module *module, const char *name, int32_t otherwise)
{
    for (int32_t i = 0; i < fx_module_output_count(module); i++)
        if (strcmp(fx_module_output_name(module, i), name) == 0) return i;
    return otherwise;
}

static fx_status share_inputs(parting *p, fx_module *a, fx_module *b, const fx_tensor *inputs, int32_t n)
{
    if (fx_module_input_count(b) != n || fx_module_input_count(a) != n || fx_module_output_count(a) != fx_module_output_count(b))
        return fx__diag(p->context, FX_E_ARG, NULL, "the modules have %d and %d inputs, %d and %d outputs; %d inputs were given",
                        (int)fx_module_input_count(a), (int)fx_module_input_count(b), (int)fx_module_output_count(a),
                        (int)fx_module_output_count(b), (int)n);
    p->a.in = FX_NEW_ARRAY(p->arena, fx_tensor, n + 1);
    p->b.in = FX_NEW_ARRAY(p->arena, fx_tensor, n + 1);
    if (!p->a.in || !p->b.in) return FX_E_OOM;
    for (int32_t i = 0; i < n; i++) {
        p->a.in[i] = inputs[i];
        p->b.in[i] = inputs[place_of_input(a, fx_module_input_name(b, i), i)];
    }
    p->a.n_in = p->b.n_in = n;
    return FX_OK;
}

static fx_status run_side(parting *p, side *s, fx_module *module)
{
    FX_TRY(fx_module_core(module, s->in, s->n_in, &s->core));
    FX_TRY(fx__capture(s->core, s->in, s->n_in, true, &s->capture));
    s->match = FX_NEW_ARRAY(p->arena, const fx_node *, s->core->graph->next_id + 1);
    s->lost = FX_NEW_ARRAY(p->arena, bool, s->core->graph->next_id + 1);
    return s->match && s->lost ? FX_OK : FX_E_OOM;
}

/* ---- Values ---------------------------------------------------------------------------------------------------------------- */

static const fx_tensor *value_of(const side *s, const fx_node *node)
{
    if (node->opcode == FX_GET_ATTR) return fx_module_tensor(s->core, node->target);
    const fx_tensor *value = &s->capture.value[node->id];
    return value->data ? value : NULL;
}

/* The other graph's value may be off by its bound, too. Where nothing is bounded, only equal values agree. */
static bool agrees_within(const parting *p, const fx_tensor *x, const fx_tensor *y, const fx_tensor *x_bound,
                          const fx_tensor *y_bound, fx_difference *out)
{
    fx_tensor sum;
    if (fx_tensor_alloc(FX_F64, y->rank, y->dim, &sum) != FX_OK) return false;
    for (int64_t i = 0; i < fx_tensor_elems(&sum); i++) {
        double bound = (x_bound->data ? fx_tensor_get(x_bound, i) : 0) + (y_bound->data ? fx_tensor_get(y_bound, i) : 0);
        fx_tensor_set(&sum, i, isfinite(bound) ? bound : 0);
    }
    bool agrees = fx_tensor_agrees(x, y, &sum, p->ulp, out);
    fx_tensor_release(&sum);
    return agrees;
}

/* The first element that is not equal: most values that are not the same are told apart there. */
static bool is_near(const fx_tensor *x_bound, const fx_tensor *y_bound, const fx_difference *at)
{
    double x = x_bound->data ? fx_tensor_get(x_bound, at->element) : 0, y = y_bound->data ? fx_tensor_get(y_bound, at->element) : 0;
    return fabs(at->actual - at->expected) <= 2 * (x + y) + fabs(at->expected) * 0x1p-7 || !isfinite(at->actual - at->expected);
}

/* out NULL: whether is enough. */
static bool agree(const parting *p, const fx_node *a, const fx_node *b, fx_difference *out)
{
    const fx_tensor *x = value_of(&p->a, a), *y = value_of(&p->b, b);
    fx_difference unused;
    bool wanted = out != NULL;
    if (!out) out = &unused;
    if (!x || !y || !x->data || !y->data) return false;
    if (fx_tensor_agrees(x, y, NULL, p->ulp > 0 ? p->ulp : 0, out)) return true;
    if (!out->same_type || p->ulp >= 0) return false;
    const fx_tensor *x_bound = &p->a.capture.bound[a->id], *y_bound = &p->b.capture.bound[b->id];
    if (!wanted && !is_near(x_bound, y_bound, out)) return false;
    return agrees_within(p, x, y, x_bound, y_bound, out);
}

static bool is_value(const fx_node *node)
{
    return node->opcode == FX_PLACEHOLDER || node->opcode == FX_GET_ATTR || fx__capture_has_value(node);
}

static void match(parting *p, const fx_node *a, const fx_node *b)
{
    if (!p->a.match[a->id]) p->a.match[a->id] = b;
    if (!p->b.match[b->id]) p->b.match[b->id] = a;
}

static void match_by_name(parting *p)
{
    FX_EACH_NODE(a, p->a.core->graph)
    {
        const fx_node *b = is_value(a) ? fx_graph_find(p->b.core->graph, a->name) : NULL;
        if (b && is_value(b) && agree(p, a, b, NULL)) match(p, a, b);
    }
}

/* Those without a match on either side. */
static void match_by_value(parting *p)
{
    FX_EACH_NODE(a, p->a.core->graph)
    FX_EACH_NODE(b, p->b.core->graph)
    {
        bool open = !p->a.match[a->id] || !p->b.match[b->id];
        bool same_kind = (a->opcode == FX_PLACEHOLDER) == (b->opcode == FX_PLACEHOLDER);
        if (open && same_kind && is_value(a) && is_value(b) && agree(p, a, b, NULL)) match(p, a, b);
    }
}

/* ---- Where they part ------------------------------------------------------------------------------------------------------- */

typedef struct output_at {
    int32_t index;
    const fx_node *node;
} output_at;

static bool visit_output(void *user, const fx_attr *value)
{
    output_at *at = user;
    if (value->kind == FX_ATTR_NODE && at->index-- == 0) at->node = value->u.node;
    return !at->node;
}

static const fx_node *output_node(const fx_module *module, int32_t index)
{
    output_at at = {.index = index};
    const fx_node *output = fx_graph_output_node(module->graph);
    if (output) fx_attr_each(&output->args, visit_output, &at);
    return at.node;
}

/* Whether everything the node reads is there in the other graph; weights may lie there in another order. */
static bool reads_matched(const side *s, const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (s->lost[node->inputs[i]->id]) return false;
    return true;
}

/* Back from the wrong output over what has no match; the first of these, in order, that reads nothing of the kind. */
static const fx_node *find_first(side *s, const fx_node *output)
{
    s->lost[output->id] = true;
    for (const fx_node *node = output; node; node = node->prev) {
        for (int32_t i = 0; i < node->n_inputs && s->lost[node->id]; i++) {
            const fx_node *input = node->inputs[i];
            bool computed = input->opcode != FX_PLACEHOLDER && input->opcode != FX_GET_ATTR;
            if (computed && !s->match[input->id]) s->lost[input->id] = true;
        }
    }
    FX_EACH_NODE(node, s->core->graph)
    if (s->lost[node->id] && reads_matched(s, node)) return node;
    return output;
}

static const char *list_reads(parting *p, const fx_node *node)
{
    const char *text = "";
    for (int32_t i = 0; i < node->n_inputs && text; i++) {
        const fx_node *input = node->inputs[i], *there = p->a.match[input->id];
        const char *comma = *text ? ", " : "";
        text = there ? fx__arena_format(p->arena, "%s%s%s = %s", text, comma, input->name, there->name)
                     : fx__arena_format(p->arena, "%s%s%s, which the other has not", text, comma, input->name);
    }
    return text;
}

static const char *op_of(const fx_node *node)
{
    return node->op ? fx_op_name(node->op) : node->target;
}

static fx_status tell(parting *p, const fx_node *a, const fx_node *b)
{
    fx_difference at;
    fx_parting *f = p->found;
    f->node = fx__arena_format(p->arena, "%s", a->name);
    f->op = op_of(a);
    f->place = fx__bisect_place(p->arena, a);
    f->other = fx__arena_format(p->arena, "%s", b->name);
    f->other_op = op_of(b);
    f->other_place = fx__bisect_place(p->arena, b);
    f->read = list_reads(p, a);
    if (is_value(a) && is_value(b) && !agree(p, a, b, &at) && at.same_type && at.element >= 0) {
        f->at = at;
        f->at_output = false;
    }
    return f->node && f->place && f->other && f->other_place && f->read ? FX_OK : FX_E_OOM;
}

static void count_matches(parting *p)
{
    FX_EACH_NODE(node, p->a.core->graph)
    {
        if (!fx__capture_has_value(node)) continue;
        p->found->n_nodes++;
        p->found->n_matched += p->a.match[node->id] != NULL;
    }
}

static void match_all(parting *p)
{
    match_by_name(p);
    match_by_value(p);
    count_matches(p);
}

/* Whether both are the same operator of the same values, constants aside. */
static bool reads_the_same(const parting *p, const fx_node *a, const fx_node *b)
{
    bool any = false;
    if (!a->op || a->op != b->op || a->n_inputs != b->n_inputs) return false;
    for (int32_t i = 0; i < a->n_inputs; i++) {
        const fx_node *x = a->inputs[i], *y = b->inputs[i];
        if (x->opcode == FX_GET_ATTR && y->opcode == FX_GET_ATTR) continue;
        if (p->a.match[x->id] != y && p->b.match[y->id] != x) return false;
        any = true;
    }
    return any;
}

/* The same operator of the same values whose result neither of the graphs has in the other one: a weight is another, though too
 * little to show in the outputs. */
static fx_status find_inside(parting *p)
{
    fx_difference at;
    match_all(p);
    FX_EACH_NODE(a, p->a.core->graph)
    FX_EACH_NODE(b, p->b.core->graph)
    {
        if (p->a.match[a->id] || p->b.match[b->id] || !fx__capture_has_value(a) || !fx__capture_has_value(b)) continue;
        if (reads_the_same(p, a, b) && !agree(p, a, b, &at) && at.same_type && at.element >= 0) return tell(p, a, b);
    }
    return FX_OK;
}

static fx_status find_first_output(parting *p, fx_module *a, fx_module *b)
{
    p->found->agrees = true;
    for (int32_t i = 0; i < fx_module_output_count(a); i++) {
        const char *name = fx_module_output_name(a, i);
        const fx_node *x = output_node(p->a.core, i), *y = output_node(p->b.core, place_of_output(b, name, i));
        if (!x || !y || agree(p, x, y, &p->found->at)) continue;
        if (!p->found->at.same_type)
            return fx__diag(p->context, FX_E_ARG, NULL, "output \"%s\" has another type in the other model", name);
        p->found->agrees = false;
        p->found->at_output = true;
        p->found->output = fx__arena_format(p->arena, "%s", name);
        match_all(p);
        return tell(p, find_first(&p->a, x), find_first(&p->b, y));
    }
    return find_inside(p);
}

static fx_status find(parting *p, fx_module *a, fx_module *b, const fx_tensor *inputs, int32_t n_inputs)
{
    FX_TRY(share_inputs(p, a, b, inputs, n_inputs));
    FX_TRY(run_side(p, &p->a, a));
    FX_TRY(run_side(p, &p->b, b));
    return find_first_output(p, a, b);
}

static void free_side(side *s)
{
    fx__capture_free(&s->capture);
    if (s->core) fx_module_free(s->core);
}

fx_status fx_find_parting(fx_module *a, fx_module *b, const fx_tensor *inputs, int32_t n_inputs, double ulp, fx_parting **out)
{
    *out = NULL;
    parting p = {.context = a->context, .arena = fx__arena_new(a->context), .ulp = ulp};
    p.found = p.arena ? FX_NEW(p.arena, fx_parting) : NULL;
    fx_status status = p.found ? find(&p, a, b, inputs, n_inputs) : FX_E_OOM;
    free_side(&p.a);
    free_side(&p.b);
    if (status == FX_OK) {
        p.found->memory = p.arena;
        *out = p.found;
    } else {
        fx__arena_free(p.arena);
    }
    return status;
}

void fx_parting_free(fx_parting *it)
{
    if (it) fx__arena_free(it->memory);
}
