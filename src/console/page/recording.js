// Hands the time line to the person as a file.
// Knows nothing of what is in it.

import { dateOf } from "./views/time.js";

/** How long the browser has to take the file, ms. */
const TAKEN_MS = 10_000;

/** @param {import("./live.js").Live} live */
export function download({ timeline, to: { backend, path, token }, requestId, startedAt }) {
  const started = dateOf(startedAt);
  const text = timeline.toJsonLines({
    backend,
    path,
    requestId: requestId || null,
    started,
    startedAt,
    userAgent: navigator.userAgent,
    secret: token,
  });
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `voxbridge-${started.toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), TAKEN_MS);
}
