// Times and durations as a person reads them. Knows nothing of what took so long.

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/**
 * The time of day.
 * @param {number} at in ms of performance.now()
 * @returns {Date}
 */
export function dateOf(at) {
  return new Date(performance.timeOrigin + at);
}

/**
 * @param {number} at in ms of performance.now()
 * @returns {string} such as 14:03:22
 */
export function clock(at) {
  return CLOCK.format(dateOf(at));
}

/**
 * @param {number} ms
 * @returns {string} such as "12 ms", "1.4 s", "2 min"
 */
export function duration(ms) {
  if (ms < 1) return "under 1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.round(ms / 60_000)} min`;
}

/**
 * The middle one, or the mean of the two in the middle.
 * @param {number[]} values
 * @returns {number | null} null: of nothing
 */
export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
