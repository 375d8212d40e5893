/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tool server that fails on purpose: the outside world of fault and crash tests.
 *
 *   toolserver [--port N] [--log FILE] [--script FILE.json] [--seed N]
 *
 * prints {"event":"ready","port":N}. Each request is one JSON line in the log, synced before
 * anything else happens, and each effect another, synced before it is answered: the log is the
 * truth that a test compares the orchestrator's own account with.
 *
 * A visit passes these points in order, and can be held or broken off at each:
 *
 *   arrive gate ─▶ delay ─▶ drop=before | status ─▶ EFFECT ─▶ applied gate ─▶
 *   drop=after | status;effect ─▶ half of the answer ─▶ half gate ─▶ the rest
 *
 * What goes wrong is said by the path (/drop-after), by ?fault= or x-fault: (parts joined by ';'),
 * or by a rule of the script: {"rules":[{"path":"/effect","nth":[5],"gate":"arrive"}]}.
 *
 * A rule may also say byte for byte what comes back: {"raw":BASE64} is sent as it is, then
 * "again":BASE64 so many "times", "pause_ms" apart, and then the connection's "end" comes: "close",
 * "reset", or "stay" until the client leaves.
 */
#include "fault_spec.h"
#include "provider_fakes.h"
#include "raw_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "orchestrator/io/http_exchange.h"
#include "orchestrator/io/http_private.h"
#include "orchestrator/io/http_server.h"
#include "schemas/time.h"

#define LOGGED_BODY_BYTES 65536

enum step { STEP_ARRIVE, STEP_DELAY, STEP_EFFECT, STEP_APPLIED, STEP_SEND, STEP_HALF, STEP_RAW };

struct gate {
	struct gate *next;
	char name[NAME_MAX_BYTES];
	size_t reached;
	bool stays_open;
	struct visit *parked;
	struct visit *waiting; /* of /__gate/NAME/wait */
};

struct tool {
	uv_loop_t loop;
	struct st_http_server *server;
	int log_fd;
	json_t *rules;	 /* array; "seen" and "hit" are counted inside */
	json_t *effects; /* key -> {"count":n,"replays":n,"hash":…,"answer":…} */
	json_t *by_path;
	struct gate *gates;
	uint64_t seq;
	uint64_t effects_keyed;
	uint64_t effects_plain;
	uint64_t replays;
	uint64_t in_flight;
	uint64_t in_flight_max;
	uint64_t chance;
};

struct visit {
	struct tool *tool;
	struct visit *next; /* in a gate's list */
	struct st_exchange *exchange;
	uv_timer_t timer;
	uint64_t seq;
	struct fault fault;
	json_t *rule;  /* the last that fits; a reference */
	uint64_t left; /* of /big; of "times" */
	bool counts;   /* as in flight; the test's own questions do not */
	json_t *body;  /* when it is JSON */
	enum step step;
	int status;
	bool sse;
	const char *type;
	struct st_buf answer;
};

/* --- the log --- */

