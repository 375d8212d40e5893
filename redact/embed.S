/* SPDX-License-Identifier: Apache-2.0 */
/* The table of token shapes as bytes of the program; see redact/token.c. */
	.section .rodata

	.globl st_embedded_tokens
	.globl st_embedded_tokens_end
st_embedded_tokens:
	.incbin "redact/tokens.json"
st_embedded_tokens_end:
	.byte 0

	.section .note.GNU-stack, "", %progbits
