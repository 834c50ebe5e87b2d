// Turns in the console: typed and spoken, into the agent's answer, with functions on each side, over a reconnect.

import { until } from "../chromium.mjs";
import { audible, hear, likeness, seconds, span } from "../sound.mjs";
import { judge, moving } from "./looks.mjs";

// The simulator says again what it heard, numbers digit by digit.
const LONG = `Count: ${"1 2 3 4 5 6 7 8 9 ".repeat(3)}`;

/** What was played and received from a moment on, once everything that was received has been played. */
async function playedOut(tab, from) {
  let state = "";
  try {
    return await until("the answer", async () => {
      const all = await hear(tab);
      const [played, received] = [all.played.slice(from.position), all.received.slice(from.received.length)];
      const done = all.events.slice(from.events.length).some(({ type }) => type === "AgentAudioDone");
      state = `${audible(played)} s of ${audible(received)} s, ${done ? "all" : "not all"} received`;
      // Half a second of silence is the end, and no pause, once most of it has been heard. Not all of it: how many
      // windows can be heard depends a little on where they begin.
      const over = audible(played) > 0.9 * audible(received) && audible(played.slice(-50)) === 0;
      return done && audible(received) > 0.5 && over && { played, received };
    });
  } catch {
    throw new Error(`the answer is not played to its end: ${state}`);
  }
}

function judgeSound(stage, name, { played, received }) {
  const [one, other] = [span(played), span(received)];
  const [length, expected] = [seconds(one), seconds(other)];
  stage.ok(
    `${name}: the answer is heard for as long as it is`,
    Math.abs(length - expected) < 0.25,
    `${length} s of ${expected} s`,
  );
  const alike = likeness(one, other);
  stage.ok(`${name}: it sounds like what was received`, alike > 0.8, `${alike} alike`);
}

/** A typed turn, in which the page runs a function. Leaves the session as it is. */
export async function typed(stage, desk) {
  await desk.connect("openai");
  const status = await desk.text("status", "");
  stage.ok("connected: the status says so", /^Connected/.test(status), status);
  const before = await hear(desk.tab);
  await desk.say("What time is it?");
  await desk.level("Agent level");
  await desk.talks(/What time is it\?.*The time is \d\d:\d\d/s);
  stage.ok("typed turn: question and answer are shown", true);
  const call = await desk.shows("region", "Function calls", /get_current_time.*"timezone"/s);
  stage.ok("function of the page: name, arguments and result", call);
  stage.ok("function of the page: where it ran", /page/i.test(await desk.text("region", "Function calls")));
  judgeSound(stage, "typed turn", await playedOut(desk.tab, before));
  await desk.shows("region", "Latencies", /\d/);
  stage.ok("latencies: the turn is there", /typed/i.test(await desk.text("region", "Latencies")));
  await desk.shows(
    "region",
    "Time line",
    /SettingsApplied.*InjectUserMessage.*FunctionCallRequest.*FunctionCallResponse/s,
  );
  stage.ok("time line: what was sent and received", true);
}

/** A turn by voice. */
export async function spoken(stage, desk, name, said, answer) {
  const before = await hear(desk.tab);
  await desk.press("Microphone");
  await desk.level("Microphone level");
  await desk.talks(said);
  await desk.talks(answer);
  stage.ok(`${name}: what was said and the answer are shown`, true);
  const pressed = await (await desk.find("button", "Microphone")).evaluate((button) => button.ariaPressed);
  stage.check(`${name}: the microphone is shown as on`, "true", pressed);
  judgeSound(stage, name, await playedOut(desk.tab, before));
  stage.ok(`${name}: latencies of a spoken turn`, await desk.shows("region", "Latencies", /spoken/i));
  await desk.press("Microphone");
}

/** A greeting that is spoken. */
export async function greeted(stage, desk, name) {
  await desk.talks(/What can I do for you\?/);
  // It may have been there before anybody listened for it, so all sound since the page was opened is its.
  judgeSound(
    stage,
    `${name}, greeting`,
    await playedOut(desk.tab, { position: 0, received: [], events: [] }),
  );
}

/** The user speaks into a long answer. */
export async function bargeIn(stage, desk, name) {
  const before = await hear(desk.tab);
  await desk.say(LONG);
  await until(
    "the beginning of the answer",
    async () => audible((await hear(desk.tab)).played.slice(before.position)) > 0.5,
  );
  // The microphone's file begins anew: silence, then speech.
  await desk.press("Microphone");
  const { heard, cut } = await until("the interruption", async () => {
    const all = await hear(desk.tab);
    const index = all.events.findIndex(
      ({ type }, at) => at >= before.events.length && type === "UserStartedSpeaking",
    );
    return index >= 0 && { heard: all, cut: all.events[index] };
  });
  await desk.talks(/interrupted/i);
  stage.ok(`${name}: the line is marked`, true);
  const { all, next } = await until("the next answer", async () => {
    const all = await hear(desk.tab);
    const next = all.events.find(
      (event) =>
        event.type === "AgentAudioDone" && event.played > cut.played && event.received > cut.received,
    );
    return next && all.played.length > next.played && { all, next };
  });
  // Between the interruption and what comes before the next answer nothing may be heard.
  const announced = ["AgentStartedSpeaking", "AgentThinking", "ConversationText"];
  const resumed =
    all.events.find(({ type, played }) => played > cut.played && announced.includes(type)) ?? next;
  const left =
    audible(heard.received.slice(before.received.length, cut.received)) -
    audible(all.played.slice(before.position, cut.played));
  // Where the two meet is known to some windows.
  const gap = all.played.slice(cut.played, resumed.played - 5);
  const after = audible(gap);
  stage.ok(`${name}: there was more to hear`, left > 3, `${left} s`);
  stage.ok(
    `${name}: playback is silent at once`,
    // On a busy machine the audio thread is ahead of the page's clock, and makes up for lost time in one go.
    after < seconds(gap) / 2 && audible(gap.slice(gap.length / 2)) === 0,
    `${after} s were heard in the ${seconds(gap)} s after it, of ${left} s`,
  );
  await desk.press("Microphone");
}

