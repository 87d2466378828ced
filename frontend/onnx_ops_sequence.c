/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_sequence.c: sequences that a file makes and takes apart again: lists of values while importing, of which nothing is left
 * in the graph. Positions must be known; a sequence can be neither input nor output. */
#include "frontend/onnx_ops.h"
#include "ir/op.h"
#include <string.h>

static fx_onnx_slot sequence_of(fx_onnx_call *call, int32_t n)
{
    fx_onnx_slot *items = FX_NEW_ARRAY(call->import->arena, fx_onnx_slot, n + 1);
    if (!items) fx__onnx_error(call, FX_E_OOM, "out of memory");
    return (fx_onnx_slot){.name = "", .producer = -1, .is_sequence = items != NULL, .items = items, .n_items = n};
}

static bool read_sequence(fx_onnx_call *call, fx_onnx_slot *out)
{
    *out = fx__onnx_input_value(call, 0);
    if (!out->is_sequence && !call->failed) fx__onnx_error(call, FX_E_TYPE, "its input is no sequence");
    return out->is_sequence;
}

/* A known position below `end`, counted from item n when negative; without the input: `fallback`. */
static bool read_position(fx_onnx_call *call, int32_t index, int32_t n, int32_t end, int32_t fallback, int32_t *out)
{
    *out = fallback;
    if (!fx__onnx_has(call, index)) return fallback >= 0 && fallback < end;
    const fx_onnx_known *known = fx__onnx_need_known(call, index, "position");
    if (!known) return false;
    int64_t at = known->n == 1 ? known->item[0] : end;
    if (!fx_dim_is_const(at) || at < -n || at >= end) {
        fx__onnx_error(call, FX_E_INDEX, "its position is outside of %d", (int)n);
        return false;
    }
    *out = (int32_t)(at < 0 ? at + n : at);
    return true;
}

static void build_construct(fx_onnx_call *call)
{
    fx_onnx_slot list = sequence_of(call, fx__onnx_inputs(call));
    for (int32_t i = 0; list.is_sequence && i < list.n_items; i++) list.items[i] = fx__onnx_input_value(call, i);
    fx__onnx_give_value(call, 0, &list);
}

static void build_empty(fx_onnx_call *call)
{
    fx_onnx_slot list = sequence_of(call, 0);
    fx__onnx_give_value(call, 0, &list);
}

static void build_length(fx_onnx_call *call)
{
    fx_onnx_slot list;
    fx_tensor count;
    if (!read_sequence(call, &list) || !fx__onnx_new_tensor(call, FX_I64, 0, NULL, &count)) return;
    *(int64_t *)count.data = list.n_items;
    fx__onnx_give_tensor(call, 0, &count);
}

static void build_at(fx_onnx_call *call)
{
    fx_onnx_slot list;
    int32_t at;
    if (read_sequence(call, &list) && read_position(call, 1, list.n_items, list.n_items, -1, &at))
        fx__onnx_give_value(call, 0, &list.items[at]);
}

/* Without a position at the end, which is one behind the last. */
static void build_insert(fx_onnx_call *call)
{
    fx_onnx_slot list, longer, value = fx__onnx_input_value(call, 1);
    int32_t at;
    if (!read_sequence(call, &list) || !read_position(call, 2, list.n_items, list.n_items + 1, list.n_items, &at)) return;
    longer = sequence_of(call, list.n_items + 1);
    for (int32_t i = 0; longer.is_sequence && i < longer.n_items; i++)
        longer.items[i] = i == at ? value : list.items[i < at ? i : i - 1];
    fx__onnx_give_value(call, 0, &longer);
}

static void build_erase(fx_onnx_call *call)
{
    fx_onnx_slot list, shorter;
    int32_t at;
    if (!read_sequence(call, &list)) return;
    if (!read_position(call, 1, list.n_items, list.n_items, list.n_items - 1, &at)) {
        if (!call->failed) fx__onnx_error(call, FX_E_INDEX, "the sequence is empty");
        return;
    }
    shorter = sequence_of(call, list.n_items - 1);
    for (int32_t i = 0; shorter.is_sequence && i < shorter.n_items; i++) shorter.items[i] = list.items[i < at ? i : i + 1];
    fx__onnx_give_value(call, 0, &shorter);
}

