/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/emit.c: ahead of time: an object file, its header, and the weights inside the object or in a file beside it. All files
 * are written under temporary names and renamed at the end, so that a failure leaves nothing half-written. */
#include "frontend/replace.h"
#include "frontend/watch.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 3 };

typedef struct emission {
    fx_compiled *it;
    fx_context *context; /* the caller's */
    const char *path;
    char *symbol;
    bool weights_in_file;
    char *file_path[MAX_FILES];
    fx_replacement file[MAX_FILES];
    int32_t n_files;
} emission;

/* ---- Names ------------------------------------------------------------------------------------------------------------------ */

static bool is_identifier(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    return *name && strchr(letters, *name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == strlen(name);
}

/* From the module's name: everything else becomes an underscore. */
static char *symbol_of(const char *name)
{
    size_t bytes = strlen(name);
    char *symbol = malloc(bytes + 4);
    if (!symbol) return NULL;
    char *to = symbol;
    if (!*name || (*name >= '0' && *name <= '9') || fx__native_is_keyword(name)) to = stpcpy(symbol, "fx_");
    for (const char *c = name; *c; c++) {
        char one[2] = {*c, 0};
        *to++ = strspn(one, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") ? *c : '_';
    }
    *to = 0;
    return symbol;
}

/* "dir/net.o" gives "dir/net" + suffix. */
static char *sibling(const char *path, const char *suffix)
{
    size_t stem = strlen(path);
    if (stem > 2 && strcmp(path + stem - 2, ".o") == 0) stem -= 2;
    char *result = malloc(stem + strlen(suffix) + 1);
    if (!result) return NULL;
    memcpy(result, path, stem);
    strcpy(result + stem, suffix);
    return result;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------ */

static fx_status write_file(emission *e, FX_TAKES char *path, const void *data, size_t bytes)
{
    if (!path) return fx__diag_oom(e->context);
    fx_replacement *file = &e->file[e->n_files];
    e->file_path[e->n_files++] = path;
    FX_TRY(fx__replace_open(e->context, path, file));
    fwrite(data, 1, bytes, file->out);
    return fx__replace_close(e->context, file);
}

static fx_status rename_all(emission *e)
{
    for (int32_t i = 0; i < e->n_files; i++) FX_TRY(fx__replace_commit(e->context, &e->file[i]));
    return FX_OK;
}

static void drop_files(emission *e)
{
    for (int32_t i = 0; i < e->n_files; i++) {
        fx__replace_drop(&e->file[i]);
        free(e->file_path[i]);
    }
    free(e->symbol);
}

/* ---- Header ----------------------------------------------------------------------------------------------------------------- */

static void put_upper(fx_text *text, const char *name)
{
    for (; *name; name++) {
        char c = *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        fx__text_put(text, &c, 1);
    }
}

/* A name in a comment ends neither the line nor the comment. */
static void put_words(fx_text *text, const char *words)
{
    char last = ' ';
    for (const char *c = words; *c; last = *c++)
        fx__text_put(text, (unsigned char)*c < ' ' || (*c == '/' && last == '*') || (*c == '*' && last == '/') ? " " : c, 1);
}

static void put_state(fx_text *text, const emission *e)
{
    const fx_compiled *it = e->it;
    if (it->n_state == 0) return;
    fx__text_append(text, "#define ");
    put_upper(text, e->symbol);
    fx__text_append(text, "_STATE_BYTES ((size_t)%lld) /* 64-byte aligned; begins as a copy of %s_state */\n",
                    (long long)it->program->state_bytes, e->symbol);
    for (int32_t i = 0; i < it->n_state; i++) {
        fx__text_append(text, "/*   at %lld  ", (long long)it->state_entry[i].offset);
        put_words(text, it->state_entry[i].path);
        fx__text_append(text, ": ");
        fx__type_print(text, it->program->dims, &it->state_entry[i].type);
        fx__text_append(text, " */\n");
    }
}

static void put_interface(fx_text *text, const fx_compiled *it)
{
    for (int32_t i = 0; i < it->n_input + it->n_output; i++) {
        bool input = i < it->n_input;
        int32_t index = input ? i : i - it->n_input;
        fx__text_append(text, " *   %s%d  ", input ? "in" : "out", (int)index);
        put_words(text, input ? it->input_name[index] : it->output_name[index]);
        fx__text_append(text, ": ");
        fx__type_print(text, it->program->dims, input ? &it->input[index] : &it->output[index]);
        fx__text_append(text, "\n");
    }
}

static void put_assertions(fx_text *text, const fx_compiled *it)
{
    if (it->n_assertion) fx__text_append(text, " *\n * FX_E_GUARD (%d) where one of these fails:\n", (int)FX_E_GUARD);
    for (int32_t i = 0; i < it->n_assertion; i++) {
        fx__text_append(text, " *   %d  ", (int)i + 1);
        put_words(text, it->assertion[i]->message);
        fx__text_append(text, "\n");
    }
}

static fx_status header_text(emission *e, fx_text *text)
{
    fx_compiled *it = e->it;
    fx__text_append(text, "/* ");
    put_words(text, fx_module_name(it->module));
    fx__text_append(text, ", compiled ahead of time by fxjit %s for %s %s.\n *\n", fx_version(), it->target.triple, it->target.cpu);
    put_interface(text, it);
    put_assertions(text, it);
    fx__text_append(text,
                    " *\n * Tensors are packed row-major. workspace is 64-byte aligned; nothing is allocated. Safe from several threads, each "
                    "with\n * its own workspace%s. Returns 0, or the fx_status of fxjit/types.h that says what failed. */\n#ifndef ",
                    it->n_state > 0 ? " and state" : "");
    put_upper(text, e->symbol);
    fx__text_append(text, "_H\n#define ");
    put_upper(text, e->symbol);
    fx__text_append(text, "_H\n\n#include <stddef.h>\n#include <stdint.h>\n\n#define ");
    put_upper(text, e->symbol);
    size_t workspace = fx_compiled_workspace_bytes(it); /* sizes without end make it more than a C constant has without u */
    fx__text_append(text, "_WORKSPACE_BYTES ((size_t)%zu%s)\n", workspace, workspace > INT64_MAX ? "u" : "");
    put_state(text, e);
    if (e->weights_in_file) {
        fx__text_append(text, "#define ");
        put_upper(text, e->symbol);
        fx__text_append(text, "_WEIGHTS_BYTES ((size_t)%lld) /* of the weights file; load or map it 64-byte aligned */\n",
                        (long long)it->program->const_bytes);
    }
    fx__text_append(text, "\n#ifdef __cplusplus\nextern \"C\" {\n#define restrict\n#endif\n\n");
    FX_TRY(fx__native_prototype(it, e->symbol, e->weights_in_file, text));
    if (it->n_state > 0) fx__text_append(text, ";\nextern const unsigned char %s_state[%lld]", e->symbol, (long long)it->program->state_bytes);
    fx__text_append(text, ";\n\n#ifdef __cplusplus\n#undef restrict\n}\n#endif\n#endif\n");
    return text->failed ? FX_E_OOM : FX_OK;
}

/* ---- The steps -------------------------------------------------------------------------------------------------------------- */

static fx_status refuse_calls(emission *e)
{
    for (int32_t i = 0; i < e->it->n_fallback; i++)
        fx__diag(e->context, FX_E_UNSUPPORTED, NULL, "no compiled form: %s", e->it->fallback[i]);
    return e->it->n_fallback ? FX_E_UNSUPPORTED : FX_OK;
}

/* Weights are what the init steps compute here, also for another target: init kernels give the same bits on every host. */
static fx_status compute_weights(emission *e)
{
    fx_target host;
    FX_TRY(fx__session_target(e->it->context, NULL, NULL, NULL, &host));
    fx_codegen_options options = {.target = &host, .threads = 1, .progress = e->it->options.progress,
                                  .progress_user = e->it->options.progress_user};
    return fx__jit_new(e->it->program, &options, &e->it->jit);
}

static fx_status write_object(emission *e)
{
    fx_codegen_options options = fx__compile_codegen_options(e->it);
    options.symbol = e->symbol;
    const void *weights = fx__jit_consts(e->it->jit);
    size_t weight_bytes = (size_t)e->it->program->const_bytes, bytes = 0;
    char *object = NULL;
    options.state = e->it->state_image;
    FX_TRY(fx__aot_object(e->it->program, &options, e->weights_in_file ? NULL : weights, weight_bytes, &object, &bytes));
    fx_status status = write_file(e, sibling(e->path, ".o"), object, bytes);
    fx_text_free(object);
    if (status == FX_OK && e->weights_in_file) status = write_file(e, sibling(e->path, ".weights"), weights, weight_bytes);
    return status;
}

static fx_status write_header(emission *e)
{
    fx_text text;
    fx__text_init(&text, e->it->context);
    fx_status status = header_text(e, &text);
    char *header = fx__text_finish(&text);
    if (!header) return fx__diag_oom(e->context);
    if (status == FX_OK) status = write_file(e, sibling(e->path, ".h"), header, strlen(header));
    fx_text_free(header);
    return status;
}

static fx_status emit(emission *e)
{
    FX_TRY(fx__compile_graph(e->it));
    FX_TRY(fx__compile_program(e->it));
    FX_TRY(refuse_calls(e));
    FX_TRY(fx__watch_before_codegen(e->it));
    FX_TRY(compute_weights(e));
    FX_TRY(write_object(e));
    FX_TRY(fx__watch_after_codegen(e->it));
    FX_TRY(write_header(e));
    return rename_all(e);
}

fx_status fx_emit_object(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, const fx_compile_options *options,
                         const fx_emit_options *emit_options, const char *path)
{
    const char *symbol = emit_options ? emit_options->symbol : NULL;
    if (symbol && (!is_identifier(symbol) || fx__native_is_keyword(symbol)))
        return fx__diag(module->context, FX_E_ARG, NULL, "`%s` is no C identifier", symbol);
    emission e = {.context = module->context, .path = path, .weights_in_file = emit_options && emit_options->weights_in_file};
    FX_TRY(fx__compile_prepare(module, example_inputs, n_inputs, options, &e.it));
    e.symbol = symbol ? strdup(symbol) : symbol_of(module->name);
    fx_status status = e.symbol ? emit(&e) : fx__diag_oom(module->context);
    drop_files(&e);
    fx_compiled_free(e.it);
    return status;
}
