// Why a connection ended, in words for a person, and found out where the browser does not say.
// It must not know the page.

import { diagnose } from "./diagnosis.js";
import { wordsForEnding, wordsForRefusal } from "./words.js";

/**
 * @typedef {import("../session.js").Ended} Ended
 *
 * @typedef {object} Explained
 * @property {string} headline what happened
 * @property {string} advice what to do about it, if there is anything
 * @property {string} code small print: code and reason of the close, code of the Error, or of the refusal
 * @property {boolean} failed whether it was not meant to end
 * @property {boolean} token whether the gateway wants a token, or another one
 */

/**
 * @param {Ended} ended
 * @param {{ path: string, token: string }} to whom the connection was with
 * @param {typeof diagnose} [ask]
 * @returns {Promise<Explained>}
 */
export async function explain(ended, { path, token }, ask = diagnose) {
  if (!ended.opened && !ended.byUs) {
    const code = await ask({ path, token });
    const { headline, advice } = wordsForRefusal(code);
    return { headline, advice, code, failed: true, token: code.startsWith("token_") };
  }
  const { headline, advice, level } = wordsForEnding(ended);
  const said = [ended.error?.code, ended.reason].filter(Boolean).join(": ");
  const code = ended.byUs ? "" : `close ${ended.code}${said ? `, ${said}` : ""}`;
  return { headline, advice, code, failed: level === "error", token: false };
}
