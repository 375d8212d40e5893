/* SPDX-License-Identifier: Apache-2.0 */
/* What is a request on its way to its answer? Private to orchestrator/io/api*. */
#ifndef ST_ORCHESTRATOR_IO_API_REQUEST_H
#define ST_ORCHESTRATOR_IO_API_REQUEST_H

#include <jansson.h>

#include "orchestrator/io/engine.h"
#include "orchestrator/io/http_exchange.h"
#include "orchestrator/io/store_read.h"

struct st_api_reader;
struct st_api_request;
struct st_api_server;
struct st_api_stream;

/* One thing the API can do. Exactly one of read and handle is there. */
struct st_api_route {
	const char *method;
	const char *pattern; /* "/v1/runs/{run}": a segment in braces is an id of that kind;
			      * {path} is all that follows */
	int role;	     /* enum st_role that it takes; ST_API_OPEN: no token at all */
	const char *query;   /* names of query parameters, each followed by a space */
	/* A question for the store, asked on a worker thread; appends the answer to request->out.
	 */
	int (*read)(struct st_reader *reader, struct st_api_request *request);
	/* Anything else; must see to it that the request is answered, now or later. */
	void (*handle)(struct st_api_request *request);
};
#define ST_API_OPEN (-1)

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
	char name[ST_NAME_MAX]; /* of a token or step */
	const char *path;	/* of a file; the end of the exchange's path, or NULL */
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
	struct st_client_end end; /* of a call, as asked */
	struct st_buf later;	  /* an answer that is ready but not durable */
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

/* --- questions for the store --- */

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

#endif
