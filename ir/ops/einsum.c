/* SPDX-License-Identifier: Apache-2.0 */
/* einsum: sums of products by an equation of letters. Operands are taken in one by one: what two have in common and the result
 * keeps is a batch, what nobody needs any more is summed, and the rest are rows and columns of one matrix product. */
#include "ir/ops/check.h"
#include "ir/ops/einsum_ref.h"
#include <string.h>

fx_status fx__einsum_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__einsum_bound(const fx_rt_bound *call);

enum { EQUATION, TENSORS };

/* ---- Rules
 * ----------------------------------------------------------------------------------------------------------------------- */

static const char *read_call(const fx_call *call, fx_einsum *out)
{
    int32_t ranks[FX_EINSUM_OPERANDS], n = fx__call_list_count(call, TENSORS);
    for (int32_t i = 0; i < n && i < FX_EINSUM_OPERANDS; i++) {
        const fx_type *type = fx__call_list_type(call, TENSORS, i);
        if (!type) return "an operand is missing";
        ranks[i] = type->rank;
    }
    return fx__einsum_read(call->arg[EQUATION].u.s, ranks, n, out);
}

static fx_status dtype_einsum(fx_call *call)
{
    int32_t n = fx__call_list_count(call, TENSORS);
    for (int32_t i = 0; i < n; i++) {
        const fx_type *first = fx__call_list_type(call, TENSORS, 0), *type = fx__call_list_type(call, TENSORS, i);
        if (!type || !first) return fx__call_error(call, FX_E_TYPE, "operand %d is no tensor", i);
        if (type->dtype != first->dtype)
            return fx__call_error(call, FX_E_TYPE, "operand %d is %s, the first one is %s; expected equal element types", i,
                                  fx_dtype_name(type->dtype), fx_dtype_name(first->dtype));
        call->result[0].dtype = type->dtype;
    }
    return FX_OK;
}

/* Two sizes of one letter; 1 is stretched. */
static bool join_sizes(const fx_call *call, fx_dim *size, fx_dim other)
{
    if (other == 1) return true;
    if (*size != 1) return fx__check_equal(call, *size, other, "sizes of one letter");
    *size = other;
    return true;
}

static fx_status shape_einsum(fx_call *call)
{
    fx_einsum e;
    fx_dim size[FX_EINSUM_LETTERS];
    const char *wrong = read_call(call, &e);
    if (wrong) return fx__call_error(call, FX_E_ARG, "equation \"%s\": %s", call->arg[EQUATION].u.s, wrong);
    for (int32_t i = 0; i < FX_EINSUM_LETTERS; i++) size[i] = 1;
    for (int32_t t = 0; t < e.n; t++)
        for (int32_t d = 0; d < e.operand[t].n; d++) {
            fx_dim own = fx__call_list_type(call, TENSORS, t)->dim[d];
            uint8_t letter = e.operand[t].letter[d];
            if (!join_sizes(call, &size[letter], own))
                return fx__call_error(call, FX_E_SHAPE, "dim %d of operand %d is %s, another one of its letter is %s", d, t,
                                      fx__check_dim(call, own).s, fx__check_dim(call, size[letter]).s);
        }
    call->result[0].rank = e.result.n;
    for (int32_t d = 0; d < e.result.n; d++) call->result[0].dim[d] = size[e.result.letter[d]];
    return FX_OK;
}

/* ---- Taking operands in
 * ------------------------------------------------------------------------------------------------------------ */

/* A tensor whose dims have letters. */
typedef struct term {
    fx_node *value;
    fx_einsum_term dims;
} term;

typedef struct builder {
    fx_graph *graph;
    const fx_call *call;
    const fx_einsum *e;
    bool failed;
} builder;

static int32_t position(const term *t, uint8_t letter)
{
    return fx__einsum_position(&t->dims, letter);
}

static fx_dim size_of(const term *t, int32_t i)
{
    const fx_type *type = t->value ? fx_node_type(t->value, 0) : NULL;
    return type ? type->dim[i] : 1;
}

static fx_node *emit(builder *b, fx_op_code op, fx_node *x, const fx_attr *rest, int32_t n)
{
    fx_attr args[6] = {fx_none()};
    if (x) args[0] = fx_node_attr(x);
    for (int32_t i = 0; i < n; i++) args[1 + i] = rest[i];
    fx_node *made = x && !b->failed ? fx__check_insert(b->graph, b->call, op, args, n + 1) : NULL;
    b->failed |= !made;
    return made;
}

static fx_node *permute(builder *b, fx_node *x, const int64_t *order, int32_t n)
{
    bool moves = false;
    for (int32_t i = 0; i < n; i++) moves |= order[i] != i;
    const fx_attr dims = fx_ints(b->graph, order, n);
    return moves ? emit(b, FX_OP_permute, x, &dims, 1) : x;
}

static fx_node *reshape(builder *b, fx_node *x, const fx_dim *dims, int32_t n)
{
    fx_attr items[FX_RANK];
    for (int32_t i = 0; i < n; i++) items[i] = fx_dim_attr(dims[i]);
    const fx_attr sizes = fx_list(b->graph, items, n);
    return emit(b, FX_OP_reshape, x, &sizes, 1);
}

