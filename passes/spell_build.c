/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_build.c: spellings that need more than an expression: conversions, indices with tensors, resizing, moved dims,
 * variances. Each receives the arguments in the order of its signature in passes/spell_table.c. */
#include "passes/mutate.h"
#include "passes/spell.h"
#include <math.h>
#include <string.h>

fx_spelled fx__spell_fail(const fx_node *node, const char *why)
{
    fx__diag_node(node, FX_E_UNSUPPORTED, "%s", why);
    return FX_SPELL_FAILED;
}

const fx_type *fx__spell_type(const fx_node *node, const fx_attr *value)
{
    const fx_type *type = value->kind == FX_ATTR_NODE ? fx_node_type(value->u.node, 0) : NULL;
    if (!type) fx__diag_node(node, FX_E_UNSUPPORTED, "the type of its input is not known");
    return type;
}

int32_t fx__spell_dim(const fx_node *node, int64_t dim, int32_t rank)
{
    int32_t room = rank ? rank : 1;
    if (dim >= -room && dim < room) return (int32_t)(dim < 0 ? dim + room : dim);
    fx__diag_node(node, FX_E_INDEX, "dim %lld is outside a tensor of %d dims", (long long)dim, rank);
    return -1;
}

bool fx__spell_is_called(const fx_node *node, const char *name)
{
    const char *at = strstr(node->target, name);
    size_t n = strlen(name);
    return at && (at == node->target || at[-1] == '.') && (!at[n] || at[n] == '.' || at[n] == '_');
}

static fx_spelled give(fx_node *made, fx_attr *out)
{
    if (!made) return FX_SPELL_FAILED;
    *out = fx_node_attr(made);
    return FX_SPELL_DONE;
}

#define CALL(node, name, ...)                                                                                                      \
    fx__core_call((node), (name), (fx_attr[]){__VA_ARGS__}, (int32_t)(sizeof((fx_attr[]){__VA_ARGS__}) / sizeof(fx_attr)))

/* ---- x.to(...) ------------------------------------------------------------------------------------------------------------ */

/* A dtype or another tensor anywhere among the arguments converts; devices and the rest say nothing. */
fx_spelled fx__spell_build_to(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    enum { LAST = 8, COPY = 12 };
    const char *cast = arg[COPY].kind == FX_ATTR_BOOL && arg[COPY].u.i ? "_to_copy(x, dtype)" : "cast(x, dtype)";
    for (int i = 1; i <= LAST; i++) {
        if (arg[i].kind == FX_ATTR_DTYPE) return fx__spell_evaluate(node, "x dtype", (fx_attr[]){arg[0], arg[i]}, cast, out);
        if (arg[i].kind == FX_ATTR_NAME && i == 6) return fx__spell_fail(node, "fxjit has no such dtype");
        if (arg[i].kind != FX_ATTR_NODE) continue;
        const fx_type *type = fx__spell_type(node, &arg[i]);
        if (!type) return FX_SPELL_FAILED;
        return fx__spell_evaluate(node, "x dtype", (fx_attr[]){arg[0], fx_dtype_attr(type->dtype)}, cast, out);
    }
    *out = arg[0];
    return FX_SPELL_DONE;
}

/* ---- Indices --------------------------------------------------------------------------------------------------------------- */

/* x[[0, 2]]: the list as a constant. */
static fx_node *constant_index(fx_node *node, const fx_attr *list)
{
    fx_graph *graph = node->graph;
    fx_module *module = fx__module_ensure(graph);
    fx_tensor tensor;
    for (int32_t i = 0; i < list->n; i++) {
        if (list->u.items[i].kind == FX_ATTR_INT) continue;
        fx__spell_fail(node, "a list as index holds something else than integers");
        return NULL;
    }
    if (!module || fx_tensor_alloc(FX_I64, 1, (int64_t[]){list->n}, &tensor) != FX_OK) return NULL;
    for (int32_t i = 0; i < list->n; i++) ((int64_t *)tensor.data)[i] = list->u.items[i].u.i;
    const char *path = fx__module_add_constant(module, "index", &tensor, fx__module_release_tensor, NULL);
    if (!path) {
        fx_tensor_release(&tensor);
        return NULL;
    }
    fx_point point = fx_graph_insert_before(graph, node);
    fx_node *made = fx_graph_get_attr(graph, path);
    fx_graph_set_point(graph, point);
    return made;
}

