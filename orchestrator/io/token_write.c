/* SPDX-License-Identifier: Apache-2.0 */
/* A token straight into a store that no daemon holds. */
#include <uv.h>

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

int st_token_write(const char *uri, const struct st_row_token *row, struct st_diag *diag)
{
	uv_loop_t loop;
	struct writing writing = {.err = ST_ERR_IO};
	struct st_rows rows = {0};
	(void)uv_loop_init(&loop);
	int err = st_store_open(&loop, uri, &writing.store, diag);
	if (err == ST_OK) {
		*st_rows_add_token(&rows) = *row;
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
