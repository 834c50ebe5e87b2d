// What messages come to, in the orders in which translated and passed-through backends send them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Conversation } from "../../src/console/page/conversation/conversation.js";
import "./support.mjs";

const SETTINGS = { type: "Settings" };
const user = (content) => ({ type: "ConversationText", role: "user", content });
const agent = (content) => ({ type: "ConversationText", role: "assistant", content });
const typed = (content) => ({ type: "InjectUserMessage", content });
const history = (role, content) => ({ type: "History", role, content });
const request = (id, members) => ({
  type: "FunctionCallRequest",
  functions: [{ id, name: "f", arguments: "{}", client_side: true, ...members }],
});
const SPEAKS = { type: "UserStartedSpeaking" };
const STARTED = { type: "AgentStartedSpeaking", total_latency: 0.3, tts_latency: 0.1, ttt_latency: 0.2 };
const DONE = { type: "AgentAudioDone" };
/** 100 ms of the agent's voice. */
const AUDIO = new ArrayBuffer(4800);

/** Takes messages, one each ms from `at` on: those of the types that a client sends as sent, audio as received. */
function feed(conversation, at, ...messages) {
  for (const [index, message] of messages.entries()) {
    const sent = ["Settings", "InjectUserMessage"].includes(message.type) || message.ours;
    if (message === AUDIO) conversation.takeAudio(message, at + index);
    else conversation.take(sent ? "sent" : "received", message, at + index);
  }
  return conversation;
}

const begin = (...messages) => feed(new Conversation(), 0, SETTINGS, ...messages);
const said = ({ lines }) => lines.map(({ role, text }) => `${role}: ${text}`);

test("a typed turn is one line, its echo no second one, and History no third", () => {
  const conversation = begin(typed("Hi"));
  assert.equal(conversation.lines[0].pending, true);
  feed(conversation, 10, user("Hi"), history("user", "Hi"), STARTED, AUDIO, agent("Hello"), DONE);
  feed(conversation, 20, history("assistant", "Hello"));
  assert.deepEqual(said(conversation), ["user: Hi", "agent: Hello"]);
  assert.equal(conversation.lines[0].pending, false);
});

test("what was typed before the greeting stands behind it, and the greeting is no answer to it", () => {
  const conversation = begin(typed("Hi"), agent("Welcome"), AUDIO, user("Hi"), AUDIO, DONE);
  assert.deepEqual(said(conversation), ["agent: Welcome", "user: Hi"]);
  const [turn] = conversation.turns;
  assert.equal(turn.state, "open");
  assert.equal(turn.latencies.firstAudio, null, "what still came of the greeting is not the answer either");
  feed(conversation, 51, AUDIO);
  assert.deepEqual([turn.state, turn.latencies.firstAudio], ["answered", 50]);
});

test("two equal messages have two lines and two echoes, in their order", () => {
  const conversation = begin(typed("Hi"), typed("Hi"), user("Hi"));
  assert.deepEqual(
    conversation.lines.map(({ pending }) => pending),
    [false, true],
  );
  feed(conversation, 10, user("Hi"));
  assert.deepEqual(
    conversation.lines.map(({ pending }) => pending),
    [false, false],
  );
});

test("echoes find their lines, also a changed one, and put them into the order of the other side", () => {
  const conversation = begin(
    typed("one"),
    typed("two"),
    typed("three "),
    user("two"),
    user("One!"),
    user("three"),
  );
  const two = begin(typed("one"), typed("two"), user("two"));
  assert.deepEqual(
    two.lines.map(({ pending }) => pending),
    [true, false],
  );
  assert.deepEqual(said(conversation), ["user: two", "user: One!", "user: three"]);
});

test("what is said while a typed message waits for its echo is not its echo", () => {
  const conversation = begin(SPEAKS, typed("typed"), user("said"), user("typed"));
  assert.deepEqual(said(conversation), ["user: said", "user: typed"]);
  const other = begin(typed("typed"), SPEAKS, user("said"), user("typed"));
  assert.deepEqual(said(other).sort(), ["user: said", "user: typed"]);
});

