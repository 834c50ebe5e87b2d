// Sound in the tests of a browser: WAV files for its microphone, and an ear at its speakers.
// It knows nothing of how a page plays: it listens where sound leaves any page, and reads what came over its WebSockets.

import { readFileSync, writeFileSync } from "node:fs";

const RATE = 16_000;
const AUDIBLE = 0.01;
const WINDOW_S = 0.01;

/** The samples of a WAV file with the usual header: 16 bits, one channel, 16 kHz. */
export function samples(file) {
  const bytes = readFileSync(file);
  return new Int16Array(
    bytes.buffer.slice(bytes.byteOffset + 44, bytes.byteOffset + bytes.length - (bytes.length % 2)),
  );
}

/** What is between the silence at the beginning and the silence at the end of `sound`. */
export function withoutSilence(sound) {
  const loud = (sample) => Math.abs(sample) > 32768 * AUDIBLE;
  return sound.slice(sound.findIndex(loud), sound.findLastIndex(loud) + 1);
}

/** Writes a WAV file of these parts: samples, or seconds of silence. */
export function writeWav(file, parts) {
  const pieces = parts.map((part) =>
    typeof part === "number" ? new Int16Array(Math.round(part * RATE)) : part,
  );
  const data = Buffer.concat(
    pieces.map((piece) => Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)),
  );
  const header = Buffer.alloc(44);
  header.write("RIFF", 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write("data", 36);
  header.writeUInt32LE(data.length, 40);
  writeFileSync(file, Buffer.concat([header, data]));
}

/** Puts the ear into a tab that has loaded nothing yet: `browser.open(url, { prepare: listen })`. */
export function listen(tab) {
  return tab.page.evaluateOnNewDocument(putEar, WINDOW_S);
}

/**
 * What the ear has heard so far. `played`: the loudest sample of each 10 ms that left the page, 0 to 1; `received`: the same
 * of the audio that came over the WebSocket (24 kHz, linear16); `events`: each text message that came, with its `type`, and
 * how many windows had been `played` when the page was about to see it, and `received`.
 */
export function hear(tab) {
  return tab.page.evaluate(() => globalThis.ear.heard());
}

/** How many seconds of these windows can be heard. */
export function audible(windows) {
  return windows.filter((peak) => peak > AUDIBLE).length * WINDOW_S;
}

/** The windows from the first that can be heard to the last. */
export function span(windows) {
  const loud = (peak) => peak > AUDIBLE;
  return windows.slice(windows.findIndex(loud), windows.findLastIndex(loud) + 1);
}

/** Seconds of windows. */
export function seconds(windows) {
  return windows.length * WINDOW_S;
}

/** How alike the loudness of two sounds runs, from -1 to 1, where they fit best within 100 ms of their beginnings. */
export function likeness(one, other) {
  const shifts = Array.from({ length: 21 }, (_, index) => index - 10);
  return Math.max(
    ...shifts.map((shift) => correlation(one.slice(Math.max(0, shift)), other.slice(Math.max(0, -shift)))),
  );
}

function correlation(one, other) {
  const length = Math.min(one.length, other.length);
  const mean = (windows) => windows.slice(0, length).reduce((sum, peak) => sum + peak, 0) / length;
  const [left, right] = [mean(one), mean(other)];
  let [both, first, second] = [0, 0, 0];
  for (let index = 0; index < length; index += 1) {
    const [x, y] = [one[index] - left, other[index] - right];
    both += x * y;
    first += x * x;
    second += y * y;
  }
  return both / Math.sqrt(first * second || 1);
}

// Runs in the page, before anything of the page's own.
function putEar(windowSeconds) {
  const connect = AudioNode.prototype.connect;
  const taps = new Map(); // by context
  const received = windows(24_000);
  const events = [];

  // The peak of each window of the samples that are taken.
  function windows(rate) {
    const [size, peaks] = [rate * windowSeconds, []];
    let [peak, filled] = [0, 0];
    const take = (samples) => {
      for (const sample of samples) {
        peak = Math.max(peak, Math.abs(sample));
        filled += 1;
        if (filled < size) continue;
        peaks.push(peak);
        [peak, filled] = [0, 0];
      }
    };
    return { peaks, take };
  }

  // A copy of what goes to the speakers of a context. It is taken from the stream of what the audio thread has made, so
  // it is complete however busy the machine is, and comes when it comes.
  function tap(context) {
    const node = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    const [track] = node.stream.getAudioTracks();
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 10_000 }).readable.getReader();
    // Without a source that goes on the stream would pause whenever the page's own do.
    const silence = new ConstantSourceNode(context, { offset: 0 });
    connect.call(silence, node);
    silence.start();
    const made = { node, context, since: context.currentTime, ...windows(context.sampleRate) };
    const read = async () => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        const samples = new Float32Array(value.numberOfFrames);
        value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
        made.rate = value.sampleRate;
        value.close();
        made.take(samples);
      }
    };
    read();
    taps.set(context, made);
    return made;
  }

  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      connect.call(this, (taps.get(this.context) ?? tap(this.context)).node);
    }
    return connect.call(this, target, ...rest);
  };

  // By the clock of the sound, which is ahead of what was read from the stream.
  const position = () =>
    Math.max(
      0,
      ...[...taps.values()].map(({ context, since }) =>
        Math.round((context.currentTime - since) / windowSeconds),
      ),
    );

  globalThis.WebSocket = class extends WebSocket {
    constructor(...parameters) {
      super(...parameters);
      this.addEventListener("message", ({ data }) => {
        if (data instanceof ArrayBuffer) {
          received.take(Float32Array.from(new Int16Array(data), (sample) => sample / 32768));
        } else if (typeof data === "string") {
          events.push({ type: JSON.parse(data).type, played: position(), received: received.peaks.length });
        }
      });
    }
  };

  globalThis.ear = {
    heard: () => {
      const all = [...taps.values()].map(({ peaks }) => peaks);
      const longest = Math.max(0, ...all.map((peaks) => peaks.length));
      const played = Array.from({ length: longest }, (_, index) =>
        Math.max(...all.map((peaks) => peaks[index] ?? 0)),
      );
      return {
        played,
        received: received.peaks,
        events,
        position: position(),
        rates: [...taps.values()].map(({ rate }) => rate),
      };
    },
  };
}
