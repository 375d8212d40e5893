/* SPDX-License-Identifier: Apache-2.0 */
/* Which bytes does a rule of the tool server send? */
#ifndef ST_TESTS_TOOLS_RAW_BYTES_H
#define ST_TESTS_TOOLS_RAW_BYTES_H

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "schemas/buf.h"

/* Adds what the rule's member says in base64; nothing where it has none. */
static inline void raw_bytes(const json_t *rule, const char *name, struct st_buf *out)
{
	const json_t *text = json_object_get(rule, name);
	size_t len = json_string_length(text);
	if (len > 0 && sodium_base642bin((unsigned char *)st_buf_reserve(out, len), len,
					 json_string_value(text), len, NULL, &out->len, NULL,
					 sodium_base64_VARIANT_ORIGINAL) != 0) {
		(void)fprintf(stderr, "toolserver: \"%s\" of a rule is no base64\n", name);
		exit(2);
	}
}

#endif
