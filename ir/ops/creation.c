/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors made from numbers: full, zeros, ones, what is shaped or typed like another tensor, arange, eye; and triangles of
 * matrices. One MAP over the result; where sizes are constants it runs once, when compiling. What torch leaves undefined (empty) is
 * 0. */
#include "ir/lower.h"
#include "ir/ops/check.h"
#include <math.h>

fx_status fx__full_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__new_full_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__zeros_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__ones_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__arange_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__eye_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__tril_ref(const fx_rt_arg *args, fx_tensor *results);
fx_status fx__triu_ref(const fx_rt_arg *args, fx_tensor *results);

/* ---- full, zeros, ones ------------------------------------------------------------------------------------------------------- */

static bool is_integer(const fx_attr *value)
{
    return value->kind == FX_ATTR_INT || value->kind == FX_ATTR_SYMINT;
}

static fx_dtype dtype_of_number(const fx_attr *value)
{
    return value->kind == FX_ATTR_BOOL ? FX_BOOL : is_integer(value) ? FX_I64 : FX_F32;
}

static fx_status dtype_full(fx_call *call)
{
    if (!fx__call_dtype(call, 2, &call->result[0].dtype)) call->result[0].dtype = dtype_of_number(&call->arg[1]);
    return FX_OK;
}

static fx_status dtype_filled(fx_call *call)
{
    if (!fx__call_dtype(call, 1, &call->result[0].dtype)) call->result[0].dtype = FX_F32;
    return FX_OK;
}

static fx_status dtype_full_like(fx_call *call)
{
    if (!fx__call_dtype(call, 2, &call->result[0].dtype)) return fx__rule_dtype_same(call);
    return FX_OK;
}

static fx_status dtype_filled_like(fx_call *call)
{
    if (!fx__call_dtype(call, 1, &call->result[0].dtype)) return fx__rule_dtype_same(call);
    return FX_OK;
}

static fx_status shape_size(fx_call *call)
{
    fx_type *out = &call->result[0];
    out->rank = fx__call_dims(call, 0, 0, out->dim);
    return out->rank < 0 ? FX_E_ARG : FX_OK;
}

/* new_zeros(self, size, ...), new_full(self, size, fill_value, ...): element type of self, sizes of their own. */
static fx_status dtype_new(fx_call *call)
{
    return dtype_full_like(call);
}
static fx_status dtype_new_full(fx_call *call)
{
    if (!fx__call_dtype(call, 3, &call->result[0].dtype)) return fx__rule_dtype_same(call);
    return FX_OK;
}

static fx_status shape_new(fx_call *call)
{
    fx_type *out = &call->result[0];
    out->rank = fx__call_dims(call, 1, 0, out->dim);
    return out->rank < 0 ? FX_E_ARG : FX_OK;
}

static fx_status lower_new_full(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = fx__pw_begin(lower, call);
    return fx__pw_finish(&pw, fx__pw_operand(&pw, 2, call->result[0].dtype));
}

static fx_status shape_like(fx_call *call)
{
    fx_dtype dtype = call->result[0].dtype;
    call->result[0] = *fx__call_type(call, 0);
    call->result[0].dtype = dtype;
    return FX_OK;
}

static fx_status lower_full(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = fx__pw_begin(lower, call);
    return fx__pw_finish(&pw, fx__pw_operand(&pw, 1, call->result[0].dtype));
}

static fx_status lower_number(fx_lower *lower, const fx_call *call, double value)
{
    fx_pw pw = fx__pw_begin(lower, call);
    return fx__pw_finish(&pw, fx__pw_number(&pw, call->result[0].dtype, value));
}

static fx_status lower_zeros(fx_lower *lower, const fx_call *call)
{
    return lower_number(lower, call, 0);
}
static fx_status lower_ones(fx_lower *lower, const fx_call *call)
{
    return lower_number(lower, call, 1);
}

/* ---- arange, eye ------------------------------------------------------------------------------------------------------------- */

enum { START, END, STEP, ARANGE_DTYPE };

static const fx_attr nought = {.kind = FX_ATTR_INT};

/* Where numbers begin and end: a single number is the end. */
static const fx_attr *start_of(const fx_call *call)
{
    return fx__call_is_none(call, END) ? &nought : &call->arg[START];
}
static const fx_attr *end_of(const fx_call *call)
{
    return &call->arg[fx__call_is_none(call, END) ? START : END];
}

