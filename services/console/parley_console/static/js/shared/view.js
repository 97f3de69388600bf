/** The page of a shared link: timeline, turns and totals of one recording, to look at and, if shared, to listen to. */

import { json, Problem, secret, ROOT } from "../api.js";
import { fill, h, later, toast } from "../dom.js";
import { clock, count, when } from "../format.js";
import { Model } from "../job/model.js";
import { Player } from "../job/player.js";
import { Session } from "../job/session.js";
import { shortcuts } from "../job/shortcuts.js";
import { speakerTable } from "../job/speakers.js";
import { timeline } from "../job/timeline.js";
import { transport } from "../job/transport.js";
import { turnList } from "../job/turn_list.js";
import { bringTexts, peaksOf } from "../job/view.js";

/** @param {HTMLElement} main @param {AbortSignal} signal */
export async function showShared(main, signal) {
  if (!secret()) throw new Problem(401, "unknown_link", "The link is not complete", "Open the whole link that you were given, with the part behind #.");
  const job = await json(`${ROOT}/v1/shared`, { signal });
  const title = `Recording of ${new Date(job.created_at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })}`;
  document.title = `${title} · Parley`;
  const [turns, peaks] = await Promise.all([json(`${job.links.turns}?text=false`, { signal }), peaksOf(job, signal)]);
  const model = new Model(turns);
  const player = new Player(job.links.audio, signal);
  const session = new Session(job, model, player, signal);
  const bar = transport(session, () => keys.show());
  const keys = shortcuts(session, null, bar.zoomBy);
  const facts = [clock(job.recording.seconds), count(model.speakers.length, "speaker"), count(model.turns.length, "turn"), !job.links.audio && "without the sound", `shared until ${when(job.expires_at)}`].filter(Boolean);
  const heading = h("header.job-head", {}, h("div.job-title", {}, h("h1", {}, title), h("p.muted.number", {}, facts.join(" · "))));
  const stage = h("section.panel.player", { "aria-label": "Timeline" }, bar.element, timeline(session, peaks));
  fill(main, heading, stage, h("div.job-columns", {}, turnList(session).element, h("div.job-side", {}, speakerTable(session, null))));
  if (turns.has_text) later(() => bringTexts(session).catch((problem) => signal.aborted || toast(problem.message)));
  if (job.links.audio) player.load().catch(() => player.tell("fault"));
}
