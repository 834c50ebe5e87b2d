// What the user asked, typed or spoken, and how long each answer took, as far as a client can know it.
// It must not know a clock, messages or sound: it is told what happened when, in ms of one clock.

/** How many turns are remembered. */
const TURNS = 500;

/** A sound of the user this long before the gateway heard speech is not that speech, ms. */
const STALE_MS = 3000;

/** After the end of its answer, how long the transcript of a question is still waited for at the next question, ms. */
const LATE_MS = 1000;

/** Bytes in a ms of what the agent says: linear16 at 24 kHz. */
const BYTES_PER_MS = 48;

/**
 * @typedef {object} Latencies in ms from the end of what the user said or from when they sent it; null: not known (yet)
 * @property {number | null} transcript spoken turns: until the gateway told what was said
 * @property {number | null} firstText
 * @property {number | null} firstAudio until it was received
 * @property {number | null} firstSound until it left the speaker
 *
 * @typedef {object} Turn
 * @property {number} id
 * @property {"typed" | "spoken"} began what began it
 * @property {number} at when it began, ms
 * @property {boolean} taken whether the other side has it: a typed message has been echoed
 * @property {number | null} endOfSpeech when the user stopped speaking, ms
 * @property {string} text empty until the transcript is there
 * @property {"open" | "answered" | "superseded"} state superseded: a later turn was answered in its place
 * @property {number | null} endedAt when the last of the answer was received, ms
 * @property {boolean} interrupted whether the user cut the answer off
 * @property {Latencies} latencies measured here
 * @property {{ total: number, tts: number, ttt: number } | null} reported `AgentStartedSpeaking`, seconds
 * @property {Record<string, number> | null} report the numbers of `LatencyReport`, seconds
 *
 * What the agent says in one go, until `AgentAudioDone`.
 * @typedef {object} Answer
 * @property {number} id
 * @property {Turn | null} turn null: nobody asked, such as a greeting
 * @property {boolean} text whether any was received
 * @property {boolean} audio
 * @property {number | null} lastLine the line of its last text, for who keeps lines
 * @property {number} playedUntil when the last of it will have been heard if nothing stops it, ms
 */

export class Turns {
  /** @type {Turn[]} */
  list = [];

  #changed;
  #lastId = 0;
  /** @type {number | null} the last loud frame of the microphone */
  #lastSpoke = null;
  /** @type {Answer | null} what is being received */
  #answer = null;
  /** @type {Answer[]} what may still be heard */
  #audible = [];
  /** @type {Answer[]} with audio, of which none has left the speaker */
  #unheard = [];
  /** @type {Answer | null} */
  #lastAnswer = null;
  #playedUntil = 0;

  /** @param {(turn: Turn, change: "added" | "changed" | "removed") => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** A session begins or is over: nothing of the one before is still to come. */
  reset() {
    this.#answer = null;
    this.#lastAnswer = null;
    this.#audible = [];
    this.#unheard = [];
    this.#playedUntil = 0;
    for (const turn of this.list) if (turn.state === "open") this.#change(turn, { state: "superseded" });
  }

  /**
   * The user has sent a message.
   * @param {string} text
   * @param {number} at
   * @returns {Turn}
   */
  typed(text, at) {
    return this.#add({ began: "typed", at, text });
  }

  /**
   * The microphone was loud.
   * @param {number} at
   */
  spoke(at) {
    this.#lastSpoke = at;
  }

