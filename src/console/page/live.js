// The connection that a person has now: what it says goes to conversation, time line and speaker, and comes from the
// microphone. It must not know how any of that is shown; it tells what has changed.

import { LOUD } from "./audio/microphone.js";
import { Sound } from "./audio/sound.js";
import { Activity } from "./conversation/activity.js";
import { Conversation } from "./conversation/conversation.js";
import { Emitter } from "./emitter.js";
import { Session } from "./session.js";
import { Timeline } from "./timeline.js";
import { explain } from "./words/ending.js";
import { wordsForSpeaker } from "./words/words.js";

/**
 * @typedef {import("./conversation/conversation.js").Call} Call
 * @typedef {import("./session.js").Message} Message
 * @typedef {import("./session.js").Ended} Ended
 * @typedef {{content: string} | {error: string}} Answer
 *
 * @typedef {{ backend: string, path: string, token: string }} To whom a connection is with
 *
 * @typedef {object} LiveEvents
 * @property {{ state: import("./session.js").State }} standing
 * @property {{ doing: import("./conversation/activity.js").Doing }} doing of the agent
 * @property {{}} traffic the time line has changed
 * @property {{ id: string }} request the gateway's name of the connection; empty: there is none
 * @property {{ refused: boolean }} looking it is over, and why is being found out
 * @property {import("./words/ending.js").Explained} ended it is over, and this is why
 * @property {{ on: boolean }} microphone
 * @property {{ error: unknown }} microphoneError
 */

/** @extends {Emitter<LiveEvents>} */
export class Live extends Emitter {
  conversation = new Conversation();
  timeline = new Timeline();
  sound;
  /** @type {To} */
  to = { backend: "", path: "", token: "" };
  requestId = "";
  /** When the first connection of what the time line holds began, ms. */
  startedAt = 0;

  /** @type {Session | null} */
  #session = null;
  #activity = new Activity();
  /** Whether the next connection begins with the microphone on. */
  #microphoneWanted = false;

  /** @param {{ onMicrophoneLevel: (level: number) => void, onAgentLevel: (level: number) => void }} levels */
  constructor({ onMicrophoneLevel, onAgentLevel }) {
    super();
    this.sound = new Sound({
      onFrame: (data, level, at) => this.#speak(data, level, at),
      onMicrophone: (on) => this.emit("microphone", { on }),
      onMicrophoneError: (error) => this.emit("microphoneError", { error }),
      onSpeakerError: (error) => {
        const { headline, advice, level } = wordsForSpeaker(error);
        this.#note(headline, level, advice);
      },
      onMicrophoneLevel,
      onAgentLevel,
      onSound: (at) => this.conversation.heard(at),
      onQuiet: () => this.#act(() => this.#activity.quiet()),
    });
  }

  get state() {
    return this.#session?.state ?? "closed";
  }

  get connected() {
    return this.state !== "closed";
  }

  get doing() {
    return this.#activity.doing;
  }

  /**
   * Connects; to be called when a person has pressed something, or browsers let nothing sound.
   * @param {To} to
   * @param {object} settings
   * @param {boolean} again whether the agent is told what was said before
   */
  connect(to, settings, again) {
    if (this.connected) return;
    this.to = to;
    if (this.timeline.length === 0) this.startedAt = performance.now();
    this.#activity = new Activity();
    this.sound.openSpeaker();
    this.#session = new Session({ path: to.path, token: to.token, settings });
    this.#follow(this.#session, again);
    this.#session.open();
    this.emit("standing", { state: this.state });
    if (this.#microphoneWanted) this.sound.openMicrophone();
  }

  close() {
    this.#session?.close();
  }

  /** @param {string} text */
  say(text) {
    this.#session?.say(text);
  }

  /** @param {Message} message */
  send(message) {
    this.#session?.send(message);
  }

  /**
   * Answers a function call, unless it is no longer waited for.
   * @param {Call} call
   * @param {Answer} answer
   * @param {"page" | "hand" | "server"} where it was run
   */
  reply(call, answer, where) {
    if (call.state !== "open") return;
    this.conversation.ran(call.id, where);
    this.#session?.answer(call, answer);
  }

  toggleMicrophone() {
    this.#microphoneWanted = !this.sound.microphoneOn;
    this.sound.toggleMicrophone();
  }

  /** Forgets what was said: the next connection begins afresh. */
  forget() {
    this.conversation.clear();
    this.timeline.clear();
    this.#name("");
    this.emit("traffic", {});
  }

  /**
   * @param {Session} session
   * @param {boolean} again
   */
  #follow(session, again) {
    session.on("state", ({ state }) => {
      if (state === "open" && again)
        this.#note("Connected again; the agent has the conversation so far", "info");
      this.emit("standing", { state });
    });
    session.on("message", ({ direction, at, message }) => {
      this.timeline.add(direction, at, message);
      this.emit("traffic", {});
      this.#act(() => this.#activity.take(direction, message));
      if (direction === "received") this.#heed(message);
      this.conversation.take(direction, message, at);
    });
    session.on("audio", ({ direction, at, data }) => {
      this.timeline.add(direction, at, data);
      this.emit("traffic", {});
      if (direction === "sent") return;
      this.conversation.takeAudio(data, at);
      this.sound.play(data);
      this.#act(() => this.#activity.audio());
    });
    session.on("backlog", ({ dropping }) => {
      if (dropping) this.#note("The network does not keep up: some of what you say is lost", "warning");
    });
    session.on("ended", (ended) => this.#end(ended));
  }

  /** @param {Message} message that concerns the devices, or the connection itself */
  #heed({ type, request_id: id }) {
    // What the agent still had to say is not to be heard under the user's voice.
    if (type === "UserStartedSpeaking") this.sound.flush();
    if (type === "AgentAudioDone") this.#finish();
    if (type === "Welcome") this.#name(typeof id === "string" ? id : "");
  }

  /** All of an answer was received. */
  #finish() {
    this.sound.endAnswer();
    // Nobody will say when it was played.
    if (!this.sound.sounds) this.#act(() => this.#activity.quiet());
  }

  /** @param {Ended} ended */
  async #end(ended) {
    const at = performance.now();
    this.timeline.end(at, ended);
    this.conversation.ended(at);
    this.sound.flush();
    this.sound.closeMicrophone();
    this.emit("traffic", {});
    this.emit("standing", { state: "closed" });
    this.emit("looking", { refused: !ended.opened && !ended.byUs });
    const explained = await explain(ended, this.to);
    // Somebody was quicker.
    if (this.connected) return;
    const { headline, failed } = explained;
    // An `Error` has a line already, which says why.
    if (ended.error) this.#note("Disconnected", "info");
    else this.#note(headline, failed ? "error" : "info");
    this.emit("ended", explained);
  }

  /**
   * @param {ArrayBuffer} data
   * @param {number} level
   * @param {number} at
   */
  #speak(data, level, at) {
    if (level >= LOUD) this.conversation.spoke(at);
    this.#session?.hear(data);
  }

  /** @param {string} id */
  #name(id) {
    this.requestId = id;
    this.emit("request", { id });
  }

  /** @param {() => void} change of what the agent does */
  #act(change) {
    const before = this.doing;
    change();
    if (this.doing !== before) this.emit("doing", { doing: this.doing });
  }

  /**
   * @param {string} text
   * @param {"info" | "warning" | "error"} level
   * @param {string} [advice]
   */
  #note(text, level, advice = "") {
    this.conversation.note({ text, level, advice }, performance.now());
  }
}
