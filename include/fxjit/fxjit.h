/* SPDX-License-Identifier: Apache-2.0 */
/* fxjit/fxjit.h: everything public.
 *
 * fxjit compiles traced FX graphs. The way of a program:
 *
 *     fx_context *ctx = fx_context_new();
 *     fx_module *gm;
 *     fx_load(ctx, "resnet50.onnx", &gm);              // or fx_trace(ctx, "net", forward, ...)
 *     fx_compiled *net;
 *     fx_compile(gm, NULL, 0, &(fx_compile_options){.threads = 2}, &net);
 *     fx_run(net, ctx, inputs, 1, outputs, 1);
 *
 * Every call returns an fx_status; what failed, where and why stands in the context's diagnostics. */
#ifndef FXJIT_FXJIT_H
#define FXJIT_FXJIT_H

#include "fxjit/analysis.h"
#include "fxjit/bisect.h"
#include "fxjit/compile.h"
#include "fxjit/draw.h"
#include "fxjit/graph.h"
#include "fxjit/inspect.h"
#include "fxjit/interp.h"
#include "fxjit/ops.h"
#include "fxjit/passes.h"
#include "fxjit/profile.h"
#include "fxjit/rt.h"
#include "fxjit/source.h"
#include "fxjit/trace.h"
#include "fxjit/types.h"

#endif
