/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most text is passed over by one test per offset: four bytes are hashed into a bit map
 * that fits in the first-level cache. What passes is looked up exactly, then asked of the rules.
 */
#include "redact/anchor.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/filter.h"
#include "schemas/mem.h"

#define OWN_GRAMS_MAX 6000
#define RULE_GRAMS_MAX 16 /* of a keyword: its upper and lower case */

struct slot {
	uint32_t gram;
	uint16_t first; /* 0: empty */
};

struct st_anchors {
	struct st_anchor *items; /* 0 is not used */
	size_t n;
	size_t cap;
	size_t slots_used;
	struct slot *slots;
	unsigned slot_bits; /* the binary logarithm of how many there are */
	struct st_filter filter;
};

/* Parts of the names that keyname.c knows: each of them has one of these. */
static const char *const KEY_GRAMS[] = {"pass", "secr",	 "toke", "cred", "_key", "-key", "ikey",
					"skey", "ekey",	 "tkey", "gkey", "nkey", "rkey", "hkey",
					"ckey", "dkey",	 "pkey", " key", "auth", "cook", "sess",
					"sig=", "sig\"", "sig:", "ture", "mnem", "tstr", "nstr"};
/* Shorter parts, and what may stand behind them. */
static const char *const KEY_SHORT[] = {"pwd", "jwt", "sid"};
static const char KEY_BEHIND[] = "=: \"'_-]\\>%";