static fx_status dtype_arange(fx_call *call)
{
    bool integers = is_integer(start_of(call)) && is_integer(end_of(call)) && is_integer(&call->arg[STEP]);
    if (!fx__call_dtype(call, ARANGE_DTYPE, &call->result[0].dtype)) call->result[0].dtype = integers ? FX_I64 : FX_F32;
    return FX_OK;
}

static fx_dim size_of(const fx_attr *value)
{
    return value->kind == FX_ATTR_SYMINT ? value->u.dim : value->u.i;
}
static double float_of(const fx_attr *value)
{
    return value->kind == FX_ATTR_FLOAT ? value->u.f : (double)value->u.i;
}

static fx_status count_floats(const fx_call *call, fx_dim *out)
{
    const fx_attr *start = start_of(call), *end = end_of(call), *step = &call->arg[STEP];
    if (start->kind == FX_ATTR_SYMINT || end->kind == FX_ATTR_SYMINT || step->kind == FX_ATTR_SYMINT)
        return fx__call_error(call, FX_E_UNSUPPORTED, "a range of floats needs constant bounds");
    double count = ceil((float_of(end) - float_of(start)) / float_of(step));
    if (!(count <= 0x1p53)) return fx__call_error(call, FX_E_ARG, "a range of %g numbers", count);
    *out = count > 0 ? (fx_dim)count : 0;
    return FX_OK;
}

static fx_status shape_arange(fx_call *call)
{
    const fx_attr *start = start_of(call), *end = end_of(call), *step = &call->arg[STEP];
    fx_type *out = &call->result[0];
    out->rank = 1;
    if (step->kind == FX_ATTR_SYMINT) return fx__call_error(call, FX_E_UNSUPPORTED, "step must be a constant");
    if (float_of(step) == 0) return fx__call_error(call, FX_E_ARG, "step is 0");
    if (!is_integer(start) || !is_integer(end) || !is_integer(step)) return count_floats(call, &out->dim[0]);
    fx_dim first = size_of(start), last = size_of(end), by = step->u.i;
    fx_dim span = by > 0 ? fx__dim_sub(call->dims, last, first) : fx__dim_sub(call->dims, first, last);
    out->dim[0] = fx__dim_max(call->dims, 0, fx__dim_ceildiv(call->dims, span, by > 0 ? by : -by));
    return FX_OK;
}

static uint16_t load_bound(const fx_pw *pw, const fx_attr *value, fx_dtype dtype)
{
    if (value->kind == FX_ATTR_SYMINT) return fx__kb_cast(pw->k, dtype, fx__kb_dim(pw->k, value->u.dim));
    if (dtype == FX_F64) return fx__kb_imm(pw->k, dtype, float_of(value));
    return fx__kb_imm_int(pw->k, dtype, value->kind == FX_ATTR_FLOAT ? (int64_t)value->u.f : value->u.i);
}

/* start + i * step: integers in i64, floats in f64, rounded once. */
static fx_status lower_arange(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = fx__pw_begin(lower, call);
    fx_dtype dtype = fx_dtype_is_float(call->result[0].dtype) ? FX_F64 : FX_I64;
    uint16_t i = fx__kb_cast(pw.k, dtype, fx__kb_coord(pw.k, pw.at[0].term[0].axis));
    uint16_t offset = fx__kb_scalar(pw.k, FX_SCALAR_MUL, i, load_bound(&pw, &call->arg[STEP], dtype));
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_ADD, load_bound(&pw, start_of(call), dtype), offset));
}

static fx_status dtype_eye(fx_call *call)
{
    if (!fx__call_dtype(call, 2, &call->result[0].dtype)) call->result[0].dtype = FX_F32;
    return FX_OK;
}

static fx_status shape_eye(fx_call *call)
{
    fx_type *out = &call->result[0];
    out->rank = 2;
    fx_dim columns[FX_RANK];
    if (fx__call_dims(call, fx__call_is_none(call, 1) ? 0 : 1, 1, columns) != 1) return FX_E_ARG;
    if (fx__call_dims(call, 0, 1, out->dim) != 1) return FX_E_ARG;
    out->dim[1] = columns[0];
    return FX_OK;
}

static fx_status lower_eye(fx_lower *lower, const fx_call *call)
{
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t row = fx__kb_coord(pw.k, pw.at[0].term[0].axis), column = fx__kb_coord(pw.k, pw.at[1].term[0].axis);
    return fx__pw_finish(&pw, fx__kb_scalar(pw.k, FX_SCALAR_EQ, row, column));
}

/* ---- Triangles ----------------------------------------------------------------------------------------------------------------
 */

