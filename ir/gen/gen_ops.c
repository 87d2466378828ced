/* SPDX-License-Identifier: Apache-2.0 */
/* ir/gen/gen_ops.c: writes fxjit/ops.h and its bodies from the schemas of the operator table. Run by the build:
 *     gen_ops HEADER SOURCE
 * Tensors (optional ones too) and parameters without default are positional; the others are fields of an options structure whose
 * zero value means the schema's defaults. */
#include "ir/op_c.h"
#include <stdio.h>
#include <string.h>

static bool is_number(const fx_param *p)
{
    return p->kind == FX_PARAM_OPERAND || p->kind == FX_PARAM_SCALAR || p->kind == FX_PARAM_INT || p->kind == FX_PARAM_FLOAT;
}

static bool has_options(const fx_param *params, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (fx__op_c_is_option(&params[i])) return true;
    return false;
}

/* Operators with an in-place form: fx_add_ beside fx_add. */
static bool has_in_place(const fx_op *op)
{
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    bool changes = strcmp(op->family, "element-wise") == 0 || strstr(op->name, "scatter") || strstr(op->name, "index_") == op->name;
    bool on_tensor =
        n > 0 && strcmp(params[0].name, "self") == 0 && (params[0].kind == FX_PARAM_TENSOR || params[0].kind == FX_PARAM_OPERAND);
    return changes && on_tensor && fx__op_schema_results(op) == 1 && op->name[0] != '_' && !op->impure &&
           strcmp(op->name, "index_select") != 0;
}

/* ---- Header ---------------------------------------------------------------------------------------------------------------- */

static const char *positional_type(const fx_param *p)
{
    switch (p->kind) {
    case FX_PARAM_TENSOR:
        return "fx_value ";
    case FX_PARAM_TENSORS:
        return "fx_value_list ";
    case FX_PARAM_INTS:
        return "fx_int_list ";
    case FX_PARAM_BOOL:
        return "bool ";
    case FX_PARAM_DTYPE:
        return "fx_dtype ";
    case FX_PARAM_STR:
        return "const char *";
    default:
        return "fx_arg_value ";
    }
}

static const char *option_type(const fx_param *p)
{
    switch (p->kind) {
    case FX_PARAM_TENSORS:
        return "fx_value_list ";
    case FX_PARAM_INTS:
        return "fx_int_list ";
    case FX_PARAM_BOOL:
        return fx__op_c_is_flag(p) ? "bool " : "fx_arg_value ";
    case FX_PARAM_DTYPE:
        return "const fx_dtype *";
    case FX_PARAM_STR:
        return "const char *";
    default:
        return "fx_arg_value ";
    }
}

static void write_options(FILE *out, const char *name, const fx_param *params, int32_t n)
{
    fprintf(out, "typedef struct fx_%s_options {\n", name);
    for (int32_t i = 0; i < n; i++)
        if (fx__op_c_is_option(&params[i])) fprintf(out, "    %s%s;\n", option_type(&params[i]), params[i].name);
    fprintf(out, "} fx_%s_options;\n", name);
}

static void write_prototype(FILE *out, const char *name, const char *mark, const fx_param *params, int32_t n)
{
    fprintf(out, "fx_value fx_%s%s_at(fx_loc loc", name, mark);
    for (int32_t i = 0; i < n; i++)
        if (fx__op_c_is_positional(&params[i])) fprintf(out, ", %s%s", positional_type(&params[i]), params[i].name);
    if (has_options(params, n)) fprintf(out, ", const fx_%s_options *options", name);
    fprintf(out, ")");
}

/* #define fx_add(self, other, ...) fx_add_at(FX_HERE, FX_ARG(self), FX_ARG(other), FX_OPTIONS(fx_add, __VA_ARGS__)) */
static void write_macro(FILE *out, const char *name, const char *mark, const fx_param *params, int32_t n)
{
    const char *comma = "";
    fprintf(out, "#define fx_%s%s(", name, mark);
    for (int32_t i = 0; i < n; i++)
        if (fx__op_c_is_positional(&params[i])) fprintf(out, "%s%s_", comma, params[i].name), comma = ", ";
    if (has_options(params, n)) fprintf(out, "%s...", comma);
    fprintf(out, ") fx_%s%s_at(FX_HERE", name, mark);
    for (int32_t i = 0; i < n; i++)
        if (fx__op_c_is_positional(&params[i])) fprintf(out, is_number(&params[i]) ? ", FX_ARG(%s_)" : ", (%s_)", params[i].name);
    if (has_options(params, n)) fprintf(out, ", FX_OPTIONS(fx_%s, __VA_ARGS__)", name);
    fprintf(out, ")\n\n");
}

