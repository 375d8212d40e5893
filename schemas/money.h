/* SPDX-License-Identifier: Apache-2.0 */
/* How is money written? Inside it is nano-USD in 64 bits, never a float. */
#ifndef ST_SCHEMAS_MONEY_H
#define ST_SCHEMAS_MONEY_H

#include <stdint.h>

#define ST_NUSD_PER_USD INT64_C(1000000000)

/* "2.50" or "0.000000001" to nano-USD; no sign, no exponent, at most 9 decimals. 0, or
 * ST_ERR_INVALID. */
int st_money_parse(const char *text, int64_t *nusd);
/* 2500000000 to "2.50": at least two decimals, no trailing zeros after them. */
const char *st_money_format(int64_t nusd, char out[32]);

#endif
