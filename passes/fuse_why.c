/* SPDX-License-Identifier: Apache-2.0 */
/* passes/fuse_why.c: what fuse writes down of a pair of neighbours: the two nodes, the verdict, what joining saves or would have
 * saved, its price, and what stood in the way. */
#include "ir/op.h"
#include "passes/fuse.h"
#include <string.h>

/* The node of a step that makes a buffer's value: the one of the buffer's name, else the last. */
static const fx_node *maker_of(const fx_program *program, const fx_step *step, int32_t buf)
{
    const char *name = program->buf[buf].name;
    for (int32_t i = 0; i < step->n_nodes; i++)
        if (name && strcmp(step->nodes[i]->name, name) == 0) return step->nodes[i];
    return step->n_nodes ? step->nodes[step->n_nodes - 1] : NULL;
}

/* Itself or through views. */
static bool reads(const fx_node *node, const fx_node *from)
{
    for (int32_t i = 0; i < node->n_inputs; i++) {
        const fx_node *in = node->inputs[i];
        if (in == from) return true;
        if (in->op && (in->op->view || fx__op_is(in, FX_OP_getitem)) && reads(in, from)) return true;
    }
    return false;
}

static const fx_node *reader_of(const fx_step *step, const fx_node *from)
{
    for (int32_t i = 0; i < step->n_nodes; i++)
        if (reads(step->nodes[i], from)) return step->nodes[i];
    return step->n_nodes ? step->nodes[0] : NULL;
}

fx_status fx__fuse_note(const fx_pair *pair, fx_verdict verdict)
{
    fx_program *program = pair->program;
    const fx_step *to = &program->steps.step[pair->to];
    fx_why why = {.from = maker_of(program, &program->steps.step[pair->from], pair->buf), .verdict = verdict, .cost = pair->cost};
    if (!why.from) return FX_OK;
    why.to = reader_of(to, why.from);
    if (!why.to) return FX_OK;
    why.bytes_saved = fx__buf_bytes_hint(program, pair->buf) * (pair->sole ? 2 : 1);
    why.because = pair->because;
    return fx__program_add_why(program, &why) ? FX_OK : FX_E_OOM;
}
