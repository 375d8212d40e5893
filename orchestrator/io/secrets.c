/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/secrets.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "redact/redact.h"
#include "schemas/mem.h"

#define VALUE_MAX (64 * 1024)

struct secret {
	char name[ST_NAME_MAX];
	bool provider;
	char *value; /* NULL: not there */
};

struct st_secrets {
	struct secret *of;
	size_t n;
};

static int read_file(const char *path, char **out, struct st_diag *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	if (fd < 0) {
		return ST_OK;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & S_IRWXO) != 0) {
		(void)close(fd);
		return st_fail(diag, ST_ERR_FORBIDDEN,
			       "secret file %s must be a plain file that others cannot access: "
			       "chmod o= it",
			       path);
	}
	char *value = st_secret_alloc(VALUE_MAX + 1);
	ssize_t len = read(fd, value, VALUE_MAX + 1);
	(void)close(fd);
	if (len < 0 || len > VALUE_MAX) {
		st_secret_free(value);
		return st_fail(diag, ST_ERR_IO, "secret file %s cannot be read or is too large",
			       path);
	}
	while (len > 0 && (value[len - 1] == '\n' || value[len - 1] == '\r')) {
		len--;
	}
	value[len] = '\0';
	*out = value;
	return ST_OK;
}

/* In memory that is locked, and zeroed when it is freed. NULL gives NULL. */
static char *locked_copy(const char *text)
{
	if (text == NULL) {
		return NULL;
	}
	size_t size = strlen(text) + 1;
	char *copy = st_secret_alloc(size);
	memcpy(copy, text, size);
	return copy;
}

static int resolve(const char *ref, char **out, struct st_diag *diag)
{
	if (strncmp(ref, "env:", 4) == 0) {
		*out = locked_copy(getenv(ref + 4));
		return ST_OK;
	}
	return read_file(ref + strlen("file:"), out, diag);
}

static int add(struct st_secrets *secrets, const char *name, const char *ref, bool provider,
	       struct st_diag *diag)
{
	struct secret *secret = &secrets->of[secrets->n++];
	(void)snprintf(secret->name, sizeof secret->name, "%s", name);
	secret->provider = provider;
	int err = resolve(ref, &secret->value, diag);
	if (err == ST_OK && secret->value != NULL && secret->value[0] == '\0') {
		st_secret_free(secret->value);
		secret->value = NULL;
	}
	return err;
}

static int declare(const struct st_secrets *secrets, struct st_redactor *redactor,
		   struct st_diag *diag)
{
	for (size_t i = 0; i < secrets->n; i++) {
		const struct secret *secret = &secrets->of[i];
		if (secret->value == NULL) {
			continue;
		}
		int err = st_redactor_secret(redactor, secret->name, secret->value,
					     strlen(secret->value), diag);
		if (err != ST_OK) {
			return st_fail_wrap(diag, "secret %s", secret->name);
		}
	}
	return ST_OK;
}

int st_secrets_load(const struct st_config *config, struct st_redactor *redactor,
		    struct st_secrets **out, struct st_diag *diag)
{
	struct st_secrets *secrets = st_alloc(sizeof *secrets);
	int err = ST_OK;
	secrets->of = st_alloc_array(config->n_secrets + config->n_providers, sizeof *secrets->of);
	for (size_t i = 0; i < config->n_secrets && err == ST_OK; i++) {
		err = add(secrets, config->secrets[i].name, config->secrets[i].ref, false, diag);
	}
	for (size_t i = 0; i < config->n_providers && err == ST_OK; i++) {
		const struct st_provider *provider = &config->providers[i];
		if (provider->key != NULL) {
			err = add(secrets, provider->name, provider->key, true, diag);
		}
	}
	if (err == ST_OK) {
		err = declare(secrets, redactor, diag);
	}
	if (err != ST_OK) {
		st_secrets_free(secrets);
		return err;
	}
	*out = secrets;
	return ST_OK;
}

void st_secrets_free(struct st_secrets *secrets)
{
	if (secrets == NULL) {
		return;
	}
	for (size_t i = 0; i < secrets->n; i++) {
		st_secret_free(secrets->of[i].value);
	}
	st_free(secrets->of);
	st_free(secrets);
}

static const char *find(const struct st_secrets *secrets, const char *name, bool provider)
{
	for (size_t i = 0; i < secrets->n; i++) {
		if (secrets->of[i].provider == provider && strcmp(secrets->of[i].name, name) == 0) {
			return secrets->of[i].value;
		}
	}
	return NULL;
}

const char *st_secrets_get(void *secrets, const char *name)
{
	return find(secrets, name, false);
}

const char *st_secrets_provider_key(const struct st_secrets *secrets, const char *provider)
{
	return find(secrets, provider, true);
}
