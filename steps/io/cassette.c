/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/io/cassette.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schemas/buf.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define FILE_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define ENTRIES_MAX 100000

struct entry {
	char *place;		/* method and path */
	char *key;		/* method, target and body */
	const json_t *response; /* borrowed from doc */
	int64_t uses;
};

struct st_cassette {
	char *path;
	json_t *doc;
	bool by_order;
	bool once;
	struct entry *entries;
	size_t n_entries;
};

/* --- targets --- */

static bool is_secret_param(const char *name, size_t len)
{
	static const char *const names[] = {
	    "key",    "api_key",  "apikey",	      "api-key",       "token",	  "access_token",
	    "secret", "password", "client_secret",    "signature",     "sig",	  "x-amz-signature",
	    "auth",   "code",	  "x-goog-signature", "refresh_token", "id_token"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == len && strncasecmp(names[i], name, len) == 0) {
			return true;
		}
	}
	return false;
}

/* Gives the path and query of a URL with secret values masked. */
static char *masked_target(const char *target)
{
	struct st_buf buf = {0};
	size_t path_len = strcspn(target, "?");
	if (path_len == 0) {
		st_buf_add_char(&buf, '/');
	}
	st_buf_add(&buf, target, path_len);
	const char *p = target + path_len;
	while (*p != '\0') {
		st_buf_add_char(&buf, *p++); /* '?' or '&' */
		size_t len = strcspn(p, "&");
		const char *equals = memchr(p, '=', len);
		if (equals != NULL && is_secret_param(p, (size_t)(equals - p))) {
			st_buf_add(&buf, p, (size_t)(equals - p));
			st_buf_add_text(&buf, "=MASKED");
		} else {
			st_buf_add(&buf, p, len);
		}
		p += len;
	}
	return st_buf_take(&buf);
}

static char *target_of(const struct st_http_request *request)
{
	const char *host = strstr(request->url, "://");
	host = host != NULL ? host + 3 : request->url;
	return masked_target(host + strcspn(host, "/?"));
}

/* --- bodies --- */

static json_t *parse_container(const char *body, size_t len)
{
	json_t *value = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
	return value;
}

/* Sets "body", "body_text" or "body_base64" in `to`; nothing for an empty body. */
static void put_body(json_t *to, const char *body, size_t len)
{
	if (body == NULL || len == 0) {
		return;
	}
	json_t *value = parse_container(body, len);
	if (value != NULL) {
		(void)json_object_set_new(to, "body", value);
		return;
	}
	json_t *text = memchr(body, 0, len) == NULL ? json_stringn(body, len) : NULL;
	if (text != NULL) {
		(void)json_object_set_new(to, "body_text", text);
		return;
	}
	size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	st_autofree char *base64 = st_alloc(size);
	(void)sodium_bin2base64(base64, size, (const unsigned char *)body, len,
				sodium_base64_VARIANT_ORIGINAL);
	(void)json_object_set_new(to, "body_base64", json_string(base64));
}

