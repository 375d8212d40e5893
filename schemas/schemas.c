/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schemas.h"

#include "schemas/mem.h"

struct st_schemas {
	int version;
};

struct st_schemas *st_schemas_new(void)
{
	struct st_schemas *schemas = st_alloc(sizeof *schemas);
	schemas->version = 1;
	return schemas;
}

void st_schemas_free(struct st_schemas *schemas)
{
	st_free(schemas);
}

int st_schemas_check_run(const struct st_schemas *schemas, const json_t *doc, struct st_diag *diag)
{
	(void)schemas;
	return json_is_object(doc) ? ST_OK : st_fail(diag, ST_ERR_INVALID, "expected an object");
}

int st_schemas_check_config(const struct st_schemas *schemas, const json_t *doc,
			    struct st_diag *diag)
{
	(void)schemas;
	return json_is_object(doc) ? ST_OK : st_fail(diag, ST_ERR_INVALID, "expected an object");
}
