/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_lex.h: the parser's state and its words; the grammar stands in kir_print.c. After a problem `failed` is set, every reader
 * returns at once, and the statement is given up; reading goes on with the next one, so that all problems are reported. */
#ifndef FX_IR_KIR_LEX_H
#define FX_IR_KIR_LEX_H

#include "ir/kir_text.h"
#include "ir/op.h"

enum { FX_WORD_BYTES = 256, FX_PARSE_ERRORS = 20 };

typedef struct fx_kparser {
    fx_context *context;
    fx_program *program;
    fx_graph *graph; /* stands behind the nodes that steps refer to */
    const char *name;
    const char *at, *end;
    int32_t line, errors;
    bool failed;
    fx_map bufs, kernels, nodes; /* interned name -> index + 1, node */
} fx_kparser;

/* Reports a problem at the current line; returns false. */
bool fx__klex_fail(fx_kparser *p, const char *format, ...) FX_PRINTF(2, 3);
void fx__klex_skip(fx_kparser *p);       /* blanks and comments */
void fx__klex_skip_lines(fx_kparser *p); /* the same and line ends */
bool fx__klex_at_end(fx_kparser *p);     /* of the line (or the text) */
void fx__klex_next_line(fx_kparser *p);
bool fx__klex_peek(fx_kparser *p, char c);
bool fx__klex_accept(fx_kparser *p, char c);
bool fx__klex_expect(fx_kparser *p, char c);
bool fx__klex_peek_word(const fx_kparser *p); /* a letter or '_' follows */
bool fx__klex_word(fx_kparser *p, char out[FX_WORD_BYTES]);
bool fx__klex_accept_word(fx_kparser *p, const char *word);
bool fx__klex_expect_word(fx_kparser *p, const char *word);
bool fx__klex_int(fx_kparser *p, int64_t lo, int64_t hi, int64_t *out);
const char *fx__klex_string(fx_kparser *p);     /* interned; NULL after a problem */
const char *fx__klex_name(fx_kparser *p);       /* word or string, interned */
bool fx__klex_dim(fx_kparser *p, fx_dim *out);  /* up to ',' and the like */
bool fx__klex_coef(fx_kparser *p, fx_dim *out); /* integer or (dim) */
bool fx__klex_size(fx_kparser *p, fx_dim *out); /* coef that is not negative */
bool fx__klex_dims(fx_kparser *p, char open, char close, fx_dim out[FX_RANK], int *out_n);
bool fx__klex_dtype(fx_kparser *p, fx_dtype *out);
/* The characters of a number; *out_float: it has a point or an exponent, or is inf or nan. */
bool fx__klex_peek_number(const fx_kparser *p);
bool fx__klex_number(fx_kparser *p, char out[FX_WORD_BYTES], bool *out_float);
bool fx__klex_convert(fx_kparser *p, const char *number, bool is_float, fx_dtype dtype, fx_imm *out);

bool fx__kparse_kernel(fx_kparser *p); /* behind the word "kernel" */
bool fx__kparse_step(fx_kparser *p, fx_block *block, int depth);
int32_t fx__kparse_buf(fx_kparser *p);   /* "%name"; -1 after a problem */
fx_node *fx__kparse_node(fx_kparser *p); /* by name, made when first named; NULL after a problem */

#endif
