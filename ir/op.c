/* SPDX-License-Identifier: Apache-2.0 */
/* ir/op.c: the operator table. Rows come from ir/ops/ops.def; schemas and the index of names are built once per process, when
 * first asked for, and only read afterwards. */
#include "ir/op.h"
#include "fxjit/compile.h"
#include "ir/op_schema.h"
#include <stdio.h>
#include <string.h>
#include <threads.h>

#define FX_OP(name) extern const fx_op fx_op_##name;
#include "ir/ops/ops.def"
#undef FX_OP

static const fx_op *const table[] = {
#define FX_OP(name) [FX_OP_##name] = &fx_op_##name,
#include "ir/ops/ops.def"
#undef FX_OP
};
_Static_assert(sizeof table / sizeof table[0] == FX_OP_COUNT, "one entry per row");

/* ---- Names -------------------------------------------------------------------------------------------------------------- */

enum { NAME_SLOTS = 16384 }; /* power of two */
_Static_assert(FX_OP_COUNT * 32 < NAME_SLOTS, "the index of names has room for 32 names per row");

/* Open addressing; names are slices of the rows' own strings. */
static struct name_slot {
    const char *text;
    size_t bytes;
    const fx_op *op;
} names[NAME_SLOTS];
static fx_schema schemas[FX_OP_COUNT];
static bool schema_good[FX_OP_COUNT];
static once_flag built = ONCE_FLAG_INIT;

static uint32_t hash(const char *text, size_t bytes)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++) h = (h ^ (unsigned char)text[i]) * 16777619u;
    return h;
}

/* "torch.ops.aten.relu.default" is found as "aten.relu.default". */
static const char *strip(const char *name)
{
    static const char prefix[] = "torch.ops.";
    return strncmp(name, prefix, sizeof prefix - 1) == 0 ? name + sizeof prefix - 1 : name;
}

/* Slot that holds this name or is free for it. */
static struct name_slot *name_slot(const char *text, size_t bytes)
{
    uint32_t i = hash(text, bytes) % NAME_SLOTS;
    while (names[i].text && (names[i].bytes != bytes || memcmp(names[i].text, text, bytes) != 0)) i = (i + 1) % NAME_SLOTS;
    return &names[i];
}

/* The first row that claims a name keeps it; test_op_bind reports names that two rows claim. */
static void name_add(const char *text, size_t bytes, const fx_op *op)
{
    const char *key = strip(text);
    struct name_slot *slot = name_slot(key, bytes - (size_t)(key - text));
    if (!slot->text) *slot = (struct name_slot){key, bytes - (size_t)(key - text), op};
}

static void names_add_words(const char *words, const fx_op *op)
{
    while (words && *words) {
        size_t bytes = strcspn(words, " ");
        if (bytes) name_add(words, bytes, op);
        words += bytes + (words[bytes] == ' ');
    }
}

static void build(void)
{
    for (int32_t i = 0; i < FX_OP_COUNT; i++) {
        schema_good[i] = fx__schema_parse(table[i]->schema, &schemas[i]);
        name_add(table[i]->target, strlen(table[i]->target), table[i]);
        name_add(table[i]->name, strlen(table[i]->name), table[i]);
    }
    for (int32_t i = 0; i < FX_OP_COUNT; i++) names_add_words(table[i]->names, table[i]);
}

bool fx__op_home(const char *target, char *out, size_t room)
{
    static const struct {
        const char *recorded, *home;
    } modules[] = {{"torch._C._nn.", "torch.nn.functional."},
                   {"torch.functional.", "torch."},
                   {"torch._C._special.special_", "torch.special."},
                   {"torch._C._linalg.linalg_", "torch.linalg."},
                   {"torch.Tensor.", "method:"}};
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++) {
        size_t bytes = strlen(modules[i].recorded);
        if (strncmp(target, modules[i].recorded, bytes) != 0) continue;
        int n = snprintf(out, room, "%s%s", modules[i].home, target + bytes);
        return n >= 0 && (size_t)n < room;
    }
    return false;
}

static const fx_op *find(const char *name)
{
    const char *key = strip(name);
    return name_slot(key, strlen(key))->op;
}

const fx_op *fx__op_find(const char *name)
{
    char home[160];
    call_once(&built, build);
    const fx_op *op = find(name);
    return !op && fx__op_home(name, home, sizeof home) ? find(home) : op;
}

const fx_op *fx__op_of(const fx_node *node)
{
    if (node->op || node->opcode != FX_CALL_METHOD) return node->op;
    char name[128] = "method:";
    size_t bytes = strlen(node->target);
    if (bytes + 8 > sizeof name) return NULL;
    memcpy(name + 7, node->target, bytes + 1);
    return fx__op_find(name);
}

/* ---- Rows --------------------------------------------------------------------------------------------------------------- */

const fx_op *fx__op(fx_op_code code)
{
    return table[code];
}

int32_t fx__op_code(const fx_op *op)
{
    for (int32_t i = 0; i < FX_OP_COUNT; i++)
        if (table[i] == op) return i;
    return -1;
}

static const fx_schema *schema_of(const fx_op *op)
{
    call_once(&built, build);
    int32_t i = fx__op_code(op);
    return i >= 0 && schema_good[i] ? &schemas[i] : NULL;
}

const fx_param *fx__op_params(const fx_op *op, int32_t *out_count)
{
    const fx_schema *schema = schema_of(op);
    *out_count = schema ? schema->n_params : -1;
    return schema ? schema->param : NULL;
}

int32_t fx__op_schema_results(const fx_op *op)
{
    const fx_schema *schema = schema_of(op);
    return schema ? schema->n_results : 0;
}

int32_t fx__op_param(const fx_op *op, const char *name)
{
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    for (int32_t i = 0; i < n; i++)
        if (strcmp(params[i].name, name) == 0) return i;
    return -1;
}

int32_t fx_op_count(void)
{
    return FX_OP_COUNT;
}
const fx_op *fx_op_at(int32_t index)
{
    return index >= 0 && index < FX_OP_COUNT ? table[index] : NULL;
}
const fx_op *fx_op_find(const char *target)
{
    return fx__op_find(target);
}
const char *fx_op_name(const fx_op *op)
{
    return op->name;
}
const char *fx_op_target(const fx_op *op)
{
    return op->target;
}
const char *fx_op_schema(const fx_op *op)
{
    return op->schema;
}
const char *fx_op_onnx(const fx_op *op)
{
    return op->onnx ? op->onnx : "";
}

const char *fx_op_family(const fx_op *op)
{
    return op->family;
}

const char *fx_op_form(const fx_op *op)
{
    if (op->view) return "view";
    if (op->lower) return "kernel";
    return op->decompose ? "operators" : "call";
}

bool fx_op_takes(const fx_op *op, fx_dtype dtype)
{
    return dtype < FX_DTYPE_COUNT && (op->dtypes >> dtype & 1);
}
