/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/pem.h"

#include <string.h>

#define LABEL_MAX 80
#define LINE_MIN 60 /* bytes of base64 in a full line: PEM has 64, others 70 or 76 */
#define LINE_MAX 80
#define FIELD_MIN 40   /* bytes of base64 at the end of a line that begins with something else */
#define HEADER_LINES 6 /* Proc-Type, DEK-Info, Comment: only at the beginning */
#define ESCAPED_TAIL_MIN 16

static bool is_base64(char c)
{
	return st_alphabet_has(ST_ALPHABET_BASE64, c) || c == '=';
}

static bool text_has(const char *text, size_t len, const char *part)
{
	size_t part_len = strlen(part);
	for (size_t i = 0; i + part_len <= len; i++)
		if (memcmp(text + i, part, part_len) == 0)
			return true;
	return false;
}

/* The offset behind "-----BEGIN label-----", or 0 when this is no private key's line. */
static size_t armour_end(struct st_place *place, size_t at, const char *word)
{
	const char *data = place->data;
	if (at < place->begin + 4 || memcmp(data + at - 4, "----", 4) != 0)
		return 0;
	size_t line_end = st_place_line_end(place, at);
	size_t label = at + 1 + strlen(word);
	if (label > line_end || memcmp(data + at + 1, word, strlen(word)) != 0)
		return 0;
	size_t end = label;
	while (end < line_end && end - label < LABEL_MAX && data[end] != '-')
		end++;
	if (!text_has(data + label, end - label, "PRIVATE KEY") &&
	    !text_has(data + label, end - label, "OpenVPN Static key"))
		return 0;
	while (end < line_end && data[end] == '-' && end - label < LABEL_MAX + 5)
		end++;
	return end;
}

/* The end of a block that is written on one line, with "\n" for newlines. */
static size_t one_line_end(struct st_place *place, size_t from, size_t line_end)
{
	for (size_t at = from; at < line_end; at++) {
		char c = place->data[at];
		if (c == '-' && line_end - at >= 4 && memcmp(place->data + at, "-END", 4) == 0) {
			size_t end = armour_end(place, at, "END");
			return end != 0 ? end : line_end;
		}
		if (st_char_is_quote(c))
			return at;
	}
	return line_end;
}

bool st_pem_match_begin(struct st_pem *pem, struct st_place *place, size_t at, struct st_find *find)
{
	size_t from = armour_end(place, at, "BEGIN");
	find->next = at + 1;
	if (from == 0)
		return false;
	size_t line_end = st_place_line_end(place, at);
	size_t end = one_line_end(place, from, line_end);
	/* A program that looks for the header holds no key. */
	if (end == from && end < line_end)
		return false;
	*find = (struct st_find){.start = at - 4, .end = end, .next = end, .rule = ST_PEM_RULE};
	if (end == line_end) {
		if (end > from && place->data[end - 1] == '\r')
			find->end--;
		*pem = (struct st_pem){.inside = true};
	}
	return true;
}

static size_t trim_end(const char *data, size_t at, size_t end)
{
	while (end > at) {
		char c = data[end - 1];
		if (end - at >= 2 && data[end - 2] == '\\' && (c == 'n' || c == 'r'))
			end -= 2;
		else if (st_char_is_space(c) || st_char_is_quote(c) || c == ',' || c == ';' ||
			 c == '\\')
			end--;
		else
			break;
	}
	return end;
}

static bool is_header(const char *text, size_t len)
{
	size_t i = 0;
	while (i < len && (st_char_is_alpha(text[i]) || text[i] == '-'))
		i++;
	return i > 0 && i + 1 < len && text[i] == ':' && text[i + 1] == ' ';
}

/* Counts a line of base64; false when the block was over before it. */
static bool base64_line_take(struct st_pem *pem, size_t len)
{
	if (pem->short_line)
		return false;
	if (pem->width == 0)
		pem->width = len;
	pem->short_line = len != pem->width;
	return true;
}

