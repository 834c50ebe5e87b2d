// The bar on top: which backend, which of its paths, and the buttons that begin and end a connection.
// Knows nothing of the connection itself.

import { find, make } from "../dom.js";
import { remember, remembered } from "../storage.js";

/** @typedef {import("../gateway.js").Backend} Backend */

/** What a kind of backend is called, for a person. */
const KINDS = new Map([
  ["openai-realtime", "OpenAI Realtime"],
  ["deepgram-agent", "Deepgram"],
]);

export class Connection {
  /** @type {Backend[]} */
  #backends = [];
  #busy = false;
  #backend = find("backend", HTMLSelectElement);
  #path = find("path", HTMLSelectElement);
  #connect = find("connect", HTMLButtonElement);
  #disconnect = find("disconnect", HTMLButtonElement);

  /**
   * @param {object} handlers
   * @param {() => void} handlers.onConnect
   * @param {() => void} handlers.onDisconnect
   * @param {(backend: Backend) => void} handlers.onBackend another was chosen
   */
  constructor({ onConnect, onDisconnect, onBackend }) {
    find("connect-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      if (!this.#connect.disabled && !this.#connect.hidden) onConnect();
    });
    this.#disconnect.addEventListener("click", onDisconnect);
    this.#path.addEventListener("change", () => this.#showPath());
    this.#backend.addEventListener("change", () => {
      remember("backend", this.#backend.value);
      this.#showPaths();
      if (this.chosen) onBackend(this.chosen);
    });
  }

  /** @returns {Backend | undefined} */
  get chosen() {
    return this.#backends.find(({ name }) => name === this.#backend.value);
  }

  get path() {
    return this.#path.value || (this.chosen?.paths[0] ?? "");
  }

  /**
   * @param {Backend[]} backends
   * @param {string} instead what the field says when there is none
   */
  show(backends, instead) {
    const before = this.#backend.value || remembered("backend");
    this.#backends = backends;
    const options = backends.map(({ name, kind }) =>
      make("option", { value: name }, `${name} (${KINDS.get(kind) ?? kind})`),
    );
    this.#backend.replaceChildren(...(options.length ? options : [make("option", { value: "" }, instead)]));
    if (backends.some(({ name }) => name === before)) this.#backend.value = before ?? "";
    this.#showPaths();
    this.setBusy(this.#busy);
  }

  /** @param {boolean} busy a connection is there or on its way */
  setBusy(busy) {
    const moved = document.activeElement === (busy ? this.#connect : this.#disconnect);
    this.#busy = busy;
    this.#backend.disabled = busy || this.#backends.length === 0;
    this.#path.disabled = busy;
    this.#connect.disabled = this.#backends.length === 0;
    this.#connect.hidden = busy;
    this.#disconnect.hidden = !busy;
    // Whoever uses the keyboard stays where the button was.
    if (moved) (busy ? this.#disconnect : this.#connect).focus();
  }

  /** Which path it is matters to those alone who look for it; the fold says it without being opened. */
  #showPath() {
    find("connection-note", HTMLElement).textContent = this.path;
  }

  #showPaths() {
    const paths = this.chosen?.paths ?? [];
    this.#path.replaceChildren(...paths.map((path) => make("option", { value: path }, path)));
    find("path-field", HTMLElement).hidden = paths.length === 0;
    this.#showPath();
  }
}
