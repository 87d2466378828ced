/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_file.c: protobuf messages of ONNX to the structures of onnx_file.h. One function per message, one case per field; fields
 * that nothing needs (documentation, metadata, training) are passed over. Field numbers are onnx.proto's. */
#include "frontend/onnx_file.h"
#include "ir/diag.h"
#include <string.h>

typedef struct decoder {
    fx_arena *arena;
    fx_context *context;
    const char *file;
    const uint8_t *base;
    bool reported; /* the innermost message names the damage; those around it keep silent */
} decoder;

typedef fx_status (*on_field)(decoder *d, fx_wire_field *field, void *out);

static fx_status broken(decoder *d, const uint8_t *at, const char *what)
{
    if (d->reported) return FX_E_FORMAT;
    d->reported = true;
    return fx__diag(d->context, FX_E_FORMAT, NULL, "%s: malformed %s near byte %td", d->file, what, at - d->base);
}

static fx_status each_field(decoder *d, fx_wire message, const char *what, on_field handle, void *out)
{
    fx_wire_field field;
    fx_wire_step step;
    const uint8_t *at = message.at;
    while ((step = fx__wire_next(&message, &field)) == FX_WIRE_OK) {
        fx_status status = handle(d, &field, out);
        if (status == FX_E_FORMAT) return broken(d, at, what);
        if (status != FX_OK) return status;
        at = message.at;
    }
    return step == FX_WIRE_BROKEN ? broken(d, at, what) : FX_OK;
}

/* ---- Field values; FX_E_FORMAT without a diagnostic: each_field adds it with the place ----------------------------------- */

static fx_status take_text(const decoder *d, const fx_wire_field *field, const char **out)
{
    if (field->type != FX_WIRE_BYTES) return FX_E_FORMAT;
    size_t bytes = fx__wire_left(&field->bytes);
    if (memchr(field->bytes.at, 0, bytes)) return FX_E_FORMAT;
    *out = fx__intern_n(d->context, (const char *)field->bytes.at, bytes);
    return *out ? FX_OK : FX_E_OOM;
}

static fx_status take_int(const fx_wire_field *field, int64_t *out)
{
    if (field->type != FX_WIRE_VARINT) return FX_E_FORMAT;
    *out = (int64_t)field->value;
    return FX_OK;
}

static fx_status take_int32(const fx_wire_field *field, int32_t *out)
{
    if (field->type != FX_WIRE_VARINT) return FX_E_FORMAT;
    *out = (int32_t)field->value;
    return FX_OK;
}

static fx_status take_message(const fx_wire_field *field, fx_wire *out)
{
    if (field->type != FX_WIRE_BYTES) return FX_E_FORMAT;
    *out = field->bytes;
    return FX_OK;
}

static fx_status append_text(decoder *d, const fx_wire_field *field, const char ***items, int32_t *count, int32_t *capacity)
{
    const char **grown = fx__arena_grow(d->arena, *items, capacity, *count, sizeof *grown);
    if (!grown) return FX_E_OOM;
    *items = grown;
    return take_text(d, field, &grown[(*count)++]);
}

/* ---- TensorProto ---------------------------------------------------------------------------------------------------------- */

static fx_status take_dims(fx_wire_field *field, fx_onnx_tensor *tensor)
{
    uint64_t value;
    fx_wire_step step;
    while ((step = fx__wire_scalar(field, FX_WIRE_VARINT, &value)) == FX_WIRE_OK) {
        if ((int64_t)value < 0) return FX_E_FORMAT;
        if (tensor->rank < FX_RANK) tensor->dim[tensor->rank] = (int64_t)value;
        if (tensor->rank <= FX_RANK) tensor->rank++;
    }
    return step == FX_WIRE_END ? FX_OK : FX_E_FORMAT;
}

typedef struct key_value {
    const char *key, *value;
} key_value;

static fx_status key_value_field(decoder *d, fx_wire_field *field, void *out)
{
    key_value *entry = out;
    if (field->number == 1) return take_text(d, field, &entry->key);
    if (field->number == 2) return take_text(d, field, &entry->value);
    return FX_OK;
}

