// What was said and done before, as a new session is told of it: `agent.context.messages` of Settings.
// It must not know how lines and calls came about.

/** How many messages a new session is given at most: as many as Deepgram's own web component gives. */
const MESSAGES = 50;

/** How many characters at most in all of them; Deepgram takes 25,000 of prompt and context for its own models. */
const CHARACTERS = 20_000;

/** How many at most in one text of them, such as the result of a call. */
const CHARACTERS_OF_ONE = 4000;

/**
 * @typedef {import("./conversation.js").Line} Line
 * @typedef {import("./calls.js").Call} Call
 *
 * @typedef {{ type: "History", role: "user" | "assistant", content: string }} Said
 * @typedef {object} Called
 * @property {"History"} type
 * @property {{ id: string, name: string, client_side: boolean, arguments: string, response: string,
 *   thought_signature?: string }[]} function_calls
 */

/**
 * The newest of what was said and called, oldest first.
 * @param {Line[]} lines
 * @param {Call[]} calls
 * @returns {(Said | Called)[]}
 */
export function historyOf(lines, calls) {
  const spoken = lines.filter(({ role, text, pending }) => role !== "notice" && !pending && text !== "");
  const settled = calls.filter(({ state }) => state === "answered");
  const newestFirst = [...spoken.map(said), ...settled.map(called)].sort((one, other) => other.id - one.id);
  const messages = [];
  let left = CHARACTERS;
  for (const { message, length } of newestFirst.slice(0, MESSAGES)) {
    left -= length;
    if (left < 0) break;
    messages.unshift(message);
  }
  return messages;
}

/**
 * @param {Line} line
 * @returns {{ id: number, length: number, message: Said | Called }}
 */
function said({ id, role, text }) {
  const content = shortened(text);
  const message = {
    type: /** @type {const} */ ("History"),
    role: role === "user" ? role : "assistant",
    content,
  };
  return { id, length: content.length, message: /** @type {Said} */ (message) };
}

/**
 * @param {Call} call
 * @returns {{ id: number, length: number, message: Said | Called }}
 */
function called(call) {
  const given = shortened(call.arguments);
  const response = shortened(call.result ?? JSON.stringify({ error: call.error }));
  const signature = call.thoughtSignature === null ? {} : { thought_signature: call.thoughtSignature };
  const { id, name, clientSide } = call;
  const told = { id, name, client_side: clientSide, arguments: given, response, ...signature };
  return {
    id: call.order,
    length: name.length + given.length + response.length,
    message: { type: "History", function_calls: [told] },
  };
}

/**
 * @param {string} text
 * @returns {string}
 */
function shortened(text) {
  if (text.length <= CHARACTERS_OF_ONE) return text;
  // Half of a pair of surrogates is no character.
  return `${text.slice(0, CHARACTERS_OF_ONE - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
