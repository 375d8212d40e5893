/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "redact/spell.h"
#include "schemas/buf.h"

/* Invented values with what encodings change: quotes, slashes, spaces, UTF-8, no bytes of words. */
static const char *const SECRETS[] = {
    "fAk3/s3cr3t+val ue&\"q'uo\\te<x>",
    "plainfakevalue0123456789",
    "f\xc3\xa4k\xc3\xa9-\xf0\x9f\x98\x80-p4ss",
    "sixsix",
    "fake:1",
    "{\"user\":\"u1\",\"pass\":\"f4ke/inner\\\"leaf\"}",
    "line one of a fake secret\nline two of a fake secret",
};

static struct st_redactor *redactor_of(const char *secret)
{
	struct st_redactor *redactor = st_redactor_new();
	struct st_diag diag = {0};
	if (strcmp(secret, "sixsix") == 0)
		secret = "six6ix";
	if (st_redactor_secret(redactor, "NAME", secret, strlen(secret), &diag) != ST_OK)
		fail_msg("%s", diag.text);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	return redactor;
}

static void expect_found(const struct st_redactor *redactor, const char *text, const char *form)
{
	st_autoclean struct st_clean *clean = st_redact_text(redactor, text, strlen(text));
	if (strstr(st_clean_text(clean), form) != NULL ||
	    strstr(st_clean_text(clean), "[redacted:NAME]") == NULL)
		fail_msg("%s stays in %s", form, st_clean_text(clean));
}

static void found_among_others(const struct st_redactor *redactor, const char *form)
{
	char text[4096];
	(void)snprintf(text, sizeof text, "before %s after", form);
	expect_found(redactor, text, form);
	(void)snprintf(text, sizeof text, "x%sx", form);
	expect_found(redactor, text, form);
}

static void raw_and_hex_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof SECRETS / sizeof SECRETS[0]; i++) {
		const char *secret = i == 3 ? "six6ix" : SECRETS[i];
		struct st_redactor *redactor = redactor_of(SECRETS[i]);
		found_among_others(redactor, secret);
		char hex[512];
		sodium_bin2hex(hex, sizeof hex, (const uint8_t *)secret, strlen(secret));
		found_among_others(redactor, hex);
		for (size_t j = 0; hex[j] != '\0'; j++)
			hex[j] = (char)(hex[j] >= 'a' ? hex[j] - 32 : hex[j]);
		found_among_others(redactor, hex);
		st_redactor_free(redactor);
	}
}

/* Encodes prefix + secret + suffix; of the secret's own characters none may stay. */
static void base64_is_found_at(const struct st_redactor *redactor, const char *secret, size_t shift,
			       int variant)
{
	uint8_t plain[512];
	char text[1024], middle[1024];
	size_t len = strlen(secret);
	memset(plain, '~', sizeof plain);
	memcpy(plain + shift, secret, len);
	sodium_bin2base64(text, sizeof text, plain, shift + len + 5, variant);
	/* The characters that hold nothing but the secret's bits. */
	size_t first = (8 * shift + 5) / 6, last = 8 * (shift + len) / 6;
	assert_true(last > first);
	memcpy(middle, text + first, last - first);
	middle[last - first] = '\0';
	expect_found(redactor, text, middle);
}

static void base64_is_found_in_every_alignment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof SECRETS / sizeof SECRETS[0]; i++) {
		const char *secret = i == 3 ? "six6ix" : SECRETS[i];
		struct st_redactor *redactor = redactor_of(SECRETS[i]);
		for (size_t shift = 0; shift < 7; shift++) {
			base64_is_found_at(redactor, secret, shift, sodium_base64_VARIANT_ORIGINAL);
			base64_is_found_at(redactor, secret, shift,
					   sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		}
		st_redactor_free(redactor);
	}
}

