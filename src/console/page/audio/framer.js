// Makes frames for the gateway of what a microphone gives: 16 kHz, linear16, 32 ms each, with their loudness.
// It must not know the browser: samples come in, frames go out.

import { Resampler } from "./resampler.js";

/** Samples per second that the gateway is sent. */
export const RATE = 16_000;

/** Samples of a frame: 32 ms. */
export const FRAME = 512;

/**
 * @typedef {object} Frame
 * @property {ArrayBuffer} data linear16, little-endian
 * @property {number} level root mean square, 0 to 1
 */

export class Framer {
  #resampler;
  #frame = new Int16Array(FRAME);
  #filled = 0;
  #energy = 0;

  /** @param {number} rate samples per second of what comes in */
  constructor(rate) {
    this.#resampler = new Resampler(rate, RATE);
  }

  /**
   * @param {Float32Array} samples -1 to 1
   * @returns {Frame[]} those that are full now
   */
  push(samples) {
    const frames = [];
    for (const sample of this.#resampler.process(samples)) {
      // What is no number, or too loud, must not come out as something else.
      const value = Number.isFinite(sample) ? Math.max(-1, Math.min(1, sample)) : 0;
      this.#frame[this.#filled] = Math.round(value * 32767);
      this.#energy += value * value;
      this.#filled += 1;
      if (this.#filled < FRAME) continue;
      frames.push({ data: this.#frame.buffer, level: Math.sqrt(this.#energy / FRAME) });
      this.#frame = new Int16Array(FRAME);
      this.#filled = 0;
      this.#energy = 0;
    }
    return frames;
  }
}
