/* SPDX-License-Identifier: Apache-2.0 */
/* What may be asked of a JSON value in an expression? */
#ifndef ST_STEPS_VALUE_H
#define ST_STEPS_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "schemas/buf.h"
#include "schemas/err.h"

/* The key of the markers that stand for secrets (see template.h). It is no UTF-8, so that no parsed
 * JSON has it. */
#define ST_VALUE_MARKER "\xff"

/*
 * Adds the bytes of the value's JSON text to *bytes. Failures: ST_ERR_TOO_LARGE when *bytes would
 * pass bytes_max (found early, without walking the rest) or it is more than `depth` deep;
 * ST_ERR_INVALID for a marker, which no data has.
 */
int st_value_measure(const json_t *value, int depth, size_t bytes_max, size_t *bytes);

/* Not true: false, null, 0, "", [], {}. */
bool st_value_is_true(const json_t *value);
/* Different types are unequal, but numbers compare by value. Values at most ST_JSON_DEPTH_MAX deep.
 */
bool st_value_equal(const json_t *a, const json_t *b);
bool st_value_is_less(const json_t *a, const json_t *b); /* two numbers, or two strings by bytes */

/* Adds it as text: strings as they are, others as compact JSON with sorted keys. The caller has
 * measured it. */
void st_value_add_text(struct st_buf *buf, const json_t *value);

#endif
