// The time line: the newest protocol messages that match a filter, their JSON, and the buttons that pause, clear and save.
// Knows nothing of what messages mean; of all entries it draws the newest few hundred.

import { copies, find, icon, make, oncePerFrame, pretty } from "../dom.js";
import { remember, remembered } from "../storage.js";
import { summaryOf } from "../timeline.js";

/** @typedef {import("../timeline.js").Entry} Entry */
/** @typedef {import("../timeline.js").Timeline} Timeline */

/** How many rows are drawn at most. */
const ROWS = 300;
/** So near its end the list follows what is added, px. */
const NEAR = 48;
/** How often entries are looked through while there is a filter, ms. */
const FILTER_EVERY_MS = 250;
/** How many characters of a message its row shows. */
const BRIEF = 240;

export class LineView {
  #timeline;
  #panel = find("rows", HTMLElement);
  #empty = find("rows-empty", HTMLElement);
  #count = find("line-count", HTMLElement);
  #filter = find("filter", HTMLInputElement);
  #audio = find("line-audio", HTMLInputElement);
  #pause = find("line-pause", HTMLButtonElement);
  #clear = find("line-clear", HTMLButtonElement);
  #download = find("line-download", HTMLButtonElement);
  #earlier = make("p", { class: "rows-note", hidden: true });
  /** @type {Map<number, HTMLElement>} by the entry's id, in their order */
  #rows = new Map();
  #paused = false;
  #follows = true;
  #drawnAt = 0;
  #startedAt = 0;
  #drawSoon = oncePerFrame(() => this.#draw());

  /**
   * @param {Timeline} timeline
   * @param {{ onDownload: () => void, onClear: () => void }} handlers
   */
  constructor(timeline, { onDownload, onClear }) {
    this.#timeline = timeline;
    this.#panel.append(this.#earlier);
    this.#fold();
    this.#filter.addEventListener("input", () => this.reset());
    this.#audio.addEventListener("change", () => this.reset());
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#paused));
    this.#clear.addEventListener("click", () => {
      onClear();
      this.reset();
    });
    this.#download.addEventListener("click", onDownload);
    this.#panel.addEventListener("scroll", () => this.#watch(), { passive: true });
    new ResizeObserver(() => this.#follows && this.#scroll()).observe(this.#panel);
  }

  /**
   * Entries were added, or grew.
   * @param {number} startedAt when the present connection began, ms: what times are shown from
   */
  changed(startedAt) {
    this.#startedAt = startedAt;
    this.#drawSoon();
  }

  /** Draws anew: other entries are wanted, or there are none any more. */
  reset() {
    for (const row of this.#rows.values()) row.remove();
    this.#rows.clear();
    this.#follows = true;
    this.#draw();
  }

  #draw() {
    const { length } = this.#timeline;
    this.#clear.disabled = this.#download.disabled = length === 0;
    this.#empty.hidden = length > 0;
    const still = this.#paused || !this.#follows;
    this.#count.textContent =
      length === 0 ? "" : `${length} ${length === 1 ? "entry" : "entries"}${still ? ", held" : ""}`;
    if (still && this.#rows.size > 0) return;
    const filter = this.#filter.value.trim();
    const now = performance.now();
    if (filter !== "" && this.#rows.size > 0 && now - this.#drawnAt < FILTER_EVERY_MS) {
      setTimeout(this.#drawSoon, FILTER_EVERY_MS);
      return;
    }
    this.#drawnAt = now;
    const found = this.#timeline.entries(filter).filter(({ frames }) => this.#audio.checked || frames === 0);
    this.#show(found.slice(-ROWS), found.length);
  }

  /**
   * @param {Entry[]} entries the newest
   * @param {number} of how many
   */
  #show(entries, of) {
    const first = entries[0]?.id ?? Number.POSITIVE_INFINITY;
    for (const [id, row] of this.#rows) {
      if (id >= first) break;
      row.remove();
      this.#rows.delete(id);
    }
    const added = [];
    for (const entry of entries) {
      const row = this.#rows.get(entry.id);
      if (row === undefined) {
        const made =
          entry.json === "" ? audioRow(entry, this.#startedAt) : messageRow(entry, this.#startedAt);
        this.#rows.set(entry.id, made);
        added.push(made);
      } else if (entry.frames > 0) {
        grow(row, entry);
      }
    }
    this.#panel.append(...added);
    const { dropped } = this.#timeline;
    const hidden = of - entries.length;
    const unseen =
      hidden > 0
        ? `${hidden} earlier ${hidden === 1 ? "entry is" : "entries are"} not drawn: filter, or download them.`
        : "";
    const none = of === 0 && this.#timeline.length > 0 ? "Nothing matches the filter." : "";
    const gone = dropped > 0 ? `${dropped} went, because there was no room.` : "";
    this.#earlier.textContent = [none, unseen, gone].filter(Boolean).join(" ");
    this.#earlier.hidden = this.#earlier.textContent === "";
    if (added.length > 0) this.#scroll();
  }

  #scroll() {
    this.#panel.scrollTop = this.#panel.scrollHeight;
  }

  #watch() {
    const { scrollHeight, scrollTop, clientHeight } = this.#panel;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR;
    if (follows === this.#follows) return;
    this.#follows = follows;
    this.#drawSoon();
  }

  /** @param {boolean} paused */
  #setPaused(paused) {
    this.#paused = paused;
    this.#pause.setAttribute("aria-pressed", String(paused));
    this.#pause.querySelector("use")?.setAttribute("href", paused ? "#i-play" : "#i-pause");
    this.#follows = true;
    this.#drawSoon();
  }

  #fold() {
    const button = find("line-fold", HTMLButtonElement);
    const panel = button.closest(".panel");
    const set = (/** @type {boolean} */ open) => {
      button.setAttribute("aria-expanded", String(open));
      panel?.classList.toggle("folded", !open);
      remember("line", open ? "open" : "folded");
    };
    button.addEventListener("click", () => set(button.getAttribute("aria-expanded") !== "true"));
    set(remembered("line") !== "folded");
  }
}

