/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, in order? Events of a run. */
#include <string.h>

#include "orchestrator/io/store_reading.h"

enum {
	EVENT_SEQ,
	EVENT_AT,
	EVENT_TYPE,
	EVENT_STEP,
	EVENT_ITEM,
	EVENT_CALL,
	EVENT_DATA,
	EVENT_HASH
};
/* What came at once lies together, and the first of it is in the index: from the last such
 * place that is not after the event wanted. */
static const char events_sql[] =
    "SELECT x.seq, x.at, x.type, x.step, x.item, x.call, x.data, x.hash "
    "FROM event f CROSS JOIN event x ON x.no >= f.no AND x.no < f.no + f.n "
    "WHERE f.n > 0 AND f.run_no = ?1 AND f.seq >= coalesce((SELECT max(seq) FROM event "
    "WHERE n > 0 AND run_no = ?1 AND seq <= ?2 + 1), 0) AND x.seq > ?2 "
    "ORDER BY f.seq, x.no LIMIT ?3";

/* One event as an object with a comma behind it. */
static void put_event(struct st_buf *out, struct st_reading *r, const char *run)
{
	int64_t item = st_reading_int(r, EVENT_ITEM);
	st_put_open(out, NULL, '{');
	st_put_col_int(out, "seq", r, EVENT_SEQ);
	st_put_col_time(out, "at", r, EVENT_AT);
	st_put_text(out, "run", run);
	st_put_col_text(out, "step", r, EVENT_STEP);
	if (item > 0) {
		st_put_int(out, "item", item);
	}
	st_put_col_id(out, "call", r, EVENT_CALL, ST_ID_CALL);
	st_put_col_text(out, "type", r, EVENT_TYPE);
	st_put_col_json(out, "data", r, EVENT_DATA);
	st_put_col_hex(out, "hash", r, EVENT_HASH);
	st_put_close(out, '}');
}

static struct st_reading begin(struct st_reader *reader, const struct st_read_timeline *page,
			       int64_t no)
{
	struct st_reading r = st_reading_begin(reader, events_sql);
	st_reading_bind_int(&r, 1, no);
	st_reading_bind_int(&r, 2, page->after_seq);
	st_reading_bind_int(&r, 3, page->limit > 0 ? page->limit : -1);
	return r;
}

struct array_of {
	const struct st_read_timeline *page;
	int64_t *last_seq;
};

static int ask_timeline(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
			struct st_diag *diag)
{
	const struct array_of *array = arg;
	struct st_reading r = begin(reader, array->page, no);
	char run[ST_ID_TEXT_MAX];
	(void)st_id_format(array->page->of.run, ST_ID_RUN, run);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		put_event(out, &r, run);
		*array->last_seq = st_reading_int(&r, EVENT_SEQ);
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_timeline(struct st_reader *reader, struct st_read_timeline *page, struct st_buf *out,
		       struct st_diag *diag)
{
	int64_t last_seq = page->after_seq;
	const struct array_of array = {.page = page, .last_seq = &last_seq};
	const struct st_question question = {.of = &page->of, .arg = &array, .ask = ask_timeline};
	int err = st_reader_answer_with(reader, &question, out, diag);
	page->last_seq = err == ST_OK ? last_seq : page->after_seq;
	return err;
}

struct one_by_one {
	const struct st_read_timeline *page;
	int64_t *last_seq;
	void (*see)(void *arg, const struct st_event_view *event);
	void *arg;
};

static void show(const struct one_by_one *to, struct st_reading *r, const char *json)
{
	char call[ST_ID_TEXT_MAX] = "";
	struct st_id id;
	st_reading_bytes(r, EVENT_CALL, id.bytes, sizeof id.bytes);
	if (!st_id_is_none(id)) {
		(void)st_id_format(id, ST_ID_CALL, call);
	}
	const struct st_event_view event = {
	    .seq = st_reading_int(r, EVENT_SEQ),
	    .at = st_reading_int(r, EVENT_AT),
	    .type = st_reading_text(r, EVENT_TYPE),
	    .step = st_reading_text(r, EVENT_STEP),
	    .item = (int)st_reading_int(r, EVENT_ITEM),
	    .call = call,
	    .data = st_reading_text(r, EVENT_DATA),
	    .json = json,
	};
	if (!r->damaged) {
		to->see(to->arg, &event);
		*to->last_seq = event.seq;
	}
}

static int ask_events(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		      struct st_diag *diag)
{
	const struct one_by_one *to = arg;
	struct st_reading r = begin(reader, to->page, no);
	char run[ST_ID_TEXT_MAX];
	(void)st_id_format(to->page->of.run, ST_ID_RUN, run);
	while (st_reading_next(&r)) {
		st_buf_clear(out);
		put_event(out, &r, run);
		st_put_done(out);
		show(to, &r, out->data);
	}
	st_buf_clear(out);
	return st_reading_end(&r, diag);
}

int st_reader_events(struct st_reader *reader, struct st_read_timeline *page,
		     void (*see)(void *arg, const struct st_event_view *event), void *arg,
		     struct st_diag *diag)
{
	int64_t last_seq = page->after_seq;
	struct st_buf line = {0};
	const struct one_by_one to = {.page = page, .last_seq = &last_seq, .see = see, .arg = arg};
	const struct st_question question = {.of = &page->of, .arg = &to, .ask = ask_events};
	int err = st_reader_answer_with(reader, &question, &line, diag);
	page->last_seq = last_seq;
	st_buf_fini(&line);
	return err;
}
