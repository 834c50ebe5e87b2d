// Where a page finds its gateway, and how a token gets there.

import assert from "node:assert/strict";
import { test } from "node:test";
import { addressOf, socketOf } from "../../src/console/page/address.js";

test("paths are the page's own server's, also below a proxy's prefix", () => {
  assert.equal(addressOf("/v1/backends", "https://a.example/").href, "https://a.example/v1/backends");
  assert.equal(addressOf("/openai", "http://a.example/voice/?x=1#y").href, "http://a.example/voice/openai");
  assert.equal(
    addressOf("//b.example/openai", "http://a.example/").href,
    "http://a.example/b.example/openai",
  );
});

test("a WebSocket is as secure as its page", () => {
  assert.equal(socketOf("/openai", "", "http://a.example:8080/").url, "ws://a.example:8080/openai");
  assert.equal(socketOf("/openai", "", "https://a.example/#top").url, "wss://a.example/openai");
});

test("a token goes into the subprotocols, or into the query if it cannot stand there", () => {
  const of = (token) => {
    const { url, protocols } = socketOf("/openai", token, "http://a.example/");
    return { query: new URL(url).search, protocols };
  };
  assert.deepEqual(of(""), { query: "", protocols: [] });
  const jwt = "eyJhbGciOi.eyJzdWIi-_.sig~!#$%&'*+^`|";
  assert.deepEqual(of(jwt), { query: "", protocols: ["token", jwt] });
  for (const token of ["a b", "a,b", "a=b", "a/b", "ä", "a;b", '"a"']) {
    assert.deepEqual(of(token), { query: `?${new URLSearchParams({ token })}`, protocols: [] });
  }
  // A browser refuses to offer the same word twice.
  assert.deepEqual(of("token"), { query: "?token=token", protocols: [] });
});