static fx_status parse_offset(const char *text, int64_t *out)
{
    int64_t value = 0;
    if (!*text) return FX_E_FORMAT;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10) return FX_E_FORMAT;
        value = value * 10 + (*text - '0');
    }
    *out = value;
    return FX_OK;
}

static fx_status take_external(decoder *d, const fx_wire_field *field, fx_onnx_tensor *tensor)
{
    fx_wire message;
    key_value entry = {"", ""};
    FX_TRY(take_message(field, &message));
    FX_TRY(each_field(d, message, "external data entry", key_value_field, &entry));
    if (strcmp(entry.key, "location") == 0) tensor->location = entry.value;
    if (strcmp(entry.key, "offset") == 0) return parse_offset(entry.value, &tensor->offset);
    if (strcmp(entry.key, "length") == 0) return parse_offset(entry.value, &tensor->length);
    return FX_OK;
}

static fx_status tensor_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_tensor *tensor = out;
    int64_t where;
    switch (field->number) {
    case 1:
        return take_dims(field, tensor);
    case 2:
        return take_int32(field, &tensor->type);
    case 8:
        return take_text(d, field, &tensor->name);
    case 9:
        tensor->has_raw = true;
        return take_message(field, &tensor->raw);
    case 13:
        return take_external(d, field, tensor);
    case 14:
        FX_TRY(take_int(field, &where));
        tensor->external = where == 1;
        return FX_OK;
    default:
        return FX_OK;
    }
}

static fx_status decode_tensor(decoder *d, fx_wire message, fx_onnx_tensor *out)
{
    *out = (fx_onnx_tensor){.name = "", .message = message, .length = -1};
    return each_field(d, message, "tensor", tensor_field, out);
}

/* ---- AttributeProto ------------------------------------------------------------------------------------------------------- */

/* ints and floats share their count: an attribute that sets both is malformed. */
static fx_status take_ints(decoder *d, fx_wire_field *field, fx_onnx_attr *attr)
{
    uint64_t value;
    if (attr->floats || fx__wire_count(field, FX_WIRE_VARINT) < 0) return FX_E_FORMAT;
    while (fx__wire_scalar(field, FX_WIRE_VARINT, &value) == FX_WIRE_OK) {
        if (attr->n == INT32_MAX) return FX_E_FORMAT;
        attr->ints = fx__arena_grow(d->arena, attr->ints, &attr->cap, attr->n, sizeof *attr->ints);
        if (!attr->ints) return FX_E_OOM;
        attr->ints[attr->n++] = (int64_t)value;
    }
    return FX_OK;
}

static fx_status take_floats(decoder *d, fx_wire_field *field, fx_onnx_attr *attr)
{
    uint64_t value;
    if (attr->ints || fx__wire_count(field, FX_WIRE_FIXED32) < 0) return FX_E_FORMAT;
    while (fx__wire_scalar(field, FX_WIRE_FIXED32, &value) == FX_WIRE_OK) {
        if (attr->n == INT32_MAX) return FX_E_FORMAT;
        attr->floats = fx__arena_grow(d->arena, attr->floats, &attr->cap, attr->n, sizeof *attr->floats);
        if (!attr->floats) return FX_E_OOM;
        attr->floats[attr->n++] = (double)fx__wire_float(value);
    }
    return FX_OK;
}

/* Old writers leave the type out: then the field that is set tells it. */
static void told_by_field(fx_onnx_attr *attr, fx_onnx_attr_type type)
{
    if (attr->type == 0) attr->type = (int32_t)type;
}

static fx_status take_scalar_float(const fx_wire_field *field, double *out)
{
    if (field->type != FX_WIRE_FIXED32) return FX_E_FORMAT;
    *out = (double)fx__wire_float(field->value);
    return FX_OK;
}

