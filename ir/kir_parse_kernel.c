/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_parse_kernel.c: reads one kernel: head and stages. Indices into arguments, axes, stages and expressions are in range in
 * whatever comes out; all other rules are the verifier's. */
#include "ir/kir_parse_kernel.h"
#include <string.h>

/* ---- Stages ------------------------------------------------------------------------------------------------------------- */

static bool add_axis(fx_kernel_parser *k, const char *name, bool outer, uint8_t *out)
{
    fx_dim extent;
    if (strlen(name) >= sizeof k->kernel->axis[0].name)
        return fx__klex_fail(k->p, "axis name \"%s\" has more than %zu characters", name, sizeof k->kernel->axis[0].name - 1);
    if (!fx__kparse_name_is_new(k, name) || !fx__klex_size(k->p, &extent)) return false;
    int axis = fx__kernel_add_axis(k->p->program, k->kernel, name, extent, outer);
    if (axis < 0) return fx__klex_fail(k->p, "more than %d axes", FX_AXES);
    *out = (uint8_t)axis;
    return true;
}

static bool parse_axis_ref(fx_kernel_parser *k, uint8_t *out)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    int axis = fx__kparse_find_axis(k, word);
    if (axis >= 0) {
        fx_dim extent;
        *out = (uint8_t)axis;
        if (!fx__klex_accept(k->p, ':')) return true;
        return fx__klex_size(k->p, &extent) &&
               (extent == k->kernel->axis[axis].extent || fx__klex_fail(k->p, "axis \"%s\" has two extents", word));
    }
    return fx__klex_accept(k->p, ':') ? add_axis(k, word, false, out) : fx__klex_fail(k->p, "unknown axis \"%s\"", word);
}

static bool parse_axis_refs(fx_kernel_parser *k, uint8_t out[FX_REDS], uint8_t *out_n)
{
    *out_n = 0;
    while (!fx__klex_at_end(k->p) && fx__klex_peek_word(k->p)) {
        const char *before = k->p->at;
        if (*out_n && fx__klex_accept_word(k->p, "each")) {
            k->p->at = before;
            return true;
        }
        if (*out_n == FX_REDS) return fx__klex_fail(k->p, "more than %d axes", FX_REDS);
        if (!parse_axis_ref(k, &out[*out_n])) return false;
        ++*out_n;
    }
    return *out_n > 0 || fx__klex_fail(k->p, "an axis expected");
}

static bool add_store(fx_kernel_parser *k, const fx_access *to, uint16_t value)
{
    if (k->stage.n_out == FX_OUTS) return fx__klex_fail(k->p, "more than %d stores in a stage", FX_OUTS);
    int access = fx__kparse_add_access(k, to);
    if (access < 0) return false;
    k->stage.out[k->stage.n_out++] = (fx_store){.expr = value, .access = (uint16_t)access};
    return true;
}

static bool parse_map(fx_kernel_parser *k, char word[FX_WORD_BYTES])
{
    k->stage.kind = FX_STAGE_MAP;
    for (;;) {
        fx_access to;
        if (!fx__kparse_access(k, word, &to) || !fx__klex_expect(k->p, '=')) return false;
        uint16_t value = fx__kparse_expr(k);
        if (value == FX_NO_EXPR || !add_store(k, &to, value)) return false;
        if (!fx__klex_accept(k->p, ';')) break;
        fx__klex_skip_lines(k->p);
        if (!fx__klex_word(k->p, word)) return false;
    }
    return !fx__klex_accept_word(k->p, "over") || parse_axis_refs(k, k->stage.inner, &k->stage.n_inner);
}

static bool parse_combine_word(fx_kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    if (!fx__klex_word(k->p, word)) return false;
    k->stage.kind = FX_STAGE_REDUCE;
    if (strcmp(word, "dot") == 0) {
        k->stage.kind = FX_STAGE_CONTRACT;
        return true;
    }
    for (int c = 0; c < FX_COMBINE_COUNT; c++) {
        k->stage.combine = (fx_combine)c;
        if (strcmp(word, fx__kir_combine_word((fx_combine)c)) == 0) return true;
    }
    return fx__klex_fail(k->p, "unknown combination \"%s\"", word);
}

static bool parse_combine_stores(fx_kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    fx_access to;
    if (!fx__klex_accept_word(k->p, "to")) return true;
    do {
        if (!fx__klex_word(k->p, word) || !fx__kparse_access(k, word, &to) || !add_store(k, &to, FX_NO_EXPR)) return false;
    } while (fx__klex_accept(k->p, ','));
    return true;
}

