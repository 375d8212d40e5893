/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "redact/redact.h"
#include "redact/token.h"

static struct st_redactor *redactor;

static int setup(void **state)
{
	(void)state;
	redactor = st_redactor_new();
	return st_redactor_build(redactor, NULL);
}

static int teardown(void **state)
{
	(void)state;
	st_redactor_free(redactor);
	return 0;
}

static void expect(const char *text, const char *wanted)
{
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
	assert_string_equal(st_clean_text(clean), wanted);
}

/* What stands around tokens in the wild; %s is the token. */
static const char *const AROUND[] = {
    "%s",
    "%s\n",
    "(%s)",
    "\"%s\"",
    "'%s',",
    "x=%s&y=1",
    "https://h/?q=%s#top",
    "<b>%s</b>",
    "%s@host",
    "a\\n%s\\nb",
    "a%%3D%s%%26b",
    "\x1b[31m%s\x1b[0m",
    "{\\\"a\\\":\\\"%s\\\"}",
    "[%s]: one, %s; two",
    "a/%s/b",
    "| %s |",
};

static void in_all_surroundings(const char *token, const char *rule)
{
	char text[1024], wanted[1024], marker[64];
	(void)snprintf(marker, sizeof marker, "[redacted:%s]", rule);
	for (size_t i = 0; i < sizeof AROUND / sizeof AROUND[0]; i++) {
		/* A path or a longer word would swallow what is part of its alphabet. */
		if (strchr(AROUND[i], '/') != NULL && strstr(token, "/") != NULL)
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(text, sizeof text, AROUND[i], token, token);
		(void)snprintf(wanted, sizeof wanted, AROUND[i], marker, marker);
#pragma GCC diagnostic pop
		expect(text, wanted);
	}
}

static bool swallows_slash(const struct st_token *token)
{
	for (size_t i = 0; i < ST_TOKEN_PARTS_MAX; i++)
		if (st_alphabet_has(token->parts[i].alphabet, '/'))
			return true;
	return false;
}

static void every_row_finds_its_example(void **state)
{
	(void)state;
	assert_true(st_tokens_n > 90);
	for (size_t i = 0; i < st_tokens_n; i++) {
		char token[512];
		(void)snprintf(token, sizeof token, "%s%s", st_tokens[i].prefix,
			       st_tokens[i].example);
		char wanted[64];
		(void)snprintf(wanted, sizeof wanted, "[redacted:%s]", st_tokens[i].rule);
		expect(token, wanted);
		if (!swallows_slash(&st_tokens[i]))
			in_all_surroundings(token, st_tokens[i].rule);
	}
	in_all_surroundings(st_token_discord.example, st_token_discord.rule);
}

static void every_row_spares_its_counter_example(void **state)
{
	(void)state;
	for (size_t i = 0; i < st_tokens_n; i++) {
		char text[512];
		(void)snprintf(text, sizeof text, "see %s%s for more", st_tokens[i].prefix,
			       st_tokens[i].counter);
		expect(text, text);
	}
	expect(st_token_discord.counter, st_token_discord.counter);
}

static void every_row_needs_a_word_start(void **state)
{
	(void)state;
	for (size_t i = 0; i < st_tokens_n; i++) {
		char text[512];
		if (strchr(st_tokens[i].prefix, '.') != NULL)
			continue;
		(void)snprintf(text, sizeof text, "zq%s%s", st_tokens[i].prefix,
			       st_tokens[i].example);
		st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
		assert_int_equal(strncmp(st_clean_text(clean), "zq", 2), 0);
		assert_null(strstr(st_clean_text(clean), st_tokens[i].rule));
	}
}

static void placeholders_of_every_row_survive(void **state)
{
	(void)state;
	for (size_t i = 0; i < st_tokens_n; i++) {
		char text[512];
		int len = snprintf(text, sizeof text, "%s", st_tokens[i].prefix);
		memset(text + len, 'x', 64);
		text[len + 64] = '\0';
		expect(text, text);
	}
}

static void telegram_tokens_are_found(void **state)
{
	(void)state;
	expect("bot 123456789:AAFAKEexample0FAKE1234FAKEexample0F ok",
	       "bot [redacted:telegram-token] ok");
	expect("https://api.telegram.org/bot123456789:AAFAKEexample0FAKE1234FAKEexample0F/getMe",
	       "https://api.telegram.org/bot[redacted:telegram-token]/getMe");
	expect("12:AAFAKEexample0FAKE1234FAKEexample0F", "12:AAFAKEexample0FAKE1234FAKEexample0F");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_row_finds_its_example),
	    cmocka_unit_test(every_row_spares_its_counter_example),
	    cmocka_unit_test(every_row_needs_a_word_start),
	    cmocka_unit_test(placeholders_of_every_row_survive),
	    cmocka_unit_test(telegram_tokens_are_found),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
