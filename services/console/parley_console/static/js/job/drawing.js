/** Draws the timeline on canvases: ruler, waveform in the speakers' colours, a lane per speaker, the overview. */

import { clock } from "../format.js";
import { COLOURS, lastBefore } from "./model.js";

const TICKS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200]; // seconds
const TICK_PIXELS = 84; // least distance of two labels
const REVIEW_PIXELS = 3;
const COLOURED_SECONDS = 3; // a bar of the waveform that stands for more shows no speaker: stripes would say nothing
export const RULER = 26; // pixels
export const WAVE = 76;
export const OVERVIEW = 34;

/** Return the colours of the present theme. */
export function readColours() {
  const probe = document.createElement("i");
  probe.hidden = true;
  document.body.append(probe);
  const read = (/** @type {string} */ name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const speakers = Array.from({ length: COLOURS }, (_, index) => read(`speaker-${index}`));
  const rest = Object.fromEntries(["muted", "line", "sunken", "ink", "surface", "warn", "overlap", "wave", "wave-idle", "accent"].map((name) => [name, read(name)]));
  probe.remove();
  return { ...rest, speakers, font: `500 ${0.6875 * rem()}px Inter, system-ui, sans-serif` };
}

/** Return pixels per rem. */
export function rem() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/**
 * Set the size of a canvas and return its context, in CSS pixels.
 * @param {HTMLCanvasElement} canvas @param {number} width @param {number} height
 */
export function sized(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  const [w, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== high) [canvas.width, canvas.height] = [w, high];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view @param {any} colours @param {number} height */
export function drawRuler(context, view, colours, height) {
  const step = TICKS.find((one) => one * view.pixelsPerSecond >= TICK_PIXELS) ?? TICKS[TICKS.length - 1];
  context.font = colours.font;
  context.textBaseline = "middle";
  context.fillStyle = colours.muted;
  for (let number = Math.floor(view.start / step); number * step <= view.end; number++) {
    const x = Math.round(view.x(number * step)) + 0.5;
    context.fillStyle = colours.line;
    context.fillRect(x, 0, 1, height);
    context.fillStyle = colours.muted;
    context.fillText(step < 1 ? `${clock(number * step)}.${Math.round(number * step * 10) % 10}` : clock(number * step), x + 5, RULER / 2);
  }
}

/**
 * Draw the waveform between two heights.
 * @param {CanvasRenderingContext2D} context
 * @param {{start: number, pixelsPerSecond: number, width: number, coloured?: boolean}} view
 * @param {import("./peaks.js").Peaks} peaks
 * @param {{parts: Uint8Array, perSecond: number}} owners colour index plus 1 of each part
 * @param {any} colours @param {number} top @param {number} height
 */
export function drawWave(context, view, peaks, owners, colours, top, height) {
  const level = peaks.level(view.pixelsPerSecond);
  const [middle, half, bar] = [top + height / 2, height / 2 - 2, view.width > 700 ? 2 : 1.5];
  const coloured = (bar + 1) / view.pixelsPerSecond < COLOURED_SECONDS && view.coloured !== false;
  /** @type {Map<number, Path2D>} */
  const paths = new Map();
  const step = bar + 1;
  // Bars keep their place in the recording while the view moves.
  const first = Math.floor((view.start * view.pixelsPerSecond) / step);
  for (let number = first; (number - first - 1) * step < view.width; number++) {
    const from = (number * step) / view.pixelsPerSecond;
    const [begin, end] = [Math.floor(from * level.perSecond), Math.ceil((from + step / view.pixelsPerSecond) * level.perSecond)];
    let high = 0;
    for (let index = begin; index < end && index < level.highs.length; index++) high = Math.max(high, level.highs[index]);
    if (begin >= level.highs.length) break;
    const owner = !coloured ? 0 : owners.parts[Math.floor((from + step / 2 / view.pixelsPerSecond) * owners.perSecond)] ?? 0;
    const size = Math.max(0.75, Math.min(1, high / level.full) * half);
    let path = paths.get(owner);
    if (!path) paths.set(owner, (path = new Path2D()));
    path.rect((from - view.start) * view.pixelsPerSecond, middle - size, bar, 2 * size);
  }
  for (const [owner, path] of paths) {
    context.fillStyle = owner ? colours.speakers[owner - 1] : colours[coloured ? "wave-idle" : "wave"];
    context.fill(path);
  }
}

/**
 * Draw one lane; turns that a pixel cannot separate are one bar.
 * @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view
 * @param {import("./model.js").Speaker} speaker @param {any} colours @param {number} top @param {number} height
 * @param {{selected: number, dimmed: boolean}} look
 */
export function drawLane(context, view, speaker, colours, top, height, look) {
  const bar = Math.min(18, height - 9);
  const y = top + (height - bar - REVIEW_PIXELS) / 2;
  context.fillStyle = colours.line;
  context.fillRect(0, top + height - 1, view.width, 1);
  const solid = new Path2D();
  const review = new Path2D();
  const { turns } = speaker;
  let covered = -1;
  for (let index = Math.max(0, lastBefore(turns, view.start)); index < turns.length && turns[index].start < view.end; index++) {
    const turn = turns[index];
    const left = Math.max(-4, view.x(turn.start));
    const right = Math.min(view.width + 4, view.x(turn.end));
    if (right - covered < 0.75 && !turn.review) continue;
    const wide = Math.max(1, right - left - 0.5);
    covered = right;
    if (wide > 6) solid.roundRect(left, y, wide, bar, 3);
    else solid.rect(left, y, wide, bar);
    if (turn.review) review.rect(left, y + bar + 2, Math.max(2, wide), REVIEW_PIXELS);
    if (turn.index === look.selected) outline(context, left, y, wide, bar, colours.ink);
  }
  context.globalAlpha = look.dimmed ? 0.25 : 1;
  context.fillStyle = colours.speakers[speaker.colour];
  context.fill(solid);
  context.fillStyle = colours.warn;
  context.fill(review);
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} width @param {number} height @param {string} colour */
function outline(context, x, y, width, height, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.roundRect(x - 2, y - 2, width + 4, height + 4, 5);
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view @param {{start: number, end: number}[]} overlaps @param {any} colours @param {number} top @param {number} bottom */
export function drawOverlaps(context, view, overlaps, colours, top, bottom) {
  context.fillStyle = colours.overlap;
  context.globalAlpha = 0.09;
  for (let index = Math.max(0, lastBefore(overlaps, view.start)); index < overlaps.length && overlaps[index].start < view.end; index++) {
    const [left, right] = [view.x(overlaps[index].start), view.x(overlaps[index].end)];
    context.fillRect(left, top, Math.max(1, right - left), bottom - top);
  }
  context.globalAlpha = 1;
}

/**
 * Draw the whole recording small.
 * @param {CanvasRenderingContext2D} context @param {number} width @param {import("./model.js").Model} model
 * @param {import("./peaks.js").Peaks | null} peaks @param {{parts: Uint8Array, perSecond: number}} owners @param {any} colours @param {number} height
 */
export function drawOverview(context, width, model, peaks, owners, colours, height) {
  const view = { start: 0, width, pixelsPerSecond: width / model.seconds, coloured: false };
  if (peaks) return drawWave(context, view, peaks, owners, colours, 0, height);
  for (let x = 0; x < width; x++) {
    const owner = owners.parts[Math.floor((x / view.pixelsPerSecond) * owners.perSecond)] ?? 0;
    context.fillStyle = owner ? colours.speakers[owner - 1] : colours["wave-idle"];
    context.fillRect(x, owner ? 6 : height / 2 - 0.5, 1, owner ? height - 12 : 1);
  }
}
