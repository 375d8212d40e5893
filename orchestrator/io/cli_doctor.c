/* SPDX-License-Identifier: Apache-2.0 */
/* stint doctor: would it work here, and if not, what is in the way? */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/client.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/config_file.h"
#include "orchestrator/io/foreground.h"
#include "orchestrator/io/secrets.h"
#include "orchestrator/io/term.h"
#include "redact/redact.h"
#include "redact/seal.h"
#include "sandbox/io/host.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define FREE_MIB_FAIL 64
#define FREE_MIB_WARN 1024
#define CLOCK_EARLIEST "2026-01-01T00:00:00Z"
#define CLOCK_LATEST "2100-01-01T00:00:00Z"

enum finding { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct doctor {
	const struct st_cli *cli;
	json_t *checks; /* as they are printed with --json */
	struct st_buf text;
	struct st_look look;
	bool failed;
	char *path; /* of the store; NULL: none is named */
};

static void find(struct doctor *doctor, enum finding finding, const char *check, const char *format,
		 ...) __attribute__((format(printf, 4, 5)));

static void find(struct doctor *doctor, enum finding finding, const char *check, const char *format,
		 ...)
{
	static const char *const names[] = {"ok", "warn", "FAIL"};
	static const char *const marks[] = {"32", "33", "1;31"};
	char said[1024];
	char name[8];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(said, sizeof said, format, args);
	va_end(args);
	doctor->failed = doctor->failed || finding == FINDING_FAIL;
	(void)json_array_append_new(doctor->checks,
				    json_pack("{s:s, s:s, s:s}", "check", check, "found",
					      finding == FINDING_FAIL ? "fail" : names[finding],
					      "text", said));
	(void)snprintf(name, sizeof name, "%-5s", names[finding]);
	st_shown_add_coloured(&doctor->text, doctor->look, marks[finding], name);
	st_buf_addf(&doctor->text, "%-9s ", check);
	st_shown_add(&doctor->text, said, strlen(said));
	st_buf_add_char(&doctor->text, '\n');
}

/* Config and secrets */

static void check_reference(struct doctor *doctor, const char *what, const char *name,
			    const char *ref, const char *value)
{
	if (value == NULL) {
		find(doctor, FINDING_WARN, "secrets",
		     "%s %s: %s gives nothing; calls that need it are refused", what, name, ref);
	} else {
		find(doctor, FINDING_OK, "secrets", "%s %s is there (%s)", what, name, ref);
	}
}

static void check_secrets(struct doctor *doctor, const struct st_config *config)
{
	struct st_diag diag = {0};
	struct st_secrets *secrets = NULL;
	struct st_redactor *redactor = st_redactor_new();
	if (st_secrets_load(config, redactor, &secrets, &diag) != ST_OK) {
		find(doctor, FINDING_FAIL, "secrets", "%s", diag.text);
	}
	for (size_t i = 0; secrets != NULL && i < config->n_secrets; i++) {
		const struct st_secret_ref *ref = &config->secrets[i];
		check_reference(doctor, "secret", ref->name, ref->ref,
				st_secrets_get(secrets, ref->name));
	}
	for (size_t i = 0; secrets != NULL && i < config->n_providers; i++) {
		const struct st_provider *provider = &config->providers[i];
		if (provider->key != NULL) {
			check_reference(doctor, "key of", provider->name, provider->key,
					st_secrets_provider_key(secrets, provider->name));
		}
	}
	st_secrets_free(secrets);
	st_redactor_free(redactor);
}

static void check_config(struct doctor *doctor)
{
	struct st_diag diag = {0};
	const char *path = st_cli_get(doctor->cli, "config");
	struct st_config *config = NULL;
	struct st_schemas *schemas = st_schemas_new();
	if (st_config_read(schemas, path, &config, &diag) != ST_OK) {
		find(doctor, FINDING_FAIL, "config", "%s%s%s", diag.text,
		     diag.pointer[0] != '\0' ? " at " : "", diag.pointer);
	} else if (path == NULL) {
		find(doctor, FINDING_WARN, "config",
		     "none: only noop, sleep, approval and sandbox steps can run; give --config");
	} else {
		find(doctor, FINDING_OK, "config", "%s: %zu providers, %zu prices, %zu secrets",
		     path, config->n_providers, config->n_prices, config->n_secrets);
	}
	if (config != NULL) {
		check_secrets(doctor, config);
	}
	st_config_free(config);
	st_schemas_free(schemas);
}

/* The store and its files */

static void check_file(struct doctor *doctor, const char *path, const char *what)
{
	struct stat st;
	if (stat(path, &st) != 0) {
		find(doctor, FINDING_FAIL, "store", "%s %s: %s", what, path, strerror(errno));
	} else if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		find(doctor, FINDING_FAIL, "store", "%s %s can be used by others: chmod 600 it",
		     what, path);
	} else if (st.st_uid != geteuid() && geteuid() != 0) {
		find(doctor, FINDING_FAIL, "store", "%s %s belongs to somebody else", what, path);
	} else {
		find(doctor, FINDING_OK, "store", "%s %s is for its owner alone", what, path);
	}
}

