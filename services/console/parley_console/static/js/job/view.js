/** The page of one job: its state while it runs, then timeline, player, turns and totals. */

import { call, events, json, post, Problem, ROOT } from "../api.js";
import { fill, h, icon, later, toast } from "../dom.js";
import { clock, count, nameOf, percent, size, timeLeft, when } from "../format.js";
import { meter, stateMark } from "../recordings/job_list.js";
import { correctPanel } from "./correct_panel.js";
import { downloadMenu } from "./downloads.js";
import { Editor } from "./editor.js";
import { Model } from "./model.js";
import { Peaks } from "./peaks.js";
import { Player } from "./player.js";
import { Session } from "./session.js";
import { shareButton } from "./share_dialog.js";
import { shortcuts } from "./shortcuts.js";
import { speakerTable } from "./speakers.js";
import { timeline } from "./timeline.js";
import { transport } from "./transport.js";
import { turnList } from "./turn_list.js";
import { wordsNotice } from "./words.js";

const PHASES = { decoding: "Reading the recording", segmentation: "Finding speech", embedding: "Comparing voices", clustering: "Telling speakers apart", transcription: "Writing down the words", storing: "Storing the result" };

/** @param {HTMLElement} main @param {string} jobId @param {AbortSignal} signal */
export async function showJob(main, jobId, signal) {
  const job = await json(`${ROOT}/v1/jobs/${jobId}`, { signal });
  document.title = `${nameOf(job)} · Parley`;
  if (!job.finished_at) return showProgress(main, job, signal);
  if (job.state !== "succeeded") return fill(main, heading(job), ended(job, main, signal));
  const [turns, peaks] = await Promise.all([json(`${job.links.turns}?format=json&text=false`, { signal }), peaksOf(job, signal)]);
  return showResult(main, job, turns, peaks, signal);
}

/** Return the peaks, or null for a job of an earlier version. @param {any} job @param {AbortSignal} signal */
export async function peaksOf(job, signal) {
  try {
    return new Peaks(await (await call(job.links.peaks, { signal })).arrayBuffer());
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "peaks_not_kept") return null;
    throw problem;
  }
}

/** @param {any} job @param {...HTMLElement} tools */
function heading(job, ...tools) {
  const { result, recording } = job;
  const facts = [clock(recording.seconds), result && count(result.speakers, "speaker"), result && count(result.turns, "turn"), size(recording.bytes), when(job.created_at)].filter(Boolean);
  return h(
    "header.job-head",
    {},
    h("div.job-title", {}, h("a.crumb", { href: `${ROOT}/` }, "Recordings"), h("h1", {}, nameOf(job)), h("p.muted.number", {}, stateMark(job.state), h("span", {}, facts.join(" · ")), job.reference && job.recording.file_name && h("span", {}, job.reference))),
    h("div.job-tools", {}, tools),
  );
}

/** @param {HTMLElement} main @param {any} job @param {any} turns without texts @param {Peaks | null} peaks @param {AbortSignal} signal */
function showResult(main, job, turns, peaks, signal) {
  const player = new Player(job.links.audio, signal);
  const session = new Session(job, new Model(turns), player, signal);
  const bar = transport(session, () => keys.show());
  const editor = new Editor(session);
  const keys = shortcuts(session, editor, bar.zoomBy);
  const stage = h("section.panel.player", { "aria-label": "Timeline" }, bar.element, timeline(session, peaks));
  const notice = wordsNotice(job, turns.has_text, () => showJob(main, job.id, signal), signal);
  const side = h("div.job-side", {}, correctPanel(session, editor), speakerTable(session, editor), engineFacts(job));
  fill(main, heading(job, copyLink(), shareButton(job), downloadMenu(job), removeButton(job)), notice, stage, h("div.job-columns", {}, turnList(session).element, side));
  if (job.links.audio) player.load().catch(() => player.tell("fault"));
  if (turns.has_text) later(() => bringTexts(session).catch((problem) => signal.aborted || toast(problem.message)));
}

/** Read the turns once more, with their texts: with hours of them the page would open late. @param {Session} session */
export async function bringTexts(session) {
  session.addTexts(await json(session.job.links.turns, { signal: session.signal }));
}

