/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/function.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/operand.h"

int st_evaluation_spend(struct st_evaluation *evaluation, size_t n)
{
	if (evaluation->work_left < 0 || n > (size_t)evaluation->work_left) {
		return st_fail(evaluation->diag, ST_ERR_TOO_LARGE,
			       "takes more work than the %ld bytes that expressions may look at",
			       ST_EXPR_WORK_MAX);
	}
	evaluation->work_left -= (long)n;
	return ST_OK;
}

int st_evaluation_spend_value(struct st_evaluation *evaluation, const json_t *value)
{
	size_t bytes = 0;
	int rc = st_operand_measure(value, ST_JSON_DEPTH_MAX, ST_EXPR_OUTPUT_MAX, &bytes);
	if (rc == ST_ERR_INVALID) {
		return st_fail(evaluation->diag, ST_ERR_INVALID,
			       "holds a field name that is not UTF-8");
	}
	if (rc != ST_OK) {
		return st_fail(evaluation->diag, ST_ERR_TOO_LARGE,
			       "a value is larger than %d bytes or more than %d levels deep",
			       ST_EXPR_OUTPUT_MAX, ST_JSON_DEPTH_MAX);
	}
	return st_evaluation_spend(evaluation, bytes);
}

static int wrong_type(const struct st_evaluation *evaluation, const char *function,
		      const char *wanted, const json_t *got)
{
	return st_fail(evaluation->diag, ST_ERR_INVALID, "%s() needs %s, not %s", function, wanted,
		       st_json_type_text(got));
}

/* Gives the text as a JSON string. */
static int give_text(const struct st_evaluation *evaluation, const char *text, size_t len,
		     json_t **out)
{
	json_t *value = json_stringn(text, len);
	if (value == NULL) {
		return st_fail(evaluation->diag, ST_ERR_INVALID, "the text is not UTF-8");
	}
	*out = value;
	return ST_OK;
}

static size_t count_characters(const char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		n += ((unsigned char)text[i] & 0xc0U) != 0x80U;
	}
	return n;
}

static int call_length(struct st_evaluation *evaluation, json_t *const *args, size_t n,
		       json_t **out)
{
	(void)n;
	size_t length = 0;
	if (json_is_string(args[0])) {
		int rc = st_evaluation_spend(evaluation, json_string_length(args[0]));
		if (rc != ST_OK) {
			return rc;
		}
		length = count_characters(json_string_value(args[0]), json_string_length(args[0]));
	} else if (json_is_array(args[0])) {
		length = json_array_size(args[0]);
	} else if (json_is_object(args[0])) {
		length = json_object_size(args[0]);
	} else {
		return wrong_type(evaluation, "length", "text, an array or an object", args[0]);
	}
	*out = json_integer((json_int_t)length);
	return ST_OK;
}

static int join_into(struct st_evaluation *evaluation, const json_t *array, const json_t *separator,
		     struct st_buf *buf)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *element = json_array_get(array, i);
		if (json_is_null(element)) {
			return st_fail(evaluation->diag, ST_ERR_INVALID,
				       "join() can not put null into text: element [%zu]", i);
		}
		int rc = st_evaluation_spend_value(evaluation, element);
		if (rc == ST_OK) {
			rc = st_evaluation_spend(evaluation, json_string_length(separator));
		}
		if (rc != ST_OK) {
			return rc;
		}
		if (i > 0) {
			st_operand_add_text(buf, separator);
		}
		st_operand_add_text(buf, element);
		if (buf->len > ST_EXPR_OUTPUT_MAX) {
			return st_fail(evaluation->diag, ST_ERR_TOO_LARGE,
				       "join() makes more than %d bytes", ST_EXPR_OUTPUT_MAX);
		}
	}
	return ST_OK;
}

static int call_join(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out)
{
	(void)n;
	if (!json_is_array(args[0])) {
		return wrong_type(evaluation, "join", "an array first", args[0]);
	}
	if (!json_is_string(args[1])) {
		return wrong_type(evaluation, "join", "text second", args[1]);
	}
	struct st_buf buf = {0};
	int rc = join_into(evaluation, args[0], args[1], &buf);
	if (rc == ST_OK) {
		rc = give_text(evaluation, buf.data != NULL ? buf.data : "", buf.len, out);
	}
	st_buf_fini(&buf);
	return rc;
}

