/* SPDX-License-Identifier: Apache-2.0 */
/* .fxm files and graph.json: every kind of value there and back, saving as a fixed point, the same code after a load, damaged and
 * hostile files, plain lists of torch.fx nodes, and the example of docs/FORMAT.md. */
#include "harness.h"
#include "fxjit/fxjit.h"
#include "ir/graph.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

static fx_context *context;
static char folder[64], path_a[96], path_b[96];

static void setup(void)
{
    context = fx_context_new();
    strcpy(folder, "/tmp/fxm.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path_a, sizeof path_a, "%s/a.fxm", folder);
    snprintf(path_b, sizeof path_b, "%s/b.fxm", folder);
}

static int count_files(void)
{
    int n = 0;
    DIR *open = opendir(folder);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) n += entry->d_name[0] != '.';
    closedir(open);
    return n;
}

static void teardown(void)
{
    unlink(path_a);
    unlink(path_b);
    ck_assert_int_eq(count_files(), 0);
    rmdir(folder);
    fx_context_free(context);
}

typedef struct bytes {
    unsigned char *data;
    size_t n;
} bytes;

static bytes read_file(const char *path)
{
    struct stat info;
    FILE *in = fopen(path, "rb");
    ck_assert(in && stat(path, &info) == 0);
    bytes b = {malloc((size_t)info.st_size + 1), (size_t)info.st_size};
    ck_assert(b.data && fread(b.data, 1, b.n, in) == b.n);
    b.data[b.n] = 0;
    fclose(in);
    return b;
}

static void write_file(const char *path, const void *data, size_t n)
{
    FILE *out = fopen(path, "wb");
    ck_assert(out && fwrite(data, 1, n, out) == n && fclose(out) == 0);
}

static fx_module *import(const char *json)
{
    fx_module *module = NULL;
    CHECK_OK(context, fx_import_graph(context, json, strlen(json), "test.json", NULL, 0, &module));
    return module;
}

/* Must fail, and say this. */
static void refuse(const char *json, const char *why)
{
    fx_module *module = NULL;
    fx_context_clear(context);
    ck_assert_int_eq(fx_import_graph(context, json, strlen(json), "test.json", NULL, 0, &module), FX_E_FORMAT);
    ck_assert_ptr_null(module);
    CHECK_DIAG(context, why);
    fx_context_clear(context);
}

/* ---- A module with everything ------------------------------------------------------------------------------------------------ */

static float weights[6] = {1, 2, 3, 4, 5, 6};
static int64_t positions[2] = {1, 0};

static fx_tensor weight(void)
{
    return fx_tensor_view(weights, FX_F32, 2, (int64_t[]){2, 3});
}

static fx_module *linear_module(void)
{
    fx_module *fc = fx_module_new(context, "Linear");
    fx_graph *g = fx_module_graph(fc);
    fx_tensor w = weight();
    CHECK_OK(context, fx_module_add_tensor(fc, "weight", &w, false, NULL, NULL));
    fx_attr args[] = {fx_node_attr(fx_graph_placeholder(g, "input", NULL)), fx_node_attr(fx_graph_get_attr(g, "weight"))};
    fx_graph_output(g, fx_node_attr(fx_graph_call(g, "torch.nn.functional.linear", args, 2)));
    CHECK_OK(context, fx_module_set_class(fc, "torch.nn.modules.linear.Linear"));
    CHECK_OK(context, fx_module_set_attribute(fc, "in_features", fx_int(3)));
    CHECK_OK(context, fx_module_set_attribute(fc, "bias", fx_bool(false)));
    return fc;
}

/* What the wrapped function "my.twice" means. */
static fx_graph *twice(void)
{
    fx_graph *g = fx_graph_new(context);
    fx_attr x = fx_node_attr(fx_graph_placeholder(g, "x", NULL));
    fx_graph_output(g, fx_node_attr(fx_graph_call(g, "operator.add", (fx_attr[]){x, x}, 2)));
    return g;
}

