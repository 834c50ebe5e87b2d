#!/usr/bin/env python3
"""Judges a recording of recorder.py by OpenAI's own types, strictly.

Each "up" line is what the gateway sent: it has to be a client event of the `openai` package, without unknown fields,
wrong values or needless nulls, and within the limits that the API documents but the types do not say. With --down, the
simulator's events are judged as well, so that the gateway is not tested against an API that does not exist.
One line per direction and event type: `ok …` or `not ok …: why`.
"""

import argparse
import base64
import binascii
import collections
import json
import re
import sys
import typing

from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent, RealtimeSessionCreateResponse

from checks import Checks
from strict_types import faults, flatten

ID_LIMIT, EVENT_ID_LIMIT, APPEND_LIMIT = 32, 512, 15 * 1024 * 1024
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# WebRTC and SIP only; an error on a WebSocket.
NOT_ON_A_WEBSOCKET = {"output_audio_buffer.clear"}
# Manual turn detection is the only null that the gateway has a reason to send.
NULL_ALLOWED = {"session.audio.input.turn_detection"}
TURN_DETECTION_FIELDS = {
    "server_vad": {"threshold", "prefix_padding_ms", "silence_duration_ms", "create_response", "interrupt_response"},
    "semantic_vad": {"eagerness", "create_response", "interrupt_response"},
}
# A session as the server shows it has these beside what a client may set.
SERVER_ONLY = {name: RealtimeSessionCreateResponse.model_fields[name] for name in ("id", "object", "expires_at")}


def by_type(union):
    models = {}
    for model in flatten(union):
        models[typing.get_args(model.model_fields["type"].annotation)[0]] = model
    return models


CLIENT_EVENTS, SERVER_EVENTS = by_type(RealtimeClientEvent), by_type(RealtimeServerEvent)


class Connection:
    """What earlier events of one connection say about later ones."""

    def __init__(self):
        self.event_ids, self.configured, self.sent_update = set(), False, False
        self.input_format = self.output_format = "audio/pcm"
        # Milliseconds of audio that each item has, as far as upstream has sent it.
        self.audio_ms = collections.Counter()

    def up(self, event):
        kind, found = event.get("type"), []
        if kind not in CLIENT_EVENTS or kind in NOT_ON_A_WEBSOCKET:
            return [f"{kind}: no client event"]
        found += faults(CLIENT_EVENTS[kind], event, null_allowed=NULL_ALLOWED.__contains__)
        found += self.event_id_faults(event)
        # Value rules read the fields that the types have approved.
        found = found or self.rules(kind, event)
        # A server that configures itself may say so before the first update.
        if kind != "session.update" and not self.configured:
            found.append("sent before session.updated")
        if kind == "session.update":
            self.sent_update = True
        return found

    def down(self, event):
        kind, found = event.get("type"), []
        self.count_audio(event)
        if kind not in SERVER_EVENTS:
            return [f"{kind}: no server event"]
        self.configured = self.configured or kind == "session.updated"
        if kind in ("session.created", "session.updated") and isinstance(event.get("session"), dict):
            session = event["session"]
            for name, field in SERVER_ONLY.items():
                if name in session:
                    found += faults(field.annotation, session[name], f"session.{name}")
            event = event | {"session": {k: v for k, v in session.items() if k not in SERVER_ONLY}}
        found += faults(SERVER_EVENTS[kind], event)
        if not found and kind == "response.output_audio.delta":
            found += audio_faults(event["delta"], "delta", self.output_format)
        return found

    def count_audio(self, event):
        """Counts the audio of an event that may be no good one: the mocks of the black-box tests leave much out."""
        text, bytes_per_ms = event.get("delta"), 48 if self.output_format == "audio/pcm" else 8
        if event.get("type") != "response.output_audio.delta" or not isinstance(text, str):
            return
        if not audio_faults(text, "", None):
            self.audio_ms[event.get("item_id")] += len(base64.b64decode(text)) / bytes_per_ms

    def event_id_faults(self, event):
        event_id = event.get("event_id")
        if not isinstance(event_id, str) or not 1 <= len(event_id) <= EVENT_ID_LIMIT:
            return [f"event_id: {event_id!r} is no id of 1 to {EVENT_ID_LIMIT} characters"]
        if event_id in self.event_ids:
            return [f"event_id: {event_id} twice"]
        self.event_ids.add(event_id)
        return []

    def rules(self, kind, event):
        if kind == "session.update":
            return self.session_rules(event["session"])
        if kind == "input_audio_buffer.append":
            return audio_faults(event["audio"], "audio", self.input_format)
        if kind == "conversation.item.create":
            return item_rules(event["item"], "item")
        if kind == "conversation.item.truncate":
            found = [] if event["content_index"] == 0 else [f"content_index: {event['content_index']} is not 0"]
            # What has not come yet when the gateway decides cannot have been heard.
            return found + range_faults(event, "audio_end_ms", 0, self.audio_ms[event["item_id"]])
        if kind == "response.create":
            response = event.get("response") or {}
            found = common_rules(response, "response.")
            for i, item in enumerate(response.get("input") or []):
                found += item_rules(item, f"response.input[{i}]")
            return found
        return []

    def session_rules(self, session):
        if session["type"] != "realtime":
            return [f"session.type: {session['type']}"]
        found = [f"session.{name}: not for session.update" for name in ("model", "temperature") if name in session]
        audio = session.get("audio", {})
        source, output = audio.get("input", {}), audio.get("output", {})
        if not self.sent_update:
            for name in ("format", "turn_detection", "transcription"):
                if name not in source:
                    found.append(f"session.audio.input.{name}: missing in the first update")
        for path, part in (("session.audio.input.", source), ("session.audio.output.", output)):
            if "format" in part:
                found += format_faults(part["format"], f"{path}format")
        detection = source.get("turn_detection")
        if detection is not None:
            for name in sorted(TURN_DETECTION_FIELDS[detection["type"]] - set(detection)):
                found.append(f"session.audio.input.turn_detection.{name}: missing")
            path = "session.audio.input.turn_detection."
            found += range_faults(detection, "threshold", 0, 1, path)
            found += range_faults(detection, "prefix_padding_ms", 0, None, path)
            found += range_faults(detection, "silence_duration_ms", 0, None, path)
            found += range_faults(detection, "idle_timeout_ms", 5000, 30000, path)
        found += range_faults(output, "speed", 0.25, 1.5, "session.audio.output.")
        self.input_format = source.get("format", {}).get("type", self.input_format)
        self.output_format = output.get("format", {}).get("type", self.output_format)
        return found + common_rules(session, "session.")