static bool parse_combine(fx_kernel_parser *k, const char *name)
{
    bool has_acc = fx__klex_accept(k->p, ':');
    if (!fx__kparse_name_is_new(k, name) || (has_acc && !fx__klex_dtype(k->p, &k->stage.acc))) return false;
    k->stage.name = fx__intern(k->p->context, name);
    if (!fx__klex_expect(k->p, '=')) return false;
    k->stage.prefix = fx__klex_accept_word(k->p, "prefix");
    if (!parse_combine_word(k) || !fx__klex_expect(k->p, '(')) return false;
    k->stage.value = fx__kparse_expr(k);
    if (k->stage.value == FX_NO_EXPR || !fx__klex_expect(k->p, ')') || !parse_combine_stores(k)) return false;
    if (!has_acc) k->stage.acc = (fx_dtype)k->stage.expr[k->stage.value].dtype;
    if (fx__klex_accept_word(k->p, "over") && !parse_axis_refs(k, k->stage.red, &k->stage.n_red)) return false;
    return !fx__klex_accept_word(k->p, "each") || parse_axis_refs(k, k->stage.inner, &k->stage.n_inner);
}

/* "$N = EXPR;" lines. */
static bool parse_named_lines(fx_kernel_parser *k)
{
    k->n_named = 0;
    while (fx__klex_accept(k->p, '$')) {
        int64_t number;
        if (!fx__klex_int(k->p, k->n_named, k->n_named, &number) || !fx__klex_expect(k->p, '=')) return false;
        uint16_t e = fx__kparse_expr(k);
        uint16_t *items = fx__arena_grow(k->p->program->arena, k->named, &k->cap_named, k->n_named, sizeof *items);
        if (e == FX_NO_EXPR || !items) return fx__klex_fail(k->p, "out of memory");
        k->named = items;
        k->named[k->n_named++] = e;
        if (!fx__klex_expect(k->p, ';')) return false;
        fx__klex_skip_lines(k->p);
    }
    return true;
}

/* Inner axes may be declared behind the expression that uses them: "over j:1000". They are read first. */
static bool declare_ahead(fx_kernel_parser *k)
{
    fx_kparser *p = k->p;
    const char *start = p->at, *stop = p->at;
    char word[FX_WORD_BYTES];
    bool axes = false;
    while (stop < p->end && *stop != '\n') stop++;
    while (p->at < stop && !p->failed) {
        fx__klex_skip(p);
        if (!fx__klex_peek_word(p)) {
            if (p->at < stop) p->at++;
            continue;
        }
        if (!fx__klex_word(p, word)) return false;
        axes = axes || strcmp(word, "over") == 0 || strcmp(word, "each") == 0;
        uint8_t axis;
        if (axes && fx__kparse_find_axis(k, word) < 0 && fx__klex_accept(p, ':') && !add_axis(k, word, false, &axis)) return false;
    }
    p->at = start;
    return !p->failed;
}

static bool parse_stage(fx_kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    k->stage = (fx_kstage){.acc = FX_F32, .value = FX_NO_EXPR};
    k->depth = 0;
    if (!declare_ahead(k) || !parse_named_lines(k) || !fx__klex_word(k->p, word)) return false;
    bool map = fx__klex_peek(k->p, '[');
    if (!(map ? parse_map(k, word) : parse_combine(k, word))) return false;
    fx_kstage *stage = fx__kernel_add_stage(k->p->program, k->kernel, k->stage.kind);
    if (!stage) return fx__klex_fail(k->p, "out of memory, or more than %d stages", UINT8_MAX);
    *stage = k->stage;
    k->stage_name[k->kernel->n_stage - 1] = stage->name;
    return true;
}

/* ---- Head --------------------------------------------------------------------------------------------------------------- */

static fx_arg_role parse_arg_role(fx_kernel_parser *k)
{
    for (int role = FX_ARG_OUT; role <= FX_ARG_LOCAL; role++) {
        const char *before = k->p->at;
        if (!fx__klex_accept_word(k->p, fx__kir_arg_word((fx_arg_role)role))) continue;
        if (!fx__klex_peek(k->p, ':')) return (fx_arg_role)role;
        k->p->at = before; /* an argument of that name */
    }
    return FX_ARG_IN;
}

static void default_strides(fx_kernel_parser *k, fx_arg *arg)
{
    fx_dim stride = 1;
    for (int d = arg->rank - 1; d >= 0; d--) {
        arg->stride[d] = stride;
        stride = fx__dim_mul(k->p->program->dims, stride, arg->dim[d]);
    }
}

static bool parse_strides(fx_kernel_parser *k, fx_arg *arg)
{
    int n;
    if (!fx__klex_peek(k->p, '{')) {
        default_strides(k, arg);
        return true;
    }
    if (!fx__klex_dims(k->p, '{', '}', arg->stride, &n)) return false;
    return n == arg->rank || fx__klex_fail(k->p, "%d strides for %d dimensions", n, arg->rank);
}

