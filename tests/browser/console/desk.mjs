// The console as a person or a screen reader finds it: by roles and accessible names, with a real mouse and keyboard.
// It knows no id, class or function of the page's own.

import { until } from "../chromium.mjs";
import { listen } from "../sound.mjs";

export class Desk {
  /** Opens the console of the gateway at `address`, with an ear at its speakers. */
  static async open(browser, address, options = {}) {
    const desk = new Desk(await browser.open(`${address}/`, { ...options, prepare: listen }));
    try {
      await desk.find("button", "Connect");
    } catch (error) {
      throw new Error(`${error.message}; trouble: ${desk.tab.trouble.join("; ")}`);
    }
    return desk;
  }

  constructor(tab) {
    this.tab = tab;
    this.page = tab.page;
  }

  /** What has this role and name (no name: any) now and is not hidden, or null. */
  peek(role, name) {
    return this.page.$(`aria/${name}[role="${role}"]`);
  }

  /** The same as soon as there is one. */
  find(role, name) {
    return until(`the ${role} "${name}"`, () => this.peek(role, name));
  }

  /** Clicks as soon as that does something. */
  async press(name, role = "button") {
    await until(`${role} "${name}", enabled`, async () => {
      const found = await this.peek(role, name);
      return (
        found && (await found.evaluate((element) => !element.disabled && element.ariaDisabled !== "true"))
      );
    });
    await (await this.find(role, name)).click();
  }

  /** Replaces what is in a field. */
  async fill(name, text, role = "textbox") {
    const field = await this.find(role, name);
    await field.focus();
    await this.chord("Control", "a");
    await this.page.keyboard.press("Backspace");
    // As if pasted: what a key alone does is the keyboard's part of the test.
    if (text !== "") await this.page.keyboard.sendCharacter(text);
  }

  /** Chooses the backend of that name. */
  async choose(backend) {
    const list = await this.find("combobox", "Backend");
    const value = await until(`backend ${backend}`, () =>
      list.evaluate(
        (element, text) => [...element.options].find((option) => option.text.includes(text))?.value,
        backend,
      ),
    );
    await list.select(value);
  }

  /** Chooses a backend, connects, and waits until one can talk. */
  async connect(backend) {
    if (backend) await this.choose(backend);
    await this.press("Connect");
    await this.ready();
  }

  /** Waits until one can talk. */
  ready() {
    return this.shows("status", "", /^Connected/);
  }

  /** Waits for the end of the session, and resolves to what is said about it. */
  async ended() {
    await this.find("button", "Reconnect");
    return this.text("status", "");
  }

  /** Types a message and sends it with Enter. */
  async say(text) {
    await this.fill("Message", text);
    await this.page.keyboard.press("Enter");
  }

  /** Keys that are held together, such as `Alt`, `m`. */
  async chord(...keys) {
    for (const key of keys) await this.page.keyboard.down(key);
    for (const key of keys.reverse()) await this.page.keyboard.up(key);
  }

  /** The text that is seen in a part of the page. */
  async text(role, name) {
    return (await this.find(role, name)).evaluate((element) => element.innerText);
  }

  /** Waits until a part of the page shows `pattern`, and resolves to the match. */
  async shows(role, name, pattern) {
    let text = "";
    try {
      return await until(name, async () => {
        text = await this.text(role, name);
        return text.match(pattern);
      });
    } catch {
      throw new Error(`${role} "${name}" does not show ${pattern}, but: ${text.slice(-600)}`);
    }
  }

  /** Waits until the conversation shows `pattern`. */
  talks(pattern) {
    return this.shows("log", "Conversation", pattern);
  }

  /** Waits until the level meter of that name has been above zero. */
  level(name) {
    return until(`${name} above zero`, async () =>
      (await this.find("meter", name)).evaluate(
        (element) => Number(element.getAttribute("aria-valuenow")) > 0,
      ),
    );
  }

  /** Reloads the page, and thereby forgets the conversation. */
  async reload() {
    await this.page.reload({ waitUntil: "load" });
    await this.find("button", "Connect");
  }

  /** Ends the tab, with whatever session it has. */
  close() {
    return this.tab.close();
  }
}
