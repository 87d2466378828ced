/* SPDX-License-Identifier: Apache-2.0 */
/* ir/graph.c: graphs: their symbols, and making, finding and erasing nodes. Erased nodes stay in memory until the graph is freed.
 */
#include "ir/graph.h"
#include "ir/op.h"
#include <string.h>

fx_graph *fx_graph_new(fx_context *context)
{
    fx_graph *graph = fx__alloc(context, sizeof *graph);
    if (!graph) return NULL;
    graph->context = context;
    graph->arena = fx__arena_new(context);
    graph->dims = graph->arena ? fx__dims_new(context) : NULL;
    graph->names = graph->dims ? fx__names_new(graph->arena) : NULL;
    if (graph->names) return graph;
    fx_graph_free(graph);
    return NULL;
}

void fx_graph_free(fx_graph *graph)
{
    if (!graph) return;
    for (fx_graph *region = graph->regions, *next; region; region = next) {
        next = region->next_region;
        fx_graph_free(region);
    }
    if (graph->own_module) {
        graph->own_module = false;
        graph->module->graph = NULL;
        fx_module_free(graph->module);
    }
    if (graph->dims) fx__dims_free(graph->dims);
    fx__arena_free(graph->arena);
    fx__free(graph->context, graph);
}

fx_context *fx_graph_context(const fx_graph *graph)
{
    return graph->context;
}
fx_module *fx_graph_module(const fx_graph *graph)
{
    return graph->module;
}
fx_node *fx_graph_first(const fx_graph *graph)
{
    return graph->first;
}
fx_node *fx_graph_last(const fx_graph *graph)
{
    return graph->last;
}
int32_t fx_graph_size(const fx_graph *graph)
{
    return graph->n_nodes;
}

void fx__graph_adopt(fx_graph *graph, fx_graph *region)
{
    region->parent = graph;
    region->next_region = graph->regions;
    graph->regions = region;
}

/* ---- Symbols ----------------------------------------------------------------------------------------------------------- */

static bool symbol_exists(fx_graph *graph, const char *name)
{
    for (int32_t i = 0; i < fx__dims_sym_count(graph->dims); i++)
        if (strcmp(fx__dims_sym(graph->dims, i)->name, name) == 0) return true;
    return false;
}

