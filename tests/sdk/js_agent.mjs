#!/usr/bin/env node
// One conversation with the gateway through Deepgram's official JavaScript SDK; the counterpart of python_agent.py.
//
// The JavaScript SDK checks nothing at run time: its types exist for the compiler only. So what was received is
// written out as literals of those types at the end and given to the TypeScript compiler, which refuses unknown
// fields, missing fields and wrong types. Prints `ok NAME` or `not ok NAME: why` per check.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DeepgramClient, DeepgramEnvironment } from "@deepgram/sdk";

const HERE = dirname(fileURLToPath(import.meta.url));
const INPUT_RATE = 16000;
const OUTPUT_RATE = 24000;
const FRAME_MS = 20;
const FRAME_BYTES = (INPUT_RATE / 1000) * FRAME_MS * 2;
const STEP_TIMEOUT_MS = 15000;
const AUDIBLE_RMS = 100;
const GREETING = "Welcome to the bridge.";
const TIME = "10:42"; // nothing but the function's answer can put this into the agent's words

const SETTINGS = {
  type: "Settings",
  audio: {
    input: { encoding: "linear16", sample_rate: INPUT_RATE },
    output: { encoding: "linear16", sample_rate: OUTPUT_RATE, container: "none" },
  },
  agent: {
    greeting: GREETING,
    think: {
      provider: { type: "open_ai", model: "gpt-4o-mini", temperature: 0.7 },
      prompt: "Be brief.",
      functions: [
        {
          name: "get_current_time",
          description: "The current time of day",
          parameters: { type: "object", properties: {} },
        },
      ],
    },
  },
};

const { values: args } = parseArgs({
  options: {
    base: { type: "string" }, // ws://HOST:PORT of the gateway; the SDK adds its own path
    audio: { type: "string", default: join(HERE, "../audio/question.wav") }, // mono 16 bit 16 kHz
    speed: { type: "string", default: "1" }, // times real time
    transcript: { type: "string" }, // a file for what was received, one JSON line each
  },
});

let passed = 0;
let failed = 0;

