/* SPDX-License-Identifier: Apache-2.0 */
/* How fast is redaction? Usage: bench_redact [FILE]; without a file it makes up a log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redact/redact.h"
#include "redact/stream.h"
#include "schemas/buf.h"

static double seconds_now(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void made_up_log(struct st_buf *text)
{
	for (unsigned i = 0; text->len < 20u << 20; i++) {
		st_buf_addf(text,
			    "2026-11-22T10:%02u:%02u.%03uZ info request handled method=GET "
			    "path=/api/v1/items/%u status=200 bytes=%u took_ms=%u\n",
			    i / 60000 % 60, i / 1000 % 60, i % 1000, i, i * 7919 % 100000, i % 300);
		st_buf_addf(text,
			    "{\"level\":\"info\",\"ts\":%u,\"msg\":\"step finished\",\"run\":"
			    "\"r_01890a5d-ac96-774b-bcce-b302099a%04x\",\"usage\":{\"input_tokens\""
			    ":%u,\"output_tokens\":%u},\"url\":\"https://example.com/a/%u\"}\n",
			    i, i % 65536, i, i % 999, i);
		st_buf_addf(text, "[%u/9999] Compiling src/module_%u.c with -O2 -Wall (pass %u)\n",
			    i % 9999, i, i % 3);
	}
}

static void file_read(const char *path, struct st_buf *text)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		(void)fprintf(stderr, "bench_redact: cannot open %s\n", path);
		exit(2);
	}
	char chunk[65536];
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
		st_buf_add(text, chunk, n);
	(void)fclose(file);
}

static void whole_measure(const struct st_redactor *redactor, const struct st_buf *text,
			  const char *name)
{
	double best = 1e9;
	size_t redactions = 0;
	for (int round = 0; round < 3; round++) {
		double start = seconds_now();
		size_t at = 0;
		redactions = 0;
		while (at < text->len) {
			size_t len = text->len - at > 16u << 20 ? 16u << 20 : text->len - at;
			struct st_clean *clean = st_redact_text(redactor, text->data + at, len);
			redactions += st_clean_redactions(clean);
			st_clean_free(clean);
			at += len;
		}
		double took = seconds_now() - start;
		best = took < best ? took : best;
	}
	(void)printf("%-28s %8.0f MB/s, %zu redactions\n", name, (double)text->len / best / 1e6,
		     redactions);
}

static void stream_measure(const struct st_redactor *redactor, const struct st_buf *text)
{
	double start = seconds_now();
	struct st_redact_stream *stream = st_redact_stream_open(redactor);
	for (size_t at = 0; at < text->len; at += 4096) {
		size_t len = text->len - at > 4096 ? 4096 : text->len - at;
		st_clean_free(st_redact_stream_write(stream, text->data + at, len));
	}
	st_clean_free(st_redact_stream_close(stream));
	(void)printf("%-28s %8.0f MB/s\n", "stream of 4 KiB writes",
		     (double)text->len / (seconds_now() - start) / 1e6);
}

static void short_measure(const struct st_redactor *redactor)
{
	static const char TEXT[] =
	    "{\"level\":\"info\",\"msg\":\"step finished\",\"run\":\"r_01890a5d-ac96-774b-bcce-"
	    "b302099a8057\",\"usage\":{\"input_tokens\":1200,\"output_tokens\":340},\"note\":\"all "
	    "went well and nothing was found\"}";
	enum { ROUNDS = 200000 };
	double start = seconds_now();
	for (int i = 0; i < ROUNDS; i++)
		st_clean_free(st_redact_text(redactor, TEXT, sizeof TEXT - 1));
	(void)printf("%-28s %8.0f ns each\n", "texts of 200 bytes",
		     (seconds_now() - start) / ROUNDS * 1e9);
	start = seconds_now();
	for (int i = 0; i < ROUNDS; i++) {
		struct st_clean_builder b;
		st_clean_builder_init(&b, redactor);
		st_clean_add_literal(&b, "{\"call\":");
		st_clean_add_id(&b, (struct st_id){{1}}, ST_ID_CALL);
		st_clean_add_literal(&b, ",\"n\":");
		st_clean_add_int(&b, i);
		st_clean_add_literal(&b, ",\"step\":");
		st_clean_add_name(&b, "find");
		st_clean_add_literal(&b, "}");
		st_clean_free(st_clean_builder_finish(&b));
	}
	(void)printf("%-28s %8.0f ns each\n", "built events",
		     (seconds_now() - start) / ROUNDS * 1e9);
}

int main(int argc, char **argv)
{
	struct st_buf text = {0};
	if (argc > 1)
		file_read(argv[1], &text);
	else
		made_up_log(&text);
	struct st_redactor *plain = st_redactor_new();
	struct st_redactor *declared = st_redactor_new();
	double start = seconds_now();
	for (unsigned i = 0; i < 20; i++) {
		char value[48];
		int len = snprintf(value, sizeof value, "fAk3/%08x+%08x", i * 2654435761u, ~i);
		(void)st_redactor_secret(declared, "NAME", value, (size_t)len, NULL);
	}
	(void)st_redactor_build(declared, NULL);
	(void)printf("%-28s %8.2f ms\n", "start with 20 secrets", (seconds_now() - start) * 1e3);
	(void)st_redactor_build(plain, NULL);
	whole_measure(plain, &text, "rules only");
	whole_measure(declared, &text, "rules and 20 secrets");
	stream_measure(declared, &text);
	short_measure(declared);
	st_redactor_free(plain);
	st_redactor_free(declared);
	st_buf_fini(&text);
	return 0;
}
