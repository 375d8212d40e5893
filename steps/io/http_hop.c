/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/http_hop.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "schemas/mem.h"
#include "steps/redirect.h"

/*
 * Whether anything was sent is known from on_let_out: curl calls it when a connection stands, TLS
 * included, and before it writes the first byte of the request. If it was not called, nothing of
 * the request left; if it was, it may have.
 *
 * The same callback keeps a request from going out twice. When a kept connection turns out to be
 * dead before any byte of an answer came, curl sends the request again on a new one. The server may
 * well have acted on the first. So only GET and HEAD use kept connections and may be tried again;
 * all else gets a connection of its own, on which curl never retries, and on_let_out would stop it
 * if it did. One handshake per model call is the price; the TLS session is resumed (setting.share).
 *
 * HTTP/1.1 only: with a connection per call there is nothing to multiplex, and the above holds
 * without a thought for GOAWAY and refused streams.
 *
 * Addresses are checked twice: when a socket is opened (after the name was resolved) and in
 * on_let_out, because a kept connection may have been opened by a request that was free to.
 */
#define HEAD_BYTES_MAX ((size_t)64 * 1024)
#define HEAD_LINES_MAX 200
#define REQUEST_HEAD_BYTES_MAX ((size_t)64 * 1024)

static int64_t now(const struct st_http_hop *hop)
{
	return (int64_t)uv_now(hop->setting->loop);
}

/* --- where it may go --- */

static bool refuse(struct st_http_hop *hop, const char *where, const char *why)
{
	(void)snprintf(hop->refusal, sizeof hop->refusal, "%s is %s", where, why);
	return false;
}

static bool may_reach(struct st_http_hop *hop, const struct st_address *address, uint16_t port,
		      const char *where)
{
	const char *why = NULL;
	switch (hop->reach) {
	case ST_HTTP_REACH_ANY:
		return true;
	case ST_HTTP_REACH_LOOPBACK:
		return st_address_is_loopback(address) || refuse(hop, where, "not this machine");
	case ST_HTTP_REACH_UNIX:
		return refuse(hop, where, "not the socket that was meant");
	case ST_HTTP_REACH_GUARDED:
		why = st_guard_refusal(hop->setting->guard, address, port);
		return why == NULL || refuse(hop, where, why);
	}
	return false;
}