typedef struct indexing {
    fx_node *node, *x;
    fx_attr tensors[FX_RANK]; /* by dim of x; NONE: all of it */
    int32_t dim;
    bool has_tensor;
} indexing;

static int32_t count_dims(const fx_attr *items, int32_t n)
{
    int32_t taken = 0;
    for (int32_t i = 0; i < n; i++) taken += items[i].kind != FX_ATTR_NONE && items[i].kind != FX_ATTR_ELLIPSIS;
    return taken;
}

static bool use_tensor(indexing *in, fx_node *tensor)
{
    if (!tensor || in->dim >= FX_RANK) return false;
    in->tensors[in->dim++] = fx_node_attr(tensor);
    in->has_tensor = true;
    return true;
}

/* As torch does: what is no tensor is a view that is taken at once, dim by dim; tensors select afterwards, all together. */
static bool use_item(indexing *in, const fx_attr *items, int32_t i, int32_t n)
{
    const fx_type *type = fx_node_type(in->x, 0);
    const fx_attr *item = &items[i], x = fx_node_attr(in->x), dim = fx_int(in->dim);
    switch (item->kind) {
    case FX_ATTR_NODE:
        return use_tensor(in, item->u.node);
    case FX_ATTR_LIST:
        return use_tensor(in, constant_index(in->node, item));
    case FX_ATTR_INT:
    case FX_ATTR_SYMINT:
        in->x = CALL(in->node, "select", x, dim, *item);
        return in->x != NULL;
    case FX_ATTR_NONE:
        in->x = CALL(in->node, "unsqueeze", x, dim);
        in->dim++;
        return in->x != NULL;
    case FX_ATTR_ELLIPSIS:
        if (!type || type->rank - count_dims(items + i + 1, n - i - 1) < in->dim) break; /* more items than dims */
        in->dim = type->rank - count_dims(items + i + 1, n - i - 1);
        return true;
    case FX_ATTR_SLICE: {
        const fx_attr *s = item->u.items, step = s[2].kind == FX_ATTR_NONE ? fx_int(1) : s[2];
        bool takes_all = s[0].kind == FX_ATTR_NONE && s[1].kind == FX_ATTR_NONE && step.kind == FX_ATTR_INT && step.u.i == 1;
        if (!takes_all) in->x = CALL(in->node, "slice", x, dim, s[0], s[1], step);
        in->dim++;
        return in->x != NULL;
    }
    default:
        break;
    }
    fx__diag_node(in->node, FX_E_UNSUPPORTED, "item %d of the index cannot be used", (int)i);
    return false;
}

fx_spelled fx__spell_build_index(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    indexing in = {.node = node, .x = arg[0].u.node};
    const fx_attr *items = arg[1].kind == FX_ATTR_TUPLE ? arg[1].u.items : &arg[1];
    int32_t n = arg[1].kind == FX_ATTR_TUPLE ? arg[1].n : 1;
    for (int32_t i = 0; i < n; i++)
        if (in.dim >= FX_RANK || !use_item(&in, items, i, n)) return FX_SPELL_FAILED;
    if (!in.has_tensor) return give(in.x, out);
    int32_t last = FX_RANK;
    while (in.tensors[last - 1].kind == FX_ATTR_NONE) last--;
    return give(CALL(node, "index", fx_node_attr(in.x), fx_list(node->graph, in.tensors, last)), out);
}

/* ---- Dims ------------------------------------------------------------------------------------------------------------------ */

fx_spelled fx__spell_build_reverse(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    int64_t dims[FX_RANK];
    const fx_type *type = fx__spell_type(node, &arg[0]);
    if (!type) return FX_SPELL_FAILED;
    for (int32_t d = 0; d < type->rank; d++) dims[d] = type->rank - 1 - d;
    return give(CALL(node, "permute", arg[0], fx_ints(node->graph, dims, type->rank)), out);
}

