# SPDX-License-Identifier: Apache-2.0
"""Bad inputs from the operator: prices, config, clock, store, command line (B79, B80, B82 to B84).

A row is a command in a fresh place. After each: it ended by itself, not by a signal; what it says is
short, begins with "stint: " and holds no escape codes; the store is byte for byte what it was.
"""
import glob
import hashlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time

import table
from table import lib

DONE, FAILED, USAGE, HALTED, REFUSED, UNREACHABLE = range(6)
GOOD = json.dumps(lib.definition())
ROWS = []


class Cli:
    """A row: what is prepared, which command, which exit codes, what has to be said."""

    def __init__(self, id_, what, argv, expect, says="", prepare=None, stdin=None, env=None, stored=False, **more):
        self.id, self.what, self.argv, self.expect, self.says = id_, what, argv, expect, says
        self.prepare, self.stdin, self.env, self.stored, self.more = prepare, stdin, env or {}, stored, more


def cli(*row, **more):
    ROWS.append(Cli(*row, **more))


def serve(id_, what, expect, says="", **more):
    cli(id_, what, ["serve", "--store", "STORE", "--config", "@config.json", "--listen", "127.0.0.1:0"], expect, says, **more)


def config(id_, what, text, says, expect=(USAGE,)):
    """The daemon does not start with it, and a check does not pass."""
    body = text if isinstance(text, str) else json.dumps(text)
    for argv in (["serve", "--store", "STORE", "--config", "@config.json", "--listen", "127.0.0.1:0"],
                 ["check", "@good.json", "--config", "@config.json"]):
        cli(id_, f"{what}, {argv[0]}", argv, expect, says, prepare=lambda place: place.write("config.json", body))


# ---- B79: prices

def price(**more):
    return {"providers": {"p": {"api": "openai", "base_url": "http://127.0.0.1:1/v1"}}, "prices": {"p/m": more}}


for value in ("-1", "", "1e3", "NaN", ".5", "1.0000000001", "9" * 40, -1, 1.5, None, True, [], {}, "1,0", " 1", "$1"):
    config("B79", f"a price of {value!r}"[:60], price(input_usd_per_million=value), "/prices/p~1m/input_usd_per_million")
config("B79", "a price by an unknown unit", price(usd="1"), "/prices/p~1m/usd")
config("B79", "a model twice", '{"prices":{"p/m":{"request_usd":"1"},"p/m":{"request_usd":"0"}}}', "p/m")
config("B79", "a model without a name", {"prices": {"": {"request_usd": "1"}}}, "/prices")
config("B79", "10,001 prices", {"prices": {f"p/{i}": {"request_usd": "1"} for i in range(10001)}}, "/prices")
config("B79", "10^18 dollars", price(input_usd_per_million="1000000000000000000"), "/prices")
cli("B79", "a model without a price under a cost budget", ["run", "@d.json", "--store", "STORE", "--config", "@config.json", "--no-input"],
    (FAILED, HALTED, USAGE), "price", stored=True, prepare=lambda place: (
        place.write("config.json", {"providers": {"p": {"api": "openai", "base_url": "https://h.invalid/v1"}}}),
        place.write("d.json", lib.definition({"id": "a", "uses": "model.generate", "retry": {"attempts": 1}, "with": {
            "model": "p/m", "prompt": "x"}}))))

# ---- B80: the config and what it points at

