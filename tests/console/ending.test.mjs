// Why a connection ended: the words, the small print, and when the gateway is asked for the reason.

import assert from "node:assert/strict";
import { test } from "node:test";
import { explain } from "../../src/console/page/words/ending.js";

const TO = { path: "/openai", token: "secret-token-of-mine" };
const OVER = { code: 1006, reason: "", error: null, opened: true, applied: true, byUs: false };
const unasked = async () => assert.fail("nobody needs to be asked");

test("a connection that never was is asked about, with its path and token", async () => {
  const asked = [];
  const ask = async (about) => {
    asked.push(about);
    return "too_many_sessions";
  };
  const explained = await explain({ ...OVER, opened: false }, TO, ask);
  assert.deepEqual(asked, [TO]);
  assert.equal(explained.failed, true);
  assert.equal(explained.token, false);
  assert.equal(explained.code, "too_many_sessions");
});

test("a token that is missing, wrong or old is asked for", async () => {
  for (const code of ["token_missing", "token_invalid", "token_expired"]) {
    assert.equal((await explain({ ...OVER, opened: false }, TO, async () => code)).token, true, code);
  }
});

test("the small print has the close, its reason and the Error before it", async () => {
  const error = { type: "Error", code: "upstream_closed", description: "gone" };
  const explained = await explain({ ...OVER, code: 1011, reason: "bye", error }, TO, unasked);
  assert.equal(explained.code, "close 1011, upstream_closed: bye");
  assert.equal(explained.failed, true);
  assert.equal((await explain(OVER, TO, unasked)).code, "close 1006");
});

test("an end that the user asked for is no failure, and needs no small print", async () => {
  for (const opened of [true, false]) {
    const { failed, code } = await explain({ ...OVER, byUs: true, opened }, TO, unasked);
    assert.deepEqual([failed, code], [false, ""]);
  }
});