fx_spelled fx__spell_build_movedim(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int64_t dims[FX_RANK];
    bool moved[FX_RANK] = {false};
    if (!type) return FX_SPELL_FAILED;
    for (int32_t d = 0; d < type->rank; d++) dims[d] = -1;
    if (arg[1].n != arg[2].n) return fx__spell_fail(node, "source and destination differ in length");
    for (int32_t i = 0; i < arg[1].n; i++) {
        int64_t from = arg[1].u.items[i].u.i, to = arg[2].u.items[i].u.i;
        from += from < 0 ? type->rank : 0;
        to += to < 0 ? type->rank : 0;
        if (from < 0 || from >= type->rank || to < 0 || to >= type->rank || moved[from] || dims[to] >= 0)
            return fx__spell_fail(node, "a dim is out of range or named twice");
        moved[from] = true;
        dims[to] = from;
    }
    for (int32_t d = 0, next = 0; d < type->rank; d++) {
        if (dims[d] >= 0) continue;
        while (moved[next]) next++;
        dims[d] = next++;
    }
    return give(CALL(node, "permute", arg[0], fx_ints(node->graph, dims, type->rank)), out);
}

/* ---- Resizing -------------------------------------------------------------------------------------------------------------- */

static const fx_attr *entry(const fx_attr *value, int32_t i, int32_t n)
{
    bool is_list = value->kind == FX_ATTR_LIST || value->kind == FX_ATTR_TUPLE;
    if (!is_list) return value;
    return value->n == n ? &value->u.items[i] : NULL;
}

static bool is_whole(double value)
{
    return fabs(value) < 0x1p52 && nearbyint(value) >= value && nearbyint(value) <= value;
}

/* floor(size * scale) */
static fx_attr scaled(const fx_node *node, fx_dim size, double scale)
{
    if (fx_dim_is_const(size)) return fx_int((int64_t)floor((double)size * scale));
    fx_dim product = is_whole(scale) ? fx__dim_mul(node->graph->dims, size, (int64_t)scale) : FX_DIM_BAD;
    if (product == FX_DIM_BAD) fx__spell_fail(node, "a symbolic size times a fraction");
    return product == FX_DIM_BAD ? fx_none() : fx_dim_attr(product);
}

/* Sizes and scales of the n last dims; scales are None where sizes are given. */
static bool read_sizes(fx_node *node, const fx_type *type, const fx_attr *arg, int32_t n, fx_attr *sizes, fx_attr *scales)
{
    bool recomputed = arg[5].kind == FX_ATTR_BOOL && arg[5].u.i;
    for (int32_t i = 0; i < n; i++) {
        scales[i] = fx_none();
        if (arg[1].kind != FX_ATTR_NONE) {
            const fx_attr *size = entry(&arg[1], i, n);
            if (!size || (size->kind != FX_ATTR_INT && size->kind != FX_ATTR_SYMINT))
                return fx__spell_fail(node, "size is no list of sizes"), false;
            sizes[i] = *size;
            continue;
        }
        const fx_attr *scale = entry(&arg[2], i, n);
        bool is_number = scale && (scale->kind == FX_ATTR_FLOAT || scale->kind == FX_ATTR_INT);
        if (!is_number) return fx__spell_fail(node, "neither size nor scale_factor is given as numbers"), false;
        double factor = scale->kind == FX_ATTR_INT ? (double)scale->u.i : scale->u.f;
        sizes[i] = scaled(node, type->dim[2 + i], factor);
        if (sizes[i].kind == FX_ATTR_NONE) return false;
        if (!recomputed) scales[i] = fx_float(factor);
    }
    return true;
}

static const struct {
    const char *mode;
    int32_t n;
    const char *row;
    bool aligns;
} resizes[] = {{"nearest", 1, "upsample_nearest1d", false},
               {"nearest", 2, "upsample_nearest2d", false},
               {"nearest", 3, "upsample_nearest3d", false},
               {"linear", 1, "upsample_linear1d", true},
               {"bilinear", 2, "upsample_bilinear2d", true},
               {"trilinear", 3, "upsample_trilinear3d", true},
               {"bicubic", 2, "upsample_bicubic2d", true},
               {"nearest-exact", 1, "upsample_nearest_exact1d", false},
               {"nearest-exact", 2, "upsample_nearest_exact2d", false},
               {"nearest-exact", 3, "upsample_nearest_exact3d", false},
               {"area", 1, "adaptive_avg_pool1d", false},
               {"area", 2, "adaptive_avg_pool2d", false},
               {"area", 3, "adaptive_avg_pool3d", false}};

