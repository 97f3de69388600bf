/** Making elements. Styles are set as properties: the content security policy allows no style attributes. */

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 */

/**
 * Return a new element.
 * @param {string} selector name and classes, for example `div.panel.wide`
 * @param {Record<string, any>} [properties] `on…` are listeners, `style` custom properties; others are attributes, left out if null or false
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function h(selector, properties = {}, ...children) {
  const [name, ...classes] = selector.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(properties)) set(element, key, value);
  append(element, children);
  return element;
}

/** @param {HTMLElement} element @param {string} key @param {any} value */
function set(element, key, value) {
  if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
  else if (key === "style") for (const [name, text] of Object.entries(value)) element.style.setProperty(name, text);
  else if (value !== null && value !== undefined && value !== false)
    element.setAttribute(key, value === true ? "" : String(value));
}

/** @param {Element} element @param {(Child | Child[])[]} children */
export function append(element, children) {
  for (const child of children.flat())
    if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : String(child));
}

/** Replace all children of an element. @param {Element} element @param {...(Child | Child[])} children */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  pause: "M7 5v14M17 5v14",
  back: "M4 5v5h5M4.5 10a8 8 0 1 1-.5 4",
  forward: "M20 5v5h-5M19.500 10a8 8 0 1 0 .5 4",
  previous: "M6 5v14M19 5 9 12l10 7z",
  next: "M18 5v14M5 5l10 7-10 7z",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  follow: "M4 12h13M12 6l6 6-6 6",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  share: "M12 14V4M8 7.500 12 3.500l4 4M6 11v9h12v-9",
  keyboard: "M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8",
  theme: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18",
  key: "M14.500 9.500a4 4 0 1 1-2.500-3.700M12.500 11.500 20 19M17 16l2-2",
  check: "M5 12.500l4.500 4.500L19 7.500",
  warn: "M12 4 2.500 20h19zM12 10v4M12 17h.01",
  cross: "M6 6l12 12M18 6 6 18",
  upload: "M12 20V8M7 12l5-5 5 5M5 4h14",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  retry: "M4 12a8 8 0 1 0 2.500-5.800M4 4v5h5",
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "M15 14 20 9l-5-5M20 9H10a6 6 0 0 0 0 12h3",
  edit: "M4 20h4L19 9l-4-4L4 16z",
};

/** Return an icon; it is decoration, so screen readers skip it. @param {keyof typeof ICONS} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Run a step when the browser is idle. @type {(step: () => void) => unknown} */
export const later = window.requestIdleCallback ?? ((/** @type {() => void} */ step) => setTimeout(step, 30));

/** Tell the user something that needs no answer; screen readers read it. @param {string} text */
export function toast(text) {
  const note = h("div.toast", {}, text);
  document.getElementById("toasts")?.append(note);
  setTimeout(() => note.remove(), 5000);
}
