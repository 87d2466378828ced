/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_call.c: what adapters use to read a node and to build what it means (onnx.h). Constants stay tensors or integers until a
 * node needs them as data; only then do they become a parameter of the module and a get_attr node. */
#include "frontend/onnx.h"
#include "ir/op.h"
#include <stdarg.h>
#include <string.h>

void fx__onnx_error(fx_onnx_call *call, fx_status status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fx__diag(call->import->context, status, NULL, "%s: %s node \"%s\": %s", call->import->file, call->node->op, call->loc.function,
             text);
    call->failed = true;
    if (call->import->status == FX_OK) call->import->status = status;
}

static void out_of_memory(fx_onnx_call *call)
{
    call->failed = true;
    if (call->import->status == FX_OK) call->import->status = FX_E_OOM;
}

static fx_onnx_slot *slot_of(const fx_onnx_call *call, const char *name)
{
    return fx__onnx_slot(call->import, name);
}

static fx_onnx_slot *input_slot(const fx_onnx_call *call, int32_t index)
{
    return fx__onnx_has(call, index) ? slot_of(call, call->node->inputs[index]) : NULL;
}

bool fx__onnx_has(const fx_onnx_call *call, int32_t index)
{
    if (index >= call->node->n_inputs || !*call->node->inputs[index]) return false;
    const fx_onnx_slot *slot = slot_of(call, call->node->inputs[index]);
    return !slot || !slot->absent;
}

/* ---- Constants --------------------------------------------------------------------------------------------------------------- */

static const fx_tensor *slot_tensor(fx_onnx_call *call, fx_onnx_slot *slot)
{
    fx_onnx_import *im = call->import;
    if (slot->has_tensor) return &slot->tensor;
    if (slot->node && !slot->initializer) return fx__onnx_value(im, slot->node);
    if (!slot->initializer || slot->failed) return NULL;
    fx_status status =
        fx__onnx_tensor_read(im->store, im->file, im->source.directory, slot->initializer, im->source.borrow, &slot->tensor);
    slot->has_tensor = status == FX_OK;
    if (slot->has_tensor) return &slot->tensor;
    slot->failed = call->failed = true;
    if (im->status == FX_OK) im->status = status;
    return NULL;
}

static bool all_constant(const fx_onnx_known *known)
{
    for (int32_t i = 0; i < known->n; i++)
        if (!fx_dim_is_const(known->item[i])) return false;
    return true;
}

static const fx_tensor *tensor_of_known(fx_onnx_call *call, fx_onnx_slot *slot)
{
    const fx_onnx_known *known = slot->known;
    if (!known || !all_constant(known)) return NULL;
    int64_t dim = known->n;
    fx_tensor tensor = fx_tensor_view(NULL, known->dtype, known->rank, &dim);
    tensor.data = fx__store_alloc(call->import->store, (size_t)fx_tensor_bytes(&tensor));
    if (!tensor.data) return NULL;
    for (int32_t i = 0; i < known->n; i++) {
        if (known->dtype == FX_I64) ((int64_t *)tensor.data)[i] = known->item[i];
        if (known->dtype == FX_I32) ((int32_t *)tensor.data)[i] = (int32_t)known->item[i];
        if (known->dtype == FX_BOOL) ((bool *)tensor.data)[i] = known->item[i] != 0;
    }
    slot->tensor = tensor;
    slot->has_tensor = true;
    return &slot->tensor;
}

const fx_tensor *fx__onnx_slot_tensor(fx_onnx_call *call, fx_onnx_slot *slot)
{
    const fx_tensor *tensor = slot_tensor(call, slot);
    return tensor || slot->failed ? tensor : tensor_of_known(call, slot);
}

const fx_tensor *fx__onnx_tensor(fx_onnx_call *call, int32_t index)
{
    fx_onnx_slot *slot = input_slot(call, index);
    return slot ? fx__onnx_slot_tensor(call, slot) : NULL;
}

static bool can_be_known(const fx_tensor *tensor)
{
    bool suits = tensor->dtype == FX_I64 || tensor->dtype == FX_I32 || tensor->dtype == FX_BOOL;
    return suits && tensor->rank <= 1 && fx_tensor_elems(tensor) <= FX_ONNX_KNOWN;
}

static int64_t int_at(const fx_tensor *tensor, int64_t i)
{
    if (tensor->dtype == FX_I64) return ((const int64_t *)tensor->data)[i];
    return tensor->dtype == FX_I32 ? ((const int32_t *)tensor->data)[i] : ((const uint8_t *)tensor->data)[i];
}

