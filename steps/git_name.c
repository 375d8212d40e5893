/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/git_name.h"

#include <stdint.h>
#include <string.h>

#define BRANCH_BYTES_MAX 200
#define PATH_BYTES_MAX 4096
#define LINK_BYTES_MAX 4095

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);
	return len >= n && memcmp(text + len - n, end, n) == 0;
}

static const char *branch_part_fault(const char *part, size_t len)
{
	if (len == 0) {
		return "has an empty part";
	}
	if (part[0] == '.' || ends_with(part, len, ".lock")) {
		return "has a part that begins with \".\" or ends with \".lock\"";
	}
	return NULL;
}

const char *st_git_branch_fault(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > BRANCH_BYTES_MAX) {
		return "must have 1 to 200 bytes";
	}
	if (name[0] == '-') {
		return "begins with \"-\"";
	}
	for (size_t i = 0; i < len; i++) {
		if (is_control(name[i]) || strchr(" ~^:?*[\\", name[i]) != NULL) {
			return "has a space, a control character or one of ~ ^ : ? * [ \\";
		}
	}
	if (strstr(name, "..") != NULL || strstr(name, "@{") != NULL || name[len - 1] == '.' ||
	    strcmp(name, "@") == 0 || strcmp(name, "HEAD") == 0) {
		return "means something else to git";
	}
	for (const char *part = name;; part++) {
		size_t part_len = strcspn(part, "/");
		const char *fault = branch_part_fault(part, part_len);
		part += part_len;
		if (fault != NULL || *part == '\0') {
			return fault;
		}
	}
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* How many bytes of a character that HFS+ leaves out of names stand here; 0: none. */
static size_t ignored(const char *text, size_t len)
{
	static const char *const all[] = {
	    "\u200c", "\u200d", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d",
	    "\u202e", "\u206a", "\u206b", "\u206c", "\u206d", "\u206e", "\u206f", "\ufeff"};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (len >= 3 && memcmp(text, all[i], 3) == 0) {
			return 3;
		}
	}
	return 0;
}

/* Does the text begin with `word`, in any case and with ignored characters? Gives the rest. */
static bool begins(const char *text, size_t len, const char *word, const char **rest)
{
	size_t i = 0;
	while (*word != '\0') {
		size_t skip = ignored(text + i, len - i);
		if (skip > 0) {
			i += skip;
		} else if (i < len && lower(text[i]) == *word) {
			i++;
			word++;
		} else {
			return false;
		}
	}
	*rest = text + i;
	return true;
}

/* NTFS takes off spaces and dots at the end, and what follows a ':' names a stream. */
static bool is_only_tail(const char *rest, const char *end)
{
	while (rest < end && *rest != ':') {
		size_t skip = ignored(rest, (size_t)(end - rest));
		if (skip == 0 && *rest != ' ' && *rest != '.') {
			return false;
		}
		rest += skip > 0 ? skip : 1;
	}
	return true;
}

static bool means(const char *part, size_t len, const char *word)
{
	const char *rest = NULL;
	return begins(part, len, word, &rest) && is_only_tail(rest, part + len);
}

bool st_git_is_dot_git(const char *name, size_t len)
{
	return len == 4 && memcmp(name, ".git", 4) == 0;
}

static const char *part_fault(const char *part, size_t len)
{
	if (means(part, len, ".git") || means(part, len, "git~1")) {
		return "is a spelling of .git";
	}
	return len > 1 && means(part, len, "..") ? "leads out of the repository" : NULL;
}

const char *st_git_entry_fault(const char *name, size_t len)
{
	if (len == 0 || len > ST_GIT_NAME_BYTES_MAX) {
		return "is empty or has over 255 bytes";
	}
	if (len == 1 && name[0] == '.') {
		return "is \".\"";
	}
	for (size_t i = 0; i < len; i++) {
		if (is_control(name[i])) {
			return "has a control character";
		}
		if (name[i] == '/') {
			return "has a \"/\"";
		}
	}
	/* Windows takes '\' for a separator, so each part has to be harmless by itself. */
	for (size_t at = 0; at <= len;) {
		const char *end = memchr(name + at, '\\', len - at);
		size_t part = end != NULL ? (size_t)(end - (name + at)) : len - at;
		const char *fault = part_fault(name + at, part);
		if (fault != NULL) {
			return fault;
		}
		at += part + 1;
	}
	return NULL;
}

const char *st_git_link_fault(const char *target, size_t len, int depth)
{
	if (len == 0 || len > LINK_BYTES_MAX || memchr(target, '\0', len) != NULL) {
		return "is empty, too long or broken";
	}
	if (target[0] == '/') {
		return "leads to an absolute path";
	}
	int up = 0;
	bool in_front = true;
	for (size_t at = 0; at < len;) {
		const char *end = memchr(target + at, '/', len - at);
		size_t part = end != NULL ? (size_t)(end - (target + at)) : len - at;
		bool dots = part == 2 && memcmp(target + at, "..", 2) == 0;
		if (dots && (!in_front || ++up > depth)) {
			return "leads out of the repository, or may";
		}
		if (part > 0 && !dots && !(part == 1 && target[at] == '.')) {
			in_front = false;
			if (st_git_entry_fault(target + at, part) != NULL) {
				return "leads to a name that is not allowed";
			}
		}
		at += part + 1;
	}
	return NULL;
}

const char *st_git_path_fault(const char *path)
{
	size_t len = strlen(path);
	if (len == 0 || len > PATH_BYTES_MAX) {
		return "is empty or has over 4096 bytes";
	}
	if (strcmp(path, ".") == 0) {
		return NULL;
	}
	int depth = 0;
	for (size_t at = 0; at < len;) {
		size_t part = strcspn(path + at, "/");
		const char *fault = st_git_entry_fault(path + at, part);
		if (fault != NULL) {
			return fault;
		}
		if (++depth > ST_GIT_DEPTH_MAX) {
			return "is too deep";
		}
		at += part + 1;
	}
	return NULL;
}
