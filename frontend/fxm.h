/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/fxm.h: the parts of reading and writing graph.json (docs/FORMAT.md). */
#ifndef FX_FRONTEND_FXM_H
#define FX_FRONTEND_FXM_H

#include "frontend/json.h"
#include "frontend/onnx_tensor.h"
#include "fxjit/compile.h"
#include "ir/graph.h"

enum { FX_FXM_VERSION = 1, FX_FXM_DEPTH = 160 /* of lists, objects and graphs inside each other */ };

typedef struct fx_fxm {
    fx_json json;
    fx_map tensors; /* key -> fx_named_tensor */
    bool plain;     /* a bare list of torch.fx nodes, whose texts may name nodes */
} fx_fxm;

/* One graph's names; a node that was reported stands for the scope itself. */
typedef struct fx_fxm_scope {
    fx_fxm *fxm;
    fx_graph *graph;
    fx_map nodes;
} fx_fxm_scope;

/* fxm_value.c. All return false after a report. */
bool fx__fxm_value(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_attr *out);
bool fx__fxm_dict(fx_fxm_scope *scope, const fx_json_at *at, const json_t *object, fx_attr *out); /* NULL: an empty dict */
bool fx__fxm_items(fx_fxm_scope *scope, const fx_json_at *at, const json_t *list, fx_attr_kind kind, fx_attr *out);
bool fx__fxm_type(fx_fxm_scope *scope, const fx_json_at *at, const json_t *value, fx_type *out);
bool fx__fxm_symbols(fx_fxm_scope *scope, const fx_json_at *at, const json_t *graph);
bool fx__fxm_assumptions(fx_fxm_scope *scope, const fx_json_at *at, const json_t *graph);

/* fxm_read.c */
bool fx__fxm_graph(fx_fxm *fxm, const fx_json_at *at, const json_t *value, fx_graph *graph);
/* A whole document, or a bare list of nodes; tensors by key. */
fx_status fx__fxm_read(fx_context *context, const char *json, size_t bytes, const char *name, const fx_named_tensor *tensors,
                       int32_t n_tensors, FX_GIVES fx_module **out);

/* fxm_write.c: key of a module's tensor by the tensor's path in the tree. */
typedef const char *(*fx_fxm_key)(void *user, const char *path);
/* False: out of memory, or a text is not UTF-8, which is reported. */
bool fx__fxm_write(fx_text *text, fx_module *module, fx_fxm_key key, void *user);

/* fxm.c: an archive that lies in the store's mapping. */
fx_status fx__fxm_load(fx_context *context, FX_TAKES fx_store *store, const char *path, const void *data, size_t bytes,
                       FX_GIVES fx_module **out);

#endif