static void write_declaration(FILE *out, const fx_op *op)
{
    char name[96];
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    fx__op_c_name(op, name);
    fprintf(out, has_in_place(op) ? "/* %s, and in place */\n" : "/* %s */\n", op->schema);
    if (has_options(params, n)) write_options(out, name, params, n);
    static const char *const marks[] = {"", "_"};
    for (int i = 0; i < (has_in_place(op) ? 2 : 1); i++) { /* options are shared */
        fprintf(out, "FX_API ");
        write_prototype(out, name, marks[i], params, n);
        fprintf(out, ";\n");
        write_macro(out, name, marks[i], params, n);
    }
}

static const char header_start[] =
    "/* SPDX-License-Identifier: Apache-2.0 */\n"
    "/* fxjit/ops.h: one function per operator, generated from the operator table. Each computes when given concrete values and\n"
    " * records a node when given proxies (fxjit/trace.h); an invalid value is passed through. The comment above a function is "
    "its\n"
    " * schema in ATen's notation. The macro of the same name adds the line of the call:\n"
    " *\n"
    " *     fx_value y = fx_relu(fx_linear(x, w, b));             tensors; FX_NO_VALUE is None\n"
    " *     y = fx_add(fx_mul(y, 2), 0.5);                        a number may stand where the schema says TensorOrScalar or "
    "Scalar\n"
    " *     y = fx_permute(y, FX_LIST(0, 2, 1));                  lists of sizes (symbolic ones too)\n"
    " *     y = fx_cat(FX_VALUES(x, y), &(fx_cat_options){.dim = FX_ARG(1)});\n"
    " *\n"
    " * What has a default is a field of the last argument, fx_NAME_options, which may be left out; fields that are zero "
    "(FX_NO_ARG,\n"
    " * an empty list, NULL, false) mean the schema's defaults. fx_NAME_at takes the source location and the options pointer\n"
    " * explicitly. A name that ends in an underscore, fx_add_, is the in-place form: its first argument becomes the result. */\n"
    "#ifndef FXJIT_OPS_H\n"
    "#define FXJIT_OPS_H\n\n"
    "#include \"fxjit/trace.h\"\n\n"
    "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
    "/* A value or a number; zero: not given. */\n"
    "typedef enum fx_given { FX_GIVEN_NOTHING, FX_GIVEN_VALUE, FX_GIVEN_INT, FX_GIVEN_FLOAT } fx_given;\n"
    "typedef struct fx_arg_value {\n    fx_given kind;\n    fx_value value;\n    int64_t i;\n    double f;\n} fx_arg_value;\n"
    "#define FX_NO_ARG FX_ZERO(fx_arg_value)\n"
    "static inline fx_arg_value fx_arg_of_value(fx_value value) { return FX_LITERAL(fx_arg_value, FX_GIVEN_VALUE, value, 0, 0); }\n"
    "static inline fx_arg_value fx_arg_of_int(int64_t i) { return FX_LITERAL(fx_arg_value, FX_GIVEN_INT, {0, 0}, i, 0); }\n"
    "static inline fx_arg_value fx_arg_of_float(double f) { return FX_LITERAL(fx_arg_value, FX_GIVEN_FLOAT, {0, 0}, 0, f); }\n"
    "static inline fx_arg_value fx_arg_of_arg(fx_arg_value arg) { return arg; }\n"
    "/* FX_ARG: a value or a number as an argument. FX_OPTIONS: the options given, or NULL. */\n"
    "#ifdef __cplusplus\n"
    "extern \"C++\" {\n"
    "inline fx_arg_value fx_arg_of(fx_value value) { return fx_arg_of_value(value); }\n"
    "inline fx_arg_value fx_arg_of(fx_arg_value arg) { return arg; }\n"
    "inline fx_arg_value fx_arg_of(float f) { return fx_arg_of_float(f); }\n"
    "inline fx_arg_value fx_arg_of(double f) { return fx_arg_of_float(f); }\n"
    "template <typename integer> fx_arg_value fx_arg_of(integer i) { return fx_arg_of_int(i); }\n"
    "template <typename options> const options *fx_options_of(std::initializer_list<const options *> given)\n"
    "{\n"
    "    return given.begin()[given.size() - 1];\n"
    "}\n"
    "}\n"
    "#define FX_ARG(x) fx_arg_of(x)\n"
    "#define FX_OPTIONS(name, ...) fx_options_of<name##_options>({NULL, __VA_ARGS__})\n"
    "#else\n"
    "#define FX_ARG(x) \\\n"
    "    _Generic((x), fx_value: fx_arg_of_value, fx_arg_value: fx_arg_of_arg, float: fx_arg_of_float, double: fx_arg_of_float, "
    "\\\n"
    "             default: fx_arg_of_int)(x)\n"
    "#define FX_OPTIONS(name, ...) (((const name##_options *const[2]){NULL, __VA_ARGS__})[1])\n"
    "#endif\n\n"
    "/* Sizes, and tensors; zero: not given. */\n"
    "typedef struct fx_int_list {\n    const fx_dim *items;\n    int32_t n;\n} fx_int_list;\n"
    "typedef struct fx_value_list {\n    const fx_value *items;\n    int32_t n;\n} fx_value_list;\n"
    "#define FX_LIST(...) FX_LITERAL(fx_int_list, FX_ARRAY(fx_dim, __VA_ARGS__), FX_ARRAY_COUNT(fx_dim, __VA_ARGS__))\n"
    "#define FX_VALUES(...) FX_LITERAL(fx_value_list, FX_ARRAY(fx_value, __VA_ARGS__), FX_ARRAY_COUNT(fx_value, __VA_ARGS__))\n\n";

