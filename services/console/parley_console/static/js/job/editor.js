/** Sends corrections, and shows the version that they make. */

import { json, post } from "../api.js";
import { h, toast } from "../dom.js";
import { clock, count } from "../format.js";
import { Model } from "./model.js";

const AUTHOR = "parley-author";

/** @typedef {{kind: "speaker_of_turn" | "same_person", turn: string, speaker: string, candidates: {speaker: string, example: string | null}[], seconds: number}} Question */

/** What has been corrected, and what to ask next. Events: `change` after each correction, `ask` when the question changes. */
export class Editor extends EventTarget {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.canUndo = false;
    this.canRedo = false;
    this.last = ""; // who made the newest version
    this.sending = ""; // the correction that was asked for last, while it is being sent
    this.settled = Promise.resolve(); // when all that were asked for are answered
    /** @type {Question[]} by voice, the most useful first */
    this.questions = [];
    /** @type {Question | null} */
    this.asked = null;
    this.skipped = new Set(); // questions that nobody could answer
    this.answered = 0;
    this.followed = 0; // seconds of turns that were decided again by voice
    this.lookUp().catch((error) => session.signal.aborted || toast(String(error.message)));
    session.on(session, "select", () => session.selectedTurn?.id !== this.asked?.turn && this.ask(null));
    addEventListener("keydown", (event) => this.key(event), { signal: session.signal });
  }

  get path() {
    return `${this.session.job.links.self}/corrections`;
  }

  /**
   * Make a correction after those that are being sent; return whether it was made. The same one again at once is a double
   * click, and is left out.
   * @param {...any} operations as the API takes them
   */
  async apply(...operations) {
    return this.change(operations, false);
  }

  /** @param {any[]} operations @param {boolean} redecide decide the rest again by voice */
  async change(operations, redecide) {
    const text = JSON.stringify(operations);
    if (this.sending === text) return false;
    const author = localStorage.getItem(AUTHOR) ?? (await askForAuthor());
    if (!author) return false;
    this.sending = text;
    const made = this.settled.then(() => this.send(author, operations, redecide));
    this.settled = made.then(() => {}, () => {}).finally(() => (this.sending = ""));
    return made;
  }

  /**
   * @param {string} author
   * @param {any[]} operations
   * @param {boolean} redecide
   */
  async send(author, operations, redecide) {
    try {
      const made = await post(this.path, { base_version: this.session.model.version, author, operations, redecide });
      this.report(made.redecided.map((/** @type {any} */ one) => one.turn));
    } catch (problem) {
      toast(explain(/** @type {any} */ (problem)));
      if (/** @type {any} */ (problem).code === "correction_conflict") await this.reload();
      return false;
    }
    await this.reload();
    return true;
  }

  /** Show the newest version. What can be undone is known before it is shown. */
  async reload() {
    const { signal, job } = this.session;
    const [turns, found, asked] = await Promise.all([json(`${job.links.turns}?format=json`, { signal }), json(this.path, { signal }), json(`${this.path}/questions`, { signal })]);
    this.take(found, asked);
    this.session.replace(new Model(turns));
    this.dispatchEvent(new Event("change"));
  }

  async lookUp() {
    const { signal, model } = this.session;
    const [found, asked] = await Promise.all([model.version ? json(this.path, { signal }) : null, json(`${this.path}/questions`, { signal })]);
    this.take(found ?? { can_undo: false, can_redo: false, corrections: [] }, asked);
    this.dispatchEvent(new Event("change"));
  }

  /** Say what followed by voice. @param {string[]} ids of turns */
  report(ids) {
    const turns = this.session.model.turns.filter(({ id }) => ids.includes(id));
    const seconds = turns.reduce((sum, { start, end }) => sum + end - start, 0);
    this.followed += seconds;
    if (turns.length) toast(`${count(turns.length, "turn")} followed by voice, ${clock(seconds)} in all.`);
  }

  /** @param {any} found the corrections of the recording @param {any} asked the questions about it */
  take(found, asked) {
    this.questions = asked.questions.filter((/** @type {Question} */ one) => !this.skipped.has(keyOf(one)));
    this.ask(null);
    this.canUndo = found.can_undo;
    this.canRedo = found.can_redo;
    this.last = found.corrections.at(-1)?.author ?? "";
  }

  async undo() {
    await this.settled;
    return this.canUndo && this.apply({ operation: "undo" });
  }

  async redo() {
    await this.settled;
    return this.canRedo && this.apply({ operation: "redo" });
  }

  /** Say that a turn is of a speaker: confirm it, or give it to another one. @param {import("./model.js").Turn} turn @param {string | null} label null is a new speaker */
  async answer(turn, label) {
    const turns = [turn.id];
    const { asking } = this.session;
    const own = this.session.model.speakers[turn.speaker].label === label;
    const operation = label === null ? { operation: "split_speaker", turns } : own ? { operation: "confirm_turns", turns } : { operation: "reassign_turns", turns, speaker: label };
    if (await this.change([operation], true)) this.goOn(asking);
  }

  /** Say whether the two speakers of the question are one person. @param {boolean} same */
  async answerSame(same) {
    const { asked } = this;
    if (asked?.kind !== "same_person") return;
    const [{ speaker: into, example }] = asked.candidates;
    const operation = same ? { operation: "merge_speakers", speaker: asked.speaker, into } : { operation: "confirm_turns", turns: [asked.turn, example] };
    if (await this.change([operation], true)) this.goOn(true);
  }

  /** @param {boolean} asking */
  goOn(asking) {
    if (!asking) return;
    this.answered += 1;
    this.next();
  }

  /** Leave the question out. */
  skip() {
    if (!this.asked) return;
    this.skipped.add(keyOf(this.asked));
    this.questions = this.questions.filter((one) => one !== this.asked);
    this.next();
  }

  /** Ask the question whose answer changes most: by voice, then by confidence. */
  next() {
    const question = this.questions[0];
    const turn = question && this.session.model.turns.find(({ id }) => id === question.turn);
    if (!turn) {
      this.ask(null);
      return void this.session.nextQuestion();
    }
    this.asked = question;
    this.session.select(turn.index);
    this.session.asking = true;
    this.ask(question);
    this.session.player.playPart(turn);
  }

  /** @param {Question | null} question */
  ask(question) {
    this.asked = question;
    this.dispatchEvent(new Event("ask"));
  }

  /** Ctrl+Z and Ctrl+Shift+Z or Ctrl+Y, as in other programs. @param {KeyboardEvent} event */
  key(event) {
    const typing = /** @type {Element} */ (event.target).closest("input, select, textarea");
    if (!(event.ctrlKey || event.metaKey) || event.altKey || typing || document.querySelector("dialog[open]")) return;
    const name = event.key.toLowerCase();
    if (name !== "z" && name !== "y") return;
    event.preventDefault();
    if (name === "z" && !event.shiftKey) this.undo();
    else this.redo();
  }
}

