/* SPDX-License-Identifier: Apache-2.0 */
/* verify_mismatch.c: where compiled code goes wrong: runs fx_bisect, puts what it finds into lines and into JSON, and writes the
 * smallest graph as a folder. */
#include "verify.h"
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words ----------------------------------------------------------------------------------------------------------------- */

void verify_detail(FILE *out, const char *word, const char *format, ...)
{
    va_list args;
    fprintf(out, "     %-12s", word);
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
}

json_t *verify_number(double value)
{
    return isfinite(value) ? json_real(value) : json_string(isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}

json_t *verify_position(const fx_difference *at)
{
    json_t *list = json_array();
    for (int32_t d = 0; d < at->rank; d++) json_array_append_new(list, json_integer(at->position[d]));
    return list;
}

void verify_position_line(FILE *out, const fx_difference *at)
{
    fprintf(out, "     %-12s[", "position");
    for (int32_t d = 0; d < at->rank; d++) fprintf(out, d ? ", %lld" : "%lld", (long long)at->position[d]);
    fprintf(out, "], element %lld\n", (long long)at->element);
}

/* ---- What was found -------------------------------------------------------------------------------------------------------- */

static void put_found(FILE *out, const fx_mismatch *m, bool pair)
{
    verify_detail(out, "form", "%s", fx_bisect_form_name(m->form));
    verify_detail(out, "pass", "%s%s%s", m->pass, *m->why ? ", which leaves " : "", m->why);
    verify_detail(out, "node", "%s (%s)%s%s", m->node, m->op, *m->place ? ", traced at " : "", m->place);
    if (*m->kernel) verify_detail(out, "kernel", "%s", m->kernel);
    if (*m->loops) verify_detail(out, "loops", "right with %s", m->loops);
    verify_position_line(out, &m->at);
    verify_detail(out, pair ? "these" : "compiled", "%.9g", m->at.actual);
    verify_detail(out, pair ? "others" : "interpreter", "%.9g", m->at.expected);
    verify_detail(out, "apart", "%.3g ulp, bound %.3g", m->at.ulp, m->at.bound);
    if (*m->without) verify_detail(out, "right with", "%s", m->without);
}

static json_t *found_as_json(const fx_mismatch *m)
{
    json_t *nodes = json_array();
    for (int32_t i = 0; i < m->n_nodes; i++) json_array_append_new(nodes, json_string(m->nodes[i]));
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:o,s:I,s:o,s:o,s:o,s:o,s:s,s:s,s:o}", "form", fx_bisect_form_name(m->form),
                     "pass", m->pass, "broken_rule", m->why, "node", m->node, "operator", m->op, "traced", m->place, "kernel",
                     m->kernel, "position", verify_position(&m->at), "element", (json_int_t)m->at.element, "actual",
                     verify_number(m->at.actual), "expected", verify_number(m->at.expected), "ulp", verify_number(m->at.ulp),
                     "bound", verify_number(m->at.bound), "right_with_loops", m->loops, "right_with", m->without, "nodes", nodes);
}

/* ---- The reproducer -------------------------------------------------------------------------------------------------------- */

/* "resnet18.repro" of "models/resnet18.onnx", in the current folder; a run's second one ends in ".2". */
static void name_folder(const subject *s, char *path, size_t bytes)
{
    char number[16] = "";
    const char *slash = strrchr(s->name, '/'), *name = slash ? slash + 1 : s->name, *dot = strrchr(name, '.');
    if (s->o->reproducers > 0) snprintf(number, sizeof number, ".%d", s->o->reproducers + 1);
    if (s->o->reproducer) {
        snprintf(path, bytes, "%s%s", s->o->reproducer, number);
    } else {
        snprintf(path, bytes, "%.*s.repro%s", dot && dot > name ? (int)(dot - name) : (int)strlen(name), name, number);
    }
}

static void write_reproducer(subject *s, const fx_bisection *bisection, FILE *out)
{
    char path[4096];
    const fx_mismatch *m = fx_bisection_mismatch(bisection);
    name_folder(s, path, sizeof path);
    if (fx_bisection_save(bisection, path) != FX_OK) {
        int32_t last = fx_context_diag_count(s->context) - 1;
        verify_detail(out, "reproducer", "not written: %s", last >= 0 ? fx_context_diag(s->context, last, NULL) : "?");
        return;
    }
    s->o->reproducers++;
    verify_detail(out, "reproducer", "%d node%s: fxjit verify %s", (int)m->n_nodes, m->n_nodes == 1 ? "" : "s", path);
    json_object_set_new(s->mismatch, "reproducer", json_string(path));
}

static void tell(subject *s, const fx_bisection *bisection, bool pair)
{
    size_t bytes;
    const fx_mismatch *m = fx_bisection_mismatch(bisection);
    FILE *out = open_memstream(&s->details, &bytes);
    if (!out) return;
    s->mismatch = found_as_json(m);
    s->first = m->at;
    snprintf(s->first_node, sizeof s->first_node, "%s", m->node);
    put_found(out, m, pair);
    write_reproducer(s, bisection, out);
    fclose(out);
}

static const char *recipe_node(const subject *s)
{
    const char *node = json_string_value(json_object_get(s->recipe, "node"));
    return node ? node : "?";
}

bool verify_search(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp)
{
    fx_bisection *bisection;
    const fx_bisect_options options = {.compile = &s->compile, .against = against, .ulp = ulp, .progress = s->compile.progress};
    if (s->recipe) snprintf(s->first_node, sizeof s->first_node, "%s", recipe_node(s)); /* nothing smaller would be found */
    if (s->o->no_bisect || s->recipe || s->details ||
        fx_bisect(s->module, inputs->tensor, inputs->n, &options, &bisection) != FX_OK)
        return false;
    tell(s, bisection, against != NULL);
    fx_bisection_free(bisection);
    return s->details != NULL;
}
