/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/http_exchange.h"

#include <string.h>
#include <strings.h>

#include "orchestrator/io/http_private.h"
#include "schemas/mem.h"

void st_exchange_free(struct st_exchange *exchange)
{
	if (exchange == NULL) {
		return;
	}
	st_http_target_fini(&exchange->target);
	st_buf_fini(&exchange->body);
	st_free(exchange->headers);
	st_free(exchange->head);
	st_free(exchange);
}

const char *st_exchange_method(const struct st_exchange *exchange)
{
	return exchange->method;
}

const char *st_exchange_path(const struct st_exchange *exchange)
{
	return exchange->target.path;
}

const char *st_exchange_target(const struct st_exchange *exchange)
{
	return exchange->target_text;
}

const char *st_exchange_query(const struct st_exchange *exchange, const char *name)
{
	return st_http_target_query(&exchange->target, name);
}

const char *st_exchange_header(const struct st_exchange *exchange, const char *name)
{
	for (size_t i = 0; i < exchange->n_headers; i++) {
		if (strcasecmp(exchange->headers[i].name, name) == 0) {
			return exchange->headers[i].value;
		}
	}
	return NULL;
}

const struct st_http_field *st_exchange_headers(const struct st_exchange *exchange, size_t *n)
{
	*n = exchange->n_headers;
	return exchange->headers;
}

const char *st_exchange_body(const struct st_exchange *exchange, size_t *len)
{
	if (len != NULL) {
		*len = exchange->body.len;
	}
	return exchange->body.data != NULL ? exchange->body.data : "";
}

bool st_exchange_is_open(const struct st_exchange *exchange)
{
	return exchange->conn != NULL && exchange->conn->state != ST_CONN_CLOSED &&
	       !exchange->conn->eof;
}

bool st_exchange_on_close(struct st_exchange *exchange, void (*gone)(void *arg), void *arg)
{
	if (exchange->told || exchange->conn == NULL) {
		return false;
	}
	exchange->gone = gone;
	exchange->gone_arg = arg;
	return true;
}

void st_exchange_on_drain(struct st_exchange *exchange, void (*drained)(void *arg), void *arg)
{
	exchange->drained = drained;
	exchange->drained_arg = arg;
}