static void percent(const char *secret, const char *kept, const char *format, char *out)
{
	for (; *secret != '\0'; secret++) {
		unsigned char c = (unsigned char)*secret;
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || strchr(kept, c) != NULL;
		if (plain)
			*out++ = (char)c;
		else if (c == ' ' && strchr(kept, '*') != NULL && strchr(kept, '!') == NULL)
			*out++ = '+';
		else if (strcmp(format, "%%%02X") == 0)
			out += snprintf(out, 4, "%%%02X", c);
		else
			out += snprintf(out, 4, "%%%02x", c);
	}
	*out = '\0';
}

static void percent_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof SECRETS / sizeof SECRETS[0]; i++) {
		const char *secret = i == 3 ? "six6ix" : SECRETS[i];
		struct st_redactor *redactor = redactor_of(SECRETS[i]);
		char text[1024];
		percent(secret, "-._~", "%%%02X", text);
		found_among_others(redactor, text);
		percent(secret, "-._~", "%%%02x", text);
		found_among_others(redactor, text);
		percent(secret, "-._~!'()*", "%%%02X", text);
		found_among_others(redactor, text);
		percent(secret, "-._~/", "%%%02X", text);
		found_among_others(redactor, text);
		percent(secret, "-._*", "%%%02X", text);
		found_among_others(redactor, text);
		st_redactor_free(redactor);
	}
}

static char *json_of(const char *text, size_t flags)
{
	json_t *value = json_string(text);
	char *dumped = json_dumps(value, flags | JSON_ENCODE_ANY);
	json_decref(value);
	assert_non_null(dumped);
	return dumped;
}

static void json_is_found_once_and_twice_escaped(void **state)
{
	(void)state;
	static const size_t FLAGS[] = {0, JSON_ENSURE_ASCII, JSON_ESCAPE_SLASH};
	for (size_t i = 0; i < sizeof SECRETS / sizeof SECRETS[0]; i++) {
		const char *secret = i == 3 ? "six6ix" : SECRETS[i];
		struct st_redactor *redactor = redactor_of(SECRETS[i]);
		for (size_t f = 0; f < sizeof FLAGS / sizeof FLAGS[0]; f++) {
			char *once = json_of(secret, FLAGS[f]);
			once[strlen(once) - 1] = '\0';
			found_among_others(redactor, once + 1);
			char *twice = json_of(once + 1, 0);
			twice[strlen(twice) - 1] = '\0';
			if (FLAGS[f] != JSON_ESCAPE_SLASH)
				found_among_others(redactor, twice + 1);
			free(once);
			free(twice);
		}
		st_redactor_free(redactor);
	}
}

static void html_and_shell_are_found(void **state)
{
	(void)state;
	struct st_redactor *redactor = redactor_of(SECRETS[0]);
	found_among_others(redactor, "fAk3/s3cr3t+val ue&amp;&quot;q&#x27;uo\\te&lt;x&gt;");
	found_among_others(redactor, "fAk3/s3cr3t+val ue&amp;&#34;q&#39;uo\\te&lt;x&gt;");
	found_among_others(redactor, "fAk3/s3cr3t+val ue&\"q'\\''uo\\te<x>");
	found_among_others(redactor, "fAk3/s3cr3t+val ue\\u0026\\\"q'uo\\\\te\\u003cx\\u003e");
	st_redactor_free(redactor);
}

static void leaves_and_lines_are_secrets_too(void **state)
{
	(void)state;
	struct st_redactor *redactor = redactor_of(SECRETS[5]);
	found_among_others(redactor, "f4ke/inner\"leaf");
	found_among_others(redactor, "f4ke/inner\\\"leaf");
	st_redactor_free(redactor);
	redactor = redactor_of(SECRETS[6]);
	found_among_others(redactor, "line two of a fake secret");
	found_among_others(redactor, "line one of a fake secret\r\nline two of a fake secret");
	st_redactor_free(redactor);
}

