/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/value.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/mem.h"

/* 2^63: from here on every double is whole, and no int64 is as large. */
#define TWO_TO_63 9223372036854775808.0

static int compare_int(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Without turning the integer into a double, which may round it. */
static int compare_int_real(int64_t a, double b)
{
	if (b >= TWO_TO_63) {
		return -1;
	}
	if (b < -TWO_TO_63) {
		return 1;
	}
	int64_t whole = (int64_t)b;
	if (a != whole) {
		return compare_int(a, whole);
	}
	double rest = b - (double)whole;
	return (rest < 0) - (rest > 0);
}

int st_number_compare(const json_t *a, const json_t *b)
{
	assert(json_is_number(a));
	assert(json_is_number(b));
	if (json_is_integer(a)) {
		return json_is_integer(b)
			   ? compare_int(json_integer_value(a), json_integer_value(b))
			   : compare_int_real(json_integer_value(a), json_real_value(b));
	}
	if (json_is_integer(b)) {
		return -compare_int_real(json_integer_value(b), json_real_value(a));
	}
	double x = json_real_value(a);
	double y = json_real_value(b);
	return (x > y) - (x < y);
}

bool st_number_is_whole(const json_t *number)
{
	if (json_is_integer(number)) {
		return true;
	}
	double x = json_real_value(number);
	if (x >= TWO_TO_63 || x < -TWO_TO_63) {
		return true;
	}
	double rest = x - (double)(int64_t)x;
	return !(rest < 0) && !(rest > 0);
}

/* mantissa * 10^exponent, sign dropped; mantissa < 2^63 */
struct decimal {
	uint64_t mantissa;
	int exponent;
};

/* The shortest decimal that gives the same double is what was meant: 0.0001, not the double next to
 * it. */
static struct decimal decimal_of(const json_t *number)
{
	if (json_is_integer(number)) {
		int64_t n = json_integer_value(number);
		return (struct decimal){n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 0};
	}
	double x = json_real_value(number);
	char text[40];
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*e", digits - 1, x);
		double again = strtod(text, NULL);
		if (!(again < x) && !(again > x)) {
			break;
		}
	}
	struct decimal decimal = {0, 0};
	bool behind_point = false;
	const char *p = text;
	for (; *p != 'e' && *p != '\0'; p++) {
		if (*p >= '0' && *p <= '9') {
			decimal.mantissa = decimal.mantissa * 10 + (uint64_t)(*p - '0');
			decimal.exponent -= behind_point ? 1 : 0;
		} else if (*p != '-') {
			behind_point = true;
		}
	}
	decimal.exponent += *p == 'e' ? (int)strtol(p + 1, NULL, 10) : 0;
	while (decimal.mantissa > 0 && decimal.mantissa % 10 == 0) {
		decimal.mantissa /= 10;
		decimal.exponent++;
	}
	return decimal;
}

/* a * b mod m without a wider type; m < 2^63 or so large that only a, b < m matters. */
static uint64_t multiply_mod(uint64_t a, uint64_t b, uint64_t m)
{
	uint64_t result = 0;
	for (a %= m; b > 0; b >>= 1) {
		if ((b & 1) != 0) {
			result = result >= m - a ? result - (m - a) : result + a;
		}
		a = a >= m - a ? a - (m - a) : a + a;
	}
	return result;
}

bool st_number_is_multiple(const json_t *number, const json_t *divisor)
{
	struct decimal n = decimal_of(number);
	struct decimal d = decimal_of(divisor);
	assert(d.mantissa > 0);
	int shift = n.exponent - d.exponent;
	for (; shift > 0; shift--) {
		n.mantissa = multiply_mod(n.mantissa, 10, d.mantissa);
	}
	for (; shift < 0 && n.mantissa > 0; shift++) {
		if (n.mantissa % 10 != 0) {
			return false;
		}
		n.mantissa /= 10;
	}
	return n.mantissa % d.mantissa == 0;
}

size_t st_text_length(const char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	}
	return n;
}

static bool equal(const json_t *a, const json_t *b, int depth);

