/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/token.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/entropy.h"
#include "schemas/mem.h"

#define BODY_LOOK_MAX 512

extern const char st_embedded_tokens[];
extern const char st_embedded_tokens_end[];

bool st_class_has(const struct st_class *class, char c)
{
	unsigned char byte = (unsigned char)c;
	return (class->bits[byte >> 6] >> (byte & 63)) & 1;
}

static void class_add(struct st_class *class, char c)
{
	unsigned char byte = (unsigned char)c;
	class->bits[byte >> 6] |= UINT64_C(1) << (byte & 63);
}

/* "[A-Za-z_-]" at *at: gives the number of its class. */
static uint8_t class_read(struct st_tokens *tokens, const char **at)
{
	struct st_class class = {{0}};
	const char *c = *at + 1;
	for (; *c != ']'; c++) {
		assert(*c != '\0');
		class_add(&class, *c);
		if (c[1] != '-' || c[2] == ']')
			continue;
		for (char member = c[0]; member < c[2]; member++)
			class_add(&class, (char)(member + 1));
		c += 2;
	}
	*at = c + 1;
	for (size_t i = 0; i < tokens->n_classes; i++)
		if (memcmp(&tokens->classes[i], &class, sizeof class) == 0)
			return (uint8_t)i;
	assert(tokens->n_classes < ST_PLACE_CLASSES_MAX);
	tokens->classes[tokens->n_classes] = class;
	return (uint8_t)tokens->n_classes++;
}

static uint16_t number_read(const char **at)
{
	unsigned n = 0;
	for (; st_char_is_digit(**at); (*at)++)
		n = 10 * n + (unsigned)(**at - '0');
	assert(n < UINT16_MAX);
	return (uint16_t)n;
}

/* "{n}", "{n,}", "{n,m}", or nothing, which is once. */
static void count_read(struct st_token_part *part, const char **at)
{
	part->min = part->max = 1;
	if (**at != '{')
		return;
	(*at)++;
	part->min = part->max = number_read(at);
	if (**at == ',') {
		(*at)++;
		part->max = number_read(at);
	}
	assert(**at == '}');
	(*at)++;
}

/* Literal characters from *at; the text without its backslashes goes to *room. */
static void literal_read(struct st_token_part *part, const char **at, char **room)
{
	part->literal = *room;
	while (**at != '[' && **at != '\0') {
		assert(strchr("^$.|?*+(){}", **at) == NULL);
		if (**at == '\\')
			(*at)++;
		*(*room)++ = *(*at)++;
	}
	size_t len = (size_t)(*room - part->literal);
	assert(len < UINT8_MAX);
	part->len = (uint8_t)len;
	part->min = part->max = 1;
	*(*room)++ = '\0';
}

/* Which part to look for: the first literal, unless the row says that it begins with classes. */
static uint8_t anchor_find(const struct st_token *token, const json_t *row)
{
	if (json_string_length(json_object_get(row, "anchor")) == 0)
		return 0;
	uint8_t anchor = token->parts[0].literal != NULL ? 0 : 1;
	assert(token->parts[anchor].literal != NULL);
	return anchor;
}

static const char *text_keep(const char *text, char **room)
{
	assert(text != NULL);
	size_t size = strlen(text) + 1;
	char *kept = memcpy(*room, text, size);
	*room += size;
	return kept;
}

/* Returns how many of `parts` it took. */
static size_t row_read(struct st_tokens *tokens, const json_t *row, struct st_token_part *parts,
		       char **room)
{
	struct st_token *token = &tokens->items[tokens->n++];
	token->rule = text_keep(json_string_value(json_object_get(row, "id")), room);
	token->entropy_mibits =
	    (uint16_t)(json_number_value(json_object_get(row, "entropy")) * 1024);
	const char *at = json_string_value(json_object_get(row, "regex"));
	assert(at != NULL);
	while (*at != '\0') {
		assert(token->n < ST_TOKEN_PARTS_MAX);
		struct st_token_part *part = &parts[token->n++];
		if (*at == '[') {
			part->class = class_read(tokens, &at);
			count_read(part, &at);
		} else {
			literal_read(part, &at, room);
		}
	}
	token->parts = parts;
	token->anchor = anchor_find(token, row);
	return token->n;
}

/* The table has one row a line, and is read a line at a time: as a whole it would take a megabyte.
 */
struct st_tokens *st_tokens_new(void)
{
	struct st_tokens *tokens = st_alloc(sizeof *tokens);
	const char *end = st_embedded_tokens_end;
	size_t lines = 0;
	for (const char *at = st_embedded_tokens; at < end; at++)
		lines += *at == '\n';
	tokens->items = st_alloc_array(lines, sizeof *tokens->items);
	/* Zeroed memory that is not used takes no room. */
	tokens->parts = st_alloc_array(lines * ST_TOKEN_PARTS_MAX, sizeof *tokens->parts);
	/* What is kept is shorter than the table that it stands in. */
	tokens->texts = st_alloc((size_t)(end - st_embedded_tokens));
	char *room = tokens->texts;
	size_t n_parts = 0;
	for (const char *at = st_embedded_tokens; at < end;) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		assert(line_end != NULL);
		if (*at == '{') {
			json_t *row =
			    json_loadb(at, (size_t)(line_end - at), JSON_DISABLE_EOF_CHECK, NULL);
			n_parts += row_read(tokens, row, tokens->parts + n_parts, &room);
			json_decref(row);
		}
		at = line_end + 1;
	}
	return tokens;
}

