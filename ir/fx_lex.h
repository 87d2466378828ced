/* SPDX-License-Identifier: Apache-2.0 */
/* ir/fx_lex.h: the words of the .fx text, for ir/fx_parse.c. A reader reports at most one problem per statement. */
#ifndef FX_IR_FX_LEX_H
#define FX_IR_FX_LEX_H

#include "ir/graph.h"

typedef struct fx_reader {
    fx_context *context;
    fx_arena *arena;  /* scratch */
    const char *name; /* of the text, for messages */
    const char *at;   /* NUL-terminated */
    const char *end;
    int32_t line;
    bool bad; /* the statement is wrong: what follows in it is not reported */
    int32_t n_errors;
} fx_reader;

bool fx__lex_error(fx_reader *r, const char *format, ...) FX_PRINTF(2, 3); /* false */
void fx__lex_space(fx_reader *r);                                          /* spaces, line ends, comments */
void fx__lex_recover(fx_reader *r);                                        /* to the next line, after an error */
bool fx__lex_ended(fx_reader *r);
bool fx__lex_accept(fx_reader *r, const char *mark);      /* moves over these characters if they are next */
bool fx__lex_accept_word(fx_reader *r, const char *word); /* the same for a whole word */
bool fx__lex_expect(fx_reader *r, const char *mark);      /* or reports */
bool fx__lex_peek_word(fx_reader *r);                     /* a letter or underscore is next */
const char *fx__lex_word(fx_reader *r);                   /* interned; NULL after a report */
const char *fx__lex_string(fx_reader *r);                 /* interned; NULL after a report */
const char *fx__lex_word_or_string(fx_reader *r);
bool fx__lex_int(fx_reader *r, int64_t *out);
bool fx__lex_small(fx_reader *r, int32_t limit, int32_t *out); /* 0 <= value < limit */
/* INT or FLOAT; the kind of *out says which. */
bool fx__lex_number(fx_reader *r, fx_attr *out);
bool fx__lex_float(fx_reader *r, double *out);
/* An expression of ir/dim_text.c. */
bool fx__lex_dim(fx_reader *r, fx_dims *dims, fx_dim *out);
bool fx__lex_dtype(fx_reader *r, fx_dtype *out);

#endif
