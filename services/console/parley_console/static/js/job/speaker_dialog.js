/** The dialog that corrects one speaker: name, role, and who it is the same as. */

import { h } from "../dom.js";

const ROLES = [["", "Unknown"], ["clinician", "Clinician"], ["patient", "Patient"], ["other", "Other"]];

/** @param {import("./session.js").Session} session @param {import("./editor.js").Editor} editor @param {import("./model.js").Speaker} speaker */
export function correctSpeaker(session, editor, speaker) {
  const others = session.model.speakers.filter(({ index }) => index !== speaker.index);
  const name = /** @type {HTMLInputElement} */ (h("input", { type: "text", id: "speaker-name", maxlength: 200, autocomplete: "off", value: speaker.named ? speaker.name : "" }));
  const role = choice("speaker-role", ROLES, speaker.role ?? "");
  const same = choice("speaker-same", [["", "Nobody else here"], ...others.map((other) => [other.label, other.name])], "");

  /** @param {string} id @param {string[][]} options @param {string} value */
  function choice(id, options, value) {
    return /** @type {HTMLSelectElement} */ (h("select", { id }, options.map(([option, text]) => h("option", { value: option, selected: option === value }, text))));
  }

  function save() {
    const operations = [];
    const given = name.value.trim();
    if (given !== (speaker.named ? speaker.name : "")) operations.push({ operation: "rename_speaker", speaker: speaker.label, name: given || null });
    if (role.value !== (speaker.role ?? "")) operations.push({ operation: "set_role", speaker: speaker.label, role: role.value || null });
    if (same.value) operations.push({ operation: "merge_speakers", speaker: speaker.label, into: same.value });
    if (operations.length) editor.apply(...operations);
  }

  const fields = [[name, "Name"], [role, "Role"], [same, "The same person as"]].map(([input, text]) => h("div.field", {}, h("label", { for: /** @type {HTMLElement} */ (input).id }, String(text)), /** @type {HTMLElement} */ (input)));
  const foot = h("div.dialog-foot", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"), h("button.button.primary", { type: "submit" }, "Save"));
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "speaker-title", onclose: () => dialog.remove() }, h("form", { method: "dialog", onsubmit: save }, h("h2", { id: "speaker-title" }, speaker.name), fields, foot)));
  document.body.append(dialog);
  dialog.showModal();
  name.focus();
}
