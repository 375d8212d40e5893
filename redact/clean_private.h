/* SPDX-License-Identifier: Apache-2.0 */
/* How does redact/ itself make clean text? Nobody else may include this. */
#ifndef ST_REDACT_CLEAN_PRIVATE_H
#define ST_REDACT_CLEAN_PRIVATE_H

#include "redact/clean.h"

struct st_clean {
	size_t len;
	size_t redactions;
	bool failed;
	char text[];
};

/*
 * Clean text is written into a buffer that begins with room for the struct, so that the finished
 * buffer is the object: one allocation for most texts.
 */
void st_clean_buf_start(struct st_buf *buf, size_t text_len_hint);
size_t st_clean_buf_len(const struct st_buf *buf); /* of the text so far */
void st_clean_buf_cut(struct st_buf *buf);	   /* drops the text so far */
/* Takes the buffer and gives the object. */
struct st_clean *st_clean_buf_finish(struct st_buf *buf, size_t redactions, bool failed);

/* Adds text as a JSON string; NUL and what is not UTF-8 become U+FFFD. */
void st_clean_buf_add_string(struct st_buf *buf, const char *text, size_t len);

#endif
