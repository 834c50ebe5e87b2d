#!/usr/bin/env python3
"""haproxy.cfg and nginx.conf, both at work: proxies.py BINARY

Each stands before two gateways with voxbridge.toml and the simulators, and is talked to over TLS: how sessions are spread,
what stops with a gateway, what silence does, what is asked twice, who the client is said to be, and what logs hold.
Prints `ok NAME` or `not ok NAME: why` per check.
"""

import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor

from frontends import SHORT_S, HAProxy, Nginx, start_frontend
from harness import DEPLOY, ROOT, TOKEN, Checks, Gateway, ask, in_force, seconds, substitute, until, write_keys
from repetition import check_repetition
from websocket import Client, Refused

QUESTION = ROOT / "tests" / "audio" / "question.wav"
SESSION_S = 3600
# The simulators in place of the real ones, and one of them with pings that a test can wait for.
SIMULATED = f"""
[simulator]
enabled = true

[[backends]]
name = "silent"
kind = "openai-realtime"
path = "/silent"
url = "self:/sim/openai"
ping_interval_s = {SHORT_S + 1}

[[backends]]
name = "transcription"
kind = "deepgram-agent"
path = "/deepgram"
aliases = ["/v1/listen"]
url = "self:/sim/deepgram/v1/agent/converse"
"""


def start_gateway(stack, binary, directory):
    directory.mkdir()
    text = substitute((DEPLOY / "voxbridge.toml").read_text(), {
        "/run/credentials/voxbridge.service": write_keys(directory / "keys"), "/var/lib/voxbridge": directory,
        'trusted_proxies = ["10.0.0.10"]': 'trusted_proxies = ["127.0.0.1"]'})
    config = directory / "voxbridge.toml"
    config.write_text(text + SIMULATED)
    return stack.enter_context(Gateway("gateway", directory, binary, config, BACKENDS__OPENAI__URL="self:/sim/openai"))


