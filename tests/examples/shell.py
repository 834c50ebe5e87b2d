"""Runs what a reader would type, and compares what is printed with what the README shows.

Must not know what is typed. Programs that the README takes for granted stand in a directory of the test's own, in front
of `PATH`: `voxbridge` is the binary under test, and `cargo run --release --` runs that.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

PATIENCE = 60
END = "\x1e"

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
# What differs from run to run: as the README shows it, and what may stand there.
VARIABLE = re.compile(
    rf"(?P<uuid>{UUID})|(?P<day>\d{{4}}-\d\d-\d\dT)(?P<instant>{CLOCK})(?=:\d\dZ)|(?P<clock>\b{CLOCK}\b)"
    r"|(?P<second>(?<=\d):\d\dZ)|(?P<length>\b\d+\.\d\d(?= s\b))|(?P<rest>…)"
)
FORMS = {"uuid": UUID, "clock": CLOCK, "second": r":[0-5]\dZ", "length": r"\d+\.\d\d", "rest": r'[^\s"]+'}

PROGRAMS = {
    # Whom `kill` is to reach, is the one that serves.
    "voxbridge": """case "${1-}" in check | replay | simulate | talk) ;; *) echo $$ >"$SERVING" ;; esac
exec "$BINARY" "$@" """,
    "cargo": """[ "$1 $2" = "run --release" ] || { echo "only cargo run --release is here" >&2; exit 2; }
shift 2
[ "${1-}" != -- ] || shift
exec voxbridge "$@" """,
    "pidof": """[ "$*" = voxbridge ] && cat "$SERVING" """,
    "python3": f"exec {sys.executable} \"$@\" ",
}


def pattern(shown):
    """A regular expression for what the README shows. What is the same there twice has to be the same twice."""
    known, found, at = {}, "", 0

    def same(kind, text):
        form = FORMS[kind]
        if kind in ("rest", "second"):
            return form
        if (kind, text) in known:
            return f"(?P={known[kind, text]})"
        known[kind, text] = f"v{len(known)}"
        return f"(?P<{known[kind, text]}>{form})"

    for match in VARIABLE.finditer(shown):
        found += re.escape(shown[at:match.start()])
        at = match.end()
        if match["day"]:
            found += r"\d{4}-\d\d-\d\dT" + same("clock", match["instant"])
        else:
            found += same(match.lastgroup, match[0])
    return found + re.escape(shown[at:])


def tidy(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def difference(shown, printed):
    """Nothing if `printed` is what is shown, else what is wrong."""
    shown, printed = tidy(shown), tidy(printed)
    if re.fullmatch(pattern(shown), printed):
        return ""
    lines = zip([*shown.splitlines(), "(the end)"], [*printed.splitlines(), "(the end)"])
    for wanted, line in lines:
        if not re.fullmatch(pattern(wanted), line):
            return f"{line!r} in place of {wanted!r}"
    return f"{printed!r} in place of {shown!r}"


def commands(text):
    """[command, what it prints] of a block in which each command has a `$ ` in front of it."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif found and not found[-1][1] and found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line
        elif found:
            found[-1][1] += line + "\n"
        else:
            raise ValueError(f"{line!r} stands before the first command")
    return found


class Shell:
    """A directory in which commands are run, and what of them still runs."""

    def __init__(self, work, binary, **environment):
        self.work, self.servers = pathlib.Path(work), []
        programs = self.work / ".programs"
        programs.mkdir()
        for name, script in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        # Neither keys nor proxies nor a log level of whoever runs the tests.
        self.environment = {
            "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(self.work), "LANG": "C.UTF-8",
            "BINARY": str(binary), "SERVING": str(self.work / ".serving"), **environment,
        }

    def begin(self, script, **options):
        # A group of its own, so that it can be ended with all that it has started.
        return subprocess.Popen(["bash", "-c", script], cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL,
                                text=True, start_new_session=True, **options)

    def run(self, script):
        """What it printed, errors included, and its exit status."""
        process = self.begin(script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            printed, _ = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            end(process, signal.SIGKILL)
            raise TimeoutError(f"not done within {PATIENCE} s: {script!r}") from None
        return printed, process.returncode

    def transcript(self, text):
        """Runs the commands of a block, one after the other; `[(command, what is wrong with its output), …]`."""
        typed = commands(text)
        # `$?` of one is left to the next.
        script = "".join(f"{command}\nprintf '{END}'\n" for command, _ in typed)
        printed, _ = self.run(script)
        outputs = printed.split(END)
        if len(outputs) != len(typed) + 1:
            raise RuntimeError(f"{len(outputs) - 1} of {len(typed)} commands were run: {printed!r}")
        return [(command, difference(shown, output)) for (command, shown), output in zip(typed, outputs)]

    def serve(self, script, until):
        """Starts what goes on until the shell is closed; what it printed up to the line that matches `until`."""
        output, log = (self.work / f".{name}-{len(self.servers)}" for name in ("output", "log"))
        with open(output, "w") as stdout, open(log, "w") as stderr:
            process = self.begin(script, stdout=stdout, stderr=stderr)
        self.servers.append(process)
        deadline = time.monotonic() + PATIENCE
        while not re.search(until, output.read_text(), re.M):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{script!r} does not serve: {output.read_text()} {log.read_text()[-500:]}")
            time.sleep(0.02)
        return output.read_text()

    def logs(self, text):
        """Waits until the server that was started last has logged it; its log."""
        log, deadline = self.work / f".log-{len(self.servers) - 1}", time.monotonic() + PATIENCE
        while text not in log.read_text():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} is not in {log.read_text()[-500:]}")
            time.sleep(0.02)
        return log.read_text()

    def stop(self):
        """Ends all servers."""
        while self.servers:
            end(self.servers.pop(), signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def end(process, how):
    for number in (how, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