static void harmless_neighbours_of_secrets_survive(void **state)
{
	(void)state;
	struct st_redactor *redactor = redactor_of(SECRETS[5]);
	static const char TEXT[] = "{\n}\n{\"user\":\"u2\"} f4ke/inne line";
	st_autoclean struct st_clean *clean = st_redact_text(redactor, TEXT, strlen(TEXT));
	assert_string_equal(st_clean_text(clean), TEXT);
	st_redactor_free(redactor);
}

static void unfit_secrets_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *value;
	} BAD[] = {
	    {"N", ""},		{"N", "12345"},	       {"N", "  1 45 \n"},   {"N", "platops"},
	    {"N", "localhost"}, {"N", "Password"},     {"N", "redacted"},    {"N", "secret]"},
	    {"", "fAk3s3cr3t"}, {"a b", "fAk3s3cr3t"}, {"a]", "fAk3s3cr3t"}, {"N", "github-token"},
	};
	struct st_redactor *redactor = st_redactor_new();
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct st_diag diag = {0};
		assert_int_equal(st_redactor_secret(redactor, BAD[i].name, BAD[i].value,
						    strlen(BAD[i].value), &diag),
				 ST_ERR_INVALID);
		assert_true(strlen(diag.text) > 20);
		if (strlen(BAD[i].value) > 8)
			assert_null(strstr(diag.text, BAD[i].value));
	}
	static char big[ST_REDACT_SECRET_MAX + 2];
	memset(big, 'x', sizeof big);
	assert_int_equal(st_redactor_secret(redactor, "N", big, ST_REDACT_SECRET_MAX + 1, NULL),
			 ST_ERR_TOO_LARGE);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	assert_int_equal(st_redactor_secret(redactor, "N", "fAk3s3cr3t", 10, NULL),
			 ST_ERR_CONFLICT);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_ERR_CONFLICT);
	st_redactor_free(redactor);
}

static void a_name_that_is_a_secret_is_not_shown(void **state)
{
	(void)state;
	struct st_redactor *redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "fAk3s3cr3t", "fAk3s3cr3t", 10, NULL), 0);
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	st_autoclean struct st_clean *clean = st_redact_text(redactor, "a fAk3s3cr3t b", 14);
	assert_string_equal(st_clean_text(clean), "a [redacted:secret] b");
	st_redactor_free(redactor);
}

static void many_secrets_are_found_together(void **state)
{
	(void)state;
	struct st_redactor *redactor = st_redactor_new();
	char value[32];
	for (unsigned i = 0; i < 2000; i++) {
		int len = snprintf(value, sizeof value, "f%uAk3-%08x", i, i * 2654435761u);
		assert_int_equal(st_redactor_secret(redactor, "NAME", value, (size_t)len, NULL), 0);
	}
	assert_int_equal(st_redactor_build(redactor, NULL), ST_OK);
	for (unsigned i = 0; i < 2000; i += 7) {
		(void)snprintf(value, sizeof value, "f%uAk3-%08x", i, i * 2654435761u);
		found_among_others(redactor, value);
	}
	st_redactor_free(redactor);
}

static void free_takes_nothing_and_unbuilt(void **state)
{
	(void)state;
	st_redactor_free(NULL);
	struct st_redactor *redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(redactor, "N", "fAk3s3cr3t", 10, NULL), 0);
	st_redactor_free(redactor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(raw_and_hex_are_found),
	    cmocka_unit_test(base64_is_found_in_every_alignment),
	    cmocka_unit_test(percent_is_found),
	    cmocka_unit_test(json_is_found_once_and_twice_escaped),
	    cmocka_unit_test(html_and_shell_are_found),
	    cmocka_unit_test(leaves_and_lines_are_secrets_too),
	    cmocka_unit_test(harmless_neighbours_of_secrets_survive),
	    cmocka_unit_test(unfit_secrets_are_refused_with_a_reason),
	    cmocka_unit_test(a_name_that_is_a_secret_is_not_shown),
	    cmocka_unit_test(many_secrets_are_found_together),
	    cmocka_unit_test(free_takes_nothing_and_unbuilt),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
