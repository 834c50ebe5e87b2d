// The form that says who the agent is, and the field for the gateway's token.
// Knows nothing of the connection; hands out the form's values and says which field is wrong.

import { find, make } from "../dom.js";
import { OWN_FUNCTIONS } from "../functions.js";
import { defaults, EXAMPLE_FUNCTIONS, VOICES } from "../settings.js";
import { keepToken, loadForm, loadToken, saveForm } from "../storage.js";

/** @typedef {import("../settings.js").Form} Form */
/** @typedef {import("../settings.js").FieldError} FieldError */

/** @type {readonly ["prompt", "greeting", "language", "functions"]} */
const TEXTS = ["prompt", "greeting", "language", "functions"];

export class Setup {
  #form = loadForm();
  #kind = "openai-realtime";
  #voice = find("voice", HTMLInputElement);
  #problem = find("settings-problem", HTMLElement);
  #fold = find("agent-fold", HTMLDetailsElement);
  #own = find("own-functions", HTMLElement);
  #token = find("token", HTMLInputElement);
  #tokenNote = find("token-note", HTMLElement);
  #tokenHint = this.#tokenNote.textContent;
  #tokenFold = find("connection-fold", HTMLDetailsElement);
  #tokenKeep = find("token-keep", HTMLInputElement);

  /** @param {{ onToken: () => void }} handlers a token was entered */
  constructor({ onToken }) {
    find("settings-form", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    for (const name of TEXTS) {
      this.#field(name).addEventListener("input", () =>
        this.#changed(() => (this.#form[name] = this.#field(name).value)),
      );
    }
    this.#voice.addEventListener("input", () =>
      this.#changed(() => (this.#form.voices[this.#kind] = this.#voice.value)),
    );
    find("settings-reset", HTMLButtonElement).addEventListener("click", () =>
      this.#changed(() => this.#show(defaults())),
    );
    find("functions-example", HTMLButtonElement).addEventListener("click", () => {
      this.#changed(() => (this.#form.functions = EXAMPLE_FUNCTIONS));
      this.#show(this.#form);
    });
    find("token-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      keepToken(this.#tokenKeep.checked ? this.token : "");
      onToken();
    });
    this.#tokenKeep.addEventListener("change", () => keepToken(this.#tokenKeep.checked ? this.token : ""));
    this.#token.value = loadToken();
    this.#tokenKeep.checked = this.#token.value !== "";
    this.#show(this.#form);
    // On a narrow page the conversation comes first.
    this.#fold.open = matchMedia("(min-width: 720px)").matches;
  }

  /** @returns {Form} */
  get form() {
    return structuredClone(this.#form);
  }

  get token() {
    return this.#token.value.trim();
  }

  /**
   * Shows the voice of this kind of backend, with what there is to choose from.
   * @param {string} kind
   */
  chooseKind(kind) {
    this.#kind = kind;
    const voices = kind in VOICES ? VOICES[/** @type {keyof typeof VOICES} */ (kind)] : [];
    find("voices", HTMLDataListElement).replaceChildren(...voices.map((value) => make("option", { value })));
    this.#voice.value = this.#form.voices[kind] ?? "";
    this.#voice.placeholder = "default";
  }

  /**
   * The gateway wants a token, or another one.
   * @param {string} note why
   */
  askForToken(note) {
    this.#tokenNote.textContent = note;
    this.#tokenFold.open = true;
    this.#token.focus();
  }

  /** The gateway is content with the token, or wants none. */
  acceptToken() {
    this.#tokenNote.textContent = this.#tokenHint;
  }

  /** @param {boolean} connected */
  setConnected(connected) {
    find("agent-note", HTMLElement).textContent = connected ? "for the next connection" : "";
    if (connected && matchMedia("(max-width: 719px)").matches) this.#fold.open = false;
  }

  /** @param {FieldError} error */
  complain({ field, message }) {
    this.#fold.open = true;
    this.#problem.textContent = message;
    this.#problem.hidden = false;
    const input = this.#field(field);
    const inner = input.closest("details");
    if (inner) inner.open = true;
    input.setAttribute("aria-invalid", "true");
    // Beside what is wrong, wherever the form is scrolled to.
    input.after(this.#problem);
    input.focus();
  }

  /** @param {() => void} change */
  #changed(change) {
    change();
    saveForm(this.#form);
    this.#problem.hidden = true;
    for (const name of TEXTS) this.#field(name).removeAttribute("aria-invalid");
  }

  /** @param {Form} form */
  #show(form) {
    this.#form = form;
    for (const name of TEXTS) this.#field(name).value = form[name];
    this.#own.replaceChildren(...OWN_FUNCTIONS.map(({ name, description }) => this.#tick(name, description)));
    this.chooseKind(this.#kind);
  }

  /**
   * @param {string} name
   * @param {string} description
   */
  #tick(name, description) {
    const box = make("input", { type: "checkbox" });
    box.checked = this.#form.own[name] ?? true;
    box.addEventListener("change", () => this.#changed(() => (this.#form.own[name] = box.checked)));
    return make("label", { class: "tick", title: description }, box, make("code", {}, name));
  }

  /** @param {string} name */
  #field(name) {
    const field = document.getElementById(name);
    if (field instanceof HTMLInputElement || field instanceof HTMLTextAreaElement) return field;
    throw new Error(`index.html has no field #${name}`);
  }
}
