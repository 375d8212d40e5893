/* SPDX-License-Identifier: Apache-2.0 */
/* What does an operator ask of a JSON value? */
#ifndef ST_STEPS_OPERAND_H
#define ST_STEPS_OPERAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "schemas/buf.h"
#include "schemas/err.h"

/*
 * Adds the bytes of the value's JSON text to *bytes. Failures: ST_ERR_TOO_LARGE when *bytes would
 * pass bytes_max (found early, without walking the rest) or it is more than `depth` deep;
 * ST_ERR_INVALID for a marker, which no data has.
 */
int st_operand_measure(const json_t *value, int depth, size_t bytes_max, size_t *bytes);

/* Not true: false, null, 0, "", [], {}. */
bool st_operand_is_true(const json_t *value);
/* Different types are unequal, but numbers compare by value. Values at most ST_JSON_DEPTH_MAX deep.
 */
bool st_operand_equal(const json_t *a, const json_t *b);
bool st_operand_is_less(const json_t *a,
			const json_t *b); /* two numbers, or two strings by bytes */

/* Adds it as text: strings as they are, others as compact JSON with sorted keys. The caller has
 * measured it. */
void st_operand_add_text(struct st_buf *buf, const json_t *value);

#endif
