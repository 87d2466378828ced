/* SPDX-License-Identifier: Apache-2.0 */
/* ir/python_call.c: nodes as Python statements: operators of the language infix, in-place operators as such, attributes by a dot,
 * everything else as a call. */
#include "ir/op.h"
#include "ir/python.h"
#include <string.h>

static void put(fx_text *text, const char *bytes)
{
    fx__text_put(text, bytes, strlen(bytes));
}

/* ---- Operators of the language ------------------------------------------------------------------------------------------ */

/* An infix form: what stands before, between and behind the arguments. */
typedef struct infix {
    const char *name; /* behind "operator." */
    int n;
    const char *part[4];
} infix;

static const infix pure[] = {
    {"eq", 2, {"", " == ", ""}},
    {"ne", 2, {"", " != ", ""}},
    {"lt", 2, {"", " < ", ""}},
    {"gt", 2, {"", " > ", ""}},
    {"le", 2, {"", " <= ", ""}},
    {"ge", 2, {"", " >= ", ""}},
    {"pos", 1, {"+", ""}},
    {"neg", 1, {"-", ""}},
    {"invert", 1, {"~", ""}},
    {"add", 2, {"", " + ", ""}},
    {"sub", 2, {"", " - ", ""}},
    {"mul", 2, {"", " * ", ""}},
    {"floordiv", 2, {"", " // ", ""}},
    {"truediv", 2, {"", " / ", ""}},
    {"mod", 2, {"", " % ", ""}},
    {"pow", 2, {"", " ** ", ""}},
    {"lshift", 2, {"", " << ", ""}},
    {"rshift", 2, {"", " >> ", ""}},
    {"and_", 2, {"", " & ", ""}},
    {"or_", 2, {"", " | ", ""}},
    {"xor", 2, {"", " ^ ", ""}},
    {"getitem", 2, {"", "[", "]"}},
    {"matmul", 2, {"", " @ ", ""}},
};

static const infix in_place[] = {
    {"iadd", 2, {"", " += ", ""}},     {"iand", 2, {"", " &= ", ""}},         {"ifloordiv", 2, {"", " //= ", ""}},
    {"ilshift", 2, {"", " <<= ", ""}}, {"imod", 2, {"", " %= ", ""}},         {"imul", 2, {"", " *= ", ""}},
    {"imatmul", 2, {"", " @= ", ""}},  {"ior", 2, {"", " |= ", ""}},          {"ipow", 2, {"", " **= ", ""}},
    {"irshift", 2, {"", " >>= ", ""}}, {"isub", 2, {"", " -= ", ""}},         {"itruediv", 2, {"", " /= ", ""}},
    {"ixor", 2, {"", " ^= ", ""}},     {"setitem", 3, {"", "[", "] = ", ""}},
};

/* NULL: no such operator, or its arguments do not fit the form. */
static const infix *find_infix(const infix *rows, size_t n, const fx_node *node)
{
    if (strncmp(node->target, "operator.", 9) != 0 || node->kwargs.n) return NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, node->target + 9) == 0) return rows[i].n == node->args.n ? &rows[i] : NULL;
    return NULL;
}

static void put_infix(fx_text *text, fx_python *p, const fx_node *node, const infix *form)
{
    put(text, form->part[0]);
    for (int i = 0; i < form->n; i++) {
        fx__python_value(text, p, fx__arg(node, i));
        put(text, form->part[i + 1]);
    }
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

static void put_args(fx_text *text, fx_python *p, const fx_node *node, int32_t from)
{
    const char *comma = "";
    put(text, "(");
    for (int32_t i = from; i < node->args.n; i++, comma = ", ") {
        put(text, comma);
        fx__python_value(text, p, fx__arg(node, i));
    }
    for (int32_t i = 0; i < node->kwargs.n; i++, comma = ", ") {
        fx__text_append(text, "%s%s = ", comma, node->kwargs.keys[i]);
        fx__python_value(text, p, &node->kwargs.u.items[i]);
    }
    put(text, ")");
}

static void put_on(fx_text *text, fx_python *p, const fx_attr *object, const char *member)
{
    fx_text base;
    fx__text_init(&base, text->context);
    fx__python_value(&base, p, object);
    char *whole = fx__text_finish(&base);
    if (whole)
        fx__python_path(text, whole, member);
    else
        text->failed = true;
    fx_text_free(whole);
}

static bool is_attribute(const fx_node *node)
{
    return strcmp(node->target, "builtins.getattr") == 0 && node->args.n == 2 && fx__arg(node, 1)->kind == FX_ATTR_STR &&
           fx__text_is_identifier(fx__arg(node, 1)->u.s);
}

static bool is_wrapped(const fx_node *node)
{
    const fx_attr *wrapped = fx_node_meta(node, "is_wrapped");
    return wrapped && wrapped->kind == FX_ATTR_BOOL && wrapped->u.i;
}

static void note_wrapped(fx_python *p, const char *name)
{
    fx_text line;
    fx__text_init(&line, p->file->context);
    fx__text_append(&line, "torch.fx._symbolic_trace.wrap(\"%s\")", name);
    for (int32_t i = 0; i < p->wraps->n && !line.failed; i++)
        if (strcmp(p->wraps->line[i], line.data) == 0) {
            fx_text_free(fx__text_finish(&line));
            return;
        }
    if (fx__lines_add(p->wraps, &line) != FX_OK) p->status = FX_E_OOM;
}

static void put_function(fx_text *text, fx_python *p, const fx_node *node, const char *function)
{
    const infix *form = find_infix(pure, sizeof pure / sizeof pure[0], node);
    if (form) {
        put_infix(text, p, node, form);
    } else if (is_attribute(node)) {
        put_on(text, p, fx__arg(node, 0), fx__arg(node, 1)->u.s);
    } else {
        put(text, function);
        put_args(text, p, node, 0);
        if (is_wrapped(node)) note_wrapped(p, function);
    }
}

static void put_right_side(fx_text *text, fx_python *p, const fx_node *node, const char *function)
{
    switch (node->opcode) {
    case FX_CALL_METHOD:
        put_on(text, p, node->args.n ? fx__arg(node, 0) : &(fx_attr){.kind = FX_ATTR_NONE}, node->target);
        put_args(text, p, node, 1);
        break;
    case FX_CALL_MODULE:
        fx__python_path(text, p->root, node->target);
        put_args(text, p, node, 0);
        break;
    case FX_GET_ATTR:
        fx__python_path(text, p->root, node->target);
        break;
    default:
        put_function(text, p, node, function);
        break;
    }
}

/* The function's global is named before the node's variable, as torch.fx does it. */
void fx__python_call(fx_text *text, fx_python *p, const fx_node *node, const char *annotation)
{
    bool is_call = node->opcode == FX_CALL_FUNCTION;
    const infix *writing = is_call ? find_infix(in_place, sizeof in_place / sizeof in_place[0], node) : NULL;
    if (writing) {
        put_infix(text, p, node, writing);
        fx__text_append(text, ";  %s%s = ", fx__python_name(p, node), annotation);
        fx__python_value(text, p, fx__arg(node, 0));
        return;
    }
    bool named = is_call && !find_infix(pure, sizeof pure / sizeof pure[0], node);
    const char *function = named ? fx__python_global(p, node->target) : NULL;
    fx__text_append(text, "%s%s = ", fx__python_name(p, node), annotation);
    put_right_side(text, p, node, function);
}
