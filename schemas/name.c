/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/name.h"

#include <string.h>

#define REF_BYTES_MAX 1024

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

bool st_name_is_valid(const char *text)
{
	if (!is_word(text[0])) {
		return false;
	}
	size_t len = 1;
	while (is_word(text[len]) || text[len] == '.' || text[len] == '-') {
		if (++len >= ST_NAME_MAX) {
			return false;
		}
	}
	return text[len] == '\0';
}

static bool is_variable(const char *text)
{
	if (!is_word(text[0]) || (text[0] >= '0' && text[0] <= '9')) {
		return false;
	}
	size_t len = 1;
	while (is_word(text[len])) {
		len++;
	}
	return text[len] == '\0';
}

static bool is_absolute_path(const char *text)
{
	if (text[0] != '/' || text[1] == '\0') {
		return false;
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			return false;
		}
	}
	return true;
}

bool st_secret_ref_is_valid(const char *text)
{
	if (strlen(text) > REF_BYTES_MAX) {
		return false;
	}
	if (strncmp(text, "env:", 4) == 0) {
		return is_variable(text + 4);
	}
	return strncmp(text, "file:", 5) == 0 && is_absolute_path(text + 5);
}
