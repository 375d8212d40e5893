/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a text come out the same however it is cut, and without any declared secret? Redacted again
 * it may only hide more: where a declared secret began inside of the value of a named secret, what
 * stood behind it is part of that value the second time.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "redact/redact.h"
#include "redact/stream.h"
#include "schemas/json.h"
#include "schemas/mem.h"

static const char *const secrets[] = {"hunter2-hunter2", "AAAAAA", "line one\nline two",
				      "p\"q\\r/s t&u"};

static struct st_redactor *make(void)
{
	struct st_redactor *redactor = st_redactor_new();
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		char name[2] = {(char)('A' + i), '\0'};
		assert(st_redactor_secret(redactor, name, secrets[i], strlen(secrets[i]), NULL) ==
		       ST_OK);
	}
	assert(st_redactor_build(redactor, NULL) == ST_OK);
	return redactor;
}

static void add(struct st_buf *out, struct st_clean *clean)
{
	if (clean != NULL) {
		st_buf_add(out, st_clean_text(clean), st_clean_len(clean));
	}
	st_clean_free(clean);
}

static void stream(const struct st_redactor *redactor, const uint8_t *data, size_t size,
		   size_t piece, struct st_buf *out)
{
	struct st_redact_stream *s = st_redact_stream_open(redactor);
	for (size_t at = 0; at < size;) {
		size_t len = size - at < piece ? size - at : piece;
		add(out, st_redact_stream_write(s, (const char *)data + at, len));
		at += len;
	}
	add(out, st_redact_stream_close(s));
}

/* The rest of a text behind the marker that it begins with, or the text. */
static const char *past_marker(const char *text, const char *end)
{
	static const char marker[] = "[redacted:";
	if ((size_t)(end - text) < strlen(marker) || memcmp(text, marker, strlen(marker)) != 0) {
		return text;
	}
	const char *close = memchr(text, ']', (size_t)(end - text));
	return close != NULL ? close + 1 : text;
}

/* Is `again`, without its markers, what is left of `text` when some of it is taken out? */
static bool hides_more(const struct st_clean *again, const char *text, size_t len)
{
	const char *from = st_clean_text(again);
	const char *end = from + st_clean_len(again);
	const char *at = text;
	while (from < end) {
		const char *next = past_marker(from, end);
		if (next != from) {
			from = next;
			continue;
		}
		at = memchr(at, *from, (size_t)(text + len - at));
		if (at == NULL) {
			return false;
		}
		at++;
		from++;
	}
	return true;
}

static void check_text(const struct st_redactor *redactor, const uint8_t *data, size_t size)
{
	struct st_clean *clean = st_redact_text(redactor, (const char *)data, size);
	const char *text = st_clean_text(clean);
	size_t len = st_clean_len(clean);
	for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
		assert(strstr(text, secrets[i]) == NULL);
	}
	struct st_clean *again = st_redact_text(redactor, text, len);
	assert(hides_more(again, text, len));
	st_clean_free(again);
	for (size_t piece = 1; piece <= 9; piece += 4) {
		struct st_buf pieces = {0};
		stream(redactor, data, size, piece, &pieces);
		assert(pieces.len == len && (len == 0 || memcmp(pieces.data, text, len) == 0));
		st_buf_fini(&pieces);
	}
	st_clean_free(clean);
}

static void check_json(const struct st_redactor *redactor, const uint8_t *data, size_t size)
{
	json_t *value = NULL;
	json_t *back = NULL;
	if (st_json_parse((const char *)data, size, ST_JSON_BYTES_MAX, &value, NULL) != ST_OK) {
		return;
	}
	struct st_clean *clean = st_redact_json(redactor, value);
	const char *text = st_clean_text(clean);
	assert(st_clean_failed(clean) ||
	       st_json_parse(text, st_clean_len(clean), SIZE_MAX, &back, NULL) == ST_OK);
	assert(strstr(text, secrets[0]) == NULL);
	json_decref(back);
	json_decref(value);
	st_clean_free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct st_redactor *redactor;
	if (redactor == NULL) {
		redactor = make();
	}
	check_text(redactor, data, size);
	check_json(redactor, data, size);
	return 0;
}
