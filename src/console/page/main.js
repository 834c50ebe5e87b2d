// Wires the page: what a person does in the views goes to the connection, and what comes of it to the views.
// Knows neither protocol nor sound, and draws nothing itself.

import { ACCENTS, isOwn, run } from "./functions.js";
import { backends, forward, Refusal } from "./gateway.js";
import { Live } from "./live.js";
import { download } from "./recording.js";
import { FieldError, settingsMessage } from "./settings.js";
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
import { Voice } from "./views/voice.js";
import { wordsForMicrophone, wordsForRefusal } from "./words/words.js";

const HOW_TO_BEGIN = "Press Connect. Then type, or switch on the microphone and say: “What time is it?”";
const SUGGESTIONS = ["What time is it?", "Repaint the page", "Hello!"];
/** How long until a gateway that does not answer is asked again, ms. */
const ASK_AGAIN_MS = 3000;
/** Why there is nothing to connect to, if so. */
let obstacle = "";

const root = document.documentElement;
/** What functions of the page may use and change. */
const surroundings = {
  now: () => new Date(),
  timeZone: () => Intl.DateTimeFormat().resolvedOptions().timeZone,
  accent: () => root.dataset.accent ?? ACCENTS[0],
  setAccent: (/** @type {string} */ accent) => {
    root.dataset.accent = accent;
  },
};

const voice = new Voice({
  onMicrophone: toggleMicrophone,
  onVolume: (volume) => live.sound.setVolume(volume),
});
const live = new Live({
  onMicrophoneLevel: (level) => voice.microphone.set(level),
  onAgentLevel: (level) => voice.agent.set(level),
});
const { conversation } = live;
live.sound.setVolume(voice.volume);

new Theme();
new Keyboard({
  KeyK: () => (live.connected ? live.close() : connect()),
  KeyM: () => live.connected && toggleMicrophone(),
  KeyS: () => voice.toggleSound(),
  KeyN: () => composer.focus(true),
});
const setup = new Setup({ onToken: loadBackends });
const connection = new Connection({
  onConnect: connect,
  onDisconnect: () => live.close(),
  onBackend: ({ kind }) => setup.chooseKind(kind),
});
const status = new Status({ onReconnect: connect, onNew: forget });
const composer = new Composer({ onText: (text) => live.say(text) });
const raw = new Raw({ onMessage: (message) => live.send(message) });
const latencies = new Latencies();
const line = new LineView(live.timeline, {
  onDownload: () => download(live),
  onClear: () => live.timeline.clear(),
});
const talk = new Talk({
  suggestions: SUGGESTIONS,
  onSuggestion: suggest,
  how: ({ turn }) => conversation.turns.findLast(({ id }) => id === turn)?.began ?? "",
});
const calls = new Calls({
  needsHand: ({ clientSide, name }) => clientSide && !isOwn(name),
  onAnswer: (call, answer) => live.reply(call, answer, "hand"),
  onForward: async (call) => live.reply(call, await forward(call, live.to.token), "server"),
});

live.on("standing", showStanding);
live.on("doing", showDoing);
live.on("traffic", () => line.changed(live.startedAt));
live.on("request", ({ id }) => talk.showRequest(id));
live.on("microphone", ({ on }) => {
  voice.setMicrophone(on);
  showDoing();
});
live.on("microphoneError", ({ error }) => {
  const { headline, advice } = wordsForMicrophone(error);
  voice.complain(`${headline}. ${advice}`);
});
live.on("looking", ({ refused }) => {
  if (refused) status.say("waiting", "Finding out why there is no connection");
});
live.on("ended", (explained) => {
  const goesOn = conversation.history().length > 0 ? "Reconnect goes on where it ended." : "";
  status.end({ ...explained, advice: explained.advice || goesOn });
  if (explained.token) setup.askForToken(`${explained.headline}. ${explained.advice}`);
  invite();
});
conversation.on("line", ({ line, change }) => talk.show(line, change));
conversation.on("turn", ({ turn, change }) => latencies.show(turn, change));
conversation.on("call", ({ call, change }) => {
  calls.show(call, change);
  if (change === "added" && call.clientSide) take(call);
});
conversation.on("cleared", () => {
  talk.clear();
  calls.clear();
  latencies.clear();
});

showStanding();
loadBackends();

/** Fills the list of backends, and goes on trying while nobody answers. */
async function loadBackends() {
  try {
    const found = await backends(setup.token);
    setup.acceptToken();
    obstacle = "This gateway has no agent for you.";
    connection.show(found, "No agent");
    if (connection.chosen) setup.chooseKind(connection.chosen.kind);
    if (!live.connected && !status.ended) status.say("idle", "Not connected");
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(0, "unreachable", String(error));
    const { headline, advice } = wordsForRefusal(refusal.code);
    const asks = refusal.status === 401;
    obstacle = asks ? "Enter a token under Connection." : advice;
    connection.show([], asks ? "Token needed" : "Not available");
    if (!live.connected) status.say("failed", headline);
    if (asks) setup.askForToken(`${headline}. ${advice}`);
    else setTimeout(loadBackends, ASK_AGAIN_MS);
  }
  invite();
}

/** Connects, with whatever was said before as the agent's context. */
function connect() {
  const chosen = connection.chosen;
  if (!chosen || live.connected) return;
  const context = conversation.history();
  try {
    const settings = settingsMessage(setup.form, chosen.kind, context);
    const to = { backend: chosen.name, path: connection.path, token: setup.token };
    live.connect(to, settings, context.length > 0);
    composer.focus();
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    setup.complain(error);
  }
}

/** Shows how the connection stands, wherever that is shown. */
function showStanding() {
  const { state, connected } = live;
  const takes = state === "connecting" || state === "settling" || state === "open";
  connection.setBusy(connected);
  setup.setConnected(connected);
  composer.setConnected(takes);
  voice.setPossible(takes);
  raw.setConnected(takes);
  if (state === "connecting" || state === "settling") status.say("waiting", "Connecting");
  if (state === "closing") status.say("waiting", "Disconnecting");
  if (state === "open") {
    status.say("open", "Connected");
    showDoing();
  }
  invite();
}

/** Says what the agent does; who speaks with the microphone off is not to wait for it. */
function showDoing() {
  status.setActivity(live.doing === "listening" && !live.sound.microphoneOn ? "deaf" : live.doing);
}

/** Says in an empty conversation what can be done. */
function invite() {
  if (live.connected)
    talk.invite("You are connected", "Switch on the microphone and speak, or type a message.", true);
  else if (connection.chosen) talk.invite("Talk to your agent", HOW_TO_BEGIN, !status.ended);
  else talk.invite("Talk to your agent", obstacle, false);
}

/**
 * A function that the page is asked to run.
 * @param {import("./conversation/conversation.js").Call} call
 */
function take(call) {
  if (isOwn(call.name)) {
    // After the message that asks was dealt with.
    queueMicrotask(() => live.reply(call, run(call.name, call.arguments, surroundings), "page"));
  } else {
    const text = `The agent waits for your answer to ${call.name}, under Function calls`;
    conversation.note({ text }, call.askedAt);
  }
}

/** @param {string} text */
function suggest(text) {
  connect();
  live.say(text);
  composer.focus();
}

function toggleMicrophone() {
  voice.complain("");
  live.toggleMicrophone();
}

/** Begins afresh: the next connection knows nothing of what was said. */
function forget() {
  live.forget();
  line.reset();
  status.say("idle", "Not connected");
  invite();
}