/** The page's own volume: off is silent. */
export async function silenced(stage, desk) {
  await desk.press("Agent sound");
  const before = await hear(desk.tab);
  await desk.say("Hello there");
  // Until all of it would have been heard.
  const { received, played } = await until("as much time as the answer takes", async () => {
    const all = await hear(desk.tab);
    const done = all.events.slice(before.events.length).some(({ type }) => type === "AgentAudioDone");
    const [received, played] = [
      all.received.slice(before.received.length),
      all.played.slice(before.position),
    ];
    return done && played.length > received.length && { received, played };
  });
  stage.ok(
    "agent sound off: nothing is heard",
    audible(received) > 0.5 && audible(played) === 0,
    `${audible(played)} s`,
  );
  await desk.press("Agent sound");
}

/** Functions that the gateway runs by itself. */
export async function onServer(stage, desk) {
  await desk.connect("server");
  await desk.say("get_weather");
  await desk.talks(/The tool says: .*14 degrees and cloudy/s);
  const calls = await desk.shows("region", "Function calls", /get_weather.*Berlin.*14 degrees and cloudy/s);
  stage.ok("function of the server: name, arguments and result", calls);
  stage.ok(
    "function of the server: where it ran",
    /gateway|server/i.test(await desk.text("region", "Function calls")),
  );
  await desk.press("Disconnect");
}

/** A function for which nobody has code: answered by hand, refused by hand, and handed to the gateway. */
export async function byHand(stage, desk) {
  const parameters = { type: "object", properties: { city: { enum: ["Oslo"] } }, required: ["city"] };
  const declared = ["find_order", "get_weather"].map((name) => ({ name, description: name, parameters }));
  await desk.press("More functions, as JSON", "DisclosureTriangle");
  await desk.fill("More functions", JSON.stringify(declared));
  await desk.connect("openai");
  await desk.say("find_order");
  await desk.shows("region", "Function calls", /find_order.*waits for you.*Oslo/s);
  await judge(stage, desk.tab, "by-hand");
  await motion(stage, desk.page);
  await desk.fill("Answer as text or JSON", '{"order":"It is on its way"}');
  await desk.press("Answer");
  await desk.talks(/The tool says: .*It is on its way/s);
  stage.ok("by hand: the answer reaches the agent", true);
  await desk.say("find_order");
  await desk.press("Error", "radio");
  await desk.fill("Answer as text or JSON", "no such order");
  await desk.press("Answer");
  await desk.talks(/The tool says: .*"error".*no such order/s);
  stage.ok("by hand: an error reaches the agent", true);
  await desk.say("get_weather");
  await desk.press("Forward to the gateway");
  await desk.talks(/The tool says: .*6 degrees and rainy/s);
  const card = await desk.shows("region", "Function calls", /get_weather.*6 degrees and rainy/s);
  stage.ok("by hand: what the gateway ran is shown", card);
  stage.ok("by hand: where it ran", /by hand/.test(card.input), card.input);
}

// Who does not want motion sees none while the agent thinks; who has said nothing about it does.
async function motion(stage, page) {
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  stage.check("reduced motion: nothing moves by itself", [], await moving(page));
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "no-preference" }]);
  stage.ok("motion, where nobody minds", (await moving(page)).length > 0);
}

/** The conversation goes on where it was, in a new session. */
export async function reconnect(stage, desk) {
  await desk.say("My name is Ada");
  await desk.talks(/You said: My name is Ada/);
  await desk.press("Disconnect");
  await desk.press("Reconnect");
  await desk.ready();
  await desk.say("what did I say");
  await desk.talks(/what did I say.*My name is Ada/s);
  stage.ok("reconnect: the agent knows what was said", true);
  await desk.press("Disconnect");
  await judge(stage, desk.tab, "ended");
  await desk.press("New conversation");
  const forgotten = await until(
    "an empty conversation",
    async () => !(await desk.text("log", "Conversation")).includes("Ada"),
  );
  stage.ok("new conversation: nothing is left of the old one", forgotten);
  await desk.connect();
  await desk.say("what did I say");
  await desk.talks(/You said: what did I say/);
  stage.ok("new conversation: the agent knows nothing of the old one", true);
}
