#!/usr/bin/env python3
"""One conversation with the gateway through Deepgram's official Python SDK.

The SDK is used as its own users use it (typed messages, its own path, its own WebSocket library); the gateway has to
fit it, not the other way round. Prints `ok NAME` or `not ok NAME: why` per check.
"""

import argparse
import asyncio
import contextlib
import inspect
import json
import logging
import pathlib
import sys
import warnings

from checks import AUDIBLE_RMS, Checks, read_wav, rms
from strict_types import faults, flatten

warnings.filterwarnings("ignore", category=DeprecationWarning)  # the async client asks for websockets.legacy

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.agent.v1 import socket_client
from deepgram.agent.v1.types import (
    AgentV1InjectUserMessage,
    AgentV1SendFunctionCallResponse,
    AgentV1Settings,
    AgentV1SettingsAgent,
    AgentV1SettingsAudio,
    AgentV1SettingsAudioInput,
    AgentV1SettingsAudioOutput,
)
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.types import ThinkSettingsV1, ThinkSettingsV1FunctionsItem, ThinkSettingsV1Provider_OpenAi

INPUT_RATE, OUTPUT_RATE = 16000, 24000
FRAME_MS = 20
GREETING = "Welcome to the bridge."
TIME = "10:42"  # nothing but the function's answer can put this into the agent's words
STEP_TIMEOUT_S = 15

# Every message class that the SDK knows, by its `type`.
KNOWN = {}
for _model in flatten(socket_client.V1SocketClientResponse):
    if _model is not bytes:
        KNOWN.setdefault(_model.model_fields["type"].default, []).append(_model)


