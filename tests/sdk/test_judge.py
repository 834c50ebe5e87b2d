#!/usr/bin/env python3
"""Tests of the judge: a judge that lets everything pass would look like a gateway without faults."""

import base64
import copy
import json
import sys

from checks import Checks
from judge_openai import judge

PCM = base64.b64encode(bytes(960)).decode()

UPDATE = {
    "type": "session.update",
    "event_id": "e1",
    "session": {
        "type": "realtime",
        "instructions": "Be brief.",
        "output_modalities": ["audio"],
        "max_output_tokens": 400,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "idle_timeout_ms": 10000,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"voice": "marin", "speed": 1.0},
        },
        "tools": [
            {
                "type": "function",
                "name": "get_current_time",
                "description": "The time",
                "parameters": {"type": "object", "properties": {"zone": {"type": "string", "default": None}}},
            }
        ],
        "tool_choice": "auto",
    },
}
SEMANTIC = {"type": "semantic_vad", "eagerness": "auto", "create_response": True, "interrupt_response": True}
UPDATED = {"type": "session.updated", "event_id": "s1", "session": {"type": "realtime"}}
MESSAGE = {
    "type": "conversation.item.create",
    "event_id": "e2",
    "item": {"type": "message", "role": "user", "id": "item_1", "content": [{"type": "input_text", "text": "Hi"}]},
}
OUTPUT = {
    "type": "conversation.item.create",
    "event_id": "e2",
    "item": {"type": "function_call_output", "call_id": "call_1", "output": "{}"},
}
APPEND = {"type": "input_audio_buffer.append", "event_id": "e2", "audio": PCM}
CREATE = {"type": "response.create", "event_id": "e2", "response": {"instructions": "Say it."}}
TRUNCATE = {
    "type": "conversation.item.truncate",
    "event_id": "e2",
    "item_id": "item_2",
    "content_index": 0,
    "audio_end_ms": 640,
}
CANCEL = {"type": "response.cancel", "event_id": "e2", "response_id": "resp_1"}

# As the server sends it, with the fields and nulls that only the server has.
CREATED = {
    "type": "session.created",
    "event_id": "s0",
    "session": {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "expires_at": 1790003600,
        "model": "gpt-realtime",
        "audio": {"input": {"transcription": None, "turn_detection": None}},
        "tracing": None,
    },
}
DONE = {
    "type": "response.done",
    "event_id": "s2",
    "response": {
        "id": "resp_1",
        "object": "realtime.response",
        "status": "completed",
        "status_details": None,
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "id": "item_2",
                "object": "realtime.item",
                "status": "completed",
                "content": [{"type": "output_audio", "transcript": "Hello"}],
            }
        ],
    },
}
DELTA = {
    "type": "response.output_audio.delta",
    "event_id": "s3",
    "response_id": "resp_1",
    "item_id": "item_2",
    "output_index": 0,
    "content_index": 0,
    "delta": PCM,
}
ABSENT = object()


def changed(event, path, value):
    """A copy with the value at a path such as `session.tools.0.name` replaced, or removed if ABSENT."""
    event = copy.deepcopy(event)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = event
    for key in parents:
        place = place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return event


def faults_of(*entries):
    """All faults of a recording made of (direction, event) pairs; an event may be raw text, or None for binary."""
    lines = []
    for direction, event in entries:
        raw = event if event is None or isinstance(event, str) else json.dumps(event)
        lines.append(json.dumps({"connection": 1, "direction": direction, "raw": raw}))
    return [fault for _, found in judge(lines).values() for fault in found]


def after_setup(event):
    return [("up", UPDATE), ("down", UPDATED), ("up", event)]