static bool may_connect(struct st_http_hop *hop, const struct sockaddr *to, size_t len)
{
	char where[INET6_ADDRSTRLEN] = "";
	struct st_address address;
	if (to->sa_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		struct sockaddr_in in;
		memcpy(&in, to, sizeof in);
		uint8_t bytes[4];
		memcpy(bytes, &in.sin_addr, sizeof bytes);
		address = st_address_v4(bytes);
		(void)inet_ntop(AF_INET, &in.sin_addr, where, sizeof where);
		return may_reach(hop, &address, ntohs(in.sin_port), where);
	}
	if (to->sa_family == AF_INET6 && len >= sizeof(struct sockaddr_in6)) {
		struct sockaddr_in6 in6;
		memcpy(&in6, to, sizeof in6);
		memcpy(address.bytes, &in6.sin6_addr, sizeof address.bytes);
		(void)inet_ntop(AF_INET6, &in6.sin6_addr, where, sizeof where);
		return may_reach(hop, &address, ntohs(in6.sin6_port), where);
	}
	return (to->sa_family == AF_UNIX && hop->reach == ST_HTTP_REACH_UNIX) ||
	       refuse(hop, "the address", "of an unknown kind");
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct st_http_hop *hop = arg;
	if (purpose != CURLSOCKTYPE_IPCXN || !may_connect(hop, &to->addr, to->addrlen)) {
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static int on_let_out(void *arg, char *peer, char *local, int peer_port, int local_port)
{
	(void)local;
	(void)local_port;
	struct st_http_hop *hop = arg;
	if (hop->tries > 0 && !hop->repeatable) {
		hop->spoilt = "the connection died; the request was not sent a second time";
		return CURL_PREREQFUNC_ABORT;
	}
	if (hop->reach != ST_HTTP_REACH_UNIX) {
		struct st_address address;
		if (!st_address_parse(peer, strlen(peer), &address)) {
			(void)refuse(hop, "the peer", "not known by its address");
			return CURL_PREREQFUNC_ABORT;
		}
		if (!may_reach(hop, &address, (uint16_t)peer_port, peer)) {
			return CURL_PREREQFUNC_ABORT;
		}
	}
	hop->tries++;
	hop->moved_at = now(hop);
	return CURL_PREREQFUNC_OK;
}

/* --- what comes back --- */

static void forget_head(struct st_http_hop *hop)
{
	for (size_t i = 0; i < hop->n_answer_headers; i++) {
		st_free(hop->answer_headers[i].name);
		st_free(hop->answer_headers[i].value);
	}
	st_free(hop->answer_headers);
	hop->answer_headers = NULL;
	hop->n_answer_headers = 0;
}

static void take_header(struct st_http_hop *hop, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	if (colon == NULL) {
		return;
	}
	const char *end = line + len;
	const char *value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t')) {
		value++;
	}
	while (end > value && strchr(" \t\r\n", end[-1]) != NULL) {
		end--;
	}
	size_t n = hop->n_answer_headers;
	hop->answer_headers =
	    st_realloc(hop->answer_headers, (n + 1) * sizeof *hop->answer_headers);
	hop->answer_headers[n].name = st_strndup(line, (size_t)(colon - line));
	hop->answer_headers[n].value = st_strndup(value, (size_t)(end - value));
	hop->n_answer_headers = n + 1;
}

/* Called per line: of 1xx answers, of the answer, and of trailers, which are counted and dropped.
 */
static size_t on_head(char *line, size_t one, size_t len, void *arg)
{
	assert(one == 1);
	struct st_http_hop *hop = arg;
	hop->moved_at = now(hop);
	if (hop->first_byte_at < 0) {
		hop->first_byte_at = hop->moved_at;
	}
	hop->head_bytes += len;
	hop->head_lines++;
	/* The status line and the empty line are no headers. */
	if (hop->head_bytes > HEAD_BYTES_MAX || hop->head_lines > HEAD_LINES_MAX + 2) {
		hop->spoilt = "its headers pass 64 KiB or 200 lines";
		hop->too_large = true;
		return 0;
	}
	bool starts = len >= 5 && memcmp(line, "HTTP/", 5) == 0;
	if (starts && (!hop->head_done || hop->status < 200)) {
		long status = 0;
		(void)curl_easy_getinfo(hop->easy, CURLINFO_RESPONSE_CODE, &status);
		forget_head(hop);
		hop->status = (int)status;
		hop->head_done = false;
	} else if (!hop->head_done && (line[0] == '\r' || line[0] == '\n')) {
		hop->head_done = true;
	} else if (!hop->head_done) {
		take_header(hop, line, len);
	}
	return len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
	assert(one == 1);
	struct st_http_hop *hop = arg;
	assert(hop->body_seen <= hop->body_max);
	hop->moved_at = now(hop);
	size_t room = hop->body_max - hop->body_seen;
	size_t taken = len < room ? len : room;
	hop->body_seen += taken;
	if (hop->tap == NULL) {
		st_buf_add(&hop->body, bytes, taken);
	} else if (taken > 0 && !st_redirect_status(hop->status)) {
		hop->tap(hop->tap_arg, bytes, taken);
	}
	if (taken < len) {
		hop->spoilt = "its body passes the limit on answers";
		hop->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return len;
}

/* Only to see upload bytes move; curl calls it far more often than bytes do. */
static int on_progress(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
		       curl_off_t put)
{
	(void)to_get;
	(void)got;
	(void)to_put;
	struct st_http_hop *hop = arg;
	if (put != hop->uploaded) {
		hop->uploaded = put;
		hop->moved_at = now(hop);
	}
	return 0;
}

/* --- what is sent --- */

static bool is_method(const char *method)
{
	static const char *const methods[] = {"GET",   "HEAD",	 "POST",   "PUT",
					      "PATCH", "DELETE", "OPTIONS"};
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		if (strcmp(methods[i], method) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_token(const char *name)
{
	return *name != '\0' && name[strspn(name, "!#$%&'*+-.^_`|~0123456789"
						  "abcdefghijklmnopqrstuvwxyz"
						  "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* These say where a message ends or whom it is for, which is ours to say. */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {"connection",       "content-length",
					   "expect",	       "host",
					   "keep-alive",       "te",
					   "proxy-connection", "proxy-authorization",
					   "trailer",	       "transfer-encoding",
					   "upgrade",	       "http2-settings"};
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
		if (strcasecmp(ours[i], name) == 0) {
			return true;
		}
	}
	return false;
}

int st_http_hop_check(const struct st_http_request *request, struct st_diag *diag)
{
	if (!is_method(request->method)) {
		return st_fail(diag, ST_ERR_INVALID,
			       "the method must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS");
	}
	if (strcmp(request->method, "HEAD") == 0 && request->body != NULL) {
		return st_fail(diag, ST_ERR_INVALID, "a HEAD request has no body");
	}
	size_t bytes = 0;
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct st_http_header *header = &request->headers[i];
		bytes += strlen(header->name) + strlen(header->value) + 4;
		if (!is_token(header->name) || strpbrk(header->value, "\r\n") != NULL) {
			return st_fail(diag, ST_ERR_INVALID, "header %zu is malformed", i + 1);
		}
		if (is_ours(header->name)) {
			return st_fail(diag, ST_ERR_INVALID,
				       "the header \"%.64s\" is set by stint: leave it out",
				       header->name);
		}
	}
	if (bytes > REQUEST_HEAD_BYTES_MAX) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "the headers of the request pass 64 KiB");
	}
	return ST_OK;
}

static void add_header(struct st_http_hop *hop, const char *line)
{
	struct curl_slist *more = curl_slist_append(hop->headers, line);
	assert(more != NULL);
	hop->headers = more;
}

static void set_headers(struct st_http_hop *hop, const struct st_http_request *request)
{
	bool typed = false;
	for (size_t i = 0; i < request->n_headers; i++) {
		const struct st_http_header *header = &request->headers[i];
		struct st_buf line = {0};
		/* curl's spelling of an empty value; "name:" would remove the header. */
		bool empty = header->value[strspn(header->value, " \t")] == '\0';
		st_buf_addf(&line, empty ? "%s;" : "%s: %s", header->name, header->value);
		add_header(hop, line.data);
		st_buf_fini(&line);
		typed = typed || strcasecmp(header->name, "content-type") == 0;
	}
	if (!typed) {
		add_header(hop, "Content-Type:"); /* curl would guess a form */
	}
	add_header(hop, "Expect:"); /* or large bodies wait a second for 100 Continue */
	(void)curl_easy_setopt(hop->easy, CURLOPT_HTTPHEADER, hop->headers);
}

static void set_method(struct st_http_hop *hop, const struct st_http_request *request)
{
	CURL *easy = hop->easy;
	bool has_body = request->body != NULL;
	bool sends = strcmp(request->method, "POST") == 0 || strcmp(request->method, "PUT") == 0 ||
		     strcmp(request->method, "PATCH") == 0;
	if (has_body || sends) {
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				       (curl_off_t)(has_body ? request->body_len : 0));
		(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, has_body ? request->body : "");
	}
	if (strcmp(request->method, "HEAD") == 0) {
		(void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		(void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	}
	hop->repeatable = !has_body && (strcmp(request->method, "GET") == 0 ||
					strcmp(request->method, "HEAD") == 0);
	if (!hop->repeatable) {
		(void)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		(void)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	}
}

/* What we would not do without: false when this libcurl cannot. */
static bool set_bounds(struct st_http_hop *hop, const struct st_http_way *way)
{
	CURL *easy = hop->easy;
	bool ok = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, hop) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_let_out) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQDATA, hop) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK;
	ok = ok && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	/* Or giving up while a name is being resolved would wait for the resolver. */
	ok = ok && curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
	ok = ok &&
	     curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
	if (way->reach == ST_HTTP_REACH_UNIX) {
		ok = ok &&
		     curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, way->unix_path) == CURLE_OK;
	}
	return ok;
}

