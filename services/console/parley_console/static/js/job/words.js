/** What the page of a job says about its words: why there are none, and a button that asks for them. */

import { json, post, ROOT } from "../api.js";
import { fill, h, icon, toast } from "../dom.js";
import { percent } from "../format.js";

const POLL_MS = 2000;

/**
 * Return the notice; it is hidden while there is nothing to say.
 * @param {any} job @param {boolean} hasText @param {() => unknown} reload called once the words are there @param {AbortSignal} signal
 */
export function wordsNotice(job, hasText, reload, signal) {
  const notice = h("div.problem", { role: "status", hidden: true });

  async function ask() {
    try {
      show(await post(`${job.links.self}/transcribe`, undefined));
    } catch (problem) {
      toast(/** @type {any} */ (problem).message);
    }
  }

  /** @param {string} title @param {string} text @param {string} [button] */
  function say(title, text, button) {
    const asks = button && job.recording.kept && h("button.button", { type: "button", onclick: ask }, icon("retry"), button);
    fill(notice, icon("warn"), h("div", {}, h("strong", {}, title), text), asks);
    notice.hidden = false;
  }

  /** @param {any} now the job as it is */
  function show(now) {
    const words = now.result.transcription;
    if (words?.state === "waiting" || words?.state === "running") {
      say("Without text yet", words.state === "running" ? `The recogniser writes down the words: ${percent(words.progress)}` : "The words are asked for.");
      setTimeout(() => signal.aborted || json(job.links.self, { signal }).then(show, () => signal.aborted || show(now)), POLL_MS);
    } else if (words?.state === "failed") {
      say("Without text", `The recogniser did not write down the words: ${words.error.detail}`, "Ask again");
    } else if (words) {
      reload();
    }
  }

  if (job.result.transcription) {
    if (job.result.transcription.state !== "succeeded") show(job);
  } else if (!hasText && job.recording.kept) {
    json(`${ROOT}/readyz`, { signal }).then((ready) => ready.transcribes && say("Without text", "Nobody has asked for the words.", "Write down the words"), () => {}); // without an answer it is not offered
  }
  return notice;
}
