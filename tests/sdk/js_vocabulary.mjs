// What a client may say beside turns, through the JavaScript SDK's own methods; the counterpart of sdk_vocabulary.py.

import { AUDIO, check, checkAnswer, kindOf, open, textsOf } from "./js_session.mjs";

const SPEED = 1.2;
const TIME = "10:43"; // nothing but the function's answer can put this into the agent's words
const PROMPT = "You keep the bridge.";
const ADDED = "Answer in one sentence.";
const QUEUED = "The bridge closes at noon.";
const NEXT = "It opens at one.";
const INTERRUPTING = "Stop, there is a train.";
// Minutes of speech, so that its response still runs when it is interrupted.
const LONG = Array.from({ length: 30 }, (_, n) => `This is sentence number ${n} of a long story.`).join(" ");

const think = (prompt, name) => ({
  provider: { type: "open_ai", model: "gpt-4o-mini", temperature: 0.7 },
  prompt,
  functions: [{ name, description: "The time of day", parameters: { type: "object", properties: {} } }],
});
const speak = (model, speed) => ({ provider: { type: "deepgram", model, speed } });
const foreignVoice = {
  provider: { type: "eleven_labs", model_id: "eleven_turbo_v2_5" },
  endpoint: { url: "https://speech.example/v1", headers: { "xi-api-key": "none" } },
};

async function ask({ send, transcript }, content) {
  send({ type: "InjectUserMessage", content });
  return transcript.until("AgentAudioDone");
}

async function updates(session) {
  const { name, send, transcript } = session;
  const provider = { type: "deepgram", version: "v1", model: "nova-3", language: "de" };
  send({ type: "UpdateThink", think: think(PROMPT, "get_local_time") });
  send({ type: "UpdatePrompt", prompt: ADDED });
  send({ type: "UpdateSpeak", speak: speak("aura-2-apollo-en") });
  send({ type: "UpdateListen", listen: { provider } });
  const kinds = (await transcript.until("ListenUpdated")).map(kindOf).join();
  const expected = "ThinkUpdated,PromptUpdated,SpeakUpdated,ListenUpdated";
  check(`${name}one acknowledgement for each update, in order`, kinds === expected, kinds);
  const turn = await ask(session, "What are your instructions?");
  const said = textsOf(turn, "assistant").join(" ");
  check(`${name}the prompt is the updated one`, said.endsWith(`${PROMPT}\n\n${ADDED}`), said);
  await checkAnswer(`${name}updated turn`, turn);
  const report = await transcript.until("LatencyReport");
  check(`${name}LatencyReport`, report.length === 1 && report[0].total_latency > 0, report);
}

async function agentMessages({ name, send, transcript }) {
  // The answer's audio came faster than it plays: the agent is still heard.
  send({ type: "InjectAgentMessage", message: "Not now." });
  const refused = await transcript.until("InjectionRefused");
  check(`${name}no agent message in the agent's turn`, refused.length === 1 && refused[0].message, refused);
  for (const message of [QUEUED, NEXT]) send({ type: "InjectAgentMessage", message, behavior: "queue" });
  for (const message of [QUEUED, NEXT]) {
    const queued = await transcript.until("AgentAudioDone");
    check(`${name}queued agent message`, textsOf(queued, "assistant").join() === message, queued);
    await checkAnswer(`${name}queued agent message`, queued);
  }
  send({ type: "InjectUserMessage", content: LONG });
  await transcript.until("audio");
  // The voice in force, at another speed: that has to wait for the end of the response.
  send({ type: "UpdateSpeak", speak: speak("aura-2-apollo-en", SPEED) });
  send({ type: "InjectAgentMessage", message: INTERRUPTING, behavior: "interrupt" });
  const cut = (await transcript.until("UserStartedSpeaking")).map(kindOf);
  check(`${name}interrupted: the end signal comes first`, cut.at(-2) === "AgentAudioDone", cut);
  const turn = await transcript.until("AgentAudioDone");
  const kinds = turn.map(kindOf).filter((kind) => kind !== "SpeakUpdated");
  check(`${name}another speed after the response`, kinds.length === turn.length - 1, turn.map(kindOf));
  check(`${name}interrupting agent message: nothing before it`, kinds[0] === "AgentStartedSpeaking", kinds);
  check(`${name}interrupting agent message`, textsOf(turn, "assistant").join() === INTERRUPTING, kinds);
  await checkAnswer(`${name}interrupting agent message`, turn);
}

async function lateVoice({ name, send, transcript }) {
  send({ type: "UpdateSpeak", speak: speak("aura-2-thalia-en") });
  const warned = (await transcript.until("Warning")).at(-1);
  check(`${name}a voice after the first audio`, warned.code === "cannot_update_voice", warned);
  send({ type: "UpdateSpeak", speak: [speak("aura-2-apollo-en")] });
  const same = await transcript.until("SpeakUpdated");
  check(`${name}the voice in force again`, kindOf(same.at(-1)) === "SpeakUpdated", same);
}

