// What is in the members of a message, whatever a peer has put there.
// It must not know what it is used for.

/** @typedef {import("../session.js").Message} Message */

/**
 * @param {unknown} value
 * @returns {string} text as it is, nothing as nothing, and anything else as JSON
 */
export function textOf(value) {
  if (typeof value === "string") return value;
  return value == null ? "" : JSON.stringify(value);
}

/**
 * The calls in `functions` or `function_calls`.
 * @param {unknown} value
 * @returns {Record<string, any>[]}
 */
export function functionsIn(value) {
  return Array.isArray(value) ? value.filter((call) => typeof call === "object" && call !== null) : [];
}

/**
 * @param {Message} message `AgentStartedSpeaking`
 * @returns {{ total: number, tts: number, ttt: number } | null} seconds
 */
export function latenciesIn(message) {
  const { total_latency: total, tts_latency: tts, ttt_latency: ttt } = message;
  return [total, tts, ttt].every(Number.isFinite) ? { total, tts, ttt } : null;
}

/**
 * @param {Message} message
 * @returns {Record<string, number>} its members that are numbers
 */
export function numbersIn(message) {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => Number.isFinite(value)));
}

/**
 * @param {string} content of a function's answer
 * @returns {string | null} the error, if it says nothing else
 */
export function errorIn(content) {
  let value;
  try {
    value = JSON.parse(content);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Object.keys(value).join() !== "error") return null;
  return textOf(value.error);
}
