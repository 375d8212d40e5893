/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/http_call.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/guard.h"
#include "steps/redirect.h"

static void start_hop(struct st_http_call *call);

static int64_t now(const struct st_http_client *client)
{
	return (int64_t)uv_now(client->setting.loop);
}

static void move(struct st_http_call *call, enum st_http_state state)
{
	struct st_http_call_list *from = &call->client->lists[call->state];
	struct st_http_call_list *to = &call->client->lists[state];
	*(call->prev != NULL ? &call->prev->next : &from->first) = call->next;
	*(call->next != NULL ? &call->next->prev : &from->last) = call->prev;
	call->state = state;
	call->next = NULL;
	call->prev = to->last;
	*(to->last != NULL ? &to->last->next : &to->first) = call;
	to->last = call;
}

/* --- places --- */

static struct st_http_place *place_of(struct st_http_client *client, const struct st_url *url)
{
	struct st_http_place *place = client->places;
	while (place != NULL && !st_url_same_origin(&place->url, url)) {
		place = place->next;
	}
	if (place == NULL) {
		place = st_alloc(sizeof *place);
		place->url = *url;
		place->url.target = "";
		place->next = client->places;
		client->places = place;
	}
	place->calls++;
	return place;
}

static void leave_place(struct st_http_call *call)
{
	struct st_http_place *place = call->place;
	if (place == NULL) {
		return;
	}
	call->place = NULL;
	assert(place->calls > 0);
	if (--place->calls > 0) {
		return;
	}
	assert(place->running == 0);
	struct st_http_place **link = &call->client->places;
	while (*link != place) {
		link = &(*link)->next;
	}
	*link = place->next;
	st_free(place);
}

/* --- the end of a call --- */

static void stop_hop(struct st_http_call *call)
{
	if (call->hop.easy == NULL) {
		return;
	}
	st_http_poll_remove(call->client->http_poll, call->hop.easy);
	call->sent_before = call->sent_before || call->hop.tries > 0;
	if (call->first_byte_at < 0) {
		call->first_byte_at = call->hop.first_byte_at;
	}
	st_http_hop_fini(&call->hop);
}

static void end(struct st_http_call *call, enum st_transport transport)
{
	assert(call->state != ST_HTTP_ENDED);
	struct st_http_client *client = call->client;
	if (call->hop.easy != NULL) {
		st_http_hop_take(&call->hop, &call->response);
		stop_hop(call);
	}
	if (call->response.body == NULL) {
		call->response.body = st_strdup("");
	}
	call->response.transport = transport;
	call->response.total_ms = now(client) - call->started_at;
	call->response.first_byte_ms =
	    call->first_byte_at < 0 ? -1 : call->first_byte_at - call->started_at;
	(void)uv_timer_stop(&call->timer);
	if (call->state == ST_HTTP_RUNNING) {
		client->running--;
		call->place->running--;
	}
	leave_place(call);
	move(call, ST_HTTP_ENDED);
	st_http_client_want_turn(client);
}

static void set_error(struct st_http_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void set_error(struct st_http_call *call, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)vsnprintf(call->response.error, sizeof call->response.error, format, args);
	va_end(args);
}

/* Ends a call that did not come to an answer: in `transport` if anything may have left. */
void st_http_call_give_up(struct st_http_call *call, enum st_transport transport, const char *why)
{
	bool sent = call->sent_before || call->hop.tries > 0;
	set_error(call, "%s: %s", sent ? "the answer was lost" : "nothing was sent", why);
	end(call, sent ? transport : ST_TRANSPORT_NOT_SENT);
}

static void record(struct st_http_call *call)
{
	struct st_http_client *client = call->client;
	bool real = call->response.transport == ST_TRANSPORT_ANSWERED && !call->response.replayed;
	if (client->record == NULL || !real || call->local || call->tap != NULL) {
		return;
	}
	const struct st_http_request *asked =
	    call->asked.url != NULL ? &call->asked : &call->request;
	struct st_diag diag = {.code = ST_OK};
	client->record_failure[0] = '\0';
	if (st_cassette_record(client->record, asked, &call->response, &diag) != ST_OK) {
		memcpy(client->record_failure, diag.text, sizeof diag.text);
	}
}

