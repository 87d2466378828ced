/* SPDX-License-Identifier: Apache-2.0 */
/* ir/interp_value.c: values of a run and the memory they lie in: whose it is, when it goes, and what happens to memory of others
 * that a run changes: it is written at once, so that everybody who shares it sees that, and put back when the run fails. */
#include "ir/in_place.h"
#include "ir/interp_state.h"
#include <stdlib.h>

typedef fx_interp_value value;
typedef fx_interp_block block;

/* ---- Blocks ----------------------------------------------------------------------------------------------------------------- */

static block *new_block(const fx_interp *it, const fx_tensor *whole, bool owned)
{
    block *b = FX_NEW(it->shared->arena, block);
    if (!b) return NULL;
    b->whole = *whole;
    b->owned = owned;
    return b;
}

static void leave(block *b)
{
    if (!b || --b->refs > 0) return;
    if (b->owned) free(b->whole.data);
    free(b->error.data);
    free(b->before.data);
    *b = (block){.refs = 0};
}

static fx_status need_error(block *b)
{
    return b->error.data ? FX_OK : fx_tensor_alloc(FX_F64, b->whole.rank, b->whole.dim, &b->error);
}

/* ---- Values ----------------------------------------------------------------------------------------------------------------- */

fx_status fx__interp_value_new(const fx_interp *it, value *v, int32_t n)
{
    fx__interp_value_free(v);
    v->tensor = FX_NEW_ARRAY(it->shared->arena, fx_tensor, n + 1);
    v->block = FX_NEW_ARRAY(it->shared->arena, block *, n + 1);
    if (!v->tensor || !v->block) return FX_E_OOM;
    v->n = n;
    return FX_OK;
}

void fx__interp_value_free(value *v)
{
    for (int32_t r = 0; r < v->n; r++) leave(v->block[r]);
    v->n = 0;
    v->tuple = false;
    v->error = NULL;
}

void fx__interp_value_lie_in(value *v, int32_t r, block *b)
{
    b->refs++;
    v->block[r] = b;
}

static fx_status in_new_block(const fx_interp *it, value *v, int32_t r, const fx_tensor *tensor, bool owned)
{
    block *b = new_block(it, tensor, owned);
    if (!b) return FX_E_OOM;
    v->tensor[r] = *tensor;
    fx__interp_value_lie_in(v, r, b);
    return FX_OK;
}

fx_status fx__interp_value_own(const fx_interp *it, value *v, int32_t r, const fx_tensor *tensor)
{
    return in_new_block(it, v, r, tensor, true);
}

fx_status fx__interp_value_lend(const fx_interp *it, value *v, int32_t r, const fx_tensor *tensor)
{
    return in_new_block(it, v, r, tensor, false);
}

fx_status fx__interp_add_errors(const fx_interp *it, value *v)
{
    v->error = FX_NEW_ARRAY(it->shared->arena, fx_tensor, v->n + 1);
    if (!v->error) return FX_E_OOM;
    for (int32_t r = 0; r < v->n; r++) {
        FX_TRY(need_error(v->block[r]));
        v->error[r] = v->block[r]->error;
    }
    return FX_OK;
}

/* One of a value's tensors once more. */
fx_status fx__interp_value_same(const fx_interp *it, value *v, const value *from, int32_t r)
{
    FX_TRY(fx__interp_value_new(it, v, 1));
    v->tensor[0] = from->tensor[r];
    fx__interp_value_lie_in(v, 0, from->block[r]);
    if (!from->error) return FX_OK;
    v->error = FX_NEW(it->shared->arena, fx_tensor);
    if (!v->error) return FX_E_OOM;
    v->error[0] = from->error[r];
    return FX_OK;
}

bool fx__interp_overlaps(const fx_tensor *tensor)
{
    for (int32_t d = 0; d < tensor->rank; d++)
        if (tensor->dim[d] > 1 && tensor->stride[d] == 0) return true;
    return false;
}

/* ---- Tensors of the caller and of the module --------------------------------------------------------------------------------- */

fx_status fx__interp_take_input(const fx_interp *it, value *v, const fx_tensor *input)
{
    FX_TRY(fx__interp_value_new(it, v, 1));
    if (!it->mutates || fx_tensor_is_contiguous(input)) {
        FX_TRY(fx__interp_value_lend(it, v, 0, input));
    } else {
        fx_tensor copy;
        FX_TRY(fx_tensor_alloc(input->dtype, input->rank, input->dim, &copy));
        fx_status status = fx__interp_value_own(it, v, 0, &copy);
        if (status != FX_OK) {
            fx_tensor_release(&copy);
            return status;
        }
        v->block[0]->input = *input;
        FX_TRY(fx_tensor_copy(&copy, input));
    }
    return it->all_errors ? fx__interp_add_errors(it, v) : FX_OK;
}

