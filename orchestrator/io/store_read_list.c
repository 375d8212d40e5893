/* SPDX-License-Identifier: Apache-2.0 */
/* Which runs are there? Newest first, a page at a time. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "schemas/state.h"

#define COLUMNS                                                                                    \
	"SELECT r.no, r.id, r.name, r.kind, r.state, r.paused, r.workflow, r.tenant, "             \
	"r.submitted_by, r.created_at, r.started_at, r.ended_at, h.id, h.kind, h.since "           \
	"FROM run r LEFT JOIN halt h ON h.id = r.halt WHERE r.no < ?1 "
#define ORDER "ORDER BY r.no DESC LIMIT ?2"
#define OF_TENANT "AND r.tenant = ?3 "
#define OF_STATE "AND r.state = ?4 "
#define OF_WORKFLOW "AND r.workflow = ?5 "

/* By which filters are given, so that each finds its index. */
static const char *const list_sql[] = {
    COLUMNS ORDER,
    COLUMNS OF_TENANT ORDER,
    COLUMNS OF_STATE ORDER,
    COLUMNS OF_TENANT OF_STATE ORDER,
    COLUMNS OF_WORKFLOW ORDER,
    COLUMNS OF_TENANT OF_WORKFLOW ORDER,
    COLUMNS OF_STATE OF_WORKFLOW ORDER,
    COLUMNS OF_TENANT OF_STATE OF_WORKFLOW ORDER,
};

/*
 * A cursor is the number of the last run shown and a checksum over it, so that a mistyped or made
 * up one is refused rather than answered with a page from somewhere. It gives nothing away: each
 * page is filtered by tenant anew.
 */
#define CURSOR_SUM_BYTES 8
#define CURSOR_PREFIX "p1-"

static void cursor_sum(int64_t no, uint8_t sum[CURSOR_SUM_BYTES])
{
	char text[64];
	uint8_t hash[crypto_generichash_BYTES_MIN];
	(void)snprintf(text, sizeof text, "stint list cursor %lld", (long long)no);
	(void)crypto_generichash(hash, sizeof hash, (const uint8_t *)text, strlen(text), NULL, 0);
	memcpy(sum, hash, CURSOR_SUM_BYTES);
}

static void cursor_format(int64_t no, char out[64])
{
	uint8_t sum[CURSOR_SUM_BYTES];
	char hex[2 * CURSOR_SUM_BYTES + 1];
	cursor_sum(no, sum);
	(void)sodium_bin2hex(hex, sizeof hex, sum, sizeof sum);
	(void)snprintf(out, 64, CURSOR_PREFIX "%llx-%s", (unsigned long long)no, hex);
}

static int cursor_parse(const char *text, int64_t *no, struct st_diag *diag)
{
	char again[64] = "";
	int64_t n = 0;
	size_t i = strlen(CURSOR_PREFIX);
	if (strncmp(text, CURSOR_PREFIX, i) == 0) {
		static const char digits[] = "0123456789abcdef";
		for (; text[i] != '\0' && strchr(digits, text[i]) != NULL && n >> 55 == 0; i++) {
			n = n << 4 | (int64_t)(strchr(digits, text[i]) - digits);
		}
		cursor_format(n, again);
	}
	if (strcmp(text, again) != 0) {
		return st_fail_at(diag, ST_ERR_INVALID, "/cursor",
				  "not a cursor that a list gave; leave it out to start over");
	}
	*no = n;
	return ST_OK;
}

/* A filter that was checked. */
struct asked {
	const struct st_read_list *list;
	int64_t before;
	int limit;
};

static bool given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int check(const struct st_read_list *list, struct asked *asked, struct st_diag *diag)
{
	*asked = (struct asked){.list = list, .before = INT64_MAX, .limit = list->limit};
	if (given(list->state) && st_machine_state_parse(&st_run_machine, list->state) < 0) {
		return st_fail_at(diag, ST_ERR_INVALID, "/state",
				  "there is no such state of a run: queued, running, halted, "
				  "blocked_limit, succeeded, failed, cancelled");
	}
	if (list->limit < 0) {
		return st_fail_at(diag, ST_ERR_INVALID, "/limit", "the limit must be 1 to %d",
				  ST_READ_PAGE_MAX);
	}
	if (asked->limit == 0) {
		asked->limit = ST_READ_PAGE_DEFAULT;
	} else if (asked->limit > ST_READ_PAGE_MAX) {
		asked->limit = ST_READ_PAGE_MAX;
	}
	return given(list->cursor) ? cursor_parse(list->cursor, &asked->before, diag) : ST_OK;
}

static void put_short_run(struct st_buf *out, struct st_reading *r)
{
	st_put_open(out, NULL, '{');
	st_put_col_id(out, "id", r, 1, ST_ID_RUN);
	st_put_col_text(out, "name", r, 2);
	st_put_col_text(out, "kind", r, 3);
	st_put_col_text(out, "state", r, 4);
	st_put_bool(out, "paused", st_reading_int(r, 5) != 0);
	st_put_col_text(out, "workflow", r, 6);
	st_put_col_text(out, "tenant", r, 7);
	st_put_col_text(out, "submitted_by", r, 8);
	st_put_col_time(out, "created_at", r, 9);
	st_put_col_time(out, "started_at", r, 10);
	st_put_col_time(out, "ended_at", r, 11);
	if (st_reading_none(r, 12)) {
		st_put_null(out, "halt");
	} else {
		st_put_open(out, "halt", '{');
		st_put_col_id(out, "id", r, 12, ST_ID_HALT);
		st_put_col_text(out, "kind", r, 13);
		st_put_col_time(out, "since", r, 14);
		st_put_close(out, '}');
	}
	st_put_close(out, '}');
}

static int ask_list(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		    struct st_diag *diag)
{
	const struct asked *asked = arg;
	const struct st_read_list *list = asked->list;
	size_t which = (given(list->tenant) ? 1U : 0U) | (given(list->state) ? 2U : 0U) |
		       (given(list->workflow) ? 4U : 0U);
	struct st_reading r = st_reading_begin(reader, list_sql[which]);
	char cursor[64] = "";
	int64_t last = 0;
	int n = 0;
	(void)no;
	st_reading_bind_int(&r, 1, asked->before);
	st_reading_bind_int(&r, 2, asked->limit + 1); /* one more: is there a next page? */
	st_reading_bind_text(&r, 3, list->tenant);
	st_reading_bind_text(&r, 4, list->state);
	st_reading_bind_text(&r, 5, list->workflow);
	st_put_open(out, NULL, '{');
	st_put_open(out, "runs", '[');
	for (; st_reading_next(&r) && n < asked->limit; n++) {
		put_short_run(out, &r);
		last = st_reading_int(&r, 0);
	}
	if (r.rc == SQLITE_ROW) {
		cursor_format(last, cursor);
	}
	st_put_close(out, ']');
	st_put_text(out, "next_cursor", cursor[0] != '\0' ? cursor : NULL);
	st_put_close(out, '}');
	return st_reading_end(&r, diag);
}

int st_reader_list(struct st_reader *reader, const struct st_read_list *list, struct st_buf *out,
		   struct st_diag *diag)
{
	struct asked asked;
	int err = check(list, &asked, diag);
	if (err != ST_OK) {
		return err;
	}
	const struct st_question question = {.arg = &asked, .ask = ask_list};
	return st_reader_answer_with(reader, &question, out, diag);
}
