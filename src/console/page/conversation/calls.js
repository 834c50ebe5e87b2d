// The function calls of a conversation, from the request to the answer.
// It must not know who runs them or how: it is told what was asked and answered.

import { errorIn, functionsIn, textOf } from "./members.js";

/** How many calls are remembered. */
const CALLS = 1000;

/**
 * @typedef {object} Call
 * @property {string} id
 * @property {number} order among the ids of lines: where it belongs between them
 * @property {string} name
 * @property {string} arguments JSON text
 * @property {boolean} clientSide whether the client was asked to run it
 * @property {"page" | "hand" | "server"} where it ran, or is to run
 * @property {"open" | "answered" | "cancelled"} state
 * @property {string | null} result
 * @property {string | null} error in place of a result
 * @property {number} askedAt ms
 * @property {number | null} endedAt ms
 * @property {number | null} turn the id of the turn that it belongs to
 * @property {string | null} thoughtSignature to be given back with the answer
 *
 * @typedef {{ order: () => number, turn: () => number | null }} Place what a new call asks for its place
 */

export class Calls {
  /** @type {Call[]} oldest first */
  list = [];

  #place;
  #changed;

  /**
   * @param {Place} place
   * @param {(call: Call, change: "added" | "changed" | "removed") => void} changed
   */
  constructor(place, changed) {
    this.#place = place;
    this.#changed = changed;
  }

  /**
   * `FunctionCallRequest`.
   * @param {unknown} functions
   * @param {number} at
   */
  asked(functions, at) {
    for (const call of functionsIn(functions)) this.#ask(call, at);
  }

  /**
   * `FunctionCallResponse`, ours or that of a server that has run a function itself.
   * @param {Record<string, any>} answer
   * @param {boolean} ours
   * @param {number} at
   */
  answered(answer, ours, at) {
    const open = this.list.filter(({ state, clientSide }) => state === "open" && (ours || !clientSide));
    // Deepgram may leave the id out.
    const call = open.find(({ id, name }) => (answer.id == null ? name === answer.name : id === answer.id));
    if (call === undefined) return;
    const content = textOf(answer.content);
    const error = errorIn(content);
    this.#change(call, {
      ...(error === null ? { result: content } : { error }),
      state: "answered",
      endedAt: at,
    });
  }

  /**
   * `FunctionCallCancelled`.
   * @param {unknown} functions
   * @param {number} at
   */
  cancelled(functions, at) {
    const ids = new Set(functionsIn(functions).map(({ id }) => id));
    for (const call of this.list.filter(({ id, state }) => state === "open" && ids.has(id))) {
      this.#change(call, { state: "cancelled", endedAt: at });
    }
  }

  /**
   * `History` repeats calls. It may be the only word of one that Deepgram has run itself.
   * @param {unknown} functions
   * @param {number} at
   */
  recalled(functions, at) {
    for (const call of functionsIn(functions)) {
      if (!this.list.some(({ id }) => id === call.id)) this.#ask(call, at);
      this.answered({ id: call.id, content: call.response }, call.client_side === true, at);
    }
  }

  /**
   * Says where a call was run, if that is not what the request says.
   * @param {string} id
   * @param {"page" | "hand" | "server"} where
   */
  ran(id, where) {
    const call = this.list.findLast((call) => call.id === id);
    if (call !== undefined) this.#change(call, { where });
  }

  /**
   * The session is over: nobody waits for an answer any more.
   * @param {number} at
   */
  ended(at) {
    for (const call of this.list.filter(({ state }) => state === "open")) {
      this.#change(call, { state: "cancelled", endedAt: at });
    }
  }

  /**
   * @param {Record<string, any>} asked
   * @param {number} at
   */
  #ask(asked, at) {
    const id = textOf(asked.id);
    if (this.list.some((call) => call.id === id && call.state === "open")) return;
    const clientSide = asked.client_side === true;
    const { thought_signature: signature } = asked;
    /** @type {Call} */
    const call = {
      id,
      order: this.#place.order(),
      name: textOf(asked.name),
      arguments: textOf(asked.arguments),
      clientSide,
      where: clientSide ? "page" : "server",
      state: "open",
      result: null,
      error: null,
      askedAt: at,
      endedAt: null,
      turn: this.#place.turn(),
      thoughtSignature: typeof signature === "string" ? signature : null,
    };
    this.list.push(call);
    this.#changed(call, "added");
    const oldest = this.list.length > CALLS ? this.list.shift() : undefined;
    if (oldest !== undefined) this.#changed(oldest, "removed");
  }

  /**
   * @param {Call} call
   * @param {Partial<Call>} change
   */
  #change(call, change) {
    Object.assign(call, change);
    this.#changed(call, "changed");
  }
}
