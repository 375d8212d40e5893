/* SPDX-License-Identifier: Apache-2.0 */
/* What does a reference mean, seen from a base URI? (RFC 3986, section 5) */
#ifndef ST_SCHEMAS_URI_H
#define ST_SCHEMAS_URI_H

#include <stddef.h>

/* The target URI of `ref`, with its fragment; st_free it. base may be "" or relative itself. */
char *st_uri_resolve(const char *base, const char *ref);
/* The length up to '#' or the end. */
size_t st_uri_without_fragment(const char *uri);
/* Undoes %xx in place; what is no %xx stays. */
void st_uri_unescape(char *text);

#endif
