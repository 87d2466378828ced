/* SPDX-License-Identifier: Apache-2.0 */
/* verify_against.c: `fxjit verify --against OPTIONS`: one model compiled twice. Two targets are two option sets, as long as this
 * machine can run both. */
#include "verify.h"
#include <stdlib.h>
#include <string.h>

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
    bool good = verify_status(s, "copying inputs", tool_tensors_copy(inputs, &copies)) &&
                verify_status(s, "interpreting",
                              fx_interpret_bound(s->module, copies.tensor, copies.n, p->slow.tensor, p->bounds.tensor, n));
    for (int32_t i = 0; i < n && good; i++)
        for (int64_t e = 0; e < fx_tensor_elems(&p->bounds.tensor[i]); e++)
            fx_tensor_set(&p->bounds.tensor[i], e, 2 * fx_tensor_get(&p->bounds.tensor[i], e));
    tool_tensors_free(&copies);
    return good;
}

static bool run_pair(subject *s, const tool_tensors *inputs, const fx_compile_options *against, double ulp, pair *p)
{
    return run_side(s, "compiling", inputs, &s->compile, &p->these) && run_side(s, "compiling the others", inputs, against, &p->others) &&
           (ulp >= 0 || derive_bounds(s, inputs, p));
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

/* Inputs of a folder with some, else as the command line says. */
static bool take_inputs(subject *s, const char *folder, tool_tensors *out)
{
    char path[4096];
    if (!folder) return verify_status(s, "inputs", tool_inputs(s->context, s->module, &s->o->common, out));
    snprintf(path, sizeof path, "%s/in", folder);
    return verify_status(s, path, tool_load_named(s->context, s->module, path, true, out));
}

bool verify_two_options(subject *s, const char *folder)
{
    char memory[1024];
    fx_compile_options against = s->compile;
    tool_tensors inputs = {0};
    verify_parse_options(s->o->against, &against, memory, sizeof memory);
    bool good = take_inputs(s, folder, &inputs) && verify_widen(s, &inputs) && verify_pair(s, &inputs, &against, s->o->ulp);
    tool_tensors_free(&inputs);
    return good;
}
