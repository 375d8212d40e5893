/* SPDX-License-Identifier: Apache-2.0 */
/* What can fail, and how is a failure told to a person? */
#ifndef ST_SCHEMAS_ERR_H
#define ST_SCHEMAS_ERR_H

#include <stddef.h>

/*
 * Failures are negative codes; 0 is success. A refusal (budget, rate, policy) is not a failure: it
 * is an ordinary value, see struct st_verdict. X(NAME, code, "short text")
 */
#define ST_ERR_X(X)                                                                                \
	X(INVALID, -1, "invalid input")                                                            \
	X(TOO_LARGE, -2, "too large")                                                              \
	X(NOT_FOUND, -3, "not found")                                                              \
	X(EXISTS, -4, "exists already")                                                            \
	X(CONFLICT, -5, "conflicts with the present state")                                        \
	X(FORBIDDEN, -6, "not permitted")                                                          \
	X(UNAUTHENTICATED, -7, "no valid token")                                                   \
	X(IO, -8, "input or output failed")                                                        \
	X(NET, -9, "network failed")                                                               \
	X(TIMEOUT, -10, "timed out")                                                               \
	X(CORRUPT, -11, "stored data is damaged")                                                  \
	X(FOREIGN, -12, "not a stint store")                                                       \
	X(NEWER, -13, "made by a newer stint")                                                     \
	X(BUSY, -14, "in use by another process")                                                  \
	X(UNSUPPORTED, -15, "not supported")                                                       \
	X(CANCELLED, -16, "cancelled")                                                             \
	X(UNAVAILABLE, -17, "store or service cannot answer")

enum st_err {
	ST_OK = 0,
#define X(name, code, text) ST_ERR_##name = (code),
	ST_ERR_X(X)
#undef X
};

#define ST_DIAG_TEXT_MAX 512
#define ST_DIAG_POINTER_MAX 256

/* One failure, told once where it happened and prefixed on its way up. */
struct st_diag {
	enum st_err code;
	char pointer[ST_DIAG_POINTER_MAX]; /* JSON pointer of the offending value, or "" */
	char text[ST_DIAG_TEXT_MAX];	   /* what was wrong and what to do next */
};

/* The short English text of a code. Never NULL. */
const char *st_err_text(enum st_err code);
/* The symbolic name of a code in lower case ("not_found"). Never NULL. */
const char *st_err_name(enum st_err code);

/*
 * Fills diag (which may be NULL) and returns code, so that `return st_fail(...)` reads well.
 * Text that does not fit is cut.
 */
enum st_err st_fail(struct st_diag *diag, enum st_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with the JSON pointer of the offending value. pointer may be NULL. */
enum st_err st_fail_at(struct st_diag *diag, enum st_err code, const char *pointer,
		       const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Puts "prefix: " before the text of a failure on its way up; returns diag's code. */
enum st_err st_fail_wrap(struct st_diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
