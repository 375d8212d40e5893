/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/span.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

static struct st_span *items(struct st_spans *spans)
{
	return spans->more != NULL ? spans->more : spans->own;
}

static void room_make(struct st_spans *spans)
{
	size_t cap = spans->more != NULL ? spans->cap : ST_SPANS_OWN;
	struct st_span *at = items(spans);
	if (spans->head + spans->n < cap)
		return;
	if (spans->head >= cap / 2) {
		memmove(at, at + spans->head, spans->n * sizeof *at);
		spans->head = 0;
		return;
	}
	struct st_span *more = st_alloc_array(2 * cap, sizeof *more);
	memcpy(more, at + spans->head, spans->n * sizeof *more);
	st_free(spans->more);
	spans->more = more;
	spans->cap = 2 * cap;
	spans->head = 0;
}

void st_span_merge(struct st_span *into, const struct st_span *other)
{
	bool better = into->rule == NULL || other->declared > into->declared ||
		      (other->declared == into->declared && other->rule_at <= into->rule_at);
	if (better && other->rule != NULL) {
		into->rule = other->rule;
		into->rule_at = other->rule_at;
		into->declared = other->declared;
		into->fingerprint = other->fingerprint;
		into->quote = other->quote;
	}
	into->shown |= other->shown;
	if (other->start < into->start)
		into->start = other->start;
	if (other->end > into->end)
		into->end = other->end;
}

static void add_last(struct st_spans *spans, struct st_span span)
{
	assert(span.start <= span.end);
	if (span.start == span.end)
		return;
	while (spans->n > 0) {
		const struct st_span *last = items(spans) + spans->head + spans->n - 1;
		if (last->end <= span.start)
			break;
		st_span_merge(&span, last);
		spans->n--;
	}
	room_make(spans);
	items(spans)[spans->head + spans->n++] = span;
}

/* Takes the last ones off, and puts them back behind the new one. */
static void add_before(struct st_spans *spans, struct st_span span, size_t behind)
{
	struct st_span *later = st_alloc_array(behind, sizeof *later);
	memcpy(later, items(spans) + spans->head + spans->n - behind, behind * sizeof *later);
	spans->n -= behind;
	add_last(spans, span);
	for (size_t i = 0; i < behind; i++)
		add_last(spans, later[i]);
	st_free(later);
}

void st_spans_add(struct st_spans *spans, struct st_span span)
{
	size_t behind = 0;
	const struct st_span *all = items(spans) + spans->head;
	while (behind < spans->n && all[spans->n - 1 - behind].start >= span.end)
		behind++;
	if (behind == 0)
		add_last(spans, span);
	else
		add_before(spans, span, behind);
}

struct st_span *st_spans_first(struct st_spans *spans)
{
	return spans->n > 0 ? items(spans) + spans->head : NULL;
}

struct st_span *st_spans_last(struct st_spans *spans)
{
	return spans->n > 0 ? items(spans) + spans->head + spans->n - 1 : NULL;
}

void st_spans_copy(struct st_spans *to, struct st_spans *from)
{
	for (size_t i = 0; i < from->n; i++)
		st_spans_add(to, items(from)[from->head + i]);
}

void st_spans_drop_first(struct st_spans *spans)
{
	assert(spans->n > 0);
	spans->n--;
	spans->head = spans->n == 0 ? 0 : spans->head + 1;
}

void st_spans_put_first(struct st_spans *spans, struct st_span span)
{
	if (spans->head == 0) {
		room_make(spans);
		struct st_span *at = items(spans);
		memmove(at + 1, at, spans->n * sizeof *at);
		spans->head = 1;
	}
	spans->head--;
	spans->n++;
	items(spans)[spans->head] = span;
}

void st_spans_shift(struct st_spans *spans, size_t bytes)
{
	for (size_t i = 0; i < spans->n; i++) {
		struct st_span *span = items(spans) + spans->head + i;
		assert(span->end >= bytes);
		span->start = span->start > bytes ? span->start - bytes : 0;
		span->rule_at = span->rule_at > bytes ? span->rule_at - bytes : 0;
		span->end -= bytes;
	}
}

void st_spans_fini(struct st_spans *spans)
{
	st_free(spans->more);
	spans->more = NULL;
	spans->head = spans->n = spans->cap = 0;
}
