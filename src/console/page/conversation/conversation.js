// What the messages of one or several sessions say, as a person reads it: lines, function calls, turns.
// It must not know sockets, sound or the page. It is told what came and when, and tells what changed.

import { Emitter } from "../emitter.js";
import { wordsForMessage } from "../words/words.js";
import { Calls } from "./calls.js";
import { historyOf } from "./history.js";
import { latenciesIn, numbersIn, textOf } from "./members.js";
import { Turns } from "./turns.js";

/** How many lines are remembered. */
const LINES = 2000;

/**
 * @typedef {import("../session.js").Message} Message
 * @typedef {import("./turns.js").Turn} Turn
 * @typedef {import("./calls.js").Call} Call
 * @typedef {"added" | "changed" | "removed"} Change
 *
 * @typedef {object} Line
 * @property {number} id in the order in which they are shown
 * @property {number} at ms
 * @property {"user" | "agent" | "notice"} role
 * @property {string} text of a notice: what happened
 * @property {string} advice of a notice: what to do about it; else empty
 * @property {"info" | "warning" | "error"} level of a notice
 * @property {string} code of a notice, if it has one
 * @property {boolean} pending typed: the gateway has not taken it, or not yet; spoken: its transcript is not there yet
 * @property {boolean} interrupted the agent was cut off here
 * @property {number | null} turn the id of the turn that it belongs to
 *
 * @typedef {object} ConversationEvents
 * @property {{ line: Line, change: Change }} line
 * @property {{ call: Call, change: Change }} call
 * @property {{ turn: Turn, change: Change }} turn
 * @property {{}} cleared
 */

/** @extends {Emitter<ConversationEvents>} */
export class Conversation extends Emitter {
  /** @type {Line[]} oldest first */
  lines = [];

  #lastId = 0;
  #turns = this.#newTurns();
  #calls = this.#newCalls();
  /** @type {Set<number>} the lines that this session still has something to say of */
  #expected = new Set();

  /** @returns {Turn[]} oldest first */
  get turns() {
    return this.#turns.list;
  }

  /** @returns {Call[]} oldest first */
  get calls() {
    return this.#calls.list;
  }

  /** What a new session is told of this conversation: `agent.context.messages`. */
  history() {
    return historyOf(this.lines, this.calls);
  }

  /** Forgets everything. */
  clear() {
    this.lines = [];
    this.#expected.clear();
    this.#turns = this.#newTurns();
    this.#calls = this.#newCalls();
    this.emit("cleared", {});
  }

  /**
   * A message of a session.
   * @param {"sent" | "received"} direction
   * @param {Message} message
   * @param {number} at ms
   */
  take(direction, message, at) {
    if (direction === "sent") this.#sent(message, at);
    else this.#received(message, at);
  }

  /**
   * Audio of the agent was received.
   * @param {ArrayBuffer} data linear16 at 24 kHz
   * @param {number} at ms
   */
  takeAudio(data, at) {
    this.#turns.audio(data.byteLength, at);
  }

  /**
   * The microphone was loud: the user may be speaking.
   * @param {number} at ms
   */
  spoke(at) {
    this.#turns.spoke(at);
  }

  /**
   * The first sound of an answer left the speaker.
   * @param {number} at ms
   */
  heard(at) {
    this.#turns.heard(at);
  }

  /**
   * Says where a call was run, if it is not what the request says: answered by hand, or forwarded to the server.
   * @param {string} id
   * @param {"page" | "hand" | "server"} where
   */
  ran(id, where) {
    this.#calls.ran(id, where);
  }

  /**
   * Adds a line that neither side said, such as that a session ended.
   * @param {{ text: string, advice?: string, level?: "info" | "warning" | "error", code?: string }} notice
   * @param {number} at ms
   */
  note({ text, advice = "", level = "info", code = "" }, at) {
    this.#addLine({ role: "notice", text, advice, level, code, at });
  }

  /**
   * The session is over: what it still owed does not come.
   * @param {number} at ms
   */
  ended(at) {
    this.#turns.reset();
    this.#calls.ended(at);
    // What was typed stays, and is seen not to have been taken.
    for (const line of this.#expectedLines().filter(({ text }) => text === "")) this.#removeLine(line);
    this.#expected.clear();
  }

  /**
   * @param {Message} message
   * @param {number} at
   */
  #sent(message, at) {
    switch (message.type) {
      case "Settings":
        return this.ended(at);
      case "InjectUserMessage": {
        const turn = this.#turns.typed(textOf(message.content), at);
        return this.#expectLine(turn, at);
      }
      case "FunctionCallResponse":
        return this.#calls.answered(message, true, at);
    }
  }

