/* SPDX-License-Identifier: Apache-2.0 */
/* When are two JSON values the same, and what is true of a number? By value, as JSON Schema says.
 */
#ifndef ST_SCHEMAS_VALUE_H
#define ST_SCHEMAS_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Values nested deeper than this are different from everything. */
#define ST_VALUE_DEPTH_MAX 64

/* 1 and 1.0 are equal, the order of members does not matter. */
bool st_value_equal(const json_t *a, const json_t *b);
/* No two items are equal. In n log n, so that a large array is no weapon. */
bool st_value_is_unique(const json_t *array);

/* Numbers only; exact also where a double cannot hold the integer. <0, 0, >0. */
int st_number_compare(const json_t *a, const json_t *b);
/* A json_integer, or a real without a fraction. */
bool st_number_is_whole(const json_t *number);
/* Exact in decimal: 0.0075 is a multiple of 0.0001. divisor > 0. */
bool st_number_is_multiple(const json_t *number, const json_t *divisor);

/* In characters (code points). */
size_t st_text_length(const char *text, size_t len);

#endif
