/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.request: any HTTP call that a run wants to make. Its URL comes from a definition or from a
 * tool's output, so that it always passes the outgoing guard.
 *
 * What happens after an answer that does not tell whether the request took effect (a 5xx, or none)
 * depends on the request. Without a side effect it is a failure that may be tried again. With one
 * it is UNKNOWN: one that may be repeated is sent again under the same Idempotency-Key, and any
 * other stays in doubt until somebody says what happened.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/kind_rows.h"
#include "steps/outgoing.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"
#include "steps/url.h"

#define TIMEOUT_MS INT64_C(60000)
#define REDIRECTS_MAX 5
#define HEADERS_MAX 64
#define HEADER_BYTES_MAX 8192
#define STATUSES_MAX 32
#define BODY_BYTES_MAX ((size_t)1048576)
#define ANSWER_BYTES_DEFAULT 1048576
#define ANSWER_BYTES_MAX 16777216
#define HEADER_CHARS_MAX 2048

struct call {
	const char *method;
	const char *url;
	const json_t *headers;
	const json_t *body;
	const json_t *expect_status;
	int64_t bytes_max;
	bool idempotent; /* with side effects: repeating it changes nothing more */
	bool dangerous;
	bool reads; /* no side effect */
};

static const char *const METHODS[] = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"};

