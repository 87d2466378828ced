/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_einsum.c: Einsum. Operands are taken in one by one: what two have in common and the result keeps is a batch, what nobody
 * needs any more is summed, and the rest are rows and columns of one matrix product. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <ctype.h>
#include <string.h>

/* A tensor whose dimensions have letters. Dimensions of an ellipsis have letters beyond the alphabet. */
typedef struct term {
    fx_attr value;
    int32_t n;
    uint8_t letter[FX_RANK];
} term;

enum { ELLIPSIS = 128, LETTERS = ELLIPSIS + FX_RANK };

typedef struct einsum {
    fx_onnx_call *call;
    term result;
    int32_t ellipsis; /* dimensions that it stands for */
} einsum;

static int32_t position(const term *t, uint8_t letter)
{
    for (int32_t i = 0; i < t->n; i++)
        if (t->letter[i] == letter) return i;
    return -1;
}

static bool bad(einsum *e, const char *what)
{
    fx__onnx_error(e->call, FX_E_UNSUPPORTED, "equation \"%s\": %s", fx__onnx_text(e->call, "equation", ""), what);
    return false;
}

/* ---- Reading the equation -------------------------------------------------------------------------------------------------------
 */

static bool add_letter(einsum *e, term *t, uint8_t letter)
{
    if (t->n == FX_RANK) return bad(e, "too many dimensions");
    if (t == &e->result && position(t, letter) >= 0) return bad(e, "the result repeats a letter");
    t->letter[t->n++] = letter;
    return true;
}

/* Letters up to ',' or '-' or the end. ellipsis: dimensions that "..." stands for. */
static bool read_term(einsum *e, const char **at, int32_t ellipsis, term *out)
{
    out->n = 0;
    for (; **at && **at != ',' && **at != '-'; (*at)++) {
        if (isspace((unsigned char)**at)) continue;
        if (isalpha((unsigned char)**at)) {
            if (!add_letter(e, out, (uint8_t) * *at)) return false;
            continue;
        }
        if (strncmp(*at, "...", 3) != 0) return bad(e, "neither a letter nor an ellipsis");
        for (int32_t i = 0; i < ellipsis; i++)
            if (!add_letter(e, out, (uint8_t)(ELLIPSIS + e->ellipsis - ellipsis + i))) return false;
        *at += 2;
    }
    return true;
}

/* Dims i < j of one size as one: their elements with equal indices are every (n + 1)-th of [n, n] in a row. */
static bool take_diagonal(einsum *e, term *t, int32_t i, int32_t j)
{
    const fx_type *type = fx__onnx_type(t->value);
    int64_t order[FX_RANK], n = 0;
    fx_dim flat[FX_RANK];
    if (!type || !fx_dim_is_const(type->dim[i]) || type->dim[i] != type->dim[j] || type->dim[i] > INT16_MAX)
        return bad(e, "a diagonal needs two equal, constant sizes");
    for (int32_t d = 0; d < t->n; d++) {
        if (d == i || d == j) continue;
        flat[n] = type->dim[d];
        order[n++] = d;
    }
    fx_dim size = type->dim[i];
    flat[n] = size * size;
    order[n] = i;
    order[n + 1] = j;
    fx_attr last = FX_EMIT(e->call, "aten.permute.default", t->value, fx__onnx_list(e->call, order, t->n));
    fx_attr row = FX_EMIT(e->call, "aten.reshape.default", last, fx__onnx_dims(e->call, flat, t->n - 1));
    t->value = FX_EMIT(e->call, "aten.slice.Tensor", row, fx_int(n), fx_int(0), fx_int(size * size), fx_int(size + 1));
    uint8_t letter = t->letter[i];
    for (int32_t d = 0, k = 0; d < t->n; d++)
        if (d != i && d != j) t->letter[k++] = t->letter[d];
    t->letter[--t->n - 1] = letter;
    return true;
}

static bool take_diagonals(einsum *e, term *t)
{
    for (int32_t j = 1; j < t->n; j++)
        for (int32_t i = 0; i < j; i++)
            if (t->letter[i] == t->letter[j]) return take_diagonal(e, t, i, j) && take_diagonals(e, t);
    return true;
}

static int32_t letters_in(const char *at)
{
    int32_t n = 0;
    for (; *at && *at != ',' && *at != '-'; at++) n += isalpha((unsigned char)*at) != 0;
    return n;
}

