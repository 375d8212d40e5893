/* SPDX-License-Identifier: Apache-2.0 */
/* How does a worker thread make a request and wait for its answer? */
#ifndef ST_STEPS_IO_HTTP_PULL_H
#define ST_STEPS_IO_HTTP_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"

struct st_guard;
struct st_http_pull;

/* Borrowed until st_http_pull_free. */
struct st_http_pull_options {
	const struct st_guard *guard; /* only looked at; threads may share it */
	const char *user_agent;
	const char *user; /* basic authentication, or NULL */
	const char *password;
	bool (*stopped)(void *arg); /* asked often, about once a second at least: give up? */
	void *arg;
};

/* A GET, or a POST of what stands in body_fd from its beginning. */
struct st_http_pull_request {
	const char *url;
	const char *const *headers; /* whole lines, ended by NULL */
	int body_fd;		    /* -1: GET */
	int64_t body_bytes;
	int answer_fd; /* the answer's body is written there */
	int64_t answer_bytes_max;
};

struct st_http_pull_answer {
	bool let_out; /* a connection stood, so something may have arrived */
	bool whole;
	int status; /* 0: none came */
	char content_type[128];
	int64_t bytes;
};

struct st_http_pull *st_http_pull_new(const struct st_http_pull_options *options);
void st_http_pull_free(struct st_http_pull *pull); /* NULL is fine */

/*
 * Blocks until the answer is there. Redirects are answers. A POST goes out once, on a connection of
 * its own. ST_OK: a whole answer, of any status. Failures: ST_ERR_NET, ST_ERR_FORBIDDEN (the
 * guard), ST_ERR_TOO_LARGE, ST_ERR_CANCELLED (stopped), ST_ERR_IO; *out is filled all the same.
 */
int st_http_pull_send(struct st_http_pull *pull, const struct st_http_pull_request *request,
		      struct st_http_pull_answer *out, struct st_diag *diag);

#endif
