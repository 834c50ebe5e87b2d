// A greeting, a typed turn and a spoken one with a function call, through the JavaScript SDK; what the Python SDK's
// `Turns` are.

import { AUDIO, check, checkAnswer, kindOf, open, speak, textsOf } from "./js_session.mjs";

const GREETING = "Welcome to the bridge.";
const TIME = "10:42"; // nothing but the function's answer can put this into the agent's words

const SETTINGS = {
  type: "Settings",
  audio: AUDIO,
  agent: {
    greeting: GREETING,
    think: {
      provider: { type: "open_ai", model: "gpt-4o-mini", temperature: 0.7 },
      prompt: "Be brief.",
      functions: [
        {
          name: "get_current_time",
          description: "The current time of day",
          parameters: { type: "object", properties: {} },
        },
      ],
    },
  },
};

/** A greeting, a typed turn, a spoken one. */
export async function turns(session, question, speed) {
  const { name: title, socket, send, transcript } = session;
  await open(session, SETTINGS);
  const greeting = await transcript.until("AgentAudioDone");
  check(`${title}greeting`, textsOf(greeting, "assistant").join() === GREETING, greeting);

  send({ type: "InjectUserMessage", content: "Hello there" });
  const typed = await transcript.until("AgentAudioDone");
  check(`${title}typed turn: echo`, textsOf(typed, "user").join() === "Hello there", textsOf(typed, "user"));
  await checkAnswer(`${title}typed turn`, typed);
  const report = await transcript.until("LatencyReport");
  check(`${title}typed turn: LatencyReport`, report.length === 1 && report[0].total_latency > 0, report);
  send({ type: "KeepAlive" });

  const stop = speak(socket, question, speed);
  try {
    const before = await transcript.until("UserStartedSpeaking");
    check(`${title}spoken turn: UserStartedSpeaking first`, before.length === 1, before);
    send({ type: "InjectAgentMessage", message: "Not now." });
    const refused = await transcript.until("InjectionRefused");
    const why = refused.at(-1).message;
    check(`${title}spoken turn: no agent message while the user speaks`, why.includes("user"), refused);
    const asked = await transcript.until("FunctionCallRequest");
    const calls = asked.at(-1).functions;
    const expected = calls.length === 1 && calls[0].name === "get_current_time" && calls[0].client_side === true;
    check(`${title}spoken turn: FunctionCallRequest`, expected, calls);
    check(`${title}spoken turn: arguments are JSON`, JSON.parse(calls[0].arguments) instanceof Object, calls);
    const { id, name } = calls[0];
    const content = JSON.stringify({ time: TIME });
    send({ type: "FunctionCallResponse", id, name, content });
    const turn = await transcript.until("AgentAudioDone");
    stop();
    // A transcript is asynchronous: it may come before, within or after the answer.
    let heard = textsOf([...asked, ...turn], "user");
    if (!heard.length) {
      heard = textsOf(await transcript.until("ConversationText", (m) => m.role === "user"), "user");
    }
    check(`${title}spoken turn: transcript`, heard.length === 1 && /time/i.test(heard[0]), heard);
    const endedEarly = asked.some((m) => kindOf(m) === "AgentAudioDone");
    check(`${title}spoken turn: a call alone does not end the turn`, !endedEarly, asked.map(kindOf));
    const said = textsOf(turn, "assistant").join(" ");
    check(`${title}spoken turn: the answer holds the function's result`, said.includes(TIME), said);
    await checkAnswer(`${title}spoken turn`, turn);
  } finally {
    stop();
  }
}
