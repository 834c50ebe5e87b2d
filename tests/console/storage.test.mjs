// What the page remembers: the form, whatever is found in its place, and a token for the tab alone.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { defaults } from "../../src/console/page/settings.js";
import {
  keepToken,
  loadForm,
  loadToken,
  remember,
  remembered,
  saveForm,
} from "../../src/console/page/storage.js";

class Storage {
  kept = new Map();
  getItem = (name) => this.kept.get(name) ?? null;
  setItem = (name, value) => void this.kept.set(name, value);
  removeItem = (name) => void this.kept.delete(name);
}

const put = (name, value) => Object.defineProperty(globalThis, name, { configurable: true, ...value });
let [local, session] = [new Storage(), new Storage()];

beforeEach(() => {
  [local, session] = [new Storage(), new Storage()];
  put("localStorage", { value: local });
  put("sessionStorage", { value: session });
});

test("a form is found as it was left", () => {
  const form = {
    ...defaults(),
    prompt: "Be brief.",
    own: { repaint: false },
    voices: { "openai-realtime": "cedar" },
  };
  saveForm(form);
  const { voices } = defaults();
  assert.deepEqual(loadForm(), { ...form, voices: { ...voices, ...form.voices } });
});

test("what is no form is none", () => {
  for (const kept of [
    "",
    "{",
    "null",
    "7",
    "[]",
    '{"prompt":7,"voices":[1],"own":{"repaint":"no"},"functions":null}',
  ]) {
    local.setItem("voxbridge.form", kept);
    assert.deepEqual(loadForm(), defaults(), kept);
  }
});

test("a token is kept for the tab alone, and only until it is to be forgotten", () => {
  keepToken("a-secret-token");
  assert.equal(loadToken(), "a-secret-token");
  assert.equal(local.kept.size, 0);
  keepToken("");
  assert.equal(loadToken(), "");
  assert.equal(session.kept.size, 0);
});

test("a browser that forbids storage gets a page without memory", () => {
  const forbidden = { get: () => assert.fail("forbidden") };
  put("localStorage", forbidden);
  put("sessionStorage", forbidden);
  saveForm(defaults());
  remember("theme", "dark");
  keepToken("a-secret-token");
  assert.deepEqual([loadForm(), remembered("theme"), loadToken()], [defaults(), null, ""]);
});
