/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/http.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/io/http_call.h"

#define CALLS_MAX_DEFAULT 256
#define CALLS_PER_HOST_MAX_DEFAULT 128

static void on_turn(uv_timer_t *turn);

void st_http_client_want_turn(struct st_http_client *client)
{
	if (!uv_is_active((uv_handle_t *)&client->turn)) {
		int rc = uv_timer_start(&client->turn, on_turn, 0, 0);
		assert(rc == 0);
	}
}

static void abort_asked(struct st_http_client *client)
{
	for (enum st_http_state state = ST_HTTP_WAITING;
	     state <= ST_HTTP_RUNNING && client->to_abort > 0; state++) {
		struct st_http_call *call = client->lists[state].first;
		while (call != NULL) {
			struct st_http_call *next = call->next;
			if (call->aborted) {
				st_http_call_give_up(call, ST_TRANSPORT_ABORTED, "it was aborted");
			}
			call = next;
		}
	}
}

static void start_waiting(struct st_http_client *client)
{
	struct st_http_call *call = client->lists[ST_HTTP_WAITING].first;
	while (call != NULL && client->running < client->calls_max) {
		struct st_http_call *next = call->next;
		if (call->aborted) {
			/* By the tap of one before it; the next turn ends it. */
		} else if (call->request.cassette != NULL && !call->local) {
			st_http_call_replay(call);
		} else if (call->place->running < client->calls_per_host_max) {
			st_http_call_start(call);
		}
		call = next;
	}
}

static void deliver_ended(struct st_http_client *client)
{
	/* Only those that are there now: their callbacks may end others for ever. */
	struct st_http_call *last = client->lists[ST_HTTP_ENDED].last;
	for (struct st_http_call *call = last; call != NULL;) {
		call = client->lists[ST_HTTP_ENDED].first;
		bool more = call != last;
		st_http_call_deliver(call);
		call = more ? call : NULL;
	}
	if (client->lists[ST_HTTP_ENDED].first != NULL) {
		st_http_client_want_turn(client);
	}
}

static void free_client(struct st_http_client *client)
{
	while (client->cassettes != NULL) {
		struct st_http_cassette *kept = client->cassettes;
		client->cassettes = kept->next;
		st_cassette_free(kept->cassette);
		st_free(kept);
	}
	st_cassette_free(client->record);
	st_guard_free(client->setting.guard);
	if (client->setting.share != NULL) {
		(void)curl_share_cleanup(client->setting.share);
	}
	st_free(client->setting.user_agent);
	st_free(client->setting.ca_file);
	if (client->started) {
		curl_global_cleanup();
	}
	st_free(client);
}

static void on_turn_closed(uv_handle_t *handle)
{
	struct st_http_client *client = handle->data;
	void (*closed)(void *arg) = client->closed;
	void *arg = client->closed_arg;
	free_client(client);
	if (closed != NULL) {
		closed(arg);
	}
}

static void on_poll_closed(void *arg)
{
	struct st_http_client *client = arg;
	uv_close((uv_handle_t *)&client->turn, on_turn_closed);
}

static void on_turn(uv_timer_t *turn)
{
	struct st_http_client *client = turn->data;
	abort_asked(client);
	start_waiting(client);
	deliver_ended(client);
	bool empty = client->lists[ST_HTTP_WAITING].first == NULL &&
		     client->lists[ST_HTTP_RUNNING].first == NULL &&
		     client->lists[ST_HTTP_ENDED].first == NULL && client->timers == 0;
	if (!client->closing || !empty || client->closed_down) {
		return;
	}
	assert(client->places == NULL);
	client->closed_down = true;
	if (client->http_poll != NULL) {
		st_http_poll_close(client->http_poll, on_poll_closed, client);
	} else {
		on_poll_closed(client);
	}
}

