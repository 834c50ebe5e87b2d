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
  const body = await ask("/v1/backends", { headers: authorization(token), cache: "no-store" });
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
  const headers = { ...authorization(token), "content-type": "application/json" };
  return ask("/function-call", {
    method: "POST",
    headers,
    body: JSON.stringify({ id, name, arguments: given.trim() || "{}" }),
  });
}

/**
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<any>}
 */
async function ask(path, request) {
  const answer = await fetch(addressOf(path), request).catch(() => {
    throw new Refusal(0, "unreachable", "The gateway does not answer.");
  });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  // Two shapes: `{error: {code, description}}`, and of `/function-call` `{error: "text", code}`.
  const flat = typeof body?.error === "string";
  const code = flat ? body.code : body?.error?.code;
  const description = flat ? body.error : body?.error?.description;
  throw new Refusal(
    answer.status,
    String(code ?? `status_${answer.status}`),
    String(description ?? "The gateway refused this."),
  );
}

/**
 * @param {string} token
 * @returns {Record<string, string>}
 */
function authorization(token) {
  return token ? { authorization: `Bearer ${token}` } : {};
}
