/* SPDX-License-Identifier: Apache-2.0 */
/* ir/kir_print.c: a program as text, and the grammar of that text. Everything that code generation reads is in it:
 * emit(parse(print(p))) gives the bytes of emit(p). Statements end at line ends (inside brackets lines may break), "#" starts a
 * comment, "//" below is ours.
 *
 *   program  = "program" {"inputs" N | "outputs" N | "states" N | "placed" | "scheduled" | "planned"
 *                         | "workspace" DIM | "consts" N | "scratch" N}
 *   sym      = "sym" NAME "in" "[" N "," N "]" "hint" N "multiple" N ["from" "input" N "axis" N | "counter"]
 *   guard    = "guard" ("eq" | "ne" | "le") DIM "," DIM ["," STRING]
 *   buf      = "buf" "%" NAME ":" TYPE ("input" N | "output" N | "state" N | "temp" | "const" [N STRING | "data" HEX])
 *              ["in" "%" NAME "[" DIMS "]"] ["align" N] ["at" DIM] ["live" N N]        // slice of a parent; bytes; steps
 *   kernel   = "kernel" NAME "(" ARG {"," ARG} ")" ["exact"] "{" "for" {AXIS} [";" {AXIS}] {STAGE} [SCHED] [COST] "}"
 *   ARG      = ["const" | "out" | "inout" | "local"] NAME ":" TYPE ["{" strides "}"] ["in" NAME]  // strides: when not row-major
 *   AXIS     = NAME ":" DIM                          // before ";" outer, behind it inner
 *   STAGE    = {"$" N "=" EXPR ";"} (MAP | COMBINE)  // "$N": an expression that is used more than once
 *   MAP      = ACCESS "=" EXPR {";" ACCESS "=" EXPR} ["over" {AXISREF}]                     // inner axes
 *   COMBINE  = NAME [":" dtype] "=" ["prefix"] ("sum" | "prod" | "min" | "max" | "and" | "or" | "argmin" | "argmax" | "dot")
 *              "(" EXPR ")" ["to" ACCESS {"," ACCESS}] ["over" {AXISREF}] ["each" {AXISREF}] // reduced; inner. dot: CONTRACT.
 *                                                      // dtype: of the accumulator where it is not the expression's
 *   AXISREF  = NAME | AXIS                           // an extent here declares an inner axis
 *   ACCESS   = NAME "[" [INDEX {"," INDEX}] "]" ["!"] ["?" FILL]          // "!": clamped gather; "?": guarded
 *   INDEX    = sum of [COEF "*"] NAME ["/" COEF] ["%" COEF], COEF and "{" EXPR "}"  // a/b%c is one digit; {}: gathered
 *   COEF     = integer | "(" DIM ")"
 *   EXPR     = infix + - * / over: ACCESS | NUMBER ["_" dtype] | NAME (axis coordinate or stage) | "$" N | "dim" "(" DIM ")"
 *              | dtype "(" EXPR ")" (cast) | "select" "(" EXPR "," EXPR "," EXPR ")" | scalar.def's names "(" EXPR ["," EXPR] ")"
 *              // a number with point or exponent is f32, without i64
 *   SCHED    = "sched" emitter "vec" AXIS "*" lanes "unroll" N {"vec2" AXIS | "row" AXIS | "mr" N | "nv" N | "k" "(" groups ")"
 *              | "task" "(" AXES ")" | "grain" N | "order" "(" AXES ")" | "block" N | "pack" | "fetch" ("a" | "b") N | "parallel"}
 *   COST     = "cost" "flop" N "read" N "write" N "cycles" N
 *   step     = ["init"] "run" NAME "(" {"%" NAME | "_"} ")" [NODES] | ["init"] "call" STRING "(" ATTRS ")" "as" NAME
 *              ["in" VIEWS] ["out" VIEWS] ["because" STRING] [NODES]
 *              | "if" "%" NAME [NODES] "{" {step} "}" ["else" "{" {step} "}"]
 *              | "loop" ["%" NAME] ["for" NAME ["<" DIM]] ["carry" CARRY {"," CARRY}] [NODES] "{" {step} "}"
 *              // while it is true, or that often; a counter, at most so many turns
 *   CARRY    = "%" NAME "/" "%" NAME                 // the value now, and the next one, which the body computes
 *   NODES    = "nodes" NAME {"," NAME}
 *   VIEW     = "%" NAME TYPE "{" strides "}" "+" DIM
 *   ATTR     = "none" | "true" | "false" | integer | float | STRING | "$" (the next tensor) | dtype | "dim" "(" DIM ")"
 *              | "device" STRING | "name" STRING | "..." | "[" ATTRS "]" | "(" ATTRS ")" | "slice" "(" ATTRS ")"
 *   other    = "writeback" "%" NAME "->" "%" NAME | "why" NAME "->" NAME ":" VERDICT "saves" N "cost" N ["because" STRING]
 *
 * TYPE is dtype "[" DIMS "]"; DIM is what fx__dim_print writes; a NAME that is no word is a STRING. Buffers without a name of their
 * own are numbered. */