struct st_http_call *st_http_send(struct st_http_client *client, const struct st_grant *grant,
				  struct st_http_request *request, st_http_done_cb done, void *arg)
{
	assert(grant != NULL);
	struct st_http_call *call = st_http_call_new(client, request, done, arg);
	call->way.reach = call->request.guarded ? ST_HTTP_REACH_GUARDED : ST_HTTP_REACH_ANY;
	st_http_call_begin(call);
	return call;
}

struct st_http_call *st_http_send_local(struct st_http_client *client, const char *unix_path,
					struct st_http_request *request, st_http_done_cb done,
					void *arg)
{
	struct st_http_call *call = st_http_call_new(client, request, done, arg);
	call->local = true;
	call->unix_path = st_strdup(unix_path);
	call->way.unix_path = call->unix_path;
	call->way.reach = unix_path != NULL ? ST_HTTP_REACH_UNIX : ST_HTTP_REACH_LOOPBACK;
	st_http_call_begin(call);
	return call;
}

void st_http_tap(struct st_http_call *call, st_http_tap_cb tap, void *arg)
{
	assert(call->state != ST_HTTP_RUNNING);
	call->tap = tap;
	call->tap_arg = arg;
}

int st_http_tapped_status(const struct st_http_call *call)
{
	return call->hop.status;
}

void st_http_abort(struct st_http_call *call)
{
	if (call->aborted) {
		return;
	}
	call->aborted = true;
	call->tap = NULL;
	call->hop.tap = NULL;
	call->client->to_abort++;
	st_http_client_want_turn(call->client);
}

int st_http_client_start(struct st_http_client *client, struct st_diag *diag)
{
	if (client->http_poll != NULL) {
		return ST_OK;
	}
	if (!client->started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		return st_fail(diag, ST_ERR_IO, "the HTTP library cannot start");
	}
	client->started = true;
	if (client->setting.share == NULL) {
		client->setting.share = curl_share_init();
	}
	if (client->setting.share == NULL) {
		return st_fail(diag, ST_ERR_IO, "the HTTP library cannot start");
	}
	/* One loop thread uses it: no lock functions. */
	(void)curl_share_setopt(client->setting.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return st_http_poll_new(client->setting.loop, st_http_call_hop_done, client,
				&client->http_poll, diag);
}

int st_http_client_new(uv_loop_t *loop, const struct st_http_options *options,
		       struct st_http_client **out, struct st_diag *diag)
{
	struct st_http_client *client = st_alloc(sizeof *client);
	client->setting.loop = loop;
	client->calls_max = options->calls_max > 0 ? options->calls_max : CALLS_MAX_DEFAULT;
	client->calls_per_host_max = options->calls_per_host_max > 0 ? options->calls_per_host_max
								     : CALLS_PER_HOST_MAX_DEFAULT;
	client->setting.user_agent =
	    st_strdup(options->user_agent != NULL ? options->user_agent : "stint");
	client->setting.ca_file = st_strdup(options->ca_file);
	int rc = st_guard_new(options->allow, options->n_allow, &client->setting.guard, diag);
	if (rc == ST_OK && options->record_path != NULL) {
		rc = st_cassette_open(options->record_path, &client->record, diag);
	}
	if (rc != ST_OK) {
		free_client(client);
		return rc;
	}
	rc = uv_timer_init(loop, &client->turn);
	assert(rc == 0);
	client->turn.data = client;
	*out = client;
	return ST_OK;
}

void st_http_client_close(struct st_http_client *client, void (*closed)(void *arg), void *arg)
{
	assert(!client->closing);
	client->closing = true;
	client->closed = closed;
	client->closed_arg = arg;
	for (enum st_http_state state = ST_HTTP_WAITING; state <= ST_HTTP_RUNNING; state++) {
		struct st_http_call *call = client->lists[state].first;
		for (; call != NULL; call = call->next) {
			st_http_abort(call);
		}
	}
	st_http_client_want_turn(client);
}

const char *st_http_client_record_failure(const struct st_http_client *client)
{
	return client->record_failure[0] != '\0' ? client->record_failure : NULL;
}
