/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    puts batch normalisation in evaluation mode into the weights of the convolution (1d, 2d, 3d) or linear layer before it,
 *          as torch.fx's fuse does: between leaf modules, and in core graphs between calls.
 * Needs:   a core graph with types; or a graph whose leaf modules have graphs and tensors. Linear layers need the input's type, as
 *          only a matrix has its features in dim 1.
 * Ensures: the convolution's module has new weights, w * s and (b - mean) * s + beta with s = gamma / sqrt(var + eps), in place of
 *          the old module where the call owns it alone, else under a path of its own. The old weights' memory is not written.
 * Cost:    linear, and the arithmetic on the weights. */
#include "passes/core.h"
#include "passes/pass.h"
#include "passes/rule.h"
#include <string.h>

/* A pair of calls of modules, the second one on the first one's result alone. */
typedef struct pair {
    fx_node *layer, *norm;
    fx_module *layer_module, *norm_module;
} pair;

static fx_module *submodule_of(const fx_node *node)
{
    const fx_module *root = node->graph->module;
    return root && node->opcode == FX_CALL_MODULE ? fx_module_submodule(root, node->target) : NULL;
}

static int32_t count_calls(const fx_module *module)
{
    int32_t n = 0;
    FX_EACH_NODE(node, module->graph)
    n += node->opcode != FX_PLACEHOLDER && node->opcode != FX_GET_ATTR && node->opcode != FX_OUTPUT;
    return n;
}

/* One input, one output, one call each: leaf modules, not networks. */
static bool is_leaf(const fx_module *module)
{
    return module && count_calls(module) == 1 && fx_module_input_count(module) == 1 && fx_module_output_count(module) == 1;
}

static bool read_pair(fx_node *norm, pair *out)
{
    out->norm = norm;
    out->norm_module = submodule_of(norm);
    out->layer = norm->n_inputs == 1 ? norm->inputs[0] : NULL;
    out->layer_module = out->layer && out->layer->n_users == 1 ? submodule_of(out->layer) : NULL;
    return is_leaf(out->norm_module) && is_leaf(out->layer_module) && out->layer->n_inputs == 1;
}

/* ---- Both in one graph ----------------------------------------------------------------------------------------------------- */

static fx_node *call_of(const fx_graph *graph)
{
    FX_EACH_NODE(node, graph)
    if (node->opcode == FX_CALL_FUNCTION) return node;
    return NULL;
}

static int64_t entry(const fx_attr *list, int32_t index, int64_t otherwise)
{
    if (list->kind == FX_ATTR_INT) return list->u.i;
    if (list->kind != FX_ATTR_LIST || list->n == 0) return otherwise;
    const fx_attr *item = &list->u.items[index < list->n ? index : 0];
    return item->kind == FX_ATTR_INT ? item->u.i : otherwise;
}

static const fx_attr *argument(const fx_node *call, const char *name)
{
    int32_t index = fx__op_param(call->op, name);
    return index < 0 ? NULL : fx__arg(call, index);
}

/* The smallest input that the weights fit: a type is all that the rules ask for. */
static bool sample_type(const fx_node *call, fx_type *out)
{
    const fx_node *weight = fx__rule_node(call, 1);
    const fx_type *type = weight ? fx_node_type(weight, 0) : NULL;
    const fx_attr *groups = argument(call, "groups"), *dilation = argument(call, "dilation");
    if (!type || type->rank < 3 || !groups || groups->kind != FX_ATTR_INT || !dilation) return false;
    *out = *type;
    out->dim[0] = 1;
    out->dim[1] = type->dim[1] * groups->u.i;
    for (int32_t d = 2; d < type->rank; d++) out->dim[d] = (type->dim[d] - 1) * entry(dilation, d - 2, 1) + 1;
    return true;
}

static fx_node *add_call(fx_graph *graph, const char *path, fx_node *x)
{
    fx_attr value = fx_node_attr(x);
    return x ? fx_graph_call_module(graph, path, fx_tuple(graph, &value, 1), fx_none()) : NULL;
}

static fx_status make_graph(fx_module *both, const pair *p)
{
    fx_graph *graph = both->graph;
    FX_TRY(fx__module_attach(both, "layer", p->layer_module, true));
    FX_TRY(fx__module_attach(both, "norm", p->norm_module, true));
    fx_node *norm = add_call(graph, "norm", add_call(graph, "layer", fx_graph_placeholder(graph, "input", NULL)));
    return norm && fx_graph_output(graph, fx_node_attr(norm)) ? FX_OK : fx__diag_failure(graph->context, FX_E_GRAPH);
}

