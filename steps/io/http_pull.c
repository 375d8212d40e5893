/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/http_pull.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schemas/mem.h"
#include "steps/guard.h"

#define CONNECT_MS 30000L
#define IDLE_SECONDS 60L
#define HEAD_BYTES_MAX 65536

struct st_http_pull {
	struct st_http_pull_options options;
	CURL *easy;
	char refusal[96];
	char curl_error[CURL_ERROR_SIZE];
	/* of the request in hand */
	const struct st_http_pull_request *request;
	struct st_http_pull_answer *answer;
	int64_t sent;
	size_t head_bytes;
	bool stopped;
	bool too_large;
	int failed_errno;
};

static bool address_of(const struct sockaddr *from, size_t len, struct st_address *out,
		       uint16_t *port)
{
	if (from->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		uint8_t bytes[4];
		memcpy(&in, from, sizeof in);
		memcpy(bytes, &in.sin_addr, sizeof bytes);
		*out = st_address_v4(bytes);
		*port = ntohs(in.sin_port);
		return true;
	}
	if (from->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		memcpy(&in6, from, sizeof in6);
		memcpy(out->bytes, &in6.sin6_addr, sizeof out->bytes);
		*port = ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct st_http_pull *pull = arg;
	struct st_address address;
	uint16_t port = 0;
	const char *why = "an address of an unknown kind";
	if (purpose == CURLSOCKTYPE_IPCXN && address_of(&to->addr, to->addrlen, &address, &port)) {
		why = st_guard_refusal(pull->options.guard, &address, port);
	}
	if (why != NULL) {
		(void)snprintf(pull->refusal, sizeof pull->refusal, "%s", why);
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A POST is let out once; curl would send it again when a connection dies early. */
static int on_let_out(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	struct st_http_pull *pull = arg;
	if (pull->answer->let_out && pull->request->body_fd >= 0) {
		return CURL_PREREQFUNC_ABORT;
	}
	pull->answer->let_out = true;
	return CURL_PREREQFUNC_OK;
}

static size_t on_send(char *to, size_t size, size_t n, void *arg)
{
	struct st_http_pull *pull = arg;
	ssize_t got = pread(pull->request->body_fd, to, size * n, (off_t)pull->sent);
	if (got < 0) {
		pull->failed_errno = errno;
		return CURL_READFUNC_ABORT;
	}
	pull->sent += got;
	return (size_t)got;
}

static size_t on_head(char *line, size_t one, size_t len, void *arg)
{
	(void)line;
	struct st_http_pull *pull = arg;
	pull->head_bytes += one * len;
	pull->too_large = pull->too_large || pull->head_bytes > HEAD_BYTES_MAX;
	return pull->too_large ? 0 : one * len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
	assert(one == 1);
	struct st_http_pull *pull = arg;
	if (pull->answer->bytes + (int64_t)len > pull->request->answer_bytes_max) {
		pull->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	for (size_t done = 0; done < len;) {
		ssize_t n = write(pull->request->answer_fd, bytes + done, len - done);
		if (n < 0) {
			pull->failed_errno = errno;
			return CURL_WRITEFUNC_ERROR;
		}
		done += (size_t)n;
	}
	pull->answer->bytes += (int64_t)len;
	return len;
}

static int on_progress(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
		       curl_off_t put)
{
	(void)to_get;
	(void)got;
	(void)to_put;
	(void)put;
	struct st_http_pull *pull = arg;
	pull->stopped = pull->stopped || pull->options.stopped(pull->options.arg);
	return pull->stopped ? 1 : 0;
}

struct st_http_pull *st_http_pull_new(const struct st_http_pull_options *options)
{
	struct st_http_pull *pull = st_alloc(sizeof *pull);
	pull->options = *options;
	pull->easy = curl_easy_init();
	assert(pull->easy != NULL);
	return pull;
}

void st_http_pull_free(struct st_http_pull *pull)
{
	if (pull != NULL) {
		curl_easy_cleanup(pull->easy);
		st_free(pull);
	}
}

static void set_up(struct st_http_pull *pull, struct curl_slist *headers)
{
	CURL *easy = pull->easy;
	const struct st_http_pull_request *request = pull->request;
	curl_easy_reset(easy); /* keeps its connections */
	(void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
	(void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	(void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, IDLE_SECONDS);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, pull->options.user_agent);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, pull->curl_error);
	(void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	if (pull->options.password != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		(void)curl_easy_setopt(easy, CURLOPT_USERNAME, pull->options.user);
		(void)curl_easy_setopt(easy, CURLOPT_PASSWORD, pull->options.password);
	}
	if (request->body_fd >= 0) {
		(void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)request->body_bytes);
		(void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
		(void)curl_easy_setopt(easy, CURLOPT_READDATA, pull);
		(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	(void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, pull);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_let_out);
	(void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, pull);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, pull);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, pull);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, pull);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static int failure(const struct st_http_pull *pull, CURLcode code, struct st_diag *diag)
{
	if (pull->stopped) {
		return st_fail(diag, ST_ERR_CANCELLED, "it was given up");
	}
	if (pull->refusal[0] != '\0') {
		return st_fail(diag, ST_ERR_FORBIDDEN,
			       "the server is at %s, which no step may reach; see \"outgoing\" in "
			       "the config",
			       pull->refusal);
	}
	if (pull->too_large) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "the answer passes %lld bytes",
			       (long long)pull->request->answer_bytes_max);
	}
	if (pull->failed_errno != 0) {
		return st_fail(diag, ST_ERR_IO, "what goes and comes could not be kept: %s",
			       strerror(pull->failed_errno));
	}
	return st_fail(diag, ST_ERR_NET, "%.200s",
		       pull->curl_error[0] != '\0' ? pull->curl_error : curl_easy_strerror(code));
}

int st_http_pull_send(struct st_http_pull *pull, const struct st_http_pull_request *request,
		      struct st_http_pull_answer *out, struct st_diag *diag)
{
	*out = (struct st_http_pull_answer){0};
	pull->request = request;
	pull->answer = out;
	pull->sent = 0;
	pull->head_bytes = 0;
	pull->too_large = false;
	pull->failed_errno = 0;
	pull->refusal[0] = '\0';
	pull->curl_error[0] = '\0';
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
	for (const char *const *line = request->headers; *line != NULL; line++) {
		headers = curl_slist_append(headers, *line);
	}
	set_up(pull, headers);
	CURLcode code = curl_easy_perform(pull->easy);
	long status = 0;
	char *type = NULL;
	(void)curl_easy_getinfo(pull->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(pull->easy, CURLINFO_CONTENT_TYPE, &type);
	out->status = (int)status;
	(void)snprintf(out->content_type, sizeof out->content_type, "%s", type != NULL ? type : "");
	out->whole = code == CURLE_OK;
	curl_slist_free_all(headers);
	return out->whole ? ST_OK : failure(pull, code, diag);
}