static uint32_t gram_at(const char *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

static uint32_t slot_of(const struct st_anchors *anchors, uint32_t gram)
{
	return (gram * UINT32_C(0x85ebca6b)) >> (32 - anchors->slot_bits);
}

static struct slot *slot_find(struct st_anchors *anchors, uint32_t gram)
{
	uint32_t i = slot_of(anchors, gram);
	while (anchors->slots[i].first != 0 && anchors->slots[i].gram != gram)
		i = (i + 1) & ((1u << anchors->slot_bits) - 1);
	return &anchors->slots[i];
}

static void gram_add(struct st_anchors *anchors, const char text[4], enum st_anchor_kind kind,
		     size_t of)
{
	uint32_t gram = gram_at(text);
	struct slot *slot = slot_find(anchors, gram);
	for (uint16_t i = slot->first; i != 0; i = anchors->items[i].next)
		if (anchors->items[i].kind == kind && anchors->items[i].of == of)
			return;
	if (anchors->n == anchors->cap) {
		anchors->cap *= 2;
		anchors->items = st_realloc(anchors->items, anchors->cap * sizeof *anchors->items);
	}
	assert(anchors->n < UINT16_MAX);
	anchors->items[anchors->n] =
	    (struct st_anchor){.kind = (uint8_t)kind, .of = (uint16_t)of, .next = slot->first};
	anchors->slots_used += slot->first == 0;
	assert(anchors->slots_used < (1u << anchors->slot_bits) * 3 / 4);
	*slot = (struct slot){.gram = gram, .first = (uint16_t)anchors->n++};
	st_filter_add(&anchors->filter, text);
}

/* The same in upper and lower case, and mixed. */
static void gram_add_folded(struct st_anchors *anchors, const char text[4],
			    enum st_anchor_kind kind, size_t of)
{
	for (unsigned mask = 0; mask < 16; mask++) {
		char variant[4];
		bool same = false;
		for (unsigned i = 0; i < 4; i++) {
			bool upper = (mask >> i) & 1;
			variant[i] = text[i];
			same |= upper && !(text[i] >= 'a' && text[i] <= 'z');
			if (upper)
				variant[i] = (char)(text[i] & ~0x20);
		}
		if (!same)
			gram_add(anchors, variant, kind, of);
	}
}

/* The sets of bytes that may stand in the four places from a token's anchor on. */
static void anchor_sets(const struct st_tokens *tokens, const struct st_token *token,
			struct st_class sets[4])
{
	size_t n = 0;
	for (size_t i = token->anchor; i < token->n && n < 4; i++) {
		const struct st_token_part *part = &token->parts[i];
		size_t len = part->literal != NULL ? part->len : part->min;
		for (size_t j = 0; j < len && n < 4; j++, n++) {
			sets[n] = (struct st_class){{0}};
			if (part->literal == NULL)
				sets[n] = tokens->classes[part->class];
			else
				sets[n].bits[part->literal[j] >> 6] |= UINT64_C(1)
								       << (part->literal[j] & 63);
		}
	}
	assert(n == 4);
}

#define GRAMS_MAX 4200 /* of one row: more would be found everywhere */

static void token_add(struct st_anchors *anchors, const struct st_tokens *tokens,
		      const struct st_token *token)
{
	struct st_class sets[4];
	char members[4][128];
	size_t n[4] = {0};
	size_t all = 1;
	anchor_sets(tokens, token, sets);
	for (size_t i = 0; i < 4; i++) {
		for (int c = 0; c < 128; c++)
			if (st_class_has(&sets[i], (char)c))
				members[i][n[i]++] = (char)c;
		all *= n[i];
	}
	assert(all > 0 && all <= GRAMS_MAX);
	for (size_t i = 0; i < all; i++) {
		size_t rest = i;
		char text[4];
		for (size_t j = 0; j < 4; j++) {
			text[j] = members[j][rest % n[j]];
			rest /= n[j];
		}
		gram_add(anchors, text, ST_ANCHOR_TOKEN, (size_t)(token - tokens->items));
	}
}

static void keys_add(struct st_anchors *anchors)
{
	for (size_t i = 0; i < sizeof KEY_GRAMS / sizeof KEY_GRAMS[0]; i++)
		gram_add_folded(anchors, KEY_GRAMS[i], ST_ANCHOR_KEY, 0);
	for (size_t i = 0; i < sizeof KEY_SHORT / sizeof KEY_SHORT[0]; i++)
		for (size_t j = 0; j < sizeof KEY_BEHIND - 1; j++) {
			char text[4];
			memcpy(text, KEY_SHORT[i], 3);
			text[3] = KEY_BEHIND[j];
			gram_add_folded(anchors, text, ST_ANCHOR_KEY, 0);
		}
}

/* Each keyword by its first four bytes, in any case. */
static void rule_add(struct st_anchors *anchors, const struct st_rule *rule)
{
	const char *keyword;
	for (size_t k = 0; (keyword = st_rule_keyword(rule, k)) != NULL; k++) {
		char text[4];
		for (size_t i = 0; i < 4; i++)
			text[i] = st_char_lower(keyword[i]);
		gram_add_folded(anchors, text, ST_ANCHOR_RULE, st_rule_number(rule));
	}
}

/* A quarter of the slots stays empty. */
static unsigned slot_bits_for(const struct st_rules *rules)
{
	size_t grams = OWN_GRAMS_MAX;
	for (size_t i = 0; i < st_rules_count(rules); i++)
		for (size_t k = 0; st_rule_keyword(st_rules_get(rules, i), k) != NULL; k++)
			grams += RULE_GRAMS_MAX;
	unsigned bits = 13;
	while (((size_t)3 << bits) / 4 < grams)
		bits++;
	return bits;
}

struct st_anchors *st_anchors_new(const struct st_tokens *tokens, const struct st_rules *rules)
{
	struct st_anchors *anchors = st_alloc(sizeof *anchors);
	anchors->n = 1;
	anchors->cap = 8192;
	anchors->slot_bits = slot_bits_for(rules);
	anchors->slots = st_alloc_array((size_t)1 << anchors->slot_bits, sizeof *anchors->slots);
	anchors->items = st_alloc_array(anchors->cap, sizeof *anchors->items);
	for (size_t i = 0; i < tokens->n; i++)
		token_add(anchors, tokens, &tokens->items[i]);
	for (size_t i = 0; i < st_rules_count(rules); i++)
		rule_add(anchors, st_rules_get(rules, i));
	keys_add(anchors);
	gram_add_folded(anchors, "bear", ST_ANCHOR_BEARER, 0);
	gram_add_folded(anchors, "dent", ST_ANCHOR_SQL, 0);
	gram_add_folded(anchors, "valu", ST_ANCHOR_VALUE, 0);
	gram_add(anchors, "defa", ST_ANCHOR_VALUE, 0);
	gram_add(anchors, "htpa", ST_ANCHOR_HTPASSWD, 0);
	gram_add(anchors, "-use", ST_ANCHOR_USER, 0);
	gram_add(anchors, ":543", ST_ANCHOR_PGPASS, 0);
	gram_add(anchors, "-BEG", ST_ANCHOR_PEM_BEGIN, 0);
	gram_add(anchors, "-END", ST_ANCHOR_PEM_END, 0);
	gram_add(anchors, "[red", ST_ANCHOR_MARKER, 0);
	for (int c = ' '; c < 127; c++) {
		char flag[4] = {' ', '-', 0, (char)c};
		for (const char *letter = "pawuPU"; *letter != '\0'; letter++) {
			flag[2] = *letter;
			gram_add(anchors, flag, ST_ANCHOR_FLAG, 0);
		}
	}
	for (int c = 0; c < 128; c++) {
		char url[4] = {(char)c, ':', '/', '/'};
		if (st_char_is_alnum((char)c))
			gram_add(anchors, url, ST_ANCHOR_URL, 0);
	}
	return anchors;
}

void st_anchors_free(struct st_anchors *anchors)
{
	if (anchors == NULL)
		return;
	st_free(anchors->items);
	st_free(anchors->slots);
	st_free(anchors);
}

static uint16_t exact_first(const struct st_anchors *anchors, uint32_t gram)
{
	uint32_t i = slot_of(anchors, gram);
	while (anchors->slots[i].first != 0) {
		if (anchors->slots[i].gram == gram)
			return anchors->slots[i].first;
		i = (i + 1) & ((1u << anchors->slot_bits) - 1);
	}
	return 0;
}

size_t st_anchors_next(const struct st_anchors *anchors, const char *data, size_t at, size_t end,
		       uint16_t *first)
{
	while ((at = st_filter_next(&anchors->filter, data, at, end)) < end && end - at >= 4) {
		*first = exact_first(anchors, gram_at(data + at));
		if (*first != 0)
			return at;
		at++;
	}
	return end;
}

const struct st_anchor *st_anchors_get(const struct st_anchors *anchors, uint16_t number)
{
	assert(number > 0);
	assert(number < anchors->n);
	return &anchors->items[number];
}
