// A function that the gateway runs and the client never declared, as the JavaScript SDK sees it; the counterpart of
// sdk_functions.py.

import { AUDIO, check, checkAnswer, kindOf, open, textsOf } from "./js_session.mjs";

/** A call of `fn` that `question` brings about; `clientSide` is whose call it was, as History has it. */
export const serverSide = (title, { question, fn, clientSide, checkResult = () => {} }) => ({
  name: `${title}: `,
  async talk(session) {
    const { name, send, transcript } = session;
    const think = { provider: { type: "open_ai", model: "gpt-4o-mini", temperature: 0.7 }, prompt: "Be brief." };
    await open(session, { type: "Settings", audio: AUDIO, agent: { think } });
    send({ type: "InjectUserMessage", content: question });
    const [call, ...more] = (await transcript.until("FunctionCallRequest")).at(-1).functions;
    const told = !more.length && call.name === fn && call.client_side === false;
    check(`${name}FunctionCallRequest`, told, call);
    check(`${name}arguments are JSON`, JSON.parse(call.arguments) instanceof Object, call);
    const result = (await transcript.until("FunctionCallResponse")).at(-1);
    check(`${name}FunctionCallResponse`, result.id === call.id && result.name === call.name, result);
    checkResult(name, call, result);
    const turn = await transcript.until("AgentAudioDone");
    const kinds = turn.map(kindOf);
    check(`${name}AgentThinking`, kinds.includes("AgentThinking"), kinds);
    const said = textsOf(turn, "assistant").join(" ");
    check(`${name}the answer holds the function's result`, result.content && said.includes(result.content), said);
    await checkAnswer(`${name}answer`, turn);
    const kept = transcript.messages.filter((m) => kindOf(m) === "History").flatMap((m) => m.function_calls ?? []);
    const same = (c) => c.id === call.id && c.response === result.content && c.client_side === clientSide;
    check(`${name}History: the call and its result`, kept.length === 1 && same(kept[0]), kept);
  },
});

const TIME = { question: "What time is it?", fn: "get_current_time" };
export const SERVER_SIDE = serverSide("server side", { ...TIME, clientSide: false });
// Deepgram asked the gateway as it would ask any client.
export const AGENT_SERVER_SIDE = serverSide("agent, server side", { ...TIME, clientSide: true });
/** A function that an application runs, behind the gateway. */
export const AGENT_APPLICATION = serverSide("agent, application", {
  question: "get_weather",
  fn: "get_weather",
  clientSide: true,
  checkResult(name, call, result) {
    const { city } = JSON.parse(call.arguments);
    const content = JSON.parse(result.content);
    check(`${name}the application's own answer`, city && content.city === city && content.weather, result);
  },
});
