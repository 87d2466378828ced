/* SPDX-License-Identifier: Apache-2.0 */
/* codegen/emit.c: the words of emit.h: modules, types, constants, lanes, memory and arithmetic. Control flow is in flow.c. */
#include "codegen/emit.h"
#include <stdio.h>
#include <string.h>

/* ---- Life --------------------------------------------------------------------------------------------------------------- */

void e_open(fx_e *e, const fx_target *target, const char *name)
{
    e_open_in(e, NULL, target, name);
}

void e_open_in(fx_e *e, LLVMContextRef context, const fx_target *target, const char *name)
{
    *e = (fx_e){.target = target, .owns_context = !context};
    e->context = context ? context : LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext(name, e->context);
    LLVMSetTarget(e->module, target->triple);
    e->builder = LLVMCreateBuilderInContext(e->context);
    e->ty_void = LLVMVoidTypeInContext(e->context);
    e->ty_ptr = LLVMPointerTypeInContext(e->context, 0);
    e->ty_i1 = LLVMInt1TypeInContext(e->context);
    e->ty_i8 = LLVMInt8TypeInContext(e->context);
    e->ty_i16 = LLVMInt16TypeInContext(e->context);
    e->ty_i32 = LLVMInt32TypeInContext(e->context);
    e->ty_i64 = LLVMInt64TypeInContext(e->context);
    e->ty_f16 = LLVMHalfTypeInContext(e->context);
    e->ty_f32 = LLVMFloatTypeInContext(e->context);
    e->ty_f64 = LLVMDoubleTypeInContext(e->context);
}

void e_close(fx_e *e)
{
    LLVMDisposeBuilder(e->builder);
    if (e->module) LLVMDisposeModule(e->module);
    if (e->owns_context) LLVMContextDispose(e->context);
}

static void add_word(fx_e *e, LLVMValueRef fn, LLVMAttributeIndex at, const char *word)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(word, strlen(word));
    LLVMAddAttributeAtIndex(fn, at, LLVMCreateEnumAttribute(e->context, kind, 0));
}

static void add_text(fx_e *e, LLVMValueRef fn, const char *key, const char *value)
{
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(e->context, key, (unsigned)strlen(key), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

LLVMValueRef e_function(fx_e *e, const char *name, LLVMTypeRef result, const LLVMTypeRef *param, unsigned n_param,
                        const char *section)
{
    LLVMTypeRef type = LLVMFunctionType(result, (LLVMTypeRef *)param, n_param, 0);
    LLVMValueRef fn = LLVMAddFunction(e->module, name, type);
    char bits[16];
    snprintf(bits, sizeof bits, "%d", (int)e->target->vec_bytes * 8);
    add_word(e, fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "nounwind");
    add_text(e, fn, "target-cpu", e->target->cpu);
    add_text(e, fn, "target-features", e->target->features);
    add_text(e, fn, "prefer-vector-width", bits);
    for (unsigned i = 0; i < n_param; i++) {
        if (param[i] == e->ty_ptr) add_word(e, fn, i + 1, "noalias");
    }
    if (section) LLVMSetSection(fn, section);
    e->fn = fn;
    e_put(e, LLVMAppendBasicBlockInContext(e->context, fn, "entry"));
    return fn;
}

LLVMTypeRef e_function_type(LLVMValueRef fn)
{
    return LLVMGlobalGetValueType(fn);
}

/* ---- Types -------------------------------------------------------------------------------------------------------------- */

static LLVMTypeRef integer_type(const fx_e *e, size_t bytes)
{
    return bytes == 8 ? e->ty_i64 : bytes == 4 ? e->ty_i32 : bytes == 2 ? e->ty_i16 : e->ty_i8;
}

LLVMTypeRef e_type(const fx_e *e, fx_dtype dtype)
{
    if (dtype == FX_BOOL) return e->ty_i1;
    if (dtype == FX_F64) return e->ty_f64;
    if (fx_dtype_is_float(dtype)) return e->ty_f32;
    return integer_type(e, fx_dtype_bytes(dtype));
}

LLVMTypeRef e_mem_type(const fx_e *e, fx_dtype dtype)
{
    if (dtype == FX_F64) return e->ty_f64;
    if (dtype == FX_F32) return e->ty_f32;
    return integer_type(e, fx_dtype_bytes(dtype)); /* halves are moved as bits and converted in math.c */
}

LLVMTypeRef e_vec(LLVMTypeRef element, int lanes)
{
    return lanes == 1 ? element : LLVMVectorType(element, (unsigned)lanes);
}

static bool is_vector(LLVMTypeRef type)
{
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind;
}

int e_lanes(LLVMValueRef value)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    return is_vector(type) ? (int)LLVMGetVectorSize(type) : 1;
}

LLVMTypeRef e_element(LLVMValueRef value)
{
    LLVMTypeRef type = LLVMTypeOf(value);
    return is_vector(type) ? LLVMGetElementType(type) : type;
}

bool e_is_float(LLVMValueRef value)
{
    LLVMTypeKind kind = LLVMGetTypeKind(e_element(value));
    return kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind || kind == LLVMHalfTypeKind;
}

/* ---- Constants ---------------------------------------------------------------------------------------------------------- */

LLVMValueRef e_i1(const fx_e *e, bool value)
{
    return LLVMConstInt(e->ty_i1, value, 0);
}
LLVMValueRef e_i32(const fx_e *e, int32_t value)
{
    return LLVMConstInt(e->ty_i32, (unsigned long long)value, 1);
}
LLVMValueRef e_i64(const fx_e *e, int64_t value)
{
    return LLVMConstInt(e->ty_i64, (unsigned long long)value, 1);
}

enum { MAX_LANES = 64 };

static LLVMValueRef splat_constant(LLVMTypeRef type, LLVMValueRef scalar)
{
    LLVMValueRef lane[MAX_LANES];
    unsigned n = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < n; i++) lane[i] = scalar;
    return LLVMConstVector(lane, n);
}

