// A connection against a socket whose other side is the test.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Session } from "../../src/console/page/session.js";
import { FakeSocket, stub } from "./support.mjs";

const SETTINGS = { audio: {}, agent: { think: { prompt: "p" } } };

/** A session with what it has told, on a clock that stands still: `at(ms)` moves it, and its timers. */
function begin(t, options = {}) {
  let now = 0;
  t.mock.timers.enable();
  t.mock.method(performance, "now", () => now);
  stub(t, "WebSocket", FakeSocket);
  const session = new Session({ path: "/openai", settings: SETTINGS, base: "http://a.example/", ...options });
  const told = { states: [], messages: [], audio: [], backlog: [], ended: [] };
  session.on("state", ({ state }) => told.states.push(state));
  session.on("message", (event) => told.messages.push(event));
  session.on("audio", ({ direction }) => told.audio.push(direction));
  session.on("backlog", (event) => told.backlog.push(event));
  session.on("ended", (event) => told.ended.push(event));
  session.open();
  const at = (ms) => {
    // Timers see the clock as it is when they are due.
    for (; now < ms; t.mock.timers.tick(1)) now += 1;
  };
  return { session, socket: FakeSocket.all.at(-1), told, at };
}

/** One that is open. */
function opened(t, options) {
  const all = begin(t, options);
  all.socket.onopen();
  all.socket.receive({ type: "Welcome", request_id: "r" });
  all.socket.receive({ type: "SettingsApplied" });
  return all;
}

test("Settings go out as soon as the socket is open, whenever Welcome comes", (t) => {
  const { session, socket, told } = begin(t, { token: "t-1" });
  assert.equal(session.state, "connecting");
  assert.deepEqual([socket.url, socket.protocols], ["ws://a.example/openai", ["token", "t-1"]]);
  assert.equal(socket.binaryType, "arraybuffer");
  socket.onopen();
  assert.deepEqual(socket.sent, [{ ...SETTINGS, type: "Settings" }]);
  socket.receive({ type: "Warning", code: "x" });
  assert.equal(session.state, "settling");
  socket.receive({ type: "SettingsApplied" });
  socket.receive({ type: "Welcome", request_id: "r" });
  assert.deepEqual(told.states, ["settling", "open"]);
  const heard = told.messages.map(({ direction, message }) => `${direction} ${message.type}`);
  assert.deepEqual(heard, [
    "sent Settings",
    "received Warning",
    "received SettingsApplied",
    "received Welcome",
  ]);
});

test("what is typed before the socket is open goes out behind Settings, in order", (t) => {
  const { session, socket } = begin(t);
  assert.ok(session.say("one"));
  assert.ok(session.send({ type: "UpdatePrompt", prompt: "p" }));
  assert.deepEqual(socket.sent, []);
  socket.onopen();
  assert.ok(session.say("two"));
  assert.deepEqual(socket.types, ["Settings", "InjectUserMessage", "UpdatePrompt", "InjectUserMessage"]);
  assert.equal(socket.sent.at(-1).content, "two");
});

test("audio goes out from when Settings have, and comes in as it is", (t) => {
  const { session, socket, told } = begin(t);
  const frame = new ArrayBuffer(1024);
  assert.ok(!session.hear(frame), "nobody is there yet");
  socket.onopen();
  assert.ok(session.hear(frame));
  assert.equal(socket.sent.at(-1), frame);
  socket.receive(new ArrayBuffer(3));
  assert.deepEqual(told.audio, ["sent", "received"]);
});

test("a network that does not keep up costs frames, and is told when it begins and ends", (t) => {
  const { session, socket, told } = opened(t);
  const frame = new ArrayBuffer(1024);
  socket.bufferedAmount = 32_000;
  assert.ok(session.hear(frame), "a second may wait");
  socket.bufferedAmount = 32_001;
  assert.ok(!session.hear(frame));
  assert.ok(!session.hear(frame));
  assert.ok(session.say("typed"), "what is typed is not lost");
  socket.bufferedAmount = 0;
  assert.ok(session.hear(frame));
  assert.equal(session.droppedFrames, 2);
  assert.deepEqual(told.backlog, [
    { dropping: true, frames: 1 },
    { dropping: false, frames: 2 },
  ]);
  assert.deepEqual(socket.types, ["Settings", "audio", "InjectUserMessage", "audio"]);
});

test("a function's answer is text, its error is an object, and the signature goes back", (t) => {
  const { session, socket } = opened(t);
  const call = { id: "c", name: "f", thoughtSignature: null };
  session.answer(call, { content: "text" });
  session.answer(call, { content: { a: 1 } });
  session.answer(call, { content: undefined });
  session.answer({ ...call, thoughtSignature: "s" }, { error: "no" });
  const answers = socket.sent.slice(1);
  assert.deepEqual(
    answers.map(({ content }) => content),
    ["text", '{"a":1}', "null", '{"error":"no"}'],
  );
  assert.deepEqual(answers[0], { type: "FunctionCallResponse", id: "c", name: "f", content: "text" });
  assert.equal(answers[3].thought_signature, "s");
});