/* Dims i < j of one size as one: their elements with equal indices are every (n + 1)-th of [n, n] in a row. */
static bool take_diagonal(builder *b, term *t, int32_t i, int32_t j)
{
    fx_dim size = size_of(t, i), flat[FX_RANK];
    int64_t order[FX_RANK];
    int32_t n = 0;
    if (!fx_dim_is_const(size) || size != size_of(t, j) || size > INT16_MAX) return false;
    for (int32_t d = 0; d < t->dims.n; d++) {
        if (d == i || d == j) continue;
        flat[n] = size_of(t, d);
        order[n++] = d;
    }
    flat[n] = size * size;
    order[n] = i;
    order[n + 1] = j;
    fx_node *row = reshape(b, permute(b, t->value, order, t->dims.n), flat, t->dims.n - 1);
    const fx_attr every[] = {fx_int(n), fx_int(0), fx_int(size * size), fx_int(size + 1)};
    t->value = emit(b, FX_OP_slice, row, every, 4);
    uint8_t letter = t->dims.letter[i];
    for (int32_t d = 0, k = 0; d < t->dims.n; d++)
        if (d != i && d != j) t->dims.letter[k++] = t->dims.letter[d];
    t->dims.letter[--t->dims.n - 1] = letter;
    return !b->failed;
}

static bool take_diagonals(builder *b, term *t)
{
    for (int32_t j = 1; j < t->dims.n; j++)
        for (int32_t i = 0; i < j; i++)
            if (t->dims.letter[i] == t->dims.letter[j]) return take_diagonal(b, t, i, j) && take_diagonals(b, t);
    return true;
}

static bool is_needed(const builder *b, const term *later, int32_t n_later, uint8_t letter)
{
    for (int32_t i = 0; i < n_later; i++)
        if (position(&later[i], letter) >= 0) return true;
    return fx__einsum_position(&b->e->result, letter) >= 0;
}

static void drop(term *t, int32_t at)
{
    t->dims.n--;
    for (int32_t i = at; i < t->dims.n; i++) t->dims.letter[i] = t->dims.letter[i + 1];
}

/* Sums over letters that neither `other` nor anybody later has. */
static void sum_alone(builder *b, term *t, const term *other, const term *later, int32_t n_later)
{
    int64_t dims[FX_RANK];
    int32_t n = 0;
    for (int32_t i = 0; i < t->dims.n; i++)
        if (!is_needed(b, later, n_later, t->dims.letter[i]) && !(other && position(other, t->dims.letter[i]) >= 0)) dims[n++] = i;
    if (n == 0) return;
    const fx_attr rest[] = {fx_ints(b->graph, dims, n), fx_bool(false), fx_dtype_attr(b->call->result[0].dtype)};
    t->value = emit(b, FX_OP_sum, t->value, rest, 3);
    for (int32_t i = n - 1; i >= 0; i--) drop(t, (int32_t)dims[i]);
}

/* Size 1 beside another size is stretched: such a dim goes from the operand that has it. */
static void drop_stretched(builder *b, term *t, const term *other)
{
    for (int32_t i = t->dims.n - 1; i >= 0; i--) {
        int32_t there = position(other, t->dims.letter[i]);
        if (there < 0 || size_of(t, i) != 1 || size_of(other, there) == 1) continue;
        const fx_attr dim = fx_ints(b->graph, &(int64_t){i}, 1);
        t->value = emit(b, FX_OP_squeeze, t->value, &dim, 1);
        drop(t, i);
    }
}

typedef struct groups {
    fx_einsum_term part[3]; /* batch, kept, summed */
} groups;

static fx_dim group_size(const builder *b, const term *t, const fx_einsum_term *group)
{
    fx_dim size = 1;
    for (int32_t i = 0; i < group->n; i++) size = fx__dim_mul(b->call->dims, size, size_of(t, position(t, group->letter[i])));
    return size;
}

/* [batch, kept, summed], or with `turned` [batch, summed, kept]. */
static fx_node *as_matrix(builder *b, const term *t, const groups *g, bool turned)
{
    const fx_einsum_term *order[] = {&g->part[0], &g->part[turned ? 2 : 1], &g->part[turned ? 1 : 2]};
    int64_t moved[FX_RANK];
    fx_dim dims[3];
    int32_t n = 0;
    for (int32_t k = 0; k < 3; k++) {
        for (int32_t i = 0; i < order[k]->n; i++) moved[n++] = position(t, order[k]->letter[i]);
        dims[k] = group_size(b, t, order[k]);
    }
    return reshape(b, permute(b, t->value, moved, n), dims, 3);
}

/* Letters of both go to the batch when somebody needs them later, else they are summed. */
static groups group_letters(const builder *b, const term *t, const term *other, const term *later, int32_t n_later)
{
    groups g = {0};
    for (int32_t i = 0; i < t->dims.n; i++) {
        uint8_t letter = t->dims.letter[i];
        fx_einsum_term *part = &g.part[position(other, letter) < 0 ? 1 : is_needed(b, later, n_later, letter) ? 0 : 2];
        part->letter[part->n++] = letter;
    }
    return g;
}

