/* SPDX-License-Identifier: Apache-2.0 */
/* How evenly are the bytes of a text spread? */
#ifndef ST_REDACT_ENTROPY_H
#define ST_REDACT_ENTROPY_H

#include <stddef.h>

/* Shannon's entropy of a byte, in 1/1024 bits; 0 for an empty text. */
unsigned st_entropy_mibits(const char *text, size_t len);

#endif
