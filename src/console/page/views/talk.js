// The conversation as a log: who said what when, typed or spoken, where the agent was cut off, and what happened between.
// Knows nothing of messages and connections; it is told which lines there are.

import { copies, find, icon, make } from "../dom.js";
import { clock, dateOf } from "./time.js";

/** @typedef {import("../conversation/conversation.js").Line} Line */
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
  /** Of the log, when it was last seen to change. */
  #size = "";
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
    new ResizeObserver(() => {
      this.#size = sizeOf(this.#log);
      if (this.#follows) this.#scroll();
    }).observe(this.#log);
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
      const element = before ?? (line.role === "notice" ? notice(line) : this.#said(line));
      if (!before) this.#log.append(element);
      else if (line.role !== "notice") update(before, line);
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
    const turn = make("div", {}, by, make("p", { class: "said" }));
    update(turn, line);
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
    // Another size may have moved it, and nobody has scrolled: the observer is about to see to it.
    if (this.#follows && this.#size !== sizeOf(this.#log)) return;
    this.#follows = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < NEAR;
    this.#latest.hidden = this.#follows;
  }

  #scroll() {
    this.#log.scrollTop = this.#log.scrollHeight;
  }
}

/** @param {HTMLElement} element */
function sizeOf({ clientWidth, clientHeight }) {
  return `${clientWidth}x${clientHeight}`;
}

/**
 * Shows what can change of a line; what stays is not read out again.
 * @param {HTMLElement} turn
 * @param {Line} line
 */
function update(turn, { role, pending, text, interrupted }) {
  turn.className = `turn of-${role}${pending ? " pending" : ""}`;
  const said = turn.querySelector(".said");
  const waits = pending && text === "";
  const words = waits ? "…" : text;
  if (said && said.textContent !== words) {
    said.textContent = words;
    said.classList.toggle("waits", waits);
    said.setAttribute("aria-hidden", String(waits));
  }
  const marked = turn.lastElementChild?.classList.contains("mark-cut");
  if (interrupted && !marked) turn.append(make("p", { class: "mark-cut" }, "interrupted"));
}

/** @param {Line} line */
function notice({ text, advice, level, code }) {
  const words = make("p", {}, make("b", {}, text));
  if (advice) words.append(` ${advice}`);
  if (code) words.append(" ", make("code", {}, code));
  const sign = level === "info" ? [] : [icon(level === "error" ? "error" : "warning", "sign")];
  return make("div", { class: `notice ${level}` }, ...sign, words);
}
