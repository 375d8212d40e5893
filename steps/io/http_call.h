/* SPDX-License-Identifier: Apache-2.0 */
/* What is a call in flight, and how does it end? Private to the HTTP client. */
#ifndef ST_STEPS_IO_HTTP_CALL_H
#define ST_STEPS_IO_HTTP_CALL_H

#include "steps/io/cassette.h"
#include "steps/io/http.h"
#include "steps/io/http_hop.h"
#include "steps/io/http_poll.h"
#include "steps/url.h"

/*
 * The life of a call:
 *
 *   st_http_send ──▶ WAITING ──▶ RUNNING (one hop after the other) ──▶ ENDED ──▶ called back, freed
 *                       └──────── refused, replayed, aborted, late ──────▲
 *
 * Every call is in the list of its state. Starting and calling back happen only in on_turn, a timer
 * of 0 ms: so never inside st_http_send, and never inside curl, which may not be re-entered. We
 * keep the queue ourselves instead of giving curl a limit, because curl's own queue obeys no
 * timeout, and a call that waits is provably not sent.
 */
enum st_http_state { ST_HTTP_WAITING, ST_HTTP_RUNNING, ST_HTTP_ENDED, ST_HTTP_STATE_COUNT };

/* Calls in flight to one origin. */
struct st_http_place {
	struct st_http_place *next;
	struct st_url url; /* target is not used */
	int64_t running;
	int64_t calls; /* running and waiting: the place goes with the last */
};

struct st_http_call_list {
	struct st_http_call *first;
	struct st_http_call *last;
};

struct st_http_cassette {
	struct st_http_cassette *next;
	struct st_cassette *cassette;
};

struct st_http_client {
	struct st_http_setting setting;
	struct st_http_poll *http_poll; /* NULL before the first call */
	struct st_http_call_list lists[ST_HTTP_STATE_COUNT];
	int64_t running;
	int64_t calls_max;
	int64_t calls_per_host_max;
	struct st_http_place *places;
	struct st_http_cassette *cassettes;
	struct st_cassette *record;
	char record_failure[ST_DIAG_TEXT_MAX];
	uv_timer_t turn;
	int64_t timers; /* of calls and our own, not yet closed */
	int64_t to_abort;
	bool started; /* the library is */
	bool closing;
	bool closed_down;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct st_http_call {
	struct st_http_client *client;
	struct st_http_call *next;
	struct st_http_call *prev;
	enum st_http_state state;
	struct st_http_request request;
	struct st_http_request asked; /* as it was before redirects, for recording */
	struct st_url url;	      /* its target borrows from request.url */
	struct st_http_way way;
	char *unix_path;
	bool local;
	bool aborted;
	bool sent_before; /* an earlier hop went out */
	int redirects;
	struct st_http_place *place;
	struct st_http_hop hop;
	uv_timer_t timer;
	int64_t started_at;
	int64_t first_byte_at;
	struct st_http_response response;
	struct st_http_response redirect; /* the answer that led to the present hop */
	st_http_done_cb done;
	void *arg;
	st_http_tap_cb tap;
	void *tap_arg;
};

/* Wants the client's turn at the next round of the loop. http.c */
void st_http_client_want_turn(struct st_http_client *client);

/* A WAITING call, which is in its client's list; takes the request's contents. */
struct st_http_call *st_http_call_new(struct st_http_client *client,
				      struct st_http_request *request, st_http_done_cb done,
				      void *arg);
/* Checks it, finds its place and arms its limits; what cannot be sent is ended. */
void st_http_call_begin(struct st_http_call *call);
/* WAITING to RUNNING, or at once to ENDED with the answer of its cassette. */
void st_http_call_start(struct st_http_call *call);
void st_http_call_replay(struct st_http_call *call);
/* Ends it without an answer: as `transport` if anything may have left, else as NOT_SENT. */
void st_http_call_give_up(struct st_http_call *call, enum st_transport transport, const char *why);
/* Calls back for the first ENDED call of the list, which is gone after this. */
void st_http_call_deliver(struct st_http_call *call);
/* Starts the library, once: a daemon that makes no call does without its megabytes. */
int st_http_client_start(struct st_http_client *client, struct st_diag *diag);
/* The st_http_poll_done_cb of every client. */
void st_http_call_hop_done(void *arg, CURL *easy, CURLcode code);

#endif
