/* SPDX-License-Identifier: Apache-2.0 */
/* verify_against.c: `fxjit verify --against OPTIONS`: one model compiled twice. Two targets are two option sets, as long as this
 * machine can run both. */
#include "verify.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- The other options ----------------------------------------------------------------------------------------------------- */

static bool switch_of(const char *key, const char *value)
{
    static const char *const words[] = {"on", "off", NULL};
    return tool_choice("verify", key, value, words) == 0;
}

static void set_option(fx_compile_options *o, char *key, char *value)
{
    static const char *const keys[] = {"threads", "precision", "fusion", "in_place", "target", "cpu", "features", NULL};
    static const char *const precisions[] = {"default", "strict", "fast", NULL};
    switch (tool_choice("verify", "against", key, keys)) {
    case 0:
        o->threads = (int32_t)tool_number("verify", "threads", value, 0, 1024);
        break;
    case 1:
        o->precision = (fx_precision)tool_choice("verify", "precision", value, precisions);
        break;
    case 2:
        o->no_fusion = !switch_of("fusion", value);
        break;
    case 3:
        o->no_in_place = !switch_of("in_place", value);
        break;
    case 4:
        o->target_triple = value;
        break;
    case 5:
        o->target_cpu = value;
        break;
    default:
        o->target_features = value;
    }
}

/* A comma in front of + or - belongs to a list of features. */
static char *end_of_option(char *text)
{
    char *comma = strchr(text, ',');
    while (comma && (comma[1] == '+' || comma[1] == '-')) comma = strchr(comma + 1, ',');
    return comma;
}

void verify_parse_options(const char *text, fx_compile_options *options, char *memory, size_t bytes)
{
    if (strlen(text) >= bytes) tool_usage("verify", "--against: too long");
    strcpy(memory, text);
    for (char *at = memory, *end; at && *at; at = end) {
        end = end_of_option(at);
        if (end) *end++ = 0;
        char *value = strchr(at, '=');
        if (!value) tool_usage("verify", "--against: '%s' is neither a file nor OPTION=VALUE", at);
        *value++ = 0;
        set_option(options, at, value);
    }
}

/* ---- Comparing ------------------------------------------------------------------------------------------------------------- */

typedef struct pair {
    tool_tensors these, others, slow, bounds;
} pair;

static bool run_side(subject *s, const char *what, const tool_tensors *inputs, const fx_compile_options *options, tool_tensors *out)
{
    fx_compiled *compiled;
    tool_tensors copies = {0};
    bool typed = tool_has_types(s->module);
    *out = tool_tensors_new(fx_module_output_count(s->module));
    if (!verify_status(s, what, fx_compile(s->module, typed ? NULL : inputs->tensor, typed ? 0 : inputs->n, options, &compiled)))
        return false;
    bool good = verify_status(s, "copying inputs", tool_tensors_copy(inputs, &copies)) &&
                verify_status(s, what, fx_run(compiled, s->context, copies.tensor, copies.n, out->tensor, out->n));
    fx_compiled_free(compiled);
    tool_tensors_free(&copies);
    return good;
}

/* Both results may be off by their bound. */
static bool derive_bounds(subject *s, const tool_tensors *inputs, pair *p)
{
    tool_tensors copies = {0};
    int32_t n = fx_module_output_count(s->module);
    p->slow = tool_tensors_new(n);
    p->bounds = tool_tensors_new(n);
    tool_progress_silent("interpreting");
    bool good = verify_status(s, "copying inputs", tool_tensors_copy(inputs, &copies)) &&
                verify_status(s, "interpreting",
                              fx_interpret_tolerance(s->module, copies.tensor, copies.n, p->slow.tensor, p->bounds.tensor, n));
    for (int32_t i = 0; i < n && good; i++)
        for (int64_t e = 0; e < fx_tensor_elems(&p->bounds.tensor[i]); e++)
            fx_tensor_set(&p->bounds.tensor[i], e, 2 * fx_tensor_get(&p->bounds.tensor[i], e));
    tool_tensors_free(&copies);
    return good;
}

static bool run_pair(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp, pair *p)
{
    return run_side(s, "compiling", inputs, &s->compile, &p->these) &&
           run_side(s, "compiling the others", inputs, against, &p->others) && (ulp >= 0 || derive_bounds(s, inputs, p));
}

static bool compare_pair(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp, const pair *p)
{
    fx_difference at;
    for (int32_t i = 0; i < p->these.n; i++) {
        if (fx_tensor_agrees(&p->these.tensor[i], &p->others.tensor[i], ulp < 0 ? &p->bounds.tensor[i] : NULL, ulp, &at)) continue;
        const char *node = s->o->no_bisect ? "not looked for" : "only when all are together";
        if (verify_search(s, inputs, against, ulp)) at = s->first;
        if (*s->first_node) node = s->first_node;
        return verify_fault(s, "output \"%s\" differs; first node %s, element %lld: %.9g, with the other options %.9g (%.3g ulp)",
                            fx_module_output_name(s->module, i), node, (long long)at.element, at.actual, at.expected, at.ulp);
    }
    return true;
}

