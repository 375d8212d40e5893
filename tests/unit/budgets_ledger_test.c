/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budgets/grant.h"
#include "budgets/ledger.h"

#define WORDS_MAX 16
#define WORD_MAX 512

struct world {
	struct st_accounts accounts[ST_SCOPE_COUNT];
	struct st_chain chain;
	struct st_verdict verdict;
};

static void world_init(struct world *w)
{
	memset(w, 0, sizeof *w);
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		w->accounts[s].scope = (enum st_scope)s;
		(void)snprintf(w->accounts[s].id, sizeof w->accounts[s].id, "%s-1",
			       st_scope_name((enum st_scope)s));
		w->chain.of[s] = &w->accounts[s];
	}
}

static void world_fini(struct world *w)
{
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		st_accounts_fini(&w->accounts[s]);
		/* Freeing twice, and freeing nothing, is fine. */
		st_accounts_fini(&w->accounts[s]);
	}
	st_accounts_fini(NULL);
}

/*
 * The table language. One line, one operation, with what it must lead to:
 *
 *	limit SCOPE METER N             opens the account with that limit ("-": none)
 *	set SCOPE METER N = CODE        live change of the limit
 *	grant SCOPE METER N
 *	hold AMOUNTS = ok | SCOPE:METER:REMAINING:LACK,…    every refusal, in order
 *	settle AMOUNTS -> AMOUNTS = AMOUNTS                 held, used, overrun
 *	void AMOUNTS
 *	room METER = N
 *	SCOPE METER LIMIT+GRANTED settled N held N left N over N   what stands on that account
 *	SCOPE METER none                                          there is no such account
 *
 * AMOUNTS is METER=N,METER=N or "nothing". "max" is INT64_MAX; a hold is checked first, and the
 * check must answer the same and change nothing.
 */
static int64_t number(const char *text)
{
	if (strcmp(text, "max") == 0) {
		return INT64_MAX;
	}
	return strcmp(text, "-") == 0 ? ST_UNLIMITED : (int64_t)strtoll(text, NULL, 10);
}

static enum st_meter meter_of(const char *name)
{
	enum st_meter meter = ST_METER_TOKENS;
	if (!st_meter_parse(name, &meter)) {
		fail_msg("no meter \"%s\"", name);
	}
	return meter;
}

static struct st_accounts *scope_of(struct world *w, const char *name)
{
	enum st_scope scope = ST_SCOPE_STEP;
	if (!st_scope_parse(name, &scope)) {
		fail_msg("no scope \"%s\"", name);
	}
	return &w->accounts[scope];
}

static struct st_amounts amounts_of(const char *text)
{
	struct st_amounts amounts = {{0}};
	char copy[256];
	(void)snprintf(copy, sizeof copy, "%s", text);
	char *rest = copy;
	while (strcmp(text, "nothing") != 0 && *rest != '\0') {
		char *end = rest + strcspn(rest, ",");
		char *next = *end == '\0' ? end : end + 1;
		*end = '\0';
		char *equals = strchr(rest, '=');
		assert_non_null(equals);
		*equals = '\0';
		amounts.of[meter_of(rest)] = number(equals + 1);
		rest = next;
	}
	return amounts;
}

static void print_refusals(const struct st_verdict *verdict, char *out, size_t size)
{
	(void)snprintf(out, size, "%s", verdict->allowed ? "ok" : "");
	for (size_t i = 0; i < verdict->n_refused; i++) {
		const struct st_refusal *r = &verdict->refused[i];
		size_t used = strlen(out);
		char id[ST_NAME_MAX];
		(void)snprintf(id, sizeof id, "%s-1", st_scope_name(r->scope));
		assert_string_equal(r->scope_id, id);
		(void)snprintf(out + used, size - used, "%s%s:%s:%" PRId64 ":%" PRId64,
			       i == 0 ? "" : ",", st_scope_name(r->scope), st_meter_name(r->meter),
			       r->remaining, st_ledger_lack(r));
	}
}