/* How many dimensions the operand has beyond its letters. */
static int32_t spare_dims(einsum *e, int32_t index, const char *at)
{
    const fx_type *type = fx__onnx_need_type(e->call, fx__onnx_in(e->call, index));
    return type ? type->rank - letters_in(at) : 0;
}

static const char *next_term(const char *at)
{
    at += strcspn(at, ",-");
    return *at == ',' ? at + 1 : at;
}

static bool read_terms(einsum *e, term *terms, int32_t n)
{
    const char *equation = fx__onnx_text(e->call, "equation", ""), *at = equation;
    for (int32_t i = 0; i < n; i++, at = next_term(at)) {
        int32_t spare = spare_dims(e, i, at);
        if (spare > e->ellipsis) e->ellipsis = spare;
    }
    at = equation;
    for (int32_t i = 0; i < n; i++) {
        int32_t spare = spare_dims(e, i, at);
        terms[i].value = fx__onnx_in(e->call, i);
        if (!read_term(e, &at, spare < 0 ? 0 : spare, &terms[i])) return false;
        const fx_type *type = fx__onnx_type(terms[i].value);
        if (!type || type->rank != terms[i].n) return bad(e, "a term does not fit its operand");
        if (!take_diagonals(e, &terms[i])) return false;
        if (i + 1 < n && *at++ != ',') return bad(e, "there are fewer terms than operands");
    }
    if (*at == ',') return bad(e, "there are more terms than operands");
    if (strncmp(at, "->", 2) != 0) return true;
    at += 2;
    return read_term(e, &at, e->ellipsis, &e->result) && (*at == 0 || bad(e, "something follows the result"));
}

/* Without "->": the ellipsis, then the letters that occur once, by the alphabet. */
static bool implied_result(einsum *e, const term *terms, int32_t n)
{
    for (int32_t letter = 0; letter < LETTERS; letter++) {
        uint8_t c = (uint8_t)((letter + ELLIPSIS) % LETTERS);
        int32_t uses = 0;
        for (int32_t i = 0; i < n; i++) uses += position(&terms[i], c) >= 0;
        if ((c >= ELLIPSIS ? uses > 0 : uses == 1) && !add_letter(e, &e->result, c)) return false;
    }
    return true;
}

/* ---- Taking operands in
 * ------------------------------------------------------------------------------------------------------------ */

static fx_dim size_of(const term *t, int32_t i)
{
    const fx_type *type = fx__onnx_type(t->value);
    return type ? type->dim[i] : 1;
}

static bool is_needed(const einsum *e, const term *later, int32_t n_later, uint8_t letter)
{
    for (int32_t i = 0; i < n_later; i++)
        if (position(&later[i], letter) >= 0) return true;
    return position(&e->result, letter) >= 0;
}

static void drop(term *t, int32_t at)
{
    t->n--;
    for (int32_t i = at; i < t->n; i++) t->letter[i] = t->letter[i + 1];
}

/* Sums over letters that neither `other` nor anybody later has. */
static void sum_alone(einsum *e, term *t, const term *other, const term *later, int32_t n_later)
{
    for (int32_t i = t->n - 1; i >= 0; i--) {
        if (is_needed(e, later, n_later, t->letter[i]) || (other && position(other, t->letter[i]) >= 0)) continue;
        t->value = FX_EMIT(e->call, "aten.sum.dim_IntList", t->value, fx__onnx_list(e->call, &(int64_t){i}, 1), fx_bool(false));
        drop(t, i);
    }
}

/* The value with the letters of four groups in this order, the last three groups each as one dimension (the first as it is). */
typedef struct groups {
    int32_t n[3]; /* batch, kept, summed */
    uint8_t letter[3][FX_RANK];
} groups;

static fx_dim group_size(einsum *e, const term *t, const groups *g, int32_t group)
{
    fx_dim size = 1;
    for (int32_t i = 0; i < g->n[group]; i++)
        size = fx__dim_mul(e->call->import->graph->dims, size, size_of(t, position(t, g->letter[group][i])));
    return size;
}

