/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/tail.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

enum { RING_FIRST_BYTES = 4096 };

static const char replacement[] = "\xEF\xBF\xBD";

static void set_cap(struct st_tail *tail, size_t cap)
{
	tail->head_max = cap / 4;
	tail->ring_max = cap - tail->head_max;
}

void st_tail_init(struct st_tail *tail, size_t cap)
{
	*tail = (struct st_tail){0};
	set_cap(tail, cap);
}

void st_tail_fini(struct st_tail *tail)
{
	st_buf_fini(&tail->head);
	st_free(tail->ring);
	*tail = (struct st_tail){0};
}

/* Room for `more` bytes as far as ring_max allows. Grows only before it wraps for the first time.
 */
static void ring_grow(struct st_tail *tail, size_t more)
{
	size_t need = tail->ring_len + more;
	need = need > tail->ring_max ? tail->ring_max : need;
	if (need <= tail->ring_cap) {
		return;
	}
	assert(tail->ring_at == 0);
	size_t cap = tail->ring_cap < RING_FIRST_BYTES ? RING_FIRST_BYTES : tail->ring_cap;
	while (cap < need) {
		cap *= 2;
	}
	tail->ring_cap = cap > tail->ring_max ? tail->ring_max : cap;
	tail->ring = st_realloc(tail->ring, tail->ring_cap);
}

static void ring_add(struct st_tail *tail, const char *bytes, size_t len)
{
	if (tail->ring_max == 0 || len == 0) {
		return;
	}
	if (len > tail->ring_max) {
		bytes += len - tail->ring_max;
		len = tail->ring_max;
	}
	ring_grow(tail, len);
	size_t free_len = tail->ring_cap - tail->ring_len;
	size_t straight = len < free_len ? len : free_len;
	if (straight > 0) {
		assert(tail->ring_at == 0);
		memcpy(tail->ring + tail->ring_len, bytes, straight);
		tail->ring_len += straight;
		bytes += straight;
		len -= straight;
	}
	while (len > 0) {
		size_t room = tail->ring_cap - tail->ring_at;
		size_t part = len < room ? len : room;
		memcpy(tail->ring + tail->ring_at, bytes, part);
		tail->ring_at = (tail->ring_at + part) % tail->ring_cap;
		bytes += part;
		len -= part;
	}
}

void st_tail_add(struct st_tail *tail, const void *bytes, size_t len)
{
	if (len == 0) {
		return;
	}
	const char *from = bytes;
	tail->seen += (int64_t)len;
	if (tail->head.len < tail->head_max) {
		size_t room = tail->head_max - tail->head.len;
		size_t part = len < room ? len : room;
		st_buf_add(&tail->head, from, part);
		from += part;
		len -= part;
	}
	if (len > 0) {
		ring_add(tail, from, len);
	}
	assert(st_tail_dropped(tail) >= 0);
}

size_t st_tail_kept(const struct st_tail *tail)
{
	return tail->head.len + tail->ring_len;
}

int64_t st_tail_dropped(const struct st_tail *tail)
{
	return tail->seen - (int64_t)st_tail_kept(tail);
}

/* The ring's bytes in order of arrival, oldest first. */
static void ring_text(const struct st_tail *tail, struct st_buf *out)
{
	st_buf_add(out, tail->ring + tail->ring_at, tail->ring_len - tail->ring_at);
	st_buf_add(out, tail->ring, tail->ring_at);
}

void st_tail_shrink(struct st_tail *tail, size_t cap)
{
	if (cap >= tail->head_max + tail->ring_max) {
		return;
	}
	struct st_buf rest = {0};
	if (tail->ring_len > 0) {
		ring_text(tail, &rest);
	}
	struct st_tail cut;
	st_tail_init(&cut, cap);
	const char *first = tail->head.data == NULL ? "" : tail->head.data;
	size_t head = tail->head.len < cut.head_max ? tail->head.len : cut.head_max;
	st_buf_add(&cut.head, first, head);
	/* A head that nothing follows gives its own end to the new tail. */
	if (rest.len == 0) {
		st_buf_add(&rest, first + head, tail->head.len - head);
	}
	size_t keep = rest.len < cut.ring_max ? rest.len : cut.ring_max;
	ring_add(&cut, rest.data + (rest.len - keep), keep);
	cut.seen = tail->seen;
	st_buf_fini(&rest);
	st_tail_fini(tail);
	*tail = cut;
}

