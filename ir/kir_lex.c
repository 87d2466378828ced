/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_lex.c: the words of a program's text: punctuation, names, strings, numbers, sizes. Text may be hostile: nothing here reads
 * behind the end, recurses, or trusts a length. */
#include "ir/kir_lex.h"
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool fx__klex_fail(fx_kparser *p, const char *format, ...)
{
    if (p->failed) return false;
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fx_loc loc = {.file = p->name, .line = p->line};
    fx__diag(p->context, FX_E_FORMAT, &loc, "program text: %s", message);
    p->failed = true;
    p->errors++;
    return false;
}

static char peek(const fx_kparser *p)
{
    return p->at < p->end ? *p->at : 0;
}
static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void fx__klex_skip(fx_kparser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\r')) p->at++;
    if (peek(p) != '#') return;
    while (p->at < p->end && *p->at != '\n') p->at++;
}

void fx__klex_skip_lines(fx_kparser *p)
{
    for (fx__klex_skip(p); peek(p) == '\n'; fx__klex_skip(p)) {
        p->at++;
        p->line++;
    }
}

bool fx__klex_at_end(fx_kparser *p)
{
    fx__klex_skip(p);
    return p->at >= p->end || *p->at == '\n';
}

void fx__klex_next_line(fx_kparser *p)
{
    while (p->at < p->end && *p->at != '\n') p->at++;
}

bool fx__klex_peek(fx_kparser *p, char c)
{
    fx__klex_skip(p);
    return !p->failed && p->at < p->end && *p->at == c;
}

bool fx__klex_accept(fx_kparser *p, char c)
{
    if (!fx__klex_peek(p, c)) return false;
    p->at++;
    return true;
}

bool fx__klex_expect(fx_kparser *p, char c)
{
    if (fx__klex_accept(p, c)) return true;
    char found = peek(p);
    if (found >= 32 && found < 127) return fx__klex_fail(p, "'%c' found, '%c' expected", found, c);
    return fx__klex_fail(p, "'%c' expected", c);
}

bool fx__klex_peek_word(const fx_kparser *p)
{
    return !p->failed && is_letter(peek(p));
}

/* Bytes of the word that starts here; 0: none. */
static size_t word_bytes(const fx_kparser *p)
{
    const char *c = p->at;
    if (c >= p->end || !is_letter(*c)) return 0;
    while (c < p->end && (is_letter(*c) || is_digit(*c) || *c == '.')) c++;
    return (size_t)(c - p->at);
}

bool fx__klex_word(fx_kparser *p, char out[FX_WORD_BYTES])
{
    fx__klex_skip(p);
    size_t bytes = word_bytes(p);
    out[0] = 0;
    if (p->failed) return false;
    if (bytes == 0) return fx__klex_fail(p, "a name expected");
    if (bytes >= FX_WORD_BYTES)
        return fx__klex_fail(p, "a name of %zu characters; at most %d are allowed", bytes, FX_WORD_BYTES - 1);
    memcpy(out, p->at, bytes);
    out[bytes] = 0;
    p->at += bytes;
    return true;
}

bool fx__klex_accept_word(fx_kparser *p, const char *word)
{
    fx__klex_skip(p);
    size_t bytes = word_bytes(p);
    if (p->failed || bytes != strlen(word) || memcmp(p->at, word, bytes) != 0) return false;
    p->at += bytes;
    return true;
}

bool fx__klex_expect_word(fx_kparser *p, const char *word)
{
    return fx__klex_accept_word(p, word) || fx__klex_fail(p, "\"%s\" expected", word);
}

