/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/reply.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/httpdate.h"
#include "steps/text.h"

#define ERROR_BODY_MAX 65536
#define SECONDS_SENSIBLE_MAX                                                                       \
	(30 * 24 * 3600) /* who asks for more than a month asks for nothing                        \
			  */

void st_reply_begin(struct st_outcome *out, const struct st_http_response *response)
{
	*out = (struct st_outcome){.state = ST_OUTCOME_UNKNOWN, .retry_after_ms = -1};
	out->model = (struct st_model_usage){-1, -1, -1, -1, -1};
	out->replayed = response != NULL && response->replayed;
}

void st_reply_end(struct st_outcome *out, enum st_outcome_state state, const char *code,
		  const char *format, ...)
{
	assert(state != ST_OUTCOME_SUCCEEDED);
	out->state = state;
	(void)snprintf(out->error_code, sizeof out->error_code, "%s", code);
	va_list args;
	va_start(args, format);
	(void)vsnprintf(out->error, sizeof out->error, format, args);
	va_end(args);
	st_text_mend(out->error);
}

bool st_reply_no_answer(struct st_outcome *out, const char *who,
			const struct st_http_response *response)
{
	static const char *const codes[] = {
	    [ST_TRANSPORT_ANSWERED] = "",
	    [ST_TRANSPORT_NOT_SENT] = "transport.not_sent",
	    [ST_TRANSPORT_LOST] = "transport.lost",
	    [ST_TRANSPORT_TIMED_OUT] = "transport.timed_out",
	    [ST_TRANSPORT_TOO_LARGE] = "transport.too_large",
	    [ST_TRANSPORT_ABORTED] = "transport.aborted",
	};
	if (response->transport == ST_TRANSPORT_ANSWERED) {
		return false;
	}
	assert((size_t)response->transport < sizeof codes / sizeof codes[0]);
	bool sent = response->transport != ST_TRANSPORT_NOT_SENT;
	/* What was too large will be so again, and what we gave up ourselves we do not want. */
	out->retryable = response->transport != ST_TRANSPORT_TOO_LARGE &&
			 response->transport != ST_TRANSPORT_ABORTED;
	st_reply_end(out, sent ? ST_OUTCOME_UNKNOWN : ST_OUTCOME_NOT_MADE,
		     codes[response->transport], "%s: %s%s", who,
		     sent ? "no whole answer: " : "not sent: ", response->error);
	return true;
}

/* Reads up to nine digits; -1 for anything else. */
static int64_t seconds_of(const char *text)
{
	int64_t n = 0;
	size_t digits = 0;
	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 10; digits++) {
		n = n * 10 + (text[digits] - '0');
	}
	return digits == 0 || digits > 9 || text[digits] != '\0' ? -1 : n;
}

/* Zero and the past ask for no wait at all: then our own back-off is the better judge. */
static int64_t sensible_wait_ms(int64_t wait_ms)
{
	if (wait_ms <= 0 || wait_ms > SECONDS_SENSIBLE_MAX * INT64_C(1000)) {
		return -1;
	}
	return wait_ms < ST_RETRY_AFTER_MS_MAX ? wait_ms : ST_RETRY_AFTER_MS_MAX;
}

int64_t st_reply_retry_after_ms(const struct st_http_response *response)
{
	const char *ms = st_http_response_header(response, "retry-after-ms");
	if (ms != NULL && sensible_wait_ms(seconds_of(ms)) > 0) {
		return sensible_wait_ms(seconds_of(ms));
	}
	const char *after = st_http_response_header(response, "retry-after");
	if (after == NULL) {
		return -1;
	}
	int64_t seconds = seconds_of(after);
	if (seconds >= 0) {
		return sensible_wait_ms(seconds * 1000);
	}
	/* There is no clock here, and the answer's own is the one that its date was made with. */
	const char *date = st_http_response_header(response, "date");
	st_time until = 0;
	st_time now = 0;
	if (date == NULL || st_httpdate_parse(after, &until) != ST_OK ||
	    st_httpdate_parse(date, &now) != ST_OK) {
		return -1;
	}
	return sensible_wait_ms(until - now);
}

static json_t *error_body(const struct st_http_response *response)
{
	json_t *body = NULL;
	if (response->body == NULL || st_json_parse(response->body, response->body_len,
						    ERROR_BODY_MAX, &body, NULL) != ST_OK) {
		return NULL;
	}
	return body;
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

void st_reply_message(const struct st_http_response *response, char *out, size_t size)
{
	json_t *body = error_body(response);
	const json_t *error = json_object_get(body, "error");
	const char *found[] = {text_at(error, "message"), json_string_value(error),
			       text_at(body, "message"), text_at(body, "detail"),
			       text_at(body, "code")};
	const char *message = "";
	for (size_t i = 0; i < sizeof found / sizeof found[0]; i++) {
		if (found[i] != NULL) {
			message = found[i];
			break;
		}
	}
	(void)snprintf(out, size, "%s%s", message[0] != '\0' ? ": " : "", message);
	json_decref(body);
}

/* Does the error's type or code say so? */
static bool error_is(const struct st_http_response *response, const char *what)
{
	json_t *body = error_body(response);
	const json_t *error = json_object_get(body, "error");
	const char *type = text_at(error, "type");
	const char *code = text_at(error, "code");
	bool found =
	    (type != NULL && strcmp(type, what) == 0) || (code != NULL && strcmp(code, what) == 0);
	json_decref(body);
	return found;
}

static const char *code_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return "provider.not_permitted";
	case 402:
		return "provider.payment_required";
	case 404:
		return "provider.not_found";
	case 413:
		return "provider.too_large";
	case 429:
		return "provider.rate_limited";
	case 503:
	case 529:
		return "provider.overloaded";
	default:
		break;
	}
	if (status >= 500) {
		return "provider.failed";
	}
	return status >= 400 ? "provider.refused" : "provider.unexpected_status";
}

static bool is_worth_another_try(const struct st_http_response *response)
{
	int status = response->status;
	const char *advice = st_http_response_header(response, "x-should-retry");
	if (advice != NULL && strcmp(advice, "false") == 0) {
		return false;
	}
	if (status == 429 && error_is(response, "insufficient_quota")) {
		return false;
	}
	return status == 408 || status == 409 || status == 425 || status == 429 ||
	       (status >= 500 && status != 501 && status != 505);
}

bool st_reply_refused(struct st_outcome *out, const char *who,
		      const struct st_http_response *response)
{
	if (st_reply_no_answer(out, who, response)) {
		return true;
	}
	int status = response->status;
	if (status >= 200 && status <= 299) {
		return false;
	}
	char message[400];
	st_reply_message(response, message, sizeof message);
	out->retryable = is_worth_another_try(response);
	out->retry_after_ms = out->retryable ? st_reply_retry_after_ms(response) : -1;
	out->usage_known =
	    status < 500 || (status == 529 && error_is(response, "overloaded_error"));
	out->usage.of[ST_METER_TOOL_STEPS] = out->usage_known ? 1 : 0;
	st_reply_end(out, ST_OUTCOME_FAILED, code_of(status), "%s answered %d%s", who, status,
		     message);
	return true;
}
