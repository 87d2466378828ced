/* SPDX-License-Identifier: Apache-2.0 */
/* ir/diag.c: reporting problems into the context. A message about a file starts with its line, one about a node ends with the
 * operator, the node and where it was traced. Running out of memory is itself reported, once, without needing memory. */
#include "ir/context.h"
#include "ir/graph.h"
#include <string.h>

static bool make_room(fx_context *context)
{
    if (context->n_diags < context->cap_diags) return true;
    int32_t capacity = context->cap_diags * 2;
    /* A failure here would come back through fx__diag_oom for ever: the hook is asked directly. */
    context->oom_noted = true;
    fx_diag_entry *diags = fx__alloc(context, (size_t)capacity * sizeof *diags);
    if (!diags) return false;
    context->oom_noted = false;
    memcpy(diags, context->diags, (size_t)context->n_diags * sizeof *diags);
    if (context->diags != context->inline_diags) fx__free(context, context->diags);
    context->diags = diags;
    context->cap_diags = capacity;
    return true;
}

static bool push(fx_context *context, fx_severity severity, char *text, const char *fixed)
{
    if (context->n_diags > FX_DIAG_MAX) return false;
    if (!make_room(context)) return false;
    if (context->n_diags == FX_DIAG_MAX) {
        context->diags[context->n_diags++] = (fx_diag_entry){.severity = FX_NOTE, .fixed = "further messages are not kept"};
        return false;
    }
    context->diags[context->n_diags++] = (fx_diag_entry){.severity = severity, .text = text, .fixed = fixed};
    return true;
}

fx_status fx__diag_oom(fx_context *context)
{
    if (context->status == FX_OK) context->status = FX_E_OOM;
    if (context->oom_noted) return FX_E_OOM;
    context->oom_noted = true;
    push(context, FX_ERROR, NULL, fx_status_text(FX_E_OOM));
    context->oom_noted = true;
    return FX_E_OOM;
}

fx_status fx__diag_failure(const fx_context *context, fx_status otherwise)
{
    return context->oom_noted ? FX_E_OOM : otherwise;
}

/* "file:line: " in front. */
static void put_place(fx_text *text, const fx_loc *loc)
{
    if (!loc || !loc->file) return;
    fx__text_append(text, "%s", loc->file);
    if (loc->line > 0) fx__text_append(text, ":%d", loc->line);
    if (loc->function) fx__text_append(text, ": in %s", loc->function);
    fx__text_put(text, ": ", 2);
}

static void put_format(fx_text *text, const char *format, va_list args)
{
    char line[512], *whole = line;
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(line, sizeof line, format, args);
    if (length >= (int)sizeof line && (whole = fx__alloc(text->context, (size_t)length + 1)) != NULL)
        vsnprintf(whole, (size_t)length + 1, format, again);
    va_end(again);
    if (whole) fx__text_put(text, whole, strlen(whole));
    if (whole != line) fx__free(text->context, whole);
}

/* Moves the finished message into the context's own memory. */
static void push_text(fx_context *context, fx_severity severity, fx_text *text)
{
    char *kept = text->failed ? NULL : fx__alloc(context, text->bytes + 1);
    if (kept && text->data) memcpy(kept, text->data, text->bytes);
    fx_text_free(fx__text_finish(text));
    if (kept && !push(context, severity, kept, NULL)) fx__free(context, kept);
}

static void report(fx_context *context, fx_severity severity, const fx_loc *loc, const char *format, va_list args)
{
    fx_text text;
    fx__text_init(&text, context);
    put_place(&text, loc);
    put_format(&text, format, args);
    push_text(context, severity, &text);
}

static fx_status note_status(fx_context *context, fx_status status)
{
    if (context->status == FX_OK) context->status = status;
    return status;
}

