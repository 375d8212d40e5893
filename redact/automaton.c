/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An Aho-Corasick automaton over a trie whose nodes are numbered breadth first, so that the
 * children of a node have consecutive numbers and an edge is just the byte that leads to its node:
 * 17 bytes a node. Following edges is slow compared to a dense table, but nearly all text is
 * passed over in the root by a filter on four bytes: where no needle begins nothing is followed.
 */
#include "redact/automaton.h"

#include <assert.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "redact/filter.h"
#include "schemas/mem.h"

#define NO_NEEDLE UINT32_MAX

struct node {
	uint32_t fail;	 /* the longest proper suffix that is a node */
	uint32_t child;	 /* number of the first child */
	uint32_t needle; /* name of the longest needle that ends here */
	uint16_t children;
	uint16_t depth;
};

struct st_automaton {
	struct node *nodes;
	uint16_t *needle_len; /* by node */
	uint8_t *bytes;	      /* by node: the byte that leads to it; in locked memory */
	size_t n;
	uint32_t root[256];
	struct st_filter filter;
};

static int needle_compare(const void *left, const void *right)
{
	const struct st_needle *a = left, *b = right;
	int order = memcmp(a->bytes, b->bytes, a->len < b->len ? a->len : b->len);
	if (order != 0)
		return order;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

/* The child of a node by a byte, or 0: the root is nobody's child. */
static uint32_t node_child(const struct st_automaton *automaton, uint32_t node, uint8_t byte)
{
	if (node == 0)
		return automaton->root[byte];
	uint32_t low = automaton->nodes[node].child;
	uint32_t high = low + automaton->nodes[node].children;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (automaton->bytes[middle] == byte)
			return middle;
		if (automaton->bytes[middle] < byte)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static uint32_t node_next(const struct st_automaton *automaton, uint32_t node, uint8_t byte)
{
	for (;;) {
		uint32_t next = node_child(automaton, node, byte);
		if (next != 0 || node == 0)
			return next;
		node = automaton->nodes[node].fail;
	}
}

/* The range of sorted needles that begin with what leads to a node. */
struct range {
	uint32_t low;
	uint32_t high;
};

static void node_add(struct st_automaton *automaton, const struct st_needle *needles,
		     uint32_t parent, struct range range)
{
	uint32_t depth = automaton->nodes[parent].depth;
	const struct st_needle *first = &needles[range.low];
	uint32_t number = (uint32_t)automaton->n++;
	struct node *node = &automaton->nodes[number];
	uint8_t byte = first->bytes[depth];
	*node = (struct node){.depth = (uint16_t)(depth + 1), .needle = NO_NEEDLE};
	automaton->bytes[number] = byte;
	if (parent != 0)
		node->fail = node_next(automaton, automaton->nodes[parent].fail, byte);
	else
		automaton->root[byte] = number;
	if (first->len == depth + 1) {
		node->needle = first->name;
		automaton->needle_len[number] = (uint16_t)first->len;
	} else {
		node->needle = automaton->nodes[node->fail].needle;
		automaton->needle_len[number] = automaton->needle_len[node->fail];
	}
}

static void node_expand(struct st_automaton *automaton, const struct st_needle *needles,
			uint32_t number, struct range *ranges)
{
	uint32_t depth = automaton->nodes[number].depth;
	uint32_t i = ranges[number].low;
	uint32_t high = ranges[number].high;
	while (i < high && needles[i].len == depth)
		i++;
	automaton->nodes[number].child = (uint32_t)automaton->n;
	while (i < high) {
		struct range range = {i, i + 1};
		while (range.high < high &&
		       needles[range.high].bytes[depth] == needles[i].bytes[depth])
			range.high++;
		ranges[automaton->n] = range;
		node_add(automaton, needles, number, range);
		automaton->nodes[number].children++;
		i = range.high;
	}
}

struct st_automaton *st_automaton_new(struct st_needle *needles, size_t n)
{
	struct st_automaton *automaton = st_alloc(sizeof *automaton);
	size_t nodes_max = 1;
	for (size_t i = 0; i < n; i++) {
		assert(needles[i].len >= ST_NEEDLE_MIN);
		assert(needles[i].len <= ST_NEEDLE_MAX);
		nodes_max += needles[i].len;
		st_filter_add(&automaton->filter, needles[i].bytes);
	}
	assert(nodes_max < UINT32_MAX);
	if (n > 0)
		qsort(needles, n, sizeof *needles, needle_compare);
	automaton->nodes = st_alloc_array(nodes_max, sizeof *automaton->nodes);
	automaton->needle_len = st_alloc_array(nodes_max, sizeof *automaton->needle_len);
	automaton->bytes = st_secret_alloc(nodes_max);
	struct range *ranges = st_alloc_array(nodes_max, sizeof *ranges);
	automaton->nodes[0].needle = NO_NEEDLE;
	automaton->n = 1;
	ranges[0] = (struct range){0, (uint32_t)n};
	for (uint32_t i = 0; i < automaton->n; i++)
		node_expand(automaton, needles, i, ranges);
	assert(automaton->n <= nodes_max);
	st_free(ranges);
	return automaton;
}

void st_automaton_free(struct st_automaton *automaton)
{
	if (automaton == NULL)
		return;
	st_secret_free(automaton->bytes);
	st_free(automaton->nodes);
	st_free(automaton->needle_len);
	sodium_memzero(automaton, sizeof *automaton);
	st_free(automaton);
}

uint32_t st_automaton_step(const struct st_automaton *automaton, uint32_t node, uint8_t byte)
{
	return node_next(automaton, node, byte);
}

uint32_t st_automaton_fail(const struct st_automaton *automaton, uint32_t node)
{
	return automaton->nodes[node].fail;
}

uint32_t st_automaton_live(const struct st_automaton *automaton, uint32_t node)
{
	while (node != 0 && automaton->nodes[node].children == 0)
		node = automaton->nodes[node].fail;
	return node;
}

size_t st_automaton_depth(const struct st_automaton *automaton, uint32_t node)
{
	return automaton->nodes[node].depth;
}

size_t st_automaton_hit(const struct st_automaton *automaton, uint32_t node, uint32_t *name)
{
	if (automaton->nodes[node].needle == NO_NEEDLE)
		return 0;
	*name = automaton->nodes[node].needle;
	return automaton->needle_len[node];
}

size_t st_automaton_skip(const struct st_automaton *automaton, const char *data, size_t at,
			 size_t end)
{
	return st_filter_next(&automaton->filter, data, at, end);
}
