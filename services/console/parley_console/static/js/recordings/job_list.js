/** The list of recordings, with filters. It follows jobs that have not ended. */

import { afterFailure, json, ROOT } from "../api.js";
import { fill, h, icon } from "../dom.js";
import { clock, count, nameOf, percent, timeLeft, when } from "../format.js";

const STATES = [["", "All"], ["running", "Running"], ["queued", "Waiting"], ["succeeded", "Done"], ["failed", "Failed"], ["cancelled", "Cancelled"]];
const NAMES = { accepted: "Waiting", queued: "Waiting", running: "Running", succeeded: "Done", failed: "Failed", cancelled: "Cancelled" };
const BUSY_MS = 1500; // between two looks while a job runs
const IDLE_MS = 10000;
const PAGE = 50;

/** Return the mark of a job's state. @param {string} state */
export function stateMark(state) {
  return h(`span.state.${state}`, {}, NAMES[/** @type {keyof typeof NAMES} */ (state)] ?? state);
}

/** @param {AbortSignal} signal */
export function jobList(signal) {
  const filters = { state: "", reference: "", queue: "" };
  /** @type {{jobs: any[], next: string | null}} */
  let page = { jobs: [], next: null };
  let timer = 0;
  let asked = 0;

  const segments = h("div.segments", { role: "group", "aria-label": "State" });
  const body = h("tbody");
  const table = h("table.jobs", {}, h("caption.visually-hidden", {}, "Recordings, newest first"), head(), body);
  const note = h("p.empty", { hidden: true });
  const more = h("div.more", { hidden: true }, h("button.button", { onclick: loadMore }, "Show older"));
  const reference = h("input", { type: "search", "aria-label": "Reference", placeholder: "Reference, exactly", onchange: (/** @type {any} */ event) => choose({ reference: event.target.value.trim() }) });
  const queue = h("select", { "aria-label": "Queue", onchange: (/** @type {any} */ event) => choose({ queue: event.target.value }) }, h("option", { value: "" }, "All queues"), h("option", { value: "interactive" }, "Interactive"), h("option", { value: "batch" }, "Batch"));
  const element = h(
    "section.panel",
    { "aria-label": "Recordings" },
    h("div.panel-head", {}, h("h2", {}, "Recordings"), h("div.filters", {}, segments, queue, reference)),
    table,
    note,
    more,
  );

  function showSegments() {
    fill(segments, STATES.map(([state, name]) => h("button", { type: "button", "aria-pressed": String(filters.state === state), onclick: () => choose({ state }) }, name)));
  }

  /** @param {Partial<typeof filters>} change */
  function choose(change) {
    Object.assign(filters, change);
    showSegments();
    refresh();
  }

  /** @param {string | null} cursor */
  function query(cursor) {
    const wanted = new URLSearchParams(Object.entries({ ...filters, limit: String(PAGE), cursor: cursor ?? "" }).filter(([, value]) => value));
    return json(`${ROOT}/v1/jobs?${wanted}`, { signal });
  }

  async function loadMore() {
    const answer = await query(page.next);
    page = { jobs: [...page.jobs, ...answer.jobs], next: answer.next_cursor };
    show();
  }

  /** Load the first page again; older pages that were loaded stay. */
  async function refresh() {
    clearTimeout(timer);
    const number = ++asked;
    const answer = await query(null);
    if (number !== asked || signal.aborted) return; // a later filter is on its way
    const known = new Set(answer.jobs.map((/** @type {any} */ job) => job.id));
    const older = page.jobs.length > PAGE ? page.jobs.filter((job) => !known.has(job.id) && job.id < answer.jobs.at(-1)?.id) : [];
    page = { jobs: [...answer.jobs, ...older], next: older.length ? page.next : answer.next_cursor };
    show();
    again();
  }

  function again() {
    const busy = page.jobs.some((job) => !job.finished_at);
    timer = setTimeout(() => (document.hidden ? again() : refresh().catch(afterFailure(again))), busy ? BUSY_MS : IDLE_MS);
  }

  function show() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.closest?.("tr[data-id]")?.getAttribute("data-id");
    fill(body, page.jobs.map(row));
    if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`tr[data-id="${focused}"] a`))?.focus();
    const filtered = filters.state || filters.reference || filters.queue;
    table.hidden = !page.jobs.length;
    note.hidden = Boolean(page.jobs.length);
    note.textContent = filtered ? "No recording matches these filters." : "No recordings yet. Drop one above to begin.";
    more.hidden = !page.next;
  }

  signal.addEventListener("abort", () => clearTimeout(timer));
  showSegments();
  return { element, refresh };
}

function head() {
  const titles = [["State"], ["Recording"], ["Length", "amount"], ["Speakers", "amount"], ["To review", "amount"], ["Submitted", "amount submitted"]];
  return h("thead", {}, h("tr", {}, titles.map(([title, classes]) => h("th", { scope: "col", class: classes }, title))));
}

/** @param {any} job */
function row(job) {
  const { result } = job;
  const review = result?.turns_to_review;
  return h(
    "tr",
    { "data-id": job.id },
    h("td", {}, stateMark(job.state)),
    h("td.recording", {}, h("a", { href: `${ROOT}/v1/jobs/${job.id}/timeline` }, nameOf(job)), second(job)),
    h("td.amount", {}, clock(job.recording.seconds)),
    h("td.amount", {}, result ? speakers(result) : ""),
    h("td.amount", {}, review ? h("span.review", {}, count(review, "turn")) : result ? h("span.muted", {}, review === 0 ? "none" : "–") : ""),
    h("td.amount.submitted", {}, h("time", { datetime: job.created_at }, when(job.created_at))),
  );
}

/** Return the number of speakers, with the plausible ones if it is uncertain. @param {any} result */
function speakers(result) {
  const [low, high] = result.plausible_speakers ?? [];
  return low < high ? h("span.review", { title: `${low} to ${high} are plausible` }, `${result.speakers} (${low}–${high})`) : result.speakers;
}

/** Return the line below the name: progress, the reason of a failure, or the reference. @param {any} job */
function second(job) {
  if (job.state === "running")
    return h("span.progress", {}, meter(job.progress, `Progress of ${nameOf(job)}`), h("span.muted", {}, timeLeft(job.eta)));
  if (job.error) return h("span.muted", {}, job.error.detail);
  if (job.position !== null && job.state === "queued") return h("span.muted", {}, [job.position ? `${count(job.position, "job")} before it` : "Next in its queue", timeLeft(job.eta)].filter(Boolean).join(", "));
  return h("span.muted", {}, [job.recording.file_name ? job.reference : null, job.queue === "batch" ? "batch" : null].filter(Boolean).join(" · ") || job.id.slice(0, 13));
}

/** Return a progress bar. @param {number} share 0 to 1 @param {string} label */
export function meter(share, label) {
  const attributes = { role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100), "aria-valuetext": percent(share) };
  return h("span.meter", attributes, h("span", { style: { transform: `scaleX(${share})` } }));
}

/** @param {HTMLElement} element made by `meter` @param {number} share */
export function setMeter(element, share) {
  element.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  element.setAttribute("aria-valuetext", percent(share));
  /** @type {HTMLElement} */ (element.firstElementChild).style.transform = `scaleX(${share})`;
}

/** Return the icon of a check. @param {"good" | "warn" | "bad"} kind */
export function checkIcon(kind) {
  return h(`span.${kind}`, {}, icon(kind === "good" ? "check" : kind === "warn" ? "warn" : "cross"));
}
