#!/usr/bin/env node
// The console in a real browser, against both simulators: console.mjs BINARY [PART…]
//
//   Chromium, its microphone a WAV file ──> voxbridge: the console, and backends by its own simulators
//                                                    └──> scripts/example-functions
//
// What the page shows is looked at as a person or a screen reader finds it, what it plays where it leaves the page.
// Prints `ok NAME` or `not ok NAME: why` per check; pictures are left in target/console/.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { run } from "./chromium.mjs";
import { Desk } from "./console/desk.mjs";
import * as endings from "./console/endings.mjs";
import * as forms from "./console/forms.mjs";
import { judge } from "./console/looks.mjs";
import * as talk from "./console/talk.mjs";
import { samples, withoutSilence, writeWav } from "./sound.mjs";

const [binary, ...only] = process.argv.slice(2);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const backend = (name, kind, url, rest) => `
  [[backends]]
  name = "${name}"
  kind = "${kind}"
  path = "/${name}"
  url = "self:/sim/${url}"
  ${rest}
`;
const openai = (name, options = "", rest = "") => backend(name, "openai-realtime", `openai?${options}`, rest);
const deepgram = (name, options = "", rest = "") =>
  backend(name, "deepgram-agent", `deepgram/v1/agent/converse?${options}`, rest);

const SPOKEN = "transcript=A%20spoken%20question";
const SIMULATED = `
  [simulator]
  enabled = true
`;

const talking = (application) => `
  ${SIMULATED}
  [[functions.route]]
  names = ["get_weather"]
  url = "${application}/functions"
  backends = ["server"]
  description = "The weather in a city"
  parameters = { type = "object", properties = { city = { enum = ["Berlin"] } }, required = ["city"] }
  [[functions.route]]
  names = ["get_weather"]
  url = "${application}/functions"
  ${openai("openai", SPOKEN)}
  ${openai("server", SPOKEN, 'function_calls = "server"')}
  ${deepgram("deepgram", SPOKEN)}
  ${endings.backends(openai, deepgram)}
`;

// What a browser writes itself when an upgrade or a request is refused.
const REFUSALS = /Failed to load resource|WebSocket connection to|request failed/;

await run("console", 150, async (stage) => {
  const application = await stage.server(path("../../scripts/example-functions"), ["0"]);
  const microphone = join(stage.directory, "microphone.wav");
  writeWav(microphone, [0.4, withoutSilence(samples(path("../audio/question.wav"))), 1]);
  const gateway = await stage.gateway(binary, talking(application.address));
  const stopping = await stage.gateway(binary, SIMULATED + openai("openai"));
  const guarded = await stage.gateway(binary, endings.WITH_TOKENS + SIMULATED + openai("openai"));
  const closed = await stage.gateway(binary, endings.OF_OTHER_PAGES + SIMULATED + openai("openai"));
  const elsewhere = { asked: [] };
  elsewhere.origin = await stage.pages((request, response) => {
    elsewhere.asked.push(request.url);
    response.end();
  });

  // A page of its own for each part, in which nothing may go wrong but what `expected` describes.
  async function part(browser, name, body, { address = gateway.address, expected, ...options } = {}) {
    if (only.length && !only.includes(name)) return;
    const began = performance.now();
    await stage.part(name, async () => {
      const desk = await Desk.open(browser, address, options);
      try {
        await body(desk);
      } finally {
        if (expected) desk.tab.forgive(expected);
        stage.check(`${name}: nothing on the console, no violation, no other origin`, [], desk.tab.trouble);
        await desk.tab.screenshot(`${name}-end`);
        await desk.close();
      }
    });
    console.log(`# ${name}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  }

  // Sound takes its time, in which the other browser does what makes none.
  async function withSound() {
    const browser = await stage.browser({ microphone });
    await part(browser, "typed", async (desk) => {
      await talk.typed(stage, desk);
      await judge(stage, desk.tab, "typed");
      await talk.bargeIn(stage, desk, "barge-in");
      await forms.timeLine(stage, desk);
      await talk.reconnect(stage, desk);
    });
    await part(browser, "spoken", async (desk) => {
      await desk.connect("openai");
      await talk.spoken(stage, desk, "spoken turn", /A spoken question/, /You said: A spoken question/);
    });
    await part(browser, "silenced", async (desk) => {
      await desk.connect("openai");
      await talk.silenced(stage, desk);
    });
    await part(browser, "deepgram", async (desk) => {
      await desk.connect("deepgram");
      await talk.greeted(stage, desk, "deepgram");
      await talk.bargeIn(stage, desk, "deepgram, barge-in");
      await desk.talks(/A spoken question.*You said: A spoken question/s);
      stage.ok("deepgram: a spoken turn", true);
    });
  }

  async function withoutSound() {
    const browser = await stage.browser();
    await part(browser, "first", async (desk) => {
      await judge(stage, desk.tab, "first");
      await forms.policy(stage, desk, elsewhere);
    });
    await part(browser, "keys", (desk) => forms.keysAlone(stage, desk));
    await part(browser, "forms", (desk) => forms.wrongInput(stage, desk));
    await part(browser, "telephone", (desk) => forms.onTelephone(stage, desk), { width: 360, height: 740 });
    await part(browser, "denied", (desk) => forms.withoutMicrophone(stage, desk), { microphone: false });
    await part(browser, "server", (desk) => talk.onServer(stage, desk));
    await part(browser, "by-hand", (desk) => talk.byHand(stage, desk));
    await part(browser, "endings", (desk) => endings.byThemselves(stage, desk));
    const { address } = stopping;
    await part(browser, "stopping", (desk) => endings.byTheGateway(stage, desk, stopping), {
      address,
      expected: REFUSALS,
    });
    await part(browser, "tokens", (desk) => endings.withTokens(stage, desk), {
      address: guarded.address,
      expected: REFUSALS,
    });
    await part(browser, "origins", (desk) => endings.ofOtherPages(stage, desk), {
      address: closed.address,
      expected: REFUSALS,
    });
  }

  await Promise.all([stage.part("with sound", withSound), stage.part("without sound", withoutSound)]);
});