/* NOLINTNEXTLINE(misc-no-recursion): equal counts the depth */
static bool equal_objects(const json_t *a, const json_t *b, int depth)
{
	if (json_object_size(a) != json_object_size(b)) {
		return false;
	}
	for (void *at = json_object_iter((json_t *)a); at != NULL;
	     at = json_object_iter_next((json_t *)a, at)) {
		const json_t *other =
		    json_object_getn(b, json_object_iter_key(at), json_object_iter_key_len(at));
		if (other == NULL || !equal(json_object_iter_value(at), other, depth)) {
			return false;
		}
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): equal counts the depth */
static bool equal_arrays(const json_t *a, const json_t *b, int depth)
{
	size_t n = json_array_size(a);
	if (n != json_array_size(b)) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!equal(json_array_get(a, i), json_array_get(b, i), depth)) {
			return false;
		}
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ST_VALUE_DEPTH_MAX */
static bool equal(const json_t *a, const json_t *b, int depth)
{
	if (json_is_number(a) && json_is_number(b)) {
		return st_number_compare(a, b) == 0;
	}
	if (json_typeof(a) != json_typeof(b) || depth >= ST_VALUE_DEPTH_MAX) {
		return false;
	}
	switch (json_typeof(a)) {
	case JSON_STRING:
		return json_string_length(a) == json_string_length(b) &&
		       memcmp(json_string_value(a), json_string_value(b), json_string_length(a)) ==
			   0;
	case JSON_OBJECT:
		return equal_objects(a, b, depth + 1);
	case JSON_ARRAY:
		return equal_arrays(a, b, depth + 1);
	case JSON_INTEGER:
	case JSON_REAL:
	case JSON_TRUE:
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return true;
}

bool st_value_equal(const json_t *a, const json_t *b)
{
	return equal(a, b, 0);
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ p[i]) * UINT64_C(1099511628211);
	}
	return hash;
}

static uint64_t hash_number(const json_t *value)
{
	/* Equal numbers give equal doubles; two that round alike merely share a hash. */
	double x = json_number_value(value);
	if (!(x < 0) && !(x > 0)) {
		x = 0;
	}
	return hash_bytes(5, &x, sizeof x);
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ST_VALUE_DEPTH_MAX */
static uint64_t hash_value(const json_t *value, int depth)
{
	uint64_t hash = (uint64_t)json_typeof(value) + 1;
	if (json_is_number(value)) {
		return hash_number(value);
	}
	if (json_is_string(value)) {
		return hash_bytes(hash, json_string_value(value), json_string_length(value));
	}
	if (depth >= ST_VALUE_DEPTH_MAX) {
		return hash;
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		uint64_t item = hash_value(json_array_get(value, i), depth + 1);
		hash = hash_bytes(hash, &item, sizeof item);
	}
	/* A sum, since the order of members does not matter. */
	for (void *at = json_object_iter((json_t *)value); at != NULL;
	     at = json_object_iter_next((json_t *)value, at)) {
		uint64_t member = hash_value(json_object_iter_value(at), depth + 1);
		hash += hash_bytes(member, json_object_iter_key(at), json_object_iter_key_len(at));
	}
	return hash;
}

struct hashed {
	uint64_t hash;
	const json_t *value;
};

static int compare_hashed(const void *a, const void *b)
{
	uint64_t x = ((const struct hashed *)a)->hash;
	uint64_t y = ((const struct hashed *)b)->hash;
	return (x > y) - (x < y);
}

static bool are_few_unique(const json_t *array, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = 0; j < i; j++) {
			if (equal(json_array_get(array, i), json_array_get(array, j), 0)) {
				return false;
			}
		}
	}
	return true;
}

bool st_value_is_unique(const json_t *array)
{
	size_t n = json_array_size(array);
	if (n <= 8) {
		return are_few_unique(array, n);
	}
	st_autofree struct hashed *items = st_alloc_array(n, sizeof items[0]);
	for (size_t i = 0; i < n; i++) {
		const json_t *value = json_array_get(array, i);
		items[i] = (struct hashed){hash_value(value, 0), value};
	}
	qsort(items, n, sizeof items[0], compare_hashed);
	/* Different values of one hash are next to each other; more than a few are no accident. */
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0 && items[j - 1].hash == items[i].hash && i - j < 64; j--) {
			if (equal(items[j - 1].value, items[i].value, 0)) {
				return false;
			}
		}
	}
	return true;
}
