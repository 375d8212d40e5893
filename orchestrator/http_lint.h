/* SPDX-License-Identifier: Apache-2.0 */
/* Is this request head so plainly written that no two parsers can read it differently? */
#ifndef ST_ORCHESTRATOR_HTTP_LINT_H
#define ST_ORCHESTRATOR_HTTP_LINT_H

#include <stddef.h>

/*
 * The parser proper is llhttp; how much it forgives differs between its versions. This pass in
 * front of it finds the end of the head and refuses bare CR or LF, control characters, a space
 * before the colon, folded lines, odd request lines, and heads that are too large.
 */
struct st_http_limits {
	size_t url_bytes_max;	 /* of the request target: 414 */
	size_t header_bytes_max; /* of all header lines: 431 */
	size_t headers_max;	 /* count: 431 */
};

/* All-zero is the start of a head. */
struct st_http_lint {
	int state;
	size_t at;	     /* bytes looked at */
	size_t from;	     /* where the request line begins, after empty lines */
	size_t headers_from; /* where the first header line begins */
	size_t headers;	     /* header lines seen */
	const char *why;     /* after a refusal: one English sentence; static */
};

#define ST_HTTP_LINT_MORE 0
#define ST_HTTP_LINT_DONE 1

/*
 * Looks at the head in data[0..len), which begins with what earlier calls saw and may have grown
 * at its end. ST_HTTP_LINT_MORE: not at the end yet. ST_HTTP_LINT_DONE: the head is
 * data[lint->from .. lint->at). Else an HTTP status >= 400 to answer with, and lint->why.
 */
int st_http_lint_scan(struct st_http_lint *lint, const struct st_http_limits *limits,
		      const char *data, size_t len);

#endif