/* Very negative numbers would read as handles of expressions; slices use them for "from the start". */
static fx_dim as_dim(int64_t value)
{
    return value < FX_DIM_EXPR ? FX_DIM_EXPR : value;
}

static const fx_onnx_known *known_of_tensor(fx_onnx_call *call, const fx_tensor *tensor)
{
    fx_arena *arena = call->import->arena;
    int32_t n = (int32_t)fx_tensor_elems(tensor);
    fx_onnx_known *known = FX_NEW(arena, fx_onnx_known);
    fx_dim *items = FX_NEW_ARRAY(arena, fx_dim, n + 1);
    if (!known || !items) {
        out_of_memory(call);
        return NULL;
    }
    for (int32_t i = 0; i < n; i++) items[i] = as_dim(int_at(tensor, i));
    *known = (fx_onnx_known){tensor->dtype, tensor->rank, n, items};
    return known;
}

const fx_onnx_known *fx__onnx_known(fx_onnx_call *call, int32_t index)
{
    fx_onnx_slot *slot = input_slot(call, index);
    if (!slot || slot->known) return slot ? slot->known : NULL;
    const fx_tensor *tensor = slot_tensor(call, slot);
    if (tensor && can_be_known(tensor)) slot->known = known_of_tensor(call, tensor);
    return slot->known;
}

const fx_onnx_known *fx__onnx_need_known(fx_onnx_call *call, int32_t index, const char *what)
{
    const fx_onnx_known *known = fx__onnx_known(call, index);
    if (!known && !call->failed)
        fx__onnx_error(call, FX_E_UNSUPPORTED, "its %s (\"%s\") must be known when importing", what,
                       fx__onnx_has(call, index) ? call->node->inputs[index] : "absent");
    return known;
}

/* ---- Values as nodes --------------------------------------------------------------------------------------------------------- */

static fx_attr parameter_node(fx_onnx_call *call, fx_onnx_slot *slot, const fx_tensor *tensor)
{
    fx_onnx_import *im = call->import;
    bool whole_file = !im->scope->outer && !im->scope->caller, own_name = whole_file && fx__onnx_slot(im, slot->name) == slot;
    const char *path = own_name ? slot->name : fx__module_add_constant(im->module, "constant", tensor, NULL, NULL);
    if (path && (!own_name || fx_module_add_tensor(im->module, path, tensor, false, NULL, NULL) == FX_OK))
        slot->node = fx_graph_get_attr(im->graph, path);
    if (!slot->node) {
        out_of_memory(call);
        return fx_none();
    }
    fx_node_set_loc(slot->node, (fx_loc){im->file, 0, slot->name});
    return fx_node_attr(slot->node);
}

static fx_attr fill_node(fx_onnx_call *call, fx_onnx_slot *slot)
{
    const fx_type *type = &slot->fill->type;
    fx_attr value = fx__onnx_full(call, type->dim, type->rank, type->dtype, slot->fill->value);
    slot->node = value.kind == FX_ATTR_NODE ? value.u.node : NULL;
    return value;
}

/* Sizes that hold symbols as data: a tensor that is filled at run time. */
static fx_attr known_node(fx_onnx_call *call, fx_onnx_slot *slot)
{
    const fx_onnx_known *known = slot->known;
    fx_attr items[FX_ONNX_KNOWN], none = fx_list(call->import->graph, NULL, 0);
    if (known->dtype == FX_BOOL) return fx_none();
    for (int32_t i = 0; i < known->n; i++)
        items[i] = FX_EMIT(call, "aten.full.default", none, fx_dim_attr(known->item[i]), fx_dtype_attr(known->dtype));
    fx_attr value =
        known->rank == 0 ? items[0] : FX_EMIT(call, "aten.stack.default", fx_list(call->import->graph, items, known->n), fx_int(0));
    slot->node = value.kind == FX_ATTR_NODE ? value.u.node : NULL;
    return value;
}

fx_attr fx__onnx_slot_node(fx_onnx_call *call, fx_onnx_slot *slot)
{
    if (slot->node) return fx_node_attr(slot->node);
    if (slot->fill) return fill_node(call, slot);
    if (slot->is_sequence) fx__onnx_error(call, FX_E_TYPE, "a sequence (\"%s\") is used as a tensor", slot->name);
    const fx_tensor *tensor = fx__onnx_slot_tensor(call, slot);
    if (tensor) return parameter_node(call, slot, tensor);
    return slot->known ? known_node(call, slot) : fx_none();
}

fx_attr fx__onnx_in(fx_onnx_call *call, int32_t index)
{
    fx_onnx_slot *slot = input_slot(call, index);
    return slot ? fx__onnx_slot_node(call, slot) : fx_none();
}