static void on_call_timer_closed(uv_handle_t *handle)
{
	struct st_http_call *call = handle->data;
	struct st_http_client *client = call->client;
	st_http_request_fini(&call->request);
	st_http_request_fini(&call->asked);
	st_http_response_fini(&call->response);
	st_http_response_fini(&call->redirect);
	st_free(call->unix_path);
	st_free(call);
	client->timers--;
	if (client->closing) {
		st_http_client_want_turn(client);
	}
}

void st_http_call_deliver(struct st_http_call *call)
{
	struct st_http_client *client = call->client;
	struct st_http_call_list *list = &client->lists[ST_HTTP_ENDED];
	assert(list->first == call);
	list->first = call->next;
	*(call->next != NULL ? &call->next->prev : &list->last) = NULL;
	if (call->aborted) {
		client->to_abort--;
	}
	record(call);
	struct st_http_response response = call->response;
	call->response = (struct st_http_response){.status = 0};
	uv_close((uv_handle_t *)&call->timer, on_call_timer_closed);
	call->done(call->arg, &response);
}

/* --- time --- */

static void on_call_timer(uv_timer_t *timer);

static void arm(struct st_http_call *call)
{
	int64_t at = call->started_at + call->request.total_ms;
	if (call->hop.tries > 0) {
		int64_t idle_at = call->hop.moved_at + call->request.idle_ms;
		at = idle_at < at ? idle_at : at;
	} else if (call->request.idle_ms < call->request.total_ms) {
		/* The idle limit may begin to run at any moment; look again when it could end. */
		int64_t look_at = now(call->client) + call->request.idle_ms;
		at = look_at < at ? look_at : at;
	}
	int64_t wait_ms = at > now(call->client) ? at - now(call->client) : 0;
	int rc = uv_timer_start(&call->timer, on_call_timer, (uint64_t)wait_ms, 0);
	assert(rc == 0);
}

static void on_call_timer(uv_timer_t *timer)
{
	struct st_http_call *call = timer->data;
	char why[96];
	if (now(call->client) - call->started_at >= call->request.total_ms) {
		(void)snprintf(why, sizeof why, "no whole answer within %lld ms",
			       (long long)call->request.total_ms);
		st_http_call_give_up(call, ST_TRANSPORT_TIMED_OUT, why);
	} else if (call->hop.tries > 0 &&
		   now(call->client) - call->hop.moved_at >= call->request.idle_ms) {
		(void)snprintf(why, sizeof why, "no byte either way for %lld ms",
			       (long long)call->request.idle_ms);
		st_http_call_give_up(call, ST_TRANSPORT_TIMED_OUT, why);
	} else {
		arm(call);
	}
}

/* --- redirects --- */

/* The redirect is itself the answer. */
static void stop_at_redirect(struct st_http_call *call, const char *why)
{
	set_error(call, "the redirect was not followed: %s", why);
	end(call, ST_TRANSPORT_ANSWERED);
}

/* A redirect target came from outside: to another origin it goes under guard, and without the
 * headers that were meant for the first. */
static void follow(struct st_http_call *call, char *url, const struct st_url *to)
{
	if (call->asked.url == NULL) {
		/* Recorded by its first URL and method only; no body went along. */
		memcpy(call->asked.method, call->request.method, sizeof call->asked.method);
		call->asked.url = st_strdup(call->request.url);
	}
	if (!st_url_same_origin(&call->url, to)) {
		st_redirect_strip(&call->request);
		call->way.reach = ST_HTTP_REACH_GUARDED;
	}
	st_http_response_fini(&call->redirect);
	call->redirect = (struct st_http_response){.status = 0};
	st_http_hop_take(&call->hop, &call->redirect);
	stop_hop(call);
	st_free(call->request.url);
	call->request.url = url;
	call->url = *to;
	call->redirects++;
	start_hop(call);
}