SESSION_BAD = {
    "unknown field": ("session.colour", "blue"),
    "unknown field deep inside": ("session.audio.input.turn_detection.model_version", "x"),
    "beta field": ("session.voice", "marin"),
    "temperature": ("session.temperature", 0.8),
    "model": ("session.model", "gpt-realtime"),
    "no session type": ("session.type", ABSENT),
    "both modalities": ("session.output_modalities", ["text", "audio"]),
    "no modality": ("session.output_modalities", []),
    "unknown modality": ("session.output_modalities", ["video"]),
    "max_output_tokens 0": ("session.max_output_tokens", 0),
    "max_output_tokens 5000": ("session.max_output_tokens", 5000),
    "max_output_tokens as a float": ("session.max_output_tokens", 400.0),
    "max_output_tokens as text": ("session.max_output_tokens", "400"),
    "speed 2": ("session.audio.output.speed", 2),
    "threshold 1.5": ("session.audio.input.turn_detection.threshold", 1.5),
    "idle_timeout_ms 100": ("session.audio.input.turn_detection.idle_timeout_ms", 100),
    "idle_timeout_ms null": ("session.audio.input.turn_detection.idle_timeout_ms", None),
    "turn detection without interrupt_response": (
        "session.audio.input.turn_detection.interrupt_response",
        ABSENT,
    ),
    "unknown turn detection": ("session.audio.input.turn_detection.type", "magic_vad"),
    "rate 16000": ("session.audio.input.format.rate", 16000),
    "rate as a float": ("session.audio.input.format.rate", 24000.0),
    "no rate": ("session.audio.input.format.rate", ABSENT),
    "no format": ("session.audio.input.format", ABSENT),
    "no transcription": ("session.audio.input.transcription", ABSENT),
    "transcription null": ("session.audio.input.transcription", None),
    "noise_reduction null": ("session.audio.input.noise_reduction", None),
    "turn_detection missing": ("session.audio.input.turn_detection", ABSENT),
    "instructions null": ("session.instructions", None),
    "prompt null": ("session.prompt", None),
    "tool name with a space": ("session.tools.0.name", "get time"),
    "tool name too long": ("session.tools.0.name", "a" * 65),
    "tool with strict": ("session.tools.0.strict", True),
    "tool without a type": ("session.tools.0.type", ABSENT),
    "tool parameters as text": ("session.tools.0.parameters", "{}"),
    "unknown tool_choice": ("session.tool_choice", "maybe"),
    "boolean as a number": ("session.audio.input.turn_detection.create_response", 1),
    "no event_id": ("event_id", ABSENT),
    "event_id null": ("event_id", None),
    "event_id too long": ("event_id", "e" * 513),
}
LATER_BAD = {
    "unknown event": changed(APPEND, "type", "input_audio_buffer.push"),
    "old event": changed(APPEND, "type", "transcription_session.update"),
    "transcription session": {"type": "session.update", "event_id": "e2", "session": {"type": "transcription"}},
    "WebRTC event": {"type": "output_audio_buffer.clear", "event_id": "e2"},
    "repeated event_id": changed(APPEND, "event_id", "e1"),
    "odd audio": changed(APPEND, "audio", base64.b64encode(bytes(961)).decode()),
    "empty audio": changed(APPEND, "audio", ""),
    "audio in the URL alphabet": changed(APPEND, "audio", "-_-_"),
    "audio without padding": changed(APPEND, "audio", "AAA"),
    "append with another field": changed(APPEND, "format", "pcm16"),
    "item id of 33": changed(MESSAGE, "item.id", "i" * 33),
    "item without content": changed(MESSAGE, "item.content", []),
    "item without role": changed(MESSAGE, "item.role", ABSENT),
    "part without text": changed(MESSAGE, "item.content.0.text", ABSENT),
    "part of the wrong type": changed(MESSAGE, "item.content.0.type", "text"),
    "part without type": changed(MESSAGE, "item.content.0.type", ABSENT),
    "previous_item_id null": changed(MESSAGE, "previous_item_id", None),
    "output as an object": changed(OUTPUT, "item.output", {"time": "10:00"}),
    "output without call_id": changed(OUTPUT, "item.call_id", ABSENT),
    "truncate at a float": changed(TRUNCATE, "audio_end_ms", 640.5),
    "truncate at a negative time": changed(TRUNCATE, "audio_end_ms", -1),
    "truncate of part 1": changed(TRUNCATE, "content_index", 1),
    "response with both modalities": changed(CREATE, "response.output_modalities", ["text", "audio"]),
    "response with a temperature": changed(CREATE, "response.temperature", 0.8),
    "response null": changed(CREATE, "response", None),
    "text that is no JSON": "{",
    "JSON that is no object": "[]",
    "binary frame": None,
}
GOOD = {
    "message": MESSAGE,
    "function output": OUTPUT,
    "append": APPEND,
    "response.create": CREATE,
    "response.create without a response": {"type": "response.create", "event_id": "e2"},
    "truncate to nothing": changed(TRUNCATE, "audio_end_ms", 0),
    "cancel": CANCEL,
    "commit": {"type": "input_audio_buffer.commit", "event_id": "e2"},
    "later update of one field": {
        "type": "session.update",
        "event_id": "e2",
        "session": {"type": "realtime", "instructions": "Be long."},
    },
}
UPDATE_GOOD = {
    "as it is": UPDATE,
    "manual": changed(UPDATE, "session.audio.input.turn_detection", None),
    "semantic": changed(UPDATE, "session.audio.input.turn_detection", SEMANTIC),
    "unlimited": changed(UPDATE, "session.max_output_tokens", "inf"),
    "custom voice": changed(UPDATE, "session.audio.output.voice", {"id": "voice_1"}),
    "G.711": changed(UPDATE, "session.audio.input.format", {"type": "audio/pcmu"}),
    "forced tool": changed(UPDATE, "session.tool_choice", {"type": "function", "name": "get_current_time"}),
    "stored prompt": changed(UPDATE, "session.prompt", {"id": "pmpt_1", "variables": {"name": "Ann"}}),
}
DOWN_BAD = {
    "no event_id": changed(DONE, "event_id", ABSENT),
    "unknown event": changed(DONE, "type", "response.finished"),
    "beta name": changed(DELTA, "type", "response.audio.delta"),
    "unknown status": changed(DONE, "response.status", "finished"),
    "unknown field in an item": changed(DONE, "response.output.0.mood", "good"),
    "item of no known type": changed(DONE, "response.output.0.type", "speech"),
    "delta without item_id": changed(DELTA, "item_id", ABSENT),
    "delta that is a number": changed(DELTA, "delta", 7),
    "odd delta": changed(DELTA, "delta", base64.b64encode(bytes(3)).decode()),
    "session with an unknown field": changed(CREATED, "session.voice", "marin"),
    "session with a text as expires_at": changed(CREATED, "session.expires_at", "soon"),
}