static fx_status take_bytes_text(decoder *d, const fx_wire_field *field, const char **out)
{
    if (field->type != FX_WIRE_BYTES) return FX_E_FORMAT;
    *out = fx__arena_copy(d->arena, (const char *)field->bytes.at, fx__wire_left(&field->bytes));
    return *out ? FX_OK : FX_E_OOM;
}

static fx_status attr_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_attr *attr = out;
    switch (field->number) {
    case 1:
        return take_text(d, field, &attr->name);
    case 2:
        told_by_field(attr, FX_ONNX_FLOAT);
        return take_scalar_float(field, &attr->f);
    case 3:
        told_by_field(attr, FX_ONNX_INT);
        return take_int(field, &attr->i);
    case 4:
        told_by_field(attr, FX_ONNX_TEXT);
        return take_bytes_text(d, field, &attr->s);
    case 5:
        told_by_field(attr, FX_ONNX_TENSOR);
        return take_message(field, &attr->message);
    case 6:
        told_by_field(attr, FX_ONNX_GRAPH);
        return take_message(field, &attr->message);
    case 7:
        told_by_field(attr, FX_ONNX_FLOATS);
        return take_floats(d, field, attr);
    case 8:
        told_by_field(attr, FX_ONNX_INTS);
        return take_ints(d, field, attr);
    case 9:
        return append_text(d, field, &attr->strings, &attr->n_strings, &attr->cap_strings);
    case 20:
        return take_int32(field, &attr->type);
    case 21:
        return take_text(d, field, &attr->ref);
    default:
        return FX_OK;
    }
}

/* ---- NodeProto ------------------------------------------------------------------------------------------------------------ */

static fx_status take_attr(decoder *d, const fx_wire_field *field, fx_onnx_node *node)
{
    fx_wire message;
    FX_TRY(take_message(field, &message));
    node->attrs = fx__arena_grow(d->arena, node->attrs, &node->cap_attrs, node->n_attrs, sizeof *node->attrs);
    if (!node->attrs) return FX_E_OOM;
    fx_onnx_attr *attr = &node->attrs[node->n_attrs++];
    *attr = (fx_onnx_attr){.name = "", .s = "", .ref = ""};
    FX_TRY(each_field(d, message, "attribute", attr_field, attr));
    bool other_type = (attr->type == FX_ONNX_INTS && attr->floats) || (attr->type == FX_ONNX_FLOATS && attr->ints);
    return other_type ? FX_E_FORMAT : FX_OK;
}

static fx_status node_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_node *node = out;
    switch (field->number) {
    case 1:
        return append_text(d, field, &node->inputs, &node->n_inputs, &node->cap_inputs);
    case 2:
        return append_text(d, field, &node->outputs, &node->n_outputs, &node->cap_outputs);
    case 3:
        return take_text(d, field, &node->name);
    case 4:
        return take_text(d, field, &node->op);
    case 5:
        return take_attr(d, field, node);
    case 7:
        return take_text(d, field, &node->domain);
    default:
        return FX_OK;
    }
}

/* ---- ValueInfoProto > TypeProto > TypeProto.Tensor > TensorShapeProto > Dimension ------------------------------------------ */

static fx_status dimension_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_value *value = out;
    int32_t axis = value->rank - 1;
    if (axis >= FX_RANK) return FX_OK;
    if (field->number == 1) return take_int(field, &value->dim[axis]);
    if (field->number == 2) return take_text(d, field, &value->param[axis]);
    return FX_OK;
}

static fx_status shape_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_value *value = out;
    fx_wire message;
    if (field->number != 1) return FX_OK;
    FX_TRY(take_message(field, &message));
    if (value->rank < FX_RANK) value->dim[value->rank] = -1;
    if (value->rank <= FX_RANK) value->rank++;
    return each_field(d, message, "dimension", dimension_field, value);
}

static fx_status tensor_type_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_value *value = out;
    fx_wire message;
    if (field->number == 1) return take_int32(field, &value->type);
    if (field->number != 2) return FX_OK;
    FX_TRY(take_message(field, &message));
    value->rank = 0;
    return each_field(d, message, "shape", shape_field, value);
}

