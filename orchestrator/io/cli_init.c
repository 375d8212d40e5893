/* SPDX-License-Identifier: Apache-2.0 */
/* stint init: a store, and the token that everything else starts from. */
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "orchestrator/io/cli.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/store.h"
#include "orchestrator/io/token.h"

/* What the loop is waited for. */
struct writing {
	int err;
	struct st_diag diag;
	struct st_store *store;
};

static void on_closed(void *arg)
{
	(void)arg;
}

static void on_written(void *arg, int err, const struct st_diag *diag)
{
	struct writing *writing = arg;
	writing->err = err;
	if (diag != NULL) {
		writing->diag = *diag;
	}
	st_store_close(writing->store, on_closed, NULL);
}

static int write_token(const char *uri, const struct st_row_token *token, struct st_diag *diag)
{
	uv_loop_t loop;
	struct writing writing = {.err = ST_ERR_IO};
	struct st_rows rows = {0};
	(void)uv_loop_init(&loop);
	int err = st_store_open(&loop, uri, &writing.store, diag);
	if (err == ST_OK) {
		*st_rows_add_token(&rows) = *token;
		st_store_write(writing.store, &rows, on_written, &writing);
		(void)uv_run(&loop, UV_RUN_DEFAULT);
		err = writing.err;
		if (err != ST_OK) {
			*diag = writing.diag;
		}
	}
	(void)uv_loop_close(&loop);
	return err;
}

int st_cli_init(struct st_cli *cli)
{
	struct st_diag diag = {0};
	struct st_row_token token;
	char secret[ST_TOKEN_TEXT_MAX];
	const char *uri = st_cli_get(cli, "store");
	if (uri == NULL) {
		return st_cli_usage(cli, "which store? give --store sqlite:PATH");
	}
	if (st_store_create(uri, &diag) != ST_OK) {
		return st_cli_fail(cli, &diag);
	}
	const struct st_actor admin = {.name = "admin", .role = ST_ROLE_ADMIN};
	st_token_make(&admin, st_clock_now(), &token, secret);
	if (write_token(uri, &token, &diag) != ST_OK) {
		return st_cli_fail(cli, &diag);
	}
	(void)printf("{\"store\":\"%s\",\"token\":\"%s\"}\n", uri, secret);
	return ST_EXIT_DONE;
}