static void run_hold(struct world *w, const char *line, const char *amounts, const char *expected)
{
	struct st_amounts asked = amounts_of(amounts);
	struct world before = *w;
	char checked[1024];
	char held[1024];
	st_ledger_check(&w->chain, &asked, &w->verdict);
	print_refusals(&w->verdict, checked, sizeof checked);
	assert_memory_equal(before.accounts, w->accounts, sizeof before.accounts);
	bool allowed = st_ledger_hold(&w->chain, &asked, &w->verdict);
	assert_int_equal(allowed, w->verdict.allowed);
	assert_int_equal(allowed, w->verdict.n_refused == 0);
	if (!allowed) {
		assert_memory_equal(before.accounts, w->accounts, sizeof before.accounts);
	}
	print_refusals(&w->verdict, held, sizeof held);
	if (strcmp(held, expected) != 0 || strcmp(checked, expected) != 0) {
		fail_msg("%s\n  gave %s (check: %s)", line, held, checked);
	}
}

static void run_settle(struct world *w, const char *line, char word[WORDS_MAX][WORD_MAX])
{
	struct st_amounts held = amounts_of(word[1]);
	struct st_amounts used = amounts_of(word[3]);
	struct st_amounts expected = amounts_of(word[5]);
	struct st_amounts overrun;
	memset(&overrun, 0xff, sizeof overrun);
	st_ledger_settle(&w->chain, &held, &used, &overrun);
	if (memcmp(&overrun, &expected, sizeof expected) != 0) {
		fail_msg("%s\n  gave another overrun", line);
	}
}

static void run_account(struct world *w, const char *line, char word[WORDS_MAX][WORD_MAX])
{
	const struct st_account *a = st_accounts_find(scope_of(w, word[0]), meter_of(word[1]));
	char text[256] = "none";
	if (a != NULL) {
		int64_t left = st_ledger_remaining(a);
		char limit[32] = "-";
		if (a->limit != ST_UNLIMITED) {
			(void)snprintf(limit, sizeof limit, "%" PRId64, a->limit);
		}
		(void)snprintf(text, sizeof text,
			       "%s+%" PRId64 " settled %" PRId64 " held %" PRId64 " left %" PRId64
			       " over %" PRId64,
			       limit, a->granted, a->settled, a->held, left, a->overrun);
	}
	const char *expected = strstr(line, word[2]);
	assert_non_null(expected);
	if (strcmp(text, expected) != 0) {
		fail_msg("%s\n  is %s", line, text);
	}
}

static void run_room(struct world *w, const char *line, const char *meter, const char *expected)
{
	struct st_amounts left;
	st_ledger_room(&w->chain, &left);
	if (left.of[meter_of(meter)] != number(expected)) {
		fail_msg("%s\n  is %" PRId64, line, left.of[meter_of(meter)]);
	}
}

static void run_set(struct world *w, const char *line, char word[WORDS_MAX][WORD_MAX])
{
	struct st_diag diag = {0};
	int rc =
	    st_ledger_set_limit(scope_of(w, word[1]), meter_of(word[2]), number(word[3]), &diag);
	const char *name = rc == ST_OK ? "ok" : rc == ST_ERR_CONFLICT ? "conflict" : "invalid";
	if (strcmp(name, word[5]) != 0) {
		fail_msg("%s\n  gave %s: %s", line, name, diag.text);
	}
}

static void run_line(struct world *w, const char *line)
{
	char word[WORDS_MAX][WORD_MAX] = {{0}};
	const char *p = line;
	for (size_t n = 0; n < WORDS_MAX && *p != '\0'; n++) {
		size_t len = strcspn(p, " ");
		assert_true(len < sizeof word[0]);
		memcpy(word[n], p, len);
		p += len + strspn(p + len, " ");
	}
	if (strcmp(word[0], "limit") == 0) {
		st_accounts_open(scope_of(w, word[1]), meter_of(word[2]), number(word[3]));
	} else if (strcmp(word[0], "set") == 0) {
		run_set(w, line, word);
	} else if (strcmp(word[0], "grant") == 0) {
		st_ledger_grant(scope_of(w, word[1]), meter_of(word[2]), number(word[3]));
	} else if (strcmp(word[0], "hold") == 0) {
		run_hold(w, line, word[1], word[3]);
	} else if (strcmp(word[0], "settle") == 0) {
		run_settle(w, line, word);
	} else if (strcmp(word[0], "void") == 0) {
		struct st_amounts held = amounts_of(word[1]);
		st_ledger_void(&w->chain, &held);
	} else if (strcmp(word[0], "room") == 0) {
		run_room(w, line, word[1], word[3]);
	} else {
		run_account(w, line, word);
	}
	st_ledger_prove(&w->chain);
}

static void run_table(const char *const *lines)
{
	struct world w;
	world_init(&w);
	for (; *lines != NULL; lines++) {
		run_line(&w, *lines);
	}
	world_fini(&w);
}

