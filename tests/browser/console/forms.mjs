// Forms and keys of the console: wrong input, what the keyboard alone can do, the recording, the page's policy.

import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "../chromium.mjs";
import { judge, tour } from "./looks.mjs";

/** What is wrong in a form is said beside it, and nothing is sent. */
export async function wrongInput(stage, desk) {
  await desk.press("More functions, as JSON", "DisclosureTriangle");
  for (const [text, words] of [
    ["[", /not JSON/],
    ["{}", /list/],
    ['[{"name":"no spaces"}]', /name/],
    ['[{"name":"repaint"}]', /two functions/],
  ]) {
    await desk.fill("More functions", text);
    await desk.press("Connect");
    stage.ok(`functions ${text}: refused in words`, await desk.shows("alert", "", words));
  }
  stage.ok(
    "wrong functions: nothing was asked of the gateway",
    !desk.tab.requests.some((url) => url.startsWith("ws")),
  );
  await desk.fill("More functions", "");
  await desk.fill("Your language", "not a language");
  await desk.press("Connect");
  stage.ok("a wrong language: refused in words", await desk.shows("alert", "", /language/i));
  await desk.fill("Your language", "");

  await desk.connect("openai");
  const rows = () => desk.text("region", "Time line");
  await desk.say("   ");
  await desk.press("Send a message");
  await desk.fill("Message as JSON", "{");
  await desk.press("Send message");
  stage.ok("a message that is no JSON: refused in words", await desk.shows("alert", "", /not JSON/));
  await judge(stage, desk.tab, "raw");
  await desk.fill("Message as JSON", '{"type":"ForceEndTurn"}');
  await desk.press("Send message");
  await desk.page.keyboard.press("Escape");
  stage.ok("a warning: in words", await desk.talks(/end of turn|turn/i));
  const line = await desk.shows("region", "Time line", /ForceEndTurn.*Warning/s);
  stage.ok("a message of one's own: in the time line", line);
  stage.ok("an empty message: not sent", !(await rows()).includes("InjectUserMessage"));
}

/** On a telephone one sees the conversation first, and can have one. */
export async function onTelephone(stage, desk) {
  const seen = (element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight;
  };
  stage.ok(
    "telephone: Connect is on the first screen",
    await (await desk.find("button", "Connect")).evaluate(seen),
  );
  const log = await desk.find("log", "Conversation");
  stage.ok(
    "telephone: the conversation is, too",
    await log.evaluate((element) => element.getBoundingClientRect().top < innerHeight / 2),
  );
  await desk.connect("openai");
  await desk.say("Hello there");
  await desk.talks(/voxbridge simulator speaking/);
  stage.ok(
    "telephone: one sees what one types",
    await (await desk.find("textbox", "Message")).evaluate(seen),
  );
  await judge(stage, desk.tab, "telephone");
}

/** Without a microphone one is told so, and can type. */
export async function withoutMicrophone(stage, desk) {
  await desk.connect("openai");
  await desk.press("Microphone");
  stage.ok(
    "microphone denied: in words",
    await desk.shows("alert", "", /microphone is not allowed.*browser/is),
  );
  await desk.say("Hello there");
  await desk.talks(/voxbridge simulator speaking/);
  stage.ok("microphone denied: typing works", true);
}

/** Everything can be reached and used by keys alone, and it is seen where one is. */
export async function keysAlone(stage, desk) {
  const { page } = desk;
  const stops = await tour(page);
  const names = stops.map(({ name }) => name).join(", ");
  for (const name of ["Backend", "Connect", "Prompt", "Greeting", "Conversation", "Filter"]) {
    stage.ok(
      `Tab reaches ${name}`,
      stops.some((stop) => stop.name.startsWith(name)),
      names,
    );
  }
  const place = (name) => stops.findIndex((stop) => stop.name.startsWith(name));
  stage.ok(
    "Tab goes from top to bottom",
    place("Backend") < place("Connect") && place("Connect") < place("Filter"),
    names,
  );
  stage.check(
    "focus is always seen",
    [],
    stops.filter(({ outlined, shown }) => !outlined || !shown),
  );

  await page.keyboard.press("?");
  await desk.find("dialog", "Keyboard shortcuts");
  await judge(stage, desk.tab, "shortcuts");
  await page.keyboard.press("Escape");
  await until("no dialog", async () => !(await desk.peek("dialog", "Keyboard shortcuts")));
  await desk.chord("Alt", "k");
  await desk.ready();
  await desk.chord("Alt", "n");
  await page.keyboard.type("Hello there");
  await desk.chord("Shift", "Enter");
  await page.keyboard.type("and good morning");
  await page.keyboard.press("Enter");
  await desk.talks(/Hello there\s+and good morning.*voxbridge simulator speaking/s);
  stage.ok("keys alone: a turn", true);
  await desk.chord("Alt", "m");
  await until("the microphone on", async () =>
    (await desk.find("button", "Microphone")).evaluate(({ ariaPressed }) => ariaPressed === "true"),
  );
  await desk.chord("Alt", "m");
  await until("the microphone off", async () =>
    (await desk.find("button", "Microphone")).evaluate(({ ariaPressed }) => ariaPressed === "false"),
  );
  await desk.chord("Alt", "k");
  await desk.find("button", "Reconnect");
  stage.ok("keys alone: microphone and end", true);
}