static fx_status run_pass(fx_pass_fn pass, fx_graph *graph)
{
    bool modified;
    return pass(graph, NULL, &modified);
}

/* The leaf's one call, typed as far as it must be; false: nothing that could be fused. */
static fx_status type_graph(fx_graph *graph, const pair *p, bool *out_good)
{
    const fx_type *known = fx_node_type(p->layer->inputs[0], 0);
    fx_type sample;
    FX_EACH_NODE(node, graph)
    {
        const fx_tensor *tensor = node->opcode == FX_GET_ATTR ? fx_module_tensor(graph->module, node->target) : NULL;
        fx_type type = tensor ? fx__type_of_tensor(tensor) : (fx_type){0};
        if (tensor && !tensor->data) return FX_OK;
        if (tensor) FX_TRY(fx_node_set_type(node, 0, &type));
    }
    fx_node *call = call_of(graph);
    if (!call || call->args.n < 3 || !(known || sample_type(call, &sample))) return FX_OK;
    FX_TRY(fx_node_set_type(graph->first, 0, known ? known : &sample));
    *out_good = true;
    return fx_graph_propagate(graph);
}

/* *out_call: the layer's call with its new weights as constants; NULL when the two do not become one. */
static fx_status fuse_graph(fx_module *both, const pair *p, fx_node **out_call)
{
    bool good = false, modified = false;
    fx_graph *graph = both->graph;
    FX_TRY(make_graph(both, p));
    FX_TRY(run_pass(fx__pass_inline, graph));
    FX_TRY(run_pass(fx__pass_normalise, graph));
    FX_TRY(type_graph(graph, p, &good));
    if (!good) return FX_OK;
    FX_TRY(run_pass(fx__pass_decompose, graph)); /* other spellings */
    FX_TRY(fx__rewrite_norms(graph, &modified));
    FX_TRY(fx__fold_all(graph));
    fx_graph_eliminate_dead_code(graph);
    fx_node *call = count_calls(both) == 1 ? call_of(graph) : NULL;
    const char *name = call ? call->op->name : "";
    bool is_layer = strncmp(name, "conv", 4) == 0 || strcmp(name, "linear") == 0;
    *out_call = is_layer ? call : NULL;
    return FX_OK;
}

/* ---- The new leaf ---------------------------------------------------------------------------------------------------------- */

static fx_status add_weight(fx_module *leaf, const char *path, const fx_node *from, fx_attr *out)
{
    const fx_tensor *tensor = fx_module_tensor(from->graph->module, from->target);
    fx_tensor copy = {0};
    if (!tensor || fx_tensor_alloc(tensor->dtype, tensor->rank, tensor->dim, &copy) != FX_OK) return fx__diag_oom(leaf->context);
    fx_status status = fx_tensor_copy(&copy, tensor);
    if (status == FX_OK) status = fx_module_add_tensor(leaf, path, &copy, false, fx__module_release_tensor, NULL);
    if (status != FX_OK) {
        fx_tensor_release(&copy);
        return status;
    }
    fx_node *node = fx_graph_get_attr(leaf->graph, path);
    *out = fx_node_attr(node);
    return node ? FX_OK : FX_E_OOM;
}

static fx_status build_leaf(fx_module *leaf, const fx_node *call)
{
    static const char *const paths[] = {NULL, "weight", "bias"};
    fx_graph *graph = leaf->graph;
    fx_attr args[FX_PARAMS];
    fx_node *input = fx_graph_placeholder(graph, "input", NULL);
    if (!input) return FX_E_OOM;
    for (int32_t i = 0; i < call->args.n && i < FX_PARAMS; i++) {
        const fx_attr *value = fx__arg(call, i);
        if (i == 0)
            args[i] = fx_node_attr(input);
        else if (i < 3 && value->kind == FX_ATTR_NODE)
            FX_TRY(add_weight(leaf, paths[i], value->u.node, &args[i]));
        else
            args[i] = fx__attr_copy(graph, value, NULL, NULL);
    }
    fx_node *made = fx_graph_call(graph, call->target, args, call->args.n);
    return made && fx_graph_output(graph, fx_node_attr(made)) ? FX_OK : fx__diag_failure(graph->context, FX_E_GRAPH);
}

