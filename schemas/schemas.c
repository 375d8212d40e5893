/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schemas.h"

#include <assert.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schema.h"

/* schemas/embed.S */
extern const char st_embedded_run_schema[];
extern const char st_embedded_run_schema_end[];
extern const char st_embedded_config_schema[];
extern const char st_embedded_config_schema_end[];
extern const char st_embedded_openapi[];
extern const char st_embedded_openapi_end[];

struct st_schemas {
	struct st_schema *run;
	struct st_schema *config;
};

const char *st_schemas_text(enum st_schemas_text which, size_t *len)
{
	switch (which) {
	case ST_SCHEMAS_RUN:
		*len = (size_t)(st_embedded_run_schema_end - st_embedded_run_schema);
		return st_embedded_run_schema;
	case ST_SCHEMAS_CONFIG:
		*len = (size_t)(st_embedded_config_schema_end - st_embedded_config_schema);
		return st_embedded_config_schema;
	case ST_SCHEMAS_OPENAPI:
		*len = (size_t)(st_embedded_openapi_end - st_embedded_openapi);
		return st_embedded_openapi;
	}
	*len = 0;
	return "";
}

static json_t *parse(enum st_schemas_text which)
{
	size_t len = 0;
	const char *text = st_schemas_text(which, &len);
	json_t *doc = NULL;
	int code = st_json_parse(text, len, ST_JSON_BYTES_MAX, &doc, NULL);
	assert(code == ST_OK);
	return doc;
}

/* The config's schema refers to the budget of the run's. */
static json_t *find(void *context, const char *uri)
{
	json_t *run = context;
	const char *id = json_string_value(json_object_get(run, "$id"));
	return strcmp(id, uri) == 0 ? json_incref(run) : NULL;
}

struct st_schemas *st_schemas_new(void)
{
	json_t *run = parse(ST_SCHEMAS_RUN);
	json_t *config = parse(ST_SCHEMAS_CONFIG);
	const struct st_schema_options options = {find, run, true};
	struct st_schemas *schemas = st_alloc(sizeof *schemas);
	int code = st_schema_compile(run, &options, &schemas->run, NULL);
	assert(code == ST_OK);
	code = st_schema_compile(config, &options, &schemas->config, NULL);
	assert(code == ST_OK);
	json_decref(run);
	json_decref(config);
	return schemas;
}

void st_schemas_free(struct st_schemas *schemas)
{
	if (schemas != NULL) {
		st_schema_free(schemas->run);
		st_schema_free(schemas->config);
		st_free(schemas);
	}
}

int st_schemas_check_run(const struct st_schemas *schemas, const json_t *doc, struct st_diag *diag)
{
	return st_schema_validate(schemas->run, doc, diag);
}

int st_schemas_check_config(const struct st_schemas *schemas, const json_t *doc,
			    struct st_diag *diag)
{
	return st_schema_validate(schemas->config, doc, diag);
}
