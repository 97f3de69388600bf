/** The bar above the timeline: play, position, speed, zoom, follow. */

import { fill, h, icon } from "../dom.js";
import { clock, fineClock } from "../format.js";
import { SPEEDS } from "./player.js";
import { SHORTEST } from "./viewport.js";

/** @param {import("./session.js").Session} session @param {() => void} showHelp */
export function transport(session, showHelp) {
  const { player, view } = session;
  const button = (/** @type {any} */ name, /** @type {string} */ label, /** @type {() => void} */ onclick) => h("button.button.quiet.icon-only", { type: "button", "aria-label": label, title: label, onclick }, icon(name));
  const play = h("button.button.primary.icon-only.play", { type: "button", onclick: () => player.toggle() });
  const now = h("span.now.number");
  const total = h("span.muted.number", {}, ` / ${clock(view.total)}`);
  const who = h("span.who");
  const speed = h("select.speed", { "aria-label": "Speed", onchange: (/** @type {any} */ event) => (player.speed = Number(event.target.value)) }, SPEEDS.map((rate) => h("option", { value: rate, selected: rate === 1 }, `${rate}×`)));
  const follow = h("button.button.quiet", { type: "button", title: "Move the view while it plays (F)", onclick: () => session.follow(!session.following) }, icon("follow"), h("span", {}, "Follow"));
  const zoom = h("span.zoom.muted.number");
  const fault = h("p.problem.fault", { hidden: true, role: "alert" });
  const bar = h(
    "div.transport",
    {},
    h("div.transport-group", {}, button("previous", "Previous turn (P)", () => session.step(-1)), button("back", "Back 10 seconds (J)", () => player.seek(player.time - 10)), play, button("forward", "Forward 10 seconds (L)", () => player.seek(player.time + 10)), button("next", "Next turn (N)", () => session.step(1))),
    h("div.position", {}, now, total, who),
    h("div.transport-group.transport-right", {}, speed, follow, button("minus", "Zoom out (−)", () => zoomBy(0.5)), zoom, button("plus", "Zoom in (+)", () => zoomBy(2)), button("fit", "Show the whole recording (0)", () => view.glide(0, view.total)), button("keyboard", "Keyboard shortcuts (?)", showHelp)),
  );

  /** @param {number} factor */
  function zoomBy(factor) {
    const from = view.goal ?? { start: view.start, span: view.span }; // a second step goes on from where the first leads
    const shown = player.time >= from.start && player.time <= from.start + from.span;
    const focus = shown ? player.time : from.start + from.span / 2;
    const span = Math.min(view.total, Math.max(SHORTEST, from.span / factor));
    view.glide(Math.max(0, focus - ((focus - from.start) / from.span) * span), span);
  }

  function showState() {
    const label = player.playing ? "Pause" : "Play";
    fill(play, icon(player.playing ? "pause" : "play"));
    play.setAttribute("aria-label", label);
    play.setAttribute("title", `${label} (space)`);
    /** @type {HTMLSelectElement} */ (speed).value = String(player.speed);
  }

  let shown = "";
  function showTime() {
    now.textContent = fineClock(player.time);
    const names = session.model.at(player.time).map(({ speaker }) => session.model.speakers[speaker]);
    const key = names.map(({ index }) => index).join();
    if (key === shown) return;
    shown = key;
    fill(who, names.map((speaker) => h("span.speaking", {}, h("i.chip", { style: { "--chip": `var(--speaker-${speaker.colour})` } }), speaker.name)));
  }

  function showFault() {
    fault.hidden = false;
    fault.textContent = `This browser cannot play the recording. The turns can be read${session.job.links.self ? "; the download has the original" : ""}.`;
    /** @type {HTMLButtonElement} */ (play).disabled = true;
  }

  session.on(player, "state", showState);
  session.on(player, "time", showTime);
  session.on(player, "fault", showFault);
  session.on(session, "model", () => ((shown = ""), showTime()));
  session.on(session, "follow", () => follow.setAttribute("aria-pressed", String(session.following)));
  session.on(view, "change", () => (zoom.textContent = `${view.zoom < 10 ? view.zoom.toFixed(1) : Math.round(view.zoom)}×`));
  follow.setAttribute("aria-pressed", String(session.following));
  zoom.textContent = "1.0×";
  for (const control of /** @type {(HTMLButtonElement | HTMLSelectElement)[]} */ ([play, speed])) control.disabled = !player.path;
  if (session.job.recording.kept === false) {
    fault.hidden = false;
    fault.textContent = "The recording is no longer kept. The turns are, and they can be corrected.";
  }
  showState();
  showTime();
  return { element: h("div", {}, bar, fault), zoomBy };
}
