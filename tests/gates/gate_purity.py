# SPDX-License-Identifier: Apache-2.0
"""Does pure code call only pure functions, and keep nothing between calls?

Reads the symbols of the compiled objects. Usage: gate_purity.py PURE.o... -- SHELL.o...
"""
import re
import subprocess
import sys

import tree

# Functions whose answer depends on nothing but what they are given.
ALLOWED = re.compile(r"""^(?:
    _GLOBAL_OFFSET_TABLE_ | __assert_fail | __stack_chk_fail | __errno_location | abort
  | mem(?:cpy|move|set|cmp|chr) | __mem(?:cpy|move|set)_chk
  | str(?:len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk) | bcmp | rawmemchr
  | v?snprintf | __v?snprintf_chk
  | (?:__isoc23_)?strto(?:l|ll|ul|ull|imax|umax|d) | qsort | bsearch
  | __ctype_b_loc | __ctype_tolower_loc | __ctype_toupper_loc | tolower | toupper
  | is(?:alnum|alpha|digit|xdigit|lower|upper|space|print|punct|cntrl|graph)
  | __(?:u?div|u?mod|mul)(?:ti|di)3 | __muloti4 | __udivmodti4 | __popcountdi2
  | json_\w+ | pcre2_\w+_8 | sodium_(?:mem(?:cmp|zero)|bin2\w+|hex2bin|base64\w*|increment|add|is_zero|compare)
  | crypto_(?:aead|auth|generichash|hash|secretbox|shorthash|stream|kdf|verify|onetimeauth|sign)\w*
)$""", re.VERBOSE)
# Library functions that look pure by name but touch files, global state or chance.
REFUSED = re.compile(r"^(?:json_\w*(?:dumpf|dumpfd|dump_file|loadf|loadfd|load_file)"
                     r"|json_(?:object_seed|set_alloc_funcs2?)|crypto_\w*(?:keygen|keypair)|"
                     r"crypto_secretstream\w*push)$")
HEAP = {"malloc", "calloc", "realloc", "free", "fprintf", "__fprintf_chk", "fwrite", "stderr",
        "sodium_init", "sodium_malloc", "sodium_free"}
HEAP_OWNER = re.compile(r"schemas/mem\.c\.o$")
# Sections that can be written while the program runs; .data.rel.ro cannot.
WRITABLE = re.compile(r"^(?:\.(?:data|bss|tdata|tbss)(?!\.rel\.ro)(?:\..*)?|\*COM\*)$")
# Bounds that cannot be kept; and what only one part of the shell may do.
SHELL_REFUSED = re.compile(r"^(?:system|popen|rand|srand|random|gets|tmpnam|mktemp|(?:__)?strcpy(?:_chk)?"
                           r"|(?:__)?strcat(?:_chk)?|(?:__)?v?sprintf(?:_chk)?|setenv|putenv)$")
# How long something took may be measured anywhere in the shell, so clock_gettime is judged by which
# clock it asks: see gate_includes.py.
CLOCK = re.compile(r"^(?:gettimeofday|time|timespec_get|uv_clock_gettime"
                   r"|uv_gettimeofday|getrandom|getentropy|uv_random|randombytes_\w+)$")


def symbols(path):
    """(name, type letter, section) of each symbol."""
    done = subprocess.run(["nm", "--format=sysv", path], check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield fields[0], fields[2], fields[6]


def short(path):
    return re.sub(r"^.*\.dir/(?:\./)?(.*)\.o$", r"\1", path)


def check_pure(path, shell_made):
    found = []
    for name, kind, section in symbols(path):
        if kind not in ("U", "w") and WRITABLE.match(section):
            found.append(f"{short(path)}: keeps something between calls: {name} in {section}")
        if kind not in ("U", "w"):
            continue
        if name in HEAP and HEAP_OWNER.search(path):
            continue
        if name.startswith("st_"):
            if name in shell_made:
                found.append(f"{short(path)}: calls the shell: {name} of {shell_made[name]}")
        elif not ALLOWED.match(name) or REFUSED.match(name):
            found.append(f"{short(path)}: calls {name}, which is not on the list of pure functions")
    return found


def check_shell(path):
    found = []
    for name, kind, _ in symbols(path):
        if kind == "U" and SHELL_REFUSED.match(name):
            found.append(f"{short(path)}: calls {name}, which is banned")
        if kind == "U" and CLOCK.match(name) and not short(path).startswith("orchestrator/io/"):
            found.append(f"{short(path)}: calls {name}: only orchestrator/io/ reads the clock or chance")
    return found


def main(arguments):
    split = arguments.index("--")
    objects = [[path for path in part if path.endswith(".o")]
               for part in (arguments[:split], arguments[split + 1:])]
    pure, shell = objects
    shell_made = {name: short(path) for path in shell for name, kind, _ in symbols(path)
                  if kind.isupper() and kind != "U"}
    found = [line for path in pure for line in check_pure(path, shell_made)]
    found += [line for path in shell for line in check_shell(path)]
    tree.report(found, len(pure))


main(sys.argv[1:])
