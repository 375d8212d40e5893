/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *st_err_text(enum st_err code)
{
	switch (code) {
	case ST_OK:
		return "ok";
#define X(name, number, text)                                                                      \
	case ST_ERR_##name:                                                                        \
		return text;
		ST_ERR_X(X)
#undef X
	}
	return "unknown error";
}

const char *st_err_name(enum st_err code)
{
	static const struct {
		enum st_err code;
		const char *name;
	} names[] = {
#define X(name, number, text) {ST_ERR_##name, #name},
	    ST_ERR_X(X)
#undef X
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (names[i].code == code) {
			return names[i].name;
		}
	}
	return code == ST_OK ? "OK" : "UNKNOWN";
}

__attribute__((format(printf, 4, 0))) static void
fill(struct st_diag *diag, enum st_err code, const char *pointer, const char *format, va_list args)
{
	if (diag == NULL) {
		return;
	}
	diag->code = code;
	(void)snprintf(diag->pointer, sizeof diag->pointer, "%s", pointer != NULL ? pointer : "");
	(void)vsnprintf(diag->text, sizeof diag->text, format, args);
}

enum st_err st_fail(struct st_diag *diag, enum st_err code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(diag, code, NULL, format, args);
	va_end(args);
	return code;
}

enum st_err st_fail_at(struct st_diag *diag, enum st_err code, const char *pointer,
		       const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fill(diag, code, pointer, format, args);
	va_end(args);
	return code;
}

enum st_err st_fail_wrap(struct st_diag *diag, const char *format, ...)
{
	assert(diag != NULL);
	char prefix[ST_DIAG_TEXT_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
	char text[ST_DIAG_TEXT_MAX];
	memcpy(text, diag->text, sizeof text);
	(void)snprintf(diag->text, sizeof diag->text, "%.*s: %.*s", 200, prefix, 300, text);
	return diag->code;
}
