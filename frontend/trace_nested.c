/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/trace_nested.c: arguments of a traced function that are specialised or nested, as torch.fx's concrete_args, and nested
 * outputs. Inputs are named as torch.fx names them, and what a specialised one must be is asserted in torch.fx's words. */
#include "frontend/json.h"
#include "frontend/scope.h"
#include <string.h>

enum { DEEPEST = 64 };

static bool is_container(const fx_nest *nest)
{
    return nest->kind >= FX_NEST_IS_LIST;
}

/* ---- Nesting as JSON --------------------------------------------------------------------------------------------------------- */

static bool has_key(const fx_nest *items, int32_t n, const char *key)
{
    for (int32_t i = 0; i < n; i++)
        if (strcmp(items[i].key, key) == 0) return true;
    return false;
}

/* A key that is no UTF-8, or is there twice, is an error. */
static bool put_key(fx_text *text, const fx_nest *dict, int32_t index)
{
    const char *key = dict->items[index].key;
    if (!key || has_key(dict->items, index, key) || !fx__json_put_text(text, key)) return false;
    fx__text_append(text, ":");
    return true;
}

static bool put_spec(fx_text *text, const fx_nest *nest, int depth)
{
    static const char *const word[] = {[FX_NEST_IS_LIST] = "list", [FX_NEST_IS_TUPLE] = "tuple", [FX_NEST_IS_DICT] = "dict"};
    if (!is_container(nest)) return fx__text_append(text, "{\"leaf\":true}"), true;
    bool is_dict = nest->kind == FX_NEST_IS_DICT, good = depth < DEEPEST;
    fx__text_append(text, "{\"%s\":%c", word[nest->kind], is_dict ? '{' : '[');
    for (int32_t i = 0; i < nest->n && good; i++) {
        if (i) fx__text_append(text, ",");
        if (is_dict) good = put_key(text, nest, i);
        good = good && put_spec(text, &nest->items[i], depth + 1);
    }
    fx__text_append(text, "%c}", is_dict ? '}' : ']');
    return good;
}

static fx_status note_argument(fx_scope *scope, const fx_nest *nest, const char *name)
{
    if (scope->arguments.data) fx__text_append(&scope->arguments, ",");
    scope->is_nested = scope->is_nested || is_container(nest);
    if (put_spec(&scope->arguments, nest, 0)) return FX_OK;
    return fx__diag(scope->context, FX_E_ARG, NULL, "argument `%s`: an item of a dict without a key of its own in UTF-8, or nested too deep", name);
}

void fx__scope_note_leaf(fx_scope *scope)
{
    const fx_nest leaf = {.kind = FX_NEST_IS_INPUT};
    note_argument(scope, &leaf, "");
}

static fx_status keep_text(fx_scope *scope, fx_text *text, const char **out)
{
    char *whole = fx__text_finish(text);
    *out = whole ? fx__intern(scope->context, whole) : NULL;
    fx_text_free(whole);
    return *out ? FX_OK : FX_E_OOM;
}

fx_status fx__scope_set_in_spec(fx_scope *scope)
{
    if (!scope->is_nested) return FX_OK;
    fx_text text;
    fx__text_init(&text, scope->context);
    fx__text_append(&text, "{\"tuple\":[%s]}", scope->arguments.data ? scope->arguments.data : "");
    if (scope->arguments.failed) text.failed = true;
    return keep_text(scope, &text, &scope->graph->in_spec);
}

/* ---- Arguments --------------------------------------------------------------------------------------------------------------- */

typedef struct arguments {
    fx_scope *scope;
    fx_graph *graph;
    const char *name;
    fx_value *leaves;
    int32_t n, at;
} arguments;

/* What a tensor must be to stand for the constant. */
static bool type_of_constant(const fx_attr *constant, fx_type *out)
{
    *out = (fx_type){0};
    switch (constant->kind) {
    case FX_ATTR_NONE:
        out->rank = 1;
        out->dtype = FX_BOOL;
        return true;
    case FX_ATTR_BOOL:
        out->dtype = FX_BOOL;
        return true;
    case FX_ATTR_INT:
        out->dtype = FX_I64;
        return true;
    case FX_ATTR_FLOAT:
        out->dtype = FX_F64;
        return true;
    default:
        return false;
    }
}

