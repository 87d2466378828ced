/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of tiled kernels, and a kernel compiled alone. See tile_case.h. */
#include "tile_case.h"
#include "codegen/frame.h"
#include "codegen/object.h"
#include "ir/diag.h"
#include <inttypes.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <string.h>
#include <time.h>

/* ---- Texts --------------------------------------------------------------------------------------------------------------- */

static int64_t ceildiv(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* A dim's text: a number, or the symbol s0. */
static const char *dim_text(int64_t dim, char out[24])
{
    if (dim < 0) return "s0";
    snprintf(out, 24, "%" PRId64, dim);
    return out;
}

void gemm_text(const gemm_case *c, char *out, size_t size)
{
    const char *a = c->a ? c->a : "f32", *y = c->y ? c->y : "f32";
    int64_t width = (int64_t)c->nv * c->lanes, panels = ceildiv(c->n, width);
    char number[24], b_type[96], loop[64], load[32], column[32];
    const char *m = dim_text(c->m, number);
    if (c->panels) {
        snprintf(b_type, sizeof b_type, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 "]", a, panels, c->k, width);
        snprintf(loop, sizeof loop, "m:(%s) q:%" PRId64 " o:%" PRId64, m, panels, width);
        snprintf(load, sizeof load, "b[q,k,o]");
        snprintf(column, sizeof column, "%" PRId64 "*q + o]?0", width);
    } else {
        snprintf(b_type, sizeof b_type, "%s[%" PRId64 ",%" PRId64 "]", a, c->k, c->n);
        snprintf(loop, sizeof loop, "m:(%s) o:%" PRId64, m, c->n);
        snprintf(load, sizeof load, "b[k,o]");
        snprintf(column, sizeof column, "o]");
    }
    snprintf(out, size,
             "program inputs 3 outputs 1 placed scheduled planned\n%s"
             "buf %%a: %s[%s,%" PRId64 "] input 0\nbuf %%b: %s input 1\nbuf %%c: %s[%" PRId64 "] input 2\n"
             "buf %%y: %s[%s,%" PRId64 "] output 0\n"
             "kernel k0(a: %s[%s,%" PRId64 "], b: %s, c: %s[%" PRId64 "], out y: %s[%s,%" PRId64 "]) {\n"
             "  for %s ; k:%" PRId64 "\n"
             "  s:%s = dot(%s(a[m,k]) * %s(%s)) over k\n"
             "  y[m,%s = relu(s + c[%s)\n"
             "  sched tile vec o*%d unroll %d row m mr %d nv %d task(%s) grain %d order(%s) block %d%s fetch a %d fetch b %d\n}\n"
             "run k0(%%a, %%b, %%c, %%y)\n",
             c->m < 0 ? "sym s0 in [0,4096] hint 64 multiple 1 from input 0 axis 0\n" : "", a, m, c->k, b_type, y, c->n, y, m, c->n,
             a, m, c->k, b_type, y, c->n, y, m, c->n, loop, c->k, y, y, y, load, column, column, c->lanes,
             c->unroll ? c->unroll : 1, c->mr, c->nv, c->pack ? "o" : "m", c->grain,
             c->panels ? (c->rows_first ? "m,q,o" : "q,m,o") : "m,o", c->block, c->pack ? " pack" : "", c->fetch_a, c->fetch_b);
}

static int64_t out_extent(const conv_case *c, int64_t in, int64_t kernel)
{
    return (in + c->before + c->after - c->dilation * (kernel - 1) - 1) / c->stride + 1;
}

/* Extent of the outputs' width as text: the symbol when symbolic (then stride 1 and the input is as wide as the output). */
void conv_text(const conv_case *c, char *out, size_t size)
{
    int64_t width = (int64_t)c->nv * c->lanes, panels = ceildiv(c->oc, width), oh = out_extent(c, c->h, c->kh),
            ow = out_extent(c, c->w, c->kw);
    char in_w[24], out_w[24], x[96], p[128], b[48], y[96];
    const char *iw = dim_text(c->symbolic_width ? -1 : c->w, in_w), *rw = dim_text(c->symbolic_width ? -1 : ow, out_w);
    snprintf(x, sizeof x, "f32[%" PRId64 ",%" PRId64 ",%s,%" PRId64 "]", c->n, c->h, iw, c->groups * c->ic);
    snprintf(p, sizeof p, "f32[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]", c->groups, panels, c->kh,
             c->kw, c->ic, width);
    snprintf(b, sizeof b, "f32[%" PRId64 ",%" PRId64 "]", c->groups, c->oc);
    snprintf(y, sizeof y, "f32[%" PRId64 ",%" PRId64 ",%s,%" PRId64 ",%" PRId64 "]", c->n, oh, rw, c->groups, c->oc);
    int n = snprintf(out, size,
                     "program inputs 3 outputs 1 placed scheduled planned\n%s"
                     "buf %%x: %s input 0\nbuf %%p: %s input 1\nbuf %%b: %s input 2\nbuf %%y: %s output 0\n"
                     "kernel k0(x: %s, p: %s, b: %s, out y: %s) {\n"
                     "  for n:%" PRId64 " h:%" PRId64 " w:(%s) g:%" PRId64 " q:%" PRId64 " o:%" PRId64 " ; kh:%" PRId64
                     " kw:%" PRId64 " ic:%" PRId64 "\n",
                     c->symbolic_width ? "sym s0 in [0,4096] hint 64 multiple 1 from input 0 axis 2\n" : "", x, p, b, y, x, p, b, y,
                     c->n, oh, rw, c->groups, panels, width, c->kh, c->kw, c->ic);
    snprintf(out + n, size - (size_t)n,
             "  s = dot(x[n,%" PRId64 "*h + %" PRId64 "*kh + %" PRId64 ",%" PRId64 "*w + %" PRId64 "*kw + %" PRId64 ",%" PRId64
             "*g + ic]?0 * p[g,q,kh,kw,ic,o]) over kh kw ic\n"
             "  y[n,h,w,g,%" PRId64 "*q + o]?0 = relu(s + b[g,%" PRId64 "*q + o]?0)\n"
             "  sched tile vec o*%d unroll %d row w mr %d nv %d k(0,1,1) task(n,h) grain 2 order(%s) block %d fetch a %d fetch b %d\n}\n"
             "run k0(%%x, %%p, %%b, %%y)\n",
             c->stride, c->dilation, -c->before, c->stride, c->dilation, -c->before, c->ic, width, width, c->lanes, c->unroll ? c->unroll : 1,
             c->mr, c->nv, c->rows_first ? "g,n,h,w,q,o" : "g,q,n,h,w,o", c->block, c->fetch_a, c->fetch_b);
}

/* ---- One kernel, compiled ------------------------------------------------------------------------------------------------ */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + 1e-6 * (double)t.tv_nsec;
}

