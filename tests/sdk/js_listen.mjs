// Live transcription through the JavaScript SDK's own listen clients; the counterpart of sdk_listen.py.

import { createHash } from "node:crypto";
import { check, client, CLIENT_KEY, hold, INPUT_RATE, kindOf, speak } from "./js_session.mjs";

const QUESTION = "What time is it?";
const KEYTERMS = ["voxbridge", "web component"];
const RAW = { encoding: "linear16", sample_rate: INPUT_RATE };
const WAV_HEADER_BYTES = 44;
// The simulator closes a session of version 1 in which so long neither audio nor a KeepAlive came.
const NET_TIMEOUT_MS = 2000;
// Deepgram takes up to 1.25 times real time.
const SPEED = 1.25;

const textOf = (results) => results.channel.alternatives[0].transcript;
const isFinal = (message) => kindOf(message) === "Results" && message.is_final;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const secondsOf = (bytes) => bytes / 2 / INPUT_RATE;

/** Whether every word lies within the audio, after the one before. */
function checkWords(name, words, seconds) {
  const times = words.flatMap(({ start, end }) => [start, end]);
  const ordered = times.every((time, i) => i === 0 || times[i - 1] <= time);
  const inside = times[0] >= 0 && times.at(-1) <= seconds && words.every(({ start, end }) => start < end);
  check(`${name}words lie in the audio, in order`, ordered && inside, times);
}

function checkId(name, ids) {
  check(`${name}one request id`, ids[0] && new Set(ids).size === 1, ids);
}

/** What the SDK was given to send. */
class Sent {
  chunks = [];

  constructor(socket) {
    this.socket = socket;
  }

  sendMedia = (chunk) => {
    this.chunks.push(Buffer.from(chunk));
    this.socket.sendMedia(chunk);
  };

  get bytes() {
    return Buffer.concat(this.chunks);
  }
}

/** CloseStream, and what holds of a whole session of version 1. */
async function closeV1({ name, send, transcript }, sent, said, headerBytes = 0) {
  send({ type: "CloseStream" });
  const last = (await transcript.until("Metadata")).at(-1);
  await transcript.ended();
  const seconds = secondsOf(sent.bytes.length - headerBytes);
  const sum = createHash("sha256").update(sent.bytes).digest("hex");
  check(`${name}Metadata is the last message`, transcript.messages.at(-1) === last, transcript.messages.map(kindOf));
  check(`${name}upstream has had the very bytes`, last.sha256 === sum, [last.sha256, sum]);
  check(`${name}Metadata: duration and channels`, last.duration === seconds && last.channels === 1, last);
  const finals = transcript.messages.filter(isFinal);
  const text = finals.map(textOf).filter(Boolean).join(" ");
  check(`${name}the transcript`, text === said, text);
  const words = finals.flatMap((m) => m.channel.alternatives[0].words);
  checkWords(name, words, seconds);
  const results = transcript.messages.filter((m) => kindOf(m) === "Results");
  checkId(name, [last.request_id, ...results.map((m) => m.metadata.request_id)]);
}

async function listenV1(session, question) {
  const { name, socket, send, transcript } = session;
  const sent = new Sent(socket);
  const stop = speak(sent, question, SPEED);
  const heard = await transcript.until("UtteranceEnd");
  stop();
  const kinds = heard.map(kindOf);
  const worded = heard.filter((m) => kindOf(m) === "Results" && textOf(m));
  const started = kinds.indexOf("SpeechStarted");
  const first = started >= 0 && started === kinds.lastIndexOf("SpeechStarted") && started < heard.indexOf(worded[0]);
  check(`${name}SpeechStarted once, before the first words`, first, kinds);
  const interim = worded.filter((m) => !m.is_final).map(textOf);
  const begins = interim.length && interim.every((text) => QUESTION.startsWith(text));
  check(`${name}interim results begin the transcript`, begins, interim);
  const finals = worded.filter(isFinal);
  check(`${name}speech_final at the pause`, finals.some((m) => m.speech_final), finals);
  const end = finals.at(-1).channel.alternatives[0].words.at(-1).end;
  check(`${name}UtteranceEnd names the last word's end`, heard.at(-1).last_word_end === end, heard.at(-1));

  // Longer than the simulator waits for audio: only KeepAlive holds the session.
  const before = transcript.messages.length;
  for (let i = 0; i < 6; i++) {
    send({ type: "KeepAlive" });
    if (i < 5) await pause(NET_TIMEOUT_MS / 4);
  }
  const more = transcript.messages.slice(before);
  check(`${name}KeepAlive holds a silent session`, !transcript.closed && !more.length, more);

  const stopAgain = speak(sent, question, SPEED);
  await transcript.until("Results", (m) => textOf(m));
  stopAgain();
  send({ type: "Finalize" });
  const final = (await transcript.until("Results", (m) => m.from_finalize)).at(-1);
  check(`${name}Finalize ends what is being said`, textOf(final) === QUESTION, final);
  await closeV1(session, sent, `${QUESTION} ${QUESTION}`);
}

