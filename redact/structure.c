/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/structure.h"

#include <string.h>

#include "redact/chars.h"
#include "redact/keyname.h"
#include "redact/value.h"

#define COMMAND_LOOK_MAX 512 /* bytes before a flag in which its command is looked for */
#define VALUE_LOOK_MAX 4096

/* A flag and the commands with which it takes a secret. */
struct flag {
	char letter;
	bool glued; /* "-pVALUE" */
	const char *command;
};
static const struct flag FLAGS[] = {
    {'p', true, "mysql"},      {'p', true, "mariadb"},	  {'p', true, "sshpass"},
    {'p', false, "login"},     {'a', false, "redis-cli"}, {'u', false, "curl"},
    {'u', false, "wget"},      {'w', false, "ldap"},	  {'P', false, "sqlcmd"},
    {'P', false, "bcp"},       {'p', true, "mongo"},	  {'p', true, "7z"},
    {'p', false, "az "},       {'P', false, "zip"},	  {'p', false, "rabbitmqadmin"},
    {'U', false, "smbclient"}, {'p', false, "sqlplus"},
};

static bool text_has(const char *text, size_t len, const char *part)
{
	size_t part_len = strlen(part);
	for (size_t i = 0; i + part_len <= len; i++)
		if (memcmp(text + i, part, part_len) == 0)
			return true;
	return false;
}

/* The part of the line before `at` that may hold the command. */
static size_t line_start(const struct st_place *place, size_t at, size_t max)
{
	size_t start = at;
	while (start > place->begin && at - start < max && place->data[start - 1] != '\n')
		start--;
	return start;
}

static bool value_ends(char c)
{
	return (unsigned char)c <= ' ' || st_char_is_quote(c) || c == ';' || c == '|' || c == '&' ||
	       c == '\\' || c == ')' || c == '<' || c == '>';
}

/* The word or quoted text at `at`; find->start and end are its inside. */
static void word_take(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	char quote = at < line_end ? place->data[at] : '\0';
	size_t end = at;
	find->start = at;
	if (quote == '"' || quote == '\'') {
		find->start = end = at + 1;
		while (end < line_end && end - at < VALUE_LOOK_MAX && place->data[end] != quote)
			end += place->data[end] == '\\' && end + 1 < line_end ? 2 : 1;
	} else {
		while (end < line_end && end - at < VALUE_LOOK_MAX && !value_ends(place->data[end]))
			end++;
	}
	find->end = end;
	find->next = end;
	find->rule = st_keyname_rule(ST_KEYNAME_PASSWORD);
}

static bool is_secret(const struct st_place *place, const struct st_find *find)
{
	struct st_value_look look = {.quoted = true};
	const char *value = place->data + find->start;
	size_t len = find->end - find->start;
	return len > 0 && !st_value_is_code_start(value, len, false) &&
	       st_value_is_secret(ST_KEYNAME_PASSWORD, value, len, look);
}

static bool colon_skip(const struct st_place *place, struct st_find *find)
{
	const char *colon = memchr(place->data + find->start, ':', find->end - find->start);
	if (colon == NULL)
		return false;
	find->start = (size_t)(colon - place->data) + 1;
	return true;
}

static const struct flag *flag_find(const struct st_place *place, size_t at)
{
	char letter = place->data[at + 2];
	size_t start = line_start(place, at, COMMAND_LOOK_MAX);
	for (size_t i = 0; i < sizeof FLAGS / sizeof FLAGS[0]; i++)
		if (FLAGS[i].letter == letter &&
		    text_has(place->data + start, at - start, FLAGS[i].command))
			return &FLAGS[i];
	return NULL;
}

bool st_structure_match_flag(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	if (line_end - at < 5)
		return false;
	const struct flag *flag = flag_find(place, at);
	if (flag == NULL)
		return false;
	size_t value = at + 3;
	bool spaced = place->data[value] == ' ';
	/* mysql asks for the password when nothing is glued to its flag. */
	if ((!spaced && !flag->glued) || (spaced && flag->command[0] == 'm'))
		return false;
	word_take(place, value + spaced, find);
	if ((flag->letter == 'u' || flag->letter == 'U') && !colon_skip(place, find) &&
	    !(flag->letter == 'U' && memchr(place->data + find->start, '%', 1) != NULL))
		return false;
	return is_secret(place, find);
}

