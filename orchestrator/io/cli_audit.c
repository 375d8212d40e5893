/* SPDX-License-Identifier: Apache-2.0 */
/* stint audit: do the rows of this store prove each other? */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/cli_client.h"
#include "orchestrator/io/foreground.h"
#include "orchestrator/io/store_audit.h"
#include "orchestrator/io/term.h"
#include "schemas/json.h"
#include "schemas/mem.h"

static void add_finding(struct st_buf *out, const struct st_audit_result *result)
{
	const struct st_finding *first = &result->first;
	char run[ST_ID_TEXT_MAX];
	st_buf_addf(out, "first: %s %s", first->table, first->key);
	if (first->column[0] != '\0') {
		st_buf_addf(out, ", %s", first->column);
	}
	if (!st_id_is_none(first->run)) {
		st_buf_addf(out, " (of %s)", st_id_format(first->run, ST_ID_RUN, run));
	}
	if (first->says[0] != '\0') {
		st_buf_add_text(out, "\n  says      ");
		st_shown_add(out, first->says, strlen(first->says));
	}
	st_buf_add_text(out, "\n  should be ");
	st_shown_add(out, first->should, strlen(first->should));
	st_buf_addf(out, "\n%lld more found after it\n", (long long)result->n_wrong - 1);
}

static const char *digest_of(const struct st_audit_result *result, char out[2 * ST_HASH_BYTES + 1])
{
	return sodium_bin2hex(out, 2 * ST_HASH_BYTES + 1, result->digest, sizeof result->digest);
}

static void add_text(struct st_buf *out, const struct st_store_audit *audit)
{
	const struct st_audit_result *result = &audit->result;
	const struct st_look look = st_term_look();
	char digest[2 * ST_HASH_BYTES + 1];
	for (int i = 0; i < ST_LAW_COUNT; i++) {
		enum st_law law = (enum st_law)i;
		bool wrong = result->wrong[law] > 0;
		st_shown_add_coloured(out, look, wrong ? "1;31" : "32", wrong ? "WRONG" : "ok   ");
		st_buf_addf(out, " %-9s %9lld %-9s %s", st_law_name(law),
			    (long long)result->checked[law], st_law_unit(law), st_law_text(law));
		if (wrong) {
			st_buf_addf(out, ": %lld wrong", (long long)result->wrong[law]);
		}
		st_buf_add_char(out, '\n');
	}
	if (!audit->has_key) {
		st_buf_add_text(out, "the seal key is not here: what is sealed was not opened\n");
	}
	if (result->n_wrong > 0) {
		add_finding(out, result);
	}
	st_buf_addf(out, "digest %s of %lld runs, %lld events, %lld ms\n",
		    digest_of(result, digest), (long long)result->rows[ST_AUDIT_RUN],
		    (long long)result->rows[ST_AUDIT_EVENT], (long long)audit->wall_ms);
}

static json_t *finding_json(const struct st_finding *first)
{
	char run[ST_ID_TEXT_MAX];
	bool of_run = !st_id_is_none(first->run);
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s, s:s}", "law", st_law_name(first->law),
			 "table", first->table, "key", first->key, "column",
			 first->column[0] != '\0' ? first->column : NULL, "run",
			 of_run ? st_id_format(first->run, ST_ID_RUN, run) : NULL, "says",
			 first->says, "should_be", first->should);
}

static void add_json(struct st_buf *out, const struct st_store_audit *audit)
{
	const struct st_audit_result *result = &audit->result;
	char digest[2 * ST_HASH_BYTES + 1];
	json_t *laws = json_array();
	for (int i = 0; i < ST_LAW_COUNT; i++) {
		enum st_law law = (enum st_law)i;
		(void)json_array_append_new(
		    laws,
		    json_pack("{s:s, s:b, s:I, s:s, s:I}", "law", st_law_name(law), "ok",
			      result->wrong[law] == 0, "checked", (json_int_t)result->checked[law],
			      "unit", st_law_unit(law), "wrong", (json_int_t)result->wrong[law]));
	}
	json_t *first = result->n_wrong > 0 ? finding_json(&result->first) : json_null();
	json_t *doc = json_pack(
	    "{s:b, s:o, s:o, s:I, s:b, s:s, s:I, s:I, s:I}", "ok", result->n_wrong == 0, "laws",
	    laws, "first", first, "wrong", (json_int_t)result->n_wrong, "sealed_opened",
	    audit->has_key, "digest", digest_of(result, digest), "runs",
	    (json_int_t)result->rows[ST_AUDIT_RUN], "events",
	    (json_int_t)result->rows[ST_AUDIT_EVENT], "wall_ms", (json_int_t)audit->wall_ms);
	st_autofree char *text = doc != NULL ? st_json_compact(doc) : NULL;
	st_buf_addf(out, "%s\n", text != NULL ? text : "{}");
	json_decref(doc);
}

/* RUN may be the beginning of an id, or last: the back end that works on the store finds it. */
static int find_run(const struct st_cli *cli, struct st_id *run, struct st_diag *diag)
{
	struct st_backend *backend = NULL;
	if (cli->n_args == 0) {
		return ST_OK;
	}
	int err = st_backend_open(cli, &backend, diag);
	if (err == ST_OK) {
		err = st_backend_find(backend, cli->args[0], run, diag);
	}
	st_backend_close(backend);
	return err;
}

int st_cli_audit(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_store_audit audit = {0};
	struct st_buf out = {0};
	char *uri = NULL;
	int err = find_run(cli, &audit.run, &diag);
	if (err == ST_OK) {
		err = st_foreground_store(cli, false, &uri, &diag);
	}
	bool named = err == ST_OK;
	if (named) {
		err = st_store_audit(uri, &audit, &diag);
	}
	st_free(uri);
	if (err != ST_OK) {
		int code = st_cli_fail(cli, &diag);
		return named ? ST_EXIT_UNREACHABLE : code;
	}
	if (cli->json) {
		add_json(&out, &audit);
	} else {
		add_text(&out, &audit);
	}
	int code = st_term_print(&out);
	st_buf_fini(&out);
	return audit.result.n_wrong > 0 ? ST_EXIT_FAILED : code;
}