LLVMValueRef e_real(const fx_e *e, LLVMTypeRef type, double value)
{
    (void)e;
    if (!is_vector(type)) return LLVMConstReal(type, value);
    return splat_constant(type, LLVMConstReal(LLVMGetElementType(type), value));
}

LLVMValueRef e_integer(const fx_e *e, LLVMTypeRef type, int64_t value)
{
    (void)e;
    if (!is_vector(type)) return LLVMConstInt(type, (unsigned long long)value, 1);
    return splat_constant(type, LLVMConstInt(LLVMGetElementType(type), (unsigned long long)value, 1));
}

LLVMValueRef e_imm(const fx_e *e, fx_dtype dtype, fx_imm value, int lanes)
{
    LLVMTypeRef type = e_vec(e_type(e, dtype), lanes);
    if (fx_dtype_is_float(dtype)) return e_real(e, type, value.f);
    return e_integer(e, type, value.i);
}

LLVMValueRef e_iota(const fx_e *e, LLVMTypeRef element, int lanes)
{
    (void)e;
    LLVMValueRef lane[MAX_LANES];
    for (int i = 0; i < lanes; i++) lane[i] = LLVMConstInt(element, (unsigned long long)i, 0);
    return lanes == 1 ? lane[0] : LLVMConstVector(lane, (unsigned)lanes);
}

bool e_const(LLVMValueRef value, int64_t *out)
{
    if (!LLVMIsAConstantInt(value)) return false;
    *out = LLVMConstIntGetSExtValue(value);
    return true;
}

/* ---- Lanes -------------------------------------------------------------------------------------------------------------- */

LLVMValueRef e_splat(fx_e *e, LLVMValueRef scalar, int lanes)
{
    if (lanes == 1 || is_vector(LLVMTypeOf(scalar))) return scalar;
    LLVMTypeRef type = e_vec(LLVMTypeOf(scalar), lanes);
    if (LLVMIsConstant(scalar) && !LLVMIsAConstantExpr(scalar)) return splat_constant(type, scalar);
    LLVMValueRef one = LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), scalar, e_i64(e, 0), "");
    LLVMTypeRef zeros = e_vec(e->ty_i32, lanes);
    return LLVMBuildShuffleVector(e->builder, one, LLVMGetPoison(type), LLVMConstNull(zeros), "");
}

LLVMValueRef e_extract(fx_e *e, LLVMValueRef vector, int lane)
{
    if (!is_vector(LLVMTypeOf(vector))) return vector;
    return LLVMBuildExtractElement(e->builder, vector, e_i64(e, lane), "");
}

LLVMValueRef e_shuffle(fx_e *e, LLVMValueRef a, LLVMValueRef b, const int *index, int n)
{
    LLVMValueRef lane[MAX_LANES];
    for (int i = 0; i < n; i++) lane[i] = index[i] < 0 ? LLVMGetPoison(e->ty_i32) : e_i32(e, index[i]);
    return LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(lane, (unsigned)n), "");
}

