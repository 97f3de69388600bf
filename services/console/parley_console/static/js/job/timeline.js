/** The timeline: overview, ruler, waveform and a lane per speaker, with pointer, wheel, touch and keyboard. */

import { fill, h } from "../dom.js";
import { clock, fineClock, percent, spoken } from "../format.js";
import { drawLane, drawOverlaps, drawOverview, drawRuler, drawWave, OVERVIEW, readColours, rem, RULER, sized, WAVE } from "./drawing.js";

const PARTS_PER_SECOND = 25; // of the colours of the waveform
const MOST_PARTS = 200000;
const CLICK_PIXELS = 4;
const FOLLOW_MARGIN = 0.85; // of the width: there the view moves on while it plays

/** @param {import("./session.js").Session} session @param {import("./peaks.js").Peaks | null} peaks */
export function timeline(session, peaks) {
  const { view, player, signal } = session;
  const canvas = /** @type {HTMLCanvasElement} */ (h("canvas.lanes", { "aria-hidden": "true" }));
  const small = /** @type {HTMLCanvasElement} */ (h("canvas", { "aria-hidden": "true" }));
  const playhead = h("div.playhead");
  const smallHead = h("div.playhead");
  const window_ = h("div.overview-window");
  const names = h("ul.lane-names", { "aria-label": "Speakers" });
  const stage = h("div.stage", { role: "slider", tabindex: 0, "aria-label": "Position in the recording", "aria-valuemin": 0, "aria-valuemax": Math.floor(view.total) }, canvas, playhead);
  const overview = h("div.overview", {}, small, window_, smallHead);
  const readout = h("div.readout.number");
  const element = h("div.timeline", {}, h("div.lane-corner", {}, readout), overview, h("div.lane-names-box", {}, h("div.wave-label.muted", {}, peaks ? "" : "No waveform"), names), stage);

  let colours = readColours();
  let owners = ownersOf();
  let lane = 30;
  let dirty = 0;

  function ownersOf() {
    const parts = Math.min(MOST_PARTS, Math.ceil(session.model.seconds * PARTS_PER_SECOND));
    return { parts: session.model.colourOfParts(Math.max(1, parts)), perSecond: parts / session.model.seconds };
  }

  function top() {
    return RULER + (peaks ? WAVE : 0);
  }

  function layout() {
    const { speakers } = session.model;
    lane = Math.round((speakers.length > 10 ? 1.5 : 2.125) * rem());
    element.style.setProperty("--lane", `${lane}px`);
    element.style.setProperty("--lanes-top", `${top()}px`);
    view.width = Math.max(1, stage.clientWidth);
    drawSmall();
    redraw();
  }

  function showNames() {
    fill(names, session.model.speakers.map((speaker) => laneName(session, speaker)));
  }

  function drawSmall() {
    const width = Math.max(1, overview.clientWidth);
    drawOverview(sized(small, width, OVERVIEW), width, session.model, peaks, owners, colours, OVERVIEW);
  }

  function redraw() {
    dirty ||= requestAnimationFrame(draw);
  }

  function draw() {
    dirty = 0;
    const { model } = session;
    const height = top() + lane * model.speakers.length;
    const context = sized(canvas, view.width, height);
    drawRuler(context, view, colours, height);
    if (peaks) drawWave(context, view, peaks, owners, colours, RULER, WAVE - 6);
    drawOverlaps(context, view, model.overlaps, colours, top(), height);
    for (const speaker of model.speakers)
      drawLane(context, view, speaker, colours, top() + lane * speaker.index, lane, { selected: session.selected, dimmed: session.speaker >= 0 && session.speaker !== speaker.index });
    const share = (/** @type {number} */ seconds) => (seconds / view.total) * overview.clientWidth;
    window_.style.transform = `translateX(${share(view.start)}px)`;
    window_.style.width = `${Math.max(6, share(view.span))}px`;
    window_.hidden = view.zoom < 1.001;
    place();
  }

  /** Move the playhead; the rest of the picture stays. */
  function place() {
    const now = player.time;
    const x = view.x(now);
    playhead.hidden = x < 0 || x > view.width;
    playhead.style.transform = `translateX(${x}px)`;
    smallHead.style.transform = `translateX(${(now / view.total) * overview.clientWidth}px)`;
  }

  function tick() {
    const now = player.time;
    if (player.playing && session.following && !dragging && (now < view.start || now > view.start + view.span * FOLLOW_MARGIN) && view.zoom > 1.001)
      view.show(now - view.span * 0.15, view.span);
    place();
    const speaking = session.model.at(now).map(({ speaker }) => session.model.speakers[speaker].name);
    stage.setAttribute("aria-valuenow", String(Math.floor(now)));
    stage.setAttribute("aria-valuetext", `${spoken(now)}, ${speaking.join(" and ") || "nobody"} speaking`);
  }

  /** Return the turn at a point of the lanes. @param {number} x @param {number} y */
  function hit(x, y) {
    const speaker = session.model.speakers[Math.floor((y - top()) / lane)];
    if (y < top() || !speaker) return null;
    const slack = 3 / view.pixelsPerSecond;
    return speaker.turns.find(({ start, end }) => start - slack <= view.time(x) && view.time(x) <= end + slack) ?? null;
  }

  let dragging = false;
  const pointers = pointerInput(stage, view, {
    onDrag: (active) => (dragging = active),
    onClick: (x, y) => {
      const turn = hit(x, y);
      if (turn) session.select(turn.index);
      player.seek(view.time(x));
    },
    onHover: (x, y) => readOut(hit(x, y), view.time(x)),
    onLeave: () => readOut(null, null),
  });

  /** @param {import("./model.js").Turn | null} turn @param {number | null} time */
  function readOut(turn, time) {
    stage.classList.toggle("on-turn", Boolean(turn));
    if (turn) {
      const speaker = session.model.speakers[turn.speaker];
      const sure = turn.confidence === null ? "" : ` · ${percent(turn.confidence)} sure`;
      readout.textContent = `${speaker.name} · ${fineClock(turn.start)}–${fineClock(turn.end)}${sure}`;
    } else readout.textContent = time === null ? "" : fineClock(time);
  }

  overview.addEventListener("pointerdown", (event) => {
    overview.setPointerCapture(event.pointerId);
    jump(event);
  });
  overview.addEventListener("pointermove", (event) => overview.hasPointerCapture(event.pointerId) && jump(event));
  overview.addEventListener("pointerup", (event) => view.zoom < 1.001 && player.seek(overviewTime(event)));

  /** @param {PointerEvent} event */
  function overviewTime(event) {
    return ((event.clientX - overview.getBoundingClientRect().left) / overview.clientWidth) * view.total;
  }

  /** @param {PointerEvent} event */
  function jump(event) {
    view.show(overviewTime(event) - view.span / 2, view.span);
  }

  stage.addEventListener("keydown", (event) => keyOnStage(event, session));
  new ResizeObserver(layout).observe(stage);
  session.on(view, "change", redraw);
  session.on(player, "time", tick);
  session.on(session, "select", redraw);
  session.on(session, "filter", () => (showNames(), redraw()));
  session.on(session, "model", () => ((owners = ownersOf()), showNames(), layout()));
  const recolour = () => ((colours = readColours()), drawSmall(), redraw());
  addEventListener("themechange", recolour, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal });
  document.fonts.ready.then(recolour);
  signal.addEventListener("abort", pointers);
  showNames();
  tick();
  return element;
}

