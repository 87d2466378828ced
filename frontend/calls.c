/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/calls.c: CALL steps of compiled graphs: nodes without a compiled form run their reference kernel on views of the
 * program's buffers, on the calling thread. Nothing here touches the context: many threads may run one compiled graph. */
#include "frontend/compiled.h"
#include "ir/interp.h"
#include <stdlib.h>
#include <string.h>

/* first: where the view's buffer begins. */
static fx_tensor tensor_of(const fx_rt_call *call, const fx_program *program, const fx_kview *view, void *first)
{
    fx_tensor tensor = {.dtype = view->type.dtype, .rank = view->type.rank};
    for (int32_t d = 0; d < tensor.rank; d++) {
        tensor.dim[d] = fx__dim_eval(program->dims, view->type.dim[d], call->dim);
        tensor.stride[d] = fx__dim_eval(program->dims, view->stride[d], call->dim);
    }
    int64_t elements = fx__dim_eval(program->dims, view->base, call->dim);
    tensor.data = (char *)first + elements * (int64_t)fx_dtype_bytes(tensor.dtype);
    return tensor;
}

int32_t fx__calls_step(fx_rt_call *call, int32_t index, void *const *view)
{
    const fx_compiled *it = call->user;
    const fx_step *step = it->call[index];
    fx_tensor *tensors = calloc((size_t)step->n_view + 1, sizeof *tensors);
    if (!tensors) return FX_E_OOM;
    for (int32_t i = 0; i < step->n_view; i++) tensors[i] = tensor_of(call, it->program, &step->view[i], view[i]);
    fx_status status = fx__interp_kernel(step->node, it->program->dims, tensors, call->dim, tensors + step->n_view_in);
    free(tensors);
    return (int32_t)status;
}

static int32_t count_steps(const fx_block *block, fx_step_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        n += step->kind == kind;
        n += count_steps(&step->body[0], kind) + count_steps(&step->body[1], kind);
    }
    return n;
}

static fx_status list_steps(fx_compiled *it, const fx_block *block)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        if (step->kind == FX_STEP_ASSERT) it->assertion[it->n_assertion++] = step;
        if (step->kind == FX_STEP_CALL) {
            it->call[it->n_call++] = step;
            const char *line =
                fx__arena_format(it->program->arena, "%s (%s): %s", step->node->name, fx_op_name(step->op), step->why_call);
            if (!line) return FX_E_OOM;
            it->fallback[it->n_fallback++] = line;
        }
        FX_TRY(list_steps(it, &step->body[0]));
        FX_TRY(list_steps(it, &step->body[1]));
    }
    return FX_OK;
}

fx_status fx__calls_collect(fx_compiled *it)
{
    int32_t n = count_steps(&it->program->steps, FX_STEP_CALL);
    int32_t n_assertion = count_steps(&it->program->steps, FX_STEP_ASSERT);
    it->call = FX_NEW_ARRAY(it->program->arena, const fx_step *, n + 1);
    it->fallback = FX_NEW_ARRAY(it->program->arena, const char *, n + 1);
    it->assertion = FX_NEW_ARRAY(it->program->arena, const fx_step *, n_assertion + 1);
    if (!it->call || !it->fallback || !it->assertion) return FX_E_OOM;
    return list_steps(it, &it->program->steps);
}
