/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <string.h>

#include "redact/seal.h"

static const uint8_t NONCE[ST_SEAL_NONCE_BYTES] = {7, 1, 2};
static const struct st_seal_bytes CONTEXT = {"r_1/find/output", 15};
static const struct st_seal_bytes PLAIN = {"what the next step needs", 24};

static struct st_seal_key key_of(uint8_t first)
{
	struct st_seal_key instance = {{first, 9, 9}}, key;
	st_seal_key_derive(&instance, (struct st_id){{1, 2, 3}}, &key);
	return key;
}

static struct st_buf sealed_plain(void)
{
	struct st_seal_key key = key_of(1);
	struct st_buf sealed = {0};
	assert_int_equal(st_seal(&key, NONCE, CONTEXT, PLAIN, &sealed), ST_OK);
	return sealed;
}

static struct st_seal_bytes bytes_of(struct st_buf buf)
{
	return (struct st_seal_bytes){buf.data, buf.len};
}

static void what_was_sealed_opens(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1);
	struct st_buf sealed = sealed_plain(), plain = {0};
	assert_int_equal(sealed.len, PLAIN.len + ST_SEAL_OVERHEAD_BYTES);
	st_buf_add_text(&plain, "before ");
	assert_int_equal(st_unseal(&key, CONTEXT, bytes_of(sealed), &plain), ST_OK);
	assert_string_equal(plain.data, "before what the next step needs");
	st_seal_buf_wipe(&plain);
	assert_null(plain.data);
	st_buf_fini(&sealed);
}

static void nothing_at_all_can_be_sealed(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1);
	struct st_seal_bytes none = {NULL, 0};
	struct st_buf sealed = {0}, plain = {0};
	assert_int_equal(st_seal(&key, NONCE, none, none, &sealed), ST_OK);
	assert_int_equal(st_unseal(&key, none, bytes_of(sealed), &plain), ST_OK);
	assert_int_equal(plain.len, 0);
	st_buf_fini(&sealed);
	st_seal_buf_wipe(&plain);
}

static void any_changed_bit_is_noticed(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1);
	struct st_buf sealed = sealed_plain(), plain = {0};
	for (size_t bit = 0; bit < 8 * sealed.len; bit++) {
		sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ (1 << bit % 8));
		int rc = st_unseal(&key, CONTEXT, bytes_of(sealed), &plain);
		assert_int_equal(rc, bit > 0 && bit < 8 ? ST_ERR_NEWER : ST_ERR_CORRUPT);
		assert_int_equal(plain.len, 0);
		sealed.data[bit / 8] = (char)(sealed.data[bit / 8] ^ (1 << bit % 8));
	}
	st_buf_fini(&sealed);
	st_buf_fini(&plain);
}

static void any_cut_is_noticed(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1);
	struct st_buf sealed = sealed_plain(), plain = {0};
	for (size_t len = 0; len < sealed.len; len++)
		assert_int_equal(
		    st_unseal(&key, CONTEXT, (struct st_seal_bytes){sealed.data, len}, &plain),
		    ST_ERR_CORRUPT);
	st_buf_fini(&sealed);
	st_buf_fini(&plain);
}

static void another_key_or_place_does_not_open_it(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1), other = key_of(2), run;
	struct st_buf sealed = sealed_plain(), plain = {0};
	assert_int_equal(st_unseal(&other, CONTEXT, bytes_of(sealed), &plain), ST_ERR_CORRUPT);
	struct st_seal_bytes elsewhere = {"r_1/read/output", 15};
	assert_int_equal(st_unseal(&key, elsewhere, bytes_of(sealed), &plain), ST_ERR_CORRUPT);
	struct st_seal_key instance = {{1, 9, 9}};
	for (size_t i = 0; i < 16; i++) {
		struct st_id id = {{1, 2, 3}};
		id.bytes[i] ^= 128;
		st_seal_key_derive(&instance, id, &run);
		assert_memory_not_equal(&run, &key, sizeof run);
	}
	st_seal_key_wipe(&key);
	assert_int_equal(key.bytes[0] | key.bytes[31], 0);
	st_buf_fini(&sealed);
	st_buf_fini(&plain);
}

static void too_much_is_refused(void **state)
{
	(void)state;
	struct st_seal_key key = key_of(1);
	struct st_buf sealed = {0};
	struct st_seal_bytes large = {"", ST_SEAL_PLAIN_BYTES_MAX + 1};
	struct st_seal_bytes place = {"", ST_SEAL_CONTEXT_BYTES_MAX + 1};
	assert_int_equal(st_seal(&key, NONCE, CONTEXT, large, &sealed), ST_ERR_TOO_LARGE);
	assert_int_equal(st_seal(&key, NONCE, place, PLAIN, &sealed), ST_ERR_TOO_LARGE);
	assert_int_equal(sealed.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_sealed_opens),
	    cmocka_unit_test(nothing_at_all_can_be_sealed),
	    cmocka_unit_test(any_changed_bit_is_noticed),
	    cmocka_unit_test(any_cut_is_noticed),
	    cmocka_unit_test(another_key_or_place_does_not_open_it),
	    cmocka_unit_test(too_much_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
