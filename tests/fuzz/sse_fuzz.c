/* SPDX-License-Identifier: Apache-2.0 */
/* Are the events of a stream the same however it is cut into pieces? */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "schemas/buf.h"
#include "steps/sse.h"

#define EVENT_BYTES_MAX 256

static void note(void *arg, const struct st_sse_event *event)
{
	struct st_buf *out = arg;
	assert(strlen(event->name) <= EVENT_BYTES_MAX && event->data_len <= EVENT_BYTES_MAX);
	st_buf_addf(out, "%s|%s|%zu|", event->name, event->id, event->data_len);
	st_buf_add(out, event->data, event->data_len);
	assert(event->data[event->data_len] == '\0');
}

/* Pieces of up to `most` bytes; 0: all at once. */
static int feed(const uint8_t *data, size_t size, size_t most, struct st_buf *out)
{
	struct st_sse sse;
	int code = ST_OK;
	st_sse_init(&sse, EVENT_BYTES_MAX);
	for (size_t at = 0; at < size && code == ST_OK;) {
		size_t len = most == 0 || size - at < most ? size - at : most;
		code = st_sse_feed(&sse, (const char *)data + at, len, note, out);
		at += len;
	}
	if (code != ST_OK) {
		assert(st_sse_feed(&sse, "\n", 1, note, out) == code);
	}
	st_sse_fini(&sse);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct st_buf whole = {0};
	int code = feed(data, size, 0, &whole);
	for (size_t most = 1; most <= 7; most += 2) {
		struct st_buf pieces = {0};
		assert(feed(data, size, most, &pieces) == code);
		assert(pieces.len == whole.len);
		assert(whole.len == 0 || memcmp(pieces.data, whole.data, whole.len) == 0);
		st_buf_fini(&pieces);
	}
	st_buf_fini(&whole);
	return 0;
}