#define TABLE(...) run_table((const char *const[]){__VA_ARGS__, NULL})

static void a_hold_is_settled_for_what_was_used(void **state)
{
	(void)state;
	TABLE("limit run tokens 100", "limit tenant tokens 1000", "hold tokens=60 = ok",
	      "run tokens 100+0 settled 0 held 60 left 40 over 0",
	      "tenant tokens 1000+0 settled 0 held 60 left 940 over 0",
	      "platform tokens -+0 settled 0 held 60 left -1 over 0",
	      "settle tokens=60 -> tokens=45 = nothing",
	      "run tokens 100+0 settled 45 held 0 left 55 over 0",
	      "tenant tokens 1000+0 settled 45 held 0 left 955 over 0", "step tokens none",
	      "hold tokens=55 = ok", "hold tokens=1 = run:tokens:0:1", "void tokens=55",
	      "hold tokens=1 = ok", "run tokens 100+0 settled 45 held 1 left 54 over 0");
}

/* What the run counts anyway needs no account for each of its steps. */
static void a_step_has_an_account_only_where_it_is_limited(void **state)
{
	(void)state;
	TABLE("limit step tokens 50", "hold tokens=20,credits=1 = ok",
	      "step tokens 50+0 settled 0 held 20 left 30 over 0", "step credits none",
	      "run credits -+0 settled 0 held 1 left -1 over 0",
	      "settle tokens=20,credits=1 -> tokens=30,credits=2,cost_nusd=3 = "
	      "tokens=10,credits=1,cost_nusd=3",
	      "step tokens 50+0 settled 30 held 0 left 20 over 10", "step credits none",
	      "step cost_nusd none", "run credits -+0 settled 2 held 0 left -1 over 1");
}

static void the_widest_scope_refuses_for_all(void **state)
{
	(void)state;
	TABLE("limit run tokens 100", "limit platform cost_nusd 9",
	      "hold tokens=10,cost_nusd=10 = platform:cost_nusd:9:1",
	      "run tokens 100+0 settled 0 held 0 left 100 over 0",
	      "platform cost_nusd 9+0 settled 0 held 0 left 9 over 0", "run cost_nusd none",
	      "platform tokens none", "step tokens none", "hold tokens=10,cost_nusd=9 = ok",
	      "run cost_nusd -+0 settled 0 held 9 left -1 over 0",
	      "platform cost_nusd 9+0 settled 0 held 9 left 0 over 0");
}

static void every_refusal_is_named_narrowest_first_then_by_meter(void **state)
{
	(void)state;
	TABLE("limit platform tokens 5", "limit platform cost_nusd 6", "limit step credits 0",
	      "limit step tokens 1", "limit user tool_steps 3", "limit project tokens 100",
	      "hold credits=1,cost_nusd=7,tokens=8,tool_steps=4 = "
	      "step:tokens:1:7,step:credits:0:1,user:tool_steps:3:1,platform:tokens:5:3,"
	      "platform:cost_nusd:6:1",
	      "hold tokens=5,tool_steps=4 = step:tokens:1:4,user:tool_steps:3:1",
	      "project tokens 100+0 settled 0 held 0 left 100 over 0");
}

static void an_ask_of_nothing_is_never_refused_and_touches_nothing(void **state)
{
	(void)state;
	TABLE("limit run tokens 0", "hold nothing = ok", "hold tokens=0 = ok",
	      "hold tokens=1 = run:tokens:0:1", "run tokens 0+0 settled 0 held 0 left 0 over 0",
	      "step tokens none", "settle nothing -> nothing = nothing", "step tokens none",
	      "hold credits=1 = ok", "settle credits=1 -> tokens=3 = tokens=3",
	      "run tokens 0+0 settled 3 held 0 left 0 over 3", "hold nothing = ok",
	      "hold credits=1,tokens=0 = ok");
}

static void an_overrun_lets_nothing_further_through(void **state)
{
	(void)state;
	TABLE("limit run tokens 100", "hold tokens=40 = ok", "hold tokens=60 = ok",
	      "settle tokens=60 -> tokens=75 = tokens=15",
	      "run tokens 100+0 settled 75 held 40 left 0 over 15",
	      "hold tokens=1 = run:tokens:0:16", "room tokens = 0", "void tokens=40",
	      "run tokens 100+0 settled 75 held 0 left 25 over 15", "hold tokens=25 = ok",
	      "settle tokens=25 -> tokens=50 = tokens=25",
	      "run tokens 100+0 settled 125 held 0 left 0 over 40",
	      "hold tokens=1 = run:tokens:0:26", "hold credits=1 = ok", "grant run tokens 25",
	      "hold tokens=1 = run:tokens:0:1", "grant run tokens 1", "hold tokens=1 = ok",
	      "run tokens 100+26 settled 125 held 1 left 0 over 40");
}