class Trial:
    """One proxy before two gateways, and what is checked of them, in this order."""

    def __init__(self, checks, frontend, gateways, binary):
        self.check, self.frontend, self.gateways, self.binary = checks.check, frontend, gateways, binary
        self.authority, self.begun = frontend.directory / "cert.pem", 0

    def open(self, path="/v1/agent/converse", *headers):
        joint = "&" if "?" in path else "?"
        client = Client(self.frontend.port, self.authority, f"{path}{joint}token={TOKEN}", headers)
        self.begun += 1
        if not path.startswith("/v1/listen"):
            client.id = client.message("Welcome")["request_id"]
        return client

    def has(self, gateway, client):
        return client.id in gateway.log.read_text()

    def wait_for_sessions(self, *counts):
        until(f"{counts} sessions", lambda: tuple(own.sessions() for own in self.gateways) == counts or None)

    def wait_for_ends(self, but=0):
        """Until the proxy has counted the end of all sessions but so many, on which its next choices rest."""
        until("the ends of sessions", lambda: self.frontend.ended() == self.begun - but or None)

    def talk(self):
        url = f"wss://127.0.0.1:{self.frontend.port}/openai"
        command = [self.binary, "talk", "--url", url, "--ca", self.authority, "--token", TOKEN, "--text", "Hello"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        if self.check("talk, over TLS", done.returncode == 0 and "agent: " in said, said):
            self.begun += 1
            self.wait_for_ends()

    def spread(self):
        """Sessions go where fewer are, and not in turns: of two instances one loses all, and gets the next two."""
        clients = [self.open() for _ in range(4)]
        first, second = self.gateways
        held = [client for client in clients if self.has(first, client)]
        self.check("four sessions are two for each", len(held) == 2, len(held))
        codes = [client.close() for client in held]
        self.check("a close gets through", set(codes) == {1000}, codes)
        self.wait_for_ends(but=len(clients) - len(held))
        new = [self.open() for _ in range(2)]
        homes = [self.has(first, client) for client in new]
        self.check("the next two go where none is", homes == [True, True], homes)
        for client in [*new, *(client for client in clients if client not in held)]:
            client.close()
        self.wait_for_ends()

    def silence(self):
        client = self.open("/silent")
        try:
            client.stay_silent(1)
            client.send(type="Settings", audio={}, agent={})
            client.message("SettingsApplied")
            code = client.close()
        except (ConnectionError, OSError) as error:
            code = error
        self.check(f"a session that answers a ping and is silent for longer than {SHORT_S} s goes on",
                   code == 1000, code)

    def addresses(self):
        forged = "203.0.113.9"
        client = self.open("/openai", f"X-Forwarded-For: {forged}", f"Forwarded: for={forged}")
        logs = "".join(gateway.log.read_text() for gateway in self.gateways)
        line = next(line for line in logs.splitlines() if client.id in line)
        self.check("the log has the client's address", '"client":"127.0.0.2"' in line and forged not in logs, line)
        client.close()
        self.wait_for_ends()

    def drain(self):
        """One of two stops while it transcribes: nobody is sent there any more, and the transcription is finished."""
        target = "/v1/listen?model=nova-3&encoding=linear16&sample_rate=16000"
        clients = [self.open(target) for _ in range(2)]
        self.wait_for_sessions(1, 1)
        stopping, staying = self.gateways
        stopping.stop()
        until("drain", lambda: ask(stopping.admin("/ready"))[0] == 503 or None)
        refused, new = 0, []
        for attempt in range(4):
            if attempt == 2:
                self.frontend.wait_until_down(1)
            try:
                new.append(self.open())
            except Refused:
                refused += 1
        homes = [self.has(staying, client) for client in new]
        self.check("no new session meets the one that stops", not refused and homes == [True] * 4, (refused, homes))
        with wave.open(str(QUESTION)) as question:
            speech = question.readframes(question.getnframes())
        ends = []
        for client in clients:
            try:
                client.speak(speech)
                client.send(type="CloseStream")
                words = client.message("Results")["channel"]["alternatives"][0]["transcript"]
                ends.append((bool(words), client.closed()))
            except (ConnectionError, OSError) as error:
                ends.append(error)
        self.check("the one that it has is finished there", ends == [(True, 1000)] * 2, ends)
        self.check("then it ends", stopping.process.wait(60) == 0, stopping.process.returncode)
        for client in new:
            client.close()
        staying.stop()
        staying.process.wait(60)

    def logs(self):
        """After all that, and a session that no gateway is there for."""
        try:
            status = self.open("/openai") and 101
        except Refused as refusal:
            status = refusal.status
        self.check("without gateways there is an answer", status in (502, 503), status)
        logs = self.frontend.logs()
        self.check("no token in the proxy's logs", TOKEN not in logs and "/v1/listen" in logs and "127.0.0.2" in logs,
                   re.findall(rf".*{TOKEN}.*", logs)[:1])


def try_proxy(kind, work, binary):
    checks = Checks(f"{kind.name}: ")
    with contextlib.ExitStack() as stack:
        gateways = [start_gateway(stack, binary, work / f"{kind.name}-{number}") for number in (1, 2)]
        for gateway in gateways:
            gateway.wait_until_it_listens()
        backends = [(gateway.port, gateway.admin_port) for gateway in gateways]
        frontend = start_frontend(stack, kind, work / kind.name, backends)
        passed, why = frontend.judge()
        checks.check("its own judgement", passed, why)
        trial = Trial(checks, frontend, gateways, binary)
        for step in (trial.talk, trial.spread, trial.silence, trial.addresses, trial.drain, trial.logs):
            step()
    check_repetition(checks, kind, work)
    return checks.exit_status()


def check_times(binary, work):
    """The time-outs in the files against what the gateway does by itself."""
    checks = Checks("time-outs: ")
    config = work / "times.toml"
    config.write_text(substitute((DEPLOY / "voxbridge.toml").read_text(), {
        "/run/credentials/voxbridge.service": write_keys(work / "keys"), "/var/lib/voxbridge": work}))
    values, said = in_force(binary, config)
    pings = max(backend["ping_interval_s"] for backend in values["backends"])
    for file, names in [("haproxy.cfg", ["timeout tunnel"]), ("nginx.conf", ["proxy_read_timeout", "proxy_send_timeout"])]:
        for name in names:
            found = re.findall(rf"^ *{name} (\w+);?$", (DEPLOY / file).read_text(), re.M)
            checks.check(f"{file}: {name} is an hour, and more than two pings",
                         len(found) == 1 and seconds(found[0]) >= max(SESSION_S, 2 * pings), found)
    return checks.exit_status()


def main(binary):
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as pool:
        work = pathlib.Path(directory)
        work.chmod(0o755)
        trials = [pool.submit(try_proxy, kind, work, binary) for kind in (HAProxy, Nginx)]
        return max([check_times(binary, work), *(trial.result() for trial in trials)])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
