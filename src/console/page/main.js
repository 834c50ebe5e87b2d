// Wires the page: what a person does goes to the session, what comes of it goes to conversation, time line, sound and views.
// Knows no protocol beyond the few messages that concern the page itself, and draws nothing.

import { Activity } from "./activity.js";
import { LOUD } from "./audio/microphone.js";
import { Conversation } from "./conversation.js";
import { diagnose } from "./diagnosis.js";
import { copies, find } from "./dom.js";
import { ACCENTS, isOwn, run } from "./functions.js";
import { backends, forward, Refusal } from "./gateway.js";
import { Session } from "./session.js";
import { FieldError, settingsMessage } from "./settings.js";
import { Sound } from "./sound.js";
import { Timeline } from "./timeline.js";
import { Calls } from "./views/calls.js";
import { Composer } from "./views/composer.js";
import { Connection } from "./views/connection.js";
import { Keyboard, Theme } from "./views/keyboard.js";
import { Latencies } from "./views/latencies.js";
import { LineView } from "./views/line.js";
import { Raw } from "./views/raw.js";
import { Setup } from "./views/setup.js";
import { Status } from "./views/status.js";
import { Talk } from "./views/talk.js";
import { dateOf } from "./views/time.js";
import { Voice } from "./views/voice.js";
import { wordsForEnding, wordsForMicrophone, wordsForRefusal } from "./words.js";

/** @typedef {import("./conversation.js").Call} Call */

const SUGGESTIONS = ["What time is it?", "Repaint the page", "Hello!"];
/** How long until a gateway that does not answer is asked again, ms. */
const ASK_AGAIN_MS = 3000;

const conversation = new Conversation();
const timeline = new Timeline();
/** @type {Session | null} */
let session = null;
let activity = new Activity();
/** Of the first connection of what the time line holds. */
let startedAt = 0;
let requestId = "";
let connectedTo = { backend: "", path: "", token: "" };
let microphoneWanted = false;

const root = document.documentElement;
const surroundings = {
  now: () => new Date(),
  timeZone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  accent: () => root.dataset.accent ?? ACCENTS[0],
  setAccent: (/** @type {string} */ accent) => {
    root.dataset.accent = accent;
  },
};

const sound = new Sound({
  onFrame: (data, level, at) => {
    if (level >= LOUD) conversation.spoke(at);
    session?.hear(data);
  },
  onMicrophone: (on) => voice.setMicrophone(on),
  onMicrophoneError: (error) => {
    const { headline, advice } = wordsForMicrophone(error);
    voice.complain(`${headline}. ${advice}`);
  },
  onSpeakerError: (error) =>
    conversation.note(
      { text: "The agent cannot be heard", advice: String(error), level: "error" },
      performance.now(),
    ),
  onMicrophoneLevel: (level) => voice.microphone.set(level),
  onAgentLevel: (level) => voice.agent.set(level),
  onSound: (at) => conversation.heard(at),
  onQuiet: () => act(() => activity.quiet()),
});

new Theme();
const voice = new Voice({ onMicrophone: toggleMicrophone, onVolume: (volume) => sound.setVolume(volume) });
sound.setVolume(voice.volume);
const setup = new Setup({ onToken: loadBackends });
const status = new Status({ onReconnect: connect, onNew: forget });
const connection = new Connection({
  onConnect: connect,
  onDisconnect: () => session?.close(),
  onBackend: ({ kind }) => setup.chooseKind(kind),
});
const composer = new Composer({ onText: (text) => session?.say(text) });
const raw = new Raw({ onMessage: (message) => session?.send(message) });
const latencies = new Latencies();
const line = new LineView(timeline, { onDownload: download, onClear: () => timeline.clear() });
const talk = new Talk({
  suggestions: SUGGESTIONS,
  onSuggestion: suggest,
  how: ({ turn }) => conversation.turns.findLast(({ id }) => id === turn)?.began ?? "",
});
const calls = new Calls({
  needsHand: ({ clientSide, name }) => clientSide && !isOwn(name),
  onAnswer: (call, answer) => reply(call, answer, "hand"),
  onForward: async (call) => reply(call, await forward(call, connectedTo.token), "server"),
});
new Keyboard({
  KeyK: () => (connected() ? session?.close() : connect()),
  KeyM: () => connected() && toggleMicrophone(),
  KeyS: () => voice.toggleSound(),
  KeyN: () => composer.focus(true),
});
copies(find("request-copy", HTMLButtonElement), () => requestId);

