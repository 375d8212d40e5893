/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/verdict.h"

#include <stddef.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/err.h"
#include "schemas/mem.h"

const char *st_suggestion_name(enum st_suggestion suggestion)
{
	static const char *const names[] = {
	    [ST_SUGGEST_NONE] = "none",
	    [ST_SUGGEST_REQUEST_APPROVAL] = "request_approval",
	    [ST_SUGGEST_WAIT] = "wait",
	    [ST_SUGGEST_DOWNGRADE_MODEL] = "downgrade_model",
	    [ST_SUGGEST_USE_CACHE] = "use_cache",
	    [ST_SUGGEST_FIX_DEFINITION] = "fix_definition",
	};
	return names[suggestion];
}

static void add_refusal(struct st_buf *buf, const struct st_refusal *r)
{
	st_buf_addf(buf, "{\"scope\":\"%s\",\"scope_id\":", st_scope_name(r->scope));
	st_buf_add_json_string(buf, r->scope_id, strlen(r->scope_id));
	st_buf_addf(buf, ",\"meter\":\"%s\",\"window\":null", st_meter_name(r->meter));
	st_buf_addf(buf, ",\"limit\":%lld,\"granted\":%lld", (long long)r->limit,
		    (long long)r->granted);
	st_buf_addf(buf, ",\"settled\":%lld,\"held\":%lld", (long long)r->settled,
		    (long long)r->held);
	st_buf_addf(buf, ",\"asked\":%lld,\"remaining\":%lld}", (long long)r->asked,
		    (long long)r->remaining);
}

void st_verdict_add_json(struct st_buf *buf, const struct st_verdict *verdict)
{
	char until[ST_TIME_TEXT_MAX];
	st_buf_addf(buf, "{\"allowed\":%s,\"refused\":[", verdict->allowed ? "true" : "false");
	for (size_t i = 0; i < verdict->n_refused; i++) {
		if (i > 0) {
			st_buf_add_char(buf, ',');
		}
		add_refusal(buf, &verdict->refused[i]);
	}
	st_buf_addf(buf, "],\"suggest\":{\"action\":\"%s\",\"until\":",
		    st_suggestion_name(verdict->suggestion));
	if (verdict->until == ST_TIME_NONE) {
		st_buf_add_text(buf, "null");
	} else {
		st_buf_addf(buf, "\"%s\"", st_time_format(verdict->until, until));
	}
	st_buf_add_text(buf, ",\"model\":null}}");
}

/* ---- and back ---- */

/* Is this what comes next? Then it is behind us. */
static bool take(const char **at, const char *text)
{
	size_t len = strlen(text);
	bool there = strncmp(*at, text, len) == 0;
	*at += there ? len : 0;
	return there;
}

/* A JSON string without escapes, shorter than `size`. */
static bool take_name(const char **at, char *out, size_t size)
{
	size_t len = **at == '"' ? strcspn(*at + 1, "\"\\") : size;
	if (len >= size || (*at)[1 + len] != '"') {
		return false;
	}
	memcpy(out, *at + 1, len);
	out[len] = '\0';
	*at += len + 2;
	return true;
}

/* `"name":` and an integer of at least `least`. */
static bool take_int(const char **at, const char *name, int64_t least, int64_t *out)
{
	if (!take(at, name)) {
		return false;
	}
	int64_t sign = take(at, "-") ? -1 : 1;
	int64_t n = 0;
	bool any = false;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		int digit = **at - '0';
		if (n > (INT64_MAX - digit) / 10) {
			return false;
		}
		n = n * 10 + digit;
		any = true;
	}
	*out = sign * n;
	return any && *out >= least;
}

static bool parse_refusal(const char **at, struct st_refusal *r)
{
	char scope[ST_NAME_MAX];
	char meter[ST_NAME_MAX];
	return take(at, "{\"scope\":") && take_name(at, scope, sizeof scope) &&
	       st_scope_parse(scope, &r->scope) && take(at, ",\"scope_id\":") &&
	       take_name(at, r->scope_id, sizeof r->scope_id) && take(at, ",\"meter\":") &&
	       take_name(at, meter, sizeof meter) && st_meter_parse(meter, &r->meter) &&
	       take(at, ",\"window\":null") &&
	       take_int(at, ",\"limit\":", ST_UNLIMITED, &r->limit) &&
	       take_int(at, ",\"granted\":", 0, &r->granted) &&
	       take_int(at, ",\"settled\":", 0, &r->settled) &&
	       take_int(at, ",\"held\":", 0, &r->held) &&
	       take_int(at, ",\"asked\":", 0, &r->asked) &&
	       take_int(at, ",\"remaining\":", 0, &r->remaining) && take(at, "}");
}

int st_verdict_parse(const char *json, struct st_verdict *verdict)
{
	const char *at = json;
	size_t n = 0;
	if (!take(&at, "{\"allowed\":false,\"refused\":[")) {
		return ST_ERR_INVALID;
	}
	while (*at != ']') {
		if (n == ST_REFUSALS_MAX || (n > 0 && !take(&at, ",")) ||
		    !parse_refusal(&at, &verdict->refused[n])) {
			return ST_ERR_INVALID;
		}
		n++;
	}
	char word[ST_NAME_MAX];
	bool ends = take(&at, "],\"suggest\":{\"action\":") && take_name(&at, word, sizeof word) &&
		    take(&at, ",\"until\":") &&
		    (take(&at, "null") || take_name(&at, word, sizeof word)) &&
		    take(&at, ",\"model\":null}}") && *at == '\0';
	if (!ends) {
		return ST_ERR_INVALID;
	}
	verdict->allowed = false;
	verdict->suggestion = ST_SUGGEST_REQUEST_APPROVAL;
	verdict->until = ST_TIME_NONE;
	verdict->n_refused = n;
	return ST_OK;
}

struct st_verdict *st_verdict_copy(const struct st_verdict *verdict)
{
	struct st_verdict *copy = st_realloc(NULL, sizeof *copy);
	memcpy(copy, verdict,
	       offsetof(struct st_verdict, refused) +
		   verdict->n_refused * sizeof verdict->refused[0]);
	return copy;
}
