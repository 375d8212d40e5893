/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The examples are invented: they spell FAKE or EXAMPLE where the alphabet allows it and count up
 * where it does not. Prefix and rest stand apart, so that this file itself holds no token.
 */
#include "redact/token.h"

#include <string.h>

#define DIGIT ST_ALPHABET_DIGIT
#define UPPER ST_ALPHABET_UPPER
#define LOWER ST_ALPHABET_LOWER
#define HEX ST_ALPHABET_HEX_LOWER
#define ALNUM ST_ALPHABET_ALNUM
#define WORD ST_ALPHABET_WORD
#define URL64 ST_ALPHABET_BASE64URL
#define ANY64 ST_ALPHABET_BASE64_ANY
#define PATH ST_ALPHABET_PATH
#define DOT                                                                                        \
	{                                                                                          \
		ST_ALPHABET_DOT, 1, 1                                                              \
	}

#define FAKE20 "FAKEexample0FAKE1234"
#define FAKE36 "FAKEexample0FAKEexample1FAKEexample2"
#define FAKE40 FAKE20 FAKE20
#define FAKE60 FAKE40 FAKE20
#define HEX32 "0123456789abcdef0123456789abcdef"
#define HEX40 HEX32 "fa4efa4e"
#define HEX64 HEX32 HEX32
#define WORDS "your-token-goes-here-please-replace-it-with-the-real-one-of-yours"

