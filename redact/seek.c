/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One automaton, two positions in it. The strict one counts every byte. At a gap (gap.h) what the
 * text before it may be the beginning of is remembered as the loose position, which does not see
 * the gap; it goes on beside the strict one until it holds no more than lies behind the gap, for
 * then the strict one knows the same. In most text that is after one or two bytes.
 *
 * Complete lines leave at once. So of a needle that is broken after fewer than EDGE bytes by a line
 * end, only what follows that line end is replaced: nearly every line ends like some needle begins.
 */
#include "redact/seek.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

#define EDGE 4

static const char KINDS[ST_SEEK_KINDS] = {'\n', '\r', '\x1b', '\\'};

/* Where the next gap may begin, or end. */
static size_t gap_next(struct st_seek *view, const char *data, size_t end)
{
	size_t first = end;
	for (size_t i = 0; i < ST_SEEK_KINDS; i++) {
		size_t *next = &view->next[i];
		if (*next < view->at)
			*next = view->at;
		if (*next < end && data[*next] != KINDS[i]) {
			const char *found = memchr(data + *next, KINDS[i], end - *next);
			*next = found != NULL ? (size_t)(found - data) : end;
		}
		if (*next < first)
			first = *next;
	}
	return first;
}

/* Where the last `depth` bytes, gaps not counted, begin. */
static size_t loose_start(const struct st_seek *view, size_t depth)
{
	size_t to = view->at;
	for (size_t i = view->n; i-- > 0;) {
		const struct st_seek_gap *gap = &view->gaps[i];
		size_t behind = to - gap->at - gap->len;
		if (depth <= behind)
			break;
		depth -= behind;
		to = gap->at;
	}
	/* What was shown at the end of a line may have been dropped. */
	return depth < to ? to - depth : 0;
}

static size_t loose_shown(const struct st_seek *view, size_t depth)
{
	size_t start = loose_start(view, depth);
	return start < view->floor ? view->floor : start;
}

static bool node_hit(const struct st_automaton *automaton, uint32_t node, size_t at,
		     struct st_seek_hit *hit)
{
	size_t len = st_automaton_hit(automaton, node, &hit->name);
	if (len == 0)
		return false;
	assert(len <= at);
	hit->start = at - len;
	hit->end = at;
	return true;
}

/* One byte that both positions see. */
static bool both_step(struct st_seek *view, const struct st_automaton *automaton, char c,
		      struct st_seek_hit *hit)
{
	uint8_t byte = (uint8_t)c;
	view->at++;
	view->strict = st_automaton_step(automaton, view->strict, byte);
	view->loose = st_automaton_step(automaton, view->loose, byte);
	struct st_seek_hit loose;
	size_t len = st_automaton_hit(automaton, view->loose, &loose.name);
	bool found = node_hit(automaton, view->strict, view->at, hit);
	if (len > 0) {
		loose.start = loose_shown(view, len);
		loose.end = view->at;
		if (!found || loose.start < hit->start)
			*hit = loose;
		found = true;
	}
	if (st_automaton_depth(automaton, view->loose) <= view->at - view->segment_at) {
		view->loose = 0;
		view->n = 0;
	}
	return found;
}

/* Goes on to `to`; no gap lies before it. */
static bool segment_run(struct st_seek *view, const struct st_automaton *automaton,
			const char *data, size_t to, struct st_seek_hit *hit)
{
	view->indent = false;
	while (view->loose != 0 && view->at < to)
		if (both_step(view, automaton, data[view->at], hit))
			return true;
	while (view->at < to) {
		if (view->strict == 0)
			view->at = st_automaton_skip(automaton, data, view->at, to);
		if (view->at == to)
			return false;
		view->strict =
		    st_automaton_step(automaton, view->strict, (uint8_t)data[view->at++]);
		if (node_hit(automaton, view->strict, view->at, hit))
			return true;
	}
	return false;
}

/* The bytes of a gap, which only the strict position sees. */
static bool gap_run(struct st_seek *view, const struct st_automaton *automaton, const char *data,
		    struct st_seek_hit *hit)
{
	while (view->at < view->gap_end) {
		view->strict =
		    st_automaton_step(automaton, view->strict, (uint8_t)data[view->at++]);
		if (node_hit(automaton, view->strict, view->at, hit))
			return true;
	}
	return false;
}

