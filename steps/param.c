/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/param.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEY_SHOWN_MAX 100

/* Writes "/key" with the two escapes of a JSON pointer; a long key is cut. */
static void pointer_of(const char *key, char out[ST_DIAG_POINTER_MAX])
{
	size_t n = 0;
	out[n++] = '/';
	for (const char *p = key; *p != '\0' && n < KEY_SHOWN_MAX; p++) {
		if (*p == '~' || *p == '/') {
			out[n++] = '~';
			out[n++] = *p == '~' ? '0' : '1';
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
}

static bool is_known(const char *key, const char *const *known)
{
	for (; *known != NULL; known++) {
		if (strcmp(key, *known) == 0) {
			return true;
		}
	}
	return false;
}

int st_param_fail(struct st_param_reader *reader, const char *pointer, const char *format, ...)
{
	if (reader->code != ST_OK) {
		return reader->code;
	}
	char text[ST_DIAG_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	reader->code = st_fail_at(reader->diag, ST_ERR_INVALID, pointer, "%s", text);
	return reader->code;
}

static int fail_key(struct st_param_reader *reader, const char *key, const char *what)
{
	char pointer[ST_DIAG_POINTER_MAX];
	pointer_of(key, pointer);
	return st_param_fail(reader, pointer, "\"%.*s\" %s", KEY_SHOWN_MAX, key, what);
}

void st_param_start(struct st_param_reader *reader, const json_t *object, bool open,
		    const char *const *known, struct st_diag *diag)
{
	*reader = (struct st_param_reader){.object = object, .open = open, .diag = diag};
	if (!json_is_object(object)) {
		(void)st_param_fail(reader, "", "\"with\" must be an object");
		return;
	}
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)object, key, value)
	{
		if (!is_known(key, known)) {
			(void)fail_key(reader, key, "is not a field of this kind; see its help");
			return;
		}
	}
}

bool st_param_is_open_text(const struct st_param_reader *reader, const char *text)
{
	return reader->open && text != NULL && strstr(text, "${{") != NULL;
}

bool st_param_is_open(const struct st_param_reader *reader, const json_t *value)
{
	return json_is_string(value) && st_param_is_open_text(reader, json_string_value(value));
}

const json_t *st_param_value(const struct st_param_reader *reader, const char *key)
{
	const json_t *value = json_object_get(reader->object, key);
	return st_param_is_open(reader, value) ? NULL : value;
}

const char *st_param_text(struct st_param_reader *reader, const char *key, bool required,
			  size_t bytes_max)
{
	const json_t *value = json_object_get(reader->object, key);
	if (value == NULL) {
		if (required) {
			(void)fail_key(reader, key, "is missing");
		}
		return NULL;
	}
	if (!json_is_string(value)) {
		(void)fail_key(reader, key, "must be a string");
		return NULL;
	}
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (st_param_is_open_text(reader, text)) {
		return text;
	}
	if (len > bytes_max) {
		(void)fail_key(reader, key, "is too long");
	} else if (memchr(text, '\0', len) != NULL) {
		(void)fail_key(reader, key, "holds a NUL character");
	} else if (required && len == 0) {
		(void)fail_key(reader, key, "is empty");
	} else {
		return text;
	}
	return NULL;
}

int64_t st_param_int(struct st_param_reader *reader, const char *key, int64_t min, int64_t max,
		     int64_t fallback)
{
	const json_t *value = st_param_value(reader, key);
	if (value == NULL) {
		return fallback;
	}
	json_int_t n = json_integer_value(value);
	if (json_is_integer(value) && n >= min && n <= max) {
		return n;
	}
	char what[96];
	(void)snprintf(what, sizeof what, "must be an integer from %" PRId64 " to %" PRId64, min,
		       max);
	(void)fail_key(reader, key, what);
	return fallback;
}

bool st_param_bool(struct st_param_reader *reader, const char *key, bool fallback)
{
	const json_t *value = st_param_value(reader, key);
	if (value == NULL) {
		return fallback;
	}
	if (!json_is_boolean(value)) {
		(void)fail_key(reader, key, "must be true or false");
		return fallback;
	}
	return json_is_true(value);
}
