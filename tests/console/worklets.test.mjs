// The two processors as the audio thread runs them, and the two classes that the page talks to them with.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stub } from "./support.mjs";

/** What `registerProcessor` was given, by name. */
const processors = {};

globalThis.AudioWorkletProcessor = class {
  port = {
    onmessage: null,
    posted: [],
    postMessage(message, transfer = []) {
      // As a browser does it: what is handed over is gone here.
      this.posted.push(structuredClone(message, { transfer }));
    },
  };
};
globalThis.registerProcessor = (name, processor) => {
  processors[name] = processor;
};
globalThis.sampleRate = 48_000;
globalThis.currentTime = 0;
await import("../../src/console/page/audio/capture.js");
await import("../../src/console/page/audio/playback.js");
const { Microphone } = await import("../../src/console/page/audio/microphone.js");
const { Speaker } = await import("../../src/console/page/audio/speaker.js");

/** A processor that the test runs. */
function started(name) {
  const processor = new processors[name]();
  const { port } = processor;
  return { processor, port, tell: (data) => port.onmessage({ data }) };
}

/** Lets a capture processor hear so many ms of a sound; returns the frames, and what it said of going on. */
function capture({ processor, port }, ms, value = 0.5) {
  const before = port.posted.length;
  let on = true;
  for (let quantum = 0; quantum < Math.round((ms * 48) / 128); quantum += 1) {
    on = processor.process(value === null ? [[]] : [[new Float32Array(128).fill(value)]]);
  }
  return { frames: port.posted.slice(before), on };
}

const isSilent = ({ data }) => new Int16Array(data).every((sample) => sample === 0);

test("capture: frames of 32 ms at 16 kHz, with their level", () => {
  const { frames, on } = capture(started("voxbridge-capture"), 1000);
  assert.ok(on);
  assert.equal(frames.length, 31);
  for (const { data, level } of frames.slice(1)) {
    assert.equal(data.byteLength, 1024);
    assert.ok(new Int16Array(data).every((sample) => Math.abs(sample - 16_384) < 20));
    assert.ok(Math.abs(level - 0.5) < 0.001);
  }
});

test("capture: what is too loud is cut, what is no number is silent", () => {
  const extremes = (value) => {
    const { frames } = capture(started("voxbridge-capture"), 200, value);
    return [...new Set(frames.slice(1).flatMap(({ data }) => [...new Int16Array(data)]))];
  };
  assert.deepEqual([extremes(7), extremes(-7), extremes(Number.NaN)], [[32_767], [-32_767], [0]]);
});

test("capture: muted, it gives a second of silence and then nothing, until it is on again", () => {
  const all = started("voxbridge-capture");
  capture(all, 100);
  all.tell("mute");
  const { frames, on } = capture(all, 3000);
  assert.ok(on);
  assert.equal(frames.length, 32);
  assert.ok(frames.slice(2).every(isSilent), "what was said before may still be on its way");
  all.tell("mute");
  assert.deepEqual(capture(all, 1000).frames, [], "it was silent already");
  all.tell("on");
  const again = capture(all, 1000).frames;
  assert.ok(again.length >= 31 && !isSilent(again.at(-1)));
});

test("capture: a device without a channel is silence", () => {
  const { frames } = capture(started("voxbridge-capture"), 100, null);
  assert.ok(frames.length >= 3 && frames.every(isSilent));
});

test("capture: finished, it ends after its second of silence, or at once if that was given", () => {
  const all = started("voxbridge-capture");
  capture(all, 100);
  all.tell("finish");
  assert.ok(capture(all, 900).on);
  const { frames, on } = capture(all, 200);
  assert.deepEqual([frames.at(-1), on], ["finished", false]);
  const muted = started("voxbridge-capture");
  muted.tell("mute");
  capture(muted, 2000);
  muted.tell("finish");
  assert.deepEqual(capture(muted, 3), { frames: ["finished"], on: false });
});

/** Lets a playback processor play so many ms. */
function play({ processor, port }, ms) {
  const before = port.posted.length;
  const heard = [];
  let on = true;
  for (let quantum = 0; quantum < Math.round((ms * 48) / 128); quantum += 1) {
    const output = new Float32Array(128);
    on = processor.process([], [[output]]);
    heard.push(...output);
    globalThis.currentTime += 128 / 48_000;
  }
  return { heard, posted: port.posted.slice(before), on };
}