static bool text_equals(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool headers_equal(const char *a, const char *b)
{
	for (; *a != '\0'; a++, b++) {
		char lower = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
		if (lower != *b) {
			return false;
		}
	}
	return *b == '\0';
}

/* Set by the transport or by us: whoever could set them could split a request or take on another
 * run's name. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {
	    "host",
	    "content-length",
	    "transfer-encoding",
	    "connection",
	    "expect",
	    "upgrade",
	    "te",
	    "trailer",
	    "keep-alive",
	    "proxy-connection",
	    "forwarded",
	    "proxy-authorization",
	    "idempotency-key",
	};
	for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
		if (headers_equal(name, reserved[i])) {
			return true;
		}
	}
	char prefix[9];
	(void)snprintf(prefix, sizeof prefix, "%s", name);
	return headers_equal(prefix, "x-stint-");
}

static bool is_header_name(const char *name)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t len = strspn(name, allowed);
	return len > 0 && len <= 128 && name[len] == '\0';
}

static bool is_header_value(const json_t *value)
{
	size_t len = json_string_length(value);
	const char *text = json_string_value(value);
	if (text == NULL || len > HEADER_BYTES_MAX) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == 0x7f || (c < 0x20 && c != '\t')) {
			return false;
		}
	}
	return true;
}

static void read_headers(struct st_param_reader *reader, struct call *out)
{
	out->headers = st_param_value(reader, "headers");
	if (out->headers != NULL &&
	    (!json_is_object(out->headers) || json_object_size(out->headers) > HEADERS_MAX)) {
		(void)st_param_fail(reader, "/headers",
				    "\"headers\" must be an object of at most %d texts",
				    HEADERS_MAX);
		return;
	}
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)out->headers, name, value)
	{
		if (!is_header_name(name)) {
			(void)st_param_fail(reader, "/headers", "a header's name is not valid");
		} else if (is_reserved(name)) {
			(void)st_param_fail(reader, "/headers",
					    "the header \"%s\" is not a step's to set", name);
		} else if (!is_header_value(value)) {
			(void)st_param_fail(reader, "/headers",
					    "the header \"%s\" must be a text of at most %d bytes "
					    "without control characters",
					    name, HEADER_BYTES_MAX);
		}
	}
}

static void read_statuses(struct st_param_reader *reader, struct call *out)
{
	const json_t *statuses = st_param_value(reader, "expect_status");
	size_t n = json_array_size(statuses);
	bool fits = statuses == NULL || (json_is_array(statuses) && n > 0 && n <= STATUSES_MAX);
	for (size_t i = 0; fits && i < n; i++) {
		const json_t *status = json_array_get(statuses, i);
		fits = st_param_is_open(reader, status) ||
		       (json_is_integer(status) && json_integer_value(status) >= 100 &&
			json_integer_value(status) <= 599);
	}
	if (!fits) {
		(void)st_param_fail(reader, "/expect_status",
				    "\"expect_status\" must be an array of 1 to %d integers from "
				    "100 to 599",
				    STATUSES_MAX);
	}
	out->expect_status = statuses;
}

static void read_method(struct st_param_reader *reader, struct call *out)
{
	const char *method = st_param_text(reader, "method", false, 16);
	out->method = method != NULL ? method : "GET";
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++) {
		if (text_equals(out->method, METHODS[i])) {
			return;
		}
	}
	if (!st_param_is_open_text(reader, method)) {
		(void)st_param_fail(reader, "/method",
				    "\"method\" must be GET, HEAD, OPTIONS, POST, PUT, PATCH or "
				    "DELETE");
	}
}

static void read_body(struct st_param_reader *reader, struct call *out)
{
	out->body = st_param_value(reader, "body");
	bool container = json_is_object(out->body) || json_is_array(out->body);
	if (out->body != NULL && !container && !json_is_string(out->body)) {
		(void)st_param_fail(reader, "/body",
				    "\"body\" must be a text, or an object or array to be sent as "
				    "JSON");
	} else if (json_string_length(out->body) > BODY_BYTES_MAX) {
		(void)st_param_fail(reader, "/body", "\"body\" is longer than %zu bytes",
				    BODY_BYTES_MAX);
	} else if (out->body != NULL &&
		   (text_equals(out->method, "GET") || text_equals(out->method, "HEAD"))) {
		(void)st_param_fail(reader, "/body", "a %s request has no body", out->method);
	}
}

static int read_call(const json_t *with, bool open, struct call *out, struct st_diag *diag)
{
	static const char *const fields[] = {"method",	      "url",	    "headers",
					     "body",	      "idempotent", "dangerous",
					     "expect_status", "max_bytes",  NULL};
	struct st_param_reader reader;
	st_param_start(&reader, with, open, fields, diag);
	read_method(&reader, out);
	out->url = st_param_text(&reader, "url", true, ST_URL_BYTES_MAX);
	read_headers(&reader, out);
	read_body(&reader, out);
	read_statuses(&reader, out);
	out->bytes_max =
	    st_param_int(&reader, "max_bytes", 1, ANSWER_BYTES_MAX, ANSWER_BYTES_DEFAULT);
	bool idempotent = st_param_bool(&reader, "idempotent", false);
	bool deletes = text_equals(out->method, "DELETE");
	out->dangerous = st_param_bool(&reader, "dangerous", false) || deletes;
	out->reads = !out->dangerous &&
		     (text_equals(out->method, "GET") || text_equals(out->method, "HEAD") ||
		      text_equals(out->method, "OPTIONS"));
	out->idempotent = idempotent || deletes || text_equals(out->method, "PUT");
	if (reader.code != ST_OK || st_param_is_open_text(&reader, out->url)) {
		return reader.code;
	}
	return st_outgoing_url(out->url, "/url", diag);
}

static int check(const json_t *with, const struct st_config *config, struct st_diag *diag)
{
	(void)config;
	struct call call;
	return read_call(with, true, &call, diag);
}

static int plan(const json_t *with, const struct st_config *config, const struct st_room *room,
		int64_t step_timeout_ms, int64_t counted_input, struct st_plan *out,
		struct st_diag *diag)
{
	(void)config;
	(void)room;
	(void)counted_input;
	struct call call;
	int rc = read_call(with, false, &call, diag);
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(&st_kind_http, step_timeout_ms, TIMEOUT_MS, out);
	out->side_effects = !call.reads;
	out->dangerous = call.dangerous;
	out->idempotence = call.reads	     ? ST_REPEATABLE
			   : call.idempotent ? ST_IDEMPOTENT
					     : ST_UNREPEATABLE;
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_HTTP_REQUESTS] = 1;
	out->bound.of[ST_METER_DANGEROUS_OPS] = call.dangerous ? 1 : 0;
	st_outgoing_intent(out->intent, call.method, call.url);
	return ST_OK;
}

static bool has_content_type(const json_t *headers)
{
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)headers, name, value)
	{
		if (headers_equal(name, "content-type")) {
			return true;
		}
	}
	return false;
}

static int request(const json_t *with, const struct st_plan *plan,
		   const struct st_call_context *context, struct st_http_request *out,
		   struct st_diag *diag)
{
	struct call call;
	int rc = read_call(with, false, &call, diag);
	if (rc != ST_OK) {
		return rc;
	}
	struct st_outgoing_limits limits = {plan->timeout_ms, plan->timeout_ms,
					    (size_t)call.bytes_max};
	st_outgoing_begin(out, call.method, call.url, &limits, context);
	out->guarded = true;
	out->redirects_max = text_equals(call.method, "GET") ? REDIRECTS_MAX : 0;
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)call.headers, name, value)
	{
		(void)st_http_request_header(out, name, json_string_value(value));
	}
	if (json_is_string(call.body)) {
		out->body_len = json_string_length(call.body);
		out->body = st_strndup(json_string_value(call.body), out->body_len);
	} else if (call.body != NULL) {
		out->body = st_json_compact(call.body);
		out->body_len = strlen(out->body);
	}
	if (out->body != NULL && !has_content_type(call.headers)) {
		(void)st_http_request_header(out, "content-type",
					     json_is_string(call.body) ? "text/plain; charset=utf-8"
								       : "application/json");
	}
	return ST_OK;
}

/* ---- the answer ---- */

static bool is_expected(const struct call *call, int status)
{
	if (call->expect_status == NULL) {
		return status >= 200 && status <= 299;
	}
	for (size_t i = 0; i < json_array_size(call->expect_status); i++) {
		if (json_integer_value(json_array_get(call->expect_status, i)) == status) {
			return true;
		}
	}
	return false;
}

/* What later steps may want; no cookies and nothing else that opens doors. */
static json_t *headers_of(const struct st_http_response *response)
{
	static const char *const shown[] = {"content-type",  "content-language", "etag",
					    "last-modified", "location",	 "link",
					    "date",	     "retry-after",	 "x-request-id"};
	json_t *out = json_object();
	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
		const char *value = st_http_response_header(response, shown[i]);
		if (value != NULL) {
			json_object_set_new(
			    out, shown[i],
			    st_text_json(value, strlen(value), HEADER_CHARS_MAX, NULL));
		}
	}
	return out;
}

