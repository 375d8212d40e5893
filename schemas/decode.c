/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/decode.h"

#include <stdio.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/money.h"
#include "schemas/name.h"

#define NUSD_PER_USD INT64_C(1000000000)

size_t st_decode_enter(struct st_decode *decode, const char *name)
{
	size_t mark = strlen(decode->pointer);
	st_json_pointer_push(decode->pointer, name, strlen(name));
	return mark;
}

size_t st_decode_enter_index(struct st_decode *decode, size_t index)
{
	char digits[24];
	(void)snprintf(digits, sizeof digits, "%zu", index);
	return st_decode_enter(decode, digits);
}

void st_decode_leave(struct st_decode *decode, size_t mark)
{
	decode->pointer[mark] = '\0';
}

int st_decode_mismatch(struct st_decode *decode, const char *expected, const json_t *value)
{
	return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer, "expected %s, got %s",
			  expected, st_json_type_text(value));
}

int st_decode_int(struct st_decode *decode, const json_t *value, int64_t min, int64_t max,
		  int64_t *out)
{
	if (!json_is_integer(value)) {
		return st_decode_mismatch(decode, "an integer", value);
	}
	int64_t n = json_integer_value(value);
	if (n < min || n > max) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "expected an integer from %lld to %lld, got %lld", (long long)min,
				  (long long)max, (long long)n);
	}
	*out = n;
	return ST_OK;
}

int st_decode_money(struct st_decode *decode, const json_t *value, int64_t *nusd)
{
	if (json_is_integer(value)) {
		int64_t usd = 0;
		int code = st_decode_int(decode, value, 0, INT64_MAX / NUSD_PER_USD, &usd);
		if (code == ST_OK) {
			*nusd = usd * NUSD_PER_USD;
		}
		return code;
	}
	if (!json_is_string(value)) {
		return st_decode_mismatch(
		    decode, "dollars as a string like \"2.50\" or as an integer", value);
	}
	const char *text = json_string_value(value);
	if (strlen(text) != json_string_length(value) || st_money_parse(text, nusd) != ST_OK) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "\"%.40s\" is not an amount of dollars: write digits with at "
				  "most 9 decimals, like \"2.50\"",
				  text);
	}
	return ST_OK;
}

int st_decode_get_int(struct st_decode *decode, const json_t *object, const char *name,
		      const int64_t range[2], int64_t *out)
{
	const json_t *value = json_object_get(object, name);
	if (value == NULL) {
		return ST_OK;
	}
	size_t mark = st_decode_enter(decode, name);
	int code = st_decode_int(decode, value, range[0], range[1], out);
	st_decode_leave(decode, mark);
	return code;
}

enum shape { A_BOOLEAN, A_STRING, AN_OBJECT, AN_ARRAY };

static bool has_shape(const json_t *value, enum shape shape)
{
	switch (shape) {
	case A_BOOLEAN:
		return json_is_boolean(value);
	case A_STRING:
		return json_is_string(value);
	case AN_OBJECT:
		return json_is_object(value);
	case AN_ARRAY:
		return json_is_array(value);
	}
	return false;
}

/* Reports at the member when it is there and of another type. */
static int get_typed(struct st_decode *decode, const json_t *object, const char *name,
		     enum shape shape, const json_t **out)
{
	static const char *const texts[] = {"a boolean", "a string", "an object", "an array"};
	const json_t *value = json_object_get(object, name);
	if (value == NULL) {
		return ST_OK;
	}
	if (!has_shape(value, shape)) {
		size_t mark = st_decode_enter(decode, name);
		int code = st_decode_mismatch(decode, texts[shape], value);
		st_decode_leave(decode, mark);
		return code;
	}
	*out = value;
	return ST_OK;
}

int st_decode_get_bool(struct st_decode *decode, const json_t *object, const char *name, bool *out)
{
	const json_t *value = NULL;
	int code = get_typed(decode, object, name, A_BOOLEAN, &value);
	if (value != NULL) {
		*out = json_is_true(value);
	}
	return code;
}

int st_decode_get_text(struct st_decode *decode, const json_t *object, const char *name,
		       const char **out)
{
	const json_t *value = NULL;
	int code = get_typed(decode, object, name, A_STRING, &value);
	if (value == NULL) {
		return code;
	}
	if (strlen(json_string_value(value)) != json_string_length(value)) {
		size_t mark = st_decode_enter(decode, name);
		code = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "a string with a NUL character is not accepted");
		st_decode_leave(decode, mark);
		return code;
	}
	*out = json_string_value(value);
	return ST_OK;
}

int st_decode_get_object(struct st_decode *decode, const json_t *object, const char *name,
			 const json_t **out)
{
	return get_typed(decode, object, name, AN_OBJECT, out);
}

int st_decode_get_array(struct st_decode *decode, const json_t *object, const char *name,
			const json_t **out)
{
	return get_typed(decode, object, name, AN_ARRAY, out);
}

int st_decode_get_name(struct st_decode *decode, const json_t *object, const char *name, char *out)
{
	const char *text = NULL;
	int code = st_decode_get_text(decode, object, name, &text);
	if (code != ST_OK || text == NULL) {
		return code;
	}
	if (!st_name_is_valid(text)) {
		size_t mark = st_decode_enter(decode, name);
		code = st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "\"%.80s\" is no name: " ST_NAME_RULE, text);
		st_decode_leave(decode, mark);
		return code;
	}
	memcpy(out, text, strlen(text) + 1);
	return ST_OK;
}
