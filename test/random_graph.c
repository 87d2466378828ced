/* SPDX-License-Identifier: Apache-2.0 */
/* test/random_graph.c: draws an operator, draws arguments that may fit, lets the operator's own rules decide. Each seed has some
 * rows of its own that it must hold, in turn over the table, so that rare rows are drawn as often as others; where drawn arguments
 * do not fit, one of the row's cases is taken (half of the time, of other rows). */
#include "random_graph.h"
#include "cases.h"
#include "harness.h"
#include "ir/graph.h"
#include "ir/op.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUES = 64, TRIES = 40, MAX_ELEMS = 4096, MAX_IDS = 8192, OWN_ROWS = 12 };

typedef struct maker {
    fx_module *module;
    fx_graph *graph;
    uint64_t random;
    bool exact;
    bool indexes; /* the row whose case is drawn */
    int32_t n_weights;
    fx_node *value[MAX_VALUES];
    double magnitude[MAX_IDS]; /* by node id; kept in exact graphs */
    int32_t n_values;
} maker;

static int64_t pick(maker *m, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(fx_test_random(&m->random) % (uint64_t)(hi - lo + 1));
}

static double draw_number(uint64_t *random, bool exact)
{
    if (exact) return (double)((int64_t)(fx_test_random(random) % 9) - 4);
    return fx_test_uniform(random, -2.0, 2.0);
}

static void fill(fx_tensor *tensor, uint64_t *random, bool exact)
{
    int64_t n = fx_tensor_elems(tensor);
    for (int64_t i = 0; i < n; i++) {
        double value = draw_number(random, exact || !fx_dtype_is_float(tensor->dtype));
        if (tensor->dtype == FX_BOOL) value = value > 0;
        if (!fx_dtype_is_signed(tensor->dtype) && value < 0) value = -value;
        fx_tensor_set(tensor, i, value);
    }
}

static void release_memory(void *user, void *data)
{
    (void)user;
    free(data);
}

/* A new weight as a get_attr node. */
static fx_node *weight(maker *m, fx_dtype dtype, int32_t rank, const int64_t *dim, bool positive)
{
    fx_tensor tensor;
    if (fx_tensor_alloc(dtype, rank, dim, &tensor) != FX_OK) return NULL;
    fill(&tensor, &m->random, m->exact);
    for (int64_t i = 0; positive && i < fx_tensor_elems(&tensor); i++)
        fx_tensor_set(&tensor, i, 0.25 + (fx_tensor_get(&tensor, i) < 0 ? -fx_tensor_get(&tensor, i) : fx_tensor_get(&tensor, i)));
    char path[32];
    snprintf(path, sizeof path, "w%d", (int)m->n_weights++);
    if (fx_module_add_tensor(m->module, path, &tensor, false, release_memory, NULL) != FX_OK) return NULL;
    return fx_graph_get_attr(m->graph, path);
}

static fx_node *any_value(maker *m)
{
    return m->value[pick(m, 0, m->n_values - 1)];
}

/* A value of this rank and dtype class, preferring recent ones; NULL when a few draws find none. */
static fx_node *value_like(maker *m, int32_t rank, bool floating)
{
    for (int32_t i = 0; i < TRIES; i++) {
        fx_node *node = m->value[m->n_values - 1 - pick(m, 0, m->n_values - 1) * pick(m, 0, 1)];
        const fx_type *type = fx_node_type(node, 0);
        if ((rank < 0 || type->rank == rank) && (!floating || fx_dtype_is_float(type->dtype))) return node;
    }
    return NULL;
}

static fx_attr random_ints(maker *m, int32_t n, int64_t lo, int64_t hi)
{
    int64_t values[FX_RANK];
    for (int32_t i = 0; i < n; i++) values[i] = pick(m, lo, hi);
    return fx_ints(m->graph, values, n);
}

static fx_attr random_axes(maker *m, int32_t rank)
{
    int64_t axes[FX_RANK];
    int32_t n = 0;
    for (int32_t d = 0; d < rank; d++)
        if (pick(m, 0, 1)) axes[n++] = pick(m, 0, 1) ? d : d - rank;
    if (n == 0 && rank > 0) axes[n++] = pick(m, 0, rank - 1);
    return fx_ints(m->graph, axes, n);
}

