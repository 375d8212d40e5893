/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/call.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"

/* External ids are kept and shown: one that is longer than any service makes is cut. */
#define EXTERNAL_ID_BYTES_MAX 256
#define EXTERNAL_URL_BYTES_MAX 2048

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool names_equal(const char *a, const char *b)
{
	size_t i = 0;
	while (a[i] != '\0' && lower(a[i]) == lower(b[i])) {
		i++;
	}
	return a[i] == b[i];
}

static void headers_free(struct st_http_header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		st_free(headers[i].name);
		st_free(headers[i].value);
	}
	st_free(headers);
}

/* A cut must not leave half a UTF-8 sequence: the text is stored and shown as UTF-8. */
static char *copy_cut(const char *text, size_t bytes_max)
{
	size_t len = strlen(text);
	if (len > bytes_max) {
		len = bytes_max;
		while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
			len--;
		}
	}
	return st_strndup(text, len);
}

void st_http_request_fini(struct st_http_request *request)
{
	st_free(request->url);
	headers_free(request->headers, request->n_headers);
	st_free(request->body);
	*request = (struct st_http_request){0};
}

bool st_http_request_header(struct st_http_request *request, const char *name, const char *value)
{
	assert(name[0] != '\0');
	if (strpbrk(name, "\r\n: ") != NULL || strpbrk(value, "\r\n") != NULL) {
		return false;
	}
	size_t n = request->n_headers;
	request->headers = st_realloc(request->headers, (n + 1) * sizeof request->headers[0]);
	request->headers[n] = (struct st_http_header){st_strdup(name), st_strdup(value)};
	request->n_headers = n + 1;
	return true;
}

void st_http_response_fini(struct st_http_response *response)
{
	headers_free(response->headers, response->n_headers);
	st_free(response->body);
	*response = (struct st_http_response){0};
}

const char *st_http_response_header(const struct st_http_response *response, const char *name)
{
	for (size_t i = 0; i < response->n_headers; i++) {
		if (names_equal(response->headers[i].name, name)) {
			return response->headers[i].value;
		}
	}
	return NULL;
}

void st_job_spec_fini(struct st_job_spec *spec)
{
	json_decref(spec->commands);
	json_decref(spec->env);
	json_decref(spec->artifacts);
	st_free(spec->workdir);
	st_free(spec->stdin_text);
	*spec = (struct st_job_spec){0};
}

void st_job_result_fini(struct st_job_result *result)
{
	json_decref(result->transcript);
	st_artifacts_free(result->artifacts, result->n_artifacts);
	*result = (struct st_job_result){0};
}

void st_outcome_fini(struct st_outcome *outcome)
{
	json_decref(outcome->output);
	json_decref(outcome->citations);
	for (size_t i = 0; i < outcome->n_external_ids; i++) {
		st_free(outcome->external_ids[i].id);
		st_free(outcome->external_ids[i].url);
	}
	*outcome = (struct st_outcome){0};
}

void st_outcome_external_id(struct st_outcome *outcome, const char *kind, const char *id,
			    const char *url)
{
	assert(outcome->n_external_ids <= ST_EXTERNAL_IDS_MAX);
	if (outcome->n_external_ids == ST_EXTERNAL_IDS_MAX) {
		return;
	}
	struct st_external_id *to = &outcome->external_ids[outcome->n_external_ids++];
	(void)snprintf(to->kind, sizeof to->kind, "%s", kind);
	to->id = copy_cut(id, EXTERNAL_ID_BYTES_MAX);
	to->url = url == NULL ? NULL : copy_cut(url, EXTERNAL_URL_BYTES_MAX);
}