static void take_redirect(struct st_http_call *call)
{
	const char *location = st_http_hop_answer_header(&call->hop, "location");
	if (location == NULL) {
		end(call, ST_TRANSPORT_ANSWERED);
		return;
	}
	if (call->redirects >= call->request.redirects_max) {
		char why[64];
		(void)snprintf(why, sizeof why, "%d were followed already", call->redirects);
		stop_at_redirect(call, why);
		return;
	}
	st_autofree char *url = NULL;
	struct st_url to;
	struct st_diag diag = {.code = ST_OK};
	if (st_http_hop_resolve(call->request.url, location, &url, &diag) != ST_OK ||
	    st_url_parse(url, &to, &diag) != ST_OK) {
		stop_at_redirect(call, diag.text);
		return;
	}
	const char *why = st_redirect_refusal(&call->request, &call->url, &to);
	if (why == NULL && !st_url_same_origin(&call->url, &to)) {
		why = st_guard_name_refusal(to.host);
	}
	if (why != NULL) {
		stop_at_redirect(call, why);
		return;
	}
	follow(call, st_steal(&url), &to);
}

/* --- a hop --- */

void st_http_call_hop_done(void *arg, CURL *easy, CURLcode code)
{
	(void)arg;
	char *private = NULL;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	struct st_http_call *call = (void *)private;
	assert(call->hop.easy == easy);
	char error[sizeof call->response.error];
	enum st_transport transport = st_http_hop_end(&call->hop, code, call->sent_before, error);
	bool redirect = transport == ST_TRANSPORT_ANSWERED && !call->local &&
			call->request.redirects_max > 0 && st_redirect_status(call->hop.status);
	if (redirect) {
		take_redirect(call);
	} else if (call->redirects > 0 && call->hop.tries == 0 && call->hop.refusal[0] != '\0') {
		char why[sizeof call->hop.refusal];
		memcpy(why, call->hop.refusal, sizeof why);
		stop_hop(call);
		call->response = call->redirect;
		call->redirect = (struct st_http_response){.status = 0};
		stop_at_redirect(call, why);
	} else {
		memcpy(call->response.error, error, sizeof error);
		end(call, transport);
	}
}

static void start_hop(struct st_http_call *call)
{
	struct st_http_client *client = call->client;
	struct st_diag diag = {.code = ST_OK};
	int rc = st_http_client_start(client, &diag);
	if (rc == ST_OK) {
		rc = st_http_hop_init(&call->hop, &client->setting, &call->request, &call->way,
				      &diag);
	}
	if (rc == ST_OK && !st_http_poll_add(client->http_poll, call->hop.easy)) {
		st_http_hop_fini(&call->hop);
		rc = st_fail(&diag, ST_ERR_IO, "the HTTP library takes no more transfers");
	}
	if (rc != ST_OK) {
		st_http_call_give_up(call, ST_TRANSPORT_LOST, diag.text);
		return;
	}
	(void)curl_easy_setopt(call->hop.easy, CURLOPT_PRIVATE, call);
	call->hop.tap = call->tap;
	call->hop.tap_arg = call->tap_arg;
}

/* --- replay --- */

static int find_cassette(struct st_http_client *client, const char *path, struct st_cassette **out,
			 struct st_diag *diag)
{
	for (struct st_http_cassette *kept = client->cassettes; kept != NULL; kept = kept->next) {
		if (strcmp(st_cassette_path(kept->cassette), path) == 0) {
			*out = kept->cassette;
			return ST_OK;
		}
	}
	int rc = st_cassette_load(path, out, diag);
	if (rc == ST_OK) {
		struct st_http_cassette *kept = st_alloc(sizeof *kept);
		kept->cassette = *out;
		kept->next = client->cassettes;
		client->cassettes = kept;
	}
	return rc;
}

