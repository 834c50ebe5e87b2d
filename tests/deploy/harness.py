"""What the scripts beside it share: the files of config/deploy, changed where a test must, and gateways that run with them.

Processes, scrapes and waiting are those of tests/monitoring/check.py.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DEPLOY = ROOT / "config" / "deploy"
sys.path[:0] = [str(HERE.parent / "sdk"), str(HERE.parent / "monitoring")]

from check import Process, free_port, series, total, until  # noqa: E402, F401 (found by the line above)
from checks import Checks  # noqa: E402, F401

TOKEN = "a-token-that-no-log-may-hold"
KEYS = {"openai-key": "a-key-of-no-use", "shop-token": TOKEN}
# What a supervisor adds to drain_timeout_s before it kills: see the README, "In production", Stopping.
AFTER_DRAIN_S = 10


def substitute(text, changes):
    """`text` with each key of `changes` replaced; one that is not there, so that nothing would be tested, is an error."""
    for old, new in changes.items():
        if old not in text:
            raise SystemExit(f"{old!r} is not in the file any more")
        text = text.replace(old, str(new))
    return text


def write_keys(directory):
    directory.mkdir(parents=True)
    for name, key in KEYS.items():
        (directory / name).write_text(key)
    return directory


def in_force(binary, config):
    """What `voxbridge check` says is in force, defaults included, and what it had to say if it refused."""
    done = subprocess.run([binary, "check", "--config", config], capture_output=True, text=True, timeout=30)
    return (tomllib.loads(done.stdout) if done.returncode == 0 else None), done.stdout + done.stderr


def ask(url, token=None, method="GET"):
    """Status and body of the answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


class Gateway(Process):
    """A voxbridge that serves the configuration on loopback ports of its own, in place of those in the file."""

    def __init__(self, name, work, binary, config, **environment):
        self.port, self.admin_port = free_port(), free_port()
        own = {"HOST": "127.0.0.1", "PORT": self.port, "ADMIN_PORT": self.admin_port}
        variables = {f"VOXBRIDGE__SERVER__{key}": str(value) for key, value in own.items()}
        variables |= {f"VOXBRIDGE__{key}": str(value) for key, value in environment.items()}
        super().__init__(name, work, binary, "--config", config, env=os.environ | variables)

    def wait_until_it_listens(self):
        until("listener", lambda: self.find(r"listening on (\S+)"))
        return self

    def admin(self, path):
        return f"http://127.0.0.1:{self.admin_port}{path}"

    def metrics(self):
        return series(ask(self.admin("/metrics"), TOKEN)[1])

    def sessions(self):
        return int(total(self.metrics(), "voxbridge_sessions_open"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)


def seconds(text):
    """A time as HAProxy, nginx and systemd write it: `25`, `30s`, `1h`."""
    number, unit = re.fullmatch(r"(\d+)(|ms|s|m|h|d)", text).groups()
    return int(number) * {"": 1, "ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[unit]