static fx_attr random_permutation(maker *m, int32_t rank)
{
    int64_t order[FX_RANK];
    for (int32_t d = 0; d < rank; d++) order[d] = d;
    for (int32_t d = rank - 1; d > 0; d--) {
        int64_t other = pick(m, 0, d), keep = order[d];
        order[d] = order[other];
        order[other] = keep;
    }
    return fx_ints(m->graph, order, rank);
}

/* A shape of the same number of elements: factors are moved between dims, or one is left to -1. */
static fx_attr random_reshape(maker *m, const fx_type *type)
{
    int64_t elems = 1, dim[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) elems *= type->dim[d];
    int32_t rank = (int32_t)pick(m, 1, 5);
    int64_t left = elems;
    for (int32_t d = 0; d < rank - 1; d++) {
        int64_t factor = pick(m, 1, 6);
        while (factor > 1 && left % factor != 0) factor--;
        dim[d] = factor;
        left /= factor;
    }
    dim[rank - 1] = pick(m, 0, 1) && elems ? -1 : left;
    return fx_ints(m->graph, dim, rank);
}

/* ---- Arguments by the schema's parameter names: what a parameter of this name usually wants
 * -------------------------------------- */

typedef struct draft {
    const fx_op *op;
    fx_node *self;
    const fx_type *type; /* of self */
    fx_attr arg[FX_PARAMS];
    int32_t n;
    int64_t groups; /* of a convolution */
} draft;

static int64_t dim_or(const fx_type *type, int32_t axis, int64_t otherwise)
{
    return axis < type->rank && type->dim[axis] > 0 ? type->dim[axis] : otherwise;
}

/* A number that divides the channels; all of them, half of the time. */
static int64_t groups_of(maker *m, int64_t channels)
{
    int64_t groups = pick(m, 0, 1) || channels < 1 ? channels : pick(m, 1, channels);
    while (groups > 1 && channels % groups != 0) groups--;
    return groups > 1 ? groups : 1;
}

static fx_attr weight_for(maker *m, draft *d, const char *param)
{
    bool conv = strstr(d->op->name, "conv") != NULL, norm = strstr(d->op->name, "norm") != NULL;
    int64_t channels = dim_or(d->type, 1, 1);
    if (norm) return fx_node_attr(weight(m, d->type->dtype, 1, &channels, strstr(param, "var") != NULL));
    if (conv && strcmp(param, "weight") == 0) {
        bool transposed = strstr(d->op->name, "transpose") != NULL;
        int64_t dim[FX_RANK] = {pick(m, 1, 3) * 2, channels, pick(m, 1, 3), pick(m, 1, 3), 1, 1, 1, 1};
        d->groups = pick(m, 0, 1) ? groups_of(m, channels) : 1;
        if (d->groups > 1) {
            dim[0] = transposed ? channels : d->groups * pick(m, 1, 3);
            dim[1] = transposed ? pick(m, 1, 3) : channels / d->groups;
        }
        return fx_node_attr(weight(m, d->type->dtype, d->type->rank, dim, false));
    }
    if (strcmp(param, "bias") == 0 && d->n > 1 && d->arg[1].kind == FX_ATTR_NODE) {
        const fx_type *of = fx_node_type(d->arg[1].u.node, 0);
        return pick(m, 0, 2) ? fx_node_attr(weight(m, of->dtype, 1, of->dim, false)) : fx_none();
    }
    int64_t dim[2] = {pick(m, 1, 20), dim_or(d->type, d->type->rank - 1, 1)};
    return fx_node_attr(weight(m, d->type->dtype, 2, dim, false));
}

/* The second operand of a product: a weight or a value whose shape may fit. */
static fx_attr factor_for(maker *m, draft *d)
{
    int64_t dim[FX_RANK] = {2, 2, 2, 2, 2, 2, 2, 2};
    int32_t rank = d->type->rank < 2 ? 2 : d->type->rank;
    for (int32_t i = 0; i < rank - 2; i++) dim[i] = dim_or(d->type, i, 1);
    dim[rank - 2] = dim_or(d->type, d->type->rank - 1, 1);
    dim[rank - 1] = pick(m, 1, 20);
    return fx_node_attr(weight(m, d->type->dtype, rank, dim, false));
}

/* ---- Tensors of indices: weights, whose elements lie inside every dim ---------------------------------------------------------
 */

static bool is_index_row(const fx_op *op)
{
    return strcmp(op->family, "index") == 0;
}

