/* SPDX-License-Identifier: Apache-2.0 */
/* Objects: kernels have the JIT's section bytes, nothing is undefined but memset and memcpy, weights are inside; the object links
 * into a shared library that computes what the evaluation does. And an object for another architecture. */
#include "native_run.h"
#include <dlfcn.h>
#include <unistd.h>

#define COST "  cost flop 1 read 1 write 1 cycles 1\n"

static const char program[] =
    "program inputs 1 outputs 1 states 0 planned workspace 4096 consts 128 scratch 256\n"
    "buf %x: f32[5,37] input 0 at 0\nbuf %c: f32[4] const data 0000803f000000400000404000008040 at 64\n"
    "buf %t: f32[5,37] temp at 64\nbuf %y: f32[5,37] output 0 at 0\n"
    "kernel k0(x: f32[5,37], const c: f32[4], out y: f32[5,37]) {\n  for i:5 j:37\n  y[i,j] = tanh(x[i,j]) + c[3]\n"
    "  sched flat vec j*16 unroll 2 task(i) grain 1 order(i,j)\n" COST "}\n"
    "kernel k1(x: f32[5,37], out y: f32[5,37], local e: f32[37]) {\n  for i:5 ; j:37\n  m = max(x[i,j]) over j\n"
    "  e[j] = exp(x[i,j] - m) over j\n  s = sum(e[j]) over j\n  y[i,j] = e[j] / s over j\n"
    "  sched row vec j*16 unroll 2 task(i) grain 1 order(i)\n" COST "}\n"
    "run k0(%x, %c, %t)\nrun k1(%t, %y, _)\n";

typedef int32_t (*typed_fn)(const float *x, float *y, void *workspace);

static void write_file(const char *path, const char *bytes, size_t n)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
    fclose(out);
}

static void run_shell(const char *format, const char *a, const char *b)
{
    char command[1024];
    snprintf(command, sizeof command, format, a, b);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void compile_object(native *n, const void *weights, size_t bytes, const char *path)
{
    char *object;
    size_t size;
    CHECK_OK(n->context, fx__aot_object(n->program, &n->options, weights, bytes, &object, &size));
    write_file(path, object, size);
    fx_text_free(object);
}

START_TEST(an_object_computes_what_the_program_means)
{
    native n;
    char object[256], library[256];
    snprintf(object, sizeof object, "%s/aot_%d.o", FX_BINARY_DIR, (int)getpid());
    snprintf(library, sizeof library, "%s/aot_%d.so", FX_BINARY_DIR, (int)getpid());
    native_open(&n, program, 1);
    n.options.symbol = "net";
    compile_object(&n, fx__jit_consts(n.jit), (size_t)n.program->const_bytes, object);
    run_shell("! nm -u %s | grep -v -w -e memset -e memcpy%s", object, "");
    run_shell("cc -shared -o %s %s", library, object);
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), *address = handle ? dlsym(handle, "net") : NULL;
    ck_assert_msg(address != NULL, "%s", dlerror());
    typed_fn net;
    memcpy(&net, &address, sizeof net);
    native_tensors(&n, 1, -2, 2);
    native_eval(&n);
    _Alignas(64) static char workspace[8192];
    ck_assert_int_eq(net(n.in[0].data, n.out[0].data, workspace), FX_OK);
    native_compare(&n.out[0], &n.expected[0], 64, 0);
    dlclose(handle);
    remove(object);
    remove(library);
    native_close(&n);
}
END_TEST

/* The object's symbols are hidden from the host's linker but for entry and wrapper. */
START_TEST(sections_are_those_of_the_jit)
{
    native n;
    native_open(&n, program, 1);
    char object[256], dump[256];
    snprintf(object, sizeof object, "%s/aot_s%d.o", FX_BINARY_DIR, (int)getpid());
    snprintf(dump, sizeof dump, "%s/aot_s%d.bin", FX_BINARY_DIR, (int)getpid());
    compile_object(&n, NULL, 0, object);
    for (int32_t k = 0; k < n.program->n_kernel; k++) {
        char *section, command[1024], bytes[65536];
        size_t size;
        CHECK_OK(n.context, fx__codegen_kernel_section(n.program, &n.options, k, &section, &size));
        snprintf(command, sizeof command, "objcopy -O binary --only-section=.text.k_%016llx %s %s",
                 (unsigned long long)n.program->kernel[k]->hash, object, dump);
        ck_assert_int_eq(system(command), 0);
        FILE *in = fopen(dump, "rb");
        ck_assert_ptr_nonnull(in);
        ck_assert_uint_eq(fread(bytes, 1, sizeof bytes, in), size);
        fclose(in);
        ck_assert_mem_eq(bytes, section, size);
        fx_text_free(section);
    }
    remove(object);
    remove(dump);
    native_close(&n);
}
END_TEST

START_TEST(an_object_for_another_architecture)
{
    native n;
    native_open(&n, program, 1);
    CHECK_OK(n.context, fx__session_target(n.context, "aarch64-unknown-linux-gnu", "neoverse-n1", NULL, &n.target));
    char *object;
    size_t size;
    CHECK_OK(n.context,
             fx__aot_object(n.program, &n.options, fx__jit_consts(n.jit), (size_t)n.program->const_bytes, &object, &size));
    ck_assert_int_eq((unsigned char)object[18], 183); /* e_machine: EM_AARCH64 */
    fx_text_free(object);
    native_close(&n);
}
END_TEST

START_TEST(an_unknown_target_is_refused)
{
    native n;
    native_open(&n, program, 1);
    char *object;
    size_t size;
    n.target.triple = "pdp11-dec-unix";
    ck_assert_int_eq(fx__aot_object(n.program, &n.options, NULL, 0, &object, &size), FX_E_CODEGEN);
    CHECK_DIAG(n.context, "pdp11-dec-unix");
    native_close(&n);
}
END_TEST

FX_TESTS("codegen_aot", an_object_computes_what_the_program_means, sections_are_those_of_the_jit,
         an_object_for_another_architecture, an_unknown_target_is_refused)
