/* SPDX-License-Identifier: Apache-2.0 */
/* verb_show.c: `fxjit show`: the text of any form of a model. */
#include "fxjit/analysis.h"
#include "fxjit/draw.h"
#include "fxjit/source.h"
#include "page.h"
#include "part.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const stages[] = {"fx", "core", "program", "llvm", "asm", "obj", NULL};
static const char *const formats[] = {"text", "table", "dot",  "svg",     "fx",   "python", "readable", "module",
                                      "c",    "stats", "lint", "mermaid", "json", "html",   NULL};
enum {
    FORMAT_TEXT,
    FORMAT_TABLE,
    FORMAT_DOT,
    FORMAT_SVG,
    FORMAT_FX,
    FORMAT_PYTHON,
    FORMAT_READABLE,
    FORMAT_MODULE,
    FORMAT_C,
    FORMAT_STATS,
    FORMAT_LINT,
    FORMAT_MERMAID,
    FORMAT_JSON,
    FORMAT_HTML
};
enum { KEY_STAGE = 512, KEY_FORMAT, KEY_TIMES, KEY_NODE };

typedef struct show_options {
    tool_options common;
    const char *model, *output, *node;
    int stage, format;
    bool times;
} show_options;

static const struct argp_option options[] = {
    {"stage", KEY_STAGE, "FORM", 0, "fx (the graph as it was read, the default), core, program, llvm, asm or obj", 0},
    {"format", KEY_FORMAT, "FORMAT", 0,
     "of the graph: text (the default), table, dot, svg (with Graphviz), mermaid, html (one page), json (graph.json of .fxm), "
     "fx (which is read back), python (torch.fx's code), readable (with shapes and submodules), module (a Python file of "
     "classes), c (which traces it again), stats (counts, parameters, flops) or lint (what looks wrong or wasteful)",
     0},
    {"times", KEY_TIMES, NULL, 0,
     "with dot, svg or mermaid: the compiled graph, with the time expected of the step that computes a node", 0},
    {"node", KEY_NODE, "GLOB", 0,
     "a part: nodes of such a name (or place in its file), what they read and who reads them; of program, llvm and asm the kernels "
     "that "
     "compute them: conv*",
     0},
    {"output", 'o', "FILE", 0, "write to FILE instead of standard output", 0},
    {0}};

static bool is_drawing(int format)
{
    return format == FORMAT_DOT || format == FORMAT_SVG || format == FORMAT_MERMAID;
}

static bool has_parts(const show_options *o)
{
    bool lines = o->format == FORMAT_TEXT || o->format == FORMAT_TABLE || o->format == FORMAT_FX;
    return o->stage == FX_STAGE_FX ? lines || is_drawing(o->format) : o->stage != FX_STAGE_OBJ;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    show_options *o = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        for (int i = 0; i < 2; i++) state->child_inputs[i] = &o->common;
        return 0;
    case KEY_STAGE:
        o->stage = tool_choice("show", "stage", arg, stages);
        return 0;
    case KEY_FORMAT:
        o->format = tool_choice("show", "format", arg, formats);
        return 0;
    case KEY_TIMES:
        o->times = true;
        return 0;
    case KEY_NODE:
        o->node = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case ARGP_KEY_END:
        if (o->stage != FX_STAGE_FX && o->format != FORMAT_TEXT) tool_usage("show", "--format is for --stage fx");
        if (o->node && !has_parts(o))
            tool_usage("show",
                       "--node is for --format text, table, fx, dot, svg and mermaid, and for --stage core, program, llvm and asm");
        if (o->times && !is_drawing(o->format)) tool_usage("show", "--times is for --format dot, svg and mermaid");
        return tool_one_model("show", key, arg, &o->model);
    default:
        return tool_one_model("show", key, arg, &o->model);
    }
}

