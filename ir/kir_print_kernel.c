/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_print_kernel.c: one kernel as text. The display form uses the names that arguments, axes and stages bear, made unique; the
 * canonical form numbers them (a0, i0, r0), so that kernels which differ in names only have one text. */
#include "ir/kir_text.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef char token[FX_NAME_BYTES];

typedef struct printer {
    fx_text *text;
    const fx_program *program;
    const fx_kernel *kernel;
    token arg[FX_ARGS], axis[FX_AXES];
    token *stage; /* [n_stage] */
    const fx_kstage *current;
    const uint32_t *number; /* expression -> N of its "$N" line, 0 when it has none */
} printer;

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

static bool reserved(const char *name)
{
    static const char *const word[] = {"for", "sched", "cost",  "inf",   "nan",  "true", "false", "in",
                                       "out", "inout", "const", "local", "over", "each", "to",    "_"};
    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++)
        if (strcmp(word[i], name) == 0) return true;
    return strncmp(name, "inf_", 4) == 0 || strncmp(name, "nan_", 4) == 0;
}

static bool taken(const printer *p, const char *name, const char *self)
{
    for (int i = 0; i < p->kernel->n_arg; i++)
        if (p->arg[i] != self && strcmp(p->arg[i], name) == 0) return true;
    for (int i = 0; i < p->kernel->n_axis; i++)
        if (p->axis[i] != self && strcmp(p->axis[i], name) == 0) return true;
    for (int i = 0; i < p->kernel->n_stage; i++)
        if (p->stage[i] != self && strcmp(p->stage[i], name) == 0) return true;
    return false;
}

/* The wanted name when it is free, else PREFIXnumber, with underscores until that is free too. */
static void choose(const printer *p, char *out, const char *wanted, char prefix, int number)
{
    if (wanted && fx__kir_is_word(wanted) && strlen(wanted) < FX_NAME_BYTES - 8 && !reserved(wanted) && !taken(p, wanted, out)) {
        memcpy(out, wanted, strlen(wanted) + 1);
        return;
    }
    token name;
    snprintf(name, sizeof name, "%c%d", prefix, number);
    while (taken(p, name, out) && strlen(name) + 1 < sizeof name) strcat(name, "_");
    memcpy(out, name, sizeof name);
}

static void choose_names(printer *p, bool canonical)
{
    const fx_kernel *k = p->kernel;
    for (int i = 0; i < k->n_arg; i++) choose(p, p->arg[i], canonical ? NULL : k->arg[i].name, 'a', i);
    for (int i = 0; i < k->n_axis; i++) choose(p, p->axis[i], canonical ? NULL : k->axis[i].name, 'i', i);
    for (int i = 0; i < k->n_stage; i++)
        if (k->stage[i].kind != FX_STAGE_MAP) choose(p, p->stage[i], canonical ? NULL : k->stage[i].name, 'r', i);
}

/* ---- Sizes and indices ------------------------------------------------------------------------------------------------------- */

void fx__kir_print_dim(fx_text *text, const fx_program *program, fx_dim dim)
{
    if (fx_dim_is_const(dim))
        fx__text_append(text, "%" PRId64, dim);
    else
        fx__dim_print(program->dims, dim, text);
}

static void print_inner_dim(const printer *p, fx_dim dim)
{
    bool open = !fx_dim_is_const(dim);
    if (open) fx__text_append(p->text, "(");
    fx__kir_print_dim(p->text, p->program, dim);
    if (open) fx__text_append(p->text, ")");
}

static void print_dims(const printer *p, const fx_dim *dim, int rank, char open, char close)
{
    fx__text_append(p->text, "%c", open);
    for (int d = 0; d < rank; d++) {
        if (d) fx__text_append(p->text, ",");
        fx__kir_print_dim(p->text, p->program, dim[d]);
    }
    fx__text_append(p->text, "%c", close);
}

static void print_expr(const printer *p, uint16_t e, int level);

static void print_term(const printer *p, const fx_term *term, bool first)
{
    fx_dim coef = term->coef;
    bool minus = fx_dim_is_const(coef) && coef < 0;
    if (minus) coef = -coef;
    fx__text_append(p->text, "%s", minus ? "-" : first ? "" : "+");
    if (coef != 1) {
        print_inner_dim(p, coef);
        fx__text_append(p->text, "*");
    }
    fx__text_append(p->text, "%s", p->axis[term->axis]);
    if (term->div != 1) {
        fx__text_append(p->text, "/");
        print_inner_dim(p, term->div);
    }
    if (term->mod != 0) {
        fx__text_append(p->text, "%%");
        print_inner_dim(p, term->mod);
    }
}