/* Every dim is 1 or that of the type, so that broadcasting against it adds nothing. */
static bool is_within(const fx_type *small, const fx_type *type)
{
    for (int32_t i = 1; i <= small->rank && i <= type->rank; i++) {
        fx_dim own = small->dim[small->rank - i];
        if (own != 1 && own != type->dim[type->rank - i]) return false;
    }
    return small->rank <= type->rank;
}

bool fx__onnx_is_fill(const fx_onnx_call *call, int32_t index)
{
    const fx_onnx_slot *slot = input_slot(call, index);
    return slot && slot->fill && !slot->node;
}

fx_attr fx__onnx_operand(fx_onnx_call *call, int32_t index, const fx_type *beside)
{
    const fx_onnx_fill *fill = fx__onnx_is_fill(call, index) ? input_slot(call, index)->fill : NULL;
    if (!fill || !beside || fill->type.dtype != beside->dtype || beside->dtype == FX_BOOL || !is_within(&fill->type, beside))
        return fx__onnx_in(call, index);
    return fx_dtype_is_float(beside->dtype) ? fx_float(fill->value) : fx_int((int64_t)fill->value);
}

const fx_type *fx__onnx_type(fx_attr value)
{
    return value.kind == FX_ATTR_NODE ? fx_node_type(value.u.node, 0) : NULL;
}

const fx_type *fx__onnx_need_type(fx_onnx_call *call, fx_attr value)
{
    const fx_type *type = fx__onnx_type(value);
    if (!type && !call->failed)
        fx__onnx_error(call, FX_E_SHAPE, "the shape of an input is not known, and its translation depends on it");
    return type;
}

static int32_t known_ints(fx_onnx_call *call, const fx_onnx_known *known, int64_t out[FX_RANK])
{
    if (!known) return -1;
    if (known->n > FX_RANK || !all_constant(known)) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "a list of at most %d constant integers is needed", FX_RANK);
        return -1;
    }
    for (int32_t i = 0; i < known->n; i++) out[i] = known->item[i];
    return known->n;
}

int32_t fx__onnx_ints_of(fx_onnx_call *call, int32_t index, const char *attr, int64_t out[FX_RANK])
{
    if (fx__onnx_has(call, index)) return known_ints(call, fx__onnx_need_known(call, index, attr), out);
    return fx__onnx_ints(call, attr, out);
}

/* ---- Attributes -------------------------------------------------------------------------------------------------------------- */

static const fx_onnx_attr *attr_of(const fx_onnx_node *node, const char *name)
{
    for (int32_t i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

const fx_onnx_attr *fx__onnx_attr(const fx_onnx_call *call, const char *name)
{
    const fx_onnx_attr *attr = attr_of(call->node, name);
    if (!attr || !*attr->ref || !call->scope->caller) return attr;
    const fx_onnx_attr *given = fx__onnx_attr(call->scope->caller, attr->ref);
    return given ? given : attr_of(&call->scope->function->defaults, attr->ref);
}

static const fx_onnx_attr *typed_attr(fx_onnx_call *call, const char *name, fx_onnx_attr_type type)
{
    const fx_onnx_attr *attr = fx__onnx_attr(call, name);
    if (attr && attr->type != (int32_t)type) {
        fx__onnx_error(call, FX_E_FORMAT, "attribute \"%s\" is of the wrong kind", name);
        return NULL;
    }
    return attr;
}

int64_t fx__onnx_int(fx_onnx_call *call, const char *name, int64_t fallback)
{
    const fx_onnx_attr *attr = typed_attr(call, name, FX_ONNX_INT);
    return attr ? attr->i : fallback;
}

double fx__onnx_float(fx_onnx_call *call, const char *name, double fallback)
{
    const fx_onnx_attr *attr = typed_attr(call, name, FX_ONNX_FLOAT);
    return attr ? attr->f : fallback;
}

const char *fx__onnx_text(fx_onnx_call *call, const char *name, const char *fallback)
{
    const fx_onnx_attr *attr = typed_attr(call, name, FX_ONNX_TEXT);
    return attr ? attr->s : fallback;
}

int32_t fx__onnx_ints(fx_onnx_call *call, const char *name, int64_t out[FX_RANK])
{
    const fx_onnx_attr *attr = typed_attr(call, name, FX_ONNX_INTS);
    if (!attr) return -1;
    if (attr->n > FX_RANK) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "attribute \"%s\" has %d values; at most %d are supported", name, (int)attr->n,
                       FX_RANK);
        return -1;
    }
    for (int32_t i = 0; i < attr->n; i++) out[i] = attr->ints[i];
    return attr->n;
}

