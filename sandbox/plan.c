/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/plan.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"

static const char default_path[] = "/usr/local/bin:/usr/bin:/bin";

/* Names that change what runs rather than how it runs: the dynamic loader's and the C library's
 * (what setuid programs drop), and those that make a shell run or read other code. A trailing '*'
 * matches any end. */
static const char *const forbidden_names[] = {
    "LD_*",
    "STINT_*",
    "GLIBC_TUNABLES",
    "GCONV_PATH",
    "GETCONF_DIR",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "MALLOC_*",
    "NIS_PATH",
    "NLSPATH",
    "RES_OPTIONS",
    "RESOLV_*",
    "BASH_*",
    "ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "IFS",
    "PS4",
    "PROMPT_COMMAND",
    "PYTHONSTARTUP",
    "PERL5OPT",
    "PERL5DB",
    "RUBYOPT",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
};

static bool name_is_letters(const char *name)
{
	if (*name == '\0' || (*name >= '0' && *name <= '9')) {
		return false;
	}
	for (const char *p = name; *p != '\0'; p++) {
		bool letter = (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z');
		bool digit = *p >= '0' && *p <= '9';
		if (!letter && !digit && *p != '_') {
			return false;
		}
	}
	return true;
}

static bool name_is_forbidden(const char *name)
{
	for (size_t i = 0; i < sizeof forbidden_names / sizeof forbidden_names[0]; i++) {
		const char *pattern = forbidden_names[i];
		size_t len = strlen(pattern);
		bool prefix = pattern[len - 1] == '*';
		if (prefix ? strncmp(name, pattern, len - 1) == 0 : strcmp(name, pattern) == 0) {
			return true;
		}
	}
	return false;
}

/* One string that goes to execve: no NUL in it, not too long; adds to *total. */
static int check_string(const json_t *value, const char *pointer, size_t *total,
			struct st_diag *diag)
{
	if (!json_is_string(value)) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer, "must be a string");
	}
	size_t len = json_string_length(value);
	if (len > ST_JOB_STRING_BYTES_MAX) {
		return st_fail_at(diag, ST_ERR_TOO_LARGE, pointer,
				  "is %zu bytes; the system takes at most %d: pass it by stdin or "
				  "a file",
				  len, ST_JOB_STRING_BYTES_MAX);
	}
	if (memchr(json_string_value(value), '\0', len) != NULL) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer,
				  "holds a NUL character; no argument or variable can");
	}
	*total += len + 1 + sizeof(char *);
	if (*total > ST_JOB_EXEC_BYTES_MAX) {
		return st_fail_at(diag, ST_ERR_TOO_LARGE, pointer,
				  "arguments and environment together pass %d bytes",
				  ST_JOB_EXEC_BYTES_MAX);
	}
	return ST_OK;
}

static void add_env(struct st_job_plan *plan, const char *name, const char *value)
{
	struct st_buf text = {0};
	st_buf_add_text(&text, name);
	st_buf_add_char(&text, '=');
	st_buf_add_text(&text, value);
	assert(plan->n_env < ST_JOB_ENV_MAX + 8);
	plan->env[plan->n_env++] = st_buf_take(&text);
}

/* The value of a variable of the plan, or NULL. */
static const char *find_env(const struct st_job_plan *plan, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < plan->n_env; i++) {
		if (strncmp(plan->env[i], name, len) == 0 && plan->env[i][len] == '=') {
			return plan->env[i] + len + 1;
		}
	}
	return NULL;
}

static int add_variable(struct st_job_plan *plan, const char *name, const json_t *value,
			size_t *total, struct st_diag *diag)
{
	if (strlen(name) > 128 || !name_is_letters(name)) {
		return st_fail_at(diag, ST_ERR_INVALID, "/env",
				  "a name is not of letters, digits and _, or over 128 bytes");
	}
	char pointer[160];
	struct st_buf text = {0};
	st_buf_addf(&text, "/env/%s", name);
	assert(text.len < sizeof pointer);
	memcpy(pointer, text.data, text.len + 1);
	st_buf_fini(&text);
	if (name_is_forbidden(name)) {
		return st_fail_at(diag, ST_ERR_FORBIDDEN, pointer,
				  "changes what the loader, the shell or stint does; set it inside "
				  "the command if it is needed");
	}
	*total += strlen(name) + 1;
	int rc = check_string(value, pointer, total, diag);
	if (rc < 0) {
		return rc;
	}
	add_env(plan, name, json_string_value(value));
	return ST_OK;
}

