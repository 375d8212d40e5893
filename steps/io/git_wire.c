/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git over HTTP, carried by our own client rather than by libgit2's: it looks at each address
 * before it connects, follows no redirect, has time limits, can be given up, and tells whether
 * anything was sent. Requests and answers pass through files without a name, so their size costs no
 * memory.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <git2/sys/transport.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/io/git_work.h"
#include "steps/io/http_pull.h"

#define LIST_BYTES_MAX (INT64_C(64) << 20)
#define REPORT_BYTES_MAX (INT64_C(4) << 20)

struct wire {
	git_smart_subtransport base;
	struct st_git_work *work;
	struct st_http_pull *pull;
};

struct stream {
	git_smart_subtransport_stream base;
	struct st_git_work *work;
	struct st_http_pull *pull;
	git_smart_service_t service;
	char *url;
	int body_fd;
	int64_t body_bytes;
	int answer_fd; /* -1: not asked yet */
};

struct service {
	const char *path;
	const char *type; /* of the request; NULL: a GET */
	const char *answer;
	int64_t answer_bytes_max; /* 0: the operator's */
};

static const struct service services[] = {
    [GIT_SERVICE_UPLOADPACK_LS] = {"/info/refs?service=git-upload-pack", NULL,
				   "application/x-git-upload-pack-advertisement", LIST_BYTES_MAX},
    [GIT_SERVICE_UPLOADPACK] = {"/git-upload-pack",
				"Content-Type: application/x-git-upload-pack-request",
				"application/x-git-upload-pack-result", 0},
    [GIT_SERVICE_RECEIVEPACK_LS] = {"/info/refs?service=git-receive-pack", NULL,
				    "application/x-git-receive-pack-advertisement", LIST_BYTES_MAX},
    [GIT_SERVICE_RECEIVEPACK] = {"/git-receive-pack",
				 "Content-Type: application/x-git-receive-pack-request",
				 "application/x-git-receive-pack-result", REPORT_BYTES_MAX},
};

static int temporary(struct st_git_work *work)
{
	int fd = open(work->space, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) {
		(void)st_git_refuse(work, "git.io", "no place for what goes and comes: %s",
				    strerror(errno));
	}
	return fd;
}

static int wrong_status(struct st_git_work *work, int status)
{
	if (status == 401 || status == 403) {
		return st_git_refuse(work, "git.unauthorized",
				     "the server answered %d: it does not let this %s in", status,
				     work->spec.token != NULL ? "token" : "call, without a token,");
	}
	if (status >= 300 && status <= 399) {
		return st_git_refuse(work, "git.redirect",
				     "the server answered %d: give the URL that it sends to",
				     status);
	}
	work->result.retryable = status == 429 || status >= 500;
	return st_git_refuse(work, "git.status", "the server answered %d%s", status,
			     status == 404 ? ": no such repository, or none that this call may see"
					   : "");
}

/* A push that got no answer of its own may have happened: whoever stands between us and the server
 * says nothing about it. 4xx is said by who did not let it in. */
static int judge(struct stream *stream, int rc, const struct st_http_pull_answer *answer,
		 const struct st_diag *diag)
{
	struct st_git_work *work = stream->work;
	const struct service *service = &services[stream->service];
	bool push = stream->service == GIT_SERVICE_RECEIVEPACK;
	bool refused = answer->whole && answer->status >= 300 && answer->status <= 499;
	work->asked = work->asked || answer->let_out;
	work->pushing = push && answer->let_out && !refused;
	if (rc != ST_OK) {
		work->result.retryable = rc == ST_ERR_NET;
		return rc == ST_ERR_CANCELLED && st_git_stopped(work)
			   ? -1
			   : st_git_refuse(work,
					   rc == ST_ERR_FORBIDDEN ? "git.guard" : "git.network",
					   "%s", diag->text);
	}
	if (answer->status != 200) {
		return wrong_status(work, answer->status);
	}
	if (strcmp(answer->content_type, service->answer) != 0) {
		return st_git_refuse(work, "git.protocol",
				     "there is no git server that speaks smart HTTP at this URL");
	}
	return 0;
}

