#!/usr/bin/env python3
"""voxbridge.service and the configuration that it runs with: systemd.py BINARY

systemd-analyze judges the unit. What the unit says of the program (its status for a wrong configuration, how long it
drains, how many files it opens, which keys and directories it has) has to be what the configuration and the binary do.
Prints `ok NAME` or `not ok NAME: why` per check.
"""

import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from harness import AFTER_DRAIN_S, DEPLOY, KEYS, Checks, Gateway, ask, in_force, seconds, substitute, until, write_keys

UNIT = DEPLOY / "voxbridge.service"
# In tenths, of ten. What remains is what a server on the network cannot do without.
THRESHOLD = 20


def settings():
    """{name: its values}"""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def check_unit(check, work, binary):
    copy = work / UNIT.name
    copy.write_text(substitute(UNIT.read_text(), {"/usr/local/bin/voxbridge": binary}))
    status, said = analyze("verify", "--man=no", copy)
    # Of other units, if it finds any.
    said = "\n".join(line for line in said.splitlines() if UNIT.name in line)
    check("systemd-analyze verify has nothing to say", status == 0 and not said, said)
    status, said = analyze("security", "--offline=true", f"--threshold={THRESHOLD}", copy)
    check("systemd-analyze security", status == 0, said.splitlines()[-1:])


def check_configuration(check, work, binary, unit):
    text = (DEPLOY / "voxbridge.toml").read_text()
    credentials = "/run/credentials/voxbridge.service"
    loaded = dict(value.split(":", 1) for value in unit["LoadCredential"])
    wanted = set(re.findall(rf"{credentials}/([\w-]+)", text))
    check("its keys are the unit's credentials", set(loaded) == wanted == set(KEYS), (loaded, wanted))
    state = f"/var/lib/{unit['StateDirectory'][0]}"
    check("it writes where the unit lets it", set(re.findall(r"/var/\w+/\w+", text)) == {state}, text)
    config = work / "voxbridge.toml"
    (work / "state").mkdir()
    config.write_text(substitute(text, {credentials: write_keys(work / "keys"), state: work / "state"}))
    values, said = in_force(binary, config)
    check("voxbridge check", values, said)
    named = unit["ExecStart"][0].split()
    check("the unit names it", named[1:] == ["--config", "/etc/voxbridge/voxbridge.toml"], named)
    drain, stop = values["server"]["drain_timeout_s"], seconds(unit["TimeoutStopSec"][0])
    check("systemd waits for the drain", stop >= drain + AFTER_DRAIN_S, f"{stop} s, of which {drain} s are the drain's")
    files, sessions = int(unit["LimitNOFILE"][0]), values["server"]["max_sessions"]
    check("files for all sessions", files >= 3 * sessions + 1000, f"{files} for {sessions}")
    return config


def check_signals(check, work, binary, unit, config):
    with Gateway("voxbridge", work, binary, config) as gateway:
        gateway.wait_until_it_listens()
        check("it is ready", ask(gateway.admin("/ready"))[0] == 200)
        reload, main_pid = unit["ExecReload"][0].rsplit(None, 1)
        check("the unit reloads the program itself", main_pid == "$MAINPID", main_pid)
        subprocess.run([*reload.split(), str(gateway.process.pid)], check=True)
        until("reload", lambda: "configuration reloaded" in gateway.log.read_text() or None)
        check("a reload is taken up", True)
        gateway.process.send_signal(getattr(signal, unit["KillSignal"][0]))
        check("the unit's signal ends it in order", gateway.process.wait(30) == 0)
    wrong = work / "wrong.toml"
    wrong.write_text("[server]\nprt = 1\n")
    status = subprocess.run([binary, "--config", wrong], capture_output=True, timeout=30).returncode
    check("a wrong configuration is not tried again", [str(status)] == unit["RestartPreventExitStatus"], status)


def main(binary):
    checks = Checks("systemd: ")
    unit = settings()
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        check_unit(checks.check, work, binary)
        config = check_configuration(checks.check, work, binary, unit)
        check_signals(checks.check, work, binary, unit, config)
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
