// The connection of the page: what it makes of messages for speaker, conversation and whoever shows them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Live } from "../../src/console/page/live.js";
import { FakeSocket, stub } from "./support.mjs";

const TO = { backend: "openai", path: "/openai", token: "" };
const CALL = { id: "call_1", name: "repaint", arguments: "{}", client_side: true };

/** A page with a speaker that says what it was told, and the connection that it opens. */
async function connected(t, { running = true } = {}) {
  const played = [];
  const node = {
    port: { postMessage: (data) => played.push(data) },
    connect: (next) => next,
    disconnect() {},
  };
  const gain = { gain: { setTargetAtTime() {} }, connect() {} };
  const context = {
    state: running ? "running" : "suspended",
    audioWorklet: { addModule: async () => {} },
    createGain: () => gain,
    resume: async () => {},
  };
  stub(t, "AudioContext", function FakeContext() {
    return context;
  });
  stub(t, "AudioWorkletNode", function FakeNode() {
    return node;
  });
  stub(t, "WebSocket", FakeSocket);
  stub(t, "document", { baseURI: "http://127.0.0.1:8080/" });
  const live = new Live({ onMicrophoneLevel() {}, onAgentLevel() {} });
  const told = [];
  for (const name of ["doing", "request", "ended", "standing"])
    live.on(name, (detail) => told.push([name, detail]));
  const open = (again) => {
    live.connect(TO, {}, again);
    const socket = FakeSocket.all.at(-1);
    socket.onopen();
    t.after(() => live.connected && socket.onclose({ code: 1000, reason: "" }));
    return socket;
  };
  const socket = open(false);
  await turn(); // the speaker is there
  return { live, played, told, socket, open };
}

const notices = (live) =>
  live.conversation.lines.filter(({ role }) => role === "notice").map(({ text }) => text);

test("audio is played, and whoever speaks into it silences it at once", async (t) => {
  const { live, played, socket } = await connected(t);
  const data = new ArrayBuffer(960);
  socket.receive({ type: "SettingsApplied" });
  socket.receive(data);
  assert.equal(live.doing, "speaking");
  socket.receive({ type: "UserStartedSpeaking" });
  assert.deepEqual(played, [data, "flush"]);
  assert.equal(live.doing, "hearing");
  assert.deepEqual(
    live.timeline.entries().map(({ type }) => type),
    ["Settings", "SettingsApplied", "audio", "UserStartedSpeaking"],
  );
});

test("an answer has an end for the speaker, and is over at once where nothing sounds", async (t) => {
  for (const [running, doing] of [
    [true, "speaking"],
    [false, "listening"],
  ]) {
    const { live, played, socket } = await connected(t, { running });
    socket.receive(new ArrayBuffer(960));
    socket.receive({ type: "AgentAudioDone" });
    assert.equal(played.at(-1), "end");
    assert.equal(live.doing, doing);
  }
});

test("the gateway's name of the connection is told, and forgotten with the conversation", async (t) => {
  const { live, told, socket } = await connected(t);
  socket.receive({ type: "Welcome", request_id: "4af096ee" });
  assert.equal(live.requestId, "4af096ee");
  socket.receive({ type: "ConversationText", role: "assistant", content: "Hello" });
  live.forget();
  assert.deepEqual(
    told.filter(([name]) => name === "request").map(([, { id }]) => id),
    ["4af096ee", ""],
  );
  assert.deepEqual([live.conversation.lines, live.timeline.length], [[], 0]);
});

test("a call is answered once, and the conversation knows where it ran", async (t) => {
  const { live, socket } = await connected(t);
  socket.receive({ type: "FunctionCallRequest", functions: [CALL] });
  const [call] = live.conversation.calls;
  live.reply(call, { content: "{}" }, "hand");
  live.reply(call, { content: "[]" }, "page");
  assert.deepEqual([call.where, call.state, call.result], ["hand", "answered", "{}"]);
  assert.equal(socket.types.filter((type) => type === "FunctionCallResponse").length, 1);
});

test("an end is explained, and noted once where an Error has told it already", async (t) => {
  const { live, told, socket } = await connected(t);
  socket.receive({ type: "Error", code: "upstream_closed", description: "gone" });
  socket.onclose({ code: 1011, reason: "" });
  await turn();
  const [, explained] = told.find(([name]) => name === "ended");
  assert.deepEqual([explained.failed, explained.code], [true, "close 1011, upstream_closed"]);
  assert.equal(notices(live).at(-1), "Disconnected");
  assert.equal(notices(live).length, 2);
});

test("who connects again is told that the agent knows what was said", async (t) => {
  const { live, socket, open } = await connected(t);
  socket.receive({ type: "SettingsApplied" });
  assert.deepEqual(notices(live), []);
  socket.onclose({ code: 1000, reason: "" });
  await turn();
  const next = open(true);
  assert.deepEqual(notices(live).length, 1);
  next.receive({ type: "SettingsApplied" });
  assert.match(notices(live).at(-1), /Connected again; the agent has the conversation so far/);
});

test("a speaker that does not open is told of, and the conversation goes on", async (t) => {
  const { socket } = await connected(t);
  socket.onclose({ code: 1000, reason: "" });
  stub(t, "AudioContext", function FakeContext() {
    throw new Error("no device");
  });
  const live = new Live({ onMicrophoneLevel() {}, onAgentLevel() {} });
  live.connect(TO, {}, false);
  await turn();
  const next = FakeSocket.all.at(-1);
  next.onopen();
  next.receive(new ArrayBuffer(960));
  assert.deepEqual(notices(live), ["The agent cannot be heard"]);
  assert.equal(live.connected, true);
  next.onclose({ code: 1000, reason: "" });
});
