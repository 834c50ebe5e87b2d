// The field in which one types to the agent: Enter sends, Shift and Enter begin a new line.
// Knows nothing of where the text goes.

import { find } from "../dom.js";

/** How many lines are seen at a time. */
const LINES = 6;

export class Composer {
  #text = find("message", HTMLTextAreaElement);
  #send = find("send", HTMLButtonElement);
  #onText;

  /** @param {{ onText: (text: string) => void }} handlers */
  constructor({ onText }) {
    this.#onText = onText;
    find("composer", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    if (!CSS.supports("field-sizing", "content")) this.#text.addEventListener("input", () => this.#grow());
    this.#text.addEventListener("keydown", (event) => {
      // While an input method composes, Enter is its own.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#submit();
    });
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    this.#text.disabled = this.#send.disabled = !connected;
    this.#text.placeholder = connected ? "Type a message" : "Connect to type a message";
  }

  /** @param {boolean} [byKey] whether somebody asked for it; else not where it would bring up a keyboard on the screen */
  focus(byKey = false) {
    if (byKey || matchMedia("(pointer: fine)").matches) this.#text.focus();
  }

  #grow() {
    this.#text.rows = Math.min(this.#text.value.split("\n").length, LINES);
  }

  #submit() {
    const text = this.#text.value.trim();
    if (text === "" || this.#text.disabled) return;
    this.#text.value = "";
    this.#grow();
    this.#onText(text);
  }
}
