/* SPDX-License-Identifier: Apache-2.0 */
/* Does a key of this name hold a secret? */
#ifndef ST_REDACT_KEYNAME_H
#define ST_REDACT_KEYNAME_H

#include <stddef.h>

enum st_keyname {
	ST_KEYNAME_PLAIN,    /* no, or only about one: max_tokens, token_type, public_key */
	ST_KEYNAME_HINT,     /* perhaps, when the value looks random: auth, session, sig */
	ST_KEYNAME_TOKEN,    /* a machine's secret: api_key, X-Auth-Token, client_secret */
	ST_KEYNAME_PASSWORD, /* a person's secret, which may look like anything */
	ST_KEYNAME_HEADER,   /* Authorization, Cookie: the rest of the line is the value */
	ST_KEYNAME_COUNT
};

enum st_keyname st_keyname_judge(const char *name, size_t len);
/* The rule name that markers show for values under such a key. */
const char *st_keyname_rule(enum st_keyname keyname);

#endif