/* [-n, n) for the smallest dim of the tensor that is indexed; false: that dim is empty. */
static bool fill_indices(maker *m, fx_node *node, const fx_type *of)
{
    int64_t least = of->rank ? of->dim[0] : 1;
    for (int32_t i = 1; i < of->rank; i++) least = of->dim[i] < least ? of->dim[i] : least;
    fx_tensor *tensor = node ? &m->module->tensors[m->module->n_tensors - 1].tensor : NULL;
    for (int64_t i = 0; tensor && least > 0 && i < fx_tensor_elems(tensor); i++)
        fx_tensor_set(tensor, i, (double)pick(m, -least, least - 1));
    return tensor && least > 0;
}

static fx_attr index_for(maker *m, draft *d)
{
    bool same_rank = strstr(d->op->name, "gather") || strstr(d->op->name, "scatter");
    int64_t dim[FX_RANK];
    int32_t rank = same_rank ? d->type->rank : (int32_t)pick(m, 0, 2);
    for (int32_t i = 0; i < rank; i++) dim[i] = same_rank ? pick(m, 1, dim_or(d->type, i, 1)) : pick(m, 1, 6);
    fx_node *node = weight(m, pick(m, 0, 1) ? FX_I64 : FX_I32, rank, dim, false);
    return fx_node_attr(fill_indices(m, node, d->type) ? node : NULL);
}

/* One per dim, or None; the first one lends them its shape. */
static fx_attr indices_for(maker *m, draft *d)
{
    fx_attr items[FX_RANK];
    int32_t n = d->type->rank ? (int32_t)pick(m, 1, d->type->rank) : 0, made = 0;
    int64_t dim[2] = {pick(m, 1, 6), pick(m, 1, 6)};
    int32_t rank = (int32_t)pick(m, 0, 2);
    for (int32_t i = 0; i < n; i++) {
        items[i] = fx_none();
        if (made > 0 && pick(m, 0, 1)) continue;
        fx_node *node = weight(m, FX_I64, rank, dim, false);
        if (!fill_indices(m, node, d->type)) return fx_none();
        items[i] = fx_node_attr(node);
        made++;
    }
    return fx_list(m->graph, items, n);
}

/* What is written at the places of an index: as large as the index, slices of self, or one number. */
static fx_attr source_for(maker *m, draft *d, const char *param)
{
    const fx_type *index = d->n > 2 && d->arg[2].kind == FX_ATTR_NODE ? fx_node_type(d->arg[2].u.node, 0) : NULL;
    int64_t dim[FX_RANK], axis = d->arg[1].kind == FX_ATTR_INT ? d->arg[1].u.i : 0;
    if (strcmp(param, "values") == 0) return fx_node_attr(weight(m, d->type->dtype, 0, NULL, false));
    if (!index) return fx_none();
    if (strcmp(param, "src") == 0) return fx_node_attr(weight(m, d->type->dtype, index->rank, index->dim, false));
    for (int32_t i = 0; i < d->type->rank; i++)
        dim[i] = i == (axis < 0 ? axis + d->type->rank : axis) ? index->dim[0] : d->type->dim[i];
    return fx_node_attr(index->rank == 1 ? weight(m, d->type->dtype, d->type->rank, dim, false) : NULL);
}

static bool is_source(const char *param)
{
    return strcmp(param, "src") == 0 || strcmp(param, "source") == 0 || strcmp(param, "values") == 0;
}

static bool is_index(const char *param)
{
    return strcmp(param, "index") == 0 || strcmp(param, "indices") == 0;
}

static fx_attr operand_for(maker *m, draft *d, const fx_param *param)
{
    if (is_index_row(d->op) && is_index(param->name)) return index_for(m, d);
    if (is_index_row(d->op) && is_source(param->name)) return source_for(m, d, param->name);
    if (strcmp(param->name, "weight") == 0 || strcmp(param->name, "bias") == 0 || strstr(param->name, "running_"))
        return weight_for(m, d, param->name);
    if (strstr(param->name, "mat") || (strcmp(param->name, "other") == 0 && strstr(d->op->name, "matmul"))) return factor_for(m, d);
    if (param->optional && pick(m, 0, 1)) return fx_none();
    for (int32_t i = 0; i < TRIES; i++) { /* prefer equal shapes, then whatever broadcasts */
        fx_node *other = any_value(m);
        if (fx__type_equal(fx_node_type(other, 0), d->type)) return fx_node_attr(other);
    }
    int64_t dim[FX_RANK];
    for (int32_t i = 0; i < d->type->rank; i++) dim[i] = pick(m, 0, 2) ? d->type->dim[i] : 1;
    int32_t skip = d->type->rank ? (int32_t)pick(m, 0, d->type->rank - 1) * (int32_t)pick(m, 0, 1) : 0;
    return fx_node_attr(weight(m, d->type->dtype, d->type->rank - skip, dim + skip, false));
}