static void what_was_not_held_is_overrun_whole(void **state)
{
	(void)state;
	TABLE("limit run tokens 100", "limit run cost_nusd 10", "hold tokens=10 = ok",
	      "settle tokens=10 -> tokens=5,cost_nusd=12,credits=2 = cost_nusd=12,credits=2",
	      "run tokens 100+0 settled 5 held 0 left 95 over 0",
	      "run cost_nusd 10+0 settled 12 held 0 left 0 over 12",
	      "workflow credits -+0 settled 2 held 0 left -1 over 2",
	      "hold tokens=1,cost_nusd=1 = run:cost_nusd:0:3");
}

static void a_grant_raises_what_may_be_held(void **state)
{
	(void)state;
	TABLE("limit run tokens 10", "hold tokens=15 = run:tokens:10:5", "grant run tokens 5",
	      "hold tokens=15 = ok", "run tokens 10+5 settled 0 held 15 left 0 over 0",
	      "grant run tokens 0", "run tokens 10+5 settled 0 held 15 left 0 over 0",
	      "grant run tokens max", "grant run tokens max",
	      "run tokens 10+9223372036854775807 settled 0 held 15 left 9223372036854775792 over 0",
	      "room tokens = 9223372036854775792");
}

static void the_largest_numbers_do_not_wrap(void **state)
{
	(void)state;
	TABLE("limit run tokens max", "hold tokens=max = ok", "room tokens = 0",
	      "run tokens 9223372036854775807+0 settled 0 held 9223372036854775807 left 0 over 0",
	      /* Without a limit an ask is refused only when it could no longer be counted, and
	       * then no grant helps. */
	      "hold tokens=1 = run:tokens:0:0,workflow:tokens:0:0,agent:tokens:0:0,"
	      "user:tokens:0:0,project:tokens:0:0,tenant:tokens:0:0,platform:tokens:0:0",
	      "settle tokens=max -> tokens=max = nothing",
	      "settle nothing -> tokens=max = tokens=max",
	      "run tokens 9223372036854775807+0 settled 9223372036854775807 held 0 left 0 over "
	      "9223372036854775807",
	      "settle nothing -> tokens=max = tokens=max",
	      "user tokens -+0 settled 9223372036854775807 held 0 left -1 over "
	      "9223372036854775807");
	TABLE("limit run tokens 5", "hold tokens=max = run:tokens:5:9223372036854775802",
	      "grant run tokens 9223372036854775802", "hold tokens=max = ok", "void tokens=max",
	      "hold tokens=1 = ok",
	      "hold tokens=max = "
	      "run:tokens:9223372036854775806:0,workflow:tokens:9223372036854775806:0,"
	      "agent:tokens:9223372036854775806:0,user:tokens:9223372036854775806:0,"
	      "project:tokens:9223372036854775806:0,tenant:tokens:9223372036854775806:0,"
	      "platform:tokens:9223372036854775806:0");
	TABLE("limit run tokens max", "grant run tokens max",
	      "hold tokens=9223372036854775806 = ok",
	      "run tokens 9223372036854775807+9223372036854775807 settled 0 held "
	      "9223372036854775806 left 1 over 0");
}

static void a_refusal_that_no_grant_can_cure_says_so(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_amounts asked = {{0}};
	st_accounts_open(&w.accounts[ST_SCOPE_RUN], ST_METER_TOKENS, 10);
	asked.of[ST_METER_TOKENS] = 11;
	assert_false(st_ledger_hold(&w.chain, &asked, &w.verdict));
	assert_int_equal(w.verdict.suggestion, ST_SUGGEST_REQUEST_APPROVAL);
	assert_true(w.verdict.until == ST_TIME_NONE);
	asked.of[ST_METER_TOKENS] = 1;
	assert_true(st_ledger_hold(&w.chain, &asked, &w.verdict));
	assert_int_equal(w.verdict.suggestion, ST_SUGGEST_NONE);
	asked.of[ST_METER_TOKENS] = INT64_MAX;
	assert_false(st_ledger_hold(&w.chain, &asked, &w.verdict));
	assert_int_equal(w.verdict.suggestion, ST_SUGGEST_FIX_DEFINITION);
	/* One account that can be cured does not hide another that can not. */
	asked.of[ST_METER_CREDITS] = 1;
	st_accounts_open(&w.accounts[ST_SCOPE_STEP], ST_METER_CREDITS, 0);
	st_ledger_check(&w.chain, &asked, &w.verdict);
	assert_int_equal(w.verdict.suggestion, ST_SUGGEST_FIX_DEFINITION);
	world_fini(&w);
}

