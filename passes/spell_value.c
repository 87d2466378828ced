/* SPDX-License-Identifier: Apache-2.0 */
/* passes/spell_value.c: what Python computed beside the tensors: facts of tensors (shape, dtype, rank), tuples, their items and
 * lengths. Sizes are those that the types say, symbols included. */
#include "passes/spell.h"
#include <string.h>

/* ---- Facts of tensors ---------------------------------------------------------------------------------------------------- */

static fx_spelled fail(const fx_node *node, const char *why)
{
    fx__diag_node(node, FX_E_UNSUPPORTED, "%s", why);
    return FX_SPELL_FAILED;
}

static fx_spelled give(fx_attr value, fx_attr *out)
{
    *out = value;
    return FX_SPELL_DONE;
}

static fx_spelled give_shape(fx_node *node, const fx_type *type, fx_attr *out)
{
    fx_attr items[FX_RANK];
    for (int32_t d = 0; d < type->rank; d++) items[d] = fx_dim_attr(type->dim[d]);
    *out = fx_tuple(node->graph, items, type->rank);
    return out->kind == FX_ATTR_TUPLE ? FX_SPELL_DONE : FX_SPELL_FAILED;
}

static fx_spelled give_size(const fx_node *node, const fx_type *type, int64_t dim, fx_attr *out)
{
    if (dim >= -type->rank && dim < type->rank) return give(fx_dim_attr(type->dim[dim < 0 ? dim + type->rank : dim]), out);
    fx__diag_node(node, FX_E_INDEX, "dim %lld is outside a tensor of %d dims", (long long)dim, type->rank);
    return FX_SPELL_FAILED;
}

static fx_spelled give_count(fx_node *node, const fx_type *type, fx_attr *out)
{
    fx_dim count = 1;
    for (int32_t d = 0; d < type->rank; d++) count = fx__dim_mul(node->graph->dims, count, type->dim[d]);
    return count == FX_DIM_BAD ? fail(node, "the number of elements overflows") : give(fx_dim_attr(count), out);
}

static fx_attr word(fx_graph *graph, fx_attr_kind kind, const char *text)
{
    return (fx_attr){.kind = kind, .u.s = fx__intern(graph->context, text)};
}

/* One fact by name; dim: of size(dim), NULL: all. */
static fx_spelled fact(fx_node *node, const fx_type *type, const char *name, const fx_attr *dim, fx_attr *out)
{
    static const char *const false_facts[] = {"is_cuda", "is_sparse", "is_quantized", "is_mkldnn", "requires_grad", "is_complex"};
    if (strcmp(name, "shape") == 0 || strcmp(name, "size") == 0)
        return dim ? give_size(node, type, dim->u.i, out) : give_shape(node, type, out);
    if (strcmp(name, "dtype") == 0) return give(fx_dtype_attr(type->dtype), out);
    if (strcmp(name, "ndim") == 0 || strcmp(name, "dim") == 0 || strcmp(name, "ndimension") == 0)
        return give(fx_int(type->rank), out);
    if (strcmp(name, "element_size") == 0 || strcmp(name, "itemsize") == 0)
        return give(fx_int((int64_t)fx_dtype_bytes(type->dtype)), out);
    if (strcmp(name, "numel") == 0 || strcmp(name, "nelement") == 0) return give_count(node, type, out);
    if (strcmp(name, "device") == 0) return give(word(node->graph, FX_ATTR_DEVICE, "cpu"), out);
    if (strcmp(name, "layout") == 0) return give(word(node->graph, FX_ATTR_NAME, "torch.strided"), out);
    if (strcmp(name, "is_floating_point") == 0) return give(fx_bool(fx_dtype_is_float(type->dtype)), out);
    if (strcmp(name, "is_contiguous") == 0 || strcmp(name, "is_cpu") == 0) return give(fx_bool(true), out);
    if (strcmp(name, "__len__") == 0 || strcmp(name, "len") == 0) return give_size(node, type, 0, out);
    for (size_t i = 0; i < sizeof false_facts / sizeof false_facts[0]; i++)
        if (strcmp(name, false_facts[i]) == 0) return give(fx_bool(false), out);
    return FX_SPELL_NO;
}

static const fx_attr *keyword(const fx_node *node, const char *name)
{
    for (int32_t i = 0; i < node->kwargs.n; i++)
        if (strcmp(node->kwargs.keys[i], name) == 0) return &node->kwargs.u.items[i];
    return NULL;
}

