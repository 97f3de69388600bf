/** The menu of downloads: every format that this server's API has, the picture and the recording. */

import { call, json, ROOT } from "../api.js";
import { fill, h, icon, toast } from "../dom.js";

const NAMES = { json: "JSON", rttm: "RTTM", srt: "SRT subtitles", vtt: "WebVTT subtitles", csv: "CSV table", textgrid: "Praat TextGrid", eaf: "ELAN", audacity: "Audacity labels", txt: "Plain text", text: "Plain text", md: "Markdown", markdown: "Markdown", openai: "OpenAI diarized JSON", diarized_json: "OpenAI diarized JSON" };
const ENDINGS = { textgrid: "TextGrid", audacity: "labels.txt", text: "txt", markdown: "md", openai: "openai.json", diarized_json: "openai.json" };

/** @param {any} job */
export function downloadMenu(job) {
  const items = h("div.menu-items", { hidden: true });
  const button = h("button.button", { type: "button", "aria-expanded": "false", onclick: toggle }, icon("download"), "Download");
  const element = h("div.menu", { onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close(true) }, button, items);
  const outside = (/** @type {Event} */ event) => !element.contains(/** @type {Node} */ (event.target)) && close(false);

  async function toggle() {
    if (!items.hidden) return close(true);
    const formats = await formatsOfApi();
    const turns = formats.map((format) => entry(title(format), `${job.links.turns}?format=${format}`, ENDINGS[/** @type {keyof typeof ENDINGS} */ (format)] ?? format));
    const pictures = [entry("Picture, SVG", `${job.links.timeline}.svg`, "svg"), entry("Picture, PNG", `${job.links.timeline}.png`, "png")];
    fill(items, turns, pictures, job.links.audio && entry("Recording", job.links.audio, job.recording.media_type.split("/")[1]));
    items.hidden = false;
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside);
    /** @type {HTMLElement | null} */ (items.querySelector("button"))?.focus();
  }

  /** @param {boolean} focus */
  function close(focus) {
    items.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
    if (focus) button.focus();
  }

  /** @param {string} name @param {string} path @param {string} ending */
  function entry(name, path, ending) {
    return h("button", { type: "button", onclick: () => (close(true), save(job, path, ending)) }, name, h("span.muted", {}, `.${ending}`));
  }

  return element;
}

/** @param {string} format */
function title(format) {
  return NAMES[/** @type {keyof typeof NAMES} */ (format)] ?? format;
}

/** Return the formats that the API's description names. @returns {Promise<string[]>} */
async function formatsOfApi() {
  const { paths } = await json(`${ROOT}/openapi.json`);
  const { parameters } = paths["/v1/jobs/{job_id}/turns"].get;
  const { schema } = parameters.find((/** @type {any} */ one) => one.name === "format");
  return (schema.anyOf ?? [schema]).flatMap((/** @type {any} */ one) => one.enum ?? []);
}

/** @param {any} job @param {string} path @param {string} ending */
async function save(job, path, ending) {
  try {
    const file = await (await call(path)).blob();
    const url = URL.createObjectURL(file);
    const base = (job.recording.file_name ?? job.reference ?? job.id).replace(/\.[A-Za-z0-9]{1,5}$/, "");
    h("a", { href: url, download: `${base}.${ending}` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  } catch (problem) {
    toast(String(/** @type {any} */ (problem).message));
  }
}
