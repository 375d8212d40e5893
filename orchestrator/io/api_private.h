/* SPDX-License-Identifier: Apache-2.0 */
/* What is the API made of? Private to orchestrator/io/api*. */
#ifndef ST_ORCHESTRATOR_IO_API_PRIVATE_H
#define ST_ORCHESTRATOR_IO_API_PRIVATE_H

#include <jansson.h>

#include "orchestrator/io/api.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/http_exchange.h"
#include "orchestrator/io/http_server.h"
#include "orchestrator/io/store_access.h"
#include "orchestrator/io/store_read.h"

#define ST_API_READERS_MAX 4 /* as many as libuv has worker threads */
#define ST_API_EXPORTS_MAX 2
#define ST_API_STREAM_BUCKETS 256
#define ST_API_TOKENS_CACHED 1024 /* a power of two */

struct st_api_request;
struct st_api_stream;

/* One thing the API can do. Exactly one of read and handle is there. */
struct st_api_route {
	const char *method;
	const char *pattern; /* "/v1/runs/{run}": a segment in braces is an id of that kind */
	int role;	     /* enum st_role that it takes; ST_API_OPEN: no token at all */
	const char *query;   /* names of query parameters, each followed by a space */
	/* A question for the store, asked on a worker thread; appends the answer to request->out.
	 */
	int (*read)(struct st_reader *reader, struct st_api_request *request);
	/* Anything else; must see to it that the request is answered, now or later. */
	void (*handle)(struct st_api_request *request);
};
#define ST_API_OPEN (-1)

extern const struct st_api_route st_api_routes[]; /* ended by a NULL method */

struct st_api_reader {
	struct st_reader *reader;
	struct st_api_reader *next; /* in the list of idle ones */
};

/* One request on its way to an answer. */
struct st_api_request {
	struct st_api_server *api;
	struct st_api_request *next; /* in api->requests */
	struct st_exchange *exchange;
	const struct st_api_route *route;
	struct st_actor actor;
	struct st_id run; /* out of the path */
	struct st_id halt;
	struct st_id call;
	char name[ST_NAME_MAX]; /* of a token */
	/* a question for the store */
	uv_work_t work;
	struct st_api_reader *reader;
	int (*read)(struct st_reader *reader, struct st_api_request *request);
	void (*done)(struct st_api_request *request); /* on the loop, after the read */
	struct st_api_request *next_waiting;
	struct st_buf out;
	struct st_diag diag;
	int err;
	int64_t next_seq; /* of a timeline that goes on; 0: it does not */
	struct st_api_stream *stream;
	/* a change */
	struct st_waiter waiter;
	bool has_key;
	struct st_idempotency key;
	json_t *body;
	struct st_buf later; /* an answer that is ready but not durable */
};

/* Tokens that were seen, by hash; the store is asked once for each. */
struct st_api_token {
	uint8_t hash[ST_HASH_BYTES];
	struct st_row_token *row; /* NULL: free */
};

struct st_api_server {
	struct st_api_options options;
	struct st_http_server *server;
	struct st_reader *reader; /* of the loop, for the quick questions: tokens, kept answers */
	struct st_api_reader *idle_readers;
	int n_readers;
	struct st_api_request *waiting; /* for a reader, oldest first */
	struct st_api_request *requests;
	size_t n_requests;
	struct st_api_token tokens[ST_API_TOKENS_CACHED];
	size_t n_tokens;
	struct st_watcher watcher;
	struct st_api_stream *streams[ST_API_STREAM_BUCKETS]; /* by run */
	size_t n_streams;
	int n_exports;
	uv_timer_t heartbeat;
	bool failed;
	bool closing;
	bool server_closed;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* --- answering: each ends the request --- */

void st_api_reply(struct st_api_request *request, const struct st_http_reply *reply);
void st_api_reply_json(struct st_api_request *request, int status, const char *json);
/* A failure as a problem; the status comes from its code. */
void st_api_fail_with(struct st_api_request *request, const struct st_diag *diag);
/* As st_fail_at and the above together. */
void st_api_refuse(struct st_api_request *request, enum st_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void st_api_problem(struct st_api_request *request, const struct st_http_problem *problem);
/* For those that end the exchange themselves (streams). */
void st_api_request_free(struct st_api_request *request);

/* --- the parts --- */

/* Who is it? ST_ERR_UNAUTHENTICATED, or a failure of the store. */
int st_api_authenticate(struct st_api_server *api, const struct st_exchange *exchange,
			struct st_actor *actor, struct st_diag *diag);
void st_api_tokens_forget(struct st_api_server *api);

/* Finds the route; fills the ids of the path in. NULL: none; then *allow tells the methods that
 * the path knows ("" when there is no such path). */
const struct st_api_route *st_api_route_find(struct st_api_request *request, const char *method,
					     const char *path, char allow[64]);
/* Are all query parameters ones that the route knows? */
int st_api_route_check_query(const struct st_api_route *route, const struct st_exchange *exchange,
			     struct st_diag *diag);

/* Asks the store on a worker thread, then calls done on the loop. */
void st_api_read_start(struct st_api_request *request,
		       int (*read)(struct st_reader *reader, struct st_api_request *request),
		       void (*done)(struct st_api_request *request));
/* Answers with what was read. */
void st_api_read_reply(struct st_api_request *request);
/* Whose data the request may see: its own tenant's, or the one it asks for. */
int st_api_tenant(struct st_api_request *request, const char **tenant, struct st_diag *diag);
/* A query parameter that is an integer within range; *out stays when it is not there. */
int st_api_query_int(const struct st_api_request *request, const char *name, const int64_t range[2],
		     int64_t *out, struct st_diag *diag);

/* Checks what every change must have, and gives a kept answer; else goes on to the route. */
void st_api_change(struct st_api_request *request);

void st_api_streams_end(struct st_api_server *api);
/* Frees the API once nothing is left that could use it. */
void st_api_maybe_closed(struct st_api_server *api);

/* --- handlers of the table, and what they read --- */

#define ST_API_HANDLERS(X)                                                                         \
	X(submit)                                                                                  \
	X(decide)                                                                                  \
	X(cancel)                                                                                  \
	X(pause)                                                                                   \
	X(resume)                                                                                  \
	X(limits)                                                                                  \
	X(token_create)                                                                            \
	X(token_revoke)                                                                            \
	X(timeline)                                                                                \
	X(export)                                                                                  \
	X(health)                                                                                  \
	X(ready)                                                                                   \
	X(metrics)                                                                                 \
	X(openapi)
#define X(name) void st_api_handle_##name(struct st_api_request *request);
ST_API_HANDLERS(X)
#undef X

#define ST_API_READS(X)                                                                            \
	X(runs)                                                                                    \
	X(run)                                                                                     \
	X(timeline)                                                                                \
	X(calls)                                                                                   \
	X(envelope)                                                                                \
	X(holds)                                                                                   \
	X(external_ids)                                                                            \
	X(transcripts)                                                                             \
	X(approvals)                                                                               \
	X(usage)                                                                                   \
	X(tokens)
#define X(name) int st_api_read_##name(struct st_reader *reader, struct st_api_request *request);
ST_API_READS(X)
#undef X

#endif