int32_t fx__onnx_axis(fx_onnx_call *call, int64_t axis, int32_t rank)
{
    if (axis >= -rank && axis < rank) return (int32_t)(axis < 0 ? axis + rank : axis);
    fx__onnx_error(call, FX_E_SHAPE, "axis %lld is outside of %d dimensions", (long long)axis, (int)rank);
    return 0;
}

/* ---- Building ---------------------------------------------------------------------------------------------------------------- */

/* ATen takes some parameters by keyword only; adapters need not know which. */
static fx_status split_args(fx_graph *graph, const fx_op *op, const fx_attr *args, int32_t n, fx_node_spec *spec)
{
    const char *keys[FX_PARAMS];
    fx_attr items[FX_PARAMS];
    int32_t n_params = 0, n_keys = 0, n_plain = 0;
    const fx_param *params = fx__op_params(op, &n_params);
    while (n_plain < n && n_plain < n_params && !params[n_plain].keyword_only) n_plain++;
    for (int32_t i = n_plain; i < n && i < n_params; i++) {
        keys[n_keys] = params[i].name;
        items[n_keys++] = args[i];
    }
    spec->args = fx_tuple(graph, args, n_plain);
    spec->kwargs = n_keys ? fx_dict(graph, keys, items, n_keys) : fx_none();
    return spec->args.kind == FX_ATTR_NONE || (n_keys && spec->kwargs.kind == FX_ATTR_NONE) ? FX_E_OOM : FX_OK;
}

static bool inputs_typed(const fx_node *node)
{
    for (int32_t i = 0; i < node->n_inputs; i++)
        if (!fx_node_type(node->inputs[i], 0)) return false;
    return true;
}

static fx_node *build(fx_onnx_call *call, const char *target, const char *name, const fx_attr *args, int32_t n)
{
    fx_graph *graph = call->import->graph;
    const fx_op *op = fx__op_find(target);
    if (!op) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "the operator table lacks %s", target);
        return NULL;
    }
    fx_node_spec spec = {.opcode = FX_CALL_FUNCTION, .target = op->target, .name = name, .loc = call->loc};
    fx_node *node = split_args(graph, op, args, n, &spec) == FX_OK ? fx_graph_create_node(graph, &spec) : NULL;
    if (!node) {
        out_of_memory(call);
        return NULL;
    }
    fx_status status = inputs_typed(node) ? fx__op_infer(node) : FX_OK;
    if (status == FX_OK) status = fx__onnx_evaluate(call->import, node);
    if (status == FX_OK) return node;
    call->failed = true;
    if (call->import->status == FX_OK) call->import->status = status;
    return NULL;
}

static fx_attr emit(fx_onnx_call *call, const char *target, const char *name, const fx_attr *args, int32_t n)
{
    if (call->failed) return fx_none();
    fx_node *node = build(call, target, name, args, n);
    return node ? fx_node_attr(node) : fx_none();
}

fx_attr fx__onnx_emit(fx_onnx_call *call, const char *target, const fx_attr *args, int32_t n)
{
    return emit(call, target, NULL, args, n);
}

void fx__onnx_emit_out(fx_onnx_call *call, const char *target, const fx_attr *args, int32_t n)
{
    const char *name = call->node->n_outputs && *call->node->outputs[0] ? call->node->outputs[0] : NULL;
    fx__onnx_give(call, 0, emit(call, target, name, args, n));
}

static fx_onnx_slot *output_slot(const fx_onnx_call *call, int32_t index)
{
    bool wanted = index < call->node->n_outputs && *call->node->outputs[index];
    return wanted && !call->failed ? slot_of(call, call->node->outputs[index]) : NULL;
}

void fx__onnx_give(fx_onnx_call *call, int32_t index, fx_attr value)
{
    fx_onnx_slot *slot = output_slot(call, index);
    if (slot && value.kind == FX_ATTR_NODE) slot->node = value.u.node;
}

void fx__onnx_give_tensor(fx_onnx_call *call, int32_t index, const fx_tensor *tensor)
{
    fx_onnx_slot *slot = output_slot(call, index);
    if (!slot) return;
    slot->tensor = *tensor;
    slot->has_tensor = true;
}

fx_onnx_slot fx__onnx_input_value(fx_onnx_call *call, int32_t index)
{
    const fx_onnx_slot *slot = input_slot(call, index);
    return slot ? *slot : (fx_onnx_slot){.absent = true};
}

void fx__onnx_give_value(fx_onnx_call *call, int32_t index, const fx_onnx_slot *value)
{
    fx_onnx_slot *slot = output_slot(call, index);
    if (!slot) return;
    fx_onnx_slot own = *slot;
    *slot = *value;
    slot->name = own.name;
    slot->producer = own.producer;
}

