/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/definitions.h"

#include <assert.h>
#include <string.h>

#include "redact/redact.h"
#include "schemas/json.h"
#include "schemas/mem.h"
#include "steps/kind.h"

/* Longer ones are not kept: decoded they take many times their text. */
#define KEPT_BYTES_MAX ((size_t)64 << 10)

/* One that is kept. */
struct kept {
	struct st_def *def; /* shared; NULL: a free place */
	char *text;
	size_t len;
	uint64_t sum;		/* of the text */
	struct st_clean *shown; /* of those written; else NULL */
	size_t used_at;		/* the number of the asking that found it last */
};

struct st_definitions {
	size_t n_max;
	size_t n_asked;
	struct kept *written; /* found by their def */
	struct kept *read;    /* found by their text */
};

struct st_definitions *st_definitions_new(size_t n_max)
{
	assert(n_max > 0);
	struct st_definitions *definitions = st_alloc(sizeof *definitions);
	definitions->n_max = n_max;
	definitions->written = st_alloc_array(n_max, sizeof *definitions->written);
	definitions->read = st_alloc_array(n_max, sizeof *definitions->read);
	return definitions;
}

static void clear(struct kept *kept)
{
	st_def_free(kept->def);
	st_free(kept->text);
	st_clean_free(kept->shown);
	*kept = (struct kept){0};
}

void st_definitions_free(struct st_definitions *definitions)
{
	if (definitions == NULL) {
		return;
	}
	for (size_t i = 0; i < definitions->n_max; i++) {
		clear(&definitions->written[i]);
		clear(&definitions->read[i]);
	}
	st_free(definitions->written);
	st_free(definitions->read);
	st_free(definitions);
}

/* Takes the place of the one that was not asked for longest. */
static void keep(struct st_definitions *definitions, struct kept *among, const struct kept *new)
{
	struct kept *place = among;
	for (size_t i = 1; i < definitions->n_max; i++) {
		place = among[i].used_at < place->used_at ? &among[i] : place;
	}
	clear(place);
	*place = *new;
	place->used_at = ++definitions->n_asked;
}

/* ---- read ---- */

/* Only so that most texts that differ need not be compared. */
static uint64_t sum_of(const char *text, size_t len)
{
	uint64_t sum = len;
	for (; len >= sizeof sum; text += sizeof sum, len -= sizeof sum) {
		uint64_t word = 0;
		memcpy(&word, text, sizeof word);
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 32;
	}
	uint64_t rest = 0;
	memcpy(&rest, text, len);
	return (sum ^ rest) * UINT64_C(0x9e3779b97f4a7c15);
}

static struct st_def *decode(const struct st_core_options *options, const char *text, size_t len)
{
	json_t *doc = NULL;
	struct st_def *def = NULL;
	if (st_json_parse(text, len, len, &doc, NULL) != ST_OK) {
		return NULL;
	}
	const struct st_def_input input = {.doc = doc, .config = options->config};
	int err = st_def_decode(options->schemas, &input, &def, NULL);
	json_decref(doc);
	for (size_t i = 0; err == ST_OK && i < def->n_steps; i++) {
		if (st_kind_find(def->steps[i].uses) == NULL) {
			st_def_free(def);
			return NULL;
		}
	}
	return err == ST_OK ? def : NULL;
}

struct st_def *st_definitions_read(struct st_definitions *definitions,
				   const struct st_core_options *options, const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;
	if (len == 0 || len > KEPT_BYTES_MAX) {
		return text != NULL ? decode(options, text, len) : NULL;
	}
	struct kept new = {.len = len, .sum = sum_of(text, len)};
	for (size_t i = 0; i < definitions->n_max; i++) {
		struct kept *kept = &definitions->read[i];
		if (kept->sum == new.sum && kept->len == len &&memcmp(kept->text, text, len) == 0) {
			kept->used_at = ++definitions->n_asked;
			return st_def_share(kept->def);
		}
	}
	new.def = decode(options, text, len);
	if (new.def == NULL) {
		return NULL;
	}
	new.text = st_strndup(text, len);
	keep(definitions, definitions->read, &new);
	return st_def_share(new.def);
}

/* ---- written ---- */

static void fix(struct st_def *def)
{
	(void)json_object_set_new(def->doc, "budget", st_envelope_encode(&def->envelope));
	if (def->params != NULL) {
		(void)json_object_set(def->doc, "params", def->params);
	}
}

void st_definitions_write(struct st_definitions *definitions, const struct st_core_options *options,
			  struct st_def *def, char **text, struct st_clean **shown)
{
	for (size_t i = 0; i < definitions->n_max; i++) {
		struct kept *kept = &definitions->written[i];
		if (kept->def == def) {
			kept->used_at = ++definitions->n_asked;
			*text = st_strndup(kept->text, kept->len);
			*shown = st_clean_copy(kept->shown);
			return;
		}
	}
	fix(def);
	*text = st_json_compact(def->doc);
	*shown = st_redact_json(options->redactor, def->doc);
	size_t len = strlen(*text);
	if (def->n_owners > 1 && len <= KEPT_BYTES_MAX) {
		struct kept new = {.def = st_def_share(def),
				   .text = st_strndup(*text, len),
				   .len = len,
				   .shown = st_clean_copy(*shown)};
		keep(definitions, definitions->written, &new);
	}
}