static void die(const char *what)
{
	(void)fprintf(stderr, "toolserver: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const char *now_text(char out[ST_TIME_TEXT_MAX])
{
	struct timespec now = {0};
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return st_time_format((st_time)now.tv_sec * 1000 + now.tv_nsec / 1000000, out);
}

/* Writes and syncs one line; takes the object. */
static void log_line(struct tool *tool, json_t *line)
{
	char at[ST_TIME_TEXT_MAX];
	(void)json_object_set_new(line, "at", json_string(now_text(at)));
	char *text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	struct st_buf out = {0};
	st_buf_addf(&out, "%s\n", text);
	free(text);
	if (tool->log_fd >= 0) {
		if (write(tool->log_fd, out.data, out.len) != (ssize_t)out.len ||
		    fdatasync(tool->log_fd) != 0) {
			die("the log");
		}
	}
	st_buf_fini(&out);
}

static void log_event(struct visit *visit, const char *event, const char *key)
{
	json_t *line = json_pack("{s:s,s:I}", "event", event, "seq", (json_int_t)visit->seq);
	if (key != NULL) {
		(void)json_object_set_new(line, "key", json_string(key));
	}
	log_line(visit->tool, line);
}

static void log_request(struct visit *visit)
{
	struct st_exchange *exchange = visit->exchange;
	size_t body_len = 0;
	(void)st_exchange_body(exchange, &body_len);
	json_t *line =
	    json_pack("{s:s,s:I,s:s,s:s,s:I}", "event", "request", "seq", (json_int_t)visit->seq,
		      "method", st_exchange_method(exchange), "path", st_exchange_path(exchange),
		      "body_bytes", (json_int_t)body_len);
	json_t *names = json_array();
	json_t *marks = json_object();
	size_t n = 0;
	const struct st_http_field *headers = st_exchange_headers(exchange, &n);
	for (size_t i = 0; i < n; i++) {
		(void)json_array_append_new(names, json_string(headers[i].name));
		if (strncasecmp(headers[i].name, "x-stint-", 8) == 0) {
			(void)json_object_set_new(marks, headers[i].name,
						  json_string(headers[i].value));
		}
	}
	(void)json_object_set_new(line, "headers", names);
	(void)json_object_set_new(line, "stint", marks);
	const char *key = st_exchange_header(exchange, "Idempotency-Key");
	if (key != NULL) {
		(void)json_object_set_new(line, "idempotency_key", json_string(key));
	}
	(void)json_object_set_new(line, "target", json_string(st_exchange_target(exchange)));
	if (visit->body != NULL && body_len <= LOGGED_BODY_BYTES) {
		(void)json_object_set(line, "body", visit->body);
	}
	log_line(visit->tool, line);
}

/* --- what goes wrong --- */

static bool path_fits(const char *pattern, const char *path)
{
	size_t len = strlen(pattern);
	if (len > 0 && pattern[len - 1] == '*') {
		return strncmp(pattern, path, len - 1) == 0;
	}
	return strcmp(pattern, path) == 0;
}

static bool nth_fits(const json_t *nth, int64_t seen)
{
	size_t i = 0;
	json_t *n = NULL;
	if (nth == NULL) {
		return true;
	}
	if (json_is_integer(nth)) {
		return json_integer_value(nth) == seen;
	}
	json_array_foreach(nth, i, n)
	{
		if (json_integer_value(n) == seen) {
			return true;
		}
	}
	return false;
}

static void bump(json_t *object, const char *name)
{
	int64_t n = json_integer_value(json_object_get(object, name));
	(void)json_object_set_new(object, name, json_integer(n + 1));
}

static void apply_rule(struct visit *visit, json_t *rule)
{
	bump(rule, "hit");
	json_decref(visit->rule);
	visit->rule = json_incref(rule);
	const json_t *fault = json_object_get(rule, "fault");
	if (json_is_string(fault)) {
		fault_read(&visit->fault, json_string_value(fault), &visit->tool->chance);
	}
	const char *gate = json_string_value(json_object_get(rule, "gate"));
	if (gate != NULL) {
		fault_set_gate(&visit->fault, gate);
	}
	const char *name = json_string_value(json_object_get(rule, "name"));
	if (gate != NULL && name != NULL) {
		(void)snprintf(visit->fault.gate, sizeof visit->fault.gate, "%s", name);
	}
}

static void apply_rules(struct visit *visit)
{
	size_t i = 0;
	json_t *rule = NULL;
	const char *path = st_exchange_path(visit->exchange);
	const char *method = st_exchange_method(visit->exchange);
	json_array_foreach(visit->tool->rules, i, rule)
	{
		const char *pattern = json_string_value(json_object_get(rule, "path"));
		const char *wanted = json_string_value(json_object_get(rule, "method"));
		if (pattern == NULL || !path_fits(pattern, path) ||
		    (wanted != NULL && strcmp(wanted, method) != 0)) {
			continue;
		}
		bump(rule, "seen");
		if (nth_fits(json_object_get(rule, "nth"),
			     json_integer_value(json_object_get(rule, "seen")))) {
			apply_rule(visit, rule);
		}
	}
}

static void plan(struct visit *visit)
{
	static const struct {
		const char *path;
		const char *spec;
	} paths[] = {
	    {"/hang", "hang"}, {"/drop-before", "drop=before"}, {"/drop-after", "drop=after"},
	    {"/half", "half"}, {"/garbage", "garbage"},
	};
	const char *path = st_exchange_path(visit->exchange);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (strcmp(path, paths[i].path) == 0) {
			fault_read(&visit->fault, paths[i].spec, &visit->tool->chance);
		}
	}
	if (strncmp(path, "/status/", 8) == 0) {
		visit->fault.status = (int)strtol(path + 8, NULL, 10);
	}
	const char *ms = st_exchange_query(visit->exchange, "ms");
	if (strcmp(path, "/slow") == 0 && ms != NULL) {
		visit->fault.delay_ms = strtoull(ms, NULL, 10);
	}
	apply_rules(visit);
	const char *query = st_exchange_query(visit->exchange, "fault");
	const char *header = st_exchange_header(visit->exchange, "x-fault");
	if (query != NULL) {
		fault_read(&visit->fault, query, &visit->tool->chance);
	}
	if (header != NULL) {
		fault_read(&visit->fault, header, &visit->tool->chance);
	}
}

/* --- effects and answers --- */

static uint64_t hash_bytes(const char *bytes, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	}
	return hash;
}

