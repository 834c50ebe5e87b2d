// A session with the gateway through Deepgram's official JavaScript SDK; the counterpart of sdk_session.py.
//
// The JavaScript SDK checks nothing at run time: its types exist for the compiler only. So what was received is
// written out as literals of those types at the end and given to the TypeScript compiler, which refuses unknown
// fields, missing fields and wrong types. Prints `ok NAME` or `not ok NAME: why` per check.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DeepgramClient, DeepgramEnvironment } from "@deepgram/sdk";

const HERE = dirname(fileURLToPath(import.meta.url));
export const INPUT_RATE = 16000;
export const OUTPUT_RATE = 24000;
// What the SDK is given in place of a key. No upstream may ever see it.
export const CLIENT_KEY = "not-a-real-key";
const STEP_TIMEOUT_MS = 15000;
const AUDIBLE_RMS = 100;

export const AUDIO = {
  input: { encoding: "linear16", sample_rate: INPUT_RATE },
  output: { encoding: "linear16", sample_rate: OUTPUT_RATE, container: "none" },
};

let passed = 0;
let failed = 0;

export const exitStatus = () => (failed || !passed ? 1 : 0);

export function check(name, condition, why = "") {
  if (condition) {
    passed += 1;
    console.log(`ok js: ${name}`);
  } else {
    failed += 1;
    const reason = typeof why === "string" ? why : JSON.stringify(why);
    // One line whatever the reason holds: scripts/test counts lines.
    console.log(`not ok js: ${name}: ${reason.replace(/\s+/g, " ")}`);
  }
}

export const kindOf = (message) => (message instanceof Blob ? "audio" : message.type);
export const textsOf = (messages, role) =>
  messages.filter((m) => kindOf(m) === "ConversationText" && m.role === role).map((m) => m.content);

class Transcript {
  messages = [];
  position = 0;
  closed = null;
  #wake = () => {};

  add(message) {
    this.messages.push(message);
    this.#wake();
  }

  close(event) {
    this.closed = event;
    this.#wake();
  }

  /** The messages from the last stop up to and with the first one that matches. */
  async until(kind, matches = () => true) {
    const start = this.position;
    const deadline = Date.now() + STEP_TIMEOUT_MS;
    for (;;) {
      while (this.position < this.messages.length) {
        const message = this.messages[this.position++];
        if (kindOf(message) === kind && matches(message)) return this.messages.slice(start, this.position);
      }
      const seen = JSON.stringify(this.messages.map(kindOf));
      if (this.closed) throw new Error(`closed with ${this.closed.code} while waiting for ${kind}, after ${seen}`);
      if (Date.now() >= deadline) throw new Error(`no ${kind} in ${STEP_TIMEOUT_MS} ms, after ${seen}`);
      await this.#change(deadline);
    }
  }

  /** The socket's close event, null if none comes. */
  async ended() {
    const deadline = Date.now() + STEP_TIMEOUT_MS;
    while (!this.closed && Date.now() < deadline) await this.#change(deadline);
    return this.closed;
  }

