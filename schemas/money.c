/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/money.h"

#include <assert.h>
#include <stdio.h>

#include "schemas/err.h"

#define USD_MAX (INT64_MAX / ST_NUSD_PER_USD)

int st_money_parse(const char *text, int64_t *nusd)
{
	const char *p = text;
	int64_t whole = 0;
	for (; *p >= '0' && *p <= '9'; p++) {
		whole = whole * 10 + (*p - '0');
		if (whole > USD_MAX) {
			return ST_ERR_INVALID;
		}
	}
	/* "", ".5" and "007" are more likely slips than amounts. */
	if (p == text || (text[0] == '0' && p - text > 1)) {
		return ST_ERR_INVALID;
	}
	int64_t part = 0;
	if (*p == '.') {
		int64_t unit = ST_NUSD_PER_USD;
		for (p++; *p >= '0' && *p <= '9' && unit > 1; p++) {
			unit /= 10;
			part += (*p - '0') * unit;
		}
		if (p[-1] == '.') {
			return ST_ERR_INVALID;
		}
	}
	if (*p != '\0' || whole * ST_NUSD_PER_USD > INT64_MAX - part) {
		return ST_ERR_INVALID;
	}
	*nusd = whole * ST_NUSD_PER_USD + part;
	return ST_OK;
}

const char *st_money_format(int64_t nusd, char out[32])
{
	uint64_t amount = nusd < 0 ? 0 - (uint64_t)nusd : (uint64_t)nusd;
	uint64_t unit = (uint64_t)ST_NUSD_PER_USD;
	int len =
	    snprintf(out, 32, "%s%llu.%09llu", nusd < 0 ? "-" : "",
		     (unsigned long long)(amount / unit), (unsigned long long)(amount % unit));
	assert(len > 9 && len < 32);
	const char *two_decimals = out + len - 7;
	for (char *end = out + len; end > two_decimals && end[-1] == '0'; end--) {
		end[-1] = '\0';
	}
	return out;
}
