// What the modules of a page find in a browser and Node may not have.

if (globalThis.CustomEvent === undefined) {
  globalThis.CustomEvent = class extends Event {
    constructor(name, { detail }) {
      super(name);
      this.detail = detail;
    }
  };
}

/** A WebSocket whose other side is the test. */
export class FakeSocket {
  /** @type {FakeSocket[]} those that were opened, the newest last */
  static all = [];
  bufferedAmount = 0;
  /** What was sent: text as the message in it, audio as it is. */
  sent = [];
  /** What it was closed with. */
  closed = null;

  constructor(url, protocols) {
    if (String(url).includes("refused-by-the-browser")) throw new SyntaxError("no such address");
    this.url = url;
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(data) {
    this.sent.push(typeof data === "string" ? JSON.parse(data) : data);
  }

  close(code, reason) {
    this.closed = { code, reason };
  }

  /** The types of what was sent. */
  get types() {
    return this.sent.map((data) => data.type ?? "audio");
  }

  receive(message) {
    this.onmessage({ data: message instanceof ArrayBuffer ? message : JSON.stringify(message) });
  }
}

/** Puts something into the place of a global until the test is over. */
export function stub(t, name, value) {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  t.after(() => {
    if (before === undefined) delete globalThis[name];
    else Object.defineProperty(globalThis, name, before);
  });
}
