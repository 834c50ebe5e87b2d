// Every code that the README lists has words, and no words are for a code that nobody gives.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ERRORS, REFUSALS, WARNINGS } from "../../src/console/page/words/codes.js";
import {
  wordsForEnding,
  wordsForMessage,
  wordsForMicrophone,
  wordsForRefusal,
  wordsForSpeaker,
} from "../../src/console/page/words/words.js";

const README = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

/** What the README leaves to the services: they may give any code, and these are worth words. */
const UPSTREAM = {
  Error: [
    ..."max_output_tokens content_filter insufficient_quota rate_limit_exceeded invalid_api_key".split(" "),
    ..."model_not_found server_error NON_SETTINGS_MESSAGE_BEFORE_SETTINGS SETTINGS_ALREADY_APPLIED".split(
      " ",
    ),
    ..."FAILED_TO_START_LISTENING FAILED_TO_LISTEN ASR_CONNECTION_CLOSED ASR_DRIVER_TIMEOUT".split(" "),
    ..."USER_AUDIO_FORMAT FAILED_TO_THINK FAILED_TO_SPEAK NON_EXISTENT_FUNCTION_CALLED".split(" "),
    ..."INVALID_AGENT_ID INTERNAL_SERVER_ERROR MAXIMUM_SESSION_LENGTH_REACHED".split(" "),
  ],
  Warning: [
    ..."THINK_REQUEST_FAILED SPEAK_REQUEST_FAILED FUNCTION_CALL_FAILED SLOW_THINK_REQUEST".split(" "),
    ..."SLOW_SPEAK_REQUEST PROMPT_TOO_LONG VOICE_PROMPT_ADDED GPT_4O_STREAM_END_ERROR".split(" "),
    "MAXIMUM_SESSION_LENGTH_APPROACHING",
  ],
  // The page's own findings.
  refusal: ["not_found", "unreachable", "full_or_blocked"],
};

/** The rows of the table whose head has these cells first. */
function table(...head) {
  const lines = README.split("\n");
  const cellsOf = (line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim());
  const at = lines.findIndex((line) => head.every((cell, index) => cellsOf(line)[index] === cell));
  assert.notEqual(at, -1, `no table ${head}`);
  const rows = lines.slice(at + 2);
  return rows
    .slice(
      0,
      rows.findIndex((line) => !line.startsWith("|")),
    )
    .map(cellsOf);
}

const codesIn = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);

const OWN = table("Code", "Message", "Means");
const ENDINGS = table("Log word", "Cause", "`Error` to the client");
const STATUSES = table("Status of an upgrade", "`code`");

function assertSame(words, known, elsewhere) {
  const listed = Object.keys(words);
  assert.deepEqual(
    known.filter((code) => !listed.includes(code)),
    [],
    "without words",
  );
  assert.deepEqual(
    listed.filter((code) => !known.includes(code) && !elsewhere.includes(code)),
    [],
    "of nobody",
  );
  assert.deepEqual(
    elsewhere.filter((code) => known.includes(code)),
    [],
    "the README knows it after all",
  );
}

for (const [kind, words] of [
  ["Error", ERRORS],
  ["Warning", WARNINGS],
]) {
  test(`every ${kind} of the README has words, and no other one but the services'`, () => {
    const known = OWN.filter(([, message]) => message === kind).flatMap(([codes]) => codesIn(codes));
    assert.ok(known.length > 10, "the table was read");
    assertSame(words, known, UPSTREAM[kind]);
  });
}

test("every refusal of the README has words", () => {
  const known = STATUSES.flatMap(([, code]) => codesIn(code));
  assert.ok(known.length > 10, "the table was read");
  assertSame(REFUSALS, known, UPSTREAM.refusal);
});

test("every ending of the README has words: of its Error, or of its close", () => {
  assert.ok(ENDINGS.length > 20, "the table was read");
  const ended = { code: 1000, reason: "", error: null, opened: true, applied: true, byUs: false };
  for (const [cause, , errors, closes] of ENDINGS) {
    for (const code of codesIn(errors)) assert.ok(Object.hasOwn(ERRORS, code), `${cause}: ${code}`);
    for (const [code] of closes.matchAll(/\d{4}/g)) {
      const { headline } = wordsForEnding({ ...ended, code: Number(code) });
      assert.doesNotMatch(headline, /\d/, `${cause}: ${code}`);
    }
  }
});

test("words are short: a headline, and one sentence", () => {
  for (const [code, [headline, advice]] of Object.entries({ ...ERRORS, ...WARNINGS, ...REFUSALS })) {
    assert.match(headline, /^.{10,70}[^.]$/, code);
    assert.match(advice, /^$|^[A-Z].{4,115}\.$/, code);
  }
});

test("an Error and a Warning of the same code say different things", () => {
  const error = wordsForMessage({ type: "Error", code: "MESSAGE_TOO_LARGE" });
  const warning = wordsForMessage({ type: "Warning", code: "MESSAGE_TOO_LARGE" });
  assert.equal(error?.level, "error");
  assert.equal(warning?.level, "warning");
  assert.notEqual(error?.headline, warning?.headline);
});

test("a code without words is shown as it came, whatever it is", () => {
  const headline = (message) => wordsForMessage(message)?.headline;
  assert.equal(headline({ type: "Error", code: "x", description: "of its own" }), "of its own");
  assert.equal(headline({ type: "Error", code: "x" }), "Error x");
  assert.equal(headline({ type: "Warning" }), "Warning");
  for (const code of ["constructor", "__proto__", "toString", 7, null, {}]) {
    assert.equal(headline({ type: "Error", code, description: "d" }), "d");
  }
  assert.equal(wordsForRefusal("hasOwnProperty").headline, "The connection was refused: hasOwnProperty");
  assert.equal(wordsForMessage({ type: "AgentThinking" }), null);
});

test("an end: by the user, by its Error, by its close, or before it began", () => {
  const ended = { code: 1006, reason: "", error: null, opened: true, applied: true, byUs: false };
  assert.deepEqual(wordsForEnding({ ...ended, byUs: true }), {
    headline: "Disconnected",
    advice: "",
    level: "info",
  });
  const error = { type: "Error", code: "upstream_auth_failed", description: "401" };
  assert.equal(wordsForEnding({ ...ended, code: 1011, error }).headline, ERRORS.upstream_auth_failed[0]);
  const idle = wordsForEnding({ ...ended, code: 1000, error: { type: "Error", code: "idle_timeout" } });
  assert.equal(idle.level, "info", "nothing has failed");
  assert.equal(wordsForEnding({ ...ended, opened: false }).headline, REFUSALS.unreachable[0]);
  assert.deepEqual(
    [1000, 1006].map((code) => wordsForEnding({ ...ended, code }).level),
    ["info", "error"],
  );
  assert.match(wordsForEnding({ ...ended, code: 4321 }).headline, /4321/);
});

test("what keeps a page from the microphone, or from sound, has words", () => {
  const of = (name) => wordsForMicrophone(Object.assign(new Error("said"), { name })).headline;
  const names = [
    "NotAllowedError",
    "NotFoundError",
    "NotReadableError",
    "InsecureContextError",
    "EndedError",
  ];
  assert.equal(new Set(names.map(of)).size, names.length);
  const silent = (name) => wordsForSpeaker(Object.assign(new Error("said"), { name })).advice;
  assert.match(silent("InsecureContextError"), /https/);
  assert.match(silent("NotSupportedError"), /said/);
  assert.deepEqual(wordsForMicrophone("odd"), {
    headline: "The microphone does not work",
    advice: "odd",
    level: "error",
  });
});