function copyLink() {
  const copy = async () => {
    await navigator.clipboard.writeText(location.href);
    toast("Link copied. Whoever opens it needs a key of the same department.");
  };
  return h("button.button", { type: "button", onclick: copy }, icon("link"), "Copy link");
}

/** @param {any} job */
function removeButton(job) {
  const remove = () => {
    const problem = h("p.problem", { hidden: true, role: "alert" });
    const really = async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        await json(job.links.self, { method: "DELETE" });
        dialog.close();
        toast("Recording, result and record are deleted.");
        history.pushState(null, "", `${ROOT}/`);
        dispatchEvent(new PopStateEvent("popstate"));
      } catch (error) {
        fill(problem, String(/** @type {any} */ (error).message));
        problem.hidden = false;
      }
    };
    const foot = h("div.dialog-foot", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Keep"), h("button.button.danger", { type: "submit" }, "Delete for good"));
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "remove-title", onclose: () => dialog.remove() }, h("form", { onsubmit: really }, h("h2", { id: "remove-title" }, "Delete this recording?"), h("p", {}, "The recording, its turns and its record are removed. Nobody can bring them back."), problem, foot)));
    document.body.append(dialog);
    dialog.showModal();
  };
  return h("button.button.quiet.icon-only", { type: "button", "aria-label": "Delete", title: "Delete", onclick: remove }, icon("trash"));
}

/** @param {any} job */
function engineFacts(job) {
  const { engine, timings, seconds_of_speech: speech } = job.result;
  const facts = [["Speech", `${clock(speech)} (${percent(speech / Math.max(1e-9, job.recording.seconds))})`], ["Engine", `${engine.name} ${engine.version}`], ["Computed in", `${(timings.engine ?? 0).toFixed(1)} s`], ["Format", job.recording.media_type], ["Id", job.id]];
  return h("section.panel", { "aria-label": "Details" }, h("div.panel-head", {}, h("h2", {}, "Details")), h("dl.details", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd.number", {}, value)))));
}

/** @param {HTMLElement} main @param {any} job @param {AbortSignal} signal */
async function showProgress(main, job, signal) {
  const phase = h("strong");
  const note = h("p.muted.number");
  const box = h("div");
  const cancel = h("button.button", { type: "button", onclick: () => post(`${job.links.self}/cancel`, undefined).catch((error) => toast(error.message)) }, icon("cross"), "Cancel");
  fill(main, heading(job, copyLink(), cancel), h("section.panel.waiting", { "aria-label": "Progress" }, phase, box, note));
  const show = (/** @type {any} */ event) => {
    const running = event.state === "running";
    phase.textContent = running ? (PHASES[/** @type {keyof typeof PHASES} */ (event.phase)] ?? "Working") : "Waiting for a worker";
    fill(box, meter(running ? event.progress : 0, "Progress"));
    const done = running ? percent(event.progress) : "The page shows the turns as soon as they are there.";
    note.textContent = [done, timeLeft(event.eta)].filter(Boolean).join(running ? ", " : " ");
  };
  show(job);
  for await (const event of events(job.id, signal)) show(event);
  await showJob(main, job.id, signal);
}

/** @param {any} job @param {HTMLElement} main @param {AbortSignal} signal */
function ended(job, main, signal) {
  const retry = async () => {
    await post(`${job.links.self}/retry`, undefined).catch((error) => toast(error.message));
    await showJob(main, job.id, signal);
  };
  const failed = job.state === "failed";
  const text = failed ? (job.error?.detail ?? "The job failed.") : "The job was cancelled.";
  const title = h("strong", {}, failed ? "There are no turns" : "Cancelled");
  const again = job.recording.kept ? h("button.button", { type: "button", onclick: retry }, icon("retry"), "Try again") : h("span.muted", {}, "The recording is no longer kept, so the job cannot be tried again. ");
  return h("section.panel.waiting", { "aria-label": "State" }, h("div.problem", {}, icon("warn"), h("div", {}, title, text)), h("p", {}, again, removeButton(job)));
}
