/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/place.h"

#include <assert.h>
#include <string.h>

#include "redact/redact.h"

void st_place_init(struct st_place *place, const char *data, size_t begin, size_t end)
{
	memset(place, 0, sizeof *place);
	place->data = data;
	place->begin = begin;
	place->end = end;
}

size_t st_place_line_end(struct st_place *place, size_t at)
{
	assert(at >= place->begin);
	assert(at <= place->end);
	if (place->line.from <= at && at < place->line.to)
		return place->line.to;
	const char *newline = memchr(place->data + at, '\n', place->end - at);
	place->line.from = at;
	place->line.to = newline != NULL ? (size_t)(newline - place->data) : place->end;
	return place->line.to;
}

size_t st_place_run_end(struct st_place *place, enum st_alphabet alphabet, size_t at)
{
	struct st_stretch *run = &place->runs[alphabet];
	if (run->from <= at && at < run->to)
		return run->to;
	size_t to = at;
	while (to < place->end && st_alphabet_has(alphabet, place->data[to]))
		to++;
	*run = (struct st_stretch){at, to};
	return to;
}

size_t st_place_class_end(struct st_place *place, size_t number, const struct st_class *class,
			  size_t at)
{
	assert(number < ST_PLACE_CLASSES_MAX);
	struct st_stretch *run = &place->class_runs[number];
	if (run->from <= at && at < run->to)
		return run->to;
	size_t to = at;
	while (to < place->end && ((class->bits[(unsigned char)place->data[to] >> 6] >>
				    ((unsigned char)place->data[to] & 63)) &
				   1) != 0)
		to++;
	*run = (struct st_stretch){at, to};
	return to;
}

static bool is_hex(char c)
{
	return st_alphabet_has(ST_ALPHABET_HEX_LOWER, st_char_lower(c));
}

/* "\n", "\u0022", "%3D", and terminal colours "ESC[31m" end in a letter or digit. */
static bool escape_ends(const char *text, size_t len)
{
	char last = text[len - 1];
	if (len >= 2 && text[len - 2] == '\\' && strchr("nrtbf0", last) != NULL)
		return true;
	if (len >= 3 && text[len - 3] == '%' && is_hex(last) && is_hex(text[len - 2]))
		return true;
	if (len >= 6 && text[len - 5] == 'u' && text[len - 6] == '\\')
		return true;
	if (last != 'm')
		return false;
	size_t i = len - 1;
	while (i > 0 && len - i < 16 && (st_char_is_digit(text[i - 1]) || text[i - 1] == ';'))
		i--;
	return i > 0 && text[i - 1] == '[';
}

/* What a marker stands for went on in what follows, or this would have been found before it. */
bool st_place_is_after_marker(const struct st_place *place, size_t at)
{
	const char *text = place->data + place->begin;
	size_t len = at - place->begin;
	if (len == 0 || text[len - 1] != ']')
		return false;
	for (size_t n = 2; n <= ST_REDACT_MARKER_MAX && n <= len; n++)
		if (text[len - n] == '[')
			return st_redact_marker_len(text + len - n, n) == n;
	return false;
}

bool st_place_is_word_start(const struct st_place *place, size_t at)
{
	if (at == place->begin)
		return true;
	const char *text = place->data + place->begin;
	if (!st_char_is_alnum(place->data[at - 1]))
		return !st_place_is_after_marker(place, at);
	return escape_ends(text, at - place->begin);
}
