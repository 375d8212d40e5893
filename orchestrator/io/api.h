/* SPDX-License-Identifier: Apache-2.0 */
/* How do programs talk to the daemon? The HTTP API; docs/api.md and GET /openapi.json say what. */
#ifndef ST_ORCHESTRATOR_IO_API_H
#define ST_ORCHESTRATOR_IO_API_H

#include <uv.h>

#include "schemas/err.h"

struct st_api_server;
struct st_engine;

/* Borrowed for the API's life. */
struct st_api_options {
	uv_loop_t *loop;
	struct st_engine *engine;
	const char *store_uri;
	const char *listen; /* as in struct st_http_options */
};

/* Opens readers of the store and listens. Gives *out. Failures say what to do. */
int st_api_new(const struct st_api_options *options, struct st_api_server **out,
	       struct st_diag *diag);
/* "http://127.0.0.1:PORT" or "unix:PATH". */
const char *st_api_url(const struct st_api_server *api);
/* The store failed: from now on every request is answered 503, not to be repeated. */
void st_api_fail(struct st_api_server *api);
/* Takes no more requests and ends streams; what is being answered still is. Then frees everything
 * and calls `closed`. The engine must live until its answers to these requests were given. */
void st_api_close(struct st_api_server *api, void (*closed)(void *arg), void *arg);

#endif