const voice = (ms) => new Int16Array(24 * ms).fill(8192).buffer;

test("playback: plays what is posted, tells of it in the context's time, and how loud it is", () => {
  const all = started("voxbridge-playback");
  play(all, 100);
  const before = globalThis.currentTime;
  all.tell(voice(500));
  all.tell("end");
  const { heard, posted } = play(all, 1000);
  assert.ok(heard.slice(1000, 20_000).every((sample) => Math.abs(sample - 0.25) < 0.001));
  const of = (wanted) => posted.filter(({ type }) => type === wanted);
  assert.deepEqual([of("sound").length, of("quiet").length], [1, 1]);
  assert.ok(Math.abs(of("sound")[0].time - before) < 0.003);
  assert.ok(Math.abs(of("quiet")[0].time - of("sound")[0].time - 0.5) < 0.01);
  const levels = of("level").map(({ level }) => level);
  assert.ok(levels.length >= 10 && levels.length <= 12, `${levels}`);
  assert.ok(Math.abs(levels[3] - 0.25) < 0.001);
  assert.deepEqual(
    [levels.at(-1), levels.filter((level) => level === 0).length],
    [0, 1],
    "silence is told once",
  );
  assert.ok(Math.abs(posted.at(-1).played - 0.5) < 0.01);
});

test("playback: a flush is answered with what is not heard, and is silent", () => {
  const all = started("voxbridge-playback");
  all.tell(voice(1000));
  play(all, 200);
  all.tell("flush");
  const { type, dropped } = all.port.posted.at(-1);
  assert.equal(type, "flushed");
  assert.ok(Math.abs(dropped - 0.8) < 0.01, `${dropped}`);
  assert.ok(
    play(all, 100)
      .heard.slice(48 * 5 + 1)
      .every((sample) => sample === 0),
  );
});

test("playback: closed, it is not called again", () => {
  const all = started("voxbridge-playback");
  assert.ok(play(all, 10).on);
  all.tell("close");
  assert.ok(!play(all, 10).on);
});

/** A browser's audio, of which the test is the other side; `refuses` says which contexts it cannot connect. */
function browser(t, { refuses = () => false } = {}) {
  const made = { contexts: [], nodes: [], tracks: [] };
  class Context extends EventTarget {
    state = "running";
    destination = "speakers";
    currentTime = 7;
    resumed = 0;
    wires = [];
    volumes = [];
    outputLatency = 0.02;
    audioWorklet = { addModule: async (url) => (this.module = String(url)) };
    constructor({ sampleRate } = {}) {
      super();
      this.rate = sampleRate;
      made.contexts.push(this);
    }
    createMediaStreamSource() {
      if (refuses(this)) throw new DOMException("another rate", "NotSupportedError");
      return { connect: (to) => this.wire("source", to), disconnect: () => (this.disconnected = true) };
    }
    createGain() {
      const setTargetAtTime = (...target) => this.volumes.push(target);
      return { name: "gain", gain: { setTargetAtTime }, connect: (to) => this.wire("gain", to) };
    }
    wire(from, to) {
      this.wires.push(`${from} ${to.name ?? to}`);
      return to;
    }
    async resume() {
      this.resumed += 1;
    }
    async close() {
      this.state = "closed";
    }
    getOutputTimestamp() {
      return this.timestamp ?? { contextTime: 0, performanceTime: 0 };
    }
  }
  stub(t, "AudioContext", Context);
  stub(
    t,
    "AudioWorkletNode",
    class {
      posted = [];
      port = { postMessage: (message) => this.posted.push(message) };
      constructor(context, name, options) {
        Object.assign(this, { context, name, options });
        made.nodes.push(this);
      }
      connect(to) {
        return this.context.wire(this.name, to);
      }
      disconnect() {}
      say(data) {
        this.port.onmessage({ data });
      }
    },
  );
  stub(t, "isSecureContext", true);
  const asked = [];
  const getUserMedia = async (wanted) => {
    asked.push(wanted);
    const track = { enabled: true, stopped: false, stop: () => (track.stopped = true) };
    made.tracks.push(track);
    return { getTracks: () => [track] };
  };
  stub(t, "navigator", { mediaDevices: { getUserMedia } });
  return { ...made, asked };
}

