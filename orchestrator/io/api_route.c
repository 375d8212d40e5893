/* SPDX-License-Identifier: Apache-2.0 */
/* What can the API do? The one table; GET /openapi.json describes the same. */
#include <string.h>

#include "orchestrator/http_target.h"
#include "orchestrator/io/api_private.h"
#include "schemas/name.h"

#define READ(name) .read = st_api_read_##name
#define HANDLE(name) .handle = st_api_handle_##name

const struct st_api_route st_api_routes[] = {
    {"GET", "/healthz", ST_API_OPEN, "", HANDLE(health)},
    {"GET", "/readyz", ST_API_OPEN, "", HANDLE(ready)},
    {"GET", "/openapi.json", ST_API_OPEN, "", HANDLE(openapi)},
    {"GET", "/metrics", ST_ROLE_VIEWER, "", HANDLE(metrics)},

    {"POST", "/v1/runs", ST_ROLE_SUBMITTER, "dry_run ", HANDLE(submit)},
    {"GET", "/v1/runs", ST_ROLE_VIEWER, "state tenant workflow limit cursor ", READ(runs)},
    {"GET", "/v1/runs/{run}", ST_ROLE_VIEWER, "", READ(run)},
    {"GET", "/v1/runs/{run}/timeline", ST_ROLE_VIEWER, "after limit ", HANDLE(timeline)},
    {"GET", "/v1/runs/{run}/calls", ST_ROLE_VIEWER, "", READ(calls)},
    {"POST", "/v1/runs/{run}/calls", ST_ROLE_SUBMITTER, "", HANDLE(call_hold)},
    {"POST", "/v1/runs/{run}/steps/{step}/end", ST_ROLE_SUBMITTER, "", HANDLE(step_end)},
    {"GET", "/v1/runs/{run}/envelope", ST_ROLE_VIEWER, "", READ(envelope)},
    {"POST", "/v1/runs/{run}/envelope", ST_ROLE_ADMIN, "", HANDLE(limits)},
    {"GET", "/v1/runs/{run}/holds", ST_ROLE_VIEWER, "", READ(holds)},
    {"GET", "/v1/runs/{run}/external-ids", ST_ROLE_VIEWER, "", READ(external_ids)},
    {"GET", "/v1/runs/{run}/transcripts/{call}", ST_ROLE_VIEWER, "", READ(transcripts)},
    {"GET", "/v1/runs/{run}/artifacts", ST_ROLE_VIEWER, "", READ(artifacts)},
    {"GET", "/v1/runs/{run}/artifacts/{call}/{path}", ST_ROLE_APPROVER, "", HANDLE(artifact)},
    {"POST", "/v1/runs/{run}/halts/{halt}", ST_ROLE_APPROVER, "", HANDLE(decide)},
    {"POST", "/v1/runs/{run}/cancel", ST_ROLE_SUBMITTER, "", HANDLE(cancel)},
    {"POST", "/v1/runs/{run}/pause", ST_ROLE_SUBMITTER, "", HANDLE(pause)},
    {"POST", "/v1/runs/{run}/resume", ST_ROLE_SUBMITTER, "", HANDLE(resume)},

    {"POST", "/v1/calls/{call}/settle", ST_ROLE_SUBMITTER, "", HANDLE(call_settle)},
    {"POST", "/v1/calls/{call}/void", ST_ROLE_SUBMITTER, "", HANDLE(call_void)},
    {"POST", "/v1/calls/{call}/extend", ST_ROLE_SUBMITTER, "", HANDLE(call_extend)},

    {"GET", "/v1/approvals", ST_ROLE_VIEWER, "tenant ", READ(approvals)},
    {"GET", "/v1/holds", ST_ROLE_VIEWER, "tenant ", READ(holds)},
    {"GET", "/v1/usage", ST_ROLE_VIEWER, "by from to run tenant ", READ(usage)},
    {"GET", "/v1/export", ST_ROLE_VIEWER, "run tenant ", HANDLE(export)},

    {"POST", "/v1/tokens", ST_ROLE_ADMIN, "", HANDLE(token_create)},
    {"GET", "/v1/tokens", ST_ROLE_ADMIN, "tenant ", READ(tokens)},
    {"DELETE", "/v1/tokens/{token}", ST_ROLE_ADMIN, "", HANDLE(token_revoke)},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

/* One segment of a path, not NUL-ended. */
struct segment {
	const char *at;
	size_t len;
};

static struct segment next_segment(const char **rest)
{
	const char *at = *rest + (**rest == '/');
	size_t len = strcspn(at, "/");
	*rest = at + len;
	return (struct segment){at, len};
}

static bool is(struct segment segment, const char *text)
{
	return segment.len == strlen(text) && memcmp(segment.at, text, segment.len) == 0;
}

static bool take_id(struct segment text, const char *prefix, struct st_id *out)
{
	char copy[ST_ID_TEXT_MAX];
	if (text.len >= sizeof copy) {
		return false;
	}
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	return st_id_parse(copy, prefix, out) == ST_OK;
}

static bool take(struct st_api_request *request, struct segment pattern, struct segment text)
{
	if (is(pattern, "{run}")) {
		return take_id(text, ST_ID_RUN, &request->run);
	}
	if (is(pattern, "{halt}")) {
		return take_id(text, ST_ID_HALT, &request->halt);
	}
	if (is(pattern, "{call}")) {
		return take_id(text, ST_ID_CALL, &request->call);
	}
	if (is(pattern, "{token}") || is(pattern, "{step}")) {
		if (text.len == 0 || text.len >= sizeof request->name) {
			return false;
		}
		memcpy(request->name, text.at, text.len);
		request->name[text.len] = '\0';
		return st_name_is_valid(request->name);
	}
	return pattern.len == text.len && memcmp(pattern.at, text.at, text.len) == 0;
}

static bool fits(struct st_api_request *request, const char *pattern, const char *path)
{
	while (*pattern != '\0' && *path != '\0') {
		struct segment want = next_segment(&pattern);
		struct segment have = next_segment(&path);
		if (is(want, "{path}")) {
			request->path = have.at;
			return have.len > 0;
		}
		if (!take(request, want, have)) {
			return false;
		}
	}
	return *pattern == '\0' && *path == '\0';
}

const struct st_api_route *st_api_route_find(struct st_api_request *request, const char *method,
					     const char *path, char allow[64])
{
	bool head = strcmp(method, "HEAD") == 0;
	size_t len = 0;
	allow[0] = '\0';
	for (const struct st_api_route *route = st_api_routes; route->method != NULL; route++) {
		if (!fits(request, route->pattern, path)) {
			continue;
		}
		if (strcmp(route->method, head ? "GET" : method) == 0) {
			return route;
		}
		len += (size_t)snprintf(allow + len, 64 - len, "%s%s%s", len > 0 ? ", " : "",
					route->method,
					strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
	}
	return NULL;
}

static bool knows(const char *names, const char *name)
{
	size_t len = strlen(name);
	while (*names != '\0') {
		size_t word = strcspn(names, " ");
		if (word == len && memcmp(names, name, len) == 0) {
			return true;
		}
		names += word + 1;
	}
	return false;
}

int st_api_route_check_query(const struct st_api_route *route, const struct st_exchange *exchange,
			     struct st_diag *diag)
{
	const char *raw = st_exchange_target(exchange);
	struct st_http_target target = {0};
	int err = ST_OK;
	if (strchr(raw, '?') == NULL) {
		return ST_OK;
	}
	if (st_http_target_parse(raw, strlen(raw), &target) != 0) {
		err = st_fail(diag, ST_ERR_INVALID, "the query cannot be read");
	}
	for (size_t i = 0; i < target.n_query && err == ST_OK; i++) {
		if (!knows(route->query, target.query[i].name)) {
			err = st_fail(diag, ST_ERR_INVALID,
				      "there is no query parameter \"%.64s\" here; known: %s",
				      target.query[i].name,
				      route->query[0] != '\0' ? route->query : "none");
		} else if (target.query[i].value[0] == '\0') {
			/* A filter out of an empty variable must not mean: no filter. */
			err = st_fail(diag, ST_ERR_INVALID, "the query parameter %s has no value",
				      target.query[i].name);
		}
	}
	st_http_target_fini(&target);
	return err;
}