static int make_env(const struct st_job_spec *spec, struct st_job_plan *plan, size_t *total,
		    struct st_diag *diag)
{
	plan->env = st_alloc_array(ST_JOB_ENV_MAX + 8, sizeof plan->env[0]);
	if (spec->env != NULL) {
		if (!json_is_object(spec->env) || json_object_size(spec->env) > ST_JOB_ENV_MAX) {
			return st_fail_at(diag, ST_ERR_INVALID, "/env",
					  "must be an object of at most %d strings",
					  ST_JOB_ENV_MAX);
		}
		const char *name = NULL;
		json_t *value = NULL;
		json_object_foreach(spec->env, name, value)
		{
			int rc = add_variable(plan, name, value, total, diag);
			if (rc < 0) {
				return rc;
			}
		}
	}
	if (find_env(plan, "PATH") == NULL) {
		add_env(plan, "PATH", default_path);
	}
	if (find_env(plan, "LANG") == NULL) {
		add_env(plan, "LANG", "C.UTF-8");
	}
	add_env(plan, "STINT_JOB", "1");
	return ST_OK;
}

/* Every place of PATH where the program may be; an empty place is the work directory. */
static char **look_up(const char *program, const char *path)
{
	size_t n = 1;
	for (const char *p = path; *p != '\0'; p++) {
		n += *p == ':' ? 1 : 0;
	}
	char **programs = st_alloc_array(n + 1, sizeof programs[0]);
	if (strchr(program, '/') != NULL) {
		programs[0] = st_strdup(program);
		return programs;
	}
	const char *from = path;
	for (size_t i = 0; i < n; i++) {
		const char *colon = strchr(from, ':');
		size_t len = colon == NULL ? strlen(from) : (size_t)(colon - from);
		struct st_buf place = {0};
		st_buf_add(&place, len == 0 ? "." : from, len == 0 ? 1 : len);
		st_buf_add_char(&place, '/');
		st_buf_add_text(&place, program);
		programs[i] = st_buf_take(&place);
		from += len + 1;
	}
	return programs;
}

static int check_argv(const json_t *argv, const char *pointer, size_t total, struct st_diag *diag)
{
	size_t n = json_array_size(argv);
	if (n == 0 || n > ST_JOB_ARGS_MAX) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer,
				  "must have a program and at most %d arguments", ST_JOB_ARGS_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		char at[64];
		struct st_buf text = {0};
		st_buf_addf(&text, "%s/%zu", pointer, i);
		assert(text.len < sizeof at);
		memcpy(at, text.data, text.len + 1);
		st_buf_fini(&text);
		int rc = check_string(json_array_get(argv, i), at, &total, diag);
		if (rc < 0) {
			return rc;
		}
	}
	if (json_string_length(json_array_get(argv, 0)) == 0) {
		return st_fail_at(diag, ST_ERR_INVALID, pointer, "the program's name is empty");
	}
	return ST_OK;
}

static void make_shell(struct st_job_command *command, const char *text)
{
	command->shell = true;
	command->n_args = 3;
	command->argv = st_alloc_array(4, sizeof command->argv[0]);
	command->argv[0] = st_strdup("/bin/sh");
	command->argv[1] = st_strdup("-c");
	command->argv[2] = st_strdup(text);
	command->programs = look_up("/bin/sh", "");
}

static void make_argv(struct st_job_command *command, const json_t *argv, const char *path)
{
	command->n_args = json_array_size(argv);
	command->argv = st_alloc_array(command->n_args + 1, sizeof command->argv[0]);
	for (size_t i = 0; i < command->n_args; i++) {
		command->argv[i] = st_strdup(json_string_value(json_array_get(argv, i)));
	}
	command->programs = look_up(command->argv[0], path);
}

static int make_command(const json_t *value, size_t i, size_t total, struct st_job_plan *plan,
			struct st_diag *diag)
{
	struct st_buf text = {0};
	st_buf_addf(&text, "/commands/%zu", i);
	char pointer[40];
	assert(text.len < sizeof pointer);
	memcpy(pointer, text.data, text.len + 1);
	st_buf_fini(&text);

	struct st_job_command *command = &plan->commands[i];
	int rc = json_is_array(value) ? check_argv(value, pointer, total, diag)
				      : check_string(value, pointer, &total, diag);
	if (rc < 0) {
		return rc;
	}
	plan->n_commands = i + 1;
	if (json_is_array(value)) {
		make_argv(command, value, find_env(plan, "PATH"));
	} else {
		make_shell(command, json_string_value(value));
	}
	return ST_OK;
}