fx_status fx__diag(fx_context *context, fx_status status, const fx_loc *loc, const char *format, ...)
{
    if (status == FX_E_OOM) return fx__diag_oom(context);
    note_status(context, status);
    va_list args;
    va_start(args, format);
    report(context, FX_ERROR, loc, format, args);
    va_end(args);
    return status;
}

/* "; operator torch.ops.aten.relu.default, node relu_1, traced at model.py:12 in forward" */
static void put_node(fx_text *text, const fx_node *node)
{
    const char *what = node->opcode == FX_CALL_FUNCTION ? "operator" : fx_opcode_name(node->opcode);
    fx__text_append(text, "; %s %s, node %s", what, node->target, node->name);
    if (!node->loc.file) return;
    fx__text_append(text, ", traced at %s", node->loc.file);
    if (node->loc.line > 0) fx__text_append(text, ":%d", node->loc.line);
    if (node->loc.function) fx__text_append(text, node->loc.line > 0 ? " in %s" : " (%s)", node->loc.function);
}

fx_status fx__diag_node(const fx_node *node, fx_status status, const char *format, ...)
{
    fx_context *context = node->graph->context;
    if (status == FX_E_OOM) return fx__diag_oom(context);
    note_status(context, status);
    fx_text text;
    fx__text_init(&text, context);
    va_list args;
    va_start(args, format);
    put_format(&text, format, args);
    va_end(args);
    put_node(&text, node);
    push_text(context, FX_ERROR, &text);
    return status;
}

fx_status fx__diag_no_data(const fx_node *node)
{
    return fx__diag_node(node, FX_E_ARG, "tensor \"%s\" has a type but no values: .fx text holds none, .fxm files do", node->target);
}

fx_status fx__diag_assertion(fx_context *context, const fx_node *node, const char *message)
{
    note_status(context, FX_E_GUARD);
    fx_text text;
    fx__text_init(&text, context);
    fx__text_append(&text, "assertion failed: %s", message);
    if (node) put_node(&text, node);
    push_text(context, FX_ERROR, &text);
    return FX_E_GUARD;
}

void fx__diag_note(fx_context *context, const fx_loc *loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(context, FX_NOTE, loc, format, args);
    va_end(args);
}

void fx__diag_warn(fx_context *context, const fx_loc *loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report(context, FX_WARNING, loc, format, args);
    va_end(args);
}

void fx__diag_clear(fx_context *context)
{
    for (int32_t i = 0; i < context->n_diags; i++) fx__free(context, context->diags[i].text);
    context->n_diags = 0;
    context->status = FX_OK;
    context->oom_noted = false;
}

fx_diag_mark fx__diag_mark(const fx_context *context)
{
    return (fx_diag_mark){context->n_diags, context->status};
}

void fx__diag_rewind(fx_context *context, fx_diag_mark mark)
{
    if (context->oom_noted) return;
    while (context->n_diags > mark.n) fx__free(context, context->diags[--context->n_diags].text);
    context->status = mark.status;
}

/* ---- Reading them ------------------------------------------------------------------------------------------------------ */

int32_t fx_context_diag_count(const fx_context *context)
{
    return context->n_diags;
}

const char *fx_context_diag(const fx_context *context, int32_t index, fx_severity *out_severity)
{
    if (index < 0 || index >= context->n_diags) return NULL;
    const fx_diag_entry *entry = &context->diags[index];
    if (out_severity) *out_severity = entry->severity;
    return entry->text ? entry->text : entry->fixed;
}

fx_status fx_context_status(const fx_context *context)
{
    return context->status;
}

void fx_context_clear(fx_context *context)
{
    fx__diag_clear(context);
}

void fx_context_print(const fx_context *context, FILE *out)
{
    static const char *const names[] = {"note", "warning", "error"};
    for (int32_t i = 0; i < context->n_diags; i++) {
        fx_severity severity = FX_NOTE;
        const char *text = fx_context_diag(context, i, &severity);
        fprintf(out, "%s: %s\n", names[severity], text);
    }
}
