// The function calls of the agent: arguments, result, where each ran and how long it took; and a form to answer by hand.
// Knows nothing of how a call is run; it hands over what a person decides.

import { find, make, pretty } from "../dom.js";
import { clock, duration } from "./time.js";

/** @typedef {import("../conversation/conversation.js").Call} Call */
/** @typedef {{content: string} | {error: string}} Answer */

const RAN = { page: "on this page", hand: "answered by hand", server: "on the server" };

export class Calls {
  #list = find("calls", HTMLElement);
  #empty = find("calls-empty", HTMLElement);
  #count = find("calls-count", HTMLElement);
  /** @type {Map<Call, HTMLElement>} */
  #shown = new Map();
  #handlers;

  /**
   * @param {object} handlers
   * @param {(call: Call) => boolean} handlers.needsHand whether nothing but a person answers it
   * @param {(call: Call, answer: Answer) => void} handlers.onAnswer
   * @param {(call: Call) => Promise<void>} handlers.onForward rejects with an Error whose message is for the person
   */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * @param {Call} call
   * @param {"added" | "changed" | "removed"} change
   */
  show(call, change) {
    const before = this.#shown.get(call);
    if (change === "removed") {
      before?.remove();
      this.#shown.delete(call);
    } else {
      const focused = before?.contains(document.activeElement);
      const card = this.#card(call);
      if (before) before.replaceWith(card);
      else this.#list.prepend(card);
      this.#shown.set(call, card);
      if (focused) this.#list.focus();
    }
    this.#tally();
  }

  clear() {
    for (const card of this.#shown.values()) card.remove();
    this.#shown.clear();
    this.#tally();
  }

  #tally() {
    this.#empty.hidden = this.#shown.size > 0;
    this.#count.textContent = this.#shown.size > 0 ? String(this.#shown.size) : "";
  }

  /** @param {Call} call */
  #card(call) {
    const byHand = call.state === "open" && this.#handlers.needsHand(call);
    const state = byHand
      ? "waits for you"
      : call.state === "open"
        ? "running"
        : call.error !== null
          ? "failed"
          : call.state;
    const kind = call.error !== null ? "failed" : call.state;
    const took = call.endedAt === null ? "" : ` in ${duration(call.endedAt - call.askedAt)}`;
    const where = byHand ? "" : `${RAN[call.where]}${call.state === "answered" ? took : ""}`;
    const card = make(
      "article",
      { class: "call", "aria-label": call.name },
      make(
        "div",
        { class: "call-head" },
        make("h3", { class: "call-name" }, call.name),
        make("span", { class: `badge ${kind}` }, state),
      ),
      make("p", { class: "call-facts" }, clock(call.askedAt), where ? ` · ${where}` : ""),
      make("h4", {}, "Arguments"),
      json(call.arguments || "{}"),
    );
    if (call.result !== null) card.append(make("h4", {}, "Result"), json(call.result));
    if (call.error !== null) card.append(make("h4", {}, "Error"), json(call.error));
    if (byHand) card.append(this.#form(call));
    return card;
  }

  /** @param {Call} call */
  #form(call) {
    const id = `answer-${call.order}`;
    const text = make("textarea", { class: "field mono", id, rows: 3, spellcheck: "false" });
    text.value = "{}";
    const kinds = ["Result", "Error"].map((name, index) => {
      const radio = make("input", { type: "radio", name: `${id}-kind`, value: name });
      radio.checked = index === 0;
      return { radio, label: make("label", { class: "tick" }, radio, name) };
    });
    const problem = make("p", { class: "problem", role: "alert", hidden: true });
    const answer = make("button", { type: "submit", class: "button small primary" }, "Answer");
    const forward = make("button", { type: "button", class: "button small" }, "Forward to the gateway");
    forward.addEventListener("click", async () => {
      answer.disabled = forward.disabled = true;
      try {
        await this.#handlers.onForward(call);
      } catch (error) {
        problem.textContent = error instanceof Error ? error.message : String(error);
        problem.hidden = false;
        answer.disabled = forward.disabled = false;
      }
    });
    const form = make(
      "form",
      { class: "by-hand", "aria-label": `Answer to ${call.name}` },
      make("p", { class: "note" }, "This page has no code for it. What shall the agent be told?"),
      make(
        "div",
        { class: "choice", role: "radiogroup", "aria-label": "Kind of answer" },
        ...kinds.map(({ label }) => label),
      ),
      make("label", { class: "visually-hidden", for: id }, "Answer as text or JSON"),
      text,
      problem,
      make("div", { class: "row" }, answer, forward),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#handlers.onAnswer(call, kinds[1].radio.checked ? { error: text.value } : { content: text.value });
    });
    return form;
  }
}

/** @param {string} text */
function json(text) {
  return make("pre", { class: "json" }, pretty(text));
}