static void the_room_is_the_least_over_the_scopes(void **state)
{
	(void)state;
	TABLE("room tokens = -", "limit platform tokens 7", "limit run tokens 9",
	      "limit user tokens -", "limit user credits 4", "room tokens = 7", "room credits = 4",
	      "room cost_nusd = -", "hold tokens=3 = ok", "room tokens = 4",
	      "set run tokens 5 = ok", "room tokens = 2");
}

static void a_limit_changes_live_but_not_below_what_is_used(void **state)
{
	(void)state;
	TABLE("set run tokens 100 = ok", "run tokens 100+0 settled 0 held 0 left 100 over 0",
	      "set run tokens -2 = invalid", "hold tokens=30 = ok", "grant run tokens 10",
	      "set run tokens 19 = conflict", "run tokens 100+10 settled 0 held 30 left 80 over 0",
	      "set run tokens 20 = ok", "hold tokens=1 = run:tokens:0:1", "set run tokens - = ok",
	      "hold tokens=100 = ok", "set run tokens 119 = conflict", "set run tokens 120 = ok",
	      "set run tokens 120 = ok", "run tokens 120+10 settled 0 held 130 left 0 over 0",
	      "set run credits 0 = ok", "hold credits=1 = run:credits:0:1",
	      /* Granted alone covers what is used. */
	      "limit run tool_steps 1", "grant run tool_steps 5", "hold tool_steps=2 = ok",
	      "set run tool_steps 0 = ok", "run tool_steps 0+5 settled 0 held 2 left 3 over 0",
	      /* After an overrun a limit may be raised in steps, not lowered. */
	      "limit user credits 10", "settle nothing -> credits=30 = credits=30",
	      "set user credits 20 = ok", "set user credits 19 = conflict",
	      "set user credits 20 = ok", "user credits 20+0 settled 30 held 0 left 0 over 30");
}

static void an_account_is_opened_once_and_kept_in_meter_order(void **state)
{
	(void)state;
	struct st_accounts accounts = {.scope = ST_SCOPE_RUN};
	for (int m = ST_METER_COUNT - 1; m >= 0; m--) {
		struct st_account *a = st_accounts_open(&accounts, (enum st_meter)m, m);
		assert_true(a->dirty);
		assert_true(a->limit == m);
		assert_ptr_equal(st_accounts_open(&accounts, (enum st_meter)m, 77), a);
		assert_true(a->limit == m);
	}
	assert_true(accounts.dirty);
	assert_int_equal(accounts.n, ST_METER_COUNT);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		assert_int_equal(accounts.of[m].meter, m);
		assert_ptr_equal(st_accounts_find(&accounts, (enum st_meter)m), &accounts.of[m]);
	}
	st_accounts_fini(&accounts);
	assert_null(st_accounts_find(&accounts, ST_METER_TOKENS));
}

static void clean(struct world *w)
{
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t i = 0; i < w->accounts[s].n; i++) {
			w->accounts[s].of[i].dirty = false;
		}
		w->accounts[s].dirty = false;
	}
}

static size_t dirty_count(const struct world *w, enum st_meter meter)
{
	size_t n = 0;
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t i = 0; i < w->accounts[s].n; i++) {
			n += w->accounts[s].of[i].dirty;
			assert_true(!w->accounts[s].of[i].dirty || w->accounts[s].dirty);
			assert_true(!w->accounts[s].of[i].dirty ||
				    w->accounts[s].of[i].meter == meter);
		}
	}
	return n;
}

