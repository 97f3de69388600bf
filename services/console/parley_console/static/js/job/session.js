/** What the parts of a job's page share: turns, player, viewport, and what is selected. */

import { Viewport } from "./viewport.js";

/** Events: `model` when the turns change, `texts` when they have got their texts, `select`, `filter`, `follow`. The player and the viewport have their own. */
export class Session extends EventTarget {
  /**
   * @param {any} job
   * @param {import("./model.js").Model} model
   * @param {import("./player.js").Player} player
   * @param {AbortSignal} signal
   */
  constructor(job, model, player, signal) {
    super();
    this.job = job;
    this.model = model;
    this.player = player;
    this.signal = signal;
    this.view = new Viewport(model.seconds);
    this.selected = -1; // index of a turn
    this.speaker = -1; // only this speaker's turns are shown
    this.review = false; // only turns that need review are shown
    this.following = true;
    this.asking = false; // the selected turn was reached as a question
  }

  /** @param {import("./model.js").Model} model */
  replace(model) {
    const turn = this.model.turns[this.selected]?.id;
    const speaker = this.model.speakers[this.speaker]?.label;
    this.model = model;
    this.selected = model.turns.findIndex(({ id }) => id === turn);
    this.speaker = model.speakers.findIndex(({ label }) => label === speaker);
    this.tell("model");
  }

  /** Add the texts of the turns, unless a correction has brought them meanwhile. @param {any} document what `GET /v1/jobs/{id}/turns` answers */
  addTexts(document) {
    if ((document.version ?? 0) !== this.model.version || !document.turns.some((/** @type {any} */ { text }) => text)) return;
    document.turns.forEach((/** @type {any} */ { text }, /** @type {number} */ index) => (this.model.turns[index].text = text ?? ""));
    this.tell("texts");
  }

  /** The turn that is selected, if there is one. */
  get selectedTurn() {
    return this.model.turns[this.selected];
  }

  /** Return the turns that the filters leave. */
  get turns() {
    return this.model.turns.filter((turn) => (this.speaker < 0 || turn.speaker === this.speaker) && (!this.review || turn.review));
  }

  /** Select a turn and go there. @param {number} index @param {boolean} [play] */
  select(index, play = false) {
    const turn = this.model.turns[index];
    if (!turn) return;
    this.asking = false;
    this.selected = index;
    this.player.seek(turn.start);
    this.view.reveal(turn.start);
    this.tell("select");
    if (play && !this.player.playing) this.player.toggle();
  }

  /** @param {{speaker?: number, review?: boolean}} change */
  filter(change) {
    Object.assign(this, change);
    this.tell("filter");
  }

  /** Select the next or previous of the turns that the filters leave. @param {number} direction 1 or -1 */
  step(direction) {
    const { turns } = this;
    const now = this.player.time + 0.01;
    const next = direction > 0 ? turns.find(({ start }) => start > now) : turns.findLast(({ start }) => start < now - 0.5);
    if (next) this.select(next.index);
  }

  /** Select the next turn to review, the most useful first; return whether there is one. */
  nextQuestion() {
    const { questions } = this.model;
    const place = questions.findIndex(({ index }) => index === this.selected);
    const next = questions[(place + 1) % Math.max(1, questions.length)];
    if (next) this.select(next.index, true);
    this.asking = Boolean(next);
    return Boolean(next);
  }

  /** @param {boolean} following */
  follow(following) {
    this.following = following;
    this.tell("follow");
  }

  /** @param {string} event */
  tell(event) {
    this.dispatchEvent(new Event(event));
  }

  /** @param {EventTarget} target @param {string} event @param {() => void} listener */
  on(target, event, listener) {
    target.addEventListener(event, listener, { signal: this.signal });
  }
}
