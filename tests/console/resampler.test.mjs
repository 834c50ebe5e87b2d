// Tones in, tones out: what has to be there, what must not, and the same in pieces of any length.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Resampler } from "../../src/console/page/audio/resampler.js";

/** A second, or so, of a tone. */
function tone(rate, frequency, seconds = 0.5) {
  const samples = new Float32Array(Math.round(rate * seconds));
  return samples.map((_, index) => Math.sin((2 * Math.PI * frequency * index) / rate));
}

/** How loud a frequency is in what is no longer the beginning or the end, dB against a full tone. */
function level(samples, rate, frequency) {
  const skip = Math.round(rate * 0.05);
  // Whole periods of every frequency used here, so that none leaks into another.
  const length = Math.round(rate * 0.3);
  let [sine, cosine] = [0, 0];
  for (let index = 0; index < length; index += 1) {
    const angle = (2 * Math.PI * frequency * (index + skip)) / rate;
    sine += samples[index + skip] * Math.sin(angle);
    cosine += samples[index + skip] * Math.cos(angle);
  }
  return 20 * Math.log10((2 * Math.hypot(sine, cosine)) / length + 1e-12);
}

/** How loud everything is, dB against a full tone. */
function loudness(samples, rate) {
  const part = samples.slice(Math.round(rate * 0.05), Math.round(rate * 0.35));
  return 10 * Math.log10((2 * part.reduce((sum, sample) => sum + sample * sample, 0)) / part.length + 1e-24);
}

const CAPTURE = [44_100, 48_000, 96_000, 22_050, 32_000, 8000].map((rate) => [rate, 16_000]);
const PLAYBACK = [44_100, 48_000, 96_000, 16_000, 192_000].map((rate) => [24_000, rate]);

for (const [from, to] of [...CAPTURE, ...PLAYBACK]) {
  test(`${from} to ${to} Hz: what both rates have stays, within 0.1 dB`, () => {
    for (const part of [0.02, 0.25, 0.5, 0.75]) {
      const frequency = Math.round((part * Math.min(from, to)) / 2 / 100) * 100;
      const out = new Resampler(from, to).process(tone(from, frequency));
      assert.ok(Math.abs(level(out, to, frequency)) < 0.1, `${frequency} Hz`);
      const rest = out.map((sample, index) => sample - Math.sin((2 * Math.PI * frequency * index) / to));
      assert.ok(loudness(rest, to) < -60, `${frequency} Hz: and nothing else, nor later or earlier`);
    }
  });
}

for (const [from, to] of CAPTURE.filter(([from]) => from > 16_000)) {
  test(`${from} to ${to} Hz: what the lower rate cannot have is 60 dB down`, () => {
    for (const frequency of [8800, 10_000, 0.45 * from]) {
      const out = new Resampler(from, to).process(tone(from, frequency));
      assert.ok(loudness(out, to) < -60, `${frequency} Hz: ${loudness(out, to)} dB`);
    }
  });
}

test("pieces of any length give the same samples as one", () => {
  for (const [from, to] of [
    [48_000, 16_000],
    [44_100, 16_000],
    [24_000, 44_100],
  ]) {
    const input = tone(from, 440, 0.1);
    const whole = new Resampler(from, to).process(input);
    for (const length of [1, 7, 128, 1000]) {
      const resampler = new Resampler(from, to);
      const pieces = [];
      for (let at = 0; at < input.length; at += length) {
        pieces.push(...resampler.process(input.subarray(at, at + length)));
      }
      assert.deepEqual(Float32Array.from(pieces), whole, `${from} to ${to} by ${length}`);
    }
  }
});

test("an hour is an hour: no rate drifts", () => {
  const resampler = new Resampler(44_100, 16_000);
  let samples = 0;
  for (let second = 0; second < 40; second += 1)
    samples += resampler.process(new Float32Array(44_100)).length;
  assert.ok(Math.abs(samples - 40 * 16_000) < 32, `${samples}`);
});

test("the same rate changes nothing; after a reset nothing of the past is heard", () => {
  const input = tone(24_000, 440, 0.01);
  assert.equal(new Resampler(24_000, 24_000).process(input), input);
  const resampler = new Resampler(24_000, 48_000);
  resampler.process(input);
  resampler.reset();
  assert.ok(resampler.process(new Float32Array(240)).every((sample) => sample === 0));
});

test("after a reset it begins as a new one does", () => {
  const input = tone(24_000, 440, 0.01);
  const resampler = new Resampler(24_000, 44_100);
  resampler.process(tone(24_000, 700, 0.0101));
  resampler.reset();
  assert.deepEqual(resampler.process(input), new Resampler(24_000, 44_100).process(input));
});

test("what does not change stays what it is, at any rate", () => {
  for (const [from, to] of [...CAPTURE, ...PLAYBACK]) {
    const out = new Resampler(from, to).process(new Float32Array(from / 10).fill(0.5));
    const settled = out.subarray(out.length / 2);
    assert.ok(
      settled.every((sample) => Math.abs(sample - 0.5) < 1e-5),
      `${from} to ${to}`,
    );
  }
});

test("all of a sound is out once as much silence as it looks ahead has followed", () => {
  const resampler = new Resampler(24_000, 48_000);
  const out = resampler.process(new Float32Array(100).fill(0.5)).length;
  assert.equal(out + resampler.process(new Float32Array(resampler.lookahead)).length, 200);
});
