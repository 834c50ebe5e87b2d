// What the form becomes: Settings in Deepgram's dialect for each kind of backend, and which values are refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  defaults,
  EXAMPLE_FUNCTIONS,
  FieldError,
  parseFunctions,
  settingsMessage,
} from "../../src/console/page/settings.js";

const HISTORY = [{ type: "History", role: "user", content: "Hello" }];

/** @param {Partial<import("../../src/console/page/settings.js").Form>} [changes] */
const form = (changes = {}) => ({ ...defaults(), ...changes });
/** @returns {any} */
const settings = (changes = {}, kind = "openai-realtime", context = []) =>
  settingsMessage(form(changes), kind, context);
/** @param {string} field @param {RegExp} message */
const refused = (field, message) => (/** @type {unknown} */ error) =>
  error instanceof FieldError && error.field === field && message.test(error.message);

test("the defaults are whole Settings for OpenAI, in the voice of the backend", () => {
  const { agent, ...rest } = settings();
  assert.deepEqual(rest, {
    type: "Settings",
    audio: {
      input: { encoding: "linear16", sample_rate: 16000 },
      output: { encoding: "linear16", sample_rate: 24000, container: "none" },
    },
  });
  assert.deepEqual(Object.keys(agent).sort(), ["greeting", "listen", "think"]);
  assert.deepEqual(agent.listen.provider, { type: "deepgram", version: "v1", model: "nova-3" });
  assert.deepEqual(agent.think.provider, { type: "open_ai", model: "gpt-4o-mini" });
  assert.deepEqual(
    agent.think.functions.map(({ name }) => name),
    ["get_current_time", "repaint"],
  );
});

test("Deepgram is told a voice of its own", () => {
  assert.deepEqual(settings({}, "deepgram-agent").agent.speak, {
    provider: { type: "deepgram", model: "aura-2-thalia-en" },
  });
});

test("each kind of backend keeps its voice", () => {
  const voices = { "openai-realtime": "cedar", "deepgram-agent": "aura-2-apollo-en" };
  assert.deepEqual(settings({ voices }).agent.speak.provider, {
    type: "open_ai",
    model: "gpt-4o-mini-tts",
    voice: "cedar",
  });
  assert.equal(settings({ voices }, "deepgram-agent").agent.speak.provider.model, "aura-2-apollo-en");
});

test("a voice of Deepgram on another backend is left to the gateway's table", () => {
  const voices = { "openai-realtime": "aura-asteria-en" };
  assert.deepEqual(settings({ voices }).agent.speak.provider, { type: "deepgram", model: "aura-asteria-en" });
});

test("what is left empty is not sent", () => {
  const { agent } = settings(
    { prompt: " ", greeting: "", voices: {}, own: { get_current_time: false, repaint: false } },
    "deepgram-agent",
  );
  assert.deepEqual(agent, {
    listen: { provider: { type: "deepgram", version: "v1", model: "nova-3" } },
    think: { provider: { type: "open_ai", model: "gpt-4o-mini" } },
  });
});

test("a conversation that goes on has its context and no greeting", () => {
  const { agent } = settings({}, "openai-realtime", HISTORY);
  assert.deepEqual(agent.context, { messages: HISTORY });
  assert.equal("greeting" in agent, false);
});

test("the language is passed on, and what is none is refused", () => {
  for (const language of ["de", "pt-BR", "multi"])
    assert.equal(settings({ language }).agent.listen.provider.language, language);
  for (const language of ["German", "d", "de_DE"])
    assert.throws(() => settings({ language }), refused("language", /de-AT/));
});

test("further functions come after the page's own", () => {
  const { functions } = settings({ functions: EXAMPLE_FUNCTIONS }).agent.think;
  assert.deepEqual(
    functions.map(({ name }) => name),
    ["get_current_time", "repaint", "find_order"],
  );
});

test("a name is declared once", () => {
  assert.throws(() => settings({ functions: '[{"name":"repaint"}]' }), refused("functions", /repaint/));
});

test("functions that cannot be declared are refused, each with what is wrong", () => {
  /** @type {[string, RegExp][]} */
  const cases = [
    ["[", /not JSON/],
    ['{"name":"one"}', /list/],
    ["[null]", /Function 1 is an object/],
    ['[{"name":"good"},{}]', /Function 2 needs a name/],
    ['[{"name":"white space"}]', /needs a name/],
    [`[{"name":"${"n".repeat(65)}"}]`, /needs a name/],
    ['[{"name":"good","parameters":[]}]', /JSON Schema/],
  ];
  for (const [text, message] of cases)
    assert.throws(() => parseFunctions(text), refused("functions", message), text);
  assert.deepEqual(parseFunctions(" "), []);
});
