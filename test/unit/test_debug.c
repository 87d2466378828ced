/* SPDX-License-Identifier: Apache-2.0 */
/* What perf and gdb are told of generated code: every function with its name and place, and the same code bytes as without. */
#include "probe.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IN(name, type) "%" name " = placeholder \"" name "\" : " type "\n"
#define CALL(to, op, args) "%" to " = call_function \"torch.ops.aten." op "\"" args "\n"

static const char lines[] = IN("x", "f32[16, 64]") IN("w1", "f32[32, 64]") CALL("hidden", "linear.default", "(%x, %w1)")
    CALL("y", "softmax.int", "(%hidden, 1)");

/* gdb's interface, as its manual has it; LLVM defines the descriptor. */
struct jit_code_entry {
    struct jit_code_entry *next_entry, *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
};
extern struct jit_descriptor {
    uint32_t version, action_flag;
    struct jit_code_entry *relevant_entry, *first_entry;
} __jit_debug_descriptor;

static void check_same(fx_probe *p, const fx_compile_options *options)
{
    fx_tensor out[FX_PROBE_TENSORS] = {{0}};
    fx_compiled *plain = fx_probe_compile(p, &(fx_compile_options){.threads = 1}), *named = fx_probe_compile(p, options);
    ck_assert_uint_eq(fx_compiled_code_hash(plain), fx_compiled_code_hash(named));
    CHECK_OK(p->context, fx_run(named, p->context, p->in, p->n_in, out, 1));
    fx_probe_expect(p, "named", p->expected, out, true);
    fx_probe_release(out, 1);
    fx_compiled_free(plain);
    fx_compiled_free(named);
}

/* ---- perf --------------------------------------------------------------------------------------------------------------- */

/* The line of perf's map that has the text; fills in where the function is. */
static bool find_line(const char *path, const char *text, unsigned long *begin, unsigned long *bytes)
{
    char line[512], name[256];
    FILE *in = fopen(path, "r");
    bool found = false;
    ck_assert_ptr_nonnull(in);
    while (!found && fgets(line, sizeof line, in)) {
        ck_assert_int_eq(sscanf(line, "%lx %lx %255s", begin, bytes, name), 3);
        ck_assert_uint_gt(*bytes, 0);
        found = strstr(name, text) != NULL;
    }
    fclose(in);
    return found;
}

START_TEST(perf_is_told_of_every_function)
{
    char path[64];
    unsigned long begin, bytes, other, other_bytes;
    fx_probe p = fx_probe_text(lines, false);
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    unlink(path);
    fx_compiled *plain = fx_probe_compile(&p, &(fx_compile_options){.threads = 1});
    ck_assert_int_ne(access(path, F_OK), 0);
    fx_compiled *named = fx_probe_compile(&p, &(fx_compile_options){.threads = 1, .perf_map = true});
    ck_assert(find_line(path, "hidden", &begin, &bytes) && find_line(path, "_y", &other, &other_bytes));
    ck_assert(begin + bytes <= other || other + other_bytes <= begin);
    ck_assert(find_line(path, "fx_entry_entry", &other, &other_bytes));
    uintptr_t entry = (uintptr_t)fx_compiled_entry(named);
    ck_assert_uint_eq(other, entry);
    ck_assert(!find_line(path, "nobody", &begin, &bytes));
    fx_compiled_free(plain);
    fx_compiled_free(named);
    check_same(&p, &(fx_compile_options){.threads = 1, .perf_map = true});
    unlink(path);
    fx_probe_free(&p);
}
END_TEST

START_TEST(the_environment_asks_for_it)
{
    char path[64];
    unsigned long begin, bytes;
    fx_probe p = fx_probe_text(lines, false);
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    static const char *const words[] = {"", ",", "gdb", "perf", "gdb,perf"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        unlink(path);
        setenv("FXJIT_DEBUG", words[i], 1);
        fx_compiled *compiled = fx_probe_compile(&p, &(fx_compile_options){.threads = 1});
        bool asked = strcmp(words[i], "perf") == 0 || strcmp(words[i], "gdb,perf") == 0;
        ck_assert_int_eq(access(path, F_OK) == 0, asked);
        if (asked) ck_assert(find_line(path, "hidden", &begin, &bytes));
        fx_compiled_free(compiled);
    }
    unsetenv("FXJIT_DEBUG");
    unlink(path);
    fx_probe_free(&p);
}
END_TEST

/* ---- gdb ---------------------------------------------------------------------------------------------------------------- */

static bool has_bytes(const char *data, uint64_t n, const char *text)
{
    size_t length = strlen(text);
    for (uint64_t i = 0; i + length <= n; i++)
        if (memcmp(data + i, text, length) == 0) return true;
    return false;
}

/* Objects that gdb has been told of and that hold the text. */
static int registered(const char *text)
{
    int n = 0;
    for (const struct jit_code_entry *e = __jit_debug_descriptor.first_entry; e; e = e->next_entry) {
        ck_assert(e->symfile_size > sizeof(Elf64_Ehdr) && memcmp(e->symfile_addr, ELFMAG, SELFMAG) == 0);
        n += has_bytes(e->symfile_addr, e->symfile_size, text);
    }
    return n;
}

START_TEST(gdb_is_told_of_every_object)
{
    fx_probe p = fx_probe_text(lines, false);
    ck_assert_int_eq(registered("_hidden"), 0);
    fx_compiled *plain = fx_probe_compile(&p, &(fx_compile_options){.threads = 1});
    ck_assert_int_eq(registered("_hidden"), 0);
    fx_compiled *named = fx_probe_compile(&p, &(fx_compile_options){.threads = 1, .gdb = true});
    ck_assert_int_gt(registered("_hidden"), 0); /* the kernel's, and the entry's, which calls it */
    ck_assert_int_gt(registered(".eh_frame"), 0);    /* to walk the stack by */
    fx_compiled *other = fx_probe_compile(&p, &(fx_compile_options){.threads = 1, .gdb = true});
    int both = registered("_hidden"), one = both / 2;
    fx_compiled_free(named);
    ck_assert_int_eq(registered("_hidden"), one); /* what is freed is taken out of the list */
    fx_compiled_free(other);
    ck_assert_int_eq(registered("_hidden"), 0);
    fx_compiled_free(plain);
    check_same(&p, &(fx_compile_options){.threads = 2, .gdb = true, .profile = true});
    fx_probe_free(&p);
}
END_TEST

FX_TESTS("debug", perf_is_told_of_every_function, the_environment_asks_for_it, gdb_is_told_of_every_object)
