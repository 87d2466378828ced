/* SPDX-License-Identifier: Apache-2.0 */
/* Watching a compilation: dumps after every pass that changed something, in files and through the callback, log lines, and progress,
 * which may cancel it anywhere. */
#include "fxjit/fxjit.h"
#include "harness.h"
#include "ir/arena.h"
#include "ir/graph.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct setup {
    fx_context *context;
    fx_module *module;
    fx_compiled *compiled;
} setup;

static setup begin(const char *file)
{
    setup s = {.context = fx_context_new()};
    char path[512];
    snprintf(path, sizeof path, "%s/test/data/%s/model.onnx", FX_SOURCE_DIR, file);
    CHECK_OK(s.context, fx_load(s.context, path, &s.module));
    return s;
}

static void end(setup *s)
{
    fx_compiled_free(s->compiled);
    fx_module_free(s->module);
    fx_context_free(s->context);
}

/* ---- Dumps --------------------------------------------------------------------------------------------------------------- */

enum { MOST = 256 };
typedef struct dumps {
    struct dump {
        fx_stage_form form;
        char pass[48];
        char *text;
        size_t bytes;
    } one[MOST];
    int n;
} dumps;

static void keep_dump(void *user, fx_stage_form form, const char *pass, const char *text, size_t bytes)
{
    dumps *d = user;
    ck_assert_int_lt(d->n, MOST);
    struct dump *one = &d->one[d->n++];
    one->form = form;
    snprintf(one->pass, sizeof one->pass, "%s", pass);
    one->text = malloc(bytes + 1);
    memcpy(one->text, text, bytes + 1);
    one->bytes = bytes;
}

static void drop_dumps(dumps *d)
{
    for (int i = 0; i < d->n; i++) free(d->one[i].text);
    d->n = 0;
}

static int count_form(const dumps *d, fx_stage_form form)
{
    int n = 0;
    for (int i = 0; i < d->n; i++) n += d->one[i].form == form;
    return n;
}

static const struct dump *find_dump(const dumps *d, fx_stage_form form, const char *pass)
{
    for (int i = 0; i < d->n; i++)
        if (d->one[i].form == form && strcmp(d->one[i].pass, pass) == 0) return &d->one[i];
    ck_abort_msg("no dump of %s", pass);
    return NULL;
}

START_TEST(every_form_is_dumped)
{
    setup s = begin("convnet");
    dumps d = {.n = 0};
    fx_compile_options options = {.threads = 1, .dump = FX_DUMP_ALL, .dump_text = keep_dump, .dump_user = &d};
    CHECK_OK(s.context, fx_compile(s.module, NULL, 0, &options, &s.compiled));
    int kernels = fx_compiled_kernel_count(s.compiled);
    ck_assert_int_eq(count_form(&d, FX_STAGE_LLVM), kernels + 1);
    ck_assert_int_eq(count_form(&d, FX_STAGE_ASM), kernels + 1);
    ck_assert_int_eq(count_form(&d, FX_STAGE_OBJ), kernels + 1);
    ck_assert_str_eq(d.one[0].pass, "input");
    char *program;
    CHECK_OK(s.context, fx_compile_text(s.module, NULL, 0, &(fx_compile_options){.threads = 1}, FX_STAGE_PROGRAM, &program, NULL));
    ck_assert_str_eq(find_dump(&d, FX_STAGE_PROGRAM, "plan")->text, program);
    fx_text_free(program);
    ck_assert_ptr_nonnull(strstr(find_dump(&d, FX_STAGE_CORE, "normalise")->text, "aten.conv2d"));
    ck_assert_ptr_nonnull(strstr(find_dump(&d, FX_STAGE_LLVM, "entry")->text, "define"));
    ck_assert_mem_eq(find_dump(&d, FX_STAGE_OBJ, "entry")->text, "\177ELF", 4);
    for (int i = 1; i < d.n; i++) /* nothing is told twice */
        if (d.one[i].form == d.one[i - 1].form) ck_assert(d.one[i].bytes != d.one[i - 1].bytes || memcmp(d.one[i].text, d.one[i - 1].text, d.one[i].bytes) != 0);
    drop_dumps(&d);
    end(&s);
}
END_TEST

static int count_files(const char *folder, bool remove_them)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024];
        if (e->d_name[0] == '.') continue;
        n++;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (remove_them) unlink(path);
    }
    if (d) closedir(d);
    if (remove_them) rmdir(folder);
    return n;
}

static bool has_file(const char *folder, const char *name)
{
    char path[1024];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &about) == 0 && about.st_size > 0;
}

