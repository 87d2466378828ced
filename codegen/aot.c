/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/aot.c: a program as one object: the same kernel modules as the JIT's, linked in kernel order with the entry and the
 * weights, emitted once. Also the text of all modules, and one kernel's code for tests. */
#include "codegen/object.h"
#include "ir/diag.h"
#include <llvm-c/Linker.h>
#include <string.h>

static fx_status copy_out(fx_context *context, LLVMMemoryBufferRef buffer, char **out, size_t *out_bytes)
{
    fx_text text;
    size_t bytes = LLVMGetBufferSize(buffer);
    fx__text_init(&text, context);
    fx__text_put(&text, LLVMGetBufferStart(buffer), bytes);
    *out = fx__text_finish(&text);
    if (out_bytes) *out_bytes = bytes;
    return *out ? FX_OK : FX_E_OOM;
}

/* ---- One object --------------------------------------------------------------------------------------------------------- */

/* A constant of the bytes in one go: element by element it would take minutes. */
static void add_weights(fx_entry_module *m, const void *weights, size_t bytes)
{
    char name[256];
    snprintf(name, sizeof name, "%s_weights", m->symbol);
    LLVMValueRef data = LLVMConstStringInContext2(m->e.context, weights, bytes, 1);
    LLVMValueRef global = LLVMAddGlobal(m->e.module, LLVMTypeOf(data), "weights.data");
    LLVMValueRef declared = LLVMGetNamedGlobal(m->e.module, name);
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetAlignment(global, 64);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    if (declared) {
        LLVMReplaceAllUsesWith(declared, global);
        LLVMDeleteGlobal(declared);
    }
    LLVMSetValueName2(global, name, strlen(name));
}

/* What a caller copies into its state. */
static void add_state(const fx_entry_module *m)
{
    char name[256];
    snprintf(name, sizeof name, "%s_state", m->symbol);
    LLVMValueRef data =
        LLVMConstStringInContext2(m->e.context, m->options->state, (size_t)m->program->state_bytes, 1);
    LLVMValueRef global = LLVMAddGlobal(m->e.module, LLVMTypeOf(data), name);
    LLVMSetInitializer(global, data);
    LLVMSetGlobalConstant(global, 1);
    LLVMSetAlignment(global, 64);
}

/* Links the kernels into the entry's module: always in kernel order, so the object depends on the program alone. */
static fx_status link_kernels(fx_entry_module *m)
{
    for (int32_t i = 0; i < m->program->n_kernel; i++) {
        fx_frame f;
        fx_status status = fx__frame_build(&f, m->e.context, m->program, m->program->kernel[i], m->options->target);
        LLVMModuleRef module = f.e.module;
        if (status == FX_OK) {
            f.e.module = NULL; /* linking takes it */
            LLVMSetDataLayout(module, LLVMGetDataLayoutStr(m->e.module));
            if (LLVMLinkModules2(m->e.module, module))
                status = fx__diag(m->context, FX_E_CODEGEN, NULL, "kernels cannot be linked");
        }
        fx__frame_close(&f);
        FX_TRY(status);
    }
    return FX_OK;
}

static void set_layout(fx_entry_module *m, LLVMTargetMachineRef machine)
{
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(m->e.module, layout);
    LLVMDisposeTargetData(layout);
}

static fx_status emit_object(fx_entry_module *m, LLVMTargetMachineRef machine, const void *weights, size_t weight_bytes, char **out,
                             size_t *out_bytes)
{
    LLVMMemoryBufferRef object = NULL;
    set_layout(m, machine);
    FX_TRY(link_kernels(m));
    if (weights && weight_bytes > 0) add_weights(m, weights, weight_bytes);
    if (m->options->state) add_state(m);
    FX_TRY(fx__object_emit(m->context, machine, m->e.module, LLVMObjectFile, m->symbol, &object));
    fx_status status = copy_out(m->context, object, out, out_bytes);
    LLVMDisposeMemoryBuffer(object);
    return status;
}

fx_status fx__aot_object(const fx_program *program, const fx_codegen_options *options, const void *weights, size_t weight_bytes,
                         char **out_object, size_t *out_bytes)
{
    LLVMTargetMachineRef machine = NULL;
    fx_entry_module m;
    *out_object = NULL;
    FX_TRY(fx__session_start(program->context));
    FX_TRY(fx__session_machine(program->context, options->target, &machine));
    fx_status status = fx__entry_build(&m, NULL, program, options, weights ? FX_ENTRY_WEIGHTS_INSIDE : FX_ENTRY_WEIGHTS_ARGUMENT);
    if (status == FX_OK) status = emit_object(&m, machine, weights, weight_bytes, out_object, out_bytes);
    fx__entry_close(&m);
    LLVMDisposeTargetMachine(machine);
    return status;
}

/* ---- Text --------------------------------------------------------------------------------------------------------------- */

static fx_status put_module(fx_text *text, fx_e *e, LLVMTargetMachineRef machine, bool assembly, const char *what)
{
    if (!assembly) {
        char *ir = LLVMPrintModuleToString(e->module);
        fx__text_append(text, "%s\n", ir);
        LLVMDisposeMessage(ir);
        return FX_OK;
    }
    LLVMMemoryBufferRef lines = NULL;
    FX_TRY(fx__object_emit(text->context, machine, e->module, LLVMAssemblyFile, what, &lines));
    fx__text_put(text, LLVMGetBufferStart(lines), LLVMGetBufferSize(lines));
    fx__text_append(text, "\n");
    LLVMDisposeMemoryBuffer(lines);
    return FX_OK;
}