/* Whether data[at, end) is a line of the block; *field is where its base64 begins. */
static bool body_line(struct st_pem *pem, const char *data, size_t at, size_t end, size_t *field)
{
	size_t from = end;
	while (from > at && is_base64(data[from - 1]))
		from--;
	size_t first = at;
	while (first < from && (strchr(" \t\"'`>|#+*", data[first]) != NULL))
		first++;
	if (from == first) {
		*field = at;
		return first == end ? !pem->short_line : base64_line_take(pem, end - from);
	}
	if (pem->lines <= HEADER_LINES && is_header(data + first, end - first)) {
		*field = at;
		return true;
	}
	/* A log line: time, level, and then the key's. */
	*field = from;
	return end - from >= FIELD_MIN && st_char_is_space(data[from - 1]) &&
	       base64_line_take(pem, end - from);
}

bool st_pem_match_line(struct st_pem *pem, struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	size_t next = line_end < place->end ? line_end + 1 : line_end;
	*find = (struct st_find){.start = at, .end = at, .next = at, .rule = NULL};
	pem->lines++;
	for (size_t i = at; i + 4 <= line_end && i - at < 256; i++) {
		if (place->data[i] != '-' || memcmp(place->data + i, "-END", 4) != 0)
			continue;
		size_t end = armour_end(place, i, "END");
		if (end == 0)
			continue;
		size_t rest = end;
		while (rest < line_end && st_char_is_space(place->data[rest]))
			rest++;
		find->end = find->next = rest == line_end ? next : end;
		*pem = (struct st_pem){0};
		return true;
	}
	size_t end = trim_end(place->data, at, line_end);
	size_t field;
	if (pem->lines > ST_PEM_LINES_MAX || !body_line(pem, place->data, at, end, &field)) {
		*pem = (struct st_pem){0};
		return false;
	}
	find->start = field;
	find->end = field == at ? next : end;
	find->next = next;
	return true;
}

/* The length of the line of pure base64 that ends before `end`, which is behind a newline. */
static size_t base64_line_before(const char *data, size_t min, size_t end, size_t *start)
{
	size_t last = end - 1;
	if (last > min && data[last - 1] == '\r')
		last--;
	size_t at = last;
	while (at > min && last - at <= LINE_MAX && is_base64(data[at - 1]))
		at--;
	*start = at;
	bool whole = at == min || data[at - 1] == '\n';
	return whole && last - at <= LINE_MAX ? last - at : 0;
}

size_t st_pem_tail_start(const char *data, size_t min, size_t at)
{
	size_t start = at;
	size_t width = 0;
	for (unsigned lines = 0; lines < ST_PEM_TAIL_LINES_MAX && start > min; lines++) {
		size_t line;
		if (data[start - 1] != '\n')
			break;
		size_t len = base64_line_before(data, min, start, &line);
		/* Only the last line may be shorter, and only behind a full one. */
		if (len == 0 || (lines >= 2 && len != width) || (lines == 1 && len < width) ||
		    (lines >= 1 && len < LINE_MIN))
			break;
		width = len;
		start = line;
	}
	return width >= LINE_MIN ? start : at;
}

bool st_pem_match_end(struct st_place *place, size_t at, size_t tail_min, struct st_find *find)
{
	find->next = at + 1;
	size_t end = armour_end(place, at, "END");
	if (end == 0)
		return false;
	size_t from = at - 4;
	const char *data = place->data;
	while (from > tail_min && (is_base64(data[from - 1]) || data[from - 1] == '\\'))
		from--;
	size_t line = at - 4 - from;
	if (from > tail_min && data[from - 1] == '\n' && line == 0)
		from = st_pem_tail_start(data, tail_min, from);
	else if (line < ESCAPED_TAIL_MIN)
		return false;
	if (from == at - 4)
		return false;
	*find = (struct st_find){.start = from, .end = end, .next = end, .rule = ST_PEM_RULE};
	return true;
}
