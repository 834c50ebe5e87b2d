#!/usr/bin/env python3
"""Metrics as an operator has them: tests/monitoring/check.py BINARY

A real Prometheus, with the example configuration and its alerts, scrapes a gateway while `talk` talks to both default
backends; then it is asked, and has to know what the conversations were. Before that promtool judges the files, and then
the scrape. Prints `ok NAME` or `not ok NAME: why` per check.
"""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from checks import Checks  # noqa: E402 (found by the line above)

MONITORING = HERE.parent.parent / "config" / "monitoring"
QUESTION = HERE.parent / "audio" / "question.wav"
PATHS = {"openai": "/openai", "deepgram": "/deepgram-proxy"}
NAME = re.compile(r"(?<![.\w])(?:voxbridge|process)_[a-z_]+\b")
PATIENCE = 60


def promtool(*arguments, **options):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, **options)
    return done.returncode == 0, done.stdout + done.stderr


def fetch(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def until(what, look):
    """What `look` finds, asked again until it finds something; the last refusal is the reason if it never does."""
    deadline, why = time.monotonic() + PATIENCE, ""
    while time.monotonic() < deadline:
        try:
            found = look()
            if found is not None:
                return found
        except (OSError, urllib.error.URLError, ValueError) as error:
            why = error
        time.sleep(0.1)
    raise TimeoutError(f"no {what} within {PATIENCE} s {why}")


class Process:
    """A program whose output goes to files, ended with the block."""

    def __init__(self, name, work, *command, env=None):
        self.out, self.log = work / f"{name}.out", work / f"{name}.log"
        with open(self.out, "w") as out, open(self.log, "w") as log:
            self.process = subprocess.Popen([*map(str, command)], stdout=out, stderr=log, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def find(self, pattern):
        if self.process.poll() is not None:
            raise SystemExit(f"it does not run: {self.log.read_text()[-500:]}")
        found = re.search(pattern, self.out.read_text())
        return found and found.group(1)


def series(scrape):
    """{(name, frozenset of labels): value}"""
    found = {}
    for line in scrape.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
        pairs = re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', labels or "")
        found[name, frozenset(pairs)] = float(value)
    return found


def total(scrape, name, **labels):
    wanted = set(labels.items())
    return sum(value for (own, pairs), value in scrape.items() if own == name and wanted <= pairs)


def queries():
    """Every query of the dashboard, by its panel."""
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in [
                ("$__rate_interval", "5m"), ("$__range", "1h"), ("$backend", ".*"), ("$instance", ".*")
            ]:
                query = query.replace(variable, value)
            yield panel["title"], query


def check_files(check, work):
    for name, arguments in [
        ("the example configuration", ["check", "config", "prometheus.yml"]),
        ("alerts", ["check", "rules", "alerts.yml"]),
        ("alerts fire when they should", ["test", "rules", "alerts_test.yml"]),
    ]:
        passed, why = promtool(*arguments, cwd=MONITORING)
        check(f"{name}: promtool", passed, why)
    rules = [{"record": f"query_{number}", "expr": query} for number, (_, query) in enumerate(queries())]
    file = work / "queries.yml"
    # JSON is YAML.
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    passed, why = promtool("check", "rules", file)
    check(f"the {len(rules)} queries of the dashboard: promtool", passed and len(rules) > 20, why)
    alerts = re.findall(r"^ +- alert: (\w+)", (MONITORING / "alerts.yml").read_text(), re.M)
    tested = (MONITORING / "alerts_test.yml").read_text()
    for alert in alerts:
        shown, fires = re.findall(rf"alertname: {alert}\b", tested), f"alertname: {alert}\n        exp_alerts"
        check(f"{alert} is shown to fire, and not to", fires in tested and len(shown) > tested.count(fires), len(shown))


def talk(check, binary, port):
    """Two conversations with each backend: one typed, one spoken. How long the audio was that each gave, seconds."""
    heard = {}
    for backend, path in PATHS.items():
        for turn in (["--text", "Hello"], ["--audio", str(QUESTION)]):
            command = [binary, "talk", "--url", f"ws://127.0.0.1:{port}{path}", *turn]
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
            length = re.search(r"^audio: ([\d.]+) s$", done.stdout, re.M)
            check(f"talk with {backend} {turn[0]}", done.returncode == 0 and length, done.stdout + done.stderr)
            heard[backend] = heard.get(backend, 0) + (float(length.group(1)) if length else 0)
    return heard


def tokens_of_log(log, backend):
    """What the last lines of the sessions say of tokens: input and output of responses, then of transcriptions."""
    lines = [line for line in log.splitlines() if "session ended" in line and f"backend={backend} " in line]
    names = [f"{source}tokens_{way}" for source in ("", "transcription_") for way in ("input", "output")]
    return [sum(int(count) for line in lines for count in re.findall(rf" {name}=(\d+)", line)) for name in names]


def check_scrape(check, text, gateway, heard):
    passed, why = promtool("check", "metrics", input=text)
    check("the scrape: promtool finds nothing wrong", passed and not why.strip(), why)
    scrape = series(text)
    known = {name for name, _ in scrape}
    for file in ("dashboard.json", "alerts.yml"):
        named = set(NAME.findall((MONITORING / file).read_text()))
        check(f"every metric of {file} exists", len(named) > 10 and named <= known, named - known)
    for backend in PATHS:
        def of(name, **labels):
            return total(scrape, f"voxbridge_{name}", backend=backend, **labels)

        ended = of("sessions_ended_total"), of("sessions_ended_total", cause="client_closed")
        check(f"{backend}: sessions", (of("sessions_begun_total"), of("sessions_open")) == (2, 0))
        check(f"{backend}: endings", ended == (2, 2), ended)
        check(f"{backend}: typed turns have a latency", of("turn_latency_seconds_count", input="text") == 1)
        # Who is passed through does not say when speech ended.
        spoken = 1 if backend == "openai" else 0
        counted = of("turn_latency_seconds_count", input="speech")
        check(f"{backend}: spoken turns, where it can be known", counted == spoken, counted)
        shares, share = of("turn_own_share_seconds_count"), of("turn_own_share_seconds_sum")
        check(f"{backend}: own share", shares >= 2 and 0 < share < 1, (shares, share))
        check(f"{backend}: dials", of("upstream_dial_seconds_count", outcome="opened") == 2)
        audio = of("audio_seconds_total", direction="out")
        check(f"{backend}: audio that was heard", abs(audio - heard[backend]) < 0.05, (audio, heard[backend]))
    said = tokens_of_log(gateway.log.read_text(), "openai")
    labels = [(source, way) for source in ("response", "transcription") for way in ("in", "out")]
    counted = [total(scrape, "voxbridge_tokens_total", backend="openai", kind="all", source=source, direction=way)
               for source, way in labels]
    check("tokens are those of the log", min(said) > 0 and counted == said, (said, counted))
    return scrape


def check_prometheus(check, address, scrape):
    def api(path, **query):
        return json.loads(fetch(f"http://{address}/api/v1/{path}?{urllib.parse.urlencode(query)}"))["data"]

    def value(query):
        result = api("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    # As soon as it has scraped after the last session, it has to know all of it.
    ended = "sum(voxbridge_sessions_ended_total)"
    until("scrape of the last session", lambda: value(ended) == 4 or None)
    check("prometheus: up", value('up{job="voxbridge"}') == 1)
    for name, query, own in [
        ("sessions", "sum(voxbridge_sessions_begun_total)", total(scrape, "voxbridge_sessions_begun_total")),
        ("tokens", "sum(voxbridge_tokens_total)", total(scrape, "voxbridge_tokens_total")),
        ("bytes", "sum(voxbridge_message_bytes_total)", total(scrape, "voxbridge_message_bytes_total")),
        ("latencies", "sum(voxbridge_turn_latency_seconds_sum)", total(scrape, "voxbridge_turn_latency_seconds_sum")),
    ]:
        check(f"prometheus: {name}", own > 0 and abs(value(query) - own) < 1e-6 * own, (value(query), own))
    failed = []
    for title, query in queries():
        try:
            api("query", query=query)
        except urllib.error.HTTPError as error:
            failed.append((title, query, error.read()))
    check("prometheus: every query of the dashboard has an answer", not failed, failed)

    def evaluated():
        rules = [rule for group in api("rules")["groups"] for rule in group["rules"]]
        return rules if all(rule["health"] == "ok" for rule in rules) else None

    rules = until("evaluation of the alerts", evaluated)
    firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
    check("prometheus: no alert fires", len(rules) > 10 and not firing, firing)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main(binary):
    checks = Checks("monitoring: ")
    check = checks.check
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        check_files(check, work)
        config = work / "voxbridge.toml"
        default = (HERE.parent.parent / "config" / "default.toml").read_text()
        config.write_text(re.sub(r"(?m)^port = \d+", "port = 0", default, count=1))
        with Process("voxbridge", work, binary, "--config", config) as gateway:
            port = until("listener", lambda: gateway.find(r"127\.0\.0\.1:(\d+)"))
            example = (MONITORING / "prometheus.yml").read_text()
            example = example.replace("15s", "1s").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            (work / "prometheus.yml").write_text(example)
            (work / "alerts.yml").write_text((MONITORING / "alerts.yml").read_text())
            address = f"127.0.0.1:{free_port()}"
            with Process("prometheus", work, "prometheus", f"--config.file={work / 'prometheus.yml'}",
                         f"--storage.tsdb.path={work / 'data'}", f"--web.listen-address={address}") as prometheus:
                until("prometheus", lambda: prometheus.find("()") is not None and fetch(f"http://{address}/-/ready"))
                heard = talk(check, binary, port)

                def over():
                    text = fetch(f"http://127.0.0.1:{port}/metrics")
                    return text if total(series(text), "voxbridge_sessions_open") == 0 else None

                scrape = check_scrape(check, until("end of the sessions", over), gateway, heard)
                check_prometheus(check, address, scrape)
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