static json_t *body_of(const struct st_http_response *response)
{
	if (response->body == NULL || response->body_len == 0) {
		return json_null();
	}
	const char *type = st_http_response_header(response, "content-type");
	json_t *parsed = NULL;
	if (type != NULL && strstr(type, "json") != NULL &&
	    st_json_parse(response->body, response->body_len, response->body_len, &parsed, NULL) ==
		ST_OK) {
		return parsed;
	}
	return st_text_json(response->body, response->body_len, response->body_len, NULL);
}

static json_t *output_of(const struct st_http_response *response)
{
	return json_pack("{s:i, s:o, s:o, s:b}", "status", response->status, "headers",
			 headers_of(response), "body", body_of(response), "truncated",
			 response->transport == ST_TRANSPORT_TOO_LARGE);
}

/* A status that was not hoped for. A 4xx is a definite no; a 5xx says nothing about the effect. */
static void refused(const struct call *call, const struct st_http_response *response,
		    struct st_outcome *out)
{
	int status = response->status;
	bool ambiguous = status >= 500 && status != 501 && status != 505;
	bool unknown = ambiguous && !call->reads;
	out->retryable = !unknown && (ambiguous || status == 408 || status == 409 ||
				      status == 425 || status == 429);
	out->retry_after_ms = st_reply_retry_after_ms(response);
	char message[300];
	st_reply_message(response, message, sizeof message);
	st_reply_end(out, unknown ? ST_OUTCOME_UNKNOWN : ST_OUTCOME_FAILED, "http.status",
		     "the server answered %d%s%s", status,
		     status >= 300 && status <= 399 ? ", a redirect that is not followed" : "",
		     message);
}

static void answer(const json_t *with, const struct st_plan *plan, const struct st_config *config,
		   const struct st_http_response *response, struct st_outcome *out)
{
	(void)config;
	struct call call;
	st_reply_begin(out, response);
	if (read_call(with, false, &call, NULL) != ST_OK) {
		st_reply_end(out, ST_OUTCOME_UNKNOWN, "http.params", "the params cannot be read");
		return;
	}
	/* The head of an answer that was too long has told what is to know about the effect. */
	bool cut = response->transport == ST_TRANSPORT_TOO_LARGE && response->status > 0;
	if (!cut && st_reply_no_answer(out, "http.request", response)) {
		return;
	}
	out->usage_known = true;
	out->usage = plan->bound;
	out->output = output_of(response);
	if (is_expected(&call, response->status)) {
		out->state = ST_OUTCOME_SUCCEEDED;
	} else {
		refused(&call, response, out);
	}
}

const struct st_kind st_kind_http = {
    .name = "http.request",
    .summary = "Makes one HTTP request; DELETE is dangerous.",
    .via = ST_VIA_HTTP,
    .meters = ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(HTTP_REQUESTS) | ST_METER_BIT(DANGEROUS_OPS),
    .side_effects = true,
    .idempotence = ST_UNREPEATABLE,
    .in_doubt =
	"GET, HEAD and OPTIONS are tried again; PUT, DELETE and \"idempotent\" requests are "
	"sent again under the same key; all others halt the run until a person says what "
	"happened.",
    .check = check,
    .plan = plan,
    .request = request,
    .answer = answer,
};
