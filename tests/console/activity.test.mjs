// What the agent is said to be doing, message by message.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Activity } from "../../src/console/page/conversation/activity.js";

/** What is done after each step: a message that was received, "typed", "audio" or "quiet". */
function follow(...steps) {
  const activity = new Activity();
  return steps.map((step) => {
    if (step === "audio") activity.audio();
    else if (step === "quiet") activity.quiet();
    else if (step === "typed") activity.take("sent", { type: "InjectUserMessage" });
    else activity.take("received", typeof step === "string" ? { type: step } : step);
    return activity.doing;
  });
}

const HEARD = { type: "ConversationText", role: "user" };

test("a typed turn: thinks, speaks until the last of it was played, listens", () => {
  assert.deepEqual(
    follow("typed", "AgentThinking", "AgentStartedSpeaking", "audio", "AgentAudioDone", "quiet"),
    ["thinking", "thinking", "speaking", "speaking", "speaking", "listening"],
  );
});

test("a spoken turn: hears the user, then thinks about it", () => {
  assert.deepEqual(follow("UserStartedSpeaking", HEARD, "audio", "quiet"), [
    "hearing",
    "thinking",
    "speaking",
    "listening",
  ]);
});

test("barge-in: hears the user at once, whatever was playing", () => {
  assert.deepEqual(follow("audio", "UserStartedSpeaking", "quiet", "AgentAudioDone"), [
    "speaking",
    "hearing",
    "hearing",
    "hearing",
  ]);
});

test("an answer without a sound ends with its end signal", () => {
  assert.deepEqual(follow("typed", "AgentStartedSpeaking", "AgentAudioDone"), [
    "thinking",
    "speaking",
    "listening",
  ]);
});

test("neither typing nor a function call silences what plays", () => {
  assert.deepEqual(follow("audio", "typed", "FunctionCallRequest", "quiet"), [
    "speaking",
    "speaking",
    "speaking",
    "listening",
  ]);
});

test("an answer that fails is not waited for", () => {
  assert.deepEqual(follow("typed", "AgentThinking", "Error"), ["thinking", "thinking", "listening"]);
});
