/* SPDX-License-Identifier: Apache-2.0 */
/* How is one request sent to one place, and how far did it get? Private to the HTTP client. */
#ifndef ST_STEPS_IO_HTTP_HOP_H
#define ST_STEPS_IO_HTTP_HOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <uv.h>

#include "schemas/buf.h"
#include "schemas/call.h"
#include "schemas/err.h"
#include "steps/guard.h"
#include "steps/url.h"

/* Where a connection may go. */
enum st_http_reach {
	ST_HTTP_REACH_ANY,
	ST_HTTP_REACH_GUARDED,
	ST_HTTP_REACH_LOOPBACK,
	ST_HTTP_REACH_UNIX,
};

struct st_http_way {
	enum st_http_reach reach;
	const char *unix_path; /* with ST_HTTP_REACH_UNIX, else NULL */
};

/* What all hops of a client have in common. Borrowed by them. */
struct st_http_setting {
	uv_loop_t *loop;
	struct st_guard *guard;
	CURLSH *share;
	char *user_agent;
	char *ca_file;
};

/* One request to one URL. Its address must not change while curl has it. */
struct st_http_hop {
	const struct st_http_setting *setting;
	enum st_http_reach reach;
	CURL *easy;
	struct curl_slist *headers;
	bool repeatable;    /* a second try on a fresh connection is harmless */
	int tries;	    /* times that the request was let out */
	char refusal[96];   /* why the guard let nothing out, or "" */
	const char *spoilt; /* why we broke it off, or NULL; a literal */
	bool too_large;
	char curl_error[CURL_ERROR_SIZE];

	int64_t first_byte_at; /* loop time, -1: none */
	int64_t moved_at;      /* loop time of the last byte either way */
	curl_off_t uploaded;

	int status;
	bool head_done; /* the empty line after the last header was seen */
	size_t head_bytes;
	size_t head_lines;
	struct st_http_header *answer_headers;
	size_t n_answer_headers;
	struct st_buf body;
	size_t body_seen;
	size_t body_max;
	void (*tap)(void *arg, const char *bytes, size_t len);
	void *tap_arg;
};

/* May this request be sent at all: method, headers, sizes? A pure check. */
int st_http_hop_check(const struct st_http_request *request, struct st_diag *diag);
/* Makes hop->easy ready to be added. Keeps setting and request until _fini. ST_ERR_IO when the
 * library lacks an option that we depend on; hop is then as after _fini. */
int st_http_hop_init(struct st_http_hop *hop, const struct st_http_setting *setting,
		     const struct st_http_request *request, const struct st_http_way *way,
		     struct st_diag *diag);
void st_http_hop_fini(struct st_http_hop *hop);

/* What curl's end of the transfer means. sent_before: an earlier hop of the same call went out.
 * Fills error, "" when ANSWERED. */
enum st_transport st_http_hop_end(const struct st_http_hop *hop, CURLcode code, bool sent_before,
				  char error[256]);
/* Moves what was received into response. */
void st_http_hop_take(struct st_http_hop *hop, struct st_http_response *response);
const char *st_http_hop_answer_header(const struct st_http_hop *hop, const char *name);
/* Makes a Location absolute; gives it in *out. */
int st_http_hop_resolve(const char *base, const char *location, char **out, struct st_diag *diag);

#endif
