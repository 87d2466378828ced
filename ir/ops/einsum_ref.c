/* SPDX-License-Identifier: Apache-2.0 */
/* The equation of einsum and its reference kernel: for each element of the result, a loop over all letters that it lacks. */
#include "ir/ops/einsum_ref.h"
#include "ir/ops/contract_ref.h"
#include <math.h>
#include <string.h>

fx_status fx__einsum_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__einsum_bound(const fx_rt_bound *call);

/* ---- The equation
 * ---------------------------------------------------------------------------------------------------------------- */

int32_t fx__einsum_position(const fx_einsum_term *term, uint8_t letter)
{
    for (int32_t i = 0; i < term->n; i++)
        if (term->letter[i] == letter) return i;
    return -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool ends_term(char c)
{
    return !c || c == ',' || c == '-';
}

/* Letters up to a comma, an arrow or the end. Dims that "..." stands for are `spare`, the last ones of `most`. */
static const char *read_term(const char **at, int32_t spare, int32_t most, fx_einsum_term *out)
{
    out->n = 0;
    for (; !ends_term(**at); (*at)++) {
        bool is_ellipsis = strncmp(*at, "...", 3) == 0;
        if (**at == ' ') continue;
        if (!is_ellipsis && !is_letter(**at)) return "neither a letter nor an ellipsis";
        int32_t count = is_ellipsis ? spare : 1;
        if (count < 0 || out->n + count > FX_RANK) return "a term does not fit its operand";
        for (int32_t i = 0; i < count; i++)
            out->letter[out->n++] = is_ellipsis ? (uint8_t)(FX_EINSUM_ELLIPSIS + most - spare + i) : (uint8_t) * *at;
        if (is_ellipsis) *at += 2;
    }
    return NULL;
}

/* Dims that an operand of this rank has beyond the letters of its term; moves to the next one. */
static int32_t spare_dims(const char **at, int32_t rank)
{
    int32_t letters = 0;
    for (; !ends_term(**at); (*at)++) letters += is_letter(**at);
    if (**at == ',') (*at)++;
    return rank - letters;
}

/* Without "->": the ellipsis, then the letters that occur once in all, by the alphabet. */
static const char *imply_result(fx_einsum *e)
{
    int32_t uses[FX_EINSUM_LETTERS] = {0};
    for (int32_t i = 0; i < e->n; i++)
        for (int32_t d = 0; d < e->operand[i].n; d++) uses[e->operand[i].letter[d]]++;
    for (int32_t k = 0; k < FX_EINSUM_LETTERS; k++) {
        int32_t letter = (k + FX_EINSUM_ELLIPSIS) % FX_EINSUM_LETTERS;
        if (letter >= FX_EINSUM_ELLIPSIS ? uses[letter] == 0 : uses[letter] != 1) continue;
        if (e->result.n == FX_RANK) return "the result has too many dims";
        e->result.letter[e->result.n++] = (uint8_t)letter;
    }
    return NULL;
}

static const char *check_result(const fx_einsum *e)
{
    for (int32_t i = 0; i < e->result.n; i++) {
        bool is_known = false;
        for (int32_t t = 0; t < e->n; t++) is_known |= fx__einsum_position(&e->operand[t], e->result.letter[i]) >= 0;
        if (!is_known) return "a letter of the result is in no term";
        if (fx__einsum_position(&e->result, e->result.letter[i]) != i) return "the result repeats a letter";
    }
    return NULL;
}

static const char *read_terms(const char **at, const int32_t *ranks, int32_t most, fx_einsum *out)
{
    for (int32_t i = 0; i < out->n; i++) {
        const char *end = *at;
        const char *wrong = read_term(at, spare_dims(&end, ranks[i]), most, &out->operand[i]);
        if (wrong) return wrong;
        if (out->operand[i].n != ranks[i]) return "a term does not fit its operand";
        if (i + 1 < out->n && *(*at)++ != ',') return "there are fewer terms than operands";
    }
    return **at == ',' ? "there are more terms than operands" : NULL;
}

const char *fx__einsum_read(const char *equation, const int32_t *ranks, int32_t n, fx_einsum *out)
{
    const char *at = equation;
    int32_t most = 0;
    *out = (fx_einsum){.n = n};
    if (n < 1 || n > FX_EINSUM_OPERANDS) return "there are no operands, or more than 16";
    for (int32_t i = 0; i < n; i++) {
        int32_t spare = spare_dims(&at, ranks[i]);
        if (spare > most) most = spare;
    }
    if (most > FX_RANK) return "too many dims";
    at = equation;
    const char *wrong = read_terms(&at, ranks, most, out);
    if (wrong) return wrong;
    if (!*at) return imply_result(out);
    if (strncmp(at, "->", 2) != 0) return "something follows the terms";
    at += 2;
    wrong = read_term(&at, most, most, &out->result);
    if (wrong) return wrong;
    return *at ? "something follows the result" : check_result(out);
}

/* ---- The sum
 * ----------------------------------------------------------------------------------------------------------------------- */

/* All letters, those of the result first. */
typedef struct space {
    int32_t n, n_result;
    uint8_t letter[FX_EINSUM_LETTERS];
    int64_t size[FX_EINSUM_LETTERS];
    int32_t place[FX_EINSUM_LETTERS]; /* by letter */
} space;

static int64_t terms_of(const space *s)
{
    int64_t terms = 1;
    for (int32_t i = s->n_result; i < s->n; i++) terms *= s->size[i];
    return terms;
}

static void add_letter(space *s, uint8_t letter, int64_t size)
{
    int32_t at = 0;
    while (at < s->n && s->letter[at] != letter) at++;
    if (at == s->n) {
        s->letter[s->n] = letter;
        s->size[s->n++] = 1;
    }
    s->place[letter] = at;
    if (size != 1) s->size[at] = size; /* a size of 1 is stretched */
}

static void span(const fx_einsum *e, const fx_tensor *operands, space *s)
{
    *s = (space){.n = 0};
    for (int32_t i = 0; i < e->result.n; i++) add_letter(s, e->result.letter[i], 1);
    s->n_result = s->n;
    for (int32_t t = 0; t < e->n; t++)
        for (int32_t d = 0; d < e->operand[t].n; d++) add_letter(s, e->operand[t].letter[d], operands[t].dim[d]);
}

static void coordinates(const space *s, const fx_einsum_term *term, const fx_tensor *tensor, const int64_t *at, int64_t *out)
{
    for (int32_t d = 0; d < term->n; d++) out[d] = tensor->dim[d] == 1 ? 0 : at[s->place[term->letter[d]]];
}

/* How factors are read: as they are, their sizes, or sizes with their errors. */
typedef enum reading { VALUES, SIZES, WITH_ERRORS } reading;

typedef struct summing {
    const fx_einsum *e;
    const space *s;
    const fx_tensor *operands, *errors; /* errors: NULL where exact */
    reading how;
} summing;

static long double factor_at(const summing *sum, int32_t t, const int64_t *at)
{
    int64_t own[FX_RANK];
    coordinates(sum->s, &sum->e->operand[t], &sum->operands[t], at, own);
    double value = fx__ref_get(&sum->operands[t], own);
    if (sum->how == VALUES) return value;
    bool has_error = sum->how == WITH_ERRORS && sum->errors && sum->errors[t].data;
    return fabs(value) + (has_error ? fx__ref_get(&sum->errors[t], own) : 0);
}

/* The last of n counters first; false when all have been at every value. */
static bool advance(const int64_t *size, int32_t n, int64_t *at)
{
    for (int32_t i = n - 1; i >= 0; i--) {
        if (++at[i] < size[i]) return true;
        at[i] = 0;
    }
    return false;
}

static long double sum_at(const summing *sum, int64_t *at)
{
    const space *s = sum->s;
    long double total = 0;
    if (terms_of(s) == 0) return 0;
    do {
        long double product = 1;
        for (int32_t t = 0; t < sum->e->n; t++) product *= factor_at(sum, t, at);
        total += product;
    } while (advance(s->size + s->n_result, s->n - s->n_result, at + s->n_result));
    return total;
}

/* Integers wrap round. */
static int64_t whole_sum_at(const summing *sum, int64_t *at)
{
    const space *s = sum->s;
    uint64_t total = 0;
    int64_t own[FX_RANK];
    if (terms_of(s) == 0) return 0;
    do {
        uint64_t product = 1;
        for (int32_t t = 0; t < sum->e->n; t++) {
            coordinates(s, &sum->e->operand[t], &sum->operands[t], at, own);
            product *= (uint64_t)fx__ref_load(&sum->operands[t], own).i;
        }
        total += product;
    } while (advance(s->size + s->n_result, s->n - s->n_result, at + s->n_result));
    return (int64_t)total;
}

static bool read_call(const fx_rt_arg *args, fx_einsum *e, space *s)
{
    int32_t ranks[FX_EINSUM_OPERANDS];
    for (int32_t i = 0; i < args[1].n && i < FX_EINSUM_OPERANDS; i++) ranks[i] = args[1].u.tensor[i].rank;
    if (fx__einsum_read(args[0].u.s, ranks, args[1].n, e)) return false;
    span(e, args[1].u.tensor, s);
    return true;
}

fx_status fx__einsum_ref(const fx_rt_arg *args, fx_tensor *results)
{
    fx_einsum e;
    space s;
    int64_t at[FX_EINSUM_LETTERS] = {0};
    if (!read_call(args, &e, &s)) return FX_E_ARG;
    if (fx__ref_empty(results->rank, results->dim)) return FX_OK;
    const summing sum = {&e, &s, args[1].u.tensor, NULL, VALUES};
    do {
        int64_t to[FX_RANK];
        memcpy(to, at, sizeof to);
        if (fx_dtype_is_float(results->dtype))
            fx__ref_set(results, to, (double)sum_at(&sum, at));
        else
            fx__ref_store(results, to, (fx_imm){.i = whole_sum_at(&sum, at)});
    } while (advance(s.size, s.n_result, at));
    return FX_OK;
}

/* What the errors of the factors make of it, the rounding of each product and sum, and that of what is stored between two operands
 * in the result's type: at most two values for each. */
fx_status fx__einsum_bound(const fx_rt_bound *call)
{
    fx_einsum e;
    space s;
    int64_t at[FX_EINSUM_LETTERS] = {0};
    if (!read_call(call->args, &e, &s)) return FX_E_ARG;
    if (fx__ref_empty(call->errors->rank, call->errors->dim)) return FX_OK;
    const fx_tensor *errors = call->arg_errors[1].kind == FX_RT_TENSORS ? call->arg_errors[1].u.tensor : NULL;
    summing sum = {&e, &s, call->args[1].u.tensor, errors, SIZES};
    double rounding = (double)(terms_of(&s) + e.n + 2) * call->eps + 2 * e.n * fx__ref_eps(call->results->dtype);
    do {
        int64_t to[FX_RANK];
        memcpy(to, at, sizeof to);
        sum.how = SIZES;
        double exact = (double)sum_at(&sum, at);
        sum.how = WITH_ERRORS;
        double with_errors = (double)sum_at(&sum, at);
        fx__ref_set(call->errors, to, with_errors - exact + rounding * with_errors);
    } while (advance(s.size, s.n_result, at));
    return FX_OK;
}
