/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an .npy file. */
#include "fuzz.h"
#include "frontend/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    fx_context *context = fx_context_new();
    fx_tensor tensor = {0};
    if (context && fx__npy_read(context, "fuzz.npy", data, bytes, &tensor) == FX_OK) fx_tensor_release(&tensor);
    fx_context_free(context);
    return 0;
}