def settings():
    return AgentV1Settings(
        audio=AgentV1SettingsAudio(
            input=AgentV1SettingsAudioInput(encoding="linear16", sample_rate=INPUT_RATE),
            output=AgentV1SettingsAudioOutput(encoding="linear16", sample_rate=OUTPUT_RATE, container="none"),
        ),
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


class Transcript:
    """What the SDK handed out, in order, beside the raw text it made it from."""

    def __init__(self, loop, out):
        self.loop, self.out, self.changed, self.messages, self.faults = loop, out, asyncio.Event(), [], []
        self.closed, self.position, self.raw = False, 0, None

    def tap(self, websocket):
        """Both clients iterate over their socket, and that iteration calls `recv`."""
        receive = websocket.recv

        def keep(message):
            if self.raw is not None:
                self.faults.append(f"the SDK dropped {self.raw}")
            self.raw = message
            self.record(message)
            return message

        async def receive_async(*args, **kwargs):
            return keep(await receive(*args, **kwargs))

        is_async = inspect.iscoroutinefunction(receive)
        websocket.recv = receive_async if is_async else lambda *args, **kwargs: keep(receive(*args, **kwargs))

    def record(self, message):
        """One line in the form of the recorder."""
        if self.out:
            raw = None if isinstance(message, bytes) else message
            print(json.dumps({"connection": 1, "direction": "down", "raw": raw}), file=self.out, flush=True)

    def on_message(self, parsed):
        raw, self.raw = self.raw, None
        if not isinstance(parsed, bytes):
            self.faults += typing_faults(raw, parsed)
        self.loop.call_soon_threadsafe(self.add, parsed)

    def on_error(self, error):
        self.faults.append(f"the SDK reported {error!r}")

    def on_close(self, _):
        self.loop.call_soon_threadsafe(self.close)

    def add(self, parsed):
        self.messages.append(parsed)
        self.changed.set()

    def close(self):
        self.closed = True
        self.changed.set()

    async def until(self, kind, **fields):
        """The messages from the last stop up to and with the first `kind` whose fields match."""
        start = self.position
        async with asyncio.timeout(STEP_TIMEOUT_S):
            while True:
                while self.position < len(self.messages):
                    message = self.messages[self.position]
                    self.position += 1
                    if kind_of(message) == kind and all(getattr(message, k, None) == v for k, v in fields.items()):
                        return self.messages[start : self.position]
                if self.closed:
                    raise ConnectionError("closed by the gateway")
                self.changed.clear()
                await self.changed.wait()


def kind_of(message):
    if isinstance(message, bytes):
        return "audio"
    return message.get("type") if isinstance(message, dict) else message.type


def typing_faults(raw, parsed):
    """What is wrong with one message as the SDK's own types see it."""
    value = json.loads(raw)
    models = KNOWN.get(value.get("type"))
    if models is None:
        return [f"not a message of the Voice Agent protocol: {raw}"]
    if type(parsed) not in models:
        return [f"{raw} came back as {type(parsed).__name__}"]
    found = faults(type(parsed), value, value["type"])
    try:
        type(parsed).model_validate(value)
    except ValueError as error:
        found.append(str(error))
    return found


def texts(messages, role):
    return [m.content for m in messages if kind_of(m) == "ConversationText" and m.role == role]


def audio(messages):
    return b"".join(m for m in messages if isinstance(m, bytes))


class Conversation:
    def __init__(self, checks, connection, transcript, question, speed):
        self.check, self.connection, self.transcript = checks.check, connection, transcript
        self.question, self.speed = question, speed

    async def send(self, method, *message):
        result = getattr(self.connection, method)(*message)
        if inspect.isawaitable(result):
            await result

    async def run(self):
        await self.open()
        await self.typed_turn()
        await self.send("send_keep_alive")
        await self.spoken_turn()

    async def open(self):
        first = await self.transcript.until("Welcome")
        self.check("Welcome comes first", len(first) == 1 and first[0].request_id, first)
        await self.send("send_settings", settings())
        applied = await self.transcript.until("SettingsApplied")
        self.check("SettingsApplied", len(applied) == 1, applied)
        greeting = await self.transcript.until("AgentAudioDone")
        self.check("greeting", texts(greeting, "assistant") == [GREETING], greeting)

    async def typed_turn(self):
        await self.send("send_inject_user_message", AgentV1InjectUserMessage(content="Hello there"))
        turn = await self.transcript.until("AgentAudioDone")
        self.check("typed turn: echo", texts(turn, "user") == ["Hello there"], texts(turn, "user"))
        self.check("typed turn: echo before the answer", kind_of(turn[0]) == "ConversationText", turn[0])
        self.check_answer("typed turn", turn)
        report = await self.transcript.until("LatencyReport")
        self.check("typed turn: LatencyReport", len(report) == 1 and report[0].total_latency > 0, report)

    async def spoken_turn(self):
        microphone = asyncio.create_task(self.speak())
        try:
            before = await self.transcript.until("UserStartedSpeaking")
            self.check("spoken turn: UserStartedSpeaking first", len(before) == 1, before)
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
        finally:
            microphone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await microphone
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

    def check_answer(self, name, turn):
        kinds = [kind_of(m) for m in turn]
        self.check(f"{name}: assistant text", any(t.strip() for t in texts(turn, "assistant")), kinds)
        samples = audio(turn)
        # A quarter of a second is less than any spoken sentence.
        long_enough = len(samples) >= OUTPUT_RATE // 4 * 2
        self.check(f"{name}: audio", long_enough and len(samples) % 2 == 0, f"{len(samples)} bytes")
        self.check(f"{name}: audio is audible", rms(samples) > AUDIBLE_RMS, f"rms {rms(samples):.0f}")
        started = [i for i, kind in enumerate(kinds) if kind == "AgentStartedSpeaking"]
        output = [i for i, m in enumerate(turn) if isinstance(m, bytes) or texts([m], "assistant")]
        # Optional in the protocol; where it comes, it comes once and first.
        in_order = len(started) <= 1 and all(s < o for s in started for o in output)
        self.check(f"{name}: AgentStartedSpeaking before text and audio", in_order, kinds)

    async def speak(self):
        """The question as a microphone would send it, then silence until cancelled: voice detection needs both."""
        frame = INPUT_RATE * FRAME_MS // 1000 * 2
        loop, start, sent = asyncio.get_running_loop(), asyncio.get_running_loop().time(), 0
        while True:
            chunk = self.question[sent * frame : (sent + 1) * frame]
            await self.send("send_media", chunk.ljust(frame, b"\0"))
            sent += 1
            # Against the start and not against the last frame, so that late wake-ups do not add up.
            await asyncio.sleep(max(0, start + sent * FRAME_MS / 1000 / self.speed - loop.time()))


def client(base, flavour):
    environment = DeepgramClientEnvironment(base=base, production=base, agent=base, agent_rest=base)
    maker = {"sync": DeepgramClient, "async": AsyncDeepgramClient}[flavour]
    return maker(api_key="not-a-real-key", environment=environment)


async def converse(checks, base, flavour, question, speed, out):
    transcript = Transcript(asyncio.get_running_loop(), out)
    async with contextlib.AsyncExitStack() as stack:
        opening = client(base, flavour).agent.v1.connect()
        if flavour == "sync":
            connection = stack.enter_context(opening)
        else:
            connection = await stack.enter_async_context(opening)
        websocket = connection._websocket
        transcript.tap(websocket)
        for event in (EventType.MESSAGE, EventType.ERROR, EventType.CLOSE):
            connection.on(event, getattr(transcript, f"on_{event.value}"))
        listen = connection.start_listening
        listening = asyncio.create_task(asyncio.to_thread(listen) if flavour == "sync" else listen())
        checks.check("connect", True)
        try:
            await Conversation(checks, connection, transcript, question, speed).run()
        except (TimeoutError, ConnectionError) as error:
            seen = [kind_of(m) for m in transcript.messages]
            checks.check("conversation", False, f"{error or 'nothing came for %d s' % STEP_TIMEOUT_S}, after {seen}")
    await listening
    checks.check("close code 1000", websocket.close_code == 1000, websocket.close_code)
    trouble = [m for m in transcript.messages if kind_of(m) in ("Error", "Warning")]
    checks.check("no Error and no Warning", not trouble, trouble)
    checks.check("every message fits the SDK's types", not transcript.faults, "; ".join(transcript.faults[:5]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--base", required=True, help="ws://HOST:PORT of the gateway; the SDK adds its own path")
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
            asyncio.run(converse(checks, args.base, args.client, question, args.speed, out))
    except Exception as error:  # whatever it is, the line has to be printed: it is what is counted
        checks.check("run", False, repr(error))
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
