/* SPDX-License-Identifier: Apache-2.0 */
/* verify_cases.c: cases with expected outputs: those of ONNX (tolerance rtol 1e-3, atol 1e-7, as its own runner has it) and those
 * of benchmarks (largest error below 1e-4 of the largest expected value). */
#include "verify.h"
#include <dirent.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ONNX_RTOL 1e-3
#define ONNX_ATOL 1e-7
#define BENCH_TOLERANCE 1e-4

/* Files of one data set: inputs or expected outputs. */
typedef struct protos {
    fx_tensor tensor[TOOL_LIST];
    char *name[TOOL_LIST];
    int32_t n;
} protos;

/* ---- Reasons
 * ----------------------------------------------------------------------------------------------------------------------- */

bool verify_fault(subject *s, const char *format, ...)
{
    va_list args;
    if (s->why[0]) return false;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    return false;
}

/* All errors are about value types that fxjit lacks. */
static bool lacks_types_only(const fx_context *context)
{
    int errors = 0;
    for (int32_t i = 0; i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        const char *text = fx_context_diag(context, i, &severity);
        if (severity != FX_ERROR) continue;
        if (!strstr(text, "fxjit has no ")) return false;
        errors++;
    }
    return errors > 0;
}

bool verify_status(subject *s, const char *what, fx_status status)
{
    if (status == FX_OK) return true;
    s->skip = lacks_types_only(s->context);
    for (int32_t i = 0; i < fx_context_diag_count(s->context); i++) {
        fx_severity severity;
        const char *text = fx_context_diag(s->context, i, &severity);
        if (severity == FX_ERROR) return verify_fault(s, "%s", text);
    }
    return verify_fault(s, "%s: %s", what, fx_status_text(status));
}

/* ---- Running
 * ------------------------------------------------------------------------------------------------------------------------ */

bool verify_wants(const subject *s, verify_engine engine)
{
    return engine == ENGINE_COMPILED ? s->o->common.compiled : s->o->common.interpreted;
}

const char *verify_engine_name(verify_engine engine)
{
    return engine == ENGINE_COMPILED ? "compiled" : "interpreter";
}

bool verify_compile(subject *s, const tool_tensors *examples)
{
    if (s->compiled || !verify_wants(s, ENGINE_COMPILED)) return true;
    bool typed = tool_has_types(s->module);
    return verify_status(
        s, "compiling",
        fx_compile(s->module, typed ? NULL : examples->tensor, typed ? 0 : examples->n, &s->compile, &s->compiled));
}

/* Inputs stay as they are where a run would change them: the next engine needs them too. */
static bool run_on_copies(subject *s, verify_engine engine, const tool_tensors *inputs, tool_tensors *out)
{
    tool_tensors copies = {0};
    bool good = verify_status(s, "copying inputs", tool_tensors_copy(inputs, &copies)) && verify_run(s, engine, &copies, out);
    tool_tensors_free(&copies);
    return good;
}

bool verify_run(subject *s, verify_engine engine, const tool_tensors *inputs, tool_tensors *out)
{
    *out = tool_tensors_new(fx_module_output_count(s->module));
    if (engine == ENGINE_COMPILED)
        return verify_status(s, "running", fx_run(s->compiled, s->context, inputs->tensor, inputs->n, out->tensor, out->n));
    tool_progress_silent("interpreting");
    return verify_status(s, "interpreting", fx_interpret(s->module, inputs->tensor, inputs->n, out->tensor, out->n));
}

bool verify_widen(subject *s, tool_tensors *tensors)
{
    for (int32_t i = 0; s->o->in_f64 && i < tensors->n; i++) {
        fx_tensor wide, *narrow = &tensors->tensor[i];
        if (narrow->dtype != FX_F32) continue;
        if (!verify_status(s, "widening", fx_tensor_alloc(FX_F64, narrow->rank, narrow->dim, &wide))) return false;
        for (int64_t k = 0; k < fx_tensor_elems(narrow); k++) fx_tensor_set(&wide, k, fx_tensor_get(narrow, k));
        fx_tensor_release(narrow);
        *narrow = wide;
    }
    return true;
}

/* ---- Against expected outputs
 * ------------------------------------------------------------------------------------------------------- */

typedef enum verify_rule { RULE_ONNX, RULE_BENCH } verify_rule;

/* A reproducer has bounds: which element leaves its own. */
static bool check_bound(subject *s, verify_engine engine, int32_t index, const fx_tensor *actual, const fx_tensor *expected,
                        const fx_tensor *bound)
{
    fx_difference at;
    if (fx_tensor_agrees(actual, expected, bound, 0, &at)) return true;
    const char *by = verify_engine_name(engine), *name = fx_module_output_name(s->module, index);
    if (!at.same_type) return verify_fault(s, "%s: output \"%s\" is of another type than expected", by, name);
    return verify_fault(s, "%s: output \"%s\" element %lld is %.9g, expected %.9g (%.3g ulp, bound %.3g)", by, name,
                        (long long)at.element, at.actual, at.expected, at.ulp, at.bound);
}

