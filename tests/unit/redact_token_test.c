/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/entropy.h"
#include "redact/redact.h"
#include "redact/token.h"
#include "schemas/buf.h"

static struct st_redactor *redactor;
static struct st_tokens *tokens;
static json_t *table; /* the same with the examples */
static uint32_t seed = 11;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	tokens = st_tokens_new();
	table = json_load_file(ST_SOURCE_DIR "/redact/tokens.json", 0, NULL);
	assert_int_equal(json_array_size(table), tokens->n);
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	st_tokens_free(tokens);
	json_decref(table);
	return 0;
}

static uint32_t chance(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

/* What stands around tokens in the wild; @ is the token. */
static const char *const AROUND[] = {
    "@",
    "@\n",
    "(@)",
    "\"@\"",
    "'@',",
    "x=@&y=1",
    "https://h/?q=@#top",
    "<b>@</b>",
    "@ host",
    "a\\n@\\nb",
    "a%3D@%26b",
    "\x1b[31m@\x1b[0m",
    "{\\\"a\\\":\\\"@\\\"}",
    "[@]: one, @; two",
    "| @ |",
    "\\u0022@\\u0022",
    "curl -H 'x: @' https://example.com",
    "`@`",
    "@,@",
    "token is @.",
    "\t@\r\n",
    "export A=@;",
    "<@>",
    "*@*",
};
#define AROUND_N (sizeof AROUND / sizeof AROUND[0])

/* The surroundings with `text` for each @. */
static struct st_buf put(const char *around, const char *text)
{
	struct st_buf buf = {0};
	for (const char *c = around; *c != '\0'; c++) {
		if (*c == '@')
			st_buf_add_text(&buf, text);
		else
			st_buf_add_char(&buf, *c);
	}
	return buf;
}

static bool is_rule(const char *text, size_t len)
{
	for (size_t i = 0; i < tokens->n; i++)
		if (strlen(tokens->items[i].rule) == len &&
		    memcmp(tokens->items[i].rule, text, len) == 0)
			return true;
	return len == strlen("value") && memcmp(text, "value", len) == 0;
}

/* The text with every marker of the table put back to @. */
static struct st_buf unmarked(const char *text)
{
	struct st_buf buf = {0};
	st_buf_add_text(&buf, "");
	while (*text != '\0') {
		size_t marker = st_redact_marker_len(text, strlen(text));
		size_t begin = strlen(ST_REDACT_MARKER_BEGIN);
		if (marker > 0 && is_rule(text + begin, marker - begin - 1)) {
			st_buf_add_char(&buf, '@');
			text += marker;
		} else {
			st_buf_add_char(&buf, *text++);
		}
	}
	return buf;
}

static void expect_found(const char *around, const char *token)
{
	struct st_buf text = put(around, token);
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
	struct st_buf left = unmarked(st_clean_text(clean));
	if (strcmp(left.data, around) != 0)
		fail_msg("%s\nbecame\n%s", text.data, st_clean_text(clean));
	st_autoclean struct st_clean *again =
	    st_redact_text(redactor, st_clean_text(clean), st_clean_len(clean));
	assert_string_equal(st_clean_text(again), st_clean_text(clean));
	st_buf_fini(&text);
	st_buf_fini(&left);
}

static struct st_buf joined(const json_t *row, const char *key)
{
	struct st_buf buf = {0};
	size_t i;
	json_t *part;
	json_array_foreach(json_object_get(row, key), i, part)
	    st_buf_add_text(&buf, json_string_value(part));
	assert_non_null(buf.data);
	return buf;
}

/* What stands around a token is part of it when it is of its alphabet. */
static bool swallows(const struct st_token *token, const char *around)
{
	const char *at = strchr(around, '@');
	/* "token-abcde:": what follows reads as the value of a key, which ends elsewhere. */
	if (strcmp(token->rule, "rancher-token") == 0)
		return strlen(around) > 1;
	const struct st_token_part *first = &token->parts[0], *last = &token->parts[token->n - 1];
	bool before = at > around && first->literal == NULL &&
		      st_class_has(&tokens->classes[first->class], at[-1]);
	bool behind = at[1] != '\0' && last->literal == NULL &&
		      st_class_has(&tokens->classes[last->class], at[1]);
	return before || behind;
}

static void every_row_finds_its_example_in_all_surroundings(void **state)
{
	(void)state;
	size_t i;
	json_t *row;
	assert_true(tokens->n > 300);
	json_array_foreach(table, i, row)
	{
		struct st_buf token = joined(row, "example");
		for (size_t j = 0; j < AROUND_N; j++)
			if (!swallows(&tokens->items[i], AROUND[j]))
				expect_found(AROUND[j], token.data);
		st_buf_fini(&token);
	}
}

static void the_table_covers_many_providers(void **state)
{
	(void)state;
	size_t providers = 0;
	for (size_t i = 0; i < tokens->n; i++) {
		const char *rule = tokens->items[i].rule;
		size_t len = strcspn(rule, "-") + 1;
		bool seen = false;
		for (size_t j = 0; j < i && !seen; j++)
			seen = strncmp(tokens->items[j].rule, rule, len) == 0;
		providers += !seen;
	}
	assert_true(providers >= 150);
}

static void part_invent(struct st_buf *buf, const struct st_token_part *part)
{
	if (part->literal != NULL) {
		st_buf_add_text(buf, part->literal);
		return;
	}
	size_t len = part->min;
	if (part->max == 0)
		len += chance(20);
	else if (part->max > part->min)
		len += chance((uint32_t)(part->max - part->min) + 1);
	while (len > 0) {
		char c = (char)(33 + chance(94));
		if (st_class_has(&tokens->classes[part->class], c)) {
			st_buf_add_char(buf, c);
			len--;
		}
	}
}

/* Tokens drawn at random from each row's own expression. */
static void every_row_finds_what_is_drawn_from_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < tokens->n; i++)
		for (int round = 0; round < 20; round++) {
			const struct st_token *token = &tokens->items[i];
			struct st_buf text = {0};
			for (size_t j = 0; j < token->n; j++)
				part_invent(&text, &token->parts[j]);
			const char *around = AROUND[chance(AROUND_N)];
			/* A trailing sign is left to the sentence in some surroundings. */
			if (!swallows(token, around))
				expect_found(around, text.data);
			st_buf_fini(&text);
		}
}

