/* SPDX-License-Identifier: Apache-2.0 */
/* How is text of unknown length put together? */
#ifndef ST_SCHEMAS_BUF_H
#define ST_SCHEMAS_BUF_H

#include <stddef.h>
#include <stdint.h>

/* A growing byte buffer. `data` is NUL-ended after every call that added something; may be NULL
 * when empty. All-zero is a valid empty buffer. */
struct st_buf {
	char *data;
	size_t len;
	size_t cap;
};

void st_buf_fini(struct st_buf *buf);		       /* frees; leaves it empty and usable */
void st_buf_clear(struct st_buf *buf);		       /* len 0, keeps the memory */
char *st_buf_reserve(struct st_buf *buf, size_t more); /* room for `more` bytes at data + len */
void st_buf_add(struct st_buf *buf, const void *bytes, size_t len);
void st_buf_add_text(struct st_buf *buf, const char *text);
void st_buf_add_char(struct st_buf *buf, char c);
void st_buf_add_int(struct st_buf *buf, int64_t n);
void st_buf_addf(struct st_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds text as a JSON string with quotes, escaping control characters, '"' and '\'. Bytes above
 * 0x7f pass as they are: the text must be UTF-8. */
void st_buf_add_json_string(struct st_buf *buf, const char *text, size_t len);
/* Gives the NUL-ended text to the caller (st_free) and leaves the buffer empty. Never NULL. */
char *st_buf_take(struct st_buf *buf);

#endif
