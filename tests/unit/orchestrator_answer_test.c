/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#include "orchestrator/answer.h"
#include "orchestrator/decision.h"

#define NOOPS                                                                                      \
	"{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":{\"tool_steps\":1},"         \
	"\"steps\":[{\"id\":\"a\",\"uses\":\"noop\"},"                                             \
	"{\"id\":\"b\",\"uses\":\"noop\",\"needs\":[\"a\"]}]}"

static const struct st_idempotency key = {{1}, {2}};

static const struct st_row_answer *last_answer(const struct world *w)
{
	const struct st_row_answer *found = NULL;
	for (size_t i = 0; i < w->stored.n; i++) {
		found = w->stored.of[i].type == ST_ROW_ANSWER ? w->stored.of[i].answer : found;
	}
	return found;
}

static void control(struct world *w, enum st_event_type type, enum st_role role)
{
	struct st_event event = {.type = type, .run = w->run, .idempotency = &key};
	event.actor = world_actor("ann", role);
	world_step(w, &event);
}

static void an_accepted_change_keeps_its_answer_in_the_same_batch(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, NOOPS);
	assert_int_equal(world_count(&w, ST_ROW_ANSWER), 0); /* no key: nothing is kept */
	control(&w, ST_EVENT_PAUSE, ST_ROLE_SUBMITTER);
	assert_int_equal(w.reply, ST_OK);
	assert_int_equal(world_count(&w, ST_ROW_ANSWER), 1);
	const struct st_row_answer *row = last_answer(&w);
	assert_int_equal(row->status, 200);
	assert_int_equal(row->at, w.now);
	assert_string_equal(st_clean_text(row->body), w.reply_text);
	assert_memory_equal(row->key_hash, key.key_hash, ST_HASH_BYTES);
	assert_memory_equal(row->body_hash, key.body_hash, ST_HASH_BYTES);
	world_fini(&w);
}

static void a_refusal_keeps_no_answer(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, NOOPS);
	control(&w, ST_EVENT_RESUME, ST_ROLE_SUBMITTER);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	control(&w, ST_EVENT_PAUSE, ST_ROLE_VIEWER);
	assert_int_equal(w.reply, ST_ERR_FORBIDDEN);
	assert_int_equal(world_count(&w, ST_ROW_ANSWER), 0);
	world_fini(&w);
}

static void a_doubt_is_resolved_by_the_halt_that_is_about_it(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	world_submit(&w, "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"budget\":{"
			 "\"dangerous_ops\":1},\"steps\":[{\"id\":\"a\",\"uses\":\"http.request\","
			 "\"with\":{\"method\":\"POST\",\"url\":\"https://example.com/x\"}}]}");
	if (w.n_flights == 0) { /* where such a call needs an approval first */
		world_decide(&w, "bob", (struct st_decide){.decision = ST_DECISION_GRANT});
	}
	world_crash(&w, 1);
	struct st_decide other = {.decision = ST_DECISION_RESOLVE, .halt = {{9}}};
	world_decide(&w, "bob", other);
	assert_int_equal(w.reply, ST_ERR_CONFLICT);
	struct st_decide decide = {.decision = ST_DECISION_RESOLVE, .halt = w.halt};
	world_decide(&w, "bob", decide);
	assert_int_equal(w.reply, ST_OK);
	world_fini(&w);
}

