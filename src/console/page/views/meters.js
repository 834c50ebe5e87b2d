// Shows a level of sound: five bars that move once a frame, and a meter that is read out four times a second at most.
// Knows nothing of where the level comes from.

const READ_EVERY_MS = 250;
/** What is left of a level after one frame without a louder one: bars fall slower than they rise. */
const FALL = 0.82;
/** Quieter than this moves no bar. */
const SILENCE = 0.01;

export class Meter {
  #wave;
  #meter;
  #level = 0;
  #shown = 0;
  #drawing = false;
  #readAt = 0;

  /**
   * @param {HTMLElement} wave whose `--level` is set
   * @param {HTMLElement} meter of role meter, 0 to 100
   */
  constructor(wave, meter) {
    this.#wave = wave;
    this.#meter = meter;
  }

  /** @param {number} level 0 to 1, of the sound's amplitude; 0 is taken at once */
  set(level) {
    this.#level = level;
    if (!this.#drawing) {
      this.#drawing = true;
      requestAnimationFrame(this.#draw);
    }
  }

  /** @param {number} now */
  #draw = (now) => {
    // Ears hear loudness roughly as the root of the amplitude; speech rarely passes a third of full scale.
    const wanted = Math.min(1, Math.sqrt(this.#level * 2.5));
    this.#shown = Math.max(wanted, this.#shown * FALL);
    const rests = this.#shown < SILENCE && wanted < SILENCE;
    if (rests) this.#shown = 0;
    this.#wave.style.setProperty("--level", this.#shown.toFixed(3));
    if (rests || now - this.#readAt >= READ_EVERY_MS) {
      this.#readAt = now;
      this.#meter.setAttribute("aria-valuenow", String(Math.round(this.#shown * 100)));
    }
    this.#drawing = !rests;
    if (this.#drawing) requestAnimationFrame(this.#draw);
  };
}
