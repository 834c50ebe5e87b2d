// The user's loudspeaker: plays linear16 at 24 kHz as it comes, and is silent at once when it has to be.
// It must not know whose audio it is or where it comes from.

/**
 * @typedef {object} SpeakerOptions
 * @property {(level: number) => void} [onLevel] root mean square of what is heard, 0 to 1, about 20 times a second
 * @property {(at: number) => void} [onSound] the first sample of an answer is heard, ms of `performance.now()`
 * @property {(at: number) => void} [onQuiet] nothing waits any more, or it was flushed
 * @property {(bytes: number) => void} [onOverflow] audio was thrown away, because 10 minutes of it wait; all so far
 */

export class Speaker {
  /** Seconds of sound that were heard. */
  played = 0;
  /** Seconds that wait to be heard. */
  waiting = 0;
  /** Gaps in answers, because audio came late. */
  underruns = 0;
  /** Bytes that were thrown away. */
  overflow = 0;

  #options;
  #context;
  #node;
  #gain;
  #closed = false;
  /** @type {((seconds: number) => void)[]} */
  #flushes = [];

  /**
   * To be called where the user has clicked or pressed a key: browsers let no page sound without.
   * @param {SpeakerOptions} [options]
   * @returns {Promise<Speaker>}
   * @throws {Error} whose name `wordsForSpeaker` may have words for
   */
  static async open(options = {}) {
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      // Browsers have none for a page that is plain http on another machine.
      if (context.audioWorklet === undefined)
        throw Object.assign(new Error("no secure context"), { name: "InsecureContextError" });
      await context.audioWorklet.addModule(new URL("./playback.js", import.meta.url));
      const shape = { numberOfInputs: 0, outputChannelCount: [1] };
      return new Speaker(options, context, new AudioWorkletNode(context, "voxbridge-playback", shape));
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /**
   * @param {SpeakerOptions} options
   * @param {AudioContext} context
   * @param {AudioWorkletNode} node
   * @private
   */
  constructor(options, context, node) {
    this.#options = options;
    this.#context = context;
    this.#node = node;
    node.port.onmessage = ({ data }) => this.#hear(data);
    this.#gain = context.createGain();
    node.connect(this.#gain).connect(context.destination);
    // A telephone call, or another tab, may suspend it.
    context.onstatechange = () => {
      if (!this.#closed && context.state !== "running") this.resume();
    };
    this.resume();
  }

  /** Whether it sounds: not before the user has clicked or pressed a key. */
  get running() {
    return this.#context.state === "running";
  }

  /** How loud it is, from 0 to 1. Levels stay those of what comes. */
  set volume(/** @type {number} */ volume) {
    // Its square, as ears hear it; over some 15 ms, so that nothing clicks.
    this.#gain.gain.setTargetAtTime(volume ** 2, this.#context.currentTime, 0.005);
  }

  /** Tries again to sound, such as at the user's next click. */
  resume() {
    if (!this.#closed) this.#context.resume().catch(() => {});
  }

  /**
   * Plays audio behind what waits.
   * @param {ArrayBuffer} data linear16, 24 kHz, of any length; it stays the caller's
   */
  play(data) {
    if (!this.#closed) this.#node.port.postMessage(data);
  }

  /** What was given is all of the answer: what comes next is heard as another one. */
  endAnswer() {
    if (!this.#closed) this.#node.port.postMessage("end");
  }

  /**
   * Is silent at once, and forgets what waits.
   * @returns {Promise<number>} seconds that are not heard, as soon as it is done
   */
  flush() {
    if (this.#closed) return Promise.resolve(0);
    this.#node.port.postMessage("flush");
    return new Promise((resolve) => this.#flushes.push(resolve));
  }

  /** Is silent for good. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#node.port.postMessage("close");
    this.#node.disconnect();
    this.#context.close().catch(() => {});
    for (const resolve of this.#flushes.splice(0)) resolve(0);
    this.#options.onLevel?.(0);
  }

  /** @param {any} message of the processor */
  #hear(message) {
    if (this.#closed) return;
    const over = message.overflow > this.overflow;
    const { played, waiting, underruns, overflow } = message;
    Object.assign(this, { played, waiting, underruns, overflow });
    if (over) this.#options.onOverflow?.(overflow);
    switch (message.type) {
      case "sound":
        return this.#options.onSound?.(this.#heardAt(message.time));
      case "quiet":
        return this.#options.onQuiet?.(this.#heardAt(message.time));
      case "flushed":
        return this.#flushes.shift()?.(message.dropped);
      case "level":
        return this.#options.onLevel?.(message.level);
    }
  }

  /**
   * When a sample of that time leaves the device.
   * @param {number} time of the context
   * @returns {number} ms of `performance.now()`
   */
  #heardAt(time) {
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp();
    // Not every browser knows before sound has been heard for a while.
    if (contextTime > 0 && performanceTime > 0) return performanceTime + (time - contextTime) * 1000;
    return performance.now() + (this.#context.outputLatency || this.#context.baseLatency || 0) * 1000;
  }
}
