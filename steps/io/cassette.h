/* SPDX-License-Identifier: Apache-2.0 */
/* What was answered when this request was made before? Recorded answers, for replay. */
#ifndef ST_STEPS_IO_CASSETTE_H
#define ST_STEPS_IO_CASSETTE_H

#include "schemas/call.h"
#include "schemas/err.h"

/*
 * A cassette is a JSON file:
 *
 *   {"stint_cassette": 1,
 *    "match": "content",       or "order"; "content" when left out
 *    "once": false,            true: no answer is given twice
 *    "entries": [
 *      {"request":  {"method": "POST", "target": "/v1/messages", "body": {...}},
 *       "response": {"status": 200, "headers": {"content-type": "application/json"},
 *                    "body": {...}}}]}
 *
 * A body is one of "body" (a JSON object or array), "body_text", "body_base64", or left out when
 * empty. Header values are strings. target is the URL's path and query.
 *
 * With "content" a request is answered by the entries of equal method, target and body, where JSON
 * bodies are equal when their values are; with "order" by those of equal method and path, whatever
 * the body. Of several the least used comes next, the earliest first: so they come in order of use,
 * and start over, unless "once" is set.
 *
 * What is written holds no host, no request header but a few harmless ones, no cookies, and in
 * targets "MASKED" for the values of key, token, secret, signature and the like; targets are
 * compared in that form. Bodies are written as they are: read a cassette before sharing it.
 */
struct st_cassette;

/* Reads a cassette whole; gives *out. ST_ERR_NOT_FOUND, ST_ERR_TOO_LARGE (over 64 MiB), ST_ERR_IO,
 * or ST_ERR_INVALID with the JSON pointer of the fault. */
int st_cassette_load(const char *path, struct st_cassette **out, struct st_diag *diag);
/* Opens one to record into: an existing file is continued, a missing one is made. */
int st_cassette_open(const char *path, struct st_cassette **out, struct st_diag *diag);
void st_cassette_free(struct st_cassette *cassette);
const char *st_cassette_path(const struct st_cassette *cassette);

/* Fills the empty *out as ANSWERED and replayed. ST_ERR_NOT_FOUND says what was looked for. */
int st_cassette_answer(struct st_cassette *cassette, const struct st_http_request *request,
		       struct st_http_response *out, struct st_diag *diag);
/* Adds an answered request and replaces the file as a whole, synced. The answer stays in the
 * cassette when the file cannot be written (ST_ERR_IO), and goes out with the next. */
int st_cassette_record(struct st_cassette *cassette, const struct st_http_request *request,
		       const struct st_http_response *response, struct st_diag *diag);

#endif