void fx__onnx_give_fill(fx_onnx_call *call, int32_t index, const fx_type *type, double value)
{
    fx_onnx_slot *slot = output_slot(call, index);
    fx_onnx_fill *fill = slot ? FX_NEW(call->import->arena, fx_onnx_fill) : NULL;
    if (slot && !fill) out_of_memory(call);
    if (!fill) return;
    *fill = (fx_onnx_fill){*type, value};
    slot->fill = fill;
}

void fx__onnx_give_known(fx_onnx_call *call, int32_t index, const fx_onnx_known *known)
{
    fx_onnx_slot *slot = output_slot(call, index);
    if (slot) slot->known = known;
}

bool fx__onnx_read(fx_onnx_call *call, fx_wire message, fx_tensor *out)
{
    fx_onnx_import *im = call->import;
    fx_onnx_tensor tensor;
    fx_status status = fx__onnx_file_tensor(im->arena, im->file, message, &tensor);
    if (status == FX_OK) status = fx__onnx_tensor_read(im->store, im->file, im->source.directory, &tensor, im->source.borrow, out);
    if (status == FX_OK) return true;
    call->failed = true;
    if (im->status == FX_OK) im->status = status;
    return false;
}

fx_attr fx__onnx_cast(fx_onnx_call *call, fx_attr value, fx_dtype dtype)
{
    const fx_type *type = fx__onnx_type(value);
    return type && type->dtype == dtype ? value : FX_EMIT(call, "aten._to_copy.default", value, fx_dtype_attr(dtype));
}

/* A size in a hostile file must not eat all memory: larger constants are made at run time. */
enum { LARGEST_CONSTANT = 1 << 24 };

bool fx__onnx_new_tensor(fx_onnx_call *call, fx_dtype dtype, int32_t rank, const int64_t *dim, fx_tensor *out)
{
    *out = fx_tensor_view(NULL, dtype, rank, dim);
    int64_t bytes = fx_tensor_bytes(out);
    if (bytes < 0 || bytes > LARGEST_CONSTANT) {
        fx__onnx_error(call, FX_E_UNSUPPORTED, "a constant of more than %d bytes is needed", LARGEST_CONSTANT);
        return false;
    }
    out->data = fx__store_alloc(call->import->store, (size_t)bytes);
    if (out->data)
        memset(out->data, 0, (size_t)bytes);
    else
        out_of_memory(call);
    return out->data != NULL;
}

fx_attr fx__onnx_constant(fx_onnx_call *call, const fx_tensor *tensor)
{
    fx_onnx_import *im = call->import;
    const char *path = fx__module_add_constant(im->module, "constant", tensor, NULL, NULL);
    fx_node *node = path ? fx_graph_get_attr(im->graph, path) : NULL;
    if (!node) {
        out_of_memory(call);
        return fx_none();
    }
    fx_node_set_loc(node, call->loc);
    return fx_node_attr(node);
}

fx_attr fx__onnx_full(fx_onnx_call *call, const fx_dim *dims, int32_t n, fx_dtype dtype, double value)
{
    bool constant = n <= FX_RANK;
    for (int32_t i = 0; i < n; i++) constant = constant && fx_dim_is_const(dims[i]);
    fx_tensor tensor = constant ? fx_tensor_view(NULL, dtype, n, dims) : (fx_tensor){0};
    int64_t bytes = constant ? fx_tensor_bytes(&tensor) : -1;
    if (bytes < 0 || bytes > LARGEST_CONSTANT) {
        fx_attr number = fx_dtype_is_float(dtype) ? fx_float(value) : fx_int((int64_t)value);
        return FX_EMIT(call, "aten.full.default", fx__onnx_dims(call, dims, n), number, fx_dtype_attr(dtype));
    }
    if (!fx__onnx_new_tensor(call, dtype, n, dims, &tensor)) return fx_none();
    for (int64_t i = 0; i < fx_tensor_elems(&tensor); i++) fx_tensor_set(&tensor, i, value);
    return fx__onnx_constant(call, &tensor);
}

fx_attr fx__onnx_dims(fx_onnx_call *call, const fx_dim *dims, int32_t n)
{
    fx_attr items[FX_ONNX_KNOWN];
    for (int32_t i = 0; i < n; i++) items[i] = fx_dim_attr(dims[i]);
    return fx_list(call->import->graph, items, n);
}

fx_attr fx__onnx_list(fx_onnx_call *call, const int64_t *values, int32_t n)
{
    return fx_ints(call->import->graph, values, n);
}
