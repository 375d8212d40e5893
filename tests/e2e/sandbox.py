# SPDX-License-Identifier: Apache-2.0
"""One job outside of any run: stint sandbox exec and stint sandbox plan."""
import json
import os
import subprocess
import sys
import tempfile

STINT = os.environ["STINT"]


def stint(*words, **options):
    return subprocess.run([STINT, *words], capture_output=True, text=True, timeout=60, check=False, **options)


def box_or_skip():
    found = json.loads(stint("doctor", "--json").stdout)
    for check in found["checks"]:
        if check["check"] == "sandbox" and "cannot be isolated" in check["text"]:
            print(f"skipped: {check['text']}")
            sys.exit(77)


def the_job_decides_the_exit_code():
    done = stint("sandbox", "exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n"), done
    assert done.stderr.startswith("err\n"), done


def a_job_that_was_not_covered_is_refused():
    done = stint("sandbox", "exec", "--limit", "sandbox.jobs=0", "--", "touch", "never")
    assert done.returncode == 4 and "sandbox.jobs: limit 0, asked 1" in done.stderr, done
    done = stint("sandbox", "exec", "--limit", "no.such=1", "--", "true")
    assert done.returncode == 2, done


def the_report_says_what_happened(place):
    report = os.path.join(place, "report.json")
    done = stint("sandbox", "exec", "--limit", "sandbox.seconds=2", "--report", report, "--",
                 "sh", "-c", "trap '' TERM; sleep 60 & while :; do wait; done")
    with open(report, encoding="utf-8") as file:
        told = json.load(file)
    assert told["end"] == "timed_out" and done.returncode == 137, (told, done)
    assert told["usage"]["sandbox.jobs"] == 1 and told["usage"]["sandbox.seconds"] >= 2, told
    assert told["transcript"][0]["box"]["isolation"] == "full", told
    assert oct(os.stat(report).st_mode & 0o777) == "0o600"


def a_given_directory_is_worked_in_and_nothing_else_is_seen(place):
    work = os.path.join(place, "work")
    os.mkdir(work)
    with open(os.path.join(place, "secret"), "w", encoding="utf-8") as file:
        file.write("not for jobs")
    done = stint("sandbox", "exec", "--workdir", work, "--", "sh", "-c", "echo made > made; ls .. ; cat ../secret")
    assert done.returncode != 0 and done.stdout == "work\n", done
    with open(os.path.join(work, "made"), encoding="utf-8") as file:
        assert file.read() == "made\n"


def nothing_of_our_environment_comes_in():
    environment = dict(os.environ, PLANTED_TOKEN="planted-value")
    done = stint("sandbox", "exec", "--", "sh", "-c", "env; cat /proc/1/environ", env=environment)
    assert "PLANTED" not in done.stdout and "planted" not in done.stderr, done


def the_plan_is_printed_and_nothing_runs(place):
    never = os.path.join(place, "never")
    done = stint("sandbox", "plan", "--workdir", place, "--limit", "processes=17", "--", "touch", never)
    assert done.returncode == 0 and not os.path.exists(never), done
    for line in ("isolation: full", "limit: processes=17", f"mount: writable  {place}", "mount: proc      /proc",
                 f"command: touch {never}"):
        assert line in done.stdout.splitlines(), (line, done.stdout)


def main():
    box_or_skip()
    with tempfile.TemporaryDirectory(prefix="stint-e2e-") as place:
        the_job_decides_the_exit_code()
        a_job_that_was_not_covered_is_refused()
        the_report_says_what_happened(place)
        a_given_directory_is_worked_in_and_nothing_else_is_seen(place)
        nothing_of_our_environment_comes_in()
        the_plan_is_printed_and_nothing_runs(place)


main()
