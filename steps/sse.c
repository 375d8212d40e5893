/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/sse.h"

#include <assert.h>
#include <string.h>

void st_sse_init(struct st_sse *sse, size_t event_bytes_max)
{
	assert(event_bytes_max > 0);
	*sse = (struct st_sse){.event_bytes_max = event_bytes_max};
}

void st_sse_fini(struct st_sse *sse)
{
	st_buf_fini(&sse->line);
	st_buf_fini(&sse->data);
	st_buf_fini(&sse->name);
	st_buf_fini(&sse->id);
}

static const char *text_of(const struct st_buf *buf, const char *otherwise)
{
	return buf->len > 0 ? buf->data : otherwise;
}

static void dispatch(struct st_sse *sse, st_sse_cb callback, void *arg)
{
	if (sse->has_data) {
		struct st_sse_event event = {
		    .name = text_of(&sse->name, "message"),
		    .id = text_of(&sse->id, ""),
		    .data = text_of(&sse->data, ""),
		    .data_len = sse->data.len,
		};
		callback(arg, &event);
	}
	st_buf_clear(&sse->data);
	st_buf_clear(&sse->name);
	sse->has_data = false;
}

static void take_field(struct st_sse *sse, size_t name_len, const char *value, size_t len)
{
	const char *name = sse->line.data;
	if (name_len == 4 && memcmp(name, "data", 4) == 0) {
		if (sse->has_data) {
			st_buf_add_char(&sse->data, '\n');
		}
		st_buf_add(&sse->data, value, len);
		sse->has_data = true;
	} else if (name_len == 5 && memcmp(name, "event", 5) == 0) {
		st_buf_clear(&sse->name);
		st_buf_add(&sse->name, value, len);
	} else if (name_len == 2 && memcmp(name, "id", 2) == 0 && memchr(value, 0, len) == NULL) {
		st_buf_clear(&sse->id);
		st_buf_add(&sse->id, value, len);
	}
}

static void end_line(struct st_sse *sse, st_sse_cb callback, void *arg)
{
	const struct st_buf *line = &sse->line;
	if (line->len == 0) {
		dispatch(sse, callback, arg);
		return;
	}
	const char *colon = memchr(line->data, ':', line->len);
	if (colon != line->data) {
		const char *end = line->data + line->len;
		const char *value = colon != NULL ? colon + 1 : end;
		if (value < end && *value == ' ') {
			value++;
		}
		size_t name_len = (size_t)((colon != NULL ? colon : end) - line->data);
		take_field(sse, name_len, value, (size_t)(end - value));
	}
	st_buf_clear(&sse->line);
}

/* Drops a byte order mark from the first line, whose bytes are still being gathered. */
static void skip_mark(struct st_sse *sse)
{
	static const char mark[3] = {'\xef', '\xbb', '\xbf'};
	if (sse->past_start || sse->line.len < sizeof mark) {
		return;
	}
	sse->past_start = true;
	if (memcmp(sse->line.data, mark, sizeof mark) == 0) {
		st_buf_clear(&sse->line);
	}
}

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

int st_sse_feed(struct st_sse *sse, const char *bytes, size_t len, st_sse_cb callback, void *arg)
{
	size_t i = 0;
	while (i < len && !sse->failed) {
		if (sse->after_cr && bytes[i] == '\n') {
			sse->after_cr = false;
			i++;
			continue;
		}
		sse->after_cr = false;
		size_t run = 0;
		size_t run_max = sse->past_start ? len - i : 1;
		while (run < run_max && !is_line_end(bytes[i + run])) {
			run++;
		}
		if (sse->data.len + sse->line.len + run > sse->event_bytes_max) {
			sse->failed = true;
			break;
		}
		st_buf_add(&sse->line, bytes + i, run);
		skip_mark(sse);
		i += run;
		if (i < len && is_line_end(bytes[i])) {
			sse->after_cr = bytes[i] == '\r';
			sse->past_start = true;
			end_line(sse, callback, arg);
			i++;
		}
	}
	return sse->failed ? ST_ERR_TOO_LARGE : ST_OK;
}
