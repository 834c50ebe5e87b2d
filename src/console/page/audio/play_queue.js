// What is still to be played: takes linear16 in pieces of any length, gives samples at the speaker's rate.
// It must not know the browser: bytes come in, samples and what there is to tell of them go out.

import { Resampler } from "./resampler.js";

/** Samples per second of what comes in. */
export const RATE = 24_000;

/** How much is there before an answer begins to be heard, against jitter: 60 ms. */
const CUSHION = 0.06 * RATE;

/** How much can wait to be played: 10 minutes. */
const CAPACITY = 600 * RATE;

/** How long it takes to become silent in the middle of a sound without a click, seconds. */
const FADE_S = 0.005;

/** How long nothing comes in the middle of an answer before it counts as over, seconds. */
const PATIENCE_S = 0.3;

/** Samples that the resampler is given at a time. */
const BLOCK = 64;

/**
 * What a listener hears: the first sample of an answer; nothing any more; or sound again, after a gap within an answer.
 * @typedef {{ type: "sound" | "quiet" | "underrun", index: number }} Change before which sample of the render
 */

export class PlayQueue {
  /** Bytes that were thrown away, because too much waits. */
  overflow = 0;
  /** Gaps in answers, because their audio came late. */
  underruns = 0;
  /** Seconds of sound that were played. */
  played = 0;

  #rate;
  #capacity;
  #resampler;
  /** @type {{ samples: Int16Array, ends: boolean }[]} `ends`: an answer, with its last sample */
  #pieces = [];
  /** Samples of the first piece that are gone. */
  #offset = 0;
  #waiting = 0;
  /** @type {number | null} the first half of a sample of which the other half has not come */
  #half = null;
  /** @type {Float32Array} samples at the speaker's rate that the last render did not need */
  #ready = new Float32Array();
  #readyAt = 0;
  /** @type {"idle" | "filling" | "playing" | "gap"} */
  #state = "idle";
  /** Whether the next sample that is taken is the first of an answer. */
  #fresh = true;
  /** Samples rendered while it waits for more. */
  #waited = 0;
  /** @type {Float32Array} the rest of a sound that was flushed */
  #fading = new Float32Array();
  #flushed = false;

  /**
   * @param {number} rate samples per second of the speaker
   * @param {number} [capacity] samples that can wait
   */
  constructor(rate, capacity = CAPACITY) {
    this.#rate = rate;
    this.#capacity = capacity;
    this.#resampler = new Resampler(RATE, rate);
  }

  /** Seconds that wait to be played. */
  get waiting() {
    return this.#waiting / RATE + (this.#ready.length - this.#readyAt) / this.#rate;
  }

