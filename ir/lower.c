/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower.c: the values of a graph while it is lowered, and the homes in which they live. A view makes no kernel: its value is the
 * same buffer behind another index. */
#include "ir/lower_state.h"
#include <string.h>

fx_dims *fx__lower_dims(fx_lower *lower)
{
    return lower->program->dims;
}
fx_arena *fx__lower_arena(fx_lower *lower)
{
    return lower->program->arena;
}

fx_status fx__lower_decline(fx_lower *lower, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    lower->declined = fx__arena_format(lower->program->arena, "%s", reason);
    return lower->declined ? FX_E_UNSUPPORTED : FX_E_OOM;
}

/* ---- Values --------------------------------------------------------------------------------------------------------------------
 */

fx_lvalue fx__lower_add_value(fx_lower *lower, const fx_home *home)
{
    fx_home *items = fx__arena_grow(lower->program->arena, lower->value, &lower->cap_value, lower->n_value, sizeof *items);
    if (!items) return FX_NO_LVALUE;
    lower->value = items;
    items[lower->n_value] = *home;
    return lower->n_value++;
}

fx_lvalue fx__lower_add_buf(fx_lower *lower, const char *name, const fx_type *type, const int8_t *order)
{
    fx_buf buf = {.name = name, .dtype = type->dtype, .rank = (uint8_t)type->rank, .index = -1, .parent = -1};
    fx_home home = {.type = *type};
    buf.role = lower->constant ? FX_BUF_CONST : FX_BUF_TEMP;
    for (int d = 0; d < type->rank; d++) {
        int8_t axis = order ? order[d] : (int8_t)d;
        buf.dim[d] = type->dim[axis];
        home.at[d] = fx__index_axis((uint8_t)axis);
    }
    home.buf = fx__program_add_buf(lower->program, &buf);
    return home.buf < 0 ? FX_NO_LVALUE : fx__lower_add_value(lower, &home);
}

static fx_lvalue value_of(const fx_lower *lower, const fx_attr *attr)
{
    if (attr->kind != FX_ATTR_NODE) return FX_NO_LVALUE;
    return (fx_lvalue)(intptr_t)fx__map_get(&lower->first, attr->u.node) - 1;
}

fx_lvalue fx__lower_arg(fx_lower *lower, const fx_call *call, int32_t index)
{
    return value_of(lower, &call->arg[index]);
}

fx_lvalue fx__lower_list_arg(fx_lower *lower, const fx_call *call, int32_t index, int32_t i)
{
    return i < fx__call_list_count(call, index) ? value_of(lower, &call->arg[index].u.items[i]) : FX_NO_LVALUE;
}

fx_lvalue fx__lower_result(fx_lower *lower, const fx_call *call, int32_t result)
{
    fx_lvalue first = (fx_lvalue)(intptr_t)fx__map_get(&lower->first, call->node) - 1;
    return first < 0 || result >= call->n_results ? FX_NO_LVALUE : first + result;
}

fx_lvalue fx__lower_temp(fx_lower *lower, const char *name, const fx_type *type)
{
    return fx__lower_add_buf(lower, fx__intern(lower->context, name), type, NULL);
}

fx_lvalue fx__lower_table(fx_lower *lower, const char *name, const fx_type *type, const void *data)
{
    size_t bytes = fx_dtype_bytes(type->dtype);
    for (int d = 0; d < type->rank; d++) bytes *= (size_t)type->dim[d];
    bool was_constant = lower->constant;
    lower->constant = true;
    fx_lvalue value = fx__lower_temp(lower, name, type);
    lower->constant = was_constant;
    void *copy = fx__arena_alloc(lower->program->arena, bytes + 1, 1);
    if (value < 0 || !copy) return FX_NO_LVALUE;
    if (bytes) memcpy(copy, data, bytes);
    lower->program->buf[lower->value[value].buf].data = copy;
    return value;
}

/* ---- Homes ---------------------------------------------------------------------------------------------------------------------
 */

