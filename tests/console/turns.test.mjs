// How long answers took, on a clock that the test is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../src/console/page/conversation/turns.js";

/** 100 ms of the agent's voice, in bytes. */
const SOME = 4800;

function begin() {
  const changes = [];
  const turns = new Turns((turn, change) => changes.push(`${change} ${turn.id}`));
  return { turns, changes };
}

/** A typed turn that the other side has. */
function typed(turns, text, at) {
  const turn = turns.typed(text, at);
  turns.echoed(turn);
  return turn;
}

test("a typed turn counts from when it was sent", () => {
  const { turns } = begin();
  const turn = typed(turns, "Hi", 1000);
  turns.started({ total: 0.4, tts: 0.1, ttt: 0.3 });
  turns.audio(SOME, 1500);
  turns.heard(1560);
  turns.text(1600);
  turns.audio(SOME, 1700);
  turns.done(1800);
  turns.report({ total_latency: 0.4 });
  assert.deepEqual(turn.latencies, { transcript: null, firstText: 600, firstAudio: 500, firstSound: 560 });
  assert.deepEqual(
    [turn.reported, turn.report],
    [{ total: 0.4, tts: 0.1, ttt: 0.3 }, { total_latency: 0.4 }],
  );
  assert.deepEqual([turn.state, turn.endedAt], ["answered", 1800]);
});

test("a spoken turn counts from the last loud sound of the user before the answer", () => {
  const { turns } = begin();
  turns.spoke(900);
  const { turn } = turns.speaking(1000);
  for (const at of [1100, 1500, 2000]) turns.spoke(at);
  turns.transcribed(turn, "What time is it?", 2300);
  turns.thinking();
  // The user coughs while the agent thinks.
  turns.spoke(2400);
  turns.text(2500);
  turns.audio(SOME, 2600);
  turns.heard(2650);
  assert.equal(turn.endOfSpeech, 2000);
  assert.deepEqual(turn.latencies, { transcript: 300, firstText: 500, firstAudio: 600, firstSound: 650 });
});

test("a transcript that comes after the answer began counts from the same moment", () => {
  const { turns } = begin();
  const { turn } = turns.speaking(1000);
  turns.spoke(1500);
  turns.audio(SOME, 1800);
  turns.spoke(1900);
  turns.transcribed(turn, "Hi", 2000);
  assert.deepEqual([turn.latencies.firstAudio, turn.latencies.transcript], [300, 500]);
});

test("without a microphone that was loud nothing is claimed", () => {
  const { turns } = begin();
  turns.spoke(100);
  const { turn } = turns.speaking(10_000);
  turns.transcribed(turn, "Hi", 10_500);
  turns.audio(SOME, 11_000);
  turns.heard(11_050);
  assert.deepEqual(turn.latencies, { transcript: null, firstText: null, firstAudio: null, firstSound: null });
});

test("what was typed into an answer is not answered by the rest of it", () => {
  const { turns } = begin();
  const first = typed(turns, "one", 0);
  turns.audio(SOME, 100);
  const second = typed(turns, "two", 200);
  turns.audio(SOME, 300);
  turns.text(310);
  turns.done(320);
  assert.deepEqual([first.state, second.state], ["answered", "open"]);
  turns.audio(SOME, 700);
  turns.heard(150);
  turns.heard(800);
  assert.deepEqual([first.latencies.firstSound, second.latencies.firstAudio], [150, 500]);
  assert.equal(second.latencies.firstSound, 600, "sounds belong to answers in their order");
});

test("of two messages that one response answers, the latter is answered", () => {
  const { turns } = begin();
  const before = typed(turns, "before", 0);
  turns.text(1);
  turns.done(2);
  const [one, two] = [typed(turns, "one", 10), typed(turns, "two", 20)];
  turns.audio(SOME, 100);
  assert.deepEqual([before.state, one.state, two.state], ["answered", "superseded", "answered"]);
});