static fx_attr tensors_for(maker *m, draft *d)
{
    fx_attr items[4];
    int32_t n = (int32_t)pick(m, 1, 3);
    items[0] = fx_node_attr(d->self);
    for (int32_t i = 1; i < n; i++) {
        int64_t dim[FX_RANK];
        for (int32_t a = 0; a < d->type->rank; a++) dim[a] = d->type->dim[a];
        items[i] = fx_node_attr(pick(m, 0, 1) ? d->self : weight(m, d->type->dtype, d->type->rank, dim, false));
    }
    return fx_list(m->graph, items, n);
}

static fx_attr ints_for(maker *m, draft *d, const fx_param *param)
{
    const char *name = param->name;
    int32_t rank = d->type->rank;
    if (strcmp(name, "dims") == 0) return random_permutation(m, rank);
    if (strcmp(name, "size") == 0 && strstr(d->op->name, "expand")) {
        int64_t dim[FX_RANK];
        for (int32_t i = 0; i < rank; i++) dim[i] = d->type->dim[i] == 1 ? pick(m, 1, 4) : (pick(m, 0, 1) ? -1 : d->type->dim[i]);
        return fx_ints(m->graph, dim, rank);
    }
    if (strcmp(name, "size") == 0 || strcmp(name, "shape") == 0) return random_reshape(m, d->type);
    if (strcmp(name, "pad") == 0) return random_ints(m, 2 * (int32_t)pick(m, 0, rank < 4 ? rank : 4), -1, 2);
    if (strcmp(name, "dim") == 0) return random_axes(m, rank);
    if (strcmp(name, "kernel_size") == 0) return random_ints(m, 2, 1, 3);
    if (strcmp(name, "output_size") == 0) return random_ints(m, 2, 1, 4);
    if (strcmp(name, "padding") == 0) return random_ints(m, pick(m, 0, 2) ? 2 : 4, 0, 1);
    return random_ints(m, param->list ? param->list : 2, 1, 2);
}

static fx_attr int_for(maker *m, draft *d, const char *name)
{
    int32_t rank = d->type->rank;
    if (strstr(name, "dim")) return fx_int(pick(m, -rank, rank > 0 ? rank - 1 : 0));
    if (strcmp(name, "groups") == 0) return fx_int(d->groups > 0 ? d->groups : groups_of(m, dim_or(d->type, 1, 1)));
    if (strcmp(name, "step") == 0) return fx_int(pick(m, 1, 3));
    return fx_int(pick(m, -2, 4));
}

