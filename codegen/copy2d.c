/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/copy2d.c: COPY2D, MAPs whose stores walk one axis and whose loads walk another. */
#include "codegen/point.h"

fx_status fx__emit_copy2d(fx_frame *f)
{
    return fx__emit_flat(f);
}
