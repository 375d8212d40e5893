/* SPDX-License-Identifier: Apache-2.0 */
/* How is a log redacted while it is still being written? */
#ifndef ST_REDACT_STREAM_H
#define ST_REDACT_STREAM_H

#include <stddef.h>

#include "redact/clean.h"
#include "redact/redact.h"

/*
 * However the text is cut into writes, what comes out in all is what st_redact_text would have
 * given for the whole. Held back is only what may still be part of a secret: the longest live
 * beginning of a declared secret, the unfinished line (at most ST_REDACT_LINE_MAX bytes, then its
 * beginning leaves), and base64 lines that may turn out to be the tail of a private key. Complete
 * harmless lines leave at once. Memory is bounded by these, not by the text.
 *
 * A stream is used by one thread at a time and borrows its redactor until it is closed.
 */
struct st_redact_stream;

#define ST_REDACT_LINE_MAX (64 * 1024)

struct st_redact_stream *st_redact_stream_open(const struct st_redactor *redactor);
/* Takes the next bytes. Gives what may be seen by now, or NULL when nothing leaves yet. */
struct st_clean *st_redact_stream_write(struct st_redact_stream *stream, const char *bytes,
					size_t len);
/*
 * For people who look at an unfinished line (a prompt, a progress bar): gives the words of it that
 * are complete and harmless, or NULL. The line is still judged as a whole afterwards; only the
 * number and place of markers may differ from an unflushed stream. Costs a scan of the held line,
 * so call it from a timer, not per write.
 */
struct st_clean *st_redact_stream_flush(struct st_redact_stream *stream);
/* Ends the text: gives the rest, or NULL when there is none, and frees the stream. */
struct st_clean *st_redact_stream_close(struct st_redact_stream *stream);
/* How many bytes are held back now. */
size_t st_redact_stream_held(const struct st_redact_stream *stream);

#endif
