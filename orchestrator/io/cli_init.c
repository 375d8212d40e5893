/* SPDX-License-Identifier: Apache-2.0 */
/* stint init: a store, and the token that everything else starts from. */
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/cli.h"
#include "orchestrator/io/clock.h"
#include "orchestrator/io/store.h"
#include "orchestrator/io/term.h"
#include "orchestrator/io/token.h"

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
	const struct st_token_wish admin = {.actor = {.name = "admin", .role = ST_ROLE_ADMIN},
					    .expires_at = ST_TIME_NONE};
	st_token_make(&admin, st_clock_now(), &token, secret);
	if (st_token_write(uri, &token, &diag) != ST_OK) {
		return st_cli_fail(cli, &diag);
	}
	struct st_buf line = {0};
	st_buf_add_text(&line, "{\"store\":");
	st_buf_add_json_string(&line, uri, strlen(uri));
	st_buf_addf(&line, ",\"token\":\"%s\"}\n", secret);
	int code = st_term_print(&line);
	st_buf_fini(&line);
	return code;
}