static void compile(setup *s, const fx_compile_options *options)
{
    fx_compiled *compiled;
    CHECK_OK(s->context, fx_compile(s->module, NULL, 0, options, &compiled));
    fx_compiled_free(compiled);
}

START_TEST(each_compilation_has_a_folder)
{
    setup s = begin("mlp");
    char folder[] = "/tmp/fxjit-dump-XXXXXX", second[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(second, sizeof second, "%s.2", folder);
    fx_compile_options options = {.threads = 1, .dump = FX_DUMP_CORE | FX_DUMP_PROGRAM, .dump_directory = folder};
    compile(&s, &options);
    compile(&s, &options);
    ck_assert(has_file(folder, "000-normalise.core.fx"));
    ck_assert_int_gt(count_files(folder, false), 5);
    ck_assert_int_eq(count_files(second, true), count_files(folder, true));
    /* the same by the environment */
    setenv("FXJIT_DUMP", "fx,asm", 1);
    setenv("FXJIT_DUMP_DIR", folder, 1);
    compile(&s, NULL);
    ck_assert(has_file(folder, "000-input.fx"));
    count_files(folder, true);
    setenv("FXJIT_DUMP", "fx,asn", 1);
    fx_compiled *compiled;
    ck_assert_int_eq(fx_compile(s.module, NULL, 0, NULL, &compiled), FX_E_ARG);
    CHECK_DIAG(s.context, "'asn' is none of fx, core");
    unsetenv("FXJIT_DUMP");
    unsetenv("FXJIT_DUMP_DIR");
    fx_context_clear(s.context);
    options.dump_directory = "/proc/no/such/folder";
    ck_assert_int_eq(fx_compile(s.module, NULL, 0, &options, &compiled), FX_E_IO);
    CHECK_DIAG(s.context, "/proc/no/such/folder");
    end(&s);
}
END_TEST

START_TEST(objects_are_dumped_too)
{
    setup s = begin("mlp");
    char folder[] = "/tmp/fxjit-object-XXXXXX", path[64];
    dumps d = {.n = 0};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.o", folder);
    fx_compile_options options = {.threads = 1, .dump = FX_DUMP_LLVM | FX_DUMP_ASM | FX_DUMP_OBJ, .dump_text = keep_dump, .dump_user = &d};
    CHECK_OK(s.context, fx_emit_object(s.module, NULL, 0, &options, NULL, path));
    ck_assert_int_gt(count_form(&d, FX_STAGE_LLVM), 1);
    ck_assert_int_eq(count_form(&d, FX_STAGE_LLVM), count_form(&d, FX_STAGE_ASM));
    ck_assert_int_eq(count_form(&d, FX_STAGE_OBJ), count_form(&d, FX_STAGE_ASM));
    drop_dumps(&d);
    ck_assert_int_eq(count_files(folder, true), 2);
    end(&s);
}
END_TEST

/* As on a full disk: the compilation ends, and no part of a file is left. */
START_TEST(what_cannot_be_written_ends_it)
{
    setup s = begin("mlp");
    char folder[] = "/tmp/fxjit-full-XXXXXX", path[64];
    struct rlimit before, least;
    fx_compiled *compiled;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/dump", folder);
    fx_compile_options options = {.threads = 1, .dump = FX_DUMP_PROGRAM, .dump_directory = path};
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    least = before;
    least.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &least), 0);
    fx_status status = fx_compile(s.module, NULL, 0, &options, &compiled);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(status, FX_E_IO);
    CHECK_DIAG(s.context, "000-lower.program: File too large");
    ck_assert_int_eq(count_files(path, true), 0);
    rmdir(folder);
    options.dump_directory = "/dev/null/dump";
    fx_context_clear(s.context);
    ck_assert_int_eq(fx_compile(s.module, NULL, 0, &options, &compiled), FX_E_IO);
    CHECK_DIAG(s.context, "/dev/null/dump: Not a directory");
    end(&s);
}
END_TEST

/* ---- Log ------------------------------------------------------------------------------------------------------------------ */

typedef struct lines {
    char text[65536];
    int n[4];
} lines;

static void keep_line(void *user, fx_log_level level, const char *line)
{
    lines *l = user;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%s\n", line);
    l->n[level]++;
}

