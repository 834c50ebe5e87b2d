// The field in which one types to the agent: Enter sends, Shift and Enter begin a new line.
// Knows nothing of where the text goes.

import { find } from "../dom.js";

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

  focus() {
    this.#text.focus();
  }

  #submit() {
    const text = this.#text.value.trim();
    if (text === "" || this.#text.disabled) return;
    this.#text.value = "";
    this.#onText(text);
  }
}
