/* SPDX-License-Identifier: Apache-2.0 */
/* Is this text a URL that may be called, and what does it name? */
#ifndef ST_STEPS_URL_H
#define ST_STEPS_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"

#define ST_URL_BYTES_MAX 8192
#define ST_URL_HOST_MAX 254

struct st_url {
	bool https;
	char host[ST_URL_HOST_MAX]; /* lower case; an IPv6 literal is without its brackets */
	uint16_t port;		    /* the scheme's own when the URL names none */
	const char *target; /* borrowed from the URL: path and query, "" where there are none */
};

/*
 * Reads an absolute http or https URL strictly, so that no two parsers can disagree on its host:
 * printable ASCII only, no user name or password, no '\', no fragment, a port of 1..65535, at most
 * ST_URL_BYTES_MAX bytes. out->target borrows from url. ST_ERR_INVALID or ST_ERR_TOO_LARGE; the
 * text never quotes the URL, which may hold a secret.
 */
int st_url_parse(const char *url, struct st_url *out, struct st_diag *diag);

/* Same scheme, host and port? */
bool st_url_same_origin(const struct st_url *a, const struct st_url *b);

#endif
