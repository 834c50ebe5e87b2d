// What is kept of messages and audio, found again, and taken away as a recording.

import assert from "node:assert/strict";
import { test } from "node:test";
import { summaryOf, Timeline } from "../../src/console/page/timeline.js";

const META = {
  backend: "openai",
  path: "/openai?token=in-the-path",
  requestId: "r-1",
  started: new Date("2026-11-22T10:00:00Z"),
  startedAt: 1000,
  userAgent: "Browser/1",
};
const FRAME = new ArrayBuffer(1024);
const ids = (entries) => entries.map(({ id }) => id);
const recorded = (timeline, meta) => {
  const text = timeline.toJsonLines({ ...META, ...meta });
  assert.ok(text.endsWith("\n"));
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
};

test("audio of one side is one run, whatever the other side says meanwhile", () => {
  const timeline = new Timeline();
  for (let count = 0; count < 50; count += 1) {
    timeline.add("sent", count * 32, FRAME);
    timeline.add("received", count * 32, new ArrayBuffer(4800));
  }
  assert.deepEqual(timeline.entries().map(summaryOf), [
    "audio, 50 frames, 51,200 bytes, 1.6 s",
    "audio, 50 frames, 240,000 bytes, 5.0 s",
  ]);
  const [run] = timeline.entries();
  assert.deepEqual([run.at, run.until], [0, 49 * 32]);
});

test("a message ends the runs, and so does a pause of more than a second", () => {
  const timeline = new Timeline();
  timeline.add("sent", 0, FRAME);
  timeline.add("sent", 1000, FRAME);
  timeline.add("sent", 2001, FRAME);
  timeline.add("received", 2002, { type: "Warning" });
  const last = timeline.add("sent", 2003, FRAME);
  assert.deepEqual(
    timeline.entries().map(({ type, frames }) => `${type} ${frames}`),
    ["audio 2", "audio 1", "Warning 0", "audio 1"],
  );
  assert.equal(timeline.add("sent", 2004, FRAME), last, "who shows it sees that it has grown");
  assert.equal(summaryOf(timeline.entries()[1]), "audio, 1 frame, 1,024 bytes, 0.0 s");
});

test("ten minutes of talk are a few entries", () => {
  const timeline = new Timeline();
  for (let at = 0; at < 600_000; at += 32) timeline.add("sent", at, FRAME);
  assert.equal(timeline.length, 1);
});

test("the oldest go when there are too many, or too long ones, and it is said how many", () => {
  const many = new Timeline({ limit: 3 });
  for (let count = 0; count < 5; count += 1) many.add("sent", count, { type: `${count}` });
  assert.deepEqual([many.entries().map(({ type }) => type), many.dropped], [["2", "3", "4"], 2]);
  const long = new Timeline({ bytes: 1000 });
  for (let count = 0; count < 5; count += 1)
    long.add("sent", count, { type: `${count}`, text: "x".repeat(380) });
  assert.deepEqual([long.entries().map(({ type }) => type), long.dropped], [["3", "4"], 3]);
  long.add("sent", 9, { type: "9", text: "x".repeat(5000) });
  assert.deepEqual([long.length, long.dropped], [1, 5], "the newest stays, however long it is");
});

test("a run that was dropped does not grow on unseen", () => {
  const timeline = new Timeline({ limit: 1 });
  timeline.add("sent", 0, FRAME);
  timeline.add("received", 1, FRAME);
  timeline.add("sent", 2, FRAME);
  assert.deepEqual(
    timeline.entries().map(({ direction, frames }) => `${direction} ${frames}`),
    ["sent 1"],
  );
  const other = new Timeline({ limit: 2 });
  other.add("sent", 0, { type: "a" });
  other.add("sent", 1, FRAME);
  other.add("received", 2, FRAME);
  other.add("sent", 3, FRAME);
  assert.deepEqual([other.length, other.dropped, other.entries()[0].frames], [2, 1, 2]);
});