test("microphone: asks for one voice without echo, at 16 kHz", async (t) => {
  const { asked, contexts, nodes } = browser(t);
  const frames = [];
  const levels = [];
  const onFrame = (data, level, at) => frames.push([data.byteLength, level, typeof at]);
  await Microphone.open({ onFrame, onLevel: (level) => levels.push(level) });
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  assert.deepEqual(asked, [{ audio }]);
  assert.equal(contexts[0].rate, 16_000);
  assert.match(contexts[0].module, /\/audio\/capture\.js$/);
  nodes[0].say({ data: new ArrayBuffer(1024), level: 0.25 });
  assert.deepEqual([frames, levels], [[[1024, 0.25, "number"]], [0.25]]);
});

test("microphone: its sound goes to the processor, which runs because it leads on; suspended, it resumes", async (t) => {
  const { contexts, nodes } = browser(t);
  let ended = 0;
  const microphone = await Microphone.open({ onFrame: () => {}, onEnded: () => (ended += 1) });
  const [context] = contexts;
  assert.deepEqual(context.wires, ["source voxbridge-capture", "voxbridge-capture speakers"]);
  assert.equal(context.resumed, 1);
  context.onstatechange();
  assert.equal(context.resumed, 1, "it runs");
  context.state = "interrupted";
  context.onstatechange();
  assert.equal(context.resumed, 2);
  microphone.close();
  context.onstatechange();
  assert.deepEqual([context.resumed, context.disconnected], [2, true]);
  assert.equal(ended, 0);
  const other = await Microphone.open({ onFrame: () => {}, onEnded: () => (ended += 1) });
  nodes[1].onprocessorerror();
  other.close();
  assert.equal(ended, 1, "what cannot be processed is as good as gone");
});

test("microphone: a browser that connects no other rate gives its own", async (t) => {
  const { contexts } = browser(t, { refuses: ({ rate }) => rate === 16_000 });
  await Microphone.open({ onFrame: () => {} });
  assert.deepEqual(
    contexts.map(({ rate, state }) => `${rate} ${state}`),
    ["16000 closed", "undefined running"],
  );
});

test("microphone: muted and closed the device is off, and the silence behind it still comes", async (t) => {
  const { contexts, nodes, tracks } = browser(t);
  const levels = [];
  let frames = 0;
  const microphone = await Microphone.open({
    onFrame: () => (frames += 1),
    onLevel: (level) => levels.push(level),
    onEnded: () => assert.fail("it was closed"),
  });
  microphone.mute();
  assert.deepEqual([microphone.muted, tracks[0].enabled], [true, false]);
  nodes[0].say({ data: new ArrayBuffer(1024), level: 0 });
  microphone.mute(false);
  assert.equal(tracks[0].enabled, true);
  microphone.close();
  microphone.close();
  microphone.mute();
  assert.deepEqual(nodes[0].posted, ["mute", "on", "finish"]);
  assert.equal(tracks[0].stopped, true);
  nodes[0].say({ data: new ArrayBuffer(1024), level: 0 });
  assert.equal(contexts[0].state, "running");
  nodes[0].say("finished");
  assert.deepEqual([contexts[0].state, frames, levels], ["closed", 2, [0, 0]]);
});

test("microphone: a device that goes away is told once", async (t) => {
  const { tracks } = browser(t);
  let ended = 0;
  await Microphone.open({ onFrame: () => {}, onEnded: () => (ended += 1) });
  tracks[0].onended();
  tracks[0].onended?.();
  assert.equal(ended, 1);
});

test("microphone: what goes wrong has a name that there are words for, and leaves no device on", async (t) => {
  const { tracks } = browser(t, { refuses: () => true });
  const opened = () => Microphone.open({ onFrame: () => {} });
  await assert.rejects(opened, { name: "AudioError" });
  assert.equal(tracks[0].stopped, true);
  stub(t, "isSecureContext", false);
  await assert.rejects(opened, { name: "InsecureContextError" });
  stub(t, "isSecureContext", true);
  stub(t, "navigator", {});
  await assert.rejects(opened, { name: "InsecureContextError" });
  const getUserMedia = async () => {
    throw new DOMException("no", "NotAllowedError");
  };
  stub(t, "navigator", { mediaDevices: { getUserMedia } });
  await assert.rejects(opened, { name: "NotAllowedError" });
});

