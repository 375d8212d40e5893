/* SPDX-License-Identifier: Apache-2.0 */
/* Is what the strict parser takes the same value again once it is written and read? */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"

static json_t *again(const char *text)
{
	json_t *value = NULL;
	assert(st_json_parse(text, strlen(text), SIZE_MAX, &value, NULL) == ST_OK);
	return value;
}

static void check(json_t *value)
{
	char *canonical = st_json_canonical(value);
	char *compact = st_json_compact(value);
	json_t *first = again(canonical);
	json_t *second = again(compact);
	char *same = st_json_canonical(second);
	assert(json_equal(value, first) && json_equal(value, second));
	assert(strcmp(canonical, same) == 0);
	st_free(same);
	json_decref(second);
	json_decref(first);
	st_free(compact);
	st_free(canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *value = NULL;
	struct st_diag diag = {0};
	int code = st_json_parse((const char *)data, size, ST_JSON_BYTES_MAX, &value, &diag);
	assert((code == ST_OK) == (value != NULL));
	assert((code == ST_OK) == (diag.text[0] == '\0'));
	if (value != NULL) {
		assert(memchr(data, '\0', size) == NULL);
		check(value);
		json_decref(value);
	}
	return 0;
}
