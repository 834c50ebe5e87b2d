// The AudioWorklet processor of the speaker: runs on the audio thread and plays what is posted to it.
// It must not know whose audio it is. It posts levels and what a listener hears, with the context's time.

import { PlayQueue } from "./play_queue.js";

/** How often the level is posted, seconds. */
const LEVEL_S = 0.05;

class Playback extends AudioWorkletProcessor {
  #queue = new PlayQueue(sampleRate);
  #open = true;
  #energy = 0;
  #samples = 0;
  #silent = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#take(data);
  }

  /**
   * @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs
   * @returns {boolean} whether it is to be called again
   */
  process(_, [[output]]) {
    for (const { type, index } of this.#queue.render(output)) {
      this.#post({ type, time: currentTime + index / sampleRate });
    }
    for (const sample of output) this.#energy += sample * sample;
    this.#samples += output.length;
    if (this.#samples >= LEVEL_S * sampleRate) this.#measure();
    return this.#open;
  }

  /** @param {"flush" | "end" | "close" | ArrayBuffer} order */
  #take(order) {
    if (order instanceof ArrayBuffer) return this.#queue.push(new Uint8Array(order));
    if (order === "end") return this.#queue.end();
    if (order === "close") {
      this.#open = false;
      return;
    }
    const { waiting: dropped } = this.#queue;
    this.#queue.flush();
    this.#post({ type: "flushed", dropped });
  }

  #measure() {
    const level = Math.sqrt(this.#energy / this.#samples);
    this.#energy = 0;
    this.#samples = 0;
    // Silence is told once.
    if (level === 0 && this.#silent) return;
    this.#silent = level === 0;
    this.#post({ type: "level", level });
  }

  /** @param {object} message of what happened; with it goes how things stand */
  #post(message) {
    const { played, waiting, underruns, overflow } = this.#queue;
    this.port.postMessage({ ...message, played, waiting, underruns, overflow });
  }
}

registerProcessor("voxbridge-playback", Playback);
