#!/usr/bin/env python3
"""Deepgram's own services behind the gateway, through Deepgram's official Python SDK: live transcription, and agents.
Prints `ok NAME` or `not ok NAME: why` per check.
"""

import argparse
import asyncio
import functools
import logging
import pathlib
import sys

from checks import Checks, read_wav
from sdk_deepgram import (
    Agent,
    AgentApplication,
    AgentServerSide,
    AgentVocabulary,
    AgentWithoutHistory,
    ProxiedAgent,
)
from sdk_listen import ListenV1, ListenV2, WavFile, transcribe
from sdk_session import CLIENT_KEY, INPUT_RATE, Transcript, converse

PROXY = "/deepgram-proxy"


async def listen(checks, args, samples, file):
    """Everything at the same time: the sessions are as long as their audio, and none may disturb another."""
    sessions = []

    def add(kind, title, base, audio=samples, **query):
        make = functools.partial(kind, title, audio, args.speed, checks)
        sessions.append(transcribe(kind, base, args.client, make, **query))

    for where, base in (("", args.base), (f" under {PROXY}", args.base + PROXY)):
        add(ListenV1, f"listen v1{where}", base)
        add(ListenV2, f"listen v2{where}", base)
    add(WavFile, "listen v1, WAV file", args.base, file)
    # What a page without headers would put into the query is the gateway's business and goes no further.
    own = {"token": CLIENT_KEY, "service": "transcription", "traceId": "python-sdk"}
    add(WavFile, "listen v1 with a key upstream", args.keyed_base, file, **own)
    await asyncio.gather(*sessions)


async def talk(checks, args, samples):
    conversations = [
        (args.keyed_base, functools.partial(Agent, checks, samples, args.speed)),
        (args.keyed_base, functools.partial(AgentVocabulary, checks)),
        (args.keyed_base, functools.partial(AgentWithoutHistory, checks)),
        (args.base + PROXY, functools.partial(ProxiedAgent, checks, samples, args.speed)),
        (args.functions_base, functools.partial(AgentServerSide, checks)),
        (args.functions_base, functools.partial(AgentApplication, checks)),
    ]
    for base, conversation in conversations:
        await converse(base, args.client, Transcript(asyncio.get_running_loop()), conversation)


async def run(checks, args, samples, file):
    await listen(checks, args, samples, file)
    await talk(checks, args, samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--base", required=True, help="ws://HOST:PORT of a gateway with its default configuration")
    parser.add_argument("--keyed-base", required=True, help="the same for one whose upstream asks for a key")
    parser.add_argument("--functions-base", required=True, help="the same for one that runs functions")
    parser.add_argument("--client", choices=["sync", "async"], default="sync")
    question = here.parent / "audio" / "question.wav"
    parser.add_argument("--audio", type=pathlib.Path, default=question, help="mono 16 bit 16 kHz")
    parser.add_argument("--speed", type=float, default=1.25, help="times real time; Deepgram takes up to 1.25")
    args = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    checks = Checks(f"python {args.client}, Deepgram: ")
    try:
        rate, samples = read_wav(str(args.audio))
        if rate != INPUT_RATE:
            raise ValueError(f"{args.audio}: {rate} Hz")
        asyncio.run(run(checks, args, samples, args.audio.read_bytes()))
    except Exception as error:  # whatever it is, the line has to be printed: it is what is counted
        checks.check("run", False, repr(error))
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
