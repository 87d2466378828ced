/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_reduce.c: the smallest graph that still differs. At first with all values as outputs: the first that differs, alone or
 * with what is around it, is often all there is to find. When it is not, for instance because the outputs keep nodes from being
 * fused, the end is cut off by halving: everything behind a node goes, and the values that it read become outputs. Then the
 * beginning, by halving: values of the first nodes become inputs. What is left is reduced as in delta debugging: outputs and
 * nodes go in ever smaller chunks, as long as the difference stays. */
#include "frontend/bisect.h"
#include <string.h>

enum { EXACT_BELOW = 32 }; /* calls of a cut for which bounds are derived anew */

typedef struct reducing {
    fx_trial *trial;
    const fx_module *module;
    const fx_capture *capture;
    fx_arena *arena;
    int32_t n_ids;
    bool *keep, *outs;         /* [ids]: the smallest so far */
    bool *try_keep, *try_outs; /* [ids] */
    const fx_node **list;      /* scratch: the nodes that may go, in order */
    int32_t n_list;
    fx_status status;
} reducing;

static int32_t count(const reducing *r, const bool *set)
{
    int32_t n = 0;
    FX_EACH_NODE(node, r->module->graph) n += set[node->id] && node->opcode != FX_GET_ATTR && node->opcode != FX_PLACEHOLDER;
    return n;
}

static void begin_try(reducing *r)
{
    memcpy(r->try_keep, r->keep, (size_t)r->n_ids * sizeof *r->keep);
    memcpy(r->try_outs, r->outs, (size_t)r->n_ids * sizeof *r->outs);
}

/* Whether the tried cut differs. *out_node (may be NULL): the first that does. */
static bool try_differs(reducing *r, const char *phase, const fx_node **out_node)
{
    fx_cut cut;
    int32_t output = 0;
    if (r->status != FX_OK) return false;
    if (!fx__trial_progress(r->trial, phase)) r->status = FX_E_CANCELLED;
    if (r->status != FX_OK) return false;
    fx_diag_mark mark = fx__diag_mark(r->trial->context);
    fx_status status = fx__cut(r->module, r->capture, r->try_keep, r->try_outs, &cut);
    if (status == FX_E_OOM) r->status = status;
    if (status != FX_OK) fx__diag_rewind(r->trial->context, mark);
    if (status != FX_OK) return false;
    bool bad = fx__trial_differs(r->trial, &cut, count(r, r->try_keep) <= EXACT_BELOW, &output, &(fx_difference){0});
    if (bad && out_node) *out_node = cut.output[output];
    fx__cut_free(&cut);
    return bad;
}

/* Then it is the smallest so far. */
static bool differs(reducing *r, const char *phase)
{
    if (!try_differs(r, phase, NULL)) return false;
    memcpy(r->keep, r->try_keep, (size_t)r->n_ids * sizeof *r->keep);
    memcpy(r->outs, r->try_outs, (size_t)r->n_ids * sizeof *r->outs);
    return true;
}

/* ---- One node -------------------------------------------------------------------------------------------------------------- */

/* The node with what it needs, and what that needs, so many steps back. */
static void keep_around(reducing *r, const fx_node *node, int steps)
{
    r->try_keep[node->id] = true;
    for (int32_t i = 0; i < node->n_inputs && steps > 0; i++) keep_around(r, node->inputs[i], steps - 1);
}

/* False: it has to be searched for. */
static bool is_one_node(reducing *r)
{
    enum { STEPS = 3 };
    const fx_node *node = NULL;
    begin_try(r);
    FX_EACH_NODE(each, r->module->graph)
    if (r->keep[each->id] && fx__capture_has_value(each)) r->try_outs[each->id] = true;
    if (!try_differs(r, "first node", &node)) return false;
    for (int steps = 0; steps < STEPS && r->status == FX_OK; steps++) {
        memset(r->try_keep, 0, (size_t)r->n_ids * sizeof *r->keep);
        memset(r->try_outs, 0, (size_t)r->n_ids * sizeof *r->outs);
        r->try_outs[node->id] = true;
        keep_around(r, node, steps);
        if (differs(r, "fewer nodes")) return true;
    }
    return false;
}

/* ---- The end --------------------------------------------------------------------------------------------------------------- */

/* Nodes that may be the last one. */
static void list_kept(reducing *r)
{
    r->n_list = 0;
    FX_EACH_NODE(node, r->module->graph)
    if (r->keep[node->id] && fx__capture_has_value(node)) r->list[r->n_list++] = node;
}

/* Used behind the last node, by a call that is kept or as an output. */
static bool is_alive(const reducing *r, const fx_node *node, const fx_node *last)
{
    if (r->outs[node->id]) return true;
    for (int32_t i = 0; i < node->n_users; i++)
        if (r->keep[node->users[i]->id] && !fx_node_is_before(node->users[i], last) && node->users[i] != last) return true;
    return false;
}

