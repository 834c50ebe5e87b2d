#!/usr/bin/env node
// A real browser against POST /function-call and the WebSocket: function_call.mjs BINARY
//
//   page of an allowed origin ──┐
//                               ├─> gateway that lists the one ──> scripts/example-functions
//   page of another origin ─────┴─> gateway that lists none
//
// Both pages are `page.html`, served from ports of their own; what each sees is judged here.
// Prints `ok NAME` or `not ok NAME: why` per check.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { run } from "./chromium.mjs";

const BINARY = process.argv[2];
const APPLICATION = fileURLToPath(new URL("../../scripts/example-functions", import.meta.url));
const PAGE = readFileSync(new URL("page.html", import.meta.url));

const gateway = (application, allowedOrigins) => `
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
`;

await run("function-call", 60, async (stage) => {
  const application = await stage.server(APPLICATION, ["0"]);
  const page = (_, response) => response.setHeader("content-type", "text/html").end(PAGE);
  const [allowed, other] = [await stage.pages(page), await stage.pages(page)];
  const gateways = new URLSearchParams({
    listing: (await stage.gateway(BINARY, gateway(application.address, [allowed]))).address,
    open: (await stage.gateway(BINARY, gateway(application.address, []))).address,
  });
  const browser = await stage.browser();
  const visit = async (origin) =>
    (await browser.open(`${origin}/?${gateways}`)).page.evaluate(() => globalThis.look());
  const calls = () => application.output.split("POST").length;
  const weather = { status: 200, content: { city: "Oslo", weather: "6 degrees and rainy" } };
  const unheardOf = { status: 200, error: "there is no function unheard_of" };

  const saw = await visit(allowed);
  stage.check("allowed page: a result", weather, saw.listing.call);
  stage.check("allowed page: an error for the model", unheardOf, saw.listing.unknown);
  stage.check(
    "allowed page: the body of a refusal",
    { status: 400, code: "invalid_id" },
    saw.listing.refused,
  );
  stage.check("allowed page: a session", "Welcome", saw.listing.session);
  stage.check("allowed page: no list, a result", weather, saw.open.call);

  const before = calls();
  const barred = await visit(other);
  stage.check("other page: no answer", { failed: "TypeError" }, barred.listing.call);
  stage.check("other page: no answer to what is not asked first", "opaque", barred.listing.unasked);
  stage.check("other page: no session", "refused", barred.listing.session);
  stage.check("other page: no list, a result", weather, barred.open.call);
  stage.check("other page: no list, a session", "Welcome", barred.open.session);
  // Its one call is the one on the gateway without a list.
  stage.check("other page: nothing was run", 1, calls() - before);
});