/* Symbols stand in expressions, so their names are identifiers; a name of a file that is none gets a near one of its own. */
static const char *symbol_name(fx_graph *graph, const char *name)
{
    if (fx__text_is_identifier(name)) {
        if (!symbol_exists(graph, name)) return fx__intern(graph->context, name);
        fx__diag(graph->context, FX_E_ARG, NULL, "symbol %s exists already", name);
        return NULL;
    }
    char *plain = fx__arena_format(graph->arena, "s_%s", name);
    for (char *at = plain; at && *at; at++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", *at)) *at = '_';
    const char *unused = plain;
    for (int i = 1; unused && symbol_exists(graph, unused); i++) unused = fx__arena_format(graph->arena, "%s_%d", plain, i);
    return unused ? fx__intern(graph->context, unused) : NULL;
}

fx_dim fx_graph_symbol(fx_graph *graph, const char *name, int64_t lo, int64_t hi, int64_t hint, int64_t multiple)
{
    fx_sym sym = {.lo = lo, .hi = hi, .hint = hint, .multiple = multiple, .input = -1};
    if (lo < 0 || hi < lo || hint < lo || hint > hi || multiple < 1 || !name || !*name) {
        fx__diag(graph->context, FX_E_ARG, NULL, "symbol %s: range [%lld, %lld], hint %lld and multiple %lld do not fit together",
                 name ? name : "?", (long long)lo, (long long)hi, (long long)hint, (long long)multiple);
        return FX_DIM_BAD;
    }
    sym.name = symbol_name(graph, name);
    int32_t index = sym.name ? fx__dims_add_sym(graph->dims, &sym) : -1;
    graph->edits++;
    return index < 0 ? FX_DIM_BAD : fx__dim_sym(graph->dims, index);
}

const char *fx_graph_dim_text(const fx_graph *graph, fx_dim dim)
{
    fx_text text;
    fx__text_init(&text, graph->context);
    fx__dim_print(graph->dims, dim, &text);
    char *whole = fx__text_finish(&text);
    const char *kept = whole ? fx__intern(graph->context, whole) : NULL;
    fx_text_free(whole);
    return kept;
}

fx_dim fx_graph_parse_dim(fx_graph *graph, const char *text)
{
    const char *at = text;
    fx_dim dim = fx__dim_parse(graph->dims, &at);
    if (dim != FX_DIM_BAD && !*at) return dim;
    fx__diag(graph->context, FX_E_ARG, NULL, "'%s' is no size; expected numbers and symbols of the graph", text);
    return FX_DIM_BAD;
}

int64_t fx_graph_dim_hint(const fx_graph *graph, fx_dim dim)
{
    return fx__dim_hint(graph->dims, dim);
}

const char *fx_graph_symbol_name(const fx_graph *graph, int32_t index)
{
    return index >= 0 && index < fx__dims_sym_count(graph->dims) ? fx__dims_sym(graph->dims, index)->name : NULL;
}

int64_t fx_graph_dim_value(const fx_graph *graph, fx_dim dim, const int64_t *values)
{
    return fx__dim_eval(graph->dims, dim, values);
}

fx_status fx_graph_assume(fx_graph *graph, fx_dim a, fx_relation relation, fx_dim b, const char *why)
{
    static const fx_guard_kind kinds[] = {[FX_EQUAL] = FX_GUARD_EQ, [FX_NOT_EQUAL] = FX_GUARD_NE, [FX_AT_MOST] = FX_GUARD_LE};
    if (a == FX_DIM_BAD || b == FX_DIM_BAD || (unsigned)relation > FX_AT_MOST)
        return fx__diag(graph->context, FX_E_ARG, NULL, "an assumption is about two sizes");
    graph->edits++;
    if (fx__dims_assume(graph->dims, kinds[relation], a, b, why)) return FX_OK;
    fx_status status = fx__diag_failure(graph->context, FX_E_GUARD);
    return fx__diag(graph->context, status, NULL, "an assumption can never hold: %s", why ? why : fx_graph_dim_text(graph, a));
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------- */

/* What messages call a node that is not there yet. */
static const char *spec_word(const fx_node_spec *spec)
{
    return spec->name ? spec->name : spec->target;
}

static fx_status check_shape(const fx_graph *graph, const fx_node_spec *spec)
{
    fx_context *context = graph->context;
    if (spec->opcode == FX_OUTPUT && fx_graph_output_node(graph))
        return fx__diag(context, FX_E_GRAPH, &spec->loc, "the graph has an output already");
    if (spec->opcode == FX_OUTPUT && spec->args.n != 1)
        return fx__diag(context, FX_E_ARG, &spec->loc, "an output has %d arguments instead of one", spec->args.n);
    return FX_OK;
}

static fx_status check_spec(const fx_graph *graph, fx_node_spec *spec)
{
    fx_context *context = graph->context;
    if ((unsigned)spec->opcode >= FX_OPCODE_COUNT)
        return fx__diag(context, FX_E_ARG, &spec->loc, "a node has no opcode: %d is none", (int)spec->opcode);
    if (!spec->target || !*spec->target)
        return fx__diag(context, FX_E_ARG, &spec->loc, "a node has no target; expected %s",
                        spec->opcode == FX_CALL_FUNCTION ? "a qualified name such as torch.relu" : "a name");
    if (spec->keep_name && (!spec->name || !*spec->name))
        return fx__diag(context, FX_E_ARG, &spec->loc, "a name that is to be kept is missing");
    FX_TRY(fx__node_check_args(graph, spec_word(spec), &spec->loc, &spec->args, &spec->kwargs));
    return check_shape(graph, spec);
}

static const char *choose_name(fx_graph *graph, const fx_node_spec *spec)
{
    if (spec->keep_name) {
        if (fx__names_is_used(graph->names, spec->name)) {
            fx__diag(graph->context, FX_E_ARG, &spec->loc, "node name %s is taken", spec->name);
            return NULL;
        }
        return fx__names_create(graph->names, spec->name, true);
    }
    const char *candidate = spec->name ? spec->name : fx__names_candidate(graph->arena, spec->opcode, spec->target);
    return candidate ? fx__names_create(graph->names, candidate, false) : NULL;
}

static fx_node *new_node(fx_graph *graph, const fx_node_spec *spec)
{
    const char *name = choose_name(graph, spec);
    fx_node *node = name ? FX_NEW(graph->arena, fx_node) : NULL;
    if (!node) return NULL;
    node->graph = graph;
    node->id = graph->next_id++;
    node->opcode = spec->opcode;
    node->name = name;
    node->target = fx__intern(graph->context, spec->target);
    return node->target && fx__node_bind(node, spec->args, spec->kwargs) == FX_OK ? node : NULL;
}

fx_node *fx_graph_create_node(fx_graph *graph, const fx_node_spec *given)
{
    fx_node_spec spec = *given;
    fx_node *node = check_spec(graph, &spec) == FX_OK ? new_node(graph, &spec) : NULL;
    if (!node) return NULL;
    fx_node_set_loc(node, spec.loc);
    if (node->opcode == FX_CALL_FUNCTION) node->op = fx__op_find(node->target);
    fx__node_adopt_regions(node);
    fx__graph_link(graph, node, graph->insert_before);
    fx__observe_created(node);
    return node;
}

static fx_node *typed(fx_node *node, const fx_type *type)
{
    if (!node || !type || fx_node_set_type(node, 0, type) == FX_OK) return node;
    fx_graph_erase(node->graph, node);
    return NULL;
}

fx_node *fx_graph_placeholder(fx_graph *graph, const char *name, const fx_type *type)
{
    return typed(fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_PLACEHOLDER, .target = name}), type);
}