static void print_index(const printer *p, const fx_index *index)
{
    bool empty = true;
    if (index->value >= 0) {
        fx__text_append(p->text, "{");
        print_expr(p, (uint16_t)index->value, 0);
        fx__text_append(p->text, "}");
        empty = false;
    }
    for (int t = 0; t < index->n; t++, empty = false) print_term(p, &index->term[t], empty);
    if (index->base == 0 && !empty) return;
    bool minus = fx_dim_is_const(index->base) && index->base < 0;
    if (!empty && !minus) fx__text_append(p->text, "+");
    print_inner_dim(p, index->base);
}

/* ---- Numbers ----------------------------------------------------------------------------------------------------------------- */

static void print_number(fx_text *text, fx_dtype dtype, fx_imm value)
{
    if (dtype == FX_BOOL)
        fx__text_append(text, "%s", value.i ? "true" : "false");
    else if (dtype == FX_F64)
        fx__text_double(text, value.f);
    else if (fx_dtype_is_float(dtype))
        fx__text_float(text, value.f, FX_F32);
    else if (fx_dtype_is_signed(dtype))
        fx__text_append(text, "%" PRId64, value.i);
    else
        fx__text_append(text, "%" PRIu64, value.u);
}

/* f32 with a point or exponent, i64 without; others with their dtype behind. */
static void print_imm(fx_text *text, fx_dtype dtype, fx_imm value)
{
    print_number(text, dtype, value);
    if (dtype != FX_F32 && dtype != FX_I64 && dtype != FX_BOOL) fx__text_append(text, "_%s", fx_dtype_name(dtype));
}

static void print_fill(fx_text *text, fx_dtype dtype, fx_imm fill)
{
    bool zero = dtype == FX_BOOL ? !fill.i : fill.u == 0;
    if (zero)
        fx__text_append(text, "?0");
    else {
        fx__text_append(text, "?");
        print_number(text, dtype, fill);
    }
}

static void print_access(const printer *p, uint16_t number)
{
    const fx_access *access = &p->kernel->access[number];
    fx__text_append(p->text, "%s[", p->arg[access->arg]);
    for (int d = 0; d < access->rank; d++) {
        if (d) fx__text_append(p->text, ",");
        print_index(p, &access->at[d]);
    }
    fx__text_append(p->text, "]%s", access->clamped ? "!" : "");
    if (access->guarded) print_fill(p->text, p->kernel->arg[access->arg].dtype, access->fill);
}

/* ---- Expressions --------------------------------------------------------------------------------------------------------------
 */

static char infix(fx_scalar_op op)
{
    return op == FX_SCALAR_ADD ? '+' : op == FX_SCALAR_SUB ? '-' : op == FX_SCALAR_MUL ? '*' : op == FX_SCALAR_DIV ? '/' : 0;
}

static void print_infix(const printer *p, const fx_expr *x, char sign, int level)
{
    int own = sign == '*' || sign == '/' ? 2 : 1;
    if (own < level) fx__text_append(p->text, "(");
    print_expr(p, x->a, own);
    fx__text_append(p->text, " %c ", sign);
    print_expr(p, x->b, own + 1);
    if (own < level) fx__text_append(p->text, ")");
}

static void print_function(const printer *p, const fx_expr *x, const char *name)
{
    uint16_t operand[3] = {x->a, x->b, x->c};
    int n = fx__expr_operands(x);
    fx__text_append(p->text, "%s(", name);
    for (int i = 0; i < n; i++) {
        if (i) fx__text_append(p->text, ", ");
        print_expr(p, operand[i], 0);
    }
    fx__text_append(p->text, ")");
}

static void print_node(const printer *p, const fx_expr *x, int level)
{
    char sign;
    switch ((fx_expr_op)x->op) {
    case FX_X_LOAD:
        print_access(p, x->u.access);
        break;
    case FX_X_IMM:
        print_imm(p->text, (fx_dtype)x->dtype, x->u.imm);
        break;
    case FX_X_AXIS:
        fx__text_append(p->text, "%s", p->axis[x->u.axis]);
        break;
    case FX_X_SYM:
        fx__text_append(p->text, "dim(");
        fx__kir_print_dim(p->text, p->program, x->u.dim);
        fx__text_append(p->text, ")");
        break;
    case FX_X_STAGE:
        fx__text_append(p->text, "%s", p->stage[x->u.stage]);
        break;
    case FX_X_CAST:
        print_function(p, x, fx_dtype_name((fx_dtype)x->dtype));
        break;
    case FX_X_SELECT:
        print_function(p, x, "select");
        break;
    case FX_X_SCALAR:
        sign = infix((fx_scalar_op)x->scalar);
        if (sign)
            print_infix(p, x, sign, level);
        else
            print_function(p, x, fx__scalar_name((fx_scalar_op)x->scalar));
        break;
    }
}