static int make_commands(const struct st_job_spec *spec, struct st_job_plan *plan, size_t total,
			 struct st_diag *diag)
{
	size_t n = json_array_size(spec->commands);
	if (!json_is_array(spec->commands) || n == 0 || n > ST_JOB_COMMANDS_MAX) {
		return st_fail_at(diag, ST_ERR_INVALID, "/commands",
				  "must be an array of 1 to %d commands", ST_JOB_COMMANDS_MAX);
	}
	plan->commands = st_alloc_array(n, sizeof plan->commands[0]);
	for (size_t i = 0; i < n; i++) {
		int rc = make_command(json_array_get(spec->commands, i), i, total, plan, diag);
		if (rc < 0) {
			return rc;
		}
	}
	return ST_OK;
}

/* A cap bounds the hard limit. The soft limit keeps its distance to it, but at least half of the
 * time stays before it. */
static int make_limits(const struct st_job_spec *spec, const struct st_job_caps *caps,
		       struct st_job_plan *plan, struct st_diag *diag)
{
	if (spec->soft_ms <= 0 || spec->hard_ms <= spec->soft_ms ||
	    spec->hard_ms > ST_JOB_HARD_MS_MAX || spec->log_bytes_max < 0) {
		return st_fail(
		    diag, ST_ERR_INVALID,
		    "time limits must be 0 < soft < hard <= 30 days, log_bytes_max >= 0");
	}
	plan->soft_ms = spec->soft_ms;
	plan->hard_ms = spec->hard_ms;
	if (caps->job_seconds != ST_UNLIMITED && caps->job_seconds < ST_JOB_HARD_MS_MAX / 1000 &&
	    plan->hard_ms > caps->job_seconds * 1000) {
		if (caps->job_seconds <= 0) {
			return st_fail(diag, ST_ERR_INVALID, "jobs may run for 0 seconds");
		}
		int64_t grace_ms = spec->hard_ms - spec->soft_ms;
		plan->hard_ms = caps->job_seconds * 1000;
		plan->soft_ms = plan->hard_ms - grace_ms;
		if (plan->soft_ms < plan->hard_ms / 2) {
			plan->soft_ms = plan->hard_ms / 2;
		}
		if (plan->soft_ms > spec->soft_ms) {
			plan->soft_ms = spec->soft_ms;
		}
	}
	int64_t log_bytes = spec->log_bytes_max;
	if (caps->log_bytes != ST_UNLIMITED && log_bytes > caps->log_bytes) {
		log_bytes = caps->log_bytes;
	}
	plan->log_bytes =
	    (size_t)(log_bytes > ST_JOB_LOG_BYTES_MAX ? ST_JOB_LOG_BYTES_MAX : log_bytes);
	assert(plan->soft_ms > 0);
	assert(plan->hard_ms > plan->soft_ms);
	return ST_OK;
}

static int64_t clamp(int64_t value, int64_t max)
{
	return value < 0 ? 0 : value > max ? max : value;
}

static int make_artifacts(const struct st_job_spec *spec, struct st_job_plan *plan,
			  struct st_diag *diag)
{
	size_t n = json_array_size(spec->artifacts);
	if (spec->artifacts == NULL) {
		return ST_OK;
	}
	if (!json_is_array(spec->artifacts) || n > ST_ARTIFACT_PATTERNS_MAX) {
		return st_fail_at(diag, ST_ERR_INVALID, "/artifacts",
				  "must be an array of at most %d patterns",
				  ST_ARTIFACT_PATTERNS_MAX);
	}
	plan->artifacts = st_alloc_array(n + 1, sizeof plan->artifacts[0]);
	for (size_t i = 0; i < n; i++) {
		const json_t *pattern = json_array_get(spec->artifacts, i);
		const char *text = json_string_value(pattern);
		if (text == NULL || strlen(text) != json_string_length(pattern) ||
		    st_artifact_pattern_fault(text) != NULL) {
			return st_fail_at(diag, ST_ERR_INVALID, "/artifacts",
					  "pattern %zu is not one that can be looked for", i + 1);
		}
		plan->artifacts[plan->n_artifacts++] = st_strdup(text);
	}
	plan->artifact_caps = (struct st_artifact_caps){
	    .files = clamp(spec->artifact_caps.files, ST_ARTIFACTS_MAX),
	    .file_bytes = clamp(spec->artifact_caps.file_bytes, ST_ARTIFACT_BYTES_MAX),
	    .bytes = clamp(spec->artifact_caps.bytes, ST_ARTIFACTS_BYTES_MAX),
	};
	return ST_OK;
}