/** The time line's filter and details, and the recording that is downloaded. */
export async function timeLine(stage, desk) {
  await desk.fill("Filter", "FunctionCall", "searchbox");
  const filtered = await until("rows that match alone", async () => {
    const text = await desk.text("group", "Protocol messages");
    return !text.includes("ConversationText") && text;
  });
  stage.ok("filter: what matches is left", filtered.includes("FunctionCallRequest"), filtered);
  await desk.fill("Filter", "Settings", "searchbox");
  const row = await until("the row of Settings", async () => {
    const rows = await (await desk.find("group", "Protocol messages")).$$("summary");
    const texts = await Promise.all(rows.map((row) => row.evaluate((element) => element.innerText)));
    return rows[texts.findIndex((text) => text.includes("Settings") && !text.includes("SettingsApplied"))];
  });
  await row.focus();
  await desk.page.keyboard.press("Enter");
  stage.ok(
    "details: the JSON of a message",
    await desk.shows("group", "Protocol messages", /"sample_rate": 16000/),
  );
  await desk.fill("Filter", "", "searchbox");
  const text = await recording(stage, desk);
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const types = JSON.stringify(lines);
  stage.ok(
    "recording: one JSON object a line",
    lines.length > 5 && lines.every((line) => typeof line === "object"),
  );
  for (const part of [
    "Settings",
    "SettingsApplied",
    "What time is it?",
    "FunctionCallRequest",
    "FunctionCallResponse",
  ]) {
    stage.ok(`recording: holds ${part}`, types.includes(part));
  }
}

/** What is downloaded as the recording. */
export async function recording(stage, desk) {
  const directory = mkdtempSync(join(stage.directory, "download-"));
  const protocol = await desk.page.createCDPSession();
  await protocol.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: directory });
  await desk.press("Download recording");
  const file = await until("the recording", () =>
    readdirSync(directory).find((name) => !name.endsWith(".crdownload")),
  );
  return readFileSync(join(directory, file), "utf8");
}

/** What the page's policy forbids does not happen, whoever asks for it. */
export async function policy(stage, desk, elsewhere) {
  const { page, tab } = desk;
  // What was there before is nobody's doing but the page's own.
  const before = tab.trouble.length;
  await page.evaluate((origin) => {
    // Whoever gets around the rule that text is no code meets the next one.
    const trusted = trustedTypes.createPolicy("test", {
      createScript: (text) => text,
      createScriptURL: (text) => text,
    });
    const [code, url] = ["globalThis.inline = true", `${origin}/script.js`];
    const attempts = [
      () => document.body.append(Object.assign(document.createElement("script"), { text: code })),
      () =>
        document.body.append(
          Object.assign(document.createElement("script"), { text: trusted.createScript(code) }),
        ),
      () =>
        document.body.append(
          Object.assign(document.createElement("script"), { src: trusted.createScriptURL(url) }),
        ),
      () =>
        document.body.append(Object.assign(document.createElement("img"), { src: `${origin}/image.png` })),
      () =>
        document.body.append(
          Object.assign(document.createElement("style"), { textContent: "body { display: none }" }),
        ),
      () => fetch(`${origin}/fetch`).catch(() => {}),
      () => new WebSocket(origin.replace("http", "ws")),
      () => document.body.setAttribute("style", "display: none"),
      () => (document.body.innerHTML += "<p>markup</p>"),
      () => setTimeout(code),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch {
        // Blocked by an exception.
      }
    }
  }, elsewhere.origin);
  await until("reports", () => tab.trouble.filter((line) => line.startsWith("policy:")).length >= 5);
  const body = await page.evaluate(() => ({
    display: getComputedStyle(document.body).display,
    inline: globalThis.inline ?? false,
  }));
  stage.check("policy: no code and no style from anywhere else", { display: "block", inline: false }, body);
  stage.check("policy: nobody else was asked", [], elsewhere.asked);
  for (const directive of [
    "script-src",
    "img-src",
    "style-src",
    "connect-src",
    "require-trusted-types-for",
  ]) {
    stage.ok(
      `policy: ${directive}`,
      tab.trouble.some((line) => line.startsWith(`policy: ${directive}`)),
      tab.trouble.join("; "),
    );
  }
  tab.trouble.length = before;
}
