/* SPDX-License-Identifier: Apache-2.0 */
/* What does a fuzz program have to offer? */
#ifndef ST_TESTS_FUZZ_H
#define ST_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* One input, borrowed for the call. Returns 0; what must not happen is an assert. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
