#!/usr/bin/env node
// The README's pages as a visitor has them: pages.mjs ORIGIN QUESTION SEEN
//
// In each of the two with a form its own question is sent, and then one with a long answer, during which QUESTION is
// spoken, which interrupts it; the web component is only spoken to. What each page showed until then is left in the
// directory SEEN, as NAME.typed, NAME.long and NAME.spoken. Whether it could be heard is judged here: everything that any page connects to its loudspeaker is measured.
// Prints `ok NAME` or `not ok NAME: why` per check.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { run, until } from "../browser/chromium.mjs";

const [origin, question, seen] = process.argv.slice(2);
// A voice lies far above, and nothing at all is exactly 0.
const AUDIBLE = 0.02;
const QUIET = 0.0001;
// What is typed for a long answer, which the simulator repeats word for word.
const LONG =
  "Tell me all about the weather in the north, and then about the trains from there to the south, please.";

/** In the page, before its own scripts: how loud it is every 10 ms, and when it was told that the user speaks. */
function overhear() {
  globalThis.overheard = { levels: [], interrupted: [] };
  const { levels, interrupted } = globalThis.overheard;
  const connect = AudioNode.prototype.connect;
  const meters = new Map();
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      if (!meters.has(this.context))
        meters.set(this.context, new AnalyserNode(this.context, { fftSize: 512 }));
      connect.call(this, meters.get(this.context));
    }
    return connect.call(this, target, ...rest);
  };
  const samples = new Float32Array(512);
  setInterval(() => {
    let level = 0;
    for (const meter of meters.values()) {
      meter.getFloatTimeDomainData(samples);
      level = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), level);
    }
    levels.push({ at: performance.now(), level });
  }, 10);
  globalThis.WebSocket = class extends WebSocket {
    constructor(...rest) {
      super(...rest);
      this.addEventListener("message", ({ data }) => {
        if (typeof data === "string" && JSON.parse(data).type === "UserStartedSpeaking")
          interrupted.push(performance.now());
      });
    }
  };
}

class Visit {
  constructor(stage, tab, name) {
    Object.assign(this, { stage, tab, name });
  }

  text() {
    return this.tab.page.evaluate(() => document.querySelector("pre").textContent);
  }

  async click(button) {
    const found = await until(`${this.name}: ${button}`, () =>
      this.tab.page.$(`::-p-aria([name="${button}"][role="button"])`),
    );
    await found.click();
  }

  /** Waits until the page shows so many lines, and leaves them for the judge. */
  async shows(lines, kind) {
    await until(
      `${this.name}: ${lines} lines of what was ${kind}`,
      async () => (await this.text()).split("\n").length > lines,
    );
    writeFileSync(join(seen, `${this.name}.${kind}`), await this.text());
  }

  /** The loudest that the page was from one moment to another, in ms of its own clock. */
  async loudest(from = 0, to = Number.MAX_VALUE) {
    const levels = await this.tab.page.evaluate(() => globalThis.overheard.levels);
    return Math.max(0, ...levels.filter(({ at }) => at >= from && at < to).map(({ level }) => level));
  }

  heard(what, level) {
    this.stage.ok(`${this.name}: ${what}`, level > AUDIBLE, `the loudest sample is ${level}`);
  }

  async audible() {
    const now = await this.tab.page.evaluate(() => performance.now());
    await until(`${this.name}: a voice`, async () => (await this.loudest(now)) > AUDIBLE);
  }
}

async function visit(stage, browser, name, body) {
  const tab = await browser.open(`${origin}/${name}`, {
    prepare: ({ page }) => page.evaluateOnNewDocument(overhear),
  });
  await stage.part(name, () => body(new Visit(stage, tab, name)));
  tab.forgive(/favicon\.ico|another origin was asked: ws:|ScriptProcessorNode is deprecated/);
  stage.check(`${name}: no trouble`, [], tab.trouble);
  await tab.close();
}

/** A page with a form: how many lines the question in it makes, and how many a spoken one. */
function form(typed, spoken) {
  return async (page) => {
    await until(`${page.name}: a form that can be used`, () => page.tab.page.$("fieldset:enabled"));
    await page.click("Send");
    await page.shows(typed, "typed");
    await page.tab.page.$eval("input", (input, text) => (input.value = text), LONG);
    await page.click("Send");
    await page.shows(typed + 2, "long");
    await page.audible();
    await page.click("Talk");
    const [at] = await until(`${page.name}: an interruption`, () =>
      page.tab.page.evaluate(
        () => globalThis.overheard.interrupted.length && globalThis.overheard.interrupted,
      ),
    );
    await page.shows(typed + 2 + spoken, "spoken");
    await page.audible();
    page.heard("the answer is heard", await page.loudest(at - 500, at));
    // The user still speaks: nothing can be answered yet.
    const after = await page.loudest(at + 300, at + 700);
    page.stage.ok(
      `${page.name}: an interruption silences it`,
      after < QUIET,
      `then the loudest sample is ${after}`,
    );
    page.heard("the next answer is heard", await page.loudest(at + 700));
  };
}

await run("pages", 60, async (stage) => {
  const browser = await stage.browser({ microphone: question });
  await visit(stage, browser, "page.html", form(4, 3));
  await visit(stage, browser, "sdk.html", form(2, 2));
  await visit(stage, browser, "component.html", async (page) => {
    await page.click("Talk");
    await page.shows(13, "spoken");
    await until("component.html: a voice", async () => (await page.loudest()) > AUDIBLE);
    page.heard("the answer is heard", await page.loudest());
  });
});