function check(name, condition, why = "") {
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

const kindOf = (message) => (message instanceof Blob ? "audio" : message.type);
const textsOf = (messages, role) =>
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

/** The samples of a mono 16-bit file at INPUT_RATE. */
function readWav(path) {
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

function rms(samples) {
  let sum = 0;
  for (let i = 0; i + 1 < samples.length; i += 2) sum += samples.readInt16LE(i) ** 2;
  return samples.length < 2 ? 0 : Math.sqrt(sum / Math.floor(samples.length / 2));
}

/** The question as a microphone would send it, then silence until stopped: voice detection needs both. */
function speak(socket, question, speed) {
  const start = Date.now();
  let sent = 0;
  const timer = setInterval(() => {
    // Against the start and not against the last frame, so that late timers do not add up.
    const due = Math.floor(((Date.now() - start) * speed) / FRAME_MS) + 1;
    for (; sent < due; sent++) {
      const frame = Buffer.alloc(FRAME_BYTES);
      question.subarray(sent * FRAME_BYTES, (sent + 1) * FRAME_BYTES).copy(frame);
      try {
        socket.sendMedia(frame);
      } catch {
        return clearInterval(timer); // closed; the conversation reports that
      }
    }
  }, FRAME_MS / speed);
  return () => clearInterval(timer);
}

async function checkAnswer(name, turn) {
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

async function converse(socket, transcript, question) {
  const first = await transcript.until("Welcome");
  check("Welcome comes first", first.length === 1 && first[0].request_id, first);
  socket.sendSettings(SETTINGS);
  const applied = await transcript.until("SettingsApplied");
  check("SettingsApplied", applied.length === 1, applied);
  const greeting = await transcript.until("AgentAudioDone");
  check("greeting", textsOf(greeting, "assistant").join() === GREETING, greeting);

  socket.sendInjectUserMessage({ type: "InjectUserMessage", content: "Hello there" });
  const typed = await transcript.until("AgentAudioDone");
  check("typed turn: echo", textsOf(typed, "user").join() === "Hello there", textsOf(typed, "user"));
  await checkAnswer("typed turn", typed);
  const report = await transcript.until("LatencyReport");
  check("typed turn: LatencyReport", report.length === 1 && report[0].total_latency > 0, report);
  socket.sendKeepAlive({ type: "KeepAlive" });

  const stop = speak(socket, question, Number(args.speed));
  try {
    const before = await transcript.until("UserStartedSpeaking");
    check("spoken turn: UserStartedSpeaking first", before.length === 1, before);
    const asked = await transcript.until("FunctionCallRequest");
    const calls = asked.at(-1).functions;
    const expected = calls.length === 1 && calls[0].name === "get_current_time" && calls[0].client_side === true;
    check("spoken turn: FunctionCallRequest", expected, calls);
    check("spoken turn: arguments are JSON", JSON.parse(calls[0].arguments) instanceof Object, calls);
    const { id, name } = calls[0];
    const content = JSON.stringify({ time: TIME });
    socket.sendFunctionCallResponse({ type: "FunctionCallResponse", id, name, content });
    const turn = await transcript.until("AgentAudioDone");
    stop();
    // A transcript is asynchronous: it may come before, within or after the answer.
    let heard = textsOf([...asked, ...turn], "user");
    if (!heard.length) {
      heard = textsOf(await transcript.until("ConversationText", (m) => m.role === "user"), "user");
    }
    check("spoken turn: transcript", heard.length === 1 && /time/i.test(heard[0]), heard);
    const endedEarly = asked.some((m) => kindOf(m) === "AgentAudioDone");
    check("spoken turn: a call alone does not end the turn", !endedEarly, asked.map(kindOf));
    const said = textsOf(turn, "assistant").join(" ");
    check("spoken turn: the answer holds the function's result", said.includes(TIME), said);
    await checkAnswer("spoken turn", turn);
  } finally {
    stop();
  }
}

/** The compiler's complaints about the messages as literals of the SDK's types; empty if there are none. */
function typeFaults(messages) {
  // Fields of the protocol that only the newer Python SDK declares.
  const newer = (key, value) => (key === "conversational_behavior" ? undefined : value);
  const literals = messages.map((m) => `  ${JSON.stringify(m, newer)},`);
  const source = [
    'import type { Deepgram, DeepgramClient } from "@deepgram/sdk";',
    // The SDK does not export the type of what its message handler gets; this is that type, less its
    // alternatives for audio and for text that is no JSON.
    'declare const socket: Awaited<ReturnType<DeepgramClient["agent"]["v1"]["connect"]>>;',
    'type Handler = NonNullable<Parameters<typeof socket.on<"message">>[1]>;',
    "type Message = Exclude<Parameters<Handler>[0], string | Blob | ArrayBuffer | ArrayBufferView>;",
    `export const settings: Deepgram.agent.AgentV1Settings = ${JSON.stringify(SETTINGS)};`,
    "export const messages: Message[] = [",
    ...literals,
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

async function main() {
  const question = readWav(args.audio);
  const environment = { ...DeepgramEnvironment.Production, agent: args.base };
  const client = new DeepgramClient({ apiKey: "not-a-real-key", environment });
  // No reconnecting: a second session would hide that the first one broke.
  const socket = await client.agent.v1.connect({ reconnectAttempts: 0 });
  const transcript = new Transcript();
  const errors = [];
  socket.on("message", (message) => transcript.add(message));
  socket.on("error", (error) => errors.push(error.message));
  socket.connect();
  // The SDK's own close event is made up at close(); the inner socket knows the code that really came.
  socket.socket.addEventListener("close", (event) => transcript.close(event));
  await socket.waitForOpen();
  check("connect", true);
  try {
    await converse(socket, transcript, question);
  } catch (error) {
    check("conversation", false, String(error));
  }
  socket.close();
  const closed = await transcript.ended();
  check("close code 1000", closed?.code === 1000, `${closed?.code}`);
  const messages = transcript.messages.filter((m) => !(m instanceof Blob));
  const trouble = messages.filter((m) => ["Error", "Warning"].includes(kindOf(m)));
  if (args.transcript) {
    const raw = (message) => (message instanceof Blob ? null : JSON.stringify(message));
    const line = (message) => `${JSON.stringify({ connection: 1, direction: "down", raw: raw(message) })}\n`;
    writeFileSync(args.transcript, transcript.messages.map(line).join(""));
  }
  check("no Error and no Warning", !trouble.length && !errors.length, [...trouble, ...errors]);
  // JSON that the SDK cannot parse reaches the handler as a string, and then fits no type.
  const faults = typeFaults(messages);
  check("every message fits the SDK's types", !faults, faults);
}

try {
  await main();
} catch (error) {
  check("run", false, String(error?.message ?? error));
}
process.exit(failed || !passed ? 1 : 0);
