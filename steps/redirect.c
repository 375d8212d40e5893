/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/redirect.h"

#include <string.h>

#include "schemas/mem.h"

bool st_redirect_status(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

const char *st_redirect_refusal(const struct st_http_request *request, const struct st_url *from,
				const struct st_url *to)
{
	bool safe = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	if (!safe || request->body != NULL) {
		return "only a GET or HEAD without a body is sent on";
	}
	if (from->https && !to->https) {
		return "it leads from https to http";
	}
	return NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equals(const char *name, const char *lower_case)
{
	while (*name != '\0' && lower(*name) == *lower_case) {
		name++;
		lower_case++;
	}
	return *name == '\0' && *lower_case == '\0';
}

static bool is_safe(const char *name)
{
	return equals(name, "accept") || equals(name, "accept-language");
}

void st_redirect_strip(struct st_http_request *request)
{
	size_t kept = 0;
	for (size_t i = 0; i < request->n_headers; i++) {
		struct st_http_header header = request->headers[i];
		if (is_safe(header.name)) {
			request->headers[kept++] = header;
			continue;
		}
		st_free(header.name);
		st_free(header.value);
	}
	request->n_headers = kept;
}
