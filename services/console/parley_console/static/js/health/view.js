/** The health page: what the server has checked, what is wrong, and what to do about it. It refreshes itself. */

import { json, ROOT } from "../api.js";
import { fill, h } from "../dom.js";
import { checkIcon } from "../recordings/job_list.js";

const EVERY_MS = 5000;
const SUMMARIES = { good: "Everything works.", warn: "It works, and something needs attention.", bad: "Something does not work." };

const SPOKEN = { good: "Good: ", warn: "Attention: ", bad: "Failed: " };

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function showHealth(main, signal) {
  document.title = "Health · Parley";
  const summary = h("p.health-summary");
  const list = h("ul.checks");
  const note = h("p.muted.number");
  const tasks = h("p");
  let timer = 0;

  async function refresh() {
    clearTimeout(timer);
    const health = await json(`${ROOT}/v1/health`, { signal });
    if (signal.aborted) return;
    fill(summary, checkIcon(health.state), h("strong", {}, SUMMARIES[/** @type {keyof typeof SUMMARIES} */ (health.state)]));
    fill(list, health.checks.map(entry));
    fill(tasks, health.flower_url && h("a", { href: health.flower_url, target: "_blank", rel: "noreferrer" }, "Tasks of the workers, in Flower"));
    fill(note, `Version ${health.version}. Checked at ${new Date().toLocaleTimeString()}; the page checks again every five seconds.`);
    again();
  }

  function again() {
    timer = setTimeout(() => (document.hidden ? again() : refresh().catch(lost)), EVERY_MS);
  }

  /** @param {any} problem */
  function lost(problem) {
    if (signal.aborted) return;
    fill(summary, checkIcon("bad"), h("strong", {}, problem.message));
    fill(list);
    again();
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  await refresh();
  fill(main, h("div.health", {}, h("a.crumb", { href: `${ROOT}/` }, "Recordings"), h("h1", {}, "Health"), summary, h("section.panel", { "aria-label": "Checks" }, list), tasks, note));
}

/** @param {any} check */
function entry({ state, text, advice, alert, detail }) {
  const notes = [advice, detail, alert && `Alert: ${alert}`].filter(Boolean);
  return h("li", {}, checkIcon(state), h("span", {}, h("span.visually-hidden", {}, SPOKEN[/** @type {keyof typeof SPOKEN} */ (state)]), text, notes.map((one) => h("small", {}, one))));
}
