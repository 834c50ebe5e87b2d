#!/usr/bin/env python3
"""Holds the upgrades that a recorder kept against what Deepgram's upstream may see: the operator's key, nothing of the
client's, and of the query of transcription what the SDK wrote. Prints `ok NAME` or `not ok NAME: why` per check.
"""

import argparse
import json
import sys
import urllib.parse

from checks import Checks

AGENT, LISTEN = "/v1/agent/converse", "/v1/listen"
# What the SDKs add for themselves, and what is the gateway's.
CLIENTS_OWN = ("x-deepgram-session-id", "x-fern-", "sec-websocket-protocol", "cookie", "origin")
GATEWAYS_OWN = {"token", "service", "traceId"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--key", required=True, help="the key that the gateway is configured with")
    parser.add_argument("--never", required=True, help="the key that its clients give")
    parser.add_argument("--agents", type=int, required=True, help="how many connections to expect")
    parser.add_argument("--listeners", type=int, required=True)
    args = parser.parse_args()
    with open(args.file, encoding="utf-8") as lines:
        upgrades = [json.loads(line) for line in lines]
    checks = Checks("upgrades: ")

    def everywhere(name, wrong):
        found = [why for why in map(wrong, upgrades) if why]
        checks.check(name, upgrades and not found, found[:3])

    paths = [upgrade["path"].partition("?")[0] for upgrade in upgrades]
    counts = {path: paths.count(path) for path in paths}
    checks.check("every connection", counts == {AGENT: args.agents, LISTEN: args.listeners}, counts)

    def credentials(upgrade):
        shown = [value for name, value in upgrade["headers"] if name.lower() == "authorization"]
        return None if shown == [f"Token {args.key}"] else shown

    everywhere("the operator's key, once", credentials)
    everywhere("nothing of the client's key", lambda upgrade: args.never in json.dumps(upgrade) and upgrade)
    everywhere(
        "no header of the client's",
        lambda upgrade: [name for name, _ in upgrade["headers"] if name.lower().startswith(CLIENTS_OWN)],
    )

    def names(upgrade):
        return {name for name, _ in urllib.parse.parse_qsl(upgrade["path"].partition("?")[2])}

    everywhere("no parameter of the gateway's own", lambda upgrade: names(upgrade) & GATEWAYS_OWN)
    of_listeners = [names(upgrade) for upgrade, path in zip(upgrades, paths) if path == LISTEN]
    passed = all({"model", "smart_format"} <= found for found in of_listeners)
    checks.check("the client's parameters", of_listeners and passed, of_listeners)
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