/* Gives the body that put_body wrote, NUL-ended, and its length. NULL when it is malformed. */
static char *get_body(const json_t *from, size_t *len)
{
	*len = 0;
	const json_t *value = json_object_get(from, "body");
	const json_t *text = json_object_get(from, "body_text");
	const json_t *base64 = json_object_get(from, "body_base64");
	if (value != NULL) {
		char *compact = st_json_compact(value);
		*len = strlen(compact);
		return compact;
	}
	if (text != NULL) {
		*len = json_string_length(text);
		return json_is_string(text) ? st_strndup(json_string_value(text), *len) : NULL;
	}
	if (base64 == NULL) {
		return st_strdup("");
	}
	if (!json_is_string(base64)) {
		return NULL;
	}
	size_t size = json_string_length(base64);
	char *body = st_alloc(size + 1);
	const char *end = NULL;
	if (sodium_base642bin((unsigned char *)body, size, json_string_value(base64), size, NULL,
			      len, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    *end != '\0') {
		st_free(body);
		return NULL;
	}
	body[*len] = '\0';
	return body;
}

/* --- keys --- */

static void set_keys(struct entry *entry, const char *method, const char *target, const char *body,
		     size_t len)
{
	struct st_buf buf = {0};
	st_buf_addf(&buf, "%s %.*s", method, (int)strcspn(target, "?"), target);
	entry->place = st_buf_take(&buf);
	st_buf_addf(&buf, "%s %s\n", method, target);
	json_t *value = body != NULL && len > 0 ? parse_container(body, len) : NULL;
	if (value != NULL) {
		st_autofree char *canonical = st_json_canonical(value);
		st_buf_add_text(&buf, "json ");
		st_buf_add_text(&buf, canonical);
		json_decref(value);
	} else if (len > 0) {
		unsigned char hash[crypto_generichash_BYTES];
		char hex[sizeof hash * 2 + 1];
		(void)crypto_generichash(hash, sizeof hash, (const unsigned char *)body, len, NULL,
					 0);
		(void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
		st_buf_addf(&buf, "bytes %s", hex);
	}
	entry->key = st_buf_take(&buf);
}

static void entry_fini(struct entry *entry)
{
	st_free(entry->place);
	st_free(entry->key);
}

static struct entry *add_entry(struct st_cassette *cassette)
{
	size_t n = cassette->n_entries;
	cassette->entries = st_realloc(cassette->entries, (n + 1) * sizeof *cassette->entries);
	cassette->entries[n] = (struct entry){.uses = 0};
	cassette->n_entries = n + 1;
	return &cassette->entries[n];
}

/* --- reading --- */

static int check_response(const json_t *response, const char *pointer, struct st_diag *diag)
{
	json_int_t status = json_integer_value(json_object_get(response, "status"));
	if (status < 200 || status > 599) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer,
				  "\"status\" must be a number of 200 to 599");
	}
	const json_t *headers = json_object_get(response, "headers");
	if (headers != NULL && !json_is_object(headers)) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer, "\"headers\" must be an object");
	}
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)(uintptr_t)headers, name, value)
	{
		if (!json_is_string(value)) {
			return st_fail_at(diag, ST_ERR_INVALID, pointer,
					  "the header \"%.64s\" must be a string", name);
		}
	}
	size_t len = 0;
	st_autofree char *body = get_body(response, &len);
	return body != NULL ? ST_OK
			    : st_fail_at(diag, ST_ERR_INVALID, pointer, "the body is malformed");
}

static int read_entry(struct st_cassette *cassette, const json_t *json, size_t i,
		      struct st_diag *diag)
{
	char pointer[64];
	(void)snprintf(pointer, sizeof pointer, "/entries/%zu/request", i);
	const json_t *request = json_object_get(json, "request");
	const char *method = json_string_value(json_object_get(request, "method"));
	const char *target = json_string_value(json_object_get(request, "target"));
	if (method == NULL || target == NULL || target[0] != '/') {
		return st_fail_at(diag, ST_ERR_INVALID, pointer,
				  "a request needs a \"method\" and a \"target\" that begins "
				  "with '/'");
	}
	size_t len = 0;
	st_autofree char *body = get_body(request, &len);
	if (body == NULL) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer, "the body is malformed");
	}
	(void)snprintf(pointer, sizeof pointer, "/entries/%zu/response", i);
	const json_t *response = json_object_get(json, "response");
	int rc = check_response(response, pointer, diag);
	if (rc == ST_OK) {
		st_autofree char *masked = masked_target(target);
		struct entry *entry = add_entry(cassette);
		set_keys(entry, method, masked, body, len);
		entry->response = response;
	}
	return rc;
}

static int read_doc(struct st_cassette *cassette, struct st_diag *diag)
{
	const json_t *doc = cassette->doc;
	if (json_integer_value(json_object_get(doc, "stint_cassette")) != 1) {
		return st_fail_at(diag, ST_ERR_INVALID, "/stint_cassette", "must be 1");
	}
	const json_t *match = json_object_get(doc, "match");
	const char *how = match == NULL ? "content" : json_string_value(match);
	if (how == NULL || (strcmp(how, "content") != 0 && strcmp(how, "order") != 0)) {
		return st_fail_at(diag, ST_ERR_INVALID, "/match",
				  "must be \"content\" or \"order\"");
	}
	cassette->by_order = strcmp(how, "order") == 0;
	const json_t *once = json_object_get(doc, "once");
	if (once != NULL && !json_is_boolean(once)) {
		return st_fail_at(diag, ST_ERR_INVALID, "/once", "must be true or false");
	}
	cassette->once = json_is_true(once);
	const json_t *entries = json_object_get(doc, "entries");
	if (!json_is_array(entries) || json_array_size(entries) > ENTRIES_MAX) {
		return st_fail_at(diag, ST_ERR_INVALID, "/entries",
				  "must be an array of at most %d entries", ENTRIES_MAX);
	}
	int rc = ST_OK;
	for (size_t i = 0; i < json_array_size(entries) && rc == ST_OK; i++) {
		rc = read_entry(cassette, json_array_get(entries, i), i, diag);
	}
	return rc;
}

