/* SPDX-License-Identifier: Apache-2.0 */
/* Which number or text is written here? */
#ifndef ST_STEPS_LITERAL_H
#define ST_STEPS_LITERAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

bool st_literal_is_digit(char c);
bool st_literal_is_name(char c); /* [A-Za-z0-9_-] */

/* Both read from text[*at], never at or behind text[end], and move *at behind what they read. They
 * give a new reference, or NULL with *at at the fault and *wrong saying what it is. */
json_t *st_literal_number(const char *text, size_t end, size_t *at, const char **wrong);
/* text[*at] is the quote. */
json_t *st_literal_string(const char *text, size_t end, size_t *at, const char **wrong);

#endif
