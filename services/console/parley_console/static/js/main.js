/** The console: shows the view of the path, and the tools of the top bar. */

import { keepLink, key, ROOT, setKey, useLink } from "./api.js";
import { fill, h, icon, toast } from "./dom.js";
import { askForKey } from "./key_dialog.js";
import { showHealth } from "./health/view.js";
import { showJob } from "./job/view.js";
import { showRecordings } from "./recordings/view.js";
import { showShared } from "./shared/view.js";

const RETRY_MS = 3000; // while the server does not answer
const JOB_PATH = /^\/v1\/jobs\/([0-9a-fA-F-]{36})\/timeline$/;
const HEALTH_PATH = `${ROOT}/health`;
const SHARED_PATH = `${ROOT}/shared`;
const main = /** @type {HTMLElement} */ (document.getElementById("main"));

/** @type {AbortController} ends what the view of the last path has begun */
let shown = new AbortController();

/** Show the view of the present path. A view gets its element and a signal that ends it. */
async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  const match = JOB_PATH.exec(location.pathname.slice(ROOT.length));
  const shared = location.pathname === SHARED_PATH;
  document.title = "Parley";
  useLink(shared);
  if (shared) keepLink();
  try {
    if (shared) await showShared(main, signal);
    else if (location.pathname === HEALTH_PATH) await showHealth(main, signal);
    else if (match) await showJob(main, match[1].toLowerCase(), signal);
    else await showRecordings(main, signal);
  } catch (error) {
    if (!signal.aborted) await failed(/** @type {any} */ (error), signal);
  }
}

/** @param {any} problem @param {AbortSignal} signal */
async function failed(problem, signal) {
  if (problem.status === 401 && location.pathname !== SHARED_PATH) {
    setKey(null);
    if (await askForKey()) {
      showTools();
      return show();
    }
  }
  const title = problem.title ?? "The page failed";
  const again = h("button.button", { onclick: show }, icon("retry"), "Try again");
  fill(main, h("h1.visually-hidden", {}, title), h("div.problem", { role: "alert" }, icon("warn"), h("div", {}, h("strong", {}, title), problem.message)), h("p.empty", {}, again));
  if (problem.code === "unreachable") await comeBack(signal);
}

/** Show the page again as soon as the server answers. @param {AbortSignal} signal */
async function comeBack(signal) {
  while (!signal.aborted) {
    await new Promise((resolve) => {
      setTimeout(resolve, RETRY_MS);
      addEventListener("online", resolve, { once: true, signal });
    });
    const answers = await fetch(`${ROOT}/livez`, { cache: "no-store", credentials: "omit" }).then((response) => response.ok, () => false);
    if (answers && !signal.aborted) return show();
  }
}

/** @param {string} path */
function go(path) {
  history.pushState(null, "", path);
  scrollTo(0, 0);
  show().then(() => main.focus());
}

/** Follow links to our own views without loading the page again, so that uploads go on. @param {MouseEvent} event */
function follow(event) {
  const link = /** @type {Element} */ (event.target).closest("a");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.target) return;
  const url = new URL(link.href, location.href);
  if (url.origin !== location.origin || !(url.pathname === `${ROOT}/` || url.pathname === HEALTH_PATH || JOB_PATH.test(url.pathname.slice(ROOT.length))) || url.hash) return;
  event.preventDefault();
  go(url.pathname + url.search);
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("parley-theme", root.dataset.theme);
  dispatchEvent(new Event("themechange"));
}

function showTools() {
  const forget = () => {
    setKey(null);
    toast("The key is forgotten.");
    showTools();
    show();
  };
  const tools = /** @type {HTMLElement} */ (document.getElementById("tools"));
  fill(
    tools,
    h("a.button.quiet", { href: HEALTH_PATH }, "Health"),
    h("a.button.quiet", { href: `${ROOT}/docs`, target: "_blank", rel: "noopener" }, "API"),
    key() && h("button.button.quiet", { onclick: forget }, icon("key"), h("span.tool-name", {}, "Forget key")),
    h("button.button.quiet.icon-only", { onclick: switchTheme, "aria-label": "Light or dark" }, icon("theme")),
  );
}

document.addEventListener("click", follow);
addEventListener("popstate", show);
addEventListener("keyrefused", show);
addEventListener("hashchange", () => location.pathname === SHARED_PATH && location.hash && show());
showTools();
show();
