/* SPDX-License-Identifier: Apache-2.0 */
/* stint redact: what stint would hide, as a filter and explained. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/io/cli_client.h"
#include "redact/clean.h"
#include "redact/redact.h"
#include "redact/stream.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define LINE_MAX_BYTES ((size_t)64 * 1024 * 1024)
#define SECRETS_MAX 10000

/* What one command works with. */
struct filter {
	const struct st_cli *cli;
	struct st_redactor *redactor;
	int fd;
};

static int open_input(struct filter *filter, const char *path, struct st_diag *diag)
{
	filter->fd = STDIN_FILENO;
	if (path == NULL || strcmp(path, "-") == 0) {
		return ST_OK;
	}
	filter->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (filter->fd < 0) {
		return st_fail(diag, ST_ERR_NOT_FOUND, "%s cannot be read: %s", path,
			       strerror(errno));
	}
	return ST_OK;
}

/* A secret that cannot be hidden is told about, and the others are hidden all the same. */
static int declare_line(struct filter *filter, const char *line, size_t len, size_t number,
			struct st_diag *diag)
{
	json_error_t error;
	json_t *value = json_loadb(line, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (!json_is_string(value)) {
		json_decref(value);
		return st_fail(diag, ST_ERR_INVALID,
			       "line %zu of the secrets is no JSON string; write one a line",
			       number);
	}
	struct st_diag why = {0};
	int err = st_redactor_secret(filter->redactor, "secret", json_string_value(value),
				     json_string_length(value), &why);
	if (err != ST_OK) {
		(void)fprintf(stderr, "stint: line %zu of the secrets: %s\n", number, why.text);
	}
	json_decref(value);
	return ST_OK;
}

static int declare_file(struct filter *filter, const char *path, struct st_diag *diag)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	int err = ST_OK;
	if (file == NULL) {
		return st_fail(diag, ST_ERR_NOT_FOUND, "the secrets %s cannot be read: %s", path,
			       strerror(errno));
	}
	for (size_t number = 1; err == ST_OK; number++) {
		ssize_t len = getline(&line, &cap, file);
		if (len < 0) {
			break;
		}
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
			len--;
		}
		if (number > SECRETS_MAX) {
			err = st_fail(diag, ST_ERR_TOO_LARGE, "%s has more than %d secrets", path,
				      SECRETS_MAX);
		} else if (len > 0) {
			err = declare_line(filter, line, (size_t)len, number, diag);
		}
	}
	if (line != NULL) {
		sodium_memzero(line, cap);
	}
	free(line);
	(void)fclose(file);
	return err;
}

static int rules_take(struct filter *filter, const char *path, struct st_diag *diag)
{
	json_error_t error;
	json_t *rules = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (rules == NULL) {
		return st_fail(diag, ST_ERR_INVALID, "the rules %s: line %d: %s", path, error.line,
			       error.text);
	}
	int err = st_redactor_rules(filter->redactor, rules, diag);
	json_decref(rules);
	return err;
}

static int filter_open(struct filter *filter, const struct st_cli *cli, struct st_diag *diag)
{
	const char *secrets = st_cli_get(cli, "secrets");
	*filter = (struct filter){.cli = cli, .fd = -1};
	filter->redactor = st_redactor_new();
	const char *rules = st_cli_get(cli, "rules");
	int err = rules != NULL ? rules_take(filter, rules, diag) : ST_OK;
	if (err == ST_OK && secrets != NULL) {
		err = declare_file(filter, secrets, diag);
	}
	if (err == ST_OK) {
		err = st_redactor_build(filter->redactor, diag);
	}
	if (err == ST_OK) {
		err = open_input(filter, cli->n_args > 0 ? cli->args[0] : NULL, diag);
	}
	return err;
}

static void filter_close(struct filter *filter)
{
	if (filter->fd > STDIN_FILENO) {
		(void)close(filter->fd);
	}
	st_redactor_free(filter->redactor);
}

