/* SPDX-License-Identifier: Apache-2.0 */
/* Does any pair [schema, value] make the validator go wrong? */
#include "fuzz.h"

#include <assert.h>

#include "schemas/json.h"
#include "schemas/schema.h"

static void check(json_t *schema_doc, const json_t *value)
{
	struct st_schema *schema = NULL;
	struct st_diag diag = {0};
	if (st_schema_compile(schema_doc, NULL, &schema, &diag) != ST_OK) {
		assert(diag.text[0] != '\0');
		return;
	}
	int code = st_schema_validate(schema, value, &diag);
	assert((code == ST_OK) == (diag.text[0] == '\0'));
	assert(st_schema_validate(schema, value, NULL) == code);
	st_schema_free(schema);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *pair = NULL;
	if (st_json_parse((const char *)data, size, ST_JSON_BYTES_MAX, &pair, NULL) != ST_OK) {
		return 0;
	}
	if (json_array_size(pair) == 2) {
		check(json_array_get(pair, 0), json_array_get(pair, 1));
	}
	json_decref(pair);
	return 0;
}
