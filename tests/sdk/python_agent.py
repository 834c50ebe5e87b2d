#!/usr/bin/env python3
"""Conversations with the gateway through Deepgram's official Python SDK: a greeting, a typed and a spoken turn, then
what else a client may say (sdk_vocabulary.py), then a function that the gateway runs (sdk_functions.py). Prints
`ok NAME` or `not ok NAME: why` per check.
"""

import argparse
import asyncio
import contextlib
import functools
import json
import logging
import pathlib
import sys

from checks import Checks, read_wav
from sdk_functions import ServerSide
from sdk_session import INPUT_RATE, Conversation, Transcript, audio_settings, converse, kind_of, texts
from sdk_vocabulary import Vocabulary, WithoutHistory

from deepgram.agent.v1.types import (
    AgentV1InjectAgentMessage,
    AgentV1InjectUserMessage,
    AgentV1SendFunctionCallResponse,
    AgentV1Settings,
    AgentV1SettingsAgent,
)
from deepgram.types import ThinkSettingsV1, ThinkSettingsV1FunctionsItem, ThinkSettingsV1Provider_OpenAi

GREETING = "Welcome to the bridge."
TIME = "10:42"  # nothing but the function's answer can put this into the agent's words


def settings():
    return AgentV1Settings(
        audio=audio_settings(),
        agent=AgentV1SettingsAgent(
            greeting=GREETING,
            think=ThinkSettingsV1(
                provider=ThinkSettingsV1Provider_OpenAi(model="gpt-4o-mini", temperature=0.7),
                prompt="Be brief.",
                functions=[
                    ThinkSettingsV1FunctionsItem(
                        name="get_current_time",
                        description="The current time of day",
                        parameters={"type": "object", "properties": {}},
                    )
                ],
            ),
        ),
    )


class Turns(Conversation):
    def __init__(self, checks, question, speed, connection, transcript):
        super().__init__(checks, connection, transcript)
        self.question, self.speed = question, speed

    async def run(self):
        await self.open(settings())
        greeting = await self.transcript.until("AgentAudioDone")
        self.check("greeting", texts(greeting, "assistant") == [GREETING], greeting)
        await self.typed_turn()
        await self.send("send_keep_alive")
        await self.spoken_turn()

    async def typed_turn(self):
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content="Hello there"))
        turn = await self.transcript.until("AgentAudioDone")
        self.check("typed turn: echo", texts(turn, "user") == ["Hello there"], texts(turn, "user"))
        self.check("typed turn: echo before the answer", kind_of(turn[0]) == "ConversationText", turn[0])
        self.check_answer("typed turn", turn)
        report = await self.transcript.until("LatencyReport")
        self.check("typed turn: LatencyReport", len(report) == 1 and report[0].total_latency > 0, report)

    async def spoken_turn(self):
        async with self.speaking(self.question, self.speed):
            before = await self.transcript.until("UserStartedSpeaking")
            self.check("spoken turn: UserStartedSpeaking first", len(before) == 1, before)
            await self.send("send_inject_agent_message", AgentV1InjectAgentMessage(message="Not now."))
            refused = await self.transcript.until("InjectionRefused")
            self.check("spoken turn: no agent message while the user speaks", "user" in refused[-1].message, refused)
            asked = await self.transcript.until("FunctionCallRequest")
            calls = asked[-1].functions
            self.check(
                "spoken turn: FunctionCallRequest",
                [(c.name, c.client_side) for c in calls] == [("get_current_time", True)],
                calls,
            )
            self.check("spoken turn: arguments are JSON", isinstance(json.loads(calls[0].arguments), dict), calls)
            answer = AgentV1SendFunctionCallResponse(
                id=calls[0].id, name=calls[0].name, content=json.dumps({"time": TIME})
            )
            await self.send("send_function_call_response", answer)
            turn = await self.transcript.until("AgentAudioDone")
        # A transcript is asynchronous: it may come before, within or after the answer.
        heard = texts(asked + turn, "user") or texts(
            await self.transcript.until("ConversationText", role="user"), "user"
        )
        self.check("spoken turn: transcript", len(heard) == 1 and "time" in heard[0].lower(), heard)
        ended_early = [kind_of(m) for m in asked if kind_of(m) == "AgentAudioDone"]
        self.check("spoken turn: a call alone does not end the turn", not ended_early, ended_early)
        said = " ".join(texts(turn, "assistant"))
        self.check("spoken turn: the answer holds the function's result", TIME in said, said)
        self.check_answer("spoken turn", turn)


async def hold_all(checks, bases, flavour, question, speed, out):
    base, functions_base = bases
    conversations = [(base, functools.partial(Turns, checks, question, speed))]
    conversations += [(base, functools.partial(kind, checks)) for kind in (Vocabulary, WithoutHistory)]
    conversations += [(functions_base, functools.partial(ServerSide, checks))]
    for number, (base, conversation) in enumerate(conversations, 1):
        transcript = Transcript(asyncio.get_running_loop(), number, out)
        await converse(base, flavour, transcript, conversation)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--base", required=True, help="ws://HOST:PORT of the gateway; the SDK adds its own path")
    parser.add_argument("--functions-base", required=True, help="the same for a gateway that runs functions")
    parser.add_argument("--client", choices=["sync", "async"], default="sync")
    parser.add_argument("--audio", default=here.parent / "audio" / "question.wav", help="mono 16 bit 16 kHz")
    parser.add_argument("--speed", type=float, default=1.0, help="times real time")
    parser.add_argument("--transcript", help="a file for what was received, one JSON line each")
    args = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    checks = Checks(f"python {args.client}: ")
    try:
        rate, question = read_wav(str(args.audio))
        if rate != INPUT_RATE:
            raise ValueError(f"{args.audio}: {rate} Hz")
        with open(args.transcript, "w", encoding="utf-8") if args.transcript else contextlib.nullcontext() as out:
            asyncio.run(hold_all(checks, (args.base, args.functions_base), args.client, question, args.speed, out))
    except Exception as error:  # whatever it is, the line has to be printed: it is what is counted
        checks.check("run", False, repr(error))
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
