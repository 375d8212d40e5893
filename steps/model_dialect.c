/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/model.h"

const struct st_model_dialect *st_model_dialect_of(enum st_api api)
{
	static const struct st_model_dialect *const all[] = {&st_model_anthropic, &st_model_openai,
							     &st_model_responses, &st_model_gemini};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (all[i]->api == api) {
			return all[i];
		}
	}
	return NULL;
}