static int ask(struct stream *stream)
{
	struct st_git_work *work = stream->work;
	const struct service *service = &services[stream->service];
	char accept[128];
	(void)snprintf(accept, sizeof accept, "Accept: %s", service->answer);
	const char *const headers[] = {accept, service->type, NULL};
	stream->answer_fd = temporary(work);
	if (stream->answer_fd < 0 || st_git_stopped(work)) {
		return -1;
	}
	const struct st_http_pull_request request = {
	    .url = stream->url,
	    .headers = headers,
	    .body_fd = stream->body_fd,
	    .body_bytes = stream->body_bytes,
	    .answer_fd = stream->answer_fd,
	    .answer_bytes_max = service->answer_bytes_max > 0 ? service->answer_bytes_max
							      : work->options->bytes_max,
	};
	struct st_http_pull_answer answer;
	struct st_diag diag = {0};
	int rc = st_http_pull_send(stream->pull, &request, &answer, &diag);
	rc = judge(stream, rc, &answer, &diag);
	if (rc == 0 && lseek(stream->answer_fd, 0, SEEK_SET) != 0) {
		rc = st_git_refuse(work, "git.io", "the answer cannot be read");
	}
	return rc;
}

static int stream_read(git_smart_subtransport_stream *base, char *buffer, size_t size, size_t *got)
{
	struct stream *stream = (struct stream *)base;
	if (stream->answer_fd < 0 && ask(stream) != 0) {
		return -1;
	}
	ssize_t n = read(stream->answer_fd, buffer, size);
	if (n < 0) {
		return st_git_refuse(stream->work, "git.io", "the answer cannot be read: %s",
				     strerror(errno));
	}
	*got = (size_t)n;
	return 0;
}

static int stream_write(git_smart_subtransport_stream *base, const char *bytes, size_t len)
{
	struct stream *stream = (struct stream *)base;
	struct st_git_work *work = stream->work;
	if (stream->body_fd < 0) {
		stream->body_fd = temporary(work);
	}
	if (stream->body_fd < 0 || st_git_stopped(work)) {
		return -1;
	}
	if (stream->body_bytes + (int64_t)len > work->options->bytes_max) {
		return st_git_refuse(work, "git.too_large", "what is to be sent passes %lld bytes",
				     (long long)work->options->bytes_max);
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = write(stream->body_fd, bytes + done, len - done);
		if (n < 0) {
			return st_git_refuse(work, "git.io", "what is to be sent was not kept: %s",
					     strerror(errno));
		}
		done += (size_t)n;
	}
	stream->body_bytes += (int64_t)len;
	return 0;
}

static void stream_free(git_smart_subtransport_stream *base)
{
	struct stream *stream = (struct stream *)base;
	if (stream->body_fd >= 0) {
		(void)close(stream->body_fd);
	}
	if (stream->answer_fd >= 0) {
		(void)close(stream->answer_fd);
	}
	st_free(stream->url);
	st_free(stream);
}

static int wire_action(git_smart_subtransport_stream **out, git_smart_subtransport *base,
		       const char *url, git_smart_service_t service)
{
	struct wire *wire = (struct wire *)base;
	struct st_buf full = {0};
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/') {
		len--;
	}
	st_buf_add(&full, url, len);
	st_buf_add_text(&full, services[service].path);
	struct stream *stream = st_alloc(sizeof *stream);
	stream->base = (git_smart_subtransport_stream){
	    .subtransport = base, .read = stream_read, .write = stream_write, .free = stream_free};
	stream->work = wire->work;
	stream->pull = wire->pull;
	stream->service = service;
	stream->url = st_buf_take(&full);
	stream->body_fd = -1;
	stream->answer_fd = -1;
	*out = &stream->base;
	return 0;
}

static int wire_close(git_smart_subtransport *base)
{
	(void)base;
	return 0;
}

static void wire_free(git_smart_subtransport *base)
{
	struct wire *wire = (struct wire *)base;
	st_http_pull_free(wire->pull);
	st_free(wire);
}

static bool is_stopped(void *arg)
{
	return st_git_stopped(arg);
}

static int make_wire(git_smart_subtransport **out, git_transport *owner, void *arg)
{
	(void)owner;
	struct st_git_work *work = arg;
	struct wire *wire = st_alloc(sizeof *wire);
	const struct st_http_pull_options options = {
	    .guard = work->guard,
	    .user_agent = work->user_agent,
	    .user = work->spec.user != NULL ? work->spec.user : "x-access-token",
	    .password = work->spec.token,
	    .stopped = is_stopped,
	    .arg = work,
	};
	wire->base =
	    (git_smart_subtransport){.action = wire_action, .close = wire_close, .free = wire_free};
	wire->work = work;
	wire->pull = st_http_pull_new(&options);
	*out = &wire->base;
	return 0;
}

/* There is no other way out than these two: no ssh, no git://, no helper program. */
int st_git_wire_new(git_transport **out, git_remote *owner, void *arg)
{
	git_smart_subtransport_definition definition = {
	    .callback = make_wire, .rpc = 1, .param = arg};
	const char *url = git_remote_url(owner);
	if (url != NULL && url[0] == '/') {
		return git_transport_local(out, owner, NULL);
	}
	return git_transport_smart(out, owner, &definition);
}
