// Why a WebSocket did not open: the browser does not tell the page, so the gateway is asked in other ways.
// It must not know the page or what the connection was for.

import { answerTo, refusalIn } from "../gateway.js";

/** How long each question may take, ms. */
const PATIENCE_MS = 5000;

/**
 * Finds out why a backend's path took no WebSocket. Nothing that it asks uses up a token.
 * @param {object} options
 * @param {string} options.path of the backend
 * @param {string} [options.token]
 * @param {string} [options.base] the page's address, if it is not the document's
 * @returns {Promise<string>} a code that `wordsForRefusal` has words for
 */
export async function diagnose({ path, token = "", base }) {
  const ask = (/** @type {string} */ at, /** @type {import("../gateway.js").Question} */ question = {}) =>
    answerTo(at, { token, base, signal: AbortSignal.timeout(PATIENCE_MS), ...question });
  const ready = await ask("/ready");
  if (ready === null) return "unreachable";
  if (ready.status === 503) return "stopping";
  const backends = await ask("/v1/backends");
  if (backends === null) return "unreachable";
  if (backends.status !== 200) return refusalIn(backends.body).code ?? "full_or_blocked";
  if (!pathsIn(backends.body).includes(path)) return token === "" ? "not_found" : "backend_not_allowed";
  // A GET of the page's own server carries no Origin, a POST does.
  const headers = { "content-type": "application/json" };
  const called = await ask("/function-call", { method: "POST", body: "{}", headers });
  // Its other refusals are of functions alone.
  const origin = called?.status === 403 && refusalIn(called.body).code === "origin_not_allowed";
  return origin ? "origin_not_allowed" : "full_or_blocked";
}

/**
 * @param {any} body of `/v1/backends`
 * @returns {unknown[]}
 */
function pathsIn(body) {
  const backends = Array.isArray(body?.backends) ? body.backends : [];
  return backends.flatMap((/** @type {any} */ backend) =>
    Array.isArray(backend?.paths) ? backend.paths : [],
  );
}
