/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/marker.h"

#include <string.h>

#include "redact/chars.h"

void st_redact_marker(struct st_buf *buf, const char *rule, uint32_t fingerprint)
{
	st_buf_add_text(buf, ST_REDACT_MARKER_BEGIN);
	st_buf_add_text(buf, rule);
	if (fingerprint != 0)
		st_buf_addf(buf, ":%08x", (unsigned)fingerprint);
	st_buf_add_char(buf, ']');
}

size_t st_redact_marker_len(const char *text, size_t len)
{
	size_t at = sizeof ST_REDACT_MARKER_BEGIN - 1;
	if (len <= at || memcmp(text, ST_REDACT_MARKER_BEGIN, at) != 0)
		return 0;
	while (at < len && at < ST_REDACT_MARKER_MAX - 1 &&
	       (st_char_is_ident(text[at]) || text[at] == ':'))
		at++;
	return at < len && text[at] == ']' && at > sizeof ST_REDACT_MARKER_BEGIN - 1 ? at + 1 : 0;
}