static int make_rest(const struct st_job_spec *spec, struct st_job_plan *plan, struct st_diag *diag)
{
	if (spec->workdir != NULL && (spec->workdir[0] != '/' || strlen(spec->workdir) > 4000)) {
		return st_fail_at(diag, ST_ERR_INVALID, "/workdir",
				  "must be an absolute path of at most 4000 bytes");
	}
	if (spec->stdin_text != NULL && strlen(spec->stdin_text) > ST_JOB_STDIN_BYTES_MAX) {
		return st_fail_at(diag, ST_ERR_TOO_LARGE, "/stdin", "must be at most %d bytes",
				  ST_JOB_STDIN_BYTES_MAX);
	}
	plan->workdir = st_strdup(spec->workdir);
	return make_artifacts(spec, plan, diag);
}

int st_job_plan_make(const struct st_job_spec *spec, const struct st_job_caps *caps,
		     struct st_job_plan **out, struct st_diag *diag)
{
	struct st_job_plan *plan = st_alloc(sizeof *plan);
	size_t total = sizeof default_path + 8192; /* what is added to every job, HOME among it */
	int rc = make_limits(spec, caps, plan, diag);
	if (rc == ST_OK) {
		rc = make_rest(spec, plan, diag);
	}
	if (rc == ST_OK) {
		rc = make_env(spec, plan, &total, diag);
	}
	if (rc == ST_OK) {
		rc = make_commands(spec, plan, total, diag);
	}
	if (rc < 0) {
		st_job_plan_free(plan);
		return rc;
	}
	*out = plan;
	return ST_OK;
}

static void free_strings(char **strings)
{
	for (char **p = strings; p != NULL && *p != NULL; p++) {
		st_free(*p);
	}
	st_free(strings);
}

void st_job_plan_free(struct st_job_plan *plan)
{
	if (plan == NULL) {
		return;
	}
	for (size_t i = 0; i < plan->n_commands; i++) {
		free_strings(plan->commands[i].argv);
		free_strings(plan->commands[i].programs);
	}
	st_free(plan->commands);
	free_strings(plan->env);
	free_strings(plan->artifacts);
	st_free(plan->workdir);
	st_free(plan);
}

void st_job_plan_place(struct st_job_plan *plan, const char *workdir, const char *tmp)
{
	assert(workdir[0] == '/');
	if (plan->workdir == NULL) {
		plan->workdir = st_strdup(workdir);
	}
	assert(strcmp(plan->workdir, workdir) == 0);
	if (find_env(plan, "HOME") == NULL) {
		add_env(plan, "HOME", workdir);
	}
	if (find_env(plan, "TMPDIR") == NULL) {
		add_env(plan, "TMPDIR", tmp);
	}
}

void st_job_quote(struct st_buf *buf, const char *word, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-./=:,+@%^";
	if (len > 0 && strspn(word, plain) == len) {
		st_buf_add(buf, word, len);
		return;
	}
	st_buf_add_char(buf, '\'');
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\'') {
			st_buf_add_text(buf, "'\\''");
		} else {
			st_buf_add_char(buf, word[i]);
		}
	}
	st_buf_add_char(buf, '\'');
}

static void print_words(struct st_buf *buf, const char *label, char *const *words)
{
	st_buf_add_text(buf, label);
	for (char *const *p = words; p != NULL && *p != NULL; p++) {
		st_buf_add_char(buf, ' ');
		st_job_quote(buf, *p, strlen(*p));
	}
	st_buf_add_char(buf, '\n');
}

void st_job_plan_print(const struct st_job_plan *plan, struct st_buf *buf)
{
	st_buf_addf(buf, "workdir: %s\n", plan->workdir == NULL ? "(fresh)" : plan->workdir);
	st_buf_addf(
	    buf, "limits: soft_ms=%lld hard_ms=%lld log_bytes=%zu files=%d core=0 umask=077\n",
	    (long long)plan->soft_ms, (long long)plan->hard_ms, plan->log_bytes, ST_JOB_FILES_MAX);
	if (plan->artifacts != NULL) {
		print_words(buf, "artifacts:", plan->artifacts);
	}
	for (size_t i = 0; i < plan->n_env; i++) {
		st_buf_add_text(buf, "env: ");
		st_job_quote(buf, plan->env[i], strlen(plan->env[i]));
		st_buf_add_char(buf, '\n');
	}
	for (size_t i = 0; i < plan->n_commands; i++) {
		print_words(buf, "command:", plan->commands[i].argv);
		print_words(buf, "  tries:", plan->commands[i].programs);
	}
}
