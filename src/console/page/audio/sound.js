// The devices of a conversation: the speaker while there is one, the microphone from when it is switched on.
// Knows nothing of the page; it says what is heard and what went wrong.

import { Microphone } from "./microphone.js";
import { Speaker } from "./speaker.js";

/**
 * @typedef {object} SoundHandlers
 * @property {(data: ArrayBuffer, level: number, at: number) => void} onFrame of the microphone
 * @property {(on: boolean) => void} onMicrophone whether the microphone is on has changed
 * @property {(error: unknown) => void} onMicrophoneError
 * @property {(error: unknown) => void} onSpeakerError
 * @property {(level: number) => void} onMicrophoneLevel 0 to 1
 * @property {(level: number) => void} onAgentLevel 0 to 1
 * @property {(at: number) => void} onSound the first sound of an answer left the speaker
 * @property {() => void} onQuiet all of it was played
 */

export class Sound {
  #handlers;
  /** @type {Speaker | null} */
  #speaker = null;
  /** @type {Promise<void> | null} */
  #opening = null;
  /** @type {Microphone | null} */
  #microphone = null;
  #asking = false;
  /** Whether the microphone is wanted: it may be gone by the time that the user has allowed it. */
  #wanted = false;
  #volume = 1;

  /** @param {SoundHandlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Opens the speaker; to be called when a person has pressed something, or browsers stay silent. */
  openSpeaker() {
    const { onAgentLevel, onSound, onQuiet, onSpeakerError } = this.#handlers;
    this.#speaker?.resume();
    this.#opening ??= Speaker.open({ onLevel: onAgentLevel, onSound, onQuiet }).then(
      (speaker) => {
        this.#speaker = speaker;
        speaker.volume = this.#volume;
      },
      (error) => {
        this.#opening = null;
        onSpeakerError(error);
      },
    );
  }

  /** @param {ArrayBuffer} data linear16 at 24 kHz */
  play(data) {
    this.#withSpeaker((speaker) => speaker.play(data));
  }

  /** Whether anything can be heard: browsers without a device, or without a person's leave, play nothing. */
  get sounds() {
    return this.#speaker?.running ?? false;
  }

  /** All of an answer is there. */
  endAnswer() {
    this.#withSpeaker((speaker) => speaker.endAnswer());
  }

  /** Silences what plays and what waits, at once. */
  flush() {
    this.#withSpeaker((speaker) => speaker.flush());
  }

  /**
   * Now, or, in order, once it is open: a greeting may come before.
   * @param {(speaker: Speaker) => void} use
   */
  #withSpeaker(use) {
    if (this.#speaker) use(this.#speaker);
    else this.#opening?.then(() => this.#speaker && use(this.#speaker));
  }

  /** @param {number} volume 0 to 1 */
  setVolume(volume) {
    this.#volume = volume;
    if (this.#speaker) this.#speaker.volume = volume;
  }

  get microphoneOn() {
    return this.#microphone !== null && !this.#microphone.muted;
  }

  /** Switches the microphone on, or mutes it. */
  async toggleMicrophone() {
    const microphone = this.#microphone;
    if (microphone === null) return this.openMicrophone();
    microphone.mute(!microphone.muted);
    this.#handlers.onMicrophone(this.microphoneOn);
  }

  /** Asks for the microphone, if it is not there. */
  async openMicrophone() {
    this.#wanted = true;
    if (this.#asking || this.#microphone) return;
    this.#asking = true;
    const { onFrame, onMicrophoneLevel, onMicrophoneError } = this.#handlers;
    const onEnded = () => {
      this.closeMicrophone();
      onMicrophoneError(Object.assign(new Error("the device has gone"), { name: "EndedError" }));
    };
    try {
      const microphone = await Microphone.open({ onFrame, onLevel: onMicrophoneLevel, onEnded });
      if (this.#wanted) this.#microphone = microphone;
      else microphone.close();
    } catch (error) {
      onMicrophoneError(error);
    }
    this.#asking = false;
    this.#handlers.onMicrophone(this.microphoneOn);
  }

  /** Gives the device back. */
  closeMicrophone() {
    this.#wanted = false;
    this.#microphone?.close();
    this.#microphone = null;
    this.#handlers.onMicrophone(false);
  }
}