static fx_spelled fact_of(fx_node *node, const fx_node *tensor, const char *name, const fx_attr *dim, fx_attr *out)
{
    static const fx_type nothing = {.dtype = FX_F32, .rank = 1, .dim = {1}};
    const fx_type *type = fx_node_type(tensor, 0);
    if (!type && fact(node, &nothing, name, dim ? &(fx_attr){.kind = FX_ATTR_INT} : NULL, out) == FX_SPELL_DONE)
        return fail(node, "the type of its input is not known");
    if (dim && dim->kind != FX_ATTR_INT) return FX_SPELL_NO;
    return type ? fact(node, type, name, dim, out) : FX_SPELL_NO;
}

static bool is_several(const fx_node *node)
{
    return node->op && fx__op_schema_results(node->op) != 1;
}

/* Of torch's named tuples. */
static fx_spelled field(fx_node *node, const fx_attr *tuple, const char *name, fx_attr *out)
{
    static const struct {
        const char *name;
        int64_t index;
    } fields[] = {{"values", 0}, {"indices", 1}, {"min", 0}, {"max", 1}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(name, fields[i].name) != 0) continue;
        fx_node *item = fx__core_call(node, "getitem", (fx_attr[]){*tuple, fx_int(fields[i].index)}, 2);
        return item ? give(fx_node_attr(item), out) : FX_SPELL_FAILED;
    }
    fx__diag_node(node, FX_E_UNSUPPORTED, "attribute %s of a tuple", name);
    return FX_SPELL_FAILED;
}

static fx_spelled attribute(fx_node *node, fx_attr *out)
{
    const fx_attr *object = fx__arg(node, 0), *name = fx__arg(node, 1);
    if (object->kind != FX_ATTR_NODE || name->kind != FX_ATTR_STR) return FX_SPELL_NO;
    if (is_several(object->u.node)) return field(node, object, name->u.s, out);
    if (strcmp(name->u.s, "data") == 0) return give(*object, out);
    if (strcmp(name->u.s, "T") == 0 || strcmp(name->u.s, "mT") == 0 || strcmp(name->u.s, "H") == 0) return FX_SPELL_NO;
    fx_spelled result = fact_of(node, object->u.node, name->u.s, NULL, out);
    if (result == FX_SPELL_NO) {
        fx__diag_node(node, FX_E_UNSUPPORTED, "attribute %s of a tensor", name->u.s);
        return FX_SPELL_FAILED;
    }
    return result;
}

/* x.size(), x.dim(), torch.numel(x), len(x). */
static fx_spelled call_fact(fx_node *node, const char *name, fx_attr *out)
{
    const fx_attr *object = node->args.n ? fx__arg(node, 0) : keyword(node, "input");
    const fx_attr *dim = node->args.n > 1 ? fx__arg(node, 1) : keyword(node, "dim");
    if (!object || object->kind != FX_ATTR_NODE) return FX_SPELL_NO;
    bool is_tuple = is_several(object->u.node);
    if (is_tuple && strcmp(name, "len") == 0) return give(fx_int(object->u.node->n_result), out);
    return is_tuple ? FX_SPELL_NO : fact_of(node, object->u.node, name, dim, out);
}

/* ---- Tuples --------------------------------------------------------------------------------------------------------------- */

static bool is_sequence(const fx_attr *value)
{
    return value->kind == FX_ATTR_TUPLE || value->kind == FX_ATTR_LIST;
}

static bool is_index(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_NONE;
}

static int64_t bound(const fx_attr *value, int64_t n, int64_t otherwise, bool down)
{
    if (value->kind == FX_ATTR_NONE) return otherwise;
    int64_t at = value->u.i < 0 ? value->u.i + n : value->u.i;
    int64_t lowest = down ? -1 : 0, highest = down ? n - 1 : n;
    return at < lowest ? lowest : at > highest ? highest : at;
}

/* items[start:stop:step] by Python's rules. */
static fx_spelled take_slice(fx_node *node, const fx_attr *list, const fx_attr *slice, fx_attr *out)
{
    const fx_attr *s = slice->u.items;
    if (!is_index(&s[0]) || !is_index(&s[1]) || !is_index(&s[2]))
        return fail(node, "a slice of a tuple has bounds that are not known");
    int64_t step = s[2].kind == FX_ATTR_NONE ? 1 : s[2].u.i;
    if (step == 0) return fail(node, "a slice has step 0");
    bool down = step < 0;
    int64_t at = bound(&s[0], list->n, down ? list->n - 1 : 0, down), stop = bound(&s[1], list->n, down ? -1 : list->n, down);
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, list->n);
    int32_t n = 0;
    if (!items) return FX_SPELL_FAILED;
    for (; (down ? at > stop : at < stop) && n < list->n; at += step) items[n++] = list->u.items[at];
    *out = (fx_attr){.kind = list->kind, .n = n, .u.items = items};
    return FX_SPELL_DONE;
}

