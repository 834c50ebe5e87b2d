// Durations and medians as they are shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, median } from "../../src/console/page/views/time.js";

test("a duration is as exact as it is of use", () => {
  const cases = [
    [0.2, "under 1 ms"],
    [12.4, "12 ms"],
    [1449, "1.4 s"],
    [59_900, "59.9 s"],
    [125_000, "2 min"],
  ];
  for (const [ms, text] of cases) assert.equal(duration(ms), text);
});

test("the median is the middle, the mean of two middles, or none", () => {
  assert.equal(median([30, 10, 20]), 20);
  assert.equal(median([40, 10, 20, 30]), 25);
  assert.equal(median([]), null);
});