LLVMValueRef e_mask_first(fx_e *e, int lanes, LLVMValueRef n)
{
    int64_t known;
    if (lanes == 1) return e_icmp(e, LLVMIntSGT, n, e_i64(e, 0));
    if (!e_const(n, &known)) {
        LLVMValueRef some = e_min(e, e_max(e, n, e_i64(e, 0)), e_i64(e, lanes)); /* so that it fits 32 bits */
        LLVMValueRef narrow = LLVMBuildTrunc(e->builder, some, e->ty_i32, "");
        return e_icmp(e, LLVMIntULT, e_iota(e, e->ty_i32, lanes), e_splat(e, narrow, lanes));
    }
    LLVMValueRef lane[MAX_LANES];
    for (int i = 0; i < lanes; i++) lane[i] = e_i1(e, i < known);
    return LLVMConstVector(lane, (unsigned)lanes);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------------- */

LLVMValueRef e_at(fx_e *e, LLVMTypeRef element, LLVMValueRef ptr, LLVMValueRef index)
{
    int64_t known;
    if (e_const(index, &known) && known == 0) return ptr;
    return LLVMBuildInBoundsGEP2(e->builder, element, ptr, &index, 1, "");
}

LLVMValueRef e_at_bytes(fx_e *e, LLVMValueRef ptr, LLVMValueRef bytes)
{
    return e_at(e, e->ty_i8, ptr, bytes);
}

LLVMValueRef e_field(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr, size_t byte_offset)
{
    return e_load(e, type, e_at_bytes(e, ptr, e_i64(e, (int64_t)byte_offset)));
}

static unsigned element_bytes(const fx_e *e, LLVMTypeRef type)
{
    if (is_vector(type)) type = LLVMGetElementType(type);
    if (type == e->ty_ptr) return 8;
    switch (LLVMGetTypeKind(type)) {
    case LLVMFloatTypeKind:
        return 4;
    case LLVMDoubleTypeKind:
        return 8;
    case LLVMHalfTypeKind:
        return 2;
    default:
        return (LLVMGetIntTypeWidth(type) + 7) / 8;
    }
}

LLVMValueRef e_load(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr)
{
    LLVMValueRef value = LLVMBuildLoad2(e->builder, type, ptr, "");
    LLVMSetAlignment(value, element_bytes(e, type));
    return value;
}

void e_store(fx_e *e, LLVMValueRef value, LLVMValueRef ptr)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, ptr), element_bytes(e, LLVMTypeOf(value)));
}

LLVMValueRef e_load_masked(fx_e *e, LLVMTypeRef type, LLVMValueRef ptr, LLVMValueRef mask, LLVMValueRef other)
{
    LLVMTypeRef overload[] = {type, e->ty_ptr};
    LLVMValueRef arg[] = {ptr, e_i32(e, (int32_t)element_bytes(e, type)), mask, other ? other : LLVMConstNull(type)};
    return e_intrinsic(e, "llvm.masked.load", overload, 2, arg, 4);
}

void e_store_masked(fx_e *e, LLVMValueRef value, LLVMValueRef ptr, LLVMValueRef mask)
{
    LLVMTypeRef type = LLVMTypeOf(value), overload[] = {type, e->ty_ptr};
    LLVMValueRef arg[] = {value, ptr, e_i32(e, (int32_t)element_bytes(e, type)), mask};
    e_intrinsic(e, "llvm.masked.store", overload, 2, arg, 4);
}

LLVMValueRef e_gather(fx_e *e, LLVMTypeRef type, LLVMValueRef ptrs, LLVMValueRef mask, LLVMValueRef other)
{
    LLVMTypeRef overload[] = {type, LLVMTypeOf(ptrs)};
    LLVMValueRef arg[] = {ptrs, e_i32(e, (int32_t)element_bytes(e, type)), mask, other ? other : LLVMConstNull(type)};
    return e_intrinsic(e, "llvm.masked.gather", overload, 2, arg, 4);
}

void e_scatter(fx_e *e, LLVMValueRef value, LLVMValueRef ptrs, LLVMValueRef mask)
{
    LLVMTypeRef overload[] = {LLVMTypeOf(value), LLVMTypeOf(ptrs)};
    LLVMValueRef arg[] = {value, ptrs, e_i32(e, (int32_t)element_bytes(e, overload[0])), mask};
    e_intrinsic(e, "llvm.masked.scatter", overload, 2, arg, 4);
}

LLVMValueRef e_alloca(fx_e *e, LLVMTypeRef type, const char *name)
{
    LLVMBasicBlockRef here = e_here(e), entry = LLVMGetEntryBasicBlock(e->fn);
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(e->builder, first);
    else
        e_put(e, entry);
    LLVMValueRef slot = LLVMBuildAlloca(e->builder, type, name);
    LLVMSetAlignment(slot, 64);
    e_put(e, here);
    return slot;
}

/* ---- Arithmetic --------------------------------------------------------------------------------------------------------- */

static bool is_value(LLVMValueRef v, int64_t value)
{
    int64_t known;
    return e_const(v, &known) && known == value;
}