START_TEST(decisions_are_logged)
{
    setup s = begin("convnet");
    lines info = {.text = ""}, debug = {.text = ""}, none = {.text = ""};
    compile(&s, &(fx_compile_options){.threads = 1, .log = keep_line, .log_user = &info});
    ck_assert_ptr_nonnull(strstr(info.text, "fuse: "));
    ck_assert_ptr_nonnull(strstr(info.text, "plan: workspace "));
    ck_assert_ptr_nonnull(strstr(info.text, "codegen: "));
    ck_assert_int_eq(info.n[FX_LOG_DEBUG] + info.n[FX_LOG_WARNING], 0);
    compile(&s, &(fx_compile_options){.threads = 1, .log = keep_line, .log_user = &debug, .log_level = FX_LOG_DEBUG});
    ck_assert_ptr_nonnull(strstr(debug.text, "fuse: _stem_Conv_output_0 -> _Relu_output_0: TAIL, 8192 bytes\n"));
    ck_assert_ptr_nonnull(strstr(debug.text, "schedule: k0: "));
    compile(&s, &(fx_compile_options){.threads = 1, .log = keep_line, .log_user = &none, .log_level = FX_LOG_WARNING});
    ck_assert_str_eq(none.text, "");
    end(&s);
}
END_TEST

static const char with_call[] = "graph {\n  %x = placeholder \"x\" : f32[8]\n"
                                "  %y = call_function \"torch.ops.aten.argsort.default\"(%x)\n  %output = output(%y)\n}\n";

static setup begin_text(const char *text)
{
    setup s = {.context = fx_context_new()};
    fx_graph *graph;
    CHECK_OK(s.context, fx_graph_parse(s.context, "text", text, strlen(text), &graph));
    s.module = fx__module_ensure(graph);
    ck_assert_ptr_nonnull(s.module);
    return s;
}

static int count_text(const char *text, const char *part)
{
    int n = 0;
    while ((text = strstr(text, part))) n++, text++;
    return n;
}

/* What compiling prints on standard error. */
static void compile_printing(setup *s, const fx_compile_options *options, char *text, size_t bytes)
{
    FILE *file = tmpfile();
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    ck_assert(file && kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    compile(s, options);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, bytes - 1, file)] = 0;
    fclose(file);
}

/* Each once, whether it is the log's own or the context's; by the callback or by the environment. */
START_TEST(warnings_are_logged_once)
{
    static const char fallback[] = "y (argsort) runs through its reference kernel", no_map[] = "perf will not know generated code";
    setup s = begin_text(with_call);
    char map[64], printed[4096];
    lines l = {.text = ""};
    snprintf(map, sizeof map, "/tmp/perf-%ld.map", (long)getpid());
    unlink(map);
    ck_assert_int_eq(mkdir(map, 0700), 0); /* a file of this name cannot be written */
    fx_compile_options options = {.threads = 1, .perf_map = true, .log = keep_line, .log_user = &l, .log_level = FX_LOG_WARNING};
    compile(&s, &options);
    ck_assert_int_eq(l.n[FX_LOG_WARNING], 2);
    ck_assert_int_eq(l.n[FX_LOG_INFO] + l.n[FX_LOG_DEBUG], 0);
    ck_assert(count_text(l.text, fallback) == 1 && count_text(l.text, no_map) == 1);
    ck_assert_int_eq(fx_context_diag_count(s.context), 1); /* the map's, where the caller finds it */
    options.log = NULL;
    options.log_level = FX_LOG_NONE;
    for (int level = 0; level < 4; level++) {
        setenv("FXJIT_LOG", (const char *[]){"none", "warning", "info", "debug"}[level], 1);
        compile_printing(&s, &options, printed, sizeof printed);
        ck_assert_int_eq(count_text(printed, fallback), level > 0);
        ck_assert_int_eq(count_text(printed, no_map), level > 0);
        ck_assert_int_eq(count_text(printed, "fxjit: plan: workspace"), level > 1);
        ck_assert_int_eq(count_text(printed, "fxjit: spell: "), level > 2);
    }
    unsetenv("FXJIT_LOG");
    rmdir(map);
    end(&s);
}
END_TEST

