/* SPDX-License-Identifier: Apache-2.0 */
/* Is this the value of a secret, or a placeholder, a reference, a type, a word? */
#ifndef ST_REDACT_VALUE_H
#define ST_REDACT_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "redact/keyname.h"

/* How the value was written. */
struct st_value_look {
	bool quoted;
	bool spaced;   /* "key = value" rather than "key=value" */
	bool followed; /* more words stand on the line */
	bool flag;     /* "--key value" */
	bool told;     /* by a word or a comma: the value must look like a secret */
};

#define ST_VALUE_MIN 6 /* bytes; a shorter value in running text is taken for no secret */

/* For running text. */
bool st_value_is_secret(enum st_keyname key, const char *value, size_t len,
			struct st_value_look look);
/* Whether a bare value is a placeholder or a program's text by its first bytes: "<your", "${",
 * "get_token(", "Optional[". Cheap; asked before the value's end is looked for. */
bool st_value_is_code_start(const char *value, size_t len, bool spaced);
/* For a JSON string: its key alone says nearly everything. */
bool st_value_is_secret_json(enum st_keyname key, const char *value, size_t len);
/* "<token>", "${TOKEN}", "$TOKEN", "****", "xxxxxx", "[...]", and our own marker. */
bool st_value_is_placeholder(const char *value, size_t len);

#endif