static bool append(const term *from, const fx_einsum_term *group, term *product, fx_dim *dims)
{
    for (int32_t i = 0; i < group->n; i++) {
        if (product->dims.n == FX_RANK) return false;
        dims[product->dims.n] = size_of(from, position(from, group->letter[i]));
        product->dims.letter[product->dims.n++] = group->letter[i];
    }
    return true;
}

static bool multiply(builder *b, term *x, term y, const term *later, int32_t n_later)
{
    fx_dim dims[FX_RANK];
    term product = {.value = NULL};
    drop_stretched(b, x, &y);
    drop_stretched(b, &y, x);
    sum_alone(b, x, &y, later, n_later);
    sum_alone(b, &y, x, later, n_later);
    if (b->failed) return false;
    groups of_x = group_letters(b, x, &y, later, n_later), of_y = group_letters(b, &y, x, later, n_later);
    of_y.part[0] = of_x.part[0];
    of_y.part[2] = of_x.part[2];
    if (!append(x, &of_x.part[0], &product, dims) || !append(x, &of_x.part[1], &product, dims) ||
        !append(&y, &of_y.part[1], &product, dims))
        return false;
    const fx_node *right = as_matrix(b, &y, &of_y, true);
    fx_node *left = as_matrix(b, x, &of_x, false);
    if (!left || !right) return false;
    const fx_attr second = {.kind = FX_ATTR_NODE, .u.node = (fx_node *)right};
    product.value = reshape(b, emit(b, FX_OP_bmm, left, &second, 1), dims, product.dims.n);
    *x = product;
    return !b->failed;
}

/* An operand of the list, or the only one, which may stand without a list. */
static fx_node *operand(const fx_call *call, int32_t i)
{
    const fx_attr *list = &call->arg[TENSORS];
    return list->kind == FX_ATTR_NODE ? list->u.node : list->u.items[i].u.node;
}

static fx_node *decompose_einsum(fx_graph *graph, const fx_call *call)
{
    fx_einsum e;
    term terms[FX_EINSUM_OPERANDS];
    builder b = {.graph = graph, .call = call, .e = &e};
    if (read_call(call, &e) || (call->arg[TENSORS].kind == FX_ATTR_NODE && call->arg[TENSORS].u.node->n_result != 1)) return NULL;
    for (int32_t i = 0; i < e.n; i++) {
        terms[i] = (term){operand(call, i), e.operand[i]};
        if (!take_diagonals(&b, &terms[i])) return NULL;
    }
    for (int32_t i = 1; i < e.n; i++)
        if (!multiply(&b, &terms[0], terms[i], &terms[i + 1], e.n - i - 1)) return NULL;
    sum_alone(&b, &terms[0], NULL, NULL, 0);
    int64_t order[FX_RANK];
    for (int32_t i = 0; i < e.result.n; i++) order[i] = position(&terms[0], e.result.letter[i]);
    if (b.failed) return NULL;
    fx_node *result = permute(&b, terms[0].value, order, e.result.n);
    return result == operand(call, 0) ? emit(&b, FX_OP_alias, result, NULL, 0) : result;
}

const fx_op fx_op_einsum = {
    .name = "einsum",
    .target = "torch.ops.aten.einsum.default",
    .schema = "einsum(str equation, Tensor[] tensors) -> Tensor",
    .names = "torch.einsum",
    .onnx = "Einsum",
    .family = "linear",
    .dtypes = FX_NUMBERS,
    .dtype = dtype_einsum,
    .shape = shape_einsum,
    .reference = fx__einsum_ref,
    .bound = fx__einsum_bound,
    .decompose = decompose_einsum,
    .cases = (const fx_case[]){{"('ij,jk->ik', [f32[3, 5], f32[5, 4]])", "a matrix product"},
                               {"('bhid,bhjd->bhij', [f32[2, 3, 4, 5], f32[2, 3, 6, 5]])", "scores of attention"},
                               {"('...ij,...jk', [f32[2, 1, 3, 5], f32[4, 5, 2]])", "an ellipsis, no arrow"},
                               {"('i,j->ij', [f32[3], f32[17]])", "outer"},
                               {"('ijk->ki', [f32[2, 3, 4]])", "one operand"},
                               {"('bii->bi', [f32[2, 5, 5]])", "a diagonal"},
                               {"('ii', [f32[4, 4]])", "a trace"},
                               {"('bn,anm,bm->ba', [f32[2, 3], f32[5, 3, 4], f32[2, 4]])", "three operands"},
                               {"('ij,ij->', [i32[3, 4], i32[3, 4]])", "integers"},
                               {"('ij,jk->ik', [f32[2, 0], f32[0, 3]])", "an empty sum"},
                               {"('bi,ij->bj', [f32[s0, 3], f32[3, 4]])", "symbolic"},
                               {NULL, NULL}},
};