static fx_attr argument_for(maker *m, draft *d, const fx_param *param)
{
    static const fx_dtype casts[] = {FX_F32, FX_F64, FX_I32, FX_I64, FX_F32, FX_BOOL, FX_F16, FX_BF16};
    if (param->optional && param->kind != FX_PARAM_TENSOR && pick(m, 0, 1)) return fx_none();
    if (param->has_default && pick(m, 0, 1)) return param->fallback;
    switch (param->kind) {
    case FX_PARAM_TENSORS:
        return is_index_row(d->op) ? indices_for(m, d) : tensors_for(m, d);
    case FX_PARAM_INT:
        return int_for(m, d, param->name);
    case FX_PARAM_INTS:
        return ints_for(m, d, param);
    case FX_PARAM_FLOAT:
        return param->has_default ? param->fallback : fx_float(fx_test_uniform(&m->random, 0.1, 1));
    case FX_PARAM_BOOL:
        return fx_bool(pick(m, 0, 1) && strcmp(param->name, "training") != 0);
    case FX_PARAM_SCALAR:
        return m->exact ? fx_int(pick(m, -2, 3)) : fx_float(fx_test_uniform(&m->random, -2, 2));
    case FX_PARAM_DTYPE:
        return fx_dtype_attr(m->exact ? FX_F32 : casts[pick(m, 0, 7)]);
    case FX_PARAM_FLOATS:
    case FX_PARAM_STR:
    case FX_PARAM_OTHER:
        return param->has_default ? param->fallback : fx_none();
    default:
        return operand_for(m, d, param);
    }
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------------------- */

/* Rows whose f32 result is exact as long as all integers stay below 2^24. */
static bool is_exact(const fx_op *op)
{
    static const char exact[] =
        " relu relu6 clamp clamp_min clamp_max hardtanh neg abs floor ceil round trunc add sub rsub mul "
        "maximum minimum eq ne lt le gt ge "
        "logical_not logical_and logical_or logical_xor where masked_fill sum amax amin argmax argmin "
        "linear addmm mm bmm baddbmm matmul "
        "conv1d conv2d conv3d max_pool1d max_pool2d max_pool3d view reshape flatten permute transpose t "
        "expand slice select squeeze "
        "unsqueeze embedding index index_copy index_select gather scatter take cat stack constant_pad_nd "
        "dropout clone contiguous alias detach roll channel_shuffle pixel_shuffle reflection_pad2d replication_pad2d "
        "pad_circular adaptive_max_pool2d max_pool2d_with_indices im2col conv_transpose2d upsample_nearest2d ";
    char word[64];
    snprintf(word, sizeof word, " %s ", op->name);
    return strstr(exact, word) != NULL;
}

static int64_t elems_of(const fx_node *node)
{
    int64_t elems = 1;
    const fx_type *type = fx_node_type(node, 0);
    for (int32_t d = 0; d < type->rank; d++) elems *= type->dim[d];
    return elems;
}

/* An upper bound of the absolute values: products multiply, sums add up over what one result element reads. */
static double magnitude_of(const maker *m, const fx_node *node)
{
    double sum = 8, product = 1, reads = 1; /* 8: literals */
    for (int32_t i = 0; i < node->n_inputs; i++) {
        double of = node->inputs[i]->opcode == FX_CALL_FUNCTION ? m->magnitude[node->inputs[i]->id % MAX_IDS] : 4;
        int64_t elems = elems_of(node->inputs[i]);
        sum += of;
        product *= of;
        if ((double)elems > reads) reads = (double)elems;
    }
    const char *name = node->op->name;
    bool contraction = strstr(name, "conv") || strstr(name, "mm") || strcmp(name, "matmul") == 0 || strcmp(name, "linear") == 0;
    if (contraction) return 4 * (product * reads + sum);
    if (strcmp(name, "mul") == 0) return 4 * product + sum;
    if (strcmp(name, "sum") == 0) return sum * reads;
    return 3 * sum; /* alpha of add and sub */
}

static bool small_enough(const fx_node *node)
{
    int64_t elems = 1;
    const fx_type *type = fx_node_type(node, 0);
    for (int32_t d = 0; type && d < type->rank; d++) elems *= type->dim[d] > 0 ? type->dim[d] : 1;
    return type && elems <= MAX_ELEMS;
}

static bool exact_enough(maker *m, const fx_node *node)
{
    if (!m->exact) return true;
    double magnitude = magnitude_of(m, node);
    m->magnitude[node->id % MAX_IDS] = magnitude;
    return magnitude < 0x1p24 && node->id < MAX_IDS;
}

static bool draw_arguments(maker *m, draft *d)
{
    int32_t n_params;
    const fx_param *params = fx__op_params(d->op, &n_params);
    bool image = strstr(d->op->name, "2d") != NULL;
    d->self = value_like(m, image ? 4 : -1, image || pick(m, 0, 3) != 0);
    if (!d->self) return false;
    d->type = fx_node_type(d->self, 0);
    d->n = 0;
    if (n_params > 0 && params[0].kind != FX_PARAM_TENSOR && params[0].kind != FX_PARAM_TENSORS &&
        params[0].kind != FX_PARAM_OPERAND)
        return false;                                                      /* tensors made from numbers: one of the cases */
    if (is_index_row(d->op) && !(d->op->dtypes & FX_FLOATS)) return false; /* no value of the graph is an index */
    for (int32_t i = 0; i < n_params; i++) {
        bool first = i == 0 && params[0].kind != FX_PARAM_TENSORS;
        d->arg[i] = first ? fx_node_attr(d->self) : argument_for(m, d, &params[i]);
        if (d->arg[i].kind == FX_ATTR_NODE && !d->arg[i].u.node) return false;
        d->n = i + 1;
    }
    return true;
}

/* The node itself, or a getitem when it gives several tensors. */
static fx_node *select_result(maker *m, fx_node *node)
{
    if (fx__op_schema_results(node->op) == 1) return node;
    if (fx_node_result_count(node) == 0) return NULL;
    fx_attr args[2] = {fx_node_attr(node), fx_int(pick(m, 0, fx_node_result_count(node) - 1))};
    fx_node *item = fx_graph_call(m->graph, "operator.getitem", args, 2);
    return item && fx__op_infer(item) == FX_OK ? item : NULL;
}

/* The node's value if the operator's rules take it and it is not too large; else the node is erased. */
static fx_node *accept_node(maker *m, fx_node *node)
{
    fx_node *value = fx__op_infer(node) == FX_OK ? select_result(m, node) : NULL;
    if (value && small_enough(value) && exact_enough(m, value)) return value;
    fx_context_clear(m->graph->context);
    if (fx_node_user_count(node) > 0) fx_graph_erase(m->graph, fx_node_user(node, 0));
    fx_graph_erase(m->graph, node);
    return NULL;
}

static fx_node *make_node(maker *m, const draft *d)
{
    fx_attr args[FX_PARAMS], kwargs[FX_PARAMS];
    const char *keys[FX_PARAMS];
    int32_t n_args = 0, n_kwargs = 0, n_params;
    const fx_param *params = fx__op_params(d->op, &n_params);
    for (int32_t i = 0; i < d->n; i++) {
        if (params[i].keyword_only) {
            keys[n_kwargs] = params[i].name;
            kwargs[n_kwargs++] = d->arg[i];
        } else {
            args[n_args++] = d->arg[i];
        }
    }
    return fx_graph_create_node(m->graph, &(fx_node_spec){.opcode = FX_CALL_FUNCTION,
                                                          .target = d->op->target,
                                                          .args = fx_tuple(m->graph, args, n_args),
                                                          .kwargs = fx_dict(m->graph, keys, kwargs, n_kwargs)});
}

/* One node of this operator, or NULL when the draws did not fit. */
static fx_node *draw_node(maker *m, const fx_op *op)
{
    for (int32_t attempt = 0; attempt < TRIES; attempt++) {
        draft d = {.op = op};
        if (!draw_arguments(m, &d)) continue;
        fx_node *node = make_node(m, &d);
        fx_node *value = node ? accept_node(m, node) : NULL;
        if (value || !node) return value;
    }
    return NULL;
}

/* A value of exactly this type if there is one, else a weight. Integers of rows that index may be indices: 0 or 1, as in laws. */
static fx_node *operand_of_case(void *user, const fx_type *type)
{
    maker *m = user;
    bool may_index = m->indexes && !fx_dtype_is_float(type->dtype);
    int64_t elems = 1;
    for (int32_t d = 0; d < type->rank; d++) elems *= type->dim[d];
    for (int32_t i = 0; i < TRIES && !may_index; i++) {
        fx_node *node = any_value(m);
        if (fx__type_equal(fx_node_type(node, 0), type)) return node;
    }
    fx_node *node = elems <= MAX_ELEMS ? weight(m, type->dtype, type->rank, type->dim, false) : NULL;
    if (node && may_index) fill_indices(m, node, &(fx_type){.rank = 1, .dim = {2}});
    return node;
}

/* One of the row's cases, from a drawn one on the first that fits. */
static fx_node *draw_case(maker *m, const fx_op *op)
{
    int32_t n = 0;
    while (op->cases && op->cases[n].args) n++;
    m->indexes = is_index_row(op);
    for (int32_t i = 0, first = n ? (int32_t)pick(m, 0, n - 1) : 0; i < n; i++) {
        fx_node *node = fx_case_append(m->graph, op, op->cases[(first + i) % n].args, operand_of_case, m);
        fx_node *value = node ? accept_node(m, node) : NULL;
        if (value) return value;
    }
    return NULL;
}

static bool add_row(maker *m, int32_t index, bool from_cases, int32_t *drawn)
{
    const fx_op *op = fx_op_at(index);
    if (op->impure || (m->exact && !is_exact(op)) || m->n_values == MAX_VALUES) return false; /* effects: test_mutation_random */
    fx_node *node = draw_node(m, op);
    if (!node && from_cases) node = draw_case(m, op);
    if (!node) return false;
    m->value[m->n_values++] = node;
    if (drawn) drawn[index]++;
    return true;
}

/* The rows that this seed must hold. */
static int32_t add_own_rows(maker *m, uint64_t seed, int32_t *drawn)
{
    int32_t made = 0, rows = fx_op_count();
    for (int32_t i = 0; i < OWN_ROWS; i++)
        made += add_row(m, (int32_t)((seed * OWN_ROWS + (uint64_t)i) % (uint64_t)rows), true, drawn);
    return made;
}

static void draw_inputs(maker *m)
{
    static const fx_type shapes[] = {
        {FX_F32, 4, {2, 6, 9, 7}}, {FX_F32, 4, {1, 16, 8, 8}},  {FX_F32, 2, {5, 17}},      {FX_F32, 2, {33, 16}},
        {FX_F32, 3, {2, 7, 12}},   {FX_F32, 1, {40}},           {FX_F64, 4, {1, 4, 6, 6}}, {FX_F64, 2, {7, 9}},
        {FX_I32, 2, {5, 17}},      {FX_F32, 4, {1, 3, 12, 12}}, {FX_F32, 0, {0}},          {FX_F16, 2, {5, 17}},
    };
    int32_t n = (int32_t)pick(m, 1, 3);
    for (int32_t i = 0; i < n; i++) {
        const fx_type *type = &shapes[pick(m, 0, (int64_t)(sizeof shapes / sizeof shapes[0]) - 1)];
        if (m->exact && type->dtype == FX_F16) type = &shapes[0];
        char name[16];
        snprintf(name, sizeof name, "x%d", (int)i);
        m->value[m->n_values++] = fx_graph_placeholder(m->graph, name, type);
    }
}

/* The last value and a few others, so that dead ends and shared values both occur. */
static void draw_outputs(maker *m)
{
    fx_attr items[3];
    int32_t n = (int32_t)pick(m, 1, 3);
    items[0] = fx_node_attr(m->value[m->n_values - 1]);
    for (int32_t i = 1; i < n; i++) items[i] = fx_node_attr(any_value(m));
    fx_graph_output(m->graph, n == 1 ? items[0] : fx_tuple(m->graph, items, n));
}

/* Weights of draws that did not fit. */
static void erase_unused_weights(maker *m)
{
    for (fx_node *node = fx_graph_first(m->graph), *next; node; node = next) {
        next = fx_node_next(node);
        if (fx_node_opcode(node) == FX_GET_ATTR && fx_node_user_count(node) == 0) fx_graph_erase(m->graph, node);
    }
}

fx_module *fx_test_random_module(fx_context *context, uint64_t seed, const fx_random_options *options)
{
    static maker m; /* large; tests are single-threaded */
    m = (maker){.module = fx_module_new(context, "random"), .random = seed * 7919 + 13, .exact = options->exact};
    if (!m.module) return NULL;
    m.graph = fx_module_graph(m.module);
    draw_inputs(&m);
    int64_t wanted = pick(&m, options->min_nodes ? options->min_nodes : 10, options->max_nodes ? options->max_nodes : 40);
    if (!options->max_nodes && wanted <= OWN_ROWS) wanted = OWN_ROWS + 1;
    int64_t before = wanted > OWN_ROWS ? pick(&m, 0, wanted - OWN_ROWS) : 0, made = 0;
    for (int64_t i = 0; made < before && i < 10 * wanted; i++)
        made += add_row(&m, (int32_t)pick(&m, 0, fx_op_count() - 1), pick(&m, 0, 1), options->drawn);
    if (wanted > OWN_ROWS) made += add_own_rows(&m, seed, options->drawn);
    for (int64_t i = 0; made < wanted && i < 10 * wanted; i++)
        made += add_row(&m, (int32_t)pick(&m, 0, fx_op_count() - 1), pick(&m, 0, 1), options->drawn);
    draw_outputs(&m);
    erase_unused_weights(&m);
    return m.module;
}

void fx_test_random_inputs(const fx_module *module, uint64_t seed, bool exact, fx_tensor *inputs)
{
    uint64_t random = seed * 104729 + 7;
    for (int32_t i = 0; i < fx_module_input_count(module); i++) {
        const fx_type *type = fx_module_input_type(module, i);
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, type->dim, &inputs[i]), FX_OK);
        fill(&inputs[i], &random, exact);
    }
}
