/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/config.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/decode.h"
#include "schemas/mem.h"
#include "schemas/name.h"

#define CALLS_DEFAULT 256
#define JOBS_DEFAULT 4
#define CALLS_MAX 100000
#define JOBS_MAX 10000
#define URL_BYTES_MAX 2048
#define ALLOW_BYTES_MAX 100
#define WORKDIR_BYTES_MAX 4000

struct api {
	const char *name;
	const char *base_url;
};

static const struct api apis[] = {
    [ST_API_ANTHROPIC] = {"anthropic", "https://api.anthropic.com"},
    [ST_API_OPENAI] = {"openai", "https://api.openai.com/v1"},
    [ST_API_OPENAI_RESPONSES] = {"openai-responses", "https://api.openai.com/v1"},
    [ST_API_GEMINI] = {"gemini", "https://generativelanguage.googleapis.com"},
    [ST_API_EXA] = {"exa", "https://api.exa.ai"},
    [ST_API_FIRECRAWL] = {"firecrawl", "https://api.firecrawl.dev"},
    [ST_API_GITHUB] = {"github", "https://api.github.com"},
    [ST_API_VERCEL] = {"vercel", "https://api.vercel.com"},
};
_Static_assert(sizeof apis / sizeof apis[0] == ST_API_COUNT, "every dialect has a row");

const char *st_api_name(enum st_api api)
{
	assert((size_t)api < ST_API_COUNT);
	return apis[api].name;
}

struct st_config *st_config_new(void)
{
	struct st_config *config = st_alloc(sizeof *config);
	for (int kind = 0; kind < ST_RUN_KIND_COUNT; kind++) {
		config->defaults[kind] = st_envelope_default((enum st_run_kind)kind);
	}
	config->calls_max = CALLS_DEFAULT;
	config->jobs_max = JOBS_DEFAULT;
	config->box = st_box_options_default();
	config->git = st_git_options_default();
	return config;
}

void st_config_free(struct st_config *config)
{
	if (config == NULL) {
		return;
	}
	for (size_t i = 0; i < config->n_providers; i++) {
		st_free(config->providers[i].base_url);
		st_free(config->providers[i].key);
		st_free(config->providers[i].replay);
	}
	for (size_t i = 0; i < config->n_secrets; i++) {
		st_free(config->secrets[i].ref);
	}
	for (size_t i = 0; i < config->n_outgoing_allow; i++) {
		st_free(config->outgoing_allow[i]);
	}
	for (size_t i = 0; i < config->n_workdirs; i++) {
		st_free(config->workdirs[i]);
	}
	st_free(config->workdirs);
	for (size_t i = 0; i < config->box.n_read_only; i++) {
		st_free(config->box.read_only[i]);
	}
	st_free(config->box.read_only);
	for (size_t i = 0; i < config->git.n_local; i++) {
		st_free(config->git.local[i]);
	}
	st_free(config->git.local);
	st_free(config->providers);
	st_free(config->secrets);
	st_free(config->prices);
	st_free(config->outgoing_allow);
	st_free(config);
}

static int refuse(struct st_decode *decode, const char *what, const char *got)
{
	return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer, "\"%.100s\" is %s", got,
			  what);
}

/* Reads an optional text member and copies it; at the member's own pointer when it is refused. */
static int copy_text(struct st_decode *decode, const json_t *object, const char *name,
		     const char *(*wrong)(const char *text), char **out)
{
	const char *text = NULL;
	int code = st_decode_get_text(decode, object, name, &text);
	if (code != ST_OK || text == NULL) {
		return code;
	}
	const char *why = wrong(text);
	if (why != NULL) {
		size_t mark = st_decode_enter(decode, name);
		code = refuse(decode, why, text);
		st_decode_leave(decode, mark);
		return code;
	}
	*out = st_strdup(text);
	return ST_OK;
}

static const char *wrong_ref(const char *text)
{
	return st_secret_ref_is_valid(text)
		   ? NULL
		   : "no reference to a secret: write \"env:NAME\" or \"file:/absolute/path\"; the "
		     "secret itself never stands in the config";
}

static const char *wrong_path(const char *text)
{
	return text[0] != '\0' ? NULL : "no path";
}

static const char *wrong_url(const char *text)
{
	const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
			   : strncmp(text, "http://", 7) == 0 ? text + 7
							      : NULL;
	if (host == NULL) {
		return "no base URL: it begins with https:// or http://";
	}
	if (strlen(text) > URL_BYTES_MAX) {
		return "too long for a base URL";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '\\') {
			return "no base URL: only printable ASCII without spaces and backslashes";
		}
	}
	if (host[strcspn(host, "@")] == '@') {
		return "refused: a base URL has no user, password or '@'; name a \"key\"";
	}
	if (strpbrk(host, "?#") != NULL) {
		return "refused: a base URL has no query and no fragment";
	}
	if (host[0] == '\0' || host[0] == '/' || host[0] == ':') {
		return "no base URL: the host is missing";
	}
	return NULL;
}