static bool differs_until(reducing *r, const fx_node *last)
{
    begin_try(r);
    memset(r->try_outs, 0, (size_t)r->n_ids * sizeof *r->outs);
    for (int32_t i = 0; i < r->n_list; i++) {
        const fx_node *node = r->list[i];
        bool before = node == last || fx_node_is_before(node, last);
        r->try_outs[node->id] = before && (node == last || is_alive(r, node, last));
    }
    FX_EACH_NODE(node, r->module->graph)
    if (node != last && fx_node_is_before(last, node)) r->try_keep[node->id] = false;
    return differs(r, "first node");
}

/* keep and outs shrink whenever the cut differs, so that later ones are parts of earlier ones. */
static void cut_end(reducing *r)
{
    int32_t lo = 0, hi;
    list_kept(r);
    hi = r->n_list - 1; /* differs with all; nothing is known of those before lo but that they do not */
    while (lo < hi && r->status == FX_OK) {
        int32_t middle = lo + (hi - lo) / 2;
        if (differs_until(r, r->list[middle])) {
            hi = middle;
        } else {
            lo = middle + 1;
        }
    }
}

/* ---- The beginning --------------------------------------------------------------------------------------------------------- */

static bool differs_without_first(reducing *r, int32_t n)
{
    begin_try(r);
    for (int32_t i = 0; i < n; i++)
        if (!r->outs[r->list[i]->id]) r->try_keep[r->list[i]->id] = false;
    return differs(r, "fewer nodes");
}

static void cut_beginning(reducing *r)
{
    int32_t lo = 0, hi;
    list_kept(r);
    hi = r->n_list; /* without the first lo it differs, without hi it does not */
    while (lo + 1 < hi && r->status == FX_OK) {
        int32_t middle = lo + (hi - lo) / 2;
        if (differs_without_first(r, middle)) {
            lo = middle;
        } else {
            hi = middle;
        }
    }
}

/* ---- What is left ---------------------------------------------------------------------------------------------------------- */

static bool differs_without(reducing *r, bool outputs, int32_t from, int32_t to)
{
    bool any = false;
    begin_try(r);
    bool *set = outputs ? r->try_outs : r->try_keep;
    for (int32_t i = from; i < to; i++) {
        int32_t id = r->list[i]->id;
        any |= set[id];
        set[id] = false;
    }
    return any && count(r, r->try_outs) > 0 && differs(r, "fewer nodes");
}

static void list_outputs(reducing *r)
{
    r->n_list = 0;
    FX_EACH_NODE(node, r->module->graph)
    if (r->outs[node->id]) r->list[r->n_list++] = node;
}

static void list_inner(reducing *r)
{
    r->n_list = 0;
    FX_EACH_NODE(node, r->module->graph)
    if (r->keep[node->id] && !r->outs[node->id] && fx__capture_has_value(node)) r->list[r->n_list++] = node;
}

/* Removes chunks until no single one can go. *out_any: something went. */
static void remove_chunks(reducing *r, bool outputs, bool *out_any)
{
    (outputs ? list_outputs : list_inner)(r);
    for (int32_t size = (r->n_list + 1) / 2; size > 0 && r->status == FX_OK; size = size == 1 ? 0 : (size + 1) / 2)
        for (int32_t from = 0; from < r->n_list; from += size)
            *out_any |= differs_without(r, outputs, from, from + size < r->n_list ? from + size : r->n_list);
}

static void remove_rest(reducing *r)
{
    for (bool any = true; any && r->status == FX_OK;) {
        any = false;
        remove_chunks(r, true, &any);
        remove_chunks(r, false, &any);
    }
}

fx_status fx__reduce(fx_trial *trial, const fx_module *module, const fx_capture *capture, bool *keep, bool *outs)
{
    reducing r = {.trial = trial, .module = module, .capture = capture, .keep = keep, .outs = outs, .n_ids = module->graph->next_id};
    r.arena = fx__arena_new(trial->context);
    if (!r.arena) return FX_E_OOM;
    r.try_keep = FX_NEW_ARRAY(r.arena, bool, r.n_ids + 1);
    r.try_outs = FX_NEW_ARRAY(r.arena, bool, r.n_ids + 1);
    r.list = FX_NEW_ARRAY(r.arena, const fx_node *, module->graph->n_nodes + 1);
    if (r.try_keep && r.try_outs && r.list) {
        trial->percent = 10;
        bool is_one = is_one_node(&r);
        trial->percent = 20;
        if (!is_one) cut_end(&r);
        trial->percent = 40;
        if (!is_one) cut_beginning(&r);
        trial->percent = 60;
        remove_rest(&r);
        trial->percent = 80;
    } else {
        r.status = FX_E_OOM;
    }
    fx__arena_free(r.arena);
    return r.status;
}
