"""Live transcription through the Python SDK's own listen clients: version 1, version 2 (Flux), and a WAV file."""

import asyncio
import hashlib

from sdk_session import INPUT_RATE, Conversation, Transcript, client, hold, kind_of, vocabulary

from deepgram.listen.v1 import socket_client as listen_v1
from deepgram.listen.v1.types import ListenV1Configure
from deepgram.listen.v2 import socket_client as listen_v2
from deepgram.listen.v2.types import ListenV2Configure, ListenV2ConfigureThresholds

QUESTION = "What time is it?"
KEYTERMS = ["voxbridge", "web component"]
RAW = {"encoding": "linear16", "sample_rate": INPUT_RATE}
# The simulator closes a session of version 1 in which so long neither audio nor a KeepAlive came.
NET_TIMEOUT_MS = 2000


class Listening(Conversation):
    trouble_kinds = ("Error", "Warning", "ConfigureFailure")
    history = None
    # The bytes of a WAV file that are not samples.
    header_bytes = 0

    def __init__(self, title, question, speed, checks, connection, transcript):
        super().__init__(checks, connection, transcript)
        self.title, self.question, self.speed = f"{title}: ", question, speed

    @property
    def sent_s(self):
        return (len(self.sent) - self.header_bytes) / 2 / INPUT_RATE

    def of_kind(self, kind):
        return [m for m in self.transcript.messages if kind_of(m) == kind]

    def check_words(self, words):
        """Every word lies within the audio, after the one before."""
        times = [time for word in words for time in (word.start, word.end)]
        inside = times and 0 <= times[0] and times[-1] <= self.sent_s
        spoken = all(word.start < word.end for word in words)
        self.check("words lie in the audio, in order", inside and spoken and times == sorted(times), times)

    def check_ids(self):
        ids = {m.request_id if hasattr(m, "request_id") else m.metadata.request_id for m in self.identified()}
        self.check("one request id", len(ids) == 1 and all(ids), ids)


class ListenV1(Listening):
    parameters = RAW | {
        "model": "nova-3",
        "interim_results": "true",
        "vad_events": "true",
        "utterance_end_ms": 1000,
        "smart_format": "true",
        "keyterm": KEYTERMS,
    }
    options = {"net_timeout_ms": NET_TIMEOUT_MS}

    @classmethod
    def connect(cls, sdk, **more):
        options = {"additional_query_parameters": cls.options | more}
        return sdk.listen.v1.connect(**cls.parameters, request_options=options)

    known = vocabulary(listen_v1.V1SocketClientResponse)

    async def run(self):
        await self.utterance()
        await self.silence()
        await self.cut_utterance()
        await self.send("send_configure", ListenV1Configure(keyterms=["gate"], features={"numerals": True}))
        configured = (await self.transcript.until("ConfigureSuccess"))[-1]
        self.check("ConfigureSuccess", configured.keyterms == ["gate"], configured)
        await self.close()

    async def utterance(self):
        async with self.speaking(self.question, self.speed):
            heard = await self.transcript.until("UtteranceEnd")
        kinds = [kind_of(m) for m in heard]
        worded = [i for i, m in enumerate(heard) if kind_of(m) == "Results" and transcript_of(m)]
        first = kinds.count("SpeechStarted") == 1 and kinds.index("SpeechStarted") < worded[0]
        self.check("SpeechStarted once, before the first words", first, kinds)
        results = [heard[i] for i in worded]
        interim = [transcript_of(m) for m in results if not m.is_final]
        self.check("interim results begin the transcript", interim and all(map(QUESTION.startswith, interim)), interim)
        finals = [m for m in results if m.is_final]
        self.check("speech_final at the pause", any(m.speech_final for m in finals), finals)
        end = finals[-1].channel.alternatives[0].words[-1].end
        self.check("UtteranceEnd names the last word's end", heard[-1].last_word_end == end, (heard[-1], end))

    async def silence(self):
        """Longer than the simulator waits for audio: only KeepAlive holds the session."""
        before = len(self.transcript.messages)
        for _ in range(5):
            await self.send("send_keep_alive")
            await asyncio.sleep(NET_TIMEOUT_MS / 1000 / 4)
        await self.send("send_keep_alive")
        more = self.transcript.messages[before:]
        self.check("KeepAlive holds a silent session", not self.transcript.closed and not more, more)

    async def cut_utterance(self):
        async with self.speaking(self.question, self.speed):
            message = None
            while message is None or not transcript_of(message):
                message = (await self.transcript.until("Results"))[-1]
        await self.send("send_finalize")
        final = (await self.transcript.until("Results", from_finalize=True))[-1]
        self.check("Finalize ends what is being said", transcript_of(final) == QUESTION, final)

    async def close(self):
        await self.send("send_close_stream")
        last = await self.transcript.ended()
        self.check("Metadata is the last message", last and kind_of(last[-1]) == "Metadata", last)
        sent = hashlib.sha256(self.sent).hexdigest()
        self.check("upstream has had the very bytes", last[-1].sha256 == sent, (last[-1].sha256, sent))
        self.check("Metadata: duration", last[-1].duration == self.sent_s, (last[-1].duration, self.sent_s))
        self.check("Metadata: channels", last[-1].channels == 1, last[-1])

    def identified(self):
        return self.of_kind("Results") + self.of_kind("Metadata")

    said = f"{QUESTION} {QUESTION}"

    def check_whole(self):
        super().check_whole()
        finals = [m for m in self.of_kind("Results") if m.is_final]
        text = " ".join(filter(None, map(transcript_of, finals)))
        self.check("the transcript", text == self.said, text)
        self.check_words([word for m in finals for word in m.channel.alternatives[0].words])
        # One begins where the one before ends, within a sample.
        starts, ends = [m.start for m in finals], [0.0] + [m.start + m.duration for m in finals]
        joined = all(abs(start - end) < 1 / INPUT_RATE for start, end in zip(starts, ends))
        whole = abs(ends[-1] - self.sent_s) < 1 / INPUT_RATE
        self.check("final results cover the audio without a gap", starts and joined and whole, (starts, ends))
        self.check_ids()


