/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"
#include "harness.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    const char *text, *at;
    fx_graph *graph;
    const fx_case_change *change;
    int32_t n_tensors;
    fx_case_operand operand; /* NULL: every tensor is a placeholder */
    void *operand_user;
    bool given_up;
} reader;

static void skip(reader *in)
{
    while (*in->at == ' ') in->at++;
}

static bool accept(reader *in, char c)
{
    skip(in);
    if (*in->at != c) return false;
    in->at++;
    return true;
}

static void expect(reader *in, char c)
{
    ck_assert_msg(accept(in, c), "case \"%s\": expected '%c' at \"%s\"", in->text, c, in->at);
}

static size_t word_bytes(const reader *in)
{
    size_t n = 0;
    while (isalnum((unsigned char)in->at[n]) || in->at[n] == '_') n++;
    return n;
}

static bool read_dtype(reader *in, fx_dtype *out)
{
    char word[16] = "";
    size_t n = word_bytes(in);
    if (n == 0 || n >= sizeof word) return false;
    memcpy(word, in->at, n);
    if (!fx_dtype_parse(word, out)) return false;
    in->at += n;
    return true;
}

enum { SYMBOL_MAX = 4096, SYMBOL_HINT = 3 };

/* "s0": the symbol of that name, made at its first use. */
static fx_dim read_symbol(reader *in)
{
    char name[16] = "";
    size_t n = word_bytes(in);
    ck_assert_msg(n > 0 && n < sizeof name, "case \"%s\": a size expected at \"%s\"", in->text, in->at);
    memcpy(name, in->at, n);
    in->at += n;
    for (int32_t i = 0; i < fx__dims_sym_count(in->graph->dims); i++)
        if (strcmp(fx__dims_sym(in->graph->dims, i)->name, name) == 0) return fx__dim_sym(in->graph->dims, i);
    return fx_graph_symbol(in->graph, name, 0, SYMBOL_MAX, SYMBOL_HINT, 1);
}

static fx_dim read_size(reader *in, bool symbolic)
{
    char *end;
    int64_t size = strtoll(in->at, &end, 10);
    if (end == in->at) return read_symbol(in);
    in->at = end;
    /* A symbol is never taken for a 1 that is stretched or squeezed, so these sizes mean something else. */
    return symbolic && size > 1 ? fx_graph_symbol(in->graph, "first", 0, SYMBOL_MAX, size, 1) : size;
}

static fx_node *make_operand(reader *in, const fx_type *type)
{
    char name[16];
    if (in->operand) return in->operand(in->operand_user, type);
    snprintf(name, sizeof name, "x%d", (int)in->n_tensors++);
    return fx_graph_placeholder(in->graph, name, type);
}

/* "[2, 3]" behind a dtype. */
static fx_attr read_tensor(reader *in, fx_dtype dtype)
{
    const fx_case_change *change = in->change;
    fx_type type = {.dtype = change && change->recast && dtype == change->from ? change->to : dtype};
    expect(in, '[');
    while (!accept(in, ']')) {
        ck_assert_int_lt(type.rank, FX_RANK);
        bool symbolic = change && change->symbolic && in->n_tensors == 0 && type.rank == 0;
        type.dim[type.rank++] = read_size(in, symbolic);
        accept(in, ',');
    }
    fx_node *node = make_operand(in, &type);
    in->given_up = in->given_up || !node;
    return node ? fx_node_attr(node) : fx_none();
}

static fx_attr read_number(reader *in)
{
    char *int_end, *float_end;
    int64_t i = strtoll(in->at, &int_end, 10);
    double f = strtod(in->at, &float_end);
    ck_assert_msg(float_end != in->at, "case \"%s\": a value expected at \"%s\"", in->text, in->at);
    in->at = float_end;
    return int_end == float_end ? fx_int(i) : fx_float(f);
}

