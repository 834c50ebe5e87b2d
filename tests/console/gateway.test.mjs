// The gateway's plain HTTP: which backends have agents, functions that are forwarded, and refusals of both shapes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { backends, forward, Refusal } from "../../src/console/page/gateway.js";

/** Answers each request as `answer` says, and keeps what was asked. */
function gateway(t, answer) {
  const asked = [];
  t.mock.method(globalThis, "fetch", async (url, request) => {
    asked.push({ url: String(url), ...request });
    return answer();
  });
  globalThis.document = { baseURI: "https://example.com/voice/" };
  t.after(() => delete globalThis.document);
  return asked;
}

const json = (body, status = 200) => new Response(JSON.stringify(body), { status });
const CALL = { id: "call_1", name: "get_weather", arguments: '{"city":"Oslo"}' };

test("paths of transcription are none of an agent, and a backend without another one is left out", async (t) => {
  const [agent, listen] = ["/deepgram-proxy", "/v1/listen"];
  const asked = gateway(t, () =>
    json({
      backends: [
        { name: "deepgram", kind: "deepgram-agent", paths: [agent, listen, "/v2/listen"] },
        { name: "heard", kind: "deepgram-agent", paths: [listen] },
      ],
    }),
  );
  assert.deepEqual(await backends("secret"), [{ name: "deepgram", kind: "deepgram-agent", paths: [agent] }]);
  assert.equal(asked[0].url, "https://example.com/voice/v1/backends");
  assert.deepEqual(asked[0].headers, { authorization: "Bearer secret" });
});

test("without a token none is sent", async (t) => {
  const asked = gateway(t, () => json({ backends: [] }));
  assert.deepEqual(await backends(""), []);
  assert.deepEqual(asked[0].headers, {});
});

test("a call is forwarded as it came, and without arguments as an empty object", async (t) => {
  const asked = gateway(t, () => json({ content: "6 degrees" }));
  assert.deepEqual(await forward({ ...CALL, clientSide: true }, ""), { content: "6 degrees" });
  await forward({ ...CALL, arguments: " " }, "");
  assert.deepEqual(JSON.parse(asked[0].body), CALL);
  assert.equal(JSON.parse(asked[1].body).arguments, "{}");
});

test("refusals have the gateway's code and description, of whatever shape", async (t) => {
  const cases = [
    [
      () => json({ error: { code: "token_missing", description: "a token is needed" } }, 401),
      401,
      "token_missing",
      /needed/,
    ],
    [
      () => json({ error: "not for pages", code: "origin_not_allowed" }, 403),
      403,
      "origin_not_allowed",
      /not for pages/,
    ],
    [() => new Response("<h1>Bad gateway</h1>", { status: 502 }), 502, "status_502", /refused/],
    [() => Promise.reject(new TypeError("failed to fetch")), 0, "unreachable", /does not answer/],
  ];
  for (const [answer, status, code, description] of cases) {
    t.mock.restoreAll();
    gateway(t, answer);
    await assert.rejects(forward(CALL, ""), (error) => {
      assert.ok(error instanceof Refusal);
      assert.deepEqual([error.status, error.code], [status, code]);
      assert.match(error.message, description);
      return true;
    });
  }
});