def main():
    checks = Checks("judge: ")
    for name, event in UPDATE_GOOD.items():
        found = faults_of(("up", event))
        checks.check(f"good update, {name}", not found, found)
    for name, event in GOOD.items():
        found = faults_of(*after_setup(event))
        checks.check(f"good {name}", not found, found)
    for event in (CREATED, UPDATED, DONE, DELTA):
        found = faults_of(("down", event))
        checks.check(f"good {event['type']}", not found, found)
    for name, (path, value) in SESSION_BAD.items():
        found = faults_of(("up", changed(UPDATE, path, value)))
        # The fault has to be the one that was planted, not a second one somewhere else.
        key = path.split(".")[-1]
        checks.check(f"catches {name}", any(key in fault for fault in found), found)
    for name, event in LATER_BAD.items():
        found = faults_of(*after_setup(event))
        checks.check(f"catches {name}", found and all("line 3:" in fault for fault in found), found)
    for name, event in DOWN_BAD.items():
        checks.check(f"catches from upstream: {name}", faults_of(("down", event)), "nothing found")
    # DELTA is 20 ms of PCM.
    for name, ms, item, good in [
        ("good truncation at the end", 20, "item_2", True),
        ("catches a truncation past the end", 21, "item_2", False),
        ("catches a truncation of an item without audio", 1, "item_3", False),
    ]:
        event = changed(changed(TRUNCATE, "audio_end_ms", ms), "item_id", item)
        found = faults_of(("up", UPDATE), ("down", UPDATED), ("down", DELTA), ("up", event))
        checks.check(name, not found if good else any("audio_end_ms" in fault for fault in found), found)
    early = faults_of(("up", UPDATE), ("up", APPEND))
    checks.check("catches audio before session.updated", early, "nothing found")
    unconfigured = faults_of(("up", APPEND))
    checks.check("catches audio before session.update", unconfigured, "nothing found")
    g711 = changed(UPDATE, "session.audio.input.format", {"type": "audio/pcmu"})
    odd = changed(APPEND, "audio", base64.b64encode(bytes(161)).decode())
    found = faults_of(("up", g711), ("down", UPDATED), ("up", odd))
    checks.check("an odd number of G.711 bytes is good", not found, found)
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
