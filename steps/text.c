/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/text.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "schemas/buf.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";

/* The length in bytes of the well-formed character at p (RFC 3629), or 0. */
static size_t character_len(const unsigned char *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len == 0 || p[0] > 0xf4 || p[0] == 0 || len > left) {
		return 0;
	}
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
	bool surrogate = p[0] == 0xed && p[1] > 0x9f;
	bool too_high = p[0] == 0xf4 && p[1] > 0x8f;
	return overlong || surrogate || too_high ? 0 : len;
}

json_t *st_text_json(const char *bytes, size_t len, size_t chars_max, bool *cut)
{
	struct st_buf clean = {0};
	(void)st_buf_reserve(&clean, len < 4096 ? len : 4096);
	size_t at = 0;
	for (size_t chars = 0; at < len && chars < chars_max; chars++) {
		size_t n = character_len((const unsigned char *)bytes + at, len - at);
		if (n > 0) {
			st_buf_add(&clean, bytes + at, n);
		} else {
			st_buf_add(&clean, REPLACEMENT, sizeof REPLACEMENT - 1);
		}
		at += n > 0 ? n : 1;
	}
	if (at < len && cut != NULL) {
		*cut = true;
	}
	json_t *text = json_stringn(clean.data, clean.len);
	assert(text != NULL);
	st_buf_fini(&clean);
	return text;
}

json_t *st_text_json_of(const json_t *value, size_t chars_max, bool *cut)
{
	return json_is_string(value) ? st_text_json(json_string_value(value),
						    json_string_length(value), chars_max, cut)
				     : json_string("");
}

void st_text_mend(char *text)
{
	size_t len = strlen(text);
	size_t at = len;
	for (size_t back = 0; back < 4 && at > 0; back++) {
		at--;
		unsigned char c = (unsigned char)text[at];
		if (c < 0x80) {
			return;
		}
		if (c >= 0xc0) {
			if (character_len((const unsigned char *)text + at, len - at) == 0) {
				text[at] = '\0';
			}
			return;
		}
	}
}
