// The buttons for microphone and sound, the volume, and the level of both sides.
// Knows nothing of devices and audio.

import { find, setIcon } from "../dom.js";
import { remember, remembered } from "../storage.js";
import { Meter } from "./meters.js";

export class Voice {
  microphone = new Meter(find("microphone-wave", HTMLElement), find("microphone-meter", HTMLElement));
  agent = new Meter(find("agent-wave", HTMLElement), find("agent-meter", HTMLElement));

  #microphone = find("microphone", HTMLButtonElement);
  #sound = find("sound", HTMLButtonElement);
  #volume = find("volume", HTMLInputElement);
  #problem = find("microphone-problem", HTMLElement);
  #onVolume;

  /**
   * @param {object} handlers
   * @param {() => void} handlers.onMicrophone it was pressed
   * @param {(volume: number) => void} handlers.onVolume 0 to 1; 0 while the sound is off
   */
  constructor({ onMicrophone, onVolume }) {
    this.#onVolume = onVolume;
    this.#microphone.addEventListener("click", onMicrophone);
    this.#sound.addEventListener("click", () => this.toggleSound());
    this.#volume.value = remembered("volume") ?? "100";
    this.#volume.addEventListener("input", () => {
      remember("volume", this.#volume.value);
      this.#setSound(true);
    });
  }

  /** @returns {number} 0 to 1 */
  get volume() {
    return this.#sound.getAttribute("aria-pressed") === "true" ? Number(this.#volume.value) / 100 : 0;
  }

  toggleSound() {
    this.#setSound(this.#sound.getAttribute("aria-pressed") !== "true");
  }

  /** @param {boolean} possible */
  setPossible(possible) {
    this.#microphone.disabled = !possible;
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#microphone.setAttribute("aria-pressed", String(on));
    setIcon(this.#microphone, on ? "mic" : "mic-off");
    if (!on) this.microphone.set(0);
  }

  /** @param {string} problem empty: none */
  complain(problem) {
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === "";
  }

  /** @param {boolean} on */
  #setSound(on) {
    this.#sound.setAttribute("aria-pressed", String(on));
    setIcon(this.#sound, on ? "sound" : "sound-off");
    this.#onVolume(this.volume);
  }
}