static fx_attr read_string(reader *in)
{
    char text[64];
    char quote = *in->at++;
    size_t n = strcspn(in->at, quote == '"' ? "\"" : "'");
    ck_assert_uint_lt(n, sizeof text);
    memcpy(text, in->at, n);
    text[n] = 0;
    in->at += n + 1;
    return fx_str(in->graph, text);
}

static fx_attr read_value(reader *in);

static fx_attr read_list(reader *in)
{
    fx_attr items[32];
    int32_t n = 0;
    expect(in, '[');
    while (!accept(in, ']')) {
        ck_assert_int_lt(n, 32);
        items[n++] = read_value(in);
        accept(in, ',');
    }
    return fx_list(in->graph, items, n);
}

static bool accept_word(reader *in, const char *word)
{
    size_t n = strlen(word);
    if (word_bytes(in) != n || strncmp(in->at, word, n) != 0) return false;
    in->at += n;
    return true;
}

static fx_attr read_value(reader *in)
{
    fx_dtype dtype;
    skip(in);
    if (*in->at == '[') return read_list(in);
    if (*in->at == '\'' || *in->at == '"') return read_string(in);
    if (accept_word(in, "None")) return fx_none();
    if (accept_word(in, "True")) return fx_bool(true);
    if (accept_word(in, "False")) return fx_bool(false);
    if (read_dtype(in, &dtype)) return *in->at == '[' ? read_tensor(in, dtype) : fx_dtype_attr(dtype);
    if (isalpha((unsigned char)*in->at) && strncmp(in->at, "inf", 3) != 0) return fx_dim_attr(read_symbol(in));
    return read_number(in);
}

/* Arguments stand in schema order; keyword-only ones become kwargs, trailing defaults may be left out. */
static fx_node *read_call(reader *in, const fx_op *op)
{
    fx_attr args[FX_PARAMS], kwargs[FX_PARAMS];
    const char *keys[FX_PARAMS];
    int32_t n_params, n_args = 0, n_kwargs = 0;
    const fx_param *params = fx__op_params(op, &n_params);
    expect(in, '(');
    while (!accept(in, ')')) {
        int32_t p = n_args + n_kwargs;
        ck_assert_msg(p < n_params, "case \"%s\" of %s has more arguments than its schema", in->text, op->name);
        fx_attr value = read_value(in);
        if (params[p].keyword_only)
            keys[n_kwargs] = params[p].name, kwargs[n_kwargs++] = value;
        else
            args[n_args++] = value;
        accept(in, ',');
    }
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = op->target, .args = fx_tuple(in->graph, args, n_args)};
    if (n_kwargs) spec.kwargs = fx_dict(in->graph, keys, kwargs, n_kwargs);
    return fx_graph_create_node(in->graph, &spec);
}

/* What the graph returns: the result, or each result of a tuple through getitem. */
static fx_attr read_results(reader *in, fx_node *call)
{
    fx_attr items[FX_RESULTS];
    if (fx__op_schema_results(call->op) == 1 || fx__op_infer(call) != FX_OK) return fx_node_attr(call);
    for (int32_t r = 0; r < call->n_result; r++) {
        const fx_attr args[] = {fx_node_attr(call), fx_int(r)};
        fx_node *item = fx_graph_call(in->graph, fx__op(FX_OP_getitem)->target, args, 2);
        ck_assert_ptr_nonnull(item);
        ck_assert_int_eq(fx__op_infer(item), FX_OK);
        items[r] = fx_node_attr(item);
    }
    return fx_tuple(in->graph, items, call->n_result);
}

fx_module *fx_case_module(fx_context *context, const fx_op *op, const char *args, const fx_case_change *change)
{
    fx_module *module = fx_module_new(context, op->name);
    ck_assert_ptr_nonnull(module);
    reader in = {.text = args, .at = args + strcspn(args, "("), .graph = fx_module_graph(module), .change = change};
    fx_node *call = read_call(&in, op);
    ck_assert_msg(call && !in.given_up, "case \"%s\" of %s makes no node", args, op->name);
    ck_assert_ptr_nonnull(fx_graph_output(in.graph, read_results(&in, call)));
    return module;
}

