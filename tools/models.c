/* SPDX-License-Identifier: Apache-2.0 */
/* models.c: inputs of a model: from files, from folders, or random. */
#include "tool.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

tool_tensors tool_tensors_new(int32_t n)
{
    tool_tensors tensors = {calloc((size_t)(n ? n : 1), sizeof(fx_tensor)), n};
    if (!tensors.tensor) exit(TOOL_FAILED);
    return tensors;
}

void tool_tensors_free(tool_tensors *tensors)
{
    for (int32_t i = 0; tensors->tensor && i < tensors->n; i++) fx_tensor_release(&tensors->tensor[i]);
    free(tensors->tensor);
    *tensors = (tool_tensors){0};
}

fx_status tool_tensors_copy(const tool_tensors *from, tool_tensors *out)
{
    fx_status status = FX_OK;
    *out = tool_tensors_new(from->n);
    for (int32_t i = 0; i < from->n && status == FX_OK; i++) {
        const fx_tensor *tensor = &from->tensor[i];
        status = fx_tensor_alloc(tensor->dtype, tensor->rank, tensor->dim, &out->tensor[i]);
        if (status == FX_OK) status = fx_tensor_copy(&out->tensor[i], tensor);
    }
    return status;
}

bool tool_has_types(const fx_module *module)
{
    for (int32_t i = 0; i < fx_module_input_count(module); i++)
        if (!fx_module_input_type(module, i)) return false;
    return true;
}

const char *tool_type_text(const fx_tensor *tensor, char *text, size_t bytes)
{
    size_t used = (size_t)snprintf(text, bytes, "%s[", fx_dtype_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->rank && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, i ? ", %lld" : "%lld", (long long)tensor->dim[i]);
    if (used < bytes) snprintf(text + used, bytes - used, "]");
    return text;
}

/* ---- Symbolic sizes ---------------------------------------------------------------------------------------------------------- */

/* The first --dim whose name no symbol has, with the symbol that was perhaps meant; NULL: there is none. */
static const char *unknown_dim(const tool_options *o, const char *const *names, int n, const char **near)
{
    for (int d = 0; d < o->n_dims; d++) {
        bool found = false;
        for (int i = 0; i < n; i++) found = found || strcmp(names[i], o->dims[d].name) == 0;
        *near = found ? NULL : fx_nearest_word(o->dims[d].name, names, n);
        if (!found) return o->dims[d].name;
    }
    return NULL;
}

static void check_dims(fx_graph *graph, const tool_options *o, int n)
{
    const char *near = NULL, **names = calloc((size_t)n + 1, sizeof *names);
    if (!names) exit(TOOL_FAILED);
    for (int i = 0; i < n; i++) names[i] = fx_graph_symbol_name(graph, i);
    const char *unknown = unknown_dim(o, names, n, &near);
    free(names);
    if (unknown && near) tool_usage(o->verb, "--dim: the model has no symbol '%s'; did you mean '%s'?", unknown, near);
    if (unknown) tool_usage(o->verb, "--dim: the model has no symbol '%s'", unknown);
}

static int64_t size_of_symbol(fx_graph *graph, const tool_options *o, const char *name)
{
    for (int i = 0; i < o->n_dims; i++)
        if (strcmp(o->dims[i].name, name) == 0) return strtol(o->dims[i].value, NULL, 10);
    return fx_graph_dim_hint(graph, fx_graph_parse_dim(graph, name));
}

/* A size for each of the graph's symbols: as --dim says, or its hint. */
static int64_t *symbol_sizes(fx_graph *graph, const tool_options *o)
{
    int n = 0;
    while (fx_graph_symbol_name(graph, n)) n++;
    check_dims(graph, o, n);
    int64_t *sizes = calloc((size_t)n + 1, sizeof *sizes);
    if (!sizes) exit(TOOL_FAILED);
    for (int i = 0; i < n; i++) sizes[i] = size_of_symbol(graph, o, fx_graph_symbol_name(graph, i));
    return sizes;
}

/* ---- Random inputs -------------------------------------------------------------------------------------------------------------
 */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Near enough to a normal distribution: a sum of four uniform ones, of mean 0 and variance 1. */
static double next_normal(uint64_t *state)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += (double)(next_random(state) >> 11) * 0x1p-53;
    return (sum - 2) * 1.7320508075688772;
}

static void fill_random(fx_tensor *tensor, uint64_t *state)
{
    int64_t n = fx_tensor_elems(tensor);
    bool whole = !fx_dtype_is_float(tensor->dtype);
    for (int64_t i = 0; i < n; i++) fx_tensor_set(tensor, i, whole ? (double)(next_random(state) % 2) : next_normal(state));
}