static void expect_same(const char *text)
{
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
	assert_string_equal(st_clean_text(clean), text);
}

static void every_row_spares_its_counter_example(void **state)
{
	(void)state;
	size_t i;
	json_t *row;
	json_array_foreach(table, i, row)
	{
		struct st_buf counter = joined(row, "counter");
		struct st_buf text = put("see @ for more", counter.data);
		st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
		/* Another rule may still find that it stands behind a telling name. */
		if (strstr(st_clean_text(clean), tokens->items[i].rule) != NULL)
			fail_msg("%s becomes %s", text.data, st_clean_text(clean));
		st_buf_fini(&counter);
		st_buf_fini(&text);
	}
}

static void placeholders_of_every_row_survive(void **state)
{
	(void)state;
	static const char *const BODIES[] = {
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
	    "your-token-goes-here-please-replace-it-with-the-real-one-of-yours",
	    "your_api_key_1_goes_here_and_nothing_else_may_stand_in_its_place",
	    "00000000000000000000000000000000000000000000000000000000000000000000",
	    "********************",
	    "<token>",
	};
	for (size_t i = 0; i < tokens->n; i++)
		for (size_t j = 0; j < sizeof BODIES / sizeof BODIES[0]; j++) {
			struct st_buf text = {0};
			if (tokens->items[i].parts[0].literal == NULL)
				continue;
			st_buf_add_text(&text, tokens->items[i].parts[0].literal);
			st_buf_add_text(&text, BODIES[j]);
			expect_same(text.data);
			st_buf_fini(&text);
		}
}

static void a_row_needs_a_word_start(void **state)
{
	(void)state;
	size_t i;
	json_t *row;
	json_array_foreach(table, i, row)
	{
		const struct st_token *token = &tokens->items[i];
		const char *literal = token->parts[0].literal;
		if (literal == NULL || strpbrk(literal, ".-/") != NULL)
			continue;
		struct st_buf example = joined(row, "example");
		struct st_buf text = put("zq@", example.data);
		st_autoclean struct st_clean *clean = st_redact_text(redactor, text.data, text.len);
		assert_int_equal(strncmp(st_clean_text(clean), "zq", 2), 0);
		assert_null(strstr(st_clean_text(clean), token->rule));
		st_buf_fini(&example);
		st_buf_fini(&text);
	}
}

static void tokens_in_addresses_are_found(void **state)
{
	(void)state;
	expect_found("https://api.telegram.org/bot@/getMe",
		     "123456789:AAFAKEexample0FAKE1234FAKEexample0");
	expect_same("12:AAFAKEexample0FAKE1234FAKEexample0");
	expect_same("AKIA"
		    "IOSFODNN7EXAMPLE");
}

static void entropy_is_shannons(void **state)
{
	(void)state;
	assert_int_equal(st_entropy_mibits("", 0), 0);
	assert_int_equal(st_entropy_mibits("aaaa", 4), 0);
	assert_int_equal(st_entropy_mibits("abababab", 8), 1024);
	assert_int_equal(st_entropy_mibits("0123456789abcdef", 16), 4096);
	assert_in_range(st_entropy_mibits("aab", 3), 938, 942);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_finds_its_example_in_all_surroundings),
	    cmocka_unit_test(the_table_covers_many_providers),
	    cmocka_unit_test(every_row_finds_what_is_drawn_from_it),
	    cmocka_unit_test(every_row_spares_its_counter_example),
	    cmocka_unit_test(placeholders_of_every_row_survive),
	    cmocka_unit_test(a_row_needs_a_word_start),
	    cmocka_unit_test(tokens_in_addresses_are_found),
	    cmocka_unit_test(entropy_is_shannons),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
