/* SPDX-License-Identifier: Apache-2.0 */
/* What is the API made of? Private to orchestrator/io/api*. */
#ifndef ST_ORCHESTRATOR_IO_API_PRIVATE_H
#define ST_ORCHESTRATOR_IO_API_PRIVATE_H

#include "orchestrator/io/api.h"
#include "orchestrator/io/api_request.h"
#include "orchestrator/io/http_server.h"
#include "orchestrator/io/store_access.h"

#define ST_API_READERS_MAX 4 /* as many as libuv has worker threads */
#define ST_API_EXPORTS_MAX 2
#define ST_API_STREAM_BUCKETS 256
#define ST_API_TOKENS_CACHED 1024 /* a power of two */

extern const struct st_api_route st_api_routes[]; /* ended by a NULL method */

struct st_api_reader {
	struct st_reader *reader;
	struct st_api_reader *next; /* in the list of idle ones */
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

/* Checks what every change must have, and gives a kept answer; else goes on to the route. */
void st_api_change(struct st_api_request *request);
/* Brings an event of request->run to the engine and answers with what came of it. */
void st_api_send_event(struct st_api_request *request, struct st_event *event);
/* The answer to that, once durable. */
void st_api_answer(struct st_api_request *request, const struct st_effect_reply *reply);

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
	X(call_hold)                                                                               \
	X(call_settle)                                                                             \
	X(call_void)                                                                               \
	X(call_extend)                                                                             \
	X(step_end)                                                                                \
	X(token_create)                                                                            \
	X(token_revoke)                                                                            \
	X(timeline)                                                                                \
	X(artifact)                                                                                \
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
	X(artifacts)                                                                               \
	X(approvals)                                                                               \
	X(usage)                                                                                   \
	X(tokens)
#define X(name) int st_api_read_##name(struct st_reader *reader, struct st_api_request *request);
ST_API_READS(X)
#undef X

#endif
