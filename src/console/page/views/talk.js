// The conversation as a log: who said what when, typed or spoken, where the agent was cut off, and what happened between.
// Knows nothing of messages and connections; it is told which lines there are.

import { copies, find, icon, make } from "../dom.js";
import { clock, dateOf } from "./time.js";

/** @typedef {import("../conversation.js").Line} Line */
/** @typedef {"typed" | "spoken" | ""} How */

/** So near its end the log follows what is added, px. */
const NEAR = 96;

export class Talk {
  #log = find("log", HTMLElement);
  #empty = find("talk-empty", HTMLElement);
  #title = find("empty-title", HTMLElement);
  #text = find("empty-text", HTMLElement);
  #chips = find("chips", HTMLElement);
  #latest = find("log-latest", HTMLButtonElement);
  #request = find("request-id", HTMLElement);
  /** @type {Map<number, HTMLElement>} */
  #shown = new Map();
  #how;
  #follows = true;
  /** Whether the user has said something. */
  #begun = false;
  #possible = false;

  /**
   * @param {object} options
   * @param {readonly string[]} options.suggestions
   * @param {(text: string) => void} options.onSuggestion
   * @param {(line: Line) => How} options.how how a line of the user came about
   */
  constructor({ suggestions, onSuggestion, how }) {
    this.#how = how;
    const chips = suggestions.map((text) => {
      const chip = make("button", { type: "button", class: "chip" }, text);
      chip.addEventListener("click", () => onSuggestion(text));
      return make("li", {}, chip);
    });
    this.#chips.replaceChildren(...chips);
    copies(find("request-copy", HTMLButtonElement), () => this.#request.textContent ?? "");
    this.#log.addEventListener("scroll", () => this.#watch(), { passive: true });
    new ResizeObserver(() => this.#follows && this.#scroll()).observe(this.#log);
    this.#latest.addEventListener("click", () => {
      this.#follows = true;
      this.#scroll();
      this.#log.focus();
    });
  }

  /**
   * @param {Line} line
   * @param {"added" | "changed" | "removed"} change
   */
  show(line, change) {
    const before = this.#shown.get(line.id);
    if (change === "removed") {
      before?.remove();
      this.#shown.delete(line.id);
    } else {
      const element = line.role === "notice" ? notice(line) : this.#said(line);
      if (before) before.replaceWith(element);
      else this.#log.append(element);
      this.#shown.set(line.id, element);
    }
    if (line.role === "user") this.#begun = true;
    this.#showChips();
    this.#empty.hidden = this.#shown.size > 0;
    if (this.#follows) this.#scroll();
  }

  clear() {
    for (const element of this.#shown.values()) element.remove();
    this.#shown.clear();
    this.#empty.hidden = false;
    this.#begun = false;
    this.#follows = true;
    this.#showChips();
  }

  /**
   * What an empty log says.
   * @param {string} title
   * @param {string} text
   * @param {boolean} possible whether there is a connection, or can be one
   */
  invite(title, text, possible) {
    this.#title.textContent = title;
    this.#text.textContent = text;
    this.#possible = possible;
    this.#showChips();
  }

  /** @param {Line} line */
  #said(line) {
    const user = line.role === "user";
    const how = user ? this.#how(line) : "";
    const at = make("time", { datetime: dateOf(line.at).toISOString() }, clock(line.at));
    const by = make(
      "p",
      { class: "by" },
      make("b", {}, user ? "You" : "Agent"),
      ...(how ? [make("span", {}, how)] : []),
      at,
    );
    const waits = line.pending && line.text === "";
    const said = make("p", { class: waits ? "said waits" : "said" }, waits ? "…" : line.text);
    const turn = make("div", { class: `turn of-${line.role}${line.pending ? " pending" : ""}` }, by, said);
    if (waits) said.setAttribute("aria-hidden", "true");
    if (line.interrupted) turn.append(make("p", { class: "mark-cut" }, "interrupted"));
    return turn;
  }

  /** @param {string} id the gateway's name of the connection; empty: there is none */
  showRequest(id) {
    this.#request.textContent = id;
    this.#request.title = `The log of voxbridge says conn=${id}`;
    find("session-facts", HTMLElement).hidden = id === "";
  }

  #showChips() {
    this.#chips.hidden = this.#begun || !this.#possible;
  }

  #watch() {
    this.#follows = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR;
    this.#latest.hidden = this.#follows;
  }

  #scroll() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

/** @param {Line} line */
function notice({ text, advice, level, code }) {
  const words = make("p", {}, make("b", {}, text));
  if (advice) words.append(` ${advice}`);
  if (code) words.append(" ", make("code", {}, code));
  const sign = level === "info" ? [] : [icon(level === "error" ? "error" : "warning", "sign")];
  return make("div", { class: `notice ${level}` }, ...sign, words);
}