static void set_callbacks(struct st_http_hop *hop)
{
	CURL *easy = hop->easy;
	(void)curl_easy_setopt(easy, CURLOPT_PRIVATE, hop);
	(void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, hop->curl_error);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
	(void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, hop);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, hop);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(easy, CURLOPT_XFERINFODATA, hop);
	(void)curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static void set_rest(struct st_http_hop *hop, const struct st_http_request *request)
{
	CURL *easy = hop->easy;
	const struct st_http_setting *setting = hop->setting;
	long connect_ms = request->connect_ms < INT32_MAX ? (long)request->connect_ms : INT32_MAX;
	(void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	(void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	(void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
	(void)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(easy, CURLOPT_USERAGENT, setting->user_agent);
	(void)curl_easy_setopt(easy, CURLOPT_SHARE, setting->share);
	if (setting->ca_file != NULL) {
		(void)curl_easy_setopt(easy, CURLOPT_CAINFO, setting->ca_file);
	}
	(void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
}

int st_http_hop_init(struct st_http_hop *hop, const struct st_http_setting *setting,
		     const struct st_http_request *request, const struct st_http_way *way,
		     struct st_diag *diag)
{
	assert((way->reach == ST_HTTP_REACH_UNIX) == (way->unix_path != NULL));
	*hop = (struct st_http_hop){.setting = setting, .reach = way->reach, .first_byte_at = -1};
	hop->body_max = request->response_bytes_max;
	hop->easy = curl_easy_init();
	if (hop->easy == NULL || !set_bounds(hop, way)) {
		st_http_hop_fini(hop);
		return st_fail(diag, ST_ERR_IO, "the HTTP library lacks an option that is needed");
	}
	set_callbacks(hop);
	set_method(hop, request);
	set_headers(hop, request);
	set_rest(hop, request);
	return ST_OK;
}

void st_http_hop_fini(struct st_http_hop *hop)
{
	if (hop->easy != NULL) {
		curl_easy_cleanup(hop->easy);
	}
	curl_slist_free_all(hop->headers);
	forget_head(hop);
	st_buf_fini(&hop->body);
	*hop = (struct st_http_hop){.easy = NULL};
}

/* --- how it ended --- */

static const char *reason(const struct st_http_hop *hop, CURLcode code)
{
	if (hop->spoilt != NULL) {
		return hop->spoilt;
	}
	if (code == CURLE_OK) {
		return "it ended before its headers did";
	}
	return hop->curl_error[0] != '\0' ? hop->curl_error : curl_easy_strerror(code);
}

/* What curl says may quote what the server sent. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e) {
			*text = '?';
		}
	}
}

enum st_transport st_http_hop_end(const struct st_http_hop *hop, CURLcode code, bool sent_before,
				  char error[256])
{
	error[0] = '\0';
	if (code == CURLE_OK && hop->head_done && hop->status >= 200) {
		return ST_TRANSPORT_ANSWERED;
	}
	enum st_transport transport = ST_TRANSPORT_LOST;
	if (hop->too_large) {
		transport = ST_TRANSPORT_TOO_LARGE;
		(void)snprintf(error, 256, "the answer was cut: %s", hop->spoilt);
	} else if (hop->tries == 0 && hop->refusal[0] != '\0') {
		transport = ST_TRANSPORT_NOT_SENT;
		(void)snprintf(error, 256,
			       "nothing was sent: %s, which is out of bounds; see outgoing.allow "
			       "in the config",
			       hop->refusal);
	} else if (hop->tries == 0) {
		transport = ST_TRANSPORT_NOT_SENT;
		(void)snprintf(error, 256, "nothing was sent: %.200s", reason(hop, code));
	} else {
		bool late = code == CURLE_OPERATION_TIMEDOUT;
		transport = late ? ST_TRANSPORT_TIMED_OUT : ST_TRANSPORT_LOST;
		(void)snprintf(error, 256, "the answer was lost: %.200s", reason(hop, code));
	}
	if (transport == ST_TRANSPORT_NOT_SENT && sent_before) {
		transport = ST_TRANSPORT_LOST;
		(void)snprintf(error, 256, "the redirect led nowhere: %.200s",
			       hop->refusal[0] != '\0' ? hop->refusal : reason(hop, code));
	}
	make_printable(error);
	return transport;
}

void st_http_hop_take(struct st_http_hop *hop, struct st_http_response *response)
{
	/* A head that was cut is no answer, whatever its first line says. */
	response->status = hop->too_large && !hop->head_done ? 0 : hop->status;
	response->headers = hop->answer_headers;
	response->n_headers = hop->n_answer_headers;
	hop->answer_headers = NULL;
	hop->n_answer_headers = 0;
	response->body_len = hop->body.len;
	response->body = st_buf_take(&hop->body);
}

const char *st_http_hop_answer_header(const struct st_http_hop *hop, const char *name)
{
	for (size_t i = 0; i < hop->n_answer_headers; i++) {
		if (strcasecmp(hop->answer_headers[i].name, name) == 0) {
			return hop->answer_headers[i].value;
		}
	}
	return NULL;
}

int st_http_hop_resolve(const char *base, const char *location, char **out, struct st_diag *diag)
{
	CURLU *url = curl_url();
	assert(url != NULL);
	char *text = NULL;
	bool ok = curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
		  curl_url_set(url, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK &&
		  curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
		  curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
	if (ok) {
		*out = st_strdup(text);
	}
	curl_free(text);
	curl_url_cleanup(url);
	return ok ? ST_OK : st_fail(diag, ST_ERR_INVALID, "its Location is no URL");
}
