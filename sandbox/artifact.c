/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/artifact.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/redact.h"
#include "sandbox/tail.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

static size_t bounded_len(const char *text, size_t max)
{
	size_t len = 0;
	while (len < max && text[len] != '\0') {
		len++;
	}
	return len;
}

/* The length of the character, or 1 for a byte that is none. */
static size_t char_len(const char *text)
{
	size_t len = st_utf8_len(text, bounded_len(text, 4));
	return len == 0 ? 1 : len;
}

bool st_artifact_match(const char *part, size_t part_len, const char *name)
{
	if (name[0] == '.' && (part_len == 0 || part[0] != '.')) {
		return false;
	}
	size_t p = 0;
	size_t n = 0;
	/* Where to go on when the text behind the last '*' does not fit: let it take one more. */
	size_t star_p = SIZE_MAX;
	size_t star_n = 0;
	while (name[n] != '\0') {
		if (p < part_len && part[p] == '*') {
			star_p = ++p;
			star_n = n;
		} else if (p < part_len && part[p] == '?') {
			p++;
			n += char_len(name + n);
		} else if (p < part_len && part[p] == name[n]) {
			p++;
			n++;
		} else if (star_p != SIZE_MAX) {
			p = star_p;
			star_n += char_len(name + star_n);
			n = star_n;
		} else {
			return false;
		}
	}
	while (p < part_len && part[p] == '*') {
		p++;
	}
	return p == part_len;
}

bool st_artifact_part_is_name(const char *part, size_t part_len)
{
	return memchr(part, '*', part_len) == NULL && memchr(part, '?', part_len) == NULL;
}

void st_harvest_init(struct st_harvest *harvest, const struct st_artifact_caps *caps,
		     const struct st_redactor *redactor)
{
	assert(caps->files >= 0 && caps->files <= ST_ARTIFACTS_MAX);
	assert(caps->file_bytes >= 0 && caps->bytes >= 0);
	*harvest = (struct st_harvest){.caps = *caps, .redactor = redactor};
	harvest->kept = st_alloc_array(ST_ARTIFACTS_MAX, sizeof harvest->kept[0]);
	harvest->refused = json_array();
	assert(harvest->refused != NULL);
}

void st_harvest_fini(struct st_harvest *harvest)
{
	for (size_t i = 0; i < harvest->n_candidates; i++) {
		st_free(harvest->candidates[i]);
	}
	st_artifacts_free(harvest->kept, harvest->n_kept);
	json_decref(harvest->refused);
	*harvest = (struct st_harvest){0};
}

/* Where the path is, or would be. */
static size_t place_of(const struct st_harvest *harvest, const char *path)
{
	size_t low = 0;
	size_t high = harvest->n_candidates;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(harvest->candidates[middle], path) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

void st_harvest_name(struct st_harvest *harvest, const char *path)
{
	size_t at = place_of(harvest, path);
	if (at < harvest->n_candidates && strcmp(harvest->candidates[at], path) == 0) {
		return;
	}
	if (harvest->n_candidates == ST_HARVEST_CANDIDATES_MAX) {
		harvest->more = true;
		if (at == ST_HARVEST_CANDIDATES_MAX) {
			return;
		}
		st_free(harvest->candidates[--harvest->n_candidates]);
	}
	memmove(&harvest->candidates[at + 1], &harvest->candidates[at],
		(harvest->n_candidates - at) * sizeof harvest->candidates[0]);
	harvest->candidates[at] = st_strdup(path);
	harvest->n_candidates++;
}

/* A path is shown, stored as text and asked for by name, so it must be fit for that as it is. */
static const char *path_fault(const struct st_harvest *harvest, const char *path)
{
	size_t len = strlen(path);
	if (len > ST_ARTIFACT_PATH_BYTES_MAX) {
		return "its path is over 1024 bytes long";
	}
	if (!st_utf8_valid(path, len)) {
		return "its name is not UTF-8";
	}
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f) {
			return "its name has a control character";
		}
	}
	st_autoclean struct st_clean *clean = st_redact_text(harvest->redactor, path, len);
	if (st_clean_redactions(clean) > 0 || st_clean_failed(clean)) {
		return "its name looks like a secret";
	}
	return NULL;
}

const char *st_harvest_fault(const struct st_harvest *harvest, const char *path, int64_t bytes)
{
	const char *fault = path_fault(harvest, path);
	if (fault != NULL) {
		return fault;
	}
	if ((int64_t)harvest->n_kept >= harvest->caps.files) {
		return "as many files as one job may leave are kept already";
	}
	if (bytes > harvest->caps.file_bytes) {
		return "it is larger than one file may be";
	}
	if (bytes > harvest->caps.bytes - harvest->bytes) {
		return "with it, the files of this job would be larger than they may be together";
	}
	return NULL;
}

void st_harvest_keep(struct st_harvest *harvest, const char *path, char *bytes, size_t len)
{
	assert(st_harvest_fault(harvest, path, (int64_t)len) == NULL);
	struct st_artifact *to = &harvest->kept[harvest->n_kept++];
	to->path = st_strdup(path);
	to->bytes = bytes;
	to->len = len;
	harvest->bytes += (int64_t)len;
	int rc = crypto_generichash(to->hash, sizeof to->hash, (const unsigned char *)bytes, len,
				    NULL, 0);
	assert(rc == 0);
}

void st_harvest_refuse(struct st_harvest *harvest, const char *path, const char *reason)
{
	if (json_array_size(harvest->refused) >= ST_HARVEST_REFUSED_MAX && path[0] != '\0') {
		harvest->n_unlisted++;
		return;
	}
	size_t len = bounded_len(path, ST_ARTIFACT_PATH_BYTES_MAX);
	st_autoclean struct st_clean *clean = st_redact_text(harvest->redactor, path, len);
	struct st_buf shown = {0};
	st_tail_utf8(&shown, st_clean_text(clean), st_clean_len(clean));
	json_t *text = json_stringn(shown.len > 0 ? shown.data : "", shown.len);
	json_t *entry = json_pack("{s:o, s:s}", "path", text, "reason", reason);
	assert(entry != NULL);
	int rc = json_array_append_new(harvest->refused, entry);
	assert(rc == 0);
	st_buf_fini(&shown);
}

static json_t *kept_json(const struct st_harvest *harvest)
{
	json_t *list = json_array();
	for (size_t i = 0; i < harvest->n_kept; i++) {
		const struct st_artifact *artifact = &harvest->kept[i];
		json_t *entry = json_pack("{s:s, s:I}", "path", artifact->path, "bytes",
					  (json_int_t)artifact->len);
		assert(entry != NULL);
		int rc = json_array_append_new(list, entry);
		assert(rc == 0);
	}
	return list;
}

void st_harvest_give(struct st_harvest *harvest, struct st_job_result *out)
{
	size_t n = json_array_size(out->transcript);
	assert(n > 0);
	json_t *told =
	    json_pack("{s:o, s:O}", "kept", kept_json(harvest), "refused", harvest->refused);
	assert(told != NULL);
	if (harvest->n_unlisted > 0) {
		int rc = json_object_set_new(told, "refused_unlisted",
					     json_integer(harvest->n_unlisted));
		assert(rc == 0);
	}
	int rc = json_object_set_new(json_array_get(out->transcript, n - 1), "artifacts", told);
	assert(rc == 0);
	out->artifacts = harvest->kept;
	out->n_artifacts = harvest->n_kept;
	harvest->kept = NULL;
	harvest->n_kept = 0;
}