config("B80", "an unknown field", {"provider": {}}, "provider")
config("B80", "an unknown field of a provider", {"providers": {"p": {"api": "openai", "keys": "x"}}}, "/providers/p/keys")
config("B80", "a wrong type", {"providers": []}, "/providers")
config("B80", "an unknown dialect", {"providers": {"p": {"api": "bard"}}}, "/providers/p/api")
config("B80", "no JSON", "{", "")
config("B80", "an array", "[]", "")
config("B80", "nothing", "", "")
config("B80", "a key twice", '{"limits":{},"limits":{}}', "limits")
config("B80", "a literal key", {"providers": {"p": {"api": "openai", "key": "sk-live-1234567890"}}}, "/providers/p/key")
config("B80", "a literal secret", {"secrets": {"S": "hunter2"}}, "/secrets/S")
config("B80", "a key in the URL", {"providers": {"p": {"api": "openai", "base_url": "https://u:pw@h.test"}}}, "/providers/p/base_url")
for url in ("", "ftp://h.test", "h.test", "file:///etc/passwd", "http://h.test/a b", "https://h.test?x", "https://", "https://h.test\n",
            "https://" + "h" * 5000, "https://h.test#x", "http://h.test\\x"):
    config("B80", f"a base URL {url[:20]!r}", {"providers": {"p": {"api": "openai", "base_url": url}}}, "/providers/p/base_url")
for allow in ("", "x", "10.0.0.0/33:1", "10.0.0.1/8:1", "0.0.0.0/0:0", "10.0.0.0/8:65536", "10.0.0.0/-1:1",
              "[::1]/129:1", "[::1/128:1", "10.0.0.0/8:1:2", "10.0.0.0/8:+1", "1.2.3.4.5/32:1", "0x7f.1/32:80", "10.0.0.0/08:1"):
    config("B80", f"an allowance {allow!r}", {"outgoing": {"allow": [allow]}}, "/outgoing/allow")
for folder in ("/", "relative", "/a/../b", "/a/", "", "/.."):
    config("B80", f"a workdir {folder!r}", {"sandbox": {"workdirs": [folder]}}, "/sandbox/workdirs")
config("B80", "no calls at all", {"limits": {"calls": 0}}, "/limits/calls")
config("B80", "a limit as text", {"limits": {"calls": "5"}}, "/limits/calls")
config("B80", "a default below zero", {"defaults": {"research": {"tokens": -1}}}, "/defaults/research/tokens")
config("B80", "a reference to a place that is none", {"secrets": {"S": "file:relative"}}, "/secrets/S")


def with_mode(mode):
    def prepare(place):
        os.chmod(place.write("config.json", {}), mode)
    return prepare


def secret_file(make):
    def prepare(place):
        make(place)
        place.write("config.json", {"secrets": {"S": "file:" + place.path("secret")}})
    return prepare


serve("B80", "a config that others can write", (USAGE, REFUSED), "config.json", prepare=with_mode(0o666))
serve("B80", "a config that the group can write", (USAGE, REFUSED), "config.json", prepare=with_mode(0o620))
serve("B80", "a config that is a directory", (USAGE, REFUSED), "config.json", prepare=lambda place: os.mkdir(place.path("config.json")))
serve("B80", "a config that is not there", (USAGE,), "config.json", prepare=lambda place: None)
serve("B80", "a config that is a device", (USAGE, REFUSED), "config.json", prepare=lambda place: os.symlink("/dev/zero", place.path("config.json")))
serve("B80", "a config that is a pipe", (USAGE, REFUSED), "config.json", prepare=lambda place: os.mkfifo(place.path("config.json"), 0o600))
serve("B80", "a config of 2 MiB", (USAGE,), "config.json", prepare=lambda place: place.write("config.json", '{"description":"' + "x" * 2**21 + '"}'))
serve("B80", "a config that is a link in a circle", (USAGE,), "config.json",
      prepare=lambda place: os.symlink("config.json", place.path("config.json")))
