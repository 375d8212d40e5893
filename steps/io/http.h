/* SPDX-License-Identifier: Apache-2.0 */
/* How does a request get to a server and its answer back? The only HTTP client there is. */
#ifndef ST_STEPS_IO_HTTP_H
#define ST_STEPS_IO_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "schemas/call.h"
#include "schemas/err.h"

/* The permission to make a call. Only budgets/ makes one. */
struct st_grant;
struct st_http_client;
struct st_http_call;

struct st_http_options {
	int64_t calls_max;	    /* in flight at one moment, the rest waits (0: 256) */
	int64_t calls_per_host_max; /* the same for one scheme, host and port (0: 128) */
	const char *const *allow;   /* holes in the outgoing guard, see steps/guard.h */
	size_t n_allow;
	const char *user_agent;	 /* NULL: "stint" */
	const char *ca_file;	 /* PEM; NULL: the system's */
	const char *record_path; /* cassette that answers are added to, or NULL */
};

/*
 * Gives *out, which lives on loop until st_http_client_close. Borrows options only for the call.
 * ST_ERR_INVALID for a bad allow entry; ST_ERR_IO when the library cannot start or record_path
 * cannot be written.
 */
int st_http_client_new(uv_loop_t *loop, const struct st_http_options *options,
		       struct st_http_client **out, struct st_diag *diag);
/* Ends every call (each is still called back), then closes and frees the client and calls back,
 * unless closed is NULL. */
void st_http_client_close(struct st_http_client *client, void (*closed)(void *arg), void *arg);
/* Why the last answer could not be added to record_path, or NULL. */
const char *st_http_client_record_failure(const struct st_http_client *client);

/* The end of a call. The response is given: st_http_response_fini. The call is gone after this. */
typedef void (*st_http_done_cb)(void *arg, struct st_http_response *response);
/* Bytes of the answer's body as they come, decompressed; not those of a redirect. Borrowed. */
typedef void (*st_http_tap_cb)(void *arg, const char *bytes, size_t len);

/*
 * Sends a request and calls back exactly once, never before this returns. Takes the request's
 * contents. Never fails by itself: what cannot be sent comes back as NOT_SENT.
 *
 * NOT_SENT is said only when nothing of the request left: a bad request, a name that does not
 * resolve, the guard, no connection, TLS; and also when a limit or st_http_abort ended the call
 * while it waited for one of these. After that it is LOST, TIMED_OUT, TOO_LARGE or ABORTED, with
 * what had arrived. total_ms runs from here, waiting for a free place included; connect_ms from the
 * start of each connection, idle_ms from when it stands. A request that is not a GET or HEAD goes
 * out at most once; a GET or HEAD may be sent again when a kept connection was found dead. A
 * redirect that may not be followed is itself the answer, ANSWERED with its 3xx status, and `error`
 * then says why.
 */
struct st_http_call *st_http_send(struct st_http_client *client, const struct st_grant *grant,
				  struct st_http_request *request, st_http_done_cb done, void *arg);

/* The same for talking to our own daemon, which is no governed call: reaches only loopback
 * addresses, or unix_path when that is not NULL (the URL's host is then only a name). Ignores
 * redirects and cassettes, and is not recorded. */
struct st_http_call *st_http_send_local(struct st_http_client *client, const char *unix_path,
					struct st_http_request *request, st_http_done_cb done,
					void *arg);

/* Hands out the body as it comes instead of keeping it: response.body is then "". Only right after
 * sending. The callback may send and abort calls. */
void st_http_tap(struct st_http_call *call, st_http_tap_cb tap, void *arg);
/* In the tap: the status of the answer whose body comes. */
int st_http_tapped_status(const struct st_http_call *call);

/* Gives up: the callback comes soon, with ABORTED, or with NOT_SENT when nothing had left, or with
 * the answer when that was complete already. */
void st_http_abort(struct st_http_call *call);

#endif