  /**
   * @param {Message} message
   * @param {number} at
   */
  #received(message, at) {
    switch (message.type) {
      case "ConversationText":
        if (message.role === "user") return this.#userText(textOf(message.content), at);
        if (message.role === "assistant") return this.#agentText(textOf(message.content), at);
        return;
      case "UserStartedSpeaking":
        return this.#userSpeaks(at);
      case "AgentThinking":
        return this.#turns.thinking();
      case "AgentStartedSpeaking":
        return this.#turns.started(latenciesIn(message));
      case "AgentAudioDone":
        return this.#turns.done(at);
      case "LatencyReport":
        return this.#turns.report(numbersIn(message));
      case "FunctionCallRequest":
        this.#turns.thinking();
        return this.#calls.asked(message.functions, at);
      case "FunctionCallResponse":
        return this.#calls.answered(message, false, at);
      case "FunctionCallCancelled":
        return this.#calls.cancelled(message.functions, at);
      case "History":
        // Texts repeat ConversationText.
        return this.#calls.recalled(message.function_calls, at);
    }
    const words = wordsForMessage(message);
    if (words !== null) {
      const code = message.type === "Error" || message.type === "Warning" ? textOf(message.code) : "";
      this.note({ text: words.headline, advice: words.advice, level: words.level, code }, at);
    }
  }

  /** @param {number} at */
  #userSpeaks(at) {
    const { turn, interrupted } = this.#turns.speaking(at);
    const cut = new Set(interrupted.map(({ lastLine }) => lastLine));
    for (const line of this.lines.filter(({ id }) => cut.has(id)))
      this.#changeLine(line, { interrupted: true });
    const unheard = this.#expectedLines().filter(({ text }) => text === "");
    for (const line of unheard) {
      const asked = this.turns.find(({ id }) => id === line.turn);
      if (asked === undefined || this.#turns.isOver(asked, at)) this.#removeLine(line);
    }
    // Its place is here, however late the transcript comes.
    if (!unheard.some((line) => line.turn === turn.id)) this.#expectLine(turn, at);
  }

  /**
   * @param {string} text
   * @param {number} at
   */
  #userText(text, at) {
    const expected = this.#expectedLines();
    const line =
      expected.find((line) => line.text.trim() === text.trim()) ??
      expected.find((line) => line.text === "") ??
      // The echo of what the other side has changed.
      expected[0];
    const turn = line === undefined ? this.turns.at(-1) : this.turns.find(({ id }) => id === line.turn);
    if (turn?.began === "typed" && line !== undefined) this.#turns.echoed(turn);
    if (turn?.began === "spoken") this.#turns.transcribed(turn, `${turn.text} ${text}`.trim(), at);
    if (line === undefined) {
      // The rest of what was said.
      this.#addLine({ role: "user", text, turn: turn?.id ?? null, at });
      return;
    }
    this.#expected.delete(line.id);
    // What was typed before the greeting was there is taken after it.
    const later = this.lines.slice(this.lines.indexOf(line) + 1);
    if (turn?.began === "typed" && later.some(({ id }) => !this.#expected.has(id))) {
      this.#removeLine(line);
      this.#addLine({ role: "user", text, turn: turn.id, at: line.at });
      return;
    }
    this.#changeLine(line, { text, pending: false });
  }

  /**
   * @param {string} text
   * @param {number} at
   */
  #agentText(text, at) {
    const answer = this.#turns.text(at);
    answer.lastLine = this.#addLine({ role: "agent", text, turn: answer.turn?.id ?? null, at }).id;
  }

  /** @returns {Line[]} typed lines without an echo, and places of transcripts that are not there yet */
  #expectedLines() {
    return this.#expected.size === 0 ? [] : this.lines.filter(({ id }) => this.#expected.has(id));
  }

  /**
   * Adds the line of a turn that begins: the gateway has the last word on its text.
   * @param {Turn} turn
   * @param {number} at
   */
  #expectLine(turn, at) {
    const line = this.#addLine({ role: "user", text: turn.text, pending: true, turn: turn.id, at });
    this.#expected.add(line.id);
  }

  /** @param {Partial<Line> & Pick<Line, "role" | "text" | "at">} line */
  #addLine(line) {
    const unsaid = { advice: "", level: /** @type {const} */ ("info"), code: "", pending: false };
    this.#lastId += 1;
    /** @type {Line} */
    const added = { ...unsaid, interrupted: false, turn: null, ...line, id: this.#lastId };
    this.lines.push(added);
    this.emit("line", { line: added, change: "added" });
    if (this.lines.length > LINES) this.#removeLine(this.lines[0]);
    return added;
  }

  /**
   * @param {Line} line
   * @param {Partial<Line>} change
   */
  #changeLine(line, change) {
    Object.assign(line, change);
    this.emit("line", { line, change: "changed" });
  }

  /** @param {Line} line */
  #removeLine(line) {
    this.#expected.delete(line.id);
    this.lines.splice(this.lines.indexOf(line), 1);
    this.emit("line", { line, change: "removed" });
  }

  #newTurns() {
    return new Turns((turn, change) => this.emit("turn", { turn, change }));
  }

  #newCalls() {
    const order = () => {
      this.#lastId += 1;
      return this.#lastId;
    };
    const turn = () => this.turns.at(-1)?.id ?? null;
    return new Calls({ order, turn }, (call, change) => this.emit("call", { call, change }));
  }
}
