/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/gap.h"

#include <string.h>

#include "redact/chars.h"

#define SEQUENCE_MAX 64 /* bytes of one control sequence */
#define COMMAND_MAX 512 /* bytes of an operating system command: a title, a link */
#define SLASHES_MAX 4
#define ESCAPE '\x1b'

static size_t unknown_unless(bool final)
{
	return final ? 0 : ST_GAP_UNKNOWN;
}

/* "[31;1m" from its bracket: parameters, then a final byte. 0 when it is none. */
static size_t sequence_len(const struct st_known *text, size_t at)
{
	for (size_t i = at + 1; i - at < SEQUENCE_MAX; i++) {
		if (i >= text->len)
			return unknown_unless(text->final);
		unsigned char c = (unsigned char)text->data[i];
		if (c >= 0x40 && c <= 0x7e)
			return i + 1 - at;
		if (c < 0x20 || c > 0x3f)
			return 0;
	}
	return 0;
}

/* "]8;;https://..." up to BEL or ESC backslash. */
static size_t command_len(const struct st_known *text, size_t at)
{
	for (size_t i = at + 1; i - at < COMMAND_MAX; i++) {
		if (i >= text->len)
			return unknown_unless(text->final);
		char c = text->data[i];
		if (c == '\a')
			return i + 1 - at;
		if (c == '\n')
			return 0;
		if (c != ESCAPE)
			continue;
		if (i + 1 >= text->len)
			return unknown_unless(text->final);
		return text->data[i + 1] == '\\' ? i + 2 - at : 0;
	}
	return 0;
}

static size_t plus(size_t head, size_t len)
{
	return len == 0 || len == ST_GAP_UNKNOWN ? len : head + len;
}

static size_t raw_escape_len(const struct st_known *text, size_t at)
{
	if (at + 1 >= text->len)
		return unknown_unless(text->final);
	char c = text->data[at + 1];
	if (c == '[')
		return plus(1, sequence_len(text, at + 1));
	if (c == ']')
		return plus(1, command_len(text, at + 1));
	return strchr("78=>cDEHM", c) != NULL && c != '\0' ? 2 : 0;
}

/* How many bytes of `word` stand at `at`, ignoring case; all of them, or unknown at the end. */
static size_t word_len(const struct st_known *text, size_t at, const char *word)
{
	size_t len = strlen(word);
	for (size_t i = 0; i < len; i++) {
		if (at + i >= text->len)
			return unknown_unless(text->final);
		if (st_char_lower(text->data[at + i]) != word[i])
			return 0;
	}
	return len;
}

/* An escape character that is itself written with a backslash; `at` is behind the backslashes. */
static size_t spelt_escape_len(const struct st_known *text, size_t at)
{
	static const char *const WORDS[] = {"u001b[", "x1b[", "033[", "e["};
	for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
		size_t len = word_len(text, at, WORDS[i]);
		if (len == ST_GAP_UNKNOWN)
			return len;
		if (len > 0)
			return plus(len - 1, sequence_len(text, at + len - 1));
	}
	return 0;
}

static size_t backslash_len(const struct st_known *text, size_t at, bool *line)
{
	size_t n = 1;
	while (n < SLASHES_MAX && at + n < text->len && text->data[at + n] == '\\')
		n++;
	if (at + n >= text->len)
		return unknown_unless(text->final);
	char c = text->data[at + n];
	*line = c == 'n' || c == 'r';
	if (*line)
		return n + 1;
	return plus(n, spelt_escape_len(text, at + n));
}

size_t st_gap_len(const struct st_known *text, size_t at, bool *line)
{
	*line = false;
	switch (text->data[at]) {
	case '\n':
	case '\r':
		*line = true;
		return 1;
	case ESCAPE:
		return raw_escape_len(text, at);
	case '\\':
		return backslash_len(text, at, line);
	default:
		return 0;
	}
}

size_t st_gap_strip(const uint8_t *bytes, size_t len, uint8_t *out)
{
	struct st_known text = {(const char *)bytes, len, true};
	size_t n = 0;
	bool indent = false;
	for (size_t at = 0; at < len;) {
		bool line;
		size_t gap = st_gap_len(&text, at, &line);
		if (gap == 0 && indent && (bytes[at] == ' ' || bytes[at] == '\t')) {
			at++;
			continue;
		}
		indent = gap > 0 && (line || indent);
		if (gap == 0)
			out[n++] = bytes[at++];
		else
			at += gap;
	}
	return n;
}