static fx_status random_input(fx_module *module, const tool_options *o, const int64_t *sizes, int32_t index, uint64_t *state,
                              fx_tensor *out)
{
    const fx_type *type = fx_module_input_type(module, index);
    int64_t dim[FX_RANK] = {0};
    if (!type)
        tool_usage(o->verb, "the shape of input '%s' is not known: give it with --input", fx_module_input_name(module, index));
    for (int32_t i = 0; i < type->rank; i++) dim[i] = fx_graph_dim_value(fx_module_graph(module), type->dim[i], sizes);
    fx_status status = fx_tensor_alloc(type->dtype, type->rank, dim, out);
    if (status == FX_OK) fill_random(out, state);
    return status;
}

/* ---- Inputs from files
 * ----------------------------------------------------------------------------------------------------------- */

static fx_status load_tensor(fx_context *context, const char *path, fx_tensor *out)
{
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".pb") == 0 ? fx_tensor_load_pb(context, path, out, NULL) : fx_tensor_load_npy(context, path, out);
}

static int32_t input_index(const fx_module *module, const tool_options *o, const char *name)
{
    const char *names[TOOL_LIST];
    int32_t n = fx_module_input_count(module);
    if (!*name && n == 1) return 0;
    if (!*name) tool_usage(o->verb, "--input: the model has %d inputs, so give NAME=FILE", (int)n);
    for (int32_t i = 0; i < n; i++) {
        if (i < TOOL_LIST) names[i] = fx_module_input_name(module, i);
        if (strcmp(fx_module_input_name(module, i), name) == 0) return i;
    }
    const char *near = fx_nearest_word(name, names, n < TOOL_LIST ? n : TOOL_LIST);
    if (near) tool_usage(o->verb, "--input: the model has no input '%s'; did you mean '%s'?", name, near);
    tool_usage(o->verb, "--input: the model has no input '%s'", name);
}

fx_status tool_inputs(fx_context *context, fx_module *module, const tool_options *o, tool_tensors *out)
{
    uint64_t state = o->seed;
    fx_status status = FX_OK;
    int64_t *sizes = symbol_sizes(fx_module_graph(module), o);
    *out = tool_tensors_new(fx_module_input_count(module));
    for (int i = 0; i < o->n_inputs && status == FX_OK; i++) {
        fx_tensor *tensor = &out->tensor[input_index(module, o, o->inputs[i].name)];
        fx_tensor_release(tensor);
        status = load_tensor(context, o->inputs[i].value, tensor);
    }
    for (int32_t i = 0; i < out->n && status == FX_OK; i++)
        if (!out->tensor[i].data) status = random_input(module, o, sizes, i, &state, &out->tensor[i]);
    free(sizes);
    return status;
}

static bool is_same_name(const char *a, const char *b)
{
    while (*a && (*a == '/' ? '_' : *a) == (*b == '/' ? '_' : *b)) a++, b++;
    return !*a && !*b;
}

int tool_same_names(const fx_module *module, bool inputs, int32_t n, const char *name)
{
    int same = 0;
    for (int32_t i = 0; i < n; i++)
        same += is_same_name(inputs ? fx_module_input_name(module, i) : fx_module_output_name(module, i), name);
    return same;
}

bool tool_npy_path(char *path, size_t bytes, const char *directory, const char *name, int same)
{
    char number[16] = "";
    if (same) snprintf(number, sizeof number, ".%d", same + 1);
    int length = snprintf(path, bytes, "%s/%s%s.npy", directory, name, number);
    if (length < 0 || (size_t)length >= bytes) {
        tool_tell("%s: too long a path", directory);
        return false;
    }
    for (char *c = path + strlen(directory) + 1; *c; c++)
        if (*c == '/') *c = '_';
    return true;
}

fx_status tool_load_named(fx_context *context, fx_module *module, const char *directory, bool inputs, tool_tensors *out)
{
    char path[PATH_MAX];
    fx_status status = FX_OK;
    *out = tool_tensors_new(inputs ? fx_module_input_count(module) : fx_module_output_count(module));
    for (int32_t i = 0; i < out->n && status == FX_OK; i++) {
        const char *name = inputs ? fx_module_input_name(module, i) : fx_module_output_name(module, i);
        bool fits = tool_npy_path(path, sizeof path, directory, name, tool_same_names(module, inputs, i, name));
        status = fits ? fx_tensor_load_npy(context, path, &out->tensor[i]) : FX_E_IO;
    }
    return status;
}