/** @param {import("./session.js").Session} session @param {import("./model.js").Speaker} speaker */
function laneName(session, speaker) {
  const alone = session.speaker === speaker.index;
  const show = () => session.filter({ speaker: alone ? -1 : speaker.index });
  const title = `${speaker.name}: ${clock(speaker.seconds)}. ${alone ? "Show all speakers" : "Show only this speaker"}`;
  const button = h("button", { type: "button", "aria-pressed": String(alone), title, onclick: show }, h("i.chip", { style: { "--chip": `var(--speaker-${speaker.colour})` } }), h("span", {}, speaker.name));
  return h("li", {}, button);
}

/**
 * Clicks, drags that move the view, wheel and pinch that zoom. Returns a function that ends it.
 * @param {HTMLElement} stage @param {import("./viewport.js").Viewport} view
 * @param {{onDrag: (active: boolean) => void, onClick: (x: number, y: number) => void, onHover: (x: number, y: number) => void, onLeave: () => void}} on
 */
function pointerInput(stage, view, on) {
  /** @type {Map<number, {x: number, began: number, start: number}>} */
  const down = new Map();
  let moved = false;
  const local = (/** @type {MouseEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const { x } = local(event);
    down.set(event.pointerId, { x, began: x, start: view.start });
    moved = down.size > 1;
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const { x, y } = local(event);
    const held = down.get(event.pointerId);
    if (!held) return on.onHover(x, y);
    if (down.size === 2) pinch(event.pointerId, x);
    else if (moved || Math.abs(x - held.began) > CLICK_PIXELS) {
      if (!moved) on.onDrag((moved = true));
      view.show(held.start - (x - held.began) / view.pixelsPerSecond, view.span);
    }
    held.x = x;
  });

  /** @param {number} id @param {number} x */
  function pinch(id, x) {
    const [other] = [...down].filter(([one]) => one !== id).map(([, held]) => held);
    const held = /** @type {{x: number}} */ (down.get(id));
    const [before, after] = [Math.abs(held.x - other.x), Math.abs(x - other.x)];
    if (before > 10 && after > 10) view.zoomBy(after / before, view.time((x + other.x) / 2));
  }

  const release = (/** @type {PointerEvent} */ event) => {
    const held = down.get(event.pointerId);
    down.delete(event.pointerId);
    if (held && !moved && event.type === "pointerup") {
      const { x, y } = local(event);
      on.onClick(x, y);
    }
    if (!down.size) on.onDrag((moved = false));
    for (const rest of down.values()) Object.assign(rest, { began: rest.x, start: view.start });
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", on.onLeave);

  const wheel = (/** @type {WheelEvent} */ event) => {
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey || event.altKey) view.zoomBy(Math.exp(-event.deltaY / 240), view.time(local(event).x));
    else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) view.show(view.start + sideways / view.pixelsPerSecond, view.span);
    else return; // the page scrolls
    event.preventDefault();
  };
  stage.addEventListener("wheel", wheel, { passive: false });
  return () => stage.removeEventListener("wheel", wheel);
}

/** @param {KeyboardEvent} event @param {import("./session.js").Session} session */
function keyOnStage(event, { player, view }) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const step = event.shiftKey ? 1 : 5;
  const moves = { ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: 60, PageUp: -60, Home: -Infinity, End: Infinity };
  const move = moves[/** @type {keyof typeof moves} */ (event.key)];
  if (move === undefined) return;
  event.preventDefault();
  player.seek(Math.min(view.total, Math.max(0, player.time + move)));
  view.reveal(player.time);
}
