/* SPDX-License-Identifier: Apache-2.0 */
/* How is a model asked, in whichever dialect its provider speaks? Private to model.generate. */
#ifndef ST_STEPS_MODEL_H
#define ST_STEPS_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/buf.h"
#include "schemas/call.h"
#include "schemas/config.h"
#include "steps/kind.h"
#include "steps/param.h"

#define ST_MODEL_OUTPUT_DEFAULT 1024
#define ST_MODEL_OUTPUT_MAX 1000000
#define ST_MODEL_MESSAGES_MAX 1000

/* The params of model.generate, checked. All borrowed from `with`. */
struct st_model_params {
	const char *model; /* "provider/name" */
	const char *name;  /* the part after the first slash: what the provider calls it */
	char provider[ST_NAME_MAX];
	const char *prompt;	/* or, when NULL: */
	const json_t *messages; /* [{"role":"user"|"assistant","content":text}] */
	const char *system;
	int64_t output_max;	   /* asked for */
	int64_t output_floor;	   /* a clamp never goes below; output_max where nothing was said */
	const json_t *temperature; /* a number or NULL */
	const json_t *stop;	   /* array of strings or NULL */
	const char *reasoning_effort;
	bool stream;
};

/* Reads `with`; open: at admission, before its expressions are evaluated. */
int st_model_params_read(const json_t *with, bool open, struct st_model_params *out,
			 struct st_diag *diag);

/* What an answer said, put together from one body or from the events of a stream. */
struct st_model_answer {
	struct st_buf text;
	char id[257];
	char model[129];
	char finish[64];
	bool ended;   /* the dialect's terminal mark was seen: nothing is missing */
	bool limited; /* it stopped because it reached its output limit */
	bool failed;  /* it holds an error instead of, or after, an answer */
	bool blocked; /* the provider declined this prompt: asking again is no use */
	char error[400];
	struct st_model_usage usage;
	bool usage_absurd; /* some count was no count: nothing about it is believed */
};
void st_model_answer_fini(struct st_model_answer *answer);

struct st_model_dialect {
	enum st_api api;
	const char *id_kind; /* of the external id */
	/*
	 * What the provider may add to the prompt, in tokens, beside the text itself: begin and
	 * end marks, role names, a template's default system prompt. A text of n bytes is never
	 * more than n tokens, because a token stands for at least one byte.
	 */
	int64_t overhead_call;
	int64_t overhead_message;
	int64_t output_min; /* the least output limit that the provider accepts */
	bool has_stop;
	const char *key_header;

	void (*path)(const struct st_model_params *params, struct st_buf *url);
	json_t *(*body)(const struct st_model_params *params, const struct st_provider *provider,
			int64_t output_max);
	/* Extra headers, or NULL. */
	void (*headers)(struct st_http_request *out);
	/* NULL when the provider has no way to count input exactly. */
	void (*count_path)(const struct st_model_params *params, struct st_buf *url);
	json_t *(*count_body)(const struct st_model_params *params);
	const char *count_field; /* of the count's answer */

	void (*read)(const json_t *body, struct st_model_answer *out);
	/* One event of a stream; `data` is its JSON, or NULL for OpenAI's [DONE]. */
	void (*event)(const json_t *data, struct st_model_answer *out);
};

extern const struct st_model_dialect st_model_anthropic;
extern const struct st_model_dialect st_model_openai;
extern const struct st_model_dialect st_model_responses;
extern const struct st_model_dialect st_model_gemini;
/* NULL when that API has no models. */
const struct st_model_dialect *st_model_dialect_of(enum st_api api);

/* Reads an answer to the end: body or stream, usage, cost, output. price may be NULL. */
void st_model_outcome(const struct st_model_params *params, const struct st_model_dialect *dialect,
		      const struct st_price *price, const struct st_http_response *response,
		      struct st_outcome *out);

/* Helpers for the dialects. */

/* The conversation as [{"role":…,"content":…}]; a system text first when with_system. */
json_t *st_model_messages(const struct st_model_params *params, bool with_system);
/* One count of a usage object: -1 when it is not there or null. Anything but an integer from 0 to
 * 2^53 (what a JSON number can hold exactly) is -1 too and marks the usage absurd. */
int64_t st_model_count(struct st_model_answer *answer, const json_t *usage, const char *key);
/* Takes in one report of usage. Reports of one answer are cumulative: the larger count stays.
 * total is what the provider said that input and output come to, or -1. */
void st_model_usage_seen(struct st_model_answer *answer, const struct st_model_usage *usage,
			 int64_t total);
bool st_model_usage_known(const struct st_model_answer *answer);
/* Copies a JSON string, cut to fit; anything else, NULL or "" leaves `out` as it is. */
void st_model_copy(char *out, size_t size, const json_t *text);
void st_model_text_add(struct st_model_answer *answer, const json_t *text);
/* Takes an error object ({"type","message"}, any subset) or text. */
void st_model_failed(struct st_model_answer *answer, const json_t *error);

#endif