static void print_expr(const printer *p, uint16_t e, int level)
{
    if (p->number[e])
        fx__text_append(p->text, "$%u", p->number[e] - 1);
    else
        print_node(p, &p->current->expr[e], level);
}

/* ---- Stages -------------------------------------------------------------------------------------------------------------------
 */

static void print_axes(const printer *p, const char *word, const uint8_t *axis, int n)
{
    if (!n) return;
    fx__text_append(p->text, " %s", word);
    for (int i = 0; i < n; i++) fx__text_append(p->text, " %s", p->axis[axis[i]]);
}

static void print_combined(const printer *p, const fx_kstage *stage, int s)
{
    fx_dtype own = (fx_dtype)stage->expr[stage->value].dtype;
    fx__text_append(p->text, "%s", p->stage[s]);
    if (stage->acc != own) fx__text_append(p->text, ":%s", fx_dtype_name(stage->acc));
    fx__text_append(p->text, " = %s%s(", stage->prefix ? "prefix " : "",
                    stage->kind == FX_STAGE_CONTRACT ? "dot" : fx__kir_combine_word(stage->combine));
    print_expr(p, stage->value, 0);
    fx__text_append(p->text, ")");
    for (int o = 0; o < stage->n_out; o++) {
        fx__text_append(p->text, "%s", o ? ", " : " to ");
        print_access(p, stage->out[o].access);
    }
    print_axes(p, "over", stage->red, stage->n_red);
    print_axes(p, "each", stage->inner, stage->n_inner);
}

static void print_map(const printer *p, const fx_kstage *stage)
{
    for (int o = 0; o < stage->n_out; o++) {
        if (o) fx__text_append(p->text, ";\n    ");
        print_access(p, stage->out[o].access);
        fx__text_append(p->text, " = ");
        print_expr(p, stage->out[o].expr, 0);
    }
    print_axes(p, "over", stage->inner, stage->n_inner);
}

static void print_named(const printer *p, const fx_kstage *stage, const fx_linear *linear, uint32_t *number)
{
    uint32_t next = 0;
    for (int i = 0; i < linear->n; i++) {
        uint16_t e = linear->order[i];
        if (!linear->named[e]) continue;
        fx__text_append(p->text, "$%u = ", next);
        print_node(p, &stage->expr[e], 0);
        fx__text_append(p->text, ";\n    ");
        number[e] = ++next;
    }
}

static void print_stage(printer *p, int s)
{
    const fx_kstage *stage = &p->kernel->stage[s];
    fx_linear linear;
    uint32_t *number = fx__alloc(p->program->context, ((size_t)stage->n_expr + 1) * sizeof *number);
    if (!number || !fx__linear_init(&linear, p->program->context, p->kernel, stage)) {
        fx__free(p->program->context, number);
        p->text->failed = true;
        return;
    }
    p->current = stage;
    p->number = number;
    fx__text_append(p->text, "  ");
    print_named(p, stage, &linear, number);
    if (stage->kind == FX_STAGE_MAP)
        print_map(p, stage);
    else
        print_combined(p, stage, s);
    fx__text_append(p->text, "\n");
    fx__linear_free(&linear);
    fx__free(p->program->context, number);
}

/* ---- Head, schedule, cost -------------------------------------------------------------------------------------------------- */

static bool row_major(const printer *p, const fx_arg *arg)
{
    fx_dim stride = 1;
    for (int d = arg->rank - 1; d >= 0; d--) {
        if (arg->stride[d] != stride) return false;
        stride = fx__dim_mul(p->program->dims, stride, arg->dim[d]);
    }
    return true;
}

