// What is heard of audio that comes in pieces: its samples, its gaps, its ends, and silence at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PlayQueue, RATE } from "../../src/console/page/audio/play_queue.js";

/** Bytes of `ms` of a constant sound, at 24 kHz. */
function sound(ms, value = 8192) {
  return new Uint8Array(new Int16Array(Math.round((ms * RATE) / 1000)).fill(value).buffer);
}

/** Renders so many ms as a browser does, 128 samples at a time; at 24 kHz, where nothing is resampled. */
function render(queue, ms, rate = RATE) {
  const quanta = Math.round((ms * rate) / 1000 / 128);
  const samples = new Float32Array(quanta * 128);
  const changes = [];
  for (let quantum = 0; quantum < quanta; quantum += 1) {
    const at = quantum * 128;
    for (const { type, index } of queue.render(samples.subarray(at, at + 128)))
      changes.push([type, at + index]);
  }
  return { samples, changes, types: changes.map(([type]) => type) };
}

const heard = (samples) => samples.filter((sample) => sample !== 0).length;

test("samples come out as they went in, whatever the pieces", () => {
  const input = Int16Array.from({ length: 4000 }, (_, index) => ((index * 7919) % 65_536) - 32_768 || 1);
  const bytes = new Uint8Array(input.buffer);
  for (const length of [1, 3, 64, 999, 8000]) {
    const queue = new PlayQueue(RATE);
    for (let at = 0; at < bytes.length; at += length) queue.push(bytes.subarray(at, at + length));
    queue.end();
    const { samples } = render(queue, 200);
    const start = samples.findIndex((sample) => sample !== 0);
    assert.deepEqual(
      Array.from(samples.subarray(start, start + 4000), (sample) => sample * 32_768),
      [...input],
    );
    assert.ok(samples.subarray(start + 4000).every((sample) => sample === 0));
  }
});

test("half a sample at the end of an answer does not shift the next one", () => {
  for (const over of ["end", "flush"]) {
    const queue = new PlayQueue(RATE);
    queue.push(Uint8Array.of(1, 2, 3));
    queue[over]();
    render(queue, 100);
    queue.push(Uint8Array.of(0, 64));
    queue.end();
    assert.deepEqual(
      [...render(queue, 100).samples].filter((sample) => sample !== 0),
      [0.5],
      over,
    );
  }
});

test("an answer begins with 60 ms, or as soon as it is whole", () => {
  const queue = new PlayQueue(RATE);
  assert.deepEqual(render(queue, 1000).changes, [], "however long it was silent before");
  queue.push(sound(59));
  assert.deepEqual(render(queue, 100).changes, []);
  queue.push(sound(1));
  const { samples, changes } = render(queue, 32);
  assert.deepEqual(changes, [["sound", 0]]);
  assert.equal(heard(samples), samples.length);
  const short = new PlayQueue(RATE);
  short.push(sound(10));
  short.end();
  assert.deepEqual(render(short, 100).changes[0], ["sound", 0]);
});

test("where there is no sound there is silence, whatever stood there", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(2));
  queue.end();
  const output = new Float32Array(128).fill(7);
  queue.render(output);
  assert.deepEqual([output[47], output[48], output[127]], [0.25, 0, 0]);
});

test("what is short and has no end is played after 300 ms all the same", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(10));
  assert.deepEqual(render(queue, 290).types, []);
  const { types, samples } = render(queue, 500);
  assert.deepEqual([types, heard(samples)], [["sound", "quiet"], 240]);
});

test("an answer that was played to its end is quiet once, behind its last sample", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(100));
  queue.end();
  const { changes } = render(queue, 300);
  assert.deepEqual(
    changes.map(([type]) => type),
    ["sound", "quiet"],
  );
  assert.ok(changes[1][1] - 2400 <= 128, "within a render");
  assert.deepEqual(render(queue, 1000).changes, []);
  assert.ok(Math.abs(queue.played - 0.1) < 0.001, `${queue.played}`);
});

test("two answers in a row are two sounds, with nothing in between", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(100));
  queue.end();
  queue.push(sound(100));
  queue.end();
  const { changes, samples } = render(queue, 300);
  assert.deepEqual(changes.slice(0, 2), [
    ["sound", 0],
    ["sound", 2400],
  ]);
  assert.equal(heard(samples), 4800);
});

