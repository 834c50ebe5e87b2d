// What the tests in a browser share: servers, Debian's Chromium, pages that are watched, checks, and an end to it all.
// It knows nothing of what any page or test is about.
//
//   import { run, until } from "./chromium.mjs";
//   await run("weather", 60, async (stage) => {
//     const gateway = await stage.gateway(process.argv[2], TOML);              // { address, output, exited, stop(signal) }
//     const browser = await stage.browser({ microphone: "question.wav" });
//     const tab = await browser.open(`${gateway.address}/`, { width: 360, dark: true });
//     await until("the headline", () => tab.page.evaluate(() => document.querySelector("h1")?.textContent));
//     stage.check("says hello", "Hello", await tab.page.evaluate(() => document.title));
//     stage.check("no trouble", [], tab.trouble);
//     await tab.screenshot("weather");                                         // target/console/weather.png
//   });
//
// `run` ends the program: status 0 if every check was good, and at least one was made. Each prints `ok NAME` or
// `not ok NAME: why`. The browser is a real one with its own rules, so the functions of puppeteer that make code out of
// text in the page (`waitForFunction`, `waitForSelector`, locators) do not work where a page's policy forbids that; `until` does.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import puppeteer from "puppeteer-core";

const SCREENSHOTS = fileURLToPath(new URL("../../target/console/", import.meta.url));
const PATIENCE_MS = 20_000;
const FLAGS = [
  "--no-sandbox",
  "--no-proxy-server",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--use-fake-device-for-media-stream",
];

/** Runs `body(stage)` and ends the program: with 1 if a check failed, none was made, or `seconds` were not enough. */
export async function run(name, seconds, body) {
  const stage = new Stage(name);
  const late = setTimeout(() => {
    stage.ok(`${name}: done in time`, false, `not within ${seconds} s`);
    stage.end();
  }, seconds * 1000);
  process.on("SIGTERM", () => stage.end(1));
  process.on("SIGINT", () => stage.end(1));
  await stage.part(name, () => body(stage));
  clearTimeout(late);
  stage.end();
}

/** Asks `ask` again and again until its answer is truthy, and resolves to that; it rejects, naming `what`, after 20 s. */
export async function until(what, ask) {
  const end = performance.now() + PATIENCE_MS;
  let seen;
  do {
    seen = await ask();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 25));
  } while (performance.now() < end);
  throw new Error(`${what}: not seen within ${PATIENCE_MS / 1000} s`);
}

class Stage {
  #made = 0;
  #failed = 0;
  #groups = new Set();

  constructor(name) {
    /** For files of the test; gone when it ends. */
    this.directory = mkdtempSync(join(tmpdir(), `voxbridge-${name}-`));
  }

  /** Prints whether `seen` is `expected`, as JSON has it. */
  check(name, expected, seen) {
    const [left, right] = [JSON.stringify(expected), JSON.stringify(seen)];
    return this.ok(name, left === right, `${right} in place of ${left}`);
  }

  /** Prints whether `condition` holds, and `why` if not. */
  ok(name, condition, why = "it is not so") {
    this.#made += 1;
    if (!condition) this.#failed += 1;
    console.log(condition ? `ok ${name}` : `not ok ${name}: ${String(why).replaceAll("\n", " ")}`);
    return Boolean(condition);
  }

  /** Runs a part of the test; if that throws, it is a failed check and the next part goes on. */
  async part(name, body) {
    try {
      await body();
    } catch (error) {
      this.ok(name, false, error?.stack ?? error);
    }
  }

