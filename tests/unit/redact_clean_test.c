/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/redact.h"

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

static void a_builder_puts_an_event_together(void **state)
{
	(void)state;
	struct st_id id = {{1, 2, 3}};
	struct st_clean_builder b;
	st_clean_builder_init(&b, redactor);
	st_clean_add_literal(&b, "{\"id\":");
	st_clean_add_id(&b, id, ST_ID_CALL);
	st_clean_add_literal(&b, ",\"n\":");
	st_clean_add_int(&b, -5);
	st_clean_add_literal(&b, ",\"meter\":");
	st_clean_add_name(&b, "search.exa");
	st_clean_add_literal(&b, "}");
	st_autoclean struct st_clean *clean = st_clean_builder_finish(&b);
	assert_string_equal(st_clean_text(clean),
			    "{\"id\":\"c_01020300-0000-0000-0000-000000000000\",\"n\":-5,"
			    "\"meter\":\"search.exa\"}");
	assert_int_equal(st_clean_len(clean), strlen(st_clean_text(clean)));
	assert_int_equal(st_clean_redactions(clean), 0);
}

static void a_name_cannot_carry_what_is_none(void **state)
{
	(void)state;
	static const char *const BAD[] = {"", "a b", "a\"", "a\n", "\xc3\xa9"};
	for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
		struct st_clean_builder b;
		st_clean_builder_init(&b, redactor);
		st_clean_add_name(&b, BAD[i]);
		st_autoclean struct st_clean *clean = st_clean_builder_finish(&b);
		assert_string_equal(st_clean_text(clean), "\"[redacted:name]\"");
	}
	struct st_clean_builder b;
	st_clean_builder_init(&b, redactor);
	st_clean_add_name(&b, "glpat-FAKEexample0FAKE1234");
	char long_name[ST_CLEAN_NAME_MAX + 2];
	memset(long_name, 'a', sizeof long_name);
	long_name[ST_CLEAN_NAME_MAX + 1] = '\0';
	st_clean_add_name(&b, long_name);
	st_autoclean struct st_clean *clean = st_clean_builder_finish(&b);
	assert_string_equal(st_clean_text(clean), "\"[redacted:gitlab-token]\"\"[redacted:name]\"");
	assert_int_equal(st_clean_redactions(clean), 2);
}

static void outside_text_is_redacted_on_its_way_in(void **state)
{
	(void)state;
	struct st_clean_builder b;
	st_clean_builder_init(&b, redactor);
	static const char TEXT[] = "password=fake-pass-1\n";
	st_clean_add_text(&b, TEXT, strlen(TEXT));
	json_t *value = json_loads("{\"token\":\"f\"}", 0, NULL);
	st_clean_add_json(&b, value);
	json_decref(value);
	st_autoclean struct st_clean *clean = st_clean_builder_finish(&b);
	assert_string_equal(st_clean_text(clean),
			    "\"password=[redacted:password]\\n\"{\"token\":\"[redacted:value]\"}");
	assert_int_equal(st_clean_redactions(clean), 2);
}

static void clean_text_goes_in_as_it_is(void **state)
{
	(void)state;
	static const char TEXT[] = "a\"\xff\0b";
	st_autoclean struct st_clean *part = st_redact_text(redactor, TEXT, 5);
	assert_int_equal(st_clean_len(part), 5);
	struct st_clean_builder b;
	st_clean_builder_init(&b, redactor);
	st_clean_add_clean(&b, part);
	st_autoclean struct st_clean *clean = st_clean_builder_finish(&b);
	assert_string_equal(st_clean_text(clean), "\"a\\\"\xef\xbf\xbd\xef\xbf\xbd"
						  "b\"");
	st_clean_builder_init(&b, redactor);
	st_clean_add_clean_json(&b, clean);
	st_autoclean struct st_clean *again = st_clean_builder_finish(&b);
	assert_string_equal(st_clean_text(again), st_clean_text(clean));
}

