#!/usr/bin/env node
// Conversations with the gateway through Deepgram's official JavaScript SDK; the counterpart of python_agent.py.
// Prints `ok NAME` or `not ok NAME: why` per check.

import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SERVER_SIDE } from "./js_functions.mjs";
import { check, converse, exitStatus, readWav } from "./js_session.mjs";
import { turns } from "./js_turns.mjs";
import { VOCABULARY, WITHOUT_HISTORY } from "./js_vocabulary.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

const { values: args } = parseArgs({
  options: {
    base: { type: "string" }, // ws://HOST:PORT of the gateway; the SDK adds its own path
    "functions-base": { type: "string" }, // the same for a gateway that runs functions
    audio: { type: "string", default: join(HERE, "../audio/question.wav") }, // mono 16 bit 16 kHz
    speed: { type: "string", default: "1" }, // times real time
    transcript: { type: "string" }, // a file for what was received, one JSON line each
  },
});

try {
  const question = readWav(args.audio);
  const out = args.transcript;
  if (out) writeFileSync(out, "");
  await converse(args.base, { number: 1, out, talk: (session) => turns(session, question, Number(args.speed)) });
  await converse(args.base, { number: 2, out, ...VOCABULARY });
  await converse(args.base, { number: 3, out, ...WITHOUT_HISTORY });
  await converse(args["functions-base"], { number: 4, out, ...SERVER_SIDE });
} catch (error) {
  check("run", false, String(error?.message ?? error));
}
process.exit(exitStatus());
