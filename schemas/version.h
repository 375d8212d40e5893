/* SPDX-License-Identifier: Apache-2.0 */
/* Which stint is this? */
#ifndef ST_SCHEMAS_VERSION_H
#define ST_SCHEMAS_VERSION_H

#define ST_VERSION "0.1.0"

#endif
