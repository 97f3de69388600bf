/**
 * The turns as a list, for reading, searching in the page and screen readers. It is made in blocks that the browser lays
 * out when they come into view, so that thousands of turns cost as much as a screen of them.
 */

import { fill, h, icon, later } from "../dom.js";
import { count, fineClock, percent } from "../format.js";

const BLOCK = 40; // turns
const AT_ONCE = 4; // blocks before the first paint; the rest follow when the browser is idle

/** @param {import("./session.js").Session} session */
export function turnList(session) {
  const { player, signal } = session;
  const segments = h("div.segments", { role: "group", "aria-label": "Which turns" });
  const note = h("p.empty", { hidden: true });
  const list = h("div.turns", { role: "list", "aria-label": "Turns" });
  const box = h("div.turns-box", { tabindex: -1 }, list, note);
  const element = h("section.panel.turns-panel", { "aria-label": "Turns" }, h("div.panel-head", {}, h("h2", {}, "Turns"), segments), box);
  /** @type {Map<number, HTMLElement>} */
  let rows = new Map();
  let current = -1;
  let building = 0;

  function showSegments() {
    const { model } = session;
    const reviews = model.turns.filter(({ review }) => review).length;
    const choices = [[false, `All ${model.turns.length.toLocaleString("en")}`], [true, `To review ${reviews}`]];
    fill(segments, choices.map(([review, name]) => h("button", { type: "button", "aria-pressed": String(session.review === review), onclick: () => session.filter({ review: Boolean(review) }) }, name)));
  }

  /** Make the list again. @param {boolean} [corrected] at once and in full, so that it stays where it is */
  function show(corrected = false) {
    showSegments();
    const number = ++building;
    const scrolled = box.scrollTop;
    const { turns } = session;
    rows = new Map();
    current = -1;
    list.replaceChildren();
    note.hidden = turns.length > 0;
    note.textContent = session.model.turns.length ? "No turn needs this." : "Nobody speaks in this recording.";
    let place = 0;
    const build = () => {
      if (number !== building || signal.aborted) return;
      for (let blocks = 0; (corrected || blocks < AT_ONCE) && place < turns.length; blocks++, place += BLOCK) list.append(block(turns.slice(place, place + BLOCK)));
      if (place < turns.length) later(build);
      else roving();
    };
    build();
    if (corrected) box.scrollTop = scrolled;
    roving();
    follow();
  }

  /** @param {import("./model.js").Turn[]} turns */
  function block(turns) {
    return h("div.block", { style: { "--rows": String(turns.length) } }, turns.map(row));
  }

  /** @param {import("./model.js").Turn} turn */
  function row(turn) {
    const speaker = session.model.speakers[turn.speaker];
    const sure = turn.confidence === null ? null : h("span.sure.number", { title: "Probability that the speaker is right" }, percent(turn.confidence));
    const button = h(
      "button.turn",
      { type: "button", tabindex: -1, "data-index": turn.index },
      h("i.chip", { style: { "--chip": `var(--speaker-${speaker.colour})` } }),
      h("span.turn-who", {}, speaker.name),
      h("span.turn-when.number", {}, `${fineClock(turn.start)} – ${fineClock(turn.end)}`),
      h("span.turn-length.number", {}, `${(turn.end - turn.start).toFixed(1)} s`),
      turn.review ? h("span.flag", {}, "Review") : turn.confirmed ? h("span.checked", {}, icon("check"), h("span.visually-hidden", {}, "Confirmed")) : h("span"),
      sure ?? h("span"),
      turn.text && h("span.turn-text", {}, turn.text),
    );
    button.classList.toggle("selected", turn.index === session.selected);
    rows.set(turn.index, button);
    return h("div", { role: "listitem" }, button);
  }

  /** Add the texts to the rows that are there, a block at a time. */
  function addTexts() {
    const { turns } = session.model;
    const left = [...rows];
    const add = () => {
      for (const [index, button] of left.splice(0, BLOCK * AT_ONCE)) if (turns[index].text && !button.querySelector(".turn-text")) button.append(h("span.turn-text", {}, turns[index].text));
      if (left.length && !signal.aborted) later(add);
    };
    add();
  }

  /** Make one row reachable with Tab: the selected one, or the first. */
  function roving() {
    const wanted = rows.get(session.selected) ?? rows.values().next().value;
    for (const old of list.querySelectorAll('[tabindex="0"]')) old.setAttribute("tabindex", "-1");
    wanted?.setAttribute("tabindex", "0");
  }

  function showSelected() {
    list.querySelector(".selected")?.classList.remove("selected");
    const button = rows.get(session.selected);
    button?.classList.add("selected");
    if (button) bringIntoView(button);
    roving();
  }

  /** Mark the turn that sounds. */
  function follow() {
    const index = session.model.begun(player.time);
    if (index === current) return;
    rows.get(current)?.removeAttribute("aria-current");
    current = index;
    const button = rows.get(index);
    button?.setAttribute("aria-current", "true");
    if (button && player.playing && session.following) bringIntoView(button);
  }

  /** Scroll the list alone, never the page. @param {HTMLElement} button */
  function bringIntoView(button) {
    const [inner, outer] = [button.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.top < outer.top + 8 || inner.bottom > outer.bottom - 8) box.scrollTop += inner.top - outer.top - outer.height / 3;
  }

  list.addEventListener("click", (event) => {
    const button = /** @type {Element} */ (event.target).closest(".turn");
    if (button) session.select(Number(button.getAttribute("data-index")));
  });
  list.addEventListener("keydown", (event) => {
    const keys = [...rows.keys()];
    const place = keys.indexOf(Number(/** @type {Element} */ (event.target).getAttribute("data-index")));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (step === undefined || place < 0) return;
    event.preventDefault();
    rows.get(keys[Math.min(keys.length - 1, Math.max(0, place + step))])?.focus();
  });
  session.on(session, "model", () => show(true));
  session.on(session, "texts", addTexts);
  session.on(session, "filter", () => show());
  session.on(session, "select", showSelected);
  session.on(player, "time", follow);
  show();
  return { element, describe: () => count(session.turns.length, "turn") };
}