/* Digits with a sign before them; behind the text stands a NUL, so strtoll ends there. */
bool fx__klex_int(fx_kparser *p, int64_t lo, int64_t hi, int64_t *out)
{
    fx__klex_skip(p);
    if (p->failed) return false;
    const char *digits = p->at + (peek(p) == '-');
    if (digits >= p->end || !is_digit(*digits)) return fx__klex_fail(p, "a number expected");
    char *end;
    errno = 0;
    long long value = strtoll(p->at, &end, 10);
    if (errno || value < lo || value > hi)
        return fx__klex_fail(p, "%.*s found, a number from %" PRId64 " to %" PRId64 " expected",
                             (int)(end - p->at > 24 ? 24 : end - p->at), p->at, lo, hi);
    p->at = end;
    *out = value;
    return true;
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a string; -1 at its end, -2 after a problem. */
static int string_char(fx_kparser *p)
{
    char c = peek(p);
    if (c == 0 || c == '\n') return -2;
    p->at++;
    if (c == '"') return -1;
    if (c != '\\') return (unsigned char)c;
    c = peek(p);
    if (c == '"' || c == '\\') {
        p->at++;
        return c;
    }
    if (c != 'x' || p->end - p->at < 3 || hex_digit(p->at[1]) < 0 || hex_digit(p->at[2]) < 0) return -2;
    int value = hex_digit(p->at[1]) * 16 + hex_digit(p->at[2]);
    p->at += 3;
    return value ? value : -2;
}

const char *fx__klex_string(fx_kparser *p)
{
    if (!fx__klex_expect(p, '"')) return NULL;
    fx_text text;
    fx__text_init(&text, p->context);
    int c = string_char(p);
    for (; c >= 0; c = string_char(p)) fx__text_put(&text, (char[]){(char)c}, 1);
    char *copy = fx__text_finish(&text);
    const char *out = copy ? fx__intern(p->context, copy) : NULL;
    fx_text_free(copy);
    if (c == -2) fx__klex_fail(p, "a string without end, or with a bad escape");
    if (!out) p->failed = true;
    return p->failed ? NULL : out;
}

const char *fx__klex_name(fx_kparser *p)
{
    char word[FX_WORD_BYTES];
    if (fx__klex_peek(p, '"')) return fx__klex_string(p);
    if (!fx__klex_word(p, word)) return NULL;
    const char *out = fx__intern(p->context, word);
    if (!out) p->failed = true;
    return out;
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------------------- */

/* A plain integer is its own size; anything else is read by the table of dimensions. */
bool fx__klex_dim(fx_kparser *p, fx_dim *out)
{
    fx__klex_skip(p);
    if (p->failed) return false;
    const char *c = p->at + (peek(p) == '-');
    bool digits = c < p->end && is_digit(*c);
    while (c < p->end && is_digit(*c)) c++;
    while (c < p->end && *c == ' ') c++;
    if (digits && (c >= p->end || !strchr("*+-/%", *c) || *c == 0)) return fx__klex_int(p, FX_DIM_EXPR / 2, INT64_MAX, out);
    *out = fx__dim_parse(p->program->dims, &p->at);
    return *out != FX_DIM_BAD || fx__klex_fail(p, "not a size, or a size with an unknown symbol");
}

bool fx__klex_coef(fx_kparser *p, fx_dim *out)
{
    if (fx__klex_accept(p, '(')) return fx__klex_dim(p, out) && fx__klex_expect(p, ')');
    return fx__klex_int(p, FX_DIM_EXPR / 2, INT64_MAX, out);
}

static bool not_negative(fx_kparser *p, fx_dim dim)
{
    return !fx_dim_is_const(dim) || dim >= 0 || fx__klex_fail(p, "a size of %" PRId64, dim);
}

bool fx__klex_size(fx_kparser *p, fx_dim *out)
{
    return fx__klex_coef(p, out) && not_negative(p, *out);
}

bool fx__klex_dims(fx_kparser *p, char open, char close, fx_dim out[FX_RANK], int *out_n)
{
    int n = 0;
    if (!fx__klex_expect(p, open)) return false;
    while (!fx__klex_peek(p, close)) {
        if (n && !fx__klex_expect(p, ',')) return false;
        if (n == FX_RANK) return fx__klex_fail(p, "more than %d dimensions", FX_RANK);
        if (!fx__klex_dim(p, &out[n])) return false;
        if (open == '[' && !not_negative(p, out[n])) return false;
        n++;
    }
    *out_n = n;
    return fx__klex_expect(p, close);
}

bool fx__klex_dtype(fx_kparser *p, fx_dtype *out)
{
    char word[FX_WORD_BYTES];
    return fx__klex_word(p, word) && (fx_dtype_parse(word, out) || fx__klex_fail(p, "\"%s\" is no dtype", word));
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------------------- */

/* Length of "inf" or "nan" here, when it stands alone or before "_dtype". */
static size_t special_bytes(const fx_kparser *p, const char *c)
{
    if (p->end - c < 3 || (memcmp(c, "inf", 3) != 0 && memcmp(c, "nan", 3) != 0)) return 0;
    return c + 3 < p->end && c[3] != '_' && (is_letter(c[3]) || is_digit(c[3]) || c[3] == '.') ? 0 : 3;
}

bool fx__klex_peek_number(const fx_kparser *p)
{
    const char *c = p->at + (peek(p) == '-');
    return !p->failed && c < p->end && (is_digit(*c) || special_bytes(p, c));
}

static const char *number_end(const fx_kparser *p, const char *c, bool *out_float)
{
    size_t special = special_bytes(p, c);
    *out_float = special > 0;
    if (special) return c + special;
    while (c < p->end && is_digit(*c)) c++;
    if (c + 1 < p->end && *c == '.' && is_digit(c[1])) {
        *out_float = true;
        for (c++; c < p->end && is_digit(*c);) c++;
    }
    if (c + 1 < p->end && *c == 'e') {
        const char *digits = c + 1 + (c[1] == '-' || c[1] == '+');
        if (digits >= p->end || !is_digit(*digits)) return c;
        *out_float = true;
        for (c = digits; c < p->end && is_digit(*c);) c++;
    }
    return c;
}

bool fx__klex_number(fx_kparser *p, char out[FX_WORD_BYTES], bool *out_float)
{
    fx__klex_skip(p);
    if (p->failed) return false;
    if (!fx__klex_peek_number(p)) return fx__klex_fail(p, "a number expected");
    const char *end = number_end(p, p->at + (peek(p) == '-'), out_float);
    size_t bytes = (size_t)(end - p->at);
    if (bytes >= FX_WORD_BYTES) return fx__klex_fail(p, "a number of %zu characters", bytes);
    memcpy(out, p->at, bytes);
    out[bytes] = 0;
    p->at = end;
    return true;
}

/* strtod reads the locale's point. */
static void localise(char *number)
{
    char *point = strchr(number, '.');
    if (point) *point = *localeconv()->decimal_point;
}

bool fx__klex_convert(fx_kparser *p, const char *number, bool is_float, fx_dtype dtype, fx_imm *out)
{
    char text[FX_WORD_BYTES];
    snprintf(text, sizeof text, "%s", number);
    errno = 0;
    if (fx_dtype_is_float(dtype)) {
        localise(text);
        out->f = dtype == FX_F64 ? strtod(text, NULL) : (double)strtof(text, NULL);
        return true;
    }
    if (is_float) return fx__klex_fail(p, "%s found, an integer expected", number);
    if (fx_dtype_is_signed(dtype) || dtype == FX_BOOL)
        out->i = strtoll(text, NULL, 10);
    else
        out->u = strtoull(text, NULL, 10);
    return errno == 0 || fx__klex_fail(p, "%s does not fit into %s", number, fx_dtype_name(dtype));
}