async function changedFunction({ name, send, transcript }) {
  send({ type: "InjectUserMessage", content: "What time is it?" });
  const [call] = (await transcript.until("FunctionCallRequest")).at(-1).functions;
  check(`${name}the function is the updated one`, call.name === "get_local_time", call);
  const content = JSON.stringify({ time: TIME });
  send({ type: "FunctionCallResponse", id: call.id, name: call.name, content });
  const turn = await transcript.until("AgentAudioDone");
  const kept = turn.filter((m) => kindOf(m) === "History").flatMap((m) => m.function_calls ?? []);
  const { id, arguments: given } = call;
  const same = (c) => c.id === id && c.name === call.name && c.arguments === given && c.response === content;
  check(`${name}History: the call and its answer`, kept.length === 1 && same(kept[0]) && kept[0].client_side, kept);
  const said = textsOf(turn, "assistant").join(" ");
  check(`${name}the answer holds the function's result`, said.includes(TIME), said);
}

export const VOCABULARY = {
  name: "vocabulary: ",
  trouble: ["cannot_update_voice", "INVALID_SETTINGS", "FORCE_END_TURN_UNSUPPORTED"],
  async talk(session) {
    const { name } = session;
    // Of each array the first entry cannot be used: a name that is none, a voice that nobody mapped.
    const agent = {
      think: [think("Nobody reads this.", "no name"), think("Be brief.", "get_current_time")],
      speak: [foreignVoice, speak("aura-2-thalia-en")],
    };
    await open(session, { type: "Settings", audio: AUDIO, agent });
    await updates(session);
    await agentMessages(session);
    await lateVoice(session);
    await changedFunction(session);
    session.send({ type: "UpdateThink", think: think("Nobody reads this.", "no name") });
    const error = (await session.transcript.until("Error")).at(-1);
    const named = error.code === "INVALID_SETTINGS" && error.description.includes("think.functions[0].name");
    check(`${name}an update that cannot be used`, named, error);
    session.send({ type: "ForceEndTurn" });
    const warned = (await session.transcript.until("Warning")).at(-1);
    check(`${name}ForceEndTurn`, warned.code === "FORCE_END_TURN_UNSUPPORTED", warned);
  },
};

/** What the agents of Deepgram's own are asked, and what is different there. */
export const AGENT_VOCABULARY = {
  name: "agent's vocabulary: ",
  trouble: ["FORCE_END_TURN_UNSUPPORTED"],
  async talk(session) {
    const { name, send, transcript } = session;
    await open(session, { type: "Settings", audio: AUDIO, agent: { think: think("Be brief.", "get_current_time") } });
    await updates(session);
    for (const message of [QUEUED, NEXT]) send({ type: "InjectAgentMessage", message, behavior: "queue" });
    for (const message of [QUEUED, NEXT]) {
      const queued = await transcript.until("AgentAudioDone");
      check(`${name}queued agent message`, textsOf(queued, "assistant").join() === message, queued);
      await checkAnswer(`${name}queued agent message`, queued);
    }
    send({ type: "InjectUserMessage", content: LONG });
    await transcript.until("audio");
    send({ type: "InjectAgentMessage", message: "Not now." });
    const refused = (await transcript.until("InjectionRefused")).at(-1);
    check(`${name}no agent message in the agent's turn`, refused.message, refused);
    send({ type: "InjectAgentMessage", message: INTERRUPTING, behavior: "interrupt" });
    const turn = await transcript.until("AgentAudioDone");
    check(`${name}interrupting agent message`, textsOf(turn, "assistant").join() === INTERRUPTING, turn);
    const said = turn.findIndex((m) => kindOf(m) === "ConversationText");
    await checkAnswer(`${name}interrupting agent message`, turn.slice(said));
    await changedFunction(session);
    send({ type: "ForceEndTurn" });
    const warned = (await transcript.until("Warning")).at(-1);
    check(`${name}ForceEndTurn`, warned.code === "FORCE_END_TURN_UNSUPPORTED", warned);
  },
};

export const WITHOUT_HISTORY = {
  name: "without history: ",
  history: false,
  async talk(session) {
    const { name } = session;
    const agent = { think: think("Be brief.", "get_current_time") };
    await open(session, { type: "Settings", flags: { history: false }, audio: AUDIO, agent });
    session.send({ type: "InjectAgentMessage", message: QUEUED });
    const message = await session.transcript.until("AgentAudioDone");
    check(`${name}agent message`, textsOf(message, "assistant").join() === QUEUED, message);
    await checkAnswer(`${name}agent message`, message);
    const turn = await ask(session, "Hello there");
    check(`${name}typed turn: echo`, textsOf(turn, "user").join() === "Hello there", turn);
    await checkAnswer(`${name}typed turn`, turn);
  },
};