static void a_copy_outlives_its_original(void **state)
{
	(void)state;
	struct st_clean *clean = st_redact_text(redactor, "text", 4);
	st_autoclean struct st_clean *copy = st_clean_copy(clean);
	st_clean_free(clean);
	assert_string_equal(st_clean_text(copy), "text");
	assert_null(st_clean_copy(NULL));
	st_clean_free(NULL);
	struct st_clean_builder b;
	st_clean_builder_init(&b, redactor);
	st_clean_add_literal(&b, "dropped");
	st_clean_builder_fini(&b);
}

static struct st_clean *with_key(uint8_t first, const char *text)
{
	uint8_t key[ST_REDACT_KEY_BYTES] = {first};
	static const char SECRET[] = "fAk3/s3cr3t+val=ue&x";
	struct st_redactor *keyed = st_redactor_new();
	st_redactor_key(keyed, key);
	assert_int_equal(st_redactor_secret(keyed, "N", SECRET, strlen(SECRET), NULL), ST_OK);
	assert_int_equal(st_redactor_build(keyed, NULL), ST_OK);
	struct st_clean *clean = st_redact_text(keyed, text, strlen(text));
	st_autoclean struct st_clean *again =
	    st_redact_text(keyed, st_clean_text(clean), st_clean_len(clean));
	assert_string_equal(st_clean_text(again), st_clean_text(clean));
	st_redactor_free(keyed);
	return clean;
}

static void a_fingerprint_follows_one_secret_through_its_spellings(void **state)
{
	(void)state;
	st_autoclean struct st_clean *clean =
	    with_key(1, "fAk3/s3cr3t+val=ue&x fAk3%2Fs3cr3t%2Bval%3Due%26x fAk3/s3cr\n3t+val=ue&x");
	const char *text = st_clean_text(clean);
	assert_int_equal(strlen(text), 3 * strlen("[redacted:N:01234567]") + 2);
	assert_memory_equal(text, text + 22, 22);
	assert_memory_equal(text, text + 44, 21);
	st_autoclean struct st_clean *other = with_key(2, "fAk3/s3cr3t+val=ue&x");
	assert_memory_not_equal(text, st_clean_text(other), 21);
}

static void what_could_be_guessed_has_no_fingerprint(void **state)
{
	(void)state;
	st_autoclean struct st_clean *clean = with_key(1, "password=12345678 pin");
	assert_string_equal(st_clean_text(clean), "password=[redacted:password] pin");
	st_autoclean struct st_clean *random = with_key(1, "password=kJ8#xQ2!mW9$zR4%vT");
	assert_memory_equal(st_clean_text(random), "password=[redacted:password:", 28);
}

static void numbers_in_json_text_become_strings(void **state)
{
	(void)state;
	static const char *const PAIRS[][2] = {
	    {"{\"password\": 12345678}", "{\"password\": \"[redacted:password]\"}"},
	    {"{\\\"password\\\":12345678}", "{\\\"password\\\":\\\"[redacted:password]\\\"}"},
	};
	for (size_t i = 0; i < 2; i++) {
		st_autoclean struct st_clean *clean =
		    st_redact_text(redactor, PAIRS[i][0], strlen(PAIRS[i][0]));
		assert_string_equal(st_clean_text(clean), PAIRS[i][1]);
		st_autoclean struct st_clean *again =
		    st_redact_text(redactor, st_clean_text(clean), st_clean_len(clean));
		assert_string_equal(st_clean_text(again), PAIRS[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_builder_puts_an_event_together),
	    cmocka_unit_test(a_name_cannot_carry_what_is_none),
	    cmocka_unit_test(outside_text_is_redacted_on_its_way_in),
	    cmocka_unit_test(clean_text_goes_in_as_it_is),
	    cmocka_unit_test(a_copy_outlives_its_original),
	    cmocka_unit_test(a_fingerprint_follows_one_secret_through_its_spellings),
	    cmocka_unit_test(what_could_be_guessed_has_no_fingerprint),
	    cmocka_unit_test(numbers_in_json_text_become_strings),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
