/** The question that a person is asked, with what to listen to, and what came of the answers so far. */

import { fill, h, icon } from "../dom.js";
import { clock, count, fineClock } from "../format.js";

const MOST_EXAMPLES = 4;

/** @param {import("./session.js").Session} session @param {import("./editor.js").Editor} editor */
export function questionBox(session, editor) {
  const text = h("p.question", { role: "status" });
  const listen = h("div.listen", { role: "group", "aria-label": "Listen" });
  const answers = h("div.answers", { role: "group", "aria-label": "Answer" });
  const effect = h("p.muted");
  const element = h("div.question-box", { hidden: true }, text, listen, answers, effect);

  /** @param {string} label */
  function speakerOf(label) {
    return session.model.speakers.find((one) => one.label === label);
  }

  /** @param {string | null} id @param {string} name @param {string} title */
  function play(id, name, title) {
    const turn = session.model.turns.find((one) => one.id === id);
    return turn && h("button.button.quiet", { type: "button", title, onclick: () => session.player.playPart(turn) }, icon("play"), name);
  }

  /** @param {string} name @param {string} title @param {() => void} onclick @param {any} [mark] */
  function button(name, title, onclick, mark) {
    return h("button.button.answer", { type: "button", title, onclick }, mark, h("span", {}, name));
  }

  function show() {
    const { asked } = editor;
    element.hidden = !asked;
    if (!asked) return;
    const turn = session.selectedTurn;
    const [first] = asked.candidates;
    const other = speakerOf(first.speaker)?.name;
    const same = asked.kind === "same_person";
    text.textContent = same
      ? `Is ${speakerOf(asked.speaker)?.name} the same person as ${other}?`
      : `Who speaks from ${fineClock(turn?.start ?? 0)} to ${fineClock(turn?.end ?? 0)}? Is this the same person as ${other}?`;
    const examples = asked.candidates.slice(0, MOST_EXAMPLES).map(({ speaker, example }, place) => play(example, speakerOf(speaker)?.name ?? speaker, place ? "Play an example" : "Play an example (E)"));
    fill(listen, play(asked.turn, "This turn", "Play the turn (T)"), examples);
    const skip = button("Cannot say", "Go on without an answer (S)", () => editor.skip());
    fill(answers, same && button("Yes", "They are the same person (Y)", () => editor.answerSame(true), icon("check")), same && button("No", "They are two people (X)", () => editor.answerSame(false), icon("cross")), skip);
    const done = editor.answered ? ` ${count(editor.answered, "question")} answered, ${clock(editor.followed)} followed by voice.` : "";
    effect.textContent = `An answer may correct about ${Math.max(1, Math.round(asked.seconds))} s.${done}`;
  }

  session.on(editor, "ask", show);
  session.on(session, "select", show);
  return element;
}