  /**
   * Adds audio behind what waits.
   * @param {Uint8Array} bytes linear16, little-endian; a sample may be in two pieces
   */
  push(bytes) {
    const room = 2 * (this.#capacity - this.#waiting);
    const whole = (bytes.length + (this.#half === null ? 0 : 1)) >> 1;
    const samples = new Int16Array(Math.min(whole, room / 2));
    this.overflow += 2 * (whole - samples.length);
    let at = 0;
    for (let index = 0; index < whole; index += 1) {
      const low = this.#half ?? bytes[at++];
      this.#half = null;
      const high = bytes[at++];
      if (index < samples.length) samples[index] = low | (high << 8);
    }
    if (at < bytes.length) this.#half = bytes[at];
    if (samples.length === 0) return;
    this.#pieces.push({ samples, ends: false });
    this.#waiting += samples.length;
    if (this.#state === "idle") this.#turn("filling");
  }

  /** What was pushed is all of the answer: what comes next is another one. */
  end() {
    this.#half = null;
    const last = this.#pieces.at(-1);
    if (last !== undefined) last.ends = true;
    else this.#fresh = true;
  }

  /** Throws away what waits, and what is heard within 5 ms. */
  flush() {
    const heard = this.#state === "playing" || this.#state === "gap";
    if (this.#state === "playing") {
      const fading = new Float32Array(Math.round(FADE_S * this.#rate));
      // What it lacks is silence already.
      this.#fill(fading, 0, []);
      for (let index = 0; index < fading.length; index += 1) {
        fading[index] *= 0.5 + 0.5 * Math.cos((Math.PI * (index + 1)) / fading.length);
      }
      this.#fading = fading;
    }
    this.#pieces = [];
    this.#offset = 0;
    this.#waiting = 0;
    this.#half = null;
    this.#fresh = true;
    this.#flushed ||= heard;
    this.#silence("idle");
  }

  /**
   * The next samples for the speaker.
   * @param {Float32Array} output filled to its end
   * @returns {Change[]} in their order
   */
  render(output) {
    /** @type {Change[]} */
    const changes = [];
    const faded = Math.min(this.#fading.length, output.length);
    output.set(this.#fading.subarray(0, faded));
    this.#fading = this.#fading.slice(faded);
    let index = faded;
    if (this.#flushed && this.#fading.length === 0) {
      this.#flushed = false;
      changes.push({ type: "quiet", index });
    }
    while (index < output.length) {
      if (this.#state !== "playing" && !this.#start(index, changes)) {
        output.fill(0, index);
        this.#waitOn(output.length - index, changes, output.length);
        break;
      }
      index = this.#fill(output, index, changes);
    }
    return changes;
  }

  /**
   * Begins to play, if there is enough.
   * @param {number} index
   * @param {Change[]} changes
   * @returns {boolean}
   */
  #start(index, changes) {
    if (this.#waiting === 0) return false;
    const enough = this.#waiting >= CUSHION || this.#waited > PATIENCE_S * this.#rate;
    if (!enough && !this.#pieces.some(({ ends }) => ends)) return false;
    if (this.#state === "gap") {
      this.underruns += 1;
      changes.push({ type: "underrun", index });
    }
    this.#turn("playing");
    return true;
  }

  /**
   * Plays what there is.
   * @param {Float32Array} output
   * @param {number} from its index
   * @param {Change[]} changes
   * @returns {number} behind the last sample that was played
   */
  #fill(output, from, changes) {
    let index = from;
    while (index < output.length) {
      if (this.#readyAt === this.#ready.length && !this.#prepare(index, changes)) break;
      const some = this.#ready.subarray(this.#readyAt, this.#readyAt + output.length - index);
      output.set(some, index);
      index += some.length;
      this.#readyAt += some.length;
    }
    this.played += (index - from) / this.#rate;
    return index;
  }

  /**
   * Makes the next samples at the speaker's rate.
   * @param {number} index of the render
   * @param {Change[]} changes
   * @returns {boolean} whether there are any, or may be
   */
  #prepare(index, changes) {
    const [piece] = this.#pieces;
    if (piece === undefined) {
      if (this.#state !== "playing") return false;
      // The last of it is still in the resampler.
      this.#ready = this.#resampler.process(new Float32Array(this.#resampler.lookahead));
      this.#readyAt = 0;
      this.#resampler.reset();
      this.#turn("gap");
      return true;
    }
    if (this.#fresh) changes.push({ type: "sound", index });
    const some = piece.samples.subarray(this.#offset, this.#offset + BLOCK);
    this.#ready = this.#resampler.process(Float32Array.from(some, (sample) => sample / 32768));
    this.#readyAt = 0;
    this.#offset += some.length;
    this.#waiting -= some.length;
    this.#fresh = false;
    if (this.#offset === piece.samples.length) {
      this.#fresh = piece.ends;
      this.#pieces.shift();
      this.#offset = 0;
    }
    return true;
  }

  /**
   * Time goes by in silence.
   * @param {number} samples
   * @param {Change[]} changes
   * @param {number} index
   */
  #waitOn(samples, changes, index) {
    this.#waited += samples;
    if (this.#state !== "gap") return;
    // Over, or it comes so late that it is as good as over.
    if (!this.#fresh && this.#waited <= PATIENCE_S * this.#rate) return;
    if (this.#waiting > 0) return;
    this.#fresh = true;
    changes.push({ type: "quiet", index });
    this.#silence("idle");
  }

  /** @param {"idle" | "filling"} state */
  #silence(state) {
    this.#ready = new Float32Array();
    this.#readyAt = 0;
    this.#resampler.reset();
    this.#turn(state);
  }

  /** @param {"idle" | "filling" | "playing" | "gap"} state */
  #turn(state) {
    this.#state = state;
    this.#waited = 0;
  }
}