  /** Starts a server that prints where it listens (`http://…`), with `environment` added to the program's own. */
  async server(command, parameters, environment = {}) {
    // A group of its own, so that what it starts can be ended with it.
    const env = { ...process.env, ...environment };
    const child = spawn(command, parameters, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
    const server = { output: "", exited: once(child, "close").then(([code]) => code, String) };
    server.stop = (signal = "SIGTERM") => {
      child.kill(signal);
      return server.exited;
    };
    if (child.pid) this.#groups.add(child.pid);
    child.stderr.on("data", (data) => (server.output += data));
    server.address = await new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        server.output += `${line}\n`;
        const address = line.match(/https?:\/\/[^ /]+/);
        if (address) resolve(address[0]);
      });
      server.exited.then((code) => reject(new Error(`${command} ended with ${code}: ${server.output}`)));
    });
    return server;
  }

  /** Starts a voxbridge with the configuration `toml`, on a port that the system chooses. */
  gateway(binary, toml, environment = {}) {
    const file = join(this.directory, `gateway-${this.#groups.size}.toml`);
    writeFileSync(file, toml);
    return this.server(binary, ["--config", file], { VOXBRIDGE__SERVER__PORT: "0", ...environment });
  }

  /** Serves pages of the test's own: `answer(request, response)` as in `node:http`. Resolves to the origin. */
  async pages(answer) {
    const http = createServer(answer).listen(0, "127.0.0.1");
    await once(http, "listening");
    return `http://127.0.0.1:${http.address().port}`;
  }

  /** Starts a Chromium; with `microphone`, a WAV file that is heard once whenever a page opens the microphone. */
  async browser({ microphone, flags = [] } = {}) {
    const sound = microphone ? [`--use-file-for-fake-audio-capture=${microphone}%noloop`] : [];
    const chromium = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: [...FLAGS, ...sound, ...flags],
      userDataDir: mkdtempSync(join(this.directory, "profile-")),
      handleSIGINT: false,
      handleSIGTERM: false,
      protocolTimeout: 60_000,
    });
    this.#groups.add(chromium.process().pid);
    return new Browser(chromium);
  }

  /** Ends everything that was started, and the program. */
  end(status = this.#failed > 0 || this.#made === 0 ? 1 : 0) {
    for (const group of this.#groups) {
      try {
        process.kill(-group, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    try {
      rmSync(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    } catch {
      // What the browser still wrote while it was ended is left to the system's own cleaning of temporary files.
    }
    process.exit(status);
  }
}

class Browser {
  constructor(chromium) {
    /** Puppeteer's own. */
    this.chromium = chromium;
  }

  /**
   * Opens `url` in a tab, of which `prepare(tab)` is called before anything is loaded. Whether its pages may use the
   * microphone is `microphone`, because nobody is there to be asked.
   */
  async open(url, options = {}) {
    const { width = 1280, height = 900, dark = false, microphone = true, prepare } = options;
    const tab = new Tab(await this.chromium.newPage(), new URL(url).origin);
    await tab.page.setViewport({ width, height });
    await tab.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
    const protocol = await tab.page.createCDPSession();
    const setting = microphone ? "granted" : "denied";
    await protocol.send("Browser.setPermission", {
      permission: { name: "microphone" },
      setting,
      origin: tab.origin,
    });
    await tab.watch();
    await prepare?.(tab);
    await tab.page.goto(url, { waitUntil: "load" });
    return tab;
  }

  /** Ends the browser with all its tabs. */
  close() {
    return this.chromium.close();
  }
}

class Tab {
  /** Everything a user should not have to see: errors, warnings, violations of the policy, failed or foreign requests. */
  trouble = [];
  /** All that was written to the console: `{ type, text }`. */
  console = [];
  /** The addresses of all requests and WebSockets. */
  requests = [];

  constructor(page, origin) {
    /** Puppeteer's own. */
    this.page = page;
    this.origin = origin;
  }

  /** Takes the trouble that matches `pattern` out of the list, because it was to be expected; resolves to how much there was. */
  forgive(pattern) {
    const before = this.trouble.length;
    this.trouble = this.trouble.filter((trouble) => !pattern.test(trouble));
    return before - this.trouble.length;
  }

  /** Takes a picture of what the tab shows, or with `whole` of the page to its end. */
  async screenshot(name, { whole = false } = {}) {
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: whole });
  }

  /** Ends the tab. */
  close() {
    return this.page.close();
  }

  async watch() {
    const { page } = this;
    const troubled = (text) => this.trouble.push(text.trim());
    page.on("console", (message) => {
      const [type, text] = [message.type(), message.text()];
      this.console.push({ type, text });
      if (["error", "warn", "assert"].includes(type))
        troubled(`console: ${text} ${message.location()?.url ?? ""}`);
    });
    page.on("pageerror", (error) => troubled(`page error: ${error?.stack ?? error}`));
    page.on("error", (error) => troubled(`the tab died: ${error}`));
    page.on("requestfailed", (request) =>
      troubled(`request failed: ${request.url()} ${request.failure()?.errorText}`),
    );
    page.on("request", (request) => this.#asked(request.url()));
    const protocol = await page.createCDPSession();
    protocol.on("Network.webSocketCreated", ({ url }) => this.#asked(url));
    await protocol.send("Network.enable");
    // Some violations are reported here alone, and some on the console alone.
    await page.exposeFunction("reportPolicyViolation", (text) => troubled(`policy: ${text}`));
    await page.evaluateOnNewDocument(() => {
      addEventListener("securitypolicyviolation", (event) => {
        globalThis.reportPolicyViolation(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
  }

  #asked(url) {
    this.requests.push(url);
    const { protocol, host } = new URL(url);
    const here = host === new URL(this.origin).host || ["about:", "blob:", "data:"].includes(protocol);
    if (!here) this.trouble.push(`another origin was asked: ${url}`);
  }
}