static int call_json(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out)
{
	(void)n;
	int rc = st_evaluation_spend_value(evaluation, args[0]);
	if (rc != ST_OK) {
		return rc;
	}
	st_autofree char *text = st_json_canonical(args[0]);
	return give_text(evaluation, text, strlen(text), out);
}

static int call_from_json(struct st_evaluation *evaluation, json_t *const *args, size_t n,
			  json_t **out)
{
	(void)n;
	if (!json_is_string(args[0])) {
		return wrong_type(evaluation, "from_json", "text", args[0]);
	}
	size_t len = json_string_length(args[0]);
	int rc = st_evaluation_spend(evaluation, len);
	if (rc != ST_OK) {
		return rc;
	}
	struct st_diag inner = {0};
	rc = st_json_parse(json_string_value(args[0]), len, ST_EXPR_OUTPUT_MAX, out, &inner);
	if (rc != ST_OK) {
		return st_fail(evaluation->diag, inner.code, "from_json(): %s", inner.text);
	}
	return ST_OK;
}

static bool array_contains(const json_t *array, const json_t *needle)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (st_operand_equal(json_array_get(array, i), needle)) {
			return true;
		}
	}
	return false;
}

static int call_contains(struct st_evaluation *evaluation, json_t *const *args, size_t n,
			 json_t **out)
{
	(void)n;
	bool found = false;
	int rc = st_evaluation_spend_value(evaluation, args[0]);
	if (rc == ST_OK) {
		rc = st_evaluation_spend_value(evaluation, args[1]);
	}
	if (rc != ST_OK) {
		return rc;
	}
	if (json_is_array(args[0])) {
		found = array_contains(args[0], args[1]);
	} else if (!json_is_string(args[0]) && !json_is_object(args[0])) {
		return wrong_type(evaluation, "contains", "text, an array or an object first",
				  args[0]);
	} else if (!json_is_string(args[1])) {
		return wrong_type(evaluation, "contains", "text second", args[1]);
	} else if (json_is_string(args[0])) {
		found = strstr(json_string_value(args[0]), json_string_value(args[1])) != NULL;
	} else {
		found = json_object_get(args[0], json_string_value(args[1])) != NULL;
	}
	*out = json_boolean(found);
	return ST_OK;
}

/* Where a bound of slice() falls in something of that length: negative counts from the end. */
static size_t bound_at(json_int_t bound, size_t length)
{
	json_int_t n = (json_int_t)length;
	if (bound < 0) {
		return bound < -n ? 0 : (size_t)(n + bound);
	}
	return bound > n ? length : (size_t)bound;
}

/* The offset of character number `index`. */
static size_t offset_of(const char *text, size_t len, size_t index)
{
	size_t i = 0;
	while (i < len && index > 0) {
		i++;
		while (i < len && ((unsigned char)text[i] & 0xc0U) == 0x80U) {
			i++;
		}
		index--;
	}
	return i;
}

static int slice_text(struct st_evaluation *evaluation, const json_t *value,
		      const json_int_t bounds[2], json_t **out)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	int rc = st_evaluation_spend(evaluation, len);
	if (rc != ST_OK) {
		return rc;
	}
	size_t length = count_characters(text, len);
	size_t from = bound_at(bounds[0], length);
	size_t to = bound_at(bounds[1], length);
	size_t start = offset_of(text, len, from);
	size_t size = to > from ? offset_of(text + start, len - start, to - from) : 0;
	return give_text(evaluation, text + start, size, out);
}

static int slice_array(struct st_evaluation *evaluation, const json_t *value,
		       const json_int_t bounds[2], json_t **out)
{
	size_t length = json_array_size(value);
	int rc = st_evaluation_spend(evaluation, length);
	if (rc != ST_OK) {
		return rc;
	}
	size_t to = bound_at(bounds[1], length);
	json_t *part = json_array();
	for (size_t i = bound_at(bounds[0], length); i < to; i++) {
		json_array_append(part, json_array_get(value, i));
	}
	*out = part;
	return ST_OK;
}

