// Prints what `node --test` has run as `ok NAME` and `not ok NAME: why`, and what a failure says in full to stderr.

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") process.stderr.write(data.message);
    // A file counts only if it could not be run.
    const isFile = data?.name?.endsWith(".test.mjs");
    if (type === "test:pass" && data.nesting === 0 && !isFile) yield `ok ${data.name}\n`;
    if (type !== "test:fail" || data.nesting > 0) continue;
    const { cause, message } = data.details.error;
    const why = String(cause?.message ?? cause ?? message);
    yield `not ok ${data.name}: ${why.split("\n", 1)[0]}\n`;
    process.stderr.write(`${cause?.stack ?? why}\n`);
  }
}
