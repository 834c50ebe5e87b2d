#!/usr/bin/env node
// Conversations with the gateway through Deepgram's official JavaScript SDK; the counterpart of python_agent.py.
// Prints `ok NAME` or `not ok NAME: why` per check.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SERVER_SIDE } from "./js_functions.mjs";
import { AUDIO, INPUT_RATE, check, checkAnswer, converse, exitStatus, kindOf, open, textsOf } from "./js_session.mjs";
import { VOCABULARY, WITHOUT_HISTORY } from "./js_vocabulary.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const FRAME_MS = 20;
const FRAME_BYTES = (INPUT_RATE / 1000) * FRAME_MS * 2;
const GREETING = "Welcome to the bridge.";
const TIME = "10:42"; // nothing but the function's answer can put this into the agent's words

const SETTINGS = {
  type: "Settings",
  audio: AUDIO,
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
    "functions-base": { type: "string" }, // the same for a gateway that runs functions
    audio: { type: "string", default: join(HERE, "../audio/question.wav") }, // mono 16 bit 16 kHz
    speed: { type: "string", default: "1" }, // times real time
    transcript: { type: "string" }, // a file for what was received, one JSON line each
  },
});

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

/** A greeting, a typed turn, a spoken one. */
async function turns(session, question) {
  const { socket, send, transcript } = session;
  await open(session, SETTINGS);
  const greeting = await transcript.until("AgentAudioDone");
  check("greeting", textsOf(greeting, "assistant").join() === GREETING, greeting);

  send({ type: "InjectUserMessage", content: "Hello there" });
  const typed = await transcript.until("AgentAudioDone");
  check("typed turn: echo", textsOf(typed, "user").join() === "Hello there", textsOf(typed, "user"));
  await checkAnswer("typed turn", typed);
  const report = await transcript.until("LatencyReport");
  check("typed turn: LatencyReport", report.length === 1 && report[0].total_latency > 0, report);
  send({ type: "KeepAlive" });

  const stop = speak(socket, question, Number(args.speed));
  try {
    const before = await transcript.until("UserStartedSpeaking");
    check("spoken turn: UserStartedSpeaking first", before.length === 1, before);
    send({ type: "InjectAgentMessage", message: "Not now." });
    const refused = await transcript.until("InjectionRefused");
    check("spoken turn: no agent message while the user speaks", refused.at(-1).message.includes("user"), refused);
    const asked = await transcript.until("FunctionCallRequest");
    const calls = asked.at(-1).functions;
    const expected = calls.length === 1 && calls[0].name === "get_current_time" && calls[0].client_side === true;
    check("spoken turn: FunctionCallRequest", expected, calls);
    check("spoken turn: arguments are JSON", JSON.parse(calls[0].arguments) instanceof Object, calls);
    const { id, name } = calls[0];
    const content = JSON.stringify({ time: TIME });
    send({ type: "FunctionCallResponse", id, name, content });
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

try {
  const question = readWav(args.audio);
  const out = args.transcript;
  if (out) writeFileSync(out, "");
  await converse(args.base, { number: 1, out, talk: (session) => turns(session, question) });
  await converse(args.base, { number: 2, out, ...VOCABULARY });
  await converse(args.base, { number: 3, out, ...WITHOUT_HISTORY });
  await converse(args["functions-base"], { number: 4, out, ...SERVER_SIDE });
} catch (error) {
  check("run", false, String(error?.message ?? error));
}
process.exit(exitStatus());
