/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schemas as bytes of the program; see schemas/schemas.c. */
	.section .rodata

	.globl st_embedded_run_schema
	.globl st_embedded_run_schema_end
st_embedded_run_schema:
	.incbin "schemas/json/run.schema.json"
st_embedded_run_schema_end:

	.globl st_embedded_config_schema
	.globl st_embedded_config_schema_end
st_embedded_config_schema:
	.incbin "schemas/json/config.schema.json"
st_embedded_config_schema_end:

	.globl st_embedded_openapi
	.globl st_embedded_openapi_end
st_embedded_openapi:
	.incbin "schemas/json/openapi.json"
st_embedded_openapi_end:
	.byte 0

	.section .note.GNU-stack, "", %progbits
