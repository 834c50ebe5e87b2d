// How long each turn took, as a table, and the median of all turns.
// Knows nothing of how the times are measured.

import { find, make, oncePerFrame } from "../dom.js";
import { median } from "./time.js";

/** @typedef {import("../conversation/turns.js").Turn} Turn */

/**
 * The columns: their heads, what they mean, and the value in ms.
 * @type {readonly {head: string, meaning: string, of: (turn: Turn) => number | null}[]}
 */
const COLUMNS = [
  {
    head: "Heard",
    meaning: "until the gateway told what you said",
    of: ({ latencies }) => latencies.transcript,
  },
  { head: "Text", meaning: "until the first text of the answer", of: ({ latencies }) => latencies.firstText },
  {
    head: "Audio",
    meaning: "until the first audio of the answer was received",
    of: ({ latencies }) => latencies.firstAudio,
  },
  {
    head: "Sound",
    meaning: "until the first sound left the speaker",
    of: ({ latencies }) => latencies.firstSound,
  },
  { head: "Gateway", meaning: "until the first audio, as the gateway measured it", of: reported },
];

export class Latencies {
  #panel = find("latencies", HTMLElement);
  #empty = find("latencies-empty", HTMLElement);
  #body = make("tbody");
  #foot = make("tr");
  #table;
  /** @type {Map<Turn, HTMLTableRowElement>} */
  #rows = new Map();
  #number = 0;
  #sumSoon = oncePerFrame(() => this.#sum());

  constructor() {
    const heads = COLUMNS.map(({ head, meaning }) => make("th", { scope: "col", title: meaning }, head));
    this.#table = make(
      "table",
      { hidden: true },
      make(
        "caption",
        { class: "visually-hidden" },
        "Milliseconds from the end of what you said, or from when you sent it",
      ),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Turn"), ...heads)),
      this.#body,
      make("tfoot", {}, this.#foot),
    );
    this.#panel.append(this.#table);
  }

  /**
   * @param {Turn} turn
   * @param {"added" | "changed" | "removed"} change
   */
  show(turn, change) {
    let row = this.#rows.get(turn);
    if (change === "removed") {
      row?.remove();
      this.#rows.delete(turn);
    } else {
      if (!row) {
        this.#number += 1;
        row = make("tr", {}, make("th", { scope: "row" }, `${this.#number} ${turn.began}`));
        this.#rows.set(turn, row);
        this.#body.prepend(row);
      }
      row.replaceChildren(row.cells[0], ...COLUMNS.map(({ of }) => cell(of(turn))));
    }
    this.#sumSoon();
  }

  clear() {
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#number = 0;
    this.#sumSoon();
  }

  #sum() {
    const turns = [...this.#rows.keys()];
    const medians = COLUMNS.map(({ of }) => median(turns.map(of).filter((value) => value !== null)));
    this.#foot.replaceChildren(make("th", { scope: "row" }, "Median"), ...medians.map(cell));
    this.#table.hidden = turns.length === 0;
    this.#empty.hidden = turns.length > 0;
  }
}

/** @param {number | null} ms */
function cell(ms) {
  return make("td", {}, ms === null ? "–" : String(Math.round(ms)));
}

/** @param {Turn} turn */
function reported({ reported: said, report }) {
  const seconds = said?.total ?? report?.total_latency ?? null;
  return seconds === null ? null : seconds * 1000;
}
