/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/secret.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "steps/expression.h"
#include "steps/operand.h"
#include "steps/place.h"

/* A marker is one object, one array and one object deep, below the deepest value. */
#define DEPTH_MAX (ST_JSON_DEPTH_MAX + 3)

/* The content of a marker, or NULL when the value is none. */
static const json_t *content_of(const json_t *value)
{
	return json_is_object(value) ? json_object_get(value, ST_SECRET_MARKER) : NULL;
}

/* `depth` counts down.
 * NOLINTBEGIN(misc-no-recursion) */
static bool has_secrets(const json_t *value, int depth)
{
	if (depth == 0) {
		return false;
	}
	if (content_of(value) != NULL) {
		return true;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (has_secrets(json_array_get(value, i), depth - 1)) {
			return true;
		}
	}
	const char *name = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)value, name, member)
	{
		if (has_secrets(member, depth - 1)) {
			return true;
		}
	}
	return false;
}

/* NOLINTEND(misc-no-recursion) */

bool st_template_has_secrets(const json_t *value)
{
	return has_secrets(value, DEPTH_MAX);
}

struct filler {
	struct st_place place;
	const struct st_secret_source *source; /* NULL: for display */
	struct st_diag *diag;
};

/* Adds "[secret:NAME]" or the value. */
static int add_secret(const struct filler *f, struct st_buf *buf, const char *name)
{
	if (f->source == NULL) {
		st_buf_addf(buf, "[secret:%s]", name);
		return ST_OK;
	}
	const char *value = f->source->resolve(f->source->arg, name);
	if (value == NULL) {
		return st_fail_at(f->diag, ST_ERR_NOT_FOUND, f->place.pointer,
				  "there is no secret \"%s\"; name it under \"secrets\" in the "
				  "configuration and see that its source is there",
				  name);
	}
	size_t len = strlen(value);
	if (len > ST_EXPR_OUTPUT_MAX || buf->len > ST_EXPR_OUTPUT_MAX - len) {
		return st_fail_at(f->diag, ST_ERR_TOO_LARGE, f->place.pointer,
				  "with the secret \"%s\" in it the text is larger than %d bytes",
				  name, ST_EXPR_OUTPUT_MAX);
	}
	st_buf_add(buf, value, len);
	return ST_OK;
}

static int add_parts(const struct filler *f, struct st_buf *buf, const json_t *parts)
{
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const json_t *part = json_array_get(parts, i);
		const json_t *name = content_of(part);
		int rc = ST_OK;
		if (name != NULL) {
			rc = add_secret(f, buf, json_string_value(name));
		} else {
			st_buf_add(buf, json_string_value(part), json_string_length(part));
		}
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

static int fill_marker(const struct filler *f, const json_t *parts, json_t **out)
{
	assert(json_is_array(parts));
	struct st_buf buf = {0};
	/* Room at once for what is usual, so that growing leaves no copies of secrets behind. */
	st_buf_reserve(&buf, 4096);
	int rc = add_parts(f, &buf, parts);
	if (rc == ST_OK) {
		*out = json_stringn(buf.data, buf.len);
		if (*out == NULL) {
			rc = st_fail_at(f->diag, ST_ERR_INVALID, f->place.pointer,
					"a secret that goes in here is not UTF-8 text");
		}
	}
	sodium_memzero(buf.data, buf.cap);
	st_buf_fini(&buf);
	return rc;
}

/* DEPTH_MAX bounds the place.
 * NOLINTBEGIN(misc-no-recursion) */
static int fill(struct filler *f, const json_t *value, json_t **out);

static int fill_array(struct filler *f, const json_t *array, json_t **out)
{
	*out = json_array();
	int rc = ST_OK;
	for (size_t i = 0; i < json_array_size(array) && rc == ST_OK; i++) {
		json_t *element = NULL;
		size_t old = st_place_enter_element(&f->place, i);
		rc = fill(f, json_array_get(array, i), &element);
		st_place_leave(&f->place, old);
		if (element != NULL) {
			json_array_append_new(*out, element);
		}
	}
	return rc;
}

static int fill_object(struct filler *f, const json_t *object, json_t **out)
{
	*out = json_object();
	const char *name = NULL;
	json_t *member = NULL;
	json_object_foreach((json_t *)object, name, member)
	{
		json_t *filled = NULL;
		size_t old = st_place_enter(&f->place, name, strlen(name));
		int rc = fill(f, member, &filled);
		st_place_leave(&f->place, old);
		if (filled != NULL) {
			json_object_set_new_nocheck(*out, name, filled);
		}
		if (rc != ST_OK) {
			return rc;
		}
	}
	return ST_OK;
}

/* Whatever *out is given belongs to the caller, also on failure. */
static int fill(struct filler *f, const json_t *value, json_t **out)
{
	const json_t *parts = content_of(value);
	if (parts != NULL) {
		return fill_marker(f, parts, out);
	}
	if (f->place.depth >= DEPTH_MAX) {
		return st_fail_at(f->diag, ST_ERR_TOO_LARGE, f->place.pointer,
				  "nested more than %d deep", ST_JSON_DEPTH_MAX);
	}
	if (json_is_array(value)) {
		return fill_array(f, value, out);
	}
	if (json_is_object(value)) {
		return fill_object(f, value, out);
	}
	*out = json_incref((json_t *)value);
	return ST_OK;
}

/* NOLINTEND(misc-no-recursion) */

int st_template_fill(const json_t *value, const struct st_secret_source *source, json_t **out,
		     struct st_diag *diag)
{
	assert(source != NULL);
	if (!st_template_has_secrets(value)) {
		*out = json_incref((json_t *)value);
		return ST_OK;
	}
	struct filler f = {.source = source, .diag = diag};
	json_t *filled = NULL;
	int rc = fill(&f, value, &filled);
	if (rc != ST_OK) {
		json_decref(filled);
		return rc;
	}
	*out = filled;
	return ST_OK;
}

json_t *st_template_display(const json_t *value)
{
	if (!st_template_has_secrets(value)) {
		return json_incref((json_t *)value);
	}
	struct filler f = {.source = NULL};
	json_t *shown = NULL;
	/* Without secrets to find, only the depth can be wrong: then what was reached is shown. */
	if (fill(&f, value, &shown) != ST_OK && shown == NULL) {
		shown = json_null();
	}
	assert(shown != NULL);
	return shown;
}
