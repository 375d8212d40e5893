/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/operand.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/secret.h"

/* The longest number: a sign, 17 digits, a point and an exponent. */
#define NUMBER_BYTES_MAX 26

static int take(size_t n, size_t bytes_max, size_t *bytes)
{
	if (n > bytes_max || *bytes > bytes_max - n) {
		return ST_ERR_TOO_LARGE;
	}
	*bytes += n;
	return ST_OK;
}

static int take_string(const char *text, size_t len, size_t bytes_max, size_t *bytes)
{
	int rc = take(len + 2, bytes_max, bytes);
	if (rc != ST_OK) {
		return rc;
	}
	size_t escapes = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		escapes += c < 0x20 ? 5 : (c == '"' || c == '\\');
	}
	return take(escapes, bytes_max, bytes);
}

/* `depth` counts down.
 * NOLINTBEGIN(misc-no-recursion) */
static int take_array(const json_t *array, int depth, size_t bytes_max, size_t *bytes)
{
	size_t n = json_array_size(array);
	int rc = take(n + 2, bytes_max, bytes);
	for (size_t i = 0; i < n && rc == ST_OK; i++) {
		rc = st_operand_measure(json_array_get(array, i), depth - 1, bytes_max, bytes);
	}
	return rc;
}

static int take_object(const json_t *object, int depth, size_t bytes_max, size_t *bytes)
{
	int rc = take(2, bytes_max, bytes);
	const char *key = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)object, key, member)
	{
		if (strcmp(key, ST_SECRET_MARKER) == 0) {
			return ST_ERR_INVALID;
		}
		if (rc == ST_OK) {
			rc = take_string(key, strlen(key), bytes_max, bytes);
		}
		if (rc == ST_OK) {
			rc = take(2, bytes_max, bytes);
		}
		if (rc == ST_OK) {
			rc = st_operand_measure(member, depth - 1, bytes_max, bytes);
		}
		if (rc != ST_OK) {
			return rc;
		}
	}
	return rc;
}

int st_operand_measure(const json_t *value, int depth, size_t bytes_max, size_t *bytes)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return take_string(json_string_value(value), json_string_length(value), bytes_max,
				   bytes);
	case JSON_ARRAY:
		return depth <= 0 ? ST_ERR_TOO_LARGE : take_array(value, depth, bytes_max, bytes);
	case JSON_OBJECT:
		return depth <= 0 ? ST_ERR_TOO_LARGE : take_object(value, depth, bytes_max, bytes);
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return take(json_is_number(value) ? NUMBER_BYTES_MAX : 5, bytes_max, bytes);
}

/* NOLINTEND(misc-no-recursion) */

bool st_operand_is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_TRUE:
		return true;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) < 0 || json_real_value(value) > 0;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

static int sign_of(bool less, bool greater)
{
	return less ? -1 : greater;
}

/* Exact: not every int64_t is a double. */
static int compare_int_real(int64_t i, double d)
{
	if (d >= 9223372036854775808.0) {
		return -1;
	}
	if (d < -9223372036854775808.0) {
		return 1;
	}
	int64_t whole = (int64_t)d;
	double fraction = d - (double)whole;
	if (i != whole) {
		return sign_of(i<whole, i> whole);
	}
	return sign_of(fraction > 0, fraction < 0);
}

static int compare_numbers(const json_t *a, const json_t *b)
{
	if (json_is_integer(a) && json_is_integer(b)) {
		int64_t x = json_integer_value(a);
		int64_t y = json_integer_value(b);
		return sign_of(x<y, x> y);
	}
	if (json_is_integer(a)) {
		return compare_int_real(json_integer_value(a), json_real_value(b));
	}
	if (json_is_integer(b)) {
		return -compare_int_real(json_integer_value(b), json_real_value(a));
	}
	double x = json_real_value(a);
	double y = json_real_value(b);
	return sign_of(x<y, x> y);
}

static int compare_strings(const json_t *a, const json_t *b)
{
	size_t n = json_string_length(a);
	size_t m = json_string_length(b);
	int order = memcmp(json_string_value(a), json_string_value(b), n < m ? n : m);
	return order != 0 ? order : sign_of(n<m, n> m);
}

bool st_operand_is_less(const json_t *a, const json_t *b)
{
	if (json_is_string(a)) {
		assert(json_is_string(b));
		return compare_strings(a, b) < 0;
	}
	assert(json_is_number(a));
	assert(json_is_number(b));
	return compare_numbers(a, b) < 0;
}

/* `depth` counts down.
 * NOLINTBEGIN(misc-no-recursion) */
static bool equal(const json_t *a, const json_t *b, int depth);

static bool equal_arrays(const json_t *a, const json_t *b, int depth)
{
	size_t n = json_array_size(a);
	if (n != json_array_size(b)) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!equal(json_array_get(a, i), json_array_get(b, i), depth)) {
			return false;
		}
	}
	return true;
}

static bool equal_objects(const json_t *a, const json_t *b, int depth)
{
	if (json_object_size(a) != json_object_size(b)) {
		return false;
	}
	const char *key = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)a, key, member)
	{
		const json_t *other = json_object_get(b, key);
		if (other == NULL || !equal(member, other, depth)) {
			return false;
		}
	}
	return true;
}

static bool equal(const json_t *a, const json_t *b, int depth)
{
	assert(depth > 0);
	if (json_is_number(a) && json_is_number(b)) {
		return compare_numbers(a, b) == 0;
	}
	if (json_typeof(a) != json_typeof(b)) {
		return false;
	}
	if (json_is_array(a)) {
		return equal_arrays(a, b, depth - 1);
	}
	if (json_is_object(a)) {
		return equal_objects(a, b, depth - 1);
	}
	return !json_is_string(a) || compare_strings(a, b) == 0;
}

/* NOLINTEND(misc-no-recursion) */

bool st_operand_equal(const json_t *a, const json_t *b)
{
	return equal(a, b, ST_JSON_DEPTH_MAX + 1);
}

void st_operand_add_text(struct st_buf *buf, const json_t *value)
{
	if (json_is_string(value)) {
		st_buf_add(buf, json_string_value(value), json_string_length(value));
		return;
	}
	st_autofree char *text = st_json_canonical(value);
	st_buf_add_text(buf, text);
}