/* Gives the file's bytes in *out. */
static int read_file(const char *path, struct st_buf *out, struct st_diag *diag)
{
	FILE *file = fopen(path, "rbe");
	if (file == NULL) {
		enum st_err code = errno == ENOENT ? ST_ERR_NOT_FOUND : ST_ERR_IO;
		return st_fail(diag, code, "cannot open the cassette %.200s: %s", path,
			       strerror(errno));
	}
	int rc = ST_OK;
	size_t got = 0;
	do {
		got = fread(st_buf_reserve(out, 65536), 1, 65536, file);
		out->len += got;
		if (out->len > FILE_BYTES_MAX) {
			rc = st_fail(diag, ST_ERR_TOO_LARGE, "the cassette %.200s is over 64 MiB",
				     path);
		}
	} while (got > 0 && rc == ST_OK);
	if (rc == ST_OK && ferror(file) != 0) {
		rc = st_fail(diag, ST_ERR_IO, "cannot read the cassette %.200s", path);
	}
	(void)fclose(file);
	return rc;
}

int st_cassette_load(const char *path, struct st_cassette **out, struct st_diag *diag)
{
	struct st_buf text = {0};
	int rc = read_file(path, &text, diag);
	if (rc != ST_OK) {
		st_buf_fini(&text);
		return rc;
	}
	struct st_cassette *cassette = st_alloc(sizeof *cassette);
	cassette->path = st_strdup(path);
	json_error_t fault;
	cassette->doc = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &fault);
	st_buf_fini(&text);
	if (cassette->doc == NULL) {
		rc = st_fail(diag, ST_ERR_INVALID, "line %d, column %d: %s", fault.line,
			     fault.column, fault.text);
	} else {
		rc = read_doc(cassette, diag);
	}
	if (rc != ST_OK) {
		struct st_diag own = {.code = rc};
		(void)st_fail_wrap(diag != NULL ? diag : &own, "the cassette %.150s", path);
		st_cassette_free(cassette);
		return rc;
	}
	*out = cassette;
	return ST_OK;
}

void st_cassette_free(struct st_cassette *cassette)
{
	if (cassette == NULL) {
		return;
	}
	for (size_t i = 0; i < cassette->n_entries; i++) {
		entry_fini(&cassette->entries[i]);
	}
	st_free(cassette->entries);
	json_decref(cassette->doc);
	st_free(cassette->path);
	st_free(cassette);
}

const char *st_cassette_path(const struct st_cassette *cassette)
{
	return cassette->path;
}

/* --- answering --- */

static struct entry *find(struct st_cassette *cassette, const struct entry *wanted)
{
	struct entry *found = NULL;
	for (size_t i = 0; i < cassette->n_entries; i++) {
		struct entry *entry = &cassette->entries[i];
		bool fits = cassette->by_order ? strcmp(entry->place, wanted->place) == 0
					       : strcmp(entry->key, wanted->key) == 0;
		bool fresh = !cassette->once || entry->uses == 0;
		if (fits && fresh && (found == NULL || entry->uses < found->uses)) {
			found = entry;
		}
	}
	return found;
}

static int fail_missing(const struct st_cassette *cassette, const struct entry *wanted,
			struct st_diag *diag)
{
	size_t same_place = 0;
	for (size_t i = 0; i < cassette->n_entries; i++) {
		same_place += strcmp(cassette->entries[i].place, wanted->place) == 0;
	}
	return st_fail(diag, ST_ERR_NOT_FOUND,
		       "the cassette %.80s has no %sanswer for %.80s (of %zu, %zu have that "
		       "path): record it%s",
		       cassette->path, cassette->once ? "unused " : "", wanted->place,
		       cassette->n_entries, same_place,
		       same_place > 0 && !cassette->by_order ? ", or set \"match\": \"order\""
							     : "");
}

static void fill(const json_t *from, struct st_http_response *out)
{
	const json_t *headers = json_object_get(from, "headers");
	size_t n = json_object_size(headers);
	*out = (struct st_http_response){.transport = ST_TRANSPORT_ANSWERED, .replayed = true};
	out->status = (int)json_integer_value(json_object_get(from, "status"));
	out->headers = st_alloc_array(n, sizeof *out->headers);
	const char *name = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)(uintptr_t)headers, name, value)
	{
		struct st_http_header *header = &out->headers[out->n_headers++];
		header->name = st_strdup(name);
		header->value = st_strdup(json_string_value(value));
	}
	out->body = get_body(from, &out->body_len);
	assert(out->body != NULL);
}

int st_cassette_answer(struct st_cassette *cassette, const struct st_http_request *request,
		       struct st_http_response *out, struct st_diag *diag)
{
	st_autofree char *target = target_of(request);
	struct entry wanted;
	set_keys(&wanted, request->method, target, request->body,
		 request->body != NULL ? request->body_len : 0);
	struct entry *entry = find(cassette, &wanted);
	int rc = ST_OK;
	if (entry == NULL) {
		rc = fail_missing(cassette, &wanted, diag);
	} else {
		entry->uses++;
		fill(entry->response, out);
	}
	entry_fini(&wanted);
	return rc;
}