READS_SECRET = ["run", "@secret.json", "--store", "STORE", "--config", "@config.json", "--no-input"]
for what, made in (
        ("others can read", lambda place: os.chmod(place.write("secret", "s3cret-value-xyz"), 0o644)),
        ("is a link", lambda place: (place.write("real", "s3cret-value-xyz"), os.symlink("real", place.path("secret")))),
        ("is a directory", lambda place: os.mkdir(place.path("secret"))), ("is not there", lambda place: None),
        ("is empty", lambda place: place.write("secret", "")), ("is a pipe", lambda place: os.mkfifo(place.path("secret"), 0o600)),
        ("is a device", lambda place: os.symlink("/dev/zero", place.path("secret"))),
        ("holds a newline in its middle", lambda place: place.write("secret", "s3cret\r\nX: y")),
        ("holds 10 MiB", lambda place: place.write("secret", "x" * 10 * 2**20))):
    cli("B80", f"a secret file that {what}", READS_SECRET, (DONE, FAILED, HALTED, USAGE, REFUSED, UNREACHABLE) if "newline" in what else
        (FAILED, HALTED, USAGE, REFUSED, UNREACHABLE), "", stored=True, prepare=secret_file(made))

# ---- B82: the clock

FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


def clock(when):
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": when, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def used(place):
    assert place.stint("run", place.path("good.json"), "--store", place.store).returncode == 0


if FAKETIME is not None and not table.is_sanitized():
    for when in ("@1970-01-02 00:00:00", "-3d", "@2000-01-01 00:00:00"):
        cli("B82", f"a start at {when}", ["serve", "--store", "STORE", "--listen", "127.0.0.1:0"], (USAGE,), "clock", prepare=used, env=clock(when))
        cli("B82", f"a run at {when}", ["run", "@good.json", "--store", "STORE"], (USAGE,), "clock", prepare=used, env=clock(when))
    cli("B82", "a run in 2040", ["run", "@good.json", "--store", "STORE"], (DONE,), "", prepare=used, env=clock("@2040-01-01 00:00:00"), stored=True)
    cli("B82", "an empty store in 1970", ["init", "--store", "NEW"], (DONE, USAGE), "", env=clock("@1970-01-02 00:00:00"), stored=True)
else:
    print("     B82 skipped: no libfaketime, or a sanitized build, which it does not go with")

# ---- B83: the store


def file_of(place):
    return place.path("stint.db")


def other_wal(place):
    with lib.Place() as other:
        other.init()
        connection = sqlite3.connect(file_of(other))
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE x (y)")
        connection.commit()
        shutil.copy(file_of(other) + "-wal", file_of(place) + "-wal")
        connection.close()


def sql(text):
    def prepare(place):
        connection = sqlite3.connect(file_of(place))
        connection.executescript(text)
        connection.commit()
        connection.close()
    return prepare


def bytes_at(offset, data, truncate=None):
    def prepare(place):
        with open(file_of(place), "r+b") as file:
            file.seek(offset)
            file.write(data)
            if truncate is not None:
                file.truncate(truncate)
    return prepare


SERVE = ["serve", "--store", "STORE", "--listen", "127.0.0.1:0"]
STORES = (
    ("0 bytes", bytes_at(0, b"", 0), (USAGE, UNREACHABLE)), ("random bytes", bytes_at(0, os.urandom(8192), 8192), (UNREACHABLE,)),
    ("a text", bytes_at(0, b"hello\n", 6), (UNREACHABLE, USAGE)), ("half of it", lambda place: os.truncate(file_of(place), 8192), (UNREACHABLE,)),
    ("no header", bytes_at(0, bytes(100)), (UNREACHABLE,)), ("a damaged page", bytes_at(4096, b"\xff" * 4096), (UNREACHABLE,)),
    ("not there", lambda place: os.unlink(file_of(place)), (USAGE, UNREACHABLE)),
    ("another program's", lambda place: (os.unlink(file_of(place)), sql("CREATE TABLE a (b); PRAGMA user_version=1")(place)), (UNREACHABLE, USAGE)),
    ("of a newer stint", sql("PRAGMA user_version=9999"), (UNREACHABLE, USAGE)),
    ("of another application", sql("PRAGMA application_id=1"), (UNREACHABLE, USAGE)),
    ("with a trigger added", sql("CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM event; END"), (UNREACHABLE, USAGE)),
    ("with a table dropped", sql("PRAGMA foreign_keys=0; DROP TABLE event"), (UNREACHABLE, USAGE)),
    ("with a log of another", other_wal, (DONE, UNREACHABLE, USAGE)),
    ("a directory", lambda place: (os.unlink(file_of(place)), os.mkdir(file_of(place))), (UNREACHABLE, USAGE)),
    ("a device", lambda place: (os.unlink(file_of(place)), os.symlink("/dev/null", file_of(place))), (UNREACHABLE, USAGE, REFUSED)),
    ("a pipe", lambda place: (os.unlink(file_of(place)), os.mkfifo(file_of(place))), (UNREACHABLE, USAGE, REFUSED)),
    ("its key gone", lambda place: os.unlink(file_of(place) + ".key"), (UNREACHABLE, USAGE, REFUSED)),
    ("another key", lambda place: open(file_of(place) + ".key", "wb").write(os.urandom(32)), (UNREACHABLE, USAGE, REFUSED)),
    ("a short key", lambda place: os.truncate(file_of(place) + ".key", 5), (UNREACHABLE, USAGE, REFUSED)),
    ("a key that all can read", lambda place: os.chmod(file_of(place) + ".key", 0o644), (UNREACHABLE, USAGE, REFUSED)),
)
for what, prepare, codes in STORES:
    cli("B83", f"{what}: serve", SERVE, codes, "", prepare=prepare)
    cli("B83", f"{what}: list", ["list", "--store", "STORE"], (DONE, *codes), "", prepare=prepare)
