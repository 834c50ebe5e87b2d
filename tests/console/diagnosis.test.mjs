// What the page finds out about a WebSocket that did not open, from what the gateway answers otherwise.

import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/console/page/words/diagnosis.js";
import { stub } from "./support.mjs";

const FINE = {
  "/ready": [200, { status: "ready" }],
  "/v1/backends": [200, { backends: [{ name: "a", kind: "openai-realtime", paths: ["/openai", "/v1/x"] }] }],
  "/function-call": [400, { error: "id must be a string", code: "invalid_id" }],
};

/** Diagnoses with these answers in place of the fine ones; what was asked is left in `asked`. */
async function found(t, answers, options = {}) {
  const asked = [];
  stub(t, "fetch", async (url, request) => {
    asked.push({ path: url.pathname, ...request });
    const answer = { ...FINE, ...answers }[url.pathname];
    if (answer === null) throw new TypeError("Failed to fetch");
    const [status, body] = answer;
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status });
  });
  const code = await diagnose({ path: "/openai", base: "http://a.example/", ...options });
  return { code, asked };
}

const refusal = (status, code) => [status, { error: { code, description: "d" } }];

for (const [name, answers, expected, options] of [
  ["nobody answers", { "/ready": null }, "unreachable"],
  ["nobody answers any more", { "/v1/backends": null }, "unreachable"],
  ["it stops", { "/ready": [503, { status: "stopping" }] }, "stopping"],
  ["no token", { "/v1/backends": refusal(401, "token_missing") }, "token_missing"],
  ["a wrong token", { "/v1/backends": refusal(401, "token_invalid") }, "token_invalid", { token: "t" }],
  ["an old token", { "/v1/backends": refusal(401, "token_expired") }, "token_expired", { token: "t" }],
  ["a token for others", {}, "backend_not_allowed", { path: "/other", token: "t" }],
  ["a path that has gone", {}, "not_found", { path: "/other" }],
  [
    "another origin",
    { "/function-call": [403, { error: "d", code: "origin_not_allowed" }] },
    "origin_not_allowed",
  ],
  [
    "functions are not for pages, connections are",
    { "/function-call": [403, { error: "d", code: "no_origin_listed" }] },
    "full_or_blocked",
  ],
  ["all is well otherwise", {}, "full_or_blocked"],
  ["probes are elsewhere", { "/ready": refusal(404, "not_found") }, "full_or_blocked"],
  ["a proxy's own page", { "/v1/backends": [502, "<h1>Bad Gateway</h1>"] }, "full_or_blocked"],
  ["an odd list", { "/v1/backends": [200, { backends: [null, {}, 7] }] }, "not_found"],
  ["functions cannot be reached", { "/function-call": null }, "full_or_blocked"],
]) {
  test(`diagnosis: ${name}`, async (t) => {
    const { code } = await found(t, answers, options);
    assert.equal(code, expected);
  });
}

test("diagnosis: the token goes with each question, and only the last one is a POST", async (t) => {
  const { asked } = await found(t, {}, { token: "t-1" });
  assert.deepEqual(
    asked.map(({ path, method = "GET", headers }) => `${method} ${path} ${headers.authorization}`),
    ["GET /ready Bearer t-1", "GET /v1/backends Bearer t-1", "POST /function-call Bearer t-1"],
  );
  // Nothing that runs a function or uses up a token: an empty object is no call.
  assert.equal(asked[2].body, "{}");
  const { asked: without } = await found(t, {});
  assert.ok(without.every(({ headers }) => headers.authorization === undefined));
});
