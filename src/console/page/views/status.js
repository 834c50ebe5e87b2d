// Says how the connection stands, what the agent does, and after an end what happened and what can be done about it.
// Knows nothing of how that is found out.

import { find } from "../dom.js";

/** @typedef {"idle" | "waiting" | "open" | "failed"} Standing */

const ACTIVITIES = {
  listening: "listening",
  deaf: "microphone off",
  thinking: "thinking",
  speaking: "speaking",
  hearing: "hears you",
};

export class Status {
  #strip = find("strip", HTMLElement);
  #title = find("status-title", HTMLElement);
  #advice = find("status-advice", HTMLElement);
  #code = find("status-code", HTMLElement);
  #activity = find("activity", HTMLElement);
  #ending = find("ending", HTMLElement);
  /** @type {Standing} */
  #standing = "idle";

  /** @param {{ onReconnect: () => void, onNew: () => void }} handlers */
  constructor({ onReconnect, onNew }) {
    find("reconnect", HTMLButtonElement).addEventListener("click", onReconnect);
    find("new-conversation", HTMLButtonElement).addEventListener("click", onNew);
  }

  /**
   * @param {Standing} standing
   * @param {string} title
   */
  say(standing, title) {
    this.#show(standing, title, "", "");
    this.#ending.hidden = true;
    this.#strip.classList.remove("ended");
  }

  /** @param {keyof typeof ACTIVITIES} activity of an open connection */
  setActivity(activity) {
    if (this.#standing !== "open") return;
    this.#strip.dataset.state = activity === "thinking" || activity === "speaking" ? activity : "open";
    const text = ACTIVITIES[activity];
    if (this.#activity.textContent !== text) this.#activity.textContent = text;
  }

  /**
   * The connection has ended.
   * @param {object} words
   * @param {string} words.headline
   * @param {string} words.advice
   * @param {string} words.code small print: the code, and what the other side said
   * @param {boolean} words.failed it was not meant to end
   */
  end({ headline, advice, code, failed }) {
    this.#show(failed ? "failed" : "idle", headline, advice, code);
    this.#ending.hidden = false;
    this.#strip.classList.add("ended");
  }

  /** Whether an end is being told. */
  get ended() {
    return !this.#ending.hidden;
  }

  /**
   * @param {Standing} standing
   * @param {string} title
   * @param {string} advice
   * @param {string} code
   */
  #show(standing, title, advice, code) {
    this.#standing = standing;
    this.#strip.dataset.state = standing;
    this.#activity.textContent = "";
    this.#title.textContent = title;
    this.#advice.textContent = advice;
    this.#code.textContent = code;
    this.#code.hidden = code === "";
  }
}