START_TEST(unknown_words_name_the_nearest)
{
    static const char *const rows[][3] = {
        {"FXJIT_LOG", "inof", "FXJIT_LOG: 'inof' is none of none, warning, info and debug; did you mean 'info'?"},
        {"FXJIT_DEBUG", "gdb,pref", "FXJIT_DEBUG: 'pref' is none of perf and gdb; did you mean 'perf'?"},
        {"FXJIT_DUMP", "fx,asn", "is none of fx, core, program, llvm, asm, obj and all; did you mean 'asm'?"},
        {"FXJIT_DUMP", "a word that is longer than any word has a right to be", "'a word that is longer than any ' is none of"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        setup s = begin("mlp");
        setenv(rows[i][0], rows[i][1], 1);
        ck_assert_int_eq(fx_compile(s.module, NULL, 0, NULL, &s.compiled), FX_E_ARG);
        CHECK_DIAG(s.context, rows[i][2]);
        unsetenv(rows[i][0]);
        end(&s);
    }
}
END_TEST

/* ---- Progress -------------------------------------------------------------------------------------------------------------- */

typedef struct teller {
    int calls, stop_at; /* the call that says no; -1: none */
    bool after_no;
    char phases[256];
} teller;

static bool tell(void *user, const char *phase, int32_t percent)
{
    teller *t = user;
    ck_assert_int_ge(percent, 0);
    ck_assert_int_le(percent, 100);
    t->after_no = t->after_no || (t->stop_at >= 0 && t->calls > t->stop_at);
    if (!strstr(t->phases, phase)) snprintf(t->phases + strlen(t->phases), sizeof t->phases - strlen(t->phases), "%s ", phase);
    return t->calls++ != t->stop_at;
}

static int count_errors(const fx_context *context)
{
    int n = 0;
    for (int32_t i = 0; i < fx_context_diag_count(context); i++) {
        fx_severity severity;
        fx_context_diag(context, i, &severity);
        n += severity == FX_ERROR;
    }
    return n;
}

/* Cancels at the first call, the second, ... until one compilation is through. How many calls there are in code generation is a matter
 * of time: there steps grow. */
static int cancel_everywhere(const char *file)
{
    setup s = begin(file);
    int stop_at = 0;
    for (;; stop_at += 1 + stop_at / 16) {
        teller t = {.stop_at = stop_at};
        fx_status status = fx_compile(s.module, NULL, 0, &(fx_compile_options){.threads = 2, .progress = tell, .progress_user = &t},
                                      &s.compiled);
        if (status == FX_OK) break;
        ck_assert_int_eq(status, FX_E_CANCELLED);
        ck_assert_ptr_null(s.compiled);
        CHECK_DIAG(s.context, "compiling was cancelled during");
        ck_assert_int_eq(count_errors(s.context), 1);
        ck_assert(!t.after_no); /* nobody is asked again */
        fx_context_clear(s.context);
    }
    fx_tensor out = {0}, in;
    ck_assert_int_eq(fx_tensor_alloc(FX_F32, 4, (int64_t[]){2, 3, 16, 16}, &in), FX_OK);
    CHECK_OK(s.context, fx_run(s.compiled, s.context, &in, 1, &out, 1)); /* what was not cancelled is whole */
    fx_tensor_release(&in);
    fx_tensor_release(&out);
    end(&s);
    return stop_at;
}

START_TEST(every_call_may_cancel)
{
    ck_assert_int_gt(cancel_everywhere("convnet"), 20);
}
END_TEST

START_TEST(a_cancelled_object_is_not_there)
{
    setup s = begin("mlp");
    char folder[] = "/tmp/fxjit-cancelled-XXXXXX", path[64];
    int stop_at = 0;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/net.o", folder);
    for (;; stop_at += 1 + stop_at / 4) {
        teller t = {.stop_at = stop_at};
        fx_compile_options options = {.threads = 1, .progress = tell, .progress_user = &t};
        fx_status status = fx_emit_object(s.module, NULL, 0, &options, &(fx_emit_options){.weights_in_file = true}, path);
        ck_assert_int_eq(count_files(folder, false), status == FX_OK ? 3 : 0);
        if (status == FX_OK) break;
        ck_assert_int_eq(status, FX_E_CANCELLED);
        ck_assert_int_eq(count_errors(s.context), 1);
        fx_context_clear(s.context);
    }
    ck_assert_int_gt(stop_at, 8);
    count_files(folder, true);
    end(&s);
}
END_TEST

START_TEST(all_phases_are_told)
{
    setup s = begin("convnet");
    teller t = {.stop_at = -1};
    compile(&s, &(fx_compile_options){.threads = 1, .progress = tell, .progress_user = &t});
    ck_assert_str_eq(t.phases, "graph program codegen init ");
    ck_assert_int_gt(t.calls, 20);
    end(&s);
}
END_TEST

FX_TESTS("watch", every_form_is_dumped, each_compilation_has_a_folder, objects_are_dumped_too, what_cannot_be_written_ends_it,
         decisions_are_logged, warnings_are_logged_once, unknown_words_name_the_nearest, every_call_may_cancel, a_cancelled_object_is_not_there, all_phases_are_told)
