// From what is in the form to the Settings message of the Voice Agent protocol, in Deepgram's own dialect.
// Pure: knows nothing of the page, its fields or the connection.

import { declarations } from "./functions.js";

/**
 * What a person has set.
 * @typedef {object} Form
 * @property {string} prompt
 * @property {string} greeting
 * @property {string} language of the user's speech, such as "en"; empty: the backend's
 * @property {Record<string, string>} voices for each kind of backend, the voice; empty: the backend's
 * @property {string} functions JSON text: a list of further functions, for which the page has no code
 * @property {Record<string, boolean>} own which of the page's own functions are offered; absent: it is
 */

/** @typedef {{name: string, description?: string, parameters?: object}} Declaration */

/** A value in the form that cannot be used. */
export class FieldError extends Error {
  /**
   * @param {string} field the form's field
   * @param {string} message what is wrong, for a person
   */
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/** Voices to choose from, by the kind of backend; any other may be typed. */
export const VOICES = Object.freeze({
  "openai-realtime": [
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "marin",
    "sage",
    "shimmer",
    "verse",
  ],
  "deepgram-agent": [
    "aura-2-thalia-en",
    "aura-2-andromeda-en",
    "aura-2-apollo-en",
    "aura-2-arcas-en",
    "aura-2-helena-en",
  ],
});

/** @returns {Form} what a newcomer begins with */
export function defaults() {
  return {
    prompt: "You are a friendly voice assistant. Answer in one or two short sentences.",
    greeting: "Hello! What can I do for you?",
    language: "",
    voices: { "openai-realtime": "", "deepgram-agent": "aura-2-thalia-en" },
    functions: "",
    own: {},
  };
}

/** A function without code, to show what the form takes. */
export const EXAMPLE_FUNCTIONS = JSON.stringify(
  [
    {
      name: "find_order",
      description: "Looks up an order of the customer",
      parameters: { type: "object", properties: { number: { type: "string" } }, required: ["number"] },
    },
  ],
  null,
  2,
);

/**
 * The Settings of a connection.
 * @param {Form} form
 * @param {string} kind of the backend, as `/v1/backends` names it
 * @param {object[]} context messages of `agent.context`; none: a new conversation, which begins with the greeting
 * @returns {object}
 * @throws {FieldError} for what the form holds
 */
export function settingsMessage(form, kind, context) {
  const functions = [...declarations(form.own), ...parseFunctions(form.functions)];
  const twice = functions.find(
    (one, index) => functions.findIndex((other) => other.name === one.name) < index,
  );
  if (twice) throw new FieldError("functions", `There are two functions with the name ${twice.name}.`);
  const [prompt, greeting, language] = [form.prompt, form.greeting, form.language].map((text) => text.trim());
  if (language && !/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$|^multi$/.test(language)) {
    throw new FieldError("language", "A language is written as en, de-AT or multi.");
  }
  const speak = speakProvider(kind, (form.voices[kind] ?? "").trim());
  return {
    type: "Settings",
    audio: {
      input: { encoding: "linear16", sample_rate: 16000 },
      output: { encoding: "linear16", sample_rate: 24000, container: "none" },
    },
    agent: {
      listen: {
        provider: { type: "deepgram", version: "v1", model: "nova-3", ...(language && { language }) },
      },
      think: {
        provider: { type: "open_ai", model: "gpt-4o-mini" },
        ...(prompt && { prompt }),
        ...(functions.length > 0 && { functions }),
      },
      ...(speak && { speak: { provider: speak } }),
      ...(context.length > 0 ? { context: { messages: context } } : greeting && { greeting }),
    },
  };
}

/**
 * The provider that names a voice, in the words that this kind of backend understands.
 * @param {string} kind
 * @param {string} voice
 */
function speakProvider(kind, voice) {
  if (!voice) return null;
  // A gateway's own table may give any vendor's voice another name, so Deepgram's is left as it is written.
  if (kind === "deepgram-agent" || voice.startsWith("aura")) return { type: "deepgram", model: voice };
  return { type: "open_ai", model: "gpt-4o-mini-tts", voice };
}

/**
 * The functions in the form's JSON text.
 * @param {string} text
 * @returns {Declaration[]}
 * @throws {FieldError}
 */
export function parseFunctions(text) {
  if (!text.trim()) return [];
  let list;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new FieldError(
      "functions",
      `The functions are not JSON: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (!Array.isArray(list)) throw new FieldError("functions", "The functions are a list: [ … ].");
  list.forEach((entry, index) => {
    const where = `Function ${index + 1}`;
    if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
      throw new FieldError("functions", `${where} is an object with name, description and parameters.`);
    }
    if (typeof entry.name !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(entry.name)) {
      throw new FieldError("functions", `${where} needs a name of 1 to 64 letters, digits, _ or -.`);
    }
    const { parameters } = entry;
    if (
      parameters !== undefined &&
      (typeof parameters !== "object" || parameters === null || Array.isArray(parameters))
    ) {
      throw new FieldError("functions", `The parameters of ${entry.name} are a JSON Schema, an object.`);
    }
  });
  return list;
}
