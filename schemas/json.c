/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/json.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"

/*
 * Two passes. The first is cheap and looks at bytes only: size, NULs and depth, so that a megabyte
 * of '[' is refused before anything is allocated or recursed into. The second is jansson's. Only
 * when one of them refuses is the text walked once more, to say at which JSON pointer.
 */

struct place {
	int line;   /* from 1 */
	int column; /* in bytes, from 1 */
};

static struct place place_of(const char *text, size_t at)
{
	struct place place = {1, 1};
	for (size_t i = 0; i < at; i++) {
		place.column++;
		if (text[i] == '\n') {
			place.line++;
			place.column = 1;
		}
	}
	return place;
}

/* Returns the offset behind the string that begins at the quote text[at]; len when unended. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
	for (size_t i = at + 1; i < len; i++) {
		if (text[i] == '\\') {
			i++;
		} else if (text[i] == '"') {
			return i + 1;
		}
	}
	return len;
}

/* The offset of the first bracket that is too deep, or len. */
static size_t too_deep_at(const char *text, size_t len)
{
	int depth = 0;
	size_t i = 0;
	while (i < len) {
		char c = text[i];
		if (c == '"') {
			i = skip_string(text, len, i);
			continue;
		}
		if (c == '[' || c == '{') {
			if (++depth > ST_JSON_DEPTH_MAX) {
				return i;
			}
		} else if (c == ']' || c == '}') {
			depth--;
		}
		i++;
	}
	return len;
}

/* Where the walk towards an error stands: one frame per open bracket. */
struct frame {
	bool object;
	bool keyed;    /* object: the member's key was read, its value is next or was read */
	size_t key;    /* object: offsets of the quotes around the present key */
	size_t behind; /* object: offset behind the key */
	size_t index;  /* array */
};

struct trail {
	struct frame frames[ST_JSON_DEPTH_MAX + 1];
	int depth;
};

static void trail_push(struct trail *trail, bool object)
{
	if (trail->depth <= ST_JSON_DEPTH_MAX) {
		trail->frames[trail->depth] = (struct frame){.object = object};
		trail->depth++;
	}
}

static void trail_comma(struct trail *trail)
{
	if (trail->depth > 0) {
		struct frame *top = &trail->frames[trail->depth - 1];
		top->keyed = false;
		top->index++;
	}
}

/* Follows the text up to `at` loosely: it may be malformed anywhere. */
static void trail_walk(struct trail *trail, const char *text, size_t len, size_t at)
{
	size_t i = 0;
	while (i < at) {
		char c = text[i];
		if (c == '"') {
			size_t behind = skip_string(text, len, i);
			struct frame *top =
			    trail->depth > 0 ? &trail->frames[trail->depth - 1] : NULL;
			if (top != NULL && top->object && !top->keyed) {
				top->keyed = true;
				top->key = i;
				top->behind = behind;
			}
			i = behind;
			continue;
		}
		if (c == '[' || c == '{') {
			trail_push(trail, c == '{');
		} else if ((c == ']' || c == '}') && trail->depth > 0) {
			trail->depth--;
		} else if (c == ',') {
			trail_comma(trail);
		}
		i++;
	}
}

/* The pointer of the value that stands around `at`. */
static void pointer_of(const char *text, size_t len, size_t at, char pointer[ST_DIAG_POINTER_MAX])
{
	pointer[0] = '\0';
	struct trail trail = {.depth = 0};
	trail_walk(&trail, text, len, at);
	for (int d = 0; d < trail.depth; d++) {
		const struct frame *frame = &trail.frames[d];
		if (!frame->object) {
			char index[24];
			int digits = snprintf(index, sizeof index, "%zu", frame->index);
			st_json_pointer_push(pointer, index, (size_t)digits);
			continue;
		}
		if (!frame->keyed) {
			break;
		}
		/* jansson undoes the escapes of the key. */
		json_t *key = json_loadb(text + frame->key, frame->behind - frame->key,
					 JSON_DECODE_ANY, NULL);
		if (key == NULL) {
			break;
		}
		st_json_pointer_push(pointer, json_string_value(key), json_string_length(key));
		json_decref(key);
	}
}

struct span {
	const char *text;
	size_t len;
};

static int fail_here(struct st_diag *diag, enum st_err code, struct span all, size_t at,
		     const char *what)
{
	if (diag == NULL) {
		return code;
	}
	at = at > all.len ? all.len : at;
	struct place place = place_of(all.text, at);
	char pointer[ST_DIAG_POINTER_MAX];
	pointer_of(all.text, all.len, at, pointer);
	return st_fail_at(diag, code, pointer, "line %d, column %d: %s", place.line, place.column,
			  what);
}

static int check_bytes(const char *text, size_t len, size_t bytes_max, struct st_diag *diag)
{
	if (len > bytes_max) {
		return st_fail(diag, ST_ERR_TOO_LARGE,
			       "the JSON text has %zu bytes; at most %zu are accepted", len,
			       bytes_max);
	}
	if (len == 0) {
		return st_fail(diag, ST_ERR_INVALID, "the JSON text is empty");
	}
	const char *nul = memchr(text, '\0', len);
	if (nul != NULL) {
		return fail_here(diag, ST_ERR_INVALID, (struct span){text, len},
				 (size_t)(nul - text), "a NUL byte is not JSON");
	}
	size_t deep = too_deep_at(text, len);
	if (deep < len) {
		struct st_buf what = {0};
		st_buf_addf(&what, "nested deeper than %d levels", ST_JSON_DEPTH_MAX);
		int code =
		    fail_here(diag, ST_ERR_TOO_LARGE, (struct span){text, len}, deep, what.data);
		st_buf_fini(&what);
		return code;
	}
	return ST_OK;
}

int st_json_parse(const char *text, size_t len, size_t bytes_max, json_t **out,
		  struct st_diag *diag)
{
	assert(out != NULL);
	assert(text != NULL || len == 0);
	int code = check_bytes(text, len, bytes_max, diag);
	if (code != ST_OK) {
		return code;
	}
	json_error_t error;
	json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (value == NULL) {
		size_t at = error.position > 0 ? (size_t)error.position : 0;
		return fail_here(diag, ST_ERR_INVALID, (struct span){text, len}, at, error.text);
	}
	*out = value;
	return ST_OK;
}

void st_json_pointer_push(char pointer[ST_DIAG_POINTER_MAX], const char *name, size_t len)
{
	size_t at = strlen(pointer);
	if (at + 1 < ST_DIAG_POINTER_MAX) {
		pointer[at++] = '/';
	}
	for (size_t i = 0; i < len && at + 3 <= ST_DIAG_POINTER_MAX; i++) {
		if (name[i] == '~' || name[i] == '/') {
			pointer[at++] = '~';
			pointer[at++] = name[i] == '~' ? '0' : '1';
		} else {
			pointer[at++] = name[i];
		}
	}
	pointer[at] = '\0';
}

const char *st_json_type_text(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with a fraction or exponent";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static int add_bytes(const char *bytes, size_t len, void *to)
{
	struct st_buf *buf = to;
	st_buf_add(buf, bytes, len);
	return 0;
}

static char *dump(const json_t *value, size_t flags)
{
	assert(value != NULL);
	struct st_buf buf = {0};
	int failed =
	    json_dump_callback(value, add_bytes, &buf, flags | JSON_COMPACT | JSON_ENCODE_ANY);
	assert(failed == 0);
	return st_buf_take(&buf);
}

char *st_json_canonical(const json_t *value)
{
	return dump(value, JSON_SORT_KEYS);
}

char *st_json_compact(const json_t *value)
{
	return dump(value, 0);
}
