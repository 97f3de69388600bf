/** The panel that corrects the selected turn: who speaks, where it begins and ends; undo, redo and the version. */

import { fill, h, icon, toast } from "../dom.js";
import { clock, count, fineClock } from "../format.js";
import { askForAuthor } from "./editor.js";
import { questionBox } from "./question_box.js";

const ADDED_SECONDS = 2; // length of a turn that is added

/** @param {import("./session.js").Session} session @param {import("./editor.js").Editor} editor */
export function correctPanel(session, editor) {
  const { player } = session;
  const question = h("p");
  const answers = h("div.answers", { role: "group", "aria-label": "Who speaks" });
  const edges = h("form.edges", { onsubmit: move });
  const start = edge("edge-start", "Start, s");
  const end = edge("edge-end", "End, s");
  edges.append(start.field, end.field, h("button.button", { type: "submit" }, "Move"));
  const tools = h("div.correct-tools", {}, tool("Split here", "Cut the turn where the playhead is", split), tool("Remove", "Remove the turn: nobody speaks", remove), tool("Add a turn here", "Add a turn where the playhead is", add));
  const version = h("p.muted.version");
  const undo = h("button.button.quiet", { type: "button", title: "Undo (Ctrl+Z)", onclick: () => editor.undo() }, icon("undo"), "Undo");
  const redo = h("button.button.quiet", { type: "button", title: "Redo (Ctrl+Shift+Z)", onclick: () => editor.redo() }, icon("redo"), "Redo");
  const next = h("button.button.primary", { type: "button", onclick: () => editor.next() }, icon("play"), "Check the next");
  const state = h("p.muted");
  const doubts = h("div.doubts");
  const box = questionBox(session, editor);
  const element = h("section.panel.correct-panel", { "aria-label": "Review and correct" }, h("div.correct-head", {}, h("h2", {}, "Review and correct"), h("span", {}, undo, redo)), doubts, state, next, box, question, answers, edges, tools, version);

  /** @param {string} id @param {string} name */
  function edge(id, name) {
    const input = /** @type {HTMLInputElement} */ (h("input", { type: "number", id, min: 0, step: "0.001", required: true }));
    return { input, field: h("div.field", {}, h("label", { for: id }, name), input) };
  }

  /** @param {string} name @param {string} title @param {() => void} onclick */
  function tool(name, title, onclick) {
    return h("button.button.quiet", { type: "button", title, onclick }, name);
  }

  function selected() {
    return session.selectedTurn ?? null;
  }

  /** @param {Event} event */
  function move(event) {
    event.preventDefault();
    const turn = selected();
    if (turn) editor.apply({ operation: "move_turn", turn: turn.id, start: Number(start.input.value), end: Number(end.input.value) });
  }

  function split() {
    const turn = selected();
    if (!turn) return;
    if (player.time <= turn.start || player.time >= turn.end) toast("Move the playhead into the turn first.");
    else editor.apply({ operation: "split_turn", turn: turn.id, at: player.time });
  }

  function remove() {
    const turn = selected();
    if (turn) editor.apply({ operation: "remove_turns", turns: [turn.id] });
  }

  function add() {
    const from = Math.min(player.time, session.model.seconds - 0.1);
    const speaker = session.model.speakers[session.speaker < 0 ? 0 : session.speaker]?.label ?? null;
    editor.apply({ operation: "add_turn", start: from, end: Math.min(from + ADDED_SECONDS, session.model.seconds), speaker });
  }

  function showState() {
    const { questions, rated } = session.model;
    const seconds = questions.reduce((sum, one) => sum + one.end - one.start, 0);
    next.hidden = !questions.length && !editor.questions.length;
    fill(doubts, session.model.doubts.map((doubt) => h("p", {}, doubt)));
    state.textContent = questions.length
      ? `${count(questions.length, "turn")}, ${clock(seconds)} in all, may have the wrong speaker. The most useful comes first.`
      : editor.questions.length ? "No single turn needs review. A few answers may still correct the speakers." : rated ? `No ${session.model.doubts.length ? "single " : ""}turn needs review.` : "This engine does not say how sure it is.";
  }

  function showTurn() {
    const turn = selected();
    const same = editor.asked?.kind === "same_person";
    question.hidden = Boolean(editor.asked);
    for (const part of [answers, edges]) part.hidden = !turn || same;
    for (const button of /** @type {HTMLButtonElement[]} */ ([...tools.children]).slice(0, 2)) button.disabled = !turn;
    question.textContent = turn ? `Who speaks from ${fineClock(turn.start)} to ${fineClock(turn.end)}?` : "Select a turn to correct it.";
    if (!turn) return;
    start.input.value = turn.start.toFixed(3);
    end.input.value = turn.end.toFixed(3);
    const others = session.model.speakers.map((speaker) => {
      const own = speaker.index === turn.speaker;
      const title = own ? "That is right (C)" : speaker.index < 9 ? `Give the turn to this speaker (${speaker.index + 1})` : "Give the turn to this speaker";
      return h("button.button.answer", { type: "button", "aria-pressed": String(own && turn.confirmed), title, onclick: () => editor.answer(turn, speaker.label) }, h("i.chip", { style: { "--chip": `var(--speaker-${speaker.colour})` } }), h("span", {}, speaker.name), own && icon("check"));
    });
    fill(answers, others, h("button.button.answer", { type: "button", onclick: () => editor.answer(turn, null) }, icon("plus"), h("span", {}, "Somebody else")));
  }

  function showVersion() {
    const { version: number } = session.model;
    const rename = h("button.link", { type: "button", onclick: () => askForAuthor() }, "Change your name");
    fill(version, number ? `Version ${number}, by ${editor.last}. ` : "As the engine found it. ", Boolean(number) && rename);
    /** @type {HTMLButtonElement} */ (undo).disabled = !editor.canUndo;
    /** @type {HTMLButtonElement} */ (redo).disabled = !editor.canRedo;
  }

  function show() {
    showState();
    showTurn();
    showVersion();
  }

  session.on(session, "model", show);
  session.on(session, "select", showTurn);
  session.on(editor, "change", () => (showVersion(), showState()));
  session.on(editor, "ask", showTurn);
  show();
  return element;
}
