/* SPDX-License-Identifier: Apache-2.0 */
/* Who used how much? Sums over settlements. */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/store_reading.h"
#include "schemas/mem.h"

/* Beyond this many groups the question was too wide. A power of two. */
#define GROUPS_MAX 65536

#define RUN_TEXT                                                                                   \
	"'r_' || lower(substr(hex(r.id), 1, 8) || '-' || substr(hex(r.id), 9, 4) || '-' || "       \
	"substr(hex(r.id), 13, 4) || '-' || substr(hex(r.id), 17, 4) || '-' || "                   \
	"substr(hex(r.id), 21))"

/* What the sums are kept apart by. */
static const struct {
	const char *name;
	const char *key; /* SQL */
} bys[] = {
    {"run", RUN_TEXT},		{"step", RUN_TEXT " || '/' || coalesce(s.id, h.step)"},
    {"workflow", "r.workflow"}, {"agent", "r.agent"},
    {"user", "r.user"},		{"project", "r.project"},
    {"tenant", "r.tenant"},	{"day", "strftime('%Y-%m-%d', t.at / 1000, 'unixepoch')"},
    {"kind", "c.kind"},
};

struct group {
	char *key;
	int64_t calls;
	int64_t estimated;
	struct st_amounts used;
};

/* Groups by key: open addressing, never more than half full. */
struct groups {
	struct group *of;
	size_t cap; /* a power of two */
	size_t n;
	struct group total;
};

static size_t slot_of(const struct groups *groups, const char *key)
{
	static const uint8_t no_secret[crypto_shorthash_KEYBYTES] = {0};
	uint64_t hash = 0;
	(void)crypto_shorthash((uint8_t *)&hash, (const uint8_t *)key, strlen(key), no_secret);
	size_t i = hash & (groups->cap - 1);
	while (groups->of[i].key != NULL && strcmp(groups->of[i].key, key) != 0) {
		i = (i + 1) & (groups->cap - 1);
	}
	return i;
}

static void grow(struct groups *groups)
{
	struct group *old = groups->of;
	size_t n = groups->cap;
	groups->cap = n == 0 ? 64 : 2 * n;
	groups->of = st_alloc_array(groups->cap, sizeof groups->of[0]);
	for (size_t i = 0; i < n; i++) {
		if (old[i].key != NULL) {
			groups->of[slot_of(groups, old[i].key)] = old[i];
		}
	}
	st_free(old);
}

static struct group *group_of(struct groups *groups, const char *key)
{
	if (2 * groups->n >= groups->cap) {
		grow(groups);
	}
	struct group *group = &groups->of[slot_of(groups, key)];
	if (group->key == NULL) {
		group->key = st_strdup(key);
		groups->n++;
	}
	return group;
}

static void groups_fini(struct groups *groups)
{
	for (size_t i = 0; i < groups->cap; i++) {
		st_free(groups->of[i].key);
	}
	st_free(groups->of);
}

static void count(struct group *group, const struct st_amounts *used, bool estimated)
{
	group->calls++;
	group->estimated += estimated;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		group->used.of[m] = st_add_saturating(group->used.of[m], used->of[m]);
	}
}

/* Calls and holds share their numbers. Without a run all settlements are gone through: an index by
 * time would cost every call, and this is asked seldom. */
static char *make_sql(size_t by, bool of_run)
{
	struct st_buf sql = {0};
	st_buf_addf(&sql, "SELECT %s, t.used, t.estimated FROM %s JOIN run r ON r.no = h.run_no ",
		    bys[by].key,
		    of_run ? "call c CROSS JOIN settlement t ON t.hold = c.hold "
			     "CROSS JOIN hold h ON h.no = c.hold"
			   : "settlement t CROSS JOIN hold h ON h.no = t.hold");
	if (!of_run && strcmp(bys[by].name, "kind") == 0) {
		st_buf_add_text(&sql, "CROSS JOIN call c ON c.no = t.hold ");
	}
	st_buf_add_text(&sql, "LEFT JOIN step s ON s.no = (h.run_no << 22) | (h.step << 11) "
			      "WHERE t.voided = 0 AND t.at >= ?1 AND t.at < ?2 ");
	st_buf_add_text(&sql,
			of_run ? "AND c.run_no = ?3" : "AND r.tenant = coalesce(?3, r.tenant)");
	return st_buf_take(&sql);
}

