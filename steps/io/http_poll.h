/* SPDX-License-Identifier: Apache-2.0 */
/* How do curl's transfers run on a uv loop? Private to the HTTP client. */
#ifndef ST_STEPS_IO_HTTP_POLL_H
#define ST_STEPS_IO_HTTP_POLL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#include "schemas/err.h"

struct st_http_poll;

/* A transfer ended. Never called from inside curl: transfers may be added and removed. */
typedef void (*st_http_poll_done_cb)(void *arg, CURL *easy, CURLcode code);

/* Gives *out. ST_ERR_IO when curl or uv cannot start. */
int st_http_poll_new(uv_loop_t *loop, st_http_poll_done_cb done, void *arg,
		     struct st_http_poll **out, struct st_diag *diag);
/* Starts a transfer at the next turn of the loop. Not from inside a curl callback. */
bool st_http_poll_add(struct st_http_poll *http_poll, CURL *easy);
/* Stops it, closing its connection when it was not done. Not from inside a curl callback. */
void st_http_poll_remove(struct st_http_poll *http_poll, CURL *easy);
/* Frees it once its handles are closed, then calls back. All transfers must be removed. */
void st_http_poll_close(struct st_http_poll *http_poll, void (*closed)(void *arg), void *arg);

#endif