static const struct argp_child children[] = {{&tool_argp_compile, 0, NULL, 0}, {&tool_argp_input, 0, NULL, 0}, {0}};
static const struct argp argp = {options,
                                 parse,
                                 "MODEL",
                                 "Prints a form of a model: the graph, what the compiler makes of it, or machine code."
                                 "\vExamples:\n"
                                 "  fxjit show resnet18.onnx\n"
                                 "  fxjit show --format svg -o graph.svg resnet18.onnx\n"
                                 "  fxjit show --format svg --times -o times.svg resnet18.onnx\n"
                                 "  fxjit show --format html -o graph.html resnet18.onnx\n"
                                 "  fxjit show --node '*conv1*' resnet18.onnx\n"
                                 "  fxjit show --format python resnet18.onnx\n"
                                 "  fxjit show --stage program mlp.fx\n"
                                 "  fxjit show --stage asm --threads 1 --cpu x86-64-v3 mlp.onnx\n",
                                 children,
                                 NULL,
                                 NULL};

/* ---- Output --------------------------------------------------------------------------------------------------------------------
 */

/* The child: Graphviz, from the pipe to the file. */
static void run_dot(int from, int to)
{
    if (dup2(from, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0) _exit(126);
    execlp("dot", "dot", "-Tsvg", (char *)NULL);
    _exit(127);
}

static bool write_all(int to, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(to, text, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        text += n;
        bytes -= (size_t)n;
    }
    return true;
}

/* Exit status of Graphviz; -1: it did not run to its end. */
static int send_to_dot(const char *text, int to)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0) return -1;
    pid_t child = fork();
    signal(SIGPIPE, child == 0 ? SIG_DFL : SIG_IGN); /* a child that is gone at once is told of by its status */
    if (child == 0) {
        close(ends[1]);
        run_dot(ends[0], to);
    }
    close(ends[0]);
    bool sent = child > 0 && write_all(ends[1], text, strlen(text));
    close(ends[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (child < 0 || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status) == 0 && !sent ? -1 : WEXITSTATUS(status);
}

static int draw(const char *path, const char *text)
{
    tool_file file;
    if (!tool_file_open(&file, path)) return TOOL_FAILED;
    fflush(file.out);
    int status = send_to_dot(text, fileno(file.out));
    if (status != 0)
        fprintf(stderr, "error: %s\n", status == 127 ? "--format svg needs the program `dot` of Graphviz" : "`dot` failed");
    return tool_file_close(&file, status == 0);
}

/* ---- Forms ----------------------------------------------------------------------------------------------------------------------
 */

static char *stats_text(const fx_graph *graph)
{
    fx_graph_stats stats;
    if (fx_graph_measure(graph, &stats) != FX_OK) return NULL;
    char *text = fx_graph_stats_to_string(graph, &stats);
    fx_graph_stats_free(&stats);
    return text;
}

static char *lint_text(const fx_graph *graph)
{
    fx_review *review;
    if (fx_graph_review(graph, 0, &review) != FX_OK) return NULL;
    char *text = fx_review_to_string(review);
    fx_review_free(review);
    return text;
}

/* ---- Times
 * -----------------------------------------------------------------------------------------------------------------------
 */

/* By node; -1: no step of a run computes it. The graph is that of the compiled code, which holds at least its output. */
static double *expected_times(const fx_explanation *code, const fx_graph *graph)
{
    int32_t n = fx_graph_id_count(graph);
    double *us = malloc(((size_t)n + 1) * sizeof *us);
    for (int32_t id = 0; us && id < n; id++) us[id] = -1;
    for (int32_t i = 0; us && i < code->n_unit; i++) {
        const fx_unit *unit = &code->unit[i];
        for (int32_t k = 0; k < unit->n_nodes && !unit->init; k++)
            if (fx_node_graph(unit->nodes[k]) == graph) us[fx_node_id(unit->nodes[k])] = unit->expected_us * (double)unit->turns;
    }
    return us;
}

static char *drawing(const fx_graph *graph, int format, const fx_draw_options *options_of)
{
    return format == FORMAT_MERMAID ? fx_graph_to_mermaid(graph, options_of) : fx_graph_to_dot_with(graph, options_of);
}

static char *draw_compiled(const fx_compiled *compiled, const show_options *o)
{
    fx_explanation *code = NULL;
    if (fx_explain(compiled, &code) != FX_OK) return NULL;
    const fx_graph *graph = code->n_elsewhere ? fx_node_graph(code->elsewhere[0].node) : NULL; /* its output is one of them */
    double *us = graph ? expected_times(code, graph) : NULL;
    bool *shown = us && o->node ? part_of_graph(graph, o->node) : NULL;
    char *text = us && (shown || !o->node) ? drawing(graph, o->format, &(fx_draw_options){us, shown}) : NULL;
    free(shown);
    free(us);
    fx_explanation_free(code);
    return text;
}

static char *text_with_times(fx_context *context, fx_module *module, show_options *o)
{
    tool_tensors inputs = {0};
    fx_compiled *compiled = NULL;
    fx_status status = tool_has_types(module) ? FX_OK : tool_inputs(context, module, &o->common, &inputs);
    tool_progress_begin(&o->common);
    if (status == FX_OK) status = fx_compile(module, inputs.tensor, inputs.n, &o->common.compile, &compiled);
    tool_progress_end();
    char *text = status == FX_OK ? draw_compiled(compiled, o) : NULL;
    fx_compiled_free(compiled);
    tool_tensors_free(&inputs);
    return text;
}

static char *graph_text(fx_module *module, int format)
{
    const fx_graph *graph = fx_module_graph(module);
    switch (format) {
    case FORMAT_PYTHON:
        return fx_graph_to_python(graph, NULL);
    case FORMAT_READABLE:
        return fx_module_to_readable(module);
    case FORMAT_MODULE:
        return fx_module_to_python(module, NULL);
    case FORMAT_C:
        return fx_graph_to_c(graph, NULL);
    case FORMAT_STATS:
        return stats_text(graph);
    case FORMAT_LINT:
        return lint_text(graph);
    case FORMAT_TABLE:
        return fx_graph_to_table(graph);
    case FORMAT_DOT:
    case FORMAT_SVG:
    case FORMAT_MERMAID:
        return drawing(graph, format, NULL);
    case FORMAT_JSON:
        return fx_module_to_json(module);
    case FORMAT_FX:
        return fx_graph_to_fx(graph);
    default:
        return fx_graph_to_string(graph);
    }
}

static char *part_drawing(const fx_graph *graph, const show_options *o)
{
    bool *shown = part_of_graph(graph, o->node);
    char *text = shown ? drawing(graph, o->format, &(fx_draw_options){.shown = shown}) : NULL;
    free(shown);
    return text;
}

static int show_lines(const fx_graph *graph, part_form form, const show_options *o)
{
    bool *shown = part_of_graph(graph, o->node);
    if (!shown) return TOOL_FAILED;
    char *text = part_of_text(graph, shown, form);
    int result = text ? tool_write_file(o->output, text, strlen(text)) : tool_fail(NULL, FX_E_OOM, false);
    free(text);
    free(shown);
    return result;
}

static int show_page(const fx_module *module, const show_options *o)
{
    json_t *page = page_begin(o->model);
    page_nodes nodes = page_nodes_new();
    page_nodes_add(&nodes, fx_module_graph(module));
    page_add_graphs(page, &nodes);
    int result = page_write(o->output ? o->output : "-", page, NULL);
    page_nodes_free(&nodes);
    json_decref(page);
    return result;
}

static int show_graph(fx_context *context, fx_module *module, show_options *o)
{
    if (o->format == FORMAT_HTML) return show_page(module, o);
    const fx_graph *graph = fx_module_graph(module);
    if (o->node && !is_drawing(o->format))
        return show_lines(graph, o->format == FORMAT_TABLE ? PART_TABLE : o->format == FORMAT_FX ? PART_FX : PART_TEXT, o);
    char *text = o->times ? text_with_times(context, module, o) : o->node ? part_drawing(graph, o) : graph_text(module, o->format);
    if (!text)
        return o->node && fx_context_status(context) == FX_OK ? TOOL_FAILED : tool_fail(context, fx_context_status(context), false);
    int result = o->format == FORMAT_SVG ? draw(o->output, text) : tool_write_file(o->output, text, strlen(text));
    fx_text_free(text);
    bool ended = o->format == FORMAT_SVG || (o->format >= FORMAT_STATS && o->format <= FORMAT_MERMAID);
    if (result == TOOL_OK && !o->output && !ended) putchar('\n');
    return result;
}

/* The .fx text of the core graph, of which only a part is wanted. */
static int show_core_part(fx_context *context, const char *text, size_t bytes, const show_options *o)
{
    fx_graph *graph;
    fx_status status = fx_graph_parse(context, "core", text, bytes, &graph);
    if (status != FX_OK) return tool_fail(context, status, false);
    int result = show_lines(graph, PART_FX, o);
    fx_graph_free(graph);
    return result;
}

static int show_form(fx_context *context, fx_module *module, const tool_tensors *inputs, const show_options *o)
{
    char *text;
    size_t bytes;
    fx_status status =
        fx_compile_text(module, inputs->tensor, inputs->n, &o->common.compile, (fx_stage_form)o->stage, &text, &bytes);
    tool_progress_end();
    if (status != FX_OK) return tool_fail(context, status, false);
    int result = o->node ? show_core_part(context, text, bytes, o) : tool_write_file(o->output, text, bytes);
    fx_text_free(text);
    return result;
}

static int write_kernels(fx_context *context, const fx_compiled *compiled, const fx_explanation *code, const show_options *o)
{
    const fx_explain_filter filter = {.node = o->node};
    char *text = NULL;
    size_t bytes = 0;
    if (!part_has_units(code, &filter)) return TOOL_FAILED;
    FILE *out = open_memstream(&text, &bytes);
    fx_status status = out ? part_print_kernels(out, compiled, code, &filter, (fx_stage_form)o->stage) : FX_E_OOM;
    if (out && fclose(out) != 0 && status == FX_OK) status = FX_E_OOM;
    int result = status == FX_OK ? tool_write_file(o->output, text, bytes) : tool_fail(context, status, false);
    free(text);
    return result;
}

static int show_kernels(fx_context *context, fx_module *module, const tool_tensors *inputs, const show_options *o)
{
    fx_compiled *compiled = NULL;
    fx_explanation *code = NULL;
    fx_status status = fx_compile(module, inputs->tensor, inputs->n, &o->common.compile, &compiled);
    if (status == FX_OK) status = fx_explain(compiled, &code);
    tool_progress_end();
    int result = status == FX_OK ? write_kernels(context, compiled, code, o) : tool_fail(context, status, false);
    fx_explanation_free(code);
    fx_compiled_free(compiled);
    return result;
}

static int show_stage(fx_context *context, fx_module *module, show_options *o)
{
    tool_tensors inputs = {0};
    fx_status status = tool_has_types(module) ? FX_OK : tool_inputs(context, module, &o->common, &inputs);
    tool_progress_begin(&o->common);
    int result = status != FX_OK                        ? tool_fail(context, status, false)
                 : o->node && o->stage != FX_STAGE_CORE ? show_kernels(context, module, &inputs, o)
                                                        : show_form(context, module, &inputs, o);
    tool_tensors_free(&inputs);
    return result;
}

int tool_show(int argc, char **argv)
{
    show_options o = {.common = tool_defaults("show")};
    tool_parse(&argp, argc, argv, &o);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = fx_load(context, o.model, &module);
    int result = status != FX_OK ? tool_fail(context, status, false)
                                 : (o.stage == FX_STAGE_FX ? show_graph(context, module, &o) : show_stage(context, module, &o));
    fx_module_free(module);
    fx_context_free(context);
    tool_options_free(&o.common);
    return result;
}