static int read_api(struct st_decode *decode, const json_t *from, enum st_api *out)
{
	const char *name = NULL;
	int code = st_decode_get_text(decode, from, "api", &name);
	if (code != ST_OK) {
		return code;
	}
	if (name == NULL) {
		return st_fail_at(decode->diag, ST_ERR_INVALID, decode->pointer,
				  "\"api\" is missing: it names the dialect, like \"openai\"");
	}
	for (int i = 0; i < ST_API_COUNT; i++) {
		if (strcmp(apis[i].name, name) == 0) {
			*out = (enum st_api)i;
			return ST_OK;
		}
	}
	size_t mark = st_decode_enter(decode, "api");
	code = refuse(decode,
		      "no dialect; expected one of: anthropic, openai, openai-responses, gemini, "
		      "exa, firecrawl, github, vercel",
		      name);
	st_decode_leave(decode, mark);
	return code;
}

static int read_provider(struct st_decode *decode, const json_t *from, struct st_provider *to)
{
	int code = read_api(decode, from, &to->api);
	if (code == ST_OK) {
		code = copy_text(decode, from, "base_url", wrong_url, &to->base_url);
	}
	if (code == ST_OK) {
		code = copy_text(decode, from, "key", wrong_ref, &to->key);
	}
	if (code == ST_OK) {
		code = copy_text(decode, from, "replay", wrong_path, &to->replay);
	}
	if (code != ST_OK) {
		return code;
	}
	if (to->base_url == NULL) {
		to->base_url = st_strdup(apis[to->api].base_url);
	}
	for (size_t len = strlen(to->base_url); len > 0 && to->base_url[len - 1] == '/'; len--) {
		to->base_url[len - 1] = '\0';
	}
	return ST_OK;
}

/* A member of a map of objects or texts whose keys are names. */
static int check_key(struct st_decode *decode, const char *key)
{
	return st_name_is_valid(key) ? ST_OK : refuse(decode, "no name: " ST_NAME_RULE, key);
}

static int check_object(struct st_decode *decode, const json_t *value)
{
	return json_is_object(value) ? ST_OK : st_decode_mismatch(decode, "an object", value);
}

static int read_providers(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	to->providers = st_alloc_array(json_object_size(from), sizeof to->providers[0]);
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)from, key, value)
	{
		size_t mark = st_decode_enter(decode, key);
		struct st_provider *provider = &to->providers[to->n_providers++];
		int code = check_key(decode, key);
		if (code == ST_OK) {
			code = check_object(decode, value);
		}
		if (code == ST_OK) {
			memcpy(provider->name, key, strlen(key) + 1);
			code = read_provider(decode, value, provider);
		}
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(decode, mark);
	}
	return ST_OK;
}

/* A price that is missing stays unknown (-1), which is not the same as free. */
static int read_amount(struct st_decode *decode, const json_t *from, const char *name,
		       int64_t *nusd)
{
	*nusd = -1;
	const json_t *value = json_object_get(from, name);
	if (value == NULL) {
		return ST_OK;
	}
	size_t mark = st_decode_enter(decode, name);
	int64_t amount = 0;
	int code = st_decode_money(decode, value, &amount);
	st_decode_leave(decode, mark);
	*nusd = code == ST_OK ? amount : -1;
	return code;
}

static int read_price(struct st_decode *decode, const json_t *from, struct st_price *to)
{
	const struct {
		const char *name;
		int64_t *to;
	} rows[] = {
	    {"input_usd_per_million", &to->input},
	    {"output_usd_per_million", &to->output},
	    {"cache_read_usd_per_million", &to->cache_read},
	    {"cache_write_usd_per_million", &to->cache_write},
	    {"request_usd", &to->request},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int code = read_amount(decode, from, rows[i].name, rows[i].to);
		if (code != ST_OK) {
			return code;
		}
	}
	return ST_OK;
}

static int compare_prices(const void *a, const void *b)
{
	return strcmp(((const struct st_price *)a)->model, ((const struct st_price *)b)->model);
}

static int read_prices(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	to->prices = st_alloc_array(json_object_size(from), sizeof to->prices[0]);
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)from, key, value)
	{
		size_t mark = st_decode_enter(decode, key);
		struct st_price *price = &to->prices[to->n_prices++];
		if (key[0] == '\0' || strlen(key) >= sizeof price->model) {
			return refuse(decode, "no model: write provider/model, or a provider", key);
		}
		memcpy(price->model, key, strlen(key) + 1);
		int code = check_object(decode, value);
		if (code == ST_OK) {
			code = read_price(decode, value, price);
		}
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(decode, mark);
	}
	qsort(to->prices, to->n_prices, sizeof to->prices[0], compare_prices);
	return ST_OK;
}

