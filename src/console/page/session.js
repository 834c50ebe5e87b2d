// One connection to a backend in Deepgram's Voice Agent protocol, from the first byte to its end.
// It must not know the page, what messages mean to a conversation, or how audio is heard and played.

import { socketOf } from "./address.js";
import { Emitter } from "./emitter.js";

/** After how long without a word of ours a `KeepAlive` goes out, ms: what Deepgram recommends. */
const KEEP_ALIVE_MS = 8000;

/** Over so many bytes that the socket has not sent, the microphone's next frames are dropped: 1 s of 16 kHz. */
const BACKLOG_BYTES = 32_000;

/** How long the other side may take to answer our close, ms. Browsers wait up to a minute. */
const CLOSE_MS = 3000;

/** How long before the end an `Error` may have come to be its cause, ms, if something else came in between. */
const CAUSE_MS = 5000;

/**
 * A message of the protocol, as it goes over the wire.
 * @typedef {{ type: string, [member: string]: any }} Message
 *
 * @typedef {"connecting" | "settling" | "open" | "closing" | "closed"} State `settling`: until SettingsApplied
 *
 * @typedef {object} Ended
 * @property {number} code of the close; 1006 where there was none
 * @property {string} reason
 * @property {Message | null} error the `Error` that explains the end
 * @property {boolean} opened whether the upgrade was accepted
 * @property {boolean} applied whether Settings were
 * @property {boolean} byUs whether `close()` was called
 *
 * @typedef {object} SessionEvents
 * @property {{ state: State }} state
 * @property {{ direction: "sent" | "received", at: number, message: Message }} message each text message, both ways
 * @property {{ direction: "sent" | "received", at: number, data: ArrayBuffer }} audio
 * @property {{ dropping: boolean, frames: number }} backlog the network does not keep up, or does again; all frames so far
 * @property {Ended} ended once
 */

/** @extends {Emitter<SessionEvents>} */
export class Session extends Emitter {
  /** @type {State} */
  state = "connecting";
  /** Frames of the microphone that were dropped, because the network does not keep up. */
  droppedFrames = 0;

  /** @type {WebSocket | null} */
  #socket = null;
  #address;
  #settings;
  /** @type {Message[]} what was said before the socket was open */
  #held = [];
  #opened = false;
  #applied = false;
  #byUs = false;
  #dropping = false;
  #lastSent = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #keepAlive;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #closing;
  /** @type {{ message: Message, at: number, last: boolean } | null} */
  #error = null;

  /**
   * @param {object} options
   * @param {string} options.path a backend's, from `/v1/backends`
   * @param {string} [options.token]
   * @param {object} options.settings members of the `Settings` message
   * @param {string} [options.base] the page's address, if it is not the document's
   */
  constructor({ path, token = "", settings, base }) {
    super();
    this.#address = socketOf(path, token, base);
    this.#settings = { ...settings, type: "Settings" };
  }

