/** Asks for the API key where the server wants one. */

import { json, key, setKey, ROOT } from "./api.js";
import { h } from "./dom.js";

/**
 * Show the dialog; return whether the user entered a key that the server takes.
 * @returns {Promise<boolean>}
 */
export function askForKey() {
  const open = /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.key"));
  if (open) return new Promise((resolve) => open.addEventListener("close", () => resolve(Boolean(key()))));
  return new Promise((resolve) => {
    const input = /** @type {HTMLInputElement} */ (
      h("input", { type: "password", id: "api-key", autocomplete: "off", required: true, "aria-describedby": "key-note" })
    );
    const error = h("p.problem", { hidden: true, role: "alert" });
    const cancel = h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel");
    const submit = h("button.button.primary", { type: "submit" }, "Continue");
    const form = h(
      "form",
      { onsubmit: take },
      h("h2", { id: "key-title" }, "API key"),
      h("div.field", {}, h("label", { for: "api-key" }, "Key of your department"), input),
      h("p.muted", { id: "key-note" }, "The key stays in this browser tab and is forgotten when you close it."),
      error,
      h("div.dialog-foot", {}, cancel, submit),
    );
    const dialog = /** @type {HTMLDialogElement} */ (h("dialog.key", { "aria-labelledby": "key-title", onclose: closed }, form));
    let accepted = false;

    /** @param {Event} event */
    async function take(event) {
      event.preventDefault();
      setKey(input.value.trim());
      try {
        await json(`${ROOT}/v1/queues`);
        accepted = true;
        dialog.close();
      } catch (problem) {
        setKey(null);
        error.hidden = false;
        error.textContent = /** @type {any} */ (problem).status === 401 ? "The server does not know this key." : String(/** @type {any} */ (problem).message);
        input.select();
      }
    }

    function closed() {
      dialog.remove();
      resolve(accepted);
    }

    document.body.append(dialog);
    dialog.showModal();
    input.focus();
  });
}
