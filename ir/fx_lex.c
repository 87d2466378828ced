/* SPDX-License-Identifier: Apache-2.0 */
/* ir/fx_lex.c: the words of the .fx text: names, strings, numbers and dimensions, read from hostile bytes with their lines. */
#include "ir/fx_lex.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool fx__lex_error(fx_reader *r, const char *format, ...)
{
    if (r->bad) return false;
    r->bad = true;
    r->n_errors++;
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fx__diag(r->context, FX_E_FORMAT, &(fx_loc){.file = r->name, .line = r->line}, "%s", message);
    return false;
}

void fx__lex_space(fx_reader *r)
{
    for (; r->at < r->end; r->at++) {
        if (*r->at == '#')
            while (r->at + 1 < r->end && r->at[1] != '\n') r->at++;
        else if (*r->at == '\n')
            r->line++;
        else if (*r->at != ' ' && *r->at != '\t' && *r->at != '\r')
            return;
    }
}

void fx__lex_recover(fx_reader *r)
{
    while (r->at < r->end && *r->at != '\n') r->at++;
    r->bad = false;
}

bool fx__lex_ended(fx_reader *r)
{
    fx__lex_space(r);
    return r->at >= r->end;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool fx__lex_accept(fx_reader *r, const char *mark)
{
    fx__lex_space(r);
    size_t length = strlen(mark);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, mark, length) != 0) return false;
    r->at += length;
    return true;
}

bool fx__lex_accept_word(fx_reader *r, const char *word)
{
    const char *before = r->at;
    int32_t line = r->line;
    if (fx__lex_accept(r, word) && !is_letter(*r->at) && !is_digit(*r->at)) return true;
    r->at = before;
    r->line = line;
    return false;
}

/* What stands at the cursor, short and printable, for a message. */
static const char *found(fx_reader *r)
{
    if (fx__lex_ended(r)) return "the end";
    size_t n = 1;
    if (is_letter(*r->at) || is_digit(*r->at))
        while (n < 24 && (is_letter(r->at[n]) || is_digit(r->at[n]))) n++;
    if (n == 1 && ((unsigned char)*r->at < 0x20 || (unsigned char)*r->at >= 0x7f))
        return fx__arena_format(r->arena, "byte 0x%02x", (unsigned char)*r->at);
    return fx__arena_format(r->arena, "'%.*s'", (int)n, r->at);
}

bool fx__lex_expect(fx_reader *r, const char *mark)
{
    if (r->bad) return false;
    return fx__lex_accept(r, mark) || fx__lex_error(r, "expected '%s', found %s", mark, found(r));
}

bool fx__lex_peek_word(fx_reader *r)
{
    fx__lex_space(r);
    return is_letter(*r->at);
}

const char *fx__lex_word(fx_reader *r)
{
    if (r->bad) return NULL;
    if (!fx__lex_peek_word(r)) {
        fx__lex_error(r, "expected a name, found %s", found(r));
        return NULL;
    }
    const char *start = r->at;
    while (is_letter(*r->at) || is_digit(*r->at)) r->at++;
    return fx__intern_n(r->context, start, (size_t)(r->at - start));
}

/* ---- Strings ----------------------------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One escape after its backslash; -1 when it is none. NUL cannot stand in a C string. */
static int read_escape(fx_reader *r)
{
    char c = r->at < r->end ? *r->at++ : 0;
    switch (c) {
    case '"':
    case '\\':
        return c;
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'x': {
        int high = r->at < r->end ? hex_digit(r->at[0]) : -1, low = high >= 0 ? hex_digit(r->at[1]) : -1;
        if (low < 0 || high * 16 + low == 0) return -1;
        r->at += 2;
        return high * 16 + low;
    }
    default:
        return -1;
    }
}

const char *fx__lex_string(fx_reader *r)
{
    if (!fx__lex_expect(r, "\"")) return NULL;
    size_t room = strcspn(r->at, "\n"), n = 0;
    char *out = fx__arena_alloc(r->arena, room + 1, 1);
    if (!out) {
        r->bad = true;
        return NULL;
    }
    for (;;) {
        if (r->at >= r->end || *r->at == '\n' || *r->at == 0) {
            fx__lex_error(r, "a string is not closed on its line");
            return NULL;
        }
        int c = (unsigned char)*r->at++;
        if (c == '"') return fx__intern_n(r->context, out, n);
        if (c == '\\' && (c = read_escape(r)) < 0) {
            fx__lex_error(r, "unknown escape in a string");
            return NULL;
        }
        out[n++] = (char)c;
    }
}