const struct st_token st_tokens[] = {
    /* clouds */
    {"aws-key-id", "AKIA", {{UPPER, 16, 16}}, "FAKEFAKE2345FAKE", "FAKE"},
    {"aws-key-id", "ASIA", {{UPPER, 16, 16}}, "FAKEFAKE2345FAKE", "FAKEFAKE2345FAKE2"},
    {"aws-key-id", "ABIA", {{UPPER, 16, 16}}, "FAKEFAKE2345FAKE", "fakefake2345fake"},
    {"aws-bedrock-key", "ABSK", {{ANY64, 60, 0}}, FAKE60 FAKE40, "FAKE"},
    {"google-api-key", "AIza", {{URL64, 35, 35}}, FAKE20 "FAKEexample0FAK", FAKE20},
    {"google-oauth-secret", "GOCSPX-", {{URL64, 24, 0}}, FAKE20 "FAKE0123", "FAKE"},
    {"google-oauth-token", "ya29.", {{URL64, 20, 0}}, FAKE60, "FAKE"},
    {"digitalocean-token", "dop_v1_", {{HEX, 64, 64}}, HEX64, HEX32},
    {"digitalocean-token", "doo_v1_", {{HEX, 64, 64}}, HEX64, HEX32},
    {"digitalocean-token", "dor_v1_", {{HEX, 64, 64}}, HEX64, HEX32},
    {"vercel-token", "vcp_", {{ALNUM, 24, 0}}, FAKE60, "FAKE"},
    {"vercel-token", "vca_", {{ALNUM, 24, 0}}, FAKE60, "FAKE"},
    {"vercel-token", "vcr_", {{ALNUM, 24, 0}}, FAKE60, "FAKE"},
    {"vercel-token", "vck_", {{ALNUM, 24, 0}}, FAKE60, "FAKE"},
    {"fly-token", "fm2_", {{ANY64, 40, 0}}, FAKE60, "FAKE"},
    {"fly-token", "fo1_", {{ANY64, 40, 0}}, FAKE60, "FAKE"},
    {"heroku-token", "HRKU-", {{URL64, 36, 0}}, FAKE60, "FAKE"},
    {"supabase-token", "sbp_", {{HEX, 40, 0}}, HEX40, HEX32},
    {"supabase-token", "sb_secret_", {{URL64, 20, 0}}, FAKE36, WORDS},
    {"planetscale-token", "pscale_tkn_", {{URL64, 32, 0}}, FAKE40, WORDS},
    {"planetscale-token", "pscale_pw_", {{URL64, 32, 0}}, FAKE40, WORDS},
    {"planetscale-token", "pscale_oauth_", {{URL64, 32, 0}}, FAKE40, WORDS},
    {"databricks-token", "dapi", {{HEX, 32, 32}}, HEX32, HEX40},
    {"pulumi-token", "pul-", {{HEX, 40, 40}}, HEX40, HEX32},
    {"terraform-token", "atlasv1.", {{URL64, 60, 0}}, FAKE60 FAKE20, "FAKE"},
    {"vault-token", "hvs.", {{URL64, 24, 0}}, FAKE40, "FAKE"},
    {"vault-token", "hvb.", {{URL64, 24, 0}}, FAKE60, "FAKE"},
    {"doppler-token", "dp.pt.", {{ALNUM, 40, 0}}, FAKE40, "FAKE"},
    {"tailscale-key", "tskey-", {{URL64, 20, 0}}, "auth-" FAKE20 "-" FAKE20, "FAKE"},
    {"onepassword-token", "ops_eyJ", {{ANY64, 60, 0}}, FAKE60 FAKE40, "FAKE"},
    /* code hosts and registries */
    {"github-token", "ghp_", {{ALNUM, 36, 0}}, FAKE36, FAKE20},
    {"github-token", "gho_", {{ALNUM, 36, 0}}, FAKE36, FAKE20},
    {"github-token", "ghu_", {{ALNUM, 36, 0}}, FAKE36, FAKE20},
    {"github-token", "ghs_", {{ALNUM, 36, 0}}, FAKE36, FAKE20},
    {"github-token",
     "ghs_",
     {{WORD, 16, 0}, DOT, {URL64, 16, 0}, DOT, {URL64, 16, 0}},
     "12345_eyJ" FAKE20 ".eyJ" FAKE20 "." FAKE20,
     "12345_"},
    {"github-token", "ghr_", {{ALNUM, 36, 0}}, FAKE36, FAKE20},
    {"github-token", "github_pat_", {{WORD, 40, 0}}, FAKE20 "_" FAKE60, FAKE20},
    {"gitlab-token", "glpat-", {{URL64, 20, 0}}, FAKE20, "xxxxxxxxxxxxxxxxxxxx"},
    {"gitlab-token",
     "glpat-",
     {{URL64, 20, 0}, DOT, {ALNUM, 2, 2}, DOT, {ALNUM, 6, 0}},
     FAKE40 ".01.120fake12",
     WORDS},
    {"gitlab-token", "gldt-", {{URL64, 20, 0}}, FAKE20, WORDS},
    {"gitlab-token", "glrt-", {{URL64, 20, 0}}, FAKE20, WORDS},
    {"gitlab-token", "glcbt-", {{URL64, 20, 0}}, FAKE20, WORDS},
    {"gitlab-token", "glptt-", {{HEX, 40, 0}}, HEX40, HEX32},
    {"gitlab-token", "glft-", {{URL64, 20, 0}}, FAKE20, WORDS},
    {"gitlab-token", "glsoat-", {{URL64, 20, 0}}, FAKE20, WORDS},
    {"gitlab-token", "GR1348941", {{URL64, 20, 0}}, FAKE20, "FAKE"},
    {"atlassian-token", "ATATT3", {{ANY64, 60, 0}}, FAKE60 FAKE60, "FAKE"},
    {"buildkite-token", "bkua_", {{HEX, 40, 0}}, HEX40, HEX32},
    {"npm-token", "npm_", {{ALNUM, 36, 0}}, FAKE36, "config_registry"},
    {"pypi-token", "pypi-AgE", {{URL64, 40, 0}}, FAKE60, "FAKE"},
    {"rubygems-token", "rubygems_", {{HEX, 48, 0}}, HEX64, HEX32},
    {"docker-token", "dckr_pat_", {{URL64, 24, 0}}, FAKE36, WORDS},
    {"docker-token", "dckr_oat_", {{URL64, 24, 0}}, FAKE36, WORDS},
    {"artifactory-token", "AKCp", {{ALNUM, 60, 0}}, FAKE60 FAKE20, "FAKE"},
    {"nuget-key", "oy2", {{LOWER, 43, 43}}, "fake0example1fake2example3fake4example5fake", "fake"},
    {"sonar-token", "sqp_", {{HEX, 40, 40}}, HEX40, HEX32},
    {"sonar-token", "squ_", {{HEX, 40, 40}}, HEX40, HEX32},
    {"sonar-token", "sqa_", {{HEX, 40, 40}}, HEX40, HEX32},
    /* models, search, agents */
    {"openai-key", "sk-proj-", {{URL64, 20, 0}}, FAKE60, WORDS},
    {"openai-key", "sk-svcacct-", {{URL64, 20, 0}}, FAKE60, WORDS},
    {"openai-key", "sk-admin-", {{URL64, 20, 0}}, FAKE60, WORDS},
    {"openai-key", "sk-", {{ALNUM, 32, 0}}, FAKE20 "T3BlbkFJ" FAKE20, FAKE20},
    {"anthropic-key", "sk-ant-", {{URL64, 24, 0}}, "api03-" FAKE60, WORDS},
    {"openrouter-key", "sk-or-", {{URL64, 32, 0}}, "v1-" HEX64, WORDS},
    {"langfuse-key", "sk-lf-", {{URL64, 32, 0}}, "01234567-89ab-4cde-8f01-23456789abcd", WORDS},
    {"langsmith-key", "lsv2_", {{WORD, 32, 0}}, "pt_" HEX32 "_0123456789", "FAKE"},
    {"huggingface-token", "hf_", {{ALNUM, 30, 0}}, FAKE36, "transfer"},
    {"huggingface-token", "api_org_", {{ALNUM, 30, 0}}, FAKE36, "members"},
    {"groq-key", "gsk_", {{ALNUM, 40, 0}}, FAKE60, "FAKE"},
    {"xai-key", "xai-", {{ALNUM, 60, 0}}, FAKE60 FAKE20, "grok"},
    {"replicate-token", "r8_", {{ALNUM, 32, 0}}, FAKE40, "FAKE"},
    {"perplexity-key", "pplx-", {{ALNUM, 40, 0}}, FAKE60, "70b-online"},
    {"firecrawl-key", "fc-", {{HEX, 32, 32}}, HEX32, HEX40},
    {"tavily-key", "tvly-", {{URL64, 20, 0}}, "dev-" FAKE36, WORDS},
    {"e2b-key", "e2b_", {{HEX, 40, 0}}, HEX40, HEX32},
    {"pinecone-key", "pcsk_", {{WORD, 50, 0}}, FAKE60 FAKE20, "FAKE"},
    /* talk and mail */
    {"slack-token", "xoxb-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxp-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxa-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxr-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxs-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxe-", {{URL64, 20, 0}}, "1-" FAKE36, WORDS},
    {"slack-token", "xoxc-", {{URL64, 20, 0}}, "123456789012-" FAKE36, WORDS},
    {"slack-token", "xoxd-", {{URL64, 20, 0}}, FAKE36, WORDS},
    {"slack-token", "xapp-", {{URL64, 20, 0}}, "1-A0FAKE-123456789012-" FAKE36, WORDS},
    {"slack-webhook", "hooks.slack.com/services/", {{PATH, 30, 0}}, "T0FAKE/B0FAKE/" FAKE20, "T0"},
    {"discord-webhook",
     "discord.com/api/webhooks/",
     {{PATH, 60, 0}},
     "123456789012345678/" FAKE60,
     "123456789012345678"},
    {"sendgrid-key", "SG.", {{URL64, 16, 32}, DOT, {URL64, 32, 0}}, FAKE20 "." FAKE40, FAKE20},
    {"mailgun-key", "key-", {{HEX, 32, 32}}, HEX32, HEX40},
    {"twilio-key", "SK", {{HEX, 32, 32}}, HEX32, HEX40},
    {"linear-key", "lin_api_", {{ALNUM, 32, 0}}, FAKE40, "FAKE"},
    {"notion-token", "ntn_", {{ALNUM, 40, 0}}, FAKE60, "FAKE"},
    {"notion-token", "secret_", {{ALNUM, 43, 43}}, FAKE40 "012", "manager"},
    /* payment, shops, watching */
    {"stripe-key", "sk_live_", {{ALNUM, 16, 0}}, FAKE36, "FAKE"},
    {"stripe-key", "sk_test_", {{ALNUM, 16, 0}}, FAKE36, "FAKE"},
    {"stripe-key", "rk_live_", {{ALNUM, 16, 0}}, FAKE36, "FAKE"},
    {"stripe-key", "rk_test_", {{ALNUM, 16, 0}}, FAKE36, "FAKE"},
    {"stripe-webhook-secret", "whsec_", {{ANY64, 24, 0}}, FAKE36, WORDS},
    {"shopify-token", "shpat_", {{ALNUM, 32, 0}}, HEX32, "FAKE"},
    {"shopify-token", "shpss_", {{ALNUM, 32, 0}}, HEX32, "FAKE"},
    {"shopify-token", "shpca_", {{ALNUM, 32, 0}}, HEX32, "FAKE"},
    {"shopify-token", "shppa_", {{ALNUM, 32, 0}}, HEX32, "FAKE"},
    {"grafana-token", "glsa_", {{WORD, 32, 0}}, FAKE36 "_01234567", "FAKE"},
    {"grafana-token", "glc_eyJ", {{ANY64, 32, 0}}, FAKE60, "FAKE"},
    {"sentry-token", "sntrys_", {{ANY64, 40, 0}}, FAKE60, "FAKE"},
    {"sentry-token", "sntryu_", {{HEX, 60, 0}}, HEX64, HEX32},
    {"newrelic-key", "NRAK-", {{UPPER, 27, 27}}, "FAKE0EXAMPLE1FAKE2EXAMPLE34", "FAKE"},
    {"postman-key", "PMAK-", {{URL64, 40, 0}}, HEX32 "-" HEX32, "FAKE"},
    /* any issuer */
    {"jwt",
     "eyJ",
     {{URL64, 12, 0}, DOT, {URL64, 10, 0}, DOT, {URL64, 16, 0}},
     "hbGciOiJIUzI1NiJ9.eyJGQUtFIjoiRVhBTVBMRSJ9." FAKE40,
     "hbGciOiJIUzI1NiJ9"},
    {"age-key",
     "AGE-SECRET-KEY-1",
     {{UPPER, 50, 0}},
     "FAKE0EXAMPLE1FAKE2EXAMPLE3FAKE4EXAMPLE5FAKE6EXAMPLE",
     "FAKE"},
};
const size_t st_tokens_n = sizeof st_tokens / sizeof st_tokens[0];

