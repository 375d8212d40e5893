/* SPDX-License-Identifier: Apache-2.0 */
/* What has the operator set? */
#ifndef ST_SCHEMAS_CONFIG_H
#define ST_SCHEMAS_CONFIG_H

#include <jansson.h>
#include <stdbool.h>

#include "schemas/box.h"
#include "schemas/envelope.h"
#include "schemas/git.h"
#include "schemas/schemas.h"
#include "schemas/verdict.h"

/* The dialect a provider speaks. X(NAME, "as in the config") */
#define ST_API_X(X)                                                                                \
	X(ANTHROPIC, "anthropic")                                                                  \
	X(OPENAI, "openai")                                                                        \
	X(OPENAI_RESPONSES, "openai-responses")                                                    \
	X(GEMINI, "gemini")                                                                        \
	X(EXA, "exa")                                                                              \
	X(FIRECRAWL, "firecrawl")                                                                  \
	X(GITHUB, "github")                                                                        \
	X(VERCEL, "vercel")

enum st_api {
#define X(name, text) ST_API_##name,
	ST_API_X(X)
#undef X
	    ST_API_COUNT
};
const char *st_api_name(enum st_api api);

struct st_provider {
	char name[ST_NAME_MAX];
	enum st_api api;
	char *base_url; /* without a trailing slash */
	char *key;	/* reference "env:NAME" or "file:PATH", or NULL: no key is sent */
	char *replay;	/* path of a cassette to answer from instead of the network, or NULL */
};

/* Nano-USD per million tokens; `request` is nano-USD per call. A field that the config leaves out
 * is -1: unknown, and a call that would need it is refused under a cost budget. */
struct st_price {
	char model[129]; /* "provider/model", or a provider's name for its searches and extracts */
	int64_t input;
	int64_t output;
	int64_t cache_read;
	int64_t cache_write;
	int64_t request;
};

struct st_secret_ref {
	char name[ST_NAME_MAX];
	char *ref; /* "env:NAME" or "file:PATH" */
};

struct st_config {
	struct st_provider *providers;
	size_t n_providers;
	struct st_price *prices;
	size_t n_prices;
	struct st_secret_ref *secrets;
	size_t n_secrets;
	struct st_envelope defaults[ST_RUN_KIND_COUNT];
	char **outgoing_allow; /* "10.0.0.0/8:443", "127.0.0.1/32", "[::1]/128:8080" */
	size_t n_outgoing_allow;
	char *
	    *workdirs; /* jobs may be given these directories, and what is below them, to work in */
	size_t n_workdirs;
	struct st_box_options box;
	struct st_git_options git;
	int64_t calls_max; /* HTTP calls in flight in the whole daemon (default 256) */
	int64_t jobs_max;  /* sandbox jobs in flight in the whole daemon (default 4) */
};

/* A config with the built-in defaults and nothing else. Free with st_config_free. */
struct st_config *st_config_new(void);
/* Decodes and checks a whole config; gives it in *out. Unknown fields are errors. */
int st_config_decode(const struct st_schemas *schemas, const json_t *doc, struct st_config **out,
		     struct st_diag *diag);
void st_config_free(struct st_config *config);

/* Is this absolute path one of the workdirs, or below one, as it is written? What its links lead to
 * is looked at when a job starts. */
bool st_config_has_workdir(const struct st_config *config, const char *path);
/* The same for the repositories of this machine. */
bool st_config_has_repository(const struct st_config *config, const char *path);
/* Both borrow from config; NULL when there is none. */
const struct st_provider *st_config_provider(const struct st_config *config, const char *name);
const struct st_price *st_config_price(const struct st_config *config, const char *model);

#endif