test("a spoken turn is measured from the user's last sound", () => {
  const conversation = begin(SPEAKS);
  const told = [];
  conversation.on("turn", ({ turn, change }) => told.push(`${change} ${turn.id}`));
  conversation.spoke(1000);
  feed(conversation, 1300, user("Time?"), { type: "AgentThinking", content: "" });
  conversation.spoke(1400);
  feed(conversation, 1500, STARTED, AUDIO, agent("Noon"), DONE, {
    type: "LatencyReport",
    total_latency: 0.5,
    x: "y",
  });
  conversation.heard(1560);
  const [turn] = conversation.turns;
  assert.deepEqual(turn.latencies, { transcript: 300, firstText: 502, firstAudio: 501, firstSound: 560 });
  assert.deepEqual(
    [turn.reported, turn.report],
    [{ total: 0.3, tts: 0.1, ttt: 0.2 }, { total_latency: 0.5 }],
  );
  assert.ok(told.length > 5 && told.every((change) => change === `changed ${turn.id}`), `${told}`);
  feed(conversation, 2000, SPEAKS);
  assert.match(told.at(-1), /^added/);
});

test("a call is a sign that the question is over", () => {
  const conversation = begin(SPEAKS);
  conversation.spoke(1000);
  feed(conversation, 1300, request("c"));
  conversation.spoke(1400);
  feed(conversation, 2000, AUDIO);
  assert.equal(conversation.turns[0].latencies.firstAudio, 1000);
  assert.equal(conversation.calls[0].turn, conversation.turns[0].id);
  assert.equal(begin(request("c")).calls[0].turn, null);
});

test("a spoken turn has its place before its answer, however late the transcript", () => {
  const conversation = begin(SPEAKS, STARTED, AUDIO, agent("It is noon"), DONE, user("What time is it?"));
  assert.deepEqual(said(conversation), ["user: What time is it?", "agent: It is noon"]);
  assert.equal(conversation.turns[0].text, "What time is it?");
});

test("a noise leaves no line, and a breath no second turn", () => {
  const conversation = begin(SPEAKS);
  assert.deepEqual([conversation.lines.length, conversation.lines[0].pending], [1, true]);
  feed(conversation, 5000, SPEAKS, user("Hi"));
  assert.deepEqual(said(conversation), ["user: Hi"]);
  assert.equal(conversation.turns.length, 1);
  feed(conversation, 9000, SPEAKS);
  conversation.ended(9500);
  assert.deepEqual(said(conversation), ["user: Hi"]);
  assert.ok(conversation.turns.every(({ state }) => state === "superseded"));
});

test("a noise that was answered does not take the next question's words", () => {
  const conversation = begin(SPEAKS, STARTED, AUDIO, agent("Pardon?"), DONE);
  feed(conversation, 5000, SPEAKS, user("What time is it?"));
  assert.deepEqual(said(conversation), ["agent: Pardon?", "user: What time is it?"]);
});

test("several transcripts of one turn are several lines of one turn", () => {
  const conversation = begin(SPEAKS, user("One."), user("Two."));
  assert.deepEqual(said(conversation), ["user: One.", "user: Two."]);
  assert.deepEqual([conversation.turns.length, conversation.turns[0].text], [1, "One. Two."]);
});

test("transcripts of an interrupted and of the interrupting question keep their places", () => {
  const conversation = begin(
    SPEAKS,
    STARTED,
    AUDIO,
    agent("It"),
    DONE,
    SPEAKS,
    user("First?"),
    user("Second?"),
  );
  assert.deepEqual(said(conversation), ["user: First?", "agent: It", "user: Second?"]);
});

test("barge-in marks what was cut off, and nothing that was heard to its end", () => {
  const marks = (at) => {
    const conversation = begin(typed("Hi"), user("Hi"), STARTED, AUDIO, agent("Hello"), DONE);
    feed(conversation, at, SPEAKS);
    return [conversation.lines[1].interrupted, conversation.turns[0].interrupted];
  };
  assert.deepEqual(marks(50), [true, true], "all was received, not all was heard");
  assert.deepEqual(marks(500), [false, false]);
});

test("barge-in before the first sound of an answer whose text is there", () => {
  const conversation = begin(typed("Hi"), user("Hi"), agent("Hello"), SPEAKS);
  assert.equal(conversation.lines[1].interrupted, true);
});

test("a call: asked, answered by us, and what History says of it changes nothing", () => {
  const conversation = begin(request("c", { thought_signature: "s" }));
  const [call] = conversation.calls;
  assert.deepEqual(
    [call.state, call.where, call.clientSide, call.thoughtSignature, call.askedAt],
    ["open", "page", true, "s", 1],
  );
  const answer = { type: "FunctionCallResponse", id: "c", name: "f", content: "7" };
  feed(conversation, 10, { ...answer, ours: true });
  assert.deepEqual([call.state, call.result, call.error, call.endedAt], ["answered", "7", null, 10]);
  const told = { id: "c", name: "f", client_side: true, arguments: "{}", response: "8" };
  feed(conversation, 20, { type: "History", function_calls: [told] }, request("c"));
  assert.equal(conversation.calls.length, 2, "an id may come again once its call is over");
  assert.equal(call.result, "7");
});

