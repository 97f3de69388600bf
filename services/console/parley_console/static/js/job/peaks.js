/** Peaks of the waveform, coarser and coarser, so that any zoom reads a few values per pixel. */

const HEADER_BYTES = 24;

/** @typedef {{perSecond: number, highs: Uint8Array, full: number}} Level `full` is drawn at full height: one click does not flatten the rest */

export class Peaks {
  /** @param {ArrayBuffer} file an audiowaveform file, version 2, 8 bits, one channel */
  constructor(file) {
    const header = new DataView(file, 0, HEADER_BYTES);
    const [sampleRate, samples, pairs] = [header.getInt32(8, true), header.getInt32(12, true), header.getUint32(16, true)];
    const values = new Int8Array(file, HEADER_BYTES, pairs * 2);
    const highs = new Uint8Array(pairs);
    for (let index = 0; index < pairs; index++) highs[index] = Math.max(-values[2 * index], values[2 * index + 1], 0);
    /** @type {Level[]} finest first */
    this.levels = [levelOf(sampleRate / samples, highs)];
    while (this.levels[this.levels.length - 1].highs.length > 512) this.levels.push(halved(this.levels[this.levels.length - 1]));
  }

  /** Return the level with at least one value per pixel. @param {number} pixelsPerSecond */
  level(pixelsPerSecond) {
    return this.levels.findLast((level) => level.perSecond >= pixelsPerSecond) ?? this.levels[0];
  }
}

/** @param {Level} level @returns {Level} */
function halved({ perSecond, highs }) {
  const coarse = new Uint8Array(Math.ceil(highs.length / 2));
  for (let index = 0; index < coarse.length; index++) coarse[index] = (highs[2 * index] + (highs[2 * index + 1] ?? highs[2 * index])) / 2; // a mean: the highest of a long part is always high
  return levelOf(perSecond / 2, coarse);
}

/** @param {number} perSecond @param {Uint8Array} highs @returns {Level} */
function levelOf(perSecond, highs) {
  const sorted = Uint8Array.from(highs).sort();
  return { perSecond, highs, full: Math.max(8, sorted[Math.floor(sorted.length * 0.995)] ?? 8) };
}