static int put(const char *text, size_t len, struct st_diag *diag)
{
	if (fwrite(text, 1, len, stdout) != len) {
		return st_fail(diag, ST_ERR_IO, "the output cannot be written: %s",
			       strerror(errno));
	}
	return ST_OK;
}

static int put_clean(struct st_clean *clean, struct st_diag *diag)
{
	int err = ST_OK;
	if (clean != NULL) {
		err = put(st_clean_text(clean), st_clean_len(clean), diag);
		if (err == ST_OK && fflush(stdout) != 0) {
			err = st_fail(diag, ST_ERR_IO, "the output cannot be written: %s",
				      strerror(errno));
		}
	}
	st_clean_free(clean);
	return err;
}

static ssize_t read_some(const struct filter *filter, char *chunk, struct st_diag *diag)
{
	ssize_t len;
	do {
		len = read(filter->fd, chunk, CHUNK_BYTES);
	} while (len < 0 && errno == EINTR);
	if (len < 0) {
		(void)st_fail(diag, ST_ERR_IO, "the input cannot be read: %s", strerror(errno));
	}
	return len;
}

static int filter_text(const struct filter *filter, struct st_diag *diag)
{
	struct st_redact_stream *stream = st_redact_stream_open(filter->redactor);
	char *chunk = st_alloc(CHUNK_BYTES);
	int err = ST_OK;
	for (;;) {
		ssize_t len = read_some(filter, chunk, diag);
		if (len <= 0) {
			err = len < 0 ? ST_ERR_IO : ST_OK;
			break;
		}
		err = put_clean(st_redact_stream_write(stream, chunk, (size_t)len), diag);
		if (err != ST_OK) {
			break;
		}
	}
	struct st_clean *rest = st_redact_stream_close(stream);
	if (err == ST_OK) {
		err = put_clean(rest, diag);
	} else {
		st_clean_free(rest);
	}
	sodium_memzero(chunk, CHUNK_BYTES);
	st_free(chunk);
	return err;
}

/* One line of --lines: a JSON string in, a JSON string out. */
static int filter_string(const struct filter *filter, const char *line, size_t len, size_t number,
			 struct st_diag *diag)
{
	json_t *value = json_loadb(line, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	if (!json_is_string(value)) {
		json_decref(value);
		return st_fail(diag, ST_ERR_INVALID,
			       "line %zu is no JSON string; with --lines every line is one",
			       number);
	}
	st_autoclean struct st_clean *clean =
	    st_redact_text(filter->redactor, json_string_value(value), json_string_length(value));
	json_decref(value);
	json_t *out = json_stringn(st_clean_text(clean), st_clean_len(clean));
	struct st_buf buf = {0};
	if (out != NULL) {
		char *dumped = json_dumps(out, JSON_ENCODE_ANY);
		st_buf_add_text(&buf, dumped);
		free(dumped);
	} else {
		/* A secret began or ended within a character. */
		struct st_clean_builder builder;
		st_clean_builder_init(&builder, filter->redactor);
		st_clean_add_clean(&builder, clean);
		st_autoclean struct st_clean *json = st_clean_builder_finish(&builder);
		st_buf_add(&buf, st_clean_text(json), st_clean_len(json));
	}
	json_decref(out);
	st_buf_add_char(&buf, '\n');
	int err = put(buf.data, buf.len, diag);
	st_buf_fini(&buf);
	return err;
}

static int filter_lines(const struct filter *filter, struct st_diag *diag)
{
	FILE *file = fdopen(dup(filter->fd), "re");
	char *line = NULL;
	size_t cap = 0;
	int err = ST_OK;
	if (file == NULL) {
		return st_fail(diag, ST_ERR_IO, "the input cannot be read: %s", strerror(errno));
	}
	for (size_t number = 1; err == ST_OK; number++) {
		ssize_t len = getline(&line, &cap, file);
		if (len < 0) {
			break;
		}
		while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
			len--;
		}
		if ((size_t)len > LINE_MAX_BYTES) {
			err = st_fail(diag, ST_ERR_TOO_LARGE, "line %zu is too long", number);
		} else {
			err = filter_string(filter, line, (size_t)len, number, diag);
		}
	}
	if (line != NULL) {
		sodium_memzero(line, cap);
	}
	free(line);
	(void)fclose(file);
	return err;
}