static void print_arg(const printer *p, int number)
{
    const fx_arg *arg = &p->kernel->arg[number];
    const char *word = fx__kir_arg_word(arg->role);
    fx__text_append(p->text, "%s%s%s: %s", word, *word ? " " : "", p->arg[number], fx_dtype_name(arg->dtype));
    print_dims(p, arg->dim, arg->rank, '[', ']');
    if (!row_major(p, arg)) print_dims(p, arg->stride, arg->rank, '{', '}');
    if (arg->role == FX_ARG_LOCAL && arg->home >= 0) fx__text_append(p->text, " in %s", p->arg[arg->home]);
}

static void print_head(const printer *p, const char *name)
{
    fx__text_append(p->text, "kernel %s(", name);
    for (int a = 0; a < p->kernel->n_arg; a++) {
        if (a) fx__text_append(p->text, ", ");
        print_arg(p, a);
    }
    fx__text_append(p->text, ")%s {\n  for", p->kernel->exact ? " exact" : "");
    for (int i = 0; i < p->kernel->n_axis; i++) {
        fx__text_append(p->text, "%s %s:", i == p->kernel->n_outer ? " ;" : "", p->axis[i]);
        print_inner_dim(p, p->kernel->axis[i].extent);
    }
    fx__text_append(p->text, "\n");
}

static const char *axis_or_none(const printer *p, uint8_t axis)
{
    return axis < p->kernel->n_axis ? p->axis[axis] : "_";
}

static void print_list(const printer *p, const char *word, const uint8_t *axis, int n)
{
    if (!n) return;
    fx__text_append(p->text, " %s(", word);
    for (int i = 0; i < n; i++) fx__text_append(p->text, "%s%s", i ? "," : "", axis_or_none(p, axis[i]));
    fx__text_append(p->text, ")");
}

static void print_kgroup(const printer *p, const uint8_t kgroup[FX_REDS])
{
    int n = FX_REDS;
    while (n > 0 && kgroup[n - 1] == 0) n--;
    if (!n) return;
    fx__text_append(p->text, " k(");
    for (int i = 0; i < n; i++) fx__text_append(p->text, "%s%d", i ? "," : "", kgroup[i]);
    fx__text_append(p->text, ")");
}

static void print_sched(const printer *p)
{
    const fx_sched *s = &p->kernel->sched;
    if (s->emit == FX_EMIT_NONE) return;
    fx__text_append(p->text, "  sched %s vec %s*%d unroll %d", fx__kir_emit_word(s->emit), axis_or_none(p, s->vec), s->lanes,
                    s->unroll);
    if (s->vec2 != FX_NO_AXIS) fx__text_append(p->text, " vec2 %s", axis_or_none(p, s->vec2));
    if (s->row != FX_NO_AXIS) fx__text_append(p->text, " row %s", axis_or_none(p, s->row));
    if (s->mr) fx__text_append(p->text, " mr %d", s->mr);
    if (s->nv) fx__text_append(p->text, " nv %d", s->nv);
    print_kgroup(p, s->kgroup);
    print_list(p, "task", s->task, s->n_task);
    if (s->grain) fx__text_append(p->text, " grain %" PRId64, s->grain);
    print_list(p, "order", s->order, s->n_order);
    if (s->block) fx__text_append(p->text, " block %d", s->block);
    if (s->pack) fx__text_append(p->text, " pack");
    if (s->fetch_a) fx__text_append(p->text, " fetch a %d", s->fetch_a);
    if (s->fetch_b) fx__text_append(p->text, " fetch b %d", s->fetch_b);
    fx__text_append(p->text, "%s\n", s->parallel ? " parallel" : "");
}

static void print_cost(const printer *p)
{
    const fx_cost *c = &p->kernel->cost;
    if (!c->flop && !c->read_bytes && !c->write_bytes && !c->cycles) return;
    fx__text_append(p->text, "  cost flop %" PRId64 " read %" PRId64 " write %" PRId64 " cycles %" PRId64 "\n", c->flop,
                    c->read_bytes, c->write_bytes, c->cycles);
}

void fx__kernel_print(fx_text *text, const fx_program *program, const fx_kernel *kernel, const char *name, bool canonical)
{
    printer p = {.text = text, .program = program, .kernel = kernel};
    p.stage = fx__alloc(program->context, ((size_t)kernel->n_stage + 1) * sizeof *p.stage);
    if (!p.stage) {
        text->failed = true;
        return;
    }
    choose_names(&p, canonical);
    print_head(&p, name);
    for (int s = 0; s < kernel->n_stage; s++) print_stage(&p, s);
    print_sched(&p);
    if (!canonical) print_cost(&p);
    fx__text_append(text, "}\n");
    fx__free(program->context, p.stage);
}
