/* SPDX-License-Identifier: Apache-2.0 */
/* ir/nesting.c: how the arguments and the result of a graph's function are nested, as compact JSON (docs/FORMAT.md), checked here
 * once so that all others may trust it: SPEC = {"leaf":true} | {"none":true} | {"list":[SPEC,...]} | {"tuple":[SPEC,...]} |
 * {"dict":{"key":SPEC,...}} */
#include "ir/diag.h"
#include "ir/graph.h"
#include <string.h>

enum { NESTING_DEPTH = 64 };

const char *fx_graph_in_spec(const fx_graph *graph)
{
    return graph->in_spec;
}

const char *fx_graph_out_spec(const fx_graph *graph)
{
    return graph->out_spec;
}

static bool accept(const char **at, const char *text)
{
    size_t bytes = strlen(text);
    if (strncmp(*at, text, bytes) != 0) return false;
    *at += bytes;
    return true;
}

static bool skip_escape(const char **at)
{
    char c = *(*at)++;
    if (c == 'u' && strspn(*at, "0123456789abcdefABCDEF") >= 4) return *at += 4, true;
    return c && c != 'u' && strchr("\"\\/bfnrt", c) != NULL;
}

static bool skip_key(const char **at)
{
    if (!accept(at, "\"")) return false;
    while (**at && **at != '"') {
        if ((unsigned char)**at < 0x20) return false;
        if (*(*at)++ == '\\' && !skip_escape(at)) return false;
    }
    return accept(at, "\"");
}

static bool skip_spec(const char **at, int depth);

static bool skip_items(const char **at, bool has_keys, const char *end, int depth)
{
    if (accept(at, end)) return true;
    do {
        if (has_keys && (!skip_key(at) || !accept(at, ":"))) return false;
        if (!skip_spec(at, depth + 1)) return false;
    } while (accept(at, ","));
    return accept(at, end);
}

static bool skip_spec(const char **at, int depth)
{
    if (depth > NESTING_DEPTH) return false;
    if (accept(at, "{\"leaf\":true}") || accept(at, "{\"none\":true}")) return true;
    if (accept(at, "{\"dict\":{")) return skip_items(at, true, "}}", depth);
    return (accept(at, "{\"list\":[") || accept(at, "{\"tuple\":[")) && skip_items(at, false, "]}", depth);
}

static bool is_spec(const char *text)
{
    return !text || (skip_spec(&text, 0) && !*text);
}

/* Arguments stand in a tuple. */
fx_status fx_graph_set_specs(fx_graph *graph, const char *in_spec, const char *out_spec)
{
    bool good = is_spec(in_spec) && is_spec(out_spec) && (!in_spec || strncmp(in_spec, "{\"tuple\":[", 10) == 0);
    if (!good) return fx__diag(graph->context, FX_E_FORMAT, NULL, "not a nesting of arguments or results: see docs/FORMAT.md");
    const char *in = in_spec ? fx__intern(graph->context, in_spec) : NULL;
    const char *out = out_spec ? fx__intern(graph->context, out_spec) : NULL;
    if ((in_spec && !in) || (out_spec && !out)) return FX_E_OOM;
    graph->in_spec = in;
    graph->out_spec = out;
    graph->edits++;
    return FX_OK;
}
