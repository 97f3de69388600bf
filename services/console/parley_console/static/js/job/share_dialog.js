/** The dialog that makes, lists and revokes links to this recording. Whoever has such a link needs no key. */

import { json, post } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { when } from "../format.js";

const DAY = 86400;
const LIVES = [[DAY, "1 day"], [7 * DAY, "7 days"], [30 * DAY, "30 days"]];
const USUAL = 7 * DAY;

/** @typedef {{id: string, audio: boolean, expires_at: string}} Share */

/** @param {any} job */
export function shareButton(job) {
  return h("button.button", { type: "button", onclick: () => openDialog(`${job.links.self}/shares`) }, icon("share"), "Share");
}

/** @param {string} path of the links of the job */
function openDialog(path) {
  const life = /** @type {HTMLSelectElement} */ (h("select", { id: "share-life" }, LIVES.map(([seconds, name]) => h("option", { value: seconds, selected: seconds === USUAL }, name))));
  const audio = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id: "share-audio" }));
  const address = /** @type {HTMLInputElement} */ (h("input", { type: "text", id: "share-link", readonly: true, spellcheck: "false", onfocus: () => address.select() }));
  const made = h("div.share-made", { hidden: true }, h("div.field", {}, h("label", { for: "share-link" }, "Link"), address), h("button.button", { type: "button", onclick: copy }, icon("link"), "Copy"));
  const problem = h("p.problem", { hidden: true, role: "alert" });
  const done = h("p.muted", { role: "status" });
  const list = h("ul.shares");
  const note = h("p.muted", { id: "share-note" }, "Whoever has the link sees turns, names and text of this recording, without a key. It shows nothing else, and ends with the recording.");
  const foot = h("div.dialog-foot", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Close"), h("button.button.primary", { type: "submit" }, "Make a link"));
  const choices = h("div.share-choices", {}, h("div.field", {}, h("label", { for: "share-life" }, "Works for"), life), h("label.switch", {}, audio, "With the sound"));
  const form = h("form", { onsubmit: make }, h("h2", { id: "share-title" }, "Share this recording"), note, choices, made, done, problem, list, foot);
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog.share", { "aria-labelledby": "share-title", "aria-describedby": "share-note", onclose: () => dialog.remove() }, form));

  /** @param {() => Promise<void>} step */
  async function attempt(step) {
    problem.hidden = true;
    done.textContent = "";
    try {
      await step();
    } catch (error) {
      problem.textContent = String(/** @type {any} */ (error).message);
      problem.hidden = false;
    }
  }

  /** @param {Event} event */
  function make(event) {
    event.preventDefault();
    return attempt(async () => {
      const { link } = await post(path, { seconds: Number(life.value), audio: audio.checked });
      address.value = location.origin + link;
      made.hidden = false;
      address.focus();
      await show();
    });
  }

  function copy() {
    return attempt(async () => {
      await navigator.clipboard.writeText(address.value);
      done.textContent = "Link copied.";
    });
  }

  async function show() {
    const { shares } = await json(path);
    fill(list, shares.filter(({ expires_at: end }) => new Date(end) > new Date()).map(entry));
  }

  /** @param {Share} share */
  function entry({ id, audio: sound, expires_at: end }) {
    const text = `Until ${when(end)}${sound ? ", with the sound" : ""}`;
    const revoke = () => attempt(async () => {
      await json(`${path}/${id}`, { method: "DELETE" });
      if (address.value) made.hidden = true;
      await show();
      done.textContent = "The link opens nothing any more.";
    });
    return h("li", {}, h("span.number", {}, text), h("button.button.quiet", { type: "button", "aria-label": `Revoke the link: ${text}`, onclick: revoke }, icon("cross"), "Revoke"));
  }

  document.body.append(dialog);
  dialog.showModal();
  attempt(show);
}