async function wavFile(session, file) {
  const sent = new Sent(session.socket);
  // An odd size, so that samples are cut.
  for (let start = 0; start < file.length; start += 3001) sent.sendMedia(file.subarray(start, start + 3001));
  await closeV1(session, sent, QUESTION, WAV_HEADER_BYTES);
}

async function listenV2({ name, socket, send, transcript }, question) {
  const sent = new Sent(socket);
  const first = await transcript.until("Connected");
  check(`${name}Connected comes first`, first.length === 1 && first[0].request_id, first);
  const checkTurn = (what, index, trigger, turn) => {
    const events = turn.map((m) => m.event);
    const inner = events.slice(1, -1);
    const ordered = events[0] === "StartOfTurn" && inner.length && inner.every((event) => event === "Update");
    check(`${name}${what}: StartOfTurn, Update, EndOfTurn`, ordered && events.at(-1) === "EndOfTurn", events);
    check(`${name}${what}: index`, turn.every((m) => m.turn_index === index), turn);
    check(`${name}${what}: trigger`, turn.at(-1).trigger === trigger, turn.at(-1));
    check(`${name}${what}: the transcript`, turn.at(-1).transcript === QUESTION, turn.at(-1));
  };
  const stop = speak(sent, question, SPEED, 80);
  const turn = await transcript.until("TurnInfo", (m) => m.event === "EndOfTurn");
  stop();
  checkTurn("turn", 0, "model", turn);
  send({ type: "Configure", thresholds: { eot_timeout_ms: 2500 }, keyterms: ["gate"] });
  const { thresholds, keyterms } = (await transcript.until("ConfigureSuccess")).at(-1);
  const changed = thresholds.eot_threshold === 0.7 && thresholds.eot_timeout_ms === 2500 && keyterms.join() === "gate";
  check(`${name}Configure changes what it names`, changed, thresholds);
  const stopAgain = speak(sent, question, SPEED, 80);
  const forced = await transcript.until("TurnInfo", (m) => m.event === "Update");
  stopAgain();
  send({ type: "ForceEndTurn" });
  forced.push(...(await transcript.until("TurnInfo", (m) => m.event === "EndOfTurn")));
  checkTurn("forced turn", 1, "manual", forced);
  send({ type: "CloseStream" });
  await transcript.ended();
  const { messages } = transcript;
  check(`${name}sequence_id counts every message`, messages.every((m, i) => m.sequence_id === i), messages);
  checkId(name, messages.map((m) => m.request_id));
  const turns = messages.filter((m) => kindOf(m) === "TurnInfo");
  const seconds = secondsOf(sent.bytes.length);
  checkWords(name, turns.filter((m) => m.event === "EndOfTurn").flatMap((m) => m.words), seconds);
  const window = (m) => 0 <= m.audio_window_start && m.audio_window_start < m.audio_window_end;
  check(`${name}windows lie in the audio`, turns.every((m) => window(m) && m.audio_window_end <= seconds), turns);
}

const V1 = {
  ...RAW,
  model: "nova-3",
  interim_results: "true",
  vad_events: "true",
  utterance_end_ms: 1000,
  smart_format: "true",
  keyterm: KEYTERMS,
  queryParams: { net_timeout_ms: NET_TIMEOUT_MS },
};
const V2 = { ...RAW, model: "flux-general-en", eot_threshold: 0.7, keyterm: KEYTERMS };
const FILE = { model: "nova-3", smart_format: "true" };
// What a page without headers would put into the query is the gateway's business and goes no further.
const KEYED = { ...FILE, queryParams: { token: CLIENT_KEY, service: "transcription", traceId: "js-sdk" } };

/** One session of a version; `parameters` are those of the SDK's `connect`. Gives the check of its types. */
async function transcribe(version, name, base, parameters, talk) {
  // No reconnecting: a second session would hide that the first one broke.
  const socket = await client(base).listen[version].connect({ ...parameters, reconnectAttempts: 0 });
  return hold(socket, {
    name,
    talk,
    history: null,
    troubleKinds: ["Error", "Warning", "ConfigureFailure"],
    connection: `DeepgramClient["listen"]["${version}"]`,
    namespace: `listen.Listen${version.toUpperCase()}`,
  });
}

/** Everything at the same time: the sessions are as long as their audio, and none may disturb another. */
export async function listen(base, proxy, keyedBase, samples, file) {
  const sessions = [
    ["", base],
    [" under /deepgram-proxy", proxy],
  ].flatMap(([where, url]) => [
    transcribe("v1", `listen v1${where}: `, url, V1, (session) => listenV1(session, samples)),
    transcribe("v2", `listen v2${where}: `, url, V2, (session) => listenV2(session, samples)),
  ]);
  sessions.push(
    transcribe("v1", "listen v1, WAV file: ", base, FILE, (session) => wavFile(session, file)),
    transcribe("v1", "listen v1 with a key upstream: ", keyedBase, KEYED, (session) => wavFile(session, file)),
  );
  for (const checkTypes of await Promise.all(sessions)) checkTypes();
}
