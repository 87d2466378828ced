/* SPDX-License-Identifier: Apache-2.0 */
/* test/fuzz/fuzz.h: what libFuzzer calls. */
#ifndef FX_TEST_FUZZ_H
#define FX_TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#endif
