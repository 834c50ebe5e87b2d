// The protocol messages of a conversation in their order, as many as fit, to be looked through and taken away.
// It must not know what they mean, the page, or a token.

/** Samples per second of the audio that each side sends, in which its bytes become seconds; two bytes each. */
const RATES = { sent: 16_000, received: 24_000 };

/** How long audio of one side may pause and still be one run, ms. */
const PAUSE_MS = 1000;

/**
 * @typedef {import("./session.js").Message} Message
 * @typedef {"sent" | "received" | "end"} Direction
 *
 * @typedef {object} Entry
 * @property {number} id
 * @property {number} at ms
 * @property {number} until ms; later than `at` for a run of audio
 * @property {Direction} direction `end`: neither side's, the session is over
 * @property {string} type of the message, or `audio`
 * @property {string} json the message; empty for audio
 * @property {number} frames of audio
 * @property {number} bytes of audio
 *
 * @typedef {object} Meta
 * @property {string} backend
 * @property {string} path
 * @property {string | null} requestId
 * @property {Date} started when `at` was `startedAt`
 * @property {number} startedAt ms
 * @property {string} userAgent
 * @property {string} [secret] what must not be in it: the token
 */

export class Timeline {
  /** How many entries went, because there was no room. */
  dropped = 0;

  /** @type {Entry[]} */
  #entries = [];
  #limit;
  #bytesLimit;
  #bytes = 0;
  #lastId = 0;
  /** @type {{ sent?: Entry, received?: Entry }} runs that go on */
  #runs = {};

  /** @param {{ limit?: number, bytes?: number }} [limits] how many entries, and characters of messages, it holds */
  constructor({ limit = 5000, bytes = 8_000_000 } = {}) {
    this.#limit = limit;
    this.#bytesLimit = bytes;
  }

  /** How many entries there are. */
  get length() {
    return this.#entries.length;
  }

  /**
   * @param {"sent" | "received"} direction
   * @param {number} at ms
   * @param {Message | ArrayBuffer} content audio joins the run that it continues
   * @returns {Entry} the new one, or the one that has grown
   */
  add(direction, at, content) {
    if (!(content instanceof ArrayBuffer)) {
      this.#runs = {};
      return this.#append({ direction, at, type: content.type, json: JSON.stringify(content) });
    }
    let run = this.#runs[direction];
    if (run === undefined || at - run.until > PAUSE_MS)
      run = this.#append({ direction, at, type: "audio", json: "" });
    this.#runs[direction] = run;
    run.until = at;
    run.frames += 1;
    run.bytes += content.byteLength;
    return run;
  }

  /**
   * The session is over.
   * @param {number} at ms
   * @param {{ code: number, reason: string }} ended
   * @returns {Entry}
   */
  end(at, { code, reason }) {
    this.#runs = {};
    return this.#append({ direction: "end", at, type: "end", json: JSON.stringify({ code, reason }) });
  }

  /** Forgets everything. */
  clear() {
    this.#entries = [];
    this.#runs = {};
    this.#bytes = 0;
    this.dropped = 0;
  }

  /**
   * What has all the words of `filter` in its direction, type or JSON, and none that a minus stands before. Words
   * with spaces stand in quotes.
   * @param {string} [filter]
   * @returns {Entry[]} oldest first
   */
  entries(filter = "") {
    const wanted = matcher(filter);
    return this.#entries.filter(wanted);
  }

  /**
   * A recording: a header, a line for each entry, and the end.
   * @param {Meta} meta
   * @returns {string}
   */
  toJsonLines({ backend, path, requestId, started, startedAt, userAgent, secret = "" }) {
    const header = {
      voxbridge_console_recording: 1,
      backend,
      path: path.replace(/[?#].*/s, ""),
      request_id: requestId,
      started: started.toISOString(),
      user_agent: userAgent,
      dropped: this.dropped,
    };
    const since = (/** @type {number} */ at) => Math.round((at - startedAt) * 10) / 10;
    /** @type {object[]} */
    const lines = [header];
    for (const { at, until, direction, type, json, frames, bytes } of this.#entries) {
      const t_ms = since(at);
      if (direction === "end") lines.push({ t_ms, type, ...JSON.parse(json) });
      else if (json === "") lines.push({ t_ms, until_ms: since(until), direction, type, frames, bytes });
      else lines.push({ t_ms, direction, type, message: JSON.parse(json) });
    }
    const last = this.#entries.at(-1);
    // It was taken while the session goes on.
    if (last?.direction !== "end")
      lines.push({ t_ms: last ? since(last.until) : 0, type: "end", code: null, reason: null });
    return lines.map((line) => `${JSON.stringify(line, masking(secret))}\n`).join("");
  }

  /** @param {{ direction: Direction, at: number, type: string, json: string }} beginning */
  #append(beginning) {
    this.#lastId += 1;
    /** @type {Entry} */
    const entry = { ...beginning, id: this.#lastId, until: beginning.at, frames: 0, bytes: 0 };
    this.#entries.push(entry);
    this.#bytes += entry.json.length;
    let gone = 0;
    let left = this.#entries.length;
    while (left > 1 && (left > this.#limit || this.#bytes > this.#bytesLimit)) {
      this.#bytes -= this.#entries[gone].json.length;
      gone += 1;
      left -= 1;
    }
    if (gone > 0) {
      for (const { direction, id } of this.#entries.splice(0, gone)) {
        if (direction !== "end" && this.#runs[direction]?.id === id) delete this.#runs[direction];
      }
      this.dropped += gone;
    }
    return entry;
  }
}

/**
 * An entry in a few words.
 * @param {Entry} entry
 * @returns {string} such as `audio, 50 frames, 32,000 bytes, 1.0 s`
 */
export function summaryOf({ direction, type, frames, bytes }) {
  if (type !== "audio" || direction === "end" || frames === 0) return type;
  const seconds = (bytes / 2 / RATES[direction]).toFixed(1);
  const number = (/** @type {number} */ count) => count.toLocaleString("en");
  return `audio, ${number(frames)} ${frames === 1 ? "frame" : "frames"}, ${number(bytes)} bytes, ${seconds} s`;
}

/**
 * @param {string} filter
 * @returns {(entry: Entry) => boolean}
 */
function matcher(filter) {
  const terms = [...filter.toLowerCase().matchAll(/(-?)(?:"([^"]*)"?|(\S+))/g)].map(
    ([, minus, quoted, word]) => ({
      wanted: minus === "",
      text: quoted ?? word,
    }),
  );
  if (terms.length === 0) return () => true;
  return (entry) => {
    const text = `${entry.direction} ${summaryOf(entry)} ${entry.json}`.toLowerCase();
    return terms.every((term) => text.includes(term.text) === term.wanted);
  };
}

/**
 * @param {string} secret empty: there is none
 * @returns {(key: string, value: unknown) => unknown} what `JSON.stringify` asks for each value
 */
function masking(secret) {
  return (_, value) => (secret !== "" && typeof value === "string" ? value.replaceAll(secret, "***") : value);
}
