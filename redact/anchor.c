/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most text is passed over by one test per offset: four bytes with bit 0x20 set (which makes
 * letters lower case, and some other bytes equal, which does no harm) are hashed into a bit map
 * that fits in the first-level cache. What passes is looked up exactly, then asked of the rules.
 */
#include "redact/anchor.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

#define FILTER_BITS 17
#define SLOT_BITS 13
#define FOLD UINT32_C(0x20202020)

struct slot {
	uint32_t gram;
	uint16_t first; /* 0: empty */
};

struct st_anchors {
	struct st_anchor *items; /* 0 is not used */
	size_t n;
	size_t cap;
	size_t slots_used;
	struct slot slots[1u << SLOT_BITS];
	uint8_t filter[1u << (FILTER_BITS - 3)];
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
	return word | FOLD;
}

static uint32_t mix(uint32_t gram, unsigned bits)
{
	return (gram * UINT32_C(0x9e3779b1)) >> (32 - bits);
}

static struct slot *slot_find(struct st_anchors *anchors, uint32_t gram)
{
	uint32_t i = mix(gram, SLOT_BITS);
	while (anchors->slots[i].first != 0 && anchors->slots[i].gram != gram)
		i = (i + 1) & ((1u << SLOT_BITS) - 1);
	return &anchors->slots[i];
}

static void gram_add(struct st_anchors *anchors, const char text[4], enum st_anchor_kind kind,
		     const struct st_token *token)
{
	uint32_t gram = gram_at(text);
	struct slot *slot = slot_find(anchors, gram);
	for (uint16_t i = slot->first; i != 0; i = anchors->items[i].next)
		if (anchors->items[i].kind == kind && anchors->items[i].token == token)
			return;
	if (anchors->n == anchors->cap) {
		anchors->cap *= 2;
		anchors->items = st_realloc(anchors->items, anchors->cap * sizeof *anchors->items);
	}
	assert(anchors->n < UINT16_MAX);
	anchors->items[anchors->n] =
	    (struct st_anchor){.kind = kind, .token = token, .next = slot->first};
	anchors->slots_used += slot->first == 0;
	assert(anchors->slots_used < (1u << SLOT_BITS) * 3 / 4);
	*slot = (struct slot){.gram = gram, .first = (uint16_t)anchors->n++};
	uint32_t hash = mix(gram, FILTER_BITS);
	anchors->filter[hash >> 3] |= (uint8_t)(1u << (hash & 7));
}

/* A prefix of fewer than four bytes is followed by any byte that its body may begin with. */
static void token_add(struct st_anchors *anchors, const struct st_token *token)
{
	char text[4] = {0};
	size_t len = strlen(token->prefix);
	memcpy(text, token->prefix, len < 4 ? len : 4);
	if (len >= 4) {
		gram_add(anchors, text, ST_ANCHOR_TOKEN, token);
		return;
	}
	assert(len == 2 || len == 3);
	for (int a = 0; a < 128; a++) {
		text[2] = len == 3 ? token->prefix[2] : (char)a;
		if (len == 2 && !st_alphabet_has(token->parts[0].alphabet, (char)a))
			continue;
		for (int b = 0; b < 128; b++) {
			text[3] = (char)b;
			if (st_alphabet_has(token->parts[0].alphabet, (char)b))
				gram_add(anchors, text, ST_ANCHOR_TOKEN, token);
		}
		if (len == 3)
			break;
	}
}

/* A Discord token begins with a number's digits in base64: these are all its possible starts. */
static void discord_add(struct st_anchors *anchors)
{
	static const char THIRD[] = "AEIMQUYcgk";
	static const char FOURTH[] = "wxyz012345";
	for (size_t i = 0; i < 3 * 4 * 10 * 10; i++) {
		char text[4] = {"MNO"[i % 3], "DTjz"[i / 3 % 4], THIRD[i / 12 % 10],
				FOURTH[i / 120]};
		gram_add(anchors, text, ST_ANCHOR_TOKEN, &st_token_discord);
	}
}

static void keys_add(struct st_anchors *anchors)
{
	for (size_t i = 0; i < sizeof KEY_GRAMS / sizeof KEY_GRAMS[0]; i++)
		gram_add(anchors, KEY_GRAMS[i], ST_ANCHOR_KEY, NULL);
	for (size_t i = 0; i < sizeof KEY_SHORT / sizeof KEY_SHORT[0]; i++)
		for (size_t j = 0; j < sizeof KEY_BEHIND - 1; j++) {
			char text[4];
			memcpy(text, KEY_SHORT[i], 3);
			text[3] = KEY_BEHIND[j];
			gram_add(anchors, text, ST_ANCHOR_KEY, NULL);
		}
}

struct st_anchors *st_anchors_new(void)
{
	struct st_anchors *anchors = st_alloc(sizeof *anchors);
	anchors->n = 1;
	anchors->cap = 256;
	anchors->items = st_alloc_array(anchors->cap, sizeof *anchors->items);
	for (size_t i = 0; i < st_tokens_n; i++)
		token_add(anchors, &st_tokens[i]);
	discord_add(anchors);
	keys_add(anchors);
	gram_add(anchors, "bear", ST_ANCHOR_BEARER, NULL);
	gram_add(anchors, "-beg", ST_ANCHOR_PEM_BEGIN, NULL);
	gram_add(anchors, "-end", ST_ANCHOR_PEM_END, NULL);
	gram_add(anchors, "[red", ST_ANCHOR_MARKER, NULL);
	for (int c = 0; c < 128; c++) {
		char url[4] = {(char)c, ':', '/', '/'};
		char telegram[4] = {':', 'A', 'A', (char)c};
		if (st_char_is_alnum((char)c))
			gram_add(anchors, url, ST_ANCHOR_URL, NULL);
		if (st_alphabet_has(ST_ALPHABET_BASE64URL, (char)c))
			gram_add(anchors, telegram, ST_ANCHOR_TELEGRAM, NULL);
	}
	return anchors;
}

void st_anchors_free(struct st_anchors *anchors)
{
	if (anchors == NULL)
		return;
	st_free(anchors->items);
	st_free(anchors);
}

static uint16_t exact_first(const struct st_anchors *anchors, uint32_t gram)
{
	uint32_t i = mix(gram, SLOT_BITS);
	while (anchors->slots[i].first != 0) {
		if (anchors->slots[i].gram == gram)
			return anchors->slots[i].first;
		i = (i + 1) & ((1u << SLOT_BITS) - 1);
	}
	return 0;
}

size_t st_anchors_next(const struct st_anchors *anchors, const char *data, size_t at, size_t end,
		       uint16_t *first)
{
	for (; at < end && end - at >= 4; at++) {
		uint32_t gram = gram_at(data + at);
		uint32_t hash = mix(gram, FILTER_BITS);
		if (((anchors->filter[hash >> 3] >> (hash & 7)) & 1) == 0)
			continue;
		*first = exact_first(anchors, gram);
		if (*first != 0)
			return at;
	}
	return end;
}

const struct st_anchor *st_anchors_get(const struct st_anchors *anchors, uint16_t number)
{
	assert(number > 0);
	assert(number < anchors->n);
	return &anchors->items[number];
}