static fx_status shape_triangle(fx_call *call)
{
    FX_TRY(fx__check_rank(call, 0, 2, FX_RANK));
    fx_dim diagonal[FX_RANK];
    return fx__call_dims(call, 1, 1, diagonal) == 1 ? fx__rule_shape_same(call) : FX_E_ARG;
}

static fx_status lower_triangle(fx_lower *lower, const fx_call *call, fx_scalar_op keeps)
{
    fx_dim diagonal[FX_RANK];
    if (fx__call_dims(call, 1, 1, diagonal) != 1) return FX_E_ARG;
    int32_t rank = call->result[0].rank;
    fx_dtype dtype = call->result[0].dtype;
    fx_pw pw = fx__pw_begin(lower, call);
    uint16_t row = fx__kb_coord(pw.k, pw.at[rank - 2].term[0].axis), column = fx__kb_coord(pw.k, pw.at[rank - 1].term[0].axis);
    uint16_t place = fx__kb_scalar(pw.k, FX_SCALAR_SUB, column, row);
    uint16_t kept = fx__kb_scalar(pw.k, keeps, place, fx__kb_dim(pw.k, diagonal[0]));
    return fx__pw_finish(&pw, fx__kb_select(pw.k, kept, fx__pw_operand(&pw, 0, dtype), fx__pw_number(&pw, dtype, 0)));
}

static fx_status lower_tril(fx_lower *lower, const fx_call *call)
{
    return lower_triangle(lower, call, FX_SCALAR_LE);
}
static fx_status lower_triu(fx_lower *lower, const fx_call *call)
{
    return lower_triangle(lower, call, FX_SCALAR_GE);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------------- */

#define MADE "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
#define CREATION(name_, overload_, schema_, dtype_, shape_, ref_, lower_, cases_, names_, onnx_)                                   \
    const fx_op fx_op_##name_ = {.name = #name_,                                                                                   \
                                 .target = "torch.ops.aten." #name_ "." overload_,                                                 \
                                 .schema = #name_ schema_ " -> Tensor",                                                            \
                                 .names = names_,                                                                                  \
                                 .onnx = onnx_,                                                                                    \
                                 .family = "creation",                                                                             \
                                 .dtypes = FX_ANY,                                                                                 \
                                 .ulp = FX_ULP_EXACT,                                                                              \
                                 .dtype = dtype_,                                                                                  \
                                 .shape = shape_,                                                                                  \
                                 .reference = ref_,                                                                                \
                                 .lower = lower_,                                                                                  \
                                 .cases = cases_}

static const fx_case cases_full[] = {
    {"([2, 3], 1.5)", "floats"},
    {"([17], 3)", "integers"},
    {"([], True)", "a truth value"},
    {"([2, 0], 1)", "empty"},
    {"([4, 5], 3, f16, None, None, None)", "dtype"},
    {NULL, NULL},
};
static const fx_case cases_filled[] = {
    {"([2, 3])", "floats"}, {"([17], i32, None, None, None)", "dtype"}, {"([])", "a scalar"}, {"([0, 2])", "empty"}, {NULL, NULL},
};
static const fx_case cases_full_like[] = {
    {"(f32[2, 3], 1.5)", NULL},
    {"(i32[17], 3, f64, None, None, None, None)", "dtype"},
    {"(f32[0, 2], 1)", "empty"},
    {"(f32[s0, 3], 7)", "symbolic"},
    {NULL, NULL},
};
static const fx_case cases_like[] = {
    {"(f32[2, 3])", NULL},
    {"(i32[17], bool, None, None, None, None)", "dtype"},
    {"(f32[])", "a scalar"},
    {"(f32[s0, 3])", "symbolic"},
    {NULL, NULL},
};
static const fx_case cases_new[] = {
    {"(f32[4, 5], [2, 3])", NULL},
    {"(i32[17], [], bool, None, None, None)", "dtype, a scalar"},
    {"(f32[s0, 3], [4, 2])", "symbolic"},
    {NULL, NULL},
};
static const fx_case cases_new_full[] = {
    {"(f32[4, 5], [2, 3], 2.5)", NULL},
    {"(i32[2], [17], 3)", "integers"},
    {"(f32[2], [0, 2], 1, f64)", "dtype, empty"},
    {NULL, NULL},
};
static const fx_case cases_arange[] = {
    {"(10)", "below an end"},
    {"(3, 20, 4)", "steps"},
    {"(5, -7, -3)", "down"},
    {"(0.5, 3, 0.25)", "floats"},
    {"(0, 33, 1, f32, None, None, None)", "dtype"},
    {"(3, 3)", "nothing"},
    {"(-1.5, 2.5, 1, i32, None, None, None)", "integers of floats"},
    {NULL, NULL},
};
static const fx_case cases_eye[] = {
    {"(5)", "square"}, {"(3, 17)", "wide"}, {"(4, 2, i64, None, None, None)", "dtype"}, {"(0, 3)", "empty"}, {NULL, NULL},
};
static const fx_case cases_triangle[] = {
    {"(f32[5, 7])", "main diagonal"},   {"(f32[2, 17, 17], 3)", "above"},
    {"(f32[2, 3, 5, 4], -2)", "below"}, {"(i32[4, 4], 100)", "outside"},
    {"(bool[3, 4], 1)", "truth"},       {"(f32[0, 4])", "empty"},
    {"(f32[s0, s0], 1)", "symbolic"},   {NULL, NULL},
};

