/* SPDX-License-Identifier: Apache-2.0 */
/* Does:    removes nodes without users, except inputs, outputs and nodes with effects.
 * Needs:   a linted graph.
 * Ensures: every remaining node is used or has an effect.
 * Cost:    linear. */
#include "passes/pass.h"

fx_status fx__pass_dce(fx_graph *graph, void *user, bool *out_modified)
{
    (void)user;
    *out_modified = fx_graph_eliminate_dead_code(graph) > 0;
    return FX_OK;
}
