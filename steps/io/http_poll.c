/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/http_poll.h"

#include <assert.h>

#include "schemas/mem.h"

/*
 * curl says which sockets to watch (on_socket) and when to wake it (on_wanted_timer); uv says when
 * one of both happened (on_ready, on_timer). Whatever happened, ended transfers are then drained
 * outside of curl, so that what they lead to may add and remove transfers.
 */
struct st_http_poll {
	CURLM *multi;
	uv_timer_t timer;
	int handles; /* uv handles that are not closed yet */
	st_http_poll_done_cb done;
	void *arg;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct watched {
	uv_poll_t handle;
	struct st_http_poll *owner;
	curl_socket_t fd;
	int events;
};

/* Idle connections kept for the next request. */
#define KEPT_CONNECTIONS_MAX 64L

static void drain(struct st_http_poll *http_poll)
{
	int left = 0;
	for (;;) {
		CURLMsg *message = curl_multi_info_read(http_poll->multi, &left);
		if (message == NULL) {
			return;
		}
		if (message->msg == CURLMSG_DONE) {
			http_poll->done(http_poll->arg, message->easy_handle, message->data.result);
		}
	}
}

static void act(struct st_http_poll *http_poll, curl_socket_t fd, int events)
{
	int running = 0;
	CURLMcode code = curl_multi_socket_action(http_poll->multi, fd, events, &running);
	assert(code == CURLM_OK);
	drain(http_poll);
}

static void on_ready(uv_poll_t *handle, int status, int events)
{
	struct watched *watched = handle->data;
	if (status < 0) {
		/* uv stops watching a socket with an error and does not say which. Let curl read
		 * and write as if it were ready, and find out: told of an error it would give up
		 * without looking, and without its rule for kept connections. */
		events = UV_READABLE | UV_WRITABLE;
		int rc = uv_poll_start(handle, watched->events, on_ready);
		assert(rc == 0);
	}
	int flags = (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
	flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
	act(watched->owner, watched->fd, flags);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_wanted_timer(CURLM *multi, long timeout_ms, void *arg)
{
	(void)multi;
	struct st_http_poll *http_poll = arg;
	if (timeout_ms < 0) {
		(void)uv_timer_stop(&http_poll->timer);
		return 0;
	}
	uv_update_time(http_poll->timer.loop);
	int rc = uv_timer_start(&http_poll->timer, on_timer, (uint64_t)timeout_ms, 0);
	assert(rc == 0);
	return 0;
}

static void end_close(struct st_http_poll *http_poll)
{
	assert(http_poll->handles > 0);
	if (--http_poll->handles > 0) {
		return;
	}
	void (*closed)(void *arg) = http_poll->closed;
	void *arg = http_poll->closed_arg;
	st_free(http_poll);
	closed(arg);
}

static void on_watched_closed(uv_handle_t *handle)
{
	struct watched *watched = handle->data;
	struct st_http_poll *owner = watched->owner;
	st_free(watched);
	end_close(owner);
}

static void unwatch(struct st_http_poll *http_poll, struct watched *watched)
{
	(void)curl_multi_assign(http_poll->multi, watched->fd, NULL);
	(void)uv_poll_stop(&watched->handle);
	uv_close((uv_handle_t *)&watched->handle, on_watched_closed);
}

static struct watched *watch(struct st_http_poll *http_poll, curl_socket_t fd)
{
	struct watched *watched = st_alloc(sizeof *watched);
	watched->owner = http_poll;
	watched->fd = fd;
	int rc = uv_poll_init_socket(http_poll->timer.loop, &watched->handle, fd);
	assert(rc == 0);
	watched->handle.data = watched;
	http_poll->handles++;
	(void)curl_multi_assign(http_poll->multi, fd, watched);
	return watched;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	(void)easy;
	struct st_http_poll *http_poll = arg;
	struct watched *watched = socket_arg;
	if (what == CURL_POLL_REMOVE) {
		if (watched != NULL) {
			unwatch(http_poll, watched);
		}
		return 0;
	}
	if (watched == NULL) {
		watched = watch(http_poll, fd);
	}
	watched->events = (what & CURL_POLL_IN) != 0 ? UV_READABLE : 0;
	watched->events |= (what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0;
	int rc = uv_poll_start(&watched->handle, watched->events, on_ready);
	assert(rc == 0);
	return 0;
}

int st_http_poll_new(uv_loop_t *loop, st_http_poll_done_cb done, void *arg,
		     struct st_http_poll **out, struct st_diag *diag)
{
	struct st_http_poll *http_poll = st_alloc(sizeof *http_poll);
	http_poll->done = done;
	http_poll->arg = arg;
	http_poll->multi = curl_multi_init();
	if (http_poll->multi == NULL) {
		st_free(http_poll);
		return st_fail(diag, ST_ERR_IO, "the HTTP library cannot start");
	}
	int rc = uv_timer_init(loop, &http_poll->timer);
	assert(rc == 0);
	http_poll->timer.data = http_poll;
	http_poll->handles = 1;
	(void)curl_multi_setopt(http_poll->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	(void)curl_multi_setopt(http_poll->multi, CURLMOPT_SOCKETDATA, http_poll);
	(void)curl_multi_setopt(http_poll->multi, CURLMOPT_TIMERFUNCTION, on_wanted_timer);
	(void)curl_multi_setopt(http_poll->multi, CURLMOPT_TIMERDATA, http_poll);
	(void)curl_multi_setopt(http_poll->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS_MAX);
	*out = http_poll;
	return ST_OK;
}

bool st_http_poll_add(struct st_http_poll *http_poll, CURL *easy)
{
	return curl_multi_add_handle(http_poll->multi, easy) == CURLM_OK;
}

void st_http_poll_remove(struct st_http_poll *http_poll, CURL *easy)
{
	CURLMcode code = curl_multi_remove_handle(http_poll->multi, easy);
	assert(code == CURLM_OK);
}

static void on_timer_closed(uv_handle_t *handle)
{
	end_close(handle->data);
}

void st_http_poll_close(struct st_http_poll *http_poll, void (*closed)(void *arg), void *arg)
{
	http_poll->closed = closed;
	http_poll->closed_arg = arg;
	(void)curl_multi_cleanup(http_poll->multi);
	http_poll->multi = NULL;
	uv_close((uv_handle_t *)&http_poll->timer, on_timer_closed);
}