test("speaker: says when a sound leaves the device, and keeps what it plays the caller's", async (t) => {
  const { contexts, nodes } = browser(t);
  t.mock.method(performance, "now", () => 5000);
  const told = [];
  const speaker = await Speaker.open({
    onSound: (at) => told.push(["sound", at]),
    onQuiet: (at) => told.push(["quiet", at]),
    onLevel: (level) => told.push(["level", level]),
    onOverflow: (bytes) => told.push(["overflow", bytes]),
  });
  const stand = { played: 1, waiting: 2, underruns: 3, overflow: 0 };
  const data = voice(10);
  speaker.play(data);
  speaker.endAnswer();
  assert.deepEqual(nodes[0].posted, [data, "end"]);
  nodes[0].say({ type: "sound", time: 3, ...stand });
  contexts[0].timestamp = { contextTime: 2, performanceTime: 4000 };
  nodes[0].say({ type: "quiet", time: 3.5, ...stand });
  nodes[0].say({ type: "level", level: 0.5, ...stand, overflow: 96 });
  assert.deepEqual(told, [
    ["sound", 5020],
    ["quiet", 5500],
    ["overflow", 96],
    ["level", 0.5],
  ]);
  assert.deepEqual([speaker.played, speaker.waiting, speaker.underruns, speaker.overflow], [1, 2, 3, 96]);
});

test("speaker: sounds as loud as is asked, and again after it was suspended", async (t) => {
  const { contexts, nodes } = browser(t);
  const levels = [];
  const speaker = await Speaker.open({ onLevel: (level) => levels.push(level) });
  const [context] = contexts;
  assert.deepEqual(context.wires, ["voxbridge-playback gain", "gain speakers"]);
  speaker.volume = 0.5;
  assert.deepEqual(context.volumes, [[0.25, 7, 0.005]]);
  assert.deepEqual([speaker.running, context.resumed], [true, 1]);
  context.onstatechange();
  assert.equal(context.resumed, 1, "it runs");
  context.state = "suspended";
  context.onstatechange();
  assert.deepEqual([speaker.running, context.resumed], [false, 2]);
  speaker.close();
  context.onstatechange();
  assert.equal(context.resumed, 2);
  nodes[0].say({ type: "level", level: 1, played: 0, waiting: 0, underruns: 0, overflow: 0 });
  assert.deepEqual(levels, [0], "closed, it is silent and says so");
});

test("speaker: flushes are answered in their order, and closed nothing is owed", async (t) => {
  const { nodes, contexts } = browser(t);
  const speaker = await Speaker.open();
  assert.deepEqual([speaker.played, speaker.waiting, speaker.underruns, speaker.overflow], [0, 0, 0, 0]);
  const flushes = [speaker.flush(), speaker.flush(), speaker.flush()];
  for (const dropped of [1.5, 0]) nodes[0].say({ type: "flushed", dropped });
  speaker.close();
  speaker.close();
  assert.deepEqual(await Promise.all([...flushes, speaker.flush()]), [1.5, 0, 0, 0]);
  speaker.play(voice(10));
  speaker.endAnswer();
  assert.deepEqual(nodes[0].posted, ["flush", "flush", "flush", "close"]);
  assert.equal(contexts[0].state, "closed");
});

test("speaker: a processor that cannot be loaded leaves no context", async (t) => {
  const { contexts } = browser(t);
  const fail = async () => {
    throw new Error("not found");
  };
  const before = AudioContext;
  stub(
    t,
    "AudioContext",
    class extends before {
      audioWorklet = { addModule: fail };
    },
  );
  await assert.rejects(Speaker.open(), /not found/);
  assert.equal(contexts[0].state, "closed");
  stub(
    t,
    "AudioContext",
    class extends before {
      audioWorklet = undefined;
    },
  );
  await assert.rejects(Speaker.open(), { name: "InsecureContextError" });
  assert.equal(contexts[1].state, "closed");
});
