/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/stream.h"

#include <string.h>

#include "redact/clean_private.h"
#include "redact/scan.h"
#include "schemas/mem.h"

#define SLACK_BYTES 4096 /* an idle stream keeps no more memory than it holds back, and this */

struct st_redact_stream {
	struct st_scan scan;
	struct st_buf held;
	size_t told; /* redactions that earlier pieces told of */
};

struct st_redact_stream *st_redact_stream_open(const struct st_redactor *redactor)
{
	struct st_redact_stream *stream = st_alloc(sizeof *stream);
	st_scan_init(&stream->scan, redactor);
	return stream;
}

/* Forgets what is no longer needed; in big steps, so that a byte is moved only a few times. */
static void held_drop(struct st_redact_stream *stream)
{
	struct st_buf *held = &stream->held;
	size_t bytes = st_scan_droppable(&stream->scan);
	if (bytes < held->len && bytes < SLACK_BYTES && bytes < held->len / 2)
		return;
	if (bytes == held->len && held->cap <= SLACK_BYTES) {
		st_buf_clear(held);
	} else if (held->cap > SLACK_BYTES && held->len - bytes < held->cap / 4) {
		struct st_buf smaller = {0};
		if (held->len > bytes)
			st_buf_add(&smaller, held->data + bytes, held->len - bytes);
		st_buf_fini(held);
		*held = smaller;
	} else {
		memmove(held->data, held->data + bytes, held->len - bytes);
		held->len -= bytes;
	}
	st_scan_drop(&stream->scan, bytes);
}

static struct st_clean *piece_finish(struct st_redact_stream *stream, struct st_buf *out)
{
	size_t redactions = stream->scan.redactions - stream->told;
	if (st_clean_buf_len(out) == 0) {
		st_buf_fini(out);
		return NULL;
	}
	stream->told = stream->scan.redactions;
	return st_clean_buf_finish(out, redactions, false);
}

struct st_clean *st_redact_stream_write(struct st_redact_stream *stream, const char *bytes,
					size_t len)
{
	if (len == 0)
		return NULL;
	struct st_buf out;
	st_clean_buf_start(&out, stream->held.len - stream->scan.out_at + len);
	if (stream->held.len > 0) {
		st_buf_add(&stream->held, bytes, len);
		st_scan_advance(&stream->scan, stream->held.data, stream->held.len, false, &out);
		held_drop(stream);
		return piece_finish(stream, &out);
	}
	/* Nothing is held: whole lines pass without a copy. */
	st_scan_advance(&stream->scan, bytes, len, false, &out);
	size_t drop = st_scan_droppable(&stream->scan);
	if (drop < len)
		st_buf_add(&stream->held, bytes + drop, len - drop);
	st_scan_drop(&stream->scan, drop);
	return piece_finish(stream, &out);
}

struct st_clean *st_redact_stream_flush(struct st_redact_stream *stream)
{
	struct st_buf out;
	st_clean_buf_start(&out, 0);
	if (stream->held.len > 0)
		st_scan_peek(&stream->scan, stream->held.data, stream->held.len, &out);
	return piece_finish(stream, &out);
}

struct st_clean *st_redact_stream_close(struct st_redact_stream *stream)
{
	struct st_buf out;
	st_clean_buf_start(&out, stream->held.len);
	if (stream->held.len > 0)
		st_scan_advance(&stream->scan, stream->held.data, stream->held.len, true, &out);
	struct st_clean *clean = piece_finish(stream, &out);
	st_scan_fini(&stream->scan);
	st_buf_fini(&stream->held);
	st_free(stream);
	return clean;
}

size_t st_redact_stream_held(const struct st_redact_stream *stream)
{
	return stream->held.len - stream->scan.out_at;
}
