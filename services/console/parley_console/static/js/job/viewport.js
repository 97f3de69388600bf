/** The part of the recording that the timeline shows. */

export const SHORTEST = 2; // seconds on the whole width
const ANIMATION_MS = 160;

export class Viewport extends EventTarget {
  /** @param {number} seconds of the recording */
  constructor(seconds) {
    super();
    this.total = Math.max(seconds, 0.1);
    this.start = 0;
    this.span = this.total;
    this.width = 1; // pixels
    this.animation = 0;
    /** @type {{start: number, span: number} | null} where a movement under way leads */
    this.goal = null;
  }

  get end() {
    return this.start + this.span;
  }

  get pixelsPerSecond() {
    return this.width / this.span;
  }

  get zoom() {
    return this.total / this.span;
  }

  /** @param {number} seconds */
  x(seconds) {
    return (seconds - this.start) * this.pixelsPerSecond;
  }

  /** @param {number} x */
  time(x) {
    return Math.min(this.total, Math.max(0, this.start + x / this.pixelsPerSecond));
  }

  /** Show a part. @param {number} start @param {number} span */
  show(start, span) {
    const fitting = Math.min(this.total, Math.max(Math.min(SHORTEST, this.total), span));
    const moved = Math.min(Math.max(0, start), this.total - fitting);
    if (moved === this.start && fitting === this.span) return;
    this.start = moved;
    this.span = fitting;
    this.dispatchEvent(new Event("change"));
  }

  /** Zoom about a moment, which stays where it is. @param {number} factor above 1 shows less @param {number} seconds */
  zoomBy(factor, seconds) {
    const span = Math.min(this.total, Math.max(SHORTEST, this.span / factor));
    this.show(seconds - ((seconds - this.start) / this.span) * span, span);
  }

  /** Move smoothly, unless the user wants no motion. @param {number} start @param {number} [span] */
  glide(start, span = this.span) {
    cancelAnimationFrame(this.animation);
    this.goal = null;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.show(start, span);
    this.goal = { start, span };
    const [from, fromSpan, began] = [this.start, this.span, performance.now()];
    const step = (/** @type {number} */ now) => {
      const share = Math.min(1, (now - began) / ANIMATION_MS);
      const eased = 1 - (1 - share) ** 3;
      this.show(from + (start - from) * eased, fromSpan + (span - fromSpan) * eased);
      if (share < 1) this.animation = requestAnimationFrame(step);
      else this.goal = null;
    };
    this.animation = requestAnimationFrame(step);
  }

  /** Bring a moment into view, a third from the left, if it is outside. @param {number} seconds */
  reveal(seconds) {
    if (seconds < this.start || seconds > this.end - this.span * 0.02) this.glide(seconds - this.span / 3);
  }
}
