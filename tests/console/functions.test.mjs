// The functions that the page runs itself: what they answer, and what the model reads when a call is wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCENTS, declarations, isOwn, run } from "../../src/console/page/functions.js";

/** A page in Lisbon, and the colours that it was given. */
function page(accent = "teal") {
  const painted = [];
  return {
    painted,
    now: () => new Date("2026-07-01T12:30:05Z"),
    timeZone: () => "Europe/Lisbon",
    accent: () => accent,
    setAccent: (color) => painted.push(color),
  };
}

/** @param {string} name @param {string} given */
const content = (name, given, surroundings = page()) => JSON.parse(run(name, given, surroundings).content);

test("the time is told where the user is, or where the model asks for", () => {
  assert.deepEqual(content("get_current_time", ""), {
    time: "2026-07-01T13:30:05+01:00",
    timezone: "Europe/Lisbon",
  });
  assert.equal(content("get_current_time", '{"timezone":"Asia/Kolkata"}').time, "2026-07-01T18:00:05+05:30");
  assert.equal(content("get_current_time", '{"timezone":"UTC"}').time, "2026-07-01T12:30:05Z");
});

test("the page is repainted in the colour that was asked for, or in the next one", () => {
  const surroundings = page("blue");
  assert.deepEqual(content("repaint", '{"color":"rose"}', surroundings), { color: "rose" });
  assert.deepEqual(content("repaint", "{}", surroundings), { color: ACCENTS[0] });
  assert.deepEqual(surroundings.painted, ["rose", ACCENTS[0]]);
});

test("what is wrong with a call is for the model to read", () => {
  const surroundings = page();
  /** @type {[string, string, RegExp][]} */
  const cases = [
    ["get_current_time", "{", /must be JSON/],
    ["get_current_time", "[]", /must be an object/],
    ["get_current_time", '{"timezone":"Mars/Olympus"}', /no time zone/],
    ["get_current_time", '{"timezone":7}', /must be a text/],
    ["repaint", '{"color":"plaid"}', /one of teal/],
    ["repaint", '{"color":{}}', /one of teal/],
  ];
  for (const [name, given, message] of cases)
    assert.match(run(name, given, surroundings).error, message, given);
  assert.deepEqual(surroundings.painted, []);
});

test("what is declared can be run, and what is unticked is not declared", () => {
  assert.ok(declarations({}).every(({ name, description }) => isOwn(name) && description !== ""));
  assert.deepEqual(
    declarations({ repaint: false }).map(({ name }) => name),
    ["get_current_time"],
  );
  assert.equal(isOwn("toString"), false);
});
