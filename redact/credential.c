/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/credential.h"

#include <string.h>

#include "redact/keyname.h"
#include "redact/marker.h"
#include "redact/value.h"

#define USERINFO_MAX 2048

bool st_credential_match_bearer(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	if (!st_text_begins(place->data + at, line_end - at, "bearer"))
		return false;
	size_t value = at + strlen("bearer");
	if (line_end - value >= 3 && memcmp(place->data + value, "%20", 3) == 0)
		value += 3;
	while (value < line_end && value - at < 16 &&
	       (place->data[value] == ' ' || place->data[value] == ':'))
		value++;
	if (value == at + strlen("bearer"))
		return false;
	size_t end = st_place_run_end(place, ST_ALPHABET_BEARER, value);
	while (end > value && place->data[end - 1] == '.')
		end--;
	struct st_value_look look = {.quoted = true};
	if (end - value < 16 ||
	    !st_value_is_secret(ST_KEYNAME_HINT, place->data + value, end - value, look))
		return false;
	*find = (struct st_find){.start = value, .end = end, .next = end, .rule = "bearer"};
	return true;
}

static bool ends_userinfo(char c)
{
	return (unsigned char)c <= ' ' || c == '"' || c == '<' || c == '>' || c == '`' || c == '\\';
}

/* The last '@' that may end the user's part; 0 when there is none. */
static size_t userinfo_end(const struct st_place *place, size_t from, size_t line_end)
{
	size_t last = 0;
	bool slash = false;
	for (size_t at = from; at < line_end && at - from < USERINFO_MAX; at++) {
		char c = place->data[at];
		if (ends_userinfo(c) || (c == ':' && at + 2 < line_end &&
					 place->data[at + 1] == '/' && place->data[at + 2] == '/'))
			break;
		/* "pa/ss@" happens, but "host/@scope" is far more common. */
		slash |= c == '/' || c == '?' || c == '#';
		if (c == '@' && !slash)
			last = at;
	}
	return last;
}

bool st_credential_match_url(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	size_t from = at + 3;
	find->next = from;
	if (from > line_end || memcmp(place->data + at, "://", 3) != 0)
		return false;
	size_t end = userinfo_end(place, from, line_end);
	if (end == 0)
		return false;
	size_t marker = st_redact_marker_len(place->data + from, end - from);
	if (from + marker == end)
		return false;
	const char *colon = memchr(place->data + from + marker, ':', end - from - marker);
	size_t value = colon != NULL ? (size_t)(colon - place->data) + 1 : from;
	size_t len = end - value;
	if (len == 0 || st_value_is_placeholder(place->data + value, len))
		return false;
	struct st_value_look look = {.quoted = true};
	/* A user without a password may be a token. */
	if (colon == NULL && !st_value_is_secret(ST_KEYNAME_HINT, place->data + value, len, look))
		return false;
	*find = (struct st_find){.start = value, .end = end, .next = end, .rule = "url-password"};
	return true;
}