static fx_attr message_of(const arguments *a, const fx_attr *constant)
{
    fx_text text;
    fx__text_init(&text, a->scope->context);
    fx__text_append(&text, "%s has been specialized to have value ", a->name);
    fx__attr_print(&text, a->graph, constant);
    fx__text_append(&text, " but got another value");
    char *words = fx__text_finish(&text);
    fx_attr message = words ? fx_str(a->graph, words) : fx_none();
    fx_text_free(words);
    return message;
}

static fx_status assert_equal(const arguments *a, fx_node *input, const fx_attr *constant, fx_attr message)
{
    fx_node *equal = fx_graph_call(a->graph, "operator.eq", (fx_attr[]){fx_node_attr(input), *constant}, 2);
    if (!equal) return FX_E_OOM;
    FX_TRY(fx__op_infer(equal));
    fx_node *held = fx_graph_call(a->graph, "torch._assert", (fx_attr[]){fx_node_attr(equal), message}, 2);
    return held ? fx__op_infer(held) : FX_E_OOM;
}

static fx_status add_constant(const arguments *a, fx_node *input, const fx_attr *constant)
{
    fx_attr message = message_of(a, constant);
    if (message.kind != FX_ATTR_STR) return FX_E_OOM;
    if (constant->kind != FX_ATTR_NONE) return assert_equal(a, input, constant, message);
    const fx_attr args[] = {fx_node_attr(input), message};
    return fx_graph_call(a->graph, "torch.fx._symbolic_trace._assert_is_none", args, 2) ? FX_OK : FX_E_OOM;
}

static fx_status add_leaf(arguments *a, const fx_nest *leaf)
{
    fx_type type;
    bool is_constant = leaf->kind == FX_NEST_IS_CONSTANT;
    if (leaf->kind == FX_NEST_IS_VALUE)
        return fx__diag(a->scope->context, FX_E_ARG, NULL, "argument `%s`: a value stands where an input is made", a->name);
    if (is_constant && !type_of_constant(&leaf->constant, &type))
        return fx__diag(a->scope->context, FX_E_UNSUPPORTED, NULL,
                        "argument `%s`: no tensor stands for such a constant; make it part of the function instead", a->name);
    const char *name = fx__arena_format(a->graph->arena, "%s_%d", a->name, (int)a->at + 1);
    fx_node *input = name ? fx_graph_placeholder(a->graph, name, is_constant ? &type : leaf->type) : NULL;
    if (!input) return fx__diag_failure(a->scope->context, FX_E_GRAPH);
    fx_value *out = &a->leaves[a->at++];
    if (is_constant) return add_constant(a, input, &leaf->constant);
    *out = fx__scope_add(a->scope, &(fx_scope_entry){.node = input});
    return fx_value_ok(*out) ? FX_OK : FX_E_OOM;
}

static fx_status add_leaves(arguments *a, const fx_nest *nest)
{
    if (!is_container(nest)) return add_leaf(a, nest);
    for (int32_t i = 0; i < nest->n; i++) FX_TRY(add_leaves(a, &nest->items[i]));
    return FX_OK;
}

static int32_t count_leaves(const fx_nest *nest)
{
    int32_t n = 0;
    if (!is_container(nest)) return 1;
    for (int32_t i = 0; i < nest->n; i++) n += count_leaves(&nest->items[i]);
    return n;
}