  /**
   * The gateway heard the user begin to speak.
   * @param {number} at
   * @returns {{ turn: Turn, interrupted: Answer[] }} the answers that this cuts off
   */
  speaking(at) {
    const open = this.#answer?.text || this.#answer?.audio ? this.#answer : null;
    const interrupted = this.#audible.filter((answer) => answer === open || answer.playedUntil > at);
    for (const { turn } of interrupted) if (turn !== null) this.#change(turn, { interrupted: true });
    this.#answer = null;
    this.#audible = [];
    this.#unheard = [];
    this.#playedUntil = at;
    const last = this.list.at(-1);
    // A noise, or the rest of a sentence after a breath.
    if (last?.state === "open" && last.began === "spoken" && last.text === "")
      return { turn: last, interrupted };
    return { turn: this.#add({ began: "spoken", at, text: "" }), interrupted };
  }

  /**
   * Whether the transcript of a spoken turn is no longer to be expected, now that the user speaks again.
   * @param {Turn} turn
   * @param {number} at
   */
  isOver(turn, at) {
    return turn.endedAt !== null && at - turn.endedAt > LATE_MS;
  }

  /**
   * A typed message was echoed: what the agent begins to say from here on is an answer to it.
   * @param {Turn} turn
   */
  echoed(turn) {
    this.#change(turn, { taken: true });
  }

  /**
   * The transcript of a spoken turn.
   * @param {Turn} turn
   * @param {string} text
   * @param {number} at
   */
  transcribed(turn, text, at) {
    const latencies = { ...turn.latencies, transcript: this.#since(turn, at) };
    this.#change(turn, { text, latencies });
  }

  /** The agent works on what it was asked: what the user says from here on is not part of the question. */
  thinking() {
    const turn = this.list.at(-1);
    if (turn?.state === "open") this.#freeze(turn);
  }

  /**
   * The agent begins to speak.
   * @param {{ total: number, tts: number, ttt: number } | null} reported
   */
  started(reported) {
    const { turn } = this.#open();
    if (turn !== null && turn.reported === null && reported !== null) this.#change(turn, { reported });
  }

  /**
   * Text of the agent.
   * @param {number} at
   * @returns {Answer} the answer that it is part of
   */
  text(at) {
    const answer = this.#open();
    answer.text = true;
    this.#measure(answer.turn, "firstText", at);
    return answer;
  }

  /**
   * Audio of the agent.
   * @param {number} bytes
   * @param {number} at
   */
  audio(bytes, at) {
    const answer = this.#open();
    if (!answer.audio) this.#unheard.push(answer);
    answer.audio = true;
    this.#playedUntil = Math.max(this.#playedUntil, at) + bytes / BYTES_PER_MS;
    answer.playedUntil = this.#playedUntil;
    this.#measure(answer.turn, "firstAudio", at);
  }

  /**
   * All of the answer was received.
   * @param {number} at
   */
  done(at) {
    this.#answer = null;
    for (const turn of this.list) if (turn.state !== "open") turn.endedAt ??= at;
  }

  /**
   * The first sound of the next answer left the speaker.
   * @param {number} at
   */
  heard(at) {
    const answer = this.#unheard.shift();
    if (answer !== undefined) this.#measure(answer.turn, "firstSound", at);
  }

  /**
   * What the gateway measured of the last answer.
   * @param {Record<string, number>} report
   */
  report(report) {
    const turn = this.#lastAnswer?.turn;
    if (turn) this.#change(turn, { report });
  }

  /** @returns {Answer} the one that is being received, or one that begins */
  #open() {
    if (this.#answer !== null) return this.#answer;
    const last = this.list.at(-1);
    let turn = this.list.findLast(({ state, taken }) => state === "open" && taken) ?? null;
    if (turn !== null) {
      this.#freeze(turn);
      this.#change(turn, { state: "answered" });
      const { id } = turn;
      const before = this.list.filter((other) => other.state === "open" && other.id < id);
      for (const other of before) this.#change(other, { state: "superseded" });
    } else if (last !== undefined && this.#lastAnswer?.turn === last && !last.interrupted) {
      // The agent goes on, such as after a function call.
      turn = last;
    }
    this.#lastId += 1;
    this.#answer = { id: this.#lastId, turn, text: false, audio: false, lastLine: null, playedUntil: 0 };
    this.#audible = [...this.#audible, this.#answer].slice(-16);
    this.#lastAnswer = this.#answer;
    return this.#answer;
  }

  /** @param {Turn} turn */
  #freeze(turn) {
    if (turn.began === "spoken" && turn.endOfSpeech === null) turn.endOfSpeech = this.#spokenUntil(turn);
  }

  /**
   * @param {Turn} turn
   * @returns {number | null}
   */
  #spokenUntil(turn) {
    return this.#lastSpoke !== null && this.#lastSpoke > turn.at - STALE_MS ? this.#lastSpoke : null;
  }

  /**
   * @param {Turn} turn
   * @param {number} at
   * @returns {number | null}
   */
  #since(turn, at) {
    const origin = turn.began === "typed" ? turn.at : (turn.endOfSpeech ?? this.#spokenUntil(turn));
    return origin === null ? null : Math.max(at - origin, 0);
  }

  /**
   * @param {Turn | null} turn
   * @param {"firstText" | "firstAudio" | "firstSound"} what
   * @param {number} at
   */
  #measure(turn, what, at) {
    if (turn === null || turn.latencies[what] !== null) return;
    const latency = this.#since(turn, at);
    if (latency !== null) this.#change(turn, { latencies: { ...turn.latencies, [what]: latency } });
  }

  /** @param {{ began: "typed" | "spoken", at: number, text: string }} beginning */
  #add(beginning) {
    this.#lastId += 1;
    /** @type {Turn} */
    const turn = {
      ...beginning,
      id: this.#lastId,
      taken: beginning.began === "spoken",
      endOfSpeech: null,
      state: "open",
      endedAt: null,
      interrupted: false,
      latencies: { transcript: null, firstText: null, firstAudio: null, firstSound: null },
      reported: null,
      report: null,
    };
    this.list.push(turn);
    this.#changed(turn, "added");
    const oldest = this.list.length > TURNS ? this.list.shift() : undefined;
    if (oldest !== undefined) this.#changed(oldest, "removed");
    return turn;
  }

  /**
   * @param {Turn} turn
   * @param {Partial<Turn>} change
   */
  #change(turn, change) {
    Object.assign(turn, change);
    this.#changed(turn, "changed");
  }
}