static fx_spelled take_item(fx_node *node, const fx_attr *list, int64_t index, fx_attr *out)
{
    if (index >= -list->n && index < list->n) return give(list->u.items[index < 0 ? index + list->n : index], out);
    fx__diag_node(node, FX_E_INDEX, "index %lld is outside a tuple of %d", (long long)index, list->n);
    return FX_SPELL_FAILED;
}

/* Part of the results of split, chunk and the like: a tuple of getitem nodes. */
static fx_spelled take_results(fx_node *node, const fx_attr *tuple, const fx_attr *slice, fx_attr *out)
{
    int32_t n = tuple->u.node->n_result;
    fx_attr items[FX_RESULTS];
    for (int32_t i = 0; i < n && i < FX_RESULTS; i++) {
        fx_node *item = fx__core_call(node, "getitem", (fx_attr[]){*tuple, fx_int(i)}, 2);
        if (!item) return FX_SPELL_FAILED;
        items[i] = fx_node_attr(item);
    }
    const fx_attr all = {.kind = FX_ATTR_TUPLE, .n = n, .u.items = items};
    return take_slice(node, &all, slice, out);
}

static fx_spelled getitem(fx_node *node, fx_attr *out)
{
    const fx_attr *object = fx__arg(node, 0), *index = fx__arg(node, 1);
    if (is_sequence(object) && index->kind == FX_ATTR_INT) return take_item(node, object, index->u.i, out);
    if (is_sequence(object) && index->kind == FX_ATTR_SLICE) return take_slice(node, object, index, out);
    for (int32_t i = 0; object->kind == FX_ATTR_DICT && index->kind == FX_ATTR_STR && i < object->n; i++)
        if (strcmp(object->keys[i], index->u.s) == 0) return give(object->u.items[i], out);
    bool is_tuple = object->kind == FX_ATTR_NODE && is_several(object->u.node);
    return is_tuple && index->kind == FX_ATTR_SLICE ? take_results(node, object, index, out) : FX_SPELL_NO;
}

static fx_spelled concatenate(fx_node *node, fx_attr *out)
{
    const fx_attr *a = fx__arg(node, 0), *b = fx__arg(node, 1);
    if (!is_sequence(a) || a->kind != b->kind) return FX_SPELL_NO;
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, a->n + b->n);
    if (!items) return FX_SPELL_FAILED;
    for (int32_t i = 0; i < a->n + b->n; i++) items[i] = i < a->n ? a->u.items[i] : b->u.items[i - a->n];
    return give((fx_attr){.kind = a->kind, .n = a->n + b->n, .u.items = items}, out);
}

/* (1,) * n */
static fx_spelled repeat(fx_node *node, fx_attr *out)
{
    const fx_attr *list = fx__arg(node, 0), *count = fx__arg(node, 1);
    if (!is_sequence(list) || count->kind != FX_ATTR_INT) return FX_SPELL_NO;
    if (count->u.i * list->n > 1024) return fail(node, "a tuple of more than 1024 items");
    int32_t n = count->u.i > 0 ? (int32_t)count->u.i * list->n : 0;
    fx_attr *items = FX_NEW_ARRAY(node->graph->arena, fx_attr, n);
    if (!items) return FX_SPELL_FAILED;
    for (int32_t i = 0; i < n; i++) items[i] = list->u.items[i % list->n];
    return give((fx_attr){.kind = list->kind, .n = n, .u.items = items}, out);
}

/* Item by item, of numbers, which may be symbolic, or by identity of anything else without nodes. */
static bool is_plain(void *user, const fx_attr *value)
{
    (void)user;
    return value->kind != FX_ATTR_NODE && value->kind != FX_ATTR_GRAPH;
}

