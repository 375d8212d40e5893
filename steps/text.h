/* SPDX-License-Identifier: Apache-2.0 */
/* How do foreign bytes become a JSON string? */
#ifndef ST_STEPS_TEXT_H
#define ST_STEPS_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A new JSON string of at most chars_max characters (code points) of the bytes; each byte that is
 * no part of valid UTF-8, and each NUL, becomes U+FFFD. Sets *cut when characters were left out
 * and leaves it alone otherwise; it may be NULL.
 */
json_t *st_text_json(const char *bytes, size_t len, size_t chars_max, bool *cut);

/* The same for a JSON value that should be a string; "" for any other value. */
json_t *st_text_json_of(const json_t *value, size_t chars_max, bool *cut);

/* Takes the incomplete last character off a text that was cut by its number of bytes. */
void st_text_mend(char *text);

#endif