conversation.on("line", ({ line, change }) => {
  talk.show(line, change);
});
conversation.on("turn", ({ turn, change }) => latencies.show(turn, change));
conversation.on("call", ({ call, change }) => {
  calls.show(call, change);
  if (change !== "added" || !call.clientSide) return;
  if (!isOwn(call.name))
    conversation.note(
      { text: `The agent waits for your answer to ${call.name}, under Function calls` },
      call.askedAt,
    );
  // After the message that asks was dealt with.
  else if (change === "added" && call.clientSide && isOwn(call.name))
    queueMicrotask(() => reply(call, run(call.name, call.arguments, surroundings), "page"));
});
conversation.on("cleared", () => {
  talk.clear();
  calls.clear();
  latencies.clear();
});

showStanding();
loadBackends();

function connected() {
  return session !== null && session.state !== "closed";
}

/** Fills the list of backends, and goes on trying while nobody answers. */
async function loadBackends() {
  try {
    const found = await backends(setup.token);
    connection.show(found, "No backend");
    if (connection.chosen) setup.chooseKind(connection.chosen.kind);
    if (!connected())
      status.say("idle", found.length > 0 ? "Not connected" : "This gateway has no backend for you");
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(0, "unreachable", String(error));
    const { headline, advice } = wordsForRefusal(refusal.code);
    connection.show([], refusal.status === 401 ? "Token needed" : "Not available");
    if (!connected()) status.say("failed", headline);
    showStanding();
    if (refusal.status === 401) setup.askForToken(`${headline}. ${advice}`);
    else setTimeout(loadBackends, ASK_AGAIN_MS);
  }
}

/** Connects, with whatever was said before as the agent's context. */
function connect() {
  const chosen = connection.chosen;
  if (!chosen || connected()) return;
  const context = conversation.history();
  let settings;
  try {
    settings = settingsMessage(setup.form, chosen.kind, context);
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    setup.complain(error);
    return;
  }
  connectedTo = { backend: chosen.name, path: connection.path, token: setup.token };
  if (timeline.length === 0) startedAt = performance.now();
  activity = new Activity();
  sound.openSpeaker();
  follow(new Session({ path: connectedTo.path, token: connectedTo.token, settings }), context.length > 0);
  composer.focus();
}

/**
 * @param {Session} opened
 * @param {boolean} again whether it goes on with what was said before
 */
function follow(opened, again) {
  session = opened;
  opened.on("state", ({ state }) => {
    if (state === "open" && again) {
      conversation.note(
        { text: "Connected again; the agent has the conversation so far" },
        performance.now(),
      );
    }
    showStanding();
  });
  opened.on("message", ({ direction, at, message }) => {
    timeline.add(direction, at, message);
    line.changed(startedAt);
    act(() => activity.take(direction, message));
    if (direction === "received") {
      // What was said into the answer is not to be heard under the user's voice.
      if (message.type === "UserStartedSpeaking") sound.flush();
      if (message.type === "AgentAudioDone") sound.endAnswer();
      if (message.type === "Welcome") showRequest(String(message.request_id ?? ""));
    }
    conversation.take(direction, message, at);
  });
  opened.on("audio", ({ direction, at, data }) => {
    timeline.add(direction, at, data);
    line.changed(startedAt);
    if (direction === "sent") return;
    conversation.takeAudio(data, at);
    sound.play(data);
    act(() => activity.audio());
  });
  opened.on("backlog", ({ dropping }) => {
    if (dropping)
      conversation.note(
        { text: "The network does not keep up: some of what you say is lost", level: "warning" },
        performance.now(),
      );
  });
  opened.on("ended", (ended) => end(ended));
  opened.open();
  showStanding();
  if (microphoneWanted) sound.openMicrophone();
}

