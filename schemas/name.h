/* SPDX-License-Identifier: Apache-2.0 */
/* What may a step, scope, provider or secret be called? */
#ifndef ST_SCHEMAS_NAME_H
#define ST_SCHEMAS_NAME_H

#include <stdbool.h>

#include "schemas/verdict.h"

/* For messages and docs. The same rule stands as a pattern in the JSON Schemas. */
#define ST_NAME_RULE                                                                               \
	"1 to 64 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or an underscore"

bool st_name_is_valid(const char *text);
/* "env:NAME" or "file:/absolute/path". */
bool st_secret_ref_is_valid(const char *text);

#endif
