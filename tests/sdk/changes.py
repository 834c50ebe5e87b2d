#!/usr/bin/env python3
"""What the conversations of sdk_vocabulary.py and js_vocabulary.mjs made the gateway send upstream: holds a recording
of recorder.py against it, one session.update after the other. Judges no shapes; that is judge_openai.py's.
"""

import argparse
import collections
import json
import sys

from checks import Checks
from sdk_vocabulary import ADDED, INTERRUPTING, NEXT, PROMPT, QUEUED, SPEED


def connections(lines):
    """{connection: [(direction, event)]}"""
    found = collections.defaultdict(list)
    for line in lines:
        entry = json.loads(line)
        if entry["raw"] is not None:
            found[entry["connection"]].append((entry["direction"], json.loads(entry["raw"])))
    return found


def check_updates(check, events):
    updates = [event["session"] for way, event in events if (way, event["type"]) == ("up", "session.update")]
    names = [[tool["name"] for tool in update.get("tools", [])] for update in updates]
    first = (updates[0]["instructions"], updates[0]["audio"]["output"], names[0])
    # Of each array in Settings the first entry cannot be used.
    check("the first entry that can be used", first == ("Be brief.", {"voice": "coral"}, ["get_current_time"]), first)
    check("UpdateThink", (updates[1]["instructions"], names[1]) == (PROMPT, ["get_local_time"]), updates[1])
    prompt = {"type": "realtime", "instructions": f"{PROMPT}\n\n{ADDED}"}
    check("UpdatePrompt adds and changes nothing else", updates[2] == prompt, updates[2])
    voice = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    check("UpdateSpeak changes the voice alone", updates[3] == voice, updates[3])
    changed = updates[4]["audio"]["input"]
    same = list(changed) == ["transcription"] and changed["transcription"]["language"] == "de"
    check("UpdateListen changes the transcription alone", same, updates[4])
    speed = {"type": "realtime", "audio": {"output": {"speed": SPEED}}}
    # Neither a voice that is fixed nor a change that cannot be used has gone up.
    check("UpdateSpeak changes the speed alone, and nothing follows", updates[5:] == [speed], updates[5:])
    # One at a time: no update goes up before the one before it is answered.
    turns = [event["type"] for way, event in events if event["type"] in ("session.update", "session.updated")]
    check("one session.update at a time", turns == ["session.update", "session.updated"] * 6, turns)


def check_messages(check, events):
    requests = [event.get("response", {}) for way, event in events if event["type"] == "response.create"]
    spoken = [request for request in requests if "instructions" in request]
    texts = [request["instructions"].rsplit("\n", 1)[-1] for request in spoken]
    check("a response for each agent message", texts == [QUEUED, NEXT, INTERRUPTING], spoken)
    choices = [request.get("tool_choice") for request in spoken]
    check("no call in place of an agent message", choices == ["none"] * len(spoken), choices)
    ups = [event["type"] for way, event in events if way == "up"]
    at = ups.index("response.cancel") if "response.cancel" in ups else 0
    follows = ups[at : at + 2] == ["response.cancel", "conversation.item.truncate"]
    check("the interrupted response is cancelled, then truncated", follows, ups)
    errors = [event["error"] for way, event in events if (way, event["type"]) == ("down", "error")]
    check("upstream refuses nothing", not errors, errors)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--conversations", type=int, required=True, help="how many there must be")
    args = parser.parse_args()
    with open(args.file, encoding="utf-8") as recording:
        found = [events for events in connections(recording).values() if any(
            event["type"] == "session.update" and event["session"].get("instructions") == PROMPT for _, event in events
        )]
    Checks("changes: ").check("every conversation is there", len(found) == args.conversations, len(found))
    failed = len(found) != args.conversations
    for number, events in enumerate(found, 1):
        checks = Checks(f"changes {number}: ")
        try:
            check_updates(checks.check, events)
            check_messages(checks.check, events)
        except (IndexError, KeyError) as error:
            checks.check("events", False, repr(error))
        failed |= checks.exit_status() != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