/* --- recording --- */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(names[i], name) == 0) {
			return true;
		}
	}
	return false;
}

static void put_headers(json_t *to, const struct st_http_header *headers, size_t n, bool answer)
{
	static const char *const asked[] = {"accept", "content-type", "anthropic-version",
					    "anthropic-beta", "openai-beta"};
	/* The last four spoke of the bytes on the wire, which are not kept. */
	static const char *const dropped[] = {
	    "set-cookie",	"set-cookie2",	  "www-authenticate", "connection",
	    "content-encoding", "content-length", "transfer-encoding"};
	json_t *object = json_object();
	for (size_t i = 0; i < n; i++) {
		const char *name = headers[i].name;
		bool keep = answer ? !is_one_of(name, dropped, sizeof dropped / sizeof dropped[0])
				   : is_one_of(name, asked, sizeof asked / sizeof asked[0]);
		json_t *value = keep ? json_string(headers[i].value) : NULL;
		if (value != NULL) {
			/* A name or value that is not UTF-8 is left out. */
			(void)json_object_set_new(object, name, value);
		}
	}
	(void)json_object_set_new(to, "headers", object);
}

static json_t *entry_json(const struct st_http_request *request, const char *target,
			  const struct st_http_response *response)
{
	json_t *asked = json_object();
	(void)json_object_set_new(asked, "method", json_string(request->method));
	(void)json_object_set_new(asked, "target", json_string(target));
	put_headers(asked, request->headers, request->n_headers, false);
	put_body(asked, request->body, request->body != NULL ? request->body_len : 0);
	json_t *answer = json_object();
	(void)json_object_set_new(answer, "status", json_integer(response->status));
	put_headers(answer, response->headers, response->n_headers, true);
	put_body(answer, response->body, response->body_len);
	json_t *entry = json_object();
	(void)json_object_set_new(entry, "request", asked);
	(void)json_object_set_new(entry, "response", answer);
	return entry;
}

static bool write_synced(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return false;
	}
	size_t done = 0;
	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);
		if (n < 0 && errno != EINTR) {
			break;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	bool ok = done == len && fsync(fd) == 0;
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return ok;
}

static void sync_folder_of(const char *path)
{
	st_autofree char *copy = st_strdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

static int save(const struct st_cassette *cassette, struct st_diag *diag)
{
	struct st_buf other = {0};
	st_buf_addf(&other, "%s.tmp", cassette->path);
	char *text = json_dumps(cassette->doc, JSON_INDENT(1));
	assert(text != NULL);
	bool ok =
	    write_synced(other.data, text, strlen(text)) && rename(other.data, cassette->path) == 0;
	int rc = ok ? ST_OK
		    : st_fail(diag, ST_ERR_IO, "cannot write the cassette %.200s: %s",
			      cassette->path, strerror(errno));
	if (ok) {
		sync_folder_of(cassette->path);
	} else {
		(void)unlink(other.data);
	}
	free(text);
	st_buf_fini(&other);
	return rc;
}

int st_cassette_open(const char *path, struct st_cassette **out, struct st_diag *diag)
{
	struct st_diag own = {.code = ST_OK};
	struct st_cassette *cassette = NULL;
	int rc = st_cassette_load(path, &cassette, &own);
	if (rc == ST_ERR_NOT_FOUND) {
		cassette = st_alloc(sizeof *cassette);
		cassette->path = st_strdup(path);
		cassette->doc = json_pack("{s:i, s:[]}", "stint_cassette", 1, "entries");
	} else if (rc != ST_OK) {
		return st_fail_at(diag, rc, own.pointer, "%s", own.text);
	}
	rc = save(cassette, diag);
	if (rc != ST_OK) {
		st_cassette_free(cassette);
		return rc;
	}
	*out = cassette;
	return ST_OK;
}

int st_cassette_record(struct st_cassette *cassette, const struct st_http_request *request,
		       const struct st_http_response *response, struct st_diag *diag)
{
	if (cassette->n_entries >= ENTRIES_MAX) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "the cassette %.200s is full",
			       cassette->path);
	}
	st_autofree char *target = target_of(request);
	json_t *json = entry_json(request, target, response);
	(void)json_array_append_new(json_object_get(cassette->doc, "entries"), json);
	struct entry *entry = add_entry(cassette);
	set_keys(entry, request->method, target, request->body,
		 request->body != NULL ? request->body_len : 0);
	entry->response = json_object_get(json, "response");
	return save(cassette, diag);
}
