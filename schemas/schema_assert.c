/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema_check.h"

#include "schemas/regex.h"
#include "schemas/value.h"

/* What is asked of a value itself, without any other subschema. */

bool st_schema_broken(struct st_schema_check *check, const char *why)
{
	check->broken = why;
	return false;
}

unsigned st_schema_types_of(const struct st_schema *schema, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return ST_SCHEMA_OBJECT;
	case JSON_ARRAY:
		return ST_SCHEMA_ARRAY;
	case JSON_STRING:
		return ST_SCHEMA_STRING;
	case JSON_INTEGER:
		return ST_SCHEMA_INTEGER | ST_SCHEMA_NUMBER;
	case JSON_REAL:
		return !schema->strict_integers && st_number_is_whole(value)
			   ? ST_SCHEMA_INTEGER | ST_SCHEMA_NUMBER
			   : ST_SCHEMA_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return ST_SCHEMA_BOOLEAN;
	case JSON_NULL:
		break;
	}
	return ST_SCHEMA_NULL;
}

bool st_schema_assert_value(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value)
{
	if (node->const_value != NULL && !st_value_equal(node->const_value, value)) {
		return st_schema_fail_value(check, node, value);
	}
	if (node->enum_values == NULL) {
		return true;
	}
	for (size_t i = 0; i < json_array_size(node->enum_values); i++) {
		if (st_value_equal(json_array_get(node->enum_values, i), value)) {
			return true;
		}
	}
	return st_schema_fail_value(check, node, value);
}

bool st_schema_assert_number(struct st_schema_check *check, const struct st_schema_node *node,
			     const json_t *value)
{
	if (node->minimum != NULL && st_number_compare(value, node->minimum) < 0) {
		return st_schema_fail_number(check, "at least", node->minimum, value);
	}
	if (node->maximum != NULL && st_number_compare(value, node->maximum) > 0) {
		return st_schema_fail_number(check, "at most", node->maximum, value);
	}
	if (node->exclusive_minimum != NULL &&
	    st_number_compare(value, node->exclusive_minimum) <= 0) {
		return st_schema_fail_number(check, "more than", node->exclusive_minimum, value);
	}
	if (node->exclusive_maximum != NULL &&
	    st_number_compare(value, node->exclusive_maximum) >= 0) {
		return st_schema_fail_number(check, "less than", node->exclusive_maximum, value);
	}
	if (node->multiple_of != NULL && !st_number_is_multiple(value, node->multiple_of)) {
		return st_schema_fail_number(check, "a multiple of", node->multiple_of, value);
	}
	return true;
}

bool st_schema_matches(struct st_schema_check *check, const struct st_regex *regex,
		       const char *text, size_t len)
{
	if (check->scratch == NULL) {
		check->scratch = st_regex_scratch_new();
	}
	int result = st_regex_match(regex, check->scratch, text, len);
	return result < 0 ? st_schema_broken(check, "a pattern takes too long") : result == 1;
}

bool st_schema_assert_string(struct st_schema_check *check, const struct st_schema_node *node,
			     const json_t *value)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (node->min_length > 0 || node->max_length < INT64_MAX) {
		int64_t chars = (int64_t)st_text_length(text, len);
		if (chars < node->min_length || chars > node->max_length) {
			bool few = chars < node->min_length;
			return st_schema_fail(
			    check, ST_SCHEMA_RANK_OTHER, "expected at %s %lld characters, got %lld",
			    few ? "least" : "most",
			    (long long)(few ? node->min_length : node->max_length),
			    (long long)chars);
		}
	}
	return node->pattern == NULL || st_schema_matches(check, node->pattern, text, len) ||
	       st_schema_fail_pattern(check, node, value);
}

bool st_schema_assert_count(struct st_schema_check *check, size_t n, const int64_t range[2],
			    const char *what)
{
	if ((int64_t)n >= range[0] && (int64_t)n <= range[1]) {
		return true;
	}
	bool few = (int64_t)n < range[0];
	return st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "expected at %s %lld %s, got %zu",
			      few ? "least" : "most", (long long)(few ? range[0] : range[1]), what,
			      n);
}

bool st_schema_assert_present(struct st_schema_check *check, const json_t *names,
			      const json_t *value, const char *because)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *name = json_array_get(names, i);
		if (json_object_getn(value, json_string_value(name), json_string_length(name)) !=
		    NULL) {
			continue;
		}
		if (because == NULL) {
			return st_schema_fail(check, ST_SCHEMA_RANK_OTHER, "\"%.64s\" is missing",
					      json_string_value(name));
		}
		return st_schema_fail(check, ST_SCHEMA_RANK_OTHER,
				      "\"%.64s\" is missing, which \"%.64s\" needs",
				      json_string_value(name), because);
	}
	return true;
}

bool st_schema_assert_dependent(struct st_schema_check *check, const json_t *dependent,
				const json_t *value)
{
	for (void *at = json_object_iter((json_t *)dependent); at != NULL;
	     at = json_object_iter_next((json_t *)dependent, at)) {
		const char *key = json_object_iter_key(at);
		if (json_object_getn(value, key, json_object_iter_key_len(at)) != NULL &&
		    !st_schema_assert_present(check, json_object_iter_value(at), value, key)) {
			return false;
		}
	}
	return true;
}