/* fc(x) twice, on positions, with the same weight under two paths and a tensor that is no row-major run. */
static fx_module *make_module(void)
{
    fx_module *m = fx_module_new(context, "Net");
    fx_graph *g = fx_module_graph(m);
    fx_tensor shared = weight(), turned = shared, index = fx_tensor_view(positions, FX_I64, 1, (int64_t[]){2});
    turned.dim[0] = 3, turned.dim[1] = 2, turned.stride[0] = 1, turned.stride[1] = 3;
    CHECK_OK(context, fx_module_add_submodule(m, "block.fc", linear_module()));
    CHECK_OK(context, fx_module_add_tensor(m, "tied", &shared, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(m, "turned", &turned, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(m, "index", &index, true, NULL, NULL));
    fx_dim rows = fx_graph_symbol(g, "rows", 2, 64, 8, 2);
    fx_node *x = fx_graph_placeholder(g, "x", &(fx_type){FX_F32, 2, {rows, 3}});
    fx_node_set_annotation(x, "torch.Tensor");
    fx_node *fc = fx_graph_create_node(g, &(fx_node_spec){FX_CALL_MODULE,
                                                          "block.fc",
                                                          fx_tuple(g, (fx_attr[]){fx_node_attr(x)}, 1),
                                                          fx_none(),
                                                          NULL,
                                                          false,
                                                          {"net.py", 7, "forward"}});
    fx_node *two = fx_graph_call(g, "my.twice", (fx_attr[]){fx_node_attr(fc)}, 1);
    CHECK_OK(context, fx_node_set_body(two, twice()));
    CHECK_OK(context, fx_node_set_meta(two, "note", fx_str(g, "a \"quoted\"\ttext, \xc3\xa9")));
    fx_node *tied = fx_graph_get_attr(g, "tied"), *turn = fx_graph_get_attr(g, "turned");
    fx_node *back = fx_graph_call(g, "torch.matmul", (fx_attr[]){fx_node_attr(two), fx_node_attr(tied)}, 2);
    fx_node *last = fx_graph_call(g, "torch.matmul", (fx_attr[]){fx_node_attr(back), fx_node_attr(turn)}, 2);
    fx_node *picked = fx_graph_call(g, "torch.index_select",
                                    (fx_attr[]){fx_node_attr(last), fx_int(0), fx_node_attr(fx_graph_get_attr(g, "index"))}, 3);
    fx_graph_output(g, fx_tuple(g, (fx_attr[]){fx_node_attr(last), fx_node_attr(picked)}, 2));
    CHECK_OK(context, fx_module_set_output_name(m, 1, "picked rows"));
    CHECK_OK(context, fx_module_set_input_name(m, 0, "input.0"));
    return m;
}

static void check_text(const fx_module *a, const fx_module *b)
{
    char *x = fx_graph_to_string(fx_module_graph(a)), *y = fx_graph_to_string(fx_module_graph(b));
    ck_assert_str_eq(x, y);
    fx_text_free(x);
    fx_text_free(y);
}

START_TEST(saving_is_a_fixed_point)
{
    setup();
    fx_module *m = make_module(), *loaded = NULL;
    CHECK_OK(context, fx_module_save(m, path_a));
    CHECK_OK(context, fx_load(context, path_a, &loaded));
    check_text(m, loaded);
    ck_assert_str_eq(fx_module_name(loaded), "Net");
    ck_assert_str_eq(fx_module_class(fx_module_submodule(loaded, "block.fc")), "torch.nn.modules.linear.Linear");
    ck_assert_int_eq(fx_module_attribute(fx_module_submodule(loaded, "block.fc"), "in_features")->u.i, 3);
    ck_assert_str_eq(fx_module_output_name(loaded, 1), "picked rows");
    ck_assert_str_eq(fx_module_input_name(loaded, 0), "input.0");
    ck_assert_str_eq(fx_module_output_name(loaded, 0), fx_module_output_name(m, 0));
    const fx_node *fc = fx_graph_find(fx_module_graph(loaded), "block_fc");
    ck_assert_int_eq(fx_node_loc(fc).line, 7);
    ck_assert_str_eq(fx_node_loc(fc).file, "net.py");
    const fx_node *two = fx_graph_find(fx_module_graph(loaded), "twice");
    ck_assert_int_eq(fx_graph_size(fx_node_body(two)), 3);
    ck_assert_str_eq(fx_node_meta(two, "note")->u.s, "a \"quoted\"\ttext, \xc3\xa9");
    ck_assert_str_eq(fx_node_annotation(fx_graph_find(fx_module_graph(loaded), "x")), "torch.Tensor");
    ck_assert_ptr_eq(fx_module_tensor(loaded, "tied")->data, fx_module_tensor(loaded, "block.fc.weight")->data); /* written once */
    ck_assert(fx_tensor_get(fx_module_tensor(loaded, "turned"), 1) == 4);
    ck_assert_str_eq(fx_module_tensor_path(loaded, 2), "index");
    ck_assert(fx_module_tensor_is_buffer(loaded, 2) && !fx_module_tensor_is_buffer(loaded, 1));
    CHECK_OK(context, fx_module_save(loaded, path_b));
    bytes a = read_file(path_a), b = read_file(path_b);
    ck_assert(a.n == b.n && memcmp(a.data, b.data, a.n) == 0);
    CHECK_OK(context, fx_module_save(loaded, path_a)); /* over the file that it is mapped from */
    ck_assert(fx_tensor_get(fx_module_tensor(loaded, "turned"), 1) == 4);
    free(a.data);
    free(b.data);
    fx_module_free(loaded);
    fx_module_free(m);
    teardown();
}
END_TEST

static uint64_t hash_of(fx_module *module, const fx_tensor *x, fx_tensor out[2])
{
    fx_compiled *compiled = NULL;
    CHECK_OK(context, fx_compile(module, x, 1, &(fx_compile_options){.threads = 1}, &compiled));
    CHECK_OK(context, fx_run(compiled, context, x, 1, out, 2));
    uint64_t hash = fx_compiled_code_hash(compiled);
    ck_assert_int_eq(fx_compiled_fallback_count(compiled), 0);
    fx_compiled_free(compiled);
    return hash;
}

START_TEST(a_loaded_module_compiles_to_the_same_code)
{
    setup();
    float values[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    fx_tensor x = fx_tensor_view(values, FX_F32, 2, (int64_t[]){4, 3}), first[2] = {{0}}, second[2] = {{0}};
    fx_module *m = make_module(), *loaded = NULL;
    CHECK_OK(context, fx_module_save(m, path_a));
    CHECK_OK(context, fx_load(context, path_a, &loaded));
    ck_assert_uint_eq(hash_of(m, &x, first), hash_of(loaded, &x, second));
    /* 2 (x W') W W' by hand: W W' = [14 32; 32 77]; x W' of row (1, 2, 3) is (14, 32). */
    ck_assert(fx_tensor_get(&first[0], 0) == 2 * (14 * 14 + 32 * 32) && fx_tensor_get(&first[0], 1) == 2 * (14 * 32 + 32 * 77));
    ck_assert(fx_tensor_get(&first[1], 2) == fx_tensor_get(&first[0], 0)); /* row 0 is picked second */
    for (int i = 0; i < 2; i++) {
        for (int64_t e = 0; e < fx_tensor_elems(&first[i]); e++)
            ck_assert(fx_tensor_get(&first[i], e) == fx_tensor_get(&second[i], e));
        fx_tensor_release(&first[i]);
        fx_tensor_release(&second[i]);
    }
    fx_module_free(loaded);
    fx_module_free(m);
    teardown();
}
END_TEST

/* Another implementation agrees that the archive is one, and where its entries are. */
START_TEST(libzip_reads_the_archive)
{
    setup();
    fx_module *m = make_module();
    CHECK_OK(context, fx_module_save(m, path_a));
    zip_t *archive = zip_open(path_a, ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    ck_assert_ptr_nonnull(archive);
    ck_assert_int_eq(zip_get_num_entries(archive, 0), 2);
    bytes whole = read_file(path_a);
    for (zip_uint64_t i = 0; i < 2; i++) {
        zip_stat_t info;
        ck_assert_int_eq(zip_stat_index(archive, i, 0, &info), 0);
        ck_assert_int_eq(info.comp_method, ZIP_CM_STORE);
        zip_file_t *file = zip_fopen_index(archive, i, 0);
        unsigned char *data = malloc(info.size);
        ck_assert(file && data && zip_fread(file, data, info.size) == (zip_int64_t)info.size); /* tests the checksum, too */
        const unsigned char *at = memmem(whole.data, whole.n, data, info.size);
        ck_assert(at && (at - whole.data) % 64 == 0);
        zip_fclose(file);
        free(data);
    }
    zip_discard(archive);
    free(whole.data);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(every_kind_of_value_returns)
{
    setup();
    static const char json[] =
        "{\"format\": \"fxjit\", \"version\": 1, \"later\": 1, \"module\": {\"graph\": {\"symbols\": [{\"name\": \"s0\", \"max\": "
        "9}], \"in_spec\": {\"tuple\": [{\"list\": [{\"leaf\": true}]}, {\"dict\": {\"k\": {\"none\": true}}}]}, "
        "\"out_spec\": {\"leaf\": true}, \"nodes\": ["
        "{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"args\": [null], \"types\": [{\"dtype\": \"f16\", "
        "\"shape\": [1, \"2*s0\"]}]},"
        "{\"name\": \"y\", \"op\": \"call_function\", \"target\": \"f\", \"args\": [null, true, 3, 3.0, -0.0, 1e-05, \"t\", [1, "
        "[2]], "
        "{\"tuple\": [{\"node\": \"x\"}]}, {\"dict\": {\"k\": {\"node\": \"x\"}}}, {\"slice\": [1, null, -1]}, {\"range\": [0, 4, "
        "2]}, "
        "{\"dtype\": \"torch.int8\"}, {\"dtype\": \"torch.complex64\"}, {\"device\": \"cpu\"}, {\"name\": \"torch.strided\"}, "
        "{\"complex\": [1, {\"float\": \"nan\"}]}, {\"ellipsis\": true}, {\"float\": \"-inf\"}, {\"float\": "
        "\"nan(0x7ff8000000000001)\"}, "
        "{\"dim\": \"s0 + 1\"}, {\"graph\": {\"nodes\": [{\"name\": \"output\", \"op\": \"output\", \"target\": \"output\", "
        "\"args\": [9223372036854775807]}]}}], "
        "\"kwargs\": {\"a b\": {\"float\": \"inf\"}}, \"types\": [null, {\"dtype\": \"i64\", \"shape\": []}], \"meta\": {\"tag\": "
        "[1]}},"
        "{\"name\": \"output\", \"op\": \"output\", \"target\": \"output\", \"args\": [{\"node\": \"y\"}]}]}}}";
    fx_module *m = import(json);
    const fx_attr *a = fx_node_args(fx_graph_find(fx_module_graph(m), "y")).u.items;
    static const fx_attr_kind kinds[] = {FX_ATTR_NONE,   FX_ATTR_BOOL,    FX_ATTR_INT,      FX_ATTR_FLOAT, FX_ATTR_FLOAT,
                                         FX_ATTR_FLOAT,  FX_ATTR_STR,     FX_ATTR_LIST,     FX_ATTR_TUPLE, FX_ATTR_DICT,
                                         FX_ATTR_SLICE,  FX_ATTR_RANGE,   FX_ATTR_DTYPE,    FX_ATTR_NAME,  FX_ATTR_DEVICE,
                                         FX_ATTR_NAME,   FX_ATTR_COMPLEX, FX_ATTR_ELLIPSIS, FX_ATTR_FLOAT, FX_ATTR_FLOAT,
                                         FX_ATTR_SYMINT, FX_ATTR_GRAPH};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) ck_assert_msg(a[i].kind == kinds[i], "argument %d", (int)i);
    ck_assert(signbit(a[4].u.f) && a[4].u.f == 0 && a[18].u.f < 0 && isinf(a[18].u.f) && isnan(a[19].u.f) && isnan(a[16].u.c[1]));
    char *once = fx_module_to_json(m);
    fx_module *again = import(once);
    char *twice_over = fx_module_to_json(again);
    ck_assert_str_eq(once, twice_over);
    ck_assert_ptr_nonnull(strstr(once, "nan(0x7ff8000000000001)"));
    ck_assert_ptr_nonnull(strstr(once, "1e-05"));
    ck_assert_ptr_nonnull(
        strstr(once, "\"in_spec\": {\"tuple\":[{\"list\":[{\"leaf\":true}]},{\"dict\":{\"k\":{\"none\":true}}}]}, \"out_spec\""));
    fx_text_free(once);
    fx_text_free(twice_over);
    fx_module_free(again);
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- What is refused ------------------------------------------------------------------------------------------------------- */

#define DOCUMENT(module) "{\"format\": \"fxjit\", \"version\": 1, \"module\": " module "}"
#define GRAPH(nodes) DOCUMENT("{\"graph\": {\"nodes\": [" nodes "]}}")
#define X "{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\"}"
#define OUT(value) "{\"name\": \"output\", \"op\": \"output\", \"args\": [" value "]}"

START_TEST(problems_are_told_by_their_place)
{
    setup();
    refuse("{", "line 1, column 1");
    refuse("[]", "expected an object");
    refuse("{}", "\"format\" is missing");
    refuse("{\"format\": \"other\"}", "\"other\" is not \"fxjit\"");
    refuse("{\"format\": \"fxjit\", \"version\": 2, \"module\": {}}", "version 2 of the format is newer");
    refuse("{\"format\": \"fxjit\", \"version\": 1}", "\"module\" is missing");
    refuse(DOCUMENT("{\"name\": \"a\", \"name\": \"b\"}"), "duplicate object key");
    refuse(DOCUMENT("{\"tensors\": {\"w\": {\"tensor\": \"w\"}}}"), "$.module.tensors.w: there are no data of tensor \"w\"");
    refuse(DOCUMENT("{\"modules\": {\"a.b\": {}, \"a\": {}}}"), "$.module.modules.a: the module refuses this submodule");
    refuse(DOCUMENT("{\"graph\": 3}"), "$.module.graph: an integer; expected an object");
    refuse(DOCUMENT("{\"graph\": {\"in_spec\": {\"list\": [{\"leaf\": true}, {\"heap\": 1}]}, \"nodes\": [" OUT("1") "]}}"),
           "$.module.graph.in_spec.list[1].heap: no nesting of inputs or outputs");
    refuse(GRAPH(X), "the graph has no output");
    refuse(GRAPH(OUT("1") ", " X), "node x stands after the output");
    refuse(GRAPH(X ", " X ", " OUT("1")), "nodes[1] (x): node x is defined twice");
    refuse(GRAPH(OUT("{\"node\": \"y\"}")), "nodes[0] (output).args[0].node: node y is not defined before");
    refuse(GRAPH(OUT("{\"tensr\": 1}")), "unknown kind of value \"tensr\"");
    refuse(GRAPH(OUT("{\"slice\": [1]}")), "start, stop and step");
    refuse(GRAPH(OUT("{\"dim\": \"s9\"}")), "not a size");
    refuse(GRAPH(OUT("{\"float\": \"big\"}")), "\"inf\", \"-inf\" or \"nan\"");
    refuse(GRAPH("{\"name\": \"a-b\", \"op\": \"placeholder\", \"target\": \"x\"}, " OUT("1")), "no identifier");
    refuse(GRAPH("{\"name\": \"w\", \"op\": \"get_attr\", \"target\": \"fc.weight\"}, " OUT("1")),
           "(w): the module has no tensor fc.weight");
    refuse(GRAPH("{\"name\": \"w\", \"op\": \"call_module\", \"target\": \"fc\"}, " OUT("1")), "the module has no submodule fc");
    refuse(
        GRAPH(
            "{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"types\": [{\"dtype\": \"f33\", \"shape\": []}]}, " OUT(
                "1")),
        "f33 is no element type");
    refuse(GRAPH("{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"types\": [{\"dtype\": \"f32\", \"shape\": "
                 "[-1]}]}, " OUT("1")),
           "types[0][0]: expected a size");
    refuse(GRAPH("{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"body\": {\"nodes\": []}}, " OUT("1")),
           "only calls have a body");
    teardown();
}
END_TEST

START_TEST(all_problems_are_told_at_once)
{
    setup();
    refuse(GRAPH("{\"name\": \"a\", \"op\": \"loop\", \"target\": \"x\"}, {\"name\": \"b\", \"op\": \"while\", \"target\": \"x\"}, "
                 "{\"name\": \"c\", \"op\": \"call_function\", \"target\": \"f\", \"args\": [{\"node\": \"a\"}]}, " OUT(
                     "{\"node\": \"c\"}")),
           "(b): unknown node type \"while\"");
    fx_module *module = NULL;
    static const char json[] = GRAPH(
        "{\"name\": \"a\", \"op\": \"loop\", \"target\": \"x\"}, {\"name\": \"b\", \"op\": \"while\"}, " OUT("{\"node\": \"a\"}"));
    (void)fx_import_graph(context, json, strlen(json), "test.json", NULL, 0, &module);
    CHECK_DIAG(context, "unknown node type \"loop\"");
    CHECK_DIAG(context, "unknown node type \"while\"");
    CHECK_DIAG(context, "\"target\" is missing");
    for (int32_t i = 0; i < fx_context_diag_count(context); i++) /* the output uses what is already reported */
        ck_assert_ptr_null(strstr(fx_context_diag(context, i, NULL), "is not defined"));
    teardown();
}
END_TEST

START_TEST(nesting_is_bounded)
{
    setup();
    enum { DEEP = 1500 };
    char *json = malloc(4 * DEEP + 200), *at = json;
    at = stpcpy(at, "{\"format\": \"fxjit\", \"version\": 1, \"module\": {\"graph\": {\"nodes\": [{\"name\": \"output\", \"op\": "
                    "\"output\", \"args\": [");
    for (int i = 0; i < DEEP; i++) at = stpcpy(at, "[");
    for (int i = 0; i < DEEP; i++) at = stpcpy(at, "]");
    strcpy(at, "]}]}}}");
    refuse(json, "values are nested too deep");
    at = json;
    for (int i = 0; i < 3 * DEEP; i++) at = stpcpy(at, "[");
    refuse(json, "depth");
    free(json);
    teardown();
}
END_TEST

START_TEST(tensors_from_the_host_are_borrowed)
{
    setup();
    float data[2] = {3, 4};
    fx_named_tensor tensor = {"w", fx_tensor_view(data, FX_F32, 1, (int64_t[]){2})};
    static const char json[] =
        DOCUMENT("{\"tensors\": {\"a\": {\"tensor\": \"w\", \"buffer\": true}, \"b\": {\"tensor\": \"w\"}}}");
    fx_module *m = NULL;
    CHECK_OK(context, fx_import_graph(context, json, strlen(json), NULL, &tensor, 1, &m));
    ck_assert_ptr_eq(fx_module_tensor(m, "a")->data, data);
    ck_assert_ptr_eq(fx_module_tensor(m, "b")->data, data);
    ck_assert(fx_module_tensor_is_buffer(m, 0) && !fx_module_tensor_is_buffer(m, 1));
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- Plain lists of nodes ---------------------------------------------------------------------------------------------------- */

START_TEST(plain_lists_of_nodes)
{
    setup();
    static const char json[] =
        "{\"nodes\": [{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"args\": []},"
        "{\"name\": \"relu_1\", \"op\": \"call_function\", \"target\": \"relu\", \"args\": [\"x\"]},"
        "{\"name\": \"sum_1\", \"op\": \"call_function\", \"target\": \"sum\", \"args\": [\"relu_1\", \"-1\", \"True\"], "
        "\"kwargs\": {\"dtype\": {\"dtype\": \"f32\"}}},"
        "{\"name\": \"e\", \"op\": \"call_method\", \"target\": \"clamp\", \"args\": [\"sum_1\", \"1e-05\", \"None\"]},"
        "{\"name\": \"f\", \"op\": \"call_function\", \"target\": \"f\", \"args\": [\"e\", {\"text\": \"e\"}]},"
        "{\"name\": \"output\", \"op\": \"output\", \"target\": \"output\", \"args\": [\"f\"]}]}";
    write_file(path_a, json, strlen(json));
    fx_module *m = NULL;
    CHECK_OK(context, fx_load(context, path_a, &m));
    char *text = fx_graph_to_string(fx_module_graph(m));
    ck_assert_ptr_nonnull(strstr(text, "call_function[target=sum](args = (%relu_1, -1, True), kwargs = {dtype: torch.float32})"));
    ck_assert_ptr_nonnull(strstr(text, "call_method[target=clamp](args = (%sum_1, 1e-05, None), kwargs = {})"));
    ck_assert_ptr_nonnull(strstr(text, "args = (%e, e)"));
    ck_assert_ptr_nonnull(strstr(text, "return f"));
    fx_text_free(text);
    fx_module_free(m);
    refuse(
        "{\"nodes\": [{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\"}, {\"name\": \"y\", \"op\": \"call_function\", "
        "\"target\": \"relu\", \"args\": [\"z\"]}, {\"name\": \"output\", \"op\": \"output\", \"args\": [\"x\"]}]}",
        "\"z\" names no node");
    teardown();
}
END_TEST

/* ---- Damaged archives -------------------------------------------------------------------------------------------------------- */

/* Loads bytes as a file; whatever comes of it must not crash, and a refusal has a message. */
static fx_status try_bytes(const void *data, size_t n)
{
    fx_module *m = NULL;
    fx_context_clear(context);
    write_file(path_b, data, n);
    fx_status status = fx_load(context, path_b, &m);
    ck_assert(status == FX_OK || fx_context_diag_count(context) > 0);
    if (m) fx_text_free(fx_graph_to_string(fx_module_graph(m)));
    fx_module_free(m);
    return status;
}

/* Where a symbol is read is found, whatever a file says of it. */
START_TEST(places_of_symbols_are_not_believed)
{
    setup();
    static const char text[] =
        "{\"format\": \"fxjit\", \"version\": 1, \"module\": {\"graph\": {\"symbols\": [{\"name\": \"n\", \"input\": 5000, \"axis\": 7}],"
        "\"nodes\": [{\"name\": \"x\", \"op\": \"placeholder\", \"target\": \"x\", \"types\": [{\"dtype\": \"f32\", \"shape\": [\"n\"]}]},"
        "{\"name\": \"y\", \"op\": \"call_function\", \"target\": \"torch.relu\", \"args\": [{\"node\": \"x\"}]},"
        "{\"name\": \"output\", \"op\": \"output\", \"args\": [{\"node\": \"y\"}]}]}}}";
    float values[3] = {-1, 2, 3};
    fx_module *m;
    fx_compiled *net;
    fx_tensor x = fx_tensor_view(values, FX_F32, 1, (int64_t[]){3}), y = {0};
    CHECK_OK(context, fx_import_graph(context, text, sizeof text - 1, "symbols", NULL, 0, &m));
    CHECK_OK(context, fx_compile(m, NULL, 0, NULL, &net));
    CHECK_OK(context, fx_run(net, context, &x, 1, &y, 1));
    ck_assert(y.dim[0] == 3 && fx_tensor_get(&y, 2) == 3);
    fx_tensor_release(&y);
    fx_compiled_free(net);
    fx_module_free(m);
    teardown();
}
END_TEST

START_TEST(cut_and_flipped_files_are_refused)
{
    setup();
    fx_module *m = make_module();
    CHECK_OK(context, fx_module_save(m, path_a));
    bytes whole = read_file(path_a);
    for (size_t n = 0; n < whole.n; n += 97) ck_assert_msg(try_bytes(whole.data, n) != FX_OK, "cut to %zu bytes", n);
    uint64_t seed = 5;
    int refused = 0;
    for (int i = 0; i < 300; i++) {
        uint64_t bit = fx_test_random(&seed) % (8 * whole.n);
        whole.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        refused += try_bytes(whole.data, whole.n) != FX_OK;
        whole.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    ck_assert_int_gt(refused, 140); /* flips in weights, times and padding pass */
    ck_assert_int_eq(try_bytes(whole.data, whole.n), FX_OK);
    unsigned char *word = memmem(whole.data, whole.n, "forward", 7);
    *word = 'F'; /* still a whole document */
    ck_assert_int_eq(try_bytes(whole.data, whole.n), FX_E_FORMAT);
    CHECK_DIAG(context, "graph.json is damaged: its checksum differs");
    free(whole.data);
    fx_module_free(m);
    teardown();
}
END_TEST

static void make_zip(const char *graph, zip_int32_t method, const void *weights_data, size_t n_weights)
{
    unlink(path_a);
    zip_t *archive = zip_open(path_a, ZIP_CREATE, NULL);
    zip_int64_t at = zip_file_add(archive, "graph.json", zip_source_buffer(archive, graph, strlen(graph), 0), 0);
    zip_set_file_compression(archive, (zip_uint64_t)at, method, 0);
    if (weights_data) {
        at = zip_file_add(archive, "weights.safetensors", zip_source_buffer(archive, weights_data, n_weights, 0), 0);
        zip_set_file_compression(archive, (zip_uint64_t)at, ZIP_CM_STORE, 0);
    }
    ck_assert_int_eq(zip_close(archive), 0);
}

static void refuse_zip(const char *why)
{
    fx_module *m = NULL;
    fx_context_clear(context);
    ck_assert_int_eq(fx_load(context, path_a, &m), FX_E_FORMAT);
    CHECK_DIAG(context, why);
    fx_context_clear(context);
}

START_TEST(hostile_archives_are_refused)
{
    setup();
    static const char graph[] = DOCUMENT("{}");
    fx_module *m = NULL;
    make_zip(graph, ZIP_CM_STORE, NULL, 0);
    CHECK_OK(context, fx_load(context, path_a, &m)); /* one of libzip's, without weights */
    fx_module_free(m);
    char *bomb = malloc(1 << 20);
    memset(bomb, ' ', 1 << 20);
    bomb[(1 << 20) - 1] = 0;
    make_zip(bomb, ZIP_CM_DEFLATE, NULL, 0);
    free(bomb);
    refuse_zip("entry graph.json is compressed");
    teardown();
}
END_TEST

/* Weights with a header of this text and 16 bytes of data. */
static void refuse_weights(const char *header, const char *why)
{
    unsigned char data[600] = {0};
    size_t n = strlen(header);
    data[0] = (unsigned char)n;
    data[1] = (unsigned char)(n >> 8);
    memcpy(data + 8, header, n);
    make_zip(DOCUMENT("{}"), ZIP_CM_STORE, data, 8 + n + 16);
    refuse_zip(why);
}

START_TEST(hostile_weights_are_refused)
{
    setup();
    unsigned char huge[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, '{'};
    make_zip(DOCUMENT("{}"), ZIP_CM_STORE, huge, sizeof huge);
    refuse_zip("header's length 18446744073709551615");
    make_zip(DOCUMENT("{}"), ZIP_CM_STORE, huge, 4);
    refuse_zip("too short");
    refuse_weights("[]", "no JSON object");
    refuse_weights("{\"a\": 1}", "$.a: an integer; expected an object");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
                   "offsets\":[8,16]}}",
                   "duplicate object key");
    refuse_weights("{\"a\":{\"dtype\":\"F8\",\"shape\":[2],\"data_offsets\":[0,2]}}", "element type F8 is not known");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "its shape needs 8 bytes, it has 4");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}}", "outside the file");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "outside the file");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", "are not two");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "non-negative");
    refuse_weights("{\"a\":{\"dtype\":\"I8\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,0]}}",
                   "its shape needs");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", "at most 8 are possible");
    refuse_weights("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_"
                   "offsets\":[4,12]}}",
                   "its data overlap those of a");
    teardown();
}
END_TEST

START_TEST(saving_fails_whole)
{
    setup();
    fx_module *m = make_module();
    fx_tensor bare = fx_tensor_view(NULL, FX_F32, 1, (int64_t[]){2});
    ck_assert_int_eq(fx_module_save(m, "/nowhere/at/all.fxm"), FX_E_IO);
    CHECK_DIAG(context, "cannot write /nowhere/at/all.fxm");
    ck_assert_int_eq(mkfifo(path_a, 0600), 0);
    ck_assert_int_eq(fx_module_save(m, path_a), FX_E_IO);
    CHECK_DIAG(context, "what is there is no regular file");
    struct stat there;
    ck_assert(stat(path_a, &there) == 0 && S_ISFIFO(there.st_mode));
    unlink(path_a);
    CHECK_OK(context, fx_module_add_tensor(m, "bare", &bare, false, NULL, NULL));
    CHECK_OK(context, fx_module_add_tensor(m, "naked", &bare, false, NULL, NULL));
    ck_assert_int_eq(fx_module_save(m, path_a), FX_E_ARG);
    CHECK_DIAG(context, "tensor bare has no data");
    CHECK_DIAG(context, "tensor naked has no data");
    CHECK_OK(context, fx_module_delete_tensor(m, "bare"));
    CHECK_OK(context, fx_module_delete_tensor(m, "naked"));
    CHECK_OK(context, fx_module_set_attribute(m, "bad", fx_str(fx_module_graph(m), "\xff")));
    ck_assert_int_eq(fx_module_save(m, path_a), FX_E_ARG);
    CHECK_DIAG(context, "is not UTF-8");
    ck_assert_int_eq(count_files(), 0);
    fx_module_free(m);
    teardown();
}
END_TEST

/* ---- The documentation --------------------------------------------------------------------------------------------------------
 */

/* The first ```json block of docs/FORMAT.md is read, and means what the text says. */
START_TEST(the_documented_example_is_read)
{
    setup();
    bytes page = read_file(FX_SOURCE_DIR "/docs/FORMAT.md");
    char *start = strstr((char *)page.data, "```json\n"), *end = start ? strstr(start + 8, "```") : NULL;
    ck_assert(start && end);
    float w[4] = {1, 0, 0, 1}, b[2] = {5, 6}, values[4] = {1, -2, 3, -4};
    fx_named_tensor tensors[] = {{"fc.weight", fx_tensor_view(w, FX_F32, 2, (int64_t[]){2, 2})},
                                 {"fc.bias", fx_tensor_view(b, FX_F32, 1, (int64_t[]){2})}};
    fx_module *m = NULL, *core = NULL;
    fx_tensor x = fx_tensor_view(values, FX_F32, 2, (int64_t[]){2, 2}), y = {0};
    CHECK_OK(context, fx_import_graph(context, start + 8, (size_t)(end - start - 8), "FORMAT.md", tensors, 2, &m));
    CHECK_OK(context, fx_module_core(m, &x, 1, &core));
    CHECK_OK(context, fx_interpret(core, &x, 1, &y, 1));
    ck_assert(fx_tensor_get(&y, 0) == 6 && fx_tensor_get(&y, 3) == 2);
    fx_tensor_release(&y);
    fx_module_free(core);
    fx_module_free(m);
    free(page.data);
    teardown();
}
END_TEST

FX_TESTS("fxm", saving_is_a_fixed_point, a_loaded_module_compiles_to_the_same_code, libzip_reads_the_archive,
         every_kind_of_value_returns, problems_are_told_by_their_place, all_problems_are_told_at_once, nesting_is_bounded,
         tensors_from_the_host_are_borrowed, plain_lists_of_nodes, places_of_symbols_are_not_believed, cut_and_flipped_files_are_refused, hostile_archives_are_refused,
         hostile_weights_are_refused, saving_fails_whole, the_documented_example_is_read)
