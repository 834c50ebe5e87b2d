// Sends any message of the protocol that a person writes as JSON, from templates.
// Knows nothing of what messages do.

import { find, make } from "../dom.js";

/** @typedef {import("../session.js").Message} Message */

/** @type {readonly Message[]} */
const TEMPLATES = [
  { type: "UpdatePrompt", prompt: "From now on, answer in rhymes." },
  { type: "InjectAgentMessage", message: "Are you still there?", behavior: "queue" },
  { type: "InjectUserMessage", content: "What time is it?" },
  { type: "UpdateSpeak", speak: { provider: { type: "open_ai", model: "gpt-4o-mini-tts", voice: "cedar" } } },
  {
    type: "UpdateThink",
    think: { provider: { type: "open_ai", model: "gpt-4o-mini" }, prompt: "Be brief." },
  },
  { type: "UpdateListen", listen: { provider: { type: "deepgram", model: "nova-3", language: "de" } } },
  { type: "ForceEndTurn" },
  { type: "KeepAlive" },
];

export class Raw {
  #template = find("raw-template", HTMLSelectElement);
  #text = find("raw-text", HTMLTextAreaElement);
  #problem = find("raw-problem", HTMLElement);
  #send = find("raw-send", HTMLButtonElement);
  #note = find("raw-note", HTMLElement);
  #dialog = find("raw", HTMLDialogElement);

  /** @param {{ onMessage: (message: Message) => void }} handlers */
  constructor({ onMessage }) {
    find("raw-open", HTMLButtonElement).addEventListener("click", () => this.#dialog.showModal());
    find("raw-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
    this.#template.replaceChildren(
      ...TEMPLATES.map(({ type }, index) => make("option", { value: String(index) }, type)),
    );
    this.#template.addEventListener("change", () => this.#fill());
    this.#text.addEventListener("input", () => this.#complain(""));
    find("raw-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      const message = this.#read();
      if (!message) return;
      onMessage(message);
      this.#note.textContent = `${message.type} was sent. What comes of it is in the time line.`;
    });
    this.#fill();
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    this.#send.disabled = !connected;
    this.#note.textContent = connected ? "" : "Connect first.";
  }

  #fill() {
    this.#text.value = JSON.stringify(TEMPLATES[Number(this.#template.value)], null, 2);
    this.#complain("");
  }

  /** @returns {Message | null} */
  #read() {
    let message;
    try {
      message = JSON.parse(this.#text.value);
    } catch (error) {
      return this.#complain(`This is not JSON: ${error instanceof Error ? error.message : error}`);
    }
    if (typeof message !== "object" || message === null || Array.isArray(message)) {
      return this.#complain("A message is an object: { … }.");
    }
    if (typeof message.type !== "string" || message.type === "") {
      return this.#complain('A message has a type, such as "KeepAlive".');
    }
    return message;
  }

  /** @param {string} problem empty: none */
  #complain(problem) {
    this.#note.textContent = "";
    this.#problem.textContent = problem;
    this.#problem.hidden = problem === "";
    this.#text.setAttribute("aria-invalid", String(problem !== ""));
    return null;
  }
}
