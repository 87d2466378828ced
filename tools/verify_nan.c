/* SPDX-License-Identifier: Apache-2.0 */
/* verify_nan.c: `fxjit verify --nan`: where NaN and infinity arise, in the interpreter and in compiled code. */
#include "verify.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8 };

static const char *kind_of(const fx_nonfinite *it)
{
    return it->is_nan ? "NaN" : "infinity";
}

static void put_operand(FILE *out, const fx_operand *operand)
{
    char type[256], value[64] = "";
    fx_tensor like = {.dtype = operand->dtype, .rank = operand->rank};
    memcpy(like.dim, operand->dim, sizeof like.dim);
    if (operand->has_value) snprintf(value, sizeof value, "%.9g there; ", operand->value);
    tool_type_text(&like, type, sizeof type);
    if (isnan(operand->least))
        verify_detail(out, "operand", "%s: %s%s, nothing finite", operand->name, value, type);
    else
        verify_detail(out, "operand", "%s: %s%s from %.6g to %.6g, %lld NaN, %lld infinite", operand->name, value, type, operand->least,
                      operand->most, (long long)operand->n_nan, (long long)operand->n_inf);
}

static void put_one(FILE *out, const char *engine, const fx_nonfinite *it)
{
    verify_detail(out, kind_of(it), "%s: %s (%s)%s%s: %lld of %lld elements", engine, it->node, it->op, *it->place ? ", traced at " : "",
                  it->place, (long long)it->n, (long long)it->n_of);
    fprintf(out, "     %-12s[", "position");
    for (int32_t d = 0; d < it->rank; d++) fprintf(out, d ? ", %lld" : "%lld", (long long)it->position[d]);
    fprintf(out, "], element %lld: %s\n", (long long)it->element, it->is_nan ? "nan" : it->value > 0 ? "inf" : "-inf");
    for (int32_t i = 0; i < it->n_operand; i++) put_operand(out, &it->operand[i]);
}

static json_t *operands_as_json(const fx_nonfinite *it)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < it->n_operand; i++) {
        const fx_operand *o = &it->operand[i];
        json_t *one = json_pack("{s:s,s:o,s:o,s:I,s:I}", "name", o->name, "least", verify_number(o->least), "most", verify_number(o->most),
                                "nan", (json_int_t)o->n_nan, "infinite", (json_int_t)o->n_inf);
        if (o->has_value) json_object_set_new(one, "value", verify_number(o->value));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *one_as_json(const char *engine, const fx_nonfinite *it)
{
    fx_difference at = {.rank = it->rank};
    memcpy(at.position, it->position, sizeof at.position);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:I,s:o,s:I,s:o}", "engine", engine, "kind", kind_of(it), "node", it->node, "operator", it->op,
                     "traced", it->place, "position", verify_position(&at), "element", (json_int_t)it->element, "value",
                     verify_number(it->value), "elements", (json_int_t)it->n, "operands", operands_as_json(it));
}

static bool tell(subject *s, FILE *out, const char *engine, const fx_nonfinites *found)
{
    int32_t n = fx_nonfinites_count(found);
    for (int32_t i = 0; i < n; i++) {
        const fx_nonfinite *it = fx_nonfinites_get(found, i);
        if (i < SHOWN) put_one(out, engine, it);
        json_array_append_new(s->mismatch, one_as_json(engine, it));
    }
    if (n > SHOWN) verify_detail(out, "more", "%d others", (int)n - SHOWN);
    if (n == 0) return true;
    const fx_nonfinite *first = fx_nonfinites_get(found, 0);
    return verify_fault(s, "%s: %s arises in %s (%s)", engine, kind_of(first), first->node, first->op);
}

static bool look(subject *s, const tool_tensors *inputs, FILE *out)
{
    bool good = true;
    for (int e = 0; e < ENGINES; e++) {
        fx_nonfinites *found;
        bool compiled = e == ENGINE_COMPILED;
        if (!verify_wants(s, (verify_engine)e)) continue;
        if (!verify_status(s, "running", fx_find_nonfinite(s->module, inputs->tensor, inputs->n, &s->compile, compiled, &found)))
            return false;
        good = tell(s, out, verify_engine_name((verify_engine)e), found) && good;
        fx_nonfinites_free(found);
    }
    return good;
}

bool verify_nan(subject *s, const char *folder)
{
    size_t bytes;
    tool_tensors inputs = {0};
    s->mismatch = json_array();
    FILE *out = open_memstream(&s->details, &bytes);
    bool good = out && verify_take_inputs(s, folder, &inputs) && verify_widen(s, &inputs) && look(s, &inputs, out);
    if (out) fclose(out);
    tool_tensors_free(&inputs);
    return good;
}