bool fx__home_is_whole(const fx_lower *lower, const fx_home *home)
{
    const fx_buf *buf = &lower->program->buf[home->buf];
    if (buf->rank != home->type.rank || buf->dtype != home->type.dtype) return false;
    for (int d = 0; d < buf->rank; d++) {
        fx_index axis = fx__index_axis((uint8_t)d);
        if (!fx__index_equal(&home->at[d], &axis) || buf->dim[d] != home->type.dim[d]) return false;
    }
    return true;
}

bool fx__home_compose(fx_lower *lower, const fx_home *in, const fx_view *view, fx_home *out)
{
    fx_home home = {.type = *view->out, .buf = in->buf};
    int rank = lower->program->buf[in->buf].rank;
    for (int d = 0; d < rank; d++)
        if (!fx__index_substitute(lower->program->dims, &in->at[d], view->at, in->type.rank, view->out->dim, &home.at[d]))
            return false;
    *out = home;
    return true;
}

bool fx__home_strides(const fx_lower *lower, const fx_home *home, fx_dim *out_base, fx_dim out_stride[FX_RANK])
{
    fx_dims *dims = lower->program->dims;
    fx_dim stride[FX_RANK];
    fx__buf_strides(lower->program, home->buf, stride);
    *out_base = 0;
    for (int d = 0; d < home->type.rank; d++) out_stride[d] = 0;
    for (int b = 0; b < lower->program->buf[home->buf].rank; b++) {
        const fx_index *at = &home->at[b];
        *out_base = fx__dim_add(dims, *out_base, fx__dim_mul(dims, at->base, stride[b]));
        for (int t = 0; t < at->n; t++) {
            const fx_term *term = &at->term[t];
            if (term->div != 1 || term->mod != 0) return false;
            out_stride[term->axis] = fx__dim_add(dims, out_stride[term->axis], fx__dim_mul(dims, term->coef, stride[b]));
        }
    }
    return true;
}

/* ---- Steps and copies ----------------------------------------------------------------------------------------------------------
 */

fx_step *fx__lower_add_step(fx_lower *lower, const fx_step *step)
{
    fx_step own = *step;
    if (lower->node) {
        own.nodes = FX_NEW(lower->program->arena, const fx_node *);
        if (!own.nodes) return NULL;
        own.nodes[0] = lower->node;
        own.n_nodes = 1;
    }
    fx_block *block = lower->constant ? &lower->program->init : &lower->program->steps;
    return fx__block_add(lower->program, lower->block ? lower->block : block, &own);
}

fx_status fx__lower_copy(fx_lower *lower, fx_lvalue from, fx_lvalue to)
{
    if (from < 0 || to < 0) return FX_E_OOM;
    fx_type type = lower->value[from].type;
    fx_kb *k = fx__lower_kernel(lower, NULL);
    fx_index at[FX_RANK];
    for (int d = 0; d < type.rank; d++) {
        char name[8] = {'i', (char)('0' + d)};
        at[d] = fx__index_axis(fx__kb_axis(k, name, type.dim[d], true));
    }
    fx__kb_store(k, to, at, fx__kb_load(k, from, at));
    return fx__kb_finish(k);
}

/* A constant is copied once, when compiling. */
fx_status fx__lower_materialise(fx_lower *lower, fx_lvalue value)
{
    bool was_constant = lower->constant;
    fx_type type = lower->value[value].type;
    bool symbolic = false;
    for (int d = 0; d < type.rank; d++) symbolic = symbolic || !fx_dim_is_const(type.dim[d]);
    lower->constant = lower->program->buf[lower->value[value].buf].role == FX_BUF_CONST && !symbolic;
    fx_lvalue copy = fx__lower_add_buf(lower, fx__intern(lower->context, "copy"), &type, NULL);
    fx_status status = fx__lower_copy(lower, value, copy);
    lower->constant = was_constant;
    if (status == FX_OK) lower->value[value] = lower->value[copy];
    return status;
}