static fx_status fail(fx_context *context, LLVMErrorRef error)
{
    char *text = LLVMGetErrorMessage(error);
    fx_status status = fx__diag(context, FX_E_CODEGEN, NULL, "%s", text);
    LLVMDisposeErrorMessage(text);
    return status;
}

static fx_status emit_object(fx_context *context, fx_frame *f, const fx_target *target, LLVMMemoryBufferRef *out)
{
    LLVMTargetMachineRef machine;
    FX_TRY(fx__session_machine(context, target, &machine));
    LLVMSetVisibility(f->e.fn, LLVMDefaultVisibility); /* the thunk, built last: to be found from here */
    fx_status status = fx__object_emit(context, machine, f->e.module, LLVMObjectFile, "a tile", out);
    LLVMDisposeTargetMachine(machine);
    return status;
}

static fx_status link_object(fx_context *context, const fx_kernel *kernel, LLVMMemoryBufferRef object, kernel_code *out)
{
    LLVMOrcLLJITRef jit;
    LLVMOrcExecutorAddress address = 0;
    char name[40];
    LLVMErrorRef error = LLVMOrcCreateLLJIT(&jit, NULL);
    if (error) return fail(context, error);
    out->jit = jit;
    LLVMOrcDefinitionGeneratorRef process; /* memset, memcpy */
    error = LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL);
    if (error) return fail(context, error);
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), process);
    error = LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), object);
    fx__frame_name(kernel, false, name);
    if (!error) error = LLVMOrcLLJITLookup(jit, &address, name);
    if (error) return fail(context, error);
    out->run = (fx_rt_kernel)(uintptr_t)address;
    return FX_OK;
}

fx_status kernel_compile(fx_context *context, const fx_program *program, int32_t kernel, kernel_code *out)
{
    fx_target target;
    fx_frame frame;
    LLVMMemoryBufferRef object = NULL;
    *out = (kernel_code){0};
    FX_TRY(fx__session_target(context, NULL, NULL, NULL, &target));
    double start = now_ms();
    fx_status status = fx__frame_build(&frame, NULL, program, program->kernel[kernel], &target);
    if (status == FX_OK) status = emit_object(context, &frame, &target, &object);
    out->compile_ms = now_ms() - start;
    fx__frame_close(&frame);
    if (status != FX_OK) return status;
    out->object_bytes = (int64_t)LLVMGetBufferSize(object);
    return link_object(context, program->kernel[kernel], object, out);
}

void kernel_free(kernel_code *code)
{
    if (code->jit) LLVMConsumeError(LLVMOrcDisposeLLJIT(code->jit));
    code->jit = NULL;
}
