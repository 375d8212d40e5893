/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/url.h"

#include <assert.h>
#include <string.h>

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name_char(char c)
{
	c = lower(c);
	return is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_';
}

static bool is_literal_char(char c)
{
	c = lower(c);
	return is_digit(c) || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
}

static int check_bytes(const char *url, struct st_diag *diag)
{
	size_t len = 0;
	for (; url[len] != '\0'; len++) {
		unsigned char c = (unsigned char)url[len];
		if (len >= ST_URL_BYTES_MAX) {
			return st_fail(diag, ST_ERR_TOO_LARGE, "the URL is over %d bytes",
				       ST_URL_BYTES_MAX);
		}
		if (c < 0x20 || c == 0x7f) {
			return st_fail(diag, ST_ERR_INVALID,
				       "the URL holds a control character at byte %zu", len);
		}
		if (c == ' ' || c > 0x7f) {
			return st_fail(diag, ST_ERR_INVALID,
				       "the URL holds a space or a non-ASCII byte at byte %zu: "
				       "percent-encode it",
				       len);
		}
		if (c == '\\') {
			return st_fail(diag, ST_ERR_INVALID, "the URL holds a '\\' at byte %zu",
				       len);
		}
		if (c == '#') {
			return st_fail(
			    diag, ST_ERR_INVALID,
			    "the URL holds a '#': leave the fragment out, or write %%23");
		}
	}
	return ST_OK;
}

/* Skips "http://" or "https://" in any case; NULL when the URL begins with neither. */
static const char *skip_scheme(const char *url, bool *https)
{
	static const char name[] = "http";
	for (size_t i = 0; i < sizeof name - 1; i++) {
		if (lower(url[i]) != name[i]) {
			return NULL;
		}
	}
	url += sizeof name - 1;
	*https = lower(*url) == 's';
	if (*https) {
		url++;
	}
	return strncmp(url, "://", 3) == 0 ? url + 3 : NULL;
}

static int copy_host(struct st_url *url, const char *from, size_t len, struct st_diag *diag)
{
	if (len == 0) {
		return st_fail(diag, ST_ERR_INVALID, "the URL names no host");
	}
	if (len >= sizeof url->host) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "the host of the URL is over %d bytes",
			       ST_URL_HOST_MAX - 1);
	}
	for (size_t i = 0; i < len; i++) {
		url->host[i] = lower(from[i]);
	}
	url->host[len] = '\0';
	return ST_OK;
}

static const char *read_host(const char *p, struct st_url *url, struct st_diag *diag)
{
	bool literal = *p == '[';
	const char *from = literal ? p + 1 : p;
	size_t len = 0;
	while (literal ? is_literal_char(from[len]) : is_name_char(from[len])) {
		len++;
	}
	const char *end = from + len;
	if (literal && *end++ != ']') {
		(void)st_fail(diag, ST_ERR_INVALID, "the URL's address in '[' ']' is malformed");
		return NULL;
	}
	return copy_host(url, from, len, diag) == ST_OK ? end : NULL;
}

/* Reads ":port" if it is there. Returns what follows, or NULL. */
static const char *read_port(const char *p, struct st_url *url, struct st_diag *diag)
{
	url->port = url->https ? 443 : 80;
	if (*p != ':') {
		return p;
	}
	unsigned port = 0;
	size_t digits = 0;
	for (p++; is_digit(*p) && digits < 6; p++, digits++) {
		port = port * 10 + (unsigned)(*p - '0');
	}
	if (digits == 0 || digits > 5 || port < 1 || port > 65535) {
		(void)st_fail(diag, ST_ERR_INVALID, "the port of the URL must be 1 to 65535");
		return NULL;
	}
	url->port = (uint16_t)port;
	return p;
}

int st_url_parse(const char *url, struct st_url *out, struct st_diag *diag)
{
	assert(url != NULL);
	int rc = check_bytes(url, diag);
	if (rc != ST_OK) {
		return rc;
	}
	struct st_url parsed = {.port = 0};
	const char *authority = skip_scheme(url, &parsed.https);
	if (authority == NULL) {
		return st_fail(diag, ST_ERR_INVALID, "the URL must begin with http:// or https://");
	}
	size_t authority_len = strcspn(authority, "/?");
	if (memchr(authority, '@', authority_len) != NULL) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the URL holds a user name or password: send them in a header");
	}
	const char *p = read_host(authority, &parsed, diag);
	if (p != NULL) {
		p = read_port(p, &parsed, diag);
	}
	if (p == NULL) {
		return ST_ERR_INVALID;
	}
	if (p != authority + authority_len) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the host of the URL holds a character that is not allowed");
	}
	parsed.target = p;
	*out = parsed;
	return ST_OK;
}

bool st_url_same_origin(const struct st_url *a, const struct st_url *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}