  /** Connects. What comes of it is told by `state` and `ended`. */
  open() {
    if (this.#socket !== null || this.state === "closed") throw new Error("a session is opened once");
    let socket;
    try {
      socket = new WebSocket(this.#address.url, this.#address.protocols);
    } catch (error) {
      // Not before whoever opens it can listen.
      queueMicrotask(() => this.#end(1006, String(error)));
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#begin();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#end(code, reason);
  }

  /**
   * Types a message. Before the session is ready it waits: here for the socket, then in the gateway.
   * @param {string} text
   * @returns {boolean} whether it goes out
   */
  say(text) {
    return this.send({ type: "InjectUserMessage", content: text });
  }

  /**
   * Sends audio of the microphone, linear16 at 16 kHz. Dropped before the socket is open, and while the network does
   * not take what was sent before: late speech is worse than none.
   * @param {ArrayBuffer} frame
   * @returns {boolean} whether it goes out
   */
  hear(frame) {
    if (this.#socket === null || (this.state !== "settling" && this.state !== "open")) return false;
    if (this.#socket.bufferedAmount > BACKLOG_BYTES) {
      this.droppedFrames += 1;
      this.#drop(true);
      return false;
    }
    this.#drop(false);
    const at = performance.now();
    this.#socket.send(frame);
    this.#lastSent = at;
    this.emit("audio", { direction: "sent", at, data: frame });
    return true;
  }

  /**
   * Answers a function call that the page was asked to run.
   * @param {{ id: string, name: string, thoughtSignature?: string | null }} call
   * @param {{ content: unknown } | { error: string }} outcome `content` as JSON unless it is text
   * @returns {boolean} whether it goes out
   */
  answer(call, outcome) {
    const content = "error" in outcome ? { error: outcome.error } : outcome.content;
    // Neither nothing nor a function is JSON.
    const written = typeof content === "string" ? content : (JSON.stringify(content) ?? "null");
    /** @type {Message} */
    const message = { type: "FunctionCallResponse", id: call.id, name: call.name, content: written };
    if (call.thoughtSignature != null) message.thought_signature = call.thoughtSignature;
    return this.send(message);
  }

  /**
   * Sends any message of a client.
   * @param {Message} message
   * @returns {boolean} whether it goes out
   */
  send(message) {
    if (this.state === "connecting") {
      this.#held.push(message);
      return true;
    }
    if (this.state === "closing" || this.state === "closed") return false;
    this.#send(message);
    return true;
  }

  /** Ends the session. `ended` follows, also if the other side does not answer. */
  close() {
    if (this.state === "closing" || this.state === "closed") return;
    this.#byUs = true;
    clearTimeout(this.#keepAlive);
    this.#turn("closing");
    if (this.#socket === null) {
      queueMicrotask(() => this.#end(1006, ""));
      return;
    }
    this.#socket.close(1000, "closed by the user");
    this.#closing = setTimeout(() => this.#end(1006, "the close was not answered"), CLOSE_MS);
  }

  #begin() {
    // Closed while it was connecting.
    if (this.state !== "connecting") return;
    this.#opened = true;
    this.#turn("settling");
    // Welcome may come before or after: nobody has to wait for it.
    this.#send(this.#settings);
    for (const message of this.#held) this.#send(message);
    this.#held = [];
    this.#watch();
  }

  /** @param {Message} message */
  #send(message) {
    const at = performance.now();
    this.#lastSent = at;
    this.#socket?.send(JSON.stringify(message));
    this.emit("message", { direction: "sent", at, message });
  }

  /** @param {unknown} data of a frame */
  #receive(data) {
    if (this.state === "closed") return;
    const at = performance.now();
    if (data instanceof ArrayBuffer) {
      if (this.#error !== null) this.#error.last = false;
      this.emit("audio", { direction: "received", at, data });
      return;
    }
    const message = messageIn(String(data));
    if (message.type === "Error") this.#error = { message, at, last: true };
    else if (this.#error !== null) this.#error.last = false;
    if (message.type === "SettingsApplied") {
      this.#applied = true;
      if (this.state === "settling") this.#turn("open");
    }
    this.emit("message", { direction: "received", at, message });
  }

  /**
   * Keeps a session alive in which nobody says anything: the user decides when it ends, not the silence. Deepgram ends
   * it without a word of the client. The gateway's own `idle_timeout_s` is for clients that have gone; a page that is
   * there answers its pings in any case, so this takes nothing away from the operator, who has `max_session_s`.
   */
  #watch() {
    const quiet = performance.now() - this.#lastSent;
    this.#keepAlive = setTimeout(
      () => {
        if (performance.now() - this.#lastSent >= KEEP_ALIVE_MS) this.#send({ type: "KeepAlive" });
        this.#watch();
      },
      Math.max(KEEP_ALIVE_MS - quiet, 0),
    );
  }

  /** @param {boolean} dropping */
  #drop(dropping) {
    if (this.#dropping === dropping) return;
    this.#dropping = dropping;
    this.emit("backlog", { dropping, frames: this.droppedFrames });
  }

  /** @param {State} state */
  #turn(state) {
    this.state = state;
    this.emit("state", { state });
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    if (this.state === "closed") return;
    clearTimeout(this.#keepAlive);
    clearTimeout(this.#closing);
    const error = this.#error;
    const cause = error !== null && (error.last || performance.now() - error.at < CAUSE_MS);
    this.#turn("closed");
    this.emit("ended", {
      code,
      reason,
      error: cause ? error.message : null,
      opened: this.#opened,
      applied: this.#applied,
      byUs: this.#byUs,
    });
  }
}

/**
 * What a text frame says. Whatever a peer sends, it is a message.
 * @param {string} text
 * @returns {Message}
 */
function messageIn(text) {
  try {
    const value = JSON.parse(text);
    if (typeof value?.type === "string") return value;
    return { type: "(no type)", text };
  } catch {
    return { type: "(not JSON)", text };
  }
}
