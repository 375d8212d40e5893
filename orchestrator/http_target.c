/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/http_target.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"

static int refuse(struct st_http_target *target, int status, const char *why)
{
	target->why = why;
	return status;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* How many bytes the UTF-8 character at p takes; 0 when it is none. */
static size_t utf8_char_len(const unsigned char *p, size_t len)
{
	if (p[0] < 0x80) {
		return 1;
	}
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len < n) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
	bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
	bool too_large = p[0] == 0xf4 && p[1] >= 0x90;
	return overlong || surrogate || too_large ? 0 : n;
}

bool st_http_utf8_valid(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	while (len > 0) {
		size_t n = utf8_char_len(p, len);
		if (n == 0) {
			return false;
		}
		p += n;
		len -= n;
	}
	return true;
}

/* Decodes text in place (it only shrinks) and ends it with NUL. */
static int decode(struct st_http_target *target, char *text, bool in_path)
{
	char *to = text;
	for (const char *p = text; *p != '\0'; p++) {
		char c = *p;
		if (c == '%') {
			int high = hex_value(p[1]);
			int low = high < 0 ? -1 : hex_value(p[2]);
			if (low < 0) {
				return refuse(target, 400,
					      "a percent sign is not followed by two hex digits");
			}
			c = (char)(high * 16 + low);
			p += 2;
			if (in_path && c == '/') {
				return refuse(target, 404,
					      "an escaped slash in a path names nothing here");
			}
		} else if (c == '+' && !in_path) {
			c = ' ';
		}
		if ((unsigned char)c < 0x20 || c == 0x7f) {
			return refuse(target, 400, "the request target holds a control character");
		}
		*to++ = c;
	}
	*to = '\0';
	if (!st_http_utf8_valid(text, (size_t)(to - text))) {
		return refuse(target, 400, "the request target is not UTF-8");
	}
	return 0;
}

static bool has_dot_segment(const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')) != NULL;) {
		p++;
		size_t len = strcspn(p, "/");
		if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.')) {
			return true;
		}
	}
	return false;
}

static int add_pair(struct st_http_target *target, char *text)
{
	char *value = strchr(text, '=');
	if (value != NULL) {
		*value++ = '\0';
	} else {
		value = text + strlen(text);
	}
	int status = decode(target, text, false);
	if (status == 0) {
		status = decode(target, value, false);
	}
	if (status != 0) {
		return status;
	}
	if (st_http_target_query(target, text) != NULL) {
		return refuse(target, 400, "a query parameter is given twice");
	}
	target->query[target->n_query++] = (struct st_http_pair){text, value};
	return 0;
}

static int parse_query(struct st_http_target *target, char *text)
{
	target->query = st_alloc_array(ST_HTTP_QUERY_MAX, sizeof target->query[0]);
	while (text != NULL) {
		char *next = strchr(text, '&');
		if (next != NULL) {
			*next++ = '\0';
		}
		if (text[0] != '\0') {
			if (target->n_query == ST_HTTP_QUERY_MAX) {
				return refuse(target, 400, "too many query parameters");
			}
			int status = add_pair(target, text);
			if (status != 0) {
				return status;
			}
		}
		text = next;
	}
	return 0;
}

/* Splits "http://authority" off; leaves the path in *path (moved, so that "http://h?x" works). */
static int split_authority(struct st_http_target *target, char **path)
{
	char *text = *path;
	if (strncmp(text, "http://", 7) != 0) {
		return refuse(target, 400, "the request target does not begin with a slash");
	}
	size_t len = strcspn(text + 7, "/?");
	if (len == 0) {
		return refuse(target, 400, "the request target names no host");
	}
	/* The seven bytes of the scheme make room for the terminating NUL. */
	memmove(text, text + 7, len);
	text[len] = '\0';
	target->authority = text;
	*path = text + 7 + len;
	if (**path != '/') {
		*--*path = '/';
	}
	return 0;
}

int st_http_target_parse(const char *raw, size_t len, struct st_http_target *out)
{
	*out = (struct st_http_target){0};
	if (memchr(raw, '\0', len) != NULL || memchr(raw, '#', len) != NULL) {
		return refuse(out, 400, "the request target holds a forbidden byte");
	}
	out->memory = st_strndup(raw, len);
	char *path = out->memory;
	if (strcmp(path, "*") == 0) {
		out->path = path;
		return 0;
	}
	int status = path[0] == '/' ? 0 : split_authority(out, &path);
	if (status != 0) {
		return status;
	}
	out->path = path;
	char *query = strchr(path, '?');
	if (query != NULL) {
		*query++ = '\0';
		status = parse_query(out, query);
	}
	if (status == 0) {
		status = decode(out, path, true);
	}
	if (status == 0 && has_dot_segment(path)) {
		return refuse(out, 404, "a path with '.' or '..' names nothing here");
	}
	return status;
}

void st_http_target_fini(struct st_http_target *target)
{
	st_free(target->query);
	st_free(target->memory);
	*target = (struct st_http_target){0};
}

const char *st_http_target_query(const struct st_http_target *target, const char *name)
{
	for (size_t i = 0; i < target->n_query; i++) {
		if (strcmp(target->query[i].name, name) == 0) {
			return target->query[i].value;
		}
	}
	return NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_text(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]) || b[i] == '\0') {
			return false;
		}
	}
	return b[len] == '\0';
}

/* Where the name ends: at the colon of the port (not one inside brackets) or at the end. */
static size_t name_len(const char *host)
{
	const char *bracket = host[0] == '[' ? strchr(host, ']') : NULL;
	const char *from = bracket != NULL ? bracket : host;
	const char *colon = strchr(from, ':');
	return colon != NULL ? (size_t)(colon - host) : strlen(host);
}

static bool is_port_or_nothing(const char *text)
{
	size_t digits = text[0] == ':' ? strspn(text + 1, "0123456789") : 0;
	return text[0] == '\0' || (digits > 0 && digits <= 5 && text[1 + digits] == '\0');
}

bool st_http_host_allowed(const char *host, unsigned port, const char *const *extra)
{
	static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
	size_t len = name_len(host);
	if (!is_port_or_nothing(host + len)) {
		return false;
	}
	char wanted[16];
	(void)snprintf(wanted, sizeof wanted, ":%u", port);
	bool port_fits = strcmp(host + len, wanted) == 0 || (port == 80 && host[len] == '\0');
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		if (port_fits && same_text(host, own[i], len)) {
			return true;
		}
	}
	for (; extra != NULL && *extra != NULL; extra++) {
		bool any_port = (*extra)[name_len(*extra)] == '\0';
		if (same_text(host, *extra, any_port ? len : strlen(host))) {
			return true;
		}
	}
	return false;
}