static void what_changes_is_marked_and_nothing_else(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_amounts tokens = {{0}};
	struct st_amounts overrun;
	tokens.of[ST_METER_TOKENS] = 5;
	st_accounts_open(&w.accounts[ST_SCOPE_RUN], ST_METER_TOKENS, 5);
	st_accounts_open(&w.accounts[ST_SCOPE_RUN], ST_METER_CREDITS, 5);
	clean(&w);
	st_ledger_check(&w.chain, &tokens, &w.verdict);
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), 0);
	assert_true(st_ledger_hold(&w.chain, &tokens, &w.verdict));
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), ST_SCOPE_COUNT - 1);
	clean(&w);
	assert_false(st_ledger_hold(&w.chain, &tokens, &w.verdict));
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), 0);
	st_ledger_settle(&w.chain, &tokens, &tokens, &overrun);
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), ST_SCOPE_COUNT - 1);
	clean(&w);
	st_ledger_grant(&w.accounts[ST_SCOPE_RUN], ST_METER_TOKENS, 1);
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), 1);
	clean(&w);
	assert_int_equal(st_ledger_set_limit(&w.accounts[ST_SCOPE_RUN], ST_METER_TOKENS, 1, NULL),
			 ST_ERR_CONFLICT);
	assert_int_equal(dirty_count(&w, ST_METER_TOKENS), 0);
	world_fini(&w);
}

static void of_64_asks_exactly_those_pass_for_which_there_is_room(void **state)
{
	(void)state;
	for (int64_t room = 0; room <= 64; room += 13) {
		struct world w;
		world_init(&w);
		struct st_amounts asked = {{0}};
		asked.of[ST_METER_TOKENS] = 7;
		/* Room for `room` asks and a rest that is too small for one more. */
		st_accounts_open(&w.accounts[ST_SCOPE_TENANT], ST_METER_TOKENS, room * 7 + 6);
		int64_t passed = 0;
		for (int i = 0; i < 64; i++) {
			passed += st_ledger_hold(&w.chain, &asked, &w.verdict);
		}
		assert_true(passed == (room < 64 ? room : 64));
		st_ledger_prove(&w.chain);
		world_fini(&w);
	}
}

/* The naive model of the property test: the same sums, written down the slow way. */
struct model {
	int64_t limit[ST_SCOPE_COUNT][ST_METER_COUNT];
	uint64_t granted[ST_SCOPE_COUNT][ST_METER_COUNT];
	uint64_t settled[ST_SCOPE_COUNT][ST_METER_COUNT];
	uint64_t held[ST_SCOPE_COUNT][ST_METER_COUNT];
	uint64_t overrun[ST_SCOPE_COUNT][ST_METER_COUNT];
};

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static uint64_t cap(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : n;
}

static bool model_allows(const struct model *model, const struct st_amounts *asked,
			 size_t *refusals)
{
	*refusals = 0;
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t m = 0; m < ST_METER_COUNT; m++) {
			if (s == ST_SCOPE_STEP && model->limit[s][m] == ST_UNLIMITED) {
				continue; /* no account */
			}
			uint64_t total =
			    model->limit[s][m] < 0
				? INT64_MAX
				: cap((uint64_t)model->limit[s][m] + model->granted[s][m]);
			uint64_t used = cap(model->settled[s][m] + model->held[s][m]);
			*refusals += asked->of[m] > 0 && used + (uint64_t)asked->of[m] > total;
		}
	}
	return *refusals == 0;
}

static void model_settle(struct model *model, const struct st_amounts *held,
			 const struct st_amounts *used)
{
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t m = 0; m < ST_METER_COUNT; m++) {
			uint64_t h = (uint64_t)held->of[m];
			uint64_t u = (uint64_t)used->of[m];
			model->held[s][m] -= h;
			model->settled[s][m] = cap(model->settled[s][m] + u);
			model->overrun[s][m] = cap(model->overrun[s][m] + (u > h ? u - h : 0));
		}
	}
}

static void compare(struct world *w, const struct model *model)
{
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t i = 0; i < w->accounts[s].n; i++) {
			const struct st_account *a = &w->accounts[s].of[i];
			size_t m = a->meter;
			if (a->limit != model->limit[s][m] ||
			    (uint64_t)a->granted != model->granted[s][m] ||
			    (uint64_t)a->settled != model->settled[s][m] ||
			    (uint64_t)a->held != model->held[s][m] ||
			    (uint64_t)a->overrun != model->overrun[s][m]) {
				fail_msg("%s %s differs from the model",
					 st_scope_name((enum st_scope)s), st_meter_name(a->meter));
			}
		}
	}
}

