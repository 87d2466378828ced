/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/core.c: fx_module_core, the first step of compiling as a result of its own: for the interpreter, and for people who want
 * to see what a graph of modules and methods means. */
#include "frontend/compiled.h"

fx_status fx_module_core(fx_module *module, const fx_tensor *example_inputs, int32_t n_inputs, fx_module **out)
{
    *out = NULL;
    fx_compiled *it;
    FX_TRY(fx__compile_prepare(module, example_inputs, n_inputs, NULL, &it));
    fx_status status = fx__pipeline_core(it->module->graph, NULL);
    if (status == FX_OK) {
        *out = it->module;
        it->module = NULL;
    }
    fx_compiled_free(it);
    return status;
}
