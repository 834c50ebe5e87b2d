// The AudioWorklet processor of the microphone: runs on the audio thread and posts frames.
// It must not know who asked for them. `mute` and `finish` end them with silence, so that speech has an end.

import { FRAME, Framer, RATE } from "./framer.js";

/** Silence behind the last word, so that the other side hears that it was the last: 1 s. */
const TAIL_FRAMES = Math.ceil(RATE / FRAME);

class Capture extends AudioWorkletProcessor {
  #framer = new Framer(sampleRate);
  #silence = new Float32Array();
  #silent = false;
  /** Frames that are still to be posted; no end while the microphone is on. */
  #left = Number.POSITIVE_INFINITY;
  #finished = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data === "on") this.#left = Number.POSITIVE_INFINITY;
      // What is muted twice is no longer silent for it.
      else if (!this.#silent) this.#left = TAIL_FRAMES;
      this.#silent = data !== "on";
      this.#finished = data === "finish";
    };
  }

  /**
   * @param {Float32Array[][]} inputs
   * @returns {boolean} whether it is to be called again
   */
  process([input]) {
    // A microphone that is gone has no channel.
    const samples = this.#silent || input.length === 0 ? this.#quiet() : input[0];
    for (const { data, level } of this.#framer.push(samples)) {
      if (this.#left <= 0) break;
      this.#left -= 1;
      this.port.postMessage({ data, level }, [data]);
    }
    if (!this.#finished || this.#left > 0) return true;
    this.port.postMessage("finished");
    return false;
  }

  #quiet() {
    // A render quantum, in every browser of today.
    if (this.#silence.length === 0) this.#silence = new Float32Array(128);
    return this.#silence;
  }
}

registerProcessor("voxbridge-capture", Capture);
