/* SPDX-License-Identifier: Apache-2.0 */
/* ir/text.c: text under construction, and numbers as Python's repr writes them. The text lives in malloc's memory, since it is
 * handed to callers who free it without a context. */
#include "ir/arena.h"
#include "ir/diag.h"
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void fx__text_init(fx_text *text, fx_context *context)
{
    *text = (fx_text){.context = context};
}

static bool reserve(fx_text *text, size_t more)
{
    if (text->failed) return false;
    if (more < text->capacity - text->bytes) return true;
    size_t wanted = text->capacity ? text->capacity * 2 : 256;
    while (wanted - text->bytes <= more && wanted < SIZE_MAX / 4) wanted *= 2;
    char *data = wanted - text->bytes > more ? realloc(text->data, wanted) : NULL;
    if (!data) {
        text->failed = true;
        if (text->context) fx__diag_oom(text->context);
        return false;
    }
    text->data = data;
    text->capacity = wanted;
    return true;
}

void fx__text_put(fx_text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count)) return;
    if (count) memcpy(text->data + text->bytes, bytes, count);
    text->bytes += count;
    text->data[text->bytes] = 0;
}

void fx__text_append(fx_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->bytes, (size_t)length + 1, format, again);
        text->bytes += (size_t)length;
    }
    va_end(again);
}

char *fx__text_finish(fx_text *text)
{
    fx__text_put(text, "", 0); /* an empty text is a text */
    char *data = text->data;
    if (text->failed) {
        free(data);
        data = NULL;
    }
    fx__text_init(text, text->context);
    return data;
}

void fx_text_free(char *text)
{
    free(text);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------------- */

/* digits[n] and exponent: 0.d1d2... * 10^(exponent + 1). Locale-proof: only digits are read from what printf wrote. */
typedef struct decimal {
    char digit[20];
    int n, exponent;
} decimal;

static bool reads_back(const char *text, double value, bool single)
{
    return single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

static void read_decimal(const char *text, decimal *out)
{
    out->n = 0;
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9') out->digit[out->n++] = *text;
    while (out->n > 1 && out->digit[out->n - 1] == '0') out->n--;
    out->exponent = atoi(text + 1);
}

/* Digits that survive text -> number -> text are tried first: with them the shortest text is that without trailing zeros. Denormals
 * have fewer, so they start at one digit. */
static void shortest(double value, bool single, decimal *out)
{
    double smallest = single ? 1.17549435e-38 : 2.2250738585072014e-308;
    int first = value < smallest ? 1 : single ? 6 : 15, last = single ? 9 : 17;
    char text[48];
    for (int digits = first; digits <= last; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (reads_back(text, value, single)) break;
    }
    read_decimal(text, out);
}

static void put_scientific(fx_text *text, const decimal *d)
{
    fx__text_put(text, d->digit, 1);
    if (d->n > 1) {
        fx__text_put(text, ".", 1);
        fx__text_put(text, d->digit + 1, (size_t)d->n - 1);
    }
    fx__text_append(text, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
}

static void put_plain(fx_text *text, const decimal *d)
{
    int whole = d->exponent + 1;
    if (whole <= 0) {
        fx__text_append(text, "0.%.*s", -whole, "00000000");
        fx__text_put(text, d->digit, (size_t)d->n);
        return;
    }
    for (int i = 0; i < whole; i++) fx__text_put(text, i < d->n ? d->digit + i : "0", 1);
    fx__text_put(text, ".", 1);
    if (d->n > whole)
        fx__text_put(text, d->digit + whole, (size_t)(d->n - whole));
    else
        fx__text_put(text, "0", 1);
}

static void put_number(fx_text *text, double value, bool single)
{
    if (isnan(value)) {
        fx__text_put(text, "nan", 3);
        return;
    }
    if (signbit(value)) fx__text_put(text, "-", 1);
    if (isinf(value)) {
        fx__text_put(text, "inf", 3);
        return;
    }
    decimal d;
    shortest(fabs(value), single, &d);
    if (d.exponent < -4 || d.exponent >= 16)
        put_scientific(text, &d);
    else
        put_plain(text, &d);
}

void fx__text_double(fx_text *text, double value)
{
    put_number(text, value, false);
}

void fx__text_float(fx_text *text, double value, fx_dtype dtype)
{
    put_number(text, value, dtype != FX_F64);
}

/* strtod reads the locale's point. */
bool fx__text_read_double(const char *text, size_t bytes, double *out)
{
    char local[512];
    const char *point = localeconv()->decimal_point, *dot = memchr(text, '.', bytes);
    size_t before = dot ? (size_t)(dot - text) : bytes, n_point = dot ? strlen(point) : 0, after = dot ? bytes - before - 1 : 0;
    if (bytes == 0 || before + n_point + after >= sizeof local) return false;
    memcpy(local, text, before);
    memcpy(local + before, point, n_point);
    if (after) memcpy(local + before + n_point, dot + 1, after);
    local[before + n_point + after] = 0;
    char *end;
    *out = strtod(local, &end);
    return *end == 0;
}

bool fx__text_is_word(const char *text, size_t bytes)
{
    if (bytes == 0 || (*text >= '0' && *text <= '9')) return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") >= bytes;
}

bool fx__text_is_identifier(const char *word)
{
    return fx__text_is_word(word, strlen(word));
}