const struct st_token st_token_discord = {
    "discord-token",
    "",
    {{URL64, 23, 28}, DOT, {URL64, 6, 7}, DOT, {URL64, 27, 40}},
    "MTIzNDU2Nzg5MDEyMzQ1Njc4.FAKEex.FAKEexample0FAKE1234FAKEexample0",
    "MTIzNDU2Nzg5MDEyMzQ1Njc4.FAKE.FAKE"};

#define BODY_LOOK_MAX 512

/* Drawn at random a body has many different bytes, and is not written like words. */
static bool body_is_random(const char *body, size_t len)
{
	/* Enough to tell; a run is looked at once for each prefix in it. */
	if (len > BODY_LOOK_MAX)
		len = BODY_LOOK_MAX;
	bool seen[128] = {false};
	size_t different = 0;
	bool digit = false, upper = false, lower = false;
	for (size_t i = 0; i < len; i++) {
		unsigned c = (unsigned char)body[i] & 127u;
		different += !seen[c];
		seen[c] = true;
		digit |= st_char_is_digit(body[i]);
		lower |= body[i] >= 'a' && body[i] <= 'z';
		upper |= body[i] >= 'A' && body[i] <= 'Z';
	}
	return different >= 6 && digit + upper + lower >= 2;
}

bool st_token_match(const struct st_token *token, struct st_place *place, size_t at,
		    struct st_find *find)
{
	size_t prefix_len = strlen(token->prefix);
	if (place->end - at < prefix_len ||
	    memcmp(place->data + at, token->prefix, prefix_len) != 0 ||
	    !st_place_is_word_start(place, at))
		return false;
	size_t to = at + prefix_len;
	for (size_t i = 0; i < ST_TOKEN_PARTS_MAX && token->parts[i].min > 0; i++) {
		const struct st_token_part *part = &token->parts[i];
		size_t len = st_place_run_end(place, part->alphabet, to) - to;
		if (len < part->min || (part->max > 0 && len > part->max))
			return false;
		to += len;
	}
	if (to < place->end && token->parts[0].max > 0 && token->parts[1].min == 0 &&
	    st_char_is_alnum(place->data[to]))
		return false;
	if (!body_is_random(place->data + at + prefix_len, to - at - prefix_len))
		return false;
	*find = (struct st_find){.start = at, .end = to, .next = to, .rule = token->rule};
	return true;
}

bool st_token_match_telegram(struct st_place *place, size_t colon, struct st_find *find)
{
	size_t start = colon;
	while (start > place->begin && colon - start < 11 &&
	       st_char_is_digit(place->data[start - 1]))
		start--;
	/* In an address it is "/bot<token>/". */
	bool bot = start - place->begin >= 3 && memcmp(place->data + start - 3, "bot", 3) == 0;
	if (colon - start < 8 || colon - start > 10 ||
	    !(bot || st_place_is_word_start(place, start)))
		return false;
	size_t end = st_place_run_end(place, URL64, colon + 1);
	if (end - colon - 1 < 33 || end - colon - 1 > 37 ||
	    !body_is_random(place->data + colon + 1, end - colon - 1))
		return false;
	*find = (struct st_find){.start = start, .end = end, .next = end, .rule = "telegram-token"};
	return true;
}
