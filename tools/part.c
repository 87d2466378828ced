/* SPDX-License-Identifier: Apache-2.0 */
/* part.c: `--node GLOB` of show and explain, and `--kernel` of explain: the part of a graph or of compiled code that is meant. */
#include "part.h"
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ---- Of a graph -------------------------------------------------------------------------------------------------------------- */

static bool matches(const fx_node *node, const char *glob)
{
    const char *place = fx_node_loc(node).function;
    return fnmatch(glob, fx_node_name(node), 0) == 0 || (place && fnmatch(glob, place, 0) == 0);
}

static void no_such_node(const fx_graph *graph, const char *glob)
{
    int n = 0;
    const char **names = calloc((size_t)fx_graph_id_count(graph) + 1, sizeof *names);
    for (const fx_node *node = fx_graph_first(graph); names && node; node = fx_node_next(node)) names[n++] = fx_node_name(node);
    tool_complain("no node is called", glob, names ? tool_nearest_name(glob, names, n) : NULL);
    free(names);
}

bool *part_of_graph(const fx_graph *graph, const char *glob)
{
    bool *shown = calloc((size_t)fx_graph_id_count(graph) + 1, sizeof *shown), any = false;
    for (const fx_node *node = fx_graph_first(graph); shown && node; node = fx_node_next(node)) {
        if (!matches(node, glob)) continue;
        any = shown[fx_node_id(node)] = true;
        for (int32_t i = 0; i < fx_node_input_count(node); i++) shown[fx_node_id(fx_node_input(node, i))] = true;
        for (int32_t i = 0; i < fx_node_user_count(node); i++) shown[fx_node_id(fx_node_user(node, i))] = true;
    }
    if (any) return shown;
    if (shown)
        no_such_node(graph, glob);
    else
        fprintf(stderr, "error: %s\n", fx_status_text(FX_E_OOM));
    free(shown);
    return NULL;
}

/* Whether a node's text begins here: graphs inside of it are further to the right. */
static bool begins_node(const char *line, part_form form, bool in_rows)
{
    if (form == PART_TABLE) return in_rows;
    if (form == PART_FX) return strncmp(line, "  %", 3) == 0;
    return strncmp(line, "    %", 5) == 0 || strncmp(line, "    return ", 11) == 0;
}

static bool is_frame(const char *line, part_form form, bool in_rows)
{
    return form == PART_TABLE ? !in_rows : strncmp(line, "graph", 5) == 0 || *line == '}';
}

/* Nodes stand in the text in the graph's order. */
static void print_lines(FILE *out, const char *text, const fx_graph *graph, const bool *shown, part_form form)
{
    static const char *const dots[] = {"    ...\n", "...\n", "  ...\n"};
    const fx_node *node = NULL;
    bool here = false, gap = false, in_rows = false;
    for (const char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (begins_node(line, form, in_rows)) {
            node = node ? fx_node_next(node) : fx_graph_first(graph);
            here = node && shown[fx_node_id(node)];
            gap = gap || !here;
        } else if (is_frame(line, form, in_rows)) {
            here = true;
        }
        in_rows = in_rows || *line == '-'; /* a table's rule */
        if (!here) continue;
        if (gap) fputs(dots[form], out);
        gap = false;
        fwrite(line, 1, (size_t)(end - line), out);
        if (!*end && end[-1] != '\n') putc('\n', out);
        here = here && node; /* what follows a frame belongs to nobody */
    }
    if (gap) fputs(dots[form], out);
}

char *part_of_text(const fx_graph *graph, const bool *shown, part_form form)
{
    char *text = form == PART_TABLE ? fx_graph_to_table(graph)
                 : form == PART_FX  ? fx_graph_to_fx(graph)
                                    : fx_graph_to_string(graph);
    char *part = NULL;
    size_t bytes = 0;
    FILE *out = text ? open_memstream(&part, &bytes) : NULL;
    if (out) print_lines(out, text, graph, shown, form);
    fx_text_free(text);
    if (!out || fclose(out) != 0) return NULL;
    return part;
}

/* ---- Of compiled code -------------------------------------------------------------------------------------------------------- */

/* A node that no unit computes has a reason for it. NULL: no such node. */
static const char *why_elsewhere(const fx_explanation *e, const char *name)
{
    for (int32_t i = 0; i < e->n_elsewhere; i++)
        if (strcmp(fx_node_name(e->elsewhere[i].node), name) == 0) return e->elsewhere[i].what;
    return NULL;
}

/* Names of nodes or of kernels, whichever were asked for. */
static int collect_names(const fx_explain_filter *filter, const fx_explanation *e, const char **names)
{
    int n = 0;
    for (int32_t i = 0; filter->node && i < e->n_unit; i++)
        for (int32_t k = 0; k < e->unit[i].n_nodes; k++, n++)
            if (names) names[n] = fx_node_name(e->unit[i].nodes[k]);
    for (int32_t i = 0; !filter->node && i < e->n_kernel; i++, n++)
        if (names) names[n] = e->kernel[i].name;
    return n;
}

static void no_such_unit(const fx_explain_filter *filter, const fx_explanation *e)
{
    const char *word = filter->node ? filter->node : filter->kernel, *what = why_elsewhere(e, word);
    int n = collect_names(filter, e, NULL);
    const char **names = calloc((size_t)n + 1, sizeof *names);
    if (names) collect_names(filter, e, names);
    if (what)
        fprintf(stderr, "error: no unit computes '%s': it is of the kind \"%s\"\n", word, what);
    else
        tool_complain("no unit has a node or kernel", word, names ? tool_nearest_name(word, names, n) : NULL);
    free(names);
}

bool part_has_units(const fx_explanation *code, const fx_explain_filter *filter)
{
    if (!filter->node && !filter->kernel) return true;
    for (int32_t i = 0; i < code->n_unit; i++)
        if (fx_explain_wants(code, filter, i)) return true;
    no_such_unit(filter, code);
    return false;
}

/* "# k3: conv1 + relu1; conv2 + relu2"; false: the filter leaves no unit of the kernel. */
static bool print_heading(FILE *out, const fx_explanation *code, const fx_explain_filter *filter, int32_t kernel, char comment)
{
    bool any = false;
    for (int32_t i = 0; i < code->n_unit; i++) {
        const fx_unit *unit = &code->unit[i];
        if (unit->kernel != kernel || !fx_explain_wants(code, filter, i)) continue;
        if (!any) fprintf(out, "%c %s: ", comment, code->kernel[kernel].name);
        fprintf(out, "%s%s", any ? "; " : "", unit->label);
        any = true;
    }
    if (any) putc('\n', out);
    return any;
}

fx_status part_print_kernels(FILE *out, const fx_compiled *compiled, const fx_explanation *code, const fx_explain_filter *filter,
                             fx_stage_form form)
{
    for (int32_t k = 0; k < code->n_kernel; k++) {
        char *text;
        if (!print_heading(out, code, filter, k, form == FX_STAGE_LLVM ? ';' : '#')) continue;
        fx_status status = fx_explain_kernel(compiled, k, form, &text);
        if (status != FX_OK) return status;
        fputs(text, out);
        fx_text_free(text);
    }
    return FX_OK;
}