  /** Resolves at the next message, at the close or at the deadline. */
  #change(deadline) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadline - Date.now());
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function rms(samples) {
  let sum = 0;
  for (let i = 0; i + 1 < samples.length; i += 2) sum += samples.readInt16LE(i) ** 2;
  return samples.length < 2 ? 0 : Math.sqrt(sum / Math.floor(samples.length / 2));
}

export async function checkAnswer(name, turn) {
  const kinds = turn.map(kindOf);
  const spoken = textsOf(turn, "assistant").some((text) => text.trim());
  check(`${name}: assistant text`, spoken, kinds);
  const blobs = turn.filter((m) => m instanceof Blob);
  const samples = Buffer.concat(await Promise.all(blobs.map(async (b) => Buffer.from(await b.arrayBuffer()))));
  // A quarter of a second is less than any spoken sentence.
  const longEnough = samples.length >= (OUTPUT_RATE / 4) * 2 && samples.length % 2 === 0;
  check(`${name}: audio`, longEnough, `${samples.length} bytes`);
  check(`${name}: audio is audible`, rms(samples) > AUDIBLE_RMS, `rms ${rms(samples)}`);
  const started = kinds.indexOf("AgentStartedSpeaking");
  const output = turn.findIndex((m) => m instanceof Blob || textsOf([m], "assistant").length > 0);
  // Optional in the protocol; where it comes, it comes once and first.
  const inOrder = started === kinds.lastIndexOf("AgentStartedSpeaking") && started < output;
  check(`${name}: AgentStartedSpeaking before text and audio`, inOrder, kinds);
}

/** The samples of a mono 16-bit file at INPUT_RATE. */
export function readWav(path) {
  const file = readFileSync(path);
  if (file.toString("latin1", 0, 4) !== "RIFF") throw new Error(`${path}: no wav file`);
  let at = 12;
  let format;
  while (at + 8 <= file.length) {
    const [name, size] = [file.toString("latin1", at, at + 4), file.readUInt32LE(at + 4)];
    if (name === "fmt ") {
      format = [file.readUInt16LE(at + 10), file.readUInt32LE(at + 12), file.readUInt16LE(at + 22)];
    }
    if (name === "data") {
      if (format?.join() !== [1, INPUT_RATE, 16].join()) throw new Error(`${path}: ${format} is not mono 16 kHz`);
      return file.subarray(at + 8, at + 8 + size);
    }
    at += 8 + size + (size % 2);
  }
  throw new Error(`${path}: no samples`);
}

/** The question as a microphone would send it, then silence until stopped: voice detection needs both. */
export function speak(socket, question, speed, frameMs = 20) {
  const start = Date.now();
  const frameBytes = (INPUT_RATE / 1000) * frameMs * 2;
  let sent = 0;
  const timer = setInterval(() => {
    // Against the start and not against the last frame, so that late timers do not add up.
    const due = Math.floor(((Date.now() - start) * speed) / frameMs) + 1;
    for (; sent < due; sent++) {
      const frame = Buffer.alloc(frameBytes);
      question.subarray(sent * frameBytes, (sent + 1) * frameBytes).copy(frame);
      try {
        socket.sendMedia(frame);
      } catch {
        return clearInterval(timer); // closed; the conversation reports that
      }
    }
  }, frameMs / speed);
  return () => clearInterval(timer);
}

/** Welcome, Settings, SettingsApplied. */
export async function open({ name, send, transcript }, settings) {
  const first = await transcript.until("Welcome");
  check(`${name}Welcome comes first`, first.length === 1 && first[0].request_id, first);
  send(settings);
  const applied = await transcript.until("SettingsApplied");
  check(`${name}SettingsApplied`, applied.length === 1, applied);
}

// The one type whose name is not its message's.
const SENT_NAMES = { FunctionCallResponse: "SendFunctionCallResponse" };

/** The compiler's complaints about the messages as literals of the SDK's types; empty if there are none. */
function typeFaults(messages, sent, connection, namespace) {
  // Fields of the protocol that only the newer Python SDK declares.
  const newer = (key, value) => (key === "conversational_behavior" ? undefined : value);
  const literals = messages.map((m) => `  ${JSON.stringify(m, newer)},`);
  const source = [
    'import type { Deepgram, DeepgramClient } from "@deepgram/sdk";',
    // The SDK does not export the type of what its message handler gets; this is that type, less its
    // alternatives for audio and for text that is no JSON.
    `declare const socket: Awaited<ReturnType<${connection}["connect"]>>;`,
    'type Handler = NonNullable<Parameters<typeof socket.on<"message">>[1]>;',
    "type Message = Exclude<Parameters<Handler>[0], string | Blob | ArrayBuffer | ArrayBufferView>;",
    "export const messages: Message[] = [",
    ...literals,
    "];",
    // What went up fits the SDK's types as well: otherwise no user of it could send the same.
    "export const sent = [",
    ...sent.map((m) => `  ${JSON.stringify(m)} satisfies Deepgram.${namespace}${SENT_NAMES[m.type] ?? m.type},`),
    "];",
  ].join("\n");
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    target: "es2022",
    module: "nodenext",
    types: [],
  };
  // Beneath this directory, so that the compiler finds node_modules.
  const directory = mkdtempSync(join(HERE, "node_modules", ".types-"));
  try {
    writeFileSync(join(directory, "received.ts"), source);
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    const tsc = join(HERE, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [tsc, "--project", directory], { cwd: directory });
    return "";
  } catch (error) {
    return String(error.stdout || error);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What holds of every session, once it is over. */
function checkWhole(name, messages, { trouble = [], troubleKinds = ["Error", "Warning"], history = true }) {
  const codes = messages.filter((m) => troubleKinds.includes(kindOf(m))).map((m) => m.code);
  const what = trouble.length ? "no other Error and no other Warning" : "no Error and no Warning";
  check(`${name}${what}`, codes.join() === trouble.join(), codes);
  if (history === null) return;
  const line = (m) => JSON.stringify([m.role, m.content]);
  const told = messages.filter((m) => kindOf(m) === "ConversationText").map(line);
  const kept = messages.filter((m) => kindOf(m) === "History");
  if (history) {
    const lines = kept.filter((m) => m.role).map(line);
    check(`${name}History: each text once, in order`, told.length && lines.join() === told.join(), kept);
  } else {
    check(`${name}no History`, told.length && !kept.length, kept);
  }
}

/** A client whose every address is the gateway. */
export function client(base) {
  const environment = { ...DeepgramEnvironment.Production, production: base, agent: base };
  return new DeepgramClient({ apiKey: CLIENT_KEY, environment });
}

/** One session with the agent: see `hold`. */
export async function converse(base, session) {
  // No reconnecting: a second session would hide that the first one broke.
  const checkTypes = await hold(await client(base).agent.v1.connect({ reconnectAttempts: 0 }), session);
  checkTypes();
}

/**
 * One session over a socket of the SDK's, which is connected here: `talk({ name, socket, send, transcript })` says what
 * is said in it; `send` picks the SDK's method. `connection` and `namespace` are where the SDK declares its types,
 * against which the function that is given back holds everything; that takes seconds in which no other session goes on.
 */
export async function hold(socket, session) {
  const { name = "", number, talk, out, ...expected } = session;
  const { connection = 'DeepgramClient["agent"]["v1"]', namespace = "agent.AgentV1" } = session;
  const transcript = new Transcript();
  const errors = [];
  socket.on("message", (message) => transcript.add(message));
  socket.on("error", (error) => errors.push(error.message));
  socket.connect();
  // The SDK's own close event is made up at close(); the inner socket knows the code that really came.
  socket.socket.addEventListener("close", (event) => transcript.close(event));
  await socket.waitForOpen();
  check(`${name}connect`, true);
  const sent = [];
  const send = (message) => {
    sent.push(message);
    socket[`send${message.type}`](message);
  };
  try {
    await talk({ name, socket, send, transcript });
  } catch (error) {
    check(`${name}conversation`, false, String(error));
  }
  socket.close();
  const closed = await transcript.ended();
  check(`${name}close code 1000`, closed?.code === 1000, `${closed?.code}`);
  check(`${name}the SDK reports no error`, !errors.length, errors);
  if (out) {
    const raw = (message) => (message instanceof Blob ? null : JSON.stringify(message));
    const line = (message) => `${JSON.stringify({ connection: number, direction: "down", raw: raw(message) })}\n`;
    appendFileSync(out, transcript.messages.map(line).join(""));
  }
  const messages = transcript.messages.filter((m) => !(m instanceof Blob));
  checkWhole(name, messages, expected);
  // JSON that the SDK cannot parse reaches the handler as a string, and then fits no type.
  return () => {
    const faults = typeFaults(messages, sent, connection, namespace);
    check(`${name}every message fits the SDK's types`, !faults, faults);
  };
}
