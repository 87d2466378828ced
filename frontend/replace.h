/* SPDX-License-Identifier: Apache-2.0 */
/* frontend/replace.h: files that appear when they are whole, in the place of what is there: written beside it and renamed. What is
 * there and is no regular file, such as a device, is left alone; behind a symbolic link it is the file that is replaced. */
#ifndef FX_FRONTEND_REPLACE_H
#define FX_FRONTEND_REPLACE_H

#include "fxjit/types.h"

/* All zero: nothing to be dropped. */
typedef struct fx_replacement {
    FILE *out;
    const char *name;      /* as the caller calls it, borrowed; for messages */
    char *path, *temporary; /* NULL once it has its place */
} fx_replacement;
/* path must live as long as the replacement. FX_E_IO, FX_E_OOM with a message. */
fx_status fx__replace_open(fx_context *context, const char *path, fx_replacement *out);
fx_status fx__replace_close(fx_context *context, fx_replacement *it);  /* everything is on its way; FX_E_IO */
fx_status fx__replace_commit(fx_context *context, fx_replacement *it); /* after close; FX_E_IO */
void fx__replace_drop(fx_replacement *it);                             /* in every case, at the end */

#endif