static void effect_plain(struct visit *visit)
{
	visit->tool->effects_plain++;
	log_event(visit, "effect", NULL);
	st_buf_addf(&visit->answer, "{\"effect\":%llu,\"id\":\"fx-%06llu\"}",
		    (unsigned long long)visit->tool->effects_plain, (unsigned long long)visit->seq);
}

/* The first time counts; the same key with another body is refused. */
static void effect_keyed(struct visit *visit, const char *key)
{
	struct tool *tool = visit->tool;
	size_t len = 0;
	const char *body = st_exchange_body(visit->exchange, &len);
	char hash[24];
	(void)snprintf(hash, sizeof hash, "%016llx", (unsigned long long)hash_bytes(body, len));
	json_t *effect = json_object_get(tool->effects, key);
	if (effect == NULL) {
		effect = json_pack("{s:i,s:i,s:s,s:I}", "count", 1, "replays", 0, "hash", hash,
				   "seq", (json_int_t)visit->seq);
		(void)json_object_set_new(tool->effects, key, effect);
		tool->effects_keyed++;
		log_event(visit, "effect", key);
	} else if (strcmp(json_string_value(json_object_get(effect, "hash")), hash) != 0) {
		log_event(visit, "key_reused", key);
		visit->status = 422;
		st_buf_add_text(&visit->answer, "{\"error\":\"idempotency_key_reused\"}");
		return;
	} else {
		tool->replays++;
		bump(effect, "replays");
		log_event(visit, "replay", key);
	}
	bool replayed = json_integer_value(json_object_get(effect, "replays")) > 0;
	st_buf_addf(&visit->answer, "{\"id\":\"fx-%06lld\",\"replayed\":%s}",
		    (long long)json_integer_value(json_object_get(effect, "seq")),
		    replayed ? "true" : "false");
}