/**
 * @param {Entry} entry
 * @param {number} startedAt
 */
function messageRow({ at, direction, type, json }, startedAt) {
  const level = type === "Error" ? " is-error" : type === "Warning" ? " is-warning" : "";
  const shown = json.slice(0, BRIEF + type.length);
  // The type stands beside it already.
  const rest = shown
    .replace(`"type":"${type}",`, "")
    .replace(`,"type":"${type}"`, "")
    .replace(/^\{"type":"[^"]*"\}$/, "");
  const summary = make(
    "summary",
    {},
    ...cells(at, direction, direction === "end" ? "connection ended" : type, rest, startedAt),
  );
  const details = make("details", { class: `entry${level}` }, summary);
  // Most are never opened.
  details.addEventListener(
    "toggle",
    () => {
      const text = pretty(json);
      const copy = make(
        "button",
        { type: "button", class: "icon-button tiny", "aria-label": `Copy ${type}` },
        icon("copy"),
      );
      copies(copy, () => text);
      details.append(make("div", { class: "entry-body" }, make("pre", { class: "json" }, text), copy));
    },
    { once: true },
  );
  return details;
}

/**
 * @param {Entry} entry
 * @param {number} startedAt
 */
function audioRow(entry, startedAt) {
  const row = make(
    "div",
    { class: "entry audio" },
    ...cells(entry.at, entry.direction, "audio", "", startedAt),
  );
  grow(row, entry);
  return row;
}

/**
 * @param {HTMLElement} row of audio
 * @param {Entry} entry
 */
function grow(row, entry) {
  const text = summaryOf(entry).replace(/^audio, /, "");
  const brief = row.lastElementChild;
  if (brief && brief.textContent !== text) brief.textContent = text;
}

/**
 * @param {number} at
 * @param {Entry["direction"]} direction
 * @param {string} type
 * @param {string} brief
 * @param {number} startedAt
 */
function cells(at, direction, type, brief, startedAt) {
  const arrow = make(
    "span",
    { class: `way ${direction}` },
    make("span", { class: "visually-hidden" }, direction === "end" ? "" : direction),
  );
  if (direction !== "end") arrow.append(icon(direction, "direction"));
  return [
    make("span", { class: "at" }, ((at - startedAt) / 1000).toFixed(3)),
    arrow,
    make("span", { class: "type" }, type),
    make("span", { class: "brief" }, brief),
  ];
}