int st_cli_redact(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct filter filter;
	int err = filter_open(&filter, cli, &diag);
	if (err == ST_OK) {
		err = st_cli_has(cli, "lines") ? filter_lines(&filter, &diag)
					       : filter_text(&filter, &diag);
	}
	filter_close(&filter);
	if (err == ST_OK && fflush(stdout) != 0) {
		err =
		    st_fail(&diag, ST_ERR_IO, "the output cannot be written: %s", strerror(errno));
	}
	return err == ST_OK ? ST_EXIT_DONE : st_cli_fail(cli, &diag);
}

/* Where the telling of finds stands. */
struct telling {
	const struct st_cli *cli;
	const char *text;
	size_t at; /* lines are counted up to here */
	size_t line;
	size_t line_at;
	size_t n;
};

static void tell_found(void *arg, const struct st_redact_found *found)
{
	struct telling *telling = arg;
	char fingerprint[16] = "";
	for (; telling->at < found->start; telling->at++) {
		if (telling->text[telling->at] == '\n') {
			telling->line++;
			telling->line_at = telling->at + 1;
		}
	}
	if (found->fingerprint != 0) {
		(void)snprintf(fingerprint, sizeof fingerprint, "%08x", found->fingerprint);
	}
	telling->n++;
	size_t column = found->start - telling->line_at + 1;
	if (telling->cli->json) {
		(void)printf("{\"line\":%zu,\"column\":%zu,\"bytes\":%zu,\"rule\":\"%s\","
			     "\"declared\":%s,\"fingerprint\":\"%s\"}\n",
			     telling->line, column, found->end - found->start, found->rule,
			     found->declared ? "true" : "false", fingerprint);
		return;
	}
	(void)printf("%zu:%zu  %zu bytes  %s%s%s%s\n", telling->line, column,
		     found->end - found->start, found->rule, found->declared ? " (declared)" : "",
		     fingerprint[0] != '\0' ? "  " : "", fingerprint);
}

static int read_all(const struct filter *filter, struct st_buf *text, struct st_diag *diag)
{
	for (;;) {
		ssize_t len = read_some(filter, st_buf_reserve(text, CHUNK_BYTES), diag);
		if (len <= 0) {
			return len < 0 ? ST_ERR_IO : ST_OK;
		}
		text->len += (size_t)len;
		if (text->len > ST_REDACT_TEXT_MAX) {
			return st_fail(diag, ST_ERR_TOO_LARGE, "the text has more than %d bytes",
				       ST_REDACT_TEXT_MAX);
		}
	}
}

int st_cli_redact_test(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct filter filter;
	struct st_buf text = {0};
	int err = filter_open(&filter, cli, &diag);
	if (err == ST_OK) {
		err = read_all(&filter, &text, &diag);
	}
	if (err == ST_OK) {
		struct telling telling = {.cli = cli, .text = text.data, .line = 1};
		st_redact_explain(filter.redactor, text.len > 0 ? text.data : "", text.len,
				  tell_found, &telling);
		if (!cli->json) {
			(void)printf("%zu bytes, %zu redaction%s\n", text.len, telling.n,
				     telling.n == 1 ? "" : "s");
		}
	}
	if (text.data != NULL) {
		sodium_memzero(text.data, text.cap);
	}
	st_buf_fini(&text);
	filter_close(&filter);
	return err == ST_OK ? ST_EXIT_DONE : st_cli_fail(cli, &diag);
}
