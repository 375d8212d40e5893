/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stint serve: the daemon.
 *
 *   start ──▶ ready ──▶ SIGTERM: draining ──▶ exit 0
 *                  └──▶ the store fails: every request 503 for a moment ──▶ exit 5
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "orchestrator/io/api.h"
#include "orchestrator/io/cli.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/log.h"
#include "schemas/buf.h"

#define LISTEN_DEFAULT "127.0.0.1:7420"
#define GRACE_MS 20000
#define DOOM_MS 500 /* how long clients are told that the store failed */

struct serve {
	uv_loop_t loop;
	struct st_engine *engine;
	struct st_api_server *api;
	uv_signal_t on_term;
	uv_signal_t on_int;
	uv_timer_t doom;
	int open; /* of engine and API */
	bool stopping;
	int code;
};

/* Tells systemd, when it wants to be told (see sd_notify(3)). */
static void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (path == NULL || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof to.sun_path) {
		return;
	}
	memcpy(to.sun_path, path, strlen(path));
	if (path[0] == '@') {
		to.sun_path[0] = '\0';
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return;
	}
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to, len) < 0) {
		st_log(ST_LOG_WARNING, "notify.failed", "$NOTIFY_SOCKET cannot be told");
	}
	(void)close(fd);
}

static void on_part_closed(void *arg)
{
	struct serve *serve = arg;
	if (--serve->open > 0) {
		return;
	}
	uv_close((uv_handle_t *)&serve->on_term, NULL);
	uv_close((uv_handle_t *)&serve->on_int, NULL);
	uv_close((uv_handle_t *)&serve->doom, NULL);
}

static void stop(struct serve *serve, int64_t grace_ms)
{
	serve->stopping = true;
	notify("STOPPING=1");
	if (serve->api != NULL) {
		st_api_close(serve->api, on_part_closed, serve);
	}
	st_engine_close(serve->engine, grace_ms, on_part_closed, serve);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct serve *serve = handle->data;
	if (serve->stopping) {
		_exit(128 + signum); /* asked twice: now */
	}
	st_log(ST_LOG_INFO, "daemon.stopping",
	       "signal %d: no new call; calls in flight get %d s to end", signum, GRACE_MS / 1000);
	stop(serve, GRACE_MS);
}

static void on_doom(uv_timer_t *timer)
{
	struct serve *serve = timer->data;
	if (!serve->stopping) {
		stop(serve, 0);
	}
}

static void on_store_failure(void *arg)
{
	struct serve *serve = arg;
	serve->code = ST_EXIT_UNREACHABLE;
	if (serve->api != NULL && !serve->stopping) {
		st_api_fail(serve->api);
	}
	(void)uv_timer_start(&serve->doom, on_doom, DOOM_MS, 0);
}

static void add_signal(struct serve *serve, uv_signal_t *handle, int signum)
{
	(void)uv_signal_init(&serve->loop, handle);
	handle->data = serve;
	(void)uv_signal_start(handle, on_signal, signum);
}

static int start(struct serve *serve, const struct st_cli *cli, struct st_diag *diag)
{
	const char *listen = st_cli_get(cli, "listen");
	const struct st_engine_options options = {
	    .loop = &serve->loop,
	    .store_uri = st_cli_get(cli, "store"),
	    .config_path = st_cli_get(cli, "config"),
	    .record_path = st_cli_get(cli, "record"),
	    .accept_clock = st_cli_has(cli, "accept-clock"),
	};
	int err = st_engine_new(&options, &serve->engine, diag);
	if (err != ST_OK) {
		return err;
	}
	(void)uv_timer_init(&serve->loop, &serve->doom);
	serve->doom.data = serve;
	add_signal(serve, &serve->on_term, SIGTERM);
	add_signal(serve, &serve->on_int, SIGINT);
	serve->open = 1;
	st_engine_on_failure(serve->engine, on_store_failure, serve);
	const struct st_api_options api = {
	    .loop = &serve->loop,
	    .engine = serve->engine,
	    .store_uri = options.store_uri,
	    .listen = listen != NULL ? listen : LISTEN_DEFAULT,
	};
	err = st_api_new(&api, &serve->api, diag);
	if (err != ST_OK) {
		stop(serve, 0);
		return err;
	}
	serve->open = 2;
	return ST_OK;
}

static void say_ready(const struct serve *serve, const char *store)
{
	struct st_buf line = {0};
	const char *url = st_api_url(serve->api);
	st_buf_add_text(&line, "{\"event\":\"ready\",\"url\":");
	st_buf_add_json_string(&line, url, strlen(url));
	st_buf_add_text(&line, ",\"store\":");
	st_buf_add_json_string(&line, store, strlen(store));
	st_buf_addf(&line, ",\"pid\":%ld}\n", (long)getpid());
	(void)fputs(line.data, stdout);
	(void)fflush(stdout);
	st_buf_fini(&line);
	notify("READY=1");
	st_log(ST_LOG_INFO, "daemon.ready", "%s", url);
}

int st_cli_serve(struct st_cli *cli)
{
	struct serve serve = {.code = ST_EXIT_DONE};
	struct st_diag diag = {0};
	const char *store = st_cli_get(cli, "store");
	if (store == NULL) {
		return st_cli_usage(cli, "which store? give --store sqlite:PATH");
	}
	(void)uv_loop_init(&serve.loop);
	if (start(&serve, cli, &diag) == ST_OK) {
		say_ready(&serve, store);
	} else {
		serve.code = st_cli_fail(cli, &diag);
	}
	(void)uv_run(&serve.loop, UV_RUN_DEFAULT);
	int busy = uv_loop_close(&serve.loop);
	assert(busy == 0);
	return serve.code;
}
