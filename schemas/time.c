/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/time.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "schemas/err.h"

#define MS_PER_DAY INT64_C(86400000)

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, counting years from March so
 * that the leap day comes last. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t doe = days - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

const char *st_time_format(st_time at, char out[ST_TIME_TEXT_MAX])
{
	if (at == ST_TIME_NONE) {
		out[0] = '\0';
		return out;
	}
	if (at < INT64_C(-62167219200000)) {
		at = INT64_C(-62167219200000);
	}
	if (at > ST_TIME_MAX) {
		at = ST_TIME_MAX;
	}
	int64_t days = at / MS_PER_DAY;
	int64_t ms = at % MS_PER_DAY;
	if (ms < 0) {
		ms += MS_PER_DAY;
		days--;
	}
	int64_t year = 0;
	int month = 0;
	int day = 0;
	civil_from_days(days, &year, &month, &day);
	(void)snprintf(out, ST_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", (int)year,
		       month, day, (int)(ms / 3600000), (int)(ms / 60000 % 60),
		       (int)(ms / 1000 % 60), (int)(ms % 1000));
	return out;
}

/* Reads exactly n digits; moves *p past them. */
static bool digits(const char **p, int n, int *out)
{
	int value = 0;
	for (int i = 0; i < n; i++) {
		char c = (*p)[i];
		if (c < '0' || c > '9') {
			return false;
		}
		value = value * 10 + (c - '0');
	}
	*p += n;
	*out = value;
	return true;
}

static bool literal(const char **p, char c)
{
	if (**p != c) {
		return false;
	}
	(*p)++;
	return true;
}

static int days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_fraction(const char **p, int *ms)
{
	*ms = 0;
	if (**p != '.') {
		return true;
	}
	(*p)++;
	int scale = 100;
	int n = 0;
	for (; **p >= '0' && **p <= '9'; (*p)++, n++) {
		*ms += (**p - '0') * scale;
		scale /= 10;
	}
	return n >= 1 && n <= 9;
}

static bool parse_zone(const char **p, int *offset_min)
{
	*offset_min = 0;
	if (literal(p, 'Z')) {
		return true;
	}
	int sign = **p == '+' ? 1 : **p == '-' ? -1 : 0;
	int hours = 0;
	int minutes = 0;
	if (sign == 0) {
		return false;
	}
	(*p)++;
	if (!digits(p, 2, &hours) || !literal(p, ':') || !digits(p, 2, &minutes)) {
		return false;
	}
	*offset_min = sign * (hours * 60 + minutes);
	return hours < 24 && minutes < 60;
}

int st_time_parse(const char *text, st_time *out)
{
	const char *p = text;
	int year = 0;
	int month = 0;
	int day = 0;
	int hour = 0;
	int minute = 0;
	int second = 0;
	int ms = 0;
	int offset_min = 0;
	bool shaped = digits(&p, 4, &year) && literal(&p, '-') && digits(&p, 2, &month) &&
		      literal(&p, '-') && digits(&p, 2, &day) && literal(&p, 'T') &&
		      digits(&p, 2, &hour) && literal(&p, ':') && digits(&p, 2, &minute) &&
		      literal(&p, ':') && digits(&p, 2, &second) && parse_fraction(&p, &ms) &&
		      parse_zone(&p, &offset_min) && *p == '\0';
	if (!shaped || year < 1 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 ||
	    second > 59 || day > days_in_month(year, month)) {
		return ST_ERR_INVALID;
	}
	int64_t at = days_from_civil(year, month, day) * MS_PER_DAY;
	at += ((int64_t)hour * 60 + minute - offset_min) * 60000 + (int64_t)second * 1000 + ms;
	*out = at;
	return ST_OK;
}