/* Bytes of the well-formed UTF-8 character at `at`, 0 when there is none. RFC 3629. */
static size_t character_len(const unsigned char *at, size_t left)
{
	unsigned char first = at[0];
	if (first < 0x80) {
		return first == 0 ? 0 : 1;
	}
	size_t len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
	if (first < 0xC2 || first > 0xF4 || left < len) {
		return 0;
	}
	unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
	unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
	if (at[1] < low || at[1] > high) {
		return 0;
	}
	for (size_t i = 2; i < len; i++) {
		if ((at[i] & 0xC0) != 0x80) {
			return 0;
		}
	}
	return len;
}

void st_tail_utf8(struct st_buf *out, const char *bytes, size_t len)
{
	size_t plain = 0; /* start of what is well-formed and not yet added */
	size_t i = 0;
	while (i < len) {
		size_t n = character_len((const unsigned char *)bytes + i, len - i);
		if (n > 0) {
			i += n;
			continue;
		}
		st_buf_add(out, bytes + plain, i - plain);
		st_buf_add(out, replacement, sizeof replacement - 1);
		plain = ++i;
	}
	st_buf_add(out, bytes + plain, len - plain);
}

/* How many bytes at the end are the beginning of a character that was cut. */
static size_t cut_character(const char *bytes, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char c = (unsigned char)bytes[len - back];
		if ((c & 0xC0) == 0x80) {
			continue;
		}
		size_t want = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
		return want > back ? back : 0;
	}
	return 0;
}

bool st_tail_text(const struct st_tail *tail, struct st_buf *out)
{
	struct st_buf rest = {0};
	st_buf_add(&rest, "", 0);
	if (tail->ring_len > 0) {
		ring_text(tail, &rest);
	}
	const char *head = tail->head.data == NULL ? "" : tail->head.data;
	int64_t dropped = st_tail_dropped(tail);
	if (dropped == 0) {
		/* In one piece, so that a character on the seam stays whole. */
		struct st_buf whole = {0};
		st_buf_add(&whole, head, tail->head.len);
		st_buf_add(&whole, rest.data, rest.len);
		st_tail_utf8(out, whole.data, whole.len);
		st_buf_fini(&whole);
		st_buf_fini(&rest);
		return false;
	}
	size_t head_cut = cut_character(head, tail->head.len);
	size_t rest_cut = 0;
	while (rest_cut < 3 && rest_cut < rest.len &&
	       ((unsigned char)rest.data[rest_cut] & 0xC0) == 0x80) {
		rest_cut++;
	}
	st_tail_utf8(out, head, tail->head.len - head_cut);
	st_buf_addf(out, "\n[stint: %lld bytes dropped]\n",
		    (long long)dropped + (long long)(head_cut + rest_cut));
	st_tail_utf8(out, rest.data + rest_cut, rest.len - rest_cut);
	st_buf_fini(&rest);
	return true;
}

static size_t total_at(const size_t *sizes, size_t n, size_t level)
{
	size_t total = 0;
	for (size_t i = 0; i < n; i++) {
		total += sizes[i] < level ? sizes[i] : level;
	}
	return total;
}

size_t st_tail_level(const size_t *sizes, size_t n, size_t cap)
{
	if (total_at(sizes, n, cap) <= cap) {
		return cap; /* holds for every size: none can pass the cap alone */
	}
	size_t low = 0;
	size_t high = cap;
	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;
		if (total_at(sizes, n, middle) <= cap) {
			low = middle;
		} else {
			high = middle;
		}
	}
	return low;
}
