/* SPDX-License-Identifier: Apache-2.0 */
/* trace_detector: a nested argument, one that is specialised, a function kept whole, an assertion, and a nested output. */
#include <fxjit/fxjit.h>

/* Stays one node of the graph, with what it computes as its body. */
static fx_status decode(fx_scope *scope, const fx_value *in, fx_value *out, void *user)
{
    (void)scope, (void)user;
    out[0] = fx_mul(in[0], fx_exp(in[1]));
    return FX_OK;
}

/* detect(image: {"pixels": f32[4], "scale": f32[4]}, threshold=0.5) -> {"boxes": [...], "found": bool} */
static fx_status trace(fx_context *context, fx_module **out)
{
    const fx_type row = {FX_F32, 1, {4}};
    fx_scope *scope = fx_trace_begin(context, "detect");
    fx_nest leaf = fx_nest_input(&row), half = fx_nest_constant(fx_float(0.5));
    fx_value image[2], none, boxes;
    fx_trace_argument(scope, "image", &FX_NEST_DICT(fx_nest_key("pixels", leaf), fx_nest_key("scale", leaf)), image, 2);
    fx_trace_argument(scope, "threshold", &half, &none, 1); /* asserted in every run */
    fx_wrapped_call(scope, &(fx_wrapped){.target = "detector.decode", .forward = decode}, image, 2, &boxes, 1);
    fx_assert_async(fx_all(fx_ge(boxes, 0)), "boxes are not negative");
    fx_value found = fx_any(fx_gt(boxes, 0.5));
    return fx_trace_finish_nested(
        scope, &FX_NEST_DICT(fx_nest_key("boxes", FX_NEST_LIST(fx_nest_value(boxes))), fx_nest_key("found", fx_nest_value(found))),
        out);
}

static fx_status run(fx_context *context, fx_module *module, float first)
{
    float pixels[4] = {first, 1, 0.25f, 0}, scale[4] = {0};
    double threshold = 0.5;
    fx_tensor in[3], out[2] = {{0}};
    const int64_t four[] = {4};
    in[fx_module_find_input(module, "image[\"pixels\"]")] = fx_tensor_view(pixels, FX_F32, 1, four);
    in[fx_module_find_input(module, "image[\"scale\"]")] = fx_tensor_view(scale, FX_F32, 1, four);
    in[fx_module_find_input(module, "threshold")] = fx_tensor_view(&threshold, FX_F64, 0, NULL);
    fx_compiled *net;
    fx_status status = fx_compile(module, NULL, 0, NULL, &net);
    if (status != FX_OK) return status;
    status = fx_run(net, context, in, 3, out, 2);
    if (status == FX_OK) {
        const float *boxes = out[fx_module_find_output(module, "[\"boxes\"][0]")].data;
        printf("boxes %g %g %g %g\n", (double)boxes[0], (double)boxes[1], (double)boxes[2], (double)boxes[3]);
        for (int i = 0; i < 2; i++) fx_tensor_release(&out[i]);
    }
    fx_compiled_free(net);
    return status;
}

int main(void)
{
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_status status = trace(context, &module);
    char *code = status == FX_OK ? fx_graph_to_python(fx_module_graph(module), NULL) : NULL;
    if (code) printf("%s\n", code);
    fx_text_free(code);
    if (status == FX_OK) status = run(context, module, 2);
    bool refused = status == FX_OK && run(context, module, -2) == FX_E_GUARD; /* says: assertion failed: boxes are not negative */
    fx_context_print(context, stdout);
    fx_module_free(module);
    fx_context_free(context);
    return refused ? 0 : 1;
}
