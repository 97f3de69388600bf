/** Keys for the whole page of a job, and the dialog that lists them. They can be switched off (WCAG 2.1.4). */

import { h } from "../dom.js";

const SWITCH = "parley-shortcuts";
const LISTED = [
  ["Space or K", "Play, pause"], ["J, L", "10 seconds back, forward"], ["← →", "5 seconds, on the timeline; with Shift 1 second"], ["N, P", "Next, previous turn"],
];
const CORRECTING = [
  ["R", "Next question, the most useful first"], ["Y, X, S", "Yes, no, cannot say"], ["T, E", "Play the turn of the question, an example of the speaker"], ["C", "The speaker of the selected turn is right"], ["1 … 9", "Give the selected turn to this speaker"], ["Ctrl+Z", "Undo; with Shift redo"],
];
const VIEWING = [
  ["< >", "Slower, faster"], ["+ −", "Zoom in, out"], ["0", "Show the whole recording"], ["F", "Follow while playing"], ["?", "This list"],
];

/** @param {import("./session.js").Session} session @param {import("./editor.js").Editor | null} editor null where nothing can be corrected @param {(factor: number) => void} zoomBy */
export function shortcuts(session, editor, zoomBy) {
  const { player, view, signal } = session;
  const faster = (/** @type {number} */ step) => (player.speed = Math.min(4, Math.max(0.25, player.speed + step)));
  /** @type {Record<string, () => void>} */
  const actions = {
    " ": () => player.toggle(), k: () => player.toggle(), j: () => player.seek(player.time - 10), l: () => player.seek(player.time + 10),
    n: () => session.step(1), p: () => session.step(-1), "<": () => faster(-0.25), ">": () => faster(0.25),
    "+": () => zoomBy(2), "=": () => zoomBy(2), "-": () => zoomBy(0.5), 0: () => view.glide(0, view.total), f: () => session.follow(!session.following), "?": show, ...(editor && correcting(session, editor)),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem(SWITCH) === "off" || document.querySelector("dialog[open]")) return;
    const target = /** @type {Element} */ (event.target);
    const typing = target.closest("input, select, textarea") || (event.key === " " && target.closest("button, a"));
    const action = actions[event.key.toLowerCase()];
    if (typing || !action) return;
    event.preventDefault();
    action();
  }, { signal });

  function show() {
    const on = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", id: "shortcuts-on", checked: localStorage.getItem(SWITCH) !== "off" }));
    on.addEventListener("change", () => localStorage.setItem(SWITCH, on.checked ? "on" : "off"));
    const rows = [...LISTED, ...(editor ? CORRECTING : []), ...VIEWING].map(([keys, what]) => h("div", {}, h("dt", {}, h("kbd", {}, keys)), h("dd", {}, what)));
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "shortcuts-title", onclose: () => dialog.remove() }, h("form", { method: "dialog" }, h("h2", { id: "shortcuts-title" }, "Keyboard shortcuts"), h("dl.shortcuts", {}, rows), h("label.switch", {}, on, "Use shortcuts of one key"), h("div.dialog-foot", {}, h("button.button.primary", { autofocus: true }, "Close")))));
    document.body.append(dialog);
    dialog.showModal();
  }

  return { show };
}

/** Return the keys that correct. @param {import("./session.js").Session} session @param {import("./editor.js").Editor} editor */
function correcting(session, editor) {
  const answer = (/** @type {number} */ place) => {
    const turn = session.model.turns[session.selected];
    const speaker = session.model.speakers[place < 0 ? turn?.speaker : place];
    if (turn && speaker) editor.answer(turn, speaker.label);
  };
  const yes = () => (editor.asked?.kind === "same_person" ? void editor.answerSame(true) : editor.asked && answer(-1));
  const listen = (/** @type {boolean} */ example) => {
    const { asked } = editor;
    const id = example ? asked?.candidates.find((one) => one.example)?.example : asked?.turn;
    const turn = session.model.turns.find((one) => one.id === id);
    if (turn) session.player.playPart(turn);
  };
  /** @type {Record<string, () => void>} */
  const actions = { r: () => editor.next(), y: () => yes(), x: () => void editor.answerSame(false), s: () => editor.skip(), t: () => listen(false), e: () => listen(true), c: () => answer(-1) };
  for (let place = 0; place < 9; place++) actions[place + 1] = () => answer(place);
  return actions;
}
