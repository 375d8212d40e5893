/* SPDX-License-Identifier: Apache-2.0 */
/* Which JSON Schemas does the binary carry? */
#ifndef ST_SCHEMAS_SCHEMAS_H
#define ST_SCHEMAS_SCHEMAS_H

#include <jansson.h>
#include <stddef.h>

#include "schemas/err.h"

/* The contracts in schemas/json, compiled once and then used by many. Immutable. */
struct st_schemas;

struct st_schemas *st_schemas_new(void);
void st_schemas_free(struct st_schemas *schemas);

enum st_schemas_text { ST_SCHEMAS_RUN, ST_SCHEMAS_CONFIG, ST_SCHEMAS_OPENAPI };
/* The document as it stands in the tree, for whoever wants to see it. Not NUL-ended. */
const char *st_schemas_text(enum st_schemas_text which, size_t *len);

/* Does the document follow run.schema.json or config.schema.json? 0, or ST_ERR_INVALID with the
 * pointer of the value and what was expected. */
int st_schemas_check_run(const struct st_schemas *schemas, const json_t *doc, struct st_diag *diag);
int st_schemas_check_config(const struct st_schemas *schemas, const json_t *doc,
			    struct st_diag *diag);

#endif
