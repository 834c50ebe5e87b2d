// What codes, endings and failures mean to a person: what happened, and what to do about it.
// It must not know where they come from. Whatever is not listed is shown as the other side has put it.

import { ERRORS, REFUSALS, WARNINGS } from "./codes.js";

/**
 * @typedef {import("../session.js").Message} Message
 * @typedef {import("../session.js").Ended} Ended
 *
 * @typedef {object} Words
 * @property {string} headline what happened
 * @property {string} advice what to do about it, one sentence or none
 * @property {"info" | "warning" | "error"} level
 */

/** What is said of a message that is neither the conversation's nor a code's. */
const ACKNOWLEDGED = new Map([
  ["PromptUpdated", "The prompt has changed"],
  ["SpeakUpdated", "The voice has changed"],
  ["ThinkUpdated", "Model, prompt and functions have changed"],
  ["ListenUpdated", "Speech recognition has changed"],
]);

/** What a close code says where there is no `Error`. */
const CLOSES = new Map([
  [1000, ["The conversation is over", "Connect again to go on where it ended."]],
  [1001, ["The other side has gone away", "Connect again to go on."]],
  [
    1002,
    [
      "The connection broke the WebSocket protocol",
      "A proxy on the way may not know WebSockets: look at its log.",
    ],
  ],
  [1006, ["The connection broke", "Look whether the network and voxbridge are there, and connect again."]],
  [1008, ["The other side refused what it was sent", "The time line shows the last messages."]],
  [1009, ["A message was too large", "Send less at a time."]],
  [1011, ["The other side met an error", "Connect again; if it stays so, the log of voxbridge says more."]],
  [1012, ["The server is restarting", "Connect again in a moment."]],
  [1013, ["The server is too busy", "Connect again in a minute."]],
]);

/** What keeps a page from the microphone, by the name of the exception. */
const MICROPHONES = new Map([
  [
    "NotAllowedError",
    [
      "The microphone is not allowed",
      "Allow it in the browser, by the sign beside the address, and switch it on again.",
    ],
  ],
  ["NotFoundError", ["There is no microphone", "Connect one and switch it on again, or type."]],
  [
    "NotReadableError",
    ["The microphone is in use", "Close the program that has it, and switch it on again."],
  ],
  ["AbortError", ["The microphone stopped", "Switch it on again."]],
  [
    "OverconstrainedError",
    ["The microphone cannot do what is asked of it", "Choose another one in the browser, or type."],
  ],
  [
    "InsecureContextError",
    [
      "Browsers give the microphone to secure pages alone",
      "Open this page over https, or on the same machine as localhost; typing works in any case.",
    ],
  ],
  ["EndedError", ["The microphone has gone", "Connect it and switch it on again."]],
  [
    "AudioError",
    ["The browser cannot process the microphone's sound", "Load the page again; typing works in any case."],
  ],
]);

/**
 * What an `Error`, a `Warning`, a refusal or an acknowledgement says.
 * @param {Message} message
 * @returns {Words | null} null: nothing that a person has to be told
 */
export function wordsForMessage(message) {
  const acknowledged = ACKNOWLEDGED.get(message.type);
  if (acknowledged !== undefined) return { headline: acknowledged, advice: "", level: "info" };
  switch (message.type) {
    case "InjectionRefused":
      return {
        headline: "The agent did not say it",
        advice: "Somebody was speaking: send it again, or with the behavior queue or interrupt.",
        level: "warning",
      };
    case "Error":
      return { ...(known(ERRORS, message.code) ?? unknown(message)), level: "error" };
    case "Warning":
      return { ...(known(WARNINGS, message.code) ?? unknown(message)), level: "warning" };
    default:
      return null;
  }
}

/**
 * Why a session is over. The end that the user asked for is no trouble.
 * @param {Ended} ended
 * @returns {Words}
 */
export function wordsForEnding({ code, error, opened, byUs }) {
  if (byUs) return { headline: "Disconnected", advice: "", level: "info" };
  if (error !== null) {
    const expected = error.code === "idle_timeout" || error.code === "session_max_duration";
    return { ...(known(ERRORS, error.code) ?? unknown(error)), level: expected ? "info" : "error" };
  }
  // A browser does not tell a refusal from a server that is not there.
  if (!opened) return wordsForRefusal("unreachable");
  const [headline, advice] = CLOSES.get(code) ?? [`The connection was closed with code ${code}`, ""];
  return { headline, advice, level: code === 1000 ? "info" : "error" };
}

/**
 * Why an upgrade or a request was refused.
 * @param {string} code of the refusal's body, or one of `diagnosis.js`
 * @returns {Words}
 */
export function wordsForRefusal(code) {
  const words = known(REFUSALS, code) ?? { headline: `The connection was refused: ${code}`, advice: "" };
  return { ...words, level: "error" };
}

/**
 * Why there is no microphone.
 * @param {unknown} error what `Microphone.open` threw
 * @returns {Words}
 */
export function wordsForMicrophone(error) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  const [headline, advice] = MICROPHONES.get(name) ?? ["The microphone does not work", String(error)];
  return { headline, advice, level: "error" };
}

/**
 * Why nothing can be heard.
 * @param {unknown} error what `Speaker.open` threw
 * @returns {Words}
 */
export function wordsForSpeaker(error) {
  const insecure = error instanceof Error && error.name === "InsecureContextError";
  const advice = insecure
    ? "Browsers give what this page plays with to secure pages alone: open it over https, or on the same machine as localhost. What the agent says stands here."
    : `What the agent says stands here. ${error}`;
  return { headline: "The agent cannot be heard", advice, level: "error" };
}

/**
 * @param {Record<string, readonly [string, string]>} words
 * @param {unknown} code
 * @returns {{ headline: string, advice: string } | null}
 */
function known(words, code) {
  if (typeof code !== "string" || !Object.hasOwn(words, code)) return null;
  const [headline, advice] = words[code];
  return { headline, advice };
}

/**
 * @param {Message} message
 * @returns {{ headline: string, advice: string }}
 */
function unknown({ type, code, description }) {
  const headline =
    typeof description === "string" && description !== "" ? description : `${type} ${code ?? ""}`;
  return { headline: headline.trim(), advice: "" };
}