static int64_t random_amount(uint64_t *seed)
{
	uint64_t r = next_random(seed);
	/* Mostly small, now and then at the end of what can be counted. */
	if (r % 512 == 0) {
		return INT64_MAX - (int64_t)(r >> 40) % 3;
	}
	return (int64_t)((r >> 20) % 40);
}

static struct st_amounts random_amounts(uint64_t *seed)
{
	struct st_amounts amounts = {{0}};
	uint64_t n = next_random(seed) % 4;
	for (uint64_t i = 0; i < n; i++) {
		amounts.of[next_random(seed) % 5] = random_amount(seed);
	}
	return amounts;
}

#define HOLDS_MAX 64

struct play {
	struct world w;
	struct model model;
	struct st_amounts holds[HOLDS_MAX];
	size_t n;
	size_t allowed;
	size_t refused;
	uint64_t seed;
};

static void play_hold(struct play *p)
{
	struct st_amounts asked = random_amounts(&p->seed);
	size_t refusals = 0;
	bool expected = model_allows(&p->model, &asked, &refusals);
	bool got = st_ledger_hold(&p->w.chain, &asked, &p->w.verdict);
	assert_int_equal(got, expected);
	assert_int_equal(p->w.verdict.n_refused, refusals);
	if (!got) {
		p->refused++;
		return;
	}
	p->allowed++;
	p->holds[p->n++] = asked;
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t m = 0; m < ST_METER_COUNT; m++) {
			p->model.held[s][m] += (uint64_t)asked.of[m];
		}
	}
}

static void play_end(struct play *p)
{
	size_t i = (size_t)(next_random(&p->seed) % p->n);
	struct st_amounts held = p->holds[i];
	p->holds[i] = p->holds[--p->n];
	struct st_amounts used = {{0}};
	struct st_amounts overrun;
	if (next_random(&p->seed) % 4 == 0) {
		st_ledger_void(&p->w.chain, &held);
	} else {
		for (size_t m = 0; m < ST_METER_COUNT; m++) {
			used.of[m] = held.of[m] / 2;
		}
		if (next_random(&p->seed) % 64 == 0) {
			used = random_amounts(&p->seed);
		}
		st_ledger_settle(&p->w.chain, &held, &used, &overrun);
	}
	model_settle(&p->model, &held, &used);
}

static void play_raise(struct play *p)
{
	size_t s = (size_t)(next_random(&p->seed) % ST_SCOPE_COUNT);
	enum st_meter m = (enum st_meter)(next_random(&p->seed) % 5);
	struct st_account *a = st_accounts_find(&p->w.accounts[s], m);
	int64_t amount = random_amount(&p->seed);
	if (a == NULL || a->limit == ST_UNLIMITED) {
		return;
	}
	if (next_random(&p->seed) % 2 == 0) {
		st_ledger_grant(&p->w.accounts[s], m, amount);
		p->model.granted[s][m] = cap(p->model.granted[s][m] + (uint64_t)amount);
		return;
	}
	uint64_t used = cap(p->model.settled[s][m] + p->model.held[s][m]);
	bool fits = amount >= a->limit || (uint64_t)amount + p->model.granted[s][m] >= used;
	int rc = st_ledger_set_limit(&p->w.accounts[s], m, amount, NULL);
	assert_int_equal(rc, fits ? ST_OK : ST_ERR_CONFLICT);
	if (fits) {
		p->model.limit[s][m] = amount;
	}
}

static void play_begin(struct play *p)
{
	world_init(&p->w);
	p->n = 0;
	memset(&p->model, 0, sizeof p->model);
	for (size_t s = 0; s < ST_SCOPE_COUNT; s++) {
		for (size_t m = 0; m < ST_METER_COUNT; m++) {
			p->model.limit[s][m] = ST_UNLIMITED;
			if (m < 5 && next_random(&p->seed) % 3 == 0) {
				int64_t amount = random_amount(&p->seed);
				p->model.limit[s][m] =
				    amount > INT64_MAX / 20 ? INT64_MAX : amount * 20;
				st_accounts_open(&p->w.accounts[s], (enum st_meter)m,
						 p->model.limit[s][m]);
			}
		}
	}
}

