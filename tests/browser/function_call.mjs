#!/usr/bin/env node
// A real browser against POST /function-call and the WebSocket: function_call.mjs BINARY
//
//   page of an allowed origin ──┐
//                               ├─> gateway that lists the one ──> scripts/example-functions
//   page of another origin ─────┴─> gateway that lists none
//
// Both pages are `page.html`, served from ports of their own; each tells its server what it saw, and here that is judged.
// Prints `ok NAME` or `not ok NAME: why` per check.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const PATIENCE_MS = 60_000;
const CHROMIUM = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
  "--no-first-run", "--disable-background-networking", "--disable-component-update"];

const binary = process.argv[2];
const work = mkdtempSync(join(tmpdir(), "voxbridge-browser-"));
const children = [];
let failed = false;

function check(name, expected, seen) {
  const same = JSON.stringify(seen) === JSON.stringify(expected);
  failed ||= !same;
  console.log(same ? `ok ${name}` : `not ok ${name}: ${JSON.stringify(seen)} in place of ${JSON.stringify(expected)}`);
}

function start(command, args, stdio) {
  // A group of its own: the browser's processes outlive the one that was started.
  const child = spawn(command, args, { stdio, detached: true });
  // Whoever waits for its output or its end notices that there is none.
  child.on("error", () => {});
  children.push(child);
  return child;
}

/** Starts a server that prints where it listens; resolves to that address. */
async function server(command, args, log) {
  const child = start(command, args, ["ignore", "pipe", "pipe"]);
  child.stderr.on("data", (data) => (log.text += data));
  for await (const line of createInterface({ input: child.stdout })) {
    const address = line.match(/http:\/\/[^ /]+/);
    if (address) {
      child.stdout.resume(); // what else it prints must not block it
      return address[0];
    }
  }
  throw new Error(`${command} does not listen: ${log.text}`);
}

/** Ends a child with all that it has started. */
function kill(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended, or was never there.
  }
}

function gateway(name, application, allowedOrigins) {
  const file = join(work, `${name}.toml`);
  writeFileSync(file, `
    [server]
    port = 0
    [auth]
    allowed_origins = ${JSON.stringify(allowedOrigins)}
    [[functions.route]]
    names = ["get_weather"]
    url = "${application}/functions"
    [simulator]
    enabled = true
    [[backends]]
    name = "openai"
    kind = "openai-realtime"
    path = "/openai"
    url = "self:/sim/openai"
  `);
  return server(binary, ["--config", file], { text: "" });
}

/** Serves the page; `seen` resolves to what the page tells. */
async function pages() {
  let tell;
  const seen = new Promise((resolve) => (tell = resolve));
  const http = createServer((request, response) => {
    if (request.method === "GET") {
      response.setHeader("content-type", "text/html");
      return response.end(readFileSync(join(HERE, "page.html")));
    }
    let body = "";
    request.on("data", (data) => (body += data));
    request.on("end", () => response.end(void tell(JSON.parse(body))));
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  return { origin: `http://127.0.0.1:${http.address().port}`, seen };
}

async function visit(page, gateways) {
  const url = `${page.origin}/?${new URLSearchParams(gateways)}`;
  const profile = `--user-data-dir=${join(work, new URL(page.origin).port)}`;
  const browser = start("chromium", [...CHROMIUM, profile, url], "ignore");
  const gone = once(browser, "exit").then(([code]) => ({ browser: `ended with ${code}` }));
  const seen = await Promise.race([page.seen, gone]);
  kill(browser);
  await gone;
  return seen;
}

async function main() {
  const calls = { text: "" };
  const application = await server(join(HERE, "../../scripts/example-functions"), ["0"], calls);
  const [allowed, other] = [await pages(), await pages()];
  const gateways = {
    listing: await gateway("listing", application, [allowed.origin]),
    open: await gateway("open", application, []),
  };
  const weather = { status: 200, content: { city: "Oslo", weather: "6 degrees and rainy" } };

  const saw = await visit(allowed, gateways);
  check("allowed page: a result", weather, saw.listing?.call);
  check("allowed page: an error for the model", { status: 200, error: "there is no function unheard_of" }, saw.listing?.unknown);
  check("allowed page: the body of a refusal", { status: 400, code: "invalid_id" }, saw.listing?.refused);
  check("allowed page: a session", "Welcome", saw.listing?.session);
  check("allowed page: no list, a result", weather, saw.open?.call);

  const before = calls.text.split("POST").length;
  const barred = await visit(other, gateways);
  check("other page: no answer", { failed: "TypeError" }, barred.listing?.call);
  check("other page: no answer to what is not asked first", "opaque", barred.listing?.unasked);
  check("other page: no session", "refused", barred.listing?.session);
  check("other page: no list, a result", weather, barred.open?.call);
  check("other page: no list, a session", "Welcome", barred.open?.session);
  // Its one call is the one on the gateway without a list.
  check("other page: nothing was run", 1, calls.text.split("POST").length - before);
}

const late = setTimeout(() => {
  console.log(`not ok browser: not done within ${PATIENCE_MS} ms`);
  end(1);
}, PATIENCE_MS);

function end(status) {
  clearTimeout(late);
  for (const child of children) kill(child);
  try {
    rmSync(work, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } catch {
    // What the browser still wrote while it was ended is left to the system's own cleaning of temporary files.
  }
  process.exit(status);
}

process.on("SIGTERM", () => end(1));
try {
  await main();
} catch (error) {
  failed = true;
  console.log(`not ok browser: ${error.stack.replaceAll("\n", " ")}`);
}
end(failed ? 1 : 0);
