/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two kinds of rules see the text. Declared secrets are exact and may cross lines: an automaton
 * keeps their state from byte to byte. All other rules look at a unit: some whole lines, or, of a
 * line longer than ST_REDACT_LINE_MAX, overlapping parts whose borders depend on the text alone.
 * Nothing they do depends on how many lines a unit has, so it does not matter how the text was cut
 * into writes. Each kind makes a queue of spans; what lies before the first byte that either kind
 * may still come back to (the frontier) is merged from both and leaves.
 */
#include "redact/scan.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "redact/credential.h"
#include "redact/decode.h"
#include "redact/keyed.h"
#include "redact/redact.h"
#include "redact/redactor_private.h"
#include "redact/seal.h"
#include "redact/stream.h"
#include "redact/structure.h"
#include "schemas/mem.h"

#define OVERLAP 4096
#define DECODE_DEPTH_MAX 2

void st_scan_init(struct st_scan *scan, const struct st_redactor *redactor)
{
	assert(redactor->built);
	memset(scan, 0, sizeof *scan);
	scan->redactor = redactor;
}

void st_scan_fini(struct st_scan *scan)
{
	st_free(scan->ruled_at);
	st_seek_fini(&scan->seek);
	st_spans_fini(&scan->exact);
	st_spans_fini(&scan->shape);
}

/* Looks for declared secrets up to `end` of a text. */
static void exact_run(struct st_scan *scan, const struct st_known *text, size_t end)
{
	const struct st_redactor *redactor = scan->redactor;
	struct st_seek_hit hit;
	if (redactor->exact == NULL) {
		scan->seek.at = end;
		return;
	}
	while (st_seek_run(&scan->seek, redactor->exact, text, end, &hit))
		st_spans_add(&scan->exact,
			     (struct st_span){.start = hit.start,
					      .end = hit.end,
					      .rule = redactor->names[hit.name],
					      .fingerprint = redactor->fingerprints[hit.name],
					      .rule_at = hit.start,
					      .declared = true});
}

/* No declared secret begins before this offset that is not found yet. */
static size_t exact_settled(const struct st_scan *scan)
{
	return scan->redactor->exact != NULL ? st_seek_settled(&scan->seek, scan->redactor->exact)
					     : scan->seek.at;
}

static struct st_span find_span(const struct st_scan *scan, const char *data,
				const struct st_find *find)
{
	const struct st_fingerprint_key *key = &scan->redactor->key;
	return (struct st_span){
	    .start = find->start,
	    .end = find->end,
	    .rule = find->rule,
	    .rule_at = find->start,
	    .quote = find->quote,
	    .fingerprint = st_fingerprint(key, data + find->start, find->end - find->start)};
}

static void find_add(struct st_scan *scan, const char *data, const struct st_find *find)
{
	st_spans_add(&scan->shape, find_span(scan, data, find));
}

/* A password that no sign parts from its name. */
static bool key_ask_structure(struct st_place *place, size_t at, struct st_find *find)
{
	struct st_find other = {0};
	if (!st_structure_match_sql(place, at, &other) &&
	    !st_structure_match_netrc(place, at, &other))
		return false;
	*find = other;
	return true;
}

/* Asks the rule of one anchor. find->next is where to go on; 0 means: at the next byte. */
static bool anchor_ask(struct st_scan *scan, const struct st_anchor *anchor, struct st_place *place,
		       size_t at, struct st_find *find)
{
	switch ((enum st_anchor_kind)anchor->kind) {
	case ST_ANCHOR_TOKEN:
		return st_token_match(scan->redactor->tokens,
				      &scan->redactor->tokens->items[anchor->of], place, at, find);
	case ST_ANCHOR_KEY:
		return st_keyed_match(place, at, &scan->pair, find) ||
		       key_ask_structure(place, at, find);
	case ST_ANCHOR_VALUE:
		return st_keyed_match_pair(place, at, &scan->pair, find);
	case ST_ANCHOR_FLAG:
		return st_structure_match_flag(place, at, find);
	case ST_ANCHOR_USER:
		return st_structure_match_user(place, at, find);
	case ST_ANCHOR_HTPASSWD:
		return st_structure_match_htpasswd(place, at, find);
	case ST_ANCHOR_SQL:
		return st_structure_match_sql(place, at, find);
	case ST_ANCHOR_PGPASS:
		return st_structure_match_pgpass(place, at, find);
	case ST_ANCHOR_BEARER:
		return st_credential_match_bearer(place, at, find);
	case ST_ANCHOR_URL:
		return st_credential_match_url(place, at + 1, find);
	case ST_ANCHOR_PEM_BEGIN:
		return st_pem_match_begin(&scan->pem, place, at, find);
	case ST_ANCHOR_PEM_END:
		return st_pem_match_end(place, at, scan->tail_at, find);
	case ST_ANCHOR_MARKER:
	case ST_ANCHOR_RULE:
		break;
	}
	return false;
}