static int call_slice(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out)
{
	json_int_t bounds[2] = {0, INT64_MAX};
	for (size_t i = 1; i < n; i++) {
		if (!json_is_integer(args[i])) {
			return wrong_type(evaluation, "slice", "integers for from and to", args[i]);
		}
		bounds[i - 1] = json_integer_value(args[i]);
	}
	if (json_is_string(args[0])) {
		return slice_text(evaluation, args[0], bounds, out);
	}
	if (json_is_array(args[0])) {
		return slice_array(evaluation, args[0], bounds, out);
	}
	return wrong_type(evaluation, "slice", "text or an array first", args[0]);
}

static int call_first(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out)
{
	(void)n;
	if (!json_is_array(args[0])) {
		return wrong_type(evaluation, "first", "an array", args[0]);
	}
	if (json_array_size(args[0]) == 0) {
		return st_fail(evaluation->diag, ST_ERR_NOT_FOUND,
			       "first() of an empty array; default(first(x), y) gives y then");
	}
	*out = json_incref(json_array_get(args[0], 0));
	return ST_OK;
}

static int compare_names(const void *a, const void *b)
{
	const char *x = NULL;
	const char *y = NULL;
	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return strcmp(x, y);
}

/* Sorted, because the order in which an object was read must not show. */
static int call_keys(struct st_evaluation *evaluation, json_t *const *args, size_t n, json_t **out)
{
	(void)n;
	if (!json_is_object(args[0])) {
		return wrong_type(evaluation, "keys", "an object", args[0]);
	}
	int rc = st_evaluation_spend_value(evaluation, args[0]);
	if (rc != ST_OK) {
		return rc;
	}
	size_t size = json_object_size(args[0]);
	const char **names = st_alloc_array(size, sizeof *names);
	size_t count = 0;
	const char *name = NULL;
	json_t *member = NULL;
	json_object_foreach(args[0], name, member)
	{
		names[count++] = name;
	}
	qsort(names, count, sizeof *names, compare_names);
	json_t *keys = json_array();
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(keys, json_string(names[i]));
	}
	st_free(names);
	*out = keys;
	return ST_OK;
}

static int call_success(struct st_evaluation *evaluation, json_t *const *args, size_t n,
			json_t **out)
{
	(void)args;
	(void)n;
	*out = json_boolean(evaluation->scope->needs_succeeded);
	return ST_OK;
}

static int call_failure(struct st_evaluation *evaluation, json_t *const *args, size_t n,
			json_t **out)
{
	(void)args;
	(void)n;
	*out = json_boolean(evaluation->scope->needs_failed);
	return ST_OK;
}

static int call_always(struct st_evaluation *evaluation, json_t *const *args, size_t n,
		       json_t **out)
{
	(void)evaluation;
	(void)args;
	(void)n;
	*out = json_true();
	return ST_OK;
}

static const struct st_function functions[] = {
    /* characters of text, elements of an array, members of an object */
    {"length", "length(x)", 1, 1, false, call_length},
    /* the elements as text with sep between them */
    {"join", "join(array, sep)", 2, 2, false, call_join},
    /* compact JSON text with sorted keys, and back */
    {"json", "json(x)", 1, 1, false, call_json},
    {"from_json", "from_json(text)", 1, 1, false, call_from_json},
    /* text in text, an element equal to it in an array, a name in an object */
    {"contains", "contains(hay, needle)", 2, 2, false, call_contains},
    /* fallback when x leads nowhere or is null */
    {"default", "default(x, fallback)", 2, 2, false, NULL},
    /* characters or elements from..to-1; negative counts from the end; what is outside is cut */
    {"slice", "slice(x, from, to)", 2, 3, false, call_slice},
    {"first", "first(array)", 1, 1, false, call_first},
    {"keys", "keys(object)", 1, 1, false, call_keys},
    /* what became of the steps that this one needs */
    {"success", "success()", 0, 0, true, call_success},
    {"failure", "failure()", 0, 0, true, call_failure},
    {"always", "always()", 0, 0, true, call_always},
};

const struct st_function *st_function_all(size_t *n)
{
	*n = sizeof functions / sizeof functions[0];
	return functions;
}

const struct st_function *st_function_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		if (strlen(functions[i].name) == len && memcmp(functions[i].name, name, len) == 0) {
			return &functions[i];
		}
	}
	return NULL;
}
