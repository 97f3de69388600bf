/** The turns of a job, prepared for drawing and searching. Times are seconds. */

/**
 * @typedef {{index: number, id: string, start: number, end: number, speaker: number, confidence: number | null, review: boolean, confirmed: boolean, text: string}} Turn
 * @typedef {{index: number, label: string, name: string, named: boolean, role: string | null, colour: number, seconds: number, turns: Turn[], reviews: number, several: boolean}} Speaker
 */

export const COLOURS = 20;
const LABEL = /^SPEAKER_(\d+)$/;

export class Model {
  /** @param {any} document what `GET /v1/jobs/{id}/turns` answers */
  constructor(document) {
    this.document = document;
    /** @type {number} */
    this.version = document.version ?? 0;
    /** @type {number} */
    this.seconds = document.recording.seconds;
    const identities = new Map((document.identities ?? []).map((/** @type {any} */ one) => [one.speaker, one]));
    const several = new Set((document.purity ?? []).filter((/** @type {any} */ one) => one.needs_review).map((/** @type {any} */ one) => one.speaker));
    /** @type {Speaker[]} */
    this.speakers = document.speakers.map((/** @type {string} */ label, /** @type {number} */ index) => ({
      index, label, name: identities.get(label)?.name ?? plainName(label), named: Boolean(identities.get(label)?.name), role: identities.get(label)?.role ?? null,
      colour: numberOf(label, index) % COLOURS, seconds: 0, turns: [], reviews: 0, several: several.has(label),
    }));
    const places = new Map(this.speakers.map(({ label, index }) => [label, index]));
    /** @type {Turn[]} */
    this.turns = document.turns.map((/** @type {any} */ turn, /** @type {number} */ index) => ({
      index, id: turn.id, start: turn.start, end: turn.end, speaker: places.get(turn.speaker) ?? 0, confidence: turn.confidence,
      review: turn.needs_review === true, confirmed: turn.confirmed === true, text: turn.text ?? "",
    }));
    for (const turn of this.turns) {
      const speaker = this.speakers[turn.speaker];
      speaker.turns.push(turn);
      speaker.seconds += turn.end - turn.start;
      speaker.reviews += Number(turn.review);
    }
    /** @type {{start: number, end: number}[]} */
    this.overlaps = document.overlaps;
    this.talk = this.speakers.reduce((sum, { seconds }) => sum + seconds, 0);
    this.rated = this.turns.some(({ confidence }) => confidence !== null);
  }

  /** Return a sentence per doubt: what is unusual about the sound, how many speakers there are, who may be several. @returns {string[]} */
  get doubts() {
    const sound = (this.document.audio_quality?.warnings ?? []).map((/** @type {{detail: string}} */ { detail }) => detail);
    const count = this.document.speaker_count;
    const [low, high] = count?.plausible ?? [];
    const number = count?.needs_review ? [`The number of speakers is uncertain: ${low} to ${high} are plausible.`] : [];
    const names = this.speakers.filter(({ several }) => several).map(({ name }) => name);
    const people = names.length ? [`${names.join(", ")} may be several people. Listen to turns far apart.`] : [];
    return [...sound, ...number, ...people];
  }

  /** Return the turns that need a look, the most useful first: uncertain and long. */
  get questions() {
    const weight = (/** @type {Turn} */ turn) => (1 - (turn.confidence ?? 1)) * (turn.end - turn.start);
    return this.turns.filter(({ review }) => review).sort((one, other) => weight(other) - weight(one));
  }

  /** Return the turns that sound at a moment. @param {number} seconds @returns {Turn[]} */
  at(seconds) {
    return this.speakers.flatMap(({ turns }) => {
      const turn = turns[lastBefore(turns, seconds)];
      return turn && turn.end > seconds ? [turn] : [];
    });
  }

  /** Return the index of the last turn that has begun, -1 before the first. @param {number} seconds */
  begun(seconds) {
    return lastBefore(this.turns, seconds);
  }

  /** Return a colour index plus 1 for each of `length` equal parts of the recording: 0 is nobody. @param {number} length */
  colourOfParts(length) {
    const parts = new Uint8Array(length);
    const perSecond = length / this.seconds;
    for (const turn of this.turns) parts.fill(this.speakers[turn.speaker].colour + 1, Math.floor(turn.start * perSecond), Math.ceil(turn.end * perSecond));
    return parts;
  }
}

/** Return the index of the last item that starts at or before a moment, -1 without one. @param {{start: number}[]} items sorted by start @param {number} seconds */
export function lastBefore(items, seconds) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].start <= seconds) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Return the number in a label: a speaker keeps the colour when others are merged. @param {string} label @param {number} index */
function numberOf(label, index) {
  const match = LABEL.exec(label);
  return match ? Number(match[1]) : index;
}

/** @param {string} label */
function plainName(label) {
  const match = LABEL.exec(label);
  return match ? `Speaker ${Number(match[1]) + 1}` : label;
}