void st_http_call_replay(struct st_http_call *call)
{
	struct st_cassette *cassette = NULL;
	struct st_diag diag = {.code = ST_OK};
	int rc = find_cassette(call->client, call->request.cassette, &cassette, &diag);
	if (rc == ST_OK) {
		rc = st_cassette_answer(cassette, &call->request, &call->response, &diag);
	}
	if (rc != ST_OK) {
		st_http_call_give_up(call, ST_TRANSPORT_LOST, diag.text);
		return;
	}
	if (call->response.body_len > call->request.response_bytes_max) {
		call->response.body_len = call->request.response_bytes_max;
		call->response.body[call->response.body_len] = '\0';
		set_error(call, "the answer was cut: its body passes the limit on answers");
		end(call, ST_TRANSPORT_TOO_LARGE);
		return;
	}
	if (call->tap != NULL) {
		call->tap(call->tap_arg, call->response.body, call->response.body_len);
		call->response.body_len = 0;
		call->response.body[0] = '\0';
	}
	call->first_byte_at = now(call->client);
	end(call, ST_TRANSPORT_ANSWERED);
}

/* --- the beginning --- */

static int check(const struct st_http_call *call, struct st_url *url, struct st_diag *diag)
{
	const struct st_http_request *request = &call->request;
	int rc = st_http_hop_check(request, diag);
	if (rc == ST_OK && request->url == NULL) {
		rc = st_fail(diag, ST_ERR_INVALID, "there is no URL");
	}
	if (rc == ST_OK) {
		rc = st_url_parse(request->url, url, diag);
	}
	const char *why = NULL;
	if (rc == ST_OK && call->way.reach == ST_HTTP_REACH_GUARDED) {
		why = st_guard_name_refusal(url->host);
	}
	if (why != NULL) {
		rc = st_fail(diag, ST_ERR_FORBIDDEN, "%.200s is %s", url->host, why);
	}
	if (rc == ST_OK && call->client->closing) {
		rc = st_fail(diag, ST_ERR_CANCELLED, "the client is being closed");
	}
	return rc;
}

struct st_http_call *st_http_call_new(struct st_http_client *client,
				      struct st_http_request *request, st_http_done_cb done,
				      void *arg)
{
	assert(client != NULL);
	assert(done != NULL);
	assert(!client->closed_down);
	assert(request->connect_ms > 0);
	assert(request->idle_ms > 0);
	assert(request->total_ms > 0);
	struct st_http_call *call = st_alloc(sizeof *call);
	call->client = client;
	call->request = *request;
	*request = (struct st_http_request){.url = NULL};
	call->done = done;
	call->arg = arg;
	call->first_byte_at = -1;
	uv_update_time(client->setting.loop);
	call->started_at = now(client);
	int rc = uv_timer_init(client->setting.loop, &call->timer);
	assert(rc == 0);
	call->timer.data = call;
	client->timers++;
	struct st_http_call_list *list = &client->lists[ST_HTTP_WAITING];
	call->prev = list->last;
	*(list->last != NULL ? &list->last->next : &list->first) = call;
	list->last = call;
	return call;
}

void st_http_call_begin(struct st_http_call *call)
{
	struct st_diag diag = {.code = ST_OK};
	if (check(call, &call->url, &diag) != ST_OK) {
		st_http_call_give_up(call, ST_TRANSPORT_LOST, diag.text);
		return;
	}
	call->place = place_of(call->client, &call->url);
	arm(call);
	st_http_client_want_turn(call->client);
}

void st_http_call_start(struct st_http_call *call)
{
	assert(call->state == ST_HTTP_WAITING);
	call->client->running++;
	call->place->running++;
	move(call, ST_HTTP_RUNNING);
	start_hop(call);
}