cli("B83", "the disk is full: run", ["run", "@good.json", "--store", "STORE"], (UNREACHABLE,), "", stored=True, limit=4096)
for uri in ("", "sqlite:", "mysql://h/x", "postgresql://h.invalid/x", "sqlite:/nonexistent/x.db", "/etc/passwd", "sqlite:" + "x" * 5000,
            "sqlite:/proc/self/mem", "sqlite:a\nb"):
    cli("B83", f"the store {uri[:30]!r}", ["list", "--store", uri], (USAGE, UNREACHABLE))

# ---- B84: the command line

HUGE = "x" * 100 * 1024
HOLE = ("/dev/zero", "@folder", "-nothing", "", HUGE, "/proc/self/mem", "/dev/null", "@missing", "@binary", "@unreadable\n")


def files(place):
    os.mkdir(place.path("folder"))
    with open(place.path("binary"), "wb") as file:
        file.write(os.urandom(4096))


for argv in (["list", "--limit=--x", "--store", "STORE"], ["list", "--limit", "0"], ["list", "--limit", "501"], ["list", "--limit", "5x"],
             ["list", "--limit="], ["list", "--limit", "-1"], ["list", "--limit", "99999999999999999999"], ["list", "--" + HUGE], [HUGE],
             ["list", "--json=yes"], ["list", "--state", "a", "--state", "b"], ["list", "extra"], ["show"], [""], ["--"], ["-"],
             ["check", "@good.json", "--param", HUGE], ["check", "@good.json", "--param", "=x"], ["check", "@good.json", "--param", "a=1"],
             ["check", "@good.json", *[word for n in range(300) for word in ("--param", f"p{n}=1")]],
             ["approve", "last", "--grant", "tokens=-1", "--store", "STORE"], ["approve", "last", "--grant", "tokens=1.5", "--store", "STORE"],
             ["approve", "last", "--grant", "tokens=9223372036854775808", "--store", "STORE"], ["approve", "last", "--grant", HUGE, "--store", "STORE"],
             ["approve", "last", "--grant", "x=1", "--store", "STORE"], ["token", "create", "--role", "owner", "--store", "STORE"],
             ["token", "create", "--role", "viewer", "--name", "a\nb", "--store", "STORE"], ["serve", "--listen", "x", "--store", "STORE"],
             ["serve", "--listen", "127.0.0.1:65536", "--store", "STORE"], ["serve", "--listen", "unix:" + "x" * 200, "--store", "STORE"],
             ["serve", "--listen", "unix:", "--store", "STORE"], ["serve", "--listen", "example.org:80", "--store", "STORE"],
             ["export", "--run", "x", "--store", "STORE"], ["usage", "--from", "2027-02-29T00:00:00Z", "--store", "STORE"]):
    cli("B84", " ".join(argv)[:50], argv, (USAGE, UNREACHABLE) if argv[0] == "serve" else (USAGE,))
