/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/session.c: starts LLVM once per process: targets, the one global option we need, the fatal-error handler. All state
 * that is global to the process is here, and it is LLVM's own. */
#include "codegen/names.h"
#include "codegen/session.h"
#include "ir/diag.h"
#include <llvm-c/Core.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* LLVM aborts after this returns; instructions are gated by the target description so that it is never reached. */
static void say_fatal(const char *reason)
{
    fprintf(stderr, "fxjit: LLVM: %s\n", reason);
}

static void start_once(void)
{
    /* Loop strength reduction rewrites our addressing into forms that cost up to 10 % of a convolution's speed. */
    const char *const words[] = {"fxjit", "-disable-lsr"};
    LLVMParseCommandLineOptions(2, words, NULL);
    LLVMInstallFatalErrorHandler(say_fatal);
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

fx_status fx__session_start(fx_context *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (pthread_once(&once, start_once) != 0) return fx__diag(context, FX_E_INTERNAL, NULL, "LLVM could not be started");
    return FX_OK;
}

static const char *keep(fx_context *context, char *llvm_text)
{
    const char *text = fx__intern(context, llvm_text);
    LLVMDisposeMessage(llvm_text);
    return text;
}

static bool is_native(const char *triple)
{
    char *host = LLVMGetDefaultTargetTriple();
    bool same = strncmp(host, triple, strcspn(host, "-") + 1) == 0;
    LLVMDisposeMessage(host);
    return same;
}

/* Names of older CPUs lack what our triples mean. */
static const char *with_baseline(fx_context *context, const char *triple, const char *features)
{
    if (strncmp(triple, "x86_64", 6) != 0) return fx__intern(context, features);
    size_t bytes = strlen(features) + sizeof ",+64bit,+sse2";
    char *text = malloc(bytes);
    if (!text) return NULL;
    snprintf(text, bytes, "%s%s+64bit,+sse2", features, *features ? "," : "");
    const char *kept = fx__intern(context, text);
    free(text);
    return kept;
}

fx_status fx__session_target(fx_context *context, const char *triple, const char *cpu, const char *features, fx_target *out)
{
    FX_TRY(fx__session_start(context));
    const char *use_triple = triple ? fx__intern(context, triple) : keep(context, LLVMGetDefaultTargetTriple());
    if (!use_triple) return FX_E_OOM;
    bool host_cpu = !cpu && is_native(use_triple);
    const char *use_cpu = cpu        ? fx__intern(context, cpu)
                          : host_cpu ? keep(context, LLVMGetHostCPUName())
                                     : fx__intern(context, "generic");
    const char *use_features = host_cpu && !features ? keep(context, LLVMGetHostCPUFeatures())
                                                     : with_baseline(context, use_triple, features ? features : "");
    if (!use_cpu || !use_features) return FX_E_OOM;
    FX_TRY(fx__target_describe(context, use_triple, use_cpu, use_features, out));
    return fx__names_check(context, use_triple, cpu, features);
}

fx_status fx__session_machine(fx_context *context, const fx_target *target, LLVMTargetMachineRef *out)
{
    LLVMTargetRef found;
    char *problem = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &found, &problem)) {
        fx_status status = fx__diag(context, FX_E_CODEGEN, NULL, "target \"%s\": %s", target->triple, problem);
        LLVMDisposeMessage(problem);
        return status;
    }
    *out = LLVMCreateTargetMachine(found, target->triple, target->cpu, target->features, LLVMCodeGenLevelDefault, LLVMRelocPIC,
                                   LLVMCodeModelDefault);
    return *out ? FX_OK : fx__diag(context, FX_E_CODEGEN, NULL, "target \"%s\": no target machine", target->triple);
}