static fx_status put_kernels(fx_text *text, const fx_program *program, const fx_target *target, LLVMTargetMachineRef machine,
                             bool assembly)
{
    for (int32_t i = 0; i < program->n_kernel; i++) {
        fx_frame f;
        fx_status status = fx__frame_build(&f, NULL, program, program->kernel[i], target);
        if (status == FX_OK) status = put_module(text, &f.e, machine, assembly, "kernel");
        fx__frame_close(&f);
        FX_TRY(status);
    }
    return FX_OK;
}

static fx_status put_entry(fx_text *text, const fx_program *program, const fx_codegen_options *options,
                           LLVMTargetMachineRef machine, bool assembly)
{
    fx_entry_module m;
    fx_status status = fx__entry_build(&m, NULL, program, options, FX_ENTRY_JIT);
    if (status == FX_OK) status = put_module(text, &m.e, machine, assembly, "entry");
    fx__entry_close(&m);
    return status;
}

static fx_status finish_text(fx_text *text, fx_status status, char **out_text)
{
    *out_text = fx__text_finish(text);
    if (status == FX_OK && !*out_text) status = FX_E_OOM;
    if (status == FX_OK) return FX_OK;
    fx_text_free(*out_text);
    *out_text = NULL;
    return status;
}

fx_status fx__codegen_text(const fx_program *program, const fx_codegen_options *options, bool assembly, char **out_text)
{
    LLVMTargetMachineRef machine = NULL;
    fx_text text;
    *out_text = NULL;
    FX_TRY(fx__session_start(program->context));
    FX_TRY(fx__session_machine(program->context, options->target, &machine));
    fx__text_init(&text, program->context);
    fx_status status = put_kernels(&text, program, options->target, machine, assembly);
    if (status == FX_OK) status = put_entry(&text, program, options, machine, assembly);
    LLVMDisposeTargetMachine(machine);
    return finish_text(&text, status, out_text);
}

/* ---- One kernel --------------------------------------------------------------------------------------------------------- */

static fx_status put_form(fx_text *text, fx_e *e, LLVMTargetMachineRef machine, fx_code_form form)
{
    if (form != FX_CODE_OBJECT) return put_module(text, e, machine, form == FX_CODE_ASM, "module");
    LLVMMemoryBufferRef object = NULL;
    FX_TRY(fx__object_emit(text->context, machine, e->module, LLVMObjectFile, "module", &object));
    fx__text_put(text, LLVMGetBufferStart(object), LLVMGetBufferSize(object));
    LLVMDisposeMemoryBuffer(object);
    return FX_OK;
}

static fx_status put_index(fx_text *text, const fx_program *program, const fx_codegen_options *options, LLVMTargetMachineRef machine,
                           int32_t index, fx_code_form form)
{
    if (index < program->n_kernel) {
        fx_frame f;
        fx_status status = fx__frame_build(&f, NULL, program, program->kernel[index], options->target);
        if (status == FX_OK) status = put_form(text, &f.e, machine, form);
        fx__frame_close(&f);
        return status;
    }
    fx_entry_module m;
    fx_status status = fx__entry_build(&m, NULL, program, options, FX_ENTRY_JIT);
    if (status == FX_OK) status = put_form(text, &m.e, machine, form);
    fx__entry_close(&m);
    return status;
}

fx_status fx__codegen_module(const fx_program *program, const fx_codegen_options *options, int32_t index, fx_code_form form, char **out,
                             size_t *out_bytes)
{
    LLVMTargetMachineRef machine = NULL;
    fx_text text;
    *out = NULL;
    FX_TRY(fx__session_start(program->context));
    FX_TRY(fx__session_machine(program->context, options->target, &machine));
    fx__text_init(&text, program->context);
    fx_status status = put_index(&text, program, options, machine, index, form);
    *out_bytes = text.bytes;
    LLVMDisposeTargetMachine(machine);
    return finish_text(&text, status, out);
}

static fx_status copy_section(fx_context *context, const fx_kernel *kernel, LLVMMemoryBufferRef object, char **out,
                              size_t *out_bytes)
{
    char name[40], section[48];
    const char *code;
    fx_text text;
    fx__frame_name(kernel, false, name);
    snprintf(section, sizeof section, ".text.%s", name);
    if (!fx__object_section(LLVMGetBufferStart(object), LLVMGetBufferSize(object), section, &code, out_bytes)) {
        return fx__diag(context, FX_E_INTERNAL, NULL, "the object has no section %s", section);
    }
    fx__text_init(&text, context);
    fx__text_put(&text, code, *out_bytes);
    *out = fx__text_finish(&text);
    return *out ? FX_OK : FX_E_OOM;
}

fx_status fx__codegen_kernel_section(const fx_program *program, const fx_codegen_options *options, int32_t kernel, char **out,
                                     size_t *out_bytes)
{
    LLVMTargetMachineRef machine = NULL;
    LLVMMemoryBufferRef object = NULL;
    *out = NULL;
    FX_TRY(fx__session_start(program->context));
    FX_TRY(fx__session_machine(program->context, options->target, &machine));
    fx_status status = fx__object_kernel(program, program->kernel[kernel], options->target, machine, LLVMObjectFile, &object);
    if (status == FX_OK) status = copy_section(program->context, program->kernel[kernel], object, out, out_bytes);
    if (object) LLVMDisposeMemoryBuffer(object);
    LLVMDisposeTargetMachine(machine);
    return status;
}