static fx_tensor *own_tensor(const fx_interp *it, const char *path)
{
    fx_tensor *own = it->memory ? it->memory->find(it->memory->user, path) : NULL;
    return own || !it->module ? own : fx__module_own_tensor(it->module, path);
}

/* Changes of a core graph go where the write-back says; another's may be written, which needs memory in order. */
static const fx_tensor *find_tensor(const fx_interp *it, const fx_node *node)
{
    if (it->source->core && fx__is_written_back(node)) return own_tensor(it, node->target);
    const fx_tensor *tensor = it->module ? fx_module_tensor(it->module, node->target) : NULL;
    bool in_order = tensor && tensor->data && fx_tensor_is_contiguous(tensor);
    return tensor && it->mutates && !in_order ? own_tensor(it, node->target) : tensor;
}

/* Tied tensors, and a tensor that several nodes name, lie in one block as long as somebody uses it. */
static block *known_block(const fx_interp *it, const fx_tensor *tensor)
{
    block *b = fx__map_get(&it->shared->tensors, tensor->data);
    if (!b || b->refs == 0 || b->whole.rank != tensor->rank || b->whole.dtype != tensor->dtype) return NULL;
    for (int32_t d = 0; d < tensor->rank; d++)
        if (b->whole.dim[d] != tensor->dim[d]) return NULL;
    return b;
}

fx_status fx__interp_take_tensor(fx_interp *it, const fx_node *node, value *v)
{
    const fx_tensor *tensor = find_tensor(it, node);
    if (!tensor) return fx__diag_node(node, FX_E_NOT_FOUND, "there is no tensor %s", node->target);
    if (!tensor->data && fx_tensor_elems(tensor) > 0) return fx__diag_no_data(node);
    FX_TRY(fx__interp_value_new(it, v, 1));
    block *known = it->mutates ? known_block(it, tensor) : NULL;
    v->tensor[0] = *tensor;
    if (known)
        fx__interp_value_lie_in(v, 0, known);
    else
        FX_TRY(fx__interp_value_lend(it, v, 0, tensor));
    if (it->mutates && !known) {
        v->block[0]->module = it->module;
        v->block[0]->path = node->target;
        if (tensor->data && !fx__map_put(&it->shared->tensors, tensor->data, v->block[0])) return FX_E_OOM;
    }
    return it->all_errors ? fx__interp_add_errors(it, v) : FX_OK;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------------------- */

static void *moved(const void *data, const fx_tensor *from, const fx_tensor *to)
{
    return (char *)to->data + ((const char *)data - (const char *)from->data);
}

/* Values that lie in the block go along. */
static void move_values(const fx_interp *it, const block *b, const fx_tensor *to)
{
    for (; it; it = it->outer) FX_EACH_NODE(node, it->graph)
        {
            value *v = fx__interp_value_of(it, node);
            for (int32_t r = 0; r < v->n; r++)
                if (v->block[r] == b) v->tensor[r].data = moved(v->tensor[r].data, &b->whole, to);
        }
}

/* What a module was given is not changed: it gets a copy, once. */
static fx_status make_own(fx_interp *it, block *b)
{
    const fx_tensor *own = fx__module_own_tensor(b->module, b->path);
    if (!own) return FX_E_OOM;
    if (own->data != b->whole.data) move_values(it, b, own);
    b->whole.data = own->data;
    return fx__map_put(&it->shared->tensors, own->data, b) ? FX_OK : FX_E_OOM;
}

static fx_status save(block *b)
{
    FX_TRY(fx_tensor_alloc(b->whole.dtype, b->whole.rank, b->whole.dim, &b->before));
    return fx_tensor_copy(&b->before, &b->whole);
}

fx_status fx__interp_open_write(fx_interp *it, const fx_node *node, value *v)
{
    block *b = v->block[0];
    if (fx__interp_overlaps(&v->tensor[0]) || fx__interp_overlaps(&b->input))
        return fx__diag_node(node, FX_E_ALIAS, "%s", FX_OVERLAP_TEXT);
    if (b->written || (b->owned && !b->input.data)) return FX_OK;
    if (b->path) FX_TRY(make_own(it, b));
    if (!b->owned) FX_TRY(save(b));
    b->written = true;
    b->refs++;
    b->next = it->shared->waiting;
    it->shared->waiting = b;
    return FX_OK;
}

void fx__interp_settle_writes(fx_interp_shared *shared, bool good)
{
    for (block *b = shared->waiting, *next; b; b = next) {
        next = b->next;
        if (good && b->input.data) fx_tensor_copy(&b->input, &b->whole);
        if (!good && b->before.data) fx_tensor_copy(&b->whole, &b->before);
        leave(b);
    }
    shared->waiting = NULL;
}
