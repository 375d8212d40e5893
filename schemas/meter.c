/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/meter.h"

#include <assert.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/err.h"

static const char *const meter_names[] = {
#define X(name, text, unit) text,
    ST_METER_X(X)
#undef X
};

static const char *const meter_units[] = {
#define X(name, text, unit) unit,
    ST_METER_X(X)
#undef X
};

static const char *const scope_names[] = {
#define X(name, text) text,
    ST_SCOPE_X(X)
#undef X
};

const char *st_meter_name(enum st_meter meter)
{
	assert((unsigned)meter < ST_METER_COUNT);
	return meter_names[meter];
}

const char *st_meter_unit(enum st_meter meter)
{
	assert((unsigned)meter < ST_METER_COUNT);
	return meter_units[meter];
}

static bool find(const char *const *names, size_t n, const char *name, size_t len, size_t *out)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

bool st_meter_parse(const char *name, enum st_meter *out)
{
	size_t i = 0;
	if (!find(meter_names, ST_METER_COUNT, name, strlen(name), &i)) {
		return false;
	}
	*out = (enum st_meter)i;
	return true;
}

const char *st_scope_name(enum st_scope scope)
{
	assert((unsigned)scope < ST_SCOPE_COUNT);
	return scope_names[scope];
}

bool st_scope_parse(const char *name, enum st_scope *out)
{
	size_t i = 0;
	if (!find(scope_names, ST_SCOPE_COUNT, name, strlen(name), &i)) {
		return false;
	}
	*out = (enum st_scope)i;
	return true;
}

bool st_amounts_are_zero(const struct st_amounts *amounts)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (amounts->of[m] != 0) {
			return false;
		}
	}
	return true;
}

int64_t st_add_saturating(int64_t a, int64_t b)
{
	assert(a >= 0);
	assert(b >= 0);
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

void st_amounts_add_json(struct st_buf *buf, const struct st_amounts *amounts)
{
	char separator = '{';
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (amounts->of[m] == 0) {
			continue;
		}
		st_buf_add_char(buf, separator);
		st_buf_add_char(buf, '"');
		st_buf_add_text(buf, meter_names[m]);
		st_buf_add(buf, "\":", 2);
		st_buf_add_int(buf, amounts->of[m]);
		separator = ',';
	}
	st_buf_add_text(buf, separator == '{' ? "{}" : "}");
}

/* Reads a non-negative integer; returns the first byte after it, or NULL. */
static const char *parse_amount(const char *p, int64_t *out)
{
	const char *from = p;
	int64_t value = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		int digit = *p - '0';
		if (value > (INT64_MAX - digit) / 10) {
			return NULL;
		}
		value = value * 10 + digit;
	}
	*out = value;
	return p == from ? NULL : p;
}

int st_amounts_parse(const char *json, struct st_amounts *out)
{
	struct st_amounts amounts = {{0}};
	const char *p = json;
	if (strcmp(json, "{}") == 0) {
		*out = amounts;
		return ST_OK;
	}
	for (char want = '{'; *p == want && p[1] == '"'; want = ',') {
		const char *name = p + 2;
		const char *end = strchr(name, '"');
		size_t meter = 0;
		if (end == NULL || end[1] != ':' ||
		    !find(meter_names, ST_METER_COUNT, name, (size_t)(end - name), &meter)) {
			return ST_ERR_INVALID;
		}
		p = parse_amount(end + 2, &amounts.of[meter]);
		if (p == NULL) {
			return ST_ERR_INVALID;
		}
	}
	if (p == json || strcmp(p, "}") != 0) {
		return ST_ERR_INVALID;
	}
	*out = amounts;
	return ST_OK;
}
