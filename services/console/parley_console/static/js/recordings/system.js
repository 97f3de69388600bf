/** Queues with their workers, and the health of the server. */

import { afterFailure, json, ROOT } from "../api.js";
import { fill, h } from "../dom.js";
import { clock, count } from "../format.js";
import { checkIcon } from "./job_list.js";

const EVERY_MS = 5000;
const LATE_SECONDS = 60; // a waiting queue without a worker is a warning after that long

/** @param {AbortSignal} signal */
export function systemPanels(signal) {
  const queues = h("div.facts");
  const checks = h("ul.checks");
  const element = h(
    "div.start-side",
    {},
    h("section.panel", { "aria-label": "Queues" }, h("div.panel-head", {}, h("h2", {}, "Queues")), queues),
    h("section.panel", { "aria-label": "Health" }, h("div.panel-head", {}, h("h2", {}, "Health")), h("div.facts", {}, checks)),
  );
  let timer = 0;

  async function refresh() {
    clearTimeout(timer);
    const [status, missing] = await Promise.all([json(`${ROOT}/v1/queues`, { signal }), missingParts(signal)]);
    if (signal.aborted) return;
    fill(queues, status.queues.map(queueFacts));
    fill(checks, checksOf(status.queues, missing).map(([kind, text, note]) => h("li", {}, checkIcon(kind), h("span", {}, text, note && h("small", {}, note)))));
    again();
  }

  function again() {
    timer = setTimeout(() => (document.hidden ? again() : refresh().catch(afterFailure(again))), EVERY_MS);
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  return { element, refresh };
}

/** Return the parts that are down, by name, with the reason. @param {AbortSignal} signal @returns {Promise<Record<string, string>>} */
async function missingParts(signal) {
  try {
    await json(`${ROOT}/readyz`, { signal });
    return {};
  } catch (problem) {
    return /** @type {any} */ (problem).document?.missing ?? { server: String(/** @type {any} */ (problem).message) };
  }
}

/** @param {any} queue */
function queueFacts(queue) {
  const numbers = [["Waiting", queue.waiting], ["Running", queue.running], ["Places", queue.capacity]];
  return h(
    "div",
    {},
    h("div.queue-name", {}, h("span", {}, queue.queue), h("span.muted", {}, count(queue.workers, "worker"))),
    h("dl.queue-numbers", {}, numbers.map(([name, number]) => h("div", {}, h("dt", {}, name), h("dd", {}, number)))),
  );
}

/**
 * Return the checks: kind, sentence, note.
 * @param {any[]} queues
 * @param {Record<string, string>} missing
 * @returns {["good" | "warn" | "bad", string, string?][]}
 */
function checksOf(queues, missing) {
  const parts = { redis: "Redis", objects: "Object store" };
  const stores = Object.entries(parts).filter(([name]) => !(name in missing)).map(([, title]) => /** @type {["good", string]} */ (["good", `${title} answers`]));
  const down = Object.entries(missing).map(([name, why]) => /** @type {["bad", string, string]} */ (["bad", `${parts[/** @type {keyof typeof parts} */ (name)] ?? name} is down`, why]));
  const served = queues.every((queue) => queue.workers > 0);
  const stuck = queues.filter((queue) => queue.waiting && !queue.workers && queue.oldest_seconds > LATE_SECONDS);
  const workers = served
    ? /** @type {["good", string]} */ (["good", "Every queue has a worker"])
    : /** @type {["warn" | "bad", string, string]} */ ([stuck.length ? "bad" : "warn", "A queue has no worker", "Its recordings wait until a worker starts."]);
  const oldest = Math.max(0, ...queues.map((queue) => queue.oldest_seconds ?? 0));
  return [...down, ...stores, workers, ...(oldest ? [/** @type {["good", string]} */ (["good", `Oldest unfinished: ${clock(oldest)}`])] : [])];
}