test("whatever the other side sends is a message", (t) => {
  const { socket, told } = opened(t);
  const heard = told.messages.length;
  for (const data of ["{", "", "7", "null", "[]", '{"type":5}', '{"a":1}']) socket.onmessage({ data });
  const types = told.messages.slice(heard).map(({ message }) => message.type);
  const unknown = "(no type)";
  assert.deepEqual(types, ["(not JSON)", "(not JSON)", unknown, unknown, unknown, unknown, unknown]);
  assert.equal(told.messages[heard].message.text, "{");
});

test("KeepAlive goes out after 8 s without anything else, and not otherwise", (t) => {
  const { session, socket, at } = opened(t);
  const kept = () => socket.types.filter((type) => type === "KeepAlive").length;
  at(7999);
  assert.equal(kept(), 0);
  at(8000);
  assert.equal(kept(), 1);
  at(15_000);
  session.hear(new ArrayBuffer(2));
  at(22_999);
  assert.equal(kept(), 1, "audio was word enough");
  at(23_000);
  assert.equal(kept(), 2);
  at(30_000);
  session.close();
  at(31_000);
  assert.equal(kept(), 2, "none into a session that ends");
});

test("KeepAlive ends with the session", (t) => {
  const { socket, at } = opened(t);
  socket.onclose({ code: 1000, reason: "" });
  at(20_000);
  assert.deepEqual(socket.types, ["Settings"]);
});

test("an end of the other side carries its Error, and is told once", (t) => {
  const { session, socket, told } = opened(t);
  const error = { type: "Error", code: "idle_timeout", description: "d" };
  socket.receive(error);
  socket.onclose({ code: 1000, reason: "r" });
  socket.onclose({ code: 1000, reason: "r" });
  const ended = { code: 1000, reason: "r", error, opened: true, applied: true, byUs: false };
  assert.deepEqual(told.ended, [ended]);
  assert.equal(session.state, "closed");
  assert.ok(!session.say("too late") && !session.hear(new ArrayBuffer(2)));
  session.close();
  assert.equal(told.ended.length, 1);
});

test("an Error is the cause of the end that follows it, not one that the session outlived", (t) => {
  const error = { type: "Error", code: "INVALID_SETTINGS" };
  const outlived = (then, after) => {
    const { socket, told, at } = opened(t);
    socket.receive(error);
    if (then !== undefined) socket.receive(then);
    at(after);
    socket.onclose({ code: 1006, reason: "" });
    t.mock.reset();
    return told.ended[0].error;
  };
  const text = { type: "ConversationText", role: "assistant", content: "on" };
  assert.deepEqual(outlived(undefined, 60_000), error);
  assert.deepEqual(outlived(text, 4999), error);
  assert.equal(outlived(text, 5000), null);
  assert.equal(outlived(new ArrayBuffer(2), 5000), null);
});

test("a refused upgrade was never opened", (t) => {
  const { socket, told } = begin(t);
  socket.onclose({ code: 1006, reason: "" });
  const { opened, applied, byUs } = told.ended[0];
  assert.deepEqual([opened, applied, byUs], [false, false, false]);
});

test("an address that the browser refuses is an end, told when it can be heard", async (t) => {
  stub(t, "WebSocket", FakeSocket);
  const session = new Session({ path: "/refused-by-the-browser", settings: {}, base: "http://a.example/" });
  const ended = new Promise((resolve) => session.on("ended", resolve));
  session.open();
  assert.match((await ended).reason, /no such address/);
  assert.throws(() => session.open(), /opened once/);
});

test("closing: 1000, and an end even if nobody answers", (t) => {
  const { session, socket, told, at } = opened(t);
  session.close();
  session.close();
  assert.equal(socket.closed.code, 1000);
  assert.equal(session.state, "closing");
  assert.ok(!session.say("too late"));
  socket.receive({ type: "ConversationText", role: "assistant", content: "the rest" });
  at(2999);
  assert.equal(told.ended.length, 0);
  at(3000);
  assert.equal(told.ended[0].byUs, true);
  socket.onclose({ code: 1000, reason: "" });
  socket.receive({ type: "Warning", code: "late" });
  assert.equal(told.ended.length, 1);
  assert.equal(told.messages.at(-1).message.content, "the rest");
  assert.deepEqual(told.states, ["settling", "open", "closing", "closed"]);
});

test("closing what was never opened is an end as well", async () => {
  const session = new Session({ path: "/openai", settings: {}, base: "http://a.example/" });
  const ended = new Promise((resolve) => session.on("ended", resolve));
  session.close();
  assert.deepEqual([(await ended).byUs, (await ended).opened], [true, false]);
  assert.throws(() => session.open(), /opened once/);
});

test("closing while it connects sends nothing", (t) => {
  const { session, socket, told } = begin(t);
  session.say("held");
  session.close();
  socket.onopen();
  socket.onclose({ code: 1006, reason: "" });
  assert.deepEqual(socket.sent, []);
  assert.equal(told.ended[0].byUs, true);
});
