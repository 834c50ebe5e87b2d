// Changes the sample rate of a stream, whatever pieces it comes in, with a windowed sinc as the low-pass.
// It must not know where samples come from or go to, nor their format beyond floating point.

/** Zero crossings of the sinc on each side, in samples of the lower rate: what it costs in delay. */
const CROSSINGS = 24;

/** Positions between two samples for which there are taps; between those they are interpolated. */
const PHASES = 256;

/** Of the window (Kaiser): about 80 dB for what is to be kept out. */
const BETA = 8;

/** Where the pass band ends, as a part of half the lower rate: its slope has to end there. */
const CUTOFF = 0.9;

export class Resampler {
  #from;
  #to;
  #taps;
  /** Taps of all phases, one phase behind the other, and one phase more to interpolate to. */
  #table;
  /** @type {Float32Array} samples that later output still needs */
  #kept = new Float32Array();
  /** How far the next output's first tap is behind the first kept sample, in `to`-ths of a sample. */
  #position = 0;

  /**
   * @param {number} from samples per second, whole
   * @param {number} to likewise
   */
  constructor(from, to) {
    this.#from = from;
    this.#to = to;
    const lower = Math.min(from, to);
    const half = Math.ceil((CROSSINGS * from) / lower);
    this.#taps = from === to ? 1 : 2 * half;
    this.#table = from === to ? new Float32Array() : tapsOf(half, (CUTOFF * lower) / from);
    this.reset();
  }

  /** Forgets what came before: silence. */
  reset() {
    // The first output is the first input.
    this.#kept = new Float32Array(Math.max(this.#taps / 2 - 1, 0));
    this.#position = 0;
  }

  /** How many samples behind one have to be there before it comes out. */
  get lookahead() {
    return this.#taps >> 1;
  }

  /**
   * @param {Float32Array} input
   * @returns {Float32Array} what can be computed by now
   */
  process(input) {
    if (this.#from === this.#to) return input;
    const samples = new Float32Array(this.#kept.length + input.length);
    samples.set(this.#kept);
    samples.set(input, this.#kept.length);
    // The last position at which all taps are there.
    const end = (samples.length - this.#taps + 1) * this.#to;
    const output = new Float32Array(Math.max(Math.ceil((end - this.#position) / this.#from), 0));
    for (let index = 0; index < output.length; index += 1) {
      output[index] = this.#at(samples, this.#position);
      this.#position += this.#from;
    }
    const used = Math.min(Math.floor(this.#position / this.#to), samples.length);
    this.#position -= used * this.#to;
    this.#kept = samples.slice(used);
    return output;
  }

  /**
   * @param {Float32Array} samples
   * @param {number} position
   * @returns {number}
   */
  #at(samples, position) {
    const first = Math.floor(position / this.#to);
    const phase = ((position % this.#to) / this.#to) * PHASES;
    const row = Math.floor(phase) * this.#taps;
    const rest = phase - Math.floor(phase);
    let sum = 0;
    for (let tap = 0; tap < this.#taps; tap += 1) {
      const here = this.#table[row + tap];
      sum += samples[first + tap] * (here + rest * (this.#table[row + this.#taps + tap] - here));
    }
    return sum;
  }
}

/**
 * @param {number} half taps on each side
 * @param {number} cutoff as a part of half the sample rate
 * @returns {Float32Array} for each phase, and one more
 */
function tapsOf(half, cutoff) {
  const table = new Float32Array((PHASES + 1) * 2 * half);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    const row = phase * 2 * half;
    let sum = 0;
    for (let tap = 0; tap < 2 * half; tap += 1) {
      const distance = tap - (half - 1) - phase / PHASES;
      const weight = cutoff * sinc(cutoff * distance) * kaiser(distance / half);
      table[row + tap] = weight;
      sum += weight;
    }
    // A constant stays one: no phase is louder than another.
    for (let tap = 0; tap < 2 * half; tap += 1) table[row + tap] /= sum;
  }
  return table;
}

/** @param {number} x */
function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** @param {number} x from -1 to 1 */
function kaiser(x) {
  return Math.abs(x) > 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA);
}

/**
 * The modified Bessel function of the first kind, order 0.
 * @param {number} x
 */
function bessel(x) {
  let sum = 1;
  for (let term = 1, k = 1; term > sum * 1e-12; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
