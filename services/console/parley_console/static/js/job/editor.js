/** Sends corrections, and shows the version that they make. */

import { json, post } from "../api.js";
import { h, toast } from "../dom.js";
import { Model } from "./model.js";

const AUTHOR = "parley-author";

/** What has been corrected. Events: `change` after each correction. */
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
    if (session.model.version) this.lookUp();
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
    const text = JSON.stringify(operations);
    if (this.sending === text) return false;
    const author = localStorage.getItem(AUTHOR) ?? (await askForAuthor());
    if (!author) return false;
    this.sending = text;
    const made = this.settled.then(() => this.send(author, operations));
    this.settled = made.then(() => {}, () => {}).finally(() => (this.sending = ""));
    return made;
  }

  /**
   * @param {string} author
   * @param {any[]} operations
   */
  async send(author, operations) {
    try {
      await post(this.path, { base_version: this.session.model.version, author, operations });
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
    const [turns, found] = await Promise.all([json(`${job.links.turns}?format=json`, { signal }), json(this.path, { signal })]);
    this.take(found);
    this.session.replace(new Model(turns));
    this.dispatchEvent(new Event("change"));
  }

  async lookUp() {
    this.take(await json(this.path, { signal: this.session.signal }));
    this.dispatchEvent(new Event("change"));
  }

  /** @param {any} found the corrections of the recording */
  take(found) {
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
    if ((await this.apply(operation)) && asking) this.session.nextQuestion();
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