LLVMValueRef e_add(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    if (is_value(a, 0)) return b;
    if (is_value(b, 0)) return a;
    return LLVMBuildNSWAdd(e->builder, a, b, "");
}

LLVMValueRef e_sub(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return is_value(b, 0) ? a : LLVMBuildNSWSub(e->builder, a, b, "");
}

LLVMValueRef e_mul(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    if (is_value(a, 1) || is_value(b, 0)) return b;
    if (is_value(b, 1) || is_value(a, 0)) return a;
    return LLVMBuildNSWMul(e->builder, a, b, "");
}

LLVMValueRef e_min(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return e_select(e, e_icmp(e, LLVMIntSLT, a, b), a, b);
}
LLVMValueRef e_max(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return e_select(e, e_icmp(e, LLVMIntSGT, a, b), a, b);
}

/* Truncating quotient, one less where the remainder is negative. */
LLVMValueRef e_floordiv(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    if (is_value(b, 1)) return a;
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef quotient = LLVMBuildSDiv(e->builder, a, b, ""), rest = LLVMBuildSRem(e->builder, a, b, "");
    LLVMValueRef below = e_icmp(e, LLVMIntSLT, rest, LLVMConstNull(type));
    return LLVMBuildAdd(e->builder, quotient, LLVMBuildSExt(e->builder, below, type, ""), "");
}

LLVMValueRef e_ceildiv(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    if (is_value(b, 1)) return a;
    return e_floordiv(e, e_add(e, a, e_sub(e, b, e_integer(e, LLVMTypeOf(b), 1))), b);
}

LLVMValueRef e_floormod(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    LLVMValueRef rest = LLVMBuildSRem(e->builder, a, b, "");
    LLVMValueRef below = e_icmp(e, LLVMIntSLT, rest, LLVMConstNull(type));
    return e_select(e, below, LLVMBuildAdd(e->builder, rest, b, ""), rest);
}

static LLVMValueRef contract(const fx_e *e, LLVMValueRef value)
{
    if (!e->exact && LLVMIsAInstruction(value)) LLVMSetFastMathFlags(value, LLVMFastMathAllowContract);
    return value;
}

LLVMValueRef e_fadd(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return contract(e, LLVMBuildFAdd(e->builder, a, b, ""));
}
LLVMValueRef e_fsub(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return contract(e, LLVMBuildFSub(e->builder, a, b, ""));
}
LLVMValueRef e_fmul(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return contract(e, LLVMBuildFMul(e->builder, a, b, ""));
}
LLVMValueRef e_fdiv(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    return contract(e, LLVMBuildFDiv(e->builder, a, b, ""));
}

LLVMValueRef e_fma(fx_e *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c)
{
    if (e->exact || !e->target->has_fma) return LLVMBuildFAdd(e->builder, LLVMBuildFMul(e->builder, a, b, ""), c, "");
    LLVMTypeRef type = LLVMTypeOf(a);
    return e_intrinsic(e, "llvm.fma", &type, 1, (LLVMValueRef[]){a, b, c}, 3);
}

LLVMValueRef e_icmp(fx_e *e, LLVMIntPredicate predicate, LLVMValueRef a, LLVMValueRef b)
{
    return LLVMBuildICmp(e->builder, predicate, a, b, "");
}

LLVMValueRef e_select(fx_e *e, LLVMValueRef condition, LLVMValueRef a, LLVMValueRef b)
{
    if (a == b) return a;
    if (LLVMIsConstant(condition) && LLVMIsNull(condition)) return b;
    if (condition == LLVMConstAllOnes(LLVMTypeOf(condition))) return a;
    return LLVMBuildSelect(e->builder, condition, a, b, "");
}

LLVMValueRef e_and(fx_e *e, LLVMValueRef a, LLVMValueRef b)
{
    if (!a || !b) return a ? a : b;
    int lanes = e_lanes(a) > e_lanes(b) ? e_lanes(a) : e_lanes(b);
    return LLVMBuildAnd(e->builder, e_splat(e, a, lanes), e_splat(e, b, lanes), "");
}

LLVMValueRef e_intrinsic(fx_e *e, const char *name, const LLVMTypeRef *type, unsigned n_type, const LLVMValueRef *arg,
                         unsigned n_arg)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->module, id, (LLVMTypeRef *)type, n_type);
    LLVMTypeRef fn_type = LLVMIntrinsicGetType(e->context, id, (LLVMTypeRef *)type, n_type);
    return LLVMBuildCall2(e->builder, fn_type, fn, (LLVMValueRef *)arg, n_arg, "");
}

LLVMValueRef e_intrinsic1(fx_e *e, const char *name, LLVMValueRef a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return e_intrinsic(e, name, &type, 1, &a, 1);
}
