/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a request head judged alike however it arrives, is what passes plainly written, and does the
 * parser behind the lint agree on where it ends? Are targets and hosts read within bounds?
 */
#include "fuzz.h"

#include <assert.h>
#include <llhttp.h>
#include <string.h>

#include "orchestrator/http_lint.h"
#include "orchestrator/http_target.h"
#include "schemas/mem.h"

static const struct st_http_limits limits = {
    .url_bytes_max = 256, .header_bytes_max = 1024, .headers_max = 16};

static int scan(const char *data, size_t size, size_t piece, struct st_http_lint *lint)
{
	int found = ST_HTTP_LINT_MORE;
	*lint = (struct st_http_lint){0};
	for (size_t len = 0; len < size && found == ST_HTTP_LINT_MORE;) {
		len = size - len < piece ? size : len + piece;
		found = st_http_lint_scan(lint, &limits, data, len);
	}
	return found;
}

static int on_head(llhttp_t *parser)
{
	(void)parser;
	return HPE_PAUSED;
}

/* No line of it ends otherwise than in CR LF, nothing in it is a control character but a tab. */
static void check_head(const char *head, size_t len)
{
	assert(len >= 4 && memcmp(head + len - 4, "\r\n\r\n", 4) == 0);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)head[i];
		assert(c != '\n' || (i > 0 && head[i - 1] == '\r'));
		assert(c != '\r' || (i + 1 < len && head[i + 1] == '\n'));
		assert((c >= 0x20 && c != 0x7f) || c == '\r' || c == '\n' || c == '\t');
	}
	/* llhttp refuses it, or stops where the lint does, or wants the body. */
	static const llhttp_settings_t settings = {.on_headers_complete = on_head};
	llhttp_t parser;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	llhttp_errno_t code = llhttp_execute(&parser, head, len);
	if (code == HPE_PAUSED) {
		assert(llhttp_get_error_pos(&parser) + 1 >= head + len);
	} else {
		assert(code != HPE_OK);
	}
}

static void check_target(const char *text, size_t len)
{
	struct st_http_target target = {0};
	int status = st_http_target_parse(text, len, &target);
	assert((status == 0) == (target.why == NULL));
	if (status == 0) {
		assert(target.path[0] == '/' || strcmp(target.path, "*") == 0);
		for (const char *p = target.path; *p != '\0'; p++) {
			assert((unsigned char)*p >= 0x20 && *p != 0x7f);
		}
		assert(strstr(target.path, "/../") == NULL);
		for (size_t i = 0; i < target.n_query; i++) {
			assert(st_http_target_query(&target, target.query[i].name) ==
			       target.query[i].value);
		}
	}
	st_http_target_fini(&target);
	char *host = st_strndup(text, len);
	if (st_http_host_allowed(host, 7420, NULL)) {
		assert(strlen(host) <= sizeof "127.0.0.1:7420");
	}
	st_free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct st_http_lint whole;
	struct st_http_lint pieces;
	int found = scan(text, size, size > 0 ? size : 1, &whole);
	for (size_t piece = 1; piece <= 5; piece += 2) {
		assert(scan(text, size, piece, &pieces) == found);
		assert(pieces.from == whole.from);
		assert(found != ST_HTTP_LINT_DONE || pieces.at == whole.at);
	}
	if (found == ST_HTTP_LINT_DONE) {
		assert(whole.from < whole.at && whole.at <= size);
		assert(whole.headers <= limits.headers_max);
		check_head(text + whole.from, whole.at - whole.from);
	} else if (found != ST_HTTP_LINT_MORE) {
		assert(found >= 400 && whole.why != NULL);
	}
	check_target(text, size);
	return 0;
}