for run in (HUGE, "r_", "last\n", "../x", "'; DROP TABLE run;--", "\u202elast", "-1", "r_01890000-0000-7000-8000-000000000000"):
    cli("B84", f"show {run[:30]!r}", ["show", run, "--store", "STORE"], (USAGE, UNREACHABLE))
for path in HOLE:
    cli("B84", f"check {path[:30]!r}", ["check", path], (USAGE, UNREACHABLE), prepare=files)
    cli("B84", f"run {path[:30]!r}", ["run", path, "--store", "STORE"], (USAGE, UNREACHABLE), prepare=files)
for text in ("", "\xff\xfe", '{"a":1,"a":2}', "[" * 100000, "x" * 2**21, "\0"):
    cli("B84", f"stdin {text[:10]!r}", ["check", "-"], (USAGE,), stdin=text.encode("latin-1"))
cli("B84", "a directory that nobody may read", ["check", "@folder/x"], (USAGE, UNREACHABLE), prepare=lambda place: os.mkdir(place.path("folder"), 0))
for columns in ("1", "0", "-1", "x", "99999999999", ""):
    for command in (["list", "--store", "STORE"], ["help"]):
        cli("B84", f"COLUMNS={columns}, {command[0]}", command, (DONE,), env={"COLUMNS": columns}, prepare=used)
for name in ("HOME", "XDG_STATE_HOME", "PATH", "TERM", "LANG", "LC_ALL", "NO_COLOR", "STINT_STORE", "STINT_URL", "STINT_TOKEN"):
    for value in ("", "\n", "x" * 50000, "/nonexistent", "\x1b[31m"):
        cli("B84", f"{name}={value[:14]!r}", ["list"], (DONE, USAGE, REFUSED, UNREACHABLE), env={name: value}, prepare=used)
cli("B84", "no environment at all", ["list"], (USAGE,), "--store", env=None, bare=True)
for url in ("", "x", "http://", "http://127.0.0.1:1", "http://127.0.0.1:99999", "https://h.invalid", "unix:/nonexistent", "unix:",
            "http://u:p@127.0.0.1:1", "http://127.0.0.1:1/\r\nX: y", "file:///etc/passwd", "http://" + "h" * 5000):
    cli("B84", f"--url {url[:30]!r}", ["list", "--url", url, "--token", "x"], (USAGE, UNREACHABLE))
for token in ("", "a\r\nX: y", "x" * 100000, "\xff", "caf\xe9"):
    cli("B84", f"--token {token[:10]!r}", ["list", "--url", "http://127.0.0.1:1", "--token", token], (USAGE, REFUSED, UNREACHABLE))
cli("B84", "closed output", ["list", "--store", "STORE"], (FAILED, UNREACHABLE), closed=1)
cli("B84", "closed output of a run", ["run", "@good.json", "--store", "STORE"], (FAILED, UNREACHABLE), closed=1, stored=True)
cli("B84", "closed input of a run", ["run", "@good.json", "--store", "STORE"], (DONE,), closed=0, stored=True)
cli("B84", "closed errors of a run", ["run", "@good.json", "--store", "STORE"], (DONE,), closed=2, stored=True)
for stream in range(3):
    cli("B84", f"a daemon whose stream {stream} is closed", SERVE, (DONE, FAILED) if stream == 1 else (DONE,), closed=stream, stored=True)
cli("B84", "closed input", ["check", "-"], (USAGE, UNREACHABLE), closed=0)
cli("B84", "closed errors", ["list", "--limit", "0"], (USAGE,), closed=2, silent=True)
cli("B84", "a full output", ["help"], (FAILED, UNREACHABLE), full=True)


