/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    removes arithmetic, casts and views that change nothing, and makes chains of views one view. Every value stays what it
 *          was, bit for bit; NaN, infinities and -0.0 too.
 * Needs:   a core graph with types.
 * Ensures: no such call is left; types stay as they are.
 * Cost:    rules times nodes, in rounds until nothing changes. */
#include "passes/rule.h"

enum { ROUNDS = 16 };

fx_status fx__pass_simplify(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = false;
    bool changed = true;
    for (int round = 0; round < ROUNDS && changed; round++) {
        changed = false;
        FX_TRY(fx__rewrite_casts(graph, &changed));
        FX_TRY(fx__rewrite_algebra(graph, &changed));
        FX_TRY(fx__rewrite_views(graph, &changed));
        *out_modified |= changed;
    }
    return FX_OK;
}
