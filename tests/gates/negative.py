# SPDX-License-Identifier: Apache-2.0
"""Does a gate see the faults that it is there for?

Plants every fault of one gate, and one innocent file, in a temporary tree. The gate must end with 1
and name each fault with its reason, and must not name the innocent. Usage: negative.py GATE ROOT
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

import tree

HERE = os.path.dirname(os.path.abspath(__file__))
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"

# path: (text, what the gate must say about it); None: it must say nothing.
INCLUDES = {
    "schemas/innocent.h": ("#include <jansson.h>\n#include \"schemas/err.h\"\n", None),
    "schemas/plant_up.h": ('#include "budgets/ledger.h"\n', "schemas/ may not know budgets/"),
    "redact/plant_sibling.c": ('#include "budgets/ledger.h"\n', "redact/ may not know budgets/"),
    "steps/plant_uv.c": ("#include <uv.h>\n", "a pure file may not include <uv.h>"),
    "steps/plant_clock.c": ("#include <time.h>\n", "a pure file may not include <time.h>"),
    "steps/plant_sys.c": ("  #  include <sys/stat.h>\n", "a pure file may not include <sys/stat.h>"),
    "steps/plant_shell.c": ('#include "steps/io/innocent.h"\n', "may not know an io/ folder"),
    "steps/io/innocent.h": ("#include <uv.h>\n#include <time.h>\n", None),
    "steps/io/plant_store.c": ("#include <sqlite3.h>\n", "<sqlite3.h> has one owner"),
    "sandbox/io/innocent.c": ("#include <time.h>\nint st_clock = CLOCK_MONOTONIC;\n", None),
    "sandbox/io/plant_wall.c": ("#include <time.h>\nint st_clock = CLOCK_REALTIME;\n",
                                "only orchestrator/io/ asks what time it is"),
    "orchestrator/io/plant_curl.c": ("#include <curl/curl.h>\n", "<curl/curl.h> has one owner"),
    "sandbox/io/plant_git.c": ("#include <git2.h>\n", "<git2.h> has one owner"),
    "telemetry/plant_relative.c": ('#include "external.h"\n', "is not a path from the root"),
    "telemetry/plant_tests.c": ('#include "tests/fuzz/fuzz.h"\n', "is not part of the product"),
    "schemas/plant_alone.h": ("size_t st_plant_alone(void);\n", "does not compile alone"),
    "schemas/plant_posix.h": ("#include <stdio.h>\nint plant(struct timespec at);\n"
                              "static inline int n(FILE *f) { return fileno(f); }\n",
                              "does not compile alone"),
    "schemas/plant_own.h": ("int st_plant_own(void);\n", None),
    "schemas/plant_own.c": ('#include <stdio.h>\n#include "schemas/plant_own.h"\n',
                            "its own header"),
}
PURITY = {
    "schemas/innocent.c": ("#include <stdio.h>\nstatic int a(void) { return 1; }\n"
                           "int (*const st_table[])(void) = {a};\n"
                           "int st_f(char *o) { return snprintf(o, 2, \"%d\", st_table[0]()); }\n", None),
    "schemas/plant_time.c": ("#include <time.h>\nlong st_f(void) { return (long)time(NULL); }\n",
                             "calls time, which is not on the list"),
    "schemas/plant_heap.c": ("#include <stdlib.h>\nvoid *st_f(void) { return malloc(3); }\n",
                             "calls malloc, which is not on the list"),
    "schemas/plant_file.c": ("#include <jansson.h>\nint st_f(json_t *j) { return json_dump_file(j, \"a\", 0); }\n",
                             "calls json_dump_file"),
    "schemas/plant_chance.c": ("#include <sodium.h>\nvoid st_f(void *p) { randombytes_buf(p, 8); }\n",
                               "calls randombytes_buf"),
    "schemas/plant_global.c": ("int st_plant_global;\n", "keeps something between calls: st_plant_global"),
    "schemas/plant_data.c": ("int st_plant_data = 3;\n", "keeps something between calls: st_plant_data"),
    "schemas/plant_static.c": ("int st_f(void) { static int count; return count++; }\n",
                               "keeps something between calls: count"),
    "schemas/plant_thread.c": ("_Thread_local int st_plant_thread;\n",
                               "keeps something between calls: st_plant_thread"),
    "schemas/plant_reach.c": ("int st_shell_made(void);\nint st_f(void) { return st_shell_made(); }\n",
                              "calls the shell: st_shell_made"),
    "orchestrator/io/innocent.c": ("#include <time.h>\nint st_shell_made(void);\n"
                                   "int st_shell_made(void) { static int n; return n++ + (int)time(NULL); }\n",
                                   None),
    "steps/io/plant_clock.c": ("#include <time.h>\nlong st_f(void) { return (long)time(NULL); }\n",
                               "only orchestrator/io/ reads the clock"),
    "steps/io/plant_system.c": ("#include <stdlib.h>\nint st_f(void) { return system(\"true\"); }\n",
                                "calls system, which is banned"),
}
LAYERS = {
    "schemas/innocent.c": ("int st_plant_low(int a);\nint st_plant_high(void);\n"
                           "int st_plant_high(void) { return st_plant_low(1); }\n", None),
    "schemas/innocent_low.c": ("int st_plant_low(int a) { return a > 0 ? st_plant_low(a - 1) : 0; }\n", None),
    "steps/plant_two.c": ("int st_plant_b(void);\nint st_plant_a(void) { return st_plant_b(); }\n",
                          "uses st_plant_b of steps/plant_two_b.c"),
    "steps/plant_two_b.c": ("int st_plant_a(void);\nint st_plant_b(void) { return st_plant_a(); }\n",
                            "uses st_plant_a of steps/plant_two.c"),
    "redact/plant_first.c": ("extern const int st_plant_table[];\n"
                             "int st_plant_first(void) { return st_plant_table[0]; }\n", "in a circle of 3"),
    "redact/plant_second.c": ("int st_plant_third(void);\nextern const int st_plant_table[];\n"
                              "const int st_plant_table[] = {1};\n"
                              "int st_plant_second(void) { return st_plant_third(); }\n", "in a circle of 3"),
    "redact/plant_third.c": ("int st_plant_first(void);\nint st_plant_third(void) { return st_plant_first(); }\n",
                             "in a circle of 3"),
}
FORMAT = {
    "schemas/innocent.c": (SPDX + "int st_f(int a)\n{\n\treturn a;\n}\n", None),
    "schemas/plant_spaces.c": (SPDX + "int st_f(int a)\n{\n        return a;\n}\n", "laid out differently"),
    "tests/unit/plant_brace.c": (SPDX + "int st_f(int a) {\n\treturn a;\n}\n", "laid out differently"),
    "schemas/plant_pointer.h": (SPDX + "int st_f(int* a);\n", "laid out differently"),
}
SIZE = {
    "schemas/innocent.c": ("int st_f(int a, int (*b)(int, int), int c, int d, int e)\n{\n" + "\ta++;\n" * 55
                           + "\treturn a;\n}\n", None),
    "schemas/plant_long.c": ("int st_f(int a)\n{\n" + "\ta++;\n" * 60 + "\treturn a;\n}\n",
                             "st_f has 64 lines"),
    "schemas/plant_parameters.h": ("int st_f(int a, int b, int c,\n\t int d, int e, int f);\n",
                                   "st_f takes 6"),
    "schemas/plant_static.c": ("static int g(int a, int b, int c, int d, int e, int f)\n{\n\treturn a;\n}\n",
                               "g takes 6"),
    "schemas/plant_file.c": ("int a;\n" * 601, "601 lines"),
    "schemas/innocent_table.c": ("static int g(int a, int b, int c, int d, int e, int f)\n{\n\treturn a;\n}\n"
                                 "const struct t t = {.plan = g};\n", None),
}
WORDS = {
    "schemas/innocent.c": (SPDX + '/* XXXXXX is for mkstemp. */\nchar st_p[] = "/tmp/a-XXXXXX";\n', None),
    "schemas/plant_todo.c": (SPDX + "/* TO" "DO: later */\n", "unfinished"),
    "schemas/plant_fixme.h": (SPDX + "/* FIX" "ME */\n", "unfinished"),
    "docs/plant.md": ("see /ro" "ot/notes.txt\n", "a path of one machine"),
    "tests/plant.py": ("# SPDX-License-Identifier: Apache-2.0\nA = '/wo" "rk/shared'\n",
                       "a path of one machine"),
    "schemas/plant_licence.c": ("int st_a;\n", "the licence line is missing"),
    "schemas/plant_space.c": (SPDX + "int st_a; \n", "white space at the end"),
    "schemas/plant_slashes.c": (SPDX + "// int st_a;\n", "comments are"),
    "schemas/plant_assert.c": (SPDX + "void st_f(void)\n{\n\tassert(!" '"why");\n}\n', "clang refuses it"),
    "schemas/plant_end.c": (SPDX + "int st_a;", "does not end with a new line"),
    "docs/plant_merge.md": ("<<<<" "<<< HEAD\n", "a merge conflict"),
}
TIDY = {
    "schemas/innocent.c": (SPDX + "int st_f(int a);\nint st_f(int a)\n{\n\treturn a;\n}\n", None),
    "schemas/plant_null.c": ("int st_f(int a);\nint st_f(int a)\n{\n\tint *p = 0;\n\tif (a > 1) {\n\t\tp = &a;\n"
                             "\t}\n\treturn *p;\n}\n", "NullDereference"),
    "schemas/plant_recursion.c": ("int st_f(int a);\nint st_f(int a)\n{\n\treturn a > 0 ? st_f(a - 1) : 0;\n}\n",
                                  "misc-no-recursion"),
    "schemas/plant_unchecked.c": ("#include <stdio.h>\nvoid st_f(FILE *f);\nvoid st_f(FILE *f)\n{\n\tfclose(f);\n}\n",
                                  "cert-err33-c"),
    "schemas/plant_leak.c": ("#include <stdlib.h>\nint st_f(void);\nint st_f(void)\n{\n\tint *p = malloc(4);\n"
                             "\treturn p == 0;\n}\n", "unix.Malloc"),
}
# For the compiler itself: (flags, text), and whether it must refuse.
PURE = ["-DST_PURE", "-std=c11"]
SHELL = ["-D_GNU_SOURCE", "-std=c11"]
COMPILE = (
    (PURE, "#include <sodium.h>\n#include <jansson.h>\n#define PCRE2_CODE_UNIT_WIDTH 8\n#include <pcre2.h>\nint st_a;",
     False),
    (PURE, "#include <string.h>\nunsigned long st_f(char *a) { return strlen(a); }", False),
    (PURE, "#include <string.h>\nchar *st_f(char *a, char *b) { return strcpy(a, b); }", True),
    (PURE, "#include <stdlib.h>\nvoid *st_f(void) { return malloc(1); }", True),
    (PURE, "#include <stdlib.h>\nchar *st_f(void) { return getenv(\"A\"); }", True),
    (PURE, "#include <time.h>\nint st_f(struct timespec *t) { return clock_gettime(CLOCK_REALTIME, t); }", True),
    ([*PURE, "-DNDEBUG"], "int st_a;", True),
    ([*PURE, "-DST_OWNS_HEAP"], "void *st_f(void) { return malloc(1); }", False),
    (SHELL, "#include <uv.h>\n#include <sqlite3.h>\n#include <curl/curl.h>\n#include <git2.h>\n#include <alloca.h>\n"
            "#include <pthread.h>\n#include <sys/wait.h>\n#include <jansson.h>\nint st_a;", False),
    (SHELL, "#include <stdio.h>\nint st_f(char *a) { return sprintf(a, \"b\"); }", True),
    (SHELL, "#include <alloca.h>\nvoid *st_f(void) { return alloca(8); }", True),
    (SHELL, "int st_f(char *a) { return atoi(a); }", True),
)


def plant(root, faults):
    for path, (text, _) in faults.items():
        whole = os.path.join(root, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "w", encoding="utf-8") as file:
            file.write(text)


def run_gate(gate, arguments):
    done = subprocess.run([sys.executable, os.path.join(HERE, f"gate_{gate}.py"), *arguments],
                          capture_output=True, text=True, check=False)
    print(done.stdout + done.stderr)
    return done.returncode, done.stdout


def missed(faults, code, said):
    """What the gate should have said and did not, or said and should not have."""
    if code == 77:
        sys.exit(77)
    wrong = [] if code == 1 else [f"the gate ended with {code}, not 1"]
    for path, (_, reason) in faults.items():
        lines = said.splitlines()
        if reason is None and any(line.startswith(path + ":") for line in lines):
            wrong.append(f"{path} is innocent but was named")
        if reason is not None and not any(path in line and reason in line for line in lines):
            wrong.append(f"{path} was not refused with: {reason}")
    return wrong


def over_tree(gate, root, faults):
    """The gates that read sources: over a copy of the product with the faults in it."""
    with tempfile.TemporaryDirectory() as copy:
        if gate == "includes":
            for path in tree.product(root, (".h",)):
                os.makedirs(os.path.dirname(os.path.join(copy, path)), exist_ok=True)
                shutil.copy(os.path.join(root, path), os.path.join(copy, path))
        shutil.copy(os.path.join(root, ".clang-format"), copy)
        plant(copy, faults)
        return missed(faults, *run_gate(gate, [copy]))


def over_objects(gate, faults):
    with tempfile.TemporaryDirectory() as copy:
        plant(copy, faults)
        objects = {True: [], False: []}
        for path in faults:
            made = os.path.join(copy, "plant.dir", path + ".o")
            os.makedirs(os.path.dirname(made), exist_ok=True)
            subprocess.run(["gcc", "-std=gnu11", "-fPIC", "-O0", "-c", path, "-o", made], cwd=copy, check=True)
            objects[tree.is_pure(path)].append(made)
        arguments = [*objects[True], "--", *objects[False]] if gate == "purity" else objects[True]
        return missed(faults, *run_gate(gate, arguments))


def over_commands(root, faults):
    with tempfile.TemporaryDirectory() as copy:
        plant(copy, faults)
        shutil.copy(os.path.join(root, ".clang-tidy"), copy)
        commands = [{"directory": copy, "file": os.path.join(copy, path),
                     "command": f"cc -std=c11 -o {path}.o -c {os.path.join(copy, path)}"} for path in faults]
        with open(os.path.join(copy, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump(commands, file)
        return missed(faults, *run_gate("tidy", [copy, copy]))


def over_compilers(root):
    wrong = []
    libraries = subprocess.run(["pkg-config", "--cflags", "libuv", "sqlite3", "libcurl", "libgit2", "jansson"],
                               check=True, capture_output=True, text=True).stdout.split()
    ban = ["-include", os.path.join(root, "schemas/banned.h")]
    for compiler in ("gcc", "clang"):
        for flags, text, refuse in COMPILE:
            command = [compiler, "-Werror", "-Wall", *flags, *libraries, *ban, "-fsyntax-only", "-x", "c", "-"]
            done = subprocess.run(command, input=text + "\n", capture_output=True, text=True, check=False)
            if (done.returncode != 0) != refuse:
                wrong.append(f"{compiler} {'took' if refuse else 'refused'}:\n{text}\n{done.stderr}")
    return wrong


def main(gate, root):
    if gate == "compile":
        wrong = over_compilers(root)
    elif gate in ("purity", "layers"):
        wrong = over_objects(gate, {"purity": PURITY, "layers": LAYERS}[gate])
    elif gate == "tidy":
        wrong = over_commands(root, TIDY)
    else:
        wrong = over_tree(gate, root, {"includes": INCLUDES, "format": FORMAT, "size": SIZE,
                                       "words": WORDS}[gate])
    for line in wrong:
        print(f"MISSED: {line}")
    sys.exit(1 if wrong else 0)


main(sys.argv[1], os.path.abspath(sys.argv[2]))