static const char header_end[] = "#ifdef __cplusplus\n}\n#endif\n#endif\n";

/* ---- Source ---------------------------------------------------------------------------------------------------------------- */

static const char *source_of(const fx_param *p)
{
    switch (p->kind) {
    case FX_PARAM_TENSOR:
        return "fx__apply_tensor";
    case FX_PARAM_TENSORS:
        return "fx__apply_tensors";
    case FX_PARAM_INTS:
        return "fx__apply_ints";
    case FX_PARAM_BOOL:
        return fx__op_c_is_option(p) && !fx__op_c_is_flag(p) ? "fx__apply_number" : "fx__apply_bool";
    case FX_PARAM_DTYPE:
        return fx__op_c_is_option(p) ? "fx__apply_dtype_option" : "fx__apply_dtype";
    case FX_PARAM_STR:
        return "fx__apply_str";
    default:
        return "fx__apply_number";
    }
}

static void write_function(FILE *out, const fx_op *op, bool in_place)
{
    char name[96];
    int32_t n;
    const fx_param *params = fx__op_params(op, &n);
    fx__op_c_name(op, name);
    write_prototype(out, name, in_place ? "_" : "", params, n);
    fprintf(out, "\n{\n    fx_apply_args a;\n    fx__apply_begin(&a, &fx_op_%s);\n", op->name);
    if (has_options(params, n)) fprintf(out, "    static const fx_%s_options none;\n    if (!options) options = &none;\n", name);
    for (int32_t i = 0; i < n; i++) {
        if (fx__op_c_is_hidden(&params[i]))
            fprintf(out, "    fx__apply_default(&a);\n");
        else
            fprintf(out, "    %s(&a, %s%s);\n", source_of(&params[i]), fx__op_c_is_option(&params[i]) ? "options->" : "",
                    params[i].name);
    }
    fprintf(out, "    return fx__apply_end%s(&a, loc);\n}\n\n", in_place ? "_in_place" : "");
}

static void write_body(FILE *out, const fx_op *op)
{
    write_function(out, op, false);
    if (has_in_place(op)) write_function(out, op, true);
}

static void write_all(FILE *out, void (*write)(FILE *out, const fx_op *op))
{
    for (int32_t i = 0; i < FX_OP_COUNT; i++)
        if (!fx__op_c_is_double(fx__op((fx_op_code)i))) write(out, fx__op((fx_op_code)i));
}

static bool write_file(const char *path, const char *start, void (*write)(FILE *out, const fx_op *op), const char *end)
{
    FILE *out = fopen(path, "w");
    if (!out) return perror(path), false;
    fputs(start, out);
    write_all(out, write);
    fputs(end, out);
    bool good = !ferror(out);
    return fclose(out) == 0 && good;
}

static bool check_schemas(void)
{
    bool good = true;
    for (int32_t i = 0; i < FX_OP_COUNT; i++) {
        int32_t n;
        if (fx__op_params(fx__op((fx_op_code)i), &n)) continue;
        fprintf(stderr, "operator %s: malformed schema \"%s\"\n", fx__op((fx_op_code)i)->name, fx__op((fx_op_code)i)->schema);
        good = false;
    }
    return good;
}

int main(int argc, char **argv)
{
    static const char source_start[] = "/* SPDX-License-Identifier: Apache-2.0 */\n"
                                       "/* Bodies of fxjit/ops.h, generated from the operator table. */\n"
                                       "#include \"frontend/apply.h\"\n\n"
                                       "#define FX_OP(name) extern const fx_op fx_op_##name;\n"
                                       "#include \"ir/ops/ops.def\"\n#undef FX_OP\n\n";
    if (argc != 3) return fprintf(stderr, "usage: gen_ops HEADER SOURCE\n"), 2;
    if (!check_schemas()) return 1;
    bool good =
        write_file(argv[1], header_start, write_declaration, header_end) && write_file(argv[2], source_start, write_body, "");
    return good ? 0 : 1;
}