/* Asks an operator's rule about the line that its keyword is in, once a line. */
static void rule_ask(struct st_scan *scan, const struct st_rule *rule, struct st_place *place,
		     size_t at)
{
	struct st_stretch line = {at, st_place_line_end(place, at)};
	size_t *ruled_at = &scan->ruled_at[st_rule_number(rule)];
	if (*ruled_at == line.to)
		return;
	*ruled_at = line.to;
	while (line.from > place->begin && place->data[line.from - 1] != '\n')
		line.from--;
	struct st_find find;
	while (line.from < line.to && st_rule_match(rule, place->data, line, &find)) {
		line.from = find.next;
		if (st_redact_marker_len(place->data + find.start, find.end - find.start) > 0)
			continue;
		st_spans_add(&scan->shape, find_span(scan, place->data, &find));
	}
}

/* Asks all rules whose anchor stands at `at`; returns where to go on. */
static size_t anchors_ask(struct st_scan *scan, struct st_place *place, size_t at, uint16_t first,
			  size_t *key_end)
{
	size_t next = at + 1;
	const struct st_anchors *anchors = scan->redactor->anchors;
	for (uint16_t i = first; i != 0;) {
		const struct st_anchor *anchor = st_anchors_get(anchors, i);
		i = anchor->next;
		size_t marker = anchor->kind == ST_ANCHOR_MARKER
				    ? st_redact_marker_len(place->data + at, place->end - at)
				    : 0;
		if (at + marker > next)
			next = at + marker;
		bool key = anchor->kind == ST_ANCHOR_KEY;
		struct st_find find = {0};
		if (anchor->kind == ST_ANCHOR_RULE)
			rule_ask(scan, st_rules_get(scan->redactor->rules, anchor->of), place, at);
		if (marker > 0 || (key && at < *key_end))
			continue;
		bool found = anchor_ask(scan, anchor, place, at, &find);
		if (found)
			find_add(scan, place->data, &find);
		/* A name or a user before what was found may hold a token itself. */
		if (key || (found && anchor->kind == ST_ANCHOR_URL))
			*key_end = find.next;
		else if (found && find.next > next)
			next = find.next;
	}
	return next;
}

static bool carry_ends(const struct st_carry *carry, char c)
{
	if (c == '\n' || st_char_is_quote(c))
		return true;
	return !carry->words && ((unsigned char)c <= ' ' || c == '<' || c == '&');
}

static void carry_run(struct st_scan *scan, const char *data, size_t end)
{
	struct st_carry *carry = &scan->carry;
	if (carry->rule == NULL)
		return;
	size_t at = carry->at;
	while (at < end && !carry_ends(carry, data[at]))
		at++;
	st_spans_add(&scan->shape, (struct st_span){.start = carry->at,
						    .end = at,
						    .rule = carry->shown ? NULL : carry->rule,
						    .rule_at = carry->at});
	carry->at = at;
	if (at < end)
		carry->rule = NULL;
}

/* NOLINTBEGIN(misc-no-recursion): what is decoded is scanned itself, DECODE_DEPTH_MAX levels deep.
 */
static bool decoded_find(const struct st_scan *scan, const char *text, size_t len,
			 struct st_span *found);

/* The next run of a place that may be decoded. */
struct runs {
	struct st_run next;
	size_t at; /* none begins before it that was not seen */
	bool known;
};