const char *fx__lex_word_or_string(fx_reader *r)
{
    fx__lex_space(r);
    return *r->at == '"' ? fx__lex_string(r) : fx__lex_word(r);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------------- */

static size_t digits(const char *at)
{
    return strspn(at, "0123456789");
}

/* Length of a number, and whether it is an INT. */
static size_t scan_number(const char *at, bool *out_int)
{
    const char *start = at;
    *out_int = false;
    if (*at == '-') at++;
    if (strncmp(at, "inf", 3) == 0 || strncmp(at, "nan", 3) == 0) return (size_t)(at + 3 - start);
    size_t whole = digits(at);
    if (!whole) return 0;
    at += whole;
    *out_int = true;
    if (*at == '.' && digits(at + 1)) {
        at += 1 + digits(at + 1);
        *out_int = false;
    }
    const char *exponent = at + 1 + (at[0] && (at[1] == '+' || at[1] == '-'));
    if ((*at == 'e' || *at == 'E') && digits(exponent)) {
        at = exponent + digits(exponent);
        *out_int = false;
    }
    return (size_t)(at - start);
}

static bool to_int(fx_reader *r, const char *text, size_t length, int64_t *out)
{
    int64_t value = 0, sign = *text == '-' ? -1 : 1;
    for (size_t i = *text == '-'; i < length; i++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, sign * (text[i] - '0'), &value))
            return fx__lex_error(r, "an integer is outside 64 bits");
    *out = value;
    return true;
}

/* nan("0x7ff8...") : other NaNs, bit by bit. */
static bool read_nan_bits(fx_reader *r, double *out)
{
    const char *text = fx__lex_string(r);
    if (!text || !fx__lex_expect(r, ")")) return false;
    char *end;
    uint64_t bits = strtoull(text, &end, 16);
    memcpy(out, &bits, sizeof *out);
    return (*text && !*end && isnan(*out)) || fx__lex_error(r, "nan(\"%.20s\") is no NaN", text);
}

static bool to_float(fx_reader *r, const char *text, size_t length, double *out)
{
    if (strncmp(text, "nan", 3) == 0) {
        uint64_t bits = UINT64_C(0x7ff8000000000000);
        memcpy(out, &bits, sizeof *out);
        return !fx__lex_accept(r, "(") || read_nan_bits(r, out);
    }
    return fx__text_read_double(text, length, out) || fx__lex_error(r, "'%.*s' is no number", length > 40 ? 40 : (int)length, text);
}

bool fx__lex_number(fx_reader *r, fx_attr *out)
{
    if (r->bad) return false;
    fx__lex_space(r);
    const char *start = r->at;
    bool is_int;
    size_t length = scan_number(start, &is_int);
    if (!length) return fx__lex_error(r, "expected a number, found %s", found(r));
    r->at += length;
    *out = is_int ? fx_int(0) : fx_float(0);
    return is_int ? to_int(r, start, length, &out->u.i) : to_float(r, start, length, &out->u.f);
}

bool fx__lex_int(fx_reader *r, int64_t *out)
{
    fx_attr value;
    if (!fx__lex_number(r, &value)) return false;
    if (value.kind != FX_ATTR_INT) return fx__lex_error(r, "expected an integer");
    *out = value.u.i;
    return true;
}

bool fx__lex_small(fx_reader *r, int32_t limit, int32_t *out)
{
    int64_t value = 0;
    if (!fx__lex_int(r, &value)) return false;
    if (value < 0 || value >= limit) return fx__lex_error(r, "%lld is not in 0..%d", (long long)value, limit - 1);
    *out = (int32_t)value;
    return true;
}

bool fx__lex_float(fx_reader *r, double *out)
{
    fx_attr value;
    if (!fx__lex_number(r, &value)) return false;
    *out = value.kind == FX_ATTR_INT ? (double)value.u.i : value.u.f;
    return true;
}

bool fx__lex_dim(fx_reader *r, fx_dims *dims, fx_dim *out)
{
    if (r->bad) return false;
    fx__lex_space(r);
    *out = fx__dim_parse(dims, &r->at);
    return *out != FX_DIM_BAD || fx__lex_error(r, "not a size: syntax, an unknown symbol or an overflow");
}

bool fx__lex_dtype(fx_reader *r, fx_dtype *out)
{
    const char *word = fx__lex_word(r);
    return word && (fx_dtype_parse(word, out) || fx__lex_error(r, "'%.40s' is no dtype", word));
}
