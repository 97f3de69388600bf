/** Plays the recording. The browser asks for it in ranges, so that hours start at once. */

import { authorization, call, secret, ROOT } from "../api.js";

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5];
const WORKER = `${ROOT}/console/js/audio_worker.js`;

/** Events: `time` at every frame while it plays and after a seek, `state` when it starts or stops, `fault`. */
export class Player extends EventTarget {
  /** @param {string | null | undefined} path of the recording, none without sound @param {AbortSignal} signal */
  constructor(path, signal) {
    super();
    this.audio = new Audio();
    this.audio.preload = "metadata";
    this.path = path;
    this.frame = 0;
    this.loading = Promise.resolve(); // until the browser knows where the recording is
    /** @type {number | null} where to begin when the recording is there */
    this.wanted = null;
    /** @type {number | null} where a part ends that is played alone */
    this.until = null;
    for (const name of ["play", "pause", "ended"]) this.audio.addEventListener(name, () => this.changed());
    for (const name of ["seeked", "timeupdate", "loadedmetadata"]) this.audio.addEventListener(name, () => this.tell("time"));
    this.audio.addEventListener("error", () => this.tell("fault"));
    this.audio.addEventListener("loadedmetadata", () => {
      if (this.wanted !== null) this.audio.currentTime = this.wanted;
      this.wanted = null;
    });
    signal.addEventListener("abort", () => this.close());
  }

  /** Begin to load. */
  load() {
    this.loading = this.begin();
    return this.loading;
  }

  /** A media element sends no key; a service worker adds it, where browsers allow one. */
  async begin() {
    const path = this.path ?? "";
    if (!secret()) this.audio.src = path;
    else if (await keyIsAdded()) this.audio.src = path;
    else this.audio.src = URL.createObjectURL(await (await call(path, { headers: authorization() })).blob());
  }

  get time() {
    return this.wanted ?? this.audio.currentTime;
  }

  get playing() {
    return !this.audio.paused && !this.audio.ended;
  }

  get speed() {
    return this.audio.playbackRate;
  }

  set speed(rate) {
    this.audio.playbackRate = rate;
    this.tell("state");
  }

  /** @param {number} seconds */
  seek(seconds) {
    const wanted = Math.max(0, seconds);
    this.until = null;
    this.wanted = this.audio.readyState > 0 ? null : wanted; // an earlier one must not come back with the length
    if (this.wanted === null) this.audio.currentTime = wanted;
    this.tell("time");
  }

  /** Play a part and stop. @param {{start: number, end: number}} part */
  playPart({ start, end }) {
    this.seek(start);
    this.until = end;
    if (!this.playing) this.toggle();
  }

  toggle() {
    if (!this.path) return;
    if (this.playing) this.audio.pause();
    else this.loading.then(() => this.audio.play()).catch(() => this.audio.error && this.tell("fault"));
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
    if (this.audio.src.startsWith("blob:")) URL.revokeObjectURL(this.audio.src);
    this.audio.removeAttribute("src");
    this.audio.load();
  }

  changed() {
    cancelAnimationFrame(this.frame);
    const step = () => {
      this.tell("time");
      if (this.until !== null && this.audio.currentTime >= this.until) this.audio.pause();
      if (!this.playing) this.until = null;
      if (this.playing) this.frame = requestAnimationFrame(step);
    };
    step();
    this.tell("state");
  }

  /** @param {string} event */
  tell(event) {
    this.dispatchEvent(new Event(event));
  }
}

/** Start the service worker that adds the key to requests for recordings; return whether it works here. */
async function keyIsAdded() {
  const workers = navigator.serviceWorker; // absent without HTTPS
  if (!workers) return false;
  try {
    workers.onmessage = ({ ports: [port] }) => port.postMessage(secret());
    await workers.register(WORKER, { scope: `${ROOT}/` });
    const { active } = await workers.ready;
    if (!workers.controller) {
      const controlled = new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
      active?.postMessage("claim"); // a page that was loaded while the worker started is not controlled by itself
      await controlled;
    }
    return true;
  } catch {
    return false;
  }
}
