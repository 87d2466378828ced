/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/native.c: compiled graphs as C functions: the uniform entry, the typed wrapper with its prototype, calls through libffi
 * where the signature is known at run time only, and a closure that needs no workspace from its caller. */
#include "frontend/compiled.h"
#include <stdlib.h>
#include <string.h>

fx_rt_entry fx_compiled_entry(const fx_compiled *it)
{
    return it->jit ? fx__jit_entry(it->jit) : NULL;
}

void *fx_entry(const fx_compiled *it)
{
    return it->jit ? fx__jit_wrapper(it->jit) : NULL;
}

void fx_compiled_call(const fx_compiled *it, fx_rt_call *call)
{
    call->consts = it->jit ? fx__jit_consts(it->jit) : NULL;
    call->n_in = it->n_input;
    call->n_out = it->n_output;
    call->threads = it->threads;
    call->scratch_bytes = (size_t)(it->program->scratch_bytes + 63) / 64 * 64;
    call->step = fx__calls_step;
    call->user = (void *)(uintptr_t)it;
}

fx_signature fx__native_signature(const fx_compiled *it)
{
    return (fx_signature){it->n_input + it->n_output, fx__dims_param_count(it->program->dims), it->n_state > 0 ? 2 : 1};
}

/* ---- Prototype -------------------------------------------------------------------------------------------------------------- */

static const char *c_type(fx_dtype dtype)
{
    static const char *const names[FX_DTYPE_COUNT] = {
        [FX_F16] = "uint16_t", [FX_F32] = "float",    [FX_F64] = "double",   [FX_BF16] = "uint16_t", [FX_I8] = "int8_t",
        [FX_I16] = "int16_t",  [FX_I32] = "int32_t",  [FX_I64] = "int64_t",  [FX_U8] = "uint8_t",    [FX_U16] = "uint16_t",
        [FX_U32] = "uint32_t", [FX_U64] = "uint64_t", [FX_BOOL] = "uint8_t",
    };
    return names[dtype];
}

bool fx__native_is_keyword(const char *name)
{
    static const char *const words[] = {
        "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
        "char16_t", "char32_t", "char8_t", "class", "compl", "concept", "const", "const_cast", "consteval", "constexpr",
        "constinit", "continue", "co_await", "co_return", "co_yield", "decltype", "default", "delete", "do", "double",
        "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if",
        "inline", "int", "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
        "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "requires", "restrict", "return", "short",
        "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this", "thread_local",
        "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "typeof_unqual", "union", "unsigned", "using",
        "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], name) == 0) return true;
    return false;
}

/* "in0_x" and its like. */
static bool is_numbered(const char *name, const char *kind)
{
    size_t n = strlen(kind);
    return strncmp(name, kind, n) == 0 && name[n] >= '0' && name[n] <= '9';
}

/* Sizes have the names of their symbols, but for those that mean something else in a prototype. */
static void put_size_name(fx_text *text, const char *name, int32_t index)
{
    static const char *const taken[] = {"workspace", "weights", "state", "int32_t", "int64_t", "NULL"};
    bool is_taken = fx__native_is_keyword(name) || is_numbered(name, "in") || is_numbered(name, "out") || is_numbered(name, "dim");
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) is_taken = is_taken || strcmp(taken[i], name) == 0;
    if (is_taken) fx__text_append(text, "dim%d_", (int)index);
    fx__text_append(text, "%s", name);
}

/* A parameter name: letters, digits and underscores, unique by its position. */
static void put_name(fx_text *text, const char *name, const char *kind, int32_t index)
{
    fx__text_append(text, "%s%d_", kind, (int)index);
    for (const char *c = name ? name : ""; *c; c++) {
        bool word = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        fx__text_put(text, word ? c : "_", 1);
    }
}

/* "const float in0_x[restrict 1][3][224][224]"; a symbolic or empty dimension makes it a plain pointer. */
static void put_parameter(fx_text *text, const fx_type *type, const char *name, const char *kind, int32_t index, bool constant)
{
    bool fixed = type->rank > 0;
    for (int32_t d = 0; d < type->rank; d++) fixed = fixed && fx_dim_is_const(type->dim[d]) && type->dim[d] > 0;
    fx__text_append(text, "%s%s %s", constant ? "const " : "", c_type(type->dtype), fixed ? "" : "*restrict ");
    put_name(text, name, kind, index);
    if (!fixed) return;
    fx__text_append(text, "[restrict %lld]", (long long)type->dim[0]);
    for (int32_t d = 1; d < type->rank; d++) fx__text_append(text, "[%lld]", (long long)type->dim[d]);
}