test("an answer that goes on after a function call belongs to the same turn", () => {
  const { turns } = begin();
  const turn = typed(turns, "Time?", 0);
  const first = turns.text(100);
  turns.done(110);
  const second = turns.text(300);
  turns.audio(SOME, 400);
  assert.equal(second.turn, turn);
  assert.notEqual(first.id, second.id);
  assert.deepEqual([turn.latencies.firstText, turn.latencies.firstAudio], [100, 400]);
});

test("what nobody asked for is no turn", () => {
  const { turns, changes } = begin();
  turns.started(null);
  turns.text(10);
  turns.audio(SOME, 20);
  turns.heard(30);
  turns.done(40);
  turns.report({ total_latency: 1 });
  assert.deepEqual([turns.list, changes], [[], []]);
});

test("the user cuts off what is heard or about to be, and no sound of it counts any more", () => {
  const { turns } = begin();
  const turn = typed(turns, "Hi", 0);
  const { id } = turns.text(100);
  for (let at = 100; at < 120; at += 1) turns.audio(SOME, at);
  turns.done(120);
  // Two seconds of audio came within 20 ms: they are heard until 2100.
  const { turn: next, interrupted } = turns.speaking(1000);
  assert.deepEqual(
    interrupted.map((answer) => answer.id),
    [id],
  );
  assert.equal(turn.interrupted, true);
  turns.heard(1010);
  assert.equal(turn.latencies.firstSound, null, "it was flushed");
  assert.deepEqual(turns.speaking(1100).interrupted, [], "once");
  turns.audio(SOME, 1500);
  turns.done(1510);
  assert.deepEqual(turns.speaking(1700).interrupted, [], "it was heard to its end");
  assert.deepEqual([next.interrupted, next.state], [false, "answered"]);
  // An answer that is cut off while it is received.
  const third = typed(turns, "Go on", 2000);
  turns.text(2100);
  assert.equal(turns.speaking(2200).interrupted.length, 1);
  const fourth = typed(turns, "Stop", 2300);
  turns.text(2400);
  assert.deepEqual([third.state, fourth.state], ["answered", "answered"]);
});

test("answers that wait for each other in the speaker are cut off together", () => {
  const { turns } = begin();
  for (let count = 0; count < 2; count += 1) {
    typed(turns, "Hi", count);
    turns.text(10 + count);
    turns.audio(10 * SOME, 10 + count);
    turns.done(10 + count);
  }
  assert.equal(turns.speaking(500).interrupted.length, 2);
  assert.equal(begin().turns.speaking(0).interrupted.length, 0);
});

test("a session that is over owes nothing", () => {
  const { turns } = begin();
  const turn = typed(turns, "Hi", 0);
  turns.reset();
  assert.equal(turn.state, "superseded");
  turns.audio(SOME, 100);
  assert.equal(turn.latencies.firstAudio, null);
});

test("what a session was saying is not said by the next one", () => {
  const { turns } = begin();
  const first = typed(turns, "Hi", 0);
  for (let at = 100; at < 200; at += 1) turns.audio(SOME, at);
  turns.reset();
  turns.heard(200);
  assert.equal(first.latencies.firstSound, null);
  assert.equal(turns.text(300).turn, null, "its greeting answers nobody");
  turns.done(310);
  const second = typed(turns, "Again", 400);
  turns.audio(SOME, 500);
  turns.done(510);
  assert.deepEqual([second.state, second.latencies.firstAudio], ["answered", 100]);
  assert.deepEqual(turns.speaking(1000).interrupted, []);
  const { turns: others } = begin();
  typed(others, "Hi", 0);
  for (let at = 0; at < 100; at += 1) others.audio(SOME, at);
  others.reset();
  assert.deepEqual(others.speaking(1000).interrupted, []);
});

test("turns are bounded, the oldest go", () => {
  const { turns, changes } = begin();
  for (let count = 0; count < 510; count += 1) turns.typed(`${count}`, count);
  assert.deepEqual([turns.list.length, turns.list[0].text], [500, "10"]);
  assert.equal(changes.filter((change) => change.startsWith("removed")).length, 10);
});