/* Decodes the runs that begin before `at` and replaces those whose plain text holds a secret. */
static void runs_decode(struct st_scan *scan, const struct st_place *place, size_t at,
			struct runs *runs)
{
	struct st_buf plain = {0};
	while (scan->decoded < DECODE_DEPTH_MAX) {
		if (!runs->known && runs->at < at) {
			runs->known = st_decode_next(place, runs->at, &runs->next);
			runs->at = runs->known ? runs->next.end : place->end;
		}
		struct st_run run = runs->next;
		if (!runs->known || run.start >= at)
			break;
		struct st_span found;
		runs->known = false;
		st_buf_clear(&plain);
		if (st_decode_run(place->data + run.start, run.end - run.start, &plain) &&
		    decoded_find(scan, plain.data, plain.len, &found)) {
			found.start = found.rule_at = run.start;
			found.end = run.end;
			st_spans_add(&scan->shape, found);
		}
	}
	st_seal_buf_wipe(&plain);
}

/* Asks all rules about a place, up to its end or to where a private key's lines begin. */
static size_t rules_run(struct st_scan *scan, struct st_place *place, size_t at)
{
	size_t key_end = at;
	struct runs runs = {.at = at};
	while (at < place->end && !scan->pem.inside) {
		uint16_t first;
		at = st_anchors_next(scan->redactor->anchors, place->data, at, place->end, &first);
		runs_decode(scan, place, at, &runs);
		if (at < place->end)
			at = anchors_ask(scan, place, at, first, &key_end);
	}
	return at;
}

/* What stands before a private key's line, a log's time or a label, is text like any other. */
static void prefix_run(struct st_scan *scan, const struct st_place *place, size_t begin, size_t end)
{
	struct st_pem pem = scan->pem;
	struct st_place prefix;
	scan->pem.inside = false;
	st_place_init(&prefix, place->data, begin, end);
	(void)rules_run(scan, &prefix, begin);
	scan->pem = pem;
}

/* Goes over the lines of a private key; returns where ordinary text begins again. */
static size_t pem_run(struct st_scan *scan, struct st_place *place, size_t at)
{
	while (scan->pem.inside && at < place->end) {
		struct st_find find;
		if (st_pem_match_line(&scan->pem, place, at, &find)) {
			if (find.start > at)
				prefix_run(scan, place, at, find.start);
			find_add(scan, place->data, &find);
		}
		at = find.next;
	}
	return at;
}

/* No line of this unit was asked of an operator's rules yet. */
static void rules_reset(struct st_scan *scan)
{
	size_t n = st_rules_count(scan->redactor->rules);
	if (n == 0)
		return;
	if (scan->ruled_at == NULL)
		scan->ruled_at = st_alloc_array(n, sizeof *scan->ruled_at);
	for (size_t i = 0; i < n; i++)
		scan->ruled_at[i] = SIZE_MAX;
}

/* Asks all rules about data[begin, end). */
static void unit_run(struct st_scan *scan, const char *data, size_t begin, size_t end)
{
	struct st_place place;
	rules_reset(scan);
	st_place_init(&place, data, begin, end);
	carry_run(scan, data, end);
	size_t at = begin;
	for (;;) {
		at = pem_run(scan, &place, at);
		at = rules_run(scan, &place, at);
		if (!scan->pem.inside)
			break;
		/* The line that began the block is done; its lines begin in the next. */
		size_t line_end = st_place_line_end(&place, at);
		at = line_end < end ? line_end + 1 : line_end;
		if (at == end)
			break;
	}
}

/* The end of the next unit, or unit_at when there is none yet. *cut: it ends within a line. */
static size_t unit_end(struct st_scan *scan, const char *data, size_t len, bool final, bool *cut)
{
	size_t begin = scan->unit_at;
	size_t limit = len - begin > ST_REDACT_LINE_MAX ? begin + ST_REDACT_LINE_MAX : len;
	size_t seen = scan->newline_at > begin ? scan->newline_at : begin;
	*cut = false;
	for (size_t at = limit; at > seen; at--)
		if (data[at - 1] == '\n')
			return at;
	scan->newline_at = limit;
	if (limit - begin == ST_REDACT_LINE_MAX) {
		*cut = true;
		return limit;
	}
	return final ? len : begin;
}

/* Where the next part of a very long line begins: behind a byte that parts words, when there is
 * one, and far enough back that most secrets lie whole in one of the two parts. */
static size_t overlap_start(const char *data, size_t end)
{
	size_t latest = end - OVERLAP;
	for (size_t at = latest; at > latest - OVERLAP; at--)
		if (strchr(" ,;\"&", data[at - 1]) != NULL)
			return at;
	return latest;
}

