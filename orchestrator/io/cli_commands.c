/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of commands: parser, help, manual and completions come out of it. */
#include <stddef.h>

#include "orchestrator/io/cli.h"

const struct st_option st_common_options[] = {
    {"json", NULL, "print JSON for scripts", NULL, 0},
    {"help", NULL, "explain this command", NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

#define STORE_OPTION                                                                               \
	{                                                                                          \
		"store", "URI", "the store (sqlite:PATH)", "STINT_STORE", 0                        \
	}
#define CONFIG_OPTION                                                                              \
	{                                                                                          \
		"config", "FILE", "the operator's config", "STINT_CONFIG", 0                       \
	}
#define CONFIG_OPTION                                                                              \
	{                                                                                          \
		"config", "FILE", "the operator's config", "STINT_CONFIG", 0                       \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL, NULL, 0                                                          \
	}

static const struct st_option init_options[] = {STORE_OPTION, END};

static const struct st_option serve_options[] = {
    STORE_OPTION,
    CONFIG_OPTION,
    {"listen", "ADDR", "127.0.0.1:PORT (0: any) or unix:PATH; default 127.0.0.1:7420", NULL, 0},
    {"record", "FILE", "add every provider's answer to this cassette", NULL, 0},
    END,
};

static const struct st_option run_options[] = {
    STORE_OPTION,
    CONFIG_OPTION,
    {"param", "NAME=VALUE", "set a param of the definition (JSON, else text)", NULL,
     ST_OPTION_REPEATED},
    {"record", "FILE", "add every provider's answer to this cassette", NULL, 0},
    {"no-input", NULL, "never ask, even on a terminal: exit 3 at a halt", NULL, 0},
    END,
};

const struct st_command st_commands[] = {
    {"init", "[--store URI]", "make an empty store and its first admin token",
     "Prints {\"store\":…,\"token\":…} once; the token is not stored, only its hash. Refuses when "
     "something is there already.",
     "stint init --store sqlite:stint.db", 0, 0, init_options, st_cli_init},
    {"serve", "[--store URI] [--listen ADDR] [--config FILE]", "run the daemon",
     "Prints one line of JSON when it is ready. SIGTERM drains: no new call, calls in flight get "
     "20 seconds to end, exit 0; a second signal ends it at once.",
     "stint serve --store sqlite:stint.db --listen 127.0.0.1:7420", 0, 0, serve_options,
     st_cli_serve},
    {"run", "FILE|- [--store URI] [--config FILE] [--param NAME=VALUE]…",
     "run a definition in the foreground",
     "Makes the store when it is missing. Without --store the runs of this user are kept in "
     "$XDG_STATE_HOME/stint/runs.db. On a terminal it shows progress and asks at a halt; "
     "elsewhere it exits with 3 at a halt, and `stint approve RUN` goes on from there.",
     "stint run survey.json --param topic=pgbouncer", 1, 1, run_options, st_cli_run},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};