static fx_spelled compare(fx_node *node, bool negated, fx_attr *out)
{
    const fx_attr *a = fx__arg(node, 0), *b = fx__arg(node, 1);
    if (!fx_attr_each(a, is_plain, NULL) || !fx_attr_each(b, is_plain, NULL)) {
        bool is_none = (a->kind == FX_ATTR_NONE) != (b->kind == FX_ATTR_NONE); /* a tensor is not None */
        return is_none ? give(fx_bool(negated), out) : FX_SPELL_NO;
    }
    bool is_equal = fx_attr_equal(a, b);
    if (!is_equal && (fx__attr_has_symbol(a) || fx__attr_has_symbol(b))) return fail(node, "whether sizes are equal is not known");
    return give(fx_bool(is_equal != negated), out);
}

/* tuple(x), list(x), torch.Size(x); range(n). */
static fx_spelled make_sequence(fx_node *node, fx_attr_kind kind, fx_attr *out)
{
    if (node->args.n != 1 || !is_sequence(fx__arg(node, 0))) return FX_SPELL_NO;
    *out = *fx__arg(node, 0);
    out->kind = kind;
    return FX_SPELL_DONE;
}

/* ---- Any call ------------------------------------------------------------------------------------------------------------- */

static fx_spelled call_builtin(fx_node *node, const char *name, fx_attr *out)
{
    const fx_attr *first = node->args.n ? fx__arg(node, 0) : NULL;
    if (strcmp(name, "getattr") == 0) return node->args.n >= 2 ? attribute(node, out) : FX_SPELL_NO;
    if (strcmp(name, "len") == 0 && first && (is_sequence(first) || first->kind == FX_ATTR_DICT))
        return give(fx_int(first->n), out);
    if (strcmp(name, "len") == 0) return call_fact(node, "len", out);
    if (strcmp(name, "tuple") == 0) return make_sequence(node, FX_ATTR_TUPLE, out);
    if (strcmp(name, "list") == 0) return make_sequence(node, FX_ATTR_LIST, out);
    return FX_SPELL_NO;
}

static fx_spelled call_operator(fx_node *node, const char *name, fx_attr *out)
{
    if (node->args.n != 2) return FX_SPELL_NO;
    if (strcmp(name, "getitem") == 0) return getitem(node, out);
    if (strcmp(name, "add") == 0 || strcmp(name, "concat") == 0) return concatenate(node, out);
    if (strcmp(name, "mul") == 0) return repeat(node, out);
    if (strcmp(name, "eq") == 0 || strcmp(name, "is_") == 0) return compare(node, false, out);
    if (strcmp(name, "ne") == 0 || strcmp(name, "is_not") == 0) return compare(node, true, out);
    return FX_SPELL_NO;
}

static fx_spelled call_torch(fx_node *node, const char *target, fx_attr *out)
{
    static const struct {
        const char *target, *fact;
    } facts[] = {{"torch.numel", "numel"},
                 {"torch.is_floating_point", "is_floating_point"},
                 {"torch.is_complex", "is_complex"},
                 {"torch.ops.aten.size.default", "size"},
                 {"torch.ops.aten.size.int", "size"},
                 {"torch.ops.aten.sym_size.int", "size"},
                 {"torch.ops.aten.sym_size.default", "size"},
                 {"torch.ops.aten.sym_numel.default", "numel"},
                 {"torch.Tensor.size", "size"},
                 {"torch.Tensor.dim", "dim"}};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(target, facts[i].target) == 0) return call_fact(node, facts[i].fact, out);
    if (strcmp(target, "torch.is_tensor") == 0 && node->args.n == 1)
        return give(fx_bool(fx__arg(node, 0)->kind == FX_ATTR_NODE), out);
    if (strcmp(target, "torch.Size") == 0) return make_sequence(node, FX_ATTR_TUPLE, out);
    return fx__spell_assertion(node, out);
}

fx_spelled fx__spell_value(fx_node *node, fx_attr *out)
{
    const char *target = node->target;
    if (node->opcode == FX_CALL_METHOD) {
        static const char *const facts[] = {"size",          "dim",     "ndimension",  "numel", "nelement", "is_floating_point",
                                            "is_contiguous", "__len__", "element_size"};
        for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
            if (strcmp(target, facts[i]) == 0) return call_fact(node, target, out);
        return FX_SPELL_NO;
    }
    if (node->opcode != FX_CALL_FUNCTION) return FX_SPELL_NO;
    fx_spelled result = node->kwargs.n ? FX_SPELL_NO : fx__spell_number(node, target, out);
    if (result != FX_SPELL_NO) return result;
    if (strncmp(target, "builtins.", 9) == 0) return call_builtin(node, target + 9, out);
    if (strncmp(target, "operator.", 9) == 0) return call_operator(node, target + 9, out);
    return call_torch(node, target, out);
}
