/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python_place.c: what verbose Python says beside the code: where a node was traced, and the shape of its result. */
#include "ir/python.h"
#include <string.h>

/* ---- Source locations -------------------------------------------------------------------------------------------------- */

/* The line after `at`; *out_bytes: without spaces at both ends. NULL: `at` was the last. */
static const char *next_line(const char *at, const char **out_line, size_t *out_bytes)
{
    const char *end = at + strcspn(at, "\n");
    const char *line = at + strspn(at, " \t\n");
    if (line > end) line = end;
    *out_line = line;
    *out_bytes = (size_t)(end - line);
    while (*out_bytes && line[*out_bytes - 1] == ' ') --*out_bytes;
    return *end ? end + 1 : NULL;
}

/* The first place of `word` before `end`; NULL. */
static const char *find_word(const char *at, const char *end, const char *word)
{
    size_t bytes = strlen(word);
    for (; at + bytes <= end; at++)
        if (memcmp(at, word, bytes) == 0) return at;
    return NULL;
}

/* File "PATH", line N, in FUNCTION */
static bool put_frame(fx_text *text, const char *line, size_t bytes)
{
    const char *end = line + bytes, *path = line + 6, *path_end = find_word(path, end, "\", line ");
    const char *number = path_end ? path_end + 8 : end, *in = find_word(number, end, ", in ");
    if (!path_end || !in) return false;
    fx__text_append(text, "File: %.*s:%.*s in %.*s", (int)(path_end - path), path, (int)(in - number), number, (int)(end - in - 5),
                    in + 5);
    return true;
}

/* What torch.fx 1.13 says of a traceback, whose newest frame comes first: remarks before it, the frame, its line of code. false:
 * there is no frame. */
static bool put_trace(fx_text *text, const char *trace)
{
    const char *at = trace, *line = trace;
    size_t bytes = 0;
    const char *comma = "";
    while (at) {
        at = next_line(at, &line, &bytes);
        if (bytes > 6 && strncmp(line, "File \"", 6) == 0) break;
        if (!at) return false;
        fx__text_append(text, "%s%.*s", comma, (int)bytes, line);
        comma = ", ";
    }
    fx__text_append(text, "%s", comma);
    if (!put_frame(text, line, bytes)) return false;
    if (at) next_line(at, &line, &bytes);
    if (at && bytes) fx__text_append(text, ", code: %.*s", (int)bytes, line);
    return true;
}

static void put_loc(fx_text *text, const fx_loc *loc)
{
    if (!loc->file) return;
    fx__text_append(text, "File: %s", loc->file);
    if (loc->line) fx__text_append(text, ":%d", loc->line);
    if (loc->function) fx__text_append(text, " in %s", loc->function);
}

static const char *kept(fx_python *p, fx_text *text)
{
    char *whole = fx__text_finish(text);
    const char *interned = whole ? fx__intern(p->file->context, whole) : NULL;
    fx_text_free(whole);
    return interned;
}

/* The comment without its mark; "" when nothing is known. */
static const char *describe(fx_python *p, const fx_node *node)
{
    const fx_attr *trace = fx_node_meta(node, "stack_trace");
    fx_text text;
    fx__text_init(&text, p->file->context);
    if (trace && trace->kind == FX_ATTR_STR && put_trace(&text, trace->u.s)) return kept(p, &text);
    if (text.data) fx_text_free(fx__text_finish(&text)); /* remarks without a frame */
    put_loc(&text, &node->loc);
    return kept(p, &text);
}

fx_status fx__python_place(fx_python *p, const fx_node *node)
{
    if (node->opcode == FX_PLACEHOLDER || node->opcode == FX_OUTPUT) return FX_OK;
    const char *place = describe(p, node);
    if (!place) return FX_E_OOM;
    if (place == p->place) return FX_OK;
    p->place = place;
    fx_text line;
    fx__text_init(&line, p->file->context);
    if (*place)
        fx__text_append(&line, "# %s", place);
    else
        fx__text_append(&line, "# No stacktrace found for following nodes ");
    FX_TRY(fx_lines_insert(p->body, p->body->n, ""));
    return fx__lines_add(p->body, &line);
}

/* ---- Shapes ------------------------------------------------------------------------------------------------------------ */

const char *fx__python_shape(fx_python *p, const fx_node *node)
{
    const fx_type *type = fx_node_type(node, 0);
    if (!type || node->n_result != 1) return NULL;
    fx_text text;
    fx__text_init(&text, p->file->context);
    fx__text_append(&text, ": \"%s[", type->dtype == FX_BOOL ? "b8" : fx_dtype_name(type->dtype)); /* torch's abbreviation */
    for (int32_t d = 0; d < type->rank; d++) {
        if (d) fx__text_append(&text, ", ");
        fx__dim_print(p->graph->dims, type->dim[d], &text);
    }
    fx__text_append(&text, "]\"");
    char *whole = fx__text_finish(&text);
    const char *kept = whole ? fx__arena_copy(p->file->arena, whole, strlen(whole)) : NULL;
    if (!kept) p->status = FX_E_OOM;
    fx_text_free(whole);
    return kept;
}