struct asked {
	const struct st_read_usage *usage;
	size_t by;
};

static int gather(struct st_reader *reader, const struct asked *asked, int64_t run_no,
		  struct groups *groups, struct st_diag *diag)
{
	const struct st_read_usage *usage = asked->usage;
	st_autofree char *sql = make_sql(asked->by, run_no > 0);
	struct st_reading r = st_reading_begin_once(reader, sql);
	st_reading_bind_int(&r, 1, usage->from == ST_TIME_NONE ? INT64_MIN : usage->from);
	st_reading_bind_int(&r, 2, usage->to == ST_TIME_NONE ? INT64_MAX : usage->to);
	if (run_no > 0) {
		st_reading_bind_int(&r, 3, run_no);
	} else {
		st_reading_bind_text(&r, 3, usage->of.tenant);
	}
	while (groups->n <= GROUPS_MAX && st_reading_next(&r)) {
		struct st_amounts used;
		bool estimated = st_reading_int(&r, 2) != 0;
		st_reading_amounts(&r, 1, &used);
		count(group_of(groups, st_reading_text(&r, 0)), &used, estimated);
		count(&groups->total, &used, estimated);
	}
	int err = st_reading_end(&r, diag);
	if (err == ST_OK && groups->n > GROUPS_MAX) {
		err = st_fail(diag, ST_ERR_TOO_LARGE,
			      "more than %d groups: narrow it down by run or time, or group by "
			      "something wider",
			      GROUPS_MAX);
	}
	return err;
}

static void put_group(struct st_buf *out, const struct group *group)
{
	if (group->key != NULL) {
		st_put_text(out, "key", group->key);
	}
	st_put_int(out, "calls", group->calls);
	st_put_int(out, "estimated", group->estimated);
	st_put_amounts(out, "usage", &group->used);
	st_put_close(out, '}');
}

static int by_key(const void *a, const void *b)
{
	const struct group *left = a;
	const struct group *right = b;
	if (left->key == NULL || right->key == NULL) { /* empty places go last */
		return (left->key == NULL) - (right->key == NULL);
	}
	return strcmp(left->key, right->key);
}

static int ask_usage(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		     struct st_diag *diag)
{
	const struct asked *asked = arg;
	struct groups groups = {0};
	grow(&groups);
	int err = gather(reader, asked, no, &groups, diag);
	qsort(groups.of, groups.cap, sizeof groups.of[0], by_key);
	st_put_open(out, NULL, '{');
	st_put_text(out, "by", bys[asked->by].name);
	st_put_time(out, "from", asked->usage->from);
	st_put_time(out, "to", asked->usage->to);
	st_put_open(out, "groups", '[');
	for (size_t i = 0; i < groups.n; i++) {
		st_put_open(out, NULL, '{');
		put_group(out, &groups.of[i]);
	}
	st_put_close(out, ']');
	st_put_open(out, "total", '{');
	put_group(out, &groups.total);
	st_put_close(out, '}');
	groups_fini(&groups);
	return err;
}

int st_reader_usage(struct st_reader *reader, const struct st_read_usage *usage, struct st_buf *out,
		    struct st_diag *diag)
{
	const size_t n = sizeof bys / sizeof bys[0];
	struct asked asked = {.usage = usage};
	while (usage->by != NULL && asked.by < n && strcmp(usage->by, bys[asked.by].name) != 0) {
		asked.by++;
	}
	if (asked.by == n) {
		return st_fail_at(diag, ST_ERR_INVALID, "/by",
				  "usage is told by run, step, workflow, agent, user, project, "
				  "tenant, day or kind");
	}
	const struct st_question question = {.of = st_id_is_none(usage->of.run) ? NULL : &usage->of,
					     .arg = &asked,
					     .ask = ask_usage};
	return st_reader_answer_with(reader, &question, out, diag);
}
