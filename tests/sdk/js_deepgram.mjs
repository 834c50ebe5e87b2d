#!/usr/bin/env node
// Deepgram's own services behind the gateway, through Deepgram's official JavaScript SDK; the counterpart of
// python_deepgram.py. Prints `ok NAME` or `not ok NAME: why` per check.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { AGENT_APPLICATION, AGENT_SERVER_SIDE } from "./js_functions.mjs";
import { listen } from "./js_listen.mjs";
import { check, converse, exitStatus, readWav } from "./js_session.mjs";
import { turns } from "./js_turns.mjs";
import { AGENT_VOCABULARY, WITHOUT_HISTORY } from "./js_vocabulary.mjs";

const PROXY = "/deepgram-proxy";

const { values: args } = parseArgs({
  options: {
    base: { type: "string" }, // ws://HOST:PORT of a gateway with its default configuration
    "keyed-base": { type: "string" }, // the same for one whose upstream asks for a key
    "functions-base": { type: "string" }, // the same for one that runs functions
    audio: { type: "string", default: join(dirname(fileURLToPath(import.meta.url)), "../audio/question.wav") },
  },
});

try {
  const [base, keyed, functions] = [args.base, args["keyed-base"], args["functions-base"]];
  const question = readWav(args.audio);
  await listen(base, base + PROXY, keyed, question, readFileSync(args.audio));
  const agent = (name) => ({ name, talk: (session) => turns(session, question, 1.25) });
  await converse(keyed, agent("agent: "));
  await converse(keyed, AGENT_VOCABULARY);
  await converse(keyed, { ...WITHOUT_HISTORY, name: "agent without history: " });
  await converse(base + PROXY, agent(`agent under ${PROXY}: `));
  await converse(functions, AGENT_SERVER_SIDE);
  await converse(functions, AGENT_APPLICATION);
} catch (error) {
  check("run", false, String(error?.message ?? error));
}
process.exit(exitStatus());
