/* SPDX-License-Identifier: Apache-2.0 */
/* Is this text JSON that we accept? */
#ifndef ST_SCHEMAS_JSON_H
#define ST_SCHEMAS_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "schemas/err.h"

#define ST_JSON_DEPTH_MAX 32
#define ST_JSON_BYTES_MAX (1024 * 1024)

/*
 * Parses untrusted JSON strictly: UTF-8, no duplicate keys (however spelled), depth <=
 * ST_JSON_DEPTH_MAX, at most bytes_max bytes, nothing after the value, no NUL characters. Numbers
 * with a fraction or exponent become json_real; nobody may use those for money or limits. Gives a
 * new reference in *out. Failures: ST_ERR_INVALID or ST_ERR_TOO_LARGE with line and column, and the
 * pointer where one is known.
 */
int st_json_parse(const char *text, size_t len, size_t bytes_max, json_t **out,
		  struct st_diag *diag);

/* Puts "/name" with the escapes of RFC 6901 behind a JSON pointer that is being built; cut when
 * full. To go back, end the text at its old length. */
void st_json_pointer_push(char pointer[ST_DIAG_POINTER_MAX], const char *name, size_t len);
/* "an object", "an integer", "a number with a fraction or exponent" … for messages. */
const char *st_json_type_text(const json_t *value);

/* Canonical text: compact, keys sorted, so that equal values give equal bytes. st_free it. */
char *st_json_canonical(const json_t *value);
/* Compact text in the value's own key order. st_free it. */
char *st_json_compact(const json_t *value);

#endif