static fx_status type_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_value *value = out;
    fx_wire message;
    if (field->number != 1) return FX_OK;
    FX_TRY(take_message(field, &message));
    value->is_tensor = true;
    return each_field(d, message, "tensor type", tensor_type_field, value);
}

static fx_status value_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_value *value = out;
    fx_wire message;
    if (field->number == 1) return take_text(d, field, &value->name);
    if (field->number != 2) return FX_OK;
    FX_TRY(take_message(field, &message));
    return each_field(d, message, "type", type_field, value);
}

/* ---- GraphProto and ModelProto --------------------------------------------------------------------------------------------- */

static fx_status take_node(decoder *d, const fx_wire_field *field, fx_onnx_graph *graph)
{
    fx_wire message;
    FX_TRY(take_message(field, &message));
    graph->nodes = fx__arena_grow(d->arena, graph->nodes, &graph->cap_nodes, graph->n_nodes, sizeof *graph->nodes);
    if (!graph->nodes) return FX_E_OOM;
    fx_onnx_node *node = &graph->nodes[graph->n_nodes++];
    *node = (fx_onnx_node){.name = "", .op = "", .domain = ""};
    return each_field(d, message, "node", node_field, node);
}

static fx_status take_value_info(decoder *d, const fx_wire_field *field, fx_onnx_value **items, int32_t *count, int32_t *capacity)
{
    fx_wire message;
    FX_TRY(take_message(field, &message));
    *items = fx__arena_grow(d->arena, *items, capacity, *count, sizeof **items);
    if (!*items) return FX_E_OOM;
    fx_onnx_value *value = &(*items)[(*count)++];
    *value = (fx_onnx_value){.name = "", .rank = -1};
    return each_field(d, message, "value description", value_field, value);
}

static fx_status take_initializer(decoder *d, const fx_wire_field *field, fx_onnx_graph *graph)
{
    fx_wire message;
    FX_TRY(take_message(field, &message));
    graph->tensors = fx__arena_grow(d->arena, graph->tensors, &graph->cap_tensors, graph->n_tensors, sizeof *graph->tensors);
    return graph->tensors ? decode_tensor(d, message, &graph->tensors[graph->n_tensors++]) : FX_E_OOM;
}

static fx_status graph_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_graph *graph = out;
    switch (field->number) {
    case 1:
        return take_node(d, field, graph);
    case 2:
        return take_text(d, field, &graph->name);
    case 5:
        return take_initializer(d, field, graph);
    case 11:
        return take_value_info(d, field, &graph->inputs, &graph->n_inputs, &graph->cap_inputs);
    case 12:
        return take_value_info(d, field, &graph->outputs, &graph->n_outputs, &graph->cap_outputs);
    case 15:
        graph->has_sparse = true;
        return FX_OK;
    default:
        return FX_OK;
    }
}

typedef struct opset_id {
    const char *domain;
    int64_t version;
} opset_id;

static fx_status opset_field(decoder *d, fx_wire_field *field, void *out)
{
    opset_id *id = out;
    if (field->number == 1) return take_text(d, field, &id->domain);
    if (field->number == 2) return take_int(field, &id->version);
    return FX_OK;
}

static fx_status take_opset(decoder *d, const fx_wire_field *field, int64_t *out)
{
    fx_wire message;
    opset_id id = {"", 0};
    FX_TRY(take_message(field, &message));
    FX_TRY(each_field(d, message, "opset_import", opset_field, &id));
    if (!*id.domain || strcmp(id.domain, "ai.onnx") == 0) *out = id.version;
    return FX_OK;
}

static fx_status function_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_function *function = out;
    switch (field->number) {
    case 1:
        return take_text(d, field, &function->name);
    case 4:
        return append_text(d, field, &function->inputs, &function->n_inputs, &function->cap_inputs);
    case 5:
        return append_text(d, field, &function->outputs, &function->n_outputs, &function->cap_outputs);
    case 7:
        return take_node(d, field, &function->body);
    case 9:
        return take_opset(d, field, &function->opset);
    case 10:
        return take_text(d, field, &function->domain);
    case 11:
        return take_attr(d, field, &function->defaults);
    default:
        return FX_OK;
    }
}