static void statuses_tell_who_can_mend_it(void **state)
{
	(void)state;
	assert_int_equal(st_answer_event_status(ST_EVENT_SUBMIT, ST_OK), 201);
	assert_int_equal(st_answer_event_status(ST_EVENT_CANCEL, ST_OK), 200);
#define X(name, code, text)                                                                        \
	assert_true(st_answer_status(ST_ERR_##name) >= 400);                                       \
	assert_true(st_answer_status(ST_ERR_##name) != 500);
	ST_ERR_X(X)
#undef X
	assert_int_equal(st_answer_status(ST_ERR_UNAVAILABLE), 503);
	assert_int_equal(st_answer_status(ST_ERR_TOO_LARGE), 413);
}

/* Bodies */

struct body {
	const char *text;
	const char *pointer; /* of the refusal; NULL: it is taken */
};

static json_t *parse(const char *text)
{
	json_t *body = NULL;
	struct st_diag diag = {0};
	if (st_json_parse(text, strlen(text), ST_JSON_BYTES_MAX, &body, &diag) != ST_OK) {
		fail_msg("%s: %s", text, diag.text);
	}
	return body;
}

static void judge(const struct body *body, int err, const struct st_diag *diag)
{
	if (body->pointer == NULL) {
		if (err != ST_OK) {
			fail_msg("%s: %s: %s", body->text, diag->pointer, diag->text);
		}
		return;
	}
	if (err != ST_ERR_INVALID) {
		fail_msg("%s was taken", body->text);
	}
	assert_string_equal(diag->pointer, body->pointer);
	assert_true(diag->text[0] != '\0');
}

static void decisions_are_read_strictly(void **state)
{
	(void)state;
	static const struct body bodies[] = {
	    {"{\"decision\":\"grant\"}", NULL},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":1}]}", NULL},
	    {"{\"decision\":\"deny\",\"reason\":\"no\"}", NULL},
	    {"{\"decision\":\"resolve\",\"outcome\":\"did_not_happen\"}", NULL},
	    {"{\"decision\":\"resolve\",\"outcome\":\"happened\",\"external_id\":\"x\",\"usage\":"
	     "{\"tokens\":0},\"call\":\"c_01890000-0000-7000-8000-000000000000\"}",
	     NULL},
	    {"{}", "/decision"},
	    {"{\"decision\":\"yes\"}", "/decision"},
	    {"{\"decision\":1}", "/decision"},
	    {"{\"decision\":\"deny\",\"grants\":[]}", "/grants"},
	    {"{\"decision\":\"grant\",\"outcome\":\"happened\"}", "/outcome"},
	    {"{\"decision\":\"grant\",\"reason\":1}", "/reason"},
	    {"{\"decision\":\"grant\",\"grants\":{}}", "/grants"},
	    {"{\"decision\":\"grant\",\"grants\":[1]}", "/grants/0"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"amount\":1}]}", "/grants/0/meter"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"token\",\"amount\":1}]}",
	     "/grants/0/meter"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\"}]}", "/grants/0"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":0}]}",
	     "/grants/0/amount"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":-5}]}",
	     "/grants/0/amount"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":1.0}]}",
	     "/grants/0/amount"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":\"1\"}]}",
	     "/grants/0/amount"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":1,\"scope\":"
	     "\"tenant\"}]}",
	     "/grants/0/scope"},
	    {"{\"decision\":\"grant\",\"grants\":[{\"meter\":\"tokens\",\"amount\":1,\"x\":1}]}",
	     "/grants/0/x"},
	    {"{\"decision\":\"resolve\"}", "/outcome"},
	    {"{\"decision\":\"resolve\",\"outcome\":\"maybe\"}", "/outcome"},
	    {"{\"decision\":\"resolve\",\"outcome\":\"happened\",\"call\":\"r_1\"}", "/call"},
	    {"{\"decision\":\"resolve\",\"outcome\":\"happened\",\"usage\":{\"tokens\":-1}}",
	     "/usage/tokens"},
	    {"{\"decision\":\"resolve\",\"outcome\":\"happened\",\"usage\":{\"a/b\":1}}",
	     "/usage/a~1b"},
	};
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct st_decide decide = {0};
		struct st_diag diag = {0};
		json_t *body = parse(bodies[i].text);
		judge(&bodies[i], st_decision_decode(body, &decide, &diag), &diag);
		json_decref(body);
	}
	struct st_decide decide = {0};
	struct st_diag diag = {0};
	assert_int_equal(st_decision_decode(NULL, &decide, &diag), ST_ERR_INVALID);
}

static void seventeen_grants_or_a_long_reason_are_too_many(void **state)
{
	(void)state;
	json_t *body = parse("{\"decision\":\"grant\",\"grants\":[]}");
	struct st_decide decide = {0};
	struct st_diag diag = {0};
	for (int i = 0; i < ST_GRANTS_MAX; i++) {
		json_array_append_new(json_object_get(body, "grants"),
				      json_pack("{s:s,s:i}", "meter", "tokens", "amount", 1));
	}
	assert_int_equal(st_decision_decode(body, &decide, &diag), ST_OK);
	assert_int_equal(decide.n_grants, ST_GRANTS_MAX);
	json_array_append_new(json_object_get(body, "grants"), json_object());
	assert_int_equal(st_decision_decode(body, &decide, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/grants");
	json_decref(body);
	char *reason = st_alloc(ST_REASON_BYTES_MAX + 2);
	memset(reason, 'x', ST_REASON_BYTES_MAX + 1);
	body = json_pack("{s:s,s:s}", "decision", "deny", "reason", reason);
	assert_int_equal(st_decision_decode(body, &decide, &diag), ST_ERR_INVALID);
	assert_string_equal(diag.pointer, "/reason");
	json_decref(body);
	st_free(reason);
}

static void limits_and_tokens_are_read_strictly(void **state)
{
	(void)state;
	static const struct body limits[] = {
	    {"{\"limits\":{\"tokens\":5},\"reason\":\"more\"}", NULL},
	    {"{\"limits\":{}}", "/limits"},
	    {"{}", "/limits"},
	    {"{\"limits\":{\"tokens\":-1}}", "/limits/tokens"},
	    {"{\"limits\":{\"tokens\":1e3}}", "/limits/tokens"},
	    {"{\"limit\":{\"tokens\":1}}", "/limit"},
	    {"[]", ""},
	};
	static const struct body tokens[] = {
	    {"{\"role\":\"viewer\"}", NULL},
	    {"{\"role\":\"admin\",\"tenant\":\"acme\",\"name\":\"ann\"}", NULL},
	    {"{\"role\":\"viewer\",\"expires_at\":\"2027-01-01T00:00:00Z\"}", NULL},
	    {"{\"role\":\"viewer\",\"expires_at\":\"2026-01-01T00:00:00Z\"}", "/expires_at"},
	    {"{\"role\":\"viewer\",\"expires_at\":\"soon\"}", "/expires_at"},
	    {"{\"role\":\"viewer\",\"expires_at\":1}", "/expires_at"},
	    {"{}", "/role"},
	    {"{\"role\":\"root\"}", "/role"},
	    {"{\"role\":\"viewer\",\"tenant\":\"a b\"}", "/tenant"},
	    {"{\"role\":\"viewer\",\"name\":\"\"}", "/name"},
	    {"{\"role\":\"viewer\",\"hash\":\"x\"}", "/hash"},
	};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct st_amounts amounts;
		const char *reason = NULL;
		struct st_diag diag = {0};
		json_t *body = parse(limits[i].text);
		judge(&limits[i], st_limits_decode(body, &amounts, &reason, &diag), &diag);
		json_decref(body);
	}
	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		struct st_token_wish wish;
		struct st_diag diag = {0};
		json_t *body = parse(tokens[i].text);
		judge(&tokens[i], st_token_decode(body, INT64_C(1795000000000), &wish, &diag),
		      &diag);
		json_decref(body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_accepted_change_keeps_its_answer_in_the_same_batch),
	    cmocka_unit_test(a_refusal_keeps_no_answer),
	    cmocka_unit_test(a_doubt_is_resolved_by_the_halt_that_is_about_it),
	    cmocka_unit_test(statuses_tell_who_can_mend_it),
	    cmocka_unit_test(decisions_are_read_strictly),
	    cmocka_unit_test(seventeen_grants_or_a_long_reason_are_too_many),
	    cmocka_unit_test(limits_and_tokens_are_read_strictly),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