static bool check_output(subject *s, verify_engine engine, int32_t index, verify_rule rule, const fx_tensor *actual,
                         const fx_tensor *expected)
{
    char got[256], wanted[256];
    const char *name = fx_module_output_name(s->module, index), *by = verify_engine_name(engine);
    tool_error e = rule == RULE_ONNX ? tool_compare(actual, expected, ONNX_RTOL, ONNX_ATOL) : tool_compare(actual, expected, 0, 0);
    if (!e.same_type)
        return verify_fault(s, "%s: output \"%s\" is %s, expected %s", by, name, tool_type_text(actual, got, sizeof got),
                            tool_type_text(expected, wanted, sizeof wanted));
    if (rule == RULE_ONNX && !(e.ratio <= 1))
        return verify_fault(s, "%s: output \"%s\" element %lld is %.9g, expected %.9g: %.3g times the tolerance", by, name,
                            (long long)e.worst, e.actual, e.expected, e.ratio);
    if (rule == RULE_BENCH && !(e.max_rel <= BENCH_TOLERANCE))
        return verify_fault(s, "%s: output \"%s\" is off by %.3g of its largest value", by, name, e.max_rel);
    return true;
}

/* Every wanted engine on one set of inputs. bounds NULL: as the rule says. */
static bool check_engines(subject *s, verify_rule rule, tool_tensors *inputs, tool_tensors *expected, const tool_tensors *bounds)
{
    bool good = verify_widen(s, inputs) && verify_widen(s, expected) && verify_compile(s, inputs);
    for (int e = 0; e < ENGINES && good; e++) {
        tool_tensors out = {0};
        if (!verify_wants(s, (verify_engine)e)) continue;
        good = run_on_copies(s, (verify_engine)e, inputs, &out);
        for (int32_t i = 0; i < out.n && good; i++)
            good = bounds ? check_bound(s, (verify_engine)e, i, &out.tensor[i], &expected->tensor[i], &bounds->tensor[i])
                          : check_output(s, (verify_engine)e, i, rule, &out.tensor[i], &expected->tensor[i]);
        tool_tensors_free(&out);
    }
    return good;
}

/* When an engine is off, whether compiled code is and where tells the search. */
static bool check_set(subject *s, verify_rule rule, tool_tensors *inputs, tool_tensors *expected)
{
    bool good = check_engines(s, rule, inputs, expected, NULL);
    if (!good && s->compiled && verify_wants(s, ENGINE_INTERPRETER)) (void)verify_search(s, inputs, NULL, 0);
    return good;
}

/* ---- Cases of ONNX
 * ------------------------------------------------------------------------------------------------------------------- */

static void free_protos(protos *p)
{
    for (int32_t i = 0; i < p->n; i++) {
        fx_tensor_release(&p->tensor[i]);
        fx_text_free(p->name[i]);
    }
    p->n = 0;
}

static bool has_file(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* All files KIND_0.pb, KIND_1.pb, ... of a data set. */
static bool load_protos(subject *s, const char *folder, int set, const char *kind, protos *out)
{
    char path[4096];
    for (out->n = 0; out->n < TOOL_LIST; out->n++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d/%s_%d.pb", folder, set, kind, (int)out->n);
        if (!has_file(path)) return true;
        if (!verify_status(s, path, fx_tensor_load_pb(s->context, path, &out->tensor[out->n], &out->name[out->n]))) return false;
    }
    return verify_fault(s, "more than %d tensors", TOOL_LIST);
}

/* The cases hold bfloat16 as its bits. */
static void name_bits(fx_tensor *tensor, const fx_type *type)
{
    if (type && type->dtype == FX_BF16 && tensor->dtype == FX_U16) tensor->dtype = FX_BF16;
}

/* Moves the tensor of this name, or else at this place, to *out. */
static bool take_proto(subject *s, protos *from, const char *name, int32_t place, const fx_type *type, fx_tensor *out)
{
    int32_t found = place;
    for (int32_t i = 0; i < from->n; i++)
        if (strcmp(from->name[i], name) == 0) found = i;
    if (found >= from->n || !from->name[found]) return verify_fault(s, "the case has no tensor for \"%s\"", name);
    *out = from->tensor[found];
    from->tensor[found].data = NULL;
    name_bits(out, type);
    return true;
}

static bool check_protos(subject *s, protos *in, protos *out)
{
    fx_module *m = s->module;
    tool_tensors inputs = tool_tensors_new(fx_module_input_count(m)), expected = tool_tensors_new(fx_module_output_count(m));
    bool good = true;
    for (int32_t i = 0; i < inputs.n && good; i++)
        good = take_proto(s, in, fx_module_input_name(m, i), i, fx_module_input_type(m, i), &inputs.tensor[i]);
    for (int32_t i = 0; i < expected.n && good; i++)
        good = take_proto(s, out, fx_module_output_name(m, i), i, fx_module_output_type(m, i), &expected.tensor[i]);
    good = good && check_set(s, RULE_ONNX, &inputs, &expected);
    tool_tensors_free(&inputs);
    tool_tensors_free(&expected);
    return good;
}

bool verify_onnx_case(subject *s, const char *folder)
{
    bool good = true;
    for (int set = 0; good; set++) {
        char path[4096];
        protos in = {0}, out = {0};
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, set);
        if (!has_file(path)) break;
        good =
            load_protos(s, folder, set, "input", &in) && load_protos(s, folder, set, "output", &out) && check_protos(s, &in, &out);
        free_protos(&in);
        free_protos(&out);
    }
    return good;
}

