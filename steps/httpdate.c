/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/httpdate.h"

#include <stdio.h>
#include <string.h>

#include "schemas/err.h"

/* The form, with 'a' for a letter and '0' for a digit. */
static const char FORM[] = "aaa, 00 aaa 0000 00:00:00 GMT";
static const char MONTHS[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static int has_form(const char *text)
{
	if (strlen(text) != sizeof FORM - 1) {
		return 0;
	}
	for (size_t i = 0; i < sizeof FORM - 1; i++) {
		char c = text[i];
		int letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		int fits = FORM[i] == 'a'   ? letter
			   : FORM[i] == '0' ? c >= '0' && c <= '9'
					    : c == FORM[i];
		if (!fits) {
			return 0;
		}
	}
	return 1;
}

int st_httpdate_parse(const char *text, st_time *out)
{
	if (!has_form(text)) {
		return ST_ERR_INVALID;
	}
	int month = 0;
	while (month < 12 && memcmp(MONTHS + (size_t)month * 3, text + 8, 3) != 0) {
		month++;
	}
	if (month == 12) {
		return ST_ERR_INVALID;
	}
	char rfc3339[32];
	(void)snprintf(rfc3339, sizeof rfc3339, "%.4s-%02d-%.2sT%.8sZ", text + 12, month + 1,
		       text + 5, text + 17);
	return st_time_parse(rfc3339, out);
}
