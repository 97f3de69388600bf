/** Upload: drop files anywhere on the page, or choose them; each is sent with its progress, two at a time. */

import { authorization, json, ROOT } from "../api.js";
import { fill, h, icon, toast } from "../dom.js";
import { count, percent, size } from "../format.js";
import { meter, setMeter } from "./job_list.js";

const AT_A_TIME = 2;
const MAX_SPEAKERS = 20; // that the list offers; the engine may find more

/** @typedef {{file: File, options: Record<string, string>, row: HTMLElement, request: XMLHttpRequest | null}} Upload */

// Uploads outlive the view: the user may look at a recording meanwhile.
/** @type {Upload[]} */
const waiting = [];
/** @type {Set<Upload>} */
const sending = new Set();
const rows = h("ul");
const panel = h("section.panel.uploads", { hidden: true, "aria-label": "Uploads" }, rows);
/** @type {() => void} */
let sent = () => {};

addEventListener("beforeunload", (event) => {
  if (waiting.length || sending.size) event.preventDefault();
});

/**
 * Return the place to drop files, and the uploads.
 * @param {() => void} onSent called after each accepted recording
 * @param {AbortSignal} signal
 */
export function uploadPanel(onSent, signal) {
  sent = onSent;
  const speakers = h("select", { id: "upload-speakers" }, h("option", { value: "" }, "Find out"), Array.from({ length: MAX_SPEAKERS }, (_, index) => h("option", {}, index + 1)));
  const queue = h("select", { id: "upload-queue" }, h("option", { value: "interactive" }, "Now"), h("option", { value: "batch" }, "In the background"));
  const words = h("select", { id: "upload-words" }, h("option", { value: "" }, "Only who speaks"), h("option", { value: "true" }, "Write it down"));
  const wordsField = h("div.field", { hidden: true }, h("label", { for: "upload-words" }, "Text"), words);
  json(`${ROOT}/readyz`, { signal }).then((ready) => (wordsField.hidden = !ready.transcribes), () => {}); // without an answer the choice is not offered
  const reference = h("input", { type: "text", id: "upload-reference", maxlength: 200, autocomplete: "off", placeholder: "Optional" });
  const chooser = /** @type {HTMLInputElement} */ (h("input", { type: "file", multiple: true, hidden: true, accept: "audio/*,video/mp4,video/webm,.amr,.awb,.caf,.wma", onchange: () => take(chooser.files) }));
  const drop = h(
    "section.drop",
    { "aria-label": "Upload" },
    h("div.drop-text", {}, h("strong", {}, "Drop recordings here"), h("span.muted", {}, "WAV, FLAC, MP3, M4A, Ogg, WebM and more. Several at once is fine.")),
    h(
      "div.drop-options",
      {},
      h("div.field", {}, h("label", { for: "upload-speakers" }, "Speakers"), speakers),
      h("div.field", {}, h("label", { for: "upload-queue" }, "When"), queue),
      wordsField,
      h("div.field", {}, h("label", { for: "upload-reference" }, "Reference"), reference),
      h("button.button.primary", { type: "button", onclick: () => chooser.click() }, icon("upload"), "Choose files"),
    ),
    chooser,
  );

  /** @param {FileList | null | undefined} files */
  function take(files) {
    const options = { num_speakers: /** @type {any} */ (speakers).value, queue: /** @type {any} */ (queue).value, transcribe: /** @type {any} */ (words).value, reference: /** @type {any} */ (reference).value.trim() };
    for (const file of files ?? []) add(file, options);
    chooser.value = "";
  }

  listenForDrops(drop, take, signal);
  return h("div", {}, drop, panel);
}

/** @param {HTMLElement} drop @param {(files: FileList | undefined) => void} take @param {AbortSignal} signal */
function listenForDrops(drop, take, signal) {
  const holdsFiles = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
  }, { signal });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  }, { signal });
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer?.files);
  }, { signal });
}

/** @param {File} file @param {Record<string, string>} options */
function add(file, options) {
  const bar = meter(0, `Upload of ${file.name}`);
  const status = h("span.muted.number", {}, `Waiting · ${size(file.size)}`);
  const cancel = h("button.button.quiet.icon-only", { type: "button", "aria-label": `Cancel ${file.name}`, onclick: () => stop(upload) }, icon("cross"));
  const row = h("li", {}, h("span.name", {}, file.name), bar, status, cancel);
  /** @type {Upload} */
  const upload = { file, options, row, request: null };
  waiting.push(upload);
  rows.append(row);
  panel.hidden = false;
  next();
}

function next() {
  while (sending.size < AT_A_TIME && waiting.length) send(/** @type {Upload} */ (waiting.shift()));
}

/** @param {Upload} upload */
function send(upload) {
  const { file, options, row } = upload;
  const [, bar, status] = /** @type {HTMLElement[]} */ ([...row.children]);
  const query = new URLSearchParams(Object.entries({ ...options, file_name: file.name }).filter(([, value]) => value));
  const request = new XMLHttpRequest(); // fetch tells no progress of a body
  upload.request = request;
  sending.add(upload);
  request.open("POST", `${ROOT}/v1/jobs?${query}`);
  for (const [name, value] of Object.entries({ ...authorization(), "Content-Type": "application/octet-stream" })) request.setRequestHeader(name, value);
  request.upload.onprogress = ({ loaded, total }) => {
    setMeter(bar, loaded / total);
    status.textContent = loaded < total ? `${percent(loaded / total)} of ${size(total)}` : "Checking …";
  };
  request.onload = () => (request.status === 202 ? accepted(upload) : refused(upload, problem(request)));
  request.onerror = () => refused(upload, "The server did not take it. Check the network and send it again.");
  request.onloadend = () => {
    sending.delete(upload);
    next();
  };
  request.send(file);
}

/** @param {XMLHttpRequest} request */
function problem(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `The server answered with status ${request.status}.`;
  }
}

/** @param {Upload} upload */
function accepted(upload) {
  remove(upload);
  sent();
  if (!waiting.length && sending.size <= 1) toast("Everything is uploaded.");
}

/** @param {Upload} upload @param {string} reason */
function refused(upload, reason) {
  const again = h("button.button", { type: "button", onclick: () => { remove(upload); add(upload.file, upload.options); } }, "Send again");
  const dismiss = h("button.button.quiet.icon-only", { type: "button", "aria-label": `Dismiss ${upload.file.name}`, onclick: () => remove(upload) }, icon("cross"));
  fill(upload.row, h("span.name", {}, upload.file.name), h("span.failed", { role: "alert" }, reason), h("span", {}, again, dismiss));
}

/** @param {Upload} upload */
function stop(upload) {
  upload.request?.abort();
  const place = waiting.indexOf(upload);
  if (place >= 0) waiting.splice(place, 1);
  remove(upload);
  toast(`${upload.file.name} is not sent. ${count(waiting.length + sending.size, "upload")} left.`);
}

/** @param {Upload} upload */
function remove(upload) {
  upload.row.remove();
  panel.hidden = !rows.children.length;
}