static fx_status take_function(decoder *d, const fx_wire_field *field, fx_onnx_model *model)
{
    fx_wire message;
    FX_TRY(take_message(field, &message));
    model->functions =
        fx__arena_grow(d->arena, model->functions, &model->cap_functions, model->n_functions, sizeof *model->functions);
    if (!model->functions) return FX_E_OOM;
    fx_onnx_function *function = &model->functions[model->n_functions++];
    *function = (fx_onnx_function){.name = "", .domain = "", .body.name = ""};
    return each_field(d, message, "function", function_field, function);
}

static fx_status model_field(decoder *d, fx_wire_field *field, void *out)
{
    fx_onnx_model *model = out;
    fx_wire message;
    switch (field->number) {
    case 1:
        return take_int(field, &model->ir_version);
    case 7:
        FX_TRY(take_message(field, &message));
        model->has_graph = true;
        return each_field(d, message, "graph", graph_field, &model->graph);
    case 8:
        return take_opset(d, field, &model->opset);
    case 25:
        return take_function(d, field, model);
    default:
        return FX_OK;
    }
}

static decoder decoder_for(fx_arena *arena, const char *file, const void *base)
{
    return (decoder){arena, fx__arena_context(arena), file, base, false};
}

fx_status fx__onnx_file_decode(fx_arena *arena, const char *file, const void *data, size_t bytes, fx_onnx_model *out)
{
    decoder d = decoder_for(arena, file, data);
    *out = (fx_onnx_model){.graph.name = ""};
    FX_TRY(each_field(&d, fx__wire_span(data, bytes), "model", model_field, out));
    if (!out->has_graph) return fx__diag(d.context, FX_E_FORMAT, NULL, "%s: an ONNX model without a graph", file);
    return FX_OK;
}

fx_status fx__onnx_file_graph(fx_arena *arena, const char *file, fx_wire message, fx_onnx_graph *out)
{
    decoder d = decoder_for(arena, file, message.at);
    *out = (fx_onnx_graph){.name = ""};
    return each_field(&d, message, "graph", graph_field, out);
}

fx_status fx__onnx_file_tensor(fx_arena *arena, const char *file, fx_wire message, fx_onnx_tensor *out)
{
    decoder d = decoder_for(arena, file, message.at);
    return decode_tensor(&d, message, out);
}

/* ---- Element types --------------------------------------------------------------------------------------------------------- */

static const char *const type_names[FX_ONNX_TYPE_COUNT] = {
    "undefined",      "float32",    "uint8",          "int8",   "uint16", "int16",      "int32",      "int64",    "string",
    "bool",           "float16",    "float64",        "uint32", "uint64", "complex64",  "complex128", "bfloat16", "float8e4m3fn",
    "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",  "int4",   "float4e2m1", "float8e8m0", "uint2",    "int2"};

static const int8_t type_dtypes[FX_ONNX_TYPE_COUNT] = {-1,      FX_F32, FX_U8,  FX_I8,  FX_U16, FX_I16, FX_I32, FX_I64,  -1,
                                                       FX_BOOL, FX_F16, FX_F64, FX_U32, FX_U64, -1,     -1,     FX_BF16, -1,
                                                       -1,      -1,     -1,     -1,     -1,     -1,     -1,     -1,      -1};

const char *fx__onnx_type_name(int32_t type)
{
    return type < 0 || type >= FX_ONNX_TYPE_COUNT ? "?" : type_names[type];
}

bool fx__onnx_dtype(int32_t type, fx_dtype *out_dtype)
{
    if (type < 0 || type >= FX_ONNX_TYPE_COUNT || type_dtypes[type] < 0) return false;
    *out_dtype = (fx_dtype)type_dtypes[type];
    return true;
}
