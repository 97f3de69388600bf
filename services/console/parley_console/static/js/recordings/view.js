/** The start page: upload, list of recordings, queues and health. */

import { fill, h } from "../dom.js";
import { jobList } from "./job_list.js";
import { systemPanels } from "./system.js";
import { uploadPanel } from "./upload.js";

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function showRecordings(main, signal) {
  document.title = "Recordings · Parley";
  const list = jobList(signal);
  const system = systemPanels(signal);
  const upload = uploadPanel(() => list.refresh(), signal);
  fill(main, h("h1.visually-hidden", {}, "Recordings"), h("div.start", {}, h("div", {}, upload, list.element), h("div.start-side", {}, system.element)));
  await Promise.all([list.refresh(), system.refresh()]);
}