static void carry_begin(struct st_scan *scan, size_t end)
{
	const struct st_span *last = st_spans_last(&scan->shape);
	if (scan->carry.rule != NULL || last == NULL || last->end != end || last->rule == NULL)
		return;
	scan->carry = (struct st_carry){.rule = last->rule,
					.at = end,
					.words = strcmp(last->rule, "header") == 0 ||
						 strcmp(last->rule, ST_PEM_RULE) == 0};
}

static bool decoded_find(const struct st_scan *scan, const char *text, size_t len,
			 struct st_span *found)
{
	struct st_scan inner;
	st_scan_init(&inner, scan->redactor);
	inner.decoded = scan->decoded + 1;
	const struct st_known known = {text, len, true};
	exact_run(&inner, &known, len);
	unit_run(&inner, text, 0, len);
	const struct st_span *first = st_spans_first(&inner.exact);
	if (first == NULL)
		first = st_spans_first(&inner.shape);
	if (first != NULL)
		*found = (struct st_span){.rule = first->rule,
					  .fingerprint = first->fingerprint,
					  .declared = first->declared};
	bool any = first != NULL;
	st_scan_fini(&inner);
	return any;
}
/* NOLINTEND(misc-no-recursion) */

static void piece_add(struct st_scan *scan, const char *data, const struct st_span *span,
		      struct st_buf *out)
{
	if (span->end <= scan->out_at)
		return;
	if (span->start > scan->out_at)
		st_buf_add(out, data + scan->out_at, span->start - scan->out_at);
	if (span->rule != NULL && !span->shown) {
		if (span->quote != NULL)
			st_buf_add_text(out, span->quote);
		st_redact_marker(out, span->rule, span->fingerprint);
		if (span->quote != NULL)
			st_buf_add_text(out, span->quote);
		scan->redactions++;
		if (scan->told != NULL)
			scan->told(scan->told_arg, span);
	}
	scan->out_at = span->end;
}

/* Takes the first of both queues with all that it overlaps. False: both are empty. */
static bool group_take(struct st_scan *scan, struct st_span *group)
{
	struct st_span *exact = st_spans_first(&scan->exact);
	struct st_span *shape = st_spans_first(&scan->shape);
	if (exact == NULL && shape == NULL)
		return false;
	struct st_spans *from = shape == NULL || (exact != NULL && exact->start <= shape->start)
				    ? &scan->exact
				    : &scan->shape;
	*group = *st_spans_first(from);
	st_spans_drop_first(from);
	for (;;) {
		exact = st_spans_first(&scan->exact);
		shape = st_spans_first(&scan->shape);
		from = exact != NULL && exact->start < group->end   ? &scan->exact
		       : shape != NULL && shape->start < group->end ? &scan->shape
								    : NULL;
		if (from == NULL)
			return true;
		st_span_merge(group, st_spans_first(from));
		st_spans_drop_first(from);
	}
}

/* Lets the marker of a group leave whose end is not known yet: memory stays bounded. */
static void group_show(struct st_scan *scan, const char *data, struct st_span *group,
		       size_t frontier, struct st_buf *out)
{
	struct st_span part = *group;
	part.end = frontier;
	piece_add(scan, data, &part, out);
	group->start = frontier;
	group->shown = true;
}

/*
 * Lets everything before the frontier leave. The name of a group that may still grow is certain
 * when it is a declared secret's, which nothing later can precede; other groups wait, unless
 * `show` says that this is a point where every stream of this text shows them.
 */
static void emit(struct st_scan *scan, const char *data, size_t frontier, bool show,
		 struct st_buf *out)
{
	struct st_span group;
	while (group_take(scan, &group)) {
		if (group.end <= frontier) {
			piece_add(scan, data, &group, out);
			continue;
		}
		if (group.start < frontier && (show || group.shown || group.declared))
			group_show(scan, data, &group, frontier, out);
		st_spans_put_first(group.declared ? &scan->exact : &scan->shape, group);
		if (group.start < frontier)
			frontier = group.start;
		break;
	}
	if (frontier > scan->out_at) {
		st_buf_add(out, data + scan->out_at, frontier - scan->out_at);
		scan->out_at = frontier;
	}
}

