/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/pump.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

enum {
	READ_BYTES = 64 * 1024,		   /* what a pipe holds by default */
	DRAIN_BYTES_MAX = 2 * 1024 * 1024, /* twice what a pipe can be made to hold */
	FLOOD_PAUSE_MS_MIN = 2,
	FLOOD_PAUSE_MS_MAX = 100,
	FLOOD_PAUSE_FACTOR = 4, /* pause so many times as long as the read and its scan took */
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void take(struct st_pump *pump, struct st_clean *clean)
{
	if (clean != NULL) {
		st_tail_add(pump->tail, st_clean_text(clean), st_clean_len(clean));
		st_clean_free(clean);
	}
}

/* Reads once. False when there was nothing or the pipe has ended. */
static bool read_once(struct st_pump *pump)
{
	char bytes[READ_BYTES];
	ssize_t n = 0;
	do {
		n = read(pump->fd, bytes, sizeof bytes);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		pump->ended = n == 0 || errno != EAGAIN;
		return false;
	}
	*pump->seen += n;
	take(pump, st_redact_stream_write(pump->stream, bytes, (size_t)n));
	return true;
}

static void on_pause_over(uv_timer_t *timer)
{
	struct st_pump *pump = timer->data;
	int rc = uv_poll_start(&pump->poll, UV_READABLE, on_readable);
	assert(rc == 0);
}

/*
 * One read a turn, so that a loud job does not starve the loop. Past flood_bytes there is a pause
 * after each read: nobody will see the middle of this output, and scanning it at full speed would
 * only take the processor away from those who do useful work.
 */
static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct st_pump *pump = poll->data;
	uint64_t before_ns = uv_hrtime();
	(void)events;
	(void)read_once(pump);
	if (pump->ended || status < 0) {
		(void)uv_poll_stop(poll);
		return;
	}
	if (*pump->seen <= pump->flood_bytes) {
		return;
	}
	uint64_t pause_ms = (uv_hrtime() - before_ns) * FLOOD_PAUSE_FACTOR / 1000000;
	pause_ms = pause_ms < FLOOD_PAUSE_MS_MIN ? FLOOD_PAUSE_MS_MIN : pause_ms;
	pause_ms = pause_ms > FLOOD_PAUSE_MS_MAX ? FLOOD_PAUSE_MS_MAX : pause_ms;
	(void)uv_poll_stop(poll);
	(void)uv_timer_start(&pump->pause, on_pause_over, pause_ms, 0);
}

int st_pump_start(struct st_pump *pump, uv_loop_t *loop, int fd, const struct st_redactor *redactor)
{
	assert(pump->tail != NULL);
	assert(pump->seen != NULL);
	int rc = uv_poll_init(loop, &pump->poll, fd);
	if (rc < 0) {
		return rc;
	}
	(void)uv_timer_init(loop, &pump->pause);
	pump->fd = fd;
	pump->ended = false;
	pump->poll.data = pump;
	pump->pause.data = pump;
	pump->stream = st_redact_stream_open(redactor);
	rc = uv_poll_start(&pump->poll, UV_READABLE, on_readable);
	assert(rc == 0);
	return 0;
}

void st_pump_finish(struct st_pump *pump)
{
	(void)uv_poll_stop(&pump->poll);
	(void)uv_timer_stop(&pump->pause);
	int64_t stop_at = *pump->seen + DRAIN_BYTES_MAX;
	while (!pump->ended && *pump->seen < stop_at && read_once(pump)) {
	}
	take(pump, st_redact_stream_close(pump->stream));
	pump->stream = NULL;
}

void st_pump_close(struct st_pump *pump, uv_close_cb on_close)
{
	assert(pump->stream == NULL);
	uv_close((uv_handle_t *)&pump->poll, on_close);
	uv_close((uv_handle_t *)&pump->pause, on_close);
}