void st_tokens_free(struct st_tokens *tokens)
{
	if (tokens == NULL)
		return;
	st_free(tokens->items);
	st_free(tokens->parts);
	st_free(tokens->texts);
	st_free(tokens);
}

static const char *const PLACEHOLDERS[] = {
    "your-",	"your_",       "yourkey", "xxxx",     "-here",	   "_here",
    "goeshere", "placeholder", "....",	  "redacted", "insert-my", "abcdefghijklmnopqrstuvwxyz"};
/* Of a maker's own manual: in every tutorial. */
static const char *const KNOWN[] = {"akiaiosfodnn7example", "akiai44qh8dhbexample"};

static bool is_placeholder(const char *body, size_t len)
{
	for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
		if (st_text_is(body, len, KNOWN[i]))
			return true;
	for (size_t i = 0; len <= 128 && i < len; i++)
		for (size_t j = 0; j < sizeof PLACEHOLDERS / sizeof PLACEHOLDERS[0]; j++)
			if (st_text_begins(body + i, len - i, PLACEHOLDERS[j]))
				return true;
	return false;
}

/* Drawn at random a body has many different bytes, and is not written like words. */
static bool body_is_random(const struct st_token *token, const char *body, size_t len)
{
	/* Enough to tell; a run is looked at once for each prefix in it. */
	if (len > BODY_LOOK_MAX)
		len = BODY_LOOK_MAX;
	size_t different = 0;
	bool digit = false, upper = false, lower = false;
	bool seen[128] = {false};
	for (size_t i = 0; i < len; i++) {
		unsigned c = (unsigned char)body[i] & 127u;
		different += !seen[c];
		seen[c] = true;
		digit |= st_char_is_digit(body[i]);
		lower |= body[i] >= 'a' && body[i] <= 'z';
		upper |= body[i] >= 'A' && body[i] <= 'Z';
	}
	return different >= 6 && digit + upper + lower >= 2 &&
	       st_entropy_mibits(body, len) >= token->entropy_mibits;
}

/* The end of the parts from `from` that begin at `at`, or 0. */
static size_t parts_end(const struct st_tokens *tokens, const struct st_token *token,
			struct st_place *place, size_t from, size_t at)
{
	for (size_t i = from; i < token->n; i++) {
		const struct st_token_part *part = &token->parts[i];
		size_t len = part->len;
		if (part->literal != NULL) {
			if (place->end - at < len ||
			    memcmp(place->data + at, part->literal, len) != 0)
				return 0;
			at += len;
			continue;
		}
		const struct st_class *class = &tokens->classes[part->class];
		len = st_place_class_end(place, part->class, class, at) - at;
		if (len > part->max && part->max > 0 && i + 1 < token->n)
			len = part->max;
		if (len < part->min || (part->max > 0 && len > part->max))
			return 0;
		at += len;
	}
	bool bounded = token->parts[token->n - 1].max > 0;
	return bounded && at < place->end && st_char_is_alnum(place->data[at]) ? 0 : at;
}

/* Where the class before the anchor begins; `at` when it does not stand there. */
static size_t back_start(const struct st_tokens *tokens, const struct st_token_part *part,
			 const struct st_place *place, size_t at)
{
	const struct st_class *class = &tokens->classes[part->class];
	size_t start = at;
	while (start > place->begin && at - start <= part->max &&
	       st_class_has(class, place->data[start - 1]))
		start--;
	return at - start >= part->min && at - start <= part->max ? start : at;
}

bool st_token_match(const struct st_tokens *tokens, const struct st_token *token,
		    struct st_place *place, size_t at, struct st_find *find)
{
	const struct st_token_part *first = &token->parts[token->anchor];
	if (first->literal != NULL && (place->end - at < first->len ||
				       memcmp(place->data + at, first->literal, first->len) != 0))
		return false;
	size_t start = at;
	if (token->anchor > 0) {
		start = back_start(tokens, &token->parts[0], place, at);
		if (start == at)
			return false;
	}
	/* In an address Telegram's begins behind "bot". */
	bool digits = token->anchor > 0 && st_char_is_digit(place->data[start]) &&
		      !st_class_has(&tokens->classes[token->parts[0].class], 'a');
	if (!digits && !st_place_is_word_start(place, start))
		return false;
	size_t end = parts_end(tokens, token, place, token->anchor, at);
	size_t body = token->parts[0].literal != NULL ? start + token->parts[0].len : start;
	if (end == 0 || !body_is_random(token, place->data + body, end - body) ||
	    is_placeholder(place->data + start, end - start))
		return false;
	*find = (struct st_find){.start = start, .end = end, .next = end, .rule = token->rule};
	return true;
}
