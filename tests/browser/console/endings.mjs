// How sessions end, and that the console says so in words: what happened, and what one can do.

import { recording } from "./forms.mjs";
import { judge } from "./looks.mjs";

// Of each backend that ends its sessions by itself: what the words speak of.
const BY_THEMSELVES = [
  ["breaks", /ended the session/],
  ["silent", /does not answer/],
  ["key", /refused the key/],
  ["busy", /too much to do/],
  ["unavailable", /refused the connection/],
  ["idle", /nobody said anything/],
  ["short", /longest duration/],
  ["deepgram-error", /voice did not answer/],
];

const TOKEN = "a-token-of-the-hall-0001";

/** The configuration of the backends that `byThemselves` visits. */
export function backends(openai, deepgram) {
  return [
    openai("breaks", "close_after=2&close_code=1011"),
    openai("silent", "silent=true", "deferred_response_timeout_ms = 500"),
    openai("key", "refuse=401", "dial_attempts = 1"),
    openai("busy", "refuse=429", "dial_attempts = 1"),
    openai("unavailable", "refuse=500", "dial_attempts = 1"),
    openai("idle", "", "[backends.limits]\n idle_timeout_s = 1"),
    openai("short", "", "[backends.limits]\n max_session_s = 1"),
    deepgram("deepgram-error", "error=FAILED_TO_SPEAK"),
  ].join("");
}

/** Configurations of gateways that refuse. */
export const WITH_TOKENS = `
  [auth]
  mode = "tokens"
  [[auth.tokens]]
  subject = "hall"
  token = "${TOKEN}"
`;
export const OF_OTHER_PAGES = `
  [auth]
  allowed_origins = ["https://pages.example"]
`;

// Words for a person, not a code alone: a sentence about it, and one about what to do.
function inWords(stage, name, said, words) {
  const sentences = said.split(/[.!\n]/).filter((sentence) => sentence.trim().split(/\s+/).length > 2);
  stage.ok(`ending, ${name}: in words`, words.test(said) && sentences.length >= 2, said);
}

/** Sessions that end by what is behind the gateway, or by its limits. */
export async function byThemselves(stage, desk) {
  for (const [backend, words] of BY_THEMSELVES) {
    await desk.choose(backend);
    await desk.press("Connect");
    inWords(stage, backend, await desk.ended(), words);
    await desk.reload();
  }
}

/** The user ends it; then the gateway stops while somebody is connected, and then it is gone. */
export async function byTheGateway(stage, desk, gateway) {
  await desk.connect();
  await desk.press("Disconnect");
  const own = await desk.ended();
  stage.ok(
    "ending, the user's own: no alarm",
    /^Disconnected\s+Reconnect goes on where it ended/.test(own),
    own,
  );
  await desk.press("Reconnect");
  await desk.ready();
  const stopped = gateway.stop();
  inWords(stage, "gateway stops", await desk.ended(), /is stopping/);
  stage.check("gateway stops: in order", 0, await stopped);
  await desk.press("Reconnect");
  await desk.shows("status", "", /cannot be reached/);
  inWords(stage, "gateway gone", await desk.ended(), /cannot be reached/);
}

/** No token, a wrong one, the right one. */
export async function withTokens(stage, desk) {
  stage.ok("token, none: in words", await desk.shows("form", "Connection settings", /token/i));
  await desk.fill("Token", "a-wrong-token-00000");
  await desk.press("Use token");
  stage.ok(
    "token, a wrong one: in words",
    await desk.shows("form", "Connection settings", /token.*(not|wrong|refus|valid|unknown)/is),
  );
  await judge(stage, desk.tab, "token");
  await desk.fill("Token", TOKEN);
  await desk.press("Use token");
  await desk.connect("openai");
  await desk.say("Hello there");
  await desk.talks(/voxbridge simulator speaking/);
  stage.ok("token, the right one: a session", true);
  stage.ok(
    "token, the right one: nothing is said of the wrong one any more",
    await desk.shows("form", "Connection settings", /Only if the gateway asks/),
  );
  stage.ok("token: not in the recording", !(await recording(stage, desk)).includes(TOKEN));
  stage.ok("token: in no URL", !desk.tab.requests.some((url) => url.includes(TOKEN)));
}

/** The console of a gateway that does not let its own page in. */
export async function ofOtherPages(stage, desk) {
  await desk.press("Connect");
  inWords(stage, "origin not allowed", await desk.ended(), /may not connect/);
}
