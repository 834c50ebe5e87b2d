// The shortcuts, the dialog that lists them, and the button for light and dark.
// Knows nothing of what the shortcuts do.

import { find, setIcon } from "../dom.js";
import { remember, remembered } from "../storage.js";

/** @type {Record<string, {next: string, name: string}>} */
const THEMES = {
  system: { next: "light", name: "Colours: as the system" },
  light: { next: "dark", name: "Colours: light" },
  dark: { next: "system", name: "Colours: dark" },
};

export class Keyboard {
  #help = find("help", HTMLDialogElement);

  /** @param {Record<string, () => void>} shortcuts by the key's code, all with Alt */
  constructor(shortcuts) {
    find("help-open", HTMLButtonElement).addEventListener("click", () => this.#help.showModal());
    find("help-close", HTMLButtonElement).addEventListener("click", () => this.#help.close());
    // The backdrop is the dialog itself; its content is not.
    this.#help.addEventListener("click", (event) => event.target === this.#help && this.#help.close());
    addEventListener("keydown", (event) => {
      if (event.key === "?" && !event.altKey && !event.ctrlKey && !event.metaKey && !writes(event.target)) {
        event.preventDefault();
        this.#help.showModal();
        return;
      }
      const plainAlt = event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey;
      // By code, because Alt and a letter is another character on a Mac.
      if (!plainAlt || event.repeat || !Object.hasOwn(shortcuts, event.code) || this.#help.open) return;
      event.preventDefault();
      shortcuts[event.code]();
    });
  }
}

export class Theme {
  #button = find("theme", HTMLButtonElement);
  #root = document.documentElement;

  constructor() {
    this.#button.addEventListener("click", () => {
      const { next } = THEMES[this.#chosen()];
      remember("theme", next);
      this.#root.dataset.theme = next;
      this.#show();
    });
    this.#show();
  }

  #chosen() {
    const chosen = this.#root.dataset.theme ?? remembered("theme") ?? "system";
    return chosen in THEMES ? chosen : "system";
  }

  #show() {
    const chosen = this.#chosen();
    setIcon(this.#button, chosen);
    this.#button.setAttribute("aria-label", THEMES[chosen].name);
    this.#button.title = THEMES[chosen].name;
  }
}

/**
 * Whether somebody writes in this element, so that a character is text.
 * @param {EventTarget | null} target
 */
function writes(target) {
  if (target instanceof HTMLInputElement)
    return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
