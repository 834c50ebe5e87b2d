"""A session with the gateway through Deepgram's official Python SDK, in its synchronous or its asynchronous client.

The SDK is used as its own users use it (typed messages, its own path, its own WebSocket library); the gateway has to
fit it, not the other way round. Knows nothing of what is said in a session.
"""

import asyncio
import contextlib
import inspect
import json
import warnings

from checks import AUDIBLE_RMS, rms
from strict_types import faults, flatten

warnings.filterwarnings("ignore", category=DeprecationWarning)  # the async client asks for websockets.legacy

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.agent.v1 import socket_client
from deepgram.agent.v1.types import (
    AgentV1SettingsAudio,
    AgentV1SettingsAudioInput,
    AgentV1SettingsAudioOutput,
    ConversationHistoryMessage,
)
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment

INPUT_RATE, OUTPUT_RATE = 16000, 24000
STEP_TIMEOUT_S = 15

# What the SDK is given in place of a key. No upstream may ever see it.
CLIENT_KEY = "not-a-real-key"


def vocabulary(response):
    """Every message class of a socket client's union, by its `type`."""
    known = {}
    for model in flatten(response):
        if model is not bytes:
            known.setdefault(model.model_fields["type"].default, []).append(model)
    return known


AGENT = vocabulary(socket_client.V1SocketClientResponse)


class Transcript:
    """What the SDK handed out, in order, beside the raw text it made it from."""

    def __init__(self, loop, number=0, out=None, known=AGENT):
        self.loop, self.number, self.out, self.known = loop, number, out, known
        self.changed, self.messages, self.faults = asyncio.Event(), [], []
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
            line = {"connection": self.number, "direction": "down", "raw": raw}
            print(json.dumps(line), file=self.out, flush=True)

    def on_message(self, parsed):
        raw, self.raw = self.raw, None
        if not isinstance(parsed, bytes):
            self.faults += typing_faults(self.known, raw, parsed)
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

    async def ended(self):
        """The messages from the last stop up to the close, which has to be the gateway's."""
        async with asyncio.timeout(STEP_TIMEOUT_S):
            while not self.closed:
                self.changed.clear()
                await self.changed.wait()
        start, self.position = self.position, len(self.messages)
        return self.messages[start:]


def kind_of(message):
    if isinstance(message, bytes):
        return "audio"
    return message.get("type") if isinstance(message, dict) else message.type


def typing_faults(known, raw, parsed):
    """What is wrong with one message as the SDK's own types see it."""
    value = json.loads(raw)
    models = known.get(value.get("type"))
    if models is None:
        return [f"not a message of the protocol: {raw}"]
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


def audio_settings():
    return AgentV1SettingsAudio(
        input=AgentV1SettingsAudioInput(encoding="linear16", sample_rate=INPUT_RATE),
        output=AgentV1SettingsAudioOutput(encoding="linear16", sample_rate=OUTPUT_RATE, container="none"),
    )


class Conversation:
    """What is said in one session: a subclass's `run`."""

    # Stands before the names of the checks.
    title = ""
    # Codes of the Errors and Warnings that the session has to bring.
    trouble, trouble_kinds = (), ("Error", "Warning")
    # Whether each text is followed by its History; None where there is no such thing.
    history = True
    # Seconds of audio in a message.
    frame_s = 0.02

    def __init__(self, checks, connection, transcript):
        self.checks, self.connection, self.transcript = checks, connection, transcript
        # Audio that has gone to the SDK.
        self.sent = bytearray()

    def check(self, name, passed, why=""):
        return self.checks.check(self.title + name, passed, why)

    async def send(self, method, *message):
        result = getattr(self.connection, method)(*message)
        if inspect.isawaitable(result):
            await result

    @contextlib.asynccontextmanager
    async def speaking(self, audio, speed):
        """A microphone that is on: the audio at `speed` times real time, then silence; voice detection needs both."""
        microphone = asyncio.create_task(self.speak(audio, speed))
        try:
            yield
        finally:
            microphone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await microphone

    async def speak(self, audio, speed):
        frame = int(INPUT_RATE * self.frame_s) * 2
        loop, start, sent = asyncio.get_running_loop(), asyncio.get_running_loop().time(), 0
        while True:
            chunk = audio[sent * frame : (sent + 1) * frame].ljust(frame, b"\0")
            self.sent += chunk
            await self.send("send_media", chunk)
            sent += 1
            # Against the start and not against the last frame, so that late wake-ups do not add up.
            await asyncio.sleep(max(0, start + sent * self.frame_s / speed - loop.time()))

    async def open(self, settings):
        first = await self.transcript.until("Welcome")
        self.check("Welcome comes first", len(first) == 1 and first[0].request_id, first)
        await self.send("send_settings", settings)
        applied = await self.transcript.until("SettingsApplied")
        self.check("SettingsApplied", len(applied) == 1, applied)

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

    def check_whole(self):
        """What holds of every session, once it is over."""
        messages, faults = self.transcript.messages, self.transcript.faults
        codes = [m.code for m in messages if kind_of(m) in self.trouble_kinds]
        if self.trouble:
            self.check("no other Error and no other Warning", codes == list(self.trouble), codes)
        else:
            self.check("no Error and no Warning", not codes, codes)
        self.check("every message fits the SDK's types", not faults, "; ".join(faults[:5]))
        told = [(m.role, m.content) for m in messages if kind_of(m) == "ConversationText"]
        kept = [(m.role, m.content) for m in messages if type(m) is ConversationHistoryMessage]
        if self.history is None:
            return
        if self.history:
            self.check("History: each text once, in order", told and kept == told, kept)
        else:
            history = [m for m in messages if kind_of(m) == "History"]
            self.check("no History", told and not history, history)


def client(base, flavour):
    environment = DeepgramClientEnvironment(base=base, production=base, agent=base, agent_rest=base)
    maker = {"sync": DeepgramClient, "async": AsyncDeepgramClient}[flavour]
    return maker(api_key=CLIENT_KEY, environment=environment)


async def converse(base, flavour, transcript, make_conversation):
    """One session with the agent: `make_conversation(connection, transcript)` says what is said in it."""
    await hold(client(base, flavour).agent.v1.connect(), flavour, transcript, make_conversation)


async def hold(opening, flavour, transcript, make_conversation):
    """One session over the connection that the SDK's `connect` opens."""
    async with contextlib.AsyncExitStack() as stack:
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
        conversation = make_conversation(connection, transcript)
        conversation.check("connect", True)
        try:
            await conversation.run()
        except (TimeoutError, ConnectionError) as error:
            seen = [kind_of(m) for m in transcript.messages]
            why = f"{error or 'nothing came for %d s' % STEP_TIMEOUT_S}, after {seen}"
            conversation.check("conversation", False, why)
    await listening
    conversation.check("close code 1000", websocket.close_code == 1000, websocket.close_code)
    conversation.check_whole()