def put(place, words):
    made = []
    for word in words:
        word = {"STORE": place.store, "NEW": "sqlite:" + place.path("new.db")}.get(word, word)
        made.append(place.path(word[1:]) if word.startswith("@") and len(word) > 1 else word)
    return made


def state_of(place):
    """What the store holds, or its bytes where it is none any more; read from a copy."""
    path = place.path("stint.db")
    if not os.path.isfile(path) or os.path.islink(path):
        return os.path.exists(path)
    with lib.Place() as copy:
        for end in ("", "-wal"):
            if os.path.exists(path + end):
                shutil.copy(path + end, copy.path("copy" + end))
        connection = sqlite3.connect(copy.path("copy"))
        try:
            # a start that is refused later notes in "meta" that it was there
            return hashlib.sha256("\n".join(line for line in connection.iterdump() if not line.startswith('INSERT INTO "meta"')
                                            ).encode()).hexdigest()
        except sqlite3.Error:
            with open(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()
        finally:
            connection.close()


def command(place, row):
    env = dict(place.env)
    env.update({name: value for name, value in row.env.items() if value is not None})
    if row.more.get("bare"):
        env = {}
    argv = [lib.binary(), *put(place, row.argv)]
    closes = row.more.get("closed")
    limit = row.more.get("limit")

    def before():
        if closes is not None:
            os.close(closes)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    full = open("/dev/full", "wb") if row.more.get("full") else None  # pylint: disable=consider-using-with
    try:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=full or subprocess.PIPE, stderr=subprocess.PIPE, env=env,
                                   preexec_fn=before)  # pylint: disable=subprocess-popen-preexec-fn,consider-using-with
        if row.argv[0] == "serve" and (process.stdout.readline() or row.more.get("closed") == 1):
            time.sleep(1 if row.more.get("closed") == 1 else 0)  # nobody says when it is ready
            process.terminate()  # it started all the same
        try:
            out, err = process.communicate(row.stdin, timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return subprocess.CompletedProcess(argv, process.returncode, out, err)
    finally:
        if full is not None:
            full.close()


def meet(row, template):
    with lib.Place() as place:
        for name in os.listdir(template.folder):  # quicker than making each store anew
            shutil.copy2(template.path(name), place.folder)
        place.write("good.json", GOOD)
        place.write("secret.json", lib.definition({"id": "a", "uses": "sandbox.job", "retry": {"attempts": 1}, "with": {
            "run": ["true"], "env": {"S": "${{ secrets.S }}"}}}))
        place.write("config.json", "{}") if row.prepare is None else None
        if row.prepare is not None:
            row.prepare(place)
        before = state_of(place)
        begun = time.monotonic()
        try:
            done = command(place, row)
        except (ValueError, OSError) as error:
            raise AssertionError(f"cannot be sent: {error}") from error
        if time.monotonic() - begun > 2:
            print(f"     {time.monotonic() - begun:.1f} s: {row.id} {row.what}", flush=True)
        errors = done.stderr.decode(errors="replace")
        assert done.returncode in row.expect, f"exit {done.returncode}, not {row.expect}: {errors[:500]}"
        assert "Sanitizer" not in errors and "runtime error" not in errors, errors[:3000]
        if done.returncode not in (DONE, HALTED) and not row.more.get("silent") and not row.stored:
            assert errors.startswith("stint: ") and len(errors) < 4096, errors[:600]
        assert "\x1b" not in errors and "s3cret" not in errors, errors[:600]
        assert row.says in errors + (done.stdout or b"").decode(errors="replace"), (row.says, errors[:600])
        if not row.stored:
            assert state_of(place) == before, "the store was changed"


def main():
    lib.binary()
    count = table.Count()
    begun = time.monotonic()
    with lib.Place() as template:
        template.init()
        count.run(ROWS, template, meet)
    print(f"     {time.monotonic() - begun:.1f} s", flush=True)
    count.end()


if __name__ == "__main__":
    main()