fx_spelled fx__spell_build_interpolate(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    enum { SPATIAL = 3 };
    const fx_type *type = fx__spell_type(node, &arg[0]);
    fx_attr sizes[SPATIAL], args[2 + 1 + SPATIAL];
    if (!type) return FX_SPELL_FAILED;
    int32_t n = type->rank - 2, n_args = 2;
    for (size_t i = 0; i < sizeof resizes / sizeof resizes[0]; i++) {
        if (strcmp(resizes[i].mode, arg[3].u.s) != 0 || resizes[i].n != n) continue;
        if (resizes[i].aligns) args[n_args++] = fx_bool(arg[4].kind == FX_ATTR_BOOL && arg[4].u.i);
        if (!read_sizes(node, type, arg, n, sizes, args + n_args)) return FX_SPELL_FAILED;
        args[0] = arg[0];
        args[1] = fx_list(node->graph, sizes, n);
        return give(fx__core_call(node, resizes[i].row, args, resizes[i].mode[0] == 'a' ? 2 : n_args + n), out);
    }
    fx__diag_node(node, FX_E_UNSUPPORTED, "mode '%s' on a tensor of %d dims", arg[3].u.s, type->rank);
    return FX_SPELL_FAILED;
}

/* ---- Variances -------------------------------------------------------------------------------------------------------------- */

/* Number of elements that one result is made of; -1: not constant, which is reported. */
static int64_t reduced_count(const fx_node *node, const fx_type *type, const fx_attr *dims)
{
    int64_t count = 1;
    int32_t n = dims->kind == FX_ATTR_NONE || dims->n == 0 ? type->rank : dims->n;
    for (int32_t i = 0; i < n; i++) {
        int64_t d = n == type->rank && (dims->kind == FX_ATTR_NONE || dims->n == 0) ? i : dims->u.items[i].u.i;
        d += d < 0 ? type->rank : 0;
        fx_dim size = d >= 0 && d < type->rank ? type->dim[d] : FX_DIM_BAD;
        if (size < 0 || __builtin_mul_overflow(count, size, &count)) {
            fx__spell_fail(node, "the number of elements is not constant");
            return -1;
        }
    }
    return count;
}

static int64_t correction_of(const fx_attr *unbiased, const fx_attr *correction)
{
    if (correction->kind == FX_ATTR_INT) return correction->u.i;
    return unbiased->kind == FX_ATTR_BOOL ? unbiased->u.i : 1;
}

fx_spelled fx__spell_build_variance(fx_node *node, const fx_attr *arg, fx_attr *out)
{
    static const fx_attr absent = {.kind = FX_ATTR_NONE};
    bool is_short = arg[1].kind == FX_ATTR_BOOL; /* (self, unbiased) */
    const fx_attr *dims = is_short ? &absent : &arg[1], keepdim = is_short ? fx_bool(false) : arg[3], yes = fx_bool(true);
    const fx_type *type = fx__spell_type(node, &arg[0]);
    int64_t count = type ? reduced_count(node, type, dims) : -1;
    if (count < 0) return FX_SPELL_FAILED;
    int64_t divisor = count - correction_of(is_short ? &arg[1] : &arg[2], is_short ? &absent : &arg[4]);
    fx_node *mean = CALL(node, "mean", arg[0], *dims, yes), *off = mean ? CALL(node, "sub", arg[0], fx_node_attr(mean)) : NULL;
    fx_node *square = off ? CALL(node, "mul", fx_node_attr(off), fx_node_attr(off)) : NULL;
    fx_node *sum = square ? CALL(node, "sum", fx_node_attr(square), *dims, keepdim) : NULL;
    fx_node *result = sum ? CALL(node, "div", fx_node_attr(sum), fx_float(divisor > 0 ? (double)divisor : 0)) : NULL;
    if (result && fx__spell_is_called(node, "std")) result = CALL(node, "sqrt", fx_node_attr(result));
    if (!result || !strstr(node->target, "_mean")) return give(result, out);
    fx_node *kept = CALL(node, "mean", arg[0], *dims, keepdim);
    if (!kept) return FX_SPELL_FAILED;
    const fx_attr both = fx_list(node->graph, (fx_attr[]){fx_node_attr(result), fx_node_attr(kept)}, 2);
    return give(CALL(node, "tuple", both), out);
}
