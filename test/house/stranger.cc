/* SPDX-License-Identifier: Apache-2.0 */
/* A host program in C++11 against the installed headers: traces a graph with lists, options, numbers and a nested result, compiles and
 * runs it; a second build, with HAVE_OBJECT, also runs the object that the first one emitted. */
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fxjit/bisect.h>
#include <fxjit/draw.h>
#include <fxjit/fxjit.h>
#include <fxjit/inspect.h>
#include <fxjit/profile.h>
#ifdef HAVE_OBJECT
#include "stranger_net.h"
#endif

/* cat(relu(x * 2 + 0.5).permute(1, 0), x.permute(1, 0), dim=1), as {"both": ...}. */
static fx_status trace(fx_context *context, fx_module **module)
{
    fx_type type = fx_type();
    type.dtype = FX_F32, type.rank = 2, type.dim[0] = 2, type.dim[1] = 3;
    fx_scope *scope = fx_trace_begin(context, "stranger_net");
    if (!scope) return FX_E_OOM;
    fx_value x = fx_trace_input(scope, "x", &type);
    fx_value y = fx_permute(fx_relu(fx_add(fx_mul(x, 2), 0.5f)), FX_LIST(1, 0));
    fx_cat_options along = fx_cat_options();
    along.dim = FX_ARG(1);
    fx_value both = fx_cat(FX_VALUES(y, fx_permute(x, FX_LIST(1, 0))), &along);
    fx_nest result = FX_NEST_DICT(fx_nest_key("both", fx_nest_value(both)));
    fx_status status = fx_trace_finish_nested(scope, &result, module);
    return status;
}

static int differs(const float *y)
{
    static const float expected[3][4] = {{2.5f, 0, 1, -4}, {0, 10.5f, -2, 5}, {6.5f, 0, 3, -6}};
    for (int i = 0; i < 12; i++)
        if (std::fabs(y[i] - (&expected[0][0])[i]) > 1e-6f) return std::printf("element %d is %g\n", i, (double)y[i]), 1;
    return 0;
}

int main(int argc, char **argv)
{
    float x[2][3] = {{1, -2, 3}, {-4, 5, -6}}, y[3][4] = {};
    const int64_t x_dim[] = {2, 3}, y_dim[] = {3, 4};
    fx_tensor input = fx_tensor_view(x, FX_F32, 2, x_dim), output = fx_tensor_view(y, FX_F32, 2, y_dim);
    fx_context *context = fx_context_new();
    fx_module *module = NULL;
    fx_compiled *net = NULL;
    fx_compile_options options = fx_compile_options();
    options.threads = 1;
    fx_status status = trace(context, &module);
    if (status == FX_OK && argc > 1) status = fx_emit_object(module, NULL, 0, &options, NULL, argv[1]);
    if (status == FX_OK) status = fx_compile(module, NULL, 0, &options, &net);
    if (status == FX_OK) status = fx_run(net, context, &input, 1, &output, 1);
    fx_context_print(context, stderr);
    int bad = status != FX_OK || differs(&y[0][0]);
#ifdef HAVE_OBJECT
    alignas(64) static unsigned char workspace[STRANGER_NET_WORKSPACE_BYTES + 1];
    std::memset(y, 0, sizeof y);
    bad |= stranger_net(x, y, workspace) != 0 || differs(&y[0][0]);
#endif
    fx_compiled_free(net);
    fx_module_free(module);
    fx_context_free(context);
    return bad;
}