static void check_key(struct doctor *doctor)
{
	const char *given = getenv("STINT_SEAL_KEY_FILE");
	struct st_buf path = {0};
	struct stat st;
	if (given != NULL) {
		st_buf_add_text(&path, given);
	} else {
		st_buf_addf(&path, "%s.key", doctor->path);
	}
	check_file(doctor, path.data, "seal key");
	if (stat(path.data, &st) == 0 && st.st_size != ST_SEAL_KEY_BYTES) {
		find(doctor, FINDING_FAIL, "store", "seal key %s has %lld bytes instead of %d",
		     path.data, (long long)st.st_size, ST_SEAL_KEY_BYTES);
	}
	st_buf_fini(&path);
}

static void check_lock(struct doctor *doctor)
{
	struct st_buf path = {0};
	char pid[24] = "";
	st_buf_addf(&path, "%s.lock", doctor->path);
	int fd = open(path.data, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0) {
		ssize_t n = read(fd, pid, sizeof pid - 1);
		pid[n > 0 ? n : 0] = '\0';
		find(doctor, FINDING_OK, "store", "in use by process %s", pid);
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	st_buf_fini(&path);
}

/* The clock must not be behind what it has said before. */
static void check_newest(struct doctor *doctor, struct st_reader *reader)
{
	struct st_buf json = {0};
	struct st_diag diag = {0};
	const struct st_read_list list = {.limit = 1};
	st_time at = 0;
	if (st_reader_list(reader, &list, &json, &diag) != ST_OK) {
		find(doctor, FINDING_FAIL, "store", "%s", diag.text);
		st_buf_fini(&json);
		return;
	}
	json_t *doc = json_loadb(json.data, json.len, 0, NULL);
	const json_t *run = json_array_get(json_object_get(doc, "runs"), 0);
	const char *created = json_string_value(json_object_get(run, "created_at"));
	if (created != NULL && st_time_parse(created, &at) == ST_OK && at > st_clock_now()) {
		find(doctor, FINDING_FAIL, "clock", "behind: the newest run was made at %s",
		     created);
	}
	json_decref(doc);
	st_buf_fini(&json);
}

static void check_disk(struct doctor *doctor)
{
	struct statvfs fs;
	if (statvfs(doctor->path, &fs) != 0) {
		find(doctor, FINDING_WARN, "disk", "%s: %s", doctor->path, strerror(errno));
		return;
	}
	unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
	find(doctor,
	     mib < FREE_MIB_FAIL   ? FINDING_FAIL
	     : mib < FREE_MIB_WARN ? FINDING_WARN
				   : FINDING_OK,
	     "disk", "%llu MiB free where the store is", mib);
}

static void check_store(struct doctor *doctor)
{
	struct st_diag diag = {0};
	struct st_reader *reader = NULL;
	char *uri = NULL;
	bool named = st_cli_get(doctor->cli, "store") != NULL;
	if (st_foreground_store(doctor->cli, false, &uri, &diag) != ST_OK) {
		find(doctor, FINDING_WARN, "store", "%s", diag.text);
		return;
	}
	int err = st_reader_open(uri, &reader, &diag);
	if (err == ST_ERR_NOT_FOUND && !named) {
		find(doctor, FINDING_OK, "store", "none yet; stint run makes %s", uri);
		st_free(uri);
		return;
	}
	doctor->path = st_strdup(strncmp(uri, "sqlite:", 7) == 0 ? uri + 7 : uri);
	st_free(uri);
	if (err != ST_OK) {
		find(doctor, FINDING_FAIL, "store", "%s", diag.text);
		return;
	}
	find(doctor, FINDING_OK, "store", "%s opens", doctor->path);
	check_file(doctor, doctor->path, "database");
	check_key(doctor);
	check_lock(doctor);
	check_newest(doctor, reader);
	check_disk(doctor);
	st_reader_close(reader);
}

/* What is around us */

static void check_clock(struct doctor *doctor)
{
	st_time earliest = 0;
	st_time latest = 0;
	char now[ST_TIME_TEXT_MAX];
	(void)st_time_parse(CLOCK_EARLIEST, &earliest);
	(void)st_time_parse(CLOCK_LATEST, &latest);
	st_time at = st_clock_now();
	bool sane = at > earliest && at < latest;
	find(doctor, sane ? FINDING_OK : FINDING_FAIL, "clock", "%s%s", st_time_format(at, now),
	     sane ? "" : ": set the clock");
}

/* Which limits hold for a job as a whole. */
static void check_limits(struct doctor *doctor, const struct st_host *host)
{
	static const char *const versions[] = {"no group", "cgroup v1", "cgroup v2"};
	const struct st_cgroup_home *home = &host->cgroups;
	bool all = true;
	for (int use = 0; use < ST_CGROUP_USE_COUNT; use++) {
		all = all && home->of[use].version != 0;
	}
	find(doctor, all ? FINDING_OK : FINDING_WARN, "sandbox",
	     "memory: %s, processes: %s, "
	     "processor time: %s, end of all at once: %s%s",
	     versions[home->of[ST_CGROUP_MEMORY].version],
	     versions[home->of[ST_CGROUP_PIDS].version], versions[home->of[ST_CGROUP_CPU].version],
	     versions[home->of[ST_CGROUP_KILL].version],
	     all ? ""
		 : "; without a group memory is bounded for each process only (a service with "
		   "Delegate=yes has groups)");
}

static void check_sandbox(struct doctor *doctor)
{
	struct st_diag diag = {0};
	struct st_host *host = NULL;
	if (access("/bin/sh", X_OK) != 0) {
		find(doctor, FINDING_FAIL, "sandbox", "/bin/sh cannot be run: %s", strerror(errno));
		return;
	}
	if (st_host_new(&host, &diag) != ST_OK) {
		find(doctor, FINDING_FAIL, "sandbox", "%s", diag.text);
		return;
	}
	if (host->fault[0] != '\0') {
		find(doctor, FINDING_WARN, "sandbox",
		     "jobs cannot be isolated here, and are refused unless \"sandbox\": "
		     "{\"isolation\"} in the config says otherwise: %s",
		     host->fault);
	} else {
		find(doctor, FINDING_OK, "sandbox", "a box was made on trial, as %s, %s",
		     host->root ? "root: each job is a user of its own" : "an ordinary user",
		     host->landlock > 0 ? "with Landlock" : "without Landlock");
	}
	check_limits(doctor, host);
	st_host_free(host);
}

static void check_server(struct doctor *doctor)
{
	struct st_diag diag = {0};
	struct st_buf answer = {0};
	struct st_client *client = NULL;
	const char *url = st_cli_get(doctor->cli, "url");
	const struct st_client_request ready = {.method = "GET", .path = "/readyz"};
	const struct st_client_request runs = {.method = "GET", .path = "/v1/runs?limit=1"};
	if (url == NULL) {
		return;
	}
	int err = st_client_new(url, st_cli_get(doctor->cli, "token"), &client, &diag);
	if (err == ST_OK) {
		err = st_client_call(client, &ready, &answer, &diag);
	}
	if (err != ST_OK) {
		find(doctor, FINDING_FAIL, "server", "%s", diag.text);
	} else if (st_client_call(client, &runs, &answer, &diag) != ST_OK) {
		find(doctor, FINDING_FAIL, "server", "%s is ready, but: %s", url, diag.text);
	} else {
		find(doctor, FINDING_OK, "server", "%s is ready and takes the token", url);
	}
	st_buf_fini(&answer);
	st_client_free(client);
}

int st_cli_doctor(struct st_cli *cli)
{
	struct doctor doctor = {.cli = cli, .checks = json_array(), .look = st_term_look()};
	check_config(&doctor);
	check_store(&doctor);
	check_clock(&doctor);
	check_sandbox(&doctor);
	check_server(&doctor);
	if (cli->json) {
		json_t *doc =
		    json_pack("{s:b, s:O}", "ok", !doctor.failed, "checks", doctor.checks);
		st_autofree char *text = st_json_compact(doc);
		st_buf_clear(&doctor.text);
		st_buf_addf(&doctor.text, "%s\n", text);
		json_decref(doc);
	}
	int code = st_term_print(&doctor.text);
	json_decref(doctor.checks);
	st_buf_fini(&doctor.text);
	st_free(doctor.path);
	return doctor.failed ? ST_EXIT_FAILED : code;
}