CREATION(arange, "start_step", "(Scalar start, Scalar? end=None, Scalar step=1, *, " MADE ")", dtype_arange, shape_arange,
         fx__arange_ref, lower_arange, cases_arange, "torch.ops.aten.arange.default torch.ops.aten.arange.start torch.arange",
         "Range");
CREATION(empty, "memory_format", "(SymInt[] size, *, " MADE ", MemoryFormat? memory_format=None)", dtype_filled, shape_size,
         fx__zeros_ref, lower_zeros, cases_filled, "torch.empty", "");
CREATION(empty_like, "default", "(Tensor self, *, " MADE ", MemoryFormat? memory_format=None)", dtype_filled_like, shape_like,
         fx__zeros_ref, lower_zeros, cases_like, "torch.empty_like", "");
CREATION(eye, "m", "(SymInt n, SymInt? m=None, *, " MADE ")", dtype_eye, shape_eye, fx__eye_ref, lower_eye, cases_eye,
         "torch.ops.aten.eye.default torch.eye", "EyeLike");
CREATION(full, "default", "(SymInt[] size, Scalar fill_value, *, " MADE ")", dtype_full, shape_size, fx__full_ref, lower_full,
         cases_full, "torch.full", "ConstantOfShape");
CREATION(full_like, "default", "(Tensor self, Scalar fill_value, *, " MADE ", MemoryFormat? memory_format=None)", dtype_full_like,
         shape_like, fx__full_ref, lower_full, cases_full_like, "torch.full_like", "");
CREATION(new_empty, "default", "(Tensor self, SymInt[] size, *, " MADE ")", dtype_new, shape_new, fx__zeros_ref, lower_zeros,
         cases_new, "method:new_empty", "");
CREATION(new_full, "default", "(Tensor self, SymInt[] size, Scalar fill_value, *, " MADE ")", dtype_new_full, shape_new,
         fx__new_full_ref, lower_new_full, cases_new_full, "method:new_full", "");
CREATION(new_ones, "default", "(Tensor self, SymInt[] size, *, " MADE ")", dtype_new, shape_new, fx__ones_ref, lower_ones,
         cases_new, "method:new_ones", "");
CREATION(new_zeros, "default", "(Tensor self, SymInt[] size, *, " MADE ")", dtype_new, shape_new, fx__zeros_ref, lower_zeros,
         cases_new, "method:new_zeros", "");
CREATION(ones, "default", "(SymInt[] size, *, " MADE ")", dtype_filled, shape_size, fx__ones_ref, lower_ones, cases_filled,
         "torch.ones", "");
CREATION(ones_like, "default", "(Tensor self, *, " MADE ", MemoryFormat? memory_format=None)", dtype_filled_like, shape_like,
         fx__ones_ref, lower_ones, cases_like, "torch.ones_like", "");
CREATION(tril, "default", "(Tensor self, SymInt diagonal=0)", NULL, shape_triangle, fx__tril_ref, lower_tril, cases_triangle,
         "torch.tril method:tril", "Trilu");
CREATION(triu, "default", "(Tensor self, SymInt diagonal=0)", NULL, shape_triangle, fx__triu_ref, lower_triu, cases_triangle,
         "torch.triu method:triu", "Trilu");
CREATION(zeros, "default", "(SymInt[] size, *, " MADE ")", dtype_filled, shape_size, fx__zeros_ref, lower_zeros, cases_filled,
         "torch.zeros", "");
CREATION(zeros_like, "default", "(Tensor self, *, " MADE ", MemoryFormat? memory_format=None)", dtype_filled_like, shape_like,
         fx__zeros_ref, lower_zeros, cases_like, "torch.zeros_like", "");
