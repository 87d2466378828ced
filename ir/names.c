/* SPDX-License-Identifier: Apache-2.0 */
/* ir/names.c: node names by the rule of current torch.fx: a name is a Python identifier that is no keyword, no builtin and not used
 * before in the graph; numbering of a base continues from the largest number seen. */
#include "ir/graph.h"
#include <stdlib.h>
#include <string.h>

/* What Python code of a graph could not use as a variable; sorted. */
static const char *const reserved[] = {
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "Ellipsis",
    "EncodingWarning",
    "EnvironmentError",
    "Exception",
    "ExceptionGroup",
    "False",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "IOError",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "None",
    "NoneType",
    "NotADirectoryError",
    "NotImplemented",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "True",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
    "__build_class__",
    "__debug__",
    "__doc__",
    "__import__",
    "__loader__",
    "__name__",
    "__package__",
    "__spec__",
    "abs",
    "aiter",
    "all",
    "and",
    "anext",
    "any",
    "as",
    "ascii",
    "assert",
    "async",
    "await",
    "bin",
    "bool",
    "break",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "class",
    "classmethod",
    "compile",
    "complex",
    "continue",
    "copyright",
    "credits",
    "def",
    "del",
    "delattr",
    "device",
    "dict",
    "dir",
    "divmod",
    "elif",
    "else",
    "enumerate",
    "eval",
    "except",
    "exec",
    "exit",
    "filter",
    "finally",
    "float",
    "for",
    "format",
    "from",
    "frozenset",
    "fx_pytree",
    "getattr",
    "global",
    "globals",
    "hasattr",
    "hash",
    "help",
    "hex",
    "id",
    "if",
    "import",
    "in",
    "inf",
    "input",
    "int",
    "is",
    "isinstance",
    "issubclass",
    "iter",
    "lambda",
    "len",
    "license",
    "list",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "nan",
    "next",
    "nonlocal",
    "not",
    "object",
    "oct",
    "open",
    "or",
    "ord",
    "pass",
    "pow",
    "print",
    "property",
    "pytree",
    "quit",
    "raise",
    "range",
    "repr",
    "return",
    "reversed",
    "round",
    "set",
    "setattr",
    "slice",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "torch",
    "try",
    "tuple",
    "type",
    "vars",
    "while",
    "with",
    "yield",
    "zip",
};

struct fx_names {
    fx_arena *arena;
    fx_map used;  /* name -> itself */
    fx_map count; /* base -> highest number used with it, as a pointer value */
};

struct fx_names *fx__names_new(fx_arena *arena)
{
    struct fx_names *names = FX_NEW(arena, struct fx_names);
    if (!names) return NULL;
    names->arena = arena;
    fx__map_init(&names->used, arena);
    fx__map_init(&names->count, arena);
    return names;
}

struct fx_names *fx__names_clone(fx_arena *arena, const struct fx_names *names)
{
    struct fx_names *clone = fx__names_new(arena);
    if (!clone || !fx__map_copy(&clone->used, &names->used) || !fx__map_copy(&clone->count, &names->count)) return NULL;
    return clone;
}

bool fx__names_is_used(const struct fx_names *names, const char *name)
{
    return fx__map_get(&names->used, fx__intern(fx__arena_context(names->arena), name)) != NULL;
}

static int compare_text(const void *key, const void *item)
{
    return strcmp(key, *(const char *const *)item);
}

