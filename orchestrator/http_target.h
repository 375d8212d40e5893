/* SPDX-License-Identifier: Apache-2.0 */
/* What does a request ask for, and of which host? */
#ifndef ST_ORCHESTRATOR_HTTP_TARGET_H
#define ST_ORCHESTRATOR_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define ST_HTTP_QUERY_MAX 64

struct st_http_pair {
	const char *name;
	const char *value; /* "" when there is no '=' */
};

/* A request target, percent-decoded exactly once. Owned; st_http_target_fini frees it. */
struct st_http_target {
	char *memory;	  /* everything below points into it, but for `query` itself */
	const char *path; /* begins with '/', or is "*"; valid UTF-8 without control characters */
	const char *authority; /* of an absolute-form target, or NULL */
	struct st_http_pair *query;
	size_t n_query;
	const char *why; /* after a refusal: one English sentence; static */
};

/*
 * Reads origin-form ("/a?b=c"), absolute-form ("http://host/a") and "*". 0, or an HTTP status with
 * out->why: 400 for what is malformed (escapes, control characters, not UTF-8, a query name given
 * twice), 404 for paths that could mean another one (".", "..", an escaped slash). Call fini in
 * both cases.
 */
int st_http_target_parse(const char *raw, size_t len, struct st_http_target *out);
void st_http_target_fini(struct st_http_target *target);
/* The value of a query parameter, or NULL. */
const char *st_http_target_query(const struct st_http_target *target, const char *name);

/*
 * May a request with this Host be answered by the server that listens on `port`? Always for
 * 127.0.0.1, localhost and [::1] with that port (which may be left out for port 80), and for each
 * of `extra` (ends with NULL; may itself be NULL): "name:port" as it is, "name" with any port.
 */
bool st_http_host_allowed(const char *host, unsigned port, const char *const *extra);

/* Is it UTF-8 (no surrogates, nothing overlong)? */
bool st_http_utf8_valid(const char *text, size_t len);

#endif
