/* SPDX-License-Identifier: Apache-2.0 */
/* bisect_save.c: the reduced graph as a folder that `fxjit verify` runs by itself. It is written under another name and renamed
 * at the end; only an earlier reproducer gives way to it. */
#include "frontend/bisect.h"
#include "frontend/json.h"
#include <errno.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct saving {
    const fx_bisection *b;
    fx_context *context;
    fx_arena *arena;
    const char *folder, *temporary;
} saving;

static fx_status io_error(const saving *s, const char *path, const char *what)
{
    return fx__diag(s->context, FX_E_IO, NULL, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- Texts ----------------------------------------------------------------------------------------------------------------- */

static fx_status write_text(const saving *s, const char *name, char *text)
{
    const char *path = fx__arena_format(s->arena, "%s/%s", s->temporary, name);
    FILE *out = path && text ? fopen(path, "w") : NULL;
    fx_status status = path && text ? FX_OK : FX_E_OOM;
    if (status == FX_OK && !out) status = io_error(s, path, "write");
    if (out) {
        bool good = fputs(text, out) >= 0;
        good = fclose(out) == 0 && good;
        if (!good) status = io_error(s, path, "write");
    }
    fx_text_free(text);
    return status;
}

static void put_member(fx_text *text, const char *key, const char *value)
{
    if (!value) return;
    fx__text_append(text, ",\n  \"%s\": ", key);
    if (!fx__json_put_text(text, value)) fx__text_append(text, "\"\"");
}

static void put_options(fx_text *text, const char *key, const fx_compile_options *o)
{
    static const char *const precisions[] = {"default", "strict", "fast"};
    fx__text_append(text, ",\n  \"%s\": {\"threads\": %d, \"precision\": \"%s\", \"fusion\": %s, \"in_place\": %s", key, (int)o->threads,
                    precisions[o->precision], o->no_fusion ? "false" : "true", o->no_in_place ? "false" : "true");
    const char *const keys[] = {"target", "cpu", "features"};
    const char *const values[] = {o->target_triple, o->target_cpu, o->target_features};
    for (int i = 0; i < 3; i++) {
        if (!values[i]) continue;
        fx__text_append(text, ", \"%s\": ", keys[i]);
        if (!fx__json_put_text(text, values[i])) fx__text_append(text, "\"\"");
    }
    fx__text_append(text, "}");
}

/* Two option sets that both keep the bounds differ by rounding alone: only their comparison shows it. */
static bool is_pair(const fx_bisection *b)
{
    return b->rounding;
}

static fx_status write_json(const saving *s)
{
    const fx_mismatch *f = &s->b->found;
    fx_text text;
    fx__text_init(&text, s->context);
    fx__text_append(&text, "{\n  \"reproducer\": 1");
    put_member(&text, "form", fx_bisect_form_name(f->form));
    put_member(&text, "pass", f->pass);
    put_member(&text, "node", f->node);
    put_member(&text, "operator", f->op);
    put_member(&text, "traced", f->place);
    put_member(&text, "kernel", f->kernel);
    if (*f->loops) put_member(&text, "right_with_loops", f->loops);
    put_member(&text, "goes_away_with", f->without);
    put_options(&text, "options", is_pair(s->b) || f->first_is_wrong ? &s->b->trial.compile : &s->b->trial.against);
    if (is_pair(s->b)) {
        put_options(&text, "against", &s->b->trial.against);
        fx__text_append(&text, ",\n  \"ulp\": ");
        fx__text_double(&text, s->b->options.ulp > 0 ? s->b->options.ulp : 0);
    }
    fx__text_append(&text, "\n}\n");
    return write_text(s, "reproducer.json", fx__text_finish(&text));
}

static fx_status write_readme(const saving *s)
{
    const fx_mismatch *f = &s->b->found;
    fx_text text;
    fx__text_init(&text, s->context);
    fx__text_append(&text, "fxjit %s computes a wrong value for %s (%s).\n\n    fxjit verify %s\n\nruns this folder by itself and fails.\n\n",
                    fx_version(), f->node, f->op, s->folder);
    fx__text_append(&text, "form    %s\npass    %s\n", fx_bisect_form_name(f->form), f->pass);
    if (*f->kernel) fx__text_append(&text, "kernel  %s\n", f->kernel);
    if (*f->loops) fx__text_append(&text, "loops   right with %s\n", f->loops);
    if (*f->place) fx__text_append(&text, "traced  %s\n", f->place);
    fx__text_append(&text, "element %lld: %.9g, expected %.9g (%.3g ulp, bound %.3g)\n\n", (long long)f->at.element, f->at.actual,
                    f->at.expected, f->at.ulp, f->at.bound);
    fx__text_append(&text, "model.fxm has the graph and its weights, in the inputs, out what the interpreter computes, bound the largest\n"
                           "error of any legal order of evaluation; reproducer.json the options that verify takes.\n");
    return write_text(s, "README", fx__text_finish(&text));
}

/* ---- Tensors --------------------------------------------------------------------------------------------------------------- */

static fx_status make_folder(const saving *s, const char *name)
{
    const char *path = fx__arena_format(s->arena, "%s/%s", s->temporary, name);
    if (!path) return FX_E_OOM;
    return mkdir(path, 0777) == 0 ? FX_OK : io_error(s, path, "make");
}

static fx_status write_tensor(const saving *s, const char *folder, const char *name, const fx_tensor *tensor)
{
    const char *path = fx__arena_format(s->arena, "%s/%s/%s.npy", s->temporary, folder, name);
    return path ? fx_tensor_save_npy(s->context, path, tensor) : FX_E_OOM;
}

static fx_status write_tensors(const saving *s)
{
    static const char *const folders[] = {"in", "out", "bound"};
    const fx_cut *cut = &s->b->cut;
    for (int i = 0; i < 3; i++) FX_TRY(make_folder(s, folders[i]));
    for (int32_t i = 0; i < cut->n_in; i++) FX_TRY(write_tensor(s, "in", fx_module_input_name(cut->module, i), &cut->in[i]));
    for (int32_t i = 0; i < cut->n_out; i++) {
        FX_TRY(write_tensor(s, "out", fx_module_output_name(cut->module, i), &cut->expected[i]));
        FX_TRY(write_tensor(s, "bound", fx_module_output_name(cut->module, i), &cut->bound[i]));
    }
    return FX_OK;
}

/* ---- The folder ------------------------------------------------------------------------------------------------------------ */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void remove_folder(const char *path)
{
    enum { OPEN_AT_MOST = 8 };
    (void)nftw(path, remove_entry, OPEN_AT_MOST, FTW_DEPTH | FTW_PHYS);
}

/* What stands in the place must be a reproducer. */
static fx_status check_place(const saving *s)
{
    struct stat info;
    const char *marker = fx__arena_format(s->arena, "%s/reproducer.json", s->folder);
    if (!marker) return FX_E_OOM;
    if (lstat(s->folder, &info) != 0 || stat(marker, &info) == 0) return FX_OK;
    return fx__diag(s->context, FX_E_IO, NULL, "%s is there already and is no reproducer", s->folder);
}

static fx_status put_in_place(const saving *s)
{
    struct stat info;
    const char *old = fx__arena_format(s->arena, "%s.old", s->temporary);
    if (!old) return FX_E_OOM;
    bool replaces = lstat(s->folder, &info) == 0;
    if (replaces && rename(s->folder, old) != 0) return io_error(s, s->folder, "replace");
    if (rename(s->temporary, s->folder) == 0) {
        if (replaces) remove_folder(old);
        return FX_OK;
    }
    fx_status status = io_error(s, s->folder, "write");
    if (replaces) (void)rename(old, s->folder);
    return status;
}

static fx_status write_all(const saving *s)
{
    const char *model = fx__arena_format(s->arena, "%s/model.fxm", s->temporary);
    if (!model) return FX_E_OOM;
    FX_TRY(write_tensors(s));
    FX_TRY(fx_module_save(s->b->cut.module, model));
    FX_TRY(write_json(s));
    FX_TRY(write_readme(s));
    return put_in_place(s);
}

static fx_status save(saving *s)
{
    s->temporary = fx__arena_format(s->arena, "%s.%ld", s->folder, (long)getpid());
    if (!s->temporary) return FX_E_OOM;
    FX_TRY(check_place(s));
    if (mkdir(s->temporary, 0777) != 0) return io_error(s, s->temporary, "make");
    fx_status status = write_all(s);
    if (status != FX_OK) remove_folder(s->temporary);
    return status;
}

fx_status fx_bisection_save(const fx_bisection *b, const char *folder)
{
    saving s = {.b = b, .context = b->trial.context, .arena = fx__arena_new(b->trial.context), .folder = folder};
    fx_status status = s.arena ? save(&s) : FX_E_OOM;
    fx__arena_free(s.arena);
    return status;
}
