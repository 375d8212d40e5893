/* SPDX-License-Identifier: Apache-2.0 */
/* What do the two back ends share? Private to orchestrator/io/backend*.c. */
#ifndef ST_ORCHESTRATOR_IO_BACKEND_PRIVATE_H
#define ST_ORCHESTRATOR_IO_BACKEND_PRIVATE_H

#include <jansson.h>

#include "orchestrator/io/backend.h"
#include "orchestrator/io/client.h"

struct st_backend {
	const struct st_cli *cli;
	struct st_client *client; /* a server, or NULL */
	char *store_uri;	  /* a store, or NULL */
	struct st_reader *reader; /* of the store */
};

/* Hands one event of the API to `see`; moves after_seq. */
bool st_backend_show(struct st_follow *follow, const json_t *event);

int st_store_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		  struct st_diag *diag);
int st_store_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag);
int st_store_act(struct st_backend *backend, const struct st_act *act);

int st_server_view(struct st_backend *backend, const struct st_view *view, struct st_buf *out,
		   struct st_diag *diag);
int st_server_export(struct st_backend *backend, struct st_id run, const struct st_read_sink *sink,
		     struct st_diag *diag);
int st_server_follow(struct st_backend *backend, struct st_follow *follow, struct st_diag *diag);
int st_server_act(struct st_backend *backend, const struct st_act *act);

#endif