/* The first byte that a rule may still come back to. */
static size_t frontier_find(const struct st_scan *scan)
{
	size_t exact = exact_settled(scan);
	return exact < scan->tail_at ? exact : scan->tail_at;
}

void st_scan_advance(struct st_scan *scan, const char *data, size_t len, bool final,
		     struct st_buf *out)
{
	const struct st_known text = {data, len, final};
	bool cut;
	size_t end;
	while ((end = unit_end(scan, data, len, final, &cut)) > scan->unit_at) {
		exact_run(scan, &text, end);
		unit_run(scan, data, scan->unit_at, end);
		scan->unit_at = end;
		if (cut) {
			carry_begin(scan, end);
			scan->unit_at = overlap_start(data, end);
			scan->carry.shown = scan->carry.rule != NULL;
		}
		scan->tail_at = scan->pem.inside
				    ? scan->unit_at
				    : st_pem_tail_start(data, scan->tail_at, scan->unit_at);
		emit(scan, data, frontier_find(scan), cut && scan->carry.rule != NULL, out);
	}
	exact_run(scan, &text, len);
	emit(scan, data, final ? len : frontier_find(scan), false, out);
}

static void copy_init(const struct st_scan *scan, struct st_scan *copy)
{
	st_scan_init(copy, scan->redactor);
	copy->decoded = scan->decoded;
	copy->pair = scan->pair;
	copy->pem = scan->pem;
	copy->carry = scan->carry;
	copy->unit_at = scan->unit_at;
	copy->tail_at = scan->tail_at;
	copy->out_at = scan->out_at;
}

/* Where a secret begins that is none yet but would be one if the line went on, or len. */
static size_t budding_start(const struct st_scan *scan, const char *data, size_t len)
{
	static const char MORE[] = "Zq9=x7K2mW4vB8nT1pL5";
	struct st_buf longer = {0};
	struct st_scan copy;
	size_t start = len;
	st_buf_add(&longer, data, len);
	st_buf_add_text(&longer, MORE);
	copy_init(scan, &copy);
	unit_run(&copy, longer.data, scan->unit_at, longer.len);
	for (struct st_span *span; (span = st_spans_first(&copy.shape)) != NULL;) {
		if (span->end > len && span->start < start)
			start = span->start;
		st_spans_drop_first(&copy.shape);
	}
	st_scan_fini(&copy);
	st_buf_fini(&longer);
	return start;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

void st_scan_peek(struct st_scan *scan, const char *data, size_t len, struct st_buf *out)
{
	size_t until = len;
	while (until > scan->unit_at && !st_char_is_space(data[until - 1]))
		until--;
	until = least(until, exact_settled(scan));
	if (scan->tail_at < scan->unit_at || until <= scan->out_at)
		return;
	until = least(until, budding_start(scan, data, len));
	if (until <= scan->out_at)
		return;
	/* The line is judged on a copy, because it will be judged again when it is complete. */
	struct st_scan copy;
	copy_init(scan, &copy);
	st_spans_copy(&copy.exact, &scan->exact);
	unit_run(&copy, data, scan->unit_at, len);
	struct st_span group;
	while (group_take(&copy, &group) && group.start < until) {
		group.end = least(group.end, until);
		piece_add(&copy, data, &group, out);
	}
	if (copy.out_at < until)
		st_buf_add(out, data + copy.out_at, until - copy.out_at);
	scan->redactions += copy.redactions;
	scan->out_at = until;
	st_scan_fini(&copy);
}

size_t st_scan_droppable(const struct st_scan *scan)
{
	size_t keep = scan->out_at;
	if (scan->unit_at < keep)
		keep = scan->unit_at;
	return scan->tail_at < keep ? scan->tail_at : keep;
}

static void lower(size_t *offset, size_t bytes)
{
	*offset = *offset > bytes ? *offset - bytes : 0;
}

void st_scan_drop(struct st_scan *scan, size_t bytes)
{
	assert(bytes <= st_scan_droppable(scan));
	st_seek_drop(&scan->seek, bytes);
	lower(&scan->unit_at, bytes);
	lower(&scan->newline_at, bytes);
	lower(&scan->tail_at, bytes);
	lower(&scan->out_at, bytes);
	lower(&scan->carry.at, bytes);
	st_keyed_pair_drop(&scan->pair, bytes);
	st_spans_shift(&scan->exact, bytes);
	st_spans_shift(&scan->shape, bytes);
}