/* x-usage-input and the like; else the rule's or the script's; else `otherwise`. */
static int64_t usage_of(const struct visit *visit, const char *name, int64_t otherwise)
{
	char header[NAME_MAX_BYTES];
	(void)snprintf(header, sizeof header, "x-usage-%s", name);
	const char *text = st_exchange_header(visit->exchange, header);
	if (text != NULL) {
		return strtoll(text, NULL, 10);
	}
	const json_t *value = json_object_get(json_object_get(visit->rule, "usage"), name);
	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static int64_t asked_output(const json_t *body)
{
	static const char *const names[] = {"max_tokens", "max_completion_tokens",
					    "max_output_tokens"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const json_t *value = json_object_get(body, names[i]);
		if (json_is_integer(value)) {
			return json_integer_value(value);
		}
	}
	const json_t *config = json_object_get(body, "generationConfig");
	const json_t *value = json_object_get(config, "maxOutputTokens");
	return json_is_integer(value) ? json_integer_value(value) : 16;
}

static bool answer_provider(struct visit *visit)
{
	size_t len = 0;
	(void)st_exchange_body(visit->exchange, &len);
	int64_t asked = asked_output(visit->body);
	const char *alt = st_exchange_query(visit->exchange, "alt");
	const char *raw = st_exchange_header(visit->exchange, "x-usage-json");
	json_t *usage = raw != NULL ? json_loads(raw, JSON_DECODE_ANY, NULL) : NULL;
	if (usage == NULL) {
		usage = json_incref(json_object_get(visit->rule, "usage_raw"));
	}
	struct fake fake = {
	    .path = fake_path(st_exchange_path(visit->exchange)),
	    .body = visit->body,
	    .seq = visit->seq,
	    .input = usage_of(visit, "input", (int64_t)(len + 3) / 4),
	    .output = usage_of(visit, "output", asked < 16 ? asked : 16),
	    .cache_read = usage_of(visit, "cache-read", 0),
	    .reasoning = usage_of(visit, "reasoning", 0),
	    .usage = usage,
	    .sse_query = alt != NULL && strcmp(alt, "sse") == 0,
	};
	int kind = fake_answer(&fake, &visit->answer);
	json_decref(usage);
	visit->sse = kind == 2;
	if (kind != 0) {
		log_line(visit->tool, json_pack("{s:s,s:I,s:I}", "event", "effect", "seq",
						(json_int_t)visit->seq, "billed",
						(json_int_t)(fake.input + fake.output)));
	}
	return kind != 0;
}

/* Paths whose effect counts once for each Idempotency-Key. */
static bool has_effect(const char *path)
{
	static const char *const paths[] = {"/effect", "/drop-before", "/drop-after",
					    "/half",   "/garbage",     "/slow"};
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (strcmp(path, paths[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* Applies the effect and writes the answer, which is then sent whole, half or not at all. */
static void apply(struct visit *visit)
{
	const char *path = st_exchange_path(visit->exchange);
	const char *key = st_exchange_header(visit->exchange, "Idempotency-Key");
	visit->status = 200;
	visit->type = "application/json";
	const json_t *answer = json_object_get(visit->rule, "answer");
	const json_t *status = json_object_get(visit->rule, "status");
	if (strcmp(path, "/effect-plain") == 0 || (has_effect(path) && key == NULL)) {
		effect_plain(visit);
	} else if (has_effect(path)) {
		effect_keyed(visit, key);
	} else if (answer == NULL && answer_provider(visit)) {
		visit->type = visit->sse ? "text/event-stream" : "application/json";
	} else if (answer == NULL) {
		st_buf_addf(&visit->answer, "{\"ok\":true,\"seq\":%llu}",
			    (unsigned long long)visit->seq);
	}
	if (json_is_integer(status)) {
		visit->status = (int)json_integer_value(status);
	}
	if (answer != NULL) {
		st_buf_clear(&visit->answer);
		char *text = json_is_string(answer) ? NULL : json_dumps(answer, JSON_COMPACT);
		st_buf_add_text(&visit->answer, text != NULL ? text : json_string_value(answer));
		free(text);
		visit->sse = strncmp(visit->answer.data, "event:", 6) == 0 ||
			     strncmp(visit->answer.data, "data:", 5) == 0;
		visit->type = visit->sse ? "text/event-stream" : "application/json";
	}
}

/* --- the way of a visit --- */

static void advance(struct visit *visit);

static void on_timer_closed(uv_handle_t *handle)
{
	struct visit *visit = handle->data;
	st_buf_fini(&visit->answer);
	st_free(visit);
}

/* The exchange has been ended by then. */
static void finish(struct visit *visit)
{
	visit->exchange = NULL;
	visit->tool->in_flight -= visit->counts ? 1 : 0;
	json_decref(visit->rule);
	json_decref(visit->body);
	visit->body = NULL;
	uv_close((uv_handle_t *)&visit->timer, on_timer_closed);
}

static void on_gone(void *arg)
{
	struct visit *visit = arg;
	log_event(visit, "gone", NULL);
	if ((visit->fault.hang && visit->step == STEP_EFFECT) || visit->step == STEP_RAW) {
		st_exchange_abort(visit->exchange);
		finish(visit);
	}
}

static void on_delay_over(uv_timer_t *timer)
{
	advance(timer->data);
}

static struct gate *find_gate(struct tool *tool, const char *name)
{
	for (struct gate *gate = tool->gates; gate != NULL; gate = gate->next) {
		if (strcmp(gate->name, name) == 0) {
			return gate;
		}
	}
	struct gate *gate = st_alloc(sizeof *gate);
	(void)snprintf(gate->name, sizeof gate->name, "%s", name);
	gate->next = tool->gates;
	tool->gates = gate;
	return gate;
}

static void reply_control(struct visit *visit, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT | JSON_SORT_KEYS);
	st_exchange_reply_json(visit->exchange, 200, text);
	free(text);
	json_decref(answer);
	finish(visit);
}

static void tell_waiting(struct gate *gate)
{
	struct visit *waiting = gate->waiting;
	gate->waiting = NULL;
	while (waiting != NULL) {
		struct visit *next = waiting->next;
		reply_control(waiting, json_pack("{s:s,s:I}", "gate", gate->name, "reached",
						 (json_int_t)gate->reached));
		waiting = next;
	}
}

/* true: the visit waits there, and open will advance it. */
static bool held_at(struct visit *visit, enum point point)
{
	if (visit->fault.gate_at != point) {
		return false;
	}
	visit->fault.gate_at = POINT_NONE;
	struct gate *gate = find_gate(visit->tool, visit->fault.gate);
	gate->reached++;
	log_event(visit, "gate", gate->name);
	if (gate->stays_open) {
		tell_waiting(gate);
		return false;
	}
	visit->next = gate->parked;
	gate->parked = visit;
	tell_waiting(gate);
	return true;
}

static bool step_arrive(struct visit *visit)
{
	visit->step = STEP_DELAY;
	return !held_at(visit, POINT_ARRIVE);
}

static bool step_delay(struct visit *visit)
{
	visit->step = STEP_EFFECT;
	if (visit->fault.delay_ms == 0) {
		return true;
	}
	(void)uv_timer_start(&visit->timer, on_delay_over, visit->fault.delay_ms, 0);
	return false;
}

static void send_status(struct visit *visit)
{
	struct st_http_field retry = {"Retry-After", visit->fault.retry_after};
	char body[96];
	int len =
	    snprintf(body, sizeof body, "{\"error\":{\"type\":\"fake\",\"message\":\"status %d\"}}",
		     visit->fault.status);
	bool bodiless = visit->fault.status == 204 || visit->fault.status == 304;
	st_exchange_reply(visit->exchange,
			  &(struct st_http_reply){.status = visit->fault.status,
						  .content_type = "application/json",
						  .headers = &retry,
						  .n_headers = retry.value[0] != '\0' ? 1 : 0,
						  .body = body,
						  .body_len = bodiless ? 0 : (size_t)len});
	finish(visit);
}

static bool step_effect(struct visit *visit)
{
	const struct fault *fault = &visit->fault;
	if (fault->hang) {
		return false; /* until the client leaves */
	}
	if (fault->drop_before) {
		st_exchange_abort(visit->exchange);
		finish(visit);
		return false;
	}
	if (fault->status >= 200 && !fault->after_effect) {
		send_status(visit);
		return false;
	}
	visit->step = STEP_APPLIED;
	apply(visit);
	return true;
}

static bool step_applied(struct visit *visit)
{
	visit->step = STEP_SEND;
	return !held_at(visit, POINT_APPLIED);
}

static void send_whole(struct visit *visit)
{
	struct st_http_field id = {"request-id", NULL};
	char text[32];
	(void)snprintf(text, sizeof text, "req_%06llu", (unsigned long long)visit->seq);
	id.value = text;
	struct st_http_reply reply = {
	    .status = visit->status, .content_type = visit->type, .headers = &id, .n_headers = 1};
	if (visit->sse) {
		st_exchange_stream_begin(visit->exchange, &reply);
		(void)st_exchange_stream_write(visit->exchange, visit->answer.data,
					       visit->answer.len);
		st_exchange_stream_end(visit->exchange);
	} else {
		reply.body = visit->answer.data;
		reply.body_len = visit->answer.len;
		st_exchange_reply(visit->exchange, &reply);
	}
	finish(visit);
}

static void end_raw(struct visit *visit)
{
	const char *end = json_string_value(json_object_get(visit->rule, "end"));
	if (end != NULL && strcmp(end, "stay") == 0) {
		(void)uv_timer_stop(&visit->timer);
		return; /* on_gone ends it */
	}
	if (end != NULL && strcmp(end, "reset") == 0) {
		st_exchange_abort(visit->exchange);
	} else {
		st_exchange_raw(visit->exchange, "", 0, true);
	}
	finish(visit);
}

static void on_raw_tick(uv_timer_t *timer)
{
	struct visit *visit = timer->data;
	if (st_exchange_stream_queued(visit->exchange) > 0) {
		return; /* the client is slower than we are */
	}
	if (visit->left == 0) {
		end_raw(visit);
		return;
	}
	visit->left--;
	st_exchange_raw(visit->exchange, visit->answer.data, visit->answer.len, false);
}

static void send_raw(struct visit *visit)
{
	struct st_buf first = {0};
	raw_bytes(visit->rule, "raw", &first);
	st_buf_clear(&visit->answer);
	raw_bytes(visit->rule, "again", &visit->answer);
	visit->left = (uint64_t)json_integer_value(json_object_get(visit->rule, "times"));
	visit->step = STEP_RAW;
	st_exchange_raw(visit->exchange, first.data, first.len, false);
	st_buf_fini(&first);
	json_int_t pause = json_integer_value(json_object_get(visit->rule, "pause_ms"));
	uint64_t pause_ms = pause > 0 ? (uint64_t)pause : 1;
	(void)uv_timer_start(&visit->timer, on_raw_tick, pause_ms, pause_ms);
}

static bool step_send(struct visit *visit)
{
	const struct fault *fault = &visit->fault;
	if (json_object_get(visit->rule, "raw") != NULL) {
		send_raw(visit);
		return false;
	}
	if (fault->drop_after) {
		st_exchange_abort(visit->exchange);
		finish(visit);
		return false;
	}
	if (fault->status >= 200) {
		send_status(visit);
		return false;
	}
	if (fault->garbage) {
		static const char noise[] = "\x00\xff\x13HTP/9 what\r\n\r\n\x80\x81";
		st_exchange_raw(visit->exchange, noise, sizeof noise - 1, true);
		finish(visit);
		return false;
	}
	if (!fault->half && fault->gate_at != POINT_HALF) {
		send_whole(visit);
		return false;
	}
	struct st_http_reply reply = {.status = visit->status, .content_type = visit->type};
	reply.stream_len = visit->sse ? 0 : (int64_t)visit->answer.len;
	st_exchange_stream_begin(visit->exchange, &reply);
	(void)st_exchange_stream_write(visit->exchange, visit->answer.data, visit->answer.len / 2);
	visit->step = STEP_HALF;
	return !held_at(visit, POINT_HALF);
}

static void step_half(struct visit *visit)
{
	if (visit->fault.half) {
		st_exchange_raw(visit->exchange, "", 0, true);
	} else {
		size_t half = visit->answer.len / 2;
		(void)st_exchange_stream_write(visit->exchange, visit->answer.data + half,
					       visit->answer.len - half);
		st_exchange_stream_end(visit->exchange);
	}
	finish(visit);
}

static void advance(struct visit *visit)
{
	bool on = true;
	while (on) {
		switch (visit->step) {
		case STEP_ARRIVE:
			on = step_arrive(visit);
			break;
		case STEP_DELAY:
			on = step_delay(visit);
			break;
		case STEP_EFFECT:
			on = step_effect(visit);
			break;
		case STEP_APPLIED:
			on = step_applied(visit);
			break;
		case STEP_SEND:
			on = step_send(visit);
			break;
		case STEP_HALF:
			step_half(visit);
			on = false;
			break;
		case STEP_RAW:
			on = false;
			break;
		}
	}
}

/* --- paths that answer without the way above --- */

static bool answer_redirect(struct visit *visit)
{
	const char *to = st_exchange_query(visit->exchange, "to");
	const char *status = st_exchange_query(visit->exchange, "status");
	struct st_http_field location = {"Location", to != NULL ? to : "/"};
	st_exchange_reply(
	    visit->exchange,
	    &(struct st_http_reply){.status = status != NULL ? (int)strtol(status, NULL, 10) : 302,
				    .headers = &location,
				    .n_headers = 1});
	finish(visit);
	return true;
}

static void on_big_drained(void *arg)
{
	struct visit *visit = arg;
	static const char block[16384] = {0};
	while (visit->left > 0 && st_exchange_stream_queued(visit->exchange) == 0) {
		size_t len = visit->left < sizeof block ? (size_t)visit->left : sizeof block;
		if (st_exchange_stream_write(visit->exchange, block, len) != 0) {
			break;
		}
		visit->left -= len;
	}
	if (visit->left == 0 || !st_exchange_is_open(visit->exchange)) {
		st_exchange_stream_end(visit->exchange);
		finish(visit);
	}
}

static void on_big_gone(void *arg)
{
	struct visit *visit = arg;
	log_event(visit, "gone", NULL);
	st_exchange_stream_end(visit->exchange);
	finish(visit);
}

static bool answer_big(struct visit *visit)
{
	const char *bytes = st_exchange_query(visit->exchange, "bytes");
	visit->left = bytes != NULL ? strtoull(bytes, NULL, 10) : 1 << 20;
	(void)st_exchange_on_close(visit->exchange, on_big_gone, visit);
	st_exchange_on_drain(visit->exchange, on_big_drained, visit);
	st_exchange_stream_begin(visit->exchange,
				 &(struct st_http_reply){.status = 200,
							 .content_type = "application/octet-stream",
							 .stream_len = (int64_t)visit->left});
	on_big_drained(visit);
	return true;
}

static json_t *stats(const struct tool *tool)
{
	return json_pack("{s:I,s:O,s:O,s:I,s:I,s:I,s:I,s:I,s:O}", "requests", (json_int_t)tool->seq,
			 "by_path", tool->by_path, "effects", tool->effects, "effects_keyed",
			 (json_int_t)tool->effects_keyed, "effects_plain",
			 (json_int_t)tool->effects_plain, "replays", (json_int_t)tool->replays,
			 "in_flight", (json_int_t)tool->in_flight, "max_inflight",
			 (json_int_t)tool->in_flight_max, "rules", tool->rules);
}

static void control_gate(struct visit *visit, const char *rest)
{
	const char *slash = strchr(rest, '/');
	char name[NAME_MAX_BYTES];
	size_t len = slash != NULL ? (size_t)(slash - rest) : strlen(rest);
	(void)snprintf(name, sizeof name, "%.*s", (int)len, rest);
	struct gate *gate = find_gate(visit->tool, name);
	const char *verb = slash != NULL ? slash + 1 : "";
	if (strcmp(verb, "wait") == 0) {
		visit->next = gate->waiting;
		gate->waiting = visit;
		if (gate->parked != NULL || gate->stays_open) {
			tell_waiting(gate);
		}
		return;
	}
	json_int_t released = 0;
	struct visit *parked = gate->parked;
	gate->parked = NULL;
	gate->stays_open = st_exchange_query(visit->exchange, "stay") != NULL;
	while (parked != NULL) {
		struct visit *next = parked->next;
		advance(parked);
		parked = next;
		released++;
	}
	reply_control(visit, json_pack("{s:s,s:I}", "gate", gate->name, "released", released));
}

/* The client of a wait left before the gate was reached. */
static void on_waiter_gone(void *arg)
{
	struct visit *visit = arg;
	for (struct gate *gate = visit->tool->gates; gate != NULL; gate = gate->next) {
		for (struct visit **at = &gate->waiting; *at != NULL; at = &(*at)->next) {
			if (*at == visit) {
				*at = visit->next;
				st_exchange_abort(visit->exchange);
				finish(visit);
				return;
			}
		}
	}
}

static void control(struct visit *visit, const char *path)
{
	struct tool *tool = visit->tool;
	(void)st_exchange_on_close(visit->exchange, on_waiter_gone, visit);
	if (strncmp(path, "gate/", 5) == 0) {
		control_gate(visit, path + 5);
		return;
	}
	if (strcmp(path, "rules") == 0 && json_is_array(visit->body)) {
		(void)json_array_extend(tool->rules, visit->body);
	} else if (strcmp(path, "rules") == 0 &&
		   strcmp(st_exchange_method(visit->exchange), "DELETE") == 0) {
		(void)json_array_clear(tool->rules);
	} else if (strcmp(path, "stats") != 0) {
		st_exchange_problem(visit->exchange, &(struct st_http_problem){.status = 404});
		finish(visit);
		return;
	}
	reply_control(visit, stats(tool));
}

static void handle(void *arg, struct st_exchange *exchange)
{
	struct tool *tool = arg;
	struct visit *visit = st_alloc(sizeof *visit);
	visit->tool = tool;
	visit->exchange = exchange;
	(void)uv_timer_init(&tool->loop, &visit->timer);
	visit->timer.data = visit;
	size_t len = 0;
	const char *body = st_exchange_body(exchange, &len);
	visit->body = len > 0 ? json_loadb(body, len, JSON_DECODE_ANY, NULL) : NULL;
	const char *path = st_exchange_path(exchange);
	if (strncmp(path, "/__", 3) == 0) {
		control(visit, path + 3);
		return;
	}
	visit->counts = true;
	tool->in_flight++;
	if (tool->in_flight > tool->in_flight_max) {
		tool->in_flight_max = tool->in_flight;
	}
	visit->seq = ++tool->seq;
	bump(tool->by_path, path);
	log_request(visit);
	if (strcmp(path, "/redirect") == 0) {
		(void)answer_redirect(visit);
	} else if (strcmp(path, "/big") == 0) {
		(void)answer_big(visit);
	} else {
		plan(visit);
		(void)st_exchange_on_close(exchange, on_gone, visit);
		advance(visit);
	}
}

/* --- start and end --- */

static size_t body_bytes_max(void *arg, const struct st_exchange *exchange)
{
	(void)arg;
	(void)exchange;
	return (size_t)64 << 20;
}

static void load_script(struct tool *tool, const char *path)
{
	json_error_t error;
	json_t *script = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	json_t *rules = json_is_array(script) ? script : json_object_get(script, "rules");
	if (!json_is_array(rules)) {
		(void)fprintf(stderr, "toolserver: %s: %s (line %d): wanted {\"rules\":[…]}\n",
			      path, error.text, error.line);
		exit(2);
	}
	(void)json_array_extend(tool->rules, rules);
	json_decref(script);
}

static void on_signal(uv_signal_t *signal, int number)
{
	(void)number;
	uv_stop(signal->loop);
}

static void listen_on(struct tool *tool, unsigned port)
{
	char address[32];
	(void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
	static const char *const hosts[] = {"toolserver.test", NULL};
	struct st_http_options options = {.listen = address,
					  .hosts = hosts,
					  .connections_max = 8192,
					  .per_peer_max = 8192,
					  .header_bytes_max = 256 << 10,
					  .url_bytes_max = 64 << 10};
	struct st_http_handler handler = {
	    .handle = handle, .body_bytes_max = body_bytes_max, .arg = tool};
	struct st_diag diag = {0};
	if (st_http_server_new(&tool->loop, &options, &handler, &tool->server, &diag) != 0) {
		(void)fprintf(stderr, "toolserver: %s\n", diag.text);
		exit(1);
	}
	(void)printf("{\"event\":\"ready\",\"port\":%u}\n", st_http_server_port(tool->server));
	if (fflush(stdout) != 0) {
		die("stdout");
	}
}

static unsigned read_options(struct tool *tool, int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"log", required_argument, NULL, 'l'},
						{"script", required_argument, NULL, 's'},
						{"seed", required_argument, NULL, 'r'},
						{NULL, 0, NULL, 0}};
	unsigned port = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'p':
			port = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			tool->log_fd =
			    open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
			if (tool->log_fd < 0) {
				die(optarg);
			}
			break;
		case 's':
			load_script(tool, optarg);
			break;
		case 'r':
			tool->chance = strtoull(optarg, NULL, 10) * 2 + 1;
			break;
		default:
			exit(2);
		}
	}
	return port;
}

int main(int argc, char **argv)
{
	static struct tool tool = {.log_fd = -1, .chance = UINT64_C(88172645463325252)};
	static uv_signal_t signals[2];
	tool.rules = json_array();
	tool.effects = json_object();
	tool.by_path = json_object();
	unsigned port = read_options(&tool, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	if (uv_loop_init(&tool.loop) != 0) {
		die("the event loop");
	}
	(void)uv_signal_init(&tool.loop, &signals[0]);
	(void)uv_signal_init(&tool.loop, &signals[1]);
	(void)uv_signal_start(&signals[0], on_signal, SIGTERM);
	(void)uv_signal_start(&signals[1], on_signal, SIGINT);
	listen_on(&tool, port);
	(void)uv_run(&tool.loop, UV_RUN_DEFAULT);
	return 0;
}
