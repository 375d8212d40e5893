/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/answer.h"

int st_answer_status(enum st_err code)
{
	switch (code) {
	case ST_OK:
		return 200;
	case ST_ERR_INVALID:
	case ST_ERR_UNSUPPORTED:
		return 400;
	case ST_ERR_UNAUTHENTICATED:
		return 401;
	case ST_ERR_FORBIDDEN:
		return 403;
	case ST_ERR_NOT_FOUND:
		return 404;
	case ST_ERR_EXISTS:
	case ST_ERR_CONFLICT:
		return 409;
	case ST_ERR_TOO_LARGE:
		return 413;
	case ST_ERR_IO:
	case ST_ERR_NET:
	case ST_ERR_TIMEOUT:
	case ST_ERR_CORRUPT:
	case ST_ERR_FOREIGN:
	case ST_ERR_NEWER:
	case ST_ERR_BUSY:
	case ST_ERR_CANCELLED:
	case ST_ERR_UNAVAILABLE:
		return 503;
	}
	return 503;
}

int st_answer_event_status(enum st_event_type type, enum st_err code)
{
	bool made = type == ST_EVENT_SUBMIT || type == ST_EVENT_CLIENT_HOLD;
	return made && code == ST_OK ? 201 : st_answer_status(code);
}
