/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/forms.h"

#include <assert.h>
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/gap.h"
#include "redact/spell.h"
#include "schemas/mem.h"

#define FORM_MIN 6  /* bytes of a spelling that is worth looking for */
#define LINE_MIN 16 /* bytes of a line that is a secret of its own */
#define LEAF_MIN 8  /* bytes of a JSON string that is one */
#define LEAF_DEPTH_MAX 16

/* What one call of st_forms_add works on. */
struct adding {
	struct st_forms *forms;
	size_t bytes_max;
	size_t first; /* the first spelling of this secret */
	uint32_t name;
	bool full;
};

static void vault_reserve(struct st_forms *forms, size_t more)
{
	if (forms->vault_cap - forms->vault_len >= more)
		return;
	size_t cap = forms->vault_cap < 4096 ? 4096 : 2 * forms->vault_cap;
	while (cap - forms->vault_len < more)
		cap *= 2;
	uint8_t *bigger = st_secret_alloc(cap);
	if (forms->vault_len > 0)
		memcpy(bigger, forms->vault, forms->vault_len);
	st_secret_free(forms->vault);
	forms->vault = bigger;
	forms->vault_cap = cap;
}

static bool form_is_new(const struct adding *adding, const uint8_t *bytes, size_t len)
{
	const struct st_forms *forms = adding->forms;
	for (size_t i = adding->first; i < forms->n; i++)
		if (forms->items[i].len == len &&
		    memcmp(forms->vault + forms->items[i].at, bytes, len) == 0)
			return false;
	return true;
}

static void form_add(struct adding *adding, size_t len)
{
	struct st_forms *forms = adding->forms;
	if (len < FORM_MIN || !form_is_new(adding, forms->vault + forms->vault_len, len))
		return;
	if (len > ST_NEEDLE_MAX || forms->vault_len + len > adding->bytes_max) {
		adding->full = true;
		return;
	}
	if (forms->n == forms->cap) {
		forms->cap = forms->cap == 0 ? 32 : 2 * forms->cap;
		forms->items = st_realloc(forms->items, forms->cap * sizeof *forms->items);
	}
	forms->items[forms->n++] =
	    (struct st_form){.at = forms->vault_len, .len = (uint32_t)len, .name = adding->name};
	forms->vault_len += len;
}

/* Adds the bytes behind the vault's end; then once more without what may interrupt a line, for
 * text is read with and without that (seek.h). */
static void spelling_add(struct adding *adding, enum st_spelling spelling, const uint8_t *bytes,
			 size_t len)
{
	struct st_forms *forms = adding->forms;
	vault_reserve(forms, ST_SPELL_BYTES_MAX(len));
	size_t spelt = st_spell(spelling, bytes, len, forms->vault + forms->vault_len);
	size_t at = forms->vault_len;
	form_add(adding, spelt);
	if (memchr(bytes, '\n', len) == NULL && memchr(bytes, '\\', len) == NULL)
		return;
	vault_reserve(forms, ST_SPELL_BYTES_MAX(len));
	uint8_t *out = forms->vault + forms->vault_len;
	size_t stripped = st_gap_strip(forms->vault + at, spelt, out);
	if (stripped < spelt)
		form_add(adding, stripped);
}

static void spellings_add(struct adding *adding, const uint8_t *bytes, size_t len)
{
	for (int i = 0; i < ST_SPELLING_COUNT; i++)
		spelling_add(adding, (enum st_spelling)i, bytes, len);
}

/* Lines like "}" or "-----BEGIN PRIVATE KEY-----" are in many harmless texts too. */
static bool line_is_secret(const char *line, size_t len)
{
	size_t letters = 0;
	for (size_t i = 0; i < len; i++)
		letters += st_char_is_alnum(line[i]);
	return len >= LINE_MIN && 2 * letters >= len && memcmp(line, "-----", 5) != 0;
}

static void lines_add(struct adding *adding, const char *text, size_t len)
{
	if (memchr(text, '\n', len) == NULL)
		return;
	size_t begin = 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '\n')
			continue;
		size_t end = i;
		while (begin < end && st_char_is_space(text[begin]))
			begin++;
		while (end > begin && st_char_is_space(text[end - 1]))
			end--;
		if (line_is_secret(text + begin, end - begin))
			spellings_add(adding, (const uint8_t *)text + begin, end - begin);
		begin = i + 1;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): at most LEAF_DEPTH_MAX levels. */
static void leaves_add(struct adding *adding, json_t *value, int depth)
{
	const char *key;
	size_t i;
	json_t *item;
	if (depth > LEAF_DEPTH_MAX)
		return;
	if (json_is_string(value) && json_string_length(value) >= LEAF_MIN) {
		spellings_add(adding, (const uint8_t *)json_string_value(value),
			      json_string_length(value));
		lines_add(adding, json_string_value(value), json_string_length(value));
	}
	json_object_foreach(value, key, item) leaves_add(adding, item, depth + 1);
	json_array_foreach(value, i, item) leaves_add(adding, item, depth + 1);
}

bool st_forms_add(struct st_forms *forms, const uint8_t *bytes, size_t len, uint32_t name,
		  size_t bytes_max)
{
	size_t vault_len = forms->vault_len;
	struct adding adding = {
	    .forms = forms, .bytes_max = bytes_max, .first = forms->n, .name = name};
	spellings_add(&adding, bytes, len);
	if (bytes[0] == '{' || bytes[0] == '[') {
		json_t *value = json_loadb((const char *)bytes, len, 0, NULL);
		leaves_add(&adding, value, 0);
		json_decref(value);
	} else {
		lines_add(&adding, (const char *)bytes, len);
	}
	if (adding.full) {
		sodium_memzero(forms->vault + vault_len, forms->vault_len - vault_len);
		forms->n = adding.first;
		forms->vault_len = vault_len;
	}
	return !adding.full;
}

struct st_needle *st_forms_needles(const struct st_forms *forms)
{
	struct st_needle *needles = st_alloc_array(forms->n, sizeof *needles);
	for (size_t i = 0; i < forms->n; i++)
		needles[i] = (struct st_needle){.bytes = forms->vault + forms->items[i].at,
						.len = forms->items[i].len,
						.name = forms->items[i].name};
	return needles;
}

void st_forms_fini(struct st_forms *forms)
{
	st_secret_free(forms->vault);
	st_free(forms->items);
	*forms = (struct st_forms){0};
}
