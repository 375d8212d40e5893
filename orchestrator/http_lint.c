/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/http_lint.h"

#include <stdbool.h>
#include <string.h>

#define BLANK_BYTES_MAX 4     /* empty lines before a request: RFC 9112, 2.2 */
#define REQUEST_LINE_EXTRA 32 /* method, two spaces, version */

enum lint_state {
	LINT_START,
	LINT_START_LF,
	LINT_REQUEST,
	LINT_REQUEST_LF,
	LINT_LINE, /* first byte of a header line or of the closing empty line */
	LINT_NAME,
	LINT_VALUE,
	LINT_VALUE_LF,
	LINT_END_LF,
};

static int refuse(struct st_http_lint *lint, int status, const char *why)
{
	lint->why = why;
	return status;
}

static bool is_token_char(unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
		return true;
	}
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool starts_with(const char *line, size_t len, const char *text)
{
	size_t n = strlen(text);
	return len >= n && memcmp(line, text, n) == 0;
}

/* METHOD SP target SP HTTP/1.x, exactly. */
static int check_request_line(struct st_http_lint *lint, const char *line, size_t len,
			      size_t url_bytes_max)
{
	const char *first = memchr(line, ' ', len);
	if (first == NULL || first == line) {
		return refuse(lint, 400, "the request line is not METHOD TARGET HTTP/1.1");
	}
	if (starts_with(line, len, "TRACE ") || starts_with(line, len, "CONNECT ")) {
		return refuse(lint, 405, "TRACE and CONNECT are not offered");
	}
	const char *target = first + 1;
	size_t rest = len - (size_t)(target - line);
	const char *second = memchr(target, ' ', rest);
	if (second == NULL || second == target) {
		return refuse(lint, 400, "the request line is not METHOD TARGET HTTP/1.1");
	}
	if ((size_t)(second - target) > url_bytes_max) {
		return refuse(lint, 414, "the request target is too long");
	}
	const char *version = second + 1;
	rest = len - (size_t)(version - line);
	if (rest == 8 &&
	    (memcmp(version, "HTTP/1.1", 8) == 0 || memcmp(version, "HTTP/1.0", 8) == 0)) {
		return 0;
	}
	if (rest == 8 && memcmp(version, "HTTP/", 5) == 0 && version[5] != '0') {
		return refuse(lint, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	}
	return refuse(lint, 400, "the request line does not end in HTTP/1.1");
}

static int step_start(struct st_http_lint *lint, unsigned char c)
{
	if (lint->state == LINT_START_LF) {
		lint->state = LINT_START;
		return c == '\n' ? 0 : refuse(lint, 400, "a CR without LF");
	}
	if (c == '\r') {
		lint->state = LINT_START_LF;
		return lint->at < BLANK_BYTES_MAX ? 0 : refuse(lint, 400, "too many empty lines");
	}
	lint->from = lint->at;
	lint->state = LINT_REQUEST;
	return is_token_char(c) ? 0 : refuse(lint, 400, "this is not an HTTP request");
}

static int step_request(struct st_http_lint *lint, const struct st_http_limits *limits,
			const char *data)
{
	unsigned char c = (unsigned char)data[lint->at];
	size_t len = lint->at - lint->from;
	if (lint->state == LINT_REQUEST_LF) {
		if (c != '\n') {
			return refuse(lint, 400, "a CR without LF in the request line");
		}
		lint->state = LINT_LINE;
		lint->headers_from = lint->at + 1;
		return check_request_line(lint, data + lint->from, len - 1, limits->url_bytes_max);
	}
	if (c == '\r') {
		lint->state = LINT_REQUEST_LF;
		return 0;
	}
	if (c < 0x20 || c >= 0x7f) {
		return refuse(lint, 400, "a byte in the request line is not printable ASCII");
	}
	if (len > limits->url_bytes_max + REQUEST_LINE_EXTRA) {
		return refuse(lint, 414, "the request target is too long");
	}
	return 0;
}

static int step_line(struct st_http_lint *lint, const struct st_http_limits *limits,
		     unsigned char c)
{
	if (c == '\r') {
		lint->state = LINT_END_LF;
		return 0;
	}
	if (c == ' ' || c == '\t') {
		return refuse(lint, 400, "a header line is folded or begins with a space");
	}
	if (!is_token_char(c)) {
		return refuse(lint, 400, "a header line does not begin with a name");
	}
	lint->headers++;
	lint->state = LINT_NAME;
	if (lint->headers > limits->headers_max) {
		return refuse(lint, 431, "too many headers");
	}
	return 0;
}

static int step_name(struct st_http_lint *lint, unsigned char c)
{
	if (c == ':') {
		lint->state = LINT_VALUE;
		return 0;
	}
	if (c == ' ' || c == '\t') {
		return refuse(lint, 400, "a space stands before the colon of a header");
	}
	return is_token_char(c) ? 0 : refuse(lint, 400, "a header name holds a forbidden byte");
}

static int step_value(struct st_http_lint *lint, unsigned char c)
{
	if (lint->state == LINT_VALUE_LF) {
		lint->state = LINT_LINE;
		return c == '\n' ? 0 : refuse(lint, 400, "a CR without LF in a header");
	}
	if (c == '\r') {
		lint->state = LINT_VALUE_LF;
		return 0;
	}
	if ((c < 0x20 && c != '\t') || c == 0x7f) {
		return refuse(lint, 400, "a header value holds a control character");
	}
	return 0;
}

static int step_header(struct st_http_lint *lint, const struct st_http_limits *limits,
		       unsigned char c)
{
	if (lint->at - lint->headers_from >= limits->header_bytes_max) {
		return refuse(lint, 431, "the headers are too large");
	}
	switch (lint->state) {
	case LINT_LINE:
		return step_line(lint, limits, c);
	case LINT_NAME:
		return step_name(lint, c);
	case LINT_END_LF:
		return c == '\n' ? ST_HTTP_LINT_DONE : refuse(lint, 400, "a CR without LF");
	default:
		return step_value(lint, c);
	}
}

int st_http_lint_scan(struct st_http_lint *lint, const struct st_http_limits *limits,
		      const char *data, size_t len)
{
	while (lint->at < len) {
		int result = 0;
		if (lint->state <= LINT_START_LF) {
			result = step_start(lint, (unsigned char)data[lint->at]);
		} else if (lint->state <= LINT_REQUEST_LF) {
			result = step_request(lint, limits, data);
		} else {
			result = step_header(lint, limits, (unsigned char)data[lint->at]);
		}
		lint->at++;
		if (result != ST_HTTP_LINT_MORE) {
			return result;
		}
	}
	return ST_HTTP_LINT_MORE;
}