#include "ir/kir_text.h"
#include "ir/op.h"
#include <inttypes.h>
#include <string.h>

typedef struct printer {
    fx_text *text;
    const fx_program *program;
    char (*buf)[FX_NAME_BYTES]; /* [n_buf] */
} printer;

/* ---- Names ----------------------------------------------------------------------------------------------------------------- */

static void print_string(fx_text *text, const char *string)
{
    fx__text_append(text, "\"");
    for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
        if (*c == '"' || *c == '\\')
            fx__text_append(text, "\\%c", *c);
        else if (*c < 32 || *c == 127)
            fx__text_append(text, "\\x%02x", *c);
        else
            fx__text_append(text, "%c", *c);
    }
    fx__text_append(text, "\"");
}

void fx__kir_print_name(fx_text *text, const char *name)
{
    if (fx__kir_is_word(name))
        fx__text_append(text, "%s", name);
    else
        print_string(text, name ? name : "");
}

static bool buf_name_taken(char (*names)[FX_NAME_BYTES], int32_t before, const char *name)
{
    for (int32_t i = 0; i < before; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

/* The buffer's own name when it is a word, free and not too long; else its beginning with its number behind; else the number. */
static void choose_buf_name(const fx_program *program, char (*names)[FX_NAME_BYTES], int32_t b)
{
    const char *own = program->buf[b].name;
    char *out = names[b];
    if (fx__kir_is_word(own) && strcmp(own, "_") != 0) {
        snprintf(out, FX_NAME_BYTES, "%s", own);
        if (strlen(own) < FX_NAME_BYTES && !buf_name_taken(names, b, out)) return;
        snprintf(out, FX_NAME_BYTES, "%.24s.%d", own, b);
        if (!buf_name_taken(names, b, out)) return;
    }
    snprintf(out, FX_NAME_BYTES, "%d", b);
}

void fx__kir_buf_names(const fx_program *program, char (*out)[FX_NAME_BYTES])
{
    for (int32_t b = 0; b < program->n_buf; b++) choose_buf_name(program, out, b);
}

/* ---- Head ------------------------------------------------------------------------------------------------------------------- */

static void print_program(const printer *p)
{
    const fx_program *g = p->program;
    fx__text_append(p->text, "program inputs %d outputs %d states %d%s%s%s", g->n_input, g->n_output, g->n_state,
                    g->placed ? " placed" : "", g->scheduled ? " scheduled" : "", g->planned ? " planned" : "");
    fx__text_append(p->text, " workspace ");
    fx__kir_print_dim(p->text, g, g->workspace_bytes);
    fx__text_append(p->text, " consts %" PRId64 " scratch %" PRId64, g->const_bytes, g->scratch_bytes);
    if (g->state_bytes) fx__text_append(p->text, " state %" PRId64, g->state_bytes);
    fx__text_append(p->text, "\n");
}

static void print_syms(const printer *p)
{
    for (int32_t i = 0; i < fx__dims_sym_count(p->program->dims); i++) {
        const fx_sym *s = fx__dims_sym(p->program->dims, i);
        fx__text_append(p->text, "sym  ");
        fx__kir_print_name(p->text, s->name);
        fx__text_append(p->text, " in [%" PRId64 ",%" PRId64 "] hint %" PRId64 " multiple %" PRId64, s->lo, s->hi, s->hint,
                        s->multiple);
        if (s->input >= 0) fx__text_append(p->text, " from input %d axis %d", s->input, s->axis);
        if (s->counter) fx__text_append(p->text, " counter");
        fx__text_append(p->text, "\n");
    }
}

static void print_guards(const printer *p)
{
    for (int32_t i = 0; i < fx__dims_guard_count(p->program->dims); i++) {
        const fx_guard *g = fx__dims_guard(p->program->dims, i);
        fx__text_append(p->text, "guard %s ", fx__kir_guard_word(g->kind));
        fx__kir_print_dim(p->text, p->program, g->a);
        fx__text_append(p->text, ", ");
        fx__kir_print_dim(p->text, p->program, g->b);
        if (g->why) {
            fx__text_append(p->text, ", ");
            print_string(p->text, g->why);
        }
        fx__text_append(p->text, "\n");
    }
}

/* ---- Buffers ---------------------------------------------------------------------------------------------------------------- */

static void print_dims(const printer *p, const fx_dim *dim, int rank, char open, char close)
{
    fx__text_append(p->text, "%c", open);
    for (int d = 0; d < rank; d++) {
        if (d) fx__text_append(p->text, ",");
        fx__kir_print_dim(p->text, p->program, dim[d]);
    }
    fx__text_append(p->text, "%c", close);
}

/* A small table has no place in the module: its bytes are part of the program. */
static void print_data(const printer *p, const fx_buf *buf)
{
    static const char digit[] = "0123456789abcdef";
    const unsigned char *data = buf->data;
    int64_t bytes = (int64_t)fx_dtype_bytes(buf->dtype);
    for (int d = 0; d < buf->rank; d++) bytes *= buf->dim[d];
    fx__text_append(p->text, " data ");
    for (int64_t i = 0; i < bytes; i++) fx__text_put(p->text, (char[]){digit[data[i] >> 4], digit[data[i] & 15]}, 2);
    if (bytes == 0) fx__text_append(p->text, "_");
}

static void print_buf_role(const printer *p, const fx_buf *buf)
{
    fx__text_append(p->text, " %s", fx__kir_buf_word(buf->role));
    if (buf->role == FX_BUF_INPUT || buf->role == FX_BUF_OUTPUT || buf->role == FX_BUF_STATE)
        fx__text_append(p->text, " %d", buf->index);
    if (buf->role == FX_BUF_STATE && buf->path) {
        fx__text_append(p->text, " ");
        print_string(p->text, buf->path);
    }
    if (buf->role == FX_BUF_CONST && buf->path) {
        fx__text_append(p->text, " %d ", buf->index);
        print_string(p->text, buf->path);
    } else if (buf->role == FX_BUF_CONST && buf->data) {
        print_data(p, buf);
    }
}

static void print_buf(const printer *p, int32_t b)
{
    const fx_buf *buf = &p->program->buf[b];
    fx__text_append(p->text, "buf  %%%s: %s", p->buf[b], fx_dtype_name(buf->dtype));
    print_dims(p, buf->dim, buf->rank, '[', ']');
    print_buf_role(p, buf);
    if (buf->parent >= 0) {
        fx__text_append(p->text, " in %%%s ", p->buf[buf->parent]);
        print_dims(p, buf->at, buf->rank, '[', ']');
    }
    if (buf->align) fx__text_append(p->text, " align %u", buf->align);
    if (buf->offset != 0 || p->program->planned) {
        fx__text_append(p->text, " at ");
        fx__kir_print_dim(p->text, p->program, buf->offset);
    }
    if (buf->first || buf->last) fx__text_append(p->text, " live %d %d", buf->first, buf->last);
    fx__text_append(p->text, "\n");
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------------ */

static void print_nodes(const printer *p, const fx_step *step)
{
    for (int32_t i = 0; i < step->n_nodes; i++) {
        fx__text_append(p->text, i ? ", " : " nodes ");
        fx__kir_print_name(p->text, step->nodes[i]->name);
    }
}

static void print_run(const printer *p, const fx_step *step)
{
    const fx_kernel *kernel = p->program->kernel[step->kernel];
    fx__text_append(p->text, "run k%d(", step->kernel);
    for (int a = 0; a < kernel->n_arg; a++) {
        if (a) fx__text_append(p->text, ", ");
        if (step->bind[a].buf < 0)
            fx__text_append(p->text, "_");
        else
            fx__text_append(p->text, "%%%s", p->buf[step->bind[a].buf]);
    }
    fx__text_append(p->text, ")");
    print_nodes(p, step);
    fx__text_append(p->text, "\n");
}

static void print_view(const printer *p, const fx_kview *view)
{
    fx__text_append(p->text, "%%%s %s", p->buf[view->buf], fx_dtype_name(view->type.dtype));
    print_dims(p, view->type.dim, view->type.rank, '[', ']');
    print_dims(p, view->stride, view->type.rank, '{', '}');
    fx__text_append(p->text, "+");
    fx__kir_print_dim(p->text, p->program, view->base);
}

static void print_views(const printer *p, const char *word, const fx_kview *view, int32_t n)
{
    for (int32_t i = 0; i < n; i++) {
        if (i)
            fx__text_append(p->text, ", ");
        else
            fx__text_append(p->text, " %s ", word);
        print_view(p, &view[i]);
    }
}

static void print_items(fx_text *text, const fx_program *program, const fx_attr *attr, const char *open, const char *close)
{
    fx__text_append(text, "%s", open);
    for (int32_t i = 0; i < attr->n; i++) {
        if (i) fx__text_append(text, ", ");
        fx__kir_print_attr(text, program, &attr->u.items[i]);
    }
    fx__text_append(text, "%s", close);
}

static void print_word_string(fx_text *text, const char *word, const char *string)
{
    fx__text_append(text, "%s ", word);
    print_string(text, string);
}

void fx__kir_print_attr(fx_text *text, const fx_program *program, const fx_attr *attr)
{
    switch (attr->kind) {
    case FX_ATTR_ELLIPSIS:
        fx__text_append(text, "...");
        break;
    case FX_ATTR_BOOL:
        fx__text_append(text, "%s", attr->u.i ? "true" : "false");
        break;
    case FX_ATTR_INT:
        fx__text_append(text, "%" PRId64, attr->u.i);
        break;
    case FX_ATTR_FLOAT:
        fx__text_double(text, attr->u.f);
        break;
    case FX_ATTR_STR:
        print_string(text, attr->u.s);
        break;
    case FX_ATTR_DTYPE:
        fx__text_append(text, "%s", fx_dtype_name(attr->u.dtype));
        break;
    case FX_ATTR_DEVICE:
        print_word_string(text, "device", attr->u.s);
        break;
    case FX_ATTR_NAME:
        print_word_string(text, "name", attr->u.s);
        break;
    case FX_ATTR_NODE:
        fx__text_append(text, "$");
        break;
    case FX_ATTR_TUPLE:
        print_items(text, program, attr, "(", ")");
        break;
    case FX_ATTR_LIST:
        print_items(text, program, attr, "[", "]");
        break;
    case FX_ATTR_SLICE:
        print_items(text, program, attr, "slice(", ")");
        break;
    case FX_ATTR_SYMINT:
        fx__text_append(text, "dim(");
        fx__kir_print_dim(text, program, attr->u.dim);
        fx__text_append(text, ")");
        break;
    case FX_ATTR_NONE:
    case FX_ATTR_COMPLEX: /* no operator of the table takes the kinds below */
    case FX_ATTR_DICT:
    case FX_ATTR_RANGE:
    case FX_ATTR_GRAPH:
    case FX_ATTR_KIND_COUNT:
        fx__text_append(text, "none");
        break;
    }
}

static void print_call(const printer *p, const fx_step *step)
{
    fx__text_append(p->text, "call ");
    print_string(p->text, step->op->target);
    print_items(p->text, p->program, &step->node->args, "(", ")");
    fx__text_append(p->text, " as ");
    fx__kir_print_name(p->text, step->node->name);
    print_views(p, "in", step->view, step->n_view_in);
    print_views(p, "out", step->view + step->n_view_in, step->n_view - step->n_view_in);
    if (step->why_call) {
        fx__text_append(p->text, " because ");
        print_string(p->text, step->why_call);
    }
    print_nodes(p, step);
    fx__text_append(p->text, "\n");
}

static void print_block(const printer *p, const fx_block *block, const char *word, int depth);

static void print_loop_head(const printer *p, const fx_step *step)
{
    if (step->counter >= 0) {
        fx__text_append(p->text, " for ");
        fx__kir_print_name(p->text, fx__dims_sym(p->program->dims, step->counter)->name);
    }
    if (step->counter >= 0 && step->turns != -1) {
        fx__text_append(p->text, " < ");
        fx__kir_print_dim(p->text, p->program, step->turns);
    }
    for (int32_t i = 0; i < step->n_carry; i++)
        fx__text_append(p->text, "%s %%%s/%%%s", i ? "," : " carry", p->buf[step->carry[i].now], p->buf[step->carry[i].next]);
}

static void print_control(const printer *p, const fx_step *step, int depth)
{
    fx__text_append(p->text, "%s", step->kind == FX_STEP_IF ? "if" : "loop");
    if (step->cond >= 0) fx__text_append(p->text, " %%%s", p->buf[step->cond]);
    if (step->kind == FX_STEP_LOOP) print_loop_head(p, step);
    print_nodes(p, step);
    fx__text_append(p->text, " {\n");
    print_block(p, &step->body[0], "", depth + 1);
    if (step->kind == FX_STEP_IF && step->body[1].n) {
        fx__text_append(p->text, "%*s} else {\n", 2 * depth, "");
        print_block(p, &step->body[1], "", depth + 1);
    }
    fx__text_append(p->text, "%*s}\n", 2 * depth, "");
}

static void print_assert(const printer *p, const fx_step *step)
{
    fx__text_append(p->text, "assert %%%s ", p->buf[step->cond]);
    print_string(p->text, step->message);
    print_nodes(p, step);
    fx__text_append(p->text, "\n");
}

static void print_block(const printer *p, const fx_block *block, const char *word, int depth)
{
    for (int32_t i = 0; i < block->n; i++) {
        const fx_step *step = &block->step[i];
        fx__text_append(p->text, "%*s%s", 2 * depth, "", word);
        switch (step->kind) {
        case FX_STEP_RUN:
            print_run(p, step);
            break;
        case FX_STEP_CALL:
            print_call(p, step);
            break;
        case FX_STEP_IF:
        case FX_STEP_LOOP:
            print_control(p, step, depth);
            break;
        case FX_STEP_ASSERT:
            print_assert(p, step);
            break;
        }
    }
}

/* ---- Program ---------------------------------------------------------------------------------------------------------------- */

static void print_kernels(const printer *p)
{
    char name[16];
    for (int32_t k = 0; k < p->program->n_kernel; k++) {
        snprintf(name, sizeof name, "k%d", k);
        fx__kernel_print(p->text, p->program, p->program->kernel[k], name, false);
    }
}

static void print_tail(const printer *p)
{
    const fx_program *g = p->program;
    for (int32_t i = 0; i < g->n_writeback; i++)
        fx__text_append(p->text, "writeback %%%s -> %%%s\n", p->buf[g->writeback[i].from], p->buf[g->writeback[i].to]);
    for (int32_t i = 0; i < g->n_why; i++) {
        const fx_why *why = &g->why[i];
        fx__text_append(p->text, "why ");
        fx__kir_print_name(p->text, why->from ? why->from->name : NULL);
        fx__text_append(p->text, " -> ");
        fx__kir_print_name(p->text, why->to ? why->to->name : NULL);
        fx__text_append(p->text, ": %s saves %" PRId64 " cost %" PRId64, fx__kir_verdict_word(why->verdict), why->bytes_saved,
                        why->cost);
        if (why->because) {
            fx__text_append(p->text, " because ");
            print_string(p->text, why->because);
        }
        fx__text_append(p->text, "\n");
    }
}

char *fx__program_print(const fx_program *program)
{
    fx_text text;
    fx__text_init(&text, program->context);
    printer p = {.text = &text, .program = program};
    p.buf = fx__alloc(program->context, ((size_t)program->n_buf + 1) * sizeof *p.buf);
    if (!p.buf) return NULL;
    fx__kir_buf_names(program, p.buf);
    print_program(&p);
    print_syms(&p);
    print_guards(&p);
    for (int32_t b = 0; b < program->n_buf; b++) print_buf(&p, b);
    print_kernels(&p);
    print_block(&p, &program->init, "init ", 0);
    print_block(&p, &program->steps, "", 0);
    print_tail(&p);
    fx__free(program->context, p.buf);
    return fx__text_finish(&text);
}