test("a gap within an answer is an underrun, and no second sound", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(100));
  assert.deepEqual(render(queue, 200).types, ["sound"]);
  queue.push(sound(30));
  assert.deepEqual(render(queue, 50).types, [], "it waits for a cushion again");
  queue.push(sound(70));
  queue.end();
  assert.deepEqual(render(queue, 300).types, ["underrun", "quiet"]);
  assert.equal(queue.underruns, 1);
});

test("an end that comes after the last sample was played is no gap", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(100));
  render(queue, 150);
  queue.end();
  assert.deepEqual(render(queue, 50).types, ["quiet"]);
  queue.push(sound(100));
  assert.deepEqual(render(queue, 50).types, ["sound"]);
  assert.equal(queue.underruns, 0);
});

test("an answer that comes to nothing is over after 300 ms, and what follows is another", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(100));
  assert.deepEqual(render(queue, 350).types, ["sound"]);
  assert.deepEqual(render(queue, 100).types, ["quiet"]);
  queue.push(sound(100));
  assert.deepEqual(render(queue, 50).types, ["sound"]);
  assert.equal(queue.underruns, 0);
});

for (const rate of [24_000, 44_100, 48_000]) {
  test(`a flush is silent within 5 ms, without a step, at ${rate} Hz`, () => {
    const queue = new PlayQueue(rate);
    queue.push(sound(1000));
    const before = render(queue, 100, rate);
    assert.ok(Math.abs(queue.waiting - 0.9) < 0.01, `${queue.waiting}`);
    queue.flush();
    assert.equal(queue.waiting, 0);
    const { samples, changes } = render(queue, 100, rate);
    const silent = samples.indexOf(0);
    assert.ok(silent <= rate * 0.005 + 1, `silent after ${silent} samples`);
    assert.ok(samples.subarray(silent).every((sample) => sample === 0));
    assert.deepEqual(
      changes.map(([type]) => type),
      ["quiet"],
    );
    let last = before.samples.at(-1);
    for (const sample of samples.subarray(0, silent + 1)) {
      assert.ok(Math.abs(sample - last) < 0.25 * 0.02, "a step is a click");
      last = sample;
    }
  });
}

test("what comes after a flush is another answer", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(1000, 8192));
  render(queue, 100);
  queue.flush();
  queue.push(sound(100, -8192));
  const { changes, samples } = render(queue, 60);
  assert.deepEqual(
    changes.map(([type]) => type),
    ["quiet", "sound"],
  );
  const [, [, begins]] = changes;
  assert.ok(
    samples.subarray(begins).every((sample) => sample === -0.25),
    "nothing is left of the one before",
  );
});

test("a flush of nothing tells nothing", () => {
  const queue = new PlayQueue(RATE);
  queue.flush();
  queue.push(sound(10));
  queue.flush();
  assert.deepEqual(render(queue, 500).changes, []);
});

test("flushed twice it still fades, and is quiet once", () => {
  const queue = new PlayQueue(RATE);
  queue.push(sound(1000));
  render(queue, 100);
  queue.flush();
  queue.flush();
  const { samples, types } = render(queue, 50);
  assert.ok(heard(samples) > 100, "no click");
  assert.deepEqual(types, ["quiet"]);
});

test("what can wait is bounded; what is over it is counted and shifts nothing", () => {
  const queue = new PlayQueue(RATE, 2400);
  queue.push(sound(50).subarray(0, 2399));
  queue.push(sound(200).subarray(1));
  assert.equal(queue.overflow, 2 * (1199 + 4800 - 2400));
  assert.equal(queue.waiting, 0.1);
  queue.push(sound(1));
  assert.equal(queue.overflow, 2 * (1199 + 4800 - 2400 + 24));
  queue.end();
  const { samples } = render(queue, 300);
  assert.equal(heard(samples), 2400);
});

test("at another rate an answer is as long as it is, and as loud", () => {
  for (const rate of [44_100, 48_000]) {
    const queue = new PlayQueue(rate);
    queue.push(sound(200));
    queue.end();
    const { samples, changes } = render(queue, 400, rate);
    const length = changes[1][1] / rate;
    assert.ok(Math.abs(length - 0.2) < 0.005, `${length}`);
    const middle = samples.subarray(rate * 0.05, rate * 0.15);
    assert.ok(middle.every((sample) => Math.abs(sample - 0.25) < 0.001));
  }
});