bool st_structure_match_user(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	size_t start = line_start(place, at, COMMAND_LOOK_MAX);
	size_t value = at + strlen("-user");
	if (line_end - at < strlen("-user") + 3 || memcmp(place->data + at, "-user", 5) != 0 ||
	    (place->data[value] != ' ' && place->data[value] != '=') ||
	    !(text_has(place->data + start, at - start, "curl") ||
	      text_has(place->data + start, at - start, "http")))
		return false;
	word_take(place, value + 1, find);
	return colon_skip(place, find) && is_secret(place, find);
}

bool st_structure_match_htpasswd(struct st_place *place, size_t at, struct st_find *find)
{
	static const char COMMAND[] = "htpasswd ";
	size_t line_end = st_place_line_end(place, at);
	if (line_end - at < sizeof COMMAND || memcmp(place->data + at, COMMAND, 9) != 0)
		return false;
	bool batch = false, shown = false;
	unsigned words = 0;
	for (size_t word = at + 9; word < line_end;) {
		word_take(place, word, find);
		const char *text = place->data + find->start;
		size_t len = find->end - find->start;
		if (len > 0 && text[0] == '-') {
			batch |= memchr(text, 'b', len) != NULL;
			shown |= memchr(text, 'n', len) != NULL;
		} else if (len > 0 && ++words == (shown ? 2U : 3U)) {
			return batch && is_secret(place, find);
		}
		word = find->end > word ? find->end : word + 1;
		while (word < line_end && place->data[word] == ' ')
			word++;
	}
	return false;
}

/* The start of a word that `at` lies in and that is `lower`, or place->end. */
static size_t word_start(const struct st_place *place, size_t at, const char *lower)
{
	size_t len = strlen(lower);
	size_t start = at;
	while (start > place->begin && at - start < len && st_char_is_alpha(place->data[start - 1]))
		start--;
	if (place->end - start <= len || !st_text_begins(place->data + start, len, lower) ||
	    st_char_is_ident(place->data[start + len]))
		return place->end;
	return start;
}

/* Behind "identified": "by", "with plugin by", "by password"; 0 when it is something else. */
static size_t identified_value(struct st_place *place, size_t at)
{
	size_t line_end = st_place_line_end(place, at);
	for (size_t i = at; i + 4 < line_end && i - at < 80; i++)
		if (st_text_begins(place->data + i, 4, " by ")) {
			i += 4;
			return st_text_begins(place->data + i, line_end - i, "password ") ? i + 9
											  : i;
		}
	return 0;
}

bool st_structure_match_sql(struct st_place *place, size_t at, struct st_find *find)
{
	size_t start = word_start(place, at, "identified");
	size_t value = 0;
	if (start < place->end) {
		value = identified_value(place, start + strlen("identified"));
	} else {
		start = word_start(place, at, "password");
		value = start < place->end ? start + strlen("password") : 0;
		while (value > 0 && value < place->end &&
		       (place->data[value] == ' ' || place->data[value] == '('))
			value++;
		if (value == start + strlen("password"))
			return false;
	}
	if (value == 0 || value >= place->end || place->data[value] != '\'')
		return false;
	word_take(place, value, find);
	return is_secret(place, find);
}

static bool has_digit(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (st_char_is_digit(text[i]))
			return true;
	return false;
}

bool st_structure_match_netrc(struct st_place *place, size_t at, struct st_find *find)
{
	size_t start = word_start(place, at, "password");
	if (start >= place->end || place->data[start + 8] != ' ')
		return false;
	size_t line = line_start(place, start, COMMAND_LOOK_MAX);
	bool login = text_has(place->data + line, start - line, "login ") ||
		     text_has(place->data + line, start - line, "machine ");
	size_t first = line;
	while (first < start && st_char_is_space(place->data[first]))
		first++;
	word_take(place, start + 9, find);
	size_t line_end = st_place_line_end(place, start);
	bool last = find->end == line_end || place->data[find->end] == '\r';
	const char *value = place->data + find->start;
	size_t len = find->end - find->start;
	if (!login && (first != start || !last || !has_digit(value, len)))
		return false;
	return is_secret(place, find);
}

bool st_structure_match_pgpass(struct st_place *place, size_t at, struct st_find *find)
{
	size_t line_end = st_place_line_end(place, at);
	size_t line = line_start(place, at, 256);
	unsigned colons = 0;
	size_t value = 0;
	if (line == at || memchr(place->data + line, ' ', line_end - line) != NULL)
		return false;
	for (size_t i = line; i < line_end && i - line < 1024; i++)
		if (place->data[i] == ':' && ++colons == 4)
			value = i + 1;
	if (value == 0 || (line > place->begin && place->data[line - 1] != '\n'))
		return false;
	if (text_has(place->data + line, at - line, "//"))
		return false;
	word_take(place, value, find);
	return is_secret(place, find);
}