test("a call that is told twice is one, and its changes are told", () => {
  const conversation = begin();
  const told = [];
  conversation.on("call", ({ call, change }) => told.push(`${change} ${call.id} ${call.state}`));
  feed(conversation, 0, request("c"), request("c"));
  conversation.ran("c", "hand");
  feed(conversation, 10, { ours: true, type: "FunctionCallResponse", id: "c", content: "7" });
  assert.deepEqual(told, ["added c open", "changed c open", "changed c answered"]);
});

test("an answer is an error only if it says nothing else", () => {
  for (const [content, error] of [
    ['{"error":{"code":7}}', '{"code":7}'],
    ['{"error":"e","content":1}', null],
    ["null", null],
    ["7", null],
    ['"error"', null],
    ["{", null],
  ]) {
    const conversation = begin(request("c"));
    feed(conversation, 10, { ours: true, type: "FunctionCallResponse", id: "c", content });
    const [call] = conversation.calls;
    assert.deepEqual([call.error, call.result], [error, error === null ? content : null]);
  }
});

test("a call that the server runs is answered by the server alone", () => {
  const conversation = begin(request("c", { client_side: false }));
  const [call] = conversation.calls;
  assert.equal(call.where, "server");
  const answer = { type: "FunctionCallResponse", name: "f", content: '{"error":"no such city"}' };
  feed(conversation, 10, answer);
  assert.deepEqual([call.state, call.result, call.error], ["answered", null, "no such city"]);
  const ours = begin(request("c"));
  feed(ours, 10, { ...answer, id: "c" });
  assert.equal(ours.calls[0].state, "open", "what the page was asked the server does not answer");
});

test("a call that only History tells of", () => {
  const told = { id: "c", name: "f", client_side: false, arguments: '{"a":1}', response: "8" };
  const conversation = begin({ type: "History", function_calls: [told] });
  const [call] = conversation.calls;
  assert.deepEqual(
    [call.state, call.where, call.result, call.arguments],
    ["answered", "server", "8", '{"a":1}'],
  );
});

test("several calls of one request, one of them cancelled, and the rest at the end", () => {
  const three = ["a", "b", "c"].map((id) => ({ id, name: "f", arguments: "{}", client_side: true }));
  const conversation = begin({ type: "FunctionCallRequest", functions: three });
  feed(conversation, 10, { type: "FunctionCallCancelled", functions: [{ id: "b", name: "f" }, { id: "x" }] });
  assert.deepEqual(
    conversation.calls.map(({ state }) => state),
    ["open", "cancelled", "open"],
  );
  conversation.ran("a", "hand");
  conversation.ended(20);
  assert.deepEqual(
    conversation.calls.map(({ state, where }) => `${state} ${where}`),
    ["cancelled hand", "cancelled page", "cancelled page"],
  );
});

test("notices have the words of their codes", () => {
  const conversation = begin(
    { type: "Warning", code: "VOICE_NOT_MAPPED", description: "d" },
    { type: "Error", code: "x", description: "of its own" },
    { type: "InjectionRefused", message: "m" },
    { type: "PromptUpdated" },
    { type: "SpeakUpdated" },
    { type: "Unheard", of: 1 },
    { type: "(not JSON)", text: "{" },
  );
  assert.deepEqual(
    conversation.lines.map(({ level, code, text }) => `${level} ${code} ${text}`),
    [
      "warning VOICE_NOT_MAPPED The backend does not know the voice",
      "error x of its own",
      "warning  The agent did not say it",
      "info  The prompt has changed",
      "info  The voice has changed",
    ],
  );
});

test("whatever members a message has, nothing throws", () => {
  const odd = [undefined, null, 7, "text", [], {}, [null, 7, { id: null }], { role: {} }];
  const types = [
    "ConversationText",
    "FunctionCallRequest",
    "FunctionCallResponse",
    "FunctionCallCancelled",
    "History",
  ];
  const conversation = begin();
  for (const type of [...types, "AgentStartedSpeaking", "LatencyReport", "Error", "Warning", "Welcome"]) {
    for (const value of odd) {
      const members = { role: value, content: value, functions: value, function_calls: value, id: value };
      feed(conversation, 0, { type, ...members, code: value, description: value, total_latency: value });
      feed(conversation, 0, { type, ...members, role: "user" }, { type, ...members, role: "assistant" });
    }
  }
  assert.ok(conversation.history().length > 0);
});

