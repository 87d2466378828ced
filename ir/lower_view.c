/* SPDX-License-Identifier: Apache-2.0 */
/* ir/lower_view.c: reshape as an index. Dims of both sides are grouped where their products agree; within a group the row-major
 * number is taken apart into digits, which mostly resolve to plain axes. */
#include "ir/lower.h"

/* The group [in, in_end) x [out, out_end) of dims with one product. */
typedef struct group {
    int in, in_end, out, out_end;
} group;

static bool equal(const fx_dims *dims, fx_dim a, fx_dim b)
{
    return a == b || (a != FX_DIM_BAD && b != FX_DIM_BAD && fx__dim_equal(dims, a, b));
}

/* Extends the shorter side until the products agree, or to the ends. */
static void find_group(const fx_view *view, group *g)
{
    fx_dim in = view->in->dim[g->in], out = view->out->dim[g->out];
    g->in_end = g->in + 1;
    g->out_end = g->out + 1;
    while (!equal(view->dims, in, out)) {
        bool more_in = g->in_end < view->in->rank, more_out = g->out_end < view->out->rank;
        if (!more_in && !more_out) return;
        bool in_shorter = in != FX_DIM_BAD && out != FX_DIM_BAD && fx__dim_le(view->dims, in, out);
        if (more_in && (in_shorter || !more_out))
            in = fx__dim_mul(view->dims, in, view->in->dim[g->in_end++]);
        else
            out = fx__dim_mul(view->dims, out, view->out->dim[g->out_end++]);
    }
}

/* Row-major number of the group's point: a sum over the result's dims. */
static bool number_of(const fx_view *view, const group *g, fx_index *out)
{
    fx_dim stride = 1;
    *out = fx__index_const(0);
    for (int d = g->out_end - 1; d >= g->out; d--) {
        fx_index axis = fx__index_axis((uint8_t)d);
        if (view->out->dim[d] == 1) continue;
        if (!fx__index_scale(view->dims, &axis, stride, &axis) || !fx__index_add(view->dims, out, &axis, out)) return false;
        stride = fx__dim_mul(view->dims, stride, view->out->dim[d]);
    }
    return stride != FX_DIM_BAD;
}

static bool digit_of(const fx_view *view, const fx_index *number, fx_dim stride, fx_dim mod, fx_index *out)
{
    fx_index whole = fx__index_axis(0);
    whole.term[0].div = stride;
    whole.term[0].mod = mod;
    return fx__index_substitute(view->dims, &whole, number, 1, view->out->dim, out);
}

static bool write_group(fx_view *view, const group *g)
{
    fx_index number;
    fx_dim stride = 1;
    if (g->in_end == g->in + 1 && g->out_end == g->out + 1) {
        view->at[g->in] = fx__index_axis((uint8_t)g->out);
        return true;
    }
    if (!number_of(view, g, &number)) return false;
    for (int d = g->in_end - 1; d >= g->in; d--) {
        view->at[d] = fx__index_const(0);
        if (view->in->dim[d] == 1) continue;
        if (!digit_of(view, &number, stride, d == g->in ? 0 : view->in->dim[d], &view->at[d])) return false;
        stride = fx__dim_mul(view->dims, stride, view->in->dim[d]);
        if (stride == FX_DIM_BAD) return false;
    }
    return true;
}

/* A tensor without elements: any index will do. */
static bool is_empty(const fx_type *type)
{
    for (int d = 0; d < type->rank; d++)
        if (type->dim[d] == 0) return true;
    return false;
}

fx_status fx__view_reshape(fx_view *view)
{
    group g = {0};
    for (int d = 0; d < view->in->rank; d++) view->at[d] = fx__index_const(0);
    if (is_empty(view->in)) return FX_OK;
    while (g.in < view->in->rank && g.out < view->out->rank) {
        find_group(view, &g);
        if (!write_group(view, &g)) return FX_E_UNSUPPORTED;
        g.in = g.in_end;
        g.out = g.out_end;
    }
    for (int d = g.in; d < view->in->rank; d++)
        if (view->in->dim[d] != 1) return FX_E_UNSUPPORTED;
    for (int d = g.out; d < view->out->rank; d++)
        if (view->out->dim[d] != 1) return FX_E_UNSUPPORTED;
    return FX_OK;
}