static int read_secrets(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	to->secrets = st_alloc_array(json_object_size(from), sizeof to->secrets[0]);
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)from, key, value)
	{
		struct st_secret_ref *secret = &to->secrets[to->n_secrets++];
		size_t mark = st_decode_enter(decode, key);
		int code = check_key(decode, key);
		st_decode_leave(decode, mark);
		if (code == ST_OK) {
			memcpy(secret->name, key, strlen(key) + 1);
			code = copy_text(decode, from, key, wrong_ref, &secret->ref);
		}
		if (code != ST_OK) {
			return code;
		}
	}
	return ST_OK;
}

static int read_defaults(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	for (int kind = 0; kind < ST_RUN_KIND_COUNT; kind++) {
		const char *name = st_run_kind_name((enum st_run_kind)kind);
		const json_t *budget = json_object_get(from, name);
		if (budget == NULL) {
			continue;
		}
		size_t mark = st_decode_enter(decode, name);
		int code =
		    st_envelope_decode(budget, decode->pointer, &to->defaults[kind], decode->diag);
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(decode, mark);
	}
	return ST_OK;
}

static int read_outgoing(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	const json_t *allow = NULL;
	int code = st_decode_get_array(decode, from, "allow", &allow);
	if (code != ST_OK || allow == NULL) {
		return code;
	}
	(void)st_decode_enter(decode, "allow");
	to->outgoing_allow = st_alloc_array(json_array_size(allow), sizeof to->outgoing_allow[0]);
	for (size_t i = 0; i < json_array_size(allow); i++) {
		const json_t *item = json_array_get(allow, i);
		size_t mark = st_decode_enter_index(decode, i);
		if (!json_is_string(item)) {
			return st_decode_mismatch(decode, "a string", item);
		}
		const char *text = json_string_value(item);
		/* The guard that uses it checks the meaning; here only what it is made of. */
		if (strlen(text) > ALLOW_BYTES_MAX ||
		    strspn(text, "0123456789abcdefABCDEF.:/[]") != json_string_length(item)) {
			return refuse(decode, "no address range: write it like \"10.0.0.0/8:443\"",
				      text);
		}
		to->outgoing_allow[to->n_outgoing_allow++] = st_strdup(text);
		st_decode_leave(decode, mark);
	}
	return ST_OK;
}

static bool is_workdir(const char *text, size_t len)
{
	return text[0] == '/' && len > 1 && len <= WORKDIR_BYTES_MAX && strlen(text) == len &&
	       text[len - 1] != '/' && strstr(text, "/../") == NULL &&
	       (len < 3 || strcmp(text + len - 3, "/..") != 0);
}

/* Absolute paths of directories. Gives as many as it has made, also when it fails. */
static int read_dirs(struct st_decode *decode, const json_t *from, const char *name, char ***dirs,
		     size_t *n)
{
	const json_t *list = NULL;
	int code = st_decode_get_array(decode, from, name, &list);
	if (code != ST_OK || list == NULL) {
		return code;
	}
	size_t outer = st_decode_enter(decode, name);
	*dirs = st_alloc_array(json_array_size(list), sizeof **dirs);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		size_t mark = st_decode_enter_index(decode, i);
		if (!json_is_string(item)) {
			return st_decode_mismatch(decode, "a string", item);
		}
		if (!is_workdir(json_string_value(item), json_string_length(item))) {
			return refuse(decode,
				      "no directory: an absolute path other than /, "
				      "without .. and without / at its end",
				      json_string_value(item));
		}
		(*dirs)[(*n)++] = st_strdup(json_string_value(item));
		st_decode_leave(decode, mark);
	}
	st_decode_leave(decode, outer);
	return ST_OK;
}

static int read_isolation(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	const json_t *value = json_object_get(from, "isolation");
	const char *text = json_string_value(value);
	if (value == NULL) {
		return ST_OK;
	}
	for (int i = 0; text != NULL && i < ST_ISOLATION_COUNT; i++) {
		if (strcmp(text, st_isolation_name((enum st_isolation)i)) == 0) {
			to->box.isolation = (enum st_isolation)i;
			return ST_OK;
		}
	}
	(void)st_decode_enter(decode, "isolation");
	return st_decode_mismatch(decode, "\"full\", \"best\" or \"none\"", value);
}