class WavFile(ListenV1):
    """A file as it is, without a word on what is in it; read faster than it plays."""

    parameters, options = {"model": "nova-3", "smart_format": "true"}, {}
    said = QUESTION
    header_bytes = 44

    async def run(self):
        for start in range(0, len(self.question), 3001):  # an odd size, so that samples are cut
            self.sent += self.question[start : start + 3001]
            await self.send("send_media", self.question[start : start + 3001])
        await self.close()


class ListenV2(Listening):
    frame_s = 0.08
    parameters = RAW | {"model": "flux-general-en", "eot_threshold": 0.7, "keyterm": KEYTERMS}
    known = vocabulary(listen_v2.V2SocketClientResponse)

    @classmethod
    def connect(cls, sdk, **more):
        return sdk.listen.v2.connect(**cls.parameters, request_options={"additional_query_parameters": more})

    async def run(self):
        first = await self.transcript.until("Connected")
        self.check("Connected comes first", len(first) == 1 and first[0].request_id, first)
        async with self.speaking(self.question, self.speed):
            turn = await self.transcript.until("TurnInfo", event="EndOfTurn")
        self.check_turn("turn", 0, "model", turn)
        thresholds = ListenV2ConfigureThresholds(eot_timeout_ms=2500)
        await self.send("send_configure", ListenV2Configure(thresholds=thresholds, keyterms=["gate"]))
        configured = (await self.transcript.until("ConfigureSuccess"))[-1]
        changed = (configured.thresholds.eot_threshold, configured.thresholds.eot_timeout_ms, configured.keyterms)
        self.check("Configure changes what it names", changed == (0.7, 2500, ["gate"]), configured)
        async with self.speaking(self.question, self.speed):
            turn = await self.transcript.until("TurnInfo", event="Update")
        await self.send("send_force_end_turn")
        turn += await self.transcript.until("TurnInfo", event="EndOfTurn")
        self.check_turn("forced turn", 1, "manual", turn)
        await self.send("send_close_stream")
        rest = await self.transcript.ended()
        self.check("nothing follows the last turn", not rest, rest)

    def check_turn(self, name, index, trigger, turn):
        events = [m.event for m in turn]
        ordered = events[0] == "StartOfTurn" and set(events[1:-1]) == {"Update"} and events[-1] == "EndOfTurn"
        self.check(f"{name}: StartOfTurn, Update, EndOfTurn", ordered, events)
        indices = {m.turn_index for m in turn}
        self.check(f"{name}: index", indices == {index}, indices)
        self.check(f"{name}: trigger", turn[-1].trigger == trigger, turn[-1])
        self.check(f"{name}: the transcript", turn[-1].transcript == QUESTION, turn[-1].transcript)

    def identified(self):
        return self.transcript.messages

    def check_whole(self):
        super().check_whole()
        numbers = [m.sequence_id for m in self.transcript.messages]
        self.check("sequence_id counts every message", numbers == list(range(len(numbers))), numbers)
        turns = self.of_kind("TurnInfo")
        ends = [m for m in turns if m.event == "EndOfTurn"]
        self.check_words([word for m in ends for word in m.words])
        windows = [(m.audio_window_start, m.audio_window_end) for m in turns]
        inside = windows and all(0 <= start < end <= self.sent_s for start, end in windows)
        self.check("windows lie in the audio", inside, windows)
        self.check_ids()


def transcript_of(results):
    return results.channel.alternatives[0].transcript


async def transcribe(kind, base, flavour, make_conversation, **query):
    """One session; `query` are parameters that the SDK has no name for."""
    transcript = Transcript(asyncio.get_running_loop(), known=kind.known)
    await hold(kind.connect(client(base, flavour), **query), flavour, transcript, make_conversation)