static bool is_reserved(const char *name)
{
    return bsearch(name, reserved, sizeof reserved / sizeof reserved[0], sizeof reserved[0], compare_text) != NULL;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Runs of other characters become one underscore; a leading digit gets one in front. */
static char *make_identifier(fx_arena *arena, const char *candidate)
{
    char *out = fx__arena_alloc(arena, strlen(candidate) + 10, 1);
    if (!out) return NULL;
    size_t n = 0;
    if (is_digit(candidate[0])) out[n++] = '_';
    for (const char *at = candidate; *at; at++) {
        if (is_word(*at))
            out[n++] = *at;
        else if (at == candidate || is_word(at[-1]))
            out[n++] = '_';
    }
    if (n == 0) memcpy(out, "_unnamed", 9);
    return out;
}

/* Length of the base: the text before a final "_digits"; *out_number is -1 without one. A number beyond int64 belongs to the base.
 */
static size_t split_number(const char *name, int64_t *out_number)
{
    size_t length = strlen(name), base = length;
    *out_number = -1;
    while (base > 0 && is_digit(name[base - 1])) base--;
    if (base == length || length - base > 18 || base < 2 || name[base - 1] != '_') return length;
    *out_number = strtoll(name + base, NULL, 10);
    return base - 1;
}

static int64_t count_of(const struct fx_names *names, const char *interned)
{
    return (int64_t)(intptr_t)fx__map_get(&names->count, interned);
}

static const char *numbered(const struct fx_names *names, const char *base, size_t n_base, int64_t number)
{
    char *text = fx__arena_format(names->arena, "%.*s_%lld", (int)n_base, base, (long long)number);
    return text ? fx__intern(fx__arena_context(names->arena), text) : NULL;
}

static const char *mark_used(struct fx_names *names, const char *name)
{
    return fx__map_put(&names->used, name, (void *)(intptr_t)name) ? name : NULL;
}

/* The free name like `candidate`, its base, and the number that it uses up. */
static const char *choose(const struct fx_names *names, const char *candidate, const char **out_base, int64_t *out_number)
{
    fx_context *context = fx__arena_context(names->arena);
    const char *whole = make_identifier(names->arena, candidate), *name = whole ? fx__intern(context, whole) : NULL;
    if (!name) return NULL;
    int64_t number;
    size_t n_base = split_number(name, &number);
    const char *base = name;
    if (number < 0 || fx__map_get(&names->used, name)) {
        number = count_of(names, name);
        if (is_reserved(name)) name = numbered(names, base, n_base, ++number);
    }
    while (name && fx__map_get(&names->used, name)) name = numbered(names, base, n_base, ++number);
    *out_base = name ? fx__intern_n(context, base, n_base) : NULL;
    *out_number = number;
    return *out_base ? name : NULL;
}

const char *fx__names_create(struct fx_names *names, const char *candidate, bool exact)
{
    if (exact) {
        const char *name = fx__intern(fx__arena_context(names->arena), candidate);
        return !name || fx__map_get(&names->used, name) ? NULL : mark_used(names, name);
    }
    const char *base;
    int64_t number;
    const char *name = choose(names, candidate, &base, &number);
    if (!name || !fx__map_put(&names->count, base, (void *)(intptr_t)number)) return NULL;
    return mark_used(names, name);
}

const char *fx__names_peek(const struct fx_names *names, const char *candidate)
{
    const char *base;
    int64_t number;
    return choose(names, candidate, &base, &number);
}

/* ---- The candidate of a target ----------------------------------------------------------------------------------------- */

static bool is_magic(const char *text, size_t length)
{
    return length > 4 && strncmp(text, "__", 2) == 0 && strcmp(text + length - 2, "__") == 0;
}

/* An underscore before each capital that follows a small letter; all in small letters. */
static char *snake_case(fx_arena *arena, const char *text, size_t length)
{
    char *out = fx__arena_alloc(arena, 2 * length + 1, 1);
    if (!out) return NULL;
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        bool capital = text[i] >= 'A' && text[i] <= 'Z';
        if (capital && i > 0 && text[i - 1] >= 'a' && text[i - 1] <= 'z') out[n++] = '_';
        out[n++] = capital ? (char)(text[i] - 'A' + 'a') : text[i];
    }
    return out;
}

/* Where Python's __name__ begins: the last component; an operator overload's has two ("mul.Tensor"). */
static const char *function_name(const char *target)
{
    const char *last = strrchr(target, '.');
    if (!last) return target;
    if (strncmp(target, "torch.ops.", 10) != 0) return last + 1;
    const char *packet = last;
    while (packet > target && packet[-1] != '.') packet--;
    const char *space = strchr(target + 10, '.'); /* "torch.ops.NAMESPACE.packet[.overload]" */
    return space && packet > space ? packet : last + 1;
}

const char *fx__names_candidate(fx_arena *arena, fx_opcode opcode, const char *target)
{
    const char *text = opcode == FX_CALL_FUNCTION ? function_name(target) : target;
    size_t length = strlen(text);
    if (opcode != FX_CALL_FUNCTION && is_magic(text, length)) {
        text += 2;
        length -= 4;
    }
    return snake_case(arena, text, length);
}