static int read_sandbox(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	int code = read_dirs(decode, from, "workdirs", &to->workdirs, &to->n_workdirs);
	if (code == ST_OK) {
		code =
		    read_dirs(decode, from, "read_only", &to->box.read_only, &to->box.n_read_only);
	}
	if (code == ST_OK) {
		code = read_isolation(decode, from, to);
	}
	for (const struct st_box_limit *limit = st_box_limits; limit->name != NULL; limit++) {
		int64_t *at = (int64_t *)(void *)((char *)&to->box.limits + limit->offset);
		const int64_t bounds[2] = {limit->least, limit->most};
		if (code == ST_OK) {
			code = st_decode_get_int(decode, from, limit->name, bounds, at);
		}
	}
	return code;
}

static int read_git(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	return read_dirs(decode, from, "local", &to->git.local, &to->git.n_local);
}

static int read_workspaces(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	static const int64_t bytes[2] = {4096, INT64_C(1) << 40};
	static const int64_t files[2] = {1, 10000000};
	const json_t *value = json_object_get(from, "keep");
	const char *text = json_string_value(value);
	bool found = value == NULL;
	for (int i = 0; text != NULL && i < ST_KEEP_COUNT; i++) {
		if (strcmp(text, st_keep_name((enum st_keep)i)) == 0) {
			to->git.keep = (enum st_keep)i;
			found = true;
		}
	}
	if (!found) {
		(void)st_decode_enter(decode, "keep");
		return st_decode_mismatch(decode, "\"never\", \"failed\" or \"always\"", value);
	}
	int code = st_decode_get_int(decode, from, "bytes_max", bytes, &to->git.bytes_max);
	return code == ST_OK
		   ? st_decode_get_int(decode, from, "files_max", files, &to->git.files_max)
		   : code;
}

static int read_limits(struct st_decode *decode, const json_t *from, struct st_config *to)
{
	static const int64_t calls[2] = {1, CALLS_MAX};
	static const int64_t jobs[2] = {1, JOBS_MAX};
	int code = st_decode_get_int(decode, from, "calls", calls, &to->calls_max);
	return code == ST_OK ? st_decode_get_int(decode, from, "jobs", jobs, &to->jobs_max) : code;
}

struct section {
	const char *name;
	int (*read)(struct st_decode *decode, const json_t *from, struct st_config *to);
};

static int read_sections(struct st_decode *decode, const json_t *doc, struct st_config *to)
{
	static const struct section sections[] = {
	    {"providers", read_providers},   {"prices", read_prices},
	    {"secrets", read_secrets},	     {"defaults", read_defaults},
	    {"outgoing", read_outgoing},     {"limits", read_limits},
	    {"sandbox", read_sandbox},	     {"git", read_git},
	    {"workspaces", read_workspaces},
	};
	for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++) {
		const json_t *section = NULL;
		int code = st_decode_get_object(decode, doc, sections[i].name, &section);
		if (code == ST_OK && section != NULL) {
			(void)st_decode_enter(decode, sections[i].name);
			code = sections[i].read(decode, section, to);
			st_decode_leave(decode, 0);
		}
		if (code != ST_OK) {
			return code;
		}
	}
	return ST_OK;
}

int st_config_decode(const struct st_schemas *schemas, const json_t *doc, struct st_config **out,
		     struct st_diag *diag)
{
	assert(out != NULL);
	assert(doc != NULL);
	int code = st_schemas_check_config(schemas, doc, diag);
	if (code != ST_OK) {
		return code;
	}
	struct st_decode decode = {.diag = diag};
	struct st_config *config = st_config_new();
	code = check_object(&decode, doc);
	if (code == ST_OK) {
		code = read_sections(&decode, doc, config);
	}
	if (code != ST_OK) {
		st_config_free(config);
		return code;
	}
	*out = config;
	return ST_OK;
}

static bool is_below_one(char *const *dirs, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(dirs[i]);
		if (strncmp(path, dirs[i], len) == 0 && (path[len] == '\0' || path[len] == '/')) {
			return true;
		}
	}
	return false;
}

bool st_config_has_workdir(const struct st_config *config, const char *path)
{
	return is_below_one(config->workdirs, config->n_workdirs, path);
}

bool st_config_has_repository(const struct st_config *config, const char *path)
{
	return is_below_one(config->git.local, config->git.n_local, path);
}

const struct st_provider *st_config_provider(const struct st_config *config, const char *name)
{
	for (size_t i = 0; i < config->n_providers; i++) {
		if (strcmp(config->providers[i].name, name) == 0) {
			return &config->providers[i];
		}
	}
	return NULL;
}

const struct st_price *st_config_price(const struct st_config *config, const char *model)
{
	struct st_price wanted;
	if (strlen(model) >= sizeof wanted.model || config->n_prices == 0) {
		return NULL;
	}
	memcpy(wanted.model, model, strlen(model) + 1);
	return bsearch(&wanted, config->prices, config->n_prices, sizeof config->prices[0],
		       compare_prices);
}
