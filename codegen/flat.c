/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/flat.c: FLAT, MAP stages over outer axes only: the nest of sched.order with the last axis in vectors, `unroll` at a
 * time and masked at the end. Without a vector axis the same nest in scalars. */
#include "codegen/point.h"

static void vector_body(fx_kpoint *p, void *user, LLVMValueRef *carry)
{
    (void)user;
    (void)carry;
    fx__point_stages(p);
}

/* The innermost axis's loop runs at least once where its range cannot be empty: as a task axis its chunk has elements. */
static bool surely_runs(const fx_frame *f, uint8_t axis)
{
    int64_t lo, hi;
    fx__dim_range(f->program->dims, f->kernel->axis[axis].extent, &lo, &hi);
    return lo >= 1;
}

static void hoist_all(fx_kpoint *p, uint8_t axis)
{
    for (int s = 0; s < p->f->kernel->n_stage; s++) fx__value_hoist(p, s, UINT32_C(1) << axis);
}

fx_status fx__emit_flat(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    fx_kpoint p;
    fx_nest nest;
    bool vector = sched->vec != FX_NO_AXIS && f->n_order > 0 && f->order[f->n_order - 1] == sched->vec;
    FX_TRY(fx__point_open(&p, f));
    fx__frame_nest_begin(f, &nest, vector ? f->n_order - 1 : f->n_order);
    if (vector) {
        if (surely_runs(f, sched->vec)) hoist_all(&p, sched->vec);
        p.lanes = sched->lanes;
        fx__point_vec_loop(&p, sched->vec, sched->unroll, NULL, 0, vector_body, NULL);
    } else {
        fx__point_stages(&p);
    }
    fx__frame_nest_end(f, &nest);
    return f->status;
}