test("each change is told", () => {
  const conversation = new Conversation();
  const told = [];
  conversation.on("line", ({ line, change }) => told.push(`${change} ${line.role}`));
  conversation.on("call", ({ call, change }) => told.push(`${change} ${call.id}`));
  conversation.on("cleared", () => told.push("cleared"));
  feed(conversation, 0, typed("Hi"), user("Hi"), request("c"), agent("Hello"));
  conversation.clear();
  assert.deepEqual(told, ["added user", "changed user", "added c", "added agent", "cleared"]);
  assert.deepEqual([conversation.lines, conversation.calls, conversation.turns], [[], [], []]);
});

test("lines are bounded, the oldest go", () => {
  const conversation = begin();
  let removed = 0;
  conversation.on("line", ({ change }) => {
    removed += change === "removed" ? 1 : 0;
  });
  for (let count = 0; count < 2100; count += 1) feed(conversation, count, agent(`${count}`));
  assert.deepEqual([conversation.lines.length, removed, conversation.lines[0].text], [2000, 100, "100"]);
  const gone = [];
  conversation.on("call", ({ call, change }) => change === "removed" && gone.push(call.id));
  for (let count = 0; count < 1002; count += 1) feed(conversation, count, request(`${count}`));
  assert.deepEqual([conversation.calls.length, gone], [1000, ["0", "1"]]);
});

test("history is what a new session has to know, in the order in which it was", () => {
  const conversation = begin(agent("Welcome"), DONE, typed("Time?"), user("Time?"));
  feed(conversation, 10, request("c", { thought_signature: "s" }), {
    ours: true,
    type: "FunctionCallResponse",
    id: "c",
    content: "noon",
  });
  feed(
    conversation,
    20,
    { type: "Warning", code: "x" },
    agent("It is noon"),
    typed("never taken"),
    request("d"),
  );
  const call = {
    id: "c",
    name: "f",
    client_side: true,
    arguments: "{}",
    response: "noon",
    thought_signature: "s",
  };
  const expected = [
    history("assistant", "Welcome"),
    history("user", "Time?"),
    { type: "History", function_calls: [call] },
    history("assistant", "It is noon"),
  ];
  assert.deepEqual(conversation.history(), expected);
  // Two more sessions, each of which is told of it, and one of which says it again.
  for (const at of [100, 200]) {
    conversation.ended(at);
    feed(conversation, at + 1, { ...SETTINGS, agent: { context: { messages: conversation.history() } } });
    feed(conversation, at + 2, ...expected);
    assert.deepEqual(conversation.history(), expected);
  }
  feed(conversation, 300, typed("never taken"), user("never taken"));
  const twice = conversation.lines.filter(({ text }) => text === "never taken");
  assert.deepEqual(
    twice.map(({ pending }) => pending),
    [true, false],
    "what was not taken stays so",
  );
  assert.deepEqual(conversation.history().at(-1), history("user", "never taken"));
});

test("history is bounded: the newest 50 messages, 20,000 characters, 4,000 of one", () => {
  const many = begin();
  for (let count = 0; count < 60; count += 1) feed(many, count, agent(`${count}`));
  assert.deepEqual(
    many.history().map(({ content }) => content),
    Array.from({ length: 50 }, (_, index) => `${index + 10}`),
  );
  const long = begin();
  for (let count = 0; count < 9; count += 1) feed(long, count, agent("x".repeat(5000)));
  assert.deepEqual(
    long.history().map(({ content }) => content.length),
    [4000, 4000, 4000, 4000, 4000],
  );
  assert.equal(begin(agent("x".repeat(4000))).history()[0].content, "x".repeat(4000));
  const calls = begin();
  const answer = { ours: true, type: "FunctionCallResponse", content: "y".repeat(3000) };
  for (const id of "abcdef") {
    feed(calls, 0, request(id, { arguments: "x".repeat(3000) }), { ...answer, id });
  }
  assert.deepEqual(
    calls.history().map(({ function_calls: [{ id }] }) => id),
    ["d", "e", "f"],
  );
  const pair = begin(agent(`${"x".repeat(3998)}\u{1F600} and on`));
  assert.equal(pair.history()[0].content, `${"x".repeat(3998)}…`, "no half of a character");
});