fx_node *fx_graph_placeholder_with(fx_graph *graph, const char *name, const fx_type *type, const fx_attr *default_value,
                                   const char *annotation)
{
    fx_node_spec spec = {.opcode = FX_PLACEHOLDER, .target = name};
    if (default_value) spec.args = fx_tuple(graph, default_value, 1);
    if (default_value && spec.args.kind == FX_ATTR_NONE) return NULL;
    fx_node *node = typed(fx_graph_create_node(graph, &spec), type);
    if (!node || fx_node_set_annotation(node, annotation) == FX_OK) return node;
    fx_graph_erase(graph, node);
    return NULL;
}

/* torch.fx's words: what the path names can still be added. */
static void warn_of_path(const fx_node *node, const char *what)
{
    fx__diag_warn(node->graph->context, &node->loc, "%s node %s: module %s has no %s yet", fx_opcode_name(node->opcode), node->name,
                  node->graph->module->name, what);
}

fx_node *fx_graph_get_attr(fx_graph *graph, const char *path)
{
    fx_node *node = fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_GET_ATTR, .target = path});
    if (!node || !graph->module) return node;
    const fx_tensor *tensor = fx_module_tensor(graph->module, path);
    if (!tensor) {
        if (!fx_module_submodule(graph->module, path)) warn_of_path(node, "such tensor or submodule");
        return node;
    }
    fx_type type = fx__type_of_tensor(tensor);
    return typed(node, &type);
}

fx_node *fx_graph_call(fx_graph *graph, const char *target, const fx_attr *args, int32_t n_args)
{
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = target, .args = fx_tuple(graph, args, n_args)};
    return spec.args.kind == FX_ATTR_NONE ? NULL : fx_graph_create_node(graph, &spec);
}

fx_node *fx_graph_call_function(fx_graph *graph, const char *target, fx_attr args, fx_attr kwargs)
{
    return fx_graph_create_node(graph,
                                &(fx_node_spec){.opcode = FX_CALL_FUNCTION, .target = target, .args = args, .kwargs = kwargs});
}

fx_node *fx_graph_call_method(fx_graph *graph, const char *method, fx_attr args, fx_attr kwargs)
{
    if (args.kind == FX_ATTR_NONE || (args.kind == FX_ATTR_TUPLE && args.n == 0)) {
        fx__diag(graph->context, FX_E_ARG, NULL, "method %s is called on nothing; expected its object as first argument",
                 method ? method : "?");
        return NULL;
    }
    return fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_CALL_METHOD, .target = method, .args = args, .kwargs = kwargs});
}

fx_node *fx_graph_call_module(fx_graph *graph, const char *path, fx_attr args, fx_attr kwargs)
{
    fx_node *node =
        fx_graph_create_node(graph, &(fx_node_spec){.opcode = FX_CALL_MODULE, .target = path, .args = args, .kwargs = kwargs});
    if (node && graph->module && !fx_module_submodule(graph->module, path)) warn_of_path(node, "such submodule");
    return node;
}

fx_node *fx_graph_output(fx_graph *graph, fx_attr value)
{
    fx_node_spec spec = {.opcode = FX_OUTPUT, .target = "output", .args = fx_tuple(graph, &value, 1)};
    return spec.args.kind == FX_ATTR_NONE ? NULL : fx_graph_create_node(graph, &spec);
}

static fx_status refuse_used(const fx_node *node)
{
    fx_text text;
    fx__text_init(&text, node->graph->context);
    for (int32_t i = 0; i < node->n_users; i++) fx__text_append(&text, i ? ", %s" : "%s", node->users[i]->name);
    char *users = fx__text_finish(&text);
    fx_status status = fx__diag_node(node, FX_E_GRAPH, "%s cannot be erased: it has %d user%s, %s", node->name, node->n_users,
                                     node->n_users == 1 ? "" : "s", users ? users : "?");
    fx_text_free(users);
    return status;
}

fx_status fx_graph_erase(fx_graph *graph, fx_node *node)
{
    if (node->graph != graph)
        return fx__diag_node(node, FX_E_GRAPH, "%s cannot be erased: it belongs to another graph", node->name);
    if (node->erased) return fx__diag_node(node, FX_E_GRAPH, "%s cannot be erased: it was erased before", node->name);
    if (node->n_users) return refuse_used(node);
    fx__observe_erased(node);
    if (node->erased || node->n_users) return FX_OK; /* the observer took it into its own hands */
    fx__node_drop_inputs(node);
    fx__graph_unlink(graph, node);
    node->erased = true;
    return FX_OK;
}

fx_node *fx_graph_find(const fx_graph *graph, const char *name)
{
    const char *wanted = fx__intern(graph->context, name);
    FX_EACH_NODE(node, graph)
    if (node->name == wanted) return node;
    return NULL;
}

fx_node *fx_graph_output_node(const fx_graph *graph)
{
    for (fx_node *node = graph->last; node; node = node->prev)
        if (node->opcode == FX_OUTPUT) return node;
    return NULL;
}

int32_t fx_graph_find_nodes(const fx_graph *graph, fx_opcode opcode, const char *target, fx_node **out, int32_t capacity)
{
    int32_t n = 0;
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode != opcode || (target && strcmp(node->target, target) != 0)) continue;
        if (n < capacity) out[n] = node;
        n++;
    }
    return n;
}

int32_t fx_graph_id_count(const fx_graph *graph)
{
    return graph->next_id;
}
