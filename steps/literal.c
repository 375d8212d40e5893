/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/literal.h"

#include <stdint.h>
#include <string.h>

#include "schemas/buf.h"

bool st_literal_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool st_literal_is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || st_literal_is_digit(c) ||
	       c == '_' || c == '-';
}

json_t *st_literal_number(const char *text, size_t end, size_t *at, const char **wrong)
{
	size_t i = *at;
	bool negative = text[i] == '-';
	i += negative;
	uint64_t most = (uint64_t)INT64_MAX + negative;
	uint64_t n = 0;
	for (; i < end && st_literal_is_digit(text[i]); i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (n > (most - digit) / 10) {
			*wrong = "the number does not fit into 64 bits";
			return NULL;
		}
		n = n * 10 + digit;
	}
	if (i < end && (text[i] == '.' || st_literal_is_name(text[i]))) {
		*wrong = "only whole decimal numbers can be written here";
		return NULL;
	}
	*at = i;
	return json_integer((json_int_t)(negative ? 0 - n : n));
}

/* The character that an escape stands for, or 0. */
static char unescape(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '\\':
	case '\'':
	case '"':
		return c;
	default:
		return '\0';
	}
}

/* Adds what stands up to the closing quote; false with *at at the fault. */
static bool read_string(const char *text, size_t end, size_t *at, struct st_buf *buf,
			const char **wrong)
{
	char quote = text[*at];
	size_t i = *at + 1;
	for (; i < end && text[i] != quote; i++) {
		char c = text[i];
		if (c == '\\') {
			i++;
			c = i < end ? unescape(text[i]) : '\0';
			if (c == '\0') {
				*wrong =
				    "unknown escape in text; there are \\\\ \\' \\\" \\n \\t \\r";
				*at = i;
				return false;
			}
		}
		st_buf_add_char(buf, c);
	}
	if (i >= end) {
		*wrong = "the text that begins before this has no closing quote";
		*at = end;
		return false;
	}
	*at = i + 1;
	return true;
}

json_t *st_literal_string(const char *text, size_t end, size_t *at, const char **wrong)
{
	size_t from = *at;
	struct st_buf buf = {0};
	json_t *value = NULL;
	if (read_string(text, end, at, &buf, wrong)) {
		value = json_stringn(buf.data != NULL ? buf.data : "", buf.len);
		if (value == NULL) {
			*wrong = "the text is not UTF-8";
			*at = from;
		}
	}
	st_buf_fini(&buf);
	return value;
}
