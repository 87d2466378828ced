/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/row.c: ROW, kernels whose vector axis is inner or reduced: for every outer point its sweeps (point.c). With one lane,
 * or without a schedule, it is the general form of any kernel. */
#include "codegen/point.h"

fx_status fx__emit_row(fx_frame *f)
{
    const fx_sched *sched = &f->kernel->sched;
    fx_kpoint p;
    fx_nest nest;
    FX_TRY(fx__point_open(&p, f));
    bool vector = sched->emit == FX_EMIT_ROW && sched->vec != FX_NO_AXIS && sched->vec >= f->kernel->n_outer;
    if (vector) p.sweep = sched->vec;
    fx__frame_nest_begin(f, &nest, f->n_order);
    fx__point_stages(&p);
    fx__frame_nest_end(f, &nest);
    return f->status;
}