fx_status fx_trace_argument(fx_scope *scope, const char *name, const fx_nest *nest, fx_value *leaves, int32_t n_leaves)
{
    for (int32_t i = 0; i < n_leaves; i++) leaves[i] = FX_NO_VALUE;
    if (!scope) return FX_E_ARG;
    if (!scope->tracing || !name || !nest)
        return fx__diag(scope->context, FX_E_ARG, NULL, "argument `%s`: %s", name ? name : "",
                        scope->tracing ? "it needs a name and a form" : "an eager scope has no inputs; use fx_value_from");
    FX_TRY(note_argument(scope, nest, name));
    int32_t n = count_leaves(nest);
    if (n != n_leaves)
        return fx__diag(scope->context, FX_E_ARG, NULL, "argument `%s` has %d leaves, %d are asked for", name, (int)n,
                        (int)n_leaves);
    arguments a = {scope, scope->graph, name, leaves, n, 0};
    return add_leaves(&a, nest);
}

/* ---- Outputs ----------------------------------------------------------------------------------------------------------------- */

typedef struct flat {
    fx_scope *scope;
    fx_attr *item;
    int32_t n;
} flat;

static fx_status leaf_value(const fx_scope *scope, const fx_nest *leaf, int32_t index, fx_attr *out)
{
    fx_scope_entry *it = leaf->kind == FX_NEST_IS_VALUE ? fx__scope_entry(leaf->value) : NULL;
    if (leaf->kind == FX_NEST_IS_CONSTANT) return *out = leaf->constant, FX_OK;
    if (!it || leaf->value.scope != scope)
        return fx__diag(scope->context, FX_E_ARG, NULL, "leaf %d of the output of module `%s` is not a value of this trace",
                        (int)index, fx_module_name(scope->module));
    *out = fx_node_attr(it->node);
    return FX_OK;
}

/* The value of `nest`; its leaves go to *f, too. */
static fx_status build(flat *f, const fx_nest *nest, fx_attr *out)
{
    fx_graph *graph = f->scope->graph;
    if (!is_container(nest)) {
        FX_TRY(leaf_value(f->scope, nest, f->n, out));
        f->item[f->n++] = *out;
        return FX_OK;
    }
    fx_attr *items = FX_NEW_ARRAY(graph->arena, fx_attr, nest->n + 1);
    const char **keys = FX_NEW_ARRAY(graph->arena, const char *, nest->n + 1);
    if (!items || !keys) return FX_E_OOM;
    for (int32_t i = 0; i < nest->n; i++) {
        keys[i] = nest->items[i].key;
        FX_TRY(build(f, &nest->items[i], &items[i]));
    }
    *out = nest->kind == FX_NEST_IS_DICT   ? fx_dict(graph, keys, items, nest->n)
           : nest->kind == FX_NEST_IS_LIST ? fx_list(graph, items, nest->n)
                                           : fx_tuple(graph, items, nest->n);
    return out->kind == FX_ATTR_NONE ? FX_E_OOM : FX_OK;
}

static fx_status set_output(fx_scope *scope, const fx_nest *output)
{
    fx_graph *graph = scope->graph;
    fx_text spec;
    fx_attr value;
    if (fx__scope_failed(scope)) return fx_context_status(scope->context);
    fx__text_init(&spec, scope->context);
    bool good = put_spec(&spec, output, 0);
    fx_status status = keep_text(scope, &spec, &graph->out_spec);
    if (!good) return fx__diag(scope->context, FX_E_ARG, NULL, "the output: an item of a dict without a key of its own in UTF-8, or nested too deep");
    flat f = {scope, FX_NEW_ARRAY(graph->arena, fx_attr, count_leaves(output) + 1), 0};
    if (status != FX_OK || !f.item) return FX_E_OOM;
    FX_TRY(build(&f, output, &value));
    if (scope->is_nested)
        value = fx_list(graph, f.item, f.n);
    else
        graph->out_spec = NULL;
    return fx_graph_output(graph, value) ? FX_OK : fx__diag_failure(scope->context, FX_E_GRAPH);
}

fx_status fx_trace_finish_nested(fx_scope *scope, const fx_nest *output, fx_module **out)
{
    *out = NULL;
    if (!scope) return FX_E_OOM;
    return fx__scope_end(scope, set_output(scope, output), out);
}