static void random_operations_agree_with_a_naive_model(void **state)
{
	(void)state;
	static struct play p;
	p.seed = UINT64_C(0x5717e57);
	for (int round = 0; round < 1000; round++) {
		play_begin(&p);
		for (int i = 0; i < 200; i++) {
			uint64_t what = next_random(&p.seed) % 16;
			if (what == 0) {
				play_raise(&p);
			} else if (p.n < HOLDS_MAX && (p.n == 0 || what < 10)) {
				play_hold(&p);
			} else {
				play_end(&p);
			}
			st_ledger_prove(&p.w.chain);
			compare(&p.w, &p.model);
		}
		while (p.n > 0) {
			play_end(&p);
		}
		compare(&p.w, &p.model);
		world_fini(&p.w);
	}
	/* The game is worth playing only if both answers are common. */
	assert_true(p.allowed > 20000);
	assert_true(p.refused > 20000);
}

static struct st_claim claim_of(void)
{
	struct st_id_source source = {.now = 1700000000000, .random = {1, 2}};
	struct st_claim claim = {.attempt = 3};
	claim.call = st_id_next(&source);
	claim.hold = st_id_next(&source);
	return claim;
}

static void a_grant_exists_only_for_what_is_held(void **state)
{
	(void)state;
	struct world w;
	world_init(&w);
	struct st_amounts asked = {{0}};
	asked.of[ST_METER_TOKENS] = 6;
	struct st_account *account =
	    st_accounts_open(&w.accounts[ST_SCOPE_RUN], ST_METER_TOKENS, 10);
	struct st_claim claim = claim_of();
	struct st_grant *grant = st_grant_make(&w.chain, &asked, &claim, &w.verdict);
	assert_non_null(grant);
	assert_true(w.verdict.allowed);
	assert_true(account->held == 6);
	assert_null(st_grant_make(&w.chain, &asked, &claim, &w.verdict));
	assert_int_equal(w.verdict.n_refused, 1);
	assert_true(account->held == 6);
	struct st_grant *copy = st_grant_copy(grant);
	st_grant_free(grant);
	assert_true(account->held == 6);
	assert_memory_equal(st_grant_amounts(copy), &asked, sizeof asked);
	assert_true(st_id_equal(st_grant_call(copy), claim.call));
	assert_true(st_id_equal(st_grant_hold(copy), claim.hold));
	assert_true(st_grant_attempt(copy) == 3);
	st_grant_free(copy);
	st_grant_free(NULL);
	world_fini(&w);
}

static void a_restored_grant_has_the_same_key(void **state)
{
	(void)state;
	struct st_amounts held = {{0}};
	struct st_claim claim = claim_of();
	char id[ST_ID_TEXT_MAX];
	char expected[ST_GRANT_KEY_MAX];
	char key[ST_GRANT_KEY_MAX];
	(void)snprintf(expected, sizeof expected, "%s-3", st_id_format(claim.call, ST_ID_CALL, id));
	struct st_grant *grant = st_grant_restore(&held, &claim);
	assert_string_equal(st_grant_key(grant, key), expected);
	st_grant_free(grant);
	claim.attempt = INT64_MAX;
	grant = st_grant_restore(&held, &claim);
	assert_int_equal(strlen(st_grant_key(grant, key)), 2 + 36 + 1 + 19);
	st_grant_free(grant);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_hold_is_settled_for_what_was_used),
	    cmocka_unit_test(a_step_has_an_account_only_where_it_is_limited),
	    cmocka_unit_test(the_widest_scope_refuses_for_all),
	    cmocka_unit_test(every_refusal_is_named_narrowest_first_then_by_meter),
	    cmocka_unit_test(an_ask_of_nothing_is_never_refused_and_touches_nothing),
	    cmocka_unit_test(an_overrun_lets_nothing_further_through),
	    cmocka_unit_test(what_was_not_held_is_overrun_whole),
	    cmocka_unit_test(a_grant_raises_what_may_be_held),
	    cmocka_unit_test(the_largest_numbers_do_not_wrap),
	    cmocka_unit_test(a_refusal_that_no_grant_can_cure_says_so),
	    cmocka_unit_test(the_room_is_the_least_over_the_scopes),
	    cmocka_unit_test(a_limit_changes_live_but_not_below_what_is_used),
	    cmocka_unit_test(an_account_is_opened_once_and_kept_in_meter_order),
	    cmocka_unit_test(what_changes_is_marked_and_nothing_else),
	    cmocka_unit_test(of_64_asks_exactly_those_pass_for_which_there_is_room),
	    cmocka_unit_test(random_operations_agree_with_a_naive_model),
	    cmocka_unit_test(a_grant_exists_only_for_what_is_held),
	    cmocka_unit_test(a_restored_grant_has_the_same_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
