// The gateway's plain HTTP that the page uses: which backends there are, and functions that the gateway runs.
// Knows nothing of the page and of the WebSocket.

import { addressOf } from "./address.js";

/** @typedef {{name: string, kind: string, paths: string[]}} Backend */
/** @typedef {{content: string} | {error: string}} Answer */

/** A refusal, with the gateway's own code; status 0: no answer at all. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} description
   */
  constructor(status, code, description) {
    super(description);
    this.status = status;
    this.code = code;
  }
}

/**
 * The backends that a client may connect to, with the paths where agents are.
 * @param {string} token empty: none
 * @returns {Promise<Backend[]>}
 * @throws {Refusal}
 */
export async function backends(token) {
  const body = await ask("/v1/backends", { token });
  /** @type {Backend[]} */
  const all = body.backends;
  // Deepgram's paths of transcription have no agent behind them.
  const agents = all.map((backend) => ({
    ...backend,
    paths: backend.paths.filter((path) => !/\/v[12]\/listen$/.test(path)),
  }));
  return agents.filter((backend) => backend.paths.length > 0);
}

/**
 * Has the gateway run a function.
 * @param {{id: string, name: string, arguments: string}} call
 * @param {string} token
 * @returns {Promise<Answer>}
 * @throws {Refusal}
 */
export async function forward({ id, name, arguments: given }, token) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ id, name, arguments: given.trim() || "{}" });
  return ask("/function-call", { token, method: "POST", headers, body });
}

/**
 * @typedef {object} Question
 * @property {string} [token] empty: none
 * @property {string} [base] the page's address, if it is not the document's
 * @property {string} [method]
 * @property {string} [body]
 * @property {Record<string, string>} [headers]
 * @property {AbortSignal} [signal]
 */

/**
 * What the gateway answers, whatever it is.
 * @param {string} path
 * @param {Question} [question]
 * @returns {Promise<{ status: number, body: any } | null>} null: nothing; `body` null: no JSON, so not voxbridge's own
 */
export async function answerTo(path, { token = "", base, headers, ...request } = {}) {
  /** @type {Record<string, string>} */
  const authorization = token === "" ? {} : { authorization: `Bearer ${token}` };
  try {
    const asked = { ...request, headers: { ...authorization, ...headers } };
    const answer = await fetch(addressOf(path, base), { ...asked, cache: "no-store" });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  } catch {
    return null;
  }
}

/**
 * The gateway's words for a refusal, in either shape: `{error: {code, description}}`, or of `/function-call`
 * `{error: "text", code}`.
 * @param {any} body
 * @returns {{ code?: string, description?: string }}
 */
export function refusalIn(body) {
  const [code, description] =
    typeof body?.error === "string" ? [body.code, body.error] : [body?.error?.code, body?.error?.description];
  const text = (/** @type {unknown} */ value) => (typeof value === "string" ? value : undefined);
  return { code: text(code), description: text(description) };
}

/**
 * @param {string} path
 * @param {Question} question
 * @returns {Promise<any>}
 */
async function ask(path, question) {
  const answer = await answerTo(path, question);
  if (answer === null) throw new Refusal(0, "unreachable", "The gateway does not answer.");
  const { status, body } = answer;
  if (status >= 200 && status < 300 && body) return body;
  const { code = `status_${status}`, description = "The gateway refused this." } = refusalIn(body);
  throw new Refusal(status, code, description);
}
