/* SPDX-License-Identifier: Apache-2.0 */
/* Does a JSON value follow a JSON Schema (draft 2020-12)? */
#ifndef ST_SCHEMAS_SCHEMA_H
#define ST_SCHEMAS_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>

#include "schemas/err.h"

/*
 * Compiled once, immutable afterwards, so that many threads may use it. All keywords of the draft
 * are asserted but `format` and the content keywords, which the draft makes annotations. Patterns
 * are ECMA-262, unanchored, with a bound on backtracking. What cannot be honoured (an unknown
 * dialect or a vocabulary that is required) is refused when compiling, never passed over.
 */
struct st_schema;

struct st_schema_options {
	/* Gives a new reference to the document of an absolute URI without fragment, or NULL. May
	 * be NULL itself: then a schema refers only to itself. */
	json_t *(*find)(void *context, const char *uri);
	void *context;
	/* In JSON Schema 1.0 is an integer. With this it is not, so that whoever reads a checked
	 * value may rely on json_is_integer. */
	bool strict_integers;
};

/*
 * Keeps references to doc and to what `find` gives; they must not change any more. Failures, with
 * the pointer in the schema: ST_ERR_INVALID (a malformed keyword, a reference to nothing),
 * ST_ERR_UNSUPPORTED, ST_ERR_TOO_LARGE. options may be NULL.
 */
int st_schema_compile(json_t *doc, const struct st_schema_options *options, struct st_schema **out,
		      struct st_diag *diag);
void st_schema_free(struct st_schema *schema);

/*
 * 0, or ST_ERR_INVALID with the pointer of the offending value, what was expected and, for a name
 * that is not known, the nearest one that is; ST_ERR_TOO_LARGE when the check would not end within
 * its bounds of depth, work and backtracking. `title` of a subschema serves as its name in
 * messages.
 */
int st_schema_validate(const struct st_schema *schema, const json_t *value, struct st_diag *diag);

#endif