test("an end ends the runs, and forgotten is forgotten", () => {
  const timeline = new Timeline({ limit: 3, bytes: 100 });
  timeline.add("sent", 0, FRAME);
  timeline.end(1, { code: 1000, reason: "" });
  timeline.add("sent", 2, FRAME);
  assert.deepEqual(
    timeline.entries().map(({ type }) => type),
    ["audio", "end", "audio"],
  );
  timeline.add("sent", 3, { type: "x".repeat(60) });
  assert.equal(timeline.dropped, 1);
  timeline.add("received", 4, FRAME);
  timeline.clear();
  assert.deepEqual([timeline.length, timeline.dropped], [0, 0]);
  timeline.add("received", 5, FRAME);
  timeline.add("sent", 6, { type: "x".repeat(60) });
  assert.deepEqual([timeline.length, timeline.dropped], [2, 0]);
});

test("a filter: all words, in any place, none with a minus; words with spaces in quotes", () => {
  const timeline = new Timeline();
  timeline.add("sent", 0, { type: "InjectUserMessage", content: "What time is it?" });
  timeline.add("received", 1, { type: "ConversationText", role: "user", content: "What time is it?" });
  timeline.add("received", 2, { type: "ConversationText", role: "assistant", content: "Time is 12:34" });
  timeline.add("received", 3, FRAME);
  timeline.add("sent", 4, { type: "KeepAlive" });
  const found = (filter) => ids(timeline.entries(filter));
  assert.deepEqual(found(""), [1, 2, 3, 4, 5]);
  assert.deepEqual(found("  "), [1, 2, 3, 4, 5]);
  assert.deepEqual(found("TIME is"), [1, 2, 3]);
  assert.deepEqual(found("received time"), [2, 3]);
  assert.deepEqual(found('"time is 1"'), [3]);
  assert.deepEqual(found("conversation -assistant"), [2]);
  assert.deepEqual(found('-"is it" -audio'), [3, 5]);
  assert.deepEqual(found("audio"), [4]);
  assert.deepEqual(found("-"), [], "everything contains nothing");
  assert.deepEqual(found('"role":"user"'), [2], "quotes of JSON are no quotes around words");
});

test("a recording: a header, a line for each entry, the end", () => {
  const timeline = new Timeline();
  timeline.add("sent", 1000, { type: "Settings", agent: {} });
  timeline.add("received", 1012.34, FRAME);
  timeline.add("received", 1044, FRAME);
  timeline.end(2000.55, { code: 1000, reason: "closed" });
  assert.deepEqual(recorded(timeline), [
    {
      voxbridge_console_recording: 1,
      backend: "openai",
      path: "/openai",
      request_id: "r-1",
      started: "2026-11-22T10:00:00.000Z",
      user_agent: "Browser/1",
      dropped: 0,
    },
    { t_ms: 0, direction: "sent", type: "Settings", message: { type: "Settings", agent: {} } },
    { t_ms: 12.3, until_ms: 44, direction: "received", type: "audio", frames: 2, bytes: 2048 },
    { t_ms: 1000.6, type: "end", code: 1000, reason: "closed" },
  ]);
});

test("a recording of a session that goes on has an end without a code", () => {
  const timeline = new Timeline();
  timeline.add("sent", 1500, FRAME);
  assert.deepEqual(recorded(timeline).at(-1), { t_ms: 500, type: "end", code: null, reason: null });
  assert.equal(recorded(new Timeline()).length, 2);
});

test("the token is not in a recording, wherever a message has it", () => {
  const secret = 'to"ken\\1';
  const timeline = new Timeline();
  timeline.add("sent", 1000, {
    type: "Settings",
    headers: { authorization: `Bearer ${secret}` },
    list: [secret],
  });
  timeline.end(1001, { code: 1000, reason: `no ${secret}` });
  const text = timeline.toJsonLines({ ...META, secret, path: `/openai?token=${encodeURIComponent(secret)}` });
  assert.ok(!/to.{1,6}ken/.test(text), text);
  const [, settings, end] = recorded(timeline, { secret });
  assert.deepEqual(settings.message, {
    type: "Settings",
    headers: { authorization: "Bearer ***" },
    list: ["***"],
  });
  assert.equal(end.reason, "no ***");
});