/* [batch, kept, summed], or with `turned` [batch, summed, kept]. */
static fx_attr as_matrix(einsum *e, const term *t, const groups *g, bool turned)
{
    int64_t order[FX_RANK];
    int32_t n = 0;
    for (int32_t k = 0; k < 3; k++) {
        int32_t group = k == 0 || !turned ? k : 3 - k;
        for (int32_t i = 0; i < g->n[group]; i++) order[n++] = position(t, g->letter[group][i]);
    }
    const fx_dim dims[] = {group_size(e, t, g, 0), group_size(e, t, g, turned ? 2 : 1), group_size(e, t, g, turned ? 1 : 2)};
    fx_attr moved = FX_EMIT(e->call, "aten.permute.default", t->value, fx__onnx_list(e->call, order, n));
    return FX_EMIT(e->call, "aten.reshape.default", moved, fx__onnx_dims(e->call, dims, 3));
}

/* Letters of both go to the batch when somebody needs them later, else they are summed. */
static groups group_letters(const einsum *e, const term *t, const term *other, const term *later, int32_t n_later)
{
    groups g = {0};
    for (int32_t i = 0; i < t->n; i++) {
        bool shared = position(other, t->letter[i]) >= 0;
        int32_t group = !shared ? 1 : is_needed(e, later, n_later, t->letter[i]) ? 0 : 2;
        g.letter[group][g.n[group]++] = t->letter[i];
    }
    return g;
}

/* Size 1 beside another size is broadcast: such a dimension goes from the operand that has it. */
static void drop_broadcast(einsum *e, term *t, const term *other)
{
    for (int32_t i = t->n - 1; i >= 0; i--) {
        int32_t there = position(other, t->letter[i]);
        if (there < 0 || size_of(t, i) != 1 || size_of(other, there) == 1) continue;
        t->value = FX_EMIT(e->call, "aten.squeeze.dim", t->value, fx_int(i));
        drop(t, i);
    }
}

static bool multiply(einsum *e, term *a, term b, const term *later, int32_t n_later)
{
    drop_broadcast(e, a, &b);
    drop_broadcast(e, &b, a);
    sum_alone(e, a, &b, later, n_later);
    sum_alone(e, &b, a, later, n_later);
    if (e->call->failed) return false;
    groups of_a = group_letters(e, a, &b, later, n_later), of_b = group_letters(e, &b, a, later, n_later);
    memcpy(of_b.letter[0], of_a.letter[0], sizeof of_a.letter[0]);
    memcpy(of_b.letter[2], of_a.letter[2], sizeof of_a.letter[2]);
    term product = {.n = 0};
    fx_dim dims[FX_RANK];
    for (int32_t k = 0; k < 3; k++) {
        const term *from = k < 2 ? a : &b;
        const groups *g = k < 2 ? &of_a : &of_b;
        int32_t group = k == 0 ? 0 : 1;
        for (int32_t i = 0; i < g->n[group]; i++) {
            if (product.n == FX_RANK) return bad(e, "an intermediate value has too many dimensions");
            dims[product.n] = size_of(from, position(from, g->letter[group][i]));
            product.letter[product.n++] = g->letter[group][i];
        }
    }
    fx_attr matrix = FX_EMIT(e->call, "aten.bmm.default", as_matrix(e, a, &of_a, false), as_matrix(e, &b, &of_b, true));
    product.value = FX_EMIT(e->call, "aten.reshape.default", matrix, fx__onnx_dims(e->call, dims, product.n));
    *a = product;
    return !e->call->failed;
}

static void give_in_order(einsum *e, const term *t)
{
    int64_t order[FX_RANK];
    for (int32_t i = 0; i < e->result.n; i++) {
        order[i] = position(t, e->result.letter[i]);
        if (order[i] < 0) {
            bad(e, "a letter of the result is in no term");
            return;
        }
    }
    FX_GIVE(e->call, "aten.permute.default", t->value, fx__onnx_list(e->call, order, e->result.n));
}

static void build_einsum(fx_onnx_call *call)
{
    einsum e = {.call = call};
    int32_t n = fx__onnx_inputs(call);
    term *terms = FX_NEW_ARRAY(call->import->arena, term, n);
    if (!terms || !read_terms(&e, terms, n)) return;
    if (!strstr(fx__onnx_text(call, "equation", ""), "->") && !implied_result(&e, terms, n)) return;
    for (int32_t i = 1; i < n; i++)
        if (!multiply(&e, &terms[0], terms[i], &terms[i + 1], n - i - 1)) return;
    sum_alone(&e, &terms[0], NULL, NULL, 0);
    if (!call->failed) give_in_order(&e, &terms[0]);
}

const fx_onnx_op fx__onnx_ops_einsum[] = {
    {"Einsum", 12, 1, FX_ONNX_ANY, 1, build_einsum},
    {0},
};