fx_status fx__native_prototype(fx_compiled *it, const char *symbol, bool weights, fx_text *text)
{
    fx__text_append(text, "int32_t %s(", symbol);
    for (int32_t i = 0; i < it->n_input; i++) {
        put_parameter(text, &it->input[i], it->input_name[i], "in", i, !it->writes[i]);
        fx__text_put(text, ", ", 2);
    }
    for (int32_t i = 0; i < it->n_output; i++) {
        put_parameter(text, &it->output[i], it->output_name[i], "out", i, false);
        fx__text_put(text, ", ", 2);
    }
    for (int32_t i = 0; i < fx__dims_param_count(it->program->dims); i++) {
        fx__text_append(text, "int64_t ");
        put_size_name(text, fx__dims_sym(it->program->dims, i)->name, i);
        fx__text_append(text, ", ");
    }
    fx__text_append(text, "void *restrict workspace%s%s)", weights ? ", const void *weights" : "",
                    it->n_state > 0 ? ", void *restrict state" : "");
    return text->failed ? FX_E_OOM : FX_OK;
}

const char *fx_compiled_prototype(const fx_compiled *compiled)
{
    fx_compiled *it = (fx_compiled *)(uintptr_t)compiled; /* the text is made once and kept */
    if (it->prototype) return it->prototype;
    fx_text text;
    fx__text_init(&text, it->context);
    fx__native_prototype(it, "fx_entry", false, &text);
    char *finished = fx__text_finish(&text);
    if (finished) it->prototype = fx__arena_copy(it->program->arena, finished, strlen(finished));
    fx_text_free(finished);
    return it->prototype;
}

/* ---- libffi ----------------------------------------------------------------------------------------------------------------- */

fx_status fx_compiled_invoke(const fx_compiled *it, void *const *args, int32_t n_args)
{
    fx_signature signature = fx__native_signature(it);
    if (!it->jit || n_args != fx__signature_args(signature)) return FX_E_ARG;
    int32_t result = FX_OK;
    fx_status status = fx__ffi_call(fx_entry(it), signature, args, &result);
    return status == FX_OK ? (fx_status)result : status;
}

static fx_tensor tensor_of(const fx_compiled *it, const fx_type *type, void *data, const int64_t *symbols)
{
    int64_t dim[FX_RANK] = {0};
    for (int32_t d = 0; d < type->rank; d++) dim[d] = fx__dim_eval(it->program->dims, type->dim[d], symbols);
    return fx_tensor_view(data, type->dtype, type->rank, dim);
}

static int32_t closure_target(void *user, void *const *args)
{
    const fx_compiled *it = user;
    fx_tensor *tensors = calloc((size_t)(it->n_input + it->n_output) + 1, sizeof *tensors);
    int64_t *symbols = calloc((size_t)fx__dims_sym_count(it->program->dims) + 1, sizeof *symbols);
    fx_status status = tensors && symbols ? FX_OK : FX_E_OOM;
    if (status == FX_OK) {
        int32_t n = it->n_input + it->n_output;
        for (int32_t i = 0; i < fx__dims_param_count(it->program->dims); i++) symbols[i] = *(const int64_t *)args[n + i];
        for (int32_t i = 0; i < n; i++) {
            const fx_type *type = i < it->n_input ? &it->input[i] : &it->output[i - it->n_input];
            tensors[i] = tensor_of(it, type, *(void **)args[i], symbols);
        }
        status = fx_run(it, NULL, tensors, it->n_input, tensors + it->n_input, it->n_output);
    }
    free(tensors);
    free(symbols);
    return (int32_t)status;
}

void *fx_compiled_closure(fx_compiled *it)
{
    if (!it->closure) {
        fx_signature signature = fx__native_signature(it);
        signature.n_last = 0;
        it->closure = fx__ffi_closure_new(signature, closure_target, it);
    }
    return it->closure ? fx__ffi_closure_code(it->closure) : NULL;
}