fx_node *fx_case_append(fx_graph *graph, const fx_op *op, const char *args, fx_case_operand operand, void *user)
{
    reader in = {.text = args, .at = args + strcspn(args, "("), .graph = graph, .operand = operand, .operand_user = user};
    if (strstr(in.at, "s0")) return NULL;
    fx_node *call = read_call(&in, op);
    if (!in.given_up) return call;
    if (call) fx_graph_erase(graph, call);
    return NULL;
}

fx_node *fx_case_call(fx_module *module)
{
    FX_EACH_NODE(node, fx_module_graph(module))
    if (node->opcode == FX_CALL_FUNCTION) return node;
    return NULL;
}

fx_status fx_case_make_core(fx_module *module)
{
    fx_node *call = fx_case_call(module);
    fx_graph *graph = fx_module_graph(module);
    fx_attr bound[FX_PARAMS];
    int32_t n;
    fx__op_params(call->op, &n);
    fx_status status = fx__op_infer(call);
    if (status == FX_OK) status = fx__op_bind(graph, call, call->op, bound);
    if (status == FX_OK) status = fx_node_set_args(call, fx_tuple(graph, bound, n), fx_none());
    if (status == FX_OK) status = fx__op_infer(call);
    graph->core = status == FX_OK;
    return status;
}

fx_dtype fx_case_dtype(const char *args)
{
    fx_dtype first = FX_DTYPE_COUNT;
    for (const char *at = args; (at = strchr(at, '[')) != NULL; at++) {
        const char *start = at;
        char word[16] = "";
        fx_dtype dtype;
        while (start > args && isalnum((unsigned char)start[-1])) start--;
        if (start == at || (size_t)(at - start) >= sizeof word) continue;
        memcpy(word, start, (size_t)(at - start));
        if (!fx_dtype_parse(word, &dtype)) continue;
        if (fx_dtype_is_float(dtype)) return dtype;
        if (first == FX_DTYPE_COUNT) first = dtype;
    }
    return first;
}

static double random_value(fx_dtype dtype, uint64_t *seed, double lo, double hi, int64_t int_lo, int64_t int_hi)
{
    if (dtype == FX_BOOL) return (double)(fx_test_random(seed) & 1);
    if (fx_dtype_is_float(dtype)) return fx_test_uniform(seed, lo, hi);
    if (!fx_dtype_is_signed(dtype) && int_lo < 0) int_lo = 0;
    return (double)(int_lo + (int64_t)(fx_test_random(seed) % (uint64_t)(int_hi - int_lo + 1)));
}

fx_case_tensors fx_case_random(fx_module *module, uint64_t *seed, double lo, double hi, int64_t int_lo, int64_t int_hi)
{
    fx_case_tensors out = {.n = 0};
    fx_graph *graph = fx_module_graph(module);
    FX_EACH_NODE(node, graph)
    {
        if (node->opcode != FX_PLACEHOLDER) continue;
        const fx_type *type = &node->result[0];
        int64_t dim[FX_RANK];
        ck_assert_int_lt(out.n, FX_CASE_INPUTS);
        for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_hint(graph->dims, type->dim[d]);
        fx_tensor *tensor = &out.tensor[out.n++];
        ck_assert_int_eq(fx_tensor_alloc(type->dtype, type->rank, dim, tensor), FX_OK);
        for (int64_t i = 0; i < fx_tensor_elems(tensor); i++)
            fx_tensor_set(tensor, i, random_value(type->dtype, seed, lo, hi, int_lo, int_hi));
    }
    return out;
}

void fx_case_release(fx_case_tensors *tensors)
{
    for (int32_t i = 0; i < tensors->n; i++) fx_tensor_release(&tensors->tensor[i]);
}