/** @param {import("./session.js").Ended} ended */
async function end(ended) {
  const at = performance.now();
  timeline.end(at, ended);
  line.changed(startedAt);
  conversation.ended(at);
  sound.flush();
  sound.closeMicrophone();
  voice.agent.set(0);
  showStanding();
  const refused = !ended.opened && !ended.byUs;
  if (refused) status.say("waiting", "Finding out why there is no connection");
  const words = refused ? wordsForRefusal(await diagnose(connectedTo)) : wordsForEnding(ended);
  if (connected()) return; // somebody was quicker
  const failed = words.level === "error";
  // An `Error` has a line already.
  conversation.note(
    { text: ended.error ? "The connection has ended" : words.headline, level: failed ? "error" : "info" },
    at,
  );
  const said = [ended.error?.code, ended.reason].filter(Boolean).join(": ");
  const code = ended.byUs || refused ? "" : `close ${ended.code}${said ? `, ${said}` : ""}`;
  const offer = conversation.history().length > 0 ? "Reconnect goes on where it ended." : "";
  status.end({ headline: words.headline, advice: words.advice || offer, code, failed });
  showStanding();
}

/** Shows how the connection stands, wherever that is shown. */
function showStanding() {
  const state = session?.state ?? "closed";
  const open = state === "settling" || state === "open";
  connection.setBusy(connected());
  setup.setConnected(connected());
  composer.setConnected(open || state === "connecting");
  raw.setConnected(open);
  voice.setPossible(open || state === "connecting");
  if (state === "connecting" || state === "settling") status.say("waiting", "Connecting");
  if (state === "open") status.say("open", "Connected");
  if (state === "closing") status.say("waiting", "Disconnecting");
  if (state === "open") status.setActivity(activity.doing);
  if (connected())
    talk.invite("You are connected", "Switch on the microphone and speak, or type a message.", true);
  else if (connection.chosen)
    talk.invite("Talk to your agent", "Press Connect, then say or type: “What time is it?”", !status.ended);
  else talk.invite("Talk to your agent", "There is no backend to connect to yet.", false);
}

/** @param {() => void} change of what the agent does */
function act(change) {
  change();
  status.setActivity(activity.doing);
}

/** @param {string} id empty: none yet */
function showRequest(id) {
  requestId = id;
  find("session-facts", HTMLElement).hidden = id === "";
  find("request-id", HTMLElement).textContent = id;
  find("request-id", HTMLElement).title = `The log of voxbridge says conn=${id}`;
}

/**
 * Answers a function call.
 * @param {Call} call
 * @param {{content: string} | {error: string}} answer
 * @param {"page" | "hand" | "server"} where it was run
 */
function reply(call, answer, where) {
  if (call.state !== "open" || !session) return;
  conversation.ran(call.id, where);
  if (!session.answer(call, answer)) throw new Error("The connection has ended.");
}

/** @param {string} text */
function suggest(text) {
  if (!connected()) connect();
  session?.say(text);
}

function toggleMicrophone() {
  voice.complain("");
  microphoneWanted = !sound.microphoneOn;
  sound.toggleMicrophone();
}

/** Begins afresh: the next connection knows nothing of what was said. */
function forget() {
  conversation.clear();
  timeline.clear();
  line.reset();
  showRequest("");
  status.say("idle", "Not connected");
  showStanding();
}

function download() {
  const { backend, path, token } = connectedTo;
  const meta = {
    backend,
    path,
    requestId: requestId || null,
    started: dateOf(startedAt),
    startedAt,
    userAgent: navigator.userAgent,
    secret: token,
  };
  const url = URL.createObjectURL(new Blob([timeline.toJsonLines(meta)], { type: "application/jsonl" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = `voxbridge-${dateOf(startedAt).toISOString().slice(0, 19).replaceAll(":", "-")}.jsonl`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