static bool parse_arg(fx_kernel_parser *k)
{
    fx_arg arg = {.role = parse_arg_role(k), .home = -1};
    char word[FX_WORD_BYTES];
    int rank;
    if (!fx__klex_word(k->p, word) || !fx__kparse_name_is_new(k, word) || !fx__klex_expect(k->p, ':')) return false;
    arg.name = fx__intern(k->p->context, word);
    if (!arg.name || !fx__klex_dtype(k->p, &arg.dtype) || !fx__klex_dims(k->p, '[', ']', arg.dim, &rank)) return false;
    arg.rank = (uint8_t)rank;
    if (!parse_strides(k, &arg)) return false;
    if (arg.role == FX_ARG_LOCAL && fx__klex_accept_word(k->p, "in")) {
        if (!fx__klex_word(k->p, word)) return false;
        arg.home = (int8_t)fx__kparse_find_arg(k, word);
        if (arg.home < 0) return fx__klex_fail(k->p, "unknown argument \"%s\"", word);
    }
    return fx__kernel_add_arg(k->kernel, &arg) >= 0 || fx__klex_fail(k->p, "more than %d arguments", FX_ARGS);
}

static bool parse_args(fx_kernel_parser *k)
{
    if (!fx__klex_expect(k->p, '(')) return false;
    for (fx__klex_skip_lines(k->p); !fx__klex_accept(k->p, ')'); fx__klex_skip_lines(k->p)) {
        if (k->kernel->n_arg && !fx__klex_expect(k->p, ',')) return false;
        fx__klex_skip_lines(k->p);
        if (!parse_arg(k)) return false;
    }
    return true;
}

static bool parse_for(fx_kernel_parser *k)
{
    char word[FX_WORD_BYTES];
    uint8_t axis;
    bool outer = true;
    if (!fx__klex_expect_word(k->p, "for")) return false;
    while (!fx__klex_at_end(k->p)) {
        if (outer && fx__klex_accept(k->p, ';')) outer = false;
        if (fx__klex_at_end(k->p)) break;
        if (!fx__klex_word(k->p, word) || !fx__klex_expect(k->p, ':') || !add_axis(k, word, outer, &axis)) return false;
    }
    return true;
}

/* ---- Kernel ------------------------------------------------------------------------------------------------------------- */

/* A line that starts with a word which is not a stage's name ("sched row", not "sched = "). */
static bool at_line_word(fx_kernel_parser *k, const char *word)
{
    const char *before = k->p->at;
    if (!fx__klex_accept_word(k->p, word)) return false;
    if (!fx__klex_peek(k->p, '=') && !fx__klex_peek(k->p, '[') && !fx__klex_peek(k->p, ':')) return true;
    k->p->at = before;
    return false;
}

static bool parse_body(fx_kernel_parser *k)
{
    for (fx__klex_skip_lines(k->p); !fx__klex_accept(k->p, '}'); fx__klex_skip_lines(k->p)) {
        if (k->p->at >= k->p->end) return fx__klex_fail(k->p, "a kernel without end");
        bool ok = at_line_word(k, "sched") ? fx__kparse_sched(k) : at_line_word(k, "cost") ? fx__kparse_cost(k) : parse_stage(k);
        if (!ok) return false;
        if (!fx__klex_at_end(k->p)) return fx__klex_fail(k->p, "'%c' found, the end of the line expected", *k->p->at);
    }
    return true;
}

static bool register_kernel(fx_kernel_parser *k, const char *name)
{
    fx_kparser *p = k->p;
    const char *key = fx__intern(p->context, name);
    if (!key) return fx__klex_fail(p, "out of memory");
    if (fx__map_get(&p->kernels, key)) return fx__klex_fail(p, "kernel \"%s\" is defined twice", name);
    int32_t index = fx__program_add_kernel(p->program, k->kernel);
    return (index >= 0 && fx__map_put(&p->kernels, key, (void *)(intptr_t)(index + 1))) || fx__klex_fail(p, "out of memory");
}

bool fx__kparse_kernel(fx_kparser *p)
{
    char name[FX_WORD_BYTES];
    fx_kernel_parser k = {.p = p, .kernel = fx__kernel_new(p->program)};
    k.stage_name = FX_NEW_ARRAY(p->program->arena, const char *, UINT8_MAX + 1);
    if (!k.kernel || !k.stage_name) return fx__klex_fail(p, "out of memory");
    if (!fx__klex_word(p, name) || !parse_args(&k)) return false;
    k.kernel->exact = fx__klex_accept_word(p, "exact");
    if (!fx__klex_expect(p, '{')) return false;
    fx__klex_skip_lines(p);
    return parse_for(&k) && parse_body(&k) && register_kernel(&k, name);
}