bool verify_pair(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp)
{
    pair p = {0};
    bool good = run_pair(s, inputs, against, ulp, &p) && compare_pair(s, inputs, against, ulp, &p);
    tool_tensors_free(&p.these);
    tool_tensors_free(&p.others);
    tool_tensors_free(&p.slow);
    tool_tensors_free(&p.bounds);
    return good;
}

bool verify_take_inputs(subject *s, const char *folder, tool_tensors *out)
{
    char path[4096];
    struct stat info;
    snprintf(path, sizeof path, "%s/in", folder ? folder : "");
    if (!folder || stat(path, &info) != 0)
        return verify_status(s, "inputs", tool_inputs(s->context, s->module, &s->o->common, out));
    return verify_status(s, path, tool_load_named(s->context, s->module, path, true, out));
}

static bool two_options(subject *s, const char *folder)
{
    char memory[1024];
    fx_compile_options against = s->compile;
    tool_tensors inputs = {0};
    verify_parse_options(s->o->against, &against, memory, sizeof memory);
    bool good = verify_take_inputs(s, folder, &inputs) && verify_widen(s, &inputs) && verify_pair(s, &inputs, &against, s->o->ulp);
    tool_tensors_free(&inputs);
    return good;
}

/* ---- Two models ------------------------------------------------------------------------------------------------------------ */

static void put_parting(const fx_parting *p, FILE *out)
{
    verify_detail(out, "node", "%s (%s)%s%s", p->node, p->op, *p->place ? ", traced at " : "", p->place);
    verify_detail(out, "reads", "%s", *p->read ? p->read : "nothing");
    verify_detail(out, "other", "%s (%s)%s%s", p->other, p->other_op, *p->other_place ? ", traced at " : "", p->other_place);
    verify_position_line(out, &p->at);
    verify_detail(out, "this", "%.9g%s", p->at.actual, p->at_output ? ", at the output" : "");
    verify_detail(out, "the other", "%.9g", p->at.expected);
    verify_detail(out, "apart", "%.3g ulp, bound %.3g", p->at.ulp, p->at.bound);
    verify_detail(out, "in both", "%d of %d values", (int)p->n_matched, (int)p->n_nodes);
}

static json_t *parting_as_json(const fx_parting *p)
{
    return json_pack("{s:s*,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:b,s:o,s:I,s:o,s:o,s:o,s:o,s:i,s:i}", "output", p->output, "node", p->node,
                     "operator", p->op, "traced", p->place, "other", p->other, "other_operator", p->other_op, "other_traced",
                     p->other_place, "reads", p->read, "at_output", p->at_output, "position", verify_position(&p->at), "element",
                     (json_int_t)p->at.element, "actual", verify_number(p->at.actual), "expected", verify_number(p->at.expected),
                     "ulp", verify_number(p->at.ulp), "bound", verify_number(p->at.bound), "in_both", (int)p->n_matched, "values",
                     (int)p->n_nodes);
}

static bool tell_parting(subject *s, const fx_parting *p)
{
    size_t bytes;
    FILE *out = open_memstream(&s->details, &bytes);
    if (out && p->agrees) verify_detail(out, "note", "outputs agree; a value inside does not");
    if (out) put_parting(p, out);
    if (out) fclose(out);
    s->mismatch = parting_as_json(p);
    if (p->agrees) return true;
    return verify_fault(s, "output \"%s\" differs from that of %s; they part at %s (%s), there %s (%s)", p->output, s->o->against,
                        p->node, p->op, p->other, p->other_op);
}

static bool two_models(subject *s, const char *folder)
{
    fx_module *other = NULL;
    fx_parting *parting = NULL;
    tool_tensors inputs = {0};
    bool good = verify_status(s, "reading the other", fx_load(s->context, s->o->against, &other)) &&
                (!s->o->in_f64 || verify_status(s, "casting the other", fx_module_cast(other, FX_F32, FX_F64))) &&
                verify_take_inputs(s, folder, &inputs) && verify_widen(s, &inputs) &&
                verify_status(s, "interpreting", fx_find_parting(s->module, other, inputs.tensor, inputs.n, s->o->ulp, &parting)) &&
                (!parting->node || tell_parting(s, parting));
    fx_parting_free(parting);
    tool_tensors_free(&inputs);
    if (other) fx_module_free(other);
    return good;
}

bool verify_against(subject *s, const char *folder)
{
    struct stat info;
    return stat(s->o->against, &info) == 0 ? two_models(s, folder) : two_options(s, folder);
}