static void gap_push(struct st_seek *view, size_t len)
{
	struct st_seek_gap *last = view->n > 0 ? &view->gaps[view->n - 1] : NULL;
	if (last != NULL && last->at + last->len == view->at) {
		last->len += len;
		return;
	}
	if (view->n == view->cap) {
		view->cap = view->cap == 0 ? 8 : 2 * view->cap;
		view->gaps = st_realloc(view->gaps, view->cap * sizeof *view->gaps);
	}
	assert(view->gaps != NULL);
	view->gaps[view->n++] = (struct st_seek_gap){view->at, len};
}

/* Forgets the gaps that lie before what loose holds. */
static void gaps_prune(struct st_seek *view, size_t depth)
{
	if (view->n < 8)
		return;
	size_t start = loose_start(view, depth);
	size_t old = 0;
	while (old < view->n && view->gaps[old].at < start)
		old++;
	if (old < view->n / 2)
		return;
	memmove(view->gaps, view->gaps + old, (view->n - old) * sizeof *view->gaps);
	view->n -= old;
}

/* A gap of `len` bytes begins here. */
static void gap_enter(struct st_seek *view, const struct st_automaton *automaton, size_t len,
		      bool line)
{
	uint32_t node = view->loose;
	if (node == 0) {
		node = view->strict;
		while (st_automaton_depth(automaton, node) > view->at - view->segment_at)
			node = st_automaton_fail(automaton, node);
	}
	node = st_automaton_live(automaton, node);
	size_t depth = st_automaton_depth(automaton, node);
	view->gap_end = view->at + len;
	view->loose = node;
	view->indent = depth > 0 && (line || view->indent);
	if (depth == 0) {
		view->n = 0;
	} else {
		gaps_prune(view, depth);
		gap_push(view, len);
		if (view->indent && depth < EDGE)
			view->floor = view->gap_end;
	}
	view->segment_at = view->gap_end;
}

/* The length of the gap that begins here; `indent` tells of its spaces. */
static size_t gap_here(const struct st_seek *view, const struct st_known *text, bool *line)
{
	char c = text->data[view->at];
	*line = true;
	if (view->indent && (c == ' ' || c == '\t'))
		return 1;
	return st_gap_len(text, view->at, line);
}

bool st_seek_run(struct st_seek *view, const struct st_automaton *automaton,
		 const struct st_known *text, size_t end, struct st_seek_hit *hit)
{
	for (;;) {
		if (gap_run(view, automaton, text->data, hit))
			return true;
		if (view->at >= end)
			return false;
		size_t to = gap_next(view, text->data, end);
		if (to == view->at || view->indent) {
			bool line;
			size_t len = gap_here(view, text, &line);
			if (len == ST_GAP_UNKNOWN)
				return false;
			if (len > 0) {
				gap_enter(view, automaton, len, line);
				continue;
			}
			to = to == view->at ? view->at + 1 : to;
		}
		if (segment_run(view, automaton, text->data, to, hit))
			return true;
	}
}

size_t st_seek_settled(const struct st_seek *view, const struct st_automaton *automaton)
{
	size_t held = st_automaton_depth(automaton, st_automaton_live(automaton, view->strict));
	size_t strict = view->at - held;
	if (view->loose == 0)
		return strict;
	size_t loose = loose_shown(view, st_automaton_depth(automaton, view->loose));
	return loose < strict ? loose : strict;
}

static void lower(size_t *offset, size_t bytes)
{
	*offset = *offset > bytes ? *offset - bytes : 0;
}

void st_seek_drop(struct st_seek *view, size_t bytes)
{
	lower(&view->at, bytes);
	lower(&view->segment_at, bytes);
	lower(&view->gap_end, bytes);
	lower(&view->floor, bytes);
	for (size_t i = 0; i < ST_SEEK_KINDS; i++)
		lower(&view->next[i], bytes);
	size_t n = 0;
	for (size_t i = 0; i < view->n; i++)
		if (view->gaps[i].at >= bytes)
			view->gaps[n++] =
			    (struct st_seek_gap){view->gaps[i].at - bytes, view->gaps[i].len};
	view->n = n;
}

void st_seek_fini(struct st_seek *view)
{
	st_free(view->gaps);
	*view = (struct st_seek){0};
}
