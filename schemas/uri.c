/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/uri.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

/* A part and whether it is there at all: "http://h?" has an empty query. */
struct part {
	const char *at;
	size_t len;
	bool there;
};

struct uri {
	struct part scheme;
	struct part authority;
	struct part path;
	struct part query;
	struct part fragment;
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static struct part split_scheme(const char **p)
{
	const char *from = *p;
	if (!is_alpha(*from)) {
		return (struct part){0};
	}
	const char *end = from;
	while (is_alpha(*end) || (*end >= '0' && *end <= '9') || *end == '+' || *end == '-' ||
	       *end == '.') {
		end++;
	}
	if (*end != ':') {
		return (struct part){0};
	}
	*p = end + 1;
	return (struct part){from, (size_t)(end - from), true};
}

static struct uri split(const char *text)
{
	struct uri uri = {0};
	const char *p = text;
	uri.scheme = split_scheme(&p);
	if (p[0] == '/' && p[1] == '/') {
		size_t len = strcspn(p + 2, "/?#");
		uri.authority = (struct part){p + 2, len, true};
		p += 2 + len;
	}
	uri.path = (struct part){p, strcspn(p, "?#"), true};
	p += uri.path.len;
	if (*p == '?') {
		uri.query = (struct part){p + 1, strcspn(p + 1, "#"), true};
		p += 1 + uri.query.len;
	}
	if (*p == '#') {
		uri.fragment = (struct part){p + 1, strlen(p + 1), true};
	}
	return uri;
}

/* Drops the last segment with its slash: "/a/b" becomes "/a". */
static void drop_segment(struct st_buf *out, size_t start)
{
	while (out->len > start && out->data[--out->len] != '/') {
	}
	if (out->data != NULL) {
		out->data[out->len] = '\0';
	}
}

static bool is_segment(const char *p, size_t len, const char *segment)
{
	return len == strlen(segment) && memcmp(p, segment, len) == 0;
}

/* Adds the path without "." and ".." segments (section 5.2.4). */
static void add_path(struct st_buf *out, const char *path, size_t len)
{
	size_t start = out->len;
	size_t i = 0;
	while (i < len) {
		bool slash = path[i] == '/';
		size_t from = i + (slash ? 1 : 0);
		size_t end = from;
		while (end < len && path[end] != '/') {
			end++;
		}
		bool last = end == len;
		if (is_segment(path + from, end - from, ".")) {
			if (last && slash) {
				st_buf_add_char(out, '/');
			}
		} else if (is_segment(path + from, end - from, "..")) {
			drop_segment(out, start);
			if (last) {
				st_buf_add_char(out, '/');
			}
		} else {
			st_buf_add(out, path + i, end - i);
		}
		i = end;
	}
}

/* The base's path up to its last slash, then the reference's (section 5.2.3). */
static void add_merged(struct st_buf *out, const struct uri *base, const struct uri *ref)
{
	struct st_buf merged = {0};
	if (base->authority.there && base->path.len == 0) {
		st_buf_add_char(&merged, '/');
	} else {
		size_t keep = base->path.len;
		while (keep > 0 && base->path.at[keep - 1] != '/') {
			keep--;
		}
		st_buf_add(&merged, base->path.at, keep);
	}
	st_buf_add(&merged, ref->path.at, ref->path.len);
	add_path(out, merged.data, merged.len);
	st_buf_fini(&merged);
}

static void add_part(struct st_buf *out, const char *before, struct part part, const char *behind)
{
	if (part.there) {
		st_buf_add_text(out, before);
		st_buf_add(out, part.at, part.len);
		st_buf_add_text(out, behind);
	}
}

char *st_uri_resolve(const char *base_text, const char *ref_text)
{
	struct uri base = split(base_text);
	struct uri ref = split(ref_text);
	struct st_buf out = {0};
	add_part(&out, "", ref.scheme.there ? ref.scheme : base.scheme, ":");
	if (ref.scheme.there || ref.authority.there) {
		add_part(&out, "//", ref.authority, "");
		add_path(&out, ref.path.at, ref.path.len);
		add_part(&out, "?", ref.query, "");
	} else {
		add_part(&out, "//", base.authority, "");
		if (ref.path.len == 0) {
			st_buf_add(&out, base.path.at, base.path.len);
			add_part(&out, "?", ref.query.there ? ref.query : base.query, "");
		} else {
			if (ref.path.at[0] == '/') {
				add_path(&out, ref.path.at, ref.path.len);
			} else {
				add_merged(&out, &base, &ref);
			}
			add_part(&out, "?", ref.query, "");
		}
	}
	add_part(&out, "#", ref.fragment, "");
	return st_buf_take(&out);
}

size_t st_uri_without_fragment(const char *uri)
{
	return strcspn(uri, "#");
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef";
	char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	const char *at = lower == '\0' ? NULL : strchr(digits, lower);
	return at == NULL ? -1 : (int)(at - digits);
}

void st_uri_unescape(char *text)
{
	char *to = text;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			*to++ = (char)(hex(p[1]) * 16 + hex(p[2]));
			p += 2;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
}
