/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/outgoing.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/url.h"

#define CONNECT_MS 10000

const struct st_provider *st_outgoing_provider(const struct st_config *config, const char *name,
					       const char *pointer, struct st_diag *diag)
{
	const struct st_provider *provider = st_config_provider(config, name);
	if (provider == NULL) {
		(void)st_fail_at(diag, ST_ERR_INVALID, pointer,
				 "no provider \"%.64s\": add it to \"providers\" in the config",
				 name);
	}
	return provider;
}

int st_outgoing_url(const char *url, const char *pointer, struct st_diag *diag)
{
	struct st_url parsed;
	struct st_diag why = {0};
	int rc = st_url_parse(url, &parsed, &why);
	return rc == ST_OK ? ST_OK : st_fail_at(diag, ST_ERR_INVALID, pointer, "%s", why.text);
}

void st_outgoing_intent(char out[ST_INTENT_MAX], const char *verb, const char *url)
{
	(void)snprintf(out, ST_INTENT_MAX, "%s %.*s", verb, (int)strcspn(url, "?#"), url);
}

static void add_header(struct st_http_request *out, const char *name, const char *value)
{
	/* Ids and keys of our own making hold no line breaks. */
	bool added = value == NULL || st_http_request_header(out, name, value);
	assert(added);
}

void st_outgoing_begin(struct st_http_request *out, const char *method, const char *url,
		       const struct st_outgoing_limits *limits,
		       const struct st_call_context *context)
{
	assert(strlen(method) < sizeof out->method);
	assert(limits->total_ms > 0);
	assert(limits->idle_ms > 0);
	*out = (struct st_http_request){.url = st_strdup(url)};
	(void)snprintf(out->method, sizeof out->method, "%s", method);
	out->total_ms = limits->total_ms;
	out->idle_ms = limits->idle_ms < limits->total_ms ? limits->idle_ms : limits->total_ms;
	out->connect_ms = limits->total_ms < CONNECT_MS ? limits->total_ms : CONNECT_MS;
	out->response_bytes_max = limits->response_bytes_max;
	add_header(out, "Idempotency-Key", context->idempotency_key);
	add_header(out, "x-stint-run", context->run_id);
	add_header(out, "x-stint-step", context->step_id);
}

void st_outgoing_begin_at(struct st_http_request *out, const struct st_provider *provider,
			  const char *path, const struct st_outgoing_limits *limits,
			  const struct st_call_context *context)
{
	struct st_buf url = {0};
	st_buf_add_text(&url, provider->base_url);
	st_buf_add_text(&url, path);
	st_outgoing_begin(out, "POST", url.data, limits, context);
	out->cassette = provider->replay;
	st_buf_fini(&url);
}

void st_outgoing_json(struct st_http_request *out, json_t *body)
{
	assert(body != NULL);
	out->body = st_json_compact(body);
	out->body_len = strlen(out->body);
	json_decref(body);
	add_header(out, "content-type", "application/json");
}

int st_outgoing_key(struct st_http_request *out, const struct st_provider *provider,
		    const char *header, const struct st_call_context *context, struct st_diag *diag)
{
	if (context->provider_key == NULL && (provider->key == NULL || provider->replay != NULL)) {
		return ST_OK;
	}
	if (context->provider_key == NULL) {
		st_http_request_fini(out);
		return st_fail(diag, ST_ERR_NOT_FOUND,
			       "the key of provider \"%s\" is missing: %s, named in the config, is "
			       "not set or empty",
			       provider->name, provider->key);
	}
	struct st_buf value = {0};
	st_buf_add_text(&value, strcmp(header, "authorization") == 0 ? "Bearer " : "");
	st_buf_add_text(&value, context->provider_key);
	bool added = st_http_request_header(out, header, value.data);
	st_buf_fini(&value);
	if (added) {
		return ST_OK;
	}
	st_http_request_fini(out);
	return st_fail(diag, ST_ERR_INVALID,
		       "the provider's key holds a line break: check the secret's source");
}