/* As the old layer is described, with a bias by now. */
static fx_status describe_leaf(fx_module *leaf, const fx_module *old)
{
    fx_attr facts = fx_module_attributes(old);
    for (int32_t i = 0; i < facts.n; i++) {
        bool is_bias = strcmp(facts.keys[i], "bias") == 0 && facts.u.items[i].kind == FX_ATTR_BOOL;
        FX_TRY(fx_module_set_attribute(leaf, facts.keys[i], is_bias ? fx_bool(true) : facts.u.items[i]));
    }
    return fx_module_set_class(leaf, fx_module_class(old));
}

static fx_module *make_leaf(const pair *p, const fx_node *call)
{
    fx_module *leaf = fx_module_new(call->graph->context, fx_module_name(p->layer_module));
    if (leaf && build_leaf(leaf, call) == FX_OK && describe_leaf(leaf, p->layer_module) == FX_OK) return leaf;
    fx_module_free(leaf);
    return NULL;
}

/* ---- Its place ------------------------------------------------------------------------------------------------------------- */

/* Whether anything else names the module or what is in it. */
static bool is_named_elsewhere(const fx_node *layer)
{
    size_t bytes = strlen(layer->target);
    FX_EACH_NODE(node, layer->graph)
    {
        bool names = node != layer && (node->opcode == FX_CALL_MODULE || node->opcode == FX_GET_ATTR);
        if (names && strncmp(node->target, layer->target, bytes) == 0 && (!node->target[bytes] || node->target[bytes] == '.'))
            return true;
    }
    return false;
}

/* The module of a copy of a graph borrows its submodules, which must stay as they are. */
static bool may_replace(const pair *p)
{
    const fx_graph *graph = p->layer->graph;
    return graph->module->graph == graph && !graph->own_module && !is_named_elsewhere(p->layer);
}

static const char *unused_path(const fx_module *module, fx_arena *scratch)
{
    for (int32_t i = 0; i < INT32_MAX; i++) {
        const char *path = fx__arena_format(scratch, "fused_%d", (int)i);
        if (!path || !fx_module_submodule(module, path)) return path;
    }
    return NULL;
}

static fx_status install(const pair *p, FX_TAKES fx_module *leaf, fx_arena *scratch)
{
    fx_graph *graph = p->layer->graph;
    bool replaces = may_replace(p);
    fx_module *root = replaces ? graph->module : fx__module_ensure(graph);
    const char *path = replaces ? p->layer->target : root ? unused_path(root, scratch) : NULL;
    fx_status status = path ? FX_OK : FX_E_OOM;
    if (status == FX_OK && replaces) status = fx_module_delete_submodule(root, path);
    if (status != FX_OK) {
        fx_module_free(leaf);
        return status;
    }
    FX_TRY(fx_module_add_submodule(root, path, leaf));
    if (!replaces) FX_TRY(fx_node_set_target(p->layer, path));
    return fx__core_replace(p->norm, p->layer);
}

static fx_status fuse_pair(const pair *p, fx_arena *scratch, bool *out_modified)
{
    fx_context *context = p->layer->graph->context;
    fx_module *both = fx_module_new(context, "fused"), *leaf = NULL;
    fx_node *call = NULL;
    if (!both) return FX_E_OOM;
    fx_diag_mark mark = fx__diag_mark(context);
    fx_status status = fuse_graph(both, p, &call);
    if (status != FX_OK && status != FX_E_OOM) { /* not understood: left alone */
        fx__diag_rewind(context, mark);
        status = FX_OK;
        call = NULL;
    }
    if (status == FX_OK && call && !(leaf = make_leaf(p, call))) status = fx__diag_failure(context, FX_E_GRAPH);
    fx_module_free(both);
    if (status != FX_OK || !leaf) return status;
    *out_modified = true;
    return install(p, leaf, scratch);
}

static fx_status fuse_modules(fx_graph *graph, fx_arena *scratch, bool *out_modified)
{
    for (fx_node *node = graph->first, *next; node; node = next) {
        pair p;
        next = node->next;
        if (node->opcode == FX_CALL_MODULE && read_pair(node, &p)) FX_TRY(fuse_pair(&p, scratch, out_modified));
    }
    return FX_OK;
}

fx_status fx__pass_fuse_conv_bn(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    if (graph->core) return fx__rewrite_norms(graph, out_modified);
    fx_arena *scratch = fx__arena_new(graph->context);
    if (!scratch) return FX_E_OOM;
    fx_status status = fuse_modules(graph, scratch, out_modified);
    fx__arena_free(scratch);
    return status;
}