/** Return what names a question. @param {Question} question */
function keyOf({ kind, turn, candidates }) {
  return kind === "same_person" ? `${turn} ${candidates[0].example}` : turn;
}

/** @param {any} problem */
function explain(problem) {
  if (problem.code === "correction_conflict") return "Somebody else has corrected this recording. This is the newest version: make your correction again.";
  if (problem.code === "scope_missing") return "This key may not correct turns.";
  return problem.message;
}

/** Ask who corrects, once for this browser; return the name, null if the user gives none. @returns {Promise<string | null>} */
export function askForAuthor() {
  return new Promise((resolve) => {
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "text", id: "author", required: true, maxlength: 200, autocomplete: "name", value: localStorage.getItem(AUTHOR) ?? "" }));
    const take = () => input.value.trim() && localStorage.setItem(AUTHOR, input.value.trim());
    const foot = h("div.dialog-foot", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"), h("button.button.primary", { type: "submit" }, "Continue"));
    const form = h("form", { method: "dialog", onsubmit: take }, h("h2", { id: "author-title" }, "Who corrects?"), h("div.field", {}, h("label", { for: "author" }, "Your name"), input), h("p.muted", {}, "Each correction keeps the name of its author. This browser remembers yours."), foot);
    const closed = () => (dialog.remove(), resolve(localStorage.getItem(AUTHOR)));
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "author-title", onclose: closed }, form));
    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
