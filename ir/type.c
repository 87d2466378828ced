/* SPDX-License-Identifier: Apache-2.0 */
/* ir/type.c: printing and comparing value types. */
#include "ir/graph.h"

void fx__type_print(fx_text *text, const fx_dims *dims, const fx_type *type)
{
    fx__text_append(text, "%s[", fx_dtype_name(type->dtype));
    for (int32_t d = 0; d < type->rank; d++) {
        if (d) fx__text_put(text, ", ", 2);
        if (fx_dim_is_const(type->dim[d]))
            fx__text_append(text, "%lld", (long long)type->dim[d]);
        else if (type->dim[d] == FX_DIM_BAD || !dims)
            fx__text_put(text, "?", 1);
        else
            fx__dim_print(dims, type->dim[d], text);
    }
    fx__text_put(text, "]", 1);
}

bool fx__type_equal(const fx_type *a, const fx_type *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int32_t d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    return true;
}

fx_type fx__type_of_tensor(const fx_tensor *tensor)
{
    fx_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int32_t d = 0; d < tensor->rank; d++) type.dim[d] = tensor->dim[d];
    return type;
}