/* Sizes of the pieces: a list, one size for all (the last may be smaller), or 1. -1 after an error. */
static int32_t piece_sizes(fx_onnx_call *call, int64_t size, int64_t *out)
{
    const fx_onnx_known *split = fx__onnx_has(call, 1) ? fx__onnx_need_known(call, 1, "split") : NULL;
    int64_t step = split && split->n == 1 ? split->item[0] : 1;
    if (call->failed) return -1;
    if (split && split->rank == 1) {
        memcpy(out, split->item, (size_t)split->n * sizeof *out);
        return split->n;
    }
    if (!fx_dim_is_const(step) || step < 1 || (size + step - 1) / step > FX_ONNX_KNOWN) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "too many pieces, or of no constant size");
        return -1;
    }
    int32_t n = (int32_t)((size + step - 1) / step);
    for (int32_t i = 0; i < n; i++) out[i] = i + 1 < n ? step : size - i * step;
    return n;
}

static void build_split(fx_onnx_call *call)
{
    fx_attr x = fx__onnx_in(call, 0);
    const fx_type *type = fx__onnx_need_type(call, x);
    int64_t sizes[FX_ONNX_KNOWN], at = 0;
    if (!type) return;
    int32_t axis = fx__onnx_axis(call, fx__onnx_int(call, "axis", 0), type->rank);
    if (!fx_dim_is_const(type->dim[axis])) fx__onnx_error(call, FX_E_UNSUPPORTED, "its axis has no constant size");
    int32_t n = call->failed ? -1 : piece_sizes(call, type->dim[axis], sizes);
    if (n < 0) return;
    fx_onnx_slot list = sequence_of(call, n);
    bool drops = !fx__onnx_has(call, 1) && !fx__onnx_int(call, "keepdims", 1);
    for (int32_t i = 0; list.is_sequence && i < n; at += sizes[i++]) {
        fx_attr piece = drops ? FX_EMIT(call, "aten.select.int", x, fx_int(axis), fx_int(at))
                              : FX_EMIT(call, "aten.slice.Tensor", x, fx_int(axis), fx_int(at), fx_int(at + sizes[i]), fx_int(1));
        list.items[i] = (fx_onnx_slot){.name = "", .producer = -1, .node = piece.kind == FX_ATTR_NODE ? piece.u.node : NULL};
    }
    fx__onnx_give_value(call, 0, &list);
}

static void build_concat(fx_onnx_call *call)
{
    fx_onnx_slot list;
    if (!read_sequence(call, &list)) return;
    fx_attr *parts = FX_NEW_ARRAY(call->import->arena, fx_attr, list.n_items + 1);
    if (!parts) return;
    for (int32_t i = 0; i < list.n_items; i++) parts[i] = fx__onnx_slot_node(call, &list.items[i]);
    fx_attr values = fx_list(call->import->graph, parts, list.n_items), axis = fx_int(fx__onnx_int(call, "axis", 0));
    FX_GIVE(call, fx__onnx_int(call, "new_axis", 0) ? "aten.stack.default" : "aten.cat.default", values, axis);
}

const fx_onnx_op fx__onnx_ops_sequence[] = {
    {"ConcatFromSequence", 11, 1, 1, 1, build_concat},
    {"SequenceAt", 11, 2, 2, 1, build_at},
    {"SequenceConstruct", 11, 1, FX_ONNX_ANY, 1, build_construct},
    {"SequenceEmpty", 11, 0, 0, 1, build_empty},
    {"SequenceErase", 11, 1, 2, 1, build_erase},
    {"SequenceInsert", 11, 2, 3, 1, build_insert},
    {"SequenceLength", 11, 1, 1, 1, build_length},
    {"SplitToSequence", 11, 1, 2, 1, build_split},
    {0},
};
