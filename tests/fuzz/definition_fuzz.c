/* SPDX-License-Identifier: Apache-2.0 */
/* Does any text make the definition or config decoder go wrong? */
#include "fuzz.h"

#include <assert.h>

#include "schemas/def.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/schemas.h"

static void decode(const struct st_schemas *schemas, const struct st_config *config, json_t *doc)
{
	const struct st_def_input input = {doc, NULL, config};
	struct st_diag diag = {0};
	struct st_def *def = NULL;
	int code = st_def_decode(schemas, &input, &def, &diag);
	assert((code == ST_OK) == (def != NULL));
	assert((code == ST_OK) == (diag.text[0] == '\0'));
	for (size_t i = 0; def != NULL && i < def->n_steps; i++) {
		assert(def->steps[i].n_needs < def->n_steps);
		assert(def->steps[i].for_each_concurrent >= 1);
	}
	for (int meter = 0; def != NULL && meter < ST_METER_COUNT; meter++) {
		assert(def->envelope.run.of[meter] >= 0);
	}
	st_def_free(def);
	struct st_config *other = NULL;
	diag = (struct st_diag){0};
	code = st_config_decode(schemas, doc, &other, &diag);
	assert((code == ST_OK) == (other != NULL));
	assert((code == ST_OK) == (diag.text[0] == '\0'));
	st_config_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct st_schemas *schemas;
	static struct st_config *config;
	if (schemas == NULL) {
		schemas = st_schemas_new();
		config = st_config_new();
	}
	json_t *doc = NULL;
	struct st_diag diag = {0};
	if (st_json_parse((const char *)data, size, ST_JSON_BYTES_MAX, &doc, &diag) != ST_OK) {
		assert(diag.text[0] != '\0');
		return 0;
	}
	char *text = st_json_canonical(doc);
	st_free(text);
	decode(schemas, config, doc);
	json_decref(doc);
	return 0;
}