static bool must_be_known(const fx_context *context)
{
    for (int32_t i = 0; i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        if (strstr(fx_context_diag(context, i, &severity), "known when importing")) return true;
    }
    return false;
}

static int32_t highest_rank(const protos *in)
{
    int32_t rank = 0;
    for (int32_t i = 0; i < in->n; i++)
        if (in->tensor[i].rank > rank) rank = in->tensor[i].rank;
    return rank;
}

/* Shapes, axes and pads are short lists of integers, flags are scalars, scales are lists beside a tensor of more dimensions. */
static bool may_be_fixed(const fx_tensor *tensor, int32_t rank)
{
    bool suits = tensor->dtype == FX_I64 || tensor->dtype == FX_I32 || tensor->dtype == FX_BOOL || tensor->rank == 0;
    return (suits || rank > 1) && tensor->rank <= 1;
}

fx_status verify_load_case(subject *s, const char *model, const char *folder)
{
    fx_status status = fx_load(s->context, model, &s->module);
    fx_fixed_input fixed[TOOL_LIST];
    protos in = {0};
    int32_t n = 0;
    if (status == FX_OK || !must_be_known(s->context) || !load_protos(s, folder, 0, "input", &in)) return status;
    for (int32_t i = 0; i < in.n; i++)
        if (may_be_fixed(&in.tensor[i], highest_rank(&in))) fixed[n++] = (fx_fixed_input){in.name[i], &in.tensor[i]};
    if (n > 0) {
        fx_context_clear(s->context);
        status = fx_load_fixed(s->context, model, fixed, n, &s->module);
        s->o->with_fixed += status == FX_OK;
    }
    free_protos(&in);
    return status;
}

/* ---- Cases of benchmarks
 * --------------------------------------------------------------------------------------------------------------- */

static bool load_part(subject *s, const char *folder, const char *part, bool inputs, tool_tensors *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, part);
    return verify_status(s, path, tool_load_named(s->context, s->module, path, inputs, out));
}

static bool check_folder(subject *s, const char *folder)
{
    tool_tensors inputs = {0}, expected = {0};
    bool good = load_part(s, folder, "in", true, &inputs) && load_part(s, folder, "out", false, &expected) &&
                check_set(s, RULE_BENCH, &inputs, &expected);
    tool_tensors_free(&inputs);
    tool_tensors_free(&expected);
    return good;
}

/* What fx_bisection_save wrote. */
static bool check_reproducer(subject *s, const char *folder)
{
    fx_compile_options against;
    double ulp;
    tool_tensors inputs = {0}, expected = {0}, bounds = {0};
    bool good = load_part(s, folder, "in", true, &inputs) && load_part(s, folder, "out", false, &expected) &&
                load_part(s, folder, "bound", false, &bounds);
    if (good && verify_recipe_pair(s, &against, &ulp)) {
        good = verify_pair(s, &inputs, &against, ulp);
    } else if (good) {
        good = check_engines(s, RULE_BENCH, &inputs, &expected, &bounds);
    }
    tool_tensors_free(&inputs);
    tool_tensors_free(&expected);
    tool_tensors_free(&bounds);
    return good;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* One compiled artefact serves all sizes. */
static bool check_sizes(subject *s, const char *folder)
{
    struct dirent **entries;
    char path[4096];
    bool good = true;
    int64_t before = fx_compile_count();
    snprintf(path, sizeof path, "%s/sizes", folder);
    int n = scandir(path, &entries, visible, versionsort);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/sizes/%s", folder, entries[i]->d_name);
        good = good && (check_folder(s, path) || verify_fault(s, "size %s", entries[i]->d_name));
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    if (n <= 0) return verify_fault(s, "no sizes");
    if (good && verify_wants(s, ENGINE_COMPILED) && fx_compile_count() - before != 1)
        return verify_fault(s, "%d sizes took %lld compilations", n, (long long)(fx_compile_count() - before));
    return good;
}

bool verify_bench_case(subject *s, const char *folder)
{
    char path[4096];
    struct stat info;
    if (!verify_read_recipe(s, folder)) return false;
    if (s->recipe) return check_reproducer(s, folder);
    snprintf(path, sizeof path, "%s/sizes", folder);
    return stat(path, &info) == 0 ? check_sizes(s, folder) : check_folder(s, folder);
}