def common_rules(value, path):
    """The fields that a session and a response share."""
    found = []
    if "output_modalities" in value and len(value["output_modalities"]) != 1:
        found.append(f"{path}output_modalities: {value['output_modalities']} is not one of text and audio")
    if value.get("max_output_tokens") != "inf":
        found += range_faults(value, "max_output_tokens", 1, 4096, path)
    for i, tool in enumerate(value.get("tools") or []):
        where = f"{path}tools[{i}]"
        if tool.get("type") not in ("function", "mcp"):
            found.append(f"{where}.type: missing")
        if tool.get("type") == "function":
            if not FUNCTION_NAME.fullmatch(tool.get("name") or ""):
                found.append(f"{where}.name: {tool.get('name')!r} is no function name")
            if not isinstance(tool.get("parameters", {}), dict):
                found.append(f"{where}.parameters: no object")
    return found


def item_rules(item, path):
    found = []
    if "id" in item and not 1 <= len(item["id"]) <= ID_LIMIT:
        found.append(f"{path}.id: {item['id']!r} is not 1 to {ID_LIMIT} characters long")
    if item["type"] == "message":
        if not item["content"]:
            found.append(f"{path}.content: empty")
        for i, part in enumerate(item["content"]):
            where = f"{path}.content[{i}]"
            if "type" not in part:
                found.append(f"{where}.type: missing")
            elif part["type"] in ("input_text", "output_text") and "text" not in part:
                found.append(f"{where}.text: missing")
            elif part["type"] == "output_audio":
                found.append(f"{where}: the API takes no assistant audio")
    return found


def format_faults(value, path):
    if "type" not in value:
        return [f"{path}.type: missing"]
    if value["type"] == "audio/pcm" and value.get("rate") != 24000:
        return [f"{path}.rate: {value.get('rate')} is not 24000"]
    return []


def range_faults(value, name, low, high, path=""):
    number = value.get(name)
    if number is None or low <= number and (high is None or number <= high):
        return []
    return [f"{path}{name}: {number} is not within {low}..{'' if high is None else high}"]


def audio_faults(text, path, audio_format):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        return [f"{path}: {error}"]
    if not data:
        return [f"{path}: no audio"]
    if len(text) > APPEND_LIMIT:
        return [f"{path}: {len(text)} characters"]
    if audio_format == "audio/pcm" and len(data) % 2:
        return [f"{path}: half a sample, {len(data)} bytes"]
    return []


def judge(lines):
    """{(direction, event type): [number of events, faults]}"""
    verdicts = collections.defaultdict(lambda: [0, []])
    connections = collections.defaultdict(Connection)
    for number, line in enumerate(lines, 1):
        entry = json.loads(line)
        connection = connections[entry["connection"]]
        kind = "frame"
        if entry["raw"] is None:
            found = ["binary frame"]
        else:
            try:
                event = json.loads(entry["raw"])
            except ValueError as error:
                event, found = None, [f"no JSON: {error}"]
            if isinstance(event, dict):
                kind = str(event.get("type"))
                found = getattr(connection, entry["direction"])(event)
            elif event is not None:
                found = ["no JSON object"]
        verdict = verdicts[entry["direction"], kind]
        verdict[0] += 1
        verdict[1] += [f"line {number}: {fault}" for fault in found]
    return verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--down", action="store_true", help="judge the events from upstream as well")
    parser.add_argument("--expect", nargs="*", default=[], help="client events that must have been recorded")
    args = parser.parse_args()
    checks = Checks("openai: ")
    with open(args.file, encoding="utf-8") as recording:
        verdicts = judge(recording)
    for direction in ["up", "down"] if args.down else ["up"]:
        for (way, kind), (count, found) in sorted(verdicts.items()):
            if way == direction:
                more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
                checks.check(f"{way} {kind} x{count}", not found, "; ".join(found[:3]) + more)
    # Without this an empty recording would pass.
    for kind in args.expect or [None]:
        seen = ("up", kind) in verdicts if kind else any(way == "up" for way, _ in verdicts)
        checks.check(f"recorded: {kind or 'something'}", seen, "not in the recording")
    return checks.exit_status()


if __name__ == "__main__":
    sys.exit(main())
