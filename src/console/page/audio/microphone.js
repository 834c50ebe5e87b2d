// The user's microphone as frames for the gateway: linear16, 16 kHz, 32 ms.
// It must not know who sends them, or why it is switched on and off.

import { RATE } from "./framer.js";

/** From which level on a frame is loud enough to be somebody who speaks: -40 dB. */
export const LOUD = 0.01;

/**
 * @typedef {object} MicrophoneOptions
 * @property {(data: ArrayBuffer, level: number, at: number) => void} onFrame with its level, 0 to 1, and its end in ms
 * @property {(level: number) => void} [onLevel] root mean square of each frame, 0 to 1
 * @property {() => void} [onEnded] the device has gone, or its permission
 */

export class Microphone {
  #options;
  #stream;
  #context;
  #source;
  #node;
  #muted = false;
  #closed = false;

  /**
   * Asks the user for the microphone.
   * @param {MicrophoneOptions} options
   * @returns {Promise<Microphone>}
   * @throws {Error} whose name `wordsForMicrophone` has words for
   */
  static async open(options) {
    // Nothing of the kind is there for a page that is plain http on another machine.
    if (!isSecureContext || navigator.mediaDevices === undefined)
      throw named("InsecureContextError", "no secure context");
    const wanted = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    try {
      const { context, source } = sourceOf(stream);
      try {
        await context.audioWorklet.addModule(new URL("./capture.js", import.meta.url));
        const node = new AudioWorkletNode(context, "voxbridge-capture", {
          channelCount: 1,
          channelCountMode: "explicit",
        });
        return new Microphone(options, stream, context, source, node);
      } catch (error) {
        await context.close();
        throw error;
      }
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw named("AudioError", String(error));
    }
  }

  /**
   * @param {MicrophoneOptions} options
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {MediaStreamAudioSourceNode} source
   * @param {AudioWorkletNode} node
   * @private
   */
  constructor(options, stream, context, source, node) {
    this.#options = options;
    this.#stream = stream;
    this.#context = context;
    this.#source = source;
    this.#node = node;
    node.port.onmessage = ({ data }) => this.#hear(data);
    node.onprocessorerror = () => this.#lose();
    for (const track of stream.getTracks()) track.onended = () => this.#lose();
    // A telephone call, or another tab, may suspend it.
    context.onstatechange = () => {
      if (!this.#closed && context.state !== "running") context.resume().catch(() => {});
    };
    // It gives silence, and is run because it is connected.
    source.connect(node).connect(context.destination);
    context.resume().catch(() => {});
  }

  /** Whether it gives no frames. */
  get muted() {
    return this.#muted;
  }

  /**
   * Stops the frames, after a second of silence in which the other side hears that the speech is over; or goes on.
   * @param {boolean} [muted]
   */
  mute(muted = true) {
    if (this.#closed) return;
    this.#muted = muted;
    for (const track of this.#stream.getTracks()) track.enabled = !muted;
    this.#node.port.postMessage(muted ? "mute" : "on");
    if (muted) this.#options.onLevel?.(0);
  }

  /** Gives the device back at once; the frames end with a second of silence, as those of `mute` do. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    for (const track of this.#stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.#source.disconnect();
    this.#node.port.postMessage("finish");
    this.#options.onLevel?.(0);
  }

  /** @param {"finished" | { data: ArrayBuffer, level: number }} message of the processor */
  #hear(message) {
    if (message === "finished") {
      this.#context.close().catch(() => {});
      return;
    }
    const { data, level } = message;
    this.#options.onFrame(data, level, performance.now());
    if (!this.#muted && !this.#closed) this.#options.onLevel?.(level);
  }

  #lose() {
    if (this.#closed) return;
    this.close();
    this.#options.onEnded?.();
  }
}

/**
 * @param {MediaStream} stream
 * @returns {{ context: AudioContext, source: MediaStreamAudioSourceNode }}
 */
function sourceOf(stream) {
  const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    // Firefox connects no device of another rate: then the processor changes it.
    context.close().catch(() => {});
    const native = new AudioContext({ latencyHint: "interactive" });
    return { context: native, source: native.createMediaStreamSource(stream) };
  }
}

/**
 * @param {string} name
 * @param {string} message
 * @returns {Error}
 */
function named(name, message) {
  return Object.assign(new Error(message), { name });
}
